/*-------------------------------------------------------------------------
 *
 * credentials.h
 *		Asking for the keys that calls are signed with, and whose account they are of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CREDENTIALS_H
#define SMF_CREDENTIALS_H

#include "aws/keys.h"
#include "utils/palloc.h"

/* What the database server's own configuration says of more than keys. */
typedef struct AmbientSettings
{
	char	   *region;			/* palloc'ed; NULL: nothing is said */
	char	   *endpoint_url;	/* of SageMaker; the same */
} AmbientSettings;

typedef struct CredentialInquiry CredentialInquiry;

/* It has ended; under HttpDone's rules. */
typedef void (*CredentialsEnded) (CredentialInquiry *inquiry, void *arg);

extern CredentialInquiry *smf_credentials_ask(MemoryContext parent, const CredentialConfig *config,
											  const CredentialNetwork *network,
											  CredentialsEnded ended, void *arg);
extern void smf_credentials_start(CredentialInquiry *inquiry);
extern bool smf_credentials_ended(const CredentialInquiry *inquiry);
extern int	smf_credentials_sqlerrcode(const CredentialInquiry *inquiry);
extern void smf_credentials_raise(const CredentialInquiry *inquiry);
extern void smf_credentials_log(const CredentialInquiry *inquiry);
extern void smf_credentials_take(CredentialInquiry *inquiry, AwsCredentials *credentials,
								 int64 *clock_offset_s);
extern void smf_credentials_free(CredentialInquiry *inquiry);

extern char *smf_credentials_account(const CredentialConfig *config, const CredentialNetwork *network,
									 const AwsCredentials *credentials, bool *refused);
extern bool smf_credentials_refreshable(const CredentialConfig *config);
extern void smf_credentials_settings(const CredentialConfig *config, AmbientSettings *settings);

#endif							/* SMF_CREDENTIALS_H */
