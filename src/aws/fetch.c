/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		One HTTP request, and waiting for its answer.
 *
 * For what is asked for seldom, and before anything else can go on: credentials.
 * Calls in flight move on meanwhile, and a cancel ends the wait at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/fetch.h"
#include "aws/json.h"
#include "aws/retry.h"
#include "aws/xml.h"
#include "common/pg_prng.h"
#include "utils/memutils.h"

/* Longest AWS error code that is kept, with its NUL. */
#define ERROR_CODE_SIZE 128

/* A request on its way; it goes with its memory context. */
typedef struct Fetch
{
	HttpRequest *request;		/* NULL between attempts */
	HttpTimer	delay;
	bool		done;			/* the request has ended, or the delay */
	MemoryContextCallback callback;
} Fetch;

/* Memory context callback: raises no error. */
static void
fetch_gone(void *arg)
{
	Fetch	   *fetch = arg;

	smf_http_timer_cancel(&fetch->delay);
	smf_http_free(fetch->request);
	fetch->request = NULL;
}

/* A body in memory, which is overwritten before it is freed. */
typedef struct FetchBody
{
	MemoryContextCallback callback;
	size_t		len;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} FetchBody;

/* Memory context callback: raises no error. */
static void
body_gone(void *arg)
{
	FetchBody  *body = arg;

	OPENSSL_cleanse(body->text, body->len);
}

/* A copy of a body, with a NUL behind it. */
static char *
keep_body(const char *text, size_t len)
{
	FetchBody  *body = palloc(offsetof(FetchBody, text) + len + 1);

	memcpy(body->text, text, len);
	body->text[len] = '\0';
	body->len = len;
	body->callback.func = body_gone;
	body->callback.arg = body;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &body->callback);
	return body->text;
}

static void
request_done(HttpRequest *request, void *arg)
{
	((Fetch *) arg)->done = true;
}

static void
delay_over(HttpTimer *timer)
{
	((Fetch *) ((char *) timer - offsetof(Fetch, delay)))->done = true;
}

static void
wait_for(Fetch *fetch)
{
	while (!fetch->done)
		smf_http_wait();
	fetch->done = false;
}

/* An element of an XML answer as text of the database, palloc'ed; NULL without it. */
static char *
element(const FetchAnswer *answer, const char *name)
{
	size_t		len;
	char	   *found = smf_xml_element(answer->body, answer->body_len, name, &len);
	char	   *text = found ? smf_text_from_utf8(found, len) : NULL;

	free(found);
	return text;
}

/* What an answer that is an error calls it. */
static void
take_error(const HttpRequest *request, FetchAnswer *answer)
{
	const char *header = smf_http_header(request, "x-amzn-ErrorType");
	char		cut[ERROR_CODE_SIZE];

	if (header != NULL)
	{
		smf_retry_error_code(header, cut, sizeof(cut));
		answer->code = smf_text_from_utf8(cut, strlen(cut));
	}
	else
	{
		answer->code = element(answer, "Code");
		answer->message = element(answer, "Message");
	}
}

static void
take_answer(const HttpRequest *request, FetchAnswer *answer)
{
	const char *body;

	memset(answer, 0, sizeof(FetchAnswer));
	answer->date_s = -1;
	answer->result = smf_http_result(request);
	if (answer->result != SMF_HTTP_OK)
	{
		answer->error = smf_text_from_utf8(smf_http_error(request), strlen(smf_http_error(request)));
		return;
	}
	answer->status = smf_http_status(request);
	body = smf_http_body(request, &answer->body_len);
	answer->body = keep_body(body, answer->body_len);
	if (answer->status >= 400)
		take_error(request, answer);
	answer->date_s = smf_http_date(request);
}

/* Other keys and another clock are the caller's business. */
static bool
may_pass(const FetchAnswer *answer)
{
	RetryClass	retry_class;

	switch (answer->result)
	{
		case SMF_HTTP_OK:
			retry_class = smf_retry_classify(answer->status, answer->code, answer->message);
			return retry_class == SMF_RETRY_TRANSIENT || retry_class == SMF_RETRY_THROTTLED;
		case SMF_HTTP_UNRESOLVED:
		case SMF_HTTP_CONNECT_FAILED:
		case SMF_HTTP_CONNECT_TIMEOUT:
		case SMF_HTTP_TLS_FAILED:
		case SMF_HTTP_READ_TIMEOUT:
		case SMF_HTTP_BROKEN:
			return true;
		default:
			return false;
	}
}

/*
 * smf_fetch
 *		Send a request, up to "attempts" times while it fails for a reason that may
 *		pass, and wait for the answer.
 *
 * A failure is part of the answer; only cancels and the like are raised.
 */
void
smf_fetch(const HttpTarget *target, const HttpMessage *message, int attempts,
		  FetchAnswer *answer)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw fetch",
												  ALLOCSET_SMALL_SIZES);
	Fetch	   *fetch = MemoryContextAllocZero(context, sizeof(Fetch));

	fetch->delay.fire = delay_over;
	fetch->callback.func = fetch_gone;
	fetch->callback.arg = fetch;
	MemoryContextRegisterResetCallback(context, &fetch->callback);

	for (int attempt = 1;; attempt++)
	{
		fetch->request = smf_http_send(target, message, request_done, fetch);
		if (fetch->request == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		wait_for(fetch);
		take_answer(fetch->request, answer);
		smf_http_free(fetch->request);
		fetch->request = NULL;
		if (attempt >= attempts || !may_pass(answer))
			break;
		smf_fetch_forget(answer);
		smf_http_timer_set(&fetch->delay, smf_http_now() +
						   (int64) (smf_retry_delay(attempt + 1, pg_prng_double(&pg_global_prng_state)) * 1e6));
		wait_for(fetch);
	}
	MemoryContextDelete(context);
}

/* Overwrite an answer's body, before its memory context goes. */
void
smf_fetch_forget(FetchAnswer *answer)
{
	if (answer->body != NULL)
		OPENSSL_cleanse(answer->body, answer->body_len);
	answer->body = NULL;
}
