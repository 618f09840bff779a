/*-------------------------------------------------------------------------
 *
 * stream.c
 *		Training jobs, one after another, with many calls in flight.
 *
 *		lookups.c: names --+						  +-> entry.c: its own calls --+
 *						   +-> ring of entries -> +							   +-> next job
 *		walk.c: pages -----+						  +-> batch.c: Search ----------+
 *
 * Entries are kept in a ring, in list order.  Calls are made for those in a window at its
 * head, so that memory does not grow with the history, and a page is requested while the
 * jobs of the previous page are still being described.  Answers may arrive in any order;
 * jobs leave in the order of the list.
 *
 * A job that is gone is skipped.  Any other failure ends the stream with an error, once
 * the jobs before it have left: a stream returns all jobs or fails.
 *
 * Not accounted for: a listed job may be out of date by the time it leaves; see walk.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "http/http.h"
#include "jobs/batch.h"
#include "jobs/entry.h"
#include "jobs/lookups.h"
#include "jobs/stream.h"
#include "jobs/walk.h"
#include "miscadmin.h"
#include "utils/memutils.h"

struct JobStream
{
	AwsClient  *client;			/* not ours */
	JobStreamSpec spec;
	MemoryContext context;		/* the stream and everything in it */
	MemoryContext job_context;	/* of the job returned last; or NULL */

	/* the source of entries: one of these, the other is NULL */
	JobLookups *lookups;
	JobWalk    *walk;
	JobOperation list_operation;	/* returns the walk's pages */
	bool		source_done;	/* no more entries will come */

	/* the ring of entries */
	JobEntry   *ring;
	int			capacity;
	int			head;			/* index of the first entry */
	int			nentries;
	JobFetcher	fetcher;		/* what entries share */
	JobBatches	batches;		/* entries that Search is asked for */
	bool		batch_due;		/* one of them is to be started, as soon as a call may be
								 * made */
	int			in_flight;		/* calls for entries */
	bool		moved;			/* has anything moved since we last thought of waiting? */

	/* how much to fetch ahead, and progress */
	int			ramp_window;	/* entries fetched ahead while ramping up */
	int			ramp_taken;		/* of these, returned or gone */
	int64		njobs_taken;	/* returned */
	ProgressNotices own_notices;
	ProgressNotices *notices;	/* the scan's, or own_notices */
};

/* ----- the ring ----- */

static JobEntry *
entry_at(JobStream *stream, int position)
{
	return &stream->ring[(stream->head + position) % stream->capacity];
}

/* The first entry leaves; its memory lasts until the next one leaves. */
static void
pop_entry(JobStream *stream)
{
	if (stream->job_context != NULL)
		MemoryContextDelete(stream->job_context);
	smf_batches_leave(&stream->batches, entry_at(stream, 0));
	stream->job_context = smf_entry_end(entry_at(stream, 0));
	stream->head = (stream->head + 1) % stream->capacity;
	stream->nentries--;
}

/*
 * Number of calls in flight.  A failed page is not counted, although it is kept until the
 * jobs before it have left: they must not wait for it.
 */
static int
calls_in_flight(const JobStream *stream)
{
	bool		page = stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_CALLING;

	return stream->in_flight + page + smf_batches_in_flight(&stream->batches);
}

/* How many entries may have calls of their own at a time. */
static int
most_described(const JobStream *stream)
{
	return 2 * stream->spec.max_concurrency;
}

/*
 * How many entries, from the head of the ring, may be fetched now?  If Search is asked
 * for documents, all of them: most_described() limits the others.
 */
static int
window_size(const JobStream *stream)
{
	int			window = stream->batches.asking ? stream->capacity : most_described(stream);

	if (stream->spec.bound > 0)
		window = Min(window, Max(stream->spec.bound - stream->njobs_taken, 1));
	if (stream->spec.ramp)
		window = Min(window, stream->ramp_window);
	return window;
}

/* An entry has left the ring: after every window of them, fetch twice as many ahead. */
static void
ramp_up(JobStream *stream)
{
	if (++stream->ramp_taken < stream->ramp_window)
		return;
	stream->ramp_taken = 0;
	stream->ramp_window = Min(2 * stream->ramp_window, stream->capacity);
}

/* ----- sources of entries ----- */

/* The size of the next page, or 0 if none should be requested now. */
static int
next_page_size(const JobStream *stream)
{
	const JobStreamSpec *spec = &stream->spec;
	int			size;

	if (stream->walk == NULL || smf_walk_state(stream->walk) != SMF_WALK_READY)
		return 0;
	size = smf_walk_page_size(stream->walk);
	/* if the service may leave jobs out, small pages would only lead to many of them */
	if (spec->bound > 0 && !spec->narrowed)
		size = Min(size, Max(spec->bound - stream->njobs_taken - stream->nentries, 1));
	if ((spec->bound > 0 || spec->ramp) && stream->nentries >= window_size(stream))
		return 0;
	return stream->nentries + size <= stream->capacity ? size : 0;
}

/* Add entries for jobs to look up, as many as there is room for. */
static void
fill_from_lookups(JobStream *stream)
{
	const WantedJob *wanted;
	const CachedJob *cached;

	while (stream->nentries < stream->capacity && !stream->source_done)
	{
		wanted = smf_lookups_next(stream->lookups, &cached);
		if (wanted == NULL)
		{
			stream->source_done = true;
			break;
		}
		if (!stream->spec.counted)
			smf_progress_count(stream->spec.progress, SMF_PROGRESS_SEEN, 1);
		smf_entry_begin_wanted(&stream->fetcher, entry_at(stream, stream->nentries), wanted, cached);
		if (wanted->summary != NULL)
			smf_batches_take(&stream->batches, entry_at(stream, stream->nentries));
		stream->nentries++;
	}
}

/* Add entries for the wanted jobs of the page that has arrived, and request the next page. */
static void
fill_from_walk(JobStream *stream)
{
	JobWalk    *walk = stream->walk;
	WalkState	state;
	ListedJob	job;
	int			page_size;

	smf_walk_shrink(walk);
	state = smf_walk_state(walk);
	/* a failed page is an error only after the jobs before it have left */
	if (state == SMF_WALK_ANSWERED || (state == SMF_WALK_FAILED && stream->nentries == 0))
	{
		while (smf_walk_next(walk, &job))
		{
			JobEntry   *entry = entry_at(stream, stream->nentries++);

			Assert(stream->nentries <= stream->capacity);
			if (smf_entry_begin_listed(&stream->fetcher, entry, walk, &job))
			{
				smf_batches_take(&stream->batches, entry);
				continue;
			}
			MemoryContextDelete(smf_entry_end(entry));
			stream->nentries--;
		}
	}
	page_size = next_page_size(stream);
	if (page_size > 0 && calls_in_flight(stream) < stream->spec.max_concurrency)
		smf_walk_ask(walk, page_size);
	stream->source_done = smf_walk_state(walk) == SMF_WALK_DONE;
}

/* Add as many entries as there is room for, if their source has any. */
static void
fill(JobStream *stream)
{
	if (stream->lookups != NULL)
	{
		smf_lookups_advance(stream->lookups);
		fill_from_lookups(stream);
	}
	else
		fill_from_walk(stream);
}

/* ----- fetching for entries ----- */

/*
 * May another call for an entry be made?  One is reserved for a page, and one for a
 * batch, if they are due, because in the end all jobs wait for them.
 */
static bool
has_room(const JobStream *stream)
{
	int			due = (next_page_size(stream) > 0) + stream->batch_due;

	return calls_in_flight(stream) < Max(stream->spec.max_concurrency - due, 1);
}

/* Move an entry as far as it goes without waiting; true when it has ended. */
static bool
advance(JobStream *stream, JobEntry *entry)
{
	bool		follows = false;
	JobOperation operation;

	/* The call that follows an answer takes over its place in the limit. */
	if (entry->state == ENTRY_CALLING && smf_call_done(entry->call))
	{
		stream->in_flight--;
		stream->moved = true;
		follows = true;
		smf_entry_take_answer(&stream->fetcher, entry);
	}

	/*
	 * An ARN that only the list can resolve: the entry continues when all jobs were
	 * listed.
	 */
	if (entry->state == ENTRY_LISTING)
	{
		smf_lookups_find_arn(stream->lookups, entry);
		if (entry->state != ENTRY_LISTING)
			stream->moved = true;
	}

	/* Start the next call, if there is one and room for it. */
	if (entry->state == ENTRY_IDLE)
	{
		if (!smf_entry_next_operation(&stream->fetcher, entry, &operation))
		{
			if (entry->checked)
				entry->state = ENTRY_HELD;
			else
				smf_entry_complete(&stream->fetcher, entry);
		}
		else if (follows || has_room(stream))
		{
			smf_entry_start_call(&stream->fetcher, entry, operation);
			stream->in_flight++;
		}
	}
	/* its check may still give it another use */
	return entry->state >= ENTRY_COMPLETE && !entry->checked;
}

/* Does the entry wait for Search, or has it got what it needs from there? */
static bool
is_searched(const JobEntry *entry)
{
	return (entry->state >= ENTRY_ASKABLE && entry->state <= ENTRY_HELD) ||
		(entry->record != NULL && entry->state == ENTRY_COMPLETE);
}

/*
 * Move the entries in the window; true when the first one has ended.
 *
 * The window may end before entries with calls in flight, if earlier entries turn out not
 * to get their documents from Search.  Calls that were started are followed through: a
 * call counts as in flight until its answer is taken.
 */
static bool
advance_window(JobStream *stream)
{
	int			window = Min(stream->nentries, window_size(stream));
	int			ndescribed = 0;
	int			ncalling = 0;	/* entries seen so far that have a call in flight */
	bool		first_ended = false;

	/* Entries being checked come first, wherever they are: others wait for them. */
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		JobEntry   *checked = smf_batches_checked(&stream->batches, i);

		if (checked != NULL)
			(void) advance(stream, checked);
	}

	/* The others come in order; outside the window, only those with a call under way. */
	for (int i = 0; i < stream->nentries; i++)
	{
		JobEntry   *entry = entry_at(stream, i);
		bool		beyond = i >= window || ndescribed >= most_described(stream);
		bool		ended;

		if (beyond && ncalling == stream->in_flight)
			break;
		if (beyond && entry->state != ENTRY_CALLING)
			continue;
		ended = advance(stream, entry);
		if (i == 0)
			first_ended = ended;
		ndescribed += !is_searched(entry);
		ncalling += entry->state == ENTRY_CALLING;
	}
	return first_ended;
}

/* ----- Search ----- */

/* Can no further entry join those in the window, whatever arrives and leaves? */
static bool
window_is_final(const JobStream *stream)
{
	bool		no_more = stream->source_done ||
		(stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_FAILED);
	int			window = window_size(stream);

	return (no_more && stream->nentries <= window) ||
		(stream->spec.bound > 0 && !stream->spec.ramp && stream->nentries >= window);
}

/* Can no entry join them before the first one has left? */
static bool
window_is_full(const JobStream *stream)
{
	if (stream->nentries >= window_size(stream))
		return true;
	return stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_READY &&
		next_page_size(stream) == 0;
}

/*
 * Ask Search for a batch of the entries that wait for it, as soon as the batch is full,
 * or cannot get any fuller before its first entry is wanted.  True if anything was
 * decided.
 */
static bool
ask_for_batch(JobStream *stream)
{
	int			window = Min(stream->nentries, window_size(stream));
	JobEntry   *entries[SMF_SEARCH_JOBS_MAX];
	int			n = 0;

	/* Collect them. */
	stream->batch_due = false;
	for (int i = 0; i < window && n < stream->batches.size; i++)
	{
		if (entry_at(stream, i)->state == ENTRY_ASKABLE)
			entries[n++] = entry_at(stream, i);
	}

	/* Is it time, and is there room? */
	if (n == 0)
		return false;
	if (n < stream->batches.size && !window_is_final(stream) && stream->batches.asking &&
		!(window_is_full(stream) && entry_at(stream, 0)->state == ENTRY_ASKABLE))
		return false;
	if (!smf_batches_room(&stream->batches, n))
		return false;
	if (calls_in_flight(stream) >= stream->spec.max_concurrency)
	{
		stream->batch_due = true;
		return false;
	}
	smf_batches_ask(&stream->batches, entries, n);
	return true;
}

/* Process the answers of Search, and start more Searches. */
static void
advance_batches(JobStream *stream)
{
	if (!stream->spec.prove)
		return;
	if (smf_batches_advance(&stream->batches))
		stream->moved = true;
	while (smf_batches_due(&stream->batches) && calls_in_flight(stream) < stream->spec.max_concurrency)
		smf_batches_start_due(&stream->batches);
	while (ask_for_batch(stream))
		stream->moved = true;
	stream->batch_due |= smf_batches_due(&stream->batches);
}

/* The first entry has ended, and leaves; true if it is a job, which is returned in "job". */
static bool
take_first(JobStream *stream, Job *job)
{
	JobEntry   *entry = entry_at(stream, 0);
	bool		found = entry->state == ENTRY_COMPLETE;

	if (entry->state == ENTRY_FAILED)
		smf_call_raise(entry->call);
	if (found)
		smf_entry_read_job(&stream->fetcher, entry, job);
	if (stream->lookups != NULL)
	{
		smf_lookups_remember(stream->lookups, entry, found ? job : NULL);
		if (found && smf_lookups_duplicate(stream->lookups, entry->wanted, job))
		{
			pop_entry(stream);
			return false;
		}
	}
	pop_entry(stream);
	ramp_up(stream);
	/* a job that is gone does not count towards the bound: the next job does */
	stream->njobs_taken += found;
	return found;
}

/* ----- the stream ----- */

/* The source is a list: create its walk. */
static void
begin_walk(JobStream *stream)
{
	const JobStreamSpec *spec = &stream->spec;
	JobWalkSpec walk = {0};

	stream->list_operation = smf_source_operation(spec->source);
	walk.operation = stream->list_operation;
	walk.query = spec->query;
	walk.page_size = spec->fetch_size;
	walk.ordered = spec->ordered;
	walk.members = spec->members;
	walk.attempts = spec->attempts;
	walk.progress = spec->progress;
	stream->walk = smf_walk_begin(stream->client, &walk);
}

/*
 * smf_stream_begin
 *		Create a stream of jobs, in its own memory context below the current one.
 *
 * No call is made before smf_stream_start or smf_stream_next.  The client, and what the
 * spec points to, must outlive the stream.
 */
JobStream *
smf_stream_begin(AwsClient *client, const JobStreamSpec *spec)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sagemaker_fdw stream",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	JobStream  *stream = palloc0(sizeof(JobStream));

	/* The stream, its notices, and the data that its entries share. */
	stream->client = client;
	stream->spec = *spec;
	stream->context = context;
	stream->ramp_window = 1;
	stream->notices = spec->notices ? spec->notices : &stream->own_notices;
	stream->notices->label = spec->label;
	stream->notices->interval_us = spec->notice_us;
	stream->notices->estimated = spec->estimated;
	stream->notices->attempts = spec->attempts;
	stream->notices->calls_by_search = spec->calls_by_search;
	smf_fetcher_init(&stream->fetcher, client, &stream->spec);
	smf_batches_init(&stream->batches, &stream->fetcher);

	/* The source of entries, which others can see. */
	if (spec->source == SMF_FROM_NAMES)
	{
		stream->lookups = smf_lookups_begin(client, &stream->spec);
		if (!spec->counted)
			smf_progress_source(spec->progress, SMF_OP_DESCRIBE_TRAINING_JOB, list_length(spec->wanted));
	}
	else
	{
		begin_walk(stream);
		smf_progress_source(spec->progress, stream->list_operation, spec->estimated);
	}

	/*
	 * A page is requested early enough to arrive while the windows before it are in
	 * progress.
	 */
	stream->capacity = 2 * spec->max_concurrency;
	if (spec->source != SMF_FROM_NAMES)
		stream->capacity += 2 * spec->max_concurrency + spec->fetch_size;
	/* a batch is collected while others are under way or wait for a check */
	if (spec->prove)
		stream->capacity += (SMF_BATCHES + 1) * SMF_SEARCH_JOBS_MAX;
	stream->ring = palloc0(stream->capacity * sizeof(JobEntry));
	MemoryContextSwitchTo(old);
	return stream;
}

/* Send the first calls, without waiting for them. */
void
smf_stream_start(JobStream *stream)
{
	fill(stream);
	(void) advance_window(stream);
}

/* Show others what the stream waits for: the job that leaves next, or the next page. */
static void
show_wait(JobStream *stream)
{
	Progress   *progress = stream->spec.progress;
	const JobEntry *first = entry_at(stream, 0);

	/* a job with a record waits for the one in its batch that is being checked */
	if (stream->nentries > 0 && first->state == ENTRY_HELD && first->batch->checked != NULL)
		first = first->batch->checked;
	if (stream->nentries > 0 && first->state == ENTRY_CALLING)
		smf_progress_show_wait(progress, first->call, first->operation);
	else if (stream->nentries > 0 && (first->state == ENTRY_ASKED || first->state == ENTRY_HELD))
		smf_progress_show_wait(progress, first->batch->call, SMF_OP_SEARCH);
	else if (stream->walk != NULL)
		smf_progress_show_wait(progress, smf_walk_call(stream->walk), stream->list_operation);
	else
		smf_progress_show_wait(progress, NULL, 0);
}

/* Jobs returned, for the user's notices; those fetched ahead were counted before. */
static int64
jobs_read(const JobStream *stream)
{
	return stream->spec.counted ? 0 : stream->njobs_taken;
}

/* Jobs that were listed or looked up. */
static int64
jobs_listed(const JobStream *stream)
{
	if (stream->spec.counted)
		return 0;
	return stream->walk ? smf_walk_listed(stream->walk) : smf_lookups_listed(stream->lookups);
}

/*
 * Tell the user about the progress of the stream, if a notice is due.  Set the alarm for
 * the next notice, or for the time when a Search is abandoned.
 */
static void
notify(JobStream *stream)
{
	const ProgressNotices *notices = stream->notices;
	int64		next_us = smf_progress_notify(stream->notices, notices->njobs_read + jobs_read(stream),
											  notices->njobs_listed + jobs_listed(stream));
	int64		deadline_us = smf_batches_deadline(&stream->batches);

	if (next_us == 0 || (deadline_us != 0 && deadline_us < next_us))
		next_us = deadline_us;
	if (next_us != 0)
		smf_client_wake_at(stream->client, next_us);
}

/*
 * DENIED or UNKNOWN if the very first page failed for that reason and the caller wants to
 * know; otherwise JOB.
 */
static JobStreamResult
first_page_result(const JobStream *stream)
{
	const AwsCall *failed;

	if (!stream->spec.may_refuse || stream->walk == NULL)
		return SMF_STREAM_JOB;
	failed = smf_walk_first_failure(stream->walk);
	if (failed != NULL && smf_call_denied(failed))
		return SMF_STREAM_DENIED;
	if (failed != NULL && smf_job_not_found(smf_call_error(failed)))
		return SMF_STREAM_UNKNOWN;
	return SMF_STREAM_JOB;
}

/* The next job; waits for it, or returns SMF_STREAM_WAIT. */
static JobStreamResult
look_for_job(JobStream *stream, Job *job, bool wait)
{
	bool		waited = false;

	for (;;)
	{
		JobStreamResult result = first_page_result(stream);

		/* an event during this round, in a check or another scan, makes us look again */
		uint64		events = smf_http_events();

		/* Process what has arrived, and request what can be requested. */
		if (result != SMF_STREAM_JOB)
			return result;
		fill(stream);
		advance_batches(stream);
		if (advance_window(stream))
		{
			if (!take_first(stream, job))
				continue;
			/* let the calls in flight progress while the caller works */
			if (!waited && calls_in_flight(stream) > 0)
				smf_http_poll();
			return SMF_STREAM_JOB;
		}
		if (stream->nentries == 0 && stream->source_done)
			return SMF_STREAM_END;

		/*
		 * The change may have made room for a call of an entry that was skipped before,
		 * or have started a walk: only when nothing moves any more is there a reason to
		 * wait.
		 */
		if (stream->moved)
		{
			stream->moved = false;
			continue;
		}
		/* a page without any wanted job is no reason to wait */
		if (stream->nentries == 0 && (stream->walk == NULL || smf_walk_call(stream->walk) == NULL))
		{
			CHECK_FOR_INTERRUPTS();
			continue;
		}

		/* Wait until there is another event, or tell the caller to. */
		notify(stream);
		show_wait(stream);
		if (wait)
			smf_client_wait(stream->client, events);
		else
		{
			smf_client_poll(stream->client);
			if (smf_http_events() == events)
				return SMF_STREAM_WAIT;
		}
		waited = true;
	}
}

/* The same, and reset what others see of the wait. */
static JobStreamResult
next_job(JobStream *stream, Job *job, bool wait)
{
	JobStreamResult result = look_for_job(stream, job, wait);

	if (result != SMF_STREAM_WAIT)
		smf_progress_show_wait(stream->spec.progress, NULL, 0);
	return result;
}

/*
 * smf_stream_next
 *		The next job, or that there is none.
 *
 * What "job" points to is valid until the next call.  Waits as long as necessary; raises
 * the errors in the service's answers, and query cancels.
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
 * After SMF_STREAM_WAIT there can be news only when smf_http_events has changed.
 */
JobStreamResult
smf_stream_try_next(JobStream *stream, Job *job)
{
	return next_job(stream, job, false);
}

/* Were tags denied where that is allowed, so that jobs were returned without them? */
bool
smf_stream_tags_denied(const JobStream *stream)
{
	return stream->fetcher.tags_denied;
}

/*
 * smf_stream_end
 *		Abort calls in flight and free the stream.
 */
void
smf_stream_end(JobStream *stream)
{
	stream->notices->njobs_read += jobs_read(stream);
	stream->notices->njobs_listed += jobs_listed(stream);
	smf_batches_end(&stream->batches);
	while (stream->nentries > 0)
		pop_entry(stream);
	if (stream->walk != NULL)
		smf_walk_end(stream->walk);
	if (stream->lookups != NULL)
		smf_lookups_end(stream->lookups);
	MemoryContextDelete(stream->context);
}
