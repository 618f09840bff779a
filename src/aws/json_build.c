/*-------------------------------------------------------------------------
 *
 * json_build.c
 *		JSON from the service as jsonb, in one pass.
 *
 * What Postgres's parser makes of a text that json.c has made fit for it, for a UTF-8
 * database and the texts that nearly always come, at a fraction of the time: the
 * text is read once, strings without escapes are used where they stand, and each object
 * is sorted once.  It knows no messages: what it does not take, json.c's way takes, or
 * says what is wrong.
 *
 * The rules for strings are json.c's: NUL, a lone surrogate and an invalid byte become
 * U+FFFD.  Of equal keys the last one counts.  A number is the numeric that numeric_in
 * makes of it.
 *
 * Where only some members of an object are read, the others are passed over (json_skip.c):
 * what is in them need not even be JSON.
 *
 * Not accounted for: texts that are larger than any of the service's, and numbers of more
 * than a thousand digits.  What was read stays in memory until the next text is: this is
 * not for secrets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/json.h"
#include "aws/json_build.h"
#include "aws/json_skip.h"
#include "aws/json_text.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* Longest text: what is needed on the way can be allocated then. */
#define TEXT_MAX (32 * 1024 * 1024)

/* Memory that is kept for the next text. */
#define ARENA_KEPT (256 * 1024)

/* Room for what is longer when it is decoded. */
#define SPARE_ROOM 256

/* Pairs of an object up to which insertion sorts them fastest. */
#define FEW_PAIRS 12

/* Digits that an int64 always holds. */
#define INT64_DIGITS 18

/* Longest number that is read here. */
#define NUMBER_MAX 1000

/* A text that is being read.  All memory is the arena's. */
typedef struct Builder
{
	const char *at;				/* what is read next */
	const char *end;			/* behind the text */
	int			depth;			/* objects and arrays that are open */
	const JsonMembers *members; /* of objects at "members_depth" that are read; NULL: all */
	int			members_depth;
	JsonbPair  *pairs;			/* of the objects that are open, the innermost one's last */
	int			npairs;
	int			pairs_size;		/* room for so many */
	JsonbValue *elements;		/* of the arrays that are open, likewise */
	int			nelements;
	int			elements_size;
	char	   *decoded;		/* strings that do not stand in the text as they are;
								 * NULL before the first one */
	char	   *decoded_at;		/* where the next one begins */
	char	   *decoded_end;	/* behind the room for them */
} Builder;

static bool build_value(Builder *builder, JsonbValue *value);

/* ----- strings ----- */

/* Add bytes to the string that is being decoded, if there is room. */
static inline bool
put(Builder *builder, const char *bytes, size_t len)
{
	if (len > builder->decoded_end - builder->decoded_at)
		return false;
	memcpy(builder->decoded_at, bytes, len);
	builder->decoded_at += len;
	return true;
}

static bool
put_character(Builder *builder, uint32 character)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

	/* no character, and the one that text cannot hold */
	if (character == 0)
		return put(builder, REPLACEMENT, REPLACEMENT_LEN);
	unicode_to_utf8(character, utf8);
	return put(builder, (char *) utf8, pg_utf_mblen(utf8));
}

/* Decode the escape that is next. */
static bool
decode_escape(Builder *builder)
{
	static const char short_escapes[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	uint32		unit = code_unit_at(builder->at, builder->end);
	const char *found;

	if (unit != NO_CODE_UNIT)
	{
		int			len;
		uint32		character = escaped_character(builder->at, builder->end, unit, &len);

		builder->at += len;
		return put_character(builder, character);
	}
	if (builder->end - builder->at < 2 || builder->at[1] == '\0')
		return false;
	found = strchr(short_escapes, builder->at[1]);
	if (found == NULL)
		return false;
	builder->at += 2;
	return put(builder, &meanings[found - short_escapes], 1);
}

/*
 * The rest of a string that does not stand in the text as it is to be; it began at
 * "start".
 */
static bool
decode_string(Builder *builder, const char *start, JsonbValue *value)
{
	char	   *decoded;

	/* Only bytes that are no characters make a string longer, and those are rare. */
	if (builder->decoded == NULL)
	{
		size_t		size = builder->end - start + SPARE_ROOM;

		builder->decoded = palloc(size);
		builder->decoded_at = builder->decoded;
		builder->decoded_end = builder->decoded + size;
	}

	/* Copy what was read of it. */
	decoded = builder->decoded_at;
	if (!put(builder, start, builder->at - start))
		return false;

	/* Copy the rest in runs, and what stands between them decoded, or replaced. */
	for (;;)
	{
		const char *run = builder->at;
		int			len;

		builder->at = skip_plain(builder->at, builder->end);
		if (!put(builder, run, builder->at - run) || builder->at == builder->end)
			return false;
		if (*builder->at == '"')
			break;
		if (*builder->at == '\\')
		{
			if (!decode_escape(builder))
				return false;
		}
		else if (IS_HIGHBIT_SET(*builder->at))
		{
			len = utf8_character_len(builder->at, builder->end);
			if (!(len > 0 ? put(builder, builder->at, len) : put_character(builder, 0)))
				return false;
			builder->at += Max(len, 1);
		}
		else if (*builder->at == '\0')
		{
			if (!put_character(builder, 0))
				return false;
			builder->at++;
		}
		else
			return false;		/* a control character */
	}

	/* It ends with its quote. */
	value->val.string.val = decoded;
	value->val.string.len = builder->decoded_at - decoded;
	builder->at++;
	return true;
}

/* A string, from behind its opening quote. */
static bool
build_string(Builder *builder, JsonbValue *value)
{
	const char *start = builder->at;

	value->type = jbvString;
	for (;;)
	{
		int			len;

		builder->at = skip_plain(builder->at, builder->end);
		if (builder->at == builder->end)
			return false;
		if (*builder->at == '"')
			break;
		if (!IS_HIGHBIT_SET(*builder->at))
			return decode_string(builder, start, value);
		len = utf8_character_len(builder->at, builder->end);
		if (len == 0)
			return decode_string(builder, start, value);
		builder->at += len;
	}
	value->val.string.val = unconstify(char *, start);
	value->val.string.len = builder->at - start;
	builder->at++;
	return true;
}

/* ----- numbers and words ----- */

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is there another byte, and is it this one?  If so, go past it. */
static inline bool
take(Builder *builder, char c)
{
	if (builder->at == builder->end || *builder->at != c)
		return false;
	builder->at++;
	return true;
}

/* Go past digits; how many there were.  *number gets them as long as an int64 holds it. */
static int
take_digits(Builder *builder, int64 *number)
{
	const char *start = builder->at;

	for (; builder->at < builder->end && is_digit(*builder->at); builder->at++)
	{
		if (*number <= PG_INT64_MAX / 10 - 1)
			*number = *number * 10 + (*builder->at - '0');
	}
	return builder->at - start;
}

/* What numeric_in makes of a number, which it can hold. */
static Numeric
numeric_from_text(const char *text, int len)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(text, len)),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static bool
build_number(Builder *builder, JsonbValue *value)
{
	const char *start = builder->at;
	bool		negative = take(builder, '-');
	bool		leading_zero = builder->at < builder->end && *builder->at == '0';
	bool		has_exponent = false;
	int64		number = 0;
	int64		exponent = 0;
	int			ndigits = take_digits(builder, &number);
	int			nfraction = 0;

	/* Find where it ends. */
	if (ndigits == 0 || (leading_zero && ndigits > 1))
		return false;
	if (take(builder, '.'))
	{
		nfraction = take_digits(builder, &number);
		if (nfraction == 0)
			return false;
	}
	if (take(builder, 'e') || take(builder, 'E'))
	{
		has_exponent = true;
		if (!take(builder, '-'))
			(void) take(builder, '+');
		if (take_digits(builder, &exponent) == 0 || exponent > SMF_JSON_EXPONENT_MAX)
			return false;
	}
	if (builder->at - start > NUMBER_MAX)
		return false;

	/* Few have an exponent, or more digits than an int64. */
	value->type = jbvNumeric;
	if (has_exponent || ndigits + nfraction > INT64_DIGITS)
		value->val.numeric = numeric_from_text(start, builder->at - start);
	else if (nfraction > 0)
		value->val.numeric = int64_div_fast_to_numeric(negative ? -number : number, nfraction);
	else
		value->val.numeric = int64_to_numeric(negative ? -number : number);
	return true;
}

static bool
take_word(Builder *builder, const char *word)
{
	size_t		len = strlen(word);

	if (builder->end - builder->at < len || memcmp(builder->at, word, len) != 0)
		return false;
	builder->at += len;
	return true;
}

static bool
build_boolean(Builder *builder, JsonbValue *value, bool boolean)
{
	value->type = jbvBool;
	value->val.boolean = boolean;
	return take_word(builder, boolean ? "true" : "false");
}

static bool
build_null(Builder *builder, JsonbValue *value)
{
	value->type = jbvNull;
	return take_word(builder, "null");
}

/* ----- objects and arrays ----- */

static inline void
skip_space(Builder *builder)
{
	while (builder->at < builder->end &&
		   (*builder->at == ' ' || *builder->at == '\n' || *builder->at == '\t' || *builder->at == '\r'))
		builder->at++;
}

static inline int
compare_keys(const JsonbPair *a, const JsonbPair *b)
{
	return smf_json_key_order(a->key.val.string.val, a->key.val.string.len,
							  b->key.val.string.val, b->key.val.string.len);
}

/* The same, and of equal keys the later one first. */
static inline int
compare_pairs(const JsonbPair *a, const JsonbPair *b)
{
	int			order = compare_keys(a, b);

	return order != 0 ? order : (a->order > b->order ? -1 : 1);
}

#define ST_SORT sort_many
#define ST_ELEMENT_TYPE JsonbPair
#define ST_COMPARE(a, b) compare_pairs(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Sort pairs, and keep the last one of each key; how many are left. */
static int
sort_few(JsonbPair *pairs, int n)
{
	int			nsorted = 0;

	for (int i = 0; i < n; i++)
	{
		JsonbPair	pair = pairs[i];
		int			to = nsorted;
		int			order = 1;

		while (to > 0 && (order = compare_keys(&pair, &pairs[to - 1])) < 0)
			to--;
		if (order == 0)
		{
			pairs[to - 1] = pair;
			continue;
		}
		memmove(&pairs[to + 1], &pairs[to], (nsorted - to) * sizeof(JsonbPair));
		pairs[to] = pair;
		nsorted++;
	}
	return nsorted;
}

/* The same, for any number of them. */
static int
sort_pairs(JsonbPair *pairs, int n)
{
	int			nunique = 1;
	int			i = 1;

	/* Many services send them as they are in jsonb, or nearly. */
	if (n <= FEW_PAIRS)
		return sort_few(pairs, n);
	while (i < n && compare_keys(&pairs[i - 1], &pairs[i]) < 0)
		i++;
	if (i == n)
		return n;

	for (i = 0; i < n; i++)
		pairs[i].order = i;
	sort_many(pairs, n);
	for (i = 1; i < n; i++)
	{
		if (compare_keys(&pairs[nunique - 1], &pairs[i]) != 0)
			pairs[nunique++] = pairs[i];
	}
	return nunique;
}

static void
push_pair(Builder *builder, const JsonbPair *pair)
{
	if (builder->npairs == builder->pairs_size)
	{
		builder->pairs_size *= 2;
		builder->pairs = repalloc(builder->pairs, builder->pairs_size * sizeof(JsonbPair));
	}
	builder->pairs[builder->npairs++] = *pair;
}

static void
push_element(Builder *builder, const JsonbValue *element)
{
	if (builder->nelements == builder->elements_size)
	{
		builder->elements_size *= 2;
		builder->elements = repalloc(builder->elements, builder->elements_size * sizeof(JsonbValue));
	}
	builder->elements[builder->nelements++] = *element;
}

/* Are there more members, or is this the end of them, or is neither there? */
static bool
take_separator(Builder *builder, char last, bool *more)
{
	skip_space(builder);
	*more = take(builder, ',');
	return *more || take(builder, last);
}

/* Does nobody read the member with this key of the object that is open? */
static bool
is_unread(const Builder *builder, const JsonbValue *key)
{
	const JsonMembers *members = builder->members;

	if (members == NULL || builder->depth != builder->members_depth)
		return false;
	for (int i = 0; i < members->n; i++)
	{
		const JsonMember *member = &members->list[i];

		if (member->len == key->val.string.len &&
			memcmp(member->key, key->val.string.val, member->len) == 0)
			return false;
	}
	return true;
}

/* Go past a value, which may have space before it. */
static bool
skip_value(Builder *builder)
{
	const char *behind;

	skip_space(builder);
	behind = smf_json_skip(builder->at, builder->end);
	if (behind != NULL)
		builder->at = behind;
	return behind != NULL;
}

/* An object, from behind its bracket. */
static bool
build_object(Builder *builder, JsonbValue *value)
{
	int			first = builder->npairs;
	int			n;
	bool		more;

	/* Take its members, or go past them. */
	skip_space(builder);
	more = !take(builder, '}');
	while (more)
	{
		JsonbPair	pair;
		bool		unread;

		skip_space(builder);
		if (!take(builder, '"') || !build_string(builder, &pair.key))
			return false;
		unread = is_unread(builder, &pair.key);
		skip_space(builder);
		if (!take(builder, ':') ||
			!(unread ? skip_value(builder) : build_value(builder, &pair.value)) ||
			!take_separator(builder, '}', &more))
			return false;
		if (!unread)
			push_pair(builder, &pair);
	}

	/* Sort them, and keep those that count. */
	n = sort_pairs(&builder->pairs[first], builder->npairs - first);
	value->type = jbvObject;
	value->val.object.nPairs = n;
	value->val.object.pairs = palloc(n * sizeof(JsonbPair));
	memcpy(value->val.object.pairs, &builder->pairs[first], n * sizeof(JsonbPair));
	builder->npairs = first;
	return true;
}

/* An array, from behind its bracket. */
static bool
build_array(Builder *builder, JsonbValue *value)
{
	int			first = builder->nelements;
	int			n;
	bool		more;

	skip_space(builder);
	more = !take(builder, ']');
	while (more)
	{
		JsonbValue	element;

		if (!build_value(builder, &element) || !take_separator(builder, ']', &more))
			return false;
		push_element(builder, &element);
	}

	n = builder->nelements - first;
	value->type = jbvArray;
	value->val.array.nElems = n;
	value->val.array.rawScalar = false;
	value->val.array.elems = palloc(n * sizeof(JsonbValue));
	memcpy(value->val.array.elems, &builder->elements[first], n * sizeof(JsonbValue));
	builder->nelements = first;
	return true;
}

/* A value, which may have space before it; false when it is none that is taken here. */
static bool
build_value(Builder *builder, JsonbValue *value)
{
	bool		built;

	skip_space(builder);
	if (builder->at == builder->end)
		return false;
	switch (*builder->at)
	{
		case '"':
			builder->at++;
			return build_string(builder, value);
		case '{':
		case '[':
			if (++builder->depth > SMF_JSON_DEPTH_MAX)
				return false;
			built = *builder->at++ == '{' ? build_object(builder, value) : build_array(builder, value);
			builder->depth--;
			return built;
		case 't':
			return build_boolean(builder, value, true);
		case 'f':
			return build_boolean(builder, value, false);
		case 'n':
			return build_null(builder, value);
		default:
			return build_number(builder, value);
	}
}

/* The whole text, which is nothing but a value; memory is the current context's. */
static Jsonb *
build_text(const char *text, size_t len, const JsonMembers *members, int depth)
{
	Builder		builder = {.at = text, .end = text + len, .members = members, .members_depth = depth,
	.pairs_size = 64, .elements_size = 64};
	JsonbValue	value;

	builder.pairs = palloc(builder.pairs_size * sizeof(JsonbPair));
	builder.elements = palloc(builder.elements_size * sizeof(JsonbValue));
	if (!build_value(&builder, &value))
		return NULL;
	skip_space(&builder);
	return builder.at == builder.end ? JsonbValueToJsonb(&value) : NULL;
}

static Jsonb *
copy_of(const Jsonb *json)
{
	return memcpy(palloc(VARSIZE(json)), json, VARSIZE(json));
}

/*
 * smf_json_build
 *		A JSON text from the service as jsonb, in the current memory context; NULL if it is to
 *		go json.c's way, which can do more.
 *
 * Objects that have "depth" brackets open, their own among them, have only "members"; NULL: all.
 * Raises nothing but that there is no memory.
 */
Jsonb *
smf_json_build(const char *text, size_t len, const JsonMembers *members, int depth)
{
	/* What was needed for one text is used for the next. */
	static MemoryContext arena = NULL;
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile built = NULL;

	if (len > TEXT_MAX)
		return NULL;
	if (arena == NULL)
		arena = AllocSetContextCreate(TopMemoryContext, "sagemaker_fdw JSON",
									  ARENA_KEPT, ARENA_KEPT, ALLOCSET_DEFAULT_MAXSIZE);

	/* Build it in the arena, where an error may have left something. */
	MemoryContextReset(arena);
	PG_TRY();
	{
		MemoryContextSwitchTo(arena);
		built = build_text(text, len, members, depth);
	}
	PG_CATCH();
	{
		/* no room on the stack, or in a jsonb, is json.c's to say */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);

	/* Hand it up in memory of its size. */
	if (built != NULL)
		built = copy_of(built);
	MemoryContextReset(arena);
	return built;
}
