/*-------------------------------------------------------------------------
 *
 * row_fuzz.c
 *		Timestamps, from a decimal to RFC 3339, and the account in an ARN.
 *
 * Input: a decimal, up to a NUL, in which what is no digit becomes one; an ARN.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include <time.h>

#include "fdw/row.c"
#include "fdw/value.c"

/* A decimal as numeric_out writes it. */
static char *
to_decimal(char *text)
{
	bool		fraction = false;
	char	   *c = text;

	if (*c == '-')
		c++;
	if (*c == '\0' || *c == '.')
		return "0";
	for (; *c; c++)
	{
		if (*c == '.' && !fraction && c[1] != '\0')
			fraction = true;
		else if (*c < '0' || *c > '9')
			*c = '0' + (unsigned char) *c % 10;
	}
	return text;
}

/* A decimal in microseconds; far away when it is that. */
static __int128
microseconds(const char *text)
{
	const __int128 far = (__int128) 1 << 100;
	bool		negative = *text == '-';
	__int128	us = 0;
	int			decimals = -1;	/* digits behind the point; negative: none yet */

	for (text += negative; *text && decimals < 6; text++)
	{
		if (*text == '.')
			decimals = 0;
		else
		{
			us = us > far ? us : us * 10 + (*text - '0');
			decimals += decimals >= 0;
		}
	}
	for (decimals = Max(decimals, 0); decimals < 6; decimals++)
		us *= 10;
	if (*text >= '5' && *text <= '9')
		us++;
	return negative ? -us : us;
}

typedef struct Moment
{
	const char *decimal;
	TimestampTz timestamp;
	char	   *text;
} Moment;

static void
read_decimal(void *arg)
{
	Moment	   *moment = arg;

	moment->timestamp = timestamp_from_decimal(moment->decimal);
}

static void
print(void *arg)
{
	Moment	   *moment = arg;

	moment->text = rfc3339(moment->timestamp);
}

static void
check_timestamp(const char *decimal)
{
	const int64 epoch_us = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	__int128	us = microseconds(decimal) - epoch_us;
	bool		possible = us >= MIN_TIMESTAMP && us < END_TIMESTAMP;
	Moment		moment = {.decimal = decimal};
	struct tm	tm = {0};
	char	   *rest;
	int			fraction = 0;
	__int128	again_us;

	FUZZ_CHECK(fuzz_raises(read_decimal, &moment) == !possible);
	if (!possible)
	{
		FUZZ_CHECK(fuzz_error.sqlstate == ERRCODE_DATETIME_VALUE_OUT_OF_RANGE);
		return;
	}
	FUZZ_CHECK(moment.timestamp == us);

	/* years before the first have no such form */
	if (fuzz_raises(print, &moment))
	{
		FUZZ_CHECK(fuzz_error.sqlstate == ERRCODE_DATETIME_VALUE_OUT_OF_RANGE);
		FUZZ_CHECK(us + epoch_us < INT64CONST(-62135596800) * USECS_PER_SEC);
		return;
	}
	tm.tm_year = strtol(moment.text, &rest, 10) - 1900;
	rest = strptime(rest, "-%m-%dT%H:%M:%S", &tm);
	FUZZ_CHECK(rest != NULL);
	if (*rest == '.')
	{
		size_t		digits = strspn(++rest, "0123456789");

		FUZZ_CHECK(digits == 3 || digits == 6);
		fraction = atoi(rest) * (digits == 3 ? 1000 : 1);
		FUZZ_CHECK(fraction > 0 && (digits == 3 || fraction % 1000 != 0));
		rest += digits;
	}
	FUZZ_CHECK(strcmp(rest, "Z") == 0);
	again_us = (__int128) timegm(&tm) * USECS_PER_SEC + fraction;
	FUZZ_CHECK(again_us == us + epoch_us);
}

static void
check_account(const char *arn)
{
	StringInfoData json;
	Jsonb	   *document;
	JsonbValue	value;
	Members		none = {0};

	/* an ARN as it comes out of a document */
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"TrainingJobArn\": \"");
	for (const char *c = arn; *c; c++)
	{
		if ((unsigned char) *c >= ' ' && *c != '"' && *c != '\\')
			appendStringInfoChar(&json, *c);
	}
	appendStringInfoString(&json, "\"}");
	if (fuzz_parse_json(json.data, json.len, PG_SQL_ASCII, &document) != JSON_SUCCESS ||
		!find_account_id(&none, document, &value))
		return;
	FUZZ_CHECK(value.type == jbvString && value.val.string.len > 0);
	FUZZ_CHECK(memchr(value.val.string.val, ':', value.val.string.len) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};

	check_timestamp(to_decimal(fuzz_string(&input)));
	check_account(fuzz_string(&input));
	fuzz_reset();
	return 0;
}
