/*-------------------------------------------------------------------------
 *
 * quote.c
 *		What of an answer's words may stand in a message.
 *
 * Services repeat what they were sent.  To a wrong signature they answer with the request
 * as it should have been signed, and that has the session token in it; a proxy, or whatever
 * else answers in the service's place, may show any part of the request.  All words of
 * answers come by here before they are kept for a message: what a request carried that
 * is secret is taken out wherever it stands, and so is the request as it should have been
 * signed, of which only a programmer could make use.
 *
 * Not accounted for: secrets written in another way than as they were sent or
 * percent-encoded, and what documents of jobs hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "aws/quote.h"
#include "mb/pg_wchar.h"

/* Stands where a secret stood; no shorter secret is looked for. */
#define HIDDEN "[hidden]"
#define SECRET_MIN_LEN 8

StaticAssertDecl(sizeof(HIDDEN) - 1 <= SECRET_MIN_LEN, "a text in which secrets are hidden would grow");

/* Where a service begins to say how the request should have been signed. */
static const char *const canonical[] = {"The Canonical String for this request", "The String-to-Sign should"};

/* Headers of requests whose values are secret. */
static const char *const secret_headers[] = {
	"X-Amz-Security-Token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token", "Authorization"
};

/* What stands in a form before a secret, and in an Authorization header. */
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

/* The character at *at, percent-encoded or not; moves *at behind it, but not beyond a NUL. */
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
 * How many bytes the secret takes at "text"; 0 when it does not stand there.  Where the
 * text ends in the middle of it, what is there of it counts, unless that is little.
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

/* Hide a secret wherever it stands in the text. */
static void
hide(char *text, const char *secret, size_t len)
{
	char	   *to = text;

	if (len < SECRET_MIN_LEN)
		return;
	while (*text != '\0')
	{
		size_t		found = 0;

		/* most texts have none, and each answer's request ID comes by here */
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

/* Hide what stands in "sent" behind "field", up to one of the characters of "ends". */
static void
hide_field(char *text, const char *sent, const char *field, const char *ends)
{
	const char *value = strstr(sent, field);

	if (value == NULL)
		return;
	value += strlen(field);
	hide(text, value, strcspn(value, ends));
}

/* Cut off what a service says of how the request should have been signed. */
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
 *		Make words of the answer to a request fit for a message, in place.  Returns them.
 *
 * "form" is the request's body where that is a form, else NULL.  NULL is no text, and
 * without a request there are no secrets.  The words never become longer.
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
 *		Make blanks of control characters, which a terminal might obey and which might
 *		begin a line of the log.  Returns its argument.
 */
char *
smf_blank_controls(char *text)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	for (unsigned char *c = (unsigned char *) text; *c != '\0'; c++)
	{
		if (*c < ' ' || *c == 0x7F)
			*c = ' ';
		/* U+0080 to U+009F, among them another escape */
		else if (utf8 && c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0)
			c[0] = c[1] = ' ';
	}
	return text;
}
