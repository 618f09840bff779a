"""Tests of the local endpoint itself: writes TAP, and starts an endpoint of its own.

Requests are signed by botocore's signer and sent with http.client, so that
nothing of the code that the endpoint later tests takes part.
"""
import base64
import collections
import datetime
import decimal
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher

import generate
import prices

HISTORY = ("AKIDHISTORY000000001", "secret/of+the/history/account000000000001", None)
TEMPORARY = ("ASIDTEMPORARY0000001", "secret/of+the/temporary/keys/000000000001",
             "session-token/of+the/temporary/keys==")
GENERATED = ("AKIDGENERATED0000001", "secret/of+the/generated/account0000000001", None)
BULK = ("AKIDBULK000000000001", "secret/of+the/bulk/account00000000000001", None)
DENIED = ("AKIDDENIED0000000001", "secret/of+the/denied/account0000000000001", None)

BULK_JOBS = 1000
GENERATED_JOBS = 60
# The regression tests state values of the history: its bytes must not change by accident.
HISTORY_SHA256 = {
    "us-east-1": "604a5a369fc5be7c6e369fae9658496a972b1cd416cd388f6d44e72fb3721fc9",
    "eu-west-1": "351998a9ccb0a5b78a41cdaa5c9e8bc46d8cb6e97ccdee49e81308806a15645e",
}

# What AWS says of a wrong signature: the canonical headers' pattern, and the service.
MISMATCH = (r"The request signature we calculated does not match the signature you provided\. Check your AWS Secret Access Key and "
            r"signing method\. Consult the service documentation for details\.\n\nThe Canonical String for this request should have "
            r"been\n'POST\n/\n\n%s\n\n[a-z0-9;-]+\n[0-9a-f]{64}'\n\nThe String-to-Sign should have been\n"
            r"'AWS4-HMAC-SHA256\n\w+\n\d{8}/us-east-1/%s/aws4_request\n[0-9a-f]{64}'\n")

TESTS = []
service = None


def test(function):
    TESTS.append(function)
    return function


def equal(seen, wanted):
    if seen != wanted:
        raise AssertionError("saw %.2000r\nwanted %.2000r" % (seen, wanted))


class Answer:
    """A response: status, headers, body, and the body as JSON."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("__type")


class Endpoint:
    """The endpoint under test, as a child process."""

    def __init__(self, *options):
        self.directory = tempfile.mkdtemp(prefix="sagemaker-selftest-")
        self.ready = os.path.join(self.directory, "ready")
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "endpoint.py"), "--ready-file", self.ready,
             "--exit-with-parent", *options], stdin=subprocess.PIPE)
        began = time.monotonic()
        while not os.path.exists(self.ready):
            if self.process.poll() is not None or time.monotonic() > began + 30:
                raise RuntimeError("the endpoint did not start")
            time.sleep(0.01)
        with open(self.ready) as file:
            self.lines = file.read().split("\n")
        self.url = self.lines[0]
        self.kept = None

    def stop(self):
        """End of input; returns the exit status."""
        self.process.stdin.close()
        status = self.process.wait(timeout=30)
        shutil.rmtree(self.directory)
        return status

    def connect(self, tls=False):
        parts = urllib.parse.urlsplit(self.lines[1] if tls else self.url)
        if tls:
            return http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=20,
                context=ssl.create_default_context(cafile=self.lines[2]))
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)

    def signed(self, operation, members, keys=HISTORY, region="us-east-1", url=None, scope="sagemaker",
               shift_s=0, drop=(), prefix="SageMaker."):
        """(body, headers) of a request signed by botocore."""
        body = members if isinstance(members, bytes) else json.dumps(members).encode()
        url = url or self.url
        request = AWSRequest("POST", url + "/", data=body, headers={
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": prefix + operation,
            "Host": urllib.parse.urlsplit(url).netloc})
        for name in drop:
            del request.headers[name]
        signer = SigV4Auth(Credentials(*keys), scope, region)
        now = datetime.datetime.fromtimestamp(time.time() + shift_s, datetime.timezone.utc)
        request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Amz-Date"] = request.context["timestamp"]
        if keys[2]:
            request.headers["X-Amz-Security-Token"] = keys[2]
        text = signer.string_to_sign(request, signer.canonical_request(request))
        request.headers["Authorization"] = (
            "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (
                signer.scope(request), signer.signed_headers(signer.headers_to_sign(request)),
                signer.signature(text, request)))
        return body, dict(request.headers.items())

    def send(self, body, headers, connection=None):
        """The answer, over a kept connection unless one is given."""
        if connection is None:
            connection = self.kept = self.kept or self.connect()
        try:
            connection.request("POST", "/", body, headers)
            return Answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def call(self, operation, members, **how):
        connection = how.pop("connection", None)
        return self.send(*self.signed(operation, members, **how), connection=connection)

    def describe(self, name, **how):
        return self.call("DescribeTrainingJob", {"TrainingJobName": name}, **how)

    def control(self, method, what, body=None, **query):
        connection = self.connect()
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, "/_control/%s?%s" % (what, urllib.parse.urlencode(query)), body)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def counters(self):
        return self.control("GET", "counters").json

    def fault(self, **spec):
        equal(self.control("POST", "fault", spec).body, b"ok")

    def config(self, **settings):
        equal(self.control("POST", "config", settings).body, b"ok")

    def names(self, **query):
        return self.control("GET", "names", **query).json

    def pages(self, operation, members, into, **how):
        """All pages: a list of lists."""
        pages, members = [], dict(members)
        while True:
            answer = self.call(operation, members, **how)
            equal(answer.status, 200)
            pages.append(answer.json[into])
            if "NextToken" not in answer.json:
                return pages
            members["NextToken"] = answer.json["NextToken"]

    def listed(self, members, **how):
        return self.pages("ListTrainingJobs", members, "TrainingJobSummaries", **how)


def refused(answer, status, code, message):
    """An error with exactly this status and code, and a message that matches."""
    equal((answer.status, answer.code), (status, code))
    if not re.fullmatch(message, answer.json["message"], re.DOTALL):
        raise AssertionError("message %r, wanted %r" % (answer.json["message"], message))


def flat(pages):
    return [item for page in pages for item in page]


def names_of(pages):
    return [summary["TrainingJobName"] for summary in flat(pages)]


# -- signatures --------------------------------------------------------------

@test
def a_signed_request_is_answered_with_the_headers_of_the_service():
    answer = service.describe("pytorch-ads-0300")
    equal(answer.status, 200)
    equal(answer.json["TrainingJobName"], "pytorch-ads-0300")
    equal(answer.headers["Content-Type"], "application/x-amz-json-1.1")
    equal(answer.headers["x-amzn-RequestId"], "00000000-0000-4000-8000-000000000001")
    assert answer.headers["Date"].endswith(" GMT")


@test
def a_wrong_secret_is_refused():
    answer = service.describe("pytorch-ads-0300", keys=(HISTORY[0], HISTORY[1] + "x", None))
    refused(answer, 403, "InvalidSignatureException", MISMATCH % (
        r"content-type:application/x-amz-json-1\.1\nhost:\S+\nx-amz-date:\w+\nx-amz-target:SageMaker\.DescribeTrainingJob", "sagemaker"))


@test
def a_wrong_secret_with_a_session_token_is_told_the_token():
    token = "x-amz-security-token:" + re.escape(TEMPORARY[2])
    answer = service.describe("pytorch-ads-0300", keys=(TEMPORARY[0], "x", TEMPORARY[2]))
    refused(answer, 403, "InvalidSignatureException", MISMATCH % (r"content-type:.*\n%s\nx-amz-target:\S+" % token, "sagemaker"))
    message = client_failure(client("sts", (TEMPORARY[0], "x", TEMPORARY[2])).get_caller_identity)[1]
    if not re.fullmatch(MISMATCH % (r"content-type:.*\n%s" % token, "sts"), message, re.DOTALL):
        raise AssertionError(message)


@test
def a_request_can_be_quoted():
    service.fault(kind="echo", code="ValidationException", operation="DescribeTrainingJob", times=2, encoded=True)
    answer = service.describe("pytorch-ads-0300", keys=TEMPORARY)
    equal((answer.status, answer.code), (400, "ValidationException"))
    equal("x-amz-security-token: session-token%2Fof%2Bthe%2Ftemporary%2Fkeys%3D%3D; " in answer.json["message"], True)
    service.control("POST", "clear")
    service.fault(kind="echo", code="AccessDenied", operation="AssumeRoleWithWebIdentity")
    code, message = client_failure(client("sts").assume_role_with_web_identity, RoleArn=ROLE + "reader", RoleSessionName="me",
                                   WebIdentityToken="web-identity-token")
    equal((code, "&WebIdentityToken=web-identity-token" in message), ("AccessDenied", True))


@test
def a_changed_body_is_refused():
    body, headers = service.signed("DescribeTrainingJob", {"TrainingJobName": "pytorch-ads-0300"})
    answer = service.send(body.replace(b"0300", b"0301"), headers)
    equal((answer.status, answer.code), (403, "InvalidSignatureException"))


@test
def an_unknown_key_is_refused():
    refused(service.describe("x", keys=("AKIDNOBODY", "x", None)), 403, "UnrecognizedClientException",
            "The security token included in the request is invalid.")


@test
def an_unsigned_request_is_refused():
    body, headers = service.signed("DescribeTrainingJob", {"TrainingJobName": "x"})
    del headers["Authorization"]
    refused(service.send(body, headers), 403, "MissingAuthenticationTokenException",
            "Missing Authentication Token")
    refused(service.send(body, {**headers, "Authorization": "Bearer x"}), 400,
            "IncompleteSignatureException", "Authorization header requires .*")


@test
def temporary_keys_need_their_session_token():
    equal(service.describe("pytorch-ads-0300", keys=TEMPORARY).status, 200)
    for token in (None, "another"):
        refused(service.describe("pytorch-ads-0300", keys=TEMPORARY[:2] + (token,)), 403,
                "UnrecognizedClientException", "The security token included in the request is invalid.")
    refused(service.describe("pytorch-ads-0300", keys=HISTORY[:2] + ("unasked",)), 403,
            "UnrecognizedClientException", "The security token included in the request is invalid.")


@test
def headers_that_must_be_signed_are():
    for name in ("Content-Type", "X-Amz-Target"):
        body, headers = service.signed("DescribeTrainingJob", {"TrainingJobName": "x"}, drop=[name])
        headers.setdefault("Content-Type", "application/x-amz-json-1.1")
        headers.setdefault("X-Amz-Target", "SageMaker.DescribeTrainingJob")
        refused(service.send(body, headers), 403, "InvalidSignatureException",
                "'%s' must be a 'SignedHeader' in the AWS Authorization." % name.lower())


@test
def another_service_in_the_scope_is_refused():
    refused(service.describe("x", scope="s3"), 403, "InvalidSignatureException",
            "Credential should be scoped to correct service: 'sagemaker'.")


@test
def a_signature_holds_for_fifteen_minutes():
    equal(service.describe("pytorch-ads-0300", shift_s=-890).status, 200)
    equal(service.describe("pytorch-ads-0300", shift_s=890).status, 200)
    refused(service.describe("x", shift_s=-910), 403, "InvalidSignatureException",
            r"Signature expired: \w+ is now earlier than \w+ \(\w+ - 15 min.\)")
    refused(service.describe("x", shift_s=910), 403, "InvalidSignatureException",
            r"Signature not yet current: \w+ is still later than \w+ \(\w+ \+ 15 min.\)")


@test
def the_clock_can_be_put_forward():
    service.config(clock_offset_s=3600)
    answer = service.describe("pytorch-ads-0300")
    refused(answer, 403, "InvalidSignatureException", "Signature expired: .*")
    there = datetime.datetime.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
    ahead = there.replace(tzinfo=datetime.timezone.utc).timestamp() - time.time()
    assert 3595 < ahead < 3605, ahead
    equal(service.describe("pytorch-ads-0300", shift_s=3600).status, 200)


@test
def tls_is_trusted_by_its_own_ca_only():
    connection = service.connect(tls=True)
    equal(service.describe("pytorch-ads-0300", connection=connection, url=service.lines[1]).status, 200)
    connection.close()
    parts = urllib.parse.urlsplit(service.lines[1])
    stranger = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=20)
    try:
        stranger.connect()
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("trusted")


@test
def a_denied_account_is_denied_every_operation():
    for operation, members in (("DescribeTrainingJob", {"TrainingJobName": "x"}), ("ListTrainingJobs", {}),
                               ("Search", {"Resource": "TrainingJob"}), ("ListTags", {"ResourceArn": "arn:x"})):
        refused(service.call(operation, members, keys=DENIED), 400, "AccessDeniedException",
                "User: arn:aws:iam::456789012345:user/test is not authorized to perform: sagemaker:%s "
                "on resource: arn:aws:sagemaker:us-east-1:.*" % operation)


# -- DescribeTrainingJob --------------------------------------------------------

@test
def the_history_is_the_same_for_ever():
    for region, digest in HISTORY_SHA256.items():
        seen = hashlib.sha256()
        names = service.names(region=region)
        for name in names:
            seen.update(service.describe(name, region=region).body)
        equal((region, seen.hexdigest()), (region, digest))
    equal(len(service.names()), 300)
    equal(len(service.names(region="eu-west-1")), 40)
    equal(service.listed({}, region="ap-south-1"), [[]])


@test
def a_missing_job_is_not_found():
    refused(service.describe("no-such-job"), 400, "ValidationException", "Requested resource not found.")
    # the region of the scope decides
    refused(service.describe("pytorch-ads-0300", region="eu-west-1"), 400, "ValidationException",
            "Requested resource not found.")


@test
def an_impossible_name_breaks_a_constraint():
    pattern = re.escape("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
    refused(service.describe("under_score"), 400, "ValidationException",
            "1 validation error detected: Value 'under_score' at 'trainingJobName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: " + pattern)
    refused(service.describe("a" + "--a" * 21), 400, "ValidationException", "1 validation error detected: "
            "Value '.*' at 'trainingJobName' failed to satisfy constraint: Member must have length less "
            "than or equal to 63")
    refused(service.call("DescribeTrainingJob", {}), 400, "ValidationException", "1 validation error "
            "detected: Value null at 'trainingJobName' failed to satisfy constraint: Member must not be null")
    refused(service.describe(7), 400, "SerializationException", "int can not be converted to a string: .*")
    refused(service.call("DescribeTrainingJob", b"no JSON"), 400, "SerializationException", ".*")
    refused(service.call("DescribeTrainingJob", []), 400, "SerializationException", ".*")


@test
def an_unknown_operation_is_refused():
    refused(service.call("CreateTrainingJob", {}), 404, "UnknownOperationException", ".*")


# -- generated documents ---------------------------------------------------------

def check_generated(spec, value, path):
    """Whether a value is one that the model allows (integers: of its size)."""
    kind = spec["type"]
    if kind == "structure":
        absent = set(spec["members"]) - set(value)
        assert absent in (map(set, generate.ABSENT) if path == "ResourceConfig" else [set()]), (path, absent)
        for name in value:
            check_generated(spec["members"][name], value[name], path + "." + name)
    elif kind == "list":
        assert value, path
        for member in value:
            check_generated(spec["member"], member, path)
    elif kind == "map":
        assert value, path
        for name, member in value.items():
            check_generated(spec["key"], name, path)
            check_generated(spec["value"], member, path)
    elif kind == "string":
        length = len(value.encode("utf-16-le", "surrogatepass")) // 2
        assert spec.get("min", 0) <= length <= spec.get("max", length), (path, length)
        pattern = spec.get("pattern", ".*").replace(r"\p{Alnum}", "a-zA-Z0-9")
        assert re.fullmatch(pattern, value, re.DOTALL), (path, value)
        assert "enum" not in spec or value in spec["enum"], (path, value)
    elif kind == "timestamp":
        assert type(value) in (int, float) and 0 <= value < 4102444800, (path, value)
    elif kind == "float":
        assert type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"), (path, value)
    elif kind == "boolean":
        assert type(value) is bool, (path, value)
    else:
        bits = {"integer": 31, "long": 63}[kind]
        assert type(value) is int and -2**bits <= value < 2**bits, (path, value)


@test
def generated_documents_have_every_member_of_the_model():
    names = service.names(account="210987654321")
    equal(len(names), GENERATED_JOBS)
    everything = b""
    for name in names:
        document = service.describe(name, keys=GENERATED)
        everything += document.body
        members = document.json
        equal(len(members), 50)
        equal(len(members["HyperParameters"]), 100)
        for spec in generate.load_model()["describe"]:
            check_generated(spec, members[spec["attribute"]], spec["attribute"])
    for piece in ("😀".encode(), rb"\ud83d\ude00", rb"\"", rb"\\", rb"\u0000", rb"\ud800x", rb"\/", b"\xc3\xa9",
                  rb"\u00e9", b"-2147483648", b"2147483647", b"-9223372036854775808", b"9223372036854775807",
                  b'"NaN"', b'"-Infinity"', b"5e-324", b"e+9", b"\n  "):
        assert piece in everything, piece
    longest = max(len(value) for value in service.describe(names[0], keys=GENERATED).json[
        "HyperParameters"].values())
    assert longest > 2400, longest


@test
def generated_documents_depend_on_seed_and_number_alone():
    for index in (0, 7):
        name, document = generate.Generator("1", index, "210987654321", "us-east-1").document()
        equal(service.describe(name, keys=GENERATED).body, document)
    assert generate.Generator("2", 7, "210987654321", "us-east-1").document()[1] != document


@test
def generated_jobs_can_be_listed_and_searched():
    summaries = flat(service.listed({"MaxResults": 100, "SortBy": "CreationTime"}, keys=GENERATED))
    equal(len(summaries), GENERATED_JOBS)
    found = flat(service.pages("Search", {"Resource": "TrainingJob", "MaxResults": 20}, "Results",
                               keys=GENERATED))
    equal(len(found), GENERATED_JOBS)
    document = service.describe(summaries[0]["TrainingJobName"], keys=GENERATED).json
    for name, value in summaries[0].items():
        equal(value, document[name])


# -- ListTrainingJobs ---------------------------------------------------------------

@test
def a_page_is_ten_jobs_newest_first_unless_asked_otherwise():
    pages = service.listed({})
    equal([len(page) for page in pages], [10] * 30)
    equal(names_of(pages), service.names())
    equal([len(page) for page in service.listed({"MaxResults": 100})], [100, 100, 100])
    equal(names_of(service.listed({"MaxResults": 99, "SortBy": "CreationTime", "SortOrder": "Ascending"})),
          service.names()[::-1])


@test
def summaries_have_the_members_of_the_list_alone():
    members = set(generate.load_model()["list_summary"])
    for summary in flat(service.listed({"MaxResults": 100})):
        assert set(summary) <= members, set(summary) - members
        document = service.describe(summary["TrainingJobName"]).json
        equal(summary, {key: document[key] for key in document if key in members})


@test
def numbers_of_a_summary_are_written_as_in_the_document():
    body = service.describe("pytorch-vision-0299").body
    written = re.search(rb'"CreationTime": ([^,]+),', body)[1]
    page = service.call("ListTrainingJobs", {"NameContains": "pytorch-vision-0299", "MaxResults": 100}).body
    assert b'"CreationTime": ' + written in page, written


@test
def bounds_of_max_results():
    refused(service.call("ListTrainingJobs", {"MaxResults": 101}), 400, "ValidationException",
            "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 100")
    refused(service.call("ListTrainingJobs", {"MaxResults": 0, "SortOrder": "Up"}), 400,
            "ValidationException", "2 validation errors detected: Value '0' at 'maxResults' failed to "
            "satisfy constraint: Member must have value greater than or equal to 1; Value 'Up' at "
            r"'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: \[Ascending, "
            r"Descending\]")
    for members in ({"MaxResults": "5"}, {"CreationTimeAfter": "2025-01-01"}, {"Colour": "red"}):
        refused(service.call("ListTrainingJobs", members), 400, "SerializationException", ".*")
    refused(service.call("ListTrainingJobs", {"NameContains": "a_b"}), 400, "ValidationException", ".*")


@test
def creation_time_cuts_the_walk():
    newest = flat(service.listed({"MaxResults": 100}))
    bound = int(newest[24]["CreationTime"])
    pages = service.listed({"CreationTimeAfter": bound})
    equal([len(page) for page in pages], [10, 10, 5])
    equal(flat(pages), newest[:25])
    pages = service.listed({"CreationTimeBefore": bound, "MaxResults": 100})
    equal([len(page) for page in pages], [100, 100, 75])
    equal(flat(pages), newest[25:])


@test
def bounds_of_time_can_be_exclusive():
    whole = next(s for s in flat(service.listed({"MaxResults": 100})) if isinstance(s["CreationTime"], int))
    exactly = {"CreationTimeAfter": whole["CreationTime"], "CreationTimeBefore": whole["CreationTime"]}
    equal(flat(service.listed(exactly)), [whole])
    service.config(exclusive_bounds=True)
    equal(flat(service.listed(exactly)), [])


@test
def other_conditions_are_applied_after_paging():
    every = flat(service.listed({"MaxResults": 100}))
    bound = int(sorted(summary["LastModifiedTime"] for summary in every)[150])
    for members, kept in (
            ({"StatusEquals": "Failed"}, lambda s: s["TrainingJobStatus"] == "Failed"),
            ({"NameContains": "search"}, lambda s: "search" in s["TrainingJobName"]),
            ({"LastModifiedTimeAfter": bound}, lambda s: s["LastModifiedTime"] >= bound),
            ({"LastModifiedTimeBefore": bound}, lambda s: s["LastModifiedTime"] <= bound),
            ({"WarmPoolStatusEquals": "Reused"},
             lambda s: s.get("WarmPoolStatus", {}).get("Status") == "Reused")):
        pages = service.listed(members)
        equal(len(pages), 30)
        equal(flat(pages), [summary for summary in every if kept(summary)])
        assert 0 < len(flat(pages)) < 300, members
    # a page without a job, and yet with a token
    pages = service.listed({"NameContains": "0001"})
    equal([len(page) for page in pages], [0] * 29 + [1])


@test
def name_contains_knows_case_unless_told_otherwise():
    equal(flat(service.listed({"NameContains": "PyTorch-Ads-0300"})), [])
    service.config(name_contains_any_case=True)
    equal(names_of(service.listed({"NameContains": "PyTorch-Ads-0300"})), ["pytorch-ads-0300"])


@test
def a_token_is_bound_to_its_request():
    token = service.call("ListTrainingJobs", {"MaxResults": 5}).json["NextToken"]
    equal(service.call("ListTrainingJobs", {"MaxResults": 7, "NextToken": token}).json[
        "TrainingJobSummaries"][0]["TrainingJobName"], service.names()[5])
    refused(service.call("ListTrainingJobs", {"StatusEquals": "Failed", "NextToken": token}), 400,
            "ValidationException", "Invalid NextToken.*")
    refused(service.call("ListTrainingJobs", {"NextToken": "rubbish"}), 400, "ValidationException",
            "Invalid NextToken.")


@test
def jobs_that_come_and_go_neither_hide_nor_repeat_others():
    names = service.names()
    first = service.call("ListTrainingJobs", {"MaxResults": 100}).json
    for name in names[:3]:
        service.control("POST", "delete", name=name)
    service.control("POST", "document", {"TrainingJobName": "newest", "CreationTime": 1900000000}, name="newest")
    second = service.call("ListTrainingJobs", {"MaxResults": 100, "NextToken": first["NextToken"]}).json
    equal([summary["TrainingJobName"] for summary in second["TrainingJobSummaries"]], names[100:200])
    equal(names_of(service.listed({"MaxResults": 10}))[:2], ["newest", names[3]])


@test
def pages_can_overlap():
    service.config(page_overlap=2)
    pages = service.listed({"MaxResults": 100})
    equal(names_of(pages)[98:102], [service.names()[i] for i in (98, 99, 98, 99)])


@test
def sorting_by_name_and_by_status():
    equal(names_of(service.listed({"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 100})),
          sorted(service.names()))
    statuses = [summary["TrainingJobStatus"] for summary in flat(service.listed(
        {"SortBy": "Status", "SortOrder": "Descending", "MaxResults": 100}))]
    equal(statuses, sorted(statuses, reverse=True))


# -- tuning jobs, Search, tags ---------------------------------------------------------

@test
def children_of_a_tuning_job_are_listed():
    documents = [service.describe(name).json for name in service.names()]
    children = [d for d in documents if d.get("TuningJobArn", "").endswith("/tune-ads")][::-1]
    pages = service.pages("ListTrainingJobsForHyperParameterTuningJob",
                          {"HyperParameterTuningJobName": "tune-ads", "MaxResults": 3}, "TrainingJobSummaries")
    equal(names_of(pages), [child["TrainingJobName"] for child in children])
    assert len(children) > 3
    members = set(generate.load_model()["list_for_tuning_job_summary"])
    for summary, child in zip(flat(pages), children):
        assert set(summary) <= members, summary
        equal(summary["TrainingJobArn"], child["TrainingJobArn"])
        equal(summary["TunedHyperParameters"]["max_depth"], child["HyperParameters"]["max_depth"])
    refused(service.call("ListTrainingJobsForHyperParameterTuningJob",
                         {"HyperParameterTuningJobName": "nobody"}), 400, "ResourceNotFound", ".*")


def searched(*filters, **more):
    members = {"Resource": "TrainingJob", "MaxResults": 100, **more}
    if filters:
        members["SearchExpression"] = {"Filters": [dict(zip(("Name", "Operator", "Value"), each))
                                                   for each in filters]}
    return [result["TrainingJob"] for result in flat(service.pages("Search", members, "Results"))]


@test
def search_returns_documents_with_tags_and_without_ten_attributes():
    records = searched(SortBy="CreationTime")
    equal([record["TrainingJobName"] for record in records], service.names())
    lacking = {a["attribute"] for a in generate.load_model()["describe"] if not a["in_search"]}
    equal(len(lacking), 10)
    for record in records:
        tags = record.pop("Tags")
        document = service.describe(record["TrainingJobName"]).json
        equal(record, {key: document[key] for key in document if key not in lacking})
        equal(tags[0]["Key"], "team")
    modified = [record["LastModifiedTime"] for record in searched()]
    equal(modified, sorted(modified, reverse=True))
    equal(len(service.call("Search", {"Resource": "TrainingJob"}).json["Results"]), 10)
    equal(service.call("Search", {"Resource": "TrainingJob"}).json["TotalHits"],
          {"Value": 300, "Relation": "EqualTo"})


@test
def search_filters():
    every = searched(SortBy="CreationTime")
    at = "2025-05-01T00:00:00"
    second = int(datetime.datetime(2025, 5, 1, tzinfo=datetime.timezone.utc).timestamp())
    learning_rate = every[5]["HyperParameters"]["learning_rate"]
    for filters, kept in (
            ([("TrainingJobStatus", "Equals", "Failed")], lambda r: r["TrainingJobStatus"] == "Failed"),
            ([("TrainingJobStatus", "NotEquals", "Failed")], lambda r: r["TrainingJobStatus"] != "Failed"),
            ([("TrainingJobStatus", "In", "Failed,Stopped")],
             lambda r: r["TrainingJobStatus"] in ("Failed", "Stopped")),
            ([("TrainingJobName", "Contains", "vision")], lambda r: "vision" in r["TrainingJobName"]),
            ([("TuningJobArn", "Exists")], lambda r: "TuningJobArn" in r),
            ([("TuningJobArn", "NotExists")], lambda r: "TuningJobArn" not in r),
            ([("CreationTime", "GreaterThanOrEqualTo", at)], lambda r: r["CreationTime"] >= second),
            ([("CreationTime", "LessThan", at)], lambda r: r["CreationTime"] < second),
            ([("BillableTimeInSeconds", "GreaterThan", "10000")],
             lambda r: r.get("BillableTimeInSeconds", 0) > 10000),
            ([("EnableManagedSpotTraining", "Equals", "true")], lambda r: r["EnableManagedSpotTraining"]),
            ([("ResourceConfig.InstanceType", "Equals", "ml.m5.large")],
             lambda r: r["ResourceConfig"].get("InstanceType") == "ml.m5.large"),
            ([("HyperParameters.learning_rate", "Equals", learning_rate)],
             lambda r: r["HyperParameters"]["learning_rate"] == learning_rate),
            ([("HyperParameters.note.with.dots", "Equals", "1598463412")], lambda r: True),
            ([("Tags.team", "Equals", "ads"), ("TrainingJobStatus", "Equals", "Failed")],
             lambda r: r["Tags"][0]["Value"] == "ads" and r["TrainingJobStatus"] == "Failed")):
        seen = searched(*filters, SortBy="CreationTime")
        equal((filters, seen), (filters, [record for record in every if kept(record)]))
        assert seen, filters
    either = {"Resource": "TrainingJob", "MaxResults": 100, "SearchExpression": {"Operator": "Or", "SubExpressions": [
        {"Filters": [{"Name": "TrainingJobStatus", "Value": "Failed"}]},
        {"Filters": [{"Name": "TrainingJobStatus", "Value": "Stopped"}]}]}}
    equal(service.call("Search", either).json["TotalHits"]["Value"],
          sum(record["TrainingJobStatus"] in ("Failed", "Stopped") for record in every))


@test
def search_refuses_what_the_service_refuses():
    def search(*filters, **more):
        return service.call("Search", {"Resource": "TrainingJob", "SearchExpression": {
            "Filters": list(filters)}, **more})
    status = {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"}
    name = {"Name": "TrainingJobName", "Operator": "Contains", "Value": "a"}
    equal(search(*[status] * 20).status, 200)
    for answer in (search(), search(*[status] * 21), search(name, name), search({**status, "Operator": "Like"}),
                   search({**status, "Name": "Colour"}), search({**status, "Operator": "Exists"}),
                   search({"Name": "CreationTime", "Operator": "GreaterThan", "Value": "1751284800"}),
                   search({"Name": "BillableTimeInSeconds", "Operator": "GreaterThan", "Value": "many"}),
                   search(status, MaxResults=101), search(status, SortBy="Colour"), search(status, Resource="Endpoint"),
                   service.call("Search", {})):
        equal((answer.status, answer.code), (400, "ValidationException"))
    equal(search({**status, "Value": 7}).code, "SerializationException")


def by_names(*lists, **more):
    """The records of jobs that a request with filters of names finds, each a list."""
    members = {"Resource": "TrainingJob", "MaxResults": 100, "SearchExpression": {"Operator": "Or", "Filters": [
        {"Name": "TrainingJobName", "Operator": "In", "Value": ",".join(names)} for names in lists]}}
    keys = more.pop("keys", HISTORY)
    return [result["TrainingJob"] for result in flat(service.pages("Search", {**members, **more}, "Results", keys=keys))]


def named(records):
    return [record["TrainingJobName"] for record in records]


@test
def search_finds_jobs_by_lists_of_their_names():
    names = service.names()
    equal(named(by_names(names[:30], names[40:70], names[295:] + ["no-such-job"], SortBy="CreationTime")),
          names[:30] + names[40:70] + names[295:])
    equal(len(by_names(*[[name] for name in names[:20]], MaxResults=7)), 20)
    narrowed = searched(("TrainingJobName", "In", ",".join(names[:20])), ("TrainingJobStatus", "Equals", "Failed"))
    equal({record["TrainingJobStatus"] for record in narrowed}, {"Failed"})
    assert 0 < len(narrowed) < 20, named(narrowed)
    one = {"Name": "TrainingJobName", "Operator": "In", "Value": "x" * 1024}
    for more, filters in (("", 20), ("x", 1), ("", 21)):
        answer = service.call("Search", {"Resource": "TrainingJob", "SearchExpression": {
            "Operator": "Or", "Filters": [{**one, "Value": one["Value"] + more}] * filters}})
        equal((len(more), filters, answer.status), (len(more), filters, 400 if more or filters > 20 else 200))
    bulk = ["bulk-%06d" % index for index in range(7, BULK_JOBS, 10)]
    equal(named(by_names(bulk[:50], bulk[50:], keys=BULK, SortBy="CreationTime")), bulk)


@test
def search_need_not_know_in():
    service.config(search_in=False)
    name = {"Name": "TrainingJobName", "Operator": "In", "Value": "pytorch-ads-0300"}
    search = lambda condition: service.call("Search", {"Resource": "TrainingJob", "SearchExpression": {"Filters": [condition]}})
    refused(search(name), 400, "ValidationException", "1 validation error detected: Value 'In' at .*")
    equal(search({**name, "Operator": "Equals"}).status, 200)


@test
def search_may_be_late():
    names = service.names()
    at_once = searched(SortBy="CreationTime")
    document = service.describe(names[5]).json
    service.control("POST", "document", {**document, "FailureReason": "changed"}, name=names[5])
    service.control("POST", "document", {**document, "TrainingJobName": "new"}, name="new")
    service.control("POST", "delete", name=names[6])
    service.control("POST", "document", {**document, "TrainingJobName": names[6], "RoleArn": "again"}, name=names[6])
    service.control("POST", "delete", name=names[7])
    for change in (1, 2):
        service.control("POST", "document", {**document, "TrainingJobName": names[8], "RoleArn": str(change)}, name=names[8])
    service.config(search_late_s=600)
    equal(searched(SortBy="CreationTime"), at_once)
    equal(by_names(names[5:9], ["new"], SortBy="CreationTime"), at_once[5:9])
    service.config(clock_offset_s=601)
    members = {"Resource": "TrainingJob", "MaxResults": 100, "SortBy": "CreationTime"}
    now = [result["TrainingJob"] for result in flat(service.pages("Search", members, "Results", shift_s=601))]
    equal(sorted(named(now)), sorted([*names[:7], *names[8:], "new"]))
    changed = {record["TrainingJobName"]: record for record in now}
    equal([changed[names[5]]["FailureReason"], changed[names[6]]["RoleArn"], changed[names[8]]["RoleArn"]], ["changed", "again", "2"])
    # those of the start came when they changed last
    service.config(clock_offset_s=0, search_late_s=int(time.time()) - 1751284800 + 30 * 86400)
    older = named(searched())
    equal(set(older), {record["TrainingJobName"] for record in at_once if record["LastModifiedTime"] <= 1751284800 - 30 * 86400 + 1})
    assert 0 < len(older) < 300, len(older)
    equal([len(by_names(["bulk-%06d" % index for index in range(1, 81)], keys=BULK)), len(by_names(["bulk-000999"], keys=BULK))], [0, 0])


def ruled(*rules, name="pytorch-ads-0300"):
    """The records of a job under rules."""
    service.config(search_records=list(rules))
    return searched(("TrainingJobName", "Equals", name))


@test
def records_differ_as_rules_say():
    name = next(record["TrainingJobName"] for record in searched() if record["TrainingJobStatus"] == "Completed" and
                not float(record["CreationTime"]).is_integer())
    [right] = ruled(name=name)
    equal(ruled({"kind": "missing"}, name=name), [])
    equal(ruled({"kind": "without", "attributes": ["RoleArn", "Tags"]}, name=name),
          [{key: value for key, value in right.items() if key not in ("RoleArn", "Tags")}])
    equal(ruled({"kind": "other", "members": {"RoleArn": "x", "BillableTimeInSeconds": 7, "Tags": []}}, name=name),
          [{**right, "RoleArn": "x", "BillableTimeInSeconds": 7, "Tags": []}])
    equal(ruled({"kind": "made_again"}, name=name), [{**right, "CreationTime": right["CreationTime"] - 86400}])
    [older] = ruled({"kind": "older"}, name=name)
    equal([older["TrainingJobStatus"], older["SecondaryStatus"], older["LastModifiedTime"], "TrainingEndTime" in older,
           older["SecondaryStatusTransitions"][-1]["Status"], older["RoleArn"]],
          ["InProgress", "Training", right["TrainingStartTime"], False, "Training", right["RoleArn"]])
    equal(ruled({"kind": "older", "keep": ["LastModifiedTime", "TrainingEndTime"]}, name=name),
          [{**older, "LastModifiedTime": right["LastModifiedTime"], "TrainingEndTime": right["TrainingEndTime"]}])
    equal(ruled({"kind": "twice"}, name=name), [older, right])
    equal(ruled({"kind": "twice", "newer_first": True}, name=name), [right, older])
    equal(ruled({"kind": "large", "bytes": 1000}, name=name), [{**right, "Padding": "x" * 1000}])
    [lower] = ruled({"kind": "lower_case", "attributes": ["TrainingJobStatus", "AlgorithmSpecification"]}, name=name)
    equal([lower["TrainingJobStatus"], lower["AlgorithmSpecification"]["TrainingInputMode"], lower["SecondaryStatus"]],
          ["completed", right["AlgorithmSpecification"]["TrainingInputMode"].lower(), "Completed"])
    [lower] = ruled({"kind": "lower_case"}, name=name)
    equal([lower["SecondaryStatus"], lower["CreationTime"], lower["TrainingJobArn"]],
          ["completed", right["CreationTime"], right["TrainingJobArn"]])
    [whole] = ruled({"kind": "whole_seconds"}, name=name)
    equal([whole["CreationTime"], whole["SecondaryStatusTransitions"][0]["EndTime"], whole["FinalMetricDataList"][0]["Value"],
           whole["HyperParameters"]],
          [int(right["CreationTime"]), int(right["SecondaryStatusTransitions"][0]["EndTime"]),
           right["FinalMetricDataList"][0]["Value"], right["HyperParameters"]])
    [whole] = ruled({"kind": "whole_seconds", "attributes": ["CreationTime"]}, name=name)
    equal([whole["CreationTime"], whole["TrainingStartTime"]], [int(right["CreationTime"]), right["TrainingStartTime"]])
    service.control("POST", "document", {**service.describe(name).json, "HyperParameters": {"Depth": "A"}}, name=name)
    equal(ruled({"kind": "lower_case_keys"}, name=name)[0]["HyperParameters"], {"depth": "A"})
    # several
    equal(ruled({"kind": "twice"}, {"kind": "without", "attributes": list(right.keys() - {"RoleArn"})}, name=name),
          [{"RoleArn": right["RoleArn"]}] * 2)


@test
def rules_choose_records():
    names = service.names()
    service.config(search_records=[{"kind": "missing", "every": 20}])
    lost = set(names) - set(named(searched()))
    assert 5 < len(lost) < 30, len(lost)
    equal(set(names) - set(named(searched())), lost)
    service.config(search_records=[{"kind": "missing", "job": names[3], "skip": 1, "times": 2}])
    equal([len(searched()) for _ in range(5)], [300, 299, 299, 300, 300])
    service.config(search_records=[{"kind": "missing", "probability": 0.5}])
    assert 100 < len(searched()) < 200
    for rules in ([{"kind": "nonsense"}], [{"kind": "without"}], [7]):
        equal(service.control("POST", "config", {"search_records": rules}).status, 400)


@test
def pages_of_search_may_be_odd():
    names = service.names()
    service.config(search_unasked=3)
    members = {"Resource": "TrainingJob", "MaxResults": 100, "SortBy": "CreationTime"}
    found = lambda: [result["TrainingJob"]["TrainingJobName"] for result in service.call("Search", members).json["Results"]]
    equal(found(), names[100:103] + names[:100])
    equal(named(by_names([names[7]])), names[:3] + [names[7]])
    service.config(search_unasked=0, search_order="reversed")
    equal(found(), names[99::-1])
    service.config(search_order="shuffled")
    equal((found() == names[:100], sorted(found())), (False, sorted(names[:100])))
    service.config(search_order=None, search_page=30)
    equal(found(), names[:30])
    equal(len(flat(service.pages("Search", members, "Results"))), 300)


@test
def jobs_change_at_a_call():
    names = service.names()
    service.fault(kind="change", operation="Search", documents={names[2]: None, names[3]: None})
    service.fault(kind="change", operation="ListTrainingJobs", documents={"new": {"TrainingJobName": "new", "CreationTime": 7}})
    equal(len(by_names(names[:5])), 3)
    equal(service.describe(names[3]).code, "ValidationException")
    equal(service.describe("new").code, "ValidationException")
    equal(names_of(service.listed({"MaxResults": 100}))[-1], "new")
    equal(service.describe("new").json["CreationTime"], 7)


@test
def tags_of_a_job():
    name = service.names()[3]
    arn = service.describe(name).json["TrainingJobArn"]
    tags = service.call("ListTags", {"ResourceArn": arn}).json
    equal(sorted(tags), ["Tags"])
    equal({tag["Key"] for tag in tags["Tags"]} >= {"team", "cost-center"}, True)
    service.config(list_tags_page=1)
    equal(flat(service.pages("ListTags", {"ResourceArn": arn}, "Tags")), tags["Tags"])
    for wrong in (arn + "x", arn.replace("us-east-1", "eu-west-1"), arn.upper()):
        equal(service.call("ListTags", {"ResourceArn": wrong}).code, "ValidationException")


# -- the bulk account --------------------------------------------------------------------

@test
def bulk_jobs_are_consistent():
    summaries = flat(service.listed({"MaxResults": 100}, keys=BULK))
    equal([summary["TrainingJobName"] for summary in summaries],
          ["bulk-%06d" % i for i in range(1, BULK_JOBS + 1)])
    records = [result["TrainingJob"] for result in flat(service.pages(
        "Search", {"Resource": "TrainingJob", "SortBy": "CreationTime", "MaxResults": 100}, "Results", keys=BULK))]
    equal(len(records), BULK_JOBS)
    sizes = set()
    for summary, record in list(zip(summaries, records))[::97]:
        answer = service.describe(summary["TrainingJobName"], keys=BULK)
        sizes.add(len(answer.body) // 1000)
        equal(summary, {key: value for key, value in answer.json.items() if key in summary})
        equal(record.pop("Tags"), [{"Key": "team", "Value": "bulk"}])
        equal(record, {key: value for key, value in answer.json.items() if key in record})
    equal(sizes, {10, 11})
    bound = int(summaries[99]["CreationTime"])
    equal(flat(service.listed({"MaxResults": 100, "CreationTimeAfter": bound}, keys=BULK)), summaries[:100])
    for name in ("bulk-000000", "bulk-001001", "bulk-1"):
        equal(service.describe(name, keys=BULK).code, "ValidationException")


@test
def bulk_jobs_may_all_have_ended_or_some_of_them_be_running():
    for percent in (0, 5, 7, 0, None):
        service.config(bulk_running=percent)
        listed = flat(service.listed({"MaxResults": 100}, keys=BULK))
        lists = [["bulk-%06d" % index for index in range(begin, begin + 50)] for begin in (1, 51)]
        found = by_names(*lists, keys=BULK, SortBy="CreationTime")
        for summary, record in zip(listed, found):
            document = service.describe(summary["TrainingJobName"], keys=BULK).json
            equal(summary, {key: value for key, value in document.items() if key in summary})
            equal({key: value for key, value in record.items() if key != "Tags"},
                  {key: value for key, value in document.items() if key in record})
        if percent is None:
            continue
        running = [summary["TrainingJobStatus"] not in ("Completed", "Failed", "Stopped") for summary in listed]
        equal([sum(running[begin:begin + 100]) for begin in range(0, BULK_JOBS, 100)], [percent] * (BULK_JOBS // 100))
        equal({summary.get("WarmPoolStatus", {}).get("Status") for summary in listed} <= {None, "Terminated", "Reused"}, True)


# -- where credentials come from -----------------------------------------------------------

ROLE = "arn:aws:iam::345678901234:role/"


def client(name, keys=HISTORY, tls=False, region="us-east-1"):
    """One of botocore's own clients."""
    return Session().create_client(
        name, region, endpoint_url=service.lines[1] if tls else service.url,
        verify=service.lines[2] if tls else None, aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
        aws_session_token=keys[2], config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))


def client_failure(function, **arguments):
    """The code and the message of the error that a call of botocore's ends in."""
    try:
        function(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("no error")


def client_error(function, **arguments):
    return client_failure(function, **arguments)[0]


def issued_keys(credentials):
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


@test
def a_role_is_assumed_and_its_keys_work():
    for tls in (False, True):
        answer = client("sts", tls=tls).assume_role(RoleArn=ROLE + "reader", RoleSessionName="me", DurationSeconds=900)
        equal(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::345678901234:assumed-role/reader/me")
        keys = issued_keys(answer["Credentials"])
        equal(service.call("ListTrainingJobs", {"MaxResults": 1}, keys=keys).json["TrainingJobSummaries"][0]["TrainingJobName"],
              "bulk-000001")
        equal(client("sts", keys).get_caller_identity()["Account"], "345678901234")
    equal(service.control("GET", "issued").json[0], {
        "by": "AssumeRole", "access_key_id": "ASIAISSUED0000000001", "role_arn": ROLE + "reader", "session_name": "me",
        "external_id": None, "duration_seconds": 900, "requested_by": HISTORY[0]})
    equal(service.counters()["credentials"], {"AssumeRole": 2, "GetCallerIdentity": 2})
    equal(service.counters()["calls"], {"ListTrainingJobs": 2})


@test
def roles_are_refused_as_sts_does():
    assume = client("sts").assume_role
    equal(client_error(assume, RoleArn=ROLE + "denied", RoleSessionName="me"), "AccessDenied")
    equal(client_error(assume, RoleArn=ROLE + "external", RoleSessionName="me"), "AccessDenied")
    assume(RoleArn=ROLE + "external", RoleSessionName="me", ExternalId="the-external-id")
    equal(client_error(assume, RoleArn="arn:aws:iam::345678901234:user/somebody", RoleSessionName="me"), "ValidationError")
    equal(client_error(assume, RoleArn=ROLE + "x", RoleSessionName="not me"), "ValidationError")
    equal(client_error(assume, RoleArn=ROLE + "x", RoleSessionName="me", DurationSeconds=899), "ValidationError")
    equal(client_error(assume, RoleArn=ROLE + "x", RoleSessionName="me", SerialNumber="arn:aws:iam::1:mfa/me"),
          "ValidationError")
    equal(client_error(client("sts", DENIED).assume_role, RoleArn=ROLE + "x", RoleSessionName="me"), "AccessDenied")
    equal(client_error(client("sts", ("AKIDNOBODY", "x", None)).get_caller_identity), "InvalidClientTokenId")
    equal(client_error(client("sts", (HISTORY[0], "x", None)).get_caller_identity), "SignatureDoesNotMatch")
    equal(client_error(client("sts").get_session_token), "InvalidAction")


@test
def a_web_identity_assumes_a_role():
    assume = client("sts").assume_role_with_web_identity
    answer = assume(RoleArn=ROLE + "reader", RoleSessionName="me", WebIdentityToken="web-identity-token")
    equal(service.call("ListTrainingJobs", {}, keys=issued_keys(answer["Credentials"])).status, 200)
    equal(client_error(assume, RoleArn=ROLE + "reader", RoleSessionName="me", WebIdentityToken="another"),
          "InvalidIdentityToken")


@test
def the_instance_and_the_container_give_credentials():
    fetched = InstanceMetadataFetcher(base_url=service.url + "/", num_attempts=1).retrieve_iam_role_credentials()
    equal(service.call("ListTrainingJobs", {}, keys=(fetched["access_key"], fetched["secret_key"], fetched["token"])).status,
          200)
    equal(fetched["role_name"], "instance-role")
    container = ContainerMetadataFetcher()
    fetched = container.retrieve_full_uri(service.url + "/v2/credentials/task")
    equal(service.call("ListTrainingJobs", {}, keys=(fetched["AccessKeyId"], fetched["SecretAccessKey"],
                                                     fetched["Token"])).status, 200)
    container.retrieve_full_uri(service.url + "/v2/credentials/authorized",
                                headers={"Authorization": "container-authorization-token"})
    connection = service.connect()
    for path in ("/v2/credentials/authorized", "/latest/meta-data/iam/security-credentials/", "/latest/meta-data/"):
        connection.request("GET", path)
        equal(Answer(connection.getresponse()).status, 401)
    connection.close()
    equal([issued["by"] for issued in service.control("GET", "issued").json],
          ["MetadataCredentials", "ContainerCredentials", "ContainerCredentials"])


@test
def the_portal_gives_credentials_for_its_token():
    get = client("sso").get_role_credentials
    keys = get(roleName="reader", accountId="345678901234", accessToken="sso-access-token")["roleCredentials"]
    equal(service.call("ListTrainingJobs", {}, keys=(keys["accessKeyId"], keys["secretAccessKey"],
                                                     keys["sessionToken"])).status, 200)
    assert abs(keys["expiration"] / 1000 - time.time() - 3600) < 60
    equal(client_error(get, roleName="reader", accountId="345678901234", accessToken="another"), "UnauthorizedException")


@test
def what_is_issued_expires():
    keys = issued_keys(client("sts").assume_role(RoleArn=ROLE + "x", RoleSessionName="me")["Credentials"])
    service.config(clock_offset_s=3599)
    equal(service.call("ListTrainingJobs", {}, keys=keys, shift_s=3599).status, 200)
    service.config(clock_offset_s=3601)
    refused(service.call("ListTrainingJobs", {}, keys=keys, shift_s=3601), 400, "ExpiredTokenException", "The security .* expired")
    service.config(clock_offset_s=0)
    ctl("expire")
    refused(service.call("ListTrainingJobs", {}, keys=keys), 400, "ExpiredTokenException", "The security .* expired")
    equal(client_error(client("sts", keys).get_caller_identity), "ExpiredToken")
    equal(json.loads(ctl("issued"))[0]["access_key_id"], keys[0])
    ctl("reset")
    equal(ctl("issued"), "[]\n")

    # a call at which all that was issued expires
    service.fault(kind="expire", operation="ListTrainingJobs", skip=1)
    keys = issued_keys(client("sts").assume_role(RoleArn=ROLE + "x", RoleSessionName="me")["Credentials"])
    equal(service.call("ListTrainingJobs", {}, keys=keys).status, 200)
    equal(service.call("ListTrainingJobs", {}, keys=keys).code, "ExpiredTokenException")
    keys = issued_keys(client("sts").assume_role(RoleArn=ROLE + "x", RoleSessionName="me")["Credentials"])
    equal(service.call("ListTrainingJobs", {}, keys=keys).status, 200)


@test
def how_long_credentials_last_depends_on_who_issues_them():
    def lasts(expiration):
        return round((expiration - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 100)

    service.config(session_seconds={"AssumeRole": 1000, "ContainerCredentials": 2000})
    for token, seconds in (("web-identity-token", 3600), (None, 1000)):
        answer = (client("sts").assume_role_with_web_identity(RoleArn=ROLE + "x", RoleSessionName="me", WebIdentityToken=token)
                  if token else client("sts").assume_role(RoleArn=ROLE + "x", RoleSessionName="me"))
        equal(lasts(answer["Credentials"]["Expiration"]), seconds // 100)
    found = ContainerMetadataFetcher().retrieve_full_uri(service.url + "/v2/credentials/task")
    equal(lasts(datetime.datetime.fromisoformat(found["Expiration"].replace("Z", "+00:00"))), 20)


@test
def more_keys_may_be_added():
    ctl("keys", json.dumps({"access_key_id": "AKIDMORE", "secret_access_key": "s", "account": "345678901234"}))
    equal(service.call("ListTrainingJobs", {"MaxResults": 1}, keys=("AKIDMORE", "s", None)).json
          ["TrainingJobSummaries"][0]["TrainingJobName"], "bulk-000001")
    ctl("keys", json.dumps({"access_key_id": "AKIDOTHER", "secret_access_key": "s", "session_token": "t",
                            "account": "999999999999"}))
    equal(service.call("ListTrainingJobs", {}, keys=("AKIDOTHER", "s", "t")).json, {"TrainingJobSummaries": []})


# -- the control path ----------------------------------------------------------------------

@test
def calls_and_connections_are_counted():
    before = service.counters()
    equal((before["calls"], before["connections"], before["in_flight"]), ({}, 0, 0))
    connection = service.connect()
    service.describe("pytorch-ads-0300", connection=connection)
    service.describe("no-such-job", connection=connection)
    service.call("ListTrainingJobs", {}, connection=connection)
    equal(service.counters(), {
        "calls": {"DescribeTrainingJob": 2, "ListTrainingJobs": 1}, "connections": 1,
        "connections_open": before["connections_open"] + 1, "credentials": {}, "errors": 1, "in_flight": 0,
        "most_in_flight": 1, "throttles": 0})
    connection.close()
    ctl("wait", "connections_open<=%d" % before["connections_open"])


def ctl(*words, data=None):
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "ctl.py"), *words], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "SAGEMAKER_FDW_TEST_URL": service.url})
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return done.stdout.decode()


@test
def the_command_line_client():
    equal(ctl("calls"), "none\n")
    service.describe("pytorch-ads-0300")
    service.call("ListTrainingJobs", {})
    service.call("ListTrainingJobs", {})
    equal(ctl("calls"), "DescribeTrainingJob=1 ListTrainingJobs=2\n")
    equal(ctl("calls"), "none\n")
    equal(ctl("document", "mine", '{"TrainingJobName": "mine", "FailureReason": "\u00e9"}'), "")
    equal(service.describe("mine").body, '{"TrainingJobName": "mine", "FailureReason": "\u00e9"}'.encode())
    equal(ctl("document", "mine"), '{"TrainingJobName": "mine", "FailureReason": "\u00e9"}\n')
    ctl("document", "mine", "-", data=b"\xff\x00")
    equal(service.describe("mine").body, b"\xff\x00")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"[]")
        file.flush()
        ctl("document", "mine", "@" + file.name)
        equal(service.describe("mine").body, b"[]")
    ctl("delete", "mine")
    equal(service.describe("mine").status, 400)
    equal(len(json.loads(ctl("names", "--region", "eu-west-1"))), 40)
    equal(json.loads(ctl("requests"))[-1]["operation"], "DescribeTrainingJob")
    for words in (["delete", "mine"], ["nonsense"], ["fault", '{"kind": "nonsense"}'], ["fault", "{"],
                  ["fault", '{"kind": "error"}'], ["config", '{"colour": 1}'], ["document"],
                  ["names", "--account", "1"]):
        try:
            ctl(*words)
        except RuntimeError:
            continue
        raise AssertionError("accepted %s" % words)


@test
def requests_are_kept_as_they_came():
    service.describe("pytorch-ads-0300", keys=TEMPORARY)
    request = service.control("GET", "requests").json[-1]
    equal(request["operation"], "DescribeTrainingJob")
    equal(request["body"], '{"TrainingJobName": "pytorch-ads-0300"}')
    equal(request["headers"]["x-amz-security-token"], TEMPORARY[2])
    equal(request["headers"]["x-amz-target"], "SageMaker.DescribeTrainingJob")
    time.sleep(0.1)
    service.describe("pytorch-ads-0300")
    later = service.control("GET", "requests").json[-1]
    assert later["at_s"] - request["at_s"] >= 0.1, (request["at_s"], later["at_s"])


@test
def a_broken_document_is_still_listed():
    name = service.names()[0]
    summary = service.listed({})[0][0]
    for body in (b"no JSON", b"", b"[]", b'{"TrainingJobName": 7}', b"{" * 5000, b'{"a":' * 2000):
        service.control("POST", "document", body, name=name)
        equal(service.describe(name).body, body)
        equal(service.listed({})[0][0], summary)
    service.control("POST", "document", b'{"TrainingJobName": "new"', name="new")
    equal(flat(service.listed({"MaxResults": 100}))[-1]["TrainingJobName"], "new")


@test
def reset_brings_everything_back():
    service.control("POST", "delete", name="pytorch-ads-0300")
    service.config(latency_ms=60000, clock_offset_s=5000)
    service.fault(kind="hang", times=0)
    service.control("POST", "reset")
    equal(service.describe("pytorch-ads-0300").status, 200)
    equal(service.counters()["calls"], {"DescribeTrainingJob": 1})


@test
def latency_and_calls_in_flight():
    # a minute would not be waited for
    service.config(latency_ms={"DescribeTrainingJob": 60000})
    equal(service.call("ListTrainingJobs", {}).status, 200)
    service.config(latency_ms={"DescribeTrainingJob": 200, "*": 60000})
    connections = [service.connect() for _ in range(5)]
    began = time.monotonic()
    for connection in connections:
        connection.request("POST", "/", *service.signed("DescribeTrainingJob", {"TrainingJobName": "x"}))
    ctl("wait", "most_in_flight=5")
    for connection in connections:
        equal(Answer(connection.getresponse()).code, "ValidationException")
        connection.close()
    assert time.monotonic() - began >= 0.2
    equal(service.counters()["in_flight"], 0)


@test
def jitter_is_the_same_for_the_same_seed():
    # the first draw of seed 2 is 191 ms
    for _ in range(3):
        service.config(jitter_seed=2, jitter_ms=200)
        began = time.monotonic()
        service.call("ListTrainingJobs", {})
        assert time.monotonic() - began >= 0.19


@test
def a_rate_limit_throttles_each_operation_by_itself():
    # the bucket holds a call at least, and the next one comes after a quarter of an hour
    service.config(rate_limit={"DescribeTrainingJob": 0.001})
    answers = [service.describe("pytorch-ads-0300") for _ in range(4)]
    equal([answer.status for answer in answers], [200] + [400] * 3)
    refused(answers[-1], 400, "ThrottlingException", "Rate exceeded")
    equal(service.call("ListTrainingJobs", {}).status, 200)
    equal(service.counters()["throttles"], 3)


# -- the price list ------------------------------------------------------------------------------

HOUR_UNITS = {"hr", "hrs", "hour", "hours"}
INSTANCE_TYPE = r"ml\.[a-z0-9-]+\.[a-z0-9]+"
TRAINING_USAGE = re.compile(r"(?:[A-Z][A-Z0-9]*-)?Train:" + INSTANCE_TYPE)


def region_code(region, **more):
    """A request for a region's prices."""
    return {"ServiceCode": "AmazonSageMaker", "FormatVersion": "aws_v1",
            "Filters": [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}], **more}


def price_pages(region, host="us-east-1", **more):
    """The pages of a walk by botocore: lists of strings."""
    paginator = client("pricing", region=host).get_paginator("get_products")
    return [page["PriceList"] for page in paginator.paginate(**region_code(region, **more))]


def documents_of(items):
    """The items that are JSON, once each."""
    documents = []
    for text in sorted(set(items)):
        try:
            documents.append(json.loads(text))
        except ValueError:
            pass
    return documents


def dimensions_of(document):
    """(effective date, dimension) of each of an item's."""
    for term in document["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            yield term["effectiveDate"], dimension


def type_told(attributes):
    """The instance type that an item is about, by its usage type or, failing that, its attributes."""
    last = attributes["usagetype"].rpartition(":")[2]
    if re.fullmatch(INSTANCE_TYPE, last):
        return last
    return attributes.get("instanceName") or re.sub("-training$", "", attributes["instanceType"], flags=re.I)


def charge_told(attributes, dimension):
    """What a dimension is a rate for, by usage type, component and description; None for no rate."""
    usage, component = attributes["usagetype"], attributes.get("component")
    warm = "Training Warm Pool" in dimension["description"]
    if attributes["locationType"] != "AWS Region" or not any(map(decimal.Decimal, dimension["pricePerUnit"].values())):
        return None
    if dimension["unit"] == "GB-Mo":
        training = "Train:" in usage or component == "Training" or component is None and "Training" in dimension["description"]
        return ("warm pool storage" if warm else "storage") if training and "VolumeUsage" in usage else None
    if dimension["unit"].lower() not in HOUR_UNITS:
        return None
    if warm:
        return "warm pool"
    if "SpotTraining" in (component, attributes.get("platoinstancetype")):
        return "spot"
    return "training" if TRAINING_USAGE.fullmatch(usage) else None


def rates_told(items):
    """The rates among items, in the order of expected_rates: told by what is sent, as a client must."""
    rates = []
    for document in documents_of(items):
        attributes = document["product"]["attributes"]
        for date, dimension in dimensions_of(document):
            charge = charge_told(attributes, dimension)
            # a term of the future is not in force
            if charge is not None and date < "2099":
                (currency, price), = dimension["pricePerUnit"].items()
                rates.append({
                    "region": attributes["regionCode"], "charge": charge,
                    "instance_type": None if charge.endswith("storage") else type_told(attributes),
                    "usage_type": attributes["usagetype"], "operation": attributes["operation"], "price": price,
                    "currency": currency, "unit": dimension["unit"], "effective_date": date,
                    "sku": document["product"]["sku"], "rate_code": dimension["rateCode"],
                    "description": dimension["description"], "attributes": attributes})
    return sorted(rates, key=lambda rate: (rate["charge"], rate["instance_type"] or "", rate["rate_code"]))


def rate_of(rates, charge, instance_type):
    """The prices, dates and usage types of a type's rates."""
    return [(rate["price"], rate["effective_date"], rate["usage_type"]) for rate in rates
            if (rate["charge"], rate["instance_type"]) == (charge, instance_type)]


@test
def the_rates_of_a_price_list_are_told_by_what_it_sends():
    counts = {}
    for region, host in [*((region, "us-east-1") for region in prices.COMMERCIAL), ("cn-northwest-1", "cn-northwest-1")]:
        expected = prices.expected_rates(region)
        equal(rates_told(flat(price_pages(region, host))), expected)
        equal(service.control("GET", "rates", region=region).json, expected)
        equal({rate["region"] for rate in expected}, {region})
        counts[region] = collections.Counter(rate["charge"] for rate in expected)
    storage = {"storage": 1, "warm pool storage": 1}
    equal(counts, {
        "us-east-1": {"training": 223, "spot": 171, "warm pool": 182, **storage},
        "us-west-2": {"training": 223, "spot": 170, "warm pool": 183, **storage},
        "eu-west-1": {"training": 223, "spot": 171, "warm pool": 182, **storage},
        "us-gov-west-1": {"training": 223, "spot": 170, "warm pool": 183, **storage},
        "cn-northwest-1": {"training": 223, "spot": 170, "warm pool": 183, **storage}})


@test
def prices_are_exact():
    rates = prices.expected_rates("us-east-1")
    equal(rate_of(rates, "training", "ml.m5.large"), [("0.1150000000", "2025-06-01T00:00:00Z", "USE1-Train:ml.m5.large")])
    equal(rate_of(rates, "training", "ml.p4d.24xlarge"), [("25.2510000000", "2025-01-01T00:00:00Z", "USE1-Train:ml.p4d.24xlarge")])
    # spot has a rate of its own in one region, and none for some types
    for region, times in (("us-east-1", 1), ("us-west-2", decimal.Decimal("1.12")), ("eu-west-1", 1), ("us-gov-west-1", 1),
                          ("cn-northwest-1", 1)):
        by_type = {charge: {rate["instance_type"]: decimal.Decimal(rate["price"]) for rate in prices.expected_rates(region)
                            if rate["charge"] == charge} for charge in ("training", "spot", "warm pool")}
        equal(by_type["spot"], {name: by_type["training"][name] * times for name in by_type["spot"]})
        equal(by_type["warm pool"], {name: by_type["training"][name] for name in by_type["warm pool"]})
    equal(rate_of(rates, "spot", "ml.g5.2xlarge"), [])
    equal([(rate["currency"], rate["description"]) for rate in prices.expected_rates("cn-northwest-1") if rate["charge"] == "storage"],
          [("CNY", "¥0.9842 per GB-Mo of ML storage")])


@test
def the_forms_of_a_price_list_are_all_there():
    model = set(prices.instance_types())
    equal(len(model), 225)
    for region in prices.COMMERCIAL:
        rates = prices.expected_rates(region)
        training = [rate for rate in rates if rate["charge"] == "training"]
        # one has no item, two nothing that is a price, one a unit that is none, one cannot be read
        equal(model - {rate["instance_type"] for rate in training},
              {"ml.trn1n.32xlarge", "ml.p2.xlarge", "ml.p2.8xlarge", "ml.m4.16xlarge", "ml.c4.4xlarge"})
        for charge in ("training", "spot", "warm pool"):
            forms = collections.Counter()
            for rate in rates:
                if rate["charge"] == charge:
                    name, attributes = rate["instance_type"], rate["attributes"]
                    equal(attributes["platoinstancename"], name.split(".")[1])
                    forms[attributes.get("instanceName", attributes.get("instanceType", "none")).replace(name, "t")] += 1
            equal(forms.keys(), {"t", "t-Training", "t-training", "NA", "none"})
            assert min(forms.values()) > 20, forms
        equal({rate["usage_type"].startswith("Train:") for rate in training}, {True, False})
        equal({rate["unit"] for rate in training}, {"Hr", "Hrs", "Hour", "Hours", "hrs", "HOURS"})
        equal({rate["effective_date"] for rate in training},
              {"2023-12-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z"})
        # only the description tells some warm pools, and only the attributes their types
        usages = {re.sub(r"(ml\.)?[a-z0-9-]+\.[a-z0-9]+$", r"\1t", rate["usage_type"].replace(prices.PLACES[region].prefix, ""))
                  for rate in rates if rate["charge"] == "warm pool"}
        equal(usages, {"Train:ml.t", "TrKA:ml.t", "TrKA:t"})


@test
def each_odd_rate_is_on_a_type_of_its_own():
    items = set(flat(price_pages("us-east-1")))
    unreadable = [text for text in items if text[-1] != "}"]
    equal(["Train:ml.c4.4xlarge" in text for text in unreadable], [True])

    def sent(usage_type, items=items):
        """What is sent of a usage type: for each item, (date, price, currency, unit) of its dimensions."""
        documents = [document for document in documents_of(items)
                     if document["product"]["attributes"]["usagetype"].endswith(usage_type)
                     and "Warm Pool" not in json.dumps(document)]
        return sorted([(date, *one["pricePerUnit"].values(), *one["pricePerUnit"], one["unit"])
                       for date, one in dimensions_of(document)] for document in documents)

    def equal_of(usage_type, *wanted):
        equal((usage_type, sent(usage_type)), (usage_type, sorted(wanted)))
    december, january, june = "2023-12-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z"
    equal_of("Train:ml.trn1n.32xlarge")
    equal_of("Train:ml.p2.xlarge", [])
    equal_of("Train:ml.p2.8xlarge", [])
    equal_of("Train:ml.m4.xlarge", *[[(december, "0.2840000000", "USD", "Hrs")]] * 2)
    equal_of("Train:ml.m4.2xlarge", [(january, "0.5680000000", "USD", "Hr")], [(january, "0.5780000000", "USD", "Hr")])
    equal_of("Train:ml.m4.4xlarge", [(june, "1.1360000000", "USD", "Hour"), ("2099-01-01T00:00:00Z", "0.5680000000", "USD", "Hour")])
    equal_of("Train:ml.m4.10xlarge", [(december, "2.8400000000", "USD", "Hours"), (december, "2.5560000000", "USD", "Hours")])
    equal_of("Train:ml.m4.16xlarge", [(january, "4.5440000000", "USD", "Quantity")])
    equal_of("Train:ml.c4.xlarge", [(june, "0.2000000000", "CNY", "HOURS")])
    equal_of("Train:ml.c4.2xlarge", [(december, "0.4000678901", "USD", "Hrs")])
    equal_of("Train:ml.c4.8xlarge", [(june, "1.6000000000", "USD", "Hour")], [(june, "0.0000000000", "USD", "Hour")])
    equal_of("Train:ml.m.xlarge-TrainingParent", [(december, "0.0000000000", "USD", "Hrs")],
             [(january, "0.0000000000", "USD", "Hrs"), (january, "0.2690000000", "USD", "Hrs")])
    equal(sent("Train:ml.c4.xlarge", flat(price_pages("cn-northwest-1", "cn-northwest-1")))[0][0][2], "USD")
    # no terms, and a term without dimensions
    equal([[list(term["priceDimensions"]) for term in document["terms"].get("OnDemand", {}).values()]
           for usage in ("Train:ml.p2.xlarge", "Train:ml.p2.8xlarge") for document in documents_of(items)
           if document["product"]["attributes"]["usagetype"].endswith(usage)], [[], [[]]])
    # and what is no rate
    tell = lambda text: [document["product"]["attributes"]["usagetype"] for document in documents_of(items) if text in json.dumps(document)]
    equal(sorted(tell("AWS Outposts")), ["USE1-Train:ml.c5.4xlarge", "USE1-Train:ml.m5.xlarge"])
    equal(tell("TrainingPlanUpfrontFee:ml.p5.48xlarge"), ["USE1-TrainingPlanUpfrontFee:ml.p5.48xlarge"])
    equal(sorted(usage for usage in tell(":ml.p5.48xlarge") if "Train:" not in usage and "TrSpt" not in usage and "TrKA" not in usage),
          ["USE1-Cluster:ml.p5.48xlarge", "USE1-Cluster:ml.p5.48xlarge-Reserved", "USE1-Host:ml.p5.48xlarge", "USE1-Notebk:ml.p5.48xlarge",
           "USE1-Processing:ml.p5.48xlarge", "USE1-TrainingPlanUpfrontFee:ml.p5.48xlarge"])
    equal(sorted(tell("VolumeUsage")), [
        "USE1-Cluster:VolumeUsage.gp2", "USE1-Cluster:VolumeUsage.gp3", "USE1-Host:VolumeUsage.gp2", "USE1-Notebk:VolumeUsage.gp2",
        "USE1-Processing:VolumeUsage.gp2", "USE1-Train:VolumeUsage.gp2", "USE1-Train:VolumeUsage.gp2"])


@test
def each_walk_over_a_price_list_has_an_order_of_its_own():
    first, second = price_pages("us-east-1"), price_pages("us-east-1")
    equal([len(page) for page in first], [100, 0] + [100] * 15 + [82])
    equal([len(page) for page in second], [len(page) for page in first])
    assert flat(first) != flat(second)
    equal(set(flat(first)), set(flat(second)))
    for pages in (first, second):
        # one item, a rate, comes twice, on the first page and on the last
        equal([text for text, times in collections.Counter(flat(pages)).items() if times > 1], [pages[0][0]])
        equal(pages[-1][-1], pages[0][0])
        equal(len(rates_told(pages[0][:1])), 1)
    # another region's walks do not count, and the order is the same again from the start
    price_pages("us-west-2")
    service.control("POST", "reset")
    price_pages("eu-west-1")
    equal(price_pages("us-east-1"), first)
    equal([len(page) for page in price_pages("us-east-1", MaxResults=99)], [99, 0] + [99] * 15 + [98])


@test
def regions_without_prices_have_an_empty_list():
    for region, host in (("xx-nowhere-1", "us-east-1"), ("us-east-2", "us-east-1"), ("cn-northwest-1", "us-east-1"),
                         ("us-east-1", "cn-northwest-1"), ("us-east-1", "eusc-de-east-1"), ("eusc-de-east-1", "eusc-de-east-1")):
        answer = client("pricing", region=host).get_products(**region_code(region))
        del answer["ResponseMetadata"]
        equal(answer, {"FormatVersion": "aws_v1", "PriceList": []})
    for host in ("us-east-1", "eu-central-1", "ap-south-1"):
        equal(len(client("pricing", region=host).get_products(**region_code("us-gov-west-1"))["PriceList"]), 100)


@test
def prices_are_refused_as_the_service_does():
    def refusal(members, **how):
        return client_failure(client("pricing", **how).get_products, **members)
    for host in ("us-west-2", "eu-west-1", "us-gov-west-1", "cn-north-1"):
        equal(refusal(region_code("us-east-1"), region=host),
              ("InvalidSignatureException", "Credential should be scoped to a valid region, not '%s'. " % host))
    equal(refusal(region_code("us-east-1"), keys=(HISTORY[0], "x", None))[0], "InvalidSignatureException")
    equal(refusal(region_code("us-east-1"), keys=DENIED),
          ("AccessDeniedException", "User: arn:aws:iam::456789012345:user/test is not authorized to perform: pricing:GetProducts "
           "because no identity-based policy allows the pricing:GetProducts action"))
    for size, words in ((101, "less than or equal to 100"), (0, "greater than or equal to 1")):
        equal(refusal(region_code("us-east-1", MaxResults=size)), (
            "ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: "
            "Member must have value %s" % (size, words)))
    begin = "Input Parameters are invalid. "
    usual = region_code("us-east-1")
    term = usual["Filters"][0]
    for members, message in (
            ({"ServiceCode": None}, "serviceCode cannot be null or empty"), ({"ServiceCode": ""}, "serviceCode cannot be null or empty"),
            ({"ServiceCode": "AmazonEC2"}, "Only the service code AmazonSageMaker is served here"),
            ({"FormatVersion": "aws_v2"}, "formatVersion is aws_v1"),
            *(({"Filters": filters}, "Only one filter, TERM_MATCH of regionCode, is served here") for filters in (
                [], [term, term], [{**term, "Type": "EQUALS"}], [{**term, "Field": "regioncode"}], [{**term, "Field": "component"}]))):
        answer = service.call("GetProducts", {**usual, **members}, scope="pricing", prefix="AWSPriceListService.")
        refused(answer, 400, "InvalidParameterException", re.escape(begin + message))
    for members in ({"Filter": []}, {"Filters": [{"Type": "TERM_MATCH", "Field": "regionCode"}]}, {"Filters": [{**term, "Value": 1}]},
                    {"Filters": {}}, {"MaxResults": "100"}):
        answer = service.call("GetProducts", {**usual, **members}, scope="pricing", prefix="AWSPriceListService.")
        equal((members, answer.code), (members, "SerializationException"))
    # the services have operations and scopes of their own
    equal(service.call("GetProducts", usual).code, "UnknownOperationException")
    equal(service.call("ListTrainingJobs", {}, scope="pricing", prefix="AWSPriceListService.").code, "UnknownOperationException")
    refused(service.call("GetProducts", usual, prefix="AWSPriceListService."), 403, "InvalidSignatureException",
            "Credential should be scoped to correct service: 'pricing'.")
    equal(service.counters()["calls"]["ListTrainingJobs"], 1)


@test
def tokens_of_a_price_list_are_bound_and_expire():
    pricing = client("pricing")
    invalid = ("InvalidNextTokenException", "The pagination token is invalid. Try again without a pagination token.")
    expired = ("ExpiredNextTokenException", "The pagination token expired. Try again without a pagination token.")
    token = pricing.get_products(**region_code("us-east-1"))["NextToken"]
    for region, text in (("us-west-2", token), ("us-east-1", "rubbish"), ("us-east-1", "")):
        equal(client_failure(pricing.get_products, **region_code(region, NextToken=text)), invalid)
    # by a fault: the tokens of this region stay expired, those of others hold
    other = pricing.get_products(**region_code("us-west-2"))["NextToken"]
    service.fault(kind="expire_tokens", operation="GetProducts", contains="NextToken", skip=1)
    token = pricing.get_products(**region_code("us-east-1", NextToken=token))["NextToken"]
    for _ in range(2):
        equal(client_failure(pricing.get_products, **region_code("us-east-1", NextToken=token)), expired)
    equal(len(pricing.get_products(**region_code("us-west-2", NextToken=other))["PriceList"]), 0)
    equal(rates_told(flat(price_pages("us-east-1"))), prices.expected_rates("us-east-1"))
    # an invalid one is an error like others
    service.fault(kind="error", operation="GetProducts", contains="NextToken", skip=3, code=invalid[0], message=invalid[1])
    equal(client_failure(lambda: price_pages("us-east-1")), invalid)
    equal(service.counters()["calls"]["GetProducts"], 4 + 1 + 1 + 2 + 1 + 18 + 5)


@test
def the_price_list_of_a_region_can_be_down():
    service.fault(kind="error", operation="GetProducts", contains='"us-west-2"', status=500, code="InternalErrorException", times=0)
    for _ in range(2):
        equal(client_error(lambda: price_pages("us-west-2")), "InternalErrorException")
        equal([len(price_pages(region)) for region in ("us-east-1", "eu-west-1")], [18, 18])


@test
def a_bucket_can_hold_more_than_a_seconds_calls():
    # as the price list's does, which fills five times a second; here it does not
    service.config(rate_limit={"GetProducts": [0.001, 10]})
    pricing, prices_in_frankfurt = client("pricing"), client("pricing", region="eu-central-1")
    for _ in range(10):
        pricing.get_products(**region_code("us-east-1"))
    for _ in range(2):
        equal(client_failure(pricing.get_products, **region_code("us-west-2")), ("ThrottlingException", "Rate exceeded"))
    prices_in_frankfurt.get_products(**region_code("us-east-1"))
    equal(service.counters()["throttles"], 2)
    service.control("POST", "reset")
    service.config(rate_limit={"GetProducts": [1000, 2]})
    time.sleep(0.01)
    for _ in range(3):
        pricing.get_products(**region_code("us-east-1"))
        time.sleep(0.01)
    equal(service.counters()["throttles"], 0)


@test
def prices_can_be_cut():
    before = prices.expected_rates("us-east-1")
    cut = {"effective_date": "2025-07-01T00:00:00Z", "percent": 33}
    for settings, changed in ((cut, lambda rate: True),
                              ({**cut, "instance_types": ["ml.m5.large"]}, lambda rate: rate["instance_type"] == "ml.m5.large"),
                              ({**cut, "percent": 0}, lambda rate: True)):
        service.config(price_cut=settings)
        after = rates_told(flat(price_pages("us-east-1")))
        equal(after, prices.expected_rates("us-east-1", settings))
        equal(json.loads(ctl("rates", "--region", "us-east-1")), after)
        part = decimal.Decimal(100 - settings["percent"]) / 100
        equal([(rate["rate_code"], decimal.Decimal(rate["price"]), rate["effective_date"]) for rate in after],
              [(rate["rate_code"], (decimal.Decimal(rate["price"]) * part).quantize(decimal.Decimal("1e-10")), cut["effective_date"])
               if changed(rate) else (rate["rate_code"], decimal.Decimal(rate["price"]), rate["effective_date"]) for rate in before])
    equal(rate_of(prices.expected_rates("us-east-1", cut), "training", "ml.m5.large"),
          [("0.0770500000", "2025-07-01T00:00:00Z", "USE1-Train:ml.m5.large")])
    service.config(price_cut=None)
    equal(rates_told(flat(price_pages("us-east-1"))), before)
    for wrong in (1, {}, {"percent": 1}, {**cut, "effective_date": "2025-07-01"}, {**cut, "percent": "1"}, {**cut, "colour": 1}):
        equal((wrong, service.control("POST", "config", {"price_cut": wrong}).status), (wrong, 400))


# -- faults ------------------------------------------------------------------------------------

@test
def a_fault_strikes_the_calls_it_names():
    service.fault(kind="error", code="InternalFailure", status=500, operation="DescribeTrainingJob",
                  skip=1, times=2)
    equal([service.describe("pytorch-ads-0300").status for _ in range(5)], [200, 500, 500, 200, 200])
    service.fault(kind="error", code="X", job="pytorch-ads-0300", times=0)
    equal(service.describe("pytorch-vision-0299").status, 200)
    equal([service.describe("pytorch-ads-0300").status for _ in range(3)], [400] * 3)
    service.control("POST", "clear")
    equal(service.describe("pytorch-ads-0300").status, 200)
    service.fault(kind="error", code="X", contains='"NextToken"')
    equal(service.call("ListTrainingJobs", {}).status, 200)
    equal(service.call("ListTrainingJobs", {"NextToken": "x"}).code, "X")
    service.fault(kind="error", code="X", probability=0.5, times=0, seed=3)
    struck = sum(service.describe("pytorch-ads-0300").status == 400 for _ in range(100))
    assert 30 < struck < 70, struck


@test
def error_codes_stand_where_they_are_put():
    service.fault(kind="error", code="ThrottlingException", message="Rate exceeded")
    equal(service.describe("x").json, {"message": "Rate exceeded", "__type": "ThrottlingException"})
    service.fault(kind="error", code="SlowDown", type_in="header", status=503)
    answer = service.describe("x")
    equal((answer.status, answer.headers["x-amzn-ErrorType"]),
          (503, "SlowDown:http://internal.amazon.com/coral/"))
    equal(answer.json, {"message": "injected"})
    service.fault(kind="error", code="SlowDown", type_in="code", namespace="com.amazon#")
    equal(service.describe("x").json, {"message": "injected", "code": "com.amazon#SlowDown"})
    service.fault(kind="error", code="SlowDown", namespace="com.amazon#", suffix=":http://x/")
    equal(service.describe("x").json, {"message": "injected", "__type": "com.amazon#SlowDown:http://x/"})


@test
def bodies_and_raw_responses_of_any_kind():
    service.fault(kind="body", status=200, content_type="text/html", body="<html>", headers=[["X-A", "b"]])
    answer = service.describe("x")
    equal((answer.status, answer.headers["Content-Type"], answer.headers["X-A"], answer.body),
          (200, "text/html", "b", b"<html>"))
    service.fault(kind="raw", then="keep",
                  bytes_b64=base64.b64encode(b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok").decode())
    answer = service.describe("x")
    equal((answer.status, answer.body), (299, b"ok"))
    equal(service.describe("pytorch-ads-0300").status, 200)


def broken(kind, *errors, **spec):
    """The exception with which a call ends that the fault strikes."""
    service.fault(kind=kind, **spec)
    connection = service.connect()
    connection.timeout = 0.5 if TimeoutError in errors else 20
    try:
        service.describe("pytorch-ads-0300", connection=connection)
    except errors:
        return
    finally:
        connection.close()
    raise AssertionError("%s: the call ended well" % kind)


@test
def connections_that_break():
    broken("reset_before", ConnectionResetError)
    broken("reset_during", ConnectionResetError, http.client.IncompleteRead)
    broken("close_before", http.client.RemoteDisconnected)
    broken("truncate", http.client.IncompleteRead)
    broken("wrong_length", http.client.IncompleteRead)
    broken("chunked_garbage", http.client.IncompleteRead, ValueError)
    broken("endless_headers", http.client.HTTPException)
    for kind in ("hang", "drip", "slow_headers"):
        broken(kind, TimeoutError)
    ctl("wait", "in_flight<=0")


@test
def a_reset_after_the_response():
    wanted = service.describe("pytorch-ads-0300").body
    service.fault(kind="reset_after", delay_ms=100)
    connection = service.connect()
    equal(service.describe("pytorch-ads-0300", connection=connection).body, wanted)
    try:
        # an orderly close would be b""
        connection.sock.recv(1)
        raise AssertionError("no reset")
    except ConnectionResetError:
        pass
    connection.close()
    ctl("wait", "in_flight<=0")


@test
def a_body_without_end():
    service.fault(kind="endless_body")
    connection = service.connect()
    connection.request("POST", "/", *service.signed("DescribeTrainingJob", {"TrainingJobName": "x"}))
    response = connection.getresponse()
    for _ in range(100):
        equal(len(response.read(65536)), 65536)
    connection.close()
    response.close()
    ctl("wait", "in_flight<=0")


@test
def right_answers_in_other_shapes():
    wanted = service.describe("pytorch-ads-0300").body
    for kind in ("chunked", "no_length", "close_after", "continue_first"):
        service.fault(kind=kind)
        connection = service.connect()
        equal((kind, service.describe("pytorch-ads-0300", connection=connection).body), (kind, wanted))
        connection.close()
    service.fault(kind="drip", interval_s=0)
    equal(service.describe("pytorch-ads-0300").body, wanted)
    service.fault(kind="delay", delay_ms=100)
    began = time.monotonic()
    equal(service.describe("pytorch-ads-0300").body, wanted)
    assert time.monotonic() - began >= 0.1


# -- HTTP ------------------------------------------------------------------------------------------

def exchange(*pieces):
    """What comes back for bytes, sent piece by piece, until the endpoint closes."""
    parts = urllib.parse.urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while True:
            piece = connection.recv(65536)
            if not piece:
                return received
            received += piece


@test
def requests_may_come_in_pieces_and_several_at_once():
    get = b"GET /_control/calls HTTP/1.1\r\nHost: x\r\n"
    received = exchange(get[:9], get[9:] + b"\r\n" + get + b"\r\n" + get + b"Connection: close\r\n\r\n")
    equal(received.count(b"HTTP/1.1 200 OK\r\n"), 3)


@test
def what_is_no_request_is_answered_with_400():
    for request in (b"rubbish\r\n\r\n", b"GET / HTTP/2\r\n\r\n", b"GET / HTTP/1.1\r\nbad line\r\n\r\n",
                    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n",
                    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        equal(exchange(request)[:24], b"HTTP/1.1 400 Bad Request")


@test
def a_second_endpoint_finds_a_port_of_its_own():
    other = Endpoint()
    assert other.url != service.url
    for url in (other.url, service.url):
        assert 20000 <= urllib.parse.urlsplit(url).port < 32768
    equal(other.process.poll(), None)
    # the end of its standard input ends it
    equal(other.stop(), 0)


def main():
    global service
    service = Endpoint("--tls", "--generated", str(GENERATED_JOBS), "--bulk", str(BULK_JOBS))
    failed = 0
    print("1..%d" % (len(TESTS) + 1))
    for number, function in enumerate(TESTS, 1):
        title = function.__name__.replace("_", " ")
        try:
            if number > 1:
                service.control("POST", "reset")
            function()
        except Exception as problem:
            failed += 1
            print("not ok %d - %s" % (number, title))
            for line in ("%s: %s" % (type(problem).__name__, problem)).split("\n"):
                print("# " + line)
            if service.kept:
                service.kept.close()
                service.kept = None
        else:
            print("ok %d - %s" % (number, title))
        sys.stdout.flush()
    service.process.terminate()
    ended = service.stop() == 0
    failed += not ended
    print("%s %d - the endpoint ends well when told to" % ("ok" if ended else "not ok", len(TESTS) + 1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
