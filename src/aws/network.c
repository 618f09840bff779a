/*-------------------------------------------------------------------------
 *
 * network.c
 *		How a server's options say to reach AWS.
 *
 * These functions copy them for data that outlives the options' own memory.
 *
 * Not accounted for: which values the options may have; that is checked when they are
 * set.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/network.h"

/*
 * smf_copy_string
 *		A palloc'ed copy; NULL for NULL.
 */
char *
smf_copy_string(const char *string)
{
	return string ? pstrdup(string) : NULL;
}

/*
 * smf_http_network_copy
 *		A copy whose strings are palloc'ed.
 */
HttpNetwork
smf_http_network_copy(const HttpNetwork *network)
{
	HttpNetwork copy = *network;

	copy.ca_bundle = smf_copy_string(network->ca_bundle);
	copy.proxy_url = smf_copy_string(network->proxy_url);
	return copy;
}

/* The same for all of it. */
AwsNetwork
smf_network_copy(const AwsNetwork *network)
{
	AwsNetwork	copy = *network;

	copy.endpoint_url = smf_copy_string(network->endpoint_url);
	copy.sts_endpoint_url = smf_copy_string(network->sts_endpoint_url);
	copy.pricing_endpoint_url = smf_copy_string(network->pricing_endpoint_url);
	copy.http = smf_http_network_copy(&network->http);
	return copy;
}
