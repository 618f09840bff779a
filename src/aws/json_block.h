/*-------------------------------------------------------------------------
 *
 * json_block.h
 *		Where the quotes, backslashes and brackets are in 64 bytes of JSON.
 *
 * Written with SSE2, which every x86-64 has, with NEON, which every AArch64 has, and in
 * plain C.  Free of Postgres headers, so that a program of its own can test them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JSON_BLOCK_H
#define SMF_JSON_BLOCK_H

#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#define SMF_JSON_BLOCK_NEON
#endif

/* Bytes in a block. */
#define SMF_JSON_BLOCK_SIZE 64

/* One bit for each byte of a block; the lowest bit is the first byte's. */
typedef struct JsonBlock
{
	uint64_t	quotes;
	uint64_t	backslashes;
	uint64_t	opening;		/* brackets, curly and square ones */
	uint64_t	closing;		/* the same */
} JsonBlock;

/* This bit turns a square bracket into the curly one, and no other byte into one. */
#define SMF_JSON_CURLY_BIT 0x20

/* The block at "at", in plain C. */
static inline JsonBlock
smf_json_block_plain(const char *at)
{
	JsonBlock	block = {0};

	for (int i = 0; i < SMF_JSON_BLOCK_SIZE; i++)
	{
		uint64_t	bit = UINT64_C(1) << i;

		switch (at[i])
		{
			case '"':
				block.quotes |= bit;
				break;
			case '\\':
				block.backslashes |= bit;
				break;
			case '{':
			case '[':
				block.opening |= bit;
				break;
			case '}':
			case ']':
				block.closing |= bit;
				break;
			default:
				break;
		}
	}
	return block;
}

#if defined(__SSE2__)

/* Bits, from "shift" on, for those of 16 bytes that are equal in both. */
static inline uint64_t
smf_json_same_bytes(__m128i bytes, __m128i wanted, int shift)
{
	return (uint64_t) _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)) << shift;
}

/* The block at "at". */
static inline JsonBlock
smf_json_block(const char *at)
{
	JsonBlock	block = {0};

	for (int i = 0; i < SMF_JSON_BLOCK_SIZE; i += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (at + i));
		__m128i		curly = _mm_or_si128(bytes, _mm_set1_epi8(SMF_JSON_CURLY_BIT));

		block.quotes |= smf_json_same_bytes(bytes, _mm_set1_epi8('"'), i);
		block.backslashes |= smf_json_same_bytes(bytes, _mm_set1_epi8('\\'), i);
		block.opening |= smf_json_same_bytes(curly, _mm_set1_epi8('{'), i);
		block.closing |= smf_json_same_bytes(curly, _mm_set1_epi8('}'), i);
	}
	return block;
}

#elif defined(SMF_JSON_BLOCK_NEON)

/* Bits for those of 64 bytes that equal "wanted". */
static inline uint64_t
smf_json_same_bytes(uint8x16x4_t bytes, uint8_t wanted)
{
	static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	uint8x16_t	bit = vld1q_u8(bits);
	uint8x16_t	byte = vdupq_n_u8(wanted);
	uint8x16_t	low = vpaddq_u8(vandq_u8(vceqq_u8(bytes.val[0], byte), bit),
								vandq_u8(vceqq_u8(bytes.val[1], byte), bit));
	uint8x16_t	high = vpaddq_u8(vandq_u8(vceqq_u8(bytes.val[2], byte), bit),
								 vandq_u8(vceqq_u8(bytes.val[3], byte), bit));

	/* each step adds the bits of neighbours, until eight of them form a byte */
	low = vpaddq_u8(low, high);
	low = vpaddq_u8(low, low);
	return vgetq_lane_u64(vreinterpretq_u64_u8(low), 0);
}

/* The block at "at". */
static inline JsonBlock
smf_json_block(const char *at)
{
	JsonBlock	block;
	uint8x16x4_t bytes;

	for (int i = 0; i < 4; i++)
		bytes.val[i] = vld1q_u8((const uint8_t *) at + 16 * i);
	block.quotes = smf_json_same_bytes(bytes, '"');
	block.backslashes = smf_json_same_bytes(bytes, '\\');
	for (int i = 0; i < 4; i++)
		bytes.val[i] = vorrq_u8(bytes.val[i], vdupq_n_u8(SMF_JSON_CURLY_BIT));
	block.opening = smf_json_same_bytes(bytes, '{');
	block.closing = smf_json_same_bytes(bytes, '}');
	return block;
}

#else

/* The block at "at". */
static inline JsonBlock
smf_json_block(const char *at)
{
	return smf_json_block_plain(at);
}

#endif

#endif							/* SMF_JSON_BLOCK_H */
