/*-------------------------------------------------------------------------
 *
 * credentials.h
 *		The keys that sign a session's calls, and where they come from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CREDENTIALS_H
#define SMF_CREDENTIALS_H

#include "nodes/pg_list.h"

/* Where credentials came from. */
typedef enum AwsCredentialSource
{
	SMF_CREDENTIALS_NONE,
	SMF_CREDENTIALS_STATIC		/* keys in the user mapping */
} AwsCredentialSource;

/* One set of keys.  The strings are malloc'ed and the struct's own. */
typedef struct AwsCredentials
{
	AwsCredentialSource source;
	char	   *access_key_id;	/* not a secret, but part of none of our messages */
	char	   *secret_access_key;
	char	   *session_token;	/* NULL for long-lived keys */
} AwsCredentials;

extern void smf_credentials_resolve(AwsCredentials *credentials, List *mapping_options,
									const char *server_name, const char *role_name);
extern void smf_credentials_clear(AwsCredentials *credentials);

#endif							/* SMF_CREDENTIALS_H */
