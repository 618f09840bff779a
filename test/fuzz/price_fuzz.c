/*-------------------------------------------------------------------------
 *
 * price_fuzz.c
 *		Items of AWS's price list.
 *
 * Input: the facts of a rate, each up to a line feed, in the order of PriceFacts; "-" is none.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "jobs/price.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	char	   *rest = text;
	PriceFacts	taken = {0};
	const char **const facts[] = {&taken.usage_type, &taken.instance_name, &taken.instance_type, &taken.component,
	&taken.plato_type, &taken.location_type, &taken.description, &taken.unit};
	char		type[SMF_PRICE_TYPE_SIZE];
	PriceCharge charge;

	memcpy(text, data, size);
	text[size] = '\0';
	for (int i = 0; i < lengthof(facts) && rest != NULL; i++)
	{
		char	   *line = strsep(&rest, "\n");

		*facts[i] = strcmp(line, "-") == 0 ? NULL : line;
	}
	charge = smf_price_classify(&taken, type);

	/* what is for training has a type that is one, or is storage, and a name */
	FUZZ_CHECK(strlen(type) < SMF_PRICE_TYPE_SIZE);
	if (charge == SMF_PRICE_STORAGE || charge == SMF_PRICE_WARM_POOL_STORAGE)
		FUZZ_CHECK(type[0] == '\0' && strstr(taken.usage_type, "VolumeUsage") != NULL);
	else if (charge != SMF_PRICE_NOT_FOR_TRAINING)
		FUZZ_CHECK(strncmp(type, "ml.", 3) == 0 && strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(type));
	FUZZ_CHECK((charge == SMF_PRICE_NOT_FOR_TRAINING) == (smf_price_charge_name(charge)[0] == '\0'));
	/* nothing is told of an item without a usage type, or elsewhere than in a region */
	if (charge != SMF_PRICE_NOT_FOR_TRAINING)
		FUZZ_CHECK(taken.usage_type != NULL && (taken.location_type == NULL || strcasecmp(taken.location_type, "AWS Region") == 0));

	/* a price that is taken is one */
	if (smf_price_positive(text))
		FUZZ_CHECK(strtod(text, NULL) > 0 || strlen(text) > 20);
	free(text);
	fuzz_reset();
	return 0;
}
