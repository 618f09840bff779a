/*-------------------------------------------------------------------------
 *
 * row.c
 *		Training job documents as rows.
 *
 * Only the columns that the query reads are decoded.  How a column is read is
 * settled once, when the scan starts, from its type: exactly, for the types that
 * IMPORT FOREIGN SCHEMA gives, and through the type's own input function for
 * any other; a domain takes what the type below it takes.  Every error names the column,
 * the attribute and the job.
 *
 * Not accounted for: members below an attribute have no documented type here,
 * so a column with a path takes the value as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/arn.h"
#include "catalog/pg_type.h"
#include "compat/jobs.h"
#include "executor/executor.h"
#include "fdw/row.h"
#include "fmgr.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* How a JSON value becomes a datum of the column's type. */
typedef enum ColumnMode
{
	MODE_TEXT,					/* text without a length: the string itself */
	MODE_JSONB,					/* jsonb: the value, whatever it is */
	MODE_JSON,					/* the input function of json, or of a domain over json or
								 * jsonb, from the JSON text */
	MODE_TIMESTAMPTZ,			/* from epoch seconds, exactly */
	MODE_BOOLEAN,
	MODE_ENUM,					/* by label */
	MODE_INPUT					/* any other type's input function */
} ColumnMode;

/* A label that was looked up before, or warned of. */
typedef struct KnownLabel
{
	int			len;
	const char *label;			/* not NUL-terminated */
	bool		unknown;		/* the type lacks it */
	Datum		value;			/* of the enum type, unless unknown */
} KnownLabel;

/* One column that the query reads. */
typedef struct ColumnReader
{
	const SmfColumn *column;
	ColumnMode	mode;
	Oid			type_id;
	int32		typmod;
	Oid			base_type;		/* the type below a domain, or the type itself */
	bool		numeric_category;	/* the type is a kind of number */
	bool		domain;			/* a domain, which may refuse NULL */
	FmgrInfo	input;			/* the type's input function */
	Oid			input_param;	/* its second argument */
	List	   *labels;			/* KnownLabel, in the reader's context */
	ExprState  *generated;		/* computes it from the others; NULL: it is read */
} ColumnReader;

struct RowReader
{
	MemoryContext context;		/* the reader's own lifetime */
	const char *region;			/* value of the column region */
	const char *account_id;		/* value of the column account_id; NULL: as the ARN says */
	SmfUnknownEnum unknown_enum;
	int			natts;			/* attributes of the table */
	int			ncolumns;		/* columns that are read */
	ColumnReader *columns;
	TupleTableSlot *slot;		/* what generated columns are computed from; NULL
								 * without any */
	ExprContext *econtext;

	/* what is being read, for error messages */
	const Job  *job;
	const ColumnReader *current;
};

/* ----- timestamps ----- */

/* Digits behind the point that a timestamp keeps. */
#define MICROSECOND_DIGITS 6

/* No timestamp needs more digits before the point. */
#define SECONDS_DIGITS_MAX 14

/* Where Postgres begins to count, in epoch seconds. */
#define POSTGRES_EPOCH_S ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400))

/*
 * Epoch seconds, written as a decimal, as a timestamp; rounded to the
 * microsecond, half away from zero.
 */
static TimestampTz
timestamp_from_decimal(const char *text)
{
	bool		negative = *text == '-';
	int64		seconds = 0;
	int64		us = 0;			/* beyond the seconds, up to a whole one */
	int			ndigits = 0;
	TimestampTz result;

	if (negative)
		text++;
	while (*text == '0')
		text++;
	for (; *text >= '0' && *text <= '9'; text++)
	{
		if (++ndigits > SECONDS_DIGITS_MAX)
			goto out_of_range;
		seconds = seconds * 10 + (*text - '0');
	}
	if (*text == '.')
		text++;
	for (int i = 0; i < MICROSECOND_DIGITS; i++)
		us = us * 10 + (*text ? *text++ - '0' : 0);
	if (*text >= '5')
		us++;

	/* microseconds of what lies further off might not fit */
	seconds = (negative ? -seconds : seconds) - POSTGRES_EPOCH_S;
	if (seconds < MIN_TIMESTAMP / USECS_PER_SEC || seconds > END_TIMESTAMP / USECS_PER_SEC)
		goto out_of_range;
	result = seconds * USECS_PER_SEC + (negative ? -us : us);
	if (IS_VALID_TIMESTAMP(result))
		return result;

out_of_range:
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

static char *
numeric_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/*
 * A timestamp as RFC 3339 in UTC: no fraction for whole seconds, three digits
 * where milliseconds suffice, else six.
 */
static char *
rfc3339(TimestampTz timestamp)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char	   *text;

	if (timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0 || tm.tm_year < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	text = psprintf("%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (fsec == 0)
		return psprintf("%sZ", text);
	if (fsec % 1000 == 0)
		return psprintf("%s.%03dZ", text, (int) fsec / 1000);
	return psprintf("%s.%06dZ", text, (int) fsec);
}

/* Turn a JSON number that is epoch seconds into a JSON string. */
static void
number_to_rfc3339(JsonbValue *value)
{
	char	   *text = rfc3339(timestamp_from_decimal(numeric_text(value->val.numeric)));

	value->type = jbvString;
	value->val.string.val = text;
	value->val.string.len = strlen(text);
}

static bool
is_member(const char *const *members, const JsonbValue *key)
{
	for (; *members != NULL; members++)
	{
		if (strlen(*members) == key->val.string.len &&
			memcmp(*members, key->val.string.val, key->val.string.len) == 0)
			return true;
	}
	return false;
}

/* A list of objects with the given members, numbers, as RFC 3339 strings. */
static Jsonb *
with_timestamps(JsonbContainer *list, const char *const *members)
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
			convert = is_member(members, &value);
		else if (token == WJB_VALUE && depth == 2 && convert && value.type == jbvNumeric)
			number_to_rfc3339(&value);
		smf_push_jsonb(&copy, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(copy.result);
}

/* ----- finding a value ----- */

/* A container of the value's own, if it is one. */
static JsonbContainer *
container_of(JsonbValue *value)
{
	return value->type == jbvBinary ? value->val.binary.data : NULL;
}

/* One step down: a key of an object, or an index of an array. */
static bool
step(JsonbContainer *container, const char *key, int len, JsonbValue *value)
{
	JsonbValue *element;
	uint32		index = 0;

	if (JsonContainerIsObject(container))
		return getKeyJsonValueFromContainer(container, key, len, value) != NULL;
	if (!JsonContainerIsArray(container) || len < 1 || len > 6)
		return false;
	for (int i = 0; i < len; i++)
	{
		if (key[i] < '0' || key[i] > '9')
			return false;
		index = index * 10 + (key[i] - '0');
	}
	element = getIthJsonbValueFromContainer(container, index);
	if (element == NULL)
		return false;
	*value = *element;
	return true;
}

/*
 * Follow a dotted path.  A key may hold dots itself (hyperparameters do), so
 * the longest key that is there wins.
 */
static bool
follow(JsonbContainer *container, const char *path, JsonbValue *value)
{
	for (int len = strlen(path); len > 0; len--)
	{
		JsonbContainer *below;

		if (path[len] != '\0' && path[len] != '.')
			continue;
		if (!step(container, path, len, value))
			continue;
		if (path[len] == '\0')
			return true;
		below = container_of(value);
		if (below != NULL && follow(below, path + len + 1, value))
			return true;
	}
	return false;
}

/* The column's value in the job's document or summary; false when absent or null. */
static bool
find_member(const SmfColumn *column, Jsonb *document, JsonbValue *value)
{
	const char *path = column->path;
	const char *const *dated = column->top ? column->top->timestamp_members : NULL;

	if (dated != NULL)
	{
		JsonbContainer *list;
		Jsonb	   *converted;
		int			len = strlen(column->top->api_name);

		if (!step(&document->root, path, len, value))
			return false;
		list = container_of(value);
		if (list != NULL && JsonContainerIsArray(list))
		{
			converted = with_timestamps(list, dated);
			value->type = jbvBinary;
			value->val.binary.data = &converted->root;
			value->val.binary.len = VARSIZE(converted) - VARHDRSZ;
			if (path[len] == '\0')
				return true;
			return follow(&converted->root, path + len + 1, value) && value->type != jbvNull;
		}
	}
	/* what was selected counts for more than what was asked for */
	if (column->attribute != NULL && column->attribute->selected != NULL &&
		follow(&document->root, column->attribute->selected, value) && value->type != jbvNull)
		return true;
	return follow(&document->root, path, value) && value->type != jbvNull;
}

static void
set_string(JsonbValue *value, const char *text, int len)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = len;
}

static void
set_jsonb(JsonbValue *value, Jsonb *jsonb)
{
	value->type = jbvBinary;
	value->val.binary.data = &jsonb->root;
	value->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
}

/* The account in the job's ARN. */
static bool
find_account_id(Jsonb *document, JsonbValue *value)
{
	ArnField	fields[SMF_ARN_PARTS];
	const ArnField *account = &fields[SMF_ARN_ACCOUNT];

	if (!step(&document->root, "TrainingJobArn", strlen("TrainingJobArn"), value) ||
		value->type != jbvString)
		return false;
	if (smf_arn_split(value->val.string.val, value->val.string.len, fields) < SMF_ARN_PARTS ||
		account->len == 0)
		return false;
	set_string(value, account->text, account->len);
	return true;
}

/* The column's value, as JSON; false when it is NULL. */
static bool
find_value(RowReader *reader, const SmfColumn *column, const Job *job, JsonbValue *value)
{
	Jsonb	   *document = job->document ? job->document :
		job->record ? job->record : job->summary;
	SmfKind		kind = column->attribute ? column->attribute->kind : SMF_KIND_STRUCTURE;

	if (smf_column_is_tags(column))
	{
		if (job->tags == NULL)
			return false;
		set_jsonb(value, job->tags);
		return column->attribute != NULL ||
			follow(&job->tags->root, strchr(column->path, '.') + 1, value);
	}
	switch (kind)
	{
		case SMF_KIND_REGION:
			set_string(value, reader->region, strlen(reader->region));
			return true;
		case SMF_KIND_ACCOUNT_ID:
			if (reader->account_id == NULL)
				return find_account_id(document, value);
			/* which that of every job was compared with */
			set_string(value, reader->account_id, strlen(reader->account_id));
			return true;
		case SMF_KIND_RAW_RESPONSE:
			/* of a Search its record, whether or not the job was described, too */
			set_jsonb(value, job->record ? job->record : document);
			return true;
		default:
			return find_member(column, document, value);
	}
}

/* ----- checking it ----- */

/* What a JSON value is, in words. */
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

/* What JSON value the kind is sent as, in words. */
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

/* Floats that JSON has no number for are sent as one of these strings. */
static bool
is_float_word(const JsonbValue *value)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

	if (value->type != jbvString)
		return false;
	for (int i = 0; i < lengthof(words); i++)
	{
		if (strlen(words[i]) == value->val.string.len &&
			memcmp(words[i], value->val.string.val, value->val.string.len) == 0)
			return true;
	}
	return false;
}

/* Raise 08P01 when an attribute's value is not of the documented kind. */
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
			 errmsg("the service sent %s where %s belongs", shape_of(value), expected)));
}

/* ----- turning it into a datum ----- */

static Jsonb *
value_to_jsonb(JsonbValue *value)
{
	return JsonbValueToJsonb(value);
}

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
			/* 3600.0 is as good an integer as 3600 */
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
			jsonb = value_to_jsonb(value);
			return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
	}
}

static Datum
read_by_input(ColumnReader *reader, char *text)
{
	return InputFunctionCall(&reader->input, text, reader->input_param, reader->typmod);
}

/* The value as the type's input function takes it. */
static char *
input_text(const ColumnReader *reader, JsonbValue *value)
{
	if (value->type == jbvNumeric)
	{
		/* below an attribute a time is a number of seconds, too */
		if (reader->base_type == TIMESTAMPTZOID)
			number_to_rfc3339(value);
		/* a bare number is of the last field of "interval hour" */
		else if (reader->base_type == INTERVALOID)
			return psprintf("%s seconds", value_text(value));
	}
	return value_text(value);
}

/*
 * A label as a value of the enum type; false, after one warning for the scan
 * and label, when the type lacks it and that means NULL.
 */
static bool
read_enum(RowReader *row, ColumnReader *reader, JsonbValue *value, Datum *result)
{
	ListCell   *lc;
	KnownLabel *known;
	char	   *label;
	MemoryContext old;

	if (value->type == jbvString)
	{
		foreach(lc, reader->labels)
		{
			known = lfirst(lc);
			if (known->len == value->val.string.len &&
				memcmp(known->label, value->val.string.val, known->len) == 0)
			{
				*result = known->value;
				return !known->unknown;
			}
		}
	}

	label = value_text(value);
	old = MemoryContextSwitchTo(row->context);
	known = palloc0(sizeof(KnownLabel));
	known->label = pstrdup(label);
	known->len = strlen(label);
	known->unknown = strlen(label) >= NAMEDATALEN ||
		!SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(reader->base_type),
							   CStringGetDatum(label));
	MemoryContextSwitchTo(old);

	if (!known->unknown || row->unknown_enum == SMF_UNKNOWN_ENUM_ERROR)
	{
		/* a label it lacks is the input function's to refuse */
		known->value = read_by_input(reader, label);
		/* a domain's checks may answer otherwise next time */
		if (reader->base_type != reader->type_id)
		{
			*result = known->value;
			return true;
		}
	}
	else
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("\"%s\" is no label of enum type %s, and is read as NULL",
						label, format_type_be(reader->base_type)),
				 errhint("Declare the column as text to see it, or set unknown_enum to 'error'.")));

	old = MemoryContextSwitchTo(row->context);
	reader->labels = lappend(reader->labels, known);
	MemoryContextSwitchTo(old);
	*result = known->value;
	return !known->unknown;
}

/* The column's datum; false when it is NULL. */
static bool
read_column(RowReader *row, ColumnReader *reader, const Job *job, Datum *result)
{
	const SmfAttribute *attribute = reader->column->attribute;
	JsonbValue	value;

	if (!find_value(row, reader->column, job, &value))
		return false;
	if (attribute != NULL)
	{
		check_shape(attribute, &value);

		/* a timestamp is a number to a number's type only */
		if (attribute->kind == SMF_KIND_TIMESTAMP && reader->mode != MODE_TIMESTAMPTZ &&
			!reader->numeric_category)
			number_to_rfc3339(&value);
	}

	switch (reader->mode)
	{
		case MODE_TEXT:
			if (value.type == jbvString)
				*result = PointerGetDatum(cstring_to_text_with_len(value.val.string.val,
																   value.val.string.len));
			else
				*result = CStringGetTextDatum(value_text(&value));
			return true;
		case MODE_JSONB:
			*result = JsonbPGetDatum(value_to_jsonb(&value));
			return true;
		case MODE_JSON:
			{
				Jsonb	   *jsonb = value_to_jsonb(&value);

				*result = read_by_input(reader, JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)));
				return true;
			}
		case MODE_TIMESTAMPTZ:
			if (value.type == jbvNumeric)
				*result = TimestampTzGetDatum(timestamp_from_decimal(numeric_text(value.val.numeric)));
			else
				*result = read_by_input(reader, value_text(&value));
			return true;
		case MODE_BOOLEAN:
			if (value.type == jbvBool)
				*result = BoolGetDatum(value.val.boolean);
			else
				*result = read_by_input(reader, value_text(&value));
			return true;
		case MODE_ENUM:
			return read_enum(row, reader, &value, result);
		case MODE_INPUT:
			*result = read_by_input(reader, input_text(reader, &value));
			return true;
	}
	pg_unreachable();
}

/* ----- the reader ----- */

static ColumnMode
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
			/* timestamptz(n) rounds, which its input function does */
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

/* The column is computed from others of the row. */
static void
prepare_generated(RowReader *row, ColumnReader *reader, Oid relid, TupleDesc tupdesc)
{
	if (row->slot == NULL)
	{
		row->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(tupdesc), &TTSOpsVirtual);
		row->slot->tts_tableOid = relid;
		row->econtext = CreateStandaloneExprContext();
		row->econtext->ecxt_scantuple = row->slot;
	}
	reader->generated = ExecInitExpr(expression_planner((Expr *) reader->column->expression), NULL);
}

/* Compute the generated columns of "only" from the values that were read. */
static void
compute_generated(RowReader *row, const Bitmapset *only, Datum *values, bool *isnull)
{
	TupleTableSlot *slot = row->slot;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, row->natts * sizeof(Datum));
	memcpy(slot->tts_isnull, isnull, row->natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	for (int i = 0; i < row->ncolumns; i++)
	{
		ColumnReader *reader = &row->columns[i];
		int			at = reader->column->attnum - 1;

		if (reader->generated == NULL ||
			(only != NULL && !bms_is_member(reader->column->attnum, only)))
			continue;
		row->current = reader;
		values[at] = ExecEvalExpr(reader->generated, row->econtext, &isnull[at]);
	}
}

/*
 * smf_row_reader_create
 *		Prepare to read the columns "attnums" of a foreign table's rows.
 *
 * The reader and all it keeps live in the current memory context.  The settings
 * must outlive it.  Raises HV005 as smf_table_columns does.
 */
RowReader *
smf_row_reader_create(Oid relid, TupleDesc tupdesc, List *attnums,
					  const SmfSettings *settings)
{
	RowReader  *row = palloc0(sizeof(RowReader));
	SmfColumn  *columns = smf_table_columns(relid, tupdesc, settings);
	ListCell   *lc;

	row->context = CurrentMemoryContext;
	row->region = settings->region;
	row->account_id = settings->account_id;
	row->unknown_enum = settings->unknown_enum;
	row->natts = tupdesc->natts;
	row->columns = palloc0(list_length(attnums) * sizeof(ColumnReader));

	foreach(lc, attnums)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, lfirst_int(lc) - 1);
		ColumnReader *reader = &row->columns[row->ncolumns++];
		Oid			input_function;
		char		category;
		bool		preferred;

		reader->column = &columns[lfirst_int(lc) - 1];
		reader->type_id = att->atttypid;
		reader->typmod = att->atttypmod;
		reader->mode = mode_for(att->atttypid, att->atttypmod);
		reader->base_type = getBaseType(att->atttypid);
		get_type_category_preferred(reader->base_type, &category, &preferred);
		reader->numeric_category = category == TYPCATEGORY_NUMERIC;
		reader->domain = get_typtype(att->atttypid) == TYPTYPE_DOMAIN;
		getTypeInputInfo(att->atttypid, &input_function, &reader->input_param);
		fmgr_info(input_function, &reader->input);
		if (reader->column->expression != NULL)
			prepare_generated(row, reader, relid, tupdesc);
	}
	return row;
}

static void
row_error_context(void *arg)
{
	RowReader  *row = arg;

	if (row->current == NULL)
		return;
	if (strcmp(row->current->column->path, row->current->column->name) == 0)
		errcontext("column \"%s\" of training job \"%s\"",
				   row->current->column->name, row->job->name);
	else
		errcontext("column \"%s\", attribute %s of training job \"%s\"",
				   row->current->column->name, row->current->column->path, row->job->name);
}

/*
 * smf_row_read
 *		Fill a row's values from a job.
 *
 * "values" and "isnull" have an element for every attribute of the table;
 * those of columns that are not read become NULL.  "only" is the set of attribute
 * numbers to read, NULL for all that the reader was made for.  Values are allocated
 * in the current memory context, or point into the job.
 */
void
smf_row_read(RowReader *row, const Job *job, const Bitmapset *only, Datum *values, bool *isnull)
{
	ErrorContextCallback callback;

	callback.callback = row_error_context;
	callback.arg = row;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	row->job = job;

	memset(isnull, true, row->natts * sizeof(bool));
	for (int i = 0; i < row->ncolumns; i++)
	{
		ColumnReader *reader = &row->columns[i];
		int			at = reader->column->attnum - 1;

		if (reader->generated != NULL ||
			(only != NULL && !bms_is_member(reader->column->attnum, only)))
			continue;
		row->current = reader;
		isnull[at] = !read_column(row, reader, job, &values[at]);
		if (isnull[at] && reader->domain)
			(void) read_by_input(reader, NULL);
	}
	if (row->slot != NULL)
		compute_generated(row, only, values, isnull);

	row->current = NULL;
	error_context_stack = callback.previous;
}

static bool
same_value(RowReader *row, const SmfColumn *column, const Job *job, const Job *other)
{
	JsonbValue	value;
	JsonbValue	other_value;
	bool		found = find_value(row, column, job, &value);

	if (found != find_value(row, column, other, &other_value))
		return false;
	if (!found)
		return true;
	return compareJsonbContainers(&value_to_jsonb(&value)->root,
								  &value_to_jsonb(&other_value)->root) == 0;
}

/*
 * smf_row_same
 *		Are the values of the columns "only" the same in both jobs?
 */
bool
smf_row_same(RowReader *row, const Job *job, const Job *other, const Bitmapset *only)
{
	for (int i = 0; i < row->ncolumns; i++)
	{
		const SmfColumn *column = row->columns[i].column;

		/* what a generated one is computed from is among them */
		if (column->expression == NULL && bms_is_member(column->attnum, only) && !same_value(row, column, job, other))
			return false;
	}
	return true;
}
