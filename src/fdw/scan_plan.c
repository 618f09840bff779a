/*-------------------------------------------------------------------------
 *
 * scan_plan.c
 *		What a plan tells the executor about a scan, packed into nodes and unpacked.
 *
 * Plans are cached, copied and printed, so that a ForeignScan holds nothing but nodes.
 * Conditions go to its fdw_exprs: Postgres adapts them there to the executor, as it does
 * those of its own nodes.  All else goes to fdw_private, in the order of one table that
 * both directions follow: whoever adds a member adds a line to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/scan_plan.h"
#include "nodes/value.h"

/* What fdw_exprs holds, by position: lists of conditions. */
typedef enum ScanExprIndex
{
	SCAN_EXPR_API,
	SCAN_EXPR_EARLY
} ScanExprIndex;

/* The node that a member becomes. */
typedef enum MemberKind
{
	MEMBER_BOOL,				/* Boolean */
	MEMBER_INT,					/* Integer */
	MEMBER_DOUBLE,				/* Float, a whole number */
	MEMBER_LIST					/* List */
} MemberKind;

/* What fdw_private holds, by position. */
static const struct
{
	MemberKind	kind;
	size_t		offset;			/* in ScanPlan */
}			members[] = {
	{MEMBER_INT, offsetof(ScanPlan, source)},
	{MEMBER_BOOL, offsetof(ScanPlan, fall_back)},
	{MEMBER_LIST, offsetof(ScanPlan, attnums)},
	{MEMBER_BOOL, offsetof(ScanPlan, ordered)},
	{MEMBER_BOOL, offsetof(ScanPlan, oldest_first)},
	{MEMBER_BOOL, offsetof(ScanPlan, narrowed)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, bound)},
	{MEMBER_BOOL, offsetof(ScanPlan, ramp)},
	{MEMBER_INT, offsetof(ScanPlan, from_parent)},
	{MEMBER_BOOL, offsetof(ScanPlan, parameterized)},
	{MEMBER_BOOL, offsetof(ScanPlan, has_statistics)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, estimated_jobs)},
	{MEMBER_DOUBLE, offsetof(ScanPlan, estimated_calls)},
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
		case MEMBER_LIST:
			*(Node **) member = node;
			break;
	}
}

/*
 * smf_scan_plan_pack
 *		Make the lists that ForeignScan.fdw_exprs and fdw_private are to be.
 *
 * Made in the current memory context; they take over the plan's own lists.
 */
void
smf_scan_plan_pack(const ScanPlan *plan, List **exprs, List **private)
{
	*exprs = list_make2(plan->api, plan->early);
	*private = NIL;
	for (int i = 0; i < lengthof(members); i++)
		*private = lappend(*private, member_to_node(members[i].kind,
													(const char *) plan + members[i].offset));
}

/*
 * smf_scan_plan_unpack
 *		What smf_scan_plan_pack has packed, as it is after planning: the conditions are
 *		the executor's.  Lists are those of the scan node.
 */
ScanPlan
smf_scan_plan_unpack(const ForeignScan *scan)
{
	ScanPlan	plan;

	plan.api = list_nth(scan->fdw_exprs, SCAN_EXPR_API);
	plan.early = list_nth(scan->fdw_exprs, SCAN_EXPR_EARLY);
	for (int i = 0; i < lengthof(members); i++)
		node_to_member(members[i].kind, list_nth(scan->fdw_private, i),
					   (char *) &plan + members[i].offset);
	return plan;
}
