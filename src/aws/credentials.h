/*-------------------------------------------------------------------------
 *
 * credentials.h
 *		The keys that calls are signed with, and where they come from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CREDENTIALS_H
#define SMF_CREDENTIALS_H

#include "nodes/pg_list.h"

/* One set of keys.  The strings are malloc'ed and the struct's own. */
typedef struct AwsCredentials
{
	char	   *access_key_id;	/* not a secret, but part of none of our messages */
	char	   *secret_access_key;
	char	   *session_token;	/* NULL for long-lived keys */
	int64		expires_at_s;	/* epoch seconds; 0: never */
	int64		obtained_at_s;	/* epoch seconds */
	const char *source;			/* in words, a constant; NULL: there are none */
} AwsCredentials;

/*
 * Where a role's credentials for a server come from.  The strings are malloc'ed and
 * the struct's own; NULL is an option that is not given.
 */
typedef struct CredentialConfig
{
	/* the user mapping's options */
	char	   *access_key_id;
	char	   *secret_access_key;
	char	   *session_token;
	char	   *role_arn;
	char	   *external_id;
	char	   *role_session_name;
	char	   *duration_seconds;
	char	   *profile;
	char	   *credential_source;
	char	   *web_identity_token_file;

	/* what they are asked for with */
	bool		ambient;		/* the database server's own may be used */
	char	   *server_name;	/* for messages */
	char	   *unmapped_role;	/* the role's name, if it has no user mapping; for messages */
	char	   *default_session_name;	/* of an assumed role */
	char	   *region;			/* of STS; NULL: of the profile */
	bool		use_fips_endpoint;
	char	   *ca_bundle;
	char	   *proxy_url;
	int			connect_timeout_ms;
	int			read_timeout_ms;
} CredentialConfig;

/* What the database server's own configuration says of more than keys. */
typedef struct AmbientSettings
{
	char	   *region;			/* palloc'ed; NULL: nothing is said */
	char	   *endpoint_url;	/* of SageMaker; the same */
} AmbientSettings;

/* Setting sagemaker_fdw.allow_credential_process. */
extern bool smf_allow_credential_process;

extern void smf_credentials_resolve(const CredentialConfig *config, AwsCredentials *credentials);
extern char *smf_credentials_account(const CredentialConfig *config, const AwsCredentials *credentials);
extern void smf_credentials_clear(AwsCredentials *credentials);
extern bool smf_credentials_refreshable(const CredentialConfig *config);
extern bool smf_credentials_due(const AwsCredentials *credentials, int64 now_s, bool *must);
extern void smf_credentials_settings(const CredentialConfig *config, AmbientSettings *settings);
extern void smf_credential_config_clear(CredentialConfig *config);

#endif							/* SMF_CREDENTIALS_H */
