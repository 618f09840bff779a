/*-------------------------------------------------------------------------
 *
 * arn.h
 *		The fields of an ARN.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ARN_H
#define SMF_ARN_H

#include <stdbool.h>
#include <stddef.h>

/* The fields: arn:partition:service:region:account:resource. */
typedef enum ArnPart
{
	SMF_ARN_PREFIX,
	SMF_ARN_PARTITION,
	SMF_ARN_SERVICE,
	SMF_ARN_REGION,
	SMF_ARN_ACCOUNT,
	SMF_ARN_RESOURCE			/* all the rest, which may contain colons */
} ArnPart;

#define SMF_ARN_PARTS (SMF_ARN_RESOURCE + 1)

/* One field; points into the ARN. */
typedef struct ArnField
{
	const char *text;			/* not NUL-terminated */
	size_t		len;			/* in bytes */
} ArnField;

extern int	smf_arn_split(const char *arn, size_t len, ArnField fields[SMF_ARN_PARTS]);
extern bool smf_arn_account(const char *arn, ArnField *account);

#endif							/* SMF_ARN_H */
