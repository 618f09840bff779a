/*-------------------------------------------------------------------------
 *
 * sigv4_test.c
 *		Each stage of signing by itself, with published and pinned values.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "aws/sigv4.h"
#include "tap.h"

/* The keys, the time and two requests of the test suite that AWS published. */
static const SigV4Keys suite_keys = {
	"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
};
static const SigV4Scope suite_scope = {"us-east-1", "service", 1440938160};
static const SigV4Header suite_headers[] = {
	{"host", "example.amazonaws.com"},
	{"x-amz-date", "20150830T123600Z"}
};

static SigV4Request
suite_request(const char *method)
{
	SigV4Request request = {0};

	request.method = method;
	request.path = "/";
	request.query = "";
	request.headers = suite_headers;
	request.nheaders = 2;
	request.payload = "";
	return request;
}

static void
test_stages(void)
{
	SigV4Request request = suite_request("GET");
	SigV4Scope	iam = {"us-east-1", "iam", 1440938160};
	char		date[SMF_SIGV4_DATE_SIZE];
	unsigned char key[SMF_SHA256_SIZE];
	char		hex[SMF_SHA256_HEX_SIZE];
	char	   *canonical;
	char	   *to_sign;

	tap_ok(smf_sigv4_date(1440938160, date), "a present-day time has a date");
	tap_is(date, "20150830T123600Z", "which is this one");
	tap_ok(smf_sigv4_date(0, date) && strcmp(date, "19700101T000000Z") == 0, "so has the epoch");
	tap_ok(!smf_sigv4_date(253402300800, date), "the year 10000 has none");

	canonical = smf_sigv4_canonical_request(&request);
	tap_is(canonical,
		   "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		   "the canonical request of get-vanilla");
	to_sign = smf_sigv4_string_to_sign(&suite_scope, canonical);
	tap_is(to_sign,
		   "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
		   "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
		   "its string to sign");
	tap_ok(smf_sigv4_derive_key(&suite_keys, &suite_scope, key) &&
		   smf_sigv4_signature(key, to_sign, hex), "its signature can be made");
	tap_is(hex, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "and is this");
	free(canonical);
	free(to_sign);

	tap_ok(smf_sigv4_derive_key(&suite_keys, &iam, key), "a key for IAM can be derived");
	for (int i = 0; i < SMF_SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	tap_is(hex, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
		   "the key of AWS's documentation");
}

static void
test_canonical(void)
{
	SigV4Header headers[] = {
		{"a", "  one   two\t three  "}, {"b", ""}, {"c", " \t "}
	};
	SigV4Request request = {0};
	char	   *canonical;

	request.method = "POST";
	request.path = "/a b/%20/~x";
	request.query = "a=1&b=";
	request.headers = headers;
	request.nheaders = 3;
	request.payload = "x";
	request.payload_len = 1;
	canonical = smf_sigv4_canonical_request(&request);
	tap_is(canonical,
		   "POST\n/a%20b/%2520/~x\na=1&b=\na:one two three\nb:\nc:\n\na;b;c\n"
		   "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
		   "blanks are folded, and the path is encoded once more");
	free(canonical);
}

/* The signature in an Authorization header, which is freed. */
static void
is_signature(char *authorization, const char *expected, const char *title)
{
	const char *signature = authorization ? strstr(authorization, "Signature=") : NULL;

	tap_is(signature ? signature + strlen("Signature=") : NULL, expected, title);
	free(authorization);
}

static void
test_authorization(void)
{
	static const char vanilla[] = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
	SigV4Request request = suite_request("POST");
	SigV4KeyCache cache = {0};
	SigV4KeyCache empty;
	SigV4Keys	rotated = suite_keys;
	SigV4Scope	other = suite_scope;
	char	   *header;
	char	   *again;

	memset(&empty, 0, sizeof(empty));
	header = smf_sigv4_authorization(&cache, &suite_keys, &suite_scope, &request);
	tap_is(header,
		   "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		   "SignedHeaders=host;x-amz-date, "
		   "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		   "the header of post-vanilla");
	free(header);
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &suite_scope, &request), vanilla,
				 "the same again with the cached key");

	rotated.secret_access_key = "another";
	is_signature(smf_sigv4_authorization(&cache, &rotated, &suite_scope, &request),
				 "f0d8d174be95946d8151c8c4503d08965aaad38ee700003c104c9d43abd6adf1",
				 "another secret of the same id has a key of its own");
	other.region = "eu-west-1";
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &other, &request),
				 "0a0dae2c3c9f41646981e6600b4c33834a7319246faeaf000bf201ce7061d79e", "so has another region");
	other = suite_scope;
	other.service = "sagemaker";
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &other, &request),
				 "e84d6d8bb44982f16b4a71e4bbdfd26d8cca53484e6aa3c0be5fd05ffcc7d8be", "another service");
	other = suite_scope;
	other.time_s += 86400;
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &other, &request),
				 "da50d2efe92731d2526dc624639b3839e6bf117771a6257c7174c5c60b8760df", "and another day");
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &suite_scope, &request), vanilla,
				 "and back");

	/* the same characters, cut elsewhere */
	rotated.access_key_id = "a";
	rotated.secret_access_key = "b\nc";
	free(smf_sigv4_authorization(&cache, &rotated, &suite_scope, &request));
	rotated.access_key_id = "a\nb";
	rotated.secret_access_key = "c";
	header = smf_sigv4_authorization(&cache, &rotated, &suite_scope, &request);
	smf_sigv4_cache_clear(&cache);
	again = smf_sigv4_authorization(&cache, &rotated, &suite_scope, &request);
	tap_is(header, again, "keys whose concatenations are equal are not confused");
	free(header);
	free(again);

	smf_sigv4_cache_clear(&cache);
	tap_ok(memcmp(&cache, &empty, sizeof(cache)) == 0, "a cleared cache holds nothing");
	is_signature(smf_sigv4_authorization(&cache, &suite_keys, &suite_scope, &request), vanilla,
				 "and can be used again");
}

int
main(void)
{
	test_stages();
	test_canonical();
	test_authorization();
	return tap_end();
}
