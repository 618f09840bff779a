/*-------------------------------------------------------------------------
 *
 * error_fuzz.c
 *		Answers that are errors: what is taken out of them, whether the call is
 *		tried again, and what is raised in the end.
 *
 * Input: a byte for the HTTP status and one for what is there; the header
 * x-amzn-ErrorType and a header that says when to try again, each up to a NUL;
 * the body.
 *
 * The request was sent with a token that no message may hold.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/call_error.c"

#define TOKEN "session-token"

/* The answer. */
static struct
{
	int			status;
	const char *error_type;		/* NULL: no such header */
	const char *retry_after;	/* the same */
	bool		in_milliseconds;	/* which of the two it is */
	const char *body;
	size_t		body_len;
}			answer;

/* ----- in place of http.c ----- */

int
smf_http_status(const HttpRequest *request)
{
	return answer.status;
}

const char *
smf_http_header(const HttpRequest *request, const char *name)
{
	if (strcmp(name, "x-amzn-ErrorType") == 0)
		return answer.error_type;
	if (strcmp(name, answer.in_milliseconds ? "x-amz-retry-after" : "Retry-After") == 0)
		return answer.retry_after;
	return NULL;
}

const char *
smf_http_sent_header(const HttpRequest *request, const char *name)
{
	return strcmp(name, "X-Amz-Security-Token") == 0 ? TOKEN : NULL;
}

const char *
smf_http_error(const HttpRequest *request)
{
	return "";
}

/* ----- the harness ----- */

/* Is it nothing that there is? */
static bool
not_found(const AwsError *error)
{
	return false;
}

/* What else to do than to allow an operation. */
static const char *
instead(const char *operation)
{
	return " Or do without.";
}

static const AwsService service = {.signing_name = "service", .url_option = "endpoint_url"};
static const AwsTopic topic = {.noun = "thing", .limit_hint = "Ask less.", .not_found = not_found,
.instead = instead};

/* Read the error, and raise it. */
static void
raise_error(void *arg)
{
	AwsCall    *call = arg;
	const AwsError *error = &call->error;

	smf_call_read_error(call);
	FUZZ_CHECK(error->http_status == answer.status);
	if (error->code != NULL)
		FUZZ_CHECK(strlen(error->code) < SMF_ERROR_CODE_SIZE * 3 && strpbrk(error->code, ":#\r\n") == NULL);
	smf_call_raise(call);
}

/* Is it one of the states that doc/options.md lists for an answer? */
static bool
is_documented(int sqlstate)
{
	return sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION ||
		sqlstate == ERRCODE_INSUFFICIENT_RESOURCES || sqlstate == ERRCODE_PROTOCOL_VIOLATION ||
		sqlstate == ERRCODE_FDW_ERROR;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {300, 307, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 599};
	FuzzInput	input = {data, size};
	uint8_t		there;
	char		key[] = "AKIAKEY";
	char		token[] = TOKEN;
	char		remedy[] = "Set others.";
	AwsSession	session = {.credentials = {.access_key_id = key, .remedy = remedy, .source = "a test"}};
	AwsClient	client = {.session = &session};
	AwsCall		call = {.client = &client, .operation = "DescribeTrainingJob", .attempt = 1,
	.subject = "job", .result = SMF_HTTP_OK, .request = (HttpRequest *) &answer};
	double		delay_s;

	answer.status = statuses[fuzz_byte(&input) % lengthof(statuses)];
	there = fuzz_byte(&input);
	answer.error_type = fuzz_string(&input);
	answer.retry_after = fuzz_string(&input);
	if ((there & 1) == 0)
		answer.error_type = NULL;
	if ((there & 2) == 0)
		answer.retry_after = NULL;
	answer.in_milliseconds = (there & 4) != 0;
	client.echo_text = (there & 8) != 0;
	fuzz_encoding = (there & 16) != 0 ? PG_LATIN1 : PG_UTF8;
	if ((there & 32) != 0)
		session.credentials.session_token = token;
	client.config.server_name = "server";
	client.config.topic = &topic;
	client.config.service = &service;
	client.config.region = "us-east-1";
	answer.body = (const char *) input.at;
	answer.body_len = input.left;
	call.answer = answer.body;
	call.answer_len = answer.body_len;

	delay_s = smf_retry_after(smf_http_header(NULL, "x-amz-retry-after"), smf_http_header(NULL, "Retry-After"));
	FUZZ_CHECK(delay_s >= 0 && delay_s <= 60);
	FUZZ_CHECK(fuzz_raises(raise_error, &call));
	FUZZ_CHECK(is_documented(fuzz_error.sqlstate));
	FUZZ_CHECK(strstr(fuzz_error.detail, TOKEN) == NULL);
	FUZZ_CHECK(fuzz_error.hint == NULL || strstr(fuzz_error.hint, TOKEN) == NULL);
	FUZZ_CHECK(pg_encoding_verifymbstr(fuzz_encoding, fuzz_error.detail, strlen(fuzz_error.detail)) ==
			   strlen(fuzz_error.detail));
	fuzz_reset();
	return 0;
}
