/*
 * wrapper.sql
 *		The beginning of the install script, the schema of what users do not call, and the foreign data wrapper.
 *
 *		make joins the parts in the order of SCRIPT_PARTS in the Makefile: settings made here apply to
 *		all of them.
 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sagemaker_fdw" to load this file. \quit

-- Views and parsed function bodies are bound for good to the operators and functions that are found
-- when this script runs, and the best match is used, in whichever schema of the path it is.  So the
-- extension's own schema, where others may have created objects before, is not searched: every name in
-- this script is in pg_catalog, or is written with the extension's schema.
--
-- Code that runs later looks up names in its caller's path.  It either sets search_path or, where that
-- would prevent it from being inlined or from committing, qualifies all names and operators.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What users do not call has a schema of its own, so that the extension's shows them what they do call.
-- One that is there already is an error: whoever made it could put functions beside these, or keep rights on it.
CREATE SCHEMA sagemaker_fdw_internal;

COMMENT ON SCHEMA sagemaker_fdw_internal IS
	'parts of the procedures and views of sagemaker_fdw, which nothing else is to call';

-- default privileges may have granted CREATE
DO $$
DECLARE
	role oid;
BEGIN
	FOR role IN SELECT DISTINCT a.grantee FROM pg_namespace AS n CROSS JOIN aclexplode(n.nspacl) AS a
				 WHERE n.nspname = 'sagemaker_fdw_internal' AND a.grantee <> n.nspowner LOOP
		EXECUTE format('REVOKE ALL ON SCHEMA sagemaker_fdw_internal FROM %s',
			CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END);
	END LOOP;
END;
$$;

-- procedures and functions find these by name, with their caller's rights
GRANT USAGE ON SCHEMA sagemaker_fdw_internal TO PUBLIC;

CREATE FUNCTION @extschema@.sagemaker_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_handler() IS
	'support routines of the foreign data wrapper sagemaker_fdw';

CREATE FUNCTION @extschema@.sagemaker_fdw_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_validator(text[], oid) IS
	'checks options of the foreign data wrapper sagemaker_fdw';

CREATE FOREIGN DATA WRAPPER sagemaker_fdw
	HANDLER @extschema@.sagemaker_fdw_handler
	VALIDATOR @extschema@.sagemaker_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER sagemaker_fdw IS
	'training jobs of Amazon SageMaker';
