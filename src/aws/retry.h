/*-------------------------------------------------------------------------
 *
 * retry.h
 *		When to call again, and how long to wait first.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_RETRY_H
#define SMF_RETRY_H

#include <stdbool.h>
#include <stddef.h>

/* What a failed attempt was. */
typedef enum RetryClass
{
	SMF_RETRY_NO,				/* it would fail again */
	SMF_RETRY_TRANSIENT,		/* it may well succeed the next time */
	SMF_RETRY_THROTTLED,		/* too many calls: later */
	SMF_RETRY_CLOCK_SKEW,		/* signed with a wrong time */
	SMF_RETRY_EXPIRED			/* signed with expired credentials */
} RetryClass;

/*
 * What retries of one operation may cost.  A retry takes from it, a success gives
 * back: while most calls fail, few are tried again.
 */
typedef struct RetryQuota
{
	int			left;			/* of SMF_RETRY_QUOTA */
} RetryQuota;

#define SMF_RETRY_QUOTA 500

extern void smf_retry_error_code(const char *raw, char *code, size_t size);
extern bool smf_retry_code_valid(const char *code);
extern RetryClass smf_retry_classify(int http_status, const char *code, const char *message);
extern bool smf_retry_refuses_credentials(const char *code);
extern bool smf_retry_denies(const char *code);
extern double smf_retry_delay(int attempt, double draw);
extern double smf_retry_throttled_delay(int throttles, double success_age_s, double draw);
extern double smf_retry_after(const char *milliseconds, const char *seconds);

extern int	smf_quota_take(RetryQuota *quota, bool timed_out);
extern void smf_quota_give(RetryQuota *quota, int taken);

#endif							/* SMF_RETRY_H */
