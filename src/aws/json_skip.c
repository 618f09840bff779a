/*-------------------------------------------------------------------------
 *
 * json_skip.c
 *		JSON values that nobody reads.
 *
 * A string ends at its quote, an object or a list where as many brackets have closed as have
 * opened outside strings, anything else before what can follow a value.  That is looked for
 * in blocks of 64 bytes (json_block.h).
 *
 * Not accounted for: whether what is passed over is JSON, apart from where it ends, and in
 * which encoding it is.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "aws/json_block.h"
#include "aws/json_skip.h"

/* Every second byte, from the first on. */
#define EVEN_BYTES UINT64_C(0x5555555555555555)

/* The block at "at", of which there may be less than a whole one: the rest has nothing. */
static inline JsonBlock
block_at(const char *at, const char *end)
{
	char		padded[SMF_JSON_BLOCK_SIZE];

	if (end - at >= SMF_JSON_BLOCK_SIZE)
		return smf_json_block(at);
	memset(padded, 0, sizeof(padded));
	memcpy(padded, at, end - at);
	return smf_json_block(padded);
}

/*
 * Bytes that a backslash escapes, where "backslashes" have one.  *carry is 1 if the first byte
 * is escaped by the block before, and becomes that for the next one.
 *
 * Of a run of backslashes every second byte is escaped, and the one behind the run if its length
 * is odd.  These are odd bytes, and even ones of a run that begins at an odd byte: the first bit of
 * such a run, added to it, carries to the byte behind it and so leaves no bit of the run itself.
 */
static inline uint64_t
escaped_bytes(uint64_t backslashes, uint64_t *carry)
{
	uint64_t	behind;
	uint64_t	odd_starts;
	uint64_t	sums;

	/* Most blocks have none. */
	if (backslashes == 0)
	{
		uint64_t	escaped = *carry;

		*carry = 0;
		return escaped;
	}
	backslashes &= ~*carry;
	behind = backslashes << 1 | *carry;
	odd_starts = backslashes & ~EVEN_BYTES & ~behind;
	sums = odd_starts + backslashes;
	*carry = sums < backslashes;
	return (EVEN_BYTES ^ sums << 1) & behind;
}

/* Bytes that have an odd number of bits at or before them. */
static inline uint64_t
odd_before(uint64_t bits)
{
	for (int shift = 1; shift < 64; shift *= 2)
		bits ^= bits << shift;
	return bits;
}

/* A string, from behind its opening quote. */
static const char *
skip_string(const char *at, const char *end)
{
	uint64_t	carry = 0;

	while (at < end)
	{
		JsonBlock	block = block_at(at, end);
		uint64_t	quotes = block.quotes & ~escaped_bytes(block.backslashes, &carry);

		if (quotes != 0)
			return at + __builtin_ctzll(quotes) + 1;
		if (end - at <= SMF_JSON_BLOCK_SIZE)
			break;
		at += SMF_JSON_BLOCK_SIZE;
	}
	return NULL;
}

/* An object or a list, from its bracket on. */
static const char *
skip_container(const char *at, const char *end)
{
	uint64_t	carry = 0;
	uint64_t	in_string = 0;	/* all bits if the block begins in one */
	size_t		depth = 0;

	for (;;)
	{
		JsonBlock	block = block_at(at, end);
		uint64_t	quotes = block.quotes & ~escaped_bytes(block.backslashes, &carry);
		uint64_t	strings = odd_before(quotes) ^ in_string;
		uint64_t	brackets = (block.opening | block.closing) & ~strings;

		in_string = strings >> 63 ? ~UINT64_C(0) : 0;
		for (; brackets != 0; brackets &= brackets - 1)
		{
			int			place = __builtin_ctzll(brackets);

			depth += (block.opening >> place & 1) ? 1 : -1;
			if (depth == 0)
				return at + place + 1;
		}
		if (end - at <= SMF_JSON_BLOCK_SIZE)
			return NULL;
		at += SMF_JSON_BLOCK_SIZE;
	}
}

/* Can the byte follow a value? */
static bool
follows_value(char c)
{
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/*
 * smf_json_skip
 *		What follows the value that begins at "at"; NULL where none begins, or the text ends
 *		within it.
 */
const char *
smf_json_skip(const char *at, const char *end)
{
	const char *start = at;

	if (at >= end)
		return NULL;
	if (*at == '"')
		return skip_string(at + 1, end);
	if (*at == '{' || *at == '[')
		return skip_container(at, end);
	while (at < end && !follows_value(*at))
		at++;
	return at > start ? at : NULL;
}
