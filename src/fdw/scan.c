/*-------------------------------------------------------------------------
 *
 * scan.c
 *		Begin, iterate, rescan and end a foreign scan.
 *
 * The role is fixed, and its right to the server's credentials checked, when the scan
 * begins.  No call is made, not even for credentials, before the first row is requested:
 * a scan may never be executed.
 *
 * A scan that may be restarted remembers what it looked up, within work_mem.
 *
 * Below an asynchronous Append a scan never waits: it reports that it has no row yet, and
 * the Append sleeps on copies of the session's descriptor, one for each such scan.  The
 * one that wakes up moves the calls of all of them.
 *
 * Not accounted for: a walk over a list that is restarted requests the whole list again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "compat/http.h"
#include "executor/execAsync.h"
#include "executor/executor.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "http/http.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

int			smf_progress_interval_ms = 30000;
bool		smf_check_each_scan = false;

/*
 * Scans that start together with the first of them, in all running queries.  A scan
 * removes itself when it has started, and when it ends for any reason.
 */
static dlist_head siblings = DLIST_STATIC_INIT(siblings);

/* Scans that look up jobs once for each row of something else, in all running queries. */
static dlist_head loops = DLIST_STATIC_INIT(loops);

static void
leave_siblings(JobScan *state)
{
	if (state->with_siblings)
		dlist_delete(&state->sibling);
	state->with_siblings = false;
}

/* Open a descriptor to wait on; if there is none, the scan waits like any other. */
static void
open_wait_descriptor(JobScan *state)
{
	/* may raise an error, so do it before anything is counted */
	int			session_fd = smf_http_descriptor();

	if (!smf_http_acquire_descriptor())
		return;
	state->wait_fd = fcntl(session_fd, F_DUPFD_CLOEXEC, 0);
	if (state->wait_fd < 0)
		ReleaseExternalFD();
}

static void
close_wait_descriptor(JobScan *state)
{
	if (state->wait_fd < 0)
		return;
	close(state->wait_fd);
	ReleaseExternalFD();
	state->wait_fd = -1;
}

/* A memory context callback: release everything that is not memory. */
static void
release_scan(void *arg)
{
	JobScan    *state = arg;

	leave_siblings(state);
	if (state->in_loop)
		dlist_delete(&state->loop);
	state->in_loop = false;
	close_wait_descriptor(state);
}

static void
release_scan_with_memory(JobScan *state)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = release_scan;
	callback->arg = state;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
}

/*
 * Prepare to read from the source.  This is done once, because a loop that falls back to
 * it may be followed by others.  "conditions" are those that may be sent to it: a list of
 * Condition * for each clause.
 */
static void
prepare_source(JobScan *state, JobSource source, List *conditions)
{
	SourceState *prepared = &state->sources[source];
	JobStreamSpec *spec = &prepared->spec;
	SmfNeeds	needs = smf_needs(state->table.columns, state->plan.attnums, source);
	MemoryContext old = MemoryContextSwitchTo(state->node->ss.ps.state->es_query_cxt);

	*spec = state->spec;
	spec->source = source;
	spec->want_document = needs.document;
	spec->members = smf_columns_members(state->table.columns, state->plan.attnums);
	spec->want_tags = needs.tags;
	spec->read_tags = needs.read_tags;
	spec->prove = state->plan.prove && source == SMF_FROM_LIST;
	spec->read = state->plan.read;
	spec->may_refuse = source == SMF_FROM_TUNING_JOB ||
		(source == SMF_FROM_SEARCH && state->fall_back);
	prepared->request = smf_request_create(conditions, source, state->settings,
										   &state->node->ss.ps);
	prepared->checks = smf_early_create(state->plan.early, &state->table, state->reader, state->node,
										spec);
	MemoryContextSwitchTo(old);
}

/* From now on, read from this source: the planned one, or one to fall back to. */
static void
use_source(JobScan *state, JobSource source, List *conditions)
{
	SourceState *prepared = &state->sources[source];

	if (prepared->request == NULL)
		prepare_source(state, source, conditions);
	state->spec = prepared->spec;
	state->spec.progress = state->progress;
	state->request = prepared->request;
	state->checks = prepared->checks;
}

/* Set everything in the spec that does not depend on the source. */
static void
init_spec(JobScan *state, Relation relation)
{
	state->spec.ordered = state->plan.ordered;
	state->spec.query.oldest_first = state->plan.oldest_first;
	state->spec.narrowed = state->plan.narrowed;
	state->spec.bound = (int64) state->plan.bound;
	state->spec.ramp = state->plan.ramp;
	state->spec.label = RelationGetRelationName(relation);
	state->spec.notices = &state->notices;
	state->spec.notice_us = smf_progress_interval_ms * INT64CONST(1000);
	state->spec.fetch_size = state->settings->fetch_size;
	state->spec.max_concurrency = state->settings->max_concurrency;
	state->spec.attempts = state->attempts;
	state->spec.documents = &state->documents;
	state->spec.check_each = smf_check_each_scan;
	state->spec.estimated = state->plan.has_statistics ? (int64) state->plan.estimated_jobs : -1;
	state->spec.calls_by_search = (int64) state->plan.calls_by_search;
}

/*
 * sagemakerBeginForeignScan
 *		Prepare the scan; raises 28000 if its role has no right to any credentials.
 */
void
sagemakerBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	ForeignTable *table;
	JobScan    *state;

	/* plain EXPLAIN needs no right to the data */
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	/* Look up the table and the plan. */
	state = palloc0(sizeof(JobScan));
	state->node = node;
	table = GetForeignTable(RelationGetRelid(relation));
	state->settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	state->table = smf_table_ref(relation, plan->scan.scanrelid, state->settings);
	state->plan = smf_scan_plan_unpack(plan, state->table.columns);

	/* Fix the role, and check its rights. */
	state->client = smf_role_client(state->settings, smf_role_of_scan(node));

	/* Set what to request.  A scan that may be restarted remembers what it looked up. */
	init_spec(state, relation);
	if (state->plan.source == SMF_FROM_NAMES &&
		((eflags & EXEC_FLAG_REWIND) || !bms_is_empty(plan->scan.plan.allParam)))
		state->cache = smf_cache_create(work_mem * INT64CONST(1024));
	state->spec.cache = state->cache;

	/* Prepare to turn jobs into rows, in a separate context. */
	state->reader = smf_row_reader_create(RelationGetRelid(relation),
										  RelationGetDescr(relation),
										  state->plan.attnums, state->settings);
	state->row_context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw row",
											   ALLOCSET_DEFAULT_SIZES);
	state->request_context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw request",
												   ALLOCSET_DEFAULT_SIZES);

	/* Prepare to use the planned source. */
	use_source(state, state->plan.source, state->plan.api_conditions);

	/* Last, acquire what is not memory: a place in lists, a descriptor to wait on. */
	state->wait_fd = -1;
	release_scan_with_memory(state);
	if (state->cache != NULL)
	{
		dlist_push_head(&loops, &state->loop);
		state->in_loop = true;
	}
	if (state->plan.from_parent > 0)
	{
		state->parent = plan->scan.scanrelid - state->plan.from_parent;
		dlist_push_tail(&siblings, &state->sibling);
		state->with_siblings = true;
	}
	if (node->ss.ps.async_capable)
		open_wait_descriptor(state);
	node->fdw_state = state;
}

/* The calls that the scan makes regardless of its conditions, as far as known. */
static double
certain_calls(const JobScan *state)
{
	/* the query may end before it has read all rows */
	if (state->spec.ramp)
		return 0;
	/* jobs looked up in another loop may be in the cache */
	if (state->spec.source == SMF_FROM_NAMES)
		return state->attempts[SMF_OP_DESCRIBE_TRAINING_JOB] == 0 ? list_length(state->spec.wanted) : 0;
	if (state->spec.source != state->plan.source)
		return 0;
	return state->plan.certain_calls;
}

/* Raise an error if the scan is certain to make more calls than it may. */
static void
check_limit(JobScan *state)
{
	double		calls = certain_calls(state);

	if (smf_max_calls == 0 || calls <= smf_max_calls)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the scan would make about %.0f calls, more than the limit of %d",
					calls, smf_max_calls),
			 errhint("%s", smf_job_topic.limit_hint)));
}

/*
 * smf_scan_show_progress
 *		From now on, over all loops, show others the progress of the scan.
 */
void
smf_scan_show_progress(JobScan *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->node->ss.ps.state->es_query_cxt);

	if (state->progress == NULL)
		state->progress = smf_progress_begin(state->settings->serverid);
	state->spec.progress = state->progress;
	MemoryContextSwitchTo(old);
}

/* Start the stream of jobs, unless no job can meet the conditions. */
static void
start_stream(JobScan *state)
{
	MemoryContext old;

	/* those that start in turn do so in each loop */
	if (!state->plan.in_turn)
		leave_siblings(state);
	if (state->stream != NULL || state->exhausted)
		return;
	MemoryContextReset(state->request_context);
	old = MemoryContextSwitchTo(state->request_context);
	if (smf_early_possible(state->checks) &&
		smf_request_evaluate(state->request, state->node->ss.ps.ps_ExprContext, &state->spec))
	{
		check_limit(state);
		smf_scan_show_progress(state);
		state->stream = smf_stream_begin(state->client, &state->spec);
	}
	else
		state->exhausted = true;
	MemoryContextSwitchTo(old);
}

/* Make the scan's first calls. */
static void
begin(JobScan *state)
{
	start_stream(state);
	if (state->stream != NULL)
		smf_stream_start(state->stream);
}

/* Do both scans read children of the same table, in the same query? */
static bool
is_sibling(const JobScan *state, const JobScan *other)
{
	return other->node->ss.ps.state == state->node->ss.ps.state && other->parent == state->parent;
}

/* Has the scan started in this loop? */
static bool
has_begun(const JobScan *state)
{
	return (state->stream != NULL || state->exhausted) && state->node->ss.ps.chgParam == NULL;
}

/*
 * Start the scans that will be asked for rows together with this one.
 *
 * That is certain if they are merged.  The scans of an Append that may end early start in
 * turn.  This one's turn has come because those before it have no more rows: it starts,
 * and with it as many others as have started before, so that the last of n partitions
 * does not wait for n - 1 others.  All other scans of the query may depend on parameters
 * that are not computed yet.
 */
static void
start_with_siblings(JobScan *state)
{
	int			nbegun = 0;
	int			nmore = INT_MAX;
	dlist_iter	counted;
	dlist_mutable_iter iter;

	if (has_begun(state))
		return;

	/* Find out how many to start. */
	if (state->plan.in_turn)
	{
		dlist_foreach(counted, &siblings)
		{
			const JobScan *sibling = dlist_container(JobScan, sibling, counted.cur);

			nbegun += is_sibling(state, sibling) && has_begun(sibling);
		}
		nmore = nbegun;
	}

	/* Start this one first, and then the others in the order of the plan. */
	begin(state);
	dlist_foreach_modify(iter, &siblings)
	{
		JobScan    *sibling = dlist_container(JobScan, sibling, iter.cur);

		if (nmore == 0)
			break;
		if (!is_sibling(state, sibling) || has_begun(sibling))
			continue;
		if (sibling->node->ss.ps.chgParam != NULL)
		{
			/*
			 * it will be restarted, with other parameters, when it is asked for its first
			 * row
			 */
			if (!state->plan.in_turn)
				continue;
			ExecReScan(&sibling->node->ss.ps);
		}
		begin(sibling);
		nmore--;
	}
}

/*
 * Discard what was planned for another source: the number of jobs and, if conditions are
 * now decided later, the number of jobs to which a LIMIT restricts the scan.
 */
static void
forget_plan(JobScan *state, JobSource source)
{
	ListCell   *lc;

	state->spec.estimated = -1;
	state->spec.calls_by_search = 0;
	state->spec.narrowed = true;
	if (state->spec.bound == 0)
		return;
	foreach(lc, state->plan.early)
	{
		if (smf_early_known(lfirst(lc), &state->table, source))
			continue;
		state->spec.bound = 0;
		state->spec.ramp = true;
	}
}

/* The source was refused before it returned a job: use another one. */
static void
change_source(JobScan *state, JobStreamResult refused)
{
	JobSource	source = SMF_FROM_LIST;
	JobOperation denied = state->spec.source == SMF_FROM_SEARCH ?
		SMF_OP_SEARCH : SMF_OP_LIST_FOR_TUNING_JOB;

	if (refused == SMF_STREAM_DENIED)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("AWS denies %s to the credentials for server \"%s\"; all jobs are listed instead",
						smf_operation_name(denied), state->settings->server_name),
				 errhint("Allow sagemaker:%s in the IAM policy.", smf_operation_name(denied))));
	else
	{
		/* the children of a deleted tuning job still exist, and Search knows them */
		source = SMF_FROM_SEARCH;
		state->fall_back = true;
	}
	forget_plan(state, source);
	smf_stream_end(state->stream);
	state->stream = NULL;
	/* conditions that can be sent to it are among those that are decided early */
	use_source(state, source, state->plan.early_conditions);
	start_stream(state);
}

/*
 * smf_scan_of_look_ups
 *		The scan that runs the plan for the query, if it looks up jobs in a loop;
 *		otherwise NULL.
 */
JobScan *
smf_scan_of_look_ups(const EState *query, const Plan *plan)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loops)
	{
		JobScan    *scan = dlist_container(JobScan, loop, iter.cur);

		if (scan->node->ss.ps.state == query && scan->node->ss.ps.plan == plan)
			return scan;
	}
	return NULL;
}

/*
 * sagemakerIterateForeignScan
 *		The next row, or an empty slot at the end; for an asynchronous scan, also when
 *		it would have to wait for the row.
 */
TupleTableSlot *
sagemakerIterateForeignScan(ForeignScanState *node)
{
	JobScan    *state = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	/* Start requesting jobs, unless that was done for an earlier row. */
	ExecClearTuple(slot);
	state->blocked = false;
	if (state->with_siblings)
		start_with_siblings(state);
	start_stream(state);

	/* Read jobs until one meets all conditions that are decided here. */
	while (!state->exhausted)
	{
		Job			job;
		MemoryContext old;
		JobStreamResult result;

		MemoryContextReset(state->row_context);
		result = state->wait_fd < 0 ? smf_stream_next(state->stream, &job) :
			smf_stream_try_next(state->stream, &job);
		if (result == SMF_STREAM_WAIT)
		{
			/* Any event from here on will wake up the Append. */
			state->blocked = true;
			state->events = smf_http_events();
			break;
		}
		if (result == SMF_STREAM_DENIED || result == SMF_STREAM_UNKNOWN)
		{
			change_source(state, result);
			continue;
		}
		if (result == SMF_STREAM_END)
		{
			state->exhausted = true;
			break;
		}

		/* Turn the job into a row; conditions with a sub-plan may still reject it. */
		ExecClearTuple(slot);
		old = MemoryContextSwitchTo(state->row_context);
		smf_row_read(state->reader, &job, NULL, slot->tts_values, slot->tts_isnull);
		MemoryContextSwitchTo(old);
		ExecStoreVirtualTuple(slot);
		if (smf_early_complete(state->checks, &job, slot))
			return slot;
	}
	return ExecClearTuple(slot);
}

/*
 * sagemakerRecheckForeignScan
 *		Check a row of the table again, because a row that it is joined with has
 *		changed.
 *
 * The row has what the query has read, except for the OID of its table.  Postgres checks
 * the conditions.
 */
bool
sagemakerRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot)
{
	slot->tts_tableOid = RelationGetRelid(node->ss.ss_currentRelation);
	return true;
}

/*
 * sagemakerReScanForeignScan
 *		Restart, possibly with other parameters.
 */
void
sagemakerReScanForeignScan(ForeignScanState *node)
{
	JobScan    *state = node->fdw_state;

	if (state->stream != NULL)
		smf_stream_end(state->stream);
	state->stream = NULL;
	state->exhausted = false;

	/* a missing tuning job says nothing about the next one; a denial applies to all */
	if (state->fall_back)
	{
		state->fall_back = false;
		use_source(state, state->plan.source, state->plan.api_conditions);
	}
}

/*
 * sagemakerEndForeignScan
 *		Abort calls in flight.  The rest is freed with the query's memory.
 */
void
sagemakerEndForeignScan(ForeignScanState *node)
{
	JobScan    *state = node->fdw_state;

	if (state == NULL)
		return;
	release_scan(state);
	smf_progress_end(state->progress);
	if (state->stream != NULL)
		smf_stream_end(state->stream);
	state->stream = NULL;
}

/* ----- asynchronous Append ----- */

/*
 * sagemakerForeignAsyncRequest
 *		Return a row to the Append, or that there is none, or that it must wait.
 */
void
sagemakerForeignAsyncRequest(AsyncRequest *areq)
{
	ForeignScanState *node = (ForeignScanState *) areq->requestee;
	JobScan    *state = node->fdw_state;
	TupleTableSlot *slot;

	/* the instrumented function would count what the executor already counts */
	slot = node->ss.ps.ExecProcNodeReal(&node->ss.ps);
	if (TupIsNull(slot) && state->blocked)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, TupIsNull(slot) ? NULL : slot);
}

/*
 * sagemakerForeignAsyncConfigureWait
 *		Before the Append sleeps: tell it what to sleep on.
 */
void
sagemakerForeignAsyncConfigureWait(AsyncRequest *areq)
{
	JobScan    *state = ((ForeignScanState *) areq->requestee)->fdw_state;
	AppendState *append = (AppendState *) areq->requestor;

	/* events that occurred while other scans were running no longer wake anybody up */
	smf_http_arm(state->events);
	state->waiting_since_us = smf_http_now();
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, state->wait_fd, NULL, areq);
}

/*
 * sagemakerForeignAsyncNotify
 *		The Append has woken up: there may be a row.
 */
void
sagemakerForeignAsyncNotify(AsyncRequest *areq)
{
	JobScan    *state = ((ForeignScanState *) areq->requestee)->fdw_state;

	smf_client_waited(state->client, smf_http_now() - state->waiting_since_us);
	sagemakerForeignAsyncRequest(areq);
}
