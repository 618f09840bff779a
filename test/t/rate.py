"""How often the service is called: the ceiling, the two retry modes, and Retry-After.

Told by when the endpoint saw the calls.  What is certain is how long they take at
least: a machine that is slow makes them take longer.
"""
import json

from harness import control, fault, main, make_server

NAMES = json.loads(control("names"))[-40:]
PER_SECOND = 20
# between the endpoint's seeing a call and the client's sending it
SLACK_S = 0.05


def look_up(table, names):
    return "SELECT role_arn FROM %s WHERE training_job_name IN (%s)" % (table, ", ".join("'%s'" % name for name in names))


def times(session, query, rows):
    """When the calls of a query came, in seconds after the first."""
    before = len(json.loads(control("requests")))
    lines = session.run(query)
    if len(lines) != rows:
        raise AssertionError("%d rows, not %d" % (len(lines), rows))
    seen = [request["at_s"] for request in json.loads(control("requests"))[before:]]
    return [at_s - seen[0] for at_s in seen]


def at_least(tap, seen, calls, seconds, title):
    """So many calls, that took so long."""
    tap.ok(len(seen) == calls and seen[-1] >= seconds, title,
           "%d calls in %.3f s, not %d in %.3f s" % (len(seen), seen[-1], calls, seconds))
    tap.note("%s: %d calls in %.2f s" % (title, len(seen), seen[-1]))


def test_ceiling(session, tap):
    seen = times(session, look_up("ceiling.training_jobs", NAMES[:20]), 20)
    at_least(tap, seen, 20, 19 / PER_SECOND - SLACK_S, "max_calls_per_second holds from the first call on")
    # a second's calls are not saved up for the next scan
    seen = times(session, look_up("ceiling.training_jobs", NAMES[:20]), 20)
    at_least(tap, seen, 20, 19 / PER_SECOND - SLACK_S, "... and for the next scan")
    fault(kind="error", code="ThrottlingException", skip=5, times=1)
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
           "a query shares it with an open cursor", seen)
    tap.equal(len(session.run("FETCH ALL FROM c; COMMIT; RESET cursor_tuple_fraction")), 19, "... which goes on")


def test_modes(session, tap):
    """After a throttle the adaptive mode holds calls back; the standard mode only the one."""
    took = {}
    for mode in ("standard", "adaptive"):
        session.run("SELECT sagemaker_fdw_disconnect()")
        fault(kind="error", code="ThrottlingException", times=1)
        seen = times(session, look_up(mode + ".training_jobs", NAMES[:20]), 20)
        tap.equal(len(seen), 21, "retry_mode %s: one throttle is one more call" % mode)
        took[mode] = seen[-1]
        tap.note("retry_mode %s: 20 calls and a throttle take %.2f s" % (mode, seen[-1]))
    tap.ok(took["standard"] < 2, "... in standard mode others do not wait for it", took)
    tap.ok(took["adaptive"] > 2, "... in adaptive mode they do", took)


def test_retry_after(session, tap):
    """A delay that is asked for is longer than the client's own, which is 1 s at most."""
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


def test_hardly_any(session, tap):
    """A ceiling of next to nothing makes a statement wait, not the backend spin."""
    make_server(session, "never", max_calls_per_second="0.0000000000001")
    session.run("SET statement_timeout = 300")
    tap.equal(session.ask(look_up("never.training_jobs", NAMES[:2]))[1], "57014", "a turn in millions of years can be cancelled")
    session.run("RESET statement_timeout")


def test(session, tap):
    make_server(session, "ceiling", max_calls_per_second=PER_SECOND)
    make_server(session, "standard", retry_mode="standard")
    make_server(session, "adaptive")
    test_ceiling(session, tap)
    test_modes(session, tap)
    test_retry_after(session, tap)
    test_hardly_any(session, tap)


if __name__ == "__main__":
    main(test)
