/*-------------------------------------------------------------------------
 *
 * plan_tree.c
 *		Where a plan is among a statement's plans.
 *
 * Not accounted for: plans below other extensions' nodes that are not among their
 * custom_plans.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/plan_tree.h"

/* The plans directly below one, in the current memory context: Plan *. */
static List *
children(const Plan *plan)
{
	List	   *below = NIL;

	if (outerPlan(plan) != NULL)
		below = lappend(below, outerPlan(plan));
	if (innerPlan(plan) != NULL)
		below = lappend(below, innerPlan(plan));

	/* Some keep their plans elsewhere. */
	switch (nodeTag(plan))
	{
		case T_Append:
			return list_concat(below, ((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return list_concat(below, ((const MergeAppend *) plan)->mergeplans);
		case T_SubqueryScan:
			return lappend(below, ((const SubqueryScan *) plan)->subplan);
		case T_CustomScan:
			return list_concat(below, ((const CustomScan *) plan)->custom_plans);
		default:
			return below;
	}
}

/*
 * The path from the plan down to the wanted one, including both, from the bottom up: Plan
 * *.  NIL if the wanted one is not below it.
 */
static List *
way_up(Plan *plan, const Plan *wanted)
{
	ListCell   *lc;

	if (plan == wanted)
		return list_make1(plan);
	foreach(lc, children(plan))
	{
		List	   *way = way_up(lfirst(lc), wanted);

		if (way != NIL)
			return lappend(way, plan);
	}
	return NIL;
}

/*
 * smf_plans_above
 *		A plan of the statement, followed by those above it, up to the top of the
 *		statement or of a sub-select: Plan *, from the bottom up; NIL if it is not one
 *		of the statement's.
 */
List *
smf_plans_above(const PlannedStmt *statement, const Plan *wanted)
{
	List	   *way = way_up(statement->planTree, wanted);
	ListCell   *lc;

	foreach(lc, statement->subplans)
	{
		/* an entry that the planner found to be unused is NULL */
		if (way == NIL && lfirst(lc) != NULL)
			way = way_up(lfirst(lc), wanted);
	}
	return way;
}

/* Does the plan keep its rows, so that everything below it runs only once? */
static bool
keeps_rows(const Plan *plan)
{
	return (IsA(plan, Material) || IsA(plan, Sort) || IsA(plan, Hash)) && bms_is_empty(plan->extParam);
}

/*
 * smf_runs_again
 *		Is the plan below the side of a join, or of a recursive query, that runs once
 *		for each row or step of the other side?
 */
bool
smf_runs_again(const PlannedStmt *statement, const Plan *wanted)
{
	const Plan *below = NULL;
	ListCell   *lc;

	foreach(lc, smf_plans_above(statement, wanted))
	{
		const Plan *plan = lfirst(lc);

		if (keeps_rows(plan))
			return false;
		if ((IsA(plan, NestLoop) || IsA(plan, RecursiveUnion)) && below != NULL && innerPlan(plan) == below)
			return true;
		below = plan;
	}
	return false;
}

/*
 * smf_limit_takes_one
 *		Is it certain that a LIMIT takes the first row from below it?
 */
bool
smf_limit_takes_one(const Node *count, const Node *offset)
{
	return count != NULL && IsA(count, Const) && !((const Const *) count)->constisnull &&
		DatumGetInt64(((const Const *) count)->constvalue) >= 1 && offset == NULL;
}
