"""What a new TLS connection costs the backend in CPU, with the system's certificates.

	test/with-service -o "--bulk 2000" /usr/bin/python3 -B test/bench/tls_connection.py

Run it as root, with the module installed: the certificate of the local endpoint is put
among the system's in a mount namespace of a cluster of its own (test/t/tls.py).  Each
figure is the difference between the same queries on new connections and on kept ones,
for each connection; the CPU is that of /proc/PID/schedstat.
"""
import os
import shutil
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t"))
# pylint: disable=wrong-import-position
from harness import BULK, CA, TLS_URL, control, counters, fault, make_server  # noqa: E402
from tls import system_bundle, trusting  # noqa: E402

RUNS = 5
LOOKUPS = 100
AT_ONCE = 32

ONE = "DO $$ BEGIN PERFORM role_arn FROM s.training_jobs WHERE training_job_name = 'bulk-000001'; END $$"
LOOKUP = ONE.replace("PERFORM", "FOR i IN 1..%d LOOP PERFORM" % LOOKUPS).replace("END $$", "END LOOP; END $$")
# the list's page, then so many calls at once
SCAN = "SELECT count(role_arn) FROM (SELECT * FROM s.training_jobs LIMIT %d) AS jobs" % (2 * AT_ONCE)


def measure(session, query):
    """The backend's CPU in ms, and how many connections it makes."""
    def spent():
        with open("/proc/%d/schedstat" % session.pid, encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6
    cpu_ms, connections = spent(), counters()["connections"]
    session.run(query)
    # counters() is a connection of its own
    return spent() - cpu_ms, counters()["connections"] - connections - 1


def cost(kept, new):
    """CPU for each connection more, in ms."""
    return (new[0] - kept[0]) / (new[1] - kept[1])


def one_after_another(session):
    """Each connection resumes the TLS session of the one before."""
    kept = measure(session, LOOKUP)
    fault(kind="close_after", times=0)
    session.run(LOOKUP)
    new = measure(session, LOOKUP)
    control("clear", b"")
    return cost(kept, new)


def first(session):
    """The first connection of a session, for which the certificates are read."""
    session.run(ONE)
    kept = measure(session, ONE)
    session.run("SELECT sagemaker_fdw_disconnect()")
    return cost(kept, measure(session, ONE))


def at_once(session):
    """Those that follow it when a scan makes many calls."""
    session.run(SCAN)
    kept = measure(session, SCAN)
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run(ONE)
    return cost(kept, measure(session, SCAN))


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        folder = os.path.join(directory, "certificates")
        shutil.copytree(os.path.dirname(system_bundle()), folder, symlinks=True)
        bundle = os.path.join(folder, os.path.basename(system_bundle()))
        with open(bundle, "a", encoding="ascii") as file, open(CA, encoding="ascii") as certificate:
            file.write(certificate.read())
        with open(bundle, encoding="ascii") as file:
            print("certificates: %d" % file.read().count("BEGIN CERTIFICATE"))
        with trusting(folder) as session:
            make_server(session, "s", keys=BULK, url=TLS_URL, max_concurrency=AT_ONCE)
            control("config", {"latency_ms": 20}, BULK[0])
            for title, once in (("the first connection of a session", first),
                                ("%d at once after it" % (AT_ONCE - 1), at_once),
                                ("one after another", one_after_another)):
                figures = [once(session) for _ in range(RUNS)]
                print("%s: %.2f ms of CPU each (%.2f to %.2f)"
                      % (title, statistics.median(figures), min(figures), max(figures)))


if __name__ == "__main__":
    main()
