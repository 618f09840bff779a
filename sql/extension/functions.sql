/*
 * functions.sql
 *		Functions for users besides the tables: one job's document, the check of a server, and others.
 *
 *		The functions for costs (cost.sql), figures (monitor.sql) and refreshes (refresh.sql) are
 *		elsewhere.
 */

-- Volatile: a stable function would be called during planning, and so call AWS.  The cost of a call is
-- the default of sagemaker_fdw.call_cost, 100, in units of cpu_operator_cost, so that conditions
-- without a call are evaluated first.
CREATE FUNCTION @extschema@.sagemaker_describe_training_job(server name, training_job_name text)
RETURNS jsonb
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 40000;

REVOKE EXECUTE ON FUNCTION @extschema@.sagemaker_describe_training_job(name, text) FROM PUBLIC;

COMMENT ON FUNCTION @extschema@.sagemaker_describe_training_job(name, text) IS
	'document of one training job, NULL when there is no such job';

-- A check that fails is rolled back with its subtransaction, which a parallel query cannot start.
CREATE FUNCTION @extschema@.sagemaker_fdw_check_server(server name,
	OUT check_name text, OUT ok boolean, OUT detail text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 400000 ROWS 10;

REVOKE EXECUTE ON FUNCTION @extschema@.sagemaker_fdw_check_server(name) FROM PUBLIC;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_check_server(name) IS
	'what works for a server and the current role, and what is missing: a row for each check';

-- 45 calls for 20 jobs.  Not STRICT, because returning no rows would look as if there were no differences.
CREATE FUNCTION @extschema@.sagemaker_fdw_check_search(server name, jobs integer DEFAULT 20,
	OUT attribute text, OUT compared integer, OUT same integer, OUT differs integer,
	OUT only_describe integer, OUT only_search integer)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1800000 ROWS 40;

REVOKE EXECUTE ON FUNCTION @extschema@.sagemaker_fdw_check_search(name, integer) FROM PUBLIC;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_check_search(name, integer) IS
	'whether Search says of the newest jobs that have ended what DescribeTrainingJob says: a row for each attribute';

CREATE FUNCTION @extschema@.sagemaker_fdw_disconnect(server name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_disconnect(name) IS
	'closes this session''s kept connections and forgets cached credentials, of one server or of all';

-- In C, which writes the comments by the numbers of table and columns: no name is looked up, and no
-- code of the table's owner runs.
CREATE FUNCTION @extschema@.sagemaker_fdw_comment_columns(relation regclass, replace boolean DEFAULT false)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_comment_columns(regclass, boolean) IS
	'comments on the columns of a table of training jobs, what each means; how many comments were written';

-- The body is a string, and not parsed before it is called: an update script may add a label and,
-- in the same transaction, its line here.  Names and operators are qualified instead of a path being
-- set, and it is not STRICT, so that it can be inlined: a NULL finds no WHEN and so gives NULL.
CREATE FUNCTION @extschema@.sagemaker_primary_status(secondary_status @extschema@.sagemaker_secondary_status)
RETURNS @extschema@.sagemaker_training_job_status
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE
		WHEN secondary_status OPERATOR(pg_catalog.=) ANY ('{Pending, Starting, LaunchingMLInstances, PreparingTraining,
				PreparingTrainingStack, Downloading, DownloadingTrainingImage, Training, Interrupted, Restarting,
				Updating, Uploading}'::@extschema@.sagemaker_secondary_status[])
			THEN 'InProgress'::@extschema@.sagemaker_training_job_status
		WHEN secondary_status OPERATOR(pg_catalog.=) 'Stopping'::@extschema@.sagemaker_secondary_status
			THEN 'Stopping'::@extschema@.sagemaker_training_job_status
		WHEN secondary_status OPERATOR(pg_catalog.=) ANY ('{Stopped, MaxRuntimeExceeded, MaxWaitTimeExceeded}'
				::@extschema@.sagemaker_secondary_status[])
			THEN 'Stopped'::@extschema@.sagemaker_training_job_status
		WHEN secondary_status OPERATOR(pg_catalog.=) 'Completed'::@extschema@.sagemaker_secondary_status
			THEN 'Completed'::@extschema@.sagemaker_training_job_status
		WHEN secondary_status OPERATOR(pg_catalog.=) 'Failed'::@extschema@.sagemaker_secondary_status
			THEN 'Failed'::@extschema@.sagemaker_training_job_status
	END
$$;

COMMENT ON FUNCTION @extschema@.sagemaker_primary_status(@extschema@.sagemaker_secondary_status) IS
	'status under which the API documents a secondary status';
