/*
 * prices.sql
 *		AWS's prices: its price list as rows, and sagemaker_fdw_refresh_prices, which keeps them in a
 *		table.
 */

-- Not STRICT, because returning no rows would look as if there were no prices.  About 40 pages per
-- region, with one call each.
CREATE FUNCTION @extschema@.sagemaker_training_prices(server name, regions text[] DEFAULT NULL,
	OUT region text, OUT charge text, OUT instance_type text, OUT usage_type text, OUT operation text,
	OUT price numeric, OUT currency text, OUT unit text, OUT effective_date timestamptz, OUT sku text,
	OUT rate_code text, OUT description text, OUT attributes jsonb)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1600000 ROWS 1000;

REVOKE EXECUTE ON FUNCTION @extschema@.sagemaker_training_prices(name, text[]) FROM PUBLIC;

COMMENT ON FUNCTION @extschema@.sagemaker_training_prices(name, text[]) IS
	'what AWS charges for training jobs now, by its price list: a row for each rate';

-- Make a table for prices, where nobody else has made it meanwhile.
CREATE FUNCTION sagemaker_fdw_internal.make_price_table(name_parts text[], default_schema name)
RETURNS regclass
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name text;
	table_name text;
	target regclass;
BEGIN
	SELECT n.schema_name, n.table_name, n.existing INTO schema_name, table_name, target
	  FROM sagemaker_fdw_internal.claim_table(name_parts, default_schema) AS n;
	IF target IS NOT NULL THEN
		RETURN target;
	END IF;
	EXECUTE format($sql$
		CREATE TABLE %I.%I (
			region text NOT NULL,
			charge text NOT NULL,
			instance_type text,
			usage_type text,
			operation text,
			price numeric NOT NULL,
			currency text NOT NULL,
			unit text,
			effective_date timestamptz NOT NULL,
			sku text NOT NULL,
			rate_code text NOT NULL,
			description text,
			attributes jsonb,
			first_seen_at timestamptz NOT NULL,
			last_seen_at timestamptz,
			withdrawn_at timestamptz,
			PRIMARY KEY (rate_code, effective_date, price, currency)
		)$sql$, schema_name, table_name);
	target := to_regclass(format('%I.%I', schema_name, table_name));
	EXECUTE format('CREATE INDEX ON %s (region, instance_type)', target);
	EXECUTE format($sql$COMMENT ON TABLE %s IS 'AWS''s prices of training jobs, now and before, kept by sagemaker_fdw_refresh_prices'$sql$, target);
	EXECUTE format($sql$COMMENT ON COLUMN %s.effective_date IS 'when AWS says that the price began'$sql$, target);
	EXECUTE format($sql$COMMENT ON COLUMN %s.first_seen_at IS 'when a refresh found it first'$sql$, target);
	EXECUTE format($sql$COMMENT ON COLUMN %s.last_seen_at IS 'when a refresh found it last'$sql$, target);
	EXECUTE format($sql$COMMENT ON COLUMN %s.withdrawn_at IS 'when a refresh found that the price list no longer has it; NULL while it does'$sql$, target);
	RETURN target;
END;
$$;

-- Raise 42809 or 42703 where a table that is there is not one for prices.
CREATE FUNCTION sagemaker_fdw_internal.check_price_table(target regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = target AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
			AND indnkeyatts = 4 AND (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute
				WHERE attrelid = target AND attnum = ANY (indkey)) = '{currency, effective_date, price, rate_code}'::name[])
		OR (SELECT relkind <> 'r' OR relpersistence <> 'p' FROM pg_class WHERE oid = target) THEN
		RAISE EXCEPTION 'target % is not a table of prices', target USING ERRCODE = 'wrong_object_type',
			DETAIL = 'It is not a plain, permanent table with the primary key (rate_code, effective_date, price, currency).',
			HINT = 'Name a table that does not exist yet: it is created.';
	END IF;
	SELECT string_agg(format('%I %s', wanted, type), ', ' ORDER BY n) INTO missing
	  FROM unnest('{region, charge, instance_type, usage_type, operation, price, currency, unit, effective_date, sku,
				rate_code, description, attributes, first_seen_at, last_seen_at, withdrawn_at}'::text[],
			'{text, text, text, text, text, numeric, text, text, timestamptz, text, text, text, jsonb, timestamptz,
				timestamptz, timestamptz}'::text[]) WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = target AND attname = wanted AND NOT attisdropped
		AND atttypid = type::regtype);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'target % is not a table of prices', target USING ERRCODE = 'undefined_column',
			DETAIL = format('Columns that are missing, or of another type: %s.', missing),
			HINT = 'Name a table that does not exist yet: it is created.';
	END IF;
END;
$$;

CREATE FUNCTION sagemaker_fdw_internal.keep_prices(name_parts text[], existing regclass, default_schema name, server name,
	regions text[], any_owner boolean)
RETURNS void
AS 'MODULE_PATHNAME', 'sagemaker_fdw_call'
LANGUAGE C VOLATILE COST 1600000;

CREATE FUNCTION sagemaker_fdw_internal.keep_prices_body(name_parts text[], existing regclass, default_schema name, server name,
	regions text[], any_owner boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target regclass := existing;
	calls bigint := @extschema@.sagemaker_fdw_session_calls();
	kept record;
BEGIN
	IF name_parts IS NULL OR server IS NULL OR any_owner IS NULL THEN
		RAISE EXCEPTION 'target, server and any_owner must not be NULL' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF target IS NULL THEN
		target := sagemaker_fdw_internal.make_price_table(name_parts, default_schema);
	END IF;
	-- two at once would each find the other's prices new; whose the table is counts when it is locked
	PERFORM sagemaker_fdw_internal.refresh_check_target(target, any_owner);
	PERFORM sagemaker_fdw_internal.lock_table(target);
	PERFORM sagemaker_fdw_internal.refresh_check_target(target, any_owner);
	PERFORM sagemaker_fdw_internal.check_price_table(target);

	-- prices listed but not in the table are new; prices in the table but no longer listed, in a region
	-- that is listed, were withdrawn
	EXECUTE format($sql$
		WITH listed AS MATERIALIZED (
			SELECT DISTINCT ON (rate_code, effective_date, price, currency) *
			  FROM @extschema@.sagemaker_training_prices($1, $2)
			 ORDER BY rate_code, effective_date, price, currency, region
		), known AS (
			-- in the state before this statement
			SELECT t.rate_code IS NULL AS is_new, t.withdrawn_at IS NOT NULL AS is_back
			  FROM listed LEFT JOIN %1$s AS t USING (rate_code, effective_date, price, currency)
		), written AS (
			INSERT INTO %1$s AS t (region, charge, instance_type, usage_type, operation, price, currency, unit, effective_date,
				sku, rate_code, description, attributes, first_seen_at, last_seen_at)
			SELECT region, charge, instance_type, usage_type, operation, price, currency, unit, effective_date,
				sku, rate_code, description, attributes, statement_timestamp(), statement_timestamp() FROM listed
			ON CONFLICT (rate_code, effective_date, price, currency)
			   DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at, withdrawn_at = NULL
		), withdrawn AS (
			UPDATE %1$s AS t SET withdrawn_at = statement_timestamp()
			 WHERE t.withdrawn_at IS NULL AND t.region IN (SELECT region FROM listed)
				AND (t.rate_code, t.effective_date, t.price, t.currency) NOT IN
					(SELECT rate_code, effective_date, price, currency FROM listed)
			RETURNING 1
		)
		SELECT (SELECT count(DISTINCT region) FROM listed) AS regions,
			(SELECT count(*) FROM known WHERE is_new OR is_back) AS new,
			(SELECT count(*) FROM known WHERE NOT is_new AND NOT is_back) AS unchanged,
			(SELECT count(*) FROM withdrawn) AS withdrawn$sql$, target)
	   INTO kept USING server, regions;
	calls := @extschema@.sagemaker_fdw_session_calls() - calls;
	RAISE NOTICE 'prices in %: % new, % withdrawn, % unchanged, of %; %', target, kept.new, kept.withdrawn, kept.unchanged,
		CASE kept.regions WHEN 1 THEN '1 region' ELSE kept.regions || ' regions' END,
		CASE calls WHEN 1 THEN '1 call' ELSE calls || ' calls' END;
END;
$$;

CREATE PROCEDURE @extschema@.sagemaker_fdw_refresh_prices(target text, server name, regions text[] DEFAULT NULL,
	any_owner boolean DEFAULT false)
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM sagemaker_fdw_internal.keep_prices(n.name_parts, n.existing, n.default_schema, server, regions, any_owner)
	   FROM sagemaker_fdw_internal.resolve_name(target) AS n;
END;
$$;

REVOKE EXECUTE ON PROCEDURE @extschema@.sagemaker_fdw_refresh_prices(text, name, text[], boolean) FROM PUBLIC;

COMMENT ON PROCEDURE @extschema@.sagemaker_fdw_refresh_prices(text, name, text[], boolean) IS
	'adds to a table what AWS charges for training jobs now, and keeps what it charged before';
