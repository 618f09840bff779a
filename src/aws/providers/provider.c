/*-------------------------------------------------------------------------
 *
 * provider.c
 *		What the sources of credentials share: profiles, files, documents, errors.
 *
 * The environment and the files are those of the database server's own process.
 *
 * Secrets are overwritten in place.  Not accounted for: copies that Postgres's JSON
 * parser makes, and its catalog caches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "aws/ascii.h"
#include "aws/endpoint.h"
#include "aws/expiry.h"
#include "aws/json.h"
#include "aws/providers/provider.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* Largest file that is read, in bytes. */
#define FILE_SIZE_MAX (1024 * 1024)

/* Largest answer from a source of credentials, in bytes. */
#define ANSWER_SIZE_MAX (256 * 1024)

/*
 * smf_environment
 *		An environment variable; NULL if it is not set, or empty.
 */
const char *
smf_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A secret in memory. */
typedef struct Secret
{
	MemoryContextCallback callback; /* overwrites it */
	char	   *text;
	size_t		len;
} Secret;

/* Memory context callback: raises no error. */
static void
secret_gone(void *arg)
{
	Secret	   *secret = arg;

	OPENSSL_cleanse(secret->text, secret->len);
}

/*
 * smf_secret
 *		Have a string in the current memory context overwritten when that is deleted or
 *		reset, for whatever reason.  Returns the string; NULL is ignored.
 */
char *
smf_secret(char *secret)
{
	Secret	   *kept;

	if (secret == NULL)
		return NULL;
	kept = palloc0(sizeof(Secret));
	kept->text = secret;
	kept->len = strlen(secret);
	kept->callback.func = secret_gone;
	kept->callback.arg = kept;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &kept->callback);
	return secret;
}

/* A header line with a secret in it; the line is treated as a secret itself. */
char *
smf_secret_header(const char *name, const char *secret)
{
	size_t		size = strlen(name) + 2 + strlen(secret) + 1;
	char	   *line = palloc(size);

	snprintf(line, size, "%s: %s", name, secret);
	return smf_secret(line);
}

/*
 * smf_append_encoded
 *		Append a text, percent-encoded for a form or a URL's query.
 */
void
smf_append_encoded(StringInfo to, const char *text)
{
	for (; *text; text++)
	{
		if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
			(*text >= 'A' && *text <= 'Z') || strchr("-_.~", *text) != NULL)
			appendStringInfoChar(to, *text);
		else
			appendStringInfo(to, "%%%02X", (unsigned char) *text);
	}
}

/* A path with ~ replaced by the home directory of the server's user, palloc'ed. */
static char *
expand_home(const char *path)
{
	const char *home = smf_environment("HOME");
	struct passwd *user;

	if (path[0] != '~' || (path[1] != '/' && path[1] != '\0'))
		return pstrdup(path);
	if (home == NULL)
	{
		user = getpwuid(geteuid());
		home = user ? user->pw_dir : "";
	}
	return psprintf("%s%s", home, path + 1);
}

/*
 * smf_provider_read_file
 *		A file's bytes, palloc'ed with a NUL after them; NULL, with errno, if it cannot
 *		be read, and EFBIG if it is too large.
 */
char *
smf_provider_read_file(const char *path, size_t *len)
{
	char	   *expanded = expand_home(path);
	int			fd = OpenTransientFile(expanded, O_RDONLY | PG_BINARY | O_NONBLOCK);
	struct stat status;
	char	   *text;
	ssize_t		got;
	int			save_errno;

	pfree(expanded);
	if (fd < 0)
		return NULL;

	/* Anything but a regular file might never end. */
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX)
	{
		CloseTransientFile(fd);
		errno = S_ISREG(status.st_mode) ? EFBIG : S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}

	/* Read it; the size may differ from what fstat said. */
	text = palloc(FILE_SIZE_MAX + 1);
	*len = 0;
	while ((got = read(fd, text + *len, FILE_SIZE_MAX - *len)) > 0)
		*len += got;
	save_errno = errno;
	CloseTransientFile(fd);
	if (got < 0)
	{
		pfree(text);
		errno = save_errno;
		return NULL;
	}
	text[*len] = '\0';
	return text;
}

/* Read one of the two files; one that does not exist or cannot be read counts as empty. */
static void
read_config(ProviderContext *context, const char *path, ConfigFile *file)
{
	size_t		len;
	char	   *text = smf_provider_read_file(path, &len);
	int			line;
	ConfigProblem problem;

	if (text == NULL)
	{
		if (errno != ENOENT && errno != ENOTDIR)
			context->unreadable = path;
		return;
	}
	problem = smf_config_parse(text, len, file, &line);
	OPENSSL_cleanse(text, len);
	pfree(text);
	if (problem != SMF_CONFIG_OK)
	{
		smf_provider_end(context);
		if (!superuser_arg(GetOuterUserId()))
			smf_provider_fail(context, "An AWS file of the database server cannot be read.",
							  smf_provider_files(context));
		smf_provider_fail(context, psprintf("Line %d of the file \"%s\" %s.", line, path, smf_config_problem(problem)),
						  "Correct that line: files are read as the AWS CLI reads them, in UTF-8.");
	}
}

/* Where a file is: where the environment says, or below the home directory. */
static char *
path_of(const char *variable, const char *path)
{
	const char *given = smf_environment(variable);

	return expand_home(given ? given : path);
}

/*
 * smf_provider_files
 *		Which files are read, and by which user: a sentence, palloc'ed.
 */
char *
smf_provider_files(const ProviderContext *context)
{
	struct passwd *user = getpwuid(geteuid());

	if (!superuser_arg(GetOuterUserId()))
		return pstrdup("A superuser is told which files are read.");
	if (context->unreadable != NULL)
		return psprintf("The file \"%s\" cannot be read by the operating system user \"%s\".",
						context->unreadable, user ? user->pw_name : "?");
	return psprintf("The files \"%s\" and \"%s\" are read, as the operating system user \"%s\".",
					context->config_path, context->credentials_path, user ? user->pw_name : "?");
}

/*
 * smf_provider_begin
 *		Read the files and find out which profile to use.  "network" is NULL if no
 *		requests will be sent.  The caller calls smf_provider_end, even after an error.
 */
void
smf_provider_begin(ProviderContext *context, const CredentialConfig *config,
				   const CredentialNetwork *network)
{
	const char *named = config->profile;

	memset(context, 0, sizeof(ProviderContext));
	context->config = config;
	if (network != NULL)
	{
		context->network = network;
		context->clock_offset_s = network->clock_offset_s;
		context->target.network = network->network.http;
		context->target.max_response_size = ANSWER_SIZE_MAX;
		/* a source that hangs must not take up a connection that a call could use */
		context->target.apart = true;
	}
	if (!config->ambient)
		return;

	if (named == NULL)
		named = smf_environment("AWS_PROFILE");
	if (named == NULL)
		named = smf_environment("AWS_DEFAULT_PROFILE");
	context->profile_wanted = named != NULL;
	context->profile = named ? named : "default";
	context->config_path = path_of("AWS_CONFIG_FILE", "~/.aws/config");
	context->credentials_path = path_of("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
	read_config(context, context->config_path, &context->config_file);
	read_config(context, context->credentials_path, &context->credentials_file);
}

/* Overwrite what was read.  Raises no error. */
void
smf_provider_end(ProviderContext *context)
{
	smf_config_free(&context->config_file);
	smf_config_free(&context->credentials_file);
}

/*
 * smf_profile_exists
 *		Does one of the two files have a section for the profile?
 */
bool
smf_profile_exists(const ProviderContext *context, const char *profile)
{
	return smf_config_has(&context->config_file, "profile", profile) ||
		smf_config_has(&context->credentials_file, NULL, profile);
}

/* A setting of a profile: the credentials file takes precedence. */
const char *
smf_profile_get(const ProviderContext *context, const char *profile, const char *key)
{
	const char *value = smf_config_get(&context->credentials_file, NULL, profile, key);

	return value ? value : smf_config_get(&context->config_file, "profile", profile, key);
}

/* The region for credential requests, palloc'ed; NULL if none is set. */
char *
smf_provider_region(const ProviderContext *context)
{
	const char *region = context->network ? context->network->region : NULL;

	if (region == NULL && context->config->ambient)
		region = smf_environment("AWS_REGION");
	if (region == NULL && context->config->ambient)
		region = smf_environment("AWS_DEFAULT_REGION");
	if (region == NULL && context->config->ambient)
		region = smf_profile_get(context, context->profile, "region");
	return region ? pstrdup(region) : NULL;
}

/*
 * smf_configured_endpoint
 *		The URL that the environment or the profile sets for a service, palloc'ed; NULL
 *		if none is set.  "service" is its name in a profile's services, "variable" its
 *		name at the end of AWS_ENDPOINT_URL_.
 */
char *
smf_configured_endpoint(const ProviderContext *context, const char *service, const char *variable)
{
	const char *url;
	const char *services;
	const char *settings;
	const char *ignore = smf_environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	char		nested[SMF_URL_SIZE];

	if (ignore == NULL && context->config->ambient)
		ignore = smf_profile_get(context, context->profile, "ignore_configured_endpoint_urls");
	if (ignore != NULL && pg_strcasecmp(ignore, "true") == 0)
		return NULL;
	url = smf_environment(psprintf("AWS_ENDPOINT_URL_%s", variable));
	if (url == NULL)
		url = smf_environment("AWS_ENDPOINT_URL");
	if (url != NULL)
		return pstrdup(url);
	if (!context->config->ambient)
		return NULL;
	services = smf_profile_get(context, context->profile, "services");
	settings = services ? smf_config_get(&context->config_file, "services", services, service) : NULL;
	if (settings != NULL && smf_config_nested(settings, "endpoint_url", nested, sizeof(nested)))
		return pstrdup(nested);
	url = smf_profile_get(context, context->profile, "endpoint_url");
	return url ? pstrdup(url) : NULL;
}

/*
 * smf_provider_keep
 *		Fill in what a source has provided; the strings are copied.
 *
 * "source" is a constant, "remedy" says what to do when the service refuses the keys.
 * The keys do not expire, unless smf_provider_expires says so afterwards.  Raises 28000
 * if the strings cannot be sent: a line break in one would begin another header.
 */
void
smf_provider_keep(AwsCredentials *credentials, const char *source, const char *remedy,
				  const char *access_key_id, const char *secret_access_key,
				  const char *session_token)
{
	/* like the keys of a user mapping, they become part of header lines */
	if (!smf_is_visible_ascii(access_key_id) || !smf_is_visible_ascii(secret_access_key) ||
		(session_token != NULL && !smf_is_visible_ascii(session_token)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the credentials from %s are not usable", source),
				 errdetail("They contain a space, a line break or another character that no AWS credentials have.")));
	smf_credentials_clear(credentials);
	credentials->access_key_id = smf_keep_string(access_key_id);
	credentials->secret_access_key = smf_keep_string(secret_access_key);
	credentials->session_token = smf_keep_string(session_token);
	credentials->life_s = SMF_NEVER;
	credentials->remedy = smf_keep_string(remedy);
	credentials->private_remedy = false;
	credentials->source = source;
}

/*
 * smf_provider_account
 *		Set the AWS account of the credentials that a source has just provided; does
 *		nothing for NULL and anything that is not an account.
 */
void
smf_provider_account(AwsCredentials *credentials, const char *account)
{
	if (account != NULL && strlen(account) == SMF_ACCOUNT_LEN &&
		strspn(account, "0123456789") == SMF_ACCOUNT_LEN)
		credentials->account = smf_keep_string(account);
}

/*
 * smf_provider_expires
 *		Set when the credentials that a source has just provided expire: epoch seconds,
 *		0: never.  "answer" is what provided them; NULL: something without a clock of
 *		its own.
 */
void
smf_provider_expires(const ProviderContext *context, AwsCredentials *credentials, int64 expires_at_s,
					 const FetchAnswer *answer)
{
	credentials->expires_at_s = expires_at_s;
	credentials->life_s = smf_expiry_life(expires_at_s, answer ? answer->date_s : -1,
										  (int64) time(NULL), context->clock_offset_s);
	if (answer != NULL && answer->date_s >= 0 && credentials->life_s != SMF_NEVER)
		credentials->life_s -= answer->took_s;
}

/*
 * smf_provider_time
 *		An RFC 3339 time as epoch seconds; 0 if it is not valid.
 */
int64
smf_provider_time(const char *text)
{
	int			year,
				month,
				day,
				hour,
				minute,
				second;
	int			offset_hours = 0;
	int			offset_minutes = 0;
	int64		offset_s = 0;
	int			used = 0;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
			   &second, &used) != 6 || used == 0 || month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	text += used;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (*text == '+' || *text == '-')
	{
		/* "+02:30", "+0230" or "+02" */
		if (sscanf(text + 1, "%2d:%2d", &offset_hours, &offset_minutes) != 2)
			(void) sscanf(text + 1, "%2d%2d", &offset_hours, &offset_minutes);
		offset_s = offset_hours * SECS_PER_HOUR + offset_minutes * SECS_PER_MINUTE;
		if (*text == '-')
			offset_s = -offset_s;
	}
	return (int64) (date2j(year, month, day) - UNIX_EPOCH_JDATE) * SECS_PER_DAY +
		hour * SECS_PER_HOUR + minute * SECS_PER_MINUTE + second - offset_s;
}

/*
 * smf_provider_read_json
 *		String members of a JSON object, or of the object "below" in it; NULL if there
 *		is no such string.  Numbers are returned as text.  All strings are treated as
 *		secrets.  False if it is not a JSON object.
 */
bool
smf_provider_read_json(const char *body, size_t len, const char *below,
					   const char *const *names, char **values, int nvalues)
{
	const char *reason;
	Jsonb	   *json = smf_json_parse_secrets(body, len, &reason);
	JsonbContainer *object = json && JB_ROOT_IS_OBJECT(json) ? &json->root : NULL;
	JsonbValue	value;

	if (object != NULL && below != NULL)
	{
		if (getKeyJsonValueFromContainer(object, below, strlen(below), &value) != NULL &&
			value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data))
			object = value.val.binary.data;
		else
			object = NULL;
	}
	for (int i = 0; object != NULL && i < nvalues; i++)
	{
		values[i] = NULL;
		if (getKeyJsonValueFromContainer(object, names[i], strlen(names[i]), &value) == NULL)
			continue;
		if (value.type == jbvString)
			values[i] = smf_secret(pnstrdup(value.val.string.val, value.val.string.len));
		else if (value.type == jbvNumeric)
			values[i] = DatumGetCString(DirectFunctionCall1(numeric_out,
															NumericGetDatum(value.val.numeric)));
	}
	if (json != NULL)
		OPENSSL_cleanse(json, VARSIZE(json));
	return object != NULL;
}

/* What has failed, palloc'ed: messages begin with it. */
static char *
failure(const ProviderContext *context)
{
	return psprintf(context->account_asked ? "could not find out the AWS account of server \"%s\"" :
					"no AWS credentials for server \"%s\"", context->config->server_name);
}

/* Raise that a source which is set up provides no credentials. */
void
smf_provider_fail(const ProviderContext *context, const char *detail, const char *hint)
{
	/* the unreadable file may be the cause */
	if (context->unreadable != NULL && strstr(detail, context->unreadable) == NULL)
		hint = smf_provider_files(context);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg_internal("%s", failure(context)),
			 errdetail_internal("%s", detail),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * What to do about a source that cannot be reached, including "elsewhere" (see
 * smf_provider_unreachable).
 */
static const char *
hint_at_source(const ProviderContext *context, const char *elsewhere, const FetchAnswer *answer)
{
	switch (answer->result)
	{
		case SMF_HTTP_TLS_REFUSED:
			return psprintf("Its certificate must be valid for its host name and today's date, and signed by a CA that %s has.",
							context->target.network.ca_bundle ? psprintf("the file \"%s\" of option ca_bundle", context->target.network.ca_bundle) :
							"the system");
		case SMF_HTTP_TOO_LARGE:
			return "Check that this is the address of a source of credentials.";
		default:
			return psprintf("Check that the database server can reach it, and the server's option proxy_url.%s%s",
							elsewhere ? " " : "", elsewhere ? elsewhere : "");
	}
}

/*
 * smf_provider_unreachable
 *		Raise that a source does not answer, or answers with an error.
 *
 * "what" begins a sentence; "elsewhere" is a sentence that says what else to do if
 * nothing can be reached at the address; NULL: nothing.
 */
void
smf_provider_unreachable(const ProviderContext *context, const char *what, const char *elsewhere,
						 const FetchAnswer *answer)
{
	const char *error = answer->error && answer->error[0] ? answer->error : "no answer";

	if (answer->result == SMF_HTTP_OK)
		smf_provider_fail(context, psprintf("%s answered with HTTP status %d.", what, answer->status), NULL);
	if (answer->result == SMF_HTTP_NO_DESCRIPTOR)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("%s: could not open a socket", failure(context)),
				 errdetail("This process has too many files open."),
				 errhint("Lower max_concurrency, or raise max_files_per_process.")));
	if (answer->result == SMF_HTTP_TOO_LARGE)
		error = "the answer is too large";
	ereport(ERROR,
			(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("%s: %s does not answer", failure(context), what),
			 errdetail("%s: %s.", answer->url, error),
			 errhint("%s", hint_at_source(context, elsewhere, answer))));
}
