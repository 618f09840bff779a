/*-------------------------------------------------------------------------
 *
 * compare.h
 *		Values in the service's answers about a job: finding them, comparing them, and
 *		checking whether a column can read them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPARE_H
#define SMF_COMPARE_H

#include "jobs/attribute.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

extern bool smf_jsonb_member(JsonbContainer *container, const char *key, JsonbValue *value);
extern bool smf_jsonb_path(JsonbContainer *job, const char *path, JsonbValue *value);
extern bool smf_jsonb_attribute(JsonbContainer *job, const SmfAttribute *attribute, JsonbValue *value);
extern JsonbContainer *smf_jsonb_object(const JsonbValue *value);
extern JsonbContainer *smf_jsonb_list(const JsonbValue *value);
extern JsonbContainer *smf_jsonb_element(JsonbContainer *list, int index);

extern bool smf_jsonb_is_text(const JsonbValue *value, const char *text);
extern bool smf_jsonb_is_one_of(const JsonbValue *value, const char *const *texts);
extern bool smf_jsonb_same_string(const JsonbValue *a, const JsonbValue *b);
extern bool smf_same_number(Numeric a, Numeric b);
extern bool smf_same_second(Numeric a, Numeric b);
extern int	smf_compare_number(Numeric number, int64 with);
extern bool smf_jsonb_same(const JsonbValue *a, const JsonbValue *b);
extern bool smf_jsonb_same_attribute(JsonbContainer *document, JsonbContainer *record,
									 const SmfAttribute *attribute);

extern bool smf_jsonb_readable(const SmfAttribute *attribute, const JsonbValue *value);

#endif							/* SMF_COMPARE_H */
