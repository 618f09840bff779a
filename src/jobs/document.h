/*-------------------------------------------------------------------------
 *
 * document.h
 *		Responses read as jsonb, and checked for the shape they must have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_DOCUMENT_H
#define SMF_DOCUMENT_H

#include "aws/client.h"
#include "utils/jsonb.h"

extern Jsonb *smf_document_parse(AwsCall *call, const char *job_name);
extern Jsonb *smf_document_describe(AwsCall *call, const char *job_name);
extern JsonbContainer *smf_document_list(AwsCall *call, Jsonb *response,
										 const char *member, const char *job_name);
extern char *smf_document_next_token(AwsCall *call, Jsonb *response, const char *job_name);
extern char *smf_document_required(AwsCall *call, JsonbContainer *object,
								   const char *key, const char *job_name);
extern void smf_document_object(AwsCall *call, JsonbContainer *object, const char *key,
								JsonbValue *value);
extern Jsonb *smf_document_record_tags(Jsonb *record);
extern Jsonb *smf_document_tags(List *responses);
extern bool smf_document_member(JsonbContainer *object, const char *key, JsonbValue *value);

#endif							/* SMF_DOCUMENT_H */
