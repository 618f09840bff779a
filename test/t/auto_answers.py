"""scan_api 'auto': its rows are those of 'describe', whatever Search answers.

The proof, or a check that describes the job, detects a record that differs from its document.  Each case has its own session,
server and keys, so nothing is known about Search yet.

Run below test/with-service --bulk 10000.
"""
import collections
import itertools
import json
import random
import re
import time

from auto_case import ANCHOR, ARN, AS_IT_IS, MOST, Case, Read, bulk, differences, equal_rows, newest, one_in, put, restore, run_all, select
from harness import BULK, HISTORY, control, fault, main
from named_faults import broken, denied, late, throttled

# sessions of test_random
ROUNDS = 25


# ----- answers that a proof sees through -----

def ruled(*kinds, **more):
    """The setting with one rule of each kind."""
    return {"search_records": [{"kind": kind, **more} for kind in kinds]}


def answers(tap, expected, title, settings, not_proved=None, of=BULK, jobs=300, columns="*", where=None):
    """Check that the rows are those of describe under the settings, and that unproved jobs are described.

    not_proved: names, or None for all that Search is asked for.
    """
    where = where or newest(jobs) if of == BULK else where or "true"
    rows, names = expected.rows(of, where, columns), set(expected.names(of, where))
    case = Case(of)
    control("config", settings)
    read = case.read(where, columns)
    control("config", AS_IT_IS)
    equal_rows(tap, read, rows, "rows are right when %s" % title)
    needed = names if not_proved is None else expected.not_asked(of, where) | (not_proved & names)
    extra = collections.Counter(read.described) - collections.Counter(needed)
    tap.equal(sorted(needed - set(read.described)), [], "... jobs that are not proved are described")
    tap.ok(all(sum(extra[name] for name in batch or extra) <= 1 for batch in read.batches) and
           sum(extra.values()) <= len(read.batches), "... plus at most one job for each Search", (extra, read.asked))
    tap.equal([names for names in read.asked if names is not None and len(names) == 1], [], "... and no check fails")
    case.close()
    return read


def test_answers(session, tap, expected):
    """Answers of Search whose flaws the proof detects."""
    restore(expected)
    control("config", {"bulk_running": 0})
    names = set(bulk(1, 300))
    one_of_20 = one_in(20, names)
    tap.ok(5 < len(one_of_20) < 30, "one in twenty jobs is chosen", len(one_of_20))
    for title, settings, not_proved in (
            ("all is well", {}, set()),
            ("Search is late by a year", {"search_late_s": int(time.time()) - ANCHOR + 86400}, None),
            ("no record is there", ruled("missing"), None),
            ("1 of 20 records is not there", ruled("missing", every=20), one_of_20),
            ("all records are of an older version", ruled("older"), None),
            ("1 of 20 records is of an older version", ruled("older", every=20), one_of_20),
            ("contents are older than the time of the last change", ruled("older", keep=["LastModifiedTime"]), None),
            ("contents of 1 of 20 are", ruled("older", every=20, keep=["LastModifiedTime"]), one_of_20),
            ("nothing but the history of the status is older", ruled("older", keep=[
                "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "TrainingEndTime", "TrainingTimeInSeconds",
                "BillableTimeInSeconds", "FailureReason", "FinalMetricDataList", "ModelArtifacts"]), None),
            ("times are in whole seconds", ruled("whole_seconds"), None),
            ("1 of 20 has its times in whole seconds", ruled("whole_seconds", every=20), one_of_20),
            ("the time of creation is in whole seconds", ruled("whole_seconds", attributes=["CreationTime"]), None),
            ("labels are spelled otherwise", ruled("lower_case", attributes=["TrainingJobStatus"]), None),
            ("results come in another order", {"search_order": "reversed"}, set()),
            ("results come in any order", {"search_order": "shuffled"}, set()),
            ("more results come than may", {"search_unasked": 7}, set()),
            ("a record comes twice, the older one first", ruled("twice"), set()),
            ("a record comes twice, the newer one first", ruled("twice", newer_first=True), set()),
            ("a record is of another job of the name", ruled("made_again"), None),
            ("1 of 20 is of another job of the name", ruled("made_again", every=20, days=-1), one_of_20)):
        answers(tap, expected, title, settings, not_proved)
    # whether the token is followed is no matter of rows
    case = Case(BULK)
    control("config", {"search_page": 30})
    equal_rows(tap, case.read(newest(300)), expected.rows(BULK, newest(300)), "rows are right when pages are shorter than requested")
    case.close()
    # the history has jobs of all kinds
    restore(expected)
    not_asked = expected.not_asked(HISTORY)
    tap.ok(10 < len(not_asked) < 60, "some jobs of the history are running, or keep a warm pool", not_asked)
    read = answers(tap, expected, "there are jobs of all kinds", {}, set(), HISTORY)
    tap.equal(set(itertools.chain(*read.asked)) & not_asked, set(), "... Search is not asked for jobs in progress")
    answers(tap, expected, "there are jobs of all kinds, and nothing is proved", ruled("older"), None, HISTORY)
    answers(tap, expected, "there are jobs of all kinds, and 2 of 3 are proved", ruled("missing", every=3),
            one_in(3, expected.names(HISTORY)), HISTORY)


def test_random(session, tap, expected):
    """All kinds of answers at once, at random."""
    draw = random.Random(17)
    keep = ["LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "TrainingEndTime"]
    kinds = [dict(kind="missing"), dict(kind="older"), dict(kind="older", keep=keep), dict(kind="twice"), dict(kind="twice", newer_first=True),
             dict(kind="whole_seconds", attributes=["LastModifiedTime"]), dict(kind="made_again"), dict(kind="made_again", days=-1),
             dict(kind="without", attributes=["TrainingTimeInSeconds"]), dict(kind="without", attributes=["SecondaryStatus"]),
             dict(kind="other", members={"TrainingJobStatus": "Stopped"}), dict(kind="lower_case", attributes=["TrainingJobStatus"])]
    failures = [throttled, broken, lambda **more: dict(kind="close_before", times=0, **more),
                lambda **more: dict(kind="truncate", times=0, **more), lambda **more: late(50, **more)]
    wheres = ["true", "training_job_status = 'Completed'", "billable_time_in_seconds > 5000", "role_arn LIKE '%ads'",
              "hyper_parameters->>'max_depth' = '5'", "tags->>'team' = 'vision' AND instance_count > 1", "creation_time > '2025-05-01'"]
    restore(expected)
    wrong, made = [], collections.Counter()
    for number in range(ROUNDS):
        case = Case(max_concurrency=draw.choice([1, 2, 16]), fetch_size=draw.choice([7, 30, 100]))
        control("config", {"search_records": [{**rule, "probability": draw.random() / 2, "seed": draw.random()}
                                              for rule in draw.sample(kinds, draw.randrange(5))],
                           "search_order": draw.choice([None, "reversed", "shuffled"]), "search_unasked": draw.choice([0, 0, 3, 100]),
                           "search_page": draw.choice([100, 100, 40]), "search_in": draw.random() < 0.8,
                           "search_late_s": draw.choice([0, 0, int(time.time()) - ANCHOR + 40 * 86400])})
        if draw.random() < 0.5:
            fault(**draw.choice(failures)(operation="Search", probability=draw.random() / 2, seed=number))
        for where in draw.sample(wheres, 3):
            read = case.read(where)
            made.update(read.calls)
            if collections.Counter(read.rows) != collections.Counter(expected.rows(HISTORY, where)):
                wrong.append((number, where, differences(read, expected.rows(HISTORY, where))))
        control("clear", b"")
        control("config", AS_IT_IS)
        case.close()
    tap.equal(wrong, [], "rows are right whatever Search answers, in %d sessions" % ROUNDS)
    tap.ok(made["Search"] > 3 * ROUNDS and made["DescribeTrainingJob"] < made["Search"] * 60, "... and many of them come from Search", made)


def full_documents(expected):
    """Jobs with each member that a record must have: full-0 to full-7, created in 2021."""
    names = sorted(set(expected.names(HISTORY)) - expected.not_asked(HISTORY))
    documents = [json.loads(control("document?name=" + name)) for name in names]
    base = next(d for d in documents if d["TrainingJobStatus"] == "Completed" and "FinalMetricDataList" in d)
    rule = {"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}
    status = {"RuleConfigurationName": "r", "RuleEvaluationStatus": "NoIssuesFound", "LastModifiedTime": 1650000000.5}
    for number in range(8):
        name = "Full-%d" % number
        failed = number % 2 == 1
        last = "Failed" if failed else "Completed"
        put({**base, "TrainingJobName": name, "TrainingJobArn": ARN + name, "TrainingJobStatus": last, "SecondaryStatus": last,
             "FailureReason": "AlgorithmError" if failed else None, "CreationTime": 1640000000.25 + number,
             "TrainingStartTime": 1640000100.25, "TrainingEndTime": 1640003700.75, "LastModifiedTime": 1640003700.875,
             "SecondaryStatusTransitions": [{"Status": "Training", "StartTime": 1640000100.25, "EndTime": 1640003700.75},
                                            {"Status": last, "StartTime": 1640003700.75, "EndTime": 1640003700.75}],
             "AlgorithmSpecification": {"TrainingInputMode": "File", "MetricDefinitions": [{"Name": "m", "Regex": "m"}]},
             "DebugRuleConfigurations": [rule], "DebugRuleEvaluationStatuses": [status],
             "WarmPoolStatus": {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 7, "ReusedByJob": "other"},
             "ProfilerConfig": {"S3OutputPath": "s3://profile/"}, "HyperParameters": {"Depth": "Four", "rate": "0.1"},
             "ModelPackageConfig":
                 None if failed else {"ModelPackageGroupArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/g"},
             "ModelArtifacts": None if failed else base["ModelArtifacts"],
             "FinalMetricDataList": None if failed else base["FinalMetricDataList"],
             "OutputModelPackageArn": None if failed else "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/7"})
    expected.forget()
    return ["Full-%d" % number for number in range(8)]


def test_members(session, tap, expected):
    """Members that a record must have, or that must agree with the summary."""
    restore(expected)
    names = set(full_documents(expected))
    completed, failed = ({"Full-%d" % number for number in range(begin, 8, 2)} for begin in (0, 1))
    where = "training_job_name LIKE 'Full-%'"
    about = dict(of=HISTORY, where=where)
    answers(tap, expected, "records have all members", {}, set(), **about)
    for attribute, column, of in (
            ("FailureReason", "failure_reason", failed), ("ModelArtifacts", "model_artifacts", completed),
            ("TrainingTimeInSeconds", "training_time_in_seconds", names), ("BillableTimeInSeconds", "billable_time_in_seconds", names),
            ("FinalMetricDataList", "final_metric_data_list", completed),
            ("DebugRuleEvaluationStatuses", "debug_rule_evaluation_statuses", names),
            ("OutputModelPackageArn", "output_model_package_arn", completed), ("ProfilerConfig", "profiler_config", names),
            ("WarmPoolStatus", "warm_pool_status", names)):
        answers(tap, expected, "records lack %s" % attribute, ruled("without", attributes=[attribute]), of,
                columns="training_job_name, role_arn, %s" % column, **about)
    for attribute in ("ModelArtifacts", "BillableTimeInSeconds", "ProfilerConfig"):
        answers(tap, expected, "records lack %s, which the query does not read" % attribute, ruled("without", attributes=[attribute]),
                set(), columns="training_job_name, role_arn", **about)
    warm_pool = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 7, "ReusedByJob": "other"}
    for attribute, value in (
            ("TrainingJobArn", ARN + "full-0"), ("TrainingEndTime", 1640003700.5), ("TrainingEndTime", 1640003700),
            ("LastModifiedTime", 1640003700), ("LastModifiedTime", 1640003700.876), ("TrainingJobStatus", "Stopped"),
            ("SecondaryStatus", "MaxRuntimeExceeded"),
            ("WarmPoolStatus", {"Status": "Available"}), ("WarmPoolStatus", {**warm_pool, "Status": "Reused"}),
            ("WarmPoolStatus", {**warm_pool, "ResourceRetainedBillableTimeInSeconds": 8}),
            ("SecondaryStatusTransitions", [{"Status": "Training", "StartTime": 1640000100.25}]),
            ("DebugRuleEvaluationStatuses", [{"RuleConfigurationName": "r", "RuleEvaluationStatus": "InProgress"}])):
        answers(tap, expected, "records have another %s: %s" % (attribute, json.dumps(value)),
                ruled("other", members={attribute: value}), names, **about)
    # a rule that has not ended may still change, whatever says so
    for name in names:
        put({**json.loads(control("document?name=" + name)),
             "DebugRuleEvaluationStatuses": [{"RuleConfigurationName": "r", "RuleEvaluationStatus": "InProgress"}]})
    expected.forget()
    answers(tap, expected, "a rule is still evaluated", {}, names, **about)
    for name in names:
        put({**json.loads(control("document?name=" + name)), "DebugRuleConfigurations": None, "DebugRuleEvaluationStatuses": None,
             "WarmPoolStatus": {"Status": "Available"}})
    expected.forget()
    answers(tap, expected, "a warm pool is kept", {}, names, **about)


def test_changes(session, tap, expected):
    """Jobs that change between the list call and the Search."""
    for title, document in (("deleted", None), ("made again", {"CreationTime": 1751280000.5}),
                            ("changed", {"LastModifiedTime": 1751280000.5, "FailureReason": "changed"})):
        restore(expected)
        not_asked = expected.not_asked(HISTORY)
        # of the first page
        names = [name for name in json.loads(control("names"))[:100] if name not in not_asked][:7]
        case = Case()
        fault(kind="change", operation="Search", documents={
            name: document and {**json.loads(control("document?name=" + name)), **document} for name in names})
        before = expected.rows(HISTORY)
        read = case.read()
        expected.forget()
        after = expected.rows(HISTORY)
        tap.equal(sum((collections.Counter(before) - collections.Counter(after)).values()), 7, "jobs are %s when Search is asked" % title)
        equal_rows(tap, read, after, "... and the rows are those that describe returns then")
        case.close()

    # a job that is gone, of which Search has a record
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, newest(50))
    control("delete?name=bulk-000007", b"", key=BULK[0])
    case = Case(BULK)
    read = case.read(newest(50))
    lost = collections.Counter(rows) - collections.Counter(read.rows)
    tap.ok(set(read.rows) <= set(rows) and sum(lost.values()) == ("bulk-000007" in read.described),
           "a job that was deleted after it was listed is returned, unless it was described", (lost, read.described))
    case.close()

    # Describe is denied for jobs
    restore(expected)
    control("config", {"bulk_running": 0})
    case = Case(BULK)
    fault(**denied(operation="DescribeTrainingJob", job="bulk-000007"))
    equal_rows(tap, case.read(newest(50)), rows, "a job that only Describe is denied for is returned")
    control("clear", b"")
    case.close()
    case = Case(BULK)
    fault(**denied(operation="DescribeTrainingJob"))
    read, state = case.ask(select("{t}", newest(50)))
    tap.equal(state, "00000", "where Describe is denied altogether, checks are skipped without an error")
    equal_rows(tap, read, rows, "... and all rows are returned")
    control("clear", b"")
    case.close()


# ----- answers that only a check sees through -----

def test_checks(session, tap, expected):
    """Records of the same version with other contents."""
    for title, rule, column in (
            ("another value", {"kind": "other", "members": {"RoleArn": "arn:aws:iam::345678901234:role/other"}}, "role_arn"),
            ("no value", {"kind": "without", "attributes": ["EnableNetworkIsolation"]}, "enable_network_isolation"),
            ("another spelling", {"kind": "lower_case", "attributes": ["ResourceConfig", "OutputDataConfig", "RoleArn"]}, "role_arn"),
            ("times of whole seconds", {"kind": "whole_seconds", "attributes": ["TrainingStartTime"]}, "training_start_time")):
        restore(expected)
        control("config", {"bulk_running": 0})
        where = newest(600)
        columns = "training_job_name, " + column
        rows, others = expected.rows(BULK, where, columns), expected.rows(BULK, where, "training_job_name, model_artifacts")
        case = Case(BULK)
        control("config", {"search_records": [rule]})
        read = case.read(where, columns)
        wrong = differences(read, rows)
        tap.ok(len(read.batches) <= 2, "%s in all records: at most two Searches are made before a check has ended" % title, read.calls)
        repeated = [names for names in read.asked if len(names) == 1]
        tap.ok(1 <= len(repeated) <= len(read.batches) and all(names[0] in read.described for names in repeated),
               "... a second Search repeats each check's job", read.asked)
        tap.equal(read.calls["DescribeTrainingJob"], 600, "... no row is wrong, so no WARNING is needed")
        tap.equal((wrong, read.messages), (0, ""), "... so that no row is wrong, and no WARNING needed")
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "... the next query's rows are right")
        tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 6, "DescribeTrainingJob": 600},
                  "... Search is not asked")
        tap.equal(read.messages, "", "... and there is no other WARNING")
        read = case.read(where, "training_job_name, model_artifacts")
        equal_rows(tap, read, others, "... a query that does not read the attribute is right, too")
        tap.equal(len(read.batches), 6, "... and reads from Search")
        case.close()


def test_single_differences(session, tap, expected):
    """Differences that a second Search does not repeat, or that few records have."""
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, newest(300), "training_job_name, role_arn")
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "other", "members": {"RoleArn": "x"}, "times": 100}]})
    read = case.read(newest(100), "training_job_name, role_arn")
    tap.equal([len(names) for names in read.asked], [100, 1], "when a check differs, a second Search repeats the question for that job")
    tap.equal(read.messages, "", "... when its answer agrees, there is no WARNING")
    read = case.read(newest(300), "training_job_name, role_arn")
    equal_rows(tap, read, rows, "... and the attribute is still trusted")
    tap.equal(len(read.batches), 3, "... and read from Search")
    case.close()

    case = Case(BULK)
    liars = one_in(20, bulk(1, 300))
    control("config", {"search_records": [{"kind": "other", "members": {"RoleArn": "x"}, "every": 20}]})
    read = case.read(newest(300), "training_job_name, role_arn")
    wrong = {json.loads(row)["training_job_name"] for row in collections.Counter(read.rows) - collections.Counter(rows)}
    tap.ok(wrong <= liars, "only rows whose own records differ are wrong", wrong - liars)
    case.close()


def test_heard(session, tap, expected):
    """What one scan finds out applies to scans under way."""
    restore(expected)
    control("config", {"bulk_running": 0})
    lie = [{"kind": "other", "members": {"RoleArn": "x"}}]
    case = Case(BULK)
    case.session.run("BEGIN; SET LOCAL cursor_tuple_fraction = 1; DECLARE c CURSOR FOR SELECT role_arn FROM %s WHERE %s" % (case.table, newest(1000)))
    rows = case.session.run("FETCH 10 FROM c")
    control("config", {"search_records": lie})
    tap.equal(case.session.run("SELECT count(*), count(*) FILTER (WHERE role_arn = 'x') FROM %s WHERE %s" % (case.table, newest(200))), ["200|0"],
              "a query finds out that Search differs")
    rows += case.session.run("FETCH ALL FROM c")
    tap.equal((len([row for row in rows if row.startswith("arn:")]), rows.count("x")), (1000, 0),
              "... and a cursor that was open describes what it has not read yet")
    tap.ok([row for row in rows if row.startswith("WARNING:  Search on server")], "... with a WARNING for the rows it has already returned", rows)
    case.session.run("COMMIT")
    case.close()

    restore(expected)
    control("config", {"bulk_running": 0, "search_records": [dict(lie[0], skip=200)]})
    case = Case(BULK)
    half = "SELECT role_arn FROM %s WHERE creation_time %s to_timestamp(%d)"
    rows = case.session.run("SET client_min_messages = error; %s AND %s UNION ALL %s" % (
        half % (case.table, "<", ANCHOR - 60 * 700), newest(1400), half % (case.table, ">=", ANCHOR - 60 * 700)))
    tap.ok(rows.count("x") <= 200, "of two concurrent scans, one uses what the other has found", rows.count("x"))
    tap.equal(len(rows), 1400, "... and all rows are returned")
    case.close()


def test_void_checks(session, tap, expected):
    """A check that could compare nothing does not count."""
    restore(expected)
    control("config", {"bulk_running": 0, "search_page": 10, "search_order": "shuffled",
                       "search_records": [{"kind": "other", "members": {"RoleArn": "x"}}]})
    for _ in range(5):
        case = Case(BULK)
        tap.equal(case.session.run("SELECT count(*), count(*) FILTER (WHERE role_arn = 'x') FROM %s WHERE %s" % (case.table, newest(300))), ["300|0"],
                  "different records are detected although Search leaves out nine jobs in ten")
        case.close()


def test_warning(session, tap, expected):
    """Records that were right begin to differ."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(300), "training_job_name, role_arn, output_data_config"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "records that agree are returned")
    tap.equal(read.messages, "", "... without a message")
    control("config", ruled("other", members={"RoleArn": "x"}))
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "... when they stop agreeing, a check detects it before any row is returned")
    told = re.findall("^WARNING:  (.*)\nDETAIL:  (.*)", read.messages, re.M)
    tap.ok(len(told) == 1 and "RoleArn" in told[0][0] and "297 rows" in told[0][1],
           "... a WARNING names the attribute and the number of earlier rows from Search, all but three", read.messages)
    control("config", ruled("other", members={"OutputDataConfig": {"S3OutputPath": "x"}}))
    read = case.read(where, "training_job_name, output_data_config")
    equal_rows(tap, read, expected.rows(BULK, where, "training_job_name, output_data_config"), "a difference in another attribute is detected, too")
    tap.ok(read.calls["Search"] > 0 and read.messages_about("differs", "WARNING") == 0, "... there is one WARNING per session", read.messages)
    case.close()


def test_folded_keys(session, tap, expected):
    restore(expected)
    full_documents(expected)
    where, columns = "training_job_name LIKE 'Full-%'", "training_job_name, hyper_parameters"
    rows = expected.rows(HISTORY, where, columns)
    case = Case()
    control("config", {"search_records": [{"kind": "lower_case_keys"}]})
    case.read(where, columns)
    equal_rows(tap, case.read(where, columns), rows, "the first check detects hyperparameter keys that Search has folded to lower case")
    case.close()


def test_tags(session, tap, expected):
    """Describe does not return tags, so a check calls ListTags."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where = newest(300)
    columns, untagged = "training_job_name, role_arn, tags", "training_job_name, role_arn"
    rows, others = expected.rows(BULK, where, columns), expected.rows(BULK, where, untagged)
    case = Case(BULK)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "tags are read from Search")
    tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob", "ListTags"),
              {"ListTrainingJobs": 3, "Search": 3, "DescribeTrainingJob": 3, "ListTags": 3}, "... and a check asks for them, too")
    operations = re.findall("API Operations: (.*)", "\n".join(case.session.run("EXPLAIN SELECT training_job_name, tags FROM " + case.table)))
    tap.equal(operations, ["ListTrainingJobs, Search, DescribeTrainingJob, ListTags"], "EXPLAIN says so where nothing but tags is read")
    control("config", {"search_records": [{"kind": "other", "members": {"Tags": [{"Key": "team", "Value": "other"}]}}]})
    read = case.read(where, untagged)
    equal_rows(tap, read, others, "tags that differ do not matter where they are not read")
    tap.equal(read.calls["ListTags"], 0, "... and a check does not ask for them")
    read = case.read(where, columns)
    wrong = differences(read, rows)
    tap.ok(wrong <= 2 * MOST, "the first check detects tags that differ in all records", wrong)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "... afterwards they are right")
    tap.equal((read.calls["ListTags"], len(read.batches)), (300, 3), "... they come from ListTags, and the rest from Search")
    case.close()


def test_doubted(session, tap, expected):
    """A check differs when records of another batch were accepted but not yet returned: what was decided about them is reopened.

    A session's 21st Search comes without a check, the 22nd with one; the first job, which is described, holds all up.
    """
    restore(expected)
    control("config", {"bulk_running": 0})
    tags = [{"Key": "team", "Value": "other"}]
    for title, members, where, slow, made in (
            ("tags and documents differ", {"RoleArn": "x", "Tags": tags}, "true", "DescribeTrainingJob", None),
            ("tags differ, and documents refuse", {"Tags": tags}, "left(role_arn, 3) NOT IN (SELECT 'arn')", "DescribeTrainingJob",
             {"ListTrainingJobs": 2, "Search": 3, "DescribeTrainingJob": 2, "ListTags": 1}),
            ("documents differ, and tags refuse", {"RoleArn": "x"}, "tags->>'team' NOT IN (SELECT 'bulk')", "ListTags",
             {"ListTrainingJobs": 2, "Search": 3, "DescribeTrainingJob": 1, "ListTags": 101})):
        where, columns = "%s AND %s" % (newest(200), where), "training_job_name, role_arn, tags"
        rows = expected.rows(BULK, where, columns)
        case = Case(BULK)
        tap.equal(case.read(newest(2000), columns).calls["Search"], 20, "a session has made 20 Searches")
        control("config", {"search_records": [{"kind": "missing", "job": "bulk-000001"}, {"kind": "other", "members": members}]})
        fault(**late(3000, operation=slow, contains="bulk-000001"))
        read = case.read(where, columns)
        control("clear", b"")
        control("config", AS_IT_IS)
        equal_rows(tap, read, rows, "rows not yet returned are right when %s" % title)
        tap.equal(len(read.batches), 2, "... of two batches")
        if made is not None:
            tap.equal(read.made(*made), made, "... and no call is made beyond those needed")
        case.close()


def test_progress(session, tap, expected):
    """A job whose document has arrived is counted once, wherever it came from."""
    where = newest(200)
    look = "SELECT jobs_seen, jobs_described FROM sagemaker_fdw_progress"
    for title, searches, rules, made in (
            ("from Search", 0, [], {"ListTrainingJobs": 2, "Search": 2, "DescribeTrainingJob": 2}),
            ("from both", 0, [{"kind": "missing", "every": 2}],
             {"ListTrainingJobs": 2, "Search": 2, "DescribeTrainingJob": len(one_in(2, bulk(1, 200)))}),
            ("first from Search, and then, where a check differs, from Describe", 20, [
                {"kind": "missing", "job": "bulk-000001"}, {"kind": "other", "members": {"RoleArn": "x"}}],
             {"ListTrainingJobs": 2, "Search": 3, "DescribeTrainingJob": 200})):
        restore(expected)
        control("config", {"bulk_running": 0})
        case = Case(BULK)
        if searches:
            tap.equal(case.read(newest(100 * searches)).calls["Search"], searches, "a session has made %d Searches" % searches)
            # the first record that is taken waits for that
            fault(**late(3000, operation="DescribeTrainingJob", contains="bulk-000001"))
        control("config", {"search_records": rules})
        control("calls")
        case.session.run("BEGIN; SET LOCAL cursor_tuple_fraction = 1; DECLARE c CURSOR FOR SELECT role_arn FROM %s WHERE %s; MOVE ALL FROM c"
                         % (case.table, where))
        calls = Read([], control("calls"), [])
        tap.equal(case.session.run(look), ["200|200"], "progress counts all jobs whose documents have arrived %s" % title)
        if searches or not rules:
            tap.equal(calls.made(*made), made, "... with these calls")
        else:
            # one that is checked may be any
            tap.ok(made["DescribeTrainingJob"] <= calls.made("DescribeTrainingJob")["DescribeTrainingJob"] <= made["DescribeTrainingJob"] + 2,
                   "... with these calls", calls.calls)
        case.session.run("COMMIT")
        case.close()
        control("clear", b"")


def test_followed(session, tap, expected):
    """A check differs while jobs after its batch are described: the batch's jobs need calls again, and the later ones go on."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(200), "training_job_name, role_arn, tags"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK, max_concurrency=4)
    control("config", {"latency_ms": 20, "search_records": [
        {"kind": "other", "members": {"Tags": [{"Key": "team", "Value": "other"}]}},
        *({"kind": "missing", "job": name} for name in bulk(101, 200))]})
    read = case.read(where, columns)
    control("config", {"latency_ms": 0, **AS_IT_IS})
    equal_rows(tap, read, rows, "jobs whose tags are in doubt get their own")
    made = [body.get("TrainingJobName") or body["ResourceArn"].rsplit("/")[-1] for body in read.calls_for_jobs]
    apart = {name: len(made) - 1 - made[::-1].index(name) - made.index(name) for name in bulk(101, 200)}
    # all jobs before them would be some eighty
    tap.ok(max(apart.values()) <= 16, "... and ended calls do not count as in flight until their rows are returned", apart)
    case.close()


TESTS = [
    test_answers, test_random, test_members, test_changes, test_checks, test_single_differences, test_heard,
    test_void_checks, test_warning, test_folded_keys, test_tags, test_doubted, test_progress, test_followed,
]

if __name__ == "__main__":
    main(lambda session, tap: run_all(session, tap, TESTS))
