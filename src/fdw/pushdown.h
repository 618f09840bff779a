/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *		What a condition says about one attribute, if the service can evaluate that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PUSHDOWN_H
#define SMF_PUSHDOWN_H

#include "access/stratnum.h"
#include "fdw/column.h"
#include "jobs/job.h"
#include "nodes/primnodes.h"

/* The form of a condition. */
typedef enum ConditionKind
{
	CONDITION_COMPARE,			/* attribute < <= = >= > value */
	CONDITION_ANY,				/* attribute = ANY (value) */
	CONDITION_LIKE,				/* attribute LIKE value */
	CONDITION_REGEX,			/* attribute ~ value */
	CONDITION_PREFIX,			/* attribute starts with value */
	CONDITION_HOLDS,			/* attribute contains value */
	CONDITION_NULL,				/* attribute IS NULL */
	CONDITION_NOT_NULL			/* attribute IS NOT NULL */
} ConditionKind;

/* A condition on one attribute. */
typedef struct Condition
{
	ConditionKind kind;
	const SmfColumn *column;	/* has an attribute */
	const char *key;			/* of hyperparameters or tags, for a condition on its value;
								 * NULL: the condition is on the column itself */
	StrategyNumber strategy;	/* for CONDITION_COMPARE: the B-tree strategy number */
	Expr	   *value;			/* reads no columns of the table; NULL for tests of NULL */
	Oid			value_type;		/* of the value, or of its elements */
	int			arm;			/* in an OR of ANDs: number of the argument; either all
								 * conditions of an argument hold, or those of another */
	int			unit;			/* for a time: DTK_DAY and so on, the unit to which it is
								 * truncated before the comparison; 0: not truncated */
	const char *zone;			/* with unit: the time zone for truncating; NULL: the
								 * session's */
	int64		rounded_us;		/* for a time: how far the column's value may differ from the
								 * attribute's */
} Condition;

/* How the service uses a condition. */
typedef enum ConditionUse
{
	USE_NONE,					/* it cannot be sent */
	USE_LOOKUP,					/* it determines which jobs to look up */
	USE_TUNING_JOB,				/* it determines whose children to list */
	USE_CREATED,				/* it shortens the walk over the pages */
	USE_FILTER					/* it filters the pages */
} ConditionUse;

extern List *smf_clause_match(Expr *clause, const TableRef *table);
extern ConditionUse smf_clause_use(List *conditions, JobSource source);
extern ConditionUse smf_condition_use(const Condition *condition, JobSource source);

extern char *smf_constant_text(Node *node);
extern int64 smf_unit_us(int unit);
extern int64 smf_column_rounded_us(const SmfColumn *column);
extern bool smf_is_column_of(Node *node, const TableRef *table, const char *attribute);

#endif							/* SMF_PUSHDOWN_H */
