"""Every SQL block of the documentation, run as it is printed.

Run below test/with-service: docs.py [--accept] DUMP, where DUMP is the program of
test/unit/attribute_dump.c.

The blocks of a page that are fenced as sql are run in their order, each by a psql of
its own, in a database of the page's own.  None may fail or warn.  Where nothing but
blank lines stands between a block and a fence without a language, or of "text", psql
must print what is in there.  Spaces at the ends of lines are not compared.

A block is run as it is printed but for SUBSTITUTIONS, which lead it to the local
endpoint; the cluster is the test's own, and STS is the endpoint there, too.  And where
its history ends, there now() is: PREPARE puts a function of that name before the one of
pg_catalog.  The time zone is UTC.

--accept writes into the pages what psql printed, to be read before it is committed.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t"))
from harness import BULK, HISTORY, SECRETS, URL, Cluster, Died, control, main

TOP = pathlib.Path(__file__).resolve().parent.parent.parent

# What is printed, as a regular expression; what is run in its place.
SUBSTITUTIONS = [
    # a server that has no option which says where to go
    (r"(FOREIGN DATA WRAPPER sagemaker_fdw\s+OPTIONS \(region '[a-z0-9-]+'(?:, scan_api '[a-z]+')?)\)",
     r"\1, endpoint_url '%s')" % URL),
    # the clock stays on the path
    (r'SET search_path = "\$user", public, sagemaker_fdw', "SET search_path = public, sagemaker_fdw, clock, pg_catalog"),
    (r"aws_access_key_id '\.\.\.'", "aws_access_key_id '%s'" % HISTORY[0]),
    (r"aws_secret_access_key '\.\.\.'", "aws_secret_access_key '%s'" % HISTORY[1]),
]

# Every page's database begins with this.  New objects go to public.
PREPARE = """
CREATE SCHEMA clock;
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
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');
CREATE SCHEMA aws;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;
"""

# The servers of two accounts.
TWO_ACCOUNTS = FRONT_PAGE + """
CREATE SERVER prod FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER prod
  OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');
CREATE SERVER research FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER research
  OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s');
""" % BULK

# The pages; what must have been done before their first block, before each, and before the second.
PAGES = {
    # a reader sees what it is before he makes it
    "README.md": (FRONT_PAGE, "", "DROP EXTENSION sagemaker_fdw CASCADE; DROP SCHEMA aws, sagemaker_fdw;"),
    "doc/recipes.md": (FRONT_PAGE, "", ""),
    "doc/columns.md": (FRONT_PAGE, "", ""),
    # its mappings are alternatives
    "doc/credentials.md": (FRONT_PAGE, "".join("DROP USER MAPPING IF EXISTS FOR %s SERVER sm;" % role
                                                for role in ("analyst", "auditor", "CURRENT_USER")), ""),
    "doc/options.md": (FRONT_PAGE, "", ""),
    "doc/pushdown.md": (FRONT_PAGE, "", ""),
    "doc/search.md": (FRONT_PAGE, "", ""),
    "doc/operations.md": (TWO_ACCOUNTS, "", ""),
    "doc/problems.md": (FRONT_PAGE, "", ""),
}

# Roles that the pages suppose.
ROLES = ["analyst", "auditor"]

# What doc/recipes.md must have: the headings of its recipes.
RECIPES = [
    "Prices and costs", "Missing prices", "Cost by team", "Cost by experiment", "Cost by month",
    "The bill: Cost and Usage Report", "Cost so far of running jobs", "What failed jobs cost", "Spot savings",
    "Warm pools", "Queue time", "Time in each secondary status", "Jobs near their stopping condition",
    "Retried jobs", "Tuning leaderboard", "A materialized view", "On a hot standby",
]
# And without SQL.
SECTIONS = ["What the figures leave out", "Grafana"]

# Calls that a recipe makes: no description of a job that is not asked for, no tags that are not read.
CALLS = {
    "Cost by month": "DescribeTrainingJob=300 ListTrainingJobs=3",
    "Cost by team": "DescribeTrainingJob=130 ListTags=130 ListTrainingJobs=2",
    "Cost so far of running jobs": "DescribeTrainingJob=12 ListTrainingJobs=2",
    "What failed jobs cost": "DescribeTrainingJob=49 ListTrainingJobs=3",
    "Warm pools": "DescribeTrainingJob=17 ListTrainingJobs=3",
    "Tuning leaderboard": "DescribeTrainingJob=8 ListTrainingJobsForHyperParameterTuningJob=1",
}

# A kept table.
KEPT_TABLE = """
CREATE SCHEMA reports;
CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.training_jobs', since => '2020-01-01');
"""

# Jobs that a report could get wrong, in place of those in the kept table.
CORNERS = """
TRUNCATE reports.training_jobs;
DROP TABLE reports.cur;
CREATE FUNCTION job(name text, status text, created timestamptz, started timestamptz, billable integer, config jsonb,
                    team text, more jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO reports.training_jobs
  SELECT (jsonb_populate_record(NULL::reports.training_jobs, jsonb_build_object(
           'training_job_name', name,
           'training_job_arn', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/' || name,
           'training_job_status', status, 'creation_time', created, 'training_start_time', started,
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
SELECT job('serverless', 'Completed', '2025-06-10Z', NULL, NULL, NULL, 'd', '{"billable_token_count": 10}');
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
        # every job's cost is known, or there is no sum
        "b|2|1|1|", "c|1|0|1|", "d|1|0|1|", "f|1|1|1|",
        "a|2|0|0|4.10", "e|1|0|0|0.24", "(no team)|2|1|0|0.00"],
    "Missing prices": ["us-east-1|ml.new.large|3|4.0", "us-east-1||1|"],
    "Cost by month": ["2025-05|123456789012|us-east-1|5|0|1|", "2025-06|123456789012|us-east-1|10|3|4|"],
    "The bill: Cost and Usage Report": ["g|1|63.93|0.72", "h|1|6.29|", "(job not found)|1|3.04|"],
    "Cost so far of running jobs": [
        "runs-unpriced|Stopping||1.5|", "runs|InProgress|0.24|2.0|0.48", "waits|InProgress|0.24|0.0|0.00"],
    "What failed jobs cost": ["ClientError|1|4.0|0|0.48", "(no reason)|1||0|0.00"],
    "Queue time": ["ml.new.large|2|0|00:15:00|00:28:30|00:30:00", "ml.m5.large|10|1|00:00:00|00:07:12|00:10:00",
                   "(groups or none)|3|0|00:00:00|00:00:00|00:00:00"],
    "Time in each secondary status": ["Training|1|1|02:00:00|02:00:00|2.0", "Starting|1|1|00:02:00|00:02:00|0.0"],
    "Jobs near their stopping condition": [
        "runs|2025-06-30 12:30:00+00|00:30:00", "waits|2025-06-30 14:00:00+00|02:00:00"],
    "Spot savings": ["2025-05|1|1.0|1.0|0.00|0.00|1|", "2025-06|1|8.0|2.0|75.00|75.00|0|0.72"],
    "Warm pools": ["InUse|1||1|", "Terminated|1|1.00|0|0.12"],
    "Tuning leaderboard": ["1|number|Completed|0.5000||", "2|no-number|Completed|||"],
}

# The dashboard's panels: the format of the query; figures of its answer, and what they must be.
WINDOW = "creation_time BETWEEN '2025-05-31 12:00Z' AND '2025-06-30 12:00Z'"
PANELS = {
    "Cost": ("table", "round(usd, 2)",
             "SELECT round(sum(usd), 2) FROM reports.job_costs WHERE %s;" % WINDOW),
    "Unpriced jobs": ("table", "jobs", "SELECT 0;"),
    "Spot savings": ("table", "round(percent, 2)", """
        SELECT round(100 - 100.0 * sum(hours * billable_time_in_seconds) / sum(hours * training_time_in_seconds), 2)
          FROM reports.training_jobs,
               LATERAL (SELECT sum(g.instance_count) AS hours FROM sagemaker_instance_groups(resource_config) AS g) AS g
         WHERE enable_managed_spot_training AND training_end_time IS NOT NULL AND %s;""" % WINDOW),
    "Jobs by status": ("table", "string_agg(status || jobs, ' ' ORDER BY status)", """
        SELECT string_agg(status || jobs, ' ' ORDER BY status)
          FROM (SELECT training_job_status AS status, count(*) AS jobs FROM reports.training_jobs
                 WHERE %s GROUP BY 1) AS t;""" % WINDOW),
    "Cost by team and day": ("time_series", """count(*), count(DISTINCT "time"), string_agg(DISTINCT metric, ' '),
                             min(to_timestamp("time")), round(sum(usd), 2)""", """
        SELECT count(DISTINCT (creation_time::date, tags->'team')), count(DISTINCT creation_time::date),
               string_agg(DISTINCT tags->>'team', ' '), min(date_trunc('day', creation_time)), round(sum(usd), 2)
          FROM reports.job_costs WHERE NOT running AND %s;""" % WINDOW),
    "Instance hours by team and day": ("time_series", """count(*), round(sum(hours), 6)""", """
        SELECT count(DISTINCT (creation_time::date, tags->'team')),
               round(sum(billable_time_in_seconds::bigint * g.instance_count) / 3600, 6)
          FROM reports.training_jobs CROSS JOIN LATERAL sagemaker_instance_groups(resource_config) AS g
         WHERE training_end_time IS NOT NULL AND %s;""" % WINDOW),
    "Failed jobs by day": ("time_series", "string_agg(DISTINCT metric, ' '), sum(jobs)", """
        SELECT string_agg(DISTINCT substring(failure_reason FROM '^[A-Za-z]+'), ' '), count(*)
          FROM reports.training_jobs WHERE training_job_status = 'Failed' AND %s;""" % WINDOW),
    "Queue time": ("time_series", "count(*), round(max(p95)), round(min(median))", """
        SELECT count(*), round(max(p95)), round(min(median))
          FROM (SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY queue)) AS median,
                       extract(epoch FROM percentile_cont(0.95) WITHIN GROUP (ORDER BY queue)) AS p95
                  FROM (SELECT creation_time::date AS day, training_start_time - creation_time AS queue
                          FROM reports.training_jobs WHERE %s) AS jobs GROUP BY day) AS days;""" % WINDOW),
    "Running jobs": ("table", """count(*), count(DISTINCT job), count(seconds), round(sum(seconds)),
                     round(min(percent_of_limit))""", """
        SELECT count(*), count(*), count(*), round(extract(epoch FROM sum(now() - training_start_time))),
               round(100 * extract(epoch FROM min(now() - training_start_time)) / 86400)
          FROM reports.training_jobs
         WHERE training_end_time IS NULL AND training_job_name <> 'pytorch-fraud-0297';"""),
}


class Block:
    """A block of SQL: where it stands, its text, and the output printed below it, if any."""

    def __init__(self, heading, line, sql):
        self.heading, self.line, self.sql = heading, line, sql
        self.output = None
        # first and last line of the output, counted from 0, the fences not among them
        self.output_lines = None


def read_blocks(text):
    """The SQL blocks of a page, in its order."""
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
        if language == "sql":
            last = Block(heading, number + 2, body)
            blocks.append(last)
        else:
            if last is not None and language in ("", "text"):
                last.output, last.output_lines = body, (number + 1, end)
            last = None
        number = end + 1
    return blocks


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


def test_page(tap, page, database, before_each, before_second, accept):
    """Run a page."""
    path = TOP / page
    text = path.read_text(encoding="utf-8")
    blocks = read_blocks(text)
    tap.ok(blocks, "%s has SQL" % page)
    printed = []
    for block in blocks:
        must(database, before_each)
        if block in blocks[1:2]:
            must(database, before_second)
        output, complaint = psql(database, block.sql)
        title = "%s:%d: %s" % (page, block.line, block.heading)
        printed.append(output)
        if complaint:
            tap.ok(False, title, complaint)
        elif block.output is None:
            tap.ok(True, title)
        else:
            tap.ok(accept or output == trimmed(block.output), title, output)
    if accept:
        lines = text.split("\n")
        for block, output in reversed(list(zip(blocks, printed))):
            if block.output is not None:
                first, end = block.output_lines
                lines[first:end] = output.split("\n")
        path.write_text("\n".join(lines), encoding="utf-8")


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
    labels = dict(re.findall(r"^\| `(sagemaker_\w+)` \| (.*) \|$", page, re.M))
    tap.equal({name: re.findall("`(\\w+)`", text) for name, text in labels.items()}, {
        name: must(database, "SELECT unnest(enum_range(NULL::%s));" % name, "-A", "-t").split("\n")
        for name in ("sagemaker_training_job_status", "sagemaker_secondary_status", "sagemaker_profiling_status")},
        "and the labels of the enum types, in order")


def recipe_blocks():
    return read_blocks((TOP / "doc/recipes.md").read_text(encoding="utf-8"))


def reading_blocks():
    """Those that only read."""
    return [block for block in recipe_blocks() if block.sql.startswith("SELECT")]


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
    described = [must(database, block.sql) for block in reading]
    must(database, "ALTER SERVER sm OPTIONS (ADD scan_api 'search');")
    control("calls")
    tap.equal([block.heading for block, printed in zip(reading, described) if must(database, block.sql) != printed], [],
              "%d recipes print the same with Search" % len(reading))
    # the leaderboard asks for the jobs of one tuning job
    tap.equal(control("calls").strip(), "DescribeTrainingJob=8 ListTrainingJobsForHyperParameterTuningJob=1 Search=29",
              "and describe no job that Search finds")
    must(database, "ALTER SERVER sm OPTIONS (DROP scan_api);")
    must(database, "DELETE FROM reports.prices WHERE instance_type = 'ml.c5.4xlarge';")
    tap.equal(must(database, "SELECT count(*), count(*) FILTER (WHERE unpriced), count(usd) FROM reports.job_costs "
                   "WHERE instance_type IS NULL;", "-A", "-t"), "13|13|0", "half a price is no price")


def test_kept_table(tap, database):
    """The recipes over a table of one's own."""
    printed = [must(database, over_kept_table(block.sql)) for block in recipe_blocks()]
    tap.equal([block.heading for block, output in zip(recipe_blocks(), printed)
               if block.output is not None and output != trimmed(block.output)], [],
              "over a kept table recipes print the same")


def expand_macros(sql):
    """A panel's query as Grafana sends it, for the 30 days before the end of the history."""
    since, until = "'2025-05-31T12:00:00Z'", "'2025-06-30T12:00:00Z'"
    group = r"floor(extract(epoch from \1)/86400)*86400"
    for macro, text in ((r"\$__timeFilter\(([^()]+)\)", r"\1 BETWEEN %s AND %s" % (since, until)),
                        (r"\$__timeFrom\(\)", since), (r"\$__timeTo\(\)", until),
                        (r"\$__timeGroupAlias\(([^(),]+), *'1d'(?:, *0)?\)", group + ' AS "time"'),
                        (r"\$__timeGroup\(([^(),]+), *'1d'(?:, *0)?\)", group)):
        sql = re.sub(macro, text, sql)
    return sql


def test_dashboard(tap, database):
    """The queries of doc/grafana/training-jobs.json, over the kept table."""
    dashboard = json.loads((TOP / "doc/grafana/training-jobs.json").read_text(encoding="utf-8"))
    panels = {panel["title"]: panel for panel in dashboard["panels"]}
    source = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
    tap.equal([(variable["name"], variable["type"], variable["query"]) for variable in dashboard["templating"]["list"]],
              [("datasource", "datasource", source["type"])], "the dashboard lets its data source be chosen")
    tap.equal([title for title, panel in panels.items()
               if panel["datasource"] != source or [target["datasource"] for target in panel["targets"]] != [source]], [],
              "every panel asks it one query")
    places = [(x, y) for panel in panels.values() for place in (panel["gridPos"],)
              for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    tap.ok(len(places) == len(set(places)) and max(x for x, _ in places) < 24, "no panel covers another")
    tap.equal(sorted(panels), sorted(PANELS), "its panels are in this test's list")
    # a job that vanished while it ran does not run on
    must(database, "UPDATE reports.training_jobs SET deleted_at = now() WHERE training_job_name = 'pytorch-fraud-0297';")
    for title, (form, figures, check) in PANELS.items():
        target = panels[title]["targets"][0]
        sql = expand_macros(target["rawSql"])
        summary = must(database, "SELECT %s FROM (%s) AS panel;" % (figures, sql), "-A", "-t")
        tap.equal((target["format"], summary), (form, must(database, check, "-A", "-t")), "panel: %s" % title)
        if form == "time_series":
            header = must(database, sql, "-A").split("\n")[0].split("|")
            tap.equal((header[0], header.count("metric") <= 1), ("time", True), "and it is a series in time")
    figures = [must(database, "BEGIN; DELETE FROM reports.prices WHERE instance_type = 'ml.c5.4xlarge'; %s;"
                    % expand_macros(panels[title]["targets"][0]["rawSql"]), "-A", "-t")
               for title in ("Cost", "Unpriced jobs")]
    tap.equal(figures, ["", must(database, "SELECT count(*) FROM reports.job_costs WHERE instance_type IS NULL "
                                           "AND NOT running AND %s;" % WINDOW, "-A", "-t")],
              "without a price there is no cost, and the panel of unpriced jobs says so")


def test_corners(tap, database):
    """The recipes over jobs that they could get wrong."""
    must(database, CORNERS)
    for heading, report in CORNER_REPORTS.items():
        block = next(block for block in recipe_blocks() if block.heading == heading)
        lines = must(database, over_kept_table(block.sql), "-A", "-t").split("\n")
        tap.equal([line for line in lines if line], report, "of unusual jobs: %s" % heading)
    must(database, "REFRESH MATERIALIZED VIEW CONCURRENTLY reports.cost_by_day;")
    tap.equal(must(database, "SELECT sum(jobs), sum(running), sum(unpriced), sum(usd) FROM reports.cost_by_day;",
                   "-A", "-t"), must(database, "SELECT count(*), count(*) FILTER (WHERE running), "
                                     "count(*) FILTER (WHERE unpriced), 4.10 + 0.24 + 0.72 FROM reports.job_costs;",
                                     "-A", "-t"), "a materialized view follows them")


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
            session.run("CREATE ROLE %s" % role)
        for page, (before, before_each, before_second) in PAGES.items():
            databases.append(make_database(session, pathlib.Path(page).stem.lower(), before))
            test_page(tap, page, databases[-1], before_each, before_second, accept)
            if page == "doc/columns.md":
                test_columns(tap, databases[-1], dump)
            elif page == "doc/recipes.md":
                test_recipes(tap, databases[-1])
                test_standby(tap, databases[-1])
        databases.append(make_database(session, "kept", FRONT_PAGE, KEPT_TABLE))
        test_kept_table(tap, databases[-1])
        test_dashboard(tap, databases[-1])
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
