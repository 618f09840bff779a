--
-- Options: what each object accepts, and what it says of the rest
--
-- No statement here reaches the network: the validator opens nothing.
--
SET client_min_messages = warning;
CREATE EXTENSION sagemaker_fdw;
RESET client_min_messages;

-- What a command comes to: "accepted", or the error.  Undoes the command.
CREATE FUNCTION outcome(command text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	BEGIN
		EXECUTE command;
		RAISE EXCEPTION USING ERRCODE = 'UNDO1';
	EXCEPTION
		WHEN SQLSTATE 'UNDO1' THEN
			RETURN 'accepted';
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
			RETURN SQLSTATE || ' ' || message || coalesce(' / ' || nullif(hint, ''), '');
	END;
END $$;

CREATE FUNCTION try_server(option text, value text) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome(format('CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (%I %L)', option, value))
$$;
CREATE FUNCTION try_mapping(options text) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome(format('CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (%s)', options))
$$;
CREATE FUNCTION try_table(option text, value text) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome(format('CREATE FOREIGN TABLE try (region text) SERVER sm OPTIONS (%I %L)', option, value))
$$;
CREATE FUNCTION try_column(option text, value text) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome(format('CREATE FOREIGN TABLE try (x text OPTIONS (%I %L)) SERVER sm', option, value))
$$;

--
-- every documented option is accepted in its place, and kept as written
--
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (
	region 'us-east-1',
	use_fips_endpoint 'false',
	use_dualstack_endpoint 'off',
	sts_endpoint_url 'http://127.0.0.1:4566',
	pricing_endpoint_url 'https://vpce-0123-abc.api.pricing.us-east-1.vpce.amazonaws.com',
	ca_bundle '/etc/ssl/bundle.pem',
	proxy_url 'http://proxy.example.com:3128',
	connect_timeout '0.5',
	read_timeout '60',
	max_attempts '8',
	throttle_timeout '300',
	retry_mode 'standard',
	max_calls_per_second '2.5',
	max_response_size '16MB',
	max_concurrency '16',
	fetch_size '100',
	scan_api 'auto',
	async_capable 'true',
	unknown_enum 'error');
CREATE SERVER local FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (
	region 'us-east-1',
	endpoint_url 'http://127.0.0.1:4566');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm OPTIONS (
	aws_access_key_id 'AKIAIOSFODNN7EXAMPLE',
	aws_secret_access_key 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
	aws_session_token 'IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz+LWVhc3QtMSJ==',
	role_arn 'arn:aws-us-gov:iam::123456789012:role/path/reader',
	external_id 'team:42/a',
	role_session_name 'pg-reports',
	duration_seconds '3600',
	profile 'reports',
	credential_source 'Ec2InstanceMetadata',
	web_identity_token_file '/var/run/token',
	allow_ambient_credentials 'true');
CREATE FOREIGN TABLE jobs (
	training_job_name text,
	kind text OPTIONS (attribute 'ResourceConfig.InstanceType'),
	rate text OPTIONS (attribute 'HyperParameters.learning.rate')
) SERVER sm OPTIONS (
	region 'eu-west-1',
	account_id '123456789012',
	max_concurrency '4',
	fetch_size '10',
	scan_api 'search',
	async_capable 'false',
	unknown_enum 'null',
	estimated_jobs '250000');
SELECT unnest(srvoptions) FROM pg_foreign_server WHERE srvname = 'sm';
SELECT unnest(ftoptions) FROM pg_foreign_table WHERE ftrelid = 'jobs'::regclass;

--
-- an unknown option: the closest name, or all names
--
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (regoin 'us-east-1'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS ("Region" 'us-east-1'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (nonsense 'x'); -- ERROR
CREATE FOREIGN TABLE try (x text) SERVER sm OPTIONS (scan_ap 'search'); -- ERROR
CREATE FOREIGN TABLE try (x text) SERVER sm OPTIONS (schema_name 'aws'); -- ERROR
CREATE FOREIGN TABLE try (x text OPTIONS (atribute 'TrainingJobName')) SERVER sm; -- ERROR
CREATE FOREIGN TABLE try (x text OPTIONS (column_name 'x')) SERVER sm; -- ERROR
CREATE USER MAPPING FOR PUBLIC SERVER sm OPTIONS (aws_access_key 'AKIAIOSFODNN7EXAMPLE'); -- ERROR
CREATE USER MAPPING FOR PUBLIC SERVER sm OPTIONS (password 'hush'); -- ERROR
ALTER FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (ADD debug 'on'); -- ERROR
\echo :LAST_ERROR_SQLSTATE

--
-- an option in the wrong place: where it belongs
--
ALTER FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (ADD region 'us-east-1'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (role_arn 'arn:aws:iam::123456789012:role/r'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (estimated_jobs '5'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (enums 'false'); -- ERROR
CREATE FOREIGN TABLE try (x text) SERVER sm OPTIONS (endpoint_url 'https://example.com'); -- ERROR
CREATE FOREIGN TABLE try (x text) SERVER sm OPTIONS (attribute 'TrainingJobName'); -- ERROR
CREATE FOREIGN TABLE try (x text OPTIONS (region 'us-east-1')) SERVER sm; -- ERROR
CREATE USER MAPPING FOR PUBLIC SERVER sm OPTIONS (region 'us-east-1'); -- ERROR
\echo :LAST_ERROR_SQLSTATE

--
-- a secret outside a user mapping: refused, and never repeated
--
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (aws_secret_access_key 'hush'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT option, try_server(option, 'hush') FROM unnest(ARRAY[
	'aws_access_key_id', 'aws_session_token', 'external_id', 'secret', 'AWS_SECRET', 'password', 'auth_token'
]) AS option;
SELECT try_table('aws_secret_access_key', 'hush') AS a_table,
	try_column('aws_secret_access_key', 'hush') AS a_column,
	outcome('ALTER FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (ADD aws_session_token ''hush'')') AS a_wrapper;

--
-- a bad value: what is accepted
--
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (fetch_size '101'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
SELECT option, quote_literal(value), try_server(option, value) FROM (VALUES
	('region', ''),
	('region', 'us/east/1'),
	('region', 'us-east-1.example.com'),
	('region', 'us-east-1@example.com'),
	('region', '-us'),
	('region', 'us east 1'),
	('region', '12'),
	('region', 'US-EAST-1'),
	('region', 'us-gov-West-1'),
	('region', 'US_EAST_1'),
	('endpoint_url', ''),
	('endpoint_url', 'http://example.com'),
	('endpoint_url', 'http://127.0.0.1.example.com'),
	('endpoint_url', 'http://localhost.example.com'),
	('endpoint_url', 'http://10.0.0.1:8080'),
	('endpoint_url', 'ftp://example.com'),
	('endpoint_url', 'example.com'),
	('endpoint_url', 'https://'),
	('endpoint_url', 'https://user:hush@example.com'),
	('endpoint_url', 'https://example.com?x=1'),
	('endpoint_url', 'https://exam ple.com'),
	('endpoint_url', E'https://example.com\nX: y'),
	('endpoint_url', 'https://example.com:99999'),
	('sts_endpoint_url', 'http://example.com'),
	('sts_endpoint_url', 'https://user:hush@example.com'),
	('pricing_endpoint_url', 'example.com'),
	('use_fips_endpoint', 'maybe'),
	('use_dualstack_endpoint', ''),
	('ca_bundle', 'bundle.pem'),
	('ca_bundle', ''),
	('proxy_url', 'proxy:3128'),
	('proxy_url', 'socks5://proxy:1080'),
	('proxy_url', 'http://'),
	('proxy_url', 'http://proxy:0'),
	('proxy_url', 'http://proxy:3128/path'),
	('proxy_url', 'http://user:hush@proxy:3128'),
	('connect_timeout', 'ten'),
	('connect_timeout', '0'),
	('connect_timeout', '-1'),
	('connect_timeout', '3601'),
	('connect_timeout', '1e3'),
	('connect_timeout', 'nan'),
	('connect_timeout', ' 1'),
	('connect_timeout', '1.'),
	('read_timeout', '10s'),
	('read_timeout', 'infinity'),
	('read_timeout', ''),
	('max_attempts', '0'),
	('max_attempts', '101'),
	('throttle_timeout', '86401'),
	('retry_mode', 'legacy'),
	('max_calls_per_second', '-1'),
	('max_response_size', '1023'),
	('max_response_size', '129MB'),
	('max_response_size', '5GB'),
	('max_response_size', 'big'),
	('max_concurrency', '0'),
	('max_concurrency', '257'),
	('fetch_size', '0'),
	('fetch_size', '101'),
	('fetch_size', '1.5'),
	('fetch_size', '0x10'),
	('fetch_size', '99999999999999999999'),
	('scan_api', 'list'),
	('scan_api', 'Search'),
	('async_capable', '2'),
	('unknown_enum', 'warn')
) AS v(option, value);
SELECT option, quote_literal(value), try_table(option, value) FROM (VALUES
	('region', 'eu/west'),
	('account_id', '12345678901'),
	('account_id', '1234567890123'),
	('account_id', '12345678901a'),
	('account_id', ''),
	('fetch_size', '0'),
	('scan_api', ''),
	('estimated_jobs', 'many'),
	('estimated_jobs', '-5')
) AS v(option, value);
SELECT quote_literal(value), try_column('attribute', value) FROM unnest(ARRAY[
	'', '.', '.InstanceType', 'ResourceConfig.', 'Resource Config', 'Resource-Config', '$.ResourceConfig'
]) AS value;

--
-- values at their bounds
--
SELECT option, quote_literal(value), try_server(option, value) FROM (VALUES
	('region', 'eusc-de-east-1'),
	('region', 'mars-north-7'),
	('endpoint_url', 'https://vpce-0123-abc.api.sagemaker.us-east-1.vpce.amazonaws.com'),
	('endpoint_url', 'https://example.com:8443'),
	('endpoint_url', 'http://localhost:4566'),
	('endpoint_url', 'http://127.3.2.1'),
	('endpoint_url', 'http://[::1]:4566'),
	('proxy_url', 'https://proxy.example.com'),
	('proxy_url', 'http://[::1]:3128/'),
	('connect_timeout', '0.001'),
	('connect_timeout', '3600'),
	('read_timeout', '2.25'),
	('max_attempts', '1'),
	('max_attempts', '100'),
	('throttle_timeout', '86400'),
	('max_calls_per_second', '0'),
	('max_calls_per_second', '0.25'),
	('max_response_size', '1kB'),
	('max_response_size', '1024'),
	('max_response_size', '128MB'),
	('max_concurrency', '1'),
	('max_concurrency', '256'),
	('fetch_size', '1'),
	('use_fips_endpoint', 'on')
) AS v(option, value);
SELECT quote_literal(value), try_column('attribute', value) FROM unnest(ARRAY[
	'TrainingJobName', 'ResourceConfig.InstanceCount', 'HyperParameters.a key.with dots', 'tags.team', 'NotYetKnown.Member'
]) AS value;

--
-- an endpoint excludes the variants of the default endpoint
--
SELECT outcome('ALTER SERVER local OPTIONS (ADD use_fips_endpoint ''true'')');
SELECT outcome('ALTER SERVER local OPTIONS (ADD use_dualstack_endpoint ''on'')');
SELECT outcome('ALTER SERVER local OPTIONS (ADD use_fips_endpoint ''false'', ADD use_dualstack_endpoint ''false'')');
SELECT outcome('ALTER SERVER local OPTIONS (DROP endpoint_url, ADD use_fips_endpoint ''true'')');

--
-- a user mapping's options: complete, well-formed, and never repeated
--
DROP USER MAPPING FOR CURRENT_USER SERVER sm;
SELECT options, try_mapping(options) FROM unnest(ARRAY[
	$$aws_access_key_id 'AKIAHUSH'$$,
	$$aws_secret_access_key 'hush'$$,
	$$aws_session_token 'hush'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_session_token 'hush'$$,
	$$aws_access_key_id '', aws_secret_access_key 'hush'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key ''$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key 'hush', aws_session_token ''$$,
	$$aws_access_key_id 'AKIA HUSH', aws_secret_access_key 'hush'$$,
	$$aws_access_key_id 'AKIA/HUSH', aws_secret_access_key 'hush'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key ' hush'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key E'hush\n'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key 'hush', aws_session_token E'hush\r\nX-Evil: 1'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key 'hush', aws_session_token E'hush\x7f'$$,
	$$role_arn 'reader'$$,
	$$role_arn 'arn:aws:iam::1234:role/reader'$$,
	$$role_arn 'arn:aws:iam::123456789012:user/reader'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/rea der'$$,
	$$external_id 'x1'$$,
	$$role_session_name 'pg-reports'$$,
	$$duration_seconds '900'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', external_id 'h'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', role_session_name 'x'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', role_session_name 'a b'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', duration_seconds '899'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', duration_seconds '43201'$$,
	$$profile ''$$,
	$$profile 'a]b'$$,
	$$profile E'a\nb'$$,
	$$credential_source 'environment'$$,
	$$web_identity_token_file 'token'$$,
	$$allow_ambient_credentials 'perhaps'$$,
	$$role_arn 'arn:aws:iam::123456789012:role/r', duration_seconds '900', role_session_name 'x=1,y@z'$$,
	$$aws_access_key_id 'AKIAHUSH', aws_secret_access_key 'hush'$$
]) AS options;
\pset format aligned
\pset tuples_only off

--
-- a non-superuser may not create or alter an object whose options include one
-- for superusers, and may drop such an option
--
CREATE ROLE regress_sagemaker_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER sagemaker_fdw TO regress_sagemaker_owner;
ALTER SERVER local OWNER TO regress_sagemaker_owner;
SET ROLE regress_sagemaker_owner;
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (endpoint_url 'https://example.com'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (sts_endpoint_url 'https://example.com'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (pricing_endpoint_url 'https://example.com'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (ca_bundle '/tmp/ca.pem'); -- ERROR
CREATE SERVER try FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1', proxy_url 'http://proxy:3128'); -- ERROR
CREATE SERVER mine FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
ALTER SERVER mine OPTIONS (ADD proxy_url 'http://proxy:3128'); -- ERROR
ALTER SERVER mine OPTIONS (SET region 'us-west-2');
ALTER SERVER local OPTIONS (ADD fetch_size '10'); -- ERROR
ALTER SERVER local OPTIONS (DROP endpoint_url);
ALTER SERVER local OPTIONS (ADD fetch_size '10');
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (profile 'default'); -- ERROR
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (credential_source 'Environment'); -- ERROR
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (web_identity_token_file '/token'); -- ERROR
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (allow_ambient_credentials 'true'); -- ERROR
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (allow_ambient_credentials 'false');
ALTER USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (SET allow_ambient_credentials 'on'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
ALTER USER MAPPING FOR regress_sagemaker_owner SERVER mine OPTIONS (SET allow_ambient_credentials 'on');
SET ROLE regress_sagemaker_owner;
ALTER USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (ADD aws_access_key_id 'AKIAHUSH', ADD aws_secret_access_key 'hush'); -- ERROR
RESET ROLE;

-- clean up
DROP FOREIGN TABLE jobs;
DROP USER MAPPING FOR regress_sagemaker_owner SERVER mine;
DROP SERVER mine;
DROP SERVER local;
DROP SERVER sm;
DROP FUNCTION try_server, try_table, try_column, try_mapping, outcome;
REVOKE USAGE ON FOREIGN DATA WRAPPER sagemaker_fdw FROM regress_sagemaker_owner;
DROP ROLE regress_sagemaker_owner;
DROP EXTENSION sagemaker_fdw;
