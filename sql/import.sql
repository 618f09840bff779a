--
-- IMPORT FOREIGN SCHEMA, and the types and functions beside the table
--
-- No statement here reaches the network: the table is made of the catalogue.
--
CREATE SCHEMA "Sage Maker";
CREATE SCHEMA aws;
CREATE SCHEMA aws_more;
CREATE EXTENSION sagemaker_fdw SCHEMA "Sage Maker";
CREATE SERVER "my server" FOREIGN DATA WRAPPER sagemaker_fdw;

--
-- the table has a column for every attribute, whatever the search_path holds
--
CREATE SCHEMA decoy;
CREATE DOMAIN decoy.text AS pg_catalog.text;
CREATE DOMAIN decoy.jsonb AS pg_catalog.jsonb;
CREATE DOMAIN decoy.timestamptz AS pg_catalog.timestamptz;
CREATE DOMAIN decoy."integer" AS pg_catalog.int4;
CREATE DOMAIN decoy."boolean" AS pg_catalog.bool;
SET search_path = decoy, pg_catalog;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws;
RESET search_path;
SELECT attnum AS n, attname, format_type(atttypid, atttypmod) AS type, attnotnull AS not_null, attfdwoptions AS options
	FROM pg_attribute WHERE attrelid = 'aws.training_jobs'::regclass AND attnum > 0 ORDER BY attnum;
SELECT srvname, ftoptions FROM pg_foreign_table JOIN pg_foreign_server ON ftserver = pg_foreign_server.oid
	WHERE ftrelid = 'aws.training_jobs'::regclass;

--
-- enums 'false': text where enum types were, and no other difference
--
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (enums 'false');
SELECT a.attname, format_type(b.atttypid, b.atttypmod) AS type
	FROM (SELECT * FROM pg_attribute WHERE attrelid = 'aws.training_jobs'::regclass AND attnum > 0) a
	FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'aws_more.training_jobs'::regclass AND attnum > 0) b
		USING (attnum)
	WHERE (a.attname, a.atttypid) IS DISTINCT FROM (b.attname, b.atttypid)
	ORDER BY attnum;
DROP FOREIGN TABLE aws_more.training_jobs;

--
-- attributes 'search': without what Search does not return
--
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (attributes 'search');
SELECT a.attname AS left_out, b.attname AS added
	FROM (SELECT * FROM pg_attribute WHERE attrelid = 'aws.training_jobs'::regclass AND attnum > 0) a
	FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'aws_more.training_jobs'::regclass AND attnum > 0) b
		USING (attname, atttypid)
	WHERE a.attname IS NULL OR b.attname IS NULL
	ORDER BY a.attnum, b.attnum;
DROP FOREIGN TABLE aws_more.training_jobs;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (enums 'on', attributes 'all');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'aws_more.training_jobs'::regclass AND attnum > 0;
DROP FOREIGN TABLE aws_more.training_jobs;

--
-- LIMIT TO and EXCEPT choose the table; one that does not exist is warned of where it is asked for
--
IMPORT FOREIGN SCHEMA sagemaker LIMIT TO (models) FROM SERVER "my server" INTO aws_more;
IMPORT FOREIGN SCHEMA sagemaker EXCEPT (training_jobs) FROM SERVER "my server" INTO aws_more;
SELECT count(*) FROM pg_class WHERE relnamespace = 'aws_more'::regnamespace;
IMPORT FOREIGN SCHEMA sagemaker LIMIT TO (models, training_jobs) FROM SERVER "my server" INTO aws_more;
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'aws_more'::regnamespace;
DROP FOREIGN TABLE aws_more.training_jobs;
IMPORT FOREIGN SCHEMA sagemaker EXCEPT (models) FROM SERVER "my server" INTO aws_more;
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'aws_more'::regnamespace;
DROP FOREIGN TABLE aws_more.training_jobs;

--
-- an unknown remote schema: the known one
--
IMPORT FOREIGN SCHEMA public FROM SERVER "my server" INTO aws_more; -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA "SageMaker" FROM SERVER "my server" INTO aws_more; -- ERROR
\echo :LAST_ERROR_SQLSTATE

--
-- an unknown option, and a bad value
--
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (enum 'false'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (import_default 'false'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (fetch_size '10'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (enums 'perhaps'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (attributes 'list'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more OPTIONS (attribute 'search'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sagemaker LIMIT TO (models) FROM SERVER "my server" INTO aws_more OPTIONS (attributes ''); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM pg_class WHERE relnamespace = 'aws_more'::regnamespace;

--
-- a role with USAGE on the server can import, without a user mapping
--
CREATE ROLE regress_sagemaker_reader;
GRANT USAGE ON FOREIGN SERVER "my server" TO regress_sagemaker_reader;
GRANT USAGE ON SCHEMA "Sage Maker" TO regress_sagemaker_reader;
GRANT ALL ON SCHEMA aws_more TO regress_sagemaker_reader;
SET ROLE regress_sagemaker_reader;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER "my server" INTO aws_more;
DROP FOREIGN TABLE aws_more.training_jobs;
RESET ROLE;

--
-- labels are sorted by what happens to a job
--
SELECT t.typname, string_agg(e.enumlabel, ' < ' ORDER BY e.enumsortorder) AS labels
	FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
	WHERE t.typnamespace = '"Sage Maker"'::regnamespace GROUP BY t.typname ORDER BY t.typname;

--
-- the status of each secondary status, whatever the search_path
--
SET search_path = '';
SELECT s AS secondary_status, "Sage Maker".sagemaker_primary_status(s)
	FROM pg_catalog.unnest(pg_catalog.enum_range(NULL::"Sage Maker".sagemaker_secondary_status)) AS s;
SELECT "Sage Maker".sagemaker_primary_status(NULL) IS NULL AS null_of_null;
RESET search_path;

--
-- what may be assumed of the functions, and who may execute them
--
SELECT oid::regprocedure AS function, provolatile AS volatile, proparallel AS parallel, proisstrict AS strict,
		has_function_privilege('regress_sagemaker_reader', oid, 'EXECUTE') AS everybody
	FROM pg_proc WHERE pronamespace = '"Sage Maker"'::regnamespace
		AND proname IN ('sagemaker_describe_training_job', 'sagemaker_fdw_disconnect', 'sagemaker_primary_status')
	ORDER BY proname;
SET ROLE regress_sagemaker_reader;
SELECT "Sage Maker".sagemaker_describe_training_job('my server', 'job'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT "Sage Maker".sagemaker_describe_training_job(NULL, 'job') IS NULL AS null_server,
	"Sage Maker".sagemaker_describe_training_job('my server', NULL) IS NULL AS null_name;

--
-- the extension stays where it is, and leaves nothing behind
--
ALTER EXTENSION sagemaker_fdw SET SCHEMA public; -- ERROR
DROP FOREIGN TABLE aws.training_jobs;
DROP SERVER "my server";
DROP EXTENSION sagemaker_fdw;
SELECT count(*) FROM pg_depend WHERE refobjid = '"Sage Maker"'::regnamespace;

-- clean up
REVOKE ALL ON SCHEMA aws_more FROM regress_sagemaker_reader;
REVOKE ALL ON SCHEMA "Sage Maker" FROM regress_sagemaker_reader;
DROP ROLE regress_sagemaker_reader;
SET client_min_messages = warning;
DROP SCHEMA decoy CASCADE;
DROP SCHEMA aws, aws_more, "Sage Maker";
RESET client_min_messages;
