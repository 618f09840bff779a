/*-------------------------------------------------------------------------
 *
 * backend.h
 *		As much of a Postgres backend as the parts under test call, and what the
 *		harnesses share.
 *
 * Whatever is allocated here or by palloc lives until fuzz_reset.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_BACKEND_H
#define FUZZ_BACKEND_H

#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/jsonb.h"

/* What was raised last. */
typedef struct FuzzError
{
	int			sqlstate;		/* packed, as errcode takes it */
	char	   *message;
	char	   *detail;			/* NULL: none */
	char	   *hint;			/* NULL: none */
} FuzzError;

/* What is left of an input. */
typedef struct FuzzInput
{
	const uint8_t *at;
	size_t		left;
} FuzzInput;

/* The database encoding: PG_UTF8, PG_LATIN1 or PG_SQL_ASCII. */
extern int	fuzz_encoding;

extern FuzzError fuzz_error;

/* What the JSON parser said of the text that jsonb_in was given last. */
extern JsonParseErrorType fuzz_json_error;

/* libFuzzer calls it with an input that lies in memory of exactly that size. */
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern void fuzz_reset(void);
extern bool fuzz_raises(void (*function) (void *arg), void *arg);
extern bool fuzz_same_json(JsonbContainer *a, JsonbContainer *b);
extern JsonParseErrorType fuzz_parse_json(const char *text, size_t len, int encoding, Jsonb **parsed);

extern uint8_t fuzz_byte(FuzzInput *input);
extern char *fuzz_string(FuzzInput *input);
extern char *fuzz_copy(const void *bytes, size_t len);

extern void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* A finding, unless the condition holds. */
#define FUZZ_CHECK(condition) \
	((condition) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #condition))

#endif							/* FUZZ_BACKEND_H */
