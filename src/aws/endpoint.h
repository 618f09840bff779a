/*-------------------------------------------------------------------------
 *
 * endpoint.h
 *		Where a region's calls go.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ENDPOINT_H
#define SMF_ENDPOINT_H

#include <stdbool.h>

/* Longest URL, host and path that are accepted, with their NUL. */
#define SMF_URL_SIZE 512

/* Longest region, with its NUL. */
#define SMF_ENDPOINT_REGION_SIZE 64

/* Where to connect, and what to sign.  Contains no pointers. */
typedef struct AwsEndpoint
{
	char		url[SMF_URL_SIZE];	/* scheme, host, port, path */
	char		host[SMF_URL_SIZE]; /* the Host header: includes a port that is not the
									 * scheme's default */
	char		path[SMF_URL_SIZE]; /* at least "/" */
	char		region[SMF_ENDPOINT_REGION_SIZE];	/* the region in a custom URL's host, set
													 * by smf_endpoint_of_pricing */
	bool		https;
	bool		loopback;		/* the host is this machine */
} AwsEndpoint;

/* What is wrong with a region or a URL. */
typedef enum EndpointError
{
	SMF_ENDPOINT_OK,
	SMF_ENDPOINT_BAD_REGION,
	SMF_ENDPOINT_BAD_URL,
	SMF_ENDPOINT_PLAIN_HTTP,	/* http to another machine */
	SMF_ENDPOINT_NO_SERVICE,	/* the partition has no Price List API */
	SMF_ENDPOINT_CUSTOM_VARIANT /* FIPS or dual stack with a custom endpoint */
} EndpointError;

extern bool smf_region_valid(const char *region);
extern EndpointError smf_endpoint_parse_url(const char *url, AwsEndpoint *endpoint);
extern EndpointError smf_endpoint_resolve(const char *region, const char *custom_url,
										  bool fips, bool dualstack, AwsEndpoint *endpoint);
extern EndpointError smf_endpoint_of_service(const char *service, const char *region,
											 const char *custom_url, AwsEndpoint *endpoint);
extern EndpointError smf_endpoint_of_sts(const char *region, const char *custom_url, bool fips,
										 AwsEndpoint *endpoint);
extern EndpointError smf_endpoint_of_pricing(const char **region, const char *custom_url, bool fips,
											 AwsEndpoint *endpoint);
extern const char *smf_endpoint_error_text(EndpointError error);

#endif							/* SMF_ENDPOINT_H */
