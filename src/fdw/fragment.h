/*-------------------------------------------------------------------------
 *
 * fragment.h
 *		A string that every text matching a pattern contains, of characters that the
 *		service's NameContains and Contains accept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_FRAGMENT_H
#define SMF_FRAGMENT_H

extern char *smf_fragment_of_text(const char *text);
extern char *smf_fragment_of_like(const char *pattern);
extern char *smf_text_of_like(const char *pattern);
extern char *smf_fragment_of_regex(const char *pattern);

#endif							/* SMF_FRAGMENT_H */
