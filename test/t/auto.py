"""scan_api 'auto': what each kind of scan costs, how it handles a Search that fails, and that its rows are those of 'describe'.

test/t/auto_answers.py covers what Search may answer.  Each case has its own session, server and keys, so nothing is known about
Search yet.

Run below test/with-service --bulk 10000.
"""
import itertools
import json
import os
import re
import time

from auto_case import ARN, AS_IT_IS, LONGEST_VALUE, MOST, MOST_FILTERS, Case, Read, bulk, checks, equal_rows, newest, put, restore, run_all, select
from harness import BULK, HISTORY, Cluster, Session, control, counters, fault, main, wait_for
from named_faults import broken, denied, late, throttled

# ----- calls -----

def test_history(session, tap, expected):
    """10,000 jobs: all have ended, or 5 % are in progress."""
    columns = session.run("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '%s'::regclass "
                          "AND attnum > 0 AND NOT attisdropped AND attname <> 'tags'" % expected.cases[BULK].table)[0]
    for percent in (0, 5):
        restore(expected)
        control("config", {"bulk_running": percent})
        case = Case(BULK)
        expected.cases[BULK].add_keys()
        control("calls")
        case.session.run("CREATE TEMPORARY TABLE by_auto AS SELECT %s FROM %s" % (columns, case.table))
        made = Read([], control("calls"), []).made("ListTrainingJobs", "Search", "DescribeTrainingJob")
        described = 100 * percent + checks(made["Search"])
        if percent == 0:
            tap.equal(made, {"ListTrainingJobs": 100, "Search": 100, "DescribeTrainingJob": described},
                      "10,000 ended jobs cost 100 pages, 100 Searches, and checks: one for each of the first 20 Searches, then fewer and fewer")
            tap.ok(sum(made.values()) <= 240, "... at most 240 calls", made)
        else:
            tap.equal(made, {"ListTrainingJobs": 100, "Search": made["Search"], "DescribeTrainingJob": described},
                      "of 10,000 jobs the 5 % that are in progress are described, besides the checks")
            tap.ok(95 <= made["Search"] <= 100, "... and Search is asked for the others, across pages", made)
        case.session.run("CREATE TEMPORARY TABLE described AS SELECT %s FROM %s" % (columns, expected.cases[BULK].table))
        tap.equal(case.session.run("SELECT count(*), count(DISTINCT training_job_name) FROM by_auto"), ["10000|10000"], "... each job is returned once")
        tap.equal(case.session.run("SELECT count(*) FROM ((TABLE by_auto EXCEPT ALL TABLE described) UNION ALL "
                                   "(TABLE described EXCEPT ALL TABLE by_auto)) AS d"), ["0"], "... with the values that describe returns")
        case.close()


def test_limits(session, tap, expected):
    """A LIMIT makes only the calls that it needs."""
    restore(expected)
    control("config", {"bulk_running": 0})
    for limit, made in ((1, "ListTrainingJobs=1 DescribeTrainingJob=1"), (4, "ListTrainingJobs=1 DescribeTrainingJob=4"),
                        (5, "ListTrainingJobs=1 Search=1 DescribeTrainingJob=1"),
                        (100, "ListTrainingJobs=1 Search=1 DescribeTrainingJob=1"),
                        (101, "ListTrainingJobs=2 Search=1 DescribeTrainingJob=2"),
                        (200, "ListTrainingJobs=2 Search=2 DescribeTrainingJob=2")):
        for order in ("", " ORDER BY creation_time DESC", " ORDER BY creation_time"):
            case = Case(BULK)
            read, _ = case.ask("SELECT role_arn, training_job_name FROM {t}%s LIMIT %d" % (order, limit))
            tap.equal(read.calls, Read([], made, []).calls, "LIMIT %d%s makes the calls %s" % (limit, order, made))
            first = 1 if order != " ORDER BY creation_time" else 10000 - limit + 1
            tap.equal(sorted(row.split("|")[1] for row in read.rows), bulk(first, first + limit - 1), "... and returns the right jobs")
            tap.ok(all(set(names) <= set(bulk(first, first + limit - 1)) for names in read.asked),
                   "... without asking Search for any other", read.asked)
            case.close()


def test_question(session, tap, expected):
    """Search is asked for the names of the jobs that pass the conditions on the summary, and for nothing else."""
    restore(expected)
    names, not_asked, not_proved = expected.names(HISTORY), expected.not_asked(HISTORY), expected.not_asked(HISTORY)
    for where, wanted in (
            ("training_job_status = 'Failed'", lambda row: row["training_job_status"] == "Failed"),
            ("training_job_name LIKE '%7'", lambda row: row["training_job_name"].endswith("7")),
            ("training_end_time - creation_time > interval '3 hours' AND training_job_name > 'q'",
             lambda row: row["training_job_name"] > "q" and row["long"])):
        summary = "training_job_name, training_job_status, coalesce(training_end_time - creation_time > interval '3 hours', false) AS long"
        chosen = {row["training_job_name"] for row in map(json.loads, expected.rows(HISTORY, "true", summary)) if wanted(row)}
        case = Case()
        read = case.read(where)
        equal_rows(tap, read, expected.rows(HISTORY, where), "conditions on the summary are evaluated before Search is asked: %s" % where)
        tap.equal(sorted(itertools.chain(*read.asked)), sorted(chosen - not_asked), "... which is asked for each of those jobs once")
        checked = [name for name in read.described if name not in not_proved]
        tap.ok(chosen & not_proved <= set(read.described) <= chosen and len(checked) <= len(read.batches),
               "... and the others are described, besides the checks", (chosen & not_proved, read.described))
        case.close()

    where = ("billable_time_in_seconds > 1000 AND role_arn LIKE '%ads' AND hyper_parameters->>'max_depth' IN ('3', '4', '5', '6') "
             "AND instance_count < 4")
    for more in ("", " AND tags->>'team' = 'ads'"):
        case = Case()
        read = case.read(where + more)
        equal_rows(tap, read, expected.rows(HISTORY, where + more), "conditions on documents are applied%s" % (more and ", and on tags"))
        tap.ok(0 < len(read.rows) < 60, "... and few jobs pass", len(read.rows))
        tap.equal(sorted(itertools.chain(*read.asked)), sorted(set(names) - not_asked), "... and Search is asked for all that have ended")
        known = {"Resource", "SearchExpression", "MaxResults", "SortBy", "SortOrder", "NextToken"}
        tap.equal([body for body in read.bodies["Search"] if set(body) - known or body["SearchExpression"].get("SubExpressions")], [],
                  "... by their names")
        tap.equal({(each["Name"], each.get("Operator")) for filters in read.filters for each in filters}, {("TrainingJobName", "In")},
                  "... and by nothing else")
        case.close()

    control("config", {"bulk_running": 0})
    case = Case(BULK)
    read = case.read(newest(1000), "role_arn")
    tap.equal(len(read.batches), 10, "a Search asks for 100 jobs")
    tap.equal({len(names) for names in read.asked}, {MOST}, "... by their names")
    tap.ok(all(len(filters) <= MOST_FILTERS and all(len(each["Value"]) <= LONGEST_VALUE for each in filters) for filters in read.filters),
           "... in filters within the service's limits")
    tap.equal(sorted(itertools.chain(*read.asked)), bulk(1, 1000), "... each job once")
    tap.ok(all(len(set(names) & set(read.described)) == 1 for names in read.asked), "... and one job of each Search is described")
    case.close()


def test_described(session, tap, expected):
    """What is not read from Search."""
    restore(expected)
    case = Case()
    described = case.server("describe", attributes="all")
    case.session.run("IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0}_auto INTO {0}; ALTER TABLE {0}.training_jobs RENAME TO auto_all; "
                     "CREATE FOREIGN TABLE {0}.odd (training_job_name text, unknown text OPTIONS (attribute 'NoSuchAttribute'), "
                     "below text OPTIONS (attribute 'ResourceConfig.InstanceType'), lower text OPTIONS (attribute 'ProgressInfo.x')) "
                     "SERVER {0}_auto".format(case.name))
    lacking = ["profiler_rule_configurations", "profiler_rule_evaluation_statuses", "profiling_status", "remote_debug_config",
               "infra_check_config", "serverless_job_config", "mlflow_config", "mlflow_details", "progress_info", "billable_token_count"]
    for column in lacking + ["raw_response", "raw_response->'RoleArn' AS member"]:
        columns = "training_job_name, role_arn, " + column
        case.table = case.name + ".auto_all"
        read = case.read("training_job_status = 'Failed'", columns)
        tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 3, "DescribeTrainingJob": 49},
                  "a query that reads %s, which Search lacks, describes its jobs" % column)
        case.table = described
        tap.equal(read.rows, case.read("training_job_status = 'Failed'", columns).rows, "... and returns the rows of describe")
    for scan_api in ("auto", "describe"):
        case.session.run("CREATE FOREIGN TABLE {0}.computed_{1} (training_job_name text, raw_response jsonb, "
                         "lower text GENERATED ALWAYS AS (lower(training_job_name)) STORED, "
                         "secret text GENERATED ALWAYS AS (raw_response->>'MlflowConfig') STORED) SERVER {0}_{1}".format(case.name, scan_api))
    columns = "training_job_name, lower, secret, raw_response->>'RoleArn' AS role"
    case.table = case.name + ".computed_auto"
    read = case.read("true", columns)
    tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
              "jobs are described for a column computed from raw_response")
    case.table = case.name + ".computed_describe"
    tap.equal(read.rows, case.read("true", columns).rows, "... with the rows of describe")
    case.table = case.name + ".odd"
    for columns in ("unknown", "below, unknown", "lower"):
        tap.equal(case.read("true", columns).made("ListTrainingJobs", "DescribeTrainingJob"),
                  {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
                  "jobs are described for an attribute that Search is not known to have: %s" % columns)
    read = case.read("true", "below")
    tap.ok(read.calls["Search"] > 0 and read.calls["DescribeTrainingJob"] <= len(expected.not_asked(HISTORY)) + len(read.batches),
           "... but not for one below an attribute that Search has", read.calls)
    case.table = case.name + ".auto"
    names = expected.names(HISTORY)[:10]
    for where, made in (("training_job_name IN ('%s')" % "', '".join(names), {"DescribeTrainingJob": 10}),
                        ("training_job_arn IN ('%s')" % "', '".join(ARN + name for name in names), {"DescribeTrainingJob": 10})):
        read = case.read(where, "training_job_name, role_arn")
        tap.equal(read.made(*made), made, "look-ups are described: %.40s" % where)
    tuning = "tuning_job_arn = '%shyper-parameter-tuning-job/tune-ads'" % ARN.replace("training-job/", "")
    read = case.read(tuning)
    equal_rows(tap, read, expected.rows(HISTORY, tuning), "the jobs of a tuning job are returned")
    tap.equal((read.calls["Search"], read.calls["DescribeTrainingJob"]), (0, len(read.rows)), "... and described")
    case.close()

    # those that have ended less than an hour ago; a margin covers what the test lasts
    now = int(time.time())
    document = json.loads(control("document?name=" + next(iter(set(expected.names(HISTORY)) - expected.not_asked(HISTORY)))))
    ages = {"end-old": (5000, 5000), "end-new": (5000, 1800), "change-new": (1800, 5000), "both-new": (1800, 1800),
            "no-change": (None, 5000), "no-end": (5000, None), **{"filler-%d" % number: (5000 + number, 5000) for number in range(6)}}
    for name, (modified, ended) in ages.items():
        put(dict(document, TrainingJobName=name, TrainingJobArn=ARN + name, CreationTime=now - 9000,
                 LastModifiedTime=modified and now - modified, TrainingEndTime=ended and now - ended))
    expected.forget()
    case = Case()
    where = "creation_time > to_timestamp(%d)" % (now - 9001)
    read = case.read(where)
    equal_rows(tap, read, expected.rows(HISTORY, where), "jobs that have just ended are returned as describe returns them")
    tap.equal(sorted(itertools.chain(*read.asked)), sorted({"end-old", "no-end"} | {name for name in ages if name.startswith("filler")}),
              "... and Search is asked for those that last changed, and ended, more than an hour ago")
    case.close()


# ----- Search in the way -----

def test_let_go(session, tap, expected):
    """Search fails while the job that is checked has only one of its two answers: no row is left undecided."""
    restore(expected)
    control("config", {"bulk_running": 0})
    columns = "training_job_name, role_arn, tags"
    for title, where, slow, faults in (
            ("by tags", "tags->>'team' NOT IN (SELECT 'bulk')", "DescribeTrainingJob", []),
            ("by documents", "left(role_arn, 3) NOT IN (SELECT 'arn')", "ListTags", []),
            ("with tags that were denied once", "tags->>'team' IS NOT NULL", "DescribeTrainingJob", [denied(operation="ListTags", times=1)])):
        where = "%s AND %s" % (newest(10), where)
        rows = expected.rows(BULK, where, columns)
        case = Case(BULK)
        control("config", {"latency_ms": {slow: 3000}})
        for spec in [broken(operation="Search"), *faults]:
            fault(**spec)
        read = case.read(where, columns)
        control("clear", b"")
        control("config", {"latency_ms": 0})
        equal_rows(tap, read, rows, "abandoning a check leaves the rows right, %s" % title)
        case.close()


def test_denied(session, tap, expected):
    for title, spec in (("denied", denied()), ("not known", dict(kind="error", status=404, code="UnknownOperationException", times=0)),
                        ("refused", dict(kind="error", code="ValidationException", times=0))):
        restore(expected)
        control("config", {"bulk_running": 0})
        rows = expected.rows(BULK, newest(500), "training_job_name, role_arn")
        case = Case(BULK)
        fault(**{**spec, "operation": "Search"})
        read = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, read, rows, "no row is lost when Search is %s" % title)
        tap.equal(read.calls["DescribeTrainingJob"], 500, "... all jobs are described")
        # two questions may be under way; one that is refused may be put otherwise
        tap.ok(1 <= read.calls["Search"] <= 4, "... Search is tried at the start, and not again", read.calls)
        tap.equal(read.messages_about("Search", "NOTICE"), 1, "... one NOTICE says so")
        again = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, again, rows, "... the next query returns all rows")
        tap.equal((again.calls["Search"], again.messages), (0, ""), "... without calling Search and without a NOTICE")
        case.other_keys()
        read = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, read, rows, "... with other credentials no row is lost either")
        tap.ok(read.calls["Search"] >= 1 and read.messages == "", "... and Search is tried with them, without another NOTICE", (read.calls, read.messages))
        control("clear", b"")
        case.other_keys()
        read = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, read, rows, "... with credentials that may use Search the rows are right")
        tap.equal(len(read.batches), 5, "... and come from Search")
        case.close()

    restore(expected)
    case = Case(BULK)
    control("config", {"bulk_running": 0})
    fault(**denied(operation="Search"))
    case.session.run("SET sagemaker_fdw.max_calls = 50")
    read, state = case.ask("SELECT role_arn FROM {t} WHERE %s" % newest(500))
    tap.equal(state, "54000", "max_calls ends a query whose Search is denied")
    tap.ok(re.search("HINT: .*Search.*denie[ds]|HINT: .*denie[ds].*Search", read.messages),
           "... and the hint says that Search is denied", read.messages)
    control("clear", b"")
    case.close()
    case = Case(BULK)
    case.session.run("SET sagemaker_fdw.max_calls = 50")
    read, state = case.ask("SELECT count(*), count(role_arn) FROM {t} WHERE %s" % newest(500))
    tap.equal((read.rows, state), (["500|500"], "00000"), "50 calls are enough for 500 jobs where Search is not denied")
    case.close()


def test_span(session, tap, expected):
    """Where Search does not know the operator In, it is asked for the time span of the batch's jobs."""
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, newest(500))
    case = Case(BULK)
    control("config", {"search_in": False})
    read = case.read(newest(500))
    equal_rows(tap, read, rows, "rows are right from a Search that does not know In")
    spans = [filters for filters, names in zip(read.filters, read.asked) if names is None]
    tap.ok(1 <= len(read.asked) - len(spans) <= 2, "... which is asked by name once, or twice concurrently", read.asked)
    tap.equal({each["Name"] for filters in spans for each in filters}, {"CreationTime"}, "... and then by creation time")
    tap.equal(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", each["Value"]) for filters in spans for each in filters), True,
              "... in whole seconds")
    tap.ok(read.calls["DescribeTrainingJob"] <= 200 + len(spans), "... and returns documents", read.calls)
    again = case.read(newest(500))
    equal_rows(tap, again, rows, "... the next query's rows are right")
    tap.equal([names for names in again.asked if names is not None and len(names) > 1], [], "... it asks by time from the start")
    tap.ok(again.calls["DescribeTrainingJob"] <= 5, "... for all jobs", again.calls)
    case.close()


def test_failing(session, tap, expected):
    """After two attempts or five seconds the batch is described."""
    where, columns = newest(100), "training_job_name, role_arn"
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, where, columns)
    for title, spec in (("fails", broken(operation="Search")), ("is throttled", throttled(operation="Search")),
                        ("closes connections", dict(kind="close_before", operation="Search", times=0)),
                        ("answers no JSON", dict(kind="body", operation="Search", body="<html>", content_type="text/html", times=0)),
                        ("answers what is none of its answers", dict(kind="body", operation="Search", body='{"Results": 7}', times=0))):
        case = Case(BULK)
        fault(**spec)
        read = case.read(where, columns)
        control("clear", b"")
        equal_rows(tap, read, rows, "no row is lost when Search %s" % title)
        # a kept connection that closes is no attempt
        tap.ok(read.calls["DescribeTrainingJob"] == 100 and 1 <= read.calls["Search"] <= (4 if "close" in title else 2),
               "... after two attempts all jobs are described", read.calls)
        case.close()
    for title, spec in (("fails", broken(operation="Search", times=1)), ("is throttled", throttled(operation="Search", times=1))):
        case = Case(BULK)
        fault(**spec)
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "when Search %s once, a second attempt returns the rows" % title)
        tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob"),
                  {"ListTrainingJobs": 1, "Search": 2, "DescribeTrainingJob": 1}, "... and only the job that is checked is described")
        case.close()
    case = Case(BULK)
    fault(**late(20000, operation="Search"))
    began = time.monotonic()
    read = case.read(where, columns)
    took = time.monotonic() - began
    control("clear", b"")
    equal_rows(tap, read, rows, "no row is lost when Search takes 20 seconds")
    tap.equal(read.calls["DescribeTrainingJob"], 100, "... all jobs are described")
    tap.ok(took < 15, "... without waiting for Search", took)
    case.close()
    # of 300 jobs two batches are on their way at first: the third one's answer comes while nobody looks
    where = newest(300)
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"latency_ms": {"Search": 200}})
    read, _ = case.ask("BEGIN; SET LOCAL cursor_tuple_fraction = 1; DECLARE c CURSOR FOR %s; FETCH 110 FROM c; DO 'BEGIN PERFORM pg_sleep(7); END'; "
                       "FETCH ALL FROM c; COMMIT" % select("{t}", where, columns))
    control("config", {"latency_ms": 0})
    equal_rows(tap, read, rows, "a cursor that is left open for 7 seconds returns the rows")
    tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob"),
              {"ListTrainingJobs": 3, "Search": 3, "DescribeTrainingJob": 3}, "... and uses the answer that arrived meanwhile")
    case.close()


def test_large(session, tap, expected):
    """Documents of 2 MB: few fit into one answer."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(100), "training_job_name, role_arn"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "large", "bytes": 2000000}]})
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "100 documents of 2 MB are returned")
    sizes = [len(names) for names in read.asked]
    tap.ok(sizes[:1] == [100] and 50 in sizes and min(sizes) >= 2, "... by asking for half as many when the answer is too large", sizes)
    case.close()


def test_rest(session, tap, expected):
    """Search is not asked for a while when little of what it returns can be used."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(4000), "training_job_name, role_arn"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "missing"}]})
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "no row is lost when Search has no record")
    tap.equal(read.calls["DescribeTrainingJob"], 4000, "... all jobs are described")
    # of 40 batches three are asked for, 8 rest, then 16; those under way when it rests count, too
    tap.ok(3 <= read.calls["Search"] <= 12, "... and Search is asked for few of the 40 batches", read.calls)
    case.close()


def test_one_call(session, tap, expected):
    """max_concurrency limits Searches that are repeated, and those in another form."""
    where, columns = newest(200), "training_job_name, role_arn"
    for title, settings in (("a check differs", {"search_records": [{"kind": "other", "members": {"RoleArn": "other"}}]}),
                            ("Search takes no names", {"search_in": False})):
        restore(expected)
        control("config", {"bulk_running": 0})
        rows = expected.rows(BULK, where, columns)
        control("reset", b"")
        control("config", {"bulk_running": 0, "latency_ms": 5, **settings})
        case = Case(BULK, max_concurrency=1)
        read = case.read(where, columns)
        most = counters()["most_in_flight"]
        control("config", {"latency_ms": 0, **AS_IT_IS})
        equal_rows(tap, read, rows, "rows are right when %s, with one call at a time" % title)
        tap.equal(most, 1, "... and there was never more than one in flight")
        case.close()


# ----- kinds of scans -----

def test_scans(session, tap, expected):
    restore(expected)
    control("config", {"bulk_running": 5})
    where, columns = newest(300), "training_job_name, role_arn, billable_time_in_seconds"
    rows = expected.rows(BULK, where, columns)
    not_asked = expected.not_asked(BULK, where)
    tap.equal(len(not_asked), 15, "5 % of 300 jobs are in progress")
    case = Case(BULK)
    read, _ = case.ask("BEGIN; DECLARE c CURSOR FOR %s; FETCH 7 FROM c; FETCH 130 FROM c; FETCH ALL FROM c; COMMIT"
                       % select("{t}", where, columns))
    equal_rows(tap, read, rows, "a cursor returns the rows")
    # it begins with few jobs at a time, of which the first are described
    tap.ok(read.calls["ListTrainingJobs"] == 3 and 3 <= read.calls["Search"] <= 10 and read.calls["DescribeTrainingJob"] <= 100,
           "... with few calls", read.calls)
    read, _ = case.ask("BEGIN; DECLARE c CURSOR FOR %s; FETCH 7 FROM c; COMMIT" % select("{t}", where, columns))
    tap.equal((len(read.rows), set(read.rows) <= set(rows)), (7, True), "a cursor may be closed early")
    read, _ = case.ask("SELECT to_jsonb(j) FROM generate_series(1, 2) AS i, LATERAL (SELECT %s FROM {t} WHERE %s "
                       "AND coalesce(instance_count, 1) >= i - 3 OFFSET 0) AS j" % (columns, where))
    equal_rows(tap, read, 2 * rows, "a rescan returns the rows again")
    read, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT %s FROM {t} WHERE %s ORDER BY creation_time DESC) AS j" % (columns, where))
    equal_rows(tap, read, rows, "ORDER BY creation_time returns the rows")
    for order, first in (("DESC", 1), ("ASC", 10000)):
        names = case.session.run("SELECT training_job_name FROM %s WHERE role_arn <> '' ORDER BY creation_time %s LIMIT 250"
                                 % (case.table, order))
        tap.equal(names, bulk(1, 250) if first == 1 else bulk(9751, 10000)[::-1], "... in order, %s" % order)
    tap.equal(case.session.run("SELECT count(*) FROM {0} AS a JOIN {0} AS b USING (training_job_name) "
                               "WHERE a.role_arn = b.role_arn AND a.{1} AND b.{1}".format(case.table, where)), ["300"],
              "two scans run in one query")
    read, _ = case.ask("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) SELECT role_arn FROM {t} WHERE %s" % where)
    documents = dict(re.findall(r"Documents (From Search|From Describe|Checked): (\d+)", " ".join(read.rows)))
    checked = read.calls["DescribeTrainingJob"] - 15
    tap.equal(documents, {"From Search": str(285 - checked), "From Describe": str(15 + checked), "Checked": str(checked)},
              "EXPLAIN ANALYZE says where documents came from")
    case.close()


def test_partitions(session, tap, expected):
    """Several partitions, read concurrently and one after another."""
    restore(expected)
    regions = ("us-east-1", "eu-west-1")
    case = Case()
    case.server("describe")
    for kind in ("auto", "describe"):
        case.session.run("CREATE TABLE {n}.parts_{k} (LIKE {n}.{k}) PARTITION BY LIST (region)".format(n=case.name, k=kind))
        for number, region in enumerate(regions):
            case.session.run("CREATE FOREIGN TABLE {n}.part_{k}_{i} PARTITION OF {n}.parts_{k} FOR VALUES IN ('{r}') "
                             "SERVER {n}_{k} OPTIONS (region '{r}')".format(n=case.name, k=kind, i=number, r=region))
    case.table = case.name + ".parts_describe"
    rows = case.read().rows
    case.table = case.name + ".parts_auto"
    for setting in ("on", "off"):
        case.session.run("SET enable_async_append = %s" % setting)
        plan = "\n".join(case.session.run("EXPLAIN (COSTS OFF) SELECT role_arn FROM %s" % case.table))
        tap.equal("Async Foreign Scan" in plan, setting == "on", "partitions are scanned with enable_async_append %s" % setting)
        read = case.read()
        equal_rows(tap, read, rows, "... and return the rows")
        tap.ok(read.calls["DescribeTrainingJob"] < len(rows) // 2 and read.calls["Search"] > 1, "... from Search", read.calls)
    read, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT * FROM {t} ORDER BY creation_time DESC LIMIT 200) AS j")
    case.table = case.name + ".parts_describe"
    other, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT * FROM {t} ORDER BY creation_time DESC LIMIT 200) AS j")
    equal_rows(tap, read, other.rows, "partitions can be merged in order")
    case.close()


def test_analyze(session, tap, expected):
    restore(expected)
    control("config", {"bulk_running": 0})
    case = Case(BULK)
    case.session.run("SET sagemaker_fdw.analyze_jobs = 50")
    read, state = case.ask("ANALYZE {t}")
    tap.equal(state, "00000", "ANALYZE goes this way")
    tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob", "ListTags"),
              {"ListTrainingJobs": 100, "Search": 1, "DescribeTrainingJob": 1, "ListTags": 1}, "... and asks Search for its sample")
    tap.equal(case.session.run("SELECT reltuples FROM pg_class WHERE oid = '%s'::regclass" % case.table), ["10000"],
              "... counts the jobs")
    tap.equal(case.session.run("SELECT null_frac FROM pg_stats WHERE schemaname = '%s' AND attname = 'role_arn'" % case.name), ["0"],
              "... and collects statistics of the columns")
    case.close()


def test_refresh(session, tap, expected):
    """A refreshed table whose source is a foreign table with scan_api 'auto'."""
    columns = "training_job_name, role_arn, billable_time_in_seconds, hyper_parameters, secondary_status_transitions"
    for title, rules in (("right", []), ("of older versions", [{"kind": "older", "every": 2}]),
                         ("without an attribute", [{"kind": "other", "members": {"RoleArn": "x"}}])):
        restore(expected)
        rows = expected.rows(HISTORY, "true", columns)
        case = Case()
        control("config", {"search_records": rules})
        case.session.run("IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0}_auto INTO {0} OPTIONS (attributes 'search')".format(case.name))
        read, state = case.ask("CALL sagemaker_fdw_refresh('{0}.kept', '{0}.training_jobs', since => '2017-11-01')".format(case.name))
        tap.equal(state, "00000", "a refresh reads through 'auto' when records are %s" % title)
        tap.ok(read.calls["Search"] >= 1, "... which asks Search", read.calls)
        case.table = case.name + ".kept"
        control("config", {"search_records": []})
        kept = case.read("true", columns)
        equal_rows(tap, kept, rows, "... and stores what describe returns")
        case.close()


def test_shared(session, tap, expected):
    """Sessions share what they learn about Search."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(300), "training_job_name, role_arn"
    rows = expected.rows(BULK, where, columns)
    environment = dict(os.environ)
    cluster = Cluster(["shared_preload_libraries=sagemaker_fdw"])
    try:
        cluster.start()
        one = Session()
        one.run("CREATE EXTENSION sagemaker_fdw")
        case = Case(BULK, one)
        control("config", {"search_records": [{"kind": "other", "members": {"RoleArn": "x"}}]})
        case.read(where, columns)
        case.session = Session()
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "what one session learns about an attribute applies to the next session")
        tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
                  "... which describes from the start")
        case.close()
        control("config", {"search_records": []})
        case = Case(BULK, one)
        fault(**denied(operation="Search"))
        case.read(where, columns)
        case.session = Session()
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "a denied Search loses no rows in another session")
        tap.ok(read.calls["Search"] <= 2 and read.messages_about("Search", "NOTICE") == 1, "... which raises the NOTICE itself", read.messages)
        case.close()

        # records that wait for a check are no documents yet
        restore(expected)
        control("config", {"bulk_running": 0})
        case = Case(BULK, one)
        case.session = Session()
        fault(kind="hang", operation="DescribeTrainingJob", times=0)
        case.session.send("SELECT role_arn FROM %s WHERE %s" % (case.table, newest(100)))
        look = "SELECT %s FROM sagemaker_fdw_progress"
        wait_for(lambda: one.run(look % "waiting_on") == ["DescribeTrainingJob"], "Search has answered")
        tap.equal(one.run(look % "jobs_seen, jobs_described"), ["100|0"], "progress counts no document while records wait for a check")
        one.run("SELECT pg_cancel_backend(%d)" % case.session.pid)
        tap.equal(case.session.receive()[1], "57014", "... and the query can be cancelled")
        case.close()
        one.close()
    finally:
        cluster.remove()
        os.environ.clear()
        os.environ.update(environment)


TESTS = [
    test_limits, test_question, test_described, test_let_go, test_denied, test_span, test_failing, test_large,
    test_rest, test_one_call, test_scans, test_partitions, test_analyze, test_refresh, test_shared, test_history,
]

if __name__ == "__main__":
    main(lambda session, tap: run_all(session, tap, TESTS))
