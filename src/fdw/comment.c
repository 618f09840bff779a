/*-------------------------------------------------------------------------
 *
 * comment.c
 *		What the columns of a table mean, as their comments.
 *
 * The text is the catalogue's (attribute.c).  A column of a foreign table of ours has that of
 * the attribute it stands for, as in column.c; a column of any other table is known by its
 * name.
 *
 * Nothing is looked up by name but wrappers' handlers, which are a superuser's, so whoever
 * calls this runs no code of the table's owner.  Not accounted for: event triggers, which do
 * not fire, since no COMMENT is executed; and partitions, whose comments are their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "fdw/column.h"
#include "fdw/role.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "jobs/attribute.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* before version 16, PG_FUNCTION_INFO_V1 alone leaves the function itself hidden */
extern PGDLLEXPORT Datum sagemaker_fdw_comment_columns(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_comment_columns);

/* A table that has this column is one of training jobs. */
#define KEY_COLUMN	"training_job_arn"

/* A column that is no attribute, and what it means. */
typedef struct KeptColumn
{
	const char *name;			/* the column's name */
	const char *description;	/* its comment */
} KeptColumn;

/* Those that sagemaker_fdw_refresh adds to a kept table (refresh.sql). */
static const KeptColumn kept_columns[] = {
	{"refreshed_at", "When sagemaker_fdw_refresh last wrote the row."},
	{"deleted_at", "When sagemaker_fdw_refresh found that AWS no longer has the job; NULL while AWS has it."}
};

/* A table's name with its schema, as in SQL. */
static const char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/* Raise 42501 unless the current role has the rights of the table's owner, 42P01 where it is gone. */
static void
check_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;
	const char *owner_name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (has_privs_of_role(GetUserId(), owner))
		return;
	owner_name = GetUserNameFromId(owner, false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table %s belongs to role \"%s\"", qualified_name(relid), owner_name),
			 errdetail("Only its owner may comment on its columns."),
			 errhint("Let \"%s\" call this.", owner_name)));
}

/* Is it a foreign table of this wrapper? */
static bool
is_ours(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
		smf_server_is_ours(GetForeignServerIdByRelId(RelationGetRelid(relation)));
}

/* Raise 42809 unless a relation, which is no foreign table of ours, is a table or view of training jobs. */
static void
check_shape(Relation relation)
{
	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			if (get_attnum(RelationGetRelid(relation), KEY_COLUMN) != InvalidAttrNumber)
				return;
			break;
		default:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("%s is not a table of training jobs", qualified_name(RelationGetRelid(relation))),
			 errdetail("It is no foreign table of sagemaker_fdw, and no table or view with a column \"%s\".", KEY_COLUMN),
			 errhint("Name a table that IMPORT FOREIGN SCHEMA, sagemaker_fdw_create_partitioned_table or sagemaker_fdw_refresh has made.")));
}

/* What a column of a foreign table of ours means; NULL where that is not known. */
static const char *
foreign_column_meaning(Oid relid, Form_pg_attribute column)
{
	const char *path;
	const char *rest;
	const SmfAttribute *attribute;

	/* computed from other columns: no attribute, whatever its name */
	if (column->attgenerated != '\0')
		return NULL;
	attribute = smf_column_attribute(relid, column, &path, &rest);
	if (attribute == NULL)
		return NULL;
	if (rest != NULL)
		return psprintf("%s of %s. %s", rest, attribute->api_name, attribute->description);
	return attribute->description;
}

/* What a column of another table means, by its name; NULL where that is not known. */
static const char *
named_column_meaning(const char *name)
{
	const SmfAttribute *attribute = smf_attribute_by_column(name);

	if (attribute != NULL)
		return attribute->description;
	for (int i = 0; i < lengthof(kept_columns); i++)
	{
		if (strcmp(kept_columns[i].name, name) == 0)
			return kept_columns[i].description;
	}
	return NULL;
}

/*
 * sagemaker_fdw_comment_columns(relation regclass, replace boolean DEFAULT false)
 *		Write what the columns of a table of training jobs mean as their comments: how many
 *		were written.  A column that has a comment keeps it, unless "replace"; one whose meaning
 *		is not known keeps it in any case.
 *
 * As for COMMENT, the current role must have the rights of the table's owner.
 */
Datum
sagemaker_fdw_comment_columns(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	bool		replace = PG_GETARG_BOOL(1);
	Relation	relation;
	TupleDesc	tupdesc;
	bool		ours;
	int32		written = 0;

	/* Others take no lock; and while the owner waits for one, the table may become somebody else's. */
	PreventCommandIfReadOnly("sagemaker_fdw_comment_columns()");
	check_owner(relid);
	LockRelationOid(relid, ShareUpdateExclusiveLock);
	check_owner(relid);
	relation = relation_open(relid, NoLock);
	ours = is_ours(relation);
	if (!ours)
		check_shape(relation);

	/* A comment for each column that has none. */
	tupdesc = RelationGetDescr(relation);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(tupdesc, i);
		const char *meaning;
		const char *comment;

		if (column->attisdropped)
			continue;
		meaning = ours ? foreign_column_meaning(relid, column) : named_column_meaning(NameStr(column->attname));
		if (meaning == NULL)
			continue;
		comment = GetComment(relid, RelationRelationId, column->attnum);
		if (comment != NULL && (!replace || strcmp(comment, meaning) == 0))
			continue;
		CreateComments(relid, RelationRelationId, column->attnum, meaning);
		written++;
	}

	/* The same statement may ask for this table again, and must find these comments. */
	CommandCounterIncrement();
	relation_close(relation, NoLock);
	PG_RETURN_INT32(written);
}
