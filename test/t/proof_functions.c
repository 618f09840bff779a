/*-------------------------------------------------------------------------
 *
 * proof_functions.c
 *		The functions of jobs/proof.c as functions of SQL, for proof.py.
 *
 * A library of its own, so that the extension has none of them.  Sets of attributes are
 * names with a blank between them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "jobs/proof.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(proof_may_ask);
PG_FUNCTION_INFO_V1(proof_same_version);
PG_FUNCTION_INFO_V1(proof_attributes);
PG_FUNCTION_INFO_V1(proof_differences);

static text *
names_of(AttributeSet set)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < smf_nattributes; i++)
	{
		if ((set & smf_attribute_bit(&smf_attributes[i])) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? " " : "", smf_attributes[i].api_name);
	}
	return cstring_to_text(names.data);
}

/* (summary jsonb, date_s bigint) returns boolean */
Datum
proof_may_ask(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(smf_proof_may_ask(&PG_GETARG_JSONB_P(0)->root, PG_GETARG_INT64(1)));
}

/* (summary jsonb, document jsonb) returns boolean */
Datum
proof_same_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(smf_proof_same_version(&PG_GETARG_JSONB_P(0)->root, &PG_GETARG_JSONB_P(1)->root));
}

/* (summary jsonb, record jsonb) returns text */
Datum
proof_attributes(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(names_of(smf_proof_attributes(&PG_GETARG_JSONB_P(0)->root,
												   &PG_GETARG_JSONB_P(1)->root)));
}

/* (document jsonb, record jsonb, compared bigint) returns text */
Datum
proof_differences(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(names_of(smf_proof_differences(&PG_GETARG_JSONB_P(0)->root,
													&PG_GETARG_JSONB_P(1)->root,
													(AttributeSet) PG_GETARG_INT64(2))));
}
