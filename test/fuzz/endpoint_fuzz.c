/*-------------------------------------------------------------------------
 *
 * endpoint_fuzz.c
 *		Regions and endpoints.
 *
 * Input: a byte for the variants; a region and a URL, each up to a NUL.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/endpoint.h"

#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]"

/* What must hold of an endpoint that requests may be signed for. */
static void
check_endpoint(const AwsEndpoint *endpoint)
{
	const char *scheme = endpoint->https ? "https://" : "http://";
	const char *host = endpoint->url + strlen(scheme);
	size_t		host_len = strspn(endpoint->host, HOST_CHARACTERS);
	size_t		name_len = endpoint->host[0] == '[' ? strcspn(endpoint->host, "]") + 1 :
		strcspn(endpoint->host, ":");

	FUZZ_CHECK(strncmp(endpoint->url, scheme, strlen(scheme)) == 0);
	FUZZ_CHECK(endpoint->https || endpoint->loopback);
	FUZZ_CHECK(host_len > 0 && endpoint->host[host_len] == '\0');
	/* the host that is signed is the one that is connected to */
	FUZZ_CHECK(strncmp(host, endpoint->host, name_len) == 0);
	FUZZ_CHECK(host[name_len] == '\0' || host[name_len] == ':' || host[name_len] == '/');
	FUZZ_CHECK(endpoint->path[0] == '/' && strpbrk(endpoint->path, "?#@%\\ \r\n") == NULL);
	FUZZ_CHECK(strstr(endpoint->path, "//") == NULL && strstr(endpoint->path, "/.") == NULL);
	if (endpoint->loopback)
		FUZZ_CHECK(strncmp(endpoint->host, "127.", 4) == 0 || strncmp(endpoint->host, "localhost", 9) == 0 ||
				   strncmp(endpoint->host, "[::1]", 5) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};
	uint8_t		variants = fuzz_byte(&input);
	char	   *region = fuzz_string(&input);
	char	   *url = fuzz_string(&input);
	AwsEndpoint endpoint;
	EndpointError error;

	error = smf_endpoint_resolve(region, NULL, (variants & 1) != 0, (variants & 2) != 0, &endpoint);
	FUZZ_CHECK(error == (smf_region_valid(region) ? SMF_ENDPOINT_OK : SMF_ENDPOINT_BAD_REGION));
	if (error == SMF_ENDPOINT_OK)
	{
		check_endpoint(&endpoint);
		FUZZ_CHECK(strpbrk(region, "./:@") == NULL && strstr(endpoint.host, region) != NULL);
		FUZZ_CHECK(smf_endpoint_of_service("sts", region, NULL, &endpoint) == SMF_ENDPOINT_OK);
		check_endpoint(&endpoint);
	}
	else
		FUZZ_CHECK(smf_endpoint_error_text(error)[0] != '\0');

	error = smf_endpoint_parse_url(url, &endpoint);
	if (error == SMF_ENDPOINT_OK)
	{
		check_endpoint(&endpoint);
		FUZZ_CHECK(strcmp(endpoint.url, url) == 0);
	}
	else
		FUZZ_CHECK(smf_endpoint_error_text(error)[0] != '\0');
	fuzz_reset();
	return 0;
}
