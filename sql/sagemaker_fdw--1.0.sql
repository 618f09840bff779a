/* sagemaker_fdw--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sagemaker_fdw" to load this file. \quit

-- The foreign data wrapper

CREATE FUNCTION sagemaker_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION sagemaker_fdw_handler() IS
	'support routines of the foreign data wrapper sagemaker_fdw';

CREATE FUNCTION sagemaker_fdw_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION sagemaker_fdw_validator(text[], oid) IS
	'checks options of the foreign data wrapper sagemaker_fdw';

CREATE FOREIGN DATA WRAPPER sagemaker_fdw
	HANDLER sagemaker_fdw_handler
	VALIDATOR sagemaker_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER sagemaker_fdw IS
	'training jobs of Amazon SageMaker';

-- Types of the columns that have labels.  A label's place is its sort order and
-- can never change; labels that the API no longer sends occur in old jobs.

CREATE TYPE sagemaker_training_job_status AS ENUM (
	'InProgress',
	'Stopping',
	'Stopped',
	'Completed',
	'Failed',
	'Deleting'
);

COMMENT ON TYPE sagemaker_training_job_status IS
	'status of a training job (TrainingJobStatus)';

CREATE TYPE sagemaker_secondary_status AS ENUM (
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

COMMENT ON TYPE sagemaker_secondary_status IS
	'what a training job is doing within its status (SecondaryStatus)';

CREATE TYPE sagemaker_profiling_status AS ENUM (
	'Enabled',
	'Disabled'
);

COMMENT ON TYPE sagemaker_profiling_status IS
	'whether Debugger profiles a training job (ProfilingStatus)';

-- Functions

-- Volatile: a stable function would be called, and so ask AWS, during planning.
CREATE FUNCTION sagemaker_describe_training_job(server name, training_job_name text)
RETURNS jsonb
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

REVOKE EXECUTE ON FUNCTION sagemaker_describe_training_job(name, text) FROM PUBLIC;

COMMENT ON FUNCTION sagemaker_describe_training_job(name, text) IS
	'document of one training job, NULL when there is no such job';

CREATE FUNCTION sagemaker_fdw_check_server(server name,
	OUT check_name text, OUT ok boolean, OUT detail text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

REVOKE EXECUTE ON FUNCTION sagemaker_fdw_check_server(name) FROM PUBLIC;

COMMENT ON FUNCTION sagemaker_fdw_check_server(name) IS
	'what works for a server and the current role, and what is missing: a row for each check';

CREATE FUNCTION sagemaker_fdw_disconnect(server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION sagemaker_fdw_disconnect(name) IS
	'closes this session''s kept connections and forgets cached credentials, of one server or of all';

-- The body is parsed here and now, so that no caller's search_path matters.  Not
-- STRICT, or it could not be inlined: a NULL finds no WHEN and so gives NULL.
CREATE FUNCTION sagemaker_primary_status(secondary_status sagemaker_secondary_status)
RETURNS sagemaker_training_job_status
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN CASE secondary_status
	WHEN 'Pending' THEN 'InProgress'::sagemaker_training_job_status
	WHEN 'Starting' THEN 'InProgress'
	WHEN 'LaunchingMLInstances' THEN 'InProgress'
	WHEN 'PreparingTraining' THEN 'InProgress'
	WHEN 'PreparingTrainingStack' THEN 'InProgress'
	WHEN 'Downloading' THEN 'InProgress'
	WHEN 'DownloadingTrainingImage' THEN 'InProgress'
	WHEN 'Training' THEN 'InProgress'
	WHEN 'Interrupted' THEN 'InProgress'
	WHEN 'Restarting' THEN 'InProgress'
	WHEN 'Updating' THEN 'InProgress'
	WHEN 'Uploading' THEN 'InProgress'
	WHEN 'Stopping' THEN 'Stopping'
	WHEN 'Stopped' THEN 'Stopped'
	WHEN 'MaxRuntimeExceeded' THEN 'Stopped'
	WHEN 'MaxWaitTimeExceeded' THEN 'Stopped'
	WHEN 'Completed' THEN 'Completed'
	WHEN 'Failed' THEN 'Failed'
END;

COMMENT ON FUNCTION sagemaker_primary_status(sagemaker_secondary_status) IS
	'status under which the API documents a secondary status';

-- What jobs cost, from what Describe says of them.  The groups are not STRICT, so that
-- they can be inlined, and that a join with them loses no job.

CREATE FUNCTION sagemaker_instance_groups(resource_config jsonb)
RETURNS TABLE (group_name text, instance_type text, instance_count integer)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT part->>'InstanceGroupName', part->>'InstanceType', (part->>'InstanceCount')::integer
	  FROM jsonb_array_elements(
		CASE WHEN jsonb_typeof(resource_config->'InstanceGroups') = 'array'
			  AND resource_config->'InstanceGroups' <> '[]'
			 THEN resource_config->'InstanceGroups'
			 ELSE jsonb_build_array(coalesce(resource_config, '{}')) END) AS part;
END;

COMMENT ON FUNCTION sagemaker_instance_groups(jsonb) IS
	'instance groups of a training job, or one row with a NULL name where it has none';

CREATE FUNCTION sagemaker_billable_instance_seconds(billable_time_in_seconds integer, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN billable_time_in_seconds *
	(SELECT CASE WHEN count(instance_count) = count(*) THEN sum(instance_count) END
	   FROM sagemaker_instance_groups(resource_config));

COMMENT ON FUNCTION sagemaker_billable_instance_seconds(integer, jsonb) IS
	'seconds billed for all instances of a training job together';

CREATE FUNCTION sagemaker_retained_instance_seconds(warm_pool_status jsonb, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN sagemaker_billable_instance_seconds(
	(warm_pool_status->>'ResourceRetainedBillableTimeInSeconds')::integer, resource_config);

COMMENT ON FUNCTION sagemaker_retained_instance_seconds(jsonb, jsonb) IS
	'seconds billed for all instances that a training job kept in a warm pool, together';

CREATE FUNCTION sagemaker_spot_savings_percent(training_time_in_seconds integer, billable_time_in_seconds integer)
RETURNS numeric
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN round((1 - billable_time_in_seconds::numeric / nullif(training_time_in_seconds, 0)) * 100, 2);

COMMENT ON FUNCTION sagemaker_spot_savings_percent(integer, integer) IS
	'percent of the training time that was not billed';
