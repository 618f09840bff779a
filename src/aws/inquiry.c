/*-------------------------------------------------------------------------
 *
 * inquiry.c
 *		Questions to services and programs, asked one after another without blocking.
 *
 * They are for something rare that must happen before anything else can: getting
 * credentials.  That may take several requests, each built from the answers before it, by
 * way of files, profiles and roles.  This reads best as one procedure from top to bottom,
 * but it must not hold up other scans of the session.  So the procedure is run again from
 * its beginning whenever an answer has arrived: earlier questions are answered at once
 * from the stored answers, and the first new question is sent.  A run takes next to no
 * time, and there are never more than a few.
 *
 * Any wait in the session moves an inquiry on, as it does requests: see http.c.  An error
 * that ends it is kept for the caller that needs the result.
 *
 * Not accounted for: an inquiry asks only one question at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include <openssl/crypto.h>

#include "aws/error_code.h"
#include "aws/inquiry.h"
#include "aws/json.h"
#include "aws/network.h"
#include "aws/quote.h"
#include "aws/retry.h"
#include "aws/xml.h"
#include "common/pg_prng.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

struct Inquiry
{
	MemoryContext context;		/* holds all of it */
	MemoryContext run_context;	/* holds one run */
	InquiryRun	run;
	InquiryEnded ended;
	void	   *arg;			/* for both; lives in "context" */
	List	   *steps;			/* InquiryStep *, in the order in which they were asked */
	int			next;			/* index in these of the question that the run comes to
								 * next */
	bool		restart;		/* discard all answers and start again */
	bool		has_ended;
	ErrorData  *error;			/* the error that ended it; NULL: none */
};

/*
 * smf_inquiry_begin
 *		Create an inquiry in its own memory context below "parent"; it goes away with
 *		that, whatever is under way.
 *
 * It comes with "arg_size" zeroed bytes, which smf_inquiry_arg() returns, for the data of
 * "run" and "ended"; "ended" may be NULL.  smf_inquiry_start asks the first question.
 */
Inquiry *
smf_inquiry_begin(MemoryContext parent, InquiryRun run, InquiryEnded ended, size_t arg_size)
{
	MemoryContext context = AllocSetContextCreate(parent, "sagemaker_fdw inquiry",
												  ALLOCSET_SMALL_SIZES);
	Inquiry    *inquiry = MemoryContextAllocZero(context, sizeof(Inquiry));

	inquiry->context = context;
	inquiry->run_context = AllocSetContextCreate(context, "sagemaker_fdw inquiry's run",
												 ALLOCSET_SMALL_SIZES);
	inquiry->run = run;
	inquiry->ended = ended;
	inquiry->arg = MemoryContextAllocZero(context, arg_size);
	return inquiry;
}

/* The data of the inquiry's procedure; belongs to the inquiry. */
void *
smf_inquiry_arg(const Inquiry *inquiry)
{
	return inquiry->arg;
}

/* Run the procedure as far as there are answers.  Raises no error: it is kept instead. */
static void
run(Inquiry *inquiry)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool ended = false;

	PG_TRY();
	{
		/* Run it from its beginning, and again if it finds an answer out of date. */
		do
		{
			MemoryContextReset(inquiry->run_context);
			MemoryContextSwitchTo(inquiry->run_context);
			inquiry->restart = false;
			inquiry->next = 0;
			ended = inquiry->run(inquiry, inquiry->arg);
			if (inquiry->restart)
				inquiry->steps = NIL;
		} while (inquiry->restart);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(inquiry->context);
		inquiry->error = CopyErrorData();
		FlushErrorState();
		ended = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	if (!ended)
		return;

	/* Wake up whoever waits for it, and hand over the result. */
	inquiry->has_ended = true;
	smf_http_add_event();
	if (inquiry->ended != NULL)
		inquiry->ended(inquiry, inquiry->arg);
}

/*
 * smf_inquiry_start
 *		Ask the first question.  If no question needs the network, the inquiry has
 *		ended when this returns.
 */
void
smf_inquiry_start(Inquiry *inquiry)
{
	run(inquiry);
}

/* Has it ended, in success or failure? */
bool
smf_inquiry_ended(const Inquiry *inquiry)
{
	return inquiry->has_ended;
}

/* The SQLSTATE of the error that ended it, as errcode packs it; 0 if there was none. */
int
smf_inquiry_sqlerrcode(const Inquiry *inquiry)
{
	return inquiry->error ? inquiry->error->sqlerrcode : 0;
}

/*
 * Raise the error that ended it, if there is one.  A copy is raised, so the inquiry may
 * then be freed.
 */
void
smf_inquiry_raise(const Inquiry *inquiry)
{
	if (inquiry->error != NULL)
		ReThrowError(inquiry->error);
}

/* The error that ended it, in words; belongs to the inquiry.  There must be one. */
const char *
smf_inquiry_problem(const Inquiry *inquiry)
{
	return inquiry->error->detail ? inquiry->error->detail : inquiry->error->message;
}

/*
 * Wait until it has ended, and raise the error that ended it.  Query cancels are raised,
 * too.
 */
void
smf_inquiry_wait(Inquiry *inquiry)
{
	for (;;)
	{
		uint64		events = smf_http_events();

		if (inquiry->has_ended)
			break;
		smf_http_wait(events);
	}
	smf_inquiry_raise(inquiry);
}

/* Abort what is under way, and free the inquiry.  Raises no error. */
void
smf_inquiry_free(Inquiry *inquiry)
{
	MemoryContextDelete(inquiry->context);
}

/* ----- for implementing questions ----- */

/* The memory context for what must live as long as the inquiry. */
MemoryContext
smf_inquiry_context(const Inquiry *inquiry)
{
	return inquiry->context;
}

/*
 * smf_inquiry_restart
 *		Discard all answers, so that the procedure starts again and asks everything
 *		once more: the last answer shows that an earlier one is out of date.  The
 *		procedure must then return that it lacks an answer.  False if there was no
 *		earlier answer.
 */
bool
smf_inquiry_restart(Inquiry *inquiry)
{
	if (inquiry->next < 2)
		return false;
	inquiry->restart = true;
	return true;
}

/*
 * smf_inquiry_comes_again
 *		Was the next question already asked in an earlier run?  If so, the data it was
 *		asked with need not exist any more.
 */
bool
smf_inquiry_comes_again(const Inquiry *inquiry)
{
	return inquiry->next < list_length(inquiry->steps);
}

/*
 * smf_inquiry_step
 *		The next question of this run: one from an earlier run, or a new one of "size"
 *		bytes.  Those are zeroed, except for the InquiryStep that comes first.
 */
void *
smf_inquiry_step(Inquiry *inquiry, size_t size)
{
	InquiryStep *step;

	if (inquiry->next < list_length(inquiry->steps))
		step = list_nth(inquiry->steps, inquiry->next);
	else
	{
		MemoryContext old = MemoryContextSwitchTo(inquiry->context);

		step = palloc0(size);
		step->inquiry = inquiry;
		inquiry->steps = lappend(inquiry->steps, step);
		MemoryContextSwitchTo(old);
	}
	inquiry->next++;
	return step;
}

/* The question has been answered: run the procedure again.  Raises no error. */
void
smf_inquiry_answered(InquiryStep *step)
{
	step->answered = true;
	run(step->inquiry);
}

/* ----- requests ----- */

/* A request and its answer; lives as long as its inquiry. */
typedef struct Fetch
{
	InquiryStep step;
	MemoryContextCallback callback; /* aborts it */
	HttpTarget	target;			/* strings copied */
	HttpMessage message;		/* the same; secrets are overwritten */
	FetchPolicy policy;
	int			attempt;		/* number of the request under way, or of the last one */
	HttpRequest *request;		/* NULL between attempts */
	int64		sent_us;		/* smf_http_now() when it was sent */
	HttpTimer	delay;			/* before another attempt */
	FetchAnswer answer;
} Fetch;

static void send_fetch(Fetch *fetch);

/* Overwrite what was sent: it may be secret, and is not needed any more. */
static void
forget_message(Fetch *fetch)
{
	for (int i = 0; i < fetch->message.nheaders; i++)
	{
		char	   *header = unconstify(char *, fetch->message.headers[i]);

		OPENSSL_cleanse(header, strlen(header));
	}
	if (fetch->message.body != NULL)
		OPENSSL_cleanse(unconstify(char *, fetch->message.body), fetch->message.body_len);
	fetch->message.nheaders = 0;
	fetch->message.body = NULL;
}

static void
forget_body(Fetch *fetch)
{
	if (fetch->answer.body != NULL)
		OPENSSL_cleanse(fetch->answer.body, fetch->answer.body_len);
	fetch->answer.body = NULL;
}

/* Memory context callback: raises no error. */
static void
fetch_gone(void *arg)
{
	Fetch	   *fetch = arg;

	smf_http_timer_cancel(&fetch->delay);
	smf_http_free(fetch->request);
	fetch->request = NULL;
	forget_message(fetch);
	forget_body(fetch);
}

/* Copy what is to be sent into the inquiry's context, which must be the current one. */
static void
keep_request(Fetch *fetch, const HttpTarget *target, const HttpMessage *message)
{
	const char **headers = palloc0((message->nheaders + 1) * sizeof(char *));

	fetch->target = *target;
	fetch->target.url = pstrdup(target->url);
	fetch->target.network = smf_http_network_copy(&target->network);
	fetch->message = *message;
	fetch->message.method = pstrdup(message->method);
	for (int i = 0; i < message->nheaders; i++)
		headers[i] = pstrdup(message->headers[i]);
	fetch->message.headers = headers;
	if (message->body != NULL)
	{
		char	   *body = palloc(message->body_len + 1);

		memcpy(body, message->body, message->body_len);
		body[message->body_len] = '\0';
		fetch->message.body = body;
	}
}

/* An element of an XML answer in the database encoding, palloc'ed; NULL if it is missing. */
static char *
element(const FetchAnswer *answer, const char *name)
{
	size_t		len;
	char	   *found = smf_xml_element(answer->body, answer->body_len, name, &len);
	char	   *text = found ? smf_text_from_utf8(found, len) : NULL;

	free(found);
	return text;
}

/* Make text from the answer fit for a message. */
static char *
quote(const Fetch *fetch, char *text)
{
	return smf_quote(text, fetch->request, fetch->message.body);
}

/* Extract error code and message from an answer that is an error. */
static void
take_error(const Fetch *fetch, FetchAnswer *answer)
{
	const char *header = smf_http_header(fetch->request, "x-amzn-ErrorType");
	char		cut[SMF_ERROR_CODE_SIZE];

	if (header != NULL)
	{
		smf_error_code(header, cut, sizeof(cut));
		answer->code = quote(fetch, smf_text_from_utf8(cut, strlen(cut)));
	}
	else
	{
		answer->code = quote(fetch, element(answer, "Code"));
		answer->message = quote(fetch, element(answer, "Message"));
	}
}

static void
take_answer(Fetch *fetch)
{
	const HttpRequest *request = fetch->request;
	FetchAnswer *answer = &fetch->answer;
	const char *body;

	memset(answer, 0, sizeof(FetchAnswer));
	answer->date_s = -1;
	answer->url = fetch->target.url;
	answer->took_s = (smf_http_now() - fetch->sent_us) / 1000000;
	answer->result = smf_http_result(request);
	if (answer->result != SMF_HTTP_OK)
	{
		answer->error = quote(fetch, smf_text_from_utf8(smf_http_error(request), strlen(smf_http_error(request))));
		return;
	}
	answer->status = smf_http_status(request);
	body = smf_http_body(request, &answer->body_len);
	answer->body = palloc(answer->body_len + 1);
	memcpy(answer->body, body, answer->body_len);
	answer->body[answer->body_len] = '\0';
	if (answer->status >= 400)
		take_error(fetch, answer);
	answer->date_s = smf_http_date(request);
	answer->ahead_s = answer->date_s - (int64) time(NULL);
}

/* May the failure be temporary?  Other keys and another clock are up to the caller. */
static bool
may_pass(const Fetch *fetch)
{
	const FetchAnswer *answer = &fetch->answer;
	RetryClass	retry_class;

	if (answer->result != SMF_HTTP_OK)
		return smf_http_transient(answer->result) && !fetch->policy.answered_only;
	retry_class = smf_error_class(answer->status, answer->code, answer->message);
	return retry_class == SMF_RETRY_TRANSIENT || retry_class == SMF_RETRY_THROTTLED ||
		(fetch->policy.may_pass != NULL && fetch->policy.may_pass(answer));
}

/* Seconds to wait before the next attempt: at least what the answer asks for. */
static double
delay_s(const Fetch *fetch)
{
	double		delay = smf_retry_delay(fetch->attempt + 1, pg_prng_double(&pg_global_prng_state));

	if (fetch->answer.result == SMF_HTTP_OK)
		delay = Max(delay, smf_retry_after(smf_http_header(fetch->request, "x-amz-retry-after"),
										   smf_http_header(fetch->request, "Retry-After")));
	return delay;
}

/* The request has ended: pass its answer on, or send it again. */
static void
fetch_done(HttpRequest *request, void *arg)
{
	Fetch	   *fetch = arg;
	MemoryContext old = MemoryContextSwitchTo(fetch->step.inquiry->context);
	bool		again;

	forget_body(fetch);
	take_answer(fetch);
	again = fetch->attempt < fetch->policy.attempts && may_pass(fetch);
	if (again)
		smf_http_timer_set(&fetch->delay, smf_http_now() + (int64) (delay_s(fetch) * 1e6));
	smf_http_free(fetch->request);
	fetch->request = NULL;
	MemoryContextSwitchTo(old);
	if (again)
		return;
	forget_message(fetch);
	smf_inquiry_answered(&fetch->step);
}

/*
 * There was not even memory to send the request: report that, but only during the next
 * wait.
 */
static void
fetch_failed(HttpTimer *timer)
{
	Fetch	   *fetch = (Fetch *) ((char *) timer - offsetof(Fetch, delay));

	fetch->answer.result = SMF_HTTP_NO_MEMORY;
	fetch->answer.url = fetch->target.url;
	fetch->answer.error = "out of memory";
	fetch->answer.date_s = -1;
	smf_inquiry_answered(&fetch->step);
}

static void
delay_over(HttpTimer *timer)
{
	send_fetch((Fetch *) ((char *) timer - offsetof(Fetch, delay)));
}

static void
send_fetch(Fetch *fetch)
{
	fetch->attempt++;
	fetch->sent_us = smf_http_now();
	fetch->request = smf_http_send(&fetch->target, &fetch->message, fetch_done, fetch);
	if (fetch->request != NULL)
		return;
	fetch->delay.fire = fetch_failed;
	smf_http_timer_set(&fetch->delay, smf_http_now());
}

/*
 * smf_fetch
 *		The answer to a request, which lives as long as the inquiry; NULL: there is
 *		none yet, and the inquiry will be run again when there is.
 *
 * The request is copied.  While it fails for a reason that may be temporary, it is sent
 * again as the policy says.  A failure is part of the answer.
 */
const FetchAnswer *
smf_fetch(Inquiry *inquiry, const HttpTarget *target, const HttpMessage *message,
		  const FetchPolicy *policy)
{
	Fetch	   *fetch = smf_inquiry_step(inquiry, sizeof(Fetch));
	MemoryContext old;

	if (fetch->step.answered)
		return &fetch->answer;
	if (fetch->step.asked)
		return NULL;
	fetch->step.asked = true;
	old = MemoryContextSwitchTo(inquiry->context);
	keep_request(fetch, target, message);
	fetch->policy = *policy;
	fetch->delay.fire = delay_over;
	fetch->callback.func = fetch_gone;
	fetch->callback.arg = fetch;
	MemoryContextRegisterResetCallback(inquiry->context, &fetch->callback);
	send_fetch(fetch);
	MemoryContextSwitchTo(old);
	return NULL;
}
