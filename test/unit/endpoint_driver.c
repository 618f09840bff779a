/*-------------------------------------------------------------------------
 *
 * endpoint_driver.c
 *		Prints the URL for each line "region fips dualstack custom" of its input.
 *
 * fips and dualstack are 0 or 1, custom is a URL or "-".  Where there is no
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
	char		region[128];
	char		custom[SMF_URL_SIZE];
	int			fips;
	int			dualstack;

	while (scanf("%127s %d %d %511s", region, &fips, &dualstack, custom) == 4)
	{
		AwsEndpoint endpoint;

		if (smf_endpoint_resolve(region, strcmp(custom, "-") == 0 ? NULL : custom, fips, dualstack,
								 &endpoint) == SMF_ENDPOINT_OK)
			puts(endpoint.url);
		else
			puts("error");
	}
	return 0;
}
