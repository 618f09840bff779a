/*-------------------------------------------------------------------------
 *
 * name_fuzz.c
 *		Names and ARNs of jobs.
 *
 * Input: a region, a name or an ARN, and another ARN, each up to a NUL.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/endpoint.h"
#include "jobs/job_name.c"

/* ^[a-zA-Z0-9](-*[a-zA-Z0-9])*$, and no longer than that */
static bool
is_name(const char *text, size_t longest)
{
	static const char alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *at = text;

	if (strlen(text) > longest || strspn(at, alphanumeric) == 0)
		return false;
	while (*at != '\0')
	{
		at += strspn(at, alphanumeric);
		if (*at == '\0')
			return true;
		if (*at != '-')
			return false;
		at += strspn(at, "-");
	}
	return false;
}

/* Take the ARN of a job apart, and compare it with what its parts make. */
static void
check_arn(const char *arn, const char *region, const char *type, size_t longest, const char *name)
{
	const char *partition = strncmp(arn, "arn:", 4) == 0 ? arn + 4 : NULL;
	const char *account;
	const char *expected;
	bool		is_arn = false;

	if (partition != NULL && strchr(partition, ':') != NULL)
	{
		expected = psprintf(":sagemaker:%s:", region);
		account = strchr(partition, ':');
		if (strncmp(account, expected, strlen(expected)) == 0)
		{
			account += strlen(expected);
			expected = psprintf(":%s/", type);
			is_arn = strchr(account, ':') != NULL &&
				strncmp(strchr(account, ':'), expected, strlen(expected)) == 0;
			if (is_arn)
			{
				expected = strchr(account, ':') + strlen(expected);
				FUZZ_CHECK(is_name(expected, longest) == (name != NULL));
				FUZZ_CHECK(name == NULL || strcmp(expected, name) == 0);
			}
		}
	}
	if (!is_arn)
		FUZZ_CHECK(name == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};
	char	   *region = fuzz_string(&input);
	char	   *text = fuzz_string(&input);
	char	   *other = fuzz_string(&input);
	char	   *arn;

	FUZZ_CHECK(smf_training_job_name_valid(text) == is_name(text, 63));
	/* a region that may stand in an ARN */
	if (smf_region_valid(region))
	{
		check_arn(text, region, "training-job", 63, smf_training_job_arn_name(text, region, NULL));
		check_arn(text, region, "hyper-parameter-tuning-job", 32, smf_tuning_job_arn_name(text, region, NULL));
		arn = psprintf("arn:aws:sagemaker:%s:123456789012:training-job/%s", region, text);
		check_arn(arn, region, "training-job", 63, smf_training_job_arn_name(arn, region, NULL));
		FUZZ_CHECK(smf_same_account_arn(arn, arn));
	}
	FUZZ_CHECK(smf_same_account_arn(text, other) == smf_same_account_arn(other, text));
	fuzz_reset();
	return 0;
}
