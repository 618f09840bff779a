/*-------------------------------------------------------------------------
 *
 * client.c
 *		Calls to one AWS service endpoint: signed, classified, tried again.
 *
 * A call goes through these states, moved on by smf_http_wait of any scan:
 *
 *		wait for credentials --> wait for a turn --> in flight --> done
 *						^											|
 *						+---------------- back off <----------------+
 *
 * Nothing is raised on the way: a call that has failed keeps the reason, and
 * whoever needs its answer raises it with smf_call_raise.  A client owns its
 * calls; when its memory context goes away, whatever is in flight is broken off.
 *
 * A throttled call is tried again for as long as others of its operation succeed:
 * a scan of a long history does not die of one unlucky call.  Other failures
 * count, for the call and against the operation's quota.
 *
 * Credentials are asked for when the first call needs them, and replaced before they
 * expire.  That is never waited for here: calls that cannot be signed meanwhile are
 * let on when there are some.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "aws/expiry.h"
#include "aws/json.h"
#include "aws/pace.h"
#include "aws/quote.h"
#include "aws/stats.h"
#include "common/pg_prng.h"
#include "http/http.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define SIGNING_NAME "sagemaker"
#define TARGET_PREFIX "SageMaker"
#define CONTENT_TYPE "application/x-amz-json-1.1"

/* Longest AWS error code that is kept, with its NUL. */
#define ERROR_CODE_SIZE 128

/*
 * Attempts at most when the endpoint's name has no address.  libcurl does not tell a
 * name that does not exist, such as that of a mistyped region, from a name server that
 * gives no answer just now.
 */
#define UNRESOLVED_ATTEMPTS_MAX 3

/*
 * How much of an answer that is no AWS error is quoted, in bytes, and how much is read
 * for that: a secret that would be cut in two is hidden before.
 */
#define QUOTED_TEXT_MAX 200
#define QUOTED_READ_MAX 16384

/*
 * How often a call is tried again with other credentials.  Short-lived ones may expire
 * more than once while a call is on its way; those that the service does not know at all
 * are replaced once.
 */
#define RENEWALS_MAX 3
#define REPLACEMENTS_MAX 1

struct AwsClient
{
	MemoryContext context;		/* the client and its calls */
	MemoryContextCallback callback; /* breaks off calls, releases the session */
	AwsClientConfig config;
	AwsEndpoint endpoint;
	HttpTarget	target;
	AwsSession *session;		/* our reference; NULL until acquired */
	const char *problem;		/* why it can make no calls, a constant; NULL: it can */
	bool		echo_text;		/* may messages quote what is no AWS answer? */
	AwsClientStats stats;
	dlist_head	calls;			/* AwsCall */
	HttpTimer	alarm;			/* ends a smf_client_wait, no more */
	CredentialWait credentials; /* of smf_client_credentials */
};

struct AwsCall
{
	dlist_node	node;			/* in the client's list */
	AwsClient  *client;
	const char *operation;		/* a constant of the caller's */
	char	   *subject;		/* the job that messages name, palloc'ed; or NULL */
	char	   *body;			/* palloc'ed */
	size_t		body_len;
	int64	   *attempts_counter;	/* the caller's; counted up for each request */

	AwsPacer   *pacer;			/* the session's, for the operation */
	PaceTurn	turn;			/* waits there for its turn */
	HttpPlace	connection;		/* waits, when that has come, for a connection */

	int			attempt;		/* of the request in flight, or the last one */
	int			failures;		/* attempts that failed, throttled ones aside */
	int			throttles;		/* in a row */
	int			retry_cost;		/* what the last retry took from the quota */
	bool		clock_corrected;	/* tried again with the service's clock */
	CredentialWait credentials; /* waits for some */
	int			renewals;		/* tries with other credentials */
	int			generation;		/* of the credentials that the last request has */
	bool		refused;		/* these were refused */
	int64		first_sent_us;	/* smf_http_now() of the first request */
	int64		sent_us;		/* and of the last one */
	HttpRequest *request;		/* in flight, or the answer */
	const char *answer;			/* its body, the request's own */
	size_t		answer_len;		/* bytes */
	HttpTimer	backoff;		/* armed between two attempts, and before an end without one */

	bool		done;
	bool		failed;
	bool		over_limit;		/* failed since max_calls were made */
	HttpResult	result;			/* how the last request ended */
	RetryClass	retry_class;	/* what the last failure was; valid if failed */
	AwsError	error;			/* strings palloc'ed */
	char	   *request_id;		/* the service's, of the last answer; or NULL */
	char	   *transport_error;	/* libcurl's words; or NULL */
};

int			smf_log_min_duration_ms = -1;

/* Requests of all clients since the process began. */
static int64 calls_made = 0;

/* Calls of all clients that were started since then. */
static uint64 calls_started = 0;

static void try_again(AwsCall *call);

/* ----- clients ----- */

/* Let nothing move the call on any more, but its request.  Raises no error. */
static void
leave_queues(AwsCall *call)
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

		leave_queues(call);
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

/* Find the endpoint; returns what is wrong with it, a constant, or NULL. */
static const char *
resolve_endpoint(const AwsClientConfig *config, AwsEndpoint *endpoint)
{
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
	error = smf_endpoint_resolve(config->region, config->endpoint_url, config->use_fips_endpoint,
								 config->use_dualstack_endpoint, endpoint);
	if (error == SMF_ENDPOINT_OK)
		return NULL;
	/* options were checked when they were set; together they may still clash */
	if (!config->may_be_unusable)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" has no usable endpoint", config->server_name),
				 errdetail("%s", smf_endpoint_error_text(error))));
	return smf_endpoint_error_text(error);
}

/* What no option says, the database server's own configuration may. */
static void
apply_settings(AwsClientConfig *config, const char *region, const char *endpoint_url)
{
	if (config->region == NULL)
		config->region = region;
	if (config->endpoint_url == NULL && !config->use_fips_endpoint && !config->use_dualstack_endpoint)
		config->endpoint_url = endpoint_url;
}

/*
 * smf_client_endpoint
 *		URL that calls of such a client would go to, palloc'ed, or why there is none.
 *		Asks nobody.
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
		/* a file that cannot be read holds nothing: anything else is not ours to catch */
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

static const char *
copy_string(const char *string)
{
	return string ? pstrdup(string) : NULL;
}

/*
 * smf_client_create
 *		A client for calls to the endpoint on behalf of a role.
 *
 * It lives in a context of its own below "parent" and goes with it, calls in
 * flight included.  Asks nobody: raises 28000 when the role has no user mapping, and no
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

	client->config = *config;
	client->config.server_name = copy_string(config->server_name);
	client->config.account_id = copy_string(config->account_id);
	client->config.region = copy_string(config->region);
	client->config.endpoint_url = copy_string(config->endpoint_url);
	client->config.ca_bundle = copy_string(config->ca_bundle);
	client->config.proxy_url = copy_string(config->proxy_url);
	client->session = smf_session_acquire(server, userid);

	apply_settings(&client->config, copy_string(client->session->region),
				   copy_string(client->session->endpoint_url));
	client->problem = resolve_endpoint(&client->config, &client->endpoint);

	/*
	 * What a custom endpoint answers may come from anywhere in the network: it is
	 * for superusers.  Both the role that calls are made for and whoever is shown
	 * the message must be one, whatever function runs meanwhile.
	 */
	client->echo_text = client->config.endpoint_url == NULL ||
		(superuser_arg(userid) && superuser_arg(GetOuterUserId()));

	client->target.url = client->endpoint.url;
	client->target.ca_bundle = client->config.ca_bundle;
	client->target.proxy_url = client->endpoint.loopback ? NULL : client->config.proxy_url;
	client->target.connect_timeout_ms = config->connect_timeout_ms;
	client->target.read_timeout_ms = config->read_timeout_ms;
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

/* Why the client can make no calls, a sentence; NULL when it can. */
const char *
smf_client_problem(const AwsClient *client)
{
	return client->problem;
}

/* The URL that calls go to; the client's own. */
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
		.use_fips_endpoint = config->use_fips_endpoint,
		.ca_bundle = config->ca_bundle,
		.proxy_url = config->proxy_url,
		.connect_timeout_ms = config->connect_timeout_ms,
		.read_timeout_ms = config->read_timeout_ms,
		.clock_offset_s = client->session->clock_offset_s
	};

	return network;
}

/* See to it that credentials are asked for, if need be.  Raises no error. */
static void
ask_for_credentials(AwsClient *client)
{
	CredentialNetwork network = network_of(client);

	smf_session_ask(client->session, &network);
}

/* The same, and raise why there are none where calls cannot go on without. */
static void
keep_credentials(AwsClient *client)
{
	ask_for_credentials(client);
	smf_session_check(client->session);
}

/*
 * smf_client_credentials
 *		The credentials that calls are signed with now; the session's own.
 *
 * Waits for them, and raises 28000, 53000 or 08001 when there are none.
 */
const AwsCredentials *
smf_client_credentials(AwsClient *client)
{
	for (;;)
	{
		uint64		told = smf_http_told();

		keep_credentials(client);
		if (smf_session_ready(client->session))
		{
			smf_session_leave(&client->credentials);
			return &client->session->credentials;
		}
		/* whoever queues is let on with the old ones, where they may yet do */
		if (!client->credentials.waiting)
			smf_session_enter(client->session, &client->credentials);
		smf_http_wait(told);
	}
}

/*
 * smf_client_account
 *		The account that the credentials belong to, palloc'ed.
 *
 * Where an account is meant, it is that one: what they are really of shows in the ARN
 * of the first job.  Else may ask STS, and wait for it; raises 28000, 53000 or 08001.
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
	/* their source may give others, once */
	smf_session_refuse(session);
	credentials = smf_client_credentials(client);
	return smf_credentials_account(&session->config, &network, credentials, NULL);
}

/* ----- what clients have cost ----- */

/* How many requests this process has sent so far, for all clients, retries included. */
int64
smf_client_calls_made(void)
{
	return calls_made;
}

/* The region that calls go to; the client's own, NULL if it can make none. */
const char *
smf_client_region(const AwsClient *client)
{
	return client->config.region;
}

/* What the client's calls have cost so far; the client's own. */
const AwsClientStats *
smf_client_stats(const AwsClient *client)
{
	return &client->stats;
}

/* Count a retry of the call. */
static void
count_retry(AwsCall *call)
{
	call->client->stats.retries++;
	smf_stats_add(&call->pacer->key, SMF_FIGURE_RETRIES, 1);
}

/* The operation whose calls are waited for: the oldest one's, since jobs leave in order. */
static const CallKey *
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
count_wait(AwsClient *client, const CallKey *key, int64 us)
{
	client->stats.wait_us += us;
	if (key != NULL)
		smf_stats_add(key, SMF_FIGURE_WAIT_US, us);
}

/*
 * smf_client_wait
 *		Wait until something has moved, on the client's account.
 *
 * "told" is what smf_http_told() was before the caller looked at what it waits for: see
 * smf_http_wait.  Raises 28000, 53000 or 08001 when calls need other credentials and
 * there are none.
 */
void
smf_client_wait(AwsClient *client, uint64 told)
{
	int64		start_us = smf_http_now();
	const CallKey *key = awaited_key(client);

	keep_credentials(client);
	smf_http_wait(told);
	count_wait(client, key, smf_http_now() - start_us);
}

/*
 * smf_client_poll
 *		Move calls on as far as they go without waiting.  Raises what smf_client_wait
 *		does.
 */
void
smf_client_poll(AwsClient *client)
{
	keep_credentials(client);
	smf_http_poll();
}

/* Count time that the client's user waited for it elsewhere. */
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

/* ----- a call ----- */

static void
free_string(char **string)
{
	if (*string != NULL)
		pfree(*string);
	*string = NULL;
}

/* Forget the answer of the attempt before. */
static void
forget_answer(AwsCall *call)
{
	smf_http_free(call->request);
	call->request = NULL;
	call->answer = NULL;
	call->answer_len = 0;
	free_string((char **) &call->error.code);
	free_string((char **) &call->error.message);
	free_string(&call->request_id);
	free_string(&call->transport_error);
	call->error.http_status = 0;
}

/* Does it look like a request's id, rather than any text? */
static bool
request_id_valid(const char *id)
{
	return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=") == strlen(id);
}

/*
 * Log a call that took long, from its first attempt on.  The statement is not logged
 * with it: there may be secrets in it.
 */
static void
log_slow_call(const AwsCall *call)
{
	int64		took_us = smf_http_now() - call->first_sent_us;
	bool		has_id = call->request_id != NULL && request_id_valid(call->request_id);

	if (smf_log_min_duration_ms < 0 || call->attempt == 0 ||
		took_us < smf_log_min_duration_ms * INT64CONST(1000))
		return;
	ereport(LOG,
			(errmsg("%s%s%s%s on server \"%s\" %s after %.3f ms: %d %s, %s%s",
					call->operation,
					call->subject ? " of training job \"" : "",
					call->subject ? call->subject : "",
					call->subject ? "\"" : "",
					call->client->config.server_name,
					call->failed ? "failed" : "succeeded",
					took_us / 1000.0,
					call->attempt, call->attempt == 1 ? "attempt" : "attempts",
					has_id ? "request id " : "no request id",
					has_id ? call->request_id : ""),
			 errhidestmt(true),
			 errhidecontext(true)));
}

/*
 * Make blanks of control characters, which a terminal might obey and which might begin
 * a line of the log.  Returns its argument.
 */
static char *
blank_controls(char *text)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	for (unsigned char *c = (unsigned char *) text; *c != '\0'; c++)
	{
		if (*c < ' ' || *c == 0x7F)
			*c = ' ';
		/* U+0080 to U+009F, among them another escape */
		else if (utf8 && c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0)
			c[0] = c[1] = ' ';
	}
	return text;
}

static void
end_call(AwsCall *call, bool failed)
{
	call->done = true;
	call->failed = failed;
	if (failed && !call->over_limit &&
		!(call->client->config.not_found && call->client->config.not_found(&call->error)))
		smf_stats_add(&call->pacer->key, SMF_FIGURE_ERRORS, 1);
	log_slow_call(call);
}

static void
end_now(HttpTimer *timer)
{
	end_call((AwsCall *) ((char *) timer - offsetof(AwsCall, backoff)), true);
}

/*
 * An attempt could not be sent: the call fails, but not before the next wait.  Whoever
 * starts a call may go on to wait for it, and nothing else might ever end that wait.
 */
static void
end_soon(AwsCall *call)
{
	call->backoff.fire = end_now;
	smf_http_timer_set(&call->backoff, smf_http_now());
}

/* Queue for credentials. */
static void
wait_for_credentials(AwsCall *call)
{
	smf_session_enter(call->client->session, &call->credentials);
	ask_for_credentials(call->client);
}

/*
 * Credentials may expire while a call waits for its turn.  It gets others before it takes
 * its turn: where turns are rare, and credentials live less long, it would lose one turn
 * after the other.  Nor is it signed before there is a connection for it.
 */
static bool
may_be_sent(PaceTurn *turn)
{
	AwsCall    *call = (AwsCall *) ((char *) turn - offsetof(AwsCall, turn));

	if (!smf_session_ready(call->client->session))
	{
		smf_pacer_leave(turn);
		wait_for_credentials(call);
		return false;
	}
	if (!smf_http_may_send(&call->connection))
	{
		smf_pacer_leave(turn);
		return false;
	}
	return true;
}

/* Queue for a turn, or for credentials first. */
static void
enter(AwsCall *call)
{
	AwsSession *session = call->client->session;

	if (!smf_session_ready(session))
	{
		wait_for_credentials(call);
		return;
	}
	/* an account that is only meant is not believed: its rate is shared with others */
	smf_pacer_account(call->pacer, session->credentials.account ? session->credentials.account :
					  session->account[0] != '\0' ? session->account : NULL);
	smf_pacer_enter(call->pacer, &call->turn);
}

/* There are credentials: those that were refused again, where the source has no others. */
static void
credentials_there(CredentialWait *wait)
{
	AwsCall    *call = (AwsCall *) ((char *) wait - offsetof(AwsCall, credentials));

	if (call->refused && call->generation == call->client->session->generation)
		end_call(call, true);
	else
		enter(call);
}

static void
backoff_over(HttpTimer *timer)
{
	enter((AwsCall *) ((char *) timer - offsetof(AwsCall, backoff)));
}

static void
connection_there(HttpPlace *place)
{
	enter((AwsCall *) ((char *) place - offsetof(AwsCall, connection)));
}

/* The beginning of an answer that is no AWS error, palloc'ed. */
static char *
beginning_of(const AwsCall *call)
{
	char	   *text = smf_text_from_utf8(call->answer, Min(call->answer_len, QUOTED_READ_MAX));

	text = smf_quote(text, call->request, NULL);

	text[pg_mbcliplen(text, strlen(text), QUOTED_TEXT_MAX)] = '\0';
	return text;
}

/* Take the service's words out of an answer that is an error. */
static void
read_error(AwsCall *call)
{
	AwsClient  *client = call->client;
	HttpRequest *request = call->request;
	MemoryContext scratch = AllocSetContextCreate(client->context, "sagemaker_fdw error",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	const char *body = call->answer;
	size_t		len = call->answer_len;
	const char *code = smf_http_header(request, "x-amzn-ErrorType");
	char	   *message = NULL;
	const char *reason;
	Jsonb	   *json = len > 0 ? smf_json_parse(body, len, &reason) : NULL;

	call->error.http_status = smf_http_status(request);
	if (json != NULL)
	{
		if (code == NULL)
			code = smf_json_member(json, "__type");
		if (code == NULL)
			code = smf_json_member(json, "code");
		message = smf_json_member(json, "message");
		if (message == NULL)
			message = smf_json_member(json, "Message");
	}
	else if (client->echo_text && len > 0)
		message = beginning_of(call);

	MemoryContextSwitchTo(client->context);
	if (code != NULL)
	{
		char		cut[ERROR_CODE_SIZE];

		smf_retry_error_code(code, cut, sizeof(cut));
		if (client->echo_text || smf_retry_code_valid(cut))
			call->error.code = smf_quote(smf_text_from_utf8(cut, strlen(cut)), request, NULL);
	}
	/* without a code it is no AWS error, and the message might be any text */
	if (message != NULL && (client->echo_text || call->error.code != NULL))
		call->error.message = smf_quote(pstrdup(message), request, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Learn the service's clock from its answer; false when it does not say. */
static bool
correct_clock(AwsCall *call)
{
	int64		service_s = smf_http_date(call->request);

	if (service_s < 0 || !smf_clock_offset_credible(service_s - (int64) time(NULL)))
		return false;
	call->client->session->clock_offset_s = service_s - (int64) time(NULL);
	return true;
}

/* What a request without a usable answer means for the next attempt. */
static RetryClass
transport_class(HttpResult result)
{
	switch (result)
	{
		case SMF_HTTP_UNRESOLVED:
		case SMF_HTTP_CONNECT_FAILED:
		case SMF_HTTP_CONNECT_TIMEOUT:
		case SMF_HTTP_TLS_FAILED:
		case SMF_HTTP_READ_TIMEOUT:
		case SMF_HTTP_BROKEN:
			return SMF_RETRY_TRANSIENT;
		default:
			return SMF_RETRY_NO;
	}
}

/* Tell the operation's pacer of an answer: whether the service bears the rate. */
static void
note_answer(AwsCall *call)
{
	AwsPacer   *pacer = call->pacer;
	int64		now_us = smf_http_now();
	bool		throttled = call->retry_class == SMF_RETRY_THROTTLED;

	smf_pacer_answered(pacer, call->sent_us, throttled);
	if (throttled)
	{
		call->client->stats.throttles++;
		smf_stats_add(&pacer->key, SMF_FIGURE_THROTTLES, 1);
		call->throttles++;
	}
	else
	{
		call->throttles = 0;
		/* a broken service is no progress; a job that does not exist is */
		if (call->retry_class == SMF_RETRY_NO)
			pacer->success_us = now_us;
	}
}

/* The request has ended: the call is done, or will try again. */
static void
request_done(HttpRequest *request, void *arg)
{
	AwsCall    *call = arg;
	AwsClient  *client = call->client;
	MemoryContext old = MemoryContextSwitchTo(client->context);
	bool		succeeded = false;

	call->result = smf_http_result(request);
	call->retry_class = SMF_RETRY_NO;
	call->answer = smf_http_body(request, &call->answer_len);
	client->stats.bytes_received += call->answer_len;
	smf_stats_add(&call->pacer->key, SMF_FIGURE_BYTES_RECEIVED, call->answer_len);
	if (call->result == SMF_HTTP_OK)
	{
		const char *id = smf_http_header(request, "x-amzn-RequestId");

		if (id != NULL && (client->echo_text || request_id_valid(id)))
			call->request_id = smf_quote(smf_text_from_utf8(id, strlen(id)), request, NULL);
		if (smf_http_status(request) >= 200 && smf_http_status(request) < 300)
			succeeded = true;
		else
		{
			read_error(call);
			call->retry_class = smf_retry_classify(call->error.http_status, call->error.code,
												   call->error.message);
		}
		note_answer(call);
	}
	else
	{
		call->transport_error = smf_quote(smf_text_from_utf8(smf_http_error(request),
															 strlen(smf_http_error(request))),
										  request, NULL);
		call->retry_class = transport_class(call->result);
	}

	if (succeeded)
	{
		smf_quota_give(&call->pacer->quota, call->retry_cost);
		end_call(call, false);
	}
	else
		try_again(call);
	MemoryContextSwitchTo(old);
}

/* A draw for a delay. */
static double
draw(void)
{
	return pg_prng_double(&pg_global_prng_state);
}

/* Try again after the delay, or after what the service asks for. */
static void
back_off(AwsCall *call, double delay_s)
{
	if (call->result == SMF_HTTP_OK)
		delay_s = Max(delay_s, smf_retry_after(smf_http_header(call->request, "x-amz-retry-after"),
											   smf_http_header(call->request, "Retry-After")));
	smf_http_timer_set(&call->backoff, smf_http_now() + (int64) (delay_s * 1e6));
}

/* A throttled call tries again as long as the operation makes progress. */
static bool
try_throttled(AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;
	int64		progress_us = Max(call->pacer->success_us, call->first_sent_us);

	if (smf_http_now() - progress_us >= config->throttle_timeout_ms * INT64CONST(1000))
		return false;
	back_off(call, smf_pacer_throttled_delay(call->pacer, call->throttles, draw()));
	return true;
}

static bool
try_failed(AwsCall *call)
{
	bool		timed_out = call->result == SMF_HTTP_CONNECT_TIMEOUT ||
		call->result == SMF_HTTP_READ_TIMEOUT;
	int			most = call->client->config.max_attempts;

	/* a name that was known before will be again */
	if (call->result == SMF_HTTP_UNRESOLVED && call->pacer->success_us == 0)
		most = Min(most, UNRESOLVED_ATTEMPTS_MAX);
	if (++call->failures >= most)
		return false;
	call->retry_cost = smf_quota_take(&call->pacer->quota, timed_out);
	if (call->retry_cost == 0)
		return false;
	back_off(call, smf_retry_delay(call->failures + 1, draw()));
	return true;
}

/* Once, with the service's clock instead of ours. */
static bool
try_other_clock(AwsCall *call)
{
	if (call->clock_corrected || !correct_clock(call))
		return false;
	call->clock_corrected = true;
	smf_http_timer_set(&call->backoff, smf_http_now());
	return true;
}

/* With other credentials, where the source may give some. */
static bool
try_other_credentials(AwsCall *call)
{
	AwsSession *session = call->client->session;
	int			most = call->retry_class == SMF_RETRY_EXPIRED ? RENEWALS_MAX : REPLACEMENTS_MAX;

	if (call->renewals >= most || !smf_credentials_refreshable(&session->config))
		return false;
	call->renewals++;
	call->refused = true;
	/* others may have noticed before */
	if (call->generation == session->generation)
		smf_session_refuse(session);
	enter(call);
	return true;
}

/* An attempt has failed: let there be another one, or end the call. */
static void
try_again(AwsCall *call)
{
	bool		again = false;

	switch (call->retry_class)
	{
		case SMF_RETRY_THROTTLED:
			again = try_throttled(call);
			break;
		case SMF_RETRY_TRANSIENT:
			again = try_failed(call);
			break;
		case SMF_RETRY_CLOCK_SKEW:
			again = try_other_clock(call);
			break;
		case SMF_RETRY_EXPIRED:
			again = try_other_credentials(call);
			break;
		case SMF_RETRY_NO:
			again = smf_call_refused(call) && try_other_credentials(call);
			break;
	}
	if (!again)
		end_call(call, true);
}

/* It is the call's turn: send an attempt.  Where that cannot be, the call ends. */
static void
send_request(PaceTurn *turn)
{
	AwsCall    *call = (AwsCall *) ((char *) turn - offsetof(AwsCall, turn));
	AwsClient  *client = call->client;
	MemoryContext old = MemoryContextSwitchTo(client->context);
	AwsCredentials *credentials = &client->session->credentials;
	SigV4Keys	keys;
	SigV4Header signed_headers[5];
	SigV4Request signed_request = {0};
	int			nheaders = 0;
	char		date[SMF_SIGV4_DATE_SIZE];
	char	   *target;
	char	   *authorization;
	char	   *lines[6];
	SigV4Scope	scope;
	HttpMessage message = {.method = "POST", .body = call->body, .body_len = call->body_len};

	forget_answer(call);
	call->refused = false;
	call->connection.called = false;
	if (client->config.max_calls > 0 && client->stats.calls >= client->config.max_calls)
	{
		call->over_limit = true;
		end_soon(call);
		MemoryContextSwitchTo(old);
		return;
	}
	call->attempt++;
	call->sent_us = smf_http_now();
	if (call->attempt == 1)
		call->first_sent_us = call->sent_us;
	call->generation = client->session->generation;
	keys.access_key_id = credentials->access_key_id;
	keys.secret_access_key = credentials->secret_access_key;

	target = psprintf("%s.%s", TARGET_PREFIX, call->operation);
	scope.region = client->config.region;
	scope.service = SIGNING_NAME;
	scope.time_s = (int64) time(NULL) + client->session->clock_offset_s;

	/* in the order of their names, as they are signed */
	(void) smf_sigv4_date(scope.time_s, date);
	signed_headers[nheaders++] = (SigV4Header) {"content-type", CONTENT_TYPE};
	signed_headers[nheaders++] = (SigV4Header) {"host", client->endpoint.host};
	signed_headers[nheaders++] = (SigV4Header) {"x-amz-date", date};
	if (credentials->session_token != NULL)
		signed_headers[nheaders++] = (SigV4Header) {"x-amz-security-token", credentials->session_token};
	signed_headers[nheaders++] = (SigV4Header) {"x-amz-target", target};
	signed_request.method = "POST";
	signed_request.path = client->endpoint.path;
	signed_request.query = "";
	signed_request.headers = signed_headers;
	signed_request.nheaders = nheaders;
	signed_request.payload = call->body;
	signed_request.payload_len = call->body_len;
	authorization = smf_sigv4_authorization(&client->session->key_cache, &keys, &scope,
											&signed_request);

	if (authorization != NULL)
	{
		for (int i = 0; i < nheaders; i++)
			lines[i] = psprintf("%s: %s", signed_headers[i].name, signed_headers[i].value);
		lines[nheaders] = psprintf("Authorization: %s", authorization);
		message.headers = (const char *const *) lines;
		message.nheaders = nheaders + 1;
		call->request = smf_http_send(&client->target, &message, request_done, call);
		for (int i = 0; i <= nheaders; i++)
		{
			OPENSSL_cleanse(lines[i], strlen(lines[i]));
			pfree(lines[i]);
		}
		free(authorization);
	}
	pfree(target);

	if (call->request != NULL)
	{
		client->stats.calls++;
		smf_stats_add(&call->pacer->key, SMF_FIGURE_CALLS, 1);
		calls_made++;
		(*call->attempts_counter)++;
		if (call->attempt > 1)
			count_retry(call);
	}
	else
	{
		call->result = SMF_HTTP_NO_MEMORY;
		end_soon(call);
	}
	MemoryContextSwitchTo(old);
}

/*
 * smf_call_start
 *		Start a call.
 *
 * "operation" is a constant, "subject" the job that the call is for, or NULL, copied.
 * "body" is JSON in UTF-8, palloc'ed in the client's context, and the call's from now on.
 * "*attempts" is counted up for each request that is sent, and must outlive the call.
 * The call is the client's, and freed with it at the latest.
 */
AwsCall *
smf_call_start(AwsClient *client, const char *operation, const char *subject,
			   char *body, int64 *attempts)
{
	AwsCall    *call = MemoryContextAllocZero(client->context, sizeof(AwsCall));
	PaceTerms	terms = {0};
	CallKey		key;

	call->client = client;
	call->operation = operation;
	smf_call_about(call, subject);
	call->body = body;
	call->body_len = strlen(body);
	call->attempts_counter = attempts;
	call->backoff.fire = backoff_over;
	call->credentials.go = credentials_there;
	call->turn.ready = may_be_sent;
	call->turn.go = send_request;
	call->connection.go = connection_there;
	call->turn.number = ++calls_started;
	smf_call_key(&key, client->session->serverid, client->session->userid, client->config.region,
				 operation);
	terms.custom_endpoint = client->config.endpoint_url != NULL;
	terms.ceiling = client->config.max_calls_per_second;
	terms.adaptive = client->config.adaptive;
	call->pacer = smf_pacer_find(&client->session->pacers, &key, &terms);
	dlist_push_tail(&client->calls, &call->node);
	enter(call);
	return call;
}

/* Break off a call if need be, and free it.  NULL is ignored. */
void
smf_call_free(AwsCall *call)
{
	if (call == NULL)
		return;
	leave_queues(call);
	forget_answer(call);
	dlist_delete(&call->node);
	free_string(&call->subject);
	pfree(call->body);
	pfree(call);
}

/* Has the call ended, one way or the other? */
bool
smf_call_done(const AwsCall *call)
{
	return call->done;
}

/* What the call waits for. */
AwsCallState
smf_call_state(const AwsCall *call)
{
	if (call->done)
		return SMF_CALL_DONE;
	if (call->credentials.waiting)
		return SMF_CALL_WAITS_FOR_CREDENTIALS;
	if (call->turn.waiting)
		return SMF_CALL_WAITS_FOR_TURN;
	if (call->connection.waiting)
		return SMF_CALL_WAITS_FOR_CONNECTION;
	return call->backoff.armed ? SMF_CALL_BACKS_OFF : SMF_CALL_IN_FLIGHT;
}

/* Has a call that is done failed? */
bool
smf_call_failed(const AwsCall *call)
{
	return call->failed;
}

/* Why the call failed, as the service says; the call's own. */
const AwsError *
smf_call_error(const AwsCall *call)
{
	return &call->error;
}

/* Wait until the call is done.  Raises an error on a query cancel. */
void
smf_call_wait(AwsCall *call)
{
	for (;;)
	{
		uint64		told = smf_http_told();

		if (call->done)
			return;
		smf_client_wait(call->client, told);
	}
}

/* Count the jobs that the call's answer held. */
void
smf_call_count_rows(const AwsCall *call, int64 nrows)
{
	smf_stats_add(&call->pacer->key, SMF_FIGURE_ROWS, nrows);
}

/* The operation's name in the API. */
const char *
smf_call_operation(const AwsCall *call)
{
	return call->operation;
}

/* The answer of a call that succeeded: its body, the call's own. */
const char *
smf_call_body(const AwsCall *call, size_t *len)
{
	*len = call->answer_len;
	return call->answer;
}

/*
 * smf_call_may_quote
 *		May a message quote what the endpoint sent, when that is no AWS answer?
 */
bool
smf_call_may_quote(const AwsCall *call)
{
	return call->client->echo_text;
}

/* ----- errors ----- */

/*
 * smf_call_about
 *		From here on, let messages name this job as what the call is about; copied.
 *
 * An answer may hold many jobs, which are read one after another: whatever is wrong with
 * one of them is said of that one.  NULL: of none.
 */
void
smf_call_about(AwsCall *call, const char *subject)
{
	free_string(&call->subject);
	if (subject != NULL)
		call->subject = blank_controls(MemoryContextStrdup(call->client->context, subject));
}

/*
 * smf_call_errdetail
 *		For ereport: which call, for what, and what the service said.
 *
 * "reason" stands for what the service said; NULL: its own words.
 */
int
smf_call_errdetail(const AwsCall *call, const char *reason)
{
	return errdetail_internal("%s", smf_call_outcome(call, reason));
}

/* The same as a text, palloc'ed, without control characters. */
char *
smf_call_outcome(const AwsCall *call, const char *reason)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, call->operation);
	if (call->subject != NULL)
		appendStringInfo(&text, " of training job \"%s\"", call->subject);
	if (reason != NULL)
		appendStringInfo(&text, ": %s", smf_quote(pstrdup(reason), call->request, NULL));
	else
	{
		if (call->error.code != NULL)
			appendStringInfo(&text, ": %s", call->error.code);
		if (call->error.message != NULL)
			appendStringInfo(&text, ": %s", call->error.message);
		if (call->transport_error != NULL && call->transport_error[0] != '\0')
			appendStringInfo(&text, ": %s", call->transport_error);
	}
	if (text.data[text.len - 1] != '.')
		appendStringInfoChar(&text, '.');
	if (call->error.http_status != 0)
		appendStringInfo(&text, " HTTP status %d.", call->error.http_status);
	if (call->attempt > 1)
		appendStringInfo(&text, " %d attempts.", call->attempt);
	if (call->request_id != NULL)
		appendStringInfo(&text, " Request id %s.", call->request_id);
	return blank_controls(text.data);
}

/* Are the answer's jobs to be of one account, which smf_call_check_account finds out? */
bool
smf_call_means_account(const AwsCall *call)
{
	return call->client->config.account_id != NULL;
}

/*
 * smf_call_check_account
 *		Raise 28000 when the ARN, of the job that the call is about, is of another account
 *		than the one that is meant, if one is.
 */
void
smf_call_check_account(const AwsCall *call, const char *arn)
{
	const AwsClient *client = call->client;
	const char *meant = client->config.account_id;
	AwsSession *session = client->session;
	char	   *account;

	if (meant == NULL)
		return;
	account = smf_arn_account(arn);
	if (account != NULL && strcmp(account, meant) == 0)
	{
		strlcpy(session->account, account, sizeof(session->account));
		pfree(account);
		return;
	}
	session->account[0] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("training job \"%s\" is of AWS account %s, and account %s is meant",
					call->subject, account ? account : "(none)", meant),
			 OidIsValid(session->mappingid) ?
			 errdetail("%s was called with the credentials of the user mapping of role \"%s\" for server \"%s\".",
					   call->operation, GetUserNameFromId(session->userid, false),
					   client->config.server_name) :
			 errdetail("%s was called with the database server's own credentials, for server \"%s\".",
					   call->operation, client->config.server_name),
			 errhint("Correct the user mapping, or the option account_id of the server or the foreign table.")));
}

/* Service's clock in its answer: epoch seconds, or -1 when it does not say. */
int64
smf_call_date(const AwsCall *call)
{
	return call->request && call->result == SMF_HTTP_OK ? smf_http_date(call->request) : -1;
}

/* Did the call fail since the service takes the credentials for nobody's? */
bool
smf_call_refused(const AwsCall *call)
{
	return call->result == SMF_HTTP_OK && smf_retry_refuses_credentials(call->error.code);
}

/* Did the call fail since its answer is larger than may be? */
bool
smf_call_too_large(const AwsCall *call)
{
	return call->result == SMF_HTTP_TOO_LARGE;
}

/* Did the call fail since the credentials may not make it? */
bool
smf_call_denied(const AwsCall *call)
{
	return call->result == SMF_HTTP_OK && smf_retry_denies(call->error.code);
}

/*
 * smf_call_tls_problem
 *		What to do about a connection that TLS prevented, palloc'ed or a constant; NULL
 *		when it was not that.
 */
const char *
smf_call_tls_problem(const AwsCall *call)
{
	const char *ca_bundle = call->client->config.ca_bundle;

	switch (call->result)
	{
		case SMF_HTTP_TLS_REFUSED:
			if (ca_bundle == NULL)
				return "The endpoint's certificate must be for its name, in date, and signed by a CA that the system trusts. Option ca_bundle of the server names the certificates to trust.";
			if (access(ca_bundle, R_OK) != 0)
				return psprintf("The database server cannot read the file \"%s\" of option ca_bundle: %m.", ca_bundle);
			return psprintf("The endpoint's certificate must be for its name, in date, and signed by a CA in the file \"%s\" of option ca_bundle.",
							ca_bundle);
		case SMF_HTTP_TLS_FAILED:
			return "The endpoint must speak TLS 1.2 or later.";
		default:
			return NULL;
	}
}

/* What to do about credentials that are refused. */
static const char *
remedy_of(const AwsCall *call)
{
	const AwsSession *session = call->client->session;

	if (call->retry_class == SMF_RETRY_CLOCK_SKEW)
		return "Set the database server's clock.";
	return smf_credentials_remedy(&session->credentials);
}

/* The service said no, in an answer. */
smf_noreturn static void
raise_answer(const AwsCall *call)
{
	const char *code = call->error.code;
	const char *server_name = call->client->config.server_name;

	if (call->error.http_status >= 300 && call->error.http_status < 400)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("%s was answered with an HTTP redirect", call->operation),
				 smf_call_errdetail(call, NULL),
				 errhint("Redirects are not followed. Check the region and the endpoint_url of server \"%s\".",
						 server_name)));
	if (call->retry_class == SMF_RETRY_THROTTLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("AWS throttles %s, and let no call through for %g s", call->operation,
						call->client->config.throttle_timeout_ms / 1000.0),
				 smf_call_errdetail(call, NULL),
				 errhint("Other programs may share the account's quota. Option throttle_timeout of server \"%s\" is the time allowed.",
						 server_name)));
	if (smf_call_refused(call))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("AWS refuses the credentials for server \"%s\"", server_name),
				 smf_call_errdetail(call, NULL),
				 errhint("%s", remedy_of(call))));
	if (smf_call_denied(call) || (code != NULL && strcmp(code, "OptInRequired") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("AWS denies %s to the credentials for server \"%s\"",
						call->operation, server_name),
				 smf_call_errdetail(call, NULL),
				 strcmp(code, "OptInRequired") == 0 ?
				 errhint("Enable the region \"%s\" in the AWS account.", call->client->config.region) :
				 errhint("Allow sagemaker:%s in the IAM policy.", call->operation)));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("%s failed", call->operation),
			 smf_call_errdetail(call, NULL)));
}

/* For ereport: what may keep the endpoint from being reached. */
static int
hint_at_connection(const AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;

	if (call->result == SMF_HTTP_TLS_REFUSED)
		return errhint("%s", smf_call_tls_problem(call));
	if (call->result != SMF_HTTP_UNRESOLVED)
		return errhint("Check the region, the endpoint_url and the proxy_url of server \"%s\", and the network.",
					   config->server_name);
	if (config->endpoint_url == NULL && call->client->target.proxy_url == NULL)
		return errhint("Is \"%s\" an AWS region? Check the option \"region\" of server \"%s\" and of the foreign table, and that the database server can look up names.",
					   config->region, config->server_name);
	return errhint("Check the endpoint_url and the proxy_url of server \"%s\", and that the database server can look up names.",
				   config->server_name);
}

/* Raise why the call failed. */
void
smf_call_raise(const AwsCall *call)
{
	const char *url = call->client->endpoint.url;

	if (call->over_limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the scan has made " INT64_FORMAT " calls, which is the limit",
						call->client->stats.calls),
				 errhint("Bound creation_time, read fewer columns, use scan_api 'search', keep the jobs in a table with sagemaker_fdw_refresh, or raise sagemaker_fdw.max_calls.")));
	switch (call->result)
	{
		case SMF_HTTP_OK:
		case SMF_HTTP_PENDING:
			raise_answer(call);
			break;
		case SMF_HTTP_UNRESOLVED:
		case SMF_HTTP_CONNECT_FAILED:
		case SMF_HTTP_CONNECT_TIMEOUT:
		case SMF_HTTP_TLS_FAILED:
		case SMF_HTTP_TLS_REFUSED:
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("could not connect to %s", url),
					 smf_call_errdetail(call, NULL),
					 hint_at_connection(call)));
			break;
		case SMF_HTTP_READ_TIMEOUT:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("no complete response of %s from %s in %g s", call->operation, url,
							call->client->config.read_timeout_ms / 1000.0),
					 smf_call_errdetail(call, "timed out"),
					 errhint("Option read_timeout of the server is the time allowed.")));
			break;
		case SMF_HTTP_BROKEN:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the connection to %s broke off", url),
					 smf_call_errdetail(call, NULL)));
			break;
		case SMF_HTTP_MALFORMED:
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("%s does not answer in HTTP", url),
					 smf_call_errdetail(call, NULL),
					 errhint("Check the endpoint_url of server \"%s\".",
							 call->client->config.server_name)));
			break;
		case SMF_HTTP_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("response of %s is too large", call->operation),
					 smf_call_errdetail(call, NULL),
					 errhint("Option max_response_size of server \"%s\" is %zu bytes.",
							 call->client->config.server_name,
							 call->client->config.max_response_size)));
			break;
		case SMF_HTTP_NO_DESCRIPTOR:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("could not open a socket for %s", call->operation),
					 errdetail("This process has too many files open."),
					 errhint("Lower max_concurrency, or raise max_files_per_process.")));
			break;
		case SMF_HTTP_NO_MEMORY:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 smf_call_errdetail(call, NULL)));
}
