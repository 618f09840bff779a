/*-------------------------------------------------------------------------
 *
 * web_identity.c
 *		A role assumed with a token that something else, such as Kubernetes, has put
 *		into a file.
 *
 * The file is read again each time, because tokens are replaced there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

/* A setting from the environment, unless only the profile's counts, or from the profile. */
static const char *
setting(const ProviderContext *context, const char *profile, bool only_profile,
		const char *variable, const char *key)
{
	const char *value = only_profile || context->config->profile ? NULL : smf_environment(variable);

	return value ? value : smf_profile_get(context, profile, key);
}

/*
 * smf_provide_web_identity
 *		Credentials of the role in AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, or in
 *		the profile.
 *
 * "only_profile": ignore the environment, because the profile is the source of another
 * one.
 */
ProviderResult
smf_provide_web_identity(ProviderContext *context, const char *profile, bool only_profile,
						 AwsCredentials *credentials)
{
	const char *token_file = setting(context, profile, only_profile,
									 "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
	RoleRequest request = {0};
	size_t		len;
	char	   *token;

	/* Which token, and which role?  The user mapping's options take precedence. */
	if (context->config->web_identity_token_file != NULL)
		token_file = context->config->web_identity_token_file;
	if (token_file == NULL)
		return SMF_NOT_SET_UP;
	request.role_arn = setting(context, profile, only_profile, "AWS_ROLE_ARN", "role_arn");
	request.session_name = setting(context, profile, only_profile, "AWS_ROLE_SESSION_NAME",
								   "role_session_name");
	if (context->config->web_identity_token_file != NULL)
	{
		request.role_arn = context->config->role_arn;
		request.session_name = context->config->role_session_name;
		request.duration_seconds = context->config->duration_seconds;
	}
	if (request.role_arn == NULL)
		smf_provider_fail(context, "There is a web identity token file, but no role to assume with it.", NULL);

	/* Read the token, but only once: the file may disappear after it was sent. */
	if (smf_inquiry_comes_again(context->inquiry))
		token = "";
	else
		token = smf_secret(smf_provider_read_file(token_file, &len));
	if (token == NULL)
		smf_provider_fail(context, psprintf("The web identity token file \"%s\" cannot be read: %m", token_file), NULL);
	request.web_identity_token = token;
	return smf_sts_assume_role(context, NULL, &request, credentials);
}
