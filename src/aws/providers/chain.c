/*-------------------------------------------------------------------------
 *
 * chain.c
 *		The order in which the database server's own sources of credentials are asked.
 *
 * It is the order of the AWS SDKs: the environment, the profile, the container's host,
 * the instance metadata.  profile.c has the sources of a profile and their order.
 *
 * Not accounted for: whether a role may use the server's own credentials.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

/* Neither the user mapping nor the database server has any credentials. */
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

/* The profile that was asked for does not exist. */
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
 *		The credentials of the first source that is set up; never returns
 *		SMF_NOT_SET_UP.
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

	/* a mapping that names a profile does not want the environment's keys */
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
