-- How much is fetched when a query may not read all rows, and limits of a scan.
\i test/setup.sql

-- a LIMIT that nothing stands between costs what it reads
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs LIMIT 1) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs LIMIT 100) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs LIMIT 101) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs OFFSET 3 LIMIT 2) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(n) FROM (SELECT training_job_name AS n FROM aws.training_jobs LIMIT 10) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

SELECT count(n) FROM (SELECT training_job_name AS n FROM aws.training_jobs LIMIT 9223372036854775807) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a job that is gone is made up for
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "DescribeTrainingJob", "times": 2, "code": "ValidationException", "message": "Requested resource not found."}'`
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs LIMIT 3) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a LIMIT above a condition, a sort or a join bounds nothing, and all rows are found
SELECT count(*) FROM (SELECT role_arn FROM aws.training_jobs WHERE instance_count = 8 LIMIT 5) AS jobs;
SELECT training_job_name FROM aws.training_jobs WHERE role_arn <> '' ORDER BY creation_time LIMIT 2;
SELECT count(*) FROM (SELECT 1 FROM aws.training_jobs AS a JOIN aws.training_jobs AS b
                          ON a.training_job_name = b.training_job_name AND a.role_arn <> '' LIMIT 300) AS jobs;
SELECT count(*) FROM (SELECT training_job_name FROM aws.training_jobs ORDER BY training_job_status
                       FETCH FIRST 1 ROW WITH TIES) AS jobs;
SELECT count(*) FROM (SELECT DISTINCT training_job_status FROM aws.training_jobs LIMIT 100) AS jobs;
SELECT count(*) FROM (SELECT generate_series(1, 0) FROM aws.training_jobs LIMIT 1) AS jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`

-- a query that may end early fetches few at first: what is found at once is cheap
SELECT EXISTS (SELECT FROM aws.training_jobs WHERE role_arn <> '');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
BEGIN;
DECLARE c CURSOR FOR SELECT training_job_name, role_arn IS NOT NULL AS described FROM aws.training_jobs;
FETCH 1 FROM c;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
MOVE FORWARD ALL IN c;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
COMMIT;

-- a token that the service refuses: the walk goes on where it was, without duplicates
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "ListTrainingJobs", "skip": 1, "times": 1, "code": "ValidationException", "message": "The token has expired."}'`
SELECT count(*), count(DISTINCT training_job_arn), count(role_arn) FROM aws.training_jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
-- again and again, as long as there is a page between
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "ListTrainingJobs", "skip": 1, "times": 1, "code": "ValidationException", "message": "The token has expired."}'`
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "ListTrainingJobs", "skip": 2, "times": 1, "code": "ValidationException", "message": "The token has expired."}'`
SELECT count(*), count(DISTINCT training_job_arn) FROM aws.training_jobs;
-- what is refused for something else is an error
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "ListTrainingJobs", "skip": 1, "times": 2, "code": "ValidationException", "message": "No."}'`
\set VERBOSITY terse
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\set VERBOSITY default
SELECT count(*) FROM aws.training_jobs;
\set calls `$SAGEMAKER_FDW_CTL calls`

-- the calls of one scan have a limit
SET sagemaker_fdw.max_calls = 50;
SELECT count(role_arn) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set calls `$SAGEMAKER_FDW_CTL counters`
SELECT count(*) FROM aws.training_jobs;
SET sagemaker_fdw.max_calls = 1;
SELECT role_arn FROM aws.training_jobs LIMIT 1;  -- ERROR
SET sagemaker_fdw.max_calls = 0;
SELECT count(role_arn) FROM aws.training_jobs;
RESET sagemaker_fdw.max_calls;

-- so have the connections of a session
SELECT sagemaker_fdw_disconnect();
SET sagemaker_fdw.max_session_connections = 3;
\set answer `$SAGEMAKER_FDW_CTL reset`
\set answer `$SAGEMAKER_FDW_CTL config '{"request_id": "test-request", "latency_ms": 10}'`
SELECT count(role_arn) FROM aws.training_jobs;
\set counters `$SAGEMAKER_FDW_CTL counters`
SELECT (:'counters'::json)->>'most_in_flight' AS most_in_flight, (:'counters'::json)->>'connections' AS connections;
RESET sagemaker_fdw.max_session_connections;
-- and calls in flight for a scan
SELECT sagemaker_fdw_disconnect();
\set answer `$SAGEMAKER_FDW_CTL reset`
\set answer `$SAGEMAKER_FDW_CTL config '{"request_id": "test-request", "latency_ms": 10}'`
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD max_concurrency '5');
SELECT count(role_arn) FROM aws.training_jobs;
\set counters `$SAGEMAKER_FDW_CTL counters`
SELECT (:'counters'::json)->>'most_in_flight' AS most_in_flight, (:'counters'::json)->>'connections' AS connections;
-- a LIMIT that is sure to be reached is no reason to begin with few of them
\set answer `$SAGEMAKER_FDW_CTL reset`
\set answer `$SAGEMAKER_FDW_CTL config '{"request_id": "test-request", "latency_ms": 10}'`
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs ORDER BY creation_time DESC LIMIT 5) AS newest;
\set counters `$SAGEMAKER_FDW_CTL counters`
SELECT (:'counters'::json)->>'most_in_flight' AS most_in_flight, (:'counters'::json)->'calls' AS calls;
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP max_concurrency);

\i test/teardown.sql
