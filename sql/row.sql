-- Every attribute in a column of its own type.
\i test/setup.sql

-- one job that has all of them
\set document `$SAGEMAKER_FDW_CTL document every-attribute @test/data/every_attribute.json`
\x on
\a
SELECT * FROM aws.training_jobs WHERE training_job_name = 'every-attribute';
\a
\x off

-- timestamps are decimals, exact to the microsecond: whole, fractional, with an exponent
\set document `$SAGEMAKER_FDW_CTL document times '{"TrainingJobName": "times", "TrainingJobArn": "a", "CreationTime": 1598463412.000001, "TrainingStartTime": 1.598463412E9, "TrainingEndTime": 1598463412123456e-6, "LastModifiedTime": 1598463412.9999996}'`
SELECT creation_time, training_start_time, training_end_time, last_modified_time
  FROM aws.training_jobs WHERE training_job_name = 'times';
\set document `$SAGEMAKER_FDW_CTL document times '{"TrainingJobName": "times", "TrainingJobArn": "a", "CreationTime": 0, "TrainingStartTime": -0.5, "TrainingEndTime": 253402300799.999, "LastModifiedTime": 0.0000004}'`
SELECT creation_time, training_start_time, training_end_time, last_modified_time
  FROM aws.training_jobs WHERE training_job_name = 'times';

-- as far as timestamptz goes
\set document `$SAGEMAKER_FDW_CTL document times '{"TrainingJobName": "times", "TrainingJobArn": "a", "CreationTime": 9224318015999.999999, "TrainingStartTime": -210866803200, "TrainingEndTime": 9223372036855}'`
SELECT creation_time, training_start_time, training_end_time
  FROM aws.training_jobs WHERE training_job_name = 'times';

-- timestamps in lists are strings that cast, at the documented places and nowhere else
\set document `$SAGEMAKER_FDW_CTL document nested '{"TrainingJobName": "nested", "TrainingJobArn": "n", "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": 1598463412.123, "EndTime": 1598463413, "StatusMessage": "x"}, {"Status": "Training", "StartTime": 1598463413.000250, "Other": 1598463413, "Deep": {"StartTime": 1}}], "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.5, "Timestamp": 1.5984634125E9}], "DebugRuleEvaluationStatuses": [{"LastModifiedTime": 1, "StartTime": 1}], "ProfilerRuleEvaluationStatuses": [{"LastModifiedTime": 1598463412.1}], "HyperParameters": {"StartTime": "1598463412"}, "InputDataConfig": [{"StartTime": 1598463412}]}'`
\x on
\a
SELECT secondary_status_transitions, final_metric_data_list, debug_rule_evaluation_statuses,
       profiler_rule_evaluation_statuses, hyper_parameters, input_data_config
  FROM aws.training_jobs WHERE training_job_name = 'nested';
\a
\x off
SELECT (t->>'StartTime')::timestamptz AS starts, (t->>'EndTime')::timestamptz AS ends
  FROM aws.training_jobs, jsonb_array_elements(secondary_status_transitions) AS t
 WHERE training_job_name = 'nested';
-- and numbers in the document as it was sent
SELECT raw_response->'SecondaryStatusTransitions'->0->'StartTime' AS raw
  FROM aws.training_jobs WHERE training_job_name = 'nested';

-- null members are absent
\set document `$SAGEMAKER_FDW_CTL document nulls '{"TrainingJobName": "nulls", "TrainingJobArn": null, "CreationTime": null, "TrainingJobStatus": null, "ResourceConfig": null, "BillableTimeInSeconds": null, "EnableManagedSpotTraining": null}'`
SELECT training_job_arn, creation_time, training_job_status, resource_config, instance_type,
       billable_time_in_seconds, enable_managed_spot_training, account_id, region
  FROM aws.training_jobs WHERE training_job_name = 'nulls';
\set document `$SAGEMAKER_FDW_CTL delete nulls`

-- of instance preferences, what was selected; while nothing is, what is asked for
\set document `$SAGEMAKER_FDW_CTL document selected '{"TrainingJobName": "selected", "TrainingJobArn": "s", "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge", "InstanceCount": 1}, {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2}], "SelectedInstanceType": "ml.p4d.24xlarge", "SelectedInstanceCount": 2}}'`
\set document `$SAGEMAKER_FDW_CTL document selected-type '{"TrainingJobName": "selected-type", "TrainingJobArn": "s", "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge"}], "InstanceCount": 3, "SelectedInstanceType": "ml.p5.48xlarge"}}'`
\set document `$SAGEMAKER_FDW_CTL document not-selected '{"TrainingJobName": "not-selected", "TrainingJobArn": "s", "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge"}], "InstanceCount": 3, "SelectedInstanceType": null}}'`
SELECT training_job_name, instance_type, instance_count
  FROM aws.training_jobs WHERE training_job_name IN ('selected', 'selected-type', 'not-selected') ORDER BY 1;
\set document `$SAGEMAKER_FDW_CTL delete selected`
\set document `$SAGEMAKER_FDW_CTL delete selected-type`
\set document `$SAGEMAKER_FDW_CTL delete not-selected`

-- columns by path, under other names and with other types
CREATE FOREIGN TABLE aws.mine (
  name         text         OPTIONS (attribute 'TrainingJobName'),
  job          varchar(20)  OPTIONS (attribute 'TrainingJobName'),
  status       text         OPTIONS (attribute 'TrainingJobStatus'),
  created      timestamp    OPTIONS (attribute 'CreationTime'),
  created_text text         OPTIONS (attribute 'CreationTime'),
  created_num  numeric      OPTIONS (attribute 'CreationTime'),
  created_day  date         OPTIONS (attribute 'CreationTime'),
  created_json jsonb        OPTIONS (attribute 'CreationTime'),
  created_s    timestamptz(0) OPTIONS (attribute 'CreationTime'),
  billable     numeric      OPTIONS (attribute 'BillableTimeInSeconds'),
  spot         text         OPTIONS (attribute 'EnableManagedSpotTraining'),
  lr           double precision OPTIONS (attribute 'HyperParameters.lr'),
  dotted       text         OPTIONS (attribute 'HyperParameters.a.b'),
  kind         text         OPTIONS (attribute 'ResourceConfig.InstanceType'),
  channel      text         OPTIONS (attribute 'InputDataConfig.1.ChannelName'),
  config       json         OPTIONS (attribute 'ResourceConfig'),
  config_text  text         OPTIONS (attribute 'ResourceConfig'),
  name_json    jsonb        OPTIONS (attribute 'TrainingJobName'),
  started      timestamptz  OPTIONS (attribute 'SecondaryStatusTransitions.0.StartTime'),
  newer        int          OPTIONS (attribute 'SomethingThatIsNew.Below'),
  missing      text         OPTIONS (attribute 'SomethingElse'),
  where_from   text         OPTIONS (attribute 'region')
) SERVER sm;
\set document `$SAGEMAKER_FDW_CTL document mine '{"TrainingJobName": "mine", "TrainingJobArn": "m", "TrainingJobStatus": "Brand New", "CreationTime": 1598463412.6, "BillableTimeInSeconds": 3600.0, "EnableManagedSpotTraining": true, "HyperParameters": {"lr": "1e-4", "a.b": "dots", "a": "no"}, "ResourceConfig": {"InstanceType": "ml.m5.large"}, "InputDataConfig": [{"ChannelName": "train"}, {"ChannelName": "test"}], "SecondaryStatusTransitions": [{"StartTime": 1598463412.25}], "SomethingThatIsNew": {"Below": 7}}'`
\x on
\a
SELECT * FROM aws.mine WHERE name = 'mine';
\a
\x off

-- a type of one's own is read by its input function
CREATE DOMAIN aws.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN aws.status AS sagemaker_training_job_status CHECK (VALUE <> 'Failed');
CREATE FOREIGN TABLE aws.typed (
  training_job_name text,
  billable_time_in_seconds aws.positive,
  training_job_status aws.status,
  training_image varchar(4) OPTIONS (attribute 'AlgorithmSpecification.TrainingImage')
) SERVER sm;
\set document `$SAGEMAKER_FDW_CTL document typed '{"TrainingJobName": "typed", "TrainingJobArn": "t", "BillableTimeInSeconds": 5, "TrainingJobStatus": "Completed"}'`
SELECT * FROM aws.typed WHERE training_job_name = 'typed';
\set document `$SAGEMAKER_FDW_CTL document typed '{"TrainingJobName": "typed", "TrainingJobArn": "t", "BillableTimeInSeconds": 0, "TrainingJobStatus": "Failed", "AlgorithmSpecification": {"TrainingImage": "12345"}}'`
SELECT billable_time_in_seconds FROM aws.typed WHERE training_job_name = 'typed';  -- ERROR
SELECT training_job_status FROM aws.typed WHERE training_job_name = 'typed';  -- ERROR
SELECT training_image FROM aws.typed WHERE training_job_name = 'typed';  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- which may refuse NULL
CREATE DOMAIN aws.given AS text CHECK (VALUE IS NOT NULL);
CREATE FOREIGN TABLE aws.refused (training_job_name text, failure_reason aws.given) SERVER sm;
SELECT training_job_name FROM aws.refused WHERE training_job_name = 'typed';
SELECT failure_reason FROM aws.refused WHERE training_job_name = 'typed';  -- ERROR

-- a domain takes what the type below it takes, whatever it keeps of it
CREATE DOMAIN aws.object AS jsonb CHECK (VALUE <> 'null');
CREATE DOMAIN aws.inner_object AS aws.object;
CREATE DOMAIN aws.words AS json;
CREATE DOMAIN aws.second AS timestamptz(0);
CREATE DOMAIN aws.hours AS interval hour;
CREATE FOREIGN TABLE aws.domains (
  training_job_name text,
  name1 jsonb           OPTIONS (attribute 'TrainingJobName'),
  name2 aws.object      OPTIONS (attribute 'TrainingJobName'),
  name3 aws.words       OPTIONS (attribute 'TrainingJobName'),
  depth1 jsonb          OPTIONS (attribute 'HyperParameters.depth'),
  depth2 aws.inner_object OPTIONS (attribute 'HyperParameters.depth'),
  depth3 aws.words      OPTIONS (attribute 'HyperParameters.depth'),
  account jsonb         OPTIONS (attribute 'account_id'),
  account2 aws.object   OPTIONS (attribute 'account_id'),
  created aws.object    OPTIONS (attribute 'CreationTime'),
  spot aws.object       OPTIONS (attribute 'EnableManagedSpotTraining'),
  map aws.object        OPTIONS (attribute 'HyperParameters'),
  new1 timestamptz      OPTIONS (attribute 'SomethingThatIsNew.At'),
  new2 timestamptz(3)   OPTIONS (attribute 'SomethingThatIsNew.At'),
  new3 aws.second       OPTIONS (attribute 'SomethingThatIsNew.At'),
  time1 interval        OPTIONS (attribute 'BillableTimeInSeconds'),
  time2 interval hour   OPTIONS (attribute 'BillableTimeInSeconds'),
  time3 interval minute OPTIONS (attribute 'BillableTimeInSeconds'),
  time4 aws.hours       OPTIONS (attribute 'BillableTimeInSeconds')
) SERVER sm;
\set document `$SAGEMAKER_FDW_CTL document domains '{"TrainingJobName": "domains", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/domains", "CreationTime": 1598463412.6, "BillableTimeInSeconds": 4369, "EnableManagedSpotTraining": true, "HyperParameters": {"depth": "3"}, "SomethingThatIsNew": {"At": 1598463412.9876}}'`
\x on
\a
SELECT * FROM aws.domains WHERE training_job_name = 'domains';
\a
\x off

-- each refuses with its own SQLSTATE
CREATE DOMAIN aws.required AS text NOT NULL;
CREATE FOREIGN TABLE aws.codes (
  training_job_name text,
  billable_time_in_seconds integer,
  creation_time timestamptz,
  number integer OPTIONS (attribute 'RoleArn'),
  day date OPTIONS (attribute 'RoleArn'),
  image varchar(4) OPTIONS (attribute 'AlgorithmSpecification.TrainingImage'),
  required aws.required OPTIONS (attribute 'FailureReason'),
  given aws.given OPTIONS (attribute 'FailureReason')
) SERVER sm;
\set document `$SAGEMAKER_FDW_CTL document typed '{"TrainingJobName": "typed", "TrainingJobArn": "t", "BillableTimeInSeconds": 3000000000, "CreationTime": 1e300, "RoleArn": "soon", "AlgorithmSpecification": {"TrainingImage": "12345"}}'`
\set VERBOSITY sqlstate
SELECT number FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT billable_time_in_seconds FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT day FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT creation_time FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT image FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT required FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
SELECT given FROM aws.codes WHERE training_job_name = 'typed';  -- ERROR
\set VERBOSITY default
-- dropped columns are left out
ALTER FOREIGN TABLE aws.typed DROP COLUMN billable_time_in_seconds;
ALTER FOREIGN TABLE aws.typed ADD COLUMN secondary_status sagemaker_secondary_status;
\set document `$SAGEMAKER_FDW_CTL document typed '{"TrainingJobName": "typed", "TrainingJobArn": "t", "SecondaryStatus": "Training"}'`
SELECT * FROM aws.typed WHERE training_job_name = 'typed';

-- a label that the type lacks is NULL, with a warning for each scan and label
\set document `$SAGEMAKER_FDW_CTL document label '{"TrainingJobName": "label", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/label", "TrainingJobStatus": "Hibernating", "SecondaryStatus": "Training"}'`
\set document `$SAGEMAKER_FDW_CTL document label2 '{"TrainingJobName": "label2", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/label2", "TrainingJobStatus": "Hibernating", "SecondaryStatus": "Dreaming"}'`
SELECT training_job_name, training_job_status, secondary_status
  FROM aws.training_jobs WHERE training_job_name LIKE 'label%' ORDER BY 1;
-- text keeps it
CREATE FOREIGN TABLE aws.plain (training_job_name text, training_job_status text) SERVER sm;
SELECT * FROM aws.plain WHERE training_job_name = 'label';
-- or it is an error
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD unknown_enum 'error');
SELECT training_job_status FROM aws.training_jobs WHERE training_job_name = 'label';  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT training_job_name, secondary_status FROM aws.training_jobs WHERE training_job_name = 'label';
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP unknown_enum);

-- enum values have the order of a job's life
SELECT enum_range(NULL::sagemaker_training_job_status);
SELECT enum_range(NULL::sagemaker_secondary_status);
SELECT enum_range(NULL::sagemaker_profiling_status);
SELECT sagemaker_primary_status(s) AS primary_status, array_agg(s ORDER BY s) AS secondary_statuses
  FROM unnest(enum_range(NULL::sagemaker_secondary_status)) AS s GROUP BY 1 ORDER BY 1;
SELECT sagemaker_primary_status(NULL);

-- a column that is no attribute is an error when the query is planned
CREATE FOREIGN TABLE aws.wrong (training_job_name text, training_job_stats text) SERVER sm;
SELECT training_job_name FROM aws.wrong;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE aws.wrong2 ("TrainingJobName" text) SERVER sm;
EXPLAIN SELECT * FROM aws.wrong2;  -- ERROR

-- generated columns are computed from the others, and cost what these do
CREATE FUNCTION aws.shout(name text) RETURNS text LANGUAGE SQL IMMUTABLE RETURN upper(name);
CREATE FOREIGN TABLE aws.computed (
  loud text GENERATED ALWAYS AS (aws.shout(training_job_name)) STORED,
  training_job_name text,
  billable_time_in_seconds integer,
  hours numeric(8,2) GENERATED ALWAYS AS (billable_time_in_seconds / 3600.0) STORED,
  team text GENERATED ALWAYS AS (tags->>'team') STORED,
  tags jsonb
) SERVER sm;
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT loud FROM aws.computed WHERE loud LIKE 'XGBOOST-ADS-00%' ORDER BY 1 LIMIT 3;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT * FROM aws.computed WHERE training_job_name = 'xgboost-ads-0011';
SELECT count(*) FROM aws.computed WHERE hours > 1 AND loud < 'Q';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(*) = (SELECT count(*) FROM aws.training_jobs WHERE training_job_name < 'q' AND round(billable_time_in_seconds / 3600.0, 2) > 1) AS same
  FROM aws.computed WHERE hours > 1 AND loud < 'Q';
-- also from the table that a row is of
CREATE TABLE aws.everywhere (training_job_name text, place oid GENERATED ALWAYS AS (tableoid) STORED);
CREATE FOREIGN TABLE aws.somewhere () INHERITS (aws.everywhere) SERVER sm;
INSERT INTO aws.everywhere VALUES ('here');
SELECT place::regclass, place = tableoid AS same, count(*) FROM aws.everywhere GROUP BY 1, 2 ORDER BY 3;

-- a condition on settings alone, on as many columns as make a document worth listing: there is no document yet
CREATE FOREIGN TABLE aws.regions (
  r1 text OPTIONS (attribute 'region'),
  r2 text OPTIONS (attribute 'region'),
  r3 text OPTIONS (attribute 'region'),
  r4 text OPTIONS (attribute 'region'),
  r5 text OPTIONS (attribute 'region'),
  r6 text OPTIONS (attribute 'region'),
  r7 text OPTIONS (attribute 'region'),
  r8 text OPTIONS (attribute 'region'),
  r9 text OPTIONS (attribute 'region')
) SERVER sm;
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT count(*) FROM aws.regions WHERE concat(r1, r2, r3, r4, r5, r6, r7, r8, r9) = 'elsewhere';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

\i test/teardown.sql
