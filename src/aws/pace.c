/*-------------------------------------------------------------------------
 *
 * pace.c
 *		The turns of calls to one operation.
 *
 * All scans of a session queue for their calls here, with one queue for each operation
 * and the terms on which it is called.  Calls go out as fast as two bounds allow:
 *
 * - The ceiling is set by the administrator, per server.  All roles that use the server
 *	 share it.
 * - The rate adapts to what the service accepts (rate.c).  The service limits the calls
 *	 to an operation by account and region, whoever makes them and from wherever.  So all
 *	 calls for an account share the rate, whichever server and database they belong to.  A
 *	 server with a custom endpoint has its own rate.  So does a role whose account is not
 *	 known: what a role brings upon its account must not slow down anybody who uses
 *	 another account.
 *
 * If sessions share memory, both bounds apply to all sessions together: each session asks
 * when its own turn has come, and the first to ask goes first.
 *
 * Not accounted for: the calls of other programs, except for the throttling that they
 * cause.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "aws/pace.h"
#include "storage/spin.h"

/* What was learnt about a rate is discarded after nobody has used it for this long. */
#define FORGET_S 120.0

/* If a turn is farther off than this many seconds, ask again after these. */
#define ASK_AGAIN_S 3600.0

/* What sessions share about a ceiling. */
typedef struct CeilingPayload
{
	slock_t		mutex;			/* protects the fields below; held while computing */
	TokenBucket bucket;
} CeilingPayload;

/* What sessions share about a rate. */
typedef struct RatePayload
{
	slock_t		mutex;			/* protects the fields below; held while computing */
	double		used_s;			/* when it was last used for a call or an answer */
	CallRate	rate;
} RatePayload;

static double
now_s(void)
{
	return smf_http_now() / 1e6;
}

static void
init_ceiling(void *memory)
{
	CeilingPayload *payload = memory;

	SpinLockInit(&payload->mutex);
	smf_ceiling_init(&payload->bucket, now_s());
}

static void
init_rate(void *memory)
{
	RatePayload *payload = memory;

	SpinLockInit(&payload->mutex);
	payload->used_s = now_s();
	smf_rate_init(&payload->rate, payload->used_s);
}

static SharedTable ceilings = {
	.part.name = "sagemaker_fdw ceilings 2",
	.payload_size = sizeof(CeilingPayload),
	.init_payload = init_ceiling
};

static SharedTable rates = {
	.part.name = "sagemaker_fdw rates 3",
	.payload_size = sizeof(RatePayload),
	.init_payload = init_rate
};

/* Request the shared memory when the library is loaded. */
void
smf_pacer_reserve(void)
{
	smf_shared_table_reserve(&ceilings);
	smf_shared_table_reserve(&rates);
}

/* Call this before the first use of the functions below; may raise an error. */
void
smf_pacer_attach(void)
{
	smf_shared_table_attach(&ceilings);
	smf_shared_table_attach(&rates);
}

/* The bucket of the pacer's ceiling, locked until unlock_ceiling. */
static CeilingPayload *
lock_ceiling(const AwsPacer *pacer)
{
	CeilingPayload *payload = smf_shared_table_lock(&ceilings, &pacer->ceiling_key);

	SpinLockAcquire(&payload->mutex);
	return payload;
}

static void
unlock_ceiling(CeilingPayload *payload)
{
	SpinLockRelease(&payload->mutex);
	smf_shared_table_unlock(&ceilings);
}

/* The pacer's rate, locked until unlock_rate. */
static RatePayload *
lock_rate(const AwsPacer *pacer, double now)
{
	RatePayload *payload = smf_shared_table_lock(&rates, &pacer->rate_key);

	SpinLockAcquire(&payload->mutex);
	/* what was accepted long ago says nothing about now */
	if (now - payload->used_s > FORGET_S)
		smf_rate_init(&payload->rate, now);
	payload->used_s = now;
	return payload;
}

static void
unlock_rate(RatePayload *payload)
{
	SpinLockRelease(&payload->mutex);
	smf_shared_table_unlock(&rates);
}

static double
take_below_ceiling(const AwsPacer *pacer, double now)
{
	CeilingPayload *payload;
	double		wait_s;

	if (pacer->terms.ceiling == 0)
		return 0;
	payload = lock_ceiling(pacer);
	wait_s = smf_ceiling_take(&payload->bucket, pacer->terms.ceiling, now);
	unlock_ceiling(payload);
	return wait_s;
}

static void
give_back_below_ceiling(const AwsPacer *pacer)
{
	CeilingPayload *payload;

	if (pacer->terms.ceiling == 0)
		return;
	payload = lock_ceiling(pacer);
	smf_ceiling_give(&payload->bucket);
	unlock_ceiling(payload);
}

static double
take_of_rate(const AwsPacer *pacer, double now)
{
	RatePayload *payload;
	double		wait_s;

	if (!pacer->terms.adaptive)
		return 0;
	payload = lock_rate(pacer, now);
	wait_s = smf_rate_take(&payload->rate, now);
	unlock_rate(payload);
	return wait_s;
}

/* Take a token from both for one call: returns 0, or the seconds after which to ask again. */
static double
take_token(const AwsPacer *pacer)
{
	double		now = now_s();
	double		wait_s = take_below_ceiling(pacer, now);

	if (wait_s > 0)
		return wait_s;
	wait_s = take_of_rate(pacer, now);
	if (wait_s > 0)
		give_back_below_ceiling(pacer);
	return wait_s;
}

/* Start queued calls as far as the bounds allow, and set the timer for the next one. */
static void
run_queue(AwsPacer *pacer)
{
	while (!dlist_is_empty(&pacer->queue))
	{
		PaceTurn   *turn = dlist_container(PaceTurn, node, dlist_head_node(&pacer->queue));
		double		wait_s;

		if (!turn->ready(turn))
			continue;
		wait_s = take_token(pacer);
		if (wait_s > 0)
		{
			/* the ceiling may be close to zero: then ask again now and then */
			wait_s = Min(wait_s, ASK_AGAIN_S);
			smf_http_timer_set(&pacer->timer, smf_http_now() + (int64) (wait_s * 1e6) + 1);
			return;
		}
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
 * smf_pacer_account
 *		Set whose quota the pacer's calls use up: the account's number, or NULL while
 *		that is not known.
 */
void
smf_pacer_account(AwsPacer *pacer, const char *account)
{
	SharedKey  *key = &pacer->rate_key;

	if (strcmp(key->account, account ? account : "") == 0)
		return;
	*key = pacer->key;
	if (account == NULL)
		return;
	key->userid = InvalidOid;
	strlcpy(key->account, account, sizeof(key->account));
	/* a custom endpoint need not be AWS, whatever account it claims */
	if (pacer->terms.custom_endpoint)
		return;
	key->databaseid = InvalidOid;
	key->serverid = InvalidOid;
}

static AwsPacer *
make_pacer(dlist_head *pacers, const SharedKey *key, const PaceTerms *terms)
{
	AwsPacer   *pacer = calloc(1, sizeof(AwsPacer));

	if (pacer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	pacer->key = *key;
	pacer->rate_key = *key;
	pacer->terms = *terms;
	pacer->ceiling_key = *key;
	pacer->ceiling_key.userid = InvalidOid;
	pacer->quota.left = SMF_RETRY_QUOTA;
	dlist_init(&pacer->queue);
	pacer->timer.fire = timer_fired;
	dlist_push_tail(pacers, &pacer->node);
	return pacer;
}

static bool
same_terms(const PaceTerms *a, const PaceTerms *b)
{
	return a->custom_endpoint == b->custom_endpoint && a->ceiling == b->ceiling && a->adaptive == b->adaptive;
}

/*
 * smf_pacer_find
 *		The pacer for calls with this key on these terms, created if necessary.  Raises
 *		an error without memory.
 *
 * Terms may change during a session.  Scans that began under the old terms keep their
 * pacer.
 */
AwsPacer *
smf_pacer_find(dlist_head *pacers, const SharedKey *key, const PaceTerms *terms)
{
	dlist_iter	iter;
	AwsPacer   *pacer = NULL;

	dlist_foreach(iter, pacers)
	{
		AwsPacer   *other = dlist_container(AwsPacer, node, iter.cur);

		if (memcmp(&other->key, key, sizeof(SharedKey)) == 0 && same_terms(&other->terms, terms))
		{
			pacer = other;
			break;
		}
	}
	return pacer ? pacer : make_pacer(pacers, key, terms);
}

/* Free the pacers; nobody may be waiting for them any more.  Raises no error. */
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
 * Calls go in the order in which they were started, even when they are retried: a scan
 * returns results in order, so the oldest call is the one that the others wait for.
 */
void
smf_pacer_enter(AwsPacer *pacer, PaceTurn *turn)
{
	dlist_node *before = &pacer->queue.head;
	dlist_iter	iter;

	/* most belong at the end: search from there */
	dlist_reverse_foreach(iter, &pacer->queue)
	{
		if (dlist_container(PaceTurn, node, iter.cur)->number < turn->number)
		{
			before = iter.cur;
			break;
		}
	}
	dlist_insert_after(before, &turn->node);
	turn->waiting = true;
	run_queue(pacer);
}

/* Stop waiting; does nothing if it is not waiting.  Raises no error. */
void
smf_pacer_leave(PaceTurn *turn)
{
	if (turn->waiting)
		dlist_delete(&turn->node);
	turn->waiting = false;
}

/* A call that was sent at "sent_us" has been answered: does the service accept the rate? */
void
smf_pacer_answered(AwsPacer *pacer, int64 sent_us, bool throttled)
{
	double		now = now_s();
	RatePayload *payload;

	if (!pacer->terms.adaptive)
		return;
	payload = lock_rate(pacer, now);
	smf_rate_answered(&payload->rate, now, sent_us / 1e6, throttled);
	unlock_rate(payload);
}

/*
 * smf_pacer_rate
 *		The calls per second that the service has been found to accept; 0: no limit has
 *		been seen, or it was seen too long ago.  Changes nothing, and raises no error.
 */
double
smf_pacer_rate(const AwsPacer *pacer)
{
	double		now = now_s();
	RatePayload *payload;
	double		rate;

	if (!pacer->terms.adaptive)
		return 0;
	payload = smf_shared_table_lock_existing(&rates, &pacer->rate_key);
	if (payload == NULL)
		return 0;
	SpinLockAcquire(&payload->mutex);
	rate = now - payload->used_s > FORGET_S ? 0 : payload->rate.rate;
	unlock_rate(payload);
	return rate;
}

/*
 * smf_pacer_throttled_delay
 *		Seconds to wait after a call was throttled "throttles" times in a row.
 *
 * If a rate already holds calls back, a short delay is enough; otherwise the delay is all
 * there is.  "draw" is uniform in [0, 1).
 */
double
smf_pacer_throttled_delay(const AwsPacer *pacer, int throttles, double draw)
{
	double		success_age_s = HUGE_VAL;

	if (!pacer->terms.adaptive)
		return smf_retry_delay(throttles + 1, draw);
	if (pacer->success_us != 0)
		success_age_s = (smf_http_now() - pacer->success_us) / 1e6;
	return smf_retry_throttled_delay(throttles, success_age_s, draw);
}
