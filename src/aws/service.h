/*-------------------------------------------------------------------------
 *
 * service.h
 *		The AWS services that clients call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SERVICE_H
#define SMF_SERVICE_H

#include "aws/endpoint.h"
#include "aws/network.h"

/* An AWS service that uses the JSON 1.1 protocol.  Constants. */
typedef struct AwsService
{
	const char *signing_name;	/* used to sign requests, and in IAM policies */
	const char *target_prefix;	/* precedes the operation in X-Amz-Target */
	const char *url_option;		/* the server's option that replaces its endpoint */
	const char *other_host;		/* where to ask if a policy denies the region that was asked;
								 * NULL: nowhere */

	/* The URL that a server's options set for it; NULL: none, the region decides. */
	const char *(*custom_url) (const AwsNetwork *network);

	/*
	 * Find the endpoint for a server's region and its options, "network".  "*region" is
	 * replaced by the region that requests are signed for, if that is another one; its
	 * string is a constant, or is stored in the endpoint.
	 */
	EndpointError (*resolve) (const AwsNetwork *network, const char **region, AwsEndpoint *endpoint);
} AwsService;

extern const AwsService smf_sagemaker;
extern const AwsService smf_price_list;

#endif							/* SMF_SERVICE_H */
