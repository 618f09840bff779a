/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Whether to call again, and how long to wait first.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_RETRY_H
#define SMF_RETRY_H

#include <stdbool.h>

/*
 * Limits the retries of one operation.  A retry takes from it, a success gives back:
 * while most calls fail, few are retried.
 */
typedef struct RetryQuota
{
	int			left;			/* out of SMF_RETRY_QUOTA */
} RetryQuota;

#define SMF_RETRY_QUOTA 500

extern double smf_retry_delay(int attempt, double draw);
extern double smf_retry_throttled_delay(int throttles, double success_age_s, double draw);
extern double smf_retry_after(const char *milliseconds, const char *seconds);

extern int	smf_quota_take(RetryQuota *quota, bool timed_out);
extern void smf_quota_give(RetryQuota *quota, int taken);

#endif							/* SMF_RETRY_H */
