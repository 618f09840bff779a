/*-------------------------------------------------------------------------
 *
 * rate_test.c
 *		The ceiling, the learnt rate, and what they make of a service that throttles.
 *
 *	rate_test [SEEDS]
 *
 * Each scenario is run with SEEDS seeds (20); what is asserted holds for each of them,
 * unless its title says otherwise.  The figures are printed too.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>

#include "aws/rate.h"
#include "simulation.h"
#include "tap.h"

#define SEEDS_MAX 1000

/* What is early: while the limit is being found. */
#define EARLY_S 10.0

/* Time that a look at what is delivered takes, and between looks. */
#define LOOK_S 2.0
#define LOOK_STEP_S 0.25

/* A figure of each run, in ascending order once it is sorted. */
typedef struct Figure
{
	double		of_run[SEEDS_MAX];
} Figure;

static int	nseeds = 20;

/* ----- figures ----- */

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The figure that so large a share of the runs does not exceed. */
static double
quantile(Figure *figure, double share)
{
	qsort(figure->of_run, nseeds, sizeof(double), compare_doubles);
	return figure->of_run[(int) ceil(share * nseeds) - 1];
}

static double
worst(Figure *figure)
{
	return quantile(figure, 1);
}

static double
median(Figure *figure)
{
	return quantile(figure, 0.5);
}

static double
mean(const Figure *figure)
{
	double		sum = 0;

	for (int i = 0; i < nseeds; i++)
		sum += figure->of_run[i];
	return sum / nseeds;
}

static void
print_figure(const char *scenario, const char *what, Figure *figure)
{
	printf("# %s: %s: mean %.2f, median %.2f, 9 of 10 at most %.2f, worst %.2f\n", scenario, what,
		   mean(figure), median(figure), quantile(figure, 0.9), worst(figure));
}

/* Throttled answers from one time to another, and all. */
static int
count_throttles(const Outcome *outcome, double from_s, double to_s, int *answers)
{
	int			throttles = 0;

	*answers = 0;
	for (size_t i = 0; i < outcome->nanswers; i++)
	{
		const Answer *answer = &outcome->answers[i];

		if (answer->at_s < from_s || answer->at_s >= to_s)
			continue;
		(*answers)++;
		throttles += answer->throttled;
	}
	return throttles;
}

static double
percent(int part, int of)
{
	return of > 0 ? 100.0 * part / of : 0;
}

/* Percent of the answers after the start that are throttles. */
static double
late_percent(const Outcome *outcome)
{
	int			answers;
	int			throttles = count_throttles(outcome, EARLY_S, HUGE_VAL, &answers);

	return percent(throttles, answers);
}

/* Seconds until a new limit is met: when a lower one, little is throttled; else most is used. */
static double
followed_after(const Outcome *outcome, double changed_s, double limit, bool lower)
{
	for (double from_s = changed_s; from_s < changed_s + 60; from_s += LOOK_STEP_S)
	{
		int			answers;
		int			throttles = count_throttles(outcome, from_s, from_s + LOOK_S, &answers);

		if (lower && throttles <= fmax(1, 0.1 * answers))
			return from_s - changed_s;
		if (!lower && answers - throttles >= 0.8 * limit * LOOK_S)
			return from_s + LOOK_S - changed_s;
	}
	return HUGE_VAL;
}

/* The least that a session was delivered, as a share of the most, while all had jobs. */
static double
least_share(const Outcome *outcome, int sessions)
{
	int			delivered[SESSIONS_MAX] = {0};
	double		until_s = HUGE_VAL;
	int			least;
	int			most;

	for (int i = 0; i < sessions; i++)
		until_s = fmin(until_s, outcome->session_ends_s[i]);
	for (size_t i = 0; i < outcome->nanswers; i++)
	{
		const Answer *answer = &outcome->answers[i];

		if (!answer->throttled && answer->at_s > EARLY_S && answer->at_s < until_s)
			delivered[answer->session]++;
	}
	least = most = delivered[0];
	for (int i = 1; i < sessions; i++)
	{
		least = delivered[i] < least ? delivered[i] : least;
		most = delivered[i] > most ? delivered[i] : most;
	}
	return most > 0 ? (double) least / most : 0;
}

/* ----- scenarios ----- */

/* Some figures of all runs of a scenario. */
typedef struct Figures
{
	Figure		time;			/* seconds, divided by the ideal */
	Figure		early;			/* throttles in the first seconds */
	Figure		late;			/* percent of throttles afterwards */
	Figure		throttled;		/* percent of throttles of all answers */
	Figure		refused;		/* percent of the neighbour's calls whose first try was throttled */
	Figure		lost;			/* percent of its calls */
	Figure		down;			/* seconds until a lower limit was met */
	Figure		up;				/* ... a higher one */
	Figure		back;			/* seconds until all was delivered again, after an outage */
	Figure		beyond;			/* seconds that an outage cost beyond its length */
	Figure		uneven;			/* 1 less the least share of a session, as a share of the largest */
} Figures;

static void
print_figures(const char *title, const Scenario *scenario, Figures *figures)
{
	print_figure(title, "time, by the ideal", &figures->time);
	print_figure(title, "throttles in the first 10 s", &figures->early);
	if (median(&figures->late) > 0)
		print_figure(title, "percent throttled later", &figures->late);
	if (scenario->neighbour > 0)
	{
		print_figure(title, "percent of the neighbour's first tries refused", &figures->refused);
		print_figure(title, "percent that it lost", &figures->lost);
	}
	if (scenario->low_limit > 0)
	{
		print_figure(title, "seconds until the lower limit was met", &figures->down);
		print_figure(title, "seconds until the higher limit was met", &figures->up);
	}
	if (scenario->outage_length_s > 0 && scenario->outage_every_s == 0)
	{
		print_figure(title, "seconds until the full rate was back", &figures->back);
		print_figure(title, "seconds that the outage cost beyond its length", &figures->beyond);
	}
	if (scenario->sessions > 1 && scenario->apart_s == 0)
		print_figure(title, "by how much the sessions' shares differ", &figures->uneven);
}

/* The calls a second that get through: the limit, or what the slots can make without one. */
static double
full_rate(const Scenario *scenario)
{
	return scenario->limit > 0 ? scenario->limit : SLOTS / LATENCY_S;
}

/* Look at what came after the scenario's one outage, and at the same without it. */
static void
look_at_outage(const Scenario *scenario, unsigned seed, const Outcome *outcome, Figures *figures, int run)
{
	Scenario	without = *scenario;
	Outcome		other;
	double		ends_s = scenario->outage_s + scenario->outage_length_s;

	without.outage_length_s = 0;
	simulate(&without, seed, &other);
	figures->back.of_run[run] = followed_after(outcome, ends_s, full_rate(scenario), false);
	figures->beyond.of_run[run] = outcome->seconds - other.seconds - scenario->outage_length_s;
	free(other.answers);
}

/* Run a scenario with each seed; "ideal_s" is the time that it should take. */
static Figures
run(const char *title, Scenario scenario, double ideal_s)
{
	Figures		figures;

	memset(&figures, 0, sizeof(figures));
	for (int i = 0; i < nseeds; i++)
	{
		Outcome		outcome;
		int			answers;

		simulate(&scenario, i + 1, &outcome);
		figures.time.of_run[i] = outcome.seconds / ideal_s;
		figures.early.of_run[i] = count_throttles(&outcome, 0, EARLY_S, &answers);
		figures.late.of_run[i] = late_percent(&outcome);
		figures.throttled.of_run[i] = percent(count_throttles(&outcome, 0, HUGE_VAL, &answers), outcome.nanswers);
		figures.refused.of_run[i] = percent(outcome.neighbour_refused, outcome.neighbour_calls);
		figures.lost.of_run[i] = percent(outcome.neighbour_lost, outcome.neighbour_calls);
		if (scenario.low_limit > 0)
		{
			figures.down.of_run[i] = followed_after(&outcome, scenario.period_s, scenario.low_limit, true);
			figures.up.of_run[i] = followed_after(&outcome, 2 * scenario.period_s, scenario.limit, false);
		}
		if (scenario.outage_length_s > 0 && scenario.outage_every_s == 0)
			look_at_outage(&scenario, i + 1, &outcome, &figures, i);
		if (scenario.sessions > 1 && scenario.apart_s == 0)
			figures.uneven.of_run[i] = 1 - least_share(&outcome, scenario.sessions);
		free(outcome.answers);
	}
	print_figures(title, &scenario, &figures);
	return figures;
}

/* The time that a bucket takes for so many jobs. */
static double
bucket_s(const Scenario *scenario)
{
	return (scenario->jobs - scenario->burst) / scenario->limit;
}

static void
test_bucket(void)
{
	Scenario	bucket = {.limit = 20, .burst = 20, .jobs = 4000};
	Figures		figures = run("a limit of 20/s", bucket, bucket_s(&bucket));

	tap_ok(worst(&figures.time) <= 1.05, "a limit of 20/s is met within 1.05 of the ideal time");
	tap_ok(worst(&figures.early) <= 32, "... with at most two throttles for each of 16 calls at once in the first 10 s");
	tap_ok(worst(&figures.late) <= 3, "... and at most 3 percent later");

	bucket.jobs = 400;
	figures = run("400 jobs at 20/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05, "... with 400 jobs too");

	bucket = (Scenario) {.limit = 20, .burst = 20, .jobs = 4000, .slots = 64};
	figures = run("64 calls at once at 20/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.early) <= 128 && worst(&figures.late) <= 3,
		   "... with 64 calls at once");

	bucket = (Scenario) {.limit = 20, .burst = 100, .jobs = 4000};
	figures = run("20/s, 100 saved", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 3, "... where more is saved up");

	bucket = (Scenario) {.limit = 20, .burst = 20, .jobs = 4000, .latency_s = 0.3};
	figures = run("answers in 0.3 s at 20/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 5, "... with slow answers");

	bucket = (Scenario) {.limit = 5, .burst = 5, .jobs = 1500};
	figures = run("a limit of 5/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 4, "a limit of 5/s, at most 4 percent throttled");

	bucket = (Scenario) {.limit = 2, .burst = 2, .jobs = 600};
	figures = run("a limit of 2/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 4, "a limit of 2/s, the same");
	tap_ok(worst(&figures.early) <= 32, "... and its pauses are not taken for outages");

	bucket = (Scenario) {.limit = 200, .burst = 200, .jobs = 20000};
	figures = run("a limit of 200/s", bucket, bucket_s(&bucket));
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 3, "a limit of 200/s, at most 3 percent");
}

static void
test_random(void)
{
	Scenario	scan = {.jobs = 800, .latency_s = 0.03};
	Figures		figures = run("no throttles", scan, 1);
	double		without_s = median(&figures.time);
	Figures		standard;

	tap_ok(worst(&figures.early) == 0 && worst(&figures.time) < 2, "without throttles no call is delayed");

	scan.random_share = 0.02;
	figures = run("2% at random", scan, without_s);
	tap_ok(quantile(&figures.time, 0.9) <= 1.3, "2 percent at random: 9 of 10 runs take at most 1.3 times as long");
	tap_ok(worst(&figures.time) <= 1.6, "... and none more than 1.6 times");

	scan.random_share = 0.15;
	figures = run("15% at random", scan, without_s);
	scan.mode = STANDARD;
	standard = run("15% at random, standard mode", scan, without_s);
	tap_ok(worst(&figures.time) <= median(&standard.time) / 2,
		   "15 percent at random: the slowest run takes at most half of standard mode's median");

	scan = (Scenario) {.jobs = 20000, .random_share = 0.15};
	figures = run("15% at random for long", scan, 20000 * 0.055 / 16);
	tap_ok(worst(&figures.time) <= 1.6, "... and a long scan is no slower");
	scan.random_share = 0.3;
	figures = run("30% at random for long", scan, 20000 * 0.055 / 16);
	tap_ok(worst(&figures.time) <= 8, "30 percent at random do not starve a scan");

	scan = (Scenario) {.jobs = 60, .first_throttles = 1};
	figures = run("the first call is throttled", scan, 1);
	tap_ok(worst(&figures.time) <= 2, "one throttle on the first call: 60 jobs take at most 2 s");
}

static void
test_random_and_limit(void)
{
	Scenario	both = {.limit = 20, .burst = 20, .jobs = 4000, .random_share = 0.02};
	Figures		figures = run("2% at random and 20/s", both, both.jobs / both.limit);

	tap_ok(quantile(&figures.time, 0.9) <= 1.15,
		   "2 percent at random and a limit of 20/s: 9 of 10 runs take at most 1.15 of the ideal time");
	tap_ok(worst(&figures.time) <= 1.3, "... and none more than 1.3");
	both = (Scenario) {.limit = 20, .burst = 100, .jobs = 4000, .front_ends = 8};
	figures = run("8 front ends, 20/s in all", both, both.jobs / both.limit);
	tap_ok(worst(&figures.time) <= 1.3 && worst(&figures.throttled) <= 8,
		   "eight front ends with a limit each: at most 1.3 of the ideal time and 8 percent");
}

static void
test_neighbour(void)
{
	Scenario	shared = {.limit = 20, .burst = 20, .jobs = 2000, .neighbour = 10};
	Figures		figures = run("a neighbour with half of 20/s", shared, 2 * bucket_s(&shared));

	tap_ok(mean(&figures.refused) <= 5, "at most 5 percent of the first attempts of a neighbour with half of 20/s are throttled, on average");
	tap_ok(mean(&figures.lost) <= 1 && worst(&figures.lost) <= 2, "... and loses at most 1 percent");
	tap_ok(worst(&figures.time) <= 1.1, "... and leaves us our half");
	shared = (Scenario) {.limit = 5, .burst = 5, .jobs = 750, .neighbour = 2.5};
	figures = run("a neighbour with half of 5/s", shared, 2 * bucket_s(&shared));
	tap_ok(mean(&figures.refused) <= 7, "with half of 5/s at most 7 percent, on average");
	tap_ok(mean(&figures.lost) <= 1 && worst(&figures.lost) <= 2, "... and 1 percent");
}

static void
test_sessions(void)
{
	Scenario	sessions = {.limit = 20, .burst = 20, .jobs = 4000, .sessions = 2};
	Figures		figures = run("2 sessions at 20/s", sessions, bucket_s(&sessions));

	tap_ok(worst(&figures.uneven) <= 0.2, "two sessions that share memory have the same share, within 20 percent");
	tap_ok(worst(&figures.time) <= 1.05 && worst(&figures.late) <= 3, "... and together behave like one session");
	sessions.sessions = 8;
	figures = run("8 sessions at 20/s", sessions, bucket_s(&sessions));
	tap_ok(worst(&figures.uneven) <= 0.2, "... eight sessions too");
	sessions = (Scenario) {.limit = 20, .burst = 20, .jobs = 4000, .sessions = 2, .apart = true};
	figures = run("2 sessions that share no memory", sessions, bucket_s(&sessions));
	tap_ok(worst(&figures.throttled) <= 6, "sessions that share no memory are throttled a little more");

	/* a session's start is a burst that the limit has saved up for, and must not be taken for more */
	sessions = (Scenario) {.limit = 20, .burst = 20, .jobs = 1200, .sessions = 12, .apart_s = 40};
	figures = run("100 jobs, then a pause", sessions, 11 * 40 + 80 / 20.0);
	tap_ok(worst(&figures.throttled) <= 6 && worst(&figures.time) <= 1.05, "the limit is remembered during a pause");
}

static void
test_moving_limit(void)
{
	Scenario	moving = {.limit = 20, .burst = 20, .jobs = 2700, .low_limit = 5, .period_s = 60};
	Figures		figures = run("20/s, 5/s, 20/s", moving, 180);

	tap_ok(worst(&figures.down) <= 5, "a limit that falls to a quarter is met within 5 s");
	tap_ok(median(&figures.up) <= 10, "... and within 10 s, in the median, when it is back");
	tap_ok(worst(&figures.up) <= 15, "... and never later than 15 s");
}

/* One outage, of a service with a limit or without, from then on and for so long. */
static Figures
outage(double limit, double begins_s, double length_s)
{
	Scenario	scenario = {.limit = limit, .burst = limit, .outage_s = begins_s, .outage_length_s = length_s};
	char		service[32] = "no limit";
	char		title[80];
	char		claim[160];
	Figures		figures;

	if (limit > 0)
		snprintf(service, sizeof(service), "a limit of %g/s", limit);
	snprintf(title, sizeof(title), "%s, %g s of outage %s", service, length_s,
			 begins_s > 0 ? "once it is known" : "at the start");
	scenario.jobs = (int) (full_rate(&scenario) * (begins_s + 30));
	figures = run(title, scenario, scenario.jobs / full_rate(&scenario) + length_s);
	snprintf(claim, sizeof(claim), "%s: the full rate is back within 5 s in the median, and within 10", title);
	tap_ok(median(&figures.back) <= 5 && worst(&figures.back) <= 10, claim);
	tap_ok(worst(&figures.beyond) <= 5, "... and at most 5 s are lost");
	return figures;
}

static void
test_outage(void)
{
	const double limits[] = {0, 20, 5};
	Scenario	scenario;
	Figures		figures;

	for (int i = 0; i < 3; i++)
	{
		/* with nothing learnt yet, and with all that is to be learnt */
		outage(limits[i], 0, 5);
		outage(limits[i], 0, 10);
		figures = outage(limits[i], 20, 1);
		tap_ok(worst(&figures.late) <= 6, "... and its throttles are not taken for a lasting share");
		outage(limits[i], 20, 5);
		outage(limits[i], 20, 10);
		outage(limits[i], 20, 60);
	}

	/* what is too short to be told from a limit */
	scenario = (Scenario) {.jobs = 15000, .outage_s = 20, .outage_length_s = 0.3};
	figures = run("no limit, 0.3 s of outage", scenario, scenario.jobs / full_rate(&scenario));
	tap_ok(worst(&figures.beyond) <= 12, "an outage of 0.3 s is taken for a limit, and costs 12 s at most");

	/* not a divisor of the least rate's interval: else each call may meet an outage */
	scenario = (Scenario) {.limit = 20, .burst = 20, .jobs = 2000,
		.outage_s = 5, .outage_length_s = 5, .outage_every_s = 10.3};
	figures = run("20/s, an outage every 10.3 s", scenario, 100 * 10.3 / 5.3);
	tap_ok(worst(&figures.time) <= 1.2, "outages half of the time double the time needed, within a fifth");

	scenario = (Scenario) {.limit = 0.3, .burst = 1, .jobs = 60};
	figures = run("a limit of 0.3/s", scenario, 60 / 0.3);
	tap_ok(worst(&figures.time) <= 1.3 && worst(&figures.throttled) <= 90,
		   "a limit of 0.3/s is not taken for one outage after another");
}

/* ----- the rate itself ----- */

static void
test_ceiling(void)
{
	TokenBucket bucket;
	double		now_s = 100;

	smf_ceiling_init(&bucket, now_s);
	tap_ok(smf_ceiling_take(&bucket, 4, now_s) == 0, "below a ceiling the first call may go");
	tap_ok(fabs(smf_ceiling_take(&bucket, 4, now_s) - 0.25) < 1e-9, "and the second after its share of a second");
	tap_ok(smf_ceiling_take(&bucket, 4, now_s + 0.25) == 0, "then it may");
	tap_ok(smf_ceiling_take(&bucket, 4, now_s + 100) == 0 && smf_ceiling_take(&bucket, 4, now_s + 100) > 0.2,
		   "nothing is saved up");
	smf_ceiling_give(&bucket);
	tap_ok(smf_ceiling_take(&bucket, 4, now_s + 100) == 0, "what is given back may be taken again");
	tap_ok(smf_ceiling_take(&bucket, 4, now_s + 99) > 0.2, "a clock that goes back gives no extra call");
	tap_ok(fabs(smf_ceiling_take(&bucket, 2, now_s + 100.25) - 0.25) < 1e-9, "a lower ceiling counts at once");
}

/* Calls that may go at once. */
static int
take_all(CallRate *rate, double now_s)
{
	int			calls = 0;

	while (calls < 1000 && smf_rate_take(rate, now_s) == 0)
		calls++;
	return calls;
}

/* So many answers to calls that were sent just before. */
static void
answer(CallRate *rate, double *now_s, int calls, bool throttled)
{
	for (int i = 0; i < calls; i++)
	{
		*now_s += 0.05;
		smf_rate_answered(rate, *now_s, *now_s - 0.04, throttled);
	}
}

static void
test_rate(void)
{
	CallRate	rate;
	double		now_s = 100;
	double		before;

	smf_rate_init(&rate, now_s);
	tap_is_int(take_all(&rate, now_s), 1000, "at first all calls may go");
	answer(&rate, &now_s, 100, false);
	tap_ok(rate.phase == SMF_RATE_OPEN, "and that remains so while all succeed");
	answer(&rate, &now_s, 1, true);
	tap_ok(rate.phase == SMF_RATE_OPEN && take_all(&rate, now_s) == 1000, "one throttled call does not mean a limit");
	answer(&rate, &now_s, 6, true);
	tap_ok(rate.phase != SMF_RATE_OPEN && take_all(&rate, now_s) == 0, "seven in a row do");
	tap_ok(smf_rate_take(&rate, now_s) <= 1 / rate.rate + 1e-9, "and the next call waits for its turn");

	before = rate.rate;
	smf_rate_answered(&rate, now_s + 0.01, now_s - 0.02, true);
	tap_ok(rate.rate == before, "throttled calls that were under way then change nothing");
	answer(&rate, &now_s, 1000, true);
	tap_ok(rate.rate == 0.5, "the rate never falls below 0.5, however many follow");
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.phase == SMF_RATE_OPEN && take_all(&rate, now_s) == 1000,
		   "once a call gets through again, all may go as before");
	answer(&rate, &now_s, 1, true);
	tap_ok(rate.phase == SMF_RATE_OPEN, "... and one throttled call does not mean a limit, as before");
	answer(&rate, &now_s, 15, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.phase != SMF_RATE_OPEN, "soon afterwards throttles of the same length mean a limit");
	answer(&rate, &now_s, 25, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.phase == SMF_RATE_OPEN, "... and those twice as long an outage");
	answer(&rate, &now_s, 30, false);
	answer(&rate, &now_s, 20, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.phase == SMF_RATE_OPEN, "after a while without throttles the shorter length is an outage again");

	/* a limit: some get through */
	for (int i = 0; i < 200; i++)
	{
		answer(&rate, &now_s, 4, true);
		answer(&rate, &now_s, 1, false);
	}
	tap_ok(rate.phase != SMF_RATE_OPEN && rate.rate < 5, "where one call in five gets through, there is a limit");
	answer(&rate, &now_s, 2000, false);
	tap_ok(rate.rate > 5, "and the rate grows again when all calls succeed");

	now_s += 1000;
	before = rate.rate;
	tap_ok(take_all(&rate, now_s) <= fmax(1, 0.1 * before) + 1e-6, "a tenth of a second's calls are saved up");
	now_s += 1000;
	answer(&rate, &now_s, 50, false);
	tap_ok(rate.rate <= before * 1.5, "without demand the rate does not grow");
}

/* A rate that was learnt, after outages. */
static void
test_rate_in_outage(void)
{
	CallRate	rate;
	double		now_s = 100;
	double		before;

	smf_rate_init(&rate, now_s);
	for (int i = 0; i < 200; i++)
	{
		answer(&rate, &now_s, 4, true);
		answer(&rate, &now_s, 1, false);
	}
	answer(&rate, &now_s, 200, false);
	before = rate.rate;
	answer(&rate, &now_s, 9, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.phase != SMF_RATE_OPEN && rate.rate < before, "throttles for less than half a second are not an outage");

	answer(&rate, &now_s, 200, false);
	before = rate.borne;
	answer(&rate, &now_s, 200, true);
	tap_ok(rate.rate == 0.5, "an outage brings the rate down");
	smf_rate_answered(&rate, now_s, now_s - 9.9, false);
	tap_ok(rate.rate == 0.5, "a call that was sent before the outage does not show its end");
	answer(&rate, &now_s, 20, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.rate == before && rate.base == before, "one that was sent during it restores the last accepted rate");

	answer(&rate, &now_s, 15, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.rate < before, "until that rate has proved itself, throttles of the same length mean a limit");
	answer(&rate, &now_s, 21, true);
	answer(&rate, &now_s, 1, false);
	tap_ok(rate.rate == before, "... and those twice as long an outage");
	for (int i = 0; i < 4; i++)
	{
		answer(&rate, &now_s, 100, true);
		answer(&rate, &now_s, 1, false);
		tap_ok(rate.rate == before, "but four seconds are always an outage");
	}
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		nseeds = atoi(argv[1]);
	if (nseeds < 1 || nseeds > SEEDS_MAX)
	{
		fprintf(stderr, "usage: rate_test [SEEDS]\n");
		return 2;
	}
	test_ceiling();
	test_rate();
	test_rate_in_outage();
	test_bucket();
	test_random();
	test_random_and_limit();
	test_neighbour();
	test_sessions();
	test_moving_limit();
	test_outage();
	return tap_end();
}
