/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA: the one remote schema, "sagemaker", and its one
 *		table, "training_jobs".
 *
 * The statement is built only from the catalogue: no call to AWS is made and no user
 * mapping is needed.  Columns are named as in the catalogue, so none of them needs the
 * option "attribute".
 *
 * sagemaker_fdw_columns returns the same columns as rows.
 *
 * LIMIT TO and EXCEPT are respected here, and core filters once more.  There is a warning
 * for a table in LIMIT TO that does not exist, but not for one in EXCEPT.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "fdw/import.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "jobs/attribute.h"
#include "lib/stringinfo.h"
#include "option.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

extern PGDLLEXPORT Datum sagemaker_fdw_columns(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_columns);

#define REMOTE_SCHEMA	"sagemaker"
#define REMOTE_TABLE	"training_jobs"

/*
 * The schema of the extension's types, for use in SQL.
 *
 * It is taken from the wrapper's handler, which the extension created next to its types.
 * So it is also right for a wrapper that somebody created by hand.
 */
static const char *
types_schema(const ForeignServer *server)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);

	return quote_identifier(get_namespace_name(get_func_namespace(wrapper->fdwhandler)));
}

/*
 * Append a column's type so that it means the same under any search_path.
 */
static void
append_type(StringInfo sql, const SmfAttribute *attribute, const char *schema,
			const SmfImportOptions *options)
{
	switch (attribute->kind)
	{
		case SMF_KIND_ENUM:
			if (options->enums)
				appendStringInfo(sql, "%s.%s", schema, quote_identifier(attribute->type_name));
			else
				appendStringInfoString(sql, "pg_catalog.text");
			break;
		case SMF_KIND_INTEGER:
		case SMF_KIND_LONG:
		case SMF_KIND_FLOAT:
		case SMF_KIND_BOOLEAN:
			/* grammar keywords, which take no schema and always mean these types */
			appendStringInfoString(sql, attribute->type_name);
			break;
		default:
			appendStringInfo(sql, "pg_catalog.%s", attribute->type_name);
			break;
	}
}

/*
 * CREATE FOREIGN TABLE for training_jobs.
 */
static char *
create_training_jobs(const ForeignServer *server, const SmfImportOptions *options)
{
	const char *schema = types_schema(server);
	StringInfoData sql;
	const char *separator = "";

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(REMOTE_TABLE));
	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if (options->attributes == SMF_IMPORT_SEARCH && !attribute->in_search)
			continue;

		appendStringInfo(&sql, "%s\n\t%s ", separator, quote_identifier(attribute->column_name));
		separator = ",";
		append_type(&sql, attribute, schema, options);
	}
	appendStringInfo(&sql, "\n) SERVER %s", quote_identifier(server->servername));
	return sql.data;
}

/*
 * Warn of tables in LIMIT TO that do not exist: a misspelled name would silently import
 * nothing.
 */
static void
warn_of_missing_tables(const ImportForeignSchemaStmt *stmt)
{
	ListCell   *lc;

	if (stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return;
	foreach(lc, stmt->table_list)
	{
		const RangeVar *table = lfirst_node(RangeVar, lc);

		if (strcmp(table->relname, REMOTE_TABLE) != 0)
			ereport(WARNING,
					(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
					 errmsg("remote schema \"%s\" has no table \"%s\"", REMOTE_SCHEMA, table->relname),
					 errhint("Its only table is \"%s\".", REMOTE_TABLE)));
	}
}

/*
 * Raise 42P07, as creating the table would, where the schema has one of its name: usually
 * that of an earlier import.
 */
static void
check_absent(const char *schema)
{
	Oid			relation = get_relname_relid(REMOTE_TABLE, get_namespace_oid(schema, false));
	const char *name = quote_qualified_identifier(schema, REMOTE_TABLE);

	if (!OidIsValid(relation))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists", REMOTE_TABLE),
			 get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE ?
			 errhint("Import into another schema; or, to import it anew, DROP FOREIGN TABLE %s; first.", name) :
			 errhint("Import into another schema: %s is a table of another kind.", name)));
}

/*
 * smf_import_foreign_schema
 *		The statements that IMPORT FOREIGN SCHEMA executes, as the FdwRoutine
 *		callback of that name returns them.
 *
 * Raises HV00R for a remote schema other than "sagemaker", HV00D or 22023 for a bad
 * option, and 42P07 where the table is there.
 */
List *
smf_import_foreign_schema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	SmfImportOptions options;

	if (strcmp(stmt->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist", stmt->remote_schema),
				 errhint("Import from the remote schema \"%s\".", REMOTE_SCHEMA)));
	options = smf_import_options_resolve(stmt->options);

	warn_of_missing_tables(stmt);
	if (!IsImportableForeignTable(REMOTE_TABLE, stmt))
		return NIL;
	check_absent(stmt->local_schema);
	return list_make1(create_training_jobs(GetForeignServer(serverOid), &options));
}

/*
 * sagemaker_fdw_columns(OUT column_name name, OUT column_type text, OUT attribute text,
 *						 OUT description text)
 *		The columns that IMPORT gives training_jobs, in order, and what they mean; types so
 *		that they mean the same under any search_path.
 */
Datum
sagemaker_fdw_columns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *schema = quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
	SmfImportOptions options = smf_import_options_resolve(NIL);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];
		StringInfoData type;
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		initStringInfo(&type);
		append_type(&type, attribute, schema, &options);
		values[0] = DirectFunctionCall1(namein, CStringGetDatum(attribute->column_name));
		values[1] = CStringGetTextDatum(type.data);
		values[2] = CStringGetTextDatum(attribute->api_name);
		values[3] = CStringGetTextDatum(attribute->description);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
