/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		One set of keys, and the options that say where a role's keys come from.
 *
 * They are malloc'ed, and overwritten before they are freed.
 *
 * Not accounted for: getting keys; see credential_inquiry.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/credentials.h"
#include "miscadmin.h"

/*
 * smf_keep_string
 *		A malloc'ed copy; NULL for NULL.  Raises an error without memory.
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

/* What is wrong with keys that a service refuses: sentences with a blank at the end, or "". */
static const char *
fault_of(const AwsCredentials *credentials, KeyProblem problem, const char *region)
{
	bool		token = credentials->session_token != NULL;

	switch (problem)
	{
		case SMF_KEY_UNKNOWN:
			if (token && smf_key_is(credentials->access_key_id, SMF_LASTING_KEY))
				return "Keys whose id begins with AKIA have no session token. ";
			if (!token && smf_key_is(credentials->access_key_id, SMF_TEMPORARY_KEY))
				return "Keys whose id begins with ASIA need a session token. ";
			return psprintf("AWS does not know the access key id%s in region \"%s\", or the region is not enabled in the account. ",
							token ? ", or not with this session token," : "", region);
		case SMF_KEY_WRONG_SECRET:
			return "The secret access key is not the one of the access key id. ";
		case SMF_KEY_EXPIRED:
			return "The keys have expired. ";
		case SMF_KEY_OTHER:
		case SMF_KEY_ELSEWHERE:
			break;
	}
	return "";
}

/*
 * smf_credentials_remedy
 *		What is wrong with them, as a service in the region finds that refuses them, and what to
 *		do; palloc'ed.  Where the database server keeps its own is for superusers to know.
 */
char *
smf_credentials_remedy(const AwsCredentials *credentials, KeyProblem problem, const char *region)
{
	const char *fault;
	const char *remedy = credentials->remedy;

	/* there are none: they were given up meanwhile */
	if (remedy == NULL)
		return pstrdup("Check where the credentials come from, and the database server's clock.");
	fault = fault_of(credentials, problem, region);
	if (credentials->private_remedy && !superuser_arg(GetOuterUserId()))
		return psprintf("%sThe keys come from %s of the database server. A superuser is told more.", fault, credentials->source);
	return psprintf("%s%s", fault, remedy);
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
 *		Can the source provide other credentials than before?
 */
bool
smf_credentials_refreshable(const CredentialConfig *config)
{
	return config->access_key_id == NULL || config->role_arn != NULL;
}

/* Overwrite and free the contents of a config.  Raises no error. */
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
	clear_string(&config->mapping_clause);
	clear_string(&config->unmapped_role);
	clear_string(&config->default_session_name);
}
