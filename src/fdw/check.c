/*-------------------------------------------------------------------------
 *
 * check.c
 *		sagemaker_fdw_check_server: what works for a server and a role, and what
 *		does not.
 *
 * Each check is a row, so that whoever has just set up a server learns in one go
 * what is missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "aws/call_error.h"
#include "fdw/role.h"
#include "fmgr.h"
#include "funcapi.h"
#include "http/http.h"
#include "jobs/document.h"
#include "jobs/operation.h"
#include "jobs/price_list.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Seconds that the clocks may differ: AWS refuses signatures from 300 on. */
#define CLOCK_SKEW_MAX_S 60

/* The name of a job that most likely does not exist. */
#define NO_JOB "sagemaker-fdw-check"

extern PGDLLEXPORT Datum sagemaker_fdw_check_server(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_check_server);

/* One call of the function. */
typedef struct Check
{
	ReturnSetInfo *result;		/* where rows go */
	SmfSettings *settings;		/* of the server */
	Oid			userid;			/* the role that calls are made for */
	AwsClient  *client;			/* NULL: there are no credentials */
	ErrorData  *error;			/* why there are no credentials, once that is known; NULL */
	bool		refused;		/* AWS does not accept the credentials */
	int64		attempts[SMF_JOB_OPERATIONS];	/* that its calls have taken; of no interest here */
	char	   *job_name;		/* of some job; NULL: there is none, or it is not known */
	char	   *job_arn;
} Check;

/* What came of a check: the column ok. */
typedef enum CheckResult
{
	CHECK_BAD,					/* false */
	CHECK_GOOD,					/* true */
	CHECK_NOT_TRIED				/* NULL */
} CheckResult;

static CheckResult
good_if(bool ok)
{
	return ok ? CHECK_GOOD : CHECK_BAD;
}

static void
put_row(Check *check, const char *name, CheckResult result, const char *detail)
{
	Datum		values[3];
	bool		nulls[3] = {false, result == CHECK_NOT_TRIED, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = BoolGetDatum(result == CHECK_GOOD);
	values[2] = CStringGetTextDatum(detail);
	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

/* A step that guard() takes, with its argument. */
typedef void (*GuardedStep) (Check *check, void *arg);

/*
 * Take a step that raises an error where there are no credentials; returns the error, or
 * NULL.  Other errors, such as a cancel, are raised again.
 */
static ErrorData *
guard(Check *check, GuardedStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	/* Catch an error, and clean up what it leaves behind: hence the subtransaction. */
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step(check, arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	/* Errors of sources of credentials are the check's result; others are not. */
	if (error != NULL && error->sqlerrcode != ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION &&
		error->sqlerrcode != ERRCODE_INSUFFICIENT_RESOURCES &&
		error->sqlerrcode != ERRCODE_PROTOCOL_VIOLATION &&
		error->sqlerrcode != ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION)
		ReThrowError(error);
	return error;
}

/* A GuardedStep: make the client for the role, with credentials. */
static void
get_client(Check *check, void *arg)
{
	check->client = smf_role_probe(check->settings, check->userid);
	(void) smf_client_credentials(check->client);
}

/* A GuardedStep: wait for the call. */
static void
wait_for_call(Check *check, void *arg)
{
	smf_call_wait(arg);
}

/* A GuardedStep: wait for a page of prices; what else is answered is an error. */
static void
wait_for_prices(Check *check, void *arg)
{
	AwsCall    *made = arg;

	smf_call_wait(made);
	if (!smf_call_failed(made))
		(void) smf_price_page_items(made, smf_document_parse(made));
}

/* Start a call, for the job that was listed, or else for one that does not exist. */
static AwsCall *
start_call(Check *check, JobOperation operation)
{
	const char *job_name = check->job_name ? check->job_name : NO_JOB;
	JobQuery	query;

	if (operation == SMF_OP_DESCRIBE_TRAINING_JOB)
		return smf_start_describe(check->client, job_name, check->attempts);
	if (operation == SMF_OP_LIST_TAGS)
		return smf_start_list_tags(check->client, job_name, check->job_arn, false, NULL, check->attempts);
	smf_job_query_init(&query);
	query.tuning_job_arn = "/" NO_JOB;
	return smf_start_page(check->client, operation, &query, 1, NULL, check->attempts);
}

/*
 * Make a call.  NULL when there are no credentials for it, now or before, as check->error
 * says: their source is not asked again for each call.
 */
static AwsCall *
call(Check *check, JobOperation operation)
{
	AwsCall    *made;

	if (check->error != NULL)
		return NULL;
	made = start_call(check, operation);
	/* whatever it says is of the server, not of the job that it happens to name */
	smf_call_about(made, NULL);
	check->error = guard(check, wait_for_call, made);
	return check->error ? NULL : made;
}

/* An error, in one line. */
static char *
error_text(const ErrorData *error)
{
	return psprintf("%s.%s%s%s%s", error->message, error->detail ? " " : "",
					error->detail ? error->detail : "", error->hint ? " " : "",
					error->hint ? error->hint : "");
}

/* Has the service answered, whatever it says? */
static bool
answered(const AwsCall *made)
{
	return !smf_call_failed(made) || smf_call_error(made)->http_status != 0;
}

/*
 * Where the credentials come from, or what is wrong with them: there are none, or the
 * service did not accept them with the first call, which is NULL if none could be made.
 */
static void
check_credentials(Check *check, const AwsCall *made)
{
	const ErrorData *error = check->error;
	const AwsCredentials *credentials;
	const char *key;
	char	   *expiry = "";
	char	   *verdict = "";
	CheckResult result = CHECK_NOT_TRIED;

	/* There are none. */
	if (error != NULL)
	{
		put_row(check, "credentials", CHECK_BAD, error_text(error));
		return;
	}

	/* Where they are from, and until when they are good. */
	credentials = smf_client_credentials(check->client);
	key = credentials->access_key_id;
	if (credentials->expires_at_s != 0)
		expiry = psprintf(credentials->expires_at_s > (int64) time(NULL) ? ", valid until %s" :
						  ", expired at %s according to their source",
						  timestamptz_to_str(time_t_to_timestamptz((pg_time_t) credentials->expires_at_s)));

	/* What the first call says of them. */
	if (made == NULL)
		verdict = "; not tried, because there is no endpoint";
	else if (!answered(made))
		verdict = "; not tried, because AWS does not answer";
	else if (smf_call_refused(made))
	{
		result = CHECK_BAD;
		verdict = psprintf(": AWS refuses them. %s %s", smf_call_outcome(made, NULL),
						   smf_credentials_remedy(credentials));
	}
	else
		result = CHECK_GOOD;
	put_row(check, "credentials", result,
			psprintf("from %s, access key ending in %s%s%s", credentials->source,
					 strlen(key) > 8 ? key + strlen(key) - 4 : "...", expiry, verdict));
}

/* The row of an operation's permission. */
static void
put_permission(Check *check, const char *operation, CheckResult result, const char *detail)
{
	put_row(check, psprintf("permission %s", operation), result, detail);
}

/*
 * May the credentials make the call?  An answer that the job does not exist says that they
 * may.  "made" is NULL when the call could not be made; "allowed" is what is said if they may.
 */
static void
check_permission(Check *check, const AwsService *service, const char *operation, const AwsCall *made,
				 const char *allowed)
{
	if (made == NULL)
		put_permission(check, operation, CHECK_BAD, error_text(check->error));
	else if (!smf_call_failed(made) || (service == &smf_sagemaker && smf_job_not_found(smf_call_error(made))))
		put_permission(check, operation, CHECK_GOOD, allowed);
	else if (smf_call_denied(made))
		put_permission(check, operation, CHECK_BAD,
					   psprintf("Allow %s:%s in the IAM policy. %s", service->signing_name, operation,
								smf_call_outcome(made, NULL)));
	else
		put_permission(check, operation, CHECK_BAD, smf_call_outcome(made, NULL));
}

/* A GuardedStep: ask for the account that the credentials belong to. */
static void
ask_for_account(Check *check, void *arg)
{
	*(char **) arg = smf_client_account(check->client);
}

/*
 * Does STS answer?  It is asked for the account of a partitioned table's servers, unless an
 * option says it.  A role's account stands in its ARN, and that STS answers shows in the
 * credentials.
 */
static void
check_sts(Check *check)
{
	const char *meant = check->settings->account_id;
	char	   *account = NULL;
	ErrorData  *error;

	if (meant != NULL)
		put_row(check, "sts", CHECK_NOT_TRIED,
				psprintf("not asked: the option account_id says that the account is %s", meant));
	else if (check->refused || check->error != NULL)
		put_row(check, "sts", CHECK_NOT_TRIED, check->refused ? "not asked: AWS refuses the credentials" :
				"not asked: there are no credentials any more");
	else
	{
		error = guard(check, ask_for_account, &account);
		put_row(check, "sts", good_if(error == NULL),
				error ? error_text(error) : psprintf("the credentials belong to account %s", account));
	}
}

/* Remember a job that was listed. */
static void
take_job(Check *check, AwsCall *made)
{
	Jsonb	   *response = smf_document_parse(made);
	JsonbContainer *jobs = smf_document_list(made, response, "TrainingJobSummaries");
	JsonbValue *job;

	if (jobs == NULL || JsonContainerSize(jobs) == 0)
		return;
	job = getIthJsonbValueFromContainer(jobs, 0);
	check->job_name = smf_document_required(made, job->val.binary.data, "TrainingJobName");
	check->job_arn = smf_document_required(made, job->val.binary.data, "TrainingJobArn");
}

/* The rows about the connection, from the first call. */
static void
check_connection(Check *check, const AwsCall *made, int64 took_us)
{
	const char *url = smf_client_url(check->client);
	bool		https = strncmp(url, "https:", 6) == 0;
	int64		date_s = smf_call_date(made);
	int64		skew_s = date_s - (int64) time(NULL);
	bool		in_time = skew_s >= -CLOCK_SKEW_MAX_S && skew_s <= CLOCK_SKEW_MAX_S;

	put_row(check, "endpoint", good_if(answered(made)),
			answered(made) ? psprintf("%s answers", url) :
			psprintf("%s does not answer. %s", url, smf_call_outcome(made, NULL)));
	if (smf_call_tls_problem(made) != NULL)
		put_row(check, "tls", CHECK_BAD,
				psprintf("%s %s", smf_call_outcome(made, NULL), smf_call_tls_problem(made)));
	if (!answered(made))
		return;
	put_row(check, "tls", CHECK_GOOD, https ? "the endpoint's certificate is trusted" :
			"not used: the endpoint is on this machine");
	if (date_s >= 0)
		put_row(check, "clock", good_if(in_time),
				psprintf("the service's clock is " INT64_FORMAT " s ahead of this one%s", skew_s,
						 in_time ? "" : "; set the database server's clock"));
	put_row(check, "latency", CHECK_GOOD, psprintf("%.0f ms for the first call, including the connection", took_us / 1000.0));
}

/* Are the credentials of no use for any operation?  Then this one's row says so. */
static bool
is_pointless(Check *check, const char *operation)
{
	if (!check->refused && check->error == NULL)
		return false;
	put_permission(check, operation, CHECK_NOT_TRIED,
				   check->refused ? "not tried: AWS refuses the credentials" :
				   "not tried: there are no credentials any more");
	return true;
}

/* Try an operation, unless the credentials are of no use for any. */
static void
try_operation(Check *check, JobOperation operation)
{
	const char *name = smf_operation_name(operation);

	if (!is_pointless(check, name))
		check_permission(check, &smf_sagemaker, name, call(check, operation),
						 operation != SMF_OP_SEARCH ? "allowed" :
						 "allowed; sagemaker_fdw_check_search tells whether it says what DescribeTrainingJob says");
}

/* Can AWS's prices be read? */
static void
check_prices(Check *check)
{
	const SmfSettings *settings = check->settings;
	AwsClient  *client;
	AwsCall    *made;

	if (is_pointless(check, "GetProducts"))
		return;
	if (settings->network.endpoint_url != NULL && settings->network.pricing_endpoint_url == NULL)
	{
		put_permission(check, "GetProducts", CHECK_NOT_TRIED,
					   "not tried: the server has an endpoint_url of its own and no pricing_endpoint_url");
		return;
	}
	client = smf_role_price_client(settings, settings->region, check->userid, true);
	if (smf_client_problem(client) != NULL)
	{
		put_permission(check, "GetProducts", CHECK_NOT_TRIED, psprintf("not tried: %s", smf_client_problem(client)));
		return;
	}
	made = smf_start_price_page(client, settings->region, NULL, 1, &check->attempts[0]);
	check->error = guard(check, wait_for_prices, made);
	check_permission(check, &smf_price_list, "GetProducts", check->error ? NULL : made,
					 psprintf("allowed, by %s", smf_client_url(client)));
}

/* A row for each operation; the first call was a list. */
static void
check_permissions(Check *check, AwsCall *made)
{
	bool		listed = !smf_call_failed(made);

	if (!answered(made))
		return;
	check_permission(check, &smf_sagemaker, smf_operation_name(SMF_OP_LIST_TRAINING_JOBS), made, "allowed");
	check->refused = smf_call_refused(made);
	if (listed)
		take_job(check, made);

	try_operation(check, SMF_OP_DESCRIBE_TRAINING_JOB);
	try_operation(check, SMF_OP_SEARCH);
	try_operation(check, SMF_OP_LIST_FOR_TUNING_JOB);
	if (check->job_arn != NULL)
		try_operation(check, SMF_OP_LIST_TAGS);
	else
		put_row(check, "permission ListTags", CHECK_NOT_TRIED,
				listed ? "not tried: there is no job to list the tags of" :
				"not tried: ListTrainingJobs fails, and so there is no job to list the tags of");
}

/*
 * sagemaker_fdw_check_server(server name)
 *		A row for each check of the server, as the current role sees it.
 */
Datum
sagemaker_fdw_check_server(PG_FUNCTION_ARGS)
{
	Oid			userid = GetUserId();
	ForeignServer *server = smf_role_server(NameStr(*PG_GETARG_NAME(0)), userid);
	MemoryContext context;
	MemoryContext old;
	Check		check = {.userid = userid};
	AwsCall    *made = NULL;
	int64		took_us = 0;

	InitMaterializedSRF(fcinfo, 0);
	check.result = (ReturnSetInfo *) fcinfo->resultinfo;

	/* Make the client, which goes with its context, on an error too. */
	context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw check", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	check.settings = smf_settings_resolve(server, NULL);
	check.error = guard(&check, get_client, NULL);
	if (check.error != NULL)
		check.client = NULL;

	/* The first call tells most: does the service answer, and accept the credentials? */
	if (check.client != NULL && smf_client_problem(check.client) == NULL)
	{
		int64		start_us = smf_http_now();

		made = call(&check, SMF_OP_LIST_TRAINING_JOBS);
		took_us = smf_http_now() - start_us;
	}

	/* The rows, in the order in which a user would put things right. */
	check_credentials(&check, made);
	if (check.settings->region != NULL)
		put_row(&check, "region", CHECK_GOOD, check.settings->region);
	else
		put_row(&check, "region", CHECK_BAD, "No region is configured. Set the option \"region\" of the server or of the foreign table.");
	if (made != NULL)
	{
		check_connection(&check, made, took_us);
		check_permissions(&check, made);
		if (answered(made))
		{
			check_sts(&check);
			check_prices(&check);
		}
	}
	else if (check.client != NULL && check.error == NULL && check.settings->region != NULL)
		put_row(&check, "endpoint", CHECK_BAD, psprintf("not usable. %s", smf_client_problem(check.client)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
