-- Regions and endpoints that would lead somewhere else are refused when they are set.
\i test/setup.sql
CREATE FUNCTION aws.attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;

-- a region is part of a host's name
SELECT aws.attempt(format('CREATE SERVER r%s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region %L)', n, region)), region
  FROM unnest(ARRAY[
	'', ' ', 'us-east-1 ', ' us-east-1', 'us east 1', 'us-east-1/', '/us-east-1', 'us-east-1/x', 'us-east-1.', '.us-east-1',
	'us.east.1', 'evil.example.com', 'us-east-1.evil.example.com', 'evil.example.com/', 'evil.example.com#', 'evil.example.com?',
	'us-east-1#', 'us-east-1?', 'us-east-1@evil', '@evil', 'evil@', 'evil:80', 'us-east-1:443', ':', 'us-east-1\', '\\evil',
	'us-east-1%2f', '%2e%2e', '..', '../..', 'us-east-1'';--', 'us-east-1"', '-us-east-1', 'us-east-1-', '-', '1', '12345', '007',
	E'us-east-1\n', E'us-east-1\r\nHost: evil', E'us-east-1\t', E'\x01', 'us_east_1', 'us-east-1,eu-west-1', 'us-east-1;x', 'us-east-1&x=y',
	'[::1]', '127.0.0.1', '169.254.169.254', 'localhost.', 'ünited-1', 'us-east-١', repeat('a', 64), repeat('a', 1000), '*', '{region}', '$(id)', '`id`'
  ]) WITH ORDINALITY AS t(region, n) ORDER BY n;

-- an endpoint is https, or http to this machine, and nothing but scheme, host, port and path
SELECT aws.attempt(format('CREATE SERVER e%s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region ''us-east-1'', endpoint_url %L)', n, url)), url
  FROM unnest(ARRAY[
	'', ' ', 'example.com', '//example.com', 'https:', 'https:/', 'https://', 'https:///x', 'http://example.com', 'http://10.0.0.1', 'http://169.254.169.254/latest/meta-data/',
	'http://127.0.0.1.example.com', 'http://127.0.0.1@example.com', 'http://localhost@example.com', 'http://localhost.example.com', 'http://127.1', 'http://2130706433', 'http://0x7f000001', 'http://0', 'http://[::]',
	'http://localhost:80@example.com/', 'https://user@example.com', 'https://user:password@example.com', 'https://example.com:port', 'https://example.com:99999', 'https://example.com:0', 'https://example.com:',
	'ftp://example.com', 'file:///etc/passwd', 'gopher://127.0.0.1', 'dict://127.0.0.1', 'scp://example.com', 'javascript:1', 'https//example.com', 'https:\\example.com', 'https://example.com\x',
	'https://example.com/?x', 'https://example.com/#x', 'https://example.com/ x', E'https://example.com/\n', E'https://example.com\r\nX: y', 'https://exa mple.com', 'https://example.com/%0d%0a', 'https://[::1', 'https://::1',
	'https://example..com', 'https://.example.com', 'https://' || repeat('a', 600) || '.com', 'https://example.com/' || repeat('a', 600)
  ]) WITH ORDINALITY AS t(url, n) ORDER BY n;
-- these are as they should be
SELECT aws.attempt(format('CREATE SERVER g%s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region ''us-east-1'', endpoint_url %L)', n, url)), url
  FROM unnest(ARRAY['https://example.com', 'https://example.com:8443/', 'https://example.com/path', 'http://127.0.0.1:8000', 'http://localhost', 'http://[::1]:80/', 'https://[2001:db8::1]/'
  ]) WITH ORDINALITY AS t(url, n) ORDER BY n;

\i test/teardown.sql
