/*-------------------------------------------------------------------------
 *
 * pace.h
 *		The turns of calls to one operation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PACE_H
#define SMF_PACE_H

#include "aws/retry.h"
#include "aws/table.h"
#include "http/http.h"
#include "lib/ilist.h"

/* A call's place in the queue, embedded in it.  Zeroed is a valid, idle one. */
typedef struct PaceTurn
{
	dlist_node	node;			/* in the pacer's queue while waiting */
	bool		waiting;
	void		(*go) (struct PaceTurn *turn);	/* it may be sent now; under
												 * HttpDone's rules */
} PaceTurn;

/*
 * What all scans of a session share for one operation in one region.  It lives
 * in malloc'ed memory, as long as its session.  The rate is that of all sessions,
 * where they share memory.
 */
typedef struct AwsPacer
{
	dlist_node	node;			/* in the session's list */
	CallKey		key;			/* of the calls that are paced */

	CallKey		rate_key;		/* of those that share the rate: whatever role they are for */
	CallRate	rate;			/* where sessions share no memory */
	bool		adaptive;		/* does the rate follow what the service bears? */
	RetryQuota	quota;
	int64		success_us;		/* when the last call succeeded, smf_http_now(); 0: none has */
	int			throttles;		/* in a row, since a call last succeeded */

	dlist_head	queue;			/* PaceTurn: who waits for a turn */
	HttpTimer	timer;			/* armed while somebody waits */
} AwsPacer;

extern void smf_pacer_request(void);
extern void smf_pacer_attach(void);
extern AwsPacer *smf_pacer_find(dlist_head *pacers, const CallKey *key, double ceiling,
								bool adaptive);
extern void smf_pacer_free_all(dlist_head *pacers);
extern void smf_pacer_enter(AwsPacer *pacer, PaceTurn *turn, bool again);
extern void smf_pacer_leave(PaceTurn *turn);
extern void smf_pacer_answered(AwsPacer *pacer, int64 sent_us, bool throttled);

#endif							/* SMF_PACE_H */
