"""Dump and restore, and the extension's scripts.

Run below test/with-service.  The cluster is the test's own: STS is the local endpoint
there.
"""
import os
import re
import subprocess

from harness import HISTORY, URL, Cluster, Session, Tap, control, make_server, wait_for

UNFINISHED = ("SELECT count(*) FROM reports.jobs WHERE (training_job_status NOT IN ('Completed', 'Failed', 'Stopped') "
              "OR warm_pool_status->>'Status' IN ('Available', 'InUse'))")
OBJECTS = ("SELECT pg_describe_object(classid, objid, 0), "
           "coalesce(pg_get_functiondef(CASE WHEN classid = 'pg_proc'::regclass THEN objid END), '') "
           "FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' "
           "AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw') ORDER BY 1")

COMMENTS = ("SELECT attrelid::regclass::text AS relation, attname, col_description(attrelid, attnum) AS comment FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
            "AND attrelid IN ('reports.jobs'::regclass, 'aws.jobs'::regclass, 'history.training_jobs'::regclass) ORDER BY 1, 2")

# What else an object is: labels, columns, definitions, comments, rights.
DETAILS = """
WITH own AS (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
			AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw'))
SELECT enumtypid::regtype::text, string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum JOIN own ON objid = enumtypid GROUP BY 1
UNION ALL
SELECT objid::regclass::text, string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
  FROM own JOIN pg_attribute ON attrelid = objid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE classid = 'pg_class'::regclass AND attnum > 0 AND NOT attisdropped GROUP BY 1
UNION ALL
SELECT objid::regclass::text, concat_ws(' ', pg_get_viewdef(objid), relacl::text, reloptions::text) FROM own JOIN pg_class ON oid = objid WHERE classid = 'pg_class'::regclass
UNION ALL
SELECT nspname, nspacl::text FROM own JOIN pg_namespace ON oid = objid WHERE classid = 'pg_namespace'::regclass
UNION ALL
SELECT objid::regprocedure::text, proacl::text FROM own JOIN pg_proc ON oid = objid WHERE classid = 'pg_proc'::regclass
UNION ALL
SELECT pg_describe_object(classid, objid, objsubid), description FROM own JOIN pg_description ON (classoid, objoid) = (classid, objid)
ORDER BY 1, 2
"""


def command(*words, **options):
    return subprocess.run(words, check=True, encoding="utf-8", stdout=subprocess.PIPE, **options).stdout


def described():
    """DescribeTrainingJob calls since the last call of this function."""
    return int(re.search(r"DescribeTrainingJob=(\d+)", control("calls")).group(1))


def test_dump(session, tap, cluster):
    session.run("CREATE SCHEMA aws; CREATE SCHEMA reports")
    session.run("CALL sagemaker_fdw_create_partitioned_table('aws.jobs', servers => ARRAY['history'], "
                "regions => ARRAY['us-east-1', 'eu-west-1'])")
    session.run("CALL sagemaker_fdw_refresh('reports.jobs', 'aws.jobs', since => '2017-11-01')")
    session.run("CREATE VIEW reports.failed AS SELECT training_job_name, failure_reason FROM aws.jobs WHERE training_job_status = 'Failed'")
    session.run("CREATE MATERIALIZED VIEW reports.names AS SELECT training_job_name FROM aws.jobs")
    session.run("CALL sagemaker_fdw_refresh('reports.gone', 'history.training_jobs', since => now()); DROP TABLE reports.gone")
    tap.equal(session.run("SELECT count(*) FROM sagemaker_fdw_refresh_state"), ["3"], "a table that is gone has left its state")
    session.run("SELECT sagemaker_fdw_comment_columns(name) FROM unnest('{reports.jobs,aws.jobs,history.training_jobs}'::regclass[]) AS name")
    tap.equal(session.run("SELECT DISTINCT relation, comment IS NOT NULL FROM (%s) AS c" % COMMENTS),
              ["aws.jobs|t", "history.training_jobs|t", "reports.jobs|t"], "all columns have comments")
    session.run("CREATE ROLE dumper LOGIN; GRANT pg_read_all_data TO dumper")
    dump = command("pg_dump", "-U", "dumper", "postgres")
    tap.equal((len(re.findall(r"^reports[.]jobs\thistory\t", dump, re.M)), HISTORY[1] in dump), (2, False),
              "who may read all data can dump the state, and no keys")
    tap.equal((dump.count("CREATE EXTENSION"), dump.count("sagemaker_fdw_internal")), (1, 0), "... and nothing of the schema that the script makes")
    for form in ("plain", "custom"):
        database = "restored_" + form
        command("createdb", database)
        dump = cluster.directory + "/dump." + form
        command("pg_dump", "-F", form, "-f", dump, "postgres")
        if form == "plain":
            command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", dump)
        else:
            command("pg_restore", "-e", "-d", database, dump)
        other = Session(database)
        for what, query in [
                ("its state", "SELECT target, server, region, arn_prefix, filled_from, compared_at, inserted FROM sagemaker_fdw_refresh_state "
                 "WHERE target::text ~ '^reports' ORDER BY 3"),
                ("the kept table", "SELECT md5(string_agg(j::text, '' ORDER BY training_job_arn, creation_time)) FROM reports.jobs AS j"),
                ("the partitioned table", "SELECT relid, isleaf FROM pg_partition_tree('aws.jobs') ORDER BY relid::text"),
                ("the comments on columns", COMMENTS),
                ("the view", "SELECT count(*) FROM reports.failed"),
                ("the materialized view", "SELECT count(*) FROM reports.names"),
                ("the extension's objects", OBJECTS), ("... in all details", DETAILS)]:
            tap.equal(other.run(query), session.run(query), "a %s dump has %s" % (form, what))
        tap.equal(other.run("SELECT count(*) FROM sagemaker_fdw_refresh_state"), ["2"], "... but not for the dropped table")
        control("calls")
        tap.equal(other.ask("CALL sagemaker_fdw_refresh('reports.jobs', 'aws.jobs', since => '2017-11-01')")[1], "00000",
                  "... and a refresh continues where it stood")
        tap.equal(described(), int(other.run(UNFINISHED)[0]), "... describing only the jobs that had not ended")
        other.close()


def test_update(session, tap):
    """Each released version, once updated, has the same objects as a new installation."""
    versions = session.run("SELECT version FROM pg_available_extension_versions WHERE name = 'sagemaker_fdw' AND version ~ '^[0-9.]+$' ORDER BY 1")
    expected = session.run(OBJECTS)
    tap.ok(len(expected) > 0, "the extension has objects")
    for version in versions:
        database = "from_" + version.replace(".", "_")
        command("createdb", database)
        other = Session(database)
        other.run("CREATE EXTENSION sagemaker_fdw VERSION '%s'; ALTER EXTENSION sagemaker_fdw UPDATE" % version)
        tap.equal(other.run(OBJECTS), expected, "version %s is updated" % version)
        tap.equal(other.run(DETAILS), session.run(DETAILS), "... in every detail")
        other.close()


# What a next version may bring; one script makes 1.1 of 1.0, another has it all.
UPDATE = r"""\echo Use "ALTER EXTENSION sagemaker_fdw UPDATE" to load this file. \quit
SET LOCAL search_path = pg_catalog, pg_temp;
ALTER TYPE @extschema@.sagemaker_secondary_status ADD VALUE 'Dreaming' AFTER 'Training';
%(function)s
ALTER TABLE @extschema@.sagemaker_fdw_refresh_state ADD COLUMN note text DEFAULT 'none';
%(new)s
"""
NEW = """
CREATE FUNCTION sagemaker_fdw_internal.find_note(server name) RETURNS text LANGUAGE SQL STABLE
RETURN (SELECT min(note) FROM @extschema@.sagemaker_fdw_refresh_state AS s WHERE s.server = find_note.server);
CREATE FUNCTION @extschema@.sagemaker_fdw_note(server name) RETURNS text LANGUAGE SQL STABLE
RETURN sagemaker_fdw_internal.find_note(server);
COMMENT ON FUNCTION @extschema@.sagemaker_fdw_note(name) IS 'new';
"""


def next_version(folder):
    """The scripts of a next version, by name; the installed ones are in that folder."""
    with open(folder + "sagemaker_fdw--1.0.sql", encoding="utf-8") as file:
        script = file.read()
    old = re.search(r"CREATE (FUNCTION @extschema@[.]sagemaker_primary_status.*?\n[$][$];\n)", script, re.S).group(0)
    new = old.replace("Downloading, ", "Downloading, Dreaming, ")
    fresh = (script.replace("\t'Training',\n", "\t'Training',\n\t'Dreaming',\n").replace(old, new)
             .replace("\terror text,", "\terror text,\n\tnote text DEFAULT 'none',") + NEW)
    # a column that is added is the last
    fresh = re.sub(r"(\terror text,)(\n\tnote text DEFAULT 'none',)([^\n]*)", r"\1\3\2", fresh)
    return {"sagemaker_fdw--1.0--1.1.test.sql": UPDATE % {"function": new.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), "new": NEW},
            "sagemaker_fdw--1.1.test.sql": fresh}


def test_next_version(session, tap):
    """A next version with a new label, a function that handles it, a column of the state, and a new function."""
    folder = command(os.environ.get("PG_CONFIG", "pg_config"), "--sharedir").strip() + "/extension/"
    scripts = next_version(folder)
    as_root = [] if os.access(folder, os.W_OK) else ["sudo"]
    try:
        for name, text in scripts.items():
            command(*as_root, "tee", folder + name, input=text)
        for database in "fresh", "updated":
            command("createdb", database)
        fresh = Session("fresh")
        fresh.run("CREATE EXTENSION sagemaker_fdw VERSION '1.1.test'")
        updated = Session("updated")
        updated.run("CREATE EXTENSION sagemaker_fdw VERSION '1.0'; CREATE SCHEMA reports")
        make_server(updated, "history")
        refresh = "CALL sagemaker_fdw_refresh('reports.jobs', 'history.training_jobs', since => '2017-11-01')"
        updated.run(refresh)
        kept = [updated.run("SELECT target, server, region, arn_prefix, filled_from, compared_at, inserted FROM sagemaker_fdw_refresh_state"),
                updated.run("SELECT md5(string_agg(j::text, '' ORDER BY training_job_arn, creation_time)) FROM reports.jobs AS j")]
        updated.run("ALTER EXTENSION sagemaker_fdw UPDATE TO '1.1.test'")
        tap.equal(updated.run(OBJECTS), fresh.run(OBJECTS), "a next version has the same objects, updated and new")
        tap.equal(updated.run(DETAILS), fresh.run(DETAILS), "... of the same labels, columns, definitions, comments and rights")
        tap.equal([updated.run("SELECT target, server, region, arn_prefix, filled_from, compared_at, inserted FROM sagemaker_fdw_refresh_state"),
                   updated.run("SELECT md5(string_agg(j::text, '' ORDER BY training_job_arn, creation_time)) FROM reports.jobs AS j")], kept,
                  "... the state and the refreshed table remain")
        control("calls")
        updated.run(refresh)
        tap.equal(described(), int(updated.run(UNFINISHED)[0]), "... and a refresh continues where it stood")
        tap.equal(updated.run("SELECT sagemaker_primary_status('Dreaming'), sagemaker_fdw_note('history')"), ["InProgress|none"],
                  "... in a session that used the version before, too")
        fresh.close()
        updated.close()
    finally:
        for name in scripts:
            command(*as_root, "rm", "-f", folder + name)


def test_drop(tap):
    """What uninstalling removes, and what it leaves behind."""
    session = Session("restored_plain")
    session.run("DROP EXTENSION sagemaker_fdw CASCADE")
    tap.equal(session.run("SELECT count(*) FROM reports.jobs"), ["340"], "DROP EXTENSION leaves the kept table")
    tap.equal(session.run("SELECT count(*) FROM pg_foreign_server"), ["0"], "... and no server")
    session.run("CREATE EXTENSION sagemaker_fdw")
    make_server(session, "history")
    control("calls")
    session.run("CALL sagemaker_fdw_refresh('reports.jobs', 'history.training_jobs', since => '2017-11-01')")
    tap.equal(described(), int(session.run(UNFINISHED + " AND region = 'us-east-1'")[0]),
              "installed again, it describes only those")
    session.close()


def test_hub(session, tap, cluster):
    """A database without the extension receives the refreshed table by logical replication, as doc/operations.md says."""
    environment = dict(os.environ)
    schema = command("pg_dump", "--schema-only", "--table=reports.jobs", "postgres")
    managed = Cluster()
    try:
        managed.start()
        other = Session()
        other.run("CREATE SCHEMA reports")
        command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", input=schema)
        session.run("CREATE PUBLICATION training_jobs FOR TABLE reports.jobs")
        other.run("CREATE SUBSCRIPTION training_jobs CONNECTION 'host=%s port=5432 dbname=postgres user=postgres' "
                  "PUBLICATION training_jobs" % cluster.directory)
        rows = "SELECT count(*), md5(string_agg(j::text, '' ORDER BY training_job_arn, creation_time)) FROM reports.jobs AS j"
        wait_for(lambda: other.run(rows) == session.run(rows), "the rows have arrived")
        tap.equal(other.run("SELECT count(*) FROM reports.jobs"), ["340"], "a managed database has the rows of its hub")
        session.run("UPDATE reports.jobs SET deleted_at = now() WHERE region = 'eu-west-1'")
        wait_for(lambda: other.run(rows) == session.run(rows), "the changes have arrived")
        tap.equal(other.run("SELECT count(deleted_at) FROM reports.jobs"), ["40"], "... and their changes")
        other.run("DROP SUBSCRIPTION training_jobs")
        other.close()
    finally:
        managed.remove()
        os.environ.update(environment)


def main():
    tap = Tap()
    cluster = Cluster(["wal_level=logical"], AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "history", HISTORY)
        test_dump(session, tap, cluster)
        test_update(session, tap)
        test_next_version(session, tap)
        test_drop(tap)
        test_hub(session, tap, cluster)
        session.close()
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
