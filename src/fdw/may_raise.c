/*-------------------------------------------------------------------------
 *
 * may_raise.c
 *		May a condition raise an error?
 *
 * A condition that may, as a cast may, has to wait for those that stand before it, which
 * may guard it.  Postgres does not promise to keep the order of conditions, but does, and
 * whoever casts behind a condition counts on that.
 *
 * The answer is no only where it is certain, for a given list of functions and nodes.
 * What reads no column counts for nothing: its error, if any, is the same for all jobs.
 *
 * Not accounted for: errors of resources, such as a lack of memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "fdw/may_raise.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* A pattern of LIKE that is not refused: the character behind a backslash is there. */
static bool
is_whole_pattern(Node *pattern)
{
	Const	   *constant = (Const *) pattern;
	const char *at;

	if (!IsA(pattern, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return false;
	for (at = TextDatumGetCString(constant->constvalue); *at; at++)
	{
		if (*at == '\\' && *++at == '\0')
			return false;
	}
	return true;
}

/* A regular expression of which every character is harmless. */
static bool
is_plain_regex(Node *pattern)
{
	Const	   *constant = (Const *) pattern;
	const char *at;

	if (!IsA(pattern, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return false;
	at = TextDatumGetCString(constant->constvalue);
	return at[strspn(at, "^$.-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
}

/* A field of a time that extract knows, and date_trunc. */
static bool
is_plain_field(Node *field)
{
	static const char *const fields[] = {
		"year", "quarter", "month", "week", "day", "hour", "minute", "second"
	};
	Const	   *constant = (Const *) field;

	if (!IsA(field, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return false;
	for (int i = 0; i < lengthof(fields); i++)
	{
		if (strcmp(TextDatumGetCString(constant->constvalue), fields[i]) == 0)
			return true;
	}
	return false;
}

/* Functions that raise no error, whatever they are given, though not marked as such. */
static bool
is_harmless(Oid function)
{
	static const Oid harmless[] = {
		F_JSONB_OBJECT_FIELD, F_JSONB_OBJECT_FIELD_TEXT, F_JSONB_ARRAY_ELEMENT,
		F_JSONB_ARRAY_ELEMENT_TEXT, F_JSONB_EXISTS, F_JSONB_EXISTS_ANY, F_JSONB_EXISTS_ALL,
		F_JSONB_CONTAINS, F_JSONB_CONTAINED, F_JSONB_TYPEOF,
		F_STRPOS, F_POSITION_TEXT_TEXT, F_STARTS_WITH, F_LOWER_TEXT, F_UPPER_TEXT, F_LENGTH_TEXT,
		F_LEFT, F_RIGHT, F_DATE_TIMESTAMPTZ
	};

	for (int i = 0; i < lengthof(harmless); i++)
	{
		if (harmless[i] == function)
			return true;
	}
	return get_func_leakproof(function);
}

/* Does the expression compare values by an operator that sorts a built-in type? */
static bool
is_comparison(Node *node)
{
	OpExpr	   *op = (OpExpr *) node;
	Oid			operator = IsA(node, ScalarArrayOpExpr) ? ((ScalarArrayOpExpr *) node)->opno : op->opno;
	List	   *args = IsA(node, ScalarArrayOpExpr) ? ((ScalarArrayOpExpr *) node)->args : op->args;
	TypeCacheEntry *type = lookup_type_cache(exprType(linitial(args)), TYPECACHE_BTREE_OPFAMILY);

	return operator < FirstGenbkiObjectId && OidIsValid(type->btree_opf) &&
		(op_in_opfamily(operator, type->btree_opf) ||
		 op_in_opfamily(get_negator(operator), type->btree_opf));
}

/* check_functions_in_node's callback */
static bool
function_may_raise(Oid function, void *context)
{
	List	   *args = context;

	switch (function)
	{
		case F_TEXTLIKE:
		case F_TEXTNLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
			return list_length(args) != 2 || !is_whole_pattern(lsecond(args));
		case F_TEXTREGEXEQ:
		case F_TEXTREGEXNE:
		case F_TEXTICREGEXEQ:
		case F_TEXTICREGEXNE:
			return list_length(args) != 2 || !is_plain_regex(lsecond(args));
		case F_DATE_PART_TEXT_TIMESTAMPTZ:
		case F_EXTRACT_TEXT_TIMESTAMPTZ:
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
			/* when a job's year begins is a time that there is */
			return list_length(args) != 2 || !is_plain_field(linitial(args));
		default:
			return !is_harmless(function);
	}
}

/* The arguments of a function or an operator; NIL of others. */
static List *
arguments_of(Node *node)
{
	if (IsA(node, OpExpr))
		return ((OpExpr *) node)->args;
	if (IsA(node, FuncExpr))
		return ((FuncExpr *) node)->args;
	return NIL;
}

/* What the walker may_raise has to know. */
typedef struct RaiseContext
{
	List	   *subplans;		/* Plan *, those of the statement */
	bool		in_subplan;		/* parameters stand for columns */
} RaiseContext;

static bool may_raise(Node *node, void *context);

/*
 * May the plan of a sub-select raise an error, by the parameters that it is given?  Plain
 * scans of tables can be looked through.
 */
static bool
plan_may_raise(Plan *plan, RaiseContext *context)
{
	List	   *more = NIL;

	/* Find the conditions that a scan of its kind has besides its qual. */
	if (plan == NULL)
		return false;
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_Material:
			break;
		case T_Result:
			more = (List *) ((Result *) plan)->resconstantqual;
			break;
		case T_IndexScan:
			more = ((IndexScan *) plan)->indexqualorig;
			break;
		case T_IndexOnlyScan:
			more = ((IndexOnlyScan *) plan)->indexqual;
			break;
		case T_BitmapIndexScan:
			more = ((BitmapIndexScan *) plan)->indexqual;
			break;
		case T_BitmapHeapScan:
			more = ((BitmapHeapScan *) plan)->bitmapqualorig;
			break;
		default:
			/* whatever is not listed may */
			return true;
	}

	/* Look at its own expressions, and at what is below it. */
	return plan->initPlan != NIL || may_raise((Node *) plan->targetlist, context) ||
		may_raise((Node *) plan->qual, context) || may_raise((Node *) more, context) ||
		plan_may_raise(plan->lefttree, context) || plan_may_raise(plan->righttree, context);
}

/* May the sub-select raise an error, by the columns that it is given? */
static bool
subplan_may_raise(SubPlan *subplan, RaiseContext *context)
{
	RaiseContext inner = {context->subplans, true};
	SubLinkType type = subplan->subLinkType;

	/* more rows than one are an error of the others */
	if (type != EXISTS_SUBLINK && type != ANY_SUBLINK && type != ARRAY_SUBLINK)
		return true;
	/* without parameters it is the same for all jobs */
	return subplan->args != NIL &&
		plan_may_raise(list_nth(context->subplans, subplan->plan_id - 1), &inner);
}

/* A walker: may the expression raise an error, by what it is given? */
static bool
may_raise(Node *node, void *context)
{
	RaiseContext *raise = context;

	/* what reads no column is the same for all jobs, whatever guards it */
	if (node == NULL || !(raise->in_subplan || contain_var_clause(node)))
		return false;

	/* Does the node itself raise one? */
	switch (nodeTag(node))
	{
		case T_SubPlan:
			if (subplan_may_raise((SubPlan *) node, raise))
				return true;
			break;
		case T_CoerceViaIO:
			/* anything has a text */
			if (((CoerceViaIO *) node)->resulttype != TEXTOID)
				return true;
			return may_raise((Node *) ((CoerceViaIO *) node)->arg, context);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
			if (!is_comparison(node) &&
				check_functions_in_node(node, function_may_raise, arguments_of(node)))
				return true;
			break;
		case T_Var:
		case T_Const:
		case T_Param:
		case T_List:
		case T_TargetEntry:
		case T_FuncExpr:
		case T_RowCompareExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CollateExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_ArrayExpr:
		case T_SQLValueFunction:
		case T_AlternativeSubPlan:
		case T_PlaceHolderVar:
			/* these raise errors only by the functions that they call, if any */
			if (check_functions_in_node(node, function_may_raise, arguments_of(node)))
				return true;
			break;
		default:
			/* whatever is not listed may */
			return true;
	}

	/* Or what is below it? */
	return expression_tree_walker(node, may_raise, context);
}

/*
 * smf_may_raise
 *		May the clause raise an error, by the columns that it reads?
 *
 * "subplans" are the statement's plans of sub-selects.
 */
bool
smf_may_raise(Node *clause, List *subplans)
{
	RaiseContext context = {subplans, false};

	return may_raise(clause, &context);
}
