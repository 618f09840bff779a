"""What the tests of credentials share: a home with files, a cluster with one environment after another, botocore.

A case sets the database server's environment and the contents of its files; ask_extension and
ask_botocore then look for credentials in the same places.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import time

from harness import URL, Cluster, Session, Tap, control, counters, make_server

ROLE = "arn:aws:iam::123456789012:role/"
ONE = ("AKIDONE0000000000001", "secret/of+the/first/key/0000000000000001")
TWO = ("AKIDTWO0000000000002", "secret/of+the/second/key/000000000000002")
THREE = ("ASIATHREE00000000003", "secret/of+the/third/key/0000000000000003")
TOKEN = "a-session-token=="
HERE = os.path.dirname(os.path.abspath(__file__))


def keys(pair, more=""):
    return "aws_access_key_id = %s\naws_secret_access_key = %s\n%s" % (pair[0], pair[1], more)


def env(pair, token=None):
    variables = {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]}
    return {**variables, "AWS_SESSION_TOKEN": token} if token else variables


def assume(name, more="source_profile = base\n"):
    return "role_arn = %s%s\n%s" % (ROLE, name, more)


BASE = "[profile base]\n" + keys(ONE)
FUTURE = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 36000))
PAST = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 36000))
IMDS = {"AWS_EC2_METADATA_DISABLED": "false"}
SSO = "sso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n"
ACCOUNT = "sso_account_id = 123456789012\nsso_role_name = reader\n"
# everything that can be logged is, but the statements that users type
ALL_LOGGED = ("log_min_messages=debug5", "log_min_error_statement=panic")
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/task"}
AUTHORIZED = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/authorized"}


class World:
    """The directory that stands for the database server's home."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.home = cluster.directory + "/home"
        for path in (self.home, self.home + "/.aws", self.home + "/.aws/sso", self.home + "/.aws/sso/cache"):
            os.mkdir(path)
        self.write("token", "web-identity-token")
        self.write("wrong", "another-token")
        self.cache("https://example.awsapps.com/start", FUTURE)
        self.cache("s", FUTURE)
        # botocore leaves it to the portal to refuse the token of a start URL
        self.cache("https://expired.awsapps.com/start", PAST, "an-expired-token")
        self.own()

    def own(self):
        if self.cluster.as_owner:
            subprocess.run(["chown", "-R", "postgres", self.home], check=True)

    def cache(self, key, expires, token="sso-access-token"):
        self.write(".aws/sso/cache/%s.json" % hashlib.sha1(key.encode()).hexdigest(),
                   json.dumps({"accessToken": token, "expiresAt": expires, "region": "us-east-1"}))

    def write(self, name, text):
        with open(os.path.join(self.home, name), "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def files(self, config, credentials):
        self.write("config", config.replace("@", self.home + "/"))
        self.write("credentials", credentials.replace("@", self.home + "/"))
        self.own()

    def environment(self, more):
        """Nothing of this process's own environment except the path; None is a variable that is not set."""
        given = {name: value and value.replace("@", self.home + "/") for name, value in more.items()}
        variables = {"HOME": self.home, "PATH": os.environ["PATH"], "AWS_CONFIG_FILE": self.home + "/config",
                     "AWS_SHARED_CREDENTIALS_FILE": self.home + "/credentials", "AWS_EC2_METADATA_DISABLED": "true",
                     "AWS_EC2_METADATA_SERVICE_ENDPOINT": URL + "/", "AWS_ENDPOINT_URL_STS": URL,
                     "AWS_ENDPOINT_URL_SSO": URL, "BOTOCORE_ENDPOINT": URL, **given}
        return {name: value for name, value in variables.items() if value is not None}


def make_keys():
    """Make the endpoint know the keys, even after a reset."""
    for pair in (ONE, TWO):
        control("keys", {"access_key_id": pair[0], "secret_access_key": pair[1], "account": "123456789012"})
    control("keys", {"access_key_id": THREE[0], "secret_access_key": THREE[1], "session_token": TOKEN, "account": "123456789012"})


def as_issued(access_key_id, session_names=False):
    """What a key was issued for; a key that was not issued stands for itself."""
    for issued in json.loads(control("issued")):
        if issued["access_key_id"] == access_key_id:
            named = {key: issued[key] for key in ("by", "role_arn", "external_id", "duration_seconds")}
            requested_by = issued["requested_by"]
            named["requested_by"] = as_issued(requested_by) if requested_by else None
            if session_names:
                named["session_name"] = issued["session_name"]
            return named
    return access_key_id


def asked_with():
    """The access key of the latest request to SageMaker."""
    for request in reversed(json.loads(control("requests"))):
        found = re.search(r"Credential=([^/]+)/\d+/[^/]+/sagemaker/", request["headers"].get("authorization", ""))
        if found:
            return found.group(1)
    return None


def ask_extension(session):
    session.run("SELECT sagemaker_fdw_disconnect()")
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
    if state != "00000":
        return {"error": state + " " + " ".join(lines)}
    return {"access_key_id": asked_with()}


def ask_botocore(world, environment, profile):
    command = world.cluster.as_owner + ["env", "-i"] + ["%s=%s" % pair for pair in environment.items()] + \
        ["/usr/bin/python3", "-B", world.cluster.directory + "/botocore_keys.py"] + ([profile] if profile else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", check=False,
                          cwd="/")
    if done.returncode != 0:
        return {"error": done.stderr}
    return json.loads(done.stdout)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Server:
    """A cluster that is given one environment after another."""

    def __init__(self, world):
        self.world = world
        self.environment = None
        self.session = None

    def start(self, environment):
        """A session of a cluster with this environment."""
        if environment != self.environment:
            self.stop()
            self.world.cluster.environment = ["env", "-i"] + ["%s=%s" % pair for pair in environment.items()]
            self.world.cluster.start()
            self.environment = environment
            self.session = Session()
        return self.session

    def stop(self):
        if self.session is not None:
            self.session.close()
            self.world.cluster.stop()
        self.session = self.environment = None


NOWHERE = "http://127.0.0.1:1"


def calls_for_credentials(operation):
    return counters()["credentials"].get(operation, 0)


def sts_error(code, message):
    return "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>" % (code, message)


def check_rows(session):
    """The rows of sagemaker_fdw_check_server: name to (ok, detail); ok is None where nothing was tried."""
    rows = [line.split("|", 2) for line in session.run("SELECT * FROM sagemaker_fdw_check_server('sm')")]
    return {name: ({"t": True, "f": False, "": None}[ok], detail) for name, ok, detail in rows}


PERMISSIONS = ["permission " + name for name in (
    "ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTrainingJobsForHyperParameterTuningJob", "ListTags")]
# the doctor's rows
CHECKS = ["credentials", "region", "endpoint", "tls", "clock", "latency", *PERMISSIONS, "sts", "permission GetProducts"]


def check_log(tap, cluster):
    done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(HERE, "..", "secrets.py"), cluster.directory + "/log"],
                          stdout=subprocess.PIPE, encoding="utf-8", check=False)
    tap.equal((done.returncode, [line for line in done.stdout.split("\n") if line.startswith("#")]), (0, []),
              "the server's log contains no secret")


def run_tests(tests, logged=True):
    """Call each test with (tap, world, server), in a cluster that logs all it can; its log must contain no secret.

    Superuser postgres has the server sm, of keys that the endpoint takes, and the table sm.training_jobs.  Tests that
    take the time of many queries have little logged, and nothing looked for.
    """
    tap = Tap()
    cluster = Cluster(["sagemaker_fdw.allow_credential_process=on", *(ALL_LOGGED if logged else ())])
    try:
        world = World(cluster)
        shutil.copy(os.path.join(HERE, "botocore_keys.py"), cluster.directory)
        os.chmod(cluster.directory, 0o755)
        make_keys()
        server = Server(world)
        session = server.start(world.environment({}))
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "sm")
        for test in tests:
            test(tap, world, server)
        server.stop()
        if logged:
            check_log(tap, cluster)
    finally:
        cluster.remove()
    tap.end()
