/*-------------------------------------------------------------------------
 *
 * json_text.h
 *		The elements of JSON text, for code that reads it byte by byte.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JSON_TEXT_H
#define SMF_JSON_TEXT_H

#include "mb/pg_wchar.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* U+FFFD in UTF-8, which replaces anything that is not a character. */
#define REPLACEMENT "\xEF\xBF\xBD"
#define REPLACEMENT_LEN 3

/* Returned by code_unit_at when there is no \u escape. */
#define NO_CODE_UNIT UINT32_MAX

/* Bytes in the escape \uXXXX. */
#define CODE_UNIT_LEN 6

static inline bool
is_high_surrogate(uint32 unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static inline bool
is_low_surrogate(uint32 unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* The UTF-16 code unit of the escape \uXXXX at "at", or NO_CODE_UNIT. */
static inline uint32
code_unit_at(const char *at, const char *end)
{
	uint32		unit = 0;

	if (end - at < CODE_UNIT_LEN || at[0] != '\\' || at[1] != 'u')
		return NO_CODE_UNIT;
	for (int i = 2; i < CODE_UNIT_LEN; i++)
	{
		char		c = at[i];

		if (c >= '0' && c <= '9')
			unit = unit * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			unit = unit * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			unit = unit * 16 + (c - 'A' + 10);
		else
			return NO_CODE_UNIT;
	}
	return unit;
}

/*
 * The character for the escape \uXXXX at "at", whose code unit is "unit"; 0 if there is
 * none: NUL, or half of a surrogate pair.  *len is set to the bytes that it takes.
 */
static inline uint32
escaped_character(const char *at, const char *end, uint32 unit, int *len)
{
	*len = CODE_UNIT_LEN;
	if (is_high_surrogate(unit))
	{
		uint32		low = code_unit_at(at + CODE_UNIT_LEN, end);

		if (low != NO_CODE_UNIT && is_low_surrogate(low))
		{
			*len = 2 * CODE_UNIT_LEN;
			return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
		}
	}
	return is_high_surrogate(unit) || is_low_surrogate(unit) ? 0 : unit;
}

/* The length of the UTF-8 character at "at", which is not ASCII; 0 if it is invalid. */
static inline int
utf8_character_len(const char *at, const char *end)
{
	int			len = pg_utf_mblen((const unsigned char *) at);

	return len <= end - at && pg_utf8_islegal((const unsigned char *) at, len) ? len : 0;
}

/*
 * The first byte from "at" on that is not plain text in a string: a quote, a backslash, a
 * control character, or a byte that is not ASCII; otherwise "end".
 */
static inline const char *
skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) at);
		__m128i		special;
		int			mask;

		special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
							   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
		/* signed: bytes that are not ASCII are less than a space, too */
		special = _mm_or_si128(special, _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
		mask = _mm_movemask_epi8(special);
		if (mask != 0)
			return at + __builtin_ctz(mask);
	}
#endif
	while (at < end && *at != '"' && *at != '\\' && (unsigned char) *at >= ' ' && !IS_HIGHBIT_SET(*at))
		at++;
	return at;
}

#endif							/* SMF_JSON_TEXT_H */
