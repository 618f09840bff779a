"""Measures the extension and its peers; run.sh starts it.

    measure.py --output DIRECTORY [--quick] [--note TEXT ...]

Every measurement is taken in turn by each of those that are compared, and that as often as there are
runs, so that what else the machine does falls on all alike.  A run that has not all rows, or that
made other calls than it should, ends the benchmark.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "t"))
from harness import BULK, TLS_URL, URL, Session

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
DATABASE = "bench"
CONCURRENCY = 32
HALF_CONCURRENCY = 16           # four of these are what a session may have
ROUNDS = 20                     # of new connections, to have their CPU
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"]
NEWEST, CHANGED, LOOKUPS, CLI_JOBS = 20, 50, 200, 5
JOINED = [20, 1000]             # rows of tables of prices
SUMMARY = "training_job_name, training_job_arn, training_job_status, creation_time, last_modified_time"
SCALARS = "role_arn, billable_time_in_seconds, training_end_time"     # of the document alone
REFRESH = "CALL sagemaker_fdw_refresh('kept', 'aws.training_jobs', since => now() - interval '20 days')"
PATIENCE_S = 1800
FDW, BOTO3, CLI, FLOOR = "sagemaker_fdw", "boto3 in threads", "AWS CLI", "bare libcurl"
AUTO, DESCRIBE, SEARCH = ("sagemaker_fdw, scan_api '%s'" % api for api in ("auto", "describe", "search"))
BOTO3_SEARCH = "boto3, Search"
FLOOR_US = 13                   # bare libcurl's CPU a call on the machine on which targets for CPU were set
AUTO_CALLS = 240                # at most, for 10,000 jobs
CALLS_PER_S = 5                 # of each operation, where calls are limited
LIMITED_RUNS = 3                # of those that take seconds there; the others run once
LEARNT, LIMITED = 30, 60        # jobs that are described there before, and while, it is measured


# -- the endpoint --------------------------------------------------------------

def control(path, data=None):
    with urllib.request.urlopen(urllib.request.Request("%s/_control/%s" % (URL, path), data=data)) as answer:
        return answer.read().decode()


def serve(jobs, latency_ms, calls_per_s=0):
    control("config?jobs=%d&latency_ms=%d&calls_per_s=%d" % (jobs, latency_ms, calls_per_s), b"")


def calls_made():
    return sum(int(count) for count in re.findall(r"=(\d+)", control("calls")))


# -- the extension -------------------------------------------------------------

def cpu_s(pid):
    """What a process has had of processors, by the scheduler's count."""
    with open("/proc/%d/schedstat" % pid, encoding="utf-8") as file:
        return int(file.read().split()[0]) / 1e9


def cpu_apart_s(pid):
    """The same as user and as system time, in hundredths of a second."""
    with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) * TICK_S, int(fields[12]) * TICK_S


ONE_CALL = "SELECT training_job_status FROM %s.training_jobs WHERE training_job_name = 'bulk-000001'"


def in_session(work, before=ONE_CALL % "aws"):
    """What work(session) returns, and what it took, in a session that has made one call, or whatever else."""
    session = Session(DATABASE)
    session.run(before)
    control("calls")
    control("handshakes")
    before_s, apart_before_s = cpu_s(session.pid), cpu_apart_s(session.pid)
    start = time.monotonic()
    taken = work(session)
    taken["seconds"] = time.monotonic() - start
    taken["cpu_s"] = cpu_s(session.pid) - before_s
    taken["user_s"], taken["system_s"] = (
        after - before for after, before in zip(cpu_apart_s(session.pid), apart_before_s))
    taken["peak_kb"] = session.kb("VmHWM")
    session.close()
    return taken


def ask(session, sql):
    lines, state = session.ask(sql, PATIENCE_S)
    if state != "00000":
        sys.exit("%s failed: %r" % (sql, lines))
    return lines


def explained(session, query):
    return json.loads("".join(ask(session, "EXPLAIN (ANALYZE, FORMAT JSON) " + query)))[0]


def reading(query, schema="aws", before=ONE_CALL):
    """A query whose rows are thrown away by the executor."""
    def work(session):
        plan = explained(session, query)["Plan"]
        return {"rows": plan["Actual Rows"], "first_s": plan["Actual Startup Time"] / 1000}
    return lambda: in_session(work, before % schema)


def on_new_server(run, schema, api):
    """The same, on a server of which nobody has learnt yet how many calls are borne."""
    def anew():
        prepare("DROP SERVER IF EXISTS {0} CASCADE; DROP SCHEMA IF EXISTS {0}".format(schema))
        prepare(server(schema, HALF_CONCURRENCY, api=api))
        return run()
    return anew


def look_ups_at_once(schema):
    return ("SELECT role_arn FROM %s.training_jobs WHERE training_job_name IN (%s)"
            % (schema, ", ".join("'bulk-%06d'" % number for number in range(1, HALF_CONCURRENCY + 1))))


def connecting(schema):
    """As many look-ups as connections, in a session that has planned them but made no call."""
    query = look_ups_at_once(schema)

    def work(session):
        whole = explained(session, query)
        took_ms, plan = whole["Execution Time"], whole["Plan"]
        return {"rows": plan["Actual Rows"], "exact_s": took_ms / 1000,
                "first_s": (took_ms - plan["Actual Total Time"] + plan["Actual Startup Time"]) / 1000}
    return lambda: in_session(work, "EXPLAIN " + query)


def counting(query):
    return lambda: in_session(lambda session: {"rows": int(ask(session, query)[0])})


def loading(query, table):
    """A query whose rows go into a table."""
    def run():
        prepare("DROP TABLE IF EXISTS %s" % table)
        return in_session(lambda session: {"rows": int(ask(
            session, "CREATE TABLE %s AS %s; SELECT count(*) FROM %s" % (table, query, table))[-1])})
    return run


def looking_up(n):
    def work(session):
        ask(session, "DO $$ DECLARE r record; BEGIN FOR i IN 1..%d LOOP SELECT %s INTO STRICT r FROM "
                     "aws.training_jobs WHERE training_job_name = 'bulk-' || lpad(i::text, 6, '0'); "
                     "END LOOP; END $$" % (n, columns("aws.training_jobs")))
        return {"rows": n}
    return lambda: in_session(work)


def refreshing(changed):
    def work(session):
        session.run("SET client_min_messages = notice")
        lines = ask(session, REFRESH)
        summary = re.search(r"(\d+) inserted, (\d+) updated", " ".join(lines))
        return {"rows": int(summary.group(1)) + int(summary.group(2))}

    def run():
        control("change?jobs=%d" % changed, b"")
        return in_session(work)
    return run


def prepare(sql):
    session = Session(DATABASE)
    lines = ask(session, "SET client_min_messages = warning; " + sql)
    session.close()
    return lines


def columns(table, but=("tags",)):
    return ", ".join(prepare("SELECT attname FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0 "
                             "AND attname <> ALL ('{%s}') ORDER BY attnum" % (table, ",".join(but))))


# columns that are no attribute of their own
DERIVED = ("instance_type", "instance_count", "tags", "region", "account_id", "raw_response")


def handshakes():
    """(all, those that resumed a session) since this was last asked."""
    return tuple(int(count) for count in re.findall(r"=(\d+)", control("handshakes")))


def cost_of_connections(run):
    """The CPU of a new connection; run(kept) takes that of ROUNDS of calls, on kept or on new connections."""
    handshakes()
    kept_s = run(True)
    kept, _ = handshakes()
    new_s = run(False)
    new, resumed = handshakes()
    if new < ROUNDS * HALF_CONCURRENCY:
        sys.exit("%d connections where each call was to open one" % new)
    return {"cpu_us": (new_s - kept_s) / (new - kept) * 1e6, "new": new, "resumed": resumed}


def connections_of_extension(schema):
    session = Session(DATABASE)
    query = look_ups_at_once(schema)
    ask(session, query)

    def run(kept):
        before_s = cpu_s(session.pid)
        for _ in range(ROUNDS):
            if not kept:
                control("close", b"")
            ask(session, query)
        return cpu_s(session.pid) - before_s
    taken = cost_of_connections(run)
    session.close()
    return taken


def connections_of_floor():
    calls = ROUNDS * HALF_CONCURRENCY
    return cost_of_connections(
        lambda kept: floor("names" if kept else "fresh", calls, HALF_CONCURRENCY, TLS_URL)()["cpu_s"])


def server(name, concurrency, url=URL, api=None):
    """What makes a server, and its table in a schema of that name; with an "api" for scans, of the columns of Search."""
    return ("CREATE SERVER {0} FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', endpoint_url '{1}', "
            "max_concurrency '{2}'{3}); CREATE USER MAPPING FOR CURRENT_USER SERVER {0} OPTIONS (aws_access_key_id "
            "'{4}', aws_secret_access_key '{5}'); CREATE SCHEMA {0}; IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0} "
            "INTO {0}{6};").format(name, url, concurrency, ", scan_api '%s'" % api if api else "", *BULK,
                                   " OPTIONS (attributes 'search')" if api else "")


def make_schema(jobs):
    subprocess.run(["psql", "-X", "-q", "-d", "postgres", "-c", "CREATE DATABASE %s" % DATABASE], check=True)
    prepare("CREATE EXTENSION sagemaker_fdw; SET sagemaker_fdw.max_calls = 0;" +
            server("aws", CONCURRENCY) + server("tls", CONCURRENCY, TLS_URL) +
            server("tls_half", HALF_CONCURRENCY, TLS_URL) +
            "".join(server("by_" + api, HALF_CONCURRENCY, api=api) for api in ("auto", "describe", "search")))
    prepare("CREATE TABLE everywhere (LIKE aws.training_jobs) PARTITION BY LIST (region)")
    for number, region in enumerate(REGIONS):
        prepare("CREATE FOREIGN TABLE part_%d PARTITION OF everywhere FOR VALUES IN ('%s') SERVER aws OPTIONS "
                "(region '%s', max_concurrency '%d')" % (number, region, region, HALF_CONCURRENCY))
    for rows in JOINED:
        prepare("CREATE TABLE price_{0} AS SELECT 'bulk-' || lpad((i * {1})::text, 6, '0') AS job, i * 0.25 AS price "
                "FROM generate_series(1, {0}) AS i; ANALYZE price_{0}".format(rows, jobs // rows))


# -- its peers -----------------------------------------------------------------

def boto3(workload, jobs, table=None, like=None, url=URL, threads=CONCURRENCY, adaptive=False):
    def run():
        if table:
            prepare("DROP TABLE IF EXISTS {0}; CREATE TABLE {0} AS SELECT {1} FROM {2} LIMIT 0".format(
                table, columns(like, DERIVED), like))
        control("calls")
        done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "boto3_copy.py"), url, workload, str(jobs),
                               str(threads), *([table] if table else []), *(["--adaptive"] if adaptive else [])],
                              check=True, stdout=subprocess.PIPE, encoding="utf-8",
                              env={**os.environ, "PGDATABASE": DATABASE})
        taken = json.loads(done.stdout)
        taken["warm_up"] = 1
        return taken
    return run


def floor(mode, jobs, concurrency=CONCURRENCY, url=URL):
    def run():
        control("calls")
        control("handshakes")
        done = subprocess.run([os.path.join(os.environ["BENCH_BUILD"], "floor"), url, str(jobs), str(concurrency),
                               mode], check=True, stdout=subprocess.PIPE, encoding="utf-8")
        _, seconds, first, user, system, peak = done.stdout.split()
        return {"rows": jobs, "seconds": float(seconds), "first_s": float(first),
                "cpu_s": float(user) + float(system), "user_s": float(user), "system_s": float(system),
                "peak_kb": int(peak), "warm_up": 0 if mode == "cold" else 1}
    return run


def command_line(jobs):
    """A loop of the AWS CLI over so many jobs."""
    def run():
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": BULK[0], "AWS_SECRET_ACCESS_KEY": BULK[1],
                       "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "", "AWS_CONFIG_FILE": "/dev/null",
                       "AWS_EC2_METADATA_DISABLED": "true"}
        before = os.times()
        control("calls")
        start = time.monotonic()
        first = None
        for number in range(1, jobs + 1):
            subprocess.run(["aws", "sagemaker", "describe-training-job", "--endpoint-url", URL, "--training-job-name",
                            "bulk-%06d" % number], check=True, stdout=subprocess.DEVNULL, env=environment)
            first = first or time.monotonic() - start
        after = os.times()
        user, system = after.children_user - before.children_user, after.children_system - before.children_system
        return {"rows": jobs, "seconds": time.monotonic() - start, "first_s": first, "cpu_s": user + system,
                "user_s": user, "system_s": system}
    return run


# -- workloads -----------------------------------------------------------------

class Workload:
    """The same rows, by each of those that are compared, of which the first is the one that the others stand beside.

    "calls" is how many there are to be, or in which range; None where nobody knows, and by name where they differ.
    "fewer" are the rows of those that read fewer, since they are slow; "most_runs" is how often a name runs at most.
    """

    def __init__(self, title, jobs, latency_ms, rows, calls, peers, served=None, connections=None, fewer=None,
                 calls_per_s=0, most_runs=None):
        self.title, self.jobs, self.latency_ms, self.connections = title, jobs, latency_ms, connections
        self.rows, self.calls, self.peers = rows, calls, peers
        self.served = served or jobs
        self.fewer, self.calls_per_s, self.most_runs = fewer or {}, calls_per_s, most_runs or {}
        self.mine = next(iter(peers))
        self.runs = {name: [] for name in peers}

    def rows_of(self, name):
        return self.fewer.get(name, self.rows)

    def check_calls(self, name, made):
        calls = self.calls.get(name) if isinstance(self.calls, dict) else self.calls
        if name == CLI or calls is None:
            return
        if made not in (calls if isinstance(calls, range) else [calls]):
            sys.exit("%s, %s: %d calls, not %s" % (self.title, name, made, calls))

    def measure(self, runs):
        for number in range(runs):
            for name, run in self.peers.items():
                if number < self.most_runs.get(name, runs):
                    self.measure_one(name, run)

    def measure_one(self, name, run):
        serve(self.served, self.latency_ms, self.calls_per_s)
        taken = run()
        taken["calls"] = calls_made() - taken.pop("warm_up", 0)
        if taken["rows"] != self.rows_of(name):
            sys.exit("%s, %s: %s rows, not %d" % (self.title, name, taken["rows"], self.rows_of(name)))
        self.check_calls(name, taken["calls"])
        if self.connections is not None and handshakes()[0] != self.connections:
            sys.exit("%s, %s: not %d new connections" % (self.title, name, self.connections))
        taken["seconds"] = taken.pop("exact_s", taken["seconds"])
        taken["rate"] = taken["rows"] / taken["seconds"]
        for kind in ("cpu", "user", "system"):
            taken[kind + "_us"] = taken[kind + "_s"] / taken["rows"] * 1e6
        self.runs[name].append(taken)

    def figures(self, name, key):
        """(median, least, most), or None."""
        values = [taken[key] for taken in self.runs.get(name, []) if taken.get(key) is not None]
        return (statistics.median(values), min(values), max(values)) if values else None

    def median(self, name, key):
        figures = self.figures(name, key)
        return figures and figures[0]

    def ratio(self, other, key="rate"):
        mine, its = self.median(self.mine, key), self.median(other, key)
        return mine / its if mine and its else None


def pages(jobs):
    return -(-jobs // 100)


# columns that records of Search do not have, or not for one call
NOT_SEARCHED = ("tags", "raw_response")


def searching(largest, some, latencies):
    """All that Search has, by each of those who can say it; (key, workload)."""
    what = columns("by_auto.training_jobs", NOT_SEARCHED)
    query = "SELECT %s FROM %s.training_jobs"
    for latency_ms in (0, latencies[-1]):
        peers = {AUTO: reading(query % (what, "by_auto"), "by_auto"),
                 DESCRIBE: reading("%s LIMIT %d" % (query % (what, "by_describe"), some), "by_describe"),
                 SEARCH: reading(query % (what, "by_search"), "by_search")}
        if latency_ms:
            peers[BOTO3_SEARCH] = boto3("search", largest, threads=HALF_CONCURRENCY)
            peers[BOTO3] = boto3("all", some, threads=HALF_CONCURRENCY)
            peers[FLOOR] = floor("search", largest)
        yield "auto%d" % latency_ms, Workload(
            "all columns of Search, %d at once" % HALF_CONCURRENCY, largest, latency_ms, largest,
            {AUTO: range(AUTO_CALLS + 1), DESCRIBE: pages(some) + some,
             SEARCH: pages(largest), BOTO3_SEARCH: pages(largest), BOTO3: pages(some) + some, FLOOR: pages(largest)},
            peers, fewer={DESCRIBE: some, BOTO3: some})


def limited(jobs):
    """The same where each operation may be called a few times a second only."""
    what = columns("by_auto.training_jobs", NOT_SEARCHED)
    query = "SELECT %s FROM %s.training_jobs" % (what, "limited")
    by_describe = reading("%s LIMIT %d" % (query, LIMITED), "limited",
                          "SELECT count(role_arn) FROM (SELECT role_arn FROM %%s.training_jobs LIMIT %d) AS learnt" % LEARNT)
    return Workload(
        "all columns of Search, at most %d calls/s of each operation" % CALLS_PER_S, jobs, 0, jobs, None,
        {AUTO: on_new_server(reading(query, "limited"), "limited", "auto"),
         DESCRIBE: on_new_server(by_describe, "limited", "describe"),
         SEARCH: on_new_server(reading(query, "limited"), "limited", "search"),
         BOTO3_SEARCH: boto3("search", jobs, threads=HALF_CONCURRENCY, adaptive=True),
         BOTO3: boto3("all", LIMITED, threads=HALF_CONCURRENCY, adaptive=True)},
        fewer={DESCRIBE: LIMITED, BOTO3: LIMITED}, calls_per_s=CALLS_PER_S,
        most_runs={DESCRIBE: 1, BOTO3: 1, AUTO: LIMITED_RUNS, SEARCH: LIMITED_RUNS, BOTO3_SEARCH: LIMITED_RUNS})


def workloads(sizes, latencies):
    everything = columns("aws.training_jobs")
    attributes = columns("aws.training_jobs", DERIVED)
    largest = sizes[-1]
    some = sizes[0]
    last_latency = latencies[-1]

    for latency_ms in latencies:
        n = LOOKUPS if latency_ms == 0 else LOOKUPS // 4
        yield "lookup%d" % latency_ms, Workload(
            "point look-ups, one after another", n, latency_ms, n, n,
            {FDW: looking_up(n), BOTO3: boto3("lookup", n)}, served=largest)
    for jobs in sizes:
        for latency_ms in latencies:
            calls = pages(jobs) + jobs
            yield "all%d-%d" % (jobs, latency_ms), Workload(
                "all columns, rows thrown away", jobs, latency_ms, jobs, calls,
                {FDW: reading("SELECT %s FROM aws.training_jobs" % everything), BOTO3: boto3("all", jobs),
                 FLOOR: floor("all", jobs)})
    yield "scalars", Workload(
        "three scalar columns, rows thrown away", largest, 0, largest, pages(largest) + largest,
        {FDW: reading("SELECT %s FROM aws.training_jobs" % SCALARS), BOTO3: boto3("all", largest),
         FLOOR: floor("all", largest)})
    for latency_ms in (0, last_latency):
        yield "load%d" % latency_ms, Workload(
            "all attributes, into a table", largest, latency_ms, largest, pages(largest) + largest,
            {FDW: loading("SELECT %s FROM aws.training_jobs" % attributes, "loaded"),
             BOTO3: boto3("all", largest, "copied", "aws.training_jobs")})
    yield "summary", Workload(
        "summary columns", largest, last_latency, largest, pages(largest),
        {FDW: reading("SELECT %s FROM aws.training_jobs" % SUMMARY), BOTO3: boto3("summary", largest),
         FLOOR: floor("list", largest)})
    yield "newest", Workload(
        "the newest %d" % NEWEST, NEWEST, last_latency, NEWEST, NEWEST + 1,
        {FDW: reading("SELECT %s FROM aws.training_jobs ORDER BY creation_time DESC LIMIT %d" % (everything, NEWEST)),
         BOTO3: boto3("newest", NEWEST)}, served=largest)
    yield from searching(largest, some, latencies)
    yield "limited", limited(2 * some)
    for rows in JOINED:
        yield "join%d" % rows, Workload(
            "a join with {:,} rows by name".format(rows), rows, last_latency, rows, rows,
            {FDW: counting("SELECT count(cost) FROM (SELECT price * sagemaker_billable_instance_seconds("
                           "billable_time_in_seconds, resource_config) AS cost FROM price_%d JOIN aws.training_jobs "
                           "ON training_job_name = job) AS costs" % rows),
             BOTO3: boto3("names", rows)}, served=largest)
    serve(largest, 0)
    prepare(REFRESH)
    yield "refresh", Workload(
        "sagemaker_fdw_refresh, %d of %d changed" % (CHANGED, largest), CHANGED, last_latency, CHANGED, None,
        {FDW: refreshing(CHANGED)}, served=largest)
    yield "one", Workload(
        "one partition, 16 calls at once", some, last_latency, some, pages(some) + some,
        {FDW: counting("SELECT count(role_arn) FROM part_0"), FLOOR: floor("all", some, HALF_CONCURRENCY)})
    yield "four", Workload(
        "four asynchronous partitions", 4 * some, last_latency, 4 * some, 4 * (pages(some) + some),
        {FDW: counting("SELECT count(role_arn) FROM everywhere")}, served=some)
    every = "SELECT %s FROM %s.training_jobs"
    n = 4 * some
    yield "tls%d" % last_latency, Workload(
        "over TLS: all columns, rows thrown away, %d at once" % CONCURRENCY, n, last_latency, n, pages(n) + n,
        {FDW: reading(every % (everything, "tls"), "tls"), BOTO3: boto3("all", n, url=TLS_URL),
         FLOOR: floor("all", n, url=TLS_URL)})
    yield "tls0", Workload(
        "over TLS: all columns, rows thrown away, %d at once" % HALF_CONCURRENCY, largest, 0, largest,
        pages(largest) + largest,
        {FDW: reading(every % (everything, "tls_half"), "tls_half"),
         BOTO3: boto3("all", largest, url=TLS_URL, threads=HALF_CONCURRENCY),
         FLOOR: floor("all", largest, HALF_CONCURRENCY, TLS_URL)})
    n = HALF_CONCURRENCY
    yield "tls_cold", Workload(
        "over TLS: %d look-ups on as many new connections" % n, n, 0, n, n,
        {FDW: connecting("tls_half"), FLOOR: floor("cold", n, n, TLS_URL)}, served=largest, connections=n)
    yield "cli", Workload(
        "a loop of the AWS CLI", CLI_JOBS, 0, CLI_JOBS, CLI_JOBS, {CLI: command_line(CLI_JOBS)}, served=largest)


# -- the report ----------------------------------------------------------------

def number(value):
    if value is None:
        return "–"
    if value >= 100:
        return "{:,.0f}".format(value)
    return "%.1f" % value if value >= 10 else "%.2f" % value


def spread(figures, factor=1):
    """A median with its extremes."""
    if figures is None:
        return "–"
    middle, least, most = (number(value * factor) for value in figures)
    return middle if least == most else "%s (%s to %s)" % (middle, least, most)


def table(done):
    yield ("| workload | jobs | latency, ms | by | calls | jobs/s | CPU a job, µs | in user mode, µs | in the kernel, µs "
           "| first row, ms | peak memory, MB | jobs/s of the first to this |")
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for workload in done.values():
        for name in workload.peers:
            user, system = workload.figures(name, "user_us"), workload.figures(name, "system_us")
            # the kernel tells them apart in hundredths of a second
            if workload.median(name, "cpu_s") < 0.1:
                user = system = None
            ratio = workload.ratio(name) if name != workload.mine else None
            yield "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |" % (
                workload.title, "{:,}".format(workload.rows_of(name)), workload.latency_ms, name,
                "{:,.0f}".format(workload.median(name, "calls")), spread(workload.figures(name, "rate")),
                spread(workload.figures(name, "cpu_us")), spread(user), spread(system),
                spread(workload.figures(name, "first_s"), 1000),
                spread(workload.figures(name, "peak_kb"), 1 / 1024), number(ratio) if ratio else "")


def connection_table(costs):
    """What new TLS connections cost each of those that are compared."""
    yield "| by | CPU of a new TLS connection, µs | new connections | of these resumed a session |"
    yield "| --- | --- | --- | --- |"
    for name, runs in costs.items():
        cpu, new, resumed = ([taken[key] for taken in runs] for key in ("cpu_us", "new", "resumed"))
        yield "| %s | %s | %s | %s |" % (name, *(
            spread((statistics.median(values), min(values), max(values))) for values in (cpu, new, resumed)))


def targets(done, costs, largest, latencies):
    """(what is to hold, what was measured, whether it holds)."""
    for what, key, most_us, times in (("three scalar columns", "scalars", 33, 20),
                                      ("all columns", "all%d-0" % largest, 45, 17)):
        local = done[key]
        cpu, floor_cpu, ratio = local.median(FDW, "cpu_us"), local.median(FLOOR, "cpu_us"), local.ratio(BOTO3)
        times_floor, most_times = cpu / floor_cpu, most_us / FLOOR_US
        yield ("no latency, %s: at most %s times the CPU of bare libcurl a job (%d µs where that takes %d)" % (
            what, number(most_times), most_us, FLOOR_US),
               "%s times: %s µs, bare libcurl %s µs" % (number(times_floor), number(cpu), number(floor_cpu)), times_floor <= most_times)
        yield ("… at least %d times the jobs/s of boto3 in threads" % times, "%s times" % number(ratio),
               ratio >= times)
    if 50 in latencies:
        ratio = done["all%d-50" % largest].ratio(FLOOR)
        yield ("50 ms a call, 32 at once: at least 0.95 of the jobs/s of bare libcurl", "%.3f" % ratio, ratio >= 0.95)
        ratio = done["tls50"].ratio(FLOOR)
        yield "… over TLS", "%.3f" % ratio, ratio >= 0.95
        calls = done["auto50"].figures(AUTO, "calls")[2]
        yield ("scan_api 'auto', 10,000 jobs that have ended: at most %d calls" % AUTO_CALLS, "%d calls" % calls,
               calls <= AUTO_CALLS)
        ratio = done["auto50"].ratio(DESCRIBE)
        yield ("… 50 ms a call, %d at once: at least 4 times the jobs/s of 'describe'" % HALF_CONCURRENCY,
               "%s times" % number(ratio), ratio >= 4)
        for rows in JOINED:
            ratio = done["join%d" % rows].ratio(BOTO3)
            yield ("a join with {:,} rows, 50 ms a call: at least the jobs/s of boto3 in threads".format(rows),
                   "%s times" % number(ratio), ratio >= 1)
    ratio = done["limited"].ratio(DESCRIBE)
    yield ("scan_api 'auto', {:,} jobs at {} calls/s of each operation: at least 30 times the jobs/s of 'describe'".format(
        done["limited"].jobs, CALLS_PER_S), "%s times" % number(ratio), ratio >= 30)
    times = done["four"].median(FDW, "seconds") / done["one"].median(FDW, "seconds")
    yield "four asynchronous partitions take at most 1.3 times one", "%.2f times" % times, times <= 1.3
    times = done["tls_cold"].median(FDW, "first_s") / done["tls_cold"].median(FLOOR, "first_s")
    yield ("%d new TLS connections to the first row: at most 1.1 times a bare libcurl loop's time" % HALF_CONCURRENCY,
           "%.2f times" % times, times <= 1.1)
    cpu = statistics.median(taken["cpu_us"] for taken in costs[FDW])
    yield ("a new TLS connection, by the system's certificates: at most 1 ms of the backend's CPU",
           "%.2f ms" % (cpu / 1000), cpu <= 1000)


def output_of(*command):
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory_kb = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1))
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'^PRETTY_NAME="(.*)"$', file.read(), re.M).group(1)
    yield "%d × %s, %.1f GB of memory" % (len(models), models[0] if models else os.uname().machine, memory_kb / 1e6)
    yield "%s, Linux %s" % (system, os.uname().release)
    yield prepare("SHOW server_version")[0].join(["PostgreSQL ", ", shared_buffers 128 MB, fsync off"])
    for package in ("libcurl4", "libcurl4t64", "libssl3", "libssl3t64", "python3-boto3", "awscli"):
        version = output_of("dpkg-query", "-W", "-f", "${Version}", package)
        if version:
            yield "%s %s" % (package, version)


def report(done, costs, arguments, runs, sizes, latencies, load):
    yield "# Benchmark"
    yield ""
    yield "```sh"
    yield "bash test/bench/run.sh%s" % (" --quick" if arguments.quick else "")
    yield "```"
    yield ""
    yield ("Written by that command on %s. Each figure is the median of %d run%s, with the least and the most in "
           "brackets where they differ." % (time.strftime("%Y-%m-%d", time.gmtime()), runs, "" if runs == 1 else "s"))
    yield ""
    yield "## What is to hold"
    yield ""
    yield "| | measured | |"
    yield "| --- | --- | --- |"
    for what, measured, held in targets(done, costs, sizes[-1], latencies):
        yield "| %s | %s | %s |" % (what, measured, "holds" if held else "**does not hold**")
    yield ""
    yield "![jobs a second](throughput.svg)"
    yield ""
    yield "![CPU a job](cpu.svg)"
    yield ""
    yield "## All figures"
    yield ""
    yield from table(done)
    yield ""
    yield from connection_table(costs)
    yield ""
    yield "## How it was measured"
    yield ""
    for line in machine():
        yield "- " + line
    yield "- load average when it began: %.2f" % load
    for note in arguments.note:
        yield "- " + note
    yield ""
    yield from HOW.format(concurrency=CONCURRENCY, half=HALF_CONCURRENCY, rounds=ROUNDS, cli=CLI_JOBS,
                          calls_per_s=CALLS_PER_S, learnt=LEARNT, limited=LIMITED).splitlines()


HOW = """\
Jobs are documents of about 11 KB. The endpoint (`test/bench/endpoint`) is a process of its own on the same machine, answers
each call after the given latency, and does not verify signatures; the tests' own endpoint does. It speaks HTTP, and where the
table says so over TLS 1.3, with RSA keys of 2,048 bits, a certificate between its own and the root, and session tickets. The root
is one of those that the system trusts, and all trust it by their default.

Where the machine has two processors or more, the endpoint has one of them to itself and polls there; whoever is measured, with the
Postgres cluster, has the others. To wake an endpoint that sleeps is work of the caller's process: where it polls, the CPU of
a job is the caller's own. All gain from that, boto3 too.

- **sagemaker_fdw**: a session of its own for each run, that has made one call before. `max_concurrency` is {concurrency}.
  Rows that are "thrown away" are read by `EXPLAIN (ANALYZE)`, all columns decoded. All columns are all but `tags`, which
  would cost another call a job; the three scalar ones are of the document, too. CPU is the backend's, from
  `/proc/PID/schedstat`, in user mode and in the kernel from `/proc/PID/stat`; memory is its VmHWM, shared memory that it
  touched included. The time to the first row is the plan's. The look-ups on new connections are in a session that has
  planned them and made no call; their time is the executor's.
- **boto3 in threads** (`test/bench/boto3_copy.py`): {concurrency} threads, or {half} where the table says so, as many pooled
  connections, one client; rows are loaded by `COPY` through psql where they go into a table, else thrown away as
  dictionaries. CPU and memory are those of the Python process; the CPU of psql and of the backend come on top. Its start
  and imports are not counted.
- **bare libcurl** (`test/bench/floor.c`): a multi loop that makes the same calls, {concurrency} at once, or {half} where the
  table says so, knows names and tokens beforehand, signs nothing, and throws bodies away unread: the floor. It reads the
  system's certificates once, resumes TLS sessions, and has made one call before; look-ups on new connections are timed from
  its first line on.
- **CPU of a new TLS connection**: {rounds} times {half} look-ups on new connections, less the same on kept ones, by the
  scheduler's count of the process's time. The endpoint closes the extension's connections between the rounds, bare libcurl
  its own after each call.
- **All columns of Search** are those but `tags` and `raw_response`, which each table of such a server has, on servers with
  `max_concurrency` {half}. All jobs have ended hours ago. Each session is new, so that a job of each of its first 20 Searches
  is described, too. Those who describe each job read fewer jobs: theirs is a rate, which does not depend on how many they are.
- **At most {calls_per_s} calls/s of each operation**: the endpoint throttles what is more; {calls_per_s} calls are saved up at
  first. Each run has a new server, of which nobody knows the limit. `describe` has read {learnt} jobs before, so that it has used
  up what was saved and has learnt the limit, and is timed over the next {limited}, once; boto3, once, over {limited}, with what was saved.
  boto3 has retries of mode "adaptive" there, and 20 attempts; elsewhere of mode "standard". `auto` and `search` have read one job before.
- **AWS CLI**: `aws sagemaker describe-training-job` for {cli} jobs, one after another.

CPU in user mode and in the kernel is left out where a run took less than a tenth of a second of both. A join by name is a nested
loop that [looks ahead](../pushdown.md#joins-look-ahead)."""

PLOT = """\
set terminal svg size 900,360 font "sans-serif,12" background "#ffffff"
set output "{output}"
set multiplot layout 1,{panels} title "{title}"
set style fill solid 0.9 noborder
set boxwidth 0.7
set grid ytics
set key off
set xrange [-0.6:2.6]
set yrange [0:*]
set xtics noenhanced font "sans-serif,10"
set bmargin 3
"""
PANEL = """\
set title "{latency} ms a call"
plot "{data}" using 0:2:3:xtic(1) with boxes linecolor rgb variable
"""
BARS = {FDW: ("sagemaker\\n_fdw", "0x2f6fab"), BOTO3: ("boto3", "0xd9822b"), FLOOR: ("bare\\nlibcurl", "0x999999")}


def plot(directory, name, title, done, key, keys):
    """A plot with a panel for each of the workloads, each with a scale of its own."""
    path = os.path.join(directory, name + ".svg")
    script = PLOT.format(output=path, panels=len(keys), title=title)
    for workload in keys:
        data = os.path.join(os.environ["BENCH_BUILD"], "%s-%s.dat" % (name, workload))
        with open(data, "w", encoding="utf-8") as file:
            for peer, (label, colour) in BARS.items():
                file.write('"%s" %g %s\n' % (label, done[workload].median(peer, key), colour))
        script += PANEL.format(latency=done[workload].latency_ms, data=data)
    subprocess.run(["gnuplot"], input=script, check=True, encoding="utf-8")
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip() for line in file]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n")


def other_figures(readme):
    """The sections at the end that are not of this program's making."""
    if not os.path.exists(readme):
        return ""
    with open(readme, encoding="utf-8") as file:
        _, title, rest = file.read().partition("\n## A new TLS connection\n")
    return title + rest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--note", action="append", default=[])
    arguments = parser.parse_args()
    runs, sizes, latencies = (1, [200, 1000], [0, 20]) if arguments.quick else (5, [1000, 10000], [0, 20, 50])
    load = os.getloadavg()[0]
    os.environ["NO_PROXY"] = "*"

    serve(sizes[-1], 0)
    make_schema(sizes[-1])
    done = {}
    for key, workload in workloads(sizes, latencies):
        print("    %s: %d jobs, %d ms" % (workload.title, workload.jobs, workload.latency_ms), flush=True)
        workload.measure(runs)
        done[key] = workload
    print("    new TLS connections", flush=True)
    serve(sizes[-1], 0)
    costs = {FDW: [], FLOOR: []}
    for _ in range(runs):
        costs[FDW].append(connections_of_extension("tls_half"))
        costs[FLOOR].append(connections_of_floor())

    os.makedirs(arguments.output, exist_ok=True)
    readme = os.path.join(arguments.output, "README.md")
    others = other_figures(readme)
    with open(readme, "w", encoding="utf-8") as file:
        file.write("\n".join(report(done, costs, arguments, runs, sizes, latencies, load)) + "\n" + others)
    scans = ["all%d-%d" % (sizes[-1], latency_ms) for latency_ms in latencies]
    jobs = "{:,} jobs of 11 KB, all columns: %s".format(sizes[-1])
    plot(arguments.output, "throughput", jobs % "jobs a second", done, "rate", scans)
    plot(arguments.output, "cpu", jobs % "CPU a job, µs", done, "cpu_us", scans)


if __name__ == "__main__":
    main()
