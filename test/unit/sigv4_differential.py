"""500 random requests get the same signature from sigv4.c as from botocore.

	sigv4_differential.py build/sigv4_driver

Prints TAP.  Seeded, so a difference can be reproduced.
"""
import random
import subprocess
import sys
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REQUESTS = 500
SEED = "signatures"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
REGIONS = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "x"]
OPERATIONS = ["DescribeTrainingJob", "ListTrainingJobs", "Search", "ListTags"]


def latest():
    """Requests are made before: in 2100, or where time_t ends earlier, as one of 32 bits does."""
    try:
        time.gmtime(4102444800)
    except OverflowError:
        return 2 ** 31
    return 4102444800


LATEST = latest()


def word(rng, longest, extra=""):
    return "".join(rng.choice(LETTERS + extra) for _ in range(rng.randrange(1, longest)))


def body(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return b""
    if kind == 1:
        return "".join(rng.choice("{}[]\":, aé中😀\n\x00") for _ in range(rng.randrange(200))).encode()
    if kind == 2:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
    if kind == 3:
        return b"x" * rng.randrange(100000)
    return b'{"TrainingJobName": "%s"}' % word(rng, 63).encode()


def spaced(rng, value):
    """The value with extra blanks, which the signature leaves out."""
    return rng.choice(["", " ", "  \t"]) + value.replace(" ", rng.choice([" ", "   ", " \t "])) + rng.choice(["", "  "])


def make(rng):
    """One request: the driver's line, and botocore's header."""
    host = rng.choice(["api.sagemaker.us-east-1.amazonaws.com", "localhost", "127.0.0.1", "[::1]",
                       "vpce-0abc.example.internal", word(rng, 30) + ".example"])
    if rng.random() < 0.5:
        host += ":%d" % rng.randrange(1, 65536)
    path = rng.choice(["/", "/", "/prefix", "/a/b/c/", "/with%20space/x", "/~user/-._"])
    query = rng.choice(["", "", "Action=AssumeRole&Version=2011-06-15", "a=1&b=&c=x%20y"])
    method = rng.choice(["POST", "POST", "GET", "PUT"])
    region, service = rng.choice(REGIONS), rng.choice(["sagemaker", "sts", "iam"])
    now = rng.randrange(0, LATEST)
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    key_id, secret = word(rng, 30), word(rng, 60, "/+=")
    token = word(rng, 900, "/+=") if rng.random() < 0.5 else None
    payload = body(rng)

    headers = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-date": date,
               "x-amz-target": "SageMaker." + rng.choice(OPERATIONS)}
    if token:
        headers["x-amz-security-token"] = token
    for _ in range(rng.randrange(3)):
        headers["x-" + word(rng, 12).lower()] = spaced(rng, word(rng, 20) + " " + word(rng, 20))
    headers = dict(sorted(headers.items()))

    request = AWSRequest(method=method, url="https://%s%s%s" % (host, path, "?" + query if query else ""),
                         data=payload, headers=headers)
    request.context["timestamp"] = date
    signer = SigV4Auth(Credentials(key_id, secret, token), service, region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    expected = "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (
        signer.scope(request), ";".join(headers), signature)

    fields = [method, path, query, key_id, secret, region, service, str(now), payload]
    for name, value in headers.items():
        fields += [name, value]
    encoded = [field if isinstance(field, bytes) else field.encode() for field in fields]
    return "\t".join(field.hex() for field in encoded), expected


def main():
    rng = random.Random(SEED)
    requests = [make(rng) for _ in range(REQUESTS)]
    driver = subprocess.run([sys.argv[1]], input="".join(line + "\n" for line, _ in requests), check=True,
                            capture_output=True, text=True)
    answers = driver.stdout.splitlines()
    bad = 0
    print("1..%d" % REQUESTS)
    for number, (_, expected) in enumerate(requests, 1):
        actual = answers[number - 1] if number <= len(answers) else None
        good = actual == expected
        bad += not good
        print("%s %d - request %d is signed as botocore signs it" % ("ok" if good else "not ok", number, number))
        if not good:
            print("# got      %s\n# expected %s" % (actual, expected))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
