/*-------------------------------------------------------------------------
 *
 * operation.c
 *		The service's operations: how to call each, and what its errors mean.
 *
 * Request bodies are built with Postgres's own JSON escaping and sent in UTF-8, whatever
 * the database encoding.  They are built in the memory of the call that sends them.
 *
 * Not accounted for: the contents of answers; see document.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/operation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/json.h"

/*
 * smf_operation_name
 *		The operation's name in the API, a constant.
 */
const char *
smf_operation_name(JobOperation operation)
{
	switch (operation)
	{
		case SMF_OP_LIST_TRAINING_JOBS:
			return "ListTrainingJobs";
		case SMF_OP_LIST_FOR_TUNING_JOB:
			return "ListTrainingJobsForHyperParameterTuningJob";
		case SMF_OP_SEARCH:
			return "Search";
		case SMF_OP_DESCRIBE_TRAINING_JOB:
			return "DescribeTrainingJob";
		case SMF_OP_LIST_TAGS:
			return "ListTags";
	}
	pg_unreachable();
}

/*
 * smf_source_operation
 *		The operation that lists the jobs of a source.  Not for SMF_FROM_NAMES, which
 *		has none.
 */
JobOperation
smf_source_operation(JobSource source)
{
	switch (source)
	{
		case SMF_FROM_LIST:
			return SMF_OP_LIST_TRAINING_JOBS;
		case SMF_FROM_TUNING_JOB:
			return SMF_OP_LIST_FOR_TUNING_JOB;
		case SMF_FROM_SEARCH:
			return SMF_OP_SEARCH;
		case SMF_FROM_NAMES:
			break;
	}
	pg_unreachable();
}

/* Append "key": "value", unless the value is NULL. */
static void
append_string_member(StringInfo body, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(body, "%s\"%s\": ", body->len > 1 ? ", " : "", key);
	escape_json(body, value);
}

/* Begin a request body, which is an object, in the memory of the client's calls. */
static void
begin_body(StringInfo body, const AwsClient *client)
{
	MemoryContext old = MemoryContextSwitchTo(smf_client_context(client));

	initStringInfo(body);
	appendStringInfoChar(body, '{');
	MemoryContextSwitchTo(old);
}

/* End the body, and start the call that sends it and owns it from now on. */
static AwsCall *
start_call(AwsClient *client, JobOperation operation, const char *job_name, StringInfo body,
		   int64 *attempts)
{
	MemoryContext old = MemoryContextSwitchTo(smf_client_context(client));
	char	   *utf8;

	appendStringInfoChar(body, '}');
	utf8 = pg_server_to_any(body->data, body->len, PG_UTF8);
	if (utf8 != body->data)
		pfree(body->data);
	MemoryContextSwitchTo(old);
	return smf_call_start(client, smf_operation_name(operation), job_name, utf8,
						  &attempts[operation]);
}

/* Append "key": seconds, unless it is SMF_NO_BOUND. */
static void
append_time_member(StringInfo body, const char *key, int64 seconds)
{
	if (seconds != SMF_NO_BOUND)
		appendStringInfo(body, ", \"%s\": " INT64_FORMAT, key, seconds);
}

/* Start with a query for all jobs, newest first. */
void
smf_job_query_init(JobQuery *query)
{
	memset(query, 0, sizeof(JobQuery));
	query->created_after = query->created_before = SMF_NO_BOUND;
	query->modified_after = query->modified_before = SMF_NO_BOUND;
}

/*
 * smf_search_time
 *		Epoch seconds in the format of Search, palloc'ed: YYYY-MM-DDTHH:MM:SS in UTC.
 */
char *
smf_search_time(int64 seconds)
{
	pg_time_t	time = (pg_time_t) seconds;
	struct pg_tm *tm = pg_gmtime(&time);

	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d", tm->tm_year + 1900, tm->tm_mon + 1,
					tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
}

static void
append_filter(StringInfo body, const char *name, const char *operator, const char *value)
{
	appendStringInfoString(body, body->data[body->len - 1] == '[' ? "{" : ", {");
	appendStringInfoString(body, "\"Name\": ");
	escape_json(body, name);
	appendStringInfo(body, ", \"Operator\": \"%s\"", operator);
	if (value != NULL)
	{
		appendStringInfoString(body, ", \"Value\": ");
		escape_json(body, value);
	}
	appendStringInfoChar(body, '}');
}

/* A filter on a time, which Search takes as YYYY-MM-DDTHH:MM:SS. */
static void
append_time_filter(StringInfo body, const char *name, const char *operator, int64 seconds)
{
	if (seconds != SMF_NO_BOUND)
		append_filter(body, name, operator, smf_search_time(seconds));
}

/*
 * Append filters as alternatives: each finds jobs that match it, or that lack the
 * attribute in its or_absent.
 */
static void
append_alternatives(StringInfo body, const char *before, List *filters)
{
	ListCell   *lc;

	appendStringInfo(body, "%s\"SubExpressions\": [", before);
	foreach(lc, filters)
	{
		const SearchFilter *filter = lfirst(lc);

		appendStringInfo(body, "%s{\"Operator\": \"Or\", \"Filters\": [",
						 lc == list_head(filters) ? "" : ", ");
		append_filter(body, filter->name, filter->operator, filter->value);
		append_filter(body, filter->or_absent, "NotExists", NULL);
		appendStringInfoString(body, "]}");
	}
	appendStringInfoChar(body, ']');
}

static void
append_search(StringInfo body, const JobQuery *query)
{
	static const char *const begin = ", \"SearchExpression\": {\"Filters\": [";
	List	   *alternatives = NIL;
	ListCell   *lc;

	/* The conditions that all jobs must meet form one list of filters. */
	appendStringInfoString(body, ", \"Resource\": \"TrainingJob\"");
	appendStringInfoString(body, begin);
	append_time_filter(body, "CreationTime", "GreaterThanOrEqualTo", query->created_after);
	append_time_filter(body, "CreationTime", "LessThanOrEqualTo", query->created_before);
	append_time_filter(body, "LastModifiedTime", "GreaterThanOrEqualTo", query->modified_after);
	append_time_filter(body, "LastModifiedTime", "LessThanOrEqualTo", query->modified_before);
	foreach(lc, query->filters)
	{
		SearchFilter *filter = lfirst(lc);

		if (filter->or_absent == NULL)
			append_filter(body, filter->name, filter->operator, filter->value);
		else
			alternatives = lappend(alternatives, filter);
	}

	/*
	 * Alternatives go into expressions below it.  The service rejects an empty
	 * expression, or an empty list in one.
	 */
	if (body->data[body->len - 1] != '[')
	{
		appendStringInfoChar(body, ']');
		if (alternatives != NIL)
			append_alternatives(body, ", ", alternatives);
		appendStringInfoChar(body, '}');
		return;
	}
	body->len -= strlen(begin);
	body->data[body->len] = '\0';
	if (alternatives != NIL)
	{
		append_alternatives(body, ", \"SearchExpression\": {", alternatives);
		appendStringInfoChar(body, '}');
	}
}

/*
 * Append the request for a page of jobs; "next_token" is NULL for the first one.
 *
 * The order is always sent: the documentation contradicts itself about the default, and
 * Search's own order is not stable while pages are walked.
 */
static void
append_page(StringInfo body, JobOperation operation, const JobQuery *query, int max_results,
			const char *next_token)
{
	appendStringInfo(body, "\"MaxResults\": %d", max_results);

	/* Each operation gets the parts of the query that it supports. */
	switch (operation)
	{
		case SMF_OP_LIST_TRAINING_JOBS:
			append_time_member(body, "CreationTimeAfter", query->created_after);
			append_time_member(body, "CreationTimeBefore", query->created_before);
			append_time_member(body, "LastModifiedTimeAfter", query->modified_after);
			append_time_member(body, "LastModifiedTimeBefore", query->modified_before);
			append_string_member(body, "StatusEquals", query->status);
			append_string_member(body, "NameContains", query->name_contains);
			break;
		case SMF_OP_LIST_FOR_TUNING_JOB:
			append_string_member(body, "HyperParameterTuningJobName",
								 strrchr(query->tuning_job_arn, '/') + 1);
			append_string_member(body, "StatusEquals", query->status);
			break;
		case SMF_OP_SEARCH:
			append_search(body, query);
			break;
		case SMF_OP_DESCRIBE_TRAINING_JOB:
		case SMF_OP_LIST_TAGS:
			pg_unreachable();
	}

	/* The order and the token are the same for all of them. */
	append_string_member(body, "SortBy", "CreationTime");
	append_string_member(body, "SortOrder", query->oldest_first ? "Ascending" : "Descending");
	append_string_member(body, "NextToken", next_token);
}

/*
 * smf_start_page
 *		Request a page of at most "max_results" jobs from an operation that lists them.
 *
 * "next_token" is NULL for the first page.  For all smf_start_* functions: "attempts" has
 * a counter of requests sent for each JobOperation, and must outlive the call.
 */
AwsCall *
smf_start_page(AwsClient *client, JobOperation operation, const JobQuery *query, int max_results,
			   const char *next_token, int64 *attempts)
{
	StringInfoData body;

	begin_body(&body, client);
	append_page(&body, operation, query, max_results, next_token);
	return start_call(client, operation, NULL, &body, attempts);
}

/*
 * smf_start_arn_search
 *		Search for the job with this ARN.  "job_name" is for messages.
 */
AwsCall *
smf_start_arn_search(AwsClient *client, const char *job_name, const char *arn, int64 *attempts)
{
	StringInfoData body;
	JobQuery	query;
	SearchFilter filter = {"TrainingJobArn", "Equals", arn};

	smf_job_query_init(&query);
	query.filters = list_make1(&filter);
	begin_body(&body, client);
	append_page(&body, SMF_OP_SEARCH, &query, SMF_PAGE_SIZE_MAX, NULL);
	return start_call(client, SMF_OP_SEARCH, job_name, &body, attempts);
}

/*
 * Append an expression that finds the jobs with these names, in lists that are as long as
 * a filter's value may be.
 */
static void
append_names(StringInfo body, const char *const *names, int n)
{
	StringInfoData list;

	initStringInfo(&list);
	appendStringInfoString(body, ", \"Resource\": \"TrainingJob\", \"SearchExpression\": {\"Operator\": \"Or\", \"Filters\": [");
	for (int i = 0; i < n; i++)
	{
		if (list.len > 0 && list.len + 1 + strlen(names[i]) > SMF_SEARCH_VALUE_MAX)
		{
			append_filter(body, "TrainingJobName", "In", list.data);
			resetStringInfo(&list);
		}
		appendStringInfo(&list, "%s%s", list.len > 0 ? "," : "", names[i]);
	}
	append_filter(body, "TrainingJobName", "In", list.data);
	appendStringInfoString(body, "]}");
	pfree(list.data);
}

/*
 * smf_start_names_search
 *		Search for the records of the jobs with these names, at most
 *		SMF_SEARCH_JOBS_MAX.
 *
 * There may be more records than names, for older versions or deleted jobs: so a whole
 * page is requested, but no second one.
 */
AwsCall *
smf_start_names_search(AwsClient *client, const char *const *names, int n, int64 *attempts)
{
	StringInfoData body;

	Assert(n > 0 && n <= SMF_SEARCH_JOBS_MAX);
	begin_body(&body, client);
	appendStringInfo(&body, "\"MaxResults\": %d", SMF_PAGE_SIZE_MAX);
	append_names(&body, names, n);
	append_string_member(&body, "SortBy", "CreationTime");
	append_string_member(&body, "SortOrder", "Descending");
	return start_call(client, SMF_OP_SEARCH, n == 1 ? names[0] : NULL, &body, attempts);
}

/*
 * smf_start_span_search
 *		Search for the records of the jobs created from "first_s" to "last_s", epoch
 *		seconds; only the newest ones if there are more than fit into a page.
 */
AwsCall *
smf_start_span_search(AwsClient *client, int64 first_s, int64 last_s, int64 *attempts)
{
	StringInfoData body;
	JobQuery	query;

	/* a second wider, as all time bounds are */
	smf_job_query_init(&query);
	query.created_after = first_s - 1;
	query.created_before = last_s + 1;
	begin_body(&body, client);
	append_page(&body, SMF_OP_SEARCH, &query, SMF_PAGE_SIZE_MAX, NULL);
	return start_call(client, SMF_OP_SEARCH, NULL, &body, attempts);
}

/* Request one job's document. */
AwsCall *
smf_start_describe(AwsClient *client, const char *job_name, int64 *attempts)
{
	StringInfoData body;

	begin_body(&body, client);
	append_string_member(&body, "TrainingJobName", job_name);
	return start_call(client, SMF_OP_DESCRIBE_TRAINING_JOB, job_name, &body, attempts);
}

/*
 * smf_start_list_tags
 *		Request a page of the job's tags, of the default size or the smallest size;
 *		"next_token" may be NULL.  "job_name" is for messages.
 */
AwsCall *
smf_start_list_tags(AwsClient *client, const char *job_name, const char *arn, bool small_page,
					const char *next_token, int64 *attempts)
{
	StringInfoData body;

	begin_body(&body, client);
	append_string_member(&body, "ResourceArn", arn);
	if (small_page)
		appendStringInfo(&body, ", \"MaxResults\": %d", SMF_TAGS_PAGE_SIZE_MIN);
	append_string_member(&body, "NextToken", next_token);
	return start_call(client, SMF_OP_LIST_TAGS, job_name, &body, attempts);
}

/*
 * smf_job_not_found
 *		Does the error say that there is no such job?
 *
 * The documentation says ResourceNotFound; the actual service sends a ValidationException
 * with one of two texts.
 */
bool
smf_job_not_found(const AwsError *error)
{
	static const char *const texts[] = {
		"Requested resource not found",
		"Could not find training job"
	};

	if (error->code == NULL)
		return false;
	if (strcmp(error->code, "ResourceNotFound") == 0 ||
		strcmp(error->code, "ResourceNotFoundException") == 0)
		return true;
	if (strcmp(error->code, "ValidationException") != 0 || error->message == NULL)
		return false;
	for (int i = 0; i < lengthof(texts); i++)
	{
		if (strncmp(error->message, texts[i], strlen(texts[i])) == 0)
			return true;
	}
	return false;
}

/*
 * smf_search_not_taken
 *		Does the error say that the service does not support Search, or does not accept
 *		this request?
 */
bool
smf_search_not_taken(const AwsError *error)
{
	static const char *const codes[] = {
		"ValidationException", "UnknownOperationException", "UnknownOperation", "InvalidAction",
		"SerializationException", "NotImplemented"
	};

	for (int i = 0; error->code != NULL && i < lengthof(codes); i++)
	{
		if (strcmp(error->code, codes[i]) == 0)
			return true;
	}
	return false;
}

/* What a query can do without a permission. */
static const char *
instead_of(const char *operation)
{
	return strcmp(operation, smf_operation_name(SMF_OP_LIST_TAGS)) == 0 ?
		" Or leave the column \"tags\" out of the query." : "";
}

/* What aws/ is to know of calls about jobs. */
const AwsTopic smf_job_topic = {
	.noun = "training job",
	.limit_hint = "Bound creation_time, read fewer columns, use scan_api 'auto' or 'search', keep the jobs in a table with sagemaker_fdw_refresh, or raise sagemaker_fdw.max_calls.",
	.not_found = smf_job_not_found,
	.instead = instead_of
};
