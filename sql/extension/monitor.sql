/*
 * monitor.sql
 *		What calls have cost, and the progress of running scans.
 */

-- What calls have cost.  The function shows each role only what it may see.

CREATE FUNCTION sagemaker_fdw_internal.stats_figures(OUT serverid oid, OUT region text, OUT operation text,
	OUT calls bigint, OUT rows bigint, OUT retries bigint, OUT throttles bigint, OUT errors bigint,
	OUT bytes_received bigint, OUT wait_ms double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sagemaker_fdw_stats_figures'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 20;

COMMENT ON FUNCTION sagemaker_fdw_internal.stats_figures() IS
	'what AWS calls have cost, for sagemaker_fdw_stats';

CREATE VIEW @extschema@.sagemaker_fdw_stats AS
	SELECT s.srvname AS server, f.region, f.operation,
		sum(f.calls)::bigint AS calls,
		sum(f.rows)::bigint AS rows,
		sum(f.retries)::bigint AS retries,
		sum(f.throttles)::bigint AS throttles,
		sum(f.errors)::bigint AS errors,
		sum(f.bytes_received)::bigint AS bytes_received,
		sum(f.wait_ms) AS wait_ms
	  FROM sagemaker_fdw_internal.stats_figures() AS f
	  JOIN pg_foreign_server AS s ON s.oid = f.serverid
	 GROUP BY s.srvname, f.region, f.operation;

COMMENT ON VIEW @extschema@.sagemaker_fdw_stats IS
	'what AWS calls have cost, by server, region and operation: of all sessions where the library is preloaded, else of this one';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.calls IS 'requests sent, retries included';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.rows IS 'jobs in the answers';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.retries IS 'attempts after the first one of a call';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.throttles IS 'answers that said that there were too many calls';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.errors IS 'calls that failed for good; that a job does not exist is no failure';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.bytes_received IS 'bytes of the answers'' bodies';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_stats.wait_ms IS 'milliseconds in which queries had nothing to do but wait';

GRANT SELECT ON @extschema@.sagemaker_fdw_stats TO PUBLIC;

CREATE FUNCTION @extschema@.sagemaker_fdw_stats_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

REVOKE EXECUTE ON FUNCTION @extschema@.sagemaker_fdw_stats_reset() FROM PUBLIC;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_stats_reset() IS
	'forgets what sagemaker_fdw_stats has of the current database';

-- The progress of running scans.

CREATE FUNCTION sagemaker_fdw_internal.progress_scans(OUT pid integer, OUT serverid oid, OUT operation text,
	OUT pages bigint, OUT jobs_seen bigint, OUT jobs_described bigint, OUT jobs_estimated bigint,
	OUT started_at timestamptz, OUT waiting_on text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sagemaker_fdw_progress_scans'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION sagemaker_fdw_internal.progress_scans() IS
	'how far running scans are, for sagemaker_fdw_progress';

CREATE VIEW @extschema@.sagemaker_fdw_progress AS
	SELECT p.pid, s.srvname AS server, p.operation, p.pages, p.jobs_seen, p.jobs_described,
		p.jobs_estimated, p.started_at, p.waiting_on
	  FROM sagemaker_fdw_internal.progress_scans() AS p
	  JOIN pg_foreign_server AS s ON s.oid = p.serverid;

COMMENT ON VIEW @extschema@.sagemaker_fdw_progress IS
	'how far running scans are: those of all sessions where the library is preloaded, else of this one';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.pid IS 'process of the session';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.operation IS 'operation that says which jobs there are';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.pages IS 'pages of that operation so far';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.jobs_seen IS 'jobs that were listed, or named by the query, so far';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.jobs_described IS 'jobs whose documents have come so far';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.jobs_estimated IS 'jobs that will be seen, as estimated; NULL without statistics';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.started_at IS 'when the first row was asked for';
COMMENT ON COLUMN @extschema@.sagemaker_fdw_progress.waiting_on IS
	'the operation whose answer is waited for, "rate limit", "retry delay", "connection" or "credentials"; NULL when nothing is';

GRANT SELECT ON @extschema@.sagemaker_fdw_progress TO PUBLIC;
