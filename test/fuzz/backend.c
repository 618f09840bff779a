/*-------------------------------------------------------------------------
 *
 * backend.c
 *		As much of a Postgres backend as the parts under test call.
 *
 * Text, encodings and the JSON parser are Postgres's own, from libpgcommon.  Memory
 * comes from malloc, so that the address sanitizer watches each allocation by
 * itself, and errors end in fuzz_raises.  jsonb is a tree of values: what reads
 * it through the functions below sees no difference.
 *
 * Not accounted for: the arithmetic of numeric, and its bounds.  A number is the text that
 * numeric_out prints, and exponents end at 400, as they do for what the service sends.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include <limits.h>
#include <signal.h>

#include <time.h>

#include "catalog/namespace.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

int			fuzz_encoding = PG_UTF8;
FuzzError	fuzz_error;
JsonParseErrorType fuzz_json_error;

/* the backend's */
MemoryContext CurrentMemoryContext = NULL;
MemoryContext TopMemoryContext = NULL;
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	abort();
}

/* ----- memory ----- */

/* Stands before each allocation. */
typedef union Chunk
{
	struct
	{
		union Chunk *next;
		union Chunk *previous;
		size_t		size;
	}			link;
	char		aligned[32];
} Chunk;

/* Nobody asks the process to end, or the query. */
volatile sig_atomic_t InterruptPending = false;

static Chunk chunks = {.link = {&chunks, &chunks, 0}};

void *
palloc(Size size)
{
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	if (chunk == NULL)
		abort();
	chunk->link.size = size;
	chunk->link.previous = &chunks;
	chunk->link.next = chunks.link.next;
	chunk->link.next->link.previous = chunk;
	chunks.link.next = chunk;
	return chunk + 1;
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void
pfree(void *pointer)
{
	Chunk	   *chunk = (Chunk *) pointer - 1;

	chunk->link.next->link.previous = chunk->link.previous;
	chunk->link.previous->link.next = chunk->link.next;
	free(chunk);
}

void *
repalloc(void *pointer, Size size)
{
	void	   *moved = palloc(size);

	memcpy(moved, pointer, Min(size, ((Chunk *) pointer - 1)->link.size));
	pfree(pointer);
	return moved;
}

/* What is to be called before memory goes. */
static MemoryContextCallback *callbacks;

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	callback->next = callbacks;
	callbacks = callback;
}

char *
pnstrdup(const char *string, Size len)
{
	char	   *copy = palloc(strnlen(string, len) + 1);

	len = strnlen(string, len);
	memcpy(copy, string, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *string)
{
	return pnstrdup(string, strlen(string));
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size minContextSize,
							  Size initBlockSize, Size maxBlockSize)
{
	return NULL;
}

void
MemoryContextDelete(MemoryContext context)
{
}

void
MemoryContextReset(MemoryContext context)
{
}

/* Free everything. */
void
fuzz_reset(void)
{
	while (callbacks != NULL)
	{
		callbacks->func(callbacks->arg);
		callbacks = callbacks->next;
	}
	while (chunks.link.next != &chunks)
		pfree(chunks.link.next + 1);
	fuzz_error = (FuzzError) {0};
	fuzz_encoding = PG_UTF8;
}

/* ----- inputs ----- */

/* The input's next byte; 0 at its end. */
uint8_t
fuzz_byte(FuzzInput *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* Bytes in memory of exactly their size and a NUL. */
char *
fuzz_copy(const void *bytes, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

/* The input up to its next NUL or its end, as a string. */
char *
fuzz_string(FuzzInput *input)
{
	size_t		len = strnlen((const char *) input->at, input->left);
	char	   *string = fuzz_copy(input->at, len);

	len = Min(len + 1, input->left);
	input->at += len;
	input->left -= len;
	return string;
}

/* ----- errors ----- */

/* What is being reported. */
static int	elevel_now;
static FuzzError error_now;

static char *
format(const char *form, va_list args)
{
	char		text[8192];

	vsnprintf(text, sizeof(text), form, args);
	return pstrdup(text);
}

#define FORMATTED(into) \
	do { \
		va_list		args; \
		va_start(args, fmt); \
		(into) = format(fmt, args); \
		va_end(args); \
		return 0; \
	} while (0)

bool
errstart(int elevel, const char *domain)
{
	elevel_now = elevel;
	error_now = (FuzzError) {.sqlstate = ERRCODE_INTERNAL_ERROR};
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (elevel_now < ERROR)
		return;
	FUZZ_CHECK(PG_exception_stack != NULL);
	FUZZ_CHECK(error_now.message != NULL);
	fuzz_error = error_now;
	siglongjmp(*PG_exception_stack, 1);
}

int
errcode(int sqlerrcode)
{
	error_now.sqlstate = sqlerrcode;
	return 0;
}

int
errmsg(const char *fmt,...)
{
	FORMATTED(error_now.message);
}

int
errmsg_internal(const char *fmt,...)
{
	FORMATTED(error_now.message);
}

int
errdetail(const char *fmt,...)
{
	FORMATTED(error_now.detail);
}

int
errdetail_internal(const char *fmt,...)
{
	FORMATTED(error_now.detail);
}

int
errhint(const char *fmt,...)
{
	FORMATTED(error_now.hint);
}

int
geterrcode(void)
{
	return fuzz_error.sqlstate;
}

ErrorData *
CopyErrorData(void)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->sqlerrcode = fuzz_error.sqlstate;
	error->message = fuzz_error.message;
	error->detail = fuzz_error.detail;
	error->hint = fuzz_error.hint;
	return error;
}

void
FlushErrorState(void)
{
}

void
pg_re_throw(void)
{
	FUZZ_CHECK(PG_exception_stack != NULL);
	siglongjmp(*PG_exception_stack, 1);
}

/* Does the function raise an error?  If so, it is in fuzz_error. */
bool
fuzz_raises(void (*function) (void *arg), void *arg)
{
	sigjmp_buf	here;
	bool		raised;

	PG_exception_stack = &here;
	if (sigsetjmp(here, 0) == 0)
	{
		function(arg);
		raised = false;
	}
	else
		raised = true;
	PG_exception_stack = NULL;
	return raised;
}

/* ----- encodings ----- */

int
GetDatabaseEncoding(void)
{
	return fuzz_encoding;
}

int
pg_mbcliplen(const char *text, int len, int limit)
{
	int			clipped = 0;

	while (clipped < len)
	{
		int			char_len = pg_encoding_mblen(fuzz_encoding, text + clipped);

		if (clipped + char_len > Min(len, limit))
			break;
		clipped += char_len;
	}
	return clipped;
}

Oid
FindDefaultConversionProc(int32 for_encoding, int32 to_encoding)
{
	return 1;
}

/* One character of UTF-8 to LATIN1; returns the bytes converted. */
int
pg_do_encoding_conversion_buf(Oid proc, int src_encoding, int dest_encoding, unsigned char *src,
							  int srclen, unsigned char *dest, int destlen, bool noError)
{
	pg_wchar	character = utf8_to_unicode(src);

	FUZZ_CHECK(src_encoding == PG_UTF8 && dest_encoding == PG_LATIN1 && noError);
	FUZZ_CHECK(pg_encoding_verifymbstr(PG_UTF8, (const char *) src, srclen) == srclen);
	FUZZ_CHECK(pg_utf_mblen(src) == srclen);
	dest[0] = '\0';
	if (character > 0xFF)
		return 0;
	dest[0] = character;
	dest[1] = '\0';
	return srclen;
}

/* ----- values ----- */

bool
parse_bool(const char *value, bool *result)
{
	*result = strcmp(value, "true") == 0;
	return *result || strcmp(value, "false") == 0;
}

bool
parse_int(const char *value, int *result, int flags, const char **hintmsg)
{
	char	   *end;
	long		number = strtol(value, &end, 10);

	*result = (int) number;
	return end != value && *end == '\0' && number >= INT_MIN && number <= INT_MAX;
}

char *
asc_tolower(const char *buff, size_t nbytes)
{
	char	   *lower = fuzz_copy(buff, nbytes);

	for (char *c = lower; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return lower;
}

/* How many characters one has and the other has not, at most max_d + 1. */
int
varstr_levenshtein_less_equal(const char *source, int slen, const char *target, int tlen,
							  int ins_c, int del_c, int sub_c, int max_d, bool trusted)
{
	int			same = 0;

	FUZZ_CHECK(slen <= 255 && tlen <= 255);
	while (same < slen && same < tlen && source[same] == target[same])
		same++;
	return Min(Max(slen, tlen) - same, max_d + 1);
}

/* Days since the Julian calendar's first. */
int
date2j(int year, int month, int day)
{
	struct tm	tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

	return (int) (timegm(&tm) / SECS_PER_DAY) + UNIX_EPOCH_JDATE;
}

/* Of a time without a zone, in the years that have four digits and some. */
int
timestamp2tm(Timestamp dt, int *tzp, struct pg_tm *tm, fsec_t *fsec, const char **tzn,
			 pg_tz *attimezone)
{
	int64		us = dt % USECS_PER_SEC;
	time_t		seconds;
	struct tm	found;

	if (us < 0)
		us += USECS_PER_SEC;
	seconds = (dt - us) / USECS_PER_SEC + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (time_t) SECS_PER_DAY;
	if (gmtime_r(&seconds, &found) == NULL)
		return -1;
	tm->tm_year = found.tm_year + 1900;
	tm->tm_mon = found.tm_mon + 1;
	tm->tm_mday = found.tm_mday;
	tm->tm_hour = found.tm_hour;
	tm->tm_min = found.tm_min;
	tm->tm_sec = found.tm_sec;
	*fsec = us;
	return 0;
}

/* At least so many digits; returns the end, where no NUL is written. */
char *
pg_ultostr_zeropad(char *str, uint32 value, int32 minwidth)
{
	char		digits[16];
	int			len = snprintf(digits, sizeof(digits), "%0*u", minwidth, value);

	memcpy(str, digits, len);
	return str + len;
}

/* ----- jsonb ----- */

/* A member of an object, or an element of an array. */
typedef struct Member
{
	char	   *key;			/* NULL: an element */
	JsonbValue	value;
} Member;

/* An object or an array.  It begins as a Jsonb does. */
typedef struct Tree
{
	int32		vl_len;
	uint32		header;			/* where a JsonbContainer has its own */
	struct Tree *parent;
	char	   *key;			/* of the value that comes next */
	int			nmembers;
	int			size;			/* members allocated */
	Member	   *members;
} Tree;

#define TREE_OF(container) ((Tree *) ((char *) (container) - offsetof(Tree, header)))

StaticAssertDecl(offsetof(Tree, header) == offsetof(Jsonb, root), "a Tree begins as a Jsonb does");

/* Largest decimal exponent, either way. */
#define EXPONENT_MAX 400

/* A text that is being read. */
typedef struct Parse
{
	JsonLexContext *lex;
	Tree	   *top;			/* the object or array that is open; NULL: none */
	Tree	   *root;
} Parse;

/* Callbacks of the parser return something from version 16 on. */
#if PG_VERSION_NUM >= 160000
#define ACTION JsonParseErrorType
#define ACTION_DONE return JSON_SUCCESS
#else
#define ACTION void
#define ACTION_DONE return
#endif

static Tree *
make_tree(Parse *parse, uint32 header)
{
	Tree	   *tree = palloc0(sizeof(Tree));

	/* a copy is as good as long as nothing is freed */
	SET_VARSIZE(tree, sizeof(Tree));
	tree->header = header;
	tree->parent = parse->top;
	if (parse->root == NULL)
		parse->root = tree;
	return tree;
}

static void
add_member(Tree *tree, const JsonbValue *value)
{
	if (tree->nmembers == tree->size)
	{
		int			size = tree->size ? 2 * tree->size : 4;
		Member	   *members = palloc(size * sizeof(Member));

		if (tree->nmembers > 0)
			memcpy(members, tree->members, tree->nmembers * sizeof(Member));
		tree->members = members;
		tree->size = size;
	}
	tree->members[tree->nmembers].key = tree->key;
	tree->members[tree->nmembers++].value = *value;
	tree->header = (tree->header & ~JB_CMASK) | tree->nmembers;
}

static void
begin_container(Parse *parse, uint32 header)
{
	Tree	   *tree = make_tree(parse, header);

	if (parse->top != NULL)
	{
		JsonbValue	value = {.type = jbvBinary};

		value.val.binary.data = (JsonbContainer *) &tree->header;
		value.val.binary.len = sizeof(Tree) - offsetof(Tree, header);
		add_member(parse->top, &value);
	}
	parse->top = tree;
}

/* A varlena of a decimal, with its NUL. */
static Numeric
make_number(const char *text)
{
	size_t		size = VARHDRSZ + strlen(text) + 1;
	struct varlena *number = palloc(size);

	SET_VARSIZE(number, size);
	strcpy(VARDATA(number), text);
	return (Numeric) number;
}

/* What numeric_out prints for a number of JSON: no exponent, and no zeros before it. */
static char *
decimal_of(const char *token)
{
	bool		negative = *token == '-';
	size_t		size = strlen(token) + EXPONENT_MAX + 8;
	char	   *digits = palloc0(size);
	char	   *text = palloc0(2 * size);
	char	   *at = text;
	int			ndigits = 0;
	int			point = -1;		/* digits before it; negative: not seen yet */
	long		exponent = 0;
	int			scale;

	for (token += negative; *token && *token != 'e' && *token != 'E'; token++)
	{
		if (*token == '.')
			point = ndigits;
		else
			digits[ndigits++] = *token;
	}
	if (*token != '\0')
		exponent = Min(Max(strtol(token + 1, NULL, 10), -EXPONENT_MAX), EXPONENT_MAX);
	if (point < 0)
		point = ndigits;
	scale = Max(ndigits - point - exponent, 0);
	point += exponent;
	if (negative && strspn(digits, "0") < ndigits)
		*at++ = '-';
	for (int i = 0; i < point; i++)
	{
		char		digit = i < ndigits ? digits[i] : '0';

		if (digit != '0' || (at != text && at[-1] != '-'))
			*at++ = digit;
	}
	if (at == text || at[-1] == '-')
		*at++ = '0';
	if (scale > 0)
		*at++ = '.';
	for (int i = point; i < point + scale; i++)
		*at++ = i >= 0 && i < ndigits ? digits[i] : '0';
	return text;
}

static int
compare_keys(const void *a, const void *b)
{
	const Member *member_a = a;
	const Member *member_b = b;
	size_t		len_a = strlen(member_a->key);
	size_t		len_b = strlen(member_b->key);

	if (len_a != len_b)
		return len_a < len_b ? -1 : 1;
	return memcmp(member_a->key, member_b->key, len_a);
}

/* Put the members of an object into the order of jsonb, the last one of each key. */
static void
sort_members(Tree *tree)
{
	int			kept = 0;

	/* by insertion, which keeps those of one key in their order */
	for (int i = 1; i < tree->nmembers; i++)
	{
		Member		moved = tree->members[i];
		int			at = i;

		for (; at > 0 && compare_keys(&tree->members[at - 1], &moved) > 0; at--)
			tree->members[at] = tree->members[at - 1];
		tree->members[at] = moved;
	}
	for (int i = 0; i < tree->nmembers; i++)
	{
		if (i + 1 == tree->nmembers || compare_keys(&tree->members[i], &tree->members[i + 1]) != 0)
			tree->members[kept++] = tree->members[i];
	}
	tree->nmembers = kept;
	tree->header = (tree->header & ~JB_CMASK) | kept;
}

static ACTION
object_start(void *state)
{
	begin_container(state, JB_FOBJECT);
	ACTION_DONE;
}

static ACTION
array_start(void *state)
{
	begin_container(state, JB_FARRAY);
	ACTION_DONE;
}

static ACTION
container_end(void *state)
{
	Parse	   *parse = state;

	if ((parse->top->header & JB_FOBJECT) != 0)
		sort_members(parse->top);
	parse->top = parse->top->parent;
	ACTION_DONE;
}

static ACTION
field_start(void *state, char *name, bool isnull)
{
	((Parse *) state)->top->key = name;
	ACTION_DONE;
}

static ACTION
scalar(void *state, char *token, JsonTokenType type)
{
	Parse	   *parse = state;
	JsonbValue	value = {.type = jbvNull};

	if (type == JSON_TOKEN_STRING)
	{
		/* a jsonb's strings have no NUL behind them */
		value.type = jbvString;
		value.val.string.len = strlen(token);
		value.val.string.val = memcpy(palloc(strlen(token)), token, strlen(token));
	}
	else if (type == JSON_TOKEN_NUMBER)
	{
		value.type = jbvNumeric;
		value.val.numeric = make_number(decimal_of(token));
	}
	else if (type != JSON_TOKEN_NULL)
	{
		value.type = jbvBool;
		value.val.boolean = type == JSON_TOKEN_TRUE;
	}
	if (parse->top == NULL)
		add_member(make_tree(parse, JB_FARRAY | JB_FSCALAR), &value);
	else
		add_member(parse->top, &value);
	ACTION_DONE;
}

/* Let Postgres's parser read a text, as jsonb_in does. */
JsonParseErrorType
fuzz_parse_json(const char *text, size_t len, int encoding, Jsonb **parsed)
{
	char	   *json = fuzz_copy(text, len);
	Parse		parse = {0};
	JsonSemAction actions = {
		.semstate = &parse, .object_start = object_start, .object_end = container_end,
		.array_start = array_start, .array_end = container_end,
		.object_field_start = field_start, .scalar = scalar
	};
	JsonParseErrorType error;

#if PG_VERSION_NUM >= 170000
	parse.lex = makeJsonLexContextCstringLen(NULL, json, len, encoding, true);
#else
	parse.lex = makeJsonLexContextCstringLen(json, len, encoding, true);
#endif
	error = pg_parse_json(parse.lex, &actions);
	*parsed = (Jsonb *) parse.root;
#if PG_VERSION_NUM >= 170000
	freeJsonLexContext(parse.lex);
#endif
	return error;
}

Datum
jsonb_in(PG_FUNCTION_ARGS)
{
	char	   *json = PG_GETARG_CSTRING(0);
	Jsonb	   *jsonb;

	fuzz_json_error = fuzz_parse_json(json, strlen(json), fuzz_encoding, &jsonb);
	if (fuzz_json_error != JSON_SUCCESS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "json"),
				 errdetail("Error %d of the parser.", fuzz_json_error)));
	return PointerGetDatum(jsonb);
}

/* Put a value that was made of JsonbValues into a tree. */
static void
add_value(Parse *parse, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvObject:
			begin_container(parse, JB_FOBJECT);
			for (int i = 0; i < value->val.object.nPairs; i++)
			{
				const JsonbPair *pair = &value->val.object.pairs[i];

				parse->top->key = pnstrdup(pair->key.val.string.val, pair->key.val.string.len);
				add_value(parse, &pair->value);
			}
			parse->top = parse->top->parent;
			break;
		case jbvArray:
			begin_container(parse, JB_FARRAY);
			for (int i = 0; i < value->val.array.nElems; i++)
				add_value(parse, &value->val.array.elems[i]);
			parse->top = parse->top->parent;
			break;
		default:
			if (parse->top == NULL)
				add_member(make_tree(parse, JB_FARRAY | JB_FSCALAR), value);
			else
				add_member(parse->top, value);
			break;
	}
}

Jsonb *
JsonbValueToJsonb(JsonbValue *value)
{
	Parse		parse = {0};

	add_value(&parse, value);
	return (Jsonb *) parse.root;
}

static char *
number_chars(Datum number)
{
	return VARDATA(DatumGetPointer(number));
}

Datum
numeric_out(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(pstrdup(number_chars(PG_GETARG_DATUM(0))));
}

Numeric
int64_to_numeric(int64 number)
{
	char		text[32];

	snprintf(text, sizeof(text), INT64_FORMAT, number);
	return make_number(text);
}

/* number / 10 ^ scale */
Numeric
int64_div_fast_to_numeric(int64 number, int scale)
{
	char		text[64];

	snprintf(text, sizeof(text), INT64_FORMAT "e-%d", number, scale);
	return make_number(decimal_of(text));
}

Datum
numeric_in(PG_FUNCTION_ARGS)
{
	return NumericGetDatum(make_number(decimal_of(PG_GETARG_CSTRING(0))));
}

/* As strcmp, of decimals without a sign. */
static int
compare_decimals(const char *a, const char *b)
{
	int			whole_a = strcspn(a, ".");
	int			whole_b = strcspn(b, ".");
	int			result = whole_a - whole_b;

	if (result == 0)
		result = memcmp(a, b, whole_a);
	if (result != 0)
		return result;
	a += whole_a + (a[whole_a] == '.');
	b += whole_b + (b[whole_b] == '.');
	for (; *a || *b; a += *a != '\0', b += *b != '\0')
	{
		result = (*a ? *a : '0') - (*b ? *b : '0');
		if (result != 0)
			return result;
	}
	return 0;
}

static int
compare_numbers(const char *a, const char *b)
{
	if (*a == '-' && *b == '-')
		return compare_decimals(b + 1, a + 1);
	if (*a == '-' || *b == '-')
		return *a == '-' ? -1 : 1;
	return compare_decimals(a, b);
}

Datum
numeric_cmp(PG_FUNCTION_ARGS)
{
	int			result = compare_numbers(number_chars(PG_GETARG_DATUM(0)), number_chars(PG_GETARG_DATUM(1)));

	return Int32GetDatum(result < 0 ? -1 : result > 0);
}

Datum
numeric_eq(PG_FUNCTION_ARGS)
{
	return BoolGetDatum(compare_numbers(number_chars(PG_GETARG_DATUM(0)), number_chars(PG_GETARG_DATUM(1))) == 0);
}

Datum
numeric_float8_no_overflow(PG_FUNCTION_ARGS)
{
	return Float8GetDatum(strtod(number_chars(PG_GETARG_DATUM(0)), NULL));
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	LOCAL_FCINFO(fcinfo, 1);

	memset(fcinfo, 0, SizeForFunctionCallInfo(1));
	fcinfo->nargs = 1;
	fcinfo->args[0].value = arg1;
	return func(fcinfo);
}

Datum
DirectFunctionCall2Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2)
{
	LOCAL_FCINFO(fcinfo, 2);

	memset(fcinfo, 0, SizeForFunctionCallInfo(2));
	fcinfo->nargs = 2;
	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	return func(fcinfo);
}

Datum
DirectFunctionCall3Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2, Datum arg3)
{
	LOCAL_FCINFO(fcinfo, 3);

	memset(fcinfo, 0, SizeForFunctionCallInfo(3));
	fcinfo->nargs = 3;
	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	fcinfo->args[2].value = arg3;
	return func(fcinfo);
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return datum;
}

JsonbValue *
getKeyJsonValueFromContainer(JsonbContainer *container, const char *keyVal, int keyLen,
							 JsonbValue *res)
{
	Tree	   *tree = TREE_OF(container);

	FUZZ_CHECK((tree->header & JB_FOBJECT) != 0);
	for (int i = 0; i < tree->nmembers; i++)
	{
		if (strlen(tree->members[i].key) == keyLen && memcmp(tree->members[i].key, keyVal, keyLen) == 0)
		{
			*res = tree->members[i].value;
			return res;
		}
	}
	return NULL;
}

JsonbValue *
getIthJsonbValueFromContainer(JsonbContainer *container, uint32 index)
{
	Tree	   *tree = TREE_OF(container);
	JsonbValue *value;

	FUZZ_CHECK((tree->header & JB_FARRAY) != 0);
	if (index >= tree->nmembers)
		return NULL;
	value = palloc(sizeof(JsonbValue));
	*value = tree->members[index].value;
	return value;
}

JsonbIterator *
JsonbIteratorInit(JsonbContainer *container)
{
	JsonbIterator *iterator = palloc0(sizeof(JsonbIterator));

	iterator->container = container;
	iterator->state = (container->header & JB_FOBJECT) != 0 ? JBI_OBJECT_START : JBI_ARRAY_START;
	return iterator;
}

/* The value of the current member; an object or a list in it is walked through next. */
static JsonbIteratorToken
iterate_value(JsonbIterator **iterator, JsonbValue *value, JsonbIteratorToken token)
{
	JsonbIterator *below;

	*value = TREE_OF((*iterator)->container)->members[(*iterator)->curIndex++].value;
	if (value->type != jbvBinary)
		return token;
	below = JsonbIteratorInit(value->val.binary.data);
	below->parent = *iterator;
	*iterator = below;
	return JsonbIteratorNext(iterator, value, false);
}

JsonbIteratorToken
JsonbIteratorNext(JsonbIterator **iterator, JsonbValue *value, bool skipNested)
{
	JsonbIterator *it = *iterator;
	Tree	   *tree;
	const char *key;

	FUZZ_CHECK(!skipNested);
	if (it == NULL)
		return WJB_DONE;
	tree = TREE_OF(it->container);
	switch (it->state)
	{
		case JBI_ARRAY_START:
			it->state = JBI_ARRAY_ELEM;
			return WJB_BEGIN_ARRAY;
		case JBI_OBJECT_START:
			it->state = JBI_OBJECT_KEY;
			return WJB_BEGIN_OBJECT;
		case JBI_ARRAY_ELEM:
			if (it->curIndex < tree->nmembers)
				return iterate_value(iterator, value, WJB_ELEM);
			*iterator = it->parent;
			return WJB_END_ARRAY;
		case JBI_OBJECT_KEY:
			if (it->curIndex == tree->nmembers)
			{
				*iterator = it->parent;
				return WJB_END_OBJECT;
			}
			key = tree->members[it->curIndex].key;
			value->type = jbvString;
			value->val.string.val = unconstify(char *, key);
			value->val.string.len = strlen(key);
			it->state = JBI_OBJECT_VALUE;
			return WJB_KEY;
		case JBI_OBJECT_VALUE:
			it->state = JBI_OBJECT_KEY;
			return iterate_value(iterator, value, WJB_VALUE);
	}
	pg_unreachable();
}

static bool
same_value(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvNumeric:
			return strcmp(number_chars(NumericGetDatum(a->val.numeric)),
						  number_chars(NumericGetDatum(b->val.numeric))) == 0;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvBinary:
			return fuzz_same_json(a->val.binary.data, b->val.binary.data);
		default:
			return true;
	}
}

/* Are both the same, in the same order? */
bool
fuzz_same_json(JsonbContainer *a, JsonbContainer *b)
{
	Tree	   *tree_a = TREE_OF(a);
	Tree	   *tree_b = TREE_OF(b);

	if (tree_a->header != tree_b->header)
		return false;
	for (int i = 0; i < tree_a->nmembers; i++)
	{
		if ((tree_a->header & JB_FOBJECT) != 0 && strcmp(tree_a->members[i].key, tree_b->members[i].key) != 0)
			return false;
		if (!same_value(&tree_a->members[i].value, &tree_b->members[i].value))
			return false;
	}
	return true;
}
