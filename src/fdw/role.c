/*-------------------------------------------------------------------------
 *
 * role.c
 *		The role that a query's calls are made for, and the client that makes them.
 *
 * This file does not decide whether the role may use the database server's own
 * credentials, the ambient ones.  That depends on its user mapping (aws/mapping.c), which
 * is looked up each time a client is created, before anything that was kept is used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat/fdw.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "foreign/fdwapi.h"
#include "jobs/price_list.h"
#include "miscadmin.h"

int			smf_max_calls = 100000;

static AwsClientConfig
client_config(const SmfSettings *settings)
{
	AwsClientConfig config = {0};

	config.server_name = settings->server_name;
	config.account_id = settings->account_id;
	config.region = settings->region;
	config.network = settings->network;
	config.max_response_size = settings->max_response_size;
	config.max_attempts = settings->max_attempts;
	config.throttle_timeout_ms = settings->throttle_timeout_ms;
	config.adaptive = settings->retry_mode == SMF_RETRY_ADAPTIVE;
	config.max_calls_per_second = settings->max_calls_per_second;
	config.max_calls = smf_max_calls;
	config.service = &smf_sagemaker;
	config.topic = &smf_job_topic;
	return config;
}

static AwsClient *
make_client(SmfSettings *settings, Oid userid, bool may_be_unusable)
{
	AwsClientConfig config = client_config(settings);
	AwsClient  *client;

	config.may_be_unusable = may_be_unusable;
	client = smf_client_create(CurrentMemoryContext, &config,
							   GetForeignServer(settings->serverid), userid);
	settings->region = smf_client_region(client);
	return client;
}

/*
 * smf_role_client
 *		A client for calls on behalf of a role, in the current memory context.
 *
 * "userid" is the role that the scan runs as.  It is fixed when the scan starts, because
 * a cursor may begin under one role and continue under another.  If no option sets the
 * region, it is filled into the settings.  Raises 28000 when the role has no credentials
 * for the server.
 */
AwsClient *
smf_role_client(SmfSettings *settings, Oid userid)
{
	return make_client(settings, userid, false);
}

/*
 * smf_role_probe
 *		The same, but the client is created even if there is no region or no endpoint,
 *		for its credentials: smf_client_problem then says what is missing.
 */
AwsClient *
smf_role_probe(SmfSettings *settings, Oid userid)
{
	return make_client(settings, userid, true);
}

/*
 * smf_role_price_client
 *		A client for calls to the Price List API on behalf of a role, in the current
 *		memory context.
 *
 * If the server has no region, its partition is that of "region".  Raises what
 * smf_role_client raises, and 22023 if the partition has no such API, unless the client
 * may be unusable.
 */
AwsClient *
smf_role_price_client(const SmfSettings *settings, const char *region, Oid userid, bool may_be_unusable)
{
	AwsClientConfig config = client_config(settings);

	if (config.region == NULL)
		config.region = region;
	config.may_be_unusable = may_be_unusable;
	config.service = &smf_price_list;
	config.topic = &smf_price_topic;
	/* the expected account is the one of the jobs: prices do not belong to any */
	config.account_id = NULL;
	return smf_client_create(CurrentMemoryContext, &config, GetForeignServer(settings->serverid), userid);
}

/*
 * smf_role_endpoint
 *		The URL that calls on behalf of a role would go to, palloc'ed, or why there is
 *		none.
 */
char *
smf_role_endpoint(const SmfSettings *settings, Oid userid)
{
	AwsClientConfig config = client_config(settings);

	return smf_client_endpoint(&config, GetForeignServer(settings->serverid), userid);
}

/*
 * smf_role_of_scan
 *		The role that a scan's calls are made for.
 */
Oid
smf_role_of_scan(ForeignScanState *node)
{
	Oid			userid = smf_scan_check_as_user(node);

	return OidIsValid(userid) ? userid : GetUserId();
}

/*
 * smf_server_is_ours
 *		Does a server belong to this wrapper?  Raises what Postgres says of one without a handler.
 */
bool
smf_server_is_ours(Oid serverid)
{
	return GetFdwRoutineByServerId(serverid)->BeginForeignScan == sagemakerBeginForeignScan;
}

/*
 * smf_role_server
 *		Look up a server that was given to a function by name: it must belong to this
 *		wrapper, and the role must have USAGE on it.
 */
ForeignServer *
smf_role_server(const char *server_name, Oid userid)
{
	ForeignServer *server = GetForeignServerByName(server_name, false);
	AclResult	aclresult = smf_server_aclcheck(server->serverid, userid);

	if (aclresult != ACLCHECK_OK)
		aclcheck_error(aclresult, OBJECT_FOREIGN_SERVER, server->servername);
	if (!smf_server_is_ours(server->serverid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a server of sagemaker_fdw", server_name),
				 errhint("Create one with CREATE SERVER ... FOREIGN DATA WRAPPER sagemaker_fdw.")));
	return server;
}
