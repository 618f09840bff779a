/*
 * cost.sql
 *		The resources that jobs are billed for, according to Describe.
 *
 *		If a job has instance preferences, the selected one is billed.  The price of an hour is not
 *		considered here.
 */

-- Not STRICT, so that it can be inlined, and so that a join with it keeps every job.
CREATE FUNCTION @extschema@.sagemaker_instance_groups(resource_config jsonb)
RETURNS TABLE (group_name text, instance_type text, instance_count integer)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT part->>'InstanceGroupName',
		   coalesce(part->>'SelectedInstanceType', part->>'InstanceType'),
		   coalesce(part->>'SelectedInstanceCount', part->>'InstanceCount')::integer
	  FROM jsonb_array_elements(
		CASE WHEN jsonb_typeof(resource_config->'InstanceGroups') = 'array'
			  AND resource_config->'InstanceGroups' <> '[]'
			 THEN resource_config->'InstanceGroups'
			 ELSE '[]'::jsonb || coalesce(resource_config, '{}') END) AS part;
END;

COMMENT ON FUNCTION @extschema@.sagemaker_instance_groups(jsonb) IS
	'instance groups of a training job, or one row with a NULL name where it has none: what was selected for it, or what it asked for';

CREATE FUNCTION @extschema@.sagemaker_billable_instance_seconds(billable_time_in_seconds integer, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN billable_time_in_seconds *
	(SELECT CASE WHEN count(instance_count) = count(*) THEN sum(instance_count) END
	   FROM @extschema@.sagemaker_instance_groups(resource_config));

COMMENT ON FUNCTION @extschema@.sagemaker_billable_instance_seconds(integer, jsonb) IS
	'seconds billed for all instances of a training job together';

CREATE FUNCTION @extschema@.sagemaker_retained_instance_seconds(warm_pool_status jsonb, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN @extschema@.sagemaker_billable_instance_seconds(
	(warm_pool_status->>'ResourceRetainedBillableTimeInSeconds')::integer, resource_config);

COMMENT ON FUNCTION @extschema@.sagemaker_retained_instance_seconds(jsonb, jsonb) IS
	'seconds billed for all instances that a training job kept in a warm pool, together';

CREATE FUNCTION @extschema@.sagemaker_spot_savings_percent(training_time_in_seconds integer, billable_time_in_seconds integer)
RETURNS numeric
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN round((1 - billable_time_in_seconds::numeric / nullif(training_time_in_seconds, 0)) * 100, 2);

COMMENT ON FUNCTION @extschema@.sagemaker_spot_savings_percent(integer, integer) IS
	'percent of the training time that was not billed';
