/*-------------------------------------------------------------------------
 *
 * sigv4_driver.c
 *		Signs requests read from standard input, for sigv4_differential.py.
 *
 * A request is a line of fields separated by tabs, each in hexadecimal: method,
 * path, query, access key id, secret, region, service, time, payload, and then
 * name and value of each header.  The answer is a line: the header's value.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sigv4.h"

#define FIELDS_MAX 64
#define FIRST_HEADER 9

/* Decode a field in place; returns its length. */
static size_t
decode(char *field)
{
	size_t		len = strlen(field) / 2;

	for (size_t i = 0; i < len; i++)
	{
		char		pair[3] = {field[2 * i], field[2 * i + 1], '\0'};

		field[i] = (char) strtol(pair, NULL, 16);
	}
	field[len] = '\0';
	return len;
}

int
main(void)
{
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;
	SigV4KeyCache cache = {0};

	while ((len = getline(&line, &size, stdin)) > 0)
	{
		char	   *fields[FIELDS_MAX];
		size_t		lengths[FIELDS_MAX];
		SigV4Header headers[FIELDS_MAX / 2];
		SigV4Request request = {0};
		SigV4Keys	keys;
		SigV4Scope	scope;
		int			nfields = 0;
		char	   *at = line;
		char	   *authorization;

		line[len - 1] = '\0';
		for (char *field = strsep(&at, "\t"); field != NULL; field = strsep(&at, "\t"))
		{
			if (nfields == FIELDS_MAX)
				return 2;
			fields[nfields] = field;
			lengths[nfields++] = decode(field);
		}
		if (nfields < FIRST_HEADER)
			return 2;

		request.method = fields[0];
		request.path = fields[1];
		request.query = fields[2];
		keys.access_key_id = fields[3];
		keys.secret_access_key = fields[4];
		scope.region = fields[5];
		scope.service = fields[6];
		scope.time_s = strtoll(fields[7], NULL, 10);
		request.payload = fields[8];
		request.payload_len = lengths[8];
		for (int i = FIRST_HEADER; i + 1 < nfields; i += 2)
			headers[request.nheaders++] = (SigV4Header) {fields[i], fields[i + 1]};
		request.headers = headers;

		authorization = smf_sigv4_authorization(&cache, &keys, &scope, &request);
		if (authorization == NULL)
			return 3;
		puts(authorization);
		free(authorization);
	}
	smf_sigv4_cache_clear(&cache);
	free(line);
	return 0;
}
