/*-------------------------------------------------------------------------
 *
 * session_name.c
 *		The name of an assumed role's session, for CloudTrail and for policies.
 *
 * It is pg-<database>-<role>, with 2 to 64 of the characters that STS accepts.  Each pair
 * of a database and a role has a different name, because a policy may trust one of them.
 *
 * Not accounted for: longer names are told apart only by 64 bits of a SHA-256 digest.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/session_name.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "aws/ascii.h"

#define PREFIX "pg-"
#define SEPARATOR '-'

/*
 * A name that was cut ends in this, followed by the first bytes of a digest in
 * hexadecimal.
 */
#define CUT '+'
#define DIGEST_BYTES 8

/* How much of a name is kept when it is cut. */
#define KEPT (SMF_SESSION_NAME_SIZE - 1 - 1 - 2 * DIGEST_BYTES)

static const char hex[] = "0123456789ABCDEF";

/*
 * Does it represent itself?  "-", "+" and "=", which STS also accepts, have a special
 * meaning.
 */
static bool
is_plain(char c)
{
	return smf_is_alphanumeric(c) || c == '_' || c == '.' || c == ',' || c == '@';
}

/* Append a name at "to"; returns the new end. */
static char *
append(char *to, const char *name)
{
	for (; *name; name++)
	{
		if (is_plain(*name))
			*to++ = *name;
		else
		{
			*to++ = '=';
			*to++ = hex[(unsigned char) *name >> 4];
			*to++ = hex[(unsigned char) *name & 15];
		}
	}
	return to;
}

/* Cut a name of "len" bytes, and make it differ from others that begin alike. */
static bool
cut(const char *whole, size_t len, char *name)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char	   *to = name + KEPT;

	if (EVP_Digest(whole, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	memcpy(name, whole, KEPT);
	/* not within "=XX" */
	for (int back = 1; back <= 2; back++)
	{
		if (name[KEPT - back] == '=')
			to = name + KEPT - back;
	}
	*to++ = CUT;
	for (int i = 0; i < DIGEST_BYTES; i++)
	{
		*to++ = hex[digest[i] >> 4];
		*to++ = hex[digest[i] & 15];
	}
	*to = '\0';
	return true;
}

/*
 * smf_session_name
 *		Write the session name for a role that is assumed for a database role into
 *		"name", which has SMF_SESSION_NAME_SIZE bytes.
 *
 * Letters, digits and _ . , @ of both names represent themselves; any other byte becomes
 * "=XX".  A name that is too long for STS is cut, and ends in "+" and a digest of the
 * whole.  False without memory.
 */
bool
smf_session_name(const char *database, const char *role, char *name)
{
	char	   *whole = malloc(strlen(PREFIX) + 3 * strlen(database) + 1 + 3 * strlen(role) + 1);
	char	   *end;
	size_t		len;
	bool		good = true;

	if (whole == NULL)
		return false;
	end = append(strcpy(whole, PREFIX) + strlen(PREFIX), database);
	*end++ = SEPARATOR;
	end = append(end, role);
	*end = '\0';
	len = end - whole;
	if (len < SMF_SESSION_NAME_SIZE)
		memcpy(name, whole, len + 1);
	else
		good = cut(whole, len, name);
	free(whole);
	return good;
}
