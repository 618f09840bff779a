/*-------------------------------------------------------------------------
 *
 * document.h
 *		Responses read as jsonb, and checked for the shape they must have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_DOCUMENT_H
#define SMF_DOCUMENT_H

#include "aws/call.h"
#include "aws/json.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/*
 * Brackets that are open in a Search record: the response, Results, an element of it,
 * TrainingJob.
 */
#define SMF_RECORD_DEPTH 4

/* The same in an answer of Describe. */
#define SMF_DOCUMENT_DEPTH 1

extern const JsonMembers *smf_document_members(List *paths);
extern Jsonb *smf_document_parse(AwsCall *call);
extern Jsonb *smf_document_parse_members(AwsCall *call, const JsonMembers *members, int depth);
extern Jsonb *smf_document_job(AwsCall *call, const JsonMembers *members);
extern JsonbContainer *smf_document_array(const AwsCall *call, Jsonb *response, const char *member);
extern JsonbContainer *smf_document_list(const AwsCall *call, Jsonb *response, const char *member);
extern char *smf_document_next_token(const AwsCall *call, Jsonb *response);
extern char *smf_document_required(const AwsCall *call, JsonbContainer *object, const char *key);
extern void smf_document_object(const AwsCall *call, JsonbContainer *object, const char *key,
								JsonbValue *value);
extern Jsonb *smf_document_record_tags(Jsonb *record);
extern Jsonb *smf_document_tags(List *responses);
extern int64 smf_document_created(JsonbContainer *summary);
extern bool smf_document_member(JsonbContainer *object, const char *key, JsonbValue *value);

#endif							/* SMF_DOCUMENT_H */
