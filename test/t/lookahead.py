"""Joins that look jobs up ahead: the same rows, no more calls, and many of the calls overlap.

Run below test/with-service --bulk 400.
"""
import re

from harness import BULK, another_session, control, counters, explained, fault, main, make_server, nodes, wait_for
from named_faults import denied

ROWS = 40
REGIONS = ["us-east-1", "eu-west-1"]
# max_concurrency, where nobody sets it
AT_ONCE = 16


def calls_of(session, query):
    """(rows, calls, most calls in flight) of a query."""
    control("calls", key=BULK[0])
    lines, state = session.ask(query)
    most = counters()["most_in_flight"]
    return (sorted(lines) if state == "00000" else state), control("calls", key=BULK[0]).strip(), most


def lookahead(session, query):
    """(batches, jobs) of the query's look-ahead; None if it has none."""
    plan = explained(session, query, "ANALYZE, ")
    found = [(node["Batches"], node["Jobs"]) for node in nodes(plan) if node.get("Custom Plan Provider") == "Job Look-ahead"]
    return found[0] if len(found) == 1 else found or None


def total(calls):
    """How many calls the endpoint has counted."""
    return sum(int(number) for number in re.findall(r"=(\d+)", calls))


def described(number):
    return "DescribeTrainingJob=%d" % number


# (what it is, query, calls, batches and jobs); each is asked with and without the setting
JOINS = [
    ("an inner join by name", "SELECT job, role_arn FROM price JOIN aws.training_jobs ON training_job_name = job", described(ROWS), (1, ROWS)),
    ("a left join", "SELECT job, role_arn FROM price LEFT JOIN aws.training_jobs ON training_job_name = job", described(ROWS), (1, ROWS)),
    ("EXISTS", "SELECT job FROM price WHERE EXISTS (SELECT FROM aws.training_jobs WHERE training_job_name = job AND role_arn <> '')",
     described(ROWS), (1, ROWS)),
    ("NOT EXISTS", "SELECT job FROM price WHERE NOT EXISTS (SELECT FROM aws.training_jobs WHERE training_job_name = job AND role_arn = '')",
     described(ROWS), (1, ROWS)),
    ("a join by ARN", "SELECT job, role_arn FROM price JOIN aws.training_jobs ON training_job_arn = arn", described(ROWS), (1, ROWS)),
    ("IN (SELECT ...)", "SELECT role_arn FROM aws.training_jobs WHERE training_job_name IN (SELECT job FROM price)", described(ROWS), (1, ROWS)),
    ("= ANY (array of each row)", "SELECT n, training_job_name, role_arn FROM packs JOIN aws.training_jobs ON training_job_name = ANY (jobs)",
     described(ROWS), (1, ROWS)),
    ("arrays of a hundred names", "SELECT n, training_job_name, role_arn FROM wide_packs JOIN aws.training_jobs ON training_job_name = ANY (jobs)",
     described(400), (2, 400)),
    ("arrays of three hundred names", "SELECT n, training_job_name, role_arn FROM large_packs JOIN aws.training_jobs ON training_job_name = ANY (jobs)",
     described(300), (3, 900)),
    ("a LATERAL sub-select", "SELECT job, r FROM price, LATERAL (SELECT role_arn AS r FROM aws.training_jobs WHERE training_job_name = job LIMIT 1) AS s",
     described(ROWS), (1, ROWS)),
    ("a LATERAL aggregate", "SELECT job, r FROM price, LATERAL (SELECT max(role_arn) AS r FROM aws.training_jobs WHERE training_job_name = job) AS s",
     described(ROWS), (1, ROWS)),
    ("an outer side that is a join", "SELECT a.job, role_arn FROM price a JOIN price b ON b.amount = a.amount JOIN aws.training_jobs ON training_job_name = b.job",
     described(ROWS), (1, ROWS)),
    ("the same names many times", "SELECT a.job, role_arn FROM price a CROSS JOIN generate_series(1, 25) JOIN aws.training_jobs ON training_job_name = a.job",
     described(ROWS), (1, ROWS)),
    ("NULLs and impossible names", "SELECT job, role_arn FROM odd_names LEFT JOIN aws.training_jobs ON training_job_name = job", described(4), (1, 4)),
    ("no rows", "SELECT job, role_arn FROM (SELECT * FROM price OFFSET 100) p JOIN aws.training_jobs ON training_job_name = job", "none", None),
    ("tags, too", "SELECT job, role_arn, tags FROM price JOIN aws.training_jobs ON training_job_name = job WHERE amount <= 8",
     "DescribeTrainingJob=8 ListTags=8", (1, 8)),
    ("tags of jobs that meet a condition", "SELECT job, tags FROM price JOIN aws.training_jobs ON training_job_name = job AND role_arn = 'none'",
     described(ROWS), (1, ROWS)),
    ("tags of jobs that meet a condition of the row", "SELECT job, tags FROM price JOIN aws.training_jobs ON training_job_name = job AND role_arn = arn",
     described(ROWS), (1, ROWS)),
    ("an order of the outer side", "SELECT job, role_arn FROM price JOIN aws.training_jobs ON training_job_name = job ORDER BY job", described(ROWS), (1, ROWS)),
    ("two partitions", "SELECT job, p.role_arn FROM price JOIN parts.jobs p ON training_job_name = job", described(2 * ROWS), (1, 2 * ROWS)),
    ("two partitions, one of which each row names",
     "SELECT job, p.role_arn FROM price JOIN parts.jobs p ON training_job_name = job AND p.region = price.region", described(ROWS), (1, ROWS)),
    ("two partitions, one excluded at start",
     "SELECT job, p.role_arn FROM price JOIN parts.jobs p ON training_job_name = job AND p.region = (SELECT 'us-east-1')", described(ROWS), (1, ROWS)),
    ("partitions by name", "SELECT job, p.role_arn FROM few JOIN hashed.jobs p ON training_job_name = job", described(2), None),
    ("a join in a sub-select of each row",
     "SELECT n, (SELECT count(role_arn) FROM price JOIN aws.training_jobs ON training_job_name = job WHERE amount <= n) FROM generate_series(1, 3) n",
     described(3), (3, 6)),
]


def test_joins(session, tap):
    for title, query, calls, ahead in JOINS:
        session.run("SET sagemaker_fdw.enable_lookahead = off")
        expected = calls_of(session, query)
        session.run("RESET sagemaker_fdw.enable_lookahead")
        got = calls_of(session, query)
        tap.equal(got[0], expected[0], "%s: the rows are those of a plain nested loop" % title)
        tap.equal(got[1], calls, "... with these calls")
        tap.ok(total(expected[1]) >= total(calls), "... which are no more than without look-ahead", expected[1])
        found = lookahead(session, query)
        tap.equal(found, ahead, "... in so many batches")


def test_overlap(session, tap):
    query = JOINS[0][1]
    control("reset", b"")
    control("config", {"latency_ms": 100})
    session.run("SET sagemaker_fdw.enable_lookahead = off")
    tap.equal(calls_of(session, query + " WHERE amount < 6")[1:], (described(5), 1), "without the node, one call follows another")
    session.run("RESET sagemaker_fdw.enable_lookahead")
    tap.equal(calls_of(session, query)[1:], (described(ROWS), AT_ONCE), "with it they overlap")
    control("config", {"latency_ms": 0})


LATERAL = "SELECT job, r FROM %s LEFT JOIN LATERAL (SELECT role_arn AS r FROM %s WHERE training_job_name = %s LIMIT %s) AS s ON true"

# Inner sides that may end before their last look-up: (what it is, query, calls)
ENDS = [
    ("an array of each row, under a LIMIT",
     "SELECT n, role_arn FROM large_packs JOIN aws.training_jobs ON training_job_name = ANY (jobs) LIMIT 3", 4),
    ("an array of each row, below a LIMIT of its own",
     "SELECT n, r FROM large_packs, LATERAL (SELECT role_arn AS r FROM aws.training_jobs WHERE training_job_name = ANY (jobs) LIMIT 1) AS s", 1),
    ("an array of each row, in an EXISTS",
     "SELECT n FROM large_packs WHERE EXISTS (SELECT FROM aws.training_jobs WHERE training_job_name = ANY (jobs) AND role_arn <> '')", None),
    ("LIMIT 0", LATERAL % ("price", "aws.training_jobs", "job", "0"), 0),
    ("a LIMIT of the row", LATERAL % ("price", "aws.training_jobs", "job", "CASE WHEN amount > 5 THEN 0 ELSE 1 END"), 5),
    ("a LIMIT that guards the name",
     LATERAL % ("price", "aws.training_jobs", "repeat(job, 6 / (amount - 6))", "CASE WHEN amount = 6 THEN 0 ELSE 1 END"), None),
    ("partitions, asked in turn", LATERAL % ("price", "parts.jobs", "job", "1"), 2 * ROWS),
]


def test_ends(session, tap):
    """Jobs that the inner side would not ask for are not fetched ahead."""
    for title, query, calls in ENDS:
        session.run("SET sagemaker_fdw.enable_lookahead = off")
        expected = calls_of(session, query)
        session.run("RESET sagemaker_fdw.enable_lookahead")
        got = calls_of(session, query)
        tap.equal(got[0], expected[0], "%s: the rows are those of a plain nested loop" % title)
        # a scan of many names has some in flight when it ends
        most = calls if calls is not None else 3 * 2 * AT_ONCE
        tap.ok(total(got[1]) <= most and total(expected[1]) <= most, "... with no more calls than %d" % most, (got[1], expected[1]))


def test_memory(session, tap):
    """A batch's jobs are kept until its rows have been joined."""
    session.run("SET work_mem = '64kB'")
    for title, query, calls, _ in JOINS:
        if title in ("an inner join by name", "two partitions"):
            tap.equal(calls_of(session, query)[1], calls, "with a small work_mem no call is made twice: %s" % title)
    # the last name of a batch is the first of the next one
    session.run("CREATE TABLE pairs AS SELECT n, 'bulk-' || lpad((n / 2 + 1)::text, 6, '0') AS job FROM generate_series(1, 399) n; ANALYZE pairs; "
                "SET enable_memoize = off")
    tap.equal(calls_of(session, LATERAL % ("(SELECT job FROM pairs ORDER BY n) AS p", "aws.training_jobs", "job", "1"))[1], described(200),
              "... nor for a name that is in two batches")
    session.run("RESET work_mem; RESET enable_memoize")


def test_limits(session, tap):
    join = "SELECT job, role_arn FROM %s JOIN aws.training_jobs ON training_job_name = job"
    tap.equal(calls_of(session, join % "price" + " LIMIT 3")[1], described(3), "LIMIT 3 makes so many calls")
    tap.equal(calls_of(session, join % "price" + " AND amount % 2 = 0 LIMIT 3")[1], described(3), "... even if a condition of the outer side drops rows")
    tap.equal(calls_of(session, join % "price" + " AND (amount + length(role_arn) - length(role_arn)) % 2 = 0 LIMIT 3")[1],
              described(7), "... and seven where the join drops half of them")
    tap.equal(calls_of(session, join % "(SELECT job FROM price, generate_series(amount, amount + 25000)) AS p" + " LIMIT 3")[1], described(1),
              "a LIMIT stops before a million rows are read")
    # a cursor that stops in the middle of a batch
    control("calls", key=BULK[0])
    session.run("BEGIN; DECLARE c CURSOR FOR %s" % (join % "price"))
    tap.equal(len(session.run("FETCH 5 FROM c")), 5, "a cursor returns rows")
    tap.equal(control("calls", key=BULK[0]).strip(), described(7), "... and has fetched only a few more")
    tap.equal(session.run("CLOSE c; COMMIT"), [], "... and is closed in the middle of a batch")


def test_failures(session, tap):
    join = "SELECT job, role_arn FROM price JOIN aws.training_jobs ON training_job_name = job"
    name = session.run("SELECT job FROM price ORDER BY amount OFFSET 20 LIMIT 1")[0]
    fault(**denied(operation="DescribeTrainingJob", job=name))
    tap.equal(calls_of(session, join)[0], "42501", "a denied job is an error")
    tap.equal(len(calls_of(session, join + " LIMIT 3")[0]), 3, "... but not one far beyond a LIMIT")
    control("clear", b"")
    control("config", {"latency_ms": {"DescribeTrainingJob": 60000}})
    session.run("SET statement_timeout = '300ms'")
    tap.equal(calls_of(session, join)[0], "57014", "a batch can be cancelled")
    session.run("RESET statement_timeout")
    control("config", {"latency_ms": 0})
    tap.equal(len(calls_of(session, join)[0]), ROWS, "... and the session remains usable")


def test_outer_sides(session, tap):
    """Side effects of the outer side, which is read ahead."""
    session.run("CREATE SEQUENCE counted; CREATE TABLE seen (job text)")
    query = ("SELECT count(role_arn), max(v) FROM (SELECT job, nextval('counted') AS v FROM price OFFSET 0) p "
             "JOIN aws.training_jobs ON training_job_name = job")
    tap.equal(calls_of(session, query)[:2], (["%d|%d" % (ROWS, ROWS)], described(ROWS)), "a volatile function of the outer side runs once per row")
    session.run("ALTER SEQUENCE counted RESTART")
    session.run(LATERAL % ("(SELECT job FROM price WHERE nextval('counted') > 0) AS p", "aws.training_jobs", "job", "1") + " LIMIT 4")
    tap.equal(session.run("SELECT last_value FROM counted"), ["4"], "... and for no row that a LIMIT leaves unread")
    session.run("BEGIN")
    session.run(LATERAL % ("(SELECT job FROM price FOR UPDATE) AS p", "aws.training_jobs", "job", "1") + " LIMIT 4")
    other = another_session()
    tap.equal(other.run("SELECT count(*) FROM (SELECT FROM price FOR UPDATE SKIP LOCKED) AS free"), ["%d" % (ROWS - 4)], "... nor is any such row locked")
    other.close()
    session.run("ROLLBACK")
    query = ("WITH moved AS (DELETE FROM price WHERE amount <= 3 RETURNING job) "
             "SELECT count(role_arn) FROM moved JOIN aws.training_jobs ON training_job_name = job")
    tap.equal(calls_of(session, "BEGIN; %s; ROLLBACK" % query)[:2], (["3"], described(3)), "so do statements whose changed rows are the outer side")
    tap.equal(calls_of(session, "SELECT job, role_arn FROM price JOIN aws.training_jobs ON training_job_name = job FOR UPDATE OF price")[1],
              described(ROWS), "rows of the outer table are locked")


def test_changed_rows(session, tap):
    """A row that another session has changed is rechecked, and joined with its new values."""
    other = another_session()
    session.run("CREATE TABLE board AS SELECT job, amount FROM price WHERE amount <= 3; ANALYZE board")
    other.run("BEGIN; UPDATE board SET amount = 100 WHERE amount = 2")
    session.send("SELECT amount, role_arn IS NOT NULL FROM board JOIN aws.training_jobs ON training_job_name = job ORDER BY amount FOR UPDATE OF board")
    wait_for(lambda: other.run("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %d" % session.pid) == ["t"],
             "the query waits for a lock")
    other.run("COMMIT")
    tap.equal(session.receive(), (["1|t", "100|t", "3|t"], "00000"), "a row that was changed meanwhile is joined with its new values")
    other.close()


def test_notices(session, tap):
    """A join reports its progress over all its loops and batches."""
    control("config", {"latency_ms": 60})
    session.run("SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '100ms'; SET enable_hashjoin = off; SET enable_mergejoin = off; "
                "SET enable_material = off")
    for title, setting in (("which looks ahead", "on"), ("without look-ahead", "off")):
        session.run("SET sagemaker_fdw.enable_lookahead = " + setting)
        lines = session.run("SELECT count(r) FROM (%s) AS t" % (LATERAL % ("price", "aws.training_jobs", "job", "1")))
        told = [re.search(r"reading training_jobs: (\d+) jobs read of \d+ listed so far, (\d+) calls", line) for line in lines if "NOTICE" in line]
        read = [int(found.group(1)) for found in told if found]
        tap.ok(read and len(read) == len(told) and read == sorted(read) and read[-1] <= ROWS, "a join %s raises notices" % title, lines)
        tap.equal(lines[-1], "%d" % ROWS, "... and returns its rows")
    session.run("RESET ALL; SET client_min_messages = warning")
    control("config", {"latency_ms": 0})


def test_explain(session, tap):
    query = "SELECT role_arn FROM price JOIN aws.training_jobs ON training_job_name = job"
    # which side of an equality comes first differs between Postgres's versions
    lines = [re.sub(r"\((training_job_name) = ([^)]*)\)", r"(\2 = \1)", line) for line in session.run("EXPLAIN (COSTS OFF) " + query)]
    tap.equal(lines,
              ["Nested Loop", "  ->  Custom Scan (Job Look-ahead)", "        ->  Seq Scan on price", "  ->  Foreign Scan on training_jobs",
               "        Filter: (price.job = training_job_name)", "        API Operations: DescribeTrainingJob",
               "        API Filter: ($0 = training_job_name)"], "EXPLAIN shows the node")
    tap.equal([line.strip() for line in session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " + query) if "Batches" in line or "Jobs" in line],
              ["Batches: 1", "Jobs: %d" % ROWS], "... and EXPLAIN ANALYZE shows its batches and jobs")
    session.run("SET sagemaker_fdw.enable_lookahead = off")
    tap.ok(not [line for line in session.run("EXPLAIN " + query) if "Look-ahead" in line], "it can be turned off")
    session.run("RESET sagemaker_fdw.enable_lookahead")
    tap.equal([line for line in session.run("EXPLAIN SELECT 1 FROM price a JOIN price b USING (job)") if "Look-ahead" in line], [],
              "a join of other tables does not use it")


def test(session, tap):
    make_server(session, "aws", keys=BULK)
    session.run("CREATE TABLE price AS SELECT training_job_name AS job, training_job_arn AS arn, "
                "row_number() OVER (ORDER BY training_job_name)::int AS amount, 'us-east-1' AS region "
                "FROM (SELECT training_job_name, training_job_arn FROM aws.training_jobs ORDER BY 1 LIMIT %d) AS j; "
                "CREATE TABLE packs AS SELECT amount / 10 AS n, array_agg(job) AS jobs FROM price GROUP BY 1; "
                "CREATE TABLE few AS SELECT * FROM price WHERE amount <= 2; CREATE TABLE odd_names AS SELECT job FROM price WHERE amount < 4 UNION ALL "
                "VALUES (NULL), ('no_such_name'), ('no-such-job'), (repeat('x', 64)), (''); "
                "ANALYZE price, few, packs, odd_names, aws.training_jobs" % ROWS)
    # from 17 on statistics say how long the arrays are, and the whole list takes fewer calls
    for name, rows, first, length in (("wide_packs", 4, "100 * g - 99", 100), ("large_packs", 3, "1", 300)):
        session.run("CREATE TABLE %s AS SELECT g AS n, (SELECT array_agg('bulk-' || lpad((%s + x)::text, 6, '0')) FROM generate_series(0, %d) x) AS jobs "
                    "FROM generate_series(1, %d) g; ALTER TABLE %s ALTER jobs SET STATISTICS 0; ANALYZE %s" % (name, first, length - 1, rows, name, name))
    session.run("CREATE SCHEMA parts; CREATE TABLE parts.jobs (LIKE aws.training_jobs) PARTITION BY LIST (region)")
    session.run("CREATE SCHEMA hashed; CREATE TABLE hashed.jobs (LIKE aws.training_jobs) PARTITION BY HASH (training_job_name)")
    for number, region in enumerate(REGIONS):
        session.run("CREATE FOREIGN TABLE parts.jobs_%d PARTITION OF parts.jobs FOR VALUES IN ('%s') SERVER aws OPTIONS (region '%s'); ANALYZE parts.jobs_%d"
                    % (number, region, region, number))
        session.run("CREATE FOREIGN TABLE hashed.jobs_%d PARTITION OF hashed.jobs FOR VALUES WITH (MODULUS 2, REMAINDER %d) SERVER aws; ANALYZE hashed.jobs_%d"
                    % (number, number, number))
    test_joins(session, tap)
    test_overlap(session, tap)
    test_ends(session, tap)
    test_memory(session, tap)
    test_limits(session, tap)
    test_failures(session, tap)
    test_outer_sides(session, tap)
    test_changed_rows(session, tap)
    test_notices(session, tap)
    test_explain(session, tap)


if __name__ == "__main__":
    main(test)
