/*-------------------------------------------------------------------------
 *
 * arn.c
 *		The fields of an ARN.
 *
 * Pure.  It only finds the colons; the caller decides which values a field may have.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/arn.h"

#include <string.h>

/*
 * smf_arn_split
 *		Find the fields of an ARN of "len" bytes; returns how many it has.
 *
 * A complete ARN has SMF_ARN_PARTS of them.  Where colons are missing there are fewer,
 * and the other fields are left unchanged.
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
