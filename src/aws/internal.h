/*-------------------------------------------------------------------------
 *
 * internal.h
 *		A client and its calls, for client.c, call.c and call_error.c.
 *
 * call.c moves calls on; call_error.c finds out why they failed.
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
	MemoryContextCallback callback; /* aborts calls, releases the session */
	AwsClientConfig config;
	AwsEndpoint endpoint;
	bool		custom_endpoint;	/* set by an option, not derived from the region */
	HttpTarget	target;
	AwsSession *session;		/* our reference; NULL until acquired */
	const char *problem;		/* why it cannot make calls, a constant; NULL: it can */
	bool		echo_text;		/* may messages quote answers that are not from AWS? */
	const char *limit_hint;		/* what to do when max_calls have been made, a constant */
	AwsClientStats stats;
	dlist_head	calls;			/* AwsCall */
	HttpTimer	alarm;			/* does nothing but end a smf_client_wait */
	bool		trouble_noted;	/* an attempt of a call got no connection */
	const char *trouble;		/* ... why, until the user has been told; else NULL */
	const char *trouble_hint;	/* ... and what may be wrong; palloc'ed, like trouble */
	CredentialWait credentials; /* for smf_client_credentials */
};

struct AwsCall
{
	dlist_node	node;			/* in the client's list */
	AwsClient  *client;
	const char *operation;		/* a constant of the caller */
	char	   *subject;		/* the thing that messages name, palloc'ed; or NULL */
	char	   *body;			/* palloc'ed */
	size_t		body_len;
	int64	   *attempts_counter;	/* belongs to the caller; incremented for each request */

	AwsPacer   *pacer;			/* belongs to the session; for the operation */
	PaceTurn	turn;			/* its place in the pacer's queue */
	HttpPlace	connection;		/* its place in the queue for a connection, once its turn has
								 * come */

	int			most_attempts;	/* throttled ones included; 0: as the options say */
	int			attempt;		/* number of the request in flight, or of the last one */
	int			failures;		/* attempts that failed, not counting throttled ones */
	int			throttles;		/* in a row */
	int			retry_cost;		/* what the last retry took from the quota */
	bool		clock_corrected;	/* retried with the service's clock */
	CredentialWait credentials; /* its place in the queue for credentials */
	int			renewals;		/* retries with other credentials */
	int			generation;		/* of the credentials that signed the last request */
	bool		refused;		/* these were refused */
	int64		first_sent_us;	/* smf_http_now() of the first request */
	int64		sent_us;		/* and of the last one */
	HttpRequest *request;		/* in flight, or the answer */
	const char *answer;			/* its body, which belongs to the request */
	size_t		answer_len;		/* bytes */
	HttpTimer	backoff;		/* armed between two attempts, and to end a call that was not
								 * sent */

	bool		done;
	bool		failed;
	bool		over_limit;		/* failed because max_calls had been made */
	HttpResult	result;			/* how the last request ended */
	RetryClass	retry_class;	/* what the last failure was; valid if failed */
	AwsError	error;			/* strings palloc'ed */
	char	   *request_id;		/* from the last answer; or NULL */
	char	   *transport_error;	/* libcurl's text; or NULL */
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
