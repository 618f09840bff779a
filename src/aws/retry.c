/*-------------------------------------------------------------------------
 *
 * retry.c
 *		When to call again, and how long to wait first.
 *
 * Pure: the clock and the random draw are arguments, so every schedule can be
 * tested.  It knows AWS error codes, not HTTP handles; client.c does the waiting.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/retry.h"

#include <stdlib.h>
#include <string.h>

/* What a retry takes from the quota. */
#define RETRY_COST 5
#define TIMEOUT_RETRY_COST 10

/* Longest delay before an attempt, in seconds. */
#define DELAY_MAX_S 20.0

/*
 * Bound of a throttled call's first delay where a rate holds calls back, in seconds.  The
 * SDKs begin with 1: that is what calls wait for in vain when throttles come at random.
 */
#define THROTTLED_DELAY_S 0.1

/*
 * Longest such delay while the operation makes progress, and how recent a success must be
 * for that, in seconds.
 */
#define PROGRESS_DELAY_MAX_S 1.0
#define PROGRESS_S 5.0

/* Longest delay that the service may ask for, in seconds. */
#define RETRY_AFTER_MAX_S 60.0

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

/*
 * smf_retry_code_valid
 *		Does it look like an error code, rather than any text: letters, digits, dots,
 *		hyphens and underscores, a letter first?
 */
bool
smf_retry_code_valid(const char *code)
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

/* Full jitter: between nothing and "bound_s", doubled so many times, but "most_s" at most. */
static double
jittered(double bound_s, int doublings, double most_s, double draw)
{
	for (int i = 0; i < doublings && bound_s < most_s; i++)
		bound_s *= 2;
	return draw * (bound_s < most_s ? bound_s : most_s);
}

/*
 * smf_retry_refuses_credentials
 *		Does the error say that the credentials are taken for nobody's?  NULL is no code.
 */
bool
smf_retry_refuses_credentials(const char *code)
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
 * smf_retry_denies
 *		Does it say that they are somebody's, who may not do that?
 */
bool
smf_retry_denies(const char *code)
{
	static const char *const denied[] = {
		"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation", NULL
	};

	return is_one_of(code, denied);
}

/*
 * smf_retry_delay
 *		Seconds to wait before attempt "attempt" (2 is the first retry).
 *
 * "draw" is uniform in [0, 1).
 */
double
smf_retry_delay(int attempt, double draw)
{
	return jittered(1, attempt - 2, DELAY_MAX_S, draw);
}

/*
 * smf_retry_throttled_delay
 *		Seconds to wait after a call was throttled "throttles" times in a row, where a
 *		rate holds calls back.
 *
 * "success_age_s" is how long ago a call of the operation last succeeded, HUGE_VAL for
 * never.  While some do, it is the rate that has to bear the limit, and a delay only
 * spreads the calls of a burst.  "draw" is uniform in [0, 1).
 */
double
smf_retry_throttled_delay(int throttles, double success_age_s, double draw)
{
	double		most_s = success_age_s < PROGRESS_S ? PROGRESS_DELAY_MAX_S : DELAY_MAX_S;

	return jittered(THROTTLED_DELAY_S, throttles - 1, most_s, draw);
}

/* A decimal number without a sign, maybe with blanks behind it; 0 for anything else. */
static double
read_decimal(const char *text)
{
	size_t		len = text ? strspn(text, "0123456789.") : 0;
	char	   *end;
	double		number;

	if (len == 0 || text[len + strspn(text + len, " \t")] != '\0')
		return 0;
	number = strtod(text, &end);
	return end == text + len ? number : 0;
}

/*
 * smf_retry_after
 *		Seconds that the service asks to wait, within reason; 0 when it does not.
 *
 * "milliseconds" is the value of the header x-amz-retry-after, "seconds" that of
 * Retry-After; NULL: the answer lacks it.  The first counts where it says anything.
 * Retry-After may also be a date: that would compare the service's clock with
 * ours, and is overlooked, so that the caller waits as long as it would without.
 */
double
smf_retry_after(const char *milliseconds, const char *seconds)
{
	double		asked_s = read_decimal(milliseconds) / 1000;

	if (asked_s == 0)
		asked_s = read_decimal(seconds);
	return asked_s < RETRY_AFTER_MAX_S ? asked_s : RETRY_AFTER_MAX_S;
}

/*
 * smf_quota_take
 *		Take from the quota for a retry; returns what was taken, for
 *		smf_quota_give, or 0 when too little is left.
 */
int
smf_quota_take(RetryQuota *quota, bool timed_out)
{
	int			cost = timed_out ? TIMEOUT_RETRY_COST : RETRY_COST;

	if (quota->left < cost)
		return 0;
	quota->left -= cost;
	return cost;
}

/*
 * smf_quota_give
 *		A call has succeeded: its last retry's cost goes back, or 1 when there
 *		was none.
 */
void
smf_quota_give(RetryQuota *quota, int taken)
{
	quota->left += taken > 0 ? taken : 1;
	if (quota->left > SMF_RETRY_QUOTA)
		quota->left = SMF_RETRY_QUOTA;
}
