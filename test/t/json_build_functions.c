/*-------------------------------------------------------------------------
 *
 * json_build_functions.c
 *		Both ways of json.c to read JSON as functions of SQL, for json_build.py.
 *
 * A library of its own, so that the extension has none of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/json.c"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "utils/array.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(json_both);
PG_FUNCTION_INFO_V1(json_compare);
PG_FUNCTION_INFO_V1(json_time);

/* Most changes of one text. */
#define CHANGES_MAX 4

/* What is put into texts. */
static const struct Token
{
	const char *bytes;
	int			len;
}			tokens[] =

{
#define TOKEN(bytes) {bytes, sizeof(bytes) - 1}
	TOKEN("\""), TOKEN("\\"), TOKEN("{"), TOKEN("}"), TOKEN("["), TOKEN("]"), TOKEN(","), TOKEN(":"), TOKEN(" "),
	TOKEN("\t\r\n"), TOKEN("\f"), TOKEN("\0"), TOKEN("\x01"), TOKEN("\x1F"), TOKEN("\x7F"), TOKEN("\\u"), TOKEN("\\u0000"),
	TOKEN("\\u0041"), TOKEN("\\u00e9"), TOKEN("\\u20AC"), TOKEN("\\uD83D"), TOKEN("\\uDE00"), TOKEN("\\uD83D\\uDE00"),
	TOKEN("\\uD83D\\u0041"), TOKEN("\\uD83D\\uD83D\\uDE00"), TOKEN("\\uFFFF"), TOKEN("\\u12"), TOKEN("\\u12G4"), TOKEN("\\\""), TOKEN("\\\\"),
	TOKEN("\\/"), TOKEN("\\b\\f\\n\\r\\t"), TOKEN("\\x"), TOKEN("\\\xC3\xA9"), TOKEN("\\'"), TOKEN("\xC3\xA9"), TOKEN("\xE2\x82\xAC"),
	TOKEN("\xF0\x9F\x98\x80"), TOKEN("\x80"), TOKEN("\xC3"), TOKEN("\xE2\x82"), TOKEN("\xF0\x9F\x98"), TOKEN("\xC0\x80"),
	TOKEN("\xED\xA0\x80"), TOKEN("\xF4\x90\x80\x80"), TOKEN("\xFF"), TOKEN("\xEF\xBB\xBF"), TOKEN("0"), TOKEN("-0"), TOKEN("-"), TOKEN("+1"), TOKEN("01"),
	TOKEN("-0.0"), TOKEN("0.10"), TOKEN("1.0"), TOKEN("100"), TOKEN("10000"), TOKEN("1."), TOKEN(".5"), TOKEN("1e5"), TOKEN("1E+05"), TOKEN("-1.50e-3"),
	TOKEN("1e400"), TOKEN("1e-400"), TOKEN("1e401"), TOKEN("1e"), TOKEN("1e+"), TOKEN("123456789012345678"),
	TOKEN("1234567890123456789"), TOKEN("-99999999999999999.9"), TOKEN("0.000000000000000001"), TOKEN("0.0000000000000000001"),
	TOKEN("1719900000.123456"), TOKEN("3.1415926535897932384626433832795028841971"), TOKEN("true"), TOKEN("false"), TOKEN("null"), TOKEN("nul"),
	TOKEN("True"), TOKEN("NaN"), TOKEN("nulll"), TOKEN("{}"), TOKEN("[]"), TOKEN("\"\""), TOKEN("[[[["), TOKEN("]]]]"), TOKEN("{\"a\":"),
	TOKEN("\"a\":1,"), TOKEN("\"a\":null,"), TOKEN("\"b\":{\"a\":1,\"a\":2},"), TOKEN(",\"aa\":[1,2,3]"), TOKEN("\"\\u0061\":\"b\",")
#undef TOKEN
};

/* What both ways make of a text, in words. */
static const char *
compare(const char *text, size_t len)
{
	const char *reason;
	Jsonb	   *built = smf_json_build(text, len);
	Jsonb	   *cleaned = parse_cleaned(text, len, &reason);

	if (built == NULL)
		return cleaned == NULL ? "left, rejected" : "left, parsed";
	if (cleaned == NULL)
		return "built, rejected";
	if (VARSIZE(built) != VARSIZE(cleaned) || memcmp(built, cleaned, VARSIZE(built)) != 0)
		return "built, not the same";
	return "built, the same";
}

/* (text bytea) returns text: what both ways make of a text */
Datum
json_both(PG_FUNCTION_ARGS)
{
	bytea	   *text = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_TEXT_P(cstring_to_text(compare(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text))));
}

/* Replace "cut" bytes at a place by others. */
static void
replace_part(StringInfo text, int at, int cut, const char *bytes, int len)
{
	StringInfoData rest;

	initStringInfo(&rest);
	appendBinaryStringInfo(&rest, text->data + at + cut, text->len - at - cut);
	text->len = at;
	appendBinaryStringInfo(text, bytes, len);
	appendBinaryStringInfo(text, rest.data, rest.len);
	pfree(rest.data);
}

static int
draw(pg_prng_state *random, int n)
{
	return pg_prng_uint64_range(random, 0, n - 1);
}

static void
change(pg_prng_state *random, StringInfo text)
{
	int			at = draw(random, text->len + 1);
	int			left = text->len - at;
	int			cut = draw(random, Min(left, 20) + 1);
	int			token = draw(random, lengthof(tokens));
	char	   *copy;

	switch (draw(random, 8))
	{
		case 0:					/* drop some, or all that follows */
			replace_part(text, at, draw(random, 4) == 0 ? left : cut, "", 0);
			break;
		case 1:					/* double some */
			cut = draw(random, Min(left, 200) + 1);
			copy = pnstrdup(text->data + at, cut);
			replace_part(text, at, 0, copy, cut);
			break;
		case 2:					/* another byte */
			if (left > 0)
				text->data[at] = (char) draw(random, 256);
			break;
		case 3:					/* in place of some */
			replace_part(text, at, cut, tokens[token].bytes, tokens[token].len);
			break;
		default:				/* between them */
			replace_part(text, at, 0, tokens[token].bytes, tokens[token].len);
			break;
	}
}

/*
 * (texts bytea[], seed bigint, n bigint) returns text: compares the two ways on n texts that
 * are changed at random; how many were read, or an error with the first text that they differ on
 */
Datum
json_compare(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int64		n = PG_GETARG_INT64(2);
	int64		nbuilt = 0;
	int64		nrejected = 0;
	pg_prng_state random;
	Datum	   *texts;
	int			ntexts;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "compare", ALLOCSET_DEFAULT_SIZES);

	pg_prng_seed(&random, PG_GETARG_INT64(1));
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &texts, NULL, &ntexts);
	for (int64 i = 0; i < n; i++)
	{
		bytea	   *original = DatumGetByteaPP(texts[draw(&random, ntexts)]);
		int			nchanges = draw(&random, CHANGES_MAX + 1);
		MemoryContext old = MemoryContextSwitchTo(context);
		StringInfoData text;
		const char *both;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&text);
		appendBinaryStringInfo(&text, VARDATA_ANY(original), VARSIZE_ANY_EXHDR(original));
		while (nchanges-- > 0)
			change(&random, &text);
		both = compare(text.data, text.len);
		if (strcmp(both, "built, the same") == 0)
			nbuilt++;
		else if (strcmp(both, "left, rejected") == 0)
			nrejected++;
		else
		{
			Datum		bytes = PointerGetDatum(cstring_to_text_with_len(text.data, text.len));

			elog(ERROR, "%s: %s", both, DatumGetCString(DirectFunctionCall1(byteaout, bytes)));
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(INT64_FORMAT " built, " INT64_FORMAT " rejected", nbuilt, nrejected)));
}

/* (text bytea, n integer, build boolean): reads the text n times */
Datum
json_time(PG_FUNCTION_ARGS)
{
	bytea	   *text = PG_GETARG_BYTEA_PP(0);
	const char *reason;

	for (int i = 0; i < PG_GETARG_INT32(1); i++)
	{
		if (PG_GETARG_BOOL(2))
			pfree(smf_json_build(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)));
		else
			pfree(parse_cleaned(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &reason));
	}
	PG_RETURN_VOID();
}
