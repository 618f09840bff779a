"""The endpoint behaves like the service, and refuses what is not signed right.

Requests are signed by botocore.  Prints TAP.
"""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HISTORY = ("AKIDHISTORY000000001", "secret/of+the/history/account000000000001")
TEMPORARY = ("ASIDTEMPORARY0000001", "secret/of+the/temporary/keys/000000000001",
             "session-token/of+the/temporary/keys==")
GENERATED = ("AKIDGENERATED0000001", "secret/of+the/generated/account0000000001")
DENIED = ("AKIDDENIED0000000001", "secret/of+the/denied/account0000000000001")
BULK = ("AKIDBULK000000000001", "secret/of+the/bulk/account00000000000001")


class Client:
    """Calls, and the tests' results."""

    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc
        self.url = url
        self.number = 0
        self.failed = 0

    def send(self, operation, body, keys=HISTORY, region="us-east-1", change=None):
        """(status, parsed body, headers) of a signed call; change() edits the request after."""
        request = AWSRequest(method="POST", url=self.url + "/", data=json.dumps(body),
                             headers={"Content-Type": "application/x-amz-json-1.1", "Host": self.host,
                                      "X-Amz-Target": "SageMaker." + operation})
        SigV4Auth(Credentials(*keys), "sagemaker", region).add_auth(request)
        headers = dict(request.headers.items())
        if change:
            change(headers)
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.request("POST", "/", request.data, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text), response.headers

    def control(self, path, body=None):
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.request("GET" if body is None else "POST", "/_control/" + path, body)
        text = connection.getresponse().read()
        connection.close()
        return text.decode()

    def equal(self, actual, expected, title):
        self.number += 1
        if actual != expected:
            self.failed += 1
            print("not ok %d - %s\n# got %r\n# expected %r" % (self.number, title, actual, expected))
        else:
            print("ok %d - %s" % (self.number, title))


def error(answer):
    return answer[0], answer[1].get("__type")


def test_signatures(client):
    name = {"TrainingJobName": "pytorch-ads-0001"}
    client.equal(client.send("DescribeTrainingJob", name)[0], 200, "a right signature is accepted")
    client.equal(client.send("DescribeTrainingJob", name, TEMPORARY)[0], 200,
                 "so is one with a session token")
    client.equal(error(client.send("DescribeTrainingJob", name, (HISTORY[0], "wrong"))),
                 (403, "InvalidSignatureException"), "a wrong secret is refused")
    client.equal(error(client.send("DescribeTrainingJob", name, ("AKIDNOBODY", "x"))),
                 (403, "UnrecognizedClientException"), "an unknown key is refused")
    client.equal(error(client.send("DescribeTrainingJob", name, TEMPORARY[:2])),
                 (403, "UnrecognizedClientException"), "temporary keys need their token")
    client.equal(error(client.send("DescribeTrainingJob", name,
                                   change=lambda headers: headers.pop("Authorization"))),
                 (403, "MissingAuthenticationTokenException"), "no signature is refused")
    client.equal(error(client.send("DescribeTrainingJob", name, change=lambda headers: headers.update(
        {"X-Amz-Target": "SageMaker.ListTrainingJobs"}))), (403, "InvalidSignatureException"),
        "a header changed after signing is refused")
    client.control("config", json.dumps({"clock_offset_s": 1200}))
    answer = client.send("DescribeTrainingJob", name)
    client.equal((error(answer), answer[1]["message"][:18]),
                 ((403, "InvalidSignatureException"), "Signature expired:"), "an old signature is refused")
    client.control("config", json.dumps({"clock_offset_s": -1200}))
    answer = client.send("DescribeTrainingJob", name)
    client.equal(answer[1]["message"][:26], "Signature not yet current:", "so is one from the future")
    client.control("config", json.dumps({"clock_offset_s": 0}))
    client.equal(error(client.send("ListTrainingJobs", {}, DENIED)), (400, "AccessDeniedException"),
                 "keys without rights are denied")


def test_describe(client):
    answer = client.send("DescribeTrainingJob", {"TrainingJobName": "no-such-job"})
    client.equal((error(answer), answer[1]["message"]),
                 ((400, "ValidationException"), "Requested resource not found."), "a missing job")
    client.equal(error(client.send("DescribeTrainingJob", {"TrainingJobName": "no_such_job"})),
                 (400, "ValidationException"), "an impossible name")
    client.equal(error(client.send("DescribeTrainingJob", {"Nonsense": 1})),
                 (400, "SerializationException"), "an unknown member")
    client.equal(client.send("DescribeTrainingJob", {"TrainingJobName": "generated-00003"}, GENERATED)[1]
                 ["TrainingJobName"], "generated-00003", "a generated document")
    client.equal(client.send("DescribeTrainingJob", {"TrainingJobName": "bulk-000007"}, BULK)[1]
                 ["TrainingJobArn"], "arn:aws:sagemaker:us-east-1:345678901234:training-job/bulk-000007",
                 "a bulk document")


def walk(client, body, keys=HISTORY, operation="ListTrainingJobs", member="TrainingJobSummaries"):
    """All pages: a list of lists."""
    pages = []
    token = None
    while True:
        request = dict(body)
        if token:
            request["NextToken"] = token
        answer = client.send(operation, request, keys)[1]
        pages.append(answer[member])
        token = answer.get("NextToken")
        if token is None:
            return pages


def test_list(client):
    pages = walk(client, {})
    client.equal([len(page) for page in pages], [10] * 30, "a page is 10 by default")
    names = [summary["TrainingJobName"] for page in pages for summary in page]
    client.equal(len(set(names)), 300, "each job comes once")
    client.equal(error(client.send("ListTrainingJobs", {"MaxResults": 101})), (400, "ValidationException"),
                 "more than 100 are refused")
    client.equal(error(client.send("ListTrainingJobs", {"MaxResults": 0})), (400, "ValidationException"),
                 "none are refused, too")
    pages = walk(client, {"MaxResults": 100, "StatusEquals": "Failed"})
    client.equal((len(pages), sum(map(len, pages))), (3, 49), "a status narrows pages, not their number")
    pages = walk(client, {"MaxResults": 10, "NameContains": "ads-0001"})
    client.equal((len(pages), sum(map(len, pages))), (30, 1), "so does a name: empty pages have tokens")
    first = walk(client, {"MaxResults": 100})[0][0]
    client.equal(sorted(first), ["CreationTime", "LastModifiedTime", "SecondaryStatus", "TrainingEndTime",
                                 "TrainingJobArn", "TrainingJobName", "TrainingJobStatus"],
                 "a summary has a summary's members")
    bound = walk(client, {"MaxResults": 100, "SortOrder": "Ascending"})[1][0]["CreationTime"]
    pages = walk(client, {"MaxResults": 100, "CreationTimeAfter": bound})
    client.equal((len(pages), sum(map(len, pages))), (2, 200), "a creation time cuts the walk")
    answer = client.send("ListTrainingJobs", {"MaxResults": 10})[1]
    client.equal(error(client.send("ListTrainingJobs", {"NextToken": answer["NextToken"], "MaxResults": 10,
                                                        "StatusEquals": "Failed"})),
                 (400, "ValidationException"), "a token goes with its request")
    client.equal(error(client.send("ListTrainingJobs", {"Nonsense": 1})), (400, "SerializationException"),
                 "an unknown parameter")
    client.equal(client.send("ListTrainingJobs", {}, region="ap-south-1")[1], {"TrainingJobSummaries": []},
                 "a region without jobs")


def test_other_operations(client):
    pages = walk(client, {"HyperParameterTuningJobName": "tune-ads", "MaxResults": 5},
                 operation="ListTrainingJobsForHyperParameterTuningJob")
    children = [summary for page in pages for summary in page]
    client.equal((len(children) > 0, "TunedHyperParameters" in children[0]), (True, True),
                 "the children of a tuning job")
    found = walk(client, {"Resource": "TrainingJob", "MaxResults": 100, "SearchExpression": {"Filters": [
        {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"},
        {"Name": "ResourceConfig.InstanceCount", "Operator": "GreaterThan", "Value": "1"},
        {"Name": "Tags.team", "Operator": "Equals", "Value": "ads"}]}}, operation="Search", member="Results")
    jobs = [record["TrainingJob"] for page in found for record in page]
    client.equal((len(jobs) > 0, {job["TrainingJobStatus"] for job in jobs}, "ProfilingStatus" in jobs[0]),
                 (True, {"Failed"}, False), "Search filters, and lacks what it lacks")
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/pytorch-ads-0001"
    client.equal(client.send("ListTags", {"ResourceArn": arn})[1]["Tags"][0], {"Key": "team", "Value": "ads"},
                 "tags")
    client.equal(error(client.send("ListTags", {"ResourceArn": arn + "x"})), (400, "ValidationException"),
                 "tags of a missing job")


def test_control(client):
    client.control("calls")
    client.send("ListTrainingJobs", {})
    client.send("ListTags", {})
    client.equal(client.control("calls"), "ListTags=1 ListTrainingJobs=1", "calls are counted")
    client.equal(client.control("calls"), "none", "and counted anew")
    client.control("fault", json.dumps({"kind": "error", "code": "ThrottlingException", "skip": 1, "times": 2}))
    client.equal([client.send("ListTrainingJobs", {})[0] for _ in range(4)], [200, 400, 400, 200],
                 "a fault strikes when it is told to")
    client.equal(client.control("fault", '{"kind": "nonsense"}')[:10], "ValueError", "an unknown fault is refused")
    client.control("document?name=mine", '{"TrainingJobName": "mine", "CreationTime": 1}')
    client.equal(client.send("DescribeTrainingJob", {"TrainingJobName": "mine"})[1]["CreationTime"], 1,
                 "a document is served as it was put")
    client.control("delete?name=mine", "")
    client.equal(client.send("DescribeTrainingJob", {"TrainingJobName": "mine"})[0], 400, "until it is deleted")
    client.control("config", json.dumps({"rate_limit": 3}))
    client.equal([client.send("ListTrainingJobs", {})[0] for _ in range(4)][:1], [200], "a rate limit lets calls pass")
    client.equal("ThrottlingException" in [client.send("ListTrainingJobs", {})[1].get("__type")
                                           for _ in range(10)], True, "and throttles others")
    client.control("reset", "")
    client.equal(json.loads(client.control("counters"))["calls"], {}, "reset forgets it all")


def main():
    with tempfile.TemporaryDirectory() as directory:
        ready = os.path.join(directory, "ready")
        process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "endpoint.py"), "--ready-file", ready,
                                    "--bulk", "100", "--exit-with-parent"], stdin=subprocess.PIPE)
        try:
            deadline = time.monotonic() + 30
            while not os.path.exists(ready) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            with open(ready) as file:
                client = Client(file.readline().strip())
            for test in (test_signatures, test_describe, test_list, test_other_operations, test_control):
                test(client)
        finally:
            process.terminate()
            process.wait()
    client.equal(process.returncode, 0, "the endpoint ends when it is told to")
    print("1..%d" % client.number)
    sys.exit(client.failed != 0)


if __name__ == "__main__":
    main()
