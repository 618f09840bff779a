/*-------------------------------------------------------------------------
 *
 * jobs.h
 *		What differs between the Postgres versions for jobs/: how jsonb is built.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_JOBS_H
#define SMF_COMPAT_JOBS_H

#include "compat/base.h"
#include "utils/jsonb.h"

/* A jsonb that is being built; zero to begin with. */
#if PG_VERSION_NUM >= 190000
typedef JsonbInState JsonbBuilder;
#else
typedef struct JsonbBuilder
{
	JsonbParseState *parseState;	/* what is open */
	JsonbValue *result;			/* the whole, when nothing is */
} JsonbBuilder;
#endif

/* The next token of it, with its value if it has one. */
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
