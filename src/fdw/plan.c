/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Sizes, paths and plans of foreign scans, costed by the calls they make.
 *
 * Planning makes no call.  A scan looks up one job by name, or walks all of
 * them; the name may be a column of another table, which gives a path
 * parameterised by that table.
 *
 * Not accounted for: conditions other than a name do not narrow what is fetched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "compat.h"
#include "fdw/column.h"
#include "fdw/plan.h"
#include "fdw/pushdown.h"
#include "fdw/scan.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

/* Rows of a table that nobody has estimated. */
#define DEFAULT_JOBS 1000

double		smf_call_cost = 100;

/* RelOptInfo.fdw_private: what planning one table needs more than once. */
typedef struct JobPlan
{
	SmfSettings *settings;
	SmfColumn  *columns;		/* by attribute number less one */
	AttrNumber	natts;
} JobPlan;

/* Which calls a set of columns needs. */
typedef struct ColumnNeeds
{
	List	   *attnums;		/* columns that are read (integer list) */
	bool		want_document;	/* some are not in a summary */
	bool		want_tags;
} ColumnNeeds;

/*
 * sagemakerGetForeignRelSize
 *		Estimate the rows; raises HV005 when a column is no attribute.
 */
void
sagemakerGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	JobPlan  *state = palloc0(sizeof(JobPlan));
	ForeignTable *table = GetForeignTable(relid);
	Relation	relation = table_open(relid, NoLock);

	state->settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	state->columns = smf_table_columns(relid, RelationGetDescr(relation));
	state->natts = RelationGetNumberOfAttributes(relation);
	table_close(relation, NoLock);
	rel->fdw_private = state;

	if (state->settings->estimated_jobs >= 0)
		rel->tuples = state->settings->estimated_jobs;
	else if (rel->tuples <= 0)
		rel->tuples = DEFAULT_JOBS;
	set_baserel_size_estimates(root, rel);
}

/* Which columns of the table do the expressions read, and which calls give them? */
static ColumnNeeds
columns_needed(RelOptInfo *rel, List *scan_clauses)
{
	JobPlan  *state = rel->fdw_private;
	ColumnNeeds needs = {0};
	Bitmapset  *used = NULL;
	ListCell   *lc;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	foreach(lc, scan_clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);

	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	for (int i = 0; i < state->natts; i++)
	{
		SmfColumn  *column = &state->columns[i];

		if (column->name == NULL)
			continue;			/* dropped */
		if (!whole_row &&
			!bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, used))
			continue;
		needs.attnums = lappend_int(needs.attnums, column->attnum);
		needs.want_document |= !smf_column_in_summary(column);
		needs.want_tags |= smf_column_is_tags(column);
	}
	return needs;
}

/* The first clause that says which name to look up, as the name; or NULL. */
static Expr *
find_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	JobPlan  *state = rel->fdw_private;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Expr	   *name;

		if (clause->pseudoconstant)
			continue;
		name = smf_name_lookup(root, rel, state->columns, clause);
		if (name != NULL)
			return name;
	}
	return NULL;
}

/* ----- paths ----- */

/* A path that looks up one name, given by the tables in "required_outer", if any. */
static void
add_lookup_path(PlannerInfo *root, RelOptInfo *rel, const ColumnNeeds *needs,
				Relids required_outer)
{
	double		calls = 1 + needs->want_tags;
	Cost		cost = calls * smf_call_cost + cpu_tuple_cost;

	add_path(rel, (Path *)
			 smf_create_foreignscan_path(root, rel, 1, cost, cost, NIL,
										 required_outer, NIL));
}

/* A path that walks all jobs. */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, const ColumnNeeds *needs)
{
	JobPlan  *state = rel->fdw_private;
	double		pages = ceil(rel->tuples / state->settings->fetch_size);
	double		calls_a_job = needs->want_document + needs->want_tags;
	Cost		startup_cost;
	Cost		total_cost;

	/* pages follow one another; the calls for their jobs overlap */
	startup_cost = smf_call_cost * (1 + calls_a_job);
	total_cost = smf_call_cost *
		(Max(pages, 1) + rel->tuples * calls_a_job / state->settings->max_concurrency);
	total_cost = Max(total_cost, startup_cost) + cpu_tuple_cost * rel->tuples;

	add_path(rel, (Path *)
			 smf_create_foreignscan_path(root, rel, rel->rows, startup_cost, total_cost,
										 NIL, rel->lateral_relids, NIL));
}

/* generate_implied_equalities_for_column's callback: is it the name column? */
static bool
ec_member_is_name(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
				  EquivalenceMember *em, void *arg)
{
	JobPlan  *state = rel->fdw_private;

	return smf_is_name_column(state->columns, rel, (Node *) em->em_expr);
}

/*
 * Paths that look up the names that other tables give, by join clauses or by
 * equivalence classes.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, const ColumnNeeds *needs)
{
	JobPlan  *state = rel->fdw_private;
	List	   *clauses = NIL;
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(clause, rel))
			clauses = lappend(clauses, clause);
	}
	if (rel->has_eclass_joins)
		clauses = list_concat(clauses,
							  generate_implied_equalities_for_column(root, rel, ec_member_is_name,
																	 NULL, rel->lateral_referencers));

	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Relids		required_outer;
		ParamPathInfo *info;

		if (smf_name_lookup(root, rel, state->columns, clause) == NULL)
			continue;
		required_outer = bms_union(clause->clause_relids, rel->lateral_relids);
		required_outer = bms_del_member(required_outer, rel->relid);
		if (bms_is_empty(required_outer))
			continue;
		/* clauses that need the same tables make the same path */
		info = get_baserel_parampathinfo(root, rel, required_outer);
		if (list_member_ptr(done, info))
			continue;
		done = lappend(done, info);
		add_lookup_path(root, rel, needs, required_outer);
	}
}

/*
 * sagemakerGetForeignPaths
 *		Offer all ways to scan the table.
 */
void
sagemakerGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	ColumnNeeds needs = columns_needed(rel, rel->baserestrictinfo);

	if (find_lookup(root, rel, rel->baserestrictinfo) != NULL)
	{
		rel->rows = 1;
		add_lookup_path(root, rel, &needs, rel->lateral_relids);
		return;
	}
	add_scan_path(root, rel, &needs);
	add_parameterized_paths(root, rel, &needs);
}

/*
 * The number of rows that the query reads from this table at the most, 0 if it
 * may be all: a LIMIT that nothing stands between.
 */
static double
rows_bound(PlannerInfo *root, RelOptInfo *rel)
{
	Query	   *query = root->parse;

	if (root->limit_tuples < 1 || query->limitOption == LIMIT_OPTION_WITH_TIES)
		return 0;
	/* a join, a condition or a sort makes of a row read no row of the result */
	if (rel->reloptkind != RELOPT_BASEREL || !bms_equal(root->all_baserels, rel->relids) ||
		rel->baserestrictinfo != NIL || query->sortClause != NIL ||
		query->rowMarks != NIL || query->setOperations != NULL)
		return 0;
	return root->limit_tuples;
}

/*
 * Is the query likely to stop before it has read all rows?  Under a LIMIT above
 * joins or sorts, in an EXISTS, for a cursor: it may, or it may not.
 */
static bool
may_end_early(PlannerInfo *root)
{
	return root->limit_tuples >= 1 || root->tuple_fraction > 0;
}

/*
 * sagemakerGetForeignPlan
 *		The plan for the path that was chosen.
 */
ForeignScan *
sagemakerGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
						ForeignPath *best_path, List *tlist,
						List *scan_clauses, Plan *outer_plan)
{
	ColumnNeeds needs = columns_needed(rel, scan_clauses);
	Expr	   *name = find_lookup(root, rel, scan_clauses);
	List	   *private;

	/* in the order of ScanPrivateIndex */
	private = list_make4(needs.attnums,
						 makeBoolean(needs.want_document || name != NULL),
						 makeBoolean(needs.want_tags),
						 makeBoolean(name != NULL));
	private = lappend(private, makeFloat(psprintf("%.0f", rows_bound(root, rel))));
	private = lappend(private, makeBoolean(may_end_early(root)));
	return make_foreignscan(tlist, extract_actual_clauses(scan_clauses, false), rel->relid,
							name ? list_make1(name) : NIL, private, NIL, NIL, outer_plan);
}
