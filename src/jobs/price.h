/*-------------------------------------------------------------------------
 *
 * price.h
 *		Which rates in AWS's price list are for training jobs.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PRICE_H
#define SMF_PRICE_H

#include <stdbool.h>

/* Longest instance type, with its NUL. */
#define SMF_PRICE_TYPE_SIZE 64

/* What a rate is charged for. */
typedef enum PriceCharge
{
	SMF_PRICE_NOT_FOR_TRAINING,
	SMF_PRICE_TRAINING,			/* instance hours */
	SMF_PRICE_SPOT,				/* instance hours of managed spot training */
	SMF_PRICE_WARM_POOL,		/* instance hours between two jobs */
	SMF_PRICE_STORAGE,			/* volumes of training jobs, per GB and month */
	SMF_PRICE_WARM_POOL_STORAGE /* volumes between two jobs */
} PriceCharge;

/*
 * The contents of a price list item; the strings belong to the caller; NULL for what it
 * lacks.
 */
typedef struct PriceFacts
{
	const char *usage_type;		/* product.attributes.usagetype */
	const char *instance_name;	/* product.attributes.instanceName */
	const char *instance_type;	/* product.attributes.instanceType */
	const char *component;		/* product.attributes.component */
	const char *plato_type;		/* product.attributes.platoinstancetype */
	const char *location_type;	/* product.attributes.locationType */
	const char *description;	/* of the price dimension */
	const char *unit;			/* of the price dimension */
} PriceFacts;

extern PriceCharge smf_price_classify(const PriceFacts *facts, char type[SMF_PRICE_TYPE_SIZE]);
extern const char *smf_price_charge_name(PriceCharge charge);
extern bool smf_price_positive(const char *price);

#endif							/* SMF_PRICE_H */
