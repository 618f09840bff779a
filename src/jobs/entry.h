/*-------------------------------------------------------------------------
 *
 * entry.h
 *		One job on its way through a stream: the calls that it still needs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ENTRY_H
#define SMF_ENTRY_H

#include "jobs/proof.h"
#include "jobs/job.h"
#include "jobs/walk.h"

/* How far a job has come. */
typedef enum EntryState
{
	ENTRY_IDLE,					/* the next call is to be started */
	ENTRY_CALLING,				/* a call is in flight, or answered */
	ENTRY_LISTING,				/* its ARN is looked for in the list */
	ENTRY_ASKABLE,				/* Search may be asked for its document, with others */
	ENTRY_ASKED,				/* it has been asked for that */
	ENTRY_HELD,					/* all that it needs is there, and it waits for a check */
	ENTRY_COMPLETE,				/* all that is asked for is there */
	ENTRY_GONE,					/* it does not exist, or is not wanted */
	ENTRY_FAILED				/* call has the reason */
} EntryState;

/* One job on its way. */
typedef struct JobEntry
{
	MemoryContext context;		/* of all that the entry holds, but for its calls */
	EntryState	state;
	const WantedJob *wanted;	/* what was asked for; NULL when listed */
	const char *name;			/* NULL while Search looks for the ARN */
	const char *arn;			/* NULL until known */
	int64		date_s;			/* listed: the service's clock then, epoch seconds; negative:
								 * not known */

	/* calls */
	JobOperation operation;		/* of call */
	AwsCall    *call;			/* in flight, or failed; or NULL */
	AwsCall    *described;		/* Describe with its answer; or NULL */
	char	   *tags_token;		/* asks for the next page of tags; or NULL */
	bool		small_tags;		/* the page of tags was asked for as a small one */
	bool		tags_complete;	/* the last page of tags is there */
	bool		searched;		/* its ARN was looked for */

	/* a document by Search (batch.c) */
	struct JobBatch *batch;		/* asked for with these; NULL: not asked for, or no more */
	int			place;			/* in the batch */
	bool		checked;		/* described as well, to be compared */
	bool		tags_unknown;	/* checked: its tags are not to be had */
	Jsonb	   *record;			/* Search's, of the version that was listed; or NULL */
	AttributeSet proved;		/* the attributes for which it stands */

	/* what is known; a job that is handed out has it, too */
	Jsonb	   *listed;			/* summary, or Search's record; NULL when asked for by name */
	Jsonb	   *document;		/* Describe's answer, once it was read; or NULL */
	List	   *tag_pages;		/* responses of ListTags (Jsonb *) */
	Jsonb	   *tags;			/* an object: key to value; NULL: not known yet */

	/* what the cache is to remember */
	bool		cached;			/* it had the job, or that there is none */
	bool		unwanted;		/* the job is gone since it is not wanted */

	bool		decided[SMF_TIER_COMPLETE]; /* conditions were, by JobTier, on what is known of
								 * the job now */
} JobEntry;

/* What the entries of a stream share. */
typedef struct JobFetcher
{
	AwsClient  *client;			/* not ours */
	const JobStreamSpec *spec;	/* the stream's: says what to fetch */
	MemoryContext context;		/* above the entries' */
	MemoryContext decide_context;	/* what still_wanted leaves behind; reset for each call */
	bool		tags_denied;	/* tags_optional: they are */
	bool		record_tags;	/* a record that stands for a document has the tags, too */
	bool		small_tags;		/* tags are asked for in the smallest pages, since an
								 * answer was too large */
} JobFetcher;

extern void smf_fetcher_init(JobFetcher *fetcher, AwsClient *client, const JobStreamSpec *spec);

extern bool smf_entry_begin_listed(JobFetcher *fetcher, JobEntry *entry, const JobWalk *walk,
								   const ListedJob *job);
extern void smf_entry_begin_wanted(JobFetcher *fetcher, JobEntry *entry, const WantedJob *wanted,
								   const CachedJob *cached);
extern MemoryContext smf_entry_end(JobEntry *entry);

extern bool smf_entry_next_operation(const JobFetcher *fetcher, const JobEntry *entry,
									 JobOperation *operation);
extern void smf_entry_start_call(JobFetcher *fetcher, JobEntry *entry, JobOperation operation);
extern void smf_entry_take_answer(JobFetcher *fetcher, JobEntry *entry);
extern void smf_entry_read_document(const JobFetcher *fetcher, JobEntry *entry);
extern void smf_entry_take_document(JobFetcher *fetcher, JobEntry *entry);
extern void smf_entry_take_record(JobFetcher *fetcher, JobEntry *entry);
extern void smf_entry_drop_failure(JobEntry *entry);
extern void smf_entry_complete(JobFetcher *fetcher, JobEntry *entry);
extern void smf_entry_forget_tags(JobEntry *entry);
extern void smf_entry_forget_record(JobEntry *entry);
extern void smf_entry_rename(JobEntry *entry, const char *name);
extern void smf_entry_read_job(JobFetcher *fetcher, JobEntry *entry, Job *job);

#endif							/* SMF_ENTRY_H */
