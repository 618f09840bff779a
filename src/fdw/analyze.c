/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		ANALYZE of a foreign table: its number of jobs, and a sample of them.
 *
 * The list says how many jobs there are, with one call per hundred jobs; a random sample
 * of them is described, or searched for if scan_api is 'auto'.  If scan_api is 'search'
 * and Search returns every column, its pages serve both purposes.
 *
 * ANALYZE would take a column that was not fetched for one that is always NULL, so only
 * columns without statistics (SET STATISTICS 0) are left out.
 *
 * A partition and its parent are analyzed one after the other; within one statement they
 * share the sample.  A partition contributes to its parent's sample in proportion to its
 * share of the parent's jobs.
 *
 * People keep passwords in a job's environment, and samples go to pg_statistic, to
 * backups and to the WAL.  So neither the environment nor anything computed from it is
 * sampled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tupdesc.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "compat/fdw.h"
#include "fdw/analyze.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "jobs/stream.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The attribute that is not sampled. */
#define ENVIRONMENT "Environment"

int			smf_analyze_jobs = 300;

StaticAssertDecl(SMF_ANALYZE_JOBS_MAX <= MaxAllocSize / sizeof(WantedJob),
				 "there is room for the largest sample");

/* What sampling one table takes. */
typedef struct Sampling
{
	Relation	relation;		/* the table, locked by ANALYZE */
	SmfSettings *settings;		/* the table's */
	SmfColumn  *columns;		/* the table's, by attribute number less one */
	List	   *attnums;		/* of the columns that have statistics */
	AwsClient  *client;			/* makes the calls, as the table's owner */
	Progress   *progress;		/* what others see */
	RowReader  *reader;			/* turns a job into a row */
	MemoryContext caller;		/* context for the sample's rows */
	MemoryContext row_context;	/* reset for each row */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests sent, by operation */
	Datum	   *values;			/* of a row, indexed by attribute number less one */
	bool	   *isnull;			/* which of them are NULL */
} Sampling;

/* The sample of a table, kept until the end of the statement that analyzes it. */
typedef struct KeptSample
{
	dlist_node	node;			/* in the list of all */
	MemoryContext context;		/* holds it */
	MemoryContextCallback callback; /* removes it from the list */
	Oid			relid;			/* the table; InvalidOid: it may be out of date */
	TupleDesc	tupdesc;		/* of the table when the sample was taken */
	HeapTuple  *rows;			/* the sample */
	int			nrows;			/* number of rows */
	double		total_rows;		/* number of jobs in the table */
	int64		announced;		/* the round in which its size was last requested */
} KeptSample;

static dlist_head kept_samples = DLIST_STATIC_INIT(kept_samples);

/*
 * In each round, Core first requests the sizes of all tables that contribute to one
 * sample, and then rows from each.
 */
static int64 round_number = 1;
static bool round_is_open = false;

/* A memory context callback. */
static void
forget_sample(void *arg)
{
	dlist_delete(&((KeptSample *) arg)->node);
}

/* A syscache callback: the samples may be out of date. */
static void
forget_samples(Datum arg, int cacheid, uint32 hashvalue)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept_samples)
		dlist_container(KeptSample, node, iter.cur)->relid = InvalidOid;
}

/* Discard samples when the catalog entries that determine their jobs change. */
static void
watch_catalogs(void)
{
	static const int caches[] = {FOREIGNSERVEROID, FOREIGNTABLEREL, USERMAPPINGOID, ATTNUM};
	static bool watching = false;

	for (int i = 0; i < lengthof(caches) && !watching; i++)
		CacheRegisterSyscacheCallback(caches[i], forget_samples, (Datum) 0);
	watching = true;
}

/* A random integer from 0 to n - 1. */
static int64
random_below(int64 n)
{
	return (int64) (pg_prng_double(&pg_global_prng_state) * n);
}

/*
 * The place that the n-th job (counted from 0) takes in the sample, -1 for none.  All
 * jobs so far are in the sample with the same probability.
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
	spec->read_tags = needs.read_tags;
	spec->tags_optional = true;
	spec->label = RelationGetRelationName(sampling->relation);
	spec->notice_us = smf_progress_interval_ms * INT64CONST(1000);
	spec->fetch_size = sampling->settings->fetch_size;
	spec->max_concurrency = sampling->settings->max_concurrency;
	spec->attempts = sampling->attempts;
	spec->progress = sampling->progress;
	spec->estimated = -1;
}

/* Is the column the environment, or a part of it? */
static bool
is_environment(const SmfColumn *column)
{
	return column->top != NULL && strcmp(column->top->api_name, ENVIRONMENT) == 0;
}

/* Is the column the environment, a part of it, or computed from a column that contains it? */
static bool
holds_environment(const SmfColumn *columns, const SmfColumn *column)
{
	Bitmapset  *bases;

	if (column->expression == NULL)
		return is_environment(column);
	bases = smf_columns_needed(columns, bms_make_singleton(column->attnum));
	for (int attnum = -1; (attnum = bms_next_member(bases, attnum)) >= 0;)
	{
		const SmfColumn *base = &columns[attnum - 1];

		if (is_environment(base) || (base->top != NULL && base->top->kind == SMF_KIND_RAW_RESPONSE))
			return true;
	}
	return false;
}

/* Remove the environment from whole documents in a row. */
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

/* Turn a job into a row that lives as long as the sample. */
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

/* Walk a Search and keep a sample of its records. */
static void
sample_search(Sampling *sampling, HeapTuple *rows, int size, int *nrows, double *total_rows)
{
	JobStreamSpec spec;
	JobStream  *stream;
	Job			job;
	int64		njobs = 0;

	init_spec(sampling, &spec, SMF_FROM_SEARCH);
	stream = smf_stream_begin(sampling->client, &spec);
	while (smf_stream_next(stream, &job) == SMF_STREAM_JOB)
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
}

/* Keep what the list says about the job, and free what was kept in that place before. */
static void
keep_listed(WantedJob *kept, const Job *job)
{
	if (kept->name != NULL)
	{
		pfree(unconstify(char *, kept->name));
		pfree(unconstify(char *, kept->listed_arn));
		pfree(kept->summary);
	}
	kept->name = pstrdup(job->name);
	kept->listed_arn = pstrdup(job->arn);
	kept->summary = (Jsonb *) memcpy(palloc(VARSIZE(job->summary)), job->summary, VARSIZE(job->summary));
	kept->date_s = job->date_s;
}

/* Walk the list, and fetch the documents of a sample of it. */
static void
sample_list(Sampling *sampling, HeapTuple *rows, int size, int *nrows, double *total_rows)
{
	JobStreamSpec spec;
	JobStream  *stream;
	Job			job;
	WantedJob  *listed = palloc0(size * sizeof(WantedJob));

	/* for statistics a Search record is good enough as the whole response */
	AttributeSet raw_response = smf_attribute_bit(smf_attribute_by_column("training_job_name"));
	int64		njobs = 0;
	List	   *wanted = NIL;

	/* Walk the list for summaries only, and keep a sample of them. */
	init_spec(sampling, &spec, SMF_FROM_LIST);
	spec.want_document = spec.want_tags = false;
	stream = smf_stream_begin(sampling->client, &spec);
	while (smf_stream_next(stream, &job) == SMF_STREAM_JOB)
	{
		int			place = place_in_sample(njobs++, size);

		if (place >= 0)
			keep_listed(&listed[place], &job);
	}
	smf_stream_end(stream);
	*total_rows = njobs;

	/* Look up the sampled jobs. */
	for (int i = 0; i < Min(njobs, size); i++)
		wanted = lappend(wanted, &listed[i]);
	init_spec(sampling, &spec, SMF_FROM_NAMES);
	spec.wanted = wanted;
	spec.prove = sampling->settings->scan_api == SMF_SCAN_AUTO &&
		smf_columns_searchable(sampling->columns, sampling->attnums, raw_response, &spec.read);
	stream = smf_stream_begin(sampling->client, &spec);
	while (smf_stream_next(stream, &job) == SMF_STREAM_JOB)
		rows[(*nrows)++] = form_row(sampling, &job);

	/* Without tags, statistics would say that the column is always NULL: explain it. */
	if (smf_stream_tags_denied(stream))
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("AWS denies ListTags to the credentials for server \"%s\"; \"%s\" is analyzed without tags",
						sampling->settings->server_name, RelationGetRelationName(sampling->relation)),
				 errhint("Allow sagemaker:ListTags in the IAM policy, or give the column SET STATISTICS 0.")));
	smf_stream_end(stream);
}

/* The tables that the table belongs to, by partitioning or inheritance. */
static List *
parents_of(Oid relid)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	List	   *parents = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return parents;
}

/*
 * Does the table, or a table that it belongs to, want statistics for the column?  It does
 * not if the column has SET STATISTICS 0.
 */
static bool
wants_statistics(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);
	List	   *parents = NIL;
	ListCell   *lc;

	if (attnum == InvalidAttrNumber)
		return false;
	if (smf_statistics_target(relid, attnum) != 0)
		return true;
	if (has_superclass(relid))
		parents = parents_of(relid);
	foreach(lc, parents)
	{
		if (wants_statistics(lfirst_oid(lc), column))
			return true;
	}
	return false;
}

/*
 * Fill "rows", at most "size" of them, with a sample of the table's current jobs; they
 * are allocated in the current memory context.  Returns their number.
 */
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
	Bitmapset  *wanted = NULL;
	int			nrows = 0;

	sampling.relation = relation;
	sampling.caller = caller;
	sampling.row_context = AllocSetContextCreate(context, "sagemaker_fdw row", ALLOCSET_DEFAULT_SIZES);
	sampling.settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	sampling.columns = smf_table_columns(RelationGetRelid(relation), tupdesc, sampling.settings);

	/*
	 * Fetch the columns that have statistics, and the columns that these are computed
	 * from.
	 */
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (sampling.columns[i].name != NULL && !holds_environment(sampling.columns, &sampling.columns[i]) &&
			wants_statistics(RelationGetRelid(relation), sampling.columns[i].name))
			wanted = bms_add_member(wanted, i + 1);
	}
	wanted = smf_columns_needed(sampling.columns, wanted);
	for (int attnum = -1; (attnum = bms_next_member(wanted, attnum)) >= 0;)
		sampling.attnums = lappend_int(sampling.attnums, attnum);

	/* Allocate a row. */
	sampling.values = palloc0(tupdesc->natts * sizeof(Datum));
	sampling.isnull = palloc(tupdesc->natts * sizeof(bool));
	/* a column that is not read stays NULL */
	memset(sampling.isnull, true, tupdesc->natts * sizeof(bool));
	/* somebody who may analyze a table does so on behalf of its owner */
	sampling.progress = smf_progress_begin(table->serverid);
	sampling.client = smf_role_client(sampling.settings, relation->rd_rel->relowner);
	sampling.reader = smf_row_reader_create(RelationGetRelid(relation), tupdesc, sampling.attnums,
											sampling.settings);

	/* use Search alone if it is selected and has everything that is wanted, else the list */
	if (sampling.settings->scan_api == SMF_SCAN_SEARCH &&
		!smf_needs(sampling.columns, sampling.attnums, SMF_FROM_SEARCH).document)
		sample_search(&sampling, rows, size, &nrows, total_rows);
	else
		sample_list(&sampling, rows, size, &nrows, total_rows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nrows;
}

/*
 * The context that lives as long as the running ANALYZE, which analyzes each table in its
 * own transaction, and has a context named "Vacuum" for all of them.  The portal belongs
 * to the statement that the client sent, which may be a function that runs ANALYZE
 * several times: the latest one's context comes first.
 */
static MemoryContext
statement_context(void)
{
	MemoryContext child = PortalContext ? PortalContext->firstchild : NULL;

	for (; child != NULL; child = child->nextchild)
	{
		if (strcmp(child->name, "Vacuum") == 0)
			return child;
	}
	return PortalContext ? PortalContext : TopTransactionContext;
}

/* The sample kept for the table, or NULL.  Frees samples that are out of date. */
static KeptSample *
find_kept(Relation relation)
{
	MemoryContext statement = statement_context();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &kept_samples)
	{
		KeptSample *kept = dlist_container(KeptSample, node, iter.cur);
		bool		same = kept->relid == RelationGetRelid(relation);

		/* it may be left over from a statement that failed */
		if (same && MemoryContextGetParent(kept->context) == statement &&
			equalTupleDescs(kept->tupdesc, RelationGetDescr(relation)))
			return kept;
		if (same || !OidIsValid(kept->relid) || MemoryContextGetParent(kept->context) != statement)
			MemoryContextDelete(kept->context);
	}
	return NULL;
}

/* Take a sample of the table, and keep it until the end of the statement. */
static KeptSample *
take_sample(Relation relation)
{
	MemoryContext context = AllocSetContextCreate(statement_context(), "sagemaker_fdw sample",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KeptSample *kept = palloc0(sizeof(KeptSample));

	kept->context = context;
	kept->tupdesc = CreateTupleDescCopy(RelationGetDescr(relation));
	kept->rows = palloc0(smf_analyze_jobs * sizeof(HeapTuple));
	kept->nrows = fetch_sample(relation, kept->rows, smf_analyze_jobs, &kept->total_rows);
	kept->relid = RelationGetRelid(relation);
	dlist_push_tail(&kept_samples, &kept->node);
	kept->callback.func = forget_sample;
	kept->callback.arg = kept;
	MemoryContextRegisterResetCallback(context, &kept->callback);
	MemoryContextSwitchTo(old);
	return kept;
}

/*
 * The same as the table's owner, restricted to what has no lasting effect: a column's
 * type may be a domain that runs the owner's functions.
 */
static KeptSample *
take_sample_for_owner(Relation relation)
{
	Oid			userid;
	int			security;
	int			nest_level;
	KeptSample *kept;

	GetUserIdAndSecContext(&userid, &security);
	SetUserIdAndSecContext(relation->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
	nest_level = NewGUCNestLevel();
	smf_restrict_search_path();
	kept = take_sample(relation);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(userid, security);
	return kept;
}

/*
 * How many of a table's rows go into a sample for all tables of the round: in proportion
 * to its share of their jobs.
 */
static int
share_of(const KeptSample *kept, int targrows)
{
	double		total = 0;
	dlist_iter	iter;
	int			rows;

	dlist_foreach(iter, &kept_samples)
	{
		KeptSample *other = dlist_container(KeptSample, node, iter.cur);

		if (other->announced == kept->announced)
			total += other->total_rows;
	}
	rows = total > 0 ? (int) rint(smf_analyze_jobs * (kept->total_rows / total)) : 0;
	return Min(Min(rows, kept->nrows), targrows);
}

/* Pick this many of the kept rows at random. */
static int
use_kept(const KeptSample *kept, HeapTuple *rows, int nrows)
{
	int64		left = kept->nrows;
	int			taken = 0;

	for (int i = 0; i < kept->nrows && taken < nrows; i++, left--)
	{
		if (random_below(left) < nrows - taken)
			rows[taken++] = heap_copytuple(kept->rows[i]);
	}
	return taken;
}

/* ANALYZE's callback: fill "rows" with at most "targrows" of them. */
static int
acquire_sample(Relation relation, int elevel, HeapTuple *rows, int targrows,
			   double *totalrows, double *totaldeadrows)
{
	KeptSample *kept = find_kept(relation);
	int			nrows;

	if (kept == NULL)
	{
		kept = take_sample(relation);
		kept->announced = round_number;
	}
	round_is_open = false;
	nrows = use_kept(kept, rows, share_of(kept, targrows));
	*totalrows = kept->total_rows;
	*totaldeadrows = 0;
	ereport(elevel,
			(errmsg("\"%s\": table has %.0f jobs, of which %d are in the sample",
					RelationGetRelationName(relation), *totalrows, nrows)));
	return nrows;
}

/*
 * sagemakerAnalyzeForeignTable
 *		Take a sample of the table, and return its size: one page per job, so that a
 *		partition's weight in its parent's statistics is its number of jobs.
 */
bool
sagemakerAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *function,
							 BlockNumber *totalpages)
{
	KeptSample *kept;

	watch_catalogs();
	kept = find_kept(relation);
	if (kept == NULL)
		kept = take_sample_for_owner(relation);
	if (!round_is_open)
		round_number++;
	round_is_open = true;
	kept->announced = round_number;

	*function = acquire_sample;
	*totalpages = (BlockNumber) Max(Min(kept->total_rows, MaxBlockNumber), 1);
	return true;
}
