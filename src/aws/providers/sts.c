/*-------------------------------------------------------------------------
 *
 * sts.c
 *		Roles, assumed with other credentials or with a web identity's token, and the
 *		account that credentials belong to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include <openssl/crypto.h>

#include "aws/arn.h"
#include "aws/endpoint.h"
#include "aws/error_code.h"
#include "aws/expiry.h"
#include "aws/json.h"
#include "aws/message.h"
#include "aws/providers/provider.h"
#include "aws/xml.h"

#define API_VERSION "2011-06-15"
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define ATTEMPTS 4

/* Room for everything in a form except a token: its parameters are limited in length. */
#define FORM_SIZE 16384

/* Append "name=value", percent-encoded, unless the value is NULL. */
static void
append_parameter(StringInfo form, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(form, "%s%s=", form->len > 0 ? "&" : "", name);
	smf_append_encoded(form, value);
}

static void
build_form(ProviderContext *context, const RoleRequest *request, StringInfo form)
{
	initStringInfo(form);
	/* growing the buffer would leave a copy of the token behind */
	enlargeStringInfo(form, FORM_SIZE + (request->web_identity_token ? 3 * strlen(request->web_identity_token) : 0));
	append_parameter(form, "Action", request->web_identity_token ?
					 "AssumeRoleWithWebIdentity" : "AssumeRole");
	append_parameter(form, "Version", API_VERSION);
	append_parameter(form, "RoleArn", request->role_arn);
	append_parameter(form, "RoleSessionName", request->session_name ?
					 request->session_name : context->config->default_session_name);
	append_parameter(form, "DurationSeconds", request->duration_seconds);
	append_parameter(form, "ExternalId", request->external_id);
	append_parameter(form, "WebIdentityToken", request->web_identity_token);
	(void) smf_secret(form->data);
}

/* Find the endpoint of STS: the server option's, a configured one, or the region's own. */
static void
find_endpoint(ProviderContext *context, const char *region, AwsEndpoint *endpoint)
{
	const AwsNetwork *network = &context->network->network;
	const char *custom = network->sts_endpoint_url ? network->sts_endpoint_url :
		smf_configured_endpoint(context, "sts", "STS");
	EndpointError error = smf_endpoint_of_sts(region, custom, network->use_fips_endpoint, endpoint);

	if (error != SMF_ENDPOINT_OK)
		smf_provider_fail(context, psprintf("The endpoint of STS is not usable. %s", smf_endpoint_error_text(error)),
						  NULL);
}

/* An element of STS's answer in the database encoding, palloc'ed; NULL if it is missing. */
static char *
element(const FetchAnswer *answer, const char *name)
{
	size_t		len;
	char	   *found = smf_xml_element(answer->body, answer->body_len, name, &len);
	char	   *text;

	if (found == NULL)
		return NULL;
	text = smf_text_from_utf8(found, len);
	OPENSSL_cleanse(found, len);
	free(found);
	return text;
}

/*
 * STS may call a web identity's token invalid only because it is very new, or because the
 * identity provider failed for a moment: the SDKs retry.
 */
static bool
may_pass(const FetchAnswer *answer)
{
	return answer->code != NULL && strcmp(answer->code, "InvalidIdentityToken") == 0;
}

/* STS does not answer, or answers with something else. */
smf_noreturn static void
raise_unreachable(ProviderContext *context, const FetchAnswer *answer)
{
	smf_provider_unreachable(context, "STS", context->account_asked ?
							 "The option sts_endpoint_url gives STS another address, and with account_id it is not asked." :
							 "The option sts_endpoint_url gives STS another address.", answer);
}

/* Send the form, signed with the time of the services' clock; NULL: no answer yet. */
static const FetchAnswer *
send_form(ProviderContext *context, const AwsCredentials *with, const char *region,
		  const AwsEndpoint *endpoint, const StringInfo form)
{
	static const FetchPolicy policy = {.attempts = ATTEMPTS, .may_pass = may_pass};
	AwsMessage	message = {
		.endpoint = endpoint,
		.region = region,
		.signing_name = "sts",
		.content_type = CONTENT_TYPE,
		.body = form->data,
		.body_len = form->len,
		.time_s = (int64) time(NULL) + context->clock_offset_s
	};
	SignedMessage signed_message;
	HttpTarget	target = context->target;

	target.url = endpoint->url;
	if (endpoint->loopback)
		target.network.proxy_url = NULL;
	if (!smf_message_sign(&message, with, NULL, &signed_message))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	/* an error may occur before they are overwritten */
	for (int i = 0; i < signed_message.http.nheaders; i++)
		(void) smf_secret(signed_message.lines[i]);
	return smf_fetch(context->inquiry, &target, &signed_message.http, &policy);
}

/* Does STS refuse the signature because of its time?  If so, learn STS's clock. */
static bool
learn_clock(ProviderContext *context, const FetchAnswer *answer)
{
	if (answer->result != SMF_HTTP_OK || answer->status < 400 || answer->date_s < 0 ||
		smf_error_class(answer->status, answer->code, answer->message) != SMF_RETRY_CLOCK_SKEW ||
		!smf_clock_offset_credible(answer->ahead_s))
		return false;
	context->clock_offset_s = answer->ahead_s;
	return true;
}

/*
 * Send the form; "with" signs it, NULL: it is not signed.  "why" is for messages.  NULL:
 * no answer yet.
 */
static const FetchAnswer *
ask(ProviderContext *context, const AwsCredentials *with, const StringInfo form, const char *why)
{
	char	   *region = smf_provider_region(context);
	AwsEndpoint endpoint;
	const FetchAnswer *answer;

	if (region == NULL)
		smf_provider_fail(context, psprintf("A region is needed to %s.", why),
						  "Set the option \"region\" of the server.");
	find_endpoint(context, region, &endpoint);
	answer = send_form(context, with, region, &endpoint, form);
	/* once more, with the service's clock */
	if (answer != NULL && with != NULL && learn_clock(context, answer))
		answer = send_form(context, with, region, &endpoint, form);
	if (answer != NULL && answer->result != SMF_HTTP_OK)
		raise_unreachable(context, answer);
	return answer;
}

/*
 * Raise that STS refused what was "asked" with these credentials (NULL: none); "hint" is
 * what may help if it did not refuse the credentials themselves.
 */
smf_noreturn static void
raise_refusal(ProviderContext *context, const char *asked, const AwsCredentials *with, const char *hint,
			  const FetchAnswer *answer)
{
	RetryClass	retry_class = smf_error_class(answer->status, answer->code, answer->message);
	bool		throttled = retry_class == SMF_RETRY_THROTTLED;
	KeyProblem	problem = smf_error_key_problem(answer->code, answer->message);

	if (throttled)
		hint = "Other programs may share the account's quota of STS.";
	else if (retry_class == SMF_RETRY_CLOCK_SKEW)
		hint = "Set the database server's clock.";
	else if (problem == SMF_KEY_ELSEWHERE)
		hint = psprintf("The endpoint is one of another region or service. Check the region and the sts_endpoint_url of server \"%s\".",
						context->config->server_name);
	else if (with != NULL && smf_error_refuses_credentials(answer->code))
		hint = smf_credentials_remedy(with, problem, smf_provider_region(context));
	else if (answer->code != NULL && strcmp(answer->code, "RegionDisabledException") == 0)
		hint = "Enable the region, or STS in it, in the AWS account.";

	/* any other text might come from anywhere in the network */
	if (answer->code == NULL || !smf_error_code_valid(answer->code))
		raise_unreachable(context, answer);
	ereport(ERROR,
			(errcode(throttled ? ERRCODE_INSUFFICIENT_RESOURCES : ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no AWS credentials for server \"%s\"", context->config->server_name),
			 errdetail("%s failed: %s: %s", asked, answer->code, answer->message ? answer->message : ""),
			 errhint("%s", hint)));
}

/* What may help where STS does not let a role be assumed, palloc'ed or a constant. */
static const char *
denial_hint(const RoleRequest *request)
{
	if (request->web_identity_token != NULL)
		return "The role's trust policy must allow sts:AssumeRoleWithWebIdentity to the issuer and the subject of the token.";
	return psprintf("Allow sts:AssumeRole on this role in the IAM policy of whoever assumes it, and name that identity in the role's trust policy.%s",
					request->external_id == NULL ? " If the trust policy asks for an external id, set the option external_id." : "");
}

/*
 * smf_sts_assume_role
 *		Credentials of a role; "with" signs the request; NULL for a web identity.
 */
ProviderResult
smf_sts_assume_role(ProviderContext *context, const AwsCredentials *with,
					const RoleRequest *request, AwsCredentials *credentials)
{
	StringInfoData form;
	const FetchAnswer *answer;
	char	   *access_key_id;
	char	   *secret_access_key;
	char	   *session_token;
	char	   *expiration;
	ArnField	account;

	/* Ask; the credentials that sign the request may be too old. */
	build_form(context, request, &form);
	answer = ask(context, with, &form, "assume a role");
	if (answer == NULL)
		return SMF_ASKED;
	if (answer->status != 200 && with != NULL && !context->asked_anew &&
		smf_error_refuses_credentials(answer->code) && smf_inquiry_restart(context->inquiry))
	{
		/* they expired on the way, or were kept too long */
		context->asked_anew = true;
		return SMF_ASKED;
	}
	if (answer->status != 200)
		raise_refusal(context, psprintf("%s to \"%s\"", request->web_identity_token ?
										"AssumeRoleWithWebIdentity" : "AssumeRole", request->role_arn), with,
					  denial_hint(request), answer);

	/* Read the answer. */
	access_key_id = element(answer, "AccessKeyId");
	secret_access_key = smf_secret(element(answer, "SecretAccessKey"));
	session_token = smf_secret(element(answer, "SessionToken"));
	expiration = element(answer, "Expiration");
	if (access_key_id == NULL || secret_access_key == NULL || session_token == NULL)
		smf_provider_fail(context, "STS's answer holds no credentials.", NULL);
	smf_provider_keep(credentials, request->web_identity_token ? "a role assumed with a web identity" : "an assumed role",
					  "Check that the role still exists.", access_key_id, secret_access_key, session_token);
	if (smf_arn_account(request->role_arn, &account))
		smf_provider_account(credentials, pnstrdup(account.text, account.len));
	smf_provider_expires(context, credentials, expiration ? smf_provider_time(expiration) : 0,
						 answer);
	return SMF_PROVIDED;
}

/*
 * smf_sts_caller_account
 *		The account that credentials belong to, palloc'ed; NULL: not known yet.  Also
 *		NULL if "refused" is given and STS refuses the credentials; then *refused is
 *		set.
 *
 * Raises 28000 if STS refuses them, 53000 if it keeps throttling, 08001 if it does not
 * answer.
 */
char *
smf_sts_caller_account(ProviderContext *context, const AwsCredentials *with, bool *refused)
{
	StringInfoData form;
	const FetchAnswer *answer;
	char	   *account;

	context->account_asked = true;
	initStringInfo(&form);
	append_parameter(&form, "Action", "GetCallerIdentity");
	append_parameter(&form, "Version", API_VERSION);
	answer = ask(context, with, &form, "ask STS for the account");
	if (answer == NULL)
		return NULL;
	if (refused != NULL && answer->status != 200 && smf_error_refuses_credentials(answer->code))
	{
		*refused = true;
		return NULL;
	}
	if (answer->status != 200)
		raise_refusal(context, "GetCallerIdentity", with,
					  "It needs no permission, but keys that STS knows.", answer);
	account = element(answer, "Account");
	if (account == NULL)
		smf_provider_fail(context, "STS's answer to GetCallerIdentity names no account.", NULL);
	return account;
}
