/*-------------------------------------------------------------------------
 *
 * value.c
 *		Converts single JSON values to datums of a column's type.
 *
 * The type decides once how values are read: exactly, for the types that IMPORT FOREIGN
 * SCHEMA uses, and with the type's own input function for any other.  A domain accepts
 * what its base type accepts.
 *
 * Not accounted for: the types of members below an attribute are not known here, so their
 * values are used as they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat/jobs.h"
#include "fdw/value.h"
#include "fmgr.h"
#include "jobs/compare.h"
#include "jobs/timestamp.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Room for a timestamp in RFC 3339 format: years have at most six digits. */
#define RFC3339_SIZE sizeof("294276-12-31T23:59:59.999999Z")

/* How a JSON value is converted to the type. */
typedef enum ValueMode
{
	MODE_TEXT,					/* text without a length: the string itself */
	MODE_JSONB,					/* jsonb: the value, whatever it is */
	MODE_JSON,					/* the input function of json, or of a domain over json or
								 * jsonb, applied to the JSON text */
	MODE_TIMESTAMPTZ,			/* from epoch seconds, exactly */
	MODE_BOOLEAN,
	MODE_ENUM,					/* by label */
	MODE_INPUT					/* any other type's input function */
} ValueMode;

/* A label that was looked up or warned of before. */
typedef struct KnownLabel
{
	int			len;			/* of the label, in bytes */
	const char *label;			/* not NUL-terminated */
	bool		unknown;		/* the type lacks it */
	Datum		value;			/* in the enum type, unless unknown */
} KnownLabel;

/* How values of one type are read. */
struct ValueReader
{
	MemoryContext context;		/* lives as long as the reader */
	ValueMode	mode;			/* depends on the type */
	Oid			type_id;		/* the type */
	int32		typmod;			/* its modifier, -1 if it has none */
	Oid			base_type;		/* the base type of a domain, or the type itself */
	bool		numeric_category;	/* is the type numeric? */
	bool		domain;			/* a domain, which may reject NULL */
	FmgrInfo	input;			/* the type's input function */
	Oid			input_param;	/* its second argument */
	SmfUnknownEnum unknown_enum;	/* what to do with a label that the type lacks */
	List	   *labels;			/* KnownLabel, in the reader's context */
};

/*
 * smf_value_set_string
 *		Make a JSON string from a text, without copying it.
 */
void
smf_value_set_string(JsonbValue *value, const char *text, int len)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = len;
}

/*
 * smf_value_set_jsonb
 *		Make a JSON value from a whole jsonb, without copying it.
 */
void
smf_value_set_jsonb(JsonbValue *value, Jsonb *jsonb)
{
	value->type = jbvBinary;
	value->val.binary.data = &jsonb->root;
	value->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
}

/* ----- timestamps ----- */

/* The timestamp for epoch seconds written as a decimal number. */
static TimestampTz
timestamp_from_decimal(const char *text)
{
	TimestampTz result;

	if (!smf_timestamp_from_decimal(text, &result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return result;
}

static char *
numeric_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/*
 * Append a number with at least this many digits, and a character after it; returns the
 * new end.
 */
static char *
append_field(char *end, int number, int digits, char behind)
{
	end = pg_ultostr_zeropad(end, number, digits);
	*end++ = behind;
	return end;
}

/*
 * A timestamp in RFC 3339 format and UTC: without a fraction for whole seconds, with
 * three digits if milliseconds suffice, otherwise with six.
 */
static char *
rfc3339(TimestampTz timestamp)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char	   *text = palloc(RFC3339_SIZE);
	char	   *end = text;

	if (timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0 || tm.tm_year < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	end = append_field(end, tm.tm_year, 4, '-');
	end = append_field(end, tm.tm_mon, 2, '-');
	end = append_field(end, tm.tm_mday, 2, 'T');
	end = append_field(end, tm.tm_hour, 2, ':');
	end = append_field(end, tm.tm_min, 2, ':');
	end = append_field(end, tm.tm_sec, 2, fsec == 0 ? 'Z' : '.');
	if (fsec != 0)
		end = fsec % 1000 == 0 ? append_field(end, (int) fsec / 1000, 3, 'Z') : append_field(end, (int) fsec, 6, 'Z');
	*end = '\0';
	return text;
}

/* Replace epoch seconds, a JSON number, by a JSON string in RFC 3339 format. */
static void
number_to_rfc3339(JsonbValue *value)
{
	char	   *text = rfc3339(timestamp_from_decimal(numeric_text(value->val.numeric)));

	smf_value_set_string(value, text, strlen(text));
}

/*
 * smf_value_with_timestamps
 *		A copy of a list of objects, in which the members with the given names (NULL
 *		after the last) are RFC 3339 strings where they were numbers.
 */
Jsonb *
smf_value_with_timestamps(JsonbContainer *list, const char *const *members)
{
	JsonbIterator *iterator = JsonbIteratorInit(list);
	JsonbBuilder copy = {0};
	JsonbIteratorToken token;
	JsonbValue	value;
	int			depth = 0;
	bool		convert = false;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			depth++;
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
		else if (token == WJB_KEY && depth == 2)
			convert = smf_jsonb_is_one_of(&value, members);
		else if (token == WJB_VALUE && depth == 2 && convert && value.type == jbvNumeric)
			number_to_rfc3339(&value);
		smf_push_jsonb(&copy, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(copy.result);
}

/* ----- checking a value ----- */

/* The kind of a JSON value, in words. */
static const char *
shape_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		case jbvBinary:
			return JsonContainerIsArray(value->val.binary.data) ? "a list" : "an object";
		default:
			return "null";
	}
}

/* The kind of JSON value that is sent for an attribute of this kind, in words. */
static const char *
shape_for(SmfKind kind)
{
	switch (kind)
	{
		case SMF_KIND_INTEGER:
		case SMF_KIND_LONG:
		case SMF_KIND_FLOAT:
		case SMF_KIND_TIMESTAMP:
			return "a number";
		case SMF_KIND_BOOLEAN:
			return "a boolean";
		case SMF_KIND_LIST:
			return "a list";
		case SMF_KIND_STRUCTURE:
		case SMF_KIND_MAP:
		case SMF_KIND_TAGS:
		case SMF_KIND_RAW_RESPONSE:
			return "an object";
		case SMF_KIND_STRING:
		case SMF_KIND_ENUM:
		case SMF_KIND_REGION:
		case SMF_KIND_ACCOUNT_ID:
			break;
	}
	return "a string";
}

/* Is it one of the strings that are sent for floats that JSON cannot represent? */
static bool
is_float_word(const JsonbValue *value)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity", NULL};

	return smf_jsonb_is_one_of(value, words);
}

/* Raise 08P01 if an attribute's value is not of the documented kind. */
static void
check_shape(const SmfAttribute *attribute, const JsonbValue *value)
{
	const char *expected = shape_for(attribute->kind);

	if (strcmp(shape_of(value), expected) == 0)
		return;
	if (attribute->kind == SMF_KIND_FLOAT && is_float_word(value))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("the service sent %s where %s was expected", shape_of(value), expected)));
}

/* ----- converting a value ----- */

/* The value as text for an input function. */
static char *
value_text(JsonbValue *value)
{
	Jsonb	   *jsonb;
	char	   *text;

	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvNumeric:
			text = numeric_text(value->val.numeric);
			/* an integer may be written as 3600.0 */
			if (strchr(text, '.') != NULL)
			{
				char	   *end = text + strlen(text);

				while (end[-1] == '0')
					end--;
				if (end[-1] == '.')
					end--;
				*end = '\0';
			}
			return text;
		default:
			jsonb = JsonbValueToJsonb(value);
			return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
	}
}

static Datum
read_by_input(ValueReader *reader, char *text)
{
	return InputFunctionCall(&reader->input, text, reader->input_param, reader->typmod);
}

/* The value in the form that the type's input function accepts. */
static char *
input_text(const ValueReader *reader, JsonbValue *value)
{
	if (value->type == jbvNumeric)
	{
		/* nested times are also numbers of seconds */
		if (reader->base_type == TIMESTAMPTZOID)
			number_to_rfc3339(value);
		/* "interval hour", for example, would take a bare number as hours */
		else if (reader->base_type == INTERVALOID)
			return psprintf("%s seconds", value_text(value));
	}
	return value_text(value);
}

/* What is known about a label; NULL if it was not read before. */
static const KnownLabel *
find_label(const ValueReader *reader, const JsonbValue *value)
{
	ListCell   *lc;

	foreach(lc, reader->labels)
	{
		const KnownLabel *known = lfirst(lc);

		if (known->len == value->val.string.len &&
			memcmp(known->label, value->val.string.val, known->len) == 0)
			return known;
	}
	return NULL;
}

/* Does the enum type have the label? */
static bool
has_label(const ValueReader *reader, const char *label)
{
	return strlen(label) < NAMEDATALEN &&
		SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(reader->base_type),
							  CStringGetDatum(label));
}

/* Remember a label, so that it is not looked up again. */
static void
remember_label(ValueReader *reader, const char *label, bool unknown, Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	KnownLabel *known = palloc(sizeof(KnownLabel));

	known->len = strlen(label);
	known->label = pstrdup(label);
	known->unknown = unknown;
	known->value = value;
	reader->labels = lappend(reader->labels, known);
	MemoryContextSwitchTo(old);
}

/*
 * Convert a label to the enum type; false, after one warning per reader and label, if the
 * type lacks it and such labels are read as NULL.
 */
static bool
read_enum(ValueReader *reader, JsonbValue *value, Datum *result)
{
	const KnownLabel *known = value->type == jbvString ? find_label(reader, value) : NULL;
	char	   *label;
	bool		unknown;

	/* Usually the label has been read before. */
	if (known != NULL)
	{
		*result = known->value;
		return !known->unknown;
	}

	/*
	 * A label that the type lacks becomes NULL with a warning, or the input function
	 * raises an error.
	 */
	label = value_text(value);
	unknown = !has_label(reader, label);
	if (unknown && reader->unknown_enum == SMF_UNKNOWN_ENUM_NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("\"%s\" is not a label of enum type %s and is read as NULL",
						label, format_type_be(reader->base_type)),
				 errhint("Declare the column as text to see it, or set unknown_enum to 'error'.")));
		*result = (Datum) 0;
	}
	else
	{
		*result = read_by_input(reader, label);
		/* a domain's checks may have another result next time */
		if (reader->base_type != reader->type_id)
			return true;
	}
	remember_label(reader, label, unknown, *result);
	return !unknown;
}

/*
 * smf_value_read
 *		Convert a JSON value, which may be changed, to a datum; false if that is NULL.
 *
 * "attribute" describes the value; NULL if that is not documented.  Raises 08P01 if the
 * value is not of the attribute's kind, and the errors of the type's input function.  The
 * datum is allocated in the current memory context, or points into the value.
 */
bool
smf_value_read(ValueReader *reader, const SmfAttribute *attribute, JsonbValue *value, Datum *result)
{
	Jsonb	   *jsonb;

	/*
	 * A documented value must be of its kind.  A time stays a number only for numeric
	 * types.
	 */
	if (attribute != NULL)
	{
		check_shape(attribute, value);
		if (attribute->kind == SMF_KIND_TIMESTAMP && reader->mode != MODE_TIMESTAMPTZ &&
			!reader->numeric_category)
			number_to_rfc3339(value);
	}

	/*
	 * Convert it exactly if the type allows that, otherwise with the type's input
	 * function.
	 */
	switch (reader->mode)
	{
		case MODE_TEXT:
			if (value->type == jbvString)
				*result = PointerGetDatum(cstring_to_text_with_len(value->val.string.val,
																   value->val.string.len));
			else
				*result = CStringGetTextDatum(value_text(value));
			return true;
		case MODE_JSONB:
			*result = JsonbPGetDatum(JsonbValueToJsonb(value));
			return true;
		case MODE_JSON:
			jsonb = JsonbValueToJsonb(value);
			*result = read_by_input(reader, JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)));
			return true;
		case MODE_TIMESTAMPTZ:
			if (value->type == jbvNumeric)
				*result = TimestampTzGetDatum(timestamp_from_decimal(numeric_text(value->val.numeric)));
			else
				*result = read_by_input(reader, value_text(value));
			return true;
		case MODE_BOOLEAN:
			if (value->type == jbvBool)
				*result = BoolGetDatum(value->val.boolean);
			else
				*result = read_by_input(reader, value_text(value));
			return true;
		case MODE_ENUM:
			return read_enum(reader, value, result);
		case MODE_INPUT:
			*result = read_by_input(reader, input_text(reader, value));
			return true;
	}
	pg_unreachable();
}

/*
 * smf_value_read_null
 *		There is no value: raise an error if the type is a domain that rejects NULL.
 */
void
smf_value_read_null(ValueReader *reader)
{
	if (reader->domain)
		(void) read_by_input(reader, NULL);
}

/* ----- the reader ----- */

static ValueMode
mode_for(Oid type_id, int32 typmod)
{
	switch (type_id)
	{
		case TEXTOID:
			return MODE_TEXT;
		case JSONBOID:
			return MODE_JSONB;
		case JSONOID:
			return MODE_JSON;
		case TIMESTAMPTZOID:
			/* timestamptz(n) rounds; the input function does that */
			return typmod == -1 ? MODE_TIMESTAMPTZ : MODE_INPUT;
		case BOOLOID:
			return MODE_BOOLEAN;
		default:
			type_id = getBaseType(type_id);
			if (type_id == JSONOID || type_id == JSONBOID)
				return MODE_JSON;
			return type_is_enum(type_id) ? MODE_ENUM : MODE_INPUT;
	}
}

/*
 * smf_value_reader_create
 *		Prepare to read values of a type.
 *
 * The reader and everything it keeps live in the current memory context.
 */
ValueReader *
smf_value_reader_create(Oid type_id, int32 typmod, SmfUnknownEnum unknown_enum)
{
	ValueReader *reader = palloc0(sizeof(ValueReader));
	Oid			input_function;
	char		category;
	bool		preferred;

	reader->context = CurrentMemoryContext;
	reader->type_id = type_id;
	reader->typmod = typmod;
	reader->unknown_enum = unknown_enum;
	reader->mode = mode_for(type_id, typmod);
	reader->base_type = getBaseType(type_id);
	get_type_category_preferred(reader->base_type, &category, &preferred);
	reader->numeric_category = category == TYPCATEGORY_NUMERIC;
	reader->domain = get_typtype(type_id) == TYPTYPE_DOMAIN;
	getTypeInputInfo(type_id, &input_function, &reader->input_param);
	fmgr_info(input_function, &reader->input);
	return reader;
}
