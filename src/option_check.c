/*-------------------------------------------------------------------------
 *
 * option_check.c
 *		The format of option values.
 *
 * Not accounted for: what a value refers to.  Whether such a file, role or host exists is
 * noticed when it is used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/ascii.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "option_check.h"
#include "utils/guc.h"

#define DIGITS "0123456789"

/* Longest ARN of a role, and longest path and name in it. */
#define ROLE_ARN_MAX 2048

/*
 * smf_has_control_characters
 *		Does it contain line breaks or similar characters, which must not get into a
 *		log?
 */
bool
smf_has_control_characters(const char *value)
{
	for (; *value; value++)
	{
		if ((unsigned char) *value < 0x20 || *value == 0x7f)
			return true;
	}
	return false;
}

/*
 * smf_parse_decimal
 *		Parse an integer or a plain decimal ("10", "0.5"); false for anything else.
 *
 * No sign, exponent or blanks are accepted, nor anything else that strtod would accept.
 */
bool
smf_parse_decimal(const char *value, bool whole, double *result)
{
	const char *c = value + strspn(value, DIGITS);

	if (c == value)
		return false;
	if (*c == '.' && !whole)
	{
		size_t		digits = strspn(c + 1, DIGITS);

		if (digits == 0)
			return false;
		c += 1 + digits;
	}
	if (*c != '\0')
		return false;
	*result = strtod(value, NULL);
	return true;
}

/*
 * smf_parse_size
 *		Parse a size in bytes, with or without one of Postgres's units.
 */
bool
smf_parse_size(const char *value, double *result)
{
	int			bytes;

	if (!parse_int(value, &bytes, GUC_UNIT_BYTE, NULL))
		return false;
	*result = bytes;
	return true;
}

/*
 * smf_is_word
 *		Does it consist of "min" to "max" letters, digits, underscores and characters
 *		in "punctuation"?
 */
bool
smf_is_word(const char *value, double min, double max, const char *punctuation)
{
	size_t		length = strlen(value);

	if (length < min || length > max)
		return false;
	for (; *value; value++)
	{
		if (!smf_is_alphanumeric(*value) && *value != '_' && strchr(punctuation, *value) == NULL)
			return false;
	}
	return true;
}

/*
 * smf_is_secret
 *		Can it be part of an HTTP header line?
 */
bool
smf_is_secret(const char *value)
{
	return *value != '\0' && smf_is_visible_ascii(value);
}

/*
 * smf_has_outer_blank
 *		Does it begin or end with a blank, or a line break?
 */
bool
smf_has_outer_blank(const char *value)
{
	static const char blanks[] = " \t\r\n\v\f";
	size_t		length = strlen(value);

	return length > 0 &&
		(strchr(blanks, value[0]) != NULL || strchr(blanks, value[length - 1]) != NULL);
}

/*
 * smf_looks_like_access_key
 *		Is it of the form of the access key ids that AWS makes?
 */
bool
smf_looks_like_access_key(const char *value)
{
	return (smf_key_is(value, SMF_LASTING_KEY) || smf_key_is(value, SMF_TEMPORARY_KEY)) &&
		strlen(value) >= 16 &&
		value[strspn(value, DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/*
 * smf_looks_like_secret_key
 *		Is it of the form of AWS's secret access keys?
 */
bool
smf_looks_like_secret_key(const char *value)
{
	return smf_is_word(value, 40, 40, "+/");
}

/*
 * smf_is_account
 *		Is it the number of an AWS account?
 */
bool
smf_is_account(const char *value)
{
	return strlen(value) == SMF_ACCOUNT_LEN && strspn(value, DIGITS) == SMF_ACCOUNT_LEN;
}

/*
 * smf_is_role_arn
 *		Does it have the form arn:<partition>:iam::<12 digits>:role/<path and name>?
 */
bool
smf_is_role_arn(const char *value)
{
	if (strlen(value) > ROLE_ARN_MAX || strncmp(value, "arn:aws", 7) != 0)
		return false;
	value += 7;
	value += strspn(value, "abcdefghijklmnopqrstuvwxyz-");
	if (strncmp(value, ":iam::", 6) != 0)
		return false;
	value += 6;
	if (strspn(value, DIGITS) != SMF_ACCOUNT_LEN || strncmp(value + SMF_ACCOUNT_LEN, ":role/", 6) != 0)
		return false;
	return smf_is_word(value + SMF_ACCOUNT_LEN + 6, 1, ROLE_ARN_MAX, "+=,.@-/");
}

/*
 * smf_is_profile
 *		Can it be the name of a section in the AWS configuration?
 */
bool
smf_is_profile(const char *value)
{
	return *value != '\0' && strchr(value, ']') == NULL && !smf_has_control_characters(value);
}

/*
 * smf_is_file_path
 *		Is it the absolute path of a file?
 */
bool
smf_is_file_path(const char *value)
{
	return is_absolute_path(value) && !smf_has_control_characters(value);
}

/*
 * smf_is_endpoint_url
 *		Is it an https URL, or an http URL for this machine?
 */
bool
smf_is_endpoint_url(const char *value)
{
	AwsEndpoint endpoint;

	return smf_endpoint_parse_url(value, &endpoint) == SMF_ENDPOINT_OK;
}

/* Length of the host at the start of a URL's authority; 0 if there is none. */
static size_t
host_length(const char *authority)
{
	size_t		length = 0;

	if (*authority == '[')
	{
		length = strspn(authority + 1, DIGITS "abcdefABCDEF:.");
		return length > 0 && authority[length + 1] == ']' ? length + 2 : 0;
	}
	while (smf_is_alphanumeric(authority[length]) ||
		   (authority[length] != '\0' && strchr("._-", authority[length]) != NULL))
		length++;
	return length;
}

/*
 * smf_is_proxy_url
 *		Is it http:// or https:// with a host and optionally a port?  A slash may
 *		follow.
 */
bool
smf_is_proxy_url(const char *value)
{
	size_t		length;

	/* The scheme, in upper or lower case. */
	if (pg_strncasecmp(value, "http://", 7) == 0)
		value += 7;
	else if (pg_strncasecmp(value, "https://", 8) == 0)
		value += 8;
	else
		return false;

	/* The host. */
	length = host_length(value);
	if (length == 0)
		return false;
	value += length;

	/* A port, and nothing after it. */
	if (*value == ':')
	{
		int			port = atoi(value + 1);

		length = strspn(value + 1, DIGITS);
		if (length == 0 || length > 5 || port < 1 || port > 65535)
			return false;
		value += length + 1;
	}
	return *value == '\0' || strcmp(value, "/") == 0;
}

/*
 * smf_is_attribute_path
 *		Is it an attribute's name, optionally followed by a dot and the rest of a path?
 *
 * The name may be one that this version does not know; the rest may be a user's key, with
 * any characters.
 */
bool
smf_is_attribute_path(const char *value)
{
	size_t		length = 0;

	while (smf_is_alphanumeric(value[length]) || value[length] == '_')
		length++;
	if (length == 0)
		return false;
	return value[length] == '\0' || (value[length] == '.' && value[length + 1] != '\0');
}
