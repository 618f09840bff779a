/*-------------------------------------------------------------------------
 *
 * provider.h
 *		The sources of credentials, each in a file of its own.
 *
 * A provider returns false when it is not set up here, so that the next one is
 * asked, and raises an error when it is and gives no credentials.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROVIDER_H
#define SMF_PROVIDER_H

#include "aws/config_file.h"
#include "aws/credentials.h"
#include "aws/fetch.h"
#include "compat.h"

/* What all providers know; it lives while credentials are looked for. */
typedef struct ProviderContext
{
	const CredentialConfig *config;
	const char *profile;		/* its name */
	bool		profile_wanted; /* somebody named it, who then wants no other */
	ConfigFile	config_file;
	ConfigFile	credentials_file;
	const char *unreadable;		/* a file that could not be read; or NULL */
	HttpTarget	target;			/* with all but the URL */
} ProviderContext;

/* What an assumed role is asked for with.  NULL: not given. */
typedef struct RoleRequest
{
	const char *role_arn;
	const char *external_id;
	const char *session_name;
	const char *duration_seconds;
	const char *web_identity_token; /* instead of signing */
} RoleRequest;

/* provider.c */
extern void smf_provider_begin(ProviderContext *context, const CredentialConfig *config);
extern void smf_provider_end(ProviderContext *context);
extern bool smf_profile_exists(const ProviderContext *context, const char *profile);
extern const char *smf_profile_get(const ProviderContext *context, const char *profile,
								   const char *key);
extern char *smf_provider_region(const ProviderContext *context);
extern char *smf_configured_endpoint(const ProviderContext *context, const char *service,
									 const char *variable);
extern void smf_provider_keep(AwsCredentials *credentials, const char *source,
							  const char *access_key_id, const char *secret_access_key,
							  const char *session_token, int64 expires_at_s);
extern char *smf_provider_read_file(const char *path, size_t *len);
extern int64 smf_provider_time(const char *text);
extern bool smf_provider_read_json(const char *body, size_t len, const char *below,
								   const char *const *names, char **values, int nvalues);
smf_noreturn extern void smf_provider_fail(const ProviderContext *context, const char *detail,
										   const char *hint);
smf_noreturn extern void smf_provider_unreachable(const ProviderContext *context, const char *what,
												  const FetchAnswer *answer);
extern const char *smf_environment(const char *name);

/* one file each */
extern bool smf_provide_environment(ProviderContext *context, AwsCredentials *credentials);
extern bool smf_provide_profile_role(ProviderContext *context, const char *profile,
									 AwsCredentials *credentials);
extern bool smf_provide_web_identity(ProviderContext *context, const char *profile,
									 bool only_profile, AwsCredentials *credentials);
extern bool smf_provide_sso(ProviderContext *context, const char *profile,
							AwsCredentials *credentials);
extern bool smf_provide_credentials_file(ProviderContext *context, const char *profile,
										 AwsCredentials *credentials);
extern bool smf_provide_config_file(ProviderContext *context, const char *profile,
									AwsCredentials *credentials);
extern bool smf_provide_login(ProviderContext *context, const char *profile);
extern bool smf_provide_process(ProviderContext *context, const char *profile,
								AwsCredentials *credentials);
extern bool smf_provide_container(ProviderContext *context, AwsCredentials *credentials);
extern bool smf_provide_instance(ProviderContext *context, AwsCredentials *credentials);

/* credentials.c */
extern bool smf_provide_from_profile(ProviderContext *context, const char *profile,
									 bool only_profile, AwsCredentials *credentials);
extern void smf_provide_named_source(ProviderContext *context, const char *source,
									 AwsCredentials *credentials);

/* sts.c */
extern void smf_sts_assume_role(ProviderContext *context, const AwsCredentials *with,
								const RoleRequest *request, AwsCredentials *credentials);
extern char *smf_sts_caller_account(ProviderContext *context, const AwsCredentials *with);

#endif							/* SMF_PROVIDER_H */
