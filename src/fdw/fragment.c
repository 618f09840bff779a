/*-------------------------------------------------------------------------
 *
 * fragment.c
 *		A string that every text matching a pattern contains, of characters that the
 *		service's NameContains and Contains accept.
 *
 * This is pure string code: it needs only palloc from Postgres.
 *
 * Not accounted for: patterns whose plain characters do not decide.  There is no fragment
 * then, and the service is not asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/ascii.h"
#include "fdw/fragment.h"
#include "jobs/operation.h"

static bool
is_fragment_char(char c)
{
	return smf_is_alphanumeric(c) || c == '-';
}

/*
 * Keep a run of characters, or as much of it as the service accepts, if it is the longest
 * so far.
 */
static void
consider_run(const char *begin, size_t len, char **longest)
{
	if (len > SMF_NAME_CONTAINS_MAX)
		len = SMF_NAME_CONTAINS_MAX;
	if (len > (*longest ? strlen(*longest) : 0))
		*longest = pnstrdup(begin, len);
}

/*
 * smf_fragment_of_text
 *		The longest run of characters that the service accepts, palloc'ed; NULL if
 *		there is none.
 */
char *
smf_fragment_of_text(const char *text)
{
	char	   *longest = NULL;
	const char *begin = text;

	for (;; text++)
	{
		if (is_fragment_char(*text))
			continue;
		consider_run(begin, text - begin, &longest);
		if (*text == '\0')
			return longest;
		begin = text + 1;
	}
}

/*
 * smf_fragment_of_like
 *		The same for the literal parts of a LIKE pattern.
 */
char *
smf_fragment_of_like(const char *pattern)
{
	char	   *literal = pstrdup(pattern);
	char	   *to = literal;

	for (const char *from = pattern; *from; from++)
	{
		if (*from == '%' || *from == '_')
			*to++ = ' ';		/* a character that the service does not accept */
		else if (*from == '\\' && from[1] != '\0')
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*to = '\0';
	return smf_fragment_of_text(literal);
}

/*
 * smf_text_of_like
 *		The only text that matches a LIKE pattern, palloc'ed; NULL if others may match,
 *		or if the pattern ends with an escape, which is an error.
 */
char *
smf_text_of_like(const char *pattern)
{
	char	   *text = pstrdup(pattern);
	char	   *to = text;

	for (const char *from = pattern; *from; from++)
	{
		if (*from == '%' || *from == '_')
			return NULL;
		if (*from == '\\' && *++from == '\0')
			return NULL;
		*to++ = *from;
	}
	*to = '\0';
	return text;
}

/*
 * smf_fragment_of_regex
 *		What a text must begin with to match a regular expression, palloc'ed: letters,
 *		digits and hyphens after "^" that represent themselves.  NULL if that is not
 *		clear.
 */
char *
smf_fragment_of_regex(const char *pattern)
{
	const char *begin = pattern + 1;
	const char *end = begin;

	if (pattern[0] != '^' || strchr(pattern, '|') != NULL)
		return NULL;
	while (is_fragment_char(*end))
		end++;
	/* a quantifier may make the last character optional, even after a comment */
	if (end > begin && (*end == '*' || *end == '?' || *end == '{' || *end == '+' ||
						strncmp(end, "(?#", 3) == 0))
		end--;
	return end > begin ? pnstrdup(begin, Min(end - begin, SMF_NAME_CONTAINS_MAX)) : NULL;
}
