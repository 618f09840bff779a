/*-------------------------------------------------------------------------
 *
 * retry.c
 *		When to call again, and how long to wait first.
 *
 * Pure: the clock and the random draw are arguments, so every schedule can be
 * tested.  It knows AWS error codes, not HTTP handles; client.c does the waiting.
 *
 * The rate follows the SDKs' adaptive mode: it begins at the first throttle, falls
 * to 0.7 of what was measured, and comes back along a cubic curve.  Two things
 * differ, since a scan makes thousands of calls and each throttled one is a call
 * for nothing.  Throttled calls that were already under way when the rate fell do
 * not make it fall again.  And where the SDKs' curve would be back after a few
 * calls (2 s at 10 calls a second), it takes PLATEAU_CALLS calls instead, or
 * PLATEAU_MAX_S; beyond that point both are the same.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/retry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a retry takes from the quota. */
#define RETRY_COST 5
#define TIMEOUT_RETRY_COST 10

/* The adaptive mode's constants, as the SDKs define them. */
#define RATE_BETA 0.7
#define RATE_SCALE 0.4
#define RATE_MIN 0.5
#define RATE_SMOOTHING 0.8
#define MEASURED_BUCKET_S 0.5
#define MEASURED_FACTOR_MAX 2.0

/*
 * How long the curve takes at least: so many calls, but no longer than this.  A
 * rate below the last of these says how little was asked, not what is borne.
 */
#define PLATEAU_CALLS 60
#define PLATEAU_MAX_S 20.0
#define PLATEAU_RATE_MIN 1.0

/* Longest delay before an attempt, in seconds. */
#define DELAY_MAX_S 20.0

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

/* ----- the rate of calls ----- */

/*
 * smf_rate_init
 *		No limit but the ceiling, which may be 0 for none.
 */
void
smf_rate_init(CallRate *rate, double ceiling, double now_s)
{
	memset(rate, 0, sizeof(*rate));
	rate->ceiling = ceiling;
	rate->tokens = 1;
	rate->tokens_at_s = now_s;
	rate->bucket_s = floor(now_s / MEASURED_BUCKET_S) * MEASURED_BUCKET_S;
}

/* Calls a second that may be made now; 0: any number. */
static double
current_rate(const CallRate *rate)
{
	if (!rate->throttled)
		return rate->ceiling;
	return rate->ceiling > 0 && rate->ceiling < rate->rate ? rate->ceiling : rate->rate;
}

/* Count the tokens that have come since they were last counted. */
static void
refill(CallRate *rate, double now_s)
{
	double		per_s = current_rate(rate);

	/* a ceiling is kept in every second; the adaptive rate saves up for one */
	double		most = rate->ceiling > 0 || per_s < 1 ? 1 : per_s;

	rate->tokens += (now_s - rate->tokens_at_s) * per_s;
	if (rate->tokens > most)
		rate->tokens = most;
	rate->tokens_at_s = now_s;
}

/*
 * smf_rate_take
 *		Take leave for one call: 0, or the seconds after which to ask again,
 *		and then nothing is taken.
 */
double
smf_rate_take(CallRate *rate, double now_s)
{
	double		per_s = current_rate(rate);

	if (per_s == 0)
		return 0;
	refill(rate, now_s);
	/* what is missing may be no more than rounding */
	if (rate->tokens >= 1 - 1e-6)
	{
		rate->tokens -= 1;
		return 0;
	}
	return (1 - rate->tokens) / per_s;
}

static void
measure(CallRate *rate, double now_s)
{
	double		bucket_s = floor(now_s / MEASURED_BUCKET_S) * MEASURED_BUCKET_S;

	rate->bucket_calls++;
	if (bucket_s <= rate->bucket_s)
		return;
	rate->measured_rate = RATE_SMOOTHING * rate->bucket_calls / (bucket_s - rate->bucket_s) +
		(1 - RATE_SMOOTHING) * rate->measured_rate;
	rate->bucket_calls = 0;
	rate->bucket_s = bucket_s;
}

static double
at_least_minimum(double per_s)
{
	return per_s > RATE_MIN ? per_s : RATE_MIN;
}

/* The curve "elapsed_s" after a throttle. */
static double
curve(const CallRate *rate, double elapsed_s)
{
	double		from_plateau_s = elapsed_s - rate->plateau_s;
	double		missing = 1 - elapsed_s / rate->plateau_s;

	if (from_plateau_s >= 0)
		return RATE_SCALE * from_plateau_s * from_plateau_s * from_plateau_s + rate->plateau_rate;
	return rate->plateau_rate * (1 - (1 - RATE_BETA) * missing * missing * missing);
}

/*
 * smf_rate_answered
 *		An answer has come to a call that was sent at "sent_s".
 */
void
smf_rate_answered(CallRate *rate, double now_s, double sent_s, bool throttled)
{
	measure(rate, now_s);
	if (!throttled && !rate->throttled)
		return;
	if (throttled && rate->throttled && sent_s <= rate->throttled_at_s)
		return;
	refill(rate, now_s);

	if (throttled)
	{
		double		before = rate->measured_rate;
		double		sdk_s;
		double		calls_s;

		/* nothing is measured in the first half second: count what it has seen */
		if (before == 0)
			before = rate->bucket_calls / MEASURED_BUCKET_S;
		if (rate->throttled && rate->rate < before)
			before = rate->rate;
		rate->plateau_rate = at_least_minimum(before);
		sdk_s = cbrt(rate->plateau_rate * (1 - RATE_BETA) / RATE_SCALE);
		calls_s = fmin(PLATEAU_CALLS / rate->plateau_rate, PLATEAU_MAX_S);
		if (rate->plateau_rate < PLATEAU_RATE_MIN)
			calls_s = 0;
		rate->plateau_s = fmax(sdk_s, calls_s);
		rate->throttled_at_s = now_s;
		rate->throttled = true;
		rate->rate = at_least_minimum(RATE_BETA * rate->plateau_rate);
	}
	else
	{
		double		most = MEASURED_FACTOR_MAX * rate->measured_rate;

		rate->rate = curve(rate, now_s - rate->throttled_at_s);
		if (rate->rate > most)
			rate->rate = most;
		rate->rate = at_least_minimum(rate->rate);
	}
	if (rate->tokens > 1 && rate->tokens > rate->rate)
		rate->tokens = rate->rate;
}
