/*-------------------------------------------------------------------------
 *
 * walk.c
 *		A walk over the pages of an operation that lists jobs.
 *
 *		READY --ask--> CALLING --> ANSWERED --next, next, ...--> READY or DONE
 *		  ^				  |
 *		  +--- shrink --- FAILED --next--> an error, or READY: the walk is resumed
 *
 * A walk yields each job once, in the order in which the service lists them, and
 * checks that order where somebody relies on it.  Pages shift when jobs are created
 * meanwhile, so that a page may begin with jobs of the page before it.
 *
 * A page that is larger than a response may be is asked for again with half as many
 * jobs: a hundred records of Search can have 25 MB of hyperparameters alone.
 *
 * A token that the service refuses (it may have expired while jobs were read) is no
 * end: the walk is resumed from the creation time that it had come to.  So is a
 * Search from time to time, since its pages get slower the further one walks.
 *
 * Nothing here waits: who walks does, and looks at the walk's state again.
 *
 * Not accounted for: a job created while pages are walked may be missed, and one
 * deleted meanwhile may be seen: the service gives no snapshot.
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

/* Pages of a Search, after which the walk is resumed with another one. */
#define SEARCH_WALK_PAGES 100

/* A job that was listed, to know it again. */
typedef struct SeenJob
{
	uint32		hash;			/* of identity */
	const char *identity;		/* ARN and creation time, as listed */
	Numeric		created;		/* creation time; NULL when it has none */
} SeenJob;

/* A page whose jobs are read. */
typedef struct JobPage
{
	MemoryContext context;		/* all that the page holds, and the page */
	Jsonb	   *response;
	JsonbContainer *jobs;		/* in there; NULL: none */
	int64		date_s;			/* the service's clock when it answered: epoch seconds; negative: not
								 * known */
	int			njobs;
	int			next;			/* index of the job that is read next */
	SeenJob    *seen;			/* its jobs, and those of before that may be listed again */
	int			nseen;
} JobPage;

struct JobWalk
{
	AwsClient  *client;			/* not ours */
	JobWalkSpec spec;			/* the query's bounds move when the walk is resumed */
	MemoryContext context;		/* the walk and all it holds */

	/* the next page */
	AwsCall    *call;			/* asks for it, or has its answer; or NULL */
	int			asked_size;		/* jobs that it was asked for */
	int			page_size;		/* most jobs of a page whose answer is not too large */
	char	   *next_token;		/* asks for it; NULL on the first */
	HTAB	   *tokens;			/* hashes of all tokens since the walk was resumed */
	bool		done;			/* there is none */

	/* the pages before it */
	JobPage    *reading;		/* that page, while its jobs are read; or NULL */
	JobPage    *read;			/* the latest one that held jobs; or NULL */
	int64		njobs;			/* listed so far */
	Numeric		last_created;	/* creation time of the job listed last, in
								 * epoch seconds; NULL before the first */
	Numeric		resumed_at;		/* last_created when the walk was resumed; or NULL */
	int			npages;			/* that have come since then */
};

/*
 * smf_walk_begin
 *		A walk, in a memory context of its own below the current one.
 *
 * No call is made before smf_walk_ask.  The client must outlive the walk; what the
 * spec points to must, too.
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

/* Break off what is in flight, and free the walk. */
void
smf_walk_end(JobWalk *walk)
{
	smf_call_free(walk->call);
	MemoryContextDelete(walk->context);
}

/* What becomes of the next page. */
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

/* The call for the very first page, if that has failed; or NULL. */
const AwsCall *
smf_walk_first_failure(const JobWalk *walk)
{
	bool		first = walk->next_token == NULL && walk->resumed_at == NULL;

	return first && smf_walk_state(walk) == SMF_WALK_FAILED ? walk->call : NULL;
}

/* Jobs that were listed so far. */
int64
smf_walk_listed(const JobWalk *walk)
{
	return walk->njobs;
}

/* The service's clock when it answered the page that is read: epoch seconds; negative: not known. */
int64
smf_walk_date(const JobWalk *walk)
{
	return walk->reading != NULL ? walk->reading->date_s : -1;
}

/* ----- asking for pages ----- */

static void
drop_call(JobWalk *walk)
{
	smf_call_free(walk->call);
	walk->call = NULL;
}

/* How many jobs a page may be asked for at most. */
int
smf_walk_page_size(const JobWalk *walk)
{
	return walk->page_size;
}

/* The walk is ready: ask for the next page, of at most "page_size" jobs. */
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
 *		If a page has failed since it is larger than a response may be, let it be asked for
 *		again, and from now on, with half as many jobs, unless it was one.
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

/* A token that comes twice would let the walk go round for ever. */
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

/* Does the first creation time come before the other, in the walk's order? */
static bool
comes_before(const JobWalk *walk, Numeric created, Numeric other)
{
	int			order = compare_created(created, other);

	return walk->spec.query.oldest_first ? order < 0 : order > 0;
}

/* The bound for a walk from a creation time on: a second before it, since the service takes whole ones. */
static int64
second_before(const JobWalk *walk, Numeric created)
{
	bool		oldest_first = walk->spec.query.oldest_first;
	PGFunction	round = oldest_first ? numeric_floor : numeric_ceil;
	Datum		rounded = DirectFunctionCall1(round, NumericGetDatum(created));

	return DatumGetInt64(DirectFunctionCall1(numeric_int8, rounded)) + (oldest_first ? -1 : 1);
}

/*
 * Begin anew from the creation time that the walk has come to.  False, and nothing is
 * done, if the operation cannot be asked for that, or the walk would be no other one.
 */
static bool
resume(JobWalk *walk)
{
	JobQuery   *query = &walk->spec.query;
	int64	   *bound_s = query->oldest_first ? &query->created_after : &query->created_before;
	int64		from_s;

	/* One that has got nowhere since it was resumed would get nowhere again. */
	if (walk->last_created == NULL || walk->npages == 0 ||
		walk->spec.operation == SMF_OP_LIST_FOR_TUNING_JOB)
		return false;
	from_s = second_before(walk, walk->last_created);
	if (*bound_s == from_s)
		return false;
	*bound_s = from_s;

	/* The new walk's tokens have nothing to do with those of the old one. */
	if (walk->next_token != NULL)
		pfree(walk->next_token);
	walk->next_token = NULL;
	if (walk->tokens != NULL)
		hash_destroy(walk->tokens);
	walk->tokens = NULL;

	/* What it lists before this time, the old one has listed. */
	if (walk->resumed_at != NULL)
		pfree(walk->resumed_at);
	walk->resumed_at = copy_numeric(walk->context, walk->last_created);
	walk->npages = 0;
	return true;
}

/* Was the page refused for its token, which has expired maybe? */
static bool
token_refused(const JobWalk *walk)
{
	const AwsError *error = smf_call_error(walk->call);

	return walk->next_token != NULL && error->code != NULL &&
		strcmp(error->code, "ValidationException") == 0;
}

/* ----- reading a page ----- */

/* Read the page that has come, and count what it holds. */
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
	/* a page that was asked for small may be larger, but not than the walk's user has room for */
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

/* Was the job in a page before this one? */
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

/* What a listed job is known again by. */
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

/* The walk has come to a job: is its place in the order what was promised? */
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

/* The next job of the page that is read, into "job"; false if it is none of the walk's. */
static bool
read_job(JobWalk *walk, ListedJob *job)
{
	JobPage    *page = walk->reading;
	SeenJob    *seen = &page->seen[page->next];
	JsonbValue *element = getIthJsonbValueFromContainer(page->jobs, page->next++);
	JsonbValue	record;
	JsonbContainer *object;

	/* What the page says of it; messages name the job, as soon as it has a name. */
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

	/* Was it listed by another page, or by the walk of which this one is the rest? */
	identify(seen, object, job->arn);
	page->nseen = page->next;
	if (seen_before(walk, seen))
		return false;
	if (seen->created != NULL && walk->resumed_at != NULL &&
		comes_before(walk, seen->created, walk->resumed_at))
		return false;

	/* The walk has come so far. */
	check_order(walk, seen->created);
	if (seen->created != NULL)
	{
		if (walk->last_created != NULL)
			pfree(walk->last_created);
		walk->last_created = copy_numeric(walk->context, seen->created);
	}
	walk->njobs++;

	/* the tuning job may be another account's, of the same name */
	return walk->spec.operation != SMF_OP_LIST_FOR_TUNING_JOB ||
		smf_same_account_arn(job->arn, walk->spec.query.tuning_job_arn);
}

/* Keep of the page before those jobs that a later page, or a resumed walk, may list again. */
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

/* All jobs of the page are read: what is left of it is its token, and who was in it. */
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

	/* Pages get slower the further a Search has walked. */
	walk->npages++;
	if (walk->spec.operation == SMF_OP_SEARCH && walk->next_token != NULL &&
		walk->npages >= SEARCH_WALK_PAGES)
		(void) resume(walk);

	/* An empty page says nothing of who was seen: then the one before it stays. */
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
 *		The next job of the page that has come.
 *
 * Returns false when all its jobs were read, and also when the page had failed and the
 * walk could be resumed: then the walk is ready to ask again, or done.  Raises why the
 * page failed, and 08P01 or 28000 when it holds what it must not.
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

/* ----- what a page says of a job ----- */

/* A string that is not copied, as jsonb. */
static JsonbValue
string_value(const char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	return value;
}

/* A child of a tuning job is listed without its parent's ARN: add it. */
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
