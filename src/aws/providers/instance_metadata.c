/*-------------------------------------------------------------------------
 *
 * instance_metadata.c
 *		Credentials of an EC2 instance's role, from the instance metadata (version 2).
 *
 * They are never requested through a proxy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/ascii.h"
#include "aws/providers/provider.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH "latest/api/token"
#define TOKEN_TTL "x-aws-ec2-metadata-token-ttl-seconds: 21600"
#define CREDENTIALS_PATH "latest/meta-data/iam/security-credentials/"
#define TIMEOUT_MS 1000

/* Longest role name, and longest token, that is accepted. */
#define NAME_MAX_LEN 256

/* The metadata's address, ending in a slash; palloc'ed. */
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

/* Request a path; NULL: no answer yet. */
static const FetchAnswer *
ask(const ProviderContext *context, const char *method, const char *path, const char *header)
{
	/*
	 * a request that was answered with a failure is sent once more; one without an answer
	 * is not, so that a machine that is not an instance waits only once
	 */
	static const FetchPolicy policy = {.attempts = 2, .answered_only = true};
	HttpTarget	target = context->target;
	HttpMessage message = {.method = method, .headers = &header, .nheaders = 1};

	if (strcmp(method, "PUT") == 0)
		message.body = "";
	target.url = psprintf("%s%s", metadata_endpoint(context), path);
	target.network.proxy_url = NULL;
	target.network.connect_timeout_ms = target.network.read_timeout_ms = TIMEOUT_MS;
	return smf_fetch(context->inquiry, &target, &message, &policy);
}

static bool
is_good(const FetchAnswer *answer)
{
	return answer->result == SMF_HTTP_OK && answer->status == 200;
}

/* This is not an instance, or it has no role: describe the outcome. */
static ProviderResult
no_instance(ProviderContext *context, const FetchAnswer *answer, const char *what)
{
	char	   *endpoint = metadata_endpoint(context);

	if (answer->result != SMF_HTTP_OK)
		context->no_instance =
			psprintf("The instance's metadata at %s does not answer (%s); from a container it is reached only if the instance's hop limit for metadata is at least 2.",
					 endpoint, answer->error);
	else if (answer->status != 200)
		context->no_instance = psprintf("The instance's metadata at %s answered with HTTP status %d when it was asked for a %s; %s.",
										endpoint, answer->status, what, strcmp(what, "role") == 0 ?
										"an instance profile gives the instance a role" : "metadata may be switched off for the instance");
	else
		context->no_instance = psprintf("The instance's metadata at %s gave no %s.", endpoint, what);
	return SMF_NOT_SET_UP;
}

/* The first line of an answer, if it can be part of a URL or a header. */
static char *
first_line(const FetchAnswer *answer)
{
	size_t		len = strcspn(answer->body, "\r\n");
	char	   *line;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	line = smf_secret(pnstrdup(answer->body, len));
	return smf_is_visible_ascii(line) && strpbrk(line, "?#%") == NULL ? line : NULL;
}

/* Credentials of the instance's role. */
ProviderResult
smf_provide_instance(ProviderContext *context, AwsCredentials *credentials)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "Code"};
	char	   *values[lengthof(names)];
	const char *disabled = smf_environment("AWS_EC2_METADATA_DISABLED");
	const FetchAnswer *answer;
	char	   *token;
	char	   *header;
	char	   *role;

	if (disabled != NULL && pg_strcasecmp(disabled, "true") == 0)
		return SMF_NOT_SET_UP;

	/* A token, which all other requests need. */
	answer = ask(context, "PUT", TOKEN_PATH, TOKEN_TTL);
	if (answer == NULL)
		return SMF_ASKED;
	if (!is_good(answer) || (token = first_line(answer)) == NULL)
		return no_instance(context, answer, "token");
	header = smf_secret_header("x-aws-ec2-metadata-token", token);

	/* The role's name, then its keys. */
	answer = ask(context, "GET", CREDENTIALS_PATH, header);
	if (answer != NULL && is_good(answer) && (role = first_line(answer)) != NULL)
		answer = ask(context, "GET", psprintf("%s%s", CREDENTIALS_PATH, role), header);
	else if (answer != NULL)
		return no_instance(context, answer, "role");
	if (answer == NULL)
		return SMF_ASKED;
	if (!is_good(answer))
		smf_provider_unreachable(context, "The instance's metadata", NULL, answer);
	if (!smf_provider_read_json(answer->body, answer->body_len, NULL, names, values, lengthof(names)) ||
		values[0] == NULL || values[1] == NULL || values[2] == NULL)
		smf_provider_fail(context, "The instance's metadata gives no credentials for its role.",
						  "Check the instance profile's role, and its trust policy for ec2.amazonaws.com.");
	smf_provider_keep(credentials, "the instance's metadata", "Check the role of the instance.",
					  values[0], values[1], values[2]);
	smf_provider_expires(context, credentials, values[3] ? smf_provider_time(values[3]) : 0, answer);
	return SMF_PROVIDED;
}
