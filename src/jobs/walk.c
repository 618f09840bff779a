/*-------------------------------------------------------------------------
 *
 * walk.c
 *		A walk over the pages of an operation that lists jobs.
 *
 *		READY --ask--> CALLING --> ANSWERED --next, next, ...--> READY or DONE
 *		  ^				  |
 *		  +--- shrink --- FAILED --next--> an error, or READY: the walk is resumed
 *
 * A walk returns each job once, in the order in which the service lists them, and checks
 * that order if somebody relies on it.  Pages shift when jobs are created in the
 * meantime, so a page may begin with jobs from the page before it.
 *
 * If a page is larger than the response limit, it is requested again with half as many
 * jobs: a hundred Search records can have 25 MB of hyperparameters alone.
 *
 * If the service refuses a token (it may have expired while jobs were read), the walk is
 * resumed at the creation time that it had reached.  A Search is also resumed from time
 * to time, because its pages get slower as the walk goes on.
 *
 * Nothing here waits: the caller does, and then checks the walk's state again.
 *
 * Not accounted for: a job created during the walk may be missed, and one deleted during
 * the walk may be seen: the service does not provide a snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/account.h"
#include "aws/call_error.h"
#include "common/hashfn.h"
#include "compat/jobs.h"
#include "jobs/document.h"
#include "jobs/job_name.h"
#include "jobs/walk.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* Pages after which a Search is replaced by a new one that resumes the walk. */
#define SEARCH_WALK_PAGES 100

/* Identifies a job that was listed. */
typedef struct SeenJob
{
	uint32		hash;			/* of identity */
	const char *identity;		/* ARN and creation time, as listed */
	Numeric		created;		/* creation time; NULL when it has none */
} SeenJob;

/* A page whose jobs are being read. */
typedef struct JobPage
{
	MemoryContext context;		/* holds the page and everything in it */
	Jsonb	   *response;
	JsonbContainer *jobs;		/* in "response"; NULL: none */
	int64		date_s;			/* the service's clock when it answered: epoch seconds;
								 * negative: not known */
	int			njobs;
	int			next;			/* index of the next job to read */
	SeenJob    *seen;			/* its jobs so far, and earlier ones that may be listed
								 * again */
	int			nseen;
} JobPage;

struct JobWalk
{
	AwsClient  *client;			/* not ours */
	JobWalkSpec spec;			/* the query's bounds change when the walk is resumed */
	MemoryContext context;		/* the walk and everything in it */

	/* the next page */
	AwsCall    *call;			/* in flight or answered; or NULL */
	int			asked_size;		/* jobs requested */
	int			page_size;		/* most jobs to request: the answer must not be too large */
	char	   *next_token;		/* token for it; NULL for the first */
	HTAB	   *tokens;			/* hashes of all tokens since the walk was resumed */
	bool		done;			/* there is no next page */

	/* the pages before it */
	JobPage    *reading;		/* the latest page, while its jobs are being read; or NULL */
	JobPage    *read;			/* the latest page with jobs that was read; or NULL */
	int64		njobs;			/* listed so far */
	Numeric		last_created;	/* creation time of the job listed last, in epoch seconds;
								 * NULL before the first */
	Numeric		resumed_at;		/* last_created when the walk was resumed; or NULL */
	int			npages;			/* pages read since then */
};

/*
 * smf_walk_begin
 *		Create a walk, in its own memory context below the current one.
 *
 * No call is made before smf_walk_ask.  The client, and what the spec points to, must
 * outlive the walk.
 */
JobWalk *
smf_walk_begin(AwsClient *client, const JobWalkSpec *spec)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw walk",
												  ALLOCSET_DEFAULT_SIZES);
	JobWalk    *walk = MemoryContextAllocZero(context, sizeof(JobWalk));

	walk->client = client;
	walk->spec = *spec;
	walk->context = context;
	walk->page_size = spec->page_size;
	return walk;
}

/* Abort calls in flight, and free the walk. */
void
smf_walk_end(JobWalk *walk)
{
	smf_call_free(walk->call);
	MemoryContextDelete(walk->context);
}

/* The state of the next page. */
WalkState
smf_walk_state(const JobWalk *walk)
{
	if (walk->call == NULL)
		return walk->done ? SMF_WALK_DONE : SMF_WALK_READY;
	if (!smf_call_done(walk->call))
		return SMF_WALK_CALLING;
	return smf_call_failed(walk->call) ? SMF_WALK_FAILED : SMF_WALK_ANSWERED;
}

/* The call for the next page, or NULL. */
const AwsCall *
smf_walk_call(const JobWalk *walk)
{
	return walk->call;
}

/* The call for the very first page, if it has failed; or NULL. */
const AwsCall *
smf_walk_first_failure(const JobWalk *walk)
{
	bool		first = walk->next_token == NULL && walk->resumed_at == NULL;

	return first && smf_walk_state(walk) == SMF_WALK_FAILED ? walk->call : NULL;
}

/* Number of jobs listed so far. */
int64
smf_walk_listed(const JobWalk *walk)
{
	return walk->njobs;
}

/*
 * The service's clock when it answered the page being read: epoch seconds; negative: not
 * known.
 */
int64
smf_walk_date(const JobWalk *walk)
{
	return walk->reading != NULL ? walk->reading->date_s : -1;
}

/* ----- requesting pages ----- */

static void
drop_call(JobWalk *walk)
{
	smf_call_free(walk->call);
	walk->call = NULL;
}

/* The most jobs that a page may be requested with. */
int
smf_walk_page_size(const JobWalk *walk)
{
	return walk->page_size;
}

/* Request the next page, with at most "page_size" jobs; the walk must be ready. */
void
smf_walk_ask(JobWalk *walk, int page_size)
{
	Assert(smf_walk_state(walk) == SMF_WALK_READY);
	walk->asked_size = page_size;
	walk->call = smf_start_page(walk->client, walk->spec.operation, &walk->spec.query, page_size,
								walk->next_token, walk->spec.attempts);
}

/*
 * smf_walk_shrink
 *		If a page failed because it exceeds the response limit, let it be requested
 *		again with half as many jobs, and all later pages too; unless it had only one
 *		job.
 */
void
smf_walk_shrink(JobWalk *walk)
{
	if (smf_walk_state(walk) != SMF_WALK_FAILED || !smf_call_too_large(walk->call) ||
		walk->asked_size <= 1)
		return;
	walk->page_size = walk->asked_size / 2;
	drop_call(walk);
}

/* A repeated token would make the walk go on for ever. */
static void
check_token(JobWalk *walk, const char *token)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) token, strlen(token), 0);
	bool		found;

	if (walk->tokens == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(uint64);
		control.hcxt = walk->context;
		walk->tokens = hash_create("sagemaker_fdw page tokens", 64, &control,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(walk->tokens, &hash, HASH_ENTER, &found);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s repeats a NextToken", smf_call_operation(walk->call)),
				 smf_call_errdetail(walk->call, NULL)));
}

/* ----- creation times ----- */

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

/* Does the first creation time come before the other in the walk's order? */
static bool
comes_before(const JobWalk *walk, Numeric created, Numeric other)
{
	int			order = compare_created(created, other);

	return walk->spec.query.oldest_first ? order < 0 : order > 0;
}

/*
 * The bound for a walk that starts at a creation time: a second before it, because the
 * service accepts only whole seconds.
 */
static int64
second_before(const JobWalk *walk, Numeric created)
{
	bool		oldest_first = walk->spec.query.oldest_first;
	PGFunction	round = oldest_first ? numeric_floor : numeric_ceil;
	Datum		rounded = DirectFunctionCall1(round, NumericGetDatum(created));

	return DatumGetInt64(DirectFunctionCall1(numeric_int8, rounded)) + (oldest_first ? -1 : 1);
}

/*
 * Start again at the creation time that the walk has reached.  False, with nothing done,
 * if the operation does not support that, or it would be the same walk again.
 */
static bool
resume(JobWalk *walk)
{
	JobQuery   *query = &walk->spec.query;
	int64	   *bound_s = query->oldest_first ? &query->created_after : &query->created_before;
	int64		from_s;

	/* A walk that read no page since it was resumed would get nowhere again. */
	if (walk->last_created == NULL || walk->npages == 0 ||
		walk->spec.operation == SMF_OP_LIST_FOR_TUNING_JOB)
		return false;
	from_s = second_before(walk, walk->last_created);
	if (*bound_s == from_s)
		return false;
	*bound_s = from_s;

	/* The new walk has its own tokens. */
	if (walk->next_token != NULL)
		pfree(walk->next_token);
	walk->next_token = NULL;
	if (walk->tokens != NULL)
		hash_destroy(walk->tokens);
	walk->tokens = NULL;

	/* Jobs that it lists before this time were already listed by the old one. */
	if (walk->resumed_at != NULL)
		pfree(walk->resumed_at);
	walk->resumed_at = copy_numeric(walk->context, walk->last_created);
	walk->npages = 0;
	return true;
}

/* Was the page refused because of its token, which may have expired? */
static bool
token_refused(const JobWalk *walk)
{
	const AwsError *error = smf_call_error(walk->call);

	return walk->next_token != NULL && error->code != NULL &&
		strcmp(error->code, "ValidationException") == 0;
}

/* ----- reading a page ----- */

/* Parse the page that has arrived, and count its jobs. */
static void
open_page(JobWalk *walk)
{
	bool		searched = walk->spec.operation == SMF_OP_SEARCH;
	MemoryContext context = AllocSetContextCreate(walk->context, "sagemaker_fdw page",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	JobPage    *page = palloc0(sizeof(JobPage));

	page->context = context;
	page->date_s = smf_call_date(walk->call);
	page->response = smf_document_parse_members(walk->call, searched ? walk->spec.members : NULL,
												SMF_RECORD_DEPTH);
	page->jobs = smf_document_list(walk->call, page->response,
								   searched ? "Results" : "TrainingJobSummaries");
	page->njobs = page->jobs ? JsonContainerSize(page->jobs) : 0;

	/*
	 * a page may be larger than requested, but not larger than the walk's user has room
	 * for
	 */
	if (page->njobs > walk->page_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s has more jobs than were asked for",
						smf_call_operation(walk->call)),
				 smf_call_errdetail(walk->call, NULL)));
	page->seen = palloc0((page->njobs + (walk->read ? walk->read->nseen : 0)) * sizeof(SeenJob) + 1);
	walk->reading = page;
	MemoryContextSwitchTo(old);

	smf_call_count_rows(walk->call, page->njobs);
	smf_progress_count(walk->spec.progress, SMF_PROGRESS_PAGES, 1);
	smf_progress_count(walk->spec.progress, SMF_PROGRESS_SEEN, page->njobs);
}

/* Was the job in an earlier page? */
static bool
seen_before(const JobWalk *walk, const SeenJob *job)
{
	for (int i = 0; walk->read != NULL && i < walk->read->nseen; i++)
	{
		const SeenJob *seen = &walk->read->seen[i];

		if (seen->hash == job->hash && strcmp(seen->identity, job->identity) == 0)
			return true;
	}
	return false;
}

/* Set what identifies a listed job. */
static void
identify(SeenJob *seen, JsonbContainer *object, const char *arn)
{
	JsonbValue	created;

	seen->identity = arn;
	if (smf_document_member(object, "CreationTime", &created) && created.type == jbvNumeric)
	{
		Datum		text = DirectFunctionCall1(numeric_out, NumericGetDatum(created.val.numeric));

		seen->created = created.val.numeric;
		seen->identity = psprintf("%s %s", arn, DatumGetCString(text));
	}
	seen->hash = hash_bytes((const unsigned char *) seen->identity, strlen(seen->identity));
}

/* Check that the job is in the promised order. */
static void
check_order(JobWalk *walk, Numeric created)
{
	if (walk->spec.ordered && created == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s lacks CreationTime", smf_call_operation(walk->call)),
				 smf_call_errdetail(walk->call, NULL)));
	if (walk->spec.ordered && walk->last_created != NULL &&
		comes_before(walk, created, walk->last_created))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s is not in the order of creation",
						smf_call_operation(walk->call)),
				 smf_call_errdetail(walk->call, NULL)));
}

/* Read the page's next job into "job"; false if it does not belong to the walk. */
static bool
read_job(JobWalk *walk, ListedJob *job)
{
	JobPage    *page = walk->reading;
	SeenJob    *seen = &page->seen[page->next];
	JsonbValue *element = getIthJsonbValueFromContainer(page->jobs, page->next++);
	JsonbValue	record;
	JsonbContainer *object;

	/* Read it; messages name the job as soon as its name is known. */
	smf_call_about(walk->call, NULL);
	if (walk->spec.operation == SMF_OP_SEARCH)
	{
		smf_document_object(walk->call, element->val.binary.data, "TrainingJob", &record);
		*element = record;
	}
	object = element->val.binary.data;
	job->object = element;
	job->name = smf_document_required(walk->call, object, "TrainingJobName");
	smf_call_about(walk->call, job->name);
	job->arn = smf_document_required(walk->call, object, "TrainingJobArn");
	smf_call_check_account(walk->call, job->arn);

	/* Was it listed in another page, or before the walk was resumed? */
	identify(seen, object, job->arn);
	page->nseen = page->next;
	if (seen_before(walk, seen))
		return false;
	if (seen->created != NULL && walk->resumed_at != NULL &&
		comes_before(walk, seen->created, walk->resumed_at))
		return false;

	/* The walk has reached this job. */
	check_order(walk, seen->created);
	if (seen->created != NULL)
	{
		if (walk->last_created != NULL)
			pfree(walk->last_created);
		walk->last_created = copy_numeric(walk->context, seen->created);
	}
	walk->njobs++;

	/* the tuning job may belong to another account, with the same name */
	return walk->spec.operation != SMF_OP_LIST_FOR_TUNING_JOB ||
		smf_same_account_arn(job->arn, walk->spec.query.tuning_job_arn);
}

/*
 * Keep those jobs of the previous page that a later page, or a resumed walk, may list
 * again.
 */
static void
keep_seen(JobWalk *walk)
{
	JobPage    *page = walk->reading;
	MemoryContext old = MemoryContextSwitchTo(page->context);

	for (int i = 0; walk->read != NULL && i < walk->read->nseen; i++)
	{
		const SeenJob *seen = &walk->read->seen[i];
		SeenJob    *kept = &page->seen[page->nseen];

		if (seen->created == NULL || compare_created(seen->created, walk->last_created) != 0)
			continue;
		kept->hash = seen->hash;
		kept->identity = pstrdup(seen->identity);
		kept->created = copy_numeric(page->context, seen->created);
		page->nseen++;
	}
	MemoryContextSwitchTo(old);
}

/* All jobs of the page were read: keep only its token, and which jobs were in it. */
static void
close_page(JobWalk *walk)
{
	JobPage    *page = walk->reading;
	MemoryContext old;

	smf_call_about(walk->call, NULL);
	if (page->njobs > 0)
		keep_seen(walk);

	/* Is there another page? */
	if (walk->next_token != NULL)
		pfree(walk->next_token);
	old = MemoryContextSwitchTo(walk->context);
	walk->next_token = smf_document_next_token(walk->call, page->response);
	MemoryContextSwitchTo(old);
	if (walk->next_token != NULL)
		check_token(walk, walk->next_token);
	else
		walk->done = true;
	drop_call(walk);

	/* A Search gets slower as the walk goes on. */
	walk->npages++;
	if (walk->spec.operation == SMF_OP_SEARCH && walk->next_token != NULL &&
		walk->npages >= SEARCH_WALK_PAGES)
		(void) resume(walk);

	/* An empty page does not say which jobs were seen: keep the page before it. */
	walk->reading = NULL;
	if (page->njobs == 0)
	{
		MemoryContextDelete(page->context);
		return;
	}
	if (walk->read != NULL)
		MemoryContextDelete(walk->read->context);
	walk->read = page;
}

/*
 * smf_walk_next
 *		The next job of the page that has arrived.
 *
 * Returns false when all its jobs were read, and also when the page had failed and the
 * walk was resumed; the walk is then ready to request a page, or done.  Raises the page's
 * failure, and 08P01 or 28000 if the page is not valid.
 */
bool
smf_walk_next(JobWalk *walk, ListedJob *job)
{
	MemoryContext old;
	bool		found = false;

	if (smf_walk_state(walk) == SMF_WALK_FAILED)
	{
		if (!token_refused(walk) || !resume(walk))
			smf_call_raise(walk->call);
		drop_call(walk);
		return false;
	}
	if (walk->reading == NULL)
		open_page(walk);
	old = MemoryContextSwitchTo(walk->reading->context);
	while (!found && walk->reading->next < walk->reading->njobs)
		found = read_job(walk, job);
	MemoryContextSwitchTo(old);
	if (!found)
		close_page(walk);
	return found;
}

/* ----- what a page says about a job ----- */

/* A string as a jsonb value, without copying it. */
static JsonbValue
string_value(const char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	return value;
}

/* A child of a tuning job is listed without its parent's ARN: add that. */
static Jsonb *
with_tuning_job_arn(JsonbContainer *summary, const char *tuning_job_arn)
{
	JsonbIterator *iterator = JsonbIteratorInit(summary);
	JsonbBuilder copy = {0};
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue	key = string_value("TuningJobArn");
	JsonbValue	arn = string_value(tuning_job_arn);
	int			depth = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			depth++;
		if (token == WJB_END_OBJECT && depth == 1)
		{
			smf_push_jsonb(&copy, WJB_KEY, &key);
			smf_push_jsonb(&copy, WJB_VALUE, &arn);
		}
		if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
		smf_push_jsonb(&copy, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(copy.result);
}

/* A job's summary or record, in the current memory context. */
Jsonb *
smf_walk_copy(const JobWalk *walk, const ListedJob *job)
{
	if (walk->spec.operation == SMF_OP_LIST_FOR_TUNING_JOB)
		return with_tuning_job_arn(job->object->val.binary.data, walk->spec.query.tuning_job_arn);
	return JsonbValueToJsonb(job->object);
}
