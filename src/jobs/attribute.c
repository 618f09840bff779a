/*-------------------------------------------------------------------------
 *
 * attribute.c
 *		The catalogue of training job attributes, and how to look one up.
 *
 * Data only: IMPORT FOREIGN SCHEMA, the planner and the decoding of documents
 * all read this table, so that an attribute is spelled in one place.  A test
 * compares it with the API's model.  What an attribute means is said here alone:
 * comments on columns (comment.c) and doc/columns.md are made of that.
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

#define ENTRY(api_name, column, kind, type, origin, calls, labels, timestamps, description) \
	{api_name, column, kind, type, origin, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 labels, timestamps, NULL, NULL, 0, description}

#define MEMBER(api_name, column, kind, type, calls, description) \
	ENTRY(api_name, column, kind, type, SMF_ORIGIN_MEMBER, calls, NULL, NULL, description)

#define LABELLED(api_name, column, type, calls, labels, description) \
	ENTRY(api_name, column, SMF_KIND_ENUM, type, SMF_ORIGIN_MEMBER, calls, labels, NULL, description)

#define DATED_LIST(api_name, column, calls, timestamps, description) \
	ENTRY(api_name, column, SMF_KIND_LIST, "jsonb", SMF_ORIGIN_MEMBER, calls, NULL, timestamps, description)

/* The member "selected" is read where a job has it; such jobs lack "replaced". */
#define SELECTABLE(api_name, selected, replaced, column, kind, type, calls, description) \
	{api_name, column, kind, type, SMF_ORIGIN_MEMBER, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 NULL, NULL, selected, replaced, 0, description}

/* A structure that Search has had only since then. */
#define LATE_IN_SEARCH(api_name, column, calls, search_since, description) \
	{api_name, column, SMF_KIND_STRUCTURE, "jsonb", SMF_ORIGIN_MEMBER, \
	 ((calls) & LIST) != 0, ((calls) & SEARCH) != 0, ((calls) & TUNING) != 0, \
	 NULL, NULL, NULL, NULL, search_since, description}

#define DERIVED(api_name, column, kind, type, origin, calls, description) \
	ENTRY(api_name, column, kind, type, origin, calls, NULL, NULL, description)

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
	MEMBER("TrainingJobName", "training_job_name", SMF_KIND_STRING, "text", LIST | SEARCH | TUNING,
		   "Name of the job, unique in its account and region while the job exists; the name of a deleted job can be used again."),
	MEMBER("TrainingJobArn", "training_job_arn", SMF_KIND_STRING, "text", LIST | SEARCH | TUNING,
		   "ARN of the job, which names its region and account. Billing exports identify the job by it, sometimes in another case: join them by lower() of both."),
	MEMBER("TuningJobArn", "tuning_job_arn", SMF_KIND_STRING, "text", SEARCH,
		   "ARN of the hyperparameter tuning job that started this job; NULL if none did."),
	MEMBER("LabelingJobArn", "labeling_job_arn", SMF_KIND_STRING, "text", SEARCH,
		   "ARN of the SageMaker Ground Truth labeling job that started this job; NULL if none did."),
	MEMBER("AutoMLJobArn", "auto_ml_job_arn", SMF_KIND_STRING, "text", SEARCH,
		   "ARN of the SageMaker Autopilot job that started this job; NULL if none did."),
	MEMBER("ModelArtifacts", "model_artifacts", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "S3 URI for the trained model (S3ModelArtifacts). That it is set does not mean that the job has written a model there."),
	LABELLED("TrainingJobStatus", "training_job_status", "sagemaker_training_job_status",
			 LIST | SEARCH | TUNING, training_job_status_labels,
			 "Whether the job is InProgress, Stopping or Deleting, or has ended as Completed, Failed or Stopped; secondary_status is finer."),
	LABELLED("SecondaryStatus", "secondary_status", "sagemaker_secondary_status", LIST | SEARCH,
			 secondary_status_labels,
			 "Step that the job is at, or how it ended, such as Downloading, Training, Interrupted or MaxRuntimeExceeded; finer than training_job_status."),
	MEMBER("FailureReason", "failure_reason", SMF_KIND_STRING, "text", SEARCH | TUNING,
		   "Why the job failed, in the words of the service. What stands before the first colon is the kind of failure, such as ClientError; NULL if the job has not failed."),
	MEMBER("HyperParameters", "hyper_parameters", SMF_KIND_MAP, "jsonb", SEARCH,
		   "Hyperparameters of the job, name to value. Every value is a string, a number too; the SageMaker Python SDK may put JSON into it, with quotes."),
	MEMBER("AlgorithmSpecification", "algorithm_specification", SMF_KIND_STRUCTURE, "jsonb",
		   SEARCH,
		   "What the job runs: container image or algorithm, entry point and arguments, how it reads its data, and the regular expressions that find metrics in its log."),
	MEMBER("RoleArn", "role_arn", SMF_KIND_STRING, "text", SEARCH,
		   "ARN of the IAM role that SageMaker assumes for the job: its permissions decide which data, images and keys the job can use."),
	MEMBER("InputDataConfig", "input_data_config", SMF_KIND_LIST, "jsonb", SEARCH,
		   "Input channels of the job: the name of each, where its data is (S3, a file system or a dataset), and how it is read. NULL if the job has none."),
	MEMBER("OutputDataConfig", "output_data_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Where the output of the job goes: S3 path, KMS key, and whether the model is compressed."),
	MEMBER("ResourceConfig", "resource_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Instances that the job asked for and got: type and count, instance groups or preferences, volume size in GB, training plan, keep-alive period in seconds. Costs follow from it."),
	LATE_IN_SEARCH("WarmPoolStatus", "warm_pool_status", LIST | SEARCH, START_OF_2024,
				   "Warm pool that keeps the instances for a next job: its status, the job that reused it, and the seconds billed for each instance. NULL if the job has none."),
	MEMBER("VpcConfig", "vpc_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Subnets and security groups of the VPC that the containers of the job are attached to; NULL if the job uses none."),
	MEMBER("StoppingCondition", "stopping_condition", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Limits, in seconds, after which SageMaker stops the job: on its run time, on waiting and run time together (managed spot), and on the time that it is pending."),
	MEMBER("CreationTime", "creation_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH | TUNING,
		   "When the job was created. A query with a condition on it reads less of the list of jobs from AWS."),
	MEMBER("TrainingStartTime", "training_start_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   SEARCH | TUNING,
		   "When the job started on its instances and billing began; the time since creation_time is what it waited. NULL until then."),
	MEMBER("TrainingEndTime", "training_end_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH | TUNING,
		   "When the job ended on its instances and billing stopped: after the upload of the model, or at the failure. NULL while the job runs; may be NULL if it never started."),
	MEMBER("LastModifiedTime", "last_modified_time", SMF_KIND_TIMESTAMP, "timestamptz",
		   LIST | SEARCH,
		   "When the status of the job last changed. Metrics, evaluations of rules and the warm pool can change without it."),
	DATED_LIST("SecondaryStatusTransitions", "secondary_status_transitions", SEARCH,
			   transition_timestamps,
			   "Each secondary_status that the job has been in: Status, StatusMessage, StartTime and EndTime (strings in UTC; the current status has no end). It shows where the time went."),
	DATED_LIST("FinalMetricDataList", "final_metric_data_list", SEARCH, metric_timestamps,
			   "Last values of the metrics that were found in the log of the job: MetricName, Value, Timestamp (a string in UTC). NULL if it has no metrics."),
	MEMBER("EnableNetworkIsolation", "enable_network_isolation", SMF_KIND_BOOLEAN, "boolean",
		   SEARCH,
		   "Whether the containers of the job are cut off from the network, except for the traffic between them."),
	MEMBER("EnableInterContainerTrafficEncryption", "enable_inter_container_traffic_encryption",
		   SMF_KIND_BOOLEAN, "boolean", SEARCH,
		   "Whether the traffic between the instances of a distributed job is encrypted, which can make the job slower and so more expensive."),
	MEMBER("EnableManagedSpotTraining", "enable_managed_spot_training", SMF_KIND_BOOLEAN,
		   "boolean", SEARCH,
		   "Whether the job runs on spot instances, which cost less and may be interrupted."),
	MEMBER("CheckpointConfig", "checkpoint_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Where the job keeps checkpoints: S3Uri, and LocalPath in the container. NULL if it keeps none; an interrupted spot job then starts from the beginning."),
	MEMBER("TrainingTimeInSeconds", "training_time_in_seconds", SMF_KIND_INTEGER, "integer",
		   SEARCH,
		   "Seconds of training by the clock, not multiplied by the instances. NULL if the job never started; may be NULL until it ends."),
	MEMBER("BillableTimeInSeconds", "billable_time_in_seconds", SMF_KIND_INTEGER, "integer",
		   SEARCH,
		   "Seconds billed for each instance (multiply them by the number of instances), fewer than training_time_in_seconds with managed spot. NULL if the job never started; may be NULL until it ends."),
	MEMBER("BillableTokenCount", "billable_token_count", SMF_KIND_LONG, "bigint", NONE,
		   "Number of tokens that are billed, for a serverless job that is charged by tokens; NULL for other jobs."),
	MEMBER("DebugHookConfig", "debug_hook_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "What SageMaker Debugger saves from the job, and where: collections of tensors, parameters of its hook, S3 path. NULL if it is not set up."),
	MEMBER("ExperimentConfig", "experiment_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "SageMaker experiment, trial and run of the job, by which costs can be grouped (ExperimentName). NULL if the job belongs to none."),
	MEMBER("DebugRuleConfigurations", "debug_rule_configurations", SMF_KIND_LIST, "jsonb", SEARCH,
		   "Rules of SageMaker Debugger for the tensors that are saved; a processing job of its own evaluates each. NULL if there are none."),
	MEMBER("TensorBoardOutputConfig", "tensor_board_output_config", SMF_KIND_STRUCTURE, "jsonb",
		   SEARCH,
		   "Where TensorBoard data of the job goes: S3OutputPath, and LocalPath in the container. NULL if that is not set."),
	DATED_LIST("DebugRuleEvaluationStatuses", "debug_rule_evaluation_statuses", SEARCH,
			   rule_evaluation_timestamps,
			   "What came of each rule of debug_rule_configurations: status such as IssuesFound, details, processing job, LastModifiedTime (a string in UTC). It can change after the job has ended."),
	LATE_IN_SEARCH("ProfilerConfig", "profiler_config", SEARCH, START_OF_2023_07_27,
				   "What the profiler records of the job, and where: S3 path, interval in milliseconds, parameters, and whether it is disabled. NULL if it is not set up."),
	MEMBER("ProfilerRuleConfigurations", "profiler_rule_configurations", SMF_KIND_LIST, "jsonb",
		   NONE,
		   "Rules that search the data of the profiler for bottlenecks; a processing job of its own evaluates each. NULL if there are none."),
	DATED_LIST("ProfilerRuleEvaluationStatuses", "profiler_rule_evaluation_statuses", NONE,
			   rule_evaluation_timestamps,
			   "What came of each rule of profiler_rule_configurations: status such as IssuesFound, details, processing job, LastModifiedTime (a string in UTC)."),
	LABELLED("ProfilingStatus", "profiling_status", "sagemaker_profiling_status", NONE,
			 profiling_status_labels,
			 "Whether the profiler is Enabled or Disabled for the job; NULL if the service does not say."),
	MEMBER("Environment", "environment", SMF_KIND_MAP, "jsonb", SEARCH,
		   "Environment variables of the containers, name to value. Users keep secrets there, so sagemaker_fdw_refresh does not copy it."),
	MEMBER("RetryStrategy", "retry_strategy", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "How often SageMaker starts the job again after an internal error of the service (MaximumRetryAttempts). NULL if it does not."),
	MEMBER("RemoteDebugConfig", "remote_debug_config", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "Whether users may open a shell in the containers while the job runs (EnableRemoteDebug). NULL if that was not set."),
	MEMBER("InfraCheckConfig", "infra_check_config", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "Whether SageMaker tests hardware and network of the instances for the job (EnableInfraCheck). NULL if that was not set."),
	MEMBER("ServerlessJobConfig", "serverless_job_config", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "What a serverless job does: base model, fine-tuning or evaluation, by which technique or evaluator. NULL for a job on instances."),
	MEMBER("MlflowConfig", "mlflow_config", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "MLflow server, experiment and run that the job is to log to; NULL if it uses no MLflow."),
	MEMBER("ModelPackageConfig", "model_package_config", SMF_KIND_STRUCTURE, "jsonb", SEARCH,
		   "Group of the model registry that gets the model of the job, and the model package that the job starts from. NULL if it has neither."),
	MEMBER("MlflowDetails", "mlflow_details", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "IDs of the MLflow experiment and run that the job logs to; NULL if it uses no MLflow."),
	MEMBER("ProgressInfo", "progress_info", SMF_KIND_STRUCTURE, "jsonb", NONE,
		   "How far a serverless job is: current step and epoch, steps in an epoch, number of epochs. NULL for other jobs."),
	MEMBER("OutputModelPackageArn", "output_model_package_arn", SMF_KIND_STRING, "text", SEARCH,
		   "ARN of the model package that the job made in the model registry; NULL if it made none."),

	SELECTABLE("ResourceConfig.InstanceType", "ResourceConfig.SelectedInstanceType",
			   "ResourceConfig.InstanceType", "instance_type", SMF_KIND_STRING, "text", SEARCH,
			   "Instance type that is billed: the selected one of the preferences, else the one that was asked for. NULL with instance groups, for a serverless job, and until one is selected."),
	SELECTABLE("ResourceConfig.InstanceCount", "ResourceConfig.SelectedInstanceCount",
			   "ResourceConfig.InstanceType", "instance_count", SMF_KIND_INTEGER, "integer", SEARCH,
			   "Number of instances that are billed: of the selected preference, else as asked for. NULL with instance groups, for a serverless job, and until it is known."),
	DERIVED("Tags", "tags", SMF_KIND_TAGS, "jsonb", SMF_ORIGIN_TAGS, SEARCH,
			"Tags of the job as one object, key to value; {} if it has none. Reading them from AWS takes a call for each job, unless Search returns them."),
	DERIVED("region", "region", SMF_KIND_REGION, "text", SMF_ORIGIN_SETTINGS,
			LIST | SEARCH | TUNING,
			"AWS region that the job is in; known without a call to AWS."),
	DERIVED("account_id", "account_id", SMF_KIND_ACCOUNT_ID, "text", SMF_ORIGIN_ARN,
			LIST | SEARCH | TUNING,
			"AWS account that the job belongs to, from its ARN: 12 digits, as text."),
	DERIVED("raw_response", "raw_response", SMF_KIND_RAW_RESPONSE, "jsonb", SMF_ORIGIN_DOCUMENT,
			SEARCH,
			"Whole document of the job as the service sent it, with times in epoch seconds, and with attributes that have no column. It contains environment, so sagemaker_fdw_refresh does not copy it.")
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
