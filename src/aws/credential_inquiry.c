/*-------------------------------------------------------------------------
 *
 * credential_inquiry.c
 *		Asks for the keys that calls are signed with, and for the account they belong
 *		to.
 *
 * The keys are the user mapping's own, or else those of the database server's own
 * identity (providers/chain.c).  If the mapping names a role, it is then assumed with
 * these.
 *
 * Not accounted for: whether a role may use the server's own identity, and when to ask
 * for keys again; session.c decides both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/arn.h"
#include "aws/credential_inquiry.h"
#include "aws/providers/provider.h"

struct CredentialInquiry
{
	Inquiry    *inquiry;		/* this struct lives in its memory */
	MemoryContextCallback callback; /* overwrites the fields below */
	CredentialsEnded ended;
	void	   *arg;			/* passed to it */
	const CredentialConfig *config; /* belongs to the caller */
	CredentialNetwork network;	/* its strings belong to this inquiry */
	ProviderContext context;	/* its inquiry is NULL before the first run */
	AwsCredentials with;		/* used to assume a role, or the result if there is no role */
	AwsCredentials credentials; /* the result */
};

/* Memory context callback: overwrite what was read from files, and what was provided. */
static void
inquiry_gone(void *arg)
{
	CredentialInquiry *asked = arg;

	smf_provider_end(&asked->context);
	smf_credentials_clear(&asked->with);
	smf_credentials_clear(&asked->credentials);
}

/*
 * Read the files for an inquiry, unless that was done before.  They live in the inquiry's
 * memory.
 */
static void
begin_inquiry(Inquiry *inquiry, ProviderContext *context, const CredentialConfig *config,
			  const CredentialNetwork *network)
{
	MemoryContext old;

	if (context->inquiry != NULL)
		return;
	old = MemoryContextSwitchTo(smf_inquiry_context(inquiry));
	smf_provider_begin(context, config, network);
	context->inquiry = inquiry;
	MemoryContextSwitchTo(old);
}

/* What to do about keys in the user mapping that are refused, palloc'ed. */
static char *
mapping_remedy(const CredentialConfig *config)
{
	const char *token = "";

	if (config->session_token != NULL)
		token = smf_key_is(config->access_key_id, SMF_LASTING_KEY) ?
			", DROP aws_session_token" : ", SET aws_session_token '...'";
	return psprintf("ALTER USER MAPPING %s OPTIONS (SET aws_access_key_id '...', SET aws_secret_access_key '...'%s);",
					config->mapping_clause, token);
}

/* Get credentials; false: there is no answer yet.  See InquiryRun. */
static bool
resolve(Inquiry *inquiry, void *arg)
{
	CredentialInquiry *asked = arg;
	const CredentialConfig *config = asked->config;
	RoleRequest request = {0};
	ProviderResult result = SMF_PROVIDED;

	/* the files are read once, so that each run sees the same contents */
	begin_inquiry(inquiry, &asked->context, config, &asked->network);

	if (config->access_key_id != NULL)
		smf_provider_keep(&asked->with, "the user mapping", mapping_remedy(config),
						  config->access_key_id, config->secret_access_key, config->session_token);
	else
		result = smf_provide_ambient(&asked->context, &asked->with);
	if (result == SMF_ASKED)
		return false;

	if (config->role_arn == NULL || config->web_identity_token_file != NULL)
	{
		asked->credentials = asked->with;
		memset(&asked->with, 0, sizeof(AwsCredentials));
		return true;
	}
	request.role_arn = config->role_arn;
	request.external_id = config->external_id;
	request.session_name = config->role_session_name;
	request.duration_seconds = config->duration_seconds;
	return smf_sts_assume_role(&asked->context, &asked->with, &request, &asked->credentials) == SMF_PROVIDED;
}

static CredentialNetwork
copy_network(const CredentialNetwork *network)
{
	CredentialNetwork copy = *network;

	copy.region = smf_copy_string(network->region);
	copy.network = smf_network_copy(&network->network);
	return copy;
}

static void
resolved(Inquiry *inquiry, void *arg)
{
	CredentialInquiry *asked = arg;

	asked->ended(asked, asked->arg);
}

/*
 * smf_credential_inquiry_begin
 *		Prepare to ask for credentials, in a memory context below "parent".
 *
 * "config" must outlive the inquiry; "network" is copied.  "ended" is called when there
 * are credentials, or an error that says why there are none: 28000, or 08001 or 53000 if
 * their source does not answer at all or for now.
 */
CredentialInquiry *
smf_credential_inquiry_begin(MemoryContext parent, const CredentialConfig *config,
							 const CredentialNetwork *network, CredentialsEnded ended, void *arg)
{
	CredentialInquiry *asked;
	Inquiry    *inquiry = smf_inquiry_begin(parent, resolve, resolved, sizeof(CredentialInquiry));
	MemoryContext old;

	asked = smf_inquiry_arg(inquiry);
	asked->inquiry = inquiry;
	asked->ended = ended;
	asked->arg = arg;
	asked->config = config;
	old = MemoryContextSwitchTo(smf_inquiry_context(inquiry));
	asked->network = copy_network(network);
	MemoryContextSwitchTo(old);
	asked->callback.func = inquiry_gone;
	asked->callback.arg = asked;
	MemoryContextRegisterResetCallback(smf_inquiry_context(inquiry), &asked->callback);
	return asked;
}

/* Start.  If nobody needs to be asked, the inquiry has ended when this returns. */
void
smf_credential_inquiry_start(CredentialInquiry *asked)
{
	smf_inquiry_start(asked->inquiry);
}

/* Has it ended, in success or failure? */
bool
smf_credential_inquiry_ended(const CredentialInquiry *asked)
{
	return smf_inquiry_ended(asked->inquiry);
}

/* The SQLSTATE of the failure, as errcode packs it; 0: it succeeded or is still running. */
int
smf_credential_inquiry_sqlerrcode(const CredentialInquiry *asked)
{
	return smf_inquiry_sqlerrcode(asked->inquiry);
}

/* Raise the failure, if there is one. */
void
smf_credential_inquiry_raise(const CredentialInquiry *asked)
{
	smf_inquiry_raise(asked->inquiry);
}

/*
 * Log why there are none, when no query fails because of it.  Call this only after a
 * failure.
 */
void
smf_credential_inquiry_log(const CredentialInquiry *asked)
{
	ereport(LOG,
			(errmsg("could not renew the AWS credentials for server \"%s\"; calls go on with the old ones",
					asked->config->server_name),
			 errdetail_internal("%s", smf_inquiry_problem(asked->inquiry)),
			 errhidestmt(true),
			 errhidecontext(true)));
}

/*
 * smf_credential_inquiry_take
 *		Move the result into "credentials", which must be empty.
 *
 * *clock_offset_s is set if the inquiry has learnt the services' clock; otherwise it is
 * left as calls may have set it in the meantime.
 */
void
smf_credential_inquiry_take(CredentialInquiry *asked, AwsCredentials *credentials, int64 *clock_offset_s)
{
	*credentials = asked->credentials;
	memset(&asked->credentials, 0, sizeof(AwsCredentials));
	if (asked->context.clock_offset_s != asked->network.clock_offset_s)
		*clock_offset_s = asked->context.clock_offset_s;
}

/* Abort what is under way, and free the inquiry.  Raises no error. */
void
smf_credential_inquiry_free(CredentialInquiry *asked)
{
	smf_inquiry_free(asked->inquiry);
}

/* ----- the account of credentials ----- */

/* An inquiry about the account of credentials. */
typedef struct AccountInquiry
{
	MemoryContextCallback callback; /* overwrites what was read from files */
	const CredentialConfig *config;
	CredentialNetwork network;
	const AwsCredentials *credentials;
	MemoryContext caller;		/* context for the answer */
	ProviderContext context;	/* its inquiry is NULL before the first run */
	bool	   *refused;		/* belongs to the caller; or NULL */
	char	   *account;		/* palloc'ed in "caller" */
} AccountInquiry;

/* Memory context callback. */
static void
account_gone(void *arg)
{
	smf_provider_end(&((AccountInquiry *) arg)->context);
}

/* See InquiryRun. */
static bool
find_account(Inquiry *inquiry, void *arg)
{
	AccountInquiry *asked = arg;
	char	   *account;

	begin_inquiry(inquiry, &asked->context, asked->config, &asked->network);
	account = smf_sts_caller_account(&asked->context, asked->credentials, asked->refused);
	if (account != NULL)
		asked->account = MemoryContextStrdup(asked->caller, account);
	return account != NULL || (asked->refused != NULL && *asked->refused);
}

/*
 * smf_credentials_account
 *		The AWS account that the credentials belong to, palloc'ed.
 *
 * It is the account of the role assumed last, if the mapping names one; otherwise this
 * asks STS and waits for the answer.  Raises 28000 when STS refuses, 08001 when it does
 * not answer.  If "refused" is not NULL and STS refuses the credentials, that is not an
 * error: *refused is set, and NULL returned.
 */
char *
smf_credentials_account(const CredentialConfig *config, const CredentialNetwork *network,
						const AwsCredentials *credentials, bool *refused)
{
	ArnField	field;
	char	   *account;
	Inquiry    *inquiry;
	AccountInquiry *asked;

	if (config->role_arn != NULL && smf_arn_account(config->role_arn, &field))
		return pnstrdup(field.text, field.len);
	inquiry = smf_inquiry_begin(CurrentMemoryContext, find_account, NULL, sizeof(AccountInquiry));
	asked = smf_inquiry_arg(inquiry);
	asked->config = config;
	asked->network = *network;
	asked->credentials = credentials;
	asked->refused = refused;
	asked->caller = CurrentMemoryContext;
	asked->callback.func = account_gone;
	asked->callback.arg = asked;
	MemoryContextRegisterResetCallback(smf_inquiry_context(inquiry), &asked->callback);
	smf_inquiry_start(inquiry);
	smf_inquiry_wait(inquiry);
	account = asked->account;
	smf_inquiry_free(inquiry);
	return account;
}

static void
read_settings(const CredentialConfig *config, ProviderContext *context, AmbientSettings *settings)
{
	smf_provider_begin(context, config, NULL);
	settings->region = smf_provider_region(context);
	settings->endpoint_url = smf_configured_endpoint(context, "sagemaker", "SAGEMAKER");
}

/*
 * smf_credentials_settings
 *		What else the database server's own AWS configuration sets: region and
 *		endpoint.
 */
void
smf_credentials_settings(const CredentialConfig *config, AmbientSettings *settings)
{
	ProviderContext context = {0};

	memset(settings, 0, sizeof(AmbientSettings));
	PG_TRY();
	{
		read_settings(config, &context, settings);
	}
	PG_CATCH();
	{
		smf_provider_end(&context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_provider_end(&context);
}
