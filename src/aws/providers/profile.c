/*-------------------------------------------------------------------------
 *
 * profile.c
 *		The credentials of a profile: a role, assumed with the credentials of another
 *		source, or the first of the profile's own sources.
 *
 * The source for a role is another profile (source_profile), which may assume a role
 * itself, or a named source (credential_source).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/credentials.h"
#include "aws/providers/provider.h"
#include "nodes/pg_list.h"

/*
 * The credentials of a profile's first source other than role_arn and source_profile.
 * "only_profile": the environment's web identity does not take precedence.
 */
static ProviderResult
from_profile(ProviderContext *context, const char *profile, bool only_profile,
			 AwsCredentials *credentials)
{
	ProviderResult result = smf_provide_web_identity(context, profile, only_profile, credentials);

	if (result == SMF_NOT_SET_UP)
		result = smf_provide_sso(context, profile, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_credentials_file(context, profile, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_login(context, profile);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_process(context, profile, credentials);
	if (result == SMF_NOT_SET_UP)
		result = smf_provide_config_file(context, profile, credentials);
	return result;
}

/*
 * smf_provide_named_source
 *		The credentials of the source named by a credential_source; never returns
 *		SMF_NOT_SET_UP.
 */
ProviderResult
smf_provide_named_source(ProviderContext *context, const char *source,
						 AwsCredentials *credentials)
{
	ProviderResult result = SMF_NOT_SET_UP;

	if (pg_strcasecmp(source, "Environment") == 0)
		result = smf_provide_environment(context, credentials);
	else if (pg_strcasecmp(source, "EcsContainer") == 0)
		result = smf_provide_container(context, credentials);
	else if (pg_strcasecmp(source, "Ec2InstanceMetadata") == 0)
		result = smf_provide_instance(context, credentials);
	else
		smf_provider_fail(context, psprintf("\"%s\" is not a credential_source.", source),
						  "Use Environment, EcsContainer or Ec2InstanceMetadata.");
	if (result == SMF_NOT_SET_UP)
		smf_provider_fail(context, psprintf("The credential_source %s gives no credentials.%s%s", source,
											context->no_instance ? " " : "",
											context->no_instance ? context->no_instance : ""), NULL);
	return result;
}

static bool
has_role(const ProviderContext *context, const char *profile)
{
	/* with a token file, the role is a web identity's */
	return smf_profile_get(context, profile, "role_arn") != NULL &&
		smf_profile_get(context, profile, "web_identity_token_file") == NULL;
}

static bool
has_keys(const ProviderContext *context, const char *profile)
{
	return smf_profile_get(context, profile, "aws_access_key_id") != NULL ||
		smf_profile_get(context, profile, "aws_secret_access_key") != NULL;
}

static ProviderResult assume(ProviderContext *context, const char *profile, List *visited,
							 AwsCredentials *credentials);

/* The credentials of a source profile. */
static ProviderResult
from_source(ProviderContext *context, const char *profile, const char *source, List *visited,
			AwsCredentials *credentials)
{
	ListCell   *lc;

	if (!smf_profile_exists(context, source))
		smf_provider_fail(context, psprintf("The source_profile \"%s\" of profile \"%s\" does not exist.",
											source, profile), NULL);
	if (has_keys(context, source) || !has_role(context, source))
	{
		/* a profile may be its own source, with its keys */
		ProviderResult result = from_profile(context, source, true, credentials);

		if (result == SMF_NOT_SET_UP)
			smf_provider_fail(context, psprintf("The source_profile \"%s\" of profile \"%s\" has no credentials.",
												source, profile), NULL);
		return result;
	}
	foreach(lc, visited)
	{
		if (strcmp(lfirst(lc), source) == 0)
			smf_provider_fail(context, psprintf("The source_profile of profile \"%s\" leads back to \"%s\".",
												profile, source), NULL);
	}
	return assume(context, source, lappend(visited, unconstify(char *, source)), credentials);
}

static ProviderResult
assume(ProviderContext *context, const char *profile, List *visited, AwsCredentials *credentials)
{
	const char *source_profile = smf_profile_get(context, profile, "source_profile");
	const char *credential_source = smf_profile_get(context, profile, "credential_source");
	AwsCredentials with = {0};
	RoleRequest request = {0};
	volatile ProviderResult result;

	/* Check that the profile is complete. */
	if (source_profile != NULL && credential_source != NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" has both source_profile and credential_source.", profile),
						  "Keep the one that names the credentials to assume the role with.");
	if (source_profile == NULL && credential_source == NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" has role_arn, but neither source_profile nor credential_source.",
											profile), NULL);
	if (smf_profile_get(context, profile, "mfa_serial") != NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" needs a code from an MFA device, which a database cannot ask for.",
											profile),
						  "Use a role that needs none, or temporary keys in the user mapping.");

	/* Read the parameters of the role. */
	request.role_arn = smf_profile_get(context, profile, "role_arn");
	request.external_id = smf_profile_get(context, profile, "external_id");
	request.session_name = smf_profile_get(context, profile, "role_session_name");
	request.duration_seconds = smf_profile_get(context, profile, "duration_seconds");

	/* Get its source's credentials. */
	if (credential_source != NULL)
		result = smf_provide_named_source(context, credential_source, &with);
	else
		result = from_source(context, profile, source_profile, visited, &with);
	if (result == SMF_ASKED)
		return SMF_ASKED;

	/* Assume the role with them. */
	PG_TRY();
	{
		result = smf_sts_assume_role(context, &with, &request, credentials);
	}
	PG_FINALLY();
	{
		smf_credentials_clear(&with);
	}
	PG_END_TRY();
	return result;
}

/*
 * smf_provide_profile
 *		The credentials of a profile: its role, or otherwise the first of its sources.
 */
ProviderResult
smf_provide_profile(ProviderContext *context, const char *profile, AwsCredentials *credentials)
{
	if (has_role(context, profile))
		return assume(context, profile, list_make1(unconstify(char *, profile)), credentials);
	return from_profile(context, profile, false, credentials);
}
