/*-------------------------------------------------------------------------
 *
 * endpoint_driver.c
 *		Prints the URL for each line "service region fips dualstack custom" of its
 *		input.
 *
 * service is sagemaker or sts, fips and dualstack are 0 or 1 (which STS does not
 * have here), custom is a URL or "-".  Where there is no
 * endpoint it prints "error".
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "aws/endpoint.h"

int
main(void)
{
	char		service[16];
	char		region[128];
	char		custom[SMF_URL_SIZE];
	int			fips;
	int			dualstack;

	while (scanf("%15s %127s %d %d %511s", service, region, &fips, &dualstack, custom) == 5)
	{
		const char *url = strcmp(custom, "-") == 0 ? NULL : custom;
		AwsEndpoint endpoint;
		EndpointError error;

		if (strcmp(service, "sts") == 0)
			error = smf_endpoint_of_sts(region, url, fips, &endpoint);
		else
			error = smf_endpoint_resolve(region, url, fips, dualstack, &endpoint);
		if (error == SMF_ENDPOINT_OK)
			puts(endpoint.url);
		else
			puts("error");
	}
	return 0;
}
