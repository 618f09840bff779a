/*-------------------------------------------------------------------------
 *
 * operation.h
 *		The service's operations: how to call each, and what its errors mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_OPERATION_H
#define SMF_OPERATION_H

#include "aws/call.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef enum JobOperation
{
	SMF_OP_LIST_TRAINING_JOBS,
	SMF_OP_LIST_FOR_TUNING_JOB,
	SMF_OP_SEARCH,
	SMF_OP_DESCRIBE_TRAINING_JOB,
	SMF_OP_LIST_TAGS
} JobOperation;

#define SMF_JOB_OPERATIONS (SMF_OP_LIST_TAGS + 1)

/* Where the stream learns which jobs there are. */
typedef enum JobSource
{
	SMF_FROM_NAMES,				/* the caller names them: each is described */
	SMF_FROM_LIST,				/* pages of ListTrainingJobs */
	SMF_FROM_TUNING_JOB,		/* pages of ListTrainingJobsForHyperParameterTuningJob */
	SMF_FROM_SEARCH				/* pages of Search, which contain whole records */
} JobSource;

/* Number of sources. */
#define SMF_SOURCES (SMF_FROM_SEARCH + 1)

/* Largest page that the service returns. */
#define SMF_PAGE_SIZE_MAX 100

/* Smallest page that ListTags accepts. */
#define SMF_TAGS_PAGE_SIZE_MIN 50

/* Longest name and value that a Search filter accepts, and longest text for NameContains. */
#define SMF_SEARCH_NAME_MAX		255
#define SMF_SEARCH_VALUE_MAX	1024
#define SMF_NAME_CONTAINS_MAX	63

/*
 * Filters that a Search accepts (20), less the four for time bounds.  A filter with an
 * alternative counts as three: an expression with two filters.
 */
#define SMF_SEARCH_FILTERS_MAX	16

/* Most jobs that one Search may ask for by name: more would need a longer expression. */
#define SMF_SEARCH_JOBS_MAX SMF_PAGE_SIZE_MAX

/* Stands for an absent time bound. */
#define SMF_NO_BOUND PG_INT64_MIN

/* Last second that the service supports: the end of the year 9999. */
#define SMF_LAST_SECOND INT64CONST(253402300799)

/* One condition that Search evaluates.  Strings are palloc'ed or constants. */
typedef struct SearchFilter
{
	const char *name;			/* attribute, or a path below one */
	const char *operator;		/* as the API calls it */
	const char *value;			/* NULL: the operator takes no value */
	const char *or_absent;		/* also find jobs without this attribute; NULL: do not */
} SearchFilter;

/*
 * Which jobs the service lists, and in which order.  Each operation uses the parts that
 * it supports.  It is not known whether time bounds are inclusive, so they are a second
 * wider than needed.
 */
typedef struct JobQuery
{
	int64		created_after;	/* epoch seconds, or SMF_NO_BOUND */
	int64		created_before;
	int64		modified_after;
	int64		modified_before;
	const char *status;			/* one of the catalogue's labels; NULL: any */
	const char *name_contains;	/* NULL: any */
	const char *tuning_job_arn; /* for SMF_OP_LIST_FOR_TUNING_JOB */
	List	   *filters;		/* SearchFilter *, for SMF_OP_SEARCH */
	bool		oldest_first;	/* by creation time; else newest first */
} JobQuery;

extern const char *smf_operation_name(JobOperation operation);
extern JobOperation smf_source_operation(JobSource source);

extern void smf_job_query_init(JobQuery *query);
extern char *smf_search_time(int64 seconds);

extern AwsCall *smf_start_page(AwsClient *client, JobOperation operation, const JobQuery *query,
							   int max_results, const char *next_token, int64 *attempts);
extern AwsCall *smf_start_arn_search(AwsClient *client, const char *job_name, const char *arn,
									 int64 *attempts);
extern AwsCall *smf_start_names_search(AwsClient *client, const char *const *names, int n,
									   int64 *attempts);
extern AwsCall *smf_start_span_search(AwsClient *client, int64 first_s, int64 last_s,
									  int64 *attempts);
extern AwsCall *smf_start_describe(AwsClient *client, const char *job_name, int64 *attempts);
extern AwsCall *smf_start_list_tags(AwsClient *client, const char *job_name, const char *arn,
									bool small_page, const char *next_token, int64 *attempts);

extern const AwsTopic smf_job_topic;

extern bool smf_job_not_found(const AwsError *error);
extern bool smf_search_not_taken(const AwsError *error);

#endif							/* SMF_OPERATION_H */
