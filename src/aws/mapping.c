/*-------------------------------------------------------------------------
 *
 * mapping.c
 *		A role's user mapping for a server: its options, and what it has a right to.
 *
 * This file has the rule for ambient credentials, the database server's own: they are for
 * superusers on a superuser's server, and for roles whose user mapping has
 * allow_ambient_credentials, which only a superuser can set.  A role with keys uses
 * those.
 *
 * Not accounted for: whether the keys, or the sources of ambient credentials, work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "access/htup_details.h"
#include "aws/mapping.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "compat/base.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/*
 * smf_option_value
 *		An option's value in a list of DefElem, or NULL; it belongs to the list.
 */
const char *
smf_option_value(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

/* The mapping's tuple for the role, or otherwise for PUBLIC; NULL if there is none. */
static HeapTuple
find_mapping(Oid userid, Oid serverid)
{
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
										ObjectIdGetDatum(userid),
										ObjectIdGetDatum(serverid));

	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(serverid));
	return HeapTupleIsValid(tuple) ? tuple : NULL;
}

/*
 * A mapping's options.  Core's untransformRelOptions would leave copies of secrets that
 * cannot be overwritten.
 */
static List *
mapping_options(Datum array)
{
	List	   *options = NIL;
	Datum	   *texts;
	int			ntexts;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, NULL, &ntexts);
	for (int i = 0; i < ntexts; i++)
	{
		char	   *name = TextDatumGetCString(texts[i]);
		char	   *value = strchr(name, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		options = lappend(options, makeDefElem(name, (Node *) makeString(value), -1));
	}
	return options;
}

/*
 * smf_mapping_read
 *		Look up the mapping of a role, or otherwise that of PUBLIC.
 *
 * The options live in the current memory context, until smf_mapping_forget overwrites them.
 */
void
smf_mapping_read(RoleMapping *mapping, const ForeignServer *server, Oid userid)
{
	HeapTuple	tuple = find_mapping(userid, server->serverid);
	bool		isnull;
	Datum		datum;

	mapping->mappingid = InvalidOid;
	mapping->for_public = false;
	mapping->options = NIL;
	if (tuple == NULL)
		return;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	mapping->mappingid = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	mapping->for_public = !OidIsValid(((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser);
	if (!isnull)
		mapping->options = mapping_options(datum);
	ReleaseSysCache(tuple);
}

static bool
has_keys(const RoleMapping *mapping)
{
	return smf_option_value(mapping->options, SMF_OPTION_ACCESS_KEY_ID) != NULL;
}

/*
 * smf_mapping_ambient
 *		Does the role use the database server's own credentials, and is it allowed to?
 */
bool
smf_mapping_ambient(const RoleMapping *mapping, const ForeignServer *server, Oid userid)
{
	const char *allow = smf_option_value(mapping->options, SMF_OPTION_ALLOW_AMBIENT);
	bool		allowed = false;

	if (has_keys(mapping))
		return false;
	if (allow != NULL && parse_bool(allow, &allowed) && allowed)
		return true;
	return superuser_arg(userid) && superuser_arg(server->owner);
}

/*
 * smf_mapping_clause
 *		"FOR role SERVER server", which a statement names the mapping by that there is, or is
 *		to be; palloc'ed.
 */
char *
smf_mapping_clause(const RoleMapping *mapping, const ForeignServer *server, Oid userid)
{
	const char *role = mapping->for_public ? "PUBLIC" : quote_identifier(GetUserNameFromId(userid, false));

	return psprintf("FOR %s SERVER %s", role, quote_identifier(server->servername));
}

/* Raise 28000 for a role that has no user mapping. */
smf_noreturn static void
raise_without_mapping(const RoleMapping *mapping, const ForeignServer *server, Oid userid)
{
	char	   *role = GetUserNameFromId(userid, false);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no AWS credentials for server \"%s\"", server->servername),
			 userid == GetOuterUserId() ?
			 errdetail("Neither role \"%s\" nor PUBLIC has a user mapping for the server.", role) :
			 errdetail("Neither role \"%s\" nor PUBLIC has a user mapping for the server. The query runs with the rights of that role, which owns the view, function or table that it uses.", role),
			 errhint("CREATE USER MAPPING %s OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');",
					 smf_mapping_clause(mapping, server, userid))));
}

/*
 * smf_mapping_check
 *		The same for a role that is about to make calls: raises 28000 if it has neither
 *		keys nor that right.
 */
bool
smf_mapping_check(const RoleMapping *mapping, const ForeignServer *server, Oid userid)
{
	if (has_keys(mapping))
		return false;
	if (smf_mapping_ambient(mapping, server, userid))
		return true;
	if (!OidIsValid(mapping->mappingid))
		raise_without_mapping(mapping, server, userid);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no AWS credentials for server \"%s\"", server->servername),
			 errdetail("The user mapping of role \"%s\" has no keys, and does not allow the database server's own credentials.",
					   GetUserNameFromId(userid, false)),
			 errhint("Set aws_access_key_id and aws_secret_access_key in the user mapping, or let a superuser set allow_ambient_credentials there.")));
}

/*
 * smf_mapping_forget
 *		Overwrite the options.  Raises no error.
 */
void
smf_mapping_forget(const RoleMapping *mapping)
{
	ListCell   *lc;

	foreach(lc, mapping->options)
	{
		char	   *value = defGetString(lfirst_node(DefElem, lc));

		OPENSSL_cleanse(value, strlen(value));
	}
}
