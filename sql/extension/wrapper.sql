/*
 * wrapper.sql
 *		The beginning of the install script, and the foreign data wrapper.
 *
 *		make joins the parts in the order of SCRIPT_PARTS in the Makefile: what is set here holds for
 *		all of them.
 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sagemaker_fdw" to load this file. \quit

-- A view and a parsed body keep for ever the operators and functions that are found here and now,
-- and those that fit best are found, in whatever schema of the path they are.  So the extension's
-- own schema, where others may have put theirs before, is not searched: every name of this script
-- is of pg_catalog, or is written with the extension's schema.
--
-- What runs later finds names by its caller's path.  It sets search_path, or, where that would
-- keep it from being inlined or from committing, qualifies all names and operators.
SET LOCAL search_path = pg_catalog, pg_temp;

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
