"""sagemaker_fdw_check_search counts each attribute in which Search differs, and says why a job could not be compared.

Run below test/with-service --bulk 1000.
"""
import decimal
import json
import os
import re

from harness import BULK, HISTORY, Session, cluster_session, control, fault, main, make_server, wait_for
from named_faults import broken, denied, silent

ENDED = ("Completed", "Failed", "Stopped")
WHOLE = {"search_records": [], "search_late_s": 0, "search_in": True, "search_order": None, "search_unasked": 0, "bulk_running": 0}
MESSAGE = re.compile("NOTICE|WARNING|ERROR|DETAIL|HINT|CONTEXT|Not |Newest |Described |Deleted |Search does|Tags were")

with open(os.path.join(os.path.dirname(__file__), "..", "service", "training_job.json"), encoding="utf-8") as model:
    ATTRIBUTES = [entry["attribute"] for entry in json.load(model)["describe"] if entry["in_search"]]
ATTRIBUTES += ["ResourceConfig.InstanceType", "ResourceConfig.InstanceCount", "Tags"]


def documents(keys, names):
    return [json.loads(control("document?name=" + name, key=keys[0]), parse_float=decimal.Decimal) for name in names]


def bulk(first, last):
    return documents(BULK, ["bulk-%06d" % index for index in range(first, last + 1)])


def history():
    """The documents of the history's jobs, newest first."""
    return sorted(documents(HISTORY, json.loads(control("names"))), key=lambda job: -job["CreationTime"])


def has(job, attribute):
    if attribute == "Tags":
        return True
    for part in attribute.split("."):
        job = job.get(part)
        if job is None:
            return False
    return True


def rows(jobs, **others):
    """The rows when everything is the same except `others`, which maps attributes to compared|same|differs|only_describe|only_search."""
    n = {attribute: sum(has(job, attribute) for job in jobs) for attribute in ATTRIBUTES}
    return ["%s|%s" % (attribute, others.get(attribute, "%d|%d|0|0|0" % (n[attribute], n[attribute]))) for attribute in ATTRIBUTES]


def check(session, arguments):
    """(rows, messages)"""
    lines = session.run("SELECT * FROM sagemaker_fdw_check_search(%s)" % arguments)
    return [line for line in lines if not MESSAGE.match(line)], [line for line in lines if MESSAGE.match(line)]


def course(server, compared, listed, asked, found, proved, *more):
    return ['NOTICE:  training jobs of server "%s" that were compared: %d of %d' % (server, compared, asked),
            "DETAIL:  Jobs listed: %d; ended, and unchanged for an hour: %d; found by Search: %d; of the version that is listed: %d."
            % (listed, asked, found, proved), *more]


def ruled(session, arguments, *rules, **settings):
    """Run check() under rules for Search's records, and other settings."""
    control("config", {"search_records": list(rules), **settings})
    found = check(session, arguments)
    control("config", WHOLE)
    return found


# ----- what is compared -----

def test_same(session, tap):
    """Everything is the same."""
    control("calls")
    tap.equal(check(session, "'bulk'"), (rows(bulk(1, 20)), course("bulk", 20, 20, 20, 20, 20)), "where everything is the same, each row says so")
    tap.equal(control("calls"), "DescribeTrainingJob=20 ListTags=20 ListTrainingJobs=1 Search=1", "... by 42 calls")
    tap.equal(check(session, "'bulk', 1"), (rows(bulk(1, 1)), course("bulk", 1, 1, 1, 1, 1)), "one job")
    control("calls")
    tap.equal(check(session, "server => 'bulk', jobs => 250"), (rows(bulk(1, 250)), course("bulk", 250, 250, 250, 250, 250)), "batches of jobs")
    tap.equal(control("calls"), "DescribeTrainingJob=250 ListTags=250 ListTrainingJobs=3 Search=3", "... of a hundred")
    tap.equal(ruled(session, "'bulk'", {"kind": "twice"}), (rows(bulk(1, 20)), course("bulk", 20, 20, 20, 20, 20)),
              "an older record before the right one is skipped")
    tap.equal(ruled(session, "'bulk'", search_order="reversed", search_unasked=30), (rows(bulk(1, 20)), course("bulk", 20, 20, 20, 20, 20)),
              "... and so are records that were not asked for")


def test_history(session, tap):
    """More jobs than exist: some have not ended, or have warm pools that have not."""
    jobs = history()
    ended = [job for job in jobs if job["TrainingJobStatus"] in ENDED]
    pools = [job for job in ended if job.get("WarmPoolStatus", {}).get("Status", "Reused") not in ("Terminated", "Reused")]
    proved = [job for job in ended if job not in pools]
    n = len(proved)
    tap.ok(0 < len(pools) < len(ended) < len(jobs), "the history has all kinds", (len(pools), len(ended), len(jobs)))
    for many in 300, 2147483647:
        tap.equal(check(session, "'history', %d" % many),
                  (rows(proved), course("history", n, len(jobs), n, n, n)),
                  "of %d jobs all that can be are compared" % many)
    first = [place for place, job in enumerate(jobs) if job["TrainingJobStatus"] in ENDED][19] + 1
    jobs = [job for job in jobs[:first] if job in proved]
    pools = 20 - len(jobs)
    tap.equal(check(session, "'history'"),
              (rows(jobs), course("history", len(jobs), first, 20, 20, len(jobs),
                                  *(["Not of that version because of WarmPoolStatus (%d)." % pools] if pools else []))),
              "of 20 those that have ended, newest first")


def test_differences(session, tap):
    """Differences in Search are counted."""
    jobs = bulk(1, 20)
    right = (20, 20, 20, 20, 20)

    def differs(title, rules, examples, **others):
        tap.equal(ruled(session, "'bulk'", *rules),
                  (rows(jobs, **others), course("bulk", *right, *(["Not the same, and the newest job that shows it: %s." % examples] if examples else []))),
                  title)

    differs("an attribute that is another one in all", [{"kind": "other", "members": {"RoleArn": "x"}}], "RoleArn (bulk-000001)",
            RoleArn="20|0|20|0|0")
    differs("... that lacks in one", [{"kind": "without", "attributes": ["InputDataConfig"], "job": "bulk-000007"}],
            "InputDataConfig (bulk-000007)", InputDataConfig="20|19|0|1|0")
    differs("... that Search alone has", [{"kind": "other", "members": {"LabelingJobArn": "x"}, "job": "bulk-000003"}],
            "LabelingJobArn (bulk-000003)", LabelingJobArn="1|0|0|0|1")
    differs("... that is null is absent", [{"kind": "other", "members": {"LabelingJobArn": None}}], None)
    differs("... that must be there is counted as well", [{"kind": "without", "attributes": ["BillableTimeInSeconds"]}],
            "BillableTimeInSeconds (bulk-000001)", BillableTimeInSeconds="20|0|0|20|0")
    differs("several", [{"kind": "other", "members": {"RoleArn": "x"}, "job": "bulk-000020"},
                        {"kind": "other", "members": {"OutputDataConfig": {"S3OutputPath": "y"}}, "job": "bulk-000019"}],
            "RoleArn (bulk-000020), OutputDataConfig (bulk-000019)", RoleArn="20|19|1|0|0", OutputDataConfig="20|19|1|0|0")
    instance = [job for job in jobs if has(job, "ResourceConfig.InstanceType")]
    lacks = "%d|0|0|%d|0" % (len(instance), len(instance))
    name = instance[0]["TrainingJobName"]
    differs("... and what is read below an attribute goes with it", [{"kind": "without", "attributes": ["ResourceConfig"]}],
            "ResourceConfig (bulk-000001), ResourceConfig.InstanceType (%s), ResourceConfig.InstanceCount (%s)" % (name, name),
            ResourceConfig="20|0|0|20|0", **{"ResourceConfig.InstanceType": lacks, "ResourceConfig.InstanceCount": lacks})
    differs("tags that differ", [{"kind": "other", "members": {"Tags": [{"Key": "team", "Value": "x"}]}}], "Tags (bulk-000001)",
            Tags="20|0|20|0|0")
    differs("... that lack in one", [{"kind": "other", "members": {"Tags": []}, "job": "bulk-000004"}], "Tags (bulk-000004)",
            Tags="20|19|0|1|0")


# ----- what proves nothing -----

def test_nothing_proved(session, tap):
    """Records that are not of the same version, and why."""
    jobs = bulk(1, 20)
    cut = {"LastModifiedTime": 20, **{name: sum(job[name] % 1 != 0 for job in jobs) for name in ("CreationTime", "TrainingEndTime")}}
    tap.equal([job["LastModifiedTime"] % 1 != 0 for job in jobs], [True] * 20, "times have fractions")
    because = ", ".join("%s (%d)" % (name, cut[name]) for name in ("CreationTime", "TrainingEndTime", "LastModifiedTime") if cut[name])
    precision = "HINT:  ListTrainingJobs and Search tell times with different precision, so that no record can be proved to be up to date. " \
                "Leave scan_api 'describe'."
    behind = "HINT:  Search is behind, or tells other versions of these jobs. Leave scan_api 'describe', and repeat the check later."
    control("calls")
    tap.equal(ruled(session, "'bulk'", {"kind": "whole_seconds"}),
              ([], course("bulk", 0, 20, 20, 20, 0, "Not of that version because of %s; by fractions of a second alone: 20." % because, precision)),
              "records with times in whole seconds cannot be compared, and give no row")
    tap.equal(control("calls"), "ListTrainingJobs=1 Search=1", "... and need no further calls")
    tap.equal(ruled(session, "'bulk'", {"kind": "whole_seconds", "attributes": ["LastModifiedTime"], "job": "bulk-000002"}),
              (rows(jobs[:1] + jobs[2:]),
               course("bulk", 19, 20, 20, 20, 19, "Not of that version because of LastModifiedTime (1); by fractions of a second alone: 1.")),
              "... where only one record has such times, the others are compared")
    tap.equal(ruled(session, "'bulk'", {"kind": "made_again"}),
              ([], course("bulk", 0, 20, 20, 20, 0, "Not of that version because of CreationTime (20).", behind)), "other jobs of the same name")
    tap.equal(ruled(session, "'bulk'", {"kind": "older", "keep": ["SecondaryStatus", "SecondaryStatusTransitions"]}),
              ([], course("bulk", 0, 20, 20, 20, 0, "Not of that version because of TrainingJobStatus (20), TrainingEndTime (20), LastModifiedTime (20).",
                          behind)), "Search lags behind")
    tap.equal(ruled(session, "'bulk'", {"kind": "without", "attributes": ["SecondaryStatusTransitions"], "job": "bulk-000002"}),
              (rows(jobs[:1] + jobs[2:]), course("bulk", 19, 20, 20, 20, 19, "Not of that version because of SecondaryStatusTransitions (1).")),
              "a record that contradicts itself")
    tap.equal(ruled(session, "'bulk'", {"kind": "missing"}),
              ([], course("bulk", 0, 20, 20, 0, 0, "HINT:  Search does not know these jobs. Leave scan_api 'describe', and repeat the check later.")),
              "Search has no record of any job")
    tap.equal(ruled(session, "'bulk'", {"kind": "missing", "job": "bulk-000001"}), (rows(jobs[1:]), course("bulk", 19, 20, 20, 19, 19)),
              "... or not the newest one")


def test_no_jobs(session, tap):
    """There is nothing to compare."""
    control("config", {"bulk_running": 100})
    tap.equal(check(session, "'bulk'"),
              ([], course("bulk", 0, 1000, 0, 0, 0, "HINT:  Search is asked for jobs that are Completed, Failed or Stopped, and have not changed for an hour. "
                                                    "Repeat the check when there are some.")), "no job has ended")
    control("config", WHOLE)
    fault(kind="body", operation="ListTrainingJobs", body={"TrainingJobSummaries": []}, times=1)
    tap.equal(check(session, "'bulk'"), ([], course("bulk", 0, 0, 0, 0, 0, "HINT:  There are no training jobs in the region.")), "no job at all")
    control("config", {"search_records": [{"kind": "missing"}]})
    tap.equal(session.run("SELECT bool_and(same = compared), count(*) FROM sagemaker_fdw_check_search('bulk')")[-1], "|0",
              "jobs that were not compared do not count as the same")
    control("config", WHOLE)


def test_change(session, tap):
    """Jobs that change during the check."""
    jobs = bulk(1, 20)
    changed = {**{name: float(value) if isinstance(value, decimal.Decimal) else value for name, value in jobs[11].items()},
               "LastModifiedTime": 1751284900}
    gone, other = jobs[10]["TrainingJobName"], jobs[11]["TrainingJobName"]
    make_server(session, "slow", BULK, max_concurrency=1)
    fault(kind="change", operation="DescribeTrainingJob", key=BULK[0], documents={gone: None, other: json.loads(json.dumps(changed, default=float))})
    tap.equal(check(session, "'slow'"),
              (rows(jobs[:10] + jobs[12:]),
               course("slow", 18, 20, 20, 20, 20, "Described as another version than the listed one: 1.", "Deleted since they were listed: 1.")),
              "a job that changes or is deleted meanwhile is not compared")
    control("reset", b"")
    control("config", WHOLE)


# ----- what fails -----

def test_denied(session, tap):
    """AWS denies an operation."""
    fault(**denied(operation="Search"))
    lines, state = session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")
    tap.equal((state, lines[0]), ("42501", 'ERROR:  AWS denies Search to the credentials for server "bulk"'), "Search is denied")
    control("clear", b"")
    for operation in "ListTrainingJobs", "DescribeTrainingJob":
        fault(**denied(operation=operation))
        tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")[1], "42501", "%s is denied" % operation)
        control("clear", b"")
    fault(**denied(operation="ListTags"))
    tap.equal(check(session, "'bulk', 120"),
              (rows(bulk(1, 120), Tags="0|0|0|0|0"), course("bulk", 120, 120, 120, 120, 120, "Tags were not compared: AWS denies ListTags.")),
              "where ListTags is denied, everything else is compared")
    control("clear", b"")


def test_forms(session, tap):
    """Search does not accept the query, or its answer is too large."""
    control("calls")
    tap.equal(ruled(session, "'bulk'", search_in=False),
              (rows(bulk(1, 20)), course("bulk", 20, 20, 20, 20, 20, "Search does not take names, and was asked for spans of time.")),
              "where Search does not accept names, it is asked for a time span")
    tap.equal(control("calls"), "DescribeTrainingJob=20 ListTags=20 ListTrainingJobs=1 Search=2", "... with one more call")
    fault(kind="error", operation="Search", code="ValidationException", times=0)
    tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")[1], "HV000", "where it accepts neither, that is an error")
    control("clear", b"")
    make_server(session, "small", BULK, max_response_size="1MB")
    control("calls")
    tap.equal(ruled(session, "'small', 100", {"kind": "large", "bytes": 20000}),
              (rows(bulk(1, 100)), course("small", 100, 100, 100, 100, 100)), "an answer that is too large")
    tap.equal(control("calls"), "DescribeTrainingJob=100 ListTags=100 ListTrainingJobs=1 Search=6", "... is asked for in parts: 100, 50, 25")
    control("config", {"search_records": [{"kind": "large", "bytes": 1200000}]})
    tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('small')")[1], "08P01", "... a single record that is too large is an error")
    control("config", WHOLE)
    fault(**broken(operation="Search", times=2))
    tap.equal(check(session, "'bulk'"), (rows(bulk(1, 20)), course("bulk", 20, 20, 20, 20, 20)), "Search is retried like any call")
    fault(kind="body", operation="Search", body={"Results": [{"Trial": {}}]}, times=1)
    lines, state = session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")
    tap.equal((state, lines[0]), ("08P01", "ERROR:  response of Search lacks TrainingJob"), "an invalid answer is an error")


def test_input(session, tap):
    """Invalid arguments, and rights."""
    control("calls")
    for arguments, state in (("'bulk', 0", "22023"), ("'bulk', -1", "22023"), ("'bulk', NULL", "22004"), ("NULL, 5", "22004"), ("NULL", "22004"),
                             ("'no_such', 5", "42704"), ("'other'", "42809")):
        tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search(%s)" % arguments)[1], state, "(%s) is rejected" % arguments)
    session.run("GRANT EXECUTE ON FUNCTION sagemaker_fdw_check_search TO check_search_may; SET ROLE check_search_may")
    tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')"), (["ERROR:  permission denied for foreign server bulk"], "42501"),
              "USAGE on the server is needed")
    session.run("RESET ROLE; GRANT USAGE ON FOREIGN SERVER bulk TO check_search_may, check_search_not; SET ROLE check_search_not")
    tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')"),
              (["ERROR:  permission denied for function sagemaker_fdw_check_search"], "42501"), "... and EXECUTE")
    session.run("RESET ROLE; SET ROLE check_search_may")
    tap.equal(session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")[1], "28000", "... and keys of the role's own")
    session.run("RESET ROLE; CREATE USER MAPPING FOR check_search_may SERVER bulk OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s'); "
                "SET ROLE check_search_may" % BULK)
    tap.equal(control("calls").strip(), "none", "... none of which makes a call")
    tap.equal(check(session, "'bulk', 5"), (rows(bulk(1, 5)), course("bulk", 5, 5, 5, 5, 5)), "... with all of these it is allowed")
    session.run("RESET ROLE")
    tap.equal(session.run("SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE proname = 'sagemaker_fdw_check_search'"), ["v|r|f"],
              "the function is volatile and restricted")


def test_limit(session, tap):
    """max_calls."""
    session.run("SET sagemaker_fdw.max_calls = 10")
    control("calls")
    lines, state = session.ask("SELECT * FROM sagemaker_fdw_check_search('bulk')")
    tap.equal((state, lines[-1]), ("54000", "HINT:  Check fewer jobs, or raise sagemaker_fdw.max_calls."), "max_calls bounds the check")
    tap.equal(sum(int(count) for count in re.findall(r"=(\d+)", control("calls"))), 10, "... after that many calls")
    session.run("RESET sagemaker_fdw.max_calls")


# ----- while it runs -----

def test_waits(session, tap):
    """Other sessions see it, a cancel ends it, and nothing is left behind.  The cluster has the library preloaded."""
    make_server(session, "bulk", BULK)
    other = Session()
    other.run("SET client_min_messages = warning")
    look = "SELECT server, operation, jobs_described, waiting_on FROM sagemaker_fdw_progress WHERE pid = %d" % session.pid
    for operation, source in (("ListTrainingJobs", "ListTrainingJobs"), ("Search", "ListTrainingJobs"),
                              ("DescribeTrainingJob", "DescribeTrainingJob"), ("ListTags", "DescribeTrainingJob")):
        fault(**silent(operation=operation))
        session.send("SELECT * FROM sagemaker_fdw_check_search('bulk')")
        described = {"ListTags": 16}.get(operation, 0)
        seen = []

        def waits():
            seen[:] = other.run(look)
            return seen == ["bulk|%s|%d|%s" % (source, described, operation)]

        wait_for(waits, "%s is waited for" % operation)
        tap.equal(seen, ["bulk|%s|%d|%s" % (source, described, operation)], "other sessions see that it waits for %s" % operation)
        other.run("SELECT pg_cancel_backend(%d)" % session.pid)
        tap.equal(session.receive()[1], "57014", "... a cancel ends it")
        tap.equal(other.run(look), [], "... and it is no longer shown")
        tap.equal(session.run("SELECT count(*) FROM pg_backend_memory_contexts WHERE name IN ('sagemaker_fdw check', 'sagemaker_fdw batch', "
                              "'sagemaker_fdw stream', 'sagemaker_fdw client')"), ["0"], "... and no memory is left")
        control("clear", b"")
    other.close()


def test_notices(session, tap):
    """Progress is reported to the caller."""
    session.run("SET sagemaker_fdw.progress_interval = '10ms'")
    for operation in "ListTrainingJobs", "Search", "DescribeTrainingJob":
        control("config", {"latency_ms": {operation: 60}})
        told = check(session, "'bulk', 120")
        control("config", {"latency_ms": 0})
        tap.ok(any(re.fullmatch(r"NOTICE:  reading bulk: \d+ jobs read of \d+ listed so far, \d+ calls, [0-9.]+ calls a second", line)
                   for line in told[1]), "the caller sees its progress while it waits for %s" % operation, told[1])
        tap.equal((told[0], told[1][-2:]), (rows(bulk(1, 120)), course("bulk", 120, 120, 120, 120, 120)), "... and for the result")
    session.run("RESET sagemaker_fdw.progress_interval")


def test(session, tap):
    session.run("CREATE EXTENSION file_fdw; CREATE SERVER other FOREIGN DATA WRAPPER file_fdw; "
                "DROP ROLE IF EXISTS check_search_may; DROP ROLE IF EXISTS check_search_not; "
                "CREATE ROLE check_search_may; CREATE ROLE check_search_not")
    make_server(session, "history")
    make_server(session, "bulk", BULK)
    session.run("SET client_min_messages = notice")
    control("config", WHOLE)
    for test_part in (test_same, test_history, test_differences, test_nothing_proved, test_no_jobs, test_denied, test_forms, test_input, test_limit,
                      test_notices, test_change):
        test_part(session, tap)
    with cluster_session(["shared_preload_libraries=sagemaker_fdw"]) as preloaded:
        test_waits(preloaded, tap)
    session.run("DROP USER MAPPING FOR check_search_may SERVER bulk; DROP OWNED BY check_search_may, check_search_not; "
                "DROP ROLE check_search_may, check_search_not")


main(test)
