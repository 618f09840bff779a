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
 * What is the same in both, and what a column can read, compare.c says.
 *
 * Whatever is not as it is documented proves nothing.  No value raises an error here,
 * and none that is proved raises one when its column is read: the job is described
 * instead, and what Describe answers is judged when it is read.
 *
 * Not accounted for: a record of the right version with other contents, or without an
 * attribute that the job need not have.  No proof can see that, so jobs are described
 * here and there all the same, and compared with their records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/compare.h"
#include "jobs/proof.h"

/* A job that ended, or was changed, so long ago is in Search as it is in the list. */
#define MARGIN_S 3600

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

/* ----- the version ----- */

/* Has the object a member that is one of these strings? */
static bool
member_is_one_of(JsonbContainer *object, const char *key, const char *const *texts)
{
	JsonbValue	value;

	return smf_jsonb_member(object, key, &value) && smf_jsonb_is_one_of(&value, texts);
}

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
	bool		found = smf_jsonb_member(summary, attribute->api_name, &listed);

	if (found != smf_jsonb_member(other, attribute->api_name, &value))
		/* summaries have had it for a short time only */
		return strcmp(attribute->api_name, "SecondaryStatus") == 0;
	if (!found)
		return !names_version(attribute->api_name);
	if (attribute->kind != SMF_KIND_TIMESTAMP)
		return smf_jsonb_same(&listed, &value);
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

	if (!smf_jsonb_member(record, "WarmPoolStatus", &value))
		return true;
	warm_pool = smf_jsonb_object(&value);
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

	if (!smf_jsonb_member(record, "SecondaryStatus", &status) ||
		!smf_jsonb_member(record, "SecondaryStatusTransitions", &transitions))
		return false;
	list = smf_jsonb_list(&transitions);
	if (list == NULL || JsonContainerSize(list) == 0)
		return false;
	last = smf_jsonb_element(list, JsonContainerSize(list) - 1);
	return last != NULL && smf_jsonb_member(last, "Status", &last_status) && smf_jsonb_same_string(&last_status, &status);
}

/* Have all evaluations of a rule ended, and is there one? */
static bool
rule_ended(JsonbContainer *evaluations, const JsonbValue *rule_name)
{
	bool		ended = false;

	for (int i = 0; i < JsonContainerSize(evaluations); i++)
	{
		JsonbContainer *evaluation = smf_jsonb_element(evaluations, i);
		JsonbValue	name;

		if (evaluation == NULL || !smf_jsonb_member(evaluation, "RuleConfigurationName", &name))
			return false;
		if (!smf_jsonb_same_string(&name, rule_name))
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
	if (!smf_jsonb_member(record, "DebugRuleConfigurations", &value))
		return true;
	rules = smf_jsonb_list(&value);
	if (rules == NULL || JsonContainerSize(rules) > RULES_MAX)
		return false;
	if (!smf_jsonb_member(record, "DebugRuleEvaluationStatuses", &value))
		return true;
	evaluations = smf_jsonb_list(&value);
	if (evaluations == NULL || JsonContainerSize(evaluations) > RULES_MAX)
		return false;

	/* Each rule has an evaluation that has ended, and none that goes on. */
	for (int i = 0; i < JsonContainerSize(rules); i++)
	{
		JsonbContainer *rule = smf_jsonb_element(rules, i);
		JsonbValue	name;

		if (rule == NULL || !smf_jsonb_member(rule, "RuleConfigurationName", &name) ||
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

	return smf_jsonb_path(record, path, &value) &&
		(smf_jsonb_list(&value) == NULL || JsonContainerSize(smf_jsonb_list(&value)) > 0);
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
				(smf_jsonb_member(record, "TrainingJobStatus", &value) && smf_jsonb_is_text(&value, expected->status))) &&
			(expected->with == NULL || has(record, expected->with));
	}

	/* Others have not always been in Search: of old jobs it may lack what the job has. */
	return attribute->search_since != 0 &&
		(!smf_jsonb_member(record, "CreationTime", &value) || value.type != jbvNumeric ||
		 smf_compare_number(value.val.numeric, attribute->search_since) < 0);
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

	if (!smf_jsonb_attribute(record, attribute, &value))
		return !is_expected(record, attribute);
	return smf_jsonb_readable(attribute, &value);
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
	if (!smf_jsonb_member(summary, "LastModifiedTime", &time) || time.type != jbvNumeric ||
		smf_compare_number(time.val.numeric, date_s - MARGIN_S) > 0)
		return false;
	return !smf_jsonb_member(summary, "TrainingEndTime", &time) ||
		(time.type == jbvNumeric && smf_compare_number(time.val.numeric, date_s - MARGIN_S) <= 0);
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
	return disagreements(summary, document, smf_same_second) == 0;
}

/*
 * smf_proof_obstacles
 *		Why a record of Search stands for nothing, if it does not: the attributes in which it is
 *		not of the version that the summary names, or may change without another version.
 */
AttributeSet
smf_proof_obstacles(JsonbContainer *summary, JsonbContainer *record)
{
	AttributeSet obstacles = disagreements(summary, record, smf_same_number);

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
			!smf_jsonb_same_attribute(document, record, attribute))
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

		if (attribute->kind < SMF_KIND_TAGS && smf_jsonb_attribute(job, attribute, &value))
			present |= smf_attribute_bit(attribute);
	}
	return present;
}
