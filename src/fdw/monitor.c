/*-------------------------------------------------------------------------
 *
 * monitor.c
 *		SQL functions for the views that show what calls cost and the progress of
 *		scans.
 *
 * Those below the views are sagemaker_fdw_internal.stats_figures and .progress_scans.
 *
 * A role sees the calls that were made for roles whose rights it has, and the scans of
 * their sessions; with the rights of pg_read_all_stats it sees all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/stats.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "jobs/progress.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* before version 16, PG_FUNCTION_INFO_V1 alone leaves the function itself hidden */
extern PGDLLEXPORT Datum sagemaker_fdw_stats_figures(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_stats_reset(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_progress_scans(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_stats_figures);
PG_FUNCTION_INFO_V1(sagemaker_fdw_stats_reset);
PG_FUNCTION_INFO_V1(sagemaker_fdw_progress_scans);

/* Columns of sagemaker_fdw_stats_figures: serverid, region, operation, and the figures. */
#define STATS_COLUMNS (3 + SMF_FIGURES)

/* Columns of sagemaker_fdw_progress_scans. */
#define PROGRESS_COLUMNS 9

/* May the current role see what belongs to this role? */
static bool
may_see(Oid roleid)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), roleid);
}

/*
 * sagemaker_fdw_stats_figures()
 *		What calls have cost: a row for each server, role, region and operation.
 */
Datum
sagemaker_fdw_stats_figures(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result;
	CallFigures *rows;
	int			nrows;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	smf_stats_attach();
	rows = smf_stats_read(&nrows);
	for (int i = 0; i < nrows; i++)
	{
		Datum		values[STATS_COLUMNS];
		bool		isnull[STATS_COLUMNS] = {false};

		if (!may_see(rows[i].key.userid))
			continue;
		values[0] = ObjectIdGetDatum(rows[i].key.serverid);
		values[1] = CStringGetTextDatum(rows[i].key.region);
		values[2] = CStringGetTextDatum(rows[i].key.operation);
		for (int figure = 0; figure < SMF_FIGURE_WAIT_US; figure++)
			values[3 + figure] = Int64GetDatum(rows[i].figures[figure]);
		values[3 + SMF_FIGURE_WAIT_US] = Float8GetDatum(rows[i].figures[SMF_FIGURE_WAIT_US] / 1000.0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	pfree(rows);
	return (Datum) 0;
}

/*
 * sagemaker_fdw_stats_reset()
 *		Reset the figures of this database.
 */
Datum
sagemaker_fdw_stats_reset(PG_FUNCTION_ARGS)
{
	smf_stats_attach();
	smf_stats_reset();
	PG_RETURN_VOID();
}

/*
 * sagemaker_fdw_progress_scans()
 *		The progress of the scans that are running: a row for each.
 */
Datum
sagemaker_fdw_progress_scans(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result;
	ProgressRow *rows;
	int			nrows;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	rows = smf_progress_read(&nrows);
	for (int i = 0; i < nrows; i++)
	{
		const ProgressRow *row = &rows[i];
		Datum		values[PROGRESS_COLUMNS] = {0};
		bool		isnull[PROGRESS_COLUMNS] = {false};

		/* Whose scan it is, and of which server. */
		if (!may_see(row->userid))
			continue;
		values[0] = Int32GetDatum(row->pid);
		values[1] = ObjectIdGetDatum(row->serverid);
		values[2] = CStringGetTextDatum(smf_operation_name(row->operation));

		/* Its progress; an estimate is not always known. */
		values[3] = Int64GetDatum(row->counts[SMF_PROGRESS_PAGES]);
		values[4] = Int64GetDatum(row->counts[SMF_PROGRESS_SEEN]);
		values[5] = Int64GetDatum(row->counts[SMF_PROGRESS_DESCRIBED]);
		values[6] = Int64GetDatum(row->estimated);
		isnull[6] = row->estimated < 0;

		/* When it started, and what it is waiting for, if anything. */
		values[7] = TimestampTzGetDatum(row->started_at);
		isnull[8] = row->waiting_on == NULL;
		if (row->waiting_on != NULL)
			values[8] = CStringGetTextDatum(row->waiting_on);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	pfree(rows);
	return (Datum) 0;
}
