/*-------------------------------------------------------------------------
 *
 * chain.c
 *		The order in which the database server's own sources of credentials are asked.
 *
 * It is that of the AWS SDKs: the environment, the profile, the container's host, the
 * instance's metadata.  What a profile gives, and in which order, is in profile.c.
 *
 * Not accounted for: whether a role may use the server's own identity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

/* Neither the user mapping nor the database server has any. */
smf_noreturn static void
fail_without_any(const ProviderContext *context)
{
	const char *role = context->config->unmapped_role;
	char	   *mapping = "";
	const char *found = "Nothing in the database server's environment gives any.";

	if (role != NULL)
		mapping = psprintf("There is no user mapping for role \"%s\", nor for PUBLIC. ", role);
	if (context->unreadable != NULL)
		found = smf_provider_files(context);
	smf_provider_fail(context, psprintf("%s%s%s%s", mapping, found, context->no_instance ? " " : "",
										context->no_instance ? context->no_instance : ""), role ?
					  psprintf("CREATE USER MAPPING %s OPTIONS (aws_access_key_id '...', aws_secret_access_key '...'); or set up the database server as for the AWS CLI.",
							   context->config->mapping_clause) :
					  "Set aws_access_key_id and aws_secret_access_key in the user mapping, or set up the database server as for the AWS CLI.");
}

/* The profile that somebody wants is not there. */
smf_noreturn static void
fail_without_profile(const ProviderContext *context)
{
	const char *profile = context->profile;
	char	   *hint = smf_provider_files(context);

	if (smf_config_has(&context->config_file, NULL, profile))
		hint = psprintf("The file \"%s\" has a section [%s], where [profile %s] is meant.",
						context->config_path, profile, profile);
	smf_provider_fail(context, psprintf("There is no profile \"%s\".", profile), hint);
}

/*
 * smf_provide_ambient
 *		What the first source gives that is set up; never SMF_NOT_SET_UP.
 */
ProviderResult
smf_provide_ambient(ProviderContext *context, AwsCredentials *credentials)
{
	const CredentialConfig *config = context->config;
	ProviderResult result = SMF_NOT_SET_UP;

	if (context->profile_wanted && !smf_profile_exists(context, context->profile))
		fail_without_profile(context);
	if (config->web_identity_token_file != NULL)
		return smf_provide_web_identity(context, context->profile, true, credentials);
	if (config->credential_source != NULL)
		return smf_provide_named_source(context, config->credential_source, credentials);

	/* whoever asks for a profile does not want what else is there */
	if (config->profile == NULL)
		result = smf_provide_environment(context, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_profile(context, context->profile, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_container(context, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_instance(context, credentials);
	if (result == SMF_NOT_SET_UP)
		fail_without_any(context);
	return result;
}
