/*-------------------------------------------------------------------------
 *
 * http.h
 *		HTTP requests in flight in this session, and the one place where it waits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_HTTP_H
#define SMF_HTTP_H

#include "lib/ilist.h"

#define SMF_VERSION "1.0.0"

/* How a request ended.  Anything but SMF_HTTP_OK has no usable response. */
typedef enum HttpResult
{
	SMF_HTTP_PENDING,			/* not ended yet */
	SMF_HTTP_OK,				/* a complete response, whatever its status */
	SMF_HTTP_UNRESOLVED,		/* the name of the host, or of the proxy, has no address */
	SMF_HTTP_CONNECT_FAILED,	/* it has an address, but there was no connection */
	SMF_HTTP_CONNECT_TIMEOUT,	/* no connection within the connect timeout */
	SMF_HTTP_TLS_FAILED,		/* no TLS connection, for any other reason than the next */
	SMF_HTTP_TLS_REFUSED,		/* the peer's certificate or the CA bundle was rejected */
	SMF_HTTP_READ_TIMEOUT,		/* response not complete in time */
	SMF_HTTP_BROKEN,			/* the connection broke off */
	SMF_HTTP_MALFORMED,			/* not an HTTP response */
	SMF_HTTP_TOO_LARGE,			/* body or headers exceed their limit */
	SMF_HTTP_NO_DESCRIPTOR,		/* the process cannot open or watch another socket */
	SMF_HTTP_NO_MEMORY
} HttpResult;

typedef struct HttpRequest HttpRequest;

/*
 * Called once when a request has ended, from the smf_http_wait of whichever scan is
 * waiting.  It must therefore only record its own request's errors, not raise them.  It
 * may start other requests.
 */
typedef void (*HttpDone) (HttpRequest *request, void *arg);

/* How a host is reached; the strings belong to the owner. */
typedef struct HttpNetwork
{
	const char *ca_bundle;		/* PEM file; NULL: the system's store */
	const char *proxy_url;		/* NULL: no proxy, whatever the environment says */
	int			connect_timeout_ms; /* name resolution, connect and TLS */
	int			read_timeout_ms;	/* from the request's first byte sent to
									 * the response's last byte received */
} HttpNetwork;

/* Where a request goes and its limits; read only during smf_http_send. */
typedef struct HttpTarget
{
	const char *url;			/* http or https */
	HttpNetwork network;		/* how the host is reached */
	size_t		max_response_size;	/* bytes of body */
	bool		apart;			/* start at once, however many others are in flight */
} HttpTarget;

/* What is sent; read only during smf_http_send. */
typedef struct HttpMessage
{
	const char *method;			/* GET, PUT, POST */
	const char *const *headers; /* whole lines: "Name: value" */
	int			nheaders;
	const char *body;			/* NULL: none */
	size_t		body_len;
} HttpMessage;

/*
 * A point in time at which something is to be done, embedded in the struct of its owner.
 * A zeroed timer is valid and unarmed.
 */
typedef struct HttpTimer
{
	dlist_node	node;			/* in the session's list while armed */
	bool		armed;
	bool		reminder;		/* it moves nothing on: nobody may sleep for this alone */
	int64		at_us;			/* smf_http_now() at which it fires */
	void		(*fire) (struct HttpTimer *timer);	/* under HttpDone's rules */
} HttpTimer;

/*
 * A descriptor that its owner reads from, embedded in the owner's struct.  A zeroed watch
 * is valid and idle.
 */
typedef struct HttpWatch
{
	dlist_node	node;			/* in the session's list while active */
	bool		active;
	int			fd;
	void		(*ready) (struct HttpWatch *watch); /* it can be read or has reached its end;
													 * under HttpDone's rules */
} HttpWatch;

/*
 * A place in the queue for a connection, embedded in the struct of whatever wants to send
 * a request.  A zeroed place is valid and not in the queue.
 */
typedef struct HttpPlace
{
	dlist_node	node;			/* in the session's queue while waiting */
	bool		waiting;
	bool		called;			/* its turn has come once: nothing goes before it any more */
	void		(*go) (struct HttpPlace *place);	/* try again; under HttpDone's rules */
} HttpPlace;

/* Setting sagemaker_fdw.max_session_connections. */
extern int	smf_http_max_connections;

/* queue.c: requests from start to end */
extern bool smf_http_may_send(HttpPlace *place);
extern void smf_http_leave(HttpPlace *place);
extern HttpRequest *smf_http_send(const HttpTarget *target, const HttpMessage *message,
								  HttpDone done, void *arg);
extern void smf_http_free(HttpRequest *request);
extern void smf_http_disconnect(void);

/* request.c: what came back */
extern HttpResult smf_http_result(const HttpRequest *request);
extern bool smf_http_transient(HttpResult result);
extern const char *smf_http_error(const HttpRequest *request);
extern int	smf_http_status(const HttpRequest *request);
extern void smf_http_forget_body(HttpRequest *request);
extern const char *smf_http_body(const HttpRequest *request, size_t *len);
extern const char *smf_http_header(const HttpRequest *request, const char *name);
extern const char *smf_http_sent_header(const HttpRequest *request, const char *name);
extern int64 smf_http_date(const HttpRequest *request);

/* epoll.c, socket.c: the clock, and descriptors that are not libcurl's */
extern int64 smf_http_now(void);
extern bool smf_http_acquire_descriptor(void);

/* http.c: what the event loop calls, and how to wait for it */
extern void smf_http_timer_set(HttpTimer *timer, int64 at_us);
extern void smf_http_timer_cancel(HttpTimer *timer);
extern void smf_http_watch(HttpWatch *watch, int fd);
extern void smf_http_unwatch(HttpWatch *watch);
extern uint64 smf_http_events(void);
extern void smf_http_add_event(void);
extern void smf_http_poll(void);
extern void smf_http_wait(uint64 events);
extern int	smf_http_descriptor(void);
extern void smf_http_arm(uint64 events);

#endif							/* SMF_HTTP_H */
