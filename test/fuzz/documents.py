"""Mutated answers of the service: each is rows or a clean error, and the session goes on.

	documents.py [ANSWERS [SEED]]

Documents of jobs are cut off, and members of them retyped, dropped, doubled, nested,
renamed and written oddly; so are pages of lists and of tags.  Each document is read through the
imported table and through one whose columns have other types, with every column, in one session
from the first to the last.  Run below test/with-service, with psql's connection in the
environment.  Prints TAP.
"""
import base64
import collections
import copy
import http.client
import json
import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "t"))

import harness  # noqa: E402  pylint: disable=wrong-import-position

GENERATED = ("AKIDGENERATED0000001", "secret/of+the/generated/account0000000001")
BATCH = 20
# of so many answers one is a page of jobs, and one a page of tags
PAGE_EVERY = 10

# What a response may be answered with (doc/options.md): no JSON, or not of the documented
# shape; an error of an operation that was asked with what the response said.
SERVICE_STATES = {"08P01", "HV000"}
# What a column's type may say: not of its syntax, out of range, too long, against a check, no
# element of an array.
TYPE_STATES = {"22P02", "22003", "22007", "22008", "22009", "22001", "23514"}
IMPORTED_TYPE_STATES = {"22P02", "22003", "22008"}

TABLES = {
    "texts": "{columns_as_text}",
    "jsons": "{columns_as_json}",
    "retyped": """
        training_job_name text, training_job_status integer, secondary_status varchar(5),
        failure_reason json, hyper_parameters text, creation_time date, training_start_time timestamp,
        training_end_time numeric, last_modified_time time, billable_time_in_seconds smallint,
        training_time_in_seconds double precision, enable_network_isolation text, tags json,
        enable_managed_spot_training integer, account_id bigint, instance_count numeric(3,1)""",
    "narrow": """
        training_job_name text, training_job_status sagemaker_secondary_status, role_arn char(4),
        creation_time timestamptz(0), training_start_time bigint, training_end_time interval,
        last_modified_time real, billable_time_in_seconds positive, secondary_status word,
        input_data_config text[], tags text, resource_config jsonb, instance_type uuid,
        final_metric_data_list json, raw_response text""",
    "paths": """
        training_job_name text,
        a text OPTIONS (attribute 'HyperParameters.key.one'),
        b timestamptz OPTIONS (attribute 'SecondaryStatusTransitions.0.StartTime'),
        c text OPTIONS (attribute 'ResourceConfig.InstanceGroups.0.InstanceType'),
        d integer OPTIONS (attribute 'ResourceConfig.InstanceCount'),
        e jsonb OPTIONS (attribute 'InputDataConfig.0'),
        f double precision OPTIONS (attribute 'FinalMetricDataList.0.Value'),
        g text OPTIONS (attribute 'NoSuchAttribute'),
        h boolean OPTIONS (attribute 'EnableManagedSpotTraining'),
        i text OPTIONS (attribute 'ModelArtifacts.S3ModelArtifacts')""",
}


# -- JSON with everything that JSON should not have ------------------------------

class Members(list):
    """An object: pairs of key and value, a key as often as it likes."""


class Raw(bytes):
    """A value as it is to be written."""


class Text:
    """A string: what stands between its quotes."""

    def __init__(self, inner):
        self.inner = inner


def parse(body):
    return json.loads(body, strict=False, object_pairs_hook=Members, parse_float=lambda text: Raw(text.encode()))


def quoted(text):
    return json.dumps(text).encode()


def write(value):
    """The bytes of a value.  Deep ones are Raw, so that this does not recurse far."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Text):
        return b'"' + value.inner + b'"'
    if isinstance(value, Members):
        return b"{" + b",".join((quoted(key) if isinstance(key, str) else write(key)) + b":" + write(below)
                                for key, below in value) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(write, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


SCALARS = [
    None, True, False, "", "x", "NaN", "Infinity", "-Infinity", "null", "2020-08-26T17:36:52Z", 0, -1, 1, 2**31, -2**31 - 1,
    2**63, 2**64, 10**30, Raw(b"1.5"), Raw(b"-0"), Raw(b"-0.0"), Raw(b"0.0000000001"), Raw(b"1e400"), Raw(b"1E-400"),
    Raw(b"-1e400"), Raw(b"1e401"), Raw(b"1e-401"), Raw(b"1e99999999999"), Raw(b"1598463412.123456"),
    Raw(b"1.598463412E9"), Raw(b"9224318015999.9999996"), Raw(b"-210866803200.5"), Raw(b"253402300800"),
    Raw(b"9" * 400), Raw(b"0." + b"1" * 5000), Raw(b"1" + b"0" * 200000), "y" * 70000,
    [], [None], [[]], [1, "a", {}], Members(), Members([("a", 1)]), Members([("", None)]), [Members([("StartTime", "x")])],
    [Members([("StartTime", 1), ("StartTime", Raw(b"1e20"))])], Members([("InstanceGroups", [1])]),
]
NUMBERS = [b"01", b"1.", b".5", b"+1", b"1e", b"1e+", b"--1", b"0x10", b"NaN", b"Infinity", b"1_000", b"1e5e5", b"-", b"1.5.5",
           b"\xd9\xa1", b"tru", b"nulll", b"None", b"'a'", b"undefined", b""]
ESCAPES = [b"\\u0000", b"\\ud800", b"\\udc00", b"\\udc00\\ud800", b"\\ud83d\\ude00", b"\\ud83d\\u0041", b"\\ud83d\\ud83d",
           b"\\uD83D\\", b"\\x", b"\\u12", b"\\u12g4", b"\\", b"\\\xc3\xa9", b"\\\0", b"\\\xff", b"\\u00e9", b"\\uffff",
           b"\\\\u0000", b"\\U0041", b"\\'", b"\\b\\f\\n\\r\\t\\/", b"\\u0001", b"\\u007f", b"\\u2028", b"\\ufeff"]
BYTES = [b"\0", b"\x01", b"\n", b"\t", b"\x7f", b"\x80", b"\xbf", b"\xc0\x80", b"\xc3", b"\xc3\xa9", b"\xe0\x80\x80", b"\xe4\xb8",
         b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xef\xbf\xbf", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
         b"\xfe\xff", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"//x\n", b"/**/", b"\xc2\xa0"]
DEPTHS = [1, 2, 10, 100, 510, 511, 512, 513, 2000, 100000]


class Mutator:
    """Mutations of one answer."""

    def __init__(self, rng):
        self.rng = rng

    def some(self, values):
        """One of the values, to be had for itself."""
        return copy.deepcopy(self.rng.choice(values))

    def place(self, value):
        """A list or object inside the value, and an index of it; (None, None) without any."""
        places = []
        todo = [value]
        while todo:
            one = todo.pop()
            if isinstance(one, list):
                places += [(one, i) for i in range(len(one))]
                todo += [pair[1] for pair in one] if isinstance(one, Members) else one
        return self.rng.choice(places) if places else (None, None)

    @staticmethod
    def replace(one, i, value):
        one[i] = (one[i][0], value) if isinstance(one, Members) else value

    @staticmethod
    def below(one, i):
        return one[i][1] if isinstance(one, Members) else one[i]

    # each takes a list or object and an index of it

    def retype(self, one, i):
        self.replace(one, i, self.some(SCALARS))

    def extreme(self, one, i):
        """Another value of the same kind."""
        value = self.below(one, i)
        kind = Raw if isinstance(value, int) and not isinstance(value, bool) else type(value)
        same = [other for other in SCALARS if isinstance(other, kind) or (kind is Raw and type(other) is int)]
        self.replace(one, i, self.some(same or SCALARS))

    def drop(self, one, i):
        del one[i]

    def double(self, one, i):
        again = copy.deepcopy(one[i])
        if isinstance(one, Members) and self.rng.random() < 0.7:
            again = (again[0], self.some(SCALARS))
        one.insert(self.rng.randrange(len(one) + 1), again)

    def rename(self, one, i):
        if isinstance(one, Members):
            key = one[i][0] if isinstance(one[i][0], str) else "x"
            one[i] = (self.rng.choice(["", key.lower(), key + " ", key[:-1], "a.b", "k" * 3000, Text(self.rng.choice(ESCAPES)),
                                       Text(self.rng.choice(BYTES)), Text(key.encode("utf-8", "replace")[:3] + b"\\u0000"),
                                       Raw(b"1"), Raw(b"null"), Raw(key.encode("utf-8", "replace"))]), one[i][1])

    def swap(self, one, i):
        j = self.rng.randrange(len(one))
        mine, other = self.below(one, i), self.below(one, j)
        self.replace(one, i, other)
        self.replace(one, j, mine)

    def nest(self, one, i):
        begin, end = self.rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"StartTime":', b"}]")])
        depth = self.rng.choice(DEPTHS)
        self.replace(one, i, Raw(begin * depth + write(self.below(one, i)) + end * self.rng.choice([depth, depth, depth - 1])))

    def spell(self, one, i):
        value = self.below(one, i)
        inner = value.encode("utf-8", "replace").replace(b"\\", b"").replace(b'"', b"") if isinstance(value, str) else b"ab"
        at = self.rng.randrange(len(inner) + 1)
        self.replace(one, i, Text(inner[:at] + self.rng.choice(ESCAPES + BYTES) + inner[at:]))

    def number(self, one, i):
        self.replace(one, i, Raw(self.rng.choice(NUMBERS)))

    # and each of these bytes

    def cut(self, body):
        return body[:self.rng.randrange(len(body) + 1)]

    def insert(self, body):
        at = self.rng.randrange(len(body) + 1)
        return body[:at] + self.rng.choice(BYTES + ESCAPES) + body[at:]

    def flip(self, body):
        at = self.rng.randrange(len(body) + 1)
        return body[:at] + bytes([self.rng.randrange(256)]) + body[at + 1:]

    def leave_out(self, body):
        at = self.rng.randrange(len(body) + 1)
        return body[:at] + body[at + self.rng.choice([1, 2, 10, 1000]):]

    def repeat(self, body):
        at = self.rng.randrange(len(body) + 1)
        other = self.rng.randrange(len(body) + 1)
        return body[:at] + body[other:other + self.rng.choice([1, 10, 1000])] + body[at:]

    def surround(self, body):
        return self.rng.choice([body + b" x", body + body, b"[" + body + b"]", b"\xef\xbb\xbf" + body, b" \r\n\t" + body + b"\n", b"",
                                body + b"\0", quoted(body.decode("utf-8", "replace")), b"null", b"<html>" + body])

    TREE = [retype, retype, extreme, extreme, extreme, drop, double, rename, swap, nest, spell, spell, number]
    FLAT = [cut, insert, insert, flip, leave_out, repeat, surround]

    def mutate(self, body):
        """Other bytes."""
        value = parse(body)
        if self.rng.random() < 0.8:
            for _ in range(self.rng.choice([1, 1, 2, 3])):
                one, i = self.place(value)
                if isinstance(value, list) and value and self.rng.random() < 0.5:
                    one, i = value, self.rng.randrange(len(value))
                if one is not None:
                    self.rng.choice(self.TREE)(self, one, i)
            body = write(value)
        if self.rng.random() < 0.3:
            body = self.rng.choice(self.FLAT)(self, body)
        return body


# -- what is to be expected ------------------------------------------------------

def no_constant(name):
    raise ValueError(name)


def depth_of(value):
    """Levels of lists and objects."""
    deepest, level = 0, [value]
    while level:
        level = [below for one in level if isinstance(one, (dict, list))
                 for below in (one.values() if isinstance(one, dict) else one)] + [None] * any(
                     isinstance(one, (dict, list)) for one in level)
        deepest += bool(level)
    return deepest


def arn_of(name):
    return "arn:aws:sagemaker:us-east-1:123456789012:training-job/" + name


def expected_rows(body, name):
    """How many rows a document may be that meets its columns' types: none at all if it must be refused."""
    try:
        # a NUL becomes a character, as what is no UTF-8 does
        value = json.loads(body.replace(b"\0", b"?").decode("utf-8", "replace"), parse_int=str, parse_float=str,
                           parse_constant=no_constant)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, dict) or not isinstance(value.get("TrainingJobName"), str) or depth_of(value) > 512:
        return ()
    if value["TrainingJobName"] != name:
        return (0,)
    # a job whose tags are not found has been deleted meanwhile; the endpoint knows no ARN of a
    # document that it cannot read itself
    try:
        json.loads(body)
        known = value.get("TrainingJobArn") == arn_of(name)
    except ValueError:
        known = False
    return (1,) if known else (0, 1)


def may_be_refused(body):
    """May a document that is JSON be refused as none?  For a number that is too large."""
    return re.search(rb"[0-9][eE][-+]?[0-9]{3,}|[0-9]{1000,}", body) is not None


# -- the session -----------------------------------------------------------------

def ask_all(session, statements):
    """(lines of output, SQLSTATE, rows) of each; they are sent at once."""
    first = session.number + 1
    session.number += len(statements)
    text = "".join("%s;\n\\echo @%d: :SQLSTATE :ROW_COUNT\n" % (statement, first + i)
                   for i, statement in enumerate(statements))
    session.process.stdin.write(text)
    session.process.stdin.flush()
    results = []
    for i in range(len(statements)):
        lines = []
        mark = "@%d: " % (first + i)
        while True:
            try:
                line = session.lines.get(timeout=harness.PATIENCE_S)
            except harness.queue.Empty:
                raise harness.Died("no answer to %s" % statements[i]) from None
            if line is None:
                raise harness.Died("the session has ended with %s: %r" % (statements[i], lines))
            if line.startswith(mark):
                state, rows = line[len(mark):].split()
                results.append((lines, state, int(rows)))
                break
            if harness.SECRETS.search(line):
                raise harness.Died("the session is shown a secret")
            lines.append(line)
    return results


class Endpoint:
    """The endpoint's controls through one connection."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(*harness.host_and_port(harness.URL))

    def ask(self, path, body=None, key=harness.HISTORY[0]):
        self.connection.request("GET" if body is None else "POST", "/_control/%s%skey=%s"
                                % (path, "&" if "?" in path else "?", key), body)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise harness.Died("%s: %r" % (path, data))
        return data


def make_tables(session):
    harness.make_server(session, "fuzz", max_attempts="1")
    names = session.run("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute "
                        "WHERE attrelid = 'fuzz.training_jobs'::regclass AND attnum > 0")[0].split(",")
    session.run("CREATE DOMAIN positive AS integer CHECK (VALUE > 0); "
                "CREATE DOMAIN word AS sagemaker_secondary_status CHECK (VALUE <> 'Failed')")
    for table, columns in TABLES.items():
        columns = columns.format(columns_as_text=", ".join("%s text" % name for name in names),
                                 columns_as_json=", ".join("%s %s" % (name, "text" if name == "training_job_name" else "json")
                                                           for name in names))
        session.run("CREATE FOREIGN TABLE fuzz.%s (%s) SERVER fuzz" % (table, columns))


class Run:
    """The whole run: what was served, and what came of it."""

    def __init__(self, session, seed):
        self.session, self.seed = session, seed
        self.endpoint = Endpoint()
        self.states = collections.Counter()
        self.bad = []
        self.tables = ["fuzz." + table for table in TABLES]
        self.seeds = self.read_seeds()

    def read_seeds(self):
        """Documents to begin with, by bytes."""
        names = json.loads(self.endpoint.ask("names?region=us-east-1", key=GENERATED[0]))[:10]
        bodies = [self.endpoint.ask("document?region=us-east-1&name=" + name, key=GENERATED[0]) for name in names]
        with open(os.path.join(HERE, "..", "data", "every_attribute.json"), "rb") as file:
            bodies += [file.read()] * 10
        names = json.loads(self.endpoint.ask("names?region=us-east-1"))[::30]
        return bodies + [self.endpoint.ask("document?region=us-east-1&name=" + name) for name in names]

    def note(self, what, statement, body, result, good):
        """Keep what is not as it should be, the first ones in full."""
        lines, state, rows = result
        self.states[state] += 1
        if good:
            return
        self.bad.append("%s of seed %s, %s\n%s, %d rows: %s\n%s" % (
            what, self.seed, statement, state, rows, "\n".join(lines)[:1000],
            base64.b64encode(body[:3000]).decode()) if len(self.bad) < 5 else "")

    def documents(self, numbers):
        """Serve some documents, and read each of them twice."""
        served = []
        for number in numbers:
            rng = random.Random("document %s %d" % (self.seed, number))
            name = "fuzz-%d" % (number % BATCH)
            value = parse(rng.choice(self.seeds))
            for i, (key, _) in enumerate(value):
                if key in ("TrainingJobName", "TrainingJobArn"):
                    value[i] = (key, name if key == "TrainingJobName" else arn_of(name))
            body = Mutator(rng).mutate(write(value))
            self.endpoint.ask("document?region=us-east-1&name=" + name, body)
            served.append((number, name, body))
        statements = []
        for number, name, _ in served:
            for table in ("fuzz.training_jobs", self.tables[number % len(self.tables)]):
                statements.append("SELECT * FROM %s WHERE training_job_name = '%s'" % (table, name))
        for i, result in enumerate(ask_all(self.session, statements)):
            number, name, body = served[i // 2]
            lines, state, rows = result
            expected = expected_rows(body, name)
            if state == "00000":
                # a table that does not read the whole document does not see what is no JSON in the rest of it
                good = rows in expected or (i % 2 == 1 and not expected and rows == 1)
            elif not expected:
                good = state == "08P01" or (i % 2 == 1 and state in SERVICE_STATES | TYPE_STATES)
            elif "is not valid JSON" in lines[0]:
                good = may_be_refused(body)
            else:
                good = state in SERVICE_STATES | (IMPORTED_TYPE_STATES if i % 2 == 0 else TYPE_STATES)
            self.note("document %d" % number, statements[i], body, result, good)

    def answer(self, number):
        """Serve a page, of jobs or of tags, and read it."""
        rng = random.Random("answer %s %d" % (self.seed, number))
        operation, statement = rng.choice([
            ("ListTrainingJobs", "SELECT training_job_name, training_job_arn, creation_time, training_job_status, region, account_id "
                                 "FROM fuzz.training_jobs"),
            ("ListTrainingJobs", "SELECT * FROM fuzz.training_jobs"),
            ("Search", "SELECT * FROM fuzz.searched"),
            ("Search", "SELECT training_job_name, tags, resource_config, hyper_parameters FROM fuzz.searched"),
            ("ListTags", "SELECT training_job_name, tags FROM fuzz.training_jobs WHERE training_job_name = 'fuzz-good'"),
        ])
        documents = [parse(rng.choice(self.seeds)) for _ in range(rng.choice([0, 1, 2, 3]))]
        if operation == "ListTags":
            page = Members([("Tags", [Members([("Key", "k%d" % i), ("Value", "v")]) for i in range(3)])])
        elif operation == "Search":
            page = Members([("Results", [Members([("TrainingJob", document)]) for document in documents])])
        else:
            kept = ("TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime", "TrainingEndTime", "TrainingJobStatus")
            page = Members([("TrainingJobSummaries", [Members(pair for pair in document if pair[0] in kept)
                                                      for document in documents])])
        if rng.random() < 0.2:
            page.append(("NextToken", "a-token"))
        body = Mutator(rng).mutate(write(page))
        self.endpoint.ask("clear", b"")
        response = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        self.endpoint.ask("fault", json.dumps({"kind": "raw", "operation": operation, "then": "keep",
                                               "bytes_b64": base64.b64encode(response).decode()}).encode())
        result, = ask_all(self.session, [statement])
        self.note("answer %d, to %s," % (number, operation), statement, body, result,
                  result[1] in {"00000"} | SERVICE_STATES | IMPORTED_TYPE_STATES)
        self.endpoint.ask("clear", b"")

    def still_well(self):
        """A good document is a row as before."""
        (lines, state, rows), = ask_all(self.session, ["SELECT * FROM fuzz.training_jobs WHERE training_job_name = 'fuzz-good'"])
        if (state, rows) != ("00000", 1):
            raise harness.Died("a good document is no row any more: %s, %r" % (state, lines))


def test(session, tap):
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = sys.argv[2] if len(sys.argv) > 2 else "1"
    make_tables(session)
    session.run("CREATE FOREIGN TABLE fuzz.searched () INHERITS (fuzz.training_jobs) SERVER fuzz OPTIONS (scan_api 'search'); "
                "ALTER FOREIGN TABLE fuzz.searched NO INHERIT fuzz.training_jobs; SET client_min_messages = error")
    run = Run(session, seed)
    with open(os.path.join(HERE, "..", "data", "every_attribute.json"), "rb") as file:
        run.endpoint.ask("document?region=us-east-1&name=fuzz-good", file.read().replace(b"every-attribute", b"fuzz-good"))
    session.process.stdin.write("\\o /dev/null\n")
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        answers = [number for number in numbers if number % PAGE_EVERY == 0]
        run.documents([number for number in numbers if number % PAGE_EVERY != 0])
        for number in answers:
            run.answer(number)
        run.still_well()
    session.process.stdin.write("\\o\n")
    tap.note("%d answers of seed %s: %s" % (count, seed, ", ".join("%s %d" % pair for pair in run.states.most_common())))
    tap.ok(not run.bad, "each of %d mutated answers is rows or a clean error" % count,
           "%d are not\n%s" % (len(run.bad), "\n".join(run.bad)))
    tap.ok(run.states["00000"] > 0 and len(run.states) > 3, "they are of many kinds", run.states)
    tap.equal(session.run("SELECT pg_backend_pid()"), [str(session.pid)], "one session has read them all")


harness.main(test)
