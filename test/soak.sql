-- What test/soak.sh runs: each call reads something and knows what it must be.
CREATE EXTENSION sagemaker_fdw;
\getenv url SAGEMAKER_FDW_TEST_URL
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw
  OPTIONS (region 'us-east-1', endpoint_url :'url', read_timeout '1', max_attempts '4', throttle_timeout '20', retry_mode 'standard');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id 'AKIDHISTORY000000001',
           aws_secret_access_key 'secret/of+the/history/account000000000001');
CREATE SCHEMA aws;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;
-- what is right, read before anything goes wrong
CREATE TABLE truth AS SELECT training_job_name, md5(raw_response::text) AS document FROM aws.training_jobs;
CREATE TABLE outcome (what text, sqlstate text);

-- Run a read; what may go wrong is noted, a wrong row is an error.
CREATE FUNCTION attempt(what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	picked record;
	wrong bigint;
	failed text := '00000';
BEGIN
	BEGIN
		CASE what
			WHEN 'lookup' THEN
				SELECT * INTO picked FROM truth ORDER BY random() LIMIT 1;
				SELECT count(*) INTO wrong FROM (
					SELECT md5(raw_response::text) AS document FROM aws.training_jobs
					WHERE training_job_name = picked.training_job_name
				) AS jobs WHERE document <> picked.document;
			WHEN 'list' THEN
				SELECT count(*) INTO wrong FROM (
					SELECT training_job_name FROM aws.training_jobs) AS jobs
					FULL JOIN truth USING (training_job_name)
				WHERE jobs IS NULL OR truth IS NULL;
			WHEN 'scan' THEN
				SELECT count(*) INTO wrong FROM (
					SELECT training_job_name, md5(raw_response::text) AS document FROM aws.training_jobs) AS jobs
					FULL JOIN truth USING (training_job_name, document)
				WHERE jobs IS NULL OR truth IS NULL;
			WHEN 'cursor' THEN
				wrong := 0;
				FOR picked IN SELECT training_job_name, md5(raw_response::text) AS document FROM aws.training_jobs LOOP
					IF NOT EXISTS (SELECT FROM truth WHERE truth = picked) THEN
						wrong := wrong + 1;
					END IF;
					EXIT WHEN random() < 0.1;
				END LOOP;
		END CASE;
		IF wrong <> 0 THEN
			RAISE EXCEPTION 'wrong rows: % of %', wrong, what USING ERRCODE = 'XX001';
		END IF;
	EXCEPTION
		-- read_timeout; resets; 500s; throttled to the end; cancelled
		WHEN SQLSTATE '08006' OR SQLSTATE 'HV000' OR SQLSTATE '53000' OR query_canceled THEN
			failed := SQLSTATE;
	END;
	INSERT INTO outcome VALUES (what, failed);
END
$$;
