"""What the suites of scan_api 'auto' share: a session and keys without any history, a query's results, and the expected results.

The local endpoint's records differ from its documents as the setting search_records says (test/service/README.md).
"""
import collections
import itertools
import json
import re
import zlib

from harness import BULK, HISTORY, URL, another_session, control

ACCOUNTS = {HISTORY: "123456789012", BULK: "345678901234"}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
# the endpoint's history ends here, and its bulk jobs come a minute apart before
ANCHOR = 1751284800
ENDED = ("Completed", "Failed", "Stopped")
# how many jobs a question is worth, and how many it may be about; what the service allows it
FEWEST, MOST = 5, 100
LONGEST_VALUE, MOST_FILTERS = 1024, 20
NUMBERS = itertools.count(1)
# settings of the endpoint
AS_IT_IS = {"search_records": [], "search_late_s": 0, "search_in": True, "search_order": None, "search_page": 100, "search_unasked": 0}
MESSAGE = re.compile("(NOTICE|WARNING|ERROR|DETAIL|HINT|CONTEXT):  ")


def newest(jobs):
    """The condition that selects so many of the newest bulk jobs, and that the list can apply."""
    return "creation_time >= to_timestamp(%d)" % (ANCHOR - 60 * jobs)


def bulk(first, last):
    return ["bulk-%06d" % index for index in range(first, last + 1)]


def one_in(every, names):
    """The names that the endpoint chooses for a rule with that `every`."""
    return {name for name in names if zlib.crc32(name.encode()) % every == 0}


def checks(searches):
    """How many of a session's Searches come with a check: the first 20, then one after 2, 4 and 8 more, then every 16th."""
    count, last, distance = min(searches, 20), 20, 2
    while last + distance <= searches:
        count, last, distance = count + 1, last + distance, min(2 * distance, 16)
    return count


class Failed(Exception):
    """A query that must succeed has failed."""


class Read:
    """The results of a query: rows, messages, calls by operation, and its requests (the last 1,000)."""

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
        """The names that each Search asks for, in its order; None for one that does not ask by name."""
        return [[name for each in filters for name in each["Value"].split(",")]
                if filters and all(each["Name"] == "TrainingJobName" for each in filters) else None for filters in self.filters]

    @property
    def batches(self):
        """The Searches for several jobs; one for a single job is made when a check differs."""
        return [names for names in self.asked if names is None or len(names) > 1]

    @property
    def described(self):
        return [body["TrainingJobName"] for body in self.bodies["DescribeTrainingJob"]]

    def made(self, *operations):
        """The calls of these operations, and of any others that were made, which there must not be."""
        return {name: self.calls[name] for name in {*operations, *self.calls}}

    def messages_about(self, word, kind):
        return len(re.findall(r"%s:  [^:]*%s" % (kind, word), self.messages))


class Case:
    """A session that knows nothing yet, and foreign tables NAME.SCAN_API with keys that nothing is known about yet."""

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
        """Give the server of auto other keys of the account."""
        self.keys = ("AKIDAUTO%012d" % next(NUMBERS), self.keys[1])
        self.add_keys()
        self.session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER %s_auto OPTIONS (SET aws_access_key_id '%s')" % (self.name, self.keys[0]))

    def server(self, scan_api, attributes="search", **options):
        """Make the table NAME.SCAN_API on a server of its own, with all columns or those that Search has.

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
    """The rows that describe returns, kept until documents change."""

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
        """The names of jobs for which nothing can be proved: they have not ended, or their warm pools have not."""
        rows = map(json.loads, self.rows(of, where, "training_job_name, training_job_status, warm_pool_status AS pool"))
        return {row["training_job_name"] for row in rows if row["training_job_status"] not in ENDED or
                row["pool"] and row["pool"]["Status"] not in ("Terminated", "Reused")}

    def forget(self):
        self.kept.clear()


def restore(expected):
    """Restore the documents and settings of the start."""
    control("reset", b"")
    expected.forget()


def equal_rows(tap, read, expected, title):
    """Check that the rows are the expected ones; show the first that are not."""
    wrong, lost = [list((collections.Counter(a) - collections.Counter(b)).elements())
                    for a, b in ((read.rows, expected), (expected, read.rows))]
    return tap.ok(not wrong and not lost, title, "%d rows, expected %d; %d are wrong, %d are lost: %.700s\nin place of %.700s" % (
        len(read.rows), len(expected), len(wrong), len(lost), wrong[:1], lost[:1]))


def differences(read, expected):
    return sum((collections.Counter(read.rows) - collections.Counter(expected)).values())


def put(document):
    """Give the endpoint this document, without the members that are None."""
    control("document?name=%s" % document["TrainingJobName"], json.dumps({k: v for k, v in document.items() if v is not None}).encode())


def run_all(session, tap, tests):
    """Run the tests; each restores the documents and settings of the start."""
    expected = Expected(session)
    for test in tests:
        try:
            test(session, tap, expected)
        except Failed as problem:
            tap.ok(False, "the queries of %s succeed" % test.__name__, problem)
    restore(expected)
