/*-------------------------------------------------------------------------
 *
 * value.h
 *		Converts single JSON values to datums of a column's type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_VALUE_H
#define SMF_VALUE_H

#include "jobs/attribute.h"
#include "option.h"
#include "utils/jsonb.h"

typedef struct ValueReader ValueReader;

extern ValueReader *smf_value_reader_create(Oid type_id, int32 typmod, SmfUnknownEnum unknown_enum);
extern bool smf_value_read(ValueReader *reader, const SmfAttribute *attribute, JsonbValue *value,
						   Datum *result);
extern void smf_value_read_null(ValueReader *reader);

extern void smf_value_set_string(JsonbValue *value, const char *text, int len);
extern void smf_value_set_jsonb(JsonbValue *value, Jsonb *jsonb);
extern Jsonb *smf_value_with_timestamps(JsonbContainer *list, const char *const *members);

#endif							/* SMF_VALUE_H */
