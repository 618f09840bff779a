/*-------------------------------------------------------------------------
 *
 * jobs.h
 *		Postgres version differences for jobs/: how jsonb is built.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_JOBS_H
#define SMF_COMPAT_JOBS_H

#include "compat/base.h"
#include "utils/jsonb.h"

/* A jsonb under construction; starts as zero. */
#if PG_VERSION_NUM >= 190000
typedef JsonbInState JsonbBuilder;
#else
typedef struct JsonbBuilder
{
	JsonbParseState *parseState;	/* what is still open */
	JsonbValue *result;			/* the whole value, once nothing is open */
} JsonbBuilder;
#endif

/* Append the next token, with its value if it has one. */
static inline void
smf_push_jsonb(JsonbBuilder *builder, JsonbIteratorToken token, JsonbValue *value)
{
#if PG_VERSION_NUM >= 190000
	pushJsonbValue(builder, token, value);
#else
	builder->result = pushJsonbValue(&builder->parseState, token, value);
#endif
}

#endif							/* SMF_COMPAT_JOBS_H */
