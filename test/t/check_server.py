"""sagemaker_fdw_check_server finds what is wrong with a server, and says each thing once."""
import re

from harness import TLS_URL, URL, control, fault
from named_faults import denied
from world import CHECKS, ONE, PERMISSIONS, ROLE, calls_for_credentials, check_rows, env, run_tests


PRICES = "permission GetProducts"


def test_check_server(tap, world, server):
    """sagemaker_fdw_check_server reports what is wrong."""
    world.files("", "")
    session = server.start(world.environment({}))
    session.run("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER sm")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()}, {**dict.fromkeys(CHECKS), "credentials": False, "region": True},
              "without credentials")
    tap.equal({detail for ok, detail in rows.values() if ok is None}, {"not tried: there are no credentials"}, "... nothing else is tried")
    server_has = "Nothing in the database server's environment gives any. "
    tap.equal(rows["credentials"][1],
              'no AWS credentials for server "sm". There is no user mapping for role "postgres", nor for PUBLIC. ' + server_has +
              "CREATE USER MAPPING FOR postgres SERVER sm OPTIONS (aws_access_key_id '...', aws_secret_access_key '...'); "
              "or set up the database server as for the AWS CLI.",
              "... a superuser is told that there is no user mapping either")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm")
    tap.equal(check_rows(session)["credentials"][1],
              'no AWS credentials for server "sm". ' + server_has +
              "Set aws_access_key_id and aws_secret_access_key in the user mapping, or set up the database server as for the AWS CLI.",
              "... or that the mapping has no keys")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (aws_access_key_id '%s', "
                "aws_secret_access_key '%s')" % ONE)
    tap.equal(check_rows(session)[PRICES], (None, "not tried: the server has an endpoint_url of its own and no pricing_endpoint_url"),
              "a server with its own endpoint_url needs one for prices, too")
    session.run("ALTER SERVER sm OPTIONS (ADD pricing_endpoint_url '%s')" % URL)
    control("calls")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()},
              dict.fromkeys(CHECKS, True),
              "all is well")
    tap.equal(rows["sts"][1], "the credentials belong to account 123456789012", "... and STS says so")
    tap.equal(control("calls"), "DescribeTrainingJob=1 GetProducts=1 ListTags=1 ListTrainingJobs=1 "
                                "ListTrainingJobsForHyperParameterTuningJob=1 Search=1", "... with six calls")
    tap.equal(rows[PRICES][1], "allowed, by %s" % URL, "... and where prices are requested from")
    tap.equal(rows["credentials"][1], "from the user mapping, access key ending in 0001", "... and says where the keys come from")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key 'wrong')")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items() if not ok},
              {**dict.fromkeys([*PERMISSIONS, "sts", PRICES]), "credentials": False},
              "keys that the service rejects fail, and nothing else is tried with them")
    tap.ok(rows["credentials"][1].startswith("from the user mapping, access key ending in 0001: AWS refuses them. "
                                             "ListTrainingJobs: InvalidSignatureException: "),
           "... with the reason", rows["credentials"])
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (SET aws_secret_access_key '%s')" % ONE[1])
    fault(**denied(operation="ListTrainingJobsForHyperParameterTuningJob", message="no", times=1))
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTrainingJobsForHyperParameterTuningJob"],
              "listing a tuning job's jobs may be denied")
    fault(**denied(operation="ListTags", message="no"))
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTags"], "a missing permission")
    tap.ok(rows["permission ListTags"][1].startswith("Allow sagemaker:ListTags in the IAM policy."), "... is named",
           rows["permission ListTags"])
    fault(**denied(operation="GetProducts", message="no"))
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["permission ListTags", PRICES], "prices may be denied")
    tap.ok(rows[PRICES][1].startswith("Allow pricing:GetProducts in the IAM policy. The call was made in region us-east-1: if a policy denies that region, set "
                                        "pricing_endpoint_url "), "... which is named", rows[PRICES])
    control("clear", b"")
    control("config", {"clock_offset_s": 400})
    rows = check_rows(session)
    tap.equal([name for name, (ok, _) in rows.items() if not ok], ["clock"], "a clock that is wrong")
    # both clocks are read in whole seconds
    tap.ok(re.search(r"\b(399|400|401) s ahead", rows["clock"][1]), "... and by how much", rows["clock"])
    control("config", {"clock_offset_s": 0})
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url 'http://127.0.0.1:1', ADD max_attempts '1')")
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()}, {**dict.fromkeys(CHECKS), "region": True, "endpoint": False},
              "an endpoint that does not answer")
    tap.equal(rows["sts"][1], "not tried: AWS does not answer", "... and nothing else is tried")
    tap.equal(rows["credentials"][1], "from the user mapping, access key ending in 0001; not tried, because AWS does not answer",
              "... so the keys were not tried")
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s')" % TLS_URL)
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items()},
              {**dict.fromkeys(CHECKS), "region": True, "endpoint": False, "tls": False}, "a certificate that is not trusted")
    tap.ok("The server option ca_bundle names other certificates to trust." in rows["tls"][1], "... and what to do about it", rows["tls"])
    session.run("ALTER SERVER sm OPTIONS (ADD ca_bundle '/no/such/file')")
    tap.equal(check_rows(session)["tls"][0], False, "certificates that cannot be read")
    session.run("ALTER SERVER sm OPTIONS (SET endpoint_url '%s', DROP ca_bundle, DROP max_attempts)" % URL)

    # STS is asked at an address of its own
    fault(kind="body", operation="GetCallerIdentity", status=503, body="no", times=0)
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items() if not ok}, {"sts": False}, "STS that does not answer")
    tap.equal(rows["sts"][1], 'could not find out the AWS account of server "sm". STS answered with HTTP status 503.', "... is named")
    control("clear", b"")
    asked = calls_for_credentials("GetCallerIdentity")
    session.run("ALTER SERVER sm OPTIONS (ADD account_id '123456789012', ADD sts_endpoint_url 'http://127.0.0.1:1')")
    rows = check_rows(session)
    tap.equal({name: row for name, row in rows.items() if not row[0]},
              {"sts": (None, "not tried: the option account_id says that the account is 123456789012")}, "with account_id STS is not asked")
    session.run("ALTER SERVER sm OPTIONS (DROP account_id)")
    tap.ok(check_rows(session)["sts"][1].startswith(
        'could not find out the AWS account of server "sm": STS does not answer. http://127.0.0.1:1: '),
           "sts_endpoint_url is where STS is asked")
    tap.equal(calls_for_credentials("GetCallerIdentity"), asked, "... and nowhere else")
    session.run("ALTER SERVER sm OPTIONS (DROP sts_endpoint_url)")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (ADD role_arn '%sdoctor')" % ROLE)
    tap.equal((check_rows(session)["sts"], calls_for_credentials("GetCallerIdentity")),
              ((True, "the credentials belong to account 123456789012"), asked), "a role's account is known without asking STS")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (DROP role_arn)")

    # an answer that is no list of prices allows nothing
    fault(kind="body", operation="GetProducts", body="<html>log in</html>", content_type="text/html", times=0)
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items() if not ok}, {PRICES: False}, "a web page instead of prices")
    tap.ok(rows[PRICES][1].startswith("response of GetProducts is not valid JSON."), "... is reported as such", rows[PRICES])
    control("clear", b"")

    # what is not known without a list is not said to be allowed
    fault(**denied(operation="ListTrainingJobs", message="no"))
    rows = check_rows(session)
    tap.equal({name: ok for name, (ok, _) in rows.items() if not ok}, {"permission ListTrainingJobs": False, "permission ListTags": None},
              "without a list, ListTags is not tried")
    tap.equal(rows["permission ListTags"][1], "not tried: ListTrainingJobs lists no job whose tags could be asked for",
              "... and the report says so")
    control("clear", b"")
    fault(kind="body", operation="ListTrainingJobs", body={"TrainingJobSummaries": []}, times=0)
    rows = check_rows(session)
    tap.equal(rows["permission ListTags"], (None, "not tried: ListTrainingJobs lists no job whose tags could be asked for"),
              "an account without jobs")
    control("clear", b"")

    # what is no answer of AWS is no permission
    for name in PERMISSIONS:
        operation = name.split(" ")[1]
        fault(kind="body", operation=operation, body="<html>log in</html>", content_type="text/html", times=0)
        rows = check_rows(session)
        without_tags = {"permission ListTags": None} if operation == "ListTrainingJobs" else {}
        tap.equal({row: ok for row, (ok, _) in rows.items() if not ok}, {name: False, **without_tags}, "a web page instead of %s" % operation)
        tap.ok(rows[name][1].startswith("response of %s is not valid JSON." % operation), "... is reported as such", rows[name])
        control("clear", b"")

    # each call has few attempts
    fault(kind="body", operation="Search", status=503, body="no", times=0)
    control("calls")
    tap.equal(check_rows(session)["permission Search"][0], False, "an operation that fails permanently")
    tap.equal(control("calls").split()[-1], "Search=4", "... is tried four times")
    control("clear", b"")

    # each row is about its own: where nothing gives a region the credentials are good all the same
    session.run("ALTER SERVER sm OPTIONS (DROP region)")
    rows = check_rows(session)
    tap.equal(({name: ok for name, (ok, _) in rows.items()}, rows["credentials"][1]),
              ({**dict.fromkeys(CHECKS), "region": False},
               "from the user mapping, access key ending in 0001; not tried, because there is no region"), "no region")
    session.run("DROP USER MAPPING FOR CURRENT_USER SERVER sm")
    tap.equal({name: ok for name, (ok, _) in check_rows(session).items()}, {**dict.fromkeys(CHECKS), "credentials": False, "region": False},
              "neither credentials nor a region")
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (allow_ambient_credentials 'true'); "
                "ALTER SERVER sm OPTIONS (ADD region 'us-east-1', DROP endpoint_url)")
    for variables, config, detail in (
            ({"AWS_ENDPOINT_URL_SAGEMAKER": "http://192.0.2.1"}, "",
             "not usable. Plain http is accepted to a loopback address only (127.0.0.1, [::1], localhost)."),
            ({}, "[default]\nendpoint_url = nonsense\n",
             "not usable. An endpoint is https://host, with an optional port and path, and nothing else.")):
        world.files(config, "")
        session = server.start(world.environment({**env(ONE), **variables}))
        rows = check_rows(session)
        tap.equal(({name: ok for name, (ok, _) in rows.items()}, rows["endpoint"][1]),
                  ({**dict.fromkeys(CHECKS), "region": True, "endpoint": False}, detail), "an invalid endpoint of %s" % ("the environment" if variables else "the profile"))
    session.run("ALTER SERVER sm OPTIONS (ADD endpoint_url '%s'); DROP USER MAPPING FOR CURRENT_USER SERVER sm" % URL)


if __name__ == "__main__":
    run_tests([test_check_server])
