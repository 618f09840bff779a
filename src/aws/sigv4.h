/*-------------------------------------------------------------------------
 *
 * sigv4.h
 *		AWS Signature Version 4 for one request.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SIGV4_H
#define SMF_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in a SHA-256 digest, and in its hexadecimal form with its NUL. */
#define SMF_SHA256_SIZE 32
#define SMF_SHA256_HEX_SIZE 65

/* "20200826T173652Z" with its NUL. */
#define SMF_SIGV4_DATE_SIZE 17

/* A header to be signed. */
typedef struct SigV4Header
{
	const char *name;			/* in lower case */
	const char *value;
} SigV4Header;

/* What is signed.  Everything belongs to the caller. */
typedef struct SigV4Request
{
	const char *method;
	const char *path;			/* as sent, percent-encoded where necessary; begins with / */
	const char *query;			/* canonical: encoded, sorted by name; "" for none */
	const SigV4Header *headers; /* sorted by name */
	int			nheaders;
	const char *payload;
	size_t		payload_len;
} SigV4Request;

/* The keys to sign with.  A session token is signed as a header, by the caller. */
typedef struct SigV4Keys
{
	const char *access_key_id;
	const char *secret_access_key;
} SigV4Keys;

/* Where and when a signature is valid. */
typedef struct SigV4Scope
{
	const char *region;
	const char *service;		/* the signing name */
	int64_t		time_s;			/* epoch seconds */
} SigV4Scope;

/*
 * The signing key derived last.  A zeroed cache is valid and empty.  The key is the only
 * secret in it; it is valid for one day, region and service.
 */
typedef struct SigV4KeyCache
{
	bool		valid;
	unsigned char identity[SMF_SHA256_SIZE];	/* digest of keys and scope */
	unsigned char key[SMF_SHA256_SIZE];
} SigV4KeyCache;

extern bool smf_sigv4_date(int64_t time_s, char date[SMF_SIGV4_DATE_SIZE]);
extern char *smf_sigv4_canonical_request(const SigV4Request *request);
extern char *smf_sigv4_string_to_sign(const SigV4Scope *scope, const char *canonical_request);
extern bool smf_sigv4_derive_key(const SigV4Keys *keys, const SigV4Scope *scope,
								 unsigned char key[SMF_SHA256_SIZE]);
extern bool smf_sigv4_signature(const unsigned char key[SMF_SHA256_SIZE],
								const char *string_to_sign,
								char signature[SMF_SHA256_HEX_SIZE]);
extern char *smf_sigv4_authorization(SigV4KeyCache *cache, const SigV4Keys *keys,
									 const SigV4Scope *scope, const SigV4Request *request);
extern void smf_sigv4_cache_clear(SigV4KeyCache *cache);

#endif							/* SMF_SIGV4_H */
