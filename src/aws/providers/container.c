/*-------------------------------------------------------------------------
 *
 * container.c
 *		Credentials that a container's host provides: ECS tasks, EKS Pod Identity.
 *
 * They are never requested through a proxy, and without TLS only from this host and the
 * hosts of these services.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/endpoint.h"
#include "aws/providers/provider.h"

#define ECS_HOST "http://169.254.170.2"
#define TIMEOUT_MS 2000
#define ATTEMPTS 3

/* May credentials be requested there without TLS? */
static bool
plain_http_allowed(const char *url)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	AwsEndpoint endpoint;
	const char *authority = url + strlen("http://");
	size_t		len = strcspn(authority, "/?#");

	/* the part before an "@" is not a host */
	if (memchr(authority, '@', len) != NULL)
		return false;
	if (smf_endpoint_parse_url(psprintf("http://%.*s", (int) len, authority), &endpoint) == SMF_ENDPOINT_OK)
		return true;
	for (int i = 0; i < lengthof(hosts); i++)
	{
		size_t		host_len = strlen(hosts[i]);

		if (len >= host_len && strncmp(authority, hosts[i], host_len) == 0 &&
			(len == host_len || authority[host_len] == ':'))
			return true;
	}
	return false;
}

/* The Authorization header's value, palloc'ed; NULL when none is needed. */
static char *
authorization(ProviderContext *context)
{
	const char *path = smf_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = smf_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	char	   *text;
	size_t		len;

	if (path != NULL)
	{
		text = smf_provider_read_file(path, &len);
		if (text == NULL)
			smf_provider_fail(context, psprintf("The token file \"%s\" cannot be read: %m", path), NULL);
		while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			text[--len] = '\0';
	}
	else if (token != NULL)
		text = pstrdup(token);
	else
		return NULL;
	/* a line break would begin another header */
	if (strpbrk(text, "\r\n") != NULL)
		smf_provider_fail(context, "The container's authorization token has a line break.", NULL);
	return text;
}

/* Credentials from AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
ProviderResult
smf_provide_container(ProviderContext *context, AwsCredentials *credentials)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"};
	static const FetchPolicy policy = {.attempts = ATTEMPTS};
	char	   *values[lengthof(names)];
	const char *relative = smf_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = smf_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char	   *token;
	char	   *headers[2];
	HttpMessage message = {.method = "GET", .headers = (const char *const *) headers};
	HttpTarget	target = context->target;
	const FetchAnswer *answer;

	/* Find out whom to ask, and whether TLS may be omitted. */
	if (relative == NULL && full == NULL)
		return SMF_NOT_SET_UP;
	target.url = relative ? psprintf("%s%s%s", ECS_HOST, relative[0] == '/' ? "" : "/", relative) : full;
	if (strncmp(target.url, "https://", 8) != 0 &&
		(strncmp(target.url, "http://", 7) != 0 || !plain_http_allowed(target.url)))
		smf_provider_fail(context, "The container's credentials are at a host that is trusted only with TLS.",
						  "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to a loopback address or to the host of ECS or EKS.");

	/* Ask, with the headers that the host requires. */
	target.network.proxy_url = NULL;
	target.network.connect_timeout_ms = target.network.read_timeout_ms = TIMEOUT_MS;
	headers[message.nheaders++] = pstrdup("Accept: application/json");
	token = smf_inquiry_comes_again(context->inquiry) ? NULL : smf_secret(authorization(context));
	if (token != NULL)
		headers[message.nheaders++] = smf_secret_header("Authorization", token);
	answer = smf_fetch(context->inquiry, &target, &message, &policy);
	if (answer == NULL)
		return SMF_ASKED;

	/* Read the answer. */
	if (answer->result != SMF_HTTP_OK || answer->status != 200)
		smf_provider_unreachable(context, "The container's host", NULL, answer);
	if (!smf_provider_read_json(answer->body, answer->body_len, NULL, names, values, lengthof(names)) ||
		values[0] == NULL || values[1] == NULL)
		smf_provider_fail(context, "The answer of the container's host holds no credentials.", NULL);
	smf_provider_keep(credentials, "the container's host", "Check the role of the task or pod.",
					  values[0], values[1], values[2]);
	smf_provider_account(credentials, values[4]);
	smf_provider_expires(context, credentials, values[3] ? smf_provider_time(values[3]) : 0, answer);
	return SMF_PROVIDED;
}
