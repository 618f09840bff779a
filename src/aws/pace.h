/*-------------------------------------------------------------------------
 *
 * pace.h
 *		The turns of calls to one operation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PACE_H
#define SMF_PACE_H

#include "aws/rate.h"
#include "aws/retry.h"
#include "aws/shared_table.h"
#include "http/http.h"
#include "lib/ilist.h"

/* A call's place in the queue, embedded in it.  Zeroed is a valid, idle one. */
typedef struct PaceTurn
{
	dlist_node	node;			/* in the pacer's queue while waiting */
	bool		waiting;
	uint64		number;			/* calls with a lower one go first: they were started before */
	bool		(*ready) (struct PaceTurn *turn);	/* can it be sent, if its turn comes?
													 * False: it has left the queue */
	void		(*go) (struct PaceTurn *turn);	/* it may be sent now; both under
												 * HttpDone's rules */
} PaceTurn;

/* What bounds calls. */
typedef struct PaceTerms
{
	bool		custom_endpoint;	/* is the endpoint another than AWS's own? */
	double		ceiling;		/* calls a second of the server's operation; 0: none */
	bool		adaptive;		/* does the rate follow what the service bears? */
} PaceTerms;

/*
 * What all scans of a session share for one operation in one region, on the same terms.  It
 * lives in malloc'ed memory, as long as its session.  The ceiling and the rate are those of
 * all sessions, where they share memory.
 */
typedef struct AwsPacer
{
	dlist_node	node;			/* in the session's list */
	SharedKey	key;			/* of the calls that are paced */

	PaceTerms	terms;			/* what bounds them */
	SharedKey	ceiling_key;	/* of calls that share the ceiling */
	SharedKey	rate_key;		/* of calls that use up the same quota */

	/* the session's own */
	RetryQuota	quota;
	int64		success_us;		/* when the last call succeeded, smf_http_now(); 0: none has */

	dlist_head	queue;			/* PaceTurn: who waits for a turn */
	HttpTimer	timer;			/* armed while somebody waits */
} AwsPacer;

extern void smf_pacer_reserve(void);
extern void smf_pacer_attach(void);
extern AwsPacer *smf_pacer_find(dlist_head *pacers, const SharedKey *key, const PaceTerms *terms);
extern void smf_pacer_account(AwsPacer *pacer, const char *account);
extern void smf_pacer_free_all(dlist_head *pacers);
extern void smf_pacer_enter(AwsPacer *pacer, PaceTurn *turn);
extern void smf_pacer_leave(PaceTurn *turn);
extern void smf_pacer_answered(AwsPacer *pacer, int64 sent_us, bool throttled);
extern double smf_pacer_rate(const AwsPacer *pacer);
extern double smf_pacer_throttled_delay(const AwsPacer *pacer, int throttles, double draw);

#endif							/* SMF_PACE_H */
