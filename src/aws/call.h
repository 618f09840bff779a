/*-------------------------------------------------------------------------
 *
 * call.h
 *		One call: signed, sent, classified, retried.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CALL_H
#define SMF_CALL_H

#include "aws/client.h"

/* Setting sagemaker_fdw.log_min_duration: milliseconds; -1: log no call. */
extern int	smf_log_min_duration_ms;

/* What a call waits for. */
typedef enum AwsCallState
{
	SMF_CALL_WAITS_FOR_TURN,	/* others go first, or the rate limit holds it back */
	SMF_CALL_IN_FLIGHT,
	SMF_CALL_BACKS_OFF,			/* the delay before another attempt */
	SMF_CALL_WAITS_FOR_CONNECTION,	/* the session has as many as it may have */
	SMF_CALL_WAITS_FOR_CREDENTIALS,
	SMF_CALL_DONE
} AwsCallState;

extern AwsCall *smf_call_start(AwsClient *client, const char *operation, const char *subject,
							   char *body, int64 *attempts);
extern void smf_call_limit_attempts(AwsCall *call, int most);
extern bool smf_call_done(const AwsCall *call);
extern AwsCallState smf_call_state(const AwsCall *call);
extern bool smf_call_failed(const AwsCall *call);
extern void smf_call_wait(AwsCall *call);
extern void smf_call_count_rows(const AwsCall *call, int64 nrows);
extern const char *smf_call_operation(const AwsCall *call);
extern const char *smf_call_body(const AwsCall *call, size_t *len);
extern void smf_call_forget_body(AwsCall *call);
extern int64 smf_call_date(const AwsCall *call);
extern void smf_call_about(AwsCall *call, const char *subject);
extern void smf_call_free(AwsCall *call);

#endif							/* SMF_CALL_H */
