/*-------------------------------------------------------------------------
 *
 * json_build.c
 *		JSON from the service as jsonb, in one pass.
 *
 * The result is the same as when json.c prepares a text and Postgres parses it, for a
 * UTF-8 database and nearly all texts that occur, in a fraction of the time: the text is
 * read once, strings without escapes are used in place, and each object is sorted once.
 * It produces no messages: a text that it does not handle goes to json.c, which handles
 * it or says what is wrong.
 *
 * The rules for strings are json.c's: NUL, a lone surrogate and an invalid byte become
 * U+FFFD.  If a key occurs twice the last one counts.  A number becomes the numeric that
 * numeric_in would return.
 *
 * If only some members of an object are read, the others are skipped (json_skip.c): their
 * values need not even be JSON.
 *
 * Not accounted for: texts that are larger than any of the service's, and numbers of more
 * than a thousand digits.  What was read stays in memory until the next text is read, so
 * do not use this for secrets.
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

/* Longest text: the memory needed to read it can then be allocated. */
#define TEXT_MAX (32 * 1024 * 1024)

/* Memory that is kept for the next text. */
#define ARENA_KEPT (256 * 1024)

/* Room for strings that get longer when they are decoded. */
#define SPARE_ROOM 256

/* Up to so many pairs of an object, insertion sort is fastest. */
#define FEW_PAIRS 12

/* Any number of so many digits fits into an int64. */
#define INT64_DIGITS 18

/* Longest number that is handled here, in bytes. */
#define NUMBER_MAX 1000

/* A text being read.  All memory is the arena's. */
typedef struct Builder
{
	const char *at;				/* what is read next */
	const char *end;			/* after the text */
	int			depth;			/* number of open objects and arrays */
	const JsonMembers *members; /* that are read, in objects at "members_depth"; NULL: all */
	int			members_depth;
	JsonbPair  *pairs;			/* of the open objects, the innermost one's last */
	int			npairs;
	int			pairs_size;		/* allocated */
	JsonbValue *elements;		/* of the open arrays, in the same way */
	int			nelements;
	int			elements_size;
	char	   *decoded;		/* strings that differ from their text; NULL before the first
								 * one */
	char	   *decoded_at;		/* where the next one begins */
	char	   *decoded_end;	/* end of the room for them */
} Builder;

static bool build_value(Builder *builder, JsonbValue *value);

/* ----- strings ----- */

/* Add bytes to the string being decoded, if there is room. */
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

	/* not a character, or NUL, which text cannot contain */
	if (character == 0)
		return put(builder, REPLACEMENT, REPLACEMENT_LEN);
	unicode_to_utf8(character, utf8);
	return put(builder, (char *) utf8, pg_utf_mblen(utf8));
}

/* Decode the next escape. */
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

/* Decode the rest of a string that cannot be used in place; it began at "start". */
static bool
decode_string(Builder *builder, const char *start, JsonbValue *value)
{
	char	   *decoded;

	/* Only invalid bytes make a string longer, and they are rare. */
	if (builder->decoded == NULL)
	{
		size_t		size = builder->end - start + SPARE_ROOM;

		builder->decoded = palloc(size);
		builder->decoded_at = builder->decoded;
		builder->decoded_end = builder->decoded + size;
	}

	/* Copy what has been read so far. */
	decoded = builder->decoded_at;
	if (!put(builder, start, builder->at - start))
		return false;

	/* Copy the rest: plain runs as they are, everything between them decoded or replaced. */
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

	/* Its closing quote ends it. */
	value->val.string.val = decoded;
	value->val.string.len = builder->decoded_at - decoded;
	builder->at++;
	return true;
}

/* Read a string, from after its opening quote. */
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

/* If the next byte is this one, skip it and return true. */
static inline bool
take(Builder *builder, char c)
{
	if (builder->at == builder->end || *builder->at != c)
		return false;
	builder->at++;
	return true;
}

/*
 * Skip digits and return how many there were.  *number takes them in as long as it cannot
 * overflow.
 */
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

/* The numeric that numeric_in returns for a number, which must be in its range. */
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

	/* Find the end of it. */
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

	/* Few numbers have an exponent, or more digits than fit into an int64. */
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

/* The same, but of equal keys the later one comes first. */
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

/* Sort pairs, keeping the last one of each key; returns how many are left. */
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

	/* Many services send them in jsonb's order already, or nearly so. */
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

/*
 * Take the comma before another member, or the bracket that ends the list; false if
 * neither is there.
 */
static bool
take_separator(Builder *builder, char last, bool *more)
{
	skip_space(builder);
	*more = take(builder, ',');
	return *more || take(builder, last);
}

/* Is the member with this key of the current object one that nobody reads? */
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

/* Skip a value, which may have space before it. */
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

/* Read an object, from after its bracket. */
static bool
build_object(Builder *builder, JsonbValue *value)
{
	int			first = builder->npairs;
	int			n;
	bool		more;

	/* Read its members, or skip them. */
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

	/* Sort them, and keep the last one of each key. */
	n = sort_pairs(&builder->pairs[first], builder->npairs - first);
	value->type = jbvObject;
	value->val.object.nPairs = n;
	value->val.object.pairs = palloc(n * sizeof(JsonbPair));
	memcpy(value->val.object.pairs, &builder->pairs[first], n * sizeof(JsonbPair));
	builder->npairs = first;
	return true;
}

/* Read an array, from after its bracket. */
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

/*
 * Read a value, which may have space before it; false if it is invalid or not handled
 * here.
 */
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

/* Read the whole text, which must be a single value, in the current memory context. */
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
 *		A JSON text from the service as jsonb, in the current memory context; NULL if
 *		json.c must handle it instead.
 *
 * Objects at which "depth" brackets are open, their own included, get only "members";
 * NULL: all.  Raises an error only when memory runs out.
 */
Jsonb *
smf_json_build(const char *text, size_t len, const JsonMembers *members, int depth)
{
	/* The memory for one text is used again for the next. */
	static MemoryContext arena = NULL;
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile built = NULL;

	if (len > TEXT_MAX)
		return NULL;
	if (arena == NULL)
		arena = AllocSetContextCreate(TopMemoryContext, "sagemaker_fdw JSON",
									  ARENA_KEPT, ARENA_KEPT, ALLOCSET_DEFAULT_MAXSIZE);

	/* Build it in the arena, which may still contain something after an error. */
	MemoryContextReset(arena);
	PG_TRY();
	{
		MemoryContextSwitchTo(arena);
		built = build_text(text, len, members, depth);
	}
	PG_CATCH();
	{
		/* json.c reports that the stack or a jsonb is too small */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);

	/* Return a copy of exactly its size. */
	if (built != NULL)
		built = copy_of(built);
	MemoryContextReset(arena);
	return built;
}
