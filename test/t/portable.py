"""Reports in a database that cannot load the extension: a hub's tables, and sql/portable.sql.

Run below test/with-service.  Two clusters of the test's own follow "A hub for a managed database" in
doc/operations.md, statement by statement: the hub has the extension, the managed one gets the tables by logical
replication.  There README's report, the recipes and the dashboard's queries must answer as on the hub.  The clock is
that of test/tree/docs.py.
"""
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tree"))
import docs
from docs import COSTS, FRONT_PAGE, MONEY, PREPARE, TOP, must, psql, read_blocks, trimmed
from harness import URL, Cluster, Died, Tap, control, wait_for

HEADING = "A hub for a managed database"
TABLES = ("reports.training_jobs", "reports.training_prices", "reports.refresh_status")
GRAFANA = ("-U", "grafana")


class Place:
    """A cluster, and its database postgres."""

    def __init__(self, settings=(), **environment):
        before = dict(os.environ)
        self.cluster = Cluster(settings, **environment)
        self.environment = {name: os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER")}
        with self:
            self.cluster.start()
        os.environ.update(before)

    def __enter__(self):
        """Make psql connect to it."""
        self.before = dict(os.environ)
        os.environ.update(self.environment)

    def __exit__(self, *problem):
        os.environ.clear()
        os.environ.update(self.before)

    def conninfo(self, user):
        return "host=%s port=5432 dbname=postgres user=%s" % (self.environment["PGHOST"], user)

    def must(self, sql, *options):
        with self:
            return must("postgres", sql, *options)

    def rows(self, sql, *options):
        """What psql prints, unaligned."""
        return self.must(sql, "-A", "-t", *options)


def fences(path, heading, language):
    """The code blocks of a page in that language, below a heading."""
    section = path.read_text(encoding="utf-8").split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return [text for _, found, text in docs.fences(section) if found == language]


def set_up(tap, hub, managed):
    """Set up both sides as the page describes."""
    page = TOP / "doc/operations.md"
    for sql in (PREPARE, "CREATE ROLE grafana LOGIN; CREATE ROLE scheduler LOGIN;"):
        hub.must(sql)
    managed.must(PREPARE)
    for sql in (FRONT_PAGE, COSTS, docs.grants("grafana"), *fences(page, HEADING, "sql")):
        hub.must(sql)

    # the dump, and portable.sql
    script, = fences(page, HEADING, "sh")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          encoding="utf-8", env=dict(os.environ, hub=hub.conninfo("postgres"), managed=managed.conninfo("postgres")))
    tap.ok(done.returncode == 0 and "ERROR" not in done.stdout, "the tables are made from a dump, and portable.sql is loaded", done.stdout)

    # what psql is told there
    statements, = fences(page, HEADING, "")
    printed = "host=hub.example.com dbname=postgres user=replicator"
    tap.equal(statements.count(printed), 1, "the page has one CREATE SUBSCRIPTION")
    managed.must(statements.replace(printed, hub.conninfo("replicator")))
    wait_for(lambda: managed.rows("SELECT count(*) FILTER (WHERE srsubstate = 'r'), count(*) FROM pg_subscription_rel") == "3|3",
             "the tables have been copied", 120)
    tap.equal(managed.rows("SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'sagemaker_fdw'), "
                           "(SELECT count(*) FROM pg_proc WHERE probin LIKE '%sagemaker%')"), "0|0", "the extension does not exist there")


def contents(place, table):
    return place.rows("SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM %s AS t" % table)


def test_copies(tap, hub, managed):
    for table in TABLES:
        expected = contents(hub, table)
        tap.ok(not expected.startswith("0|"), "%s has rows on the hub" % table, expected)
        tap.equal(contents(managed, table), expected, "and the same on the managed database")


def test_reports(tap, hub, managed):
    """README's reports, and the recipes."""
    readme = [block for block in read_blocks((TOP / "README.md").read_text(encoding="utf-8")) if "reports.job_costs" in block.sql]
    tap.equal([block.heading for block in readme], ["sagemaker_fdw", "Cost by team"], "README has two cost reports")
    for block in readme:
        tap.equal(managed.must(block.sql), trimmed(block.output), "README's report: %s" % block.heading)
    recipes = [block for block in docs.recipe_blocks()]
    for block in recipes:
        sql = docs.over_kept_table(block.sql)
        title = "recipe: %s (line %d)" % (block.heading, block.line)
        here, there = hub.must(sql), managed.must(sql)
        if block.output is not None and (block.heading in MONEY or "aws.training_jobs" not in block.sql):
            tap.equal(there, trimmed(block.output), title)
        else:
            tap.equal(there, here, title)


def test_dashboard(tap, hub, managed):
    """The dashboard's queries, run by a role with only the page's grants."""
    dashboard, panels = docs.read_dashboard()
    with managed:
        values = docs.read_variables(dashboard, "postgres", *GRAFANA)
    tap.equal(sorted(values["region"]), ["eu-west-1", "us-east-1"], "the dashboard's variables have values")
    for title, panel in panels.items():
        sql = docs.expand_macros(panel["targets"][0]["rawSql"], values)
        expected = hub.must(sql, *GRAFANA)
        tap.equal((managed.must(sql, *GRAFANA), "(0 rows)" in expected), (expected, False), "panel: %s" % title)


def test_changes(tap, hub, managed):
    """Changes on the hub are replicated; a price cut changes the cost of no job that started before it."""
    costs = "SELECT count(*), sum(list_cost) FROM reports.job_charges"
    before = managed.rows(costs)
    prices = int(managed.rows("SELECT count(*) FROM reports.training_prices"))
    control("config", {"price_cut": {"effective_date": "2025-07-01T00:00:00Z", "percent": 30}})
    hub.must(COSTS.split("\n")[3])
    cut = int(hub.rows("SELECT count(*) FROM reports.training_prices"))
    tap.equal(cut, 2 * prices, "all prices are cut")
    wait_for(lambda: int(managed.rows("SELECT count(*) FROM reports.training_prices WHERE withdrawn_at IS NOT NULL")) == prices,
             "the cut arrives", 60)
    tap.equal(contents(managed, "reports.training_prices"), contents(hub, "reports.training_prices"), "and the new prices are replicated")
    tap.equal(managed.rows(costs), before, "jobs that started before cost the same")
    with managed:
        tap.equal(psql("postgres", "SELECT FROM reports.training_prices", "-v", "VERBOSITY=sqlstate", *GRAFANA)[1],
                  "psql:<stdin>:1: ERROR:  42501", "and the dashboard's role does not read the prices themselves")


def test_status(tap, hub, managed):
    """A partition that was not read for two hours, and one that is forgotten."""
    page = TOP / "doc/operations.md"
    copy, = [sql for sql in fences(page, HEADING, "sql") if "INSERT INTO reports.refresh_status" in sql]
    alert, = [sql for sql in fences(page, "Monitoring", "sql") if "s.last_success_at AS behind" in sql]
    tap.equal((hub.rows(alert), managed.rows(alert)), ("", ""), "the page's alert returns nothing on either side")
    hub.must("UPDATE sagemaker_fdw.sagemaker_fdw_refresh_state SET last_success_at = '2025-06-30 10:00Z' WHERE region = 'eu-west-1'")
    hub.must(copy)
    wait_for(lambda: managed.rows(alert), "the status arrives", 60)
    tap.equal((hub.rows(alert), managed.rows(alert)), ("sm|eu-west-1|02:00:00||",) * 2, "it names the partition that was not read for two hours")
    hub.must("SELECT sagemaker_fdw_refresh_forget('reports.training_jobs', 'sm', 'eu-west-1')")
    hub.must(copy)
    regions = "SELECT target, string_agg(region, ' ') FROM sagemaker_fdw_refresh_status GROUP BY target"
    wait_for(lambda: managed.rows(alert) == "", "the status arrives", 60)
    tap.equal((hub.rows(regions), managed.rows(regions)), ("reports.training_jobs|us-east-1",) * 2, "one that is forgotten disappears from the copy, too")
    for place in (hub, managed):
        tap.equal(place.rows(alert.replace("reports.training_jobs", "reports.other_jobs")), "||||", "a table that was never refreshed is named")


def main():
    tap = Tap()
    with contextlib.ExitStack() as places:
        hub = Place(["wal_level=logical"], AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")
        places.callback(hub.cluster.remove)
        # it goes first: the hub would wait for it
        managed = Place()
        places.callback(managed.cluster.remove)
        try:
            set_up(tap, hub, managed)
            test_copies(tap, hub, managed)
            test_reports(tap, hub, managed)
            test_dashboard(tap, hub, managed)
            test_changes(tap, hub, managed)
            test_status(tap, hub, managed)
        except Died as problem:
            tap.ok(False, "every session answers", problem)
    tap.end()


main()
