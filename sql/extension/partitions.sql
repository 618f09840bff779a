/*
 * partitions.sql
 *		Several accounts and regions as one table: sagemaker_fdw_create_partitioned_table.
 */

-- Raise 42809 or 42501 where partitions are not to be added to a table: it must be one of accounts, and
-- belong to the role or to one whose rights it has, a superuser's to a superuser.
CREATE FUNCTION sagemaker_fdw_internal.check_partitioned(existing regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner record;
BEGIN
	IF (SELECT relkind <> 'p' OR pg_get_partkeydef(oid) <> 'LIST (account_id)' FROM pg_class WHERE oid = existing) THEN
		RAISE EXCEPTION '% exists, and is not a table of accounts and regions', existing USING ERRCODE = 'wrong_object_type',
			DETAIL = 'Servers and regions are added only to a table that sagemaker_fdw_create_partitioned_table has made: one PARTITION BY LIST (account_id).',
			HINT = 'Give the name of such a table, or of one that is to be made.';
	END IF;
	SELECT r.oid, r.rolname, r.rolsuper INTO owner FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE c.oid = existing;
	IF NOT (CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN owner.rolsuper
			ELSE pg_has_role(owner.oid, 'USAGE') END) THEN
		RAISE EXCEPTION 'table % belongs to role "%"', existing, owner.rolname USING ERRCODE = 'insufficient_privilege',
			DETAIL = 'Only its owner may add partitions.',
			HINT = format('Let "%s" call this, or give the name of a table that is to be made.', owner.rolname);
	END IF;
END;
$$;

-- The partition of a table that has exactly this value; NULL when there is none.
CREATE FUNCTION sagemaker_fdw_internal.partition_of(parent regclass, value text)
RETURNS regclass
LANGUAGE SQL STABLE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.oid::regclass FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
	WHERE i.inhparent = parent AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%L)', value));

CREATE FUNCTION sagemaker_fdw_internal.make_partitions(name_parts text[], existing regclass, default_schema name,
	servers text[], regions text[])
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE COST 40000;

CREATE FUNCTION sagemaker_fdw_internal.make_partitions_body(name_parts text[], existing regclass, default_schema name,
	servers text[], regions text[])
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
	middle regclass;
	added integer := 0;
BEGIN
	-- partitions are in the same schema as their table, wherever search_path has found that
	IF existing IS NOT NULL THEN
		PERFORM sagemaker_fdw_internal.check_partitioned(existing);
		SELECT ARRAY[nspname, relname] INTO name_parts
		  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = existing;
	END IF;
	SELECT n.schema_name, n.table_name INTO schema_name, table_name
	  FROM sagemaker_fdw_internal.new_table(name_parts, default_schema) AS n;
	IF coalesce(cardinality(servers), 0) = 0 OR array_position(servers, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'no server is given' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Name one server for each AWS account: servers => ARRAY[''prod'', ''research''].';
	END IF;
	IF cardinality(regions) = 0 OR array_position(regions, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'no region is given' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Name AWS regions: regions => ARRAY[''us-east-1'', ''eu-west-1'']; if they are omitted, each server''s own region is read.';
	END IF;

	-- the regions that each server reads, and its account
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

	-- if two servers read the same account and region, each of its jobs would occur twice
	SELECT a, r, array_agg(s ORDER BY n) AS servers INTO part
	  FROM unnest(part_servers, part_regions, part_accounts) WITH ORDINALITY AS parts(s, r, a, n)
	 GROUP BY a, r HAVING count(*) > 1 ORDER BY min(n) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'region % of account % is given twice', part.r, part.a
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Server "%s" reads it, and so does server "%s".', part.servers[1], part.servers[2]),
				HINT = 'Name each account and each region once.';
	END IF;

	-- a table partitioned by account, then by region, into foreign tables
	IF existing IS NULL THEN
		EXECUTE format('CREATE TABLE %I.%I (%s) PARTITION BY LIST (account_id)', schema_name, table_name,
			(SELECT string_agg(format('%I %s', column_name, column_type), ', ') FROM @extschema@.sagemaker_fdw_columns()));
	ELSE
		-- what is missing is missing until it is added; name and owner may have changed while AWS was asked
		PERFORM sagemaker_fdw_internal.lock_table(existing);
		PERFORM sagemaker_fdw_internal.check_partitioned(existing);
		SELECT nspname, relname INTO schema_name, table_name
		  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = existing;
	END IF;
	FOR part IN
		SELECT s, r, a, table_name || '_' || a AS middle, table_name || '_' || a || '_' || replace(r, '-', '_') AS leaf
		  FROM unnest(part_servers, part_regions, part_accounts) WITH ORDINALITY AS parts(s, r, a, n)
		 ORDER BY n
	LOOP
		-- the account
		middle := sagemaker_fdw_internal.partition_of(
			coalesce(existing, format('%I.%I', schema_name, table_name)::regclass), part.a);
		IF middle IS NOT NULL THEN
			PERFORM sagemaker_fdw_internal.lock_table(middle);
		ELSE
			EXECUTE format($sql$
				CREATE TABLE %1$I.%2$I PARTITION OF %1$I.%3$I FOR VALUES IN (%4$L)
				PARTITION BY LIST (region)$sql$, schema_name, part.middle, table_name, part.a);
			middle := format('%I.%I', schema_name, part.middle)::regclass;
		END IF;

		-- the region, unless the table already has it
		server := (SELECT srvname FROM pg_foreign_table JOIN pg_foreign_server AS s ON s.oid = ftserver
			WHERE ftrelid = sagemaker_fdw_internal.partition_of(middle, part.r));
		IF server <> part.s THEN
			RAISE EXCEPTION 'region % of account % is given twice', part.r, part.a
				USING ERRCODE = 'invalid_parameter_value',
					DETAIL = format('In table %s server "%s" reads it, and so would server "%s".', existing, server, part.s),
					HINT = 'Name each account and each region once.';
		END IF;
		CONTINUE WHEN server IS NOT NULL;
		IF octet_length(part.leaf) > 63 THEN
			RAISE EXCEPTION 'the name "%" is too long', table_name USING ERRCODE = 'name_too_long',
				DETAIL = format('A partition would be called "%s", which has more than 63 bytes.', part.leaf);
		END IF;
		EXECUTE format($sql$
			CREATE FOREIGN TABLE %1$I.%2$I PARTITION OF %3$s FOR VALUES IN (%4$L)
			SERVER %5$I OPTIONS (region %4$L, account_id %6$L)$sql$, schema_name, part.leaf, middle, part.r, part.s, part.a);
		added := added + 1;
	END LOOP;
	IF existing IS NOT NULL THEN
		RAISE NOTICE '%: % added, % of those named there already', existing,
			CASE added WHEN 1 THEN '1 partition' ELSE added || ' partitions' END, cardinality(part_servers) - added;
	END IF;
END;
$$;

COMMENT ON FUNCTION sagemaker_fdw_internal.make_partitions(text[], regclass, name, text[], text[]) IS
	'does the work of sagemaker_fdw_create_partitioned_table';

CREATE PROCEDURE @extschema@.sagemaker_fdw_create_partitioned_table(table_name text, servers text[], regions text[] DEFAULT NULL)
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM sagemaker_fdw_internal.make_partitions(n.name_parts, n.existing, n.default_schema, servers, regions)
	   FROM sagemaker_fdw_internal.resolve_name(table_name) AS n;
END;
$$;

COMMENT ON PROCEDURE @extschema@.sagemaker_fdw_create_partitioned_table(text, text[], text[]) IS
	'makes one table of the training jobs of several servers and regions, or adds what it lacks of them';
