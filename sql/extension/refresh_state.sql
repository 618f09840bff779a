/*
 * refresh_state.sql
 *		The state of tables that sagemaker_fdw_refresh manages: its rows, who may write them, the locks
 *		of a run, and what users see of it.
 *
 *		refresh.sql decides what the rows contain.
 */

-- A row for each partition of a managed table.  No role has privileges on this table, not even to lock
-- it: sagemaker_fdw_refresh_status shows it, and functions write it.

CREATE TABLE @extschema@.sagemaker_fdw_refresh_state (
	target regclass,
	server name,
	region text,					-- of the partition; empty: set in the server's own configuration
	arn_prefix text,				-- common prefix of the ARNs of its jobs; NULL: no job seen yet
	filled_from timestamptz NOT NULL,	-- the target has the jobs created since this time
	window_width interval NOT NULL,	-- length of the next window, which ends at filled_from
	batch integer NOT NULL,			-- most jobs in a window
	compared_at timestamptz NOT NULL,	-- start of the last run that compared everything; initially of the first run
	pass_from timestamptz,			-- for the comparison under way: how far back it goes
	pass_to timestamptz,			-- ... and only jobs older than this remain
	run_started_at timestamptz,
	run_ended_at timestamptz,		-- NULL: under way, or aborted
	last_success_at timestamptz,	-- end of the last run that succeeded; NULL: none has
	inserted bigint NOT NULL DEFAULT 0,	-- in the last run, like the next four
	updated bigint NOT NULL DEFAULT 0,
	unchanged bigint NOT NULL DEFAULT 0,
	deleted bigint NOT NULL DEFAULT 0,
	calls bigint NOT NULL DEFAULT 0,
	error text,						-- why it failed; NULL: it did not fail
	PRIMARY KEY (target, server, region)
);

COMMENT ON TABLE @extschema@.sagemaker_fdw_refresh_state IS
	'where the tables that sagemaker_fdw_refresh keeps stand, by partition';

-- default privileges may have granted something
DO $$
DECLARE
	role oid;
BEGIN
	FOR role IN SELECT DISTINCT a.grantee FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
				 WHERE c.oid = '@extschema@.sagemaker_fdw_refresh_state'::regclass AND a.grantee <> c.relowner LOOP
		EXECUTE format('REVOKE ALL ON @extschema@.sagemaker_fdw_refresh_state FROM %s',
			CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END);
	END LOOP;
END;
$$;

-- not for a target that was dropped: after a restore its OID may belong to another table
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sagemaker_fdw_refresh_state', 'WHERE target IN (SELECT oid FROM pg_catalog.pg_class)');

-- A run holds a lock of its target and a number of the partition.  It is an advisory one in a class
-- that no SQL function takes but the next ones, which ask whether the role may write the target: no
-- other role can be in its way.  The lock is the transaction's, and the session's while one transaction
-- ends and the next begins: an error or a cancel lets go of it, a commit does not.
CREATE FUNCTION sagemaker_fdw_internal.refresh_lock_number(server name, region text)
RETURNS oid
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(server::text || ' ' || region, 0) & 4294967295)::oid;

CREATE FUNCTION sagemaker_fdw_internal.refresh_lock(target regclass, number oid)
RETURNS boolean
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refresh_lock'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

-- The same for a table that is to be made; the role must be allowed to make it.
CREATE FUNCTION sagemaker_fdw_internal.refresh_lock_name(schema_name name, table_name name)
RETURNS boolean
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refresh_lock_name'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_hold()
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refresh_hold'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_resume()
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refresh_resume'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

-- Conditions use the role's privileges; the table is read with the owner's.
CREATE VIEW @extschema@.sagemaker_fdw_refresh_status WITH (security_barrier) AS
	SELECT s.target, s.server, s.region, s.filled_from, s.last_success_at,
		CASE WHEN s.run_ended_at IS NULL AND l.held THEN s.run_started_at END AS running_since,
		s.inserted + s.updated + s.unchanged AS jobs, s.calls,
		CASE WHEN s.error IS NULL AND s.run_ended_at IS NULL AND NOT l.held AND NOT pg_is_in_recovery()
			 THEN 'stopped before its end, by a cancel, a timeout, a lost session or an error at a commit: the server''s log tells'
			 ELSE s.error END AS error
	  FROM @extschema@.sagemaker_fdw_refresh_state AS s
		CROSS JOIN LATERAL (SELECT EXISTS (
				-- objsubid: the class of refresh_lock; a standby has none of them
				SELECT FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
				 WHERE l.locktype = 'advisory' AND l.objsubid = 3 AND l.classid = s.target AND l.granted
					AND l.objid = sagemaker_fdw_internal.refresh_lock_number(s.server, s.region)
					AND d.datname = current_database()) AS held) AS l
	 WHERE has_table_privilege(s.target, 'SELECT');

COMMENT ON VIEW @extschema@.sagemaker_fdw_refresh_status IS
	'where the tables that sagemaker_fdw_refresh keeps stand, by partition: those that the role may read';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.filled_from IS 'the table has the jobs that were created from here on';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.last_success_at IS 'when the last refresh ended that did not fail';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.running_since IS 'when the refresh began that is under way; NULL when none is';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.jobs IS 'jobs that the last refresh has inserted, updated, or found unchanged';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.calls IS 'calls that the last refresh has made';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_refresh_status.error IS 'why the last refresh failed; NULL when it did not';

GRANT SELECT ON @extschema@.sagemaker_fdw_refresh_status TO PUBLIC;

-- Begin a run: a row for each partition.
CREATE FUNCTION sagemaker_fdw_internal.refresh_enter(target regclass, servers name[], regions text[], step interval, batch integer)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call_for_target'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_enter_body(target regclass, servers name[], regions text[], step interval, batch integer)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- do not wait for a row that somebody else is about to remove
	DELETE FROM @extschema@.sagemaker_fdw_refresh_state AS s
	 USING (SELECT g.ctid AS place FROM @extschema@.sagemaker_fdw_refresh_state AS g
			 WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = g.target)
				OR g.target = refresh_enter_body.target AND NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = g.server)
			   FOR UPDATE OF g SKIP LOCKED) AS gone
	 WHERE s.ctid = gone.place;
	INSERT INTO @extschema@.sagemaker_fdw_refresh_state AS s (target, server, region, filled_from, window_width, batch, compared_at, run_started_at)
	SELECT refresh_enter_body.target, l.server, l.region, clock_timestamp(), least(step, '100 years'),
		refresh_enter_body.batch, clock_timestamp(), clock_timestamp()
	  FROM unnest(servers, regions) AS l(server, region)
	ON CONFLICT ON CONSTRAINT sagemaker_fdw_refresh_state_pkey DO UPDATE
	   SET window_width = EXCLUDED.window_width, batch = EXCLUDED.batch, pass_from = NULL, pass_to = NULL,
		run_started_at = EXCLUDED.run_started_at, run_ended_at = NULL,
		inserted = 0, updated = 0, unchanged = 0, deleted = 0, calls = 0, error = NULL;
END;
$$;

-- The row of a partition; NULL when there is none.
CREATE FUNCTION sagemaker_fdw_internal.refresh_load(target regclass, server name, region text)
RETURNS @extschema@.sagemaker_fdw_refresh_state
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call_for_target'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_load_body(target regclass, server name, region text)
RETURNS @extschema@.sagemaker_fdw_refresh_state
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	state @extschema@.sagemaker_fdw_refresh_state;
BEGIN
	SELECT s.* INTO state FROM @extschema@.sagemaker_fdw_refresh_state AS s
	 WHERE s.target = refresh_load_body.target AND s.server = refresh_load_body.server
		AND s.region = refresh_load_body.region;
	RETURN state;
END;
$$;

CREATE FUNCTION sagemaker_fdw_internal.refresh_save(target regclass, state @extschema@.sagemaker_fdw_refresh_state)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call_for_target'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_save_body(target regclass, state @extschema@.sagemaker_fdw_refresh_state)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- use the target that was checked, whatever the state says
	UPDATE @extschema@.sagemaker_fdw_refresh_state AS s
	   SET (arn_prefix, filled_from, window_width, batch, compared_at, pass_from, pass_to, run_ended_at, last_success_at,
			inserted, updated, unchanged, deleted, calls, error)
		 = ROW (state.arn_prefix, state.filled_from, state.window_width, state.batch, state.compared_at, state.pass_from, state.pass_to,
			state.run_ended_at, state.last_success_at, state.inserted, state.updated, state.unchanged, state.deleted, state.calls, state.error)
	 WHERE s.target = refresh_save_body.target AND s.server = state.server AND s.region = state.region;
END;
$$;

-- Another server of the target's that reads the same account and region.
CREATE FUNCTION sagemaker_fdw_internal.refresh_twin(target regclass, server name, region text, arn_prefix text)
RETURNS name
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call_for_target'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_twin_body(target regclass, server name, region text, arn_prefix text)
RETURNS name
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT min(s.server::text)::name FROM @extschema@.sagemaker_fdw_refresh_state AS s
		WHERE s.target = refresh_twin_body.target AND s.arn_prefix = refresh_twin_body.arn_prefix
			AND (s.server, s.region) <> (refresh_twin_body.server, refresh_twin_body.region));
END;
$$;

-- Forget where a server's partitions stand, in one region or in all: how many.
CREATE FUNCTION sagemaker_fdw_internal.refresh_forget(target regclass, server name, region text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call_for_target'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_forget_body(target regclass, server name, region text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	forgotten bigint;
BEGIN
	DELETE FROM @extschema@.sagemaker_fdw_refresh_state AS s
	 WHERE s.target = refresh_forget_body.target AND s.server = refresh_forget_body.server
		AND (refresh_forget_body.region IS NULL OR s.region = refresh_forget_body.region);
	GET DIAGNOSTICS forgotten = ROW_COUNT;
	RETURN forgotten;
END;
$$;

CREATE FUNCTION @extschema@.sagemaker_fdw_refresh_forget(target regclass, server name, region text DEFAULT NULL)
RETURNS bigint
LANGUAGE SQL VOLATILE
RETURN sagemaker_fdw_internal.refresh_forget(target, server, region);

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_refresh_forget(regclass, name, text) IS
	'forgets how far sagemaker_fdw_refresh has read a server into a table, in one region or in all';
