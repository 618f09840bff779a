/*-------------------------------------------------------------------------
 *
 * price_list.c
 *		The rates of a region in AWS's price list, read by walking the pages of
 *		GetProducts.
 *
 *		page --strings--> items, JSON --terms, dimensions--> rates --price.c--> those for training
 *
 * A page is a list of strings that contain JSON.  The items arrive in a different order
 * each time, and an item may be on two pages: it counts once.  A token may expire in the
 * middle of a walk.  Then everything is discarded and the walk starts again, because
 * pages from two walks together might lack an item.
 *
 * Not accounted for: former prices.  The list has only current ones, and future ones,
 * which are skipped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "aws/json.h"
#include "common/hashfn.h"
#include "jobs/document.h"
#include "jobs/price_list.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Most items of a page. */
#define ITEMS_MAX 100

/* How often a walk may start again because its token has expired. */
#define RESTARTS_MAX 3

struct PriceWalk
{
	AwsClient  *client;			/* not ours */
	const char *region;			/* whose prices to read; belongs to the caller */
	MemoryContext context;		/* everything since the walk started */
	AwsCall    *call;			/* for the next page; or NULL */
	int64		attempts;		/* requests that the walk's calls have sent */
	int			nrestarts;
	bool		done;

	/* in "context", discarded when the walk starts again */
	char	   *token;			/* token for the next page; NULL: the first page */
	HTAB	   *seen;			/* hashes of tokens, and of rates with their currencies */
	int64		nitems;			/* items that could be read */
	PriceFindings findings;
};

/* What all rates of an item have in common. */
typedef struct PriceItem
{
	const char *sku;
	const char *operation;		/* may be NULL */
	PriceFacts	facts;			/* without description and unit */
	JsonbValue	attributes;		/* an object */
	Jsonb	   *kept_attributes;	/* a copy in the walk's memory; NULL: not needed so far */
} PriceItem;

static bool
no_such_thing(const AwsError *error)
{
	return false;
}

static const char *
nothing_instead(const char *operation)
{
	return "";
}

/* What aws/ is to know of calls about prices. */
const AwsTopic smf_price_topic = {
	.noun = "region",
	.limit_hint = "Name fewer regions, or raise sagemaker_fdw.max_calls.",
	.not_found = no_such_thing,
	.instead = nothing_instead
};

/*
 * smf_price_walk_begin
 *		Create a walk over a region's prices, in the current memory context.  The
 *		client and "region" must outlive it.
 */
PriceWalk *
smf_price_walk_begin(AwsClient *client, const char *region)
{
	PriceWalk  *walk = palloc0(sizeof(PriceWalk));

	walk->client = client;
	walk->region = region;
	walk->context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw prices", ALLOCSET_DEFAULT_SIZES);
	return walk;
}

/* What the walk has found; complete once it has ended. */
const PriceFindings *
smf_price_walk_findings(const PriceWalk *walk)
{
	return &walk->findings;
}

/* ----- requests ----- */

/*
 * smf_start_price_page
 *		Request a page of a region's prices with at most "size" items; "token" is NULL
 *		for the first page.  "*attempts" is incremented for each request.
 */
AwsCall *
smf_start_price_page(AwsClient *client, const char *region, const char *token, int size, int64 *attempts)
{
	MemoryContext old = MemoryContextSwitchTo(smf_client_context(client));
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfo(&body, "{\"ServiceCode\": \"AmazonSageMaker\", \"Filters\": [{\"Type\": \"TERM_MATCH\", "
					 "\"Field\": \"regionCode\", \"Value\": \"%s\"}], \"FormatVersion\": \"aws_v1\", \"MaxResults\": %d",
					 region, size);
	if (token != NULL)
	{
		char	   *utf8 = pg_server_to_any(token, strlen(token), PG_UTF8);

		appendStringInfoString(&body, ", \"NextToken\": ");
		escape_json(&body, utf8);
	}
	appendStringInfoChar(&body, '}');
	MemoryContextSwitchTo(old);
	return smf_call_start(client, "GetProducts", region, body.data, attempts);
}

static void
drop_call(PriceWalk *walk)
{
	smf_call_free(walk->call);
	walk->call = NULL;
}

/* Did the page fail because the service no longer knows its token? */
static bool
token_gone(const PriceWalk *walk)
{
	const char *code = smf_call_error(walk->call)->code;

	return walk->token != NULL && code != NULL &&
		(strncmp(code, "ExpiredNextToken", strlen("ExpiredNextToken")) == 0 ||
		 strncmp(code, "InvalidNextToken", strlen("InvalidNextToken")) == 0);
}

/* Discard everything, and start again. */
static void
restart(PriceWalk *walk)
{
	drop_call(walk);
	walk->nrestarts++;
	walk->token = NULL;
	walk->seen = NULL;
	walk->nitems = 0;
	memset(&walk->findings, 0, sizeof(PriceFindings));
	MemoryContextReset(walk->context);
}

/* ----- reading ----- */

/* A member that is an object, in "*value"; NULL if it is not one. */
static JsonbContainer *
object_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	if (object == NULL || !smf_document_member(object, key, value) || value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

/* A member that is a string, palloc'ed; NULL if it is not one. */
static char *
string_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (!smf_document_member(object, key, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * The next member of an object that is itself an object, in "*value"; false if there are
 * no more.  Other members are skipped.
 */
static bool
next_object(JsonbIterator **iterator, JsonbValue *value)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(iterator, value, true)) != WJB_DONE)
	{
		if (token == WJB_VALUE && value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
			return true;
	}
	return false;
}

/* A time in the list's format, 2024-01-31T00:00:00Z; false if it is not valid. */
static bool
read_time(const char *text, TimestampTz *result)
{
	struct pg_tm tm = {0};
	int			tz = 0;
	int			used = 0;

	if (text == NULL ||
		sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
		return false;
	if (text[used] == '.')
		used += 1 + strspn(text + used + 1, "0123456789");
	if (strcmp(text + used, "Z") != 0 || ValidateDate(DTK_DATE_M, false, false, false, &tm) != 0 ||
		tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 59)
		return false;
	return tm2timestamp(&tm, 0, &tz, result) == 0;
}

/*
 * Has this pair of strings been seen before?  From now on it has.  Only 64-bit hashes are
 * stored, because the strings are long, many and foreign.
 */
static bool
came_before(PriceWalk *walk, const char *first, const char *second)
{
	uint64		key = hash_combine64(hash_bytes_extended((const unsigned char *) first, strlen(first), 0),
									 hash_bytes_extended((const unsigned char *) second, strlen(second), 1));
	bool		found;

	if (walk->seen == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = walk->context};

		walk->seen = hash_create("sagemaker_fdw prices", 1024, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(walk->seen, &key, HASH_ENTER, &found);
	return found;
}

/* A copy in the current context; NULL for NULL. */
static const char *
keep_string(const char *string)
{
	return string ? pstrdup(string) : NULL;
}

/* Store a copy of a rate that was not seen before. */
static void
keep_rate(PriceWalk *walk, const PriceRate *rate, PriceItem *item)
{
	MemoryContext old;
	PriceRate  *kept;

	/* an item may be on two pages */
	if (came_before(walk, rate->rate_code, rate->currency))
		return;
	old = MemoryContextSwitchTo(walk->context);
	if (item->kept_attributes == NULL)
		item->kept_attributes = JsonbValueToJsonb(&item->attributes);
	kept = palloc(sizeof(PriceRate));
	*kept = *rate;
	kept->instance_type = keep_string(rate->instance_type);
	kept->usage_type = keep_string(rate->usage_type);
	kept->operation = keep_string(rate->operation);
	kept->price = keep_string(rate->price);
	kept->currency = keep_string(rate->currency);
	kept->unit = keep_string(rate->unit);
	kept->sku = keep_string(rate->sku);
	kept->rate_code = keep_string(rate->rate_code);
	kept->description = keep_string(rate->description);
	kept->attributes = item->kept_attributes;
	walk->findings.rates = lappend(walk->findings.rates, kept);
	MemoryContextSwitchTo(old);
}

/* Read one dimension of a term: a rate in each currency, if it is for training. */
static void
read_dimension(PriceWalk *walk, PriceItem *item, JsonbContainer *dimension, TimestampTz effective_date)
{
	PriceFacts	facts = item->facts;
	PriceRate	rate = {.usage_type = facts.usage_type, .operation = item->operation, .sku = item->sku,
	.effective_date = effective_date};
	char		type[SMF_PRICE_TYPE_SIZE];
	JsonbValue	value;
	JsonbContainer *prices = object_member(dimension, "pricePerUnit", &value);
	JsonbIterator *iterator;
	JsonbIteratorToken token;

	/* Is it for training, and complete? */
	CHECK_FOR_INTERRUPTS();
	facts.description = rate.description = string_member(dimension, "description");
	facts.unit = rate.unit = string_member(dimension, "unit");
	rate.charge = smf_price_classify(&facts, type);
	rate.instance_type = type[0] != '\0' ? type : NULL;
	if (rate.charge == SMF_PRICE_NOT_FOR_TRAINING)
	{
		walk->findings.nothers++;
		return;
	}
	rate.rate_code = string_member(dimension, "rateCode");
	if (rate.rate_code == NULL || prices == NULL)
	{
		walk->findings.nunreadable++;
		return;
	}

	/* Read its price in each currency.  A price of 0 means a free tier or a placeholder. */
	iterator = JsonbIteratorInit(prices);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			rate.currency = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE || value.type != jbvString)
			continue;
		rate.price = pnstrdup(value.val.string.val, value.val.string.len);
		if (smf_price_positive(rate.price))
			keep_rate(walk, &rate, item);
	}
}

/* The effective date of the newest term that is in force now; false if there is none. */
static bool
newest_term(JsonbContainer *terms, TimestampTz now, TimestampTz *newest)
{
	JsonbIterator *iterator = JsonbIteratorInit(terms);
	JsonbValue	term;
	bool		found = false;

	*newest = 0;
	while (next_object(&iterator, &term))
	{
		TimestampTz effective_date;

		if (!read_time(string_member(term.val.binary.data, "effectiveDate"), &effective_date) ||
			effective_date > now || (found && effective_date <= *newest))
			continue;
		*newest = effective_date;
		found = true;
	}
	return found;
}

/* Read what all rates of an item have in common; false if it is not a valid item. */
static bool
read_product(JsonbContainer *object, PriceItem *item)
{
	JsonbValue	value;
	JsonbContainer *product = object_member(object, "product", &value);
	JsonbContainer *attributes = object_member(product, "attributes", &item->attributes);

	item->kept_attributes = NULL;
	if (attributes == NULL)
		return false;
	item->sku = string_member(product, "sku");
	item->operation = string_member(attributes, "operation");
	memset(&item->facts, 0, sizeof(PriceFacts));
	item->facts.usage_type = string_member(attributes, "usagetype");
	item->facts.instance_name = string_member(attributes, "instanceName");
	item->facts.instance_type = string_member(attributes, "instanceType");
	item->facts.component = string_member(attributes, "component");
	item->facts.plato_type = string_member(attributes, "platoinstancetype");
	item->facts.location_type = string_member(attributes, "locationType");
	return item->sku != NULL;
}

/* Read an item: the rates of its newest term in force. */
static void
read_item(PriceWalk *walk, JsonbContainer *object)
{
	JsonbValue	value;
	JsonbContainer *terms = object_member(object_member(object, "terms", &value), "OnDemand", &value);
	PriceItem	item;
	TimestampTz newest;
	JsonbIterator *of_terms;

	/* Without a term it has no price. */
	if (!read_product(object, &item))
	{
		walk->findings.nunreadable++;
		return;
	}
	walk->nitems++;
	if (terms == NULL || !newest_term(terms, GetCurrentTimestamp(), &newest))
		return;

	/* Read its dimensions; a tiered price has several. */
	of_terms = JsonbIteratorInit(terms);
	while (next_object(&of_terms, &value))
	{
		JsonbContainer *term = value.val.binary.data;
		JsonbContainer *dimensions = object_member(term, "priceDimensions", &value);
		TimestampTz effective_date;
		JsonbIterator *of_dimensions;

		if (dimensions == NULL || !read_time(string_member(term, "effectiveDate"), &effective_date) ||
			effective_date != newest)
			continue;
		of_dimensions = JsonbIteratorInit(dimensions);
		while (next_object(&of_dimensions, &value))
			read_dimension(walk, &item, value.val.binary.data, newest);
	}
}

/* Read the strings of a page. */
static void
read_items(PriceWalk *walk, JsonbContainer *strings)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw price item", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			n = JsonContainerSize(strings);

	for (int i = 0; i < n; i++)
	{
		JsonbValue *string;
		Jsonb	   *item = NULL;
		const char *reason;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		string = getIthJsonbValueFromContainer(strings, i);
		if (string->type == jbvString)
		{
			char	   *text = pnstrdup(string->val.string.val, string->val.string.len);
			char	   *utf8 = pg_server_to_any(text, string->val.string.len, PG_UTF8);

			item = smf_json_parse(utf8, strlen(utf8), &reason);
		}
		if (item == NULL || !JB_ROOT_IS_OBJECT(item))
			walk->findings.nunreadable++;
		else
			read_item(walk, &item->root);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Raise 08P01 if most items cannot be read: missing prices would look as if they had been
 * withdrawn.
 */
static void
check_items(const PriceWalk *walk)
{
	if (walk->findings.nunreadable > walk->nitems)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("most items of GetProducts cannot be read"),
				 smf_call_errdetail(walk->call, psprintf(INT64_FORMAT " of " INT64_FORMAT, walk->findings.nunreadable,
														 walk->findings.nunreadable + walk->nitems))));
}

/*
 * smf_price_page_items
 *		The strings of a page that has arrived; raises 08P01 if it has no list of them,
 *		because an empty page has an empty list.
 */
JsonbContainer *
smf_price_page_items(const AwsCall *call, Jsonb *response)
{
	JsonbContainer *strings = smf_document_array(call, response, "PriceList");

	if (strings == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of GetProducts lacks PriceList"),
				 smf_call_errdetail(call, NULL)));
	return strings;
}

/*
 * Read the page that has arrived, and store the token for the next; false if it was the
 * last one.
 */
static bool
read_page(PriceWalk *walk)
{
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw price page", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(page);
	int			nbefore = list_length(walk->findings.rates);
	Jsonb	   *response = smf_document_parse(walk->call);
	JsonbContainer *strings = smf_price_page_items(walk->call, response);
	char	   *token = smf_document_next_token(walk->call, response);

	read_items(walk, strings);
	smf_call_count_rows(walk->call, list_length(walk->findings.rates) - nbefore);

	/* A repeated token would make the walk go on for ever. */
	if (token != NULL && came_before(walk, "NextToken", token))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("pages of GetProducts repeat"),
				 smf_call_errdetail(walk->call, "a NextToken came twice")));
	if (walk->token != NULL)
		pfree(walk->token);
	walk->token = token ? MemoryContextStrdup(walk->context, token) : NULL;
	if (token == NULL)
		check_items(walk);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(page);
	return walk->token != NULL;
}

/*
 * smf_price_walk_move
 *		Move the walk as far as it goes without waiting; true at its end.
 *
 * While it returns false, a call is under way, for which smf_client_wait waits.  Raises
 * an error if the prices cannot be read.
 */
bool
smf_price_walk_move(PriceWalk *walk)
{
	while (!walk->done)
	{
		if (walk->call == NULL)
			walk->call = smf_start_price_page(walk->client, walk->region, walk->token,
											  ITEMS_MAX, &walk->attempts);
		if (!smf_call_done(walk->call))
			return false;
		if (!smf_call_failed(walk->call))
		{
			walk->done = !read_page(walk);
			drop_call(walk);
		}
		else if (token_gone(walk) && walk->nrestarts < RESTARTS_MAX)
			restart(walk);
		else
			smf_call_raise(walk->call);
	}
	return true;
}
