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

/* Which pages to walk over. */
typedef struct JobWalkSpec
{
	JobOperation operation;		/* it lists jobs */
	JobQuery	query;			/* which jobs, in which order */
	int			page_size;		/* jobs in a page, at most */
	bool		ordered;		/* somebody relies on the order of creation */
	const JsonMembers *members; /* members to read in Search's records; NULL: all */
	int64	   *attempts;		/* requests sent, by JobOperation; incremented */
	Progress   *progress;		/* where to count pages and their jobs; NULL: nowhere */
} JobWalkSpec;

/* The state of a walk's next page. */
typedef enum WalkState
{
	SMF_WALK_READY,				/* it can be requested */
	SMF_WALK_CALLING,			/* it has been requested */
	SMF_WALK_ANSWERED,			/* it has arrived, and its jobs can be read */
	SMF_WALK_FAILED,			/* it has failed: smf_walk_next raises why */
	SMF_WALK_DONE				/* there is none */
} WalkState;

/* A job of a page; belongs to the walk until the next one is read. */
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
