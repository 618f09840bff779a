-- Databases in encodings other than UTF-8, and clients that want others.
\i test/setup.sql
-- a client's encoding is Postgres's business
\set document `$SAGEMAKER_FDW_CTL document odd '{"TrainingJobName": "odd", "TrainingJobArn": "o", "FailureReason": "caf\u00e9 \u20ac \ud83d\ude00 \u0416 café", "Environment": {"caf\u00e9": "\u20ac"}, "TrainingJobStatus": "Completed"}'`
SELECT failure_reason FROM aws.training_jobs WHERE training_job_name = 'odd';
SET client_encoding = 'LATIN9';
SELECT convert_to(left(failure_reason, 6), 'LATIN9') FROM aws.training_jobs WHERE training_job_name = 'odd';
SELECT left(failure_reason, 3) FROM aws.training_jobs WHERE training_job_name = 'odd';
SET client_encoding = 'UTF8';
\i test/teardown.sql

SELECT current_database() AS here \gset
CREATE DATABASE regress_sagemaker_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
CREATE DATABASE regress_sagemaker_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
CREATE DATABASE regress_sagemaker_eucjp ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0;

-- what LATIN1 lacks becomes ?, escaped or not
\set QUIET on
\c regress_sagemaker_latin1
\i test/setup.sql
SELECT failure_reason, environment, octet_length(left(failure_reason, 4)) AS octets
  FROM aws.training_jobs WHERE training_job_name = 'odd';
SELECT training_job_status, count(role_arn) FROM aws.training_jobs GROUP BY 1 ORDER BY 1;
SELECT tags->>'owner' AS owner FROM aws.training_jobs WHERE tags ? 'owner' LIMIT 1;
\i test/teardown.sql

-- SQL_ASCII has no character beyond ASCII
\set QUIET on
\c regress_sagemaker_ascii
\i test/setup.sql
SELECT failure_reason, environment, octet_length(left(failure_reason, 4)) AS octets
  FROM aws.training_jobs WHERE training_job_name = 'odd';
SELECT training_job_status, count(role_arn) FROM aws.training_jobs GROUP BY 1 ORDER BY 1;
\i test/teardown.sql

-- EUC_JP has Cyrillic, and no accents that JIS lacks
\set QUIET on
\c regress_sagemaker_eucjp
\i test/setup.sql
SELECT translate(failure_reason, '?', '') <> '' AS read, position('Ж' IN failure_reason) AS cyrillic_at
  FROM aws.training_jobs WHERE training_job_name = 'odd';
\i test/teardown.sql

\set QUIET on
\c :here
\set QUIET off
DROP DATABASE regress_sagemaker_latin1;
DROP DATABASE regress_sagemaker_ascii;
DROP DATABASE regress_sagemaker_eucjp;
