/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN of a foreign scan: which calls it makes, or has made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat/fdw.h"
#include "fdw/explain.h"
#include "fdw/plan_tree.h"
#include "fdw/pushdown.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "nodes/nodeFuncs.h"
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

static TableRef
table_of(ForeignScanState *node)
{
	Relation	relation = node->ss.ss_currentRelation;

	return smf_table_ref(relation, ((ForeignScan *) node->ss.ps.plan)->scan.scanrelid,
						 settings_of(relation));
}

/* The operation that lists the source's jobs, if there is one. */
static List *
source_operation(JobSource source)
{
	return source == SMF_FROM_NAMES ? NIL : list_make1(operation(smf_source_operation(source)));
}

/*
 * The operations that a scan calls, in the order of the calls for a job.  They follow the
 * operation that was planned, if that was refused.
 */
static List *
operations(const ScanPlan *plan, const TableRef *table, JobSource source)
{
	SmfNeeds	needs = smf_needs(table->columns, plan->attnums, source);
	List	   *names = plan->source != source ? source_operation(plan->source) : NIL;

	names = list_concat(names, source_operation(source));
	if (plan->prove && source == SMF_FROM_LIST)
		names = lappend(names, operation(SMF_OP_SEARCH));
	/* even if Search is asked only for tags, a job of each checked batch is described */
	if (needs.document || (plan->prove && source == SMF_FROM_LIST))
		names = lappend(names, operation(SMF_OP_DESCRIBE_TRAINING_JOB));
	if (needs.tags)
		names = lappend(names, operation(SMF_OP_LIST_TAGS));
	return names;
}

/* The conditions that are sent to the source. */
static List *
asked_conditions(const ScanPlan *plan, JobSource source)
{
	List	   *asked = NIL;
	ListCell   *lc;
	ListCell   *conditions;

	if (plan->source == source)
		return plan->api;
	/* another source than planned: find them as the scan does */
	forboth(lc, plan->early, conditions, plan->early_conditions)
	{
		if (smf_clause_use(lfirst(conditions), source) != USE_NONE)
			asked = lappend(asked, lfirst(lc));
	}
	return asked;
}

/* Conditions as SQL. */
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

/*
 * The conditions that are decided before everything about a job is fetched, or that
 * Postgres leaves to us.
 */
static List *
early_conditions(ForeignScanState *node, const ScanPlan *plan, const TableRef *table,
				 JobSource source)
{
	return smf_early_decided(plan->early, table, source,
							 node->ss.ps.state->es_plannedstmt->subplans,
							 smf_needs(table->columns, plan->attnums, source));
}

/* A walker: is the node the wanted one, or is the wanted one below it? */
static bool
find_node(PlanState *state, void *wanted)
{
	return state == wanted || planstate_tree_walker(state, find_node, wanted);
}

/* Does the plan use values from outside, other than results of sub-selects that run once? */
static bool
takes_values(const PlanState *state)
{
	int			param = -1;

	while ((param = bms_next_member(state->plan->extParam, param)) >= 0)
	{
		/* before execution, a parameter for such a sub-select refers to its plan */
		if (state->state->es_param_exec_vals[param].execPlan == NULL)
			return true;
	}
	return false;
}

/* Is the scan run more than once, or would it be? */
static bool
is_in_loop(ForeignScanState *node, const ScanPlan *plan, const ExplainState *es)
{
	ListCell   *lc;

	if (es->analyze && node->ss.ps.instrument != NULL)
		return node->ss.ps.instrument->nloops > 1;
	if (plan->parameterized ||
		smf_runs_again(node->ss.ps.state->es_plannedstmt, node->ss.ps.plan))
		return true;
	foreach(lc, node->ss.ps.state->es_subplanstates)
	{
		PlanState  *state = lfirst(lc);

		if (state != NULL && takes_values(state) && find_node(state, node))
			return true;
	}
	return false;
}

static void
explain_estimate(ForeignScanState *node, const ScanPlan *plan, ExplainState *es)
{
	double		calls = plan->estimated_calls;
	const char *loop = is_in_loop(node, plan, es) ? " (for each loop)" : "";
	const char *most = plan->ramp ? " (at most)" : "";
	const char *guess = plan->has_statistics ? "" : " (no statistics)";

	if (*loop || *most || *guess)
		ExplainPropertyText("Estimated API Calls", psprintf("%.0f%s%s%s", calls, loop, most, guess), es);
	else
		ExplainPropertyFloat("Estimated API Calls", NULL, calls, 0, es);
}

/* A hint for a scan that makes many calls which Search could save. */
static void
explain_hint(const ScanPlan *plan, ExplainState *es)
{
	if (plan->calls_by_search == 0)
		return;
	ExplainPropertyText("API Hint", es->costs ?
						psprintf("With scan_api 'auto' it would take about %.0f calls.", plan->calls_by_search) :
						"With scan_api 'auto' it would take far fewer calls.", es);
}

/* Where documents came from, which the calls do not show. */
static void
explain_documents(const JobScan *state, ExplainState *es)
{
	ExplainPropertyInteger("Documents From Search", NULL, state->documents.from_search, es);
	ExplainPropertyInteger("Documents From Describe", NULL, state->documents.from_describe, es);
	ExplainPropertyInteger("Documents Checked", NULL, state->documents.checked, es);
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

/* Number of jobs rejected early, over all loops and sources. */
static int64
removed_early(const JobScan *state)
{
	int64		removed = 0;

	for (int source = 0; source < SMF_SOURCES; source++)
	{
		if (state->sources[source].checks != NULL)
			removed += smf_early_removed(state->sources[source].checks);
	}
	return removed;
}

/*
 * sagemakerExplainForeignScan
 *		The plan's calls; with VERBOSE where they go, with ANALYZE their number.
 */
void
sagemakerExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	JobScan    *state = node->fdw_state;
	TableRef	table = table_of(node);
	ScanPlan	plan = smf_scan_plan_unpack((ForeignScan *) node->ss.ps.plan, table.columns);
	JobSource	source = state ? state->spec.source : plan.source;
	List	   *api = asked_conditions(&plan, source);
	List	   *early = early_conditions(node, &plan, &table, source);

	/* Show what is requested: as planned, or as done after a fallback. */
	ExplainPropertyList("API Operations", operations(&plan, &table, source), es);
	if (api != NIL)
		ExplainPropertyList("API Filter", deparse(node, api, es), es);
	if (early != NIL)
		ExplainPropertyList("API Early Filter", deparse(node, early, es), es);
	if (plan.ordered)
		ExplainPropertyText("API Order", plan.oldest_first ?
							"CreationTime Ascending" : "CreationTime Descending", es);

	/* Show the estimated cost, and where the calls go. */
	if (es->costs)
		explain_estimate(node, &plan, es);
	explain_hint(&plan, es);
	if (es->verbose)
	{
		SmfSettings *settings = settings_of(node->ss.ss_currentRelation);

		ExplainPropertyText("API Endpoint", state ? smf_client_url(state->client) :
							smf_role_endpoint(settings, smf_role_of_scan(node)), es);
	}

	/* Show the actual cost. */
	if (es->analyze && state != NULL)
	{
		if (early != NIL)
			ExplainPropertyInteger("Rows Removed Early", NULL, removed_early(state), es);
		explain_costs(state, es);
		if (state->settings->scan_api == SMF_SCAN_AUTO && source == SMF_FROM_LIST && state->spec.want_document)
			explain_documents(state, es);
	}
}
