/*-------------------------------------------------------------------------
 *
 * stream.c
 *		Training jobs, one after another, with many calls in flight.
 *
 *		lookups.c: names --+						  +-> entry.c: its own calls --+
 *						   +-> ring of entries -> +							   +-> next job
 *		walk.c: pages -----+						  +-> batch.c: Search ----------+
 *
 * Entries stand in a ring in list order.  Calls are made for those in a window
 * at its head, so that what is held does not grow with the history, and a page
 * is asked for while the jobs of the one before are still being described.
 * Answers may come in any order; jobs leave in the order of the list.
 *
 * A job that is gone is no job of the stream.  Any other failure ends the stream with
 * an error, once the jobs before it have left: it yields all jobs or fails.
 *
 * Not accounted for: what is listed may be out of date when it leaves; see walk.c.
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
	MemoryContext context;		/* the stream and all it holds */
	MemoryContext job_context;	/* what the last job handed out holds; or NULL */

	/* where entries come from: one of these, the other is NULL */
	JobLookups *lookups;
	JobWalk    *walk;
	JobOperation list_operation;	/* gives the walk's pages */
	bool		source_done;	/* no further entry will come */

	/* the ring of entries */
	JobEntry   *ring;
	int			capacity;
	int			head;			/* index of the first entry */
	int			nentries;
	JobFetcher	fetcher;		/* what entries share */
	JobBatches	batches;		/* of entries that Search is asked for */
	bool		batch_due;		/* one of them is to be asked for, as soon as a call may */
	int			in_flight;		/* calls for entries */
	bool		moved;			/* has something moved since the last wait was considered? */

	/* how much is fetched ahead, and what has been done */
	int			ramp_window;	/* entries fetched ahead while ramping up */
	int			ramp_taken;		/* of these, handed out or gone */
	int64		njobs_taken;	/* handed out */
	ProgressNotices own_notices;
	ProgressNotices *notices;	/* the scan's, or its own */
};

/* ----- the ring ----- */

static JobEntry *
entry_at(JobStream *stream, int position)
{
	return &stream->ring[(stream->head + position) % stream->capacity];
}

/* The first entry leaves; what is known of its job lasts until the next one does. */
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
 * Calls that are in flight.  A page that has failed is none, though it is kept until the
 * jobs before it are through: they are not to wait for it.
 */
static int
calls_in_flight(const JobStream *stream)
{
	bool		page = stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_CALLING;

	return stream->in_flight + page + smf_batches_in_flight(&stream->batches);
}

/* Entries that calls of their own are made for at a time. */
static int
most_described(const JobStream *stream)
{
	return 2 * stream->spec.max_concurrency;
}

/*
 * How many entries, from the head of the ring, may be fetched now?  Where Search is asked
 * for documents, all may be: how many are described at a time is bounded apart.
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

/* An entry has left the ring: with each batch that has, fetch twice as many ahead. */
static void
ramp_up(JobStream *stream)
{
	if (++stream->ramp_taken < stream->ramp_window)
		return;
	stream->ramp_taken = 0;
	stream->ramp_window = Min(2 * stream->ramp_window, stream->capacity);
}

/* ----- where entries come from ----- */

/* The next page's size, or 0 when none is to be asked for now. */
static int
next_page_size(const JobStream *stream)
{
	const JobStreamSpec *spec = &stream->spec;
	int			size;

	if (stream->walk == NULL || smf_walk_state(stream->walk) != SMF_WALK_READY)
		return 0;
	size = smf_walk_page_size(stream->walk);
	/* where the service may leave jobs out, a small page would only make many of them */
	if (spec->bound > 0 && !spec->narrowed)
		size = Min(size, Max(spec->bound - stream->njobs_taken - stream->nentries, 1));
	if ((spec->bound > 0 || spec->ramp) && stream->nentries >= window_size(stream))
		return 0;
	return stream->nentries + size <= stream->capacity ? size : 0;
}

/* Jobs that are looked up enter, as far as there is room for them. */
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

/* Jobs of the page that has come enter, if they are wanted, and the next one is asked for. */
static void
fill_from_walk(JobStream *stream)
{
	JobWalk    *walk = stream->walk;
	WalkState	state;
	ListedJob	job;
	int			page_size;

	smf_walk_shrink(walk);
	state = smf_walk_state(walk);
	/* a page that failed is an error once the jobs before it are through */
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

/* Bring in as many entries as there is room for, as far as they are at hand. */
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

/* ----- what is fetched for entries ----- */

/*
 * May another call for an entry be in flight?  One is left to a page and to a batch that are due:
 * all jobs wait for them in the end.
 */
static bool
has_room(const JobStream *stream)
{
	int			due = (next_page_size(stream) > 0) + stream->batch_due;

	return calls_in_flight(stream) < Max(stream->spec.max_concurrency - due, 1);
}

/* Move an entry on as far as it goes without waiting; true when it has come to an end. */
static bool
advance(JobStream *stream, JobEntry *entry)
{
	bool		follows = false;
	JobOperation operation;

	/* The call that follows an answer takes the place of the one that has ended. */
	if (entry->state == ENTRY_CALLING && smf_call_done(entry->call))
	{
		stream->in_flight--;
		stream->moved = true;
		follows = true;
		smf_entry_take_answer(&stream->fetcher, entry);
	}

	/* An ARN that only the list can have goes on when all was listed. */
	if (entry->state == ENTRY_LISTING)
	{
		smf_lookups_find_arn(stream->lookups, entry);
		if (entry->state != ENTRY_LISTING)
			stream->moved = true;
	}

	/* The next call, if there is one and room for it. */
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
	/* its check may yet make another use of it */
	return entry->state >= ENTRY_COMPLETE && !entry->checked;
}

/* Does the entry wait for Search, or has it what it needs from there? */
static bool
is_searched(const JobEntry *entry)
{
	return (entry->state >= ENTRY_ASKABLE && entry->state <= ENTRY_HELD) ||
		(entry->record != NULL && entry->state == ENTRY_COMPLETE);
}

/*
 * Move the entries in the window on; true when the first one has come to an end.
 *
 * The window may end before entries whose calls are in flight, where those before them were to
 * have their documents from Search and do not.  What has begun is followed through: a call that
 * has ended is in flight until somebody takes its answer.
 */
static bool
advance_window(JobStream *stream)
{
	int			window = Min(stream->nentries, window_size(stream));
	int			ndescribed = 0;
	int			ncalling = 0;	/* entries that were met, and have a call in flight */
	bool		first_ended = false;

	/* Those that are checked come at once, wherever they stand: others wait for them. */
	for (int i = 0; i < SMF_BATCHES; i++)
	{
		JobEntry   *checked = smf_batches_checked(&stream->batches, i);

		if (checked != NULL)
			(void) advance(stream, checked);
	}

	/* The others come in order; beyond the window only those whose calls have begun. */
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

/* ----- what Search is asked for ----- */

/* Will no further entry join those that are in the window, whatever comes and leaves? */
static bool
window_is_final(const JobStream *stream)
{
	bool		no_more = stream->source_done ||
		(stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_FAILED);
	int			window = window_size(stream);

	return (no_more && stream->nentries <= window) ||
		(stream->spec.bound > 0 && !stream->spec.ramp && stream->nentries >= window);
}

/* Will none join them before the first one has left? */
static bool
window_is_full(const JobStream *stream)
{
	if (stream->nentries >= window_size(stream))
		return true;
	return stream->walk != NULL && smf_walk_state(stream->walk) == SMF_WALK_READY &&
		next_page_size(stream) == 0;
}

/*
 * Ask Search for a batch of the entries that wait for it: as soon as it is full, or cannot
 * become fuller before the first of them is wanted.  True when anything was decided.
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

/* Move on what Search was asked for, and ask for more. */
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

/* The first entry has come to an end, and leaves: true if with a job, which "job" is then. */
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
	/* one that is gone does not count toward the bound: the next job does */
	stream->njobs_taken += found;
	return found;
}

/* ----- the stream ----- */

/* The stream's jobs are those of a list. */
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
	MemoryContext old = MemoryContextSwitchTo(context);
	JobStream  *stream = palloc0(sizeof(JobStream));

	/* The stream, its notices, and what its entries share. */
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

	/* The source of entries, which others see. */
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

	/* A page is asked for early enough to come while the windows before it are under way. */
	stream->capacity = 2 * spec->max_concurrency;
	if (spec->source != SMF_FROM_NAMES)
		stream->capacity += 2 * spec->max_concurrency + spec->fetch_size;
	/* a batch is collected while others are on their way, or held */
	if (spec->prove)
		stream->capacity += (SMF_BATCHES + 1) * SMF_SEARCH_JOBS_MAX;
	stream->ring = palloc0(stream->capacity * sizeof(JobEntry));
	MemoryContextSwitchTo(old);
	return stream;
}

/* Let the first calls go out, without waiting for them. */
void
smf_stream_start(JobStream *stream)
{
	fill(stream);
	(void) advance_window(stream);
}

/* Let others see what the stream waits for: the job that leaves next, or a page of more. */
static void
show_wait(JobStream *stream)
{
	Progress   *progress = stream->spec.progress;
	const JobEntry *first = entry_at(stream, 0);

	/* one that has a record waits for the one of its batch that is checked */
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

/* Jobs that the stream has given, for the user: those that were fetched ahead have been counted. */
static int64
jobs_read(const JobStream *stream)
{
	return stream->spec.counted ? 0 : stream->njobs_taken;
}

/* Jobs that it has seen. */
static int64
jobs_listed(const JobStream *stream)
{
	if (stream->spec.counted)
		return 0;
	return stream->walk ? smf_walk_listed(stream->walk) : smf_lookups_listed(stream->lookups);
}

/*
 * Tell the user how far the stream has come, if it is time for that, and see to it that this
 * wakes up to do so again, and when Search has been waited for long enough.
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

/* DENIED or UNKNOWN where the very first page failed for that, and the caller wants to know; else JOB. */
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

/* The next job; waits for it, or tells that it would have to. */
static JobStreamResult
look_for_job(JobStream *stream, Job *job, bool wait)
{
	bool		waited = false;

	for (;;)
	{
		JobStreamResult result = first_page_result(stream);

		/* what comes while this looks, within a check or another scan, is looked at again */
		uint64		events = smf_http_events();

		/* Look: at what has come, and at what can be asked for now. */
		if (result != SMF_STREAM_JOB)
			return result;
		fill(stream);
		advance_batches(stream);
		if (advance_window(stream))
		{
			if (!take_first(stream, job))
				continue;
			/* let the calls in flight move while the caller works */
			if (!waited && calls_in_flight(stream) > 0)
				smf_http_poll();
			return SMF_STREAM_JOB;
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
		if (stream->nentries == 0 && (stream->walk == NULL || smf_walk_call(stream->walk) == NULL))
		{
			CHECK_FOR_INTERRUPTS();
			continue;
		}

		/* Wait until there is another event, or say that it takes that. */
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

/* The same, and what the stream waits for can be seen meanwhile. */
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
 * After SMF_STREAM_WAIT there can be news only once smf_http_events has changed.
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
	return stream->fetcher.tags_denied;
}

/*
 * smf_stream_end
 *		Break off what is in flight and free the stream.
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
