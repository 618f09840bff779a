/*-------------------------------------------------------------------------
 *
 * concurrency.c
 *		How many calls overlap, as far as that is known before any call.
 *
 * The rate of calls is the limiting factor.  A call is assumed to take a tenth of a
 * second, so the rate determines how many calls can be under way: that many overlap, even
 * if the scan is allowed more, and below ten calls per second each call costs more than
 * one.  The rate is the administrator's (max_calls_per_second), or the one learnt from
 * throttling.
 *
 * Not accounted for: a rate that other sessions have learnt, before this session has
 * called the operation.  The account, and so the applicable rate, is known only with
 * credentials.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/session.h"
#include "fdw/concurrency.h"

/* How long a call is assumed to take, in seconds. */
#define CALL_S 0.1

/*
 * smf_concurrency
 *		How many calls of each operation overlap when the role scans a table with these
 *		settings, as far as known.  Makes no call, and needs no credentials.
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
