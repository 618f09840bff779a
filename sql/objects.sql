-- What the extension shows to its users, and the schema of what it does not.
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION sagemaker_fdw;
CREATE ROLE regress_sagemaker_guest;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_sagemaker_guest;
CREATE VIEW members AS
	SELECT classid, objid, i.type, i.schema, i.identity
	  FROM pg_depend CROSS JOIN LATERAL pg_identify_object(classid, objid, 0) AS i
	 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sagemaker_fdw');
\set QUIET off

--
-- what users call and see
--
SELECT type, identity FROM members WHERE schema IS DISTINCT FROM 'sagemaker_fdw_internal' ORDER BY type COLLATE "C", identity COLLATE "C";
-- of the other functions, which all roles may call and which have their caller's rights, they find none
SELECT type, bool_or(pg_function_is_visible(objid)) AS visible, bool_or(prosecdef) AS owners_rights,
		bool_and(has_function_privilege('regress_sagemaker_guest', objid, 'EXECUTE')) AS everybody
	FROM members LEFT JOIN pg_proc ON oid = objid AND classid = 'pg_proc'::regclass WHERE schema = 'sagemaker_fdw_internal' GROUP BY type;

--
-- nobody but its owner can put anything beside those
--
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' WHEN nspowner THEN 'owner' END AS grantee, string_agg(privilege_type, ', ' ORDER BY privilege_type) AS privileges
	FROM pg_namespace CROSS JOIN aclexplode(nspacl) WHERE nspname = 'sagemaker_fdw_internal' GROUP BY 1 ORDER BY 1;
SET ROLE regress_sagemaker_guest;
CREATE FUNCTION sagemaker_fdw_internal.refresh_trusts(owner bigint) RETURNS boolean LANGUAGE SQL RETURN true; -- ERROR
CREATE OR REPLACE FUNCTION sagemaker_fdw_internal.refresh_trusts(owner oid) RETURNS boolean LANGUAGE SQL RETURN true; -- ERROR
ALTER SCHEMA sagemaker_fdw_internal RENAME TO mine; -- ERROR
DROP SCHEMA sagemaker_fdw_internal; -- ERROR
RESET ROLE;
DROP SCHEMA sagemaker_fdw_internal CASCADE; -- ERROR

--
-- a schema that is there already is not trusted
--
DROP EXTENSION sagemaker_fdw;
SET ROLE regress_sagemaker_guest;
CREATE SCHEMA sagemaker_fdw_internal;
RESET ROLE;
-- from version 18 on the context names the script and its line
\set SHOW_CONTEXT never
CREATE EXTENSION sagemaker_fdw; -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM pg_extension WHERE extname = 'sagemaker_fdw';
ALTER SCHEMA sagemaker_fdw_internal RENAME TO planted;
CREATE EXTENSION sagemaker_fdw;

-- clean up
\set QUIET on
DROP VIEW members;
DROP SCHEMA planted;
DROP EXTENSION sagemaker_fdw;
REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_sagemaker_guest;
DROP ROLE regress_sagemaker_guest;
