/*-------------------------------------------------------------------------
 *
 * concurrency.c
 *		How many calls overlap, as far as that is known before any call.
 *
 * Calls are what is scarce.  A call is taken for a tenth of a second, so a rate of calls
 * says how many of them can be under way: that many overlap, whatever a scan is allowed
 * to have in flight, and below ten calls a second each call costs more than one.  The rate
 * is the administrator's (max_calls_per_second), or the one that was learnt from throttles.
 *
 * Not accounted for: a rate that others have learnt, where this session has made no call
 * to the operation yet.  Which account the calls are for, and so whose rate it is, shows
 * only with credentials.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/session.h"
#include "fdw/concurrency.h"

/* How long a call is taken to last, in seconds. */
#define CALL_S 0.1

/*
 * smf_concurrency
 *		How many calls of each operation overlap when the role scans a table with such
 *		settings, as far as that is known.  Makes no call, and needs no credentials.
 */
Concurrency
smf_concurrency(const SmfSettings *settings, Oid userid)
{
	Concurrency concurrency;

	for (int operation = 0; operation < SMF_JOB_OPERATIONS; operation++)
	{
		double		usable = settings->max_concurrency;
		double		learnt = 0;

		if (settings->max_calls_per_second > 0)
			usable = Min(usable, settings->max_calls_per_second * CALL_S);
		if (settings->retry_mode == SMF_RETRY_ADAPTIVE)
			learnt = smf_session_rate(settings->serverid, userid, settings->region,
									  smf_operation_name(operation));
		if (learnt > 0)
			usable = Min(usable, learnt * CALL_S);
		concurrency.usable[operation] = usable;
	}
	return concurrency;
}
