/*-------------------------------------------------------------------------
 *
 * message.h
 *		A message to an AWS service, signed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_MESSAGE_H
#define SMF_MESSAGE_H

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/sigv4.h"
#include "http/http.h"

/* Most headers of a message, including the signature's. */
#define SMF_MESSAGE_HEADERS_MAX 6

/* The content of a message and where it goes.  The strings belong to the caller. */
typedef struct AwsMessage
{
	const AwsEndpoint *endpoint;
	const char *region;
	const char *signing_name;	/* of the service */
	const char *content_type;
	const char *target;			/* the operation, for services that take it in a header; NULL:
								 * it is in the body */
	const char *body;
	size_t		body_len;		/* bytes */
	int64		time_s;			/* time of sending by the service's clock: epoch seconds */
} AwsMessage;

/* The request that sends it.  The lines are palloc'ed, and secret. */
typedef struct SignedMessage
{
	HttpMessage http;			/* its headers point to the lines, its body is the caller's */
	char	   *lines[SMF_MESSAGE_HEADERS_MAX];
} SignedMessage;

extern bool smf_message_sign(const AwsMessage *message, const AwsCredentials *credentials,
							 SigV4KeyCache *cache, SignedMessage *signed_message);
extern void smf_message_forget(SignedMessage *signed_message);

#endif							/* SMF_MESSAGE_H */
