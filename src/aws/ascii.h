/*-------------------------------------------------------------------------
 *
 * ascii.h
 *		Classes of ASCII characters, independent of the locale: AWS's names and keys
 *		contain no other letters.
 *
 * Free of Postgres headers, so that programs of their own can test what uses it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ASCII_H
#define SMF_ASCII_H

#include <stdbool.h>

/* Is it a letter or a digit? */
static inline bool
smf_is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * Are all its characters visible?  Blanks are not, nor are line breaks, which would end a
 * header line.
 */
static inline bool
smf_is_visible_ascii(const char *string)
{
	for (; *string; string++)
	{
		if (*string <= ' ' || *string >= 0x7F)
			return false;
	}
	return true;
}

#endif							/* SMF_ASCII_H */
