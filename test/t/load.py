"""Many scans, large scans, many sessions, few descriptors: nothing grows, nobody fails.

The figures printed are measured in the backend that scans: VmRSS and VmHWM of
/proc/PID/status (Linux), and the entries of /proc/PID/fd.
"""
import os
import re

from harness import BULK, Cluster, Session, another_session, control, counters, fault, main, make_server

SCANS = 1000
WARM_UP = 200
LARGE = 50000
BACKENDS = 40
JOBS_EACH = 500
CALLS_PER_SECOND = 200


def test_many_scans(session, tap, title, body):
    """The loop's body runs as often as its argument says; memory and descriptors stay."""
    session.run("DO $$ BEGIN FOR i IN 1..%d LOOP %s END LOOP; END $$" % (WARM_UP, body))
    fds, rss_kb = session.descriptors(), session.kb("VmRSS")
    session.run("DO $$ BEGIN FOR i IN 1..%d LOOP %s END LOOP; END $$" % (SCANS, body))
    grown_kb = session.kb("VmRSS") - rss_kb
    # the allocator's own slack moves by some pages; a kilobyte a scan would show
    tap.ok(grown_kb < 512, "%d %s: resident memory is flat" % (SCANS, title), "%d kB" % grown_kb)
    grown_fds = session.descriptors() - fds
    tap.equal(grown_fds, 0, "... and so are open descriptors")
    tap.note("%d %s: resident memory grew by %d kB, descriptors by %d" % (SCANS, title, grown_kb, grown_fds))
    tap.equal(counters()["in_flight"], 0, "... and no call is in flight")


def test_sessions(session, tap):
    test_many_scans(session, tap, "scans of 40 jobs",
                    "IF (SELECT count(role_arn) FROM ireland.training_jobs) <> 40 "
                    "THEN RAISE 'wrong'; END IF;")
    fault(kind="error", code="AccessDeniedException", job="pytorch-ads-0001", times=0)
    test_many_scans(session, tap, "scans that fail",
                    "BEGIN PERFORM count(role_arn) FROM sm.training_jobs; RAISE 'no error'; "
                    "EXCEPTION WHEN insufficient_privilege THEN NULL; END;")
    control("clear", b"")
    test_many_scans(session, tap, "cursors closed early",
                    "DECLARE r record; BEGIN FOR r IN SELECT role_arn FROM sm.training_jobs "
                    "LOOP EXIT; END LOOP; END;")


def test_large(session, tap):
    """A scan of 50,000 jobs holds a window of them."""
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


def test_backends(tap):
    """Many backends at once, of which each gets few calls."""
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
    tap.equal(lines[-1], "300", "a scan that tells its progress has all rows")
    notice = re.compile(r"NOTICE:  reading training_jobs: \d+ jobs read of \d+ listed so far, \d+ calls, "
                        r"[\d.]+ calls a second$")
    tap.ok(any(notice.match(line) for line in lines), "... and tells it", lines)


def test_few_descriptors(tap):
    """A process that may open few files makes fewer calls at once, and all of them."""
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
                  "with few descriptors a scan has all rows")
        most = counters()["most_in_flight"]
        tap.ok(1 < most < 40, "... by fewer calls at once", most)
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
    test_large(session, tap)
    test_backends(tap)
    test_few_descriptors(tap)


if __name__ == "__main__":
    main(test)
