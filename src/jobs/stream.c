/*-------------------------------------------------------------------------
 *
 * stream.c
 *		Training jobs, one after another, with many calls in flight.
 *
 *		names ----------------+
 *							  +-> entries -> Describe -> ListTags -> next job
 *		ListTrainingJobs -----+
 *
 * Entries stand in a ring in list order.  Calls are made for those in a window
 * at its head, so that what is held does not grow with the history, and a page
 * is asked for while the jobs of the one before are still being described.
 * Answers may come in any order; jobs leave in the order of the list.
 *
 * A job that Describe does not find was deleted since it was listed, or never
 * existed: it is no job of the stream.  Any other failure ends the stream with
 * an error, once the jobs before it have left: it yields all jobs or fails.
 *
 * A token that the service refuses (it may have expired while jobs were read) is no
 * end: the walk goes on from the creation time that it had come to.
 *
 * Not accounted for: a job created while pages are walked may be missed, and one
 * deleted meanwhile may be seen: the service gives no snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "http/http.h"
#include "jobs/document.h"
#include "jobs/stream.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* One job on its way. */
typedef struct JobEntry
{
	char	   *name;			/* palloc'ed, like all of an entry */
	char	   *arn;			/* NULL until known */
	Jsonb	   *summary;		/* NULL when asked for by name */
	AwsCall    *describe;		/* NULL until started, or not wanted */
	AwsCall    *tags_call;		/* the page of tags in flight, or NULL */
	List	   *tag_pages;		/* responses of ListTags (Jsonb *) */
	bool		tags_complete;	/* the last page of tags is there */
	bool		described;		/* describe has ended, and is not in flight */
	AwsCall    *ended;			/* the call that ended it early: the job is
								 * gone, or the call failed; or NULL */
} JobEntry;

/* A job of the page before, to know it again. */
typedef struct SeenJob
{
	uint32		hash;			/* of identity */
	char	   *identity;		/* ARN and creation time, as listed */
} SeenJob;

struct JobStream
{
	AwsClient  *client;			/* not ours */
	JobStreamSpec spec;
	MemoryContext context;		/* the stream and all it holds */
	MemoryContext job_context;	/* what the last job handed out holds */

	/* the ring of entries */
	JobEntry   *ring;
	int			capacity;
	int			head;			/* index of the first entry */
	int			nentries;
	int			in_flight;		/* calls, the page's included */

	/* the source of entries */
	ListCell   *next_name;		/* by name: the next to enter, or NULL */
	AwsCall    *page;			/* the page in flight, or NULL */
	char	   *next_token;		/* asks for the next page; NULL on the first */
	bool		source_done;	/* no further entry will come */
	Numeric		last_created;	/* creation time of the job listed last, in
								 * epoch seconds; NULL before the first */
	Numeric		resumed_at;		/* last_created when the walk began again; or NULL */
	char	   *created_before; /* the bound of that walk; NULL for the first */
	bool		resumable;		/* a page has come since then */
	HTAB	   *tokens;			/* hashes of all tokens so far */
	MemoryContext page_context; /* holds seen */
	SeenJob    *seen;			/* jobs of the latest page */
	int			nseen;

	/* how much is fetched ahead, and what has been done */
	int			ramp_window;	/* entries fetched ahead while ramping up */
	int			ramp_taken;		/* of these, handed out */
	int64		njobs_listed;
	int64		njobs_taken;	/* handed out */
	int64		started_us;		/* smf_http_now() of the first job asked for */
	int64		next_notice_us;
};

/*
 * smf_job_not_found
 *		Does the error say that there is no such job?
 *
 * ResourceNotFound is what is documented; the live service sends a
 * ValidationException with one of two texts.
 */
bool
smf_job_not_found(const AwsError *error)
{
	static const char *const texts[] = {
		"Requested resource not found",
		"Could not find training job"
	};

	if (error->code == NULL)
		return false;
	if (strcmp(error->code, "ResourceNotFound") == 0 ||
		strcmp(error->code, "ResourceNotFoundException") == 0)
		return true;
	if (strcmp(error->code, "ValidationException") != 0 || error->message == NULL)
		return false;
	for (int i = 0; i < lengthof(texts); i++)
	{
		if (strncmp(error->message, texts[i], strlen(texts[i])) == 0)
			return true;
	}
	return false;
}

static JobEntry *
entry_at(JobStream *stream, int position)
{
	return &stream->ring[(stream->head + position) % stream->capacity];
}

static JobEntry *
append_entry(JobStream *stream, char *name)
{
	JobEntry   *entry;

	Assert(stream->nentries < stream->capacity);
	entry = entry_at(stream, stream->nentries++);
	memset(entry, 0, sizeof(JobEntry));
	entry->name = name;
	return entry;
}

static void
pop_entry(JobStream *stream)
{
	JobEntry   *entry = entry_at(stream, 0);

	smf_call_free(entry->describe);
	smf_call_free(entry->tags_call);
	pfree(entry->name);
	if (entry->arn != NULL)
		pfree(entry->arn);
	if (entry->summary != NULL)
		pfree(entry->summary);
	list_free_deep(entry->tag_pages);
	stream->head = (stream->head + 1) % stream->capacity;
	stream->nentries--;
}

/* ----- where entries come from ----- */

/*
 * Was the job on the page before, too?  Pages shift when a job is created while
 * they are walked.  Remembers the job as one of the page at "position".
 */
static bool
seen_before(SeenJob *before, int nbefore, SeenJob *now, char *identity)
{
	now->identity = identity;
	now->hash = hash_bytes((unsigned char *) identity, strlen(identity));
	for (int i = 0; i < nbefore; i++)
	{
		if (before[i].hash == now->hash && strcmp(before[i].identity, identity) == 0)
			return true;
	}
	return false;
}

/* A token that comes twice would let the walk go round for ever. */
static void
check_token(JobStream *stream, char *token)
{
	uint64		hash = hash_bytes_extended((unsigned char *) token, strlen(token), 0);
	bool		found;

	if (stream->tokens == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(uint64);
		control.hcxt = stream->context;
		stream->tokens = hash_create("sagemaker_fdw page tokens", 64, &control,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(stream->tokens, &hash, HASH_ENTER, &found);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s repeats a NextToken", smf_call_operation(stream->page)),
				 smf_call_errdetail(stream->page, NULL, NULL)));
}

/* Done with the page in flight. */
static void
drop_page(JobStream *stream)
{
	smf_call_free(stream->page);
	stream->page = NULL;
	stream->in_flight--;
}

static Numeric
copy_numeric(MemoryContext context, Numeric number)
{
	Numeric		copy = MemoryContextAlloc(context, VARSIZE_ANY(number));

	memcpy(copy, number, VARSIZE_ANY(number));
	return copy;
}

/* Was the job created later than that? */
static bool
created_after(Numeric created, Numeric bound)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(created),
											 NumericGetDatum(bound))) > 0;
}

/*
 * The page was refused.  If that was for its token, begin another walk at the
 * creation time come to, a second later: the service takes whole seconds.  False
 * if that cannot help, or did not help before.
 */
static bool
resume(JobStream *stream)
{
	const AwsError *error = smf_call_error(stream->page);
	Datum		bound;

	if (stream->next_token == NULL || stream->last_created == NULL || !stream->resumable ||
		error->code == NULL || strcmp(error->code, "ValidationException") != 0)
		return false;

	drop_page(stream);
	pfree(stream->next_token);
	stream->next_token = NULL;
	if (stream->tokens != NULL)
		hash_destroy(stream->tokens);
	stream->tokens = NULL;
	stream->resumable = false;
	stream->resumed_at = copy_numeric(stream->context, stream->last_created);
	bound = DirectFunctionCall2(numeric_add,
								DirectFunctionCall1(numeric_ceil, NumericGetDatum(stream->last_created)),
								NumericGetDatum(int64_to_numeric(1)));
	stream->created_before = MemoryContextStrdup(stream->context,
												 DatumGetCString(DirectFunctionCall1(numeric_out, bound)));
	return true;
}

/* Turn a page that has arrived into entries. */
static void
take_page(JobStream *stream)
{
	Jsonb	   *response;
	JsonbContainer *summaries;
	MemoryContext page_context;
	MemoryContext old;
	SeenJob    *seen = NULL;
	int			n;

	if (smf_call_failed(stream->page))
	{
		if (!resume(stream))
			smf_call_raise(stream->page, NULL);
		return;
	}

	page_context = AllocSetContextCreate(stream->context, "sagemaker_fdw page",
										 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(page_context);
	response = smf_document_parse(stream->page, NULL);
	summaries = smf_document_list(stream->page, response, "TrainingJobSummaries", NULL);
	n = summaries ? JsonContainerSize(summaries) : 0;
	if (n > stream->spec.fetch_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s has more jobs than were asked for",
						smf_call_operation(stream->page)),
				 smf_call_errdetail(stream->page, NULL, NULL)));
	if (n > 0)
		seen = palloc(n * sizeof(SeenJob));

	for (int i = 0; i < n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(summaries, i);
		JsonbContainer *object = value->val.binary.data;
		JsonbValue	created;
		char	   *name = smf_document_required(stream->page, object, "TrainingJobName", NULL);
		char	   *arn = smf_document_required(stream->page, object, "TrainingJobArn", name);
		char	   *identity = arn;
		JobEntry   *entry;
		bool		dated = smf_document_member(object, "CreationTime", &created) &&
			created.type == jbvNumeric;

		if (dated)
			identity = psprintf("%s %s", arn,
								DatumGetCString(DirectFunctionCall1(numeric_out,
																	NumericGetDatum(created.val.numeric))));
		if (seen_before(stream->seen, stream->nseen, &seen[i], identity))
			continue;
		/* the walk that was broken off has been there */
		if (dated && stream->resumed_at != NULL &&
			created_after(created.val.numeric, stream->resumed_at))
			continue;
		if (dated)
		{
			if (stream->last_created != NULL)
				pfree(stream->last_created);
			stream->last_created = copy_numeric(stream->context, created.val.numeric);
		}
		stream->njobs_listed++;

		MemoryContextSwitchTo(stream->context);
		entry = append_entry(stream, pstrdup(name));
		entry->arn = pstrdup(arn);
		entry->summary = JsonbValueToJsonb(value);
		MemoryContextSwitchTo(page_context);
	}

	if (stream->next_token != NULL)
		pfree(stream->next_token);
	MemoryContextSwitchTo(stream->context);
	stream->next_token = smf_document_next_token(stream->page, response, NULL);
	if (stream->next_token != NULL)
		check_token(stream, stream->next_token);
	else
		stream->source_done = true;
	MemoryContextSwitchTo(old);

	stream->resumable = true;
	drop_page(stream);
	/* an empty page says nothing of what was seen */
	if (n == 0)
	{
		MemoryContextDelete(page_context);
		return;
	}
	if (stream->page_context != NULL)
		MemoryContextDelete(stream->page_context);
	stream->page_context = page_context;
	stream->seen = seen;
	stream->nseen = n;
}

/* How many entries, from the head of the ring, may be fetched now? */
static int
window_size(const JobStream *stream)
{
	int			window = 2 * stream->spec.max_concurrency;

	if (stream->spec.bound > 0)
		window = Min(window, Max(stream->spec.bound - stream->njobs_taken, 1));
	if (stream->spec.ramp)
		window = Min(window, stream->ramp_window);
	return window;
}

/* The next page's size, or 0 when none is to be asked for now. */
static int
next_page_size(const JobStream *stream)
{
	const JobStreamSpec *spec = &stream->spec;
	int			size = spec->fetch_size;

	if (spec->by_name || stream->page != NULL || stream->source_done)
		return 0;
	if (spec->bound > 0)
		size = Min(size, Max(spec->bound - stream->njobs_taken - stream->nentries, 1));
	if ((spec->bound > 0 || spec->ramp) && stream->nentries >= window_size(stream))
		return 0;
	return stream->nentries + size <= stream->capacity ? size : 0;
}

/* An entry has left the ring: with each batch taken, fetch twice as many ahead. */
static void
count_taken(JobStream *stream)
{
	stream->njobs_taken++;
	if (++stream->ramp_taken < stream->ramp_window)
		return;
	stream->ramp_taken = 0;
	stream->ramp_window = Min(2 * stream->ramp_window, 2 * stream->spec.max_concurrency);
}

/* Bring in as many entries as there is room for, as far as they are at hand. */
static void
fill(JobStream *stream)
{
	JobStreamSpec *spec = &stream->spec;
	int			page_size;

	if (spec->by_name)
	{
		while (stream->next_name != NULL && stream->nentries < stream->capacity)
		{
			append_entry(stream, MemoryContextStrdup(stream->context, lfirst(stream->next_name)));
			stream->next_name = lnext(spec->names, stream->next_name);
		}
		stream->source_done = stream->next_name == NULL;
		return;
	}

	/* a page that failed is an error once the jobs before it are through */
	if (stream->page != NULL && smf_call_done(stream->page) &&
		(!smf_call_failed(stream->page) || stream->nentries == 0))
		take_page(stream);
	page_size = next_page_size(stream);
	if (page_size > 0 && stream->in_flight < spec->max_concurrency)
	{
		char	   *body = smf_list_training_jobs_request(page_size, stream->created_before,
														  stream->next_token);

		stream->page = smf_call_start(stream->client,
									  smf_operation_name(SMF_OP_LIST_TRAINING_JOBS), body,
									  &spec->attempts[SMF_OP_LIST_TRAINING_JOBS]);
		stream->in_flight++;
		pfree(body);
	}
}

/* ----- what is fetched for an entry ----- */

static AwsCall *
start_entry_call(JobStream *stream, JobOperation operation, char *body)
{
	AwsCall    *call = smf_call_start(stream->client, smf_operation_name(operation), body,
									  &stream->spec.attempts[operation]);

	pfree(body);
	stream->in_flight++;
	return call;
}

/* A call for an entry has been answered: false when nothing can follow. */
static bool
answered(JobStream *stream, JobEntry *entry, AwsCall *call)
{
	stream->in_flight--;
	if (smf_call_failed(call))
		entry->ended = call;
	return entry->ended == NULL;
}

/* The ARN of an entry asked for by name stands in its document. */
static void
learn_arn(JobStream *stream, JobEntry *entry)
{
	MemoryContext scratch;
	MemoryContext old;
	Jsonb	   *document;
	char	   *arn;

	if (entry->arn != NULL)
		return;
	scratch = AllocSetContextCreate(stream->context, "sagemaker_fdw document",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	document = smf_document_describe(entry->describe, entry->name);
	arn = smf_document_required(entry->describe, &document->root, "TrainingJobArn", entry->name);
	entry->arn = MemoryContextStrdup(stream->context, arn);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Keep a page of tags; *next_token asks for another one, or is NULL. */
static void
take_tags(JobStream *stream, JobEntry *entry, char **next_token)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);
	AwsCall    *call = entry->tags_call;
	Jsonb	   *response = smf_document_parse(call, entry->name);
	JsonbContainer *tags = smf_document_list(call, response, "Tags", entry->name);
	int			n = tags ? JsonContainerSize(tags) : 0;

	for (int i = 0; i < n; i++)
	{
		JsonbContainer *tag = getIthJsonbValueFromContainer(tags, i)->val.binary.data;

		pfree(smf_document_required(call, tag, "Key", entry->name));
		pfree(smf_document_required(call, tag, "Value", entry->name));
	}
	entry->tag_pages = lappend(entry->tag_pages, response);
	*next_token = smf_document_next_token(call, response, entry->name);
	MemoryContextSwitchTo(old);
}

/* Move an entry on as far as it goes without waiting; true when it is complete. */
static bool
advance(JobStream *stream, JobEntry *entry)
{
	JobStreamSpec *spec = &stream->spec;
	char	   *next_token = NULL;
	/* one call is left to a page that is due: all jobs wait for it in the end */
	int			limit = Max(spec->max_concurrency - (next_page_size(stream) > 0), 1);
	bool		may_start = stream->in_flight < limit;

	if (entry->ended != NULL)
		return true;

	if (spec->want_document)
	{
		if (entry->describe == NULL)
		{
			if (may_start)
				entry->describe = start_entry_call(stream, SMF_OP_DESCRIBE_TRAINING_JOB,
												   smf_describe_training_job_request(entry->name));
			return false;
		}
		if (!smf_call_done(entry->describe))
			return false;
		if (!entry->described)
		{
			entry->described = true;
			if (!answered(stream, entry, entry->describe))
				return true;
			may_start = true;
		}
	}

	if (!spec->want_tags || entry->tags_complete)
		return true;
	if (entry->tags_call != NULL)
	{
		if (!smf_call_done(entry->tags_call))
			return false;
		may_start = true;
		if (!answered(stream, entry, entry->tags_call))
			return true;
		take_tags(stream, entry, &next_token);
		smf_call_free(entry->tags_call);
		entry->tags_call = NULL;
		if (next_token == NULL)
		{
			entry->tags_complete = true;
			return true;
		}
	}
	if (may_start)
	{
		learn_arn(stream, entry);
		entry->tags_call = start_entry_call(stream, SMF_OP_LIST_TAGS,
											smf_list_tags_request(entry->arn, next_token));
	}
	return false;
}

/* ----- the stream ----- */

/*
 * smf_stream_begin
 *		A stream of jobs, in a memory context of its own below the current one.
 *
 * No call is made before the first smf_stream_next.  The client must outlive
 * the stream; the spec's names must, too.
 */
JobStream *
smf_stream_begin(AwsClient *client, const JobStreamSpec *spec)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sagemaker_fdw stream",
												  ALLOCSET_DEFAULT_SIZES);
	JobStream  *stream = MemoryContextAllocZero(context, sizeof(JobStream));

	stream->client = client;
	stream->spec = *spec;
	stream->context = context;
	stream->job_context = AllocSetContextCreate(context, "sagemaker_fdw job",
												ALLOCSET_DEFAULT_SIZES);
	stream->ramp_window = 1;
	/* a page must fit in while a window's worth of jobs is under way */
	stream->capacity = 2 * spec->max_concurrency + spec->fetch_size;
	stream->ring = MemoryContextAllocZero(context, stream->capacity * sizeof(JobEntry));
	if (spec->by_name)
		stream->next_name = list_head(spec->names);
	return stream;
}

/* Put what the service sent for the entry into "job". */
static void
hand_out(JobStream *stream, JobEntry *entry, Job *job)
{
	MemoryContext old = MemoryContextSwitchTo(stream->job_context);

	job->name = pstrdup(entry->name);
	job->summary = NULL;
	if (entry->summary != NULL)
	{
		job->summary = palloc(VARSIZE(entry->summary));
		memcpy(job->summary, entry->summary, VARSIZE(entry->summary));
	}
	job->document = entry->describe ? smf_document_describe(entry->describe, entry->name) : NULL;
	job->tags = stream->spec.want_tags ? smf_document_tags(entry->tag_pages) : NULL;
	MemoryContextSwitchTo(old);
}

/* The creation time come to, in words. */
static const char *
created_text(const JobStream *stream)
{
	Datum		seconds = DirectFunctionCall1(numeric_float8, NumericGetDatum(stream->last_created));

	return timestamptz_to_str(DatumGetTimestampTz(DirectFunctionCall1(float8_timestamptz, seconds)));
}

/* Tell the user how far the stream has come, if it is time for that. */
static void
notify(JobStream *stream)
{
	int64		now_us = smf_http_now();
	int64		calls = 0;

	if (stream->spec.notice_us == 0)
		return;
	if (stream->started_us == 0)
	{
		stream->started_us = now_us;
		stream->next_notice_us = now_us + stream->spec.notice_us;
	}
	if (now_us >= stream->next_notice_us)
	{
		for (int i = 0; i < SMF_JOB_OPERATIONS; i++)
			calls += stream->spec.attempts[i];
		ereport(NOTICE,
				(errmsg("reading %s: " INT64_FORMAT " jobs read of " INT64_FORMAT " listed so far, "
						INT64_FORMAT " calls, %.1f calls a second",
						stream->spec.label, stream->njobs_taken, stream->njobs_listed, calls,
						calls / ((now_us - stream->started_us) / 1e6)),
				 stream->last_created ?
				 errdetail("The job listed last was created at %s.", created_text(stream)) : 0));
		stream->next_notice_us = now_us + stream->spec.notice_us;
	}
	smf_client_wake_at(stream->client, stream->next_notice_us);
}

/*
 * smf_stream_next
 *		The next job, or false at the end.
 *
 * What "job" points to is valid until the next call.  Waits as long as need
 * be; raises what the service's answers call for, and query cancels.
 */
bool
smf_stream_next(JobStream *stream, Job *job)
{
	bool		waited = false;

	MemoryContextReset(stream->job_context);
	for (;;)
	{
		int			window;
		bool		ready = false;

		fill(stream);
		window = Min(stream->nentries, window_size(stream));
		for (int i = 0; i < window; i++)
		{
			bool		complete = advance(stream, entry_at(stream, i));

			if (i == 0)
				ready = complete;
		}

		if (ready)
		{
			JobEntry   *entry = entry_at(stream, 0);

			if (entry->ended == NULL)
			{
				hand_out(stream, entry, job);
				pop_entry(stream);
				count_taken(stream);
				/* let the calls in flight move while the caller works */
				if (!waited && stream->in_flight > 0)
					smf_http_poll();
				return true;
			}
			if (!smf_job_not_found(smf_call_error(entry->ended)))
				smf_call_raise(entry->ended, entry->name);
			/* gone: of a bound, another job takes its place */
			pop_entry(stream);
			continue;
		}
		if (stream->nentries == 0 && stream->source_done)
			return false;
		notify(stream);
		smf_client_wait(stream->client);
		waited = true;
	}
}

/*
 * smf_stream_end
 *		Break off what is in flight and free the stream.
 */
void
smf_stream_end(JobStream *stream)
{
	while (stream->nentries > 0)
		pop_entry(stream);
	smf_call_free(stream->page);
	MemoryContextDelete(stream->context);
}
