"""Forms of conditions: how many calls each costs, and that none loses a row.

Each query is asked of a foreign table and of a copy of its rows.  Run below test/with-service.
"""
from harness import HISTORY, control, main, make_server

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
A, B = "pytorch-ads-0001", "xgboost-ads-0011"
LIST = "ListTrainingJobs="
DESCRIBE = "DescribeTrainingJob="

def serve(name, members):
    control("document?name=%s" % name, ('{"TrainingJobName": "%s", "TrainingJobArn": "%s%s", %s}'
                                        % (name, ARN, name, members)).encode())


def ask(session, query, table):
    return session.ask(query.replace("JOBS", table))


def compare(session, tap, query, calls, what="", table="forms.jobs"):
    """Check that the query returns the copy's rows, with these calls."""
    expected = ask(session, query, table.replace("forms.", "forms.copy_of_"))
    control("calls", key=HISTORY[0])
    found = ask(session, query, table)
    made = control("calls", key=HISTORY[0]).strip()
    tap.equal((sorted(found[0]), found[1], made), (sorted(expected[0]), expected[1], calls), "%s%s" % (what, query))


def make_tables(session):
    make_server(session, "aws", fetch_size=10)
    make_server(session, "searched", scan_api="search")
    # some that begin or end a day somewhere, or are next to a change of clocks
    for number, time in enumerate([
            "1741503599.999999", "1741503600", "1741503601", "1741507200", "1762059600", "1762063199.5", "1762063200",
            "1762066800", "1762070400", "1293840000", "1325239200", "1325325600", "1325329200", "1762056000", "1762057800"]):
        serve("clock-%d" % number, '"TrainingJobStatus": "Completed", "CreationTime": %s, "LastModifiedTime": %s' % (time, time))
    session.run("CREATE SCHEMA forms")
    columns = ("training_job_name text, training_job_arn text, tuning_job_arn text, creation_time timestamptz, "
               "last_modified_time timestamptz, training_start_time timestamptz, enable_network_isolation boolean, "
               "training_job_status sagemaker_training_job_status, second timestamptz(0) {option}, role_arn text")
    for name, server in (("jobs", "aws"), ("searched", "searched")):
        session.run("CREATE FOREIGN TABLE forms.%s (%s) SERVER %s" % (
            name, columns.format(option="OPTIONS (attribute 'CreationTime')"), server))
        session.run("CREATE TABLE forms.copy_of_%s AS SELECT * FROM forms.jobs" % name)
    # names that are equal in more ways than by their bytes
    session.run("CREATE COLLATION IF NOT EXISTS forms.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    session.run("CREATE FOREIGN TABLE forms.cases (training_job_name text COLLATE forms.any_case) SERVER aws; "
                "CREATE TABLE forms.copy_of_cases AS SELECT * FROM forms.cases")


NAME = "SELECT training_job_name FROM JOBS WHERE "

# ----- ranges -----

# Of 32 pages of ten jobs, how many are listed.
RANGES = [
    ("creation_time::date = '2025-05-10'", 1),
    ("'2025-05-10' = creation_time::date", 1),
    ("creation_time::date >= '2025-06-20'", 6),
    ("creation_time::date > '2025-06-20'", 6),
    ("creation_time::date < '2025-04-20'", 2),
    ("creation_time::date <= '2025-04-20'", 2),
    ("creation_time::date = timestamp '2025-05-10'", 1),
    ("creation_time::date = timestamptz '2025-05-10'", 1),
    ("creation_time::date < timestamp '2025-04-20 12:00'", 2),
    ("creation_time::date BETWEEN '2025-05-10' AND '2025-05-12'", 2),
    ("creation_time::date = ANY ('{2025-05-10,NULL,2025-05-12}'::date[])", 2),
    ("creation_time::date = ANY ('{NULL,infinity}'::date[])", 0),
    ("creation_time::date = 'infinity'", 0),
    ("creation_time::date > '-infinity' AND creation_time::date < '2025-04-20'", 2),
    ("creation_time::date < '-infinity'", 0),
    ("creation_time::date <> '2025-05-10'", 32),
    ("last_modified_time::date = '2025-05-10'", 32),
    ("second::date = '2025-05-10'", 1),
    ("second::date = '2025-03-09'", 1),
    ("date_trunc('microseconds', creation_time) = '2025-03-09 07:00:01'", 1),
    ("date_trunc('ms', creation_time) = '2025-03-09 07:00:01'", 1),
    ("date_trunc('second', creation_time) = '2025-03-09 07:00:01'", 1),
    ("date_trunc('minute', creation_time) = '2025-03-09 07:00'", 1),
    ("date_trunc('hour', creation_time) = '2025-03-09 07:00'", 1),
    ("date_trunc('day', creation_time) = '2025-05-10'", 1),
    ("date_trunc('day', creation_time) = date '2025-05-10'", 1),
    ("date_trunc('DAYS', creation_time) < '2025-04-20'", 2),
    ("date_trunc('day', creation_time) > '2025-06-20'", 6),
    ("date_trunc('week', creation_time) = '2025-05-12'", 4),
    ("date_trunc('month', creation_time) = '2025-06-01'", 13),
    ("date_trunc('quarter', creation_time) = '2025-04-01'", 30),
    ("date_trunc('year', creation_time) = '2011-01-01'", 1),
    ("date_trunc('decade', creation_time) = '2010-01-01'", 1),
    ("date_trunc('century', creation_time) = '1901-01-01'", 1),
    ("date_trunc('millennium', creation_time) < '2001-01-01'", 32),
    ("date_trunc('day', creation_time, 'UTC') = '2025-05-10'", 1),
    ("date_trunc('day', creation_time, 'America/New_York') = '2025-05-10 04:00'", 1),
    ("date_trunc('day', creation_time, 'msk') = '2025-05-09 21:00'", 12),
    ("date_trunc('day', creation_time) = 'infinity'", 0),
    ("date_trunc('day', creation_time) = NULL", 0),
    ("date_trunc('day', second) = '2025-05-10'", 1),
    ("creation_time = ANY (ARRAY['2025-03-09 08:00', NULL, '2025-04-19 03:44:52.143']::timestamptz[])", 1),
    ("creation_time IN ('2025-03-09 08:00', '2025-04-19 03:44:52.143')", 1),
    ("creation_time = ANY (ARRAY(SELECT d FROM generate_series(timestamp '2025-03-09 07:00', '2025-03-09 08:00', '1 hour') AS d))", 1),
    ("creation_time = ANY ('{}'::timestamptz[])", 0),
    ("creation_time = ANY ('{NULL}'::timestamptz[])", 0),
    ("creation_time = ANY (NULL::timestamptz[])", 0),
    ("creation_time = ANY ('{infinity,-infinity}'::timestamptz[])", 0),
    ("creation_time = ANY ('{infinity,2025-03-09 08:00}'::timestamptz[])", 1),
    ("second = ANY ('{2025-03-09 07:00,2025-03-09 07:00:01}'::timestamptz[])", 1),
    ("last_modified_time = ANY ('{2025-03-09 07:00,2025-03-09 08:00}'::timestamptz[])", 32),
    ("creation_time BETWEEN SYMMETRIC '2025-05-12' AND '2025-05-10'", 1),
    ("creation_time BETWEEN SYMMETRIC (SELECT timestamptz '2025-05-12') AND '2025-05-10'", 1),
    ("creation_time BETWEEN SYMMETRIC (SELECT NULL::timestamptz) AND '2025-05-10'", 0),
    ("creation_time > '2025-06-25' OR creation_time = '2025-06-24 12:00'", 4),
    ("creation_time > '2025-06-25' OR creation_time > (SELECT NULL::timestamptz)", 3),
    ("creation_time > '2025-06-25' OR creation_time < '2025-04-20'", 32),
    ("creation_time > (SELECT 'infinity'::timestamptz) OR creation_time < '-infinity'", 0),
    ("creation_time > '2025-06-25' OR training_job_status = 'Failed'", 32),
    ("creation_time > '2025-06-25' OR last_modified_time > '2025-06-25'", 32),
    ("creation_time > '2025-06-25' OR creation_time IS NULL", 32),
    ("last_modified_time > '2025-11-01' OR last_modified_time::date = '2025-11-01'", 32),
    ("(creation_time > '2025-06-25' AND training_job_status = 'Failed') OR "
     "(creation_time > '2025-06-24' AND creation_time < '2025-06-26' AND training_job_name LIKE 'x%')", 4),
    ("(creation_time > '2025-06-25' AND creation_time < '2025-06-20') OR creation_time::date = '2025-05-10'", 1),
    ("(creation_time, training_job_name) < ('2025-04-20 07:51:17.819', 'tabular-ads-0009')", 2),
    ("(creation_time, training_job_name) <= ('2025-04-20 07:51:17.819', 'tabular-ads-0009')", 2),
    ("(creation_time, training_job_name) > ('2025-06-29 23:52:11.591', 'pytorch-vision-0298')", 1),
    ("('2025-06-29 23:52:11.591', 'pytorch-vision-0299') <= (creation_time, training_job_name)", 1),
    ("(creation_time, training_job_name) > ('2025-06-29', NULL)", 2),
    ("(creation_time, training_job_name) > (NULL, 'a')", 0),
    ("(creation_time::date, training_job_name) > ('2025-06-29', 'a')", 2),
    ("(second, training_job_name) < ('2025-03-09 07:00', 'clock-1')", 1),
    ("(training_job_name, creation_time) > ('x', '2025-06-29')", 32),
]


def test_ranges(session, tap):
    """Each of these conditions leaves a range of the list."""
    for condition, calls in RANGES:
        compare(session, tap, NAME + condition, LIST + str(calls) if calls else "none")
    # Search is asked for the same
    for condition in ("creation_time::date = '2025-05-10'", "training_start_time::date = '2025-05-10'",
                      "training_start_time = ANY (ARRAY(SELECT training_start_time FROM forms.copy_of_jobs "
                      "WHERE training_start_time < '2025-04-20'))",
                      "date_trunc('day', training_start_time) = '2025-05-11'",
                      "creation_time > '2025-06-25' OR creation_time = '2025-06-24 12:00'"):
        compare(session, tap, NAME + condition, "Search=1", "Search, ", "forms.searched")


ZONES = ["UTC", "America/New_York", "Pacific/Apia", "America/Havana", "Asia/Kolkata", "<Q>-167<P>0,67/0,68/0", "Europe/Moscow"]
UNITS = ["millisecond", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium"]


def test_clocks(session, tap):
    """Days and other units begin as the session's time zone says, where clocks may go back or forward."""
    subjects = ["creation_time::date", "second::date"]
    subjects += ["date_trunc('%s', creation_time)" % unit for unit in UNITS]
    subjects += ["date_trunc('%s', creation_time, '%s')" % (unit, zone) for unit in ("day", "month") for zone in ("Pacific/Apia", ZONES[5], "MSK")]
    for zone in ZONES:
        session.run("SET timezone = '%s'" % zone)
        differs = []
        for subject in subjects:
            value = subject + "::text" if subject.endswith("date") else "extract(epoch FROM %s)" % subject
            written = "date '%s'" if subject.endswith("date") else "to_timestamp(%s)"
            values = session.run("SELECT DISTINCT %s FROM forms.copy_of_jobs WHERE training_job_name LIKE 'clock%%'" % value)
            # all values at once: a row for each that has other rows than the copy, for any operator
            conditions = " UNION ALL ".join(
                "SELECT $${0} {1}$$, count(*), sum(hashtext(training_job_name)) FROM JOBS WHERE {2} {0} {1}".format(
                    operator, written % value, subject)
                for value in values[:2] for operator in ("<", "=", ">="))
            found, copied = [ask(session, conditions, table) for table in ("forms.jobs", "forms.copy_of_jobs")]
            if found != copied or found[1] != "00000":
                differs.append((subject, [pair for pair in zip(found[0], copied[0]) if pair[0] != pair[1]], found[1]))
        tap.equal(differs, [], "days and other units in %s" % zone)
    session.run("SET timezone = 'UTC'")
    # a plan that is kept is right in any time zone
    session.run("SET plan_cache_mode = force_generic_plan; PREPARE day(date) AS SELECT training_job_name FROM forms.jobs WHERE creation_time::date = $1")
    for zone in ("Pacific/Apia", "America/New_York", "UTC"):
        session.run("SET timezone = '%s'" % zone)
        tap.equal(sorted(session.run("EXECUTE day('2025-03-09')")),
                  sorted(session.run("SELECT training_job_name FROM forms.copy_of_jobs WHERE creation_time::date = '2025-03-09'")),
                  "a cached plan finds a day in %s" % zone)
    session.run("RESET plan_cache_mode; DEALLOCATE day")


# ----- look-ups -----

LOOKUPS = [
    ("(training_job_name = 'A' AND training_job_status = 'Failed') OR (training_job_name = 'B' AND role_arn <> '')", 2),
    ("(training_job_name = 'A' AND role_arn <> '') OR (training_job_name IN ('B', 'A') AND creation_time > '2025-01-01')", 2),
    ("(training_job_name = 'A' OR training_job_arn = 'arn:B') AND role_arn <> ''", 2),
    ("((training_job_name = 'A' OR training_job_name = 'B') AND role_arn <> '') OR training_job_name = 'no-such-job'", 3),
    ("(role_arn <> '' AND (training_job_name = 'A' OR training_job_name = 'B') AND training_job_name = 'A') OR "
     "(training_job_name = 'B' AND training_job_name IS NOT NULL)", 2),
    ("(training_job_name = 'A' AND role_arn <> '') OR (training_job_name = (SELECT NULL::text) AND role_arn <> '')", 1),
    ("(training_job_name, training_job_status) IN (('A', 'Failed'), ('B', 'Completed'), ('B', NULL))", 2),
    ("(training_job_status, training_job_name) IN (('Failed', 'A'))", 1),
    ("(training_job_name, training_job_status) IN (('A', 'Failed'), (NULL, 'Completed'))", 1),
    ("training_job_name COLLATE \"C\" = 'A'", 1),
    ("training_job_name COLLATE \"C\" IN ('A', 'B')", 2),
    ("training_job_name::varchar = 'A'", 1),
    ("training_job_name IS NOT DISTINCT FROM 'A'", 1),
    ("training_job_name IS NOT DISTINCT FROM (SELECT 'A')", 1),
    ("training_job_name IS NOT DISTINCT FROM (SELECT NULL)", 0),
    ("training_job_arn IS NOT DISTINCT FROM 'arn:A'", 1),
    ("training_job_name IS NOT DISTINCT FROM 'A' OR training_job_arn = 'arn:B'", 2),
    ("training_job_name LIKE 'A'", 1),
    ("training_job_name LIKE 'pytorch\\-ads-00\\01'", 1),
    ("training_job_name LIKE 'pytorch!-ads-0001' ESCAPE '!'", 1),
    ("training_job_name LIKE 'pytorch\\_ads-0001'", 0),
    ("training_job_name LIKE 'pytorch\\%'", 0),
    ("training_job_name LIKE ''", 0),
    ("training_job_name LIKE 'A' OR training_job_name LIKE 'B'", 2),
    ("training_job_name = 'A'::name", 1),
    ("'A'::name = training_job_name", 1),
    ("training_job_name = ANY ('{A,NULL,B}'::name[])", 2),
    ("training_job_name = (SELECT 'A'::name)", 1),
    # cut to 63 bytes, and asked for in other spellings
    ("training_job_arn = 'arn:A'::name", "DescribeTrainingJob=1 Search=1"),
    ("training_job_name = 'A'::name AND training_job_name IN ('A', 'B')", 1),
]


def spelled(condition):
    return condition.replace("'arn:", "'" + ARN).replace("'A'", "'%s'" % A).replace("'B'", "'%s'" % B).replace(
        "{A,NULL,B}", "{%s,NULL,%s}" % (A, B)).replace(ARN + "A'", ARN + A + "'").replace(ARN + "B'", ARN + B + "'")


def test_lookups(session, tap):
    query = "SELECT training_job_name, role_arn FROM JOBS WHERE "
    for condition, calls in LOOKUPS:
        compare(session, tap, query + spelled(condition), DESCRIBE + str(calls) if calls in (1, 2, 3) else calls or "none")


def test_no_lookups(session, tap):
    """Conditions that look like look-ups but are not."""
    for condition, calls in (
            ("training_job_name LIKE 'pytorch-ads-000_'", LIST + "32"),
            ("training_job_name LIKE 'pytorch-ads-0001%'", LIST + "32"),
            ("training_job_name LIKE (SELECT 'A')", LIST + "32"),
            ("training_job_name = 'A' OR training_job_status = 'Failed'", LIST + "32"),
            ("training_job_name IS DISTINCT FROM 'A'", LIST + "32"),
            ("training_job_name = 'A' OR training_job_name IS NULL", LIST + "32"),
            ("training_job_name NOT LIKE 'A'", LIST + "32"),
            ("training_job_name LIKE 'A\\'", LIST + "32")):
        compare(session, tap, NAME + spelled(condition), calls)
    compare(session, tap, NAME + "tuning_job_arn IS NOT DISTINCT FROM (SELECT NULL::text)", DESCRIBE + "315 " + LIST + "32")
    # where other bytes are equal, only a collation that tells them apart makes a look-up
    for condition, calls in (("= 'PYTORCH-ADS-0001'", LIST + "32"), ("IN ('PYTORCH-ADS-0001')", LIST + "32"),
                             ("IS NOT DISTINCT FROM 'PYTORCH-ADS-0001'", LIST + "32"),
                             ("COLLATE \"C\" = 'pytorch-ads-0001'", DESCRIBE + "1")):
        compare(session, tap, NAME + "training_job_name " + condition, calls, table="forms.cases")


def test_search(session, tap):
    """Tests of a boolean, and other equalities, as filters of Search."""
    for condition, calls in (("enable_network_isolation IS TRUE", 1), ("enable_network_isolation IS FALSE", 3),
                             ("enable_network_isolation IS NOT TRUE", 4), ("enable_network_isolation IS NOT FALSE", 4),
                             ("enable_network_isolation IS UNKNOWN", 1), ("enable_network_isolation IS NOT UNKNOWN", 3),
                             ("role_arn LIKE 'no-such-role'", 1), ("role_arn IS NOT DISTINCT FROM 'no-such-role'", 1)):
        compare(session, tap, NAME + condition, "Search=%d" % calls, "Search, ", "forms.searched")


def test_joins(session, tap):
    """The same forms with columns of another table."""
    session.run("CREATE TABLE forms.wanted AS SELECT name, name::name AS short, NULLIF(name, '{0}') AS maybe FROM unnest('{{{0},{1}}}'::text[]) AS name; "
                "ANALYZE forms.wanted".format(A, B))
    query = "SELECT name, training_job_name, role_arn FROM forms.wanted JOIN JOBS ON "
    for condition, calls in (("training_job_name = short", 2), ("training_job_name COLLATE \"C\" = name", 2),
                             ("training_job_name IS NOT DISTINCT FROM maybe", 1),
                             ("(training_job_name = name AND role_arn <> '') OR (training_job_name = maybe AND role_arn IS NULL)", 2)):
        compare(session, tap, query + condition, DESCRIBE + str(calls))
    # each row of the other table has a range of its own
    for condition, calls in (("creation_time::date = d", 2), ("date_trunc('day', creation_time) = d", 2),
                             ("(creation_time < d AND creation_time > d - 1) OR creation_time = d", 2)):
        compare(session, tap, "SELECT d, (SELECT count(*) FROM JOBS WHERE %s) FROM unnest('{2025-05-10,2025-06-01,NULL}'::date[]) AS d"
                % condition, LIST + str(calls))


def test_tuning_jobs(session, tap):
    """A join lists the children of each tuning job; Search still knows those of a deleted one, and is not asked about others."""
    gone = "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/gone"
    session.run("CREATE TABLE forms.tuned AS SELECT DISTINCT tuning_job_arn AS arn FROM forms.copy_of_jobs WHERE tuning_job_arn LIKE '%s'; "
                "INSERT INTO forms.tuned VALUES (NULL), ('no-arn'); ANALYZE forms.tuned" % "%ads")
    pages = "ListTrainingJobsForHyperParameterTuningJob="
    compare(session, tap, "SELECT arn, training_job_name FROM forms.tuned JOIN JOBS ON tuning_job_arn = arn", pages + "1")
    compare(session, tap, "SELECT arn, training_job_name FROM forms.tuned LEFT JOIN JOBS ON tuning_job_arn = arn "
            "AND training_job_status = 'Completed'", pages + "1")
    session.run("INSERT INTO forms.tuned SELECT DISTINCT tuning_job_arn FROM forms.copy_of_jobs WHERE tuning_job_arn LIKE '%s'" % "%search")
    compare(session, tap, "SELECT arn, training_job_name FROM forms.tuned JOIN JOBS ON tuning_job_arn = arn", pages + "2")
    session.run("CREATE TABLE forms.ordered AS SELECT '%s' AS arn UNION ALL SELECT * FROM forms.tuned; ANALYZE forms.ordered" % gone)
    compare(session, tap, "SELECT arn, training_job_name FROM forms.ordered JOIN JOBS ON tuning_job_arn = arn", pages + "3 Search=1")
    compare(session, tap, "SELECT arn, (SELECT count(*) FROM JOBS WHERE tuning_job_arn = arn) FROM forms.ordered", pages + "3 Search=1")


def test(session, tap):
    make_tables(session)
    test_ranges(session, tap)
    test_clocks(session, tap)
    test_lookups(session, tap)
    test_no_lookups(session, tap)
    test_search(session, tap)
    test_joins(session, tap)
    test_tuning_jobs(session, tap)
    control("reset", b"")


if __name__ == "__main__":
    main(test)
