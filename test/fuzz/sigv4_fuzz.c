/*-------------------------------------------------------------------------
 *
 * sigv4_fuzz.c
 *		Signatures of any request.
 *
 * Input: eight bytes of time; access key id, secret, region, method, path, the values
 * of two headers, each up to a NUL; the payload.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/sigv4.h"

/* The path that an encoded one says. */
static char *
decoded(const char *path, size_t len)
{
	char	   *result = palloc(len + 1);
	char	   *to = result;

	for (size_t i = 0; i < len; i++)
	{
		unsigned int byte;

		if (path[i] != '%')
		{
			FUZZ_CHECK(path[i] > ' ' && path[i] <= '~');
			*to++ = path[i];
			continue;
		}
		FUZZ_CHECK(i + 2 < len && sscanf(path + i + 1, "%2X", &byte) == 1);
		*to++ = (char) byte;
		i += 2;
	}
	*to = '\0';
	return result;
}

/* A header's value without the blanks that do not count. */
static char *
trimmed(const char *value)
{
	char	   *result = palloc(strlen(value) + 1);
	char	   *to = result;

	for (; *value; value++)
	{
		bool		blank = *value == ' ' || *value == '\t';

		if (!blank)
			*to++ = *value;
		else if (to > result && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > result && to[-1] == ' ')
		to--;
	*to = '\0';
	return result;
}

/* The canonical request is what its parts make. */
static void
check_canonical(const SigV4Request *request, const char *canonical)
{
	const char *path = canonical + strlen(request->method) + 1;
	size_t		path_len = strcspn(path, "\n");
	char	   *rest;

	FUZZ_CHECK(strncmp(canonical, request->method, strlen(request->method)) == 0 && path[-1] == '\n');
	FUZZ_CHECK(strcmp(decoded(path, path_len), request->path) == 0);
	rest = psprintf("\n\nhost:%s\nx-amz-date:%s\n\nhost;x-amz-date\n",
					trimmed(request->headers[0].value), trimmed(request->headers[1].value));
	FUZZ_CHECK(strncmp(path + path_len, rest, strlen(rest)) == 0);
	FUZZ_CHECK(strspn(path + path_len + strlen(rest), "0123456789abcdef") == SMF_SHA256_HEX_SIZE - 1);
	FUZZ_CHECK(strlen(path + path_len + strlen(rest)) == SMF_SHA256_HEX_SIZE - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static SigV4KeyCache kept;
	FuzzInput	input = {data, size};
	SigV4KeyCache cache = {0};
	SigV4Keys	keys;
	SigV4Scope	scope = {.service = "sagemaker"};
	SigV4Header headers[2] = {{.name = "host"}, {.name = "x-amz-date"}};
	SigV4Request request = {.query = "", .headers = headers, .nheaders = 2};
	char		date[SMF_SIGV4_DATE_SIZE];
	char	   *canonical;
	char	   *authorization;
	char	   *again;

	for (int i = 0; i < 8; i++)
		scope.time_s = (int64_t) ((uint64_t) scope.time_s << 8 | fuzz_byte(&input));
	keys.access_key_id = fuzz_string(&input);
	keys.secret_access_key = fuzz_string(&input);
	scope.region = fuzz_string(&input);
	request.method = fuzz_string(&input);
	request.path = fuzz_string(&input);
	headers[0].value = fuzz_string(&input);
	headers[1].value = fuzz_string(&input);
	request.payload = (const char *) input.at;
	request.payload_len = input.left;

	canonical = smf_sigv4_canonical_request(&request);
	FUZZ_CHECK(canonical != NULL);
	check_canonical(&request, canonical);
	free(canonical);

	/* a year of four digits has a date, and whatever has a date a signature */
	authorization = smf_sigv4_authorization(&kept, &keys, &scope, &request);
	FUZZ_CHECK((authorization != NULL) == smf_sigv4_date(scope.time_s, date));
	FUZZ_CHECK(strlen(date) == (authorization != NULL ? SMF_SIGV4_DATE_SIZE - 1 : 0));
	if (scope.time_s >= INT64CONST(-30610224000) && scope.time_s < INT64CONST(253402300800))
		FUZZ_CHECK(authorization != NULL);

	/* a key that is remembered, of this request or of another, changes nothing; this is slow */
	if (authorization != NULL && size % 4 == 0)
	{
		again = smf_sigv4_authorization(&cache, &keys, &scope, &request);
		FUZZ_CHECK(again != NULL && strcmp(authorization, again) == 0);
		free(again);
	}
	free(authorization);
	smf_sigv4_cache_clear(&cache);
	fuzz_reset();
	return 0;
}
