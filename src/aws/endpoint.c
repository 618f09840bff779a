/*-------------------------------------------------------------------------
 *
 * endpoint.c
 *		Where a region's calls go.
 *
 * Pure.  A region becomes part of a host name, so its form is checked first: one with a
 * dot or a slash in it could send signed requests anywhere.
 *
 * Not accounted for: dual-stack endpoints of services other than SageMaker.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ascii.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* A group of regions that share their domain names. */
typedef struct Partition
{
	const char *region_prefix;	/* "" for all regions that no other row matches */
	const char *suffix;
	const char *dualstack_suffix;
	bool		dashed_fips;	/* FIPS without dual stack uses api-fips.sagemaker */
} Partition;

static const Partition partitions[] = {
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false},
	{"us-gov-", "amazonaws.com", "api.aws", true},
	{"eusc-de-", "amazonaws.eu", "api.amazonwebservices.eu", false},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false},
	{"", "amazonaws.com", "api.aws", true}
};

static bool
begins_with(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

/*
 * smf_region_valid
 *		Does it have the form of an AWS region, whether or not such a region exists?
 *
 * It consists of two to four lower-case letters, one to three words, and a number, with
 * hyphens between: us-east-1, us-gov-west-1, eusc-de-east-1.  AWS's own patterns are no
 * narrower in words and numbers.  Anything else that fits into a host name might be
 * another service: "s3" would make the host "api.sagemaker.s3...".
 */
bool
smf_region_valid(const char *region)
{
	const char *c = region;
	size_t		len = strspn(c, LETTERS);
	int			words = 0;

	if (strlen(region) > 63 || len < 2 || len > 4)
		return false;
	for (c += len; c[0] == '-' && strspn(c + 1, LETTERS) > 0; words++)
		c += 1 + strspn(c + 1, LETTERS DIGITS);
	if (words < 1 || words > 3 || *c != '-')
		return false;
	len = strspn(c + 1, DIGITS);
	return len > 0 && c[1 + len] == '\0';
}

/* Four numbers up to 255, the first of them 127. */
static bool
is_loopback_ipv4(const char *host)
{
	int			numbers[4];
	int			used = 0;

	return sscanf(host, "%3d.%3d.%3d.%3d%n", &numbers[0], &numbers[1], &numbers[2], &numbers[3],
				  &used) == 4 &&
		host[used] == '\0' && strspn(host, "0123456789.") == strlen(host) &&
		numbers[0] == 127 && numbers[1] <= 255 && numbers[2] <= 255 && numbers[3] <= 255 &&
		host[0] == '1';
}

static bool
is_host_name(const char *host)
{
	bool		label_start = true;

	if (*host == '\0')
		return false;
	for (; *host != '\0'; host++)
	{
		if (*host == '.')
		{
			if (label_start)
				return false;
			label_start = true;
			continue;
		}
		if (!smf_is_alphanumeric(*host) && *host != '-' && *host != '_')
			return false;
		label_start = false;
	}
	return true;
}

/* "[...]" around what looks like an IPv6 address; libcurl checks the rest. */
static bool
is_bracketed_ipv6(const char *host)
{
	size_t		digits = strspn(host + 1, "0123456789abcdefABCDEF:.");

	return digits >= 2 && strcmp(host + 1 + digits, "]") == 0 && strchr(host, ':') != NULL;
}

/*
 * Only plain segments: a server or a proxy might rewrite others, and the signature would
 * not match.
 */
static bool
is_plain_path(const char *path)
{
	if (*path != '/')
		return *path == '\0';
	for (const char *c = path; *c != '\0'; c++)
	{
		if (!smf_is_alphanumeric(*c) && strchr("/-._~", *c) == NULL)
			return false;
		if (*c == '/' && (c[1] == '/' || c[1] == '.'))
			return false;
	}
	return true;
}

/*
 * smf_endpoint_parse_url
 *		Split a custom endpoint into its parts.
 *
 * It must be https, or http to this machine by its loopback address or as "localhost";
 * with a host, a port and a path of plain segments; without user, query or fragment.
 */
EndpointError
smf_endpoint_parse_url(const char *url, AwsEndpoint *endpoint)
{
	const char *at;
	size_t		authority_len;
	size_t		host_len;
	char		host[SMF_URL_SIZE];
	const char *port;
	int			port_number = 0;
	bool		bracketed;

	/* Scheme and path; host and port are between them. */
	memset(endpoint, 0, sizeof(*endpoint));
	if (strlen(url) >= SMF_URL_SIZE)
		return SMF_ENDPOINT_BAD_URL;
	endpoint->https = begins_with(url, "https://");
	if (!endpoint->https && !begins_with(url, "http://"))
		return SMF_ENDPOINT_BAD_URL;
	at = strstr(url, "//") + 2;
	authority_len = strcspn(at, "/?#");
	if (!is_plain_path(at + authority_len))
		return SMF_ENDPOINT_BAD_URL;

	/* The host, by name or by address. */
	bracketed = *at == '[';
	host_len = bracketed ? strcspn(at, "]") + 1 : strcspn(at, ":/?#");
	if (host_len > authority_len)
		return SMF_ENDPOINT_BAD_URL;
	memcpy(host, at, host_len);
	host[host_len] = '\0';
	if (bracketed ? !is_bracketed_ipv6(host) : !is_host_name(host))
		return SMF_ENDPOINT_BAD_URL;

	/* The port, if there is one. */
	port = at + host_len;
	if (host_len < authority_len)
	{
		size_t		digits = strspn(port + 1, "0123456789");

		if (*port != ':' || digits < 1 || digits > 5 || digits + 1 != authority_len - host_len)
			return SMF_ENDPOINT_BAD_URL;
		port_number = atoi(port + 1);
		if (port_number < 1 || port_number > 65535)
			return SMF_ENDPOINT_BAD_URL;
	}

	/* Requests without TLS must not leave this machine. */
	endpoint->loopback = strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		is_loopback_ipv4(host);
	if (!endpoint->https && !endpoint->loopback)
		return SMF_ENDPOINT_PLAIN_HTTP;

	/* The Host header omits the scheme's default port, as clients do. */
	if (port_number == 0 || port_number == (endpoint->https ? 443 : 80))
		snprintf(endpoint->host, sizeof(endpoint->host), "%s", host);
	else
		snprintf(endpoint->host, sizeof(endpoint->host), "%.*s:%d", (int) host_len, host, port_number);
	snprintf(endpoint->path, sizeof(endpoint->path), "%s",
			 at[authority_len] == '\0' ? "/" : at + authority_len);
	snprintf(endpoint->url, sizeof(endpoint->url), "%s", url);
	return SMF_ENDPOINT_OK;
}

static const Partition *
partition_of(const char *region)
{
	const Partition *partition = partitions;

	while (!begins_with(region, partition->region_prefix))
		partition++;
	return partition;
}

/*
 * smf_endpoint_resolve
 *		The endpoint of a region, or a custom one.
 *
 * "custom_url" is NULL for the region's own.  An unknown region is assumed to belong to
 * the partition aws.
 */
EndpointError
smf_endpoint_resolve(const char *region, const char *custom_url, bool fips, bool dualstack,
					 AwsEndpoint *endpoint)
{
	const Partition *partition;
	const char *service;

	if (!smf_region_valid(region))
		return SMF_ENDPOINT_BAD_REGION;
	if (custom_url != NULL)
		return fips || dualstack ? SMF_ENDPOINT_CUSTOM_VARIANT :
			smf_endpoint_parse_url(custom_url, endpoint);

	partition = partition_of(region);
	if (!fips)
		service = "api.sagemaker";
	else if (!dualstack && partition->dashed_fips)
		service = "api-fips.sagemaker";
	else
		service = "api.sagemaker-fips";

	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->https = true;
	snprintf(endpoint->host, sizeof(endpoint->host), "%s.%s.%s", service, region,
			 dualstack ? partition->dualstack_suffix : partition->suffix);
	snprintf(endpoint->path, sizeof(endpoint->path), "/");
	snprintf(endpoint->url, sizeof(endpoint->url), "https://%.250s/", endpoint->host);
	return SMF_ENDPOINT_OK;
}

/*
 * smf_endpoint_of_service
 *		The endpoint of another service in a region, or a custom one.
 *
 * "service" is the part of the host before the region.
 */
EndpointError
smf_endpoint_of_service(const char *service, const char *region, const char *custom_url,
						AwsEndpoint *endpoint)
{
	if (!smf_region_valid(region))
		return SMF_ENDPOINT_BAD_REGION;
	if (custom_url != NULL)
		return smf_endpoint_parse_url(custom_url, endpoint);
	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->https = true;
	snprintf(endpoint->host, sizeof(endpoint->host), "%s.%s.%s", service, region,
			 partition_of(region)->suffix);
	snprintf(endpoint->path, sizeof(endpoint->path), "/");
	snprintf(endpoint->url, sizeof(endpoint->url), "https://%.250s/", endpoint->host);
	return SMF_ENDPOINT_OK;
}

/*
 * smf_endpoint_of_sts
 *		The endpoint of STS in a region, or a custom one, which has no variants.
 *
 * In aws-us-gov the plain endpoint is the FIPS one, and there is no other.
 */
EndpointError
smf_endpoint_of_sts(const char *region, const char *custom_url, bool fips, AwsEndpoint *endpoint)
{
	return smf_endpoint_of_service(fips && !begins_with(region, "us-gov-") ? "sts-fips" : "sts",
								   region, custom_url, endpoint);
}

/*
 * The region in the host of a Price List API URL, for which requests to it are signed:
 * "api.pricing.REGION...", "api.pricing-fips.REGION...", "ID.api.pricing.REGION.vpce...".
 * Fills "region", which has the size of an endpoint's; false when there is none.
 */
static bool
region_of_pricing_host(const char *host, char *region)
{
	const char *label = host;

	while (label != NULL && !begins_with(label, "pricing.") && !begins_with(label, "pricing-fips."))
	{
		label = strchr(label, '.');
		if (label != NULL)
			label++;
	}
	if (label == NULL)
		return false;
	label = strchr(label, '.') + 1;
	snprintf(region, SMF_ENDPOINT_REGION_SIZE, "%.*s", (int) strcspn(label, ".:"), label);
	return smf_region_valid(region);
}

/*
 * smf_endpoint_of_pricing
 *		The endpoint of the Price List API for credentials of a region's partition, or
 *		a custom one, which has no variants.
 *
 * "*region" becomes the region that requests are signed for: that in the host, stored in
 * the endpoint, or a constant.  The API exists in few regions, each of which has the
 * prices of its whole partition.  Source: the AWS General Reference, "Price List Query
 * API endpoints".
 */
EndpointError
smf_endpoint_of_pricing(const char **region, const char *custom_url, bool fips,
						AwsEndpoint *endpoint)
{
	/* The first matching prefix counts.  GovCloud has no host; its prices are elsewhere. */
	static const char *const hosts[][2] = {
		{"us-gov-", NULL}, {"cn-", "cn-northwest-1"}, {"eusc-de-", "eusc-de-east-1"},
		{"us-iso-", "us-iso-east-1"}, {"us-isob-", "us-isob-east-1"}, {"eu-isoe-", "eu-isoe-west-1"},
		{"us-isof-", "us-isof-south-1"}, {"eu-", "eu-central-1"}, {"ap-", "ap-south-1"},
		{"", "us-east-1"}
	};
	int			i = 0;
	EndpointError error;

	if (!smf_region_valid(*region))
		return SMF_ENDPOINT_BAD_REGION;
	while (!begins_with(*region, hosts[i][0]))
		i++;
	if (custom_url != NULL)
	{
		error = smf_endpoint_parse_url(custom_url, endpoint);
		if (error == SMF_ENDPOINT_OK && region_of_pricing_host(endpoint->host, endpoint->region))
			*region = endpoint->region;
		else if (hosts[i][1] != NULL)
			*region = hosts[i][1];
		return error;
	}
	if (hosts[i][1] == NULL)
		return SMF_ENDPOINT_NO_SERVICE;
	*region = hosts[i][1];
	return smf_endpoint_of_service(fips ? "api.pricing-fips" : "api.pricing", *region, NULL, endpoint);
}

/* What would be accepted instead, as a sentence; a constant. */
const char *
smf_endpoint_error_text(EndpointError error)
{
	switch (error)
	{
		case SMF_ENDPOINT_OK:
			break;
		case SMF_ENDPOINT_BAD_REGION:
			return "A region is written like us-east-1 or us-gov-west-1.";
		case SMF_ENDPOINT_BAD_URL:
			return "An endpoint is https://host, with an optional port and path, and nothing else.";
		case SMF_ENDPOINT_PLAIN_HTTP:
			return "Plain http is accepted to a loopback address only (127.0.0.1, [::1], localhost).";
		case SMF_ENDPOINT_NO_SERVICE:
			return "AWS GovCloud has no Price List API. Ask for its prices through a server with credentials of a commercial account, with regions => ARRAY['us-gov-west-1'].";
		case SMF_ENDPOINT_CUSTOM_VARIANT:
			return "use_fips_endpoint and use_dualstack_endpoint cannot be combined with endpoint_url.";
	}
	return "";
}
