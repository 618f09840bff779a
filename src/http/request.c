/*-------------------------------------------------------------------------
 *
 * request.c
 *		One request: what libcurl is told about it, what comes back, and how it ended.
 *
 * libcurl holds no palloc'ed memory: requests are malloc'ed, and their owner frees them,
 * even when a memory context goes away.  Callbacks raise no error: they record what went
 * wrong, and that becomes the request's result.  Nothing in the server's environment
 * decides where a request goes or whom it trusts.
 *
 * Headers and bodies contain secrets: both are overwritten before they are freed.
 *
 * Not accounted for: libcurl frees its copies of what is sent and its receive buffers
 * without overwriting them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "http/internal.h"

/* All response headers of one request together, in bytes. */
#define HEADERS_MAX (64 * 1024)

/*
 * First allocations for a response: its body, if its length is not announced, and its
 * headers.
 */
#define BODY_INITIAL (16 * 1024)
#define HEAD_INITIAL 1024

/* Epoch seconds at which the year 9999 begins: dates are before it. */
#define DATE_END_S INT64CONST(253370764800)

/* ----- buffers ----- */

/* Overwrite a buffer's contents and free it; NULL is ignored. */
static void
forget(char *buffer, size_t len)
{
	if (buffer == NULL)
		return;
	OPENSSL_cleanse(buffer, len);
	free(buffer);
}

/* Make room for "more" bytes and a NUL after "len"; false without memory. */
static bool
reserve(char **buffer, size_t *size, size_t len, size_t more, size_t initial)
{
	size_t		want = *size ? *size : initial;
	char	   *grown;

	if (*size > len + more)
		return true;
	while (want <= len + more)
		want *= 2;
	/* not realloc: it may leave a copy behind, and responses contain secrets */
	grown = malloc(want);
	if (grown == NULL)
		return false;
	if (*buffer != NULL)
		memcpy(grown, *buffer, len);
	forget(*buffer, len);
	*buffer = grown;
	*size = want;
	return true;
}

/* ----- libcurl's callbacks: they raise no error ----- */

#if TELLS_WHEN_SENT
static int
sent_callback(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	((HttpRequest *) arg)->sent_us = smf_http_now();
	return CURL_PREREQFUNC_OK;
}
#endif

/* The body's first allocation: all of it, if its length is announced. */
static size_t
initial_size(const HttpRequest *request)
{
	curl_off_t	announced = 0;

	if (curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced) != CURLE_OK ||
		announced <= 0 || announced > request->max_response_size)
		return BODY_INITIAL;
	return announced + 1;
}

/* A piece of the body has arrived. */
static size_t
body_callback(char *data, size_t one, size_t len, void *arg)
{
	HttpRequest *request = arg;

	if (len > request->max_response_size - request->body_len)
	{
		request->failure = SMF_HTTP_TOO_LARGE;
		request->failure_text = "the body is larger than max_response_size";
		return 0;
	}
	if (!reserve(&request->body, &request->body_size, request->body_len, len,
				 request->body ? 0 : initial_size(request)))
	{
		request->failure = SMF_HTTP_NO_MEMORY;
		return 0;
	}
	memcpy(request->body + request->body_len, data, len);
	request->body_len += len;
	request->body[request->body_len] = '\0';
	return len;
}

/* Discard the headers received so far. */
static void
forget_head(HttpRequest *request)
{
	if (request->head != NULL)
		OPENSSL_cleanse(request->head, request->head_len);
	request->head_len = 0;
}

/* A header line has arrived. */
static size_t
header_callback(char *data, size_t one, size_t len, void *arg)
{
	HttpRequest *request = arg;
	size_t		kept = len;

	/* A status line starts a new response: the one before it was a 100-continue. */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		forget_head(request);

	/* The limit covers all headers received, so that endless 1xx responses exceed it too. */
	request->head_seen += len;
	if (request->head_seen > HEADERS_MAX)
	{
		request->failure = SMF_HTTP_TOO_LARGE;
		request->failure_text = "the headers are larger than 64 kB";
		return 0;
	}

	/* Keep the line without its end; skip the empty line after the last header. */
	while (kept > 0 && (data[kept - 1] == '\r' || data[kept - 1] == '\n'))
		kept--;
	if (kept == 0)
		return len;
	if (!reserve(&request->head, &request->head_size, request->head_len, kept, HEAD_INITIAL))
	{
		request->failure = SMF_HTTP_NO_MEMORY;
		return 0;
	}
	memcpy(request->head + request->head_len, data, kept);
	request->head_len += kept;
	request->head[request->head_len++] = '\0';
	return len;
}

/* ----- what libcurl is told ----- */

/* Copy the header lines to send; false without memory. */
static bool
add_headers(HttpRequest *request, const HttpMessage *message)
{
	for (int i = 0; i < message->nheaders; i++)
	{
		struct curl_slist *longer = curl_slist_append(request->headers, message->headers[i]);

		if (longer == NULL)
			return false;
		request->headers = longer;
	}
	return true;
}

static void
free_headers(HttpRequest *request)
{
	for (struct curl_slist *item = request->headers; item != NULL; item = item->next)
		OPENSSL_cleanse(item->data, strlen(item->data));
	curl_slist_free_all(request->headers);
	request->headers = NULL;
}

/* Set all options of the request's handle; false when one cannot be set. */
static bool
set_options(HttpRequest *request, const HttpTarget *target, const HttpMessage *message)
{
	CURL	   *easy = request->easy;
	bool		ok = true;

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

	/*
	 * The handle belongs to this request; the process's signal handlers belong to
	 * Postgres.
	 */
	SET(CURLOPT_PRIVATE, request);
	SET(CURLOPT_ERRORBUFFER, request->error);
	SET(CURLOPT_NOSIGNAL, 1L);
#if SMF_LIBCURL >= 0x075700
	/* a cancel does not wait for a resolver thread */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif

	/*
	 * The request goes where the caller wants, and nowhere else, whatever the environment
	 * says.
	 */
#if SMF_LIBCURL >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_URL, target->url);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_PROXY, target->network.proxy_url ? target->network.proxy_url : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "sagemaker_fdw/" SMF_VERSION);

	/* Verification cannot be turned off. */
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
#if KEEPS_CERTIFICATES
	/* the cache is to be dropped, but other requests are still in flight */
	if (smf_http.disconnect)
		SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	ok = ok && smf_tls_trust(request, target);
	SET(CURLOPT_SHARE, smf_http.share);

	/* The event loop checks the read timeout where libcurl says when the request was sent. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) target->network.connect_timeout_ms);
#if TELLS_WHEN_SENT
	SET(CURLOPT_PREREQFUNCTION, sent_callback);
	SET(CURLOPT_PREREQDATA, request);
#else
	SET(CURLOPT_TIMEOUT_MS, (long) target->network.connect_timeout_ms + target->network.read_timeout_ms);
#endif

	/* Callbacks. */
	SET(CURLOPT_OPENSOCKETFUNCTION, smf_socket_open);
	SET(CURLOPT_OPENSOCKETDATA, request);
	SET(CURLOPT_CLOSESOCKETFUNCTION, smf_socket_close);
	SET(CURLOPT_WRITEFUNCTION, body_callback);
	SET(CURLOPT_WRITEDATA, request);
	SET(CURLOPT_HEADERFUNCTION, header_callback);
	SET(CURLOPT_HEADERDATA, request);

	/* What is sent. */
	SET(CURLOPT_HTTPHEADER, request->headers);
	if (message->body != NULL)
	{
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) message->body_len);
		SET(CURLOPT_COPYPOSTFIELDS, message->body);
	}
	SET(CURLOPT_CUSTOMREQUEST, message->method);
#undef SET
	return ok;
}

/* ----- its life ----- */

/*
 * smf_http_request_make
 *		Create a request that is ready for libcurl; the message is copied.
 *
 * NULL when memory or libcurl fails.  The caller frees it with smf_http_request_delete.
 */
HttpRequest *
smf_http_request_make(const HttpTarget *target, const HttpMessage *message, HttpDone done, void *arg)
{
	HttpRequest *request = calloc(1, sizeof(HttpRequest));

	if (request == NULL)
		return NULL;
	request->done = done;
	request->arg = arg;
	request->max_response_size = target->max_response_size;
	request->read_timeout_us = target->network.read_timeout_ms * INT64CONST(1000);
	request->apart = target->apart;
	request->easy = smf_multi_take_handle();
	if (request->easy == NULL || !add_headers(request, message) ||
		!set_options(request, target, message))
	{
		smf_http_request_delete(request);
		return NULL;
	}
	return request;
}

/*
 * smf_http_request_release
 *		Give back the handle of a request that libcurl no longer has.  The headers sent
 *		are kept: a message that quotes the response must not contain their secrets.
 */
void
smf_http_request_release(HttpRequest *request)
{
	if (request->easy != NULL)
		smf_multi_give_back_handle(request->easy);
	request->easy = NULL;
}

/*
 * smf_http_request_delete
 *		Free a request that libcurl does not have.
 */
void
smf_http_request_delete(HttpRequest *request)
{
	smf_http_request_release(request);
	free_headers(request);
#if !KEEPS_CERTIFICATES
	free(request->ca_bundle);
#endif
	forget(request->body, request->body_len);
	forget(request->head, request->head_len);
	free(request);
}

/*
 * smf_http_request_reset
 *		Let a request start again, and discard everything received so far.
 */
void
smf_http_request_reset(HttpRequest *request)
{
	request->sent_us = 0;
	request->unwatched = false;
	request->failure = SMF_HTTP_PENDING;
	request->failure_text = NULL;
	request->status = 0;
	if (request->body != NULL)
		OPENSSL_cleanse(request->body, request->body_len);
	request->body_len = 0;
	forget_head(request);
	request->head_seen = 0;
	request->error[0] = '\0';
}

/* ----- how it ended ----- */

/* Was the request given to a connection that already existed? */
static bool
on_kept_connection(const HttpRequest *request)
{
	long		opened = 0;

	return curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &opened) == CURLE_OK && opened == 0;
}

/*
 * smf_http_request_use_fresh_connection
 *		Let a request that died on a kept connection start again on a new one; false
 *		for any other request.
 *
 * The service may have closed the kept connection in the meantime.  Then nothing has come
 * back, and nothing is known to be wrong.  libcurl itself tries a few other kept
 * connections, but the service may have closed all of them.
 */
bool
smf_http_request_use_fresh_connection(HttpRequest *request, HttpResult result)
{
	if (result != SMF_HTTP_BROKEN || request->fresh || request->head_seen != 0 ||
		!on_kept_connection(request) ||
		curl_easy_setopt(request->easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK)
		return false;
	request->fresh = true;
	return true;
}

/* Did libcurl get as far as sending the request? */
static bool
was_sent(const HttpRequest *request)
{
#if TELLS_WHEN_SENT
	return request->sent_us != 0;
#else
	curl_off_t	us = 0;
	long		size = 0;

	/*
	 * later releases also give a time for a failed connect; a proxy is sent something
	 * earlier
	 */
	return curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0 &&
		curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &size) == CURLE_OK && size > 0;
#endif
}

/*
 * smf_http_request_result
 *		How a request ended that libcurl has finished, given libcurl's code.
 */
HttpResult
smf_http_request_result(const HttpRequest *request, CURLcode code)
{
	bool		sent = was_sent(request);

	/*
	 * What a callback recorded is the cause of libcurl's code.  But if there was no
	 * descriptor for one address, another address may have succeeded.
	 */
	if (request->failure == SMF_HTTP_NO_DESCRIPTOR && code == CURLE_OK)
		return SMF_HTTP_OK;
	if (request->failure != SMF_HTTP_PENDING)
		return request->failure;

	/* Otherwise the code says it, together with whether the request was sent. */
	switch (code)
	{
		case CURLE_OK:
			return SMF_HTTP_OK;
		case CURLE_OPERATION_TIMEDOUT:
			return sent ? SMF_HTTP_READ_TIMEOUT : SMF_HTTP_CONNECT_TIMEOUT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_CRL_BADFILE:
			return SMF_HTTP_TLS_REFUSED;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_SHUTDOWN_FAILED:
			return SMF_HTTP_TLS_FAILED;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return SMF_HTTP_UNRESOLVED;
		case CURLE_COULDNT_CONNECT:
		case CURLE_URL_MALFORMAT:
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* a reply that is not HTTP is reported as an unsupported protocol */
			if (sent && code == CURLE_UNSUPPORTED_PROTOCOL)
				return SMF_HTTP_MALFORMED;
			return SMF_HTTP_CONNECT_FAILED;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_BAD_CONTENT_ENCODING:
			return SMF_HTTP_MALFORMED;
		case CURLE_OUT_OF_MEMORY:
			return SMF_HTTP_NO_MEMORY;
		default:

			/*
			 * a kept connection was a connection, though it may have died before anything
			 * was sent
			 */
			return sent || on_kept_connection(request) ? SMF_HTTP_BROKEN : SMF_HTTP_CONNECT_FAILED;
	}
}

/* ----- for its owner ----- */

/* How the request ended; SMF_HTTP_PENDING while it is in flight. */
HttpResult
smf_http_result(const HttpRequest *request)
{
	return request->result;
}

/* The failure in words, often libcurl's; may be empty.  Lives as long as the request. */
const char *
smf_http_error(const HttpRequest *request)
{
	if (request->failure_text != NULL)
		return request->failure_text;
	return request->error[0] == '\0' && request->result == SMF_HTTP_READ_TIMEOUT ? "timed out" : request->error;
}

/* The response's HTTP status. */
int
smf_http_status(const HttpRequest *request)
{
	return request->status;
}

/* The response's body, NUL-terminated after *len bytes; it belongs to the request. */
const char *
smf_http_body(const HttpRequest *request, size_t *len)
{
	*len = request->body_len;
	return request->body ? request->body : "";
}

/* The response's body has been read: free its memory. */
void
smf_http_forget_body(HttpRequest *request)
{
	forget(request->body, request->body_len);
	request->body = NULL;
	request->body_size = 0;
	request->body_len = 0;
}

/* The value in a header line; NULL when the header is not "name" (any case). */
static const char *
value_of(const char *line, const char *name)
{
	size_t		name_len = strlen(name);

	if (pg_strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return NULL;
	line += name_len + 1;
	return line + strspn(line, " \t");
}

/*
 * smf_http_header
 *		The value of the response's header "name" (any case), the first one if it
 *		occurs twice; NULL when there is none.
 */
const char *
smf_http_header(const HttpRequest *request, const char *name)
{
	for (size_t at = 0; at < request->head_len; at += strlen(request->head + at) + 1)
	{
		const char *value = value_of(request->head + at, name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/*
 * smf_http_transient
 *		May a request that ended like this, without an answer, succeed if it is sent
 *		again?
 */
bool
smf_http_transient(HttpResult result)
{
	switch (result)
	{
		case SMF_HTTP_UNRESOLVED:
		case SMF_HTTP_CONNECT_FAILED:
		case SMF_HTTP_CONNECT_TIMEOUT:
		case SMF_HTTP_TLS_FAILED:
		case SMF_HTTP_READ_TIMEOUT:
		case SMF_HTTP_BROKEN:
			return true;
		default:
			return false;
	}
}

/*
 * smf_http_sent_header
 *		The same for a header that was sent with the request; it may be secret.
 */
const char *
smf_http_sent_header(const HttpRequest *request, const char *name)
{
	for (struct curl_slist *item = request->headers; item != NULL; item = item->next)
	{
		const char *value = value_of(item->data, name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/*
 * smf_http_date
 *		When the response was made, according to its Date header: epoch seconds, or -1.
 *
 * A year of more than four digits counts as no date: libcurl accepts any, but no request
 * could be signed with such a time.
 */
int64
smf_http_date(const HttpRequest *request)
{
	const char *date = smf_http_header(request, "Date");
	int64		date_s = date ? (int64) curl_getdate(date, NULL) : -1;

	return date_s >= 0 && date_s < DATE_END_S ? date_s : -1;
}
