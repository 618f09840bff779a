"""Which calls plans make where their number does not show it, and rows that plans could lose.

Run below test/with-service --bulk 400.
"""
import json
import math
import re
import urllib.parse

from harness import BULK, HISTORY, URL, another_session, control, counters, explained, fault, main, make_server, nodes, wait_for
from named_faults import denied

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
REGIONS = ["us-east-1", "eu-west-1", "us-west-2"]
# SEARCH_WALK_PAGES of src/jobs/walk.c
WALK_PAGES = 100
LATENCY_MS = 100


def calls_of(session, query, key=HISTORY[0]):
    """(rows, calls) of a query."""
    control("calls", key=key)
    lines = session.run(query)
    return lines, control("calls", key=key).strip()


def serve(name, members):
    control("document?name=%s" % name, ('{"TrainingJobName": "%s", "TrainingJobArn": "%s%s", %s}'
                                        % (name, ARN, name.lower(), members)).encode())


# ----- rows -----

def test_lookups(session, tap):
    query = ("SELECT training_job_name FROM aws.training_jobs "
             "WHERE training_job_name = 'pytorch-ads-0001' OR training_job_arn IN ('%spytorch-ads-0001', '%sxgboost-ads-0011')"
             % (ARN, ARN))
    tap.equal(sorted(session.run(query)), ["pytorch-ads-0001", "xgboost-ads-0011"],
              "a job given both by name and by ARN is returned once")
    tap.equal(session.run("SELECT training_job_name FROM aws.training_jobs WHERE training_job_arn = '%spytorch-ads-0001' "
                          "AND (training_job_name = 'pytorch-ads-0001' OR training_job_arn = '%sxgboost-ads-0011')"
                          % (ARN, ARN)), ["pytorch-ads-0001"], "an ARN is intersected with a list of names and ARNs")

    # a service that finds names in any case
    document = control("document?name=pytorch-ads-0001")
    fault(kind="body", operation="DescribeTrainingJob", job="PYTORCH-ads-0001", times=0, body=document)
    tap.equal(session.run("SELECT training_job_name FROM aws.training_jobs "
                          "WHERE training_job_name IN ('PYTORCH-ads-0001', 'pytorch-ads-0001')"),
              ["pytorch-ads-0001"], "a job is found by its own spelling only")
    control("clear", b"")

    tap.equal(calls_of(session, "SELECT tags FROM aws.training_jobs WHERE training_job_name = 'pytorch-ads-0001' "
                       "AND billable_time_in_seconds < 0"), ([], "DescribeTrainingJob=1"),
              "a look-up whose job a condition rejects requests no tags")
    names = sorted(session.run("SELECT training_job_name FROM aws.training_jobs LIMIT 4"))
    session.run("CREATE TABLE arns AS SELECT '%s' || name AS arn FROM unnest('{%s}'::text[]) AS name; "
                "ANALYZE arns" % (ARN, ",".join(names)))
    rows, calls = calls_of(session, "SELECT training_job_name FROM aws.training_jobs "
                           "WHERE training_job_arn = ANY (ARRAY(SELECT arn FROM arns)) AND role_arn <> ''")
    tap.equal((sorted(rows), calls), (names, "DescribeTrainingJob=4"), "an array of ARNs is computed when the scan starts")
    session.run("INSERT INTO arns SELECT replace(arn, 'us-east-1', 'eu-west-1') FROM arns; ANALYZE arns")
    query = "SELECT training_job_name FROM arns JOIN aws.training_jobs ON training_job_arn = arn WHERE role_arn <> ''"
    tap.equal([node["Actual Loops"] for node in nodes(explained(session, query, "ANALYZE, "))
               if node["Node Type"] == "Foreign Scan"], [8], "each ARN of another table is looked up")
    rows, calls = calls_of(session, query)
    tap.equal((sorted(rows), calls), (names, "DescribeTrainingJob=4"), "but not those of another region")


def test_patterns(session, tap):
    for pattern in ("^pytorch-ads-0001x*", "^pytorch-ads-0001x(?#comment)*"):
        tap.equal(session.run("SELECT training_job_name FROM aws.training_jobs WHERE training_job_name ~ '%s'" % pattern),
                  ["pytorch-ads-0001"], "what %s begins with" % pattern)


def test_repeated(session, tap):
    """The same job again, in a nested loop."""
    session.run("CREATE TABLE again AS SELECT n, name FROM generate_series(1, 4) AS n, "
                "unnest('{pytorch-ads-0001,xgboost-ads-0011,no-such-job}'::text[]) AS name; ANALYZE again")
    query = "SELECT n, role_arn FROM again JOIN aws.training_jobs ON training_job_name = name"
    session.run("SET sagemaker_fdw.enable_lookahead = off")
    for memoize in ("on", "off"):
        session.run("SET enable_memoize = %s" % memoize)
        types = [node["Node Type"] for node in nodes(explained(session, query))]
        tap.equal(("Nested Loop" in types, "Memoize" in types), (True, memoize == "on"), "a nested loop, Memoize %s" % memoize)
        rows, calls = calls_of(session, query)
        tap.equal((len(rows), calls), (8, "DescribeTrainingJob=3"), "... makes one call per name")
    # conditions with other parameters than the last time
    session.run("CREATE TABLE least AS SELECT n, least, 'pytorch-ads-0001' AS name "
                "FROM unnest('{1000000000,1,1000000000,0}'::int[]) WITH ORDINALITY AS u (least, n); ANALYZE least")
    query = ("SELECT n, tags IS NOT NULL FROM least JOIN aws.training_jobs "
             "ON training_job_name = name AND billable_time_in_seconds > least")
    session.run("SET enable_memoize = off; SET enable_mergejoin = off; SET enable_hashjoin = off")
    tap.equal(calls_of(session, query), (["2|t", "4|t"], "DescribeTrainingJob=1 ListTags=1"),
              "a job that one loop rejects is returned in another")
    query = ("SELECT n, (SELECT tags IS NOT NULL FROM aws.training_jobs WHERE training_job_name = name "
             "AND (role_arn = '' OR EXISTS (SELECT FROM least AS o WHERE o.n = least.n AND o.least < billable_time_in_seconds))) "
             "FROM least ORDER BY n")
    tap.equal(calls_of(session, query), (["1|", "2|t", "3|", "4|t"], "DescribeTrainingJob=1 ListTags=1"),
              "a sub-plan is decided anew in each loop")
    tap.equal(calls_of(session, query.replace("ORDER BY n", "ORDER BY n DESC")),
              (["4|t", "3|", "2|t", "1|"], "DescribeTrainingJob=1 ListTags=1"), "... in any order of the loops")
    session.run("RESET enable_memoize; RESET enable_mergejoin; RESET enable_hashjoin")


def test_cache(session, tap):
    """Ten documents of 11 KB, requested in turn, do not fit into 64 kB."""
    session.run("SET enable_memoize = off; SET sagemaker_fdw.enable_lookahead = off; CREATE TABLE turns AS SELECT round, training_job_name AS name, role_arn "
                "FROM (SELECT * FROM bulk.training_jobs ORDER BY creation_time DESC LIMIT 10) AS jobs, generate_series(1, 2) AS round")
    query = ("SELECT round, name, jobs.role_arn = turns.role_arn%s FROM (SELECT * FROM turns ORDER BY round, name OFFSET 0) AS turns, "
             "LATERAL (SELECT role_arn%s FROM bulk.training_jobs WHERE training_job_name = name OFFSET 0) AS jobs")
    whole = query % (" AND raw_response IS NOT NULL", ", raw_response")
    expected = session.run("SELECT round, name, true FROM turns ORDER BY 1, 2")
    for work_mem, calls in (("4MB", 10), ("64kB", 20)):
        session.run("SET work_mem = '%s'" % work_mem)
        tap.equal(calls_of(session, whole, BULK[0]), (expected, "DescribeTrainingJob=%d" % calls),
                  "with work_mem %s, 20 look-ups of 10 jobs make %d calls" % (work_mem, calls))
    tap.equal(calls_of(session, query % ("", ""), BULK[0]), (expected, "DescribeTrainingJob=10"),
              "... and 10 where one attribute of each is read, because only that is kept")
    session.run("RESET work_mem; RESET enable_memoize; RESET sagemaker_fdw.enable_lookahead")


def test_odd_texts(session, tap):
    """Search knows neither the replacement of a character that Postgres cannot store nor an empty key."""
    serve("odd-text", '"TrainingJobStatus": "Failed", "CreationTime": 1750000000, "FailureReason": "a\\u0000b", '
                      '"HyperParameters": {"k\\ud800": "v", "nul": "x\\u0000y", "": "z"}')
    for condition in ("failure_reason = E'a\\uFFFDb'", "failure_reason IN ('other', E'a\\uFFFDb')",
                      "hyper_parameters->>E'k\\uFFFD' = 'v'", "hyper_parameters->>'nul' = E'x\\uFFFDy'",
                      "hyper_parameters->>'' = 'z'"):
        tap.equal(session.run("SELECT training_job_name FROM searched.training_jobs WHERE %s" % condition),
                  ["odd-text"], "Search, %s" % condition)
    control("delete?name=odd-text", b"")


def test_selected_instances(session, tap):
    """Search has the instances that a job asks for, and the column those that were selected for it."""
    plain = '"TrainingJobStatus": "Completed", "CreationTime": 17500000%02d, "ResourceConfig": {%s}'
    for number, resources in enumerate([
            '"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 77',
            '"InstancePreferences": [{"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 77}]',
            '"InstancePreferences": [{"InstanceType": "ml.p5.48xlarge"}], "InstanceCount": 77, '
            '"SelectedInstanceType": "ml.p5.48xlarge", "SelectedInstanceCount": 78',
            '"InstancePreferences": [{"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 77}, {"InstanceType": "ml.p5.48xlarge"}], '
            '"SelectedInstanceType": "ml.p4d.24xlarge", "SelectedInstanceCount": 77',
            '"InstanceGroups": [{"InstanceGroupName": "g", "InstanceType": "ml.p4d.24xlarge", "InstanceCount": 77}]']):
        serve("selected-%d" % number, plain % (number, resources))
    query = "SELECT training_job_name FROM %s.training_jobs WHERE training_job_name LIKE 'selected%%' AND %s ORDER BY 1"
    for condition, numbers in (("instance_type = 'ml.p4d.24xlarge'", "03"), ("instance_type = 'ml.p5.48xlarge'", "2"),
                               ("instance_type IN ('ml.p5.48xlarge', 'x')", "2"), ("instance_type IS NULL", "14"),
                               ("instance_type IS NOT NULL", "023"), ("instance_count = 78", "2"),
                               ("instance_count > 77", "2"), ("instance_count BETWEEN 70 AND 77", "03"),
                               ("instance_count IS NULL", "14"), ("instance_count IS NOT NULL", "023"),
                               ("instance_type LIKE '%p5%'", "2"), ("instance_type = 'ml.p5.48xlarge' AND instance_count = 77", "")):
        expected = ["selected-%s" % number for number in numbers]
        tap.equal([session.run(query % (schema, condition)) for schema in ("aws", "searched")], [expected] * 2,
                  "selected for jobs: %s" % condition)
    tap.equal(calls_of(session, "SELECT training_job_name FROM searched.training_jobs WHERE instance_count > 77"),
              (["selected-2"], "Search=1"), "... and only those are sent to Search")
    control("reset", b"")


def test_rounded_times(session, tap):
    """Columns whose values differ from the attribute's: timestamptz(n) rounds."""
    columns = ", ".join("t%d timestamptz(%d) %s" % (digits, digits, "{%s}" % digits) for digits in range(7))
    option = "OPTIONS (attribute 'CreationTime')"
    session.run("CREATE SCHEMA rounded; CREATE FOREIGN TABLE rounded.jobs (training_job_name text, creation_time timestamptz, "
                + columns.format(*[option] * 7) + ") SERVER aws; "
                "CREATE FOREIGN TABLE rounded.searched (training_job_name text, creation_time timestamptz, "
                + columns.format(*[option] * 7) + ") SERVER searched")
    for number, fraction in enumerate(["0", "4", "499999", "5", "500001", "95", "999999", "0000005"]):
        serve("rounded-%d" % number, '"TrainingJobStatus": "Completed", "CreationTime": 1750000000.%s' % fraction)
    session.run("CREATE TABLE rounded.copy (training_job_name text, creation_time timestamptz, "
                + columns.format(*[""] * 7) + "); INSERT INTO rounded.copy SELECT * FROM rounded.jobs")
    values = session.run("SELECT DISTINCT t FROM rounded.copy, unnest(ARRAY[creation_time, t0, t1, t2, t5]) AS t "
                         "WHERE training_job_name LIKE 'rounded%' ORDER BY 1")
    differs = []
    for column in ["t0", "t1", "t5"]:
        for operator in ("<", "<=", "=", ">=", ">"):
            for value in values:
                for other in ("creation_time < '%s'", "creation_time >= '%s'", "t2 = '%s'", "'%s' >= t0"):
                    query = ("SELECT count(*) FROM rounded.{} WHERE %s %s '%s' AND %s"
                             % (column, operator, value, other % values[len(values) // 2]))
                    rows = [session.run(query.format(table)) for table in ("copy", "jobs", "searched")]
                    if rows[1:] != [rows[0]] * 2:
                        differs.append((query, rows))
    tap.equal(differs, [], "bounds on rounded times are merged as the times that they allow")
    query = "SELECT count(*) FROM rounded.%s WHERE t0 > '2025-06-20'"
    tap.equal(calls_of(session, query % "jobs"), (session.run(query % "copy"), "ListTrainingJobs=1"), "... and shorten the walk")
    session.run("SET enable_sort = off")
    for order in ("", " DESC"):
        query = "SELECT t0, t1, creation_time FROM rounded.%s ORDER BY t0{0}, creation_time{0}".format(order)
        tap.equal(session.run(query % "jobs"), session.run(query % "copy"), "ordered by a rounded time%s, and then by the time itself" % order)
    session.run("RESET enable_sort")
    tap.equal(calls_of(session, "SELECT t0 FROM rounded.jobs ORDER BY t0 DESC LIMIT 3")[1], "ListTrainingJobs=1",
              "... is the service's")
    control("reset", b"")


def test_account(session, tap):
    """An expected account: known before any call, and compared with each job's ARN."""
    make_server(session, "own", account_id="123456789012")
    make_server(session, "strange", account_id="210987654321")
    session.run("CREATE FOREIGN TABLE strange.own (training_job_name text, role_arn text, account_id text) SERVER strange "
                "OPTIONS (account_id '123456789012')")
    for query, rows, calls in (
            ("SELECT count(*) FROM own.training_jobs WHERE account_id = '210987654321'", "0", "none"),
            ("SELECT count(*) FROM own.training_jobs WHERE account_id <> '210987654321'", "300", "ListTrainingJobs=3"),
            ("SELECT account_id FROM own.training_jobs WHERE training_job_name = 'pytorch-ads-0001'", "123456789012",
             "DescribeTrainingJob=1"),
            ("SELECT count(*) FROM own.training_jobs WHERE training_job_arn = '%sx'" % ARN.replace("123456789012", "210987654321"),
             "0", "none"),
            ("SELECT count(*) FROM own.training_jobs WHERE tuning_job_arn = '%st'" % ARN.replace(
                "123456789012:training-job", "210987654321:hyper-parameter-tuning-job"), "0", "none"),
            ("SELECT count(*), count(DISTINCT account_id) FROM strange.own", "300|1", "ListTrainingJobs=3"),
            ("SELECT sagemaker_fdw_account_id('strange')", "210987654321", "none")):
        tap.equal(calls_of(session, query), ([rows], calls), "an expected account: %s" % query)
    tap.equal(counters()["credentials"], {}, "... and STS is not called")
    for query in ("SELECT count(*) FROM strange.training_jobs LIMIT 1",
                  "SELECT role_arn FROM strange.training_jobs WHERE training_job_status = 'Failed'",
                  "SELECT 1 FROM strange.training_jobs WHERE training_job_name = 'pytorch-ads-0001'",
                  "SELECT 1 FROM strange.training_jobs WHERE training_job_name = 'pytorch-ads-0001' AND role_arn = ''",
                  "ANALYZE strange.training_jobs",
                  "SELECT sagemaker_describe_training_job('strange', 'pytorch-ads-0001')"):
        lines, state = session.ask(query)
        tap.equal((state, ["123456789012" in line and "210987654321" in line for line in lines[:1]]), ("28000", [True]),
                  "jobs of another account are an error: %s" % query)
    tap.ok('the user mapping of role "postgres" for server "strange"' in " ".join(lines), "... that names the mapping", lines)
    session.run("ALTER SERVER strange OPTIONS (ADD scan_api 'search')")
    tap.equal(session.ask("SELECT role_arn FROM strange.training_jobs")[1], "28000", "Search finds jobs of another account")
    serve("no-arn", '"CreationTime": 1750000000')
    control("document?name=no-arn", b'{"TrainingJobName": "no-arn"}')
    tap.equal([session.ask("SELECT role_arn FROM %s.training_jobs WHERE training_job_name = 'no-arn'" % server)[1]
               for server in ("aws", "own")], ["00000", "08P01"], "a job without an ARN belongs to no expected account")
    control("delete?name=no-arn", b"")


# ----- partitions -----

def test_merge_append(session, tap):
    session.run("CREATE TABLE parts (LIKE aws.training_jobs) PARTITION BY LIST (region)")
    for number, region in enumerate(REGIONS):
        session.run("CREATE FOREIGN TABLE part_%d PARTITION OF parts FOR VALUES IN ('%s') SERVER aws OPTIONS (region '%s')"
                    % (number, region, region))

    query = "SELECT training_job_name FROM parts ORDER BY creation_time DESC LIMIT 1"
    tap.equal([node["Node Type"] for node in nodes(explained(session, query))],
              ["Limit", "Merge Append"] + ["Foreign Scan"] * 3, "partitions are merged")
    control("reset", b"")
    control("config", {"latency_ms": LATENCY_MS})
    newest, calls = calls_of(session, query)
    tap.equal((calls, counters()["most_in_flight"]), ("ListTrainingJobs=3", 3), "all partitions' first pages are requested at once")
    control("config", {"latency_ms": 0})

    # another MergeAppend in the query is not asked, and has no parameters yet
    query = ("SELECT training_job_name, (SELECT training_job_name FROM parts AS other "
             "WHERE other.training_job_name LIKE left(parts.training_job_name, 4) || '%' ORDER BY creation_time DESC LIMIT 1) "
             "FROM parts ORDER BY creation_time DESC LIMIT 1")
    tap.equal(calls_of(session, query), (["%s|%s" % (newest[0], newest[0])], "ListTrainingJobs=6"),
              "a sub-select over merged partitions starts when its parameters are known")
    query = ("SELECT CASE WHEN training_job_name = '' THEN (SELECT max(training_job_name) FROM "
             "(SELECT training_job_name FROM parts ORDER BY creation_time DESC LIMIT 1) AS other) ELSE training_job_name END "
             "FROM parts ORDER BY creation_time DESC LIMIT 1")
    tap.equal(calls_of(session, query), (newest, "ListTrainingJobs=3"), "and does not start if it is not needed")

    # a partition is read up to the query's LIMIT, and no further
    session.run("ANALYZE parts")
    for query, calls in (
            ("SELECT role_arn FROM parts WHERE region = 'us-east-1' ORDER BY creation_time DESC LIMIT 3", "DescribeTrainingJob=3 ListTrainingJobs=1"),
            ("SELECT role_arn FROM parts WHERE region = 'us-east-1' LIMIT 20", "DescribeTrainingJob=20 ListTrainingJobs=1"),
            ("SELECT role_arn FROM parts ORDER BY creation_time DESC LIMIT 3", "DescribeTrainingJob=6 ListTrainingJobs=3"),
            ("SELECT role_arn FROM parts WHERE region = 'us-east-1' ORDER BY creation_time DESC LIMIT (SELECT 3)",
             "DescribeTrainingJob=4 ListTrainingJobs=1")):
        tap.equal(calls_of(session, query)[1], calls, "a partition is not read beyond the LIMIT: %s" % query)


def blocked(session, pid):
    """Does the session wait for a lock?"""
    return session.run("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %d" % pid) == ["t"]


def test_changed_rows(session, tap):
    """A row that changes while it is joined is joined again, with what was already read of the job."""
    other, third = another_session(), another_session()
    session.run("CREATE TABLE changing (name text, n int, at timestamptz); "
                "CREATE TABLE parted (LIKE aws.training_jobs) PARTITION BY LIST (region); "
                "CREATE FOREIGN TABLE parted_1 PARTITION OF parted FOR VALUES IN ('us-east-1') SERVER aws")
    names = session.run("SELECT training_job_name FROM aws.training_jobs WHERE training_job_status = 'Completed' ORDER BY 1 LIMIT 3")
    billable = session.run("SELECT sum(billable_time_in_seconds) FROM aws.training_jobs WHERE training_job_name IN ('%s')"
                           % "','".join(names))[0]
    joined = "training_job_name = name AND billable_time_in_seconds > n %s"
    # {t}: the table; what stands behind the join condition decides how it is made
    changes = [
        ("UPDATE changing SET n = n + billable_time_in_seconds FROM {t} WHERE " + joined % "", False),
        ("UPDATE changing SET n = n + billable_time_in_seconds FROM {t} WHERE " + joined %
         "AND (role_arn = '' OR EXISTS (SELECT FROM costed WHERE usd = n))", False),
        ("UPDATE changing SET n = n + billable_time_in_seconds FROM {t} AS j WHERE " + joined % "AND j.tableoid <> 0", False),
        ("MERGE INTO changing USING {t} ON training_job_name = name WHEN MATCHED AND billable_time_in_seconds > n "
         "THEN UPDATE SET n = n + billable_time_in_seconds", False),
        ("DELETE FROM changing USING {t} WHERE " + joined % "", True),
        ("WITH locked AS MATERIALIZED (SELECT name, billable_time_in_seconds AS b FROM changing JOIN {t} ON " + joined % ""
         + " FOR UPDATE OF changing) UPDATE changing SET n = n + b FROM locked WHERE changing.name = locked.name", False),
    ]
    session.run("CREATE TABLE costed AS SELECT usd FROM generate_series(0, 20) AS usd")
    for table in ("aws.training_jobs", "parted"):
        for setting in ("enable_nestloop", "enable_hashjoin"):
            for change, deletes in changes:
                session.run("TRUNCATE changing; INSERT INTO changing SELECT name, 0 FROM unnest('{%s}'::text[]) AS name"
                            % ",".join(names))
                other.run("SET %s = off" % setting)
                # one row changes, and another will not be joined any more
                session.run("BEGIN; UPDATE changing SET n = 7 WHERE name = '%s'; UPDATE changing SET n = 1000000000 WHERE name = '%s'"
                            % (names[0], names[1]))
                other.send(change.format(t=table))
                wait_for(lambda: blocked(third, other.pid), "the other session is blocked")
                session.run("COMMIT")
                lines, state = other.receive()
                other.run("RESET %s" % setting)
                expected = ["1|1000000000" if deletes else "3|%d" % (
                    7 + 1000000000 + int(billable) - int(session.run(
                        "SELECT billable_time_in_seconds FROM aws.training_jobs WHERE training_job_name = '%s'" % names[1])[0]))]
                tap.equal((state, session.run("SELECT count(*), sum(n) FROM changing")), ("00000", expected),
                          "a row that changes under %s, %s off" % (change.format(t=table)[:60], setting))
    third.close()
    other.close()


# ----- Search -----

def walked(times, oldest_first):
    """Pages with one job each in a scan of Search."""
    sign = 1 if oldest_first else -1
    times = sorted(sign * time for time in times)
    bound = -math.inf
    pages = 0
    while True:
        walk = [time for time in times if time >= bound]
        for number, time in enumerate(walk, 1):
            pages += 1
            # a second before the one that the walk has come to: the service takes whole ones
            next_bound = math.floor(time) - 1
            if number >= WALK_PAGES and number < len(walk) and next_bound != bound:
                bound = next_bound
                break
        else:
            return pages


def test_long_search(session, tap):
    """More pages than one walk may have."""
    make_server(session, "single", scan_api="search", fetch_size=1)
    times = session.run("SELECT creation_time FROM aws.training_jobs ORDER BY creation_time")
    epochs = session.run("SELECT extract(epoch FROM creation_time) FROM aws.training_jobs ORDER BY creation_time")
    tap.ok(len(times) > 2 * WALK_PAGES, "there are enough jobs for three walks", len(times))
    # some that share a second, or the very time, with those where walks end
    for place in (WALK_PAGES - 1, len(epochs) - WALK_PAGES):
        for number, fraction in enumerate([".25", ".25", ".75", epochs[place][len(epochs[place]) - 7:]]):
            serve("shared-%d-%d" % (place, number),
                  '"TrainingJobStatus": "Completed", "CreationTime": %s%s' % (epochs[place].partition(".")[0], fraction))
    expected = session.run("SELECT training_job_name, creation_time FROM aws.training_jobs")
    epochs = [float(epoch) for epoch in session.run("SELECT extract(epoch FROM creation_time) FROM aws.training_jobs")]
    for order in ("DESC", "ASC"):
        rows, calls = calls_of(session, "SELECT training_job_name, creation_time FROM single.training_jobs "
                               "ORDER BY creation_time %s" % order)
        created = [row.split("|")[1] for row in rows]
        tap.equal(sorted(rows), sorted(expected), "a long Search %s returns each job once" % order)
        tap.equal(created, sorted(created, reverse=order == "DESC"), "... in order")
        tap.equal(calls, "Search=%d" % walked(epochs, order == "ASC"), "... with the calls of walks of %d pages" % WALK_PAGES)
    # all in one second: there is no time to begin another walk at
    control("reset", b"")
    for number in range(WALK_PAGES + 50):
        serve("same-%03d" % number, '"TrainingJobStatus": "Completed", "CreationTime": 1800000000.5')
    for order in ("DESC", "ASC"):
        rows = session.run("SELECT training_job_name FROM single.training_jobs "
                           "WHERE creation_time > '2027-01-01' ORDER BY creation_time %s" % order)
        tap.equal(sorted(rows), ["same-%03d" % number for number in range(WALK_PAGES + 50)],
                  "many jobs created in the same second are each returned, %s" % order)
    control("reset", b"")


def test_analyze(session, tap):
    session.run("SET sagemaker_fdw.analyze_jobs = 20; CREATE SCHEMA sampled; "
                "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER searched INTO sampled OPTIONS (attributes 'search')")
    tap.equal(calls_of(session, "ANALYZE sampled.training_jobs")[1], "Search=3", "ANALYZE takes its sample from Search's pages")
    tap.equal(session.run("SELECT reltuples FROM pg_class WHERE oid = 'sampled.training_jobs'::regclass"), ["300"],
              "... and counts the jobs there")
    tap.equal(calls_of(session, "ANALYZE searched.training_jobs")[1], "DescribeTrainingJob=20 ListTags=20 ListTrainingJobs=3",
              "where Search lacks a column, ANALYZE describes a sample")
    session.run("RESET sagemaker_fdw.analyze_jobs")

    # a parent's statistics are of its partitions by their jobs, and each is sampled once
    session.run("CREATE TABLE weighed (LIKE aws.training_jobs) PARTITION BY LIST (region)")
    for number, region in enumerate(REGIONS):
        session.run("CREATE FOREIGN TABLE weighed_%d PARTITION OF weighed FOR VALUES IN ('%s') SERVER aws OPTIONS (region '%s')"
                    % (number, region, region))
    tap.equal(calls_of(session, "ANALYZE weighed")[1], "DescribeTrainingJob=340 ListTags=340 ListTrainingJobs=5",
              "ANALYZE of a parent samples each partition once")
    tap.equal(session.run("SELECT reltuples FROM pg_class WHERE relname ~ '^weighed' ORDER BY relname"), ["340", "300", "40", "0"],
              "... and counts all jobs")
    tap.equal(session.run("SELECT most_common_vals, abs(most_common_freqs[1] - 300.0 / 340) < 0.01 FROM pg_stats "
                          "WHERE tablename = 'weighed' AND attname = 'region'"), ["{us-east-1,eu-west-1}|t"],
              "... weighing each partition by its number of jobs")
    tap.equal(calls_of(session, "BEGIN; ANALYZE weighed_1; ALTER FOREIGN TABLE weighed_1 OPTIONS (SET region 'us-east-1'); "
                       "DO $$ BEGIN ANALYZE weighed_1; ALTER FOREIGN TABLE weighed_1 OPTIONS (SET region 'eu-west-1'); "
                       "ANALYZE weighed_1; END $$; COMMIT")[1],
              "DescribeTrainingJob=380 ListTags=380 ListTrainingJobs=5", "an altered table is sampled again")

    # columns that are not sampled
    fault(**denied(operation="ListTags"))
    session.run("SET client_min_messages = warning")
    lines, state = session.ask("ANALYZE aws.training_jobs")
    tap.equal((state, [line for line in lines if "WARNING" in line]),
              ("00000", ['WARNING:  AWS denies ListTags to the credentials for server "aws"; "training_jobs" is analyzed without tags']),
              "where tags are denied, ANALYZE goes on without them")
    tap.equal(session.run("SELECT null_frac FROM pg_stats WHERE schemaname = 'aws' AND attname = 'role_arn'"), ["0"],
              "... and collects statistics of the other columns")
    control("clear", b"")
    session.run("ALTER FOREIGN TABLE weighed_1 ALTER tags SET STATISTICS 0")
    tap.equal(calls_of(session, "ANALYZE weighed_1")[1], "DescribeTrainingJob=40 ListTags=40 ListTrainingJobs=1",
              "a column without statistics is fetched where a parent has them")
    session.run("ALTER TABLE weighed ALTER tags SET STATISTICS 0")
    tap.equal(calls_of(session, "ANALYZE weighed_1")[1], "DescribeTrainingJob=40 ListTrainingJobs=1", "... and otherwise not")
    session.run("DROP TABLE weighed; ANALYZE aws.training_jobs")

    # each statement samples anew, also within one that the client sends
    session.run("CREATE FOREIGN TABLE plain (training_job_name text) SERVER aws; "
                "CREATE FUNCTION analyze_plain() RETURNS void LANGUAGE SQL AS 'ANALYZE plain'; "
                "CREATE FOREIGN TABLE broken (no_attribute text) SERVER aws")
    for query, times in (
            ("DO $$ BEGIN ANALYZE plain; ANALYZE plain; END $$", 2), ("SELECT analyze_plain(), analyze_plain()", 2),
            ("DO $$ BEGIN BEGIN ANALYZE plain, broken; EXCEPTION WHEN others THEN ANALYZE plain; END; END $$", 2)):
        tap.equal(calls_of(session, query)[1], "DescribeTrainingJob=%d ListTrainingJobs=%d" % (300 * times, 3 * times),
                  "each ANALYZE takes a new sample: %s" % query)

    # nor is what is computed from the environment sampled
    session.run("CREATE FOREIGN TABLE telling (training_job_name text, environment jsonb, raw_response jsonb, "
                "lower text GENERATED ALWAYS AS (lower(training_job_name)) STORED, "
                "debug text GENERATED ALWAYS AS (environment->>'NCCL_DEBUG') STORED, "
                "debug_too text GENERATED ALWAYS AS (raw_response->'Environment'->>'NCCL_DEBUG') STORED) SERVER aws; "
                "ANALYZE telling")
    tap.equal(session.run("SELECT count(debug), count(debug_too) FROM telling"), ["95|95"], "generated columns can reveal the environment")
    tap.equal(session.run("SELECT attname, null_frac, most_common_vals FROM pg_stats WHERE tablename = 'telling' AND "
                          "attname IN ('environment', 'lower', 'debug', 'debug_too') ORDER BY 1"),
              ["debug|1|", "debug_too|1|", "environment|1|", "lower|0|"], "... but not in statistics")


def test_fall_back(session, tap):
    """Search is denied: each job is described instead, with as many calls at a time as usual."""
    make_server(session, "denied", scan_api="auto")
    session.run("ANALYZE denied.training_jobs; SET client_min_messages = notice")
    notice = 'NOTICE:  AWS denies Search to the credentials for server "denied"; each job is described instead'
    for query, calls, notices in (
            ("SELECT training_job_name FROM denied.training_jobs WHERE role_arn = 'nobody' LIMIT 1",
             "DescribeTrainingJob=300 ListTrainingJobs=3 Search=1", [notice]),
            # it is not asked again for a while
            ("SELECT FROM (SELECT role_arn FROM denied.training_jobs WHERE training_job_name <> '' LIMIT 60) AS j WHERE role_arn IS NULL",
             "DescribeTrainingJob=60 ListTrainingJobs=1", [])):
        control("reset", b"")
        fault(**denied(operation="Search"))
        control("config", {"latency_ms": 20})
        lines, made = calls_of(session, query)
        tap.equal((made, counters()["most_in_flight"]), (calls, 16), "Search is denied: %s" % query)
        tap.equal([line for line in lines if "NOTICE" in line], notices, "... a session is told so once")
    session.run("SET client_min_messages = warning")

    # EXPLAIN tells where documents came from
    control("reset", b"")
    fault(**denied(operation="Search"))
    scan = list(nodes(explained(session, "SELECT count(*) FROM denied.training_jobs WHERE training_job_status = 'Failed' AND "
                                "billable_time_in_seconds > 0", "ANALYZE, ")))[-1]
    tap.equal([scan.get(key) for key in ("API Operations", "API Filter", "API Early Filter", "DescribeTrainingJob Calls", "Search Calls",
                                         "Documents From Search", "Documents From Describe", "Documents Checked")],
              [["ListTrainingJobs", "Search", "DescribeTrainingJob"]] +
              [["(training_job_status = 'Failed'::sagemaker_training_job_status)"]] * 2 + [49, None, 0, 49, 0], "... and EXPLAIN ANALYZE says so")
    control("reset", b"")


def test_max_calls(session, tap):
    """Only queries that certainly need too many calls are rejected before the first call."""
    session.run("SET sagemaker_fdw.max_calls = 30; PREPARE since(timestamptz) AS SELECT count(role_arn) FROM aws.training_jobs "
                "WHERE creation_time > $1; SET plan_cache_mode = force_generic_plan")
    since = "SELECT count(*) FROM aws.training_jobs WHERE creation_time > '2025-06-25'"
    expected = session.run(since)
    tap.ok(0 < int(expected[0]) < 29, "there are some jobs since then", expected)
    for query in ("SELECT count(role_arn) FROM aws.training_jobs WHERE creation_time > (SELECT timestamptz '2025-06-25')",
                  "EXECUTE since('2025-06-25')",
                  "SELECT count(role_arn) FROM aws.training_jobs WHERE training_job_name || '' IN "
                  "(SELECT training_job_name FROM aws.training_jobs AS j WHERE creation_time > '2025-06-25') AND creation_time > '2025-06-25'"):
        tap.equal(session.ask(query), (expected, "00000"), "a query whose calls are only estimated is tried: %s" % query)
    session.run("RESET plan_cache_mode; DEALLOCATE since")
    control("calls")
    names = "ARRAY(SELECT 'no-such-job-' || n FROM generate_series(1, 31) AS n)"
    for query in ("SELECT count(role_arn) FROM aws.training_jobs",
                  "SELECT count(role_arn) FROM aws.training_jobs WHERE role_arn <> ''",
                  "SELECT role_arn FROM aws.training_jobs LIMIT 31",
                  "SELECT 1 FROM aws.training_jobs WHERE training_job_name = ANY (%s)" % names):
        tap.equal((session.ask(query)[1], control("calls")), ("54000", "none"), "a query that certainly needs too many is rejected: %s" % query)
    session.run("RESET sagemaker_fdw.max_calls")


def test_large_pages(session, tap):
    """A page larger than a response may be is requested again, with fewer jobs."""
    session.run("CREATE SERVER tight FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', endpoint_url '%s', "
                "max_response_size '128kB'); CREATE USER MAPPING FOR CURRENT_USER SERVER tight "
                "OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s'); CREATE SCHEMA tight; "
                "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER tight INTO tight" % ((URL,) + BULK))
    for scan_api, size, calls in (("search", "128kB", r"Search=(\d+)"), ("describe", "16kB", r"ListTrainingJobs=(\d+)")):
        session.run("ALTER SERVER tight OPTIONS (%s scan_api '%s', SET max_response_size '%s')"
                    % ("ADD" if scan_api == "search" else "SET", scan_api, size))
        rows, made = calls_of(session, "SELECT count(*), count(DISTINCT training_job_name), count(training_job_arn%s) FROM tight.training_jobs"
                              % (" || role_arn" if scan_api == "search" else ""), BULK[0])
        tap.equal(rows, ["400|400|400"], "pages of %s that are too large are requested in parts" % scan_api)
        most = int(re.fullmatch(calls, made).group(1))
        # 100, 50, 25, 12 and so on, and then pages of that size
        tap.ok(any(most == tries + math.ceil(400 / (100 >> tries)) for tries in (1, 2, 3, 4)), "... with as few calls as possible: %s" % made)
    session.run("ALTER SERVER tight OPTIONS (SET max_response_size '1kB')")
    tap.equal(session.ask("SELECT role_arn FROM tight.training_jobs LIMIT 1")[1], "08P01", "a document is not requested in parts")
    # tags, which have pages of 50 at the least
    make_server(session, "tagged", max_response_size="12kB")
    tags = {"key-%02d" % number: "v" * 180 for number in range(60)}
    name = "pytorch-ads-0001"
    control("document?name=%s&tags=%s" % (name, urllib.parse.quote(json.dumps(tags))), control("document?name=" + name).encode())
    control("config", {"list_tags_page": 200})
    rows, made = calls_of(session, "SELECT tags FROM tagged.training_jobs WHERE training_job_name = '%s'" % name)
    tap.equal(([json.loads(row) for row in rows], made), ([tags], "DescribeTrainingJob=1 ListTags=3"),
              "a page of tags that is too large is requested in parts")
    control("reset", b"")


def test_guards(session, tap):
    """A condition that may raise an error is not evaluated before one that guards it."""
    for conditions, calls in (
            # name and account are listed, role and tags are not
            ("role_arn = 'nobody' AND 1 / (length(training_job_name) - length(training_job_name)) = 1", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND training_job_name::int > 0", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND (training_job_status = 'Failed' OR training_job_name::int > 0)",
             "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("tags->>'team' = 'nobody' AND training_job_name::int > 0", "ListTags=300 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND (tags->>'team')::int > 0", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("random() < 0 AND training_job_name::int > 0", "ListTrainingJobs=3"),
            ("tags->>'team' = 'nobody' AND role_arn::int > 0 AND creation_time < '2000-01-01'", "ListTrainingJobs=1"),
            # these cannot, or stand before
            ("role_arn = 'nobody' AND training_job_status = 'Failed'", "DescribeTrainingJob=49 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND training_job_status IN ('Failed', 'Stopped') AND training_end_time IS NOT NULL",
             "DescribeTrainingJob=71 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND training_job_name LIKE 'xgboost%9' AND warm_pool_status->>'Status' IS NULL "
             "AND training_job_name ILIKE '%F%' AND training_job_name !~ '^y' AND training_job_status::text <> 'x'", None),
            ("role_arn = 'nobody' AND training_end_time < now() - interval '1 day' AND length(training_job_name) <> 3", None),
            ("role_arn = 'nobody' AND creation_time::date < '2025-06-12'", None),
            ("role_arn = 'nobody' AND extract(dow FROM creation_time) = 2", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("role_arn = 'nobody' AND extract(month FROM creation_time) = 5 AND date_trunc('day', creation_time) <> '2025-05-03'", None),
            ("left(training_job_name, 1)::text = 'x' AND (training_job_name || '1')::text <> 'y' AND role_arn = 'nobody'", None)):
        rows, made = calls_of(session, "SELECT count(*) FROM aws.training_jobs WHERE " + conditions)
        tap.equal(rows, ["0"], "no error where a guard comes first: %s" % conditions)
        if calls is None:
            described = int(session.run("SELECT count(*) FROM (SELECT training_job_name, training_job_status, creation_time, training_end_time, warm_pool_status FROM aws.training_jobs) "
                                        "AS j WHERE " + conditions.replace("role_arn = 'nobody' AND", "").replace("AND role_arn = 'nobody'", ""))[0])
            calls = "DescribeTrainingJob=%d ListTrainingJobs=3" % described
            tap.ok(0 < described < 300, "... and some jobs are described", described)
        tap.equal(made, calls, "... by %s" % calls)
    control("calls")


def test_subselects(session, tap):
    """A condition with a sub-select is evaluated after those that Postgres would evaluate before it."""
    session.run("CREATE TABLE few AS SELECT training_job_name AS name, length(training_job_name) AS n "
                "FROM aws.training_jobs ORDER BY creation_time LIMIT 5; ANALYZE few")
    for query, rows, calls in (
            # they guard it
            ("count(*) {t} WHERE failure_reason IS NULL AND (SELECT count(*) FROM few WHERE n > failure_reason::int) = 0", "251",
             "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("count(*) {t} WHERE role_arn = 'nobody' AND (EXISTS (SELECT FROM few WHERE n = training_job_name::int) "
             "OR training_job_status = 'Failed')", "0", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("count(*) {t} WHERE role_arn = 'nobody' AND ARRAY(SELECT n / (length(training_job_name) - length(training_job_name)) "
             "FROM few) <> '{1}'", "0", "DescribeTrainingJob=300 ListTrainingJobs=3"),
            ("count(*) {t} WHERE random() < 0 AND (SELECT count(*) FROM few WHERE n > role_arn::int) = 0", "0",
             "DescribeTrainingJob=300 ListTrainingJobs=3"),
            # also one that has to wait itself
            ("count(tags) {t} WHERE role_arn IS NOT NULL AND length(training_job_name) / 1 < 0 "
             "AND 1 / (length(role_arn) - length(role_arn)) = 1", "0", "DescribeTrainingJob=300 ListTags=300 ListTrainingJobs=3"),
            # and save its calls
            ("count(*) {t} AS j WHERE billable_time_in_seconds > 20000 AND (SELECT length(role_arn) {t} AS k "
             "WHERE k.training_job_name = j.training_job_name) > 3", "25", "DescribeTrainingJob=325 ListTrainingJobs=3"),
            # one that raises no error saves calls of those before it
            ("count(*) {t} WHERE role_arn <> 'nobody' AND (EXISTS (SELECT FROM few WHERE name = training_job_name AND n > 3) "
             "OR training_job_name = 'x')", "5", "DescribeTrainingJob=5 ListTrainingJobs=3"),
            ("count(*) {t} WHERE role_arn <> 'nobody' AND training_job_name NOT IN (SELECT name FROM few)", "295",
             "DescribeTrainingJob=295 ListTrainingJobs=3")):
        query = "SELECT " + query.replace("{t}", "FROM aws.training_jobs")
        control("calls")
        lines, state = session.ask(query)
        tap.equal((state, lines, control("calls").strip()), ("00000", [rows], calls), "in Postgres's order: %s" % query)


# ----- concurrency, EXPLAIN -----

def test_concurrency(session, tap):
    names = sorted(session.run("SELECT training_job_name FROM aws.training_jobs LIMIT 8"))
    control("reset", b"")
    control("config", {"latency_ms": LATENCY_MS})
    rows, calls = calls_of(session, "SELECT training_job_name FROM aws.training_jobs WHERE training_job_name IN ('%s') "
                           "AND role_arn <> ''" % "','".join(names))
    tap.equal((sorted(rows), calls, counters()["most_in_flight"]), (names, "DescribeTrainingJob=8", 8),
              "the names of a list are requested at once")
    control("config", {"latency_ms": 0})


def test_explain(session, tap):
    query = ("SELECT training_job_name, role_arn FROM aws.training_jobs "
             "WHERE training_job_status = 'Failed' AND training_job_name <> 'x' AND role_arn <> '' ORDER BY creation_time %s")
    scan = list(nodes(explained(session, query % "DESC")))[-1]
    tap.equal({key: scan.get(key) for key in ("API Operations", "API Filter", "API Early Filter", "API Order")},
              {"API Operations": ["ListTrainingJobs", "DescribeTrainingJob"],
               "API Filter": ["(training_job_status = 'Failed'::sagemaker_training_job_status)"],
               "API Early Filter": ["(training_job_name <> 'x'::text)",
                                    "(training_job_status = 'Failed'::sagemaker_training_job_status)"],
               "API Order": "CreationTime Descending"}, "EXPLAIN in JSON")
    tap.equal(session.run("EXPLAIN (COSTS OFF) SELECT training_job_name FROM aws.training_jobs ORDER BY creation_time"),
              ["Foreign Scan on training_jobs", "  API Operations: ListTrainingJobs", "  API Order: CreationTime Ascending"], "EXPLAIN of one table in order")

    session.run("CREATE TABLE outer_jobs AS SELECT training_job_name AS name, creation_time AS at FROM aws.training_jobs LIMIT 3; "
                "ANALYZE outer_jobs; CREATE FOREIGN TABLE not_analyzed (training_job_name text) SERVER aws")
    for query, estimate, analyzed in (
            ("SELECT role_arn FROM aws.training_jobs", 303, 303),
            ("SELECT role_arn FROM aws.training_jobs WHERE role_arn <> '' LIMIT 2", "303 (at most)", "303 (at most)"),
            ("SELECT training_job_name FROM aws.training_jobs LIMIT 2", 1, 1),
            ("SELECT role_arn FROM outer_jobs, aws.training_jobs WHERE training_job_name = name", "1 (for each loop)", "1 (for each loop)"),
            ("SELECT (SELECT role_arn FROM aws.training_jobs WHERE training_job_name = name) FROM outer_jobs",
             "1 (for each loop)", "1 (for each loop)"),
            ("SELECT (SELECT role_arn FROM aws.training_jobs WHERE training_job_name = name) FROM outer_jobs LIMIT 1",
             "1 (for each loop)", 1),
            ("SELECT training_job_name FROM outer_jobs, LATERAL (SELECT training_job_name FROM aws.training_jobs WHERE creation_time < at "
             "ORDER BY creation_time LIMIT 1) AS j", "1 (for each loop)", "1 (for each loop)"),
            ("WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r, LATERAL (SELECT training_job_name FROM aws.training_jobs "
             "ORDER BY i LIMIT 1) AS j WHERE i < 3) TABLE r", "3 (for each loop) (at most)", "3 (for each loop) (at most)"),
            # once
            ("SELECT count(*) FROM outer_jobs, aws.training_jobs WHERE training_job_name <> name", 3, 3),
            ("SELECT 1 WHERE 'x' < (SELECT max(training_job_name) FROM aws.training_jobs "
             "WHERE role_arn > (SELECT min(name) FROM outer_jobs))", 303, 303),
            ("SELECT name IN (SELECT role_arn FROM aws.training_jobs) FROM outer_jobs", "303 (at most)", "303 (at most)"),
            ("SELECT (SELECT count(*) FROM not_analyzed WHERE length(training_job_name) > length(name)) FROM outer_jobs",
             "10 (for each loop) (no statistics)", "10 (for each loop) (no statistics)")):
        found = [[node["Estimated API Calls"] for node in nodes(explained(session, query, options)) if "Estimated API Calls" in node]
                 for options in ("", "ANALYZE, ")]
        tap.equal(found, [[estimate], [analyzed]], "EXPLAIN says of what the estimate is: %s" % query)

    if int(session.run("SHOW server_version_num")[0]) < 160000:
        tap.note("no GENERIC_PLAN before PostgreSQL 16")
        return
    control("calls")
    tap.equal(session.run("EXPLAIN (GENERIC_PLAN, COSTS OFF) SELECT role_arn FROM aws.training_jobs WHERE training_job_name = $1"),
              ["Foreign Scan on training_jobs", "  Filter: (training_job_name = $1)", "  API Operations: DescribeTrainingJob",
               "  API Filter: (training_job_name = $1)"], "EXPLAIN of a plan for any parameter")
    tap.equal(control("calls").strip(), "none", "... makes no call")


def test_one_at_a_time(session, tap):
    """A page that failed does not take the place of the calls for the jobs before it."""
    make_server(session, "narrow", max_concurrency=1, fetch_size=1)
    session.run("SET sagemaker_fdw.max_calls = 2; SET statement_timeout = '20s'")
    tap.equal(session.ask("SELECT role_arn FROM narrow.training_jobs")[1], "54000", "with one call at a time, max_calls is an error")
    session.run("RESET sagemaker_fdw.max_calls")
    fault(kind="error", operation="ListTrainingJobs", skip=2, times=1, code="ValidationException", message="Invalid NextToken.")
    tap.equal(session.ask("SELECT count(*), count(role_arn) FROM narrow.training_jobs"), (["300|300"], "00000"),
              "... and a rejected token starts another walk")
    session.run("RESET statement_timeout")
    control("clear", b"")


def test(session, tap):
    make_server(session, "aws")
    make_server(session, "searched", scan_api="search")
    make_server(session, "bulk", keys=BULK)
    session.run("ANALYZE aws.training_jobs")
    test_lookups(session, tap)
    test_patterns(session, tap)
    test_repeated(session, tap)
    test_cache(session, tap)
    test_odd_texts(session, tap)
    test_selected_instances(session, tap)
    test_rounded_times(session, tap)
    test_account(session, tap)
    test_merge_append(session, tap)
    test_changed_rows(session, tap)
    test_concurrency(session, tap)
    test_long_search(session, tap)
    test_analyze(session, tap)
    test_large_pages(session, tap)
    test_guards(session, tap)
    test_subselects(session, tap)
    test_fall_back(session, tap)
    test_max_calls(session, tap)
    test_explain(session, tap)
    test_one_at_a_time(session, tap)


if __name__ == "__main__":
    main(test)
