/*-------------------------------------------------------------------------
 *
 * pace.c
 *		The turns of calls to one operation.
 *
 * The service limits how often an operation is called, by account and region,
 * whoever calls.  So all scans of a session queue for their calls here, in one
 * place for each operation, and calls go out as fast as the rate allows.
 *
 * Not accounted for: the calls of other sessions and programs, other than by
 * the throttles that they cause.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/pace.h"

static double
now_s(void)
{
	return smf_http_now() / 1e6;
}

/* Let go whose turn it is; then wait for the next turn, if anybody does. */
static void
run_queue(AwsPacer *pacer)
{
	while (!dlist_is_empty(&pacer->queue))
	{
		double		wait_s = smf_rate_take(&pacer->rate, now_s());
		PaceTurn   *turn;

		if (wait_s > 0)
		{
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
smf_pacer_find(dlist_head *pacers, const CallKey *key, double ceiling)
{
	dlist_iter	iter;
	AwsPacer   *pacer;

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
	pacer->quota.left = SMF_RETRY_QUOTA;
	smf_rate_init(&pacer->rate, ceiling, now_s());
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
