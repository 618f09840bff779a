/*-------------------------------------------------------------------------
 *
 * rate.c
 *		How often an operation may be called: a ceiling, and a rate that is learnt.
 *
 * Pure: the clock is an argument, so that every schedule can be tested.  pace.c says who
 * shares a ceiling or a rate, and does the waiting.
 *
 * The ceiling is what an administrator allows.  The learnt rate follows how many calls
 * the service lets through, not how often it throttles.  A limit lets the same number of
 * calls through however many are sent, but throttling may have other causes than our rate
 * (a neighbour's burst, one overloaded front end among many), and slowing down for those
 * would hold up a scan for nothing.
 *
 * The terms used here:
 *
 * - Throttle: an answer that says "throttled".  Delivery: any other answer.  A rate is
 *	 borne if the service accepts it.
 * - Open: until a limit is seen, calls are not paced at all.
 * - The window begins at a throttle and counts deliveries.  A service that throttles us
 *	 has no allowance saved up for us.  So the deliveries between two throttles,
 *	 divided by the time between them, are its limit, however fast we sent and however
 *	 much it can save up.
 * - The base is the last rate that was borne.  A rate above it is a probe: when it is
 *	 throttled, it goes back to the base, or to the limit that the window shows.
 * - A round is a number of answers at one rate.  It is bad as soon as it has more
 *	 throttles than are tolerated: then the rate falls.  It is good if it ends before
 *	 that.
 * - The hold follows a fall: the rate stays the same for some calls, so that most calls
 *	 are made at the base and few as probes.  The hold is counted in calls, because it
 *	 must work for 2 and for 200 per second, but it is limited in time.  A rate that
 *	 survives its hold is the new base.  After that each good round makes the rate
 *	 grow, in steps that double, as long as calls use more than half of the rate.
 * - Trouble counts all answers since a throttle, whether probes or not.  It shows that
 *	 the service is full, in which case the rate falls at once to what is delivered.
 *	 It also raises the suspicion that the throttles are not caused by us.
 * - The experiment settles that suspicion: the rate is set to half of what is delivered.
 *	 If we had reached a limit, there are next to no throttles then, and what was
 *	 delivered is the new base.  Random throttles stay as frequent as they were.  Then
 *	 their share is remembered for a while and not held against the rate, and the rate
 *	 goes back up.
 * - An outage lets nothing through for a while.  The rate falls during it, because nobody
 *	 knows how long it will last.  But a limit always delivers something, so an outage
 *	 says nothing about one.  The first call that gets through therefore takes the rate
 *	 back to what was borne before, or ends pacing if none was needed.
 *
 * Not accounted for: sessions that share no memory respect the limit together, but not in
 * equal parts.  Many random throttles (15 %) together with a limit cost twice as many,
 * because the measured share leaves room for ours.  An outage shorter than half a second
 * is taken for a limit, and a limit of less than one call in four seconds for a series of
 * outages.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/rate.h"

#include <math.h>
#include <string.h>

/* The rate never falls below this: we must notice when the service is back. */
#define RATE_MIN 0.5

/* Above this rate pacing is pointless. */
#define RATE_MAX 10000.0

/*
 * Tokens are saved up for this many seconds, though never fewer than one.  With more, the
 * first of several sessions to ask would get all of them.
 */
#define SAVED_S 0.1

/* Weight of an answer in the smoothed latency. */
#define LATENCY_WEIGHT 0.1

/* Shortest interval to divide by: clocks have limited resolution. */
#define INTERVAL_MIN_S 1e-3

/*
 * Share of calls that may be throttles.  This is the price of finding the limit again and
 * again.
 */
#define TOLERATED_SHARE 0.03

/*
 * The length of a round: this many seconds' worth of calls, but at least so many calls.
 * While a share of throttles is not ours, more calls are needed to tell them apart.
 */
#define ROUND_S 0.5
#define ROUND_CALLS_MIN 4
#define ROUND_CALLS_SHARE 64

/*
 * A round is bad when its throttles exceed TOLERATED_SHARE of its length plus this: the
 * first throttle makes a short round bad.
 */
#define ROUND_SLACK 0.25

/* A window shows the limit once it has this many deliveries and is this long. */
#define WINDOW_CALLS 20
#define WINDOW_S 1.0

/* The rate is set a little below what a window delivered, so that it can be sustained. */
#define BELOW_DELIVERED 0.98

/* A rate that was slightly too high is multiplied by this. */
#define SLOWER 0.98

/*
 * A rate that exceeds the base by more than this factor is a probe: its failure does not
 * count against the base.
 */
#define PROBE 1.02

/*
 * The hold.  With a base about one call in 40 is then the throttle that ends a probe;
 * without one the rate may be far too low, so the hold is short.  The time limit is for
 * very low rates.
 */
#define HOLD_CALLS 23
#define HOLD_CALLS_WITHOUT_BASE 8
#define HOLD_S 12.0

/*
 * Steps of growth, as shares of the rate.  The first step above a base is the smallest
 * that makes a noticeable difference: FIRST_STEP divided by the square root of the rate,
 * and at least FIRST_STEP_MIN.  Without a base there is far to go.
 */
#define FIRST_STEP 0.09
#define FIRST_STEP_MIN 0.02
#define STEP_WITHOUT_BASE 0.3
#define STEP_MAX 0.5

/*
 * While a share of throttles is not ours, growth is slow, because that share might hide
 * the limit.
 */
#define STEP_WITH_SHARE 0.02

/* The rate does not grow if it allows more than this many times the calls that were made. */
#define IDLE_TIMES 2

/* Trouble looks back on this many answers at most. */
#define TROUBLE_CALLS 128

/* Trouble is over if the share of throttles is below this at the end of its look back. */
#define TROUBLE_OVER_SHARE 0.02

/*
 * The service is full when throttles reach the larger of two shares: FULL_SHARE, and the
 * share that is not ours plus FULL_ABOVE_SHARE.  FULL_SLACK more must occur, to allow for
 * chance.
 */
#define FULL_SHARE 0.5
#define FULL_ABOVE_SHARE 0.25
#define FULL_SLACK 3

/*
 * The rate then falls to what is delivered.  It falls by a factor of FULL_FALL_MAX at
 * most, because in an outage next to nothing is delivered, and at least to FULL_FALL_MIN
 * of itself.
 */
#define FULL_FALL_MAX 4
#define FULL_FALL_MIN 0.7

/*
 * Throttles are suspected not to be ours if there are more than are tolerated, after at
 * least so many answers, throttles and round trips, ...
 */
#define SUSPECT_CALLS 16
#define SUSPECT_THROTTLES 4
#define SUSPECT_ROUND_TRIPS 2

/* ... and the rate has fallen to this share of a base that was borne before; ... */
#define SUSPECT_BELOW_BASE 0.8

/* ... or, without a base, if they exceed what is tolerated by so many standard deviations. */
#define SUSPECT_DEVIATIONS 2.0

/* Chance may raise a measured share of throttles by this factor. */
#define SHARE_CHANCE 1.3

/*
 * Verdicts.  The throttles are not ours if there are SUSPECT_THROTTLES of them at half
 * the rate, and these are at least VERDICT_SAME of the number that the former share
 * predicts.  They are ours if fewer occur although VERDICT_FEW were predicted, or none at
 * all although VERDICT_NONE were.
 */
#define VERDICT_SAME 0.4
#define VERDICT_FEW 10
#define VERDICT_NONE 5

/* A larger share than this means that the service is overloaded, whoever overloads it. */
#define SHARE_MAX 0.4

/* How long a measured share is relied on, in seconds: it may hide a limit that we reach. */
#define SHARE_S 15.0

/*
 * An outage has at least OUTAGE_CALLS throttles in a row, and lasts at least OUTAGE_S: a
 * limit of 2 per second or more never makes us wait that long.  While nothing is known,
 * even a lower limit is likely, so it must last OUTAGE_UNKNOWN_S.
 */
#define OUTAGE_CALLS 3
#define OUTAGE_S 0.5
#define OUTAGE_UNKNOWN_S 1.0

/*
 * Until the rate after an outage has proved itself, the next outage must last
 * OUTAGE_TIMES as long, but never longer than OUTAGE_MOST_S: otherwise a limit below that
 * rate would be taken for one outage after the other.
 */
#define OUTAGE_TIMES 2
#define OUTAGE_MOST_S 4.0

/*
 * When the throttles were not ours, the rate becomes this many times what it was before:
 * they may have lowered it many times, and from the lowest rate there is no other way up.
 */
#define ACQUITTED_TIMES 2

/* ----- tokens ----- */

/*
 * Add the tokens for the time that has passed, at "per_s" a second; at most "most" are
 * kept.
 */
static void
refill(TokenBucket *bucket, double per_s, double most, double now_s)
{
	/* another session may have read the clock a little earlier */
	if (now_s > bucket->counted_s)
	{
		bucket->tokens += (now_s - bucket->counted_s) * per_s;
		bucket->counted_s = now_s;
	}
	if (bucket->tokens > most)
		bucket->tokens = most;
}

/*
 * Take a token: returns 0, or the seconds until there is one, in which case nothing is
 * taken.
 */
static double
take(TokenBucket *bucket, double per_s, double most, double now_s)
{
	refill(bucket, per_s, most, now_s);
	/* what is missing may only be a rounding error */
	if (bucket->tokens >= 1 - 1e-6)
	{
		bucket->tokens -= 1;
		return 0;
	}
	return (1 - bucket->tokens) / per_s;
}

/*
 * smf_ceiling_init
 *		Allow one call immediately.
 */
void
smf_ceiling_init(TokenBucket *bucket, double now_s)
{
	bucket->tokens = 1;
	bucket->counted_s = now_s;
}

/*
 * smf_ceiling_take
 *		Take a token for one call below the ceiling, in calls per second; it must not
 *		be 0.
 *
 * Returns 0, or the seconds after which to ask again, in which case nothing is taken.  No
 * tokens are saved up: the ceiling holds for every single second.
 */
double
smf_ceiling_take(TokenBucket *bucket, double ceiling, double now_s)
{
	return take(bucket, ceiling, 1, now_s);
}

/*
 * smf_ceiling_give
 *		Give back the token from smf_ceiling_take: the call is not made yet.
 */
void
smf_ceiling_give(TokenBucket *bucket)
{
	bucket->tokens += 1;
}

/* ----- setting the rate ----- */

/* The most tokens that may be saved up. */
static double
most_saved(const CallRate *rate)
{
	return fmax(1, SAVED_S * rate->rate);
}

static void
begin_round(CallRate *rate, double now_s)
{
	rate->round_s = now_s;
	rate->round_calls = 0;
	rate->round_throttles = 0;
}

/* Change the rate, and begin a round at it. */
static void
set_rate(CallRate *rate, double now_s, double per_s)
{
	if (rate->rate > 0)
		refill(&rate->bucket, rate->rate, most_saved(rate), now_s);
	else
	{
		rate->bucket.tokens = 0;
		rate->bucket.counted_s = now_s;
	}
	rate->rate = fmax(per_s, RATE_MIN);
	rate->bucket.tokens = fmin(rate->bucket.tokens, most_saved(rate));
	begin_round(rate, now_s);
}

/*
 * Change the rate so that answers to calls sent earlier do not count against it: all
 * throttles of one round trip are one signal.
 */
static void
cut_rate(CallRate *rate, double now_s, double per_s)
{
	set_rate(rate, now_s, per_s);
	rate->cut_s = now_s;
}

/* End pacing. */
static void
open_rate(CallRate *rate, double now_s)
{
	rate->phase = SMF_RATE_OPEN;
	rate->rate = 0;
	rate->base = 0;
	rate->cut_s = now_s;
	begin_round(rate, now_s);
}

/* The first step of growth above a base of "per_s". */
static double
first_step(double per_s)
{
	return fmax(FIRST_STEP_MIN, FIRST_STEP / sqrt(fmax(per_s, 1)));
}

/* Hold a rate that has just been cut; it was "old" before. */
static void
hold_rate(CallRate *rate, double old)
{
	bool		has_base = rate->base > 0;

	rate->phase = SMF_RATE_HOLDING;
	rate->hold_calls = has_base ? HOLD_CALLS : HOLD_CALLS_WITHOUT_BASE;
	rate->hold_until_s = rate->cut_s + HOLD_S;
	rate->step = has_base ? first_step(old) : STEP_WITHOUT_BASE;
}

/* Grow at once, from a rate that is not known to be borne. */
static void
grow_without_base(CallRate *rate, double step)
{
	rate->phase = SMF_RATE_GROWING;
	rate->base = 0;
	rate->step = step;
}

/* The share of answers that are throttles whatever we do. */
static double
share_at(const CallRate *rate, double now_s)
{
	return now_s < rate->share_until_s ? rate->share : 0;
}

static void
begin_window(CallRate *rate, double now_s)
{
	rate->window = true;
	rate->window_s = now_s;
	rate->delivered = 0;
}

/* ----- trouble, and the experiment ----- */

/* Count an answer. */
static void
count_trouble(CallRate *rate, double now_s, bool throttled)
{
	if (rate->trouble)
	{
		rate->trouble_calls += 1;
		rate->trouble_throttles += throttled;
	}
	else if (throttled)
	{
		/* the first throttle is not part of the sample, because it started it */
		rate->trouble = true;
		rate->trouble_s = now_s;
		rate->trouble_rate = rate->rate;
		rate->trouble_calls = 0;
		rate->trouble_throttles = 0;
	}
}

/* Limit how many answers trouble looks back on. */
static void
bound_trouble(CallRate *rate, double now_s)
{
	if (!rate->trouble || rate->trouble_calls < TROUBLE_CALLS)
		return;
	if (rate->trouble_throttles <= TROUBLE_OVER_SHARE * TROUBLE_CALLS)
	{
		rate->trouble = false;
		return;
	}
	rate->trouble_calls /= 2;
	rate->trouble_throttles /= 2;
	rate->trouble_s += (now_s - rate->trouble_s) / 2;
}

/* For how many seconds the trouble has lasted. */
static double
trouble_age(const CallRate *rate, double now_s)
{
	return fmax(fmax(now_s - rate->trouble_s, rate->latency_s), INTERVAL_MIN_S);
}

/* The service lets next to nothing through: reduce the rate at once to what it delivers. */
static void
follow_full(CallRate *rate, double now_s)
{
	double		age_s = trouble_age(rate, now_s);
	double		delivered = (rate->trouble_calls - rate->trouble_throttles) / age_s;

	if (rate->phase == SMF_RATE_OPEN)
		cut_rate(rate, now_s, fmax(delivered, rate->trouble_calls / age_s / FULL_FALL_MAX));
	else
		cut_rate(rate, now_s, fmin(fmax(delivered, rate->rate / FULL_FALL_MAX), FULL_FALL_MIN * rate->rate));
	grow_without_base(rate, STEP_WITHOUT_BASE);
	rate->share = 0;
	rate->trouble = false;
	begin_window(rate, now_s);
}

/* Are there more throttles than a limit that we reach should cause? */
static bool
suspicious(const CallRate *rate, double now_s)
{
	double		tolerated = (TOLERATED_SHARE + SHARE_CHANCE * share_at(rate, now_s)) * rate->trouble_calls;

	if (rate->trouble_throttles < SUSPECT_THROTTLES || rate->trouble_calls < SUSPECT_CALLS ||
		trouble_age(rate, now_s) < SUSPECT_ROUND_TRIPS * rate->latency_s)
		return false;
	if (rate->base > 0)
		return rate->trouble_throttles > tolerated &&
			(rate->rate < SUSPECT_BELOW_BASE * rate->base || rate->rate <= RATE_MIN);
	return rate->trouble_throttles > tolerated + SUSPECT_DEVIATIONS * sqrt(tolerated);
}

/* Pace at half of what is delivered, to see whether the throttles continue. */
static void
begin_experiment(CallRate *rate, double now_s)
{
	double		delivered = (rate->trouble_calls - rate->trouble_throttles) / trouble_age(rate, now_s);

	if (rate->before == 0)
		rate->before = rate->phase == SMF_RATE_OPEN ? HUGE_VAL : fmax(rate->rate, rate->base);
	rate->tried_calls = rate->trouble_calls;
	rate->tried_throttles = rate->trouble_throttles;
	rate->tried_share = rate->trouble_throttles / rate->trouble_calls;
	rate->bearable = delivered / (1 - share_at(rate, now_s));
	if (rate->phase != SMF_RATE_OPEN)
		rate->bearable = fmin(rate->bearable, SLOWER * rate->rate);
	rate->trouble = false;
	cut_rate(rate, now_s, delivered / 2);
	rate->phase = SMF_RATE_TRYING;
}

/* Judge recent answers after a throttle.  True: the rate was changed because of them. */
static bool
judge_trouble(CallRate *rate, double now_s)
{
	double		full = fmax(FULL_SHARE, share_at(rate, now_s) + FULL_ABOVE_SHARE);

	if (rate->trouble_throttles >= full * rate->trouble_calls + FULL_SLACK)
	{
		follow_full(rate, now_s);
		return true;
	}

	/*
	 * a rate that has just fallen far is still falling: these throttles belong to the old
	 * rate
	 */
	if (rate->base == 0 && rate->rate < FULL_FALL_MIN * rate->trouble_rate)
	{
		rate->trouble = false;
		return false;
	}
	if (!suspicious(rate, now_s))
		return false;
	begin_experiment(rate, now_s);
	return true;
}

/* Just as many throttles at half the rate: they are not ours, so slowing down is useless. */
static void
acquit(CallRate *rate, double now_s)
{
	double		share = (rate->tried_throttles + rate->round_throttles) /
		(rate->tried_calls + rate->round_calls);

	if (share > SHARE_MAX)
	{
		/* the service is overloaded: do not go on as before */
		rate->share = 0;
		cut_rate(rate, now_s, rate->rate * (1 - share));
		grow_without_base(rate, STEP_WITHOUT_BASE);
		return;
	}
	rate->share = share;
	rate->share_until_s = now_s + SHARE_S;
	if (rate->before > RATE_MAX)
		open_rate(rate, now_s);
	else
	{
		cut_rate(rate, now_s, ACQUITTED_TIMES * rate->before);
		grow_without_base(rate, STEP_WITH_SHARE);
	}
	rate->before = 0;
}

/* Few throttles at half the rate: it was too high, and what was delivered is borne. */
static void
convict(CallRate *rate, double now_s)
{
	rate->share = 0;
	cut_rate(rate, now_s, rate->bearable);
	rate->base = rate->rate;
	hold_rate(rate, rate->rate);
}

/* Count an answer at half the rate, and decide if there is enough evidence. */
static void
judge_experiment(CallRate *rate, double now_s, bool throttled)
{
	double		expected;

	rate->round_calls++;
	rate->round_throttles += throttled;
	expected = rate->tried_share * rate->round_calls;

	if (rate->round_throttles >= SUSPECT_THROTTLES && rate->round_throttles >= VERDICT_SAME * expected)
		acquit(rate, now_s);
	else if (expected >= VERDICT_FEW || (rate->round_throttles == 0 && expected >= VERDICT_NONE))
		convict(rate, now_s);
	else
		return;
	rate->window = false;
}

/* ----- outages ----- */

/* Remember a rate that works, for after an outage.  HUGE_VAL: no rate is needed. */
static void
keep_borne(CallRate *rate, double per_s)
{
	rate->borne = per_s;
	rate->outage_least_s = OUTAGE_S;
}

/*
 * Count an answer.  True: it ends an outage.  For that the call must have been sent long
 * enough after the first throttle, because an answer may take a while to arrive.
 */
static bool
ends_outage(CallRate *rate, double now_s, double sent_s, bool throttled)
{
	bool		ends;

	if (throttled)
	{
		if (rate->throttled++ == 0)
			rate->throttled_s = now_s;
		return false;
	}
	ends = rate->throttled >= OUTAGE_CALLS && sent_s - rate->throttled_s >= rate->outage_least_s;
	rate->throttled = 0;
	return ends;
}

/* After an outage, go back to the rate that was borne before, if it has fallen since. */
static void
resume(CallRate *rate, double now_s)
{
	/* a share of throttles measured during the outage does not last */
	if (rate->share_until_s >= rate->throttled_s + SHARE_S)
		rate->share = 0;
	if (rate->phase == SMF_RATE_OPEN || rate->rate >= rate->borne)
		return;
	rate->outage_least_s = fmin(OUTAGE_TIMES * rate->outage_least_s, OUTAGE_MOST_S);
	rate->trouble = false;
	rate->window = false;
	rate->before = 0;
	if (rate->borne > RATE_MAX)
	{
		open_rate(rate, now_s);
		return;
	}
	cut_rate(rate, now_s, rate->borne);
	rate->base = rate->rate;
	hold_rate(rate, rate->rate);
}

/* ----- rounds ----- */

/* The round has too many throttles: go back to a rate that is borne. */
static void
end_bad_round(CallRate *rate, double now_s)
{
	double		window_s = fmax(now_s - rate->window_s, INTERVAL_MIN_S);
	double		ours = 1 - share_at(rate, now_s);
	bool		telling = rate->delivered >= WINDOW_CALLS && window_s >= WINDOW_S;

	/* the window begins and ends somewhere between two deliveries */
	double		most = (rate->delivered + 1) / window_s / ours;
	double		least = BELOW_DELIVERED * (rate->delivered - 1) / window_s / ours;
	double		old = rate->rate;
	double		per_s;

	/* what was delivered between throttles is borne */
	if (rate->base > 0 && telling && least > rate->base)
		rate->base = fmin(old, least);

	if (rate->base > 0 && old > PROBE * rate->base)
		per_s = telling ? fmax(rate->base, fmin(SLOWER * old, most)) : rate->base;
	else
		per_s = fmin(SLOWER * old, most);

	if (telling)
		begin_window(rate, now_s);
	cut_rate(rate, now_s, per_s);
	hold_rate(rate, old);
}

/* A round at this rate was good: has the rate been held for long enough to call it borne? */
static void
go_on_holding(CallRate *rate, double now_s)
{
	rate->hold_calls -= rate->round_calls;
	if (rate->hold_calls <= 0)
	{
		rate->base = rate->rate;
		rate->before = 0;
		rate->trouble = false;
	}
	if (rate->hold_calls <= 0 || now_s >= rate->hold_until_s)
		rate->phase = SMF_RATE_GROWING;
}

static void
grow(CallRate *rate, double now_s)
{
	set_rate(rate, now_s, rate->rate * (1 + rate->step));
	rate->step = fmin(2 * rate->step, share_at(rate, now_s) > 0 ? STEP_WITH_SHARE : STEP_MAX);
}

static void
end_good_round(CallRate *rate, double now_s)
{
	keep_borne(rate, rate->rate);
	if (rate->phase == SMF_RATE_HOLDING)
		go_on_holding(rate, now_s);
	else if (rate->rate * (now_s - rate->round_s) <= IDLE_TIMES * rate->round_calls)
		grow(rate, now_s);
	begin_round(rate, now_s);
}

/* Judge an answer to a call that was not paced: do calls work without a rate? */
static void
judge_open(CallRate *rate, double now_s)
{
	rate->round_calls++;
	if (rate->trouble)
		begin_round(rate, now_s);
	else if (rate->round_calls >= WINDOW_CALLS && now_s - rate->round_s >= ROUND_S)
		keep_borne(rate, HUGE_VAL);
}

/* Judge an answer at the current rate. */
static void
judge_round(CallRate *rate, double now_s, bool throttled)
{
	double		share = share_at(rate, now_s);
	double		size = fmax(share > 0 ? ROUND_CALLS_SHARE : ROUND_CALLS_MIN, ROUND_S * rate->rate);
	double		allowed = TOLERATED_SHARE * size + ROUND_SLACK;

	/* throttles that are not ours, plus one standard deviation and one more */
	if (share > 0)
		allowed = fmax(allowed, share * size + sqrt(share * size) + 1);

	rate->round_calls++;
	rate->round_throttles += throttled;
	if (throttled && rate->round_throttles > allowed)
		end_bad_round(rate, now_s);
	else if (rate->round_calls >= size)
		end_good_round(rate, now_s);
}

/* ----- the rate ----- */

/*
 * smf_rate_init
 *		Start open: nothing is known.
 */
void
smf_rate_init(CallRate *rate, double now_s)
{
	memset(rate, 0, sizeof(*rate));
	rate->phase = SMF_RATE_OPEN;
	rate->cut_s = now_s;
	rate->borne = HUGE_VAL;
	rate->outage_least_s = OUTAGE_UNKNOWN_S;
	begin_round(rate, now_s);
}

/*
 * smf_rate_take
 *		Take a token for one call: returns 0, or the seconds after which to ask again,
 *		in which case nothing is taken.
 */
double
smf_rate_take(CallRate *rate, double now_s)
{
	if (rate->phase == SMF_RATE_OPEN)
		return 0;
	return take(&rate->bucket, rate->rate, most_saved(rate), now_s);
}

/*
 * smf_rate_answered
 *		A call that was sent at "sent_s" has been answered.
 */
void
smf_rate_answered(CallRate *rate, double now_s, double sent_s, bool throttled)
{
	double		latency_s = now_s - sent_s;

	if (rate->latency_s == 0)
		rate->latency_s = latency_s;
	rate->latency_s += LATENCY_WEIGHT * (latency_s - rate->latency_s);
	if (!throttled)
		rate->delivered++;
	if (ends_outage(rate, now_s, sent_s, throttled))
		resume(rate, now_s);

	/* Throttles of one round trip are one signal: calls sent before a cut are not counted. */
	if (sent_s < rate->cut_s)
		return;
	if (rate->phase == SMF_RATE_TRYING)
	{
		judge_experiment(rate, now_s, throttled);
		return;
	}

	/* Is this more than a failed probe? */
	count_trouble(rate, now_s, throttled);
	if (throttled && !rate->window)
		begin_window(rate, now_s);
	if (throttled && judge_trouble(rate, now_s))
		return;
	bound_trouble(rate, now_s);

	/* Otherwise the round decides. */
	if (rate->phase == SMF_RATE_OPEN)
		judge_open(rate, now_s);
	else
		judge_round(rate, now_s, throttled);
}
