/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		ANALYZE of a foreign table: its number of jobs, and a sample of them.
 *
 * The list says how many jobs there are, in a call for each hundred; a random
 * sample of them is described.  Where scan_api lets Search be used and it returns
 * every column, its pages are both.
 *
 * Rows are sampled whole, since ANALYZE takes a column that was not fetched for one
 * that is NULL.
 *
 * A partition and its parent are analyzed one after the other: in one transaction
 * they share the sample.
 *
 * People keep passwords in a job's environment, and what is sampled goes to pg_statistic,
 * its backups and the WAL: the environment is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fdw/access.h"
#include "fdw/analyze.h"
#include "fdw/scan.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The attribute that is not sampled. */
#define ENVIRONMENT "Environment"

int			smf_analyze_jobs = 300;

/* What sampling one table takes. */
typedef struct Sampling
{
	Relation	relation;
	SmfSettings *settings;
	SmfColumn  *columns;
	List	   *attnums;		/* columns that are sampled */
	AwsClient  *client;
	Progress   *progress;		/* what others see */
	RowReader  *reader;
	MemoryContext caller;		/* where the sample's rows are to live */
	MemoryContext row_context;	/* reset for each row */
	int64		attempts[SMF_JOB_OPERATIONS];
	Datum	   *values;			/* of a row, by attribute number less one */
	bool	   *isnull;
} Sampling;

/* The sample of the transaction's last ANALYZE of a table. */
typedef struct KeptSample
{
	Oid			relid;
	TupleDesc	tupdesc;
	HeapTuple  *rows;
	int			nrows;
	int			wanted;			/* rows that were asked for */
	double		total_rows;
	MemoryContextCallback callback; /* forgets it with the transaction */
} KeptSample;

static KeptSample *kept = NULL;

static void
forget_sample(void *arg)
{
	kept = NULL;
}

/* Where a random one of "n" is. */
static int64
random_below(int64 n)
{
	return (int64) (pg_prng_double(&pg_global_prng_state) * n);
}

/*
 * Which place of the sample the n-th job (from 0) takes, -1 for none: of all jobs
 * so far, each is in the sample with the same probability.
 */
static int
place_in_sample(int64 n, int size)
{
	int64		place = n < size ? n : random_below(n + 1);

	return place < size ? (int) place : -1;
}

static void
init_spec(Sampling *sampling, JobStreamSpec *spec, JobSource source)
{
	SmfNeeds	needs = smf_needs(sampling->columns, sampling->attnums, source);

	memset(spec, 0, sizeof(JobStreamSpec));
	spec->source = source;
	smf_job_query_init(&spec->query);
	spec->want_document = needs.document;
	spec->want_tags = needs.tags;
	spec->label = RelationGetRelationName(sampling->relation);
	spec->region = sampling->settings->region;
	spec->notice_us = smf_progress_interval_ms * INT64CONST(1000);
	spec->fetch_size = sampling->settings->fetch_size;
	spec->max_concurrency = sampling->settings->max_concurrency;
	spec->attempts = sampling->attempts;
	spec->progress = sampling->progress;
	spec->estimated = -1;
}

/* Is the column the environment, or in it? */
static bool
is_environment(const SmfColumn *column)
{
	return column->top != NULL && strcmp(column->top->attribute, ENVIRONMENT) == 0;
}

/* Take the environment out of the documents of a row that was read whole. */
static void
hide_environment(Sampling *sampling)
{
	TupleDesc	tupdesc = RelationGetDescr(sampling->relation);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		const SmfAttribute *top = sampling->columns[i].top;

		if (top == NULL || top->kind != SMF_KIND_RAW_RESPONSE || sampling->isnull[i])
			continue;
		if (TupleDescAttr(tupdesc, i)->atttypid == JSONBOID)
			sampling->values[i] = DirectFunctionCall2(jsonb_delete, sampling->values[i],
													  PointerGetDatum(cstring_to_text(ENVIRONMENT)));
		else
			sampling->isnull[i] = true;
	}
}

/* A job as a row that lives with the sample. */
static HeapTuple
form_row(Sampling *sampling, const Job *job)
{
	HeapTuple	row;
	MemoryContext old;

	MemoryContextReset(sampling->row_context);
	old = MemoryContextSwitchTo(sampling->row_context);
	smf_row_read(sampling->reader, job, NULL, sampling->values, sampling->isnull);
	hide_environment(sampling);
	MemoryContextSwitchTo(sampling->caller);
	row = heap_form_tuple(RelationGetDescr(sampling->relation), sampling->values,
						  sampling->isnull);
	MemoryContextSwitchTo(old);
	return row;
}

/* Walk a Search and keep a sample of its records; false if it is denied. */
static bool
sample_search(Sampling *sampling, HeapTuple *rows, int size, int *nrows, double *total_rows)
{
	JobStreamSpec spec;
	JobStream  *stream;
	JobStreamResult result;
	Job			job;
	int64		njobs = 0;

	init_spec(sampling, &spec, SMF_FROM_SEARCH);
	spec.may_refuse = sampling->settings->scan_api == SMF_SCAN_AUTO;
	stream = smf_stream_begin(sampling->client, &spec);
	while ((result = smf_stream_next(stream, &job)) == SMF_STREAM_JOB)
	{
		int			place = place_in_sample(njobs++, size);

		if (place < 0)
			continue;
		if (place < *nrows)
			heap_freetuple(rows[place]);
		else
			(*nrows)++;
		rows[place] = form_row(sampling, &job);
	}
	smf_stream_end(stream);
	*total_rows = njobs;
	return result == SMF_STREAM_END;
}

/* Walk the list, and describe a sample of it. */
static void
sample_list(Sampling *sampling, HeapTuple *rows, int size, int *nrows, double *total_rows)
{
	JobStreamSpec spec;
	JobStream  *stream;
	Job			job;
	char	  **names = palloc0(size * sizeof(char *));
	int64		njobs = 0;
	List	   *wanted = NIL;

	init_spec(sampling, &spec, SMF_FROM_LIST);
	spec.want_document = spec.want_tags = false;
	stream = smf_stream_begin(sampling->client, &spec);
	while (smf_stream_next(stream, &job) == SMF_STREAM_JOB)
	{
		int			place = place_in_sample(njobs++, size);

		if (place < 0)
			continue;
		if (names[place] != NULL)
			pfree(names[place]);
		names[place] = pstrdup(job.name);
	}
	smf_stream_end(stream);
	*total_rows = njobs;

	for (int i = 0; i < Min(njobs, size); i++)
	{
		WantedJob  *one = palloc0(sizeof(WantedJob));

		one->name = names[i];
		wanted = lappend(wanted, one);
	}
	init_spec(sampling, &spec, SMF_FROM_NAMES);
	spec.wanted = wanted;
	stream = smf_stream_begin(sampling->client, &spec);
	while (smf_stream_next(stream, &job) == SMF_STREAM_JOB)
		rows[(*nrows)++] = form_row(sampling, &job);
	smf_stream_end(stream);
}

/* Ask the service. */
static int
fetch_sample(Relation relation, HeapTuple *rows, int size, double *total_rows)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "sagemaker_fdw analyze",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ForeignTable *table = GetForeignTable(RelationGetRelid(relation));
	TupleDesc	tupdesc = RelationGetDescr(relation);
	Sampling	sampling = {0};
	int			nrows = 0;

	sampling.relation = relation;
	sampling.caller = caller;
	sampling.row_context = AllocSetContextCreate(context, "sagemaker_fdw row", ALLOCSET_DEFAULT_SIZES);
	sampling.settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	sampling.columns = smf_table_columns(RelationGetRelid(relation), tupdesc, sampling.settings);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (sampling.columns[i].name != NULL && !is_environment(&sampling.columns[i]))
			sampling.attnums = lappend_int(sampling.attnums, i + 1);
	}
	sampling.values = palloc0(tupdesc->natts * sizeof(Datum));
	sampling.isnull = palloc(tupdesc->natts * sizeof(bool));
	/* a column that is not read stays NULL */
	memset(sampling.isnull, true, tupdesc->natts * sizeof(bool));
	/* whoever may analyze a table does so for its owner */
	sampling.progress = smf_progress_begin(table->serverid);
	sampling.client = smf_access_client(sampling.settings, relation->rd_rel->relowner);
	sampling.reader = smf_row_reader_create(RelationGetRelid(relation), tupdesc, sampling.attnums,
											sampling.settings);

	if (sampling.settings->scan_api == SMF_SCAN_DESCRIBE ||
		smf_needs(sampling.columns, sampling.attnums, SMF_FROM_SEARCH).document ||
		!sample_search(&sampling, rows, size, &nrows, total_rows))
		sample_list(&sampling, rows, size, &nrows, total_rows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nrows;
}

/* Keep the sample for the rest of the transaction. */
static void
keep_sample(Relation relation, HeapTuple *rows, int nrows, int wanted, double total_rows)
{
	MemoryContext context;
	MemoryContext old;

	context = AllocSetContextCreate(TopTransactionContext, "sagemaker_fdw sample",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	kept = palloc0(sizeof(KeptSample));
	kept->relid = RelationGetRelid(relation);
	kept->tupdesc = CreateTupleDescCopy(RelationGetDescr(relation));
	kept->rows = palloc(Max(nrows, 1) * sizeof(HeapTuple));
	for (int i = 0; i < nrows; i++)
		kept->rows[i] = heap_copytuple(rows[i]);
	kept->nrows = nrows;
	kept->wanted = wanted;
	kept->total_rows = total_rows;
	kept->callback.func = forget_sample;
	MemoryContextRegisterResetCallback(context, &kept->callback);
	MemoryContextSwitchTo(old);
}

/* Take what is asked for from the sample that was kept: any part of it is random. */
static int
use_kept(HeapTuple *rows, int size, double *total_rows)
{
	int			nrows = Min(size, kept->nrows);
	int64		left = kept->nrows;
	int			taken = 0;

	for (int i = 0; i < kept->nrows && taken < nrows; i++, left--)
	{
		if (random_below(left) < nrows - taken)
			rows[taken++] = heap_copytuple(kept->rows[i]);
	}
	*total_rows = kept->total_rows;
	return taken;
}

/* ANALYZE's callback: fill "rows", at most "targrows" of them. */
static int
acquire_sample(Relation relation, int elevel, HeapTuple *rows, int targrows,
			   double *totalrows, double *totaldeadrows)
{
	int			size = Min(targrows, smf_analyze_jobs);
	int			nrows;

	*totaldeadrows = 0;
	if (kept != NULL && kept->relid == RelationGetRelid(relation) && kept->wanted >= size &&
		equalTupleDescs(kept->tupdesc, RelationGetDescr(relation)))
		nrows = use_kept(rows, size, totalrows);
	else
	{
		nrows = fetch_sample(relation, rows, size, totalrows);
		keep_sample(relation, rows, nrows, size, *totalrows);
	}
	ereport(elevel,
			(errmsg("\"%s\": table has %.0f jobs, of which %d are in the sample",
					RelationGetRelationName(relation), *totalrows, nrows)));
	return nrows;
}

/*
 * sagemakerAnalyzeForeignTable
 *		The table can be analyzed; its size in pages is not known.
 */
bool
sagemakerAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *function,
							 BlockNumber *totalpages)
{
	*function = acquire_sample;
	*totalpages = 1;
	return true;
}
