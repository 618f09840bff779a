"""Measures the extension and boto3 against a service that throttles; pace.sh starts it.

    pace.py [--quick]

Both ask for the same jobs, by name, 16 at once.  The table goes to standard output.
"""
import argparse
import concurrent.futures
import itertools
import os
import re
import statistics
import sys
import time

# awscli brings a TLS library that botocore would load; it is of no use here, and may abort at its start
os.environ["BOTO_DISABLE_CRT"] = "true"
import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "t"))
from harness import BULK, URL, Session, control, fault, make_server  # noqa: E402

CONCURRENCY = 16
ATTEMPTS = 8                    # of one call; of ours, throttled ones do not count
LATENCY_MS, JITTER_MS = 25, 10  # 30 ms in the middle
RATE_LIMIT = 20
SERIAL = itertools.count()      # of servers

# Title, jobs, calls a second that are borne (0: any number), share of calls that are throttled anyway,
# and the seconds that it takes at best (None: what it takes without throttles).
WORKLOADS = [
    ("no throttles", 800, 0, 0, None),
    ("2 % of the calls are throttled at random", 800, 0, 0.02, None),
    ("15 % of the calls are throttled at random", 800, 0, 0.15, None),
    ("at most %d calls/s, of which 20 are saved up" % RATE_LIMIT, 400, RATE_LIMIT, 0, (400 - RATE_LIMIT) / RATE_LIMIT),
]


def names_of(jobs):
    return ["bulk-%06d" % number for number in range(1, jobs + 1)]


def calls_made():
    return sum(int(count) for count in re.findall(r"=(\d+)", control("calls")))


def throttle(rate_limit=0, share=0, seed=0):
    control("clear", b"")
    control("config", {"latency_ms": LATENCY_MS, "jitter_ms": JITTER_MS, "rate_limit": rate_limit})
    if share:
        fault(kind="error", code="ThrottlingException", times=0, probability=share, seed=seed)


def run_fdw(session, server, names):
    """Jobs that were read."""
    return int(session.run("SELECT count(role_arn) FROM %s.training_jobs WHERE training_job_name IN (%s)"
                           % (server, ", ".join("'%s'" % name for name in names)))[0])


def run_boto3(client, names):
    def described(name):
        try:
            return "RoleArn" in client.describe_training_job(TrainingJobName=name)
        except botocore.exceptions.ClientError:
            return False

    with concurrent.futures.ThreadPoolExecutor(CONCURRENCY) as pool:
        return sum(pool.map(described, names))


def timed(work, rate_limit, share, seed):
    """(jobs that were read, seconds, calls)."""
    throttle(rate_limit, share, seed)
    # what the limit saves up is all there
    time.sleep(1.1 if rate_limit else 0)
    calls_made()
    start = time.monotonic()
    rows = work()
    return rows, time.monotonic() - start, calls_made()


def measure_fdw(jobs, rate_limit, share, seed):
    throttle()
    setup = Session()
    server = "pace_%d" % next(SERIAL)
    # another server each time: what was learnt of the rate is the server's
    make_server(setup, server, keys=BULK, max_concurrency=CONCURRENCY)
    session = Session()
    run_fdw(session, server, names_of(1))
    result = timed(lambda: run_fdw(session, server, names_of(jobs)), rate_limit, share, seed)
    session.close()
    setup.close()
    return result


def measure_boto3(jobs, rate_limit, share, seed):
    throttle()
    client = boto3.client(
        "sagemaker", region_name="us-east-1", endpoint_url=URL, aws_access_key_id=BULK[0], aws_secret_access_key=BULK[1],
        config=botocore.config.Config(max_pool_connections=CONCURRENCY, retries={"mode": "standard", "total_max_attempts": ATTEMPTS}))
    run_boto3(client, names_of(1))
    return timed(lambda: run_boto3(client, names_of(jobs)), rate_limit, share, seed)


PEERS = {"sagemaker_fdw": measure_fdw, "boto3, standard mode": measure_boto3}


def spread(values, form):
    median, least, most = (form % figure for figure in (statistics.median(values), min(values), max(values)))
    return median if least == most else "%s (%s to %s)" % (median, least, most)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    runs = 1 if parser.parse_args().quick else 3
    os.environ["NO_PROXY"] = "*"
    setup = Session()
    setup.run("CREATE EXTENSION IF NOT EXISTS sagemaker_fdw")
    setup.close()

    print("""\
# Pace

```sh
bash test/bench/pace.sh
```

Written by that command. Each asks for the same jobs by name, %d at once, of the local endpoint, which answers in %d to
%d ms. Figures are the median of %d run%s, with the least and the most in brackets where they differ. boto3 runs in threads,
in its standard retry mode with %d attempts a call; lost are the jobs whose last attempt failed.

| the service | by | jobs | seconds | by the best | calls that were throttled | lost |
| --- | --- | --- | --- | --- | --- | --- |""" % (
        CONCURRENCY, LATENCY_MS, LATENCY_MS + JITTER_MS, runs, "" if runs == 1 else "s", ATTEMPTS))
    without_s = {}
    for title, jobs, rate_limit, share, best_s in WORKLOADS:
        results = {peer: [] for peer in PEERS}
        for run in range(runs):
            for peer, measure in PEERS.items():
                # the same draws for each of them
                results[peer].append(measure(jobs, rate_limit, share, run))
        for peer, result in results.items():
            rows, seconds, calls = zip(*result)
            if not rate_limit and not share:
                without_s[peer] = statistics.median(seconds)
            best = best_s or without_s[peer]
            print("| %s | %s | %d | %s | %s | %s | %s |" % (
                title, peer, jobs, spread(seconds, "%.2f"), spread([second / best for second in seconds], "%.2f"),
                spread([made - count for made, count in zip(calls, rows)], "%d"), spread([jobs - count for count in rows], "%d")), flush=True)
    throttle()


if __name__ == "__main__":
    main()
