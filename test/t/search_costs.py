"""What scan_api 'auto' costs: estimates equal the calls of a fresh session, hints say where it would save calls, and
ANALYZE reads its sample with it.

Run below test/with-service --bulk 10000.
"""
import re

from harness import BULK, HISTORY, another_session, control, explained, fault, main, make_server
from named_faults import denied, late

JOBS = 10000
# a scan of documents that reads no tags: pages, batches, and the checks of a session's first 100 Searches
ESTIMATE = 100 + 100 + 27
DOCUMENTS = "SELECT count(role_arn) FROM %s.training_jobs"


def calls(key=BULK):
    """The calls since the last call of this function: {operation: count}."""
    line = control("calls", key=key[0]).strip()
    return {} if line == "none" else {name: int(count) for name, count in (part.split("=") for part in line.split())}


def made(session, sql, key=BULK):
    """The calls of statements that must succeed."""
    calls(key)
    session.run(sql)
    return calls(key)


def fresh(sql):
    """The calls of a session that has made none yet."""
    session = another_session()
    found = made(session, sql)
    session.close()
    return found


def scan_of(session, query):
    """The plan's node of the foreign table."""
    plan = explained(session, query)
    while "API Operations" not in plan:
        plan = plan["Plans"][0]
    return plan


def ask(session, sql, level="notice"):
    """(messages, SQLSTATE)."""
    session.run("SET client_min_messages = %s" % level)
    lines, state = session.ask(sql)
    session.run("SET client_min_messages = warning")
    return "\n".join(lines), state


def import_searched(session, name, keys, scan_api):
    """NAME.training_jobs, with the columns that Search has."""
    make_server(session, name, keys, scan_api=scan_api)
    session.run("DROP FOREIGN TABLE %s.training_jobs; IMPORT FOREIGN SCHEMA sagemaker FROM SERVER %s INTO %s OPTIONS (attributes 'search')"
                % (name, name, name))


def test_analyze(session, tap):
    # as many as can be: pages, batches with a check each
    tap.equal(made(session, "ANALYZE auto.training_jobs"),
              {"ListTrainingJobs": 100, "Search": 3, "DescribeTrainingJob": 3, "ListTags": 3},
              "ANALYZE lists all jobs, searches for the documents of 300, and checks one of each hundred")
    tap.equal(session.run("SELECT reltuples FROM pg_class WHERE oid = 'auto.training_jobs'::regclass"), [str(JOBS)], "... and counts the jobs")
    other = another_session()
    fault(**denied(operation="Search"))
    tap.equal(made(other, "SET client_min_messages = error; ANALYZE auto.training_jobs"),
              {"ListTrainingJobs": 100, "Search": 2, "DescribeTrainingJob": 300, "ListTags": 300}, "... or describes the sample where Search is denied")
    control("clear", b"")
    other.close()

    # the history's jobs are all in the sample: nothing is left to chance
    for name, scan_api in ("searched", "auto"), ("described", "describe"):
        import_searched(session, name, HISTORY, scan_api)
        session.run("ANALYZE %s.training_jobs" % name)
    statistics = ("SELECT attname, null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs, histogram_bounds::text, "
                  "correlation FROM pg_stats WHERE schemaname = '%s' AND attname <> 'raw_response' ORDER BY 1")
    got, expected = (session.run(statistics % name) for name in ("searched", "described"))
    tap.equal([line.partition("|")[0] for line, other in zip(got, expected) if line != other], [], "statistics are those of documents from Describe")
    tap.ok(len(got) == len(expected) > 30, "... for every column", len(got))


def test_estimates(session, tap):
    tap.equal(scan_of(session, DOCUMENTS % "auto")["Estimated API Calls"], ESTIMATE, "the estimate for 10,000 jobs that have ended")
    tap.equal(fresh(DOCUMENTS % "auto"), {"ListTrainingJobs": 100, "Search": 100, "DescribeTrainingJob": 27}, "... equals the calls of a fresh session")
    for query, estimate in (
            ("SELECT role_arn, tags FROM auto.training_jobs", ESTIMATE + 27),
            ("SELECT tags FROM auto.training_jobs", ESTIMATE + 27),
            ("SELECT training_job_name FROM auto.training_jobs", 100),
            ("SELECT role_arn FROM auto.training_jobs LIMIT 300", 3 + 3 + 3),
            ("SELECT role_arn FROM auto.training_jobs LIMIT 5", 1 + 1 + 1),
            ("SELECT role_arn FROM auto.training_jobs LIMIT 4", 1 + 4),
            ("SELECT raw_response FROM auto.training_jobs LIMIT 300", 3 + 300),
            ("SELECT raw_response->>'RoleArn' FROM auto.training_jobs LIMIT 300", 3 + 3 + 3)):
        scan = scan_of(session, query)
        tap.equal((scan["Estimated API Calls"], sum(fresh(query).values())), (estimate, estimate), "estimate and calls: %s" % query)

    # one in twenty is in progress: all are in the sample, so that this is known
    control("config", {"bulk_running": 5})
    session.run("SET sagemaker_fdw.analyze_jobs = %d; ANALYZE auto.training_jobs; RESET sagemaker_fdw.analyze_jobs" % JOBS)
    estimate = scan_of(session, DOCUMENTS % "auto")["Estimated API Calls"]
    found = fresh(DOCUMENTS % "auto")
    tap.ok(abs(estimate - sum(found.values())) <= 3 and found["DescribeTrainingJob"] > 500,
           "with 500 jobs in progress the estimate is off by only a few calls", (estimate, found))
    control("config", {"bulk_running": 0})
    session.run("ANALYZE auto.training_jobs")


def test_hints(session, tap):
    session.run("ANALYZE plain.training_jobs")
    hint = "With scan_api 'auto' it would take about %d calls."
    for query, expected in (
            (DOCUMENTS % "plain", hint % ESTIMATE),
            # it is given where more than 1,000 are saved
            ("SELECT role_arn FROM plain.training_jobs LIMIT 1012", hint % (11 + 11 + 11)),
            ("SELECT role_arn FROM plain.training_jobs LIMIT 1011", None),
            ("SELECT training_job_name FROM plain.training_jobs", None),
            ("SELECT raw_response FROM plain.training_jobs", None),
            ("SELECT profiling_status FROM every.training_jobs", None),
            (DOCUMENTS % "auto", None)):
        tap.equal(scan_of(session, query).get("API Hint"), expected, "the hint of %s" % query)

    # while it runs
    other = another_session()
    other.run("SET sagemaker_fdw.progress_interval = '20ms'")
    fault(**late(30, operation="ListTrainingJobs"))
    lines, state = ask(other, DOCUMENTS % "plain")
    tap.equal((state, hint % ESTIMATE in lines), ("00000", True), "progress notices include the hint")
    lines, state = ask(other, DOCUMENTS % "auto")
    tap.equal((state, "NOTICE" in lines, "scan_api" in lines), ("00000", True, False), "... unless the scan already uses Search")
    control("clear", b"")
    other.close()


def test_max_calls(session, tap):
    """Only queries that certainly need too many calls are rejected before the first call."""
    session.run("SET sagemaker_fdw.max_calls = %d" % ESTIMATE)
    tap.equal(sum(fresh("SET sagemaker_fdw.max_calls = %d; %s" % (ESTIMATE, DOCUMENTS % "auto")).values()), ESTIMATE, "as many calls as are allowed are made")
    calls()
    lines, state = ask(session, DOCUMENTS % "plain")
    tap.equal((state, calls()), ("54000", {}), "a scan that describes each job is rejected before its first call")
    tap.ok(re.search("the scan would make about 10100 calls, more than the limit of %d" % ESTIMATE, lines) and "scan_api 'auto'" in lines, "... with a hint", lines)
    session.run("SET sagemaker_fdw.max_calls = %d" % (ESTIMATE - 1))
    lines, state = ask(session, DOCUMENTS % "auto")
    tap.equal((state, calls(), "the scan would make about %d calls" % ESTIMATE in lines), ("54000", {}, True), "one call too many is rejected, too")
    # a guess is tried
    tap.equal(session.ask(DOCUMENTS % "auto" + " WHERE training_job_name LIKE 'bulk-00000%'"), (["9"], "00000"), "a query whose condition may save calls is tried")
    # and where Search is denied, the limit holds for what is made
    other = another_session()
    other.run("SET sagemaker_fdw.max_calls = 400")
    fault(**denied(operation="Search"))
    lines, state = ask(other, DOCUMENTS % "auto")
    tap.equal((state, "AWS denies Search" in lines), ("54000", True), "where Search is denied, the hint says so")
    tap.ok("sagemaker:Search" in lines, "... and which permission to grant", lines)
    control("clear", b"")
    session.run("RESET sagemaker_fdw.max_calls")
    other.close()


def test(session, tap):
    control("config", {"bulk_running": 0})
    import_searched(session, "auto", BULK, "auto")
    import_searched(session, "plain", BULK, "describe")
    make_server(session, "every", BULK)
    test_analyze(session, tap)
    test_estimates(session, tap)
    test_hints(session, tap)
    test_max_calls(session, tap)


if __name__ == "__main__":
    main(test)
