"""Several partitions at once: an asynchronous Append reads them concurrently.

Run below test/with-service --bulk 400.
"""
import collections
import json
import os
import re

from harness import BULK, HISTORY, another_session, control, counters, explained, fault, main, make_server, wait_for
from named_faults import broken, denied, silent, throttled

PARTITIONS = [("123456789012", "us-east-1", HISTORY, 300), ("123456789012", "eu-west-1", HISTORY, 40),
              ("345678901234", "us-east-1", BULK, 400)]
ROWS = sum(rows for _, _, _, rows in PARTITIONS)
ONE, TWO, THREE = ((account_id, region) for account_id, region, _, _ in PARTITIONS)


def make_tables(session):
    """aws.jobs by account and region."""
    for schema, keys in (("history", HISTORY), ("bulk", BULK)):
        make_server(session, schema, keys)
    session.run("""
        CREATE SCHEMA aws;
        CREATE TABLE aws.jobs (LIKE history.training_jobs) PARTITION BY LIST (account_id);
        CREATE TABLE aws.jobs_1 PARTITION OF aws.jobs FOR VALUES IN ('123456789012') PARTITION BY LIST (region);
        CREATE TABLE aws.jobs_3 PARTITION OF aws.jobs FOR VALUES IN ('345678901234') PARTITION BY LIST (region);
        CREATE FOREIGN TABLE aws.one PARTITION OF aws.jobs_1 FOR VALUES IN ('us-east-1')
          SERVER history OPTIONS (region 'us-east-1');
        CREATE FOREIGN TABLE aws.two PARTITION OF aws.jobs_1 FOR VALUES IN ('eu-west-1')
          SERVER history OPTIONS (region 'eu-west-1');
        CREATE FOREIGN TABLE aws.three PARTITION OF aws.jobs_3 FOR VALUES IN ('us-east-1')
          SERVER bulk OPTIONS (region 'us-east-1')""")


def plan(session, query, options="COSTS OFF"):
    return "\n".join(session.run("EXPLAIN (%s) %s" % (options, query)))


def test_rows(session, tap):
    query = "SELECT training_job_arn, role_arn, tableoid FROM aws.jobs"
    tap.equal(plan(session, query).count("Async Foreign Scan"), 3, "three partitions are scanned asynchronously")
    answers = []
    for setting in ("on", "off"):
        session.run("SET enable_async_append = %s" % setting)
        control("calls")
        answers.append((sorted(session.run(query)), control("calls").strip()))
    session.run("RESET enable_async_append")
    tap.equal(len(answers[0][0]), ROWS, "they have all rows")
    tap.equal(answers[0], answers[1], "the rows and the calls are those of scanning one partition after another")
    tap.equal(session.run("SELECT count(*), count(DISTINCT training_job_arn) FROM aws.jobs WHERE role_arn LIKE '%a%'"),
              session.run("SELECT count(*), count(DISTINCT training_job_arn) FROM "
                          "(SELECT * FROM aws.one UNION ALL SELECT * FROM aws.two UNION ALL SELECT * FROM aws.three) AS t "
                          "WHERE role_arn LIKE '%a%'"), "conditions that Postgres checks hold")
    tap.equal(session.run("SELECT count(*) FROM generate_series(1, 3) AS i, "
                          "LATERAL (SELECT role_arn FROM aws.jobs WHERE instance_count >= i - 3 OFFSET 0) AS t"),
              session.run("SELECT 3 * count(*) FROM aws.jobs WHERE instance_count >= 0"), "they can be scanned again")
    tap.equal(session.run("SELECT count(*) FROM (SELECT role_arn FROM aws.jobs LIMIT 30) AS t"), ["30"],
              "they can be left early")
    tap.equal(session.run("SELECT count(*) FROM aws.jobs AS a JOIN aws.jobs AS b USING (training_job_arn) "
                          "WHERE a.role_arn = b.role_arn"), ["%d" % ROWS], "two Appends run in one query")
    tap.equal(session.run("BEGIN; DECLARE c CURSOR FOR SELECT role_arn FROM aws.jobs; MOVE FORWARD 50 IN c; "
                          "SELECT count(*) FROM aws.two; MOVE FORWARD ALL IN c; COMMIT")[-1], "40",
              "another scan runs while a cursor is open")


def test_concurrency(session, tap):
    # a call must last longer than it takes to send them all, in a backend that is slowed down, too
    control("config", {"latency_ms": 20 * float(os.environ.get("SAGEMAKER_FDW_TEST_SLOWNESS", "1"))})
    session.run("SELECT count(role_arn) FROM aws.jobs")
    most = counters()["most_in_flight"]
    tap.ok(most > 16, "more calls are in flight than one scan makes", most)
    session.run("SET sagemaker_fdw.max_session_connections = 5; SELECT sagemaker_fdw_disconnect()")
    before = counters()["connections"]
    tap.equal(session.run("SELECT count(role_arn) FROM aws.jobs"), ["%d" % ROWS], "few connections give all rows")
    tap.ok(counters()["connections"] - before <= 5, "and no more than those are opened", counters())
    session.run("RESET sagemaker_fdw.max_session_connections")
    scans = explained(session, "SELECT role_arn FROM aws.jobs", "ANALYZE, ")["Plans"]
    tap.equal(sorted(scan["Actual Rows"] for scan in scans), [40, 300, 400], "EXPLAIN ANALYZE has each partition's rows")
    tap.ok(all(scan["API Wait Time"] > 0 for scan in scans), "and the time spent waiting for it", scans)
    control("config", {"latency_ms": 0})


def test_merged(session, tap):
    """Merged partitions start together, but not with those of another scan of the table."""
    merged = "SELECT i.training_job_name FROM aws.jobs AS i WHERE %s ORDER BY i.creation_time DESC LIMIT 1"
    query = "SELECT o.training_job_name, (%s) FROM aws.jobs AS o ORDER BY o.creation_time DESC LIMIT 5"
    newest = ["bulk-%06d" % number for number in range(1, 7)]
    before = query % merged % "i.creation_time < o.creation_time"
    tap.equal(plan(session, before).count("Merge Append"), 2, "partitions are merged once for each row of another table")
    control("calls")
    tap.equal((session.run(before), control("calls").strip()),
              (["%s|%s" % pair for pair in zip(newest, newest[1:])], "ListTrainingJobs=18"),
              "... waiting for that row")
    same = query % merged % "i.training_job_name ^@ o.training_job_name"
    tap.equal(plan(session, same).count("Merge Append"), 2, "the row's value may be of any kind")
    tap.equal(session.ask(same), (["%s|%s" % (name, name) for name in newest[:5]], "00000"), "... and is not used before it is there")
    control("reset", b"")
    control("config", {"latency_ms": 100})
    session.run("SELECT training_job_name FROM aws.jobs ORDER BY creation_time DESC LIMIT 1")
    tap.equal(counters()["most_in_flight"], 3, "the partitions' first pages are asked for at once")
    control("reset", b"")


def test_pruning(session, tap):
    for query, calls in (("region = 'eu-west-1'", "ListTrainingJobs=1"),
                         ("account_id = '345678901234'", "ListTrainingJobs=4"),
                         ("region = 'us-west-2'", "none")):
        control("calls")
        session.run("SELECT count(*) FROM aws.jobs WHERE %s" % query)
        tap.equal(control("calls").strip(), calls, "%s makes no call to other partitions" % query)


def asked(session, query):
    """(rows, {partition: calls}) of a query that makes few calls."""
    accounts = {keys[0]: account_id for account_id, _, keys, _ in PARTITIONS}
    control("reset", b"")
    rows = session.run(query)
    scopes = [re.search("Credential=(.*?)/.*?/(.*?)/", request["headers"]["authorization"]).groups()
              for request in json.loads(control("requests"))]
    return rows, dict(collections.Counter((accounts[key], region) for key, region in scopes))


def test_pruning_at_run_time(session, tap):
    """No calls are made for a partition that a sub-select or another table's row excludes, whatever the plan."""
    newest = "SELECT training_job_name FROM aws.jobs WHERE %s ORDER BY creation_time DESC LIMIT 1"
    count = "SELECT count(*) FROM aws.jobs WHERE %s"
    rows = {ONE: 300, TWO: 40, THREE: 400}
    names, times = {}, {}
    for partition, table in ((ONE, "one"), (TWO, "two"), (THREE, "three")):
        names[partition], times[partition] = session.run("SELECT training_job_name, creation_time FROM aws.%s "
                                                         "ORDER BY creation_time DESC LIMIT 1" % table)[0].split("|")

    conditions = [("account_id = (SELECT '345678901234')", [THREE]),
                  ("account_id = (SELECT '345678901234') AND region = 'us-east-1'", [THREE]),
                  ("region = (SELECT 'eu-west-1')", [TWO]),
                  ("region = ANY (ARRAY(SELECT 'eu-west-1'))", [TWO]),
                  ("account_id = ANY (ARRAY[(SELECT '345678901234'), 'nobody'])", [THREE]),
                  ("account_id = (SELECT '123456789012') AND region = (SELECT 'us-east-1')", [ONE]),
                  ("(account_id = (SELECT '345678901234') OR account_id = 'nobody')", [THREE]),
                  ("account_id <> (SELECT '345678901234')", [ONE, TWO]),
                  ("account_id = (SELECT 'nobody')", [])]
    for condition, partitions in conditions:
        newest_of = sorted(partitions, key=times.get)[-1:]
        tap.equal(asked(session, newest % condition),
                  ([names[partition] for partition in newest_of], {partition: 1 for partition in partitions}),
                  "merged, %s reads %d of the partitions" % (condition, len(partitions)))
    for setting, scan in (("on", "Async Foreign Scan"), ("off", "Foreign Scan")):
        session.run("SET enable_async_append = %s" % setting)
        tap.equal(re.findall(".*(Append|->  .*Foreign Scan)", plan(session, count % conditions[0][0])),
                  ["Append"] + ["->  " + scan] * 3, "enable_async_append = %s" % setting)
        for condition, partitions in conditions:
            tap.equal(asked(session, count % condition),
                      (["%d" % sum(rows[partition] for partition in partitions)],
                       {partition: -(-rows[partition] // 100) for partition in partitions}),
                      "... %s reads %d of the partitions" % (condition, len(partitions)))
    session.run("RESET enable_async_append")

    session.run("CREATE TABLE wanted AS SELECT * FROM (VALUES ('%s', '%s', '%s'), ('%s', '%s', '%s')) "
                "AS v (account_id, region, name); ANALYZE wanted" % (*THREE, names[THREE], *TWO, names[TWO]))
    expected = sorted([names[TWO], names[THREE]]), {TWO: 1, THREE: 1}
    query = ("SELECT name FROM (SELECT role_arn <> '', name FROM wanted JOIN aws.jobs AS j ON j.training_job_name = name "
             "AND j.account_id = wanted.account_id AND j.region = wanted.region OFFSET 0) AS t ORDER BY 1")
    for setting in ("on", "off"):
        session.run("SET enable_async_append = %s" % setting)
        tap.equal(re.findall("Nested Loop|Append", plan(session, query)), ["Nested Loop", "Append"],
                  "a nested loop over partitions, enable_async_append = %s" % setting)
        tap.equal(asked(session, query), expected, "... reads the partition of each row")
    session.run("RESET enable_async_append; SET enable_sort = off")
    query = "SELECT (%s) FROM wanted AS w" % newest % "region = w.region AND account_id = w.account_id"
    tap.equal("Append" in plan(session, query), True, "a sub-select for each row")
    answer, calls = asked(session, query)
    tap.equal((sorted(answer), calls), expected, "... reads the partition of each row")
    session.run("RESET enable_sort; DROP TABLE wanted")

    session.run("CREATE TABLE aws.places (LIKE history.training_jobs) PARTITION BY LIST ((account_id || region)); "
                "CREATE FOREIGN TABLE aws.one_place PARTITION OF aws.places FOR VALUES IN ('%s') SERVER history; "
                "CREATE FOREIGN TABLE aws.other_place PARTITION OF aws.places FOR VALUES IN ('%s') SERVER bulk"
                % ("".join(ONE), "".join(THREE)))
    query = "SELECT training_job_name FROM aws.places WHERE account_id || region = (SELECT '%s') ORDER BY creation_time LIMIT 1"
    tap.equal(asked(session, query % "".join(THREE))[1], {THREE: 1}, "the key may be an expression")
    session.run("DROP TABLE aws.places")

    # in the order of their key, one partition is read after another
    session.run("CREATE TABLE aws.ages (LIKE history.training_jobs) PARTITION BY RANGE (creation_time); "
                "CREATE FOREIGN TABLE aws.old PARTITION OF aws.ages FOR VALUES FROM (MINVALUE) TO ('2020-01-01') SERVER history; "
                "CREATE FOREIGN TABLE aws.new PARTITION OF aws.ages FOR VALUES FROM ('2020-01-01') TO (MAXVALUE) SERVER bulk")
    tap.equal(asked(session, "SELECT training_job_name FROM aws.ages ORDER BY creation_time DESC LIMIT 1"),
              ([names[THREE]], {THREE: 1}), "a partition of older jobs is not read before the newer ones are exhausted")
    session.run("DROP TABLE aws.ages")


def test_starting_together(session, tap):
    """First pages are requested at once where nothing can exclude a partition any more."""
    newest = "SELECT training_job_name FROM aws.jobs WHERE %s ORDER BY creation_time DESC LIMIT 1"
    session.run("SET plan_cache_mode = force_generic_plan; PREPARE of_account AS " + newest % "account_id = $1")
    session.run("EXECUTE of_account ('123456789012')")
    for query, partitions in ((newest % "training_job_name <> (SELECT 'x')", [ONE, TWO, THREE]),
                              (newest % "account_id = '123456789012' AND training_job_name <> (SELECT 'x')", [ONE, TWO]),
                              (newest % "region LIKE '%-1' AND (account_id > '2' OR training_job_name <> (SELECT 'x'))",
                               [ONE, TWO, THREE]),
                              # Postgres excludes nothing by this, and the scan of another region knows that it is not asked
                              (newest % "region = ANY (ARRAY(SELECT * FROM unnest('{us-east-1,us-west-2}'::text[])))", [ONE, THREE]),
                              ("EXECUTE of_account ('123456789012')", [ONE, TWO])):
        control("reset", b"")
        control("config", {"latency_ms": 100})
        session.run(query)
        tap.equal((counters()["most_in_flight"], counters()["calls"]), (len(partitions), {"ListTrainingJobs": len(partitions)}),
                  "%d partitions start together: %s" % (len(partitions), query))
    session.run("DEALLOCATE of_account; RESET plan_cache_mode; SET enable_partition_pruning = off")
    control("reset", b"")
    control("config", {"latency_ms": 100})
    session.run(newest % "account_id <> (SELECT 'x')")
    tap.equal(counters()["most_in_flight"], 3, "... and where pruning is off")
    session.run("RESET enable_partition_pruning")
    control("reset", b"")


def test_failures(session, tap):
    rows = ["%d" % ROWS]
    query = "SELECT count(role_arn) FROM aws.jobs"
    fault(**denied(operation="DescribeTrainingJob", status=403, skip=100, times=1))
    tap.equal(session.ask(query)[1], "42501", "an error in one partition fails the query")
    control("clear", b"")
    tap.equal(session.run(query), rows, "and the next query works")
    fault(**broken(probability=0.1))
    tap.equal(session.run(query), rows, "transient failures lose no rows")
    control("clear", b"")
    fault(**throttled(times=20))
    tap.equal(session.run(query), rows, "nor do throttled calls")
    control("clear", b"")

    other = another_session()
    fault(**silent(operation="DescribeTrainingJob"))
    session.send(query)
    wait_for(lambda: counters()["in_flight"] >= 16, "calls are in flight")
    other.run("SELECT pg_cancel_backend(%d)" % session.pid)
    tap.equal(session.receive()[1], "57014", "a cancel ends the wait")
    session.run("SET statement_timeout = 200")
    tap.equal(session.ask(query)[1], "57014", "so does a timeout")
    session.run("RESET statement_timeout")
    control("clear", b"")
    tap.equal(session.run(query), rows, "and the session remains usable")
    other.close()

    before = session.descriptors()
    for _ in range(20):
        session.ask("SELECT 1 / (count(*) - count(*)) FROM (SELECT role_arn FROM aws.jobs LIMIT 20) AS t")
    tap.equal(session.descriptors(), before, "no descriptor is leaked")


def test(session, tap):
    make_tables(session)
    test_rows(session, tap)
    test_concurrency(session, tap)
    test_merged(session, tap)
    test_pruning(session, tap)
    test_pruning_at_run_time(session, tap)
    test_starting_together(session, tap)
    test_failures(session, tap)


if __name__ == "__main__":
    main(test)
