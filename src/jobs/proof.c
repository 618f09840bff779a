/*-------------------------------------------------------------------------
 *
 * proof.c
 *		Whether a record of Search stands for a training job's document.
 *
 * Search is behind what it searches, by a time that nobody promises, and may lack
 * what Describe has.  The list is not behind.  So a record is taken for the document
 * where the job has ended long enough ago, where all that the list's summary says is
 * in the record too, and where the record agrees with itself; and then only for the
 * attributes that it can be trusted to have whole.
 *
 * Whatever is not as it is documented proves nothing.  No value raises an error here,
 * and none that is proved raises one when its column is read: the job is described
 * instead, and what Describe answers is judged when it is read.
 *
 * The containers are never copied.  What is allocated on the way is a few small
 * chunks, freed at once, unless two values differ.
 *
 * Not accounted for: a record of the right version with other contents, or without an
 * attribute that the job need not have.  No proof can see that, so jobs are described
 * here and there all the same, and compared with their records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "jobs/proof.h"
#include "jobs/timestamp.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* A job that ended, or was changed, so long ago is in Search as it is in the list. */
#define MARGIN_S 3600

/* Times that an RFC 3339 string can say: from the year 1 to the year 9999. */
#define FIRST_TIME ((INT64CONST(-62135596800) - SMF_POSTGRES_EPOCH_S) * USECS_PER_SEC)
#define TIMES_END ((INT64CONST(253402300800) - SMF_POSTGRES_EPOCH_S) * USECS_PER_SEC)

/* The API allows 20 rules; comparing each with each must not take long. */
#define RULES_MAX 100

/* Of a job that will not change by itself. */
static const char *const ended_statuses[] = {"Completed", "Failed", "Stopped", NULL};

/* Of a rule's evaluation, and of a warm pool, that will not change any more. */
static const char *const ended_evaluations[] = {"NoIssuesFound", "IssuesFound", "Error", "Stopped", NULL};
static const char *const ended_warm_pools[] = {"Terminated", "Reused", NULL};

/* What both must have: without it no version is named. */
static const char *const version_members[] = {
	"TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime", "TrainingJobStatus", NULL
};

/* An attribute that a record must have, if it is of such a job. */
typedef struct Expectation
{
	const char *attribute;		/* what must be there */
	const char *status;			/* in jobs of this status; NULL: of any */
	const char *with;			/* that have this, by its path; NULL: in all of them */
} Expectation;

static const Expectation expectations[] = {
	{"FailureReason", "Failed", NULL},
	{"ModelArtifacts", "Completed", NULL},
	{"TrainingTimeInSeconds", NULL, "TrainingStartTime"},
	{"BillableTimeInSeconds", NULL, "TrainingStartTime"},
	{"FinalMetricDataList", "Completed", "AlgorithmSpecification.MetricDefinitions"},
	{"DebugRuleEvaluationStatuses", NULL, "DebugRuleConfigurations"},
	{"OutputModelPackageArn", NULL, "ModelPackageConfig"}
};

/* ----- finding a value ----- */

/* A member of what may be no object; false when it is absent or null. */
static bool
find_member(JsonbContainer *container, const char *key, JsonbValue *value)
{
	return JsonContainerIsObject(container) &&
		getKeyJsonValueFromContainer(container, key, strlen(key), value) != NULL &&
		value->type != jbvNull;
}

/* The value's container if it is an object, else NULL. */
static JsonbContainer *
object_of(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

/* The value's container if it is a list, else NULL. */
static JsonbContainer *
list_of(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

/* An element of a list if it is an object, else NULL. */
static JsonbContainer *
element_of(JsonbContainer *list, int index)
{
	JsonbValue *element = getIthJsonbValueFromContainer(list, index);
	JsonbContainer *object = object_of(element);

	pfree(element);
	return object;
}

/* A member, or one of a member; false when it is absent or null. */
static bool
find_path(JsonbContainer *job, const char *path, JsonbValue *value)
{
	const char *dot = strchr(path, '.');
	JsonbContainer *parent;

	if (dot == NULL)
		return find_member(job, path, value);
	if (!JsonContainerIsObject(job) ||
		getKeyJsonValueFromContainer(job, path, dot - path, value) == NULL)
		return false;
	parent = object_of(value);
	return parent != NULL && find_member(parent, dot + 1, value);
}

/* What an attribute's column reads; false when that is NULL. */
static bool
find_attribute(JsonbContainer *job, const SmfAttribute *attribute, JsonbValue *value)
{
	return (attribute->selected != NULL && find_path(job, attribute->selected, value)) ||
		find_path(job, attribute->api_name, value);
}

/* ----- comparing strings and numbers ----- */

static bool
is_text(const JsonbValue *value, const char *text)
{
	return value->type == jbvString && strlen(text) == value->val.string.len &&
		memcmp(text, value->val.string.val, value->val.string.len) == 0;
}

/* Is it one of these strings, of which NULL is the last? */
static bool
is_one_of(const JsonbValue *value, const char *const *texts)
{
	for (; *texts != NULL; texts++)
	{
		if (is_text(value, *texts))
			return true;
	}
	return false;
}

/* Has the object a member that is one of these strings? */
static bool
member_is_one_of(JsonbContainer *object, const char *key, const char *const *texts)
{
	JsonbValue	value;

	return find_member(object, key, &value) && is_one_of(&value, texts);
}

static bool
same_string(const JsonbValue *a, const JsonbValue *b)
{
	return a->type == jbvString && b->type == jbvString &&
		a->val.string.len == b->val.string.len &&
		memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
}

/* Are numbers the same when they are printed? */
static bool
same_digits(Numeric a, Numeric b)
{
	return VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0;
}

static bool
same_number(Numeric a, Numeric b)
{
	return same_digits(a, b) ||
		DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Less than 0, 0 or more than 0, as the number is less, equal or more. */
static int
compare_number(Numeric number, int64 with)
{
	Numeric		other = int64_to_numeric(with);
	int			result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(number),
														   NumericGetDatum(other)));

	pfree(other);
	return result;
}

/* The nearest double; infinite, or 0, when it is too far away. */
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

/* Epoch seconds as a timestamp; false when there is none so far away. */
static bool
timestamp_of(Numeric seconds, TimestampTz *result)
{
	char	   *text = number_text(seconds);
	bool		possible = smf_timestamp_from_decimal(text, result);

	pfree(text);
	return possible;
}

/* Are times the same to the microsecond? */
static bool
same_microsecond(Numeric a, Numeric b)
{
	TimestampTz time_a;
	TimestampTz time_b;

	return same_number(a, b) ||
		(timestamp_of(a, &time_a) && timestamp_of(b, &time_b) && time_a == time_b);
}

/* Are times the same as far as both say them, where one of them is in whole seconds? */
static bool
same_second(Numeric a, Numeric b)
{
	TimestampTz time_a;
	TimestampTz time_b;
	TimestampTz earlier;
	TimestampTz later;

	if (same_number(a, b))
		return true;
	if (!timestamp_of(a, &time_a) || !timestamp_of(b, &time_b))
		return false;
	earlier = Min(time_a, time_b);
	later = Max(time_a, time_b);
	return earlier % USECS_PER_SEC == 0 && later - earlier < USECS_PER_SEC;
}

/* Is it a time that every column can say? */
static bool
is_time(const JsonbValue *value)
{
	TimestampTz time;

	return value->type == jbvNumeric && timestamp_of(value->val.numeric, &time) &&
		time >= FIRST_TIME && time < TIMES_END;
}

/* ----- comparing what has members ----- */

/* Are values that hold no others the same when they are printed? */
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
			return same_string(a, b);
		case jbvNumeric:
			return same_digits(a->val.numeric, b->val.numeric);
		default:
			return false;
	}
}

/*
 * Are objects or lists the same when they are printed?
 *
 * "dated" are the members of a list's elements that are times, NULL at the end; NULL when
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

	/* Mostly they are, byte by byte: jsonb has one layout for one contents. */
	if (a->val.binary.len == b->val.binary.len &&
		memcmp(a->val.binary.data, b->val.binary.data, a->val.binary.len) == 0)
		return true;

	/* Else walk through both in step, since times may be written in two ways. */
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
				if (!same_string(&value_a, &value_b))
					return false;
				is_dated = depth == 2 && dated != NULL && is_one_of(&value_a, dated);
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

/* Are values the same when they are printed? */
static bool
same_value(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type == jbvBinary && b->type == jbvBinary)
		return same_container(a, b, NULL);
	return same_scalar(a, b);
}

/* ----- can a value be read? ----- */

/* Is it a whole number within these bounds?  3600.0 is one. */
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

/* Is it a number that a double can hold, or what is sent for one that is none? */
static bool
is_float(const JsonbValue *value)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity", NULL};
	double		number;

	if (value->type != jbvNumeric)
		return is_one_of(value, words);
	number = float_of(value->val.numeric);
	return isfinite(number) && (number != 0 || compare_number(value->val.numeric, 0) == 0);
}

/* Is it a list in which all times can be read?  "dated" are their members' names, or NULL. */
static bool
is_dated_list(const JsonbValue *value, const char *const *dated)
{
	JsonbContainer *list = list_of(value);

	if (list == NULL)
		return false;
	for (int i = 0; dated != NULL && i < JsonContainerSize(list); i++)
	{
		JsonbContainer *element = element_of(list, i);

		for (const char *const *name = dated; element != NULL && *name != NULL; name++)
		{
			JsonbValue	member;

			if (find_member(element, *name, &member) && !is_time(&member))
				return false;
		}
	}
	return true;
}

/* Is it a list of keys and values? */
static bool
is_tags(const JsonbValue *value)
{
	JsonbContainer *list = list_of(value);

	if (list == NULL)
		return false;
	for (int i = 0; i < JsonContainerSize(list); i++)
	{
		JsonbContainer *tag = element_of(list, i);
		JsonbValue	member;

		if (tag == NULL || !find_member(tag, "Key", &member) || member.type != jbvString ||
			!find_member(tag, "Value", &member) || member.type != jbvString)
			return false;
	}
	return true;
}

/*
 * Can the value be read as what the attribute is?
 *
 * Labels that this version does not know are not: Search might spell one in its own way.
 */
static bool
is_readable(const SmfAttribute *attribute, const JsonbValue *value)
{
	switch (attribute->kind)
	{
		case SMF_KIND_STRING:
			return value->type == jbvString;
		case SMF_KIND_ENUM:
			return is_one_of(value, attribute->labels);
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
			return object_of(value) != NULL;
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

/* ----- the version ----- */

/* Is the member needed to tell a version from others? */
static bool
names_version(const char *name)
{
	for (const char *const *member = version_members; *member != NULL; member++)
	{
		if (strcmp(*member, name) == 0)
			return true;
	}
	return false;
}

/* Have summary and "other" the same value of an attribute? */
static bool
same_member(JsonbContainer *summary, JsonbContainer *other, const SmfAttribute *attribute,
			bool (*same_time) (Numeric a, Numeric b))
{
	JsonbValue	listed;
	JsonbValue	value;
	bool		found = find_member(summary, attribute->api_name, &listed);

	if (found != find_member(other, attribute->api_name, &value))
		/* summaries have had it for a short time only */
		return strcmp(attribute->api_name, "SecondaryStatus") == 0;
	if (!found)
		return !names_version(attribute->api_name);
	if (attribute->kind != SMF_KIND_TIMESTAMP)
		return same_value(&listed, &value);
	return listed.type == jbvNumeric && value.type == jbvNumeric &&
		same_time(listed.val.numeric, value.val.numeric);
}

/* Of all that the list tells: what summary and "other" have different values of. */
static AttributeSet
disagreements(JsonbContainer *summary, JsonbContainer *other, bool (*same_time) (Numeric a, Numeric b))
{
	AttributeSet disagreeing = 0;

	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if (attribute->in_list && attribute->origin == SMF_ORIGIN_MEMBER &&
			!same_member(summary, other, attribute, same_time))
			disagreeing |= smf_attribute_bit(attribute);
	}
	return disagreeing;
}

/* Has the warm pool that the job may have left behind ended? */
static bool
warm_pool_ended(JsonbContainer *record)
{
	JsonbValue	value;
	JsonbContainer *warm_pool;

	if (!find_member(record, "WarmPoolStatus", &value))
		return true;
	warm_pool = object_of(&value);
	return warm_pool != NULL && member_is_one_of(warm_pool, "Status", ended_warm_pools);
}

/* Does the last transition lead to the status that the record has? */
static bool
transitions_complete(JsonbContainer *record)
{
	JsonbValue	status;
	JsonbValue	transitions;
	JsonbValue	last_status;
	JsonbContainer *list;
	JsonbContainer *last;

	if (!find_member(record, "SecondaryStatus", &status) ||
		!find_member(record, "SecondaryStatusTransitions", &transitions))
		return false;
	list = list_of(&transitions);
	if (list == NULL || JsonContainerSize(list) == 0)
		return false;
	last = element_of(list, JsonContainerSize(list) - 1);
	return last != NULL && find_member(last, "Status", &last_status) && same_string(&last_status, &status);
}

/* Have all evaluations of a rule ended, and is there one? */
static bool
rule_ended(JsonbContainer *evaluations, const JsonbValue *rule_name)
{
	bool		ended = false;

	for (int i = 0; i < JsonContainerSize(evaluations); i++)
	{
		JsonbContainer *evaluation = element_of(evaluations, i);
		JsonbValue	name;

		if (evaluation == NULL || !find_member(evaluation, "RuleConfigurationName", &name))
			return false;
		if (!same_string(&name, rule_name))
			continue;
		if (!member_is_one_of(evaluation, "RuleEvaluationStatus", ended_evaluations))
			return false;
		ended = true;
	}
	return ended;
}

/*
 * Have all rules that are configured been evaluated to the end?
 *
 * A record without any evaluations does not tell: it lacks that attribute, as others it may.
 */
static bool
rules_ended(JsonbContainer *record)
{
	JsonbValue	value;
	JsonbContainer *rules;
	JsonbContainer *evaluations;

	/* Both lists, as far as they are there, must be lists, and of a number that can be compared. */
	if (!find_member(record, "DebugRuleConfigurations", &value))
		return true;
	rules = list_of(&value);
	if (rules == NULL || JsonContainerSize(rules) > RULES_MAX)
		return false;
	if (!find_member(record, "DebugRuleEvaluationStatuses", &value))
		return true;
	evaluations = list_of(&value);
	if (evaluations == NULL || JsonContainerSize(evaluations) > RULES_MAX)
		return false;

	/* Each rule has an evaluation that has ended, and none that goes on. */
	for (int i = 0; i < JsonContainerSize(rules); i++)
	{
		JsonbContainer *rule = element_of(rules, i);
		JsonbValue	name;

		if (rule == NULL || !find_member(rule, "RuleConfigurationName", &name) ||
			!rule_ended(evaluations, &name))
			return false;
	}
	return true;
}

/* ----- what must be there ----- */

/* Has the record what a path leads to?  A list without elements counts as absent. */
static bool
has(JsonbContainer *record, const char *path)
{
	JsonbValue	value;

	return find_path(record, path, &value) &&
		(list_of(&value) == NULL || JsonContainerSize(list_of(&value)) > 0);
}

/* Must a record have this attribute? */
static bool
is_expected(JsonbContainer *record, const SmfAttribute *attribute)
{
	JsonbValue	value;

	/* Some attributes belong to a status, or to another attribute. */
	for (int i = 0; i < lengthof(expectations); i++)
	{
		const Expectation *expected = &expectations[i];

		if (strcmp(expected->attribute, attribute->api_name) != 0)
			continue;
		return (expected->status == NULL ||
				(find_member(record, "TrainingJobStatus", &value) && is_text(&value, expected->status))) &&
			(expected->with == NULL || has(record, expected->with));
	}

	/* Others have not always been in Search: of old jobs it may lack what the job has. */
	return attribute->search_since != 0 &&
		(!find_member(record, "CreationTime", &value) || value.type != jbvNumeric ||
		 compare_number(value.val.numeric, attribute->search_since) < 0);
}

/* Does the record, which is of the right version, stand for the document in this attribute? */
static bool
is_proved(JsonbContainer *record, const SmfAttribute *attribute)
{
	JsonbValue	value;
	const char *rest;

	switch (attribute->kind)
	{
		case SMF_KIND_REGION:
		case SMF_KIND_ACCOUNT_ID:
			return true;
		case SMF_KIND_RAW_RESPONSE:
			/* the document itself, which a record is not */
			return false;
		default:
			break;
	}

	/* A member of an attribute goes with it. */
	if (strchr(attribute->api_name, '.') != NULL &&
		!is_proved(record, smf_attribute_by_path(attribute->api_name, &rest)))
		return false;

	if (!find_attribute(record, attribute, &value))
		return !is_expected(record, attribute);
	return is_readable(attribute, &value);
}

/* ----- what others ask ----- */

/*
 * smf_proof_may_ask
 *		May Search be asked for the job of a summary?
 *
 * "date_s" is when the service dated the page of the summary, in epoch seconds; negative
 * when it did not.  What has changed a short while ago Search may not have yet, and of a job
 * whose warm pool may yet change nothing would be proved.
 */
bool
smf_proof_may_ask(JsonbContainer *summary, int64 date_s)
{
	JsonbValue	time;

	if (date_s < 0 || !member_is_one_of(summary, "TrainingJobStatus", ended_statuses) ||
		!warm_pool_ended(summary))
		return false;
	if (!find_member(summary, "LastModifiedTime", &time) || time.type != jbvNumeric ||
		compare_number(time.val.numeric, date_s - MARGIN_S) > 0)
		return false;
	return !find_member(summary, "TrainingEndTime", &time) ||
		(time.type == jbvNumeric && compare_number(time.val.numeric, date_s - MARGIN_S) <= 0);
}

/*
 * smf_proof_same_version
 *		Is the document, which Describe answered, of the version that the summary names?
 *
 * One of both may have its times in whole seconds: the document is the truth in any case,
 * and a comparison that never took place would tell nothing of the record's times.
 */
bool
smf_proof_same_version(JsonbContainer *summary, JsonbContainer *document)
{
	return disagreements(summary, document, same_second) == 0;
}

/*
 * smf_proof_obstacles
 *		Why a record of Search stands for nothing, if it does not: the attributes in which it is
 *		not of the version that the summary names, or may change without another version.
 */
AttributeSet
smf_proof_obstacles(JsonbContainer *summary, JsonbContainer *record)
{
	AttributeSet obstacles = disagreements(summary, record, same_number);

	if (!warm_pool_ended(record))
		obstacles |= smf_attribute_bit(smf_attribute_by_column("warm_pool_status"));
	if (!transitions_complete(record))
		obstacles |= smf_attribute_bit(smf_attribute_by_column("secondary_status_transitions"));
	if (!rules_ended(record))
		obstacles |= smf_attribute_bit(smf_attribute_by_column("debug_rule_evaluation_statuses"));
	return obstacles;
}

/*
 * smf_proof_attributes
 *		The attributes for which a record of Search stands for the document of the job.
 *
 * None when it is not of the version that the summary names, or may change without
 * another version.  Else all of Search's, but for those that it lacks and must have,
 * and those whose columns could not be read.
 */
AttributeSet
smf_proof_attributes(JsonbContainer *summary, JsonbContainer *record)
{
	AttributeSet proved = 0;

	if (smf_proof_obstacles(summary, record) != 0)
		return 0;
	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if (attribute->in_search && is_proved(record, attribute))
			proved |= smf_attribute_bit(attribute);
	}
	return proved;
}

/* Would the column of an attribute read the same in both? */
static bool
reads_same(JsonbContainer *document, JsonbContainer *record, const SmfAttribute *attribute)
{
	JsonbValue	a;
	JsonbValue	b;
	bool		found = find_attribute(document, attribute, &a);

	if (found != find_attribute(record, attribute, &b))
		return false;
	if (!found)
		return true;

	/* Numbers and times are the same by their value, however they are written. */
	if (a.type == jbvNumeric && b.type == jbvNumeric)
	{
		switch (attribute->kind)
		{
			case SMF_KIND_INTEGER:
			case SMF_KIND_LONG:
				return same_number(a.val.numeric, b.val.numeric);
			case SMF_KIND_FLOAT:
				return same_number(a.val.numeric, b.val.numeric) ||
					float_of(a.val.numeric) == float_of(b.val.numeric);
			case SMF_KIND_TIMESTAMP:
				return same_microsecond(a.val.numeric, b.val.numeric);
			default:
				break;
		}
	}

	/* All others are as they are printed, but for the times in a list. */
	if (list_of(&a) != NULL && list_of(&b) != NULL)
		return same_container(&a, &b, attribute->timestamp_members);
	return same_value(&a, &b);
}

/*
 * smf_proof_differences
 *		Of the attributes "compared", those that a column of the attribute's own type would
 *		read differently in document and record.
 *
 * Tags, which a document has not, and what is no attribute of the API are left out.
 */
AttributeSet
smf_proof_differences(JsonbContainer *document, JsonbContainer *record, AttributeSet compared)
{
	AttributeSet differ = 0;

	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if ((compared & smf_attribute_bit(attribute)) != 0 && attribute->kind < SMF_KIND_TAGS &&
			!reads_same(document, record, attribute))
			differ |= smf_attribute_bit(attribute);
	}
	return differ;
}

/*
 * smf_proof_present
 *		The attributes, without tags, that a document or a record has: their columns would not
 *		be NULL.
 */
AttributeSet
smf_proof_present(JsonbContainer *job)
{
	AttributeSet present = 0;
	JsonbValue	value;

	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];

		if (attribute->kind < SMF_KIND_TAGS && find_attribute(job, attribute, &value))
			present |= smf_attribute_bit(attribute);
	}
	return present;
}
