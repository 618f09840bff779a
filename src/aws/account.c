/*-------------------------------------------------------------------------
 *
 * account.c
 *		Which AWS account an answer comes from: an answer from another account than the
 *		expected one is rejected.
 *
 * Not accounted for: which account credentials belong to.  Their source may know
 * (credential_inquiry.c), and STS does (providers/sts.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/account.h"
#include "aws/arn.h"
#include "aws/call_error.h"
#include "aws/credentials.h"
#include "aws/internal.h"
#include "miscadmin.h"

/* Must the answer come from a certain account?  smf_call_check_account checks that. */
bool
smf_call_means_account(const AwsCall *call)
{
	return call->client->config.account_id != NULL;
}

/*
 * smf_call_check_account
 *		Raise 28000 when "arn", that of the call's subject, belongs to another account
 *		than the expected one, if one is expected.
 *
 * The message names only the accounts: roles that may not see every row can read it.
 */
void
smf_call_check_account(const AwsCall *call, const char *arn)
{
	const AwsClient *client = call->client;
	const char *meant = client->config.account_id;
	AwsSession *session = client->session;
	ArnField	field;
	char	   *account;

	if (meant == NULL)
		return;
	account = smf_arn_account(arn, &field) ? pnstrdup(field.text, field.len) : NULL;
	if (account != NULL && strcmp(account, meant) == 0)
	{
		strlcpy(session->account, account, sizeof(session->account));
		pfree(account);
		return;
	}
	session->account[0] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("a %s belongs to AWS account %s, but account %s is expected",
					client->config.topic->noun, account ? account : "(none)", meant),
			 errdetail("%s was called with %s for server \"%s\".", smf_call_title(call),
					   OidIsValid(session->mappingid) ?
					   psprintf("the credentials of the user mapping of role \"%s\"",
								GetUserNameFromId(session->userid, false)) :
					   "the database server's own credentials",
					   client->config.server_name),
			 errhint("Correct the user mapping, or the option account_id of the server or the foreign table.")));
}
