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
	ENTRY_IDLE,					/* the next call has to be started */
	ENTRY_CALLING,				/* a call is in flight, or answered */
	ENTRY_LISTING,				/* the list is searched for its ARN */
	ENTRY_ASKABLE,				/* Search may be asked for its document, together with
								 * others */
	ENTRY_ASKED,				/* Search has been asked for it */
	ENTRY_HELD,					/* it has everything it needs, and waits for a check */
	ENTRY_COMPLETE,				/* everything that is asked for has arrived */
	ENTRY_GONE,					/* it does not exist, or is not wanted */
	ENTRY_FAILED				/* "call" has the reason */
} EntryState;

/* One job on its way. */
typedef struct JobEntry
{
	MemoryContext context;		/* holds everything in the entry except its calls */
	EntryState	state;
	const WantedJob *wanted;	/* what was asked for; NULL when listed */
	const char *name;			/* NULL while Search looks for the ARN */
	const char *arn;			/* NULL until known */
	int64		date_s;			/* if listed: the service's clock at that time, epoch seconds;
								 * negative: not known */

	/* calls */
	JobOperation operation;		/* of call */
	AwsCall    *call;			/* in flight, or failed; or NULL */
	AwsCall    *described;		/* Describe with its answer; or NULL */
	char	   *tags_token;		/* token for the next page of tags; or NULL */
	bool		small_tags;		/* a small page of tags was requested */
	bool		tags_complete;	/* the last page of tags has arrived */
	bool		searched;		/* its ARN was searched for */

	/* a document from Search (batch.c) */
	struct JobBatch *batch;		/* asked for together with these; NULL: not asked for, or has
								 * left the batch */
	int			place;			/* in the batch */
	bool		checked;		/* described as well, to be compared */
	bool		tags_unknown;	/* if checked: its tags cannot be listed */
	Jsonb	   *record;			/* from Search, of the version that was listed; or NULL */
	AttributeSet proved;		/* the attributes for which it replaces the document */

	/* what is known; passed on with the job */
	Jsonb	   *listed;			/* summary, or Search's record; NULL when asked for by name */
	Jsonb	   *document;		/* Describe's answer, once it was parsed; or NULL */
	List	   *tag_pages;		/* responses of ListTags (Jsonb *) */
	Jsonb	   *tags;			/* an object: key to value; NULL: not known yet */

	/* for the cache */
	bool		cached;			/* the cache had the job, or knew that it does not exist */
	bool		unwanted;		/* the job is gone because it is not wanted */

	bool		decided[SMF_TIER_COMPLETE]; /* by JobTier: conditions were decided on what is
											 * now known about the job */
} JobEntry;

/* What the entries of a stream share. */
typedef struct JobFetcher
{
	AwsClient  *client;			/* not ours */
	const JobStreamSpec *spec;	/* the stream's: says what to fetch */
	MemoryContext context;		/* above the entries' */
	MemoryContext decide_context;	/* memory that still_wanted uses; reset for each call */
	bool		tags_denied;	/* tags are denied, which tags_optional allows */
	bool		record_tags;	/* a record that replaces a document provides the tags, too */
	bool		small_tags;		/* tags are listed in the smallest pages, because an answer
								 * was too large */
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
