"""scan_api 'auto': its rows are those of 'describe', whatever Search answers, and its calls are few.

Each case has a session, a server and keys of its own, to which nothing is known of Search.  The local endpoint's records
differ from its documents as the setting search_records says (test/service/README.md).

Run below test/with-service --bulk 10000.
"""
import collections
import itertools
import json
import os
import random
import re
import time
import zlib

from harness import BULK, HISTORY, Cluster, Session, URL, another_session, control, counters, fault, main, wait_for
from named_faults import broken, denied, late, throttled

ACCOUNTS = {HISTORY: "123456789012", BULK: "345678901234"}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
# the endpoint's history ends here, and its bulk jobs come a minute apart before
ANCHOR = 1751284800
ENDED = ("Completed", "Failed", "Stopped")
# how many jobs a question is worth, and how many it may be about; what the service allows it
FEWEST, MOST = 5, 100
LONGEST_VALUE, MOST_FILTERS = 1024, 20
NUMBERS = itertools.count(1)
# sessions of test_random
ROUNDS = 25
MESSAGE = re.compile("(NOTICE|WARNING|ERROR|DETAIL|HINT|CONTEXT):  ")


def newest(jobs):
    """The condition for so many of the newest bulk jobs, which the list is told."""
    return "creation_time >= to_timestamp(%d)" % (ANCHOR - 60 * jobs)


def bulk(first, last):
    return ["bulk-%06d" % index for index in range(first, last + 1)]


def one_in(every, names):
    """The names that the endpoint chooses for a rule with that `every`."""
    return {name for name in names if zlib.crc32(name.encode()) % every == 0}


def checks(searches):
    """How many of a session's Searches come with a check: the first 20, then at distance 2, 4, 8, and 16 for ever."""
    count, last, distance = min(searches, 20), 20, 2
    while last + distance <= searches:
        count, last, distance = count + 1, last + distance, min(2 * distance, 16)
    return count


class Failed(Exception):
    """A query that must succeed does not."""


class Read:
    """What a query gave: rows, messages, calls by operation, and its requests (the last 1,000)."""

    def __init__(self, lines, calls, requests):
        messages = [line for line in lines if MESSAGE.match(line)]
        self.rows = sorted(line for line in lines if line not in messages)
        self.messages = "\n".join(messages)
        self.calls = collections.Counter({name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", calls)})
        self.bodies = collections.defaultdict(list)
        self.calls_for_jobs = []
        for request in requests:
            self.bodies[request["operation"]].append(json.loads(request["body"]))
            if request["operation"] in ("DescribeTrainingJob", "ListTags"):
                self.calls_for_jobs.append(self.bodies[request["operation"]][-1])

    @property
    def filters(self):
        """The filters of each Search."""
        return [body.get("SearchExpression", {}).get("Filters", []) for body in self.bodies["Search"]]

    @property
    def asked(self):
        """The names that each Search asks for, in its order; None when it asks otherwise."""
        return [[name for each in filters for name in each["Value"].split(",")]
                if filters and all(each["Name"] == "TrainingJobName" for each in filters) else None for filters in self.filters]

    @property
    def batches(self):
        """Those that ask for several jobs; a single one is asked for when a check differs."""
        return [names for names in self.asked if names is None or len(names) > 1]

    @property
    def described(self):
        return [body["TrainingJobName"] for body in self.bodies["DescribeTrainingJob"]]

    def made(self, *operations):
        """The calls of the operations; of all others there must be none."""
        return {name: self.calls[name] for name in {*operations, *self.calls}}

    def messages_about(self, word, kind):
        return len(re.findall(r"%s:  [^:]*%s" % (kind, word), self.messages))


class Case:
    """A session that knows nothing, and tables of keys that nothing is known of: NAME.training_jobs by the scan_api."""

    def __init__(self, of=HISTORY, session=None, **options):
        self.of, self.name = of, "auto_%d" % next(NUMBERS)
        self.keys = ("AKIDAUTO%012d" % next(NUMBERS), "secret/of+the/auto/key/%016d" % next(NUMBERS))
        self.add_keys()
        self.session = session or another_session()
        self.session.run("CREATE SCHEMA IF NOT EXISTS %s" % self.name)
        self.server("auto", **options)
        self.table = self.name + ".auto"

    def add_keys(self):
        control("keys", {"access_key_id": self.keys[0], "secret_access_key": self.keys[1], "session_token": None,
                         "account": ACCOUNTS[self.of]})

    def other_keys(self):
        """From now on the server of auto has other keys of the account."""
        self.keys = ("AKIDAUTO%012d" % next(NUMBERS), self.keys[1])
        self.add_keys()
        self.session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER %s_auto OPTIONS (SET aws_access_key_id '%s')" % (self.name, self.keys[0]))

    def server(self, scan_api, attributes="search", **options):
        """The table NAME.SCAN_API of a server of its own, with the columns that Search has, or all.

        Of the former, raw_response is none: it is what Describe answers.
        """
        server = "%s_%s" % (self.name, scan_api)
        more = "".join(", %s '%s'" % pair for pair in options.items())
        self.session.run(
            "CREATE SERVER {s} FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', endpoint_url '{u}', scan_api '{a}'{m}); "
            "CREATE USER MAPPING FOR CURRENT_USER SERVER {s} OPTIONS (aws_access_key_id '{k[0]}', aws_secret_access_key '{k[1]}'); "
            "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {s} INTO {n} OPTIONS (attributes '{t}'); "
            "ALTER TABLE {n}.training_jobs RENAME TO {a}".format(
                s=server, u=URL, a=scan_api, m=more, k=self.keys, n=self.name, t=attributes))
        if attributes == "search":
            self.session.run("ALTER FOREIGN TABLE %s.%s DROP COLUMN raw_response" % (self.name, scan_api))
        return "%s.%s" % (self.name, scan_api)

    def ask(self, query):
        """(Read, SQLSTATE); {t} is the table."""
        control("calls")
        before = json.loads(control("requests"))
        last = before[-1]["at_s"] if before else 0
        self.session.run("SET client_min_messages = notice")
        lines, state = self.session.ask(query.replace("{t}", self.table))
        self.session.run("SET client_min_messages = warning")
        requests = [request for request in json.loads(control("requests")) if request["at_s"] > last]
        return Read(lines, control("calls"), requests), state

    def read(self, where="true", columns="*"):
        """The Read of a query that must succeed: its rows are jobs as JSON."""
        read, state = self.ask(select("{t}", where, columns))
        if state != "00000":
            raise Failed("%s: %s" % (state, read.messages))
        return read

    def close(self):
        self.session.close()


def select(table, where="true", columns="*"):
    return "SELECT to_jsonb(j) FROM (SELECT %s FROM %s WHERE %s) AS j" % (columns, table, where)


class Expected:
    """The rows that describe gives, kept until documents change."""

    def __init__(self, session):
        self.session, self.kept, self.cases = session, {}, {}
        for of in (HISTORY, BULK):
            self.cases[of] = Case(of, session)
            self.cases[of].table = self.cases[of].server("describe")

    def rows(self, of, where="true", columns="*"):
        if (of, where, columns) not in self.kept:
            self.cases[of].add_keys()
            self.kept[of, where, columns] = self.cases[of].read(where, columns).rows
        return self.kept[of, where, columns]

    def names(self, of, where="true"):
        return [json.loads(row)["n"] for row in self.rows(of, where, "training_job_name AS n")]

    def not_asked(self, of, where="true"):
        """The names of jobs of which nothing can be proved: they have not ended, or their warm pools have not."""
        rows = map(json.loads, self.rows(of, where, "training_job_name, training_job_status, warm_pool_status AS pool"))
        return {row["training_job_name"] for row in rows if row["training_job_status"] not in ENDED or
                row["pool"] and row["pool"]["Status"] not in ("Terminated", "Reused")}

    def forget(self):
        self.kept.clear()


def restore(expected):
    """Documents and settings as they were at the start."""
    control("reset", b"")
    expected.forget()


def equal_rows(tap, read, expected, title):
    """The rows are those expected; of others, the first ones are shown."""
    wrong, lost = [list((collections.Counter(a) - collections.Counter(b)).elements())
                    for a, b in ((read.rows, expected), (expected, read.rows))]
    return tap.ok(not wrong and not lost, title, "%d rows, expected %d; %d are wrong, %d are lost: %.700s\nin place of %.700s" % (
        len(read.rows), len(expected), len(wrong), len(lost), wrong[:1], lost[:1]))


def differences(read, expected):
    return sum((collections.Counter(read.rows) - collections.Counter(expected)).values())


# ----- calls -----

def test_history(session, tap, expected):
    """10,000 jobs, of which all have ended, or 5 % are in progress."""
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
                      "10,000 ended jobs are 100 pages, 100 Searches, and a check with the first 20 of them, then with ever fewer")
            tap.ok(sum(made.values()) <= 240, "... at most 240 calls", made)
        else:
            tap.equal(made, {"ListTrainingJobs": 100, "Search": made["Search"], "DescribeTrainingJob": described},
                      "of 10,000 jobs the 5 % that are in progress are described, beside the checks")
            tap.ok(95 <= made["Search"] <= 100, "... and asked for are the others, across pages", made)
        case.session.run("CREATE TEMPORARY TABLE described AS SELECT %s FROM %s" % (columns, expected.cases[BULK].table))
        tap.equal(case.session.run("SELECT count(*), count(DISTINCT training_job_name) FROM by_auto"), ["10000|10000"], "... each is a row")
        tap.equal(case.session.run("SELECT count(*) FROM ((TABLE by_auto EXCEPT ALL TABLE described) UNION ALL "
                                   "(TABLE described EXCEPT ALL TABLE by_auto)) AS d"), ["0"], "... as describe gives it")
        case.close()


def test_limits(session, tap, expected):
    """A LIMIT asks for as much as it needs."""
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
            tap.equal(read.calls, Read([], made, []).calls, "LIMIT %d%s is %s" % (limit, order, made))
            first = 1 if order != " ORDER BY creation_time" else 10000 - limit + 1
            tap.equal(sorted(row.split("|")[1] for row in read.rows), bulk(first, first + limit - 1), "... of the jobs that it means")
            tap.ok(all(set(names) <= set(bulk(first, first + limit - 1)) for names in read.asked),
                   "... and no other is asked for", read.asked)
            case.close()


def test_question(session, tap, expected):
    """What Search is asked: names of jobs that the summary's conditions want, and nothing else."""
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
        equal_rows(tap, read, expected.rows(HISTORY, where), "conditions on the summary are decided before Search is asked: %s" % where)
        tap.equal(sorted(itertools.chain(*read.asked)), sorted(chosen - not_asked), "... so it is asked for these, each once")
        checked = [name for name in read.described if name not in not_proved]
        tap.ok(chosen & not_proved <= set(read.described) <= chosen and len(checked) <= len(read.batches),
               "... and the others are described, beside the checks", (chosen & not_proved, read.described))
        case.close()

    where = ("billable_time_in_seconds > 1000 AND role_arn LIKE '%ads' AND hyper_parameters->>'max_depth' IN ('3', '4', '5', '6') "
             "AND instance_count < 4")
    for more in ("", " AND tags->>'team' = 'ads'"):
        case = Case()
        read = case.read(where + more)
        equal_rows(tap, read, expected.rows(HISTORY, where + more), "conditions on documents hold%s" % (more and ", and on tags"))
        tap.ok(0 < len(read.rows) < 60, "... for a few jobs", len(read.rows))
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
    tap.equal(len(read.batches), 10, "a question is about 100 jobs")
    tap.equal({len(names) for names in read.asked}, {MOST}, "... whose names it says")
    tap.ok(all(len(filters) <= MOST_FILTERS and all(len(each["Value"]) <= LONGEST_VALUE for each in filters) for filters in read.filters),
           "... in filters as long as the service allows")
    tap.equal(sorted(itertools.chain(*read.asked)), bulk(1, 1000), "... each once")
    tap.ok(all(len(set(names) & set(read.described)) == 1 for names in read.asked), "... and describes one of them")
    case.close()


def test_described(session, tap, expected):
    """What Search is not asked for."""
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
        tap.equal(read.rows, case.read("training_job_status = 'Failed'", columns).rows, "... as describe does")
    for scan_api in ("auto", "describe"):
        case.session.run("CREATE FOREIGN TABLE {0}.computed_{1} (training_job_name text, raw_response jsonb, "
                         "lower text GENERATED ALWAYS AS (lower(training_job_name)) STORED, "
                         "secret text GENERATED ALWAYS AS (raw_response->>'MlflowConfig') STORED) SERVER {0}_{1}".format(case.name, scan_api))
    columns = "training_job_name, lower, secret, raw_response->>'RoleArn' AS role"
    case.table = case.name + ".computed_auto"
    read = case.read("true", columns)
    tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
              "what is computed from raw_response is described")
    case.table = case.name + ".computed_describe"
    tap.equal(read.rows, case.read("true", columns).rows, "... as describe does")
    case.table = case.name + ".odd"
    for columns in ("unknown", "below, unknown", "lower"):
        tap.equal(case.read("true", columns).made("ListTrainingJobs", "DescribeTrainingJob"),
                  {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
                  "an attribute that is not known to be Search's is described: %s" % columns)
    read = case.read("true", "below")
    tap.ok(read.calls["Search"] > 0 and read.calls["DescribeTrainingJob"] <= len(expected.not_asked(HISTORY)) + len(read.batches),
           "... but not one that lies below an attribute of Search", read.calls)
    case.table = case.name + ".auto"
    names = expected.names(HISTORY)[:10]
    for where, made in (("training_job_name IN ('%s')" % "', '".join(names), {"DescribeTrainingJob": 10}),
                        ("training_job_arn IN ('%s')" % "', '".join(ARN + name for name in names), {"DescribeTrainingJob": 10})):
        read = case.read(where, "training_job_name, role_arn")
        tap.equal(read.made(*made), made, "look-ups are described: %.40s" % where)
    tuning = "tuning_job_arn = '%shyper-parameter-tuning-job/tune-ads'" % ARN.replace("training-job/", "")
    read = case.read(tuning)
    equal_rows(tap, read, expected.rows(HISTORY, tuning), "jobs of a tuning job are rows")
    tap.equal((read.calls["Search"], read.calls["DescribeTrainingJob"]), (0, len(read.rows)), "... that are described")
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
    equal_rows(tap, read, expected.rows(HISTORY, where), "jobs that have just ended are rows as describe gives them")
    tap.equal(sorted(itertools.chain(*read.asked)), sorted({"end-old", "no-end"} | {name for name in ages if name.startswith("filler")}),
              "... and Search is asked for those whose last change and end were an hour ago")
    case.close()


def put(document):
    control("document?name=%s" % document["TrainingJobName"], json.dumps({k: v for k, v in document.items() if v is not None}).encode())


# ----- answers that a proof sees through -----

AS_IT_IS = {"search_records": [], "search_late_s": 0, "search_in": True, "search_order": None, "search_page": 100, "search_unasked": 0}


def ruled(*kinds, **more):
    """The setting with one rule of each kind."""
    return {"search_records": [{"kind": kind, **more} for kind in kinds]}


def answers(tap, expected, title, settings, not_proved=None, of=BULK, jobs=300, columns="*", where=None):
    """Rows are those of describe under the settings, and what is not proved is described.

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
    tap.equal(sorted(needed - set(read.described)), [], "... what is not proved is described")
    tap.ok(all(sum(extra[name] for name in batch or extra) <= 1 for batch in read.batches) and
           sum(extra.values()) <= len(read.batches), "... and else one job with each Search", (extra, read.asked))
    tap.equal([names for names in read.asked if names is not None and len(names) == 1], [], "... and no check differs")
    case.close()
    return read


def test_answers(session, tap, expected):
    """What Search may answer that can be seen."""
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
    equal_rows(tap, case.read(newest(300)), expected.rows(BULK, newest(300)), "rows are right when pages are shorter than asked")
    case.close()
    # the history has jobs of all kinds
    restore(expected)
    not_asked = expected.not_asked(HISTORY)
    tap.ok(10 < len(not_asked) < 60, "some jobs of the history are running, or keep a warm pool", not_asked)
    read = answers(tap, expected, "there are jobs of all kinds", {}, set(), HISTORY)
    tap.equal(set(itertools.chain(*read.asked)) & not_asked, set(), "... for those in progress Search is not asked")
    answers(tap, expected, "there are jobs of all kinds, and nothing is proved", ruled("older"), None, HISTORY)
    answers(tap, expected, "there are jobs of all kinds, and 2 of 3 are proved", ruled("missing", every=3),
            one_in(3, expected.names(HISTORY)), HISTORY)


def test_random(session, tap, expected):
    """Everything at once, at random."""
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
    tap.ok(made["Search"] > 3 * ROUNDS and made["DescribeTrainingJob"] < made["Search"] * 60, "... of which many are Search's", made)


def full_documents(expected):
    """Jobs with each member that a record must have: full-0 to full-7, of 2022."""
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
    """Members that a record must have, or must have as the summary has them."""
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
    """Jobs that change between the list and Search."""
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
        equal_rows(tap, read, after, "... and give the rows that describe gives then")
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
           "a job that was deleted since the list is a row, unless it was described", (lost, read.described))
    case.close()

    # Describe is denied for jobs
    restore(expected)
    control("config", {"bulk_running": 0})
    case = Case(BULK)
    fault(**denied(operation="DescribeTrainingJob", job="bulk-000007"))
    equal_rows(tap, case.read(newest(50)), rows, "a job that is denied to Describe alone is a row")
    control("clear", b"")
    case.close()
    case = Case(BULK)
    fault(**denied(operation="DescribeTrainingJob"))
    read, state = case.ask(select("{t}", newest(50)))
    tap.equal(state, "00000", "where Describe is denied altogether, a check is none, and no error")
    equal_rows(tap, read, rows, "... and all are rows")
    control("clear", b"")
    case.close()


# ----- answers that only a check sees through -----

def test_checks(session, tap, expected):
    """The same version with other contents."""
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
        tap.ok(len(read.batches) <= 2, "%s in all records: at most two Searches are asked before a check has ended" % title, read.calls)
        repeated = [names for names in read.asked if len(names) == 1]
        tap.ok(1 <= len(repeated) <= len(read.batches) and all(names[0] in read.described for names in repeated),
               "... which a second Search of its job repeats", read.asked)
        tap.equal(read.calls["DescribeTrainingJob"], 600, "... all jobs are described")
        tap.equal((wrong, read.messages), (0, ""), "... so that no row is wrong, and no WARNING needed")
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "... the next query's rows are right")
        tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 6, "DescribeTrainingJob": 600},
                  "... and Search is not asked")
        tap.equal(read.messages, "", "... nor is there another WARNING")
        read = case.read(where, "training_job_name, model_artifacts")
        equal_rows(tap, read, others, "... a query that does not read it has the right rows, too")
        tap.equal(len(read.batches), 6, "... from Search")
        case.close()


def test_single_differences(session, tap, expected):
    """What a second Search does not repeat, and what few records have."""
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, newest(300), "training_job_name, role_arn")
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "other", "members": {"RoleArn": "x"}, "times": 100}]})
    read = case.read(newest(100), "training_job_name, role_arn")
    tap.equal([len(names) for names in read.asked], [100, 1], "a check that differs is repeated by a second Search of that job")
    tap.equal(read.messages, "", "... when that one agrees, there is no WARNING")
    read = case.read(newest(300), "training_job_name, role_arn")
    equal_rows(tap, read, rows, "... and the attribute is trusted")
    tap.equal(len(read.batches), 3, "... and taken from Search")
    case.close()

    case = Case(BULK)
    liars = one_in(20, bulk(1, 300))
    control("config", {"search_records": [{"kind": "other", "members": {"RoleArn": "x"}, "every": 20}]})
    read = case.read(newest(300), "training_job_name, role_arn")
    wrong = {json.loads(row)["training_job_name"] for row in collections.Counter(read.rows) - collections.Counter(rows)}
    tap.ok(wrong <= liars, "only rows whose own records differ are wrong", wrong - liars)
    case.close()


def test_heard(session, tap, expected):
    """What one scan finds out counts for those under way."""
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
    tap.ok([row for row in rows if row.startswith("WARNING:  Search on server")], "... with a WARNING for what it has read", rows)
    case.session.run("COMMIT")
    case.close()

    restore(expected)
    control("config", {"bulk_running": 0, "search_records": [dict(lie[0], skip=200)]})
    case = Case(BULK)
    half = "SELECT role_arn FROM %s WHERE creation_time %s to_timestamp(%d)"
    rows = case.session.run("SET client_min_messages = error; %s AND %s UNION ALL %s" % (
        half % (case.table, "<", ANCHOR - 60 * 700), newest(1400), half % (case.table, ">=", ANCHOR - 60 * 700)))
    tap.ok(rows.count("x") <= 200, "of two scans side by side one heeds what the other has found", rows.count("x"))
    tap.equal(len(rows), 1400, "... and all rows are there")
    case.close()


def test_void_checks(session, tap, expected):
    """A check that has nothing to compare is none."""
    restore(expected)
    control("config", {"bulk_running": 0, "search_page": 10, "search_order": "shuffled",
                       "search_records": [{"kind": "other", "members": {"RoleArn": "x"}}]})
    for _ in range(5):
        case = Case(BULK)
        tap.equal(case.session.run("SELECT count(*), count(*) FILTER (WHERE role_arn = 'x') FROM %s WHERE %s" % (case.table, newest(300))), ["300|0"],
                  "records that differ are found out though Search leaves out nine jobs in ten")
        case.close()


def test_warning(session, tap, expected):
    """Records that were right begin to differ."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(300), "training_job_name, role_arn, output_data_config"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "records that agree are rows")
    tap.equal(read.messages, "", "... without a message")
    control("config", ruled("other", members={"RoleArn": "x"}))
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "... a check finds when they do no more, before any row")
    told = re.findall("^WARNING:  (.*)\nDETAIL:  (.*)", read.messages, re.M)
    tap.ok(len(told) == 1 and "RoleArn" in told[0][0] and "297 rows" in told[0][1],
           "... a WARNING names the attribute, and how many rows there were from Search, all but three", read.messages)
    control("config", ruled("other", members={"OutputDataConfig": {"S3OutputPath": "x"}}))
    read = case.read(where, "training_job_name, output_data_config")
    equal_rows(tap, read, expected.rows(BULK, where, "training_job_name, output_data_config"), "another attribute that differs is found, too")
    tap.ok(read.calls["Search"] > 0 and read.messages_about("differs", "WARNING") == 0, "... there is one WARNING a session", read.messages)
    case.close()


def test_folded_keys(session, tap, expected):
    restore(expected)
    full_documents(expected)
    where, columns = "training_job_name LIKE 'Full-%'", "training_job_name, hyper_parameters"
    rows = expected.rows(HISTORY, where, columns)
    case = Case()
    control("config", {"search_records": [{"kind": "lower_case_keys"}]})
    case.read(where, columns)
    equal_rows(tap, case.read(where, columns), rows, "keys of hyperparameters that Search folds are seen by the first check")
    case.close()


def test_tags(session, tap, expected):
    """Tags are no attribute of Describe."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where = newest(300)
    columns, untagged = "training_job_name, role_arn, tags", "training_job_name, role_arn"
    rows, others = expected.rows(BULK, where, columns), expected.rows(BULK, where, untagged)
    case = Case(BULK)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "tags are Search's")
    tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob", "ListTags"),
              {"ListTrainingJobs": 3, "Search": 3, "DescribeTrainingJob": 3, "ListTags": 3}, "... where a check asks for them, too")
    operations = re.findall("API Operations: (.*)", "\n".join(case.session.run("EXPLAIN SELECT training_job_name, tags FROM " + case.table)))
    tap.equal(operations, ["ListTrainingJobs, Search, DescribeTrainingJob, ListTags"], "EXPLAIN says so where nothing but tags is read")
    control("config", {"search_records": [{"kind": "other", "members": {"Tags": [{"Key": "team", "Value": "other"}]}}]})
    read = case.read(where, untagged)
    equal_rows(tap, read, others, "tags that differ are no matter where they are not read")
    tap.equal(read.calls["ListTags"], 0, "... and not asked for")
    read = case.read(where, columns)
    wrong = differences(read, rows)
    tap.ok(wrong <= 2 * MOST, "tags that differ in all records are seen by the first check", wrong)
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "... from then on they are right")
    tap.equal((read.calls["ListTags"], len(read.batches)), (300, 3), "... from ListTags, and the rest from Search")
    case.close()


def test_doubted(session, tap, expected):
    """A check differs when records of another batch were taken, but have not left: what was decided on them is open again.

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
        equal_rows(tap, read, rows, "rows that have not left are right when %s" % title)
        tap.equal(len(read.batches), 2, "... of two batches")
        if made is not None:
            tap.equal(read.made(*made), made, "... for no call more than that takes")
        case.close()


def test_progress(session, tap, expected):
    """A job whose document has come is counted once, from wherever it came."""
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
        tap.equal(case.session.run(look), ["200|200"], "progress tells of all jobs whose documents have come %s" % title)
        if searches or not rules:
            tap.equal(calls.made(*made), made, "... for these calls")
        else:
            # one that is checked may be any
            tap.ok(made["DescribeTrainingJob"] <= calls.made("DescribeTrainingJob")["DescribeTrainingJob"] <= made["DescribeTrainingJob"] + 2,
                   "... for these calls", calls.calls)
        case.session.run("COMMIT")
        case.close()
        control("clear", b"")


def test_followed(session, tap, expected):
    """A check differs while jobs behind its batch are described: those before them need calls again, and these still go on."""
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
    equal_rows(tap, read, rows, "jobs whose tags are in doubt have their own")
    made = [body.get("TrainingJobName") or body["ResourceArn"].rsplit("/")[-1] for body in read.calls_for_jobs]
    apart = {name: len(made) - 1 - made[::-1].index(name) - made.index(name) for name in bulk(101, 200)}
    # all jobs before them would be some eighty
    tap.ok(max(apart.values()) <= 16, "... and no call that has ended counts as one in flight until they have left", apart)
    case.close()


# ----- Search in the way -----

def test_let_go(session, tap, expected):
    """Search fails while the job that is checked has one of its two answers: nothing is left undecided."""
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
        equal_rows(tap, read, rows, "a check that is given up leaves rows right, %s" % title)
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
        equal_rows(tap, read, rows, "Search that is %s takes no row" % title)
        tap.equal(read.calls["DescribeTrainingJob"], 500, "... all are described")
        # two questions may be under way; one that is refused may be put otherwise
        tap.ok(1 <= read.calls["Search"] <= 4, "... it is asked at once, and no more", read.calls)
        tap.equal(read.messages_about("Search", "NOTICE"), 1, "... a NOTICE says so")
        again = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, again, rows, "... the next query has all rows")
        tap.equal((again.calls["Search"], again.messages), (0, ""), "... without a question or a NOTICE")
        case.other_keys()
        read = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, read, rows, "... nor is a row lost with other credentials")
        tap.ok(read.calls["Search"] >= 1 and read.messages == "", "... which are tried, without another NOTICE", (read.calls, read.messages))
        control("clear", b"")
        case.other_keys()
        read = case.read(newest(500), "training_job_name, role_arn")
        equal_rows(tap, read, rows, "... where they are allowed to, rows are right")
        tap.equal(len(read.batches), 5, "... and Search's")
        case.close()

    restore(expected)
    case = Case(BULK)
    control("config", {"bulk_running": 0})
    fault(**denied(operation="Search"))
    case.session.run("SET sagemaker_fdw.max_calls = 50")
    read, state = case.ask("SELECT role_arn FROM {t} WHERE %s" % newest(500))
    tap.equal(state, "54000", "max_calls ends a query whose Search is denied")
    tap.ok(re.search("HINT: .*Search.*denie[ds]|HINT: .*denie[ds].*Search", read.messages),
           "... and the hint says that it is", read.messages)
    control("clear", b"")
    case.close()
    case = Case(BULK)
    case.session.run("SET sagemaker_fdw.max_calls = 50")
    read, state = case.ask("SELECT count(*), count(role_arn) FROM {t} WHERE %s" % newest(500))
    tap.equal((read.rows, state), (["500|500"], "00000"), "where it is not denied, 50 calls are enough for 500 jobs")
    case.close()


def test_span(session, tap, expected):
    """The operator In is not known: jobs are asked for by the times of the first and the last."""
    restore(expected)
    control("config", {"bulk_running": 0})
    rows = expected.rows(BULK, newest(500))
    case = Case(BULK)
    control("config", {"search_in": False})
    read = case.read(newest(500))
    equal_rows(tap, read, rows, "a Search that does not know In has right answers")
    spans = [filters for filters, names in zip(read.filters, read.asked) if names is None]
    tap.ok(1 <= len(read.asked) - len(spans) <= 2, "... it is asked by names once, or twice at once", read.asked)
    tap.equal({each["Name"] for filters in spans for each in filters}, {"CreationTime"}, "... and then by times")
    tap.equal(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", each["Value"]) for filters in spans for each in filters), True,
              "... as the service has them")
    tap.ok(read.calls["DescribeTrainingJob"] <= 200 + len(spans), "... which gives documents", read.calls)
    again = case.read(newest(500))
    equal_rows(tap, again, rows, "... the next query has right rows")
    tap.equal([names for names in again.asked if names is not None and len(names) > 1], [], "... and asks by times at once")
    tap.ok(again.calls["DescribeTrainingJob"] <= 5, "... for all", again.calls)
    case.close()


def test_failing(session, tap, expected):
    """Two attempts, five seconds, then the batch is described."""
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
        equal_rows(tap, read, rows, "Search that %s takes no row" % title)
        # a kept connection that closes is no attempt
        tap.ok(read.calls["DescribeTrainingJob"] == 100 and 1 <= read.calls["Search"] <= (4 if "close" in title else 2),
               "... after two attempts all are described", read.calls)
        case.close()
    for title, spec in (("fails", broken(operation="Search", times=1)), ("is throttled", throttled(operation="Search", times=1))):
        case = Case(BULK)
        fault(**spec)
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "a second attempt of Search that %s once gives the rows" % title)
        tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob"),
                  {"ListTrainingJobs": 1, "Search": 2, "DescribeTrainingJob": 1}, "... and no job more is described")
        case.close()
    case = Case(BULK)
    fault(**late(20000, operation="Search"))
    began = time.monotonic()
    read = case.read(where, columns)
    took = time.monotonic() - began
    control("clear", b"")
    equal_rows(tap, read, rows, "Search that takes 20 seconds takes no row")
    tap.equal(read.calls["DescribeTrainingJob"], 100, "... all are described")
    tap.ok(took < 15, "... and it is not waited for", took)
    case.close()
    # of 300 jobs two batches are on their way at first: the third one's answer comes while nobody looks
    where = newest(300)
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"latency_ms": {"Search": 200}})
    read, _ = case.ask("BEGIN; SET LOCAL cursor_tuple_fraction = 1; DECLARE c CURSOR FOR %s; FETCH 110 FROM c; DO 'BEGIN PERFORM pg_sleep(7); END'; "
                       "FETCH ALL FROM c; COMMIT" % select("{t}", where, columns))
    control("config", {"latency_ms": 0})
    equal_rows(tap, read, rows, "a cursor that is left open for 7 seconds gives the rows")
    tap.equal(read.made("ListTrainingJobs", "Search", "DescribeTrainingJob"),
              {"ListTrainingJobs": 3, "Search": 3, "DescribeTrainingJob": 3}, "... and takes the answer that came meanwhile")
    case.close()


def test_large(session, tap, expected):
    """Documents of 2 MB, of which few fit into an answer."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(100), "training_job_name, role_arn"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "large", "bytes": 2000000}]})
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "100 documents of 2 MB are rows")
    sizes = [len(names) for names in read.asked]
    tap.ok(sizes[:1] == [100] and 50 in sizes and min(sizes) >= 2, "... of which half as many are asked for when they are too many", sizes)
    case.close()


def test_rest(session, tap, expected):
    """Search that proves little is not asked for a while."""
    restore(expected)
    control("config", {"bulk_running": 0})
    where, columns = newest(4000), "training_job_name, role_arn"
    rows = expected.rows(BULK, where, columns)
    case = Case(BULK)
    control("config", {"search_records": [{"kind": "missing"}]})
    read = case.read(where, columns)
    equal_rows(tap, read, rows, "Search that has no record takes no row")
    tap.equal(read.calls["DescribeTrainingJob"], 4000, "... all are described")
    # of 40 batches three are asked for, 8 rest, then 16; those under way when it rests count, too
    tap.ok(3 <= read.calls["Search"] <= 12, "... and of 40 batches few are asked for", read.calls)
    case.close()


def test_one_call(session, tap, expected):
    """max_concurrency holds for a Search that is asked again, and for one in another form."""
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
        equal_rows(tap, read, rows, "rows are right when %s, one call at a time" % title)
        tap.equal(most, 1, "... and there was one at a time")
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
    equal_rows(tap, read, rows, "a cursor gives the rows")
    # it begins with few jobs at a time, of which the first are described
    tap.ok(read.calls["ListTrainingJobs"] == 3 and 3 <= read.calls["Search"] <= 10 and read.calls["DescribeTrainingJob"] <= 100,
           "... for few calls", read.calls)
    read, _ = case.ask("BEGIN; DECLARE c CURSOR FOR %s; FETCH 7 FROM c; COMMIT" % select("{t}", where, columns))
    tap.equal((len(read.rows), set(read.rows) <= set(rows)), (7, True), "a cursor may be left")
    read, _ = case.ask("SELECT to_jsonb(j) FROM generate_series(1, 2) AS i, LATERAL (SELECT %s FROM {t} WHERE %s "
                       "AND coalesce(instance_count, 1) >= i - 3 OFFSET 0) AS j" % (columns, where))
    equal_rows(tap, read, 2 * rows, "a rescan gives the rows again")
    read, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT %s FROM {t} WHERE %s ORDER BY creation_time DESC) AS j" % (columns, where))
    equal_rows(tap, read, rows, "ORDER BY creation_time gives the rows")
    for order, first in (("DESC", 1), ("ASC", 10000)):
        names = case.session.run("SELECT training_job_name FROM %s WHERE role_arn <> '' ORDER BY creation_time %s LIMIT 250"
                                 % (case.table, order))
        tap.equal(names, bulk(1, 250) if first == 1 else bulk(9751, 10000)[::-1], "... in its order, %s" % order)
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
    """Partitions side by side, asynchronously and one after another."""
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
        tap.equal("Async Foreign Scan" in plan, setting == "on", "partitions are scanned, enable_async_append %s" % setting)
        read = case.read()
        equal_rows(tap, read, rows, "... and give the rows")
        tap.ok(read.calls["DescribeTrainingJob"] < len(rows) // 2 and read.calls["Search"] > 1, "... from Search", read.calls)
    read, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT * FROM {t} ORDER BY creation_time DESC LIMIT 200) AS j")
    case.table = case.name + ".parts_describe"
    other, _ = case.ask("SELECT to_jsonb(j) FROM (SELECT * FROM {t} ORDER BY creation_time DESC LIMIT 200) AS j")
    equal_rows(tap, read, other.rows, "they can be merged in order")
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
              "... and counts the jobs")
    tap.equal(case.session.run("SELECT null_frac FROM pg_stats WHERE schemaname = '%s' AND attname = 'role_arn'" % case.name), ["0"],
              "... and knows the columns")
    case.close()


def test_refresh(session, tap, expected):
    """A kept table of what auto reads."""
    columns = "training_job_name, role_arn, billable_time_in_seconds, hyper_parameters, secondary_status_transitions"
    for title, rules in (("right", []), ("of older versions", [{"kind": "older", "every": 2}]),
                         ("without an attribute", [{"kind": "other", "members": {"RoleArn": "x"}}])):
        restore(expected)
        rows = expected.rows(HISTORY, "true", columns)
        case = Case()
        control("config", {"search_records": rules})
        case.session.run("IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0}_auto INTO {0} OPTIONS (attributes 'search')".format(case.name))
        read, state = case.ask("CALL sagemaker_fdw_refresh('{0}.kept', '{0}.training_jobs', since => '2017-11-01')".format(case.name))
        tap.equal(state, "00000", "a refresh reads by auto, where records are %s" % title)
        tap.ok(read.calls["Search"] >= 1, "... asking Search", read.calls)
        case.table = case.name + ".kept"
        control("config", {"search_records": []})
        kept = case.read("true", columns)
        equal_rows(tap, kept, rows, "... and keeps what describe gives")
        case.close()


def test_shared(session, tap, expected):
    """Sessions that share what is known of Search."""
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
        equal_rows(tap, read, rows, "what a session has found of an attribute holds for the next one")
        tap.equal(read.made("ListTrainingJobs", "DescribeTrainingJob"), {"ListTrainingJobs": 3, "DescribeTrainingJob": 300},
                  "... which describes at once")
        case.close()
        control("config", {"search_records": []})
        case = Case(BULK, one)
        fault(**denied(operation="Search"))
        case.read(where, columns)
        case.session = Session()
        read = case.read(where, columns)
        equal_rows(tap, read, rows, "a denied Search takes no row of another session")
        tap.ok(read.calls["Search"] <= 2 and read.messages_about("Search", "NOTICE") == 1, "... which says so itself", read.messages)
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
        tap.equal(one.run(look % "jobs_seen, jobs_described"), ["100|0"], "progress tells of no document while records wait for a check")
        one.run("SELECT pg_cancel_backend(%d)" % case.session.pid)
        tap.equal(case.session.receive()[1], "57014", "... which is cancelled")
        case.close()
        one.close()
    finally:
        cluster.remove()
        os.environ.clear()
        os.environ.update(environment)


def test(session, tap):
    expected = Expected(session)
    for run in (test_limits, test_question, test_described, test_answers, test_random, test_members, test_changes, test_checks,
                test_single_differences, test_heard, test_void_checks, test_warning, test_folded_keys, test_tags, test_doubted, test_progress, test_followed, test_let_go,
                test_denied, test_span, test_failing, test_large, test_rest, test_one_call,
                test_scans, test_partitions, test_analyze, test_refresh, test_shared, test_history):
        try:
            run(session, tap, expected)
        except Failed as problem:
            tap.ok(False, "the queries of %s succeed" % run.__name__, problem)
    restore(expected)


if __name__ == "__main__":
    main(test)
