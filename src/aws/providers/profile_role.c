/*-------------------------------------------------------------------------
 *
 * profile_role.c
 *		Profiles with role_arn: a role assumed with another source's credentials.
 *
 * The source is another profile (source_profile), which may assume a role itself,
 * or a named one (credential_source).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"
#include "nodes/pg_list.h"

static bool
has_role(const ProviderContext *context, const char *profile)
{
	/* with a token file it is a web identity */
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
		/* a profile may be its own source, by its keys */
		ProviderResult result = smf_provide_from_profile(context, source, true, credentials);

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

	if (source_profile != NULL && credential_source != NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" has source_profile and credential_source.", profile),
						  "One of them says whose credentials assume the role.");
	if (source_profile == NULL && credential_source == NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" has role_arn, and neither source_profile nor credential_source.",
											profile), NULL);
	if (smf_profile_get(context, profile, "mfa_serial") != NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" needs a code from an MFA device, which a database cannot ask for.",
											profile),
						  "Use a role that needs none, or temporary keys in the user mapping.");
	request.role_arn = smf_profile_get(context, profile, "role_arn");
	request.external_id = smf_profile_get(context, profile, "external_id");
	request.session_name = smf_profile_get(context, profile, "role_session_name");
	request.duration_seconds = smf_profile_get(context, profile, "duration_seconds");

	if (credential_source != NULL)
		result = smf_provide_named_source(context, credential_source, &with);
	else
		result = from_source(context, profile, source_profile, visited, &with);
	if (result == SMF_ASKED)
		return SMF_ASKED;
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

/* The role of the profile, if it has one. */
ProviderResult
smf_provide_profile_role(ProviderContext *context, const char *profile,
						 AwsCredentials *credentials)
{
	if (!has_role(context, profile))
		return SMF_NOT_SET_UP;
	return assume(context, profile, list_make1(unconstify(char *, profile)), credentials);
}
