/*-------------------------------------------------------------------------
 *
 * json.c
 *		JSON from the service as jsonb: prepared for Postgres, and parsed by it.
 *
 * The service sends UTF-8, which may contain what Postgres's parser rejects: NUL
 * characters, lone surrogates and invalid bytes, and in a database that is not UTF-8
 * every escape of a character beyond ASCII.  One pass over the text, aware of strings and
 * escapes, rewrites only those; everything else, including errors in the JSON itself, is
 * left for the parser to judge.
 *
 *		NUL, a lone surrogate, an invalid byte	-> U+FFFD
 *		\uXXXX beyond ASCII						-> the character itself
 *		what the database encoding lacks		-> ?
 *
 * In a UTF-8 database json_build.c handles nearly every text instead, with the same
 * result.
 *
 * Two things that the parser would accept are rejected here, because a few bytes of them
 * cost the backend much memory or stack: deep nesting and huge exponents.
 *
 * Not accounted for: a duplicate key is not an error; jsonb keeps the last one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/json.h"
#include "aws/json_build.h"
#include "aws/json_text.h"
#include "catalog/namespace.h"
#include "common/string.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static void
append_character(StringInfo out, uint32 character)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

	unicode_to_utf8(character, utf8);
	appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
}

/*
 * Rewrite the escape at "at" (a backslash inside a string) and return a pointer to what
 * follows it.
 */
static const char *
clean_escape(StringInfo out, const char *at, const char *end)
{
	uint32		unit = code_unit_at(at, end);
	uint32		character;
	int			len;

	if (unit == NO_CODE_UNIT)
	{
		/*
		 * A short escape, or a broken one that the parser will reject.  What follows the
		 * backslash may itself need cleaning.
		 */
		len = end - at > 1 && at[1] != '\0' && !IS_HIGHBIT_SET(at[1]) ? 2 : 1;

		appendBinaryStringInfo(out, at, len);
		return at + len;
	}
	character = escaped_character(at, end, unit, &len);
	if (character == 0)
		appendBinaryStringInfo(out, REPLACEMENT, REPLACEMENT_LEN);
	else if (character < 0x80)
		appendBinaryStringInfo(out, at, len);
	else
		append_character(out, character);
	return at + len;
}

/*
 * Copy the character at "at", which is NUL or not ASCII, or U+FFFD if it is invalid;
 * returns what follows.
 */
static const char *
clean_character(StringInfo out, const char *at, const char *end)
{
	int			len = *at != '\0' ? utf8_character_len(at, end) : 0;

	if (len > 0)
	{
		appendBinaryStringInfo(out, at, len);
		return at + len;
	}
	appendBinaryStringInfo(out, REPLACEMENT, REPLACEMENT_LEN);
	return at + 1;
}

/* Clean a string from after its opening quote; returns what follows the closing one. */
static const char *
clean_string(StringInfo out, const char *at, const char *end)
{
	while (at < end)
	{
		const char *run = at;

		while (at < end && *at != '"' && *at != '\\' && *at != '\0' && !IS_HIGHBIT_SET(*at))
			at++;
		appendBinaryStringInfo(out, run, at - run);
		if (at == end)
			break;
		if (*at == '"')
		{
			appendStringInfoChar(out, '"');
			return at + 1;
		}
		if (*at == '\\')
			at = clean_escape(out, at, end);
		else
			at = clean_character(out, at, end);
	}
	return at;
}

/* Is the exponent that begins at "at" (after the E) too large? */
static bool
exponent_too_large(const char *at, const char *end)
{
	int			exponent = 0;

	if (at < end && (*at == '+' || *at == '-'))
		at++;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
	{
		exponent = exponent * 10 + (*at - '0');
		if (exponent > SMF_JSON_EXPONENT_MAX)
			return true;
	}
	return false;
}

/*
 * The pass: takes UTF-8 JSON, and produces UTF-8 JSON that Postgres's parser can judge.
 * Returns NULL if the text is accepted, otherwise the reason why it is rejected.
 */
static const char *
clean(StringInfo out, const char *text, size_t len)
{
	const char *at = text;
	const char *end = text + len;
	int			depth = 0;

	while (at < end)
	{
		char		c = *at;

		/* A string has its own rules. */
		if (c == '"')
		{
			appendStringInfoChar(out, '"');
			at = clean_string(out, at + 1, end);
			continue;
		}
		if (c == '\0' || IS_HIGHBIT_SET(c))
		{
			/* no token begins like this: the parser will reject it */
			at = clean_character(out, at, end);
			continue;
		}

		/* Reject what would cost the parser too much. */
		if (c == '{' || c == '[')
		{
			if (++depth > SMF_JSON_DEPTH_MAX)
				return "it is nested more than 512 levels deep";
		}
		else if (c == '}' || c == ']')
			depth--;
		else if ((c == 'e' || c == 'E') && at > text && at[-1] >= '0' && at[-1] <= '9' &&
				 exponent_too_large(at + 1, end))
			return "it holds a number with an exponent beyond 400";
		appendStringInfoChar(out, c);
		at++;
	}
	return NULL;
}

/*
 * Convert UTF-8 text to the database encoding, with "?" for every character that the
 * encoding lacks.  The text must be valid.
 */
static char *
to_database_encoding(char *text, int len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = InvalidOid;
	StringInfoData out;
	const unsigned char *at = (const unsigned char *) text;
	const unsigned char *end = at + len;

	/* Usually there is nothing to do. */
	if (encoding == PG_UTF8 || pg_is_ascii(text))
		return text;
	if (encoding != PG_SQL_ASCII)
		conversion = FindDefaultConversionProc(PG_UTF8, encoding);

	initStringInfo(&out);
	while (at < end)
	{
		const unsigned char *run = at;

		/* ASCII is the same in all encodings. */
		while (at < end && !IS_HIGHBIT_SET(*at))
			at++;
		appendBinaryStringInfo(&out, (const char *) run, at - run);
		if (at == end)
			break;

		/* A character that the encoding lacks becomes a question mark. */
		if (OidIsValid(conversion))
		{
			unsigned char converted[MAX_MULTIBYTE_CHAR_LEN * MAX_CONVERSION_GROWTH + 1];
			int			char_len = pg_utf_mblen(at);

			if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
											  unconstify(unsigned char *, at), char_len,
											  converted, sizeof(converted), true) == char_len)
				appendStringInfoString(&out, (char *) converted);
			else
				appendStringInfoChar(&out, '?');
		}
		else
			appendStringInfoChar(&out, '?');
		at += pg_utf_mblen(at);
	}
	return out.data;
}

/*
 * smf_text_from_utf8
 *		Turn foreign bytes into text for a message: in the database encoding, with
 *		control characters as spaces, and nothing invalid.
 */
char *
smf_text_from_utf8(const char *text, size_t len)
{
	StringInfoData out;
	const char *at = text;
	const char *end = text + len;

	initStringInfo(&out);
	while (at < end)
	{
		if (IS_HIGHBIT_SET(*at))
			at = clean_character(&out, at, end);
		else
		{
			appendStringInfoChar(&out, (unsigned char) *at < ' ' || *at == 0x7F ? ' ' : *at);
			at++;
		}
	}
	return to_database_encoding(out.data, out.len);
}

/*
 * A JSON text as jsonb, prepared here and parsed by Postgres; NULL, and the reason, if it
 * is rejected.
 */
static Jsonb *
parse_cleaned(const char *text, size_t len, const char **reason)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "sagemaker_fdw JSON", ALLOCSET_DEFAULT_SIZES);
	Jsonb	   *volatile result = NULL;

	*reason = NULL;
	PG_TRY();
	{
		StringInfoData out;
		Jsonb	   *parsed;

		/* Prepare the text; that takes more memory than the result. */
		MemoryContextSwitchTo(scratch);
		initStringInfo(&out);
		enlargeStringInfo(&out, len);
		*reason = clean(&out, text, len);

		/* Let Postgres parse it. */
		if (*reason == NULL)
		{
			parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum(to_database_encoding(out.data, out.len))));
			result = MemoryContextAlloc(caller, VARSIZE(parsed));
			memcpy(result, parsed, VARSIZE(parsed));
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		/*
		 * The parser's error about the text is the reason; any other error is not ours to
		 * catch.
		 */
		if (category != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
			category != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED))
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		*reason = error->detail ? error->detail : error->message;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return result;
}

/*
 * smf_json_parse
 *		A JSON text from the service as jsonb, in the current memory context.
 *
 * Returns NULL if it is not JSON, or JSON that is rejected; then *reason says why, fit
 * for an error's detail.  Raises only errors that have nothing to do with the text, such
 * as a query cancel or lack of memory.
 */
Jsonb *
smf_json_parse(const char *text, size_t len, const char **reason)
{
	return smf_json_parse_members(text, len, NULL, 0, reason);
}

/*
 * smf_json_parse_members
 *		The same for a caller that reads only "members" of the objects at which "depth"
 *		brackets are open.  Other members may be left out of the result, and their
 *		values need not be JSON.
 *
 * NULL for "members": all are read.
 */
Jsonb *
smf_json_parse_members(const char *text, size_t len, const JsonMembers *members, int depth,
					   const char **reason)
{
	Jsonb	   *built = NULL;

	*reason = NULL;
	if (GetDatabaseEncoding() == PG_UTF8)
		built = smf_json_build(text, len, members, depth);
	return built ? built : parse_cleaned(text, len, reason);
}

/*
 * smf_json_parse_secrets
 *		The same for a text with secrets: none of them stays in memory that is reused
 *		for other texts.
 */
Jsonb *
smf_json_parse_secrets(const char *text, size_t len, const char **reason)
{
	return parse_cleaned(text, len, reason);
}

/*
 * smf_json_member
 *		The string member "key" of an object, palloc'ed; NULL if the value is not an
 *		object, has no such member, or the member is not a string.
 */
char *
smf_json_member(const Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(object))
		return NULL;
	if (getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &object->root),
									 key, strlen(key), &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}
