/*-------------------------------------------------------------------------
 *
 * session.c
 *		What a database session keeps of an AWS account's way in.
 *
 * The user mapping is looked up at every scan's start, before anything kept is
 * used, so that a role never profits from what another one was allowed.  What
 * is kept goes stale when the server or any mapping changes.  The callbacks for
 * that run in the middle of scans: they only mark, and a stale entry is dropped
 * by whoever next finds it without users.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include <openssl/crypto.h>

#include "access/htup_details.h"
#include "aws/pace.h"
#include "aws/session.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Longest RoleSessionName that STS takes. */
#define ROLE_SESSION_NAME_MAX 64

/* After credentials could not be replaced in time, seconds until the next try. */
#define REFRESH_RETRY_S 60

static dlist_head sessions = DLIST_STATIC_INIT(sessions);

/* Free the session if nobody can use it again.  Raises no error. */
static void
drop_if_unused(AwsSession *session)
{
	if (session->users > 0 || !session->stale)
		return;
	dlist_delete(&session->node);
	smf_credentials_clear(&session->credentials);
	smf_credential_config_clear(&session->config);
	free(session->region);
	free(session->endpoint_url);
	smf_sigv4_cache_clear(&session->key_cache);
	smf_pacer_free_all(&session->pacers);
	free(session);
}

static void
mark_stale(Datum arg, int cacheid, uint32 hashvalue)
{
	dlist_iter	iter;

	/* changes are rare and sessions few: not worth telling which ones are meant */
	dlist_foreach(iter, &sessions)
		dlist_container(AwsSession, node, iter.cur)->stale = true;
}

/*
 * smf_session_forget
 *		Drop what is kept for a server, or for all with InvalidOid; what scans
 *		still use is dropped when they end.
 */
void
smf_session_forget(Oid serverid)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sessions)
	{
		AwsSession *session = dlist_container(AwsSession, node, iter.cur);

		if (!OidIsValid(serverid) || session->serverid == serverid)
			session->stale = true;
		drop_if_unused(session);
	}
}

/* The mapping's tuple for the role, or else for PUBLIC; NULL when there is none. */
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

/* An option's value, or NULL. */
static const char *
option_value(List *options, const char *name)
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

/* Does the role use the database server's own identity, and may it? */
static bool
uses_ambient(const ForeignServer *server, Oid userid, List *options)
{
	const char *allow = option_value(options, "allow_ambient_credentials");
	bool		allowed = false;

	if (option_value(options, "aws_access_key_id") != NULL)
		return false;
	if (allow != NULL && parse_bool(allow, &allowed) && allowed)
		return true;
	return superuser_arg(userid) && superuser_arg(server->owner);
}

/* The same; raises 28000 if the role has nothing else to use. */
static bool
check_right(const ForeignServer *server, Oid userid, bool has_mapping, List *options)
{
	if (option_value(options, "aws_access_key_id") != NULL)
		return false;
	if (uses_ambient(server, userid, options))
		return true;
	if (!has_mapping)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no AWS credentials for server \"%s\"", server->servername),
				 errdetail("Role \"%s\" has no user mapping for the server, and neither has PUBLIC.",
						   GetUserNameFromId(userid, false)),
				 errhint("CREATE USER MAPPING with aws_access_key_id and aws_secret_access_key.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no AWS credentials for server \"%s\"", server->servername),
			 errdetail("The user mapping of role \"%s\" has no keys, and may not use the database server's own credentials.",
					   GetUserNameFromId(userid, false)),
			 errhint("Set aws_access_key_id and aws_secret_access_key in the user mapping, or let a superuser set allow_ambient_credentials there.")));
}

/* A malloc'ed copy; NULL of NULL. */
static char *
keep_string(const char *string)
{
	char	   *copy = string ? strdup(string) : NULL;

	if (string != NULL && copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return copy;
}

/* The name under which an assumed role's calls are logged: who asks, and where. */
static char *
session_name(Oid userid)
{
	char	   *name = psprintf("pg-%s-%s", get_database_name(MyDatabaseId),
								GetUserNameFromId(userid, false));

	if (strlen(name) > ROLE_SESSION_NAME_MAX)
		name[ROLE_SESSION_NAME_MAX] = '\0';
	for (char *c = name; *c; c++)
	{
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			  strchr("_=,.@-", *c) != NULL))
			*c = '-';
	}
	return name;
}

static void
fill_config(AwsSession *session, const ForeignServer *server, List *options, bool ambient,
			const SessionNetwork *network)
{
	CredentialConfig *config = &session->config;

	config->access_key_id = keep_string(option_value(options, "aws_access_key_id"));
	config->secret_access_key = keep_string(option_value(options, "aws_secret_access_key"));
	config->session_token = keep_string(option_value(options, "aws_session_token"));
	config->role_arn = keep_string(option_value(options, "role_arn"));
	config->external_id = keep_string(option_value(options, "external_id"));
	config->role_session_name = keep_string(option_value(options, "role_session_name"));
	config->duration_seconds = keep_string(option_value(options, "duration_seconds"));
	if (ambient)
	{
		config->profile = keep_string(option_value(options, "profile"));
		config->credential_source = keep_string(option_value(options, "credential_source"));
		config->web_identity_token_file = keep_string(option_value(options, "web_identity_token_file"));
	}
	config->ambient = ambient;
	config->server_name = keep_string(server->servername);
	if (!OidIsValid(session->mappingid))
		config->unmapped_role = keep_string(GetUserNameFromId(session->userid, false));
	config->default_session_name = keep_string(session_name(session->userid));
	config->region = keep_string(network->region);
	config->use_fips_endpoint = network->use_fips_endpoint;
	config->ca_bundle = keep_string(network->ca_bundle);
	config->proxy_url = keep_string(network->proxy_url);
	config->connect_timeout_ms = network->connect_timeout_ms;
	config->read_timeout_ms = network->read_timeout_ms;
}

static AwsSession *
create_session(const ForeignServer *server, Oid userid, Oid mappingid, List *options,
			   bool ambient, const SessionNetwork *network)
{
	AwsSession *session;
	AmbientSettings settings;

	session = calloc(1, sizeof(AwsSession));
	if (session == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	session->serverid = server->serverid;
	session->mappingid = mappingid;
	session->userid = userid;
	session->users = 1;
	dlist_init(&session->pacers);
	dlist_push_tail(&sessions, &session->node);

	PG_TRY();
	{
		fill_config(session, server, options, ambient, network);
		if (ambient)
		{
			smf_credentials_settings(&session->config, &settings);
			session->region = keep_string(settings.region);
			session->endpoint_url = keep_string(settings.endpoint_url);
		}
		smf_session_refresh(session);
	}
	PG_CATCH();
	{
		session->stale = true;
		smf_session_release(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return session;
}

/*
 * Get other credentials.  While the old ones are good a failure is none, but a
 * cancel is.
 */
static void
replace_credentials(AwsSession *session, bool must)
{
	AwsCredentials fresh = {0};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "sagemaker_fdw credentials",
												  ALLOCSET_DEFAULT_SIZES);

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		smf_credentials_resolve(&session->config, &fresh);
		smf_credentials_clear(&session->credentials);
		session->credentials = fresh;
		session->generation++;
		session->refused = false;
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		smf_credentials_clear(&fresh);
		if (must || (code != ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION &&
					 code != ERRCODE_INSUFFICIENT_RESOURCES &&
					 code != ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		session->retry_at_s = (int64) time(NULL) + REFRESH_RETRY_S;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/*
 * smf_session_refresh
 *		Replace the session's credentials if they are about to expire, or have.
 *
 * Raises 28000, 08001 or 53000 when they must be replaced and cannot.
 */
void
smf_session_refresh(AwsSession *session)
{
	int64		now_s = (int64) time(NULL);
	bool		must;

	if (!smf_credentials_due(&session->credentials, now_s, &must) && !session->refused)
		return;
	must |= session->refused;
	if (must || now_s >= session->retry_at_s)
		replace_credentials(session, must);
}

/* Hold a session that is kept, with good credentials. */
static void
use_session(AwsSession *session)
{
	session->users++;
	PG_TRY();
	{
		smf_session_refresh(session);
	}
	PG_CATCH();
	{
		smf_session_release(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * A mapping's options.  Core's untransformRelOptions would leave copies behind that
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

/* The role's mapping, or PUBLIC's, and its options; false when there is none. */
static bool
read_mapping(Oid userid, Oid serverid, Oid *mappingid, List **options)
{
	HeapTuple	mapping = find_mapping(userid, serverid);
	bool		isnull;
	Datum		datum;

	*mappingid = InvalidOid;
	*options = NIL;
	if (mapping == NULL)
		return false;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, mapping,
							Anum_pg_user_mapping_umoptions, &isnull);
	*mappingid = ((Form_pg_user_mapping) GETSTRUCT(mapping))->oid;
	if (!isnull)
		*options = mapping_options(datum);
	ReleaseSysCache(mapping);
	return true;
}

/* Overwrite the mapping's options, keys among them. */
static void
forget_options(List *options)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		char	   *value = defGetString(lfirst_node(DefElem, lc));

		OPENSSL_cleanse(value, strlen(value));
	}
}

/* A session that may be used on, or a new one; held. */
static AwsSession *
hold_session(const ForeignServer *server, Oid userid, Oid mappingid, List *options,
			 bool ambient, const SessionNetwork *network)
{
	dlist_mutable_iter iter;
	AwsSession *found = NULL;

	dlist_foreach_modify(iter, &sessions)
	{
		AwsSession *session = dlist_container(AwsSession, node, iter.cur);

		if (!session->stale && session->serverid == server->serverid &&
			session->mappingid == mappingid && session->userid == userid)
			found = session;
		else
			drop_if_unused(session);
	}
	if (found == NULL)
		return create_session(server, userid, mappingid, options, ambient, network);
	use_session(found);
	return found;
}

/* What the role has a right to, by its mapping's options, which are overwritten. */
static AwsSession *
acquire(const ForeignServer *server, Oid userid, bool has_mapping, Oid mappingid, List *options,
		const SessionNetwork *network)
{
	AwsSession *volatile session = NULL;

	PG_TRY();
	{
		bool		ambient = check_right(server, userid, has_mapping, options);

		session = hold_session(server, userid, mappingid, options, ambient, network);
	}
	PG_CATCH();
	{
		forget_options(options);
		PG_RE_THROW();
	}
	PG_END_TRY();
	forget_options(options);
	return session;
}

/*
 * smf_session_acquire
 *		What is kept for the role on the server, made if need be.
 *
 * Raises 28000 when the role has no user mapping, or none with credentials.
 * The caller releases the session.
 */
AwsSession *
smf_session_acquire(const ForeignServer *server, Oid userid, const SessionNetwork *network)
{
	static bool callbacks_registered = false;
	Oid			mappingid;
	List	   *options;
	bool		has_mapping;

	if (!callbacks_registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, mark_stale, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, mark_stale, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, mark_stale, (Datum) 0);
		callbacks_registered = true;
	}

	has_mapping = read_mapping(userid, server->serverid, &mappingid, &options);
	return acquire(server, userid, has_mapping, mappingid, options, network);
}

/*
 * smf_session_settings
 *		What the database server's own configuration says to the role of region and
 *		endpoint: nothing, if the role does not use it or may not.  Asks nobody.
 *
 * Raises 28000 when that configuration cannot be read.
 */
void
smf_session_settings(const ForeignServer *server, Oid userid, AmbientSettings *settings)
{
	CredentialConfig config = {0};
	Oid			mappingid;
	List	   *options;
	const char *profile;

	memset(settings, 0, sizeof(AmbientSettings));
	(void) read_mapping(userid, server->serverid, &mappingid, &options);
	config.ambient = uses_ambient(server, userid, options);
	profile = option_value(options, "profile");
	config.profile = profile ? pstrdup(profile) : NULL;
	forget_options(options);
	config.server_name = server->servername;
	if (config.ambient)
		smf_credentials_settings(&config, settings);
}

/*
 * smf_session_release
 *		Let go of a session.  Raises no error.
 */
void
smf_session_release(AwsSession *session)
{
	session->users--;
	drop_if_unused(session);
}
