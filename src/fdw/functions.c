/*-------------------------------------------------------------------------
 *
 * functions.c
 *		SQL functions for users: one job's document, and the session's connections,
 *		account and calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "fdw/role.h"
#include "fmgr.h"
#include "http/http.h"
#include "jobs/document.h"
#include "jobs/job_name.h"
#include "jobs/operation.h"
#include "jobs/trust.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* before version 16, PG_FUNCTION_INFO_V1 alone leaves the function itself hidden */
extern PGDLLEXPORT Datum sagemaker_describe_training_job(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_disconnect(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_account_id(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_session_calls(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_session_differences(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_describe_training_job);
PG_FUNCTION_INFO_V1(sagemaker_fdw_disconnect);
PG_FUNCTION_INFO_V1(sagemaker_fdw_account_id);
PG_FUNCTION_INFO_V1(sagemaker_fdw_session_calls);
PG_FUNCTION_INFO_V1(sagemaker_fdw_session_differences);

/* Raise 22023 for what no job can be called; of an ARN the hint says the name. */
smf_noreturn static void
raise_no_name(const char *job_name)
{
	const char *slash = strncmp(job_name, "arn:", 4) == 0 ? strrchr(job_name, '/') : NULL;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" cannot be the name of a training job", job_name),
			 errdetail("A name has 1 to 63 letters, digits and hyphens, and no hyphen at either end."),
			 slash != NULL && smf_training_job_name_valid(slash + 1) ?
			 errhint("Give the name alone: %s.", slash + 1) : 0));
}

/*
 * sagemaker_describe_training_job(server name, training_job_name text)
 *		A job's document, as the service sent it; NULL if there is no such job.
 */
Datum
sagemaker_describe_training_job(PG_FUNCTION_ARGS)
{
	char	   *server_name = NameStr(*PG_GETARG_NAME(0));
	char	   *job_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Oid			userid = GetUserId();
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	ForeignServer *server;
	AwsClient  *client;
	AwsCall    *call;
	int64		attempts[SMF_JOB_OPERATIONS] = {0};
	Jsonb	   *document = NULL;

	/* Check what can be checked without a call. */
	server = smf_role_server(server_name, userid);
	if (!smf_training_job_name_valid(job_name))
		raise_no_name(job_name);

	/* Call; the client is freed with its context, also after an error. */
	context = AllocSetContextCreate(caller, "sagemaker_fdw function", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	client = smf_role_client(smf_settings_resolve(server, NULL), userid);
	call = smf_start_describe(client, job_name, attempts);
	smf_call_wait(call);

	/* The document belongs to the caller; a job that does not exist is not an error. */
	MemoryContextSwitchTo(caller);
	if (!smf_call_failed(call))
	{
		smf_call_count_rows(call, 1);
		document = smf_document_job(call, NULL);
	}
	else if (!smf_job_not_found(smf_call_error(call)))
		smf_call_raise(call);
	MemoryContextDelete(context);

	if (document == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(document);
}

/*
 * sagemaker_fdw_disconnect(server name DEFAULT NULL)
 *		Close the session's kept connections, and drop the credentials cached for the
 *		server, or for all servers.
 *
 * Connections are not kept per server, so all of them are closed: the next call opens a
 * new one.
 */
Datum
sagemaker_fdw_disconnect(PG_FUNCTION_ARGS)
{
	Oid			serverid = InvalidOid;

	if (!PG_ARGISNULL(0))
		serverid = smf_role_server(NameStr(*PG_GETARG_NAME(0)), GetUserId())->serverid;
	smf_session_forget(serverid);
	smf_http_disconnect();
	PG_RETURN_VOID();
}

/*
 * sagemaker_fdw_account_id(server name, region text DEFAULT NULL)
 *		The AWS account that the current role's credentials for the server belong to.
 *		A region is needed if the server does not have one.
 */
Datum
sagemaker_fdw_account_id(PG_FUNCTION_ARGS)
{
	Oid			userid = GetUserId();
	ForeignServer *server;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	SmfSettings *settings;
	char	   *account;
	text	   *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	server = smf_role_server(NameStr(*PG_GETARG_NAME(0)), userid);

	context = AllocSetContextCreate(caller, "sagemaker_fdw function", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	settings = smf_settings_resolve(server, NULL);
	if (settings->region == NULL && !PG_ARGISNULL(1))
		settings->region = text_to_cstring(PG_GETARG_TEXT_PP(1));
	account = smf_client_account(smf_role_client(settings, userid));
	MemoryContextSwitchTo(caller);
	result = cstring_to_text(account);
	MemoryContextDelete(context);
	PG_RETURN_TEXT_P(result);
}

/*
 * sagemaker_fdw_session_calls()
 *		The number of API calls that the session has made so far, retries included.
 */
Datum
sagemaker_fdw_session_calls(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(smf_client_calls_made());
}

/*
 * sagemaker_fdw_session_differences()
 *		How often the session has found that Search differs from Describe.
 */
Datum
sagemaker_fdw_session_differences(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(smf_trust_differences());
}
