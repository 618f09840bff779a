"""Alterations under an open cursor: the cursor goes on as it began, and the next statement sees the change.

Run below test/with-service --bulk 400.
"""
from harness import BULK, HISTORY, another_session, control, counters, fault, main, make_server, wait_for
from named_faults import denied

JOBS = "SELECT training_job_name, role_arn FROM sm.training_jobs"
COUNT = "SELECT count(*), count(role_arn) FROM sm.training_jobs"


def opened(session, kind="", hold=""):
    """The first rows of a cursor that has calls in flight."""
    session.run("BEGIN; DECLARE c %s CURSOR %s FOR %s" % (kind, hold, JOBS))
    return session.run("FETCH 10 FROM c")


def goes_on(session, tap, title, rows, expected):
    """The rest of the cursor's rows, and the results of a statement run while it is open and again afterwards."""
    tap.equal(session.run(COUNT), [expected], "%s: the next statement uses it, while the cursor is open" % title)
    rows = rows + session.run("FETCH ALL FROM c")
    tap.equal((len(rows), len(set(rows)), sum(row.endswith("|") for row in rows)), (300, 300, 0),
              "... the cursor returns all rows")
    session.run("COMMIT")
    tap.equal(session.run(COUNT), [expected], "... and so does the statement after it")


def test_alter(session, other, tap):
    control("config", {"latency_ms": 2})
    for title, order, undo, expected in (
            ("another region", "ALTER SERVER sm OPTIONS (SET region 'eu-west-1')",
             "ALTER SERVER sm OPTIONS (SET region 'us-east-1')", "40|40"),
            ("other keys", "ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_access_key_id '%s', "
             "SET aws_secret_access_key '%s')" % BULK,
             "ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_access_key_id '%s', "
             "SET aws_secret_access_key '%s')" % HISTORY, "400|400"),
            ("another mapping", "DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
             "OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')" % BULK,
             "ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_access_key_id '%s', "
             "SET aws_secret_access_key '%s')" % HISTORY, "400|400")):
        rows = opened(session)
        other.run(order)
        goes_on(session, tap, title, rows, expected)
        other.run(undo)
        tap.equal(session.run(COUNT), ["300|300"], "... and after altering it back, everything is as before")


def test_failure(session, other, tap):
    """The server is altered to use a service that does not exist."""
    rows = opened(session)
    url = other.run("SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) "
                    "WHERE srvname = 'sm' AND option_name = 'endpoint_url'")[0]
    other.run("ALTER SERVER sm OPTIONS (SET endpoint_url 'http://127.0.0.1:1', ADD max_attempts '1')")
    session.run("SAVEPOINT s")
    tap.equal(session.ask(COUNT)[1], "08001", "another endpoint, which does not exist: the next statement fails")
    session.run("ROLLBACK TO s")
    rows += session.run("FETCH ALL FROM c")
    tap.equal(len(set(rows)), 300, "... the cursor returns all rows")
    session.run("COMMIT")
    other.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s', DROP max_attempts)" % url)
    tap.equal(session.run(COUNT), ["300|300"], "... and after altering it back, everything is as before")


def test_drop(session, other, tap):
    """A role that is not a superuser loses its mapping, and gets it again."""
    session.run("CREATE ROLE reader; GRANT USAGE ON SCHEMA sm TO reader; GRANT SELECT ON sm.training_jobs TO reader")
    mapping = ("CREATE USER MAPPING FOR reader SERVER sm OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')"
               % HISTORY)
    session.run(mapping)
    session.run("SET ROLE reader")
    rows = opened(session)
    other.run("DROP USER MAPPING FOR reader SERVER sm")
    session.run("SAVEPOINT s")
    tap.equal(session.ask(COUNT)[1], "28000", "a dropped mapping: the next statement fails")
    session.run("ROLLBACK TO s")
    rows += session.run("FETCH 100 FROM c")
    other.run(mapping)
    tap.equal(session.run(COUNT), ["300|300"], "... a new mapping is used")
    rows += session.run("FETCH ALL FROM c")
    tap.equal(len(set(rows)), 300, "... the cursor returns all rows")
    session.run("COMMIT; RESET ROLE; DROP USER MAPPING FOR reader SERVER sm; DROP OWNED BY reader; DROP ROLE reader")


def test_disconnect(session, tap):
    """Calls in flight go on; the connections are closed after them."""
    for argument in ("", "'sm'"):
        rows = opened(session)
        session.run("SELECT sagemaker_fdw_disconnect(%s)" % argument)
        tap.equal(session.run(COUNT), ["300|300"], "sagemaker_fdw_disconnect(%s): another statement works" % argument)
        session.run("SELECT sagemaker_fdw_disconnect(%s)" % argument)
        rows += session.run("FETCH ALL FROM c")
        tap.equal(len(set(rows)), 300, "... the cursor returns all rows")
        session.run("COMMIT")
        tap.equal(session.run(COUNT), ["300|300"], "... and the session remains usable")
    before = session.descriptors()
    opened(session)
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run("ROLLBACK")
    wait_for(lambda: counters()["connections_open"] == 0, "the connections are closed")
    tap.ok(True, "a cursor that is closed early after it closes its connections")
    tap.equal(session.descriptors(), before, "... and leaves no descriptor")


def test_cursors(session, tap):
    """COMMIT reads a cursor WITH HOLD to its end; rolling back a savepoint closes a cursor declared after it."""
    rows = opened(session, hold="WITH HOLD")
    session.run("COMMIT")
    control("calls")
    rows += session.run("FETCH ALL FROM c")
    tap.equal((len(set(rows)), control("calls")), (300, "none"), "a cursor WITH HOLD has all rows, which COMMIT reads")
    session.run("CLOSE c")
    opened(session, hold="WITH HOLD")
    fault(**denied(operation="DescribeTrainingJob"))
    tap.equal(session.ask("COMMIT")[1], "42501", "... or COMMIT fails")
    control("clear", b"")
    tap.equal(session.run(COUNT), ["300|300"], "... and the session remains usable")

    rows = opened(session, "SCROLL")
    tap.equal(session.run("FETCH BACKWARD ALL FROM c"), rows[-2::-1], "a cursor can scroll back")
    tap.equal(len(session.run("FETCH ALL FROM c")), 300, "... and again to its end")
    session.run("COMMIT")

    session.run("BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR %s; FETCH 1 FROM c" % JOBS)
    session.run("ROLLBACK TO s")
    wait_for(lambda: counters()["in_flight"] == 0, "nothing is in flight")
    tap.equal(session.ask("SAVEPOINT t; FETCH 1 FROM c")[1], "34000", "a cursor ends with its savepoint, and its calls end with it")
    session.run("ROLLBACK TO s; COMMIT")
    # a scan that begins below a savepoint and fails there leaves the others alone
    rows = opened(session)
    session.run("SAVEPOINT s")
    fault(**denied(job="tabular-ads-0002", times=1))
    states = [session.ask(COUNT)[1]]
    session.run("ROLLBACK TO s")
    control("clear", b"")
    rows += session.run("FETCH ALL FROM c")
    tap.equal((states, len(set(rows))), (["42501"], 300), "a scan that fails below a savepoint does not affect a cursor")
    session.run("COMMIT")


def test_idle(session, tap):
    """Answers that lie unread for longer than read_timeout, because nobody fetches, do not time out."""
    make_server(session, "idle", HISTORY, read_timeout=0.2, max_attempts=1)
    control("calls")
    session.run("BEGIN; DECLARE c CURSOR FOR %s" % JOBS.replace("sm.", "idle."))
    rows = session.run("FETCH 10 FROM c")
    for _ in range(3):
        wait_for(lambda: counters()["in_flight"] == 0, "all is answered")
        session.run("SELECT pg_sleep(0.25)")
        rows += session.run("FETCH 10 FROM c")
    rows += session.run("FETCH ALL FROM c")
    session.run("COMMIT")
    tap.equal((len(set(rows)), control("calls").split()), (300, ["DescribeTrainingJob=300", "ListTrainingJobs=3"]),
              "a cursor that lay idle returns all rows, and repeats no call")


def test(session, tap):
    make_server(session, "sm", HISTORY)
    other = another_session()
    # calls for many rows are in flight after the first
    session.run("SET cursor_tuple_fraction = 1")
    test_alter(session, other, tap)
    test_failure(session, other, tap)
    test_drop(session, other, tap)
    test_disconnect(session, tap)
    test_cursors(session, tap)
    test_idle(session, tap)
    other.close()
    tap.equal(counters()["in_flight"], 0, "no call is in flight")


if __name__ == "__main__":
    main(test)
