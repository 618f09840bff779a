/*-------------------------------------------------------------------------
 *
 * network.h
 *		How a server's options say to reach AWS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_NETWORK_H
#define SMF_NETWORK_H

#include "http/http.h"

/*
 * The options unchanged, on their way from the option table to the requests of calls and
 * of credential sources.  The strings belong to the owner.
 */
typedef struct AwsNetwork
{
	const char *endpoint_url;	/* for SageMaker; NULL: derived from the region */
	bool		use_fips_endpoint;	/* derive the FIPS endpoint */
	bool		use_dualstack_endpoint; /* derive the dual-stack endpoint */
	const char *sts_endpoint_url;	/* for STS; NULL: derived from the region */
	const char *pricing_endpoint_url;	/* for the Price List API; the same */
	HttpNetwork http;			/* for every request */
} AwsNetwork;

extern char *smf_copy_string(const char *string);
extern HttpNetwork smf_http_network_copy(const HttpNetwork *network);
extern AwsNetwork smf_network_copy(const AwsNetwork *network);

#endif							/* SMF_NETWORK_H */
