/*-------------------------------------------------------------------------
 *
 * quote.c
 *		Which parts of an answer's text a message may contain.
 *
 * Services repeat what they were sent.  They answer a wrong signature with the request as
 * it should have been signed, which includes the session token; a proxy, or whatever else
 * answers instead of the service, may show any part of the request.  All text from
 * answers passes through here before it is kept for a message.  The request's secrets are
 * removed wherever they occur.  So is the request as it should have been signed, which
 * would be of use only to a programmer.
 *
 * Not accounted for: secrets written in any other way than as they were sent or
 * percent-encoded, and the contents of job documents.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "aws/quote.h"
#include "mb/pg_wchar.h"

/* Replaces a secret; shorter strings than this are not treated as secrets. */
#define HIDDEN "[hidden]"
#define SECRET_MIN_LEN 8

StaticAssertDecl(sizeof(HIDDEN) - 1 <= SECRET_MIN_LEN, "a text in which secrets are hidden would grow");

/* Text with which a service starts to say how the request should have been signed. */
static const char *const canonical[] = {"The Canonical String for this request", "The String-to-Sign should"};

/* Request headers whose values are secret. */
static const char *const secret_headers[] = {
	"X-Amz-Security-Token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token", "Authorization"
};

/* What precedes a secret in a form, and in an Authorization header. */
#define FORM_FIELD "WebIdentityToken="
#define SIGNATURE_FIELD "Signature="

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The character at *at, percent-encoded or not; moves *at past it, but not past a NUL. */
static char
next_character(const char **at)
{
	const char *from = *at;

	if (from[0] == '%' && hex_value(from[1]) >= 0 && hex_value(from[2]) >= 0)
	{
		*at += 3;
		return (char) (hex_value(from[1]) * 16 + hex_value(from[2]));
	}
	if (from[0] != '\0')
		(*at)++;
	return from[0];
}

/*
 * How many bytes the secret takes up at "text"; 0 if it does not occur there.  If the
 * text ends in the middle of a secret, the part that is there counts, unless it is short.
 */
static size_t
secret_at(const char *text, const char *secret, size_t len)
{
	const char *at = text;
	const char *end = secret + len;

	for (int matched = 0; secret < end; matched++)
	{
		if (*at == '\0')
			return matched >= SECRET_MIN_LEN ? at - text : 0;
		if (next_character(&at) != next_character(&secret))
			return 0;
	}
	return at - text;
}

/* Hide a secret wherever it occurs in the text. */
static void
hide(char *text, const char *secret, size_t len)
{
	char	   *to = text;

	if (len < SECRET_MIN_LEN)
		return;
	while (*text != '\0')
	{
		size_t		found = 0;

		/*
		 * a quick test, since most texts have none, and every answer's request id passes
		 * through here
		 */
		if (*text == *secret || *text == '%' || *secret == '%')
			found = secret_at(text, secret, len);
		if (found > 0)
		{
			memcpy(to, HIDDEN, strlen(HIDDEN));
			to += strlen(HIDDEN);
			text += found;
		}
		else
			*to++ = *text++;
	}
	*to = '\0';
}

/* Hide the part of "sent" that follows "field", up to one of the characters in "ends". */
static void
hide_field(char *text, const char *sent, const char *field, const char *ends)
{
	const char *value = strstr(sent, field);

	if (value == NULL)
		return;
	value += strlen(field);
	hide(text, value, strcspn(value, ends));
}

/* Cut off a service's description of how the request should have been signed. */
static void
cut_canonical(char *text)
{
	for (int i = 0; i < lengthof(canonical); i++)
	{
		char	   *end = strstr(text, canonical[i]);

		if (end == NULL)
			continue;
		while (end > text && isspace((unsigned char) end[-1]))
			end--;
		*end = '\0';
	}
}

/*
 * smf_quote
 *		Make text from the answer to a request fit for a message, in place.  Returns
 *		the text.
 *
 * "form" is the request's body if that is a form, else NULL.  A NULL text is returned
 * unchanged; so is any text if there is no request, and therefore no secrets.  The text
 * never becomes longer.
 */
char *
smf_quote(char *text, const HttpRequest *request, const char *form)
{
	if (text == NULL || request == NULL)
		return text;
	cut_canonical(text);
	for (int i = 0; i < lengthof(secret_headers); i++)
	{
		const char *value = smf_http_sent_header(request, secret_headers[i]);

		if (value == NULL)
			continue;
		hide(text, value, strlen(value));
		/* a service may repeat the signature without the rest of its header */
		hide_field(text, value, SIGNATURE_FIELD, ", ");
	}
	if (form != NULL)
		hide_field(text, form, FORM_FIELD, "&");
	return text;
}

/*
 * smf_blank_controls
 *		Replace control characters with blanks: a terminal might obey them, and they
 *		might start a new line in the log.  Returns its argument.
 */
char *
smf_blank_controls(char *text)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	for (unsigned char *c = (unsigned char *) text; *c != '\0'; c++)
	{
		if (*c < ' ' || *c == 0x7F)
			*c = ' ';
		/* U+0080 to U+009F, which include another escape character */
		else if (utf8 && c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0)
			c[0] = c[1] = ' ';
	}
	return text;
}
