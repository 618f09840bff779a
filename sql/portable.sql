/*
 * portable.sql: made from sql/extension/ by "make portable"
 *
 *		What reports over training jobs and prices need, for a database that cannot load sagemaker_fdw: one that is managed,
 *		and gets both tables by logical replication or from a dump.  It goes into the schema that is first on search_path:
 *
 *			psql -d DATABASE -v ON_ERROR_STOP=1 -1 -f portable.sql
 *
 *		Then: CALL sagemaker_fdw_create_cost_views('reports', jobs => 'reports.training_jobs', prices => 'reports.training_prices');
 */

/*
 * cost.sql
 *		The resources that jobs are billed for, according to Describe.
 *
 *		If a job has instance preferences, the selected one is billed.  The price of an hour is not
 *		considered here.
 */

-- Not STRICT, so that it can be inlined, and so that a join with it keeps every job.
CREATE OR REPLACE FUNCTION sagemaker_instance_groups(resource_config jsonb)
RETURNS TABLE (group_name text, instance_type text, instance_count integer)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT part->>'InstanceGroupName',
		   coalesce(part->>'SelectedInstanceType', part->>'InstanceType'),
		   coalesce(part->>'SelectedInstanceCount', part->>'InstanceCount')::integer
	  FROM jsonb_array_elements(
		CASE WHEN jsonb_typeof(resource_config->'InstanceGroups') = 'array'
			  AND resource_config->'InstanceGroups' <> '[]'
			 THEN resource_config->'InstanceGroups'
			 ELSE '[]'::jsonb || coalesce(resource_config, '{}') END) AS part;
END;

COMMENT ON FUNCTION sagemaker_instance_groups(jsonb) IS
	'instance groups of a training job, or one row with a NULL name where it has none: what was selected for it, or what it asked for';

CREATE OR REPLACE FUNCTION sagemaker_billable_instance_seconds(billable_time_in_seconds integer, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN billable_time_in_seconds *
	(SELECT CASE WHEN count(instance_count) = count(*) THEN sum(instance_count) END
	   FROM sagemaker_instance_groups(resource_config));

COMMENT ON FUNCTION sagemaker_billable_instance_seconds(integer, jsonb) IS
	'seconds billed for all instances of a training job together';

CREATE OR REPLACE FUNCTION sagemaker_retained_instance_seconds(warm_pool_status jsonb, resource_config jsonb)
RETURNS bigint
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN sagemaker_billable_instance_seconds(
	(warm_pool_status->>'ResourceRetainedBillableTimeInSeconds')::integer, resource_config);

COMMENT ON FUNCTION sagemaker_retained_instance_seconds(jsonb, jsonb) IS
	'seconds billed for all instances that a training job kept in a warm pool, together';

CREATE OR REPLACE FUNCTION sagemaker_spot_savings_percent(training_time_in_seconds integer, billable_time_in_seconds integer)
RETURNS numeric
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN round((1 - billable_time_in_seconds::numeric / nullif(training_time_in_seconds, 0)) * 100, 2);

COMMENT ON FUNCTION sagemaker_spot_savings_percent(integer, integer) IS
	'percent of the training time that was not billed';
/*
 * cost_views.sql
 *		sagemaker_fdw_create_cost_views: what jobs cost at AWS's prices, as two views.
 *
 *		The procedure and the views need nothing from the extension, so they also work in a database
 *		that only has copies of the two tables: sql/portable.sql contains them, too.
 */

-- How job_charges is computed from jobs (%1$s) and prices (%2$s):
--
--		prices --of each moment--> in force --by region, charge, type and start--+
--		jobs --groups--> parts --charges--> amounts ---------------------------- +--> a row each
--
-- A meter measures one thing in a region: a charge, for an instance type.  Its prices are turned into
-- periods of time that do not overlap, so that a charge falls into at most one of them: with one price,
-- or with several that differ.  A price is in force from its effective date until the same SKU has a
-- later one, or until another price replaced it in the list: from the effective date of that price if
-- it is later, otherwise from when it was first seen.
--
-- Amounts are products of integers and decimals; the division comes last.  A volume is paid per month,
-- and months differ in length: a charge over several months is split by the seconds in each, in integer
-- multiples of 1 / (377580 * 86400) of a month per second, where 377580 = lcm(28, 29, 30, 31).
--
-- The speed depends on the planner's expectations: hence one column to join by rather than three,
-- functions that it considers cheap, and no aggregate per charge.
CREATE OR REPLACE PROCEDURE sagemaker_fdw_create_cost_views(schema text, jobs regclass, prices regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $procedure$
DECLARE
	job_columns CONSTANT text[] := '{training_job_arn, training_job_name, training_job_status, account_id, region, creation_time,
		training_start_time, training_end_time, billable_time_in_seconds, enable_managed_spot_training, resource_config, warm_pool_status, tags}';
	price_columns CONSTANT text[] := '{region, charge, instance_type, usage_type, operation, price, currency, unit, effective_date, sku,
		rate_code, attributes, first_seen_at, withdrawn_at}';
	missing text;
	obstacle record;
BEGIN
	-- check what the views will be based on, and where they will be
	IF schema IS NULL OR jobs IS NULL OR prices IS NULL THEN
		RAISE EXCEPTION 'schema, jobs and prices must not be NULL' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
		RAISE EXCEPTION 'schema "%" does not exist', schema USING ERRCODE = 'invalid_schema_name',
			HINT = format('CREATE SCHEMA %I;', schema);
	END IF;
	IF NOT has_schema_privilege(schema, 'CREATE') THEN
		RAISE EXCEPTION 'permission denied for schema %', schema USING ERRCODE = 'insufficient_privilege',
			HINT = format('GRANT CREATE ON SCHEMA %I TO %I; or let a role that has it make the views.', schema, current_user);
	END IF;
	SELECT string_agg(concat_ws(' ', quote_ident(wanted), type), ', ' ORDER BY n) INTO missing
	  FROM unnest(job_columns,
			'{text, text, NULL, text, text, timestamptz, timestamptz, timestamptz, integer, boolean, jsonb, jsonb, jsonb}'::text[])
			WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = jobs AND attname = wanted AND NOT attisdropped
		AND (type IS NULL OR atttypid = type::regtype));
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION '% is not a table of training jobs', jobs USING ERRCODE = 'undefined_column',
			DETAIL = format('Columns that are missing, or of another type: %s.', missing),
			HINT = 'Name a table that IMPORT FOREIGN SCHEMA, sagemaker_fdw_create_partitioned_table or sagemaker_fdw_refresh made, with these columns, too.';
	END IF;
	SELECT string_agg(concat_ws(' ', quote_ident(wanted), type), ', ' ORDER BY n) INTO missing
	  FROM unnest(price_columns,
			'{text, text, text, text, text, numeric, text, text, timestamptz, text, text, jsonb, timestamptz, timestamptz}'::text[])
			WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = prices AND attname = wanted AND NOT attisdropped
		AND atttypid = type::regtype);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION '% is not a table of prices', prices USING ERRCODE = 'undefined_column',
			DETAIL = format('Columns that are missing, or of another type: %s.', missing),
			HINT = 'Name a table that sagemaker_fdw_refresh_prices keeps.';
	END IF;

	-- the views read both tables with the privileges of their owner
	SELECT string_agg(DISTINCT format('%s', attrelid::regclass), ', ') INTO missing
	  FROM pg_attribute
	 WHERE (attrelid = jobs AND attname = ANY (job_columns) OR attrelid = prices AND attname = ANY (price_columns))
		AND NOT has_column_privilege(attrelid, attnum, 'SELECT');
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'permission denied for %', missing USING ERRCODE = 'insufficient_privilege',
			DETAIL = format('Role "%s" lacks SELECT.', current_user),
			HINT = format('GRANT SELECT ON %s TO %I;', missing, current_user);
	END IF;

	-- check what already has their names
	SELECT format('%I.%I', schema, c.relname) AS name, c.relkind = 'v' AS is_view, pg_get_userbyid(c.relowner) AS owner INTO obstacle
	  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
	 WHERE n.nspname = schema AND c.relname IN ('job_charges', 'job_costs') AND (c.relkind <> 'v' OR NOT pg_has_role(c.relowner, 'USAGE'))
	 ORDER BY c.relname LIMIT 1;
	IF FOUND AND NOT obstacle.is_view THEN
		RAISE EXCEPTION '% is not a view', obstacle.name USING ERRCODE = 'wrong_object_type',
			HINT = 'Rename it, or name another schema.';
	ELSIF FOUND THEN
		RAISE EXCEPTION 'view % belongs to role "%"', obstacle.name, obstacle.owner USING ERRCODE = 'insufficient_privilege',
			HINT = format('Let that role call, or have it run: DROP VIEW IF EXISTS %1$I.job_costs, %1$I.job_charges;', schema);
	END IF;

	BEGIN
		-- a row for each job, instance group and charge
		EXECUTE format($view$
CREATE OR REPLACE VIEW %3$I.job_charges AS
WITH rate AS (
	SELECT region || '/' || charge || '/' || coalesce(instance_type, '') AS meter, region, charge, instance_type, effective_date,
		first_seen_at, coalesce(withdrawn_at, 'infinity') AS withdrawn_at, price, currency, unit, usage_type, operation, sku, rate_code,
		attributes->>'storage' AS storage
	  FROM %2$s
), listed AS (
	SELECT l.*, min(effective_date) OVER same AS begun_at, bool_or(withdrawn_at < 'infinity') OVER same AS has_changed
	  FROM (SELECT rate.meter, NULL AS borrowed, effective_date, first_seen_at, withdrawn_at, price, currency,
				unit, usage_type, operation, sku, rate_code FROM rate
			UNION ALL
			-- a charge without its own rate borrows one
			SELECT wanted.meter, rate.charge || ' rate', effective_date, first_seen_at, withdrawn_at, price, currency,
				unit, usage_type, operation, sku, rate_code
			  FROM rate
			  JOIN (VALUES ('spot', 'training'), ('warm pool', 'training'), ('warm pool storage', 'storage')) AS b(charge, lender)
				ON b.lender = rate.charge
			 CROSS JOIN LATERAL (SELECT rate.region || '/' || b.charge || '/' || coalesce(rate.instance_type, '') AS meter) AS wanted
			 WHERE NOT EXISTS (SELECT FROM rate AS own WHERE own.meter = wanted.meter)) AS l
	WINDOW same AS (PARTITION BY meter)
), moments AS (
	SELECT meter, at AS valid_from, lead(at, 1, 'infinity') OVER same AS valid_until, at = begun_at AS is_first
	  FROM (SELECT meter, begun_at, effective_date AS at FROM listed
			UNION
			SELECT meter, begun_at, first_seen_at FROM listed WHERE has_changed AND first_seen_at > begun_at
			UNION
			SELECT meter, begun_at, withdrawn_at FROM listed WHERE withdrawn_at > begun_at AND withdrawn_at < 'infinity') AS m
	WINDOW same AS (PARTITION BY meter ORDER BY at)
), begun AS (
	SELECT l.*, m.valid_from, m.valid_until, m.is_first,
		-- a withdrawn price counts only if nothing else was listed at the time
		rank() OVER (PARTITION BY meter, m.valid_from
			ORDER BY CASE WHEN l.withdrawn_at <= m.valid_from THEN l.withdrawn_at ELSE 'infinity' END DESC) = 1 AS counts
	  FROM moments AS m
	  JOIN listed AS l USING (meter)
	 WHERE l.effective_date <= m.valid_from
), in_force AS (
	SELECT DISTINCT ON (meter, valid_from)
		meter, CASE WHEN is_first THEN '-infinity' ELSE valid_from END AS valid_from, valid_until, begun_at,
		min(price) OVER same <> max(price) OVER same OR min(currency) OVER same <> max(currency) OVER same AS ambiguous,
		borrowed, effective_date, price, currency, unit, usage_type, operation, sku, rate_code
	  FROM begun AS l
	 WHERE counts AND NOT EXISTS (
			-- a later price has replaced it, or it will replace one that has not been withdrawn yet
			SELECT FROM begun AS other
			 WHERE other.meter = l.meter AND other.valid_from = l.valid_from AND other.counts
				AND (other.effective_date > l.effective_date AND (other.sku = l.sku OR other.first_seen_at >= l.withdrawn_at)
					OR other.effective_date >= l.effective_date AND other.withdrawn_at <= l.first_seen_at
						AND l.valid_from < l.first_seen_at))
	WINDOW same AS (PARTITION BY meter, valid_from)
	 ORDER BY meter, valid_from, effective_date DESC, rate_code
), with_disks AS (
	-- a type whose price says that it has its own disks gets no volume
	SELECT region, instance_type FROM rate WHERE instance_type IS NOT NULL GROUP BY 1, 2 HAVING bool_or(storage !~* '^EBS')
), job AS (
	SELECT j.training_job_arn, j.training_job_name, j.creation_time, j.training_job_status::text AS status, j.account_id, j.region, j.tags,
		j.training_start_time AS start_at,
		coalesce(j.training_end_time, j.training_start_time + make_interval(secs => j.billable_time_in_seconds)) AS end_at,
		coalesce(j.training_start_time, j.creation_time) AS priced_at,
		CASE WHEN j.training_job_status::text IN ('InProgress', 'Stopping') THEN true
			 WHEN j.training_job_status::text IN ('Completed', 'Failed', 'Stopped', 'Deleting') THEN false
			 ELSE j.training_end_time IS NULL END AS running,
		coalesce(j.enable_managed_spot_training, false) AS spot,
		j.billable_time_in_seconds AS billable_s,
		j.resource_config AS config,
		(j.resource_config->>'VolumeSizeInGB')::numeric AS volume_gb,
		coalesce(j.warm_pool_status->>'Status' IN ('Available', 'InUse'), false) AS pool_open,
		(j.warm_pool_status->>'ResourceRetainedBillableTimeInSeconds')::numeric AS retained_s
	  FROM %1$s AS j
), part AS (
	SELECT job.*, groups.group_name, groups.type,
		groups.count,
		-- a plan is in the configuration, or in the selected preference
		job.config->>'TrainingPlanArn' IS NOT NULL AS has_plan,
		job.config @? ('$.InstancePreferences[*] ? (@.InstanceType == $.SelectedInstanceType && (!exists(@.InstanceCount)'
			' || @.InstanceCount == $.SelectedInstanceCount) && exists(@.TrainingPlanArns[*] ? (@ != null)))')::jsonpath AS preferred_with_plan,
		job.config @? ('$.InstancePreferences[*] ? (@.InstanceType == $.SelectedInstanceType && (!exists(@.InstanceCount)'
			' || @.InstanceCount == $.SelectedInstanceCount) && !exists(@.TrainingPlanArns[*] ? (@ != null)))')::jsonpath AS preferred_without,
		job.start_at IS NULL AND NOT job.running AS never_started,
		groups.type IS NULL AND job.config ? 'InstancePreferences' AS not_selected
	  FROM job
	 CROSS JOIN LATERAL (
			SELECT g->>'InstanceGroupName' AS group_name,
				coalesce(g->>'SelectedInstanceType', g->>'InstanceType') AS type,
				coalesce(g->>'SelectedInstanceCount', g->>'InstanceCount')::numeric AS count
			  FROM jsonb_array_elements(
				CASE WHEN jsonb_typeof(job.config->'InstanceGroups') = 'array' AND job.config->'InstanceGroups' <> '[]'
					 THEN job.config->'InstanceGroups'
					 ELSE '[]'::jsonb || coalesce(job.config, '{}') END) AS g
			 -- always true; without it the planner would expect a hundred rows
			 WHERE jsonb_typeof(g) = 'object') AS groups
), charge AS (
	SELECT part.*, c.is_storage, c.is_pool,
		CASE WHEN part.spot AND c.charge = 'training' THEN 'spot' ELSE c.charge END AS charge,
		CASE WHEN c.is_pool THEN part.retained_s WHEN part.never_started THEN 0 ELSE part.billable_s END AS seconds,
		CASE WHEN c.is_pool THEN part.end_at ELSE part.start_at END AS from_at,
		CASE WHEN c.is_pool THEN part.end_at + make_interval(secs => part.retained_s::double precision) ELSE part.end_at END AS to_at
	  FROM part
	 CROSS JOIN (VALUES ('training', false, false), ('storage', true, false), ('warm pool', false, true), ('warm pool storage', true, true))
		AS c(charge, is_storage, is_pool)
	 WHERE (NOT c.is_storage OR part.volume_gb > 0) AND (NOT c.is_pool OR part.pool_open OR part.retained_s > 0)
), priced AS (
	SELECT charge.*, f.price, f.ambiguous, f.currency, f.effective_date, f.usage_type, f.operation, f.sku, f.rate_code,
		coalesce(f.unit, CASE WHEN is_storage THEN 'GB-Mo' ELSE 'Hrs' END) AS unit,
		coalesce(f.borrowed, CASE WHEN priced_at < f.begun_at THEN 'earliest known' ELSE 'in force' END) AS basis,
		-- the amount, to be divided by the divisor: in hours, or in months by the length of each
		CASE WHEN NOT is_storage THEN seconds * count
			 WHEN until_month <= since_month THEN volume_gb * count * seconds
			 ELSE volume_gb * count * seconds *
				(((extract(year FROM until_month) - extract(year FROM since_month)) * 12
				  + extract(month FROM until_month) - extract(month FROM since_month)) * 377580 * 86400
				 + extract(epoch FROM until - until_month) * (377580 / extract(day FROM until_month + interval '1 month - 1 day'))
				 - extract(epoch FROM since - since_month) * (377580 / extract(day FROM since_month + interval '1 month - 1 day')))
			 END AS amount,
		CASE WHEN NOT is_storage THEN 3600
			 WHEN until_month <= since_month THEN extract(day FROM since_month + interval '1 month - 1 day') * 86400
			 ELSE extract(epoch FROM until - since) * 377580 * 86400 END AS divisor
	  FROM charge
	  LEFT JOIN in_force AS f ON f.meter = charge.region || '/' || charge.charge || '/' || CASE WHEN is_storage THEN '' ELSE charge.type END
		AND priced_at >= f.valid_from AND priced_at < f.valid_until
	  LEFT JOIN with_disks AS disks ON is_storage AND disks.region = charge.region AND disks.instance_type = charge.type
	 CROSS JOIN LATERAL (SELECT from_at AT TIME ZONE 'UTC' AS since, to_at AT TIME ZONE 'UTC' AS until) AS utc
	 CROSS JOIN LATERAL (SELECT date_trunc('month', since) AS since_month, date_trunc('month', until) AS until_month) AS months
	 WHERE disks.instance_type IS NULL
), reasoned AS (
	SELECT priced.*,
		CASE WHEN config IS NULL THEN 'serverless'
			 WHEN never_started AND NOT is_pool THEN NULL
			 WHEN not_selected THEN 'not selected yet'
			 WHEN running THEN 'running'
			 WHEN is_pool AND pool_open THEN 'warm pool open'
			 WHEN seconds IS NULL THEN 'billable time not known'
			 WHEN NOT is_storage AND (has_plan OR preferred_with_plan AND NOT preferred_without) THEN 'prepaid'
			 WHEN seconds = 0 THEN NULL
			 WHEN NOT is_storage AND preferred_with_plan THEN 'plan not known'
			 WHEN ambiguous THEN 'ambiguous price'
			 WHEN price IS NULL OR count IS NULL THEN 'no price' END AS reason,
		CASE WHEN ambiguous THEN NULL ELSE price END AS unit_price,
		CASE WHEN seconds = 0 THEN 0 ELSE amount / divisor END AS quantity,
		CASE WHEN seconds = 0 THEN 0 WHEN NOT ambiguous THEN amount * price / divisor END AS cost
	  FROM priced
)
SELECT training_job_arn AS resource_id,
	account_id AS sub_account_id,
	region AS region_id,
	training_job_name,
	status AS training_job_status,
	group_name,
	charge,
	type AS instance_type,
	CASE WHEN NOT ambiguous THEN usage_type END AS usage_type,
	CASE WHEN NOT ambiguous THEN operation END AS operation,
	CASE WHEN NOT ambiguous THEN sku END AS sku_id,
	CASE WHEN NOT ambiguous THEN rate_code END AS sku_price_id,
	CASE WHEN reason IN ('serverless', 'not selected yet', 'running', 'warm pool open') THEN NULL ELSE quantity END AS pricing_quantity,
	unit AS pricing_unit,
	unit_price AS list_unit_price,
	CASE WHEN reason = 'prepaid' THEN 0 WHEN reason IS NULL THEN cost END AS list_cost,
	CASE WHEN reason = 'prepaid' THEN cost END AS prepaid_list_cost,
	CASE WHEN NOT ambiguous THEN currency END AS billing_currency,
	from_at AS charge_period_start,
	CASE WHEN reason IN ('running', 'warm pool open') THEN NULL ELSE to_at END AS charge_period_end,
	CASE WHEN NOT ambiguous THEN effective_date END AS price_effective_date,
	CASE WHEN NOT ambiguous THEN basis END AS price_basis,
	reason,
	tags,
	creation_time
  FROM reasoned$view$, jobs, prices, schema);

		-- a row for each job
		EXECUTE format($view$
CREATE OR REPLACE VIEW %1$I.job_costs AS
SELECT resource_id,
	sub_account_id,
	region_id,
	training_job_name,
	training_job_status,
	-- add up only amounts in one currency
	CASE WHEN min(billing_currency) = max(billing_currency) THEN min(billing_currency) END AS billing_currency,
	CASE WHEN min(billing_currency) IS NOT DISTINCT FROM max(billing_currency) THEN sum(list_cost) END AS list_cost,
	CASE WHEN min(billing_currency) IS NOT DISTINCT FROM max(billing_currency) THEN sum(list_cost) FILTER (WHERE charge IN ('training', 'spot')) END AS training_list_cost,
	CASE WHEN min(billing_currency) IS NOT DISTINCT FROM max(billing_currency) THEN sum(list_cost) FILTER (WHERE charge = 'warm pool') END AS warm_pool_list_cost,
	CASE WHEN min(billing_currency) IS NOT DISTINCT FROM max(billing_currency) THEN sum(list_cost) FILTER (WHERE charge IN ('storage', 'warm pool storage')) END AS storage_list_cost,
	CASE WHEN min(billing_currency) IS NOT DISTINCT FROM max(billing_currency) THEN sum(prepaid_list_cost) END AS prepaid_list_cost,
	count(*) AS charges,
	count(*) FILTER (WHERE list_cost IS NULL) AS unpriced_charges,
	array_agg(DISTINCT reason ORDER BY reason) FILTER (WHERE reason IS NOT NULL) AS reasons,
	min(charge_period_start) AS charge_period_start,
	max(charge_period_end) AS charge_period_end,
	tags,
	creation_time
  FROM %1$I.job_charges
 -- a name, and therefore an ARN, can be reused
 GROUP BY resource_id, creation_time, sub_account_id, region_id, training_job_name, training_job_status, tags$view$, schema);
	EXCEPTION WHEN invalid_table_definition THEN
		-- a view can only be replaced by one with the same columns
		RAISE EXCEPTION 'views in schema "%" have other columns', schema USING ERRCODE = 'invalid_table_definition',
			DETAIL = format('%s.', SQLERRM),
			HINT = format('DROP VIEW IF EXISTS %1$I.job_costs, %1$I.job_charges; and call again. Grants on them are lost.', schema);
	END;
END;
$procedure$;

COMMENT ON PROCEDURE sagemaker_fdw_create_cost_views(text, regclass, regclass) IS
	'makes the views job_charges and job_costs of a table of training jobs and a table of prices';
