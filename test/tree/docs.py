"""Every SQL block of the documentation, run as it is printed.

Run below test/with-service: docs.py [--accept] DUMP, where DUMP is the program of
test/unit/attribute_dump.c.

The blocks of a page that are fenced as sql are run in their order, each by a psql of
its own, in a database of the page's own.  None may fail or warn.  Where nothing but
blank lines stands between a block and a fence without a language, or of "text", psql
must print what is in there.  Spaces at the ends of lines are not compared.

A block is run as it is printed but for SUBSTITUTIONS, which lead it to the local
endpoint, that of prices too; the cluster is the test's own, and STS is the endpoint there, too.  And where
its history ends, there now() is: PREPARE puts a function of that name before the one of
pg_catalog.  The time zone is UTC.

Links lead somewhere; doc/options.md has each option and setting with its facts, doc/reference.md names every object.

--accept writes into the pages what psql printed, to be read before it is committed.
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t"))
import pages
from harness import BULK, HISTORY, SECRETS, URL, Cluster, Died, control, main

TOP = pathlib.Path(__file__).resolve().parent.parent.parent

# What is printed, as a regular expression; what is run in its place.
SUBSTITUTIONS = [
    # a server that has no option which says where to go
    (r"(FOREIGN DATA WRAPPER sagemaker_fdw\s+OPTIONS \(region '[a-z0-9-]+'(?:, scan_api '[a-z]+')?)\)",
     r"\1, endpoint_url '%s', pricing_endpoint_url '%s')" % (URL, URL)),
    # the clock stays on the path
    (r'SET search_path = "\$user", public, sagemaker_fdw', "SET search_path = public, sagemaker_fdw, clock, pg_catalog"),
    (r"aws_access_key_id '\.\.\.'", "aws_access_key_id '%s'" % HISTORY[0]),
    (r"aws_secret_access_key '\.\.\.'", "aws_secret_access_key '%s'" % HISTORY[1]),
]

# Every page's database begins with this.  New objects go to public.
PREPARE = """
CREATE SCHEMA clock;
GRANT USAGE ON SCHEMA clock TO PUBLIC;
CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql
  RETURN timestamptz '2025-06-30 12:00:00+00';
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = public, clock, pg_catalog', current_database());
  EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
  EXECUTE format('ALTER DATABASE %I SET client_min_messages = warning', current_database());
END $$;
"""

# What the front page has a reader do, for the pages that go on from there.
FRONT_PAGE = """
CREATE SCHEMA sagemaker_fdw;
GRANT USAGE ON SCHEMA sagemaker_fdw TO PUBLIC;
CREATE EXTENSION sagemaker_fdw SCHEMA sagemaker_fdw;
ALTER DATABASE :"DBNAME" SET search_path = "$user", public, sagemaker_fdw;
\\connect
CREATE SCHEMA aws;
CREATE SCHEMA reports;
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;
"""

# Its four calls, for the pages over kept jobs and their costs.
COSTS = """
CALL sagemaker_fdw_create_partitioned_table('aws.all_jobs', servers => ARRAY['sm'], regions => ARRAY['us-east-1', 'eu-west-1']);
CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.all_jobs', since => '2020-01-01');
CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm', regions => ARRAY['us-east-1', 'eu-west-1']);
CALL sagemaker_fdw_create_cost_views('reports', jobs => 'reports.training_jobs', prices => 'reports.training_prices');
"""

# The servers of two accounts.
TWO_ACCOUNTS = FRONT_PAGE + """
CREATE SERVER research FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER research
  OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s');
""" % BULK

# The pages; what must have been done before their first block, before each, and before the first one under a heading.
PAGES = {
    # a reader sees what it is before he makes it
    "README.md": (FRONT_PAGE + COSTS, "",
                  {"Install": "DROP EXTENSION sagemaker_fdw CASCADE; DROP SCHEMA aws, reports, sagemaker_fdw CASCADE;"}),
    "doc/install.md": (FRONT_PAGE, "", {}),
    "doc/recipes.md": (FRONT_PAGE + COSTS, "", {}),
    "doc/prices.md": (FRONT_PAGE + COSTS, "", {}),
    "doc/columns.md": (FRONT_PAGE, "", {}),
    # its mappings are alternatives
    "doc/credentials.md": (FRONT_PAGE, "".join("DROP USER MAPPING IF EXISTS FOR %s SERVER sm;" % role
                                                for role in ("analyst", "auditor", "CURRENT_USER")), {}),
    "doc/options.md": (FRONT_PAGE, "", {}),
    "doc/reference.md": (FRONT_PAGE + COSTS, "", {}),
    "doc/pushdown.md": (FRONT_PAGE, "", {}),
    "doc/search.md": (FRONT_PAGE, "", {}),
    "doc/operations.md": (TWO_ACCOUNTS, "", {}),
    "doc/problems.md": (FRONT_PAGE, "", {}),
    # what it has in other languages, tools.py runs
    "doc/tools.md": (FRONT_PAGE + COSTS, "", {}),
}

# What the foreign data wrapper consists of, which users do not call.
WRAPPER = ["sagemaker_fdw_handler", "sagemaker_fdw_validator"]

# The objects of the extension, as doc/reference.md calls the kinds.
OBJECTS = """
SELECT kind, name
  FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid,
       LATERAL (SELECT CASE prokind WHEN 'p' THEN 'procedures' ELSE 'functions' END, proname, pronamespace
                  FROM pg_proc WHERE d.classid = 'pg_proc'::regclass AND oid = d.objid
                UNION ALL
                SELECT CASE relkind WHEN 'v' THEN 'views' ELSE 'tables' END, relname, relnamespace
                  FROM pg_class WHERE d.classid = 'pg_class'::regclass AND oid = d.objid
                UNION ALL
                SELECT 'types', typname, typnamespace
                  FROM pg_type WHERE d.classid = 'pg_type'::regclass AND oid = d.objid AND typtype = 'e'
                UNION ALL
                SELECT 'foreign data wrappers', fdwname, e.extnamespace
                  FROM pg_foreign_data_wrapper WHERE d.classid = 'pg_foreign_data_wrapper'::regclass AND oid = d.objid
               ) AS o (kind, name, namespace)
 WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = 'sagemaker_fdw' AND d.deptype = 'e' AND o.namespace = e.extnamespace
UNION ALL
SELECT 'what statements create', relname FROM pg_class
 WHERE relnamespace = 'aws'::regnamespace AND relkind = 'f' AND NOT relispartition
    OR relnamespace = 'reports'::regnamespace AND relkind = 'v';
"""

# The settings: name, default, who may set it, and what it accepts, as doc/options.md says it.
SETTINGS = """
LOAD 'sagemaker_fdw';
SELECT name, current_setting(name), context,
       CASE WHEN vartype = 'bool' THEN 'on or off'
            WHEN max_val::float8 >= 2147483647 THEN min_val || ' or more'
            ELSE min_val || ' to ' || max_val END
  FROM pg_settings WHERE name LIKE 'sagemaker\\_fdw.%';
"""

# Roles that the pages suppose.
ROLES = ["analyst", "auditor", "scheduler", "grafana"]

# What doc/recipes.md must have: the headings of its recipes over kept jobs and prices.
MONEY = [
    "The charges of a job", "Charges without a cost", "Cost by team", "Cost by experiment", "Cost by day and month",
    "The bill", "Cost so far of running jobs", "What failed jobs cost", "Spot savings", "Warm pools",
]
# Of those that read the live table.
RECIPES = MONEY + [
    "Queue time", "Time in each secondary status", "Jobs near their stopping condition",
    "Retried jobs", "Tuning leaderboard", "A materialized view", "On a hot standby",
]
# And without SQL.
SECTIONS = ["Grafana"]

# Calls that a recipe makes: no description of a job that is not asked for, no tags that are not read.
CALLS = {
    "Queue time": "DescribeTrainingJob=300 ListTrainingJobs=3",
    "Jobs near their stopping condition": "DescribeTrainingJob=25 ListTrainingJobs=3",
    "Tuning leaderboard": "DescribeTrainingJob=8 ListTrainingJobsForHyperParameterTuningJob=1",
    "On a hot standby": "ListTrainingJobs=3",
}

# The same over one region, that of the recipes which read the live table.
ONE_REGION = COSTS.replace("aws.all_jobs', since", "aws.training_jobs', since")

# Jobs that a report could get wrong, at prices that are easy to reckon with, in place of those in the kept tables.
CORNERS = """
TRUNCATE reports.training_jobs, reports.training_prices, reports.cur;
INSERT INTO reports.training_prices (region, charge, instance_type, usage_type, price, currency, unit, effective_date, sku, rate_code,
                                     attributes, first_seen_at)
SELECT region, charge, instance_type, usage_type, price, currency, CASE WHEN instance_type IS NULL THEN 'GB-Mo' ELSE 'Hrs' END,
       '2020-01-01Z', sku, sku || '.1', '{}', '2020-01-01Z'
  FROM (VALUES ('us-east-1', 'training', 'ml.m5.large', 'USE1-Train:ml.m5.large', 0.12, 'USD', 'S1'),
               ('us-east-1', 'training', 'ml.g5.2xlarge', 'USE1-Train:ml.g5.2xlarge', 1.52, 'USD', 'S2'),
               ('us-east-1', 'training', 'ml.c5.4xlarge', 'USE1-Train:ml.c5.4xlarge', 0.82, 'USD', 'S3'),
               ('us-east-1', 'training', 'ml.two.large', 'USE1-Train:ml.two.large', 2, 'USD', 'S4'),
               ('us-east-1', 'training', 'ml.two.large', 'USE1-Train:ml.two.large', 3, 'USD', 'S5'),
               ('us-east-1', 'spot', 'ml.m5.large', 'USE1-TrSpt:ml.m5.large', 0.10, 'USD', 'S6'),
               ('us-east-1', 'storage', NULL, 'USE1-Train:VolumeUsage.gp2', 0.14, 'USD', 'S7'),
               ('cn-northwest-1', 'training', 'ml.m5.large', 'CNW1-Train:ml.m5.large', 1, 'CNY', 'S8'))
    AS p (region, charge, instance_type, usage_type, price, currency, sku);
CREATE FUNCTION job(name text, status text, created timestamptz, started timestamptz, billable integer, config jsonb,
                    team text, more jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO reports.training_jobs
  SELECT (jsonb_populate_record(NULL::reports.training_jobs, jsonb_build_object(
           'training_job_name', name,
           'training_job_arn', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/' || name,
           'training_job_status', status, 'creation_time', created, 'training_start_time', started,
           'training_end_time', started + make_interval(secs => billable),
           'training_time_in_seconds', billable, 'billable_time_in_seconds', billable, 'resource_config', config,
           'instance_type', config->>'InstanceType', 'region', 'us-east-1', 'account_id', '123456789012', 'refreshed_at', now(),
           'tags', CASE WHEN team IS NULL THEN NULL ELSE jsonb_build_object('team', team) END) || more)).*;
END;
\o /dev/null
\set large '{"InstanceType": "ml.m5.large", "InstanceCount": 2}'
\set unpriced '{"InstanceType": "ml.new.large", "InstanceCount": 1}'
SELECT job('plain', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600, :'large', 'a',
           '{"warm_pool_status": {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 1800}}');
SELECT job('groups', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600, '{"InstanceGroups": [
             {"InstanceGroupName": "1", "InstanceType": "ml.g5.2xlarge", "InstanceCount": 2},
             {"InstanceGroupName": "2", "InstanceType": "ml.c5.4xlarge", "InstanceCount": 1}]}', 'a');
SELECT job('half-priced', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600, '{"InstanceGroups": [
             {"InstanceGroupName": "1", "InstanceType": "ml.m5.large", "InstanceCount": 1},
             {"InstanceGroupName": "2", "InstanceType": "ml.new.large", "InstanceCount": 3}]}', 'b',
           '{"warm_pool_status": {"Status": "InUse"}}');
SELECT job('runs', 'InProgress', '2025-06-30 09:58Z', '2025-06-30 10:00Z', NULL, :'large', 'b',
           '{"enable_managed_spot_training": true, "stopping_condition": {"MaxRuntimeInSeconds": 9000}, "secondary_status_transitions": [
              {"Status": "Starting", "StartTime": "2025-06-30T09:58:00Z", "EndTime": "2025-06-30T10:00:00Z"},
              {"Status": "Training", "StartTime": "2025-06-30T10:00:00Z"}]}');
SELECT job('never-began', 'Failed', '2025-06-10Z', NULL, NULL, :'large', NULL);
SELECT job('waits', 'InProgress', '2025-06-30 02:00Z', NULL, NULL, :'large', NULL,
           '{"stopping_condition": {"MaxRuntimeInSeconds": 9000, "MaxWaitTimeInSeconds": 43200}}');
SELECT job('no-time', 'Stopped', '2025-06-10Z', '2025-06-10 00:10Z', NULL, :'large', 'c',
           '{"secondary_status_transitions": [{"Status": "Stopping", "StartTime": "2025-06-10T00:20:00Z"}]}');
SELECT job('serverless', 'Completed', '2025-06-10Z', '2025-06-10Z', NULL, NULL, 'd', '{"billable_token_count": 10}');
SELECT job('new-label', NULL, '2025-06-10Z', '2025-06-10Z', 3600, :'large', 'e',
           '{"enable_managed_spot_training": true, "training_time_in_seconds": 14400}');
SELECT job('runs-unpriced', 'Stopping', '2025-06-30 10:00Z', '2025-06-30 10:30Z', NULL, :'unpriced', 'f',
           '{"stopping_condition": {"MaxRuntimeInSeconds": 86400}}');
-- a name that was used again, and what else the bill of the recipe has
SELECT job('pytorch-fraud-0298', 'Completed', '2025-05-15Z', '2025-05-15Z', 3600, :'large', 'g');
SELECT job('pytorch-fraud-0298', 'Failed', '2025-05-16Z', '2025-05-16Z', 7200, :'large', 'g',
           '{"failure_reason": "ClientError: no data"}');
SELECT job('pytorch-vision-0299', 'Completed', '2025-05-16Z', '2025-05-16Z', 3600, :'unpriced', 'h',
           '{"enable_managed_spot_training": true}');
-- a plan, a price that is two, another currency, half of its time in another month, a volume of 100 GB for a tenth of a month
SELECT job('planned', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600,
           '{"InstanceType": "ml.m5.large", "InstanceCount": 1, "TrainingPlanArn": "arn:aws:sagemaker:us-east-1:123456789012:training-plan/p"}', 'j');
SELECT job('ambiguous', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600, '{"InstanceType": "ml.two.large", "InstanceCount": 1}', 'j');
SELECT job('yuan', 'Completed', '2025-06-10Z', '2025-06-10Z', 3600, :'large', 'a', '{"region": "cn-northwest-1"}');
SELECT job('over-midnight', 'Completed', '2025-05-31 18:00Z', '2025-05-31 18:00Z', 43200, :'large', 'k');
SELECT job('volume', 'Completed', '2025-06-20Z', '2025-06-20Z', 259200,
           '{"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 100}', 'k');
-- lines of the bill: in another case, with a savings plan, of a job that is not there, of something else
INSERT INTO reports.cur VALUES
  ('2025-05-15Z', 'Usage', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/PyTorch-Fraud-0298', 'USE1-Train:ml.m5.large', 'S1.1', 0.24, 0.24, 'USD', NULL),
  ('2025-05-16Z', 'SavingsPlanCoveredUsage', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/pytorch-fraud-0298', 'USE1-Train:ml.m5.large', 'S1.1', 0.48, 0.48, 'USD', 0.36),
  ('2025-05-16Z', 'SavingsPlanNegation', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/pytorch-fraud-0298', 'USE1-Train:ml.m5.large', 'S1.1', 0.48, -0.48, 'USD', NULL),
  ('2025-06-10Z', 'Usage', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/groups', 'USE1-Train:ml.g5.2xlarge', 'S2.1', 3.04, 3.04, 'USD', NULL),
  ('2025-06-10Z', 'EdpDiscount', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/groups', 'USE1-Train:ml.g5.2xlarge', '', 0, -0.76, 'USD', NULL),
  ('2025-06-28Z', 'Usage', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/deleted-since', 'USE1-Train:ml.m5.large', 'S1.1', 1, 1, 'USD', NULL),
  ('2025-06-28Z', 'Usage', 'arn:aws:sagemaker:us-east-1:123456789012:endpoint/ranking', 'USE1-Host:ml.m5.large', 'S9.1', 5, 5, 'USD', NULL);
SELECT job('no-number', 'Completed', '2025-05-01Z', '2025-05-01Z', 0, :'large', 'i', '{
  "tuning_job_arn": "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-vision",
  "final_metric_data_list": [{"MetricName": "validation:auc", "Value": "NaN"}]}');
SELECT job('number', 'Completed', '2025-05-01Z', '2025-05-01Z', 0, :'large', 'i', '{
  "tuning_job_arn": "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-vision",
  "final_metric_data_list": [{"MetricName": "validation:auc", "Value": 0.1, "Timestamp": "2025-05-01T00:00:00Z"},
                             {"MetricName": "validation:auc", "Value": 0.5, "Timestamp": "2025-05-01T01:00:00Z"},
                             {"MetricName": "train:loss", "Value": 0.9, "Timestamp": "2025-05-01T02:00:00Z"}]}');
\o
"""

# What the recipes say of them, by the recipe's heading.
CORNER_REPORTS = {
    "Cost by team": [
        "k|USD|2|12.92|11.52||1.40|0", "a|USD|2|4.22|4.10|0.12||0", "a|CNY|1|2.00|2.00|||0", "e|USD|1|0.20|0.20|||0",
        "b|USD|2|0.12|0.12|||4", "(no team)|USD|2|0.00|0.00|||1", "j|USD|1|0.00|0.00|||0",
        "c|USD|1|||||1", "d||1|||||1", "f||1|||||1", "j||1|||||1"],
    "Charges without a cost": [
        "running|training|2|2|", "ambiguous price|training|1|1|us-east-1 ml.two.large", "billable time not known|training|1|1|",
        "no price|spot|1|1|us-east-1 ml.new.large", "no price|training|1|1|us-east-1 ml.new.large", "running|spot|1|1|",
        "serverless|training|1|1|", "warm pool open|warm pool|2|1|"],
    "Cost by experiment": ["(no experiment)|0|15|18.18|USD|6", "(no experiment)|0|1|2.00|CNY|0", "(no experiment)|0|4|||4"],
    # half of what ran over midnight is May's
    "Cost by day and month": ["2025-05|5|2.16|USD|0", "2025-05|1|||1", "2025-06|1|2.00|CNY|0", "2025-06|9|16.02|USD|3", "2025-06|4|||4"],
    # what goes on does so on each day
    "Cost by day and month #2": [
        "2025-06-28|b|1||USD|1", "2025-06-28|b|1|||1", "2025-06-29|b|1||USD|1", "2025-06-29|b|1|||1",
        "2025-06-30|b|2||USD|2", "2025-06-30|b|1|||1", "2025-06-30|f|1|||1"],
    # two jobs of one name have one ARN, which the bill writes in another case
    "The bill": [
        "jobs|training|1|2.00||||CNY", "(all)||1|2.00||||CNY",
        "bill||1||1.00|1.00|0.0|USD", "both|training|2|3.76|3.76|2.88|23.4|USD", "jobs|spot|1|0.20||||USD", "jobs|storage|1|1.40||||USD",
        "jobs|training|4|12.46||||USD", "jobs|training and warm pool|1|0.36||||USD", "(all)||10|18.18|4.76|3.88|18.5|USD"],
    "Cost so far of running jobs": ["runs-unpriced|Stopping|1.5|1||", "runs|InProgress|2.0|2|0.40|USD", "waits|InProgress|0.0|2|0.00|USD"],
    "What failed jobs cost": ["ClientError|1|0.48|USD|0", "(no reason)|1|0.00|USD|0"],
    "Spot savings": ["2025-05|1|1.0|1.0|||||1", "2025-06|1|8.0|2.0|0.20|0.96|0.76|USD|0"],
    "Warm pools": ["InUse|1|||USD|1", "InUse|1||||1", "Terminated|1|1.00|0.12|USD|0"],
    "Queue time": ["ml.new.large|2|0|00:15:00|00:28:30|00:30:00", "ml.m5.large|14|1|00:00:00|00:05:36|00:10:00",
                   "(groups or none)|3|0|00:00:00|00:00:00|00:00:00", "ml.two.large|1|0|00:00:00|00:00:00|00:00:00"],
    "Time in each secondary status": ["Training|1|1|02:00:00|02:00:00|2.0", "Starting|1|1|00:02:00|00:02:00|0.0"],
    "Jobs near their stopping condition": [
        "runs|2025-06-30 12:30:00+00|00:30:00", "waits|2025-06-30 14:00:00+00|02:00:00"],
    "Tuning leaderboard": ["1|number|Completed|0.5000||", "2|no-number|Completed|||"],
}

# The dashboard's panels: the format of the query; figures of its answer; a query for what they must be, of the jobs that
# are chosen.  Costs are those of the views, which tests of their own compare with other programs.
PANELS = {
    "Data age": ("table", "round(seconds)", """
        SELECT round(extract(epoch FROM now() - min(last_success_at))) FROM sagemaker_fdw_refresh_status;"""),
    "Failing partitions": ("table", "failing", "SELECT 0;"),
    "Kept tables": ("table", "count(*), count(last_success_at), string_agg(region, ' ' ORDER BY region), count(error)", """
        SELECT 2, 2, 'eu-west-1 us-east-1', 0;"""),
    "Cost": ("table", "string_agg(currency || round(list_cost, 6), ' ' ORDER BY currency)", """
        SELECT string_agg(currency || cost, ' ' ORDER BY currency)
          FROM (SELECT billing_currency AS currency, round(sum(list_cost), 6) AS cost
                  FROM chosen JOIN reports.job_charges AS c ON resource_id = training_job_arn
                 WHERE $window AND list_cost IS NOT NULL GROUP BY 1) AS t;"""),
    "Charges without a cost": ("table", "string_agg(reason || charges, ' ' ORDER BY reason)", """
        SELECT string_agg(reason || charges, ' ' ORDER BY reason)
          FROM (SELECT reason, count(*) AS charges FROM chosen JOIN reports.job_charges AS c ON resource_id = training_job_arn
                 WHERE $window AND list_cost IS NULL GROUP BY 1) AS t;"""),
    "Spot savings": ("table", "round(percent, 2)", """
        SELECT round(100 - 100.0 * sum(hours * billable_time_in_seconds) / sum(hours * training_time_in_seconds), 2)
          FROM chosen,
               LATERAL (SELECT sum(g.instance_count) AS hours FROM sagemaker_instance_groups(resource_config) AS g) AS g
         WHERE enable_managed_spot_training AND training_end_time IS NOT NULL AND $window;"""),
    "Jobs by status": ("table", "string_agg(status || jobs, ' ' ORDER BY status)", """
        SELECT string_agg(status || jobs, ' ' ORDER BY status)
          FROM (SELECT training_job_status AS status, count(*) AS jobs FROM chosen
                 WHERE $window GROUP BY 1) AS t;"""),
    "Cost by team and day": ("time_series", """count(*), count(DISTINCT "time"), string_agg(DISTINCT metric, ' '),
                             min(to_timestamp("time")), round(sum(list_cost), 6)""", """
        SELECT count(DISTINCT (day, d.tags->'team')), count(DISTINCT day), string_agg(DISTINCT d.tags->>'team' || ' USD', ' '),
               min(day::timestamp AT TIME ZONE 'UTC'), round(sum(list_cost), 6)
          FROM chosen JOIN reports.daily_charges AS d ON resource_id = training_job_arn
         WHERE day BETWEEN '2025-06-01' AND '2025-06-30' AND list_cost IS NOT NULL;"""),
    "Cost by team and month": ("table", """count(*), string_agg(DISTINCT month, ' '), count(DISTINCT team), string_agg(DISTINCT currency, ' '),
                               round(sum(list_cost), 6), sum(charges_without_cost)""", """
        SELECT count(DISTINCT (date_trunc('month', day), d.tags->'team')), '2025-05 2025-06', count(DISTINCT d.tags->'team'), 'USD', round(sum(list_cost), 6),
               -- a charge that goes on is counted in each of its months
               count(DISTINCT (date_trunc('month', day), resource_id, charge, d.instance_type)) FILTER (WHERE list_cost IS NULL)
          FROM chosen JOIN reports.daily_charges AS d ON resource_id = training_job_arn
         WHERE day >= '2025-05-01';"""),
    "Instance hours by team and day": ("time_series", """count(*), round(sum(hours), 6)""", """
        SELECT count(DISTINCT (creation_time::date, tags->'team')),
               round(sum(billable_time_in_seconds::bigint * g.instance_count) / 3600, 6)
          FROM chosen CROSS JOIN LATERAL sagemaker_instance_groups(resource_config) AS g
         WHERE training_end_time IS NOT NULL AND $window;"""),
    "Failed jobs by day": ("time_series", "string_agg(DISTINCT metric, ' '), sum(jobs)", """
        SELECT string_agg(DISTINCT substring(failure_reason FROM '^[A-Za-z]+'), ' '), count(*)
          FROM chosen WHERE training_job_status = 'Failed' AND $window;"""),
    "Queue time": ("time_series", "count(*), round(max(p95)), round(min(median))", """
        SELECT count(*), round(max(p95)), round(min(median))
          FROM (SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY queue)) AS median,
                       extract(epoch FROM percentile_cont(0.95) WITHIN GROUP (ORDER BY queue)) AS p95
                  FROM (SELECT creation_time::date AS day, training_start_time - creation_time AS queue
                          FROM chosen WHERE $window) AS jobs GROUP BY day) AS days;"""),
    "Running jobs": ("table", """count(*), count(DISTINCT job), count(seconds), round(sum(seconds)),
                     round(min(percent_of_limit))""", """
        SELECT count(*), count(*), count(*), round(extract(epoch FROM sum(now() - training_start_time))),
               round(100 * extract(epoch FROM min(now() - training_start_time)) / 86400)
          FROM chosen
         WHERE training_end_time IS NULL AND training_job_name <> 'pytorch-fraud-0297';"""),
}

# What those of jobs are tried with: nothing chosen, and one of each variable.
CHOICES = {"all jobs": {}, "a choice": {"account": "123456789012", "region": "us-east-1", "team": "ads"}}
CHOSEN = {"account": "account_id", "region": "region", "team": "tags->>'team'"}


class Block:
    """A block that is run: where it stands, its text, and the output printed below it, if any."""

    def __init__(self, heading, line, sql):
        self.heading, self.line, self.sql = heading, line, sql
        self.output = None
        # first and last line of the output, counted from 0, the fences not among them
        self.output_lines = None


def fences(text):
    """(line, counted from 1, language, text) of each fence of a page, in its order."""
    lines = text.split("\n")
    begun = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begun is None:
            begun = number
        else:
            yield begun + 1, lines[begun][3:].strip(), "\n".join(lines[begun + 1:number])
            begun = None


def read_blocks(text, wanted="sql"):
    """The SQL blocks of a page, or those in another language, in its order."""
    blocks = []
    heading = ""
    lines = text.split("\n")
    last = None                 # the block that an output may follow
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("```"):
            if line.strip():
                last = None
            number += 1
            continue
        end = number + 1
        while lines[end] != "```":
            end += 1
        body = "\n".join(lines[number + 1:end])
        language = line[3:].strip()
        if language == wanted:
            last = Block(heading, number + 2, body)
            blocks.append(last)
        else:
            if last is not None and language in ("", "text"):
                last.output, last.output_lines = body, (number + 1, end)
            last = None
        number = end + 1
    return blocks


def write_outputs(path, blocks, printed):
    """Write into a page what its blocks have printed, where it has an output."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for block, output in reversed(list(zip(blocks, printed))):
        if block.output is not None:
            first, end = block.output_lines
            lines[first:end] = output.split("\n")
    path.write_text("\n".join(lines), encoding="utf-8")


def substitute(sql):
    for printed, run in SUBSTITUTIONS:
        sql = re.sub(printed, run, sql)
    return sql


def trimmed(text):
    """Without spaces at the ends of lines and blank lines at both ends."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def psql(database, sql, *options):
    """(what psql printed, what it complained of) when it runs a text."""
    with tempfile.TemporaryDirectory() as home:
        # what a reader keeps there
        os.mkdir(home + "/.secrets")
        pathlib.Path(home, ".secrets", "sagemaker").write_text(HISTORY[1], encoding="ascii")
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", *options,
                               "-d", database, "-f", "-"], input=substitute(sql), capture_output=True,
                              encoding="utf-8", env=dict(os.environ, HOME=home), check=False)
    if SECRETS.search(done.stdout + done.stderr):
        raise Died("psql is shown a secret")
    complaint = done.stderr.strip()
    if done.returncode != 0 and not complaint:
        complaint = "exit status %d" % done.returncode
    return trimmed(done.stdout), complaint


def must(database, sql, *options):
    """What psql printed for statements that must succeed."""
    output, complaint = psql(database, sql, *options)
    if complaint:
        raise Died("%s: %s" % (sql, complaint))
    return output


def make_database(session, suffix, *preparations):
    """A database for one page."""
    name = "%s_%s" % (os.environ["SAGEMAKER_FDW_TEST_DATABASE"], suffix)
    session.run("CREATE DATABASE %s" % name)
    for sql in (PREPARE, *preparations):
        must(name, sql)
    return name


def test_page(tap, page, database, before_each, before_heading, accept):
    """Run a page."""
    path = TOP / page
    blocks = read_blocks(path.read_text(encoding="utf-8"))
    tap.ok(blocks, "%s has SQL" % page)
    printed = []
    seen = set()
    for block in blocks:
        must(database, before_each)
        if block.heading not in seen:
            must(database, before_heading.get(block.heading, ""))
            seen.add(block.heading)
        output, complaint = psql(database, block.sql)
        title = "%s:%d: %s" % (page, block.line, block.heading)
        printed.append(output)
        if complaint:
            tap.ok(False, title, complaint)
        elif block.output is None:
            tap.ok(True, title)
        else:
            tap.ok(accept or output == trimmed(block.output), title, output)
    tap.equal([heading for heading in before_heading if heading not in seen], [], "%s has the headings of this test" % page)
    if accept:
        write_outputs(path, blocks, printed)


def test_reader(tap):
    """What read_blocks() finds, and does not."""
    found = read_blocks("# One\n```sql\nSELECT 1;\n```\n\n```\n 1\n```\nText\n```\nnone\n```\n"
                        "## Two\n```sql\nSELECT 2;\n\nSELECT 3;\n```\nText\n```\nno output\n```\n```sh\nls\n```\n"
                        "```sql\nSELECT 4;\n```\n```text\n4\n```\n")
    tap.equal([(block.heading, block.line, block.sql, block.output) for block in found],
              [("One", 3, "SELECT 1;", " 1"), ("Two", 15, "SELECT 2;\n\nSELECT 3;", None), ("Two", 27, "SELECT 4;", "4")],
              "SQL blocks are found with the output that follows them")


def test_columns(tap, database, dump):
    """The page of columns is what its generator writes, and what IMPORT makes."""
    generated = subprocess.run([sys.executable, "-B", TOP / "test/doc/columns.py", dump], check=True,
                               capture_output=True, encoding="utf-8").stdout
    page = (TOP / "doc/columns.md").read_text(encoding="utf-8")
    tap.ok(page == generated, "doc/columns.md is what test/doc/columns.py writes",
           "write it again: test/doc/columns.py DUMP > doc/columns.md")
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| `([^`|]+)` \|", page, re.M)
    tap.equal(["%s|%s" % row for row in rows], must(database, """
        SELECT attname, CASE atttypid WHEN 'timestamptz'::regtype THEN 'timestamptz'
                                      ELSE format_type(atttypid, NULL) END
          FROM pg_attribute WHERE attrelid = 'aws.training_jobs'::regclass AND attnum > 0 ORDER BY attnum;
        """, "-A", "-t").split("\n"), "and it has the columns of the imported table, in order")
    meanings = re.findall(r"^\| `(\w+)` \| [^|]* \| `[^`|]+` \| ([^|]*) \|$", page, re.M)
    tap.equal(["%s|%s" % meaning for meaning in meanings], must(
        database, "SELECT column_name, description FROM sagemaker_fdw_columns();", "-A", "-t").split("\n"), "and what each means")
    labels = dict(re.findall(r"^\| `(sagemaker_\w+)` \| (.*) \|$", page, re.M))
    tap.equal({name: re.findall("`(\\w+)`", text) for name, text in labels.items()}, {
        name: must(database, "SELECT unnest(enum_range(NULL::%s));" % name, "-A", "-t").split("\n")
        for name in ("sagemaker_training_job_status", "sagemaker_secondary_status", "sagemaker_profiling_status")},
        "and the labels of the enum types, in order")


def same(tap, found, expected, title):
    """Are these the same, in whatever order?  Shows what is missing, and what is too much."""
    found, expected = collections.Counter(found), collections.Counter(expected)
    tap.equal((list(expected - found), list(found - expected)), ([], []), title)


def overview(page):
    """The tables at the top of doc/options.md: (place, name, anchor, whether it is marked (S), default) of each row."""
    found, = [section for section in pages.sections(page) if section.heading == "Overview"]
    place = None
    for first, default, *_ in pages.rows(found.text):
        name = re.fullmatch(r"\[`([\w.]+)`\]\(#([\w-]+)\)( \(S.*\))?", first)
        if name:
            yield place, name[1], name[2], name[3] is not None, default
        elif default == "default":
            place = first


def test_options(tap, settings):
    """doc/options.md has what option_table and the settings have, and nothing else."""
    page = (TOP / "doc/options.md").read_text(encoding="utf-8")
    expected = {option.name: option for option in pages.options(TOP) + settings}
    headings = [(name, section) for section in pages.sections(page) if section.level == 3 for name in section.names()]
    same(tap, [name for name, _ in headings], list(expected), "doc/options.md has a heading for each option and setting, and for no other")
    explained = dict(headings)
    same(tap, [row[:4] for row in overview(page)],
         [(option.place, name, explained[name].anchor, option.superuser) for name, option in expected.items() if name in explained],
         "and a row in its overview")
    tap.equal([(name, default) for _, name, _, _, default in overview(page) if name in expected and
               (default == "`%s`" % expected[name].preset) != (expected[name].preset is not None)], [], "which has its default")
    for section in dict.fromkeys(explained.values()):
        first, *others = section.paragraphs() or [""]
        meant = [expected[name] for name in section.names() if name in expected]
        tap.equal(([fact for option in meant for fact in option.facts() if fact.lower() not in first.lower()], "superusers" in first),
                  ([], any(option.superuser for option in meant)), "doc/options.md: %s: facts" % section.heading)
        tap.equal((len(others) > 0, any(name in block for name in section.names() for block in section.blocks())), (True, True),
                  "a paragraph, and an example")


def test_reference(tap, database):
    """The index of doc/reference.md names everything, and nothing else; links of all pages lead somewhere."""
    expected = {}
    for line in must(database, OBJECTS, "-A", "-t").split("\n"):
        kind, name = line.split("|")
        expected.setdefault(kind, []).append(name)
    expected["functions"] = [name for name in expected["functions"] if name not in WRAPPER]
    for option in pages.options(TOP):
        for context, kind in (("ON_SERVER", "a server"), ("ON_TABLE", "a foreign table"), ("ON_COLUMN", "a column"),
                              ("ON_MAPPING", "a user mapping"), ("ON_IMPORT", "IMPORT FOREIGN SCHEMA")):
            if context in option.contexts:
                expected.setdefault("options of " + kind, []).append(option.name)
    settings = [pages.Setting(*line.split("|")) for line in must(database, SETTINGS, "-A", "-t").split("\n")]
    expected["settings"] = [setting.name for setting in settings]
    page = (TOP / "doc/reference.md").read_text(encoding="utf-8")
    found, = [section for section in pages.sections(page) if section.heading == "Index"]
    index = {kind: [(label.strip("`"), target) for label, target in pages.links(names)] for kind, names in pages.rows(found.text)[2:]}
    same(tap, [(kind, name) for kind, names in index.items() for name, _ in names],
         [(kind, name) for kind, names in expected.items() for name in names], "the index of doc/reference.md names everything")
    tap.equal([kind for kind, names in index.items() if names != sorted(names)], [], "in order")
    tap.equal([name for names in index.values() for name, target in names
               if name not in pages.text_at(TOP, "doc/reference.md", target)], [], "and leads to where it is explained")
    tap.equal(list(pages.dangling(TOP)), [], "the links of all pages lead to a file and a heading")
    test_options(tap, settings)


def recipe_blocks():
    return read_blocks((TOP / "doc/recipes.md").read_text(encoding="utf-8"))


def reading_blocks():
    """Those that only read."""
    return [block for block in recipe_blocks() if block.sql.startswith(("SELECT", "WITH"))]


def over_kept_table(sql):
    return sql.replace("aws.training_jobs", "reports.training_jobs")


def test_recipes(tap, database):
    """What doc/recipes.md has, and which calls it makes."""
    blocks = recipe_blocks()
    with_sql = {block.heading for block in blocks}
    sections = re.findall("^## (.*)$", (TOP / "doc/recipes.md").read_text(encoding="utf-8"), re.M)
    tap.equal(sorted(with_sql), sorted(RECIPES), "every recipe is there, and has SQL")
    tap.equal(sorted(sections), sorted(RECIPES + SECTIONS), "and the other sections")
    for heading, calls in CALLS.items():
        block = next(block for block in blocks if block.heading == heading)
        control("calls")
        must(database, block.sql)
        tap.equal(control("calls").strip(), calls, "calls of: %s" % heading)
    reading = reading_blocks()
    control("calls")
    again = [must(database, block.sql) for block in reading if block.heading in MONEY]
    tap.equal((len(again), control("calls").strip()), (11, "none"), "the recipes about money make none")
    tap.equal(again, [trimmed(block.output) for block in reading if block.heading in MONEY],
              "and print the same again, the bill's when the other kind of export is read")
    live = [block for block in reading if "aws.training_jobs" in block.sql]
    described = [must(database, block.sql) for block in live]
    must(database, "ALTER SERVER sm OPTIONS (ADD scan_api 'search');")
    control("calls")
    tap.equal([block.heading for block, printed in zip(live, described) if must(database, block.sql) != printed], [],
              "%d recipes print the same with Search" % len(live))
    # the leaderboard asks for the jobs of one tuning job
    tap.equal(control("calls").strip(), "DescribeTrainingJob=8 ListTrainingJobsForHyperParameterTuningJob=1 Search=11",
              "and describe no job that Search finds")
    must(database, "ALTER SERVER sm OPTIONS (DROP scan_api);")


def test_kept_table(tap, database):
    """The recipes over the live table, over a table of one's own."""
    reading = [block for block in reading_blocks() if "aws.training_jobs" in block.sql and block.output is not None]
    control("calls")
    printed = [must(database, over_kept_table(block.sql)) for block in reading]
    tap.equal(([block.heading for block, output in zip(reading, printed) if output != trimmed(block.output)],
               control("calls").strip()), ([], "none"), "over a kept table %d recipes print the same" % len(reading))


def expand_macros(sql, variables):
    """A query as Grafana sends it, for the 30 days before the end of the history; lists of values of the variables."""
    since, until = "'2025-05-31T12:00:00Z'", "'2025-06-30T12:00:00Z'"
    group = r"floor(extract(epoch from \1)/86400)*86400"
    for macro, text in ((r"\$__timeFilter\(([^()]+)\)", r"\1 BETWEEN %s AND %s" % (since, until)),
                        (r"\$__timeFrom\(\)", since), (r"\$__timeTo\(\)", until),
                        (r"\$__timeGroupAlias\(([^(),]+), *'1d'(?:, *0)?\)", group + ' AS "time"'),
                        (r"\$__timeGroup\(([^(),]+), *'1d'(?:, *0)?\)", group)):
        sql = re.sub(macro, text, sql)
    for name, values in variables.items():
        sql = sql.replace("${%s:sqlstring}" % name, ",".join("'%s'" % value.replace("'", "''") for value in values))
    return sql


def read_dashboard():
    """doc/grafana/training-jobs.json, and its panels by title."""
    dashboard = json.loads((TOP / "doc/grafana/training-jobs.json").read_text(encoding="utf-8"))
    return dashboard, {panel["title"]: panel for panel in dashboard["panels"]}


def read_variables(dashboard, database, *options):
    """All values of each of its variables."""
    return {variable["name"]: must(database, variable["query"], "-A", "-t", *options).split("\n")
            for variable in dashboard["templating"]["list"] if variable["type"] == "query"}


def grants(role):
    """The block of doc/operations.md that grants what a role needs."""
    blocks = read_blocks((TOP / "doc/operations.md").read_text(encoding="utf-8"))
    found, = [block.sql for block in blocks if block.heading == "Who may do what" and "TO %s;" % role in block.sql]
    return found


def test_roles(tap, database):
    """Roles that have the grants of doc/operations.md, and no others, do what the page says."""
    must(database, "ALTER USER MAPPING FOR scheduler SERVER research OPTIONS (SET aws_access_key_id '%s', SET aws_secret_access_key '%s');"
         % BULK)
    # the page limits the server to few calls a second: these would take minutes
    must(database, "ALTER SERVER sm OPTIONS (DROP max_calls_per_second)")
    for role, statement, expected in (
            ("analyst", "SELECT count(*) FROM reports.training_jobs", "340"),
            ("analyst", "SELECT count(*) > 1000 FROM reports.training_prices", "t"),
            ("analyst", "SELECT count(*) FROM aws.training_jobs", "300"),
            ("scheduler", "CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.all_jobs', since => '2020-01-01')", ""),
            ("scheduler", "CALL sagemaker_fdw_refresh('reports.new_jobs', 'aws.all_jobs', since => '2020-01-01')", ""),
            ("scheduler", "CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm')", ""),
            ("scheduler", "CALL sagemaker_fdw_refresh_prices('reports.new_prices', server => 'research')", ""),
            ("scheduler", "CALL sagemaker_fdw_create_cost_views('reports', jobs => 'reports.training_jobs', prices => 'reports.training_prices')", ""),
            ("scheduler", "SELECT count(*) > 0 FROM sagemaker_fdw_check_server('sm') WHERE ok", "t"),
            ("analyst", "SELECT FROM sagemaker_fdw_check_server('sm')", "42501"),
            ("scheduler", "SELECT count(*) FROM reports.job_costs WHERE list_cost > 0", "313"),
            ("grafana", "SELECT count(*) FROM reports.training_jobs", "340"),
            ("grafana", "SELECT count(*) FROM reports.job_costs WHERE list_cost > 0", "313"),
            ("grafana", "SELECT count(*) FROM sagemaker_fdw_refresh_status", "5"),
            ("grafana", "SELECT FROM reports.training_prices", "42501"),
            ("grafana", "SELECT FROM aws.training_jobs", "42501"),
            ("grafana", "SELECT sagemaker_describe_training_job('sm', 'x')", "42501"),
            ("auditor", "SELECT FROM reports.job_costs", "42501")):
        output, complaint = psql(database, statement, "-A", "-t", "-U", role, "-v", "VERBOSITY=sqlstate")
        tap.equal(complaint.rpartition(" ")[2] or output, expected, "%s: %s" % (role, statement))


def test_dashboard(tap, database):
    """The queries of doc/grafana/training-jobs.json, by a role with the grants of doc/operations.md."""
    dashboard, panels = read_dashboard()
    source = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
    variables = dashboard["templating"]["list"]
    tap.equal([(variable["name"], variable["type"]) for variable in variables],
              [("datasource", "datasource"), ("account", "query"), ("region", "query"), ("team", "query")],
              "the dashboard lets data source, account, region and team be chosen")
    tap.equal((variables[0]["query"], [each for each in variables[1:] if each["datasource"] != source or not each["multi"]]),
              (source["type"], []), "several of them, which the data source lists")
    tap.equal([title for title, panel in panels.items()
               if panel["datasource"] != source or [target["datasource"] for target in panel["targets"]] != [source]], [],
              "every panel asks it one query")
    places = [(x, y) for panel in panels.values() for place in (panel["gridPos"],)
              for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    tap.ok(len(places) == len(set(places)) and max(x for x, _ in places) < 24, "no panel covers another")
    tap.equal(sorted(panels), sorted(PANELS), "its panels are in this test's list")
    must(database, grants("grafana"))
    role = ("-U", "grafana")
    values = read_variables(dashboard, database, *role)
    tap.equal(values, {"account": ["123456789012"], "region": ["eu-west-1", "us-east-1"],
                       "team": ["ads", "fraud", "search", "vision"]}, "the variables have the values that the jobs have")
    # a job that vanished while it ran does not run on
    must(database, "UPDATE reports.training_jobs SET deleted_at = now() WHERE training_job_name = 'pytorch-fraud-0297';")
    window = "creation_time BETWEEN '2025-05-31 12:00Z' AND '2025-06-30 12:00Z'"
    for what, choice in CHOICES.items():
        chosen = dict(values, **{name: [value] for name, value in choice.items()})
        must(database, "CREATE OR REPLACE VIEW chosen AS SELECT * FROM reports.training_jobs WHERE true%s;"
             % "".join(" AND %s = '%s'" % (CHOSEN[name], value) for name, value in choice.items()))
        for title, (form, figures, check) in PANELS.items():
            target = panels[title]["targets"][0]
            sql = expand_macros(target["rawSql"], chosen)
            summary = must(database, "SELECT %s FROM (%s) AS panel;" % (figures, sql), "-A", "-t", *role)
            check = check.replace("$window", window if " AS c " not in check else "chosen." + window)
            tap.equal((target["format"], summary), (form, must(database, check, "-A", "-t")), "panel of %s: %s" % (what, title))
            if form == "time_series":
                header = must(database, sql, "-A", *role).split("\n")[0].split("|")
                tap.equal((header[0], header.count("metric") <= 1), ("time", True), "and it is a series in time")
    # a partition that fails, and one that never was read to its end
    state = "UPDATE sagemaker_fdw.sagemaker_fdw_refresh_state SET %s WHERE region = 'eu-west-1';"
    must(database, state % "error = 'denied', last_success_at = last_success_at - interval '3 days'")
    summaries = [must(database, panels[title]["targets"][0]["rawSql"], "-A", "-t", *role)
                 for title in ("Data age", "Failing partitions", "Kept tables")]
    tap.equal((must(database, "SELECT round(%s) - round(extract(epoch FROM now() - max(last_success_at))) > 255000 "
                    "FROM sagemaker_fdw_refresh_status;" % summaries[0], "-A", "-t"), summaries[1],
               summaries[2].split("\n")[0].split("|")[2], summaries[2].split("\n")[0].split("|")[-1]),
              ("t", "1", "eu-west-1", "denied"), "a region that has failed for three days shows as that")
    must(database, state % "last_success_at = NULL")
    tap.equal(must(database, panels["Data age"]["targets"][0]["rawSql"], "-A", "-t", *role), "",
              "and data that were never complete have no age")
    title = "a role without the grants sees nothing of it"
    tap.equal(psql(database, expand_macros(panels["Cost"]["targets"][0]["rawSql"], values), "-v", "VERBOSITY=sqlstate", "-U", "auditor")[1],
              "psql:<stdin>:8: ERROR:  42501", title)


def test_corners(tap, database):
    """The recipes over jobs that they could get wrong."""
    making = [block.sql for block in recipe_blocks() if block.sql.startswith("CREATE")]
    focus, = [sql for sql in making if "reports.focus" in sql]
    for sql in making:
        if sql != focus:
            must(database, sql)
    must(database, CORNERS)
    for place, report in CORNER_REPORTS.items():
        heading, _, number = place.partition(" #")
        block = [block for block in reading_blocks() if block.heading == heading][int(number or 1) - 1]
        lines = must(database, over_kept_table(block.sql), "-A", "-t").split("\n")
        tap.equal([line for line in lines if line], report, "of unusual jobs: %s" % place)
    bill, = [block.sql for block in reading_blocks() if block.heading == "The bill"]
    must(database, focus)
    tap.equal(must(database, bill, "-A", "-t").split("\n"), CORNER_REPORTS["The bill"], "and the same of the other kind of export")
    must(database, "REFRESH MATERIALIZED VIEW CONCURRENTLY reports.cost_by_day;")
    tap.equal(must(database, "SELECT currency, round(sum(list_cost), 6) FROM reports.cost_by_day GROUP BY 1 ORDER BY 1;", "-A", "-t"),
              must(database, "SELECT coalesce(billing_currency, ''), round(sum(list_cost), 6) FROM reports.job_charges "
                   "WHERE charge_period_start IS NOT NULL GROUP BY 1 ORDER BY 1;", "-A", "-t"), "a materialized view follows them, and loses nothing")


def test_standby(tap, database):
    """Recipes that only read, on a hot standby."""
    reading = reading_blocks()
    primary = [must(database, block.sql) for block in reading]
    environment = dict(os.environ)
    standby = Cluster(standby=True)
    try:
        standby.start()
        tap.equal(must(database, "SELECT pg_is_in_recovery();", "-A", "-t"), "t", "a standby is up")
        tap.equal([block.heading for block, printed in zip(reading, primary) if must(database, block.sql) != printed], [],
                  "%d recipes print on it what they print on the primary" % len(reading))
        for command in ("REFRESH MATERIALIZED VIEW reports.cost_by_day", "ANALYZE aws.training_jobs"):
            tap.equal(psql(database, command, "-v", "VERBOSITY=sqlstate")[1], "psql:<stdin>:1: ERROR:  25006",
                      "read only: %s" % command)
    finally:
        standby.remove()
        os.environ.update(environment)


def test(session, tap):
    *options, dump = sys.argv[1:]
    accept = options == ["--accept"]
    databases = []
    try:
        test_reader(tap)
        for role in ROLES:
            session.run("CREATE ROLE %s LOGIN" % role)
        for page, (before, before_each, before_heading) in PAGES.items():
            databases.append(make_database(session, pathlib.Path(page).stem.lower(), before))
            test_page(tap, page, databases[-1], before_each, before_heading, accept)
            if page == "doc/columns.md":
                test_columns(tap, databases[-1], dump)
            elif page == "doc/reference.md":
                test_reference(tap, databases[-1])
            elif page == "doc/recipes.md":
                test_recipes(tap, databases[-1])
                test_standby(tap, databases[-1])
                test_dashboard(tap, databases[-1])
            elif page == "doc/operations.md":
                test_roles(tap, databases[-1])
        databases.append(make_database(session, "kept", FRONT_PAGE, ONE_REGION))
        test_kept_table(tap, databases[-1])
        test_corners(tap, databases[-1])
    finally:
        for database in databases:
            session.run("DROP DATABASE %s WITH (FORCE)" % database)
        for role in ROLES:
            session.run("DROP ROLE IF EXISTS %s" % role)


if __name__ == "__main__":
    cluster = Cluster(["wal_level=logical"], AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none",
                      AWS_SHARED_CREDENTIALS_FILE="/none")
    try:
        cluster.start()
        main(test)
    finally:
        cluster.remove()
