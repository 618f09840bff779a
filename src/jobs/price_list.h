/*-------------------------------------------------------------------------
 *
 * price_list.h
 *		The rates of a region in AWS's price list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PRICE_LIST_H
#define SMF_PRICE_LIST_H

#include "aws/call.h"
#include "datatype/timestamp.h"
#include "jobs/price.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* One rate.  Strings are in the walk's memory; NULL for what the list does not contain. */
typedef struct PriceRate
{
	PriceCharge charge;
	const char *instance_type;	/* NULL: for storage */
	const char *usage_type;
	const char *operation;
	const char *price;			/* a decimal number above 0, as sent */
	const char *currency;		/* ISO 4217 */
	const char *unit;			/* as sent */
	TimestampTz effective_date;
	const char *sku;
	const char *rate_code;
	const char *description;
	Jsonb	   *attributes;		/* all attributes of the product */
} PriceRate;

/* What a walk has found. */
typedef struct PriceFindings
{
	List	   *rates;			/* PriceRate *, in the order in which they arrived */
	int64		nunreadable;	/* items that are not JSON, or rates that are not complete */
	int64		nothers;		/* rates of items that are not for training */
} PriceFindings;

typedef struct PriceWalk PriceWalk;

extern const AwsTopic smf_price_topic;

extern AwsCall *smf_start_price_page(AwsClient *client, const char *region, const char *token, int size,
									 int64 *attempts);
extern JsonbContainer *smf_price_page_items(const AwsCall *call, Jsonb *response);
extern PriceWalk *smf_price_walk_begin(AwsClient *client, const char *region);
extern bool smf_price_walk_move(PriceWalk *walk);
extern const PriceFindings *smf_price_walk_findings(const PriceWalk *walk);

#endif							/* SMF_PRICE_LIST_H */
