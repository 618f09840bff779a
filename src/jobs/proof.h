/*-------------------------------------------------------------------------
 *
 * proof.h
 *		Whether a Search record can replace a training job's document.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROOF_H
#define SMF_PROOF_H

#include "jobs/attribute.h"
#include "utils/jsonb.h"

extern bool smf_proof_may_ask(JsonbContainer *summary, int64 date_s);
extern bool smf_proof_same_version(JsonbContainer *summary, JsonbContainer *document);
extern AttributeSet smf_proof_obstacles(JsonbContainer *summary, JsonbContainer *record);
extern AttributeSet smf_proof_attributes(JsonbContainer *summary, JsonbContainer *record);
extern AttributeSet smf_proof_differences(JsonbContainer *document, JsonbContainer *record,
										  AttributeSet compared);
extern AttributeSet smf_proof_present(JsonbContainer *job);

#endif							/* SMF_PROOF_H */
