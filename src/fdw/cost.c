/*-------------------------------------------------------------------------
 *
 * cost.c
 *		The number of rows of a scan, the calls that it makes, and their cost.
 *
 * Calls are the expensive part; computing conditions comes on top.
 *
 * Not accounted for: calls saved when an outer table repeats its values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "compat/fdw.h"
#include "fdw/cost.h"
#include "jobs/batch.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

double		smf_call_cost = 100;

/* Do the table's settings decide the condition? */
static SettledClause
settled_clause(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *clause)
{
	FdwRelationInfo *info = rel->fdw_private;
	ClauseInfo *found = smf_clause_info(rel, clause);

	if (!found->asked_settled)
	{
		found->asked_settled = true;
		if (found->may_be_early)
			found->settled = smf_settle_clause(root, (Node *) clause->clause, &info->table, info->settings);
	}
	return found->settled;
}

/* The share of jobs that meet the conditions, a list of RestrictInfo. */
static double
selectivity(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	List	   *open = NIL;
	ListCell   *lc;

	/* what the settings decide is known, and need not be estimated */
	foreach(lc, clauses)
	{
		SettledClause settled = settled_clause(root, rel, lfirst_node(RestrictInfo, lc));

		if (settled == CLAUSE_NEVER)
			return 0;
		if (settled == CLAUSE_OPEN)
			open = lappend(open, lfirst(lc));
	}
	return clauselist_selectivity(root, open, rel->relid, JOIN_INNER, NULL);
}

/* If the table's settings decide conditions, estimate the rows accordingly. */
void
smf_estimate_settled(PlannerInfo *root, RelOptInfo *rel)
{
	FdwRelationInfo *info = rel->fdw_private;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		SettledClause settled = settled_clause(root, rel, lfirst_node(RestrictInfo, lc));

		any |= settled != CLAUSE_OPEN;
		info->none_match |= settled == CLAUSE_NEVER;
	}
	if (any)
		rel->rows = clamp_row_est(rel->tuples * selectivity(root, rel, rel->baserestrictinfo));
}

/* The number of elements in the array, as far as that can be estimated. */
static double
array_length(PlannerInfo *root, Node *array)
{
	Param	   *param = (Param *) array;
	ListCell   *lc;

	/* for ARRAY(SELECT ...), which has been planned by now: its number of rows */
	foreach(lc, IsA(param, Param) && param->paramkind == PARAM_EXEC ? root->init_plans : NIL)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, lc);

		if (subplan->subLinkType == ARRAY_SUBLINK && list_member_int(subplan->setParam, param->paramid))
			return ((Plan *) list_nth(root->glob->subplans, subplan->plan_id - 1))->plan_rows;
	}
	return smf_estimate_array_length(root, array);
}

/* How many jobs the lookup clauses name: the minimum over all of them. */
double
smf_names_looked_up(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	double		fewest = -1;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		ListCell   *lc2;
		double		names = 0;

		if (smf_clause_used(rel, clause, SMF_FROM_NAMES) != USE_LOOKUP)
			continue;
		foreach(lc2, smf_clause_info(rel, clause)->conditions)
		{
			Condition  *condition = lfirst(lc2);

			names += condition->kind == CONDITION_ANY ?
				array_length(root, (Node *) condition->value) : 1;
		}
		if (fewest < 0 || names < fewest)
			fewest = names;
	}
	return Max(fewest, 0);
}

/*
 * The calls that no condition can save.  How many jobs a condition rejects is a guess;
 * but if no condition can save a call, that is certain.
 */
static double
certain_calls(const CallEstimate *estimate, const SortedClauses *sorted, JobSource source)
{
	bool		conditions = sorted->local != NIL || sorted->recheck != NIL;
	double		calls = 0;

	if (sorted->created == NIL && (sorted->filters == NIL || source == SMF_FROM_LIST))
		calls += estimate->pages;
	else
		return 0;
	if (sorted->filters == NIL && sorted->known == NIL && sorted->tagged == NIL)
		calls += estimate->describes + estimate->searches;
	if (!conditions)
		calls += estimate->tag_lists;
	return calls;
}

/* The sum of all calls. */
double
smf_total_calls(const CallEstimate *estimate)
{
	return estimate->pages + estimate->describes + estimate->tag_lists + estimate->searches;
}

/* The share of the table's jobs that have this status, according to ANALYZE. */
static double
status_share(PlannerInfo *root, RelOptInfo *rel, const SmfColumn *column, const char *label)
{
	TypeCacheEntry *type = lookup_type_cache(column->type_id, TYPECACHE_EQ_OPR);
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										ObjectIdGetDatum(column->type_id), CStringGetDatum(label));
	Var		   *var = makeVar(rel->relid, column->attnum, column->type_id, column->typmod, InvalidOid, 0);
	Const	   *constant;

	if (!OidIsValid(value) || !OidIsValid(type->eq_opr))
		return 0;
	constant = makeConst(column->type_id, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(value), false, true);
	return clause_selectivity(root, (Node *) make_opclause(type->eq_opr, BOOLOID, false, (Expr *) var,
														   (Expr *) constant, InvalidOid, InvalidOid),
							  rel->relid, JOIN_INNER, NULL);
}

/* The share of the table's jobs that have ended, as far as known. */
static double
ended_share(PlannerInfo *root, RelOptInfo *rel)
{
	FdwRelationInfo *info = rel->fdw_private;

	for (int i = 0; info->analyzed && i < info->table.natts; i++)
	{
		const SmfColumn *column = &info->table.columns[i];

		if (column->name != NULL && column->attribute != NULL &&
			strcmp(column->attribute->api_name, "TrainingJobStatus") == 0 && type_is_enum(column->type_id))
			return Min(status_share(root, rel, column, "Completed") + status_share(root, rel, column, "Failed") +
					   status_share(root, rel, column, "Stopped"), 1);
	}
	return 1;
}

/* Let Search provide the documents of jobs that have ended, except those that are checked. */
static void
count_searches(PlannerInfo *root, RelOptInfo *rel, CallEstimate *estimate)
{
	double		jobs = Max(estimate->describes, estimate->tag_lists);
	double		ended = rint(jobs * ended_share(root, rel));
	double		checks;

	if (ended < SMF_BATCH_JOBS_MIN)
		return;
	estimate->searches = ceil(ended / SMF_SEARCH_JOBS_MAX);
	checks = smf_trust_checks(estimate->searches);
	if (estimate->tag_lists > 0)
		estimate->tag_lists = Max(estimate->tag_lists - ended, 0) + checks;
	estimate->describes = Max(estimate->describes - ended, 0) + checks;
}

/*
 * The calls of one scan of a table with this many jobs.  "prove" says whether Search
 * records may replace documents; "bound" is the most jobs that are read, 0 if it may be
 * all.
 */
CallEstimate
smf_estimate_calls(PlannerInfo *root, RelOptInfo *rel, JobSource source, double jobs, bool prove,
				   List *attnums, List *clauses, double bound)
{
	FdwRelationInfo *info = rel->fdw_private;
	CallEstimate estimate = {0};
	SmfNeeds	needs = smf_needs(info->table.columns, attnums, source);
	SortedClauses sorted;
	double		walked;			/* jobs in the pages that are read */
	double		found;			/* jobs that these contain */
	double		wanted;			/* of these, not rejected by what is known */

	/* If no job can meet the conditions, that is found out without any call. */
	if (info->none_match)
		return estimate;

	/* Look-ups have no pages, and each name costs a call. */
	if (source == SMF_FROM_NAMES)
	{
		wanted = smf_names_looked_up(root, rel, clauses);
		estimate.jobs = wanted;
		estimate.left = wanted;
		estimate.describes = wanted;
		estimate.tag_lists = needs.tags ? wanted : 0;
		return estimate;
	}

	/*
	 * Estimate the number of jobs at each step, from the pages to the calls for single
	 * jobs.
	 */
	smf_sort_clauses(root, rel, clauses, source, &sorted);
	walked = jobs * selectivity(root, rel, sorted.created);
	found = walked * selectivity(root, rel, sorted.filters);
	wanted = jobs * selectivity(root, rel, list_union_ptr(list_concat_copy(sorted.created, sorted.filters),
														  sorted.known));
	/* filters do not shorten the list's walk; Search and tuning jobs return filtered pages */
	if (source != SMF_FROM_LIST)
		walked = found;

	/* If a LIMIT ends the walk, reduce all of them in proportion. */
	if (bound > 0 && wanted > bound)
	{
		walked = Max(walked * bound / wanted, bound);
		found = Max(found * bound / wanted, bound);
		wanted = bound;
	}

	/* Round up, but not for a mere rounding error above a whole number. */
	estimate.jobs = ceil(found - 1e-6);
	estimate.pages = Max(ceil(walked / info->settings->fetch_size), 1);
	wanted = ceil(wanted - 1e-6);
	estimate.left = wanted;

	/*
	 * Count a call for each remaining job; if two are needed, the first may make the
	 * second unnecessary.
	 */
	if (needs.tags)
		estimate.tag_lists = wanted;
	if (needs.document)
	{
		estimate.describes = wanted;
		/* tags are listed first if they decide, otherwise last */
		if (needs.tags && sorted.tagged != NIL)
			estimate.describes = ceil(wanted * selectivity(root, rel, sorted.tagged));
		else if (needs.tags)
			estimate.tag_lists = Min(wanted, ceil(rel->rows));
	}
	if (prove)
		count_searches(root, rel, &estimate);
	if (info->analyzed)
		estimate.certain = certain_calls(&estimate, &sorted, source);
	return estimate;
}

/*
 * Add what conditions cost besides calls: early ones are computed for each job that the
 * source names, and all others by Postgres for each remaining job.
 */
void
smf_add_condition_costs(PlannerInfo *root, RelOptInfo *rel, JobSource source, List *clauses,
						const CallEstimate *estimate, Cost *startup_cost, Cost *total_cost)
{
	SortedClauses sorted;
	QualCost	early;
	QualCost	local;

	smf_sort_clauses(root, rel, clauses, source, &sorted);
	cost_qual_eval(&early, sorted.early, root);
	cost_qual_eval(&local, sorted.local, root);
	*startup_cost += early.startup + local.startup;
	*total_cost += early.startup + early.per_tuple * estimate->jobs +
		local.startup + local.per_tuple * estimate->left;
}

/* The cost of the calls if at most "overlap" of an operation overlap. */
Cost
smf_calls_cost(const RelOptInfo *rel, JobSource source, const CallEstimate *estimate, double overlap)
{
	const double *usable = ((FdwRelationInfo *) rel->fdw_private)->concurrency.usable;
	double		pages = 0;

	/* pages are read one after another; the calls for their jobs overlap */
	if (source != SMF_FROM_NAMES)
		pages = estimate->pages / Min(usable[smf_source_operation(source)], 1);
	return smf_call_cost * (pages +
							estimate->describes / Min(usable[SMF_OP_DESCRIBE_TRAINING_JOB], overlap) +
							estimate->tag_lists / Min(usable[SMF_OP_LIST_TAGS], overlap) +
							estimate->searches / Min(usable[SMF_OP_SEARCH], overlap));
}
