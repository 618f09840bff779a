/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *		Converts epoch seconds, as the service writes them, to timestamps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_TIMESTAMP_H
#define SMF_TIMESTAMP_H

#include "datatype/timestamp.h"

/* Where Postgres's timestamps begin, in epoch seconds. */
#define SMF_POSTGRES_EPOCH_S ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400))

extern bool smf_timestamp_from_decimal(const char *text, TimestampTz *result);

#endif							/* SMF_TIMESTAMP_H */
