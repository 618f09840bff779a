/*-------------------------------------------------------------------------
 *
 * cost.c
 *		How many rows a scan has, how many calls it makes, and what they cost.
 *
 * Calls are what is dear, and what conditions compute comes on top.
 *
 * Not accounted for: what calls are saved where an outer table repeats its values.
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

/* The share of jobs that meet the conditions: RestrictInfo. */
static double
selectivity(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	List	   *open = NIL;
	ListCell   *lc;

	/* what the settings say is known, and nothing to be guessed at */
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

/* Where the table's settings decide conditions, estimate the rows by that. */
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

/* How many elements the array has, as far as that can be estimated. */
static double
array_length(PlannerInfo *root, Node *array)
{
	Param	   *param = (Param *) array;
	ListCell   *lc;

	/* of ARRAY(SELECT ...), which is planned by now, as many as it gives rows */
	foreach(lc, IsA(param, Param) && param->paramkind == PARAM_EXEC ? root->init_plans : NIL)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, lc);

		if (subplan->subLinkType == ARRAY_SUBLINK && list_member_int(subplan->setParam, param->paramid))
			return ((Plan *) list_nth(root->glob->subplans, subplan->plan_id - 1))->plan_rows;
	}
	return smf_estimate_array_length(root, array);
}

/* How many jobs the lookup clauses name, the fewest of any. */
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
 * The calls that no condition can save.  How many jobs a condition refuses is a guess;
 * that there is none that could save a call is certain.
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

/* All of them. */
double
smf_total_calls(const CallEstimate *estimate)
{
	return estimate->pages + estimate->describes + estimate->tag_lists + estimate->searches;
}

/* The share of the table's jobs that have a status, which ANALYZE has found. */
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

/* The share of the table's jobs that have ended, as far as that is known. */
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

/* Let Search have the documents of jobs that have ended, but for those that are checked. */
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
 * The calls of one scan of a table of so many jobs.  "prove" is whether records of Search
 * may stand for documents, "bound" the number of jobs that are read at the most, 0 if it may
 * be all.
 */
CallEstimate
smf_estimate_calls(PlannerInfo *root, RelOptInfo *rel, JobSource source, double jobs, bool prove,
				   List *attnums, List *clauses, double bound)
{
	FdwRelationInfo *info = rel->fdw_private;
	CallEstimate estimate = {0};
	SmfNeeds	needs = smf_needs(info->table.columns, attnums, source);
	SortedClauses sorted;
	double		walked;			/* jobs that the pages go through */
	double		found;			/* jobs that they hold */
	double		wanted;			/* of these, not refused on what is known */

	/* What no job can meet is found before any call. */
	if (info->none_match)
		return estimate;

	/* Look-ups have no pages, and each name is a call. */
	if (source == SMF_FROM_NAMES)
	{
		wanted = smf_names_looked_up(root, rel, clauses);
		estimate.jobs = wanted;
		estimate.left = wanted;
		estimate.describes = wanted;
		estimate.tag_lists = needs.tags ? wanted : 0;
		return estimate;
	}

	/* Estimate how many jobs there are at each step from the pages to the calls for a job. */
	smf_sort_clauses(root, rel, clauses, source, &sorted);
	walked = jobs * selectivity(root, rel, sorted.created);
	found = walked * selectivity(root, rel, sorted.filters);
	wanted = jobs * selectivity(root, rel, list_union_ptr(list_concat_copy(sorted.created, sorted.filters),
														  sorted.known));
	/* filters leave the list as many pages; Search and a tuning job page what they find */
	if (source != SMF_FROM_LIST)
		walked = found;

	/* Where a LIMIT ends the walk, reduce all of them in proportion. */
	if (bound > 0 && wanted > bound)
	{
		walked = Max(walked * bound / wanted, bound);
		found = Max(found * bound / wanted, bound);
		wanted = bound;
	}

	/* Round up, but not where only rounding errors exceed a whole number. */
	estimate.jobs = ceil(found - 1e-6);
	estimate.pages = Max(ceil(walked / info->settings->fetch_size), 1);
	wanted = ceil(wanted - 1e-6);
	estimate.left = wanted;

	/* Count a call for each job that is left; of two, the first may save the second. */
	if (needs.tags)
		estimate.tag_lists = wanted;
	if (needs.document)
	{
		estimate.describes = wanted;
		/* the tags decide first, or are asked for last */
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
 * What conditions cost besides calls: those that are decided early for each job that the
 * source names and, like all others, by Postgres for each that is left.
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

/* What the calls cost if at most so many of an operation overlap. */
Cost
smf_calls_cost(const RelOptInfo *rel, JobSource source, const CallEstimate *estimate, double overlap)
{
	const double *usable = ((FdwRelationInfo *) rel->fdw_private)->concurrency.usable;
	double		pages = 0;

	/* pages follow one another; the calls for their jobs overlap */
	if (source != SMF_FROM_NAMES)
		pages = estimate->pages / Min(usable[smf_source_operation(source)], 1);
	return smf_call_cost * (pages +
							estimate->describes / Min(usable[SMF_OP_DESCRIBE_TRAINING_JOB], overlap) +
							estimate->tag_lists / Min(usable[SMF_OP_LIST_TAGS], overlap) +
							estimate->searches / Min(usable[SMF_OP_SEARCH], overlap));
}
