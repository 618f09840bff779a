/*-------------------------------------------------------------------------
 *
 * compare.c
 *		Values in the service's answers about a job: finding them, comparing them, and
 *		checking whether a column can read them.
 *
 * Two values are the same if columns show the same, however the values are written.  No
 * value raises an error here.
 *
 * The containers are never copied.  Only a few small chunks are allocated on the way, and
 * freed at once, unless two values differ.
 *
 * Not accounted for: how a column converts a value; see fdw/value.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "jobs/compare.h"
#include "jobs/timestamp.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Times that an RFC 3339 string can represent: from the year 1 to the year 9999. */
#define FIRST_TIME ((INT64CONST(-62135596800) - SMF_POSTGRES_EPOCH_S) * USECS_PER_SEC)
#define TIMES_END ((INT64CONST(253402300800) - SMF_POSTGRES_EPOCH_S) * USECS_PER_SEC)

/* ----- finding a value ----- */

/* A member of a container, which need not be an object; false if it is absent or null. */
bool
smf_jsonb_member(JsonbContainer *container, const char *key, JsonbValue *value)
{
	return JsonContainerIsObject(container) &&
		getKeyJsonValueFromContainer(container, key, strlen(key), value) != NULL &&
		value->type != jbvNull;
}

/* The value's container if it is an object, otherwise NULL. */
JsonbContainer *
smf_jsonb_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

/* The value's container if it is a list, otherwise NULL. */
JsonbContainer *
smf_jsonb_list(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

/* An element of a list if it is an object, otherwise NULL. */
JsonbContainer *
smf_jsonb_element(JsonbContainer *list, int index)
{
	JsonbValue *element = getIthJsonbValueFromContainer(list, index);
	JsonbContainer *object = smf_jsonb_object(element);

	pfree(element);
	return object;
}

/* A member, or a member of a member; false if it is absent or null. */
bool
smf_jsonb_path(JsonbContainer *job, const char *path, JsonbValue *value)
{
	const char *dot = strchr(path, '.');
	JsonbContainer *parent;

	if (dot == NULL)
		return smf_jsonb_member(job, path, value);
	if (!JsonContainerIsObject(job) ||
		getKeyJsonValueFromContainer(job, path, dot - path, value) == NULL)
		return false;
	parent = smf_jsonb_object(value);
	return parent != NULL && smf_jsonb_member(parent, dot + 1, value);
}

/* The value that an attribute's column reads; false if that is NULL. */
bool
smf_jsonb_attribute(JsonbContainer *job, const SmfAttribute *attribute, JsonbValue *value)
{
	return (attribute->selected != NULL && smf_jsonb_path(job, attribute->selected, value)) ||
		smf_jsonb_path(job, attribute->api_name, value);
}

/* ----- comparing strings and numbers ----- */

/* Is the value this string? */
bool
smf_jsonb_is_text(const JsonbValue *value, const char *text)
{
	return value->type == jbvString && strlen(text) == value->val.string.len &&
		memcmp(text, value->val.string.val, value->val.string.len) == 0;
}

/* Is the value one of these strings, with NULL at the end? */
bool
smf_jsonb_is_one_of(const JsonbValue *value, const char *const *texts)
{
	for (; *texts != NULL; texts++)
	{
		if (smf_jsonb_is_text(value, *texts))
			return true;
	}
	return false;
}

/* Are both values strings, and equal? */
bool
smf_jsonb_same_string(const JsonbValue *a, const JsonbValue *b)
{
	return a->type == jbvString && b->type == jbvString &&
		a->val.string.len == b->val.string.len &&
		memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
}

/* Are the numbers equal when printed? */
static bool
same_digits(Numeric a, Numeric b)
{
	return VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0;
}

/* Are the numbers equal, however they are written? */
bool
smf_same_number(Numeric a, Numeric b)
{
	return same_digits(a, b) ||
		DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a), NumericGetDatum(b)));
}

/*
 * Compare a number with an integer: less than 0, 0 or more than 0, as the number is less,
 * equal or greater.
 */
int
smf_compare_number(Numeric number, int64 with)
{
	Numeric		other = int64_to_numeric(with);
	int			result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(number),
														   NumericGetDatum(other)));

	pfree(other);
	return result;
}

/* The nearest double; infinite, or 0, if the number is out of range. */
static double
float_of(Numeric number)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(number)));
}

static char *
number_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/* ----- times ----- */

/* Epoch seconds as a timestamp; false if it is out of range. */
static bool
timestamp_of(Numeric seconds, TimestampTz *result)
{
	char	   *text = number_text(seconds);
	bool		possible = smf_timestamp_from_decimal(text, result);

	pfree(text);
	return possible;
}

/* Are the times equal to the microsecond? */
static bool
same_microsecond(Numeric a, Numeric b)
{
	TimestampTz time_a;
	TimestampTz time_b;

	return smf_same_number(a, b) ||
		(timestamp_of(a, &time_a) && timestamp_of(b, &time_b) && time_a == time_b);
}

/* Are the times equal, if the earlier one may have been cut to whole seconds? */
bool
smf_same_second(Numeric a, Numeric b)
{
	TimestampTz time_a;
	TimestampTz time_b;
	TimestampTz earlier;
	TimestampTz later;

	if (smf_same_number(a, b))
		return true;
	if (!timestamp_of(a, &time_a) || !timestamp_of(b, &time_b))
		return false;
	earlier = Min(time_a, time_b);
	later = Max(time_a, time_b);
	return earlier % USECS_PER_SEC == 0 && later - earlier < USECS_PER_SEC;
}

/* Is it a time that every column can show? */
static bool
is_time(const JsonbValue *value)
{
	TimestampTz time;

	return value->type == jbvNumeric && timestamp_of(value->val.numeric, &time) &&
		time >= FIRST_TIME && time < TIMES_END;
}

/* ----- comparing objects and lists ----- */

/* Are scalar values equal when printed? */
static bool
same_scalar(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return smf_jsonb_same_string(a, b);
		case jbvNumeric:
			return same_digits(a->val.numeric, b->val.numeric);
		default:
			return false;
	}
}

/*
 * Are objects or lists equal when printed?
 *
 * "dated" names the members of a list's elements that are times, NULL at the end; NULL if
 * there are none.
 */
static bool
same_container(const JsonbValue *a, const JsonbValue *b, const char *const *dated)
{
	JsonbIterator *iterator_a;
	JsonbIterator *iterator_b;
	JsonbIteratorToken token;
	JsonbValue	value_a;
	JsonbValue	value_b;
	int			depth = 0;
	bool		is_dated = false;

	/*
	 * Usually they are equal byte by byte: the same contents have the same layout in
	 * jsonb.
	 */
	if (a->val.binary.len == b->val.binary.len &&
		memcmp(a->val.binary.data, b->val.binary.data, a->val.binary.len) == 0)
		return true;

	/* Otherwise step through both together, because times may be written in two ways. */
	iterator_a = JsonbIteratorInit(a->val.binary.data);
	iterator_b = JsonbIteratorInit(b->val.binary.data);
	for (;;)
	{
		token = JsonbIteratorNext(&iterator_a, &value_a, false);
		if (JsonbIteratorNext(&iterator_b, &value_b, false) != token)
			return false;
		switch (token)
		{
			case WJB_DONE:
				return true;
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				depth++;
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				depth--;
				break;
			case WJB_KEY:
				if (!smf_jsonb_same_string(&value_a, &value_b))
					return false;
				is_dated = depth == 2 && dated != NULL && smf_jsonb_is_one_of(&value_a, dated);
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				if (token == WJB_VALUE && is_dated &&
					value_a.type == jbvNumeric && value_b.type == jbvNumeric)
				{
					if (!same_microsecond(value_a.val.numeric, value_b.val.numeric))
						return false;
				}
				else if (!same_scalar(&value_a, &value_b))
					return false;
				break;
		}
	}
}

/* Are the values equal when printed? */
bool
smf_jsonb_same(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type == jbvBinary && b->type == jbvBinary)
		return same_container(a, b, NULL);
	return same_scalar(a, b);
}

/* ----- can a value be read? ----- */

/* Is it an integer within these bounds?  3600.0 is one. */
static bool
is_integer(const JsonbValue *value, int64 min, int64 max)
{
	char	   *text;
	char	   *end;
	int64		number;
	bool		whole;

	if (value->type != jbvNumeric)
		return false;
	text = number_text(value->val.numeric);
	errno = 0;
	number = strtoll(text, &end, 10);
	whole = errno == 0 && (*end == '\0' || end[1 + strspn(end + 1, "0")] == '\0');
	pfree(text);
	return whole && number >= min && number <= max;
}

/*
 * Is it a number that a double can hold, or one of the strings that are sent for special
 * values?
 */
static bool
is_float(const JsonbValue *value)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity", NULL};
	double		number;

	if (value->type != jbvNumeric)
		return smf_jsonb_is_one_of(value, words);
	number = float_of(value->val.numeric);
	return isfinite(number) && (number != 0 || smf_compare_number(value->val.numeric, 0) == 0);
}

/*
 * Is it a list in which all times can be read?  "dated" names the members that are times,
 * or is NULL.
 */
static bool
is_dated_list(const JsonbValue *value, const char *const *dated)
{
	JsonbContainer *list = smf_jsonb_list(value);

	if (list == NULL)
		return false;
	for (int i = 0; dated != NULL && i < JsonContainerSize(list); i++)
	{
		JsonbContainer *element = smf_jsonb_element(list, i);

		for (const char *const *name = dated; element != NULL && *name != NULL; name++)
		{
			JsonbValue	member;

			if (smf_jsonb_member(element, *name, &member) && !is_time(&member))
				return false;
		}
	}
	return true;
}

/* Is it a list of tags, each with a Key and a Value? */
static bool
is_tags(const JsonbValue *value)
{
	JsonbContainer *list = smf_jsonb_list(value);

	if (list == NULL)
		return false;
	for (int i = 0; i < JsonContainerSize(list); i++)
	{
		JsonbContainer *tag = smf_jsonb_element(list, i);
		JsonbValue	member;

		if (tag == NULL || !smf_jsonb_member(tag, "Key", &member) || member.type != jbvString ||
			!smf_jsonb_member(tag, "Value", &member) || member.type != jbvString)
			return false;
	}
	return true;
}

/*
 * Can the value be read as the attribute's kind?
 *
 * Enum labels that this version does not know cannot: Search might spell one in its own
 * way.
 */
bool
smf_jsonb_readable(const SmfAttribute *attribute, const JsonbValue *value)
{
	switch (attribute->kind)
	{
		case SMF_KIND_STRING:
			return value->type == jbvString;
		case SMF_KIND_ENUM:
			return smf_jsonb_is_one_of(value, attribute->labels);
		case SMF_KIND_INTEGER:
			return is_integer(value, PG_INT32_MIN, PG_INT32_MAX);
		case SMF_KIND_LONG:
			return is_integer(value, PG_INT64_MIN, PG_INT64_MAX);
		case SMF_KIND_FLOAT:
			return is_float(value);
		case SMF_KIND_BOOLEAN:
			return value->type == jbvBool;
		case SMF_KIND_TIMESTAMP:
			return is_time(value);
		case SMF_KIND_STRUCTURE:
		case SMF_KIND_MAP:
			return smf_jsonb_object(value) != NULL;
		case SMF_KIND_LIST:
			return is_dated_list(value, attribute->timestamp_members);
		case SMF_KIND_TAGS:
			return is_tags(value);
		case SMF_KIND_REGION:
		case SMF_KIND_ACCOUNT_ID:
		case SMF_KIND_RAW_RESPONSE:
			break;
	}
	return false;
}

/* ----- an attribute ----- */

/* Would the attribute's column show the same value for both? */
bool
smf_jsonb_same_attribute(JsonbContainer *document, JsonbContainer *record, const SmfAttribute *attribute)
{
	JsonbValue	a;
	JsonbValue	b;
	bool		found = smf_jsonb_attribute(document, attribute, &a);

	if (found != smf_jsonb_attribute(record, attribute, &b))
		return false;
	if (!found)
		return true;

	/* Numbers and times are compared by value, however they are written. */
	if (a.type == jbvNumeric && b.type == jbvNumeric)
	{
		switch (attribute->kind)
		{
			case SMF_KIND_INTEGER:
			case SMF_KIND_LONG:
				return smf_same_number(a.val.numeric, b.val.numeric);
			case SMF_KIND_FLOAT:
				return smf_same_number(a.val.numeric, b.val.numeric) ||
					float_of(a.val.numeric) == float_of(b.val.numeric);
			case SMF_KIND_TIMESTAMP:
				return same_microsecond(a.val.numeric, b.val.numeric);
			default:
				break;
		}
	}

	/* All others are compared as printed, except for times in a list. */
	if (smf_jsonb_list(&a) != NULL && smf_jsonb_list(&b) != NULL)
		return same_container(&a, &b, attribute->timestamp_members);
	return smf_jsonb_same(&a, &b);
}
