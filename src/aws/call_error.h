/*-------------------------------------------------------------------------
 *
 * call_error.h
 *		Why a call failed: reads that from its answer, and reports it to users.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CALL_ERROR_H
#define SMF_CALL_ERROR_H

#include "aws/call.h"

extern const AwsError *smf_call_error(const AwsCall *call);
extern bool smf_call_refused(const AwsCall *call);
extern bool smf_call_too_large(const AwsCall *call);
extern bool smf_call_denied(const AwsCall *call);
extern const char *smf_call_tls_problem(const AwsCall *call);

extern bool smf_call_may_quote(const AwsCall *call);
extern char *smf_call_outcome(const AwsCall *call, const char *reason);
extern const char *smf_call_remedy(const AwsCall *call);
extern char *smf_call_stranger(const AwsCall *call);
extern char *smf_call_permission(const AwsCall *call);
extern int	smf_call_errdetail(const AwsCall *call, const char *reason);
smf_noreturn extern void smf_call_raise(const AwsCall *call);


#endif							/* SMF_CALL_ERROR_H */
