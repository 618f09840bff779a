/*-------------------------------------------------------------------------
 *
 * rate.h
 *		How often an operation may be called: a ceiling, and a rate that is learnt.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_RATE_H
#define SMF_RATE_H

#include <stdbool.h>

/* Permission for calls that has not been used yet: a token is one call. */
typedef struct TokenBucket
{
	double		tokens;			/* at counted_s */
	double		counted_s;		/* when they were last counted, in seconds of a clock that
								 * never goes back */
} TokenBucket;

/* See the comment at the top of rate.c. */
typedef enum RatePhase
{
	SMF_RATE_OPEN,				/* no limit has been seen: calls are not paced */
	SMF_RATE_HOLDING,			/* paced; the rate must prove itself before it grows */
	SMF_RATE_GROWING,			/* paced, and faster after each good round */
	SMF_RATE_TRYING				/* paced at half of what was delivered, as an experiment */
} RatePhase;

/*
 * The rate that a service accepts, as far as known.  Times are in seconds of a clock that
 * never goes back, rates in calls per second.  Call smf_rate_init first.
 */
typedef struct CallRate
{
	RatePhase	phase;
	double		rate;			/* of calls; 0: open */
	double		base;			/* a rate that was borne; 0: none known */
	double		cut_s;			/* when the rate last fell, or pacing ended */
	double		latency_s;		/* of an answer, smoothed; 0: none has come */
	TokenBucket bucket;			/* tokens for calls, unless open */

	/* the window: deliveries since a throttle */
	bool		window;			/* has it begun? */
	double		window_s;		/* when it began */
	int			delivered;		/* answers since then that were not throttles */

	/* outages: throttles since the last delivery */
	int			throttled;		/* how many */
	double		throttled_s;	/* when the first of them arrived, if there are any */
	double		outage_least_s; /* how long they must last to be an outage */
	double		borne;			/* the last rate that worked; HUGE_VAL: none was needed */

	/* trouble: all answers since the first throttle */
	bool		trouble;		/* is there any? */
	double		trouble_s;		/* when it began */
	double		trouble_rate;	/* the rate then; 0: open */
	double		trouble_calls;	/* answers since then */
	double		trouble_throttles;	/* those that were throttles */

	/* the round: answers at the current rate */
	double		round_s;		/* when it began */
	int			round_calls;	/* answers since then */
	int			round_throttles;	/* those that were throttles */

	/* valid while holding */
	int			hold_calls;		/* answers still to come */
	double		hold_until_s;	/* when the hold ends at the latest */

	/* valid while holding or growing */
	double		step;			/* share by which the rate grows next */

	/* the experiment; valid while trying, "before" longer */
	double		before;			/* the rate before it; HUGE_VAL: open; 0: none */
	double		bearable;		/* the rate to use if we cause the throttles */
	double		tried_share;	/* of throttles, before the rate was halved */
	double		tried_calls;	/* answers from which that was measured */
	double		tried_throttles;	/* those that were throttles */

	/* throttles that do not depend on our rate */
	double		share;			/* of all answers */
	double		share_until_s;	/* used until then */
} CallRate;

extern void smf_ceiling_init(TokenBucket *bucket, double now_s);
extern double smf_ceiling_take(TokenBucket *bucket, double ceiling, double now_s);
extern void smf_ceiling_give(TokenBucket *bucket);

extern void smf_rate_init(CallRate *rate, double now_s);
extern double smf_rate_take(CallRate *rate, double now_s);
extern void smf_rate_answered(CallRate *rate, double now_s, double sent_s, bool throttled);

#endif							/* SMF_RATE_H */
