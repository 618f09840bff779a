-- Jobs looked up by name: a constant, a parameter, a sub-select, a join.
\i test/setup.sql

SELECT training_job_name, training_job_status, instance_type, instance_count, billable_time_in_seconds
  FROM aws.training_jobs WHERE training_job_name = 'xgboost-ads-0011';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a job that does not exist is no row
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'no-such-job';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a name that no job can have, and NULL, make no call
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'no_such_job';
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = '';
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'ends-with-';
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = repeat('x', 64);
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = NULL;
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'Zoë';
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = (SELECT NULL::text);
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- other conditions are checked on the row
SELECT count(*) FROM aws.training_jobs
 WHERE training_job_name = 'xgboost-ads-0011' AND training_job_status <> 'Completed';
SELECT count(*) FROM aws.training_jobs
 WHERE 'xgboost-ads-0011' = training_job_name AND instance_count > 0;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- the name may be computed when the scan starts
SELECT training_job_name FROM aws.training_jobs
 WHERE training_job_name = lower('XGBOOST-') || (SELECT 'ads-0011');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a prepared statement, with a plan of its own for each execution and then one for all
PREPARE by_name(text) AS
  SELECT training_job_name, instance_type FROM aws.training_jobs WHERE training_job_name = $1;
EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('no-such-job');
EXECUTE by_name('no_such_job');
EXECUTE by_name(NULL);
EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('xgboost-ads-0011');
EXPLAIN (COSTS OFF) EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('xgboost-ads-0011');
EXECUTE by_name('pytorch-ads-0001');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a join with a few names describes these jobs, and lists none
CREATE TABLE aws.cost (job text, usd numeric);
INSERT INTO aws.cost
  SELECT training_job_name, row_number() OVER (ORDER BY creation_time) FROM aws.training_jobs
   ORDER BY creation_time LIMIT 5;
INSERT INTO aws.cost VALUES ('no-such-job', 1), ('no_such_job', 2), (NULL, 3);
ANALYZE aws.cost;
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT aws.plan('SELECT sum(usd) FROM aws.cost JOIN aws.training_jobs ON training_job_name = job
                  WHERE instance_type IS NOT NULL');
SELECT count(*), sum(usd) FROM aws.cost JOIN aws.training_jobs ON training_job_name = job
 WHERE role_arn IS NOT NULL;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- so does an outer join, a lateral one, and a sub-select for each row
SELECT count(*), count(training_job_name), sum(usd)
  FROM aws.cost LEFT JOIN aws.training_jobs ON training_job_name = job;
SELECT count(*), count(role_arn) FROM aws.cost,
       LATERAL (SELECT * FROM aws.training_jobs WHERE training_job_name = cost.job) AS jobs;
SELECT count(role) FROM (SELECT (SELECT role_arn FROM aws.training_jobs WHERE training_job_name = job) AS role
                           FROM aws.cost) AS roles;
SELECT count(*) FROM aws.cost
 WHERE EXISTS (SELECT FROM aws.training_jobs WHERE training_job_name = job AND role_arn LIKE 'arn:%');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- equality through a third table
SELECT count(*) FROM aws.cost AS a JOIN aws.cost AS b USING (job)
  JOIN aws.training_jobs ON training_job_name = b.job AND role_arn <> '';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- what is not equality of bytes is no lookup
CREATE COLLATION aws.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXPLAIN (COSTS OFF)
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'XGBOOST-ads-0011' COLLATE aws.any_case;
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'XGBOOST-ads-0011' COLLATE aws.any_case;
-- nor is a name that changes from row to row
EXPLAIN (COSTS OFF)
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = 'x' || random();
EXPLAIN (COSTS OFF)
SELECT count(*) FROM aws.training_jobs WHERE training_job_name = training_job_arn;

\i test/teardown.sql
