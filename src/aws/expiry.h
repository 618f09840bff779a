/*-------------------------------------------------------------------------
 *
 * expiry.h
 *		When credentials that expire are to be replaced.
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

/* The life of what does not expire, in seconds. */
#define SMF_NEVER INT64_MAX

/* A moment that never comes. */
#define SMF_NEVER_AT HUGE_VAL

/* What is to be done with credentials, in seconds of a clock that does not go back. */
typedef struct ExpiryPlan
{
	double		renew_at_s;		/* the source is asked for others; maybe SMF_NEVER_AT */
	double		wait_at_s;		/* calls wait for these from then on; SMF_NEVER_AT: they
								 * go on with what there is, and the service decides */
} ExpiryPlan;

extern int64_t smf_expiry_life(int64_t expires_at_s, int64_t date_s, int64_t now_s, int64_t clock_offset_s);
extern ExpiryPlan smf_expiry_plan(int64_t life_s, double now_s, double draw);
extern ExpiryPlan smf_expiry_plan_after_failure(const ExpiryPlan *plan, double now_s, double draw);
extern bool smf_clock_offset_credible(int64_t offset_s);

#endif							/* SMF_EXPIRY_H */
