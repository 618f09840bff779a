/*
 * refresh.sql
 *		sagemaker_fdw_refresh: how it creates a table, fills it with the history of jobs, and compares
 *		it with the list.
 *
 *		A run continues in steps, each in its own transaction, partition by partition: a step reads a
 *		window of the history, or compares a part of the list.  The state is passed from one function to
 *		the next as a row of sagemaker_fdw_refresh_state, and saved at the end of the step.
 */

-- A target's columns: those of the source but the two where users keep secrets, whatever they are called; a status
-- is the text that the service sent, which no new label turns into NULL.
CREATE FUNCTION sagemaker_fdw_internal.refresh_columns(source regclass, OUT name name, OUT type text, OUT expression text)
RETURNS SETOF record
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT a.attname,
		CASE WHEN label THEN 'text' ELSE format_type(a.atttypid, a.atttypmod) END,
		CASE WHEN label AND path = 'ProfilingStatus'
				-- the only status that Search does not send
				THEN format('coalesce(s.raw_response #>> %L, s.%I::text)', string_to_array(path, '.'), a.attname)
			WHEN label THEN format('s.raw_response #>> %L', string_to_array(path, '.'))
			ELSE format('s.%I', a.attname) END
	  FROM pg_attribute AS a
		LEFT JOIN @extschema@.sagemaker_fdw_columns() AS c ON c.column_name = a.attname
		CROSS JOIN LATERAL (SELECT coalesce((SELECT option_value FROM pg_options_to_table(a.attfdwoptions)
			WHERE option_name = 'attribute'), c.attribute)) AS option(path)
		CROSS JOIN LATERAL (SELECT path IS NOT NULL AND EXISTS (
			SELECT FROM pg_type AS t WHERE t.oid = a.atttypid AND t.typtype = 'e')) AS enum(label)
	 WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
		AND coalesce(path, '') NOT IN ('Environment', 'raw_response')
	 ORDER BY a.attnum;
END;

COMMENT ON FUNCTION sagemaker_fdw_internal.refresh_columns(regclass) IS
	'columns that sagemaker_fdw_refresh keeps of a source';

-- Which jobs of a target are to be asked for again whatever the list says of them.
CREATE FUNCTION sagemaker_fdw_internal.refresh_unfinished(source regclass)
RETURNS text
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
RETURN $sql$deleted_at IS NULL AND (training_job_status IS NULL OR training_job_status NOT IN ('Completed', 'Failed', 'Stopped')$sql$ ||
	CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname = 'warm_pool_status' AND atttypid = 'jsonb'::regtype)
		THEN $sql$ OR warm_pool_status->>'Status' IN ('Available', 'InUse'))$sql$ ELSE ')' END;

-- What the state calls a partition: its server and its region.
CREATE FUNCTION sagemaker_fdw_internal.refresh_leaves(leaves regclass[], OUT leaf regclass, OUT server name, OUT region text, OUT n bigint)
RETURNS SETOF record
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT l.leaf, s.srvname, coalesce(
			(SELECT option_value FROM pg_options_to_table(t.ftoptions) WHERE option_name = 'region'),
			(SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'region'), ''), l.n
	  FROM unnest(leaves) WITH ORDINALITY AS l(leaf, n)
		JOIN pg_foreign_table AS t ON t.ftrelid = l.leaf JOIN pg_foreign_server AS s ON s.oid = t.ftserver;
END;

-- The partitions of a source, or the source itself.  Raise 42809, 42501 or 42703 where they cannot be read.
CREATE FUNCTION sagemaker_fdw_internal.refresh_source_leaves(source regclass, any_owner boolean)
RETURNS regclass[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	leaves regclass[];
	other record;
	missing text;
BEGIN
	SELECT array_agg(leaf ORDER BY n) INTO leaves
	  FROM (SELECT source AS leaf, 0 AS n WHERE NOT EXISTS (SELECT FROM pg_partition_tree(source))
			UNION ALL
			SELECT relid, row_number() OVER () FROM pg_partition_tree(source) WHERE isleaf) AS tree;

	-- each must belong to this wrapper, and be readable
	SELECT leaf INTO other FROM unnest(leaves) AS leaf
	 WHERE NOT EXISTS (SELECT FROM pg_foreign_table JOIN pg_foreign_server AS s ON s.oid = ftserver
			JOIN pg_foreign_data_wrapper AS w ON w.oid = srvfdw
		WHERE ftrelid = leaf AND fdwhandler = '@extschema@.sagemaker_fdw_handler()'::regprocedure);
	IF FOUND OR leaves IS NULL THEN
		RAISE EXCEPTION '% is not a foreign table of sagemaker_fdw', coalesce(other.leaf, source) USING ERRCODE = 'wrong_object_type',
			HINT = 'The source is a table that IMPORT FOREIGN SCHEMA or sagemaker_fdw_create_partitioned_table has made.';
	END IF;
	SELECT leaf INTO other FROM unnest(leaves) AS leaf
	 WHERE NOT has_table_privilege(leaf, 'SELECT') AND NOT has_any_column_privilege(leaf, 'SELECT');
	IF FOUND THEN
		RAISE EXCEPTION 'permission denied for foreign table %', other.leaf USING ERRCODE = 'insufficient_privilege',
			DETAIL = 'The partitions of a source are read one by one.',
			HINT = format('GRANT SELECT ON %s TO %I.', other.leaf, current_user);
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_check_schema(leaf) FROM unnest(leaves) AS leaf;
	SELECT leaf, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names INTO other
	  FROM unnest(leaves) AS leaf JOIN pg_attribute AS a ON a.attrelid = leaf AND a.attnum > 0 AND NOT a.attisdropped
	 WHERE NOT has_column_privilege(leaf, a.attnum, 'SELECT')
		AND EXISTS (SELECT FROM sagemaker_fdw_internal.refresh_columns(leaf) AS c
			WHERE c.name = a.attname OR a.attname = 'raw_response' AND strpos(c.expression, 's.raw_response') > 0)
	 GROUP BY leaf LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'permission denied for foreign table %', other.leaf USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('Role "%s" lacks SELECT on these columns: %s.', current_user, other.names),
			HINT = format('GRANT SELECT ON %s TO %I.', other.leaf, current_user);
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_check_source(leaf, any_owner) FROM unnest(leaves) AS leaf;

	-- the columns that every step reads and compares
	SELECT string_agg(format('%I %s', wanted, type), ', ' ORDER BY n) INTO missing
	  FROM unnest(ARRAY['training_job_name', 'training_job_arn', 'creation_time', 'last_modified_time', 'training_job_status', 'raw_response'],
			ARRAY['text', 'text', 'timestamp with time zone', 'timestamp with time zone', NULL, 'jsonb']) WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname = wanted AND NOT attisdropped
		AND (type IS NULL OR atttypid = type::regtype));
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'source % lacks columns', source USING ERRCODE = 'undefined_column',
			DETAIL = format('Missing, or of another type: %s.', missing),
			HINT = 'IMPORT FOREIGN SCHEMA makes a table that has them all.';
	END IF;
	RETURN leaves;
END;
$$;

-- Make a target of the source's columns, where nobody else has made it meanwhile.
CREATE FUNCTION sagemaker_fdw_internal.refresh_make_target(name_parts text[], default_schema name, source regclass)
RETURNS regclass
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name text;
	table_name text;
	target regclass;
BEGIN
	SELECT n.schema_name, n.table_name, n.existing INTO schema_name, table_name, target
	  FROM sagemaker_fdw_internal.claim_table(name_parts, default_schema) AS n;
	IF target IS NOT NULL THEN
		RETURN target;
	END IF;

	EXECUTE format($sql$
		CREATE TABLE %I.%I (
			%s,
			refreshed_at timestamptz NOT NULL,
			deleted_at timestamptz,
			PRIMARY KEY (training_job_arn, creation_time)
		)$sql$, schema_name, table_name,
		(SELECT string_agg(format('%I %s', name, type), ', ') FROM sagemaker_fdw_internal.refresh_columns(source)));
	target := to_regclass(format('%I.%I', schema_name, table_name));
	EXECUTE format('CREATE INDEX ON %s (creation_time)', target);
	EXECUTE format('CREATE INDEX ON %s (training_job_arn) WHERE %s', target, sagemaker_fdw_internal.refresh_unfinished(source));
	RETURN target;
END;
$$;

-- Raise 42809 or 42703 where a table cannot be a target of the source.
CREATE FUNCTION sagemaker_fdw_internal.refresh_check_shape(target regclass, source regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = target AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
			AND indnkeyatts = 2 AND (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute
				WHERE attrelid = target AND attnum = ANY (indkey)) = ARRAY['creation_time', 'training_job_arn']::name[])
		OR (SELECT relkind <> 'r' OR relpersistence <> 'p' FROM pg_class WHERE oid = target) THEN
		RAISE EXCEPTION '% is not a table that sagemaker_fdw_refresh keeps', target USING ERRCODE = 'wrong_object_type',
			DETAIL = 'It is not a plain, permanent table with the primary key (training_job_arn, creation_time).',
			HINT = 'Name another target: sagemaker_fdw_refresh makes it.';
	END IF;
	SELECT string_agg(format('%I %s', name, type), ', ') INTO missing
	  FROM (SELECT name, type FROM sagemaker_fdw_internal.refresh_columns(source)
			UNION ALL VALUES ('refreshed_at', 'timestamp with time zone'), ('deleted_at', 'timestamp with time zone')) AS c
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = target AND attname = name AND NOT attisdropped
		AND (name NOT IN ('training_job_arn', 'creation_time', 'last_modified_time', 'refreshed_at', 'deleted_at')
			OR format_type(atttypid, atttypmod) = type));
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'target % lacks columns', target USING ERRCODE = 'undefined_column',
			DETAIL = format('Missing, or of another type: %s.', missing),
			HINT = 'Add them, or name another target: sagemaker_fdw_refresh makes it.';
	END IF;
END;
$$;

-- Take the lock of each partition, and begin its row.
CREATE FUNCTION sagemaker_fdw_internal.refresh_claim(target regclass, source regclass, leaves regclass[], step interval)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- five pages, less a few jobs that are read twice because bounds are in whole seconds
	largest CONSTANT integer := 495;
	other record;
	servers name[];
	regions text[];
BEGIN
	SELECT server, region INTO other FROM sagemaker_fdw_internal.refresh_leaves(leaves) GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'source % reads region "%" of server "%" twice', source, other.region, other.server
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT array_agg(l.server ORDER BY l.n), array_agg(l.region ORDER BY l.n) INTO servers, regions
	  FROM sagemaker_fdw_internal.refresh_leaves(leaves) AS l;
	IF NOT (SELECT bool_and(sagemaker_fdw_internal.refresh_lock(target, sagemaker_fdw_internal.refresh_lock_number(server, region)))
			FROM unnest(servers, regions) AS l(server, region)) THEN
		RAISE EXCEPTION 'a refresh of % is already under way', target USING ERRCODE = 'lock_not_available',
			HINT = 'Wait for that one to end: the table will be as fresh then. sagemaker_fdw_refresh_status shows how far it is.';
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_enter(target, servers, regions, step, largest);
END;
$$;

-- Check the arguments, make the target if there is none, begin a run for each partition.
-- "existing" is the target if there is one.  The run's locks are the transaction's.
CREATE FUNCTION sagemaker_fdw_internal.refresh_begin(name_parts text[], existing regclass, default_schema name,
	source regclass, since timestamptz, step interval, any_owner boolean, OUT target regclass, OUT leaves regclass[])
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_begin_body(name_parts text[], existing regclass, default_schema name,
	source regclass, since timestamptz, step interval, any_owner boolean, OUT target regclass, OUT leaves regclass[])
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name_parts IS NULL OR source IS NULL OR since IS NULL OR step IS NULL OR any_owner IS NULL THEN
		RAISE EXCEPTION 'target, source, since, step and any_owner must not be NULL' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF since > clock_timestamp() THEN
		RAISE EXCEPTION 'since is in the future' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('It is %s.', since),
			HINT = 'Give the time from which on the history is kept, such as ''2020-01-01''.';
	END IF;
	IF step <= '0' THEN
		RAISE EXCEPTION 'step must be positive' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the length of the first window of the history, such as ''1 day''.';
	END IF;

	leaves := sagemaker_fdw_internal.refresh_source_leaves(source, any_owner);
	target := existing;
	IF target IS NULL THEN
		target := sagemaker_fdw_internal.refresh_make_target(name_parts, default_schema, source);
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_check_target(target, any_owner);
	PERFORM sagemaker_fdw_internal.refresh_check_shape(target, source);
	PERFORM sagemaker_fdw_internal.refresh_claim(target, source, leaves, step);
END;
$$;

-- Read jobs of a partition into the target: those that a condition on "s" selects.
-- "clauses" follow it; $1 to $4 are the values that both may use.
CREATE FUNCTION sagemaker_fdw_internal.refresh_statement(target regclass, leaf regclass, condition text, clauses text)
RETURNS text
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT format($sql$
		WITH read AS MATERIALIZED (
			SELECT %1$s FROM %2$s AS s WHERE %3$s %4$s
		), written AS (
			INSERT INTO %5$s AS t (%6$s, refreshed_at)
			SELECT %6$s, clock_timestamp() FROM read
			ON CONFLICT (training_job_arn, creation_time) DO UPDATE
			   SET (%6$s, refreshed_at, deleted_at) = ROW (%7$s, EXCLUDED.refreshed_at, NULL)
			 WHERE record_image_ne(ROW (%8$s), ROW (%7$s)) OR t.deleted_at IS NOT NULL
			RETURNING xmax = 0 AS inserted
		)
		SELECT r.*, w.*
		  FROM (SELECT count(*) AS jobs, min(creation_time) AS oldest, array_agg(training_job_arn) AS arns,
					array_agg(creation_time) AS times
				  FROM read) AS r,
			   (SELECT count(*) FILTER (WHERE inserted) AS inserted, count(*) FILTER (WHERE NOT inserted) AS updated
				  FROM written) AS w$sql$,
		string_agg(format('%s AS %I', expression, name), ', '), leaf, condition, clauses, target,
		string_agg(format('%I', name), ', '), string_agg(format('EXCLUDED.%I', name), ', '), string_agg(format('t.%I', name), ', '))
	  FROM sagemaker_fdw_internal.refresh_columns(leaf);
END;

-- What the ARNs of a partition's jobs begin with.  Once that is known, another account's jobs are
-- an error: the jobs that the target has would seem to be gone.
CREATE FUNCTION sagemaker_fdw_internal.refresh_prefix(state @extschema@.sagemaker_fdw_refresh_state, arns text[])
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	prefix text := state.arn_prefix;
	read_prefix text;
BEGIN
	FOR read_prefix IN SELECT DISTINCT substring(arn FROM '^(?:[^:]*:){5}') FROM unnest(arns) AS arn LOOP
		prefix := coalesce(prefix, read_prefix);
		IF read_prefix <> prefix THEN
			RAISE EXCEPTION 'a different account or region is read than before' USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('It was %s and is %s.', prefix, read_prefix),
				HINT = 'Correct the user mapping, or name another target. To keep both in this one, forget the former: SELECT sagemaker_fdw_refresh_forget(target, server).';
		END IF;
	END LOOP;
	RETURN prefix;
END;
$$;

-- See whose jobs are read, where what is read does not tell.
CREATE FUNCTION sagemaker_fdw_internal.refresh_identify(INOUT state @extschema@.sagemaker_fdw_refresh_state, leaf regclass)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	arn text;
BEGIN
	EXECUTE format('SELECT training_job_arn FROM %s ORDER BY creation_time DESC LIMIT 1', leaf) INTO arn;
	IF arn IS NULL AND state.arn_prefix IS NOT NULL THEN
		-- no jobs are left, or the account has changed
		arn := regexp_replace(state.arn_prefix, '[^:]*:$',
			@extschema@.sagemaker_fdw_account_id(state.server, nullif(state.region, '')) || ':');
	END IF;
	state.arn_prefix := sagemaker_fdw_internal.refresh_prefix(state, ARRAY[arn]);
END;
$$;

-- Take the next window of the history into the target.  Where the source asks Search, each Search of the window is
-- checked; a check that finds a difference has the window read again, by Describe then.
CREATE FUNCTION sagemaker_fdw_internal.refresh_fill(INOUT state @extschema@.sagemaker_fdw_refresh_state, leaf regclass, since timestamptz)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET sagemaker_fdw.check_each_scan = on
AS $$
DECLARE
	window_from timestamptz := greatest(since, state.filled_from - state.window_width);
	differences bigint;
	statement text;
	got record;
BEGIN
	-- newest first; what the target has already needs no call
	statement := sagemaker_fdw_internal.refresh_statement(state.target, leaf,
		format($sql$
			s.creation_time >= $1 AND s.creation_time < $2
			AND coalesce(s.last_modified_time, 'infinity') <> coalesce(
				(SELECT t.last_modified_time FROM %s AS t
				  WHERE t.training_job_arn = s.training_job_arn AND t.creation_time = s.creation_time AND t.deleted_at IS NULL),
				'-infinity')$sql$, state.target),
		format('ORDER BY s.creation_time DESC LIMIT %s', state.batch));
	-- the attributes no longer trusted may be others than those read, or only tags, in which case
	-- Search is used again
	LOOP
		BEGIN
			differences := @extschema@.sagemaker_fdw_session_differences();
			EXECUTE statement INTO got USING window_from, state.filled_from;
			EXIT WHEN @extschema@.sagemaker_fdw_session_differences() = differences;
			RAISE EXCEPTION 'Search differs' USING ERRCODE = 'SMF01';
		EXCEPTION WHEN SQLSTATE 'SMF01' THEN
			-- a trigger of the target may raise the same error
			IF @extschema@.sagemaker_fdw_session_differences() = differences THEN
				RAISE;
			END IF;
		END;
	END LOOP;
	state.inserted := state.inserted + got.inserted;
	state.updated := state.updated + got.updated;
	state.arn_prefix := sagemaker_fdw_internal.refresh_prefix(state, got.arns);
	IF got.jobs = state.batch THEN
		-- too large: there may be more jobs, possibly created at the same moment
		window_from := least(got.oldest + '1 microsecond', state.filled_from);
		state.window_width := state.filled_from - window_from;
	END IF;
	IF got.jobs <= state.batch / 4 OR state.window_width = '0' THEN
		state.window_width := greatest(state.window_width * 2, '1 second');
	END IF;
	state.filled_from := window_from;
END;
$$;

-- List the next jobs that are to be compared, newest first: those that were created from pass_to on.
CREATE FUNCTION sagemaker_fdw_internal.refresh_list(state @extschema@.sagemaker_fdw_refresh_state, leaf regclass,
	OUT pass_to timestamptz, OUT names text[], OUT arns text[], OUT times timestamptz[], OUT modified timestamptz[])
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	listed record;
	most integer := state.batch;
BEGIN
	LOOP
		EXECUTE format($sql$
			SELECT count(*) AS jobs, min(creation_time) AS oldest, array_agg(training_job_name) AS names,
				array_agg(training_job_arn) AS arns, array_agg(creation_time) AS times, array_agg(last_modified_time) AS modified
			  FROM (SELECT training_job_name, training_job_arn, creation_time, last_modified_time
					  FROM %s
					 WHERE creation_time >= $1 AND creation_time < $2
					 ORDER BY creation_time DESC LIMIT %s) AS s$sql$, leaf, most)
		   INTO listed USING state.pass_from, state.pass_to;
		pass_to := state.pass_from;
		EXIT WHEN listed.jobs < most;
		-- there may be more jobs of the oldest moment: leave it for the next time
		pass_to := listed.oldest + '1 microsecond';
		EXIT WHEN pass_to < state.pass_to;
		-- all have the same creation time
		most := most * 2;
	END LOOP;
	names := listed.names;
	arns := listed.arns;
	times := listed.times;
	modified := listed.modified;
END;
$$;

-- Ask for jobs by their names, write what is found, and mark those as deleted that are not.
CREATE FUNCTION sagemaker_fdw_internal.refresh_ask(INOUT state @extschema@.sagemaker_fdw_refresh_state, leaf regclass, asked_names text[], asked_arns text[])
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	got record;
	arns text[];
	times timestamptz[];
	gone bigint;
BEGIN
	-- no more in one scan than max_calls allows
	FOR n IN 1 .. cardinality(asked_names) BY state.batch LOOP
		EXECUTE sagemaker_fdw_internal.refresh_statement(state.target, leaf, 's.training_job_name = ANY ($1)'::text, ''::text)
		   INTO got USING asked_names[n : n + state.batch - 1];
		state.inserted := state.inserted + got.inserted;
		state.updated := state.updated + got.updated;
		arns := arns || got.arns;
		times := times || got.times;
	END LOOP;
	state.arn_prefix := sagemaker_fdw_internal.refresh_prefix(state, arns);

	-- the name may now belong to another job: ARN and time show which one is gone
	EXECUTE format($sql$
		WITH gone AS (
			UPDATE %s SET deleted_at = clock_timestamp()
			 WHERE training_job_arn = ANY ($1) AND deleted_at IS NULL
				AND NOT EXISTS (SELECT FROM unnest($2, $3) AS g(arn, created)
								 WHERE arn = training_job_arn AND created = creation_time)
			RETURNING 1
		)
		SELECT count(*) FROM gone$sql$, state.target)
	   INTO gone USING asked_arns, arns, times;
	state.deleted := state.deleted + gone;
END;
$$;

-- Compare the next jobs of the list with the target, and ask for those that differ, for those that had not ended,
-- and for those that are no longer listed.  "whole" goes back to the history's beginning.
CREATE FUNCTION sagemaker_fdw_internal.refresh_compare(INOUT state @extschema@.sagemaker_fdw_refresh_state, leaf regclass, whole boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- a job runs, and waits, for 28 days at most
	longest CONSTANT interval := '30 days';
	listed record;
	asked record;
BEGIN
	-- a pass begins with the newest job
	IF state.pass_from IS NULL THEN
		state.pass_from := CASE WHEN whole THEN state.filled_from ELSE greatest(state.filled_from, state.compared_at - longest) END;
		state.pass_to := 'infinity';
	END IF;

	-- know whose jobs these are before any is taken for deleted
	SELECT l.* INTO listed FROM sagemaker_fdw_internal.refresh_list(state, leaf) AS l;
	IF listed.arns IS NULL THEN
		state := sagemaker_fdw_internal.refresh_identify(state, leaf);
	ELSE
		state.arn_prefix := sagemaker_fdw_internal.refresh_prefix(state, listed.arns);
	END IF;

	-- jobs that differ or are new, jobs no longer listed, and, once per pass, jobs that had not ended
	EXECUTE format($sql$
		WITH listed AS (
			SELECT * FROM unnest($1, $2, $3, $4) AS l(name, arn, created, modified) WHERE created >= $6
		), asked AS (
			SELECT name, arn FROM listed
			 WHERE NOT EXISTS (SELECT FROM %1$s
								WHERE training_job_arn = arn AND creation_time = created AND last_modified_time = modified
									AND deleted_at IS NULL)
			UNION
			SELECT training_job_name, training_job_arn FROM %1$s
			 WHERE deleted_at IS NULL AND starts_with(training_job_arn, $5) AND creation_time >= $6 AND creation_time < $7
				AND NOT EXISTS (SELECT FROM listed WHERE arn = training_job_arn AND created = creation_time)
			UNION
			SELECT training_job_name, training_job_arn FROM %1$s
			 WHERE $8 AND starts_with(training_job_arn, $5) AND refreshed_at < $9 AND %2$s
		)
		SELECT array_agg(DISTINCT name) AS names, array_agg(DISTINCT arn) AS arns FROM asked$sql$,
		state.target, sagemaker_fdw_internal.refresh_unfinished(leaf))
	   INTO asked USING listed.names, listed.arns, listed.times, listed.modified, state.arn_prefix, listed.pass_to, state.pass_to,
		listed.pass_to = state.pass_from, state.run_started_at;
	IF asked.names IS NOT NULL THEN
		state := sagemaker_fdw_internal.refresh_ask(state, leaf, asked.names, asked.arns);
	END IF;

	state.pass_to := listed.pass_to;
	IF state.pass_to = state.pass_from THEN
		-- count the compared jobs that no step of this run has written, each of them once
		EXECUTE format($sql$
			SELECT count(*) FROM %s
			 WHERE starts_with(training_job_arn, $1) AND refreshed_at < $2 AND deleted_at IS NULL
				AND (creation_time >= $3 OR %s)$sql$, state.target, sagemaker_fdw_internal.refresh_unfinished(leaf))
		   INTO state.unchanged USING state.arn_prefix, state.run_started_at, state.pass_from;
	END IF;
END;
$$;

-- Has a target lost all the jobs of a partition that were seen: was it emptied, or restored without its rows?
CREATE FUNCTION sagemaker_fdw_internal.refresh_is_emptied(state @extschema@.sagemaker_fdw_refresh_state)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	emptied boolean := false;
BEGIN
	IF state.calls = 0 AND state.arn_prefix IS NOT NULL THEN
		EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s WHERE starts_with(training_job_arn, $1))', state.target)
		   INTO emptied USING state.arn_prefix;
	END IF;
	RETURN emptied;
END;
$$;

-- Raise 22023 where another server of the target's reads the same account and region: each job would be kept by two.
CREATE FUNCTION sagemaker_fdw_internal.refresh_check_twin(target regclass, state @extschema@.sagemaker_fdw_refresh_state)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	twin name := sagemaker_fdw_internal.refresh_twin(target, state.server, state.region, state.arn_prefix);
BEGIN
	IF twin IS NOT NULL THEN
		RAISE EXCEPTION 'an account and region is read by two servers' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('Servers "%s" and "%s" both read %s.', state.server, twin, state.arn_prefix),
			HINT = 'If only one of them is still to be read, forget the other: SELECT sagemaker_fdw_refresh_forget(target, server).';
	END IF;
END;
$$;

-- About how many jobs of a partition were created in a stretch of time; NULL where no statistics tell.
-- Nobody is asked.  The partition must be locked: what is planned here may run code.
CREATE FUNCTION sagemaker_fdw_internal.refresh_left(leaf regclass, since timestamptz, until timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	plan json;
	jobs bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname
		WHERE c.oid = leaf AND c.reltuples >= 0 AND s.attname = 'creation_time' AND s.histogram_bounds IS NOT NULL) THEN
		RETURN NULL;
	END IF;
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM %s WHERE creation_time >= %L AND creation_time < %L', leaf, since, until) INTO plan;
	jobs := plan #>> '{0,Plan,Plan Rows}';
	-- the planner estimates one row if there is none
	RETURN CASE WHEN jobs > 1 THEN jobs ELSE 0 END;
EXCEPTION
	WHEN OTHERS THEN
		-- a failed estimate must not fail the refresh
		RETURN NULL;
END;
$$;

-- How far the work for a partition is, which began at "begun", for the user.
CREATE FUNCTION sagemaker_fdw_internal.refresh_news(state @extschema@.sagemaker_fdw_refresh_state, leaf regclass, since timestamptz,
	begun timestamptz)
RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	jobs bigint := state.inserted + state.updated;
	remaining bigint;
	seconds double precision;
	estimate text := '';
BEGIN
	IF state.pass_to IS NOT NULL THEN
		RETURN format('comparing %s with server "%s", region "%s": back to %s, %s calls so far', state.target, state.server, state.region,
			date_trunc('second', state.pass_to), state.calls);
	END IF;
	remaining := sagemaker_fdw_internal.refresh_left(leaf, since, state.filled_from);
	IF remaining IS NOT NULL THEN
		estimate := format('; about %s jobs are left', remaining);
		IF remaining > 0 AND jobs > 0 THEN
			seconds := remaining * extract(epoch FROM clock_timestamp() - begun) / jobs;
			estimate := estimate || format(', for %s more', CASE WHEN seconds < 90 THEN ceil(seconds) || ' s'
				WHEN seconds < 5400 THEN ceil(seconds / 60) || ' min' ELSE ceil(seconds / 3600) || ' h' END);
		END IF;
	END IF;
	RETURN format('filling %s from server "%s", region "%s": back to %s, %s jobs and %s calls so far', state.target, state.server, state.region,
		date_trunc('second', state.filled_from), jobs, state.calls) || estimate;
END;
$$;

-- One transaction's work for a partition; "more" says that there is more to do.  What goes
-- wrong is kept in the state and told in "failure", with its SQLSTATE.  "news" is what to tell the user once
-- the transaction is committed: NULL before its time, by when the work for the partition began and the
-- user was last told.
CREATE FUNCTION sagemaker_fdw_internal.refresh_step(target regclass, leaf regclass, since timestamptz, whole boolean,
	any_owner boolean, begun timestamptz, told_at timestamptz, OUT more boolean, OUT failure text, OUT code text, OUT news text)
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_step_body(target regclass, leaf regclass, since timestamptz, whole boolean,
	any_owner boolean, begun timestamptz, told_at timestamptz, OUT more boolean, OUT failure text, OUT code text, OUT news text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dropped CONSTANT text := format('%s, %s or its refresh state was dropped meanwhile, or the server was renamed.', leaf, target);
	state @extschema@.sagemaker_fdw_refresh_state;
	before @extschema@.sagemaker_fdw_refresh_state;
	calls bigint := @extschema@.sagemaker_fdw_session_calls();
	interval_between CONSTANT interval := current_setting('sagemaker_fdw.progress_interval');
	message text;
	detail text;
	hint text;
	unsure boolean := false;
	checked boolean := false;
BEGIN
	SELECT s.* INTO state
	  FROM sagemaker_fdw_internal.refresh_leaves(ARRAY[leaf]) AS l
		CROSS JOIN pg_class AS c
		CROSS JOIN LATERAL sagemaker_fdw_internal.refresh_load(c.oid::regclass, l.server, l.region) AS s
	 WHERE c.oid = refresh_step_body.target;
	IF state.target IS NULL THEN
		more := false;
		failure := dropped;
		code := 'undefined_table';
		RETURN;
	END IF;
	-- there were no training jobs before this date
	since := greatest(since, '2017-11-01 00:00:00+00');
	before := state;

	BEGIN
		-- both may have been given to another role meanwhile, and nothing is to change between check and use
		PERFORM sagemaker_fdw_internal.refresh_lock_tables(target, leaf);
		PERFORM sagemaker_fdw_internal.refresh_check_target(target, any_owner);
		PERFORM sagemaker_fdw_internal.refresh_check_source(leaf, any_owner);
		checked := true;

		-- the history of a target that was emptied is read again, whatever goes wrong next
		IF sagemaker_fdw_internal.refresh_is_emptied(state) THEN
			state.filled_from := state.run_started_at;
			before := state;
		END IF;
		-- first make sure whose jobs are read: otherwise a window without jobs would be taken to be empty
		unsure := state.calls = 0 AND state.filled_from > since AND state.arn_prefix IS NOT NULL;
		IF unsure THEN
			state := sagemaker_fdw_internal.refresh_identify(state, leaf);
		ELSIF state.filled_from > since THEN
			state := sagemaker_fdw_internal.refresh_fill(state, leaf, since);
		ELSE
			state := sagemaker_fdw_internal.refresh_compare(state, leaf, whole);
		END IF;
		PERFORM sagemaker_fdw_internal.refresh_check_twin(target, state);
	EXCEPTION
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, code = RETURNED_SQLSTATE;
		-- everything that was written has been rolled back
		state := before;
		IF (SELECT count(*) FROM pg_class WHERE oid IN (leaf, target)) < 2 THEN
			more := false;
			failure := dropped;
			code := 'undefined_table';
			RETURN;
		END IF;
		IF code = '42501' AND NOT checked THEN
			-- the other partitions cannot be written either
			RAISE;
		END IF;
		IF code = '54000' AND state.batch > 1 AND NOT unsure THEN
			-- more calls than one scan may make
			state.batch := state.batch / 2;
			code := NULL;
		ELSE
			failure := format('Server "%s", region "%s": %s.', state.server, state.region, message) ||
				concat(' ' || nullif(detail, ''), ' ' || nullif(hint, ''));
			-- roles that may not see every job may read the state, so it must not contain a job's values
			state.error := CASE WHEN code LIKE '22%' AND code <> '22023' THEN format('a value does not fit its column (%s)', code)
				ELSE message END;
		END IF;
	END;

	-- a run ends with its last part, or with a failure
	state.calls := state.calls + @extschema@.sagemaker_fdw_session_calls() - calls;
	more := failure IS NULL AND (state.pass_to IS NULL OR state.pass_to > state.pass_from);
	IF NOT more THEN
		state.run_ended_at := clock_timestamp();
		IF failure IS NULL THEN
			state.compared_at := state.run_started_at;
			state.last_success_at := state.run_ended_at;
		END IF;
	ELSIF code IS NULL AND NOT unsure AND interval_between > '0' AND clock_timestamp() >= told_at + interval_between THEN
		news := sagemaker_fdw_internal.refresh_news(state, leaf, since, begun);
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_save(target, state);
END;
$$;

-- Say what a run has done, and raise what went wrong.  "called" is the target's name, which one
-- that was dropped has no longer.
CREATE FUNCTION sagemaker_fdw_internal.refresh_end(target regclass, called text, leaves regclass[], failures text[], code text)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE;

CREATE FUNCTION sagemaker_fdw_internal.refresh_end_body(target regclass, called text, leaves regclass[], failures text[], code text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	did record;
	succeeded integer := cardinality(leaves) - cardinality(failures);
BEGIN
	SELECT coalesce(sum(inserted), 0) AS inserted, coalesce(sum(updated), 0) AS updated, coalesce(sum(unchanged), 0) AS unchanged,
			coalesce(sum(deleted), 0) AS deleted, coalesce(sum(calls), 0) AS calls INTO did
	  FROM sagemaker_fdw_internal.refresh_leaves(leaves) AS l
		CROSS JOIN pg_class AS c
		CROSS JOIN LATERAL sagemaker_fdw_internal.refresh_load(c.oid::regclass, l.server, l.region) AS s
	 WHERE c.oid = refresh_end_body.target;
	-- of a run that has done nothing the error says all
	IF succeeded > 0 OR did.inserted + did.updated + did.deleted > 0 THEN
		RAISE NOTICE 'refreshed %: % inserted, % updated, % unchanged, % deleted, % calls',
			called || CASE WHEN cardinality(failures) > 0 THEN format(' in part, %s of %s partitions', succeeded, cardinality(leaves)) ELSE '' END,
			did.inserted, did.updated, did.unchanged, did.deleted, did.calls;
	END IF;
	IF cardinality(failures) > 0 THEN
		RAISE EXCEPTION 'refresh of %: % of % partitions failed', called, cardinality(failures), cardinality(leaves)
			USING ERRCODE = code, DETAIL = array_to_string(failures, E'\n'),
				HINT = 'What was read is kept, and the next run goes on from there. sagemaker_fdw_refresh_status shows when each partition last succeeded.';
	END IF;
END;
$$;

-- With "any_owner", the target, its triggers and the source may belong to anybody.
CREATE PROCEDURE @extschema@.sagemaker_fdw_refresh(target text, source regclass, since timestamptz,
	step interval DEFAULT '1 day', "full" boolean DEFAULT false, any_owner boolean DEFAULT false)
LANGUAGE plpgsql
AS $$
DECLARE
	-- qualified like all names here, because they are looked up in the caller's search_path
	kept pg_catalog.regclass;
	called pg_catalog.text;
	leaves pg_catalog.regclass[];
	leaf pg_catalog.regclass;
	more boolean;
	failure pg_catalog.text;
	code pg_catalog.text;
	failures pg_catalog.text[] := '{}';
	first_code pg_catalog.text;
	begun pg_catalog.timestamptz;
	told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
	news pg_catalog.text;
BEGIN
	PERFORM sagemaker_fdw_internal.refuse_transaction('sagemaker_fdw_refresh'::pg_catalog.text);
	SELECT b.target, b.leaves INTO kept, leaves
	  FROM sagemaker_fdw_internal.resolve_name(target) AS n
		CROSS JOIN LATERAL sagemaker_fdw_internal.refresh_begin(n.name_parts, n.existing, n.default_schema,
			source, since, step, any_owner) AS b;
	called := kept::pg_catalog.text;
	FOREACH leaf IN ARRAY leaves LOOP
		more := true;
		begun := pg_catalog.clock_timestamp();
		WHILE more LOOP
			PERFORM sagemaker_fdw_internal.refresh_hold();
			COMMIT;
			PERFORM sagemaker_fdw_internal.refresh_resume();
			IF news IS NOT NULL THEN
				-- about work that is now committed
				RAISE NOTICE '%', news;
				told_at := pg_catalog.clock_timestamp();
			END IF;
			SELECT s.more, s.failure, s.code, s.news INTO more, failure, code, news
			  FROM sagemaker_fdw_internal.refresh_step(kept, leaf, since, "full", any_owner, begun, told_at) AS s;
		END LOOP;
		IF failure IS NOT NULL THEN
			failures := pg_catalog.array_append(failures, failure);
			first_code := coalesce(first_code, code);
		END IF;
	END LOOP;
	COMMIT;
	PERFORM sagemaker_fdw_internal.refresh_end(kept, called, leaves, failures, first_code);
END;
$$;

COMMENT ON PROCEDURE @extschema@.sagemaker_fdw_refresh(text, regclass, timestamptz, interval, boolean, boolean) IS
	'keeps a local table of training jobs: fills its history, then takes what has changed';
