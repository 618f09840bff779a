/*-------------------------------------------------------------------------
 *
 * json_skip.c
 *		Skips JSON values that nobody reads.
 *
 * A string ends at its quote.  An object or a list ends where as many brackets outside
 * strings have closed as have opened.  Anything else ends before a byte that can follow a
 * value.  The end is searched for in blocks of 64 bytes (json_block.h).
 *
 * Not accounted for: whether the skipped text is JSON, apart from where it ends, or in
 * which encoding it is.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "aws/json_block.h"
#include "aws/json_skip.h"

/* Every second byte, starting with the first. */
#define EVEN_BYTES UINT64_C(0x5555555555555555)

/* The block at "at"; if the text ends within it, the rest of the block is empty. */
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
 * The bytes that are escaped by the backslashes in "backslashes".  *carry is 1 if the
 * block before escapes the first byte, and is set for the next block.
 *
 * In a run of backslashes every second byte is escaped, and so is the byte after a run of
 * odd length.  If a run begins at an even byte, these are the odd bytes from there to
 * just after the run; if it begins at an odd byte, they are the even ones.  Adding the
 * first bit of such an odd run to it carries into the byte after the run and so clears
 * the run's own bits.
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

/* The bytes that have an odd number of bits at or before them. */
static inline uint64_t
odd_before(uint64_t bits)
{
	for (int shift = 1; shift < 64; shift *= 2)
		bits ^= bits << shift;
	return bits;
}

/* Skip a string, from after its opening quote. */
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

/* Skip an object or a list, from its bracket on. */
static const char *
skip_container(const char *at, const char *end)
{
	uint64_t	carry = 0;
	uint64_t	in_string = 0;	/* all bits set if the block begins within a string */
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
 *		What follows the value that begins at "at"; NULL if no value begins there, or
 *		the text ends within it.
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
