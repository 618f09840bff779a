/*-------------------------------------------------------------------------
 *
 * error_code.c
 *		What the error codes of AWS mean.
 *
 * Pure: it knows codes, not answers.  call_error.c reports them to users, retry.c says
 * how long to wait before another attempt.
 *
 * Not accounted for: what a code means for some operations only, such as that there is no
 * such job.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/error_code.h"

#include <string.h>

/*
 * smf_error_code
 *		Extract the error code from a header or a body, cut to "size" bytes.
 *
 * It may be between a namespace and an address:
 * "com.amazonaws.sagemaker#ThrottlingException:http://internal.amazon.com/".
 */
void
smf_error_code(const char *raw, char *code, size_t size)
{
	size_t		len = strcspn(raw, ":");
	const char *begin = raw;

	for (size_t i = 0; i < len; i++)
	{
		if (raw[i] == '#')
			begin = raw + i + 1;
	}
	len -= begin - raw;
	if (len > size - 1)
		len = size - 1;
	memcpy(code, begin, len);
	code[len] = '\0';
}

/*
 * smf_error_code_valid
 *		Does it look like an error code rather than arbitrary text: letters, digits,
 *		dots, hyphens and underscores, starting with a letter?
 */
bool
smf_error_code_valid(const char *code)
{
	size_t		len = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return len > 0 && code[len] == '\0' && strchr("0123456789._-", code[0]) == NULL;
}

static bool
is_one_of(const char *code, const char *const *codes)
{
	if (code == NULL)
		return false;
	for (; *codes != NULL; codes++)
	{
		if (strcmp(code, *codes) == 0)
			return true;
	}
	return false;
}

static bool
contains(const char *message, const char *text)
{
	return message != NULL && strstr(message, text) != NULL;
}

/*
 * smf_error_class
 *		What an error answer means for the next attempt.
 *
 * The lists are those of the AWS SDKs.  "code" and "message" may be NULL.
 */
RetryClass
smf_error_class(int http_status, const char *code, const char *message)
{
	static const char *const throttled[] = {
		"Throttling", "ThrottlingException", "ThrottledException",
		"RequestThrottledException", "RequestThrottled", "TooManyRequestsException",
		"ProvisionedThroughputExceededException", "RequestLimitExceeded",
		"BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
		"PriorRequestNotComplete", "TransactionInProgressException",
		"EC2ThrottledException", NULL
	};
	static const char *const transient[] = {
		"RequestTimeout", "RequestTimeoutException", "InternalFailure",
		"InternalServerError", "ServiceUnavailable", "IDPCommunicationError", NULL
	};
	static const char *const skewed[] = {
		"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", NULL
	};
	static const char *const maybe_skewed[] = {
		"InvalidSignatureException", "SignatureDoesNotMatch", NULL
	};
	static const char *const expired[] = {
		"ExpiredToken", "ExpiredTokenException", NULL
	};

	/* A known code says more than the status. */
	if (is_one_of(code, throttled))
		return SMF_RETRY_THROTTLED;
	if (is_one_of(code, expired))
		return SMF_RETRY_EXPIRED;
	if (is_one_of(code, skewed))
		return SMF_RETRY_CLOCK_SKEW;
	if (is_one_of(code, maybe_skewed) &&
		(contains(message, "Signature expired") || contains(message, "Signature not yet current")))
		return SMF_RETRY_CLOCK_SKEW;
	if (is_one_of(code, transient))
		return SMF_RETRY_TRANSIENT;

	/* Otherwise the status decides. */
	switch (http_status)
	{
		case 429:
			return SMF_RETRY_THROTTLED;
		case 500:
		case 502:
		case 503:
		case 504:
			return SMF_RETRY_TRANSIENT;
		default:
			return SMF_RETRY_NO;
	}
}

/*
 * smf_error_refuses_credentials
 *		Does the error say that the service does not recognize the credentials?  NULL:
 *		no code.
 */
bool
smf_error_refuses_credentials(const char *code)
{
	static const char *const refused[] = {
		"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
		"IncompleteSignatureException", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "AuthFailure",
		"ExpiredToken", "ExpiredTokenException",
		"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", NULL
	};

	return is_one_of(code, refused);
}

/*
 * smf_error_key_problem
 *		What an error that refuses credentials finds wrong with them; "code" and "message" may
 *		be NULL.
 */
KeyProblem
smf_error_key_problem(const char *code, const char *message)
{
	static const char *const unknown[] = {
		"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", NULL
	};
	static const char *const wrong[] = {
		"InvalidSignatureException", "SignatureDoesNotMatch", NULL
	};

	if (is_one_of(code, unknown))
		return SMF_KEY_UNKNOWN;
	if (is_one_of(code, wrong) && contains(message, "Credential should be scoped to"))
		return SMF_KEY_ELSEWHERE;
	if (is_one_of(code, wrong) && contains(message, "does not match the signature you provided"))
		return SMF_KEY_WRONG_SECRET;
	if (smf_error_class(0, code, message) == SMF_RETRY_EXPIRED)
		return SMF_KEY_EXPIRED;
	return SMF_KEY_OTHER;
}

/*
 * smf_error_denies
 *		Does the error say that the credentials are valid but lack the permission?
 */
bool
smf_error_denies(const char *code)
{
	static const char *const denied[] = {
		"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation", NULL
	};

	return is_one_of(code, denied);
}
