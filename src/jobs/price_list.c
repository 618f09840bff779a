/*-------------------------------------------------------------------------
 *
 * price_list.c
 *		The rates of a region in AWS's price list: a walk over the pages of GetProducts.
 *
 *		page --strings--> items, JSON --terms, dimensions--> rates --price.c--> those for training
 *
 * A page is a list of strings that hold JSON.  Pages come in another order each time, and an
 * item may be on two of them: it counts once.  A token may expire in mid-walk: what has come
 * is then forgotten and the walk begins anew, since pages of two walks may lack an item.
 *
 * Not accounted for: prices that have ended.  The list has only those of today, and of
 * tomorrow, which are left out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "aws/json.h"
#include "jobs/document.h"
#include "jobs/price_list.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Most items of a page. */
#define PAGE_SIZE 100

/* So often a walk begins anew because its token has expired. */
#define RESTARTS_MAX 3

struct PriceWalk
{
	AwsClient  *client;			/* not ours */
	const char *region;			/* whose prices; the caller's */
	MemoryContext context;		/* what has come since the walk has begun */
	AwsCall    *call;			/* for the next page; or NULL */
	int64		attempts;		/* that the walk's calls have taken */
	int			nrestarts;
	bool		done;

	/* in the context, forgotten when the walk begins anew */
	List	   *tokens;			/* char *, the next page's last; NIL before the first page */
	PriceFindings findings;
};

static bool
no_such_thing(const AwsError *error)
{
	return false;
}

/* What aws/ is to know of calls about prices. */
const AwsTopic smf_price_topic = {
	.noun = "region",
	.limit_hint = "Name fewer regions, or raise sagemaker_fdw.max_calls.",
	.not_found = no_such_thing
};

/*
 * smf_price_walk_begin
 *		A walk over a region's prices, in the current memory context.  The client and
 *		"region" must outlive it.
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

/* What the walk has found: all there is, once it has come to its end. */
const PriceFindings *
smf_price_walk_findings(const PriceWalk *walk)
{
	return &walk->findings;
}

/* ----- asking ----- */

/*
 * smf_start_price_page
 *		Ask for a page of a region's prices, of at most "size" items; "token" is NULL for the
 *		first.  "*attempts" is counted up for each request.
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

/* Is the token of the page that has failed one that the service no longer knows? */
static bool
token_gone(const PriceWalk *walk)
{
	const char *code = smf_call_error(walk->call)->code;

	return walk->tokens != NIL && code != NULL &&
		(strncmp(code, "ExpiredNextToken", strlen("ExpiredNextToken")) == 0 ||
		 strncmp(code, "InvalidNextToken", strlen("InvalidNextToken")) == 0);
}

/* Forget what has come, and begin anew. */
static void
restart(PriceWalk *walk)
{
	drop_call(walk);
	walk->nrestarts++;
	walk->tokens = NIL;
	memset(&walk->findings, 0, sizeof(PriceFindings));
	MemoryContextReset(walk->context);
}

/* ----- reading ----- */

/* A member that is an object, in "*value"; NULL where it is none. */
static JsonbContainer *
object_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	if (object == NULL || !smf_document_member(object, key, value) || value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

/* A member that is a string, palloc'ed; NULL where it is none. */
static char *
string_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (!smf_document_member(object, key, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * The next member of an object that is an object itself, in "*value"; false when there are no
 * more.  The others are passed over.
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

/* A time as the list writes it, 2024-01-31T00:00:00Z; false where it is none. */
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

/* Has the rate come before, with the same item on another page? */
static bool
is_known(const PriceWalk *walk, const PriceRate *rate)
{
	ListCell   *lc;

	foreach(lc, walk->findings.rates)
	{
		const PriceRate *other = lfirst(lc);

		if (strcmp(other->rate_code, rate->rate_code) == 0 && strcmp(other->currency, rate->currency) == 0)
			return true;
	}
	return false;
}

/* A copy in the walk's memory; NULL is none. */
static const char *
keep_string(const char *string)
{
	return string ? pstrdup(string) : NULL;
}

/* Keep a copy of a rate that has come for the first time. */
static void
keep_rate(PriceWalk *walk, const PriceRate *rate, JsonbValue *attributes)
{
	MemoryContext old;
	PriceRate  *kept;

	if (is_known(walk, rate))
		return;
	old = MemoryContextSwitchTo(walk->context);
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
	kept->attributes = JsonbValueToJsonb(attributes);
	walk->findings.rates = lappend(walk->findings.rates, kept);
	MemoryContextSwitchTo(old);
}

/* Read one dimension of a term: a rate in each currency, if they are for training. */
static void
read_dimension(PriceWalk *walk, const char *sku, JsonbValue *attributes, JsonbContainer *dimension,
			   TimestampTz effective_date)
{
	JsonbContainer *product = attributes->val.binary.data;
	PriceFacts	facts = {
		.usage_type = string_member(product, "usagetype"),
		.instance_name = string_member(product, "instanceName"),
		.instance_type = string_member(product, "instanceType"),
		.component = string_member(product, "component"),
		.plato_type = string_member(product, "platoinstancetype"),
		.location_type = string_member(product, "locationType"),
		.description = string_member(dimension, "description"),
		.unit = string_member(dimension, "unit")
	};
	char		type[SMF_PRICE_TYPE_SIZE];
	PriceRate	rate = {
		.charge = smf_price_classify(&facts, type),
		.instance_type = type[0] != '\0' ? type : NULL,
		.usage_type = facts.usage_type,
		.operation = string_member(product, "operation"),
		.unit = facts.unit,
		.effective_date = effective_date,
		.sku = sku,
		.rate_code = string_member(dimension, "rateCode"),
		.description = facts.description
	};
	JsonbValue	value;
	JsonbContainer *prices = object_member(dimension, "pricePerUnit", &value);
	JsonbIterator *iterator;
	JsonbIteratorToken token;

	/* Is it for training, and whole? */
	if (rate.charge == SMF_PRICE_NOT_FOR_TRAINING)
	{
		walk->findings.nothers++;
		return;
	}
	if (rate.rate_code == NULL || prices == NULL)
	{
		walk->findings.nunreadable++;
		return;
	}

	/* Its price in each currency.  0 is none, but a free tier or a placeholder. */
	iterator = JsonbIteratorInit(prices);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			rate.currency = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE || value.type != jbvString)
			continue;
		rate.price = pnstrdup(value.val.string.val, value.val.string.len);
		if (smf_price_positive(rate.price))
			keep_rate(walk, &rate, attributes);
	}
}

/* The time from which the newest term is in force that is now; false: no term is. */
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

/* Read an item: the rates of its newest term that is in force. */
static void
read_item(PriceWalk *walk, JsonbContainer *item)
{
	JsonbValue	value;
	JsonbValue	attributes;
	JsonbContainer *product = object_member(item, "product", &value);
	JsonbContainer *terms = object_member(object_member(item, "terms", &value), "OnDemand", &value);
	TimestampTz newest;
	char	   *sku;
	JsonbIterator *of_terms;

	/* Without a term it has no price. */
	if (product == NULL || object_member(product, "attributes", &attributes) == NULL ||
		(sku = string_member(product, "sku")) == NULL)
	{
		walk->findings.nunreadable++;
		return;
	}
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
			read_dimension(walk, sku, &attributes, value.val.binary.data, newest);
	}
}

/* Read the strings of a page. */
static void
read_items(PriceWalk *walk, JsonbContainer *strings)
{
	int			n = JsonContainerSize(strings);

	for (int i = 0; i < n; i++)
	{
		JsonbValue *string = getIthJsonbValueFromContainer(strings, i);
		Jsonb	   *item = NULL;
		const char *reason;

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
}

/* Read the page that has come, and remember the token of the next; false when it was the last. */
static bool
read_page(PriceWalk *walk)
{
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw price page", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(page);
	int			nbefore = list_length(walk->findings.rates);
	Jsonb	   *response = smf_document_parse(walk->call);
	JsonbContainer *strings = smf_document_array(walk->call, response, "PriceList");
	char	   *token = smf_document_next_token(walk->call, response);
	ListCell   *lc;

	if (strings != NULL)
		read_items(walk, strings);
	smf_call_count_rows(walk->call, list_length(walk->findings.rates) - nbefore);

	/* A token that comes twice would let the walk go round for ever. */
	if (token != NULL)
	{
		foreach(lc, walk->tokens)
		{
			if (strcmp(lfirst(lc), token) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_PROTOCOL_VIOLATION),
						 errmsg("pages of GetProducts repeat"),
						 smf_call_errdetail(walk->call, "a NextToken came twice")));
		}
		MemoryContextSwitchTo(walk->context);
		walk->tokens = lappend(walk->tokens, pstrdup(token));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(page);
	return token != NULL;
}

/*
 * smf_price_walk_move
 *		Go on as far as it is without waiting; true at the walk's end.
 *
 * While it is false, a call is on its way, which smf_client_wait waits for.  Raises why the
 * prices cannot be read.
 */
bool
smf_price_walk_move(PriceWalk *walk)
{
	while (!walk->done)
	{
		if (walk->call == NULL)
			walk->call = smf_start_price_page(walk->client, walk->region, walk->tokens ? llast(walk->tokens) : NULL,
											  PAGE_SIZE, &walk->attempts);
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
