/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Sizes, paths and plans of foreign scans.
 *
 * Planning makes no call.  Jobs come from one of four sources: names from a condition or
 * another table, the children of a tuning job, Search, or the list.  If conditions name
 * jobs or a tuning job, there is also a path that walks over all jobs: many names cost
 * more to look up than a walk over few jobs.  clauses.c says where each condition is
 * decided, and cost.c what a scan costs; the recognized conditions go with the plan
 * (scan_plan.c).
 *
 * Not accounted for: a sub-select, among the outer tables, from a table without
 * statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "compat/fdw.h"
#include "fdw/cost.h"
#include "fdw/demand.h"
#include "fdw/early.h"
#include "fdw/plan.h"
#include "fdw/scan_plan.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/* Assumed rows of a table without statistics. */
#define DEFAULT_JOBS 1000

/*
 * Assumed number of jobs in a walk over such a table.  Histories are long, and a walk
 * over one costs far more than look-ups, whose number is limited by what names the jobs:
 * if nothing is known, avoid the walk.
 */
#define LONG_HISTORY 100000

/* How many Describes scan_api 'auto' must save to be worth a hint. */
#define WORTH_A_HINT 1000

/* ForeignPath.fdw_private, by position. */
typedef enum PathPrivateIndex
{
	PATH_PRIVATE_SOURCE,		/* Integer: JobSource */
	PATH_PRIVATE_OLDEST_FIRST,	/* Boolean */
	PATH_PRIVATE_CALLS,			/* Float, a whole number: the calls of one scan */
	PATH_PRIVATE_IN_TURN		/* Boolean: ScanPlan.in_turn */
} PathPrivateIndex;

/*
 * sagemakerGetForeignRelSize
 *		Estimate the rows; raises HV005 if a column is not an attribute.
 */
void
sagemakerGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelationInfo *info = palloc0(sizeof(FdwRelationInfo));
	ForeignTable *table = GetForeignTable(relid);
	Relation	relation = table_open(relid, NoLock);

	info->settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	info->table = smf_table_ref(relation, rel->relid, info->settings);
	/* an empty table may have been analyzed, too */
	info->has_statistics = relation->rd_rel->reltuples >= 0;
	if (info->has_statistics)
		rel->tuples = relation->rd_rel->reltuples;
	table_close(relation, NoLock);
	rel->fdw_private = info;
	info->raw_members = smf_demand_raw_members(root, rel, &info->table);

	info->analyzed = info->has_statistics && info->settings->estimated_jobs < 0;
	if (info->settings->estimated_jobs >= 0)
	{
		rel->tuples = info->settings->estimated_jobs;
		info->has_statistics = true;
	}
	else if (!info->has_statistics)
		rel->tuples = DEFAULT_JOBS;
	set_baserel_size_estimates(root, rel);
	smf_estimate_settled(root, rel);

	info->concurrency = smf_concurrency(info->settings, OidIsValid(rel->userid) ? rel->userid : GetUserId());
}

/* ----- paths ----- */

/*
 * Add a path.  At most "overlap" of its calls overlap, "nested" are the conditions from
 * tables in required_outer besides the table's own, and "times" is the factor by which
 * the path may be run more often than estimated.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, JobSource source, const CallEstimate *estimate,
			  double rows, double overlap, List *nested, double times, List *pathkeys,
			  bool oldest_first, Relids required_outer)
{
	FdwRelationInfo *info = rel->fdw_private;
	CallEstimate first = {0};
	ForeignPath *path;
	Cost		startup_cost;
	Cost		total_cost;
	bool		in_turn;

	/* Cost the calls: those for the first row, and all of them. */
	first.pages = Min(estimate->pages, 1);
	first.describes = Min(estimate->describes, 1);
	first.tag_lists = Min(estimate->tag_lists, 1);
	startup_cost = smf_calls_cost(rel, source, &first, 1) * times;
	total_cost = Max(smf_calls_cost(rel, source, estimate, overlap) * times, startup_cost);

	/* Add the cost of computation. */
	total_cost += cpu_tuple_cost * Max(estimate->jobs, rows);
	smf_add_condition_costs(root, rel, source, list_concat_copy(rel->baserestrictinfo, nested), estimate,
							&startup_cost, &total_cost);
	startup_cost += rel->reltarget->cost.startup;
	total_cost += rel->reltarget->cost.startup + rel->reltarget->cost.per_tuple * rows;

	path = smf_create_foreignscan_path(root, rel, rows, startup_cost, total_cost, pathkeys,
									   required_outer,
									   list_make3(makeInteger(source), makeBoolean(oldest_first),
												  makeFloat(psprintf("%.0f", smf_total_calls(estimate)))));
	in_turn = info->settings->async_capable &&
		smf_demand_in_turn(root, rel, path, source == SMF_FROM_NAMES,
						   nested);
	path->fdw_private = lappend(path->fdw_private, makeBoolean(in_turn));
	add_path(rel, (Path *) path);
}

/*
 * The query's first sort key, if it is the table's column of creation times: the source
 * can provide that order in either direction.  Otherwise NIL.
 */
static List *
order_offered(PlannerInfo *root, RelOptInfo *rel, bool *oldest_first)
{
	FdwRelationInfo *info = rel->fdw_private;
	PathKey    *wanted;
	TypeCacheEntry *type = lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_LT_OPR);

	/* Only the first key: an incremental sort does the rest. */
	if (root->query_pathkeys == NIL)
		return NIL;
	wanted = linitial_node(PathKey, root->query_pathkeys);
	for (int i = 0; i < info->table.natts; i++)
	{
		const SmfColumn *column = &info->table.columns[i];
		Var		   *var;
		List	   *pathkeys;

		if (column->name == NULL || column->attribute == NULL ||
			strcmp(column->attribute->api_name, "CreationTime") != 0)
			continue;
		/* rounding keeps the order */
		var = makeVar(rel->relid, column->attnum, column->type_id, column->typmod, InvalidOid, 0);
		if (!smf_is_column_of((Node *) var, &info->table, "CreationTime"))
			continue;
		pathkeys = smf_expression_pathkey(root, (Expr *) var, type->lt_opr, rel->relids);
		/* every job has a creation time: the order of NULLs makes no difference */
		if (pathkeys != NIL && linitial_node(PathKey, pathkeys)->pk_eclass == wanted->pk_eclass &&
			linitial_node(PathKey, pathkeys)->pk_opfamily == wanted->pk_opfamily)
		{
			*oldest_first = !smf_pathkey_descending(wanted);
			return list_make1(wanted);
		}
	}
	return NIL;
}

/*
 * generate_implied_equalities_for_column's callback: is it a column that jobs can be
 * looked up by?
 */
static bool
ec_member_is_lookup(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
					EquivalenceMember *em, void *arg)
{
	FdwRelationInfo *info = rel->fdw_private;

	return smf_is_column_of((Node *) em->em_expr, &info->table, arg);
}

/* Is one of "tables", or a partition of one, a table of ours without statistics? */
static bool
any_uncounted(PlannerInfo *root, Relids tables)
{
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RelOptInfo *other = root->simple_rel_array[i];

		if (other != NULL && other->fdw_private != NULL && smf_is_our_table(other) &&
			!((FdwRelationInfo *) other->fdw_private)->has_statistics &&
			!smf_any_clause_used(other, SMF_FROM_NAMES, USE_LOOKUP) &&
			bms_overlap(other->top_parent_relids ? other->top_parent_relids : other->relids, tables))
			return true;
	}
	return false;
}

/* A way in which columns of other tables can determine the jobs that a scan reads. */
typedef struct JoinWay
{
	JobSource	source;			/* where jobs then come from */
	ConditionUse use;			/* how it uses such a condition */
	const char *attributes[2];	/* of the compared columns; NULL: no more */
} JoinWay;

static const JoinWay join_ways[] = {
	{SMF_FROM_NAMES, USE_LOOKUP, {"TrainingJobName", "TrainingJobArn"}},
	{SMF_FROM_TUNING_JOB, USE_TUNING_JOB, {"TuningJobArn"}}
};

/*
 * Clauses that columns of other tables may turn into conditions on this table alone: join
 * clauses, and equivalence classes of the way's attributes.
 */
static List *
movable_clauses(PlannerInfo *root, RelOptInfo *rel, const JoinWay *way)
{
	List	   *clauses = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(clause, rel))
			clauses = lappend(clauses, clause);
	}
	for (int i = 0; rel->has_eclass_joins && i < lengthof(way->attributes) && way->attributes[i] != NULL; i++)
		clauses = list_concat(clauses,
							  generate_implied_equalities_for_column(root, rel, ec_member_is_lookup,
																	 unconstify(char *, way->attributes[i]),
																	 rel->lateral_referencers));
	return clauses;
}

/*
 * Add paths that are run for each row of other tables.  They look up the jobs, or list
 * the children of the tuning job, that the row names, through join clauses or equivalence
 * classes.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, const JoinWay *way, List *attnums)
{
	FdwRelationInfo *relation_info = rel->fdw_private;
	bool		named = way->source == SMF_FROM_NAMES;
	List	   *done = NIL;
	ListCell   *lc;

	/* Add a path for each set of tables that such a condition needs. */
	foreach(lc, movable_clauses(root, rel, way))
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Relids		required_outer;
		ParamPathInfo *info;
		CallEstimate estimate;

		if (smf_clause_used(rel, clause, way->source) != way->use)
			continue;
		required_outer = bms_union(clause->clause_relids, rel->lateral_relids);
		required_outer = bms_del_member(required_outer, rel->relid);
		if (bms_is_empty(required_outer))
			continue;
		/* clauses that need the same tables lead to the same path */
		info = get_baserel_parampathinfo(root, rel, required_outer);
		if (list_member_ptr(done, info))
			continue;
		done = lappend(done, info);

		/*
		 * In a nested loop one look-up follows the other; the calls for the children of
		 * one tuning job overlap.  If the jobs are named by a walk over a long history,
		 * there are that many rows.
		 */
		estimate = smf_estimate_calls(root, rel, way->source, rel->tuples, false, attnums,
									  named ? list_make1(clause) :
									  list_concat_copy(info->ppi_clauses, rel->baserestrictinfo), 0);
		add_scan_path(root, rel, way->source, &estimate, named ? Max(estimate.describes, 1) : info->ppi_rows,
					  named ? 1 : relation_info->settings->max_concurrency, info->ppi_clauses,
					  any_uncounted(root, required_outer) ? LONG_HISTORY / DEFAULT_JOBS : 1,
					  NIL, false, required_outer);
	}
}

/*
 * May Search records replace documents, regardless of scan_api?  If so, *read is the set
 * of attributes that are read.
 */
static bool
may_prove(RelOptInfo *rel, JobSource source, List *attnums, AttributeSet *read)
{
	FdwRelationInfo *info = rel->fdw_private;
	SmfNeeds	needs = smf_needs(info->table.columns, attnums, source);

	return source == SMF_FROM_LIST && (needs.document || needs.tags) &&
		smf_columns_searchable(info->table.columns, attnums, info->raw_members, read);
}

/*
 * Add the path for a source that is not parameterized by other tables.  Sources that walk
 * over all jobs are assumed to walk far if there are no statistics.
 */
static void
add_source_path(PlannerInfo *root, RelOptInfo *rel, JobSource source, List *attnums)
{
	FdwRelationInfo *info = rel->fdw_private;
	bool		far = !info->has_statistics && (source == SMF_FROM_LIST || source == SMF_FROM_SEARCH);
	AttributeSet read = 0;
	bool		prove = info->settings->scan_api == SMF_SCAN_AUTO &&
		may_prove(rel, source, attnums, &read);
	CallEstimate estimate = smf_estimate_calls(root, rel, source, far ? LONG_HISTORY : rel->tuples, prove, attnums,
											   rel->baserestrictinfo, 0);
	double		overlap = info->settings->max_concurrency;
	List	   *pathkeys = NIL;
	bool		oldest_first = false;

	if (source == SMF_FROM_NAMES)
		overlap = Max(Min(overlap, estimate.describes), 1);
	else
		pathkeys = order_offered(root, rel, &oldest_first);
	add_scan_path(root, rel, source, &estimate, rel->rows, overlap, NIL, 1, pathkeys, oldest_first,
				  rel->lateral_relids);
}

/*
 * sagemakerGetForeignPaths
 *		Add all possible paths for the table.
 */
void
sagemakerGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelationInfo *info = rel->fdw_private;
	List	   *attnums = smf_demand_columns(root, rel, &info->table, rel->baserestrictinfo);
	bool		named = smf_any_clause_used(rel, SMF_FROM_NAMES, USE_LOOKUP);

	/*
	 * Look up the jobs that conditions name.  This comes first, because among paths of
	 * the same cost it is the one with a limit.
	 */
	if (named)
	{
		/* there are no more rows than names, whichever path returns them */
		rel->rows = Max(Min(rel->rows, smf_names_looked_up(root, rel, rel->baserestrictinfo)), 1);
		add_source_path(root, rel, SMF_FROM_NAMES, attnums);
	}
	if (smf_any_clause_used(rel, SMF_FROM_TUNING_JOB, USE_TUNING_JOB))
		add_source_path(root, rel, SMF_FROM_TUNING_JOB, attnums);

	/* Walk over all jobs, or look up the jobs that other tables name. */
	add_source_path(root, rel, info->settings->scan_api == SMF_SCAN_SEARCH ? SMF_FROM_SEARCH : SMF_FROM_LIST,
					attnums);
	for (int i = 0; !named && i < lengthof(join_ways); i++)
		add_parameterized_paths(root, rel, &join_ways[i], attnums);
}

/*
 * smf_is_our_table
 *		Is the relation a foreign table of this wrapper?
 */
bool
smf_is_our_table(const RelOptInfo *rel)
{
	return rel->fdwroutine != NULL && rel->fdwroutine->GetForeignPaths == sagemakerGetForeignPaths;
}

/* A walker: is there a value that is known only when the query runs? */
static bool
takes_parameter(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return true;
	return expression_tree_walker(node, takes_parameter, context);
}

/*
 * Can Postgres leave out the partition for one row and not for another, although the scan
 * would make calls if it were started?
 */
static bool
may_be_pruned(PlannerInfo *root, const ForeignPath *path)
{
	RelOptInfo *rel = path->path.parent;
	FdwRelationInfo *info = rel->fdw_private;
	Bitmapset  *keys = NULL;
	ListCell   *lc;

	pull_varattnos((Node *) smf_demand_partition_keys(root, rel->relid), rel->relid, &keys);
	if (keys == NULL || !enable_partition_pruning)
		return false;
	foreach(lc, path->path.param_info != NULL ?
			list_concat_copy(path->path.param_info->ppi_clauses, rel->baserestrictinfo) : rel->baserestrictinfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Bitmapset  *read = NULL;

		pull_varattnos((Node *) clause->clause, rel->relid, &read);
		/* the scan itself decides what is known before any call */
		if (bms_overlap(read, keys) &&
			(!bms_is_subset(clause->clause_relids, rel->relids) || takes_parameter((Node *) clause->clause, NULL)) &&
			smf_early_tier((Node *) clause->clause, &info->table, SMF_FROM_NAMES) != EARLY_AT_START)
			return true;
	}
	return false;
}

/*
 * smf_path_looks_up
 *		Does the path look up jobs that something else names, whenever a join runs it?
 */
bool
smf_path_looks_up(PlannerInfo *root, const ForeignPath *path)
{
	return smf_is_our_table(path->path.parent) &&
		intVal(list_nth(path->fdw_private, PATH_PRIVATE_SOURCE)) == SMF_FROM_NAMES &&
		!may_be_pruned(root, path);
}

/*
 * smf_path_calls
 *		The calls of one scan with the path, which must be ours.
 */
double
smf_path_calls(const ForeignPath *path)
{
	return floatVal(list_nth(path->fdw_private, PATH_PRIVATE_CALLS));
}

/*
 * smf_usable_concurrency
 *		How many look-ups of the table, which must be ours, may overlap; less than 1 if
 *		the rate of calls is that low.  Valid once the table's size has been estimated.
 */
double
smf_usable_concurrency(const RelOptInfo *rel)
{
	return ((FdwRelationInfo *) rel->fdw_private)->concurrency.usable[SMF_OP_DESCRIBE_TRAINING_JOB];
}

/*
 * sagemakerIsForeignPathAsyncCapable
 *		May the path be run alongside others below an Append?
 */
bool
sagemakerIsForeignPathAsyncCapable(ForeignPath *path)
{
	FdwRelationInfo *info = path->path.parent->fdw_private;

	return info->settings->async_capable &&
		!boolVal(list_nth(path->fdw_private, PATH_PRIVATE_IN_TURN));
}

/* ----- plans ----- */

/*
 * sagemakerGetForeignPlan
 *		Create the plan for the chosen path.
 */
ForeignScan *
sagemakerGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
						ForeignPath *best_path, List *tlist,
						List *scan_clauses, Plan *outer_plan)
{
	FdwRelationInfo *info = rel->fdw_private;
	JobSource	source = intVal(list_nth(best_path->fdw_private, PATH_PRIVATE_SOURCE));
	List	   *attnums = smf_demand_columns(root, rel, &info->table, scan_clauses);
	SortedClauses sorted;
	CallEstimate estimate;
	ScanPlan	plan;
	bool		searchable;
	List	   *exprs;
	List	   *private;

	/* Set where each condition is decided. */
	smf_sort_clauses(root, rel, scan_clauses, source, &sorted);
	plan.source = source;
	plan.read = 0;
	searchable = may_prove(rel, source, attnums, &plan.read);
	plan.prove = searchable && info->settings->scan_api == SMF_SCAN_AUTO;
	plan.attnums = attnums;
	plan.api = sorted.api;
	plan.api_conditions = sorted.api_conditions;
	plan.early = sorted.early;
	plan.early_conditions = sorted.early_conditions;

	/* Set how much the query reads, and in which order. */
	plan.ordered = best_path->path.pathkeys != NIL;
	plan.oldest_first = boolVal(list_nth(best_path->fdw_private, PATH_PRIVATE_OLDEST_FIRST));
	plan.narrowed = sorted.filters != NIL || sorted.known != NIL;
	plan.bound = smf_demand_rows(root, rel, best_path, sorted.all_known && source != SMF_FROM_NAMES);
	plan.ramp = smf_demand_may_end(root, rel, plan.bound);
	plan.in_turn = boolVal(list_nth(best_path->fdw_private, PATH_PRIVATE_IN_TURN));
	plan.from_parent = smf_demand_from_parent(root, rel, &info->table, best_path, plan.in_turn);
	plan.parameterized = best_path->path.param_info != NULL;

	/* Estimate again: the path did not know about a LIMIT. */
	estimate = smf_estimate_calls(root, rel, source, rel->tuples, plan.prove, attnums, scan_clauses, plan.bound);
	plan.has_statistics = info->has_statistics || source == SMF_FROM_NAMES;
	plan.estimated_jobs = estimate.jobs;
	plan.estimated_calls = smf_total_calls(&estimate);
	plan.certain_calls = estimate.certain;
	plan.calls_by_search = 0;
	if (searchable && !plan.prove)
	{
		CallEstimate by_search = smf_estimate_calls(root, rel, source, rel->tuples, true, attnums, scan_clauses,
													plan.bound);

		if (estimate.describes - by_search.describes > WORTH_A_HINT)
			plan.calls_by_search = smf_total_calls(&by_search);
	}

	smf_scan_plan_pack(&plan, &exprs, &private);
	return make_foreignscan(tlist, sorted.local, rel->relid, exprs, private, NIL, sorted.recheck,
							outer_plan);
}
