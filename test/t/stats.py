"""What tells an operator how things stand: log lines of slow calls.

The clusters are the test's own.
"""
import re

from harness import HISTORY, Cluster, Session, Tap, control, fault, make_server

JOB = "pytorch-ads-0001"
ONE = "SELECT role_arn FROM sm.training_jobs WHERE training_job_name = '%s'"
FIGURES = re.compile(r"\d+[.]\d{3} ms")


def slow_calls(cluster, session, query):
    """(what is logged while the query runs, times as "# ms"; their milliseconds; its SQLSTATE)."""
    with open(cluster.directory + "/log", encoding="utf-8") as file:
        file.seek(0, 2)
        state = session.ask(query)[1]
        text = file.read()
    lines = [re.sub(r"^.*? \[\d+\] ", "", line) for line in text.splitlines()]
    return ([FIGURES.sub("# ms", line) for line in lines],
            [float(figure[:-3]) for figure in FIGURES.findall(text)], state)


def test_log(tap, cluster):
    session = Session()
    control("config", {"request_id": "id-of-the-request", "latency_ms": {"DescribeTrainingJob": 1500}})
    tap.equal(slow_calls(cluster, session, ONE % JOB)[0], [], "no call is logged unless that is asked for")
    session.run("SET sagemaker_fdw.log_min_duration = '1s'")
    lines, took_ms, _ = slow_calls(cluster, session, ONE % JOB)
    tap.equal(lines, ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
                      "1 attempt, request id id-of-the-request" % JOB], "a slow call is one line in the log")
    tap.ok(len(took_ms) == 1 and took_ms[0] >= 1500, "... with the time it took", took_ms)
    tap.equal(slow_calls(cluster, session, "SELECT count(*) FROM sm.training_jobs")[0], [], "calls that are not slow are not logged")

    control("config", {"latency_ms": 0})
    session.run("SET sagemaker_fdw.log_min_duration = 0")
    fault(kind="error", code="ThrottlingException", times=1)
    tap.equal(slow_calls(cluster, session, ONE % JOB)[0],
              ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
               "2 attempts, request id id-of-the-request" % JOB], "attempts are one call")
    tap.equal(slow_calls(cluster, session, "SELECT training_job_name FROM sm.training_jobs LIMIT 1")[0],
              ["LOG:  ListTrainingJobs on server \"sm\" succeeded after # ms: 1 attempt, request id id-of-the-request"],
              "a page is no job's")
    fault(kind="error", code="AccessDeniedException")
    lines, _, state = slow_calls(cluster, session, "SELECT sagemaker_describe_training_job('sm', '%s')" % JOB)
    tap.equal((lines[:1], state), (["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" failed after # ms: "
                                    "1 attempt, request id id-of-the-request" % JOB], "42501"), "a call that fails is logged, too")
    fault(kind="reset_before", times=0)
    session.run("ALTER SERVER sm OPTIONS (ADD max_attempts '2')")
    lines, _, state = slow_calls(cluster, session, ONE % JOB)
    control("clear", b"")
    session.run("ALTER SERVER sm OPTIONS (DROP max_attempts)")
    tap.equal((lines[:1], state), (["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" failed after # ms: "
                                    "2 attempts, no request id" % JOB], "08006"), "... without a request id when there was no answer")
    control("config", {"request_id": "two\twords of %s" % HISTORY[1]})
    lines, _, _ = slow_calls(cluster, session, ONE % JOB)
    control("config", {"request_id": None})
    tap.equal(lines, ["LOG:  DescribeTrainingJob of training job \"%s\" on server \"sm\" succeeded after # ms: "
                      "1 attempt, no request id" % JOB], "any text is no id")
    session.run("CREATE ROLE plain; SET ROLE plain")
    tap.equal(session.ask("SET sagemaker_fdw.log_min_duration = -1")[1], "42501", "only superusers set what is logged")
    session.run("RESET ROLE; DROP ROLE plain")
    session.close()


def test_alone():
    """A cluster that does not preload the library."""
    tap = Tap()
    cluster = Cluster()
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "sm")
        session.close()
        test_log(tap, cluster)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    test_alone()
