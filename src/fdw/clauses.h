/*-------------------------------------------------------------------------
 *
 * clauses.h
 *		A table's conditions, sorted by where they are decided.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CLAUSES_H
#define SMF_CLAUSES_H

#include "fdw/concurrency.h"
#include "fdw/settle.h"
#include "fdw/pushdown.h"
#include "nodes/pathnodes.h"

/* What was found out about a condition. */
typedef struct ClauseInfo
{
	RestrictInfo *clause;		/* the condition: the key, compared by address */
	List	   *conditions;		/* Condition *: what could be sent to the service, from
								 * smf_clause_match; NIL: nothing */
	bool		may_be_early;	/* may it be decided before other conditions that Postgres
								 * decides? */
	bool		asked_settled;	/* is the next field valid? */
	SettledClause settled;		/* do the table's settings decide it? */
} ClauseInfo;

/* RelOptInfo.fdw_private: data that planning a table needs more than once. */
typedef struct FdwRelationInfo
{
	SmfSettings *settings;		/* the table's */
	TableRef	table;			/* its columns */
	bool		has_statistics; /* "tuples" is an estimate rather than a guess */
	bool		analyzed;		/* the estimate comes from ANALYZE */
	bool		none_match;		/* the table's settings rule out all jobs */
	Concurrency concurrency;	/* how many calls overlap */
	AttributeSet raw_members;	/* the only attributes that the query reads from whole
								 * responses; 0: possibly others */
	List	   *clauses;		/* ClauseInfo *, of those examined so far */
} FdwRelationInfo;

/* Conditions, by where they are decided. */
typedef struct SortedClauses
{
	List	   *api;			/* Expr: sent to the source */
	List	   *api_conditions; /* for each of these: a list of Condition * */
	List	   *created;		/* RestrictInfo, of these: they shorten the walk */
	List	   *filters;		/* RestrictInfo, of these: they filter what the walk
								 * returns */
	List	   *early;			/* Expr: decided early */
	List	   *early_conditions;	/* for each of these: a list of Condition * */
	List	   *known;			/* RestrictInfo, of these: decided as soon as a job is
								 * named */
	List	   *tagged;			/* RestrictInfo, of these: decided with its tags */
	List	   *recheck;		/* Expr, of these: Postgres does not check them again */
	List	   *local;			/* Expr: checked by Postgres */
	bool		all_known;		/* every condition is in "known" */
} SortedClauses;

extern ClauseInfo *smf_clause_info(RelOptInfo *rel, RestrictInfo *clause);
extern ConditionUse smf_clause_used(RelOptInfo *rel, RestrictInfo *clause, JobSource source);
extern bool smf_any_clause_used(RelOptInfo *rel, JobSource source, ConditionUse use);
extern void smf_sort_clauses(PlannerInfo *root, RelOptInfo *rel, List *clauses, JobSource source,
							 SortedClauses *sorted);

#endif							/* SMF_CLAUSES_H */
