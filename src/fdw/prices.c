/*-------------------------------------------------------------------------
 *
 * prices.c
 *		sagemaker_training_prices: what AWS charges for training jobs, according to its
 *		price list.
 *
 * Several regions are walked at the same time, at most max_concurrency of them, and rows
 * are returned only when all walks have ended: a missing price would look as if AWS did
 * not have it.
 *
 * Not accounted for: what jobs cost at these prices; SQL views show that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/endpoint.h"
#include "catalog/pg_type.h"
#include "fdw/role.h"
#include "fmgr.h"
#include "funcapi.h"
#include "http/http.h"
#include "jobs/price_list.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Columns of the function. */
#define PRICE_COLUMNS 13

extern PGDLLEXPORT Datum sagemaker_training_prices(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_training_prices);

/* A region whose prices are requested. */
typedef struct PricedRegion
{
	const char *name;
	PriceWalk  *walk;			/* NULL: not started */
	bool		done;
} PricedRegion;

/* Raise 22023 if it is not a region. */
static const char *
checked_region(const char *name)
{
	if (name == NULL || !smf_region_valid(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 name ? errmsg("\"%s\" is not an AWS region", name) : errmsg("a region must not be NULL"),
				 errhint("%s", smf_endpoint_error_text(SMF_ENDPOINT_BAD_REGION))));
	return name;
}

/* The regions in an array, without duplicates, palloc'ed; raises 22023 for anything else. */
static PricedRegion *
take_regions(ArrayType *array, int *nregions)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	PricedRegion *regions;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no region is given"),
				 errhint("Name AWS regions, or leave \"regions\" out for the server's own.")));
	regions = palloc0(n * sizeof(PricedRegion));
	*nregions = 0;
	for (int i = 0; i < n; i++)
	{
		const char *name = checked_region(nulls[i] ? NULL : TextDatumGetCString(elements[i]));
		bool		known = false;

		for (int j = 0; j < *nregions; j++)
			known = known || strcmp(regions[j].name, name) == 0;
		if (!known)
			regions[(*nregions)++].name = name;
	}
	return regions;
}

/* The server's own region, palloc'ed; raises 22023 if it has none. */
static PricedRegion *
own_region(SmfSettings *settings, Oid userid)
{
	PricedRegion *region = palloc0(sizeof(PricedRegion));

	/* the database server's own AWS configuration may set it */
	if (settings->region == NULL)
		(void) smf_role_probe(settings, userid);
	if (settings->region == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" has no region of its own", settings->server_name),
				 errhint("Name AWS regions: regions => ARRAY['us-east-1', 'eu-west-1'].")));
	region->name = settings->region;
	return region;
}

/* Walk the prices of all regions to the end. */
static void
walk_regions(AwsClient *client, PricedRegion *regions, int nregions, int most)
{
	for (;;)
	{
		uint64		events = smf_http_events();
		int			nwalking = 0;

		for (int i = 0; i < nregions && nwalking < most; i++)
		{
			if (regions[i].done)
				continue;
			if (regions[i].walk == NULL)
				regions[i].walk = smf_price_walk_begin(client, regions[i].name);
			regions[i].done = smf_price_walk_move(regions[i].walk);
			if (!regions[i].done)
				nwalking++;
		}
		if (nwalking == 0)
			return;
		smf_client_wait(client, events);
	}
}

/* Store a text, or NULL. */
static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

static void
put_rate(ReturnSetInfo *result, const char *region, const PriceRate *rate)
{
	Datum		values[PRICE_COLUMNS] = {0};
	bool		nulls[PRICE_COLUMNS] = {0};

	put_text(values, nulls, 0, region);
	put_text(values, nulls, 1, smf_price_charge_name(rate->charge));
	put_text(values, nulls, 2, rate->instance_type);
	put_text(values, nulls, 3, rate->usage_type);
	put_text(values, nulls, 4, rate->operation);
	values[5] = DirectFunctionCall3(numeric_in, CStringGetDatum(rate->price), ObjectIdGetDatum(InvalidOid),
									Int32GetDatum(-1));
	put_text(values, nulls, 6, rate->currency);
	put_text(values, nulls, 7, rate->unit);
	values[8] = TimestampTzGetDatum(rate->effective_date);
	put_text(values, nulls, 9, rate->sku);
	put_text(values, nulls, 10, rate->rate_code);
	put_text(values, nulls, 11, rate->description);
	values[12] = JsonbPGetDatum(rate->attributes);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Return a region's rates, and warn if there are none. */
static void
put_region(ReturnSetInfo *result, const PricedRegion *region)
{
	const PriceFindings *findings = smf_price_walk_findings(region->walk);
	ListCell   *lc;

	ereport(DEBUG1,
			(errmsg_internal("prices of region %s: %d rates for training, " INT64_FORMAT " others, " INT64_FORMAT " items that cannot be read",
							 region->name, list_length(findings->rates), findings->nothers, findings->nunreadable)));
	if (findings->rates == NIL)
		ereport(WARNING,
				(errmsg("AWS's price list has no prices of training jobs for region \"%s\"", region->name),
				 errhint("Check the region's name, and that its partition is the one of the server's credentials.")));
	foreach(lc, findings->rates)
		put_rate(result, region->name, lfirst(lc));
}

/*
 * sagemaker_training_prices(server name, regions text[] DEFAULT NULL)
 *		AWS's current prices for training jobs, a row for each rate; for the server's
 *		region if none is given.
 */
Datum
sagemaker_training_prices(PG_FUNCTION_ARGS)
{
	Oid			userid = GetUserId();
	ReturnSetInfo *result;
	ForeignServer *server;
	MemoryContext context;
	MemoryContext old;
	SmfSettings *settings;
	PricedRegion *regions;
	int			nregions = 1;
	AwsClient  *client;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the server must not be NULL")));
	server = smf_role_server(NameStr(*PG_GETARG_NAME(0)), userid);

	/*
	 * Find out the regions, and create the client, which is freed with its context, also
	 * after an error.
	 */
	context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw prices", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	settings = smf_settings_resolve(server, NULL);
	regions = PG_ARGISNULL(1) ? own_region(settings, userid) : take_regions(PG_GETARG_ARRAYTYPE_P(1), &nregions);
	client = smf_role_price_client(settings, regions[0].name, userid, false);

	/* Return rows once everything has arrived. */
	walk_regions(client, regions, nregions, settings->max_concurrency);
	for (int i = 0; i < nregions; i++)
		put_region(result, &regions[i]);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
