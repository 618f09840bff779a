/*-------------------------------------------------------------------------
 *
 * check.c
 *		sagemaker_fdw_check_server: shows what works for a server and a role, and what
 *		does not.
 *
 * Each check is a row, so that somebody who has just set up a server learns at once
 * everything that is missing.
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

/* Seconds by which the clocks may differ: AWS rejects signatures from 300 on. */
#define CLOCK_SKEW_MAX_S 60

/* Attempts per call: somebody who checks a server should not wait for minutes. */
#define ATTEMPTS_MAX 4

/* The name of a job that most likely does not exist. */
#define NO_JOB "sagemaker-fdw-check"

extern PGDLLEXPORT Datum sagemaker_fdw_check_server(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_check_server);

/* One call of the function. */
typedef struct Check
{
	ReturnSetInfo *result;		/* receives the rows */
	SmfSettings *settings;		/* of the server */
	Oid			userid;			/* the role that calls are made for */
	AwsClient  *client;			/* NULL: there are no credentials */
	ErrorData  *error;			/* why there are no credentials; NULL: there are some, or not
								 * known yet */
	const char *untried;		/* why nothing more is tried; NULL: go on */
	int64		latency_us;		/* of the first call */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests that its calls have sent; not used
												 * here */
	char	   *job_name;		/* of any one job; NULL: none, or not known */
	char	   *job_arn;
} Check;

/* The result of a check, for the column ok. */
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

/* A step for guard(), with its argument. */
typedef void (*GuardedStep) (Check *check, void *arg);

/*
 * Run a step that raises an error if there are no credentials; returns that error, or
 * NULL.  Other errors, such as a cancel, are raised again.
 */
static ErrorData *
guard(Check *check, GuardedStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	/* Catch an error, and clean up after it: that is what the subtransaction is for. */
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

	/* An error of a credential source is a result of the check; others are not. */
	if (error != NULL && error->sqlerrcode != ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION &&
		error->sqlerrcode != ERRCODE_INSUFFICIENT_RESOURCES &&
		error->sqlerrcode != ERRCODE_PROTOCOL_VIOLATION &&
		error->sqlerrcode != ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION)
		ReThrowError(error);
	return error;
}

/* A GuardedStep: create the client for the role, with credentials. */
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

/* A GuardedStep: parse the call's document. */
static void
read_document(Check *check, void *arg)
{
	(void) smf_document_parse(arg);
}

/* A GuardedStep: parse a page of jobs, and remember the first job. */
static void
read_jobs(Check *check, void *arg)
{
	AwsCall    *made = arg;
	Jsonb	   *response = smf_document_parse(made);
	JsonbContainer *jobs = smf_document_list(made, response, "TrainingJobSummaries");
	JsonbValue *job;

	if (jobs == NULL || JsonContainerSize(jobs) == 0)
		return;
	job = getIthJsonbValueFromContainer(jobs, 0);
	check->job_name = smf_document_required(made, job->val.binary.data, "TrainingJobName");
	check->job_arn = smf_document_required(made, job->val.binary.data, "TrainingJobArn");
}

/* A GuardedStep: parse a page of prices. */
static void
read_prices(Check *check, void *arg)
{
	(void) smf_price_page_items(arg, smf_document_parse(arg));
}

/* Start a call, for the job that was listed, or otherwise for one that does not exist. */
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
 * Wait for a call that has just been started.  NULL if there are no longer any
 * credentials for it: then nothing more is tried, so that their source is not asked again
 * for each call.
 */
static AwsCall *
finish_call(Check *check, AwsCall *made)
{
	smf_call_limit_attempts(made, ATTEMPTS_MAX);
	check->error = guard(check, wait_for_call, made);
	if (check->error == NULL)
		return made;
	check->untried = "there are no credentials any more";
	return NULL;
}

/* Make a call; NULL as in finish_call. */
static AwsCall *
call(Check *check, JobOperation operation)
{
	AwsCall    *made = start_call(check, operation);

	/* its outcome concerns the server, not the job that it names */
	smf_call_about(made, NULL);
	return finish_call(check, made);
}

/* An error as one line. */
static char *
error_text(const ErrorData *error)
{
	return psprintf("%s.%s%s%s%s", error->message, error->detail ? " " : "",
					error->detail ? error->detail : "", error->hint ? " " : "",
					error->hint ? error->hint : "");
}

/* Did the service answer, with whatever result?  NULL: it was not asked. */
static bool
answered(const AwsCall *made)
{
	return made != NULL && (!smf_call_failed(made) || smf_call_error(made)->http_status != 0);
}

/*
 * Report where the credentials come from, or what is wrong with them: there are none, or
 * the service did not accept them in the first call, which is NULL if none could be made.
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

	/* Their source, and how long they are valid. */
	credentials = smf_client_credentials(check->client);
	key = credentials->access_key_id;
	if (credentials->expires_at_s != 0)
		expiry = psprintf(credentials->expires_at_s > (int64) time(NULL) ? ", valid until %s" :
						  ", expired at %s according to their source",
						  timestamptz_to_str(time_t_to_timestamptz((pg_time_t) credentials->expires_at_s)));

	/* The result of the first call. */
	if (!answered(made))
		verdict = psprintf("; not tried, because %s", check->untried);
	else if (smf_call_refused(made))
	{
		result = CHECK_BAD;
		verdict = psprintf(": AWS refuses them. %s %s", smf_call_outcome(made, NULL), smf_call_remedy(made));
	}
	else
		result = CHECK_GOOD;
	put_row(check, "credentials", result,
			psprintf("from %s, access key ending in %s%s%s", credentials->source,
					 strlen(key) > 8 ? key + strlen(key) - 4 : "...", expiry, verdict));
}

/* Report that a check was not made. */
static void
put_untried(Check *check, const char *name, const char *reason)
{
	put_row(check, name, CHECK_NOT_TRIED, psprintf("not tried: %s", reason));
}

/* The row name for the permission for an operation. */
static const char *
permission(const char *operation)
{
	return psprintf("permission %s", operation);
}

/*
 * Report whether the credentials may make the call.  An answer that the job does not
 * exist means that they may; an answer that "read" cannot parse does not come from AWS.
 * "made" is NULL if the call could not be made; "allowed" is the detail to report if they
 * may.
 */
static void
check_permission(Check *check, const AwsService *service, const char *operation, AwsCall *made,
				 GuardedStep read, const char *allowed)
{
	bool		good = false;
	const char *detail;
	ErrorData  *error = check->error;

	if (made != NULL && !smf_call_failed(made))
		error = guard(check, read, made);
	if (error != NULL)
		detail = error_text(error);
	else if (!smf_call_failed(made) || (service == &smf_sagemaker && smf_job_not_found(smf_call_error(made))))
	{
		good = true;
		detail = allowed;
	}
	else
	{
		detail = smf_call_outcome(made, NULL);
		if (smf_call_denied(made))
			detail = psprintf("%s %s", smf_call_permission(made), detail);
	}
	put_row(check, permission(operation), good_if(good), detail);
}

/* A GuardedStep: ask for the account that the credentials belong to. */
static void
ask_for_account(Check *check, void *arg)
{
	*(char **) arg = smf_client_account(check->client);
}

/*
 * Report whether STS answers.  Partitioned tables ask it for the account of their
 * servers, unless an option sets the account.  An assumed role's account is in its ARN,
 * and its credentials already show that STS answers.
 */
static void
check_sts(Check *check)
{
	const char *meant = check->settings->account_id;
	char	   *account = NULL;
	ErrorData  *error;

	if (meant != NULL)
		put_untried(check, "sts", psprintf("the option account_id says that the account is %s", meant));
	else if (check->untried != NULL)
		put_untried(check, "sts", check->untried);
	else
	{
		error = guard(check, ask_for_account, &account);
		put_row(check, "sts", good_if(error == NULL),
				error ? error_text(error) : psprintf("the credentials belong to account %s", account));
	}
}

/* Report on the connection, based on the first call; NULL if none could be made. */
static void
check_connection(Check *check, const AwsCall *made)
{
	const char *problem = check->client ? smf_client_problem(check->client) : NULL;
	const char *url;
	int64		date_s;
	int64		skew_s;
	bool		in_time;

	/* The endpoint and its certificate. */
	if (made == NULL && check->settings->region != NULL && problem != NULL)
		put_row(check, "endpoint", CHECK_BAD, psprintf("not usable. %s", problem));
	else if (made == NULL)
		put_untried(check, "endpoint", check->untried);
	else
	{
		url = smf_client_url(check->client);
		put_row(check, "endpoint", good_if(answered(made)),
				answered(made) ? psprintf("%s answers", url) :
				psprintf("%s does not answer. %s", url, smf_call_outcome(made, NULL)));
	}
	if (made != NULL && smf_call_tls_problem(made) != NULL)
		put_row(check, "tls", CHECK_BAD,
				psprintf("%s %s", smf_call_outcome(made, NULL), smf_call_tls_problem(made)));
	else if (!answered(made))
		put_untried(check, "tls", check->untried);
	else
		put_row(check, "tls", CHECK_GOOD, strncmp(url, "https:", 6) == 0 ? "the endpoint's certificate is trusted" :
				"not used: the endpoint is on this machine");

	/* The clock, and how long an answer takes. */
	if (!answered(made))
	{
		put_untried(check, "clock", check->untried);
		put_untried(check, "latency", check->untried);
		return;
	}
	date_s = smf_call_date(made);
	skew_s = date_s - (int64) time(NULL);
	in_time = skew_s >= -CLOCK_SKEW_MAX_S && skew_s <= CLOCK_SKEW_MAX_S;
	if (date_s < 0)
		put_untried(check, "clock", "the answer has no date");
	else
		put_row(check, "clock", good_if(in_time),
				psprintf("the service's clock is " INT64_FORMAT " s ahead of this one%s", skew_s,
						 in_time ? "" : "; set the database server's clock"));
	put_row(check, "latency", CHECK_GOOD, psprintf("%.0f ms for the first call, including the connection", check->latency_us / 1000.0));
}

/* Try an operation, unless nothing more is tried. */
static void
try_operation(Check *check, JobOperation operation)
{
	const char *name = smf_operation_name(operation);

	if (check->untried != NULL)
		put_untried(check, permission(name), check->untried);
	else
		check_permission(check, &smf_sagemaker, name, call(check, operation), read_document,
						 operation != SMF_OP_SEARCH ? "allowed" :
						 "allowed; sagemaker_fdw_check_search tells whether it says what DescribeTrainingJob says");
}

/* Report on each operation of SageMaker; the first call was ListTrainingJobs. */
static void
check_permissions(Check *check, AwsCall *made)
{
	const char *list = smf_operation_name(SMF_OP_LIST_TRAINING_JOBS);

	if (check->untried != NULL)
		put_untried(check, permission(list), check->untried);
	else
		check_permission(check, &smf_sagemaker, list, made, read_jobs, "allowed");
	try_operation(check, SMF_OP_DESCRIBE_TRAINING_JOB);
	try_operation(check, SMF_OP_SEARCH);
	try_operation(check, SMF_OP_LIST_FOR_TUNING_JOB);
	if (check->untried != NULL || check->job_arn != NULL)
		try_operation(check, SMF_OP_LIST_TAGS);
	else
		put_untried(check, permission("ListTags"), "ListTrainingJobs lists no job whose tags could be asked for");
}

/* Report whether AWS's prices can be read. */
static void
check_prices(Check *check)
{
	const SmfSettings *settings = check->settings;
	const char *name = permission("GetProducts");
	AwsClient  *client;
	AwsCall    *made;

	if (check->untried != NULL)
		put_untried(check, name, check->untried);
	else if (settings->network.endpoint_url != NULL && settings->network.pricing_endpoint_url == NULL)
		put_untried(check, name, "the server has an endpoint_url of its own and no pricing_endpoint_url");
	else
	{
		client = smf_role_price_client(settings, settings->region, check->userid, true);
		if (smf_client_problem(client) != NULL)
		{
			put_untried(check, name, smf_client_problem(client));
			return;
		}
		made = finish_call(check, smf_start_price_page(client, settings->region, NULL, 1, &check->attempts[0]));
		check_permission(check, &smf_price_list, "GetProducts", made, read_prices,
						 psprintf("allowed, by %s", smf_client_url(client)));
	}
}

/*
 * Create the client, and make the first call, which reveals most: does the service
 * answer, and accept the credentials?  NULL if no call can be made.
 */
static AwsCall *
make_first_call(Check *check)
{
	AwsCall    *made;
	int64		start_us;

	check->error = guard(check, get_client, NULL);
	if (check->error != NULL)
	{
		check->client = NULL;
		check->untried = "there are no credentials";
		return NULL;
	}
	if (smf_client_problem(check->client) != NULL)
	{
		check->untried = check->settings->region ? "there is no endpoint" : "there is no region";
		return NULL;
	}
	start_us = smf_http_now();
	made = call(check, SMF_OP_LIST_TRAINING_JOBS);
	check->latency_us = smf_http_now() - start_us;
	if (made == NULL)
		check->untried = "there are no credentials";
	else if (!answered(made))
		check->untried = "AWS does not answer";
	else if (smf_call_refused(made))
		check->untried = "AWS refuses the credentials";
	return made;
}

/*
 * sagemaker_fdw_check_server(server name)
 *		A row for each check of the server, for the current role: always the same rows,
 *		with ok NULL for checks that were not tried.
 */
Datum
sagemaker_fdw_check_server(PG_FUNCTION_ARGS)
{
	Oid			userid = GetUserId();
	ForeignServer *server = smf_role_server(NameStr(*PG_GETARG_NAME(0)), userid);
	MemoryContext context;
	MemoryContext old;
	Check		check = {.userid = userid};
	AwsCall    *made;

	InitMaterializedSRF(fcinfo, 0);
	check.result = (ReturnSetInfo *) fcinfo->resultinfo;

	/* The client is freed with its context, also after an error. */
	context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw check", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	check.settings = smf_settings_resolve(server, NULL);
	made = make_first_call(&check);

	/* The rows, in the order in which a user would fix problems. */
	check_credentials(&check, made);
	if (check.settings->region != NULL)
		put_row(&check, "region", CHECK_GOOD, check.settings->region);
	else
		put_row(&check, "region", CHECK_BAD, "No region is configured. Set the option \"region\" of the server or of the foreign table.");
	check_connection(&check, made);
	check_permissions(&check, made);
	check_sts(&check);
	check_prices(&check);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
