/*-------------------------------------------------------------------------
 *
 * message.c
 *		A message to an AWS service, signed.
 *
 * All headers are signed except those that libcurl adds itself.
 *
 * Not accounted for: requests other than POST.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/message.h"

/*
 * A header line, palloc'ed.  Its length is known in advance: a secret must not be left
 * behind in a buffer that was too small.
 */
static char *
header_line(const char *name, const char *value)
{
	size_t		size = strlen(name) + strlen(": ") + strlen(value) + 1;
	char	   *line = palloc(size);

	snprintf(line, size, "%s: %s", name, value);
	return line;
}

static void
add_line(SignedMessage *signed_message, const char *name, const char *value)
{
	signed_message->lines[signed_message->http.nheaders++] = header_line(name, value);
}

/*
 * smf_message_sign
 *		Build the request that sends a message.  "signed_message" must not be moved
 *		afterwards.
 *
 * "credentials" sign it; NULL: it is not signed.  "cache" has the signing key derived
 * last; NULL: no cache.  The lines are palloc'ed, for smf_message_forget.  False, and no
 * lines, without memory for the signature.
 */
bool
smf_message_sign(const AwsMessage *message, const AwsCredentials *credentials,
				 SigV4KeyCache *cache, SignedMessage *signed_message)
{
	SigV4KeyCache own_cache = {0};
	SigV4Header headers[SMF_MESSAGE_HEADERS_MAX - 1];
	SigV4Request request = {.method = "POST", .path = message->endpoint->path, .query = "",
	.headers = headers, .payload = message->body, .payload_len = message->body_len};
	SigV4Scope	scope = {message->region, message->signing_name, message->time_s};
	SigV4Keys	keys;
	char		date[SMF_SIGV4_DATE_SIZE];
	char	   *authorization = NULL;

	memset(signed_message, 0, sizeof(SignedMessage));
	signed_message->http.method = request.method;
	signed_message->http.headers = (const char *const *) signed_message->lines;
	signed_message->http.body = message->body;
	signed_message->http.body_len = message->body_len;

	/* The headers are in the order of their names, as they are signed. */
	headers[request.nheaders++] = (SigV4Header) {"content-type", message->content_type};
	headers[request.nheaders++] = (SigV4Header) {"host", message->endpoint->host};
	if (credentials != NULL)
	{
		(void) smf_sigv4_date(message->time_s, date);
		headers[request.nheaders++] = (SigV4Header) {"x-amz-date", date};
		if (credentials->session_token != NULL)
			headers[request.nheaders++] = (SigV4Header) {"x-amz-security-token", credentials->session_token};
	}
	if (message->target != NULL)
		headers[request.nheaders++] = (SigV4Header) {"x-amz-target", message->target};

	/* Sign them. */
	if (credentials != NULL)
	{
		keys = (SigV4Keys) {credentials->access_key_id, credentials->secret_access_key};
		authorization = smf_sigv4_authorization(cache ? cache : &own_cache, &keys, &scope, &request);
		smf_sigv4_cache_clear(&own_cache);
		if (authorization == NULL)
			return false;
	}

	/* Write the header lines. */
	for (int i = 0; i < request.nheaders; i++)
		add_line(signed_message, headers[i].name, headers[i].value);
	if (authorization != NULL)
		add_line(signed_message, "Authorization", authorization);
	free(authorization);
	return true;
}

/* Overwrite and free the lines, once the message has been sent. */
void
smf_message_forget(SignedMessage *signed_message)
{
	for (int i = 0; i < signed_message->http.nheaders; i++)
	{
		OPENSSL_cleanse(signed_message->lines[i], strlen(signed_message->lines[i]));
		pfree(signed_message->lines[i]);
	}
	signed_message->http.nheaders = 0;
}
