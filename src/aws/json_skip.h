/*-------------------------------------------------------------------------
 *
 * json_skip.h
 *		Skips JSON values that nobody reads.
 *
 * Free of Postgres headers, so that a program of its own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JSON_SKIP_H
#define SMF_JSON_SKIP_H

extern const char *smf_json_skip(const char *at, const char *end);

#endif							/* SMF_JSON_SKIP_H */
