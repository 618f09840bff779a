/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Whether to call again, and how long to wait first.
 *
 * Pure: the clock and the random number are arguments, so that every schedule can be
 * tested. error_code.c says which failures may be temporary; call.c does the waiting.
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
 * Upper bound of a throttled call's first delay when a rate holds calls back, in seconds.
 * The SDKs start with 1: calls would wait that long for nothing when throttling is
 * random.
 */
#define THROTTLED_DELAY_S 0.1

/*
 * Longest such delay while the operation makes progress, and how recent a success must be
 * to count as progress, in seconds.
 */
#define PROGRESS_DELAY_MAX_S 1.0
#define PROGRESS_S 5.0

/* Longest delay that the service may ask for, in seconds. */
#define RETRY_AFTER_MAX_S 60.0

/* Full jitter: between 0 and "bound_s", which is doubled so many times, up to "most_s". */
static double
jittered(double bound_s, int doublings, double most_s, double draw)
{
	for (int i = 0; i < doublings && bound_s < most_s; i++)
		bound_s *= 2;
	return draw * (bound_s < most_s ? bound_s : most_s);
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
 *		Seconds to wait after a call was throttled "throttles" times in a row, when a
 *		rate holds calls back.
 *
 * "success_age_s" is how long ago a call of the operation last succeeded, HUGE_VAL for
 * never.  While some succeed, the rate has to respect the limit, and a delay only spreads
 * the calls of a burst.  "draw" is uniform in [0, 1).
 */
double
smf_retry_throttled_delay(int throttles, double success_age_s, double draw)
{
	double		most_s = success_age_s < PROGRESS_S ? PROGRESS_DELAY_MAX_S : DELAY_MAX_S;

	return jittered(THROTTLED_DELAY_S, throttles - 1, most_s, draw);
}

/* A decimal number without a sign, possibly followed by blanks; 0 for anything else. */
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
 *		Seconds that the service asks us to wait, within reason; 0 if it does not ask.
 *
 * "milliseconds" is the value of the header x-amz-retry-after, "seconds" that of
 * Retry-After; NULL: the answer lacks it.  The first takes precedence if it has a value.
 * Retry-After may also be a date, which is ignored, because it would compare the
 * service's clock with ours; the caller then waits as long as without the header.
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
 *		Take the cost of a retry from the quota; returns what was taken, for
 *		smf_quota_give, or 0 if too little is left.
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
 *		A call has succeeded: give back the cost of its last retry, or 1 if there was
 *		none.
 */
void
smf_quota_give(RetryQuota *quota, int taken)
{
	quota->left += taken > 0 ? taken : 1;
	if (quota->left > SMF_RETRY_QUOTA)
		quota->left = SMF_RETRY_QUOTA;
}
