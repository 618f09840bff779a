/*-------------------------------------------------------------------------
 *
 * arn.c
 *		The fields of an ARN.
 *
 * Pure.  It only finds the colons: what a field may hold is for the caller to judge.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/arn.h"

#include <string.h>

/*
 * smf_arn_split
 *		Find the fields of an ARN of "len" bytes; returns how many it has.
 *
 * All SMF_ARN_PARTS of them in a whole ARN, fewer where colons are missing; the others
 * are left as they are.
 */
int
smf_arn_split(const char *arn, size_t len, ArnField fields[SMF_ARN_PARTS])
{
	const char *end = arn + len;

	for (int i = 0; i < SMF_ARN_RESOURCE; i++)
	{
		const char *colon = memchr(arn, ':', end - arn);

		fields[i].text = arn;
		fields[i].len = (colon ? colon : end) - arn;
		if (colon == NULL)
			return i + 1;
		arn = colon + 1;
	}
	fields[SMF_ARN_RESOURCE].text = arn;
	fields[SMF_ARN_RESOURCE].len = end - arn;
	return SMF_ARN_PARTS;
}

/*
 * smf_arn_account
 *		The account in an ARN; false when there is none.
 */
bool
smf_arn_account(const char *arn, ArnField *account)
{
	ArnField	fields[SMF_ARN_PARTS];

	if (smf_arn_split(arn, strlen(arn), fields) <= SMF_ARN_ACCOUNT)
		return false;
	*account = fields[SMF_ARN_ACCOUNT];
	return account->len > 0;
}
