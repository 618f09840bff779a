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

#include "../unit/value_end.h"
#include "aws/json.c"
#include "common/pg_prng.h"
#include "compat/jobs.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "utils/array.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(json_both);
PG_FUNCTION_INFO_V1(json_compare);
PG_FUNCTION_INFO_V1(json_members);
PG_FUNCTION_INFO_V1(json_compare_members);
PG_FUNCTION_INFO_V1(json_time);

/* Most changes of one text. */
#define CHANGES_MAX 4

/* Deepest objects of which only some members are read. */
#define DEPTH_MAX 4

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
	Jsonb	   *built = smf_json_build(text, len, NULL, 0);
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

/* ----- members that are read ----- */

/* A text in which values that nobody reads become null. */
typedef struct Reducer
{
	const char *at;				/* what is read next */
	const char *end;			/* behind the text */
	const JsonMembers *members; /* that are read of objects at "depth" */
	int			depth;
	StringInfoData out;			/* what was read */
} Reducer;

static bool reduce_value(Reducer *reducer, int depth);

static bool
is_member(const JsonMembers *members, const char *key, int len)
{
	for (int i = 0; i < members->n; i++)
	{
		if (members->list[i].len == len && memcmp(members->list[i].key, key, len) == 0)
			return true;
	}
	return false;
}

/* Copy what is read up to there. */
static void
copy_to(Reducer *reducer, const char *to)
{
	appendBinaryStringInfo(&reducer->out, reducer->at, to - reducer->at);
	reducer->at = to;
}

/* Copy space, and the byte if it is next. */
static bool
copy_byte(Reducer *reducer, char c)
{
	const char *at = reducer->at;

	while (at < reducer->end && *at != '\0' && strchr(" \n\t\r", *at) != NULL)
		at++;
	copy_to(reducer, at);
	if (c == '\0' || at == reducer->end || *at != c)
		return false;
	copy_to(reducer, at + 1);
	return true;
}

/* Copy a value as it is. */
static bool
copy_value(Reducer *reducer)
{
	const char *behind = end_of_value(reducer->at, reducer->end);

	if (behind != NULL)
		copy_to(reducer, behind);
	return behind != NULL;
}

/* Copy a key; *unread: nobody reads its value. */
static bool
reduce_key(Reducer *reducer, int depth, bool *unread)
{
	const char *start;
	const char *reason;
	Jsonb	   *key;
	JsonbValue *string;

	(void) copy_byte(reducer, '\0');
	start = reducer->at;
	if (start == reducer->end || *start != '"' || !copy_value(reducer))
		return false;
	*unread = false;
	if (depth != reducer->depth)
		return true;
	key = parse_cleaned(start, reducer->at - start, &reason);
	if (key == NULL)
		return false;
	string = getIthJsonbValueFromContainer(&key->root, 0);
	*unread = !is_member(reducer->members, string->val.string.val, string->val.string.len);
	return true;
}

static bool
reduce_object(Reducer *reducer, int depth)
{
	if (copy_byte(reducer, '}'))
		return true;
	do
	{
		bool		unread;

		if (!reduce_key(reducer, depth, &unread) || !copy_byte(reducer, ':'))
			return false;
		if (unread)
		{
			(void) copy_byte(reducer, '\0');
			reducer->at = end_of_value(reducer->at, reducer->end);
			if (reducer->at == NULL)
				return false;
			appendStringInfoString(&reducer->out, "null");
		}
		else if (!reduce_value(reducer, depth))
			return false;
	} while (copy_byte(reducer, ','));
	return copy_byte(reducer, '}');
}

static bool
reduce_array(Reducer *reducer, int depth)
{
	if (copy_byte(reducer, ']'))
		return true;
	do
	{
		if (!reduce_value(reducer, depth))
			return false;
	} while (copy_byte(reducer, ','));
	return copy_byte(reducer, ']');
}

/* Copy a value within "depth" brackets; false where it is none, with whatever follows. */
static bool
reduce_value(Reducer *reducer, int depth)
{
	if (depth < reducer->depth && copy_byte(reducer, '{'))
		return reduce_object(reducer, depth + 1);
	if (depth < reducer->depth && copy_byte(reducer, '['))
		return reduce_array(reducer, depth + 1);
	(void) copy_byte(reducer, '\0');
	return copy_value(reducer);
}

/* What Postgres's parser makes of the text, but for values that nobody reads; NULL: it rejects it. */
static Jsonb *
parse_reduced(const char *text, size_t len, const JsonMembers *members, int depth)
{
	Reducer		reducer = {.at = text, .end = text + len, .members = members, .depth = depth};
	const char *reason;
	Jsonb	   *parsed;
	JsonbIterator *iterator;
	JsonbBuilder copy = {0};
	JsonbValue	value;
	JsonbIteratorToken token;
	bool		has_value;
	int			open = 0;

	/* What is no JSON in what is read is so to the parser, too: what is behind it does not matter. */
	initStringInfo(&reducer.out);
	if (!reduce_value(&reducer, 0))
		return NULL;
	copy_to(&reducer, reducer.end);
	parsed = parse_cleaned(reducer.out.data, reducer.out.len, &reason);
	if (parsed == NULL)
		return NULL;

	/* Leave out what is null now, and what nobody reads. */
	iterator = JsonbIteratorInit(&parsed->root);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			open++;
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			open--;
		if (token == WJB_KEY && open == depth && !is_member(members, value.val.string.val, value.val.string.len))
		{
			(void) JsonbIteratorNext(&iterator, &value, true);
			continue;
		}
		/* a scalar alone is the element of an array that is none */
		has_value = token < WJB_BEGIN_ARRAY || (token == WJB_BEGIN_ARRAY && value.val.array.rawScalar);
		smf_push_jsonb(&copy, token, has_value ? &value : NULL);
	}
	return JsonbValueToJsonb(copy.result);
}

/* What both ways make of the members of a text that are read, in words. */
static const char *
compare_members(const char *text, size_t len, const JsonMembers *members, int depth)
{
	Jsonb	   *built = smf_json_build(text, len, members, depth);
	Jsonb	   *parsed = parse_reduced(text, len, members, depth);

	if (built == NULL)
		return parsed == NULL ? "left, rejected" : "left, parsed";
	if (parsed == NULL)
		return "built, rejected";
	if (VARSIZE(built) != VARSIZE(parsed) || memcmp(built, parsed, VARSIZE(built)) != 0)
		return "built, not the same";
	return "built, the same";
}

/* Those keys that are drawn, or all. */
static JsonMembers
members_of(ArrayType *keys, pg_prng_state *random)
{
	JsonMembers members = {0};
	Datum	   *elements;
	int			n;

	deconstruct_array(keys, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	members.list = palloc(n * sizeof(JsonMember));
	for (int i = 0; i < n; i++)
	{
		JsonMember *member = &members.list[members.n];

		if (random != NULL && pg_prng_bool(random))
			continue;
		member->key = VARDATA_ANY(DatumGetTextPP(elements[i]));
		member->len = VARSIZE_ANY_EXHDR(DatumGetTextPP(elements[i]));
		members.n++;
	}
	return members;
}

/*
 * (text bytea, keys text[], depth integer) returns text: what both ways make of the text where only these
 * keys are read of objects at that depth, and what is built
 */
Datum
json_members(PG_FUNCTION_ARGS)
{
	bytea	   *text = PG_GETARG_BYTEA_PP(0);
	JsonMembers members = members_of(PG_GETARG_ARRAYTYPE_P(1), NULL);
	int			depth = PG_GETARG_INT32(2);
	const char *both = compare_members(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &members, depth);
	Jsonb	   *built = smf_json_build(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &members, depth);

	PG_RETURN_TEXT_P(cstring_to_text(built == NULL ? both : psprintf("%s: %s", both, JsonbToCString(NULL, &built->root, VARSIZE(built)))));
}

/* ----- texts that are changed at random ----- */

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
 * Compare the two ways on n texts that are changed at random, of members if there are keys: how many
 * were read, or an error with the first text that they differ on.
 */
static char *
compare_changed(ArrayType *array, int64 seed, int64 n, ArrayType *keys)
{
	int64		nbuilt = 0;
	int64		nrejected = 0;
	pg_prng_state random;
	Datum	   *texts;
	int			ntexts;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "compare", ALLOCSET_DEFAULT_SIZES);

	pg_prng_seed(&random, seed);
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
		if (keys == NULL)
			both = compare(text.data, text.len);
		else
		{
			JsonMembers members = members_of(keys, &random);

			both = compare_members(text.data, text.len, &members, 1 + draw(&random, DEPTH_MAX));
		}
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
	return psprintf(INT64_FORMAT " built, " INT64_FORMAT " rejected", nbuilt, nrejected);
}

/* (texts bytea[], seed bigint, n bigint) returns text: see compare_changed */
Datum
json_compare(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(compare_changed(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT64(1),
													 PG_GETARG_INT64(2), NULL)));
}

/* (texts bytea[], seed bigint, n bigint, keys text[]) returns text: the same, of members that are drawn */
Datum
json_compare_members(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(compare_changed(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT64(1),
													 PG_GETARG_INT64(2), PG_GETARG_ARRAYTYPE_P(3))));
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
			pfree(smf_json_build(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), NULL, 0));
		else
			pfree(parse_cleaned(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &reason));
	}
	PG_RETURN_VOID();
}
