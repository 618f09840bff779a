"""What a scan waits for arrives, and the scan calls nothing whose answer it does not need.

Run below test/with-service --bulk 5000.  No notice of progress is sent, and no timer is set but what a scan sets:
a backend that sleeps without a reason to wake sleeps forever, and is cancelled.
"""
import base64
import json
import os
import time

from harness import BULK, HISTORY, URL, Cluster, Died, Session, Tap, control, counters, explained, fault, nodes, wait_for
from named_faults import late, role_denied, silent

SLOWNESS = float(os.environ.get("SAGEMAKER_FDW_TEST_SLOWNESS", "1"))

# no statement takes as long
PATIENCE_S = 30 * SLOWNESS
ROLE = "arn:aws:iam::%s:role/reader"
HOME, OTHER = "123456789012", "345678901234"
TEMPORARY = ("ASIDTEMPORARY0000001", "secret/of+the/temporary/keys/000000000001", "session-token/of+the/temporary/keys==")
CONTAINER = "allow_ambient_credentials 'true', credential_source 'EcsContainer'"


def keys(pair, more=""):
    return "aws_access_key_id '%s', aws_secret_access_key '%s'%s" % (*pair, more)


def role(pair, account):
    return keys(pair, ", role_arn '%s'" % (ROLE % account))


def define(session, name, mapping, **options):
    """A server, a mapping, and the table NAME.training_jobs."""
    # libcurl's timer for a connect that is long over wakes whoever sleeps
    options = {"region": "us-east-1", "endpoint_url": URL, "connect_timeout": 600, **options}
    session.run("CREATE SERVER %s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (%s); CREATE USER MAPPING FOR CURRENT_USER SERVER %s "
                "OPTIONS (%s); CREATE SCHEMA %s; IMPORT FOREIGN SCHEMA sagemaker FROM SERVER %s INTO %s"
                % (name, ", ".join("%s '%s'" % pair for pair in options.items()), name, mapping, name, name, name))


def calm(session, **config):
    """The endpoint with its initial settings except these, and a session without credentials."""
    control("reset", b"")
    control("config", config)
    session.run("RESET ALL; SET client_min_messages = warning; SET timezone = 'UTC'; SET sagemaker_fdw.progress_interval = 0; "
                "SELECT sagemaker_fdw_disconnect()")


def made():
    """The calls for jobs, and the requests for credentials, since calm()."""
    seen = counters()
    return seen["calls"], seen["credentials"]


def check_rows(session, tap, query, rows, title):
    session.begin_quiet()
    lines, state = session.ask_within(query, PATIENCE_S)
    session.run("ROLLBACK")
    return tap.ok((sorted(lines), state) == (sorted(rows), "00000"), title, "%s, %d rows: %r\nexpected %d: %r\ncalls: %r" % (
        state, len(lines), lines[:4], len(rows), sorted(rows)[:4], made()))


# -- credentials that are replaced while a scan goes on -----------------------------------


def test_renewed_by_container(session, tap):
    """The last calls in flight end while the container service is called."""
    define(session, "container", CONTAINER, max_concurrency=2)
    calm(session, session_seconds=2, latency_ms={"ContainerCredentials": 300, "DescribeTrainingJob": 20})
    check_rows(session, tap, "SELECT count(*), count(DISTINCT training_job_name), count(role_arn) FROM container.training_jobs",
               ["300|300|300"], "a scan continues with other credentials of the container")
    calls, credentials = made()
    tap.equal(calls, {"ListTrainingJobs": 3, "DescribeTrainingJob": 300}, "... with as many calls as with one key")
    tap.ok(credentials.get("ContainerCredentials", 0) >= 2, "... which really expired during the scan", credentials)


def test_renewed_by_sts(session, tap):
    """Pages follow one another: the one in flight ends while STS is called."""
    define(session, "assumed", role(HISTORY, HOME), fetch_size=4)
    calm(session, session_seconds=2, latency_ms={"AssumeRole": 400, "ListTrainingJobs": 50})
    check_rows(session, tap, "SELECT count(*), count(DISTINCT training_job_name) FROM assumed.training_jobs", ["300|300"],
               "a walk continues with other credentials of a role")
    calls, credentials = made()
    tap.equal(calls, {"ListTrainingJobs": 75}, "... with as many calls as with one key")
    tap.ok(credentials.get("AssumeRole", 0) >= 2, "... which really expired during the scan", credentials)


def test_renewed_under_cursors(session, tap):
    """Two scans of one session, whose calls end while the other one is served or keys are requested."""
    calm(session, session_seconds=2, latency_ms={"AssumeRole": 300, "ContainerCredentials": 200, "*": 10})
    session.begin_quiet()
    session.run("DECLARE one CURSOR FOR SELECT training_job_name, role_arn FROM container.training_jobs; "
                "DECLARE two CURSOR FOR SELECT training_job_name FROM assumed.training_jobs")
    names = {"one": [], "two": []}
    state = "00000"
    for count in (1, 5, 60, 1000):
        for cursor in names:
            if state == "00000":
                lines, state = session.ask_within("FETCH %d FROM %s" % (count, cursor), PATIENCE_S)
                names[cursor] += [line.partition("|")[0] for line in lines]
        # the keys of both expire meanwhile
        if state == "00000" and count < 60:
            session.run("SELECT pg_sleep(2.1)")
    tap.equal((state, len(set(names["one"])), len(names["one"]), sorted(names["one"]) == sorted(names["two"])), ("00000", 300, 300, True),
              "cursors continue with other credentials, after pauses as long as the credentials live")
    session.run("ROLLBACK")


def test_one_connection(session, tap):
    """Calls that wait for the only connection longer than keys live."""
    for name in ("one", "two"):
        define(session, "narrow_" + name, role(HISTORY, HOME))
    calm(session, session_seconds=2, latency_ms={"ListTags": 100})
    session.run("SET sagemaker_fdw.max_session_connections = 1")
    query = "SELECT count(tags), count(DISTINCT training_job_name) FROM narrow_one.training_jobs WHERE creation_time >= '%s'"
    since = session.run("SELECT creation_time FROM narrow_one.training_jobs ORDER BY creation_time DESC OFFSET 39 LIMIT 1")[0]
    before = made()[0]
    check_rows(session, tap, query % since, ["40|40"], "calls that wait for a connection")
    calls = {name: number - before.get(name, 0) for name, number in made()[0].items()}
    tap.equal((calls["ListTags"], made()[1]["AssumeRole"] > 2), (40, True), "... are signed when they get it")

    # nobody waits for the other to end
    control("config", {"session_seconds": 3600, "latency_ms": {"ListTags": 20}})
    session.run("CREATE VIEW narrow AS SELECT 1 AS n, training_job_name, creation_time, tags FROM narrow_one.training_jobs "
                "UNION ALL SELECT 2, training_job_name, creation_time, tags FROM narrow_two.training_jobs")
    session.begin_quiet()
    lines, state = session.ask_within("SELECT n, tags FROM narrow WHERE creation_time >= '%s'" % since, PATIENCE_S)
    session.run("ROLLBACK; DROP VIEW narrow; RESET sagemaker_fdw.max_session_connections")
    order = [line[0] for line in lines]
    tap.equal((state, sorted(order), "12" in "".join(order) and "21" in "".join(order)), ("00000", ["1"] * 40 + ["2"] * 40, True),
              "... and the scans of an Append take turns with it")


# -- conditions that make calls themselves ------------------------------------------------


def test_early_conditions(session, tap):
    """Scans decide jobs while the calls for those that passed, or for the first one, end."""
    define(session, "outside", keys(HISTORY), region="eu-west-1")
    define(session, "inside", keys(HISTORY), region="eu-west-1")
    local = session.run("SELECT training_job_name, role_arn FROM outside.training_jobs")
    ads = [line for line in local if line.endswith("-ads")]
    tap.ok(0 < len(ads) < 40, "the condition holds for some of the jobs", len(ads))
    for inner in ("outside", "inside"):
        query = ("SELECT o.training_job_name, o.role_arn FROM outside.training_jobs AS o WHERE (SELECT max(i.role_arn) FROM "
                 "%s.training_jobs AS i WHERE i.training_job_name = o.training_job_name) LIKE '%%-ads'" % inner)
        calm(session, latency_ms={"DescribeTrainingJob": 10})
        check_rows(session, tap, query, ads, "a sub-select on %s decides which jobs are described" % (
            "the same table" if inner == "outside" else "another table"))
        calls, _credentials = made()
        tap.equal(calls, {"ListTrainingJobs": 1, "DescribeTrainingJob": 40 + len(ads)}, "... with one call for each job of both")
    # the first job's call is the last one to end, while the others are decided and refused
    newest = session.run("SELECT training_job_name, creation_time FROM outside.training_jobs ORDER BY creation_time DESC LIMIT 12")
    first, since = newest[0].partition("|")[0], newest[-1].partition("|")[2]
    tags = session.run("SELECT training_job_name, tags FROM outside.training_jobs WHERE training_job_name = '%s'" % first)
    for inner in ("outside", "inside"):
        query = ("SELECT o.training_job_name, o.tags FROM outside.training_jobs AS o WHERE o.creation_time >= '%s' AND "
                 "o.role_arn || o.training_job_name = (SELECT max(i.role_arn) || '%s' FROM %s.training_jobs AS i "
                 "WHERE i.training_job_name = o.training_job_name)" % (since, first, inner))
        calm(session, latency_ms={"DescribeTrainingJob": 10})
        fault(**late(60, operation="DescribeTrainingJob", job=first, times=1))
        check_rows(session, tap, query, tags, "a call that ends while jobs behind it are decided by %s is not waited for again" % (
            "the same table" if inner == "outside" else "another table"))
        tap.equal(made()[0], {"ListTrainingJobs": 1, "DescribeTrainingJob": 24, "ListTags": 1}, "... nor made again")


# -- whom a scan does not ask ----------------------------------------------------------------


def make_partitions(session):
    """Two accounts: "near" has keys, and "far" has a role that cannot be assumed."""
    define(session, "near", keys(HISTORY))
    define(session, "far", role(BULK, OTHER))
    session.run("CREATE SCHEMA parted; CREATE TABLE parted.jobs (LIKE near.training_jobs) PARTITION BY LIST (account_id); "
                "CREATE FOREIGN TABLE parted.near PARTITION OF parted.jobs FOR VALUES IN ('%s') SERVER near; "
                "CREATE FOREIGN TABLE parted.far PARTITION OF parted.jobs FOR VALUES IN ('%s') SERVER far" % (HOME, OTHER))


def test_nothing_to_ask(session, tap):
    make_partitions(session)
    for title, query in (
            ("a region that is another one", "SELECT training_job_name FROM far.training_jobs WHERE region = 'nowhere'"),
            ("a region that is known at run time", "SELECT training_job_name FROM far.training_jobs WHERE region = (SELECT 'nowhere'::text)"),
            ("two names at once", "SELECT role_arn FROM far.training_jobs WHERE training_job_name = (SELECT 'a'::text) AND training_job_name = 'b'"),
            ("a name that no job can have", "SELECT role_arn FROM far.training_jobs WHERE training_job_name = 'a b'"),
            ("no time", "SELECT role_arn FROM far.training_jobs WHERE creation_time < '2025-01-01' AND creation_time > '2025-01-02'"),
            ("an empty list of names", "SELECT role_arn FROM far.training_jobs WHERE training_job_name = ANY ((SELECT '{}'::text[])::text[])"),
            ("no row wanted", "SELECT role_arn FROM far.training_jobs LIMIT 0"),
            ("a loop without rounds", "SELECT f.role_arn FROM (SELECT n FROM generate_series(1, 3) AS n WHERE random() > 1 OFFSET 0) AS v "
             "CROSS JOIN LATERAL (SELECT * FROM far.training_jobs OFFSET v.n) AS f")):
        calm(session)
        fault(**role_denied())
        check_rows(session, tap, query, [], "%s: no row, and no error" % title)
        tap.equal(made(), ({}, {}), "... no calls are made, not even for credentials")
    calm(session)
    fault(**role_denied())
    tap.equal(session.ask("SELECT role_arn FROM far.training_jobs LIMIT 1")[1], "28000", "where a call is needed, there is an error for lack of credentials")


def scans(plan):
    """The foreign scans of a plan: relation to (loops, calls)."""
    return {node["Relation Name"]: (node["Actual Loops"], node.get("API Calls", 0))
            for node in nodes(plan) if node["Node Type"] == "Foreign Scan"}


def test_pruned_partitions(session, tap):
    """A partition that run-time pruning excludes makes no calls, not even for credentials."""
    pruned = "SELECT %s FROM parted.jobs WHERE account_id <= (SELECT '" + HOME + "'::text)%s"
    for title, columns, more, setting, rows in (
            ("an Append", "count(*)", "", "enable_async_append = off", 300),
            ("an asynchronous Append", "count(*)", "", "enable_async_append = on", 300),
            ("a MergeAppend", "creation_time", " ORDER BY creation_time DESC LIMIT 5", "enable_async_append = on", 5)):
        query = pruned % (columns, more)
        calm(session)
        session.run("SET " + setting)
        fault(**role_denied())
        lines, state = session.ask_within("SELECT * FROM (%s) AS v" % query, PATIENCE_S)
        tap.ok((state, lines if rows == 300 else len(lines)) == ("00000", ["300"] if rows == 300 else rows),
               "%s reads the remaining partition" % title, (state, lines))
        tap.equal(made()[1], {}, "... without the other one's credentials")
        control("clear", b"")
        plan = explained(session, query, "ANALYZE, ")
        node = "Merge Append" if title.endswith("MergeAppend") else "Append"
        tap.ok('"Node Type": "%s"' % node in json.dumps(plan), "... the plan is %s" % title, plan)
        tap.equal(scans(plan).get("far"), (0, 0), "... which is never executed, and makes no call")
    calm(session)
    session.run("PREPARE q(text) AS SELECT count(*) FROM parted.jobs WHERE account_id = $1; SET plan_cache_mode = force_generic_plan")
    fault(**role_denied())
    check_rows(session, tap, "EXECUTE q('%s')" % HOME, ["300"], "a generic plan's pruning at startup does the same")
    tap.equal(made()[1], {}, "... without the other one's credentials")
    session.run("DEALLOCATE q")


def test_together(session, tap):
    """The roles of two servers are assumed concurrently, not one after the other."""
    define(session, "first", role(HISTORY, HOME))
    define(session, "second", role(BULK, OTHER))
    session.run("CREATE SCHEMA duo; CREATE TABLE duo.jobs (LIKE first.training_jobs) PARTITION BY LIST (account_id); "
                "CREATE FOREIGN TABLE duo.first PARTITION OF duo.jobs FOR VALUES IN ('%s') SERVER first OPTIONS (region 'eu-west-1'); "
                "CREATE FOREIGN TABLE duo.second PARTITION OF duo.jobs FOR VALUES IN ('%s') SERVER second OPTIONS (region 'eu-west-1')"
                % (HOME, OTHER))
    # only what assumes roles takes time: two calls in flight are both of it
    calm(session, latency_ms={"AssumeRole": 400 * SLOWNESS, "*": 0})
    check_rows(session, tap, "SELECT count(*) FROM duo.jobs", ["40"], "two accounts are read through roles, asynchronously")
    seen = counters()
    tap.equal((seen["credentials"], seen["most_in_flight"]), ({"AssumeRole": 2}, 2), "... which were assumed at the same time")


# -- credentials that are not what they should be ----------------------------------------------


def container_says(expiration, date=None, token="Token"):
    """From now on the container's host returns valid keys with this expiration."""
    text = json.dumps({"AccessKeyId": TEMPORARY[0], "SecretAccessKey": TEMPORARY[1], token: TEMPORARY[2],
                       **({} if expiration is None else {"Expiration": expiration})}).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n" % (
        time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() if date is None else date)), len(text))
    fault(kind="raw", operation="ContainerCredentials", times=0, then="keep", bytes_b64=base64.b64encode(head.encode() + text).decode())


def iso(epoch_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))


def test_container(session, tap):
    """Odd dates in the answers of a container's host; the keys are valid."""
    everything = "SELECT count(*), count(role_arn) FROM container.training_jobs"
    now, years = time.time(), 10 * 366 * 86400
    for title, expiration, date in (
            ("no Expiration", None, None),
            ("an Expiration of the year 9999", "9999-12-31T23:59:59Z", None),
            ("an Expiration that is past", iso(now - 3600), None),
            ("an Expiration of the year 1", "0001-01-01T00:00:00Z", None),
            ("a Date ten years ahead", iso(now + 3600), now + years),
            ("a Date ten years back", iso(now + 3600), now - years)):
        calm(session)
        container_says(expiration, date)
        check_rows(session, tap, everything, ["300|300"], "%s: the keys are used" % title)
        calls, credentials = made()
        tap.ok(calls == {"ListTrainingJobs": 3, "DescribeTrainingJob": 300} and 1 <= credentials.get("ContainerCredentials", 0) <= 2,
               "... and their source is not called again and again", (calls, credentials))
    calm(session)
    container_says("next Tuesday")
    lines, state = session.ask_within(everything, PATIENCE_S)
    tap.ok((lines, state) == (["300|300"], "00000") or state == "28000", "an Expiration that is not a time: an error or the rows", (lines, state))
    tap.ok(made()[1].get("ContainerCredentials", 0) <= 2, "... at once", made())
    calm(session, latency_ms={"ContainerCredentials": 1200})
    check_rows(session, tap, everything, ["300|300"], "a slow answer is waited for")
    tap.equal(made()[1], {"ContainerCredentials": 1}, "... and requested once")
    calm(session)
    fault(**silent(operation="ContainerCredentials"))
    lines, state = session.ask_within(everything, PATIENCE_S)
    tap.ok(state in ("28000", "08001"), "a container's host that never answers is an error", (lines, state))
    tap.equal(made()[0], {}, "... before any call is made")
    control("clear", b"")
    check_rows(session, tap, everything, ["300|300"], "... and the session works again when the host does")


def test_program(session, tap, cluster):
    """A program that prints expired keys is not run again and again."""
    log = cluster.directory + "/runs"
    with open(cluster.directory + "/past", "w", encoding="utf-8") as file:
        file.write("echo run >>%s\necho '%s'\n" % (log, json.dumps(
            {"Version": 1, "AccessKeyId": BULK[0], "SecretAccessKey": BULK[1], "Expiration": iso(time.time() - 3600)})))
    define(session, "program", "allow_ambient_credentials 'true', profile 'past'")
    calm(session)
    check_rows(session, tap, "SELECT count(*), count(role_arn) FROM program.training_jobs", ["5000|5000"],
               "keys are used even if their program says that they have expired")
    with open(log, encoding="utf-8") as file:
        runs = len(file.readlines())
    tap.ok(1 <= runs <= 2, "... with at most two runs of it for 5,000 jobs", runs)


# -- what was found by waiting for it -----------------------------------------------------


def test_arn_in_list(session, tap):
    """An ARN that does not exist, where Search is denied: the list is walked for it."""
    define(session, "listed", keys(HISTORY), max_concurrency=1)
    denied = {"kind": "error", "operation": "Search", "status": 400, "code": "AccessDeniedException", "message": "no", "times": 0}
    arn = "arn:aws:sagemaker:us-east-1:%s:training-job/%%s" % HOME
    calm(session, latency_ms=5)
    fault(**denied)
    check_rows(session, tap, "SELECT training_job_name FROM listed.training_jobs WHERE training_job_arn = '%s'" % (arn % "no-such"), [],
               "an ARN that does not exist is looked for in the list")
    tap.equal(made()[0], {"DescribeTrainingJob": 1, "Search": 1, "ListTrainingJobs": 3}, "... with these calls")

    # one call at a time: the list ends while the last entry's call is answered and not taken yet
    calm(session, latency_ms=5)
    names = sorted(json.loads(control("names")))[:2]
    document = json.loads(control("document?name=" + names[0]))
    document["TrainingJobArn"] = arn % names[0].upper()
    control("document?name=" + names[0], json.dumps(document).encode())
    fault(**denied)
    fault(**late(300, operation="ListTags", job=names[1], times=1))
    check_rows(session, tap, "SELECT training_job_name, tags IS NOT NULL FROM listed.training_jobs WHERE role_arn IS NOT NULL AND "
               "training_job_arn IN ('%s', '%s')" % (arn % names[0].upper(), arn % names[1]), ["%s|t" % name for name in names],
               "an ARN in another case is found there, while another job's tags are awaited")


def test_patience(session, tap):
    """A source hangs while keys expire that the service still accepts."""
    define(session, "hanging", CONTAINER)
    calm(session, latency_ms=2)
    container_says(iso(time.time() + 6))
    check_rows(session, tap, "SELECT count(*) FROM hanging.training_jobs", ["300"], "keys that live six seconds")
    control("clear", b"")
    fault(**silent(operation="ContainerCredentials"))
    gone = time.monotonic() + 6
    wait_for(lambda: time.monotonic() > gone, "their end")
    before = made()[1].get("ContainerCredentials", 0)
    # nor does it take the only connection that calls may have
    session.run("SET sagemaker_fdw.max_session_connections = 1")
    for title in ("... are used when they are past, since their source hangs", "... and by the next query at once"):
        check_rows(session, tap, "SELECT count(*) FROM hanging.training_jobs", ["300"], title)
    asked = made()[1].get("ContainerCredentials", 0) - before
    tap.ok(1 <= asked <= 3, "... and the source is called once, with at most three requests", asked)

    session.run("RESET sagemaker_fdw.max_session_connections")

    # a query that is broken off meanwhile counts as one that has waited
    calm(session, latency_ms=2)
    container_says(iso(time.time() + 6))
    check_rows(session, tap, "SELECT count(*) FROM hanging.training_jobs", ["300"], "such keys again")
    control("clear", b"")
    fault(**silent(operation="ContainerCredentials"))
    gone = time.monotonic() + 6
    wait_for(lambda: time.monotonic() > gone, "their end")
    session.run("SET statement_timeout = 1000")
    tap.equal(session.ask("SELECT count(*) FROM hanging.training_jobs")[1], "57014", "... a query with a shorter time limit fails")
    check_rows(session, tap, "SELECT count(*) FROM hanging.training_jobs", ["300"], "... but the next one succeeds")


def test_revoked(session, tap):
    """Credentials that STS rejects are replaced, like those that SageMaker rejects."""
    define(session, "revoked", CONTAINER)
    calm(session)
    account = "SELECT sagemaker_fdw_account_id('revoked')"
    check_rows(session, tap, account, [HOME], "an account ID with the container's keys")
    control("expire", b"")
    check_rows(session, tap, account, [HOME], "... and when they have been revoked")
    tap.equal(made()[1], {"ContainerCredentials": 2, "GetCallerIdentity": 3}, "... with these requests")


def test_few_descriptors(tap):
    """More asynchronous scans than descriptors."""
    cluster = Cluster(["max_files_per_process=64"])
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        define(session, "few", keys(HISTORY), region="eu-west-1", max_concurrency=8)
        for number in range(20):
            session.run("CREATE FOREIGN TABLE few.t%d (training_job_name text, role_arn text) SERVER few" % number)
        for children in (2, 6, 12, 20):
            calm(session, latency_ms=2)
            check_rows(session, tap, "SELECT count(role_arn) FROM (%s) all_of_them" % " UNION ALL ".join(
                "SELECT role_arn FROM few.t%d" % number for number in range(children)), [str(40 * children)],
                       "%d asynchronous scans in a process that may open 64 files" % children)
        session.close()
    finally:
        cluster.remove()


TESTS = [test_renewed_by_container, test_renewed_by_sts, test_renewed_under_cursors, test_one_connection, test_early_conditions, test_nothing_to_ask,
         test_pruned_partitions, test_together, test_container, test_program, test_arn_in_list, test_patience, test_revoked]


def main():
    tap = Tap()
    cluster = Cluster(["sagemaker_fdw.allow_credential_process=on"])
    try:
        os.chmod(cluster.directory, 0o755)
        with open(cluster.directory + "/config", "w", encoding="utf-8") as file:
            file.write("[profile past]\ncredential_process = /bin/sh %s/past\n" % cluster.directory)
        variables = {"HOME": cluster.directory, "PATH": os.environ["PATH"], "AWS_CONFIG_FILE": cluster.directory + "/config",
                     "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": URL,
                     "AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/task"}
        cluster.environment = ["env", "-i"] + ["%s=%s" % pair for pair in variables.items()]
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        for test in TESTS:
            if test is test_program:
                test(session, tap, cluster)
            else:
                test(session, tap)
        session.close()
        test_few_descriptors(tap)
    except Died as problem:
        tap.ok(False, "every session answers", problem)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
