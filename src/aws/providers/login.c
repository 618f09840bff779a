/*-------------------------------------------------------------------------
 *
 * login.c
 *		Profiles signed in with "aws login", which cannot be used here.
 *
 * Their sessions last for hours, and are renewed in a browser on the machine where they
 * were started: a database cannot depend on that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/providers/provider.h"

/* Raises an error for a profile with login_session. */
ProviderResult
smf_provide_login(ProviderContext *context, const char *profile)
{
	if (smf_profile_get(context, profile, "login_session") == NULL)
		return SMF_NOT_SET_UP;
	smf_provider_fail(context, psprintf("Profile \"%s\" is signed in with \"aws login\", whose sessions cannot be used here.",
										profile),
					  psprintf("Use \"aws sso login\", a role, or the keys that \"aws configure export-credentials --profile %s\" prints, in the user mapping.",
							   profile));
}
