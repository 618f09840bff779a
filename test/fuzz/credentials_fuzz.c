/*-------------------------------------------------------------------------
 *
 * credentials_fuzz.c
 *		Documents that credentials come in, and the times at which they expire.
 *
 * Input: the document, up to a NUL; a time.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include <time.h>

#include "aws/providers/provider.c"

static AwsCredentials kept;

/* Keep what can be sent as a header, and nothing else. */
static void
keep(char **values)
{
	smf_provider_keep(&kept, "a document", "Look at it.", values[0], values[1], values[2]);
	FUZZ_CHECK(strpbrk(kept.access_key_id, " \t\r\n") == NULL);
	FUZZ_CHECK(strpbrk(kept.secret_access_key, " \t\r\n") == NULL);
	FUZZ_CHECK(kept.session_token == NULL || strpbrk(kept.session_token, " \t\r\n") == NULL);
}

/* Longest numeric: the few bytes 1e-263 have as many digits as they say. */
#define NUMERIC_TEXT_MAX (131072 + 16383 + 2)

/* What is read from the document. */
static void
check_document(void *arg)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
	static const char *const places[] = {NULL, "roleCredentials"};
	const char *document = arg;
	char	   *values[lengthof(names)];

	for (int i = 0; i < lengthof(places); i++)
	{
		if (!smf_provider_read_json(document, strlen(document), places[i], names, values, lengthof(names)))
			continue;
		for (int j = 0; j < lengthof(names); j++)
			FUZZ_CHECK(values[j] == NULL || strlen(values[j]) <= strlen(document) * 3 + NUMERIC_TEXT_MAX);
		if (values[3] != NULL)
			(void) smf_provider_time(values[3]);
		if (values[0] != NULL && values[1] != NULL)
			keep(values);
	}
}

/* Is it what strftime makes of "%Y-%m-%dT%H:%M:%S", a time that there is, and then "rest"? */
static bool
is_time(const char *text, const char *rest)
{
	static const char form[] = "0000-00-00T00:00:00";
	size_t		len = strlen(form);

	if (strlen(text) < len || strcmp(text + len, rest) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	}
	return atoi(text + 5) >= 1 && atoi(text + 5) <= 12 && atoi(text + 8) >= 1 && atoi(text + 8) <= 28 &&
		atoi(text + 11) < 24 && atoi(text + 14) < 60 && atoi(text + 17) < 60;
}

static void
check_time(const char *text)
{
	int64		time_s = smf_provider_time(text);
	const char *zone = text + Min(strlen(text), 19);
	char		printed[32];
	time_t		utc_s = time_s;
	int			hours = 0;
	int			minutes = 0;
	struct tm	tm;

	if (!is_time(text, zone))
		return;
	if (*zone == '+' || *zone == '-')
	{
		if (strlen(zone) != strlen("+0000") || strspn(zone + 1, "0123456789") != 4)
			return;
		sscanf(zone + 1, "%2d%2d", &hours, &minutes);
		utc_s += (*zone == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	}
	else if (strcmp(zone, "Z") != 0)
		return;
	FUZZ_CHECK(gmtime_r(&utc_s, &tm) != NULL);
	snprintf(printed, sizeof(printed), "%04d-%02d-%02dT%02d:%02d:%02d%s", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
	FUZZ_CHECK(strcmp(printed, text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};

	/* a secret is no part of what is raised of it */
	if (fuzz_raises(check_document, fuzz_string(&input)))
		FUZZ_CHECK(fuzz_error.sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION &&
				   strcmp(fuzz_error.message, "the credentials from a document are not usable") == 0);
	smf_credentials_clear(&kept);
	check_time(fuzz_string(&input));
	fuzz_reset();
	return 0;
}
