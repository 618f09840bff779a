/*-------------------------------------------------------------------------
 *
 * sso.c
 *		Credentials from IAM Identity Center, using the token that "aws sso login"
 *		stored.
 *
 * The token is only read, never requested or refreshed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "aws/endpoint.h"
#include "aws/providers/provider.h"

#define SHA1_SIZE 20
#define ATTEMPTS 3

#define SIGN_IN "Run \"aws sso login\" as the database server's operating system user."

/* The token for a session or start URL, palloc'ed. */
static char *
cached_token(ProviderContext *context, const char *profile, const char *key)
{
	static const char *const names[] = {"accessToken", "expiresAt"};
	char	   *values[lengthof(names)];
	unsigned char digest[SHA1_SIZE];
	char		name[2 * SHA1_SIZE + 1];
	char	   *path;
	char	   *text;
	size_t		len;
	bool		good;

	if (!EVP_Digest(key, strlen(key), digest, NULL, EVP_sha1(), NULL))
		smf_provider_fail(context, "SHA-1 is not available.", NULL);
	for (int i = 0; i < SHA1_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", digest[i]);
	path = psprintf("~/.aws/sso/cache/%s.json", name);
	text = smf_provider_read_file(path, &len);
	if (text == NULL && errno != ENOENT && errno != ENOTDIR)
		smf_provider_fail(context, psprintf("The token of IAM Identity Center for profile \"%s\" cannot be read: %m", profile), NULL);
	if (text == NULL)
		smf_provider_fail(context, psprintf("There is no token of IAM Identity Center for profile \"%s\".", profile),
						  SIGN_IN);
	good = smf_provider_read_json(text, len, NULL, names, values, lengthof(names));
	OPENSSL_cleanse(text, len);
	if (!good || values[0] == NULL || values[1] == NULL)
		smf_provider_fail(context, psprintf("The file \"%s\" holds no token.", path), NULL);
	if (smf_provider_time(values[1]) <= (int64) time(NULL) + context->clock_offset_s)
		smf_provider_fail(context, psprintf("The token of IAM Identity Center for profile \"%s\" has expired.", profile),
						  SIGN_IN);
	return values[0];
}

/* The URL for the credentials of the profile's role, palloc'ed. */
static char *
url_of_role(const AwsEndpoint *endpoint, const char *role, const char *account)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s%sfederation/credentials?role_name=", endpoint->url,
					 endpoint->url[strlen(endpoint->url) - 1] == '/' ? "" : "/");
	smf_append_encoded(&url, role);
	appendStringInfoString(&url, "&account_id=");
	smf_append_encoded(&url, account);
	return url.data;
}

/* Credentials of the role in the profile's sso_account_id and sso_role_name. */
ProviderResult
smf_provide_sso(ProviderContext *context, const char *profile, AwsCredentials *credentials)
{
	static const char *const names[] = {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"};
	static const FetchPolicy policy = {.attempts = ATTEMPTS};
	char	   *values[lengthof(names)];
	const char *session = smf_profile_get(context, profile, "sso_session");
	const char *start_url = smf_profile_get(context, profile, "sso_start_url");
	const char *region = smf_profile_get(context, profile, "sso_region");
	const char *account = smf_profile_get(context, profile, "sso_account_id");
	const char *role = smf_profile_get(context, profile, "sso_role_name");
	AwsEndpoint endpoint;
	char	   *custom = NULL;
	char	   *token;
	char	   *header;
	HttpMessage message = {.method = "GET"};
	HttpTarget	target = context->target;
	const FetchAnswer *answer;

	if (account == NULL && role == NULL)
		return SMF_NOT_SET_UP;

	/* Find the settings, in the profile itself or in its session. */
	if (session != NULL)
	{
		if (!smf_config_has(&context->config_file, "sso-session", session))
			smf_provider_fail(context, psprintf("The sso_session \"%s\" of profile \"%s\" does not exist.",
												session, profile), NULL);
		start_url = smf_config_get(&context->config_file, "sso-session", session, "sso_start_url");
		region = smf_config_get(&context->config_file, "sso-session", session, "sso_region");
	}
	if (account == NULL || role == NULL || start_url == NULL || region == NULL)
		smf_provider_fail(context, psprintf("Profile \"%s\" lacks one of sso_start_url, sso_region, sso_account_id and sso_role_name.",
											profile), NULL);
	custom = smf_configured_endpoint(context, "sso", "SSO");
	if (smf_endpoint_of_service("portal.sso", region, custom, &endpoint) != SMF_ENDPOINT_OK)
		smf_provider_fail(context, psprintf("The endpoint of IAM Identity Center for profile \"%s\" is not usable.", profile), NULL);

	/* Ask, with the token. */
	token = cached_token(context, profile, session ? session : start_url);
	header = smf_secret_header("x-amz-sso_bearer_token", token);
	target.url = url_of_role(&endpoint, role, account);
	if (endpoint.loopback)
		target.network.proxy_url = NULL;
	message.headers = (const char *const *) &header;
	message.nheaders = 1;
	answer = smf_fetch(context->inquiry, &target, &message, &policy);
	if (answer == NULL)
		return SMF_ASKED;

	/* Read the answer. */
	if (answer->result == SMF_HTTP_OK && answer->status == 401)
		smf_provider_fail(context, psprintf("IAM Identity Center refuses the token for profile \"%s\".", profile), SIGN_IN);
	if (answer->result != SMF_HTTP_OK || answer->status != 200)
		smf_provider_unreachable(context, "IAM Identity Center", NULL, answer);
	if (!smf_provider_read_json(answer->body, answer->body_len, "roleCredentials", names, values, lengthof(names)) ||
		values[0] == NULL || values[1] == NULL || values[2] == NULL)
		smf_provider_fail(context, "IAM Identity Center's answer holds no credentials.", NULL);
	smf_provider_keep(credentials, "IAM Identity Center", "Check the profile's sso_account_id and sso_role_name.",
					  values[0], values[1], values[2]);
	smf_provider_account(credentials, account);
	/* this service uses milliseconds */
	smf_provider_expires(context, credentials, values[3] ? strtoll(values[3], NULL, 10) / 1000 : 0,
						 answer);
	return SMF_PROVIDED;
}
