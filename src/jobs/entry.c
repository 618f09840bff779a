/*-------------------------------------------------------------------------
 *
 * entry.c
 *		One job on its way through a stream: the calls that it still needs.
 *
 *		IDLE --start_call--> CALLING --take_answer--> IDLE, LISTING, GONE or FAILED
 *		  |
 *		  +--no call is next--> COMPLETE
 *
 * If Search may be asked for documents, an entry waits for its answer before it is IDLE
 * (batch.c).
 *
 * Only smf_entry_next_operation decides which call is next: Search for a job that cannot
 * be found by the name in its ARN, Describe, ListTags for each page of tags.
 *
 * An entry owns what is known about its job, in its own memory context.  When the job
 * leaves, the context is handed over, so that nothing has to be copied.  A document is
 * parsed once, and only when it is needed.
 *
 * Before each call for a job, the caller is asked whether it still wants the job, given
 * what is known so far.
 *
 * A job that Describe does not find was deleted after it was listed, or never existed: it
 * is gone.  Any other failure is kept, and raised if the job is needed.
 *
 * A job that is asked for by its ARN is described by the name in the ARN.  That may
 * differ in case from the job's own name, so a job that Describe does not find is
 * searched for by the ARN itself before it counts as gone.
 *
 * Not accounted for: how many calls may be in flight; the stream decides that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "jobs/document.h"
#include "jobs/entry.h"
#include "utils/memutils.h"

/* Prepare what the entries of a stream share, in the current memory context. */
void
smf_fetcher_init(JobFetcher *fetcher, AwsClient *client, const JobStreamSpec *spec)
{
	memset(fetcher, 0, sizeof(JobFetcher));
	fetcher->client = client;
	fetcher->spec = spec;
	fetcher->context = CurrentMemoryContext;
	fetcher->decide_context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw check",
													ALLOCSET_DEFAULT_SIZES);
}

/* ----- what is known about a job ----- */

/*
 * Parse the document that Describe returned, unless that was done before: the members
 * that the query reads, or all of them if it will be compared.
 */
void
smf_entry_read_document(const JobFetcher *fetcher, JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(entry->context);

	if (entry->document == NULL && entry->described != NULL)
		entry->document = smf_document_job(entry->described, entry->checked ? NULL : fetcher->spec->members);
	MemoryContextSwitchTo(old);
}

/* The job's ARN; from its document if it was not listed. */
static const char *
arn_of(const JobFetcher *fetcher, JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(entry->context);

	smf_entry_read_document(fetcher, entry);
	if (entry->arn == NULL)
		entry->arn = smf_document_required(entry->described, &entry->document->root, "TrainingJobArn");
	MemoryContextSwitchTo(old);
	return entry->arn;
}

/*
 * smf_entry_read_job
 *		Everything that is known about the entry's job; it belongs to the entry.
 *
 * Raises 08P01 or 28000 if the document is not valid.
 */
void
smf_entry_read_job(JobFetcher *fetcher, JobEntry *entry, Job *job)
{
	bool		searched = fetcher->spec->source == SMF_FROM_SEARCH;

	smf_entry_read_document(fetcher, entry);
	if (searched && fetcher->spec->read_tags && entry->tags == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(entry->context);

		entry->tags = smf_document_record_tags(entry->listed);
		MemoryContextSwitchTo(old);
	}
	job->name = entry->name;
	job->arn = entry->arn;
	job->date_s = entry->date_s;
	job->summary = searched ? NULL : entry->listed;
	/* if there are both, Describe's answer is newer */
	job->record = searched ? entry->listed : entry->document ? NULL : entry->record;
	job->document = entry->document;
	job->tags = entry->tags;
}

/* Ask whether the job is still wanted, given what is known in the tier. */
static bool
still_wanted(JobFetcher *fetcher, JobEntry *entry, JobTier tier)
{
	const JobStreamSpec *spec = fetcher->spec;
	MemoryContext old;
	Job			job;
	bool		wanted;

	if (spec->still_wanted == NULL || !spec->still_wanted_tier[tier])
		return true;
	smf_entry_read_job(fetcher, entry, &job);
	MemoryContextReset(fetcher->decide_context);
	old = MemoryContextSwitchTo(fetcher->decide_context);
	wanted = spec->still_wanted(spec->still_wanted_arg, &job, tier);
	MemoryContextSwitchTo(old);
	return wanted;
}

/*
 * Decide whether the job is still wanted, given what is known in the tier: if not, it is
 * gone.
 */
static void
decide(JobFetcher *fetcher, JobEntry *entry, JobTier tier)
{
	entry->decided[tier] = true;
	if (still_wanted(fetcher, entry, tier))
		return;
	entry->state = ENTRY_GONE;
	entry->unwanted = true;
}

/* ----- start and end of an entry ----- */

static void
begin_entry(JobFetcher *fetcher, JobEntry *entry)
{
	memset(entry, 0, sizeof(JobEntry));
	entry->context = AllocSetContextCreate(fetcher->context, "sagemaker_fdw job", ALLOCSET_SMALL_SIZES);
}

/*
 * smf_entry_begin_listed
 *		Start an entry for a job of a page; false if the job is not wanted, and the
 *		caller must end the entry at once.
 */
bool
smf_entry_begin_listed(JobFetcher *fetcher, JobEntry *entry, const JobWalk *walk,
					   const ListedJob *job)
{
	MemoryContext old;

	begin_entry(fetcher, entry);
	old = MemoryContextSwitchTo(entry->context);
	entry->name = pstrdup(job->name);
	entry->arn = pstrdup(job->arn);
	entry->listed = smf_walk_copy(walk, job);
	entry->date_s = smf_walk_date(walk);
	MemoryContextSwitchTo(old);
	return still_wanted(fetcher, entry, SMF_TIER_LISTED);
}

static Jsonb *
copy_jsonb(const Jsonb *jsonb)
{
	Jsonb	   *copy;

	if (jsonb == NULL)
		return NULL;
	copy = palloc(VARSIZE(jsonb));
	memcpy(copy, jsonb, VARSIZE(jsonb));
	return copy;
}

/*
 * smf_entry_begin_wanted
 *		Start an entry for a job that was asked for; "cached" is what is remembered
 *		about it, or NULL.
 */
void
smf_entry_begin_wanted(JobFetcher *fetcher, JobEntry *entry, const WantedJob *wanted,
					   const CachedJob *cached)
{
	MemoryContext old;

	begin_entry(fetcher, entry);
	entry->wanted = wanted;
	entry->cached = cached != NULL;
	if (cached != NULL && cached->name == NULL)
		entry->state = ENTRY_GONE;

	/* Copy it, because the cache may drop the job while this entry is in use. */
	old = MemoryContextSwitchTo(entry->context);
	entry->name = pstrdup(cached != NULL && cached->name != NULL ? cached->name : wanted->name);
	if (wanted->summary != NULL)
	{
		entry->listed = wanted->summary;
		entry->arn = wanted->listed_arn;
		entry->date_s = wanted->date_s;
	}
	if (cached != NULL)
	{
		entry->document = copy_jsonb(cached->document);
		entry->tags = copy_jsonb(cached->tags);
		entry->tags_complete = cached->tags != NULL;
	}
	MemoryContextSwitchTo(old);

	/* conditions may have other parameters than when it was stored */
	if (entry->document != NULL)
		decide(fetcher, entry, SMF_TIER_DESCRIBED);
}

/*
 * smf_entry_end
 *		End an entry: its calls are aborted, and its memory now belongs to the caller.
 */
MemoryContext
smf_entry_end(JobEntry *entry)
{
	smf_call_free(entry->call);
	smf_call_free(entry->described);
	return entry->context;
}

/* ----- the next call ----- */

/*
 * smf_entry_next_operation
 *		Which call is next for the job; false if there is none to make.
 */
bool
smf_entry_next_operation(const JobFetcher *fetcher, const JobEntry *entry, JobOperation *operation)
{
	const JobStreamSpec *spec = fetcher->spec;
	bool		lacks_document = entry->described == NULL && entry->document == NULL &&
		(entry->checked || (spec->want_document && entry->record == NULL));
	bool		lacks_tags = spec->want_tags && !fetcher->tags_denied && !entry->tags_complete &&
		!entry->tags_unknown;
	bool		tags_first = spec->tags_first && entry->arn != NULL;

	if (entry->name == NULL)
		*operation = SMF_OP_SEARCH;
	else if (lacks_document && !(lacks_tags && tags_first))
		*operation = SMF_OP_DESCRIBE_TRAINING_JOB;
	else if (lacks_tags)
		*operation = SMF_OP_LIST_TAGS;
	else
		return false;
	return true;
}

/* Start the next call. */
void
smf_entry_start_call(JobFetcher *fetcher, JobEntry *entry, JobOperation operation)
{
	int64	   *attempts = fetcher->spec->attempts;

	switch (operation)
	{
		case SMF_OP_SEARCH:
			entry->call = smf_start_arn_search(fetcher->client, entry->wanted->name,
											   entry->wanted->arn, attempts);
			break;
		case SMF_OP_DESCRIBE_TRAINING_JOB:
			entry->call = smf_start_describe(fetcher->client, entry->name, attempts);
			break;
		case SMF_OP_LIST_TAGS:
			entry->small_tags = fetcher->small_tags;
			entry->call = smf_start_list_tags(fetcher->client, entry->name, arn_of(fetcher, entry),
											  entry->small_tags, entry->tags_token, attempts);
			break;
		case SMF_OP_LIST_TRAINING_JOBS:
		case SMF_OP_LIST_FOR_TUNING_JOB:
			pg_unreachable();
	}
	entry->operation = operation;
	entry->state = ENTRY_CALLING;
}

/* ----- answers ----- */

static void
drop_call(JobEntry *entry)
{
	smf_call_free(entry->call);
	entry->call = NULL;
}

/* The job cannot be found by the name in its ARN: search for the ARN itself, once. */
static void
take_not_found(JobEntry *entry)
{
	if (entry->wanted == NULL || entry->wanted->arn == NULL || entry->searched)
	{
		entry->state = ENTRY_GONE;
		return;
	}
	entry->searched = true;
	entry->state = ENTRY_IDLE;

	/* the described job is another one */
	smf_call_free(entry->described);
	entry->described = NULL;
	entry->name = NULL;
	entry->arn = NULL;
	entry->document = NULL;
}

/*
 * smf_entry_rename
 *		The search for the entry's ARN has ended: the job is described by its own name.
 *		If that is NULL, or the name that was already tried, there is no such job.
 */
void
smf_entry_rename(JobEntry *entry, const char *name)
{
	/* a result with the name that Describe does not know is out of date */
	if (name == NULL || strcmp(name, entry->wanted->name) == 0)
	{
		entry->state = ENTRY_GONE;
		return;
	}
	entry->name = MemoryContextStrdup(entry->context, name);
	entry->state = ENTRY_IDLE;
}

/* ----- documents from Search ----- */

/* Read the tags in the record. */
static void
take_record_tags(JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(entry->context);

	entry->tags = smf_document_record_tags(entry->record);
	entry->tags_complete = true;
	MemoryContextSwitchTo(old);
}

/* Decide whether it is wanted, in both tiers, which are known at the same time. */
static void
decide_both_tiers(JobFetcher *fetcher, JobEntry *entry)
{
	entry->state = ENTRY_IDLE;
	decide(fetcher, entry, SMF_TIER_DESCRIBED);
	if (entry->state == ENTRY_IDLE && entry->tags_complete)
		decide(fetcher, entry, SMF_TIER_TAGGED);
}

/* The entry's record replaces its document: continue with it. */
void
smf_entry_take_record(JobFetcher *fetcher, JobEntry *entry)
{
	if (fetcher->spec->want_tags && fetcher->record_tags)
		take_record_tags(entry);
	decide_both_tiers(fetcher, entry);
}

/*
 * smf_entry_take_document
 *		The entry was described, and compared: continue with the document, and with the
 *		record's tags if the tags cannot be listed.
 */
void
smf_entry_take_document(JobFetcher *fetcher, JobEntry *entry)
{
	if (entry->tags_unknown && entry->record != NULL && fetcher->record_tags)
		take_record_tags(entry);
	entry->tags_unknown = false;
	decide_both_tiers(fetcher, entry);
}

/* The entry's call has failed, but is not needed: continue without it. */
void
smf_entry_drop_failure(JobEntry *entry)
{
	drop_call(entry);
	entry->state = ENTRY_IDLE;
}

/*
 * smf_entry_complete
 *		No call is next for the entry: it is complete, unless conditions that were not
 *		decided yet rule it out.
 *
 * Such conditions remain if a job was to be compared, and its batch released it before
 * that.
 */
void
smf_entry_complete(JobFetcher *fetcher, JobEntry *entry)
{
	entry->state = ENTRY_COMPLETE;
	for (int tier = SMF_TIER_LISTED + 1; tier < SMF_TIER_COMPLETE; tier++)
	{
		if (entry->state == ENTRY_COMPLETE && !entry->decided[tier])
			decide(fetcher, entry, tier);
	}
}

/* The entry continues, even if it was complete, gone or failed: more has to be asked for. */
static void
resume(JobEntry *entry)
{
	if (entry->state == ENTRY_CALLING)
		return;
	if (entry->state == ENTRY_FAILED)
		drop_call(entry);
	entry->state = ENTRY_IDLE;
	entry->unwanted = false;
}

/*
 * Do not use the record's tags: list them, unless the document shows that the job is not
 * wanted.
 */
void
smf_entry_forget_tags(JobEntry *entry)
{
	bool		by_document = entry->unwanted && !entry->decided[SMF_TIER_TAGGED];

	entry->tags = NULL;
	entry->tags_complete = false;
	entry->decided[SMF_TIER_TAGGED] = false;
	if (!by_document)
		resume(entry);
}

/*
 * Do not use the record: ask for the document, unless the tags show that the job is not
 * wanted.
 */
void
smf_entry_forget_record(JobEntry *entry)
{
	if (entry->unwanted && entry->decided[SMF_TIER_TAGGED])
		return;
	entry->decided[SMF_TIER_DESCRIBED] = false;
	resume(entry);
}

/* ----- answers to an entry's own calls ----- */

/* Describe has answered. */
static void
take_document(JobFetcher *fetcher, JobEntry *entry)
{
	const WantedJob *wanted = entry->wanted;

	smf_call_count_rows(entry->call, 1);
	smf_progress_count(fetcher->spec->progress, SMF_PROGRESS_DESCRIBED, 1);
	if (fetcher->spec->documents != NULL)
		fetcher->spec->documents->from_describe++;
	entry->described = entry->call;
	entry->call = NULL;
	entry->state = ENTRY_IDLE;
	if (wanted != NULL && wanted->arn != NULL && !entry->searched &&
		strcmp(arn_of(fetcher, entry), wanted->arn) != 0)
	{
		take_not_found(entry);
		return;
	}
	/* conditions are decided after the comparison */
	if (entry->checked)
		return;

	/*
	 * check that it has an ARN: ListTags needs it, even later, with the document from the
	 * cache
	 */
	if (fetcher->spec->still_wanted_tier[SMF_TIER_DESCRIBED])
		(void) arn_of(fetcher, entry);
	decide(fetcher, entry, SMF_TIER_DESCRIBED);
}

/* A page of tags has arrived. */
static void
take_tags(JobFetcher *fetcher, JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(entry->context);
	AwsCall    *call = entry->call;
	Jsonb	   *response = smf_document_parse(call);
	JsonbContainer *tags = smf_document_list(call, response, "Tags");
	int			n = tags ? JsonContainerSize(tags) : 0;

	for (int i = 0; i < n; i++)
	{
		JsonbContainer *tag = getIthJsonbValueFromContainer(tags, i)->val.binary.data;

		pfree(smf_document_required(call, tag, "Key"));
		pfree(smf_document_required(call, tag, "Value"));
	}
	entry->tag_pages = lappend(entry->tag_pages, response);
	entry->tags_token = smf_document_next_token(call, response);
	entry->tags_complete = entry->tags_token == NULL;
	entry->state = ENTRY_IDLE;

	/* counts as one row, however many pages there were */
	if (entry->tags_complete)
	{
		entry->tags = smf_document_tags(entry->tag_pages);
		smf_call_count_rows(call, 1);
	}
	MemoryContextSwitchTo(old);
	drop_call(entry);
	if (entry->tags_complete && !entry->checked)
		decide(fetcher, entry, SMF_TIER_TAGGED);
}

/* The answer to the search for an ARN has arrived: it has the job's own name. */
static void
take_search(JobEntry *entry)
{
	MemoryContext scratch = AllocSetContextCreate(entry->context, "sagemaker_fdw search",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	AwsCall    *call = entry->call;
	Jsonb	   *response = smf_document_parse(call);
	JsonbContainer *results = smf_document_list(call, response, "Results");
	int			n = results ? JsonContainerSize(results) : 0;
	const char *found = NULL;

	smf_call_count_rows(call, n);
	for (int i = 0; i < n && found == NULL; i++)
	{
		JsonbValue *result = getIthJsonbValueFromContainer(results, i);
		JsonbValue	record;
		char	   *name;

		smf_document_object(call, result->val.binary.data, "TrainingJob", &record);
		name = smf_document_required(call, record.val.binary.data, "TrainingJobName");
		if (strcmp(smf_document_required(call, record.val.binary.data, "TrainingJobArn"),
				   entry->wanted->arn) == 0)
			found = name;
	}
	smf_entry_rename(entry, found);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	drop_call(entry);
}

/* The call has failed: can the job do without it, or with another call? */
static void
take_failure(JobFetcher *fetcher, JobEntry *entry)
{
	const AwsCall *call = entry->call;
	bool		tags = entry->operation == SMF_OP_LIST_TAGS;

	entry->state = ENTRY_IDLE;
	if (entry->operation == SMF_OP_SEARCH && smf_call_denied(call))
		entry->state = ENTRY_LISTING;
	else if (tags && smf_call_too_large(call) && !entry->small_tags)
		fetcher->small_tags = true;
	else if (tags && smf_call_denied(call) && fetcher->spec->tags_optional)
		fetcher->tags_denied = true;
	else if (tags && smf_call_denied(call) && entry->checked)
		entry->tags_unknown = true;
	else if (smf_job_not_found(smf_call_error(call)))
		take_not_found(entry);
	else
	{
		entry->state = ENTRY_FAILED;
		return;
	}
	drop_call(entry);
}

/*
 * smf_entry_take_answer
 *		The entry's call is done: read its answer, and decide what is next.
 */
void
smf_entry_take_answer(JobFetcher *fetcher, JobEntry *entry)
{
	if (smf_call_failed(entry->call))
	{
		take_failure(fetcher, entry);
		return;
	}
	switch (entry->operation)
	{
		case SMF_OP_DESCRIBE_TRAINING_JOB:
			take_document(fetcher, entry);
			break;
		case SMF_OP_LIST_TAGS:
			take_tags(fetcher, entry);
			break;
		case SMF_OP_SEARCH:
			take_search(entry);
			break;
		case SMF_OP_LIST_TRAINING_JOBS:
		case SMF_OP_LIST_FOR_TUNING_JOB:
			pg_unreachable();
	}
}
