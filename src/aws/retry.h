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

/*
 * How often an operation may be called, in seconds of any clock that does not go
 * back.  smf_rate_init first.
 */
typedef struct CallRate
{
	/* what limits it */
	double		ceiling;		/* calls a second; 0: none */
	bool		throttled;		/* the service has said so: "rate" counts */
	double		rate;			/* calls a second that it seems to bear */

	/* tokens: one for each call */
	double		tokens;
	double		tokens_at_s;	/* when they were counted */

	/* the cubic curve that "rate" follows after a throttle */
	double		plateau_rate;	/* what it was before */
	double		plateau_s;		/* seconds until it is that again */
	double		throttled_at_s; /* when the curve began */

	/* the rate of answers, measured in half seconds and smoothed */
	double		measured_rate;
	double		bucket_s;		/* when the half second began */
	int			bucket_calls;	/* answers since then */
} CallRate;

extern void smf_retry_error_code(const char *raw, char *code, size_t size);
extern bool smf_retry_code_valid(const char *code);
extern RetryClass smf_retry_classify(int http_status, const char *code, const char *message);
extern double smf_retry_delay(int attempt, double draw);
extern double smf_retry_after(const char *milliseconds, const char *seconds);

extern int	smf_quota_take(RetryQuota *quota, bool timed_out);
extern void smf_quota_give(RetryQuota *quota, int taken);

extern void smf_rate_init(CallRate *rate, double ceiling, double now_s);
extern double smf_rate_take(CallRate *rate, double now_s);
extern void smf_rate_answered(CallRate *rate, double now_s, double sent_s, bool throttled);

#endif							/* SMF_RETRY_H */
