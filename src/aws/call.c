/*-------------------------------------------------------------------------
 *
 * call.c
 *		One call: signed, sent, classified, retried.
 *
 * A call goes through these states; the smf_http_wait of any scan moves it on:
 *
 *		wait for credentials --> wait for a turn --> wait for a connection --> in flight --> done
 *						^														  |
 *						+----------------------- back off <-----------------------+
 *
 * No error is raised on the way: a failed call keeps the reason, and the caller that
 * needs its answer raises it with smf_call_raise (call_error.c).
 *
 * A throttled call is retried for as long as other calls of its operation succeed, so
 * that one unlucky call does not end a scan of a long history.  Other failures are
 * counted, against the call's attempts and the operation's retry quota.
 *
 * Nothing here blocks until there are credentials: a call that cannot be signed is
 * queued, and continues when there are some.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "aws/call_error.h"
#include "aws/expiry.h"
#include "aws/internal.h"
#include "aws/json.h"
#include "aws/message.h"
#include "aws/quote.h"
#include "aws/stats.h"
#include "common/pg_prng.h"
#include "utils/memutils.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"

/*
 * Most attempts when the endpoint's name has no address.  libcurl does not distinguish a
 * name that does not exist, such as that of a mistyped region, from a name server that
 * does not answer at the moment.
 */
#define UNRESOLVED_ATTEMPTS_MAX 3

/*
 * How often a call is retried with other credentials.  Short-lived ones may expire more
 * than once while a call is under way; those that the service does not know at all are
 * replaced once.
 */
#define RENEWALS_MAX 3
#define REPLACEMENTS_MAX 1

int			smf_log_min_duration_ms = -1;

/* Calls that all clients of this process have started. */
static uint64 calls_started = 0;

static void try_again(AwsCall *call);

static void
free_string(char **string)
{
	if (*string != NULL)
		pfree(*string);
	*string = NULL;
}

/* Discard the answer to the previous attempt. */
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

/* Does it look like a request id, rather than arbitrary text? */
static bool
request_id_valid(const char *id)
{
	return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=") == strlen(id);
}

/*
 * Log a call that took long since its first attempt.  The statement is not logged with
 * it, as it may contain secrets.
 */
static void
log_slow_call(const AwsCall *call)
{
	int64		took_us = smf_http_now() - call->first_sent_us;
	bool		has_id = call->request_id != NULL && request_id_valid(call->request_id);
	char	   *title;

	if (smf_log_min_duration_ms < 0 || call->attempt == 0 ||
		took_us < smf_log_min_duration_ms * INT64CONST(1000))
		return;
	title = smf_call_title(call);
	ereport(LOG,
			(errmsg("%s on server \"%s\" %s after %.3f ms: %d %s, %s%s",
					title,
					call->client->config.server_name,
					call->failed ? "failed" : "succeeded",
					took_us / 1000.0,
					call->attempt, call->attempt == 1 ? "attempt" : "attempts",
					has_id ? "request id " : "no request id",
					has_id ? call->request_id : ""),
			 errhidestmt(true),
			 errhidecontext(true)));
	pfree(title);
}

static void
end_call(AwsCall *call, bool failed)
{
	call->done = true;
	call->failed = failed;
	if (failed && !call->over_limit && !call->client->config.topic->not_found(&call->error))
		smf_stats_add(&call->pacer->key, SMF_FIGURE_ERRORS, 1);
	log_slow_call(call);
}

static void
end_now(HttpTimer *timer)
{
	end_call((AwsCall *) ((char *) timer - offsetof(AwsCall, backoff)), true);
}

/*
 * An attempt could not be sent: the call fails, but only during the next wait.  The
 * caller that starts a call may wait for it next, and nothing else might ever end that
 * wait.
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
	smf_client_ask_for_credentials(call->client);
}

/*
 * Credentials may expire while a call waits for its turn.  It gets new ones before it
 * takes its turn: where turns are rare and credentials short-lived, it would otherwise
 * waste one turn after another.  It is also not signed until there is a connection for
 * it.
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
	/* an expected account is not trusted: its rate is shared with others */
	smf_pacer_account(call->pacer, session->credentials.account ? session->credentials.account :
					  session->account[0] != '\0' ? session->account : NULL);
	smf_pacer_enter(call->pacer, &call->turn);
}

/*
 * The credentials are there.  If they are the ones that were refused, the source has no
 * others, and the call ends.
 */
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

/* Learn the service's clock from its answer; false when the answer does not show it. */
static bool
correct_clock(AwsCall *call)
{
	int64		service_s = smf_http_date(call->request);

	if (service_s < 0 || !smf_clock_offset_credible(service_s - (int64) time(NULL)))
		return false;
	call->client->session->clock_offset_s = service_s - (int64) time(NULL);
	return true;
}

/* Tell the operation's pacer about an answer: whether the service accepts the rate. */
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
		/* an error of the service is not progress, but "does not exist" is */
		if (call->retry_class == SMF_RETRY_NO)
			pacer->success_us = now_us;
	}
}

/* Keep the request id that the service assigned, for questions to AWS about it. */
static void
keep_request_id(AwsCall *call)
{
	const char *id = smf_http_header(call->request, "x-amzn-RequestId");

	if (id != NULL && (call->client->echo_text || request_id_valid(id)))
		call->request_id = smf_quote(smf_text_from_utf8(id, strlen(id)), call->request, NULL);
}

/* The request has ended: the call is done, or will be retried. */
static void
request_done(HttpRequest *request, void *arg)
{
	AwsCall    *call = arg;
	AwsClient  *client = call->client;
	MemoryContext old = MemoryContextSwitchTo(client->context);
	bool		answered;
	bool		succeeded;

	/* Take the answer, if there is one. */
	call->result = smf_http_result(request);
	call->answer = smf_http_body(request, &call->answer_len);
	client->stats.bytes_received += call->answer_len;
	smf_stats_add(&call->pacer->key, SMF_FIGURE_BYTES_RECEIVED, call->answer_len);
	answered = call->result == SMF_HTTP_OK;
	succeeded = answered && smf_http_status(request) >= 200 && smf_http_status(request) < 300;

	/* Find out what it means, also for the rate of the next calls. */
	call->retry_class = SMF_RETRY_NO;
	if (answered)
		keep_request_id(call);
	if (!succeeded)
		smf_call_read_error(call);
	if (answered)
		note_answer(call);

	/* End the call, or retry it. */
	if (succeeded)
	{
		smf_quota_give(&call->pacer->quota, call->retry_cost);
		end_call(call, false);
	}
	else
		try_again(call);
	MemoryContextSwitchTo(old);
}

/* A random number for a delay. */
static double
draw(void)
{
	return pg_prng_double(&pg_global_prng_state);
}

/* Retry after the delay, or after the time the service asks for if that is longer. */
static void
back_off(AwsCall *call, double delay_s)
{
	if (call->result == SMF_HTTP_OK)
		delay_s = Max(delay_s, smf_retry_after(smf_http_header(call->request, "x-amz-retry-after"),
											   smf_http_header(call->request, "Retry-After")));
	smf_http_timer_set(&call->backoff, smf_http_now() + (int64) (delay_s * 1e6));
}

/* A throttled call is retried as long as the operation makes progress. */
static bool
try_throttled(AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;
	int64		progress_us = Max(call->pacer->success_us, call->first_sent_us);

	if (call->most_attempts > 0 && call->attempt >= call->most_attempts)
		return false;
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

	/* a name that had an address before will have one again */
	if (call->result == SMF_HTTP_UNRESOLVED && call->pacer->success_us == 0)
		most = Min(most, UNRESOLVED_ATTEMPTS_MAX);
	if (call->most_attempts > 0 && call->attempt >= call->most_attempts)
		return false;
	if (++call->failures >= most)
		return false;
	call->retry_cost = smf_quota_take(&call->pacer->quota, timed_out);
	if (call->retry_cost == 0)
		return false;
	smf_call_note_trouble(call, call->most_attempts > 0 ? Min(most, call->most_attempts) : most);
	back_off(call, smf_retry_delay(call->failures + 1, draw()));
	return true;
}

/* Retry once, with the service's clock instead of ours. */
static bool
try_other_clock(AwsCall *call)
{
	if (call->clock_corrected || !correct_clock(call))
		return false;
	call->clock_corrected = true;
	smf_http_timer_set(&call->backoff, smf_http_now());
	return true;
}

/* Retry with other credentials, if the source may provide some. */
static bool
try_other_credentials(AwsCall *call)
{
	AwsSession *session = call->client->session;
	int			most = call->retry_class == SMF_RETRY_EXPIRED ? RENEWALS_MAX : REPLACEMENTS_MAX;

	if (call->renewals >= most || !smf_credentials_refreshable(&session->config))
		return false;
	call->renewals++;
	call->refused = true;
	/* another call may have noticed first */
	if (call->generation == session->generation)
		smf_session_refuse(session);
	enter(call);
	return true;
}

/* An attempt has failed: start another one, or end the call. */
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

/* Sign the call's next attempt and send it.  False without memory. */
static bool
post(AwsCall *call)
{
	AwsClient  *client = call->client;
	AwsSession *session = client->session;
	SignedMessage signed_message;
	const AwsService *service = client->config.service;
	char	   *target = psprintf("%s.%s", service->target_prefix, call->operation);
	AwsMessage	message = {
		.endpoint = &client->endpoint,
		.region = client->config.region,
		.signing_name = service->signing_name,
		.content_type = CONTENT_TYPE,
		.target = target,
		.body = call->body,
		.body_len = call->body_len,
		.time_s = (int64) time(NULL) + session->clock_offset_s
	};

	call->generation = session->generation;
	if (smf_message_sign(&message, &session->credentials, &session->key_cache, &signed_message))
	{
		call->request = smf_http_send(&client->target, &signed_message.http, request_done, call);
		smf_message_forget(&signed_message);
	}
	pfree(target);
	return call->request != NULL;
}

/* Count a retry of the call. */
static void
count_retry(AwsCall *call)
{
	call->client->stats.retries++;
	smf_stats_add(&call->pacer->key, SMF_FIGURE_RETRIES, 1);
}

/* Count a request that was sent for the call. */
static void
count_request(AwsCall *call)
{
	smf_client_count_request(call->client);
	smf_stats_add(&call->pacer->key, SMF_FIGURE_CALLS, 1);
	(*call->attempts_counter)++;
	if (call->attempt > 1)
		count_retry(call);
}

/* It is the call's turn: send an attempt.  If that is impossible, the call ends. */
static void
send_request(PaceTurn *turn)
{
	AwsCall    *call = (AwsCall *) ((char *) turn - offsetof(AwsCall, turn));
	AwsClient  *client = call->client;
	MemoryContext old = MemoryContextSwitchTo(client->context);

	/* Discard everything from the previous attempt. */
	forget_answer(call);
	call->refused = false;
	call->connection.called = false;

	/* Send, if the client may make another call. */
	if (client->config.max_calls > 0 && client->stats.calls >= client->config.max_calls)
	{
		call->over_limit = true;
		end_soon(call);
	}
	else
	{
		call->attempt++;
		call->sent_us = smf_http_now();
		if (call->attempt == 1)
			call->first_sent_us = call->sent_us;
		if (post(call))
			count_request(call);
		else
		{
			call->result = SMF_HTTP_NO_MEMORY;
			end_soon(call);
		}
	}
	MemoryContextSwitchTo(old);
}

/*
 * smf_call_start
 *		Start a call.
 *
 * "operation" is a constant; "subject", the thing that the call is about, or NULL, is
 * copied.  "body" is JSON in UTF-8, palloc'ed in the client's context, and belongs to the
 * call from now on.  "*attempts" is incremented for each request that is sent, and must
 * outlive the call.  The call belongs to the client, and is freed with it at the latest.
 */
AwsCall *
smf_call_start(AwsClient *client, const char *operation, const char *subject,
			   char *body, int64 *attempts)
{
	AwsCall    *call = MemoryContextAllocZero(client->context, sizeof(AwsCall));
	PaceTerms	terms = {0};
	SharedKey	key;

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
	smf_client_key(client, operation, &key);
	terms.custom_endpoint = client->custom_endpoint;
	terms.ceiling = client->config.max_calls_per_second;
	terms.adaptive = client->config.adaptive;
	call->pacer = smf_pacer_find(&client->session->pacers, &key, &terms);
	dlist_push_tail(&client->calls, &call->node);
	enter(call);
	return call;
}

/*
 * Let a call that has just been started end after this many attempts, throttled ones
 * included.
 */
void
smf_call_limit_attempts(AwsCall *call, int most)
{
	call->most_attempts = most;
}

/* Abort a call if it is under way, and free it.  NULL is ignored. */
void
smf_call_free(AwsCall *call)
{
	if (call == NULL)
		return;
	smf_client_leave_queues(call);
	forget_answer(call);
	dlist_delete(&call->node);
	free_string(&call->subject);
	pfree(call->body);
	pfree(call);
}

/* Has the call ended, in success or failure? */
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

/* Did a call that is done fail? */
bool
smf_call_failed(const AwsCall *call)
{
	return call->failed;
}

/* Wait until the call is done.  Raises an error on a query cancel. */
void
smf_call_wait(AwsCall *call)
{
	for (;;)
	{
		uint64		events = smf_http_events();

		if (call->done)
			return;
		smf_client_wait(call->client, events);
	}
}

/* Count the rows in the call's answer. */
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

/* The answer of a call that succeeded: its body, which belongs to the call. */
const char *
smf_call_body(const AwsCall *call, size_t *len)
{
	*len = call->answer_len;
	return call->answer;
}

/*
 * smf_call_forget_body
 *		The answer of a call that succeeded has been read: free the memory of its body.
 */
void
smf_call_forget_body(AwsCall *call)
{
	smf_http_forget_body(call->request);
	call->answer = "";
	call->answer_len = 0;
}

/*
 * smf_call_about
 *		Set the subject that messages name from here on; copied.
 *
 * An answer may contain many things, which are read one after another: an error in one of
 * them names that one.  NULL: no subject.
 */
void
smf_call_about(AwsCall *call, const char *subject)
{
	free_string(&call->subject);
	if (subject != NULL)
		call->subject = smf_blank_controls(MemoryContextStrdup(call->client->context, subject));
}

/* The service's clock in its answer: epoch seconds, or -1 when it does not show it. */
int64
smf_call_date(const AwsCall *call)
{
	return call->request && call->result == SMF_HTTP_OK ? smf_http_date(call->request) : -1;
}
