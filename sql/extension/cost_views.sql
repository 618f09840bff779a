/*
 * cost_views.sql
 *		sagemaker_fdw_create_cost_views: what jobs cost by AWS's prices, as two views.
 *
 *		Procedure and views need nothing of the extension, so that they stand in a database that a copy of the two
 *		tables has come to: sql/portable.sql has them, too.
 */

-- How job_charges is made of jobs (%1$s) and prices (%2$s):
--
--		prices --of each moment--> in force --by region, charge, type and start--+
--		jobs --groups--> parts --charges--> amounts --------------------------- +--> a row each
--
-- A price is in force from its effective date until the same SKU has a later one, or until a rate came that took
-- the place of one that was withdrawn.  Prices become stretches of time that do not overlap, so that a charge
-- meets one of them at most: with a price, or with several that differ.
--
-- Amounts are products of whole numbers and decimals; the division comes last.  A volume is paid by the month, and
-- months differ in length: of a charge that lies in several, each has the part of its seconds that its time has,
-- as a fraction with 377580 = lcm(28, 29, 30, 31) times the length of the charge below it.
CREATE PROCEDURE @extschema@.sagemaker_fdw_create_cost_views(schema text, jobs regclass, prices regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $procedure$
DECLARE
	missing text;
BEGIN
	-- what the views are to be made of, and where
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
	SELECT string_agg(format('%I %s', wanted, type), ', ' ORDER BY n) INTO missing
	  FROM unnest('{training_job_arn, training_job_name, training_job_status, account_id, region, creation_time, training_start_time,
				training_end_time, billable_time_in_seconds, enable_managed_spot_training, resource_config, warm_pool_status, tags}'::text[],
			'{text, text, NULL, text, text, timestamptz, timestamptz, timestamptz, integer, boolean, jsonb, jsonb, jsonb}'::text[])
			WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = jobs AND attname = wanted AND NOT attisdropped
		AND (type IS NULL OR atttypid = type::regtype));
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION '% is not a table of training jobs', jobs USING ERRCODE = 'undefined_column',
			DETAIL = format('Columns that are missing, or of another type: %s.', missing),
			HINT = 'Name a table that IMPORT FOREIGN SCHEMA, sagemaker_fdw_create_partitioned_table or sagemaker_fdw_refresh made.';
	END IF;
	SELECT string_agg(format('%I %s', wanted, type), ', ' ORDER BY n) INTO missing
	  FROM unnest('{region, charge, instance_type, usage_type, operation, price, currency, unit, effective_date, sku, rate_code,
				attributes, first_seen_at, withdrawn_at}'::text[],
			'{text, text, text, text, text, numeric, text, text, timestamptz, text, text, jsonb, timestamptz, timestamptz}'::text[])
			WITH ORDINALITY AS c(wanted, type, n)
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = prices AND attname = wanted AND NOT attisdropped
		AND atttypid = type::regtype);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION '% is not a table of prices', prices USING ERRCODE = 'undefined_column',
			DETAIL = format('Columns that are missing, or of another type: %s.', missing),
			HINT = 'Name a table that sagemaker_fdw_refresh_prices keeps.';
	END IF;

	-- a row for each job, instance group and charge
	EXECUTE format($view$
CREATE OR REPLACE VIEW %3$I.job_charges AS
WITH listed AS (
	SELECT region, charge, coalesce(instance_type, '') AS type, effective_date, first_seen_at,
		coalesce(withdrawn_at, 'infinity') AS withdrawn_at, price, currency, unit, usage_type, operation, sku, rate_code,
		-- a type whose price says that it has disks of its own gets no volume
		coalesce(attributes->>'storage' !~* '^EBS', false) AS has_disks
	  FROM %2$s
), moments AS (
	SELECT region, charge, type, at AS valid_from,
		lead(at, 1, 'infinity') OVER same AS valid_until,
		row_number() OVER same = 1 AS is_first
	  FROM (SELECT region, charge, type, effective_date AS at FROM listed
			UNION
			SELECT region, charge, type, first_seen_at FROM listed) AS m
	WINDOW same AS (PARTITION BY region, charge, type ORDER BY at)
), in_force AS (
	SELECT DISTINCT ON (m.region, m.charge, m.type, m.valid_from)
		m.region, m.charge, m.type, CASE WHEN m.is_first THEN '-infinity' ELSE m.valid_from END AS valid_from, m.valid_until,
		m.is_first, m.valid_from AS known_from,
		min(l.price) OVER same <> max(l.price) OVER same OR min(l.currency) OVER same <> max(l.currency) OVER same AS ambiguous,
		l.effective_date, l.price, l.currency, l.unit, l.usage_type, l.operation, l.sku, l.rate_code, l.has_disks
	  FROM moments AS m
	  JOIN listed AS l ON l.region = m.region AND l.charge = m.charge AND l.type = m.type AND l.effective_date <= m.valid_from
	 WHERE NOT EXISTS (
			SELECT FROM listed AS later
			 WHERE later.region = l.region AND later.charge = l.charge AND later.type = l.type
				AND later.effective_date <= m.valid_from
				AND (later.sku = l.sku OR later.first_seen_at >= l.withdrawn_at)
				AND (later.effective_date > l.effective_date
					OR later.effective_date = l.effective_date AND later.first_seen_at >= l.withdrawn_at
						AND later.first_seen_at <= m.valid_from))
	WINDOW same AS (PARTITION BY m.region, m.charge, m.type, m.valid_from)
	 ORDER BY m.region, m.charge, m.type, m.valid_from, l.effective_date DESC, l.rate_code
), job AS (
	SELECT j.training_job_arn, j.training_job_name, j.creation_time, j.training_job_status::text AS status, j.account_id, j.region, j.tags,
		j.training_start_time AS start_at,
		coalesce(j.training_end_time, j.training_start_time + make_interval(secs => j.billable_time_in_seconds)) AS end_at,
		coalesce(j.training_start_time, j.creation_time) AS priced_at,
		coalesce(j.training_job_status::text IN ('InProgress', 'Stopping'), j.training_end_time IS NULL) AS running,
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
		plan.prepaid, plan.unknown AS plan_unknown,
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
					 ELSE '[]'::jsonb || coalesce(job.config, '{}') END) AS g) AS groups
	 CROSS JOIN LATERAL (
			-- a plan stands in the configuration, or in the preference that was selected
			SELECT job.config->>'TrainingPlanArn' IS NOT NULL OR coalesce(bool_and(p.has_plan), false) AS prepaid,
				job.config->>'TrainingPlanArn' IS NULL AND coalesce(bool_or(p.has_plan) AND NOT bool_and(p.has_plan), false) AS unknown
			  FROM (SELECT coalesce(jsonb_array_length(nullif(p->'TrainingPlanArns', 'null')) > 0, false) AS has_plan
					  FROM jsonb_array_elements(
						CASE jsonb_typeof(job.config->'InstancePreferences') WHEN 'array' THEN job.config->'InstancePreferences' ELSE '[]' END) AS p
					 WHERE p->>'InstanceType' = job.config->>'SelectedInstanceType'
						AND coalesce(p->>'InstanceCount', job.config->>'SelectedInstanceCount', '')
							= coalesce(job.config->>'SelectedInstanceCount', p->>'InstanceCount', '')) AS p) AS plan
), charge AS (
	SELECT part.*, c.charge, c.base, c.is_storage, c.is_pool, c.from_at, c.to_at,
		CASE WHEN part.never_started AND NOT c.is_pool THEN 0 ELSE c.seconds END AS seconds
	  FROM part
	 CROSS JOIN LATERAL (VALUES
		(CASE WHEN spot THEN 'spot' ELSE 'training' END, 'training', false, false, billable_s::numeric, start_at, end_at),
		('storage', 'storage', true, false, billable_s, start_at, end_at),
		('warm pool', 'training', false, true, retained_s, end_at, end_at + make_interval(secs => retained_s::double precision)),
		('warm pool storage', 'storage', true, true, retained_s, end_at, end_at + make_interval(secs => retained_s::double precision))
		) AS c(charge, base, is_storage, is_pool, seconds, from_at, to_at)
	 WHERE (NOT c.is_storage OR volume_gb > 0) AND (NOT c.is_pool OR pool_open OR retained_s > 0)
), priced AS (
	SELECT charge.*,
		coalesce(own.price, base.price) AS price,
		coalesce(own.ambiguous, base.ambiguous) AS ambiguous,
		coalesce(own.currency, base.currency) AS currency,
		coalesce(own.unit, base.unit, CASE WHEN is_storage THEN 'GB-Mo' ELSE 'Hrs' END) AS unit,
		coalesce(own.effective_date, base.effective_date) AS effective_date,
		CASE WHEN own.price IS NOT NULL THEN own.usage_type ELSE base.usage_type END AS usage_type,
		CASE WHEN own.price IS NOT NULL THEN own.operation ELSE base.operation END AS operation,
		coalesce(own.sku, base.sku) AS sku, coalesce(own.rate_code, base.rate_code) AS rate_code,
		CASE WHEN own.price IS NULL AND base.charge <> charge.charge THEN base.charge || ' rate'
			 WHEN priced_at < coalesce(own.known_from, base.known_from) THEN 'earliest known'
			 ELSE 'in force' END AS basis,
		month.parts, month.length_s
	  FROM charge
	  LEFT JOIN in_force AS own ON own.region = charge.region AND own.charge = charge.charge
		AND own.type = CASE WHEN is_storage THEN '' ELSE charge.type END
		AND priced_at >= own.valid_from AND priced_at < own.valid_until
	  LEFT JOIN in_force AS base ON base.region = charge.region AND base.charge = charge.base
		AND base.type = CASE WHEN is_storage THEN '' ELSE charge.type END
		AND priced_at >= base.valid_from AND priced_at < base.valid_until
	  LEFT JOIN in_force AS host ON is_storage AND host.region = charge.region AND host.charge = 'training' AND host.type = charge.type
		AND priced_at >= host.valid_from AND priced_at < host.valid_until
	 CROSS JOIN LATERAL (
			-- parts / (377580 * length_s): which share of a month the charge is, by the months that it lies in
			SELECT sum(CASE WHEN to_at > from_at
							THEN extract(epoch FROM least(m + '1 month', to_at AT TIME ZONE 'UTC') - greatest(m, from_at AT TIME ZONE 'UTC'))
							ELSE 1 END
						* 377580 / (extract(epoch FROM m + '1 month' - m) / 86400)) AS parts,
				CASE WHEN to_at > from_at THEN extract(epoch FROM to_at - from_at) ELSE 1 END AS length_s
			  FROM generate_series(date_trunc('month', from_at AT TIME ZONE 'UTC'), to_at AT TIME ZONE 'UTC', '1 month') AS m
			 WHERE is_storage AND (m < to_at AT TIME ZONE 'UTC' OR m = date_trunc('month', from_at AT TIME ZONE 'UTC'))) AS month
	 WHERE NOT is_storage OR NOT coalesce(host.has_disks, false)
), reasoned AS (
	SELECT priced.*,
		CASE WHEN never_started AND NOT is_pool THEN NULL
			 WHEN config IS NULL THEN 'serverless'
			 WHEN not_selected THEN 'not selected yet'
			 WHEN running THEN 'running'
			 WHEN is_pool AND pool_open THEN 'warm pool open'
			 WHEN seconds IS NULL THEN 'billable time not known'
			 WHEN plan_unknown AND NOT is_storage THEN 'plan not known'
			 WHEN prepaid AND NOT is_storage THEN 'prepaid'
			 WHEN ambiguous THEN 'ambiguous price'
			 WHEN price IS NULL OR count IS NULL THEN 'no price' END AS reason,
		CASE WHEN ambiguous THEN NULL ELSE price END AS unit_price,
		CASE WHEN seconds = 0 THEN 0
			 WHEN is_storage THEN volume_gb * count * seconds * parts / (length_s * 377580 * 86400)
			 ELSE seconds * count / 3600 END AS quantity,
		CASE WHEN seconds = 0 THEN 0
			 WHEN ambiguous THEN NULL
			 WHEN is_storage THEN volume_gb * count * seconds * parts * price / (length_s * 377580 * 86400)
			 ELSE seconds * count * price / 3600 END AS cost
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
	-- sums are of one currency
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
 -- a name, and so an ARN, can be used again
 GROUP BY resource_id, creation_time, sub_account_id, region_id, training_job_name, training_job_status, tags$view$, schema);
END;
$procedure$;

COMMENT ON PROCEDURE @extschema@.sagemaker_fdw_create_cost_views(text, regclass, regclass) IS
	'makes the views job_charges and job_costs of a table of training jobs and a table of prices';
