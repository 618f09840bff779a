/*-------------------------------------------------------------------------
 *
 * scan.c
 *		Begin, iterate, rescan and end a foreign scan.
 *
 * The role is fixed, and its right to the server's credentials checked, when
 * the scan begins.  No call is made before the first row is asked for.
 *
 * Not accounted for: a rescan fetches everything again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "executor/executor.h"
#include "fdw/access.h"
#include "fdw/scan.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

int			smf_progress_interval_ms = 30000;

/*
 * sagemakerBeginForeignScan
 *		Prepare the scan; raises 28000 when its role has no credentials.
 */
void
sagemakerBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	ForeignTable *table;
	JobScan  *state;
	Oid			userid;

	/* EXPLAIN alone needs no right to the data */
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	state = palloc0(sizeof(JobScan));
	table = GetForeignTable(RelationGetRelid(relation));
	state->settings = smf_settings_resolve(GetForeignServer(table->serverid), table);

	userid = smf_scan_check_as_user(node);
	if (!OidIsValid(userid))
		userid = GetUserId();
	state->client = smf_access_client(state->settings, userid);

	state->spec.by_name = boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_BY_NAME));
	state->spec.want_document = boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_WANT_DOCUMENT));
	state->spec.want_tags = boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_WANT_TAGS));
	state->spec.bound = (int64) floatVal(list_nth(plan->fdw_private, SCAN_PRIVATE_BOUND));
	state->spec.ramp = boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_RAMP));
	state->spec.label = RelationGetRelationName(relation);
	state->spec.notice_us = smf_progress_interval_ms * INT64CONST(1000);
	state->spec.fetch_size = state->settings->fetch_size;
	state->spec.max_concurrency = state->settings->max_concurrency;
	state->spec.attempts = state->attempts;

	state->reader = smf_row_reader_create(RelationGetRelid(relation),
										  RelationGetDescr(relation),
										  list_nth(plan->fdw_private, SCAN_PRIVATE_ATTNUMS),
										  state->settings);
	if (state->spec.by_name)
		state->name = ExecInitExpr(linitial(plan->fdw_exprs), (PlanState *) node);
	state->row_context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw row",
											   ALLOCSET_DEFAULT_SIZES);
	node->fdw_state = state;
}

/* The name to look up now; NULL when it is NULL or no job can have it. */
static char *
name_to_look_up(ForeignScanState *node, JobScan *state)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	Datum		value;
	bool		isnull;
	char	   *name;

	value = ExecEvalExprSwitchContext(state->name, econtext, &isnull);
	if (isnull)
		return NULL;
	name = MemoryContextStrdup(node->ss.ps.state->es_query_cxt, TextDatumGetCString(value));
	if (smf_training_job_name_valid(name))
		return name;
	pfree(name);
	return NULL;
}

static void
start_stream(ForeignScanState *node, JobScan *state)
{
	MemoryContext old;

	if (state->spec.by_name)
	{
		char	   *name = name_to_look_up(node, state);

		if (name == NULL)
		{
			state->exhausted = true;
			return;
		}
		old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
		list_free_deep(state->spec.names);
		state->spec.names = list_make1(name);
		MemoryContextSwitchTo(old);
	}
	old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	state->stream = smf_stream_begin(state->client, &state->spec);
	MemoryContextSwitchTo(old);
}

/*
 * sagemakerIterateForeignScan
 *		The next row, or an empty slot at the end.
 */
TupleTableSlot *
sagemakerIterateForeignScan(ForeignScanState *node)
{
	JobScan  *state = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	Job			job;
	MemoryContext old;

	ExecClearTuple(slot);
	if (state->stream == NULL && !state->exhausted)
		start_stream(node, state);
	if (state->exhausted)
		return slot;

	MemoryContextReset(state->row_context);
	if (!smf_stream_next(state->stream, &job))
	{
		state->exhausted = true;
		return slot;
	}
	old = MemoryContextSwitchTo(state->row_context);
	smf_row_read(state->reader, &job, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(old);
	return ExecStoreVirtualTuple(slot);
}

/*
 * sagemakerReScanForeignScan
 *		Start again, maybe with other parameters.
 */
void
sagemakerReScanForeignScan(ForeignScanState *node)
{
	JobScan  *state = node->fdw_state;

	if (state->stream != NULL)
		smf_stream_end(state->stream);
	state->stream = NULL;
	state->exhausted = false;
}

/*
 * sagemakerEndForeignScan
 *		Break off what is in flight.  The rest goes with the query's memory.
 */
void
sagemakerEndForeignScan(ForeignScanState *node)
{
	JobScan  *state = node->fdw_state;

	if (state == NULL)
		return;
	if (state->stream != NULL)
		smf_stream_end(state->stream);
	state->stream = NULL;
}
