/*-------------------------------------------------------------------------
 *
 * instance_metadata.c
 *		Credentials of the role that an EC2 instance has, by its metadata (version 2).
 *
 * Never asked for through a proxy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "aws/providers/provider.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH "latest/api/token"
#define TOKEN_TTL "x-aws-ec2-metadata-token-ttl-seconds: 21600"
#define CREDENTIALS_PATH "latest/meta-data/iam/security-credentials/"
#define TIMEOUT_MS 1000
#define ATTEMPTS 1

/* Longest name of a role, and of a token, that is taken. */
#define NAME_MAX_LEN 256

/* The metadata's address, with a slash at its end; palloc'ed. */
static char *
metadata_endpoint(const ProviderContext *context)
{
	const char *endpoint = smf_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = smf_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (endpoint == NULL)
		endpoint = smf_profile_get(context, context->profile, "ec2_metadata_service_endpoint");
	if (mode == NULL)
		mode = smf_profile_get(context, context->profile, "ec2_metadata_service_endpoint_mode");
	if (endpoint == NULL)
		endpoint = mode && pg_strcasecmp(mode, "ipv6") == 0 ? IPV6_ENDPOINT : IPV4_ENDPOINT;
	return psprintf("%s%s", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/");
}

/* Ask for a path; false when there is no good answer. */
static bool
ask(const ProviderContext *context, const char *method, const char *path, char *header,
	FetchAnswer *answer)
{
	HttpTarget	target = context->target;
	HttpMessage message = {.method = method, .headers = (const char *const *) &header, .nheaders = 1};

	if (strcmp(method, "PUT") == 0)
		message.body = "";
	target.url = psprintf("%s%s", metadata_endpoint(context), path);
	target.proxy_url = NULL;
	target.connect_timeout_ms = target.read_timeout_ms = TIMEOUT_MS;
	smf_fetch(&target, &message, ATTEMPTS, answer);
	return answer->result == SMF_HTTP_OK && answer->status == 200;
}

/* The first line of an answer, if it is something that fits a URL or a header. */
static char *
first_line(const FetchAnswer *answer)
{
	size_t		len = strcspn(answer->body, "\r\n");

	if (len == 0 || len > NAME_MAX_LEN || strcspn(answer->body, " ?#%") < len)
		return NULL;
	return pnstrdup(answer->body, len);
}

/* Credentials of the instance's role; false when this is no instance, or has none. */
bool
smf_provide_instance(ProviderContext *context, AwsCredentials *credentials)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "Code"};
	char	   *values[lengthof(names)];
	const char *disabled = smf_environment("AWS_EC2_METADATA_DISABLED");
	FetchAnswer answer;
	char	   *token;
	char	   *header;
	char	   *role;

	if (disabled != NULL && pg_strcasecmp(disabled, "true") == 0)
		return false;
	if (!ask(context, "PUT", TOKEN_PATH, pstrdup(TOKEN_TTL), &answer) ||
		(token = first_line(&answer)) == NULL)
		return false;
	smf_fetch_forget(&answer);
	header = psprintf("x-aws-ec2-metadata-token: %s", token);
	OPENSSL_cleanse(token, strlen(token));
	if (!ask(context, "GET", CREDENTIALS_PATH, header, &answer) ||
		(role = first_line(&answer)) == NULL)
		return false;
	if (!ask(context, "GET", psprintf("%s%s", CREDENTIALS_PATH, role), header, &answer) ||
		!smf_provider_read_json(answer.body, answer.body_len, NULL, names, values, lengthof(names)) ||
		values[0] == NULL || values[1] == NULL || values[2] == NULL)
		smf_provider_fail(context, "The instance's metadata gives no credentials for its role.", NULL);
	smf_fetch_forget(&answer);
	OPENSSL_cleanse(header, strlen(header));
	smf_provider_keep(credentials, "the instance's metadata", values[0], values[1], values[2],
					  values[3] ? smf_provider_time(values[3]) : 0);
	OPENSSL_cleanse(values[1], strlen(values[1]));
	OPENSSL_cleanse(values[2], strlen(values[2]));
	return true;
}
