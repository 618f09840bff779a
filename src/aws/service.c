/*-------------------------------------------------------------------------
 *
 * service.c
 *		The AWS services that clients call: their names and endpoints.
 *
 * Not accounted for: the services that provide credentials.  STS and IAM Identity Center
 * use other protocols (providers/).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/service.h"

static const char *
sagemaker_url(const AwsNetwork *network)
{
	return network->endpoint_url;
}

static EndpointError
resolve_sagemaker(const AwsNetwork *network, const char **region, AwsEndpoint *endpoint)
{
	return smf_endpoint_resolve(*region, network->endpoint_url, network->use_fips_endpoint,
								network->use_dualstack_endpoint, endpoint);
}

/* SageMaker itself: each region has its own endpoint. */
const AwsService smf_sagemaker = {
	.signing_name = "sagemaker",
	.target_prefix = "SageMaker",
	.url_option = "endpoint_url",
	.custom_url = sagemaker_url,
	.resolve = resolve_sagemaker
};

static const char *
pricing_url(const AwsNetwork *network)
{
	return network->pricing_endpoint_url;
}

static EndpointError
resolve_pricing(const AwsNetwork *network, const char **region, AwsEndpoint *endpoint)
{
	return smf_endpoint_of_pricing(region, network->pricing_endpoint_url,
								   network->use_fips_endpoint, endpoint);
}

/* The Price List API: a few regions have it, each with the prices of the whole partition. */
const AwsService smf_price_list = {
	.signing_name = "pricing",
	.target_prefix = "AWSPriceListService",
	.url_option = "pricing_endpoint_url",
	.other_host = "https://api.pricing.ap-south-1.amazonaws.com",
	.custom_url = pricing_url,
	.resolve = resolve_pricing
};
