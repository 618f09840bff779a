/*-------------------------------------------------------------------------
 *
 * expiry.h
 *		When credentials that expire are to be replaced.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_EXPIRY_H
#define SMF_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

extern bool smf_expiry_due(int64_t obtained_at_s, int64_t expires_at_s, int64_t now_s, bool *must);

#endif							/* SMF_EXPIRY_H */
