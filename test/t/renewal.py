"""Credentials that are rejected, that expire, or that come from a source that fails.

credentials.py tests which source is used, and waiting.py that nothing hangs meanwhile.
"""
import base64
import json
import os
import subprocess
import time

from harness import CA, TLS_URL, URL, control, fault, make_server
from named_faults import broken, expired, late, silent
from world import CONTAINER, FUTURE, IMDS, ONE, PERMISSIONS, ROLE, calls_for_credentials, env, keys, make_keys, run_tests, sts_error

UNKNOWN = ("AKIDUNKNOWN000000001", "secret/of+the/unknown/key/000000000001")
UNKNOWN_HINT = 'HINT:  AWS does not know the access key id in region "us-east-1", or the region is not enabled in the account. '
ASSUMED = "aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%s%%s'" % (*ONE, ROLE)
COUNT = "SELECT count(*) FROM sm.training_jobs"


def use(session, options):
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm"
                + (" OPTIONS (%s)" % options if options else ""))


def raw(status, date, body):
    """A response with a Date of our own, as the endpoint's `raw` fault takes it."""
    text = "HTTP/1.1 %d Whatever\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, date, len(body), body)
    return {"kind": "raw", "then": "keep", "bytes_b64": base64.b64encode(text.encode()).decode()}


def issued_by(operation):
    return sum(one["by"] == operation for one in json.loads(control("issued")))


def test_replaced(tap, world, server):
    """Keys that AWS does not know are corrected where they come from."""
    path = world.home + "/credentials"
    world.files("", "[default]\n" + keys(UNKNOWN))
    session = server.start(world.environment({}))
    use(session, "")
    control("calls")
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[0], lines[-1]), ("28000", 'ERROR:  AWS refuses the credentials for server "sm"',
              UNKNOWN_HINT + 'Check the keys of profile "default" in the database server\'s file "%s", which is read again by the next query, '
              "and the database server's clock." % path), "keys of a file that AWS does not know: which file is said")
    tap.equal(control("calls"), "ListTrainingJobs=1", "... after one call")
    world.files("", "[default]\n" + keys(ONE))
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... and once they are corrected there they are used")
    tap.equal(control("calls"), "ListTrainingJobs=3", "... at once")

    # put right in mid-scan: the scan goes on
    world.files("", "[default]\n" + keys(UNKNOWN))
    session = server.start(world.environment({}))
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT training_job_name FROM sm.training_jobs")
    world.files("", "[default]\n" + keys(ONE))
    tap.equal(len(session.run("FETCH ALL FROM c")), 300, "keys that are corrected before the first call are used from the start")
    session.run("COMMIT")

    for title, environment, hint in (
            ("the environment", env(UNKNOWN), UNKNOWN_HINT + "Check the AWS_ variables in the database server's environment"),
            ("the user mapping", None, UNKNOWN_HINT + "ALTER USER MAPPING FOR postgres SERVER sm OPTIONS (")):
        session = server.start(world.environment(environment or {}))
        use(session, "" if environment else "aws_access_key_id '%s', aws_secret_access_key '%s'" % UNKNOWN)
        control("calls")
        lines, state = session.ask(COUNT)
        tap.equal((state, lines[-1][:len(hint)]), ("28000", hint), "keys of %s that AWS does not know" % title)
        tap.equal(control("calls"), "ListTrainingJobs=1", "... after one call")

    # an assumed role gives other keys each time: these are tried, once
    use(session, ASSUMED % "a")
    session.run(COUNT)
    before = calls_for_credentials("AssumeRole")
    control("calls")
    fault(kind="error", operation="ListTrainingJobs", code="UnrecognizedClientException", message="The token is invalid.")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "a role's rejected keys are replaced")
    tap.equal((calls_for_credentials("AssumeRole") - before, control("calls")), (1, "ListTrainingJobs=4"), "... once")
    fault(kind="error", operation="ListTrainingJobs", code="UnrecognizedClientException", message="The token is invalid.", times=0)
    tap.equal(session.ask(COUNT)[1], "28000", "... and at most once per call")
    tap.equal((calls_for_credentials("AssumeRole") - before, control("calls")), (2, "ListTrainingJobs=2"), "... with two calls")
    control("clear", b"")


def test_region(tap, world, server):
    """An invalid region leaves nothing behind."""
    world.files("", "")
    session = server.start(world.environment({"AWS_ENDPOINT_URL_STS": None}))
    use(session, "aws_access_key_id '%s', aws_secret_access_key '%s'" % ONE)
    session.run("ALTER SERVER sm OPTIONS (DROP region)")
    tap.equal(session.ask("SELECT sagemaker_fdw_account_id('sm', 'x.evil.example')")[1], "22023", "an invalid region")
    session = server.start(world.environment({}))
    tap.equal(session.ask("SELECT sagemaker_fdw_account_id('sm', 'x.evil.example')")[1], "22023", "... makes no request")
    tap.equal(session.ask("SELECT sagemaker_fdw_account_id('sm', 'us-east-1')"), (["123456789012"], "00000"),
              "... and a valid one works after it")
    session.run("ALTER SERVER sm OPTIONS (ADD region 'us-east-1')")


# Title, fault, DETAIL as far as it is about the instance.
METADATA = [
    ("are forbidden", {"kind": "error", "operation": "MetadataToken", "status": 403, "code": "Forbidden"},
     "The instance's metadata at %s/ answered with HTTP status 403 when it was asked for a token; metadata may be switched off for the instance."),
    ("are of the first version", {"kind": "error", "operation": "MetadataToken", "status": 405, "code": "NotAllowed"},
     "The instance's metadata at %s/ answered with HTTP status 405 when it was asked for a token; metadata may be switched off for the instance."),
    ("are broken", {"kind": "error", "operation": "MetadataToken", "status": 500, "code": "InternalFailure"},
     "The instance's metadata at %s/ answered with HTTP status 500 when it was asked for a token; metadata may be switched off for the instance."),
    ("have no role", {"kind": "error", "operation": "MetadataRole", "status": 404, "code": "NotFound"},
     "The instance's metadata at %s/ answered with HTTP status 404 when it was asked for a role; an instance profile gives the instance a role."),
    ("do not answer", {"kind": "hang", "operation": "MetadataToken"},
     "The instance's metadata at %s/ does not answer (timed out); from a container it is reached only if the instance's hop limit for "
     "metadata is at least 2."),
]


def test_metadata(tap, world, server):
    """The error says what happened when the instance's metadata was requested."""
    world.files("", "")
    session = server.start(world.environment(IMDS))
    use(session, "")
    for title, spec, detail in METADATA:
        fault(times=0, **spec)
        session.run("SELECT sagemaker_fdw_disconnect()")
        lines, state = session.ask(COUNT)
        control("clear", b"")
        expected = "DETAIL:  Nothing in the database server's environment gives any. " + detail % URL
        tap.equal((state, lines[1][:len(expected)]), ("28000", expected), "metadata that %s" % title)
    tap.ok("hop limit" in lines[1], "... which mentions the hop limit for containers", lines)
    fault(kind="error", operation="MetadataCredentials", status=503, code="ServiceUnavailable", times=1)
    tap.equal(session.ask(COUNT), (["300"], "00000"), "metadata that fail once are requested again")


def test_profile(tap, world, server):
    """A profile that does not exist: the error says where it was looked for, and by which user."""
    world.files("[profile q]\n" + keys(ONE), "")
    session = server.start(world.environment({}))
    use(session, "allow_ambient_credentials 'true', profile 'p'")
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[1:]), ("28000", [
        'DETAIL:  There is no profile "p".',
        'HINT:  The files "%s/config" and "%s/credentials" are read, as the operating system user "%s".'
        % (world.home, world.home, "postgres" if world.cluster.as_owner else os.environ["USER"])]), "a profile that does not exist")


    world.files("[p]\n" + keys(ONE), "")
    tap.equal(session.ask(COUNT)[0][-1], 'HINT:  The file "%s/config" has a section [p], where [profile p] is meant.' % world.home,
              "a section of the config file without the word profile")


def test_sts(tap, world, server):
    """Failures of STS."""
    world.files("", "")
    session = server.start(world.environment({"AWS_WEB_IDENTITY_TOKEN_FILE": "@token", "AWS_ROLE_ARN": ROLE + "w"}))
    use(session, "")
    before = calls_for_credentials("AssumeRoleWithWebIdentity")
    fault(kind="body", operation="AssumeRoleWithWebIdentity", status=400, times=1,
          body=sts_error("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"))
    tap.equal(session.ask(COUNT), (["300"], "00000"), "a token that STS calls invalid once")
    tap.equal(calls_for_credentials("AssumeRoleWithWebIdentity") - before, 2, "... is sent twice")

    use(session, ASSUMED % "a")
    fault(kind="body", operation="AssumeRole", status=400, times=1, headers=[["Retry-After", "2"]],
          body=sts_error("Throttling", "Rate exceeded"))
    start = time.monotonic()
    tap.equal(session.ask(COUNT), (["300"], "00000"), "STS throttles, and says for how long")
    tap.ok(time.monotonic() - start >= 2, "... and is not called earlier")


def test_chain(tap, world, server):
    """The keys that assume a role expire before they are used for it."""
    world.files("[profile p]\nrole_arn = %sa\ncredential_source = EcsContainer\n" % ROLE, "")
    session = server.start(world.environment(CONTAINER))
    use(session, "allow_ambient_credentials 'true', profile 'p'")
    before = (calls_for_credentials("ContainerCredentials"), calls_for_credentials("AssumeRole"))
    fault(kind="expire", operation="AssumeRole", times=1)
    tap.equal(session.ask(COUNT), (["300"], "00000"), "keys that expire before they assume a role are requested again")
    tap.equal((calls_for_credentials("ContainerCredentials") - before[0], calls_for_credentials("AssumeRole") - before[1]), (2, 2), "... once")
    session.run("SELECT sagemaker_fdw_disconnect()")
    fault(kind="body", operation="AssumeRole", status=403, times=0, body=sts_error("ExpiredToken", "The token is expired"))
    lines, state = session.ask(COUNT)
    control("clear", b"")
    tap.equal((state, lines[-1]), ("28000", "HINT:  The keys have expired. Check the role of the task or pod."), "... and no more than once")
    tap.equal((calls_for_credentials("ContainerCredentials") - before[0], calls_for_credentials("AssumeRole") - before[1]), (4, 4), "... each")


def test_clock(tap, world, server):
    """A wrong clock costs one request, whoever detects it."""
    world.files("", "")
    for offset_s in (-4000, 3600, -3600):
        control("config", {"clock_offset_s": offset_s})
        session = server.start(world.environment({}))
        use(session, ASSUMED % "a")
        before = (issued_by("AssumeRole"), calls_for_credentials("AssumeRole"))
        control("calls")
        tap.equal(session.run("SELECT count(role_arn) FROM sm.training_jobs"), ["300"], "a service whose clock is %d s ahead" % offset_s)
        tap.equal((issued_by("AssumeRole") - before[0], calls_for_credentials("AssumeRole") - before[1], control("calls")),
                  (1, 2, "DescribeTrainingJob=300 ListTrainingJobs=3"), "... a role is assumed on the second attempt, and no call is rejected")
        control("reset", b"")
        make_keys()

    # a Date that is nonsense is not believed
    session = server.start(world.environment({}))
    use(session, "aws_access_key_id '%s', aws_secret_access_key '%s'" % ONE)
    fault(operation="ListTrainingJobs", times=1, **raw(400, "Fri, 01 Jan 9998 00:00:00 GMT", json.dumps(
        {"__type": "RequestTimeTooSkewed", "message": "Signature expired"})))
    tap.equal(session.ask(COUNT)[1], "28000", "a Date in the year 9998 is not believed")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... nor remembered")


def test_container(tap, world, server):
    """The times in a container host's answers."""
    world.files("", "")
    session = server.start(world.environment(CONTAINER))
    use(session, "")
    for title, expiration, date in (
            ("an Expiration that is past", "2001-01-01T00:00:00Z", None), ("an Expiration in the year 9999", "9999-12-31T23:59:59Z", None),
            ("an Expiration in the year 1", "0001-01-01T00:00:00Z", None), ("an Expiration that is none", "soon", None),
            ("a Date long ago", FUTURE, "Mon, 01 Jan 2001 00:00:00 GMT"), ("a Date far ahead", FUTURE, "Mon, 01 Jan 2046 00:00:00 GMT"),
            ("a Date that is none", FUTURE, "today")):
        answer = json.dumps({"AccessKeyId": ONE[0], "SecretAccessKey": ONE[1], "Expiration": expiration})
        fault(operation="ContainerCredentials", times=0,
              **(raw(200, date, answer) if date else {"kind": "body", "body": answer}))
        session.run("SELECT sagemaker_fdw_disconnect()")
        before = calls_for_credentials("ContainerCredentials")
        tap.equal(session.ask("SELECT count(role_arn) FROM sm.training_jobs"), (["300"], "00000"), "a container's host gives %s" % title)
        tap.equal(session.ask(COUNT), (["300"], "00000"), "... twice")
        tap.equal(calls_for_credentials("ContainerCredentials") - before, 1, "... and is requested once")
        control("clear", b"")


def test_short_queries(tap, world, server):
    """A renewal continues when the query that began it ends."""
    world.files("", "")
    session = server.start(world.environment({}))
    use(session, ASSUMED % "a")
    control("config", {"session_seconds": 12, "latency_ms": {"AssumeRole": 300, "*": 1}})
    session.run("SELECT sagemaker_fdw_disconnect()")
    before = calls_for_credentials("AssumeRole")
    began = time.monotonic()
    queries = 0
    while time.monotonic() < began + 14:
        session.run("SELECT training_job_status FROM sm.training_jobs WHERE training_job_name = 'pytorch-ads-0001'")
        queries += 1
    control("config", {"session_seconds": 3600, "latency_ms": 0})
    tap.equal(calls_for_credentials("AssumeRole") - before, 2, "many short queries renew a role's keys once")
    tap.ok(queries > 500, "... and most of them do not wait for that", queries)


def test_short_timeouts(tap, world, server):
    """Queries whose time limit is shorter than their source's response time get an answer eventually."""
    world.files("", "")
    session = server.start(world.environment({}))
    use(session, ASSUMED % "a")
    for title in ("no keys yet", "keys that AWS refuses"):
        control("config", {"latency_ms": {"AssumeRole": 3000, "*": 0}})
        before = calls_for_credentials("AssumeRole")
        states = []
        session.run("SET statement_timeout = '1s'")
        while len(states) < 20 and (not states or states[-1] == "57014"):
            states.append(session.ask(COUNT)[1])
        session.run("RESET statement_timeout")
        tap.equal((states[0], states[-1]), ("57014", "00000"), "%s, and a time limit that is shorter than STS takes" % title)
        tap.equal(calls_for_credentials("AssumeRole") - before, 1, "... successive queries wait for the same answer")
        control("expire", b"")
    control("config", {"latency_ms": 0})

    # what came of waiting while nobody looked is not believed
    use(session, "allow_ambient_credentials 'true', credential_source 'EcsContainer'")
    session = server.start(world.environment(CONTAINER))
    fault(**silent(operation="ContainerCredentials", times=1))
    before = calls_for_credentials("ContainerCredentials")
    session.run("SET statement_timeout = '500ms'")
    tap.equal(session.ask(COUNT)[1], "57014", "a source that does not answer")
    session.run("RESET statement_timeout; SELECT pg_sleep(4)")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... is called again once it has timed out")
    tap.equal(calls_for_credentials("ContainerCredentials") - before, 2, "... at once")


def test_clock_twice(tap, world, server):
    """A call and a renewal detect at the same time that the clock is wrong."""
    world.files("", "")
    session = server.start(world.environment({}))
    use(session, ASSUMED % "a")
    control("config", {"session_seconds": 8})
    session.run(COUNT)
    # due for renewal after 6 s; calls would wait for that from 6.7 s on
    session.run("SELECT pg_sleep(6.2)")
    control("config", {"clock_offset_s": 4000, "session_seconds": 3600, "latency_ms": {"AssumeRole": 250, "*": 5}})
    before = calls_for_credentials("AssumeRole")
    session.run("SELECT count(role_arn) FROM sm.training_jobs")
    tap.equal(calls_for_credentials("AssumeRole") - before, 2, "a call and a renewal detect that the clock is wrong")
    control("calls")
    tap.equal(session.run(COUNT), ["300"], "... the difference is applied once")
    tap.equal(control("calls"), "ListTrainingJobs=3", "... and no call is rejected after that")
    control("reset", b"")
    make_keys()


def test_told_later(tap, world, server):
    """A query that begins later does not inherit the failure of an earlier request for keys."""
    world.files("", "")
    session = server.start(world.environment(CONTAINER))
    use(session, "")
    make_server(session, "other", ONE)
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT training_job_name, role_arn FROM sm.training_jobs")
    session.run("FETCH 1 FROM c")
    fault(**broken(operation="ContainerCredentials"))
    control("config", {"latency_ms": {"DescribeTrainingJob": 20, "*": 0}})
    before = calls_for_credentials("ContainerCredentials")
    session.run("FETCH 40 FROM c")
    control("expire", b"")
    deadline = time.monotonic() + 60
    while calls_for_credentials("ContainerCredentials") < before + 3 and time.monotonic() < deadline:
        session.run("SELECT count(*) FROM other.training_jobs")
    tap.equal(calls_for_credentials("ContainerCredentials") - before, 3, "requests to a source fail in a query of another server")
    session.run("SELECT count(*) FROM other.training_jobs")
    control("clear", b"")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... and a query that begins when it works again calls it again")
    tap.equal(len(session.run("FETCH ALL FROM c")), 259, "... so that the cursor gets keys, too")
    session.run("COMMIT; DROP SERVER other CASCADE; DROP SCHEMA other CASCADE")
    control("config", {"latency_ms": 0})


def test_doctor(tap, world, server):
    """The check of a server returns rows, whatever happens."""
    world.files("", "")
    session = server.start(world.environment(CONTAINER))
    use(session, "")
    session.run("SELECT sagemaker_fdw_disconnect()")
    fault(**broken(operation="ContainerCredentials", skip=1))
    fault(**expired(operation="ListTrainingJobs", message="expired"))
    lines, state = session.ask("SELECT check_name, ok, detail FROM sagemaker_fdw_check_server('sm')")
    control("clear", b"")
    tap.equal((state, lines[0]), ("00000", 'credentials|f|no AWS credentials for server "sm". The container\'s host answered with HTTP status 500.'),
              "rejected keys, and a source that has no others, give a row")

    # a source that gives no others later: keys that did for the first calls are refused
    session.run(COUNT)
    before = calls_for_credentials("ContainerCredentials")
    for operation in ("DescribeTrainingJob", "Search", "ListTags"):
        fault(**expired(operation=operation, message="expired"))
    fault(**broken(operation="ContainerCredentials"))
    lines, state = session.ask("SELECT check_name, ok FROM sagemaker_fdw_check_server('sm') WHERE ok IS NOT TRUE")
    tap.equal((state, lines), ("00000", ["permission DescribeTrainingJob|f", "permission Search|",
                                         "permission ListTrainingJobsForHyperParameterTuningJob|", "permission ListTags|", "sts|", "permission GetProducts|"]),
              "keys that are rejected after the first call: nothing is tried without new ones")
    tap.equal(calls_for_credentials("ContainerCredentials") - before, 3, "... which are requested once, in three attempts")
    control("clear", b"")

    # one that gives the same: their source is asked for the first call, and for no other
    session.run(COUNT)
    before = calls_for_credentials("ContainerCredentials")
    fault(**expired(operation="ListTrainingJobs", message="expired"))
    control("calls")
    lines, state = session.ask("SELECT check_name, detail FROM sagemaker_fdw_check_server('sm') WHERE ok IS NOT TRUE")
    tap.equal((state, [line for line in lines if line.startswith("permission")][1:]),
              ("00000", [name + "|not tried: AWS refuses the credentials" for name in [*PERMISSIONS[1:], "permission GetProducts"]]),
              "keys that AWS rejects are tried once")
    control("clear", b"")


def test_prices(tap, world, server):
    """A walk through AWS's prices lasts longer than its first keys."""
    world.files("", "")
    session = server.start(world.environment({}))
    session.run("ALTER SERVER sm OPTIONS (ADD pricing_endpoint_url '%s')" % URL)
    use(session, ASSUMED % "prices")
    walk = "SELECT md5(string_agg(p::text, ',' ORDER BY p::text)) FROM sagemaker_training_prices('sm', '{us-east-1,eu-west-1}') AS p"
    whole = session.run(walk)
    before = calls_for_credentials("AssumeRole")
    fault(**expired(operation="GetProducts", skip=5, times=1, message="expired"))
    tap.equal(session.ask(walk), (whole, "00000"), "a role's keys that expire while two regions are walked are replaced")
    tap.equal(calls_for_credentials("AssumeRole") - before, 1, "... once")
    session.run("ALTER SERVER sm OPTIONS (DROP pricing_endpoint_url)")


def test_rare_turns(tap, world, server):
    """Keys that expire before the next call's turn."""
    world.files("", "")
    session = server.start(world.environment(CONTAINER))
    use(session, "")
    session.run("ALTER SERVER sm OPTIONS (ADD max_calls_per_second '0.5')")
    control("config", {"session_seconds": 2})
    session.run("SELECT sagemaker_fdw_disconnect()")
    control("calls")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "one call in two seconds, with keys that live two seconds")
    tap.equal(control("calls"), "ListTrainingJobs=3", "... makes no call twice")
    control("config", {"session_seconds": 3600})
    session.run("ALTER SERVER sm OPTIONS (DROP max_calls_per_second)")


def test_settings(tap, world, server):
    """A region and certificates that are corrected in their files."""
    world.files("[default]\n" + keys(ONE), "")
    session = server.start(world.environment({}))
    use(session, "")
    session.run("ALTER SERVER sm OPTIONS (DROP region)")
    tap.equal(session.ask(COUNT)[1], "HV00J", "no region anywhere")
    world.files("[default]\nregion = us-east-1\n" + keys(ONE), "")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... until the file sets one")
    session.run("ALTER SERVER sm OPTIONS (ADD region 'us-east-1')")

    bundle = world.home + "/bundle.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another", "-days", "2", "-keyout",
                    "/dev/null", "-out", bundle], check=True, capture_output=True)
    world.own()
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s', ADD ca_bundle '%s')" % (TLS_URL, bundle))
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[-1]), ("08001", "HINT:  The endpoint's certificate must be valid for its host name and today's date, and signed by a CA in the "
                                            'file "%s" of option ca_bundle.' % bundle), "a bundle without the endpoint's CA")
    with open(CA, encoding="utf-8") as file:
        right = file.read()
    with open(bundle, encoding="utf-8") as file:
        another = file.read()
    world.write("bundle.pem", right)
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... until it is added")
    # the same while requests are in flight that nobody moves on
    session.run("SELECT sagemaker_fdw_disconnect()")
    world.write("bundle.pem", another)
    make_server(session, "other", ONE)
    fault(**late(3000, operation="DescribeTrainingJob", skip=44, times=1))
    session.run("BEGIN; DECLARE c CURSOR FOR SELECT role_arn FROM other.training_jobs; FETCH 40 FROM c; SAVEPOINT s")
    tap.equal(session.ask(COUNT)[1], "08001", "a bundle without the endpoint's CA, while another scan goes on")
    world.write("bundle.pem", right)
    session.run("ROLLBACK TO s")
    tap.equal(session.ask(COUNT), (["300"], "00000"), "... until it is added")
    session.run("COMMIT; DROP SERVER other CASCADE; DROP SCHEMA other CASCADE")
    os.chmod(bundle, 0)
    session.run("SELECT sagemaker_fdw_disconnect()")
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[-1]), ("08001", 'HINT:  The database server cannot read the file "%s" of option ca_bundle: Permission denied.'
                                   % bundle), "a bundle that cannot be read")
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s', DROP ca_bundle)" % URL)


def test_private(tap, world, server):
    """Only superusers learn where the database server keeps its own keys."""
    world.files("", "[default]\n" + keys(UNKNOWN))
    session = server.start(world.environment({}))
    use(session, "")
    session.run("CREATE ROLE reader; GRANT USAGE ON SCHEMA sm TO reader; GRANT SELECT ON sm.training_jobs TO reader; "
                "CREATE USER MAPPING FOR reader SERVER sm OPTIONS (allow_ambient_credentials 'true')")
    session.run("SET ROLE reader")
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[-1]), ("28000", UNKNOWN_HINT + "The keys come from the shared credentials file of the database server. A superuser is told more."),
              "a plain role is not told of files")
    world.files("what", "")
    lines, state = session.ask(COUNT)
    tap.equal((state, lines[1:]), ("28000", ["DETAIL:  An AWS file of the database server cannot be read.",
                                             "HINT:  A superuser is told which files are read."]), "... or lines in them")
    session.run("RESET ROLE; DROP USER MAPPING FOR reader SERVER sm; DROP OWNED BY reader; DROP ROLE reader")


if __name__ == "__main__":
    run_tests([test_replaced, test_region, test_metadata, test_profile, test_sts, test_chain, test_clock, test_container,
               test_short_queries, test_short_timeouts, test_clock_twice, test_told_later, test_doctor, test_prices,
               test_rare_turns, test_settings, test_private], logged=False)
