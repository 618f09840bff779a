"""A refreshed table whose history Search fills, with proofs and checks: scan_api 'auto'.

	refresh_auto.py [--kills N]

In a long run it is killed 50 times.  Run below test/with-service --bulk 10000.  The cluster is the test's own.
"""
import argparse
import json
import os
import random
import signal
import subprocess

from harness import BULK, Cluster, Session, Tap, cluster_session, control, counters, fault, make_server, wait_for
from refresh import SINCE, calls, refresh

JOBS = 10000
REGIONS = {"east": "us-east-1", "west": "us-west-2"}
HONEST = {"bulk_running": 0, "search_records": []}
# jobs of a window of the history, as refresh_claim has it, and windows of a region
LARGEST = 495
WINDOWS = -(-JOBS // (LARGEST - 1))


def make_source(session, name, scan_api):
    """NAME.jobs, partitioned by region, on servers with that scan_api; its columns are those that Search has."""
    for region in REGIONS:
        server = "%s_%s" % (name, region)
        make_server(session, server, BULK, scan_api=scan_api)
        session.run("ALTER SERVER %s OPTIONS (SET region '%s'); DROP FOREIGN TABLE %s.training_jobs; "
                    "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER %s INTO %s OPTIONS (attributes 'search')"
                    % (server, REGIONS[region], server, server, server))
    session.run("CREATE SCHEMA %s; CREATE TABLE %s.jobs (LIKE %s.training_jobs) PARTITION BY LIST (region)" % (name, name, server))
    for region in REGIONS:
        session.run("ALTER TABLE %s.jobs ATTACH PARTITION %s_%s.training_jobs FOR VALUES IN ('%s')" % (name, name, region, REGIONS[region]))


def forget(session):
    """Another session, and other servers: it does not know what was found out of Search by those that share memory.

    All sessions do from Postgres 17 on.
    """
    session.close()
    session = Session()
    session.run("DROP SCHEMA auto CASCADE")
    for region in REGIONS:
        session.run("DROP SERVER auto_{0} CASCADE; DROP SCHEMA auto_{0} CASCADE".format(region))
    make_source(session, "auto", "auto")
    return session


def described(running):
    """The table with the jobs as describe returns them while so many percent are in progress."""
    return "described_%d" % running


def keep_described(session, running, source):
    """Make that table from a source."""
    columns = session.run(
        "SELECT string_agg(CASE WHEN typtype = 'e' THEN attname || '::text AS ' || attname ELSE attname END, ', ' ORDER BY attnum) "
        "FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid WHERE attrelid = 'plain.jobs'::regclass AND attnum > 0 "
        "AND attname NOT IN ('environment', 'raw_response')")[0]
    control("config", {"bulk_running": running})
    session.run("CREATE TABLE %s AS SELECT %s FROM %s" % (described(running), columns, source))
    control("config", HONEST)


def differences(session, target, running=0, where="true"):
    """How many rows of the target differ from describe's."""
    table = described(running)
    columns = session.run("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0" % table)[0]
    kept = "SELECT %s FROM %s WHERE deleted_at IS NULL" % (columns, target)
    read = "SELECT %s FROM %s WHERE %s" % (columns, table, where)
    return int(session.run("SELECT count(*) FROM ((%s EXCEPT ALL %s) UNION ALL (%s EXCEPT ALL %s)) AS d"
                           % (kept, read, read, kept))[0])


def test_fill(session, tap):
    """All jobs have ended, and Search is right."""
    calls(BULK)
    numbers = refresh(session, "reports.filled", "auto.jobs")
    made = calls(BULK)
    tap.equal(numbers[:4], [2 * JOBS, 0, 0, 0], "a fill of %d jobs in two regions" % (2 * JOBS))
    tap.equal(differences(session, "reports.filled"), 0, "... stores them as describe returns them")
    # a window begins a new page and a new batch
    tap.ok(made["Search"] <= 2 * (JOBS // 100 + WINDOWS), "... Search is asked for a hundred jobs at a time", made)
    tap.equal((made["DescribeTrainingJob"], made["ListTags"]), (made["Search"], made["Search"]),
              "... one of each hundred is described for comparison, whatever raw_response is read for")
    tap.equal(sum(made.values()), numbers[4], "... the summary counts all these calls")
    tap.note("%d jobs in two regions: %d calls, %r" % (2 * JOBS, numbers[4], made))

    # the statuses are read from raw_response
    tap.equal(session.run("SELECT count(*) FROM reports.filled WHERE training_job_status IN ('Completed', 'Failed', 'Stopped') AND secondary_status IS NOT NULL"),
              [str(2 * JOBS)], "... labels are stored")
    numbers = refresh(session, "reports.filled", "auto.jobs")
    made = calls(BULK)
    tap.equal((numbers[:2], made.get("Search", 0), made.get("DescribeTrainingJob", 0)), ([0, 0], 0, 0), "the next run asks for none of them")


def test_running(session, tap):
    """One job in twenty is in progress."""
    control("config", {"bulk_running": 5})
    numbers = refresh(session, "reports.running", "auto_east.training_jobs")
    made = calls(BULK)
    tap.equal((numbers[0], session.run("SELECT count(*) FROM reports.running WHERE training_job_status = 'InProgress'")),
              (JOBS, [str(JOBS // 20)]), "a fill of jobs of which one in twenty runs")
    tap.equal(made["DescribeTrainingJob"] - made["Search"], JOBS // 20, "... describes these, and one for each Search")
    control("config", HONEST)
    return made


def test_lying(session, tap):
    """Search returns a wrong role for each job: from the beginning, or from the first or a later Search of some window."""
    # with 39 % in progress a window has 300 jobs for Search, and two that are too few for another batch
    for number, (running, first) in enumerate(((0, 0), (0, 6 * LARGEST + 200), (39, 9 * 300), (39, 12 * 300 + 100))):
        target = "reports.lied_to_%d" % number
        session = forget(session)
        control("config", {"bulk_running": running, "search_records": [{"kind": "other", "members": {"RoleArn": "arn:aws:iam::0:role/x"}, "skip": first}]})
        calls(BULK)
        numbers = refresh(session, target, "auto_east.training_jobs")
        made = calls(BULK)
        control("config", HONEST)
        tap.equal(numbers[0], JOBS, "a fill with %d %% of the jobs in progress, after %d right records of Search" % (running, first))
        tap.equal(differences(session, target, running, "region = 'us-east-1'"), 0, "... stores the right values of all jobs")
        # those that came before, but for the window that was read twice
        tap.ok(made["Search"] >= first // 100 + 1 and made["DescribeTrainingJob"] <= JOBS - first + 2 * LARGEST + made["Search"],
               "... and took the earlier ones from Search", made)
    return session


def test_lying_anew(session, tap):
    """The tags of all jobs are wrong, so a window is read again, still through Search; then roles are wrong, of one job at first."""
    session = forget(session)
    roles = [{"kind": "other", "job": "bulk-%06d" % number, "members": {"RoleArn": "arn:aws:iam::0:role/x"}, "skip": 1}
             for number in (150, *range(301, 401))]
    control("config", {"search_records": [{"kind": "other", "members": {"Tags": []}}, *roles]})
    since = session.run("SELECT creation_time FROM %s WHERE region = 'us-east-1' ORDER BY 1 DESC OFFSET 479 LIMIT 1" % described(0))[0]
    session.run("CALL sagemaker_fdw_refresh('reports.lied_to_anew', 'auto_east.training_jobs', since => '%s')" % since)
    control("config", HONEST)
    tap.equal(session.run("SELECT count(*), count(*) FILTER (WHERE role_arn LIKE '%:0:%') FROM reports.lied_to_anew"), ["480|0"],
              "a window is read again as long as another difference is found")
    return session


def test_found_by_another(tap):
    """Another session finds that Search differs while a window is filled that has a wrong, unchecked record."""
    with cluster_session(["shared_preload_libraries=sagemaker_fdw"]) as session:
        session.run("CREATE SCHEMA reports")
        other = Session()
        # jobs of the first batches wait in a row, or have left, when the Search for the late one is answered
        for title, late, lied, searches, described_jobs in (("before its first row", 1, 150, 2, 400 - 2), ("when most rows have left", 350, 50, 4, 100 - 1 + 400)):
            server = "late_%d" % late
            control("config", HONEST)
            make_server(session, server, BULK, scan_api="auto")
            session.run("DROP FOREIGN TABLE {0}.training_jobs; IMPORT FOREIGN SCHEMA sagemaker FROM SERVER {0} INTO {0} "
                        "OPTIONS (attributes 'search')".format(server))
            times = session.run("SELECT creation_time FROM %s.training_jobs WHERE training_job_name IN ('bulk-000400', 'bulk-000401', 'bulk-000405') "
                                "ORDER BY 1 DESC" % server)
            control("config", {"search_records": [{"kind": "other", "job": "bulk-%06d" % number, "members": {"RoleArn": "arn:aws:iam::0:role/x"}}
                                                  for number in (lied, *range(401, 406))]})
            fault(kind="delay", operation="Search", contains="bulk-%06d" % late, delay_ms=3000)
            calls(BULK)
            before = counters()["calls"].get("Search", 0)
            session.send("CALL sagemaker_fdw_refresh('reports.%s', '%s.training_jobs', since => '%s')" % (server, server, times[0]))
            wait_for(lambda: counters()["calls"].get("Search", 0) == before + searches and counters()["in_flight"] == 1,
                     "the fill waits for Search")
            rows = other.run("SELECT role_arn FROM %s.training_jobs WHERE creation_time BETWEEN '%s' AND '%s'" % (server, times[2], times[1]))
            tap.equal((len(rows), len([row for row in rows if ":0:" in row])), (5, 0), "another session finds that Search differs")
            calls(BULK)
            tap.equal(counters()["in_flight"], 1, "... %s" % title)
            tap.equal(session.receive()[1], "00000", "... the fill succeeds")
            tap.equal(calls(BULK)["DescribeTrainingJob"], described_jobs, "... and describes the window's jobs from then on, or again")
            tap.equal(session.run("SELECT count(*), count(*) FILTER (WHERE role_arn LIKE '%%:0:%%') FROM reports.%s" % server), ["400|0"],
                      "... and stores the right values of all jobs")
        control("config", HONEST)
        other.close()


def test_kills(session, tap, kills):
    """A fill that is killed again and again."""
    chance = random.Random(17)
    call = "CALL sagemaker_fdw_refresh('reports.killed', 'auto.jobs', since => '%s')" % SINCE
    searches = lambda: json.loads(control("counters", key=BULK[0]))["calls"].get("Search", 0)
    # few more are made until the one that kills has its say
    control("config", {"latency_ms": {"Search": 20}})
    calls(BULK)
    for number in range(kills):
        victim = Session()
        # a window takes five: some have one behind them, or several
        until = searches() + chance.randrange(300 // kills + 5)
        victim.send(call)
        wait_for(lambda: searches() >= until, "the fill goes on", 60)
        if number % 5 == 4:
            os.kill(victim.pid, signal.SIGKILL)
        else:
            session.run("SELECT pg_terminate_backend(%d)" % victim.pid)
        victim.receive_end()
        victim.close()
        if number % 5 == 4:
            # the other sessions went with the one that crashed
            session.close()
            wait_for(lambda: subprocess.run(["psql", "-X", "-q", "-d", "postgres", "-c", ""], stderr=subprocess.DEVNULL,
                                            check=False).returncode == 0, "the cluster has recovered")
            session = Session()
    control("config", {"latency_ms": 0})
    left = session.run("SELECT count(*) FROM reports.killed")[0]
    tap.ok(0 < int(left) < 2 * JOBS, "after %d kills part of the history is stored" % kills, left)
    refresh(session, "reports.killed", "auto.jobs")
    made = calls(BULK)
    tap.equal(session.run("SELECT count(*), count(deleted_at) FROM reports.killed"), ["%d|0" % (2 * JOBS)], "... the next run completes it")
    tap.equal(differences(session, "reports.killed"), 0, "... all jobs have the right values")
    # five Searches are a window's
    tap.ok(made["Search"] <= 2 * (JOBS // 100 + WINDOWS) + 5 * kills and made["DescribeTrainingJob"] <= made["Search"],
           "... and the calls are those of one fill, and of one window for each kill", made)
    tap.note("%d kills, the last after %s jobs: %r" % (kills, left, made))
    return session


def test(session, tap, kills):
    control("config", HONEST)
    session.run("CREATE SCHEMA reports")
    make_source(session, "auto", "auto")
    make_source(session, "plain", "describe")
    keep_described(session, 0, "plain.jobs")
    keep_described(session, 39, "plain_east.training_jobs")
    test_fill(session, tap)
    test_running(session, tap)
    session = test_lying(session, tap)
    session = test_lying_anew(session, tap)
    test_found_by_another(tap)
    test_kills(forget(session), tap, kills)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    tap = Tap()
    cluster = Cluster()
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        test(session, tap, options.kills)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
