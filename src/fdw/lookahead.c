/*-------------------------------------------------------------------------
 *
 * lookahead.c
 *		The node above the outer side of a join, which fetches jobs ahead.
 *
 * It reads rows of the outer side in batches, computes for each row which jobs the inner
 * side will look up, just as the inner scan would for that row, and fetches all of them
 * at once into the look-up cache.  Then it passes the rows on, in order.  Nothing depends
 * on it: a job that is not in the cache is looked up as usual.
 *
 * A batch's jobs stay in the cache until its rows have been passed on, so that no call is
 * made twice, whatever work_mem is.
 *
 * Not accounted for: the look-up for a row that the query would never reach may fail, and
 * the query with it, although a plain nested loop would have ended before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat/fdw.h"
#include "executor/executor.h"
#include "fdw/demand.h"
#include "fdw/lookahead.h"
#include "fdw/plan_tree.h"
#include "fdw/scan.h"
#include "fdw/wanted.h"
#include "http/http.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Most rows in a batch, and the number of jobs at which it takes no more rows, because
 * all of them are in memory at once.
 */
#define BATCH_ROWS 64
#define BATCH_JOBS 256

/* A scan of the inner side. */
typedef struct AheadScan
{
	JobScan    *scan;			/* looks up jobs, for one row after another */
	JobStreamSpec spec;			/* what to fetch ahead for it */
	EarlyChecks *checks;		/* conditions that are the same for every row; NULL: none are
								 * checked */
	List	   *wanted;			/* WantedJob *: the batch's jobs */
	JobStream  *stream;			/* fetches them; NULL: nothing (more) to fetch */
} AheadScan;

/* The node. */
typedef struct LookAheadState
{
	CustomScanState css;		/* must be first */
	bool		ramp;			/* may the query end early?  Then the first batches are
								 * small */
	NestLoop   *join;			/* the join whose outer side this is; NULL: unknown, so
								 * nothing is fetched ahead */
	bool		searched;		/* has the join been looked for? */
	List	   *scans;			/* AheadScan *: those on the inner side */

	/* the batch */
	MemoryContext context;		/* holds its rows and its jobs; reset for each batch */
	MinimalTuple rows[BATCH_ROWS];	/* from the plan below */
	int			nrows;
	int			next;			/* index of the next row to pass on */
	int			size;			/* most rows it may have */
	bool		ended;			/* the plan below has no more rows */

	/* for EXPLAIN, over all loops */
	int64		nbatches;		/* batches with jobs to fetch */
	int64		njobs;			/* jobs in them, each counted once per batch */
} LookAheadState;

/* ----- the join ----- */

/* The nested loop whose outer side the node is, or NULL. */
static NestLoop *
join_above(const PlanState *node)
{
	List	   *above = smf_plans_above(node->state->es_plannedstmt, node->plan);
	Plan	   *parent = list_length(above) > 1 ? lsecond(above) : NULL;

	if (parent == NULL || !IsA(parent, NestLoop) || outerPlan(parent) != node->plan)
		return NULL;
	return (NestLoop *) parent;
}

/* Set the join's parameters to the values for this row. */
static void
set_parameters(LookAheadState *state, TupleTableSlot *row)
{
	ParamExecData *params = state->css.ss.ps.state->es_param_exec_vals;
	ListCell   *lc;

	foreach(lc, state->join->nestParams)
	{
		NestLoopParam *nest = lfirst_node(NestLoopParam, lc);
		ParamExecData *param = &params[nest->paramno];

		param->value = slot_getattr(row, nest->paramval->varattno, &param->isnull);
	}
}

/* ----- the inner side ----- */

/*
 * Decide what may be fetched ahead for a scan: nothing that the scan itself would not
 * request.
 *
 * Conditions on the document decide whether tags are listed.  If one of them depends on
 * the row, tags are left to the scan.
 */
static void
init_ahead(AheadScan *ahead)
{
	JobScan    *scan = ahead->scan;

	ahead->spec = scan->spec;
	ahead->spec.bound = 0;
	ahead->spec.ramp = false;
	ahead->spec.still_wanted = NULL;
	memset(ahead->spec.still_wanted_tier, false, sizeof(ahead->spec.still_wanted_tier));
	if (!scan->spec.still_wanted_tier[SMF_TIER_DESCRIBED])
		return;
	if (smf_demand_awaits_value((Node *) scan->plan.early, NULL))
		ahead->spec.want_tags = false;
	else
		ahead->checks = smf_early_create(scan->plan.early, &scan->table, scan->reader, scan->node,
										 &ahead->spec);
}

/* Fetch ahead for a scan. */
static void
add_scan(LookAheadState *state, JobScan *scan)
{
	AheadScan  *ahead = palloc0(sizeof(AheadScan));

	ahead->scan = scan;
	init_ahead(ahead);
	/* its jobs are counted when they are fetched ahead */
	scan->spec.counted = true;
	state->scans = lappend(state->scans, ahead);
}

/*
 * Fetch ahead for the scans in a part of the inner side.  This node has been seen by
 * look_ups_of (lookahead_plan.c), or is below one that has; other kinds of nodes are left
 * alone.
 */
static void
add_scans(LookAheadState *state, Plan *inner)
{
	JobScan    *scan;
	ListCell   *lc;

	switch (nodeTag(inner))
	{
			/* The scans themselves. */
		case T_ForeignScan:
			/* a partition that was excluded at the start of the query has none */
			scan = smf_scan_of_look_ups(state->css.ss.ps.state, inner);
			if (scan != NULL)
				add_scan(state, scan);
			break;

			/* Nodes that may be above them, if they run everything below them. */
		case T_Append:
			foreach(lc, ((Append *) inner)->appendplans)
				add_scans(state, lfirst(lc));
			break;
		case T_SubqueryScan:
			add_scans(state, ((SubqueryScan *) inner)->subplan);
			break;
		case T_Result:
			/* a condition that is decided once may save all calls */
			if (((Result *) inner)->resconstantqual == NULL && outerPlan(inner) != NULL)
				add_scans(state, outerPlan(inner));
			break;
		case T_Sort:
		case T_Agg:
			add_scans(state, outerPlan(inner));
			break;
		case T_Limit:
			if (smf_limit_takes_one(((Limit *) inner)->limitCount, ((Limit *) inner)->limitOffset) &&
				IsA(outerPlan(inner), ForeignScan))
				add_scans(state, outerPlan(inner));
			break;
		default:
			break;
	}
}

/*
 * Find the join whose outer side this is, and the scans on its inner side, which have all
 * been initialized by now.
 */
static void
find_scans(LookAheadState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);

	state->join = join_above(&state->css.ss.ps);
	if (state->join != NULL)
		add_scans(state, innerPlan(state->join));
	state->searched = true;
	MemoryContextSwitchTo(old);
}

/*
 * Note which jobs the scans would look up with the current parameters; returns their
 * number.
 */
static int
note_row(LookAheadState *state)
{
	int			njobs = 0;
	ListCell   *lc;

	foreach(lc, state->scans)
	{
		AheadScan  *ahead = lfirst(lc);
		JobScan    *scan = ahead->scan;

		if (smf_early_possible(scan->checks) &&
			smf_request_evaluate(scan->request, scan->node->ss.ps.ps_ExprContext, &ahead->spec))
		{
			ahead->wanted = list_concat(ahead->wanted, ahead->spec.wanted);
			njobs += list_length(ahead->spec.wanted);
		}
	}
	return njobs;
}

/* ----- fetching ----- */

/* Start to fetch the batch's jobs. */
static void
begin_streams(LookAheadState *state)
{
	ListCell   *lc;
	int64		njobs = 0;

	foreach(lc, state->scans)
	{
		AheadScan  *ahead = lfirst(lc);

		if (ahead->wanted == NIL)
			continue;
		ahead->spec.wanted = smf_wanted_distinct(ahead->wanted);
		smf_scan_show_progress(ahead->scan);
		ahead->spec.progress = ahead->scan->progress;
		ahead->stream = smf_stream_begin(ahead->scan->client, &ahead->spec);
		njobs += list_length(ahead->spec.wanted);
	}
	state->njobs += njobs;
	state->nbatches += njobs > 0;
}

/* Take the jobs that have arrived, which puts them into the cache; false when all have. */
static bool
advance_streams(LookAheadState *state, AwsClient **client)
{
	bool		open = false;
	ListCell   *lc;

	foreach(lc, state->scans)
	{
		AheadScan  *ahead = lfirst(lc);
		JobStreamResult result = SMF_STREAM_JOB;
		Job			job;

		while (ahead->stream != NULL && result == SMF_STREAM_JOB)
		{
			CHECK_FOR_INTERRUPTS();
			result = smf_stream_try_next(ahead->stream, &job);
		}
		if (ahead->stream == NULL)
			continue;
		if (result == SMF_STREAM_END)
		{
			smf_stream_end(ahead->stream);
			ahead->stream = NULL;
			continue;
		}
		*client = ahead->scan->client;
		open = true;
	}
	return open;
}

/* Fetch the batch's jobs. */
static void
fetch_jobs(LookAheadState *state)
{
	AwsClient  *client = NULL;
	uint64		events;

	begin_streams(state);
	for (;;)
	{
		events = smf_http_events();
		if (!advance_streams(state, &client))
			break;
		smf_client_wait(client, events);
	}
}

/* ----- batches ----- */

/*
 * Discard the batch and unpin its jobs: what scans find or add from now on belongs to the
 * next one.
 */
static void
forget_batch(LookAheadState *state)
{
	ListCell   *lc;

	foreach(lc, state->scans)
	{
		AheadScan  *ahead = lfirst(lc);

		ahead->wanted = NIL;
		ahead->spec.wanted = NIL;
		smf_cache_unpin(ahead->scan->cache);
		smf_cache_pin(ahead->scan->cache);
	}
	MemoryContextReset(state->context);
	state->nrows = 0;
	state->next = 0;
}

/*
 * The row in the form that the node returns; its slot is filled, because nodes above rely
 * on the kind of slot.
 */
static TupleTableSlot *
give(LookAheadState *state)
{
	PlanState  *node = &state->css.ss.ps;

	if (node->ps_ProjInfo == NULL)
		return state->css.ss.ss_ScanTupleSlot;
	ResetExprContext(node->ps_ExprContext);
	node->ps_ExprContext->ecxt_scantuple = state->css.ss.ss_ScanTupleSlot;
	return ExecProject(node->ps_ProjInfo);
}

/* Return a row from the plan below, without copying it. */
static TupleTableSlot *
pass_through(LookAheadState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	TupleTableSlot *row = ExecProcNode(linitial(state->css.custom_ps));
	int			natts = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	if (TupIsNull(row))
		return slot;
	slot_getallattrs(row);
	memcpy(slot->tts_values, row->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, row->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	return give(state);
}

/* Put a row of the batch into the slot; it still belongs to the batch. */
static TupleTableSlot *
give_row(LookAheadState *state, int row)
{
	ExecForceStoreMinimalTuple(state->rows[row], state->css.ss.ss_ScanTupleSlot, false);
	return give(state);
}

/* Read the next batch of rows, limited by work_mem, and fetch their jobs. */
static void
read_batch(LookAheadState *state)
{
	size_t		bytes = 0;
	int			njobs = 0;
	MemoryContext old;

	forget_batch(state);

	/*
	 * Read rows, and note the jobs for each, until the batch is full or there are no more
	 * rows.
	 */
	while (state->nrows < state->size && bytes <= work_mem * (size_t) 1024 && njobs < BATCH_JOBS)
	{
		/* the plan below allocates in its own context */
		TupleTableSlot *row = ExecProcNode(linitial(state->css.custom_ps));
		MinimalTuple tuple;

		if (TupIsNull(row))
		{
			state->ended = true;
			break;
		}
		old = MemoryContextSwitchTo(state->context);
		tuple = ExecCopySlotMinimalTuple(row);
		bytes += tuple->t_len;
		state->rows[state->nrows++] = tuple;
		set_parameters(state, give_row(state, state->nrows - 1));
		njobs += note_row(state);
		MemoryContextSwitchTo(old);
	}

	/* Fetch all these jobs at once. */
	old = MemoryContextSwitchTo(state->context);
	fetch_jobs(state);
	MemoryContextSwitchTo(old);

	/* The more rows the query has read, the more likely it is to read on. */
	state->size = Min(2 * state->size, BATCH_ROWS);
}

static TupleTableSlot *
exec_lookahead(CustomScanState *node)
{
	LookAheadState *state = (LookAheadState *) node;

	if (!state->searched)
		find_scans(state);

	/* when a changed row is checked again, it is one row, and no job is fetched for it */
	if (state->join == NULL || node->ss.ps.state->es_epq_active != NULL)
		return pass_through(state);
	if (state->next >= state->nrows && !state->ended)
		read_batch(state);
	if (state->next >= state->nrows)
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	return give_row(state, state->next++);
}

/* ----- start and end ----- */

/* Start with a batch of the initial size. */
static void
start_over(LookAheadState *state)
{
	forget_batch(state);
	state->ended = false;
	state->size = state->ramp ? 1 : BATCH_ROWS;
}

static void
begin_lookahead(CustomScanState *node, EState *estate, int eflags)
{
	LookAheadState *state = (LookAheadState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;

	node->custom_ps = list_make1(ExecInitNode(linitial(plan->custom_plans), estate, eflags));
	state->ramp = boolVal(linitial(plan->custom_private));
	state->context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw look-ahead",
										   ALLOCSET_DEFAULT_SIZES);
	start_over(state);
}

static void
rescan_lookahead(CustomScanState *node)
{
	PlanState  *below = linitial(node->custom_ps);

	start_over((LookAheadState *) node);
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(below, node->ss.ps.chgParam);
	if (below->chgParam == NULL)
		ExecReScan(below);
}

static void
end_lookahead(CustomScanState *node)
{
	ExecEndNode(linitial(node->custom_ps));
}

static void
explain_lookahead(CustomScanState *node, List *ancestors, ExplainState *es)
{
	LookAheadState *state = (LookAheadState *) node;

	if (!es->analyze)
		return;
	ExplainPropertyInteger("Batches", NULL, state->nbatches, es);
	ExplainPropertyInteger("Jobs", NULL, state->njobs, es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "Job Look-ahead",
	.BeginCustomScan = begin_lookahead,
	.ExecCustomScan = exec_lookahead,
	.EndCustomScan = end_lookahead,
	.ReScanCustomScan = rescan_lookahead,
	.ExplainCustomScan = explain_lookahead
};

static Node *
create_state(CustomScan *scan)
{
	LookAheadState *state = palloc0(sizeof(LookAheadState));

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &exec_methods;
	return (Node *) state;
}

const CustomScanMethods smf_lookahead_scan_methods = {
	.CustomName = "Job Look-ahead",
	.CreateCustomScanState = create_state
};
