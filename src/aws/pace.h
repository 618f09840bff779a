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

/* A call's place in the queue, embedded in it.  A zeroed one is valid and idle. */
typedef struct PaceTurn
{
	dlist_node	node;			/* in the pacer's queue while waiting */
	bool		waiting;
	uint64		number;			/* lower numbers go first: those calls were started earlier */
	bool		(*ready) (struct PaceTurn *turn);	/* can it be sent, now that its turn has
													 * come?  False: it has left the queue */
	void		(*go) (struct PaceTurn *turn);	/* it may be sent now; both under
												 * HttpDone's rules */
} PaceTurn;

/* What limits calls. */
typedef struct PaceTerms
{
	bool		custom_endpoint;	/* is the endpoint other than AWS's own? */
	double		ceiling;		/* calls per second of the operation on the server; 0: none */
	bool		adaptive;		/* does the rate adapt to what the service accepts? */
} PaceTerms;

/*
 * What all scans of a session share for one operation in one region, on the same terms.
 * It is malloc'ed, and lives as long as its session.  If sessions share memory, the
 * ceiling and the rate apply to all of them together.
 */
typedef struct AwsPacer
{
	dlist_node	node;			/* in the session's list */
	SharedKey	key;			/* of the calls that are paced */

	PaceTerms	terms;			/* what limits them */
	SharedKey	ceiling_key;	/* of calls that share the ceiling */
	SharedKey	rate_key;		/* of calls that use up the same quota */

	/* this session's own */
	RetryQuota	quota;
	int64		success_us;		/* smf_http_now() when the last call succeeded; 0: none has */

	dlist_head	queue;			/* PaceTurn: the calls that wait */
	HttpTimer	timer;			/* armed while calls wait */
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
