/*-------------------------------------------------------------------------
 *
 * simulation.c
 *		Sessions that call a service which throttles, on a clock of its own.
 *
 * Events in the order of their time: a call arrives at the service, its answer at
 * the session, a delay or a wait for a turn is over.  A session has a number of
 * slots, each of which has one call until that succeeds, as a scan of
 * src/jobs/stream.c has; its queue for turns is that of src/aws/pace.c.  The draws
 * are of a generator of its own, so that a seed gives the same everywhere.
 *
 * Not accounted for: errors other than throttles, Retry-After, max_attempts.
 *
 *-------------------------------------------------------------------------
 */
#include "simulation.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/rate.h"
#include "aws/retry.h"

#define FRONT_ENDS_MAX 8
#define NEIGHBOUR_ATTEMPTS 3

/* Whose call it is, in place of a session. */
#define NEIGHBOUR (-1)

typedef enum EventKind
{
	SESSION_BEGINS,
	CALL_ARRIVES,
	ANSWER_ARRIVES,
	DELAY_OVER,
	TURN_COMES,
	NEIGHBOUR_CALLS
} EventKind;

typedef struct Event
{
	double		at_s;
	uint64_t	number;			/* the order of those of one time */
	EventKind	kind;
	int			session;		/* or NEIGHBOUR */
	int			slot;			/* the neighbour's: which attempt */
	double		sent_s;			/* of a call */
	double		answer_s;		/* when its answer arrives */
	bool		throttled;		/* an answer */
	uint64_t	wait;			/* of TURN_COMES: for which wait it was */
} Event;

typedef struct SimulatedSession
{
	CallRate   *rate;
	int			to_begin;		/* jobs that are in no slot yet */
	int			left;			/* jobs that are not done */
	int			throttles[SLOTS_MAX];	/* in a row, of the slot's call */
	int			queue[SLOTS_MAX];	/* slots that wait for a turn, the first first */
	int			queued;
	uint64_t	wait;			/* for the turn that is waited for; 0: none */
	double		success_s;		/* when a call last succeeded */
} SimulatedSession;

typedef struct Simulation
{
	const Scenario *scenario;
	Outcome    *outcome;
	double		now_s;
	uint64_t	draws;			/* the generator's state */

	Event	   *events;			/* a heap, the next at the top */
	size_t		nevents;
	size_t		events_size;
	uint64_t	numbers;		/* of events */
	size_t		answers_size;

	double		tokens[FRONT_ENDS_MAX];
	double		tokens_s[FRONT_ENDS_MAX];	/* when they were counted */
	int			first_throttles;	/* still to come */

	CallRate	rates[SESSIONS_MAX];
	SimulatedSession sessions[SESSIONS_MAX];
	int			busy;			/* sessions that are not done */
} Simulation;

/* Uniform in [0, 1): splitmix64. */
static double
draw(Simulation *simulation)
{
	uint64_t	z = (simulation->draws += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	z ^= z >> 31;
	return (double) (z >> 11) / 9007199254740992.0;
}

static void *
enlarge(void *array, size_t *size, size_t element)
{
	*size = *size ? 2 * *size : 256;
	array = realloc(array, *size * element);
	if (array == NULL)
	{
		fputs("out of memory\n", stderr);
		exit(2);
	}
	return array;
}

/* ----- events ----- */

static bool
before(const Event *a, const Event *b)
{
	return a->at_s < b->at_s || (a->at_s == b->at_s && a->number < b->number);
}

static void
add_event(Simulation *simulation, Event event)
{
	size_t		i = simulation->nevents++;

	if (simulation->nevents > simulation->events_size)
		simulation->events = enlarge(simulation->events, &simulation->events_size, sizeof(Event));
	event.number = ++simulation->numbers;
	for (; i > 0 && before(&event, &simulation->events[(i - 1) / 2]); i = (i - 1) / 2)
		simulation->events[i] = simulation->events[(i - 1) / 2];
	simulation->events[i] = event;
}

static Event
next_event(Simulation *simulation)
{
	Event	   *heap = simulation->events;
	Event		first = heap[0];
	Event		last = heap[--simulation->nevents];
	size_t		i = 0;

	for (size_t child = 1; child < simulation->nevents; child = 2 * i + 1)
	{
		if (child + 1 < simulation->nevents && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

/* ----- the service ----- */

static double
limit_at(const Scenario *scenario, double now_s)
{
	if (scenario->low_limit > 0 && fmod(floor(now_s / scenario->period_s), 2) == 1)
		return scenario->low_limit;
	return scenario->limit;
}

/* Is there an outage? */
static bool
in_outage(const Scenario *scenario, double now_s)
{
	double		age_s = now_s - scenario->outage_s;

	if (scenario->outage_every_s > 0 && age_s >= 0)
		age_s = fmod(age_s, scenario->outage_every_s);
	return age_s >= 0 && age_s < scenario->outage_length_s;
}

/* Is a call that arrives now let through? */
static bool
bears(Simulation *simulation)
{
	const Scenario *scenario = simulation->scenario;
	int			n = scenario->front_ends > 0 ? scenario->front_ends : 1;
	int			i = n > 1 ? (int) (draw(simulation) * n) : 0;
	double	   *tokens = &simulation->tokens[i];

	if (in_outage(scenario, simulation->now_s))
		return false;
	if (simulation->first_throttles > 0)
	{
		simulation->first_throttles--;
		return false;
	}
	if (scenario->random_share > 0 && draw(simulation) < scenario->random_share)
		return false;
	if (scenario->limit == 0)
		return true;
	*tokens += (simulation->now_s - simulation->tokens_s[i]) * limit_at(scenario, simulation->now_s) / n;
	*tokens = fmin(*tokens, fmax(1, scenario->burst / n));
	simulation->tokens_s[i] = simulation->now_s;
	if (*tokens < 1)
		return false;
	*tokens -= 1;
	return true;
}

static void
send_call(Simulation *simulation, int session, int slot)
{
	double		latency_s = simulation->scenario->latency_s > 0 ? simulation->scenario->latency_s : LATENCY_S;
	Event		event = {.kind = CALL_ARRIVES, .session = session, .slot = slot};

	latency_s *= 0.55 + 0.9 * draw(simulation);
	event.sent_s = simulation->now_s;
	event.at_s = simulation->now_s + latency_s / 2;
	event.answer_s = simulation->now_s + latency_s;
	add_event(simulation, event);
}

/* ----- sessions ----- */

/* Let go whose turn it is; then wait for the next turn, if anybody does. */
static void
run_queue(Simulation *simulation, int i)
{
	SimulatedSession *session = &simulation->sessions[i];

	session->wait = 0;
	while (session->queued > 0)
	{
		double		wait_s = 0;
		int			slot = session->queue[0];

		if (simulation->scenario->mode == ADAPTIVE)
			wait_s = smf_rate_take(session->rate, simulation->now_s);
		if (wait_s > 0)
		{
			session->wait = simulation->numbers + 1;
			add_event(simulation, (Event) {.at_s = simulation->now_s + wait_s + 1e-6,
					.kind = TURN_COMES, .session = i, .wait = session->wait});
			return;
		}
		session->queued--;
		memmove(session->queue, session->queue + 1, session->queued * sizeof(int));
		send_call(simulation, i, slot);
	}
}

/* Give the slot another job, if there is one. */
static void
begin_job(SimulatedSession *session, int slot)
{
	if (session->to_begin == 0)
		return;
	session->to_begin--;
	session->throttles[slot] = 0;
	session->queue[session->queued++] = slot;
}

static void
begin_session(Simulation *simulation, int i)
{
	int			slots = simulation->scenario->slots > 0 ? simulation->scenario->slots : SLOTS;

	for (int slot = 0; slot < slots; slot++)
		begin_job(&simulation->sessions[i], slot);
	run_queue(simulation, i);
}

static void
log_answer(Simulation *simulation, const Event *event)
{
	Outcome    *outcome = simulation->outcome;

	if (outcome->nanswers == simulation->answers_size)
		outcome->answers = enlarge(outcome->answers, &simulation->answers_size, sizeof(Answer));
	outcome->answers[outcome->nanswers++] = (Answer) {event->at_s, event->session, event->throttled};
}

/* Seconds before a throttled call is tried again. */
static double
delay_s(Simulation *simulation, const SimulatedSession *session, int throttles)
{
	if (simulation->scenario->mode == STANDARD)
		return smf_retry_delay(throttles + 1, draw(simulation));
	return smf_retry_throttled_delay(throttles, simulation->now_s - session->success_s, draw(simulation));
}

static void
session_answered(Simulation *simulation, const Event *event)
{
	SimulatedSession *session = &simulation->sessions[event->session];

	log_answer(simulation, event);
	smf_rate_answered(session->rate, simulation->now_s, event->sent_s, event->throttled);
	if (event->throttled)
	{
		double		delay = delay_s(simulation, session, ++session->throttles[event->slot]);

		add_event(simulation, (Event) {.at_s = simulation->now_s + delay, .kind = DELAY_OVER,
				.session = event->session, .slot = event->slot});
	}
	else
	{
		session->success_s = simulation->now_s;
		begin_job(session, event->slot);
		if (--session->left == 0)
		{
			simulation->outcome->session_ends_s[event->session] = simulation->now_s;
			simulation->busy--;
		}
	}
	run_queue(simulation, event->session);
}

/* A call that tries again goes before those that have not been sent yet. */
static void
queue_again(Simulation *simulation, const Event *event)
{
	SimulatedSession *session = &simulation->sessions[event->session];

	memmove(session->queue + 1, session->queue, session->queued * sizeof(int));
	session->queue[0] = event->slot;
	session->queued++;
	run_queue(simulation, event->session);
}

/* ----- the neighbour ----- */

static void
neighbour_calls(Simulation *simulation)
{
	double		interval_s = (0.5 + draw(simulation)) / simulation->scenario->neighbour;

	simulation->outcome->neighbour_calls++;
	send_call(simulation, NEIGHBOUR, 1);
	add_event(simulation, (Event) {.at_s = simulation->now_s + interval_s, .kind = NEIGHBOUR_CALLS});
}

static void
neighbour_answered(Simulation *simulation, const Event *event)
{
	int			attempt = event->slot;
	double		delay;

	if (!event->throttled)
		return;
	simulation->outcome->neighbour_refused += attempt == 1;
	if (attempt == NEIGHBOUR_ATTEMPTS)
	{
		simulation->outcome->neighbour_lost++;
		return;
	}
	delay = smf_retry_delay(attempt + 1, draw(simulation));
	add_event(simulation, (Event) {.at_s = simulation->now_s + delay, .kind = DELAY_OVER,
			.session = NEIGHBOUR, .slot = attempt + 1});
}

/* ----- the clock ----- */

static void
happen(Simulation *simulation, const Event *event)
{
	Event		answer = *event;

	simulation->now_s = event->at_s;
	switch (event->kind)
	{
		case SESSION_BEGINS:
			begin_session(simulation, event->session);
			break;
		case CALL_ARRIVES:
			answer.kind = ANSWER_ARRIVES;
			answer.at_s = event->answer_s;
			answer.throttled = !bears(simulation);
			add_event(simulation, answer);
			break;
		case ANSWER_ARRIVES:
			if (event->session == NEIGHBOUR)
				neighbour_answered(simulation, event);
			else
				session_answered(simulation, event);
			break;
		case DELAY_OVER:
			if (event->session == NEIGHBOUR)
				send_call(simulation, NEIGHBOUR, event->slot);
			else
				queue_again(simulation, event);
			break;
		case TURN_COMES:
			if (simulation->sessions[event->session].wait == event->wait)
				run_queue(simulation, event->session);
			break;
		case NEIGHBOUR_CALLS:
			neighbour_calls(simulation);
			break;
	}
}

/* Run the scenario.  The outcome's answers are for the caller to free. */
void
simulate(const Scenario *scenario, unsigned seed, Outcome *outcome)
{
	Simulation	simulation = {.scenario = scenario, .outcome = outcome};
	int			sessions = scenario->sessions > 0 ? scenario->sessions : 1;
	int			n = scenario->front_ends > 0 ? scenario->front_ends : 1;

	memset(outcome, 0, sizeof(*outcome));
	simulation.draws = UINT64_C(1000003) * seed;
	simulation.first_throttles = scenario->first_throttles;
	simulation.busy = sessions;
	for (int i = 0; i < n; i++)
		simulation.tokens[i] = fmax(1, scenario->burst / n);
	for (int i = 0; i < sessions; i++)
	{
		SimulatedSession *session = &simulation.sessions[i];

		smf_rate_init(&simulation.rates[i], 0);
		session->rate = &simulation.rates[scenario->apart ? i : 0];
		session->to_begin = session->left = scenario->jobs / sessions;
		session->success_s = -HUGE_VAL;
		add_event(&simulation, (Event) {.at_s = i * fmax(0.001, scenario->apart_s),
				.kind = SESSION_BEGINS, .session = i});
	}
	if (scenario->neighbour > 0)
		add_event(&simulation, (Event) {.kind = NEIGHBOUR_CALLS});
	while (simulation.busy > 0)
	{
		Event		event = next_event(&simulation);

		happen(&simulation, &event);
	}
	outcome->seconds = simulation.now_s;
	free(simulation.events);
}
