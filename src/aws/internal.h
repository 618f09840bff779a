/*-------------------------------------------------------------------------
 *
 * internal.h
 *		A client and its calls, as client.c, call.c and call_error.c know them.
 *
 * call.c moves calls on; call_error.c reads from them why they have failed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_AWS_INTERNAL_H
#define SMF_AWS_INTERNAL_H

#include "aws/call.h"
#include "aws/endpoint.h"
#include "aws/error_code.h"
#include "aws/pace.h"

struct AwsClient
{
	MemoryContext context;		/* the client and its calls */
	MemoryContextCallback callback; /* breaks off calls, releases the session */
	AwsClientConfig config;
	AwsEndpoint endpoint;
	bool		custom_endpoint;	/* an option says it, not the region */
	HttpTarget	target;
	AwsSession *session;		/* our reference; NULL until acquired */
	const char *problem;		/* why it can make no calls, a constant; NULL: it can */
	bool		echo_text;		/* may messages quote what is no AWS answer? */
	const char *limit_hint;		/* what to do when max_calls were made, a constant */
	AwsClientStats stats;
	dlist_head	calls;			/* AwsCall */
	HttpTimer	alarm;			/* ends a smf_client_wait, no more */
	bool		trouble_noted;	/* an attempt of a call got no connection */
	const char *trouble;		/* ... which the user has not been told yet; else NULL */
	const char *trouble_hint;	/* ... and what may be wrong; palloc'ed, as trouble is */
	CredentialWait credentials; /* of smf_client_credentials */
};

struct AwsCall
{
	dlist_node	node;			/* in the client's list */
	AwsClient  *client;
	const char *operation;		/* a constant of the caller's */
	char	   *subject;		/* the thing that messages name, palloc'ed; or NULL */
	char	   *body;			/* palloc'ed */
	size_t		body_len;
	int64	   *attempts_counter;	/* the caller's; counted up for each request */

	AwsPacer   *pacer;			/* the session's, for the operation */
	PaceTurn	turn;			/* waits there for its turn */
	HttpPlace	connection;		/* waits, when that has come, for a connection */

	int			most_attempts;	/* throttled ones count, too; 0: as the options say */
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

/* client.c */
extern void smf_client_leave_queues(AwsCall *call);
extern void smf_client_ask_for_credentials(AwsClient *client);
extern void smf_client_count_request(AwsClient *client);

/* call_error.c */
extern void smf_call_read_error(AwsCall *call);
extern char *smf_call_title(const AwsCall *call);
extern void smf_call_note_trouble(const AwsCall *call, int most);

#endif							/* SMF_AWS_INTERNAL_H */
