-- What every regression test begins with: the extension, a server of the local
-- endpoint, and its training jobs as aws.training_jobs.
\set ECHO none
\set QUIET on
\pset null '(null)'
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
\getenv url SAGEMAKER_FDW_TEST_URL
\getenv tls_url SAGEMAKER_FDW_TEST_TLS_URL
\getenv ca SAGEMAKER_FDW_TEST_CA
\set answer `$SAGEMAKER_FDW_CTL config '{"request_id": "test-request"}'`
CREATE EXTENSION sagemaker_fdw;
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw
  OPTIONS (region 'us-east-1', endpoint_url :'url', max_attempts '2');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
CREATE SCHEMA aws;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;
-- EXPLAIN of a join: versions differ in which side of an equality comes first
CREATE FUNCTION aws.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query
	LOOP
		RETURN NEXT replace(replace(line, 'cost.job = training_job_name', 'training_job_name = cost.job'),
							'$0 = training_job_name', 'training_job_name = $0');
	END LOOP;
END
$$;
RESET client_min_messages;
\set QUIET off
\set ECHO all
