/*-------------------------------------------------------------------------
 *
 * lookahead_plan.c
 *		Paths and plans of joins that look up the jobs of many rows at once.
 *
 * A nested loop whose inner side looks up the jobs that its outer side names makes one
 * call after another.  For each such join another path is added: the same nested loop,
 * with a node above its outer side that reads rows in batches and makes the inner side
 * fetch the jobs for a whole batch (lookahead.c).  Its cost is that of overlapping calls,
 * and add_path decides.
 *
 *		Nested Loop
 *		  ->  Custom Scan (Job Look-ahead)
 *				->  the outer side
 *		  ->  Foreign Scan, for each row of the outer side
 *
 * The node only changes when calls are made: join semantics are still Postgres's.
 *
 * Not accounted for: an inner side that is itself a join, and joins of one partition with
 * one partition (enable_partitionwise_join), whose look-ups are parameterised by the whole
 * table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "compat/fdw.h"
#include "fdw/cost.h"
#include "fdw/demand.h"
#include "fdw/lookahead.h"
#include "fdw/lookahead_plan.h"
#include "fdw/plan.h"
#include "fdw/plan_tree.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

/* A cost lower by this factor is accepted as lower by add_path. */
#define SLIGHTLY_LESS 0.95

bool		smf_enable_lookahead = true;

static set_join_pathlist_hook_type previous_hook = NULL;

/* ----- the inner side ----- */

/* Does one of the conditions compare with the elements of an array? */
static bool
any_of_array(List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		if (IsA(lfirst_node(RestrictInfo, lc)->clause, ScalarArrayOpExpr))
			return true;
	}
	return false;
}

/* Is it one of our scans, and does it look up at most one job per run? */
static bool
is_one_look_up(Path *path)
{
	if (IsA(path, ProjectionPath))
		path = ((ProjectionPath *) path)->subpath;
	return IsA(path, ForeignPath) && !any_of_array(path->parent->baserestrictinfo) &&
		(path->param_info == NULL || !any_of_array(path->param_info->ppi_clauses));
}

/*
 * Append the look-ups that the path makes whenever it is run, ForeignPath *, to the list.
 * A path that may run without its look-ups adds none.
 */
static List *
look_ups_of(PlannerInfo *root, Path *path, List *look_ups)
{
	ListCell   *lc;

	switch (nodeTag(path))
	{
		case T_ForeignPath:
			if (smf_path_looks_up(root, (ForeignPath *) path))
				look_ups = lappend(look_ups, path);
			break;
		case T_AppendPath:
			foreach(lc, ((AppendPath *) path)->subpaths)
				look_ups = look_ups_of(root, lfirst(lc), look_ups);
			break;

			/* a LATERAL sub-select, and nodes that may be above the scan in it */
		case T_SubqueryScanPath:
			return look_ups_of(path->parent->subroot, ((SubqueryScanPath *) path)->subpath, look_ups);
		case T_ProjectionPath:
			return look_ups_of(root, ((ProjectionPath *) path)->subpath, look_ups);
		case T_LimitPath:
			/* a LIMIT above several look-ups may end before the last one */
			if (smf_limit_takes_one(((LimitPath *) path)->limitCount, ((LimitPath *) path)->limitOffset) &&
				is_one_look_up(((LimitPath *) path)->subpath))
				return look_ups_of(root, ((LimitPath *) path)->subpath, look_ups);
			break;
		case T_SortPath:
			return look_ups_of(root, ((SortPath *) path)->subpath, look_ups);
		case T_AggPath:
			return look_ups_of(root, ((AggPath *) path)->subpath, look_ups);
		default:
			break;
	}
	return look_ups;
}

/* Can the relation have paths that look up jobs?  This only considers its kind. */
static bool
may_look_up(const RelOptInfo *rel)
{
	if (rel->reloptkind != RELOPT_BASEREL && rel->reloptkind != RELOPT_OTHER_MEMBER_REL)
		return false;
	if (rel->rtekind == RTE_SUBQUERY)
		return rel->lateral_relids != NULL;
	return rel->rtekind == RTE_RELATION &&
		(rel->fdwroutine != NULL ? smf_is_our_table(rel) : rel->nparts > 0);
}

/* The cost of the calls of the look-ups in one loop, if each waits for the previous one. */
static Cost
calls_cost(List *look_ups)
{
	Cost		cost = 0;
	ListCell   *lc;

	foreach(lc, look_ups)
	{
		ForeignPath *path = lfirst(lc);

		cost += smf_call_cost * smf_path_calls(path) / Min(smf_usable_concurrency(path->path.parent), 1);
	}
	return cost;
}

/*
 * The same path with its look-ups, which must all be in the list, at "share" of their
 * cost.
 */
static Path *
cheaper_copy(Path *path, List *look_ups, double share)
{
	Path	   *copy;
	Cost		saved = 0;
	ListCell   *lc;

	/*
	 * Copy the path down to its look-ups, and add up what they save; a path without
	 * look-ups is returned as it is.
	 */
	switch (nodeTag(path))
	{
		case T_ForeignPath:
			if (!list_member_ptr(look_ups, path))
				return path;
			copy = palloc(sizeof(ForeignPath));
			*(ForeignPath *) copy = *(ForeignPath *) path;
			saved = (1 - share) * calls_cost(list_make1(path));
			break;
		case T_AppendPath:
			copy = palloc(sizeof(AppendPath));
			*(AppendPath *) copy = *(AppendPath *) path;
			((AppendPath *) copy)->subpaths = NIL;
			foreach(lc, ((AppendPath *) path)->subpaths)
			{
				Path	   *subpath = lfirst(lc);
				Path	   *cheaper = cheaper_copy(subpath, look_ups, share);

				((AppendPath *) copy)->subpaths = lappend(((AppendPath *) copy)->subpaths, cheaper);
				saved += subpath->total_cost - cheaper->total_cost;
			}
			break;
		case T_SubqueryScanPath:
			copy = palloc(sizeof(SubqueryScanPath));
			*(SubqueryScanPath *) copy = *(SubqueryScanPath *) path;
			saved = (1 - share) * calls_cost(look_ups);
			break;
		default:
			/* a partition of another kind costs the same as before */
			return path;
	}

	/* Subtract the savings from both costs. */
	copy->startup_cost -= Min(saved, copy->startup_cost);
	copy->total_cost -= Min(saved, copy->total_cost);
	return copy;
}

/* ----- the outer side ----- */

/*
 * How many different jobs "rows" rows of the outer side name, for look-ups of one job
 * each.
 */
static double
distinct_rows(PlannerInfo *root, RelOptInfo *outerrel, Path *inner, double rows)
{
	List	   *vars = NIL;
	ListCell   *lc;

	foreach(lc, inner->param_info->ppi_clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		ListCell   *lc2;

		foreach(lc2, pull_var_clause((Node *) clause->clause, PVC_RECURSE_AGGREGATES |
									 PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS))
		{
			Var		   *var = lfirst_node(Var, lc2);

			if (bms_is_member(var->varno, outerrel->relids))
				vars = list_append_unique(vars, var);
		}
	}
	if (vars == NIL)
		return rows;
	return Min(estimate_num_groups(root, vars, rows, NULL, NULL), rows);
}

/* The calls of one scan of each path in the list, ForeignPath *. */
static double
calls_of(List *paths)
{
	double		calls = 0;
	ListCell   *lc;

	foreach(lc, paths)
		calls += smf_path_calls(lfirst(lc));
	return calls;
}

/*
 * The scans of ours that the path consists of, ForeignPath *; NIL if it contains anything
 * else.
 */
static List *
scans_of(Path *path)
{
	List	   *scans = NIL;
	ListCell   *lc;

	if (IsA(path, ForeignPath) && smf_is_our_table(path->parent))
		return list_make1(path);
	if (!IsA(path, AppendPath))
		return NIL;
	foreach(lc, ((AppendPath *) path)->subpaths)
	{
		List	   *some = scans_of(lfirst(lc));

		if (some == NIL)
			return NIL;
		scans = list_concat(scans, some);
	}
	return scans;
}

static Plan *plan_lookahead(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
							List *clauses, List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = "Job Look-ahead",
	.PlanCustomPath = plan_lookahead
};

/* A path that reads the rows of another in batches: the same rows, in the same order. */
static Path *
lookahead_path(PlannerInfo *root, Path *outer)
{
	CustomPath *path = makeNode(CustomPath);

	path->path = *outer;
	path->path.type = T_CustomPath;
	path->path.pathtype = T_CustomScan;
	path->path.parallel_aware = false;
	path->path.parallel_safe = false;
	path->path.parallel_workers = 0;
	path->path.total_cost += cpu_tuple_cost * outer->rows;
	path->custom_paths = list_make1(outer);
	path->custom_private = list_make1(makeBoolean(smf_demand_query_may_end(root)));
	path->methods = &path_methods;
	return &path->path;
}

/*
 * The cost of the look-ups for "distinct" rows, as a share of the cost when one call
 * follows the other.
 *
 * The number of calls comes first, and time second.  So that calls overlap counts only if
 * a scan without the outer side would not make fewer calls.  Otherwise it counts just
 * enough to prefer this to the same nested loop alone.
 */
static double
cost_share(RelOptInfo *innerrel, List *look_ups, double distinct)
{
	List	   *scans = scans_of(innerrel->cheapest_total_path);
	double		usable = smf_usable_concurrency(((ForeignPath *) linitial(look_ups))->path.parent);

	/*
	 * if the rate allows less than one call after the other, sequential calls cost that
	 * already
	 */
	double		overlap = Max(Min(usable, distinct), 1);

	if (scans != NIL && calls_of(scans) < distinct * calls_of(look_ups))
		overlap = 1;
	return distinct >= 2 ? Min(1 / overlap, SLIGHTLY_LESS) : 1;
}

static bool
is_volatile(Oid function, void *context)
{
	return func_volatile(function) == PROVOLATILE_VOLATILE;
}

/* A walker: is it volatile, or does it lock rows? */
static bool
has_effect(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return ((Query *) node)->rowMarks != NIL ||
			query_tree_walker((Query *) node, has_effect, context, QTW_IGNORE_JOINALIASES);
	if (IsA(node, NextValueExpr) || check_functions_in_node(node, is_volatile, NULL))
		return true;
	return expression_tree_walker(node, has_effect, context);
}

/*
 * Can anybody notice that rows of the outer side are read early, because reading them
 * computes something volatile, or locks rows?  What the query itself computes and locks
 * for a row of the join comes later.
 */
static bool
reading_has_effects(PlannerInfo *root)
{
	Query	   *query = root->parse;

	return range_table_walker(query->rtable, has_effect, NULL, QTW_IGNORE_JOINALIASES) ||
		has_effect((Node *) query->jointree, NULL) || has_effect((Node *) query->cteList, NULL);
}

/* Can one of the look-ups, ForeignPath *, name more than one job for a row? */
static bool
names_several(List *look_ups)
{
	ListCell   *lc;

	foreach(lc, look_ups)
	{
		if (!is_one_look_up(lfirst(lc)))
			return true;
	}
	return false;
}

/* Add a nested loop of an outer path with look-ups that are made ahead. */
static void
add_lookahead_path(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel,
				   RelOptInfo *innerrel, Path *outer, Path *inner, List *look_ups,
				   JoinType jointype, JoinPathExtraData *extra)
{
	double		rows = Max(outer->rows, 1);
	double		distinct;

	/* reading rows earlier must make no difference */
	if (contain_volatile_functions((Node *) outer->pathtarget->exprs))
		return;
	distinct = distinct_rows(root, outerrel, inner, rows);
	smf_add_nestloop_path(root, joinrel, jointype, extra, lookahead_path(root, outer),
						  cheaper_copy(inner, look_ups, distinct / rows * cost_share(innerrel, look_ups, distinct)));
}

/*
 * set_join_pathlist_hook: for each way to look up on the inner side what the outer side
 * names, add a path that looks it up ahead.
 */
static void
add_lookahead_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel,
					RelOptInfo *innerrel, JoinType jointype, JoinPathExtraData *extra)
{
	bool		may_end;
	ListCell   *lc;

	if (previous_hook != NULL)
		previous_hook(root, joinrel, outerrel, innerrel, jointype, extra);

	/* Ignore joins whose inner side is not ours. */
	if (!smf_enable_lookahead || !may_look_up(innerrel))
		return;
	if (jointype != JOIN_INNER && jointype != JOIN_LEFT && jointype != JOIN_SEMI &&
		jointype != JOIN_ANTI && jointype != JOIN_UNIQUE_OUTER)
		return;
	may_end = smf_demand_query_may_end(root);
	if (may_end && reading_has_effects(root))
		return;

	foreach(lc, innerrel->cheapest_parameterized_paths)
	{
		Path	   *inner = lfirst(lc);
		Relids		needed = PATH_REQ_OUTER(inner);
		List	   *look_ups;
		ListCell   *lc2;

		/* Consider those that need only the outer side. */
		if (needed == NULL || !bms_is_subset(needed, outerrel->relids) ||
			smf_dangerous_placeholder(root, outerrel->relids, needed))
			continue;
		look_ups = look_ups_of(root, inner, NIL);
		/* if there are several names for a row, the first may be all that is needed */
		if (look_ups == NIL ||
			(names_several(look_ups) && (may_end || jointype == JOIN_SEMI || jointype == JOIN_ANTI)))
			continue;

		/* For the outer side, consider the cheapest path, and those that are ordered. */
		if (jointype == JOIN_UNIQUE_OUTER)
		{
			Path	   *outer = outerrel->cheapest_total_path;

			if (outer->param_info == NULL)
				outer = smf_unique_outer_path(root, outerrel, outer, extra->sjinfo);
			if (outer != NULL && outer->param_info == NULL)
				add_lookahead_path(root, joinrel, outerrel, innerrel, outer, inner, look_ups, JOIN_INNER, extra);
			continue;
		}
		foreach(lc2, outerrel->pathlist)
		{
			Path	   *outer = lfirst(lc2);

			if (outer->param_info == NULL &&
				(outer == outerrel->cheapest_total_path || outer->pathkeys != NIL))
				add_lookahead_path(root, joinrel, outerrel, innerrel, outer, inner, look_ups, jointype, extra);
		}
	}
}

/* ----- the plan ----- */

/* CustomPathMethods: create the plan node, whose rows are those of the plan below it. */
static Plan *
plan_lookahead(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
			   List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);

	scan->scan.plan.targetlist = tlist;
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->custom_plans = custom_plans;
	/* the plan below may return more than is needed from here */
	scan->custom_scan_tlist = copyObject(((Plan *) linitial(custom_plans))->targetlist);
	scan->custom_private = path->custom_private;
	scan->methods = &smf_lookahead_scan_methods;
	return &scan->scan.plan;
}

/*
 * smf_lookahead_install
 *		Hook into the planning of joins.  Called once, when the library is loaded.
 */
void
smf_lookahead_install(void)
{
	RegisterCustomScanMethods(&smf_lookahead_scan_methods);
	previous_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = add_lookahead_paths;
}
