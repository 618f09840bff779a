"""Who may do what: objects that others have planted, tables that others own, locks, and what each role is told.

Run below test/with-service --anchor NOW.  The cluster is the test's own: STS is the local
endpoint there.
"""
import glob
import os
import re
import time

from harness import HISTORY, URL, Cluster, Died, Session, Tap, control, counters, fault, make_server, wait_for
from named_faults import denied, late, silent

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../sql/")
REFRESH = "CALL sagemaker_fdw_refresh('%s', '%s', since => '2017-11-01'%s)"


def in_new_database(session, name):
    session.run("CREATE DATABASE %s" % name)
    return Session(name)


def ask(session, sql):
    """(the output in one line, SQLSTATE)."""
    lines, state = session.ask(sql)
    return " ".join(lines), state


# ----- what others have planted -----

# Types that decoys have as arguments: one that fits exactly is preferred to what pg_catalog has.
TYPES = ["text", "name", "oid", "regclass", "regtype", "regprocedure", "jsonb", "integer", "bigint", "numeric", "boolean", "interval",
         "timestamptz", '"char"', "aclitem", "text[]", "name[]", "oid[]", "regclass[]", "bigint[]", "anyelement", "anyarray", "anyenum",
         "anynonarray", "anycompatible"]
FEW_TYPES = ["text", "name", "jsonb", "regclass", "integer", "bigint"]

# Decoys raise an error when they are called, and, where the script finds one, are in pg_depend.
PLANT = r"""
SET client_min_messages = error;
DO $plant$
DECLARE
	where_to CONSTANT text := '%(schema)s';
	functions CONSTANT text[] := '{%(functions)s}';
	operators CONSTANT text[] := '{%(operators)s}';
	types CONSTANT text[] := ARRAY[%(types)s];
	few CONSTANT text[] := ARRAY[%(few)s];
	what text;
	arguments text;
	result text;
	number integer := 0;
	pair record;
BEGIN
	FOREACH what IN ARRAY functions LOOP
		SELECT format_type(prorettype, NULL) INTO result FROM pg_proc JOIN pg_type AS t ON t.oid = prorettype
		 WHERE proname = what AND pronamespace = 'pg_catalog'::regnamespace AND typtype = 'b' ORDER BY pg_proc.oid LIMIT 1;
		FOR arguments IN
			SELECT a FROM unnest(types) AS a
			UNION ALL SELECT a || ', ' || b FROM unnest(types) AS a, unnest(types) AS b
			UNION ALL SELECT a || ', ' || b || ', ' || c FROM unnest(few) AS a, unnest(few) AS b, unnest(few) AS c
			UNION ALL SELECT 'text, VARIADIC name[]'
			UNION ALL SELECT 'VARIADIC anyarray'
			-- those that pg_catalog has itself, found where a path has them before it
			UNION ALL SELECT array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes::oid[]) AS t), ', ')
			  FROM pg_proc WHERE proname = what AND pronamespace = 'pg_catalog'::regnamespace
				AND NOT proargtypes::oid[] && ARRAY['"any"', 'internal', 'cstring']::regtype[]::oid[]
		LOOP
			BEGIN
				EXECUTE format('CREATE FUNCTION %%s.%%I(%%s) RETURNS %%s LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''a decoy ran: %%s(%%s)''; END $$',
					where_to, what, arguments, coalesce(result, 'text'), what, arguments);
			EXCEPTION WHEN OTHERS THEN
				-- there is one already, or the result must be polymorphic
				NULL;
			END;
		END LOOP;
	END LOOP;
	FOREACH what IN ARRAY operators LOOP
		SELECT format_type(oprresult, NULL) INTO result FROM pg_operator
		 WHERE oprname = what AND oprnamespace = 'pg_catalog'::regnamespace ORDER BY oid LIMIT 1;
		FOR pair IN SELECT a, b FROM unnest(types) AS a, unnest(types) AS b LOOP
			number := number + 1;
			BEGIN
				EXECUTE format('CREATE FUNCTION %%s.decoy_%%s(%%s, %%s) RETURNS %%s LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''a decoy ran: %%s %%s %%s''; END $$; '
					'CREATE OPERATOR %%s.%%s (LEFTARG = %%s, RIGHTARG = %%s, FUNCTION = %%s.decoy_%%s)',
					where_to, number, pair.a, pair.b, result, pair.a, what, pair.b, where_to, what, pair.a, pair.b, where_to, number);
			EXCEPTION WHEN OTHERS THEN
				NULL;
			END;
		END LOOP;
	END LOOP;
END
$plant$;
SET client_min_messages = warning;
"""

# Functions of the extension's own names, which fit its calls nearly: each argument is of another type in turn.
OVERLOAD = r"""
DO $plant$
DECLARE
	types CONSTANT text[] := ARRAY[%(types)s];
	other text;
	own record;
BEGIN
	FOR own IN SELECT proname, p.oid, pronargs, proargtypes::oid[] AS args FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
		AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw') WHERE prokind = 'f' LOOP
		FOR n IN 1 .. own.pronargs LOOP
			FOREACH other IN ARRAY types LOOP
				BEGIN
					EXECUTE format('CREATE FUNCTION planted.%%I(%%s) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''a decoy ran: %%s''; END $$',
						own.proname, (SELECT string_agg(CASE WHEN m = n THEN other ELSE format_type(a, NULL) END, ', ' ORDER BY m)
							FROM unnest(own.args) WITH ORDINALITY AS t(a, m)), own.proname);
				EXCEPTION WHEN OTHERS THEN
					NULL;
				END;
			END LOOP;
		END LOOP;
	END LOOP;
END
$plant$;
"""

# What the extension's objects, and what goes with these, depend on that is neither pg_catalog's nor the extension's.
FOREIGN_DEPENDENCIES = """
WITH RECURSIVE own AS (
	SELECT classid, objid FROM pg_depend
	 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw')
	UNION
	SELECT d.classid, d.objid FROM own JOIN pg_depend AS d ON (d.refclassid, d.refobjid) = (own.classid, own.objid) AND d.deptype IN ('i', 'a')
)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0), pg_describe_object(d.refclassid, d.refobjid, 0)
  FROM own JOIN pg_depend AS d USING (classid, objid)
 WHERE (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM own)
	AND d.refclassid NOT IN ('pg_extension'::regclass, 'pg_language'::regclass)
	AND NOT (d.refclassid = 'pg_namespace'::regclass AND d.refobjid = (SELECT extnamespace FROM pg_extension WHERE extname = 'sagemaker_fdw'))
	AND coalesce((pg_identify_object(d.refclassid, d.refobjid, 0)).schema, '') NOT IN ('pg_catalog', 'pg_toast')
 ORDER BY 1, 2
"""


def names_of_script(session):
    """The functions and the operators of pg_catalog that the extension's scripts name."""
    text = ""
    for path in glob.glob(SQL + "extension/*.sql") + glob.glob(SQL + "sagemaker_fdw--*.sql"):
        with open(path, encoding="utf-8") as file:
            text += re.sub(r"^\s*--.*$|^/\*$(\n .*)*", "", file.read(), flags=re.M)
    words = sorted(set(re.findall(r"\b([a-z_][a-z_0-9]*)\s*\(", text)))
    marks = sorted(set(re.findall(r"(?<![-+*/<>=~!@#%^&|`?])[-+*/<>=~!@#%^&|`?]+(?![-+*/<>=~!@#%^&|`?])", text)))
    functions = session.run("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ('{%s}') "
                            "AND prokind <> 'p' ORDER BY 1" % ",".join(words))
    quoted = ",".join('"%s"' % mark for mark in marks)
    operators = session.run("SELECT DISTINCT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = ANY ('{%s}') "
                            "ORDER BY 1" % quoted)
    return functions, operators


def plant(session, schema, functions, operators):
    lines = session.run(PLANT % {"schema": schema, "functions": ",".join(functions), "operators": ",".join('"%s"' % name for name in operators),
                         "types": ", ".join("'%s'" % name for name in TYPES), "few": ", ".join("'%s'" % name for name in FEW_TYPES)})
    if lines:
        raise Died("planting fails: %r" % lines)


def test_planted(session, tap):
    """Operators and functions that exist in the extension's schema before the extension does."""
    functions, operators = names_of_script(session)
    tap.ok(len(functions) > 30 and {"format", "unnest", "jsonb_array_elements"} <= set(functions),
           "the functions that the script names are found", functions)
    tap.ok({"=", "->>", "||", "<", "-", "*", "/"} <= set(operators), "... and the operators", operators)
    other = in_new_database(session, "planted")
    other.run("CREATE SCHEMA planted")
    plant(other, "planted", functions, operators)
    planted = int(other.run("SELECT count(*) FROM pg_proc WHERE pronamespace = 'planted'::regnamespace")[0])
    tap.ok(planted > 100 * (len(functions) + len(operators)), "decoys are planted for each of them", planted)
    tap.equal(other.run("SELECT count(*) FROM unnest('{%s}'::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = name AND "
                        "pronamespace = 'planted'::regnamespace)" % ",".join(functions)), ["0"], "... and none is missing")

    other.run("CREATE EXTENSION sagemaker_fdw SCHEMA planted")
    tap.equal(other.run(FOREIGN_DEPENDENCIES), [], "nothing of the extension depends on a decoy")
    tap.equal(other.run("SELECT pg_describe_object(classid, objid, 0) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' "
                        "AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw') "
                        "AND (pg_identify_object(classid, objid, 0)).schema NOT IN ('planted', 'sagemaker_fdw_internal')"), [],
              "... and all of it is in its schemas")

    before = int(other.run("SELECT count(*) FROM pg_proc WHERE pronamespace = 'planted'::regnamespace")[0])
    tap.equal(other.run(OVERLOAD % {"types": ", ".join("'%s'" % name for name in TYPES)}), [], "a role that may create objects there can overload its functions")
    more = int(other.run("SELECT count(*) FROM pg_proc WHERE pronamespace = 'planted'::regnamespace")[0]) - before
    tap.ok(more > 1000, "... many more times", more)

    # names in a string are looked up when it runs: the others write every name and operator with its schema
    tap.equal(other.run("SELECT proname FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' "
                        "WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw') AND prolang <> (SELECT oid FROM pg_language "
                        "WHERE lanname = 'c') AND prosqlbody IS NULL AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false) ORDER BY 1"),
              ["resolve_name_body", "sagemaker_fdw_create_partitioned_table", "sagemaker_fdw_refresh", "sagemaker_fdw_refresh_prices", "sagemaker_primary_status"],
              "every function with a body that is not parsed yet has a path of its own, but for five")

    # at run time the caller's path has them before pg_catalog
    make_server(other, "history")
    other.run("CREATE SCHEMA aws; CREATE SCHEMA reports; SET search_path = planted, pg_catalog")
    other.run("CALL planted.sagemaker_fdw_create_partitioned_table('aws.jobs', servers => '{history}', regions => '{us-east-1,eu-west-1}')")
    for number in 1, 2:
        lines, state = other.ask(REFRESH.replace("sagemaker", "planted.sagemaker", 1) % ("reports.jobs", "aws.jobs", ""))
        tap.equal((state, [line for line in lines if "decoy" in line]), ("00000", []), "refresh %d runs no decoy" % number)
    for what in ("sagemaker_fdw_stats", "sagemaker_fdw_progress", "sagemaker_fdw_refresh_status", "sagemaker_instance_groups(NULL::jsonb)",
                 "sagemaker_billable_instance_seconds(1, NULL::jsonb)", "sagemaker_retained_instance_seconds(NULL::jsonb, NULL::jsonb)",
                 "sagemaker_spot_savings_percent(500, 100)", "sagemaker_fdw_check_server('history'::name)",
                 "sagemaker_fdw_check_search('history'::name, 1)", "sagemaker_fdw_comment_columns('reports.jobs'::pg_catalog.regclass, true)",
                 "sagemaker_fdw_refresh_forget('reports.jobs'::pg_catalog.regclass, 'nobody'::name, NULL::text)"):
        tap.equal(other.ask("SELECT * FROM planted.%s" % what)[1], "00000", "%s runs no decoy" % what)
    tap.equal(other.run("SELECT planted.sagemaker_primary_status(s::planted.sagemaker_secondary_status) "
                        "FROM (VALUES ('Downloading'), ('MaxWaitTimeExceeded'), (NULL)) AS v(s)"), ["InProgress", "Stopped", ""],
              "... nor does an inlined function")
    other.run("SET search_path = public")
    tap.equal(other.run("SELECT count(*) FROM reports.jobs"), ["340"], "... and all jobs are stored")
    other.close()


def test_exploit(session, tap):
    """The owner of a database, who owns schema public, gains no superuser rights from what a superuser does there."""
    session.run("CREATE ROLE owner LOGIN; CREATE DATABASE owned OWNER owner")
    other = Session("owned")
    other.run("SET ROLE owner; CREATE FUNCTION public.evil(oid, regclass) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
              "IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN ALTER ROLE owner SUPERUSER; END IF; "
              "RETURN $1 OPERATOR(pg_catalog.=) $2::oid; END $$; "
              "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.evil); RESET ROLE")
    other.run("CREATE EXTENSION sagemaker_fdw")
    make_server(other, "history")
    other.run("CREATE SCHEMA reports; CREATE SCHEMA aws; SET search_path = public, pg_catalog")
    other.run("CALL sagemaker_fdw_create_partitioned_table('aws.jobs', servers => '{history}')")
    other.run(REFRESH % ("reports.jobs", "aws.jobs", ""))
    tap.equal(other.run("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'owner'"), ["f"], "an operator in public gives its owner nothing")
    other.run("SELECT * FROM sagemaker_fdw_refresh_status")
    tap.equal(other.run("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'owner'"), ["f"], "... nor does one in a view that is read")
    other.close()


def test_default_privileges(session, tap):
    """What a superuser's objects are granted to from the start are not the extension's own table and schema."""
    session.run("CREATE ROLE everywhere; CREATE DATABASE granted")
    other = Session("granted")
    other.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO everywhere, PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO everywhere; "
              "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO everywhere, PUBLIC")
    other.run("CREATE EXTENSION sagemaker_fdw")
    tap.equal(other.run("SELECT DISTINCT grantee::regrole FROM pg_class, aclexplode(relacl) WHERE relname = 'sagemaker_fdw_refresh_state'"), ["postgres"],
              "no role but its owner has rights on the state")
    tap.equal(other.run("SELECT a.grantee, a.privilege_type FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = 'sagemaker_fdw_internal' "
                        "AND a.grantee <> nspowner"), ["0|USAGE"], "... and all roles may use the schema of what users do not call, and no more")
    other.run("SET ROLE everywhere")
    for statement in "SELECT * FROM sagemaker_fdw_refresh_state", "SELECT sagemaker_fdw_internal.refresh_forget_body('pg_class', 'history', NULL)":
        tap.equal(other.ask(statement)[1], "42501", "... whatever is granted by default: %s" % statement)
    other.close()


def test_dropped(session, tap):
    """Functions that run keep the extension: who makes its schema anew could put others in their place."""
    session.run("CREATE ROLE squatter; CREATE DATABASE dropped; GRANT CREATE ON DATABASE dropped TO squatter")
    call = "CALL sagemaker_fdw_create_partitioned_table('aws.jobs', servers => '{history}')"
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND classid = 'pg_extension'::regclass AND pid = %d"
    runs, other = Session("dropped"), Session("dropped")
    runs.run("CREATE SCHEMA aws; CREATE EXTENSION sagemaker_fdw")
    make_server(runs, "history")

    # while it is called
    runs.run("BEGIN")
    runs.run(call)
    other.send("DROP EXTENSION sagemaker_fdw CASCADE")
    wait_for(lambda: session.run(waits % other.pid) == ["1"], "the extension is to be dropped")
    runs.run("ROLLBACK")
    tap.equal(other.receive()[1], "00000", "an extension is dropped when the transactions end that have called its functions")

    # before it is called
    runs.run("DROP SCHEMA history; CREATE EXTENSION sagemaker_fdw")
    make_server(runs, "history")
    other.run("BEGIN; DROP EXTENSION sagemaker_fdw CASCADE; SET ROLE squatter; CREATE SCHEMA sagemaker_fdw_internal; "
              "CREATE FUNCTION sagemaker_fdw_internal.make_partitions(text[], regclass, name, text[], text[]) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
              "RAISE EXCEPTION 'ran as %', current_user; END $$; GRANT USAGE ON SCHEMA sagemaker_fdw_internal TO PUBLIC")
    runs.send(call)
    wait_for(lambda: session.run(waits % runs.pid) == ["1"], "a call waits")
    other.run("COMMIT")
    tap.equal(runs.receive(), (["ERROR:  extension sagemaker_fdw was dropped meanwhile"], "42704"), "... and what was called meanwhile calls nothing else")
    runs.close()
    other.close()


# ----- the state, and locks -----

def test_state(session, tap):
    """The state can be read, locked and written only through the functions that check permissions."""
    session.run("CREATE ROLE guest LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE writer LOGIN; GRANT USAGE ON SCHEMA reports TO guest, reader, writer; "
                "GRANT SELECT ON reports.jobs TO reader; GRANT SELECT, INSERT, UPDATE ON reports.jobs TO writer")
    everybody = ["SELECT * FROM sagemaker_fdw_refresh_state", "SELECT * FROM sagemaker_fdw_refresh_state FOR UPDATE",
                 "BEGIN; LOCK TABLE sagemaker_fdw_refresh_state", "BEGIN; LOCK TABLE sagemaker_fdw_refresh_state IN ACCESS SHARE MODE",
                 "BEGIN; LOCK TABLE sagemaker_fdw_refresh_status", "BEGIN; LOCK TABLE sagemaker_fdw_refresh_status IN ROW SHARE MODE",
                 "SELECT * FROM sagemaker_fdw_refresh_status FOR UPDATE", "DELETE FROM sagemaker_fdw_refresh_state",
                 "UPDATE sagemaker_fdw_refresh_state SET filled_from = now()",
                 "SELECT sagemaker_fdw_internal.refresh_load_body('reports.jobs', 'history', 'us-east-1')",
                 "SELECT sagemaker_fdw_internal.refresh_save_body('reports.jobs', NULL)",
                 "SELECT sagemaker_fdw_internal.refresh_forget_body('reports.jobs', 'history', NULL)",
                 "SELECT sagemaker_fdw_internal.refresh_enter_body('reports.jobs', '{history}', '{us-east-1}', '1 day', 1)",
                 "SELECT sagemaker_fdw_internal.refresh_twin_body('reports.jobs', 'history', 'us-east-1', 'arn:')"]
    readers = ["SELECT sagemaker_fdw_internal.refresh_load('reports.jobs', 'history', 'us-east-1')",
               "SELECT sagemaker_fdw_internal.refresh_save('reports.jobs', ROW(NULL, 'history', 'us-east-1', NULL, now(), '1 day', 1, now(), NULL, NULL, NULL, NULL, "
               "NULL, 0, 0, 0, 0, 0, NULL)::sagemaker_fdw_refresh_state)",
               "SELECT sagemaker_fdw_refresh_forget('reports.jobs', 'history')",
               "SELECT sagemaker_fdw_internal.refresh_enter('reports.jobs', '{history}', '{us-east-1}', '1 day', 1)",
               "SELECT sagemaker_fdw_internal.refresh_lock('reports.jobs', sagemaker_fdw_internal.refresh_lock_number('history', 'us-east-1'))"]
    before = session.run("SELECT * FROM sagemaker_fdw_refresh_state ORDER BY target, server, region")
    for role, statements in (("guest", everybody + readers), ("reader", everybody + readers), ("writer", everybody)):
        for statement in statements:
            session.run("SET ROLE %s" % role)
            tap.equal(session.ask(statement)[1], "42501", "%s: %s" % (role, statement))
            session.run("ROLLBACK; RESET ROLE")
    tap.equal(session.run("SELECT * FROM sagemaker_fdw_refresh_state ORDER BY target, server, region"), before, "... and nothing has changed")
    tap.equal(session.run("SELECT count(*) FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' "
                          "WHERE prosecdef AND has_function_privilege('guest', p.oid, 'EXECUTE')"), ["0"],
              "no role can call a function that runs with its owner's rights")

    # who grants everything there is grants nothing of another's target
    session.run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public, sagemaker_fdw_internal TO guest; SET ROLE guest")
    for statement in everybody[-5:] + readers:
        tap.equal(session.ask(statement)[1], "42501", "guest, who may call all functions: %s" % statement)
    session.run("RESET ROLE; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public, sagemaker_fdw_internal FROM guest")
    tap.equal(session.run("SELECT * FROM sagemaker_fdw_refresh_state ORDER BY target, server, region"), before, "... and nothing has changed")

    rows = "SELECT target, server, region FROM sagemaker_fdw_refresh_status ORDER BY 1, 2, 3"
    for role, expected in (("guest", []), ("reader", ["reports.jobs|history|eu-west-1", "reports.jobs|history|us-east-1"])):
        session.run("SET ROLE %s" % role)
        tap.equal(session.run(rows), expected, "%s sees the targets that it may read" % role)
        session.run("RESET ROLE")
    session.run("SET ROLE guest; CREATE FUNCTION pg_temp.leak(regclass) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'seen: %', $1; "
                "RETURN true; END $$")
    tap.equal(session.run("SELECT count(*) FROM sagemaker_fdw_refresh_status WHERE pg_temp.leak(target)"), ["0"], "... and a function of its own sees no other")
    session.run("RESET ROLE")

    # arguments of others' functions are the role's, the row is the target's that was checked
    session.run("CREATE TABLE reports.other (LIKE reports.jobs INCLUDING ALL); SELECT sagemaker_fdw_internal.refresh_enter('reports.other', '{history}', '{us-east-1}', '1 day', 1); "
                "SET ROLE writer")
    session.run("SELECT sagemaker_fdw_internal.refresh_save('reports.jobs', ROW('reports.other'::regclass, 'history', 'us-east-1', 'arn:', now(), '1 day', 1, now(), NULL, "
                "NULL, NULL, now(), NULL, 0, 0, 0, 0, 0, NULL)::sagemaker_fdw_refresh_state)")
    session.run("RESET ROLE")
    tap.equal(session.run("SELECT arn_prefix FROM sagemaker_fdw_refresh_state WHERE target = 'reports.other'::regclass"), [""],
              "a role that may write one target cannot write another's state")
    session.run("SET ROLE writer")
    tap.equal(session.run("SELECT sagemaker_fdw_refresh_forget('reports.jobs', 'history')"), ["2"], "a role that may write a target may forget its state")
    session.run("RESET ROLE; DROP TABLE reports.other")
    session.run(REFRESH % ("reports.jobs", "aws.jobs", ""))


def test_locks(session, tap):
    """No role can block another's refresh."""
    runs = Session()
    fault(**silent(operation="ListTrainingJobs"))
    runs.send(REFRESH % ("reports.jobs", "aws.jobs", ""))
    wait_for(lambda: counters()["in_flight"] > 0, "a refresh runs")
    tap.equal(session.run("SELECT count(*), count(running_since) FROM sagemaker_fdw_refresh_status WHERE target = 'reports.jobs'::regclass"), ["2|2"],
              "the status shows it as running")
    held = session.run("SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = %d" % runs.pid)
    tap.equal(len(set(held)), 2, "it holds a lock for each partition")
    guest = Session()
    guest.run("SET ROLE guest")
    for lock in held:
        classid, objid = map(int, lock.split("|"))
        signed = [number - (1 << 32 if number >= 1 << 31 else 0) for number in (classid, objid)]
        tap.equal(guest.run("SELECT pg_try_advisory_lock((%d::bigint << 32) | %d), pg_try_advisory_lock(%d, %d)" % (classid, objid, *signed)), ["t|t"],
                  "no SQL function takes such a lock")
    # what it could compute before
    guest.run("SELECT pg_advisory_lock(hashtextextended(format('sagemaker_fdw_refresh %s %s %s', 'reports.jobs'::regclass::oid, 'history', region), 0)) "
              "FROM unnest('{us-east-1,eu-west-1}'::text[]) AS region")
    session.run("SELECT pg_cancel_backend(%d)" % runs.pid)
    tap.equal(runs.receive()[1], "57014", "it can be cancelled")
    control("clear", b"")
    tap.equal(session.run("SELECT count(running_since) FROM sagemaker_fdw_refresh_status WHERE target = 'reports.jobs'::regclass"), ["0"],
              "... and the status no longer shows it as running")

    # a row of a target that is gone, which a transaction that stays open is about to remove
    session.run(REFRESH % ("reports.gone", "ireland.training_jobs", "") + "; DROP TABLE reports.gone")
    guest.run("RESET ROLE; CREATE SCHEMA guests AUTHORIZATION guest; SET ROLE guest; "
              "CREATE TABLE guests.mine (training_job_arn text, creation_time timestamptz, PRIMARY KEY (training_job_arn, creation_time)); "
              "BEGIN; SELECT sagemaker_fdw_internal.refresh_enter('guests.mine', '{history}', '{us-east-1}', '1 day', 1)")
    runs.run("SET lock_timeout = '20s'")
    tap.equal(runs.ask(REFRESH % ("reports.jobs", "aws.jobs", ""))[1], "00000", "whatever locks a guest can hold, a refresh runs")
    tap.equal(runs.ask(REFRESH % ("reports.new", "ireland.training_jobs", ""))[1], "00000", "... and so does the first one of a target")
    guest.run("ROLLBACK; SELECT pg_advisory_unlock_all()")
    tap.equal(guest.run("SELECT sagemaker_fdw_internal.refresh_lock_name('reports', 'newer')"), ["t"], "a role that may not make a table takes no lock of its name")
    tap.equal(session.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ["0"], "... and no lock is left")
    guest.close()
    runs.close()


# ----- whose table -----

SQUAT = """
CREATE SCHEMA %(schema)s; GRANT CREATE, USAGE ON SCHEMA %(schema)s TO mallory; CREATE TABLE %(schema)s.jobs (LIKE reports.jobs INCLUDING ALL);
ALTER TABLE %(schema)s.jobs OWNER TO mallory; SET ROLE mallory;
CREATE FUNCTION %(schema)s.evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER evil BEFORE INSERT OR UPDATE ON %(schema)s.jobs FOR EACH ROW EXECUTE FUNCTION %(schema)s.evil();
GRANT ALL ON %(schema)s.jobs TO PUBLIC; RESET ROLE; GRANT USAGE ON SCHEMA %(schema)s TO PUBLIC
"""


def test_owner(session, tap):
    """A target that another role has created."""
    session.run("CREATE ROLE mallory; CREATE ROLE team; CREATE ROLE app IN ROLE team; CREATE TABLE public.ran (role name); GRANT ALL ON public.ran TO PUBLIC; "
                "GRANT USAGE ON FOREIGN SERVER ireland TO app; GRANT USAGE ON SCHEMA ireland TO app; GRANT SELECT ON ireland.training_jobs TO app; "
                "CREATE USER MAPPING FOR app SERVER ireland OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')" % HISTORY)
    session.run(SQUAT % {"schema": "squat"})
    call = REFRESH % ("squat.jobs", "ireland.training_jobs", "")
    for role in "postgres", "app":
        session.run("SET ROLE %s; SET client_min_messages = notice" % role)
        lines, state = session.ask(call)
        tap.equal((state, lines), ("42501", [
            'ERROR:  target squat.jobs belongs to role "mallory"', 'DETAIL:  Its triggers and constraints would run with the rights of "%s".' % role,
            'HINT:  Name another target, or let "mallory" refresh it. If you trust that role, pass any_owner => true.']),
                  "%s may not refresh a table of another role" % role)
        session.run("RESET ROLE; SET client_min_messages = warning")
    tap.equal(session.run("SELECT count(*) FROM public.ran"), ["0"], "... its trigger has not run")
    tap.equal(session.run("SELECT count(*) FROM sagemaker_fdw_refresh_status WHERE target = 'squat.jobs'::regclass"), ["0"], "... and no state is stored")
    session.run("CREATE TABLE squat.poor (training_job_arn text); ALTER TABLE squat.poor OWNER TO mallory; CREATE VIEW squat.seen AS SELECT * FROM reports.jobs; "
                "ALTER VIEW squat.seen OWNER TO mallory")
    for target in "squat.poor", "squat.seen":
        tap.equal(session.ask(REFRESH % (target, "ireland.training_jobs", ""))[1], "42501", "%s is rejected for that first, whatever else it lacks" % target)
    session.run(REFRESH % ("squat.jobs", "ireland.training_jobs", ", any_owner => true"))
    tap.equal(session.run("SELECT DISTINCT role FROM public.ran"), ["postgres"], "any_owner allows it")
    session.run("ALTER TABLE squat.jobs OWNER TO team; TRUNCATE public.ran; SET ROLE app; SET client_min_messages = notice")
    lines, state = session.ask(call)
    tap.equal((state, lines), ("42501", ['ERROR:  trigger "evil" of target squat.jobs calls a function of role "mallory"', 'DETAIL:  It would run with the rights of "app".',
                                         "HINT:  DROP TRIGGER evil ON squat.jobs. If you trust that role, pass any_owner => true."]),
              "a trigger whose function belongs to another role is rejected, whoever owns the table")
    session.run("RESET ROLE; ALTER FUNCTION squat.evil OWNER TO team; SET ROLE app; SET client_min_messages = warning")
    tap.equal(session.ask(call)[1], "00000", "a table of a role counts as that of its members")
    session.run("RESET ROLE; ALTER ROLE team SUPERUSER")
    tap.equal(session.ask(call)[1], "00000", "... and one of a superuser's as every superuser's")
    session.run("ALTER ROLE team NOSUPERUSER")
    tap.equal(session.ask(call)[1], "42501", "... but not when its owner no longer is one")
    session.run("GRANT ALL ON reports.new TO app; GRANT USAGE ON SCHEMA reports TO app; SET ROLE app")
    tap.equal(session.ask(REFRESH % ("reports.new", "ireland.training_jobs", ""))[1], "42501", "only superusers may refresh a superuser's table")
    session.run("RESET ROLE")

    # given away while a refresh goes on
    session.run("CREATE TABLE squat.later (LIKE reports.jobs INCLUDING ALL)")
    runs = Session()
    fault(**late(100, operation="ListTrainingJobs"))
    runs.send(REFRESH % ("squat.later", "ireland.training_jobs", ", step => '1 hour'"))
    wait_for(lambda: session.run("SELECT count(*) FROM sagemaker_fdw_refresh_status WHERE target = 'squat.later'::regclass AND calls > 0") == ["1"],
             "it has begun")
    session.run("ALTER TABLE squat.later OWNER TO mallory")
    lines, state = runs.receive()
    control("clear", b"")
    tap.equal((state, lines[0]), ("42501", 'ERROR:  target squat.later belongs to role "mallory"'), "a table that changes its owner is no longer written")
    tap.equal(session.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ["0"], "... and its lock is released")
    runs.close()


# Code of a table's owner in every place that a table has for it.
TRAPS = """
CREATE FUNCTION traps.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NULL; END $$;
CREATE FUNCTION traps.trap(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CREATE FUNCTION traps.trap(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CREATE OPERATOR traps.= (LEFTARG = text, RIGHTARG = text, FUNCTION = traps.trap);
CREATE DOMAIN traps.checked AS text DEFAULT traps.trap('') CHECK (traps.trap(VALUE) IS NOT NULL);
CREATE TABLE traps.traps (training_job_arn text DEFAULT traps.trap(''), region traps.checked, "format(%s)" text,
	tags text GENERATED ALWAYS AS (traps.trap(training_job_arn)) STORED, CHECK (traps.trap(region) IS NOT NULL))
	PARTITION BY LIST (traps.trap(training_job_arn));
CREATE INDEX ON traps.traps (traps.trap(region));
CREATE TRIGGER trap AFTER INSERT OR UPDATE OR DELETE ON traps.traps FOR EACH ROW EXECUTE FUNCTION traps.trap();
ALTER TABLE traps.traps ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY trap ON traps.traps USING (traps.trap(region) IS NOT NULL);
CREATE VIEW traps.trap_view AS SELECT traps.trap('') AS training_job_arn, t.region FROM traps.traps AS t;
CREATE FOREIGN TABLE traps.trap_foreign (region traps.checked, tags text GENERATED ALWAYS AS (traps.trap(region)) STORED,
	other text OPTIONS (attribute 'HyperParameters.%s''; DROP TABLE public.ran; --')) SERVER ireland
"""


def test_comments(session, tap):
    """Comments on the columns of a table are its owner's to write, and a superuser's who runs no code by that."""
    call = "SELECT public.sagemaker_fdw_comment_columns('%s', replace => true)"
    session.run("CREATE ROLE trapper; CREATE SCHEMA traps; GRANT ALL ON SCHEMA traps TO trapper; GRANT USAGE ON SCHEMA reports, aws, ireland TO trapper; "
                "GRANT ALL ON reports.jobs TO trapper; GRANT USAGE ON FOREIGN SERVER ireland TO trapper; TRUNCATE public.ran; SET ROLE trapper")
    session.run(TRAPS)
    for table in "reports.jobs", "aws.jobs", "ireland.training_jobs", "pg_catalog.pg_class", "public.sagemaker_fdw_refresh_state":
        before = session.run("SELECT count(*) FROM pg_description WHERE objoid = '%s'::regclass" % table)
        tap.equal(ask(session, call % table), (
            'ERROR:  table %s belongs to role "postgres" DETAIL:  Only its owner may comment on its columns. HINT:  Let "postgres" call this.'
            % table, "42501"), "comments on the columns of %s are its owner's" % table)
        tap.equal(session.run("SELECT count(*) FROM pg_description WHERE objoid = '%s'::regclass" % table), before, "... and none is written")
    # a schema's owner finds the table that a superuser names
    session.run("SET search_path = traps, pg_catalog; RESET ROLE")
    for table, columns in (("traps", 3), ("trap_view", 2), ("trap_foreign", 2)):
        tap.equal(session.ask(call % table), ([str(columns)], "00000"), "a superuser writes those of another role's %s" % table)
    session.run("RESET search_path")
    tap.equal(session.run("SELECT count(*) FROM public.ran"), ["0"], "... and runs no code of that role")
    tap.equal(session.run("SELECT attname FROM pg_attribute WHERE attrelid = 'traps.trap_foreign'::regclass AND col_description(attrelid, attnum) "
                          "~ $$^%s'; DROP TABLE public.ran; -- of HyperParameters[.] [A-Z]$$"), ["other"], "... whatever a path holds")

    # who is not the owner waits for no lock, and who was the owner has no right left after the wait
    holder = Session()
    holder.run("BEGIN; LOCK TABLE reports.jobs IN ACCESS EXCLUSIVE MODE")
    session.run("SET ROLE trapper; SET lock_timeout = '20s'")
    tap.equal(session.ask(call % "reports.jobs")[1], "42501", "another role's call takes no lock")
    holder.run("ROLLBACK; BEGIN; ALTER TABLE traps.traps OWNER TO team")
    session.send(call % "traps.traps")
    wait_for(lambda: holder.run("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'traps.traps'::regclass") == ["1"], "the call waits")
    holder.run("COMMIT")
    lines, state = session.receive()
    tap.equal((state, lines[0]), ("42501", 'ERROR:  table traps.traps belongs to role "team"'), "a table that is given away meanwhile is its new owner's")
    holder.close()
    session.run("RESET ROLE; RESET lock_timeout; DROP SCHEMA traps CASCADE; DROP OWNED BY trapper; DROP ROLE trapper")


# ----- what is told -----

COLUMNS = ("SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute "
           "WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped")
VALUES = ("SELECT string_agg(format('%%s AS %%I', CASE WHEN atttypid = 'timestamptz'::regtype THEN 'now() - interval $$2 months$$' "
          "ELSE 'NULL::' || format_type(atttypid, atttypmod) END, attname), ', ' ORDER BY attnum) FROM pg_attribute "
          "WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped")


def test_planters(session, tap):
    """Code that others have put where a refresh would run it: on its target, in its source, or in place of either."""
    session.run("CREATE ROLE planter; CREATE SCHEMA garden AUTHORIZATION planter; GRANT USAGE ON FOREIGN SERVER ireland TO planter; GRANT USAGE ON SCHEMA reports TO planter; "
                "CREATE USER MAPPING FOR planter SERVER ireland OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s')" % HISTORY)
    session.run("SET ROLE planter; CREATE FUNCTION garden.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran as %', current_user; RETURN NEW; END $$; "
                "CREATE FUNCTION garden.checks(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran as %', current_user; RETURN true; END $$; "
                "CREATE DOMAIN garden.checked AS text CHECK (garden.checks(VALUE)); IMPORT FOREIGN SCHEMA sagemaker FROM SERVER ireland INTO garden; RESET ROLE")

    # on a superuser's table, by TRIGGER
    session.run("CREATE TABLE reports.planted (LIKE reports.jobs INCLUDING ALL); GRANT ALL ON reports.planted TO planter; SET ROLE planter; "
                "CREATE TRIGGER fires BEFORE INSERT ON reports.planted FOR EACH STATEMENT EXECUTE FUNCTION garden.fires(); RESET ROLE")
    call = REFRESH % ("reports.planted", "ireland.training_jobs", "%s")
    tap.equal(session.ask(call % ""), (['ERROR:  trigger "fires" of target reports.planted calls a function of role "planter"', 'DETAIL:  It would run with the rights of "postgres".',
                                        "HINT:  DROP TRIGGER fires ON reports.planted. If you trust that role, pass any_owner => true."], "42501"),
              "a trigger that needs only TRIGGER permission does not run")
    tap.equal([line for line in set(session.run(call % ", any_owner => true")) if "ran as" in line], ["WARNING:  ran as postgres"], "... unless that is requested")
    session.run("ALTER TABLE reports.planted DISABLE TRIGGER fires")
    tap.equal(session.ask(call % ""), ([], "00000"), "... a disabled one is allowed")
    session.run("DROP TRIGGER fires ON reports.planted; CREATE TRIGGER own BEFORE UPDATE ON reports.planted FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()")
    tap.equal(session.ask(call % ""), ([], "00000"), "... and so is a superuser's function")

    # in the source
    session.run("TRUNCATE reports.planted")
    call = REFRESH % ("reports.planted", "garden.training_jobs", "%s")
    tap.equal(session.ask(call % "")[1], "00000", "another role's source without code is read")
    for change, name in (("ALTER failure_reason TYPE garden.checked", "failure_reason"), ("ALTER failure_reason TYPE text, ADD more garden.checked[]", "more"),
                         ("DROP more, ADD twice text GENERATED ALWAYS AS (training_job_name || training_job_name) STORED", "twice")):
        session.run("SET ROLE planter; ALTER FOREIGN TABLE garden.training_jobs %s; RESET ROLE" % change)
        tap.equal(session.ask(call % ""), (['ERROR:  source garden.training_jobs belongs to role "planter"',
                                            'DETAIL:  What its columns %s check or compute would run with the rights of "postgres".' % name,
                                            'HINT:  Name another source, or let "planter" refresh. If you trust that role, pass any_owner => true.'], "42501"),
                  "... but not after %s" % change)
    session.run("SET ROLE planter; ALTER FOREIGN TABLE garden.training_jobs DROP twice, ALTER failure_reason TYPE garden.checked")
    tap.equal(session.ask(REFRESH % ("garden.own", "garden.training_jobs", ""))[1], "00000", "... its owner may still read it")
    session.run("RESET ROLE; ALTER FOREIGN TABLE garden.training_jobs ALTER failure_reason TYPE text; DROP TABLE garden.own")

    # in the place of the target, or of the source, between two steps
    columns = session.run(COLUMNS % "reports.jobs")[0]
    values = session.run(VALUES % "garden.training_jobs")[0]
    for target, source, swapped, swap in (
            ("garden.jobs", "ireland.training_jobs", "garden.jobs", "DROP TABLE garden.jobs; CREATE TABLE garden.jobs (%s, PRIMARY KEY (training_job_arn, creation_time)); "
             "CREATE TRIGGER fires BEFORE INSERT ON garden.jobs FOR EACH STATEMENT EXECUTE FUNCTION garden.fires()" % columns),
            ("reports.swapped", "garden.training_jobs", "garden.training_jobs", "DROP FOREIGN TABLE garden.training_jobs; "
             "CREATE VIEW garden.training_jobs AS SELECT %s FROM generate_series(1, 2) AS n WHERE garden.checks(n::text) OFFSET 0" % values)):
        runs = Session()
        fault(**late(100, operation="ListTrainingJobs"))
        runs.send(REFRESH % (target, source, ", step => '1 hour'"))
        wait_for(lambda: session.run("SELECT count(*) FROM sagemaker_fdw_refresh_status WHERE target = to_regclass('%s') AND calls > 0" % target) == ["1"], "it has begun")
        other = Session()
        other.run("SET ROLE planter; BEGIN")
        other.run(swap)
        wait_for(lambda: session.run("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %d" % runs.pid) == ["1"], "it waits")
        other.run("COMMIT")
        lines, state = runs.receive()
        control("clear", b"")
        tap.equal((state, [line for line in lines if "ran as" in line]), ("42P01", []), "whatever replaces %s runs nothing" % swapped)
        runs.close()
        other.close()


def test_errors(session, tap):
    """Errors of the procedures say what to do, and show nothing internal."""
    session.run("CREATE ROLE nobody; CREATE SCHEMA closed; CREATE TABLE public.plain (a integer); GRANT USAGE ON SCHEMA aws, reports, closed TO nobody; GRANT CREATE ON SCHEMA public TO nobody")
    make = "CALL sagemaker_fdw_create_partitioned_table('%s', servers => '{%s}')"
    grant = "GRANT SELECT ON aws.jobs_123456789012_us_east_1 TO nobody."
    for role, statement, expected in [
            ("postgres", make % ("public.plain", "history"), ("42809", "ERROR:  public.plain exists, and is not a table of accounts and regions",
                                                              "DETAIL:  Servers and regions are added only to a table that sagemaker_fdw_create_partitioned_table "
                                                              "has made: one PARTITION BY LIST (account_id).",
                                                              "HINT:  Give the name of such a table, or of one that is to be made.")),
            ("postgres", make % ("a b", "history"), ("22023", 'ERROR:  string is not a valid identifier: "a b"')),
            ("postgres", make % ("x", "nowhere"), ("42704", 'ERROR:  server "nowhere" does not exist')),
            ("postgres", REFRESH % ("public.plain", "aws.jobs", ""), ("42809", "ERROR:  public.plain is not a table that sagemaker_fdw_refresh keeps",
                                                                      "DETAIL:  It is not a plain, permanent table with the primary key (training_job_arn, creation_time).",
                                                                      "HINT:  Name another target: sagemaker_fdw_refresh makes it.")),
            ("postgres", "BEGIN; " + REFRESH % ("reports.jobs", "aws.jobs", ""), ("25001", "ERROR:  sagemaker_fdw_refresh cannot run inside a transaction block",
                                                                                 "DETAIL:  It commits what it has done, step by step.",
                                                                                 "HINT:  Send the CALL as a statement of its own, without BEGIN. Drivers that begin transactions themselves, such as psycopg, need autocommit.")),
            ("nobody", make % ("public.mine", "history"), ("42501", "ERROR:  permission denied for foreign server history",
                                                            "HINT:  GRANT USAGE ON FOREIGN SERVER history TO nobody.")),
            ("nobody", REFRESH % ("reports.jobs", "aws.jobs", ""), ("42501", "ERROR:  permission denied for foreign table aws.jobs_123456789012_us_east_1",
                                                                    "DETAIL:  The partitions of a source are read one by one.", "HINT:  " + grant)),
            ("nobody", REFRESH % ("reports.jobs", "ireland.training_jobs", ""), ("42501", "ERROR:  permission denied for target reports.jobs",
                                                                                 'DETAIL:  Role "nobody" lacks SELECT, INSERT, UPDATE.',
                                                                                 "HINT:  GRANT SELECT, INSERT, UPDATE ON reports.jobs TO nobody.")),
            ("nobody", REFRESH % ("closed.jobs", "ireland.training_jobs", ""), ("42501", "ERROR:  permission denied for schema closed",
                                                                                'DETAIL:  "jobs" would be created there.',
                                                                                "HINT:  GRANT CREATE ON SCHEMA closed TO nobody; or let a role that has it make the table."))]:
        session.run("GRANT SELECT ON ireland.training_jobs TO nobody; GRANT USAGE ON SCHEMA ireland TO nobody; SET ROLE %s" % role)
        lines, state = session.ask(statement)
        session.run("ROLLBACK; RESET ROLE")
        tap.equal((state, *lines), expected, "%s: %s" % (role, statement))

    session.run("CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no tables today' USING DETAIL = 'It is Sunday.', "
                "HINT = 'Come tomorrow.'; END $$; CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()")
    for statement in make % ("aws.more", "history"), REFRESH % ("reports.more", "aws.jobs", ""):
        tap.equal(session.ask(statement), (["ERROR:  no tables today", "DETAIL:  It is Sunday.", "HINT:  Come tomorrow."], "P0001"),
                  "an event trigger's error when a table is created is passed on unchanged")
    session.run("DROP EVENT TRIGGER refuse; DROP FUNCTION refuse")

    message, state = ask(session, REFRESH.replace("'2017-11-01'", "'%d-01-01'" % (time.gmtime().tm_year + 2)) % ("reports.future", "aws.jobs", ""))
    tap.equal((state, "since is in the future" in message, "CONTEXT" in message), ("22023", True, False), "a history that begins in the future is an error")
    tap.equal(session.run("SELECT to_regclass('reports.future')"), [""], "... and no table is created")
    tap.equal(session.ask(REFRESH.replace("'2017-11-01'", "now()") % ("reports.future", "aws.jobs", ""))[1], "00000", "one that begins now is allowed")

    fault(**denied(operation="ListTrainingJobs", message="not today"))
    lines, state = session.ask(REFRESH % ("reports.jobs", "aws.jobs", ""))
    control("clear", b"")
    tap.equal((state, [line.split(":")[0] for line in lines if not line.startswith("Server")]), ("42501", ["ERROR", "DETAIL", "HINT"]),
              "the error of a failed partition has no context")
    tap.equal(session.run("SELECT count(*), count(error), count(last_success_at) FROM sagemaker_fdw_refresh_status WHERE target = 'reports.jobs'::regclass"),
              ["2|2|2"], "... and the status shows the error beside the last success")


def test_status(session, tap):
    """Roles that row security shows no job can read the status: it names none."""
    session.run("CREATE SCHEMA mistaken; IMPORT FOREIGN SCHEMA sagemaker FROM SERVER ireland INTO mistaken; "
                "ALTER FOREIGN TABLE mistaken.training_jobs OPTIONS (ADD account_id '999999999999')")
    lines, state = session.ask(REFRESH % ("reports.mistaken", "mistaken.training_jobs", ""))
    tap.equal((state, bool(re.search('a training job belongs to AWS account 123456789012, .* ListTrainingJobs of training job "[^"]+" was called with ',
                                     " ".join(lines)))), ("28000", True),
              "a job of an unexpected account is an error, whose detail names it")
    tap.equal(session.run("SELECT error FROM sagemaker_fdw_refresh_status WHERE target = 'reports.mistaken'::regclass"),
              ["a training job belongs to AWS account 123456789012, but account 999999999999 is expected"], "... but not in the status")


def test_summary(session, tap):
    """The NOTICE of a refresh counts each job once."""
    session.run("SET client_min_messages = notice")
    for expected in (340, 0), (0, None), (0, None):
        line = [line for line in session.run(REFRESH % ("reports.counted", "aws.jobs", ', "full" => true')) if line.startswith("NOTICE:  refreshed")][0]
        inserted, updated, unchanged, deleted = map(int, re.match(r"NOTICE:  refreshed \S+: (\d+) inserted, (\d+) updated, (\d+) unchanged, (\d+) deleted", line).groups())
        tap.equal((inserted, updated, unchanged, deleted), (expected[0], 0, 340 - expected[0], 0), "all jobs are counted once: %s" % line)
    tap.equal(session.run("SELECT region, jobs FROM sagemaker_fdw_refresh_status WHERE target = 'reports.counted'::regclass ORDER BY 1"),
              ["eu-west-1|40", "us-east-1|300"], "... and in the status")
    session.run("SET client_min_messages = warning")


def test_statistics(session, tap):
    """What ANALYZE stores."""
    session.run("CREATE FOREIGN TABLE secrets (training_job_name text, environment jsonb, \"All\" text OPTIONS (attribute 'Environment'), "
                "password text OPTIONS (attribute 'Environment.PASSWORD'), raw_response jsonb, document text OPTIONS (attribute 'raw_response'), "
                "of_all text GENERATED ALWAYS AS (\"All\"::jsonb->>'PASSWORD') STORED, of_one text GENERATED ALWAYS AS (password || training_job_name) STORED, "
                "of_document text GENERATED ALWAYS AS (raw_response->'Environment'->>'PASSWORD') STORED, "
                "of_name text GENERATED ALWAYS AS (upper(training_job_name)) STORED) SERVER history")
    for number in range(60):
        name = session.run("SELECT training_job_name FROM history.training_jobs ORDER BY 1 OFFSET %d LIMIT 1" % number)[0]
        facts = control("document?name=%s&region=us-east-1" % name)
        control("document?name=%s&region=us-east-1" % name,
                re.sub(r"^\{", '{"Environment": {"PASSWORD": "open-sesame"}, ', re.sub(r'"Environment": \{[^}]*\},? ?', "", facts)).encode())
    tap.equal(session.run("SELECT count(*) FROM secrets WHERE password = 'open-sesame' AND environment->>'PASSWORD' = password "
                          "AND raw_response->'Environment' = environment AND of_all || training_job_name = of_one AND of_document = of_all"), ["60"], "jobs have a password in their environment")
    session.run("ANALYZE secrets; ANALYZE history.training_jobs")
    tap.equal(session.run("SELECT count(*) FROM pg_statistic WHERE pg_statistic::text ~ 'open-sesame'"), ["0"], "ANALYZE keeps none of it")
    tap.equal(session.run("SELECT attname FROM pg_stats WHERE tablename = 'secrets' AND null_frac < 1 ORDER BY 1"), ["of_name", "raw_response", "training_job_name"],
              "... columns that contain it, or are computed from it, are sampled as NULL, and raw_response without it")
    control("reset", b"")


def test_progress(session, tap):
    """What a role is told that row security shows no job."""
    session.run("CREATE TABLE hidden (LIKE history.training_jobs) PARTITION BY LIST (region); CREATE FOREIGN TABLE hidden_1 PARTITION OF hidden "
                "FOR VALUES IN ('us-east-1') SERVER history; ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON hidden USING (account_id = '-'); "
                "GRANT SELECT ON hidden TO guest; CREATE USER MAPPING FOR guest SERVER history OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s'); "
                "SET ROLE guest; SET client_min_messages = notice; SET sagemaker_fdw.progress_interval = '20ms'" % HISTORY)
    control("config", {"latency_ms": 40})
    lines = session.run("SELECT count(raw_response) FROM hidden")
    control("config", {"latency_ms": 0})
    session.run("RESET ROLE; RESET sagemaker_fdw.progress_interval; SET client_min_messages = warning")
    tap.equal(lines[-1], "0", "row security shows no job")
    tap.ok(any(line.startswith("NOTICE:  reading hidden_1: ") for line in lines), "... and the scan reports its progress", lines)
    tap.equal([line for line in lines if re.search(r"\d\d:\d\d|created", line)], [], "... but not a job's creation time")


def test_regions(session, tap):
    """What is not a region of AWS is rejected."""
    for region in "s3", "us-east", "aws-global", "US-EAST-1", "us-east-1-fips", "useast1":
        tap.equal(session.ask("CREATE SERVER bad FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region '%s')" % region)[1], "22023", "region %s is rejected" % region)
    for number, region in enumerate(("us-east-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "ap-southeast-1000", "xx-new-12")):
        tap.equal(session.ask("CREATE SERVER good_%d FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region '%s')" % (number, region))[1], "00000",
                  "region %s is accepted nevertheless" % region)


def test_moved(session, tap):
    """A schema's owner cannot substitute a table of his own for one that partitions are added to."""
    session.run("CREATE ROLE mallory; CREATE SCHEMA lent")
    session.run("CALL sagemaker_fdw_create_partitioned_table('lent.jobs', servers => '{history}', regions => '{us-east-1}')")
    session.run("ALTER SCHEMA lent OWNER TO mallory; GRANT CREATE ON DATABASE %s TO mallory" % session.database)
    columns = session.run("SELECT string_agg(format('%I %s', column_name, column_type), ', ') FROM sagemaker_fdw_columns()")[0]
    holder, other = Session(), Session()
    holder.run("BEGIN; LOCK TABLE lent.jobs")
    session.send("CALL sagemaker_fdw_create_partitioned_table('lent.jobs', servers => '{history}', regions => '{eu-west-1}')")
    wait_for(lambda: other.run("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lent.jobs'::regclass") == ["1"], "the call waits")
    other.run("SET ROLE mallory; ALTER SCHEMA lent RENAME TO moved; CREATE SCHEMA lent; CREATE FUNCTION lent.kept(text) RETURNS text IMMUTABLE "
              "LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %%', current_user; END $$; "
              "CREATE TABLE lent.jobs (%s) PARTITION BY LIST (lent.kept(account_id))" % columns)
    holder.run("ROLLBACK")
    tap.equal(session.receive()[1], "00000", "partitions are added to a table whose schema is renamed meanwhile")
    tap.equal(session.run("SELECT inhparent::regclass, inhrelid::regclass FROM pg_inherits WHERE inhparent::regclass::text ~ '^(moved|lent)' ORDER BY inhrelid::regclass::text COLLATE \"C\""),
              ["moved.jobs|moved.jobs_123456789012", "moved.jobs_123456789012|moved.jobs_123456789012_eu_west_1",
               "moved.jobs_123456789012|moved.jobs_123456789012_us_east_1"], "... the intended one")
    holder.close()
    other.close()
    session.run("DROP SCHEMA lent, moved CASCADE; DROP OWNED BY mallory; DROP ROLE mallory")


# ----- labels -----

def test_labels(session, tap):
    """COST, PARALLEL and volatility."""
    own = ("FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' "
           "JOIN pg_extension AS e ON e.oid = d.refobjid AND extname = 'sagemaker_fdw' ")
    tap.equal(session.run("SELECT proname, procost >= 40000 " + own + "WHERE proname ~ 'describe_training_job|check_server|check_search|account_id' ORDER BY 1"),
              ["sagemaker_describe_training_job|t", "sagemaker_fdw_account_id|t", "sagemaker_fdw_check_search|t", "sagemaker_fdw_check_server|t"],
              "functions that make calls have a matching cost")
    control("calls")
    tap.equal(session.run("SELECT count(*) FROM generate_series(1, 3) AS n WHERE sagemaker_describe_training_job('history', 'no-such-job') IS NULL AND n > 3"), ["0"],
              "a cheap condition")
    tap.equal(control("calls").strip(), "none", "... is evaluated before a call")
    tap.equal(session.run("SELECT proparallel " + own + "WHERE proname = 'sagemaker_fdw_check_server'"), ["u"],
              "a function that begins subtransactions is not used in parallel queries")
    tap.equal(session.run("SELECT DISTINCT p.proname, f.proname " + own + "JOIN pg_depend AS u ON u.objid = p.oid AND u.classid = 'pg_proc'::regclass "
                          "AND u.refclassid = 'pg_proc'::regclass JOIN pg_proc AS f ON f.oid = u.refobjid WHERE p.provolatile = 'i' AND f.provolatile <> 'i'"), [],
              "no IMMUTABLE function calls one of the extension's that is not immutable")
    # of pg_catalog's no dependency is kept: the bodies are read
    bodies = session.run("SELECT p.proname || ' ' || replace(pg_get_functiondef(p.oid), E'\\n', ' ') " + own + "WHERE p.provolatile = 'i' ORDER BY 1")
    words = sorted({word for body in bodies for word in re.findall(r"\b([a-z_][a-z_0-9]*)\s*\(", body)})
    stable = session.run("SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ('{%s}') "
                         "GROUP BY 1 HAVING bool_and(provolatile <> 'i') ORDER BY 1" % ",".join(words))
    tap.equal(stable, [], "... nor one of pg_catalog's")


def main():
    tap = Tap()
    cluster = Cluster(AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/none", AWS_SHARED_CREDENTIALS_FILE="/none")
    try:
        cluster.start()
        session = Session()
        test_planted(session, tap)
        test_exploit(session, tap)
        test_default_privileges(session, tap)
        test_dropped(session, tap)
        session.run("CREATE EXTENSION sagemaker_fdw")
        make_server(session, "history")
        make_server(session, "ireland")
        session.run("ALTER SERVER ireland OPTIONS (SET region 'eu-west-1'); CREATE SCHEMA aws; CREATE SCHEMA reports")
        session.run("CALL sagemaker_fdw_create_partitioned_table('aws.jobs', servers => '{history}', regions => '{us-east-1,eu-west-1}')")
        session.run(REFRESH % ("reports.jobs", "aws.jobs", ""))
        for test in (test_state, test_locks, test_owner, test_comments, test_planters, test_errors, test_status, test_summary, test_statistics, test_progress, test_regions, test_moved, test_labels):
            test(session, tap)
        session.close()
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
