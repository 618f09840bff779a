"""AWS's files and profiles: those that cannot be read, those that need a person, and settings other than credentials.

credentials.py tests which credentials are found in files.
"""
import json
import os
import re
import time

from harness import URL, control
from world import (ACCOUNT, BASE, NOWHERE, ONE, PAST, ROLE, SSO, THREE, TOKEN, TWO, as_issued, ask_botocore, ask_extension,
                   assume, env, keys, run_tests)


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
           "a file without read permission: both find nothing", ours)
    os.unlink(path)
    os.mkdir(path)
    tap.ok("error" in ask_botocore(world, environment, None) and "error" in ask_extension(session),
           "a directory: both find nothing")
    os.rmdir(path)
    os.mkfifo(path)
    lines, state = session.ask("SELECT count(*) FROM sm.training_jobs", 10)
    tap.equal(state, "28000", "a file that is not a regular file is not waited for")
    os.unlink(path)


# Title, credentials file, and what is wrong with it: the line, and how.
BAD_FILES = [
    ("a section twice", "[default]\n%s[p]\n[default]\n" % keys(ONE), 5, "repeats a section of the file"),
    ("a setting twice", "[default]\n%sAWS_Access_Key_Id: x\n" % keys(ONE), 4, "repeats a setting of its section"),
    ("a setting before any section", "# keys\n\n%s[default]\n" % keys(ONE), 3, "comes before any section"),
    ("a line that is none", "[default]\n%sexport\n" % keys(ONE), 4, "is not a setting"),
    ("a setting below a setting that is none", "[default]\ns3 =\n  a = b\n  c\n%s" % keys(ONE), 4, "is not a setting"),
    ("UTF-16", "[default]\n\0%s" % keys(ONE), 2, "is not text in UTF-8"),
]


def test_bad_files(tap, world, server):
    """A file that the AWS CLI cannot read: the error names the file, the line and the reason."""
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
    """A value with a line break would begin another header."""
    world.files("", "[default]\n" + keys(THREE, "aws_session_token = %s\n  X-Another: header\n" % TOKEN))
    session = server.start(world.environment({}))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; "
                "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true')")
    control("calls")
    ours = ask_extension(session)
    tap.ok(ours.get("error", "").startswith("28000") and "the shared credentials file" in ours["error"],
           "a token with a line break is an error that names its place", ours)
    tap.equal(control("calls").strip(), "none", "and no request is made with it")


def test_large(tap, world, server):
    """Files of the largest allowed size are read at once, whatever they contain."""
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
        tap.ok(took_s < 3, "... is read immediately", took_s)
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm")


HOST = "https://api.sagemaker.%s.amazonaws.com/"
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
    """EXPLAIN's line about where calls go."""
    for line in session.run("EXPLAIN (VERBOSE, COSTS off) SELECT count(*) FROM sm.training_jobs"):
        if line.strip().startswith("API Endpoint: "):
            return line.partition(": ")[2]
    return None


def test_endpoints(tap, world, server):
    """Region and endpoint from the environment and files: EXPLAIN shows where a scan's calls go, and makes none."""
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
        tap.equal(shown_endpoint(session), expected.replace("@", world.home + "/"), "%s: EXPLAIN shows where calls go" % title)
        tap.equal(control("calls"), "none", "... without a call")
        if expected == URL:
            tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs"), (["300"], "00000"), "... and the calls go there")
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
        tap.equal(shown_endpoint(session), expected, "a plain role with %s is shown %s" % (title, expected))
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
    tap.equal(re.search(r"Credential=[^/]+/\d+/([^/]+)/", signed).group(1), "eu-west-1", "the signature uses the environment's region")
    session.run("ALTER SERVER sm OPTIONS (ADD region 'us-east-1')")


def test_sts_endpoint(tap, world, server):
    """The server's option says where STS is, for roles and for the account, whatever the environment says."""
    world.files("", "")
    session = server.start(world.environment({"AWS_ENDPOINT_URL_STS": NOWHERE}))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm; CREATE USER MAPPING FOR CURRENT_USER SERVER sm "
                "OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s', role_arn '%sm')" % (*ONE, ROLE))
    reach = "HINT:  Check that the database server can reach it, and the server's option proxy_url. The option sts_endpoint_url gives STS another address"

    def refused(query, message, hint, title):
        lines, state = session.ask(query)
        tap.equal((state, lines[0], lines[1].startswith("DETAIL:  %s: " % NOWHERE), lines[2]), ("08001", "ERROR:  " + message, True, hint),
                  title)

    refused("SELECT count(*) FROM sm.training_jobs", 'no AWS credentials for server "sm": STS does not answer', reach + ".",
            "where STS does not answer, a role is not assumed, and the error says so")
    session.run("ALTER SERVER sm OPTIONS (ADD sts_endpoint_url '%s')" % URL)
    issued = as_issued(ask_extension(session)["access_key_id"])
    tap.equal((issued["by"], issued["role_arn"], issued["requested_by"]), ("AssumeRole", ROLE + "m", ONE[0]),
              "a role is assumed where sts_endpoint_url says")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (DROP role_arn)")
    tap.equal(session.run("SELECT sagemaker_fdw_account_id('sm')"), ["123456789012"], "... and the account is requested there")
    session.run("ALTER SERVER sm OPTIONS (DROP sts_endpoint_url)")
    refused("SELECT sagemaker_fdw_account_id('sm')", 'could not find out the AWS account of server "sm": STS does not answer',
            reach + ", and with account_id it is not asked.", "... which is another error where STS does not answer")
    session.run("ALTER SERVER sm OPTIONS (ADD account_id '210987654321')")
    tap.equal(session.run("SELECT sagemaker_fdw_account_id('sm')"), ["210987654321"], "with account_id STS is not called")
    session.run("ALTER SERVER sm OPTIONS (DROP account_id)")


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
     'Profile "p" is signed in with "aws login", whose sessions cannot be used here.',
     'Use "aws sso login", a role, or the keys that "aws configure export-credentials --profile p" prints, in the user mapping.'),
    ("a session of aws login as the source of a role", SIGNED_IN + "[profile q]\n" + assume("a", "source_profile = p\n"),
     'Profile "p" is signed in with "aws login", whose sessions cannot be used here.',
     'Use "aws sso login", a role, or the keys that "aws configure export-credentials --profile p" prints, in the user mapping.'),
]


def test_nobody_there(tap, world, server):
    """Errors about what needs a person at a terminal say so, and what to do instead."""
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
    tap.equal(ask_extension(session), {"access_key_id": ONE[0]}, "keys are used in preference to a session of aws login")


if __name__ == "__main__":
    run_tests([test_unreadable, test_bad_files, test_line_break, test_endpoints, test_sts_endpoint, test_nobody_there, test_large])
