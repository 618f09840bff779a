"""A query that waits ends at once on request, whatever it waits for.

Told by a cancel, by statement_timeout, by pg_terminate_backend or by the death of
the postmaster, in each state that a scan can wait in; in single-user mode, which has no
postmaster, a query waits as well.  The cluster is the test's
own: its postmaster is killed, and its resolver gives no answer for some names.
The figures printed are milliseconds from the order to its effect.
"""
import hashlib
import json
import os
import re
import socket
import signal
import statistics
import subprocess
import tempfile
import time

from harness import BULK, URL, Cluster, Session, Tap, control, fault, full_listener, make_server, preload, runs, wait_for
from named_faults import silent, throttled

LIMIT_MS = 100
REPEATS = 5

ONE = "SELECT role_arn FROM %s.training_jobs WHERE training_job_name = 'pytorch-ads-0001'"
THROTTLE = throttled()
SLOW_DOWN = dict(kind="body", status=429, headers=[["Retry-After", "60"]], body="", times=0)


# What is waited for: faults, query.
STATES = [
    ("a resolver that never answers", [], ONE % "resolver"),
    ("a connect that is never answered", [], ONE % "backlog"),
    ("a TLS handshake", [], ONE % "handshake"),
    ("the first byte", [silent()], ONE % "sm"),
    ("headers that drip", [dict(kind="slow_headers", times=0)], ONE % "sm"),
    ("a body that drips", [dict(kind="drip", times=0)], ONE % "sm"),
    ("many calls at once", [silent(operation="DescribeTrainingJob")],
     "SELECT count(role_arn) FROM sm.training_jobs"),
    ("several partitions at once", [silent(operation="DescribeTrainingJob")],
     "SELECT count(role_arn) FROM partitions"),
    ("the delay after a throttle", [THROTTLE], ONE % "sm"),
    ("a delay that the service asked for", [SLOW_DOWN], ONE % "sm"),
    ("pages without end", [], "SELECT count(*) FROM bulk.training_jobs"),
    ("jobs without end", [], "SELECT count(role_arn) FROM bulk.training_jobs"),
    ("a function", [silent()],
     "SELECT sagemaker_describe_training_job('sm', 'pytorch-ads-0001')"),
    ("the instance's metadata", [silent(operation="MetadataToken")], ONE % "instance"),
    ("an assumed role", [silent(operation="AssumeRole")], ONE % "role"),
    ("a container's credentials", [silent(operation="ContainerCredentials")], ONE % "container"),
    ("the portal of IAM Identity Center", [silent(operation="SsoCredentials")], ONE % "portal"),
    ("a program of a profile", [], ONE % "program"),
]

# no other test's
PROGRAM = "/bin/sleep %d" % (100000 + os.getpid())
START_URL = "https://example.awsapps.com/start"
CONFIG = """[profile portal]
sso_start_url = %s
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = reader
[profile program]
credential_process = %s
""" % (START_URL, PROGRAM)


def backend_waits(observer, pid):
    return observer.run("SELECT wait_event_type = 'Extension' OR wait_event = 'AppendReady' "
                        "FROM pg_stat_activity WHERE pid = %d" % pid) == ["t"]


def start(session, observer, state):
    """Bring the session into that waiting state."""
    _title, specs, query = state
    control("reset", b"")
    control("config", {"latency_ms": 5})
    for spec in specs:
        fault(**spec)
    # or the query waits for the answer that the one before it has left to come
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.send(query)
    if specs:
        wait_for(lambda: control("requests") != "[]", "the endpoint sees the call")
    wait_for(lambda: backend_waits(observer, session.pid), "the backend waits")


def ms_since(start_s):
    return (time.monotonic() - start_s) * 1000


def by_cancel(session, observer, state):
    start(session, observer, state)
    told = time.monotonic()
    observer.run("SELECT pg_cancel_backend(%d)" % session.pid)
    lines, sqlstate = session.receive()
    return ms_since(told), sqlstate, lines


def by_timeout(session, observer, state):
    timeout_ms = 200
    session.run("SET statement_timeout = %d" % timeout_ms)
    for spec in state[1]:
        fault(**spec)
    control("config", {"latency_ms": 5})
    session.run("SELECT sagemaker_fdw_disconnect()")
    told = time.monotonic()
    lines, sqlstate = session.ask(state[2])
    took = ms_since(told) - timeout_ms
    session.run("RESET statement_timeout")
    return took, sqlstate, lines


def works_on(session):
    control("clear", b"")
    control("config", {"latency_ms": 0})
    session.run("SELECT sagemaker_fdw_disconnect()")
    return session.ask("SELECT count(role_arn) FROM sm.training_jobs") == (["300"], "00000")


def report(tap, title, how, figures):
    median = statistics.median(figures)
    tap.ok(median <= LIMIT_MS, "%s is ended by %s within %d ms" % (title, how, LIMIT_MS), figures)
    tap.note("%s, %s: median %.0f ms, most %.0f ms" % (title, how, median, max(figures)))


def test_queries(tap, session, observer):
    for how, order in (("cancel", by_cancel), ("statement_timeout", by_timeout)):
        for state in STATES:
            outcomes = [order(session, observer, state) for _ in range(REPEATS)]
            tap.equal({outcome[1] for outcome in outcomes}, {"57014"},
                      "%s: %s is 57014" % (state[0], how))
            report(tap, state[0], how, [outcome[0] for outcome in outcomes])
            tap.ok(works_on(session), "... and the session remains usable")


def test_resolver(tap, session):
    """The threads that ask a resolver outlive the statement, but not the resolver's patience."""
    query = ONE % "slow"
    # newer versions of libcurl keep threads for a while that have nothing to do
    threads = session.threads()
    session.ask(query)
    descriptors = session.descriptors()
    session.run("SET statement_timeout = 5")
    states = {session.ask(query)[1] for _ in range(50)}
    session.run("RESET statement_timeout")
    tap.equal(states, {"57014"}, "statements that wait for a slow resolver are cancelled")
    wait_for(lambda: session.threads() == threads, "the threads end")
    tap.equal(session.descriptors(), descriptors, "... and leave neither threads nor descriptors when it gives up")
    # as many as are started wait, and keep no other name waiting
    session.run("SET statement_timeout = 5")
    states = {session.ask(ONE % "resolver")[1] for _ in range(50)}
    session.run("SET statement_timeout = '30s'")
    tap.equal(states, {"57014"}, "statements that wait for a silent resolver are cancelled")
    tap.ok(session.threads() - threads > 20, "... and leave threads that are still waiting", session.threads())
    tap.equal(session.ask(ONE % "unknown")[1], "08001", "... and another name resolves at once")
    session.run("RESET statement_timeout")


def gone(pid):
    """There is no such process, or it is dead and its parent has not reaped it yet."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def by_terminate(session, observer, _cluster):
    told = time.monotonic()
    observer.run("SELECT pg_terminate_backend(%d)" % session.pid)
    wait_for(lambda: gone(session.pid), "the backend ends")
    return ms_since(told)


def by_postmaster_death(session, _observer, cluster):
    told = time.monotonic()
    cluster.stop(signal.SIGKILL)
    wait_for(lambda: gone(session.pid), "the backend ends")
    return ms_since(told)


def test_ends(tap, cluster):
    for state in STATES:
        for how, order, repeats in (("pg_terminate_backend", by_terminate, 3),
                                    ("the postmaster's death", by_postmaster_death, 3)):
            figures = []
            for _ in range(repeats):
                if cluster.process is None:
                    cluster.start()
                session, observer = Session(), Session()
                start(session, observer, state)
                figures.append(order(session, observer, cluster))
                if order is by_terminate:
                    lines = session.receive_end()
                    tap.ok("terminating connection due to administrator command" in lines[0],
                           "%s: %s is treated as an administrator's command" % (state[0], how), lines)
                session.close()
                observer.close()
            report(tap, state[0], how, figures)
            if state[2] == ONE % "program":
                wait_for(lambda: not runs(PROGRAM), "the program ends")
                tap.ok(True, "... and the program ends with the backend")
    control("clear", b"")


def test_without_postmaster(tap, cluster):
    """It cannot die, and there is nothing to watch."""
    if cluster.process is None:
        cluster.start()
    cluster.stop()
    program, *options = cluster.command
    done = subprocess.run(cluster.as_owner + cluster.environment + [program, "--single", *options, "postgres"], check=True,
                          input="SELECT count(*), count(role_arn) FROM sm.training_jobs\n", stdout=subprocess.PIPE,
                          stderr=cluster.log, encoding="utf-8")
    tap.equal(re.findall(r'(\w+) = "(\d+)"', done.stdout), [("count", "300"), ("count", "300")],
              "single-user mode: a query reads all jobs")


def make_home(directory):
    """The files in the database server's home."""
    cache = directory + "/.aws/sso/cache"
    os.makedirs(cache)
    with open("%s/%s.json" % (cache, hashlib.sha1(START_URL.encode()).hexdigest()), "w", encoding="utf-8") as file:
        json.dump({"accessToken": "sso-access-token", "expiresAt": "2100-01-01T00:00:00Z", "region": "us-east-1"}, file)
    with open(directory + "/config", "w", encoding="utf-8") as file:
        file.write(CONFIG)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as directory:
        make_home(directory)
        os.chmod(directory, 0o755)
        cluster = Cluster(["sagemaker_fdw.allow_credential_process=on"], LD_PRELOAD=preload(directory, "silent_resolver"), HOME=directory,
                          AWS_EC2_METADATA_SERVICE_ENDPOINT=URL, AWS_ENDPOINT_URL_STS=URL, AWS_ENDPOINT_URL_SSO=URL,
                          AWS_CONTAINER_CREDENTIALS_FULL_URI=URL + "/v2/credentials/task",
                          AWS_CONFIG_FILE=directory + "/config", AWS_SHARED_CREDENTIALS_FILE="/none")
        fillers = full_listener()
        quiet = socket.socket()
        quiet.bind(("127.0.0.1", 0))
        quiet.listen(100)
        try:
            cluster.start()
            session, observer = Session(), Session()
            session.run("CREATE EXTENSION sagemaker_fdw")
            patient = dict(connect_timeout=600, read_timeout=600)
            make_server(session, "sm", **patient)
            make_server(session, "bulk", keys=BULK)
            make_server(session, "resolver", url="https://silent.invalid", **patient)
            make_server(session, "slow", url="https://slow.invalid", max_attempts=1)
            make_server(session, "unknown", url="https://nowhere.invalid", max_attempts=1, **patient)
            make_server(session, "backlog", url="http://127.0.0.1:%d" % fillers[0].getsockname()[1], **patient)
            make_server(session, "handshake", url="https://127.0.0.1:%d" % quiet.getsockname()[1], **patient)
            make_server(session, "role")
            for name in ("instance", "container", "portal", "program"):
                make_server(session, name, **patient)
            session.run("CREATE TABLE partitions (LIKE sm.training_jobs) PARTITION BY LIST (region); "
                        "CREATE FOREIGN TABLE partition_1 PARTITION OF partitions FOR VALUES IN ('us-east-1') SERVER sm; "
                        "CREATE FOREIGN TABLE partition_2 PARTITION OF partitions FOR VALUES IN ('eu-west-1') SERVER sm "
                        "OPTIONS (region 'eu-west-1')")
            session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER role OPTIONS (ADD role_arn "
                        "'arn:aws:iam::123456789012:role/reader')")
            for name, options in (("instance", "credential_source 'Ec2InstanceMetadata'"),
                                  ("container", "credential_source 'EcsContainer'"),
                                  ("portal", "profile 'portal'"), ("program", "profile 'program'")):
                session.run("DROP USER MAPPING FOR CURRENT_USER SERVER %s; CREATE USER MAPPING FOR CURRENT_USER SERVER %s "
                            "OPTIONS (allow_ambient_credentials 'true', %s)" % (name, name, options))
            test_queries(tap, session, observer)
            test_resolver(tap, session)
            session.close()
            observer.close()
            test_ends(tap, cluster)
            test_without_postmaster(tap, cluster)
        finally:
            cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
