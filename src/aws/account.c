/*-------------------------------------------------------------------------
 *
 * account.c
 *		Whose account an answer is of: one of another account than is meant is refused.
 *
 * Not accounted for: whose account credentials are of.  Their source may know
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

/* Is the answer to be of one account, which smf_call_check_account finds out? */
bool
smf_call_means_account(const AwsCall *call)
{
	return call->client->config.account_id != NULL;
}

/*
 * smf_call_check_account
 *		Raise 28000 when the ARN, of what the call is about, is of another account than the
 *		one that is meant, if one is.
 *
 * The message names no more than the accounts: roles read it that may not see every row.
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
