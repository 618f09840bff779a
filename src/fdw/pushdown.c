/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *		What a condition says about one attribute, if the service can evaluate that.
 *
 * The planner matches each condition once and keeps the result: it sorts the conditions
 * by it, and the plan passes it to the executor, which computes the values.
 *
 * Every condition that is sent to the service is checked again on the row, so it only has
 * to narrow what is fetched.  It must not narrow too much.  So only operators are used
 * that compare the attribute's own type as the service does, and only collations in which
 * equal means equal bytes.  Of the types with a modifier only times are used, for example
 * timestamptz(0): there the column's value is the attribute's, rounded, so bounds are
 * widened by the possible rounding.  Bounds are also widened for times that the clause
 * truncates to a day or another unit.
 *
 * Not accounted for: conditions on columns with other types than IMPORT gives them, and
 * on members of structures other than hyperparameters and tags.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "fdw/fragment.h"
#include "fdw/pushdown.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Built-in operators without a name in Postgres's headers. */
#define TEXT_PREFIX_OPERATOR		3877	/* text ^@ text */
#define JSONB_FIELD_TEXT_OPERATOR	3477	/* jsonb ->> text */
#define INT4_GREATER_OPERATOR		521 /* integer > integer */

/* Units to which date_trunc truncates times. */
static const struct
{
	int			unit;			/* DecodeUnits' code for it */
	int64		us;				/* longest possible duration */
}			units[] = {
	{DTK_MICROSEC, 1},
	{DTK_MILLISEC, 1000},
	{DTK_SECOND, USECS_PER_SEC},
	{DTK_MINUTE, USECS_PER_MINUTE},
	{DTK_HOUR, USECS_PER_HOUR},
	{DTK_DAY, USECS_PER_DAY},
	{DTK_WEEK, 7 * USECS_PER_DAY},
	{DTK_MONTH, 31 * USECS_PER_DAY},
	{DTK_QUARTER, 92 * USECS_PER_DAY},
	{DTK_YEAR, 366 * USECS_PER_DAY},
	{DTK_DECADE, 10 * 366 * USECS_PER_DAY},
	{DTK_CENTURY, 100 * 366 * USECS_PER_DAY},
	{DTK_MILLENNIUM, 1000 * 366 * USECS_PER_DAY}
};

/* Context of the walker find_varno. */
typedef struct VarnoContext
{
	Index		varno;			/* a table's range table index */
	bool		found;			/* does the expression read that table? */
} VarnoContext;

/* A walker: does it read the table? */
static bool
find_varno(Node *node, void *arg)
{
	VarnoContext *context = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		if (((Var *) node)->varno == context->varno && ((Var *) node)->varlevelsup == 0)
			context->found = true;
		return context->found;
	}
	return expression_tree_walker(node, find_varno, arg);
}

/* Is it known when the scan starts, without any row of the table? */
static bool
is_value(Node *node, const TableRef *table)
{
	VarnoContext context = {table->varno, false};

	(void) find_varno(node, &context);
	return !context.found && !contain_volatile_functions(node) && !contain_subplans(node);
}

/* The column that the node refers to, or NULL. */
static const SmfColumn *
column_of(Node *node, const TableRef *table)
{
	Var		   *var = (Var *) node;
	const SmfColumn *column;

	if (!IsA(node, Var) || var->varno != table->varno || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	column = &table->columns[var->varattno - 1];
	return column->attribute != NULL ? column : NULL;
}

/* Is this the type in which the attribute's values are represented directly? */
static bool
own_type(const SmfAttribute *attribute, Oid type)
{
	switch (attribute->kind)
	{
		case SMF_KIND_STRING:
			return type == TEXTOID;
		case SMF_KIND_ENUM:
			return type == TEXTOID || type_is_enum(type);
		case SMF_KIND_INTEGER:
			return type == INT4OID;
		case SMF_KIND_LONG:
			return type == INT8OID;
		case SMF_KIND_TIMESTAMP:
			return type == TIMESTAMPTZOID;
		case SMF_KIND_BOOLEAN:
			return type == BOOLOID;
		default:
			return false;
	}
}

/*
 * smf_column_rounded_us
 *		How far a column of times may differ from its attribute's value, in
 *		microseconds: half the unit to which timestamptz(n) rounds.
 */
int64
smf_column_rounded_us(const SmfColumn *column)
{
	int64		unit = 1;

	if (column->type_id != TIMESTAMPTZOID || column->typmod < 0)
		return 0;
	for (int digits = column->typmod; digits < MAX_TIMESTAMP_PRECISION; digits++)
		unit *= 10;
	return unit / 2;
}

/* The node without relabelling that only changes a text's collation. */
static Node *
without_collation(Node *node)
{
	while (IsA(node, RelabelType) && exprType(node) == TEXTOID &&
		   exprType((Node *) ((RelabelType *) node)->arg) == TEXTOID)
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/*
 * smf_is_column_of
 *		Is the node the table's column for the attribute, with the attribute's own
 *		type?  The collation may be any.
 */
bool
smf_is_column_of(Node *node, const TableRef *table, const char *attribute)
{
	const SmfColumn *column = column_of(without_collation(node), table);

	return column != NULL && strcmp(column->attribute->api_name, attribute) == 0 &&
		own_type(column->attribute, exprType(node));
}

/*
 * smf_constant_text
 *		The text in a constant node, palloc'ed; NULL if it is not a constant text, or
 *		is NULL.
 */
char *
smf_constant_text(Node *node)
{
	Const	   *constant = (Const *) node;

	return IsA(node, Const) && !constant->constisnull && constant->consttype == TEXTOID ?
		TextDatumGetCString(constant->constvalue) : NULL;
}

/* Find the subject of a condition: a column, or a key below one.  False if it is neither. */
static bool
match_subject(Node *node, const TableRef *table, Condition *condition)
{
	OpExpr	   *op = (OpExpr *) without_collation(node);
	const SmfColumn *column = column_of((Node *) op, table);
	char	   *key;

	condition->column = column;
	condition->key = NULL;
	if (column != NULL)
	{
		condition->rounded_us = smf_column_rounded_us(column);
		return own_type(column->attribute, exprType(node));
	}

	/* hyper_parameters ->> 'key', tags ->> 'key' */
	if (!IsA(op, OpExpr) || op->opno != JSONB_FIELD_TEXT_OPERATOR)
		return false;
	column = column_of(linitial(op->args), table);
	key = smf_constant_text(lsecond(op->args));
	if (column == NULL || key == NULL ||
		exprType(linitial(op->args)) != JSONBOID ||
		(column->attribute->kind != SMF_KIND_MAP && column->attribute->kind != SMF_KIND_TAGS))
		return false;
	condition->column = column;
	condition->key = key;
	/* Search has no name for the empty key */
	return condition->key[0] != '\0';
}

/*
 * smf_unit_us
 *		How much later a time may be than another one that date_trunc truncates to the
 *		same result, in microseconds of their time zone's clock: the longest duration
 *		of the unit (DTK_DAY and so on).  Negative if there is no such unit.
 */
int64
smf_unit_us(int unit)
{
	for (int i = 0; i < lengthof(units); i++)
	{
		if (units[i].unit == unit)
			return units[i].us;
	}
	return -1;
}

/* A constant unit that date_trunc knows; false if it is not one. */
static bool
match_unit(Node *node, int *unit)
{
	char	   *name = smf_constant_text(node);

	return name != NULL &&
		DecodeUnits(0, downcase_truncate_identifier(name, strlen(name), false), unit) == UNITS &&
		smf_unit_us(*unit) >= 0;
}

/*
 * Match a time that is truncated before it is compared: time::date, date_trunc(unit,
 * time, zone).
 */
static bool
match_cut_time(FuncExpr *function, const TableRef *table, Condition *condition)
{
	Node	   *time;

	if (!IsA(function, FuncExpr))
		return false;
	condition->zone = NULL;
	if (function->funcid == F_DATE_TIMESTAMPTZ)
	{
		condition->unit = DTK_DAY;
		time = linitial(function->args);
	}
	else if (function->funcid == F_DATE_TRUNC_TEXT_TIMESTAMPTZ ||
			 function->funcid == F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT)
	{
		if (!match_unit(linitial(function->args), &condition->unit))
			return false;
		time = lsecond(function->args);
		if (list_length(function->args) == 3)
		{
			condition->zone = smf_constant_text(lthird(function->args));
			if (condition->zone == NULL)
				return false;
		}
	}
	else
		return false;
	return match_subject(time, table, condition) && condition->key == NULL &&
		condition->column->attribute->kind == SMF_KIND_TIMESTAMP;
}

/* Match what is compared: a subject, or a truncated time. */
static bool
match_compared(Node *node, const TableRef *table, Condition *condition)
{
	condition->unit = 0;
	return match_subject(node, table, condition) ||
		match_cut_time((FuncExpr *) node, table, condition);
}

static bool
is_attribute(const Condition *condition, const char *attribute)
{
	return condition->key == NULL &&
		strcmp(condition->column->attribute->api_name, attribute) == 0;
}

static bool
deterministic(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/*
 * The operator's strategy number in the B-tree family of the subject's type; 0 if it has
 * none.
 */
static StrategyNumber
strategy_of(Oid operator, Oid subject_type, Oid *value_type)
{
	TypeCacheEntry *type = lookup_type_cache(subject_type, TYPECACHE_BTREE_OPFAMILY);
	int			strategy;
	Oid			left_type;

	if (!OidIsValid(type->btree_opf) || !op_in_opfamily(operator, type->btree_opf))
		return 0;
	get_op_opfamily_properties(operator, type->btree_opf, false, &strategy, &left_type, value_type);
	if (left_type != subject_type && left_type != ANYENUMOID)
		return 0;
	if (*value_type == ANYENUMOID)
		*value_type = subject_type;
	switch (subject_type)
	{
		case TEXTOID:
			return *value_type == TEXTOID || *value_type == NAMEOID ? strategy : 0;
		case INT4OID:
		case INT8OID:
			return *value_type == INT2OID || *value_type == INT4OID || *value_type == INT8OID ?
				strategy : 0;
		case TIMESTAMPTZOID:
		case DATEOID:
			return *value_type == TIMESTAMPTZOID || *value_type == TIMESTAMPOID ||
				*value_type == DATEOID ? strategy : 0;
		default:
			return *value_type == subject_type ? strategy : 0;
	}
}

/* Match subject < <= = >= > value, in either direction. */
static bool
match_comparison(Node *left, Node *right, Oid operator, Oid collation, const TableRef *table,
				 Condition *condition)
{
	Node	   *subject = left;
	Node	   *value = right;

	if (!match_compared(subject, table, condition))
	{
		subject = right;
		value = left;
		operator = get_commutator(operator);
		if (!OidIsValid(operator) || !match_compared(subject, table, condition))
			return false;
	}
	condition->strategy = strategy_of(operator, exprType(subject), &condition->value_type);
	if (condition->strategy == 0 || !deterministic(collation) || !is_value(value, table))
		return false;
	/* only Postgres can decide which of two texts or labels comes first */
	if (condition->strategy != BTEqualStrategyNumber && exprType(subject) != TIMESTAMPTZOID &&
		exprType(subject) != DATEOID && exprType(subject) != INT4OID && exprType(subject) != INT8OID)
		return false;
	condition->kind = CONDITION_COMPARE;
	condition->value = (Expr *) value;
	return true;
}

/* Match a text column as subject, and a text that it must contain in some way. */
static bool
match_text(Node *subject, Node *value, ConditionKind kind, Oid collation,
		   const TableRef *table, Condition *condition)
{
	if (!match_subject(subject, table, condition) || condition->key != NULL ||
		condition->column->attribute->kind != SMF_KIND_STRING ||
		!deterministic(collation) || !is_value(value, table))
		return false;
	condition->kind = kind;
	condition->value = (Expr *) value;
	condition->value_type = TEXTOID;
	return true;
}

/* Match subject LIKE value: it is an equality if the pattern is known and has no wildcard. */
static bool
match_like(Node *subject, Node *value, Oid collation, const TableRef *table, Condition *condition)
{
	char	   *pattern = smf_constant_text(value);
	char	   *text = pattern != NULL ? smf_text_of_like(pattern) : NULL;

	if (!match_text(subject, value, CONDITION_LIKE, collation, table, condition))
		return false;
	if (text != NULL)
	{
		condition->kind = CONDITION_COMPARE;
		condition->strategy = BTEqualStrategyNumber;
		condition->value = (Expr *) makeConst(TEXTOID, -1, collation, -1, CStringGetTextDatum(text), false, false);
	}
	return true;
}

static bool
match_operator(OpExpr *op, const TableRef *table, Condition *condition)
{
	Node	   *left;
	Node	   *right;

	/* Prefix operators cannot be sent. */
	if (list_length(op->args) != 2)
		return false;
	left = linitial(op->args);
	right = lsecond(op->args);

	/* Patterns are recognized by their operator; any other may be a comparison. */
	switch (op->opno)
	{
		case OID_TEXT_LIKE_OP:
			return match_like(left, right, op->inputcollid, table, condition);
		case OID_TEXT_REGEXEQ_OP:
			return match_text(left, right, CONDITION_REGEX, op->inputcollid, table, condition);
		case TEXT_PREFIX_OPERATOR:
			return match_text(left, right, CONDITION_PREFIX, op->inputcollid, table, condition);
		case INT4_GREATER_OPERATOR:
			{
				/* strpos(subject, value) > 0 */
				FuncExpr   *function = (FuncExpr *) left;
				Const	   *zero = (Const *) right;

				if (IsA(function, FuncExpr) && IsA(zero, Const) && !zero->constisnull &&
					(function->funcid == F_STRPOS || function->funcid == F_POSITION_TEXT_TEXT) &&
					DatumGetInt32(zero->constvalue) == 0)
					return match_text(linitial(function->args), lsecond(function->args), CONDITION_HOLDS,
									  function->inputcollid, table, condition);
				return match_comparison(left, right, op->opno, op->inputcollid, table, condition);
			}
		default:
			return match_comparison(left, right, op->opno, op->inputcollid, table, condition);
	}
}

/* Match subject = ANY (array). */
static bool
match_any(ScalarArrayOpExpr *op, const TableRef *table, Condition *condition)
{
	Node	   *subject = linitial(op->args);
	Node	   *array = lsecond(op->args);

	if (!op->useOr || !match_compared(subject, table, condition) ||
		strategy_of(op->opno, exprType(subject), &condition->value_type) != BTEqualStrategyNumber ||
		!deterministic(op->inputcollid) || !is_value(array, table))
		return false;
	condition->kind = CONDITION_ANY;
	condition->strategy = BTEqualStrategyNumber;
	condition->value = (Expr *) array;
	return true;
}

/* Match a boolean column, or its negation. */
static bool
match_boolean(Node *subject, bool wanted, const TableRef *table, Condition *condition)
{
	if (!IsA(subject, Var) || !match_subject(subject, table, condition))
		return false;
	condition->kind = CONDITION_COMPARE;
	condition->strategy = BTEqualStrategyNumber;
	condition->value = (Expr *) makeBoolConst(wanted, false);
	condition->value_type = BOOLOID;
	return true;
}

/*
 * Match a boolean column with IS TRUE, IS FALSE, IS UNKNOWN or IS NOT UNKNOWN.  The other
 * tests are true for NULL and one value, which no single filter can express.
 */
static bool
match_boolean_test(BooleanTest *test, const TableRef *table, Condition *condition)
{
	bool		wanted = test->booltesttype == IS_TRUE;

	switch (test->booltesttype)
	{
		case IS_TRUE:
		case IS_FALSE:
			return match_boolean((Node *) test->arg, wanted, table, condition);
		case IS_UNKNOWN:
		case IS_NOT_UNKNOWN:
			condition->kind = test->booltesttype == IS_UNKNOWN ? CONDITION_NULL : CONDITION_NOT_NULL;
			return IsA(test->arg, Var) && match_subject((Node *) test->arg, table, condition);
		case IS_NOT_TRUE:
		case IS_NOT_FALSE:
			return false;
	}
	pg_unreachable();
}

/*
 * Match subject IS NOT DISTINCT FROM value as an equality: for names, which every job
 * has, or if the value is known not to be NULL.
 */
static bool
match_not_distinct(DistinctExpr *distinct, const TableRef *table, Condition *condition)
{
	Const	   *value;

	if (!match_comparison(linitial(distinct->args), lsecond(distinct->args), distinct->opno,
						  distinct->inputcollid, table, condition))
		return false;
	value = (Const *) condition->value;
	return is_attribute(condition, "TrainingJobName") || (IsA(value, Const) && !value->constisnull);
}

/*
 * Match (subject, ...) < (value, ...) by the first columns, which may also be equal.
 * NULL there never matches, as in other comparisons.
 */
static bool
match_row_comparison(RowCompareExpr *rows, const TableRef *table, Condition *condition)
{
	if (!match_comparison(linitial(rows->largs), linitial(rows->rargs), linitial_oid(rows->opnos),
						  linitial_oid(rows->inputcollids), table, condition))
		return false;
	if (condition->strategy == BTLessStrategyNumber)
		condition->strategy = BTLessEqualStrategyNumber;
	else if (condition->strategy == BTGreaterStrategyNumber)
		condition->strategy = BTGreaterEqualStrategyNumber;
	return true;
}

/* Is the clause a condition on one attribute?  If so, describe it. */
static bool
match_condition(Expr *clause, const TableRef *table, Condition *condition)
{
	memset(condition, 0, sizeof(Condition));
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			/* a comparison, or a pattern */
			return match_operator((OpExpr *) clause, table, condition);
		case T_ScalarArrayOpExpr:
			/* a list of values */
			return match_any((ScalarArrayOpExpr *) clause, table, condition);
		case T_FuncExpr:
			{
				FuncExpr   *function = (FuncExpr *) clause;

				/* starts_with(attribute, value) */
				return function->funcid == F_STARTS_WITH &&
					match_text(linitial(function->args), lsecond(function->args), CONDITION_PREFIX,
							   function->inputcollid, table, condition);
			}
		case T_NullTest:
			{
				NullTest   *test = (NullTest *) clause;

				/* attribute IS NULL, IS NOT NULL; for a row this would test its fields */
				condition->kind = test->nulltesttype == IS_NULL ? CONDITION_NULL : CONDITION_NOT_NULL;
				return !test->argisrow && IsA(test->arg, Var) &&
					match_subject((Node *) test->arg, table, condition);
			}
		case T_Var:
			/* a boolean attribute */
			return match_boolean((Node *) clause, true, table, condition);
		case T_BoolExpr:
			{
				BoolExpr   *boolean = (BoolExpr *) clause;

				/*
				 * NOT a boolean attribute; IS NOT DISTINCT FROM is also represented as a
				 * negation
				 */
				if (boolean->boolop != NOT_EXPR)
					return false;
				if (IsA(linitial(boolean->args), DistinctExpr))
					return match_not_distinct(linitial(boolean->args), table, condition);
				return match_boolean(linitial(boolean->args), false, table, condition);
			}
		case T_BooleanTest:
			/* a boolean attribute compared with TRUE, FALSE or UNKNOWN */
			return match_boolean_test((BooleanTest *) clause, table, condition);
		case T_RowCompareExpr:
			/* a comparison of rows */
			return match_row_comparison((RowCompareExpr *) clause, table, condition);
		default:
			return false;
	}
}

static bool
is_text_condition(const Condition *condition)
{
	return condition->kind == CONDITION_LIKE || condition->kind == CONDITION_REGEX ||
		condition->kind == CONDITION_PREFIX || condition->kind == CONDITION_HOLDS;
}

static bool
is_equality(const Condition *condition)
{
	return condition->kind == CONDITION_COMPARE && condition->strategy == BTEqualStrategyNumber;
}

/* Does it limit the time to a range? */
static bool
is_bound_of(const Condition *condition, const char *attribute)
{
	return (condition->kind == CONDITION_COMPARE || condition->kind == CONDITION_ANY) &&
		is_attribute(condition, attribute);
}

static ConditionUse
use_in_list(const Condition *condition)
{
	if (is_bound_of(condition, "CreationTime"))
		return USE_CREATED;
	if (is_bound_of(condition, "LastModifiedTime"))
		return USE_FILTER;
	if (is_equality(condition) && is_attribute(condition, "TrainingJobStatus"))
		return USE_FILTER;
	if (is_text_condition(condition) && is_attribute(condition, "TrainingJobName"))
		return USE_FILTER;
	return USE_NONE;
}

static ConditionUse
use_in_tuning_job(const Condition *condition)
{
	if (is_equality(condition) && is_attribute(condition, "TuningJobArn"))
		return USE_TUNING_JOB;
	if (is_equality(condition) && is_attribute(condition, "TrainingJobStatus"))
		return USE_FILTER;
	return USE_NONE;
}

static ConditionUse
use_in_search(const Condition *condition)
{
	const SmfAttribute *attribute = condition->column->attribute;

	if (!attribute->in_search)
		return USE_NONE;
	/* equality of strings is well defined, but not the order, or what "contains" means */
	if (condition->key != NULL)
		return is_equality(condition) ? USE_FILTER : USE_NONE;
	if (is_bound_of(condition, "CreationTime"))
		return USE_CREATED;
	/* a label that the enum type lacks exists in Search, but is read as NULL */
	if ((condition->kind == CONDITION_NULL || condition->kind == CONDITION_NOT_NULL) &&
		attribute->kind == SMF_KIND_ENUM)
		return USE_NONE;
	return USE_FILTER;
}

/*
 * smf_condition_use
 *		What the service can do with a condition if jobs come from the source.
 */
ConditionUse
smf_condition_use(const Condition *condition, JobSource source)
{
	switch (source)
	{
		case SMF_FROM_NAMES:
			return (is_equality(condition) || condition->kind == CONDITION_ANY) &&
				(is_attribute(condition, "TrainingJobName") || is_attribute(condition, "TrainingJobArn")) ?
				USE_LOOKUP : USE_NONE;
		case SMF_FROM_LIST:
			return use_in_list(condition);
		case SMF_FROM_TUNING_JOB:
			return use_in_tuning_job(condition);
		case SMF_FROM_SEARCH:
			return use_in_search(condition);
	}
	pg_unreachable();
}

/* ----- clauses ----- */

/*
 * Look-ups of which at least one holds for every row that meets the clause: from each
 * argument of an OR, or from one argument of an AND.  NIL: there are none.
 */
static List *
match_lookups(Expr *clause, const TableRef *table)
{
	BoolExpr   *boolean = (BoolExpr *) clause;
	Condition  *condition;
	List	   *fewest = NIL;
	List	   *all = NIL;
	ListCell   *lc;

	check_stack_depth();
	if (!IsA(boolean, BoolExpr) || boolean->boolop == NOT_EXPR)
	{
		condition = palloc(sizeof(Condition));
		return match_condition(clause, table, condition) &&
			smf_condition_use(condition, SMF_FROM_NAMES) == USE_LOOKUP ? list_make1(condition) : NIL;
	}
	foreach(lc, boolean->args)
	{
		List	   *found = match_lookups(lfirst(lc), table);

		if (boolean->boolop == OR_EXPR && found == NIL)
			return NIL;
		all = list_concat(all, found);
		if (found != NIL && (fewest == NIL || list_length(found) < list_length(fewest)))
			fewest = found;
	}
	return boolean->boolop == OR_EXPR ? all : fewest;
}

/* The arguments of an AND, or the clause itself. */
static List *
terms_of(Expr *clause)
{
	return is_andclause(clause) ? ((BoolExpr *) clause)->args : list_make1(clause);
}

/*
 * Conditions that limit the time to a range in each argument of an OR.  NIL if one
 * argument has none.
 */
static List *
match_bounds(BoolExpr *or, const TableRef *table, const char *attribute)
{
	List	   *conditions = NIL;
	ListCell   *lc;
	int			arm = 0;

	foreach(lc, or->args)
	{
		ListCell   *lc2;
		bool		found = false;

		foreach(lc2, terms_of(lfirst(lc)))
		{
			Condition  *condition = palloc(sizeof(Condition));

			if (!match_condition(lfirst(lc2), table, condition) || !is_bound_of(condition, attribute))
				continue;
			condition->arm = arm;
			conditions = lappend(conditions, condition);
			found = true;
		}
		if (!found)
			return NIL;
		arm++;
	}
	return conditions;
}

/*
 * smf_clause_match
 *		What the clause says about the table's attributes.
 *
 * Returns a list of Condition *: a single one, which holds for every row that meets the
 * clause; or, for an OR, look-ups by name or ARN of which one holds; or bounds of one
 * time, of which those of one argument hold.  NIL if it says nothing that could be sent
 * to the service.  Besides columns of "table" the clause may read columns of other
 * tables.
 */
List *
smf_clause_match(Expr *clause, const TableRef *table)
{
	Condition  *condition;
	List	   *conditions;

	if (is_orclause(clause))
	{
		conditions = match_lookups(clause, table);
		if (conditions == NIL)
			conditions = match_bounds((BoolExpr *) clause, table, "CreationTime");
		if (conditions == NIL)
			conditions = match_bounds((BoolExpr *) clause, table, "LastModifiedTime");
		return conditions;
	}
	condition = palloc(sizeof(Condition));
	return match_condition(clause, table, condition) ? list_make1(condition) : NIL;
}

/*
 * smf_clause_use
 *		What the service can do with a clause if jobs come from the source; the
 *		conditions are the result of smf_clause_match.
 */
ConditionUse
smf_clause_use(List *conditions, JobSource source)
{
	if (conditions == NIL)
		return USE_NONE;

	/*
	 * several are all look-ups, or all bounds of one time: together they exclude no
	 * matching job
	 */
	if (list_length(conditions) > 1 && source != SMF_FROM_NAMES &&
		smf_condition_use(linitial(conditions), SMF_FROM_NAMES) == USE_LOOKUP)
		return USE_NONE;
	return smf_condition_use(linitial(conditions), source);
}
