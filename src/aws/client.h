/*-------------------------------------------------------------------------
 *
 * client.h
 *		Calls to one AWS service endpoint: signed, classified, retried.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CLIENT_H
#define SMF_CLIENT_H

#include "aws/service.h"
#include "aws/session.h"
#include "aws/shared_table.h"
#include "compat/base.h"

/* Why a call failed, in the service's own words if it gave any. */
typedef struct AwsError
{
	int			http_status;	/* 0: there was no response */
	const char *code;			/* AWS error code; NULL: none was given */
	const char *message;		/* may be NULL */
} AwsError;

/* What a client's calls are about, which only the caller knows; constants. */
typedef struct AwsTopic
{
	const char *noun;			/* for one thing that calls are about */
	const char *limit_hint;		/* what to do when max_calls were made */
	bool		(*not_found) (const AwsError *error);	/* does it only say that there is
														 * no such thing? */
	const char *(*instead) (const char *operation); /* what to do other than to allow the
													 * operation: a blank and a sentence, or "" */
} AwsTopic;

/* Where a client's calls go and their limits. */
typedef struct AwsClientConfig
{
	const char *server_name;	/* for messages */
	const AwsService *service;	/* the service that is called */
	const char *account_id;		/* the expected AWS account; NULL: whichever the credentials
								 * belong to */
	const char *region;			/* AWS region; NULL: the session's */
	bool		may_be_unusable;	/* a client without a region or an endpoint can be created
									 * without an error, but cannot make calls */
	AwsNetwork	network;		/* the server's options */
	size_t		max_response_size;	/* bytes */
	int			max_attempts;	/* of one call; throttled ones are not counted */
	int			throttle_timeout_ms;	/* without one success of the operation */
	bool		adaptive;		/* adapt to the rate that the service accepts? */
	double		max_calls_per_second;	/* of an operation; 0: no ceiling */
	int64		max_calls;		/* requests that the client may send; 0: any number */
	const AwsTopic *topic;
} AwsClientConfig;

/* What a client's calls have cost so far. */
typedef struct AwsClientStats
{
	int64		calls;			/* requests sent, retries included */
	int64		retries;
	int64		throttles;		/* throttled answers */
	int64		bytes_received; /* of bodies */
	int64		wait_us;		/* time in which the client's user could only wait */
} AwsClientStats;

typedef struct AwsClient AwsClient;
typedef struct AwsCall AwsCall;

extern AwsClient *smf_client_create(MemoryContext parent, const AwsClientConfig *config,
									const ForeignServer *server, Oid userid);
extern MemoryContext smf_client_context(const AwsClient *client);
extern const char *smf_client_problem(const AwsClient *client);
extern const char *smf_client_url(const AwsClient *client);
extern const AwsCredentials *smf_client_credentials(AwsClient *client);
extern char *smf_client_account(AwsClient *client);
extern int64 smf_client_calls_made(void);
extern const char *smf_client_region(const AwsClient *client);
extern const AwsClientStats *smf_client_stats(const AwsClient *client);
extern void smf_client_key(const AwsClient *client, const char *operation, SharedKey *key);
extern uint64 smf_client_session_number(const AwsClient *client);
extern const char *smf_client_server_name(const AwsClient *client);
extern void smf_client_limit_hint(AwsClient *client, const char *hint);
extern void smf_client_wait(AwsClient *client, uint64 events);
extern void smf_client_poll(AwsClient *client);
extern void smf_client_waited(AwsClient *client, int64 us);
extern void smf_client_wake_at(AwsClient *client, int64 at_us);
extern char *smf_client_endpoint(const AwsClientConfig *config, const ForeignServer *server,
								 Oid userid);

#endif							/* SMF_CLIENT_H */
