"""Whose credentials sign, who may use those of the database server, and what each role is told.

No secret appears in what a session is shown, in what a role may read, or in the log.
"""
import json
import re
import urllib.parse

from harness import URL, control, counters, fault
from world import (ACCOUNT, AUTHORIZED, ONE, ROLE, SSO, THREE, TOKEN, TWO, as_issued, assume, check_rows, env,
                   keys, run_tests, sts_error)

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
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "a role that is no longer a superuser")
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
        tap.equal(state, "42501", "a plain owner of the server cannot %s of a mapping with a permission option" % option)
    tap.equal(session.run("SELECT count(*) FROM sm.training_jobs"), ["300"], "... which works")
    session.run("ALTER USER MAPPING FOR plain SERVER sm OPTIONS (DROP allow_ambient_credentials)")
    tap.equal(session.ask("SELECT count(*) FROM sm.training_jobs")[1], "28000", "... until the permission option is dropped")
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
    """Whose key signs, for every role that asks and every way to ask."""
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
        tap.equal((answer, used), ((["300"], "00000"), {ONE[0]}), "... are the role's own keys")
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


INTERNAL = "the text of an internal page"
PAGE = {"status": 500, "body": "<html>%s</html>" % INTERNAL}
NAMELESS = {"status": 400, "body": {"message": INTERNAL}}
TALKATIVE = {"status": 400, "body": {"__type": INTERNAL, "message": INTERNAL}}
NO_JSON = {"status": 200, "body": "<html>%s</html>" % INTERNAL}
AWS_ERROR = {"status": 400, "body": {"__type": "ValidationException", "message": "what AWS says"}}


def test_echo(tap, world, server):
    """The answers of a custom endpoint are quoted to superusers only, unless they are AWS errors."""
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
                    tap.ok("ValidationException: what AWS says" in text, "%s, %s by %s: an AWS error is shown" % (where, who, way),
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
    tap.ok(INTERNAL not in "\n".join(lines), "an invalid request id is not quoted", lines)
    session.run("RESET ROLE; DROP VIEW as_plain, as_super CASCADE; DROP FUNCTION through_view; ALTER SERVER sm OPTIONS (DROP max_attempts); "
                "DROP USER MAPPING FOR plain SERVER sm; DROP USER MAPPING FOR super SERVER sm")


def test_secrets(tap, world, server):
    """No secret appears in what a session is shown or in what a plain role may read."""
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
                      "every message is shown, without secrets: %s%s" % (options[2:15], ", " + code if code else ""))
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
                              % (relation, TOKEN)), ["0"], "%s contains no secret" % relation)
    session.run("RESET ROLE; ALTER SERVER sm OWNER TO plain; CREATE USER MAPPING FOR plain SERVER sm OPTIONS "
                "(aws_access_key_id '%s', aws_secret_access_key '%s'); SET ROLE plain" % ONE)
    tap.equal(session.run("SELECT usename, umoptions IS NOT NULL FROM pg_user_mappings WHERE srvname = 'sm' ORDER BY 1"),
              ["plain|t", "postgres|f", "public|t"], "a server's owner can read its own keys and those of PUBLIC, but no others")
    session.run("RESET ROLE; ALTER SERVER sm OWNER TO postgres; DROP USER MAPPING FOR PUBLIC SERVER sm; "
                "DROP USER MAPPING FOR CURRENT_USER SERVER sm; DROP USER MAPPING FOR plain SERVER sm")


MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
            "signing method. Consult the service documentation for details.")


def quoted_request(encoded=False):
    """The last request as an echo quotes it, with its secrets removed."""
    request = json.loads(control("requests"))[-1]
    secret = {"authorization": "[hidden]", "x-amz-security-token": "[hidden]"}
    lines = ["%s: %s" % (name, secret.get(name) or (urllib.parse.quote(value, safe=": ") if encoded else value))
             for name, value in sorted(request["headers"].items())]
    body = request["body"].replace("web-identity-token", "[hidden]")
    return "; ".join(lines + [urllib.parse.quote(body, safe=": ") if encoded else body])


def test_quotes(tap, world, server):
    """A service that quotes the request: the error shows none of its secrets, and what helps is still shown."""
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
        tap.equal(detail, ["DETAIL:  " + expected()], "the quote is %s" % title)
        session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)" % wrong)
    tap.ok(": AWS refuses them. ListTrainingJobs: InvalidSignatureException: %s HTTP status 403." % MISMATCH in check_rows(session)["credentials"][1],
           "... and in sagemaker_fdw_check_server", check_rows(session))
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")


if __name__ == "__main__":
    run_tests([test_rights, test_whose, test_echo, test_quotes, test_secrets])
