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

/* One of AWS's services with JSON 1.1 as its protocol.  Constants. */
typedef struct AwsService
{
	const char *signing_name;	/* as requests are signed with it, and IAM policies know it */
	const char *target_prefix;	/* what stands before the operation in X-Amz-Target */
	const char *url_option;		/* the server's option that replaces its endpoint */
	const char *other_host;		/* where it may be asked if a policy denies the region that it is
								 * asked in; NULL: nowhere */

	/* The URL that a server's options give for it; NULL: none, it depends on the region. */
	const char *(*custom_url) (const AwsNetwork *network);

	/*
	 * Find the endpoint for a server's region, whose options are "network".  "*region" is
	 * replaced by the region that requests are signed for, if that is another one; its string
	 * is a constant, or in the endpoint.
	 */
	EndpointError (*resolve) (const AwsNetwork *network, const char **region, AwsEndpoint *endpoint);
} AwsService;

extern const AwsService smf_sagemaker;
extern const AwsService smf_price_list;

#endif							/* SMF_SERVICE_H */
