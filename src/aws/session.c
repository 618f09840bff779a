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

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "aws/pace.h"
#include "aws/session.h"
#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/syscache.h"

static dlist_head sessions = DLIST_STATIC_INIT(sessions);

/* Free the session if nobody can use it again.  Raises no error. */
static void
drop_if_unused(AwsSession *session)
{
	if (session->users > 0 || !session->stale)
		return;
	dlist_delete(&session->node);
	smf_credentials_clear(&session->credentials);
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

static AwsSession *
create_session(const ForeignServer *server, Oid userid, HeapTuple mapping)
{
	AwsSession *session;
	Datum		options;
	bool		isnull;

	session = calloc(1, sizeof(AwsSession));
	if (session == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	session->serverid = server->serverid;
	session->mappingid = ((Form_pg_user_mapping) GETSTRUCT(mapping))->oid;
	session->userid = userid;
	dlist_init(&session->pacers);
	dlist_push_tail(&sessions, &session->node);

	PG_TRY();
	{
		options = SysCacheGetAttr(USERMAPPINGUSERSERVER, mapping,
								  Anum_pg_user_mapping_umoptions, &isnull);
		smf_credentials_resolve(&session->credentials,
								isnull ? NIL : untransformRelOptions(options),
								server->servername, GetUserNameFromId(userid, false));
	}
	PG_CATCH();
	{
		session->stale = true;
		drop_if_unused(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
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
smf_session_acquire(const ForeignServer *server, Oid userid)
{
	static bool callbacks_registered = false;
	dlist_mutable_iter iter;
	HeapTuple	mapping;
	Oid			mappingid;
	AwsSession *found = NULL;

	if (!callbacks_registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, mark_stale, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, mark_stale, (Datum) 0);
		callbacks_registered = true;
	}

	mapping = find_mapping(userid, server->serverid);
	if (mapping == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no AWS credentials for server \"%s\"", server->servername),
				 errdetail("Role \"%s\" has no user mapping for the server, and neither has PUBLIC.",
						   GetUserNameFromId(userid, false)),
				 errhint("CREATE USER MAPPING with aws_access_key_id and aws_secret_access_key.")));
	mappingid = ((Form_pg_user_mapping) GETSTRUCT(mapping))->oid;

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
		found = create_session(server, userid, mapping);
	ReleaseSysCache(mapping);
	found->users++;
	return found;
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
