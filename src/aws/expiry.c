/*-------------------------------------------------------------------------
 *
 * expiry.c
 *		When credentials that expire are to be replaced.
 *
 * Pure: clocks and the random draw are arguments.
 *
 * The source is asked in good time, while calls go on with the old credentials.  They
 * wait for new ones only when the old are about to expire.
 *
 * Where the source gives what has expired already, or fails when it is asked for
 * others, calls go on with what there is, as the SDKs do ("static stability"): the
 * clocks may be wrong, and a service that knows of an outage may extend the life of
 * what it gave.  Only the service knows whether credentials are good, and says so.
 *
 * Not accounted for: a machine that was suspended takes credentials for good that have
 * expired meanwhile, until the service refuses them.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/expiry.h"

/* Seconds before they expire at which the source is asked for others. */
#define RENEW_S 900

/* Seconds before they expire from which on calls wait for others. */
#define WAIT_S 60

/* What lives no longer came as good as expired. */
#define LIFE_MIN_S 1

/* What came expired is used, and the source asked again after 5 to 15 minutes. */
#define STABLE_MIN_S 300
#define STABLE_MAX_S 900

/* After the source failed in good time, seconds until it is asked again. */
#define FAILED_RETRY_S 60

/* Clocks differ by less than a day, or one of them shows nonsense. */
#define CLOCK_OFFSET_MAX_S (24 * 60 * 60)

static double
lesser(double one, double other)
{
	return one < other ? one : other;
}

/*
 * smf_clock_offset_credible
 *		May the service's clock be so many seconds ahead of ours?  No request could be
 *		signed by a clock that shows nonsense.
 */
bool
smf_clock_offset_credible(int64_t offset_s)
{
	return offset_s > -CLOCK_OFFSET_MAX_S && offset_s < CLOCK_OFFSET_MAX_S;
}

/*
 * smf_expiry_life
 *		How many seconds credentials live that come now; 0 or less: they have expired.
 *		SMF_NEVER where "expires_at_s" is 0.
 *
 * That is counted from the time of who gave them: "date_s", the Date of the answer, or
 * else, with -1, our own clock "now_s" and what the service's is known to be ahead of
 * it.  All are epoch seconds.
 */
int64_t
smf_expiry_life(int64_t expires_at_s, int64_t date_s, int64_t now_s, int64_t clock_offset_s)
{
	if (expires_at_s == 0)
		return SMF_NEVER;
	if (date_s >= 0 && smf_clock_offset_credible(date_s - now_s))
		return expires_at_s - date_s;
	return expires_at_s - (now_s + clock_offset_s);
}

/* Calls go on; the source is asked again later, and not by all sessions at once. */
static ExpiryPlan
stable(double now_s, double draw)
{
	ExpiryPlan	plan = {now_s + STABLE_MIN_S + draw * (STABLE_MAX_S - STABLE_MIN_S), SMF_NEVER_AT};

	return plan;
}

/*
 * smf_expiry_plan
 *		What to do with credentials that come now and live so long.  "draw" is uniform
 *		in [0, 1).
 *
 * A quarter of an hour before they expire, as the SDKs do; of short-lived ones a part
 * of their life.
 */
ExpiryPlan
smf_expiry_plan(int64_t life_s, double now_s, double draw)
{
	ExpiryPlan	plan = {SMF_NEVER_AT, SMF_NEVER_AT};

	if (life_s == SMF_NEVER)
		return plan;
	if (life_s <= LIFE_MIN_S)
		return stable(now_s, draw);
	plan.renew_at_s = now_s + life_s - lesser(RENEW_S, life_s / 4.0);
	plan.wait_at_s = now_s + life_s - lesser(WAIT_S, life_s / 6.0);
	return plan;
}

/*
 * smf_expiry_plan_after_failure
 *		What to do with credentials when their source was asked for others and gave
 *		none, though the service has not refused them.
 */
ExpiryPlan
smf_expiry_plan_after_failure(const ExpiryPlan *plan, double now_s, double draw)
{
	ExpiryPlan	again = *plan;

	if (now_s >= plan->wait_at_s)
		return stable(now_s, draw);
	again.renew_at_s = now_s + FAILED_RETRY_S;
	return again;
}
