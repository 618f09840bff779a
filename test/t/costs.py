"""How a plan reaches the jobs, by the calls that it costs: look-ups or a walk of the list; and what nobody has counted yet.

Run below test/with-service.
"""
from harness import control, explained, main, make_server, nodes

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"


def calls_of(session, query):
    """(rows, calls) of a query."""
    control("calls")
    lines = session.run(query)
    return lines, control("calls").strip()


def scans(plan):
    """The foreign scans of a plan."""
    return [node for node in nodes(plan) if node["Node Type"] == "Foreign Scan"]


def operations(session, query):
    return [scan["API Operations"] for scan in scans(explained(session, query))]


def expect(session, tap, query, rows, calls, title):
    """Check a query's rows, in any order, its calls, and the operations in EXPLAIN."""
    found, made = calls_of(session, query)
    tap.equal((sorted(found), made), (sorted(rows), calls), title)
    told = {name for names in operations(session, query) for name in names}
    tap.equal(told, {part.split("=")[0] for part in calls.split()} if calls != "none" else told, "... and EXPLAIN shows them")


def names_of(n, known):
    """An array of n names; so many of them are names of jobs."""
    return "ARRAY['%s']" % "','".join(known + ["no-such-job-%d" % number for number in range(n - len(known))])


def test_names(session, tap):
    """When few jobs have many of the names, they are found in the list."""
    known = session.run("SELECT training_job_name FROM aws.training_jobs ORDER BY 1")
    listed = "SELECT training_job_name FROM aws.training_jobs WHERE training_job_name = ANY (%s)"
    described = listed + " AND role_arn <> ''"
    expect(session, tap, listed % names_of(500, known), known, "ListTrainingJobs=3", "500 names, by the list")
    expect(session, tap, listed % names_of(10000, known[:7]), known[:7], "ListTrainingJobs=3", "10,000 names, by the list")
    expect(session, tap, described % names_of(10000, known), known, "DescribeTrainingJob=300 ListTrainingJobs=3",
           "... and only the matching jobs are described")
    expect(session, tap, listed % names_of(20, known[:20]), known[:20], "DescribeTrainingJob=20", "20 names are looked up")
    expect(session, tap, described % names_of(100, known[:100]), known[:100], "DescribeTrainingJob=100",
           "... and 100 where they are described anyway")
    expect(session, tap, listed.replace("ANY (%s)", "'%s'") % known[0], known[:1], "DescribeTrainingJob=1", "one name is looked up")
    expect(session, tap, listed.replace("ANY (%s)", "'%s' ORDER BY creation_time") % known[0], known[:1], "DescribeTrainingJob=1",
           "... in an order that the list has, too")
    arns = "ARRAY(SELECT '%straining-job/' || name FROM unnest(%s) AS name)" % (ARN, names_of(500, known))
    tap.equal(calls_of(session, "SELECT count(*) FROM aws.training_jobs WHERE training_job_arn = ANY (%s)" % arns),
              (["300"], "ListTrainingJobs=3"), "500 ARNs, by the list")
    # all paths give as many rows
    tap.equal([scan["Plan Rows"] for scan in scans(explained(session, listed % names_of(20, known[:20])))], [20], "rows of 20 names")
    rows = [[scan["Plan Rows"] for scan in scans(explained(session, listed % names_of(500, known) + more))]
            for more in ("", " AND role_arn <> ''")]
    tap.ok(rows[0] == rows[1] and 200 < rows[0][0] <= 300, "rows of 500 names", rows)

    # nobody has counted the jobs: the list may be long
    expect(session, tap, listed.replace("aws.", "fresh.") % names_of(500, known), known, "DescribeTrainingJob=500",
           "500 names of a table without statistics are looked up")


def test_tuning_jobs(session, tap):
    tuning = "tuning_job_arn = '%shyper-parameter-tuning-job/tune-ads'" % ARN
    children = session.run("SELECT training_job_name FROM aws.training_jobs WHERE %s ORDER BY 1" % tuning)
    tap.ok(1 < len(children) < 100, "a tuning job has children", len(children))
    query = "SELECT training_job_name FROM aws.training_jobs WHERE %s" % tuning
    expect(session, tap, query, children, "ListTrainingJobsForHyperParameterTuningJob=1", "the children of a tuning job are listed")
    expect(session, tap, query.replace("aws.", "fresh."), children, "ListTrainingJobsForHyperParameterTuningJob=1",
           "... without statistics, too")
    expect(session, tap, query + " AND training_job_name = ANY (%s)" % names_of(500, children), children,
           "ListTrainingJobsForHyperParameterTuningJob=1", "... and many names are found among them")
    expect(session, tap, query + " AND training_job_name = '%s'" % children[0], children[:1], "DescribeTrainingJob=1",
           "... but one name is looked up")


def total_cost(session, query):
    return explained(session, query)["Total Cost"]


def test_rate(session, tap):
    """Calls are the scarce resource."""
    make_server(session, "slow", max_calls_per_second="10")
    session.run("ANALYZE slow.training_jobs; CREATE TABLE sixty AS SELECT training_job_name AS name "
                "FROM aws.training_jobs ORDER BY 1 LIMIT 60; ANALYZE sixty")
    expect(session, tap, "SELECT name FROM sixty JOIN slow.training_jobs ON training_job_name = name WHERE role_arn <> ''",
           session.run("SELECT name FROM sixty"), "DescribeTrainingJob=60", "at 10 calls a second 60 names of 300 jobs are looked up")
    query = "SELECT role_arn FROM %s.training_jobs"
    for server, calls in (("aws", 3 + 300 / 16), ("slow", 3 + 300)):
        tap.equal(round(total_cost(session, query % server) / 100 - 0.03, 3), round(calls, 3), "the cost of 303 calls, %s" % server)
    session.run("ALTER SERVER slow OPTIONS (SET max_calls_per_second '2')")
    tap.equal(round(total_cost(session, query % "slow") / 100 - 0.03, 3), 303 * 5, "... and at 2 a second")

    # what was learnt of the rate
    make_server(session, "limited")
    session.run("ALTER FOREIGN TABLE limited.training_jobs OPTIONS (ADD estimated_jobs '300')")
    before = total_cost(session, query % "limited")
    control("config", {"rate_limit": {"DescribeTrainingJob": 20}})
    session.run(query % "limited" + " LIMIT 60")
    control("config", {"rate_limit": 0})
    after = total_cost(session, query % "limited")
    tap.ok(after > 3 * before, "a learned rate counts", (before, after))
    control("calls")
    session.run("SELECT sagemaker_fdw_disconnect('limited')")
    tap.equal(total_cost(session, query % "limited"), before, "... as long as the session remembers it")
    control("reset", b"")


def test_no_statistics(session, tap):
    """A history that nobody has counted may be long."""
    names = session.run("SELECT name FROM sixty ORDER BY name LIMIT 20")
    session.run("CREATE TABLE twenty AS SELECT name FROM sixty ORDER BY name LIMIT 20; ANALYZE twenty")
    for join in ("twenty JOIN fresh.training_jobs ON training_job_name = name",
                 "twenty LEFT JOIN fresh.training_jobs ON training_job_name = name",
                 "twenty WHERE EXISTS (SELECT FROM fresh.training_jobs WHERE training_job_name = name)"):
        expect(session, tap, "SELECT name FROM " + join, names, "DescribeTrainingJob=20", "20 names are looked up: %s" % join)
    tap.equal(calls_of(session, "SELECT count(*) FROM fresh.training_jobs AS a JOIN fresh.training_jobs AS b USING (training_job_name)"),
              (["300"], "ListTrainingJobs=6"), "the jobs of a list that may be long are not looked up one by one")
    scan = explained(session, "SELECT training_job_name FROM fresh.training_jobs")
    tap.equal((scan["Plan Rows"], scan["Estimated API Calls"]), (1000, "10 (no statistics)"), "EXPLAIN shows that this is only a guess")


def test_settled(session, tap):
    """The region, and an account that is given, are known when planning."""
    make_server(session, "own", account_id="123456789012")
    make_server(session, "own_too", account_id="123456789012")
    session.run("ANALYZE own.training_jobs")
    query = "SELECT role_arn FROM %s.training_jobs WHERE %s"
    for condition, rows in (
            ("region = 'us-east-1'", True), ("region = 'eu-west-1'", False), ("region IN ('eu-west-1', 'us-east-1')", True),
            ("region IN ('eu-west-1', 'eu-west-2')", False), ("region <> 'eu-west-1'", True), ("region <> 'us-east-1'", False),
            ("region LIKE 'us-%'", True), ("region = NULL", False), ("region IS NULL", False),
            ("account_id = '123456789012'", True), ("account_id = '210987654321'", False),
            ("region = 'us-east-1' AND account_id <> '210987654321'", True),
            ("(region = 'eu-west-1' OR account_id = '123456789012')", True),
            ("region = lower('US-EAST-1')", True), ("region = current_setting('timezone')", False)):
        for server, expected in (("own", (300, 303, 3 + 300 / 16)), ("own_too", (1000, "1010 (no statistics)", 1000 + 100000 / 16))):
            plan = explained(session, query % (server, condition))
            if plan["Node Type"] == "Result":
                tap.ok(not rows, "no scan at all: %s" % condition)
                continue
            found = (plan["Plan Rows"], plan["Estimated API Calls"], round(plan["Total Cost"] / 100 / expected[2], 1))
            none = 0 if server == "own" else "0 (no statistics)"
            tap.equal(found, expected[:2] + (1.0,) if rows else (1, none, 0.0), "%s, %s" % (server, condition))
        tap.equal(calls_of(session, "SELECT count(training_job_name) FROM own.training_jobs WHERE " + condition),
                  (["300"], "ListTrainingJobs=3") if rows else (["0"], "none"), "... and so it is")
    # what a job says, too, and what may raise an error
    for condition in ("region = training_job_name", "(region = 'eu-west-1' OR training_job_status = 'Failed')",
                      "length(region) / (length(region) - 9) = 1"):
        tap.ok(scans(explained(session, query % ("own", condition)))[0]["Estimated API Calls"] > 0, "not known when planning: %s" % condition)
    for server in ("own", "own_too"):
        rows, calls = calls_of(session, "SELECT role_arn FROM twenty LEFT JOIN %s.training_jobs "
                               "ON training_job_name = name AND region = 'eu-west-1'" % server)
        tap.equal((rows, calls), ([""] * 20, "none"), "a join that cannot match, %s" % server)
        rows, calls = calls_of(session, "SELECT count(role_arn) FROM twenty LEFT JOIN %s.training_jobs "
                               "ON training_job_name = name AND region = 'us-east-1'" % server)
        tap.equal((rows, calls), (["20"], "DescribeTrainingJob=20"), "... and one that can")


def test_conditions(session, tap):
    """Conditions and computed columns have a cost besides the calls."""
    session.run("CREATE FUNCTION dear(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE COST 1000000 AS 'BEGIN RETURN true; END'")
    query = "SELECT training_job_name FROM aws.training_jobs"
    per_job = 1000000 * float(session.run("SHOW cpu_operator_cost")[0])
    plain = total_cost(session, query)
    # of 300 jobs the condition is taken to leave a third
    tap.equal(round((total_cost(session, query + " WHERE dear(training_job_name)") - plain) / per_job), 300 + 100,
              "a condition that is checked early is evaluated twice")
    tap.equal(round((total_cost(session, query + " WHERE dear(training_job_name) AND random() < 2") - plain) / per_job), 300 + 100,
              "... besides others")
    tap.equal(round(total_cost(session, query + " WHERE training_job_name = 'x' AND dear(training_job_name)") / per_job), 2,
              "in a look-up as well")
    session.run("SET enable_hashjoin = off; SET enable_mergejoin = off")
    scan = scans(explained(session, "SELECT name FROM twenty JOIN aws.training_jobs ON training_job_name = name WHERE dear(role_arn)"))[0]
    tap.equal((scan["API Operations"], round(scan["Total Cost"] / per_job)), (["DescribeTrainingJob"], 2), "... and in a nested loop")
    session.run("RESET enable_hashjoin; RESET enable_mergejoin")


def test(session, tap):
    make_server(session, "aws")
    make_server(session, "fresh")
    session.run("ANALYZE aws.training_jobs")
    test_names(session, tap)
    test_tuning_jobs(session, tap)
    test_rate(session, tap)
    test_no_statistics(session, tap)
    test_settled(session, tap)
    test_conditions(session, tap)


if __name__ == "__main__":
    main(test)
