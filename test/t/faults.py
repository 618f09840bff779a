"""What goes wrong with the service or the network: all rows, or the one right error.

	faults.py [connections]

Each case is followed by a query in the same session, which must work.  "connections"
leaves out the cases that do not involve libcurl.
"""
import base64
import contextlib
import json
import os
import re
import socket
import sys
import tempfile

from harness import CA, TLS_URL, cluster_session, control, fault, full_listener, main, make_server, preload

# how many times longer things may take
SLOWNESS = float(os.environ.get("SAGEMAKER_FDW_TEST_SLOWNESS", "1"))

JOB = "pytorch-ads-0001"
ONE = "SELECT training_job_name FROM %%s.training_jobs WHERE training_job_name = '%s'" % JOB
ALL = "SELECT count(*), count(DISTINCT training_job_arn), count(role_arn) FROM %s.training_jobs"
LISTED = "SELECT count(*), count(DISTINCT training_job_arn) FROM %s.training_jobs"
FOUND = [JOB]
EVERYTHING = ["300|300|300"]

THROTTLES = ["Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
             "RequestThrottled", "TooManyRequestsException", "ProvisionedThroughputExceededException",
             "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
             "PriorRequestNotComplete", "TransactionInProgressException", "EC2ThrottledException"]

NO_UTF8 = b'{"TrainingJobName": "pytorch-ads-0001", "RoleArn": "a\xffb\xc3"}'
SKEWED = b'{"__type": "RequestTimeTooSkewed"}'
NO_DATE = base64.b64encode(b"HTTP/1.1 403 Forbidden\r\nDate: Wed, 26 Aug 2147483647 17:36:52 GMT\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(SKEWED), SKEWED)).decode()
INVALID_UTF8 = base64.b64encode(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(NO_UTF8), NO_UTF8)).decode()


def once(kind, **spec):
    return dict(kind=kind, times=1, **spec)


def always(kind, **spec):
    return dict(kind=kind, times=0, **spec)


def html(status):
    return dict(kind="body", status=status, content_type="text/html", body="<html>%d</html>" % status)


def aws(status, code):
    return dict(kind="error", status=status, code=code)


def gateway(status):
    """JSON from something in front of the service: only the HTTP status says what is wrong."""
    return dict(kind="body", status=status, body='{"message": "%d"}' % status)


def page_of(n):
    """A page of the list with so many jobs."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/extra-%d"
    return json.dumps({"TrainingJobSummaries": [{"TrainingJobName": "extra-%d" % number, "TrainingJobArn": arn % number,
                                                 "CreationTime": 4102444800 - number} for number in range(n)]})


# Title, faults, query, and the lines that come or the SQLSTATE.
CONNECTIONS = [
    # connections
    ("a reset before the response is tried again", [once("reset_before")], ONE, FOUND),
    ("resets before every response", [always("reset_before")], ONE, "08006"),
    ("a reset in the response is tried again", [once("reset_during")], ONE, FOUND),
    ("resets in every response", [always("reset_during")], ONE, "08006"),
    ("a reset in the middle of a scan", [once("reset_during", skip=100)], ALL, EVERYTHING),
    ("a reset after the response", [once("reset_after")], ONE, FOUND),
    ("a reset after each response", [always("reset_after")], ALL, EVERYTHING),
    ("a reset of each connection that is kept", [always("reset_after", delay_ms=2)], ALL, EVERYTHING),
    ("an orderly close before the response is tried again", [once("close_before")], ONE, FOUND),
    ("orderly closes before every response", [always("close_before")], ONE, "08006"),
    ("the connection is closed after each response", [always("close_after")], ALL, EVERYTHING),
    ("a response cut short is tried again", [once("truncate")], ONE, FOUND),
    ("every response cut short", [always("truncate")], ONE, "08006"),
    ("a response that never comes is tried again", [once("hang")], ONE, FOUND),
    ("responses that never come", [always("hang")], ONE, "08006"),
    ("a body that drips is tried again", [once("drip", interval_s=0.05)], ONE, FOUND),
    ("bodies that drip", [always("drip", interval_s=0.05)], ONE, "08006"),
    ("headers that drip are tried again", [once("slow_headers", interval_s=0.05)], ONE, FOUND),
    ("headers that drip, always", [always("slow_headers", interval_s=0.05)], ONE, "08006"),
    # HTTP
    ("a Content-Length too large is tried again", [once("wrong_length", by=10)], ONE, FOUND),
    ("Content-Lengths too large", [always("wrong_length", by=10)], ONE, "08006"),
    ("a Content-Length too small cuts the document", [always("wrong_length", by=-10)], ONE, "08P01"),
    ("no Content-Length", [always("no_length")], ALL, EVERYTHING),
    ("a response in chunks", [always("chunked")], ALL, EVERYTHING),
    ("chunks that are garbage, once", [once("chunked_garbage")], ONE, FOUND),
    ("chunks that are garbage", [always("chunked_garbage")], ONE, "08006"),
    ("an endless body", [always("endless_body")], ONE, "08P01"),
    ("a body larger than max_response_size", [once("body", body='{"a": "%s"}' % ("x" * (1 << 20)))], ONE, "08P01"),
    ("endless headers", [always("endless_headers")], ONE, "08P01"),
    ("a 100 before the response", [always("continue_first")], ALL, EVERYTHING),
    ("a storm of 100s", [always("continue_first", count=5000)], ONE, "08P01"),
    ("what is no HTTP", [always("raw", bytes_b64=base64.b64encode(b"SSH-2.0-x\r\n").decode())], ONE, "08P01"),
    ("a redirect (301)", [once("body", status=301, headers=[["Location", "http://127.0.0.1:1/"]], body="")], ONE, "08P01"),
    ("a redirect (302)", [once("body", status=302, headers=[["Location", "/"]], body="")], ONE, "08P01"),
    ("a redirect (307)", [once("body", status=307, headers=[["Location", "https://example.com/"]], body="")], ONE, "08P01"),
]
CASES = [
    # documents
    ("an empty body", [once("body", body="")], ONE, "08P01"),
    ("HTML with status 200", [once("body", content_type="text/html", body="<html></html>")], ONE, "08P01"),
    ("XML with status 200", [once("body", content_type="text/xml", body="<?xml version='1.0'?><a/>")], ONE, "08P01"),
    ("deep JSON", [once("body", body='{"a":' + "[" * 100000 + "]" * 100000 + "}")], ONE, "08P01"),
    ("keys that occur twice", [once("body", body='{"TrainingJobName": "x", "TrainingJobName": "%s"}' % JOB)], ONE, FOUND),
    ("invalid UTF-8", [once("raw", then="keep", bytes_b64=INVALID_UTF8)],
     "SELECT role_arn FROM %%s.training_jobs WHERE training_job_name = '%s'" % JOB, ["a\ufffdb\ufffd"]),
    # pages
    ("a NextToken that repeats", [always("body", operation="ListTrainingJobs",
                                         body='{"TrainingJobSummaries": [], "NextToken": "x"}')], LISTED, "08P01"),
    ("a page of more jobs than were asked for", [once("body", operation="ListTrainingJobs", body=page_of(101))], LISTED, "08P01"),
    ("a page that was too large, and then has more jobs than were asked for",
     [once("body", operation="ListTrainingJobs", body='{"a": "%s"}' % ("x" * (1 << 20))),
      once("body", operation="ListTrainingJobs", body=page_of(51))], LISTED, "08P01"),
    ("... and then has as many", [once("body", operation="ListTrainingJobs", body='{"a": "%s"}' % ("x" * (1 << 20))),
                                  once("body", operation="ListTrainingJobs", body=page_of(50))], LISTED, ["50|50"]),
    ("a NextToken that is refused", [once("error", operation="ListTrainingJobs", skip=1, code="ValidationException")],
     LISTED, ["300|300"]),
    ("a job that is deleted between list and describe", [once("error", job="tabular-ads-0002", code="ValidationException",
                                                              message="Requested resource not found.")],
     ALL, ["299|299|299"]),
    # errors
    ("an access that is denied", [once("error", code="AccessDeniedException")], ONE, "42501"),
    ("a region that is not enabled", [once("error", code="OptInRequired", status=403)], ONE, "42501"),
    ("a token that expires in mid-scan", [always("error", code="ExpiredTokenException", skip=150)], ALL, "28000"),
    ("403 with XML", [once("body", status=403, content_type="application/xml", body="<Error><Code>x</Code></Error>")], ONE, "HV000"),
    ("404", [once("body", status=404, body="")], ONE, "HV000"),
    ("413", [once("body", status=413, body="")], ONE, "HV000"),
    ("an unknown error", [once("error", code="SomethingNew")], ONE, "HV000"),
    ("a clock that is off by a date that nobody can sign", [once("raw", then="keep", bytes_b64=NO_DATE)], ONE, "28000"),
    ("429 is tried again", [once("body", status=429, body="")], ONE, FOUND),
    ("429 with Retry-After", [once("body", status=429, headers=[["Retry-After", "1"]], body="")], ONE, FOUND),
    ("429 with x-amz-retry-after", [once("body", status=429, headers=[["x-amz-retry-after", "50"]], body="")], ONE, FOUND),
    ("a Retry-After that is a date", [once("body", status=429, body="", headers=[["Retry-After", "Fri, 31 Dec 2199 23:59:59 GMT"]])],
     ONE, FOUND),
    ("a Retry-After that is garbage", [once("body", status=429, headers=[["Retry-After", "later"]], body="")], ONE, FOUND),
    ("throttled and nothing else", [always("error", code="ThrottlingException")], ONE, "53000"),
    ("throttled by the header", [once("error", code="ThrottlingException", type_in="header")], ONE, FOUND),
    ("throttled with a namespace", [once("error", code="ThrottlingException", namespace="com.amazon.coral#")], ONE, FOUND),
    ("throttled with a namespace and a suffix",
     [once("error", code="ThrottlingException", namespace="com.amazonaws.sagemaker#",
           suffix=":http://internal.amazon.com/coral/com.amazonaws.sagemaker#x/")], ONE, FOUND),
    ("throttled by code", [once("error", code="ThrottlingException", type_in="code")], ONE, FOUND),
    ("an internal failure with status 400", [once("error", code="InternalFailure")], ONE, FOUND),
]
CASES += [("%s, then success" % code, [once("error", code=code)], ONE, FOUND) for code in THROTTLES]
CASES += [("%d, then success" % status, [once(**html(status))], ONE, FOUND) for status in (500, 502, 503, 504)]
CASES += [("%d in JSON, then success" % status, [once(**gateway(status))], ONE, FOUND) for status in (500, 502, 503, 504)]
CASES += [("%d always" % status, [always(**aws(status, "InternalFailure"))], ONE, "HV000") for status in (500, 503)]
CASES += [("%d always, in %s" % (status, form), [always(**fail(status))], ONE, "HV000")
          for status in (502, 504) for form, fail in (("HTML", html), ("JSON", gateway))]


def check(session, tap, title, specs, query, expected, server="sm"):
    """Run one case, and the query after it."""
    for spec in specs:
        fault(**spec)
    lines, state = session.ask(query % server)
    outcome = lines if state == "00000" else state
    tap.ok(outcome == expected, title, "got %r (%s), expected %r" % (lines, state, expected))
    control("clear", b"")
    if state != "00000":
        # a session that was throttled goes on slowly: forget that
        session.run("SELECT sagemaker_fdw_disconnect();")
    lines, state = session.ask(LISTED % "sm")
    tap.ok((lines, state) == (["300|300"], "00000"), "... and the session remains usable", (lines, state))


def test_unreachable(session, tap):
    session.run("ALTER SERVER other OPTIONS (SET endpoint_url 'http://127.0.0.1:1');")
    check(session, tap, "a refused connection", [], ONE, "08001", "other")

    fillers = full_listener()
    session.run("ALTER SERVER other OPTIONS (SET endpoint_url 'http://127.0.0.1:%d');" % fillers[0].getsockname()[1])
    check(session, tap, "a connection attempt without an answer", [], ONE, "08001", "other")
    for filler in fillers:
        filler.close()

    # a listener that says nothing in a TLS handshake
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(10)
    session.run("ALTER SERVER other OPTIONS (SET endpoint_url 'https://127.0.0.1:%d');" % listener.getsockname()[1])
    check(session, tap, "a TLS handshake without an answer", [], ONE, "08001", "other")
    listener.close()

    session.run("ALTER SERVER other OPTIONS (SET endpoint_url '%s');" % TLS_URL)
    check(session, tap, "an untrusted certificate", [], ONE, "08001", "other")
    session.run("ALTER SERVER other OPTIONS (SET endpoint_url 'https://no-such-host.invalid');")
    check(session, tap, "a host name that does not resolve", [], ONE, "08001", "other")


def test_notice_of_trouble(session, tap):
    """A refused connection is reported before the query fails because of it, once per scan."""
    session.run("ALTER SERVER other OPTIONS (SET endpoint_url 'http://127.0.0.1:1', SET max_attempts '8'); SELECT sagemaker_fdw_disconnect()")
    names = "SELECT count(role_arn) FROM other.training_jobs WHERE training_job_name IN ('a', 'b', 'c', 'd')"
    told = ["NOTICE:  could not connect to http://127.0.0.1:1; trying again",
            "DETAIL:  DescribeTrainingJob of training job \"a\": Failed to connect to 127.0.0.1 port 1. "
            "This may pass: a call is tried up to 8 times (option max_attempts of server \"other\").",
            "HINT:  Check the region, the endpoint_url and the proxy_url of server \"other\", and the network."]

    def ask(query):
        # libcurl's words differ by its version
        lines, state = session.ask(query)
        return [re.sub(r"(Failed to connect to 127.0.0.1 port 1).*?[.] This", r"\1. This", line) for line in lines], state

    session.run("SET client_min_messages = notice; SET statement_timeout = '400ms'")
    lines, state = ask(names)
    tap.equal((state, lines[:3], sum("NOTICE" in line for line in lines)), ("57014", told, 1),
              "a refused connection is reported at once, and not again for each attempt and call")
    lines, state = ask(names)
    tap.equal((state, lines[:3]), ("57014", told), "... and by the next scan again")
    session.run("RESET statement_timeout; ALTER SERVER other OPTIONS (SET max_attempts '1')")
    lines, state = ask(names)
    tap.equal((state, [line for line in lines if "NOTICE" in line]), ("08001", []), "what is not retried is only an error")
    session.run("SET client_min_messages = warning; ALTER SERVER other OPTIONS (SET max_attempts '2')")


@contextlib.contextmanager
def preloaded(name):
    """... in which the definitions of the C file override the system's."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with cluster_session(LD_PRELOAD=preload(directory, name)) as session:
            yield session


def test_unknown_names(tap):
    """Names that the resolver does not know."""
    with preloaded("silent_resolver") as session:
        make_server(session, "elsewhere", url="https://nowhere.invalid")
        make_server(session, "hasty", url="https://nowhere.invalid", max_attempts=2)
        make_server(session, "proxied", proxy_url="http://nowhere.invalid")
        make_server(session, "region")
        session.run("ALTER SERVER region OPTIONS (SET region 'us-nowhere-1', DROP endpoint_url); "
                    "ALTER SERVER proxied OPTIONS (SET endpoint_url 'https://sagemaker.invalid')")
        server = "Check the endpoint_url and the proxy_url of server \"%s\", and that the database server can look up names."
        for name, host, attempts, hint in [
                ("elsewhere", "host: nowhere.invalid", 3, server % "elsewhere"),
                ("hasty", "host: nowhere.invalid", 2, server % "hasty"),
                ("proxied", "proxy: nowhere.invalid", 3, server % "proxied"),
                ("region", "host: api.sagemaker.us-nowhere-1.amazonaws.com", 3,
                 "Is \"us-nowhere-1\" an AWS region? Check the option \"region\" of server \"region\" and of its foreign "
                 "tables, and that the database server can look up names.")]:
            lines, state = session.ask(ONE % name)
            tap.equal((state, lines[1:3]),
                      ("08001", ["DETAIL:  DescribeTrainingJob of training job \"%s\": Could not resolve %s. %d attempts."
                                 % (JOB, host, attempts), "HINT:  " + hint]),
                      "an unknown name is resolved %d times (%s)" % (attempts, name))


def test_no_watch(tap):
    """Something that the session waits for cannot be watched, once."""
    with preloaded("no_watch") as session:
        make_server(session, "sm", read_timeout=0.3 * SLOWNESS)
        tap.equal(session.ask(ONE % "sm")[1], "53000", "a timer that cannot be watched is an error")
        fault(**once("hang"))
        tap.equal(session.ask(ONE % "sm"), (FOUND, "00000"), "... the next query can watch it, and ends")
        lines = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + ALL % "sm")
        # 300, or 300.00 from version 18 on
        tap.ok(any(re.search(r"[(]actual rows=300[. ]", line) for line in lines),
               "a socket that cannot be watched fails its request alone, which is repeated", lines)


def test_few_descriptors(tap):
    """A process with a low descriptor limit gives up kept connections to open others."""
    with cluster_session(["max_files_per_process=64"]) as session:
        make_server(session, "sm", max_concurrency=32)
        make_server(session, "tls", url=TLS_URL, ca_bundle=CA, max_concurrency=32)
        # so that connections are made while others have calls in flight
        control("config", {"latency_ms": 10})
        for name in ("sm", "tls", "sm", "tls"):
            tap.equal(session.ask(ALL % name), (EVERYTHING, "00000"),
                      "connections kept to one host do not prevent connections to another (%s)" % name)
        fault(**always("hang", operation="DescribeTrainingJob"))
        session.run("SET statement_timeout = 300")
        tap.equal(session.ask(ALL % "sm")[1], "57014", "a scan that waits for descriptors can be cancelled")
        session.run("RESET statement_timeout")
        control("clear", b"")
        tap.equal(session.ask("SELECT count(a.role_arn), count(b.role_arn) FROM sm.training_jobs a "
                              "FULL JOIN tls.training_jobs b USING (training_job_name)"), (["300|300"], "00000"),
                  "... and two scans after it share the descriptors")
        control("config", {"latency_ms": 0})


def test_control_characters(session, tap):
    """The service's text cannot move a terminal's cursor or begin a line of the log."""
    control("config", {"request_id": "id\x1b[31m\x7f"})
    fault(kind="body", status=400, operation="DescribeTrainingJob",
          body={"__type": "AccessDeniedException", "message": "\x1b[31mred\x07\n\t\x7f\x9b2Jend"})
    lines, state = session.ask(ONE % "sm")
    tap.equal((state, lines[1]),
              ("42501", 'DETAIL:  DescribeTrainingJob of training job "%s": AccessDeniedException:  [31mred      2Jend. '
                        "HTTP status 400. Request id id [31m ." % JOB), "control characters of an AWS error become blanks")
    control("config", {"request_id": "id"})
    fault(kind="body", operation="ListTrainingJobs", body={"TrainingJobSummaries": [
        {"TrainingJobName": "\x1b[31mred", "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/red",
         "CreationTime": 1700000000.5, "TrainingJobStatus": "Completed"}]})
    session.run("SET client_min_messages = log; SET sagemaker_fdw.log_min_duration = 0")
    lines, state = session.ask("SELECT role_arn FROM sm.training_jobs")
    session.run("RESET sagemaker_fdw.log_min_duration; SET client_min_messages = warning")
    control("config", {"request_id": None})
    tap.equal((state, [re.sub("[0-9.]+ ms", "# ms", line).partition(": ValidationException")[0] for line in lines]),
              ("HV000", ["LOG:  ListTrainingJobs on server \"sm\" succeeded after # ms: 1 attempt, request id id",
                         "LOG:  DescribeTrainingJob of training job \" [31mred\" on server \"sm\" failed after # ms: 1 attempt, request id id",
                         "ERROR:  DescribeTrainingJob failed", "DETAIL:  DescribeTrainingJob of training job \" [31mred\""]),
              "... and so do those of a job's name")


def test_clock(session, tap):
    for offset_s in (1200, -1200):
        control("config", {"clock_offset_s": offset_s})
        session.run("SELECT sagemaker_fdw_disconnect();")
        control("calls")
        check(session, tap, "a clock %d s off" % offset_s, [], ONE, FOUND)
        tap.equal(control("calls"), "DescribeTrainingJob=2 ListTrainingJobs=3", "... costs one call")
    control("config", {"clock_offset_s": 0})


def test_empty_pages(session, tap):
    page = '{"TrainingJobSummaries": [], "NextToken": "%d"}'
    faults = [once("body", operation="ListTrainingJobs", body=page % number) for number in range(3)]
    faults.append(once("body", operation="ListTrainingJobs", body='{"TrainingJobSummaries": []}'))
    check(session, tap, "empty pages with tokens", faults, LISTED, ["0|0"])

    # the last one of the pages has a row
    faults[-1] = once("body", operation="ListTrainingJobs", body={"TrainingJobSummaries": [
        {"TrainingJobName": JOB, "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/" + JOB,
         "CreationTime": 1700000000.5, "TrainingJobStatus": "Completed"}]})
    control("calls")
    check(session, tap, "empty pages before a row", faults,
          "SELECT training_job_name, role_arn IS NOT NULL FROM %s.training_jobs", [JOB + "|t"])
    tap.equal(control("calls"), "DescribeTrainingJob=1 ListTrainingJobs=7", "... cost one call each")


def test_attempts(session, tap):
    """max_attempts limits how often a call is made."""
    for title, spec in (("answered with 500", aws(500, "InternalFailure")), ("reset", dict(kind="reset_during")),
                        ("not answered", dict(kind="hang"))):
        control("calls")
        fault(times=0, **spec)
        session.ask(ONE % "sm")
        tap.equal(control("calls"), "DescribeTrainingJob=2", "with max_attempts 2, a call that is %s is made twice" % title)
        control("clear", b"")


def test_kept_connections(session, tap):
    """A server that closes kept connections between calls: that counts as no failure."""
    session.run(LISTED % "sm")
    fault(kind="close_after", times=0)
    lines = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + ALL % "sm")
    control("clear", b"")
    retries = [line.strip() for line in lines if "API Retries" in line]
    tap.equal(retries, ["API Retries: 0"], "connections closed between calls are not retries")


def test_flapping(session, tap):
    """At least 30% of the calls for 2,000 jobs fail; all rows are returned nevertheless."""
    # each has what the ones before it leave
    fault(times=0, probability=0.11, seed=1, **aws(500, "InternalFailure"))
    fault(times=0, probability=0.11 / 0.89, seed=2, **aws(400, "ThrottlingException"))
    fault(times=0, probability=0.11 / 0.78, seed=3, kind="reset_before")
    control("calls")
    lines, state = session.ask("SELECT count(*), count(DISTINCT training_job_name), count(role_arn), "
                               "min(training_job_name), max(training_job_name) FROM bulk.training_jobs", 600)
    calls = sum(int(count.partition("=")[2]) for count in control("calls").split())
    control("clear", b"")
    tap.equal((lines, state), (["2000|2000|2000|bulk-000001|bulk-002000"], "00000"),
              "30% of the calls fail, and 2,000 jobs are read")
    # 20 pages and 2,000 jobs have been answered
    share = 1 - 2020 / calls
    tap.ok(share >= 0.3, "... that many calls really failed", "%d calls, %.3f" % (calls, share))
    tap.note("flapping: %.1f %% of %d calls failed" % (100 * share, calls))


def test(session, tap):
    connections_only = sys.argv[1:] == ["connections"]
    # short waits: what is tested is not how long they are
    short = 0.3 * SLOWNESS
    make_server(session, "sm", read_timeout=short, connect_timeout=short, max_attempts=2, throttle_timeout=1,
                max_response_size="1MB")
    make_server(session, "other", read_timeout=short, connect_timeout=short, max_attempts=2)
    make_server(session, "bulk", keys=("AKIDBULK000000000001", "secret/of+the/bulk/account00000000000001"),
                max_attempts=20, retry_mode="standard", max_concurrency=128)
    for title, specs, query, expected in CONNECTIONS + ([] if connections_only else CASES):
        check(session, tap, title, specs, query, expected)
    test_unreachable(session, tap)
    test_notice_of_trouble(session, tap)
    test_unknown_names(tap)
    test_no_watch(tap)
    test_few_descriptors(tap)
    test_attempts(session, tap)
    test_kept_connections(session, tap)
    if not connections_only:
        test_control_characters(session, tap)
        test_clock(session, tap)
        test_empty_pages(session, tap)
        test_flapping(session, tap)


if __name__ == "__main__":
    main(test)
