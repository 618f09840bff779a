/*-------------------------------------------------------------------------
 *
 * rate.c
 *		How often an operation may be called: a ceiling, and a rate that is learnt.
 *
 * Pure: the clock is an argument, so that every schedule can be tested.  pace.c says
 * who shares a ceiling or a rate, and does the waiting.
 *
 * The ceiling is what an administrator allows.  The learnt rate follows what the
 * service delivers, rather than how often it throttles: a limit lets just as many
 * calls through whatever is sent, but throttles may have other causes than our rate (a
 * neighbour's burst, one full front end among many), and slowing down for those would
 * starve a scan for nothing.
 *
 * Its terms:
 *
 * - Open: until a limit shows itself, calls are not paced at all.
 * - The window begins at a throttle and counts what is delivered.  A service that
 *	 throttles us has nothing saved up; so deliveries between two throttles, divided by
 *	 the time, are its limit, however fast we sent and however much it saves.
 * - The base is the rate that was borne last.  A rate above it is a probe: when it is
 *	 throttled, it goes back to the base, or to the limit that the window shows.
 * - A round is a number of answers at one rate.  It is bad as soon as it has more
 *	 throttles than are tolerated: the rate falls.  It is good if it ends before that.
 * - The hold follows a fall: for some calls the rate stays the same, so that most calls
 *	 are made at the base and few by probes.  It is counted in calls, since it must work
 *	 for 2 and for 200 a second, but bounded in time.  The rate that survives its hold is
 *	 the new base.  Then each good round makes it grow, by steps that double, as long as
 *	 more calls are made than half of what it gives.
 * - Trouble is what came since a throttle, probes or not.  It tells a service that is
 *	 full, where the rate falls at once to what is delivered, and makes suspect that
 *	 throttles are not ours.
 * - The experiment decides that: the rate is set to half of what is delivered.  A limit
 *	 that we had reached throttles next to nothing then, and what was delivered is the new
 *	 base.  Throttles by chance stay as frequent as they were.  Their share is believed
 *	 for a while, does not count against the rate, and the rate goes back up.
 * - An outage lets nothing through for a while.  The rate falls in it, since nobody knows
 *	 how long it lasts; but a limit delivers something, and an outage tells nothing of one.
 *	 So the first call that gets through takes the rate back to what was borne before, or
 *	 ends pacing where none was needed.
 *
 * Not accounted for: sessions that share no memory meet the limit, but not in equal
 * parts.  Many random throttles (15 %) together with a limit cost twice as many, as what
 * is measured of them has room for ours.  An outage shorter than half a second is taken
 * for a limit, and a limit of less than a call in four seconds for outages.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/rate.h"

#include <math.h>
#include <string.h>

/* The rate never falls below this: a service that is back must be noticed. */
#define RATE_MIN 0.5

/* No use to pace calls at a rate above this. */
#define RATE_MAX 10000.0

/*
 * Seconds' worth of tokens that are saved up, though never less than one call.  With more,
 * the first of several sessions that asks would get all of it.
 */
#define SAVED_S 0.1

/* Weight of an answer in the smoothed latency. */
#define LATENCY_WEIGHT 0.1

/* No interval that is divided by is shorter: clocks have a grain. */
#define INTERVAL_MIN_S 1e-3

/*
 * Throttles that are tolerated: this share of calls.  It is what finding the limit again
 * and again costs.
 */
#define TOLERATED_SHARE 0.03

/*
 * A round's length: the time's worth of calls, but so many at least.  While a share of
 * throttles is not ours it takes more to see what is.
 */
#define ROUND_S 0.5
#define ROUND_CALLS_MIN 4
#define ROUND_CALLS_SHARE 64

/*
 * A round is bad when it has more throttles than TOLERATED_SHARE of its length and this:
 * a short round is bad at the first one.
 */
#define ROUND_SLACK 0.25

/* A window tells the limit when it has so many deliveries, and is so long. */
#define WINDOW_CALLS 20
#define WINDOW_S 1.0

/* What a window delivered is taken a little lower, so that it can be kept up. */
#define BELOW_DELIVERED 0.98

/* A rate that was a little too high falls to this share of it. */
#define SLOWER 0.98

/* Rates above the base by more than this are probes: the base itself is not to blame. */
#define PROBE 1.02

/*
 * The hold.  With a base about one call in 40 is then the throttle that ends a probe;
 * without one the rate may be far too low.  The time is for very low rates.
 */
#define HOLD_CALLS 23
#define HOLD_CALLS_WITHOUT_BASE 8
#define HOLD_S 12.0

/*
 * Steps of growth, as shares of the rate.  The first one above a base is the least that
 * goes beyond it noticeably: FIRST_STEP by the root of the rate, and no less than
 * FIRST_STEP_MIN.  Without a base there is far to go.
 */
#define FIRST_STEP 0.09
#define FIRST_STEP_MIN 0.02
#define STEP_WITHOUT_BASE 0.3
#define STEP_MAX 0.5

/* While a share of throttles is not ours, growth is slow: it might hide the limit. */
#define STEP_WITH_SHARE 0.02

/* The rate does not grow when so many times fewer calls are made than it gives. */
#define IDLE_TIMES 2

/* Trouble looks back on so many answers at most. */
#define TROUBLE_CALLS 128

/* Share of throttles below which trouble is over, at the end of its look back. */
#define TROUBLE_OVER_SHARE 0.02

/*
 * The service is full when throttles are this share, or exceed what is not ours by that,
 * and are so many more, for chance.
 */
#define FULL_SHARE 0.5
#define FULL_ABOVE_SHARE 0.25
#define FULL_SLACK 3

/*
 * The rate falls then to what is delivered, but by FULL_FALL_MAX times at most, since that
 * is next to nothing in an outage, and at least to FULL_FALL_MIN of it.
 */
#define FULL_FALL_MAX 4
#define FULL_FALL_MIN 0.7

/*
 * Throttles are suspected not to be ours after so many answers, throttles and round trips
 * at least, when there are more than are tolerated ...
 */
#define SUSPECT_CALLS 16
#define SUSPECT_THROTTLES 4
#define SUSPECT_ROUND_TRIPS 2

/* ... and the rate has fallen to this share of a base that was borne before; ... */
#define SUSPECT_BELOW_BASE 0.8

/* ... or, without a base, there are so many standard deviations more. */
#define SUSPECT_DEVIATIONS 2.0

/* A measured share of throttles may be exceeded so much by chance. */
#define SHARE_CHANCE 1.3

/*
 * Verdicts.  The throttles are others' when there are SUSPECT_THROTTLES at half the rate,
 * which are this part of those to be expected then.  They are ours when fewer are there
 * although VERDICT_FEW were expected, or none at all and VERDICT_NONE.
 */
#define VERDICT_SAME 0.4
#define VERDICT_FEW 10
#define VERDICT_NONE 5

/* A larger share than this is an overloaded service, whoever overloads it. */
#define SHARE_MAX 0.4

/* How long a measured share is believed, in seconds: it hides a limit of ours. */
#define SHARE_S 15.0

/*
 * An outage has so many throttles in a row at least, and lasts so many seconds: longer than
 * any limit of 2/s or more lets one wait.  Before anything is known even a lower limit is
 * likely.
 */
#define OUTAGE_CALLS 3
#define OUTAGE_S 0.5
#define OUTAGE_UNKNOWN_S 1.0

/*
 * Until what was taken up again has proved itself, the next outage must last so many times
 * longer, but never longer than the last: else a limit lower than that would be taken for
 * one outage after the other.
 */
#define OUTAGE_TIMES 2
#define OUTAGE_MOST_S 4.0

/*
 * When throttles were not ours, the rate is so many times what it was before: they may
 * have brought it down many times, and from the least rate there is no other way up.
 */
#define ACQUITTED_TIMES 2

/* ----- tokens ----- */

/* Count what has come at "per_s" tokens a second; "most" are kept. */
static void
refill(TokenBucket *bucket, double per_s, double most, double now_s)
{
	/* who shares it may have looked at the clock a little earlier */
	if (now_s > bucket->counted_s)
	{
		bucket->tokens += (now_s - bucket->counted_s) * per_s;
		bucket->counted_s = now_s;
	}
	if (bucket->tokens > most)
		bucket->tokens = most;
}

/* Take a token: 0, or the seconds until there is one, and then nothing is taken. */
static double
take(TokenBucket *bucket, double per_s, double most, double now_s)
{
	refill(bucket, per_s, most, now_s);
	/* what is missing may be no more than rounding */
	if (bucket->tokens >= 1 - 1e-6)
	{
		bucket->tokens -= 1;
		return 0;
	}
	return (1 - bucket->tokens) / per_s;
}

/*
 * smf_ceiling_init
 *		Leave for one call, now.
 */
void
smf_ceiling_init(TokenBucket *bucket, double now_s)
{
	bucket->tokens = 1;
	bucket->counted_s = now_s;
}

/*
 * smf_ceiling_take
 *		Take a token for one call below the ceiling, which is calls a second, not 0.
 *
 * Returns 0, or the seconds after which to ask again, and then nothing is taken.
 * Nothing is saved up: a ceiling is kept in every second.
 */
double
smf_ceiling_take(TokenBucket *bucket, double ceiling, double now_s)
{
	return take(bucket, ceiling, 1, now_s);
}

/*
 * smf_ceiling_give
 *		Give back what smf_ceiling_take took: the call is not made yet.
 */
void
smf_ceiling_give(TokenBucket *bucket)
{
	bucket->tokens += 1;
}

/* ----- setting the rate ----- */

/* The most tokens that are saved up. */
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

/* Change the rate, and begin a round with it. */
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
 * Change the rate so that answers to calls which were sent before say nothing of it: the
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

/* The first step of growth above such a base. */
static double
first_step(double per_s)
{
	return fmax(FIRST_STEP_MIN, FIRST_STEP / sqrt(fmax(per_s, 1)));
}

/* Keep a rate that has just been cut, which was "old" before. */
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
		/* the throttle that it begins with is no sample: it was chosen */
		rate->trouble = true;
		rate->trouble_s = now_s;
		rate->trouble_rate = rate->rate;
		rate->trouble_calls = 0;
		rate->trouble_throttles = 0;
	}
}

/* Look no farther back than so many answers. */
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

/* Seconds that the trouble has lasted. */
static double
trouble_age(const CallRate *rate, double now_s)
{
	return fmax(fmax(now_s - rate->trouble_s, rate->latency_s), INTERVAL_MIN_S);
}

/* The service lets next to nothing through: go down at once to what it does. */
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

/* Are there more throttles than a limit of ours should cause? */
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

/* Halve the rate that is delivered, to see which throttles stay. */
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

/* A throttle has come.  True: the rate was changed because of all that came lately. */
static bool
judge_trouble(CallRate *rate, double now_s)
{
	double		full = fmax(FULL_SHARE, share_at(rate, now_s) + FULL_ABOVE_SHARE);

	if (rate->trouble_throttles >= full * rate->trouble_calls + FULL_SLACK)
	{
		follow_full(rate, now_s);
		return true;
	}
	/* a rate that has just fallen far is still falling: these are throttles of before */
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

/* As many throttles at half the rate: they are others', and slowing down is no use. */
static void
acquit(CallRate *rate, double now_s)
{
	double		share = (rate->tried_throttles + rate->round_throttles) /
		(rate->tried_calls + rate->round_calls);

	if (share > SHARE_MAX)
	{
		/* the service is overloaded: no reason to go on as before */
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

/* An answer at half the rate. */
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

/* Such a rate goes well: keep it for after an outage.  HUGE_VAL: no rate is needed. */
static void
keep_borne(CallRate *rate, double per_s)
{
	rate->borne = per_s;
	rate->outage_least_s = OUTAGE_S;
}

/*
 * Count an answer.  True: it ends an outage.  The call must have been sent late enough,
 * since an answer may have been under way for as long.
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

/* After an outage: take up again what was borne before, if the rate has fallen since. */
static void
resume(CallRate *rate, double now_s)
{
	/* a share of throttles that was measured in it is none that stays */
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

/* The round has too many throttles: go back to what is borne. */
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

	/* what was delivered from throttle to throttle is borne */
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

/* The rate has gone well for a round: has it for long enough to call it borne? */
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

/* An answer to a call that was not paced: does it go well without a rate? */
static void
judge_open(CallRate *rate, double now_s)
{
	rate->round_calls++;
	if (rate->trouble)
		begin_round(rate, now_s);
	else if (rate->round_calls >= WINDOW_CALLS && now_s - rate->round_s >= ROUND_S)
		keep_borne(rate, HUGE_VAL);
}

/* An answer at the present rate. */
static void
judge_round(CallRate *rate, double now_s, bool throttled)
{
	double		share = share_at(rate, now_s);
	double		size = fmax(share > 0 ? ROUND_CALLS_SHARE : ROUND_CALLS_MIN, ROUND_S * rate->rate);
	double		allowed = TOLERATED_SHARE * size + ROUND_SLACK;

	/* others' throttles, and one standard deviation more, and one */
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
 *		Nothing is known: open.
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
 *		Take a token for one call: 0, or the seconds after which to ask again,
 *		and then nothing is taken.
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
 *		An answer has come to a call that was sent at "sent_s".
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

	/* Throttles of one round trip are one signal: what was sent before a cut tells nothing. */
	if (sent_s < rate->cut_s)
		return;
	if (rate->phase == SMF_RATE_TRYING)
	{
		judge_experiment(rate, now_s, throttled);
		return;
	}

	/* Is it more than a probe that has failed? */
	count_trouble(rate, now_s, throttled);
	if (throttled && !rate->window)
		begin_window(rate, now_s);
	if (throttled && judge_trouble(rate, now_s))
		return;
	bound_trouble(rate, now_s);

	/* Else let the round decide. */
	if (rate->phase == SMF_RATE_OPEN)
		judge_open(rate, now_s);
	else
		judge_round(rate, now_s, throttled);
}
