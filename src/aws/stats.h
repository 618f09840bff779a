/*-------------------------------------------------------------------------
 *
 * stats.h
 *		What calls have cost, totalled by server, role, region and operation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_STATS_H
#define SMF_STATS_H

#include "aws/shared_table.h"

/* What is totalled. */
typedef enum CallFigure
{
	SMF_FIGURE_CALLS,			/* requests sent, retries included */
	SMF_FIGURE_ROWS,			/* jobs in the answers */
	SMF_FIGURE_RETRIES,
	SMF_FIGURE_THROTTLES,		/* throttled answers */
	SMF_FIGURE_ERRORS,			/* calls that failed for good; "no such job" is not a
								 * failure */
	SMF_FIGURE_BYTES_RECEIVED,	/* of bodies */
	SMF_FIGURE_WAIT_US			/* time in which the user could only wait */
} CallFigure;

#define SMF_FIGURES (SMF_FIGURE_WAIT_US + 1)

/* What calls of one kind have cost. */
typedef struct CallFigures
{
	SharedKey	key;
	int64		figures[SMF_FIGURES];
} CallFigures;

extern void smf_stats_reserve(void);
extern void smf_stats_attach(void);
extern void smf_stats_add(const SharedKey *key, CallFigure figure, int64 n);
extern CallFigures *smf_stats_read(int *n);
extern void smf_stats_reset(void);

#endif							/* SMF_STATS_H */
