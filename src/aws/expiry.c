/*-------------------------------------------------------------------------
 *
 * expiry.c
 *		When to replace credentials that expire.
 *
 * Pure: clocks and the random number are arguments.
 *
 * The source is asked early, while calls continue with the old credentials.  They wait
 * for new ones only when the old ones are about to expire.
 *
 * If the source returns credentials that have already expired, or fails when it is asked
 * for new ones, calls continue with the existing ones, as in the SDKs ("static
 * stability"): the clocks may be wrong, and a service that knows of an outage may extend
 * the life of what it issued.  Only the service knows whether credentials are valid, and
 * it says so.
 *
 * Not accounted for: after a machine was suspended, credentials that have expired in the
 * meantime are taken to be valid until the service refuses them.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/expiry.h"

/* The source is asked for new credentials this many seconds before they expire. */
#define RENEW_S 900

/* Calls wait for new credentials from this many seconds before they expire. */
#define WAIT_S 60

/* Credentials that are valid for no longer than this count as expired on arrival. */
#define LIFE_MIN_S 1

/*
 * Credentials that arrived expired are used, and the source is asked again after 5 to 15
 * minutes.
 */
#define STABLE_MIN_S 300
#define STABLE_MAX_S 900

/*
 * After the source failed while there was time left, it is asked again after this many
 * seconds.
 */
#define FAILED_RETRY_S 60

/* A larger difference between clocks means that one of them shows nonsense. */
#define CLOCK_OFFSET_MAX_S (24 * 60 * 60)

static double
lesser(double one, double other)
{
	return one < other ? one : other;
}

/*
 * smf_clock_offset_credible
 *		May the service's clock be this many seconds ahead of ours?  No request could
 *		be signed by a clock that shows nonsense.
 */
bool
smf_clock_offset_credible(int64_t offset_s)
{
	return offset_s > -CLOCK_OFFSET_MAX_S && offset_s < CLOCK_OFFSET_MAX_S;
}

/*
 * smf_expiry_life
 *		How many seconds credentials that have just arrived are valid; 0 or less: they
 *		have expired.  SMF_NEVER if "expires_at_s" is 0.
 *
 * The seconds count from the issuer's time: "date_s", the Date of the answer, or, if that
 * is -1, our own clock "now_s" plus the known offset of the service's clock.  All are
 * epoch seconds.
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
 *		What to do with credentials that have just arrived and are valid for this long.
 *		"draw" is uniform in [0, 1).
 *
 * They are renewed a quarter of an hour before they expire, as in the SDKs; short-lived
 * ones after a part of their life.
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
 *		What to do with credentials when their source was asked for new ones and gave
 *		none, though the service has not refused the old ones.
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
