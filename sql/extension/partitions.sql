/*
 * partitions.sql
 *		Several accounts and regions as one table: sagemaker_fdw_create_partitioned_table.
 */

CREATE FUNCTION @extschema@.sagemaker_fdw_make_partitions(name_parts text[], default_schema name, servers text[],
	regions text[])
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE COST 40000;

CREATE FUNCTION @extschema@.sagemaker_fdw_make_partitions_body(name_parts text[], default_schema name, servers text[],
	regions text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name text;
	table_name text;
	-- a server, a region and an account for each partition
	part_servers text[] := '{}';
	part_regions text[] := '{}';
	part_accounts text[] := '{}';
	server text;
	server_regions text[];
	account text;
	part record;
BEGIN
	SELECT n.schema_name, n.table_name INTO schema_name, table_name
	  FROM @extschema@.sagemaker_fdw_new_table(name_parts, default_schema) AS n;
	IF coalesce(cardinality(servers), 0) = 0 OR array_position(servers, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'no server is given' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Name one server for each AWS account: servers => ARRAY[''prod'', ''research''].';
	END IF;
	IF cardinality(regions) = 0 OR array_position(regions, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'no region is given' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Name AWS regions: regions => ARRAY[''us-east-1'', ''eu-west-1'']; if they are omitted, each server''s own region is read.';
	END IF;

	-- which regions each server reads, and of which account
	FOREACH server IN ARRAY servers LOOP
		IF NOT has_server_privilege(server, 'USAGE') THEN
			RAISE EXCEPTION 'permission denied for foreign server %', server USING ERRCODE = 'insufficient_privilege',
				HINT = format('GRANT USAGE ON FOREIGN SERVER %I TO %I.', server, current_user);
		END IF;
		server_regions := coalesce(regions, (SELECT array_agg(option_value)
			FROM pg_foreign_server, pg_options_to_table(srvoptions)
			WHERE srvname = server AND option_name = 'region'));
		account := @extschema@.sagemaker_fdw_account_id(server::name, server_regions[1]);
		IF server_regions IS NULL THEN
			RAISE EXCEPTION 'server "%" has no region of its own', server USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Name AWS regions: regions => ARRAY[''us-east-1'', ''eu-west-1''].';
		END IF;
		part_servers := part_servers || array_fill(server, ARRAY[cardinality(server_regions)]);
		part_regions := part_regions || server_regions;
		part_accounts := part_accounts || array_fill(account, ARRAY[cardinality(server_regions)]);
	END LOOP;

	-- an account and region that two read would have each of its jobs twice
	SELECT a, r, array_agg(s ORDER BY n) AS servers INTO part
	  FROM unnest(part_servers, part_regions, part_accounts) WITH ORDINALITY AS parts(s, r, a, n)
	 GROUP BY a, r HAVING count(*) > 1 ORDER BY min(n) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'region % of account % is given twice', part.r, part.a
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Server "%s" reads it, and so does server "%s".', part.servers[1], part.servers[2]),
				HINT = 'Name each account and each region once.';
	END IF;

	-- a table of accounts, of regions, of foreign tables
	EXECUTE format('CREATE TABLE %I.%I (%s) PARTITION BY LIST (account_id)', schema_name, table_name,
		(SELECT string_agg(format('%I %s', column_name, column_type), ', ') FROM @extschema@.sagemaker_fdw_columns()));
	FOR part IN
		SELECT s, r, a, row_number() OVER (PARTITION BY a ORDER BY n) = 1 AS first,
			table_name || '_' || a AS middle, table_name || '_' || a || '_' || replace(r, '-', '_') AS leaf
		  FROM unnest(part_servers, part_regions, part_accounts) WITH ORDINALITY AS parts(s, r, a, n)
		 ORDER BY n
	LOOP
		IF octet_length(part.leaf) > 63 THEN
			RAISE EXCEPTION 'the name "%" is too long', table_name USING ERRCODE = 'name_too_long',
				DETAIL = format('A partition would be called "%s", which has more than 63 bytes.', part.leaf);
		END IF;
		IF part.first THEN
			EXECUTE format($sql$
				CREATE TABLE %1$I.%2$I PARTITION OF %1$I.%3$I FOR VALUES IN (%4$L)
				PARTITION BY LIST (region)$sql$, schema_name, part.middle, table_name, part.a);
		END IF;
		EXECUTE format($sql$
			CREATE FOREIGN TABLE %1$I.%2$I PARTITION OF %1$I.%3$I FOR VALUES IN (%4$L)
			SERVER %5$I OPTIONS (region %4$L, account_id %6$L)$sql$, schema_name, part.leaf, part.middle, part.r, part.s, part.a);
	END LOOP;
END;
$$;

COMMENT ON FUNCTION @extschema@.sagemaker_fdw_make_partitions(text[], name, text[], text[]) IS
	'does the work of sagemaker_fdw_create_partitioned_table';

CREATE PROCEDURE @extschema@.sagemaker_fdw_create_partitioned_table(table_name text, servers text[], regions text[] DEFAULT NULL)
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM @extschema@.sagemaker_fdw_make_partitions(n.name_parts, n.default_schema, servers, regions)
	   FROM @extschema@.sagemaker_fdw_name(table_name) AS n;
END;
$$;

COMMENT ON PROCEDURE @extschema@.sagemaker_fdw_create_partitioned_table(text, text[], text[]) IS
	'makes one table of the training jobs of several servers and regions';
