/*-------------------------------------------------------------------------
 *
 * json.h
 *		JSON from the service as jsonb.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JSON_H
#define SMF_JSON_H

#include "utils/jsonb.h"

/* Deepest nesting of objects and arrays that is read. */
#define SMF_JSON_DEPTH_MAX 512

/* Largest decimal exponent, positive or negative, that a number may have. */
#define SMF_JSON_EXPONENT_MAX 400

/* A member by its key. */
typedef struct JsonMember
{
	const char *key;			/* UTF-8, need not be NUL-terminated */
	int			len;			/* of the key, in bytes */
} JsonMember;

/* Members that are read. */
typedef struct JsonMembers
{
	int			n;
	JsonMember *list;			/* n of them; faster without duplicates */
} JsonMembers;

extern Jsonb *smf_json_parse(const char *text, size_t len, const char **reason);
extern Jsonb *smf_json_parse_members(const char *text, size_t len, const JsonMembers *members,
									 int depth, const char **reason);
extern Jsonb *smf_json_parse_secrets(const char *text, size_t len, const char **reason);
extern char *smf_json_member(const Jsonb *object, const char *key);
extern char *smf_text_from_utf8(const char *text, size_t len);

/* The order of keys in jsonb: by length, then by bytes; the result is like memcmp's. */
static inline int
smf_json_key_order(const char *a, int a_len, const char *b, int b_len)
{
	if (a_len != b_len)
		return a_len > b_len ? 1 : -1;
	return memcmp(a, b, a_len);
}

#endif							/* SMF_JSON_H */
