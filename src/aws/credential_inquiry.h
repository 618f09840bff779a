/*-------------------------------------------------------------------------
 *
 * credential_inquiry.h
 *		Asks for the keys that calls are signed with, and for the account they belong
 *		to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CREDENTIAL_INQUIRY_H
#define SMF_CREDENTIAL_INQUIRY_H

#include "aws/credentials.h"
#include "utils/palloc.h"

/* Settings other than keys in the database server's own AWS configuration. */
typedef struct AmbientSettings
{
	char	   *region;			/* palloc'ed; NULL: not set */
	char	   *endpoint_url;	/* for SageMaker; the same */
} AmbientSettings;

typedef struct CredentialInquiry CredentialInquiry;

/* It has ended; under HttpDone's rules. */
typedef void (*CredentialsEnded) (CredentialInquiry *inquiry, void *arg);

extern CredentialInquiry *smf_credential_inquiry_begin(MemoryContext parent, const CredentialConfig *config,
													   const CredentialNetwork *network,
													   CredentialsEnded ended, void *arg);
extern void smf_credential_inquiry_start(CredentialInquiry *inquiry);
extern bool smf_credential_inquiry_ended(const CredentialInquiry *inquiry);
extern int	smf_credential_inquiry_sqlerrcode(const CredentialInquiry *inquiry);
extern void smf_credential_inquiry_raise(const CredentialInquiry *inquiry);
extern void smf_credential_inquiry_log(const CredentialInquiry *inquiry);
extern void smf_credential_inquiry_take(CredentialInquiry *inquiry, AwsCredentials *credentials,
										int64 *clock_offset_s);
extern void smf_credential_inquiry_free(CredentialInquiry *inquiry);

extern char *smf_credentials_account(const CredentialConfig *config, const CredentialNetwork *network,
									 const AwsCredentials *credentials, bool *refused);
extern void smf_credentials_settings(const CredentialConfig *config, AmbientSettings *settings);

#endif							/* SMF_CREDENTIAL_INQUIRY_H */
