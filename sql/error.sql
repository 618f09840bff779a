-- What the service and the network may answer: the SQLSTATE says what happened,
-- and the session goes on working.
\i test/setup.sql
CREATE VIEW aws.job AS SELECT * FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-0001';

-- a wrong secret, in the mapping of everybody
DROP USER MAPPING FOR CURRENT_USER SERVER sm;
CREATE USER MAPPING FOR PUBLIC SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001', aws_secret_access_key 'wrong/secret');
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM aws.training_jobs;  -- ERROR
-- an unknown key
ALTER USER MAPPING FOR PUBLIC SERVER sm OPTIONS (SET aws_access_key_id 'AKIDUNKNOWN000000001');
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- keys that may do nothing
ALTER USER MAPPING FOR PUBLIC SERVER sm
  OPTIONS (SET aws_access_key_id 'AKIDDENIED0000000001', SET aws_secret_access_key 'secret/of+the/denied/account0000000000001');
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- temporary keys: without, with a wrong, and with the right session token
ALTER USER MAPPING FOR PUBLIC SERVER sm
  OPTIONS (SET aws_access_key_id 'ASIDTEMPORARY0000001', SET aws_secret_access_key 'secret/of+the/temporary/keys/000000000001');
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER USER MAPPING FOR PUBLIC SERVER sm OPTIONS (ADD aws_session_token 'expired');
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR PUBLIC SERVER sm OPTIONS (SET aws_session_token 'session-token/of+the/temporary/keys==');
SELECT training_job_name FROM aws.job;
-- no user mapping
DROP USER MAPPING FOR PUBLIC SERVER sm;
CREATE ROLE regress_sagemaker_plain;
GRANT USAGE ON SCHEMA aws TO regress_sagemaker_plain;
GRANT SELECT ON aws.training_jobs TO regress_sagemaker_plain;
SET ROLE regress_sagemaker_plain;
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- a user mapping without keys
CREATE USER MAPPING FOR regress_sagemaker_plain SERVER sm OPTIONS (role_arn 'arn:aws:iam::123456789012:role/example');
SET ROLE regress_sagemaker_plain;
SELECT count(*) FROM aws.training_jobs;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP OWNED BY regress_sagemaker_plain CASCADE;
DROP ROLE regress_sagemaker_plain;
-- PUBLIC's mapping serves who has none
CREATE USER MAPPING FOR PUBLIC SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
SELECT training_job_name FROM aws.job;

-- no region
CREATE SERVER nowhere FOREIGN DATA WRAPPER sagemaker_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere OPTIONS (aws_access_key_id 'x', aws_secret_access_key 'y');
SELECT sagemaker_describe_training_job('nowhere', 'x');  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- the function's arguments
SELECT sagemaker_describe_training_job('sm', 'no_such_job');  -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT sagemaker_describe_training_job('no such server', 'x');  -- ERROR
SELECT sagemaker_describe_training_job('sm', 'no-such-job');
SELECT sagemaker_describe_training_job('sm', NULL), sagemaker_describe_training_job(NULL, 'x');
SELECT sagemaker_describe_training_job('sm', 'pytorch-ads-0001')->>'TrainingJobArn';

-- throttled, and no call let through for as long as is allowed
ALTER SERVER sm OPTIONS (ADD throttle_timeout '0.2');
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "times": 0, "code": "ThrottlingException", "message": "Rate exceeded"}'`
\set VERBOSITY terse
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
\set answer `$SAGEMAKER_FDW_CTL clear`
ALTER SERVER sm OPTIONS (DROP throttle_timeout);
-- a session that was throttled goes on slowly; it may forget that
SELECT sagemaker_fdw_disconnect();
-- throttled once, in all the ways there are: the second attempt succeeds
\set calls `$SAGEMAKER_FDW_CTL calls`
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ThrottlingException", "type_in": "header"}'`
SELECT training_job_name FROM aws.job;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "TooManyRequestsException", "type_in": "code", "status": 429}'`
SELECT training_job_name FROM aws.job;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ThrottledException", "namespace": "com.amazonaws.sagemaker#"}'`
SELECT training_job_name FROM aws.job;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "status": 503, "content_type": "text/html", "body": "<html>busy</html>"}'`
SELECT training_job_name FROM aws.job;
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "reset_before"}'`
SELECT training_job_name FROM aws.job;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- the region is not enabled
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "OptInRequired", "status": 403, "message": "The AWS Access Key Id needs a subscription for the service"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- an expired token
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ExpiredTokenException", "message": "The security token included in the request is expired"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- any other error
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ValidationException", "message": "1 validation error detected"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- an error that is no AWS error
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "status": 403, "content_type": "application/xml", "body": "<?xml version=\"1.0\"?>\n<Error>denied by the proxy</Error>"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "status": 404, "body": ""}'`
SELECT training_job_name FROM aws.job;  -- ERROR
-- a redirect is not followed
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "body", "status": 307, "headers": [["Location", "http://127.0.0.1:1/"]], "body": ""}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE

-- a response that is too large
ALTER SERVER sm OPTIONS (ADD max_response_size '1kB');
SELECT role_arn FROM aws.training_jobs WHERE training_job_name = 'xgboost-ads-0011';  -- ERROR
\echo :LAST_ERROR_SQLSTATE
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "endless_body"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "endless_headers"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER SERVER sm OPTIONS (DROP max_response_size);

-- a response that is cut off, or never comes, in both attempts
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "truncate", "times": 2}'`
\set VERBOSITY sqlstate
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER SERVER sm OPTIONS (ADD read_timeout '0.2');
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "hang", "times": 2}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "drip", "times": 2, "interval_s": 0.01}'`
SELECT training_job_name FROM aws.job;  -- ERROR
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "slow_headers", "times": 2, "interval_s": 0.01}'`
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER SERVER sm OPTIONS (DROP read_timeout);
-- what is no HTTP
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "raw", "bytes_b64": "U1NILTIuMC1PcGVuU1NIXzkuMg0K"}'`
SELECT training_job_name FROM aws.job;  -- ERROR
-- nobody listens
ALTER SERVER sm OPTIONS (SET endpoint_url 'http://127.0.0.1:1');
\set VERBOSITY terse
SELECT training_job_name FROM aws.job;  -- ERROR
\echo :LAST_ERROR_SQLSTATE

-- TLS: the certificate must be trusted
ALTER SERVER sm OPTIONS (SET endpoint_url :'tls_url');
\set VERBOSITY sqlstate
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER SERVER sm OPTIONS (ADD ca_bundle :'ca');
SELECT training_job_name FROM aws.job;
ALTER SERVER sm OPTIONS (SET ca_bundle '/nowhere/ca.pem');
SELECT training_job_name FROM aws.job;  -- ERROR
ALTER SERVER sm OPTIONS (DROP ca_bundle, SET endpoint_url :'url');

-- clocks that differ are put right once, by the service's answer
\set answer `$SAGEMAKER_FDW_CTL config '{"clock_offset_s": 1200}'`
SELECT sagemaker_fdw_disconnect();
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT training_job_name FROM aws.job;
SELECT training_job_name FROM aws.job;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
\set answer `$SAGEMAKER_FDW_CTL config '{"clock_offset_s": 0}'`
SELECT training_job_name FROM aws.job;

DROP USER MAPPING FOR PUBLIC SERVER sm;
\i test/teardown.sql
