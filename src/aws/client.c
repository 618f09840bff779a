/*-------------------------------------------------------------------------
 *
 * client.c
 *		Access to one AWS service endpoint for a role: where calls go, whose
 *		credentials sign them, and what they cost.
 *
 * A client owns its calls (call.c); when its memory context goes away, requests in flight
 * are aborted.
 *
 * Credentials are requested when the first call needs them, and replaced before they
 * expire.  The functions that wait for a client see to that.
 *
 * Not accounted for: how a single call is made; see call.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/internal.h"
#include "aws/stats.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Requests that all clients of this process have sent. */
static int64 calls_made = 0;

/* ----- clients ----- */

/*
 * smf_client_leave_queues
 *		Let nothing but its request move the call on any more.  Raises no error.
 */
void
smf_client_leave_queues(AwsCall *call)
{
	smf_session_leave(&call->credentials);
	smf_pacer_leave(&call->turn);
	smf_http_leave(&call->connection);
	smf_http_timer_cancel(&call->backoff);
}

/* Memory context callback: raises no error. */
static void
client_gone(void *arg)
{
	AwsClient  *client = arg;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		AwsCall    *call = dlist_container(AwsCall, node, iter.cur);

		smf_client_leave_queues(call);
		smf_http_free(call->request);
	}
	smf_http_timer_cancel(&client->alarm);
	smf_session_leave(&client->credentials);
	if (client->session != NULL)
		smf_session_release(client->session);
}

static void
alarm_rings(HttpTimer *timer)
{
}

static void
credentials_come(CredentialWait *wait)
{
}

/*
 * Find the endpoint, and the region that requests to it are signed for; returns what is
 * wrong, a constant, or NULL.
 */
static const char *
resolve_endpoint(AwsClientConfig *config, AwsEndpoint *endpoint)
{
	const AwsService *service = config->service;
	EndpointError error;

	if (config->region == NULL)
	{
		if (!config->may_be_unusable)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 errmsg("no AWS region for server \"%s\"", config->server_name),
					 errhint("Set the option \"region\" of the server or of the foreign table.")));
		return "There is no region.";
	}
	error = service->resolve(&config->network, &config->region, endpoint);
	if (error == SMF_ENDPOINT_OK)
		return NULL;
	/* each option was checked when it was set, but together they may still conflict */
	if (!config->may_be_unusable)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" has no usable endpoint", config->server_name),
				 errdetail("%s", smf_endpoint_error_text(error))));
	return smf_endpoint_error_text(error);
}

/* Fill in what no option sets from the database server's own AWS configuration. */
static void
apply_settings(AwsClientConfig *config, const char *region, const char *endpoint_url)
{
	if (config->region == NULL)
		config->region = region;
	if (config->network.endpoint_url == NULL && !config->network.use_fips_endpoint &&
		!config->network.use_dualstack_endpoint)
		config->network.endpoint_url = endpoint_url;
}

/*
 * smf_client_endpoint
 *		The URL that calls of such a client would go to, palloc'ed, or why there is
 *		none.  Sends no request.
 */
char *
smf_client_endpoint(const AwsClientConfig *config, const ForeignServer *server, Oid userid)
{
	MemoryContext context = CurrentMemoryContext;
	AwsClientConfig resolved = *config;
	AmbientSettings settings;
	AwsEndpoint endpoint;
	const char *problem;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		smf_session_settings(server, userid, &settings);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		/* a file that cannot be read counts as empty; any other error is not ours to catch */
		if (error->sqlerrcode != ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error != NULL)
		return psprintf("not known. %s", error->detail ? error->detail : error->message);
	apply_settings(&resolved, settings.region, settings.endpoint_url);
	resolved.may_be_unusable = true;
	problem = resolve_endpoint(&resolved, &endpoint);
	return problem ? psprintf("none. %s", problem) : pstrdup(endpoint.url);
}

/*
 * smf_client_create
 *		Create a client for calls to the endpoint on behalf of a role.
 *
 * It lives in its own context below "parent" and goes away with it, calls in flight
 * included.  Sends no request.  Raises 28000 when the role has no user mapping, and no
 * right to other credentials.
 */
AwsClient *
smf_client_create(MemoryContext parent, const AwsClientConfig *config,
				  const ForeignServer *server, Oid userid)
{
	MemoryContext context = AllocSetContextCreate(parent, "sagemaker_fdw client",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	AwsClient  *client = palloc0(sizeof(AwsClient));

	client->context = context;
	dlist_init(&client->calls);
	client->alarm.fire = alarm_rings;
	client->credentials.go = credentials_come;
	client->alarm.reminder = true;
	client->callback.func = client_gone;
	client->callback.arg = client;
	MemoryContextRegisterResetCallback(context, &client->callback);
	smf_stats_attach();
	smf_pacer_attach();

	/* Keep the options, and the credentials that the role has a right to. */
	client->config = *config;
	client->limit_hint = config->topic->limit_hint;
	client->config.server_name = smf_copy_string(config->server_name);
	client->config.account_id = smf_copy_string(config->account_id);
	client->config.region = smf_copy_string(config->region);
	client->config.network = smf_network_copy(&config->network);
	client->session = smf_session_acquire(server, userid);

	/* Find out where calls go. */
	apply_settings(&client->config, smf_copy_string(client->session->region),
				   smf_copy_string(client->session->endpoint_url));
	client->problem = resolve_endpoint(&client->config, &client->endpoint);
	client->custom_endpoint = config->service->custom_url(&client->config.network) != NULL;

	/*
	 * A custom endpoint may be anything in the network, so its answers are shown to
	 * superusers only.  Both the role that calls are made for and the user who sees the
	 * message must be superusers, whatever function runs meanwhile.
	 */
	client->echo_text = !client->custom_endpoint ||
		(superuser_arg(userid) && superuser_arg(GetOuterUserId()));

	client->target.url = client->endpoint.url;
	client->target.network = client->config.network.http;
	if (client->endpoint.loopback)
		client->target.network.proxy_url = NULL;
	client->target.max_response_size = config->max_response_size;

	MemoryContextSwitchTo(old);
	return client;
}

/* The memory that the client's calls live in. */
MemoryContext
smf_client_context(const AwsClient *client)
{
	return client->context;
}

/* Why the client cannot make calls, a sentence; NULL when it can. */
const char *
smf_client_problem(const AwsClient *client)
{
	return client->problem;
}

/* The URL that calls go to; belongs to the client. */
const char *
smf_client_url(const AwsClient *client)
{
	return client->endpoint.url;
}

/* ----- credentials ----- */

static CredentialNetwork
network_of(const AwsClient *client)
{
	const AwsClientConfig *config = &client->config;
	CredentialNetwork network = {
		.region = config->region,
		.network = config->network,
		.clock_offset_s = client->session->clock_offset_s
	};

	return network;
}

/*
 * smf_client_ask_for_credentials
 *		Make sure that credentials are requested if necessary.  Raises no error.
 */
void
smf_client_ask_for_credentials(AwsClient *client)
{
	CredentialNetwork network = network_of(client);

	smf_session_ask(client->session, &network);
}

/*
 * The same, and raise the reason if calls cannot continue without new ones and there are
 * none.
 */
static void
keep_credentials(AwsClient *client)
{
	smf_client_ask_for_credentials(client);
	smf_session_check(client->session);
}

/*
 * smf_client_credentials
 *		The credentials that calls are signed with now; they belong to the session.
 *
 * Waits for them, and raises 28000, 53000 or 08001 when there are none.
 */
const AwsCredentials *
smf_client_credentials(AwsClient *client)
{
	for (;;)
	{
		uint64		events = smf_http_events();

		keep_credentials(client);
		if (smf_session_ready(client->session))
		{
			smf_session_leave(&client->credentials);
			return &client->session->credentials;
		}
		/* waiters continue with the old ones, if these may still work */
		if (!client->credentials.waiting)
			smf_session_enter(client->session, &client->credentials);
		smf_http_wait(events);
	}
}

/*
 * smf_client_account
 *		The account that the credentials belong to, palloc'ed.
 *
 * If an account is expected, returns that one: the ARN in the first answer shows whose
 * the credentials really are.  Otherwise this may ask STS and wait for the answer; raises
 * 28000, 53000 or 08001.
 */
char *
smf_client_account(AwsClient *client)
{
	AwsSession *session = client->session;
	const AwsCredentials *credentials;
	CredentialNetwork network;
	bool		refused = false;
	char	   *account;

	if (client->config.account_id != NULL)
		return pstrdup(client->config.account_id);
	credentials = smf_client_credentials(client);
	network = network_of(client);
	account = smf_credentials_account(&session->config, &network, credentials,
									  smf_credentials_refreshable(&session->config) ? &refused : NULL);
	if (!refused)
		return account;
	/* their source may provide others, once */
	smf_session_refuse(session);
	credentials = smf_client_credentials(client);
	return smf_credentials_account(&session->config, &network, credentials, NULL);
}

/* ----- what clients cost ----- */

/* Count a request that the client has sent. */
void
smf_client_count_request(AwsClient *client)
{
	client->stats.calls++;
	calls_made++;
}

/* How many requests this process has sent so far, for all clients, retries included. */
int64
smf_client_calls_made(void)
{
	return calls_made;
}

/* The region that calls go to; belongs to the client; NULL if it cannot make any. */
const char *
smf_client_region(const AwsClient *client)
{
	return client->config.region;
}

/* What the client's calls have cost so far; belongs to the client. */
const AwsClientStats *
smf_client_stats(const AwsClient *client)
{
	return &client->stats;
}

/* The key under which the client's calls of the operation are counted and paced. */
void
smf_client_key(const AwsClient *client, const char *operation, SharedKey *key)
{
	smf_shared_key(key, client->session->serverid, client->session->userid, client->config.region,
				   operation);
}

/*
 * A number that the client shares with the others that use the same credentials, until
 * their options change or sagemaker_fdw_disconnect drops them.
 */
uint64
smf_client_session_number(const AwsClient *client)
{
	return client->session->number;
}

/* The server's name, for messages; belongs to the client. */
const char *
smf_client_server_name(const AwsClient *client)
{
	return client->config.server_name;
}

/* Set the hint, a constant, for when the client has made as many calls as it may. */
void
smf_client_limit_hint(AwsClient *client, const char *hint)
{
	client->limit_hint = hint;
}

/*
 * The operation whose call is waited for: the oldest one's, since results are returned in
 * order.
 */
static const SharedKey *
awaited_key(const AwsClient *client)
{
	dlist_iter	iter;

	dlist_foreach(iter, &unconstify(AwsClient *, client)->calls)
	{
		const AwsCall *call = dlist_container(AwsCall, node, iter.cur);

		if (!call->done)
			return &call->pacer->key;
	}
	return NULL;
}

static void
count_wait(AwsClient *client, const SharedKey *key, int64 us)
{
	client->stats.wait_us += us;
	if (key != NULL)
		smf_stats_add(key, SMF_FIGURE_WAIT_US, us);
}

/*
 * Tell the user, in a notice, why one of the client's calls got no connection, if that
 * was noted: once per client, however many calls and attempts fail this way.
 */
static void
tell_trouble(AwsClient *client)
{
	const char *trouble = client->trouble;

	if (trouble == NULL)
		return;
	client->trouble = NULL;
	ereport(NOTICE,
			(errmsg("could not connect to %s; trying again", client->endpoint.url),
			 errdetail("%s", trouble),
			 errhint("%s", client->trouble_hint)));
}

/*
 * smf_client_wait
 *		Wait for the client until something has moved.
 *
 * "events" is what smf_http_events() returned before the caller looked at what it waits
 * for: see smf_http_wait.  Raises 28000, 53000 or 08001 when calls need other credentials
 * and there are none.  Tells the user in a notice when a call got no connection.
 */
void
smf_client_wait(AwsClient *client, uint64 events)
{
	int64		start_us = smf_http_now();
	const SharedKey *key = awaited_key(client);

	keep_credentials(client);
	smf_http_wait(events);
	count_wait(client, key, smf_http_now() - start_us);
	tell_trouble(client);
}

/*
 * smf_client_poll
 *		Move calls as far as they go without waiting.  Raises what smf_client_wait
 *		raises.
 */
void
smf_client_poll(AwsClient *client)
{
	keep_credentials(client);
	smf_http_poll();
	tell_trouble(client);
}

/* Count time that the client's user spent waiting for it elsewhere. */
void
smf_client_waited(AwsClient *client, int64 us)
{
	count_wait(client, awaited_key(client), us);
}

/*
 * Let smf_client_wait return at "at_us" (of smf_http_now), once, while it waits for
 * something else.
 */
void
smf_client_wake_at(AwsClient *client, int64 at_us)
{
	smf_http_timer_set(&client->alarm, at_us);
}
