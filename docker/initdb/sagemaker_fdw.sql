-- What the cluster of compose.yaml begins with: the extensions, the schemas of the front page,
-- and a role for Grafana, which may read whatever the superuser keeps in reports.
\getenv password GRAFANA_DATABASE_PASSWORD

CREATE EXTENSION pg_cron;
CREATE SCHEMA sagemaker_fdw;
GRANT USAGE ON SCHEMA sagemaker_fdw TO PUBLIC;
CREATE EXTENSION sagemaker_fdw SCHEMA sagemaker_fdw;
ALTER DATABASE :"DBNAME" SET search_path = "$user", public, sagemaker_fdw;
CREATE SCHEMA aws;
CREATE SCHEMA reports;

CREATE ROLE grafana LOGIN PASSWORD :'password';
-- it runs what its editors type
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
GRANT USAGE ON SCHEMA reports TO grafana;
ALTER DEFAULT PRIVILEGES IN SCHEMA reports GRANT SELECT ON TABLES TO grafana;
