/*-------------------------------------------------------------------------
 *
 * clauses.h
 *		A table's conditions, sorted by who decides them.
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
	RestrictInfo *clause;		/* the condition: found by its address */
	List	   *conditions;		/* Condition *: what the service might be asked, as
								 * smf_clause_match has it; NIL: nothing */
	bool		may_be_early;	/* may it be decided before Postgres decides any other? */
	bool		asked_settled;	/* is the next field valid? */
	SettledClause settled;		/* do the table's settings decide it? */
} ClauseInfo;

/* RelOptInfo.fdw_private: what planning one table needs more than once. */
typedef struct FdwRelationInfo
{
	SmfSettings *settings;		/* the table's */
	TableRef	table;			/* its columns */
	bool		has_statistics; /* tuples is an estimate, and no guess */
	bool		analyzed;		/* it is what ANALYZE found */
	bool		none_match;		/* the table's settings say that no job meets the conditions */
	Concurrency concurrency;	/* how many calls overlap */
	AttributeSet raw_members;	/* all that the query reads of whole responses; 0: more than
								 * is known */
	List	   *clauses;		/* ClauseInfo *, of those that were looked at */
} FdwRelationInfo;

/* Conditions, by who decides them. */
typedef struct SortedClauses
{
	List	   *api;			/* Expr: the source is asked for them */
	List	   *api_conditions; /* what each of these says: lists of Condition * */
	List	   *created;		/* RestrictInfo, of these: they cut the walk */
	List	   *filters;		/* RestrictInfo, of these: they thin it out */
	List	   *early;			/* Expr: decided on what is known so far */
	List	   *early_conditions;	/* what each of these says */
	List	   *known;			/* RestrictInfo, of these: as soon as a job is named */
	List	   *tagged;			/* RestrictInfo, of these: with its tags */
	List	   *recheck;		/* Expr, of these: not checked by Postgres again */
	List	   *local;			/* Expr: checked by Postgres */
	bool		all_known;		/* every condition is among known */
} SortedClauses;

extern ClauseInfo *smf_clause_info(RelOptInfo *rel, RestrictInfo *clause);
extern ConditionUse smf_clause_used(RelOptInfo *rel, RestrictInfo *clause, JobSource source);
extern bool smf_any_clause_used(RelOptInfo *rel, JobSource source, ConditionUse use);
extern void smf_sort_clauses(PlannerInfo *root, RelOptInfo *rel, List *clauses, JobSource source,
							 SortedClauses *sorted);

#endif							/* SMF_CLAUSES_H */
