/*-------------------------------------------------------------------------
 *
 * json_build.h
 *		JSON from the service as jsonb, in one pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JSON_BUILD_H
#define SMF_JSON_BUILD_H

#include "aws/json.h"

extern Jsonb *smf_json_build(const char *text, size_t len, const JsonMembers *members, int depth);

#endif							/* SMF_JSON_BUILD_H */
