/*-------------------------------------------------------------------------
 *
 * proof_fuzz.c
 *		What is proved of any two JSON texts, and in what they differ.
 *
 * Input: a byte that becomes the date; two texts, with a NUL between them.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "jobs/proof.c"

/* A summary, or a document, and a record of its own. */
typedef struct Pair
{
	Jsonb	   *one;
	Jsonb	   *other;
	int64		date_s;
} Pair;

#define ALL_ATTRIBUTES (~UINT64CONST(0))

static void
check_differences(JsonbContainer *one, JsonbContainer *other)
{
	AttributeSet differ = smf_proof_differences(one, other, ALL_ATTRIBUTES);

	FUZZ_CHECK(smf_proof_differences(one, one, ALL_ATTRIBUTES) == 0);
	FUZZ_CHECK(smf_proof_differences(other, one, ALL_ATTRIBUTES) == differ);
	FUZZ_CHECK(smf_proof_differences(one, other, differ) == differ);
	FUZZ_CHECK(smf_proof_differences(one, other, ~differ) == 0);
	FUZZ_CHECK(smf_nattributes == 64 || differ >> smf_nattributes == 0);
}

static void
check_proof(JsonbContainer *summary, JsonbContainer *record)
{
	AttributeSet proved = smf_proof_attributes(summary, record);

	FUZZ_CHECK(smf_proof_same_version(summary, record) == smf_proof_same_version(record, summary));
	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if ((proved & smf_attribute_bit(attribute)) == 0)
			continue;
		FUZZ_CHECK(attribute->in_search && attribute->kind != SMF_KIND_RAW_RESPONSE);
		FUZZ_CHECK(smf_proof_same_version(summary, record));
		/* what the list tells is the same in all that a column reads */
		if (attribute->in_list && strcmp(attribute->api_name, "SecondaryStatus") != 0)
			FUZZ_CHECK(smf_proof_differences(summary, record, smf_attribute_bit(attribute)) == 0);
	}
}

static void
check(void *arg)
{
	Pair	   *pair = arg;
	JsonbContainer *one = &pair->one->root;
	JsonbContainer *other = &pair->other->root;

	check_differences(one, other);
	check_proof(one, other);
	check_proof(other, one);
	check_proof(one, one);

	/* who may be asked for may be asked for later, too */
	if (smf_proof_may_ask(one, pair->date_s))
		FUZZ_CHECK(smf_proof_may_ask(one, pair->date_s + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};
	Pair		pair = {.date_s = INT64CONST(1710005000) + 40 * fuzz_byte(&input)};
	char	   *one = fuzz_string(&input);
	char	   *other = fuzz_string(&input);

	if (fuzz_parse_json(one, strlen(one), PG_UTF8, &pair.one) == JSON_SUCCESS &&
		fuzz_parse_json(other, strlen(other), PG_UTF8, &pair.other) == JSON_SUCCESS)
		FUZZ_CHECK(!fuzz_raises(check, &pair));
	fuzz_reset();
	return 0;
}
