/*-------------------------------------------------------------------------
 *
 * clauses.c
 *		A table's conditions, sorted by where they are decided.
 *
 * What is found out about each is kept while the query is planned.  A condition may be
 * sent to the source of jobs, decided early, on what is known about a job so far, or
 * checked by Postgres.  Postgres also checks most of the others again, on the row.
 *
 * Not accounted for: which conditions a path has; see plan.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/clauses.h"
#include "fdw/early.h"
#include "fdw/may_raise.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"

/*
 * Everything known about a condition of the table, independent of the source.  It is
 * computed once, although each path and the plan ask for it.
 *
 * A condition that may leak rows hidden by row security is left to Postgres.  Others may
 * be decided early if they read plain columns of the table, at least one, and have no
 * volatile function.
 */
ClauseInfo *
smf_clause_info(RelOptInfo *rel, RestrictInfo *clause)
{
	FdwRelationInfo *info = rel->fdw_private;
	ClauseInfo *found;
	ListCell   *lc;

	foreach(lc, info->clauses)
	{
		found = lfirst(lc);
		if (found->clause == clause)
			return found;
	}
	found = palloc0(sizeof(ClauseInfo));
	found->clause = clause;
	if (!clause->pseudoconstant && restriction_is_securely_promotable(clause, rel))
	{
		found->conditions = smf_clause_match(clause->clause, &info->table);
		found->may_be_early = smf_early_reads_columns((Node *) clause->clause, &info->table) &&
			!contain_volatile_functions((Node *) clause->clause);
	}
	info->clauses = lappend(info->clauses, found);
	return found;
}

/* What the source can do with the clause. */
ConditionUse
smf_clause_used(RelOptInfo *rel, RestrictInfo *clause, JobSource source)
{
	return smf_clause_use(smf_clause_info(rel, clause)->conditions, source);
}

/* Is there a condition on the table alone that the source uses in this way? */
bool
smf_any_clause_used(RelOptInfo *rel, JobSource source, ConditionUse use)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		if (smf_clause_used(rel, lfirst_node(RestrictInfo, lc), source) == use)
			return true;
	}
	return false;
}

/*
 * Must the clause wait because Postgres decides a clause before it?  It must if it may
 * raise an error, because that clause may guard it.  It also must if it has a sub-plan,
 * unless that can be decided as soon as a job is named.  "latest" is the last tier of the
 * clauses before it.
 */
static bool
stays_behind(PlannerInfo *root, RelOptInfo *rel, Node *clause, JobSource source, EarlyTier latest)
{
	FdwRelationInfo *info = rel->fdw_private;

	if (latest != EARLY_COMPLETE)
		return false;
	return smf_may_raise(clause, root->glob->subplans) ||
		(contain_subplans(clause) &&
		 smf_early_tier(clause, &info->table, source) > EARLY_LISTED);
}

/* Add a condition that is sent to the source, sorted by its use there. */
static void
add_api_clause(SortedClauses *sorted, const ClauseInfo *found, ConditionUse use)
{
	sorted->api = lappend(sorted->api, found->clause->clause);
	sorted->api_conditions = lappend(sorted->api_conditions, found->conditions);
	if (use == USE_CREATED)
		sorted->created = lappend(sorted->created, found->clause);
	else if (use == USE_FILTER || use == USE_TUNING_JOB)
		sorted->filters = lappend(sorted->filters, found->clause);
}

/*
 * Add a condition that is decided early, in this tier.  Returns whether it is decided as
 * soon as a job is named, or before.
 */
static bool
add_early_clause(SortedClauses *sorted, const ClauseInfo *found, EarlyTier tier, JobSource source)
{
	Node	   *node = (Node *) found->clause->clause;
	bool		known = tier == EARLY_LISTED || (tier == EARLY_AT_START && source != SMF_FROM_NAMES);

	sorted->early = lappend(sorted->early, node);
	sorted->early_conditions = lappend(sorted->early_conditions, found->conditions);
	if (known)
		sorted->known = lappend(sorted->known, found->clause);
	else if (tier == EARLY_TAGGED)
		sorted->tagged = lappend(sorted->tagged, found->clause);

	/* a sub-plan may be expensive: do not run it again on the row */
	if (contain_subplans(node))
		sorted->recheck = lappend(sorted->recheck, node);
	else
		sorted->local = lappend(sorted->local, node);
	return known;
}

/* Sort conditions by where they are decided if jobs come from the source. */
void
smf_sort_clauses(PlannerInfo *root, RelOptInfo *rel, List *clauses, JobSource source,
				 SortedClauses *sorted)
{
	FdwRelationInfo *info = rel->fdw_private;
	ListCell   *lc;
	EarlyTier	latest = EARLY_AT_START;	/* of the clauses so far */

	memset(sorted, 0, sizeof(SortedClauses));
	sorted->all_known = true;
	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Node	   *node = (Node *) clause->clause;
		ClauseInfo *found = smf_clause_info(rel, clause);
		ConditionUse use = smf_clause_use(found->conditions, source);
		bool		known = false;

		/* a Result node above the scan decides it */
		if (clause->pseudoconstant)
			continue;

		/* the source narrows the result, but the condition is checked again anyway */
		if (use != USE_NONE)
			add_api_clause(sorted, found, use);

		/* a look-up returns the job with that name: there is nothing to decide early */
		if (use == USE_LOOKUP)
			sorted->local = lappend(sorted->local, node);
		else if (found->may_be_early && !stays_behind(root, rel, node, source, latest))
		{
			EarlyTier	tier = smf_early_tier(node, &info->table, source);

			/*
			 * the executor then holds it back, and with it later clauses that may raise
			 * an error
			 */
			if (tier < latest && smf_may_raise(node, root->glob->subplans))
				tier = EARLY_COMPLETE;
			latest = Max(latest, tier);
			known = add_early_clause(sorted, found, tier, source);
		}
		else
		{
			sorted->local = lappend(sorted->local, node);
			latest = EARLY_COMPLETE;
		}
		sorted->all_known &= known;
	}
}
