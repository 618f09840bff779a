/*-------------------------------------------------------------------------
 *
 * network.h
 *		How a server's options say that AWS is reached.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_NETWORK_H
#define SMF_NETWORK_H

#include "http/http.h"

/*
 * The options as they are, on their way from the option table to the requests of calls and
 * of sources of credentials.  Strings are the owner's.
 */
typedef struct AwsNetwork
{
	const char *endpoint_url;	/* of SageMaker; NULL: derived from the region */
	bool		use_fips_endpoint;	/* derive the one with FIPS */
	bool		use_dualstack_endpoint; /* derive the one with IPv6 */
	const char *sts_endpoint_url;	/* of STS; NULL: derived from the region */
	const char *pricing_endpoint_url;	/* of the Price List API; the same */
	HttpNetwork http;			/* of every request */
} AwsNetwork;

extern char *smf_copy_string(const char *string);
extern HttpNetwork smf_http_network_copy(const HttpNetwork *network);
extern AwsNetwork smf_network_copy(const AwsNetwork *network);

#endif							/* SMF_NETWORK_H */
