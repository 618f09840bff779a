"""The views of what jobs cost: 2,000 jobs of all kinds, compared row by row with a separate program that uses exact fractions.

Run below test/with-service.
"""
import collections
import datetime
import decimal
import json
import os
import random
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "service"))
import prices
from cost_reference import UTC, History, job_charges, job_costs, moment
from harness import URL, control, main, make_server

JOBS = 2000
SEED = 20
ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "us-west-2", "cn-northwest-1")
PLAN = "arn:aws:sagemaker:us-east-1:123456789012:training-plan/plan-of-a-job"
TYPES = prices.instance_types()
# Types whose price has something odd: three jobs in ten have one.
ODD = sorted(prices.ODD)
HALF = TYPES[::2]
OTHERS = TYPES[1::2]
# What is cut: first, half of the types and storage; then the other half, back to a date that some prices have and others
# come after, while the first half is as it was; then all.
CUTS = (None,
        {"effective_date": "2026-03-01T00:00:00Z", "percent": 30, "instance_types": [None] + HALF},
        {"effective_date": "2025-01-01T00:00:00Z", "percent": 45, "instance_types": OTHERS},
        {"effective_date": "2026-06-01T00:00:00Z", "percent": 10})
EXACT = Fraction(1, 10 ** 12)

TIMES = ("charge_period_start", "charge_period_end", "price_effective_date", "creation_time")
FIGURES = ("pricing_quantity", "list_unit_price", "list_cost", "prepaid_list_cost", "training_list_cost", "warm_pool_list_cost",
           "storage_list_cost")


# -- jobs ----------------------------------------------------------------------------------------

def stamp(time):
    return None if time is None else time.astimezone(UTC).isoformat()


def a_start(draw):
    """When a job starts: before all prices, near a change of price or the end of a month, in a leap year, or at any time."""
    kind = draw.randrange(8)
    if kind == 0:
        return datetime.datetime(2022, draw.randint(1, 12), draw.randint(1, 28), 7, tzinfo=UTC)
    if kind == 1:
        change = moment(draw.choice(prices.DATES + tuple(cut["effective_date"] for cut in CUTS if cut)))
        return change + datetime.timedelta(microseconds=draw.choice((-1, 0, 1, -3600000000, 3600000000)))
    if kind == 2:
        month = datetime.datetime(draw.choice((2023, 2024, 2025)), draw.randint(1, 12), 1, tzinfo=UTC)
        return month - datetime.timedelta(seconds=draw.choice((0, 1, 1800, 86400, 20 * 86400)))
    if kind == 3:
        return datetime.datetime(2024, 2, draw.randint(1, 29), draw.randint(0, 23), tzinfo=UTC)
    return datetime.datetime(2023, 11, 1, tzinfo=UTC) + datetime.timedelta(microseconds=draw.randrange(3 * 365 * 86400 * 10 ** 6))


def a_length(draw):
    return draw.choice((0, 1, 59, 600, 3599, 3600, 3601, 86400, 431999, 28 * 86400, 75 * 86400, draw.randint(1, 500000))) + (
        draw.choice((0, 0, 0.25, 0.000001)))


def a_type(draw):
    return draw.choice(ODD if draw.random() < 0.3 else TYPES + ["ml.z9.xlarge"])


def preferences(draw):
    """A ResourceConfig with instance preferences."""
    types = draw.sample(TYPES, draw.randint(1, 3))
    each = draw.random() < 0.6
    choices = []
    for instance_type in types + draw.choices(types, k=draw.randint(0, 2)):
        choices.append({"InstanceType": instance_type})
        if each:
            choices[-1]["InstanceCount"] = draw.randint(1, 2)
        if draw.random() < 0.5:
            choices[-1]["TrainingPlanArns"] = [PLAN] * draw.choice((0, 1, 2))
    config = {"InstancePreferences": choices, "VolumeSizeInGB": draw.choice((0, 50))}
    if not each:
        config["InstanceCount"] = draw.randint(1, 3)
    if draw.random() < 0.8:
        chosen = draw.choice(choices)
        config["SelectedInstanceType"] = chosen["InstanceType"]
        config["SelectedInstanceCount"] = chosen.get("InstanceCount", config.get("InstanceCount"))
    return config


def resource_config(draw):
    """A job's ResourceConfig; serverless jobs have none."""
    kind = draw.random()
    if kind < 0.04:
        return None
    if kind < 0.22:
        return preferences(draw)
    config = {"VolumeSizeInGB": draw.choice((0, 0, 1, 30, 30, 500, 16384))}
    if kind < 0.4:
        config["InstanceGroups"] = [
            {"InstanceGroupName": "group-%d" % number, "InstanceType": a_type(draw), "InstanceCount": draw.choice((1, 2, 16))}
            for number in range(draw.choice((1, 2, 5)))]
    else:
        config.update(InstanceType=a_type(draw), InstanceCount=draw.choice((1, 1, 2, 7, 64)))
        if kind < 0.45:
            config["InstanceGroups"] = []
    if draw.random() < 0.1:
        config["TrainingPlanArn"] = PLAN
    return config


def a_job(draw, number, start=None):
    """A row of the jobs table."""
    name = "job-%05d" % number
    region = draw.choice(REGIONS)
    status = draw.choice(("Completed",) * 5 + ("Failed", "Stopped", "InProgress", "Stopping", "Deleting"))
    running = status in ("InProgress", "Stopping")
    never = draw.random() < 0.08
    start = start or a_start(draw)
    created = start - datetime.timedelta(minutes=draw.randint(0, 3000))
    length = a_length(draw)
    end = None if running else start + datetime.timedelta(seconds=length)
    config = resource_config(draw)
    spot = draw.random() < 0.25 and "InstancePreferences" not in (config or {})
    billable = round(length * (draw.random() if spot else 1))
    if running or never or draw.random() < 0.03:
        billable = None
    pool = None
    if draw.random() < 0.25 and config is not None and not (running or never):
        pool = {"Status": draw.choice(("Available", "Terminated", "Terminated", "Reused", "InUse"))}
        if draw.random() < 0.8:
            pool["ResourceRetainedBillableTimeInSeconds"] = draw.choice((0, 1, 1799, 21600, 40 * 86400))
    return {"training_job_arn": "arn:aws%s:sagemaker:%s:%s:training-job/%s" % ("-cn" if region[:3] == "cn-" else "", region, ACCOUNT, name),
            "training_job_name": name, "training_job_status": status, "account_id": ACCOUNT, "region": region,
            "creation_time": stamp(created), "training_start_time": None if never else stamp(start),
            "training_end_time": stamp(end), "billable_time_in_seconds": billable,
            "enable_managed_spot_training": draw.choice((None, False)) if not spot else True,
            "resource_config": config, "warm_pool_status": pool,
            "tags": draw.choice((None, {}, {"team": "ads"}, {"team": "vision", "cost": "a'b"})),
            "refreshed_at": stamp(created)}


def all_jobs():
    """JOBS jobs; some reuse the name, and the ARN, of an earlier one."""
    draw = random.Random(SEED)
    jobs = [a_job(draw, number) for number in range(JOBS)]
    for job, earlier in zip(jobs[-20:], jobs):
        job.update((column, earlier[column]) for column in ("training_job_arn", "training_job_name", "region"))
    return jobs


def insert(session, jobs):
    for begin in range(0, len(jobs), 500):
        session.run("INSERT INTO reports.training_jobs SELECT * FROM jsonb_populate_recordset(NULL::reports.training_jobs, $json$%s$json$)"
                    % json.dumps(jobs[begin:begin + 500]))


# -- comparison ----------------------------------------------------------------------------------

def rows_of(session, view):
    """The view's rows, as the reference writes them."""
    rows = []
    for line in session.run("SELECT to_jsonb(v) FROM %s AS v" % view):
        row = {column: value for column, value in json.loads(line, parse_float=decimal.Decimal).items() if value is not None}
        row.update((column, moment(row[column])) for column in TIMES if column in row)
        row.update((column, Fraction(row[column])) for column in FIGURES if column in row)
        rows.append(row)
    return rows


def place(row):
    """The key by which rows of both sides are paired."""
    return (row["resource_id"], row["creation_time"], row.get("group_name") or "", row.get("charge", ""))


def differs(found, expected):
    """The columns in which two rows differ; figures may differ by numeric's rounding."""
    def same(column):
        one, other = found.get(column), expected.get(column)
        if column in FIGURES and None not in (one, other):
            return abs(one - other) <= EXACT * abs(other)
        return one == other

    # without a price the unit is a guess
    ignored = () if "list_unit_price" in expected else ("pricing_unit",)
    return [column for column in sorted(found.keys() | expected.keys()) if column not in ignored and not same(column)]


def compare(tap, found, expected, title):
    """Compare row by row; show a few rows that differ, the most frequent difference first."""
    found, expected = sorted(found, key=place), sorted(expected, key=place)
    if not tap.equal(collections.Counter(map(place, found)) - collections.Counter(map(place, expected)), {}, title + ": no row too many") | \
            tap.equal(collections.Counter(map(place, expected)) - collections.Counter(map(place, found)), {}, title + ": no row is missing"):
        return
    wrong = collections.defaultdict(list)
    for one, other in zip(found, expected):
        columns = differs(one, other)
        if columns:
            wrong[tuple(columns)].append((one, other))
    shown = []
    for columns, pairs in sorted(wrong.items(), key=lambda item: -len(item[1]))[:5]:
        one, other = pairs[0]
        shown.append("%d rows, such as %s: %s" % (len(pairs), place(one), ", ".join(
            "%s: %s, expected %s" % (column, one.get(column), other.get(column)) for column in columns)))
    tap.ok(not wrong, "%s: %d rows, each column" % (title, len(expected)), "\n".join(shown))


def check_views(session, tap, jobs, history, title):
    charges = [list(job_charges(job, history)) for job in jobs]
    flat = [row for rows in charges for row in rows]
    compare(tap, rows_of(session, "reports.job_charges"), flat, "job_charges " + title)
    compare(tap, rows_of(session, "reports.job_costs"), [job_costs(rows) for rows in charges], "job_costs " + title)
    return flat


# -- prices --------------------------------------------------------------------------------------

def refresh_prices(session, history, cut):
    """Refresh the prices after a cut; return the time afterwards."""
    control("config", {"price_cut": cut})
    before = moment(session.run("SELECT to_json(clock_timestamp())")[0].strip('"'))
    session.run("CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm', regions => ARRAY['us-east-1', 'us-west-2']); "
                "CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'cn')")
    history.refresh(REGIONS, [rate for region in REGIONS for rate in prices.expected_rates(region, cut)], before)
    return moment(session.run("SELECT to_json(clock_timestamp())")[0].strip('"'))


def test_jobs(session, tap):
    """Compare row by row, after each refresh of the prices."""
    jobs, history = all_jobs(), History()
    insert(session, jobs)
    draw = random.Random(SEED + 1)
    kinds = collections.Counter()
    for number, cut in enumerate(CUTS):
        after = refresh_prices(session, history, cut)
        if number == 0:
            session.run("CALL sagemaker_fdw_create_cost_views('reports', jobs => 'reports.training_jobs', prices => 'reports.training_prices')")
        # jobs that start between this refresh and the next
        later = [a_job(draw, JOBS + 100 * number + n, after) for n in range(50)]
        insert(session, later)
        jobs += later
        for row in check_views(session, tap, jobs, history, "after refresh %d" % (number + 1)):
            kinds.update((column, row[column]) for column in ("charge", "reason", "price_basis", "billing_currency", "training_job_status")
                         if column in row)
        if number == 0:
            session.run("CREATE TABLE reports.before AS SELECT * FROM reports.job_charges")
        elif number == 1:
            test_cut(session, tap, cut)
    tap.equal({label for column, label in kinds if column == "reason"},
              {"no price", "ambiguous price", "not selected yet", "prepaid", "plan not known", "serverless", "running", "warm pool open",
               "billable time not known"}, "every reason occurs")
    tap.equal({label for column, label in kinds if column == "price_basis"},
              {"in force", "earliest known", "training rate"}, "every basis occurs")
    tap.ok(min(kinds.values()) >= 20, "no case is rare", kinds)


def test_cut(session, tap, cut):
    """A price cut changes the cost of jobs that started after it, and of no others."""
    changed = session.run("SELECT coalesce(charge_period_start, creation_time) >= '%s', count(*) > 100 FROM (TABLE reports.before EXCEPT ALL "
                          "TABLE reports.job_charges) AS b GROUP BY 1" % cut["effective_date"])
    tap.equal(changed, ["t|t"], "a price cut changes no cost of a job that started before it")


# -- what no price list of the endpoint has ----------------------------------------------------

def test_history(session, tap):
    """Rates that were withdrawn, corrected, replaced by another SKU's, and listed again: the price depends on the job's start."""
    session.run("CREATE TABLE reports.odd_prices (LIKE reports.training_prices); CREATE SCHEMA odd; "
                "CALL sagemaker_fdw_create_cost_views('odd', 'reports.training_jobs', 'reports.odd_prices')")

    def prices_of(*rates):
        """The price of a job that starts in the middle of each month of 2025, "?" where there are two, "-" where there is none."""
        session.run("TRUNCATE reports.odd_prices, reports.training_jobs")
        for sku, price, effective, seen, withdrawn in rates:
            session.run("INSERT INTO reports.odd_prices (region, charge, instance_type, price, currency, unit, effective_date, sku, rate_code, "
                        "attributes, first_seen_at, withdrawn_at) VALUES ('us-east-1', 'training', 'ml.m5.large', %d, 'USD', 'Hrs', '%s-01', '%s', "
                        "'%s.1', '{}', '%s-01', %s)" % (price, effective, sku, sku, seen, "'%s-01'" % withdrawn if withdrawn else "NULL"))
        jobs = []
        for month in range(1, 13):
            job = a_job(random.Random(0), month, datetime.datetime(2025, month, 15, tzinfo=UTC))
            job.update(training_job_status="Completed", region="us-east-1", training_start_time="2025-%02d-15T00:00:00Z" % month,
                       training_end_time="2025-%02d-15T01:00:00Z" % month, billable_time_in_seconds=3600, enable_managed_spot_training=None,
                       resource_config={"InstanceType": "ml.m5.large", "InstanceCount": 1}, warm_pool_status=None)
            jobs.append(job)
        insert(session, jobs)
        return "".join(session.run("SELECT CASE WHEN reason IS NULL THEN list_cost::int::text WHEN reason = 'ambiguous price' THEN '?' ELSE '-' END "
                                   "FROM odd.job_charges ORDER BY charge_period_start"))

    # SKU, price, effective, first seen, withdrawn
    for rates, expected, title in (
            ([("A", 1, "2025-04", "2025-02", None)], "111111111111", "a price that begins later is the earliest known"),
            ([("A", 1, "2020-01", "2025-02", "2025-06")], "111111111111", "a price that was withdrawn stays the last one known"),
            ([("A", 1, "2020-01", "2025-02", "2025-06"), ("A", 2, "2025-04", "2025-06", None)], "111222222222", "a new price counts from its date"),
            ([("A", 1, "2020-01", "2025-02", "2025-06"), ("A", 2, "2020-01", "2025-06", None)], "111112222222",
             "... one of the same date from when it was seen"),
            ([("A", 1, "2025-04", "2025-02", "2025-06"), ("A", 2, "2025-02", "2025-06", None)], "222112222222",
             "... one of an earlier date before the old one, and from when it was seen"),
            ([("A", 1, "2020-01", "2025-02", None), ("A", 2, "2025-04", "2025-06", "2025-09")], "111222221111",
             "a price that was listed again counts again"),
            ([("A", 1, "2020-01", "2025-02", "2025-06"), ("B", 2, "2025-04", "2025-06", None)], "111222222222", "a new SKU takes the place of an old one"),
            ([("A", 1, "2020-01", "2025-02", "2025-06"), ("B", 2, "2020-01", "2025-06", None)], "111112222222",
             "... one of the same date from when it was seen"),
            ([("A", 1, "2020-01", "2025-02", None), ("B", 2, "2025-04", "2025-02", None)], "111?????????", "two SKUs with two prices are no price"),
            ([("A", 1, "2020-01", "2025-02", None), ("B", 2, "2025-04", "2025-02", "2025-08")], "111????11111", "... as long as both are listed"),
            ([("A", 1, "2020-01", "2025-02", "2025-07"), ("B", 2, "2020-01", "2025-02", "2025-08")], "??????222222",
             "... and of two that were withdrawn, the last one is known"),
            ([], "-" * 12, "no rate is no price")):
        tap.equal(prices_of(*rates), expected, title)

    # a status that this version does not know
    session.run("UPDATE reports.training_jobs SET training_job_status = 'Restarting', "
                "training_end_time = CASE WHEN training_start_time < '2025-07-01' THEN training_end_time END")
    tap.equal(session.run("SELECT coalesce(reason, 'none'), count(*) FROM odd.job_charges GROUP BY 1 ORDER BY 1"), ["no price|6", "running|6"],
              "for a job with an unknown status, its end tells whether it is running")


# -- tables, calls, rights -----------------------------------------------------------------------

def calls_of(session, query):
    control("calls")
    session.run(query)
    return control("calls").strip()


def test_calls(session, tap):
    """The views over the foreign table look up a single job."""
    session.run("CREATE SCHEMA live; CREATE SCHEMA parts; ALTER SERVER sm OPTIONS (ADD account_id '%s'); "
                "CALL sagemaker_fdw_create_cost_views('live', 'sm.training_jobs', 'reports.training_prices'); "
                "CALL sagemaker_fdw_create_partitioned_table('parts.training_jobs', servers => ARRAY['sm'], regions => ARRAY['us-east-1', 'eu-west-1']); "
                "CALL sagemaker_fdw_create_cost_views('parts', 'parts.training_jobs', 'reports.training_prices')" % ACCOUNT)
    for schema, describes in (("live", 1), ("parts", 2)):
        for view, tags in (("job_charges", ""), ("job_costs", " ListTags=1")):
            tap.equal(calls_of(session, "SELECT list_cost FROM %s.%s WHERE training_job_name = 'pytorch-ads-0001'" % (schema, view)),
                      "DescribeTrainingJob=%d%s" % (describes, tags), "the calls for one job's %s, %s" % (view, schema))
    tap.equal(calls_of(session, "SELECT list_cost FROM parts.job_charges WHERE training_job_name = 'pytorch-ads-0001' AND region_id = 'us-east-1'"),
              "DescribeTrainingJob=1", "... one where the region is known")
    # what the endpoint's jobs cost is the same by both tables
    session.run("CREATE SCHEMA kept; CALL sagemaker_fdw_refresh('kept.training_jobs', 'sm.training_jobs', since => '2000-01-01'); "
                "CALL sagemaker_fdw_create_cost_views('kept', 'kept.training_jobs', 'reports.training_prices')")
    tap.equal(session.run("SELECT count(*) > 300, count(DISTINCT resource_id) FROM (TABLE kept.job_charges UNION TABLE live.job_charges) AS c"),
              session.run("SELECT count(*) > 300, count(DISTINCT resource_id) FROM kept.job_charges"), "a refreshed table and the foreign table have the same charges")
    tap.equal(session.run("SELECT count(*) FROM (TABLE kept.job_charges EXCEPT TABLE live.job_charges) AS c"), ["0"], "... each of them")


def test_rights(session, tap):
    def complaint(sql, role=None):
        """SQLSTATE, and the lines of the error."""
        if role:
            session.run("SET ROLE " + role)
        lines, sqlstate = session.ask(sql)
        if role:
            session.run("RESET ROLE")
        return sqlstate, lines if sqlstate != "00000" else []

    def state(sql, role=None):
        sqlstate, lines = complaint(sql, role)
        return sqlstate, lines[0] if lines else ""

    def without_context(sql, role=None):
        """SQLSTATE, and error, detail and hint."""
        sqlstate, lines = complaint(sql, role)
        return sqlstate, *[line for line in lines if line.startswith(("ERROR:", "DETAIL:", "HINT:"))]

    make = "CALL sagemaker_fdw_create_cost_views('%s', jobs => '%s', prices => '%s')"
    jobs, rates = "reports.training_jobs", "reports.training_prices"
    session.run("CREATE ROLE costs_reader; CREATE ROLE costs_maker; CREATE SCHEMA theirs; GRANT USAGE ON SCHEMA reports TO costs_reader, costs_maker; "
                "GRANT SELECT ON reports.job_charges, reports.job_costs TO costs_reader; GRANT SELECT ON reports.training_jobs, "
                "reports.training_prices TO costs_maker")
    try:
        tap.equal(state("SELECT count(*) FROM reports.job_costs", "costs_reader")[0], "00000", "a role that may read the view needs no right on the tables")
        tap.equal(state("SELECT count(*) FROM reports.training_jobs", "costs_reader")[0], "42501", "... and has none")
        tap.equal(state(make % ("theirs", jobs, rates), "costs_maker"), ("42501", "ERROR:  permission denied for schema theirs"), "a schema without CREATE permission")
        session.run("GRANT USAGE, CREATE ON SCHEMA theirs TO costs_maker; REVOKE SELECT ON reports.training_prices FROM costs_maker; "
                    "GRANT SELECT (region, price) ON reports.training_prices TO costs_maker")
        tap.equal(without_context(make % ("theirs", jobs, rates), "costs_maker"),
                  ("42501", "ERROR:  permission denied for reports.training_prices",
                   'DETAIL:  Role "costs_maker" lacks SELECT.',
                   "HINT:  GRANT SELECT ON reports.training_prices TO costs_maker;"), "prices without SELECT permission")
        session.run("REVOKE SELECT ON reports.training_jobs FROM costs_maker")
        tap.equal(state(make % ("theirs", jobs, rates), "costs_maker")[1],
                  "ERROR:  permission denied for reports.training_jobs, reports.training_prices", "... and jobs")
        # what the views read is enough
        session.run("GRANT SELECT ON reports.training_jobs TO costs_maker; GRANT SELECT (region, charge, instance_type, usage_type, operation, price, "
                    "currency, unit, effective_date, sku, rate_code, attributes, first_seen_at, withdrawn_at) ON reports.training_prices TO costs_maker")
        for turn in ("made", "made again"):
            tap.equal(state(make % ("theirs", jobs, rates), "costs_maker")[0], "00000", "views are %s" % turn)
        tap.equal(session.run("SELECT DISTINCT viewowner FROM pg_views WHERE schemaname = 'theirs'"), ["costs_maker"], "... and belong to the caller")
        drop = "DROP VIEW IF EXISTS theirs.job_costs, theirs.job_charges;"
        for view in ("job_charges", "job_costs"):
            session.run("ALTER VIEW theirs.%s OWNER TO costs_reader" % view)
            tap.equal(without_context(make % ("theirs", jobs, rates), "costs_maker"),
                      ("42501", 'ERROR:  view theirs.%s belongs to role "costs_reader"' % view, "HINT:  Let that role call, or have it run: " + drop),
                      "another role's view is not replaced: %s" % view)
            session.run("GRANT costs_reader TO costs_maker")
            tap.equal(state(make % ("theirs", jobs, rates), "costs_maker")[0], "00000", "... but that of a role whose rights the caller has is replaced")
            session.run("REVOKE costs_reader FROM costs_maker; ALTER VIEW theirs.%s OWNER TO costs_maker" % view)
        session.run("DROP VIEW theirs.job_costs, theirs.job_charges; CREATE TABLE theirs.job_charges (); CREATE VIEW theirs.job_costs AS SELECT 1 AS one")
        tap.equal(without_context(make % ("theirs", jobs, rates)),
                  ("42809", "ERROR:  theirs.job_charges is not a view", "HINT:  Rename it, or name another schema."), "a table of that name is not replaced")
        session.run("DROP TABLE theirs.job_charges")
        tap.equal(without_context(make % ("theirs", jobs, rates)),
                  ("42P16", 'ERROR:  views in schema "theirs" have other columns',
                   'DETAIL:  cannot change name of view column "one" to "resource_id".',
                   "HINT:  %s and call again. Grants on them are lost." % drop), "nor a view with other columns")
        tap.equal(session.run("SELECT count(*) FROM pg_views WHERE viewname = 'job_charges' AND schemaname = 'theirs'"), ["0"], "... and no view is left behind")
        tap.equal(state(make % ("nowhere", jobs, rates)), ("3F000", 'ERROR:  schema "nowhere" does not exist'), "a schema that is missing")
        for wrong, line in (((rates, rates), "ERROR:  reports.training_prices is not a table of training jobs"),
                            ((jobs, jobs), "ERROR:  reports.training_jobs is not a table of prices")):
            tap.equal(state(make % ("theirs", *wrong)), ("42703", line), line[len("ERROR:  "):])
        session.run("CREATE TABLE theirs.jobs AS SELECT * FROM reports.training_jobs; "
                    "ALTER TABLE theirs.jobs DROP training_job_status, ALTER tags TYPE text")
        tap.equal(without_context(make % ("theirs", "theirs.jobs", rates))[2],
                  "DETAIL:  Columns that are missing, or of another type: training_job_status, tags jsonb.", "the error names what is wrong with it")
        tap.equal(state(make % ("theirs", jobs, rates + "_")), ("42P01", 'ERROR:  relation "reports.training_prices_" does not exist'), "a table that is missing")
        tap.equal(state("CALL sagemaker_fdw_create_cost_views(NULL, '%s', '%s')" % (jobs, rates))[0], "22004", "no schema at all")
        # prices into somebody else's table
        session.run("GRANT EXECUTE ON PROCEDURE sagemaker_fdw_refresh_prices TO costs_maker; GRANT USAGE ON FOREIGN SERVER sm TO costs_maker")
        control("calls")
        sqlstate, line = state("CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm')", "costs_maker")
        tap.equal((sqlstate, control("calls").strip()), ("42501", "none"), "another role's table is not refreshed: %s" % line)
    finally:
        session.ask("ROLLBACK; RESET ROLE; DROP OWNED BY costs_reader, costs_maker; DROP ROLE costs_reader, costs_maker")


def test(session, tap):
    make_server(session, "sm", pricing_endpoint_url=URL)
    make_server(session, "cn", pricing_endpoint_url=URL)
    session.run("ALTER SERVER cn OPTIONS (SET region 'cn-northwest-1'); CREATE SCHEMA reports; "
                "CALL sagemaker_fdw_refresh('reports.training_jobs', 'sm.training_jobs', since => now()); TRUNCATE reports.training_jobs")
    test_jobs(session, tap)
    test_rights(session, tap)
    test_calls(session, tap)
    test_history(session, tap)


if __name__ == "__main__":
    main(test)
