/*-------------------------------------------------------------------------
 *
 * session.c
 *		What a database session keeps for access to an AWS account.
 *
 * The user mapping is looked up at the start of every scan, before anything that was kept
 * is used, so that a role never profits from what another one was allowed to do.  Kept
 * sessions go stale when the server or any mapping changes.  The callbacks for that run
 * in the middle of scans, so they only set a mark; a stale session is dropped the next
 * time it is found unused.
 *
 * Credentials are requested when the first call needs them, and replaced in good time.
 * Only calls that cannot be signed in the meantime wait for them: they queue here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/mapping.h"
#include "aws/pace.h"
#include "aws/providers/process.h"
#include "aws/session.h"
#include "aws/session_name.h"
#include "common/pg_prng.h"
#include "commands/dbcommands.h"
#include "http/http.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static dlist_head sessions = DLIST_STATIC_INIT(sessions);

static void patience_ends(HttpTimer *timer);

/*
 * How long calls wait for new credentials while the service may still accept the existing
 * ones.
 */
#define PATIENCE_US INT64CONST(3000000)

/* An inquiry that nobody has moved on for this long is abandoned. */
#define ASKING_MAX_S 60

static double
now_s(void)
{
	return smf_http_now() / 1e6;
}

static double
draw(void)
{
	return pg_prng_double(&pg_global_prng_state);
}

/*
 * Continue with the existing credentials, although they are about to expire or have
 * expired: their source provides no others, or not soon.
 */
static void
make_do(AwsSession *session)
{
	session->plan = smf_expiry_plan_after_failure(&session->plan, now_s(), draw());
}

/* Are there credentials that the service has not refused? */
static bool
has_credentials(const AwsSession *session)
{
	return session->credentials.source != NULL && !session->refused;
}

/*
 * Abort the inquiry.  Calls that wait for credentials ask again, and their patience
 * continues to run.  Raises no error.
 */
static void
stop_asking(AwsSession *session)
{
	CredentialInquiry *inquiry = session->asking;

	if (dlist_is_empty(&session->waiting))
		smf_http_timer_cancel(&session->patience);
	if (inquiry == NULL)
		return;
	session->asking = NULL;
	smf_credential_inquiry_free(inquiry);
	smf_http_add_event();
}

/* Free the session if it cannot be used again.  Raises no error. */
static void
drop_if_unused(AwsSession *session)
{
	if (session->users > 0 || !session->stale)
		return;
	stop_asking(session);
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

	/* changes are rare and sessions few: not worth working out which ones are affected */
	dlist_foreach(iter, &sessions)
		dlist_container(AwsSession, node, iter.cur)->stale = true;
}

/*
 * smf_session_forget
 *		Drop the sessions of a server, or all of them if it is InvalidOid; those that
 *		scans still use are dropped when the scans end.
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

/*
 * The session name under which CloudTrail logs an assumed role's calls: the database and
 * the role.
 */
static char *
session_name(Oid userid)
{
	char	   *name = palloc(SMF_SESSION_NAME_SIZE);

	if (!smf_session_name(get_database_name(MyDatabaseId), GetUserNameFromId(userid, false), name))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return name;
}

static void
fill_config(AwsSession *session, const ForeignServer *server, const RoleMapping *mapping, bool ambient)
{
	List	   *options = mapping->options;
	CredentialConfig *config = &session->config;

	config->access_key_id = smf_keep_string(smf_option_value(options, SMF_OPTION_ACCESS_KEY_ID));
	config->secret_access_key = smf_keep_string(smf_option_value(options, SMF_OPTION_SECRET_ACCESS_KEY));
	config->session_token = smf_keep_string(smf_option_value(options, SMF_OPTION_SESSION_TOKEN));
	config->role_arn = smf_keep_string(smf_option_value(options, SMF_OPTION_ROLE_ARN));
	config->external_id = smf_keep_string(smf_option_value(options, SMF_OPTION_EXTERNAL_ID));
	config->role_session_name = smf_keep_string(smf_option_value(options, SMF_OPTION_ROLE_SESSION_NAME));
	config->duration_seconds = smf_keep_string(smf_option_value(options, SMF_OPTION_DURATION_SECONDS));
	if (ambient)
	{
		config->profile = smf_keep_string(smf_option_value(options, SMF_OPTION_PROFILE));
		config->credential_source = smf_keep_string(smf_option_value(options, SMF_OPTION_CREDENTIAL_SOURCE));
		config->web_identity_token_file = smf_keep_string(smf_option_value(options, SMF_OPTION_WEB_IDENTITY_FILE));
	}
	config->ambient = ambient;
	config->server_name = smf_keep_string(server->servername);
	config->mapping_clause = smf_keep_string(smf_mapping_clause(mapping, server, session->userid));
	if (!OidIsValid(session->mappingid))
		config->unmapped_role = smf_keep_string(GetUserNameFromId(session->userid, false));
	config->default_session_name = smf_keep_string(session_name(session->userid));
}

/* Number of sessions that this process has created. */
static uint64 nsessions = 0;

static AwsSession *
create_session(const ForeignServer *server, Oid userid, const RoleMapping *mapping, bool ambient)
{
	AwsSession *session;

	session = calloc(1, sizeof(AwsSession));
	if (session == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	session->serverid = server->serverid;
	session->mappingid = mapping->mappingid;
	session->userid = userid;
	session->number = ++nsessions;
	session->users = 1;
	dlist_init(&session->waiting);
	session->patience.fire = patience_ends;
	dlist_init(&session->pacers);
	dlist_push_tail(&sessions, &session->node);

	PG_TRY();
	{
		fill_config(session, server, mapping, ambient);
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

/* A session that can be reused, or a new one; the caller holds a reference. */
static AwsSession *
hold_session(const ForeignServer *server, Oid userid, const RoleMapping *mapping, bool ambient)
{
	dlist_mutable_iter iter;
	AwsSession *found = NULL;

	dlist_foreach_modify(iter, &sessions)
	{
		AwsSession *session = dlist_container(AwsSession, node, iter.cur);

		if (!session->stale && session->serverid == server->serverid &&
			session->mappingid == mapping->mappingid && session->userid == userid)
			found = session;
		else
			drop_if_unused(session);
	}
	if (found == NULL)
		return create_session(server, userid, mapping, ambient);
	found->users++;
	/* an error was meant for others; and what nobody has moved on may have failed long ago */
	if (found->asking != NULL && (smf_credential_inquiry_ended(found->asking) ||
								  now_s() - found->asking_since_s > ASKING_MAX_S))
		stop_asking(found);
	if (found->asking != NULL && found->users == 1)
		found->left_alone = true;
	/* the source may have been corrected in the meantime */
	if (found->doubted)
		smf_credentials_clear(&found->credentials);
	found->doubted = false;
	return found;
}

/* Set a string that is kept; the old one is freed. */
static void
set_string(char **kept, const char *string)
{
	char	   *copy = smf_keep_string(string);

	free(*kept);
	*kept = copy;
}

/*
 * Read region and endpoint from the database server's own AWS configuration.  This is
 * done for each scan, as EXPLAIN does: somebody who corrects it need not know about
 * sessions.
 */
static void
read_settings(AwsSession *session)
{
	AmbientSettings settings;

	smf_credentials_settings(&session->config, &settings);
	set_string(&session->region, settings.region);
	set_string(&session->endpoint_url, settings.endpoint_url);
}

/* The session that the mapping's options entitle the role to; the options are overwritten. */
static AwsSession *
acquire(const ForeignServer *server, Oid userid, const RoleMapping *mapping)
{
	AwsSession *volatile session = NULL;

	PG_TRY();
	{
		bool		ambient = smf_mapping_check(mapping, server, userid);

		session = hold_session(server, userid, mapping, ambient);
		if (ambient)
			read_settings(session);
	}
	PG_CATCH();
	{
		smf_mapping_forget(mapping);
		if (session != NULL)
			smf_session_release(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_mapping_forget(mapping);
	return session;
}

/*
 * smf_session_acquire
 *		The session for the role on the server, created if necessary.  Sends no
 *		request.
 *
 * Raises 28000 when the role has no user mapping, or one without credentials, and no
 * right to the database server's own.  The caller releases the session.
 */
AwsSession *
smf_session_acquire(const ForeignServer *server, Oid userid)
{
	static bool callbacks_registered = false;
	RoleMapping mapping;

	if (!callbacks_registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, mark_stale, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, mark_stale, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, mark_stale, (Datum) 0);
		callbacks_registered = true;
	}

	smf_mapping_read(&mapping, server, userid);
	return acquire(server, userid, &mapping);
}

/*
 * smf_session_settings
 *		The region and endpoint that the database server's own AWS configuration sets
 *		for the role: none, if the role does not use it or may not.  Sends no request.
 *
 * Raises 28000 when that configuration cannot be read.
 */
void
smf_session_settings(const ForeignServer *server, Oid userid, AmbientSettings *settings)
{
	CredentialConfig config = {0};
	RoleMapping mapping;
	const char *profile;

	memset(settings, 0, sizeof(AmbientSettings));
	smf_mapping_read(&mapping, server, userid);
	config.ambient = smf_mapping_ambient(&mapping, server, userid);
	profile = smf_option_value(mapping.options, SMF_OPTION_PROFILE);
	config.profile = profile ? pstrdup(profile) : NULL;
	smf_mapping_forget(&mapping);
	config.server_name = server->servername;
	if (config.ambient)
		smf_credentials_settings(&config, settings);
}

/*
 * smf_session_release
 *		Release a session.  Raises no error.
 */
void
smf_session_release(AwsSession *session)
{
	bool		stopped = false;

	session->users--;
	if (session->users == 0 && session->asking != NULL)
	{
		/*
		 * Let the answer arrive for the next user: otherwise a query with a short time
		 * limit would ask in vain each time.  But no program may keep running while the
		 * session may be idle.
		 */
		if (smf_process_runs())
		{
			stop_asking(session);
			stopped = true;
		}
		/* the next user should neither wait as long again nor start as much in vain */
		if (has_credentials(session) && (stopped || !smf_session_ready(session)))
			make_do(session);
	}
	drop_if_unused(session);
}

/*
 * smf_session_rate
 *		The calls per second of the operation that the service was found to accept,
 *		from the calls of this process for the role on the server; 0: not known.  NULL
 *		for the region means any.  Sends no request, and raises no error.
 */
double
smf_session_rate(Oid serverid, Oid userid, const char *region, const char *operation)
{
	double		least = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &sessions)
	{
		AwsSession *session = dlist_container(AwsSession, node, iter.cur);
		dlist_iter	iter2;

		if (session->serverid != serverid || session->userid != userid)
			continue;
		dlist_foreach(iter2, &session->pacers)
		{
			AwsPacer   *pacer = dlist_container(AwsPacer, node, iter2.cur);
			double		rate;

			if (strcmp(pacer->key.operation, operation) != 0 ||
				(region != NULL && strcmp(pacer->key.region, region) != 0))
				continue;
			rate = smf_pacer_rate(pacer);
			if (rate > 0 && (least == 0 || rate < least))
				least = rate;
		}
	}
	return least;
}

/* ----- credentials ----- */

/*
 * smf_session_ready
 *		May calls be signed with the existing credentials?
 */
bool
smf_session_ready(const AwsSession *session)
{
	return has_credentials(session) && now_s() < session->plan.wait_at_s;
}

/* Let the calls that waited for credentials continue. */
static void
let_on(AwsSession *session)
{
	dlist_head	waiting = DLIST_STATIC_INIT(waiting);

	smf_http_timer_cancel(&session->patience);
	/* a call that has to wait again goes behind the ones that continue now */
	while (!dlist_is_empty(&session->waiting))
		dlist_push_tail(&waiting, dlist_pop_head_node(&session->waiting));
	while (!dlist_is_empty(&waiting))
	{
		CredentialWait *wait = dlist_container(CredentialWait, node, dlist_pop_head_node(&waiting));

		wait->waiting = false;
		wait->go(wait);
	}
}

/* The calls have waited long enough; the source is still being asked. */
static void
patience_ends(HttpTimer *timer)
{
	AwsSession *session = (AwsSession *) ((char *) timer - offsetof(AwsSession, patience));

	make_do(session);
	let_on(session);
}

/* The source has provided credentials. */
static void
take_credentials(AwsSession *session, CredentialInquiry *inquiry)
{
	AwsCredentials fresh = {0};
	bool		same;

	smf_credential_inquiry_take(inquiry, &fresh, &session->clock_offset_s);
	same = smf_credentials_same(&fresh, &session->credentials);
	session->doubted = session->refused && same;
	session->refused = false;
	if (!same)
		session->generation++;
	smf_credentials_clear(&session->credentials);
	session->credentials = fresh;
	session->plan = smf_expiry_plan(fresh.life_s, now_s(), draw());
}

/* Is it an error of a source that provides no credentials, rather than one of ours? */
static bool
source_failed(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION ||
		sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES ||
		sqlerrcode == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
}

/* The source has answered; see CredentialsEnded. */
static void
asking_ended(CredentialInquiry *inquiry, void *arg)
{
	AwsSession *session = arg;
	int			code = smf_credential_inquiry_sqlerrcode(inquiry);

	if (code == 0)
		take_credentials(session, inquiry);
	/* while the service accepts the old ones, a lack of new ones is not a failure */
	else if (has_credentials(session) && source_failed(code))
	{
		make_do(session);
		smf_credential_inquiry_log(inquiry);
	}
	else
		return;
	session->asking = NULL;
	smf_credential_inquiry_free(inquiry);
	let_on(session);
}

/*
 * smf_session_ask
 *		Make sure that the source of credentials is asked, if it is time for that.
 *
 * "network" is copied.  Does not wait: calls that need credentials queue with
 * smf_session_enter.  The inquiry belongs to the session, and may outlive the query that
 * started it: otherwise many short queries would start as many inquiries, and none of
 * them would finish.  Raises an error only when memory runs out.
 */
void
smf_session_ask(AwsSession *session, const CredentialNetwork *network)
{
	if (session->asking != NULL ||
		(smf_session_ready(session) && now_s() < session->plan.renew_at_s))
		return;
	session->asking = smf_credential_inquiry_begin(TopMemoryContext, &session->config, network,
												   asking_ended, session);
	session->asking_since_s = now_s();
	session->left_alone = false;
	smf_credential_inquiry_start(session->asking);
}

/*
 * smf_session_check
 *		Raise why there are no credentials, if their source was asked in vain and calls
 *		cannot continue without them.
 */
void
smf_session_check(AwsSession *session)
{
	if (session->asking == NULL || !smf_credential_inquiry_ended(session->asking))
		return;
	/* a timeout may have passed while nobody looked: that says nothing about the source */
	if (session->left_alone)
	{
		stop_asking(session);
		return;
	}
	PG_TRY();
	{
		smf_credential_inquiry_raise(session->asking);
	}
	PG_CATCH();
	{
		/* other calls that wait ask again */
		stop_asking(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* The service does not accept the credentials: calls wait for others. */
void
smf_session_refuse(AwsSession *session)
{
	session->refused = true;
	/* there are none to continue with */
	smf_http_timer_cancel(&session->patience);
}

/*
 * smf_session_enter
 *		Queue for credentials: wait->go is called when there are some.  See
 *		smf_session_ask.
 *
 * If there are credentials that the service may still accept, the wait is short.
 */
void
smf_session_enter(AwsSession *session, CredentialWait *wait)
{
	if (has_credentials(session) && !session->patience.armed)
		smf_http_timer_set(&session->patience, smf_http_now() + PATIENCE_US);
	dlist_push_tail(&session->waiting, &wait->node);
	wait->waiting = true;
}

/* Stop waiting; does nothing if it is not waiting.  Raises no error. */
void
smf_session_leave(CredentialWait *wait)
{
	if (wait->waiting)
		dlist_delete(&wait->node);
	wait->waiting = false;
}
