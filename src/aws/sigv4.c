/*-------------------------------------------------------------------------
 *
 * sigv4.c
 *		AWS Signature Version 4 for one request.
 *
 *		request -> canonical request -> string to sign \
 *												   secret -> key -> signature -> header
 *
 * Pure, apart from caches: the time is an argument, and each stage can be called by
 * itself, so that a failing test shows which one is wrong.  Nothing here raises an error:
 * a stage returns NULL or false if memory runs out or OpenSSL fails.  Anything derived
 * from the secret is overwritten before its memory is freed.
 *
 * Not accounted for: S3's rules for paths, presigned URLs, chunked payloads.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/params.h>
#endif

#include "aws/ascii.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define SECRET_PREFIX "AWS4"

/* "20200826" with its NUL. */
#define DAY_SIZE 9

/* Text that grows.  Once memory has run out it stays failed. */
typedef struct Text
{
	char	   *data;			/* malloc'ed, NUL-terminated */
	size_t		len;
	size_t		size;			/* bytes allocated */
	bool		failed;
} Text;

static void
append_bytes(Text *text, const char *bytes, size_t len)
{
	if (text->failed)
		return;
	if (text->len + len + 1 > text->size)
	{
		size_t		size = (text->len + len + 1) * 2 + 256;
		char	   *grown = malloc(size);

		if (grown == NULL)
		{
			text->failed = true;
			return;
		}
		/* not realloc: it would leave a copy behind, and the text may contain a secret */
		if (text->data != NULL)
		{
			memcpy(grown, text->data, text->len);
			OPENSSL_cleanse(text->data, text->len);
			free(text->data);
		}
		text->data = grown;
		text->size = size;
	}
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

static void
append(Text *text, const char *string)
{
	append_bytes(text, string, strlen(string));
}

/* The text, for the caller to free; NULL if memory ran out. */
static char *
finish(Text *text)
{
	if (!text->failed)
		return text->data;
	free(text->data);
	return NULL;
}

static void
to_hex(const unsigned char *bytes, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
	{
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * len] = '\0';
}

/* ----- OpenSSL ----- */

#if OPENSSL_VERSION_NUMBER >= 0x30000000L

/*
 * A context for digests, created once per process: looking up an algorithm takes OpenSSL
 * longer than using it.  NULL without memory.
 */
static EVP_MD_CTX *
digest_context(void)
{
	static EVP_MD_CTX *context;
	EVP_MD	   *algorithm;

	if (context == NULL)
	{
		algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
		if (algorithm == NULL || context == NULL || EVP_DigestInit_ex(context, algorithm, NULL) != 1)
		{
			EVP_MD_CTX_free(context);
			context = NULL;
		}
		/* from now on the context holds a reference */
		EVP_MD_free(algorithm);
	}
	return context;
}

static bool
sha256(const char *data, size_t len, unsigned char digest[SMF_SHA256_SIZE])
{
	EVP_MD_CTX *context = digest_context();

	return context != NULL && EVP_DigestInit_ex(context, NULL, NULL) == 1 &&
		EVP_DigestUpdate(context, data, len) == 1 && EVP_DigestFinal_ex(context, digest, NULL) == 1;
}

/* The same for an HMAC; the context keeps what it derived from the last key. */
static EVP_MAC_CTX *
hmac_context(void)
{
	static EVP_MAC_CTX * context;
	EVP_MAC    *algorithm;
	OSSL_PARAM	parameters[2];

	if (context == NULL)
	{
		parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0);
		parameters[1] = OSSL_PARAM_construct_end();
		algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
		context = algorithm != NULL ? EVP_MAC_CTX_new(algorithm) : NULL;
		if (context != NULL && EVP_MAC_CTX_set_params(context, parameters) != 1)
		{
			EVP_MAC_CTX_free(context);
			context = NULL;
		}
		EVP_MAC_free(algorithm);
	}
	return context;
}

static bool
hmac(const void *key, size_t key_len, const char *data, unsigned char out[SMF_SHA256_SIZE])
{
	EVP_MAC_CTX *context = hmac_context();

	return context != NULL && EVP_MAC_init(context, key, key_len, NULL) == 1 &&
		EVP_MAC_update(context, (const unsigned char *) data, strlen(data)) == 1 &&
		EVP_MAC_final(context, out, NULL, SMF_SHA256_SIZE) == 1;
}

#else

static bool
sha256(const char *data, size_t len, unsigned char digest[SMF_SHA256_SIZE])
{
	return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1;
}

static bool
hmac(const void *key, size_t key_len, const char *data, unsigned char out[SMF_SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int) key_len, (const unsigned char *) data, strlen(data),
				out, NULL) != NULL;
}

#endif

/* ----- the stages ----- */

static bool
sha256_hex(const char *data, size_t len, char hex[SMF_SHA256_HEX_SIZE])
{
	unsigned char digest[SMF_SHA256_SIZE];

	if (!sha256(data, len, digest))
		return false;
	to_hex(digest, sizeof(digest), hex);
	return true;
}

/*
 * smf_sigv4_date
 *		The time in the format of X-Amz-Date; false, and an empty string, for a year
 *		that does not have four digits.
 */
bool
smf_sigv4_date(int64_t time_s, char date[SMF_SIGV4_DATE_SIZE])
{
	/* many requests are signed in the same second, and each needs the date a few times */
	static int64_t last_s;
	static char last[SMF_SIGV4_DATE_SIZE];
	time_t		time = (time_t) time_s;
	struct tm	tm;

	if (last[0] == '\0' || last_s != time_s)
	{
		/* where time_t has 32 bits it ends in 2038 */
		if (time != time_s || gmtime_r(&time, &tm) == NULL ||
			strftime(last, SMF_SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) != SMF_SIGV4_DATE_SIZE - 1)
			last[0] = '\0';
		last_s = time_s;
	}
	memcpy(date, last, SMF_SIGV4_DATE_SIZE);
	return date[0] != '\0';
}

/* The day, which a scope begins with. */
static bool
day_of(int64_t time_s, char day[DAY_SIZE])
{
	char		date[SMF_SIGV4_DATE_SIZE];

	if (!smf_sigv4_date(time_s, date))
		return false;
	memcpy(day, date, DAY_SIZE - 1);
	day[DAY_SIZE - 1] = '\0';
	return true;
}

/* "20200826/us-east-1/sagemaker/aws4_request" */
static void
append_scope(Text *text, const SigV4Scope *scope, const char *day)
{
	append(text, day);
	append(text, "/");
	append(text, scope->region);
	append(text, "/");
	append(text, scope->service);
	append(text, "/" TERMINATOR);
}

/*
 * Every service except S3 signs the path with one more level of encoding than it is sent
 * with.
 */
static void
append_encoded_path(Text *text, const char *path)
{
	for (; *path != '\0'; path++)
	{
		unsigned char c = (unsigned char) *path;

		if (smf_is_alphanumeric(c) || strchr("-._~/", c) != NULL)
			append_bytes(text, path, 1);
		else
		{
			char		encoded[4];

			snprintf(encoded, sizeof(encoded), "%%%02X", c);
			append(text, encoded);
		}
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * A header's value without surrounding blanks, and with each inner run of blanks as one
 * space.
 */
static void
append_header_value(Text *text, const char *value)
{
	bool		first = true;

	for (;;)
	{
		size_t		len = 0;

		while (is_blank(*value))
			value++;
		while (value[len] != '\0' && !is_blank(value[len]))
			len++;
		if (len == 0)
			return;
		if (!first)
			append(text, " ");
		append_bytes(text, value, len);
		value += len;
		first = false;
	}
}

static void
append_header_names(Text *text, const SigV4Request *request)
{
	for (int i = 0; i < request->nheaders; i++)
	{
		if (i > 0)
			append(text, ";");
		append(text, request->headers[i].name);
	}
}

/*
 * smf_sigv4_canonical_request
 *		The first stage, malloc'ed; NULL on failure.
 */
char *
smf_sigv4_canonical_request(const SigV4Request *request)
{
	Text		text = {0};
	char		payload_hash[SMF_SHA256_HEX_SIZE];

	if (!sha256_hex(request->payload, request->payload_len, payload_hash))
		return NULL;
	append(&text, request->method);
	append(&text, "\n");
	append_encoded_path(&text, request->path);
	append(&text, "\n");
	append(&text, request->query);
	append(&text, "\n");
	for (int i = 0; i < request->nheaders; i++)
	{
		append(&text, request->headers[i].name);
		append(&text, ":");
		append_header_value(&text, request->headers[i].value);
		append(&text, "\n");
	}
	append(&text, "\n");
	append_header_names(&text, request);
	append(&text, "\n");
	append(&text, payload_hash);
	return finish(&text);
}

/*
 * smf_sigv4_string_to_sign
 *		The second stage, malloc'ed; NULL on failure.
 */
char *
smf_sigv4_string_to_sign(const SigV4Scope *scope, const char *canonical_request)
{
	Text		text = {0};
	char		date[SMF_SIGV4_DATE_SIZE];
	char		day[DAY_SIZE];
	char		request_hash[SMF_SHA256_HEX_SIZE];

	if (!smf_sigv4_date(scope->time_s, date) || !day_of(scope->time_s, day) ||
		!sha256_hex(canonical_request, strlen(canonical_request), request_hash))
		return NULL;
	append(&text, ALGORITHM "\n");
	append(&text, date);
	append(&text, "\n");
	append_scope(&text, scope, day);
	append(&text, "\n");
	append(&text, request_hash);
	return finish(&text);
}

/*
 * smf_sigv4_derive_key
 *		The signing key for a secret, day, region and service; false on failure.
 */
bool
smf_sigv4_derive_key(const SigV4Keys *keys, const SigV4Scope *scope,
					 unsigned char key[SMF_SHA256_SIZE])
{
	size_t		secret_len = strlen(SECRET_PREFIX) + strlen(keys->secret_access_key);
	char	   *secret = malloc(secret_len + 1);
	unsigned char stage[SMF_SHA256_SIZE];
	char		day[DAY_SIZE];
	bool		ok;

	if (secret == NULL)
		return false;
	snprintf(secret, secret_len + 1, "%s%s", SECRET_PREFIX, keys->secret_access_key);
	ok = day_of(scope->time_s, day) &&
		hmac(secret, secret_len, day, stage) &&
		hmac(stage, sizeof(stage), scope->region, key) &&
		hmac(key, SMF_SHA256_SIZE, scope->service, stage) &&
		hmac(stage, sizeof(stage), TERMINATOR, key);
	OPENSSL_cleanse(secret, secret_len);
	OPENSSL_cleanse(stage, sizeof(stage));
	if (!ok)
		OPENSSL_cleanse(key, SMF_SHA256_SIZE);
	free(secret);
	return ok;
}

/*
 * smf_sigv4_signature
 *		The last stage: the string signed, in hexadecimal; false on failure.
 */
bool
smf_sigv4_signature(const unsigned char key[SMF_SHA256_SIZE], const char *string_to_sign,
					char signature[SMF_SHA256_HEX_SIZE])
{
	unsigned char digest[SMF_SHA256_SIZE];

	if (!hmac(key, SMF_SHA256_SIZE, string_to_sign, digest))
		return false;
	to_hex(digest, sizeof(digest), signature);
	return true;
}

/*
 * Identify the signing key that belongs to keys and scope.  The secret is part of it, as
 * a digest: it may change while the access key id stays the same.
 */
static bool
key_identity(const SigV4Keys *keys, const SigV4Scope *scope,
			 unsigned char identity[SMF_SHA256_SIZE])
{
	Text		text = {0};
	char		day[DAY_SIZE];
	bool		ok;

	if (!day_of(scope->time_s, day))
		return false;
	/* with their NULs: different lists of strings then give different bytes */
	append_bytes(&text, day, strlen(day) + 1);
	append_bytes(&text, scope->region, strlen(scope->region) + 1);
	append_bytes(&text, scope->service, strlen(scope->service) + 1);
	append_bytes(&text, keys->access_key_id, strlen(keys->access_key_id) + 1);
	append_bytes(&text, keys->secret_access_key, strlen(keys->secret_access_key) + 1);
	ok = !text.failed && sha256(text.data, text.len, identity);
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.len);
	free(text.data);
	return ok;
}

/* Make the cache contain the key for the keys and the scope; false on failure. */
static bool
fill_cache(SigV4KeyCache *cache, const SigV4Keys *keys, const SigV4Scope *scope)
{
	unsigned char identity[SMF_SHA256_SIZE];

	if (!key_identity(keys, scope, identity))
		return false;
	if (cache->valid && memcmp(cache->identity, identity, sizeof(identity)) == 0)
		return true;
	cache->valid = smf_sigv4_derive_key(keys, scope, cache->key);
	memcpy(cache->identity, identity, sizeof(identity));
	return cache->valid;
}

/*
 * smf_sigv4_authorization
 *		All stages: the value of the Authorization header, malloc'ed; NULL on failure.
 *
 * The request's headers must include x-amz-date, with the same time as the scope.
 */
char *
smf_sigv4_authorization(SigV4KeyCache *cache, const SigV4Keys *keys, const SigV4Scope *scope,
						const SigV4Request *request)
{
	Text		text = {0};
	char	   *canonical_request = smf_sigv4_canonical_request(request);
	char	   *string_to_sign = NULL;
	char		signature[SMF_SHA256_HEX_SIZE];
	char		day[DAY_SIZE];
	bool		ok;

	if (canonical_request != NULL)
		string_to_sign = smf_sigv4_string_to_sign(scope, canonical_request);
	ok = string_to_sign != NULL && fill_cache(cache, keys, scope) &&
		smf_sigv4_signature(cache->key, string_to_sign, signature) &&
		day_of(scope->time_s, day);
	/* the canonical request contains the session token */
	if (canonical_request != NULL)
		OPENSSL_cleanse(canonical_request, strlen(canonical_request));
	free(canonical_request);
	free(string_to_sign);
	if (!ok)
		return NULL;

	append(&text, ALGORITHM " Credential=");
	append(&text, keys->access_key_id);
	append(&text, "/");
	append_scope(&text, scope, day);
	append(&text, ", SignedHeaders=");
	append_header_names(&text, request);
	append(&text, ", Signature=");
	append(&text, signature);
	return finish(&text);
}

/* Empty the cache, overwriting the key. */
void
smf_sigv4_cache_clear(SigV4KeyCache *cache)
{
	OPENSSL_cleanse(cache, sizeof(*cache));
	cache->valid = false;
}
