"""Many scans, large scans, many sessions, few descriptors: nothing grows and nothing fails.

	load.py [JOBS]

JOBS (50000) is how many jobs the large scan reads: the bulk account must have as many.  The figures printed are measured in
the backend that scans: VmRSS and VmHWM of /proc/PID/status (Linux), and the entries of /proc/PID/fd.
"""
import os
import re
import sys

from harness import BULK, Cluster, Session, another_session, control, counters, fault, full_listener, main, make_server, wait_for
from named_faults import denied, silent, throttled

SCANS = 500
WARM_UP = 100
# Scans of one statement: it is to end within a session's patience, however slow the machine.
SCANS_AT_ONCE = 50
# Half a kilobyte a scan would show.
FLAT_KB = 256
ROUNDS = 4
CANCELS = 200
CANCEL_WARM_UP = 50
LARGE = int(sys.argv[1]) if len(sys.argv) > 1 else 50000
BACKENDS = 40
JOBS_EACH = 100
CALLS_PER_SECOND = 200


def least_growth(session, repeat):
    """How many kB the backend grows by in the round with the least growth.

    A leak shows in every round; the allocator's own slack, which may be a block of
    megabytes, shows in one and not in the next.
    """
    least_kb = None
    for _ in range(ROUNDS):
        before_kb = session.kb("VmRSS")
        repeat()
        grown_kb = session.kb("VmRSS") - before_kb
        least_kb = grown_kb if least_kb is None else min(least_kb, grown_kb)
        if least_kb < FLAT_KB:
            break
    return least_kb


def test_many_scans(session, tap, title, body):
    """Run the body in a loop, and check that memory and descriptors do not grow."""
    def scan(times):
        for _ in range(times // SCANS_AT_ONCE):
            session.run("DO $$ BEGIN FOR i IN 1..%d LOOP %s END LOOP; END $$" % (SCANS_AT_ONCE, body))
    scan(WARM_UP)
    fds = session.descriptors()
    grown_kb = least_growth(session, lambda: scan(SCANS))
    tap.ok(grown_kb < FLAT_KB, "%d %s: resident memory is flat" % (SCANS, title), "%d kB" % grown_kb)
    grown_fds = session.descriptors() - fds
    tap.equal(grown_fds, 0, "... and so are open descriptors")
    tap.note("%d %s: resident memory grew by %d kB, descriptors by %d" % (SCANS, title, grown_kb, grown_fds))
    tap.equal(counters()["in_flight"], 0, "... and no call is in flight")


def test_sessions(session, tap):
    test_many_scans(session, tap, "scans of 40 jobs",
                    "IF (SELECT count(role_arn) FROM ireland.training_jobs) <> 40 "
                    "THEN RAISE 'wrong'; END IF;")
    fault(**denied(job="pytorch-ads-0001"))
    test_many_scans(session, tap, "scans that fail",
                    "BEGIN PERFORM count(role_arn) FROM sm.training_jobs; RAISE 'no error'; "
                    "EXCEPTION WHEN insufficient_privilege THEN NULL; END;")
    control("clear", b"")
    test_many_scans(session, tap, "cursors closed early",
                    "DECLARE r record; BEGIN FOR r IN SELECT role_arn FROM sm.training_jobs "
                    "LOOP EXIT; END LOOP; END;")


def timed_out(session, query, times):
    """The SQLSTATEs of statements that are cancelled by their own timeout."""
    session.run("SET statement_timeout = 5")
    states = {session.ask(query)[1] for _ in range(times)}
    session.run("RESET statement_timeout")
    return states


def cancelled(session, query, times):
    """The SQLSTATEs of statements that another session cancels."""
    states = set()
    other = another_session()
    for _ in range(times):
        # those of the one before have gone
        wait_for(lambda: counters()["in_flight"] == 0, "no call is in flight")
        session.send(query)
        wait_for(lambda: counters()["in_flight"] > 0, "a call is in flight")
        other.run("SELECT pg_cancel_backend(%d)" % session.pid)
        states.add(session.receive()[1])
    other.close()
    return states


# What is cancelled: faults, and how.
CANCELLED = [
    ("statements cancelled while calls hang", [silent(operation="DescribeTrainingJob")], cancelled),
    ("statements timed out while calls hang", [silent(operation="DescribeTrainingJob")], timed_out),
    ("statements timed out within a body", [dict(kind="drip", times=0)], timed_out),
    ("statements timed out in a delay", [throttled()], timed_out),
    ("statements timed out while calls go on", [], timed_out),
]


def test_cancels(session, tap):
    """Everything that a statement had begun ends with it."""
    query = "SELECT count(role_arn) FROM sm.training_jobs"
    for title, faults, cancel in CANCELLED:
        for spec in faults:
            fault(**spec)
        control("config", {"latency_ms": 0 if faults else 2})
        states = cancel(session, query, CANCEL_WARM_UP)
        fds, threads = session.descriptors(), session.threads()
        grown_kb = least_growth(session, lambda: states.update(cancel(session, query, CANCELS)))
        tap.equal(states, {"57014"}, "%d %s" % (CANCELS, title))
        tap.ok(grown_kb < FLAT_KB, "... resident memory is flat", "%d kB" % grown_kb)
        grown = (session.descriptors() - fds, session.threads() - threads)
        tap.equal(grown, (0, 0), "... and so are open descriptors and threads")
        tap.note("%d %s: resident memory grew by %d kB, descriptors by %d, threads by %d"
                 % (CANCELS, title, grown_kb, *grown))
        wait_for(lambda: counters()["in_flight"] == 0, "no call is in flight")
        control("clear", b"")
        control("config", {"latency_ms": 0})
        # a session that was throttled goes on slowly: forget that
        session.run("SELECT sagemaker_fdw_disconnect()")
        tap.equal(session.run(query), ["300"], "... and the session remains usable")


def test_connects(session, tap):
    """A connection attempt that fails, is given up or is cancelled leaves no descriptor counted: the process may open about 300."""
    fillers = full_listener()
    make_server(session, "backlog", url="http://127.0.0.1:%d" % fillers[0].getsockname()[1], max_attempts=1,
                connect_timeout=0.005)
    make_server(session, "refused", url="http://127.0.0.1:1", max_attempts=1)
    query = "SELECT count(role_arn) FROM %s.training_jobs"
    tap.equal({session.ask(query % "refused")[1] for _ in range(500)}, {"08001"}, "500 refused connection attempts")
    tap.equal({session.ask(query % "backlog")[1] for _ in range(500)}, {"08001"}, "500 connection attempts that are given up")
    session.run("ALTER SERVER backlog OPTIONS (SET connect_timeout '60')")
    tap.equal(timed_out(session, query % "backlog", 500), {"57014"}, "500 connection attempts that are cancelled")
    tap.equal(session.run(query % "sm"), ["300"], "... and the session remains usable")
    for filler in fillers:
        filler.close()


def test_large(session, tap):
    """A scan of many jobs keeps only a window of them in memory."""
    session.run("SELECT count(role_arn) FROM (SELECT * FROM bulk.training_jobs LIMIT 1000) AS jobs")
    with open("/proc/%d/clear_refs" % session.pid, "w", encoding="ascii") as file:
        file.write("5")
    before_kb = session.kb("VmHWM")
    lines = session.run("SELECT count(*), count(DISTINCT training_job_name), count(role_arn), "
                        "sum(length(raw_response::text)) > 0 FROM bulk.training_jobs")
    tap.equal(lines, ["%d|%d|%d|t" % (LARGE, LARGE, LARGE)], "%d jobs are read" % LARGE)
    grown_kb = session.kb("VmHWM") - before_kb
    tap.ok(grown_kb <= 16 * 1024, "... and the backend grows by 16 MB at most", "%d kB" % grown_kb)
    tap.note("a scan of %d jobs: the backend grew by %d kB" % (LARGE, grown_kb))


def test_early(session, tap):
    """What was kept of a described job until its tags call is freed with the job."""
    session.run("SELECT count(role_arn) FROM (SELECT * FROM bulk.training_jobs LIMIT 1000) AS jobs")
    with open("/proc/%d/clear_refs" % session.pid, "w", encoding="ascii") as file:
        file.write("5")
    before_kb = session.kb("VmHWM")
    lines = session.run("SELECT count(tags) FROM (SELECT tags FROM bulk.training_jobs WHERE role_arn <> '' LIMIT 3000) AS jobs")
    tap.equal(lines, ["3000"], "the tags of 3000 jobs are read")
    grown_kb = session.kb("VmHWM") - before_kb
    tap.ok(grown_kb <= 16 * 1024, "... and the backend grows by 16 MB at most", "%d kB" % grown_kb)
    tap.note("the tags of 3000 jobs that pass a condition on their documents: the backend grew by %d kB" % grown_kb)


def test_backends(tap):
    """Many backends at once; each gets few calls."""
    control("config", {"rate_limit": CALLS_PER_SECOND}, BULK[0])
    sessions = [another_session() for _ in range(BACKENDS)]
    for other in sessions:
        other.send("SELECT count(*), count(DISTINCT training_job_name), count(role_arn), min(training_job_name), "
                   "max(training_job_name) FROM (SELECT * FROM bulk.training_jobs LIMIT %d) AS jobs" % JOBS_EACH)
    expected = (["%d|%d|%d|bulk-000001|bulk-%06d" % (JOBS_EACH, JOBS_EACH, JOBS_EACH, JOBS_EACH)], "00000")
    for number, other in enumerate(sessions, 1):
        tap.equal(other.receive(600), expected, "backend %d of %d reads %d jobs" % (number, BACKENDS, JOBS_EACH))
        other.close()
    control("config", {"rate_limit": 0}, BULK[0])


def test_progress(session, tap):
    session.run("SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '100ms'")
    control("config", {"latency_ms": 20})
    lines = session.run("SELECT count(role_arn) FROM sm.training_jobs")
    control("config", {"latency_ms": 0})
    session.run("SET client_min_messages = warning; RESET sagemaker_fdw.progress_interval")
    tap.equal(lines[-1], "300", "a scan that reports its progress returns all rows")
    notice = re.compile(r"NOTICE:  reading training_jobs: \d+ jobs read of \d+ listed so far, \d+ calls, "
                        r"[\d.]+ calls a second$")
    tap.ok(any(notice.match(line) for line in lines), "... and reports it", lines)


def test_few_descriptors(tap):
    """A process with a low descriptor limit makes fewer calls at once, but all of them."""
    environment = {name: os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER")}
    cluster = Cluster(["max_files_per_process=64"])
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "sm", max_concurrency=200)
        control("reset", b"")
        control("config", {"latency_ms": 10})
        tap.equal(session.run("SELECT count(*), count(role_arn) FROM sm.training_jobs"), ["300|300"],
                  "with few descriptors a scan returns all rows")
        most = counters()["most_in_flight"]
        tap.ok(1 < most < 40, "... with fewer calls at once", most)
        tap.note("max_files_per_process 64: %d calls in flight at most" % most)
        session.close()
    finally:
        cluster.remove()
        os.environ.update(environment)
        control("reset", b"")


def test(session, tap):
    make_server(session, "sm")
    make_server(session, "ireland")
    session.run("ALTER SERVER ireland OPTIONS (SET region 'eu-west-1')")
    make_server(session, "bulk", keys=BULK)
    test_progress(session, tap)
    test_sessions(session, tap)
    test_cancels(session, tap)
    test_connects(session, tap)
    test_large(session, tap)
    test_early(session, tap)
    test_backends(tap)
    test_few_descriptors(tap)


if __name__ == "__main__":
    main(test)
