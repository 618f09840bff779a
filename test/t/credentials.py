"""Credentials are found where botocore finds them, and not found where it does not.

Each case is an environment of the database server and two files.  The extension and
botocore are asked in turn, both as the cluster's user: the access keys are the same,
or they were issued for the same role in the same way, or both fail.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse

from harness import CA, TLS_URL, URL, Cluster, Session, Tap, control, counters, fault, link_local, make_server, runs, wait_for

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
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/task"}
AUTHORIZED = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/authorized"}
SAY = "credential_process = /bin/sh -c 'echo \"$0\"' '%s'\n"
SAID = json.dumps({"Version": 1, "AccessKeyId": ONE[0], "SecretAccessKey": ONE[1]})

# Title, environment, config file, credentials file, profile of the user mapping.
CASES = [
    ("nothing at all", {}, "", "", None),
    ("keys in the environment", env(ONE), "", "", None),
    ("keys and token in the environment", env(THREE, TOKEN), "", "", None),
    ("a token by its old name", {**env(THREE), "AWS_SECURITY_TOKEN": TOKEN}, "", "", None),
    ("a key in the environment without its secret", {"AWS_ACCESS_KEY_ID": ONE[0]}, "", "", None),
    ("the environment before the files", env(ONE), "", "[default]\n" + keys(TWO), None),
    ("a profile before the environment", env(ONE), "", "[p]\n" + keys(TWO), "p"),
    ("the environment before its own profile", {**env(ONE), "AWS_PROFILE": "p"}, "", "[p]\n" + keys(TWO), None),
    ("the environment's profile", {"AWS_PROFILE": "p"}, "", "[p]\n" + keys(TWO), None),
    ("the environment's default profile", {"AWS_DEFAULT_PROFILE": "p"}, "", "[p]\n" + keys(TWO), None),
    ("a profile that does not exist", {}, "", "[default]\n" + keys(ONE), "p"),
    ("the environment's profile that does not exist", {"AWS_PROFILE": "p"}, "", "[default]\n" + keys(ONE), None),
    # files
    ("default in the credentials file", {}, "", "[default]\n" + keys(ONE), None),
    ("default in the config file", {}, "[default]\n" + keys(ONE), "", None),
    ("the credentials file before the config file", {}, "[default]\n" + keys(TWO), "[default]\n" + keys(ONE), None),
    ("a profile of the config file", {}, "[profile p]\n" + keys(ONE), "", "p"),
    ("a profile of the config file without its kind", {}, "[p]\n" + keys(ONE), "", "p"),
    ("a profile with a kind in the credentials file", {}, "", "[profile p]\n" + keys(ONE), "p"),
    ("a quoted name of a profile", {}, '[profile "my p"]\n' + keys(ONE), "", "my p"),
    ("a token in a file", {}, "", "[default]\n" + keys(THREE, "aws_session_token = %s\n" % TOKEN), None),
    ("a key in a file without its secret", {}, "", "[default]\naws_access_key_id = x\n", None),
    ("keys in capitals, colons, comments", {}, "",
     "# first\n[default]\n; second\nAWS_ACCESS_KEY_ID: %s\n\nAws_Secret_Access_Key=%s\n" % ONE, None),
    ("blanks around everything", {}, "", "[default]\r\n" + keys(ONE).replace(" = ", "\t =  ").replace("\n", "  \r\n"), None),
    ("a setting twice", {}, "", "[default]\n" + keys(ONE) + keys(TWO), None),
    ("a section twice", {}, "", "[default]\n" + keys(ONE) + "[default]\nx = y\n", None),
    ("[default] before [profile default]", {}, "[default]\n" + keys(ONE) + "[profile default]\n" + keys(TWO), "", None),
    ("[profile default] before [default]", {}, "[profile default]\n" + keys(TWO) + "[default]\n" + keys(ONE), "", None),
    ("a profile with and without quotes", {}, "[profile p]\n" + keys(ONE) + '[profile "p"]\n' + keys(TWO), "", "p"),
    ("a profile with quotes, the second time without keys", {}, "[profile p]\n" + keys(ONE) + '[profile "p"]\nregion = x\n', "", "p"),
    ("a profile with a backslash", {}, "[profile my\\ p]\n" + keys(ONE), "", "my p"),
    ("a kind that goes on", {}, "[profiles p]\n" + keys(ONE), "", "p"),
    ("a token that only the first of two sections has", {}, "[profile p]\n" + keys(TWO, "aws_session_token = x\n") + '[profile "p"]\n' +
     keys(ONE), "", "p"),
    ("settings of [DEFAULT]", {}, "", "[DEFAULT]\n" + keys(ONE) + "[default]\nregion = x\n", None),
    ("no-break spaces", {}, "", "[default]\n" + keys(ONE).replace(" = ", "\u00a0=\u00a0"), None),
    ("carriage returns", {}, "", "[default]\r" + keys(ONE).replace("\n", "\r"), None),
    ("a setting below a setting that is none", {}, "", "[default]\n" + keys(ONE) + "s3 =\n  max\n", None),
    ("a session in two ways", {}, "[sso-session s]\nsso_region = x\n[sso-session 's']\n" + SSO + "[profile p]\nsso_session = s\n" + ACCOUNT,
     "", "p"),
    ("a setting before any section", {}, "", "x = y\n[default]\n" + keys(ONE), None),
    ("a line that is no setting", {}, "", "[default]\n" + keys(ONE) + "what\n", None),
    ("a config file that is none", {}, "\0\1\2", "[default]\n" + keys(ONE), None),
    ("a setting that goes on below", {}, "[profile p]\nservices = x\ns3 =\n  max = 1\n  more = 2\n" + keys(ONE), "", "p"),
    ("an empty value", {}, "", "[default]\naws_access_key_id =\naws_secret_access_key =\n", None),
    # roles
    ("a role, with another profile's keys", {}, BASE + "[profile p]\n" + assume("a"), "", "p"),
    ("the keys are in the credentials file", {}, "[profile p]\n" + assume("a"), "[base]\n" + keys(ONE), "p"),
    ("a role, with a role", {}, BASE + "[profile q]\n" + assume("a") + "[profile p]\n" + assume("b", "source_profile = q\n"),
     "", "p"),
    ("a profile that is its own source", {}, "[profile p]\n" + keys(ONE) + assume("a", "source_profile = p\n"), "", "p"),
    ("a loop of roles", {}, "[profile p]\n" + assume("a", "source_profile = q\n") + "[profile q]\n" +
     assume("b", "source_profile = p\n"), "", "p"),
    ("a profile that is its own source, without keys", {}, "[profile p]\n" + assume("a", "source_profile = p\n"), "", "p"),
    ("a source that does not exist", {}, "[profile p]\n" + assume("a", "source_profile = q\n"), "", "p"),
    ("a source without credentials", {}, "[profile q]\nregion = x\n[profile p]\n" + assume("a", "source_profile = q\n"), "", "p"),
    ("a role with the environment's keys", env(ONE), "[profile p]\n" + assume("a", "credential_source = Environment\n"), "", "p"),
    ("a role with the environment's keys, which has none", {},
     "[profile p]\n" + assume("a", "credential_source = Environment\n"), "", "p"),
    ("a role with the instance's credentials", IMDS,
     "[profile p]\n" + assume("a", "credential_source = Ec2InstanceMetadata\n"), "", "p"),
    ("a role with the container's credentials", CONTAINER,
     "[profile p]\n" + assume("a", "credential_source = EcsContainer\n"), "", "p"),
    ("both kinds of source", env(ONE), BASE + "[profile p]\n" +
     assume("a", "source_profile = base\ncredential_source = Environment\n"), "", "p"),
    ("neither kind of source", env(ONE), "[profile p]\n" + assume("a", ""), "", "p"),
    ("a source that is none", env(ONE), "[profile p]\n" + assume("a", "credential_source = Elsewhere\n"), "", "p"),
    ("a role with an external id", {}, BASE + "[profile p]\n" +
     assume("external", "source_profile = base\nexternal_id = the-external-id\n"), "", "p"),
    ("a role with the wrong external id", {}, BASE + "[profile p]\n" +
     assume("external", "source_profile = base\nexternal_id = another\n"), "", "p"),
    ("a role with a session name and a duration", {}, BASE + "[profile p]\n" +
     assume("a", "source_profile = base\nrole_session_name = me\nduration_seconds = 1800\n"), "", "p"),
    ("a role that is denied", {}, BASE + "[profile p]\n" + assume("denied"), "", "p"),
    ("a role that needs a code", {}, BASE + "[profile p]\n" +
     assume("a", "source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"), "", "p"),
    # web identity
    ("a web identity of the environment", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}, "", "", None),
    ("a web identity of a profile", {}, "[profile p]\nrole_arn = %sw\nweb_identity_token_file = @token\n" % ROLE, "", "p"),
    ("a web identity with a wrong token", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@wrong", "AWS_ROLE_ARN": ROLE + "w"}, "", "", None),
    ("a web identity without a role", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token"}, "", "", None),
    ("a web identity without its file", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@none", "AWS_ROLE_ARN": ROLE + "w"}, "", "", None),
    ("a web identity before a file's keys", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}, "",
     "[default]\n" + keys(ONE), None),
    ("a source profile's keys before a web identity of the environment",
     {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w", "AWS_PROFILE": "p"},
     BASE + "[profile p]\n" + assume("a"), "", None),
    ("a web identity of the environment beside a source profile without credentials",
     {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w", "AWS_PROFILE": "p"},
     "[profile q]\nregion = x\n[profile p]\n" + assume("a", "source_profile = q\n"), "", None),
    ("a web identity of a source profile", {"AWS_PROFILE": "p"}, "[profile q]\nrole_arn = %sw\nweb_identity_token_file = @token\n"
     "[profile p]\n%s" % (ROLE, assume("a", "source_profile = q\n")), "", None),
    # IAM Identity Center
    ("a start URL", {}, "[profile p]\n" + SSO + ACCOUNT, "", "p"),
    ("a session", {}, "[sso-session s]\n" + SSO + "[profile p]\nsso_session = s\n" + ACCOUNT, "", "p"),
    ("a session that does not exist", {}, "[profile p]\nsso_session = s\n" + ACCOUNT, "", "p"),
    ("a token that has expired", {}, "[profile p]\n" + SSO.replace("example", "expired") + ACCOUNT, "", "p"),
    ("a token that there is none of", {}, "[profile p]\n" + SSO.replace("example", "nobody") + ACCOUNT, "", "p"),
    ("no role name", {}, "[profile p]\n" + SSO + "sso_account_id = 123456789012\n", "", "p"),
    # a program
    ("a program", {}, "[profile p]\n" + SAY % SAID, "", "p"),
    ("a program with an unknown version", {}, "[profile p]\n" + SAY % SAID.replace("1,", "2,", 1), "", "p"),
    ("a program that prints something else", {}, "[profile p]\n" + SAY % "hello", "", "p"),
    ("a program that fails", {}, "[profile p]\ncredential_process = /bin/false\n", "", "p"),
    ("a program that there is none of", {}, "[profile p]\ncredential_process = /no/such/program\n", "", "p"),
    ("the credentials file before a program", {}, "[profile p]\n" + SAY % SAID, "[p]\n" + keys(TWO), "p"),
    # this machine
    ("a container", CONTAINER, "", "", None),
    ("a container that wants a token", {**AUTHORIZED, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-authorization-token"},
     "", "", None),
    ("a container that wants a token and gets none", AUTHORIZED, "", "", None),
    ("a container's host that is not trusted",
     {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/v2/credentials/task"}, "", "", None),
    ("an instance", IMDS, "", "", None),
    ("a file before the instance", IMDS, "", "[default]\n" + keys(ONE), None),
]


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
        """Nothing of this process's own environment but the path; None is a variable that is not set."""
        given = {name: value and value.replace("@", self.home + "/") for name, value in more.items()}
        variables = {"HOME": self.home, "PATH": os.environ["PATH"], "AWS_CONFIG_FILE": self.home + "/config",
                     "AWS_SHARED_CREDENTIALS_FILE": self.home + "/credentials", "AWS_EC2_METADATA_DISABLED": "true",
                     "AWS_EC2_METADATA_SERVICE_ENDPOINT": URL + "/", "AWS_ENDPOINT_URL_STS": URL,
                     "AWS_ENDPOINT_URL_SSO": URL, "BOTOCORE_ENDPOINT": URL, **given}
        return {name: value for name, value in variables.items() if value is not None}


def as_issued(access_key_id, session_names=False):
    """What a key was issued for; a key that was not issued is itself."""
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
    """The cluster with one environment after another."""

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


def test_cases(tap, world, server):
    found = failed = 0
    for title, variables, config, credentials, profile in CASES:
        world.files(config, credentials)
        environment = world.environment(variables)
        session = server.start(environment)
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true'%s)" % (", profile " + quoted(profile) if profile else ""))
        judge = ask_botocore(world, environment, profile)
        ours = ask_extension(session)
        # an empty key is botocore's way to find nothing, too
        if not judge.get("access_key_id"):
            failed += 1
            tap.ok(ours.get("error", "").startswith("28000") or ours.get("error", "").startswith("08001"),
                   "%s: both find nothing" % title, (judge, ours))
        else:
            found += 1
            tap.equal(as_issued(ours.get("access_key_id"), False) if "error" not in ours else ours,
                      as_issued(judge["access_key_id"], False), "%s: both find the same" % title)
    tap.note("%d configurations yield credentials, %d do not" % (found, failed))


def test_unreadable(tap, world, server):
    world.files("", "[default]\n" + keys(ONE))
    environment = world.environment({})
    session = server.start(environment)
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; "
                "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true')")
    path = world.home + "/credentials"
    os.rename(path, world.home + "/elsewhere")
    os.symlink(world.home + "/elsewhere", path)
    tap.equal(ask_extension(session).get("access_key_id"), ask_botocore(world, environment, None).get("access_key_id"),
              "a symbolic link: both find the same")
    os.chmod(world.home + "/elsewhere", 0)
    ours = ask_extension(session)
    tap.ok("error" in ask_botocore(world, environment, None) and "cannot be read" in ours.get("error", ""),
           "a file that may not be read: both find nothing", ours)
    os.unlink(path)
    os.mkdir(path)
    tap.ok("error" in ask_botocore(world, environment, None) and "error" in ask_extension(session),
           "a directory: both find nothing")
    os.rmdir(path)
    os.mkfifo(path)
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs", 10)
    tap.equal(state, "28000", "what is no regular file is not waited for")
    os.unlink(path)


# Title, credentials file, and what is wrong with it: the line, and how.
BAD_FILES = [
    ("a section twice", "[default]\n%s[p]\n[default]\n" % keys(ONE), 5, "begins a section that the file has already"),
    ("a setting twice", "[default]\n%sAWS_Access_Key_Id: x\n" % keys(ONE), 4, "is a setting that its section has already"),
    ("a setting before any section", "# keys\n\n%s[default]\n" % keys(ONE), 3, "comes before any section"),
    ("a line that is none", "[default]\n%sexport\n" % keys(ONE), 4, "is no setting"),
    ("a setting below a setting that is none", "[default]\ns3 =\n  a = b\n  c\n%s" % keys(ONE), 4, "is no setting"),
    ("UTF-16", "[default]\n\0%s" % keys(ONE), 2, "is not text in UTF-8"),
]


def test_bad_files(tap, world, server):
    """A file that the AWS CLI cannot read: which one, in which line, and why."""
    for title, text, line, problem in BAD_FILES:
        world.files("", text)
        session = server.start(world.environment({}))
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; "
                    "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true')")
        tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs"),
                  (['ERROR:  no AWS credentials for server "sm"',
                    'DETAIL:  Line %d of the file "%s/credentials" %s.' % (line, world.home, problem),
                    "HINT:  Correct that line: files are read as the AWS CLI reads them, in UTF-8."], "28000"), title)
    for file in ("config", "credentials"):
        world.files("", "")
        world.write(file, "\ufeff[default]\n" + keys(ONE))
        tap.equal((ask_extension(session), "error" in ask_botocore(world, world.environment({}), None)),
                  ({"access_key_id": ONE[0]}, True), "a byte order mark in the file %s: only botocore refuses it" % file)


def test_line_break(tap, world, server):
    """A value that goes on in another line would begin another header."""
    world.files("", "[default]\n" + keys(THREE, "aws_session_token = %s\n  X-Another: header\n" % TOKEN))
    session = server.start(world.environment({}))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; "
                "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true')")
    control("calls")
    ours = ask_extension(session)
    tap.ok(ours.get("error", "").startswith("28000") and "the shared credentials file" in ours["error"],
           "a token with a line break is an error that says where it is", ours)
    tap.equal(control("calls").strip(), "none", "and no request is made with it")


def test_mapping(tap, world, server):
    """What the mapping itself says."""
    world.files("", "")
    session = server.start(world.environment(IMDS))
    for options, expected in (
            ("aws_access_key_id '%s', aws_secret_access_key '%s'" % ONE, ONE[0]),
            ("aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm'" % (*ONE, ROLE),
             {"by": "AssumeRole", "role_arn": ROLE + "m", "external_id": None, "duration_seconds": None,
              "requested_by": ONE[0], "session_name": "pg-postgres-postgres"}),
            ("aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sexternal', external_id 'the-external-id', "
             "role_session_name 'me', duration_seconds '1000'" % (*ONE, ROLE),
             {"by": "AssumeRole", "role_arn": ROLE + "external", "external_id": "the-external-id",
              "duration_seconds": 1000, "requested_by": ONE[0], "session_name": "me"}),
            ("allow_ambient_credentials 'true', role_arn '%sm'" % ROLE,
             {"by": "AssumeRole", "role_arn": ROLE + "m", "external_id": None, "duration_seconds": None,
              "requested_by": {"by": "MetadataCredentials", "role_arn": None, "external_id": None,
                               "duration_seconds": None, "requested_by": None}, "session_name": "pg-postgres-postgres"}),
            ("allow_ambient_credentials 'true', role_arn '%sw', web_identity_token_file '%s/token'" % (ROLE, world.home),
             {"by": "AssumeRoleWithWebIdentity", "role_arn": ROLE + "w", "external_id": None, "duration_seconds": None,
              "requested_by": None, "session_name": "pg-postgres-postgres"})):
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; "
                    "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)" % options)
        ours = ask_extension(session)
        tap.equal(as_issued(ours.get("access_key_id"), True) if "error" not in ours else ours, expected,
                  "mapping: " + options.replace(ONE[1], "..."))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    tap.equal(ask_extension(session).get("error"), None, "superusers need no mapping")


def test_process_allowed(tap, world, server):
    world.files("[profile p]\n" + SAY % SAID, "")
    session = server.start(world.environment({}))
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true', profile 'p'); "
                "SET sagemaker_fdw.allow_credential_process = off")
    ours = ask_extension(session)
    tap.ok("not allowed to run" in ours.get("error", ""), "a program does not run unless that is allowed", ours)
    session.run("SET sagemaker_fdw.allow_credential_process = on")

    # a shell and ls have what they were started with; 3 is the folder that ls reads
    world.files("[profile p]\ncredential_process = /bin/sh -c 'ls /proc/self/fd > @descriptors; echo \"$0\"' '%s'\n" % SAID, "")
    session.run("CREATE TABLE opened AS SELECT count(*) FROM pg_class, pg_proc")
    tap.equal(ask_extension(session), {"access_key_id": ONE[0]}, "a program that lists its descriptors")
    with open(world.home + "/descriptors", encoding="ascii") as file:
        tap.equal(file.read().split(), ["0", "1", "2", "3"], "... has none but input, output and errors")
    session.run("DROP TABLE opened; SELECT sagemaker_fdw_disconnect()")

    # no other test's
    program = "/bin/sleep %d" % (100000 + os.getpid())
    other = Session()
    for command, title in ((program, "a program that does not end"),
                           ("/bin/sh -c \"exec >&-; exec %s\"" % program, "a program whose output ends before it does")):
        world.files("[profile p]\ncredential_process = %s\n" % command, "")
        session.send("SELECT count(*) FROM sm.training_jobs")
        wait_for(lambda: runs(program), "the program runs")
        other.run("SELECT pg_cancel_backend(%d)" % session.pid)
        tap.equal(session.receive()[1], "57014", "%s is cancelled" % title)
        wait_for(lambda: not runs(program), "the program is gone")
        tap.ok(True, "... and ended")
    other.close()
    session.run("RESET sagemaker_fdw.allow_credential_process")


def test_refresh(tap, world, server):
    """Credentials are replaced before they expire, and when the service says that they have."""
    world.files("", "")
    session = server.start(world.environment(IMDS))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                "OPTIONS (allow_ambient_credentials 'true'); SELECT sagemaker_fdw_disconnect()")

    def issued():
        return sum(one["by"] == "MetadataCredentials" for one in json.loads(control("issued")))
    before = issued()
    session.run("SELECT count(role_arn) FROM sm.training_jobs")
    session.run("SELECT count(role_arn) FROM sm.training_jobs")
    tap.equal(issued() - before, 1, "credentials are kept for the session")

    control("config", {"latency_ms": 5})
    session.send("SELECT count(role_arn) FROM sm.training_jobs")
    seen = counters()["calls"].get("DescribeTrainingJob", 0)
    wait_for(lambda: counters()["calls"].get("DescribeTrainingJob", 0) > seen + 50, "the scan is under way")
    control("expire", b"")
    tap.equal(session.receive(), (["300"], "00000"), "credentials that expire in mid-scan are replaced")
    tap.equal(issued() - before, 2, "... once")

    # short-lived ones are replaced before the service complains
    control("config", {"latency_ms": 5, "session_seconds": 4})
    session.run("SELECT sagemaker_fdw_disconnect()")
    before = issued()
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        session.run("SELECT count(role_arn) FROM sm.training_jobs")
    tap.ok(2 <= issued() - before <= 6, "short-lived credentials are replaced in time", issued() - before)
    tap.equal(session.run("SELECT count(role_arn) FROM sm.training_jobs"), ["300"], "... and all is well")
    control("config", {"latency_ms": 0, "session_seconds": 3600})

    # what cannot be replaced is used until it must be
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run("SELECT count(*) FROM sm.training_jobs")
    fault(kind="error", operation="MetadataToken", status=500, code="InternalFailure", times=0)
    control("expire", b"")
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
    tap.ok(state in ("28000", "08001"), "expired credentials that cannot be replaced are an error", (lines, state))
    control("clear", b"")
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... and the session works on")


# Role, owner of the server, options of the mapping (None: no mapping), does it work?
RIGHTS = [
    ("super", "super", None, True), ("super", "plain", None, False),
    ("plain", "super", None, False), ("plain", "plain", None, False),
    ("super", "super", "", True), ("super", "plain", "", False),
    ("plain", "super", "", False), ("plain", "plain", "", False),
    ("super", "super", "own", True), ("super", "plain", "own", True),
    ("plain", "super", "own", True), ("plain", "plain", "own", True),
    ("super", "super", "allow", True), ("super", "plain", "allow", True),
    ("plain", "super", "allow", True), ("plain", "plain", "allow", True),
    ("super", "plain", "deny", False), ("plain", "super", "deny", False),
    ("plain", "super", "role", False), ("plain", "super", "ownrole", True),
    ("plain", "super", "profile", False), ("plain", "super", "allowprofile", True),
]
MAPPINGS = {
    "": "", "own": "aws_access_key_id '%s', aws_secret_access_key '%s'" % TWO,
    "allow": "allow_ambient_credentials 'true'", "deny": "allow_ambient_credentials 'false'",
    "role": "role_arn '%sm'" % ROLE, "ownrole": "aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm'" % (*TWO, ROLE),
    "profile": "profile 'p'", "allowprofile": "profile 'p', allow_ambient_credentials 'true'",
}


def test_rights(tap, world, server):
    """Who may use the database server's own credentials."""
    world.files("", "[p]\n" + keys(ONE))
    session = server.start(world.environment(env(ONE)))
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE ROLE super SUPERUSER; CREATE ROLE plain; "
                "GRANT USAGE ON FOREIGN DATA WRAPPER sagemaker_fdw TO plain; GRANT USAGE ON SCHEMA sm TO plain; "
                "GRANT SELECT ON sm.training_jobs TO super, plain; GRANT USAGE ON FOREIGN SERVER sm TO plain; "
                "GRANT EXECUTE ON FUNCTION sagemaker_describe_training_job TO plain; GRANT CREATE ON SCHEMA public TO plain")
    # read as oneself; through a view of the role, by another; through a function of the role, by another
    session.run("CREATE ROLE caller; GRANT USAGE ON SCHEMA sm TO caller; "
                "CREATE VIEW as_super AS SELECT count(*) FROM sm.training_jobs; ALTER VIEW as_super OWNER TO super; "
                "CREATE VIEW as_plain AS SELECT count(*) FROM sm.training_jobs; ALTER VIEW as_plain OWNER TO plain; "
                "CREATE FUNCTION do_super() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM sm.training_jobs'; "
                "ALTER FUNCTION do_super OWNER TO super; "
                "CREATE FUNCTION do_plain() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM sm.training_jobs'; "
                "ALTER FUNCTION do_plain OWNER TO plain; GRANT SELECT ON as_super, as_plain TO caller")
    for role, owner, mapping, works in RIGHTS:
        session.run("ALTER SERVER sm OWNER TO postgres; DROP USER MAPPING IF EXISTS FOR %s SERVER sm" % role)
        if mapping is not None:
            session.run("CREATE USER MAPPING FOR %s SERVER sm OPTIONS (%s)" % (role, MAPPINGS[mapping])
                        if MAPPINGS[mapping] else "CREATE USER MAPPING FOR %s SERVER sm" % role)
        # a server's grants go to its new owner
        session.run("GRANT USAGE ON FOREIGN SERVER sm TO plain")
        if owner == "plain":
            session.run("ALTER SERVER sm OWNER TO plain")
        for way, who, query in (("itself", role, "SELECT count(*) FROM sm.training_jobs"),
                                ("a view", "caller", "SELECT * FROM as_%s" % role),
                                ("a security definer", "caller", "SELECT do_%s()" % role),
                                ("the function", role, "SELECT sagemaker_describe_training_job('sm', 'no-such-job') IS NULL")):
            session.run("SET ROLE " + who)
            _lines, state = session.ask(query)
            session.run("RESET ROLE")
            tap.equal(state, "00000" if works else "28000", "%s, server of %s, mapping %s, by %s: %s" % (
                role, owner, mapping, way, "works" if works else "refused"))
        session.run("DROP USER MAPPING IF EXISTS FOR %s SERVER sm" % role)
    session.run("ALTER SERVER sm OWNER TO postgres")

    # a session that holds a superuser's credentials lends them to nobody
    session.run("CREATE USER MAPPING FOR PUBLIC SERVER sm; SELECT count(*) FROM sm.training_jobs")
    session.run("SET ROLE plain")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "PUBLIC's mapping lends nothing")
    session.run("RESET ROLE")
    # and who loses a right loses it at once
    session.run("ALTER ROLE plain SUPERUSER; SET ROLE plain; SELECT count(*) FROM sm.training_jobs; RESET ROLE; "
                "ALTER ROLE plain NOSUPERUSER; SET ROLE plain")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "a role that is no superuser any more")
    # options that give rights are not a plain role's to set
    session.run("RESET ROLE; DROP USER MAPPING FOR PUBLIC SERVER sm; SET ROLE plain")
    for option in ("allow_ambient_credentials 'true'", "profile 'p'", "credential_source 'Environment'",
                   "web_identity_token_file '/etc/passwd'"):
        _lines, state = session.ask("CREATE USER MAPPING FOR plain SERVER sm OPTIONS (%s)" % option)
        tap.equal(state, "42501", "a plain role cannot set %s" % option)
    session.run("RESET ROLE")

    # what a superuser gave goes away, and cannot be turned into more
    session.run("CREATE USER MAPPING FOR plain SERVER sm OPTIONS (allow_ambient_credentials 'true', role_arn '%sm'); "
                "ALTER SERVER sm OWNER TO plain; SET ROLE plain" % ROLE)
    for option in ("DROP role_arn", "SET role_arn '%sx'" % ROLE, "ADD external_id 'x'", "ADD profile 'p'",
                   "SET allow_ambient_credentials 'yes'"):
        _lines, state = session.ask("ALTER USER MAPPING FOR plain SERVER sm OPTIONS (%s)" % option)
        tap.equal(state, "42501", "a plain owner of the server cannot %s of a mapping with a leave" % option)
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... which works")
    session.run("ALTER USER MAPPING FOR plain SERVER sm OPTIONS (DROP allow_ambient_credentials)")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "... until the leave is dropped")
    session.run("DROP USER MAPPING FOR plain SERVER sm; CREATE USER MAPPING FOR plain SERVER sm")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "... or the mapping replaced")
    session.run("DROP USER MAPPING FOR plain SERVER sm; CREATE USER MAPPING FOR super SERVER sm")
    session.run("RESET ROLE; SET ROLE super")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000",
              "a mapping that a server's owner makes for a superuser lends nothing")
    session.run("RESET ROLE; SET ROLE plain")
    for option in ("ADD fetch_size '10'", "SET endpoint_url 'http://127.0.0.1:1'", "ADD proxy_url 'http://127.0.0.1:1'",
                   "ADD ca_bundle '/etc/passwd'"):
        tap.equal(session.ask("ALTER SERVER sm OPTIONS (%s)" % option)[1], "42501",
                  "a plain owner cannot %s of a server with an endpoint_url" % option)
    session.run("RESET ROLE; ALTER SERVER sm OWNER TO postgres; DROP USER MAPPING FOR super SERVER sm; "
                "REVOKE USAGE ON FOREIGN SERVER sm FROM plain; GRANT EXECUTE ON FUNCTION sagemaker_fdw_check_server TO plain; "
                "SET ROLE plain")
    for query in ("SELECT sagemaker_describe_training_job('sm', 'x')", "SELECT sagemaker_fdw_check_server('sm')"):
        tap.equal(session.ask(query)[1], "42501", "without USAGE on the server: " + query)
    session.run("RESET ROLE; GRANT USAGE ON FOREIGN SERVER sm TO plain; DROP VIEW as_super, as_plain")


def signers(ask):
    """(what ask() returned, the access keys that signed its requests to SageMaker)."""
    before = sum(counters()["calls"].values())
    answer = ask()
    number = sum(counters()["calls"].values()) - before
    keys_used = []
    for request in json.loads(control("requests")):
        keys_used += re.findall(r"Credential=([^/]+)/\d+/[^/]+/sagemaker/", request["headers"].get("authorization", ""))
    return answer, set(keys_used[len(keys_used) - number:])


def test_whose(tap, world, server):
    """Whose key signs, whoever asks by whatever way."""
    world.files("", "[p]\n" + keys(TWO))
    session = server.start(world.environment(env(THREE, TOKEN)))
    mine = "aws_access_key_id '%s', aws_secret_access_key '%s'"
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; GRANT SELECT ON sm.training_jobs TO caller; "
                "CREATE USER MAPPING FOR plain SERVER sm OPTIONS (%s); CREATE USER MAPPING FOR caller SERVER sm OPTIONS (%s)"
                % (mine % ONE, mine % TWO))
    for role in ("super", "plain"):
        session.run("CREATE VIEW as_{0} AS SELECT count(*) FROM sm.training_jobs; ALTER VIEW as_{0} OWNER TO {0}; "
                    "GRANT SELECT ON as_{0} TO super, plain, caller; "
                    "CREATE VIEW by_{0} WITH (security_invoker) AS SELECT count(*) FROM sm.training_jobs; "
                    "ALTER VIEW by_{0} OWNER TO {0}; GRANT SELECT ON by_{0} TO super, plain, caller; "
                    "CREATE FUNCTION opens_{0}(refcursor) RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER AS "
                    "'BEGIN OPEN $1 FOR SELECT count(role_arn) FROM sm.training_jobs; RETURN $1; END'; "
                    "ALTER FUNCTION opens_{0} OWNER TO {0}".format(role))
    session.run("CREATE FUNCTION through_view() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM as_plain'; "
                "ALTER FUNCTION through_view OWNER TO super")
    names = {"super": THREE, "plain": ONE, "caller": TWO}
    for who, query, whose in (
            *((who, "SELECT count(*) FROM sm.training_jobs", who) for who in names),
            *((who, "SELECT * FROM as_%s" % owner, owner) for who in names for owner in ("super", "plain")),
            *((who, "SELECT * FROM by_%s" % owner, who) for who in names for owner in ("super", "plain")),
            *((who, "SELECT do_%s()" % owner, owner) for who in names for owner in ("super", "plain")),
            *((who, "SELECT through_view()", "plain") for who in names)):
        session.run("SET ROLE " + who)
        answer, used = signers(lambda: session.ask(query))
        session.run("RESET ROLE")
        tap.equal((answer, used), ((["300"], "00000"), {names[whose][0]}), "%s asks %s: %s's key signs" % (who, query, whose))

    # a statement that was prepared, and a cursor, by one role and run, or read, by another
    for first, then in (("super", "plain"), ("plain", "super"), ("caller", "plain")):
        session.run("SET ROLE %s; PREPARE counting AS SELECT count(*) FROM sm.training_jobs; EXECUTE counting; SET ROLE %s"
                    % (first, then))
        answer, used = signers(lambda: session.ask("EXECUTE counting"))
        session.run("RESET ROLE; DEALLOCATE counting")
        tap.equal((answer, used), ((["300"], "00000"), {names[then][0]}), "prepared by %s, run by %s: %s's key signs"
                  % (first, then, then))
        session.run("BEGIN; SET ROLE %s; DECLARE reading CURSOR FOR SELECT role_arn FROM sm.training_jobs; FETCH 1 FROM reading; "
                    "SET ROLE %s" % (first, then))
        answer, used = signers(lambda: session.ask("MOVE ALL FROM reading"))
        tap.equal((answer[1], used), ("00000", {names[first][0]}), "a cursor of %s, read by %s: %s's key signs" % (first, then, first))
        session.run("COMMIT; RESET ROLE")
    for owner in ("super", "plain"):
        session.run("BEGIN; SET ROLE caller; SELECT opens_%s('handed')" % owner)
        answer, used = signers(lambda: session.ask("FETCH ALL FROM handed"))
        session.run("COMMIT; RESET ROLE")
        tap.equal((answer, used), ((["300"], "00000"), {names[owner][0]}), "a cursor that a function of %s opened" % owner)

    # ANALYZE is its table's owner's
    for owner in ("super", "plain", "caller"):
        session.run("ALTER TABLE sm.training_jobs OWNER TO " + owner)
        answer, used = signers(lambda: session.ask("ANALYZE sm.training_jobs"))
        tap.equal((answer[1], used), ("00000", {names[owner][0]}), "ANALYZE of a table of %s: its key signs" % owner)
    session.run("DROP USER MAPPING FOR caller SERVER sm")
    answer, used = signers(lambda: session.ask("ANALYZE sm.training_jobs"))
    tap.equal((answer[1], used), ("28000", set()), "ANALYZE by a superuser lends the table's owner nothing")
    session.run("ALTER TABLE sm.training_jobs OWNER TO postgres; GRANT SELECT ON sm.training_jobs TO super, plain, caller")

    # one's own keys come before what one may use besides
    for more in ("allow_ambient_credentials 'true'", "allow_ambient_credentials 'true', profile 'p'",
                 "allow_ambient_credentials 'true', credential_source 'Environment'"):
        session.run("DROP USER MAPPING FOR plain SERVER sm")
        _lines, state = session.ask("CREATE USER MAPPING FOR plain SERVER sm OPTIONS (%s, %s)" % (mine % ONE, more))
        tap.equal(state, "00000", "own keys and %s" % more)
        session.run("SET ROLE plain")
        answer, used = signers(lambda: session.ask("SELECT count(*) FROM sm.training_jobs"))
        session.run("RESET ROLE")
        tap.equal((answer, used), ((["300"], "00000"), {ONE[0]}), "... are one's own keys")
    session.run("DROP USER MAPPING FOR plain SERVER sm; CREATE USER MAPPING FOR plain SERVER sm OPTIONS (%s, "
                "allow_ambient_credentials 'true', role_arn '%sm'); SET ROLE plain" % (mine % ONE, ROLE))
    answer, used = signers(lambda: session.ask("SELECT count(*) FROM sm.training_jobs"))
    tap.equal([as_issued(key)["requested_by"] for key in used], [ONE[0]], "... and assume the mapping's role")
    session.run("RESET ROLE; DROP USER MAPPING FOR plain SERVER sm; SET ROLE super")
    for query in ("SELECT * FROM as_plain", "SELECT do_plain()", "SELECT through_view()"):
        answer, used = signers(lambda: session.ask(query))
        tap.equal((answer[1], used), ("28000", set()), "a superuser lends nothing to a role without keys: " + query)
    session.run("RESET ROLE; DROP VIEW as_super, as_plain, by_super, by_plain CASCADE; "
                "DROP FUNCTION opens_super, opens_plain; DROP FUNCTION IF EXISTS through_view")


def test_tls(tap, world, server):
    """Credentials come over TLS, too, with the server's ca_bundle."""
    over_tls = {"AWS_ENDPOINT_URL_STS": TLS_URL, "AWS_ENDPOINT_URL_SSO": TLS_URL,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": TLS_URL}
    world.files(BASE + "[profile role]\n" + assume("a") + "[profile sso]\n" + SSO + ACCOUNT, "")
    for title, variables, profile, by in (
            ("STS", {}, "role", "AssumeRole"), ("the portal", {}, "sso", "SsoCredentials"),
            ("a container", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": TLS_URL + "/v2/credentials/task"}, None,
             "ContainerCredentials"),
            ("the instance's metadata", IMDS, None, "MetadataCredentials")):
        session = server.start(world.environment({**over_tls, **variables}))
        session.run("ALTER SERVER sm OPTIONS (ADD ca_bundle '%s'); DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; "
                    "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true'%s)"
                    % (CA, ", profile '%s'" % profile if profile else ""))
        issued = as_issued(ask_extension(session).get("access_key_id"))
        tap.equal(issued and issued["by"], by, "over TLS: " + title)
        session.run("ALTER SERVER sm OPTIONS (DROP ca_bundle)")
        ours = ask_extension(session)
        tap.ok("error" in ours, "... and not without the authority's certificate", ours)


GARBAGE = ["", "garbage", "{}", "[]", "null", "<", "<AccessKeyId>", "{\"AccessKeyId\": 1, \"SecretAccessKey\": [], \"Token\": {}}",
           "\0\1\2", "\u00e9" * 50, "[" * 100000, "<a>" * 100000, "{\"roleCredentials\": 7}",
           "<AccessKeyId></AccessKeyId><SecretAccessKey></SecretAccessKey><SessionToken></SessionToken>"]


def test_garbage(tap, world, server):
    """Whatever a service answers is credentials, or a clean error."""
    world.files("[profile sso]\n" + SSO + ACCOUNT, "")
    for operation, variables, options in (
            ("AssumeRole", {}, "aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm'" % (*ONE, ROLE)),
            ("AssumeRoleWithWebIdentity", {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}, None),
            ("MetadataToken", IMDS, None), ("MetadataRole", IMDS, None), ("MetadataCredentials", IMDS, None),
            ("ContainerCredentials", CONTAINER, None), ("SsoCredentials", {}, "profile 'sso'")):
        session = server.start(world.environment(variables))
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm"
                    + (" OPTIONS (%s)" % options if options else ""))
        for status in (200, 403):
            states = set()
            for body in GARBAGE:
                fault(kind="body", operation=operation, status=status, body=body, times=0)
                session.run("SELECT sagemaker_fdw_disconnect()")
                # a token may be anything; the endpoint then refuses it
                states.add(session.ask("SELECT count(*) FROM sm.training_jobs")[1])
                control("clear", b"")
            # what is too large for an answer is as if there were none; no token or role is no instance
            tap.equal(states, {"28000"} if operation in ("MetadataToken", "MetadataRole") else {"28000", "08001"},
                      "%s answers garbage with status %d" % (operation, status))
        fault(kind="error", operation=operation, status=500, code="InternalFailure", times=1)
        session.run("SELECT sagemaker_fdw_disconnect()")
        lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
        tap.equal(lines if state == "00000" else state, ["300"], "%s fails once" % operation)
        fault(kind="endless_body", operation=operation, times=0)
        session.run("SELECT sagemaker_fdw_disconnect()")
        tap.ok(session.ask("SELECT count(*) FROM sm.training_jobs")[1] in ("28000", "08001"),
               "%s answers without end" % operation)
        control("clear", b"")


def test_large(tap, world, server):
    """Files as large as may be are read at once, whatever they consist of."""
    for title, lines in (("settings", ["key_%d =\n" % i for i in range(80000)]),
                         ("sections", ["[section %d]\n" % i for i in range(60000)]),
                         ("lines of a value", ["s3 = y\n"] + 340000 * [" x\n"]),
                         ("settings below a setting", ["s3 =\n"] + 250000 * [" x=\n"])):
        text = "[default]\n" + keys(ONE) + "".join(lines)
        world.files("", text)
        session = server.start(world.environment({}))
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm")
        start_s = time.monotonic()
        tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "a file of many %s" % title)
        took_s = time.monotonic() - start_s
        tap.ok(took_s < 3, "... is read in no time", took_s)
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm")


HOST = "https://api.sagemaker.%s.amazonaws.com/"
NOWHERE = "http://127.0.0.1:1"
SERVICES = "[%sservices x]\n%s =\n  endpoint_url = %s\n"
REGION = {"AWS_REGION": "us-east-1"}

# Title, environment, config file, options of server and mapping, and where calls go.
ENDPOINTS = [
    ("nothing", {}, "", "", "", "none. There is no region."),
    ("AWS_REGION", {"AWS_REGION": "eu-west-1"}, "", "", "", HOST % "eu-west-1"),
    ("AWS_DEFAULT_REGION", {"AWS_DEFAULT_REGION": "eu-west-1"}, "", "", "", HOST % "eu-west-1"),
    ("AWS_REGION before AWS_DEFAULT_REGION", {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "", "", "",
     HOST % "eu-west-1"),
    ("a profile's region", {}, "[default]\nregion = eu-west-1\n", "", "", HOST % "eu-west-1"),
    ("the region of the mapping's profile", {}, "[default]\nregion = eu-west-1\n[profile p]\nregion = eu-west-2\n", "",
     ", profile 'p'", HOST % "eu-west-2"),
    ("AWS_REGION before a profile's region", {"AWS_REGION": "eu-west-1"}, "[default]\nregion = eu-west-2\n", "", "",
     HOST % "eu-west-1"),
    ("an option before AWS_REGION", {"AWS_REGION": "eu-west-1"}, "", "ADD region 'eu-west-2'", "", HOST % "eu-west-2"),
    ("a region that is none", {"AWS_REGION": "x.example.com/"}, "", "", "",
     "none. A region is written like us-east-1 or us-gov-west-1."),
    ("AWS_ENDPOINT_URL", {**REGION, "AWS_ENDPOINT_URL": URL}, "", "", "", URL),
    ("AWS_ENDPOINT_URL_SAGEMAKER", {**REGION, "AWS_ENDPOINT_URL_SAGEMAKER": URL}, "", "", "", URL),
    ("AWS_ENDPOINT_URL_SAGEMAKER before AWS_ENDPOINT_URL",
     {**REGION, "AWS_ENDPOINT_URL_SAGEMAKER": URL, "AWS_ENDPOINT_URL": NOWHERE}, "", "", "", URL),
    ("another service's endpoint", {**REGION, "AWS_ENDPOINT_URL_S3": NOWHERE}, "", "", "", HOST % "us-east-1"),
    ("AWS_ENDPOINT_URL before a profile's", {**REGION, "AWS_ENDPOINT_URL": URL},
     "[default]\nservices = x\nendpoint_url = %s\n" % NOWHERE + SERVICES % ("", "sagemaker", NOWHERE), "", "", URL),
    ("a profile's services", REGION, "[default]\nservices = x\n" + SERVICES % ("", "sagemaker", URL), "", "", URL),
    ("a profile's services before its endpoint_url", REGION,
     "[default]\nservices = x\nendpoint_url = %s\n" % NOWHERE + SERVICES % ("", "sagemaker", URL), "", "", URL),
    ("a profile's services without this one", REGION,
     "[default]\nservices = x\nendpoint_url = %s\n" % URL + SERVICES % ("", "s3", NOWHERE), "", "", URL),
    ("a profile's services that there are none of", REGION, "[default]\nservices = y\n" + SERVICES % ("", "sagemaker", NOWHERE),
     "", "", HOST % "us-east-1"),
    ("a profile's endpoint_url", REGION, "[default]\nendpoint_url = %s\n" % URL, "", "", URL),
    ("an option before all of them", {**REGION, "AWS_ENDPOINT_URL_SAGEMAKER": NOWHERE}, "", "ADD endpoint_url '%s'" % URL, "", URL),
    ("endpoints that are to be ignored", {**REGION, "AWS_ENDPOINT_URL": NOWHERE, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
     "", "", "", HOST % "us-east-1"),
    ("endpoints that the profile ignores", {**REGION, "AWS_ENDPOINT_URL_SAGEMAKER": NOWHERE},
     "[default]\nignore_configured_endpoint_urls = true\nendpoint_url = %s\n" % NOWHERE, "", "", HOST % "us-east-1"),
    ("endpoints that are not to be ignored", {**REGION, "AWS_ENDPOINT_URL": URL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
     "[default]\nignore_configured_endpoint_urls = true\n", "", "", URL),
    ("FIPS, which no configured endpoint has", {**REGION, "AWS_ENDPOINT_URL": NOWHERE}, "", "ADD use_fips_endpoint 'true'", "",
     "https://api-fips.sagemaker.us-east-1.amazonaws.com/"),
    ("an endpoint that is none", {**REGION, "AWS_ENDPOINT_URL": "http://192.0.2.1"}, "", "", "",
     "none. Plain http is accepted to a loopback address only (127.0.0.1, [::1], localhost)."),
    ("a file that is none", REGION, "\0\1\2", "", "", "not known. Line 1 of the file \"@config\" is not text in UTF-8."),
]


def shown_endpoint(session):
    """Where EXPLAIN says that calls go."""
    for line in session.run("EXPLAIN (VERBOSE, COSTS off) SELECT count(*) FROM sm.training_jobs"):
        if line.strip().startswith("API Endpoint: "):
            return line.partition(": ")[2]
    return None


def test_endpoints(tap, world, server):
    """Region and endpoint of environment and files: EXPLAIN tells where a scan goes, and calls nobody."""
    bare = True
    for title, variables, config, options, mapping, expected in ENDPOINTS:
        world.files(config, "")
        session = server.start(world.environment({**env(ONE), **variables}))
        if bare:
            session.run("ALTER SERVER sm OPTIONS (DROP endpoint_url, DROP region, ADD max_attempts '1')")
            bare = False
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true'%s)" % mapping)
        if mapping:
            world.files(config, "[p]\n" + keys(ONE))
        if options:
            session.run("ALTER SERVER sm OPTIONS (%s)" % options)
        control("calls")
        tap.equal(shown_endpoint(session), expected.replace("@", world.home + "/"), "%s: where calls go" % title)
        tap.equal(control("calls"), "none", "... which is no call")
        if expected == URL:
            tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs"), (["300"], "00000"), "... and they go there")
        elif expected.startswith("n"):
            tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1],
                      {"none. There is no region.": "HV00J", "not known": "28000"}.get(expected.partition(". Line")[0], "22023"),
                      "... which is an error")
        if options:
            session.run("ALTER SERVER sm OPTIONS (DROP %s)" % options.split()[1])

    # who may not use the server's configuration is not told of it
    world.files("", "")
    session = server.start(world.environment({**env(ONE), "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": URL}))
    session.run("CREATE ROLE asks; GRANT USAGE ON SCHEMA sm TO asks; GRANT SELECT ON sm.training_jobs TO asks; "
                "CREATE VIEW as_asks AS SELECT * FROM sm.training_jobs; ALTER VIEW as_asks OWNER TO asks")
    for mapping, expected in ((None, "none. There is no region."), ("", "none. There is no region."),
                              ("aws_access_key_id '%s', aws_secret_access_key '%s'" % TWO, "none. There is no region."),
                              ("allow_ambient_credentials 'true'", URL)):
        session.run("DROP USER MAPPING IF EXISTS FOR asks SERVER sm")
        if mapping is not None:
            session.run("CREATE USER MAPPING FOR asks SERVER sm" + (" OPTIONS (%s)" % mapping if mapping else ""))
        title = {None: "no mapping", "": "an empty mapping"}.get(mapping, mapping.partition(" ")[0] if mapping else "")
        session.run("SET ROLE asks")
        tap.equal(shown_endpoint(session), expected, "a plain role with %s is told: %s" % (title, expected))
        session.run("RESET ROLE")
        shown = [line.partition(": ")[2] for line in session.run("EXPLAIN (VERBOSE, COSTS off) SELECT count(*) FROM as_asks")
                 if "API Endpoint" in line]
        tap.equal(shown, [expected], "... and so is a superuser who reads the role's view")
    session.run("DROP VIEW as_asks; DROP USER MAPPING FOR asks SERVER sm; DROP OWNED BY asks; DROP ROLE asks; "
                "ALTER SERVER sm OPTIONS (ADD endpoint_url '%s', ADD region 'us-east-1', DROP max_attempts)" % URL)

    # the region that nothing but the environment gives is the one that is signed
    session.run("ALTER SERVER sm OPTIONS (DROP region)")
    session.ask("SELECT count(*) FROM sm.training_jobs")
    signed = json.loads(control("requests"))[-1]["headers"]["authorization"]
    tap.equal(re.search(r"Credential=[^/]+/\d+/([^/]+)/", signed).group(1), "eu-west-1", "the environment's region is signed")
    session.run("ALTER SERVER sm OPTIONS (ADD region 'us-east-1')")


RELATIVE = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/task"}
POD = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v2/credentials/authorized",
       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "@container-token"}
INSTANCE = {**IMDS, "AWS_EC2_METADATA_SERVICE_ENDPOINT": None}
IPV6 = "[fd00:ec2::254]"

# Title, environment, config file, and what is asked: the host and the operation, or the error's detail.  The
# judge says whether botocore knows all of it: its older versions lack Pod Identity.
MACHINES = [
    ("a container by a path", RELATIVE, "", ("169.254.170.2", "ContainerCredentials"), True),
    ("a path before a URL", {**RELATIVE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": NOWHERE}, "",
     ("169.254.170.2", "ContainerCredentials"), True),
    ("Pod Identity", POD, "", ("169.254.170.23", "ContainerCredentials"), False),
    ("Pod Identity by IPv6", {**POD, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v2/credentials/authorized"}, "",
     ("[fd00:ec2::23]", "ContainerCredentials"), False),
    ("a token's file before a token", {**POD, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "another"}, "",
     ("169.254.170.23", "ContainerCredentials"), False),
    ("a token's file that is not there", {**POD, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "@none"}, "",
     'DETAIL:  The token file "@none" cannot be read: No such file or directory', False),
    ("a container before the instance", {**RELATIVE, **INSTANCE}, "", ("169.254.170.2", "ContainerCredentials"), True),
    ("an instance", INSTANCE, "", ("169.254.169.254", "MetadataCredentials"), True),
    ("an instance by IPv6", {**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "",
     (IPV6, "MetadataCredentials"), True),
    ("an instance by IPv4", {**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"}, "",
     ("169.254.169.254", "MetadataCredentials"), True),
    ("an instance by IPv6, as the profile says", INSTANCE, "[default]\nec2_metadata_service_endpoint_mode = ipv6\n",
     (IPV6, "MetadataCredentials"), True),
    ("the environment's mode before the profile's", {**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"},
     "[default]\nec2_metadata_service_endpoint_mode = ipv6\n", ("169.254.169.254", "MetadataCredentials"), True),
    ("an endpoint before a mode", {**INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254",
                                   "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "",
     ("169.254.169.254", "MetadataCredentials"), True),
    ("an endpoint of the profile", INSTANCE, "[default]\nec2_metadata_service_endpoint = http://%s/\n" % IPV6,
     (IPV6, "MetadataCredentials"), True),
]


def asked_for_credentials():
    """Host and operation of the latest request for credentials."""
    for request in reversed(json.loads(control("requests"))):
        if request["operation"] in ("ContainerCredentials", "MetadataCredentials"):
            return request["headers"]["host"], request["operation"]
    return None


def test_machines(tap, world, server):
    """Which address of the machine is asked, as botocore asks it."""
    preload = link_local(world.cluster.directory)
    world.write("container-token", "container-authorization-token\n")
    for title, variables, config, expected, judged in MACHINES:
        world.files(config, "")
        environment = world.environment({**preload, **variables})
        session = server.start(environment)
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true')")
        session.run("SELECT sagemaker_fdw_disconnect()")
        lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
        if isinstance(expected, str):
            tap.equal((state, lines[1]), ("28000", expected.replace("@", world.home + "/")), title)
        else:
            tap.equal((state, asked_for_credentials()), ("00000", expected), title)
        if judged:
            tap.ok("access_key_id" in ask_botocore(world, environment, None), "... botocore finds some")
            tap.equal(asked_for_credentials(), expected, "... there, too")


def session_name(database, role):
    """The default name of an assumed role's session."""
    whole = "pg-%s-%s" % tuple(re.sub(r"[^A-Za-z0-9_.,@]", lambda found: "".join("=%02X" % byte for byte in found.group().encode()), name)
                               for name in (database, role))
    if len(whole) <= 64:
        return whole
    return re.sub("=.?$", "", whole[:47]) + "+" + hashlib.sha256(whole.encode()).hexdigest()[:16].upper()


def issued_session_name(session):
    """The session's name of the role that was assumed last."""
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run("SELECT count(*) FROM sm.training_jobs")
    return json.loads(control("issued"))[-1]["session_name"]


def test_session_names(tap, world, server):
    """Under which name an assumed role's calls are logged."""
    world.files("[profile p]\nrole_arn = %sw\nweb_identity_token_file = @token\nrole_session_name = of-profile\n" % ROLE, "")
    web = {"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}
    for variables, options, expected in (
            ({**web, "AWS_ROLE_SESSION_NAME": "of-environment"}, "", "of-environment"),
            (web, "", "pg-postgres-postgres"),
            ({**web, "AWS_ROLE_SESSION_NAME": "of-environment"}, ", profile 'p'", "of-profile"),
            ({**web, "AWS_ROLE_SESSION_NAME": "of-environment"}, ", role_arn '%sm', role_session_name 'of-mapping'" % ROLE,
             "of-mapping")):
        session = server.start(world.environment(variables))
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true'%s)" % options)
        tap.equal(issued_session_name(session), expected, "session name: " + expected)

    # names of databases and roles may be anything; STS takes up to 64 of few characters
    session.run('CREATE DATABASE "d\u00e4 ta/b:1"')
    named = []
    for role, expected in (("r\u00f6 le+/x", "pg-d=C3=A4=20ta=2Fb=3A1-r=C3=B6=20le=2B=2Fx"),
                           ("data-team", "pg-d=C3=A4=20ta=2Fb=3A1-data=2Dteam"), ("data team", "pg-d=C3=A4=20ta=2Fb=3A1-data=20team"),
                           ("Some_One,.@x", "pg-d=C3=A4=20ta=2Fb=3A1-Some_One,.@x"),
                           *((long, session_name("d\u00e4 ta/b:1", long)) for long in ("r" * 63, "r" * 62 + "s", "\u20ac" * 21))):
        session.run('CREATE ROLE "%s" SUPERUSER' % role)
        other = Session("d\u00e4 ta/b:1")
        other.run("CREATE EXTENSION IF NOT EXISTS sagemaker_fdw; DROP SCHEMA IF EXISTS sm CASCADE; DROP SERVER IF EXISTS sm CASCADE")
        make_server(other, "sm")
        other.run('SET ROLE "%s"; CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (aws_access_key_id \'%s\', '
                  "aws_secret_access_key '%s', role_arn '%sm')" % (role, *ONE, ROLE))
        tap.equal(issued_session_name(other), expected, "the default session name of %s" % role)
        other.close()
        named.append(expected)
    tap.equal((len(named), len(set(named)), max(map(len, named))), (7, 7, 64), "no two roles have the same")
    session.run('DROP DATABASE "d\u00e4 ta/b:1"')


def test_advisory(tap, world, server):
    """Credentials that cannot be replaced are used for as long as the service takes them."""
    world.files("", "")
    session = server.start(world.environment(IMDS))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                "OPTIONS (allow_ambient_credentials 'true'); SELECT sagemaker_fdw_disconnect()")
    # the last quarter of their life, the last sixth, and its end
    control("config", {"session_seconds": 12, "latency_ms": 50})
    session.run("SELECT count(*) FROM sm.training_jobs")
    fault(kind="error", operation="MetadataToken", status=403, code="Forbidden", times=0)
    before = calls_for_credentials("MetadataToken")
    seen = []
    deadline = time.monotonic() + 60
    while (not seen or seen[-1][0] == "00000") and time.monotonic() < deadline:
        seen.append((session.ask("SELECT count(*) FROM sm.training_jobs")[1], calls_for_credentials("MetadataToken") - before))
    control("clear", b"")
    control("config", {"session_seconds": 3600, "latency_ms": 0})
    steps = [pair for number, pair in enumerate(seen) if number == 0 or pair != seen[number - 1]]
    tap.equal(steps, [("00000", 0), ("00000", 1), ("00000", 2), ("28000", 3)],
              "a failure to replace credentials is borne, tried again not at once, and an error once the service refuses them")
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... and the session works on")


# Title, config file, DETAIL and HINT of the error for profile p.
SIGNED_IN = "[profile p]\nlogin_session = arn:aws:iam::123456789012:user/me\n"
NOBODY_THERE = [
    ("a code of an MFA device", BASE + "[profile p]\n" + assume("a", "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n"),
     'Profile "p" needs a code from an MFA device, which a database cannot ask for.',
     "Use a role that needs none, or temporary keys in the user mapping."),
    ("a token that has expired", "[sso-session old]\n" + SSO + "[profile p]\nsso_session = old\n" + ACCOUNT,
     'The token of IAM Identity Center for profile "p" has expired.',
     'Run "aws sso login" as the database server\'s operating system user.'),
    ("no token", "[sso-session none]\n" + SSO + "[profile p]\nsso_session = none\n" + ACCOUNT,
     'There is no token of IAM Identity Center for profile "p".',
     'Run "aws sso login" as the database server\'s operating system user.'),
    ("a session of aws login", SIGNED_IN,
     'Profile "p" is signed in to by "aws login", whose sessions are not read.',
     'Use "aws sso login", a role, or the keys that "aws configure export-credentials --profile p" prints, in the user mapping.'),
    ("a session of aws login as the source of a role", SIGNED_IN + "[profile q]\n" + assume("a", "source_profile = p\n"),
     'Profile "p" is signed in to by "aws login", whose sessions are not read.',
     'Use "aws sso login", a role, or the keys that "aws configure export-credentials --profile p" prints, in the user mapping.'),
]


def test_nobody_there(tap, world, server):
    """What only a person at a terminal could do is said, and what to do instead."""
    world.cache("old", PAST)
    for title, config, detail, hint in NOBODY_THERE:
        world.files(config, "")
        session = server.start(world.environment({}))
        session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true', profile '%s')" % ("q" if "[profile q]" in config else "p"))
        tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs"),
                  (['ERROR:  no AWS credentials for server "sm"', "DETAIL:  " + detail, "HINT:  " + hint], "28000"), title)
    world.files(SIGNED_IN, "[p]\n" + keys(ONE))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                "OPTIONS (allow_ambient_credentials 'true', profile 'p')")
    tap.equal(ask_extension(session), {"access_key_id": ONE[0]}, "keys beside a session of aws login are used")


def calls_for_credentials(operation):
    return counters()["credentials"].get(operation, 0)


def sts_error(code, message):
    return "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>" % (code, message)


def test_throttled(tap, world, server):
    """STS says by a code, and with status 400, that it is to be asked again."""
    world.files("", "")
    session = server.start(world.environment({"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    for operation, options, code, asked, expected in (
            ("AssumeRole", "aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm'" % (*ONE, ROLE),
             "Throttling", 3, "00000"),
            ("AssumeRoleWithWebIdentity", "allow_ambient_credentials 'true'", "Throttling", 3, "00000"),
            ("AssumeRoleWithWebIdentity", "allow_ambient_credentials 'true'", "IDPCommunicationError", 3, "00000"),
            ("AssumeRole", "aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm'" % (*ONE, ROLE),
             "AccessDenied", 1, "28000")):
        session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)" % options)
        before = calls_for_credentials(operation)
        fault(kind="body", operation=operation, status=400, body=sts_error(code, "Rate exceeded"), times=2)
        _lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
        tap.equal((state, calls_for_credentials(operation) - before), (expected, asked),
                  "%s answers %s twice" % (operation, code))
        control("clear", b"")
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true')")
    before = calls_for_credentials("AssumeRoleWithWebIdentity")
    fault(kind="body", operation="AssumeRoleWithWebIdentity", status=400, body=sts_error("Throttling", "Rate exceeded"), times=0)
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
    tap.equal((state, lines, calls_for_credentials("AssumeRoleWithWebIdentity") - before), ("53000", [
        'ERROR:  no AWS credentials for server "sm"',
        'DETAIL:  AssumeRoleWithWebIdentity to "%sw" failed: Throttling: Rate exceeded' % ROLE,
        'HINT:  Other programs may share the account\'s quota of STS.'], 4), "STS that throttles to the end")
    control("clear", b"")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")


INTERNAL = "the text of an internal page"
PAGE = {"status": 500, "body": "<html>%s</html>" % INTERNAL}
NAMELESS = {"status": 400, "body": {"message": INTERNAL}}
TALKATIVE = {"status": 400, "body": {"__type": INTERNAL, "message": INTERNAL}}
NO_JSON = {"status": 200, "body": "<html>%s</html>" % INTERNAL}
AWS_ERROR = {"status": 400, "body": {"__type": "ValidationException", "message": "what AWS says"}}


def test_echo(tap, world, server):
    """What a custom endpoint answers is quoted to superusers only, unless it is an AWS error."""
    configured = {
        "the option": ({}, "", ""),
        "AWS_ENDPOINT_URL": ({"AWS_ENDPOINT_URL": URL}, "", ""),
        "AWS_ENDPOINT_URL_SAGEMAKER": ({"AWS_ENDPOINT_URL_SAGEMAKER": URL}, "", ""),
        "the profile's services": ({}, "[default]\nservices = x\n[services x]\nsagemaker =\n  endpoint_url = %s\n" % URL, ""),
    }
    for where, (variables, config, credentials) in configured.items():
        world.files(config, credentials)
        session = server.start(world.environment({**env(ONE), **variables}))
        if where == "the option":
            session.run("CREATE VIEW as_plain AS SELECT count(*) FROM sm.training_jobs; ALTER VIEW as_plain OWNER TO plain; "
                        "CREATE VIEW as_super AS SELECT count(*) FROM sm.training_jobs; ALTER VIEW as_super OWNER TO super; "
                        "GRANT SELECT ON as_super, as_plain TO caller, super, plain; "
                        "CREATE FUNCTION through_view() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM as_plain'; "
                        "ALTER FUNCTION through_view OWNER TO super; ALTER SERVER sm OPTIONS (ADD max_attempts '1')")
            for role in ("plain", "super"):
                session.run("CREATE USER MAPPING FOR %s SERVER sm OPTIONS (allow_ambient_credentials 'true')" % role)
        else:
            session.run("ALTER SERVER sm OPTIONS (DROP endpoint_url)")
        for who, way, query, quoted in (
                ("super", "itself", "SELECT count(*) FROM sm.training_jobs", True),
                ("plain", "itself", "SELECT count(*) FROM sm.training_jobs", False),
                ("super", "a plain role's view", "SELECT * FROM as_plain", False),
                ("caller", "a superuser's view", "SELECT * FROM as_super", False),
                ("caller", "a superuser's function", "SELECT do_super()", False),
                ("caller", "a superuser's function and a plain role's view", "SELECT through_view()", False),
                ("plain", "the function", "SELECT sagemaker_describe_training_job('sm', 'x')", False),
                ("super", "the function", "SELECT sagemaker_describe_training_job('sm', 'x')", True)):
            for name, answer in (("a page", PAGE), ("an error without a code", NAMELESS), ("a code that is none", TALKATIVE),
                                 ("what is no JSON", NO_JSON), ("an AWS error", AWS_ERROR)):
                fault(kind="body", operation="*", times=0, **answer)
                session.run("SET ROLE " + who)
                lines, _state = session.ask(query)
                session.run("RESET ROLE")
                control("clear", b"")
                text = "\n".join(lines)
                if answer is AWS_ERROR:
                    tap.ok("ValidationException: what AWS says" in text, "%s, %s by %s: an AWS error is told" % (where, who, way),
                           text)
                else:
                    # of JSON that is none Postgres itself quotes nothing but a word or two
                    tap.equal(INTERNAL in text or (answer is NO_JSON and 'Token "<"' in text), quoted,
                              "%s, %s by %s: %s %s" % (where, who, way, name, "is quoted" if quoted else "is not quoted"))
        if where != "the option":
            session.run("ALTER SERVER sm OPTIONS (ADD endpoint_url '%s')" % URL)
    # STS is asked at a configured endpoint, too
    session.run("ALTER USER MAPPING FOR plain SERVER sm OPTIONS (ADD role_arn '%sm')" % ROLE)
    session.run("SET ROLE plain")
    for name, status, body, detail in (
            ("a page", 403, PAGE["body"], "STS answered with HTTP status 403."),
            ("a code that is none", 400, sts_error(INTERNAL, INTERNAL), "STS answered with HTTP status 400."),
            ("a code", 400, sts_error("AccessDenied", "what AWS says"),
             'AssumeRole to "%sm" failed: AccessDenied: what AWS says' % ROLE)):
        fault(kind="body", operation="AssumeRole", status=status, body=body, times=0)
        session.run("SELECT sagemaker_fdw_disconnect()")
        lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
        control("clear", b"")
        tap.equal((state, lines[1]), ("28000", "DETAIL:  " + detail), "STS answers with %s" % name)
    session.run("RESET ROLE")
    session.run("ALTER USER MAPPING FOR plain SERVER sm OPTIONS (DROP role_arn)")
    # a request id may be anything, too
    session.run("SET ROLE plain")
    fault(kind="body", operation="*", times=1, **AWS_ERROR)
    control("config", {"request_id": INTERNAL})
    lines, _state = session.ask("SELECT count(*) FROM sm.training_jobs")
    control("config", {"request_id": None})
    tap.ok(INTERNAL not in "\n".join(lines), "a request id that is none is not quoted", lines)
    session.run("RESET ROLE; DROP VIEW as_plain, as_super CASCADE; DROP FUNCTION through_view; ALTER SERVER sm OPTIONS (DROP max_attempts); "
                "DROP USER MAPPING FOR plain SERVER sm; DROP USER MAPPING FOR super SERVER sm")


def check_rows(session):
    """The doctor's rows: name to (ok, detail)."""
    rows = [line.split("|", 2) for line in session.run("SELECT * FROM sagemaker_fdw_check_server('sm')")]
    return {name: (ok == "t", detail) for name, ok, detail in rows}


PERMISSIONS = ["permission " + name for name in (
    "ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTrainingJobsForHyperParameterTuningJob", "ListTags")]


def test_check_server(tap, world, server):
    """The doctor finds what is wrong."""
    world.files("", "")
    session = server.start(world.environment({}))
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()}, {"credentials": False, "region": True},
              "without credentials")
    server_has = "Nothing in the database server's environment gives any. "
    tap.equal(rows["credentials"][1],
              'no AWS credentials for server "sm". There is no user mapping for role "postgres", nor for PUBLIC. ' + server_has +
              "CREATE USER MAPPING with aws_access_key_id and aws_secret_access_key, or set up the database server as for the AWS CLI.",
              "... a superuser is told that there is no user mapping either")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm")
    tap.equal(check_rows(session)["credentials"][1],
              'no AWS credentials for server "sm". ' + server_has +
              "Set aws_access_key_id and aws_secret_access_key in the user mapping, or set up the database server as for the AWS CLI.",
              "... or that it has no keys")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (aws_access_key_id '%s', "
                "aws_secret_access_key '%s')" % ONE)
    control("calls")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()},
              dict.fromkeys(["credentials", "region", "endpoint", "tls", "clock", "latency", *PERMISSIONS], True),
              "all is well")
    tap.equal(control("calls"), "DescribeTrainingJob=1 ListTags=1 ListTrainingJobs=1 "
                                "ListTrainingJobsForHyperParameterTuningJob=1 Search=1", "... by five calls")
    tap.equal(rows["credentials"][1], "from the user mapping, access key ending in 0001", "... and says whose keys")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key 'wrong')")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items() if not ok}, dict.fromkeys(["credentials", *PERMISSIONS], False),
              "keys that the service refuses are no credentials")
    tap.ok(rows["credentials"][1].startswith("from the user mapping, access key ending in 0001: AWS refuses them. "
                                             "ListTrainingJobs: InvalidSignatureException: "),
           "... and say why", rows["credentials"])
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key '%s')" % ONE[1])
    fault(kind="error", operation="ListTrainingJobsForHyperParameterTuningJob", code="AccessDeniedException", message="no")
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTrainingJobsForHyperParameterTuningJob"],
              "a tuning job's list may be denied")
    fault(kind="error", operation="ListTags", code="AccessDeniedException", message="no", times=0)
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTags"], "a missing permission")
    tap.ok(rows["permission ListTags"][1].startswith("Allow sagemaker:ListTags in the IAM policy."), "... is named",
           rows["permission ListTags"])
    control("clear", b"")
    control("config", {"clock_offset_s": 400})
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["clock"], "a clock that is wrong")
    # both clocks are read in whole seconds
    tap.ok(re.search(r"\b(399|400|401) s ahead", rows["clock"][1]), "... by how much", rows["clock"])
    control("config", {"clock_offset_s": 0})
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url 'http://127.0.0.1:1', ADD max_attempts '1')")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()}, {"credentials": True, "region": True, "endpoint": False},
              "an endpoint that does not answer")
    tap.equal(rows["credentials"][1], "from the user mapping, access key ending in 0001; not tried, since AWS does not answer",
              "... to which no keys were shown")
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s')" % TLS_URL)
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()},
              {"credentials": True, "region": True, "endpoint": False, "tls": False}, "a certificate that is not trusted")
    tap.ok("Option ca_bundle of the server names the certificates to trust." in rows["tls"][1], "... and what to do", rows["tls"])
    session.run("ALTER SERVER sm OPTIONS (ADD ca_bundle '/no/such/file')")
    tap.equal(check_rows(session)["tls"][0], False, "certificates that cannot be read")
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s', DROP ca_bundle, DROP max_attempts)" % URL)

    # what is not known without a list is not said to be allowed
    fault(kind="error", operation="ListTrainingJobs", code="AccessDeniedException", message="no", times=0)
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTrainingJobs", "permission ListTags"],
              "without a list ListTags is not tried")
    tap.equal(rows["permission ListTags"][1], "not tried: ListTrainingJobs fails, and so there is no job to list the tags of",
              "... and is said not to be")
    control("clear", b"")
    fault(kind="body", operation="ListTrainingJobs", body={"TrainingJobSummaries": []}, times=0)
    rows = check_rows(session)
    tap.equal(rows["permission ListTags"], (True, "not tried: there is no job to list the tags of"), "an account without jobs")
    control("clear", b"")

    # each row is about its own: where nothing gives a region the credentials are good all the same
    session.run("ALTER SERVER sm OPTIONS (DROP region)")
    rows = check_rows(session)
    tap.equal(({name: ok for name, (ok, _) in rows.items()}, rows["credentials"][1]),
              ({"credentials": True, "region": False},
               "from the user mapping, access key ending in 0001; not tried, since there is no endpoint"), "no region")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    tap.equal({name: ok for name, (ok, _) in check_rows(session).items()}, {"credentials": False, "region": False},
              "neither credentials nor a region")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true'); "
                "ALTER SERVER sm OPTIONS (ADD region 'us-east-1', DROP endpoint_url)")
    for variables, config, detail in (
            ({"AWS_ENDPOINT_URL_SAGEMAKER": "http://192.0.2.1"}, "",
             "not usable. Plain http is accepted to a loopback address only (127.0.0.1, [::1], localhost)."),
            ({}, "[default]\nendpoint_url = nonsense\n",
             "not usable. An endpoint is https://host, with a port and a path if need be, and nothing else.")):
        world.files(config, "")
        session = server.start(world.environment({**env(ONE), **variables}))
        rows = check_rows(session)
        tap.equal(({name: ok for name, (ok, _) in rows.items()}, rows["endpoint"][1]),
                  ({"credentials": True, "region": True, "endpoint": False}, detail), "an endpoint of %s that is none" % ("the environment" if variables else "the profile"))
    session.run("ALTER SERVER sm OPTIONS (ADD endpoint_url '%s'); DROP USER MAPPING FOR CURRENT_USER SERVER sm" % URL)


def test_secrets(tap, world, server):
    """Nothing that a session is shown, and nothing that a plain role may read, holds a secret."""
    world.files("[profile q]\n" + keys(ONE) + "[profile p]\n" + assume("a", "source_profile = q\n") + "[profile s]\n" + SSO +
                ACCOUNT + "[profile w]\nrole_arn = %sw\nweb_identity_token_file = @token\n" % ROLE, "")
    session = server.start(world.environment({**AUTHORIZED, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-authorization-token"}))
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; SET client_min_messages = debug5")
    for options in ("", ", profile 'p'", ", profile 's'", ", profile 'w'",
                    ", aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sx'" % (*TWO, ROLE)):
        # what the user types is echoed by nobody, but by a superuser's debug_print settings
        session.run("SET client_min_messages = warning; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                    "OPTIONS (allow_ambient_credentials 'true'%s); SET client_min_messages = debug5" % options)
        for code in (None, "InvalidSignatureException", "ExpiredTokenException"):
            if code:
                fault(kind="error", code=code, message="credentials are wrong", times=0, operation="ListTrainingJobs")
            lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
            tap.equal((state, len(lines) > 1), ("28000" if code else "00000", True),
                      "every message is shown, and no secret: %s%s" % (options[2:15], ", " + code if code else ""))
            control("clear", b"")
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("SET client_min_messages = warning; CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS "
                "(aws_access_key_id '%s', aws_secret_access_key '%s'); CREATE USER MAPPING FOR PUBLIC SERVER sm OPTIONS "
                "(aws_access_key_id '%s', aws_secret_access_key '%s', aws_session_token '%s')" % (*ONE, *TWO, TOKEN))
    session.run("ALTER SERVER sm OWNER TO super; SET ROLE plain")
    relations = session.run(
        "SELECT c.oid::regclass FROM pg_class c WHERE relkind IN ('r', 'v', 'm') AND has_table_privilege(c.oid, 'SELECT')")
    tap.ok(len(relations) > 100, "a plain role may read many relations", len(relations))
    for relation in relations:
        tap.equal(session.run("SELECT count(*) FROM %s r WHERE strpos(r::text, 'secret/of') + strpos(r::text, '%s') > 0"
                              % (relation, TOKEN)), ["0"], "%s holds no secret" % relation)
    session.run("RESET ROLE; ALTER SERVER sm OWNER TO plain; CREATE USER MAPPING FOR plain SERVER sm OPTIONS "
                "(aws_access_key_id '%s', aws_secret_access_key '%s'); SET ROLE plain" % ONE)
    tap.equal(session.run("SELECT usename, umoptions IS NOT NULL FROM pg_user_mappings WHERE srvname = 'sm' ORDER BY 1"),
              ["plain|t", "postgres|f", "public|t"], "a server's owner reads its own keys and those of PUBLIC, and no others")
    session.run("RESET ROLE; ALTER SERVER sm OWNER TO postgres; DROP USER MAPPING FOR PUBLIC SERVER sm; "
                "DROP USER MAPPING FOR CURRENT_USER SERVER sm; DROP USER MAPPING FOR plain SERVER sm")
    server.stop()
    done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(HERE, "..", "secrets.py"), world.cluster.directory + "/log"],
                          stdout=subprocess.PIPE, encoding="utf-8", check=False)
    tap.equal((done.returncode, [line for line in done.stdout.split("\n") if line.startswith("#")]), (0, []),
              "nor does the server's log")


MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
            "signing method. Consult the service documentation for details.")


def quoted_request(encoded=False):
    """The last request as an echo quotes it, without what is secret in it."""
    request = json.loads(control("requests"))[-1]
    secret = {"authorization": "[hidden]", "x-amz-security-token": "[hidden]"}
    lines = ["%s: %s" % (name, secret.get(name) or (urllib.parse.quote(value, safe=": ") if encoded else value))
             for name, value in sorted(request["headers"].items())]
    body = request["body"].replace("web-identity-token", "[hidden]")
    return "; ".join(lines + [urllib.parse.quote(body, safe=": ") if encoded else body])


def test_quotes(tap, world, server):
    """A service that quotes what it was sent: no secret of that is told, and what helps is."""
    world.files("[profile w]\nrole_arn = %sw\nweb_identity_token_file = @token\n" % ROLE, "")
    session = server.start(world.environment({}))
    wrong = "aws_access_key_id '%s', aws_secret_access_key 'wrong', aws_session_token '%s'" % (THREE[0], TOKEN)
    right = wrong.replace("wrong", THREE[1])
    role = ", role_arn '%sx'" % ROLE
    assumed = 'AssumeRole to "%sx" failed: ' % ROLE
    by_token = 'AssumeRoleWithWebIdentity to "%sw" failed: ' % ROLE
    echo = dict(kind="echo", code="ValidationException")
    for title, options, spec, expected in (
            ("a wrong secret, to SageMaker", wrong, None,
             lambda: "ListTrainingJobs: InvalidSignatureException: %s HTTP status 403." % MISMATCH),
            ("a wrong secret, to STS", wrong + role, None, lambda: assumed + "SignatureDoesNotMatch: " + MISMATCH),
            ("headers", right, echo, lambda: "ListTrainingJobs: ValidationException: %s. HTTP status 400." % quoted_request()),
            ("headers, percent-encoded", right, dict(echo, encoded=True),
             lambda: "ListTrainingJobs: ValidationException: %s. HTTP status 400." % quoted_request(True)),
            ("a signature", right, dict(echo, only="Signature=[0-9a-f]+"),
             lambda: "ListTrainingJobs: ValidationException: Signature=[hidden]. HTTP status 400."),
            ("headers, by STS", right + role, echo, lambda: assumed + "ValidationException: " + quoted_request()),
            ("a web identity's token", "allow_ambient_credentials 'true', profile 'w'", dict(echo, operation="AssumeRoleWithWebIdentity"),
             lambda: by_token + "ValidationException: " + quoted_request()),
            ("the beginning of a token at the end", right, dict(kind="error", code="ValidationException", message="it is " + TOKEN[:9]),
             lambda: "ListTrainingJobs: ValidationException: it is [hidden]. HTTP status 400."),
            ("a token as its error's code", right, dict(kind="error", code=TOKEN, message="no"),
             lambda: "ListTrainingJobs: [hidden]: no. HTTP status 400."),
            ("a page that is cut in the middle of a token", right, dict(kind="body", status=400, body="." * 195 + TOKEN),
             lambda: "ListTrainingJobs: %s[hidd. HTTP status 400." % ("." * 195)),
            ("a token as the answer's id", right, dict(kind="error", code="ValidationException", message="no"),
             lambda: "ListTrainingJobs: ValidationException: no. HTTP status 400. Request id [hidden].")):
        session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)" % options)
        if spec:
            fault(**{"operation": "*", "times": 0, **spec})
        control("config", {"request_id": TOKEN if title.endswith("id") else None})
        lines, _state = session.ask("SELECT count(*) FROM sm.training_jobs")
        control("clear", b"")
        control("config", {"request_id": None})
        detail = [re.sub(r" Request id [0-9-]+\.$", "", line) for line in lines if line.startswith("DETAIL:  ")]
        tap.equal(detail, ["DETAIL:  " + expected()], "quoted is %s" % title)
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)" % wrong)
    tap.ok(check_rows(session)["permission Search"][1].startswith("Search: InvalidSignatureException: %s HTTP status 403." % MISMATCH),
           "... and by the doctor", check_rows(session))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")


def main():
    tap = Tap()
    cluster = Cluster(["sagemaker_fdw.allow_credential_process=on", "log_min_messages=debug5",
                       "log_min_error_statement=panic"])
    try:
        world = World(cluster)
        shutil.copy(os.path.join(HERE, "botocore_keys.py"), cluster.directory)
        os.chmod(cluster.directory, 0o755)
        for pair in (ONE, TWO):
            control("keys", {"access_key_id": pair[0], "secret_access_key": pair[1], "account": "123456789012"})
        control("keys", {"access_key_id": THREE[0], "secret_access_key": THREE[1], "session_token": TOKEN,
                         "account": "123456789012"})
        server = Server(world)
        session = server.start(world.environment({}))
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "sm")
        test_cases(tap, world, server)
        test_unreadable(tap, world, server)
        test_bad_files(tap, world, server)
        test_line_break(tap, world, server)
        test_mapping(tap, world, server)
        test_process_allowed(tap, world, server)
        test_endpoints(tap, world, server)
        test_nobody_there(tap, world, server)
        test_machines(tap, world, server)
        test_session_names(tap, world, server)
        test_refresh(tap, world, server)
        test_advisory(tap, world, server)
        test_rights(tap, world, server)
        test_whose(tap, world, server)
        test_tls(tap, world, server)
        test_garbage(tap, world, server)
        test_large(tap, world, server)
        test_throttled(tap, world, server)
        test_echo(tap, world, server)
        test_check_server(tap, world, server)
        test_quotes(tap, world, server)
        test_secrets(tap, world, server)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
