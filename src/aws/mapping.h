/*-------------------------------------------------------------------------
 *
 * mapping.h
 *		A role's user mapping for a server: its options, and what it has a right to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_MAPPING_H
#define SMF_MAPPING_H

#include "foreign/foreign.h"
#include "nodes/pg_list.h"

/*
 * Names of the options, for the option table (option.c), which says which values they may
 * have and who may set them, and for the code that reads them.
 */
#define SMF_OPTION_ACCESS_KEY_ID		"aws_access_key_id"
#define SMF_OPTION_SECRET_ACCESS_KEY	"aws_secret_access_key"
#define SMF_OPTION_SESSION_TOKEN		"aws_session_token"
#define SMF_OPTION_ROLE_ARN				"role_arn"
#define SMF_OPTION_EXTERNAL_ID			"external_id"
#define SMF_OPTION_ROLE_SESSION_NAME	"role_session_name"
#define SMF_OPTION_DURATION_SECONDS		"duration_seconds"
#define SMF_OPTION_PROFILE				"profile"
#define SMF_OPTION_CREDENTIAL_SOURCE	"credential_source"
#define SMF_OPTION_WEB_IDENTITY_FILE	"web_identity_token_file"
#define SMF_OPTION_ALLOW_AMBIENT		"allow_ambient_credentials"

/* A role's user mapping for a server, or PUBLIC's. */
typedef struct RoleMapping
{
	Oid			mappingid;		/* InvalidOid: there is none */
	bool		for_public;		/* is it PUBLIC's? */
	List	   *options;		/* of DefElem, keys among them: smf_mapping_forget overwrites them */
} RoleMapping;

extern void smf_mapping_read(RoleMapping *mapping, const ForeignServer *server, Oid userid);
extern bool smf_mapping_ambient(const RoleMapping *mapping, const ForeignServer *server, Oid userid);
extern bool smf_mapping_check(const RoleMapping *mapping, const ForeignServer *server, Oid userid);
extern char *smf_mapping_clause(const RoleMapping *mapping, const ForeignServer *server, Oid userid);
extern void smf_mapping_forget(const RoleMapping *mapping);

extern const char *smf_option_value(List *options, const char *name);

#endif							/* SMF_MAPPING_H */
