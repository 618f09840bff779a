/*-------------------------------------------------------------------------
 *
 * document.c
 *		Responses read as jsonb, and checked for the shape they must have.
 *
 * Only what this extension itself relies on is checked here: that a response is an
 * object, that a page contains a list, that a job has a name.  row.c checks whether a
 * value fits its column, when a query reads it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "aws/account.h"
#include "aws/call_error.h"
#include "compat/base.h"
#include "compat/jobs.h"
#include "jobs/document.h"
#include "jobs/operation.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Raise that a response is not as the API documents it; "what" completes "response ...". */
smf_noreturn static void
raise_shape(const AwsCall *call, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("response of %s %s", smf_call_operation(call), what),
			 smf_call_errdetail(call, NULL)));
}

/* Does a body begin as an object does? */
static bool
begins_object(const char *body, size_t len)
{
	size_t		i = 0;

	while (i < len && strchr(" \t\r\n", body[i]) != NULL)
		i++;
	return i < len && body[i] == '{';
}

/*
 * smf_document_member
 *		Look up a member of an object; false if it is absent or null, which the API
 *		treats as the same.
 */
bool
smf_document_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		value->type != jbvNull;
}

/*
 * smf_document_parse
 *		The response of a call that succeeded, as a jsonb object in the current memory
 *		context; the call's body is freed.  Raises 08P01 if it is anything else.
 */
Jsonb *
smf_document_parse(AwsCall *call)
{
	return smf_document_parse_members(call, NULL, 0);
}

/*
 * smf_document_parse_members
 *		The same, but only "members" are read of objects at which "depth" brackets are
 *		open; NULL: all.
 */
Jsonb *
smf_document_parse_members(AwsCall *call, const JsonMembers *members, int depth)
{
	size_t		len;
	const char *body = smf_call_body(call, &len);
	const char *reason;
	Jsonb	   *response = smf_json_parse_members(body, len, members, depth, &reason);

	if (response == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("response of %s is not valid JSON", smf_call_operation(call)),
				 smf_call_errdetail(call, smf_call_may_quote(call) ? reason : NULL),
				 begins_object(body, len) ? 0 : errhint("%s", smf_call_stranger(call))));
	if (!JB_ROOT_IS_OBJECT(response))
		raise_shape(call, "is not a JSON object");
	smf_call_forget_body(call);
	return response;
}

/*
 * Members that are read whatever the query reads: they identify the job, and its place in
 * the list.
 */
static const char *const own_members[] = {"TrainingJobName", "TrainingJobArn", "CreationTime"};

/* Add a member unless it is already in the list. */
static void
add_member(JsonMembers *members, const char *key, int len)
{
	JsonMember *member;

	for (int i = 0; i < members->n; i++)
	{
		if (members->list[i].len == len && memcmp(members->list[i].key, key, len) == 0)
			return;
	}
	members->list = members->list ? repalloc(members->list, (members->n + 1) * sizeof(JsonMember)) :
		palloc(sizeof(JsonMember));
	member = &members->list[members->n++];
	member->key = key;
	member->len = len;
}

/*
 * smf_document_members
 *		The members of a job's document or record that must be read to get what these
 *		dotted paths (char *) lead to, in the current memory context.  The paths must
 *		outlive the result.
 *
 * Keys may contain dots themselves, so a path may begin with any of several members.
 */
const JsonMembers *
smf_document_members(List *paths)
{
	JsonMembers *members = palloc0(sizeof(JsonMembers));
	ListCell   *lc;

	for (int i = 0; i < lengthof(own_members); i++)
		add_member(members, own_members[i], strlen(own_members[i]));
	foreach(lc, paths)
	{
		const char *path = lfirst(lc);

		for (int len = 1; path[len - 1] != '\0'; len++)
		{
			if (path[len] == '.' || path[len] == '\0')
				add_member(members, path, len);
		}
	}
	return members;
}

/*
 * smf_document_required
 *		A string member that must be there, palloc'ed.
 */
char *
smf_document_required(const AwsCall *call, JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (!smf_document_member(object, key, &value))
		raise_shape(call, psprintf("lacks %s", key));
	if (value.type != jbvString)
		raise_shape(call, psprintf("has a %s that is not a string", key));
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * smf_document_object
 *		A member that must be there, and be an object; returned in *value.
 */
void
smf_document_object(const AwsCall *call, JsonbContainer *object, const char *key, JsonbValue *value)
{
	if (!smf_document_member(object, key, value))
		raise_shape(call, psprintf("lacks %s", key));
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		raise_shape(call, psprintf("has a %s that is not an object", key));
}

/*
 * smf_document_job
 *		The answer of Describe, the document of one training job, in the current memory
 *		context, with only "members"; NULL: all.
 *
 * Raises 28000 if the job belongs to another account than the expected one.
 */
Jsonb *
smf_document_job(AwsCall *call, const JsonMembers *members)
{
	Jsonb	   *document = smf_document_parse_members(call, members, SMF_DOCUMENT_DEPTH);

	pfree(smf_document_required(call, &document->root, "TrainingJobName"));
	if (smf_call_means_account(call))
		smf_call_check_account(call, smf_document_required(call, &document->root, "TrainingJobArn"));
	return document;
}

/*
 * smf_document_array
 *		A member that must be a list; NULL if it is absent.
 */
JsonbContainer *
smf_document_array(const AwsCall *call, Jsonb *response, const char *member)
{
	JsonbValue	value;

	if (!smf_document_member(&response->root, member, &value))
		return NULL;
	if (value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data))
		raise_shape(call, psprintf("has a %s that is not a list", member));
	return value.val.binary.data;
}

/*
 * smf_document_list
 *		The same; its elements must be objects.
 */
JsonbContainer *
smf_document_list(const AwsCall *call, Jsonb *response, const char *member)
{
	JsonbContainer *list = smf_document_array(call, response, member);
	int			n = list ? JsonContainerSize(list) : 0;

	for (int i = 0; i < n; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(list, i);

		if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
			raise_shape(call, psprintf("has an element of %s that is not an object", member));
	}
	return list;
}

/*
 * smf_document_next_token
 *		The token for the next page, palloc'ed; NULL on the last page.
 */
char *
smf_document_next_token(const AwsCall *call, Jsonb *response)
{
	JsonbValue	value;

	if (!smf_document_member(&response->root, "NextToken", &value))
		return NULL;
	if (value.type != jbvString)
		raise_shape(call, "has a NextToken that is not a string");
	if (value.val.string.len == 0)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * smf_document_tags
 *		The tags in ListTags responses as one object, key to value.
 *
 * The responses were checked before: every tag has a Key and a Value, both strings.
 */
Jsonb *
smf_document_tags(List *responses)
{
	JsonbBuilder tags_object = {0};
	ListCell   *lc;

	smf_push_jsonb(&tags_object, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, responses)
	{
		Jsonb	   *response = lfirst(lc);
		JsonbValue	tags;
		int			n = 0;

		if (smf_document_member(&response->root, "Tags", &tags))
			n = JsonContainerSize(tags.val.binary.data);
		for (int i = 0; i < n; i++)
		{
			JsonbContainer *tag = getIthJsonbValueFromContainer(tags.val.binary.data, i)->val.binary.data;
			JsonbValue	key;
			JsonbValue	value;

			(void) smf_document_member(tag, "Key", &key);
			(void) smf_document_member(tag, "Value", &value);
			smf_push_jsonb(&tags_object, WJB_KEY, &key);
			smf_push_jsonb(&tags_object, WJB_VALUE, &value);
		}
	}
	smf_push_jsonb(&tags_object, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(tags_object.result);
}

/*
 * smf_document_record_tags
 *		The tags in a Search record as one object, key to value.
 *
 * Elements that are not valid tags are skipped: the record was not checked for that.
 */
Jsonb *
smf_document_record_tags(Jsonb *record)
{
	JsonbBuilder tags_object = {0};
	JsonbValue	tags;
	int			n = 0;

	if (smf_document_member(&record->root, "Tags", &tags) && tags.type == jbvBinary &&
		JsonContainerIsArray(tags.val.binary.data))
		n = JsonContainerSize(tags.val.binary.data);
	smf_push_jsonb(&tags_object, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue *tag = getIthJsonbValueFromContainer(tags.val.binary.data, i);
		JsonbValue	key;
		JsonbValue	value;

		if (tag->type != jbvBinary || !JsonContainerIsObject(tag->val.binary.data) ||
			!smf_document_member(tag->val.binary.data, "Key", &key) || key.type != jbvString ||
			!smf_document_member(tag->val.binary.data, "Value", &value))
			continue;
		smf_push_jsonb(&tags_object, WJB_KEY, &key);
		smf_push_jsonb(&tags_object, WJB_VALUE, &value);
	}
	smf_push_jsonb(&tags_object, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(tags_object.result);
}

/*
 * smf_document_created
 *		When the job of a summary was created, in whole epoch seconds; 0 if it does not
 *		say.
 */
int64
smf_document_created(JsonbContainer *summary)
{
	JsonbValue	created;
	double		s;

	if (!smf_document_member(summary, "CreationTime", &created) || created.type != jbvNumeric)
		return 0;
	s = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
										   NumericGetDatum(created.val.numeric)));
	return (int64) floor(Min(Max(s, 0), SMF_LAST_SECOND));
}
