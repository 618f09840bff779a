-- What test/demo.sh runs: a server, a user mapping and a table, and a report.
\getenv region DEMO_REGION
\getenv url SAGEMAKER_FDW_TEST_URL
\getenv access_key_id AWS_ACCESS_KEY_ID
\getenv secret_access_key AWS_SECRET_ACCESS_KEY
\getenv session_token AWS_SESSION_TOKEN

CREATE EXTENSION sagemaker_fdw;
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region :'region');
\if :{?url}
ALTER SERVER sm OPTIONS (ADD endpoint_url :'url', ADD pricing_endpoint_url :'url');
\endif
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id :'access_key_id', aws_secret_access_key :'secret_access_key');
\if :{?session_token}
ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (ADD aws_session_token :'session_token');
\endif
CREATE SCHEMA aws;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;

\echo
\echo 'Jobs and billable instance-hours by status and instance type:'
\echo
SELECT training_job_status AS status,
       part.instance_type,
       count(*) AS jobs,
       round(sum(billable_time_in_seconds::numeric * part.instance_count) / 3600, 1) AS instance_hours
  FROM aws.training_jobs
 CROSS JOIN LATERAL sagemaker_instance_groups(resource_config) AS part
 GROUP BY training_job_status, part.instance_type
 ORDER BY training_job_status, part.instance_type;

\echo 'The calls that it made:'
\echo
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT training_job_status, instance_type, sum(billable_time_in_seconds)
  FROM aws.training_jobs
 GROUP BY training_job_status, instance_type;

\echo 'A month''s cost by team, by AWS''s price list:'
\echo
CREATE SCHEMA reports;
CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm');
CALL sagemaker_fdw_create_cost_views('reports', jobs => 'aws.training_jobs', prices => 'reports.training_prices');
WITH cost AS (
  SELECT coalesce(tags->>'team', '(no team)') AS team, sum(list_cost) AS cost, billing_currency AS currency,
         sum(unpriced_charges) AS unpriced_charges
    FROM reports.job_costs
   WHERE creation_time > now() - interval '1 month'
   GROUP BY team, currency)
SELECT team, round(cost, 2) AS list_cost, currency, unpriced_charges, rpad('', (60 * cost / max(cost) OVER ())::integer, '█') AS chart
  FROM cost
 ORDER BY cost DESC NULLS LAST, team;
