/*-------------------------------------------------------------------------
 *
 * concurrency.h
 *		How many calls overlap, as far as that is known before any call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CONCURRENCY_H
#define SMF_CONCURRENCY_H

#include "jobs/operation.h"
#include "option.h"

/* How many calls of each operation overlap; less than 1 if the rate of calls is low. */
typedef struct Concurrency
{
	double		usable[SMF_JOB_OPERATIONS]; /* by JobOperation */
} Concurrency;

extern Concurrency smf_concurrency(const SmfSettings *settings, Oid userid);

#endif							/* SMF_CONCURRENCY_H */
