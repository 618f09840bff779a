/*-------------------------------------------------------------------------
 *
 * progress.h
 *		How far the scans are that run now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROGRESS_H
#define SMF_PROGRESS_H

#include "aws/call.h"
#include "datatype/timestamp.h"
#include "jobs/operation.h"

/* What a scan has come to. */
typedef enum ProgressCount
{
	SMF_PROGRESS_PAGES,			/* of a list, that have come */
	SMF_PROGRESS_SEEN,			/* jobs that were listed, or named by the query */
	SMF_PROGRESS_DESCRIBED		/* jobs whose documents have come */
} ProgressCount;

#define SMF_PROGRESS_COUNTS (SMF_PROGRESS_DESCRIBED + 1)

/* A scan that shows how far it is. */
typedef struct Progress Progress;

/* One that runs, as others see it. */
typedef struct ProgressRow
{
	int			pid;			/* the backend's */
	Oid			userid;			/* the role that its session was begun by */
	Oid			serverid;
	JobOperation operation;		/* that says which jobs there are */
	int64		counts[SMF_PROGRESS_COUNTS];
	int64		estimated;		/* jobs that will be seen; negative: not known */
	TimestampTz started_at;
	const char *waiting_on;		/* a constant; NULL: the scan waits for nothing */
} ProgressRow;

/* A scan that tells its own user from time to time how far it is. */
typedef struct ProgressNotices
{
	const char *label;			/* what is read */
	int64		interval_us;	/* time between notices; 0: there are none */
	int64		started_us;		/* smf_http_now() when it was first waited for; 0: not yet */
	int64		next_us;		/* when the next notice is due */
	int64		njobs_read;		/* of the streams that have ended */
	int64		njobs_listed;
	int64		estimated;		/* jobs that there are, by statistics; 0 or less: not known */
	const int64 *attempts;		/* requests sent, by JobOperation */
	int64		calls_by_search;	/* calls if documents came from Search; 0: nothing is to be
									 * said of that */
} ProgressNotices;

extern void smf_progress_reserve(void);
extern Progress *smf_progress_begin(Oid serverid);
extern void smf_progress_end(Progress *progress);
extern void smf_progress_source(Progress *progress, JobOperation operation, int64 estimated);
extern void smf_progress_count(Progress *progress, ProgressCount what, int64 n);
extern void smf_progress_show_wait(Progress *progress, const AwsCall *call, JobOperation operation);
extern int64 smf_progress_notify(ProgressNotices *notices, int64 njobs_read, int64 njobs_listed);
extern ProgressRow *smf_progress_read(int *n);

#endif							/* SMF_PROGRESS_H */
