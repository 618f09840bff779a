"""One table over several accounts and regions, and a refreshed copy of it.

Run below test/with-service --bulk 10000 --anchor NOW.  The cluster is the test's own: STS is the
local endpoint there.
"""
import json
import os
import random
import re
import signal
import subprocess
import time

from harness import BULK, HISTORY, URL, Cluster, Session, Tap, control, counters, fault, make_server, wait_for
from named_faults import denied, late, silent

DENIED = ("AKIDDENIED0000000001", "secret/of+the/denied/account0000000000001")
SINCE = "2017-11-01"


def calls(key=HISTORY):
    """The calls since the last call of this function: {operation: count}."""
    line = control("calls", key=key[0]).strip()
    return {} if line == "none" else {name: int(count) for name, count in (part.split("=") for part in line.split())}


def document(name, key=HISTORY[0], region="us-east-1"):
    return json.loads(control("document?name=%s&region=%s" % (name, region), key=key))


def put(name, changes, key=HISTORY[0], region="us-east-1"):
    """Serve the job with other members from now on."""
    facts = document(name, key, region)
    facts.update(changes)
    control("document?name=%s&region=%s" % (name, region), json.dumps(facts).encode(), key=key)


CONTEXTS = []


def ask(session, sql):
    """(the message and detail, SQLSTATE)."""
    lines, state = session.ask(sql)
    CONTEXTS.extend(line for line in lines if line.startswith("CONTEXT"))
    return " ".join(lines), state


def refresh(session, target="reports.jobs", source="aws.jobs", more=""):
    """The summary's numbers: inserted, updated, unchanged, deleted, calls."""
    session.run("SET client_min_messages = notice")
    lines = session.run("CALL sagemaker_fdw_refresh('%s', '%s', since => '%s'%s)" % (target, source, SINCE, more))
    session.run("SET client_min_messages = warning")
    for line in lines:
        found = re.match(r"NOTICE:  refreshed \S+: (\d+) inserted, (\d+) updated, (\d+) unchanged, (\d+) deleted, "
                         r"(\d+) calls$", line)
        if found:
            return [int(number) for number in found.groups()]
    raise AssertionError("no summary: %r" % lines)


def columns(session):
    return session.run("SELECT string_agg(column_name, ', ') FROM sagemaker_fdw_columns() "
                       "WHERE column_name NOT IN ('environment', 'raw_response')")[0]


def differences(session, target="reports.jobs", source="aws.jobs"):
    """How many jobs differ between target and source."""
    source_columns = re.sub(r"\b(training_job_status|secondary_status|profiling_status)\b", r"\1::text", columns(session))
    kept = "SELECT %s FROM %s WHERE deleted_at IS NULL" % (columns(session), target)
    read = "SELECT %s FROM %s" % (source_columns, source)
    return int(session.run("SELECT count(*) FROM ((%s EXCEPT ALL %s) UNION ALL (%s EXCEPT ALL %s)) AS d"
                           % (kept, read, read, kept))[0])


def test_partitioned_table(session, tap):
    """The procedure's table, and what the procedure rejects."""
    make = "CALL sagemaker_fdw_create_partitioned_table('%s', servers => %s%s)"
    session.run(make % ("aws.jobs", "ARRAY['history', 'bulk']", ", regions => ARRAY['us-east-1', 'eu-west-1']"))
    tap.equal(session.run("SELECT relid, pg_get_expr(relpartbound, oid), ftoptions FROM pg_partition_tree('aws.jobs') "
                          "JOIN pg_class ON oid = relid LEFT JOIN pg_foreign_table ON ftrelid = relid ORDER BY level, relid::text"),
              ["aws.jobs||",
               "aws.jobs_123456789012|FOR VALUES IN ('123456789012')|",
               "aws.jobs_345678901234|FOR VALUES IN ('345678901234')|",
               "aws.jobs_123456789012_eu_west_1|FOR VALUES IN ('eu-west-1')|{region=eu-west-1,account_id=123456789012}",
               "aws.jobs_123456789012_us_east_1|FOR VALUES IN ('us-east-1')|{region=us-east-1,account_id=123456789012}",
               "aws.jobs_345678901234_eu_west_1|FOR VALUES IN ('eu-west-1')|{region=eu-west-1,account_id=345678901234}",
               "aws.jobs_345678901234_us_east_1|FOR VALUES IN ('us-east-1')|{region=us-east-1,account_id=345678901234}"],
              "a partition for each account, with a partition below it for each region")
    tap.equal(session.run("SELECT a.attname, a.atttypid FROM pg_attribute AS a WHERE attrelid = 'aws.jobs'::regclass AND attnum > 0"),
              session.run("SELECT a.attname, a.atttypid FROM pg_attribute AS a WHERE attrelid = 'history.training_jobs'::regclass AND attnum > 0"),
              "its columns are those of IMPORT")
    calls(), calls(BULK)
    tap.equal(session.run("SELECT count(*) FROM aws.jobs WHERE account_id = '123456789012' AND region = 'eu-west-1'"), ["40"],
              "one account and region is read")
    tap.equal((calls(), calls(BULK)), ({"ListTrainingJobs": 1}, {}), "... and no other is called")

    tap.equal(session.run("SELECT sagemaker_fdw_account_id('history'), sagemaker_fdw_account_id('role'), "
                          "sagemaker_fdw_account_id('no_region', 'eu-west-1')"), ["123456789012|999999999999|123456789012"],
              "the account is the one that STS returns, or that in the role's ARN")
    session.run(make % ("own_regions", "ARRAY['ireland', 'bulk']", ""))
    tap.equal(session.run("SELECT relid FROM pg_partition_tree('own_regions') WHERE isleaf ORDER BY 1"),
              ["own_regions_123456789012_eu_west_1", "own_regions_345678901234_us_east_1"],
              "without regions, the server's own region is used")
    session.run(make % ('"My Schema"."My Jobs"', "ARRAY['history']", ", regions => ARRAY['us-east-1']"))
    tap.equal(session.run('SELECT count(*) FROM "My Schema"."My Jobs"'), ["300"], "names may need quotes")

    session.run("CREATE TABLE aws.plain (account_id text); CREATE TABLE aws.by_region (LIKE aws.plain) PARTITION BY HASH (account_id)")
    tree = "SELECT string_agg(relid || ' ' || oid, ', ' ORDER BY relid::text) FROM pg_partition_tree('aws.jobs') JOIN pg_class ON oid = relid"
    before = session.run(tree)
    for arguments, state, words in [
            (("aws.more", "ARRAY['history', 'ireland']", ", regions => ARRAY['us-east-1']"), "22023",
             'region us-east-1 of account 123456789012 is given twice'),
            (("aws.more", "ARRAY['history']", ", regions => ARRAY['us-east-1', 'us-east-1']"), "22023", "is given twice"),
            (("aws.more", "ARRAY['history', 'nowhere']", ""), "42704", 'server "nowhere" does not exist'),
            (("aws.more", "'{}'", ""), "22023", "no server is given"),
            (("aws.more", "ARRAY['history']", ", regions => '{}'"), "22023", "no region is given"),
            (("aws.more", "ARRAY['no_region']", ""), "HV00J", "region"),
            (("aws.more", "ARRAY['history']", ", regions => ARRAY['us east']"), "22023", "us east"),
            (("aws.plain", "ARRAY['history']", ""), "42809", "aws.plain exists, and is not a table of accounts and regions"),
            (("aws.by_region", "ARRAY['history']", ""), "42809", "aws.by_region exists, and is not a table of accounts and regions"),
            (("aws.jobs", "ARRAY['again']", ""), "22023",
             'region us-east-1 of account 123456789012 is given twice DETAIL:  In table aws.jobs server "history" reads it, and so would server "again".'),
            (("aws.jobs", "ARRAY['bulk', 'again']", ", regions => ARRAY['us-west-2', 'eu-west-1']"), "22023", "region eu-west-1 of account 123456789012"),
            (("nowhere.jobs", "ARRAY['history']", ""), "3F000", 'schema "nowhere" does not exist'),
            (("aws." + "x" * 45, "ARRAY['history']", ""), "42622", "is too long"),
            (("a.b.c", "ARRAY['history']", ""), "42602", "too many parts")]:
        message, got = ask(session, make % arguments)
        tap.equal(got, state, "%s %s is %s" % (arguments[1], arguments[2], state))
        tap.ok(words in message, "... and says so", message)
    tap.equal(session.run("SELECT count(*) FROM pg_class WHERE relname LIKE 'more%'"), ["0"], "a failure leaves nothing behind")
    tap.equal(session.run(tree), before, "... nor in a table that already existed")
    test_added_partitions(session, tap, make)

    session.run("CREATE ROLE guest; GRANT CREATE ON SCHEMA public TO guest; GRANT USAGE ON SCHEMA aws TO guest; SET ROLE guest")
    message, state = ask(session, make % ("guests", "ARRAY['history']", ""))
    tap.equal((state, "permission denied for foreign server history" in message), ("42501", True), "a role needs USAGE on the servers")
    message, state = ask(session, make % ("aws.jobs", "ARRAY['history']", ""))
    tap.equal((state, message.startswith('ERROR:  table aws.jobs belongs to role "postgres"')), ("42501", True), "... and cannot add to another role's table")
    message, state = ask(session, make % ("search.jobs", "ARRAY['history']", ""))
    tap.equal((state, message), ("42501", "ERROR:  permission denied for schema search HINT:  GRANT USAGE ON SCHEMA search TO guest."),
              "... and is told which right on a schema is missing")
    session.run("CREATE TABLE guests (account_id text) PARTITION BY LIST (account_id); RESET ROLE")
    tap.equal(ask(session, make % ("guests", "ARRAY['history']", ""))[1], "42501", "a superuser does not add to the table of a role that is not a superuser")
    session.run("DROP TABLE guests")


def test_added_partitions(session, tap, make):
    """Called again, the procedure adds what is missing."""
    tree = ("SELECT relid || coalesce(' ' || srvname || ' ' || ftoptions::text, '') FROM pg_partition_tree('aws.later') "
            "LEFT JOIN pg_foreign_table ON ftrelid = relid LEFT JOIN pg_foreign_server AS s ON s.oid = ftserver ORDER BY level, relid::text")
    leaf = "aws.later_%s_%s %s {region=%s,account_id=%s}"
    own, other = "123456789012", "345678901234"
    at = lambda account, region: leaf % (account, region.replace("-", "_"), {own: "history", other: "bulk"}[account], region, account)
    session.run(make % ("aws.later", "ARRAY['history']", ", regions => ARRAY['us-east-1']"))
    session.run("ALTER FOREIGN TABLE aws.later_123456789012_us_east_1 OPTIONS (ADD fetch_size '50'); SET client_min_messages = notice; "
                "CREATE TABLE later_oids AS SELECT relid::oid AS oid FROM pg_partition_tree('aws.later')")
    first = at(own, "us-east-1").replace("}", ",fetch_size=50}")
    notice = "NOTICE:  aws.later: %s added, %d of those named there already"
    for arguments, told, expected, title in [
            (("ARRAY['history']", ", regions => ARRAY['us-east-1', 'eu-west-1']"), ("1 partition", 1), [at(own, "eu-west-1"), first], "a region that is new is added"),
            (("ARRAY['history', 'bulk']", ", regions => ARRAY['us-east-1']"), ("1 partition", 1), [at(own, "eu-west-1"), first, at(other, "us-east-1")],
             "... and an account"),
            (("ARRAY['bulk']", ", regions => ARRAY['eu-west-1', 'us-west-2']"), ("2 partitions", 0),
             [at(own, "eu-west-1"), first, at(other, "eu-west-1"), at(other, "us-east-1"), at(other, "us-west-2")],
             "... and regions of one account alone"),
            (("ARRAY['history', 'bulk']", ""), ("0 partitions", 2),
             [at(own, "eu-west-1"), first, at(other, "eu-west-1"), at(other, "us-east-1"), at(other, "us-west-2")], "... and nothing where nothing is missing")]:
        tap.equal(session.run(make % ("aws.later", *arguments)), [notice % told], "%s %s" % (title, arguments))
        lines = session.run(tree)
        tap.equal((lines[0], lines[-len(expected):], len(lines)), ("aws.later", expected, 1 + len({line[10:22] for line in expected}) + len(expected)),
                  "... and the rest is unchanged")
    tap.equal(session.run("SELECT count(*) FROM later_oids JOIN pg_class USING (oid)"), ["3"], "no existing partition was recreated")
    session.run("SET search_path = aws, public")
    tap.equal(session.run(make % ("later", "ARRAY['history']", ", regions => ARRAY['us-west-2']")), ["NOTICE:  aws.later: 1 partition added, 0 of those named there already"],
              "a name without a schema is found through search_path")
    session.run("SET search_path = public, aws")
    tap.equal(session.run(make % ("later", "ARRAY['history']", ", regions => ARRAY['eu-west-2']")), ["NOTICE:  aws.later: 1 partition added, 0 of those named there already"],
              "... and its partitions are in the same schema")
    tap.equal(session.run("SELECT relnamespace::regnamespace, count(*) FROM pg_partition_tree('aws.later') JOIN pg_class ON oid = relid GROUP BY 1"), ["aws|10"],
              "... as the table")
    session.run("RESET search_path; SET client_min_messages = warning")
    tap.equal(session.run("SELECT count(*) FROM aws.later WHERE account_id = '123456789012' AND region = 'eu-west-1'"), ["40"], "the added partitions are read")
    session.run("DROP TABLE aws.later, later_oids")


ACCOUNTS, REGIONS = 12, ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1"]


def test_many_accounts(session, tap):
    """Twelve accounts and five regions in one query."""
    template = document(session.run("SELECT training_job_name FROM history.training_jobs LIMIT 1")[0])
    for number in range(ACCOUNTS):
        account, key = "%012d" % (600000000000 + number), "AKIDMANY0000000000%02d" % number
        control("keys", {"access_key_id": key, "secret_access_key": HISTORY[1], "session_token": None, "account": account})
        make_server(session, "account_%d" % number, (key, HISTORY[1]))
        for region in REGIONS:
            facts = dict(template, TrainingJobName="job", TrainingJobArn="arn:aws:sagemaker:%s:%s:training-job/job" % (region, account))
            control("document?name=job&region=%s" % region, json.dumps(facts).encode(), key=key)
    session.run("CALL sagemaker_fdw_create_partitioned_table('everything', servers => '{%s}', regions => '{%s}')"
                % (",".join("account_%d" % number for number in range(ACCOUNTS)), ",".join(REGIONS)))
    session.run("SELECT sagemaker_fdw_disconnect()")
    wait_for(lambda: counters()["connections_open"] == 0, "no connection is open")
    control("config", {"latency_ms": 20})
    tap.equal(session.run("SELECT count(*), count(DISTINCT (account_id, region)), count(role_arn) FROM everything"), ["60|60|60"],
              "twelve accounts and five regions form one table")
    control("config", {"latency_ms": 0})
    most = counters()["connections_open"]
    tap.ok(16 < most <= 64, "... and are read concurrently, within max_session_connections", most)


def unfinished(session, target="reports.jobs"):
    return int(session.run("SELECT count(*) FROM %s WHERE deleted_at IS NULL AND (training_job_status NOT IN "
                           "('Completed', 'Failed', 'Stopped') OR warm_pool_status->>'Status' IN ('Available', 'InUse'))" % target)[0])


def test_refresh(session, tap):
    """A table is filled once, and then refreshed."""
    session.run("CREATE SCHEMA reports")
    calls()
    numbers = refresh(session)
    tap.equal(numbers[:4], [340, 0, 0, 0], "the first refresh stores all jobs, and counts each once")
    made = calls()
    tap.equal(made["DescribeTrainingJob"], 340, "... and describes each once")
    tap.equal(sum(made.values()), numbers[4], "... and the summary counts all calls")
    tap.equal(differences(session), 0, "... with the source's values")
    tap.equal(session.run("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'reports' AND table_name = 'jobs' AND "
                          "(column_name IN ('environment', 'raw_response') OR data_type = 'USER-DEFINED')"), ["0"],
              "... without secrets and enum types")
    tap.equal(session.run("SELECT server, region, arn_prefix, filled_from, run_ended_at IS NOT NULL, error FROM sagemaker_fdw_refresh_state "
                          "WHERE target = 'reports.jobs'::regclass ORDER BY region"),
              ["history|%s|arn:aws:sagemaker:%s:123456789012:|2017-11-01 00:00:00+00|t|" % (region, region)
               for region in ("eu-west-1", "us-east-1")], "the state records how far the history is filled")

    session.run("CREATE TABLE before AS SELECT * FROM reports.jobs")
    running = unfinished(session)
    calls()
    numbers = refresh(session)
    made = calls()
    tap.equal(numbers[:2] + numbers[3:4], [0, 0, 0], "the second refresh changes nothing")
    tap.equal(made.get("DescribeTrainingJob", 0), running, "... and describes only the jobs that had not ended")
    tap.equal(session.run("SELECT count(*) FROM (TABLE before EXCEPT TABLE reports.jobs) AS d"), ["0"], "... and writes no row")
    # 30 days are two pages in one region and one in the other
    tap.equal(made["ListTrainingJobs"], 3, "... and reads only the pages of 30 days")
    tap.note("340 jobs, %d of which had not ended: the second refresh made %d calls" % (running, sum(made.values())))


NEWS = re.compile(r'NOTICE:  filling (\S+) from server "(\w+)", region "(\S+)": back to (\S+ \S+), (\d+) jobs and (\d+) calls so far(.*)$')


def test_news(session, tap):
    """What a long fill reports."""
    call = "CALL sagemaker_fdw_refresh('%s', '%s', since => '%s')"
    session.run("SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '1ms'")
    lines = [line for line in session.run(call % ("reports.news", "aws.jobs", SINCE)) if "reading" not in line]
    news = [NEWS.match(line).groups() for line in lines[:-1]]
    tap.ok(lines[-1].startswith("NOTICE:  refreshed reports.news: 340 inserted, 0 updated, 0 unchanged, 0 deleted, "), "a fill reports its windows", lines)
    for region, jobs in ("us-east-1", 300), ("eu-west-1", 40):
        told = [one for one in news if one[2] == region]
        tap.equal((told[-1][3], {one[0] for one in told}, {one[1] for one in told}, {one[6] for one in told}),
                  (SINCE + " 00:00:00+00", {"reports.news"}, {"history"}, {""}), "... back to the beginning of the history, in %s" % region)
        tap.equal(([one[3] for one in told], int(told[-1][4])), (sorted({one[3] for one in told}, reverse=True), jobs), "... one after another, to the last of its jobs")
    session.run("SET sagemaker_fdw.progress_interval = '1h'")
    tap.equal(len(session.run(call % ("reports.quiet", "aws.jobs", SINCE))), 1, "... but not before progress_interval has passed")
    session.run("SET sagemaker_fdw.progress_interval = 0; SET client_min_messages = warning; ANALYZE bulk.training_jobs")

    # what is told is committed, and what is left is estimated from statistics
    described = lambda: json.loads(control("counters", key=BULK[0]))["calls"].get("DescribeTrainingJob", 0)
    before = described()
    fault(**silent(operation="DescribeTrainingJob", skip=3000))
    other = Session()
    other.run("SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '1ms'")
    other.send(call % ("reports.estimated", "bulk.training_jobs", SINCE))
    wait_for(lambda: described() > before + 3000, "the fill hangs in a window", 60)
    kept = session.run("SELECT date_trunc('second', filled_from), jobs, calls FROM sagemaker_fdw_refresh_status WHERE target = 'reports.estimated'::regclass")
    rows = session.run("SELECT count(*) FROM reports.estimated")
    session.run("SELECT pg_cancel_backend(%d)" % other.pid)
    lines, state = other.receive()
    control("clear", b"")
    other.close()
    news = [NEWS.match(line).groups() for line in lines if line.startswith("NOTICE:  filling")]
    tap.equal((state, ["|".join(news[-1][3:6])], [news[-1][4]]), ("57014", kept, rows), "what the last notice reports is committed")
    estimates = [re.fullmatch(r"; about (\d+) jobs are left, for \d+ (?:s|min|h) more", one[6]) for one in news if one[4] != "0"]
    tap.ok(len(estimates) > 3 and all(estimates), "... and with statistics it estimates what is left", news)
    tap.equal([(jobs, one[1]) for jobs, one in zip([int(one[4]) for one in news if one[4] != "0"], estimates) if abs(10000 - jobs - int(one[1])) > 500], [],
              "... of 10,000 jobs, within 500")
    session.run("RESET sagemaker_fdw.progress_interval; DROP TABLE reports.news, reports.quiet, reports.estimated")


def documented(beginning):
    """The statement of doc/operations.md that begins like this."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/operations.md"), encoding="utf-8") as page:
        found = [block for block in re.findall(r"^```sql\n(.*?);\n```$", page.read(), re.M | re.S) if block.startswith(beginning)]
    assert len(found) == 1, found
    return found[0]


def test_outage(session, tap):
    """The documentation's alert finds a region that is down, and says for how long."""
    target = "reports.watched"
    alert = "SELECT server, region, date_trunc('hour', behind), running_since IS NULL, error FROM (%s) AS late ORDER BY server" % \
        documented("SELECT s.server, s.region, now() - s.last_success_at AS behind").replace("reports.training_jobs", target)
    call = "CALL sagemaker_fdw_refresh('%s', 'watched', since => '%s')" % (target, SINCE)
    status = ("SELECT server, region, filled_from, to_char(now() - last_success_at, 'DD \"days\" HH24'), running_since, jobs, calls, error "
              "FROM sagemaker_fdw_refresh_status WHERE target = '%s'::regclass ORDER BY server" % target)
    session.run("CALL sagemaker_fdw_create_partitioned_table('watched', servers => ARRAY['history', 'ireland'])")
    session.run(call)
    tap.equal(session.run(alert), [], "while everything works, the alert returns nothing")
    url = session.run("SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE srvname = 'ireland' AND option_name = 'endpoint_url'")[0]
    session.run("ALTER SERVER ireland OPTIONS (SET endpoint_url 'http://127.0.0.1:1', ADD max_attempts '1')")
    session.run("UPDATE sagemaker_fdw_refresh_state SET last_success_at = now() - interval '3 days', compared_at = now() - interval '3 days' "
                "WHERE target = '%s'::regclass AND server = 'ireland'" % target)
    down = "could not connect to http://127.0.0.1:1"
    for run in 1, 2:
        session.run("SET client_min_messages = notice")
        lines, state = session.ask(call)
        session.run("SET client_min_messages = warning")
        tap.equal((state, re.sub(r"\d+", "#", lines[0]), lines[1]),
                  ("08001", "NOTICE:  refreshed %s in part, # of # partitions: # inserted, # updated, # unchanged, # deleted, # calls" % target,
                   "ERROR:  refresh of %s: 1 of 2 partitions failed" % target), "run %d, while a region is down, refreshes the others" % run)
        tap.equal(session.run(alert), ["ireland|eu-west-1|3 days|t|" + down], "... and the alert says which region is three days behind, and why")
        made = session.run("SELECT jobs, calls FROM sagemaker_fdw_refresh_status WHERE target = '%s'::regclass AND server = 'history'" % target)[0]
        tap.equal(session.run(status), ["history|us-east-1|2017-11-01 00:00:00+00|00 days 00||%s|" % made,
                                        "ireland|eu-west-1|2017-11-01 00:00:00+00|03 days 00||0|1|" + down], "... and so does the status, for that region alone")
    session.run("ALTER SERVER history OPTIONS (SET endpoint_url 'http://127.0.0.1:1', ADD max_attempts '1')")
    session.run("SET client_min_messages = notice")
    lines, state = session.ask(call)
    session.run("SET client_min_messages = warning")
    tap.equal((state, lines[0], [line for line in lines if "NOTICE" in line]), ("08001", "ERROR:  refresh of %s: 2 of 2 partitions failed" % target, []),
              "a refresh that reads nothing reports only the error")
    session.run("UPDATE sagemaker_fdw_refresh_state SET last_success_at = now() - interval '59 minutes' WHERE target = '%s'::regclass AND server = 'history'" % target)
    tap.equal(session.run(alert), ["ireland|eu-west-1|3 days|t|" + down], "an error alone raises no alert within the hour")
    session.run("ALTER SERVER history OPTIONS (SET endpoint_url '%s', DROP max_attempts); ALTER SERVER ireland OPTIONS (SET endpoint_url '%s', DROP max_attempts)" % (url, url))
    session.run(call)
    tap.equal(session.run(alert), [], "the alert ends with the outage")
    session.run("UPDATE sagemaker_fdw_refresh_state SET last_success_at = now() - interval '2 hours' WHERE target = '%s'::regclass" % target)
    tap.equal(session.run(alert), ["history|us-east-1|02:00:00|t|", "ireland|eu-west-1|02:00:00|t|"], "a scheduler that has stopped raises the alert")
    session.run("UPDATE sagemaker_fdw_refresh_state SET last_success_at = NULL WHERE target = '%s'::regclass AND server = 'ireland'" % target)
    tap.equal(session.run(alert)[1], "ireland|eu-west-1||t|", "... and so does a partition that was never read to its end")
    session.run("SELECT sagemaker_fdw_refresh_forget('{0}', 'history'), sagemaker_fdw_refresh_forget('{0}', 'ireland')".format(target))
    tap.equal(session.run(alert), ["|||t|"], "... and a table that was never refreshed")
    session.run("DROP TABLE %s, watched" % target)


def test_changes(session, tap):
    """Changes to jobs, and how a refresh stores them."""
    names = session.run("SELECT training_job_name FROM reports.jobs WHERE region = 'us-east-1' AND training_job_status = 'Completed' "
                        "AND warm_pool_status IS NULL ORDER BY creation_time DESC LIMIT 6")
    modified, labelled, gone, again = names[:4]
    now = int(time.time())
    put(modified, {"LastModifiedTime": now, "BillableTimeInSeconds": 4711})
    put(labelled, {"LastModifiedTime": now, "TrainingJobStatus": "Paused", "SecondaryStatus": "Dreaming"})
    gone_document = document(gone)
    control("delete?name=%s" % gone, b"")
    put(again, {"CreationTime": now, "LastModifiedTime": now})
    new = dict(document(modified), TrainingJobName="brand-new", CreationTime=now, LastModifiedTime=now,
               TrainingJobArn="arn:aws:sagemaker:us-east-1:123456789012:training-job/brand-new")
    control("document?name=brand-new", json.dumps(new).encode())
    running = unfinished(session)
    calls()
    numbers = refresh(session)
    tap.equal(numbers[:2] + numbers[3:4], [2, 2, 2], "two jobs are new, two are changed, two are gone")
    # the new ones, the changed ones, and the one that is listed no more
    tap.equal(calls()["DescribeTrainingJob"], running + 5, "... with one call for each")
    tap.equal(session.run("SELECT billable_time_in_seconds FROM reports.jobs WHERE training_job_name = '%s'" % modified), ["4711"],
              "a changed job is updated")
    tap.equal(session.run("SELECT training_job_status, secondary_status FROM reports.jobs WHERE training_job_name = '%s'" % labelled),
              ["Paused|Dreaming"], "new labels are stored")
    tap.equal(session.run("SELECT deleted_at IS NOT NULL FROM reports.jobs WHERE training_job_name = '%s'" % gone), ["t"],
              "a deleted job is marked")
    tap.equal(session.run("SELECT deleted_at IS NOT NULL FROM reports.jobs WHERE training_job_name = '%s' ORDER BY creation_time" % again),
              ["t", "f"], "a reused name is two jobs")
    control("document?name=%s" % gone, json.dumps(gone_document).encode())
    numbers = refresh(session)
    tap.equal(numbers[:2] + numbers[3:4], [0, 1, 0], "a job that has reappeared")
    tap.equal(session.run("SELECT deleted_at FROM reports.jobs WHERE training_job_name = '%s'" % gone), [""], "... is unmarked")

    old = session.run("SELECT training_job_name FROM reports.jobs WHERE region = 'us-east-1' AND training_job_status = 'Completed' "
                      "AND warm_pool_status IS NULL ORDER BY creation_time LIMIT 2")
    tap.equal(session.run("SELECT count(*) FROM reports.jobs WHERE training_job_name = ANY ('{%s}') AND creation_time < now() - interval '31 days'"
                          % ",".join(old)), ["2"], "two jobs are older than any job can run")
    put(old[0], {"LastModifiedTime": now, "FailureReason": "late"})
    control("delete?name=%s" % old[1], b"")
    numbers = refresh(session)
    tap.equal(numbers[:2] + numbers[3:4], [0, 0, 0], "... their changes are not looked for")
    numbers = refresh(session, more=', "full" => true')
    tap.equal(numbers[:2] + numbers[3:4], [0, 1, 1], "... except by a full refresh")
    control("reset", b"")


def test_stopped(session, tap):
    """Refreshes that fail, after a long time without one."""
    target, source = "reports.stopped", "history.training_jobs"
    refresh(session, target, source)
    session.run("UPDATE sagemaker_fdw_refresh_state SET compared_at = now() - interval '60 days' WHERE target = '%s'::regclass" % target)
    missed = int(session.run("WITH d AS (DELETE FROM %s WHERE creation_time BETWEEN now() - interval '59 days' AND now() - interval '31 days' "
                             "RETURNING 1) SELECT count(*) FROM d" % target)[0])
    tap.ok(missed > 0, "jobs have been created since the last refresh, two months ago", missed)
    for skip in 0, 1:
        fault(**denied(operation="ListTrainingJobs", message="not today", skip=skip))
        tap.equal(ask(session, "CALL sagemaker_fdw_refresh('%s', '%s', since => '%s')" % (target, source, SINCE))[1], "42501",
                  "the next one fails after %d pages" % skip)
        control("clear", b"")
    tap.equal(refresh(session, target, source)[0], missed, "... and the one after it stores them all")
    tap.equal(differences(session, target, source), 0, "... with the source's values")


def test_interrupted(session, tap):
    """What the status says about runs that could not record why they ended."""
    target = "reports.interrupted"
    status = "SELECT error ~ '^stopped before its end', running_since IS NULL, last_success_at IS NULL FROM sagemaker_fdw_refresh_status WHERE target = to_regclass('%s')" % target
    call = "CALL sagemaker_fdw_refresh('%s', 'history.training_jobs', since => '%s', step => '1 hour')" % (target, SINCE)

    def interrupted(by, state, ends=False):
        other = Session()
        fault(**late(100, operation="ListTrainingJobs"))
        session.run("UPDATE sagemaker_fdw_refresh_state SET calls = 0 WHERE target = to_regclass('%s')" % target)
        other.send(call)
        wait_for(lambda: session.run("SELECT running_since IS NOT NULL AND calls > 0 FROM sagemaker_fdw_refresh_status WHERE target = to_regclass('%s')" % target) == ["t"],
                 "the run goes on")
        tap.equal(session.run(status), ["|f|t"], "a run in progress has no error")
        session.run("SELECT %s(%d)" % (by, other.pid))
        if ends:
            other.receive_end()
            wait_for(lambda: session.run("SELECT count(*) FROM pg_stat_activity WHERE pid = %d" % other.pid) == ["0"], "the session has ended")
        else:
            tap.equal(other.receive()[1], state, "%s ends it" % by)
        control("clear", b"")
        other.close()
        tap.equal(session.run(status), ["t|t|t"], "... and the status says that it was stopped")

    interrupted("pg_cancel_backend", "57014")
    interrupted("pg_terminate_backend", None, ends=True)
    refresh(session, target, "history.training_jobs")
    tap.equal(session.run(status), ["|t|f"], "... until a run completes")
    session.run("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not at the end'; END $$; "
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse(); "
                "DELETE FROM %s WHERE creation_time > now() - interval '10 days'" % (target, target))
    tap.equal(session.ask(call)[1], "P0001", "an error at a commit ends it, too")
    tap.equal(session.run(status), ["t|t|f"], "... and the status does not report success")
    session.run("DROP FUNCTION refuse CASCADE")
    refresh(session, target, "history.training_jobs")
    tap.equal(session.run(status), ["|t|f"], "... until the cause is removed")
    tap.equal(differences(session, target, "history.training_jobs"), 0, "... and all jobs have the source's values")


def test_emptied(session, tap):
    """A target whose rows are gone, although the state says that it has them."""
    refresh(session, "reports.emptied", "aws.jobs")
    for where, expected in (("region = 'eu-west-1'", 40), ("true", 340)):
        session.run("DELETE FROM reports.emptied WHERE %s" % where)
        tap.equal(refresh(session, "reports.emptied", "aws.jobs")[0], expected, "jobs WHERE %s come back, including those of years ago" % where)
        tap.equal(differences(session, "reports.emptied", "aws.jobs"), 0, "... with the source's values")
    tap.equal(refresh(session, "reports.emptied", "aws.jobs")[0], 0, "... once")
    session.run("DELETE FROM reports.emptied WHERE creation_time < now() - interval '40 days'")
    tap.equal(refresh(session, "reports.emptied", "aws.jobs")[0], 0, "rows that are deleted because of their age stay deleted")
    session.run("TRUNCATE reports.emptied")
    fault(**denied(operation="ListTrainingJobs", message="not today", skip=3))
    tap.equal(ask(session, "CALL sagemaker_fdw_refresh('reports.emptied', 'aws.jobs', since => '%s')" % SINCE)[1], "42501", "a run that fails halfway")
    control("clear", b"")
    tap.equal(session.run("SELECT bool_and(filled_from > '%s') FROM sagemaker_fdw_refresh_status WHERE target = 'reports.emptied'::regclass" % SINCE), ["t"],
              "... leaves a status that does not claim what the target lacks")
    refresh(session, "reports.emptied", "aws.jobs")
    tap.equal(differences(session, "reports.emptied", "aws.jobs"), 0, "... and the next one continues")


def test_other_account(session, tap):
    """A mapping that now belongs to another account, and an API that lists nothing."""
    make_server(session, "moved")
    call = "CALL sagemaker_fdw_refresh('reports.moved', 'moved.training_jobs', since => %s)"
    refresh(session, "reports.moved", "moved.training_jobs")
    session.run("UPDATE sagemaker_fdw_refresh_state SET filled_from = now() - interval '20 days' WHERE target = 'reports.moved'::regclass")
    before = session.run("SELECT filled_from, compared_at FROM sagemaker_fdw_refresh_state WHERE target = 'reports.moved'::regclass")
    control("keys", {"access_key_id": "AKIDEMPTY00000000001", "secret_access_key": HISTORY[1], "session_token": None, "account": "700000000000"})
    for key, secret, account in (*BULK, "345678901234"), ("AKIDEMPTY00000000001", HISTORY[1], "700000000000"):
        session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER moved OPTIONS (SET aws_access_key_id '%s', SET aws_secret_access_key '%s')" % (key, secret))
        for since in "'2024-01-01'", "now()":
            message, state = ask(session, call % since)
            tap.equal((state, "a different account or region is read than before" in message and "is arn:aws:sagemaker:us-east-1:%s:" % account in message),
                      ("22023", True), "account %s instead of the target's is an error" % account)
    tap.equal(session.run("SELECT count(*), count(deleted_at) FROM reports.moved"), ["300|0"], "... and no job is marked as deleted")
    tap.equal(session.run("SELECT filled_from, compared_at FROM sagemaker_fdw_refresh_state WHERE target = 'reports.moved'::regclass"), before,
              "... or as stored already")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER moved OPTIONS (SET aws_access_key_id '%s', SET aws_secret_access_key '%s')" % HISTORY)
    fault(kind="body", operation="ListTrainingJobs", body='{"TrainingJobSummaries": []}', times=0)
    numbers = refresh(session, "reports.moved", "moved.training_jobs", more=', "full" => true')
    control("clear", b"")
    tap.equal(numbers[:4], [0, 0, 300, 0], "when the list is briefly empty, each job is looked up before it is marked as deleted")
    tap.equal(differences(session, "reports.moved", "moved.training_jobs"), 0, "... with the source's values")


def test_atomic(session, tap):
    """Calls where nothing can be committed."""
    call = "CALL sagemaker_fdw_refresh('%s', 'aws.jobs', since => '%s')"
    session.run("CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN %s; END $$" % (call % ("reports.jobs", SINCE)))
    message, state = ask(session, "SELECT in_function()")
    tap.equal((state, "cannot run inside a function" in message), ("25001", True), "a function is rejected")
    tap.equal(ask(session, "DO $$ BEGIN %s; END $$" % (call % ("reports.jobs", SINCE)))[1], "00000", "... a DO block is not")
    session.run("CALL sagemaker_fdw_refresh('reports.refusing', 'aws.jobs', since => now())")
    session.run("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$; "
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON reports.refusing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()")
    message, state = ask(session, call % ("reports.refusing", SINCE))
    tap.equal((state, "refused at commit" in message), ("P0001", True), "where nothing can be committed, there is an error")
    tap.equal(session.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ["0"], "... and no lock is left")


def test_missing_rights(session, tap, call):
    """A missing right is named, with the statement that grants it."""
    session.run("CREATE ROLE lacking; CREATE USER MAPPING FOR lacking SERVER history OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s'); "
                "CREATE SCHEMA lacking_source; CREATE SCHEMA lacking_target AUTHORIZATION lacking; CREATE VIEW lacking_source.jobs AS SELECT 1; "
                "IMPORT FOREIGN SCHEMA sagemaker FROM SERVER history INTO lacking_source" % HISTORY)
    source = session.run("SELECT 'lacking_source.training_jobs'::regclass::oid")[0]
    refresh_as = "SET ROLE lacking; " + call % ("%s", source, "")
    all_columns = session.run("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s AND attnum > 0" % source)[0].split(", ")
    for given, message in [
            ("", "ERROR:  permission denied for foreign table lacking_source.training_jobs DETAIL:  The partitions of a source are read one by one. "
             "HINT:  GRANT SELECT ON lacking_source.training_jobs TO lacking."),
            ("GRANT SELECT (%s) ON lacking_source.training_jobs TO lacking" % ", ".join(name for name in all_columns if name not in ("role_arn", "environment", "tags")),
             "ERROR:  permission denied for schema lacking_source DETAIL:  Table lacking_source.training_jobs is there. "
             "HINT:  GRANT USAGE ON SCHEMA lacking_source TO lacking."),
            ("GRANT USAGE ON SCHEMA lacking_source TO lacking",
             'ERROR:  permission denied for foreign table lacking_source.training_jobs DETAIL:  Role "lacking" lacks SELECT on these columns: role_arn, tags. '
             "HINT:  GRANT SELECT ON lacking_source.training_jobs TO lacking."),
            ("GRANT SELECT (role_arn, tags) ON lacking_source.training_jobs TO lacking; REVOKE SELECT (raw_response) ON lacking_source.training_jobs FROM lacking",
             'ERROR:  permission denied for foreign table lacking_source.training_jobs DETAIL:  Role "lacking" lacks SELECT on these columns: raw_response. '
             "HINT:  GRANT SELECT ON lacking_source.training_jobs TO lacking."),
            ("GRANT SELECT (raw_response) ON lacking_source.training_jobs TO lacking", None),
            ("ALTER SCHEMA lacking_target OWNER TO postgres",
             "ERROR:  permission denied for schema lacking_target HINT:  GRANT USAGE ON SCHEMA lacking_target TO lacking."),
            ("GRANT USAGE ON SCHEMA lacking_target TO lacking; ALTER TABLE lacking_target.jobs OWNER TO postgres",
             'ERROR:  permission denied for target lacking_target.jobs DETAIL:  Role "lacking" lacks SELECT, INSERT, UPDATE. '
             "HINT:  GRANT SELECT, INSERT, UPDATE ON lacking_target.jobs TO lacking.")]:
        session.run("RESET ROLE; " + given)
        got = ask(session, refresh_as % "lacking_target.jobs")
        tap.equal(got, (message or "", "42501" if message else "00000"), "%s: %s" % (given[:40] or "no right", message.partition(" HINT")[0] if message else "enough"))
    session.run("RESET ROLE")


def test_callers(session, tap):
    """The settings, roles and schemas that a refresh is called with."""
    call = "CALL public.sagemaker_fdw_refresh('%s', '%s', since => '2017-11-01'%s)"
    other = Session()
    other.run("SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'; SET extra_float_digits = -15; "
              "SET default_transaction_isolation = 'serializable'; CREATE TEMP TABLE text (); CREATE TEMP TABLE regclass (); CREATE SCHEMA evil; "
              "CREATE DOMAIN evil.text AS text CHECK (value IS NULL); CREATE DOMAIN evil.regclass AS regclass CHECK (value IS NULL); "
              "CREATE FUNCTION evil.never(anyelement, anyelement) RETURNS boolean LANGUAGE SQL RETURN false; "
              "CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = anyelement, RIGHTARG = anyelement); SET search_path = evil, pg_catalog, public")
    other.run(call % ("reports.settings", "aws.jobs", ", step => '1 month'"))
    tap.equal(differences(session, "reports.settings"), 0, "the caller's settings and search_path change nothing")
    message, state = ask(other, "SET search_path = nowhere; " + call % ("jobs", "aws.jobs", ""))
    tap.equal((state, 'no schema has been selected to create "jobs" in' in message), ("3F000", True), "without a schema a target has no place")
    message, state = ask(other, "CALL public.sagemaker_fdw_create_partitioned_table('jobs', '{history}')")
    tap.equal((state, 'no schema has been selected to create "jobs" in' in message), ("3F000", True), "... nor has a partitioned table")
    other.close()

    session.run("CREATE ROLE app; GRANT CREATE ON DATABASE postgres TO app; GRANT USAGE ON FOREIGN SERVER history TO app; "
                "GRANT USAGE ON SCHEMA reports TO app; GRANT SELECT, INSERT ON reports.jobs TO app; SET ROLE app; "
                "CREATE USER MAPPING FOR app SERVER history OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s'); "
                'CREATE SCHEMA "App"; SET search_path = "App"' % HISTORY)
    session.run("CALL public.sagemaker_fdw_create_partitioned_table('\"All Jobs\"', '{history}')")
    session.run(call % ('"Kept Jobs"', '"All Jobs"', ""))
    session.run(call % ('"Kept Jobs"', '"All Jobs"', ""))
    tap.equal(session.run('SELECT count(*) FROM "Kept Jobs" WHERE deleted_at IS NULL'), ["300"], "a role that is not a superuser can do all of this")
    message, state = ask(session, call % ("reports.jobs", '"All Jobs"', ""))
    tap.equal((state, "permission denied for target reports.jobs" in message), ("42501", True), "... but not with a target that it may not change")
    message, state = ask(session, call % ("reports.apps", '"All Jobs"', ""))
    tap.equal((state, "permission denied for schema reports" in message, "hyper_parameters" in message), ("42501", True, False),
              "... or create, and the error does not quote the whole statement")
    session.run("RESET ROLE; RESET search_path")
    test_missing_rights(session, tap, call)

    session.run("CREATE FOREIGN TABLE retyped (training_job_name text, training_job_arn text, creation_time timestamptz, last_modified_time timestamptz, "
                "training_job_status text, raw_response jsonb, resource_config json, \"Rate\" float OPTIONS (attribute 'HyperParameters.learning_rate'), "
                "variables jsonb OPTIONS (attribute 'Environment'), document text OPTIONS (attribute 'raw_response'), "
                "level text OPTIONS (attribute 'Environment.NCCL_DEBUG')) SERVER history")
    tap.equal(refresh(session, "reports.retyped", "retyped")[0], 300, "columns of other names and types are stored")
    tap.equal(refresh(session, "reports.retyped", "retyped")[:2], [0, 0], "... and compared")
    tap.equal(session.run("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'reports.retyped'::regclass AND attnum > 5"),
              ["resource_config Rate level refreshed_at deleted_at"], "... except the environment and the document, whatever their names")
    tap.equal(session.run("SELECT count(*) FROM ((SELECT resource_config::text, \"Rate\" FROM retyped EXCEPT ALL SELECT resource_config::text, \"Rate\" "
                          "FROM reports.retyped) UNION ALL (SELECT resource_config::text, \"Rate\" FROM reports.retyped EXCEPT ALL SELECT resource_config::text, "
                          "\"Rate\" FROM retyped)) AS d"), ["0"], "... with the source's values")


def test_dropped(session, tap):
    """Something that a refresh needs is dropped meanwhile."""
    for what in "FOREIGN TABLE going_1", "TABLE reports.going":
        session.run("CREATE TABLE going (LIKE aws.jobs) PARTITION BY LIST (region); CREATE FOREIGN TABLE going_1 PARTITION OF going "
                    "FOR VALUES IN ('us-east-1') SERVER history; CREATE FOREIGN TABLE going_2 PARTITION OF going FOR VALUES IN ('eu-west-1') "
                    "SERVER history OPTIONS (region 'eu-west-1')")
        other = Session()
        other.run("SET client_min_messages = notice")
        fault(**late(100, operation="ListTrainingJobs"))
        other.send("CALL sagemaker_fdw_refresh('reports.going', 'going', since => '%s')" % SINCE)
        wait_for(lambda: session.run("SELECT count(*) FROM sagemaker_fdw_refresh_state WHERE target = to_regclass('reports.going') AND arn_prefix <> ''") == ["1"],
                 "the first partition is read")
        session.run("DROP " + what)
        lines, state = other.receive()
        control("clear", b"")
        tap.equal((state, "its refresh state was dropped meanwhile" in " ".join(lines)), ("42P01", True), "DROP %s ends its refresh with an error" % what)
        tap.equal([line for line in lines if line.startswith("ERROR")], ["ERROR:  refresh of reports.going: %d of 2 partitions failed" % (1 if "FOREIGN" in what else 2)],
                  "... with the target's name")
        other.close()
        session.run("DROP TABLE going; DROP TABLE IF EXISTS reports.going")


def test_limits(session, tap):
    """Windows that are too large for sagemaker_fdw.max_calls, and partitions that are added later."""
    moment = int(time.time()) - 1000
    for name in session.run("SELECT training_job_name FROM history.training_jobs ORDER BY creation_time DESC LIMIT 40"):
        put(name, {"CreationTime": moment, "LastModifiedTime": moment})
    session.run("SET sagemaker_fdw.max_calls = 30")
    tap.equal(refresh(session, "reports.limited", more=", step => '10 years'")[0], 340, "windows shrink to what max_calls allows, even below the jobs of a single moment")
    session.run("RESET sagemaker_fdw.max_calls")
    tap.equal(differences(session, "reports.limited"), 0, "... and no job is lost")
    session.run("SET sagemaker_fdw.max_calls = 8")
    tap.equal(refresh(session, "reports.tiny", "ireland.training_jobs", more=", step => '1 microsecond'")[0], 40, "the smallest window grows where there are no jobs")
    session.run("UPDATE reports.tiny SET training_job_status = 'Dreaming'")
    tap.equal(refresh(session, "reports.tiny", "ireland.training_jobs")[:2], [0, 40], "... and if more jobs are unfinished than max_calls allows, they are read in parts")
    session.run("SET sagemaker_fdw.max_calls = 1")
    message, state = ask(session, "CALL sagemaker_fdw_refresh('reports.never', 'aws.jobs', since => '%s')" % SINCE)
    session.run("RESET sagemaker_fdw.max_calls")
    tap.equal((state, "2 of 2 partitions failed" in message), ("54000", True), "where a single job needs too many calls, that is the error")
    control("reset", b"")

    session.run("CREATE TABLE growing (LIKE aws.jobs) PARTITION BY LIST (region); CREATE FOREIGN TABLE growing_1 PARTITION OF growing "
                "FOR VALUES IN ('us-east-1') SERVER history OPTIONS (region 'us-east-1')")
    tap.equal(refresh(session, "reports.growing", "growing")[0], 300, "a source with one partition")
    session.run("CREATE FOREIGN TABLE growing_2 PARTITION OF growing FOR VALUES IN ('eu-west-1') SERVER history OPTIONS (region 'eu-west-1')")
    tap.equal(refresh(session, "reports.growing", "growing")[0], 40, "... that gets another one is filled from that, too")
    tap.equal(differences(session, "reports.growing", "growing"), 0, "... and stores all its jobs")
    tap.equal(refresh(session, "reports.one", "ireland.training_jobs", more=", step => '100000 years'")[0], 40, "a plain foreign table is a source, too")
    session.run("ALTER SERVER ireland RENAME TO eire")
    calls()
    tap.equal(refresh(session, "reports.one", "ireland.training_jobs")[:2], [0, 0], "... and its server may be renamed")
    tap.equal(calls().get("DescribeTrainingJob", 0), unfinished(session, "reports.one"), "... without another call for its jobs")
    session.run("ALTER SERVER eire RENAME TO ireland")


def test_search(session, tap):
    """A source that uses Search makes a hundredth of the calls."""
    session.run("CREATE FOREIGN TABLE searched (%s) SERVER history OPTIONS (scan_api 'search')"
                % session.run("SELECT string_agg(column_name || ' ' || column_type, ', ') FROM sagemaker_fdw_columns() AS c "
                              "WHERE column_name = ANY (ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = 'search.training_jobs'::regclass))")[0])
    calls()
    tap.equal(refresh(session, "reports.searched", "searched")[0], 300, "a source that uses Search has all jobs")
    made = calls()
    tap.equal(sorted(made), ["ListTrainingJobs", "Search"] if "ListTrainingJobs" in made else ["Search"], "... and describes none")
    tap.note("300 jobs by Search: %r" % made)
    session.run("CREATE FOREIGN TABLE searched_all (%s) SERVER history OPTIONS (scan_api 'search')"
                % session.run("SELECT string_agg(column_name || ' ' || column_type, ', ') FROM sagemaker_fdw_columns()")[0])
    refresh(session, "reports.searched_all", "searched_all")
    tap.equal(differences(session, "reports.searched_all", "searched_all"), 0, "columns that Search lacks are stored, too")


def test_failures(session, tap):
    """A denied account, a concurrent run, a wrong database, wrong arguments."""
    session.run("CREATE SCHEMA two")
    session.run("CALL sagemaker_fdw_create_partitioned_table('two.jobs', servers => ARRAY['ireland', 'role'], regions => ARRAY['eu-west-1'])")
    session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER role OPTIONS (DROP role_arn, SET aws_access_key_id '%s', "
                "SET aws_secret_access_key '%s')" % DENIED)
    message, state = ask(session, "CALL sagemaker_fdw_refresh('reports.two', 'two.jobs', since => '%s')" % SINCE)
    tap.equal(state, "42501", "a denied partition is an error")
    tap.ok("1 of 2 partitions failed" in message and 'Server "role", region "eu-west-1": AWS denies ListTrainingJobs' in message, "... that names the partition", message)
    tap.equal(session.run("SELECT count(*) FROM reports.two"), ["40"], "... after the other one has been read")
    tap.equal(session.run("SELECT server, error IS NULL FROM sagemaker_fdw_refresh_state WHERE target = 'reports.two'::regclass ORDER BY 1"),
              ["ireland|t", "role|f"], "... and the state records it")

    session.run("CREATE TABLE twice (LIKE aws.jobs) PARTITION BY LIST (account_id); "
                "CREATE FOREIGN TABLE twice_1 PARTITION OF twice FOR VALUES IN ('1') SERVER history; "
                "CREATE FOREIGN TABLE twice_2 PARTITION OF twice FOR VALUES IN ('2') SERVER again")
    message, state = ask(session, "CALL sagemaker_fdw_refresh('reports.twice', 'twice', since => '%s')" % SINCE)
    tap.equal((state, 'Servers "again" and "history" both read arn:aws:sagemaker:us-east-1:123456789012:' in message), ("22023", True),
              "two servers of the same account and region are an error")
    tap.equal(refresh(session, "reports.twice", "history.training_jobs")[:2], [0, 0], "... and the first partition is unchanged")

    other = Session()
    fault(**silent(operation="ListTrainingJobs"))
    other.send("CALL sagemaker_fdw_refresh('reports.jobs', 'aws.jobs', since => '%s')" % SINCE)
    wait_for(lambda: counters()["in_flight"] > 0, "the other session refreshes")
    message, state = ask(session, "CALL sagemaker_fdw_refresh('reports.jobs', 'aws.jobs', since => '%s')" % SINCE)
    tap.equal((state, "already under way" in message), ("55P03", True), "a concurrent refresh is rejected")
    session.run("SELECT pg_cancel_backend(%d)" % other.pid)
    tap.equal(other.receive()[1], "57014", "a refresh can be cancelled")
    control("clear", b"")
    tap.equal(session.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ["0"], "... and releases its lock")
    tap.equal(refresh(session)[0], 0, "the next one continues")
    tap.equal(other.ask("CALL sagemaker_fdw_refresh('reports.jobs', 'aws.jobs', since => '%s')" % SINCE)[1], "00000",
              "... even in the session that was cancelled")
    other.close()

    session.run("CREATE TABLE mine (a integer); CREATE FOREIGN TABLE few (training_job_name text, training_job_arn text) SERVER history; "
                "CREATE UNLOGGED TABLE reports.unlogged (LIKE reports.jobs INCLUDING ALL); CREATE TABLE reports.rounded (LIKE reports.jobs INCLUDING ALL); "
                "ALTER TABLE reports.rounded ALTER creation_time TYPE timestamptz(0)")
    call = "CALL sagemaker_fdw_refresh(%s)"
    for arguments, state, words in [
            ("'reports.jobs', 'nowhere', '2020-01-01'", "42P01", 'relation "nowhere" does not exist'),
            ("'reports.jobs', 'mine', '2020-01-01'", "42809", "mine is not a foreign table of sagemaker_fdw"),
            ("'reports.jobs', 'few', '2020-01-01'", "42703", "creation_time timestamp with time zone"),
            ("'mine', 'aws.jobs', '2020-01-01'", "42809", "mine is not a table that sagemaker_fdw_refresh keeps"),
            ("'before', 'aws.jobs', '2020-01-01'", "42809", "before is not a table that sagemaker_fdw_refresh keeps"),
            ("'nowhere.jobs', 'aws.jobs', '2020-01-01'", "3F000", 'schema "nowhere" does not exist'),
            ("'postgres.reports.more', 'aws.jobs', '2020-01-01'", "42602", "too many parts"),
            ("'reports.unlogged', 'aws.jobs', '2020-01-01'", "42809", "It is not a plain, permanent table"),
            ("'reports.rounded', 'aws.jobs', '2020-01-01'", "42703", "Missing, or of another type: creation_time timestamp with time zone."),
            ("'reports.jobs', 'aws.jobs', NULL", "22004", "must not be NULL"),
            ("'reports.jobs', 'aws.jobs', 'infinity'", "22023", "since is in the future"),
            ("'reports.jobs', 'aws.jobs', '2020-01-01', '0'", "22023", "step must be positive")]:
        message, got = ask(session, call % arguments)
        tap.equal(got, state, "(%s) is %s" % (arguments, state))
        tap.ok(words in message, "... and says so", message)
    session.run("ALTER TABLE reports.growing DROP COLUMN role_arn")
    message, state = ask(session, call % "'reports.growing', 'growing', '2020-01-01'")
    tap.equal((state, "Missing, or of another type: role_arn text." in message), ("42703", True), "a column that the target lacks is named")
    statement = call % "'reports.jobs', 'aws.jobs', '2020-01-01'"
    session.run("BEGIN")
    message, state = ask(session, statement)
    session.run("ROLLBACK")
    tap.equal((state, "cannot run inside a transaction block" in message), ("25001", True), "a transaction block is rejected")
    message, state = ask(session, "SELECT 1\\; " + statement)
    tap.equal((state, "cannot run inside a transaction block" in message), ("25001", True), "... and so are several statements in one")

    session.run("CREATE FOREIGN TABLE unfit (training_job_name text, training_job_arn text, creation_time timestamptz, last_modified_time timestamptz, "
                "training_job_status text, raw_response jsonb, role_arn integer) SERVER history")
    message, state = ask(session, call % "'reports.unfit', 'unfit', '2020-01-01'")
    tap.equal((state, 'invalid input syntax for type integer: "arn:aws:iam::' in message), ("22P02", True), "a value that does not fit the column is an error")
    tap.equal(session.run("SELECT error FROM sagemaker_fdw_refresh_state WHERE target = 'reports.unfit'::regclass"),
              ["a value does not fit its column (22P02)"], "... and the value is not in the state, which roles may read that cannot see every job")


def test_changed_of_many(session, tap):
    """Of 10,000 jobs 50 have changed."""
    calls(BULK)
    tap.equal(refresh(session, "reports.many", "bulk.training_jobs")[0], 10000, "10,000 jobs are stored")
    made = calls(BULK)
    tap.equal(made["DescribeTrainingJob"], 10000, "... and each is described once")
    ended = ("training_job_status IN ('Completed', 'Failed', 'Stopped') "
             "AND coalesce(warm_pool_status->>'Status', '') NOT IN ('Available', 'InUse')")
    for name in session.run("SELECT training_job_name FROM reports.many WHERE %s ORDER BY md5(training_job_name) LIMIT 50" % ended):
        put(name, {"LastModifiedTime": int(time.time()), "FailureReason": "changed"}, BULK[0])
    running = int(session.run("SELECT count(*) FROM reports.many WHERE NOT (%s)" % ended)[0])
    calls(BULK)
    numbers = refresh(session, "reports.many", "bulk.training_jobs")
    made_later = calls(BULK)
    tap.equal(numbers[:2] + numbers[3:4], [0, 50, 0], "50 of them have changed")
    tap.equal(made_later["DescribeTrainingJob"] - running, 50, "... with 50 calls")
    tap.ok(made_later["ListTrainingJobs"] <= 125, "... and the pages of the last 30 days", made_later)
    tap.note("10,000 jobs: %r; 50 changed, %d not ended: %r" % (made, running, made_later))
    session.run("SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '1ms'")
    lines = session.run("CALL sagemaker_fdw_refresh('reports.many', 'bulk.training_jobs', since => '%s', \"full\" => true)" % SINCE)
    session.run("SET client_min_messages = warning; RESET sagemaker_fdw.progress_interval")
    told = [re.match(r'NOTICE:  comparing reports.many with server "bulk", region "us-east-1": back to (\S+ \S+), (\d+) calls so far$', line)
            for line in lines if "comparing" in line]
    # stretches of 495 jobs, the last one of which is told by the summary
    tap.equal((len(told), [one.group(1) for one in told], [int(one.group(2)) for one in told]),
              (20, sorted({one.group(1) for one in told}, reverse=True), sorted({int(one.group(2)) for one in told})),
              "a comparison of the whole list reports its progress")


KILLS = 50


def test_kills(session, tap):
    """A fill of 20,000 jobs that is killed 50 times."""
    chance = random.Random(20251125)
    session.run("CALL sagemaker_fdw_create_partitioned_table('huge', servers => ARRAY['bulk'], regions => ARRAY['us-east-1', 'us-west-2'])")
    call = "CALL sagemaker_fdw_refresh('reports.huge', 'huge', since => '%s')" % SINCE
    calls(BULK)
    describes = lambda: json.loads(control("counters", key=BULK[0]))["calls"].get("DescribeTrainingJob", 0)
    killed = 0
    while killed < KILLS:
        victim = Session()
        until = describes() + chance.randrange(700)
        victim.send(call)
        wait_for(lambda: describes() >= until, "the backfill goes on", 60)
        if killed % 10 == 9:
            os.kill(victim.pid, signal.SIGKILL)
        else:
            session.run("SELECT pg_terminate_backend(%d)" % victim.pid)
        victim.receive_end()
        victim.close()
        killed += 1
        if killed % 10 == 0:
            # the other sessions went with the one that crashed
            session.close()
            wait_for(lambda: subprocess.run(["psql", "-X", "-q", "-d", "postgres", "-c", ""], stderr=subprocess.DEVNULL,
                                            check=False).returncode == 0, "the cluster has recovered")
            session = Session()
    left = session.run("SELECT count(*) FROM reports.huge")[0]
    tap.ok(int(left) < 20000, "after %d kills the fill is not complete" % KILLS, left)
    refresh(session, "reports.huge", "huge")
    tap.note("20,000 jobs took %d DescribeTrainingJob calls in %d runs" % (describes(), KILLS + 1))
    tap.equal(session.run("SELECT count(*), count(deleted_at) FROM reports.huge"), ["20000|0"], "... the next run completes it, and all jobs are stored")
    tap.equal(differences(session, "reports.huge", "huge"), 0, "... with the source's values")
    session.close()


def test(session, tap):
    for server, keys, options in (("history", HISTORY, {}), ("bulk", BULK, {}), ("ireland", HISTORY, {}), ("role", HISTORY, {}), ("again", HISTORY, {}),
                                  ("denied", DENIED, {})):
        make_server(session, server, keys, **options)
    session.run("""
        ALTER SERVER ireland OPTIONS (SET region 'eu-west-1');
        ALTER USER MAPPING FOR CURRENT_USER SERVER role OPTIONS (ADD role_arn 'arn:aws:iam::999999999999:role/reader');
        CREATE SERVER no_region FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (endpoint_url '%s');
        CREATE USER MAPPING FOR CURRENT_USER SERVER no_region OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s');
        CREATE SCHEMA aws; CREATE SCHEMA "My Schema"; CREATE SCHEMA search;
        IMPORT FOREIGN SCHEMA sagemaker FROM SERVER history INTO search OPTIONS (attributes 'search');
        """ % (URL, HISTORY[0], HISTORY[1]))
    test_partitioned_table(session, tap)
    test_many_accounts(session, tap)
    session.run("DROP TABLE aws.jobs; CALL sagemaker_fdw_create_partitioned_table('aws.jobs', servers => ARRAY['history'], "
                "regions => ARRAY['us-east-1', 'eu-west-1'])")
    test_refresh(session, tap)
    test_news(session, tap)
    test_outage(session, tap)
    test_changes(session, tap)
    test_stopped(session, tap)
    test_interrupted(session, tap)
    test_emptied(session, tap)
    test_other_account(session, tap)
    test_atomic(session, tap)
    test_callers(session, tap)
    test_dropped(session, tap)
    test_limits(session, tap)
    test_search(session, tap)
    test_failures(session, tap)
    test_changed_of_many(session, tap)


def main():
    tap = Tap()
    cluster = Cluster(AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        test(session, tap)
        tap.equal(CONTEXTS, ["CONTEXT:  PL/pgSQL function refuse() line 1 at RAISE"], "no error shows internal functions in its context, only a user's own trigger")
        test_kills(session, tap)
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
