"""What an operator can observe: log lines of slow calls, the numbers of calls, and
the progress of scans.

The clusters are the test's own: one that preloads the library, whose sessions share
what they know, and one that does not.
"""
import json
import os
import re
import signal
import time

from harness import HISTORY, URL, Cluster, Died, Session, Tap, control, explained, fault, make_server, wait_for
from named_faults import broken, denied, expired, silent, throttled

JOB = "pytorch-ads-0001"
ONE = "SELECT role_arn FROM sm.training_jobs WHERE training_job_name = '%s'"
DESCRIBE, LIST = ("sm", "us-east-1", "DescribeTrainingJob"), ("sm", "us-east-1", "ListTrainingJobs")
# How many scans a session shows.
SLOTS = 16
FIGURES = re.compile(r"\d+[.]\d{3} ms")


def slow_calls(cluster, session, query):
    """(the log lines while the query runs, times as "# ms"; their milliseconds; its SQLSTATE)."""
    with open(cluster.directory + "/log", encoding="utf-8") as file:
        file.seek(0, 2)
        state = session.ask(query)[1]
        text = file.read()
    lines = [re.sub(r"^.*? \[\d+\] ", "", line) for line in text.splitlines()]
    return ([FIGURES.sub("# ms", line) for line in lines],
            [float(figure[:-3]) for figure in FIGURES.findall(text)], state)


def test_log(tap, cluster):
    session = Session()
    control("config", {"request_id": "id-of-the-request", "latency_ms": {"DescribeTrainingJob": 1500}})
    tap.equal(slow_calls(cluster, session, ONE % JOB)[0], [], "no call is logged by default")
    session.run("SET sagemaker_fdw.log_min_duration = '1s'")
    lines, took_ms, _ = slow_calls(cluster, session, ONE % JOB)
    tap.equal(lines, ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
                      "1 attempt, request id id-of-the-request" % JOB], "a slow call is one line in the log")
    tap.ok(len(took_ms) == 1 and took_ms[0] >= 1500, "... with the time it took", took_ms)
    tap.equal(slow_calls(cluster, session, "SELECT count(*) FROM sm.training_jobs")[0], [], "calls that are not slow are not logged")

    control("config", {"latency_ms": 0})
    session.run("SET sagemaker_fdw.log_min_duration = 0")
    fault(**throttled(times=1))
    tap.equal(slow_calls(cluster, session, ONE % JOB)[0],
              ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
               "2 attempts, request id id-of-the-request" % JOB], "several attempts are one call")
    tap.equal(slow_calls(cluster, session, "SELECT training_job_name FROM sm.training_jobs LIMIT 1")[0],
              ["LOG:  ListTrainingJobs on server \"sm\" succeeded after # ms: 1 attempt, request id id-of-the-request"],
              "a call for a page names no job")
    fault(**denied(times=1))
    lines, _, state = slow_calls(cluster, session, "SELECT sagemaker_describe_training_job('sm', '%s')" % JOB)
    tap.equal((lines[:1], state), (["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" failed after # ms: "
                                    "1 attempt, request id id-of-the-request" % JOB], "42501"), "a failed call is logged, too")
    fault(kind="reset_before", times=0)
    session.run("ALTER SERVER sm OPTIONS (ADD max_attempts '2')")
    lines, _, state = slow_calls(cluster, session, ONE % JOB)
    control("clear", b"")
    session.run("ALTER SERVER sm OPTIONS (DROP max_attempts)")
    tap.equal((lines[:1], state), (["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" failed after # ms: "
                                    "2 attempts, no request id" % JOB], "08006"), "... without a request id when there was no answer")
    control("config", {"request_id": "two\twords of %s" % HISTORY[1]})
    lines, _, _ = slow_calls(cluster, session, ONE % JOB)
    control("config", {"request_id": None})
    tap.equal(lines, ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
                      "1 attempt, no request id" % JOB], "a malformed request id is not logged")
    session.run("CREATE ROLE plain; SET ROLE plain")
    tap.equal(session.ask("SET sagemaker_fdw.log_min_duration = -1")[1], "42501", "only superusers set what is logged")
    session.run("RESET ROLE; DROP ROLE plain")
    session.close()


def figures(session):
    """The view, as (server, region, operation) to [calls, rows, retries, throttles, errors]."""
    lines = session.run("SELECT server, region, operation, calls, rows, retries, throttles, errors FROM sagemaker_fdw_stats")
    found = [line.split("|") for line in lines]
    if len({tuple(row[:3]) for row in found}) != len(found):
        raise Died("not a row for each server, region and operation: %r" % found)
    return {tuple(row[:3]): [int(figure) for figure in row[3:]] for row in found}


def counted(session, query):
    """What a query adds, as figures() returns it; (its output)."""
    session.run("SELECT sagemaker_fdw_stats_reset()")
    plan = explained(session, query, "ANALYZE, ")
    while plan["Node Type"] != "Foreign Scan":
        plan = plan["Plans"][0]
    return figures(session), plan


def test_figures(session, tap):
    """What is counted, and under which name; the counts are the session's alone."""
    session.run("SELECT sagemaker_fdw_stats_reset()")
    tap.equal(figures(session), {}, "nothing is counted before the first call")
    found, _ = counted(session, "SELECT count(role_arn) FROM sm.training_jobs")
    tap.equal(found, {LIST: [3, 300, 0, 0, 0], DESCRIBE: [300, 300, 0, 0, 0]}, "pages and documents are counted")
    session.run("SELECT role_arn FROM sm.training_jobs WHERE training_job_name = '%s'" % JOB)
    session.run("SELECT sagemaker_describe_training_job('sm', '%s')" % JOB)
    tap.equal(figures(session), {LIST: [3, 300, 0, 0, 0], DESCRIBE: [302, 302, 0, 0, 0]}, "... and added up, including those of functions")

    fault(**throttled(operation="ListTrainingJobs", times=1))
    fault(**broken(operation="DescribeTrainingJob", skip=7, times=2))
    found, plan = counted(session, "SELECT count(role_arn) FROM sm.training_jobs")
    tap.equal(found, {LIST: [4, 300, 1, 1, 0], DESCRIBE: [302, 300, 2, 0, 0]}, "retries and throttled calls are counted for their operation")
    tap.equal([plan["API Calls"], plan["API Retries"], plan["API Throttles"]], [306, 3, 1], "EXPLAIN counts the same in sum")
    received, waited = session.run("SELECT sum(bytes_received), sum(wait_ms) FROM sagemaker_fdw_stats")[0].split("|")
    tap.equal(int(received), plan["API Bytes Received"], "... and the same bytes")
    tap.ok(plan["API Wait Time"] > 0 and abs(float(waited) - plan["API Wait Time"]) < 0.01, "... and the same time waited",
           (waited, plan["API Wait Time"]))

    found, _ = counted(session, "SELECT role_arn FROM sm.training_jobs WHERE training_job_name = 'no-such-job'")
    tap.equal(found, {DESCRIBE: [1, 0, 0, 0, 0]}, "a job that does not exist does not count as an error")
    session.run("SELECT sagemaker_fdw_stats_reset()")
    fault(**denied())
    tap.equal(session.ask(ONE % JOB)[1], "42501", "a call is denied")
    control("clear", b"")
    tap.equal(figures(session), {DESCRIBE: [1, 0, 0, 0, 1]}, "... which counts as an error")
    session.run("SELECT sagemaker_fdw_stats_reset(); SET sagemaker_fdw.max_calls = 2")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "54000", "a scan makes as many calls as it may")
    session.run("RESET sagemaker_fdw.max_calls")
    tap.equal(figures(session), {LIST: [2, 200, 0, 0, 0]}, "... and a call that was not made does not count as an error")

    found, _ = counted(session, "SELECT training_job_name, tags FROM sm.training_jobs WHERE training_job_name = '%s'" % JOB)
    tap.equal(found, {DESCRIBE: [1, 1, 0, 0, 0], ("sm", "us-east-1", "ListTags"): [1, 1, 0, 0, 0]}, "tags are counted as one row for each job")
    found, _ = counted(session, "SELECT count(role_arn) FROM searched.training_jobs")
    tap.equal(found, {("searched", "us-east-1", "Search"): [3, 300, 0, 0, 0]}, "each server has its own row")
    session.run("CREATE FOREIGN TABLE elsewhere (training_job_name text) SERVER sm OPTIONS (region 'eu-west-1')")
    found, _ = counted(session, "SELECT count(*) FROM elsewhere")
    tap.equal(list(found), [("sm", "eu-west-1", "ListTrainingJobs")], "... and so has each region")
    session.run("ALTER SERVER sm RENAME TO other; DROP FOREIGN TABLE elsewhere")
    tap.equal(list(figures(session)), [("other", "eu-west-1", "ListTrainingJobs")], "a renamed server keeps its row")
    session.run("ALTER SERVER other RENAME TO sm; DROP SERVER searched CASCADE")
    tap.equal([key for key in figures(session) if key[0] != "sm"], [], "a dropped server does not")


def test_roles(session, tap):
    session.run("CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE auditor IN ROLE pg_read_all_stats; CREATE ROLE boss IN ROLE bob; "
                "GRANT USAGE ON FOREIGN SERVER sm TO alice, bob; GRANT USAGE ON SCHEMA sm TO PUBLIC; "
                "GRANT SELECT ON sm.training_jobs TO alice, bob")
    for role in ("alice", "bob"):
        session.run("CREATE USER MAPPING FOR %s SERVER sm OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')"
                    % (role, *HISTORY))
    session.run("SELECT sagemaker_fdw_stats_reset(); SET ROLE alice; %s; SET ROLE bob; %s; %s; RESET ROLE"
                % (ONE % JOB, ONE % JOB, ONE % JOB))
    session.run("GRANT SELECT ON sm.training_jobs TO boss; CREATE VIEW bobs AS %s; ALTER VIEW bobs OWNER TO bob; "
                "GRANT SELECT ON bobs TO alice; SET ROLE alice; SELECT * FROM bobs; RESET ROLE" % (ONE % JOB))
    for role, calls in (("alice", 1), ("bob", 3), ("boss", 3), ("auditor", 4), ("postgres", 4)):
        session.run("SET ROLE %s" % role)
        tap.equal(figures(session), {DESCRIBE: [calls, calls, 0, 0, 0]}, "%s sees the calls that are made for roles it has" % role)
    session.run("RESET ROLE; CREATE ROLE nobody; SET ROLE nobody")
    tap.equal(figures(session), {}, "... and nobody sees none")
    tap.equal(session.ask("SELECT sagemaker_fdw_stats_reset()")[1], "42501", "a plain role cannot reset the counts")
    session.run("RESET ROLE; DROP VIEW bobs; DROP OWNED BY bob, boss; DROP ROLE boss, bob")
    tap.equal(figures(session), {DESCRIBE: [4, 4, 0, 0, 0]}, "calls for a dropped role remain counted")
    session.run("SET ROLE auditor")
    tap.equal(figures(session), {DESCRIBE: [4, 4, 0, 0, 0]}, "... and are visible to roles that may see all")
    session.run("SET ROLE alice")
    tap.equal(figures(session), {DESCRIBE: [1, 1, 0, 0, 0]}, "... and to no other role")
    session.run("RESET ROLE; GRANT EXECUTE ON FUNCTION sagemaker_fdw_stats_reset() TO nobody; SET ROLE nobody; "
                "SELECT sagemaker_fdw_stats_reset(); RESET ROLE")
    tap.equal(figures(session), {}, "a role may reset the counts without permission to see them")
    session.run("REVOKE EXECUTE ON FUNCTION sagemaker_fdw_stats_reset() FROM nobody; "
                "DROP OWNED BY alice; DROP ROLE nobody, alice, auditor")


def test_full(session, tap, capacity):
    """More regions than there is room for."""
    session.run("SELECT sagemaker_fdw_stats_reset()")
    number = capacity + 50
    session.run("DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE FOREIGN TABLE region_%%s (training_job_name text) "
                "SERVER sm OPTIONS (region %%L)', i, 'us-east-' || i); END LOOP; END $$" % number)
    session.run("DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('SELECT FROM region_%%s', i); END LOOP; END $$" % number)
    tap.equal(sorted(int(key[1][8:]) for key in figures(session)), list(range(51, number + 1)),
              "when there is no room, the row that was unused for the longest time is removed")
    session.run("DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('DROP FOREIGN TABLE region_%%s', i); END LOOP; END $$" % number)
    session.run("SELECT sagemaker_fdw_disconnect()")
    found, _ = counted(session, ONE % JOB)
    tap.equal(found, {DESCRIBE: [1, 1, 0, 0, 0]}, "a reset makes room for all")


def regions_of(session, role):
    """The numbers of the regions that were called for the role, and its other calls."""
    session.run("SET ROLE " + role)
    found = figures(session)
    session.run("RESET ROLE")
    return (sorted(int(key[1][8:]) for key in found if key[1] != "us-east-1"), {key: row for key, row in found.items() if key[1] == "us-east-1"})


def test_shares(session, tap, capacity, shared):
    """One role makes more kinds of calls than there is room for: other roles keep their rows."""
    number = capacity + 100
    session.run("CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE mallory; GRANT USAGE ON FOREIGN SERVER sm TO alice, bob, mallory; "
                "GRANT USAGE ON SCHEMA sm TO PUBLIC; GRANT SELECT ON sm.training_jobs TO alice, bob; CREATE SCHEMA many; "
                "GRANT USAGE ON SCHEMA many TO bob, mallory; CREATE DATABASE other")
    for role in ("alice", "bob", "mallory"):
        session.run("CREATE USER MAPPING FOR %s SERVER sm OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')"
                    % (role, *HISTORY))
    session.run(repeated(number, "CREATE FOREIGN TABLE many.region_%s (training_job_name text) SERVER sm "
                                 "OPTIONS (region 'us-east-%1$s')"))
    session.run("GRANT SELECT ON ALL TABLES IN SCHEMA many TO bob, mallory; SELECT sagemaker_fdw_stats_reset()")
    elsewhere = Session("other")
    elsewhere.run("CREATE EXTENSION sagemaker_fdw")
    make_server(elsewhere, "sm")
    elsewhere.run(ONE % JOB)
    session.run("SET ROLE alice; %s; SELECT count(*) FROM sm.training_jobs; SET ROLE bob; %s; RESET ROLE" % (ONE % JOB, ONE % JOB))
    session.run("SET ROLE mallory; %s; RESET ROLE" % repeated(number, "SELECT FROM many.region_%s"))

    alices = ([], {DESCRIBE: [1, 1, 0, 0, 0], LIST: [3, 300, 0, 0, 0]})
    tap.equal(regions_of(session, "alice"), alices, "a role keeps its counts, however many regions another role calls")
    tap.equal(regions_of(session, "bob"), ([], {DESCRIBE: [1, 1, 0, 0, 0]}), "... whichever role it is")
    tap.equal(figures(elsewhere), {DESCRIBE: [1, 1, 0, 0, 0]}, "... and in another database")
    others = 4 if shared else 3
    tap.equal(regions_of(session, "mallory"), (list(range(number - capacity + others + 1, number + 1)), {}),
              "the role with the most rows loses the one that was unused for the longest time")
    session.run("SET ROLE bob; %s; RESET ROLE" % repeated(number, "SELECT FROM many.region_%s"))
    # what bob had before is of no use for the longest time
    room = capacity - others + 1
    tap.equal([regions_of(session, role) for role in ("bob", "mallory")],
              [(list(range(number - share + 1, number + 1)), {}) for share in ((room + 1) // 2, room // 2)],
              "two roles that need all the room share it equally")
    tap.equal(regions_of(session, "alice"), alices, "... and a third one keeps its fewer rows")
    elsewhere.close()
    session.run("DROP DATABASE other WITH (FORCE)")
    if shared:
        late = Session()
        late.run("SET ROLE mallory; SELECT FROM many.region_2; SELECT FROM many.region_3")
        late.close()
        tap.equal([len(regions_of(session, role)[0]) for role in ("bob", "mallory")], [room // 2 + 1] * 2,
                  "a dropped database makes room when the next session starts")
    session.run("DROP OWNED BY alice, bob, mallory; DROP ROLE alice, bob, mallory")
    session.run(repeated(number, "DROP FOREIGN TABLE many.region_%s"))
    session.run("DROP SCHEMA many; SELECT sagemaker_fdw_stats_reset(); SELECT sagemaker_fdw_disconnect()")


def at_once(queries):
    """Sessions that run one query each at the same time."""
    sessions = [Session() for _ in queries]
    for one, query in zip(sessions, queries):
        one.send(query)
    outcomes = [one.receive() for one in sessions]
    for one in sessions:
        one.close()
    if outcomes != [([], "00000")] * len(queries):
        raise Died("not all succeed: %r" % outcomes)


def repeated(number, query):
    """A statement that runs the query so often; %s in it is the number of the repetition."""
    return "DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('%s', i); END LOOP; END $$" % (number, query.replace("'", "''"))


def test_crowd(session, tap):
    """Many sessions that count at once."""
    one = repeated(50, ONE % JOB)
    session.run("SELECT sagemaker_fdw_stats_reset()")
    control("calls")
    fault(**broken(operation="DescribeTrainingJob", probability=0.03, seed=1))
    at_once([one] * 16)
    control("clear", b"")
    calls = int(control("calls").partition("=")[2])
    tap.ok(calls > 800, "sixteen sessions make calls, some of which fail and are retried", calls)
    tap.equal(figures(session), {DESCRIBE: [calls, 800, calls - 800, 0, 0]},
              "... and each call that the service saw is counted once")

    at_once([one] * 8 + [repeated(2000, "SELECT sagemaker_fdw_stats_reset(), %s")] * 2)
    found = figures(session)
    tap.ok(list(found) in ([], [DESCRIBE]) and (not found or found[DESCRIBE][0] <= 400),
           "after a reset while others count, only later calls are counted", found)
    session.run("SELECT sagemaker_fdw_stats_reset()")
    at_once([one] * 8)
    tap.equal(figures(session), {DESCRIBE: [400, 400, 0, 0, 0]}, "... and from then on all are counted")

    # each of 16 sessions calls 80 regions of its own, once
    session.run(repeated(1280, "CREATE FOREIGN TABLE region_%s (training_job_name text) SERVER sm "
                               "OPTIONS (region 'us-east-%1$s')"))
    session.run("SELECT sagemaker_fdw_stats_reset()")
    at_once(["DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format('SELECT FROM region_%%s', i); END LOOP; END $$"
             % (80 * number + 1, 80 * number + 80) for number in range(16)])
    tap.equal(sorted(set(map(tuple, figures(session).values()))), [(1, 0, 0, 0, 0)],
              "where many sessions make more kinds of calls than there is room for, the remaining rows are right")
    tap.equal(len(figures(session)), 1000, "... and as many remain as there is room for")
    session.run(repeated(1280, "DROP FOREIGN TABLE region_%s"))
    session.run("SELECT sagemaker_fdw_stats_reset()")


def prepare(cluster):
    """Start the cluster; return a session with the extension and servers."""
    cluster.start()
    session = Session()
    session.run("CREATE EXTENSION sagemaker_fdw")
    make_server(session, "sm")
    make_server(session, "searched", scan_api="search")
    make_server(session, "elastic", scan_api="search")
    return session


def test_shared(session, tap):
    """What sessions know about each other."""
    session.run("SELECT sagemaker_fdw_stats_reset(); CREATE DATABASE other")
    one, another, elsewhere = Session(), Session(), Session("other")
    elsewhere.run("CREATE EXTENSION sagemaker_fdw")
    make_server(elsewhere, "sm")
    for who in (one, another, another, elsewhere):
        who.run(ONE % JOB)
    another.close()
    wait_for(lambda: session.run("SELECT count(*) FROM pg_stat_activity WHERE pid = %d" % another.pid) == ["0"], "the session ends")
    tap.equal([figures(who)[DESCRIBE][0] for who in (session, one, elsewhere)], [3, 3, 1],
              "the calls of all sessions are added up by database, including those of ended sessions")
    elsewhere.run("SELECT sagemaker_fdw_stats_reset()")
    tap.equal([figures(who) for who in (one, elsewhere)], [{DESCRIBE: [3, 3, 0, 0, 0]}, {}], "... and reset by database")
    one.close()
    elsewhere.close()
    session.run("DROP DATABASE other WITH (FORCE)")


def scans(session, columns="server, operation, pages, jobs_seen, jobs_described, jobs_estimated, waiting_on"):
    """What the view shows, in the order in which the scans began."""
    return session.run("SELECT %s FROM sagemaker_fdw_progress ORDER BY started_at" % columns)


def test_own_scans(session, tap):
    """Cursors of the session that queries the view."""
    tap.equal(scans(session), [], "no scan runs")
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT training_job_name FROM sm.training_jobs; FETCH 5 FROM c")
    tap.equal(scans(session, "pid, server, operation, pages, jobs_seen, jobs_described, jobs_estimated, waiting_on, "
                             "started_at BETWEEN now() AND clock_timestamp()"),
              ["%d|sm|ListTrainingJobs|1|100|0|||t" % session.pid], "an open cursor is a scan, which is not waiting at the moment")
    names = "'%s', '%s', 'no-such-job'" % (JOB, json.loads(control("names"))[5])
    session.run("DECLARE d CURSOR FOR SELECT role_arn FROM sm.training_jobs WHERE training_job_name IN (%s); FETCH ALL FROM d" % names)
    tap.equal(scans(session), ["sm|ListTrainingJobs|1|100|0||", "sm|DescribeTrainingJob|0|3|2|3|"],
              "named jobs are counted, and their number is known")
    session.run("FETCH ALL FROM c; CLOSE d")
    tap.equal(scans(session), ["sm|ListTrainingJobs|3|300|0||"], "a scan is shown until its query ends")
    tap.equal(session.ask("SELECT 1 / 0")[1], "22012", "a transaction fails")
    session.run("ROLLBACK")
    tap.equal(scans(session), [], "... and its scans are no longer shown")
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs WHERE training_job_name = NULL::text; FETCH ALL FROM c")
    tap.equal(scans(session), [], "what makes no calls is not shown as a scan")
    session.run("ROLLBACK; ANALYZE sm.training_jobs")
    tap.equal(scans(session), [], "the scans of ANALYZE end with it")
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs; FETCH 5 FROM c")
    tap.equal(scans(session), ["sm|ListTrainingJobs|1|100|0|300|"], "with statistics the number of jobs is estimated")
    session.run("ROLLBACK; BEGIN; CREATE TEMP TABLE names AS SELECT training_job_name FROM sm.training_jobs LIMIT 10; "
                "DECLARE c CURSOR FOR SELECT role_arn FROM names CROSS JOIN LATERAL "
                "(SELECT role_arn FROM sm.training_jobs AS j WHERE j.training_job_name = names.training_job_name OFFSET 0) AS j; "
                "FETCH ALL FROM c")
    tap.equal(scans(session), ["sm|DescribeTrainingJob|0|10|10|10|"], "a rescan continues the counts")
    session.run("ROLLBACK")
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM elastic.training_jobs; FETCH 1 FROM c; SAVEPOINT s; "
                "DECLARE d CURSOR FOR SELECT FROM sm.training_jobs; FETCH 1 FROM d; ROLLBACK TO s")
    tap.equal(scans(session, "server, operation"), ["elastic|Search"], "scans that a rollback to a savepoint ends are not shown either")
    session.run("ROLLBACK")


def test_many_scans(session, tap, slots):
    """More scans than there is room for."""
    session.run("BEGIN; DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('DECLARE c%%s CURSOR FOR SELECT training_job_name "
                "FROM sm.training_jobs WHERE training_job_name = %%L', i, '%s'); END LOOP; END $$" % (slots + 1, JOB))
    for i in range(1, slots + 2):
        session.run("FETCH 1 FROM c%d" % i)
    tap.equal(scans(session, "count(*) OVER ()")[:1], [str(slots)], "a scan without a place runs without being shown")
    session.run("CLOSE c1; CLOSE c%d" % (slots + 1))
    tap.equal(scans(session, "count(*) OVER ()")[:1], [str(slots - 1)], "... and takes no place from others")
    session.run("ROLLBACK")
    tap.equal(scans(session), [], "in the end all places are free")


def test_crowd_of_scans(session, tap):
    """Sessions with more scans than each has room for."""
    crowd = [Session() for _ in range(4)]
    for one, number in zip(crowd, (300, 100, 100, 100)):
        one.run("BEGIN; " + "; ".join("DECLARE c%d CURSOR FOR %s; MOVE 1 FROM c%d" % (i, ONE % JOB, i) for i in range(number)))
    late = Session()
    late.run("BEGIN; DECLARE c CURSOR FOR %s; MOVE 1 FROM c" % (ONE % JOB))

    def seen():
        pids = scans(session, "pid")
        return [pids.count(str(one.pid)) for one in crowd + [late]]

    tap.equal(seen(), [SLOTS] * 4 + [1], "a session with 300 cursors shows some of them, and leaves places for other sessions")
    crowd[1].run("CLOSE c0; CLOSE c%d; DECLARE d CURSOR FOR %s; MOVE 1 FROM d; DECLARE e CURSOR FOR %s; MOVE 1 FROM e"
                 % (SLOTS, ONE % JOB, ONE % JOB))
    tap.equal(seen(), [SLOTS] * 4 + [1], "when a scan that is shown ends, a later one takes its place")
    session.run("SELECT pg_terminate_backend(%d, 60000)" % crowd[0].pid)
    crowd[1].run("ROLLBACK")
    tap.equal(seen(), [0, 0, SLOTS, SLOTS, 1], "those of a session that is terminated, or rolls back, are no longer shown")
    crowd[1].run("BEGIN; " + "; ".join("DECLARE c%d CURSOR FOR %s; MOVE 1 FROM c%d" % (i, ONE % JOB, i) for i in range(SLOTS)))
    tap.equal(seen(), [0, SLOTS, SLOTS, SLOTS, 1], "... which can show as many again")
    for one in crowd + [late]:
        one.close()
    wait_for(lambda: scans(session) == [], "all are gone")


def as_role(role):
    os.environ["PGUSER"] = role
    try:
        return Session()
    finally:
        os.environ["PGUSER"] = "postgres"


def test_waits(session, tap):
    """What other sessions wait for."""
    query = "SELECT count(role_arn) FROM sm.training_jobs"
    session.run("CREATE TABLE partitions (LIKE sm.training_jobs) PARTITION BY LIST (region); "
                "CREATE FOREIGN TABLE partition_1 PARTITION OF partitions FOR VALUES IN ('us-east-1') SERVER sm; "
                "CREATE FOREIGN TABLE partition_2 PARTITION OF partitions FOR VALUES IN ('eu-west-1') SERVER sm "
                "OPTIONS (region 'eu-west-1')")
    make_server(session, "limited", max_calls_per_second="0.001")
    make_server(session, "role")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER role OPTIONS (ADD role_arn 'arn:aws:iam::123456789012:role/reader')")
    one_by_role = ONE.replace("sm.", "role.") % JOB
    hang = silent()
    for title, faults, asked, expected in [
            ("a page", [dict(hang, operation="ListTrainingJobs")], query, ["sm|ListTrainingJobs|0|0|0|300|ListTrainingJobs"]),
            ("a job's document", [dict(hang, operation="DescribeTrainingJob")], query,
             ["sm|ListTrainingJobs|1|100|0|300|DescribeTrainingJob"]),
            ("tags", [dict(hang, operation="ListTags")],
             "SELECT role_arn, tags FROM sm.training_jobs WHERE training_job_name = '%s'" % JOB,
             ["sm|DescribeTrainingJob|0|1|1|1|ListTags"]),
            ("the delay before another attempt", [dict(kind="body", status=429, headers=[["Retry-After", "60"]], body="", times=0)],
             ONE % JOB, ["sm|DescribeTrainingJob|0|1|0|1|retry delay"]),
            ("the rate of calls", [], "SELECT count(*) FROM limited.training_jobs", ["limited|ListTrainingJobs|1|100|0||rate limit"]),
            ("credentials", [expired(operation="DescribeTrainingJob", times=1),
                             dict(hang, operation="AssumeRole")],
             one_by_role, ["role|DescribeTrainingJob|0|1|0|1|credentials"]),
            ("several partitions", [dict(hang, operation="ListTrainingJobs")], "SELECT count(role_arn) FROM partitions",
             ["sm|ListTrainingJobs|0|0|0||ListTrainingJobs"] * 2)]:
        other = Session()
        if asked == one_by_role:
            other.run(asked)
        for spec in faults:
            fault(**spec)
        other.send(asked)
        try:
            wait_for(lambda: scans(session) == expected, "a scan that waits")
        except Died:
            pass
        tap.equal(scans(session), expected, "another session is seen to wait for %s" % title)
        tap.equal(set(scans(session, "pid")), {str(other.pid)}, "... in that session")
        if title == "a page":
            named = int(session.run("SHOW server_version_num")[0]) >= 170000
            event = ["Extension|SagemakerFdwCall" if named else "Extension|Extension"]
            wait_for(lambda: session.run("SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = %d" % other.pid) == event,
                     "a session that waits, as pg_stat_activity says, too")
        session.run("SELECT pg_cancel_backend(%d)" % other.pid)
        tap.equal(other.receive()[1], "57014", "... and is cancelled")
        tap.equal(scans(session), [], "... and no longer shown")
        control("clear", b"")
        for operation in ("ListTrainingJobs", "DescribeTrainingJob"):
            fault(**hang, operation=operation)
        other.send(asked)
        wait_for(lambda: scans(session) != [], "a scan")
        session.run("SELECT pg_terminate_backend(%d, 60000)" % other.pid)
        tap.equal(scans(session), [], "... even if its session is terminated")
        control("clear", b"")
        other.close()
    session.run("DROP SERVER limited CASCADE; DROP SERVER role CASCADE; DROP TABLE partitions")


def test_watchers(session, tap):
    """Who sees the scans of others."""
    session.run("CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE auditor LOGIN IN ROLE pg_read_all_stats; "
                "GRANT USAGE ON FOREIGN SERVER sm TO alice; GRANT USAGE ON SCHEMA sm TO alice; GRANT SELECT ON sm.training_jobs TO alice; "
                "CREATE USER MAPPING FOR alice SERVER sm OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')" % HISTORY)
    session.run("CREATE DATABASE other")
    owner = as_role("alice")
    owner.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs; FETCH 1 FROM c")
    for role, expected in (("alice", [str(owner.pid)]), ("bob", []), ("auditor", [str(owner.pid)])):
        watcher = as_role(role)
        tap.equal(scans(watcher, "pid"), expected, "%s sees the scans of the roles that it may see" % role)
        watcher.close()
    elsewhere = Session("other")
    elsewhere.run("CREATE EXTENSION sagemaker_fdw")
    tap.equal(scans(elsewhere), [], "another database shows none")
    for who in (owner, elsewhere):
        who.close()
    wait_for(lambda: scans(session) == [], "the scan of a session that ends is gone")
    session.run("DROP DATABASE other WITH (FORCE)")
    session.run("DROP OWNED BY alice; DROP ROLE alice, bob, auditor")


def side_by_side(query, number):
    """Run the query in several sessions at once: what each prints, and the seconds that all took."""
    sessions = [Session() for _ in range(number)]
    for one in sessions:
        # credentials and connections are had before
        one.run(ONE % JOB)
    start_s = time.monotonic()
    for one in sessions:
        one.send(query)
    answers = [one.receive() for one in sessions]
    took_s = time.monotonic() - start_s
    for one in sessions:
        one.close()
    return answers, took_s


def throttles_side_by_side(tap):
    """How often four sessions are throttled that make 60 look-ups each, where 20 a second are allowed.

    Another one has found that out before.
    """
    query = ("SELECT count(role_arn) FROM sm.training_jobs WHERE training_job_name IN (%s)"
             % ", ".join("'%s'" % name for name in json.loads(control("names"))[:60]))
    control("config", {"rate_limit": {"DescribeTrainingJob": 20}})
    side_by_side(query, 1)
    before = json.loads(control("counters"))["throttles"]
    answers, _ = side_by_side(query, 4)
    control("config", {"rate_limit": 0})
    tap.equal(answers, [(["60"], "00000")] * 4, "four sessions share the rate that the service accepts")
    return json.loads(control("counters"))["throttles"] - before


def test_ceiling(session, tap):
    make_server(session, "ceiling", max_calls_per_second=20)
    names = json.loads(control("names"))[:20]
    query = ("SELECT count(role_arn) FROM ceiling.training_jobs WHERE training_job_name IN (%s)"
             % ", ".join("'%s'" % name for name in names))
    answers, took_s = side_by_side(query, 4)
    tap.ok(answers == [(["20"], "00000")] * 4 and took_s >= 79 / 20, "max_calls_per_second is a ceiling for all sessions together",
           (answers, took_s))
    session.run("ALTER SERVER ceiling OPTIONS (SET max_calls_per_second '1000')")
    answers, took_s = side_by_side(query, 4)
    tap.ok(answers == [(["20"], "00000")] * 4 and took_s < 79 / 20, "... which can be changed", (answers, took_s))
    session.run("DROP SERVER ceiling CASCADE")


def test_mode_change(session, tap):
    """What adaptive mode has learned does not slow standard mode down."""
    make_server(session, "changing")
    fault(**throttled(times=1))
    session.run(ONE.replace("sm.", "changing.") % JOB)
    session.run("ALTER SERVER changing OPTIONS (ADD retry_mode 'standard')")
    start_s = time.monotonic()
    at_once([repeated(40, ONE.replace("sm.", "changing.") % JOB)])
    took_s = time.monotonic() - start_s
    tap.ok(took_s < 10, "a server's sessions run at full speed once its retry_mode is standard", took_s)
    session.run("DROP SERVER changing CASCADE")


def test_standby(session, tap):
    """A standby counts its own calls, and shows its own scans."""
    before = dict(os.environ)
    session.run("SELECT sagemaker_fdw_stats_reset(); %s" % ONE % JOB)
    standby = Cluster(["shared_preload_libraries=sagemaker_fdw", "max_connections=40"], standby=True)
    try:
        standby.start()
        one, other = Session(), Session()
        tap.equal(one.run("SELECT pg_is_in_recovery()"), ["t"], "a standby is up")
        for _ in range(2):
            one.run(ONE % JOB)
        one.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs; FETCH 1 FROM c")
        tap.equal(figures(other), {LIST: [1, 100, 0, 0, 0], DESCRIBE: [2, 2, 0, 0, 0]}, "... which counts its own calls")
        tap.equal(scans(other, "pid, operation"), ["%d|ListTrainingJobs" % one.pid], "... and shows its own scans")
        other.run("SELECT sagemaker_fdw_stats_reset()")
        tap.equal((figures(one), figures(session)), ({}, {DESCRIBE: [1, 1, 0, 0, 0]}), "... and resets only its own")
        one.close()
        other.close()
    finally:
        standby.remove()
        os.environ.update(before)


def has_ended(session):
    try:
        session.run("SELECT 1")
    except (Died, OSError):
        return True
    return False


def test_crash(session, tap):
    """A killed backend restarts all others, with new shared memory."""
    victim = Session()
    victim.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs; FETCH 1 FROM c")
    os.kill(victim.pid, signal.SIGKILL)
    wait_for(lambda: has_ended(session), "the cluster goes down")
    after = []

    def works():
        try:
            after.append(Session())
            return True
        except (Died, OSError):
            return False

    wait_for(works, "the cluster works again")
    tap.equal((figures(after[0]), scans(after[0])), ({}, []), "after a crash no counts are left")
    found, _ = counted(after[0], ONE % JOB)
    tap.equal(found, {DESCRIBE: [1, 1, 0, 0, 0]}, "... and counting goes on")
    after[0].close()


def test_module(session, tap):
    """From version 18 on Postgres can show the names and versions of loaded libraries."""
    if int(session.run("SHOW server_version_num")[0]) < 180000:
        return
    loaded = session.run("SELECT module_name, file_name, version LIKE extversion || '.%' "
                         "FROM pg_get_loaded_modules() JOIN pg_extension ON extname = module_name WHERE extname = 'sagemaker_fdw'")
    tap.equal(loaded, ["sagemaker_fdw|sagemaker_fdw.so|t"], "the library reports its name, and the extension's version")


def test_alone(tap):
    """A cluster that does not preload the library; how often concurrent sessions are throttled."""
    cluster = Cluster(AWS_ENDPOINT_URL_STS=URL)
    try:
        session = prepare(cluster)
        test_module(session, tap)
        test_log(tap, cluster)
        test_figures(session, tap)
        test_roles(session, tap)
        # from version 17 on, sessions find each other all the same
        shared = int(session.run("SHOW server_version_num")[0]) >= 170000
        test_full(session, tap, 1000 if shared else 200)
        test_shares(session, tap, 1000 if shared else 200, shared)
        test_own_scans(session, tap)
        if shared:
            test_shared(session, tap)
            test_crowd(session, tap)
            test_ceiling(session, tap)
            test_mode_change(session, tap)
            test_waits(session, tap)
            test_watchers(session, tap)
            test_crash(session, tap)
        else:
            test_many_scans(session, tap, SLOTS)
            session.run(ONE % JOB)
            other = Session()
            session.run("BEGIN; DECLARE c CURSOR FOR SELECT FROM sm.training_jobs; FETCH 1 FROM c")
            tap.equal((figures(other), scans(other)), ({}, []), "without preloading, a session sees only its own calls and scans")
            other.close()
            return throttles_side_by_side(tap)
    finally:
        cluster.remove()
    return None


def test_preloaded(tap, throttles_alone):
    cluster = Cluster(["shared_preload_libraries=sagemaker_fdw", "max_connections=40"],
                      AWS_ENDPOINT_URL_STS=URL)
    try:
        session = prepare(cluster)
        throttles = throttles_side_by_side(tap)
        tap.note("throttles: %s, %d with shared memory" % (throttles_alone, throttles))
        # without shared memory no bound is known from version 17 on
        tap.ok(throttles_alone is None or throttles < throttles_alone / 2, "... and sessions that share memory are throttled much less",
               (throttles, throttles_alone))
        tap.equal(session.run("SELECT name FROM pg_shmem_allocations WHERE name LIKE 'sagemaker_fdw%' ORDER BY 1"),
                  ["sagemaker_fdw ceilings 2", "sagemaker_fdw progress 2", "sagemaker_fdw rates 3",
                   "sagemaker_fdw stats 3", "sagemaker_fdw trust 1"], "the shared memory's name contains the version")
        test_figures(session, tap)
        test_roles(session, tap)
        test_full(session, tap, 1000)
        test_shares(session, tap, 1000, True)
        test_own_scans(session, tap)
        test_shared(session, tap)
        test_crowd(session, tap)
        test_ceiling(session, tap)
        test_mode_change(session, tap)
        test_waits(session, tap)
        test_watchers(session, tap)
        test_crowd_of_scans(session, tap)
        test_standby(session, tap)
        test_crash(session, tap)
    finally:
        cluster.remove()


def main():
    tap = Tap()
    test_preloaded(tap, test_alone(tap))
    tap.end()


if __name__ == "__main__":
    main()
