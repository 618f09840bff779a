/*-------------------------------------------------------------------------
 *
 * timestamp.c
 *		Converts epoch seconds, as the service writes them, to timestamps.
 *
 * Uses decimal arithmetic throughout: a double does not have enough digits for
 * microseconds.
 *
 * Not accounted for: exponents.  The text must be what numeric_out prints.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/timestamp.h"

/* Digits after the point that a timestamp keeps. */
#define MICROSECOND_DIGITS 6

/* Most digits before the point that any timestamp needs. */
#define SECONDS_DIGITS_MAX 14

/*
 * smf_timestamp_from_decimal
 *		The timestamp for epoch seconds written as a decimal number; rounded to the
 *		microsecond, half away from zero.
 *
 * False if it is out of range; then *result is not set.
 */
bool
smf_timestamp_from_decimal(const char *text, TimestampTz *result)
{
	bool		negative = *text == '-';
	int64		seconds = 0;
	int64		us = 0;			/* microseconds to add to the seconds, at most a whole
								 * second */
	int			ndigits = 0;
	TimestampTz timestamp;

	/* The seconds, before the point. */
	if (negative)
		text++;
	while (*text == '0')
		text++;
	for (; *text >= '0' && *text <= '9'; text++)
	{
		if (++ndigits > SECONDS_DIGITS_MAX)
			return false;
		seconds = seconds * 10 + (*text - '0');
	}

	/* The microseconds after it, rounded by the next digit. */
	if (*text == '.')
		text++;
	for (int i = 0; i < MICROSECOND_DIGITS; i++)
		us = us * 10 + (*text ? *text++ - '0' : 0);
	if (*text >= '5')
		us++;

	/* Check the range in seconds first: as microseconds the number might overflow. */
	seconds = (negative ? -seconds : seconds) - SMF_POSTGRES_EPOCH_S;
	if (seconds < MIN_TIMESTAMP / USECS_PER_SEC || seconds > END_TIMESTAMP / USECS_PER_SEC)
		return false;
	timestamp = seconds * USECS_PER_SEC + (negative ? -us : us);
	if (!IS_VALID_TIMESTAMP(timestamp))
		return false;
	*result = timestamp;
	return true;
}
