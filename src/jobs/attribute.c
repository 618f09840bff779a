/*-------------------------------------------------------------------------
 *
 * attribute.c
 *		The catalogue of training job attributes, and how to look one up.
 *
 * Data only: IMPORT FOREIGN SCHEMA, the planner and the decoding of documents
 * all read this table, so that an attribute is spelled in one place.  A test
 * compares it with the API's model.
 *
 * It does not know the members below an attribute (a path below one is followed
 * in the document as it is), nor the attributes that the API will have one day:
 * a lookup that finds nothing is the caller's to judge.
 *
 *-------------------------------------------------------------------------
 */
#include "jobs/attribute.h"

#include <stddef.h>
#include <string.h>

/* Calls other than Describe that return an attribute. */
#define NONE	0
#define LIST	1
#define SEARCH	2
#define TUNING	4

#define ENTRY(api_name, column, kind, type, origin, calls, labels, timestamps) \
	{api_name, column, kind, type, origin, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 labels, timestamps, NULL, NULL, 0}

#define MEMBER(api_name, column, kind, type, calls) \
	ENTRY(api_name, column, kind, type, SMF_ORIGIN_MEMBER, calls, NULL, NULL)

#define LABELLED(api_name, column, type, calls, labels) \
	ENTRY(api_name, column, SMF_KIND_ENUM, type, SMF_ORIGIN_MEMBER, calls, labels, NULL)

#define DATED_LIST(api_name, column, calls, timestamps) \
	ENTRY(api_name, column, SMF_KIND_LIST, "jsonb", SMF_ORIGIN_MEMBER, calls, NULL, timestamps)

/* The member "selected" is read where a job has it; such jobs lack "replaced". */
#define SELECTABLE(api_name, selected, replaced, column, kind, type, calls) \
	{api_name, column, kind, type, SMF_ORIGIN_MEMBER, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 NULL, NULL, selected, replaced, 0}

/* A structure that Search has had only since then. */
#define LATE_IN_SEARCH(api_name, column, calls, search_since) \
	{api_name, column, SMF_KIND_STRUCTURE, "jsonb", SMF_ORIGIN_MEMBER, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 NULL, NULL, NULL, NULL, search_since}

#define DERIVED(api_name, column, kind, type, origin, calls) \
	ENTRY(api_name, column, kind, type, origin, calls, NULL, NULL)

#define START_OF_2023_07_27 1690416000	/* midnight UTC, in epoch seconds */
#define START_OF_2024 1704067200

static const char *const training_job_status_labels[] = {
	"InProgress",
	"Completed",
	"Failed",
	"Stopping",
	"Stopped",
	"Deleting",
	NULL
};

static const char *const secondary_status_labels[] = {
	"Starting",
	"LaunchingMLInstances",
	"PreparingTrainingStack",
	"Downloading",
	"DownloadingTrainingImage",
	"Training",
	"Uploading",
	"Stopping",
	"Stopped",
	"MaxRuntimeExceeded",
	"Completed",
	"Failed",
	"Interrupted",
	"MaxWaitTimeExceeded",
	"Updating",
	"Restarting",
	"Pending",
	NULL
};

static const char *const profiling_status_labels[] = {
	"Enabled",
	"Disabled",
	NULL
};

static const char *const transition_timestamps[] = {"StartTime", "EndTime", NULL};
static const char *const metric_timestamps[] = {"Timestamp", NULL};
static const char *const rule_evaluation_timestamps[] = {"LastModifiedTime", NULL};

const SmfAttribute smf_attributes[] = {
	MEMBER("TrainingJobName", "training_job_name", SMF_KIND_STRING, "text", LIST | SEARCH | TUNING),
	MEMBER("TrainingJobArn", "training_job_arn", SMF_KIND_STRING, "text", LIST | SEARCH | TUNING),
	MEMBER("TuningJobArn", "tuning_job_arn", SMF_KIND_STRING, "text", SEARCH),
	MEMBER("LabelingJobArn", "labeling_job_arn", SMF_KIND_STRING, "text", SEARCH),
	MEMBER("AutoMLJobArn", "auto_ml_job_arn", SMF_KIND_STRING, "text", SEARCH),
	MEMBER("ModelArtifacts", "model_artifacts", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	LABELLED("TrainingJobStatus", "training_job_status", "sagemaker_training_job_status",
			 LIST | SEARCH | TUNING, training_job_status_labels),
	LABELLED("SecondaryStatus", "secondary_status", "sagemaker_secondary_status", LIST | SEARCH,
			 secondary_status_labels),
	MEMBER("FailureReason", "failure_reason", SMF_KIND_STRING, "text", SEARCH | TUNING),
	MEMBER("HyperParameters", "hyper_parameters", SMF_KIND_MAP, "jsonb", SEARCH),
	MEMBER("AlgorithmSpecification", "algorithm_specification", SMF_KIND_STRUCTURE, "jsonb",
		   SEARCH),
	MEMBER("RoleArn", "role_arn", SMF_KIND_STRING, "text", SEARCH),
	MEMBER("InputDataConfig", "input_data_config", SMF_KIND_LIST, "jsonb", SEARCH),
	MEMBER("OutputDataConfig", "output_data_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("ResourceConfig", "resource_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	LATE_IN_SEARCH("WarmPoolStatus", "warm_pool_status", LIST | SEARCH, START_OF_2024),
	MEMBER("VpcConfig", "vpc_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("StoppingCondition", "stopping_condition", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("CreationTime", "creation_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH | TUNING),
	MEMBER("TrainingStartTime", "training_start_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   SEARCH | TUNING),
	MEMBER("TrainingEndTime", "training_end_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH | TUNING),
	MEMBER("LastModifiedTime", "last_modified_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH),
	DATED_LIST("SecondaryStatusTransitions", "secondary_status_transitions", SEARCH,
			   transition_timestamps),
	DATED_LIST("FinalMetricDataList", "final_metric_data_list", SEARCH, metric_timestamps),
	MEMBER("EnableNetworkIsolation", "enable_network_isolation", SMF_KIND_BOOLEAN, "boolean",
		   SEARCH),
	MEMBER("EnableInterContainerTrafficEncryption", "enable_inter_container_traffic_encryption",
		   SMF_KIND_BOOLEAN, "boolean", SEARCH),
	MEMBER("EnableManagedSpotTraining", "enable_managed_spot_training", SMF_KIND_BOOLEAN,
		   "boolean", SEARCH),
	MEMBER("CheckpointConfig", "checkpoint_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("TrainingTimeInSeconds", "training_time_in_seconds", SMF_KIND_INTEGER, "integer",
		   SEARCH),
	MEMBER("BillableTimeInSeconds", "billable_time_in_seconds", SMF_KIND_INTEGER, "integer",
		   SEARCH),
	MEMBER("BillableTokenCount", "billable_token_count", SMF_KIND_LONG, "bigint", NONE),
	MEMBER("DebugHookConfig", "debug_hook_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("ExperimentConfig", "experiment_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("DebugRuleConfigurations", "debug_rule_configurations", SMF_KIND_LIST, "jsonb", SEARCH),
	MEMBER("TensorBoardOutputConfig", "tensor_board_output_config", SMF_KIND_STRUCTURE, "jsonb",
		   SEARCH),
	DATED_LIST("DebugRuleEvaluationStatuses", "debug_rule_evaluation_statuses", SEARCH,
			   rule_evaluation_timestamps),
	LATE_IN_SEARCH("ProfilerConfig", "profiler_config", SEARCH, START_OF_2023_07_27),
	MEMBER("ProfilerRuleConfigurations", "profiler_rule_configurations", SMF_KIND_LIST, "jsonb",
		   NONE),
	DATED_LIST("ProfilerRuleEvaluationStatuses", "profiler_rule_evaluation_statuses", NONE,
			   rule_evaluation_timestamps),
	LABELLED("ProfilingStatus", "profiling_status", "sagemaker_profiling_status", NONE,
			 profiling_status_labels),
	MEMBER("Environment", "environment", SMF_KIND_MAP, "jsonb", SEARCH),
	MEMBER("RetryStrategy", "retry_strategy", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("RemoteDebugConfig", "remote_debug_config", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("InfraCheckConfig", "infra_check_config", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("ServerlessJobConfig", "serverless_job_config", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("MlflowConfig", "mlflow_config", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("ModelPackageConfig", "model_package_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH),
	MEMBER("MlflowDetails", "mlflow_details", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("ProgressInfo", "progress_info", SMF_KIND_STRUCTURE, "jsonb", NONE),
	MEMBER("OutputModelPackageArn", "output_model_package_arn", SMF_KIND_STRING, "text", SEARCH),

	SELECTABLE("ResourceConfig.InstanceType", "ResourceConfig.SelectedInstanceType",
			   "ResourceConfig.InstanceType", "instance_type", SMF_KIND_STRING, "text", SEARCH),
	SELECTABLE("ResourceConfig.InstanceCount", "ResourceConfig.SelectedInstanceCount",
			   "ResourceConfig.InstanceType", "instance_count", SMF_KIND_INTEGER, "integer", SEARCH),
	DERIVED("Tags", "tags", SMF_KIND_TAGS, "jsonb", SMF_ORIGIN_TAGS, SEARCH),
	DERIVED("region", "region", SMF_KIND_REGION, "text", SMF_ORIGIN_SETTINGS,
			LIST | SEARCH | TUNING),
	DERIVED("account_id", "account_id", SMF_KIND_ACCOUNT_ID, "text", SMF_ORIGIN_ARN,
			LIST | SEARCH | TUNING),
	DERIVED("raw_response", "raw_response", SMF_KIND_RAW_RESPONSE, "jsonb", SMF_ORIGIN_DOCUMENT,
			SEARCH)
};

const int	smf_nattributes = sizeof(smf_attributes) / sizeof(smf_attributes[0]);

_Static_assert(sizeof(smf_attributes) / sizeof(smf_attributes[0]) <= 8 * sizeof(AttributeSet),
			   "an AttributeSet has a bit for each attribute");

/* Is it a column that has no attribute of its own in the API? */
static bool
is_derived(const SmfAttribute *entry)
{
	return entry->origin != SMF_ORIGIN_MEMBER || strchr(entry->api_name, '.') != NULL;
}

/*
 * Are "name" and the first "length" bytes of "segment" the same?
 */
static bool
same_segment(const char *name, const char *segment, size_t length)
{
	return strlen(name) == length && memcmp(name, segment, length) == 0;
}

/*
 * Are two names the same apart from case and underscores?  Only ASCII letters
 * count as letters, whatever the locale says.
 */
static bool
same_spelling(const char *a, const char *b)
{
	for (;;)
	{
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (*a == '\0' || *b == '\0')
			return *a == *b;
		if ((*a | 0x20) != (*b | 0x20) ||
			((*a != *b) && !((*a | 0x20) >= 'a' && (*a | 0x20) <= 'z')))
			return false;
		a++;
		b++;
	}
}

/*
 * smf_attribute_by_column
 *		The entry whose column IMPORT calls "column_name", or NULL.
 */
const SmfAttribute *
smf_attribute_by_column(const char *column_name)
{
	for (int i = 0; i < smf_nattributes; i++)
	{
		if (strcmp(smf_attributes[i].column_name, column_name) == 0)
			return &smf_attributes[i];
	}
	return NULL;
}

/*
 * smf_attribute_by_path
 *		The entry that the first segment of "path" names, or NULL.
 *
 * An attribute is named as in the API, case included.  A derived column may also
 * be named as the column, since not all of them have a name in the API;
 * "instance_type" is that column's entry, while "ResourceConfig.InstanceType" is
 * the entry of ResourceConfig and the rest "InstanceType".
 *
 * "*rest" becomes what follows the first dot, pointing into "path", or NULL
 * when the path is a single segment; it is set when the result is NULL, too.
 * The keys of a map and of tags may hold dots themselves: below these kinds all
 * of the rest is one key.
 */
const SmfAttribute *
smf_attribute_by_path(const char *path, const char **rest)
{
	const char *dot = strchr(path, '.');
	size_t		length = dot ? (size_t) (dot - path) : strlen(path);

	*rest = dot ? dot + 1 : NULL;

	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *entry = &smf_attributes[i];

		if (same_segment(entry->api_name, path, length))
			return entry;
		if (is_derived(entry) && same_segment(entry->column_name, path, length))
			return entry;
	}
	return NULL;
}

/*
 * smf_attribute_has_label
 *		Does the API document "label" for this attribute?
 *
 * False for an attribute without labels.
 */
bool
smf_attribute_has_label(const SmfAttribute *attribute, const char *label)
{
	if (attribute->labels == NULL)
		return false;
	for (int i = 0; attribute->labels[i] != NULL; i++)
	{
		if (strcmp(attribute->labels[i], label) == 0)
			return true;
	}
	return false;
}

/*
 * Do the last words of "column" spell "name" ("job_name" of "training_job_name")?
 */
static bool
ends_with_words(const char *column, const char *name)
{
	size_t		column_length = strlen(column);
	size_t		name_length = strlen(name);

	return name_length > 0 && column_length > name_length &&
		column[column_length - name_length - 1] == '_' &&
		strcmp(column + column_length - name_length, name) == 0;
}

/*
 * smf_attribute_similar_column
 *		The column that "name" means, apart from spelling mistakes, or NULL.
 *
 * For hints: finds a column by the attribute's name in the API, by its name in
 * other letters ("TrainingJobName", "trainingjobname"), and by its last words
 * ("status"), of which the first in the catalogue is taken.
 */
const char *
smf_attribute_similar_column(const char *name)
{
	for (int i = 0; i < smf_nattributes; i++)
	{
		if (same_spelling(smf_attributes[i].column_name, name) ||
			same_spelling(smf_attributes[i].api_name, name))
			return smf_attributes[i].column_name;
	}
	for (int i = 0; i < smf_nattributes; i++)
	{
		if (ends_with_words(smf_attributes[i].column_name, name))
			return smf_attributes[i].column_name;
	}
	return NULL;
}
