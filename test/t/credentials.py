"""Credentials are found where botocore finds them, and not found where it does not.

Each case is an environment of the database server and two files.  The extension and
botocore are asked in turn, both as the cluster's user: the access keys are the same,
or were issued for the same role in the same way, or both fail.

credential_files.py tests unusual files, and credential_rights.py who may use the credentials that are found.
"""
import hashlib
import json
import os
import re
import time

from harness import CA, TLS_URL, Session, control, counters, fault, link_local, make_server, runs, wait_for
from named_faults import broken
from world import (ACCOUNT, AUTHORIZED, BASE, CONTAINER, IMDS, NOWHERE, ONE, ROLE, SSO, THREE, TOKEN, TWO,
                   as_issued, ask_botocore, ask_extension, assume, calls_for_credentials, env, keys, quoted, run_tests,
                   sts_error)

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


def test_mapping(tap, world, server):
    """Credentials in the mapping itself."""
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
    tap.ok("not allowed to run" in ours.get("error", ""), "a program runs only where that is allowed", ours)
    session.run("SET sagemaker_fdw.allow_credential_process = on")

    # a shell and ls have what they were started with; 3 is the folder that ls reads
    world.files("[profile p]\ncredential_process = /bin/sh -c 'ls /proc/self/fd > @descriptors; echo \"$0\"' '%s'\n" % SAID, "")
    session.run("CREATE TABLE opened AS SELECT count(*) FROM pg_class, pg_proc")
    tap.equal(ask_extension(session), {"access_key_id": ONE[0]}, "a program that lists its descriptors")
    with open(world.home + "/descriptors", encoding="ascii") as file:
        tap.equal(file.read().split(), ["0", "1", "2", "3"], "... has only standard input, output and error")
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
        tap.ok(True, "... and killed")
    other.close()
    session.run("RESET sagemaker_fdw.allow_credential_process")


def test_refresh(tap, world, server):
    """Credentials are replaced before they expire, or once the service says that they have expired."""
    world.files("", "")
    session = server.start(world.environment(IMDS))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                "OPTIONS (allow_ambient_credentials 'true'); SELECT sagemaker_fdw_disconnect()")

    def issued():
        return sum(one["by"] == "MetadataCredentials" for one in json.loads(control("issued")))
    before = issued()
    session.run("SELECT count(role_arn) FROM sm.training_jobs")
    session.run("SELECT count(role_arn) FROM sm.training_jobs")
    tap.equal(issued() - before, 1, "the session keeps its credentials")

    control("config", {"latency_ms": 5})
    session.send("SELECT count(role_arn) FROM sm.training_jobs")
    seen = counters()["calls"].get("DescribeTrainingJob", 0)
    wait_for(lambda: counters()["calls"].get("DescribeTrainingJob", 0) > seen + 50, "the scan is under way")
    control("expire", b"")
    tap.equal(session.receive(), (["300"], "00000"), "credentials that expire during a scan are replaced")
    tap.equal(issued() - before, 2, "... once")

    # short-lived ones are replaced before the service complains
    control("config", {"latency_ms": 5, "session_seconds": 4})
    session.run("SELECT sagemaker_fdw_disconnect()")
    before = issued()
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        session.run("SELECT count(role_arn) FROM sm.training_jobs")
    tap.ok(2 <= issued() - before <= 6, "short-lived credentials are replaced in time", issued() - before)
    tap.equal(session.run("SELECT count(role_arn) FROM sm.training_jobs"), ["300"], "... and everything succeeds")
    control("config", {"latency_ms": 0, "session_seconds": 3600})

    # what cannot be replaced is used until it must be
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run("SELECT count(*) FROM sm.training_jobs")
    fault(**broken(operation="MetadataToken"))
    control("expire", b"")
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
    tap.ok(state in ("28000", "08001"), "expired credentials that cannot be replaced are an error", (lines, state))
    control("clear", b"")
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... and the session remains usable")


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
        tap.ok("error" in ours, "... but not without the authority's certificate", ours)


GARBAGE = ["", "garbage", "{}", "[]", "null", "<", "<AccessKeyId>", "{\"AccessKeyId\": 1, \"SecretAccessKey\": [], \"Token\": {}}",
           "\0\1\2", "\u00e9" * 50, "[" * 100000, "<a>" * 100000, "{\"roleCredentials\": 7}",
           "<AccessKeyId></AccessKeyId><SecretAccessKey></SecretAccessKey><SessionToken></SessionToken>"]


def test_garbage(tap, world, server):
    """Whatever a service answers, the result is credentials or a clean error."""
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
        fault(**broken(operation=operation, times=1))
        session.run("SELECT sagemaker_fdw_disconnect()")
        lines, state = session.ask("SELECT count(*) FROM sm.training_jobs")
        tap.equal(lines if state == "00000" else state, ["300"], "%s fails once" % operation)
        fault(kind="endless_body", operation=operation, times=0)
        session.run("SELECT sagemaker_fdw_disconnect()")
        tap.ok(session.ask("SELECT count(*) FROM sm.training_jobs")[1] in ("28000", "08001"),
               "%s answers without end" % operation)
        control("clear", b"")


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
    """Which address of the metadata service is used, as in botocore."""
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
            tap.equal(asked_for_credentials(), expected, "... as does the extension")


def session_name(database, role):
    """The default name of an assumed role's session."""
    whole = "pg-%s-%s" % tuple(re.sub(r"[^A-Za-z0-9_.,@]", lambda found: "".join("=%02X" % byte for byte in found.group().encode()), name)
                               for name in (database, role))
    if len(whole) <= 64:
        return whole
    return re.sub("=.?$", "", whole[:47]) + "+" + hashlib.sha256(whole.encode()).hexdigest()[:16].upper()


def issued_session_name(session):
    """The session name of the role assumed last."""
    session.run("SELECT sagemaker_fdw_disconnect()")
    session.run("SELECT count(*) FROM sm.training_jobs")
    return json.loads(control("issued"))[-1]["session_name"]


def test_session_names(tap, world, server):
    """The session name under which an assumed role's calls are logged."""
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
    """Credentials that cannot be replaced are used for as long as the service accepts them."""
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
              "a failed replacement is tolerated, not retried at once, and becomes an error when the service rejects the credentials")
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... and the session remains usable")


def test_throttled(tap, world, server):
    """STS uses an error code with status 400 to ask for a retry."""
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
        'HINT:  Other programs may share the account\'s quota of STS.'], 4), "STS throttles every attempt")
    control("clear", b"")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")


if __name__ == "__main__":
    run_tests([test_cases, test_mapping, test_process_allowed, test_machines, test_session_names, test_refresh, test_advisory,
               test_tls, test_garbage, test_throttled])
