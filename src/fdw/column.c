/*-------------------------------------------------------------------------
 *
 * column.c
 *		What each column of a foreign table means.
 *
 * A column stands for the attribute in its option "attribute", or otherwise for the
 * attribute whose column in the catalogue (attribute.c) has the same name.
 *
 * Not accounted for: whether the column's type fits the attribute.  That is checked when
 * a value is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "aws/mapping.h"
#include "compat/base.h"
#include "fdw/column.h"
#include "foreign/foreign.h"
#include "jobs/document.h"
#include "optimizer/optimizer.h"
#include "option.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

smf_noreturn static void
raise_no_attribute(Oid relid, const char *column_name)
{
	const char *closest = smf_closest_column(column_name);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("column \"%s\" of foreign table \"%s\" is not an attribute of a training job",
					column_name, get_rel_name(relid)),
			 closest ?
			 errhint("Perhaps you meant \"%s\". Or set the column's option \"attribute\" to the attribute it stands for.",
					 closest) :
			 errhint("Set the column's option \"attribute\" to the attribute it stands for.")));
}

/* The expression of a generated column. */
static Node *
generation_expression(Oid relid, TupleDesc tupdesc, AttrNumber attnum)
{
	for (int i = 0; i < tupdesc->constr->num_defval; i++)
	{
		if (tupdesc->constr->defval[i].adnum == attnum)
			return stringToNode(tupdesc->constr->defval[i].adbin);
	}
	elog(ERROR, "no generation expression found for column number %d of table \"%s\"",
		 attnum, get_rel_name(relid));
}

/*
 * smf_columns_needed
 *		The attribute numbers, plus those of the columns that generated columns among
 *		them are computed from.
 */
Bitmapset *
smf_columns_needed(const SmfColumn *columns, Bitmapset *attnums)
{
	Bitmapset  *needed = bms_copy(attnums);
	int			attnum = -1;

	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
	{
		Bitmapset  *used = NULL;
		int			member = -1;

		pull_varattnos(columns[attnum - 1].expression, 1, &used);
		while ((member = bms_next_member(used, member)) >= 0)
		{
			AttrNumber	base = member + FirstLowInvalidHeapAttributeNumber;

			/* tableoid is not a column */
			if (base > 0)
				needed = bms_add_member(needed, base);
		}
	}
	return needed;
}

/*
 * smf_column_attribute
 *		The attribute that a column of a foreign table stands for, from its option or else from
 *		its name; NULL if the catalogue has none.
 *
 * "*path" becomes the option's value, or NULL without the option, and "*rest" what follows
 * the attribute in it, or NULL.
 */
const SmfAttribute *
smf_column_attribute(Oid relid, Form_pg_attribute column, const char **path, const char **rest)
{
	*rest = NULL;
	*path = smf_option_value(GetForeignColumnOptions(relid, column->attnum), "attribute");
	return *path != NULL ? smf_attribute_by_path(*path, rest) : smf_attribute_by_column(NameStr(column->attname));
}

/*
 * smf_table_columns
 *		All columns of a foreign table, indexed by attribute number less one.
 *
 * Dropped columns, and generated ones that are not stored, are left zeroed.  The settings
 * are the table's.
 *
 * Raises HV005 if a column's name is not an attribute and no option says what it stands
 * for.
 */
SmfColumn *
smf_table_columns(Oid relid, TupleDesc tupdesc, const SmfSettings *settings)
{
	SmfColumn  *columns = palloc0(tupdesc->natts * sizeof(SmfColumn));

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);
		SmfColumn  *column = &columns[i];
		const char *rest;

		/* Columns without a value from us. */
		if (att->attisdropped ||
			(att->attgenerated != '\0' && att->attgenerated != ATTRIBUTE_GENERATED_STORED))
			continue;

		column->attnum = att->attnum;
		column->name = pstrdup(NameStr(att->attname));
		column->type_id = att->atttypid;
		column->typmod = att->atttypmod;

		/* A stored generated column does not stand for an attribute. */
		if (att->attgenerated == ATTRIBUTE_GENERATED_STORED)
		{
			column->path = column->name;
			column->expression = generation_expression(relid, tupdesc, att->attnum);
			continue;
		}

		/* The attribute, from the option or else from the column's name. */
		column->top = smf_column_attribute(relid, att, &column->path, &rest);
		if (column->top == NULL && column->path == NULL)
			raise_no_attribute(relid, column->name);
		column->attribute = rest == NULL ? column->top : NULL;

		/* A catalogue entry has one path, however the option spells it. */
		if (column->attribute != NULL)
		{
			column->path = column->attribute->api_name;
			column->settled = column->attribute->kind == SMF_KIND_REGION ||
				(column->attribute->kind == SMF_KIND_ACCOUNT_ID && settings->account_id != NULL);
		}
	}
	return columns;
}

/*
 * smf_table_ref
 *		The relation as a query names it, at "varno" in the range table.  The settings
 *		are the table's; raises what smf_table_columns does.
 */
TableRef
smf_table_ref(Relation relation, Index varno, const SmfSettings *settings)
{
	TableRef	table;

	table.columns = smf_table_columns(RelationGetRelid(relation), RelationGetDescr(relation), settings);
	table.natts = RelationGetNumberOfAttributes(relation);
	table.varno = varno;
	return table;
}

/*
 * smf_column_known
 *		Is the column's value known as soon as the source names a job?
 *
 * For jobs that are looked up by name nothing is known until they are described.
 */
bool
smf_column_known(const SmfColumn *column, JobSource source)
{
	const SmfAttribute *attribute = column->top;

	/* the columns it is computed from are checked one by one */
	if (column->expression != NULL)
		return true;
	if (attribute == NULL)
		return false;
	if (column->settled)
		return true;
	switch (source)
	{
		case SMF_FROM_NAMES:
			return false;
		case SMF_FROM_LIST:
			return attribute->in_list;
		case SMF_FROM_TUNING_JOB:
			/* the list was requested for this tuning job */
			return attribute->in_tuning_list || strcmp(attribute->api_name, "TuningJobArn") == 0;
		case SMF_FROM_SEARCH:
			return attribute->in_search;
	}
	pg_unreachable();
}

/* Does the column's value come from the job's tags? */
bool
smf_column_is_tags(const SmfColumn *column)
{
	return column->top != NULL && column->top->origin == SMF_ORIGIN_TAGS;
}

/*
 * smf_needs
 *		Which calls the columns need for each job that the source names.
 */
SmfNeeds
smf_needs(const SmfColumn *columns, List *attnums, JobSource source)
{
	SmfNeeds	needs = {.document = source == SMF_FROM_NAMES};
	ListCell   *lc;

	foreach(lc, attnums)
	{
		const SmfColumn *column = &columns[lfirst_int(lc) - 1];

		needs.read_tags |= smf_column_is_tags(column);
		if (smf_column_known(column, source))
			continue;
		if (smf_column_is_tags(column))
			needs.tags = true;
		else
			needs.document = true;
	}
	return needs;
}

/*
 * smf_columns_members
 *		The members of a job's document or record that the columns read, in the current
 *		memory context; NULL: all.  The columns must outlive it.
 */
const JsonMembers *
smf_columns_members(const SmfColumn *columns, List *attnums)
{
	List	   *paths = NIL;
	ListCell   *lc;

	foreach(lc, attnums)
	{
		const SmfColumn *column = &columns[lfirst_int(lc) - 1];
		const SmfAttribute *attribute = column->attribute;

		/* the columns it is computed from are in the list themselves */
		if (column->expression != NULL)
			continue;
		if (attribute != NULL && attribute->kind == SMF_KIND_RAW_RESPONSE)
			return NULL;
		paths = lappend(paths, unconstify(char *, column->path));
		if (attribute != NULL && attribute->selected != NULL)
			paths = lappend(paths, unconstify(char *, attribute->selected));
	}
	return smf_document_members(paths);
}

/*
 * smf_columns_searchable
 *		Does Search have all attributes that the columns stand for?  If so, *read is
 *		set to these.
 *
 * A whole response is the document from Describe; if "raw_members" is not 0, these are
 * the only attributes that are read from it.
 */
bool
smf_columns_searchable(const SmfColumn *columns, List *attnums, AttributeSet raw_members,
					   AttributeSet *read)
{
	ListCell   *lc;

	*read = 0;
	foreach(lc, attnums)
	{
		const SmfColumn *column = &columns[lfirst_int(lc) - 1];
		const SmfAttribute *attribute = column->top;

		/*
		 * the columns it is computed from are in the list themselves; the account is in
		 * the ARN
		 */
		if (column->expression != NULL || column->settled)
			continue;
		if (attribute == NULL || !attribute->in_search)
			return false;
		if (attribute->kind == SMF_KIND_ACCOUNT_ID)
			continue;
		if (attribute->kind == SMF_KIND_RAW_RESPONSE)
		{
			if (raw_members == 0 || column->attribute == NULL)
				return false;
			*read |= raw_members;
			continue;
		}
		*read |= smf_attribute_bit(attribute);
	}
	return true;
}
