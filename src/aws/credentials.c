/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		The keys that calls are signed with: which source is asked, and how long
 *		what it gave is good.
 *
 * A user mapping's own keys, or else what the AWS SDKs look for in the database
 * server's own environment, in their order; and then the mapping's role, assumed
 * with that.  Whether the server's own identity may be used for a role is not
 * decided here.
 *
 * Not accounted for: tokens of IAM Identity Center are not refreshed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/credentials.h"
#include "aws/expiry.h"
#include "aws/providers/provider.h"

static void
clear_string(char **string)
{
	if (*string == NULL)
		return;
	OPENSSL_cleanse(*string, strlen(*string));
	free(*string);
	*string = NULL;
}

/*
 * smf_credentials_clear
 *		Overwrite and free the keys.  Raises no error.
 */
void
smf_credentials_clear(AwsCredentials *credentials)
{
	clear_string(&credentials->access_key_id);
	clear_string(&credentials->secret_access_key);
	clear_string(&credentials->session_token);
	credentials->expires_at_s = credentials->obtained_at_s = 0;
	credentials->source = NULL;
}

/* Overwrite and free what a config holds.  Raises no error. */
void
smf_credential_config_clear(CredentialConfig *config)
{
	clear_string(&config->access_key_id);
	clear_string(&config->secret_access_key);
	clear_string(&config->session_token);
	clear_string(&config->role_arn);
	clear_string(&config->external_id);
	clear_string(&config->role_session_name);
	clear_string(&config->duration_seconds);
	clear_string(&config->profile);
	clear_string(&config->credential_source);
	clear_string(&config->web_identity_token_file);
	clear_string(&config->server_name);
	clear_string(&config->unmapped_role);
	clear_string(&config->default_session_name);
	clear_string(&config->region);
	clear_string(&config->ca_bundle);
	clear_string(&config->proxy_url);
}

/*
 * smf_provide_from_profile
 *		What a profile gives, other than by role_arn and source_profile.
 *
 * "only_profile": the environment's web identity does not come before it.
 */
bool
smf_provide_from_profile(ProviderContext *context, const char *profile, bool only_profile,
						 AwsCredentials *credentials)
{
	return smf_provide_web_identity(context, profile, only_profile, credentials) ||
		smf_provide_sso(context, profile, credentials) ||
		smf_provide_credentials_file(context, profile, credentials) ||
		smf_provide_login(context, profile) ||
		smf_provide_process(context, profile, credentials) ||
		smf_provide_config_file(context, profile, credentials);
}

/*
 * smf_provide_named_source
 *		What the source gives that a credential_source names.
 */
void
smf_provide_named_source(ProviderContext *context, const char *source,
						 AwsCredentials *credentials)
{
	bool		found;

	if (pg_strcasecmp(source, "Environment") == 0)
		found = smf_provide_environment(context, credentials);
	else if (pg_strcasecmp(source, "EcsContainer") == 0)
		found = smf_provide_container(context, credentials);
	else if (pg_strcasecmp(source, "Ec2InstanceMetadata") == 0)
		found = smf_provide_instance(context, credentials);
	else
		smf_provider_fail(context, psprintf("\"%s\" is no credential_source.", source),
						  "It is Environment, EcsContainer or Ec2InstanceMetadata.");
	if (!found)
		smf_provider_fail(context, psprintf("The credential_source %s gives no credentials.", source), NULL);
}

/* Neither the user mapping nor the database server has any. */
static void
fail_without_any(const ProviderContext *context)
{
	const char *role = context->config->unmapped_role;
	char	   *mapping = "";
	const char *found = "Nothing in the database server's environment gives any.";

	if (role != NULL)
		mapping = psprintf("There is no user mapping for role \"%s\", nor for PUBLIC. ", role);
	if (context->unreadable != NULL)
		found = psprintf("The file \"%s\" cannot be read.", context->unreadable);
	smf_provider_fail(context, psprintf("%s%s", mapping, found), role ?
					  "CREATE USER MAPPING with aws_access_key_id and aws_secret_access_key, or set up the database server as for the AWS CLI." :
					  "Set aws_access_key_id and aws_secret_access_key in the user mapping, or set up the database server as for the AWS CLI.");
}

/* The SDKs' order. */
static void
resolve_ambient(ProviderContext *context, AwsCredentials *credentials)
{
	const CredentialConfig *config = context->config;

	if (context->profile_wanted && !smf_profile_exists(context, context->profile))
		smf_provider_fail(context, psprintf("There is no profile \"%s\".", context->profile),
						  context->unreadable ? psprintf("The file \"%s\" cannot be read.", context->unreadable) : NULL);
	if (config->web_identity_token_file != NULL)
	{
		(void) smf_provide_web_identity(context, context->profile, true, credentials);
		return;
	}
	if (config->credential_source != NULL)
	{
		smf_provide_named_source(context, config->credential_source, credentials);
		return;
	}
	/* whoever asks for a profile does not want what else is there */
	if (config->profile == NULL && smf_provide_environment(context, credentials))
		return;
	if (smf_provide_profile_role(context, context->profile, credentials) ||
		smf_provide_from_profile(context, context->profile, false, credentials) ||
		smf_provide_container(context, credentials) ||
		smf_provide_instance(context, credentials))
		return;
	fail_without_any(context);
}

/* Get credentials; "with" is what a role is assumed with, or what there is. */
static void
resolve(const CredentialConfig *config, ProviderContext *context, AwsCredentials *with,
		AwsCredentials *credentials)
{
	RoleRequest request = {0};

	smf_provider_begin(context, config);
	if (config->access_key_id != NULL)
		smf_provider_keep(with, "the user mapping", config->access_key_id,
						  config->secret_access_key, config->session_token, 0);
	else
		resolve_ambient(context, with);

	if (config->role_arn == NULL || config->web_identity_token_file != NULL)
	{
		*credentials = *with;
		memset(with, 0, sizeof(AwsCredentials));
		return;
	}
	request.role_arn = config->role_arn;
	request.external_id = config->external_id;
	request.session_name = config->role_session_name;
	request.duration_seconds = config->duration_seconds;
	smf_sts_assume_role(context, with, &request, credentials);
}

/*
 * smf_credentials_resolve
 *		Get credentials, into "credentials", which hold none.
 *
 * Waits for the network where the source is there.  Raises 28000 when there are
 * none, 08001 when their source does not answer.
 */
void
smf_credentials_resolve(const CredentialConfig *config, AwsCredentials *credentials)
{
	ProviderContext context = {0};
	AwsCredentials with = {0};

	/* what was read of files, and what was to assume a role, is overwritten */
	PG_TRY();
	{
		resolve(config, &context, &with, credentials);
	}
	PG_CATCH();
	{
		smf_provider_end(&context);
		smf_credentials_clear(&with);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_provider_end(&context);
	smf_credentials_clear(&with);
}

/* The account in an ARN, palloc'ed; NULL when there is none. */
static char *
account_of_arn(const char *arn)
{
	const char *start = arn;
	size_t		len;

	/* arn:partition:service:region:account:... */
	for (int field = 0; field < 4 && start != NULL; field++)
	{
		start = strchr(start, ':');
		if (start != NULL)
			start++;
	}
	len = start ? strcspn(start, ":") : 0;
	return len > 0 ? pnstrdup(start, len) : NULL;
}

/*
 * smf_credentials_account
 *		The AWS account that the credentials belong to, palloc'ed.
 *
 * That of the role which is assumed last, where the mapping names one; otherwise
 * STS is asked.  Raises 28000 when STS refuses, 08001 when it does not answer.
 */
char *
smf_credentials_account(const CredentialConfig *config, const AwsCredentials *credentials)
{
	ProviderContext context = {0};
	char	   *volatile account = config->role_arn ? account_of_arn(config->role_arn) : NULL;

	if (account != NULL)
		return account;
	PG_TRY();
	{
		smf_provider_begin(&context, config);
		account = smf_sts_caller_account(&context, credentials);
	}
	PG_CATCH();
	{
		smf_provider_end(&context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_provider_end(&context);
	return account;
}

static void
read_settings(const CredentialConfig *config, ProviderContext *context, AmbientSettings *settings)
{
	smf_provider_begin(context, config);
	settings->region = smf_provider_region(context);
	settings->endpoint_url = smf_configured_endpoint(context, "sagemaker", "SAGEMAKER");
}

/*
 * smf_credentials_settings
 *		What else the database server's own configuration says: region, endpoint.
 */
void
smf_credentials_settings(const CredentialConfig *config, AmbientSettings *settings)
{
	ProviderContext context = {0};

	memset(settings, 0, sizeof(AmbientSettings));
	PG_TRY();
	{
		read_settings(config, &context, settings);
	}
	PG_CATCH();
	{
		smf_provider_end(&context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_provider_end(&context);
}

/*
 * smf_credentials_refreshable
 *		May the source give other credentials than it has given?
 */
bool
smf_credentials_refreshable(const CredentialConfig *config)
{
	return config->access_key_id == NULL || config->role_arn != NULL;
}

/*
 * smf_credentials_due
 *		Are the credentials to be replaced, or to be obtained, and must they be?
 */
bool
smf_credentials_due(const AwsCredentials *credentials, int64 now_s, bool *must)
{
	if (credentials->source == NULL)
	{
		*must = true;
		return true;
	}
	return smf_expiry_due(credentials->obtained_at_s, credentials->expires_at_s, now_s, must);
}
