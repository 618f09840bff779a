/*-------------------------------------------------------------------------
 *
 * call_error.c
 *		Why a call failed: reads that from its answer, and reports it to users.
 *
 * Each error has an SQLSTATE that says who has to act, a detail with the call and the
 * service's message, and a hint that names an action.  error_code.c knows what the
 * service's codes mean, quote.c which parts of its text a message may contain.
 *
 * Not accounted for: what calls are about.  The code that creates a client says that
 * (AwsTopic).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "aws/call_error.h"
#include "aws/internal.h"
#include "aws/json.h"
#include "aws/quote.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * How much of an answer that is not an AWS error is quoted, in bytes, and how much is
 * read for that: secrets are hidden before the text is cut, so that none is cut in two.
 */
#define QUOTED_TEXT_MAX 200
#define QUOTED_READ_MAX 16384

/* ----- reading the answer ----- */

/* The beginning of an answer that is not an AWS error, palloc'ed. */
static char *
beginning_of(const AwsCall *call)
{
	char	   *text = smf_text_from_utf8(call->answer, Min(call->answer_len, QUOTED_READ_MAX));

	text = smf_quote(text, call->request, NULL);
	text[pg_mbcliplen(text, strlen(text), QUOTED_TEXT_MAX)] = '\0';
	return text;
}

/* Extract code and message from an answer that is an error. */
static void
read_answer(AwsCall *call)
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

	/* Find the code, in a header or in JSON, and the message. */
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

	/* Keep the parts that may be quoted. */
	MemoryContextSwitchTo(client->context);
	if (code != NULL)
	{
		char		cut[SMF_ERROR_CODE_SIZE];

		smf_error_code(code, cut, sizeof(cut));
		if (client->echo_text || smf_error_code_valid(cut))
			call->error.code = smf_quote(smf_text_from_utf8(cut, strlen(cut)), request, NULL);
	}
	/* without a code it is not an AWS error, and the message might be any text */
	if (message != NULL && (client->echo_text || call->error.code != NULL))
		call->error.message = smf_quote(pstrdup(message), request, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/*
 * smf_call_read_error
 *		Find out from the request why it failed, and what that means for another
 *		attempt.
 *
 * Runs in the client's memory context.
 */
void
smf_call_read_error(AwsCall *call)
{
	const char *words = smf_http_error(call->request);

	if (call->result == SMF_HTTP_OK)
	{
		read_answer(call);
		call->retry_class = smf_error_class(call->error.http_status, call->error.code, call->error.message);
		return;
	}
	call->transport_error = smf_quote(smf_text_from_utf8(words, strlen(words)), call->request, NULL);
	call->retry_class = smf_http_transient(call->result) ? SMF_RETRY_TRANSIENT : SMF_RETRY_NO;
}

/* ----- what happened ----- */

/* Why the call failed, according to the service; belongs to the call. */
const AwsError *
smf_call_error(const AwsCall *call)
{
	return &call->error;
}

/* Did the call fail because the service does not recognize the credentials? */
bool
smf_call_refused(const AwsCall *call)
{
	return call->result == SMF_HTTP_OK && smf_error_refuses_credentials(call->error.code);
}

/* Did the call fail because its answer is larger than allowed? */
bool
smf_call_too_large(const AwsCall *call)
{
	return call->result == SMF_HTTP_TOO_LARGE;
}

/* Did the call fail because the credentials may not make it? */
bool
smf_call_denied(const AwsCall *call)
{
	return call->result == SMF_HTTP_OK && smf_error_denies(call->error.code);
}

/*
 * smf_call_tls_problem
 *		What to do about a connection that failed because of TLS, palloc'ed or a
 *		constant; NULL when it failed for another reason.
 */
const char *
smf_call_tls_problem(const AwsCall *call)
{
	const char *ca_bundle = call->client->config.network.http.ca_bundle;

	switch (call->result)
	{
		case SMF_HTTP_TLS_REFUSED:
			if (ca_bundle == NULL)
				return "The endpoint's certificate must be valid for its host name and today's date, and signed by a CA that the system trusts. The server option ca_bundle names other certificates to trust.";
			if (access(ca_bundle, R_OK) != 0)
				return psprintf("The database server cannot read the file \"%s\" of option ca_bundle: %m.", ca_bundle);
			return psprintf("The endpoint's certificate must be valid for its host name and today's date, and signed by a CA in the file \"%s\" of option ca_bundle.",
							ca_bundle);
		case SMF_HTTP_TLS_FAILED:
			return "The endpoint must speak TLS 1.2 or later.";
		default:
			return NULL;
	}
}

/* ----- how it is reported ----- */

/*
 * smf_call_may_quote
 *		May a message quote what the endpoint sent when that is not an AWS answer?
 */
bool
smf_call_may_quote(const AwsCall *call)
{
	return call->client->echo_text;
}

/*
 * smf_call_title
 *		The call's operation and its subject, palloc'ed.
 */
char *
smf_call_title(const AwsCall *call)
{
	if (call->subject == NULL)
		return pstrdup(call->operation);
	return psprintf("%s of %s \"%s\"", call->operation, call->client->config.topic->noun, call->subject);
}

/*
 * smf_call_errdetail
 *		For ereport: which call, for what, and what the service said.
 *
 * "reason" replaces what the service said; NULL: the service's own words.
 */
int
smf_call_errdetail(const AwsCall *call, const char *reason)
{
	return errdetail_internal("%s", smf_call_outcome(call, reason));
}

/*
 * smf_call_outcome
 *		The same as a text, palloc'ed, without control characters.
 */
char *
smf_call_outcome(const AwsCall *call, const char *reason)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, smf_call_title(call));
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
	while (text.data[text.len - 1] == ' ')
		text.data[--text.len] = '\0';
	if (text.data[text.len - 1] != '.')
		appendStringInfoChar(&text, '.');
	if (call->error.http_status != 0)
		appendStringInfo(&text, " HTTP status %d.", call->error.http_status);
	if (call->attempt > 1)
		appendStringInfo(&text, " %d attempts.", call->attempt);
	if (call->request_id != NULL)
		appendStringInfo(&text, " Request id %s.", call->request_id);
	return smf_blank_controls(text.data);
}

/*
 * smf_call_remedy
 *		What to do about credentials that are refused, palloc'ed or a constant.
 */
const char *
smf_call_remedy(const AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;
	KeyProblem	problem = smf_error_key_problem(call->error.code, call->error.message);

	if (call->retry_class == SMF_RETRY_CLOCK_SKEW)
		return "Set the database server's clock.";
	if (problem == SMF_KEY_ELSEWHERE)
		return psprintf("The endpoint is one of another region or service. Check the region and the %s of server \"%s\".",
						config->service->url_option, config->server_name);
	return smf_credentials_remedy(&call->client->session->credentials, problem, config->region);
}

/*
 * smf_call_stranger
 *		What to check where it may not have been the service that answered, palloc'ed.
 */
char *
smf_call_stranger(const AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;

	return psprintf("It may not be AWS that answers. Check the %s and the proxy_url of server \"%s\", and the network.",
					config->service->url_option, config->server_name);
}

/*
 * smf_call_permission
 *		What allows the credentials to make the call, palloc'ed.
 */
char *
smf_call_permission(const AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;
	const AwsService *service = config->service;
	char	   *allow = psprintf("Allow %s:%s in the IAM policy.", service->signing_name, call->operation);

	if (service->other_host == NULL)
		return allow;
	return psprintf("%s The call was made in region %s: if a policy denies that region, set %s to another host of the API, such as %s.",
					allow, config->region, service->url_option, service->other_host);
}

/* The service answered with an error. */
smf_noreturn static void
raise_answer(const AwsCall *call)
{
	const char *code = call->error.code;
	const char *server_name = call->client->config.server_name;

	/* The answer does not come from the service itself. */
	if (call->error.http_status >= 300 && call->error.http_status < 400)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("%s was answered with an HTTP redirect", call->operation),
				 smf_call_errdetail(call, NULL),
				 errhint("Redirects are not followed. Check the region and the %s of server \"%s\".",
						 call->client->config.service->url_option, server_name)));

	/* The account's quota is used up. */
	if (call->retry_class == SMF_RETRY_THROTTLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("AWS throttles %s: no call succeeded for %g s", call->operation,
						call->client->config.throttle_timeout_ms / 1000.0),
				 smf_call_errdetail(call, NULL),
				 errhint("Other programs may share the account's quota. The option throttle_timeout of server \"%s\" sets how long to keep trying.",
						 server_name)));

	/* The credentials are unknown, or do not have the permission. */
	if (smf_call_refused(call))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("AWS refuses the credentials for server \"%s\"", server_name),
				 smf_call_errdetail(call, NULL),
				 errhint("%s", smf_call_remedy(call))));
	if (smf_call_denied(call) || (code != NULL && strcmp(code, "OptInRequired") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("AWS denies %s to the credentials for server \"%s\"",
						call->operation, server_name),
				 smf_call_errdetail(call, NULL),
				 strcmp(code, "OptInRequired") == 0 ?
				 errhint("Enable the region \"%s\" in the AWS account.", call->client->config.region) :
				 errhint("%s%s", smf_call_permission(call), call->client->config.topic->instead(call->operation))));

	/* Whatever else it says; another service says that it does not know the operation. */
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("%s failed", call->operation),
			 smf_call_errdetail(call, NULL),
			 code == NULL || strcmp(code, "UnknownOperationException") == 0 ?
			 errhint("%s", smf_call_stranger(call)) : 0));
}

/* Why the endpoint may be unreachable, palloc'ed or a constant. */
static const char *
connection_hint(const AwsCall *call)
{
	const AwsClientConfig *config = &call->client->config;
	const char *url_option = config->service->url_option;

	if (call->result == SMF_HTTP_TLS_REFUSED)
		return smf_call_tls_problem(call);
	if (call->result == SMF_HTTP_TLS_FAILED)
		return psprintf("The endpoint must speak TLS 1.2 or later. Check the %s and the proxy_url of server \"%s\".",
						url_option, config->server_name);
	if (call->result != SMF_HTTP_UNRESOLVED)
		return psprintf("Check the region, the %s and the proxy_url of server \"%s\", and the network.",
						url_option, config->server_name);
	if (!call->client->custom_endpoint && call->client->target.network.proxy_url == NULL)
		return config->service->other_host != NULL ?
			psprintf("Check that the database server can look up names, or set %s of server \"%s\" to another host of the API, such as %s.",
					 url_option, config->server_name, config->service->other_host) :
			psprintf("Is \"%s\" an AWS region? Check the option \"region\" of server \"%s\" and of its foreign tables, and that the database server can look up names.",
					 config->region, config->server_name);
	return psprintf("Check the %s and the proxy_url of server \"%s\", and that the database server can look up names.",
					url_option, config->server_name);
}

/*
 * smf_call_note_trouble
 *		Note why an attempt got no connection, to tell the client's user; only the
 *		client's first such attempt is noted.
 *
 * Another attempt will follow; "most" is the total allowed.  The user is told where a
 * caller waits (client.c) and not here, where calls are moved on: a notice may raise an
 * error.  The texts are palloc'ed in the current memory context, which must be the
 * client's.
 */
void
smf_call_note_trouble(const AwsCall *call, int most)
{
	AwsClient  *client = call->client;

	if (client->trouble_noted || (call->result != SMF_HTTP_UNRESOLVED &&
								  call->result != SMF_HTTP_CONNECT_FAILED &&
								  call->result != SMF_HTTP_CONNECT_TIMEOUT))
		return;
	client->trouble_noted = true;
	client->trouble_hint = connection_hint(call);
	client->trouble = psprintf("%s This may pass: a call is tried up to %d times (option max_attempts of server \"%s\").",
							   smf_call_outcome(call, NULL), most, client->config.server_name);
}

/*
 * smf_call_raise
 *		Raise the error that says why the call failed.
 */
void
smf_call_raise(const AwsCall *call)
{
	const char *url = call->client->endpoint.url;

	/* It was not sent. */
	if (call->over_limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg_plural("the scan has made " INT64_FORMAT " call, which is the limit",
							   "the scan has made " INT64_FORMAT " calls, which is the limit",
							   (unsigned long) call->client->stats.calls, call->client->stats.calls),
				 errhint("%s", call->client->limit_hint)));

	/* It was answered, or the connection failed. */
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
					 errhint("%s", connection_hint(call))));
			break;
		case SMF_HTTP_READ_TIMEOUT:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("no complete response to %s from %s within %g s", call->operation, url,
							call->client->config.network.http.read_timeout_ms / 1000.0),
					 smf_call_errdetail(call, "timed out"),
					 errhint("The option read_timeout of server \"%s\" sets the time allowed.",
							 call->client->config.server_name)));
			break;
		case SMF_HTTP_BROKEN:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the connection to %s was lost", url),
					 smf_call_errdetail(call, NULL)));
			break;
		case SMF_HTTP_MALFORMED:
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("the response from %s is not HTTP", url),
					 smf_call_errdetail(call, NULL),
					 errhint("Check the %s of server \"%s\".",
							 call->client->config.service->url_option, call->client->config.server_name)));
			break;
		case SMF_HTTP_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("response of %s is too large", call->operation),
					 smf_call_errdetail(call, NULL),
					 errhint("The option max_response_size of server \"%s\" is %zu bytes.",
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
