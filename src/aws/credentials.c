/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		One set of keys, and the options that say where a role's keys come from.
 *
 * They live in malloc'ed memory, and are overwritten before they are freed.
 *
 * Not accounted for: getting keys, which credential_inquiry.c does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/credentials.h"
#include "miscadmin.h"

/*
 * smf_keep_string
 *		A copy, malloc'ed; NULL of NULL.  Raises an error without memory.
 */
char *
smf_keep_string(const char *string)
{
	char	   *copy = string ? strdup(string) : NULL;

	if (string != NULL && copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return copy;
}

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
	credentials->expires_at_s = 0;
	credentials->life_s = 0;
	clear_string(&credentials->account);
	clear_string(&credentials->remedy);
	credentials->source = NULL;
}

static bool
same_string(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/*
 * smf_credentials_remedy
 *		What to do when a service refuses them.  Where the database server keeps its own
 *		is for superusers to know.
 */
const char *
smf_credentials_remedy(const AwsCredentials *credentials)
{
	if (credentials->remedy == NULL)
		return "Check where the credentials come from, and the database server's clock.";
	if (credentials->private_remedy && !superuser_arg(GetOuterUserId()))
		return psprintf("They come from %s of the database server. A superuser is told more.", credentials->source);
	return credentials->remedy;
}

/* Are they the same keys? */
bool
smf_credentials_same(const AwsCredentials *one, const AwsCredentials *other)
{
	return same_string(one->access_key_id, other->access_key_id) &&
		same_string(one->secret_access_key, other->secret_access_key) &&
		same_string(one->session_token, other->session_token);
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
}
