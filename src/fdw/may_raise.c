/*-------------------------------------------------------------------------
 *
 * may_raise.c
 *		Whether a condition may raise an error.
 *
 * A condition that may, such as a cast, has to wait for those before it, because they may
 * guard it.  Postgres does not promise to keep the order of conditions, but it does, and
 * people who put a cast after a condition rely on that.
 *
 * The answer is no only if that is certain, for a fixed list of functions and nodes.
 * Expressions that read no column are ignored: their error, if any, is the same for all
 * jobs.
 *
 * Not accounted for: errors about resources, such as a lack of memory.
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

/* Is it a valid LIKE pattern, that is, does a character follow each backslash? */
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

/* Is it a regular expression that consists only of harmless characters? */
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

/* Is it the name of a field that both extract and date_trunc support? */
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

/*
 * Does the function never raise an error, whatever its arguments?  Some of these are not
 * marked as such.
 */
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

/* Does the expression compare values with a sort operator of a built-in type? */
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
			/* the start of a job's year is always a valid time */
			return list_length(args) != 2 || !is_plain_field(linitial(args));
		default:
			return !is_harmless(function);
	}
}

/* The arguments of a function or an operator; NIL for other nodes. */
static List *
arguments_of(Node *node)
{
	if (IsA(node, OpExpr))
		return ((OpExpr *) node)->args;
	if (IsA(node, FuncExpr))
		return ((FuncExpr *) node)->args;
	return NIL;
}

/* The context of the walker may_raise. */
typedef struct RaiseContext
{
	List	   *subplans;		/* Plan *, all of the statement */
	bool		in_subplan;		/* are parameters used in place of columns? */
} RaiseContext;

static bool may_raise(Node *node, void *context);

/*
 * May the plan of a sub-select raise an error, depending on its parameters?  Only plain
 * scans of tables are examined.
 */
static bool
plan_may_raise(Plan *plan, RaiseContext *context)
{
	List	   *more = NIL;

	/* Find the conditions that this kind of scan has besides its qual. */
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
			/* any other node may */
			return true;
	}

	/* Examine its own expressions, and the nodes below it. */
	return plan->initPlan != NIL || may_raise((Node *) plan->targetlist, context) ||
		may_raise((Node *) plan->qual, context) || may_raise((Node *) more, context) ||
		plan_may_raise(plan->lefttree, context) || plan_may_raise(plan->righttree, context);
}

/* May the sub-select raise an error, depending on the columns that it uses? */
static bool
subplan_may_raise(SubPlan *subplan, RaiseContext *context)
{
	RaiseContext inner = {context->subplans, true};
	SubLinkType type = subplan->subLinkType;

	/* the other types raise an error for more than one row */
	if (type != EXISTS_SUBLINK && type != ANY_SUBLINK && type != ARRAY_SUBLINK)
		return true;
	/* without parameters its result is the same for all jobs */
	return subplan->args != NIL &&
		plan_may_raise(list_nth(context->subplans, subplan->plan_id - 1), &inner);
}

/* A walker: may the expression raise an error, depending on its input? */
static bool
may_raise(Node *node, void *context)
{
	RaiseContext *raise = context;

	/* an expression without columns is the same for all jobs, whatever guards it */
	if (node == NULL || !(raise->in_subplan || contain_var_clause(node)))
		return false;

	/* Does the node itself raise an error? */
	switch (nodeTag(node))
	{
		case T_SubPlan:
			if (subplan_may_raise((SubPlan *) node, raise))
				return true;
			break;
		case T_CoerceViaIO:
			/* everything can be converted to text */
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
			/* these raise errors only in functions that they call, if any */
			if (check_functions_in_node(node, function_may_raise, arguments_of(node)))
				return true;
			break;
		default:
			/* any other node may */
			return true;
	}

	/* Or does anything below it? */
	return expression_tree_walker(node, may_raise, context);
}

/*
 * smf_may_raise
 *		May the clause raise an error, depending on the columns that it reads?
 *
 * "subplans" are the statement's plans of sub-selects.
 */
bool
smf_may_raise(Node *clause, List *subplans)
{
	RaiseContext context = {subplans, false};

	return may_raise(clause, &context);
}
