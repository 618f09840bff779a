/*-------------------------------------------------------------------------
 *
 * xml.c
 *		Elements of an XML document that contain only text.
 *
 * This covers as much of XML as STS's answers need: the first element with a given name,
 * wherever it is, with the five named character references and numeric ones.
 *
 * Not accounted for: namespace prefixes, CDATA, comments, and elements inside the
 * element: an element with any of these is not found.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/xml.h"

#include <stdlib.h>
#include <string.h>

/* Longest character reference, from "&" to ";". */
#define REFERENCE_MAX 10

/* Where a tag "<name" begins, from "at" on; NULL if there is none. */
static const char *
find_tag(const char *at, const char *end, const char *name)
{
	size_t		len = strlen(name);

	while (at < end && (at = memchr(at, '<', end - at)) != NULL)
	{
		if ((size_t) (end - at) > len + 1 && memcmp(at + 1, name, len) == 0 &&
			strchr(" \t\r\n>", at[1 + len]) != NULL && at[1 + len] != '\0')
			return at;
		at++;
	}
	return NULL;
}

/* Write a character in UTF-8; returns the bytes written, 0 if it is not a character. */
static size_t
put_utf8(unsigned long character, char *to)
{
	if (character == 0 || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
		return 0;
	if (character < 0x80)
	{
		to[0] = (char) character;
		return 1;
	}
	if (character < 0x800)
	{
		to[0] = (char) (0xC0 | (character >> 6));
		to[1] = (char) (0x80 | (character & 0x3F));
		return 2;
	}
	if (character < 0x10000)
	{
		to[0] = (char) (0xE0 | (character >> 12));
		to[1] = (char) (0x80 | ((character >> 6) & 0x3F));
		to[2] = (char) (0x80 | (character & 0x3F));
		return 3;
	}
	to[0] = (char) (0xF0 | (character >> 18));
	to[1] = (char) (0x80 | ((character >> 12) & 0x3F));
	to[2] = (char) (0x80 | ((character >> 6) & 0x3F));
	to[3] = (char) (0x80 | (character & 0x3F));
	return 4;
}

/*
 * Write the character for the reference at "at" ("&", up to ";"); returns the bytes
 * written, or 0 if it is not valid.  Moves *at past it.
 */
static size_t
put_reference(const char **at, const char *end, char *to)
{
	static const struct
	{
		const char *reference;
		char		character;
	}			named[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
	size_t		left = end - *at < REFERENCE_MAX ? (size_t) (end - *at) : REFERENCE_MAX;
	const char *semicolon = memchr(*at, ';', left);
	char		digits[REFERENCE_MAX + 1];
	char	   *stop;
	unsigned long character;

	if (semicolon == NULL)
		return 0;

	/* One of the five with a name. */
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
	{
		if ((size_t) (semicolon + 1 - *at) == strlen(named[i].reference) &&
			memcmp(*at, named[i].reference, strlen(named[i].reference)) == 0)
		{
			*at = semicolon + 1;
			*to = named[i].character;
			return 1;
		}
	}

	/* Or a character number, decimal or hexadecimal. */
	if ((*at)[1] != '#')
		return 0;
	memcpy(digits, *at + 2, semicolon - *at - 2);
	digits[semicolon - *at - 2] = '\0';
	if (digits[0] == 'x' && strchr("0123456789abcdefABCDEF", digits[1]) != NULL)
		character = strtoul(digits + 1, &stop, 16);
	else if (digits[0] >= '0' && digits[0] <= '9')
		character = strtoul(digits, &stop, 10);
	else
		return 0;
	*at = semicolon + 1;
	return *stop == '\0' ? put_utf8(character, to) : 0;
}

/*
 * smf_xml_element
 *		The text of the first element called "name", malloc'ed with a NUL after
 *		*found_len bytes; NULL if that does not contain only text, if there is none, or
 *		without memory.
 */
char *
smf_xml_element(const char *text, size_t len, const char *name, size_t *found_len)
{
	const char *end = text + len;
	const char *at = find_tag(text, end, name);
	const char *stop;
	char	   *found;
	char	   *to;

	/* Find its text, which ends at the next tag. */
	if (at == NULL)
		return NULL;
	at = memchr(at, '>', end - at);
	if (at == NULL || at[-1] == '/')
		return NULL;
	at++;
	stop = memchr(at, '<', end - at);
	/* the next tag must be the element's own end */
	if (stop == NULL || (size_t) (end - stop) < strlen(name) + 3 || stop[1] != '/' ||
		memcmp(stop + 2, name, strlen(name)) != 0 || stop[2 + strlen(name)] != '>')
		return NULL;

	/* Copy it; no reference is shorter than the character it stands for. */
	found = to = malloc(stop - at + 1);
	if (found == NULL)
		return NULL;
	while (at < stop)
	{
		size_t		written = 1;

		if (*at == '&')
			written = put_reference(&at, stop, to);
		else
			*to = *at++;
		if (written == 0)
		{
			free(found);
			return NULL;
		}
		to += written;
	}
	*to = '\0';
	*found_len = to - found;
	return found;
}
