/*
 * procedures.sql
 *		What the procedures in partitions.sql and refresh.sql share: functions in C, how they are
 *		called, and how a table's name is resolved.
 */

CREATE FUNCTION @extschema@.sagemaker_fdw_columns(OUT column_name name, OUT column_type text, OUT attribute text, OUT description text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL SAFE ROWS 56;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_columns() IS
	'columns that IMPORT FOREIGN SCHEMA gives training_jobs, and what they mean';

CREATE FUNCTION @extschema@.sagemaker_fdw_account_id(server name, region text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 40000;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_account_id(name, text) IS
	'AWS account that the current role reads through a server';

CREATE FUNCTION @extschema@.sagemaker_fdw_session_calls()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

CREATE FUNCTION @extschema@.sagemaker_fdw_session_differences()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_session_differences() IS
	'how often the session has found that Search differs from DescribeTrainingJob';

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_session_calls() IS
	'calls that this session has made so far';

CREATE FUNCTION sagemaker_fdw_internal.refuse_transaction(command text)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refuse_transaction'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION sagemaker_fdw_internal.refuse_transaction(text) IS
	'raises an error inside a transaction block';

-- How a procedure is built.  It finds names by its caller's search_path, and leaves the rest to
-- functions that search nothing but pg_catalog.  Those are called by way of two functions in C, which
-- call the function of their own schema, name and arguments with "_body" behind it:
--
-- sagemaker_fdw_call raises the body's errors without the CONTEXT lines that mention these functions.
-- sagemaker_fdw_call_for_target does the same, but only if the role may write the target, its first
-- argument, and with the privileges of the function's owner.  The bodies themselves run with their
-- caller's privileges: a role that is granted EXECUTE on all functions gains nothing from them.

-- What a name that a procedure is given stands for, on its caller's search_path.
CREATE FUNCTION sagemaker_fdw_internal.resolve_name(name text, OUT name_parts text[], OUT existing regclass, OUT default_schema name)
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C STABLE;

CREATE FUNCTION sagemaker_fdw_internal.resolve_name_body(name text, OUT name_parts text[], OUT existing regclass, OUT default_schema name)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
	name_parts := pg_catalog.parse_ident(name);
	-- a name with too many parts is rejected later
	IF pg_catalog.cardinality(name_parts) OPERATOR(pg_catalog.<=) 2 THEN
		IF pg_catalog.cardinality(name_parts) OPERATOR(pg_catalog.=) 2 AND pg_catalog.to_regnamespace(pg_catalog.quote_ident(name_parts[1])) IS NOT NULL
			AND NOT pg_catalog.has_schema_privilege(name_parts[1], 'USAGE') THEN
			RAISE EXCEPTION 'permission denied for schema %', name_parts[1] USING ERRCODE = 'insufficient_privilege',
				HINT = pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I.', name_parts[1], current_user);
		END IF;
		existing := pg_catalog.to_regclass(name);
	END IF;
	default_schema := pg_catalog.current_schema();
END;
$$;

-- Lock a table by its number until the transaction ends.  Its name and its owner are to be asked
-- afterwards: who owns a schema can put another table in a table's place while somebody waits.
CREATE FUNCTION sagemaker_fdw_internal.lock_table(target regclass)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_lock_table'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

-- Where a table is to be made.
CREATE FUNCTION sagemaker_fdw_internal.new_table(name_parts text[], default_schema name, OUT schema_name text, OUT table_name text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name_parts IS NULL THEN
		RAISE EXCEPTION 'the table''s name must not be NULL' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF cardinality(name_parts) > 2 THEN
		RAISE EXCEPTION '"%" has too many parts', array_to_string(name_parts, '.') USING ERRCODE = 'invalid_name',
			HINT = 'Give the table''s name, with a schema or without.';
	END IF;
	schema_name := CASE WHEN cardinality(name_parts) > 1 THEN name_parts[1] ELSE default_schema END;
	table_name := name_parts[cardinality(name_parts)];
	IF schema_name IS NULL THEN
		RAISE EXCEPTION 'no schema has been selected to create "%" in', table_name USING ERRCODE = 'invalid_schema_name',
			HINT = 'Give the table''s name with its schema: search_path has none.';
	END IF;
	IF NOT has_schema_privilege(schema_name, 'CREATE') THEN
		RAISE EXCEPTION 'permission denied for schema %', schema_name USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('"%s" would be created there.', table_name),
			HINT = format('GRANT CREATE ON SCHEMA %I TO %I; or let a role that has it make the table.', schema_name, current_user);
	END IF;
END;
$$;

-- Where a table is to be made that a refresh keeps, for one transaction at a time; "existing" is the table
-- where another one has made it meanwhile.
CREATE FUNCTION sagemaker_fdw_internal.claim_table(name_parts text[], default_schema name, OUT schema_name text, OUT table_name text,
	OUT existing regclass)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT n.schema_name, n.table_name INTO schema_name, table_name
	  FROM sagemaker_fdw_internal.new_table(name_parts, default_schema) AS n;
	IF NOT sagemaker_fdw_internal.refresh_lock_name(schema_name::name, table_name::name) THEN
		RAISE EXCEPTION 'a refresh of "%" is already under way', table_name USING ERRCODE = 'lock_not_available';
	END IF;
	existing := to_regclass(format('%I.%I', schema_name, table_name));
END;
$$;
