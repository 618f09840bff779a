/*-------------------------------------------------------------------------
 *
 * row.c
 *		Training job documents as rows.
 *
 * Only the columns that the query reads are decoded: each column's value is looked up in
 * the job, and read by the reader for its type (value.c), which is chosen once, when the
 * scan starts.  Every error names the column, the attribute and the job.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/arn.h"
#include "aws/json.h"
#include "compat/jobs.h"
#include "executor/executor.h"
#include "fdw/row.h"
#include "fdw/value.h"
#include "optimizer/optimizer.h"
#include "utils/jsonb.h"

/* Most digits of a list index in a path. */
#define INDEX_DIGITS_MAX 6

/* From this many columns on, the members of a document are listed first. */
#define COLUMNS_MANY 8

/*
 * The members of an object in jsonb's order: by the length of the key, then by its bytes.
 * Searching in jsonb itself would have to add up many lengths.
 */
typedef struct Members
{
	const JsonbContainer *of;	/* the object; NULL: none is listed */
	int			n;				/* number of members */
	int			size;			/* number of pairs allocated */
	JsonbPair  *pairs;			/* keys and values; these point into the object */
} Members;

/* One column that the query reads. */
typedef struct ColumnReader
{
	const SmfColumn *column;	/* what it stands for */
	ValueReader *value;			/* reads values of its type */
	ExprState  *generated;		/* computes it from other columns; NULL: it is read */
} ColumnReader;

struct RowReader
{
	const char *region;			/* value of the column region */
	const char *account_id;		/* value of the column account_id; NULL: take it from the
								 * ARN */
	int			natts;			/* attributes of the table */
	int			ncolumns;		/* number of columns that are read */
	ColumnReader *columns;		/* one for each of these */
	TupleTableSlot *slot;		/* input for generated columns; NULL if there are none */
	ExprContext *econtext;		/* for their expressions; NULL if there are none */
	Members		members;		/* of the document being read */

	/* for error messages: what is being read */
	const Job  *job;			/* the job */
	const ColumnReader *current;	/* the column; NULL: none */
};

/* ----- finding a value ----- */

/* The value's container if it is an object or a list, otherwise NULL. */
static JsonbContainer *
container_of(JsonbValue *value)
{
	return value->type == jbvBinary ? value->val.binary.data : NULL;
}

/* List the members of an object. */
static void
list_members(Members *members, JsonbContainer *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;

	if (members->size < JsonContainerSize(object))
	{
		members->size = JsonContainerSize(object);
		members->pairs = repalloc(members->pairs, members->size * sizeof(JsonbPair));
	}
	members->of = object;
	members->n = 0;
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			members->pairs[members->n].key = value;
		else if (token == WJB_VALUE)
			members->pairs[members->n++].value = value;
	}
}

/* Find a member in the object that was listed. */
static bool
find_member(const Members *members, const char *key, int len, JsonbValue *value)
{
	int			low = 0;
	int			high = members->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const JsonbPair *pair = &members->pairs[middle];
		int			order = smf_json_key_order(key, len, pair->key.val.string.val, pair->key.val.string.len);

		if (order == 0)
		{
			*value = pair->value;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* One step down: a key of an object, or an index of an array. */
static bool
step(const Members *members, JsonbContainer *container, const char *key, int len, JsonbValue *value)
{
	JsonbValue *element;
	uint32		index = 0;

	if (container == members->of)
		return find_member(members, key, len, value);
	if (JsonContainerIsObject(container))
		return getKeyJsonValueFromContainer(container, key, len, value) != NULL;
	if (!JsonContainerIsArray(container) || len < 1 || len > INDEX_DIGITS_MAX)
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
 * Follow a dotted path.  A key may contain dots itself (as hyperparameters do), so the
 * longest existing key wins.
 */
static bool
follow(const Members *members, JsonbContainer *container, const char *path, JsonbValue *value)
{
	for (int len = strlen(path); len > 0; len--)
	{
		JsonbContainer *below;

		if (path[len] != '\0' && path[len] != '.')
			continue;
		if (!step(members, container, path, len, value))
			continue;
		if (path[len] == '\0')
			return true;
		below = container_of(value);
		if (below != NULL && follow(members, below, path + len + 1, value))
			return true;
	}
	return false;
}

/* The column's value in the job's document or summary; false if it is absent or null. */
static bool
find_in_document(const Members *members, const SmfColumn *column, Jsonb *document, JsonbValue *value)
{
	const char *path = column->path;
	const char *const *dated = column->top ? column->top->timestamp_members : NULL;

	if (dated != NULL)
	{
		JsonbContainer *list;
		Jsonb	   *converted;
		int			len = strlen(column->top->api_name);

		if (!step(members, &document->root, path, len, value))
			return false;
		list = container_of(value);
		if (list != NULL && JsonContainerIsArray(list))
		{
			converted = smf_value_with_timestamps(list, dated);
			smf_value_set_jsonb(value, converted);
			if (path[len] == '\0')
				return true;
			return follow(members, &converted->root, path + len + 1, value) && value->type != jbvNull;
		}
	}
	/* what the service selected from the job's preferences takes precedence */
	if (column->attribute != NULL && column->attribute->selected != NULL &&
		follow(members, &document->root, column->attribute->selected, value) && value->type != jbvNull)
		return true;
	return follow(members, &document->root, path, value) && value->type != jbvNull;
}

/* The account in the job's ARN. */
static bool
find_account_id(const Members *members, Jsonb *document, JsonbValue *value)
{
	ArnField	fields[SMF_ARN_PARTS];
	const ArnField *account = &fields[SMF_ARN_ACCOUNT];

	if (!step(members, &document->root, "TrainingJobArn", strlen("TrainingJobArn"), value) ||
		value->type != jbvString)
		return false;
	if (smf_arn_split(value->val.string.val, value->val.string.len, fields) < SMF_ARN_PARTS ||
		account->len == 0)
		return false;
	smf_value_set_string(value, account->text, account->len);
	return true;
}

/* The document or, if it is not known, whatever else is known about the job. */
static Jsonb *
document_of(const Job *job)
{
	return job->document ? job->document : job->record ? job->record : job->summary;
}

/* The column's value, as JSON; false if it is NULL. */
static bool
find_value(RowReader *reader, const SmfColumn *column, const Job *job, JsonbValue *value)
{
	Jsonb	   *document = document_of(job);
	SmfKind		kind = column->attribute ? column->attribute->kind : SMF_KIND_STRUCTURE;

	/* Tags are not part of the document: they come from a separate call. */
	if (smf_column_is_tags(column))
	{
		if (job->tags == NULL)
			return false;
		smf_value_set_jsonb(value, job->tags);
		return column->attribute != NULL ||
			follow(&reader->members, &job->tags->root, strchr(column->path, '.') + 1, value);
	}

	/* Some columns are not members of the document; all others have a path in it. */
	switch (kind)
	{
		case SMF_KIND_REGION:
			smf_value_set_string(value, reader->region, strlen(reader->region));
			return true;
		case SMF_KIND_ACCOUNT_ID:
			if (reader->account_id == NULL)
				return find_account_id(&reader->members, document, value);
			/* every job's account was compared with it */
			smf_value_set_string(value, reader->account_id, strlen(reader->account_id));
			return true;
		case SMF_KIND_RAW_RESPONSE:
			/* Search's record, even for a job that was also described */
			smf_value_set_jsonb(value, job->record ? job->record : document);
			return true;
		default:
			return find_in_document(&reader->members, column, document, value);
	}
}

/* The column's datum; false if it is NULL. */
static bool
read_column(RowReader *row, ColumnReader *reader, const Job *job, Datum *result)
{
	JsonbValue	value;

	if (find_value(row, reader->column, job, &value))
		return smf_value_read(reader->value, reader->column->attribute, &value, result);
	return false;
}

/* ----- the reader ----- */

/* Prepare a column that is computed from others in the row. */
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

/* Compute the generated columns in "only" from the values that were read. */
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
 * The reader and everything it keeps live in the current memory context.  The settings
 * must outlive it.  Raises HV005 like smf_table_columns.
 */
RowReader *
smf_row_reader_create(Oid relid, TupleDesc tupdesc, List *attnums,
					  const SmfSettings *settings)
{
	RowReader  *row = palloc0(sizeof(RowReader));
	SmfColumn  *columns = smf_table_columns(relid, tupdesc, settings);
	ListCell   *lc;

	row->region = settings->region;
	row->account_id = settings->account_id;
	row->natts = tupdesc->natts;
	row->columns = palloc0(list_length(attnums) * sizeof(ColumnReader));
	row->members.size = list_length(attnums);
	row->members.pairs = palloc(row->members.size * sizeof(JsonbPair));

	foreach(lc, attnums)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, lfirst_int(lc) - 1);
		ColumnReader *reader = &row->columns[row->ncolumns++];

		reader->column = &columns[lfirst_int(lc) - 1];
		reader->value = smf_value_reader_create(att->atttypid, att->atttypmod,
												settings->unknown_enum);
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
 * "values" and "isnull" have an element for every attribute of the table; those of
 * columns that are not read become NULL.  "only" is the set of attribute numbers to read,
 * NULL for all that the reader was created for.  Values are allocated in the current
 * memory context, or point into the job.
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

	/* A document of which much is read is looked through once; before any call there is none. */
	row->members.of = NULL;
	if ((only ? bms_num_members(only) : row->ncolumns) >= COLUMNS_MANY && document_of(job) != NULL)
		list_members(&row->members, &document_of(job)->root);

	/* Read the columns, then compute those that depend on them. */
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
		if (isnull[at])
			smf_value_read_null(reader->value);
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
	return compareJsonbContainers(&JsonbValueToJsonb(&value)->root,
								  &JsonbValueToJsonb(&other_value)->root) == 0;
}

/*
 * smf_row_same
 *		Do both jobs have the same values in the columns "only"?
 */
bool
smf_row_same(RowReader *row, const Job *job, const Job *other, const Bitmapset *only)
{
	/* what was listed is of the job that was read last, which may be gone */
	row->members.of = NULL;

	for (int i = 0; i < row->ncolumns; i++)
	{
		const SmfColumn *column = row->columns[i].column;

		/* the columns that a generated one is computed from are in the set themselves */
		if (column->expression == NULL && bms_is_member(column->attnum, only) &&
			!same_value(row, column, job, other))
			return false;
	}
	return true;
}
