"""What doc/tools.md has besides SQL, run as it is printed where the distribution has the tool, as TAP.

Run below test/with-service: tools.py [--accept].

The page's SQL is run by docs.py.  Here, in a cluster of the test's own:

- blocks fenced as python are run in their order, those of a section by one interpreter.  None may fail, and what they
  print is what stands in the fence behind them.  --accept writes into the page what they have printed.
- Airflow is a stand-in (AIRFLOW), which does with an operator what its hook does.
- of dbt, what its macros make of the page's YAML and model is run as SQL.
- Terraform's resources become the statements that the provider sends, and its command is run.
- Grafana's files are read as YAML, and have what the dashboard asks for.

The database is that of the page, with what the front page has a reader do; its clock is that of docs.py.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t"))
import docs
from docs import COSTS, FRONT_PAGE, PREPARE, ROLES, TOP, must, trimmed
from harness import HISTORY, PATIENCE_S, SECRETS, URL, Cluster, Died, Tap, control, counters, fault, wait_for
from named_faults import silent

PAGE = TOP / "doc/tools.md"
DATABASE = "analytics"
PYTHON = "/usr/bin/python3"

# Sections whose queries must not end by themselves.
ENDLESS = ["Stop a query"]

# No block prints this.
MARK = "---- the end of a block ----"

# What the page's DAG imports.  A task runs where it is declared, as the hook of psycopg2 would.
AIRFLOW = {
    "airflow/__init__.py": """
import contextlib

@contextlib.contextmanager
def DAG(dag_id, *, schedule, start_date, catchup, max_active_runs):
    yield
""",
    "airflow/providers/common/sql/operators/sql.py": """
import contextlib
import psycopg2

class SQLExecuteQueryOperator:
    def __init__(self, *, task_id, conn_id, sql, autocommit, hook_params, retries, retry_delay):
        log = hook_params.pop("enable_log_db_messages", False)
        with contextlib.closing(psycopg2.connect(dbname=conn_id, **hook_params)) as connection:
            connection.autocommit = autocommit
            connection.cursor().execute(sql)
            assert log and connection.notices[-1].startswith("NOTICE:  refreshed reports.training_jobs: ")
""",
}

# What a resource of the page is to the provider: the statement that it sends.
PROVIDER = {
    "postgresql_schema": "CREATE SCHEMA {name}",
    "postgresql_grant": "GRANT {privileges} ON SCHEMA {schema} TO {role}",
    "postgresql_extension": "CREATE EXTENSION {name} SCHEMA {schema}",
    "postgresql_server": "CREATE SERVER {server_name} FOREIGN DATA WRAPPER {fdw_name} OPTIONS ({options})",
    "postgresql_user_mapping": "CREATE USER MAPPING FOR {user_name} SERVER {server_name} OPTIONS ({options})",
}

# What the page's references and variables stand for.
VALUES = {
    "postgresql_schema.sagemaker_fdw.name": "sagemaker_fdw",
    "postgresql_server.sm.server_name": "sm",
    "var.aws_access_key_id": HISTORY[0],
    "var.aws_secret_access_key": HISTORY[1],
}


def page():
    return PAGE.read_text(encoding="utf-8")


def fences(heading, language):
    """The texts of the page's fences in that language, below a heading."""
    section = page().split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return [text for _, found, text in docs.fences(section) if found == language]


def rows(sql, database=DATABASE):
    """What psql prints, bare."""
    return must(database, sql, "-A", "-t")


def start_python(code, **environment):
    return subprocess.Popen([PYTHON, "-B", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                            env=dict(os.environ, PGCLIENTENCODING="UTF8", **environment))


def end_python(process):
    """What a program has printed when it ends by itself."""
    try:
        printed, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Died("it does not end: %s" % process.communicate()[0]) from None
    if SECRETS.search(printed):
        raise Died("a program is shown a secret")
    return printed


def sections():
    """(heading, its python blocks) of each section that has some; those of its sub-sections among them."""
    text, found = page(), {}
    starts = [(match.start(), match[1]) for match in re.finditer(r"^## (.*)$", text, re.M)]
    for block in docs.read_blocks(text, "python"):
        begin = len("\n".join(text.split("\n")[:block.line - 1]))
        heading = [title for start, title in starts if start < begin][-1]
        found.setdefault(heading, []).append(block)
    return found


def test_python(tap, accept):
    """The page's Python."""
    blocks, printed = [], []
    with tempfile.TemporaryDirectory() as directory:
        for name, text in AIRFLOW.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for heading, section in sections().items():
            for block in section:
                compile(block.sql, "%s:%d" % (PAGE.name, block.line), "exec")
            if heading in ENDLESS:
                fault(**silent(operation="DescribeTrainingJob"))
            end = "\nprint(%r, flush=True)\n" % MARK
            outputs = end_python(start_python("".join(block.sql + end for block in section), PYTHONPATH=directory)).split(MARK + "\n")
            control("clear", b"")
            for number, block in enumerate(section):
                output = trimmed(outputs[number]) if number < len(outputs) else "not run"
                title = "%s:%d: %s" % (PAGE.name, block.line, block.heading)
                blocks.append(block)
                printed.append(output)
                if number >= len(outputs) - 1:
                    tap.ok(False, title, output)
                else:
                    tap.ok(accept and block.output is not None or output == trimmed(block.output or ""), title, output)
    tap.equal(sorted(sections()), ["Airflow", "Stop a query", "pandas and SQLAlchemy", "psycopg", "psycopg2"], "every section has its Python")
    if accept:
        docs.write_outputs(PAGE, blocks, printed)


def test_lists(tap):
    """What a list of statuses is to either driver, without the cast that the page gives it."""
    code = """
import %s as driver
connection = driver.connect("dbname=analytics")
cursor = connection.cursor()
try:
    cursor.execute("SELECT count(*) FROM aws.training_jobs WHERE training_job_status = ANY (%%s)", [["Failed", "Stopped"]])
    print(cursor.fetchone())
except driver.errors.UndefinedFunction as error:
    print("UndefinedFunction")
"""
    tap.equal([end_python(start_python(code % driver)) for driver in ("psycopg", "psycopg2")], ["(71,)\n", "UndefinedFunction\n"],
              "a list of statuses needs a cast in psycopg2 only")
    calls = [control("calls")]
    for condition in ("= ANY ('{Failed,Stopped}'::sagemaker_training_job_status[])", "::text = ANY ('{Failed,Stopped}')"):
        rows("SELECT count(failure_reason) FROM aws.training_jobs WHERE training_job_status " + condition)
        calls.append(control("calls").strip())
    tap.equal(calls[1:], ["DescribeTrainingJob=71 ListTrainingJobs=3"] * 2, "and a cast of the column describes no other jobs")
    first = """
import psycopg
connection = psycopg.connect("dbname=analytics", options="-c cursor_tuple_fraction=%s")
cursor = connection.cursor("jobs")
cursor.itersize = 1
cursor.execute("SELECT raw_response FROM aws.training_jobs")
cursor.fetchone()
print(connection.execute("SELECT sagemaker_fdw_session_calls() > 16").fetchone())
"""
    tap.equal([end_python(start_python(first % fraction)) for fraction in ("0.1", "1")], ["(False,)\n", "(True,)\n"],
              "a server-side cursor describes few jobs for its first row, or as many as it may at a time")


def test_pandas(tap):
    """What the list below the page's query says of pandas."""
    code = """
import decimal, warnings
import pandas, psycopg2, sqlalchemy

engine = sqlalchemy.create_engine("postgresql:///analytics")
times = "SELECT creation_time - n * interval '180 days' AS creation_time FROM reports.training_jobs, generate_series(0, 1) AS n"
without, with_dates = (pandas.read_sql_query(times, engine, **more).creation_time for more in ({}, {"parse_dates": {"creation_time": {"utc": True}}}))
print(without.dtype.kind, sorted({str(time.utcoffset()) for time in without}), with_dates.dtype.kind, with_dates.dt.tz)
numbers = "SELECT billable_time_in_seconds AS n FROM reports.training_jobs"
print(*(pandas.read_sql_query(numbers, engine, **more).n.dtype for more in ({}, {"dtype": {"n": "Int64"}})))
amounts = "SELECT list_cost FROM reports.job_costs WHERE list_cost > 0 LIMIT 1"
print(*(isinstance(pandas.read_sql_query(amounts, engine, **more).list_cost[0], decimal.Decimal) for more in ({}, {"coerce_float": False})))
print(pandas.json_normalize(pandas.read_sql_query("SELECT tags FROM reports.training_jobs", engine).tags).columns.tolist()[0])
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    pandas.read_sql_query(numbers, psycopg2.connect("dbname=analytics"))
print(*(warning.category.__name__ for warning in warned))
"""
    tap.equal(end_python(start_python(code, PGTZ="Europe/Berlin")).splitlines(),
              ["O ['1:00:00', '2:00:00'] M UTC", "float64 Int64", "False True", "team", "UserWarning"],
              "what pandas makes of times, integers, amounts, objects and a connection")


def active():
    return rows("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND pid <> pg_backend_pid()" % DATABASE)


def test_ends(tap):
    """What ends a query besides conn.cancel(), while it waits for an answer that does not come."""
    query = "'SELECT count(failure_reason) FROM aws.training_jobs'"
    callback, = [text for text in fences("psycopg2", "python") if "set_wait_callback" in text]
    interrupted = {
        "psycopg": "import psycopg\nconn = psycopg.connect('dbname=analytics', autocommit=True)\n"
                   "try:\n    conn.execute(%s)\nexcept KeyboardInterrupt:\n    print(conn.execute('SELECT 1').fetchone())" % query,
        "psycopg2": "%s\nconn = psycopg2.connect('dbname=analytics')\nconn.autocommit = True\n"
                    "try:\n    conn.cursor().execute(%s)\nexcept psycopg2.errors.QueryCanceled:\n    print((1,))" % (callback, query),
    }
    # what a shell has started in the background ignores it, and so do its children
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    fault(**silent(operation="DescribeTrainingJob"))
    for driver, code in interrupted.items():
        process = start_python(heed + code)
        wait_for(lambda: counters()["in_flight"] > 0, "%s waits" % driver)
        process.send_signal(signal.SIGINT)
        tap.equal(end_python(process), "(1,)\n", "Ctrl-C cancels a query of %s" % driver)
        wait_for(lambda: active() == "0" and counters()["in_flight"] == 0, "the session has ended")
    check, = re.findall("(-c client_connection_check_interval)=10s", fences("Airflow", "python")[0])
    for option in (check + "=1s", "-c sagemaker_fdw.progress_interval=1s -c client_min_messages=notice"):
        process = start_python("import psycopg2\npsycopg2.connect('dbname=analytics', options='%s').cursor().execute(%s)" % (option, query))
        wait_for(lambda: counters()["in_flight"] > 0, "a query waits")
        process.kill()
        process.communicate()
        wait_for(lambda: active() == "0", "the server notices")
        tap.equal(active(), "0", "the query of a client that was killed ends: %s" % option)
    control("clear", b"")


def test_dbt(tap):
    """What dbt's macros make of its files."""
    source, = yaml.safe_load(fences("dbt", "yaml")[0])["sources"]
    table, = source["tables"]
    config = table["config"]
    freshness = "WITH source_query AS (%s) SELECT (SELECT * FROM source_query) AS max_loaded_at, now() AS snapshotted_at"
    must(DATABASE, "UPDATE sagemaker_fdw.sagemaker_fdw_refresh_state SET last_success_at = last_success_at - interval '3 days' "
         "WHERE region = 'eu-west-1'")
    query = "SELECT clock_timestamp() - max_loaded_at > %s FROM (" + freshness % config["loaded_at_query"] + ") AS dbt"
    tap.equal([rows(query % ("interval '%(count)d %(period)s'" % config["freshness"][limit])) for limit in ("warn_after", "error_after")],
              ["t", "t"], "a source of which one region has not been read for three days is too old")
    must(DATABASE, "UPDATE sagemaker_fdw.sagemaker_fdw_refresh_state SET last_success_at = NULL WHERE region = 'eu-west-1'")
    tap.equal(rows("SELECT max_loaded_at FROM (%s) AS dbt" % (freshness % config["loaded_at_query"])), "1970-01-01 00:00:00+00",
              "so is one of which a region was never read")
    must(DATABASE, "UPDATE sagemaker_fdw.sagemaker_fdw_refresh_state SET last_success_at = clock_timestamp()")
    tap.equal(rows(query % ("interval '%(count)d %(period)s'" % config["freshness"]["warn_after"])), "f", "and one that was just read is not")

    model, = fences("dbt", "jinja")
    relation = "%s.%s" % (source["schema"], table["name"])
    reference = "{{ source('%s', '%s') }}" % (source["name"], table["name"])
    tap.equal(model.count(reference), 1, "the model reads the source")
    body = model.replace(reference, relation).split("{{ config(materialized='table') }}\n")[1]
    must(DATABASE, "CREATE TABLE failed_jobs AS (%s)" % body)
    tap.equal(rows("SELECT count(*) > 0, count(*) = (SELECT count(*) FROM %s WHERE training_job_status = 'Failed') FROM failed_jobs" % relation),
              "t|t", "and has the failed jobs")
    tap.equal(rows("SELECT count(*) FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
                   "WHERE attrelid = 'failed_jobs'::regclass AND typtype = 'e'"), "0", "without a column of an enum type")

    # a hook inside the model's transaction, and one outside: dbt has psycopg2 send a COMMIT first, of which that knows nothing
    hook = """
import psycopg2
connection = psycopg2.connect("dbname=analytics")
cursor = connection.cursor()
cursor.execute(%r)
try:
    cursor.execute("CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.all_jobs', since => '2020-01-01')")
    print("refreshed")
except psycopg2.Error as error:
    print(error.pgcode)
"""
    tap.equal([end_python(start_python(hook % first)) for first in ("SELECT 1", "COMMIT;")], ["25001\n", "refreshed\n"],
              "a hook is refused in the model's transaction, and not outside")


def resources(text):
    """(type, attributes, options) of each resource; attributes of nested blocks are left out."""
    for kind, body in re.findall(r'^resource "(\w+)" "\w+" \{\n(.*?)^\}', text, re.M | re.S):
        attributes = dict(re.findall(r'^  (\w+) += \[?"?([^"\n{\]]+)"?\]?$', body, re.M))
        options = re.search(r"^  options = \{\n(.*?)^  \}", body, re.M | re.S)
        yield kind, attributes, re.findall(r'^    (\w+) += "?([^"\n]+)"?$', options[1], re.M) if options else []


def test_terraform(tap):
    """What the provider makes of the resources, in a database of their own."""
    first, keys, imported = fences("Terraform", "hcl")
    must(DATABASE, "CREATE DATABASE terraform")
    must("terraform", PREPARE)
    sent = []
    for kind, attributes, options in resources(first + "\n" + keys):
        values = {name: VALUES.get(value, value) for name, value in attributes.items()}
        values["options"] = ", ".join("%s '%s'" % (name, VALUES.get(value, value)) for name, value in options)
        sent.append(kind)
        must("terraform", PROVIDER[kind].format(**values))
    tap.equal(sent, ["postgresql_schema", "postgresql_grant", "postgresql_schema", "postgresql_extension", "postgresql_server",
                     "postgresql_user_mapping", "postgresql_user_mapping"],
              "the resources become objects, whose options are accepted")
    command, = re.findall(r'^    command = "([^"]*)"$', imported, re.M)
    tap.equal(command.count("-d %s " % DATABASE), 1, "the command names the page's database")
    done = subprocess.run(["sh", "-c", command.replace("-d %s " % DATABASE, "-d terraform ")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, encoding="utf-8")
    tap.equal((done.returncode, done.stdout), (0, "IMPORT FOREIGN SCHEMA\n"), "which imports the table")
    must("terraform", "GRANT USAGE ON SCHEMA aws TO analyst; GRANT SELECT ON aws.training_jobs TO analyst")
    tap.equal(must("terraform", "SELECT count(*) FROM aws.training_jobs", "-A", "-t", "-U", "analyst"), "300",
              "and the role with the keys reads it")
    must("terraform", "DROP USER MAPPING FOR analyst SERVER sm; DROP USER MAPPING FOR scheduler SERVER sm;")
    tap.equal(docs.psql("terraform", "DROP SERVER sm", "-v", "VERBOSITY=sqlstate")[1], "psql:<stdin>:1: ERROR:  2BP01",
              "the server is not dropped while the table is there")
    must("terraform", "DROP SERVER sm CASCADE; DROP EXTENSION sagemaker_fdw; DROP SCHEMA aws, sagemaker_fdw;")
    secret = re.compile(r'^variable "(\w+)" \{\n  type      = string\n  sensitive = true\n\}$', re.M)
    tap.equal(["var." + name for name in secret.findall(keys)], sorted(name for name in VALUES if name.startswith("var.")),
              "whose variables are sensitive")


def test_grafana(tap):
    """The files that make the data source and the dashboard."""
    source, provider = [yaml.safe_load(text) for text in fences("Grafana", "yaml")]
    source, = source["datasources"]
    dashboard, _ = docs.read_dashboard()
    variable, = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    tap.equal((source["type"], source["user"], source["jsonData"]["database"]), (variable["query"], "grafana", DATABASE),
              "the data source is of the dashboard's type, for its role and the page's database")
    tap.equal([each["type"] for each in provider["providers"]], ["file"], "and the dashboard comes from a file")


def main():
    tap = Tap()
    accept = sys.argv[1:] == ["--accept"]
    cluster = Cluster(AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")
    try:
        cluster.start()
        for sql in ("CREATE DATABASE %s;" % DATABASE, *("CREATE ROLE %s LOGIN;" % role for role in ROLES)):
            must("postgres", sql)
        for sql in (PREPARE, FRONT_PAGE, COSTS, "ALTER DATABASE %s RESET client_min_messages;" % DATABASE):
            must(DATABASE, sql)
        test_python(tap, accept)
        test_lists(tap)
        test_pandas(tap)
        test_ends(tap)
        test_dbt(tap)
        test_terraform(tap)
        test_grafana(tap)
    except Died as problem:
        tap.ok(False, "every program ends", problem)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
