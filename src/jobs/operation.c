/*-------------------------------------------------------------------------
 *
 * operation.c
 *		The service's operations: what is asked, and what an answer must hold.
 *
 * Request bodies are built with Postgres's own JSON escaping and leave in
 * UTF-8, whatever the database encoding.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/operation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

/* Longest name of a training job. */
#define NAME_LENGTH_MAX 63

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
		case SMF_OP_DESCRIBE_TRAINING_JOB:
			return "DescribeTrainingJob";
		case SMF_OP_LIST_TAGS:
			return "ListTags";
	}
	pg_unreachable();
}

/* Append "key": "value", unless there is no value. */
static void
append_string_member(StringInfo body, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(body, "%s\"%s\": ", body->len > 1 ? ", " : "", key);
	escape_json(body, value);
}

static char *
finish_request(StringInfo body)
{
	appendStringInfoChar(body, '}');
	return pg_server_to_any(body->data, body->len, PG_UTF8);
}

/*
 * smf_list_training_jobs_request
 *		Body that asks for a page of summaries, newest job first; "next_token" is
 *		NULL for the first page.
 *
 * "created_before" is epoch seconds, whole ones, or NULL.  The order is always
 * sent: the service's default is documented both ways.
 */
char *
smf_list_training_jobs_request(int max_results, const char *created_before,
							   const char *next_token)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfo(&body, "{\"MaxResults\": %d", max_results);
	if (created_before != NULL)
		appendStringInfo(&body, ", \"CreationTimeBefore\": %s", created_before);
	append_string_member(&body, "SortBy", "CreationTime");
	append_string_member(&body, "SortOrder", "Descending");
	append_string_member(&body, "NextToken", next_token);
	return finish_request(&body);
}

/* Body that asks for one job's document. */
char *
smf_describe_training_job_request(const char *training_job_name)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	append_string_member(&body, "TrainingJobName", training_job_name);
	return finish_request(&body);
}

/* Body that asks for a page of a resource's tags; "next_token" may be NULL. */
char *
smf_list_tags_request(const char *resource_arn, const char *next_token)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	append_string_member(&body, "ResourceArn", resource_arn);
	append_string_member(&body, "NextToken", next_token);
	return finish_request(&body);
}

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * smf_training_job_name_valid
 *		Can a training job have this name?  1 to 63 letters, digits and hyphens,
 *		no hyphen first or last (the API's pattern).
 */
bool
smf_training_job_name_valid(const char *name)
{
	size_t		len = strlen(name);

	if (len < 1 || len > NAME_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bool		inside = i > 0 && i < len - 1;

		if (!is_alphanumeric(name[i]) && !(inside && name[i] == '-'))
			return false;
	}
	return true;
}
