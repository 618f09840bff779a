/*-------------------------------------------------------------------------
 *
 * clauses.c
 *		A table's conditions, sorted by who decides them.
 *
 * What is known of each is found out once, and kept while the query is planned.  A condition
 * may be one that the source of jobs is asked for, one that is decided early, on what is known
 * of a job so far, and one that Postgres checks; it checks the others, too, on the row.
 *
 * Not accounted for: which conditions there are for a path, which plan.c says.
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
 * What there is to know about a condition of the table, whatever the source: matched
 * once, though each path and the plan ask.
 *
 * A condition that may leak what row security hides is left to Postgres.  Others may be
 * decided early if they read plain columns of the table, at least one, and have no
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

/* Is there a condition of the table alone that the source makes this use of? */
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
 * Must the clause wait for those before it, since Postgres decides one of them?  It must if
 * it may raise an error, which that one may guard it from, and if it has a sub-plan, unless
 * that can be decided as soon as a job is named.  "latest" is the last tier of those before.
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

/* Add a condition that the source is asked for, by what it does there. */
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
 * Add a condition that may be decided early, in that tier.  Returns whether it is decided
 * as soon as a job is named, if one is.
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

	/* a sub-plan may be dear: it is not run again on the row */
	if (contain_subplans(node))
		sorted->recheck = lappend(sorted->recheck, node);
	else
		sorted->local = lappend(sorted->local, node);
	return known;
}

/* Sort conditions by who decides them when jobs come from the source. */
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

		/* asking narrows what comes; it is checked again all the same */
		if (use != USE_NONE)
			add_api_clause(sorted, found, use);

		/* that the job has the name that it was looked up by is nothing to decide early */
		if (use == USE_LOOKUP)
			sorted->local = lappend(sorted->local, node);
		else if (found->may_be_early && !stays_behind(root, rel, node, source, latest))
		{
			EarlyTier	tier = smf_early_tier(node, &info->table, source);

			/* the executor holds it back then, and what may raise an error behind it */
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
