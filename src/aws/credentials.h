/*-------------------------------------------------------------------------
 *
 * credentials.h
 *		One set of keys, and the options that say where a role's keys come from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CREDENTIALS_H
#define SMF_CREDENTIALS_H

#include "aws/error_code.h"
#include "aws/expiry.h"
#include "aws/network.h"

/* Digits of an AWS account. */
#define SMF_ACCOUNT_LEN 12

/* What the ids of access keys begin with: those of temporary keys, and those of others. */
#define SMF_TEMPORARY_KEY	"ASIA"
#define SMF_LASTING_KEY		"AKIA"

/* One set of keys.  The strings are malloc'ed and the struct's own. */
typedef struct AwsCredentials
{
	char	   *access_key_id;	/* not a secret, but never part of our messages */
	char	   *secret_access_key;
	char	   *session_token;	/* NULL for long-lived keys */
	int64		expires_at_s;	/* epoch seconds, according to their source; 0: never */
	int64		life_s;			/* how long they were valid when they arrived, by their
								 * source's clock; SMF_NEVER: they do not expire */
	char	   *account;		/* the AWS account they belong to, 12 digits; NULL: not
								 * known */
	char	   *remedy;			/* what to do when the service refuses them */
	bool		private_remedy; /* the remedy mentions the database server's files */
	const char *source;			/* in words, a constant; NULL: there are none */
} AwsCredentials;

/*
 * Where a role's credentials for a server come from.  The strings are malloc'ed and
 * belong to the struct; NULL is an option that is not set.
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

	/* what is needed to get them */
	bool		ambient;		/* the database server's own credentials may be used */
	char	   *server_name;	/* for messages */
	char	   *mapping_clause; /* "FOR role SERVER server", of the user mapping that there is, or
								 * is to be; for hints */
	char	   *unmapped_role;	/* the role's name, if it has no user mapping; for messages */
	char	   *default_session_name;	/* of an assumed role */
} CredentialConfig;

/* How to reach the sources of credentials; the strings belong to the caller. */
typedef struct CredentialNetwork
{
	const char *region;			/* region for STS; NULL: as the server's own configuration
								 * says */
	AwsNetwork	network;		/* the server's options */
	int64		clock_offset_s; /* the services' clock minus ours, as far as known */
} CredentialNetwork;

/* Does an access key id say that it is of this kind, one of the prefixes above? */
static inline bool
smf_key_is(const char *access_key_id, const char *kind)
{
	return strncmp(access_key_id, kind, strlen(kind)) == 0;
}

extern void smf_credentials_clear(AwsCredentials *credentials);
extern bool smf_credentials_same(const AwsCredentials *one, const AwsCredentials *other);
extern char *smf_credentials_remedy(const AwsCredentials *credentials, KeyProblem problem, const char *region);
extern bool smf_credentials_refreshable(const CredentialConfig *config);
extern void smf_credential_config_clear(CredentialConfig *config);
extern char *smf_keep_string(const char *string);

#endif							/* SMF_CREDENTIALS_H */
