-- Scans of all jobs: pages of summaries, then a description of each job where
-- the query reads what summaries lack.
\i test/setup.sql

-- counting needs the pages alone
SELECT count(*) FROM aws.training_jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- so do the columns that a summary has
SELECT training_job_name, training_job_status, secondary_status, creation_time, training_end_time,
       last_modified_time, warm_pool_status->>'Status' AS warm, region, account_id
  FROM aws.training_jobs ORDER BY creation_time DESC LIMIT 3;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- any other column costs a description of each job
SELECT training_job_status, count(*), sum(billable_time_in_seconds) AS billable, count(failure_reason) AS reasons
  FROM aws.training_jobs GROUP BY 1 ORDER BY 1;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- tags cost a call for each job, and no description
SELECT tags->>'team' AS team, count(*) FROM aws.training_jobs GROUP BY 1 ORDER BY 1;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- jobs come newest first, each once, whatever the size of a page
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD fetch_size '7');
SELECT count(*), count(DISTINCT training_job_arn),
       bool_and(created <= before) AS newest_first
  FROM (SELECT training_job_arn, creation_time AS created,
               lag(creation_time) OVER () AS before
          FROM aws.training_jobs) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP fetch_size);

-- a scan of a region without jobs is empty
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD region 'ap-south-1');
SELECT count(*), count(failure_reason) FROM aws.training_jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- the table's region wins over the server's
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (SET region 'eu-west-1');
SELECT region, account_id, count(*), min(split_part(training_job_arn, ':', 4)) AS arn_region
  FROM aws.training_jobs GROUP BY 1, 2;
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP region);

-- a job that is deleted between the list and its description is no row
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "DescribeTrainingJob", "skip": 5, "times": 2, "code": "ValidationException", "message": "Requested resource not found."}'`
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "DescribeTrainingJob", "skip": 9, "times": 1, "code": "ResourceNotFound", "message": "Could not find it"}'`
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "DescribeTrainingJob", "skip": 19, "times": 1, "code": "ValidationException", "message": "Could not find training job x"}'`
SELECT count(*), count(role_arn) FROM aws.training_jobs;
SELECT count(*), count(role_arn) FROM aws.training_jobs;

-- any other failure for a single job is the query's
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "DescribeTrainingJob", "skip": 200, "code": "ValidationException", "message": "Something else."}'`
\set VERBOSITY sqlstate
SELECT count(role_arn) FROM aws.training_jobs;  -- ERROR
\set VERBOSITY default
SELECT count(role_arn) FROM aws.training_jobs;

-- a scan inside a nested loop starts again for each outer row
SET enable_material = off;
SELECT x, (SELECT count(*) FROM aws.training_jobs WHERE length(training_job_name) > x) AS longer
  FROM generate_series(15, 19, 2) AS x;

-- two scans of one server run interleaved
SELECT count(*) FROM aws.training_jobs AS a JOIN aws.training_jobs AS b USING (training_job_arn)
 WHERE a.instance_type IS NOT NULL AND b.region = 'us-east-1';

-- whole rows and system columns
SELECT (t).training_job_name = t.training_job_name AS same, tableoid::regclass
  FROM aws.training_jobs AS t ORDER BY creation_time LIMIT 1;

-- the table cannot be changed
DELETE FROM aws.training_jobs;  -- ERROR
INSERT INTO aws.training_jobs (training_job_name) VALUES ('x');  -- ERROR

\i test/teardown.sql
