/*-------------------------------------------------------------------------
 *
 * environment.c
 *		Credentials in the environment of the database server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. */
ProviderResult
smf_provide_environment(ProviderContext *context, AwsCredentials *credentials)
{
	const char *access_key_id = smf_environment("AWS_ACCESS_KEY_ID");
	const char *secret_access_key = smf_environment("AWS_SECRET_ACCESS_KEY");
	const char *session_token = smf_environment("AWS_SESSION_TOKEN");
	const char *expiration = smf_environment("AWS_CREDENTIAL_EXPIRATION");

	if (access_key_id == NULL)
		return SMF_NOT_SET_UP;
	if (secret_access_key == NULL)
		smf_provider_fail(context, "The environment has AWS_ACCESS_KEY_ID, but no AWS_SECRET_ACCESS_KEY.", NULL);
	if (session_token == NULL)
		session_token = smf_environment("AWS_SECURITY_TOKEN");
	smf_provider_keep(credentials, "the environment",
					  "Check the AWS_ variables in the database server's environment; new ones need a restart.",
					  access_key_id, secret_access_key, session_token);
	smf_provider_account(credentials, smf_environment("AWS_ACCOUNT_ID"));
	smf_provider_expires(context, credentials, expiration ? smf_provider_time(expiration) : 0, NULL);
	return SMF_PROVIDED;
}
