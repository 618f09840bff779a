/*-------------------------------------------------------------------------
 *
 * simulation.h
 *		Sessions that call a service which throttles, on a clock of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATION_H
#define SIMULATION_H

#include <stdbool.h>
#include <stddef.h>

/* Most sessions, and most calls of one at once. */
#define SESSIONS_MAX 12
#define SLOTS_MAX 64

/* By default: calls of a session at once, and seconds until an answer in the mean. */
#define SLOTS 16
#define LATENCY_S 0.055

/* How calls that were throttled are tried again, and when calls are made. */
typedef enum RetryMode
{
	ADAPTIVE,					/* src/aws/rate.c, and its short delays */
	STANDARD					/* no rate; the delays of the SDKs' standard mode */
} RetryMode;

/* What is simulated; what is 0 is not there. */
typedef struct Scenario
{
	/* the service */
	double		limit;			/* calls a second that it bears */
	double		burst;			/* calls that it saves up */
	double		low_limit;		/* the limit in every second period */
	double		period_s;
	int			front_ends;		/* that share limit and burst, each call meets one of them */
	double		random_share;	/* of calls that are throttled anyway */
	int			first_throttles;	/* so many calls are throttled at the start */
	double		outage_s;		/* when an outage begins, in which all calls are throttled */
	double		outage_length_s;	/* how long it lasts */
	double		outage_every_s; /* from the beginning of one to that of the next; 0: there is one */
	double		latency_s;		/* of an answer, between 0.55 and 1.45 times this; 0: LATENCY_S */

	/* the sessions */
	RetryMode	mode;
	int			sessions;		/* 0: 1 */
	bool		apart;			/* they share no memory */
	double		apart_s;		/* one begins so long after the other */
	int			jobs;			/* calls that must succeed, of all sessions */
	int			slots;			/* calls of a session at once; 0: SLOTS */

	/* another program, without any rate, with three attempts a call */
	double		neighbour;		/* calls a second */
} Scenario;

/* An answer. */
typedef struct Answer
{
	double		at_s;
	int			session;
	bool		throttled;
} Answer;

typedef struct Outcome
{
	double		seconds;		/* until the last job was done */
	Answer	   *answers;		/* all of them, in order; malloc'ed */
	size_t		nanswers;
	double		session_ends_s[SESSIONS_MAX];	/* when each had done its jobs */
	int			neighbour_calls;
	int			neighbour_refused;	/* calls whose first try was throttled */
	int			neighbour_lost; /* calls whose last one was */
} Outcome;

extern void simulate(const Scenario *scenario, unsigned seed, Outcome *outcome);

#endif							/* SIMULATION_H */
