/*-------------------------------------------------------------------------
 *
 * batch.c
 *		Jobs whose documents Search is asked for, a batch at a time.
 *
 *		ASKABLE --ask--> ASKED --a record is proved--> HELD --no check differs--> IDLE, with it
 *					 	   |						    |
 *					 	   +----------------------------+--> IDLE, without: Describe is next
 *
 * The list says which jobs there are, and how each stands now.  A record of Search is taken
 * for a job's document where it is proved to be of the version that the list names (proof.c);
 * all other jobs are described.  So Search can cost a call, and never a row: whatever it
 * answers, late, old, poor or nothing, the query goes on by Describe.
 *
 * Whether Search spells contents as Describe does, no proof can see.  So from time to time a job
 * that is asked for is described as well, drawn before Search answers, and the records of its
 * batch wait until both are compared.  What differs, when that job is searched for again, too, is
 * not taken from Search for a day (trust.c), nor what is held of it by then.
 *
 * Not accounted for: contents that differ in a few jobs only are found when one of these is
 * drawn.  A job that was deleted since it was listed may be found by Search for a while.
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

/* What Search may cost a batch before that is described. */
#define ATTEMPTS_MAX 2
#define PATIENCE_US INT64CONST(5000000)

/* Whoever looks so much later than that was away, as while a cursor is left open. */
#define AWAY_US INT64CONST(1000000)

/* So many batches in a row, with less than one job in so many proved, and Search is left alone for a while. */
#define POOR_BATCHES 3
#define POOR_SHARE 5
#define FIRST_REST 8

/* So many more jobs of a batch are drawn where nothing could be compared. */
#define EMPTY_CHECKS_MAX 3

/* ----- what Search is believed ----- */

/*
 * Heed which attributes are not taken from Search: where the query reads one of them every
 * job is described from now on, and where that is tags alone, they are listed.
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

/* Prepare the batches of a stream; its spec says whether there are to be any. */
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

/* Let the session know of rows that have left. */
static void
count_rows(JobBatches *batches)
{
	smf_trust_count_rows(batches->trust, batches->read, batches->nrows);
	batches->nrows = 0;
}

/* Break off what is in flight. */
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

/* Let the entry, whose job was listed, wait for a batch if Search may be asked for it. */
void
smf_batches_take(const JobBatches *batches, JobEntry *entry)
{
	if (batches->asking && smf_proof_may_ask(&entry->listed->root, entry->date_s))
		entry->state = ENTRY_ASKABLE;
}

/* The place of a batch that is none, or -1. */
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

/* Is it of any use to ask Search for so many jobs? */
static bool
worth_asking(const JobBatches *batches, int n)
{
	return batches->asking && n >= SMF_BATCH_JOBS_MIN;
}

/* Is there room for what smf_batches_ask does about so many jobs? */
bool
smf_batches_room(const JobBatches *batches, int n)
{
	return !worth_asking(batches, n) || batches->resting > 0 || free_place(batches) >= 0;
}

/*
 * Start the batch's Search, in the form that the service takes: for all of its entries or, where
 * that is what is repeated, for the one that is checked.
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

/* Search is not asked for these: each is described. */
static void
describe_entries(JobEntry **entries, int n)
{
	for (int i = 0; i < n; i++)
		entries[i]->state = ENTRY_IDLE;
}

/* The entry is checked: it is described, too. */
static void
begin_check(JobBatch *batch, JobEntry *entry)
{
	/* its document is read as a whole */
	Assert(entry->document == NULL);
	batch->checked = entry;
	entry->checked = true;
	entry->state = ENTRY_IDLE;
}

/*
 * smf_batches_ask
 *		Ask Search for the documents of entries that wait for it, at most a batch's size; or,
 *		where that is of no use, let them be described.
 *
 * There is room for a batch.
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

	/* Draw the one that is checked before anybody knows what Search says of it. */
	if (smf_trust_check_due(batches->trust) || batches->fetcher->spec->check_each)
		begin_check(batch, entries[pg_prng_uint64_range(&pg_global_prng_state, 0, n - 1)]);
}

/* ----- entries that take a record, or go on without ----- */

/* The record stands for the entry's document: the entry goes on with it. */
static void
accept(JobBatches *batches, JobEntry *entry)
{
	JobDocuments *documents = batches->fetcher->spec->documents;

	if (documents != NULL)
		documents->from_search++;
	smf_progress_count(batches->fetcher->spec->progress, SMF_PROGRESS_DESCRIBED, 1);
	smf_entry_take_record(batches->fetcher, entry);
}

/* The entry goes on without a record, and is none of the batch's any more. */
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

/* Entries of which Search has proved nothing go on without the batch, in that state. */
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

/* Nothing is open about the batch any more. */
static void
close_batch(JobBatch *batch)
{
	batch->state = batch->nheld > 0 ? BATCH_HELD : BATCH_FREE;
}

/* May the document come from the record, by which attributes it stands for? */
static bool
stands(const JobBatches *batches, const JobEntry *entry)
{
	return entry->record != NULL && (batches->read & ~batches->tags & ~entry->proved) == 0;
}

/*
 * The entry that was checked goes on as any other: with what Describe says or, where its
 * policy denies this one job and Search knows it, with the record.
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

	/* its tags are to be had, as those of any other */
	entry->tags_unknown = false;
	if (denied && batches->asking && stands(batches, entry))
	{
		smf_entry_drop_failure(entry);
		accept(batches, entry);
		return;
	}
	let_go(batch, entry);
}

/* No check keeps the batch any more: its entries go on, with their records if "usable". */
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

/* How much a batch has brought: where that is little, Search rests. */
static void
note_yield(JobBatches *batches, int nproved, int nasked)
{
	if (nproved * POOR_SHARE >= nasked)
	{
		batches->npoor = 0;
		batches->rest = FIRST_REST;
		return;
	}
	/* after a rest, one that is poor is enough */
	if (++batches->npoor < POOR_BATCHES)
		return;
	batches->resting = batches->rest;
	batches->rest *= 2;
}

/* The batch's call is done with: its entries are described. */
static void
fail_batch(JobBatches *batches, JobBatch *batch)
{
	smf_call_free(batch->call);
	batch->call = NULL;
	note_yield(batches, 0, batch->n);
	release_batch(batches, batch, false);
}

/* The answer is too large: from now on ask for half as many, these among them. */
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

/* Search has failed: what is to become of the batch? */
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
		/* another batch may have tried the other form meanwhile */
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

/* The n-th of the records in an answer, and the name in it; false if it is none. */
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
 * The list of records that the batch's call has answered, in the current memory context;
 * NULL when it is no such answer.
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
 * Give entries their records, each the first that is proved; of the one that is checked also a
 * record that lacks what the query reads.  Returns how many can go on with theirs.
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

/* Search has answered: what is not proved is described, the rest waits for the check. */
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
	/* what is not asked for any more is not to be used either */
	if (batch->checked == NULL || !batches->asking)
		release_batch(batches, batch, batches->asking);
	else
		batch->state = BATCH_CHECKED;
}

/* ----- the check ----- */

/* In which attributes does the record differ from what Describe, and ListTags, say of the job? */
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

/* Count a check that could be made. */
static void
count_check(JobBatches *batches)
{
	if (batches->fetcher->spec->documents != NULL)
		batches->fetcher->spec->documents->checked++;
}

/*
 * Compare the entry that is checked, for which all that it needs is there; false when there
 * is nothing to compare.
 */
static bool
compare_checked(JobBatches *batches, JobBatch *batch)
{
	JobEntry   *entry = batch->checked;

	if (entry->state != ENTRY_HELD || entry->described == NULL || entry->record == NULL)
		return false;
	smf_entry_read_document(batches->fetcher, entry);
	/* the job may have changed since it was listed: that says nothing of Search */
	if (!smf_proof_same_version(&entry->listed->root, &entry->document->root))
		return false;
	count_check(batches);
	batch->differing = differences(batches, entry, entry->record, entry->proved) &
		~batches->distrusted;
	return true;
}

/* An entry that has a record and waits for the check, drawn at random; NULL if none does. */
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
 * The entry that is checked has all that it needs, or will not get it: compare it.  Where it
 * differs, ask again before anybody is accused.  Where nothing could be compared nothing was
 * checked: check another one, or believe no record of the batch.
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
		/* where Describe is denied there is no other word than Search's */
		release_batch(batches, batch, (compared || denied) && batches->asking);
		return;
	}
	release_checked(batches, batch);
	begin_check(batch, other);
}

/*
 * Records that have not left yet are not believed in what the query reads: describe these
 * jobs or, where it is tags alone, list their tags.
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
		/* one that its tags refuse stays as it is */
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

/* Nobody believes the attributes, of which the query reads some: describe what has not left. */
static void
doubt_all_records(JobBatches *batches)
{
	for (int i = 0; i < SMF_BATCHES; i++)
		doubt_records(batches, &batches->batches[i]);
}

/*
 * Another scan, of this session or of another one, may have found out meanwhile that Search
 * differs in what the query reads.
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

/* The job that differs was searched for again, unless that took too long: has it differed again? */
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

	/* Compare the first record that is of the version, as before. */
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

	/* What differs twice is not trusted, by nobody. */
	if (differing != 0)
	{
		count_rows(batches);
		smf_trust_distrust(batches->trust, batches->fetcher->client, differing);
		heed_trust(batches);
	}
	if (differing & batches->read)
		doubt_all_records(batches);

	/* What was mended meanwhile may be so for this job only; and tags are listed by now, or taken. */
	usable = (batch->differing & batches->read & ~batches->tags) == 0 &&
		((batch->differing & batches->read) == 0 || !batches->fetcher->record_tags);
	release_batch(batches, batch, usable && batches->asking);
}

/* ----- for the stream ----- */

/* The batch's Search has been answered, or is given up. */
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
		/* let the page that was asked for just now be on its way while a hundred records are read */
		smf_http_poll();
		take_records(batches, batch);
	}
}

/*
 * Has Search had its time?  It gets more where that says nothing of Search: an answer that nobody
 * has looked for may have come, and without credentials or a connection no job is described either.
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

/* Is the batch's Search to be started, as soon as a call may? */
static bool
is_due(const JobBatch *batch)
{
	return batch->call == NULL && (batch->state == BATCH_ASKED || batch->state == BATCH_REPEATED);
}

/* Move the batch on as far as it goes without waiting; true when it has moved. */
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
 *		Take what has come, and decide what can be; true when anything has moved.
 */
bool
smf_batches_advance(JobBatches *batches)
{
	bool		moved = false;

	/* what this session has found out counts at once, what others have with each answer */
	if (batches->nheeded != smf_trust_differences())
		heed_others(batches);
	for (int i = 0; i < SMF_BATCHES; i++)
		moved |= advance_batch(batches, &batches->batches[i]);
	return moved;
}

/*
 * smf_batches_due
 *		Is a Search to be asked again: in another form, or for the job that is checked?
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

/* There is room for a call: start the first of these Searches. */
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

/* The entry of the i-th batch that is described to be checked, wherever it stands; or NULL. */
JobEntry *
smf_batches_checked(const JobBatches *batches, int i)
{
	return batches->batches[i].checked;
}

/* The entry leaves the ring, as a job or since its record says that it is not wanted. */
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

/* Searches that are in flight. */
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

/* When the first of them is given up, smf_http_now(); 0 when none is in flight. */
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
