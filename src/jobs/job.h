/*-------------------------------------------------------------------------
 *
 * job.h
 *		A training job as far as it is known; which jobs are asked for, and what of each.
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

/* How much is known of a job, in the order in which it becomes known. */
typedef enum JobTier
{
	SMF_TIER_LISTED,			/* its summary, or Search's record */
	SMF_TIER_TAGGED,			/* its tags, and no document yet */
	SMF_TIER_DESCRIBED,			/* its document, and no tags yet */
	SMF_TIER_COMPLETE			/* all that is asked for */
} JobTier;

/* A job to look up. */
typedef struct WantedJob
{
	const char *name;			/* a possible name */
	const char *arn;			/* the ARN it must have; NULL: any */
	Jsonb	   *summary;		/* what the list says of it; NULL: it was not listed */
	const char *listed_arn;		/* summary: the ARN there */
	int64		date_s;			/* summary: the service's clock then, epoch seconds; negative:
								 * not known */
} WantedJob;

/* One job.  What was not asked for, or has no answer, is NULL. */
typedef struct Job
{
	const char *name;			/* as listed, or as asked for */
	const char *arn;			/* as listed; NULL: it was not, and nobody needed it */
	int64		date_s;			/* summary: the service's clock when it was listed, epoch
								 * seconds; negative: not known */
	Jsonb	   *summary;		/* its entry in a page, but for Search */
	Jsonb	   *record;			/* its record in a page of Search */
	Jsonb	   *document;		/* what Describe returned */
	Jsonb	   *tags;			/* an object: key to value */
} Job;

/*
 * Is the job still wanted, by what is known of it?  Asked before the next call for
 * it; may raise errors.  "job" is valid during the call only.
 */
typedef bool (*JobStillWanted) (void *arg, const Job *job, JobTier tier);

/* Where the documents of a stream's jobs came from. */
typedef struct JobDocuments
{
	int64		from_search;
	int64		from_describe;
	int64		checked;		/* of these, were compared with Search's */
} JobDocuments;

/* Which jobs a stream yields, and what it fetches of each. */
typedef struct JobStreamSpec
{
	JobSource	source;
	List	   *wanted;			/* SMF_FROM_NAMES: WantedJob *, each once */
	JobQuery	query;			/* otherwise */
	bool		narrowed;		/* pages may hold fewer jobs than are asked for, or the
								 * still_wanted may refuse some of them */
	bool		ordered;		/* the order of creation is promised to somebody */
	bool		want_document;	/* Describe each job */
	const JsonMembers *members; /* of documents, and SMF_FROM_SEARCH of records, that are read
								 * (smf_document_members); NULL: all */
	bool		want_tags;		/* list each job's tags */
	bool		read_tags;		/* SMF_FROM_SEARCH: records' tags are read */
	bool		tags_optional;	/* where they are denied, jobs come without */
	bool		tags_first;		/* before the document, where the ARN is known */
	bool		prove;			/* may a record of Search stand for a document, once it is
								 * proved? */
	AttributeSet read;			/* prove: the attributes that are read, tags among them */
	bool		check_each;		/* prove: is one of each batch to be checked, even where
								 * that is not due? */
	JobStillWanted still_wanted;	/* NULL: every job is wanted */
	void	   *still_wanted_arg;	/* handed to it */
	bool		still_wanted_tier[SMF_TIER_COMPLETE];	/* ask it there? */
	bool		may_refuse;		/* return DENIED or UNKNOWN for the first page instead
								 * of raising */
	JobCache   *cache;			/* for SMF_FROM_NAMES; NULL: none */

	const char *label;			/* what is read, for progress notices */
	int			fetch_size;		/* jobs in a page */
	int			max_concurrency;	/* calls in flight */
	int64		bound;			/* jobs that will be read, if none is gone; 0:
								 * not known.  Nothing beyond it is fetched
								 * before it is asked for */
	bool		ramp;			/* maybe few jobs are read: fetch few at first */
	int64		notice_us;		/* time between progress notices; 0: none */
	ProgressNotices *notices;	/* that the scan gives over all its streams, zeroed at first; NULL:
								 * the stream gives its own */
	int64	   *attempts;		/* requests sent, by JobOperation; counted up */
	JobDocuments *documents;	/* counted up; NULL: they are not counted */
	Progress   *progress;		/* what others see of it; NULL: nothing */
	bool		counted;		/* SMF_FROM_NAMES: others see the jobs already, since they were
								 * fetched ahead */
	int64		estimated;		/* jobs that the source names, as far as is known;
								 * negative: it is not */
	int64		calls_by_search;	/* for progress notices: calls if documents came from Search;
									 * 0: nothing is to be said of that */
} JobStreamSpec;

#endif							/* SMF_JOB_H */
