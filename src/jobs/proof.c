/*-------------------------------------------------------------------------
 *
 * proof.c
 *		Whether a Search record can replace a training job's document.
 *
 * Search lags behind by an unspecified time, and may lack attributes that Describe has.
 * The list does not lag.  So a record replaces the document only if the job ended long
 * enough ago, the record agrees with everything in the list's summary, and the record is
 * consistent in itself; and then only for the attributes that it can be trusted to have
 * completely.
 *
 * compare.c decides which values are equal, and which ones a column can read.
 *
 * Anything that is not as documented proves nothing.  No value raises an error here, and
 * no value that is proved raises one when its column is read.  Otherwise the job is
 * described, and errors in Describe's answer are raised when it is read.
 *
 * Not accounted for: a record of the right version with different contents, or without an
 * optional attribute that the job has.  No proof can detect that, so some jobs are
 * described anyway, and compared with their records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/compare.h"
#include "jobs/proof.h"

/* A job that ended, or was changed, this long ago is the same in Search as in the list. */
#define MARGIN_S 3600

/* The API allows 20 rules; comparing all pairs must not take long. */
#define RULES_MAX 100

/* Statuses of a job that no longer changes by itself. */
static const char *const ended_statuses[] = {"Completed", "Failed", "Stopped", NULL};

/* Statuses of a rule's evaluation, and of a warm pool, that are final. */
static const char *const ended_evaluations[] = {"NoIssuesFound", "IssuesFound", "Error", "Stopped", NULL};
static const char *const ended_warm_pools[] = {"Terminated", "Reused", NULL};

/* Both must have these: they identify the version. */
static const char *const version_members[] = {
	"TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime", "TrainingJobStatus", NULL
};

/* An attribute that the record of certain jobs must have. */
typedef struct Expectation
{
	const char *attribute;		/* what the record must have */
	const char *status;			/* for jobs with this status; NULL: any */
	const char *with;			/* that have this, given as a path; NULL: all of them */
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

/* Does the object have a member that is one of these strings? */
static bool
member_is_one_of(JsonbContainer *object, const char *key, const char *const *texts)
{
	JsonbValue	value;

	return smf_jsonb_member(object, key, &value) && smf_jsonb_is_one_of(&value, texts);
}

/* Is the member one of those that identify a version? */
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

/* Do the summary and "other" have the same value for an attribute? */
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

/*
 * Of the attributes in the list, those whose values differ between the summary and
 * "other".
 */
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

/* Has the warm pool that the job may have left ended? */
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

/* Have all evaluations of the rule ended, and is there at least one? */
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
 * Have all configured rules been evaluated completely?
 *
 * A record without any evaluations says nothing about that: it then lacks the attribute,
 * as it may lack others.
 */
static bool
rules_ended(JsonbContainer *record)
{
	JsonbValue	value;
	JsonbContainer *rules;
	JsonbContainer *evaluations;

	/* If present, both must be lists, short enough to be compared. */
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

	/* Each rule must have an evaluation, and all its evaluations must have ended. */
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

/* ----- required attributes ----- */

/* Does the record have what the path leads to?  An empty list counts as absent. */
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

	/* Some attributes depend on a status, or on another attribute. */
	for (int i = 0; i < lengthof(expectations); i++)
	{
		const Expectation *expected = &expectations[i];

		if (strcmp(expected->attribute, attribute->api_name) != 0)
			continue;
		return (expected->status == NULL ||
				(smf_jsonb_member(record, "TrainingJobStatus", &value) && smf_jsonb_is_text(&value, expected->status))) &&
			(expected->with == NULL || has(record, expected->with));
	}

	/* Others were added to Search later: its records of older jobs may lack them. */
	return attribute->search_since != 0 &&
		(!smf_jsonb_member(record, "CreationTime", &value) || value.type != jbvNumeric ||
		 smf_compare_number(value.val.numeric, attribute->search_since) < 0);
}

/* Can the record, which has the right version, replace the document for this attribute? */
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

	/* A member of an attribute depends on that attribute. */
	if (strchr(attribute->api_name, '.') != NULL &&
		!is_proved(record, smf_attribute_by_path(attribute->api_name, &rest)))
		return false;

	if (!smf_jsonb_attribute(record, attribute, &value))
		return !is_expected(record, attribute);
	return smf_jsonb_readable(attribute, &value);
}

/* ----- questions that other files ask ----- */

/*
 * smf_proof_may_ask
 *		May Search be asked for the job of a summary?
 *
 * "date_s" is the service's date of the summary's page, in epoch seconds; negative if
 * unknown.  Search may not have recent changes yet, and nothing could be proved about a
 * job whose warm pool may still change.
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
 *		Does the document, the answer of Describe, have the version that the summary
 *		names?
 *
 * One of the two may have its times in whole seconds.  The document is right in any case,
 * and without a comparison differences in the record's times would not be found.
 */
bool
smf_proof_same_version(JsonbContainer *summary, JsonbContainer *document)
{
	return disagreements(summary, document, smf_same_second) == 0;
}

/*
 * smf_proof_obstacles
 *		Why a Search record cannot replace anything, if it cannot: the attributes in
 *		which it is not of the version that the summary names, or which may change
 *		without a new version.
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
 *		The attributes for which a Search record can replace the job's document.
 *
 * There are none if it is not of the version that the summary names, or may change
 * without a new version.  Otherwise all attributes that Search has, except those that it
 * lacks but must have, and those whose columns could not be read.
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
 *		Those of the attributes "compared" that a column of the attribute's own type
 *		would show differently for document and record.
 *
 * Tags, which a document does not have, and anything that is not an attribute of the API
 * are left out.
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
 *		The attributes, except tags, that a document or a record has, so that their
 *		columns would not be NULL.
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
