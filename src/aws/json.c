/*-------------------------------------------------------------------------
 *
 * json.c
 *		JSON from the service as jsonb: made fit for Postgres, and parsed by it.
 *
 * The service sends UTF-8 and may send what Postgres's parser rejects: NUL
 * characters, lone surrogates and invalid bytes, and in a database that is not
 * UTF-8 every escape beyond ASCII.  One pass over the text, aware of strings
 * and escapes, rewrites just those; everything else, errors in the JSON itself
 * included, is left for the parser to judge.
 *
 *		NUL, a lone surrogate, an invalid byte	-> U+FFFD
 *		\uXXXX beyond ASCII						-> the character itself
 *		what the database encoding lacks		-> ?
 *
 * In a UTF-8 database json_build.c takes nearly every text before that, to the same result.
 *
 * Two things the parser would accept are rejected here, since a few bytes of
 * them cost the backend much memory or stack: deep nesting and huge exponents.
 *
 * Not accounted for: a duplicate key is no error; jsonb keeps the last one.
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
 * Rewrite the escape at "at" (a backslash inside a string) and return what
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
		 * A short escape, or a broken one that the parser will reject.  What stands
		 * behind the backslash then may need cleaning itself.
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

/* Copy the character at "at", no ASCII or NUL, if it is one; return what follows. */
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

/* Clean a string from behind its opening quote; returns what follows the closing one. */
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

/* Does the exponent that begins at "at" (behind the E) go too far? */
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
 * The pass: UTF-8 JSON in, UTF-8 JSON that Postgres's parser can judge out.
 * Returns NULL when the text is rejected, with the reason.
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

		/* A string is a matter of its own. */
		if (c == '"')
		{
			appendStringInfoChar(out, '"');
			at = clean_string(out, at + 1, end);
			continue;
		}
		if (c == '\0' || IS_HIGHBIT_SET(c))
		{
			/* no token begins with it: the parser rejects what stands there */
			at = clean_character(out, at, end);
			continue;
		}

		/* What the parser would spend too much on is found before it. */
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
 * What UTF-8 text is in the database encoding, with "?" for every character
 * that the encoding lacks.  The text must be valid.
 */
static char *
to_database_encoding(char *text, int len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = InvalidOid;
	StringInfoData out;
	const unsigned char *at = (const unsigned char *) text;
	const unsigned char *end = at + len;

	/* Nearly always there is nothing to do. */
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

		/* A character that the encoding lacks is a question mark. */
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
 *		Foreign bytes as text that can stand in a message: in the database
 *		encoding, control characters as spaces, nothing invalid.
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
 * A JSON text as jsonb, made fit and parsed by Postgres; NULL, and the reason, when it is
 * rejected.
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

		/* Make the text fit; what that needs on the way takes more room than the result. */
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

		/* What the parser says of the text is the reason; anything else is not ours to catch. */
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
 * Returns NULL when it is no JSON, or JSON that is rejected, and then *reason
 * says why, fit for an error's detail.  Raises only what has nothing to do with
 * the text, such as a cancelled query or no memory.
 */
Jsonb *
smf_json_parse(const char *text, size_t len, const char **reason)
{
	return smf_json_parse_members(text, len, NULL, 0, reason);
}

/*
 * smf_json_parse_members
 *		The same for who reads no other members, of the objects that have "depth" brackets
 *		open, than these: others may be missing, and may then be no JSON.
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
 *		The same of a text that has secrets: no memory for another text holds them on.
 */
Jsonb *
smf_json_parse_secrets(const char *text, size_t len, const char **reason)
{
	return parse_cleaned(text, len, reason);
}

/*
 * smf_json_member
 *		The string member "key" of an object, palloc'ed; NULL when the value is
 *		no object, has no such member, or the member is no string.
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
