"""What the tests in this folder share: psql sessions, the endpoint's controls, TAP.

Run below test/with-service, with psql's connection in the environment.
"""
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

URL = os.environ["SAGEMAKER_FDW_TEST_URL"]
TLS_URL = os.environ["SAGEMAKER_FDW_TEST_TLS_URL"]
CA = os.environ["SAGEMAKER_FDW_TEST_CA"]

HISTORY = ("AKIDHISTORY000000001", "secret/of+the/history/account000000000001")
BULK = ("AKIDBULK000000000001", "secret/of+the/bulk/account00000000000001")

PATIENCE_S = 120

# What no session may ever be shown.
SECRETS = re.compile("secret/of[+]the/|session-token|web-identity-token|sso-access-token|metadata-token=="
                     "|container-authorization-token|Signature=[0-9a-f]{64}")


class Died(Exception):
    """The session has ended, or does not answer."""


class Late(Died):
    """There is no answer yet."""


class Session:
    """A psql session that runs statements and returns their output.  A secret in the output is a failure."""

    def __init__(self, database="postgres"):
        self.database = database
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-d", database], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        self.lines = queue.Queue()
        self.number = 0
        threading.Thread(target=self.read, daemon=True).start()
        self.run("SET client_min_messages = warning; SET client_encoding = 'UTF8'; SET timezone = 'UTC';")
        self.pid = int(self.run("SELECT pg_backend_pid();")[0])

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def send(self, sql):
        """Send a statement; receive() returns its result."""
        self.number += 1
        self.process.stdin.write("%s;\n\\echo @%d: :SQLSTATE\n" % (sql.rstrip().rstrip(";"), self.number))
        self.process.stdin.flush()

    def receive(self, patience_s=PATIENCE_S):
        """(lines of output, SQLSTATE of the last statement)."""
        lines = []
        mark = "@%d: " % self.number
        deadline = time.monotonic() + patience_s
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Late("no answer within %d s; so far %r" % (patience_s, lines)) from None
            if line is None:
                raise Died("the session has ended: %r" % lines)
            if line.startswith(mark):
                return lines, line[len(mark):]
            if SECRETS.search(line):
                raise Died("the session is shown a secret: %s" % SECRETS.sub("...", line))
            lines.append(line)

    def receive_end(self, patience_s=PATIENCE_S):
        """The lines that arrive before the session ends."""
        lines = []
        while True:
            try:
                line = self.lines.get(timeout=patience_s)
            except queue.Empty:
                raise Died("the session goes on; so far %r" % lines) from None
            if line is None:
                return lines
            lines.append(line)

    def ask(self, sql, patience_s=PATIENCE_S):
        self.send(sql)
        return self.receive(patience_s)

    def ask_within(self, sql, limit_s):
        """Run a statement, and let another session cancel it (57014) if it takes longer: see begin_quiet()."""
        self.send(sql)
        try:
            return self.receive(limit_s)
        except Late:
            other = Session(self.database)
            other.run("SELECT pg_cancel_backend(%d)" % self.pid)
            other.close()
            return self.receive()

    def begin_quiet(self):
        """Begin a transaction in which no timer of the process wakes who sleeps for good.

        Postgres sets a timer while statistics wait to be flushed, and lets timers that it no longer needs run out, such
        as that of a statement_timeout.  A timer that fires sooner replaces them.
        """
        self.run("SELECT pg_stat_force_next_flush()")
        self.run("BEGIN; SAVEPOINT quiet; SET LOCAL statement_timeout = 1")
        self.ask("SELECT pg_sleep(60)")
        self.run("ROLLBACK TO quiet; RELEASE quiet")

    def run(self, sql):
        """The output of statements that must succeed."""
        lines, state = self.ask(sql)
        if state != "00000":
            raise Died("%s failed: %r" % (sql, lines))
        return lines

    def kb(self, field):
        """VmRSS, say, of the backend's /proc/PID/status (Linux)."""
        with open("/proc/%d/status" % self.pid, encoding="utf-8") as file:
            return int(re.search(r"^%s:\s+(\d+) kB" % field, file.read(), re.M).group(1))

    def descriptors(self):
        """How many descriptors the backend has after closing its kept connections.

        How many those are depends on how many calls were under way when a scan was given
        up.  Files are not counted: Postgres opens and closes them as it likes.
        """
        self.run("SELECT sagemaker_fdw_disconnect()")
        folder = "/proc/%d/fd" % self.pid
        return sum(not os.readlink(os.path.join(folder, entry)).startswith("/") for entry in os.listdir(folder))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.pid))

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def control(path, body=None, key=HISTORY[0]):
    """Send a request to the endpoint's control path."""
    url = "%s/_control/%s%skey=%s" % (URL, path, "&" if "?" in path else "?", key)
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
        return answer.read().decode()


def counters():
    return json.loads(control("counters"))


def fault(**spec):
    control("fault", spec)


def wait_for(condition, what, patience_s=30):
    """Poll until the condition holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise Died("never: %s" % what)
        time.sleep(0.005)


def runs(command):
    """Is a process running that was started by this command line, whose words have no blanks?"""
    wanted = command.replace(" ", "\0") + "\0"
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % entry, encoding="utf-8", errors="replace") as file:
                if file.read() == wanted:
                    return True
        except OSError:
            # no process, or one that has just ended
            pass
    return False


def make_server(session, name, keys=HISTORY, url=URL, **options):
    """A server, a mapping for the current user, and the table NAME.training_jobs."""
    more = "".join(", %s '%s'" % pair for pair in options.items())
    session.run("CREATE SERVER %s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', "
                "endpoint_url '%s'%s); CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS "
                "(aws_access_key_id '%s', aws_secret_access_key '%s'); CREATE SCHEMA %s; "
                "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER %s INTO %s;"
                % (name, url, more, name, keys[0], keys[1], name, name, name))


def explained(session, query, options=""):
    """The plan of a query, in JSON."""
    return json.loads("\n".join(session.run("EXPLAIN (%sFORMAT JSON) %s" % (options, query))))[0]["Plan"]


def nodes(plan):
    """The nodes of such a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


class Cluster:
    """A Postgres cluster of the test's own, in a temporary directory.

    A standby is one of the cluster that the environment names.  From then on the
    environment names this one.  Its server is started by the command "within", whose
    last words it becomes.
    """

    def __init__(self, settings=(), standby=False, within=(), **environment):
        bindir = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], check=True,
                                capture_output=True, encoding="utf-8").stdout.strip()
        self.as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        # the path of a socket must be short
        self.directory = tempfile.mkdtemp(prefix="sagemaker_fdw.", dir="/tmp")
        if self.as_owner:
            shutil.chown(self.directory, "postgres")
        self.data = self.directory + "/data"
        self.within = list(within)
        self.environment = ["env"] + ["%s=%s" % pair for pair in environment.items()]
        options = ["listen_addresses=", "unix_socket_directories=" + self.directory, "fsync=off", *settings]
        # memory.sh has one of its own
        self.command = [os.environ.get("SAGEMAKER_FDW_TEST_POSTGRES", bindir + "/postgres"), "-D", self.data]
        for option in options:
            self.command += ["-c", option]
        self.log = open(self.directory + "/log", "wb")
        self.process = None
        if standby:
            make = [bindir + "/pg_basebackup", "-D", self.data, "-R", "-c", "fast", "--no-sync"]
        else:
            make = [bindir + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E",
                    "UTF8", "--locale=C.UTF-8", "--no-sync"]
        # the owner may have no right to be where we are
        subprocess.run(self.as_owner + make, cwd=self.directory, check=True, stdout=subprocess.DEVNULL)
        os.environ.update(PGHOST=self.directory, PGPORT="5432", PGUSER="postgres")

    def start(self):
        def started():
            # a postmaster gives up while processes of one that was killed are there yet
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(self.within + self.as_owner + self.environment + self.command,
                                                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
            return subprocess.run(["psql", "-X", "-q", "-d", "postgres", "-c", ""], stderr=subprocess.DEVNULL,
                                  check=False).returncode == 0

        wait_for(started, "the cluster starts")

    def postmaster(self):
        with open(self.data + "/postmaster.pid", encoding="utf-8") as file:
            return int(file.readline())

    def stop(self, how=signal.SIGINT):
        """SIGINT: a fast shutdown; SIGKILL: the postmaster dies, and nothing tells the backends."""
        os.kill(self.postmaster(), how)
        self.process.wait()
        self.process = None

    def remove(self):
        if self.process is not None:
            self.stop()
        self.log.close()
        shutil.rmtree(self.directory)


@contextlib.contextmanager
def cluster_session(settings=(), within=(), **environment):
    """A session with a cluster of its own; afterwards this process's environment is as it was."""
    before = dict(os.environ)
    cluster = Cluster(settings, within=within, **environment)
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        yield session
    finally:
        cluster.remove()
        os.environ.clear()
        os.environ.update(before)


def preload(directory, name):
    """The path of a library for LD_PRELOAD, made in the directory from the C file of that name."""
    library = os.path.join(directory, name + ".so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def link_local(directory):
    """Environment in which the addresses of the metadata and container services are the endpoint's."""
    return {"LD_PRELOAD": preload(directory, "link_local"), "LINK_LOCAL_PORT": str(host_and_port(URL)[1])}


class Tap:
    """Prints results as TAP."""

    def __init__(self):
        self.number = self.failed = 0

    def ok(self, good, title, detail=""):
        self.number += 1
        self.failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.number, title))
        if not good and detail:
            print("# %s" % str(detail).replace("\n", "\n# "))
        sys.stdout.flush()
        return good

    def equal(self, actual, expected, title):
        return self.ok(actual == expected, title, "got      %r\nexpected %r" % (actual, expected))

    @staticmethod
    def note(text):
        print("# %s" % text)
        sys.stdout.flush()

    def end(self):
        print("1..%d" % self.number)
        sys.exit(self.failed != 0)


def main(test):
    """Run test(session, tap) in a database of its own.

    With SAGEMAKER_FDW_TEST_CLUSTER=own it is in a cluster of its own, of PG_CONFIG's Postgres.
    """
    cluster = None
    if os.environ.get("SAGEMAKER_FDW_TEST_CLUSTER") == "own":
        cluster = Cluster()
        cluster.start()
    name = "sagemaker_fdw_test_%d" % os.getpid()
    psql = ["psql", "-X", "-q", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c"]
    subprocess.run(psql + ["CREATE DATABASE %s" % name], check=True)
    os.environ["SAGEMAKER_FDW_TEST_DATABASE"] = name
    tap = Tap()
    try:
        session = Session(name)
        session.run("SET client_min_messages = warning; CREATE EXTENSION sagemaker_fdw;")
        test(session, tap)
    except Died as problem:
        tap.ok(False, "every session answers", problem)
    finally:
        subprocess.run(psql + ["DROP DATABASE IF EXISTS %s WITH (FORCE)" % name], check=True,
                       stderr=subprocess.DEVNULL)
        if cluster is not None:
            cluster.remove()
    tap.end()


def build_library(directory, name, sources):
    """Make a library of SQL functions from sources of the project, and return its path."""
    include = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--includedir-server"], check=True,
                             capture_output=True, encoding="utf-8").stdout.strip()
    library = os.path.join(directory, name + ".so")
    subprocess.run(["cc", "-std=gnu99", "-O2", "-g", "-shared", "-fPIC", "-Wall", "-Werror", "-D_GNU_SOURCE",
                    "-I", "src", "-I", include, "-o", library, *sources], check=True,
                   cwd=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    os.chmod(directory, 0o755)
    return library


def another_session():
    return Session(os.environ["SAGEMAKER_FDW_TEST_DATABASE"])


def full_listener():
    """A listener whose backlog is full, and the socket that fills it: a connection attempt to the first gets no answer."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [listener]
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return fillers


def host_and_port(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port
