/*-------------------------------------------------------------------------
 *
 * expiry.h
 *		When to replace credentials that expire.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_EXPIRY_H
#define SMF_EXPIRY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* The life of credentials that do not expire, in seconds. */
#define SMF_NEVER INT64_MAX

/* A moment that never comes. */
#define SMF_NEVER_AT HUGE_VAL

/* When to act on credentials, in seconds of a clock that never goes back. */
typedef struct ExpiryPlan
{
	double		renew_at_s;		/* ask the source for new ones; may be SMF_NEVER_AT */
	double		wait_at_s;		/* from then on calls wait for new ones; SMF_NEVER_AT: they
								 * continue with these, and the service decides */
} ExpiryPlan;

extern int64_t smf_expiry_life(int64_t expires_at_s, int64_t date_s, int64_t now_s, int64_t clock_offset_s);
extern ExpiryPlan smf_expiry_plan(int64_t life_s, double now_s, double draw);
extern ExpiryPlan smf_expiry_plan_after_failure(const ExpiryPlan *plan, double now_s, double draw);
extern bool smf_clock_offset_credible(int64_t offset_s);

#endif							/* SMF_EXPIRY_H */
