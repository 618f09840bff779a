/*-------------------------------------------------------------------------
 *
 * demand.c
 *		What a query needs from a scan: which columns, how many rows, and when.
 *
 * These functions examine the query around the scan: its target list and row marks, its
 * LIMIT, the partitions next to the table.  Nothing here is about calls or their cost.
 *
 * Not accounted for: unused columns of a whole-row reference, and a LIMIT given by a
 * parameter.
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

/* More rows than any table has: a larger LIMIT makes no difference. */
#define MOST_JOBS 1e12

/* Columns of a table. */
typedef struct ColumnSet
{
	Index		relid;			/* the table's range table index */
	Bitmapset  *columns;		/* in the numbering of pull_varattnos */
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

/*
 * Does the entry exist only for a row mark of the table, and not because the user wrote
 * it?
 */
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
 * Is the table's whole row needed only for row marks, to check conditions again when a
 * row of another table has changed?  Then it need not contain columns that the query does
 * not read.
 */
static bool
whole_row_is_marked(PlannerInfo *root, RelOptInfo *rel)
{
	Query	   *query = root->parse;
	RelOptInfo *table = rel;	/* the one that the query names */
	Bitmapset  *result = bms_make_singleton(0);
	ListCell   *lc;

	if (root->rowMarks == NIL)
		return false;
	if (rel->top_parent_relids != NULL)
		table = find_base_rel(root, bms_singleton_member(rel->top_parent_relids));

	/* needed only in the result, not by a join */
	if (!bms_is_subset(table->attr_needed[0 - table->min_attr], result))
		return false;
	foreach(lc, root->processed_tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!is_row_mark_entry(root, entry, table->relid) &&
			reads_whole_row((Node *) entry->expr, table->relid))
			return false;
	}
	/* these get what they need from an entry for a row mark */
	return !reads_whole_row((Node *) query->returningList, table->relid) &&
		!reads_whole_row((Node *) query->mergeActionList, table->relid) &&
		!reads_whole_row(smf_merge_condition(query), table->relid);
}

/* Is it the whole row of a table, possibly converted to that of its parent table? */
static bool
is_whole_row(Node *node)
{
	while (IsA(node, ConvertRowtypeExpr))
		node = (Node *) ((ConvertRowtypeExpr *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varattno == 0;
}

/*
 * smf_demand_columns
 *		The columns that the query, or one of the clauses, reads (integer list), plus
 *		those that generated columns among them are computed from.
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

	/* Collect what the query and the clauses read. */
	foreach(lc, rel->reltarget->exprs)
	{
		if (!marked || !is_whole_row(lfirst(lc)))
			pull_varattnos(lfirst(lc), rel->relid, &used);
	}
	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);

	/*
	 * Turn that into columns: a whole row has all of them, and system columns are not
	 * fetched.
	 */
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

	/* Add the columns that generated ones are computed from. */
	needed = smf_columns_needed(table->columns, needed);
	for (int attnum = -1; (attnum = bms_next_member(needed, attnum)) >= 0;)
		attnums = lappend_int(attnums, attnum);
	return attnums;
}

/* What is read from whole responses. */
typedef struct RawReads
{
	Index		relid;			/* the table's range table index */
	Bitmapset  *columns;		/* columns with whole responses, in the numbering of
								 * pull_varattnos */
	Bitmapset  *computed;		/* generated columns, in the same numbers: what they read of
								 * responses is not examined */
	int			sublevels_up;	/* queries between the expression and the table */
	AttributeSet members;		/* members that are read separately */
	bool		whole;			/* is anything else read? */
} RawReads;

/*
 * Is it a column with a whole response, one that may be computed from it, or the table's
 * whole row?
 */
static bool
is_raw_response(Node *node, const RawReads *reads)
{
	Var		   *var = (Var *) node;

	return IsA(node, Var) && var->varno == reads->relid && var->varlevelsup == reads->sublevels_up &&
		(var->varattno == 0 ||
		 bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, reads->columns) ||
		 bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, reads->computed));
}

/* The text in a constant, or the only element of a constant array; NULL for anything else. */
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
 * Does the operator extract one member from a whole response, a string, so that the
 * response's source makes no difference?  If so, note the member.
 */
static bool
note_member(OpExpr *operation, RawReads *reads)
{
	const SmfAttribute *attribute;
	const char *rest;
	char	   *key;

	/* as text: in jsonb, a null member would differ from a missing one */
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
	/* smf_columns_searchable assumes that Search has these */
	if (!attribute->in_search)
		return false;
	reads->members |= smf_attribute_bit(attribute);
	return true;
}

/* A walker: notes what is read from whole responses. */
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
 *		The only attributes that the query reads from columns with whole responses; 0
 *		if it may read others.
 */
AttributeSet
smf_demand_raw_members(PlannerInfo *root, RelOptInfo *rel, const TableRef *table)
{
	RawReads	reads = {rel->relid};

	/* a partition's columns differ from those that the query names */
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
 * Are the table's rows, or its partitions' together, the rows of the query?  There must
 * be no join, and no sort, which would read all of them.
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
 *		The most rows that the query reads from this table, or from this partition of
 *		it; 0 if it may read all: a LIMIT that applies directly.
 *
 * "all_known" says whether all conditions are decided before the calls for single jobs: a
 * condition that is decided later drops rows that were already read.
 */
double
smf_demand_rows(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path, bool all_known)
{
	if (root->limit_tuples < 1 || root->parse->limitOption == LIMIT_OPTION_WITH_TIES ||
		!all_known || !rows_are_the_query_s(root, rel, path))
		return 0;
	return Min(root->limit_tuples, MOST_JOBS);
}

/* Does the table, or the only remaining partition of a table, provide all rows? */
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
 *		May the query end before it has read all rows: because of a LIMIT, an EXISTS or
 *		a cursor?
 */
bool
smf_demand_query_may_end(const PlannerInfo *root)
{
	return root->limit_tuples >= 1 || root->tuple_fraction > 0;
}

/*
 * smf_demand_may_end
 *		May the query end before it has read all the rows that it may read, which are
 *		at most "bound"?
 *
 * This is the case with a LIMIT above joins or sorts, an EXISTS or a cursor: the query
 * may end early or not.  It is also the case if other partitions provide rows, too.
 */
bool
smf_demand_may_end(PlannerInfo *root, RelOptInfo *rel, double bound)
{
	return (bound == 0 || !gives_all_rows(root, rel)) && smf_demand_query_may_end(root);
}

/*
 * smf_demand_partition_keys
 *		The partition keys of all tables above a partition, as expressions of its own
 *		columns; NIL if the table is not a partition.
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
 *		A walker: does it use a value that is known only when the query runs?  The
 *		context is not used.
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
	/* each argument is examined by itself */
	if (IsA(node, BoolExpr))
		return expression_tree_walker(node, compares_with_awaited, context);
	/* an array whose elements are not listed excludes nothing */
	if (IsA(node, ScalarArrayOpExpr) && !IsA(lsecond(((ScalarArrayOpExpr *) node)->args), ArrayExpr))
		return false;
	pull_varattnos(node, set->relid, &read);
	return bms_overlap(read, set->columns) && smf_demand_awaits_value(node, NULL);
}

/*
 * May a comparison with a partition key exclude the partition when the query runs?
 *
 * Constants have already excluded it from the plan.  Parameters of the statement and
 * stable functions exclude it when the executor starts, so that the scan never begins.
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

/* Does one of the conditions, RestrictInfo *, read a column that is in the keys? */
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
 * Are all rows read before the query returns its first one?  An aggregate without
 * grouping does that, and so does a sort or a hash table over the only table, unless the
 * path provides the beginning of that order.
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

/* May one page of rows be enough for the query, because of a LIMIT or an EXISTS? */
static bool
a_page_may_do(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path)
{
	/* for an EXISTS the planner says only that one row is read */
	double		rows = root->limit_tuples >= 1 ? root->limit_tuples : root->tuple_fraction;

	return rows >= 1 && rows <= SMF_PAGE_SIZE_MAX && rows_are_the_query_s(root, rel, path);
}

/*
 * smf_demand_in_turn
 *		Should the partition be asked after its siblings rather than at the same time,
 *		because the query may end at one of their rows?
 *
 * It should if each sibling has few rows, so that no partition waits long for its turn.
 * "looked_up" says whether the path looks up jobs by name.  "nested" are the conditions
 * that get their values from other tables: if one of them is on a partition key, the
 * executor may leave out partitions, and their siblings must not start these.
 */
bool
smf_demand_in_turn(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path, bool looked_up, List *nested)
{
	List	   *keys;

	if (rel->reloptkind != RELOPT_OTHER_MEMBER_REL || !enable_async_append || path->path.pathkeys != NIL)
		return false;
	/* a page of a list contains the wanted rows, unless conditions reject some */
	if (!looked_up && (rel->baserestrictinfo != NIL || nested != NIL || !a_page_may_do(root, rel, path)))
		return false;
	if (!smf_demand_query_may_end(root) || gives_all_rows(root, rel) || all_come_first(root, rel, path))
		return false;
	keys = smf_demand_partition_keys(root, rel->relid);
	return !may_be_excluded(root, rel, keys) && !reads_any_of(rel, nested, keys);
}

/*
 * smf_demand_from_parent
 *		Is the scan certain to be asked for its first row when its siblings are, or do
 *		they start one after another?  If so, returns the distance from the parent's
 *		entry in the range table to its own, otherwise 0.
 *
 * It is certain if the partitions are merged in an order that each of them provides, and
 * none can be left out.  The distance is the same in the executor's range table.
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
