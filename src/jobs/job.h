/*-------------------------------------------------------------------------
 *
 * job.h
 *		A training job as far as it is known; which jobs are asked for, and what to
 *		fetch for each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JOB_H
#define SMF_JOB_H

#include "aws/json.h"
#include "jobs/cache.h"
#include "jobs/operation.h"
#include "jobs/progress.h"
#include "jobs/proof.h"
#include "utils/jsonb.h"

/* How much is known about a job, in the order in which it becomes known. */
typedef enum JobTier
{
	SMF_TIER_LISTED,			/* its summary, or Search's record */
	SMF_TIER_TAGGED,			/* its tags, but not its document yet */
	SMF_TIER_DESCRIBED,			/* its document, but not its tags yet */
	SMF_TIER_COMPLETE			/* everything that is asked for */
} JobTier;

/* A job to look up. */
typedef struct WantedJob
{
	const char *name;			/* a possible name */
	const char *arn;			/* the ARN it must have; NULL: any */
	Jsonb	   *summary;		/* its summary in the list; NULL: it was not listed */
	const char *listed_arn;		/* with a summary: the ARN in it */
	int64		date_s;			/* with a summary: the service's clock at that time, epoch
								 * seconds; negative: not known */
} WantedJob;

/* One job.  NULL for what was not asked for, or does not exist. */
typedef struct Job
{
	const char *name;			/* as listed, or as asked for */
	const char *arn;			/* as listed; NULL: it was not listed, and nobody needed it */
	int64		date_s;			/* with a summary: the service's clock when it was listed,
								 * epoch seconds; negative: not known */
	Jsonb	   *summary;		/* its entry in a page, other than Search's */
	Jsonb	   *record;			/* its record in a page of Search */
	Jsonb	   *document;		/* what Describe returned */
	Jsonb	   *tags;			/* an object: key to value */
} Job;

/*
 * Is the job still wanted, given what is known about it?  Called before the next call for
 * it; may raise errors.  "job" is valid only during the call.
 */
typedef bool (*JobStillWanted) (void *arg, const Job *job, JobTier tier);

/* Where the documents of a stream's jobs came from. */
typedef struct JobDocuments
{
	int64		from_search;
	int64		from_describe;
	int64		checked;		/* described jobs that were compared with Search's record */
} JobDocuments;

/* Which jobs a stream returns, and what it fetches for each. */
typedef struct JobStreamSpec
{
	JobSource	source;
	List	   *wanted;			/* for SMF_FROM_NAMES: WantedJob *, without duplicates */
	JobQuery	query;			/* for all other sources */
	bool		narrowed;		/* pages may contain fewer jobs than requested, or
								 * still_wanted may reject some */
	bool		ordered;		/* somebody relies on the order of creation */
	bool		want_document;	/* Describe each job */
	const JsonMembers *members; /* members to read of documents, and with SMF_FROM_SEARCH of
								 * records (smf_document_members); NULL: all */
	bool		want_tags;		/* list each job's tags */
	bool		read_tags;		/* for SMF_FROM_SEARCH: read the records' tags */
	bool		tags_optional;	/* if tags are denied, jobs are returned without them */
	bool		tags_first;		/* before the document, if the ARN is known */
	bool		prove;			/* may a Search record that is proved replace a document? */
	AttributeSet read;			/* with prove: the attributes that are read, including tags */
	bool		check_each;		/* with prove: check one job of each batch, even if no check
								 * is due? */
	JobStillWanted still_wanted;	/* NULL: every job is wanted */
	void	   *still_wanted_arg;	/* passed to it */
	bool		still_wanted_tier[SMF_TIER_COMPLETE];	/* call it in this tier? */
	bool		may_refuse;		/* return DENIED or UNKNOWN for the first page instead of
								 * raising the error */
	JobCache   *cache;			/* for SMF_FROM_NAMES; NULL: none */

	const char *label;			/* what is being read, for progress notices */
	int			fetch_size;		/* jobs per page */
	int			max_concurrency;	/* calls in flight */
	int64		bound;			/* jobs that will be read, if none is gone; 0: not known.
								 * Nothing beyond it is fetched before it is asked for */
	bool		ramp;			/* few jobs may be read: fetch few at first */
	int64		notice_us;		/* time between progress notices; 0: none */
	ProgressNotices *notices;	/* notices that the scan gives for all its streams together,
								 * zeroed at first; NULL: the stream gives its own */
	int64	   *attempts;		/* requests sent, by JobOperation; incremented */
	JobDocuments *documents;	/* incremented; NULL: do not count */
	Progress   *progress;		/* what others see of the stream; NULL: nothing */
	bool		counted;		/* for SMF_FROM_NAMES: others have already seen the jobs,
								 * because they were fetched ahead */
	int64		estimated;		/* jobs that the source will name, as far as known; negative:
								 * not known */
	int64		calls_by_search;	/* for progress notices: calls if documents came from
									 * Search; 0: do not mention it */
} JobStreamSpec;

#endif							/* SMF_JOB_H */
