/*-------------------------------------------------------------------------
 *
 * demand.c
 *		What a query wants of a scan: which columns, how many rows, and when.
 *
 * The planner asks about the query around the scan: its target list and row marks, its
 * LIMIT, the partitions beside the table.  Nothing here is about calls or their costs.
 *
 * Not accounted for: columns of a whole-row reference that nobody looks at, and a LIMIT
 * that a parameter gives.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "compat/fdw.h"
#include "fdw/demand.h"
#include "fdw/pushdown.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/* More rows than any table has: a larger LIMIT says no more. */
#define MOST_JOBS 1e12

/* Columns of a table. */
typedef struct ColumnSet
{
	Index		relid;			/* the table's range table index */
	Bitmapset  *columns;		/* as pull_varattnos has them */
} ColumnSet;

/* ----- columns ----- */

/* Does the expression read the table's whole row? */
static bool
reads_whole_row(Node *node, Index relid)
{
	Bitmapset  *used = NULL;

	pull_varattnos(node, relid, &used);
	return bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
}

/* Is it there for a row mark of the table, and for nothing that the user wrote? */
static bool
is_row_mark_entry(PlannerInfo *root, TargetEntry *entry, Index relid)
{
	ListCell   *lc;

	if (!entry->resjunk || entry->resname == NULL)
		return false;
	foreach(lc, root->rowMarks)
	{
		PlanRowMark *mark = lfirst_node(PlanRowMark, lc);

		if (mark->rti == relid &&
			strcmp(entry->resname, psprintf("wholerow%u", mark->rowmarkId)) == 0)
			return true;
	}
	return false;
}

/*
 * Do row marks alone want the table's whole row, to check conditions again when a row of
 * another table has changed?  Then columns that the query does not read may be missing
 * from it.
 */
static bool
whole_row_is_marked(PlannerInfo *root, RelOptInfo *rel)
{
	Query	   *query = root->parse;
	RelOptInfo *table = rel;	/* what the query names */
	Bitmapset  *result = bms_make_singleton(0);
	ListCell   *lc;

	if (root->rowMarks == NIL)
		return false;
	if (rel->top_parent_relids != NULL)
		table = find_base_rel(root, bms_singleton_member(rel->top_parent_relids));

	/* no join needs it, only the result */
	if (!bms_is_subset(table->attr_needed[0 - table->min_attr], result))
		return false;
	foreach(lc, root->processed_tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!is_row_mark_entry(root, entry, table->relid) &&
			reads_whole_row((Node *) entry->expr, table->relid))
			return false;
	}
	/* these find what they need in an entry for a row mark */
	return !reads_whole_row((Node *) query->returningList, table->relid) &&
		!reads_whole_row((Node *) query->mergeActionList, table->relid) &&
		!reads_whole_row(smf_merge_condition(query), table->relid);
}

/* Is it the whole row of a table, as it is or as a row of the table that it is a part of? */
static bool
is_whole_row(Node *node)
{
	while (IsA(node, ConvertRowtypeExpr))
		node = (Node *) ((ConvertRowtypeExpr *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varattno == 0;
}

/*
 * smf_demand_columns
 *		The columns that the query, or one of the clauses, reads (integer list), and those
 *		that generated ones among them are computed from.
 *
 * "clauses" are RestrictInfos.
 */
List *
smf_demand_columns(PlannerInfo *root, RelOptInfo *rel, const TableRef *table, List *clauses)
{
	Bitmapset  *used = NULL;
	List	   *attnums = NIL;
	ListCell   *lc;
	bool		marked = whole_row_is_marked(root, rel);
	Bitmapset  *needed = NULL;
	bool		whole_row;

	/* Collect what the query reads, and what the clauses read. */
	foreach(lc, rel->reltarget->exprs)
	{
		if (!marked || !is_whole_row(lfirst(lc)))
			pull_varattnos(lfirst(lc), rel->relid, &used);
	}
	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);

	/* Turn that into columns: a whole row has all, and system columns are not fetched. */
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	for (int i = 0; i < table->natts; i++)
	{
		const SmfColumn *column = &table->columns[i];

		if (column->name == NULL)
			continue;			/* dropped */
		if (whole_row ||
			bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, used))
			needed = bms_add_member(needed, column->attnum);
	}

	/* Add what generated columns among them are computed from. */
	needed = smf_columns_needed(table->columns, needed);
	for (int attnum = -1; (attnum = bms_next_member(needed, attnum)) >= 0;)
		attnums = lappend_int(attnums, attnum);
	return attnums;
}

/* What is read of whole responses. */
typedef struct RawReads
{
	Index		relid;			/* the table's range table index */
	Bitmapset  *columns;		/* those that are whole responses, as pull_varattnos has them */
	Bitmapset  *computed;		/* generated ones, likewise: what they read of these is not looked at */
	int			sublevels_up;	/* queries between the expression and the table */
	AttributeSet members;		/* those that are read alone */
	bool		whole;			/* is anything else read? */
} RawReads;

/* Is it a column that is a whole response, one that may be computed from it, or the table's whole row? */
static bool
is_raw_response(Node *node, const RawReads *reads)
{
	Var		   *var = (Var *) node;

	return IsA(node, Var) && var->varno == reads->relid && var->varlevelsup == reads->sublevels_up &&
		(var->varattno == 0 ||
		 bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, reads->columns) ||
		 bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, reads->computed));
}

/* The text that a constant is, or its only element; NULL when it is neither. */
static char *
only_key(Node *node)
{
	Const	   *constant = (Const *) node;
	Datum	   *elements;
	bool	   *isnull;
	int			n;

	if (!IsA(node, Const) || constant->constisnull || constant->consttype != TEXTARRAYOID)
		return smf_constant_text(node);
	deconstruct_array(DatumGetArrayTypeP(constant->constvalue), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &isnull, &n);
	return n == 1 && !isnull[0] ? TextDatumGetCString(elements[0]) : NULL;
}

/*
 * Does the operator take one member out of a whole response that reads the same wherever
 * the response is from: a string?  If so, note it.
 */
static bool
note_member(OpExpr *operation, RawReads *reads)
{
	const SmfAttribute *attribute;
	const char *rest;
	char	   *key;

	/* as text: as jsonb a member that is null is another value than none */
	if ((operation->opfuncid != F_JSONB_OBJECT_FIELD_TEXT &&
		 operation->opfuncid != F_JSONB_EXTRACT_PATH_TEXT) ||
		list_length(operation->args) != 2 || !is_raw_response(linitial(operation->args), reads) ||
		!bms_is_member(((Var *) linitial(operation->args))->varattno - FirstLowInvalidHeapAttributeNumber,
					   reads->columns))
		return false;
	key = only_key(lsecond(operation->args));
	attribute = key ? smf_attribute_by_path(key, &rest) : NULL;
	if (attribute == NULL || strcmp(attribute->api_name, key) != 0 ||
		(attribute->kind != SMF_KIND_STRING && attribute->kind != SMF_KIND_ENUM))
		return false;
	/* the columns are looked at whether Search has it */
	if (!attribute->in_search)
		return false;
	reads->members |= smf_attribute_bit(attribute);
	return true;
}

/* A walker: what is read of whole responses? */
static bool
note_raw_reads(Node *node, void *context)
{
	RawReads   *reads = context;
	bool		stop;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		reads->sublevels_up++;
		stop = query_tree_walker((Query *) node, note_raw_reads, context, QTW_IGNORE_JOINALIASES);
		reads->sublevels_up--;
		return stop;
	}
	if (IsA(node, OpExpr) && note_member((OpExpr *) node, reads))
		return false;
	if (is_raw_response(node, reads))
	{
		reads->whole = true;
		return true;
	}
	return expression_tree_walker(node, note_raw_reads, context);
}

/*
 * smf_demand_raw_members
 *		The attributes that are all that the query reads of columns that are whole responses;
 *		0 when it may read more.
 */
AttributeSet
smf_demand_raw_members(PlannerInfo *root, RelOptInfo *rel, const TableRef *table)
{
	RawReads	reads = {rel->relid};

	/* a partition's columns are other ones than those that the query names */
	if (rel->reloptkind != RELOPT_BASEREL)
		return 0;
	for (int i = 0; i < table->natts; i++)
	{
		const SmfColumn *column = &table->columns[i];

		if (column->name != NULL && column->attribute != NULL &&
			column->attribute->kind == SMF_KIND_RAW_RESPONSE)
			reads.columns = bms_add_member(reads.columns,
										   column->attnum - FirstLowInvalidHeapAttributeNumber);
		else if (column->expression != NULL)
			reads.computed = bms_add_member(reads.computed,
											column->attnum - FirstLowInvalidHeapAttributeNumber);
	}
	if (reads.columns == NULL ||
		query_tree_walker(root->parse, note_raw_reads, &reads, QTW_IGNORE_JOINALIASES) ||
		note_raw_reads((Node *) root->processed_tlist, &reads))
		return 0;
	return reads.whole ? 0 : reads.members;
}

/* ----- rows ----- */

/*
 * Does nothing stand between the rows of the table, or of its partitions, and the query's: no
 * join, and no sort, which reads all of them?
 */
static bool
rows_are_the_query_s(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path)
{
	Query	   *query = root->parse;
	Relids		table = rel->top_parent_relids ? rel->top_parent_relids : rel->relids;

	return bms_equal(root->all_baserels, table) && query->rowMarks == NIL && query->setOperations == NULL &&
		pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys) &&
		(query->sortClause == NIL || root->sort_pathkeys != NIL);
}

/*
 * smf_demand_rows
 *		The number of rows that the query reads from this table, or from this partition of
 *		it, at the most, 0 if it may be all: a LIMIT that nothing stands between.
 *
 * "all_known" is whether all conditions are decided before a job's own calls: one that is
 * decided late drops rows after they are read.
 */
double
smf_demand_rows(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path, bool all_known)
{
	if (root->limit_tuples < 1 || root->parse->limitOption == LIMIT_OPTION_WITH_TIES ||
		!all_known || !rows_are_the_query_s(root, rel, path))
		return 0;
	return Min(root->limit_tuples, MOST_JOBS);
}

/* Does the table, or the only partition of one that is left, give all rows? */
static bool
gives_all_rows(PlannerInfo *root, RelOptInfo *rel)
{
	while (rel->reloptkind == RELOPT_OTHER_MEMBER_REL)
	{
		rel = find_base_rel(root, root->append_rel_array[rel->relid]->parent_relid);
		if (rel->part_scheme == NULL || bms_num_members(rel->live_parts) != 1)
			return false;
	}
	return true;
}

/*
 * smf_demand_query_may_end
 *		May the query end before it has read all rows: under a LIMIT, in an EXISTS, for a
 *		cursor?
 */
bool
smf_demand_query_may_end(const PlannerInfo *root)
{
	return root->limit_tuples >= 1 || root->tuple_fraction > 0;
}

/*
 * smf_demand_may_end
 *		May the query end before it has read all rows that it may read, of which there
 *		are "bound" at the most?
 *
 * Under a LIMIT above joins or sorts, in an EXISTS, for a cursor: it may, or it may not.
 * So it may where other partitions give rows, too.
 */
bool
smf_demand_may_end(PlannerInfo *root, RelOptInfo *rel, double bound)
{
	return (bound == 0 || !gives_all_rows(root, rel)) && smf_demand_query_may_end(root);
}

/*
 * smf_demand_partition_keys
 *		The partition keys of all tables above a partition, as expressions of its own
 *		columns; NIL of a table that is none.
 */
List *
smf_demand_partition_keys(PlannerInfo *root, Index relid)
{
	AppendRelInfo *member = root->append_rel_array ? root->append_rel_array[relid] : NULL;
	RelOptInfo *parent;
	List	   *keys;

	if (member == NULL)
		return NIL;
	parent = find_base_rel(root, member->parent_relid);
	keys = smf_demand_partition_keys(root, parent->relid);
	for (int i = 0; parent->part_scheme != NULL && i < parent->part_scheme->partnatts; i++)
		keys = list_concat(keys, parent->partexprs[i]);
	return (List *) adjust_appendrel_attrs(root, (Node *) keys, 1, &member);
}

/*
 * smf_demand_awaits_value
 *		A walker: does it take a value that only running the query gives?  The context is not
 *		used.
 */
bool
smf_demand_awaits_value(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		(IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, smf_demand_awaits_value, context);
}

/* A walker: does it compare one of the columns with such a value? */
static bool
compares_with_awaited(Node *node, void *context)
{
	ColumnSet  *set = context;
	Bitmapset  *read = NULL;

	if (node == NULL)
		return false;
	/* each arm is a comparison of its own */
	if (IsA(node, BoolExpr))
		return expression_tree_walker(node, compares_with_awaited, context);
	/* an array whose elements are not written down excludes nothing */
	if (IsA(node, ScalarArrayOpExpr) && !IsA(lsecond(((ScalarArrayOpExpr *) node)->args), ArrayExpr))
		return false;
	pull_varattnos(node, set->relid, &read);
	return bms_overlap(read, set->columns) && smf_demand_awaits_value(node, NULL);
}

/*
 * May a comparison of a partition key exclude the partition once the query runs?
 *
 * Constants have excluded it from the plan by now; the statement's parameters and
 * stable functions do so when the executor starts, so that the scan never begins.
 */
static bool
may_be_excluded(PlannerInfo *root, RelOptInfo *rel, List *keys)
{
	ColumnSet	set = {rel->relid, NULL};
	ListCell   *lc;

	if (!enable_partition_pruning)
		return false;
	pull_varattnos((Node *) keys, rel->relid, &set.columns);
	foreach(lc, rel->baserestrictinfo)
	{
		if (compares_with_awaited((Node *) lfirst_node(RestrictInfo, lc)->clause, &set))
			return true;
	}
	return false;
}

/* Does one of the conditions, RestrictInfo *, read one of the columns in the keys? */
static bool
reads_any_of(RelOptInfo *rel, List *conditions, List *keys)
{
	Bitmapset  *columns = NULL;
	Bitmapset  *read = NULL;
	ListCell   *lc;

	pull_varattnos((Node *) keys, rel->relid, &columns);
	foreach(lc, conditions)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &read);
	return bms_overlap(read, columns);
}

/*
 * Are all rows read before the query has its first one?  An aggregate of the whole does
 * that, and so does the sort, or the hash table, that an order of the only table needs
 * unless the path begins with it.
 */
static bool
all_come_first(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path)
{
	Query	   *query = root->parse;
	Relids		table = rel->top_parent_relids ? rel->top_parent_relids : rel->relids;
	int			nsorted;

	if (query->hasAggs && query->groupClause == NIL && query->groupingSets == NIL)
		return true;
	if (root->query_pathkeys == NIL || !bms_equal(root->all_baserels, table))
		return false;
	(void) pathkeys_count_contained_in(root->query_pathkeys, path->path.pathkeys, &nsorted);
	return nsorted == 0;
}

/* May the query be content with the rows of one page, by a LIMIT or since it is an EXISTS? */
static bool
a_page_may_do(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path)
{
	/* of an EXISTS the planner says no more than that one row is read */
	double		rows = root->limit_tuples >= 1 ? root->limit_tuples : root->tuple_fraction;

	return rows >= 1 && rows <= SMF_PAGE_SIZE_MAX && rows_are_the_query_s(root, rel, path);
}

/*
 * smf_demand_in_turn
 *		Is the partition better asked after its siblings than beside them, since the query may
 *		end at a row of theirs?
 *
 * It is where the siblings have few rows each, so that nobody waits long for its turn:
 * "looked_up" is whether the path looks up jobs by name.  "nested" are the conditions that
 * other tables give it: where one of them is on a partition key, the executor may leave out
 * partitions, and these are not to be asked by their siblings.
 */
bool
smf_demand_in_turn(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path, bool looked_up, List *nested)
{
	List	   *keys;

	if (rel->reloptkind != RELOPT_OTHER_MEMBER_REL || !enable_async_append || path->path.pathkeys != NIL)
		return false;
	/* a page of a list gives the rows that are wanted, but for what conditions refuse */
	if (!looked_up && (rel->baserestrictinfo != NIL || nested != NIL || !a_page_may_do(root, rel, path)))
		return false;
	if (!smf_demand_query_may_end(root) || gives_all_rows(root, rel) || all_come_first(root, rel, path))
		return false;
	keys = smf_demand_partition_keys(root, rel->relid);
	return !may_be_excluded(root, rel, keys) && !reads_any_of(rel, nested, keys);
}

/*
 * smf_demand_from_parent
 *		Is the scan certain to be asked for its first row when its siblings are, or do they
 *		begin in turn?  If so, how far behind the parent it stands in the range table, else 0.
 *
 * It is certain where the partitions of a table are merged in an order that each of them gives,
 * and none is left out.  The executor's range table has the same distance.
 */
int
smf_demand_from_parent(PlannerInfo *root, RelOptInfo *rel, const TableRef *table,
					   const ForeignPath *path, bool in_turn)
{
	int			distance;
	List	   *keys;
	ListCell   *lc;

	distance = rel->top_parent_relids ? (int) rel->relid - bms_singleton_member(rel->top_parent_relids) : 0;
	if (in_turn)
		return distance;
	if (rel->reloptkind != RELOPT_OTHER_MEMBER_REL || root->query_pathkeys == NIL ||
		!pathkeys_contained_in(root->query_pathkeys, path->path.pathkeys))
		return 0;
	keys = smf_demand_partition_keys(root, rel->relid);
	if (may_be_excluded(root, rel, keys))
		return 0;
	/* in the order of their key, partitions are read one after another */
	foreach(lc, keys)
	{
		if (smf_is_column_of(lfirst(lc), table, "CreationTime"))
			return 0;
	}
	return distance;
}
