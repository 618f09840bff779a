-- Scans in transactions, cursors, functions, and as other roles.
\i test/setup.sql
CREATE ROLE regress_sagemaker_reader;
CREATE ROLE regress_sagemaker_owner;
GRANT USAGE ON SCHEMA aws TO regress_sagemaker_reader, regress_sagemaker_owner;

-- a cursor, across a savepoint that is rolled back
BEGIN READ ONLY;
DECLARE c CURSOR FOR SELECT training_job_name, instance_type FROM aws.training_jobs;
FETCH 2 FROM c;
SAVEPOINT s;
FETCH 2 FROM c;
SELECT 1 / 0;  -- ERROR
ROLLBACK TO SAVEPOINT s;
FETCH 2 FROM c;
CLOSE c;
SELECT count(*) FROM aws.training_jobs;
COMMIT;

-- a scan that fails in a subtransaction
BEGIN;
SAVEPOINT s;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ValidationException", "operation": "DescribeTrainingJob", "skip": 40}'`
\set VERBOSITY sqlstate
SELECT count(role_arn) FROM aws.training_jobs;  -- ERROR
\set VERBOSITY default
ROLLBACK TO SAVEPOINT s;
SELECT count(role_arn) FROM aws.training_jobs;
COMMIT;

-- a function that catches the error
CREATE FUNCTION aws.try(job text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	kind text;
BEGIN
	SELECT instance_type INTO kind FROM aws.training_jobs WHERE training_job_name = job;
	RETURN coalesce(kind, 'nothing');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "AccessDeniedException", "job": "pytorch-ads-0001"}'`
SELECT aws.try(j) FROM unnest(ARRAY['xgboost-ads-0011', 'pytorch-ads-0001', 'no-such-job', 'pytorch-ads-0001']) AS j;

-- time-outs of the statement end a wait at once, and the session works on
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "hang"}'`
SET statement_timeout = '100ms';
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ThrottlingException", "times": 1}'`
ALTER SERVER sm OPTIONS (SET max_attempts '100');
RESET statement_timeout;
SELECT count(*) FROM aws.training_jobs;
ALTER SERVER sm OPTIONS (SET max_attempts '2');

-- connections are kept
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD max_concurrency '1');
SELECT sagemaker_fdw_disconnect();
\set counters `$SAGEMAKER_FDW_CTL counters`
SELECT (:'counters'::json->>'connections')::int AS before \gset
SELECT count(role_arn) FROM aws.training_jobs;
SELECT count(role_arn) FROM aws.training_jobs;
\set counters `$SAGEMAKER_FDW_CTL counters`
SELECT (:'counters'::json->>'connections')::int - :before AS opened, (:'counters'::json->>'in_flight')::int AS in_flight;
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (DROP max_concurrency);

-- a role needs SELECT on the table, and a user mapping
SET ROLE regress_sagemaker_reader;
SELECT sagemaker_fdw_disconnect('sm');  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM aws.training_jobs;  -- ERROR
RESET ROLE;
GRANT SELECT ON aws.training_jobs TO regress_sagemaker_reader;
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- planning needs neither mapping nor call
EXPLAIN (COSTS OFF) SELECT count(*) FROM aws.training_jobs;
RESET ROLE;
CREATE USER MAPPING FOR regress_sagemaker_reader SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.training_jobs;
-- the function needs EXECUTE, and USAGE on the server
SELECT sagemaker_describe_training_job('sm', 'no-such-job');  -- ERROR
RESET ROLE;
GRANT EXECUTE ON FUNCTION sagemaker_describe_training_job TO regress_sagemaker_reader;
SET ROLE regress_sagemaker_reader;
SELECT sagemaker_describe_training_job('sm', 'no-such-job');  -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER sm TO regress_sagemaker_reader;
SET ROLE regress_sagemaker_reader;
SELECT sagemaker_describe_training_job('sm', 'no-such-job') IS NULL AS is_null;
RESET ROLE;

-- a view reads with its owner's mapping, whoever asks
GRANT SELECT ON aws.training_jobs TO regress_sagemaker_owner;
CREATE VIEW aws.summary AS SELECT training_job_name FROM aws.training_jobs;
ALTER VIEW aws.summary OWNER TO regress_sagemaker_owner;
GRANT SELECT ON aws.summary TO regress_sagemaker_reader;
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.summary;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
CREATE USER MAPPING FOR regress_sagemaker_owner SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
DROP USER MAPPING FOR regress_sagemaker_reader SERVER sm;
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.summary;
RESET ROLE;

-- what one role may do is not another's: a session that holds a role's credentials
-- does not lend them
SELECT count(*) FROM aws.training_jobs;
SET ROLE regress_sagemaker_reader;
SELECT count(*) FROM aws.training_jobs;  -- ERROR
RESET ROLE;
-- a cursor goes on as the role it was opened by
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM aws.training_jobs;
SET LOCAL ROLE regress_sagemaker_reader;
FETCH c;
COMMIT;

-- changes of the mapping are seen at once
ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key 'wrong');
\set VERBOSITY terse
SELECT count(*) FROM aws.training_jobs;  -- ERROR
ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key 'secret/of+the/history/account000000000001');
SELECT count(*) FROM aws.training_jobs;
-- a function does not serve another wrapper's server
CREATE FOREIGN DATA WRAPPER regress_sagemaker_other HANDLER sagemaker_fdw_handler;
CREATE FOREIGN DATA WRAPPER regress_sagemaker_none;
CREATE SERVER none FOREIGN DATA WRAPPER regress_sagemaker_none;
SELECT sagemaker_describe_training_job('none', 'x');  -- ERROR
DROP FOREIGN DATA WRAPPER regress_sagemaker_none CASCADE;
DROP FOREIGN DATA WRAPPER regress_sagemaker_other;

DROP OWNED BY regress_sagemaker_reader, regress_sagemaker_owner CASCADE;
DROP ROLE regress_sagemaker_reader, regress_sagemaker_owner;
\i test/teardown.sql
