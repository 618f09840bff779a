/*-------------------------------------------------------------------------
 *
 * internal.h
 *		What only the files of http/ share: the inside of a request, and the session's
 *		state.
 *
 * Each file calls only those before it in this order: epoll.c, socket.c, tls.c, multi.c,
 * request.c, queue.c, http.c.  What only one of them uses is static there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_HTTP_INTERNAL_H
#define SMF_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "compat/http.h"
#include "http/http.h"

/*
 * The libcurl version whose features are used; a test sets a lower one to try the code
 * for older versions.
 */
#ifndef SMF_LIBCURL
#define SMF_LIBCURL LIBCURL_VERSION_NUM
#endif

/*
 * From 7.80 on, libcurl tells us when it sends a request; before, only whether it has
 * been sent.
 */
#define TELLS_WHEN_SENT (SMF_LIBCURL >= 0x075000)

/* From 7.87 on, libcurl caches the certificates; before, each connection reads them. */
#define KEEPS_CERTIFICATES (SMF_LIBCURL >= 0x075700)

struct HttpRequest
{
	/* for the whole life of the request */
	HttpDone	done;			/* called when the request has ended */
	void	   *arg;			/* passed to it */
	size_t		max_response_size;	/* bytes of body */
	int64		read_timeout_us;	/* from sent_us on */

	/* until it has ended */
	dlist_node	node;			/* in the queue, then in smf_http.in_flight */
	bool		in_flight;		/* libcurl has it */
	bool		apart;			/* starts at once, and is not counted */
	bool		fresh;			/* needs a new connection: a kept one was dead */
	bool		replaces;		/* started again to take over a kept connection's
								 * descriptor */
	bool		unwatched;		/* its socket could not be watched, so libcurl waits in
								 * vain */
	CURL	   *easy;			/* NULL once ended */
	struct curl_slist *headers; /* sent; cleansed when freed */
	int64		sent_us;		/* when the request went out; 0: not yet, or not known */
#if !KEEPS_CERTIFICATES
	char	   *ca_bundle;		/* malloc'ed; NULL: libcurl reads the certificates */
#endif
	HttpResult	failure;		/* what a callback found wrong, or PENDING */
	const char *failure_text;	/* the same in words, a constant; or NULL */

	/* the response */
	HttpResult	result;
	int			status;			/* HTTP status */
	char	   *body;			/* malloc'ed, NUL-terminated */
	size_t		body_len;
	size_t		body_size;		/* bytes allocated */
	char	   *head;			/* header lines, each NUL-terminated */
	size_t		head_len;
	size_t		head_size;		/* bytes allocated */
	size_t		head_seen;		/* bytes of all headers, 1xx included */
	char		error[CURL_ERROR_SIZE]; /* libcurl's own error text */
};

/* The session's state.  It is created by the first request, watch, timer or wait. */
typedef struct HttpSession
{
	bool		started;		/* the descriptors and the multi handle exist */

	/* epoll.c: these last as long as the session */
	int			epoll_fd;		/* libcurl's sockets, those of watches, and timer_fd */
	int			timer_fd;		/* readable at the earliest deadline */
	WaitEventSet *wait_set;		/* latch, postmaster, epoll_fd */
	uint32		wait_event;		/* what pg_stat_activity shows during a sleep */
	dlist_head	watches;		/* HttpWatch */

	/* multi.c: until a disconnect */
	CURLM	   *multi;			/* NULL after a disconnect, until needed */
	CURLSH	   *share;			/* TLS sessions, so that a connection can resume one;
								 * goes with multi */
	int64		curl_due_us;	/* when libcurl wants to be called; 0: not at all */

	/* queue.c */
	dlist_head	in_flight;		/* HttpRequest: libcurl has it */
	int			nin_flight;
	bool		disconnect;		/* close connections once nothing is in flight */

	/* events so far: requests ended, timers fired, watches ready, and smf_http_add_event */
	uint64		events;
} HttpSession;

extern HttpSession smf_http;

/* epoll.c */
extern void smf_epoll_open(void);
extern HttpWatch *smf_epoll_watch_of(int fd);
extern bool smf_epoll_add(int fd, uint32 events, bool known);
extern void smf_epoll_remove(int fd);

/* socket.c */
extern int	smf_socket_count(void);
extern void smf_socket_forget_closed(void);
extern curl_socket_t smf_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
extern int	smf_socket_close(void *arg, curl_socket_t fd);

/* tls.c */
extern void smf_tls_find_certificates(void);
extern bool smf_tls_trust(HttpRequest *request, const HttpTarget *target);

/* multi.c */
extern void smf_multi_start(void);
extern void smf_multi_close(void);
extern HttpRequest *smf_multi_request_of(CURL *easy);
extern CURL *smf_multi_take_handle(void);
extern void smf_multi_give_back_handle(CURL *easy);
extern bool smf_multi_add(HttpRequest *request);
extern void smf_multi_remove(HttpRequest *request);
extern void smf_multi_act(curl_socket_t fd, int events);

/* request.c */
extern HttpRequest *smf_http_request_make(const HttpTarget *target, const HttpMessage *message,
										  HttpDone done, void *arg);
extern void smf_http_request_release(HttpRequest *request);
extern void smf_http_request_delete(HttpRequest *request);
extern void smf_http_request_reset(HttpRequest *request);
extern bool smf_http_request_use_fresh_connection(HttpRequest *request, HttpResult result);
extern HttpResult smf_http_request_result(const HttpRequest *request, CURLcode code);

/* queue.c */
extern bool smf_queue_has_call(void);
extern void smf_queue_call(void);
extern void smf_queue_end(HttpRequest *request, HttpResult result);

#endif							/* SMF_HTTP_INTERNAL_H */
