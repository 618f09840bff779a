/*-------------------------------------------------------------------------
 *
 * error_code.h
 *		What the error codes of AWS mean.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ERROR_CODE_H
#define SMF_ERROR_CODE_H

#include <stdbool.h>
#include <stddef.h>

/* Longest AWS error code that is kept, with its NUL. */
#define SMF_ERROR_CODE_SIZE 128

/* What a failed attempt means. */
typedef enum RetryClass
{
	SMF_RETRY_NO,				/* it would fail again */
	SMF_RETRY_TRANSIENT,		/* it may well succeed the next time */
	SMF_RETRY_THROTTLED,		/* too many calls: retry later */
	SMF_RETRY_CLOCK_SKEW,		/* signed with a wrong time */
	SMF_RETRY_EXPIRED			/* signed with expired credentials */
} RetryClass;

/* What a service finds wrong with credentials. */
typedef enum KeyProblem
{
	SMF_KEY_OTHER,				/* none of these, or nothing */
	SMF_KEY_UNKNOWN,			/* the access key id, or its session token */
	SMF_KEY_WRONG_SECRET,		/* the secret key is not that of the id */
	SMF_KEY_EXPIRED,
	SMF_KEY_ELSEWHERE			/* nothing: they were shown to another region or service */
} KeyProblem;

extern void smf_error_code(const char *raw, char *code, size_t size);
extern bool smf_error_code_valid(const char *code);
extern RetryClass smf_error_class(int http_status, const char *code, const char *message);
extern bool smf_error_refuses_credentials(const char *code);
extern KeyProblem smf_error_key_problem(const char *code, const char *message);
extern bool smf_error_denies(const char *code);

#endif							/* SMF_ERROR_CODE_H */
