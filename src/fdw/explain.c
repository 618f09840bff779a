/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What EXPLAIN shows of a foreign scan: the calls it makes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fdw/access.h"
#include "fdw/explain.h"
#include "fdw/scan.h"
#include "utils/rel.h"

/* The operations that a plan calls, in the order of the calls for a job. */
static List *
operations(ForeignScan *plan)
{
	List	   *names = NIL;

	if (!boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_BY_NAME)))
		names = lappend(names, unconstify(char *, smf_operation_name(SMF_OP_LIST_TRAINING_JOBS)));
	if (boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_WANT_DOCUMENT)))
		names = lappend(names, unconstify(char *, smf_operation_name(SMF_OP_DESCRIBE_TRAINING_JOB)));
	if (boolVal(list_nth(plan->fdw_private, SCAN_PRIVATE_WANT_TAGS)))
		names = lappend(names, unconstify(char *, smf_operation_name(SMF_OP_LIST_TAGS)));
	return names;
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
	JobScan  *state = node->fdw_state;

	ExplainPropertyList("API Operations", operations(plan), es);
	if (es->verbose)
	{
		ForeignTable *table = GetForeignTable(RelationGetRelid(node->ss.ss_currentRelation));
		SmfSettings *settings = smf_settings_resolve(GetForeignServer(table->serverid), table);

		ExplainPropertyText("API Endpoint", smf_access_endpoint(settings), es);
	}
	if (es->analyze && state != NULL)
		explain_costs(state, es);
}
