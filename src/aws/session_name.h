/*-------------------------------------------------------------------------
 *
 * session_name.h
 *		The name of an assumed role's session.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SESSION_NAME_H
#define SMF_SESSION_NAME_H

#include <stdbool.h>

/* The longest name that STS accepts, with its NUL. */
#define SMF_SESSION_NAME_SIZE (64 + 1)

extern bool smf_session_name(const char *database, const char *role, char *name);

#endif							/* SMF_SESSION_NAME_H */
