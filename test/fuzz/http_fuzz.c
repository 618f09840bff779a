/*-------------------------------------------------------------------------
 *
 * http_fuzz.c
 *		Headers and bodies as libcurl hands them over, and the date in them.
 *
 * And, before the first input, what no query may get to: a sleep that nothing ends.
 *
 * Input: lines of headers, up to a NUL; pieces of the body, each up to a NUL.  They are
 * read twice, as when a request begins anew: nothing of the first time is left then.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/sigv4.h"
#include "http/request.c"

/* A body may have no more. */
#define BODY_MAX 200

/* Hand over the head's lines; false when one is refused. */
static bool
read_head(HttpRequest *request, const char *head)
{
	while (*head)
	{
		size_t		len = strcspn(head, "\n");
		char	   *line;

		len += head[len] == '\n';
		/* libcurl's lines have no NUL behind them */
		line = memcpy(palloc(len), head, len);
		if (header_callback(line, 1, len, request) != len)
			return false;
		head += len;
	}
	return true;
}

static void
check_headers(const HttpRequest *request)
{
	static const char *const names[] = {"x-amzn-RequestId", "x-amzn-ErrorType", "Retry-After", "Date"};
	char		date[SMF_SIGV4_DATE_SIZE];
	int64		date_s = smf_http_date(request);

	for (int i = 0; i < lengthof(names); i++)
	{
		const char *value = smf_http_header(request, names[i]);

		if (value != NULL)
			FUZZ_CHECK(value > request->head && value + strlen(value) < request->head + request->head_len &&
					   *value != ' ' && *value != '\t' && strchr(value, '\n') == NULL);
	}
	/* what the service's clock says can be signed */
	FUZZ_CHECK(date_s == -1 || (date_s >= 0 && smf_sigv4_date(date_s, date)));
}

/* ----- sleeps ----- */

static void
wait_for_news(void *arg)
{
	smf_http_wait(*(uint64 *) arg);
}

static void
arm_for_news(void *arg)
{
	smf_http_arm(*(uint64 *) arg);
}

/* Nobody sleeps for nothing, for a notice alone, or on news; all see it at once. */
static void
check_sleeps(void)
{
	HttpTimer	notice = {.reminder = true};
	uint64		events;

	smf_http.started = true;
	smf_http.epoll_fd = smf_http.timer_fd = -1;
	for (int i = 0; i < 2; i++)
	{
		events = smf_http_events();
		FUZZ_CHECK(fuzz_raises(wait_for_news, &events) && fuzz_error.sqlstate == ERRCODE_INTERNAL_ERROR);
		FUZZ_CHECK(fuzz_raises(arm_for_news, &events) && fuzz_error.sqlstate == ERRCODE_INTERNAL_ERROR);
		smf_http_add_event();
		FUZZ_CHECK(!fuzz_raises(wait_for_news, &events));
		smf_http_timer_set(&notice, smf_http_now() + INT64CONST(3600000000));
	}
	smf_http_timer_cancel(&notice);
	memset(&smf_http, 0, sizeof(smf_http));
	fuzz_reset();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	check_sleeps();
	return 0;
}

/* Read a response; false when it is refused. */
static bool
read_response(HttpRequest *request, const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};
	size_t		sent = 0;
	bool		whole = read_head(request, fuzz_string(&input));

	FUZZ_CHECK(whole || request->failure == SMF_HTTP_TOO_LARGE);
	check_headers(request);
	while (input.left > 0)
	{
		char	   *piece = fuzz_string(&input);
		size_t		len = strlen(piece);

		if (body_callback(piece, 1, len, request) != len)
		{
			FUZZ_CHECK(sent + len > BODY_MAX && request->failure == SMF_HTTP_TOO_LARGE);
			return false;
		}
		sent += len;
		FUZZ_CHECK(request->body_len == sent && sent <= BODY_MAX && request->body[sent] == '\0');
	}
	return whole;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HttpRequest request = {.max_response_size = BODY_MAX};
	HttpRequest first;
	size_t		len;

	(void) read_response(&request, data, size);
	first = request;
	smf_http_request_reset(&request);
	FUZZ_CHECK(request.failure == SMF_HTTP_PENDING && smf_http_date(&request) == -1);
	FUZZ_CHECK(*smf_http_body(&request, &len) == '\0' && len == 0 && *smf_http_error(&request) == '\0');
	(void) read_response(&request, data, size);
	FUZZ_CHECK(request.failure == first.failure && request.body_len == first.body_len &&
			   request.head_len == first.head_len && request.head_seen == first.head_seen);
	free(request.head);
	free(request.body);
	fuzz_reset();
	return 0;
}
