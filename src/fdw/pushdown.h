/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *		What a condition says of one attribute, if the service can be asked that.
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
	CONDITION_HOLDS,			/* attribute holds value */
	CONDITION_NULL,				/* attribute IS NULL */
	CONDITION_NOT_NULL			/* attribute IS NOT NULL */
} ConditionKind;

/* A condition on one attribute. */
typedef struct Condition
{
	ConditionKind kind;
	const SmfColumn *column;	/* which has an attribute */
	const char *key;			/* of hyperparameters or tags: the condition is on
								 * its value; NULL: on the column itself */
	StrategyNumber strategy;	/* CONDITION_COMPARE: as B-trees number them */
	Expr	   *value;			/* without columns of the table; NULL for tests of NULL */
	Oid			value_type;		/* of it, or of its elements */
	int			arm;			/* of an OR of ANDs: the conditions of an arm all hold, or
								 * those of another arm do */
	int			unit;			/* a time: DTK_DAY and so on, what it is cut to before it is
								 * compared; 0: it is not */
	const char *zone;			/* unit: the time zone in which it is cut; NULL: the session's */
	int64		rounded_us;		/* a time: how far the column's value may be from the
								 * attribute's */
} Condition;

/* What the service does with a condition. */
typedef enum ConditionUse
{
	USE_NONE,					/* it cannot be asked */
	USE_LOOKUP,					/* it says which jobs to look up */
	USE_TUNING_JOB,				/* it says whose children to list */
	USE_CREATED,				/* it cuts the walk over the pages */
	USE_FILTER					/* it thins the pages out */
} ConditionUse;

extern List *smf_clause_match(Expr *clause, const TableRef *table);
extern ConditionUse smf_clause_use(List *conditions, JobSource source);
extern ConditionUse smf_condition_use(const Condition *condition, JobSource source);

extern char *smf_constant_text(Node *node);
extern int64 smf_unit_us(int unit);
extern int64 smf_column_rounded_us(const SmfColumn *column);
extern bool smf_is_column_of(Node *node, const TableRef *table, const char *attribute);

#endif							/* SMF_PUSHDOWN_H */
