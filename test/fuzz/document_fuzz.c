/*-------------------------------------------------------------------------
 *
 * document_fuzz.c
 *		The pass over JSON from the service, before Postgres's parser sees it, and the
 *		builder that does without both, of all members or of some.
 *
 * Input: a byte that chooses the database encoding, then the text.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/json.c"

/* Did the parser refuse what the pass is there to keep from it? */
static bool
is_unicode_error(JsonParseErrorType error)
{
	return error == JSON_UNICODE_CODE_POINT_ZERO || error == JSON_UNICODE_HIGH_ESCAPE ||
		error == JSON_UNICODE_HIGH_SURROGATE || error == JSON_UNICODE_LOW_SURROGATE;
}

static bool
is_valid(int encoding, const char *text, size_t len)
{
	return pg_encoding_verifymbstr(encoding, text, len) == len && memchr(text, '\0', len) == NULL;
}

static void
check_pass(const char *text, size_t len)
{
	StringInfoData once;
	StringInfoData twice;
	Jsonb	   *parsed;

	initStringInfo(&once);
	initStringInfo(&twice);
	if (clean(&once, text, len) != NULL)
		return;
	FUZZ_CHECK(is_valid(PG_UTF8, once.data, once.len));
	FUZZ_CHECK(!is_unicode_error(fuzz_parse_json(once.data, once.len, PG_UTF8, &parsed)));

	/* what is clean stays as it is */
	FUZZ_CHECK(clean(&twice, once.data, once.len) == NULL);
	FUZZ_CHECK(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);

	/* and what the parser takes by itself, it takes from the pass */
	if (is_valid(PG_UTF8, text, len) && fuzz_parse_json(text, len, PG_UTF8, &parsed) == JSON_SUCCESS)
		FUZZ_CHECK(fuzz_parse_json(once.data, once.len, PG_UTF8, &parsed) == JSON_SUCCESS);
}

/* What may be left to Postgres's parser, though that takes it: long numbers, and what gets longer. */
static bool
may_be_left(const char *text, size_t len)
{
	size_t		ndigits = 0;

	if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len || memchr(text, '\0', len) != NULL)
		return true;
	for (size_t i = 0; i < len; i++)
	{
		ndigits = strchr("0123456789.eE+-", text[i]) != NULL ? ndigits + 1 : 0;
		if (ndigits > 1000)
			return true;
	}
	return false;
}

/* Both ways make the same of a text. */
static void
check_build(const char *text, size_t len)
{
	const char *reason;
	Jsonb	   *built = smf_json_build(text, len, NULL, 0);
	Jsonb	   *parsed = parse_cleaned(text, len, &reason);

	if (built != NULL)
		FUZZ_CHECK(parsed != NULL && fuzz_same_json(&built->root, &parsed->root));
	else
		FUZZ_CHECK(parsed == NULL || may_be_left(text, len));
}

/* Is the member the same in both objects, or in neither? */
static bool
same_member(Jsonb *object, Jsonb *other, const JsonMember *member)
{
	JsonbValue	value;
	JsonbValue	other_value;
	bool		found = getKeyJsonValueFromContainer(&object->root, member->key, member->len, &value) != NULL;

	if (found != (getKeyJsonValueFromContainer(&other->root, member->key, member->len, &other_value) != NULL))
		return false;
	return !found || fuzz_same_json(&JsonbValueToJsonb(&value)->root, &JsonbValueToJsonb(&other_value)->root);
}

/* Members that are read alone are what they are among all, and no other is there. */
static void
check_members(const char *text, size_t len)
{
	JsonMember	list[] = {{"TrainingJobName", 15}, {"a", 1}};
	JsonMembers members = {lengthof(list), list};
	Jsonb	   *whole = smf_json_build(text, len, NULL, 0);
	Jsonb	   *built = smf_json_build(text, len, &members, 1);

	if (whole == NULL)
		return;
	FUZZ_CHECK(built != NULL);
	if (!JB_ROOT_IS_OBJECT(whole))
	{
		FUZZ_CHECK(fuzz_same_json(&built->root, &whole->root));
		return;
	}
	FUZZ_CHECK(JB_ROOT_IS_OBJECT(built) && JB_ROOT_COUNT(built) <= lengthof(list));
	for (int i = 0; i < lengthof(list); i++)
		FUZZ_CHECK(same_member(built, whole, &list[i]));
}

static void
check_parse(const char *text, size_t len)
{
	const char *reason = NULL;
	Jsonb	   *json;
	char	   *member;

	fuzz_json_error = JSON_SUCCESS;
	json = smf_json_parse(text, len, &reason);
	FUZZ_CHECK(json != NULL || reason != NULL);
	FUZZ_CHECK(!is_unicode_error(fuzz_json_error));
	if (json == NULL)
		return;
	member = smf_json_member(json, "message");
	if (member != NULL)
		FUZZ_CHECK(is_valid(fuzz_encoding, member, strlen(member)));
}

static void
check_text(const char *text, size_t len)
{
	char	   *shown = smf_text_from_utf8(text, len);

	FUZZ_CHECK(is_valid(fuzz_encoding, shown, strlen(shown)));
	for (char *c = shown; *c; c++)
		FUZZ_CHECK((unsigned char) *c >= ' ' && *c != 0x7F);
	if (fuzz_encoding == PG_SQL_ASCII)
		FUZZ_CHECK(pg_is_ascii(shown));
}

typedef struct Text
{
	const char *bytes;
	size_t		len;
} Text;

static void
check(void *arg)
{
	Text	   *text = arg;

	check_pass(text->bytes, text->len);
	if (fuzz_encoding == PG_UTF8)
	{
		check_build(text->bytes, text->len);
		check_members(text->bytes, text->len);
	}
	check_parse(text->bytes, text->len);
	check_text(text->bytes, text->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int encodings[] = {PG_UTF8, PG_LATIN1, PG_SQL_ASCII};
	FuzzInput	input = {data, size};
	Text		text;

	fuzz_encoding = encodings[fuzz_byte(&input) % lengthof(encodings)];
	text.bytes = (const char *) input.at;
	text.len = input.left;
	FUZZ_CHECK(!fuzz_raises(check, &text));
	fuzz_reset();
	return 0;
}
