/*-------------------------------------------------------------------------
 *
 * option.c
 *		The option table, the validator that reads it, and the settings of a scan,
 *		resolved from it.
 *
 * One table says for every option where it may be set, which values it accepts, its
 * default and who may set it.  The validator, IMPORT FOREIGN SCHEMA and the resolution of
 * settings all read that table through one parser, so that a scan can use whatever CREATE
 * accepts. option_check.c checks the format of values.
 *
 * The validator opens no file and no connection: a CA file that does not exist, or an
 * endpoint without a service, is noticed when it is used.  It sees all the options that
 * an object will have, not what a command changes.  So options for superusers are checked
 * against that whole list, and an owner cannot be prevented from dropping such an option.
 * It cannot see a table's server, or a server's user mappings, so it does not check for
 * conflicts between objects; core checks for options given twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/reloptions.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/mapping.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "jobs/attribute.h"
#include "miscadmin.h"
#include "option.h"
#include "option_check.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/varlena.h"

/* Postgres 15 declares entry points without the required visibility. */
extern PGDLLEXPORT Datum sagemaker_fdw_validator(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_validator);

/* Largest edit distance at which a name is suggested in a hint. */
#define MAX_EDITS	4

/* Longest name for which Postgres computes an edit distance. */
#define MAX_EDIT_LENGTH 255

/* Where an option may be set; a bitmask. */
typedef enum OptionContext
{
	ON_WRAPPER = 1,
	ON_SERVER = 2,
	ON_TABLE = 4,
	ON_COLUMN = 8,
	ON_MAPPING = 16,
	ON_IMPORT = 32
} OptionContext;

/* How an option's value is parsed, and the type that it is stored as. */
typedef enum OptionType
{
	OPTION_BOOLEAN,				/* bool */
	OPTION_LABEL,				/* one of "labels": int, its index */
	OPTION_INTEGER,				/* whole number from min to max: int */
	OPTION_NUMBER,				/* decimal from min to max: double */
	OPTION_SECONDS,				/* decimal from min to max: int, milliseconds */
	OPTION_SIZE,				/* bytes, with or without a unit: size_t */
	OPTION_REGION,				/* AWS region: string */
	OPTION_ACCOUNT,				/* AWS account, 12 digits: string */
	OPTION_ENDPOINT,			/* https URL, or http to a loopback address: string */
	OPTION_PROXY,				/* http or https URL: string */
	OPTION_PATH,				/* absolute path of a file: string */
	OPTION_WORD,				/* min to max letters, digits and "punctuation" */
	OPTION_SECRET,				/* visible ASCII, since it goes into HTTP headers */
	OPTION_ROLE_ARN,			/* ARN of an IAM role */
	OPTION_PROFILE,				/* name of a section in the AWS configuration */
	OPTION_ATTRIBUTE			/* attribute or a path below one */
} OptionType;

/* Who may set an option. */
typedef enum OptionPrivilege
{
	FOR_OWNER,
	FOR_SUPERUSER,				/* only a superuser */
	FOR_SUPERUSER_IF_TRUE		/* only a superuser may set a value other than false */
} OptionPrivilege;

/* One option.  All strings are constants. */
typedef struct SmfOption
{
	const char *name;
	int			contexts;		/* where it may be set, an OR of OptionContext */
	OptionType	type;
	double		min;			/* smallest value, or length of a word */
	double		max;			/* largest value, or length of a word */
	const char *const *labels;	/* for OPTION_LABEL; NULL at the end */
	const char *punctuation;	/* for OPTION_WORD: allowed characters besides letters, digits
								 * and _ */
	OptionPrivilege privilege;
	bool		secret;			/* its value is never shown */
	const char *preset;			/* default, as a user would write it; NULL: none */

	/*
	 * Where the value is stored: in SmfSettings, in SmfImportOptions for an option of
	 * IMPORT, or NOWHERE if other code reads it from the list.
	 */
	int			offset;
} SmfOption;

#define NOWHERE		(-1)
#define SETTING(field)	((int) offsetof(SmfSettings, field))
#define IMPORTED(field) ((int) offsetof(SmfImportOptions, field))

/* Labels are in the order of the enums in option.h. */
static const char *const retry_mode_labels[] = {"standard", "adaptive", NULL};
static const char *const scan_api_labels[] = {"describe", "search", "auto", NULL};
static const char *const unknown_enum_labels[] = {"null", "error", NULL};
static const char *const attributes_labels[] = {"all", "search", NULL};
static const char *const credential_source_labels[] = {
	"Environment", "EcsContainer", "Ec2InstanceMetadata", NULL
};

StaticAssertDecl(sizeof(SmfRetryMode) == sizeof(int) &&
				 sizeof(SmfScanApi) == sizeof(int) &&
				 sizeof(SmfUnknownEnum) == sizeof(int) &&
				 sizeof(SmfImportAttributes) == sizeof(int),
				 "options with labels are stored as int");

/*
 * The option table.  Hints list options in this order.
 */
static const SmfOption option_table[] = {
	{.name = "region", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_REGION,
		.offset = SETTING(region)},
	{.name = "account_id", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_ACCOUNT,
		.offset = SETTING(account_id)},
	{.name = "endpoint_url", .contexts = ON_SERVER,
		.type = OPTION_ENDPOINT, .privilege = FOR_SUPERUSER,
		.offset = SETTING(network.endpoint_url)},
	{.name = "use_fips_endpoint", .contexts = ON_SERVER,
		.type = OPTION_BOOLEAN, .preset = "false",
		.offset = SETTING(network.use_fips_endpoint)},
	{.name = "use_dualstack_endpoint", .contexts = ON_SERVER,
		.type = OPTION_BOOLEAN, .preset = "false",
		.offset = SETTING(network.use_dualstack_endpoint)},
	{.name = "sts_endpoint_url", .contexts = ON_SERVER,
		.type = OPTION_ENDPOINT, .privilege = FOR_SUPERUSER,
		.offset = SETTING(network.sts_endpoint_url)},
	{.name = "pricing_endpoint_url", .contexts = ON_SERVER,
		.type = OPTION_ENDPOINT, .privilege = FOR_SUPERUSER,
		.offset = SETTING(network.pricing_endpoint_url)},
	{.name = "ca_bundle", .contexts = ON_SERVER,
		.type = OPTION_PATH, .privilege = FOR_SUPERUSER,
		.offset = SETTING(network.http.ca_bundle)},
	{.name = "proxy_url", .contexts = ON_SERVER,
		.type = OPTION_PROXY, .privilege = FOR_SUPERUSER,
		.offset = SETTING(network.http.proxy_url)},
	{.name = "connect_timeout", .contexts = ON_SERVER,
		.type = OPTION_SECONDS, .min = 0.001, .max = 3600, .preset = "10",
		.offset = SETTING(network.http.connect_timeout_ms)},
	{.name = "read_timeout", .contexts = ON_SERVER,
		.type = OPTION_SECONDS, .min = 0.001, .max = 3600, .preset = "60",
		.offset = SETTING(network.http.read_timeout_ms)},
	{.name = "max_attempts", .contexts = ON_SERVER,
		.type = OPTION_INTEGER, .min = 1, .max = 100, .preset = "8",
		.offset = SETTING(max_attempts)},
	{.name = "throttle_timeout", .contexts = ON_SERVER,
		.type = OPTION_SECONDS, .min = 0.001, .max = 86400, .preset = "300",
		.offset = SETTING(throttle_timeout_ms)},
	{.name = "retry_mode", .contexts = ON_SERVER,
		.type = OPTION_LABEL, .labels = retry_mode_labels, .preset = "adaptive",
		.offset = SETTING(retry_mode)},
	{.name = "max_calls_per_second", .contexts = ON_SERVER,
		.type = OPTION_NUMBER, .min = 0, .max = 10000, .preset = "0",
		.offset = SETTING(max_calls_per_second)},
	{.name = "max_response_size", .contexts = ON_SERVER,
		.type = OPTION_SIZE, .min = 1024, .max = 128 * 1024 * 1024, .preset = "16MB",
		.offset = SETTING(max_response_size)},
	{.name = "max_concurrency", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_INTEGER, .min = 1, .max = 256, .preset = "16",
		.offset = SETTING(max_concurrency)},
	{.name = "fetch_size", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_INTEGER, .min = 1, .max = 100, .preset = "100",
		.offset = SETTING(fetch_size)},
	{.name = "scan_api", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_LABEL, .labels = scan_api_labels, .preset = "describe",
		.offset = SETTING(scan_api)},
	{.name = "async_capable", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_BOOLEAN, .preset = "true",
		.offset = SETTING(async_capable)},
	{.name = "unknown_enum", .contexts = ON_SERVER | ON_TABLE,
		.type = OPTION_LABEL, .labels = unknown_enum_labels, .preset = "null",
		.offset = SETTING(unknown_enum)},
	{.name = "estimated_jobs", .contexts = ON_TABLE,
		.type = OPTION_NUMBER, .min = 0, .max = 1e9,
		.offset = SETTING(estimated_jobs)},

	{.name = "attribute", .contexts = ON_COLUMN,
		.type = OPTION_ATTRIBUTE,
		.offset = NOWHERE},

	{.name = SMF_OPTION_ACCESS_KEY_ID, .contexts = ON_MAPPING,
		.type = OPTION_WORD, .min = 1, .max = 128, .punctuation = ".-", .secret = true,
		.offset = NOWHERE},
	{.name = SMF_OPTION_SECRET_ACCESS_KEY, .contexts = ON_MAPPING,
		.type = OPTION_SECRET, .secret = true,
		.offset = NOWHERE},
	{.name = SMF_OPTION_SESSION_TOKEN, .contexts = ON_MAPPING,
		.type = OPTION_SECRET, .secret = true,
		.offset = NOWHERE},
	{.name = SMF_OPTION_ROLE_ARN, .contexts = ON_MAPPING,
		.type = OPTION_ROLE_ARN,
		.offset = NOWHERE},
	{.name = SMF_OPTION_EXTERNAL_ID, .contexts = ON_MAPPING,
		.type = OPTION_WORD, .min = 2, .max = 1224, .punctuation = "+=,.@:/-", .secret = true,
		.offset = NOWHERE},
	{.name = SMF_OPTION_ROLE_SESSION_NAME, .contexts = ON_MAPPING,
		.type = OPTION_WORD, .min = 2, .max = 64, .punctuation = "+=,.@-",
		.offset = NOWHERE},
	{.name = SMF_OPTION_DURATION_SECONDS, .contexts = ON_MAPPING,
		.type = OPTION_INTEGER, .min = 900, .max = 43200,
		.offset = NOWHERE},
	{.name = SMF_OPTION_PROFILE, .contexts = ON_MAPPING,
		.type = OPTION_PROFILE, .privilege = FOR_SUPERUSER,
		.offset = NOWHERE},
	{.name = SMF_OPTION_CREDENTIAL_SOURCE, .contexts = ON_MAPPING,
		.type = OPTION_LABEL, .labels = credential_source_labels, .privilege = FOR_SUPERUSER,
		.offset = NOWHERE},
	{.name = SMF_OPTION_WEB_IDENTITY_FILE, .contexts = ON_MAPPING,
		.type = OPTION_PATH, .privilege = FOR_SUPERUSER,
		.offset = NOWHERE},
	{.name = SMF_OPTION_ALLOW_AMBIENT, .contexts = ON_MAPPING,
		.type = OPTION_BOOLEAN, .privilege = FOR_SUPERUSER_IF_TRUE,
		.offset = NOWHERE},

	{.name = "enums", .contexts = ON_IMPORT,
		.type = OPTION_BOOLEAN, .preset = "true",
		.offset = IMPORTED(enums)},
	{.name = "attributes", .contexts = ON_IMPORT,
		.type = OPTION_LABEL, .labels = attributes_labels, .preset = "all",
		.offset = IMPORTED(attributes)}
};

/* How messages refer to the place of an option, and the command that sets it there. */
static const struct
{
	OptionContext context;
	const char *noun;
	const char *command;
}			places[] = {
	{ON_WRAPPER, "a foreign-data wrapper", "CREATE FOREIGN DATA WRAPPER"},
	{ON_SERVER, "a server", "CREATE SERVER"},
	{ON_TABLE, "a foreign table", "CREATE FOREIGN TABLE"},
	{ON_COLUMN, "a column", "a column of CREATE FOREIGN TABLE"},
	{ON_MAPPING, "a user mapping", "CREATE USER MAPPING"},
	{ON_IMPORT, "IMPORT FOREIGN SCHEMA", "IMPORT FOREIGN SCHEMA"}
};

/* A name that contains one of these is assumed to be that of a secret. */
static const char *const secret_words[] = {
	"secret", "passw", "token", "access_key", "accesskey", "private_key", "credential"
};

static const char *
place_noun(OptionContext context)
{
	for (size_t i = 0; i < lengthof(places); i++)
	{
		if (places[i].context == context)
			return places[i].noun;
	}
	pg_unreachable();
}

/* The option's entry, or NULL if there is no such option in any of "contexts". */
static const SmfOption *
find_option(const char *name, int contexts)
{
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		if ((option_table[i].contexts & contexts) != 0 &&
			strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	}
	return NULL;
}

/*
 * The one of "nnames" names that "given" most likely means, or NULL if none is close.
 * Uses the same measure and limits as core does for its own hints.
 */
static const char *
closest_name(const char *given, const char *const *names, int nnames)
{
	int			given_length = strlen(given);
	int			best_distance = Min(MAX_EDITS, given_length / 2) + 1;
	const char *best = NULL;

	if (given_length > MAX_EDIT_LENGTH)
		return NULL;

	for (int i = 0; i < nnames; i++)
	{
		int			distance;

		if (pg_strcasecmp(given, names[i]) == 0)
			return names[i];
		distance = varstr_levenshtein_less_equal(given, given_length,
												 names[i], strlen(names[i]),
												 1, 1, 1, best_distance, true);
		if (distance < best_distance)
		{
			best_distance = distance;
			best = names[i];
		}
	}
	return best;
}

/*
 * smf_closest_column
 *		The catalogue column that "given" most likely means, or NULL.
 *
 * "given" may be an attribute's API name or a misspelled column.
 */
const char *
smf_closest_column(const char *given)
{
	const char *similar = smf_attribute_similar_column(given);
	const char **names;

	if (similar != NULL)
		return similar;
	names = palloc(smf_nattributes * sizeof(*names));
	for (int i = 0; i < smf_nattributes; i++)
		names[i] = smf_attributes[i].column_name;
	return closest_name(given, names, smf_nattributes);
}

/* Is an option with this name, which is not one of ours, meant for a secret? */
static bool
looks_like_secret(const char *name)
{
	char	   *lower = asc_tolower(name, strlen(name));

	for (size_t i = 0; i < lengthof(secret_words); i++)
	{
		if (strstr(lower, secret_words[i]) != NULL)
			return true;
	}
	return false;
}

/* The hint for an option that is unknown in a context; to be called in ereport. */
static int
unknown_option_hint(const char *name, OptionContext context)
{
	const SmfOption *elsewhere = find_option(name, ~0);
	const char *names[lengthof(option_table)];
	int			nnames = 0;
	const char *closest;
	StringInfoData list;

	/* A secret that everybody could read where it was set. */
	if (context != ON_MAPPING && elsewhere != NULL && elsewhere->secret)
		return errhint("Set option \"%s\" in CREATE USER MAPPING: options of other objects can be read by every user.", name);
	if (context != ON_MAPPING && elsewhere == NULL && looks_like_secret(name))
		return errhint("Secrets go into CREATE USER MAPPING, as aws_access_key_id, aws_secret_access_key and aws_session_token: options of other objects can be read by every user.");

	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		if ((option_table[i].contexts & context) != 0)
			names[nnames++] = option_table[i].name;
	}
	closest = closest_name(name, names, nnames);

	/* An option for another kind of object, unless the name is close to one for this kind. */
	initStringInfo(&list);
	if (elsewhere != NULL && closest == NULL)
	{
		for (size_t i = 0; i < lengthof(places); i++)
		{
			if ((elsewhere->contexts & places[i].context) != 0)
				appendStringInfo(&list, "%s%s", list.len > 0 ? " or " : "", places[i].command);
		}
		return errhint("Set option \"%s\" in %s.", name, list.data);
	}

	/* A name that is almost right; if there is none, list all of them. */
	if (nnames == 0)
		return errhint("There are no valid options of %s.", place_noun(context));
	if (closest != NULL)
		return errhint("Perhaps you meant the option \"%s\".", closest);
	for (int i = 0; i < nnames; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", names[i]);
	return errhint("Valid options of %s are: %s.", place_noun(context), list.data);
}

/* The option's entry; raises HV00D if there is no such option in the context. */
static const SmfOption *
known_option(const char *name, OptionContext context)
{
	const SmfOption *option = find_option(name, context);

	if (option == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\" of %s", name, place_noun(context)),
				 unknown_option_hint(name, context)));
	return option;
}

/* The hint for what is no region. */
static int
region_hint(const char *value)
{
	char	   *lower = asc_tolower(value, strlen(value));
	char	   *last = lower + strlen(lower) - 1;

	if (smf_region_valid(lower))
		return errhint("Write the region in lower case: %s.", lower);
	/* an availability zone is its region and a letter */
	if (last > lower && *last >= 'a' && *last <= 'z')
	{
		*last = '\0';
		if (smf_region_valid(lower))
			return errhint("\"%s\" is an availability zone. Use its region: %s.", value, lower);
	}
	return errhint("Use the name of one AWS region, for example us-east-1.");
}

/*
 * What an option accepts instead of the value, as a hint; the message is being built
 * already.
 */
static int
accepted_hint(const SmfOption *option, const char *value)
{
	StringInfoData list;

	/* A mistake that cannot be seen where the value is not shown. */
	if (option->secret && smf_has_outer_blank(value))
		return errhint("The value begins or ends with a space or a line break: leave that out.");
	if (option->secret && option->type == OPTION_WORD && smf_looks_like_secret_key(value))
		return errhint("The value has the form of a secret access key, which goes into aws_secret_access_key. An access key id begins with AKIA or ASIA.");

	/* What the type takes. */
	switch (option->type)
	{
			/* choices */
		case OPTION_BOOLEAN:
			return errhint("Use true or false.");
		case OPTION_LABEL:
			initStringInfo(&list);
			for (int i = 0; option->labels[i] != NULL; i++)
				appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", option->labels[i]);
			return errhint("Use one of: %s.", list.data);

			/* numbers */
		case OPTION_INTEGER:
			return errhint("Use a whole number from %.0f to %.0f.", option->min, option->max);
		case OPTION_NUMBER:
			return errhint("Use a number from %.0f to %.0f.", option->min, option->max);
		case OPTION_SECONDS:
			return errhint("Use a number of seconds from %g to %.0f.", option->min, option->max);
		case OPTION_SIZE:
			return errhint("Use a size from %.0fkB to %.0fMB, for example 16MB.",
						   option->min / 1024, option->max / (1024 * 1024));

			/* where calls go */
		case OPTION_REGION:
			return region_hint(value);
		case OPTION_ACCOUNT:
			return errhint("Use the 12 digits of an AWS account, for example 123456789012.");
		case OPTION_ENDPOINT:
			return errhint("Use https:// and a host, or http:// and a loopback address, with an optional port, but no user name or query.");
		case OPTION_PROXY:
			return errhint("Use http:// or https:// and a host, with an optional port, but no user name or password.");

			/* whose calls they are, and what they read */
		case OPTION_PATH:
			return errhint("Use the absolute path of a file on the database server.");
		case OPTION_WORD:
			return errhint("Use %.0f to %.0f characters: letters, digits and any of \"_%s\".",
						   option->min, option->max, option->punctuation);
		case OPTION_SECRET:
			return errhint("Use the value as AWS gave it, without spaces, line breaks or other invisible characters.");
		case OPTION_ROLE_ARN:
			return errhint("Use the ARN of an IAM role, for example arn:aws:iam::123456789012:role/name.");
		case OPTION_PROFILE:
			return errhint("Use the name of a profile in the AWS configuration of the database server.");
		case OPTION_ATTRIBUTE:
			return errhint("Use an attribute of DescribeTrainingJob or a path below one, for example ResourceConfig.InstanceType.");
	}
	pg_unreachable();
}

/*
 * May a message repeat the value?  A URL with a user name and a password contains a
 * secret, too, and control characters must not get into a log.
 */
static bool
may_show_value(const SmfOption *option, const char *value)
{
	if (option->secret || smf_has_control_characters(value))
		return false;
	if (option->type == OPTION_ENDPOINT || option->type == OPTION_PROXY)
		return strchr(value, '@') == NULL;
	return true;
}

/* Raise 22023 for a value, and say what the option accepts. */
static void
refuse_value(const SmfOption *option, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 may_show_value(option, value) ?
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, value) :
			 errmsg("invalid value for option \"%s\"", option->name),
			 accepted_hint(option, value)));
}

static bool
in_range(const SmfOption *option, double number)
{
	return number >= option->min && number <= option->max;
}

/* Does the value have the format of its type?  Only for types that are stored as text. */
static bool
is_valid_text(const SmfOption *option, const char *value)
{
	switch (option->type)
	{
			/* where calls go */
		case OPTION_REGION:
			return smf_region_valid(value);
		case OPTION_ACCOUNT:
			return smf_is_account(value);
		case OPTION_ENDPOINT:
			return smf_is_endpoint_url(value);
		case OPTION_PROXY:
			return smf_is_proxy_url(value);

			/* whose calls they are, and what they read */
		case OPTION_PATH:
			return smf_is_file_path(value);
		case OPTION_WORD:
			return smf_is_word(value, option->min, option->max, option->punctuation);
		case OPTION_SECRET:
			return smf_is_secret(value);
		case OPTION_ROLE_ARN:
			return smf_is_role_arn(value);
		case OPTION_PROFILE:
			return smf_is_profile(value);
		case OPTION_ATTRIBUTE:
			return smf_is_attribute_path(value);

			/* these are not stored as text */
		case OPTION_BOOLEAN:
		case OPTION_LABEL:
		case OPTION_INTEGER:
		case OPTION_NUMBER:
		case OPTION_SECONDS:
		case OPTION_SIZE:
			break;
	}
	pg_unreachable();
}

/*
 * Check an option's value, and store it unless "into" is NULL.
 *
 * "into" is the struct that the option's offset refers to.  Strings are copied into the
 * current memory context.  Raises 22023 for a value that the option does not accept.
 */
static void
read_value(const SmfOption *option, const char *value, void *into)
{
	char	   *field = into ? (char *) into + option->offset : NULL;
	double		number = 0;
	bool		truth;
	bool		valid = false;

	Assert(into == NULL || option->offset != NOWHERE);

	/* Check it; numbers and the like are stored as what they mean, all others as text. */
	switch (option->type)
	{
		case OPTION_BOOLEAN:
			valid = parse_bool(value, &truth);
			if (valid && field)
				*(bool *) field = truth;
			break;
		case OPTION_LABEL:
			for (int i = 0; option->labels[i] != NULL && !valid; i++)
			{
				valid = strcmp(value, option->labels[i]) == 0;
				if (valid && field)
					*(int *) field = i;
			}
			break;
		case OPTION_INTEGER:
			valid = smf_parse_decimal(value, true, &number) && in_range(option, number);
			if (valid && field)
				*(int *) field = (int) number;
			break;
		case OPTION_NUMBER:
			valid = smf_parse_decimal(value, false, &number) && in_range(option, number);
			if (valid && field)
				*(double *) field = number;
			break;
		case OPTION_SECONDS:
			valid = smf_parse_decimal(value, false, &number) && in_range(option, number);
			if (valid && field)
				*(int *) field = (int) rint(number * 1000);
			break;
		case OPTION_SIZE:
			valid = smf_parse_size(value, &number) && in_range(option, number);
			if (valid && field)
				*(size_t *) field = (size_t) number;
			break;
		default:
			valid = is_valid_text(option, value);
			if (valid && field)
				*(const char **) field = pstrdup(value);
			break;
	}

	/* For all types, one message says what is accepted. */
	if (!valid)
		refuse_value(option, value);
}

/* Raise 42501 if the option is for superusers and the current user is not one. */
static void
check_privilege(const SmfOption *option, const char *value)
{
	if (option->privilege == FOR_OWNER || superuser())
		return;
	if (option->privilege == FOR_SUPERUSER_IF_TRUE)
	{
		bool		truth;

		if (parse_bool(value, &truth) && !truth)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\"", option->name),
			 errdetail("Only a superuser may run a command that leaves an object with this option, even if the command does not name it."),
			 errhint("Let a superuser run the command, or leave the option out.")));
}

/* Raise 22023 if "name" is given without "needed". */
static void
check_needs(List *options, const char *name, const char *needed)
{
	if (smf_option_value(options, name) != NULL && smf_option_value(options, needed) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" needs option \"%s\"", name, needed),
				 errhint("Set \"%s\" in the same command, or leave \"%s\" out.", needed, name)));
}

/* Raise 22023 for endpoint_url together with a variant of the default endpoint. */
static void
check_server(List *options)
{
	static const char *const variants[] = {"use_fips_endpoint", "use_dualstack_endpoint"};

	if (smf_option_value(options, "endpoint_url") == NULL)
		return;
	for (size_t i = 0; i < lengthof(variants); i++)
	{
		const char *value = smf_option_value(options, variants[i]);
		bool		truth;

		if (value != NULL && parse_bool(value, &truth) && truth)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("options \"endpoint_url\" and \"%s\" cannot be combined", variants[i]),
					 errdetail("The variants choose among the endpoints of AWS, which endpoint_url replaces."),
					 errhint("Leave one of them out.")));
	}
}

/*
 * Raise 22023 for an access key id in the place of the secret key, and for temporary keys
 * without their token.
 */
static void
check_keys(List *options)
{
	const char *key = smf_option_value(options, SMF_OPTION_ACCESS_KEY_ID);
	const char *secret = smf_option_value(options, SMF_OPTION_SECRET_ACCESS_KEY);

	if (secret != NULL && smf_looks_like_access_key(secret))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\"", SMF_OPTION_SECRET_ACCESS_KEY),
				 errhint("The value has the form of an access key id, which goes into aws_access_key_id. A secret access key has 40 characters.")));
	if (key != NULL && smf_looks_like_access_key(key) &&
		smf_key_is(key, SMF_TEMPORARY_KEY) &&
		smf_option_value(options, SMF_OPTION_SESSION_TOKEN) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("temporary keys need option \"%s\"", SMF_OPTION_SESSION_TOKEN),
				 errdetail("The value of option \"%s\" begins with %s.", SMF_OPTION_ACCESS_KEY_ID, SMF_TEMPORARY_KEY),
				 errhint("Set \"%s\" in the same command, or use keys that are not temporary.", SMF_OPTION_SESSION_TOKEN)));
}

static void
check_mapping(List *options)
{
	check_needs(options, SMF_OPTION_ACCESS_KEY_ID, SMF_OPTION_SECRET_ACCESS_KEY);
	check_needs(options, SMF_OPTION_SECRET_ACCESS_KEY, SMF_OPTION_ACCESS_KEY_ID);
	check_needs(options, SMF_OPTION_SESSION_TOKEN, SMF_OPTION_ACCESS_KEY_ID);
	check_needs(options, SMF_OPTION_EXTERNAL_ID, SMF_OPTION_ROLE_ARN);
	check_needs(options, SMF_OPTION_ROLE_SESSION_NAME, SMF_OPTION_ROLE_ARN);
	check_needs(options, SMF_OPTION_DURATION_SECONDS, SMF_OPTION_ROLE_ARN);
	check_keys(options);
}

/*
 * sagemaker_fdw_validator
 *		Check the options that an object will have.
 *
 * Raises HV00D for an option that this kind of object does not have, 22023 for a value or
 * a combination that is not valid, and 42501 for an option that only superusers may set.
 */
Datum
sagemaker_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	OptionContext context;
	ListCell   *lc;

	/* Find out which kind of object it is. */
	switch (catalog)
	{
		case ForeignServerRelationId:
			context = ON_SERVER;
			break;
		case ForeignTableRelationId:
			context = ON_TABLE;
			break;
		case AttributeRelationId:
			context = ON_COLUMN;
			break;
		case UserMappingRelationId:
			context = ON_MAPPING;
			break;
		default:
			context = ON_WRAPPER;
			break;
	}

	/* Check each option by itself. */
	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		const char *value = defGetString(def);
		const SmfOption *option = known_option(def->defname, context);

		read_value(option, value, NULL);
		check_privilege(option, value);
	}

	/* Check all of them together. */
	if (context == ON_SERVER)
		check_server(options);
	else if (context == ON_MAPPING)
		check_mapping(options);

	PG_RETURN_VOID();
}

/* Store the defaults of a context's options. */
static void
read_presets(OptionContext context, void *into)
{
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		const SmfOption *option = &option_table[i];

		if ((option->contexts & context) != 0 && option->preset != NULL)
			read_value(option, option->preset, into);
	}
}

/* Store the values of a list of options. */
static void
read_options(List *options, OptionContext context, void *into)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		read_value(known_option(def->defname, context), defGetString(def), into);
	}
}

/*
 * smf_settings_resolve
 *		The settings for a scan of "table", or for "server" alone if "table" is NULL.
 *
 * Palloc'ed, including strings.  Raises what the validator raises, if an option got into
 * the catalogs without it.
 */
SmfSettings *
smf_settings_resolve(const ForeignServer *server, const ForeignTable *table)
{
	SmfSettings *settings = palloc0(sizeof(SmfSettings));

	settings->serverid = server->serverid;
	settings->server_name = pstrdup(server->servername);
	settings->estimated_jobs = -1;
	read_presets(ON_SERVER | ON_TABLE, settings);
	read_options(server->options, ON_SERVER, settings);
	if (table != NULL)
		read_options(table->options, ON_TABLE, settings);
	return settings;
}

/*
 * smf_import_options_resolve
 *		The options of IMPORT FOREIGN SCHEMA.  They are checked here because core does
 *		not pass them to the validator.
 *
 * Raises HV00D and 22023 like the validator.
 */
SmfImportOptions
smf_import_options_resolve(List *options)
{
	SmfImportOptions resolved;

	read_presets(ON_IMPORT, &resolved);
	read_options(options, ON_IMPORT, &resolved);
	return resolved;
}
