/*
 * types.sql
 *		Enum types for the columns with labels.
 *
 *		The position of a label determines its sort order and can never change; old jobs may have labels
 *		that the API no longer sends.
 */

CREATE TYPE @extschema@.sagemaker_training_job_status AS ENUM (
	'InProgress',
	'Stopping',
	'Stopped',
	'Completed',
	'Failed',
	'Deleting'
);

COMMENT ON TYPE @extschema@.sagemaker_training_job_status IS
	'status of a training job (TrainingJobStatus)';

CREATE TYPE @extschema@.sagemaker_secondary_status AS ENUM (
	'Pending',
	'Starting',
	'LaunchingMLInstances',
	'PreparingTraining',
	'PreparingTrainingStack',
	'Downloading',
	'DownloadingTrainingImage',
	'Training',
	'Interrupted',
	'Restarting',
	'Updating',
	'Uploading',
	'Stopping',
	'Stopped',
	'MaxRuntimeExceeded',
	'MaxWaitTimeExceeded',
	'Completed',
	'Failed'
);

COMMENT ON TYPE @extschema@.sagemaker_secondary_status IS
	'what a training job is doing within its status (SecondaryStatus)';

CREATE TYPE @extschema@.sagemaker_profiling_status AS ENUM (
	'Enabled',
	'Disabled'
);

COMMENT ON TYPE @extschema@.sagemaker_profiling_status IS
	'whether Debugger profiles a training job (ProfilingStatus)';
