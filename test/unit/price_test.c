/*-------------------------------------------------------------------------
 *
 * price_test.c
 *		Which rates of AWS's price list are for training jobs.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "jobs/price.h"
#include "tap.h"

/* A rate of the list, and what it is for. */
typedef struct PriceCase
{
	PriceFacts	facts;
	PriceCharge charge;
	const char *type;
} PriceCase;

/* An item of the usage type, whose description is the text, by the hour. */
#define HOURS(usage, text, ...) {.usage_type = usage, .description = text, .unit = "Hrs", .location_type = "AWS Region", __VA_ARGS__}
#define STORED(usage, text, ...) {.usage_type = usage, .description = text, .unit = "GB-Mo", .location_type = "AWS Region", __VA_ARGS__}

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

#define OTHER SMF_PRICE_NOT_FOR_TRAINING, ""

static const PriceCase cases[] = {
	/* training, by the whole usage type */
	{HOURS("USE1-Train:ml.m5.large", "$0.115 per Training ml.m5.large hour", .component = "Training"), SMF_PRICE_TRAINING, "ml.m5.large"},
	{HOURS("EU-Train:ml.p6-b200.48xlarge", "", .component = "Training"), SMF_PRICE_TRAINING, "ml.p6-b200.48xlarge"},
	{HOURS("Train:ml.trn1n.32xlarge", NULL), SMF_PRICE_TRAINING, "ml.trn1n.32xlarge"},
	{HOURS("UGW1-Train:ml.c5.9xlarge", NULL, .instance_type = "NA"), SMF_PRICE_TRAINING, "ml.c5.9xlarge"},
	{HOURS("USE1-Train:ml.m5.large", NULL, .instance_type = "ml.m5.xlarge-Training"), SMF_PRICE_TRAINING, "ml.m5.large"},
	/* units in any spelling */
	{{.usage_type = "Train:ml.m5.large", .unit = "hours"}, SMF_PRICE_TRAINING, "ml.m5.large"},
	{{.usage_type = "Train:ml.m5.large", .unit = "HR"}, SMF_PRICE_TRAINING, "ml.m5.large"},
	{{.usage_type = "Train:ml.m5.large", .unit = "Quantity"}, OTHER},
	{{.usage_type = "Train:ml.m5.large", .unit = "GB-Mo"}, OTHER},
	{{.usage_type = "Train:ml.m5.large", .unit = NULL}, OTHER},
	/* what only looks like it */
	{HOURS("USE1-Train:ml.m.xlarge-TrainingParent", "free tier"), OTHER},
	{HOURS("USE1-Train:ml.p5.48xlarge-Reserved", "Reserved Training", .instance_name = "ml.p5.48xlarge"), OTHER},
	{HOURS("USE1-TrainingPlanUpfrontFee:ml.p5.48xlarge", "", .instance_name = "ml.p5.48xlarge"), OTHER},
	{HOURS("USE1-Cluster:ml.p5.48xlarge-Reserved", "for Training", .component = "Cluster"), OTHER},
	{HOURS("USE1-Cluster:ml.p5.48xlarge", "Training Warm Pool", .component = "Cluster"), OTHER},
	{HOURS("USE1-Host:ml.m5.large", "Hosting", .component = "Hosting"), OTHER},
	{HOURS("USE1-Processing:ml.m5.large", "", .component = "Processing"), OTHER},
	{HOURS("USE1-XTrain:ml.m5.large", ""), OTHER},
	{HOURS("use1-Train:ml.m5.large", ""), OTHER},
	{HOURS("1USE-Train:ml.m5.large", ""), OTHER},
	{HOURS("USE1-Train:m5.large", "", .instance_name = "ml.m5.large"), OTHER},
	{HOURS("USE1-Train:", "", .instance_name = "ml.m5.large"), OTHER},
	{HOURS("USE1-Train:x:ml.m5.large", ""), OTHER},
	{HOURS("Train:ml.M5.large", ""), OTHER},
	{HOURS("Train:ml.m5.large ", ""), OTHER},
	{HOURS("", "", .instance_name = "ml.m5.large"), OTHER},
	{HOURS(NULL, "Training Warm Pool", .instance_name = "ml.m5.large"), OTHER},
	{{.usage_type = "Train:ml.m5.large", .unit = "Hrs", .location_type = "AWS Outposts"}, OTHER},
	/* managed spot, by its meter or by an attribute */
	{HOURS("USE2-TrSpt:ml.g5.xlarge", ""), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("TrSpt:ml.g5.xlarge", "", .component = "Training"), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("USE2-Train:ml.g5.xlarge", "", .component = "SpotTraining"), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("USE2-Some:g5.xlarge", "", .plato_type = "SpotTraining", .instance_name = "ml.g5.xlarge"), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("USE2-TrSpt:g5.xlarge", "", .instance_type = "ml.g5.xlarge-training"), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("USE2-TrSpt:g5.xlarge", "", .instance_type = "ml.g5.xlarge"), SMF_PRICE_SPOT, "ml.g5.xlarge"},
	{HOURS("USE2-TrSpt:g5.xlarge", "", .instance_type = "ml.g5.xlarge-Hosting"), OTHER},
	{HOURS("USE2-TrSpt:g5.xlarge", "", .instance_type = "NA", .plato_type = "g5"), OTHER},
	{HOURS("USE2-TrSpt:ml.g5.xlarge-Reserved", "", .instance_name = "ml.g5.xlarge"), OTHER},
	/* warm pools, by the description, whatever the meter */
	{HOURS("USE1-Train:ml.m5.large", "$0.1 per Training Warm Pool ml.m5.large hour", .component = "Training"), SMF_PRICE_WARM_POOL, "ml.m5.large"},
	{HOURS("USE1-TrKA:m5.large", "per training warm pool hour", .instance_name = "ml.m5.large"), SMF_PRICE_WARM_POOL, "ml.m5.large"},
	{HOURS("USE1-TrKA:m5.large", "per Warm Pool hour", .instance_name = "ml.m5.large"), OTHER},
	/* volumes */
	{STORED("USE1-Train:VolumeUsage.gp2", "$0.14 per GB-Mo of Training ML storage"), SMF_PRICE_STORAGE, ""},
	{STORED("USE1-VolumeUsage.gp2", "ML storage", .component = "Training"), SMF_PRICE_STORAGE, ""},
	{STORED("USE1-VolumeUsage.gp3", "Training ML storage"), SMF_PRICE_STORAGE, ""},
	{STORED("USE1-VolumeUsage.gp3", "ML storage"), OTHER},
	{STORED("USE1-Train:VolumeUsage.gp2", "Training Warm Pool ML storage"), SMF_PRICE_WARM_POOL_STORAGE, ""},
	{STORED("USE1-TrKA:VolumeUsage.gp2", "Training Warm Pool ML storage", .component = "Training"), SMF_PRICE_WARM_POOL_STORAGE, ""},
	{STORED("USE1-Host:VolumeUsage.gp2", "Hosting ML storage", .component = "Hosting"), OTHER},
	{STORED("USE1-Cluster:VolumeUsage.gp3", "Cluster storage for Training", .component = "Cluster"), OTHER},
	{STORED("USE1-FeatureStore:Storage", "feature storage for Training"), OTHER},
	{STORED("USE1-Train:Data-Bytes-In", "Training data"), OTHER}
};

static void
test_charges(void)
{
	for (int i = 0; i < COUNT(cases); i++)
	{
		char		title[200];
		char		type[SMF_PRICE_TYPE_SIZE];
		const char *usage_type = cases[i].facts.usage_type;
		PriceCharge charge = smf_price_classify(&cases[i].facts, type);

		snprintf(title, sizeof(title), "rate %d (%s) is for %s", i + 1, usage_type ? usage_type : "no usage type",
				 cases[i].charge == SMF_PRICE_NOT_FOR_TRAINING ? "nothing of ours" : smf_price_charge_name(cases[i].charge));
		tap_is_int(charge, cases[i].charge, title);
		if (charge != SMF_PRICE_NOT_FOR_TRAINING)
			tap_is(type, cases[i].type, "... of this type");
	}
}

static void
test_types(void)
{
	char		usage_type[200];
	char		type[SMF_PRICE_TYPE_SIZE];
	PriceFacts	facts = {.usage_type = usage_type, .unit = "Hrs"};

	/* the longest instance type, and one more */
	snprintf(usage_type, sizeof(usage_type), "Train:ml.m5.%055d", 0);
	tap_is_int(smf_price_classify(&facts, type), SMF_PRICE_TRAINING, "an instance type of 61 characters");
	tap_is_int((long) strlen(type), 61, "... is kept whole");
	snprintf(usage_type, sizeof(usage_type), "Train:ml.m5.%058d", 0);
	tap_is_int(smf_price_classify(&facts, type), SMF_PRICE_NOT_FOR_TRAINING, "one of 64 is rejected");
}

static void
test_prices(void)
{
	static const char *const prices[] = {"0.1150000000", "25.2510000000", "1", "0.0000000001", "100.50"};
	static const char *const others[] = {"", "0", "0.0000000000", "-1", "+1", "1.", ".5", "1e3", "NaN", "0x1", "1 ", "1.5.2",
	"1111111111111111111111111111111111111111111111111111111111111111"};

	for (int i = 0; i < COUNT(prices); i++)
		tap_ok(smf_price_positive(prices[i]), prices[i]);
	for (int i = 0; i < COUNT(others); i++)
		tap_ok(!smf_price_positive(others[i]), "not a positive price");
}

int
main(void)
{
	test_charges();
	test_types();
	test_prices();
	return tap_end();
}
