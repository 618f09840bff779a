-- Documents that are not what they should be: each a clear error, and the
-- session goes on.
\i test/setup.sql
\set SHOW_CONTEXT errors
CREATE VIEW aws.job AS SELECT * FROM aws.training_jobs WHERE training_job_name = 'odd';

-- not JSON
\set document `$SAGEMAKER_FDW_CTL document odd 'this is no JSON'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- truncated JSON
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "Tra'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- HTML with status 200
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "DescribeTrainingJob", "content_type": "text/html", "body": "<html>Welcome to the hotel network</html>"}'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- an empty body
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "DescribeTrainingJob", "body": ""}'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- something behind the document
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd"} x'`
SELECT training_job_arn FROM aws.job;  -- ERROR
-- an array
\set document `$SAGEMAKER_FDW_CTL document odd '[{"TrainingJobName": "odd"}]'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- a scalar
\set document `$SAGEMAKER_FDW_CTL document odd '"odd"'`
SELECT training_job_arn FROM aws.job;  -- ERROR
-- no name, or one that is no string
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobArn": "x"}'`
SELECT training_job_arn FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": 7}'`
SELECT training_job_arn FROM aws.job;  -- ERROR

-- a string where a number belongs, and other values of the wrong kind
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": "12", "CreationTime": "2020-08-26T17:36:52Z", "EnableManagedSpotTraining": "true", "ResourceConfig": "big", "InputDataConfig": {"a": 1}, "RoleArn": 5, "TrainingJobStatus": ["Completed"], "HyperParameters": []}'`
SELECT billable_time_in_seconds FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT creation_time FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT enable_managed_spot_training FROM aws.job;  -- ERROR
SELECT resource_config FROM aws.job;  -- ERROR
SELECT input_data_config FROM aws.job;  -- ERROR
SELECT role_arn FROM aws.job;  -- ERROR
SELECT training_job_status FROM aws.job;  -- ERROR
SELECT hyper_parameters FROM aws.job;  -- ERROR
-- what a query does not read does not matter
SELECT training_job_name, instance_type FROM aws.job;

-- a timestamp out of range
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "CreationTime": 99999999999999, "LastModifiedTime": 1e300, "TrainingStartTime": -999999999999, "SecondaryStatusTransitions": [{"StartTime": 1e20}]}'`
SELECT creation_time FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT last_modified_time FROM aws.job;  -- ERROR
SELECT training_start_time FROM aws.job;  -- ERROR
SELECT secondary_status_transitions FROM aws.job;  -- ERROR

-- a number too large for its column, or no integer
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": 2147483648, "BillableTokenCount": 9223372036854775808, "TrainingTimeInSeconds": 1.5}'`
SELECT billable_time_in_seconds FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT billable_token_count FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT training_time_in_seconds FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE

-- an exponent that would make a number of a million digits
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": 1e100000}'`
SELECT billable_time_in_seconds FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": 1E-401}'`
SELECT billable_time_in_seconds FROM aws.job;  -- ERROR
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "Environment": {"e1e999": "1e999"}, "X": 1e400}'`
SELECT environment FROM aws.job;

-- what is no JSON is an error to who reads it, or the whole, and to nobody else
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": 12, "Environment": {"a": 1e99999, "b" [x]}, "RoleArn": "r", "X": nonsense}'`
SELECT billable_time_in_seconds, role_arn FROM aws.job;
SELECT billable_time_in_seconds, environment FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT billable_time_in_seconds, raw_response IS NOT NULL FROM aws.job;  -- ERROR
-- but where it ends must be known
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "BillableTimeInSeconds": 12, "Environment": {"a": {}, "RoleArn": "r"}'`
SELECT billable_time_in_seconds FROM aws.job;  -- ERROR
-- of a member that is there twice the last one counts, however its key is written
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "RoleArn": "first", "RoleArn\u0020": "other", "\u0052oleArn": "last", "X": "\"}{"}'`
SELECT role_arn FROM aws.job;

-- nesting: 512 levels are read, 513 are not
SELECT '{"TrainingJobName": "odd", "Environment": {"k": ' || repeat('[', 510) || repeat(']', 510) || '}}' AS deep \gset
\setenv DEEP :deep
\set document `$SAGEMAKER_FDW_CTL document odd "$DEEP"`
SELECT jsonb_typeof(environment->'k') FROM aws.job;
SELECT '{"TrainingJobName": "odd", "Environment": {"k": ' || repeat('[', 511) || repeat(']', 511) || '}}' AS deep \gset
\setenv DEEP :deep
\set document `$SAGEMAKER_FDW_CTL document odd "$DEEP"`
SELECT jsonb_typeof(environment->'k') FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE

-- characters that Postgres cannot hold become U+FFFD; an escaped backslash is none of them
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "FailureReason": "nul:\u0000 high:\ud800. low:\udc00. both:\ud83d\ude00 turned:\ude00\ud83d backslash:\\u0000 quote:\" slash:\/ e:\u00e9"}'`
SELECT failure_reason FROM aws.job;
SELECT raw_response->>'FailureReason' AS raw FROM aws.job;
-- bytes that are no UTF-8 do, too
\set document `printf '{"TrainingJobName": "odd", "FailureReason": "a\377b\303c\355\240\200d\300\200e\303\251"}' | $SAGEMAKER_FDW_CTL document odd -`
SELECT failure_reason FROM aws.job;
-- keys as well as values
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "Environment": {"\u0000": "\u0000"}}'`
SELECT environment FROM aws.job;
-- what an escape cannot be made of does not get into the message as it is
\set document `printf '{"TrainingJobName": "odd", "FailureReason": "a\\\377b"}' | $SAGEMAKER_FDW_CTL document odd -`
SELECT failure_reason FROM aws.job;  -- ERROR
\set document `printf '{"TrainingJobName": "odd", "FailureReason": "a\\\000b"}' | $SAGEMAKER_FDW_CTL document odd -`
SELECT failure_reason FROM aws.job;  -- ERROR
-- a raw control character in a string is no JSON, nor is a NUL outside of one
\set document `printf '{"TrainingJobName": "odd", "FailureReason": "a\nb"}' | $SAGEMAKER_FDW_CTL document odd -`
SELECT failure_reason FROM aws.job;  -- ERROR
\set document `printf '{"TrainingJobName": "odd"}\000{}' | $SAGEMAKER_FDW_CTL document odd -`
\set VERBOSITY sqlstate
SELECT failure_reason FROM aws.job;  -- ERROR
\set VERBOSITY default

-- a key that occurs twice: the last one counts
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "RoleArn": "first", "RoleArn": "second"}'`
SELECT role_arn FROM aws.job;

-- pages
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "body": "{\"TrainingJobSummaries\": {}}"}'`
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "body": "{\"TrainingJobSummaries\": [1]}"}'`
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "body": "{\"TrainingJobSummaries\": [{\"TrainingJobName\": \"x\"}]}"}'`
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "body": "{\"TrainingJobSummaries\": [], \"NextToken\": 5}"}'`
SELECT count(*) FROM aws.training_jobs;  -- ERROR
-- a token that comes again would never end
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "times": 2, "body": "{\"TrainingJobSummaries\": [], \"NextToken\": \"again\"}"}'`
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- an empty answer is an empty page
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "body": "{}"}'`
SELECT count(*) FROM aws.training_jobs;

-- tags
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTags", "body": "{\"Tags\": [{\"Key\": \"a\"}]}"}'`
SELECT tags FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-0001';  -- ERROR
\echo :LAST_ERROR_SQLSTATE

\i test/teardown.sql
