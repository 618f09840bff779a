"""How often the service is called: the ceiling, the learned rate and who shares it, the two retry modes, Retry-After.

Told by which calls the endpoint saw, and when.  What is certain of the time is how long
they take at least: a machine that is slow makes them take longer.
"""
import contextlib
import json
import os

from harness import HISTORY, PATIENCE_S, URL, Cluster, Session, control, counters, fault, main, make_server, wait_for
from named_faults import throttled

GENERATED = "AKIDGENERATED0000001"
EVERY_NAME = json.loads(control("names"))
NAMES = EVERY_NAME[-40:]
PER_SECOND = 20
# calls of a scan at once, by default
CONCURRENCY = 16
# between the endpoint's seeing a call and the client's sending it
SLACK_S = 0.05


def look_up(table, names):
    return "SELECT role_arn FROM %s WHERE training_job_name IN (%s)" % (table, ", ".join("'%s'" % name for name in names))


def described():
    """Calls of DescribeTrainingJob so far."""
    return counters()["calls"].get("DescribeTrainingJob", 0)


def times(session, query, rows):
    """When a query's calls arrived, in seconds after the first."""
    before = len(json.loads(control("requests")))
    lines = session.run(query)
    if len(lines) != rows:
        raise AssertionError("%d rows, not %d" % (len(lines), rows))
    seen = [request["at_s"] for request in json.loads(control("requests"))[before:]]
    return [at_s - seen[0] for at_s in seen]


def at_least(tap, seen, calls, seconds, title):
    """Check that there were so many calls, and that they took so long."""
    tap.ok(len(seen) == calls and seen[-1] >= seconds, title,
           "%d calls in %.3f s, not %d in %.3f s" % (len(seen), seen[-1], calls, seconds))
    tap.note("%s: %d calls in %.2f s" % (title, len(seen), seen[-1]))


def test_ceiling(session, tap):
    seen = times(session, look_up("ceiling.training_jobs", NAMES[:20]), 20)
    at_least(tap, seen, 20, 19 / PER_SECOND - SLACK_S, "max_calls_per_second holds from the first call on")
    seen = times(session, look_up("ceiling_standard.training_jobs", NAMES[:20]), 20)
    at_least(tap, seen, 20, 19 / PER_SECOND - SLACK_S, "... in retry_mode standard, too")
    # a second's calls are not saved up for the next scan
    seen = times(session, look_up("ceiling.training_jobs", NAMES[:20]), 20)
    at_least(tap, seen, 20, 19 / PER_SECOND - SLACK_S, "... and for the next scan")
    fault(**throttled(skip=5, times=1))
    seen = times(session, look_up("ceiling.training_jobs", NAMES[:20]), 20)
    control("clear", b"")
    at_least(tap, seen, 21, 20 / PER_SECOND - SLACK_S, "... and for calls that are tried again")

    session.run("CREATE FOREIGN TABLE ceiling.more () INHERITS (ceiling.training_jobs) SERVER ceiling")
    query = look_up("ceiling.training_jobs", NAMES[:20])
    plan = "\n".join(session.run("EXPLAIN (COSTS OFF) " + query))
    tap.equal(plan.count("Async Foreign Scan"), 2, "two scans run at once")
    seen = times(session, query, 40)
    at_least(tap, seen, 40, 39 / PER_SECOND - SLACK_S, "... and share the ceiling")
    session.run("DROP FOREIGN TABLE ceiling.more; SELECT sagemaker_fdw_disconnect()")

    # the calls of the cursor stand in the queue before those of the query
    session.run("SET cursor_tuple_fraction = 1; BEGIN; DECLARE c CURSOR FOR %s; FETCH 1 FROM c"
                % look_up("ceiling.training_jobs", NAMES[:20]))
    seen = times(session, look_up("ceiling.training_jobs", NAMES[20:]), 20)
    tap.ok(len(seen) >= 30 and seen[-1] >= (len(seen) - 1) / PER_SECOND - SLACK_S,
           "a query shares the rate with an open cursor", seen)
    tap.equal(len(session.run("FETCH ALL FROM c; COMMIT; RESET cursor_tuple_fraction")), 19, "... which goes on")


def test_first_throttle(session, tap):
    """One throttled call, a session's first, says nothing about our rate: it delays no other call."""
    names = EVERY_NAME[:60]
    for mode in ("standard", "adaptive"):
        session.run("SELECT sagemaker_fdw_disconnect()")
        fault(**throttled(times=1))
        seen = times(session, look_up(mode + ".training_jobs", names), 60)
        tap.equal(len(seen), 61, "retry_mode %s: a throttled first call costs one more call" % mode)
        # as slow as the least rate is, it would take two minutes
        tap.ok(seen[-1] < 30, "... and delays no other", seen)


def test_limit(session, tap):
    """The rate that a service accepts is found with few throttled calls."""
    control("config", {"rate_limit": {"DescribeTrainingJob": PER_SECOND}})
    throttles = counters()["throttles"]
    seen = times(session, look_up("adaptive.training_jobs", EVERY_NAME[:100]), 100)
    throttles = counters()["throttles"] - throttles
    control("config", {"rate_limit": 0})
    tap.equal(len(seen), 100 + throttles, "100 jobs at 20 a second: one call for each, and one for each throttled call")
    tap.ok(0 < throttles <= 4 * CONCURRENCY, "... of which there are few", throttles)
    tap.note("%d throttles in %.2f s" % (throttles, seen[-1]))


@contextlib.contextmanager
def two_accounts():
    """Sessions of two roles that share a server and memory, but call two accounts."""
    before = dict(os.environ)
    cluster = Cluster(["shared_preload_libraries=sagemaker_fdw"], AWS_ENDPOINT_URL_STS=URL)
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "shared")
        sessions = []
        for role, account in (("one", "123456789012"), ("two", "210987654321")):
            session.run("CREATE ROLE %s SUPERUSER; CREATE USER MAPPING FOR %s SERVER shared OPTIONS (aws_access_key_id '%s', "
                        "aws_secret_access_key '%s', role_arn 'arn:aws:iam::%s:role/r')" % (role, role, *HISTORY, account))
            sessions.append(Session())
            sessions[-1].run("SET ROLE " + role)
        yield sessions
    finally:
        cluster.remove()
        os.environ.clear()
        os.environ.update(before)


def test_accounts(tap):
    """What one account's throttling teaches does not affect another account."""
    theirs = json.loads(control("names", key=GENERATED))[:40]
    with two_accounts() as (one, two):
        one.run(look_up("shared.training_jobs", NAMES[:1]))
        two.run(look_up("shared.training_jobs", theirs[:1]))
        # not one call of the first account gets through, until its rate is next to nothing
        for name in NAMES[:20]:
            fault(**throttled(job=name))
        before = described()
        one.send(look_up("shared.training_jobs", NAMES[:20]))
        wait_for(lambda: described() >= before + 50, "50 throttles", PATIENCE_S)

        before = len(json.loads(control("requests")))
        rows = two.run(look_up("shared.training_jobs", theirs))
        asked = [json.loads(request["body"])["TrainingJobName"] for request in json.loads(control("requests"))[before:]]
        tap.equal(len(rows), 40, "while one account is throttled, another account's calls get through")
        tap.equal(sorted(name for name in asked if name in theirs), sorted(theirs), "... each at the first attempt")
        others = [name for name in asked if name not in theirs]
        tap.ok(len(others) <= 5, "... without waiting for the first account's turns", others)

        tap.equal(two.run("SELECT pg_cancel_backend(%d)" % one.pid), ["t"], "... where a session still waits")
        tap.equal(one.receive()[1], "57014", "... and is cancelled")
        control("clear", b"")


def test_altered(session, tap):
    """An altered ceiling applies to the next scan, while an open cursor keeps the old one."""
    make_server(session, "altered")
    query = look_up("altered.training_jobs", NAMES[:20])
    session.run(query)
    session.run("SET cursor_tuple_fraction = 1; BEGIN; DECLARE c CURSOR FOR %s; FETCH 19 FROM c; "
                "ALTER SERVER altered OPTIONS (ADD max_calls_per_second '%d')" % (query, PER_SECOND))
    at_least(tap, times(session, query, 20), 20, 19 / PER_SECOND - SLACK_S, "a ceiling counts for the next scan of a session")
    tap.equal(len(session.run("FETCH ALL FROM c; COMMIT; RESET cursor_tuple_fraction")), 1, "... beside an open cursor")
    session.run("ALTER SERVER altered OPTIONS (SET max_calls_per_second '%d')" % (PER_SECOND // 2))
    at_least(tap, times(session, query, 20), 20, 19 / (PER_SECOND // 2) - SLACK_S, "... and so does a lower one")


PROFILE = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = k\n%%s\n" \
          "[profile k]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % HISTORY


@contextlib.contextmanager
def two_configured():
    """Sessions that share memory, each with a server of its own, whose endpoint is set in the cluster's
    configuration once they have asked AWS's own, in vain."""
    before = dict(os.environ)
    cluster = Cluster(["shared_preload_libraries=sagemaker_fdw"], AWS_ENDPOINT_URL_STS=URL)
    cluster.environment += ["AWS_CONFIG_FILE=%s/config" % cluster.directory, "AWS_SHARED_CREDENTIALS_FILE=/none"]
    os.chmod(cluster.directory, 0o755)

    def configure(endpoint):
        with open(cluster.directory + "/config", "w", encoding="utf-8") as file:
            file.write(PROFILE % endpoint)
    try:
        configure("")
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        for name in ("one", "two"):
            # nobody listens at the proxy, which what is local does without
            session.run("CREATE SERVER {0} FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', max_attempts '1', "
                        "proxy_url 'http://127.0.0.1:9'); CREATE USER MAPPING FOR CURRENT_USER SERVER {0} OPTIONS "
                        "(allow_ambient_credentials 'true', profile 'p'); CREATE SCHEMA {0}; "
                        "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0} INTO {0}".format(name))
        # whatever is altered would make them forget what they keep
        sessions = []
        for name in ("one", "two"):
            sessions.append(Session())
            state = sessions[-1].ask(look_up(name + ".training_jobs", NAMES[:1]))[1]
            if not state.startswith("08"):
                raise AssertionError("a call to AWS ends with %s" % state)
        configure("endpoint_url = %s" % URL)
        yield sessions
    finally:
        cluster.remove()
        os.environ.clear()
        os.environ.update(before)


def test_configured_endpoint(tap):
    """A custom endpoint has a rate of its own, even if it was configured while a session was running."""
    names = EVERY_NAME[:40]
    with two_configured() as (one, two):
        for name in NAMES[:20]:
            fault(**throttled(job=name))
        before = described()
        one.send(look_up("one.training_jobs", NAMES[:20]))
        wait_for(lambda: described() >= before + 30, "30 throttles", PATIENCE_S)

        before = len(json.loads(control("requests")))
        rows = two.run(look_up("two.training_jobs", names))
        asked = [json.loads(request["body"]) for request in json.loads(control("requests"))[before:]
                 if request["operation"] == "DescribeTrainingJob"]
        asked = [body["TrainingJobName"] for body in asked]
        tap.equal(len(rows), 40, "while one endpoint throttles, calls to another one for the same account get through")
        tap.equal(sorted(name for name in asked if name in names), sorted(names), "... each at the first attempt")
        others = [name for name in asked if name not in names]
        tap.ok(len(others) <= 5, "... without waiting for the first endpoint's turns", others)
        two.run("SELECT pg_cancel_backend(%d)" % one.pid)
        tap.equal(one.receive()[1], "57014", "... where a session still waits, and is cancelled")
        control("clear", b"")


def test_retry_after(session, tap):
    """A delay in Retry-After replaces the client's own, which is 1 s at most, if it is longer."""
    for status in (429, 503):
        for header, value, seconds in (("Retry-After", "1", 1), ("x-amz-retry-after", "1200", 1.2)):
            session.run("SELECT sagemaker_fdw_disconnect()")
            fault(kind="body", status=status, headers=[[header, value]], body="")
            seen = times(session, look_up("standard.training_jobs", NAMES[:1]), 1)
            at_least(tap, seen, 2, seconds, "%d with %s %s is waited for" % (status, header, value))
    for value in ("Fri, 31 Dec 2199 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 GMT", "later", "inf", "-1"):
        session.run("SELECT sagemaker_fdw_disconnect()")
        fault(kind="body", status=429, headers=[["Retry-After", value]], body="")
        seen = times(session, look_up("standard.training_jobs", NAMES[:1]), 1)
        tap.ok(len(seen) == 2 and seen[-1] < 30, "Retry-After %s is not" % value, seen)


def test_oldest_first(session, tap):
    """The oldest call is retried as often as any, because a scan waits for it."""
    make_server(session, "storm", throttle_timeout=4)
    fault(**throttled(operation="DescribeTrainingJob"))
    before = len(json.loads(control("requests")))
    state = session.ask(look_up("storm.training_jobs", NAMES))[1]
    control("clear", b"")
    tries = {}
    for request in json.loads(control("requests"))[before:]:
        name = json.loads(request["body"])["TrainingJobName"]
        tries[name] = tries.get(name, 0) + 1
    oldest = next(iter(tries))
    tap.equal((state, tries[oldest] >= max(tries.values()) - 1), ("53000", True),
              "where no call succeeds, the oldest is retried as often as any, and its timeout ends the scan")
    tap.note("tries: %s" % sorted(tries.values()))


def test_hardly_any(session, tap):
    """A ceiling of almost zero makes a statement wait, and the backend does not spin."""
    make_server(session, "never", max_calls_per_second="0.0000000000001")
    session.run("SET statement_timeout = 300")
    tap.equal(session.ask(look_up("never.training_jobs", NAMES[:2]))[1], "57014", "a turn that is millions of years away can be cancelled")
    session.run("RESET statement_timeout")


def test(session, tap):
    make_server(session, "ceiling", max_calls_per_second=PER_SECOND)
    make_server(session, "ceiling_standard", max_calls_per_second=PER_SECOND, retry_mode="standard")
    make_server(session, "standard", retry_mode="standard")
    make_server(session, "adaptive")
    test_ceiling(session, tap)
    test_first_throttle(session, tap)
    test_limit(session, tap)
    test_retry_after(session, tap)
    test_oldest_first(session, tap)
    test_hardly_any(session, tap)
    test_accounts(tap)
    test_altered(session, tap)
    test_configured_endpoint(tap)


if __name__ == "__main__":
    main(test)
