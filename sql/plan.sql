-- What is decided early, in which order, by whom; and what is done when the service refuses.
\i test/setup.sql
\set VERBOSITY default
SET client_min_messages = warning;

-- volatile functions see each row once, after all that is cheaper
CREATE SEQUENCE aws.seen;
SELECT count(*) FROM aws.training_jobs WHERE training_job_status = 'Failed' AND nextval('aws.seen') > 0;
SELECT last_value FROM aws.seen;
SELECT count(*) FROM aws.training_jobs WHERE training_job_status = 'Failed' AND random() < 2 AND role_arn <> '';

-- a condition with a sub-plan is decided once for a job
CREATE FUNCTION aws.noted(anyelement) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM set_config('aws.noted', (coalesce(nullif(current_setting('aws.noted', true), ''), '0')::int + 1)::text, false);
	RETURN true;
END
$$;
SELECT count(role_arn) FROM aws.training_jobs AS j
 WHERE training_job_status = 'Failed' AND (SELECT aws.noted(j.training_job_name) FROM pg_class LIMIT 1);
SELECT current_setting('aws.noted') AS decided;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- a job that changes between the list and its description is judged as it is
\set document `$SAGEMAKER_FDW_CTL document changing '{"TrainingJobName": "changing", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/changing", "TrainingJobStatus": "InProgress", "CreationTime": 1751284800}'`
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "job": "changing", "times": 0, "body": "{\"TrainingJobName\": \"changing\", \"TrainingJobArn\": \"arn:aws:sagemaker:us-east-1:123456789012:training-job/changing\", \"TrainingJobStatus\": \"Completed\", \"CreationTime\": 1751284800}"}'`
SELECT training_job_name, training_job_status, role_arn FROM aws.training_jobs
 WHERE training_job_status = 'InProgress' AND training_job_name LIKE 'chang%';
SELECT training_job_name, training_job_status, role_arn FROM aws.training_jobs AS j
 WHERE (SELECT j.training_job_status = 'InProgress' FROM pg_class LIMIT 1) AND training_job_name LIKE 'chang%';
SELECT training_job_name, training_job_status, role_arn FROM aws.training_jobs AS j
 WHERE (SELECT j.training_job_name = 'changing' FROM pg_class LIMIT 1) AND training_job_name LIKE 'chang%';
\set answer `$SAGEMAKER_FDW_CTL clear`
\set answer `$SAGEMAKER_FDW_CTL delete changing`

-- system columns and whole rows
SELECT DISTINCT tableoid::regclass FROM aws.training_jobs WHERE training_job_status = 'Failed';
SELECT count(*) FROM aws.training_jobs AS j WHERE tableoid = 'aws.training_jobs'::regclass AND j IS NOT NULL = (j.* IS NOT NULL);
SELECT training_job_name, (j).training_job_status FROM aws.training_jobs AS j WHERE training_job_name = 'pytorch-ads-0001';

-- locked rows are checked again
BEGIN;
SELECT training_job_name FROM aws.training_jobs AS j
 WHERE training_job_status = 'Failed' AND EXISTS (SELECT FROM pg_class WHERE relname <> j.training_job_name)
 ORDER BY creation_time LIMIT 2 FOR UPDATE;
COMMIT;

-- a sub-plan over another foreign table
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT count(*) FROM aws.training_jobs AS a
 WHERE training_job_status = 'Stopping'
   AND EXISTS (SELECT FROM aws.training_jobs AS b WHERE b.training_job_name = a.training_job_name AND b.role_arn <> '');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- row security on a partitioned parent does not leak through what is decided early
CREATE TABLE aws.parts (LIKE aws.training_jobs) PARTITION BY LIST (region);
ALTER TABLE aws.parts ATTACH PARTITION aws.training_jobs FOR VALUES IN ('us-east-1');
ALTER TABLE aws.parts ENABLE ROW LEVEL SECURITY;
CREATE ROLE regress_sagemaker_reader;
GRANT USAGE ON SCHEMA aws TO regress_sagemaker_reader;
GRANT SELECT ON aws.parts TO regress_sagemaker_reader;
CREATE USER MAPPING FOR regress_sagemaker_reader SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
CREATE POLICY own ON aws.parts TO regress_sagemaker_reader USING (role_arn LIKE '%-ads' AND training_job_status = 'Failed');
CREATE FUNCTION aws.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
	IF $1 NOT LIKE '%-ads-%' THEN
		RAISE WARNING 'leaked %', $1;
	END IF;
	RETURN true;
END
$$;
ALTER FUNCTION aws.leak(text) STABLE;
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.parts WHERE aws.leak(training_job_name);
SELECT count(*) FROM aws.parts WHERE aws.leak(training_job_name) AND training_job_name LIKE 'pytorch%';
RESET ROLE;

-- a partition is pruned by its region, and makes no call
CREATE FOREIGN TABLE aws.ireland PARTITION OF aws.parts FOR VALUES IN ('eu-west-1') SERVER sm OPTIONS (region 'eu-west-1');
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT count(*) FROM aws.parts WHERE region = 'eu-west-1';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
\set calls `$SAGEMAKER_FDW_CTL --region eu-west-1 calls`
\echo :calls

-- the order of creation holds over partitions; each first page is asked for at once
EXPLAIN (COSTS OFF) SELECT training_job_name FROM aws.parts ORDER BY creation_time DESC LIMIT 5;
SELECT training_job_name, region FROM aws.parts ORDER BY creation_time DESC LIMIT 5;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(*), bool_and(creation_time <= before) FROM
 (SELECT creation_time, lag(creation_time) OVER () AS before FROM (SELECT creation_time FROM aws.parts ORDER BY creation_time DESC) AS p) AS q;
-- one after another, the second partition is not asked
SET enable_async_append = off;
EXPLAIN (COSTS OFF) SELECT training_job_name FROM aws.parts LIMIT 1;
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT count(*) FROM (SELECT training_job_name FROM aws.parts LIMIT 1) AS p;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
RESET enable_async_append;
ALTER TABLE aws.parts DETACH PARTITION aws.training_jobs;
DROP TABLE aws.parts;
DROP OWNED BY regress_sagemaker_reader CASCADE;
DROP ROLE regress_sagemaker_reader;

-- a service that breaks the order is found out, where the plan relies on it
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "operation": "ListTrainingJobs", "times": 2, "body": "{\"TrainingJobSummaries\": [{\"TrainingJobName\": \"a\", \"TrainingJobArn\": \"a\", \"CreationTime\": 1}, {\"TrainingJobName\": \"b\", \"TrainingJobArn\": \"b\", \"CreationTime\": 2}]}"}'`
SELECT training_job_name FROM aws.training_jobs;
SELECT training_job_name FROM aws.training_jobs ORDER BY creation_time DESC;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set answer `$SAGEMAKER_FDW_CTL clear`

-- an ARN that spells the name in another case
\set document `$SAGEMAKER_FDW_CTL document MixedCase '{"TrainingJobName": "MixedCase", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/mixedcase", "TrainingJobStatus": "Completed", "CreationTime": 1751284800}'`
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT training_job_name FROM aws.training_jobs WHERE training_job_arn = 'arn:aws:sagemaker:us-east-1:123456789012:training-job/mixedcase';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
-- where Search is denied, the list is walked, once for all
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "Search", "times": 0, "code": "AccessDeniedException"}'`
SELECT training_job_name FROM aws.training_jobs WHERE training_job_arn IN
 ('arn:aws:sagemaker:us-east-1:123456789012:training-job/mixedcase', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/none',
  'arn:aws:sagemaker:us-east-1:123456789012:training-job/pytorch-ads-0001') ORDER BY 1;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
\set answer `$SAGEMAKER_FDW_CTL delete MixedCase`
-- auto then describes; search is an error
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD scan_api 'auto');
SELECT count(role_arn) FROM aws.training_jobs WHERE training_job_status = 'Failed';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (SET scan_api 'search');
SELECT count(role_arn) FROM aws.training_jobs;  -- ERROR
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP scan_api);
\set answer `$SAGEMAKER_FDW_CTL clear`

-- a tuning job that was deleted leaves its children
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "ListTrainingJobsForHyperParameterTuningJob", "times": 2, "code": "ResourceNotFound"}'`
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT count(*), count(training_job_arn) FROM aws.training_jobs
 WHERE tuning_job_arn = 'arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-ads';
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "operation": "Search", "code": "AccessDeniedException"}'`
SELECT count(*), count(training_job_arn) FROM aws.training_jobs
 WHERE tuning_job_arn = 'arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-ads';
-- the tuning job of another account that has the same name
SELECT count(*) FROM aws.training_jobs
 WHERE tuning_job_arn = 'arn:aws:sagemaker:us-east-1:999999999999:hyper-parameter-tuning-job/tune-ads';
\set calls `$SAGEMAKER_FDW_CTL calls`

-- ANALYZE: the list, and a sample; a partition and its parent share it in a transaction
CREATE TABLE aws.parts (LIKE aws.training_jobs) PARTITION BY LIST (region);
ALTER TABLE aws.parts ATTACH PARTITION aws.training_jobs FOR VALUES IN ('us-east-1');
SET sagemaker_fdw.analyze_jobs = 10000001;
SET sagemaker_fdw.analyze_jobs = 20;
BEGIN;
ANALYZE aws.parts;
COMMIT;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT relname, reltuples FROM pg_class WHERE oid IN ('aws.parts'::regclass, 'aws.training_jobs'::regclass) ORDER BY 1;
SELECT tablename, attname, null_frac FROM pg_stats WHERE schemaname = 'aws' AND attname IN ('role_arn', 'tags', 'labeling_job_arn') ORDER BY 1, 2;
ALTER TABLE aws.parts DETACH PARTITION aws.training_jobs;
DROP TABLE aws.parts;
RESET sagemaker_fdw.analyze_jobs;

-- with statistics, a scan that would make too many calls makes none
SET sagemaker_fdw.max_calls = 100;
SELECT count(role_arn) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT count(role_arn) FROM (SELECT role_arn FROM aws.training_jobs LIMIT 50) AS jobs;
RESET sagemaker_fdw.max_calls;

-- the time zone of a condition is the session's
SET timezone = 'Asia/Kolkata';
SELECT count(*) FROM aws.training_jobs WHERE creation_time >= '2025-06-30 00:00';
SELECT count(*) FROM aws.training_jobs WHERE creation_time >= date '2025-06-30';
SET timezone = 'America/Los_Angeles';
SELECT count(*) FROM aws.training_jobs WHERE creation_time >= '2025-06-30 00:00';
RESET timezone;

-- a prepared statement is planned for all values, and asks for those of now
PREPARE since(timestamptz) AS SELECT count(*) FROM aws.training_jobs WHERE creation_time > $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE since('2025-06-20');
\set calls `$SAGEMAKER_FDW_CTL calls`
EXECUTE since('2025-06-20');
EXECUTE since('2025-01-01');
EXECUTE since(NULL);
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

\i test/teardown.sql
