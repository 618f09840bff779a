/*-------------------------------------------------------------------------
 *
 * scan_plan.c
 *		What a plan tells the executor about a scan, packed into nodes and unpacked.
 *
 * Plans are cached, copied and printed, so a ForeignScan contains only nodes.
 * Expressions go into fdw_exprs, where Postgres adapts them to the executor, as it does
 * for its own nodes.  Everything else goes into fdw_private, in the order of one table
 * that both directions follow: to add a member, add a line to it.
 *
 * A recognized condition goes into both, with its value as an expression.  The value is
 * also a part of its clause, but after planning nobody could tell which part.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/pushdown.h"
#include "fdw/scan_plan.h"
#include "nodes/value.h"

/* The contents of fdw_exprs, by position: lists of expressions. */
typedef enum ScanExprIndex
{
	SCAN_EXPR_API,				/* the clauses */
	SCAN_EXPR_EARLY,
	SCAN_EXPR_API_VALUES,		/* of their conditions, one after another; NULL for those
								 * without a value */
	SCAN_EXPR_EARLY_VALUES
} ScanExprIndex;

/* The node that represents a member. */
typedef enum MemberKind
{
	MEMBER_BOOL,				/* Boolean */
	MEMBER_INT,					/* Integer */
	MEMBER_DOUBLE,				/* Float with a whole number */
	MEMBER_SET,					/* String with an AttributeSet as a number */
	MEMBER_LIST					/* List */
} MemberKind;

/* The contents of fdw_private, by position; the conditions follow, without their values. */
static const struct
{
	MemberKind	kind;
	size_t		offset;			/* in ScanPlan */
}			members[] = {
	{MEMBER_INT, offsetof(ScanPlan, source)},
	{MEMBER_LIST, offsetof(ScanPlan, attnums)},
	{MEMBER_BOOL, offsetof(ScanPlan, prove)},
	{MEMBER_SET, offsetof(ScanPlan, read)},
	{MEMBER_BOOL, offsetof(ScanPlan, ordered)},
	{MEMBER_BOOL, offsetof(ScanPlan, oldest_first)},
	{MEMBER_BOOL, offsetof(ScanPlan, narrowed)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, bound)},
	{MEMBER_BOOL, offsetof(ScanPlan, ramp)},
	{MEMBER_INT, offsetof(ScanPlan, from_parent)},
	{MEMBER_BOOL, offsetof(ScanPlan, in_turn)},
	{MEMBER_BOOL, offsetof(ScanPlan, parameterized)},
	{MEMBER_BOOL, offsetof(ScanPlan, has_statistics)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, estimated_jobs)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, estimated_calls)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, calls_by_search)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, certain_calls)}
};

StaticAssertDecl(sizeof(JobSource) == sizeof(int), "a JobSource is packed as an int");

static Node *
member_to_node(MemberKind kind, const void *member)
{
	switch (kind)
	{
		case MEMBER_BOOL:
			return (Node *) makeBoolean(*(const bool *) member);
		case MEMBER_INT:
			return (Node *) makeInteger(*(const int *) member);
		case MEMBER_DOUBLE:
			return (Node *) makeFloat(psprintf("%.0f", *(const double *) member));
		case MEMBER_SET:
			return (Node *) makeString(psprintf(UINT64_FORMAT, *(const AttributeSet *) member));
		case MEMBER_LIST:
			return *(Node *const *) member;
	}
	pg_unreachable();
}

static void
node_to_member(MemberKind kind, Node *node, void *member)
{
	switch (kind)
	{
		case MEMBER_BOOL:
			*(bool *) member = boolVal(node);
			break;
		case MEMBER_INT:
			*(int *) member = intVal(node);
			break;
		case MEMBER_DOUBLE:
			*(double *) member = floatVal(node);
			break;
		case MEMBER_SET:
			*(AttributeSet *) member = (AttributeSet) strtoull(strVal(node), NULL, 10);
			break;
		case MEMBER_LIST:
			*(Node **) member = node;
			break;
	}
}

static String *
string_or_null(const char *string)
{
	return string ? makeString(unconstify(char *, string)) : NULL;
}

/*
 * The conditions of clauses, a list of Condition * for each, as nodes; their values are
 * appended to *values.
 */
static List *
pack_conditions(List *clauses, List **values)
{
	List	   *packed = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		List	   *clause = NIL;
		ListCell   *lc2;

		foreach(lc2, (List *) lfirst(lc))
		{
			Condition  *condition = lfirst(lc2);
			List	   *numbers = list_make5_int(condition->kind, condition->column->attnum,
												 condition->strategy, (int) condition->value_type,
												 condition->arm);

			numbers = lappend_int(numbers, condition->unit);
			clause = lappend(clause, list_make3(numbers, string_or_null(condition->key),
												string_or_null(condition->zone)));
			*values = lappend(*values, condition->value);
		}
		packed = lappend(packed, clause);
	}
	return packed;
}

/* The reverse; the columns are the table's. */
static List *
unpack_conditions(List *packed, List *values, const SmfColumn *columns)
{
	List	   *clauses = NIL;
	ListCell   *lc;
	ListCell   *value = list_head(values);

	foreach(lc, packed)
	{
		List	   *clause = NIL;
		ListCell   *lc2;

		foreach(lc2, (List *) lfirst(lc))
		{
			Condition  *condition = palloc(sizeof(Condition));
			List	   *numbers = linitial(lfirst(lc2));
			String	   *key = lsecond(lfirst(lc2));
			String	   *zone = lthird(lfirst(lc2));

			/* the numbers, in the order of pack_conditions */
			condition->kind = linitial_int(numbers);
			condition->column = &columns[lsecond_int(numbers) - 1];
			condition->strategy = lthird_int(numbers);
			condition->value_type = (Oid) lfourth_int(numbers);
			condition->arm = list_nth_int(numbers, 4);
			condition->unit = list_nth_int(numbers, 5);

			/* the strings, and what can be derived from the column */
			condition->key = key ? strVal(key) : NULL;
			condition->zone = zone ? strVal(zone) : NULL;
			condition->rounded_us = smf_column_rounded_us(condition->column);
			condition->value = lfirst(value);
			clause = lappend(clause, condition);
			value = lnext(values, value);
		}
		clauses = lappend(clauses, clause);
	}
	return clauses;
}

/*
 * smf_scan_plan_pack
 *		Create the lists for ForeignScan.fdw_exprs and fdw_private.
 *
 * They are created in the current memory context, and take over the plan's own lists.
 */
void
smf_scan_plan_pack(const ScanPlan *plan, List **exprs, List **private)
{
	List	   *api_values = NIL;
	List	   *early_values = NIL;

	*private = NIL;
	for (int i = 0; i < lengthof(members); i++)
		*private = lappend(*private, member_to_node(members[i].kind,
													(const char *) plan + members[i].offset));
	*private = lappend(*private, pack_conditions(plan->api_conditions, &api_values));
	*private = lappend(*private, pack_conditions(plan->early_conditions, &early_values));
	*exprs = list_make4(plan->api, plan->early, api_values, early_values);
}

/*
 * smf_scan_plan_unpack
 *		Unpack what smf_scan_plan_pack has packed, in its state after planning: the
 *		expressions are now the executor's.
 *
 * The columns are the table's, indexed by attribute number less one.  Conditions are
 * created in the current memory context; other lists belong to the scan node.
 */
ScanPlan
smf_scan_plan_unpack(const ForeignScan *scan, const SmfColumn *columns)
{
	ScanPlan	plan;

	plan.api = list_nth(scan->fdw_exprs, SCAN_EXPR_API);
	plan.early = list_nth(scan->fdw_exprs, SCAN_EXPR_EARLY);
	plan.api_conditions = unpack_conditions(list_nth(scan->fdw_private, lengthof(members)),
											list_nth(scan->fdw_exprs, SCAN_EXPR_API_VALUES), columns);
	plan.early_conditions = unpack_conditions(list_nth(scan->fdw_private, lengthof(members) + 1),
											  list_nth(scan->fdw_exprs, SCAN_EXPR_EARLY_VALUES), columns);
	for (int i = 0; i < lengthof(members); i++)
		node_to_member(members[i].kind, list_nth(scan->fdw_private, i),
					   (char *) &plan + members[i].offset);
	return plan;
}
