-- What jobs cost: functions over the attributes that say so.
\i test/setup.sql

-- groups, or one row that stands for the job
SELECT * FROM sagemaker_instance_groups('{"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2, "VolumeSizeInGB": 50}');
SELECT * FROM sagemaker_instance_groups('{"VolumeSizeInGB": 50, "InstanceGroups": [
  {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 3},
  {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1}]}');
SELECT * FROM sagemaker_instance_groups('{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroups": []}');
SELECT * FROM sagemaker_instance_groups('{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroups": null}');
-- of instance preferences what was selected is billed, and before that what is asked for
SELECT * FROM sagemaker_instance_groups('{"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge", "InstanceCount": 1},
  {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2}], "SelectedInstanceType": "ml.p4d.24xlarge", "SelectedInstanceCount": 2}');
SELECT * FROM sagemaker_instance_groups('{"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge"}, {"InstanceType": "ml.p4d.24xlarge"}],
  "InstanceCount": 4, "SelectedInstanceType": "ml.p4d.24xlarge"}');
SELECT * FROM sagemaker_instance_groups('{"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge"}], "InstanceCount": 4}');
SELECT * FROM sagemaker_instance_groups('{"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4}]}');
-- no job is lost in a join with them
SELECT * FROM sagemaker_instance_groups(NULL);
SELECT * FROM sagemaker_instance_groups('{}');

SELECT sagemaker_billable_instance_seconds(100, '{"InstanceCount": 2}') AS homogeneous,
       sagemaker_billable_instance_seconds(100, '{"InstanceGroups": [{"InstanceCount": 3}, {"InstanceCount": 1}]}') AS groups,
       sagemaker_billable_instance_seconds(100, '{"InstanceCount": 9, "SelectedInstanceCount": 2}') AS selected,
       sagemaker_billable_instance_seconds(0, '{"InstanceCount": 2}') AS nothing,
       sagemaker_billable_instance_seconds(2147483647, '{"InstanceCount": 2147483647}') AS largest;
-- what is not known is not half known
SELECT sagemaker_billable_instance_seconds(NULL, '{"InstanceCount": 2}') AS no_time,
       sagemaker_billable_instance_seconds(100, NULL) AS no_resources,
       sagemaker_billable_instance_seconds(100, '{}') AS no_count,
       sagemaker_billable_instance_seconds(100, '{"InstanceGroups": [{"InstanceCount": 3}, {}]}') AS half_a_count;

SELECT sagemaker_retained_instance_seconds('{"Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 600}', '{"InstanceCount": 2}') AS kept,
       sagemaker_retained_instance_seconds('{"Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 600}', '{"InstanceCount": 9, "SelectedInstanceCount": 3}') AS selected,
       sagemaker_retained_instance_seconds('{"Status": "InUse"}', '{"InstanceCount": 2}') AS in_use,
       sagemaker_retained_instance_seconds(NULL, '{"InstanceCount": 2}') AS no_pool;

-- the documentation's example: 100 of 500 seconds billed
SELECT sagemaker_spot_savings_percent(500, 100) AS documented,
       sagemaker_spot_savings_percent(3, 1) AS rounded,
       sagemaker_spot_savings_percent(100, 100) AS none,
       sagemaker_spot_savings_percent(100, 150) AS more_billed,
       sagemaker_spot_savings_percent(0, 0) AS not_trained,
       sagemaker_spot_savings_percent(NULL, 100) AS no_training,
       sagemaker_spot_savings_percent(500, NULL) AS no_bill;

-- anything may be computed anywhere
SELECT proname, provolatile, proparallel FROM pg_proc
 WHERE proname ~ '^sagemaker_(billable_instance_seconds|instance_groups|retained_instance_seconds|spot_savings_percent)$'
 ORDER BY proname;
-- in a join the groups are part of the query, and no function is called
EXPLAIN (COSTS OFF) SELECT g.* FROM (VALUES ('{}'::jsonb)) AS job (config)
 CROSS JOIN LATERAL sagemaker_instance_groups(job.config) AS g;

-- over the history: every job is counted once
SELECT count(*) AS groups, count(DISTINCT training_job_arn) AS jobs,
       count(*) FILTER (WHERE group_name IS NOT NULL) AS named
  FROM aws.training_jobs CROSS JOIN LATERAL sagemaker_instance_groups(resource_config);
SELECT sum(sagemaker_billable_instance_seconds(billable_time_in_seconds, resource_config)) =
       sum(billable_time_in_seconds::bigint * g.instance_count) AS same
  FROM aws.training_jobs
 CROSS JOIN LATERAL (SELECT sum(instance_count) AS instance_count FROM sagemaker_instance_groups(resource_config)) AS g;

\i test/teardown.sql
