/*-------------------------------------------------------------------------
 *
 * account.h
 *		Which AWS account an answer comes from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ACCOUNT_H
#define SMF_ACCOUNT_H

#include "aws/call.h"

extern bool smf_call_means_account(const AwsCall *call);
extern void smf_call_check_account(const AwsCall *call, const char *arn);

#endif							/* SMF_ACCOUNT_H */
