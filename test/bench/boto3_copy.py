"""What is done without the extension: boto3 in threads, and COPY through psql.

    boto3_copy.py URL WORKLOAD JOBS THREADS [TABLE] [--adaptive]

WORKLOAD is what is asked for: "lookup" (one job after another), "names" (so many jobs at once), "all"
(the list, and each job of it), "summary" (the list), "newest" (the list's first page, and each job of
it), or "search".  With TABLE, whose columns are the API's attributes in the API's order, rows are
written as they come; without it they are thrown away.  With --adaptive, calls that are throttled
slow the next ones down, and are tried often.  Prints a line of JSON: rows, seconds, seconds to
the first row, seconds of this process's CPU, in user mode and in the kernel, its peak memory in kB.

The interpreter's start, imports, and the making of the client, which took one call already, are not
counted.
"""
import concurrent.futures
import itertools
import json
import os
import resource
import subprocess
import sys
import time

# awscli brings a TLS library that botocore would load; it is of no use here, and may abort at its start
os.environ["BOTO_DISABLE_CRT"] = "true"
import boto3  # noqa: E402
import botocore.config  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "service"))
from generate import load_model  # noqa: E402

ATTRIBUTES = [attribute["attribute"] for attribute in load_model()["describe"]]
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def spelled(value):
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    if isinstance(value, (dict, list)):
        value = json.dumps(value, default=lambda time: time.isoformat())
    elif hasattr(value, "isoformat"):
        value = value.isoformat()
    return str(value).translate(ESCAPES)


def row(document):
    return "\t".join(spelled(document.get(name)) for name in ATTRIBUTES) + "\n"


def summaries(client, jobs):
    pages = client.get_paginator("list_training_jobs").paginate(
        SortBy="CreationTime", SortOrder="Descending",
        PaginationConfig={"PageSize": min(jobs, 100), "MaxItems": jobs})
    return itertools.chain.from_iterable(page["TrainingJobSummaries"] for page in pages)


def described(client, names, threads):
    """Documents in the order of the names; the list is walked as threads are free."""
    describe = lambda name: client.describe_training_job(TrainingJobName=name)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        ahead = []
        for name in names:
            ahead.append(pool.submit(describe, name))
            if len(ahead) >= 4 * threads:
                yield ahead.pop(0).result()
        for answer in ahead:
            yield answer.result()


def found(client):
    pages = client.get_paginator("search").paginate(
        Resource="TrainingJob", SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"PageSize": 100})
    for page in pages:
        for result in page["Results"]:
            yield result["TrainingJob"]


def documents(client, workload, jobs, threads):
    names = ["bulk-%06d" % number for number in range(1, jobs + 1)]
    if workload == "lookup":
        return (client.describe_training_job(TrainingJobName=name) for name in names)
    if workload == "names":
        return described(client, names, threads)
    if workload == "search":
        return found(client)
    if workload == "summary":
        return summaries(client, jobs)
    return described(client, (job["TrainingJobName"] for job in summaries(client, jobs)), threads)


def main():
    adaptive = "--adaptive" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--adaptive"]
    url, workload, jobs, threads = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    table = arguments[4] if len(arguments) > 4 else None
    retries = {"mode": "adaptive", "total_max_attempts": 20} if adaptive else {"mode": "standard"}
    client = boto3.client(
        "sagemaker", region_name="us-east-1", endpoint_url=url, aws_access_key_id="AKIDBULK000000000001",
        aws_secret_access_key="secret/of+the/bulk/account00000000000001",
        config=botocore.config.Config(max_pool_connections=threads, retries=retries))
    client.describe_training_job(TrainingJobName="bulk-000001")

    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    first = None
    copy = table and subprocess.Popen(["psql", "-X", "-q", "-c", "COPY %s FROM STDIN" % table],
                                      stdin=subprocess.PIPE, encoding="utf-8")
    rows = 0
    for document in documents(client, workload, jobs, threads):
        if first is None:
            first = time.monotonic() - start
        if copy:
            copy.stdin.write(row(document))
        rows += 1
    if copy:
        copy.stdin.close()
        if copy.wait() != 0:
            sys.exit("COPY failed")
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(json.dumps({"rows": rows, "seconds": time.monotonic() - start, "first_s": first,
                      "cpu_s": user + system, "user_s": user, "system_s": system,
                      "peak_kb": after.ru_maxrss}))


if __name__ == "__main__":
    main()
