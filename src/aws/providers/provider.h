/*-------------------------------------------------------------------------
 *
 * provider.h
 *		The sources of credentials, each in its own file.
 *
 * A provider returns SMF_NOT_SET_UP if it is not set up here, so that the next one is
 * asked, and raises an error if it is set up but provides no credentials.  It is part of
 * an inquiry and never waits: it returns SMF_ASKED as soon as an answer is missing, and
 * is called again when that has arrived.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROVIDER_H
#define SMF_PROVIDER_H

#include "aws/config_file.h"
#include "aws/credentials.h"
#include "aws/inquiry.h"
#include "compat/base.h"
#include "lib/stringinfo.h"

/* The result of asking a source. */
typedef enum ProviderResult
{
	SMF_NOT_SET_UP,				/* ask the next one */
	SMF_PROVIDED,				/* it has provided credentials */
	SMF_ASKED					/* not known yet: a request or a program is under way */
} ProviderResult;

/* What all providers know; it lives while credentials are being looked for. */
typedef struct ProviderContext
{
	Inquiry    *inquiry;		/* that the providers are part of; NULL: they send no
								 * requests */
	const CredentialConfig *config;
	const CredentialNetwork *network;	/* NULL if there is no inquiry */
	int64		clock_offset_s; /* the services' clock minus ours, as far as known */
	bool		asked_anew;		/* because the credentials were refused by the next service */
	bool		account_asked;	/* there are credentials; the question is whose they are */
	const char *no_instance;	/* why the instance metadata provided nothing; or NULL */
	const char *profile;		/* its name */
	bool		profile_wanted; /* it was named explicitly, so no other will do */
	ConfigFile	config_file;
	ConfigFile	credentials_file;
	const char *config_path;	/* where the files are, or would be */
	const char *credentials_path;
	const char *unreadable;		/* one that could not be read; or NULL */
	HttpTarget	target;			/* everything but the URL */
} ProviderContext;

/* The parameters for assuming a role.  NULL: not set. */
typedef struct RoleRequest
{
	const char *role_arn;
	const char *external_id;
	const char *session_name;
	const char *duration_seconds;
	const char *web_identity_token; /* instead of signing */
} RoleRequest;

/* provider.c */
extern void smf_provider_begin(ProviderContext *context, const CredentialConfig *config,
							   const CredentialNetwork *network);
extern void smf_provider_end(ProviderContext *context);
extern bool smf_profile_exists(const ProviderContext *context, const char *profile);
extern const char *smf_profile_get(const ProviderContext *context, const char *profile,
								   const char *key);
extern char *smf_provider_region(const ProviderContext *context);
extern char *smf_configured_endpoint(const ProviderContext *context, const char *service,
									 const char *variable);
extern void smf_provider_keep(AwsCredentials *credentials, const char *source, const char *remedy,
							  const char *access_key_id, const char *secret_access_key,
							  const char *session_token);
extern void smf_provider_account(AwsCredentials *credentials, const char *account);
extern void smf_provider_expires(const ProviderContext *context, AwsCredentials *credentials,
								 int64 expires_at_s, const FetchAnswer *answer);
extern char *smf_provider_read_file(const char *path, size_t *len);
extern int64 smf_provider_time(const char *text);
extern bool smf_provider_read_json(const char *body, size_t len, const char *below,
								   const char *const *names, char **values, int nvalues);
smf_noreturn extern void smf_provider_fail(const ProviderContext *context, const char *detail,
										   const char *hint);
smf_noreturn extern void smf_provider_unreachable(const ProviderContext *context, const char *what,
												  const char *elsewhere, const FetchAnswer *answer);
extern char *smf_provider_files(const ProviderContext *context);
extern const char *smf_environment(const char *name);
extern char *smf_secret(char *secret);
extern void smf_append_encoded(StringInfo to, const char *text);
extern char *smf_secret_header(const char *name, const char *secret);

/* chain.c, profile.c: the order */
extern ProviderResult smf_provide_ambient(ProviderContext *context, AwsCredentials *credentials);
extern ProviderResult smf_provide_profile(ProviderContext *context, const char *profile,
										  AwsCredentials *credentials);
extern ProviderResult smf_provide_named_source(ProviderContext *context, const char *source,
											   AwsCredentials *credentials);

/* one file each */
extern ProviderResult smf_provide_environment(ProviderContext *context, AwsCredentials *credentials);
extern ProviderResult smf_provide_web_identity(ProviderContext *context, const char *profile,
											   bool only_profile, AwsCredentials *credentials);
extern ProviderResult smf_provide_sso(ProviderContext *context, const char *profile,
									  AwsCredentials *credentials);
extern ProviderResult smf_provide_credentials_file(ProviderContext *context, const char *profile,
												   AwsCredentials *credentials);
extern ProviderResult smf_provide_config_file(ProviderContext *context, const char *profile,
											  AwsCredentials *credentials);
extern ProviderResult smf_provide_login(ProviderContext *context, const char *profile);
extern ProviderResult smf_provide_process(ProviderContext *context, const char *profile,
										  AwsCredentials *credentials);
extern ProviderResult smf_provide_container(ProviderContext *context, AwsCredentials *credentials);
extern ProviderResult smf_provide_instance(ProviderContext *context, AwsCredentials *credentials);

/* sts.c */
extern ProviderResult smf_sts_assume_role(ProviderContext *context, const AwsCredentials *with,
										  const RoleRequest *request, AwsCredentials *credentials);
extern char *smf_sts_caller_account(ProviderContext *context, const AwsCredentials *with,
									bool *refused);

#endif							/* SMF_PROVIDER_H */
