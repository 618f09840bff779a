/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN of a foreign scan: which calls it makes, and has made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fdw/access.h"
#include "fdw/explain.h"
#include "fdw/scan.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

static char *
operation(JobOperation which)
{
	return unconstify(char *, smf_operation_name(which));
}

static SmfSettings *
settings_of(Relation relation)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(relation));

	return smf_settings_resolve(GetForeignServer(table->serverid), table);
}

/* The operations that a plan calls, in the order of the calls for a job. */
static List *
operations(ForeignScanState *node, JobSource source)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	SmfColumn  *columns = smf_table_columns(RelationGetRelid(relation), RelationGetDescr(relation),
											settings_of(relation));
	SmfNeeds	needs = smf_needs(columns, list_nth(plan->fdw_private, SCAN_PRIVATE_ATTNUMS), source);
	List	   *names = NIL;

	switch (source)
	{
		case SMF_FROM_NAMES:
			break;
		case SMF_FROM_LIST:
			names = lappend(names, operation(SMF_OP_LIST_TRAINING_JOBS));
			break;
		case SMF_FROM_TUNING_JOB:
			names = lappend(names, operation(SMF_OP_LIST_FOR_TUNING_JOB));
			break;
		case SMF_FROM_SEARCH:
			names = lappend(names, operation(SMF_OP_SEARCH));
			break;
	}
	if (needs.document)
		names = lappend(names, operation(SMF_OP_DESCRIBE_TRAINING_JOB));
	if (needs.tags)
		names = lappend(names, operation(SMF_OP_LIST_TAGS));
	return names;
}

/* Conditions in SQL. */
static List *
deparse(ForeignScanState *node, List *conditions, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL);
	bool		prefix = es->verbose;
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, conditions)
		texts = lappend(texts, deparse_expression(lfirst(lc), context, prefix, false));
	return texts;
}

/* The conditions that are decided before all of a job is fetched, or not by Postgres. */
static List *
early_conditions(ForeignScanState *node, JobSource source)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	SmfColumn  *columns = smf_table_columns(RelationGetRelid(relation), RelationGetDescr(relation),
											settings_of(relation));
	SmfNeeds	needs = smf_needs(columns, list_nth(plan->fdw_private, SCAN_PRIVATE_ATTNUMS), source);

	return smf_early_decided(list_nth(plan->fdw_exprs, SCAN_EXPR_EARLY), columns,
							 plan->scan.scanrelid, source,
							 node->ss.ps.state->es_plannedstmt->subplans, needs.document, needs.tags);
}

static void
explain_estimate(ForeignScan *plan, ExplainState *es)
{
	double		calls = floatVal(list_nth(plan->fdw_private, SCAN_PRIVATE_ESTIMATED_CALLS));

	if (boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_HAS_STATISTICS)))
		ExplainPropertyFloat("Estimated API Calls", NULL, calls, 0, es);
	else
		ExplainPropertyText("Estimated API Calls", psprintf("%.0f (no statistics)", calls), es);
}

/* What the scan has cost: totals over all loops. */
static void
explain_costs(const JobScan *state, ExplainState *es)
{
	const AwsClientStats *stats = smf_client_stats(state->client);

	ExplainPropertyInteger("API Calls", NULL, stats->calls, es);
	for (int i = 0; i < SMF_JOB_OPERATIONS; i++)
	{
		if (state->attempts[i] > 0)
			ExplainPropertyInteger(psprintf("%s Calls", smf_operation_name(i)), NULL,
								   state->attempts[i], es);
	}
	ExplainPropertyInteger("API Retries", NULL, stats->retries, es);
	ExplainPropertyInteger("API Throttles", NULL, stats->throttles, es);
	ExplainPropertyInteger("API Bytes Received", NULL, stats->bytes_received, es);
	if (es->timing)
		ExplainPropertyFloat("API Wait Time", "ms", stats->wait_us / 1000.0, 3, es);
}

/*
 * sagemakerExplainForeignScan
 *		The plan's calls; with VERBOSE where they go, with ANALYZE their number.
 */
void
sagemakerExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	JobScan    *state = node->fdw_state;
	JobSource	source = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_SOURCE));
	List	   *api = list_nth(plan->fdw_exprs, SCAN_EXPR_API);
	List	   *early = early_conditions(node, source);

	ExplainPropertyList("API Operations", operations(node, source), es);
	if (api != NIL)
		ExplainPropertyList("API Filter", deparse(node, api, es), es);
	if (early != NIL)
		ExplainPropertyList("API Early Filter", deparse(node, early, es), es);
	if (boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_ORDERED)))
		ExplainPropertyText("API Order",
							boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_OLDEST_FIRST)) ?
							"CreationTime Ascending" : "CreationTime Descending", es);
	if (es->costs)
		explain_estimate(plan, es);
	if (es->verbose)
	{
		SmfSettings *settings = settings_of(node->ss.ss_currentRelation);

		ExplainPropertyText("API Endpoint", state ? smf_client_url(state->client) :
							smf_access_endpoint(settings, smf_access_role(node)), es);
	}
	if (es->analyze && state != NULL)
	{
		if (early != NIL)
			ExplainPropertyInteger("Rows Removed Early", NULL, smf_early_removed(state->checks), es);
		explain_costs(state, es);
	}
}
