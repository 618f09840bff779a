/*-------------------------------------------------------------------------
 *
 * walk.h
 *		A walk over the pages of an operation that lists jobs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_WALK_H
#define SMF_WALK_H

#include "aws/call.h"
#include "aws/json.h"
#include "jobs/operation.h"
#include "jobs/progress.h"
#include "utils/jsonb.h"

/* Which pages are walked over. */
typedef struct JobWalkSpec
{
	JobOperation operation;		/* it lists jobs */
	JobQuery	query;			/* which jobs, in which order */
	int			page_size;		/* jobs in a page, at most */
	bool		ordered;		/* the order of creation is promised to somebody */
	const JsonMembers *members; /* of Search's records, that are read; NULL: all */
	int64	   *attempts;		/* requests sent, by JobOperation; counted up */
	Progress   *progress;		/* where pages and their jobs are counted; NULL: nowhere */
} JobWalkSpec;

/* What becomes of a walk's next page. */
typedef enum WalkState
{
	SMF_WALK_READY,				/* it may be asked for */
	SMF_WALK_CALLING,			/* it has been asked for */
	SMF_WALK_ANSWERED,			/* it has come, and its jobs are to be read */
	SMF_WALK_FAILED,			/* it does not come: smf_walk_next raises why */
	SMF_WALK_DONE				/* there is none */
} WalkState;

/* A job of a page, the walk's own until the next one is asked for. */
typedef struct ListedJob
{
	const char *name;
	const char *arn;
	JsonbValue *object;			/* its summary, or Search's record */
} ListedJob;

typedef struct JobWalk JobWalk;

extern JobWalk *smf_walk_begin(AwsClient *client, const JobWalkSpec *spec);
extern void smf_walk_end(JobWalk *walk);

extern WalkState smf_walk_state(const JobWalk *walk);
extern int	smf_walk_page_size(const JobWalk *walk);
extern void smf_walk_shrink(JobWalk *walk);
extern void smf_walk_ask(JobWalk *walk, int page_size);
extern bool smf_walk_next(JobWalk *walk, ListedJob *job);
extern Jsonb *smf_walk_copy(const JobWalk *walk, const ListedJob *job);

extern const AwsCall *smf_walk_call(const JobWalk *walk);
extern const AwsCall *smf_walk_first_failure(const JobWalk *walk);
extern int64 smf_walk_listed(const JobWalk *walk);
extern int64 smf_walk_date(const JobWalk *walk);

#endif							/* SMF_WALK_H */
