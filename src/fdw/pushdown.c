/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *		What a condition says of one attribute, if the service can be asked that.
 *
 * The planner matches each condition once, and keeps what was found: it sorts the
 * conditions by it, and the plan carries it to the executor, which computes the values.
 *
 * Every condition that the service is asked for is checked again on the row, so
 * that asking only ever narrows what is fetched.  It must not narrow too much:
 * operators count that compare the attribute's own type as the service does, and
 * collations under which equal means equal bytes.  Of types with a modifier these
 * are times, timestamptz(0) for instance: the column's value is the attribute's,
 * rounded, so that bounds are widened by what it may be rounded by.
 *
 * Not accounted for: conditions on columns of other types than IMPORT gives them,
 * and on members of structures other than hyperparameters and tags.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "fdw/pushdown.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Built-in operators that have no name in Postgres's headers. */
#define TEXT_PREFIX_OPERATOR		3877	/* text ^@ text */
#define JSONB_FIELD_TEXT_OPERATOR	3477	/* jsonb ->> text */
#define INT4_GREATER_OPERATOR		521 /* integer > integer */

/* What the walker find_varno has to know. */
typedef struct VarnoContext
{
	Index		varno;			/* a table's range table index */
	bool		found;			/* whether the expression reads that table */
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

/* The column that the node is, or NULL. */
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

/* Is the type the one in which the attribute's values are themselves? */
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
 *		How far a column of times may be from its attribute's value, in microseconds:
 *		half of what timestamptz(n) rounds to.
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

/*
 * smf_is_column_of
 *		Is the node the table's column for the attribute, of the attribute's type?
 */
bool
smf_is_column_of(Node *node, const TableRef *table, const char *attribute)
{
	const SmfColumn *column = column_of(node, table);

	return column != NULL && strcmp(column->attribute->api_name, attribute) == 0 &&
		own_type(column->attribute, exprType(node));
}

/* What a condition is on: a column, or a key below one.  False if it is on neither. */
static bool
match_subject(Node *node, const TableRef *table, Condition *condition)
{
	OpExpr	   *op = (OpExpr *) node;
	const SmfColumn *column = column_of(node, table);
	Const	   *key;

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
	key = lsecond(op->args);
	if (column == NULL || !IsA(key, Const) || key->constisnull ||
		exprType(linitial(op->args)) != JSONBOID ||
		(column->attribute->kind != SMF_KIND_MAP && column->attribute->kind != SMF_KIND_TAGS))
		return false;
	condition->column = column;
	condition->key = TextDatumGetCString(key->constvalue);
	/* the empty key has no name of its own */
	return condition->key[0] != '\0';
}

static bool
deterministic(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/* How the B-tree family of the subject's type knows the operator; 0 if not. */
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
			return *value_type == TEXTOID ? strategy : 0;
		case INT4OID:
		case INT8OID:
			return *value_type == INT2OID || *value_type == INT4OID || *value_type == INT8OID ?
				strategy : 0;
		case TIMESTAMPTZOID:
			return *value_type == TIMESTAMPTZOID || *value_type == TIMESTAMPOID ||
				*value_type == DATEOID ? strategy : 0;
		default:
			return *value_type == subject_type ? strategy : 0;
	}
}

/* subject < <= = >= > value, either way round */
static bool
match_comparison(OpExpr *op, const TableRef *table, Condition *condition)
{
	Node	   *subject = linitial(op->args);
	Node	   *value = lsecond(op->args);
	Oid			operator = op->opno;

	if (!match_subject(subject, table, condition))
	{
		subject = lsecond(op->args);
		value = linitial(op->args);
		operator = get_commutator(operator);
		if (!OidIsValid(operator) || !match_subject(subject, table, condition))
			return false;
	}
	condition->strategy = strategy_of(operator, exprType(subject), &condition->value_type);
	if (condition->strategy == 0 || !deterministic(op->inputcollid) || !is_value(value, table))
		return false;
	/* which of two texts or labels comes first is for Postgres to say */
	if (condition->strategy != BTEqualStrategyNumber && exprType(subject) != TIMESTAMPTZOID &&
		exprType(subject) != INT4OID && exprType(subject) != INT8OID)
		return false;
	condition->kind = CONDITION_COMPARE;
	condition->value = (Expr *) value;
	return true;
}

/* Text that the subject, a text column, is to hold in one way or another. */
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

static bool
match_operator(OpExpr *op, const TableRef *table, Condition *condition)
{
	Node	   *left;
	Node	   *right;

	/* Prefix operators say nothing that could be asked. */
	if (list_length(op->args) != 2)
		return false;
	left = linitial(op->args);
	right = lsecond(op->args);

	/* Know patterns by their operator; any other may be a comparison. */
	switch (op->opno)
	{
		case OID_TEXT_LIKE_OP:
			return match_text(left, right, CONDITION_LIKE, op->inputcollid, table, condition);
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
				return match_comparison(op, table, condition);
			}
		default:
			return match_comparison(op, table, condition);
	}
}

/* subject = ANY (array) */
static bool
match_any(ScalarArrayOpExpr *op, const TableRef *table, Condition *condition)
{
	Node	   *subject = linitial(op->args);
	Node	   *array = lsecond(op->args);

	if (!op->useOr || !match_subject(subject, table, condition) ||
		strategy_of(op->opno, exprType(subject), &condition->value_type) != BTEqualStrategyNumber ||
		!deterministic(op->inputcollid) || !is_value(array, table))
		return false;
	condition->kind = CONDITION_ANY;
	condition->value = (Expr *) array;
	return true;
}

/* A boolean column, or its negation. */
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

/* Is the clause a condition on one attribute, and which? */
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

				/* attribute IS NULL, IS NOT NULL; of a row it would be about its fields */
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

				/* or NOT one */
				return boolean->boolop == NOT_EXPR &&
					match_boolean(linitial(boolean->args), false, table, condition);
			}
		default:
			return false;
	}
}

static bool
is_attribute(const Condition *condition, const char *attribute)
{
	return condition->key == NULL &&
		strcmp(condition->column->attribute->api_name, attribute) == 0;
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

static ConditionUse
use_in_list(const Condition *condition)
{
	if (condition->kind == CONDITION_COMPARE && is_attribute(condition, "CreationTime"))
		return USE_CREATED;
	if (condition->kind == CONDITION_COMPARE && is_attribute(condition, "LastModifiedTime"))
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
	/* which strings are equal is clear, which come before others or hold what is not */
	if (condition->key != NULL)
		return is_equality(condition) ? USE_FILTER : USE_NONE;
	if (condition->kind == CONDITION_COMPARE && is_attribute(condition, "CreationTime"))
		return USE_CREATED;
	/* a label that the type lacks is there, and read as NULL */
	if ((condition->kind == CONDITION_NULL || condition->kind == CONDITION_NOT_NULL) &&
		attribute->kind == SMF_KIND_ENUM)
		return USE_NONE;
	/* Search's operator In compares strings */
	if (condition->kind == CONDITION_ANY && attribute->kind == SMF_KIND_TIMESTAMP)
		return USE_NONE;
	return USE_FILTER;
}

/*
 * smf_condition_use
 *		What the service can do with a condition when jobs come from the source.
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

/*
 * smf_clause_match
 *		What does the clause say of the table's attributes?
 *
 * A list of Condition *, of which one holds for every row that meets the clause: a
 * single one, or the arms of an OR if each says which jobs there may be, by name or ARN.
 * NIL if it says nothing that the service could be asked.  What the clause reads besides
 * columns of "table" may be columns of other tables.
 */
List *
smf_clause_match(Expr *clause, const TableRef *table)
{
	BoolExpr   *or = (BoolExpr *) clause;
	bool		is_or = IsA(or, BoolExpr) && or->boolop == OR_EXPR;
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, is_or ? or->args : list_make1(clause))
	{
		Condition  *condition = palloc(sizeof(Condition));

		if (!match_condition(lfirst(lc), table, condition) ||
			(is_or && smf_condition_use(condition, SMF_FROM_NAMES) != USE_LOOKUP))
			return NIL;
		conditions = lappend(conditions, condition);
	}
	return conditions;
}

/*
 * smf_clause_use
 *		What the service can do with a clause when jobs come from the source; the
 *		conditions are what smf_clause_match has found in it.
 */
ConditionUse
smf_clause_use(List *conditions, JobSource source)
{
	if (conditions == NIL)
		return USE_NONE;
	/* each of several is a look-up: only together they leave no job out */
	if (list_length(conditions) > 1)
		return source == SMF_FROM_NAMES ? USE_LOOKUP : USE_NONE;
	return smf_condition_use(linitial(conditions), source);
}
