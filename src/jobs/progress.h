/*-------------------------------------------------------------------------
 *
 * progress.h
 *		The progress of the scans that are running.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROGRESS_H
#define SMF_PROGRESS_H

#include "aws/call.h"
#include "datatype/timestamp.h"
#include "jobs/operation.h"

/* What a scan counts. */
typedef enum ProgressCount
{
	SMF_PROGRESS_PAGES,			/* pages of a list that have arrived */
	SMF_PROGRESS_SEEN,			/* jobs that were listed, or named by the query */
	SMF_PROGRESS_DESCRIBED		/* jobs whose documents have arrived */
} ProgressCount;

#define SMF_PROGRESS_COUNTS (SMF_PROGRESS_DESCRIBED + 1)

/* A scan that shows its progress. */
typedef struct Progress Progress;

/* A running scan, as others see it. */
typedef struct ProgressRow
{
	int			pid;			/* the backend's */
	Oid			userid;			/* the session user */
	Oid			serverid;
	JobOperation operation;		/* that lists the jobs */
	int64		counts[SMF_PROGRESS_COUNTS];
	int64		estimated;		/* jobs that will be seen; negative: not known */
	TimestampTz started_at;
	const char *waiting_on;		/* a constant; NULL: the scan waits for nothing */
} ProgressRow;

/* A scan that tells its own user about its progress from time to time. */
typedef struct ProgressNotices
{
	const char *label;			/* what is being read */
	int64		interval_us;	/* time between notices; 0: no notices */
	int64		started_us;		/* smf_http_now() at the first wait; 0: not yet */
	int64		next_us;		/* when the next notice is due */
	int64		njobs_read;		/* in streams that have ended */
	int64		njobs_listed;
	int64		estimated;		/* number of jobs according to statistics; 0 or less: not
								 * known */
	const int64 *attempts;		/* requests sent, by JobOperation */
	int64		calls_by_search;	/* calls if documents came from Search; 0: do not mention
									 * it */
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
