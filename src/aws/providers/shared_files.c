/*-------------------------------------------------------------------------
 *
 * shared_files.c
 *		Keys in the AWS credentials and config files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

static ProviderResult
provide(ProviderContext *context, const ConfigFile *file, const char *path, const char *kind,
		const char *profile, const char *source, AwsCredentials *credentials)
{
	const char *access_key_id = smf_config_get(file, kind, profile, "aws_access_key_id");
	const char *secret_access_key = smf_config_get(file, kind, profile, "aws_secret_access_key");
	const char *session_token = smf_config_get(file, kind, profile, "aws_session_token");

	if (access_key_id == NULL)
		return SMF_NOT_SET_UP;
	if (secret_access_key == NULL)
		smf_provider_fail(context,
						  psprintf("Profile \"%s\" has aws_access_key_id, but no aws_secret_access_key.", profile),
						  NULL);
	if (*access_key_id == '\0' || *secret_access_key == '\0')
		smf_provider_fail(context,
						  psprintf("Profile \"%s\" has an empty aws_access_key_id or aws_secret_access_key.", profile),
						  NULL);
	if (session_token == NULL)
		session_token = smf_config_get(file, kind, profile, "aws_security_token");
	smf_provider_keep(credentials, source,
					  psprintf("Check the keys of profile \"%s\" in the database server's file \"%s\", which is read again by the next query, and the database server's clock.",
							   profile, path),
					  access_key_id, secret_access_key, session_token);
	credentials->private_remedy = true;
	smf_provider_account(credentials, smf_config_get(file, kind, profile, "aws_account_id"));
	return SMF_PROVIDED;
}

/* Keys of the profile in the credentials file. */
ProviderResult
smf_provide_credentials_file(ProviderContext *context, const char *profile,
							 AwsCredentials *credentials)
{
	return provide(context, &context->credentials_file, context->credentials_path, NULL, profile,
				   "the shared credentials file", credentials);
}

/* Keys of the profile in the config file. */
ProviderResult
smf_provide_config_file(ProviderContext *context, const char *profile,
						AwsCredentials *credentials)
{
	return provide(context, &context->config_file, context->config_path, "profile", profile,
				   "the config file", credentials);
}
