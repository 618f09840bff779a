/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		The keys that sign a session's calls, and where they come from.
 *
 * Secrets live in malloc'ed memory that is overwritten before it is freed.
 * That is this module's copy: the mapping's options are also in the catalog and
 * in the backend's caches, which Postgres does not overwrite.
 *
 * Not accounted for: sources other than keys in the user mapping.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/credentials.h"
#include "commands/defrem.h"
#include "nodes/parsenodes.h"

/* An option of the mapping, or NULL. */
static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/* A malloc'ed copy of an option's value; NULL when the option is not given. */
static char *
copy_option(List *options, const char *name)
{
	DefElem    *option = find_option(options, name);
	char	   *copy;

	if (option == NULL)
		return NULL;
	copy = strdup(defGetString(option));
	if (copy == NULL)
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
	credentials->source = SMF_CREDENTIALS_NONE;
}

/*
 * smf_credentials_resolve
 *		Find the keys for a role on a server, by its user mapping's options.
 *
 * "credentials" is zeroed or cleared before, and filled; on an error it may hold
 * a part, which smf_credentials_clear drops.  Raises 28000 when the mapping
 * gives no keys, 0A000 when it wants a source that is not supported.
 */
void
smf_credentials_resolve(AwsCredentials *credentials, List *mapping_options,
						const char *server_name, const char *role_name)
{
	static const char *const unsupported[] = {
		"role_arn", "profile", "credential_source", "web_identity_token_file"
	};

	/* calls with the wrong identity would answer for the wrong account */
	for (int i = 0; i < lengthof(unsupported); i++)
	{
		if (find_option(mapping_options, unsupported[i]) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("user mapping option \"%s\" is not supported by this version",
							unsupported[i]),
					 errhint("Use aws_access_key_id and aws_secret_access_key alone.")));
	}

	credentials->access_key_id = copy_option(mapping_options, "aws_access_key_id");
	credentials->secret_access_key = copy_option(mapping_options, "aws_secret_access_key");
	credentials->session_token = copy_option(mapping_options, "aws_session_token");
	if (credentials->access_key_id == NULL || credentials->secret_access_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no AWS credentials for server \"%s\"", server_name),
				 errdetail("The user mapping of role \"%s\" has no keys.", role_name),
				 errhint("Set aws_access_key_id and aws_secret_access_key in the user mapping.")));
	credentials->source = SMF_CREDENTIALS_STATIC;
}
