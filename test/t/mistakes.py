"""What a newcomer does wrong, and what Postgres says of it: a table of statements, SQLSTATEs and messages.

Run below test/with-service.  Each message says what is wrong and where, and its hint what to type next.  Those that a
reader is likely to look up are headings of doc/problems.md, by their words: a case names its heading, and each heading
in quotation marks has a case, so that the page quotes what the code says.

The clusters are the test's own, and names resolve there as silent_resolver.c wants.
"""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading

from harness import (BULK, CA, HISTORY, TLS_URL, URL, Cluster, Died, Session, Tap, cluster_session, control, fault, full_listener,
                     preload, wait_for)
from named_faults import denied, expired, silent, throttled
from world import sts_error

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "doc" / "problems.md"

# The database server has no credentials of its own.
NO_AMBIENT = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}

JOB = "pytorch-ads-0001"
ONE = "SELECT role_arn FROM aws.training_jobs WHERE training_job_name = '%s'" % JOB
COUNT = "SELECT count(*) FROM aws.training_jobs"
REFRESH = "CALL sagemaker_fdw_refresh('reports.training_jobs', 'aws.training_jobs', since => '2020-01-01')"
CALLED = 'DescribeTrainingJob of training job "%s"' % JOB
ASKED = " HTTP status 403. Request id test-request."

# Keys as AWS makes them, which the endpoint does not know; the secret is one of those without a slash.
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEY"
TEMPORARY_ID = "ASIAIOSFODNN7EXAMPLE"
SET_KEYS = "ALTER USER MAPPING FOR postgres SERVER sm OPTIONS (SET aws_access_key_id '...', SET aws_secret_access_key '...'%s);"
WRONG_SECRET = ("InvalidSignatureException: The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
BAD_TOKEN = "UnrecognizedClientException: The security token included in the request is invalid."
STRANGER = 'It may not be AWS that answers. Check the endpoint_url and the proxy_url of server "sm", and the network.'
NETWORK = 'Check the region, the endpoint_url and the proxy_url of server "sm", and the network.'
FEWER_CALLS = ("Bound creation_time, read fewer columns, use scan_api 'auto' or 'search', keep the jobs in a table with "
               "sagemaker_fdw_refresh, or raise sagemaker_fdw.max_calls.")
CAST = "No %s matches the given name and argument types. You might need to add explicit type casts."


class Case:
    """A mistake, and what is said of it.

    The last statement is the mistake.  It is made in a transaction that is rolled back, after the statements "before";
    alone: outside one, with "after" to clean up.  page: words of a heading of doc/problems.md.  theirs: the words are
    Postgres's own, whose details and hints differ by its version.
    """

    def __init__(self, title, sql, state, message, detail="", hint="", before="", after="", faults=(), page=None, level="ERROR",
                 theirs=False, alone=False):
        self.title, self.sql, self.state = title, sql, state
        self.said = (message, detail, hint)
        self.before, self.after, self.faults = before, after, faults
        self.page, self.level, self.theirs, self.alone = page, level, theirs, alone


def server(options):
    return "CREATE SERVER other FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (%s)" % options


def change(options):
    return "ALTER SERVER sm OPTIONS (%s);" % options


def mapping(options, role="CURRENT_USER"):
    return "DROP USER MAPPING IF EXISTS FOR %s SERVER sm; CREATE USER MAPPING FOR %s SERVER sm OPTIONS (%s);" % (role, role, options)


def keys(key_id, secret, token=None):
    return "aws_access_key_id '%s', aws_secret_access_key '%s'%s" % (key_id, secret, ", aws_session_token '%s'" % token if token else "")


def imported(what):
    return "IMPORT FOREIGN SCHEMA %s" % what


def may_not(operation, message, hint="", sql=ONE, service="sagemaker", **more):
    """A permission that is missing."""
    return Case("no permission for %s" % operation, sql, "42501", 'AWS denies %s to the credentials for server "sm"' % operation,
                message + ": AccessDeniedException: not authorized. HTTP status 400. Request id test-request.",
                "Allow %s:%s in the IAM policy.%s" % (service, operation, hint),
                faults=[denied(operation=operation, message="not authorized")], page="AWS denies ...", **more)


OPTIONS = [
    Case("a mistyped option of a server", server("regoin 'us-east-1'"), "HV00D", 'invalid option "regoin" of a server',
         hint='Perhaps you meant the option "region".'),
    Case("a mistyped option of a table", "CREATE FOREIGN TABLE jobs (training_job_name text) SERVER sm OPTIONS (scan_ap 'auto')",
         "HV00D", 'invalid option "scan_ap" of a foreign table', hint='Perhaps you meant the option "scan_api".'),
    Case("a mistyped option of a user mapping", mapping("access_key_id 'x', aws_secret_access_key 'y'"), "HV00D",
         'invalid option "access_key_id" of a user mapping', hint='Perhaps you meant the option "aws_access_key_id".'),
    Case("a mistyped option of IMPORT", imported("sagemaker FROM SERVER sm INTO reports OPTIONS (enum 'false')"), "HV00D",
         'invalid option "enum" of IMPORT FOREIGN SCHEMA', hint='Perhaps you meant the option "enums".'),
    Case("a mistyped option of a column",
         "CREATE FOREIGN TABLE jobs (name text OPTIONS (atribute 'TrainingJobName')) SERVER sm", "HV00D",
         'invalid option "atribute" of a column', hint='Perhaps you meant the option "attribute".'),
    Case("an option of another object", "ALTER USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (ADD region 'eu-west-1')", "HV00D",
         'invalid option "region" of a user mapping', hint='Set option "region" in CREATE SERVER or CREATE FOREIGN TABLE.'),
    Case("an option that is there is added", change("region 'eu-west-1'"), "42710", 'option "region" provided more than once',
         page='option "..." provided more than once', theirs=True),
    Case("an option that is not there is set", change("SET scan_api 'auto'"), "42704", 'option "scan_api" not found',
         page='option "..." not found', theirs=True),
    Case("keys in the server", server("region 'us-east-1', aws_secret_access_key 'x'"), "HV00D",
         'invalid option "aws_secret_access_key" of a server',
         hint='Set option "aws_secret_access_key" in CREATE USER MAPPING: options of other objects can be read by every user.'),
    Case("an http URL of another machine", change("SET endpoint_url 'http://sagemaker.example.com'"), "22023",
         'invalid value for option "endpoint_url": "http://sagemaker.example.com"',
         hint="Use https:// and a host, or http:// and a loopback address, with an optional port, but no user name or query."),
    Case("a setting that is mistyped", "SET sagemaker_fdw.max_call = 5", "42602",
         'invalid configuration parameter name "sagemaker_fdw.max_call"', '"sagemaker_fdw" is a reserved prefix.', theirs=True),
]

REGIONS = [
    Case("a region in capitals", server("region 'US-EAST-1'"), "22023", 'invalid value for option "region": "US-EAST-1"',
         hint="Write the region in lower case: us-east-1."),
    Case("an availability zone", server("region 'us-east-1a'"), "22023", 'invalid value for option "region": "us-east-1a"',
         hint='"us-east-1a" is an availability zone. Use its region: us-east-1.'),
    Case("an availability zone in capitals", server("region 'EU-West-1B'"), "22023", 'invalid value for option "region": "EU-West-1B"',
         hint='"EU-West-1B" is an availability zone. Use its region: eu-west-1.'),
    Case("the title of a region", server("region 'US East (N. Virginia)'"), "22023",
         'invalid value for option "region": "US East (N. Virginia)"', hint="Use the name of one AWS region, for example us-east-1."),
    Case("two regions", server("region 'us-east-1,eu-west-1'"), "22023", 'invalid value for option "region": "us-east-1,eu-west-1"',
         hint="Use the name of one AWS region, for example us-east-1."),
    Case("a region that does not exist", ONE, "08001", "could not connect to https://api.sagemaker.us-east-9.amazonaws.com/",
         CALLED + ": Could not resolve host: api.sagemaker.us-east-9.amazonaws.com. 2 attempts.",
         'Is "us-east-9" an AWS region? Check the option "region" of server "sm" and of its foreign tables, and that the database '
         "server can look up names.", before=change("SET region 'us-east-9', DROP endpoint_url"), page="could not connect to ..."),
    Case("no region", ONE, "HV00J", 'no AWS region for server "sm"',
         hint='Set the option "region" of the server or of the foreign table.', before=change("DROP region")),
    Case("a region that the account has not enabled", ONE, "42501", 'AWS denies DescribeTrainingJob to the credentials for server "sm"',
         CALLED + ": OptInRequired: no subscription. HTTP status 403. Request id test-request.",
         'Enable the region "us-east-1" in the AWS account.', page="AWS denies ...",
         faults=[dict(kind="error", code="OptInRequired", status=403, message="no subscription", times=0)]),
]

KEYS = [
    Case("swapped keys", mapping(keys(SECRET, KEY_ID)), "22023", 'invalid value for option "aws_secret_access_key"',
         hint="The value has the form of an access key id, which goes into aws_access_key_id. A secret access key has 40 characters."),
    Case("swapped keys, a slash among them", mapping(keys(SECRET.replace("a", "/"), KEY_ID)), "22023",
         'invalid value for option "aws_access_key_id"',
         hint="The value has the form of a secret access key, which goes into aws_secret_access_key. An access key id begins with AKIA or ASIA."),
    Case("an access key id with a blank after it", mapping(keys(KEY_ID + " ", SECRET)), "22023",
         'invalid value for option "aws_access_key_id"', hint="The value begins or ends with a space or a line break: leave that out."),
    Case("a secret key with a line break after it", mapping(keys(KEY_ID, SECRET + "\n")), "22023",
         'invalid value for option "aws_secret_access_key"', hint="The value begins or ends with a space or a line break: leave that out."),
    Case("a session token with a line break in it", mapping(keys(KEY_ID, SECRET, "to\nken")), "22023",
         'invalid value for option "aws_session_token"',
         hint="Use the value as AWS gave it, without spaces, line breaks or other invisible characters."),
    Case("half of the keys", mapping("aws_access_key_id '%s'" % KEY_ID), "22023",
         'option "aws_access_key_id" needs option "aws_secret_access_key"',
         hint='Set "aws_secret_access_key" in the same command, or leave "aws_access_key_id" out.'),
    Case("temporary keys without their token", mapping(keys(TEMPORARY_ID, SECRET)), "22023",
         'temporary keys need option "aws_session_token"', 'The value of option "aws_access_key_id" begins with ASIA.',
         'Set "aws_session_token" in the same command, or use keys that are not temporary.'),
    Case("an access key id that AWS does not know", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": " + BAD_TOKEN + ASKED,
         'AWS does not know the access key id in region "us-east-1", or the region is not enabled in the account. ' + SET_KEYS % "",
         before=mapping(keys(KEY_ID, SECRET)), page="AWS refuses the credentials for server"),
    Case("a secret key of other keys", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": " + WRONG_SECRET + ASKED, "The secret access key is not the one of the access key id. " + SET_KEYS % "",
         before=mapping(keys(HISTORY[0], SECRET)), page="AWS refuses the credentials for server"),
    Case("a token that does not belong to the keys", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": " + BAD_TOKEN + ASKED,
         'AWS does not know the access key id, or not with this session token, in region "us-east-1", or the region is not enabled in the account. '
         + SET_KEYS % ", SET aws_session_token '...'",
         before=mapping(keys(TEMPORARY_ID, SECRET, "another")), page="AWS refuses the credentials for server"),
    Case("a token left over from temporary keys", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": " + BAD_TOKEN + ASKED,
         "Keys whose id begins with AKIA have no session token. " + SET_KEYS % ", DROP aws_session_token",
         before=mapping(keys(KEY_ID, SECRET, "another")), page="AWS refuses the credentials for server"),
    Case("a token that has expired", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": ExpiredTokenException: The security token included in the request is expired. HTTP status 400. Request id test-request.",
         "The keys have expired. " + SET_KEYS % "", faults=[expired(message="The security token included in the request is expired")],
         page="AWS refuses the credentials for server"),
    Case("keys of another account than the one that is meant", ONE, "28000",
         "a training job belongs to AWS account 123456789012, but account 210987654321 is expected",
         CALLED + ' was called with the credentials of the user mapping of role "postgres" for server "sm".',
         "Correct the user mapping, or the option account_id of the server or the foreign table.",
         before=change("ADD account_id '210987654321'"), page="a training job belongs to AWS account ..., but account ... is expected"),
]

NO_MAPPING = "CREATE USER MAPPING FOR %s SERVER sm OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');"
MAPPINGS = [
    Case("a query before the user mapping", ONE, "28000", 'no AWS credentials for server "sm"',
         'There is no user mapping for role "postgres", nor for PUBLIC. Nothing in the database server\'s environment gives any.',
         NO_MAPPING % "postgres" + " or set up the database server as for the AWS CLI.",
         before="DROP USER MAPPING FOR CURRENT_USER SERVER sm", page="no AWS credentials for server"),
    Case("a user mapping for another role", ONE, "28000", 'no AWS credentials for server "sm"',
         'Neither role "reader" nor PUBLIC has a user mapping for the server.', NO_MAPPING % "reader",
         before="SET LOCAL ROLE reader", page="no AWS credentials for server"),
    Case("a view whose owner has no user mapping", "SELECT * FROM aws.names", "28000", 'no AWS credentials for server "sm"',
         'Neither role "Data Team" nor PUBLIC has a user mapping for the server. The query runs with the rights of that role, which owns '
         "the view, function or table that it uses.", NO_MAPPING % '"Data Team"',
         before='CREATE VIEW aws.names AS SELECT training_job_name FROM aws.training_jobs; ALTER VIEW aws.names OWNER TO "Data Team";' +
         mapping(keys(*HISTORY), "reader") + "GRANT SELECT ON aws.names TO reader; SET LOCAL ROLE reader",
         page="no AWS credentials for server"),
    Case("a user mapping without keys", ONE, "28000", 'no AWS credentials for server "sm"',
         'The user mapping of role "reader" has no keys, and does not allow the database server\'s own credentials.',
         "Set aws_access_key_id and aws_secret_access_key in the user mapping, or let a superuser set allow_ambient_credentials there.",
         before="CREATE USER MAPPING FOR reader SERVER sm; SET LOCAL ROLE reader", page="no AWS credentials for server"),
    Case("a role that may not be assumed", ONE, "28000", 'no AWS credentials for server "sm"',
         'AssumeRole to "arn:aws:iam::123456789012:role/denied" failed: AccessDenied: User is not authorized to perform: sts:AssumeRole on '
         "resource: arn:aws:iam::123456789012:role/denied",
         "Allow sts:AssumeRole on this role in the IAM policy of whoever assumes it, and name that identity in the role's trust policy. "
         "If the trust policy asks for an external id, set the option external_id.",
         before=mapping(keys(*HISTORY) + ", role_arn 'arn:aws:iam::123456789012:role/denied'"), page="no AWS credentials for server"),
    Case("an external id that is not the role's", ONE, "28000", 'no AWS credentials for server "sm"',
         'AssumeRole to "arn:aws:iam::123456789012:role/external" failed: AccessDenied: User is not authorized to perform: sts:AssumeRole on '
         "resource: arn:aws:iam::123456789012:role/external",
         "Allow sts:AssumeRole on this role in the IAM policy of whoever assumes it, and name that identity in the role's trust policy.",
         before=mapping(keys(*HISTORY) + ", role_arn 'arn:aws:iam::123456789012:role/external', external_id 'another'"),
         page="no AWS credentials for server"),
    Case("STS cannot be reached", ONE, "08001", 'no AWS credentials for server "sm": STS does not answer', "http://127.0.0.1:1: ...",
         "Check that the database server can reach it, and the server's option proxy_url. The option sts_endpoint_url gives STS another address.",
         before=change("SET sts_endpoint_url 'http://127.0.0.1:1'") +
         mapping(keys(*HISTORY) + ", role_arn 'arn:aws:iam::123456789012:role/reader'"), page="STS does not answer"),
    Case("the endpoint of STS is another region's", ONE, "28000", 'no AWS credentials for server "sm"',
         'AssumeRole to "arn:aws:iam::123456789012:role/reader" failed: SignatureDoesNotMatch: Credential should be scoped to a valid region.',
         'The endpoint is one of another region or service. Check the region and the sts_endpoint_url of server "sm".',
         before=mapping(keys(*HISTORY) + ", role_arn 'arn:aws:iam::123456789012:role/reader'"),
         faults=[dict(kind="body", operation="AssumeRole", status=403, times=0,
                      body=sts_error("SignatureDoesNotMatch", "Credential should be scoped to a valid region."))],
         page="no AWS credentials for server"),
    Case("a role that may not read the table", ONE, "42501", "permission denied for foreign table training_jobs",
         before="REVOKE SELECT ON aws.training_jobs FROM reader; SET LOCAL ROLE reader", theirs=True),
    Case("a role that may not call a function", "SELECT * FROM sagemaker_fdw_check_server('sm')", "42501",
         "permission denied for function sagemaker_fdw_check_server", before="SET LOCAL ROLE reader", theirs=True),
    Case("a role that may not use the server", mapping(keys(KEY_ID, SECRET), "reader"), "42501",
         "permission denied for foreign server sm", before="SET LOCAL ROLE reader", theirs=True),
]

PERMISSIONS = [
    may_not("DescribeTrainingJob", CALLED),
    may_not("ListTrainingJobs", "ListTrainingJobs", sql=COUNT),
    may_not("Search", "Search", sql="SELECT count(role_arn) FROM aws.training_jobs", before=change("ADD scan_api 'search'")),
    may_not("ListTags", 'ListTags of training job "%s"' % JOB, ' Or leave the column "tags" out of the query.',
            "SELECT tags FROM aws.training_jobs WHERE training_job_name = '%s'" % JOB),
    Case("no permission for ListTrainingJobsForHyperParameterTuningJob",
         "SELECT training_job_name FROM aws.training_jobs WHERE tuning_job_arn = "
         "'arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/tune-vision'", "00000",
         'AWS denies ListTrainingJobsForHyperParameterTuningJob to the credentials for server "sm"; all jobs are listed instead',
         hint="Allow sagemaker:ListTrainingJobsForHyperParameterTuningJob in the IAM policy.", level="WARNING",
         faults=[denied(operation="ListTrainingJobsForHyperParameterTuningJob")]),
    may_not("GetProducts", 'GetProducts of region "us-east-1"',
            " The call was made in region us-east-1: if a policy denies that region, set pricing_endpoint_url to another host of the API, "
            "such as https://api.pricing.ap-south-1.amazonaws.com.",
            "SELECT count(*) FROM sagemaker_training_prices('sm')", "pricing"),
]

NETWORKS = [
    Case("a name that does not resolve", ONE, "08001", "could not connect to https://sagemaker.nowhere.invalid",
         CALLED + ": Could not resolve host: sagemaker.nowhere.invalid. 2 attempts.",
         'Check the endpoint_url and the proxy_url of server "sm", and that the database server can look up names.',
         before=change("SET endpoint_url 'https://sagemaker.nowhere.invalid'"), page="could not connect to ..."),
    Case("nobody listens", ONE, "08001", "could not connect to http://127.0.0.1:1",
         CALLED + ": Failed to connect to 127.0.0.1 port 1. 2 attempts.", NETWORK,
         before=change("SET endpoint_url 'http://127.0.0.1:1'"), page="could not connect to ..."),
    Case("no answer", ONE, "08006", "no complete response to DescribeTrainingJob from %s within 0.2 s" % URL, CALLED + ": timed out. 2 attempts.",
         'The option read_timeout of server "sm" sets the time allowed.', before=change("ADD read_timeout '0.2'"), faults=[silent()]),
    Case("a web page in place of an answer", ONE, "08P01", "response of DescribeTrainingJob is not valid JSON",
         CALLED + ': Token "<" is invalid. Request id test-request.', STRANGER,
         faults=[dict(kind="body", content_type="text/html", body="<html>Log in</html>", times=0)],
         page="response of ... is not valid JSON"),
    Case("a proxy that refuses", ONE, "HV000", "DescribeTrainingJob failed",
         CALLED + ": <html>Blocked</html>. HTTP status 403. Request id test-request.", STRANGER,
         faults=[dict(kind="body", status=403, content_type="text/html", body="<html>Blocked</html>", times=0)]),
    Case("the endpoint of another service", ONE, "HV000", "DescribeTrainingJob failed",
         CALLED + ": UnknownOperationException. HTTP status 400. Request id test-request.", STRANGER,
         faults=[dict(kind="body", status=400, body={"__type": "com.amazon.coral.service#UnknownOperationException"}, times=0)]),
    Case("the endpoint of another region", ONE, "28000", 'AWS refuses the credentials for server "sm"',
         CALLED + ": InvalidSignatureException: Credential should be scoped to a valid region, not 'us-east-1'. HTTP status 400. "
         "Request id test-request.",
         'The endpoint is one of another region or service. Check the region and the endpoint_url of server "sm".',
         faults=[dict(kind="error", code="InvalidSignatureException",
                      message="Credential should be scoped to a valid region, not 'us-east-1'. ", times=0)],
         page="AWS refuses the credentials for server"),
    Case("a redirect", ONE, "08P01", "DescribeTrainingJob was answered with an HTTP redirect",
         CALLED + ". HTTP status 302. Request id test-request.",
         'Redirects are not followed. Check the region and the endpoint_url of server "sm".',
         faults=[dict(kind="body", status=302, headers=[["Location", "https://portal.example.com/"]], body="", times=0)]),
    Case("a certificate that is not trusted", ONE, "08001", "could not connect to %s" % TLS_URL, CALLED + ": ...",
         "The endpoint's certificate must be valid for its host name and today's date, and signed by a CA that the system trusts. "
         "The server option ca_bundle names other certificates to trust.",
         before=change("SET endpoint_url '%s'" % TLS_URL), page="could not connect to ..."),
    Case("a file of certificates that is not there", ONE, "08001", "could not connect to %s" % TLS_URL, CALLED + ": ...",
         'The database server cannot read the file "/none/ca.pem" of option ca_bundle: No such file or directory.',
         before=change("SET endpoint_url '%s', ADD ca_bundle '/none/ca.pem'" % TLS_URL), page="could not connect to ..."),
    Case("calls that are throttled", ONE, "53000", "AWS throttles DescribeTrainingJob: no call succeeded for 0.2 s",
         CALLED + ": ThrottlingException: injected. HTTP status 400. ... attempts. Request id test-request.",
         'Other programs may share the account\'s quota. The option throttle_timeout of server "sm" sets how long to keep trying.',
         before=change("ADD throttle_timeout '0.2'"), faults=[throttled()], page="AWS throttles ...: no call succeeded for ... s"),
]

IMPORTS = [
    Case("another remote schema", imported("public FROM SERVER sm INTO reports"), "HV00R", 'remote schema "public" does not exist',
         hint='Import from the remote schema "sagemaker".'),
    Case("the local schema in place of the remote one", imported("aws FROM SERVER sm INTO aws"), "HV00R",
         'remote schema "aws" does not exist', hint='Import from the remote schema "sagemaker".'),
    Case("a table that does not exist", imported("sagemaker LIMIT TO (models) FROM SERVER sm INTO reports"), "00000",
         'remote schema "sagemaker" has no table "models"', hint='Its only table is "training_jobs".', level="WARNING"),
    Case("a schema that does not exist", imported("sagemaker FROM SERVER sm INTO jobs"), "3F000", 'schema "jobs" does not exist', theirs=True),
    Case("a server that does not exist", imported("sagemaker FROM SERVER sagemaker INTO aws"), "42704",
         'server "sagemaker" does not exist', theirs=True),
    Case("a second import", imported("sagemaker FROM SERVER sm INTO aws"), "42P07", 'relation "training_jobs" already exists',
         hint="Import into another schema; or, to import it anew, DROP FOREIGN TABLE aws.training_jobs; first.",
         page='relation "training_jobs" already exists'),
    Case("an import beside a kept table", imported("sagemaker FROM SERVER sm INTO reports"), "42P07",
         'relation "training_jobs" already exists',
         hint="Import into another schema: reports.training_jobs is a table of another kind.",
         before="CREATE TABLE reports.training_jobs (training_job_arn text)", page='relation "training_jobs" already exists'),
]

EXTENSIONS = [
    Case("CREATE EXTENSION by a role that is no superuser", "CREATE EXTENSION sagemaker_fdw", "42501",
         'permission denied to create extension "sagemaker_fdw"', hint="Must be superuser to create this extension.",
         before="DROP EXTENSION sagemaker_fdw CASCADE; SET LOCAL ROLE reader", theirs=True,
         page='permission denied to create extension "sagemaker_fdw"'),
    Case("CREATE EXTENSION where somebody has taken the name of its inner schema", "CREATE EXTENSION sagemaker_fdw", "42P06",
         'schema "sagemaker_fdw_internal" already exists',
         before="DROP EXTENSION sagemaker_fdw CASCADE; CREATE SCHEMA sagemaker_fdw_internal", theirs=True,
         page='schema "sagemaker_fdw_internal" already exists'),
    Case("CREATE SERVER before CREATE EXTENSION", server("region 'us-east-1'"), "42704",
         'foreign-data wrapper "sagemaker_fdw" does not exist', before="DROP EXTENSION sagemaker_fdw CASCADE", theirs=True,
         page='foreign-data wrapper "sagemaker_fdw" does not exist'),
    Case("a function in a schema that is not on the path", "SELECT * FROM sagemaker_fdw_check_server('sm')", "42883",
         "function sagemaker_fdw_check_server(unknown) does not exist", hint=CAST % "function",
         before="DROP EXTENSION sagemaker_fdw CASCADE; CREATE SCHEMA sagemaker_fdw; CREATE EXTENSION sagemaker_fdw SCHEMA sagemaker_fdw",
         theirs=True, page="function sagemaker_fdw_...(...) does not exist"),
    Case("a procedure in a schema that is not on the path", REFRESH, "42883",
         "procedure sagemaker_fdw_refresh(unknown, unknown, since => unknown) does not exist", hint=CAST % "procedure",
         before="DROP EXTENSION sagemaker_fdw CASCADE; CREATE SCHEMA sagemaker_fdw; CREATE EXTENSION sagemaker_fdw SCHEMA sagemaker_fdw",
         theirs=True, page="procedure sagemaker_fdw_...(...) does not exist"),
]

COMMITS = ("It commits what it has done, step by step.",
           "Send the CALL as a statement of its own, without BEGIN. Drivers that begin transactions themselves, such as psycopg, need autocommit.")
STATEMENTS = [
    # what psycopg2 sends unless it is told to commit by itself
    Case("a CALL within BEGIN", REFRESH, "25001", "sagemaker_fdw_refresh cannot run inside a transaction block", *COMMITS,
         page="... cannot run inside a transaction block"),
    Case("a CALL in one message with another statement", "SELECT 1 \\; " + REFRESH, "25001",
         "sagemaker_fdw_refresh cannot run inside a transaction block", *COMMITS, alone=True,
         page="... cannot run inside a transaction block"),
    Case("a procedure that is selected", REFRESH.replace("CALL", "SELECT"), "42809",
         "sagemaker_fdw_refresh(unknown, unknown, since => unknown) is a procedure", hint="To call a procedure, use CALL.", theirs=True),
    Case("INSERT into the foreign table", "INSERT INTO aws.training_jobs (training_job_name) VALUES ('mine')", "0A000",
         'cannot insert into foreign table "training_jobs"', theirs=True, page='cannot ... foreign table "training_jobs"'),
    Case("UPDATE of the foreign table", "UPDATE aws.training_jobs SET training_job_status = 'Stopped'", "0A000",
         'cannot update foreign table "training_jobs"', theirs=True, page='cannot ... foreign table "training_jobs"'),
    Case("DELETE from the foreign table", "DELETE FROM aws.training_jobs", "0A000",
         'cannot delete from foreign table "training_jobs"', theirs=True, page='cannot ... foreign table "training_jobs"'),
    Case("a misspelt column", "SELECT training_job_nam FROM aws.training_jobs", "42703", 'column "training_job_nam" does not exist',
         hint='Perhaps you meant to reference the column "training_jobs.training_job_name".', theirs=True),
    Case("a column that is no attribute", "SELECT owner FROM aws.jobs", "HV005",
         'column "owner" of foreign table "jobs" is not an attribute of a training job',
         hint='Set the column\'s option "attribute" to the attribute it stands for.',
         before="CREATE FOREIGN TABLE aws.jobs (training_job_name text, owner text) SERVER sm"),
    Case("a column that is nearly an attribute", "SELECT training_job_stats FROM aws.jobs", "HV005",
         'column "training_job_stats" of foreign table "jobs" is not an attribute of a training job',
         hint='Perhaps you meant "training_job_status". Or set the column\'s option "attribute" to the attribute it stands for.',
         before="CREATE FOREIGN TABLE aws.jobs (training_job_name text, training_job_stats text) SERVER sm"),
    Case("a name that no job can have", "SELECT sagemaker_describe_training_job('sm', 'my_job')", "22023",
         '"my_job" cannot be the name of a training job',
         "A name has 1 to 63 letters, digits and hyphens, and no hyphen at either end."),
    Case("an ARN in place of a name",
         "SELECT sagemaker_describe_training_job('sm', 'arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job')", "22023",
         '"arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job" cannot be the name of a training job',
         "A name has 1 to 63 letters, digits and hyphens, and no hyphen at either end.", "Give the name alone: my-job."),
    Case("a server that does not exist, in a function", "SELECT * FROM sagemaker_fdw_check_server('prod')", "42704",
         'server "prod" does not exist', theirs=True),
    Case("an unknown label", "SELECT count(*) FROM aws.training_jobs WHERE training_job_status = 'Complete'", "22P02",
         'invalid input value for enum sagemaker_training_job_status: "Complete"', theirs=True,
         page="invalid input value for enum sagemaker_training_job_status"),
    Case("a label in a parameter of type text",
         "PREPARE by_status(text) AS SELECT count(*) FROM aws.training_jobs WHERE training_job_status = $1", "42883",
         "operator does not exist: sagemaker_training_job_status = text", hint=CAST % "operator", theirs=True,
         page="operator does not exist: sagemaker_training_job_status = text"),
    Case("too many calls", "SELECT count(role_arn) FROM aws.training_jobs", "54000", "the scan has made 50 calls, which is the limit",
         hint=FEWER_CALLS, before="SET LOCAL sagemaker_fdw.max_calls = 50", page="the scan has made ... calls, which is the limit"),
    Case("one call, which is too few", "SELECT role_arn FROM aws.training_jobs LIMIT 1", "54000", "the scan has made 1 call, which is the limit",
         hint=FEWER_CALLS, before="SET LOCAL sagemaker_fdw.max_calls = 1"),
    Case("too many calls, as is known before", "SELECT count(role_arn) FROM aws.training_jobs", "54000",
         "the scan would make about 303 calls, more than the limit of 100", hint=FEWER_CALLS,
         before="ANALYZE aws.training_jobs; SET LOCAL sagemaker_fdw.max_calls = 100",
         page="the scan would make about ... calls"),
]

KEPT = [
    Case("a target of another role", REFRESH, "42501", 'target reports.training_jobs belongs to role "reader"',
         'Its triggers and constraints would run with the rights of "postgres".',
         'Name another target, or let "reader" refresh it. If you trust that role, pass any_owner => true.',
         before="ALTER TABLE reports.training_jobs OWNER TO reader", after="ALTER TABLE reports.training_jobs OWNER TO postgres",
         alone=True, page="target ... belongs to role"),
    Case("a target with a trigger of another role", REFRESH, "42501",
         'trigger "note" of target reports.training_jobs calls a function of role "reader"',
         'It would run with the rights of "postgres".',
         "DROP TRIGGER note ON reports.training_jobs. If you trust that role, pass any_owner => true.",
         before="CREATE FUNCTION reports.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
         "ALTER FUNCTION reports.note() OWNER TO reader; "
         "CREATE TRIGGER note BEFORE INSERT ON reports.training_jobs FOR EACH ROW EXECUTE FUNCTION reports.note()",
         after="DROP FUNCTION reports.note() CASCADE", alone=True, page="trigger ... calls a function of role ..."),
    Case("a source of another role", REFRESH, "42501", 'source aws.training_jobs belongs to role "reader"',
         'What its columns capitals check or compute would run with the rights of "postgres".',
         'Name another source, or let "reader" refresh. If you trust that role, pass any_owner => true.',
         before="ALTER FOREIGN TABLE aws.training_jobs ADD COLUMN capitals text GENERATED ALWAYS AS (upper(training_job_name)) STORED; "
         "ALTER FOREIGN TABLE aws.training_jobs OWNER TO reader",
         after="ALTER FOREIGN TABLE aws.training_jobs OWNER TO postgres; ALTER FOREIGN TABLE aws.training_jobs DROP COLUMN capitals",
         alone=True, page="source ... belongs to role ..."),
    Case("a target that is another table", REFRESH.replace("reports.training_jobs", "reports.mine"), "42809",
         "reports.mine is not a table that sagemaker_fdw_refresh keeps",
         "It is not a plain, permanent table with the primary key (training_job_arn, creation_time).",
         "Name another target: sagemaker_fdw_refresh makes it.",
         before="CREATE TABLE reports.mine (training_job_name text)", after="DROP TABLE reports.mine", alone=True),
    Case("a source that is another table", REFRESH.replace("'aws.training_jobs'", "'reports.training_jobs'"), "42809",
         "reports.training_jobs is not a foreign table of sagemaker_fdw",
         hint="The source is a table that IMPORT FOREIGN SCHEMA or sagemaker_fdw_create_partitioned_table has made.", alone=True),
    Case("keys of another account than before", REFRESH, "22023", "refresh of reports.training_jobs: 1 of 1 partitions failed",
         'Server "sm", region "us-east-1": a different account or region is read than before. It was arn:aws:sagemaker:us-east-1:123456789012: '
         "and is arn:aws:sagemaker:us-east-1:345678901234:. Correct the user mapping, or name another target. To keep both in this one, forget "
         "the former: SELECT sagemaker_fdw_refresh_forget(target, server).",
         "What was read is kept, and the next run goes on from there. sagemaker_fdw_refresh_status shows when each partition last succeeded.",
         before=mapping(keys(*BULK)), after=mapping(keys(*HISTORY)), alone=True, page="a different account or region is read than before"),
    Case("a second server of the same account", REFRESH.replace("aws.training_jobs", "again.training_jobs"), "22023",
         "refresh of reports.training_jobs: 1 of 1 partitions failed",
         'Server "again", region "us-east-1": an account and region is read by two servers. Servers "again" and "sm" both read '
         "arn:aws:sagemaker:us-east-1:123456789012:. If only one of them is still to be read, forget the other: "
         "SELECT sagemaker_fdw_refresh_forget(target, server).",
         "What was read is kept, and the next run goes on from there. sagemaker_fdw_refresh_status shows when each partition last succeeded.",
         before="CREATE SERVER again FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', endpoint_url '%s'); "
         "CREATE USER MAPPING FOR CURRENT_USER SERVER again OPTIONS (%s); CREATE SCHEMA again; "
         "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER again INTO again" % (URL, keys(*HISTORY)),
         after="DROP SCHEMA again CASCADE; DROP SERVER again CASCADE", alone=True, page="an account and region is read by two servers"),
]
UNDER_WAY = Case("a refresh beside another", REFRESH, "55P03", "a refresh of reports.training_jobs is already under way",
                 hint="Wait for that one to end: the table will be as fresh then. sagemaker_fdw_refresh_status shows how far it is.", alone=True,
                 page="a refresh of ... is already under way")

NO_FILES = Case("CREATE EXTENSION before make install", "CREATE EXTENSION sagemaker_fdw", "0A000", 'extension "sagemaker_fdw" is not available',
                "Could not open extension control file ...: No such file or directory.",
                "The extension must first be installed on the system where PostgreSQL is running.", alone=True, theirs=True,
                page='extension "sagemaker_fdw" is not available')
OLD_LIBRARY = [
    Case("an upgrade in a session that has loaded the old library", "ALTER EXTENSION sagemaker_fdw UPDATE", "42883",
         'could not find function "sagemaker_fdw_newer" in file ...', alone=True, theirs=True,
         page='could not find function "..." in file'),
    Case("a new function in a session that has loaded the old library", "SELECT sagemaker_fdw_newer()", "42883",
         'could not find function "sagemaker_fdw_newer" in file ...', alone=True, theirs=True,
         page='could not find function "..." in file'),
]

CASES = [*OPTIONS, *REGIONS, *KEYS, *MAPPINGS, *PERMISSIONS, *NETWORKS, *IMPORTS, *EXTENSIONS, *STATEMENTS]

# What differs by the version of libcurl or OpenSSL, by the directory, or by chance.
SHORTENED = [
    (r"(Failed to connect to 127[.]0[.]0[.]1 port 1) .*?[.] (\d attempts)", r"\1. \2"),
    (r"(http://127[.]0[.]0[.]1:1: ).*", r"\1..."),
    (r"((?:^|: )DescribeTrainingJob of training job \"[^\"]*\": )(?:SSL|TLS|OpenSSL|error|(?:Connection|.*) (?:timed out|Timeout was reached)).*", r"\1..."),
    (r"(HTTP status 400[.] )\d+( attempts[.])", r"\1...\2"),
    (r"(control file ).*?(: No such file)", r"\1...\2"),
    (r"( in file ).*", r"\1..."),
]


def shortened(text):
    for pattern, short in SHORTENED:
        text = re.sub(pattern, short, text)
    return text


def said(lines, level):
    """(message, detail, hint) of the last message of a level."""
    parts = {}
    for line in lines:
        label, colon, text = line.partition(":  ")
        if not colon or label not in (level, "DETAIL", "HINT"):
            continue
        if label == level:
            parts = {}
        parts[label] = shortened(text)
    return tuple(parts.get(label, "") for label in (level, "DETAIL", "HINT"))


def judge(tap, case, version, lines, state):
    """Is it what the table says?"""
    message, detail, hint = said(lines, case.level)
    if case.theirs and version >= 18:
        tap.equal((state, message), (case.state, case.said[0]), case.title)
    else:
        tap.equal((state, message, detail, hint), (case.state, *case.said), case.title)


def attempt(session, case):
    """Make the mistake; what comes back."""
    for spec in case.faults:
        fault(**spec)
    if not case.alone:
        session.run("BEGIN")
    if case.before:
        session.run(case.before)
    answer = session.ask(case.sql)
    session.run(case.after if case.alone and case.after else "SELECT" if case.alone else "ROLLBACK")
    control("clear", b"")
    if case.faults:
        # a session that was throttled goes on slowly: forget that
        session.run("SELECT sagemaker_fdw_disconnect()")
    return answer


def version_of(session):
    return int(session.run("SHOW server_version_num")[0]) // 10000


def prepare(session):
    """What a reader has who has come as far as the front page leads, and two roles."""
    session.run("CREATE ROLE reader LOGIN; CREATE ROLE \"Data Team\"; CREATE SCHEMA aws; CREATE SCHEMA reports; "
                "CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', endpoint_url '%s', "
                "sts_endpoint_url '%s', pricing_endpoint_url '%s', max_attempts '2', connect_timeout '5');"
                "CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s); IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws; "
                "GRANT USAGE ON SCHEMA aws TO reader, \"Data Team\"; GRANT CREATE ON SCHEMA aws TO \"Data Team\"; "
                "GRANT SELECT ON aws.training_jobs TO reader, \"Data Team\"" % (URL, URL, URL, keys(*HISTORY)))
    control("config", {"request_id": "test-request"})


def answer_in_plain(listener):
    """What a port without TLS makes of a TLS handshake, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection, _address = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_listeners(tap, session, version):
    """A network that swallows what is sent to it, and a port without TLS."""
    fillers = full_listener()
    url = "http://127.0.0.1:%d" % fillers[0].getsockname()[1]
    case = Case("nobody answers", ONE, "08001", "could not connect to " + url, CALLED + ": ...", NETWORK,
                before=change("SET endpoint_url '%s', SET connect_timeout '0.2'" % url))
    judge(tap, case, version, *attempt(session, case))
    for filler in fillers:
        filler.close()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(10)
    thread = threading.Thread(target=answer_in_plain, args=(listener,))
    thread.start()
    url = "https://127.0.0.1:%d" % listener.getsockname()[1]
    case = Case("https to a port without TLS", ONE, "08001", "could not connect to " + url, CALLED + ": ...",
                'The endpoint must speak TLS 1.2 or later. Check the endpoint_url and the proxy_url of server "sm".',
                before=change("SET endpoint_url '%s'" % url))
    judge(tap, case, version, *attempt(session, case))
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


def test_kept(tap, session, version):
    """What goes wrong with a table that is kept."""
    session.run(REFRESH)
    for case in KEPT:
        judge(tap, case, version, *attempt(session, case))
    other = Session()
    fault(**silent(operation="ListTrainingJobs"))
    control("calls")
    other.send(REFRESH)
    wait_for(lambda: "ListTrainingJobs" in control("calls"), "another session refreshes")
    judge(tap, UNDER_WAY, version, *session.ask(UNDER_WAY.sql))
    session.run("SELECT pg_cancel_backend(%d)" % other.pid)
    tap.equal(other.receive()[1], "57014", "... which is the other session's")
    control("clear", b"")
    other.close()


class Installation:
    """A Postgres beside the one of PG_CONFIG, with files of its own for extensions: it finds them from where it is."""

    def __init__(self, directory):
        pg_config = os.environ.get("PG_CONFIG", "pg_config")
        real = {name: subprocess.run([pg_config, "--" + name], check=True, capture_output=True, encoding="utf-8").stdout.strip()
                for name in ("bindir", "pkglibdir", "sharedir")}
        self.include = subprocess.run([pg_config, "--includedir-server"], check=True, capture_output=True, encoding="utf-8").stdout.strip()
        common = os.path.commonpath(real.values())
        mine = {name: os.path.join(directory, os.path.relpath(path, common)) for name, path in real.items()}
        for path in mine.values():
            os.makedirs(path, exist_ok=True)
        for name in ("initdb", "pg_config", "postgres"):
            shutil.copy(os.path.join(real["bindir"], name), mine["bindir"])
        self.link(real["pkglibdir"], mine["pkglibdir"], "sagemaker_fdw.so")
        self.link(real["sharedir"], mine["sharedir"], "extension")
        self.extension = mine["sharedir"] + "/extension/"
        os.makedirs(self.extension)
        self.link(real["sharedir"] + "/extension", self.extension, "sagemaker_fdw")
        self.library = mine["pkglibdir"] + "/sagemaker_fdw.so"
        self.real_library = real["pkglibdir"] + "/sagemaker_fdw.so"
        self.real_extension = real["sharedir"] + "/extension/"
        self.pg_config = mine["bindir"] + "/pg_config"

    @staticmethod
    def link(folder, into, but):
        """Link to all files of a folder but those whose names begin so."""
        for name in os.listdir(folder):
            if not name.startswith(but) and not os.path.lexists(os.path.join(into, name)):
                os.symlink(os.path.join(folder, name), os.path.join(into, name))

    def install(self):
        """What make install does."""
        shutil.copy(self.real_library, self.library)
        for name in os.listdir(self.real_extension):
            if name.startswith("sagemaker_fdw"):
                shutil.copy(self.real_extension + name, self.extension)

    def upgrade(self):
        """The same with a next version: a library with one function more, and the script that makes it."""
        source = os.path.join(os.path.dirname(self.library), "newer.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(NEWER)
        shutil.copy(self.real_library, self.library + ".1")
        subprocess.run(["cc", "-shared", "-fPIC", "-I", self.include, "-o", self.library + ".new", source, "-Wl,--no-as-needed", self.library + ".1"],
                       check=True)
        os.replace(self.library + ".new", self.library)
        control_file = self.extension + "sagemaker_fdw.control"
        with open(control_file, encoding="utf-8") as file:
            old = file.read()
        with open(control_file, "w", encoding="utf-8") as file:
            file.write(re.sub(r"default_version = '.*'", "default_version = 'next'", old))
        version = re.search(r"default_version = '(.*)'", old).group(1)
        with open(self.extension + "sagemaker_fdw--%s--next.sql" % version, "w", encoding="utf-8") as file:
            file.write("CREATE FUNCTION @extschema@.sagemaker_fdw_newer() RETURNS integer AS 'MODULE_PATHNAME' LANGUAGE C;")


# All else the library has is found in the former one.
NEWER = """
#include "postgres.h"
#include "fmgr.h"
PG_MODULE_MAGIC;
extern PGDLLEXPORT Datum sagemaker_fdw_newer(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(sagemaker_fdw_newer);
Datum
sagemaker_fdw_newer(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(2);
}
"""


@contextlib.contextmanager
def installation():
    """A Postgres without the extension; this process's environment is afterwards what it was."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        place = Installation(directory)
        os.environ["PG_CONFIG"] = place.pg_config
        try:
            yield place
        finally:
            os.environ.clear()
            os.environ.update(before)


def test_installation(tap):
    """Files that are not there yet, and files that are replaced under open sessions."""
    with installation() as place:
        cluster = Cluster()
        try:
            cluster.start()
            session = Session()
            version = version_of(session)
            judge(tap, NO_FILES, version, *attempt(session, NO_FILES))
            place.install()
            session.run("CREATE EXTENSION sagemaker_fdw")
            tap.ok(True, "... and after it, in the same session")
            prepare(session)
            tap.equal(session.run(COUNT), ["300"], "a session loads the library")
            place.upgrade()
            for case in OLD_LIBRARY[:1]:
                judge(tap, case, version, *attempt(session, case))
            tap.equal(session.run(COUNT), ["300"], "... and works on with the old one")
            other = Session()
            other.run("ALTER EXTENSION sagemaker_fdw UPDATE")
            tap.equal(other.run("SELECT sagemaker_fdw_newer()"), ["2"], "a session that begins then upgrades, and has what is new")
            tap.equal(other.run(COUNT), ["300"], "... and reads the table")
            for case in OLD_LIBRARY[1:]:
                judge(tap, case, version, *attempt(session, case))
            tap.equal(session.run(COUNT), ["300"], "... and works on with the old one after the upgrade, too")
            other.close()
            session.close()
        finally:
            cluster.remove()


def test_preloaded_installation(tap):
    """A library that is preloaded is the postmaster's, until the server is started again."""
    with installation() as place:
        place.install()
        cluster = Cluster(["shared_preload_libraries=sagemaker_fdw"])
        try:
            cluster.start()
            session = Session()
            session.run("CREATE EXTENSION sagemaker_fdw")
            session.close()
            place.upgrade()
            session = Session()
            judge(tap, OLD_LIBRARY[0], version_of(session), *attempt(session, OLD_LIBRARY[0]))
            session.close()
            cluster.stop()
            cluster.start()
            session = Session()
            session.run("ALTER EXTENSION sagemaker_fdw UPDATE")
            tap.equal(session.run("SELECT sagemaker_fdw_newer()"), ["2"], "a library that is preloaded is replaced by a restart")
            session.close()
        finally:
            cluster.remove()


def as_pattern(words):
    """A regular expression for words with dots in place of what differs."""
    return ".+".join(re.escape(part) for part in words.split("..."))


def test_page(tap):
    """doc/problems.md quotes what the cases show."""
    cases = [*CASES, *KEPT, UNDER_WAY, NO_FILES, *OLD_LIBRARY]
    headings = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.M)
    quoted = {}
    for heading in headings:
        state = re.search(r"[(](\w{5})[)]$", heading)
        for words in re.findall(r'(?:^|, )"(.+?)"(?=$|, "| [(]\w{5}[)]$)', heading):
            quoted[words] = state and state.group(1)
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for words in re.findall(r'[(]"([^()]+)"[)]', text):
        quoted[words] = None
    tap.equal(sorted({case.page for case in cases if case.page} - set(quoted)), [], "the page has all that the cases name")
    for words, state in quoted.items():
        shown = [case for case in cases if case.page == words]
        tap.equal([case.title for case in shown if not re.search(as_pattern(words), "\n".join(case.said[:2])) or state not in (None, case.state)], [],
                  'the page quotes what is said: "%s"' % words)
        tap.ok(shown, "... which some case shows")


def test():
    tap = Tap()
    try:
        test_page(tap)
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            with cluster_session(LD_PRELOAD=preload(directory, "silent_resolver"), **NO_AMBIENT) as session:
                version = version_of(session)
                prepare(session)
                for case in CASES:
                    judge(tap, case, version, *attempt(session, case))
                test_listeners(tap, session, version)
                test_kept(tap, session, version)
                tap.equal(session.run(COUNT), ["300"], "and the session works on")
        test_installation(tap)
        test_preloaded_installation(tap)
    except Died as problem:
        tap.ok(False, "every session answers", problem)
    tap.end()


if __name__ == "__main__":
    test()
