/*-------------------------------------------------------------------------
 *
 * expiry.c
 *		When credentials that expire are to be replaced.
 *
 * Pure: the clock is an argument.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/expiry.h"

/* Seconds before they expire at which credentials are, and must be, replaced. */
#define REFRESH_S 900
#define REFRESH_MUST_S 600

static int64_t
lesser(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/*
 * smf_expiry_due
 *		Are the credentials to be replaced, and must they be?
 *
 * All times are epoch seconds; expires_at_s 0 is never.  As the SDKs do, a quarter of
 * an hour before they expire, and from ten minutes before there is no way without; of
 * short-lived ones a part of their life.
 */
bool
smf_expiry_due(int64_t obtained_at_s, int64_t expires_at_s, int64_t now_s, bool *must)
{
	int64_t		life_s = expires_at_s - obtained_at_s;
	int64_t		left_s = expires_at_s - now_s;

	*must = false;
	if (expires_at_s == 0)
		return false;
	*must = left_s <= lesser(REFRESH_MUST_S, life_s / 6);
	return left_s <= lesser(REFRESH_S, life_s / 4);
}
