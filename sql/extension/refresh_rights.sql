/*
 * refresh_rights.sql
 *		Checks made before a refresh runs with the caller's privileges: may the owners of the tables
 *		have their code run with them?
 */

-- May code of this role run with the caller's rights?
CREATE FUNCTION sagemaker_fdw_internal.refresh_trusts(owner oid)
RETURNS boolean
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT rolsuper FROM pg_roles WHERE oid = owner)
	OR NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND pg_has_role(owner, 'USAGE');

-- Raise 42501 where the role may not look up a table in its schema.
CREATE FUNCTION sagemaker_fdw_internal.refresh_check_schema(relation regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name name := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation);
BEGIN
	IF NOT has_schema_privilege(schema_name::text, 'USAGE') THEN
		RAISE EXCEPTION 'permission denied for schema %', schema_name USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('Table %s is there.', relation),
			HINT = format('GRANT USAGE ON SCHEMA %I TO %I.', schema_name, current_user);
	END IF;
END;
$$;

-- Raise 42501 where the role lacks a right on the target, and where whoever owns it could have code run
-- with the role's rights: constraints and policies of a table are its owner's, triggers are of any role
-- that was granted TRIGGER.
CREATE FUNCTION sagemaker_fdw_internal.refresh_check_target(target regclass, any_owner boolean)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text;
	owner record;
	planted record;
BEGIN
	SELECT string_agg(privilege, ', ') INTO missing FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS privilege
	 WHERE NOT has_table_privilege(target, privilege);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'permission denied for target %', target USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('Role "%s" lacks %s.', current_user, missing),
			HINT = format('GRANT SELECT, INSERT, UPDATE ON %s TO %I.', target, current_user);
	END IF;
	PERFORM sagemaker_fdw_internal.refresh_check_schema(target);
	IF any_owner THEN
		RETURN;
	END IF;
	SELECT r.oid, r.rolname, r.rolsuper INTO owner FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE c.oid = target;
	IF NOT (CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN owner.rolsuper
			ELSE pg_has_role(owner.oid, 'USAGE') END) THEN
		RAISE EXCEPTION 'target % belongs to role "%"', target, owner.rolname USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('Its triggers and constraints would run with the rights of "%s".', current_user),
			HINT = format('Name another target, or let "%s" refresh it. If you trust that role, pass any_owner => true.', owner.rolname);
	END IF;
	SELECT t.tgname, r.rolname INTO planted
	  FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid JOIN pg_roles AS r ON r.oid = p.proowner
	 WHERE t.tgrelid = target AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND NOT sagemaker_fdw_internal.refresh_trusts(r.oid)
	 ORDER BY t.tgname LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'trigger "%" of target % calls a function of role "%"', planted.tgname, target, planted.rolname
			USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('It would run with the rights of "%s".', current_user),
			HINT = format('DROP TRIGGER %I ON %s. If you trust that role, pass any_owner => true.', planted.tgname, target);
	END IF;
END;
$$;

-- The same for a partition of the source: reading it evaluates the checks of its columns' domains, and
-- its generated columns.
CREATE FUNCTION sagemaker_fdw_internal.refresh_check_source(leaf regclass, any_owner boolean)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	with_code record;
BEGIN
	SELECT r.rolname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names INTO with_code
	  FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type AS t ON t.oid = a.atttypid
		JOIN pg_type AS e ON e.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
	 WHERE c.oid = leaf AND NOT any_owner AND NOT sagemaker_fdw_internal.refresh_trusts(r.oid)
		-- a base type is a superuser's
		AND (a.attgenerated <> '' OR e.typnamespace <> 'pg_catalog'::regnamespace AND e.typtype NOT IN ('b', 'e'))
	 GROUP BY r.rolname;
	IF FOUND THEN
		RAISE EXCEPTION 'source % belongs to role "%"', leaf, with_code.rolname USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('What its columns %s check or compute would run with the rights of "%s".', with_code.names, current_user),
			HINT = format('Name another source, or let "%s" refresh. If you trust that role, pass any_owner => true.', with_code.rolname);
	END IF;
END;
$$;

-- Lock a target and a partition of its source by their numbers until the transaction ends, so that
-- the names that stand for them now go on to do so: who owns a schema can put another table in a
-- table's place.  Raise 42P01 where one of them is gone.
CREATE FUNCTION sagemaker_fdw_internal.refresh_lock_tables(target regclass, leaf regclass)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_refresh_lock_tables'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;
