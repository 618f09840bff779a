-- What columns mean, as their comments.
\i test/setup.sql
CREATE FUNCTION aws.comments(relation regclass, OUT column_name name, OUT comment text) RETURNS SETOF record LANGUAGE sql
AS 'SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum';
-- how many columns have no comment, another one than the catalogue's, and the catalogue's, less all columns there
CREATE FUNCTION aws.count_comments(relation regclass, OUT missing bigint, OUT other bigint, OUT catalogue bigint) LANGUAGE sql
AS 'SELECT count(*) FILTER (WHERE comment IS NULL), count(*) FILTER (WHERE comment <> coalesce(description, $$$$)),
		count(*) FILTER (WHERE comment = description) - (SELECT count(*) FROM sagemaker_fdw_columns())
	  FROM aws.comments(relation) LEFT JOIN sagemaker_fdw_columns() USING (column_name)';
SELECT count(*) AS all FROM sagemaker_fdw_columns() \gset

-- an imported table: every column, and no call
\set calls `$SAGEMAKER_FDW_CTL calls`
SELECT sagemaker_fdw_comment_columns('aws.training_jobs') - :all AS written;
SELECT * FROM aws.count_comments('aws.training_jobs');
\set calls `$SAGEMAKER_FDW_CTL calls`
\echo :calls
-- again, there is nothing to do
SELECT sagemaker_fdw_comment_columns('aws.training_jobs');
SELECT sagemaker_fdw_comment_columns('aws.training_jobs', replace => true);

-- a comment of one's own stays, unless it is to be replaced
COMMENT ON COLUMN aws.training_jobs.region IS 'where';
COMMENT ON COLUMN aws.training_jobs.tags IS NULL;
SELECT sagemaker_fdw_comment_columns('aws.training_jobs');
SELECT * FROM aws.comments('aws.training_jobs') WHERE column_name IN ('region', 'tags');
SELECT sagemaker_fdw_comment_columns('aws.training_jobs', replace => true);
SELECT * FROM aws.comments('aws.training_jobs') WHERE column_name IN ('region', 'tags');
SELECT * FROM aws.count_comments('aws.training_jobs');

-- columns of other names, and paths below an attribute; nothing of what is computed, or not known
CREATE FOREIGN TABLE aws."My Jobs" (
  gone               text    OPTIONS (attribute 'RoleArn'),
  "Name's \ ""name""" text   OPTIONS (attribute 'TrainingJobName'),
  region             text    OPTIONS (attribute 'account_id'),
  type               text    OPTIONS (attribute 'instance_type'),
  asked_for          text    OPTIONS (attribute 'ResourceConfig.InstanceType'),
  lr                 float   OPTIONS (attribute 'HyperParameters.learning.rate'),
  team               text    OPTIONS (attribute 'Tags.team'),
  unknown            text    OPTIONS (attribute 'SomethingNew'),
  no_path            text    OPTIONS (attribute 'creation_time'),
  role_arn           text    GENERATED ALWAYS AS (region || team) STORED,
  tags               jsonb
) SERVER sm;
ALTER FOREIGN TABLE aws."My Jobs" DROP gone;
COMMENT ON COLUMN aws."My Jobs".unknown IS 'mine';
SELECT sagemaker_fdw_comment_columns('aws."My Jobs"', replace => true);
\d+ aws."My Jobs"

-- a partitioned table, and its partitions
ALTER SERVER sm OPTIONS (ADD account_id '123456789012');
CALL sagemaker_fdw_create_partitioned_table('aws.all_jobs', servers => '{sm}', regions => '{us-east-1,eu-west-1}');
SELECT sagemaker_fdw_comment_columns('aws.all_jobs') - :all AS written;
SELECT * FROM aws.count_comments('aws.all_jobs');
SELECT relid, isleaf, sagemaker_fdw_comment_columns(relid) > 0 AS written FROM pg_partition_tree('aws.all_jobs');
SELECT relid, c.* FROM pg_partition_tree('aws.all_jobs'), aws.count_comments(relid) AS c;
SET client_min_messages = warning;
CALL sagemaker_fdw_create_partitioned_table('aws.all_jobs', servers => '{sm}', regions => '{us-west-2}');
SELECT relid, missing > 0 AS missing, other FROM pg_partition_tree('aws.all_jobs'), aws.count_comments(relid);

-- a kept table: no column but one's own is without a comment, and a refresh keeps them
CALL sagemaker_fdw_refresh('aws.kept', 'aws.training_jobs', since => '2017-11-01');
ALTER TABLE aws.kept ADD note text, DROP role_arn;
SELECT sagemaker_fdw_comment_columns('aws.kept') - :all AS written;
SELECT * FROM aws.count_comments('aws.kept');
SELECT * FROM aws.comments('aws.kept') WHERE column_name IN ('refreshed_at', 'deleted_at', 'note');
ALTER TABLE aws.kept ADD role_arn text;
CALL sagemaker_fdw_refresh('aws.kept', 'aws.training_jobs', since => '2017-11-01');
RESET client_min_messages;
SELECT * FROM aws.count_comments('aws.kept');

-- views and copies
CREATE VIEW aws.failed AS SELECT training_job_arn, failure_reason AS why, creation_time FROM aws.training_jobs;
CREATE MATERIALIZED VIEW aws.regions AS SELECT DISTINCT region, training_job_arn FROM aws.training_jobs WITH NO DATA;
CREATE TABLE aws.copy AS SELECT * FROM aws.training_jobs WITH NO DATA;
SELECT sagemaker_fdw_comment_columns('aws.failed') AS view, sagemaker_fdw_comment_columns('aws.regions') AS materialized_view,
	sagemaker_fdw_comment_columns('aws.copy') - :all AS copy, sagemaker_fdw_comment_columns('aws.copy') AS again;

-- what is no table of training jobs
CREATE TABLE aws.servers (region text, tags jsonb);
CREATE INDEX names ON aws.copy (training_job_arn);
CREATE TYPE aws.composite AS (training_job_arn text);
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other FOREIGN DATA WRAPPER other;
CREATE FOREIGN TABLE aws.other (training_job_arn text) SERVER other;
SELECT sagemaker_fdw_comment_columns('aws.servers'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT sagemaker_fdw_comment_columns('aws.names'); -- ERROR
SELECT sagemaker_fdw_comment_columns('aws.composite'); -- ERROR
SELECT sagemaker_fdw_comment_columns('aws.other'); -- ERROR
SELECT sagemaker_fdw_comment_columns(0); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT sagemaker_fdw_comment_columns(NULL) IS NULL AS null_of_null;
BEGIN READ ONLY;
SELECT sagemaker_fdw_comment_columns('aws.copy'); -- ERROR
ROLLBACK;

-- whose table
CREATE ROLE regress_sagemaker_owner;
CREATE ROLE regress_sagemaker_member IN ROLE regress_sagemaker_owner;
CREATE ROLE regress_sagemaker_other;
GRANT USAGE ON SCHEMA aws TO PUBLIC;
ALTER TABLE aws.copy OWNER TO regress_sagemaker_owner;
GRANT ALL ON aws.copy TO regress_sagemaker_other;
COMMENT ON COLUMN aws.copy.region IS 'of the owner';
SELECT sagemaker_fdw_comment_columns('aws.copy', replace => true) AS by_superuser;
COMMENT ON COLUMN aws.copy.region IS NULL;
SET ROLE regress_sagemaker_other;
SELECT sagemaker_fdw_comment_columns('aws.copy'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SET ROLE regress_sagemaker_member;
SELECT sagemaker_fdw_comment_columns('aws.copy') AS by_member;
COMMENT ON COLUMN aws.copy.region IS NULL;
SET ROLE regress_sagemaker_owner;
SELECT sagemaker_fdw_comment_columns('aws.copy') AS by_owner;
RESET ROLE;

DROP TABLE aws.copy;
SET client_min_messages = warning;
DROP ROLE regress_sagemaker_member, regress_sagemaker_owner, regress_sagemaker_other;
DROP FOREIGN DATA WRAPPER other CASCADE;
\i test/teardown.sql
