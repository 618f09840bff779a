"""Queries that may end before they have read all rows: how many partitions they read.

Run below test/with-service --bulk 400.
"""
from harness import BULK, HISTORY, control, counters, main, make_server

# Of these the 15th in order has 300 jobs, and no other one has any.
REGIONS = sorted(["us-east-1"] + ["aa-north-%d" % number for number in range(10, 24)] +
                 ["zz-north-%d" % number for number in range(10, 34)])
NAME = "pytorch-ads-0001"
LATENCY_MS = 50


def calls_of(session, query, key=HISTORY[0]):
    """(rows, calls) of a query."""
    control("calls", key=key)
    lines = session.run(query)
    return lines, control("calls", key=key).strip()


def make_partitions(session):
    """Tables by region: "many" of all regions, "three" of three that have jobs."""
    make_server(session, "aws")
    make_server(session, "bulk", BULK)
    session.run("CREATE TABLE many (LIKE aws.training_jobs) PARTITION BY LIST (region)")
    for number, region in enumerate(REGIONS):
        session.run("CREATE FOREIGN TABLE many_%d PARTITION OF many FOR VALUES IN ('%s') SERVER aws OPTIONS (region '%s')"
                    % (number, region, region))
    session.run("CREATE TABLE three (LIKE aws.training_jobs) PARTITION BY LIST (region);"
                "CREATE FOREIGN TABLE three_1 PARTITION OF three FOR VALUES IN ('eu-west-1') SERVER aws OPTIONS (region 'eu-west-1');"
                "CREATE FOREIGN TABLE three_2 PARTITION OF three FOR VALUES IN ('us-east-1') SERVER aws OPTIONS (region 'us-east-1');"
                "CREATE FOREIGN TABLE three_3 PARTITION OF three FOR VALUES IN ('us-west-2') SERVER aws OPTIONS (region 'us-west-2')")


# ----- partitions -----

def test_few_at_once(session, tap):
    """Partitions start in batches of 1, 2, 4, 8: the 15th is in the fourth batch."""
    found = "SELECT role_arn <> '' FROM many WHERE training_job_name = '%s'" % NAME
    absent = found.replace(NAME, "no-such-job")
    for query, nasync in ((found, len(REGIONS)), (found + " LIMIT 1", 0)):
        plan = "\n".join(session.run("EXPLAIN (COSTS OFF) " + query))
        tap.equal((plan.count("Foreign Scan"), plan.count("Async Foreign Scan")), (len(REGIONS), nasync),
                  "%d partitions are scanned asynchronously: %s" % (nasync, query))
    for query, rows, calls in (
            # as many as it takes
            (found + " LIMIT 1", ["t"], "DescribeTrainingJob=15"),
            ("SELECT EXISTS (%s)" % found, ["t"], "DescribeTrainingJob=15"),
            ("SELECT 1 WHERE EXISTS (%s)" % found, ["1"], "DescribeTrainingJob=15"),
            (found.replace("role_arn <> ''", "tags IS NOT NULL") + " LIMIT 1", ["t"], "DescribeTrainingJob=15 ListTags=1"),
            # a look-up is no promise of a row
            (found + " LIMIT 2", ["t"], "DescribeTrainingJob=39"),
            (absent + " LIMIT 1", [], "DescribeTrainingJob=39"),
            ("SELECT EXISTS (%s)" % absent, ["f"], "DescribeTrainingJob=39"),
            # all rows are read
            (found, ["t"], "DescribeTrainingJob=39"),
            (found.replace("role_arn <> ''", "count(*)") + " LIMIT 1", ["1"], "DescribeTrainingJob=39"),
            # lists, likewise
            ("SELECT 1 FROM many LIMIT 1", ["1"], "ListTrainingJobs=15"),
            ("SELECT count(*) FROM (SELECT FROM many LIMIT 100) AS t", ["100"], "ListTrainingJobs=15"),
            # more than a page: side by side, each partition reads until the LIMIT is met
            ("SELECT count(*) FROM (SELECT FROM many LIMIT 101) AS t", ["101"], "ListTrainingJobs=40"),
            ("SELECT EXISTS (SELECT FROM many)", ["t"], "ListTrainingJobs=15"),
            ("SELECT count(*) FROM many", ["300"], "ListTrainingJobs=41")):
        tap.equal(calls_of(session, query), (rows, calls), query)

    # as one after another
    session.run("SET enable_async_append = off")
    tap.equal(calls_of(session, found + " LIMIT 1"), (["t"], "DescribeTrainingJob=15"), "... and as many without asynchronous Append")
    session.run("RESET enable_async_append")

    # in the loops of a join, each loop begins anew
    session.run("CREATE TABLE names AS SELECT * FROM unnest('{%s,no-such-job,pytorch-ads-0001}'::text[]) WITH ORDINALITY AS u (name, n); "
                "ANALYZE names" % NAME)
    tap.equal(calls_of(session, "SELECT n, (SELECT role_arn <> '' FROM many WHERE training_job_name = name LIMIT 1) FROM names ORDER BY n"),
              (["1|t", "2|", "3|t"], "DescribeTrainingJob=54"), "a sub-select is rescanned, and remembers what it has looked up")
    session.run("SET enable_material = off")
    rows, calls = calls_of(session, "SELECT n, found FROM names LEFT JOIN (%s LIMIT 1) AS t (found) ON true ORDER BY n" % found)
    tap.equal(rows, ["1|t", "2|t", "3|t"], "an Append rescanned with the same parameters returns its row each time")
    tap.equal(calls, "DescribeTrainingJob=15", "... and makes no call twice")
    session.run("RESET enable_material")


def test_at_once(session, tap):
    """Where all rows are read, or sorted, all partitions start at once."""
    query = "SELECT role_arn <> '' FROM many WHERE training_job_name = '%s'" % NAME
    for more, most in (("", 39), (" ORDER BY 1 LIMIT 1", 39), (" GROUP BY 1 LIMIT 1", 39), (" LIMIT 1", 8)):
        control("reset", b"")
        control("config", {"latency_ms": LATENCY_MS})
        session.run(query + more)
        tap.equal(counters()["most_in_flight"], most, "%d at once: ...%s" % (most, more))
    control("config", {"latency_ms": 0})


def test_patience(session, tap):
    """A partition with a long history does not hold up the others."""
    tap.equal(session.run("SELECT count(*) FROM three"), ["340"], "three partitions")
    # the service decides how many calls have ended by then, not how busy the machine is
    control("config", {"latency_ms": LATENCY_MS})
    rows, calls = calls_of(session, "SELECT region FROM three WHERE role_arn <> '' AND region || role_arn LIKE 'us-east-1%' LIMIT 1")
    tap.equal(rows, ["us-east-1"], "a row of the second partition")
    control("config", {"latency_ms": 0})
    made = dict(pair.split("=") for pair in calls.split())
    tap.ok(int(made["DescribeTrainingJob"]) < 40, "... is found before the first one is read to its end", calls)
    for query, rows in (("SELECT count(role_arn) FROM (SELECT role_arn FROM three LIMIT 1000) AS t", ["340"]),
                        ("SELECT count(role_arn) FROM (SELECT role_arn FROM three LIMIT 339) AS t", ["339"]),
                        ("SELECT count(*) FROM generate_series(1, 3) AS i, LATERAL (SELECT role_arn FROM three WHERE i > 0 LIMIT 50) AS t", ["150"]),
                        ("BEGIN; DECLARE c CURSOR FOR SELECT role_arn FROM three; MOVE FORWARD 50 IN c; SELECT count(*) FROM three; "
                         "MOVE FORWARD ALL IN c; CLOSE c; COMMIT", ["340"])):
        tap.equal(session.run(query), rows, query)


def test_left_out(session, tap):
    """Partitions that the executor prunes are not started by their siblings."""
    session.run("CREATE TABLE hashed (LIKE aws.training_jobs) PARTITION BY HASH (training_job_name); CREATE TABLE few AS SELECT 'no-such-job' AS job")
    for number in range(8):
        session.run("CREATE FOREIGN TABLE hashed_%d PARTITION OF hashed FOR VALUES WITH (MODULUS 8, REMAINDER %d) SERVER aws OPTIONS (estimated_jobs '100000')"
                    % (number, number))
    query = "SELECT role_arn FROM few JOIN hashed ON training_job_name IN (job, 'another-job') LIMIT 1"
    session.run("SET enable_async_append = off")
    expected = calls_of(session, query)
    session.run("RESET enable_async_append")
    tap.equal(calls_of(session, query), expected, "partitions by name: as many calls as one after another")


def test(session, tap):
    make_partitions(session)
    test_left_out(session, tap)
    test_few_at_once(session, tap)
    test_at_once(session, tap)
    test_patience(session, tap)


if __name__ == "__main__":
    main(test)
