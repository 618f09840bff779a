/*-------------------------------------------------------------------------
 *
 * batch.c
 *		Fetches the documents of jobs through Search, in batches.
 *
 *		ASKABLE --ask--> ASKED --a record is proved--> HELD --no check differs--> IDLE, with it
 *					 	   |						    |
 *					 	   +----------------------------+--> IDLE, without: Describe is next
 *
 * The list says which jobs exist, and the current state of each.  A Search record
 * replaces a job's document if it is proved to be of the version that the list names
 * (proof.c); all other jobs are described.  So Search can cost an extra call, but never a
 * row: if its answer is late, out of date, incomplete or missing, the query continues
 * with Describe.
 *
 * No proof can show that Search represents the contents in the same way as Describe.  So
 * from time to time a job, chosen at random before Search answers, is also described, and
 * the records of its batch wait until the two have been compared.  If an attribute
 * differs, and differs again when that job is searched for once more, it is not taken
 * from Search for a day (trust.c), nor from records that are held by then.
 *
 * Not accounted for: a difference that only a few jobs have is found only when one of
 * them is chosen.  Search may still find a job for a while that was deleted after it was
 * listed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "aws/json.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "http/http.h"
#include "jobs/batch.h"
#include "jobs/document.h"
#include "utils/memutils.h"

/* Limits for the Search of a batch; after that its jobs are described. */
#define ATTEMPTS_MAX 2
#define PATIENCE_US INT64CONST(5000000)

/*
 * If a deadline is noticed this much too late, nobody was looking, for example because a
 * cursor was left open.
 */
#define AWAY_US INT64CONST(1000000)

/*
 * After POOR_BATCHES in a row in which less than one job in POOR_SHARE was proved, the
 * next FIRST_REST batches do not use Search.
 */
#define POOR_BATCHES 3
#define POOR_SHARE 5
#define FIRST_REST 8

/* How many more jobs of a batch are chosen if a check had nothing to compare. */
#define EMPTY_CHECKS_MAX 3

/* ----- trust in Search ----- */

/*
 * Find out which attributes may not be taken from Search.  If the query reads one of
 * them, every job is described from now on; if tags are the only such attribute, only the
 * tags are listed.
 */
static void
heed_trust(JobBatches *batches)
{
	AttributeSet lost;

	batches->distrusted = smf_trust_distrusted(batches->trust);
	batches->nheeded = smf_trust_differences();
	lost = batches->read & batches->distrusted;
	batches->fetcher->record_tags = (lost & batches->tags) == 0;
	if ((lost & ~batches->tags) != 0 || (lost != 0 && !batches->fetcher->spec->want_document))
		batches->asking = false;
}

/* Prepare the batches of a stream; its spec says whether to use any. */
void
smf_batches_init(JobBatches *batches, JobFetcher *fetcher)
{
	const JobStreamSpec *spec = fetcher->spec;

	memset(batches, 0, sizeof(JobBatches));
	batches->fetcher = fetcher;
	batches->size = SMF_SEARCH_JOBS_MAX;
	batches->rest = FIRST_REST;
	if (!spec->prove)
		return;
	batches->trust = smf_trust_find(fetcher->client);
	batches->read = spec->read;
	batches->tags = smf_attribute_bit(smf_attribute_by_column("tags"));
	batches->asking = smf_trust_may_ask(batches->trust);
	heed_trust(batches);
}

/* Report rows that have left to the session's trust data. */
static void
count_rows(JobBatches *batches)
{
	smf_trust_count_rows(batches->trust, batches->read, batches->nrows);
	batches->nrows = 0;
}

/* Abort the calls in flight. */
void
smf_batches_end(JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		smf_call_free(batches->batches[i].call);
		batches->batches[i].call = NULL;
	}
	if (batches->trust != NULL)
		count_rows(batches);
}

/* ----- asking ----- */

/*
 * If Search may be asked for the entry's job, which was listed, let the entry wait for a
 * batch.
 */
void
smf_batches_take(const JobBatches *batches, JobEntry *entry)
{
	if (batches->asking && smf_proof_may_ask(&entry->listed->root, entry->date_s))
		entry->state = ENTRY_ASKABLE;
}

/* The index of an unused batch, or -1. */
static int
free_place(const JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		if (batches->batches[i].state == BATCH_FREE)
			return i;
	}
	return -1;
}

/* Is it worthwhile to ask Search for this many jobs? */
static bool
worth_asking(const JobBatches *batches, int n)
{
	return batches->asking && n >= SMF_BATCH_JOBS_MIN;
}

/* Can smf_batches_ask handle this many jobs now? */
bool
smf_batches_room(const JobBatches *batches, int n)
{
	return !worth_asking(batches, n) || batches->resting > 0 || free_place(batches) >= 0;
}

/*
 * Start the batch's Search, in the form that the service accepts: for all of its entries,
 * or to repeat it for the entry being checked.
 */
static void
start_search(JobBatches *batches, JobBatch *batch)
{
	bool		repeated = batch->state == BATCH_REPEATED;
	JobEntry  **entries = repeated ? &batch->checked : batch->entries;
	int			n = repeated ? 1 : batch->n;
	AwsClient  *client = batches->fetcher->client;
	int64	   *attempts = batches->fetcher->spec->attempts;
	const char *names[SMF_SEARCH_JOBS_MAX];
	int64		first_s = PG_INT64_MAX;
	int64		last_s = PG_INT64_MIN;
	int64		created_s;

	batch->by_span = smf_trust_by_span(batches->trust);
	for (int i = 0; i < n; i++)
	{
		names[i] = entries[i]->name;
		if (!batch->by_span)
			continue;
		created_s = smf_document_created(&entries[i]->listed->root);
		first_s = Min(first_s, created_s);
		last_s = Max(last_s, created_s + 1);
	}
	batch->call = batch->by_span ? smf_start_span_search(client, first_s, last_s, attempts) :
		smf_start_names_search(client, names, n, attempts);
	smf_call_limit_attempts(batch->call, ATTEMPTS_MAX);
	batch->deadline_us = smf_http_now() + PATIENCE_US;
}

/* Do not ask Search for these jobs: describe each. */
static void
describe_entries(JobEntry **entries, int n)
{
	for (int i = 0; i < n; i++)
		entries[i]->state = ENTRY_IDLE;
}

/* Check this entry: describe it, too. */
static void
begin_check(JobBatch *batch, JobEntry *entry)
{
	/* all of its document will be read */
	Assert(entry->document == NULL);
	batch->checked = entry;
	entry->checked = true;
	entry->state = ENTRY_IDLE;
}

/*
 * smf_batches_ask
 *		Ask Search for the documents of entries that wait for it, at most as many as
 *		fit into a batch; or let them be described if Search is not worthwhile.
 *
 * There must be room for a batch.
 */
void
smf_batches_ask(JobBatches *batches, JobEntry **entries, int n)
{
	JobBatch   *batch;

	if (!worth_asking(batches, n) || batches->resting > 0)
	{
		batches->resting -= worth_asking(batches, n);
		describe_entries(entries, n);
		return;
	}

	batch = &batches->batches[free_place(batches)];
	memset(batch, 0, sizeof(JobBatch));
	batch->state = BATCH_ASKED;
	batch->n = n;
	for (int i = 0; i < n; i++)
	{
		batch->entries[i] = entries[i];
		batch->hashes[i] = hash_bytes((const unsigned char *) entries[i]->name, strlen(entries[i]->name));
		entries[i]->state = ENTRY_ASKED;
		entries[i]->batch = batch;
		entries[i]->place = i;
	}
	start_search(batches, batch);

	/* Choose the job to check before anybody knows what Search says about it. */
	if (smf_trust_check_due(batches->trust) || batches->fetcher->spec->check_each)
		begin_check(batch, entries[pg_prng_uint64_range(&pg_global_prng_state, 0, n - 1)]);
}

/* ----- entries that use a record, or continue without one ----- */

/* The record replaces the entry's document: the entry continues with it. */
static void
accept(JobBatches *batches, JobEntry *entry)
{
	JobDocuments *documents = batches->fetcher->spec->documents;

	if (documents != NULL)
		documents->from_search++;
	smf_progress_count(batches->fetcher->spec->progress, SMF_PROGRESS_DESCRIBED, 1);
	smf_entry_take_record(batches->fetcher, entry);
}

/* The entry continues without a record, and leaves the batch. */
static void
let_go(JobBatch *batch, JobEntry *entry)
{
	if (entry->record != NULL)
	{
		pfree(entry->record);
		entry->record = NULL;
		batch->nheld--;
	}
	batch->entries[entry->place] = NULL;
	entry->batch = NULL;
}

/* Entries for which Search proved nothing leave the batch and continue in this state. */
static void
let_asked_go(JobBatch *batch, EntryState state)
{
	for (int i = 0; i < batch->n; i++)
	{
		JobEntry   *entry = batch->entries[i];

		if (entry == NULL || entry->state != ENTRY_ASKED)
			continue;
		let_go(batch, entry);
		entry->state = state;
	}
}

/* The batch has nothing more to decide. */
static void
close_batch(JobBatch *batch)
{
	batch->state = batch->nheld > 0 ? BATCH_HELD : BATCH_FREE;
}

/* Can the record replace the document for all attributes that the query reads? */
static bool
stands(const JobBatches *batches, const JobEntry *entry)
{
	return entry->record != NULL && (batches->read & ~batches->tags & ~entry->proved) == 0;
}

/*
 * The entry that was checked continues like any other: with its document or, if the IAM
 * policy denies Describe for this job but Search returned it, with the record.
 */
static void
release_checked(JobBatches *batches, JobBatch *batch)
{
	JobEntry   *entry = batch->checked;
	bool		denied = entry->state == ENTRY_FAILED && smf_call_denied(entry->call);

	batch->checked = NULL;
	entry->checked = false;
	if (entry->state == ENTRY_HELD)
	{
		smf_entry_take_document(batches->fetcher, entry);
		let_go(batch, entry);
		return;
	}

	/* ask for its tags again, as for any other entry */
	entry->tags_unknown = false;
	if (denied && batches->asking && stands(batches, entry))
	{
		smf_entry_drop_failure(entry);
		accept(batches, entry);
		return;
	}
	let_go(batch, entry);
}

/* The check of the batch is over: its entries continue, with their records if "usable". */
static void
release_batch(JobBatches *batches, JobBatch *batch, bool usable)
{
	if (batch->checked != NULL)
		release_checked(batches, batch);
	for (int i = 0; i < batch->n; i++)
	{
		JobEntry   *entry = batch->entries[i];

		if (entry == NULL || (entry->state != ENTRY_HELD && entry->state != ENTRY_ASKED))
			continue;
		if (usable && entry->record != NULL)
		{
			accept(batches, entry);
			continue;
		}
		let_go(batch, entry);
		entry->state = ENTRY_IDLE;
	}
	close_batch(batch);
}

/* ----- Search's answers ----- */

/*
 * Note how useful a batch was: if several were of little use, Search is not asked for a
 * while.
 */
static void
note_yield(JobBatches *batches, int nproved, int nasked)
{
	if (nproved * POOR_SHARE >= nasked)
	{
		batches->npoor = 0;
		batches->rest = FIRST_REST;
		return;
	}
	/* after a rest, a single poor batch is enough */
	if (++batches->npoor < POOR_BATCHES)
		return;
	batches->resting = batches->rest;
	batches->rest *= 2;
}

/* The batch's call has failed or is abandoned: describe its entries. */
static void
fail_batch(JobBatches *batches, JobBatch *batch)
{
	smf_call_free(batch->call);
	batch->call = NULL;
	note_yield(batches, 0, batch->n);
	release_batch(batches, batch, false);
}

/* The answer is too large: from now on ask for half as many jobs, including these again. */
static void
ask_for_fewer(JobBatches *batches, JobBatch *batch)
{
	batches->size = Min(batches->size, batch->n / 2);
	smf_call_free(batch->call);
	batch->call = NULL;
	if (batch->checked != NULL)
		release_checked(batches, batch);
	let_asked_go(batch, ENTRY_ASKABLE);
	batch->state = BATCH_FREE;
}

/* Search has failed: decide what happens to the batch. */
static void
take_failure(JobBatches *batches, JobBatch *batch)
{
	bool		denied = smf_call_denied(batch->call);

	if (smf_call_too_large(batch->call))
	{
		ask_for_fewer(batches, batch);
		return;
	}
	if (!denied && smf_search_not_taken(smf_call_error(batch->call)))
	{
		/* another batch may have switched to the other form in the meantime */
		if (!batch->by_span &&
			(smf_trust_by_span(batches->trust) || smf_trust_try_span(batches->trust)))
		{
			smf_call_free(batch->call);
			batch->call = NULL;
			return;
		}
		denied = true;
	}
	if (denied && smf_trust_may_ask(batches->trust))
		smf_trust_refused(batches->trust, batches->fetcher->client, batch->call);
	if (denied)
		batches->asking = false;
	fail_batch(batches, batch);
}

/* The batch's entry with that name, or NULL. */
static JobEntry *
find_entry(const JobBatch *batch, const JsonbValue *name)
{
	uint32		hash = hash_bytes((const unsigned char *) name->val.string.val, name->val.string.len);

	for (int i = 0; i < batch->n; i++)
	{
		JobEntry   *entry = batch->entries[i];

		if (batch->hashes[i] == hash && entry != NULL &&
			strlen(entry->name) == name->val.string.len &&
			memcmp(entry->name, name->val.string.val, name->val.string.len) == 0)
			return entry;
	}
	return NULL;
}

/* The n-th record in an answer, and the name in it; false if it is not valid. */
static bool
get_record(JsonbContainer *results, int n, JsonbValue *record, JsonbValue *name)
{
	JsonbValue *result = getIthJsonbValueFromContainer(results, n);

	return result->type == jbvBinary && JsonContainerIsObject(result->val.binary.data) &&
		smf_document_member(result->val.binary.data, "TrainingJob", record) &&
		record->type == jbvBinary && JsonContainerIsObject(record->val.binary.data) &&
		smf_document_member(record->val.binary.data, "TrainingJobName", name) &&
		name->type == jbvString;
}

/*
 * The list of records in the answer to the batch's call, in the current memory context;
 * NULL if the answer is not valid.
 */
static JsonbContainer *
read_results(const JobBatch *batch)
{
	size_t		len;
	const char *body = smf_call_body(batch->call, &len);
	const char *reason;
	Jsonb	   *response = smf_json_parse(body, len, &reason);
	JsonbValue	results;

	if (response == NULL || !JB_ROOT_IS_OBJECT(response) ||
		!smf_document_member(&response->root, "Results", &results) ||
		results.type != jbvBinary || !JsonContainerIsArray(results.val.binary.data))
		return NULL;
	smf_call_count_rows(batch->call, JsonContainerSize(results.val.binary.data));
	return results.val.binary.data;
}

/*
 * Give each entry the first record that is proved.  The entry being checked may also get
 * a record that lacks attributes that the query reads.  Returns how many can continue
 * with their record.
 */
static int
prove_records(JobBatches *batches, JobBatch *batch, JsonbContainer *results)
{
	int			nproved = 0;

	for (int i = 0; i < JsonContainerSize(results); i++)
	{
		JsonbValue	record;
		JsonbValue	name;
		JobEntry   *entry;
		MemoryContext old;

		if (!get_record(results, i, &record, &name))
			continue;
		entry = find_entry(batch, &name);
		if (entry == NULL || entry->record != NULL)
			continue;
		entry->proved = smf_proof_attributes(&entry->listed->root, record.val.binary.data);
		if (entry->proved == 0 ||
			(!entry->checked && (batches->read & ~batches->tags & ~entry->proved) != 0))
			continue;
		old = MemoryContextSwitchTo(entry->context);
		entry->record = JsonbValueToJsonb(&record);
		MemoryContextSwitchTo(old);
		batch->nheld++;
		nproved += stands(batches, entry);
		if (!entry->checked)
			entry->state = ENTRY_HELD;
	}
	return nproved;
}

/*
 * Search has answered: jobs without a proved record are described, the others wait for
 * the check.
 */
static void
take_records(JobBatches *batches, JobBatch *batch)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	JsonbContainer *results = read_results(batch);
	int			nproved = results ? prove_records(batches, batch, results) : 0;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	smf_call_free(batch->call);
	batch->call = NULL;
	note_yield(batches, nproved, batch->n);
	let_asked_go(batch, ENTRY_IDLE);
	/* once Search is no longer asked, its records are not used either */
	if (batch->checked == NULL || !batches->asking)
		release_batch(batches, batch, batches->asking);
	else
		batch->state = BATCH_CHECKED;
}

/* ----- the check ----- */

/* The attributes in which the record differs from the job's Describe and ListTags answers. */
static AttributeSet
differences(const JobBatches *batches, const JobEntry *entry, Jsonb *record, AttributeSet proved)
{
	AttributeSet differing = smf_proof_differences(&entry->document->root, &record->root,
												   proved & ~batches->tags);

	if (batches->fetcher->spec->want_tags && entry->tags != NULL &&
		compareJsonbContainers(&smf_document_record_tags(record)->root, &entry->tags->root) != 0)
		differing |= batches->tags;
	return differing;
}

/* Count a check in which something was compared. */
static void
count_check(JobBatches *batches)
{
	if (batches->fetcher->spec->documents != NULL)
		batches->fetcher->spec->documents->checked++;
}

/*
 * Compare the entry being checked, for which all calls have ended; false if there is
 * nothing to compare.
 */
static bool
compare_checked(JobBatches *batches, JobBatch *batch)
{
	JobEntry   *entry = batch->checked;

	if (entry->state != ENTRY_HELD || entry->described == NULL || entry->record == NULL)
		return false;
	smf_entry_read_document(batches->fetcher, entry);
	/* the job may have changed since it was listed: that says nothing about Search */
	if (!smf_proof_same_version(&entry->listed->root, &entry->document->root))
		return false;
	count_check(batches);
	batch->differing = differences(batches, entry, entry->record, entry->proved) &
		~batches->distrusted;
	return true;
}

/*
 * An entry that has a record and waits for the check, chosen at random; NULL if there is
 * none.
 */
static JobEntry *
draw_held(const JobBatch *batch)
{
	JobEntry   *drawn = NULL;
	int			nheld = 0;

	for (int i = 0; i < batch->n; i++)
	{
		JobEntry   *entry = batch->entries[i];

		if (entry == NULL || entry == batch->checked || entry->state != ENTRY_HELD || entry->record == NULL)
			continue;
		if (pg_prng_uint64_range(&pg_global_prng_state, 0, nheld++) == 0)
			drawn = entry;
	}
	return drawn;
}

/*
 * The entry being checked has everything it needs, or will not get it: compare it.  If it
 * differs, ask Search again before distrusting it.  If nothing could be compared, check
 * another entry, or use no record of the batch.
 */
static void
check(JobBatches *batches, JobBatch *batch)
{
	bool		compared = compare_checked(batches, batch);
	bool		denied = batch->checked->state == ENTRY_FAILED && smf_call_denied(batch->checked->call);
	JobEntry   *other;

	if (batch->differing != 0)
	{
		batch->state = BATCH_REPEATED;
		return;
	}
	other = compared || ++batch->nempty > EMPTY_CHECKS_MAX ? NULL : draw_held(batch);
	if (other == NULL)
	{
		/* if Describe is denied, there is nothing to compare Search with */
		release_batch(batches, batch, (compared || denied) && batches->asking);
		return;
	}
	release_checked(batches, batch);
	begin_check(batch, other);
}

/*
 * Do not use records that have not left yet for attributes that the query reads: describe
 * these jobs or, if only the tags are distrusted, list their tags.
 */
static void
doubt_records(JobBatches *batches, JobBatch *batch)
{
	const JobFetcher *fetcher = batches->fetcher;
	JobDocuments *documents = fetcher->spec->documents;

	for (int i = 0; i < batch->n; i++)
	{
		JobEntry   *entry = batch->entries[i];
		bool		held;

		if (entry == NULL || entry->record == NULL || entry->checked)
			continue;
		held = entry->state == ENTRY_HELD;
		if (fetcher->spec->want_tags && !fetcher->record_tags && !held)
			smf_entry_forget_tags(entry);
		if (batches->asking)
			continue;
		smf_entry_forget_record(entry);
		/* a job that is unwanted because of its tags stays so */
		if (entry->state == ENTRY_GONE)
			continue;
		let_go(batch, entry);
		if (held)
			continue;
		smf_progress_count(fetcher->spec->progress, SMF_PROGRESS_DESCRIBED, -1);
		if (documents != NULL)
			documents->from_search--;
	}
	if (batch->state == BATCH_HELD)
		close_batch(batch);
}

/*
 * The query reads attributes that are now distrusted: describe the jobs that have not
 * left yet.
 */
static void
doubt_all_records(JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
		doubt_records(batches, &batches->batches[i]);
}

/*
 * Another scan, of this or another session, may have found in the meantime that Search
 * differs in an attribute that the query reads.
 */
static void
heed_others(JobBatches *batches)
{
	AttributeSet before = batches->distrusted;
	AttributeSet found;

	heed_trust(batches);
	found = batches->read & batches->distrusted & ~before;
	if (found == 0)
		return;
	count_rows(batches);
	smf_trust_heard(batches->trust, batches->fetcher->client, found);
	doubt_all_records(batches);
}

/*
 * The job that differed was searched for again, or that took too long: does it differ
 * again?
 */
static void
take_repeated(JobBatches *batches, JobBatch *batch)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	JobEntry   *entry = batch->checked;
	bool		answered = smf_call_done(batch->call) && !smf_call_failed(batch->call);
	JsonbContainer *results = answered ? read_results(batch) : NULL;
	AttributeSet proved = 0;
	AttributeSet differing = 0;
	bool		usable;

	/* Compare the first record of the right version, as before. */
	for (int i = 0; results != NULL && i < JsonContainerSize(results) && proved == 0; i++)
	{
		JsonbValue	record;
		JsonbValue	name;

		if (!get_record(results, i, &record, &name) || find_entry(batch, &name) != entry)
			continue;
		proved = smf_proof_attributes(&entry->listed->root, record.val.binary.data);
		if (proved != 0)
			differing = differences(batches, entry, JsonbValueToJsonb(&record), proved);
	}
	differing &= batch->differing;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	smf_call_free(batch->call);
	batch->call = NULL;

	/* An attribute that differs twice is distrusted by all sessions. */
	if (differing != 0)
	{
		count_rows(batches);
		smf_trust_distrust(batches->trust, batches->fetcher->client, differing);
		heed_trust(batches);
	}
	if (differing & batches->read)
		doubt_all_records(batches);

	/*
	 * A difference that has gone may have gone for this job only, so the records are not
	 * used.  A difference in tags does not matter if tags are listed anyway.
	 */
	usable = (batch->differing & batches->read & ~batches->tags) == 0 &&
		((batch->differing & batches->read) == 0 || !batches->fetcher->record_tags);
	release_batch(batches, batch, usable && batches->asking);
}

/* ----- for the stream ----- */

/* The batch's Search has been answered, or is abandoned. */
static void
end_search(JobBatches *batches, JobBatch *batch)
{
	bool		answered = smf_call_done(batch->call);

	heed_others(batches);
	if (batch->state == BATCH_REPEATED)
		take_repeated(batches, batch);
	else if (!answered)
		fail_batch(batches, batch);
	else if (smf_call_failed(batch->call))
		take_failure(batches, batch);
	else
	{
		/*
		 * let the page that was just requested be sent while a hundred records are being
		 * read
		 */
		smf_http_poll();
		take_records(batches, batch);
	}
}

/*
 * Has Search had enough time?  It gets more if the delay says nothing about Search: its
 * answer may have arrived while nobody looked, and without credentials or a connection no
 * job can be described either.
 */
static bool
is_overdue(JobBatch *batch)
{
	AwsCallState state = smf_call_state(batch->call);
	int64		now_us = smf_http_now();

	if (now_us < batch->deadline_us)
		return false;
	if (now_us - batch->deadline_us < AWAY_US && state != SMF_CALL_WAITS_FOR_CREDENTIALS &&
		state != SMF_CALL_WAITS_FOR_CONNECTION)
		return true;
	batch->deadline_us = now_us + PATIENCE_US;
	return false;
}

/* Must the batch's Search be started, as soon as a call may be made? */
static bool
is_due(const JobBatch *batch)
{
	return batch->call == NULL && (batch->state == BATCH_ASKED || batch->state == BATCH_REPEATED);
}

/* Move the batch as far as it goes without waiting; true if it has moved. */
static bool
advance_batch(JobBatches *batches, JobBatch *batch)
{
	if (is_due(batch))
		return false;
	switch (batch->state)
	{
		case BATCH_FREE:
		case BATCH_HELD:
			return false;
		case BATCH_ASKED:
		case BATCH_REPEATED:
			if (!smf_call_done(batch->call) && !is_overdue(batch))
				return false;
			end_search(batches, batch);
			return true;
		case BATCH_CHECKED:
			if (batch->checked->state != ENTRY_HELD && batch->checked->state < ENTRY_COMPLETE)
				return false;
			heed_others(batches);
			check(batches, batch);
			return true;
	}
	pg_unreachable();
}

/*
 * smf_batches_advance
 *		Process what has arrived, and decide what can be decided; true if anything has
 *		moved.
 */
bool
smf_batches_advance(JobBatches *batches)
{
	bool		moved = false;

	/* act on this session's findings at once, on those of other sessions with each answer */
	if (batches->nheeded != smf_trust_differences())
		heed_others(batches);
	for (int i = 0; i < SMF_BATCHES; i++)
		moved |= advance_batch(batches, &batches->batches[i]);
	return moved;
}

/*
 * smf_batches_due
 *		Must Search be asked again: in another form, or for the job being checked?
 */
bool
smf_batches_due(const JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		if (is_due(&batches->batches[i]))
			return true;
	}
	return false;
}

/* There is room for a call: start the first Search that is due. */
void
smf_batches_start_due(JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		if (is_due(&batches->batches[i]))
		{
			start_search(batches, &batches->batches[i]);
			return;
		}
	}
}

/*
 * The entry of the i-th batch that is described in order to be checked, wherever it is in
 * the ring; or NULL.
 */
JobEntry *
smf_batches_checked(const JobBatches *batches, int i)
{
	return batches->batches[i].checked;
}

/* The entry leaves the ring, as a job or because its record shows that it is not wanted. */
void
smf_batches_leave(JobBatches *batches, JobEntry *entry)
{
	JobBatch   *batch = entry->batch;

	if (batch == NULL)
		return;
	batches->nrows += entry->record != NULL;
	batch->entries[entry->place] = NULL;
	if (entry->record != NULL && --batch->nheld == 0 && batch->state == BATCH_HELD)
		batch->state = BATCH_FREE;
}

/* Number of Searches in flight. */
int
smf_batches_in_flight(const JobBatches *batches)
{
	int			n = 0;

	for (int i = 0; i < SMF_BATCHES; i++)
	{
		const AwsCall *call = batches->batches[i].call;

		n += call != NULL && !smf_call_done(call);
	}
	return n;
}

/* When the first of them will be abandoned, smf_http_now(); 0 if none is in flight. */
int64
smf_batches_deadline(const JobBatches *batches)
{
	int64		deadline_us = 0;

	for (int i = 0; i < SMF_BATCHES; i++)
	{
		const JobBatch *batch = &batches->batches[i];

		if (batch->call != NULL && (deadline_us == 0 || batch->deadline_us < deadline_us))
			deadline_us = batch->deadline_us;
	}
	return deadline_us;
}
