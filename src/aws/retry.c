/*-------------------------------------------------------------------------
 *
 * retry.c
 *		When to call again, and how long to wait first.
 *
 * Pure: the random draw is an argument, so every schedule can be tested.  It
 * knows AWS error codes, not HTTP handles; client.c does the waiting.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/retry.h"

#include <string.h>

/* Longest delay before an attempt, in seconds. */
#define DELAY_MAX_S 20.0

/*
 * smf_retry_error_code
 *		The error code in what a header or a body gives, cut to "size" bytes.
 *
 * It may stand between a namespace and an address:
 * "com.amazonaws.sagemaker#ThrottlingException:http://internal.amazon.com/".
 */
void
smf_retry_error_code(const char *raw, char *code, size_t size)
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
 * smf_retry_classify
 *		What an answer that is an error means for the next attempt.
 *
 * The lists are those of the AWS SDKs.  "code" and "message" may be NULL.
 */
RetryClass
smf_retry_classify(int http_status, const char *code, const char *message)
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
		"InternalServerError", "ServiceUnavailable", NULL
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
 * smf_retry_delay
 *		Seconds to wait before attempt "attempt" (2 is the first retry).
 *
 * Full jitter: "draw" is uniform in [0, 1), and the delay between nothing and a
 * bound that doubles with each attempt.
 */
double
smf_retry_delay(int attempt, double draw)
{
	double		bound_s = 1;

	for (int i = 2; i < attempt && bound_s < DELAY_MAX_S; i++)
		bound_s *= 2;
	if (bound_s > DELAY_MAX_S)
		bound_s = DELAY_MAX_S;
	return draw * bound_s;
}
