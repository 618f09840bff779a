-- What every regression test ends with: nothing is left.
\set ECHO none
\set QUIET on
SET client_min_messages = warning;
DROP SCHEMA aws CASCADE;
DROP EXTENSION sagemaker_fdw CASCADE;
\set QUIET off
\set ECHO all
