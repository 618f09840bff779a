/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *		Epoch seconds, as the service writes them, as timestamps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_TIMESTAMP_H
#define SMF_TIMESTAMP_H

#include "datatype/timestamp.h"

/* Where Postgres begins to count time, in epoch seconds. */
#define SMF_POSTGRES_EPOCH_S ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400))

extern bool smf_timestamp_from_decimal(const char *text, TimestampTz *result);

#endif							/* SMF_TIMESTAMP_H */
