/*-------------------------------------------------------------------------
 *
 * stream.c
 *		Training jobs, one after another, with many calls in flight.
 *
 *		names ------------+
 *						  +-> entries -> Describe and ListTags -> next job
 *		pages of a list --+
 *
 * Entries stand in a ring in list order.  Calls are made for those in a window
 * at its head, so that what is held does not grow with the history, and a page
 * is asked for while the jobs of the one before are still being described.
 * Answers may come in any order; jobs leave in the order of the list.
 *
 * Before each call for a job the caller is asked whether, by what is known so far,
 * the job is still wanted.
 *
 * A job that Describe does not find was deleted since it was listed, or never
 * existed: it is no job of the stream.  Any other failure ends the stream with
 * an error, once the jobs before it have left: it yields all jobs or fails.
 *
 * A job that is asked for by its ARN is described by the name in there.  That may be
 * spelled in another case than the job's own, so that what Describe does not find
 * is looked for by the ARN itself before it is no job.
 *
 * A page that is larger than a response may be is asked for again with half as many
 * jobs: a hundred records of Search can have 25 MB of hyperparameters alone.
 *
 * A token that the service refuses (it may have expired while jobs were read) is no
 * end: the walk goes on from the creation time that it had come to.  So does a
 * Search from time to time, since its pages get slower the further one walks.
 *
 * Not accounted for: a job created while pages are walked may be missed, and one
 * deleted meanwhile may be seen: the service gives no snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "http/http.h"
#include "jobs/document.h"
#include "jobs/stream.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Pages of one walk of a Search, after which another one begins. */
#define SEARCH_WALK_PAGES 100

/* How far a job has come. */
typedef enum EntryState
{
	ENTRY_IDLE,					/* the next call is to be chosen */
	ENTRY_CALLING,				/* a call is in flight, or answered */
	ENTRY_LISTING,				/* its ARN is looked for in the list */
	ENTRY_COMPLETE,				/* all that is asked for is there */
	ENTRY_GONE,					/* it does not exist, or is not wanted */
	ENTRY_FAILED				/* call has the reason */
} EntryState;

/* One job on its way. */
typedef struct JobEntry
{
	EntryState	state;
	const WantedJob *wanted;	/* what was asked for; NULL when listed */
	char	   *name;			/* palloc'ed, like all of an entry */
	char	   *arn;			/* NULL until known */
	Jsonb	   *summary;		/* as listed; NULL when asked for by name */
	JobOperation operation;		/* of call */
	AwsCall    *call;			/* in flight, or failed; or NULL */
	AwsCall    *describe;		/* the answer of Describe, or NULL */
	Jsonb	   *document;		/* that answer read, if it had to be; or NULL */
	List	   *tag_pages;		/* responses of ListTags (Jsonb *) */
	char	   *tags_token;		/* asks for their next page, or NULL */
	bool		tags_complete;	/* the last page of tags is there */
	bool		small_tags;		/* the page of tags was asked for as a small one */
	bool		searched;		/* its ARN was looked for */
	bool		cached;			/* document and cached_tags are from the cache */
	Jsonb	   *cached_tags;	/* NULL: not in there */
	bool		refused;		/* gone, since it is not wanted */
} JobEntry;

/* A job that was listed, to know it again. */
typedef struct SeenJob
{
	uint32		hash;			/* of identity */
	char	   *identity;		/* ARN and creation time, as listed */
	Numeric		created;		/* creation time; NULL when it has none */
} SeenJob;

struct JobStream
{
	AwsClient  *client;			/* not ours */
	JobStreamSpec spec;
	JobOperation list_operation;	/* gives the pages */
	MemoryContext context;		/* the stream and all it holds */
	MemoryContext job_context;	/* what the last job handed out holds */
	MemoryContext check_context;	/* what a check is given; reset for each */

	/* the ring of entries */
	JobEntry   *ring;
	int			capacity;
	int			head;			/* index of the first entry */
	int			nentries;
	int			in_flight;		/* calls for entries */
	bool		moved;			/* has something moved since the last wait was considered? */

	/* the source of entries */
	ListCell   *next_wanted;	/* by name: the next to enter, or NULL */
	bool		any_by_name;	/* is one wanted by its name alone? */
	bool		any_by_arn;		/* is one by its ARN? */
	AwsCall    *page;			/* the page in flight, or NULL */
	int			page_size;		/* jobs that it was asked for */
	int			page_limit;		/* most jobs of a page whose answer is not too large */
	bool		tags_denied;	/* tags_optional: they are */
	bool		small_tags;		/* tags are asked for in the smallest pages, since an
								 * answer was too large */
	char	   *next_token;		/* asks for the next page; NULL on the first */
	bool		source_done;	/* no further entry will come */
	Numeric		last_created;	/* creation time of the job listed last, in
								 * epoch seconds; NULL before the first */
	Numeric		resumed_at;		/* last_created when the walk began again; or NULL */
	bool		resumable;		/* a page has come since then */
	int			walk_pages;		/* that have come since then */
	HTAB	   *tokens;			/* hashes of all tokens so far */
	MemoryContext page_context; /* holds seen */
	SeenJob    *seen;			/* jobs of the latest page, and those before it
								 * with the creation time come to */
	int			nseen;

	/* names of jobs wanted by their ARN, where Search is denied */
	JobStream  *arn_list;		/* the walk for them; NULL: not begun, or done */
	bool		arns_listed;	/* it is done */
	List	   *names_by_arn;	/* WantedJob *: ARN and the job's own name */

	/* how much is fetched ahead, and what has been done */
	int			ramp_window;	/* entries fetched ahead while ramping up */
	int			ramp_taken;		/* of these, handed out or gone */
	int64		njobs_listed;
	int64		njobs_taken;	/* handed out */
	ProgressNotices notices;
};

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
free_if_any(void *pointer)
{
	if (pointer != NULL)
		pfree(pointer);
}

static void
free_entry(JobEntry *entry)
{
	smf_call_free(entry->call);
	smf_call_free(entry->describe);
	free_if_any(entry->name);
	free_if_any(entry->arn);
	free_if_any(entry->summary);
	free_if_any(entry->document);
	free_if_any(entry->tags_token);
	free_if_any(entry->cached_tags);
	list_free_deep(entry->tag_pages);
}

/* The first entry leaves. */
static void
pop_entry(JobStream *stream)
{
	free_entry(entry_at(stream, 0));
	stream->head = (stream->head + 1) % stream->capacity;
	stream->nentries--;
}

/* The entry that came last leaves. */
static void
drop_last_entry(JobStream *stream)
{
	free_entry(entry_at(stream, --stream->nentries));
}

/* What a look-up is known by: a name has no colon, an ARN has. */
static const char *
wanted_key(const WantedJob *wanted)
{
	return wanted->arn ? wanted->arn : wanted->name;
}

static bool
is_string(const JsonbValue *value, const char *string)
{
	return value->val.string.len == strlen(string) &&
		memcmp(value->val.string.val, string, value->val.string.len) == 0;
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

/* ----- where entries come from ----- */

/* Was the job listed before?  Pages shift when a job is created while they are walked. */
static bool
seen_before(const JobStream *stream, const SeenJob *job)
{
	for (int i = 0; i < stream->nseen; i++)
	{
		if (stream->seen[i].hash == job->hash &&
			strcmp(stream->seen[i].identity, job->identity) == 0)
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
				 smf_call_errdetail(stream->page, NULL)));
}

/* Done with the page in flight. */
static void
drop_page(JobStream *stream)
{
	smf_call_free(stream->page);
	stream->page = NULL;
}

static Numeric
copy_numeric(MemoryContext context, Numeric number)
{
	Numeric		copy = MemoryContextAlloc(context, VARSIZE_ANY(number));

	memcpy(copy, number, VARSIZE_ANY(number));
	return copy;
}

static int
compare_created(Numeric created, Numeric other)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(created),
											 NumericGetDatum(other)));
}

/* Does the first creation time come before the other, in the stream's order? */
static bool
comes_before(const JobStream *stream, Numeric created, Numeric other)
{
	int			order = compare_created(created, other);

	return stream->spec.query.oldest_first ? order < 0 : order > 0;
}

/*
 * Begin another walk where this one has come to, a second before it: the service
 * takes whole seconds.  False if that would be no other walk.
 */
static bool
walk_on(JobStream *stream)
{
	JobQuery   *query = &stream->spec.query;
	PGFunction	round = query->oldest_first ? numeric_floor : numeric_ceil;
	int64		bound_s;
	int64	   *bound = query->oldest_first ? &query->created_after : &query->created_before;

	if (stream->last_created == NULL || !stream->resumable ||
		stream->list_operation == SMF_OP_LIST_FOR_TUNING_JOB)
		return false;
	bound_s = DatumGetInt64(DirectFunctionCall1(numeric_int8,
												DirectFunctionCall1(round, NumericGetDatum(stream->last_created))));
	bound_s += query->oldest_first ? -1 : 1;
	if (*bound == bound_s)
		return false;
	*bound = bound_s;

	if (stream->next_token != NULL)
		pfree(stream->next_token);
	stream->next_token = NULL;
	if (stream->tokens != NULL)
		hash_destroy(stream->tokens);
	stream->tokens = NULL;
	stream->resumable = false;
	stream->walk_pages = 0;
	if (stream->resumed_at != NULL)
		pfree(stream->resumed_at);
	stream->resumed_at = copy_numeric(stream->context, stream->last_created);
	return true;
}

/* The page was refused: was it for its token, and can another walk begin? */
static bool
resume(JobStream *stream)
{
	const AwsError *error = smf_call_error(stream->page);

	if (stream->next_token == NULL || error->code == NULL ||
		strcmp(error->code, "ValidationException") != 0 || !walk_on(stream))
		return false;
	drop_page(stream);
	return true;
}

/*
 * The page is larger than a response may be: ask again, and from now on, for half as many
 * jobs.  False if that is not what is wrong, or there was but one.
 */
static bool
shrink_page(JobStream *stream)
{
	if (stream->page == NULL || !smf_call_done(stream->page) ||
		!smf_call_too_large(stream->page) || stream->page_size <= 1)
		return false;
	stream->page_limit = stream->page_size / 2;
	drop_page(stream);
	return true;
}

/* What the service keeps an answer's jobs in. */
static JsonbContainer *
jobs_of_page(JobStream *stream, Jsonb *response)
{
	return smf_document_list(stream->page, response,
							 stream->list_operation == SMF_OP_SEARCH ? "Results" : "TrainingJobSummaries");
}

/* The element of a page that is about one job. */
static JsonbValue *
job_of_element(JobStream *stream, JsonbValue *element)
{
	JsonbValue *record;

	if (stream->list_operation != SMF_OP_SEARCH)
		return element;
	record = palloc(sizeof(JsonbValue));
	smf_document_object(stream->page, element->val.binary.data, "TrainingJob", record);
	return record;
}

/* A child of a tuning job is listed without its parent's ARN: add it. */
static Jsonb *
with_tuning_job_arn(JsonbContainer *summary, const char *tuning_job_arn)
{
	static const char *const member = "TuningJobArn";
	JsonbIterator *iterator = JsonbIteratorInit(summary);
	JsonbBuilder copy = {0};
	JsonbIteratorToken token;
	JsonbValue	value;
	int			depth = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			depth++;
		if (token == WJB_END_OBJECT && depth == 1)
		{
			JsonbValue	key = {.type = jbvString};
			JsonbValue	arn = {.type = jbvString};

			key.val.string.val = unconstify(char *, member);
			key.val.string.len = strlen(member);
			arn.val.string.val = unconstify(char *, tuning_job_arn);
			arn.val.string.len = strlen(tuning_job_arn);
			smf_push_jsonb(&copy, WJB_KEY, &key);
			smf_push_jsonb(&copy, WJB_VALUE, &arn);
		}
		if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
		smf_push_jsonb(&copy, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(copy.result);
}

static void describe_job(JobStream *stream, const JobEntry *entry, Job *job);

/* Ask whether the entry is still wanted, by what is known in the tier. */
static bool
still_wanted(JobStream *stream, const JobEntry *entry, JobTier tier)
{
	Job			job;
	MemoryContext old;
	bool		wanted;

	if (stream->spec.check == NULL || !stream->spec.check_tier[tier])
		return true;
	MemoryContextReset(stream->check_context);
	old = MemoryContextSwitchTo(stream->check_context);
	describe_job(stream, entry, &job);
	MemoryContextSwitchTo(old);
	wanted = stream->spec.check(stream->spec.check_arg, &job, tier);
	return wanted;
}

/* The entry is not wanted: what is known of it may be of use another time. */
static void
refuse(JobEntry *entry)
{
	entry->state = ENTRY_GONE;
	entry->refused = true;
}

/* Put one job of a page into the ring, if it is new and wanted. */
static void
take_listed(JobStream *stream, JsonbValue *value, SeenJob *seen)
{
	JsonbContainer *object = value->val.binary.data;
	char	   *name;
	char	   *arn;
	JsonbValue	created;
	JobEntry   *entry;
	MemoryContext old;

	smf_call_about(stream->page, NULL);
	name = smf_document_required(stream->page, object, "TrainingJobName");
	smf_call_about(stream->page, name);
	arn = smf_document_required(stream->page, object, "TrainingJobArn");
	smf_call_check_account(stream->page, arn);
	seen->identity = arn;
	if (smf_document_member(object, "CreationTime", &created) && created.type == jbvNumeric)
	{
		seen->created = created.val.numeric;
		seen->identity = psprintf("%s %s", arn,
								  DatumGetCString(DirectFunctionCall1(numeric_out,
																	  NumericGetDatum(seen->created))));
	}
	seen->hash = hash_bytes((unsigned char *) seen->identity, strlen(seen->identity));
	if (seen_before(stream, seen))
		return;
	if (seen->created != NULL)
	{
		/* the walk that was broken off has been there */
		if (stream->resumed_at != NULL && comes_before(stream, seen->created, stream->resumed_at))
			return;
		if (stream->spec.ordered && stream->last_created != NULL &&
			comes_before(stream, seen->created, stream->last_created))
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("response of %s is not in the order of creation",
							smf_call_operation(stream->page)),
					 smf_call_errdetail(stream->page, NULL)));
		free_if_any(stream->last_created);
		stream->last_created = copy_numeric(stream->context, seen->created);
	}
	else if (stream->spec.ordered)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s lacks CreationTime", smf_call_operation(stream->page)),
				 smf_call_errdetail(stream->page, NULL)));
	stream->njobs_listed++;

	/* the tuning job may be another account's, of the same name */
	if (stream->list_operation == SMF_OP_LIST_FOR_TUNING_JOB &&
		!smf_same_account_arn(arn, stream->spec.query.tuning_job_arn))
		return;

	old = MemoryContextSwitchTo(stream->context);
	entry = append_entry(stream, pstrdup(name));
	entry->arn = pstrdup(arn);
	if (stream->list_operation == SMF_OP_LIST_FOR_TUNING_JOB)
		entry->summary = with_tuning_job_arn(object, stream->spec.query.tuning_job_arn);
	else
		entry->summary = JsonbValueToJsonb(value);
	MemoryContextSwitchTo(old);
	if (!still_wanted(stream, entry, SMF_TIER_LISTED))
		drop_last_entry(stream);
}

/* Turn a page that has arrived into entries. */
static void
take_page(JobStream *stream)
{
	Jsonb	   *response;
	JsonbContainer *jobs;
	MemoryContext page_context;
	MemoryContext old;
	SeenJob    *seen;
	int			nseen;
	int			n;

	if (smf_call_failed(stream->page))
	{
		if (!resume(stream))
			smf_call_raise(stream->page);
		return;
	}

	page_context = AllocSetContextCreate(stream->context, "sagemaker_fdw page",
										 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(page_context);
	response = smf_document_parse(stream->page);
	jobs = jobs_of_page(stream, response);
	n = jobs ? JsonContainerSize(jobs) : 0;
	if (n > stream->spec.fetch_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s has more jobs than were asked for",
						smf_call_operation(stream->page)),
				 smf_call_errdetail(stream->page, NULL)));

	smf_call_count_rows(stream->page, n);
	smf_progress_count(stream->spec.progress, SMF_PROGRESS_PAGES, 1);
	smf_progress_count(stream->spec.progress, SMF_PROGRESS_SEEN, n);

	/* of what was seen before, what may come again after another walk's beginning */
	seen = palloc0((n + stream->nseen) * sizeof(SeenJob) + 1);
	for (int i = 0; i < n; i++)
		take_listed(stream, job_of_element(stream, getIthJsonbValueFromContainer(jobs, i)), &seen[i]);
	smf_call_about(stream->page, NULL);
	nseen = n;
	for (int i = 0; n > 0 && i < stream->nseen; i++)
	{
		SeenJob    *job = &stream->seen[i];

		if (job->created == NULL || compare_created(job->created, stream->last_created) != 0)
			continue;
		seen[nseen] = *job;
		seen[nseen].identity = pstrdup(job->identity);
		seen[nseen].created = copy_numeric(page_context, job->created);
		nseen++;
	}

	if (stream->next_token != NULL)
		pfree(stream->next_token);
	MemoryContextSwitchTo(stream->context);
	stream->next_token = smf_document_next_token(stream->page, response);
	if (stream->next_token != NULL)
		check_token(stream, stream->next_token);
	else
		stream->source_done = true;
	MemoryContextSwitchTo(old);

	stream->resumable = true;
	stream->walk_pages++;
	drop_page(stream);
	if (stream->list_operation == SMF_OP_SEARCH && stream->next_token != NULL &&
		stream->walk_pages >= SEARCH_WALK_PAGES)
		(void) walk_on(stream);
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
	stream->nseen = nseen;
}

/*
 * Calls that are in flight.  A page that has failed is none, though it is kept until the
 * jobs before it are through: they are not to wait for it.
 */
static int
calls_in_flight(const JobStream *stream)
{
	return stream->in_flight + (stream->page != NULL && !smf_call_done(stream->page));
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
	int			size = stream->page_limit;

	if (spec->source == SMF_FROM_NAMES || stream->page != NULL || stream->source_done)
		return 0;
	/* where the service may leave jobs out, a small page would only make many of them */
	if (spec->bound > 0 && !spec->narrowed)
		size = Min(size, Max(spec->bound - stream->njobs_taken - stream->nentries, 1));
	if ((spec->bound > 0 || spec->ramp) && stream->nentries >= window_size(stream))
		return 0;
	return stream->nentries + size <= stream->capacity ? size : 0;
}

/* An entry has left the ring: with each batch that has, fetch twice as many ahead. */
static void
ramp_up(JobStream *stream)
{
	if (++stream->ramp_taken < stream->ramp_window)
		return;
	stream->ramp_taken = 0;
	stream->ramp_window = Min(2 * stream->ramp_window, 2 * stream->spec.max_concurrency);
}

/* The next job that was asked for by name enters. */
static void
take_wanted(JobStream *stream, const WantedJob *wanted)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);
	JobEntry   *entry = append_entry(stream, pstrdup(wanted->name));
	const CachedJob *cached = NULL;

	smf_progress_count(stream->spec.progress, SMF_PROGRESS_SEEN, 1);
	entry->wanted = wanted;
	if (stream->spec.cache != NULL)
		cached = smf_cache_find(stream->spec.cache, wanted_key(wanted));
	entry->cached = cached != NULL;
	if (cached != NULL && cached->name == NULL)
		entry->state = ENTRY_GONE;
	else if (cached != NULL)
	{
		pfree(entry->name);
		entry->name = pstrdup(cached->name);
		entry->document = copy_jsonb(cached->document);
		entry->cached_tags = copy_jsonb(cached->tags);
		entry->tags_complete = cached->tags != NULL;
	}
	MemoryContextSwitchTo(old);
	/* conditions may have other parameters than when it was remembered */
	if (entry->document != NULL && !still_wanted(stream, entry, SMF_TIER_DESCRIBED))
		refuse(entry);
}

/* Bring in as many entries as there is room for, as far as they are at hand. */
static void
fill(JobStream *stream)
{
	JobStreamSpec *spec = &stream->spec;
	int			page_size;

	if (spec->source == SMF_FROM_NAMES)
	{
		while (stream->next_wanted != NULL && stream->nentries < stream->capacity)
		{
			take_wanted(stream, lfirst(stream->next_wanted));
			stream->next_wanted = lnext(spec->wanted, stream->next_wanted);
		}
		stream->source_done = stream->next_wanted == NULL;
		return;
	}

	(void) shrink_page(stream);
	/* a page that failed is an error once the jobs before it are through */
	if (stream->page != NULL && smf_call_done(stream->page) &&
		(!smf_call_failed(stream->page) || stream->nentries == 0))
		take_page(stream);
	page_size = next_page_size(stream);
	if (page_size > 0 && calls_in_flight(stream) < spec->max_concurrency)
	{
		stream->page_size = page_size;
		stream->page = smf_start_page(stream->client, stream->list_operation, &spec->query, page_size,
									  stream->next_token, spec->attempts);
	}
}

/* ----- what is fetched for an entry ----- */

/* Read the document, for good. */
static void
read_document(JobStream *stream, JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);

	if (entry->document == NULL)
		entry->document = smf_document_job(entry->describe);
	if (entry->arn == NULL)
		entry->arn = smf_document_required(entry->describe, &entry->document->root, "TrainingJobArn");
	MemoryContextSwitchTo(old);
}

/* Is the job's document still to be asked for? */
static bool
lacks_document(const JobStream *stream, const JobEntry *entry)
{
	return stream->spec.want_document && entry->describe == NULL && entry->document == NULL;
}

/* Start the next call for the entry, or find that there is none to make. */
static void
start_next_call(JobStream *stream, JobEntry *entry)
{
	JobStreamSpec *spec = &stream->spec;
	bool		lacks_tags = spec->want_tags && !entry->tags_complete;

	if (entry->searched && entry->name == NULL)
	{
		entry->operation = SMF_OP_SEARCH;
		entry->call = smf_start_arn_search(stream->client, entry->wanted->name, entry->wanted->arn,
										   spec->attempts);
	}
	else if (lacks_document(stream, entry) &&
			 !(lacks_tags && spec->tags_first && entry->arn != NULL))
	{
		entry->operation = SMF_OP_DESCRIBE_TRAINING_JOB;
		entry->call = smf_start_describe(stream->client, entry->name, spec->attempts);
	}
	else if (lacks_tags)
	{
		if (entry->arn == NULL)
			read_document(stream, entry);
		entry->operation = SMF_OP_LIST_TAGS;
		entry->small_tags = stream->small_tags;
		entry->call = smf_start_list_tags(stream->client, entry->name, entry->arn, stream->small_tags,
										  entry->tags_token, spec->attempts);
	}
	else
	{
		entry->state = ENTRY_COMPLETE;
		return;
	}
	entry->state = ENTRY_CALLING;
	stream->in_flight++;
}

static bool
needs_call(const JobStream *stream, const JobEntry *entry)
{
	const JobStreamSpec *spec = &stream->spec;

	return (entry->searched && entry->name == NULL) ||
		lacks_document(stream, entry) ||
		(spec->want_tags && !entry->tags_complete);
}

/* The job is not to be found by the name in its ARN: look for the ARN itself, once. */
static void
not_by_that_name(JobEntry *entry)
{
	if (entry->wanted == NULL || entry->wanted->arn == NULL || entry->searched)
	{
		entry->state = ENTRY_GONE;
		return;
	}
	entry->searched = true;
	free_if_any(entry->name);
	free_if_any(entry->arn);
	free_if_any(entry->document);
	smf_call_free(entry->describe);
	entry->name = NULL;
	entry->arn = NULL;
	entry->document = NULL;
	entry->describe = NULL;
	entry->state = ENTRY_IDLE;
}

/* Describe has answered. */
static void
take_description(JobStream *stream, JobEntry *entry)
{
	const WantedJob *wanted = entry->wanted;

	smf_call_count_rows(entry->call, 1);
	smf_progress_count(stream->spec.progress, SMF_PROGRESS_DESCRIBED, 1);
	entry->describe = entry->call;
	entry->call = NULL;
	entry->state = ENTRY_IDLE;
	if (wanted != NULL && wanted->arn != NULL && !entry->searched)
	{
		read_document(stream, entry);
		if (strcmp(entry->arn, wanted->arn) != 0)
		{
			not_by_that_name(entry);
			return;
		}
	}
	if (stream->spec.check_tier[SMF_TIER_DESCRIBED] && entry->document == NULL)
		read_document(stream, entry);
	if (!still_wanted(stream, entry, SMF_TIER_DESCRIBED))
		refuse(entry);
}

/* A page of tags has come. */
static void
take_tags(JobStream *stream, JobEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);
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
	free_if_any(entry->tags_token);
	entry->tags_token = smf_document_next_token(call, response);
	MemoryContextSwitchTo(old);

	/* the tags of one job, in however many pages */
	if (entry->tags_token == NULL)
		smf_call_count_rows(call, 1);
	smf_call_free(entry->call);
	entry->call = NULL;
	entry->state = ENTRY_IDLE;
	entry->tags_complete = entry->tags_token == NULL;
	if (entry->tags_complete && !still_wanted(stream, entry, SMF_TIER_TAGGED))
		refuse(entry);
}

/* The answer to the search for an ARN: the job's own name. */
static void
take_search(JobStream *stream, JobEntry *entry)
{
	MemoryContext scratch = AllocSetContextCreate(stream->context, "sagemaker_fdw search",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Jsonb	   *response = smf_document_parse(entry->call);
	JsonbContainer *results = smf_document_list(entry->call, response, "Results");
	int			n = results ? JsonContainerSize(results) : 0;

	smf_call_count_rows(entry->call, n);
	for (int i = 0; i < n && entry->name == NULL; i++)
	{
		JsonbValue *result = getIthJsonbValueFromContainer(results, i);
		JsonbValue	record;
		char	   *arn;
		char	   *name;

		smf_document_object(entry->call, result->val.binary.data, "TrainingJob", &record);
		name = smf_document_required(entry->call, record.val.binary.data, "TrainingJobName");
		arn = smf_document_required(entry->call, record.val.binary.data, "TrainingJobArn");
		if (strcmp(arn, entry->wanted->arn) == 0)
			entry->name = MemoryContextStrdup(stream->context, name);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	smf_call_free(entry->call);
	entry->call = NULL;
	/* what Search finds by the name that Describe does not know is out of date */
	if (entry->name == NULL || strcmp(entry->name, entry->wanted->name) == 0)
		entry->state = ENTRY_GONE;
	else
		entry->state = ENTRY_IDLE;
}

/*
 * The search for an ARN is denied: walk the list for it.  All that are wanted by
 * their ARN are found on the way, so that there is one walk.
 */
static void
begin_arn_list(JobStream *stream)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);
	JobStreamSpec spec = {0};

	spec.source = SMF_FROM_LIST;
	smf_job_query_init(&spec.query);
	spec.label = stream->spec.label;
	spec.region = stream->spec.region;
	spec.fetch_size = SMF_PAGE_SIZE_MAX;
	spec.max_concurrency = stream->spec.max_concurrency;
	spec.notice_us = stream->spec.notice_us;
	spec.attempts = stream->spec.attempts;
	stream->arn_list = smf_stream_begin(stream->client, &spec);
	MemoryContextSwitchTo(old);
}

/* Remember the name of a listed job that is wanted by its ARN. */
static void
note_arn(JobStream *stream, const Job *job)
{
	JsonbValue	arn;
	ListCell   *lc;
	MemoryContext old;

	if (!smf_document_member(&job->summary->root, "TrainingJobArn", &arn))
		return;
	old = MemoryContextSwitchTo(stream->context);
	foreach(lc, stream->spec.wanted)
	{
		const WantedJob *wanted = lfirst(lc);
		WantedJob  *found;

		if (wanted->arn == NULL || !is_string(&arn, wanted->arn))
			continue;
		found = palloc(sizeof(WantedJob));
		found->name = pstrdup(job->name);
		found->arn = wanted->arn;
		stream->names_by_arn = lappend(stream->names_by_arn, found);
	}
	MemoryContextSwitchTo(old);
}

/* Move the walk for ARNs on as far as it goes without waiting. */
static void
advance_arn_list(JobStream *stream)
{
	JobStreamResult result;
	Job			job;

	if (stream->arn_list == NULL)
		return;
	while ((result = smf_stream_try_next(stream->arn_list, &job)) == SMF_STREAM_JOB)
		note_arn(stream, &job);
	if (result == SMF_STREAM_WAIT)
		return;
	smf_stream_end(stream->arn_list);
	stream->arn_list = NULL;
	stream->arns_listed = true;
}

/* The search for the entry's ARN is denied: the list may have it. */
static void
look_in_list(JobStream *stream, JobEntry *entry)
{
	smf_call_free(entry->call);
	entry->call = NULL;
	entry->state = ENTRY_LISTING;
	if (!stream->arns_listed && stream->arn_list == NULL)
		begin_arn_list(stream);
}

/* All has been listed: under which name is the entry's ARN? */
static void
take_listed_name(JobStream *stream, JobEntry *entry)
{
	ListCell   *lc;

	entry->state = ENTRY_GONE;
	foreach(lc, stream->names_by_arn)
	{
		WantedJob  *found = lfirst(lc);

		if (strcmp(found->arn, entry->wanted->arn) == 0 &&
			strcmp(found->name, entry->wanted->name) != 0)
		{
			entry->name = MemoryContextStrdup(stream->context, found->name);
			entry->state = ENTRY_IDLE;
		}
	}
}

/* A page of tags is larger than a response may be: ask for it again, as a small one. */
static void
ask_for_fewer_tags(JobStream *stream, JobEntry *entry)
{
	stream->small_tags = true;
	smf_call_free(entry->call);
	entry->call = NULL;
	entry->state = ENTRY_IDLE;
}

/* Tags are denied: from now on none are asked for. */
static void
do_without_tags(JobStream *stream, JobEntry *entry)
{
	stream->tags_denied = true;
	stream->spec.want_tags = false;
	smf_call_free(entry->call);
	entry->call = NULL;
	entry->state = ENTRY_IDLE;
}

/* The entry's call has ended, and is in flight no more. */
static void
take_answer(JobStream *stream, JobEntry *entry)
{
	if (smf_call_failed(entry->call))
	{
		if (entry->operation == SMF_OP_SEARCH && smf_call_denied(entry->call))
			look_in_list(stream, entry);
		else if (entry->operation == SMF_OP_LIST_TAGS && smf_call_too_large(entry->call) &&
				 !entry->small_tags)
			ask_for_fewer_tags(stream, entry);
		else if (entry->operation == SMF_OP_LIST_TAGS && stream->spec.tags_optional &&
				 smf_call_denied(entry->call))
			do_without_tags(stream, entry);
		else if (!smf_job_not_found(smf_call_error(entry->call)))
			entry->state = ENTRY_FAILED;
		else
		{
			smf_call_free(entry->call);
			entry->call = NULL;
			not_by_that_name(entry);
		}
		return;
	}
	switch (entry->operation)
	{
		case SMF_OP_DESCRIBE_TRAINING_JOB:
			take_description(stream, entry);
			break;
		case SMF_OP_LIST_TAGS:
			take_tags(stream, entry);
			break;
		case SMF_OP_SEARCH:
			take_search(stream, entry);
			break;
		case SMF_OP_LIST_TRAINING_JOBS:
		case SMF_OP_LIST_FOR_TUNING_JOB:
			pg_unreachable();
	}
}

/* Move an entry on as far as it goes without waiting; true when it has come to an end. */
static bool
advance(JobStream *stream, JobEntry *entry)
{
	/* one call is left to a page that is due: all jobs wait for it in the end */
	int			limit = Max(stream->spec.max_concurrency - (next_page_size(stream) > 0), 1);

	if (entry->state == ENTRY_CALLING && smf_call_done(entry->call))
	{
		stream->in_flight--;
		stream->moved = true;
		/* the call that follows takes the place of the one that has ended */
		limit = calls_in_flight(stream) + 1;
		take_answer(stream, entry);
	}
	if (entry->state == ENTRY_LISTING && stream->arns_listed)
	{
		take_listed_name(stream, entry);
		stream->moved = true;
	}
	if (entry->state == ENTRY_IDLE && (calls_in_flight(stream) < limit || !needs_call(stream, entry)))
		start_next_call(stream, entry);
	return entry->state > ENTRY_LISTING;
}

/* ----- the stream ----- */

/*
 * smf_stream_begin
 *		A stream of jobs, in a memory context of its own below the current one.
 *
 * No call is made before smf_stream_start or smf_stream_next.  The client must
 * outlive the stream; what the spec points to must, too.
 */
JobStream *
smf_stream_begin(AwsClient *client, const JobStreamSpec *spec)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sagemaker_fdw stream",
												  ALLOCSET_DEFAULT_SIZES);
	JobStream  *stream = MemoryContextAllocZero(context, sizeof(JobStream));
	ListCell   *lc;

	stream->client = client;
	stream->spec = *spec;
	stream->context = context;
	stream->job_context = AllocSetContextCreate(context, "sagemaker_fdw job",
												ALLOCSET_DEFAULT_SIZES);
	stream->check_context = AllocSetContextCreate(context, "sagemaker_fdw check",
												  ALLOCSET_DEFAULT_SIZES);
	stream->ramp_window = 1;
	stream->notices.label = spec->label;
	stream->notices.interval_us = spec->notice_us;
	stream->notices.estimated = spec->estimated;
	stream->notices.attempts = spec->attempts;
	stream->page_limit = spec->fetch_size;
	/* a page is asked for early enough to come while the windows before it are under way */
	stream->capacity = 2 * spec->max_concurrency;
	if (spec->source != SMF_FROM_NAMES)
		stream->capacity += 2 * spec->max_concurrency + spec->fetch_size;
	stream->ring = MemoryContextAllocZero(context, stream->capacity * sizeof(JobEntry));
	switch (spec->source)
	{
		case SMF_FROM_NAMES:
			stream->next_wanted = list_head(spec->wanted);
			foreach(lc, spec->wanted)
			{
				if (((WantedJob *) lfirst(lc))->arn == NULL)
					stream->any_by_name = true;
				else
					stream->any_by_arn = true;
			}
			break;
		case SMF_FROM_LIST:
			stream->list_operation = SMF_OP_LIST_TRAINING_JOBS;
			break;
		case SMF_FROM_TUNING_JOB:
			stream->list_operation = SMF_OP_LIST_FOR_TUNING_JOB;
			break;
		case SMF_FROM_SEARCH:
			stream->list_operation = SMF_OP_SEARCH;
			break;
	}
	if (spec->source == SMF_FROM_NAMES)
		smf_progress_source(spec->progress, SMF_OP_DESCRIBE_TRAINING_JOB, list_length(spec->wanted));
	else
		smf_progress_source(spec->progress, stream->list_operation, spec->estimated);
	return stream;
}

/* Let the first calls go out, without waiting for them. */
void
smf_stream_start(JobStream *stream)
{
	fill(stream);
}

/*
 * What is known of the entry, in the current memory context, for as long as the
 * entry itself is there.
 */
static void
describe_job(JobStream *stream, const JobEntry *entry, Job *job)
{
	memset(job, 0, sizeof(Job));
	job->name = entry->name;
	if (stream->spec.source == SMF_FROM_SEARCH)
		job->record = entry->summary;
	else
		job->summary = entry->summary;
	job->document = entry->document;
	if (job->document == NULL && entry->describe != NULL)
		job->document = smf_document_job(entry->describe);
	if (entry->cached_tags != NULL)
		job->tags = entry->cached_tags;
	else if (job->record != NULL)
		job->tags = smf_document_record_tags(job->record);
	else if (entry->tags_complete)
		job->tags = smf_document_tags(entry->tag_pages);
}

/* Put all that is known of the first entry into "job", for the caller's use. */
static void
hand_out(JobStream *stream, JobEntry *entry, Job *job)
{
	MemoryContext old = MemoryContextSwitchTo(stream->job_context);

	describe_job(stream, entry, job);
	job->name = pstrdup(job->name);
	job->summary = copy_jsonb(job->summary);
	job->record = copy_jsonb(job->record);
	if (job->document != NULL && job->document == entry->document)
		job->document = copy_jsonb(job->document);
	if (entry->cached_tags != NULL)
		job->tags = copy_jsonb(job->tags);
	MemoryContextSwitchTo(old);
}

/*
 * Is what the first entry found a job that another look-up stands for?  Only the
 * spelling that was asked for counts, and who is wanted by name and by ARN is one job.
 */
static bool
is_of_another(const JobStream *stream, const JobEntry *entry, const Job *job)
{
	JsonbValue	name;
	ListCell   *lc;

	if (entry->wanted == NULL || job->document == NULL ||
		!smf_document_member(&job->document->root, "TrainingJobName", &name) ||
		name.type != jbvString)
		return false;
	if (entry->wanted->arn == NULL)
		return !is_string(&name, entry->wanted->name);
	if (!stream->any_by_name || !stream->any_by_arn)
		return false;
	foreach(lc, stream->spec.wanted)
	{
		const WantedJob *other = lfirst(lc);

		if (other->arn == NULL && is_string(&name, other->name))
			return true;
	}
	return false;
}

/*
 * Remember what the look-up of the first entry found: a job, or NULL when it leaves
 * none, since there is none or it was refused.
 */
static void
remember(JobStream *stream, const JobEntry *entry, const Job *job)
{
	CachedJob	found = {0};

	if (stream->spec.cache == NULL || entry->wanted == NULL)
		return;
	/* but for its tags, which it may have been asked for now */
	if (entry->cached && (job == NULL || entry->tag_pages == NIL))
		return;
	if (job != NULL)
	{
		found.name = job->name;
		found.document = job->document;
		found.tags = job->tags;
	}
	else if (entry->refused)
	{
		found.name = entry->name;
		found.document = entry->document;
	}
	smf_cache_add(stream->spec.cache, wanted_key(entry->wanted), &found);
}

/* Let others see what the stream waits for: the job that leaves next, or a page of more. */
static void
show_wait(const JobStream *stream)
{
	const JobEntry *first = &stream->ring[stream->head];

	if (stream->nentries > 0 && first->state == ENTRY_CALLING)
		smf_progress_wait(stream->spec.progress, first->call, first->operation);
	else
		smf_progress_wait(stream->spec.progress, stream->page, stream->list_operation);
}

/* Tell the user how far the stream has come, if it is time for that. */
static void
notify(JobStream *stream)
{
	int64		next_us = smf_progress_notify(&stream->notices, stream->njobs_taken,
											  stream->njobs_listed);

	if (next_us != 0)
		smf_client_wake_at(stream->client, next_us);
}

/* Is the stream's very first page refused, in a way that the caller wants to know of? */
static JobStreamResult
refusal(const JobStream *stream)
{
	if (!stream->spec.may_refuse || stream->page == NULL || !smf_call_done(stream->page) ||
		!smf_call_failed(stream->page) || stream->next_token != NULL || stream->resumed_at != NULL)
		return SMF_STREAM_JOB;
	if (smf_call_denied(stream->page))
		return SMF_STREAM_DENIED;
	if (smf_job_not_found(smf_call_error(stream->page)))
		return SMF_STREAM_UNKNOWN;
	return SMF_STREAM_JOB;
}

/* The next job; waits for it, or tells that it would have to. */
static JobStreamResult
look_for_job(JobStream *stream, Job *job, bool wait)
{
	bool		waited = false;

	MemoryContextReset(stream->job_context);
	for (;;)
	{
		int			window;
		bool		ready = false;
		JobStreamResult refused = refusal(stream);

		/* what comes while this looks, within a check or another scan, is looked at again */
		uint64		told = smf_http_told();

		if (refused != SMF_STREAM_JOB)
			return refused;
		advance_arn_list(stream);
		fill(stream);
		window = Min(stream->nentries, window_size(stream));
		for (int i = 0; i < window; i++)
		{
			bool		ended = advance(stream, entry_at(stream, i));

			if (i == 0)
				ready = ended;
		}

		if (ready)
		{
			JobEntry   *entry = entry_at(stream, 0);

			if (entry->state == ENTRY_FAILED)
				smf_call_raise(entry->call);
			if (entry->state == ENTRY_COMPLETE)
			{
				hand_out(stream, entry, job);
				remember(stream, entry, job);
				if (is_of_another(stream, entry, job))
				{
					pop_entry(stream);
					continue;
				}
				pop_entry(stream);
				stream->njobs_taken++;
				ramp_up(stream);
				/* let the calls in flight move while the caller works */
				if (!waited && calls_in_flight(stream) > 0)
					smf_http_poll();
				return SMF_STREAM_JOB;
			}
			/* gone: of a bound, another job takes its place */
			remember(stream, entry, NULL);
			pop_entry(stream);
			ramp_up(stream);
			continue;
		}
		if (stream->nentries == 0 && stream->source_done)
			return SMF_STREAM_END;

		/*
		 * What moved may have made room for a call of an entry that was passed before,
		 * or begun a walk: only when nothing moves any more is there reason to wait.
		 */
		if (stream->moved)
		{
			stream->moved = false;
			continue;
		}
		/* a page of which nothing is wanted is no reason to wait */
		if (stream->nentries == 0 && stream->page == NULL)
		{
			CHECK_FOR_INTERRUPTS();
			continue;
		}
		notify(stream);
		show_wait(stream);
		if (wait)
			smf_client_wait(stream->client, told);
		else
		{
			smf_client_poll(stream->client);
			if (smf_http_told() == told)
				return SMF_STREAM_WAIT;
		}
		waited = true;
	}
}

/* The same, and what the stream waits for can be seen meanwhile. */
static JobStreamResult
next_job(JobStream *stream, Job *job, bool wait)
{
	JobStreamResult result = look_for_job(stream, job, wait);

	if (result != SMF_STREAM_WAIT)
		smf_progress_wait(stream->spec.progress, NULL, 0);
	return result;
}

/*
 * smf_stream_next
 *		The next job, or that there is none.
 *
 * What "job" points to is valid until the next call.  Waits as long as need
 * be; raises what the service's answers call for, and query cancels.
 */
JobStreamResult
smf_stream_next(JobStream *stream, Job *job)
{
	return next_job(stream, job, true);
}

/*
 * smf_stream_try_next
 *		The same, without waiting for the service.
 *
 * After SMF_STREAM_WAIT there can be news only once smf_http_told has changed.
 */
JobStreamResult
smf_stream_try_next(JobStream *stream, Job *job)
{
	return next_job(stream, job, false);
}

/* Were tags denied, which may be, so that jobs came without? */
bool
smf_stream_tags_denied(const JobStream *stream)
{
	return stream->tags_denied;
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
	if (stream->arn_list != NULL)
		smf_stream_end(stream->arn_list);
	MemoryContextDelete(stream->context);
}
