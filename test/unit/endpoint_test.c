/*-------------------------------------------------------------------------
 *
 * endpoint_test.c
 *		Endpoints of all partitions and variants; regions and URLs that are
 *		accepted and refused.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/endpoint.h"
#include "tap.h"

/* A region, and its hosts: plain, FIPS, dual stack, both. */
typedef struct RegionCase
{
	const char *region;
	const char *hosts[4];
} RegionCase;

static const RegionCase regions[] = {
	{"us-east-1", {"api.sagemaker.us-east-1.amazonaws.com", "api-fips.sagemaker.us-east-1.amazonaws.com",
	"api.sagemaker.us-east-1.api.aws", "api.sagemaker-fips.us-east-1.api.aws"}},
	{"mx-central-1", {"api.sagemaker.mx-central-1.amazonaws.com", "api-fips.sagemaker.mx-central-1.amazonaws.com",
	"api.sagemaker.mx-central-1.api.aws", "api.sagemaker-fips.mx-central-1.api.aws"}},
	{"cn-north-1", {"api.sagemaker.cn-north-1.amazonaws.com.cn", "api.sagemaker-fips.cn-north-1.amazonaws.com.cn",
	"api.sagemaker.cn-north-1.api.amazonwebservices.com.cn", "api.sagemaker-fips.cn-north-1.api.amazonwebservices.com.cn"}},
	{"us-gov-west-1", {"api.sagemaker.us-gov-west-1.amazonaws.com", "api-fips.sagemaker.us-gov-west-1.amazonaws.com",
	"api.sagemaker.us-gov-west-1.api.aws", "api.sagemaker-fips.us-gov-west-1.api.aws"}},
	{"eusc-de-east-1", {"api.sagemaker.eusc-de-east-1.amazonaws.eu", "api.sagemaker-fips.eusc-de-east-1.amazonaws.eu",
	"api.sagemaker.eusc-de-east-1.api.amazonwebservices.eu", "api.sagemaker-fips.eusc-de-east-1.api.amazonwebservices.eu"}},
	{"us-iso-east-1", {"api.sagemaker.us-iso-east-1.c2s.ic.gov", "api.sagemaker-fips.us-iso-east-1.c2s.ic.gov",
	"api.sagemaker.us-iso-east-1.api.aws.ic.gov", "api.sagemaker-fips.us-iso-east-1.api.aws.ic.gov"}},
	{"us-isob-east-1", {"api.sagemaker.us-isob-east-1.sc2s.sgov.gov", "api.sagemaker-fips.us-isob-east-1.sc2s.sgov.gov",
	"api.sagemaker.us-isob-east-1.api.aws.scloud", "api.sagemaker-fips.us-isob-east-1.api.aws.scloud"}},
	{"eu-isoe-west-1", {"api.sagemaker.eu-isoe-west-1.cloud.adc-e.uk", "api.sagemaker-fips.eu-isoe-west-1.cloud.adc-e.uk",
	"api.sagemaker.eu-isoe-west-1.api.cloud-aws.adc-e.uk", "api.sagemaker-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"}},
	{"us-isof-south-1", {"api.sagemaker.us-isof-south-1.csp.hci.ic.gov", "api.sagemaker-fips.us-isof-south-1.csp.hci.ic.gov",
	"api.sagemaker.us-isof-south-1.api.aws.hci.ic.gov", "api.sagemaker-fips.us-isof-south-1.api.aws.hci.ic.gov"}},
	{"zz-new-9", {"api.sagemaker.zz-new-9.amazonaws.com", "api-fips.sagemaker.zz-new-9.amazonaws.com",
	"api.sagemaker.zz-new-9.api.aws", "api.sagemaker-fips.zz-new-9.api.aws"}}
};

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

static void
test_regions(void)
{
	static const char *const variants[] = {"", ", FIPS", ", dual stack", ", FIPS and dual stack"};
	AwsEndpoint endpoint;
	char		title[200];
	char		url[600];

	for (int i = 0; i < COUNT(regions); i++)
	{
		for (int variant = 0; variant < 4; variant++)
		{
			EndpointError error = smf_endpoint_resolve(regions[i].region, NULL, variant & 1,
													   variant & 2, &endpoint);

			snprintf(title, sizeof(title), "host of %s%s", regions[i].region, variants[variant]);
			tap_is(error == SMF_ENDPOINT_OK ? endpoint.host : "error", regions[i].hosts[variant], title);
		}
	}
	smf_endpoint_resolve("us-east-1", NULL, false, false, &endpoint);
	snprintf(url, sizeof(url), "https://%s/", endpoint.host);
	tap_is(endpoint.url, url, "the URL is https");
	tap_is(endpoint.path, "/", "the path is the root");
	tap_ok(endpoint.https && !endpoint.loopback, "it is another machine");
}

static void
test_region_syntax(void)
{
	static const char *const bad[] = {
		"", "us-east-1/evil", "us.east", "evil.example.com#", "-us", "us-", "123", "us east", "us@x",
		"us:80", "us\n", "r\xc3\xa9gion", "a", "s3", "us-east", "useast1", "US-EAST-1", "us-east-1-fips", "fips-us-east-1-",
		"aws-global", "us-east-", "us--east-1", "u-east-1", "aaaaa-east-1", "us-a-b-c-d-1", "us-1-1", "us-east-1a",
		"us-east-1\n", "us-east-1.", "sts.us-east-1", "us-1",
		"us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"
	};
	AwsEndpoint endpoint;
	char		title[200];

	for (int i = 0; i < COUNT(bad); i++)
	{
		snprintf(title, sizeof(title), "bad region %d is rejected", i + 1);
		tap_is_int(smf_endpoint_resolve(bad[i], NULL, false, false, &endpoint),
				   SMF_ENDPOINT_BAD_REGION, title);
	}
	tap_ok(smf_region_valid("us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"),
		   "a region may have 63 bytes");
	tap_ok(smf_region_valid("ap-southeast-12"), "and two digits");
	tap_ok(smf_region_valid("us-east-1000") && smf_region_valid("us-east1-1"), "and other forms that AWS's patterns allow");
}

/* A URL, and what it is: the host header, or the error. */
typedef struct UrlCase
{
	const char *url;
	EndpointError error;
	const char *host;
	const char *path;
	bool		loopback;
} UrlCase;

static const UrlCase urls[] = {
	{"https://vpce-1.sagemaker.us-east-1.vpce.amazonaws.com", SMF_ENDPOINT_OK,
	"vpce-1.sagemaker.us-east-1.vpce.amazonaws.com", "/", false},
	{"https://host.example:8443/", SMF_ENDPOINT_OK, "host.example:8443", "/", false},
	{"https://host.example:443/", SMF_ENDPOINT_OK, "host.example", "/", false},
	{"https://host.example:80/", SMF_ENDPOINT_OK, "host.example:80", "/", false},
	{"https://host.example/pre/fix", SMF_ENDPOINT_OK, "host.example", "/pre/fix", false},
	{"http://127.0.0.1:4566", SMF_ENDPOINT_OK, "127.0.0.1:4566", "/", true},
	{"http://127.1.2.3:80", SMF_ENDPOINT_OK, "127.1.2.3", "/", true},
	{"http://localhost:4566", SMF_ENDPOINT_OK, "localhost:4566", "/", true},
	{"http://[::1]:4566/", SMF_ENDPOINT_OK, "[::1]:4566", "/", true},
	{"https://[2001:db8::1]/", SMF_ENDPOINT_OK, "[2001:db8::1]", "/", false},
	{"https://localhost", SMF_ENDPOINT_OK, "localhost", "/", true},
	{"http://example.com", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://127.0.0.1.example.com", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://localhost.example.com", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://128.0.0.1", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://127.0.0.256", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://127.0.0", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://[::2]", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://169.254.169.254", SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL, false},
	{"http://127.0.0.1@example.com", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://user:password@example.com", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com?x=1", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com/#x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com/a b", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com/../x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com//x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com/%2e", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://exa mple.com", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com\n.evil", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com\\@evil", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https:///x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://:443", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com:", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com:0", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com:65536", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://example.com:8x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://[::1", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://[::1]x", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://[]", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"https://a..b", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"ftp://example.com", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"file:///etc/passwd", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"example.com", SMF_ENDPOINT_BAD_URL, NULL, NULL, false},
	{"", SMF_ENDPOINT_BAD_URL, NULL, NULL, false}
};

static void
test_urls(void)
{
	char		title[200];
	char		longest[SMF_URL_SIZE + 10];
	AwsEndpoint endpoint;

	for (int i = 0; i < COUNT(urls); i++)
	{
		EndpointError error = smf_endpoint_parse_url(urls[i].url, &endpoint);

		snprintf(title, sizeof(title), "URL %d (%.60s)", i + 1, urls[i].error == SMF_ENDPOINT_OK ? urls[i].url : "bad");
		tap_is_int(error, urls[i].error, title);
		if (urls[i].error != SMF_ENDPOINT_OK || error != SMF_ENDPOINT_OK)
			continue;
		tap_is(endpoint.host, urls[i].host, "... its host");
		tap_is(endpoint.path, urls[i].path, "... its path");
		tap_ok(endpoint.loopback == urls[i].loopback, "... whether it is this machine");
		tap_is(endpoint.url, urls[i].url, "... the URL itself");
	}

	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "https://", strlen("https://"));
	longest[sizeof(longest) - 1] = '\0';
	tap_is_int(smf_endpoint_parse_url(longest, &endpoint), SMF_ENDPOINT_BAD_URL, "a URL that is too long");
	longest[SMF_URL_SIZE - 1] = '\0';
	tap_is_int(smf_endpoint_parse_url(longest, &endpoint), SMF_ENDPOINT_OK, "the longest URL allowed");

	tap_is_int(smf_endpoint_resolve("us-east-1", "https://example.com", true, false, &endpoint),
			   SMF_ENDPOINT_CUSTOM_VARIANT, "a custom endpoint has no FIPS variant");
	tap_is_int(smf_endpoint_resolve("us-east-1", "https://example.com", false, true, &endpoint),
			   SMF_ENDPOINT_CUSTOM_VARIANT, "nor a dual stack one");
	tap_is_int(smf_endpoint_resolve("us-east-1", "https://example.com", false, false, &endpoint),
			   SMF_ENDPOINT_OK, "it overrides the region's endpoint");
	tap_is(endpoint.host, "example.com", "with its own host");
	tap_is_int(smf_endpoint_resolve("u/s", "https://example.com", false, false, &endpoint),
			   SMF_ENDPOINT_BAD_REGION, "the region must be valid nevertheless");
	for (int error = SMF_ENDPOINT_BAD_REGION; error <= SMF_ENDPOINT_CUSTOM_VARIANT; error++)
		tap_ok(smf_endpoint_error_text(error)[0] != '\0', "an error has a text");
}

/* A region of a server, a custom URL, and where the Price List API is asked then. */
typedef struct PricingCase
{
	const char *region;
	const char *url;			/* NULL: none */
	bool		fips;
	EndpointError error;
	const char *host;			/* of the endpoint */
	const char *signed_for;		/* the region */
} PricingCase;

static const PricingCase pricing[] = {
	{"us-east-1", NULL, false, SMF_ENDPOINT_OK, "api.pricing.us-east-1.amazonaws.com", "us-east-1"},
	{"us-west-2", NULL, false, SMF_ENDPOINT_OK, "api.pricing.us-east-1.amazonaws.com", "us-east-1"},
	{"sa-east-1", NULL, true, SMF_ENDPOINT_OK, "api.pricing-fips.us-east-1.amazonaws.com", "us-east-1"},
	{"eu-west-1", NULL, false, SMF_ENDPOINT_OK, "api.pricing.eu-central-1.amazonaws.com", "eu-central-1"},
	{"ap-southeast-2", NULL, false, SMF_ENDPOINT_OK, "api.pricing.ap-south-1.amazonaws.com", "ap-south-1"},
	{"cn-north-1", NULL, false, SMF_ENDPOINT_OK, "api.pricing.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
	{"eusc-de-east-1", NULL, false, SMF_ENDPOINT_OK, "api.pricing.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
	{"us-iso-west-1", NULL, false, SMF_ENDPOINT_OK, "api.pricing.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
	{"us-gov-west-1", NULL, false, SMF_ENDPOINT_NO_SERVICE, NULL, NULL},
	{"nowhere", NULL, false, SMF_ENDPOINT_BAD_REGION, NULL, NULL},
	/* a host says its region itself */
	{"us-west-2", "https://api.pricing.ap-south-1.amazonaws.com", false, SMF_ENDPOINT_OK,
	"api.pricing.ap-south-1.amazonaws.com", "ap-south-1"},
	{"us-west-2", "https://api.pricing-fips.eu-central-1.amazonaws.com/", false, SMF_ENDPOINT_OK,
	"api.pricing-fips.eu-central-1.amazonaws.com", "eu-central-1"},
	{"us-gov-west-1", "https://vpce-1.api.pricing.us-east-1.vpce.amazonaws.com", false, SMF_ENDPOINT_OK,
	"vpce-1.api.pricing.us-east-1.vpce.amazonaws.com", "us-east-1"},
	{"eu-west-1", "https://prices.example.com:8443", false, SMF_ENDPOINT_OK, "prices.example.com:8443", "eu-central-1"},
	{"eu-west-1", "https://pricing.example.com", false, SMF_ENDPOINT_OK, "pricing.example.com", "eu-central-1"},
	{"us-gov-east-1", "http://127.0.0.1:8080", false, SMF_ENDPOINT_OK, "127.0.0.1:8080", "us-gov-east-1"},
	{"us-east-1", "http://prices.example.com", false, SMF_ENDPOINT_PLAIN_HTTP, NULL, NULL}
};

static void
test_pricing(void)
{
	for (int i = 0; i < COUNT(pricing); i++)
	{
		char		title[200];
		AwsEndpoint endpoint;
		const char *region = pricing[i].region;

		snprintf(title, sizeof(title), "prices for %s by %s", region, pricing[i].url ? pricing[i].url : "the region's host");
		tap_is_int(smf_endpoint_of_pricing(&region, pricing[i].url, pricing[i].fips, &endpoint),
				   pricing[i].error, title);
		if (pricing[i].error != SMF_ENDPOINT_OK)
			continue;
		tap_is(endpoint.host, pricing[i].host, "... its host");
		tap_is(region, pricing[i].signed_for, "... the region that is signed for");
	}
}

int
main(void)
{
	test_regions();
	test_region_syntax();
	test_urls();
	test_pricing();
	return tap_end();
}
