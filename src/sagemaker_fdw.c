/*-------------------------------------------------------------------------
 *
 * sagemaker_fdw.c
 *		The entry point: module magic, settings, and the wrapper's callbacks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>

#include "aws/call.h"
#include "aws/providers/process.h"
#include "aws/pace.h"
#include "aws/stats.h"
#include "compat/sagemaker_fdw.h"
#include "fdw/analyze.h"
#include "fdw/cost.h"
#include "fdw/explain.h"
#include "fdw/import.h"
#include "fdw/lookahead_plan.h"
#include "fdw/plan.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "http/http.h"
#include "jobs/trust.h"
#include "utils/guc.h"

SMF_MODULE_MAGIC("sagemaker_fdw", SMF_VERSION);

extern PGDLLEXPORT void _PG_init(void);
extern PGDLLEXPORT Datum sagemaker_fdw_handler(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_handler);

/* Called when the library is loaded. */
void
_PG_init(void)
{
	/* Settings: each variable belongs to the file that uses it. */
	DefineCustomRealVariable("sagemaker_fdw.call_cost",
							 "Sets the planner's estimate of the cost of one AWS call.",
							 NULL,
							 &smf_call_cost,
							 100, 0, DBL_MAX,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("sagemaker_fdw.allow_credential_process",
							 "Lets the credential_process of an AWS profile run.",
							 NULL,
							 &smf_allow_credential_process,
							 false,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("sagemaker_fdw.analyze_jobs",
							"Sets the number of jobs that ANALYZE samples.",
							NULL,
							&smf_analyze_jobs,
							300, 1, SMF_ANALYZE_JOBS_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("sagemaker_fdw.check_each_scan",
							 "Checks one of the documents of each Search that a scan makes.",
							 "Otherwise Searches are checked that are drawn at random.",
							 &smf_check_each_scan,
							 false,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("sagemaker_fdw.enable_lookahead",
							 "Enables the planner's use of joins that look jobs up ahead.",
							 NULL,
							 &smf_enable_lookahead,
							 true,
							 PGC_USERSET, GUC_EXPLAIN,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("sagemaker_fdw.log_min_duration",
							"Sets the time after which an AWS call is logged.",
							"Minus one turns this off, zero logs all calls.",
							&smf_log_min_duration_ms,
							-1, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("sagemaker_fdw.max_calls",
							"Sets the number of AWS calls that one scan may make.",
							"Zero turns this off.",
							&smf_max_calls,
							100000, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("sagemaker_fdw.max_session_connections",
							"Sets the number of connections to AWS that a session may have.",
							NULL,
							&smf_http_max_connections,
							64, 1, 1000,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("sagemaker_fdw.progress_interval",
							"Sets the time between notices of a running scan's progress.",
							"Zero turns them off.",
							&smf_progress_interval_ms,
							30000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("sagemaker_fdw");

	/* Hook into the planning of joins. */
	smf_lookahead_install();

	/* Request shared memory, if the library is preloaded. */
	smf_stats_reserve();
	smf_progress_reserve();
	smf_pacer_reserve();
	smf_trust_reserve();
}

/* The foreign data wrapper's callbacks. */
Datum
sagemaker_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = sagemakerGetForeignRelSize;
	routine->GetForeignPaths = sagemakerGetForeignPaths;
	routine->GetForeignPlan = sagemakerGetForeignPlan;
	routine->BeginForeignScan = sagemakerBeginForeignScan;
	routine->IterateForeignScan = sagemakerIterateForeignScan;
	routine->RecheckForeignScan = sagemakerRecheckForeignScan;
	routine->ReScanForeignScan = sagemakerReScanForeignScan;
	routine->EndForeignScan = sagemakerEndForeignScan;
	routine->ExplainForeignScan = sagemakerExplainForeignScan;
	routine->AnalyzeForeignTable = sagemakerAnalyzeForeignTable;
	routine->IsForeignPathAsyncCapable = sagemakerIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = sagemakerForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = sagemakerForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = sagemakerForeignAsyncNotify;
	routine->ImportForeignSchema = smf_import_foreign_schema;
	PG_RETURN_POINTER(routine);
}
