/*-------------------------------------------------------------------------
 *
 * job_name.c
 *		The format of job names and ARNs.
 *
 * Not accounted for: whether such a job exists.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/arn.h"
#include "aws/ascii.h"
#include "jobs/job_name.h"

/* Longest name of a training job, and of a tuning job. */
#define NAME_LENGTH_MAX 63
#define TUNING_NAME_LENGTH_MAX 32

static bool
name_valid(const char *name, size_t longest)
{
	size_t		len = strlen(name);

	if (len < 1 || len > longest)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bool		inside = i > 0 && i < len - 1;

		if (!smf_is_alphanumeric(name[i]) && !(inside && name[i] == '-'))
			return false;
	}
	return true;
}

/*
 * smf_training_job_name_valid
 *		Can a training job have this name?  It consists of 1 to 63 letters, digits and
 *		hyphens, and does not begin or end with a hyphen (the API's pattern).
 */
bool
smf_training_job_name_valid(const char *name)
{
	return name_valid(name, NAME_LENGTH_MAX);
}

static bool
field_is(const ArnField *field, const char *text)
{
	return field->len == strlen(text) && memcmp(field->text, text, field->len) == 0;
}

/*
 * What follows "type" in arn:{partition}:sagemaker:{region}:{account}:{type}{name}; NULL
 * if the ARN does not have that form, or belongs to another region or account.
 */
static const char *
arn_resource(const char *arn, const char *region, const char *account_id, const char *type)
{
	ArnField	fields[SMF_ARN_PARTS];
	const char *resource;

	if (smf_arn_split(arn, strlen(arn), fields) < SMF_ARN_PARTS ||
		!field_is(&fields[SMF_ARN_PREFIX], "arn") ||
		!field_is(&fields[SMF_ARN_SERVICE], "sagemaker") ||
		!field_is(&fields[SMF_ARN_REGION], region) ||
		(account_id != NULL && !field_is(&fields[SMF_ARN_ACCOUNT], account_id)))
		return NULL;
	/* the last field ends where the ARN does */
	resource = fields[SMF_ARN_RESOURCE].text;
	return strncmp(resource, type, strlen(type)) == 0 ? resource + strlen(type) : NULL;
}

/*
 * smf_training_job_arn_name
 *		The name in the ARN of a training job in the region and account (NULL: any
 *		account), palloc'ed; NULL if no training job there can have the ARN.
 */
char *
smf_training_job_arn_name(const char *arn, const char *region, const char *account_id)
{
	const char *name = arn_resource(arn, region, account_id, "training-job/");

	return name != NULL && name_valid(name, NAME_LENGTH_MAX) ? pstrdup(name) : NULL;
}

/* The same for a hyperparameter tuning job. */
char *
smf_tuning_job_arn_name(const char *arn, const char *region, const char *account_id)
{
	const char *name = arn_resource(arn, region, account_id, "hyper-parameter-tuning-job/");

	return name != NULL && name_valid(name, TUNING_NAME_LENGTH_MAX) ? pstrdup(name) : NULL;
}

/* Do both ARNs have the same partition, service, region and account? */
bool
smf_same_account_arn(const char *arn, const char *other)
{
	ArnField	fields[SMF_ARN_PARTS];
	size_t		begin;			/* of the resource */

	if (smf_arn_split(arn, strlen(arn), fields) < SMF_ARN_PARTS)
		return false;
	begin = fields[SMF_ARN_RESOURCE].text - arn;
	return strncmp(arn, other, begin) == 0;
}
