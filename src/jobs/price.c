/*-------------------------------------------------------------------------
 *
 * price.c
 *		Which rates in AWS's price list are for training jobs.
 *
 * No attribute in the list says so for all of them.  Instances on demand have a usage
 * type such as "USE1-Train:ml.m5.large", managed spot has its own meter, and warm pools
 * can only be told by the description.  Rates with "Train" or an instance type in their
 * names are often something else: fees of training plans, free tiers, reserved capacity.
 * A rate that is not recognized is not used: a report without a price says so, but one
 * with a wrong price does not.
 *
 * Not accounted for: prices that are not in the list, such as savings plans and
 * negotiated ones.
 *
 *-------------------------------------------------------------------------
 */
#include "jobs/price.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Does the text contain "what", ignoring case?  NULL contains nothing. */
static bool
mentions(const char *text, const char *what)
{
	size_t		len = strlen(what);

	for (; text != NULL && *text != '\0'; text++)
	{
		if (strncasecmp(text, what, len) == 0)
			return true;
	}
	return false;
}

/* Are both equal, ignoring case?  NULL equals nothing. */
static bool
is_label(const char *text, const char *label)
{
	return text != NULL && strcasecmp(text, label) == 0;
}

/* Copy an instance type, ml.FAMILY.SIZE, if all "len" bytes of the text form one. */
static bool
take_type(const char *text, size_t len, char type[SMF_PRICE_TYPE_SIZE])
{
	size_t		family;
	size_t		size;

	if (len >= SMF_PRICE_TYPE_SIZE || strncmp(text, "ml.", 3) != 0)
		return false;
	family = strspn(text + 3, LOWER DIGITS "-");
	if (family == 0 || text[3 + family] != '.')
		return false;
	size = strspn(text + 3 + family + 1, LOWER DIGITS);
	if (size == 0 || 3 + family + 1 + size != len)
		return false;
	snprintf(type, SMF_PRICE_TYPE_SIZE, "%.*s", (int) len, text);
	return true;
}

/* The same for an attribute, which may end in a known suffix. */
static bool
take_attribute_type(const char *text, char type[SMF_PRICE_TYPE_SIZE])
{
	static const char suffix[] = "-Training";
	size_t		len;

	if (text == NULL)
		return false;
	len = strlen(text);
	if (len > strlen(suffix) && strcasecmp(text + len - strlen(suffix), suffix) == 0)
		len -= strlen(suffix);
	return take_type(text, len, type);
}

/*
 * A usage type without its prefix for the region, such as "USE1-" or "EU-": capital
 * letters and digits.  The prefix may be absent, and is not the region's name.
 */
static const char *
without_prefix(const char *usage_type)
{
	size_t		len = strspn(usage_type, UPPER DIGITS);

	return len > 0 && strchr(DIGITS, usage_type[0]) == NULL && usage_type[len] == '-' ?
		usage_type + len + 1 : usage_type;
}

/* Is this the meter's name, the part before its colon? */
static bool
meter_is(const char *meter, const char *name)
{
	size_t		len = strlen(name);

	return strncmp(meter, name, len) == 0 && meter[len] == ':';
}

static bool
unit_is_hours(const char *unit)
{
	return is_label(unit, "Hr") || is_label(unit, "Hrs") || is_label(unit, "Hour") || is_label(unit, "Hours");
}

/* Classify a rate per GB and month. */
static PriceCharge
classify_storage(const PriceFacts *facts, const char *meter)
{
	bool		named = meter_is(meter, "Train") || meter_is(meter, "TrSpt");

	if (strstr(meter, "VolumeUsage") == NULL)
		return SMF_PRICE_NOT_FOR_TRAINING;

	/*
	 * without a meter the description must say it: "storage of clusters for training" is
	 * not ours
	 */
	if (!named && !is_label(facts->component, "Training") && !mentions(facts->description, "Training Warm Pool") &&
		(strchr(meter, ':') != NULL || !mentions(facts->description, "Training")))
		return SMF_PRICE_NOT_FOR_TRAINING;
	return mentions(facts->description, "Warm Pool") ? SMF_PRICE_WARM_POOL_STORAGE : SMF_PRICE_STORAGE;
}

/* Classify a rate for instance hours. */
static PriceCharge
classify_instance(const PriceFacts *facts, const char *meter, char type[SMF_PRICE_TYPE_SIZE])
{
	const char *behind = strrchr(meter, ':');
	bool		in_meter;

	/* Find the type: in the meter if it is the whole last part, otherwise in an attribute. */
	behind = behind ? behind + 1 : meter;
	in_meter = take_type(behind, strlen(behind), type);
	if (!in_meter)
	{
		/* "ml.p5.48xlarge-Reserved", "ml.m.xlarge-TrainingParent": another kind of rate */
		if (strncmp(behind, "ml.", 3) == 0)
			return SMF_PRICE_NOT_FOR_TRAINING;
		if (!take_attribute_type(facts->instance_name, type) && !take_attribute_type(facts->instance_type, type))
			return SMF_PRICE_NOT_FOR_TRAINING;
	}
	if (strncmp(meter, "Cluster", strlen("Cluster")) == 0 || mentions(meter, "TrainingPlan") || mentions(meter, "Reserved"))
		return SMF_PRICE_NOT_FOR_TRAINING;

	/* Warm pools may share a meter with training, so check the description first. */
	if (mentions(facts->description, "Training Warm Pool"))
		return SMF_PRICE_WARM_POOL;
	if (meter_is(meter, "TrSpt") || is_label(facts->component, "SpotTraining") || is_label(facts->plato_type, "SpotTraining"))
		return SMF_PRICE_SPOT;
	return meter_is(meter, "Train") && in_meter && behind == meter + strlen("Train:") ?
		SMF_PRICE_TRAINING : SMF_PRICE_NOT_FOR_TRAINING;
}

/*
 * smf_price_classify
 *		What a rate is charged for.
 *
 * If the rate is for training, fills "type" with the instance type, or with "" for
 * storage.  Source: the items that GetProducts returns for AmazonSageMaker.
 */
PriceCharge
smf_price_classify(const PriceFacts *facts, char type[SMF_PRICE_TYPE_SIZE])
{
	const char *meter;

	type[0] = '\0';
	if (facts->usage_type == NULL)
		return SMF_PRICE_NOT_FOR_TRAINING;
	if (facts->location_type != NULL && !is_label(facts->location_type, "AWS Region"))
		return SMF_PRICE_NOT_FOR_TRAINING;
	meter = without_prefix(facts->usage_type);
	if (is_label(facts->unit, "GB-Mo"))
		return classify_storage(facts, meter);
	if (unit_is_hours(facts->unit))
		return classify_instance(facts, meter, type);
	return SMF_PRICE_NOT_FOR_TRAINING;
}

/* The name that users see for a charge, a constant. */
const char *
smf_price_charge_name(PriceCharge charge)
{
	switch (charge)
	{
		case SMF_PRICE_NOT_FOR_TRAINING:
			break;
		case SMF_PRICE_TRAINING:
			return "training";
		case SMF_PRICE_SPOT:
			return "spot";
		case SMF_PRICE_WARM_POOL:
			return "warm pool";
		case SMF_PRICE_STORAGE:
			return "storage";
		case SMF_PRICE_WARM_POOL_STORAGE:
			return "warm pool storage";
	}
	return "";
}

/*
 * smf_price_positive
 *		Is it a decimal number greater than 0: digits, optionally a point and more
 *		digits?
 */
bool
smf_price_positive(const char *price)
{
	size_t		whole = strspn(price, DIGITS);
	size_t		len = whole;

	if (whole == 0)
		return false;
	if (price[len] == '.')
	{
		size_t		fraction = strspn(price + len + 1, DIGITS);

		if (fraction == 0)
			return false;
		len += 1 + fraction;
	}
	return len < 64 && price[len] == '\0' && strspn(price, "0.") < len;
}
