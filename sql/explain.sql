-- EXPLAIN shows the calls of a scan.
\i test/setup.sql
ALTER SERVER sm OPTIONS (DROP endpoint_url);

EXPLAIN (COSTS OFF) SELECT count(*) FROM aws.training_jobs;
EXPLAIN (COSTS OFF) SELECT training_job_name, training_job_status FROM aws.training_jobs;
EXPLAIN (COSTS OFF) SELECT training_job_name FROM aws.training_jobs WHERE failure_reason IS NOT NULL;
EXPLAIN (COSTS OFF) SELECT tags FROM aws.training_jobs;
EXPLAIN (COSTS OFF) SELECT * FROM aws.training_jobs;
EXPLAIN (COSTS OFF) SELECT training_job_name FROM aws.training_jobs WHERE training_job_name = 'x';
-- with VERBOSE, where they go
EXPLAIN (COSTS OFF, VERBOSE) SELECT training_job_name FROM aws.training_jobs WHERE training_job_name = 'x';
ALTER SERVER sm OPTIONS (ADD use_fips_endpoint 'true', ADD use_dualstack_endpoint 'true', SET region 'eu-west-1');
EXPLAIN (COSTS OFF, VERBOSE) SELECT training_job_name FROM aws.training_jobs WHERE training_job_name = 'x';
ALTER SERVER sm OPTIONS (DROP use_fips_endpoint, DROP use_dualstack_endpoint, SET region 'us-east-1');
-- in other formats
CREATE FUNCTION aws.plan_as(format text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (COSTS OFF, FORMAT ' || format || ') ' || query INTO plan;
	RETURN substring(plan FROM '[^\n]*API[- ]Operations.*');
END
$$;
SELECT aws.plan_as('json', 'SELECT failure_reason FROM aws.training_jobs');
SELECT aws.plan_as('yaml', 'SELECT failure_reason FROM aws.training_jobs');
SELECT aws.plan_as('xml', 'SELECT failure_reason FROM aws.training_jobs');

CREATE FUNCTION aws.explain_json(options text, query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (' || options || ', FORMAT json) ' || query INTO plan;
	RETURN plan;
END
$$;

-- no call is made for any of this, also for a prepared statement and a false condition
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
ALTER SERVER sm OPTIONS (ADD endpoint_url :'url');
SELECT count(*) FROM aws.training_jobs WHERE false;
SELECT count(*) FROM aws.training_jobs LIMIT 0;
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- ANALYZE counts them as the service does
CREATE FUNCTION aws.explain_analyze(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query
	LOOP
		CONTINUE WHEN line ~ 'Memory|Buffers|Batches|Planning:|API Bytes Received: [1-9]|API Wait Time: [0-9.]+ ms';
		-- versions write counts of rows in two ways, and name subplans in two
		RETURN NEXT regexp_replace(regexp_replace(line, 'rows=(\d+)\.\d+', 'rows=\1'), 'SubPlan \w+', 'SubPlan');
	END LOOP;
END
$$;
SELECT aws.explain_analyze('SELECT role_arn FROM aws.training_jobs');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
SELECT aws.explain_analyze($$SELECT tags FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-0001'$$);
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
-- totals are over all loops
SELECT aws.explain_analyze($$SELECT (SELECT role_arn FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-000' || n) FROM generate_series(1, 5) AS n$$);
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
-- retries and throttles
\set fault `$SAGEMAKER_FDW_CTL fault '{"kind": "error", "code": "ThrottlingException"}'`
SELECT aws.explain_analyze($$SELECT role_arn FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-0001'$$);
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls

-- every condition stands in a filter, also one with a sub-plan, and what is removed early is counted
SELECT aws.explain_analyze($$SELECT count(role_arn) FROM aws.training_jobs WHERE training_job_status <> 'Completed' AND role_arn LIKE '%nobody'$$);
SELECT jsonb_array_length(plan->0->'Plan'->'API Early Filter') AS filters, plan->0->'Plan'->'Rows Removed Early' AS removed
  FROM aws.explain_json('ANALYZE', $$SELECT 1 FROM aws.training_jobs
    WHERE creation_time > '2025-06-20' AND (role_arn = 'x' OR EXISTS (SELECT FROM pg_class WHERE relname = role_arn AND oid < 9))$$) AS plan;
-- figures that change are left out where they are not wanted
SELECT format('%s %s', costs, timing) AS costs_timing,
       plan->0->'Plan' ? 'Estimated API Calls' AS estimate, plan->0->'Plan' ? 'API Wait Time' AS wait
  FROM unnest(ARRAY['ON', 'OFF']) AS costs, unnest(ARRAY['ON', 'OFF']) AS timing,
       LATERAL (SELECT aws.explain_json(format('ANALYZE, COSTS %s, TIMING %s', costs, timing),
         'SELECT training_job_name FROM aws.training_jobs') AS plan) AS p;

-- the estimate of the table's rows
CREATE FUNCTION aws.estimated_rows(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan->0->'Plan'->>'Plan Rows';
END
$$;
SELECT aws.estimated_rows('SELECT * FROM aws.training_jobs');
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (ADD estimated_jobs '400000');
SELECT aws.estimated_rows('SELECT * FROM aws.training_jobs');
SELECT aws.estimated_rows($$SELECT * FROM aws.training_jobs WHERE training_job_name = 'x'$$);

-- a join looks jobs up, or walks over all, where that takes fewer calls; what one costs is a setting
CREATE TABLE aws.cost AS SELECT 'job-' || n AS job FROM generate_series(1, 20) AS n;
ANALYZE aws.cost;
SELECT aws.plan('SELECT role_arn FROM aws.cost JOIN aws.training_jobs ON training_job_name = job');
INSERT INTO aws.cost SELECT 'job-' || n FROM generate_series(21, 50000) AS n;
ANALYZE aws.cost;
SELECT aws.plan('SELECT role_arn FROM aws.cost JOIN aws.training_jobs ON training_job_name = job');
ALTER FOREIGN TABLE aws.training_jobs OPTIONS (SET estimated_jobs '10000');
SELECT aws.plan('SELECT role_arn FROM aws.cost JOIN aws.training_jobs ON training_job_name = job');
SHOW sagemaker_fdw.call_cost;
SET sagemaker_fdw.call_cost = -1;  -- ERROR

\i test/teardown.sql
