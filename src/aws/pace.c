/*-------------------------------------------------------------------------
 *
 * pace.c
 *		The turns of calls to one operation.
 *
 * The service limits how often an operation is called, by account and region,
 * whoever calls.  So all scans of a session queue for their calls here, in one
 * place for each operation, and calls go out as fast as the rate allows.  Where
 * sessions share memory, that is the rate of all sessions together: each asks when
 * its own turn has come, and who asks first goes first.
 *
 * Not accounted for: the calls of other programs, other than by the throttles that
 * they cause.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/pace.h"
#include "storage/spin.h"

/* A rate that was throttled, and that nobody has asked for as long, begins anew. */
#define FORGET_S 120.0

/* Seconds after which a turn that is farther off is asked for again. */
#define ASK_AGAIN_S 3600.0

/* What sessions share for a server's operation in a region. */
typedef struct RatePayload
{
	slock_t		mutex;			/* of what follows; held while it is computed with */
	bool		begun;			/* is the rate valid? */
	CallRate	rate;
} RatePayload;

static void
init_rate(void *payload)
{
	SpinLockInit(&((RatePayload *) payload)->mutex);
	((RatePayload *) payload)->begun = false;
}

static CallTable rates = {
	.part.name = "sagemaker_fdw rates 1",
	.payload_size = sizeof(RatePayload),
	.init_payload = init_rate
};

/* When the library is loaded. */
void
smf_pacer_request(void)
{
	smf_table_request(&rates);
}

/* Before the first use of what follows; may raise an error. */
void
smf_pacer_attach(void)
{
	smf_shared_attach(&rates.part);
}

static double
now_s(void)
{
	return smf_http_now() / 1e6;
}

/* The pacer's rate, for the caller alone until unlock_rate. */
static CallRate *
lock_rate(AwsPacer *pacer, RatePayload **payload)
{
	double		now = now_s();

	*payload = NULL;
	if (!rates.part.shared)
		return &pacer->rate;
	*payload = smf_table_lock(&rates, &pacer->rate_key);
	SpinLockAcquire(&(*payload)->mutex);
	/* how a throttle was borne long ago says nothing of now */
	if (!(*payload)->begun ||
		((*payload)->rate.throttled && now - (*payload)->rate.tokens_at_s > FORGET_S))
		smf_rate_init(&(*payload)->rate, pacer->rate.ceiling, now);
	(*payload)->begun = true;
	/* what was learnt before the server's retry_mode changed would hold for ever */
	if (!pacer->adaptive)
		(*payload)->rate.throttled = false;
	return &(*payload)->rate;
}

static void
unlock_rate(RatePayload *payload)
{
	if (payload == NULL)
		return;
	SpinLockRelease(&payload->mutex);
	smf_table_unlock(&rates);
}

/* Take leave for one call, or return the seconds after which to ask again. */
static double
take_leave(AwsPacer *pacer)
{
	RatePayload *payload;
	double		wait_s = smf_rate_take(lock_rate(pacer, &payload), now_s());

	unlock_rate(payload);
	return wait_s;
}

/* Let go whose turn it is; then wait for the next turn, if anybody does. */
static void
run_queue(AwsPacer *pacer)
{
	while (!dlist_is_empty(&pacer->queue))
	{
		double		wait_s = take_leave(pacer);
		PaceTurn   *turn;

		if (wait_s > 0)
		{
			/* a ceiling may be next to nothing: then ask again now and then */
			wait_s = Min(wait_s, ASK_AGAIN_S);
			smf_http_timer_set(&pacer->timer, smf_http_now() + (int64) (wait_s * 1e6) + 1);
			return;
		}
		turn = dlist_container(PaceTurn, node, dlist_head_node(&pacer->queue));
		smf_pacer_leave(turn);
		turn->go(turn);
	}
}

static void
timer_fired(HttpTimer *timer)
{
	run_queue((AwsPacer *) ((char *) timer - offsetof(AwsPacer, timer)));
}

/*
 * smf_pacer_find
 *		The pacer for such calls, made if need be.  "ceiling" is calls a second, 0 for
 *		none.  Raises an error without memory.
 */
AwsPacer *
smf_pacer_find(dlist_head *pacers, const CallKey *key, double ceiling, bool adaptive)
{
	dlist_iter	iter;
	AwsPacer   *pacer;
	RatePayload *payload;

	dlist_foreach(iter, pacers)
	{
		pacer = dlist_container(AwsPacer, node, iter.cur);
		if (memcmp(&pacer->key, key, sizeof(CallKey)) == 0)
			return pacer;
	}

	pacer = calloc(1, sizeof(AwsPacer));
	if (pacer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	pacer->key = *key;
	pacer->rate_key = *key;
	pacer->rate_key.userid = InvalidOid;
	pacer->adaptive = adaptive;
	pacer->quota.left = SMF_RETRY_QUOTA;
	smf_rate_init(&pacer->rate, ceiling, now_s());
	/* the server's option may have changed since others asked */
	lock_rate(pacer, &payload)->ceiling = ceiling;
	unlock_rate(payload);
	dlist_init(&pacer->queue);
	pacer->timer.fire = timer_fired;
	dlist_push_tail(pacers, &pacer->node);
	return pacer;
}

/* Free the pacers, which nobody waits for any more.  Raises no error. */
void
smf_pacer_free_all(dlist_head *pacers)
{
	while (!dlist_is_empty(pacers))
	{
		AwsPacer   *pacer = dlist_container(AwsPacer, node, dlist_pop_head_node(pacers));

		Assert(dlist_is_empty(&pacer->queue));
		smf_http_timer_cancel(&pacer->timer);
		free(pacer);
	}
}

/*
 * smf_pacer_enter
 *		Queue for a turn, which may come at once: turn->go is called then.
 *
 * A call that tries again goes before those that have not been sent yet: jobs
 * leave a scan in order, so the oldest call is the one that others wait for.
 */
void
smf_pacer_enter(AwsPacer *pacer, PaceTurn *turn, bool again)
{
	if (again)
		dlist_push_head(&pacer->queue, &turn->node);
	else
		dlist_push_tail(&pacer->queue, &turn->node);
	turn->waiting = true;
	run_queue(pacer);
}

/* Wait no longer; who does not wait is left alone.  Raises no error. */
void
smf_pacer_leave(PaceTurn *turn)
{
	if (turn->waiting)
		dlist_delete(&turn->node);
	turn->waiting = false;
}

/* An answer has come to a call that was sent at "sent_us": does the service bear the rate? */
void
smf_pacer_answered(AwsPacer *pacer, int64 sent_us, bool throttled)
{
	RatePayload *payload;

	smf_rate_answered(lock_rate(pacer, &payload), now_s(), sent_us / 1e6, throttled);
	unlock_rate(payload);
}
