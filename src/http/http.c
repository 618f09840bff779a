/*-------------------------------------------------------------------------
 *
 * http.c
 *		libcurl's multi interface under the Postgres latch.
 *
 * A session has one multi handle, driven by curl_multi_socket_action, and one
 * epoll descriptor that holds every socket libcurl watches and a timerfd for
 * the earliest deadline of anybody.  smf_http_wait is the only place that sleeps for
 * the network: on that descriptor, the latch and the postmaster's death.
 * A wait for one request therefore moves all requests of the session on.
 *
 * Asynchronous scans sleep in the executor instead, on copies of that descriptor.
 *
 * Rules that keep this safe inside a backend:
 * - no error is raised below a libcurl callback: callbacks record, and what
 *   they record becomes the request's result;
 * - libcurl holds no palloc'ed memory: requests are malloc'ed, and whoever
 *   started one frees it, also when a memory context goes away;
 * - libcurl may start resolver threads, which inherit the signal mask: all
 *   signals are blocked meanwhile, so that no Postgres handler runs there;
 * - sockets are counted with AcquireExternalFD, like any of the backend's own.
 *   libcurl tells when it closes one, but not always while that is connecting
 *   (7.88): what was closed silently is looked for;
 * - nothing in the server's environment decides whom to trust or what is written down.
 *
 * Not accounted for: the descriptors that libcurl opens for its own wake-ups
 * (two for the session, two while a name is being resolved) are not counted;
 * libcurl's copies of what is sent and its receive buffers are freed without being
 * cleansed; only Linux is supported (epoll, timerfd).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "compat/http.h"
#include "http/http.h"
#include "miscadmin.h"
#include "storage/fd.h"

/* The libcurl whose features are used: a test of older ones says a lower number. */
#ifndef SMF_LIBCURL
#define SMF_LIBCURL LIBCURL_VERSION_NUM
#endif

/* It tells when a request is sent; before 7.80 only afterwards whether it was. */
#define TELLS_WHEN_SENT (SMF_LIBCURL >= 0x075000)

/* It keeps certificates once they are read; before 7.87 each connection reads them. */
#define KEEPS_CERTIFICATES (SMF_LIBCURL >= 0x075700)

/* All response headers of one request together, in bytes. */
#define HEADERS_MAX (64 * 1024)

/* The first allocation for a body whose length is not announced. */
#define BODY_INITIAL (16 * 1024)

/* Idle easy handles kept for the next requests. */
#define IDLE_HANDLES_MAX 16

/* Descriptors that are left to Postgres: an asynchronous Append fails when it finds none. */
#define SPARE_DESCRIPTORS 2

/* Socket events taken from the kernel before timers are looked at. */
#define EVENTS_BATCH 32

#if SMF_LIBCURL >= 0x081400
/* Threads that may ask a resolver; more names wait for one.  libcurl's own limit is 20. */
#define MAX_RESOLVER_THREADS 1000L
#endif

/* The year 9999 begins, in epoch seconds: dates are before it. */
#define DATE_END_S INT64CONST(253370764800)

struct HttpRequest
{
	/* for the whole life of the request */
	HttpDone	done;			/* told when the request has ended */
	void	   *arg;			/* handed to it */
	size_t		max_response_size;	/* bytes of body */
	int64		read_timeout_us;	/* from sent_us on */

	/* until it has ended */
	dlist_node	node;			/* in http.queue, then in http.in_flight */
	bool		in_flight;		/* libcurl has it */
	bool		apart;			/* begins at once, and does not count */
	bool		fresh;			/* wants a connection of its own making */
	bool		replaces;		/* begun again to take a kept connection's descriptor */
	bool		unwatched;		/* its socket could not be watched: libcurl waits in vain */
	CURL	   *easy;			/* NULL once ended */
	struct curl_slist *headers; /* sent; cleansed when freed */
	int64		sent_us;		/* when the request went out; 0: not yet, or nobody tells */
#if !KEEPS_CERTIFICATES
	char	   *ca_bundle;		/* malloc'ed; NULL: libcurl reads the certificates */
#endif
	HttpResult	failure;		/* what a callback found wrong, or PENDING */
	const char *failure_text;	/* that in words, a constant; or NULL */

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
	char		error[CURL_ERROR_SIZE]; /* libcurl's own words */
};

/* A socket of libcurl's that is counted. */
typedef struct CountedSocket
{
	int			fd;
	ino_t		inode;			/* tells it from whatever has the number later */
} CountedSocket;

/* What the session keeps.  All of it is made at the first request. */
static struct
{
	bool		started;		/* everything below is valid */
	CURLM	   *multi;			/* NULL after a disconnect, until needed */
	CURLSH	   *share;			/* TLS sessions, so that a connection can resume one;
								 * goes with multi */
	const char *ca_bundle;		/* the system's certificates in one file; or NULL */
	const char *ca_path;		/* the same in a directory; both NULL: libcurl's default */
	int			epoll_fd;		/* libcurl's sockets and timer_fd */
	int			timer_fd;		/* armed at armed_us */
	int64		armed_us;		/* 0: not armed */
	WaitEventSet *wait_set;		/* latch, postmaster, epoll_fd */
	uint32		wait_event;		/* what pg_stat_activity shows meanwhile */
	int64		curl_due_us;	/* when libcurl wants to be called; 0: never */
	int			io_errno;		/* the timer could not be set */
	bool		disconnect;		/* close connections once nothing is in flight */
	uint64		told;			/* how often anybody was told anything */
	bool		news;			/* somebody is to wake up for what was told already */
	dlist_head	queue;			/* HttpRequest: waits for a connection, or for another one */
	dlist_head	places;			/* HttpPlace: who waits until there is one */
	HttpTimer	call_places;	/* armed when there is */
	dlist_head	in_flight;		/* HttpRequest: libcurl has it */
	int			nin_flight;
	int			napart;			/* of these, apart */
	int			descriptor_limit;	/* in flight at most, since no further
									 * descriptor was to be had; 0: none */
	CountedSocket *sockets;		/* malloc'ed */
	int			nsockets;
	int			sockets_size;	/* allocated */
	dlist_head	timers;			/* HttpTimer */
	dlist_head	watches;		/* HttpWatch */
	CURL	   *idle[IDLE_HANDLES_MAX]; /* easy handles to use again */
	int			nidle;
}			http;

int			smf_http_max_connections = 64;

static void call_places(HttpTimer *timer);

/*
 * smf_http_now
 *		Microseconds of a clock that never goes back.
 */
int64
smf_http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ----- libcurl's callbacks: nothing in here may raise an error ----- */

/* The request that a handle of libcurl's belongs to; NULL: libcurl's own. */
static HttpRequest *
request_of(CURL *easy)
{
	char	   *request = NULL;

	if (easy == NULL || curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request) != CURLE_OK)
		return NULL;
	return (HttpRequest *) request;
}

/*
 * Let the epoll descriptor tell of a socket.  "known" is what libcurl believes: it may
 * have closed the socket of that number silently, and opened another.
 */
static bool
watch(curl_socket_t fd, uint32 events, bool known)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	int			op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(http.epoll_fd, op, fd, &event) == 0)
		return true;
	if (op == EPOLL_CTL_MOD && errno == ENOENT)
		op = EPOLL_CTL_ADD;
	else if (op == EPOLL_CTL_ADD && errno == EEXIST)
		op = EPOLL_CTL_MOD;
	else
		return false;
	return epoll_ctl(http.epoll_fd, op, fd, &event) == 0;
}

/* Who else reads from the descriptor; NULL: nobody. */
static HttpWatch *
find_watch(int fd)
{
	dlist_iter	iter;

	dlist_foreach(iter, &http.watches)
	{
		HttpWatch  *watch = dlist_container(HttpWatch, node, iter.cur);

		if (watch->fd == fd)
			return watch;
	}
	return NULL;
}

static int
socket_callback(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	uint32		events = 0;

	if (what == CURL_POLL_REMOVE)
	{
		/*
		 * The descriptor may be closed already, and is then out of the set; or its
		 * number is that of somebody else's by now.
		 */
		if (find_watch(fd) == NULL)
			(void) epoll_ctl(http.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}

	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;
	if (watch(fd, events, known != NULL))
		curl_multi_assign(http.multi, fd, &http);
	else
	{
		HttpRequest *request = request_of(easy);

		/* any other request goes on */
		if (request != NULL)
			request->unwatched = true;
	}
	return 0;
}

static int
timer_callback(CURLM *multi, long timeout_ms, void *arg)
{
	http.curl_due_us = timeout_ms < 0 ? 0 : smf_http_now() + timeout_ms * INT64CONST(1000);
	return 0;
}

/* Count no longer what libcurl has closed without telling.  Raises no error. */
static void
forget_closed_sockets(void)
{
	int			i = 0;

	while (i < http.nsockets)
	{
		CountedSocket *counted = &http.sockets[i];
		struct stat status;

		if (fstat(counted->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
			status.st_ino == counted->inode)
			i++;
		else
		{
			*counted = http.sockets[--http.nsockets];
			ReleaseExternalFD();
		}
	}
}

/* Remember a socket for which a descriptor was acquired; false without memory. */
static bool
count_socket(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	if (http.nsockets == http.sockets_size)
	{
		int			size = http.sockets_size ? 2 * http.sockets_size : 64;
		CountedSocket *grown = realloc(http.sockets, size * sizeof(CountedSocket));

		if (grown == NULL)
			return false;
		http.sockets = grown;
		http.sockets_size = size;
	}
	http.sockets[http.nsockets].fd = fd;
	http.sockets[http.nsockets].inode = status.st_ino;
	http.nsockets++;
	return true;
}

/* Count one more descriptor, if so many are left besides. */
static bool
acquire_descriptor(int spare)
{
	int			held = 0;
	bool		acquired;

	while (held < spare && AcquireExternalFD())
		held++;
	acquired = held == spare && AcquireExternalFD();
	while (held-- > 0)
		ReleaseExternalFD();
	return acquired;
}

/*
 * smf_http_acquire_descriptor
 *		Count a descriptor of somebody else's, as AcquireExternalFD does, if that leaves
 *		some for a connection and for Postgres.
 */
bool
smf_http_acquire_descriptor(void)
{
	return acquire_descriptor(SPARE_DESCRIPTORS + 1);
}

static curl_socket_t
open_socket_callback(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpRequest *request = arg;
	curl_socket_t fd;

	/* what went out on a kept connection that was dead is sent again */
	request->sent_us = 0;
	forget_closed_sockets();
	/* the last ones are left to Postgres, unless there would be no connection at all */
	if (!acquire_descriptor(SPARE_DESCRIPTORS) && (http.nsockets > 0 || !AcquireExternalFD()))
	{
		request->failure = SMF_HTTP_NO_DESCRIPTOR;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
	{
		if (errno == EMFILE || errno == ENFILE)
			request->failure = SMF_HTTP_NO_DESCRIPTOR;
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
	if (!count_socket(fd))
	{
		request->failure = SMF_HTTP_NO_MEMORY;
		close(fd);
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
	/* the address before may have had no descriptor */
	if (request->failure == SMF_HTTP_NO_DESCRIPTOR)
		request->failure = SMF_HTTP_PENDING;
	return fd;
}

static int
close_socket_callback(void *arg, curl_socket_t fd)
{
	for (int i = 0; i < http.nsockets; i++)
	{
		if (http.sockets[i].fd != fd)
			continue;
		http.sockets[i] = http.sockets[--http.nsockets];
		ReleaseExternalFD();
		break;
	}
	return close(fd);
}

#if TELLS_WHEN_SENT
static int
sent_callback(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	((HttpRequest *) arg)->sent_us = smf_http_now();
	return CURL_PREREQFUNC_OK;
}
#endif

#if !KEEPS_CERTIFICATES
/* The certificates that were used last. */
static struct
{
	X509_STORE *store;			/* NULL: none yet */
	char	   *path;			/* of the file they were read from, malloc'ed */
	struct stat status;			/* of that file then */
}			kept;

/* Those of a file, read again when it has changed; NULL when it cannot be read. */
static X509_STORE *
certificates_of(const char *path)
{
	struct stat status;
	X509_STORE *store;

	if (stat(path, &status) != 0)
		return NULL;
	if (kept.store != NULL && strcmp(kept.path, path) == 0 &&
		kept.status.st_dev == status.st_dev && kept.status.st_ino == status.st_ino &&
		kept.status.st_size == status.st_size &&
		kept.status.st_mtim.tv_sec == status.st_mtim.tv_sec &&
		kept.status.st_mtim.tv_nsec == status.st_mtim.tv_nsec)
		return kept.store;

	X509_STORE_free(kept.store);
	free(kept.path);
	kept.store = NULL;
	kept.path = strdup(path);
	store = X509_STORE_new();
	if (kept.path == NULL || store == NULL || X509_STORE_load_locations(store, path, NULL) != 1)
	{
		X509_STORE_free(store);
		return NULL;
	}
	/* as libcurl does: what the file has is trusted, whether it is a root or not */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	kept.store = store;
	kept.status = status;
	return store;
}

/* Give a connection that is about to be made the certificates that are kept. */
static CURLcode
tls_callback(CURL *easy, void *context, void *arg)
{
	HttpRequest *request = arg;
	X509_STORE *store = certificates_of(request->ca_bundle);

	if (store == NULL)
	{
		request->failure_text = "the file of certificates to trust cannot be read";
		return CURLE_SSL_CACERT_BADFILE;
	}
	SSL_CTX_set1_cert_store(context, store);
	return CURLE_OK;
}
#endif

/* Overwrite and free a buffer; NULL is ignored. */
static void
forget(char *buffer, size_t size)
{
	if (buffer == NULL)
		return;
	OPENSSL_cleanse(buffer, size);
	free(buffer);
}

/* Make room for "more" bytes and a NUL behind "len"; false when there is none. */
static bool
reserve(char **buffer, size_t *size, size_t len, size_t more, size_t initial)
{
	size_t		want = *size ? *size : initial;
	char	   *grown;

	if (*size > len + more)
		return true;
	while (want <= len + more)
		want *= 2;
	/* not realloc: it may leave a copy behind, and there are secrets in responses */
	grown = malloc(want);
	if (grown == NULL)
		return false;
	if (*buffer != NULL)
		memcpy(grown, *buffer, len);
	forget(*buffer, *size);
	*buffer = grown;
	*size = want;
	return true;
}

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
	if (!reserve(&request->body, &request->body_size, request->body_len, len, BODY_INITIAL))
	{
		request->failure = SMF_HTTP_NO_MEMORY;
		return 0;
	}
	memcpy(request->body + request->body_len, data, len);
	request->body_len += len;
	request->body[request->body_len] = '\0';
	return len;
}

static size_t
header_callback(char *data, size_t one, size_t len, void *arg)
{
	HttpRequest *request = arg;
	size_t		kept = len;

	/* a status line begins a new response: 100-continue came before it */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		request->head_len = 0;
	request->head_seen += len;
	if (request->head_seen > HEADERS_MAX)
	{
		request->failure = SMF_HTTP_TOO_LARGE;
		request->failure_text = "the headers are larger than 64 kB";
		return 0;
	}
	while (kept > 0 && (data[kept - 1] == '\r' || data[kept - 1] == '\n'))
		kept--;
	if (kept == 0)
		return len;
	if (!reserve(&request->head, &request->head_size, request->head_len, kept, 1024))
	{
		request->failure = SMF_HTTP_NO_MEMORY;
		return 0;
	}
	memcpy(request->head + request->head_len, data, kept);
	request->head_len += kept;
	request->head[request->head_len++] = '\0';
	return len;
}

/* ----- the session ----- */

/* libcurl may start a thread: it must inherit a full signal mask. */
static void
block_signals(sigset_t *before)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void
restore_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* A descriptor of the session's own, counted; raises an error without one. */
static int
own_descriptor(int fd, const char *what)
{
	int			save_errno = errno;

	if (fd < 0)
	{
		errno = save_errno;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not create a %s descriptor: %m", what)));
	}
	ReserveExternalFD();
	return fd;
}

/*
 * Find the system's certificates, as libcurl was told when it was built.
 *
 * It keeps them in memory only if they come from a file alone, and gives up when that
 * file cannot be read although there is a directory as well: so one of them is used.
 */
static void
find_certificates(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	http.ca_bundle = http.ca_path = NULL;
	if (info->cainfo != NULL && access(info->cainfo, R_OK) == 0)
		http.ca_bundle = info->cainfo;
	else if (info->capath != NULL && access(info->capath, R_OK | X_OK) == 0)
		http.ca_path = info->capath;
}

static void
start_session(void)
{
	struct epoll_event event = {0};

	/* each step is kept when a later one fails: the next call goes on there */
	if (http.epoll_fd == 0)
	{
		static bool global_done = false;

		/* keys of connections are not written to a file, by libcurl or by OpenSSL */
		unsetenv("SSLKEYLOGFILE");
		if (!global_done && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("could not initialize libcurl")));
		global_done = true;
		dlist_init(&http.queue);
		dlist_init(&http.places);
		http.call_places.fire = call_places;
		dlist_init(&http.in_flight);
		dlist_init(&http.timers);
		dlist_init(&http.watches);
		http.epoll_fd = own_descriptor(epoll_create1(EPOLL_CLOEXEC), "epoll");
	}
	if (http.timer_fd == 0)
	{
		int			fd = own_descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
										"timer");

		event.events = EPOLLIN;
		event.data.fd = fd;
		if (epoll_ctl(http.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		{
			int			save_errno = errno;

			close(fd);
			ReleaseExternalFD();
			errno = save_errno;
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("could not watch a timer descriptor: %m")));
		}
		http.timer_fd = fd;
	}
	if (http.wait_event == 0)
		http.wait_event = smf_wait_event("SagemakerFdwCall");
	if (http.wait_set == NULL)
	{
		WaitEventSet *set = smf_create_wait_event_set(3);

		PG_TRY();
		{
			AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
			AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
			AddWaitEventToSet(set, WL_SOCKET_READABLE, http.epoll_fd, NULL, NULL);
		}
		PG_CATCH();
		{
			FreeWaitEventSet(set);
			PG_RE_THROW();
		}
		PG_END_TRY();
		http.wait_set = set;
	}
	if (http.multi == NULL)
	{
		http.multi = curl_multi_init();
		if (http.multi == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("could not create a libcurl multi handle")));
		/* without it connections are only made more slowly */
		http.share = curl_share_init();
		if (http.share != NULL)
			curl_share_setopt(http.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
		find_certificates();
		curl_multi_setopt(http.multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
		curl_multi_setopt(http.multi, CURLMOPT_TIMERFUNCTION, timer_callback);
#if SMF_LIBCURL >= 0x081400
		/* as before 8.20: no wait for resolver threads, and no name waits for one */
		curl_multi_setopt(http.multi, CURLMOPT_QUICK_EXIT, 1L);
		curl_multi_setopt(http.multi, CURLMOPT_RESOLVE_THREADS_MAX, MAX_RESOLVER_THREADS);
#endif
	}
	http.started = true;
}

/*
 * smf_http_disconnect
 *		Close the kept connections, and forget TLS sessions and the system's
 *		certificates: at once, or once nothing is in flight.
 */
void
smf_http_disconnect(void)
{
	sigset_t	before;

	if (!http.started)
		return;
	http.disconnect = true;
	if (http.nin_flight > 0)
		return;
	block_signals(&before);
	while (http.nidle > 0)
		curl_easy_cleanup(http.idle[--http.nidle]);
	if (http.multi != NULL)
		curl_multi_cleanup(http.multi);
	/* last: no handle may use it any more */
	if (http.share != NULL)
		curl_share_cleanup(http.share);
	restore_signals(&before);
	forget_closed_sockets();
	http.multi = NULL;
	http.share = NULL;
	http.curl_due_us = 0;
	http.started = false;
	http.disconnect = false;
}

/* ----- requests ----- */

/*
 * Let no more requests be in flight, and no more connections be open, than there are
 * descriptors for.  0: as many as the settings allow.
 */
static void
limit_descriptors(int in_flight, int connections)
{
	http.descriptor_limit = in_flight;
	/* libcurl closes a kept connection before it makes one too many */
	curl_multi_setopt(http.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) connections);
}

/* Take the request off libcurl, or off the queue. */
static void
detach(HttpRequest *request)
{
	sigset_t	before;

	dlist_delete(&request->node);
	if (!request->in_flight)
		return;
	block_signals(&before);
	curl_multi_remove_handle(http.multi, request->easy);
	restore_signals(&before);
	request->in_flight = false;
	http.nin_flight--;
	http.napart -= request->apart;
	if (http.nin_flight == 0 && http.descriptor_limit != 0)
		limit_descriptors(0, 0);
}

/* May another request be in flight, which is not apart? */
static bool
has_room(void)
{
	int			limit = smf_http_max_connections;

	if (http.descriptor_limit > 0 && http.descriptor_limit < limit)
		limit = http.descriptor_limit;
	return http.nin_flight - http.napart < limit;
}

/*
 * Give requests that wait to libcurl, as many as may be in flight: each takes a
 * connection of its own.
 */
static void
start_requests(void)
{
	sigset_t	before;

	while (!dlist_is_empty(&http.queue))
	{
		HttpRequest *request = dlist_container(HttpRequest, node, dlist_head_node(&http.queue));

		/* those that are apart stand before all others */
		if (!request->apart && !has_room())
			break;
		dlist_delete(&request->node);
		if (http.nin_flight == 0)
			curl_multi_setopt(http.multi, CURLMOPT_MAXCONNECTS, (long) smf_http_max_connections);
		dlist_push_tail(&http.in_flight, &request->node);
		request->in_flight = true;
		http.nin_flight++;
		http.napart += request->apart;
		block_signals(&before);
		if (curl_multi_add_handle(http.multi, request->easy) != CURLM_OK)
			request->failure = SMF_HTTP_NO_MEMORY;
		restore_signals(&before);
	}
	/* later: this may run where nothing may fail */
	if (!dlist_is_empty(&http.places) && has_room())
		smf_http_timer_set(&http.call_places, smf_http_now());
}

/* Let those try again who wait for a connection, as long as there is one. */
static void
call_places(HttpTimer *timer)
{
	while (!dlist_is_empty(&http.places) && has_room())
	{
		HttpPlace  *place = dlist_container(HttpPlace, node, dlist_pop_head_node(&http.places));

		place->waiting = false;
		place->called = true;
		place->go(place);
	}
}

/*
 * smf_http_may_send
 *		May a request that is not apart be sent now, and be in flight at once?  Otherwise
 *		queues: place->go is called when it may be tried again.
 *
 * What is sent all the same waits for a connection, too, but what it was signed with may
 * grow old meanwhile.  Nothing is reserved for who was called; but nobody else goes first,
 * until the caller has sent its request and clears place->called.
 */
bool
smf_http_may_send(HttpPlace *place)
{
	if (!http.started || (has_room() && (place->called || dlist_is_empty(&http.places))))
		return true;
	if (place->called)
		dlist_push_head(&http.places, &place->node);
	else
		dlist_push_tail(&http.places, &place->node);
	place->waiting = true;
	if (has_room())
		smf_http_timer_set(&http.call_places, smf_http_now());
	return false;
}

/* Queue no longer; who does not is left alone.  Raises no error. */
void
smf_http_leave(HttpPlace *place)
{
	if (place->waiting)
		dlist_delete(&place->node);
	place->waiting = false;
}

static void
free_headers(HttpRequest *request)
{
	for (struct curl_slist *item = request->headers; item != NULL; item = item->next)
		OPENSSL_cleanse(item->data, strlen(item->data));
	curl_slist_free_all(request->headers);
	request->headers = NULL;
}

/* Let go of what a request that has ended needs no more. */
static void
release_handle(HttpRequest *request)
{
	sigset_t	before;

	if (request->easy == NULL)
		return;
	block_signals(&before);
	if (http.nidle < IDLE_HANDLES_MAX)
	{
		curl_easy_reset(request->easy);
		http.idle[http.nidle++] = request->easy;
	}
	else
		curl_easy_cleanup(request->easy);
	restore_signals(&before);
	request->easy = NULL;
}

/* Was the request given to a connection that there was already? */
static bool
on_kept_connection(const HttpRequest *request)
{
	long		opened = 0;

	return curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &opened) == CURLE_OK && opened == 0;
}

/*
 * Was the request given to a kept connection that the service had closed meanwhile?
 * Then nothing has come back, and nothing is known to be wrong.  libcurl tries a few
 * other ones by itself, but all of them may have been closed.
 */
static bool
died_on_kept_connection(const HttpRequest *request, HttpResult result)
{
	return result == SMF_HTTP_BROKEN && !request->fresh && request->head_seen == 0 &&
		on_kept_connection(request);
}

/* Let a request begin anew, with nothing of what came of it so far. */
static void
reset_attempt(HttpRequest *request)
{
	request->sent_us = 0;
	request->unwatched = false;
	request->failure = SMF_HTTP_PENDING;
	request->failure_text = NULL;
	request->status = 0;
	request->body_len = 0;
	if (request->body != NULL)
		request->body[0] = '\0';
	request->head_len = 0;
	request->head_seen = 0;
	request->error[0] = '\0';
}

/*
 * There was no descriptor for a request, which libcurl has let go of: let it wait for
 * one.  False if none can be had.
 */
static bool
wait_for_descriptor(HttpRequest *request)
{
	/* those of kept connections can be had at once, which libcurl closes one by one */
	forget_closed_sockets();
	if (!request->replaces && http.nsockets > 0)
	{
		request->replaces = true;
		limit_descriptors(http.nsockets, Max(http.nsockets, http.nin_flight));
	}
	/* others that are in flight end, and as many as there are can be */
	else if (http.nin_flight > 0)
		limit_descriptors(http.nin_flight, Max(http.nsockets, http.nin_flight));
	else
		return false;
	return true;
}

static void
end_request(HttpRequest *request, HttpResult result)
{
	bool		again;

	detach(request);

	/* May it begin anew?  Whoever started it is not told then. */
	if (died_on_kept_connection(request, result) &&
		curl_easy_setopt(request->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK)
		again = request->fresh = true;
	else
		again = result == SMF_HTTP_NO_DESCRIPTOR && wait_for_descriptor(request);
	if (again)
	{
		reset_attempt(request);
		dlist_push_head(&http.queue, &request->node);
		start_requests();
		return;
	}

	release_handle(request);
	if (result != SMF_HTTP_OK)
		forget_closed_sockets();
	request->result = result;
	/* certificates that are put right are to be read again */
	if (result == SMF_HTTP_TLS_REFUSED)
		http.disconnect = true;
	http.told++;
	start_requests();
	request->done(request, request->arg);
	if (http.disconnect)
		smf_http_disconnect();
}

/* Did libcurl get as far as sending the request? */
static bool
was_sent(const HttpRequest *request)
{
#if TELLS_WHEN_SENT
	return request->sent_us != 0;
#else
	curl_off_t	us = 0;

	return curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
#endif
}

static HttpResult
result_of(const HttpRequest *request, CURLcode code)
{
	bool		sent = was_sent(request);

	/* another address may have had a descriptor before */
	if (request->failure == SMF_HTTP_NO_DESCRIPTOR && code == CURLE_OK)
		return SMF_HTTP_OK;
	if (request->failure != SMF_HTTP_PENDING)
		return request->failure;
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
			/* a kept connection was one, though it may have died before anything was sent */
			return sent || on_kept_connection(request) ? SMF_HTTP_BROKEN : SMF_HTTP_CONNECT_FAILED;
	}
}

/*
 * Say which certificates a request's connection trusts: the target's, or the system's.
 * False without memory.
 */
static bool
trust(HttpRequest *request, const HttpTarget *target)
{
	CURL	   *easy = request->easy;
	const char *file = http.ca_bundle;
	const char *path = http.ca_path;

	/* a proxy is another matter, and takes the system's */
	if ((file != NULL || path != NULL) && target->proxy_url != NULL &&
		(curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file) != CURLE_OK ||
		 curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, path) != CURLE_OK))
		return false;

	if (target->ca_bundle != NULL)
	{
		file = target->ca_bundle;
		path = NULL;
	}
#if !KEEPS_CERTIFICATES

	/*
	 * Where libcurl cannot keep certificates we do.  It is given their file as the
	 * directory in which to look for more: nothing is read there, but connections
	 * that trust others are told apart by it.  The callback would be called for a
	 * proxy's TLS too; and libcurl may have been built with something other than
	 * OpenSSL, which has no such callback.
	 */
	if (file != NULL && (target->proxy_url == NULL || pg_strncasecmp(target->proxy_url, "https:", 6) != 0) &&
		strncmp(curl_version_info(CURLVERSION_NOW)->ssl_version, "OpenSSL/", 8) == 0 &&
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, tls_callback) == CURLE_OK)
	{
		request->ca_bundle = strdup(file);
		if (request->ca_bundle == NULL ||
			curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, request) != CURLE_OK)
			return false;
		path = file;
		file = NULL;
	}
#endif
	if (file == NULL && path == NULL)
		return true;
	return curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_CAPATH, path) == CURLE_OK;
}

static bool
set_options(HttpRequest *request, const HttpTarget *target, const HttpMessage *message)
{
	CURL	   *easy = request->easy;
	bool		ok = true;

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)
	SET(CURLOPT_PRIVATE, request);
	SET(CURLOPT_ERRORBUFFER, request->error);
	SET(CURLOPT_NOSIGNAL, 1L);
#if SMF_LIBCURL >= 0x075700
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif

	/* nothing but what the caller asked for, whatever the environment says */
#if SMF_LIBCURL >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_URL, target->url);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_PROXY, target->proxy_url ? target->proxy_url : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "sagemaker_fdw/" SMF_VERSION);

	/* verification cannot be turned off */
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
#if KEEPS_CERTIFICATES
	/* what is to be forgotten is not used while other requests keep it from that */
	if (http.disconnect)
		SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	ok = ok && trust(request, target);
	SET(CURLOPT_SHARE, http.share);

	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) target->connect_timeout_ms);
#if TELLS_WHEN_SENT
	SET(CURLOPT_PREREQFUNCTION, sent_callback);
	SET(CURLOPT_PREREQDATA, request);
#else
	SET(CURLOPT_TIMEOUT_MS, (long) target->connect_timeout_ms + target->read_timeout_ms);
#endif
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket_callback);
	SET(CURLOPT_OPENSOCKETDATA, request);
	SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket_callback);
	SET(CURLOPT_WRITEFUNCTION, body_callback);
	SET(CURLOPT_WRITEDATA, request);
	SET(CURLOPT_HEADERFUNCTION, header_callback);
	SET(CURLOPT_HEADERDATA, request);

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

/*
 * smf_http_send
 *		Start a request.
 *
 * The message is copied.  Returns NULL when memory or libcurl fails; any other
 * failure is the request's result, told to "done" by a later smf_http_wait.  The
 * caller frees the request, at any time.
 */
HttpRequest *
smf_http_send(const HttpTarget *target, const HttpMessage *message, HttpDone done, void *arg)
{
	HttpRequest *request;
	sigset_t	before;
	bool		ok = true;

	if (!http.started)
		start_session();

	request = calloc(1, sizeof(HttpRequest));
	if (request == NULL)
		return NULL;
	request->done = done;
	request->arg = arg;
	request->max_response_size = target->max_response_size;
	request->read_timeout_us = target->read_timeout_ms * INT64CONST(1000);

	for (int i = 0; ok && i < message->nheaders; i++)
	{
		struct curl_slist *longer = curl_slist_append(request->headers, message->headers[i]);

		ok = longer != NULL;
		if (ok)
			request->headers = longer;
	}

	block_signals(&before);
	request->easy = http.nidle > 0 ? http.idle[--http.nidle] : curl_easy_init();
	restore_signals(&before);
	if (request->easy == NULL)
	{
		free_headers(request);
		free(request);
		return NULL;
	}
	request->apart = target->apart;
	if (request->apart)
		dlist_push_head(&http.queue, &request->node);
	else
		dlist_push_tail(&http.queue, &request->node);
	if (!ok || !set_options(request, target, message))
	{
		smf_http_free(request);
		return NULL;
	}
	start_requests();
	return request;
}

/*
 * smf_http_free
 *		Free a request; one in flight is broken off.  NULL is ignored.
 *
 * Raises no error, so that memory context callbacks may call it.
 */
void
smf_http_free(HttpRequest *request)
{
	if (request == NULL)
		return;
	if (request->easy != NULL)
	{
		bool		broken_off = request->in_flight;

		detach(request);
		release_handle(request);
		if (broken_off && http.nin_flight == 0)
			forget_closed_sockets();
		start_requests();
	}
	free_headers(request);
#if !KEEPS_CERTIFICATES
	free(request->ca_bundle);
#endif
	forget(request->body, request->body_size);
	forget(request->head, request->head_size);
	free(request);
	if (http.disconnect)
		smf_http_disconnect();
}

/* How the request ended; SMF_HTTP_PENDING while it is in flight. */
HttpResult
smf_http_result(const HttpRequest *request)
{
	return request->result;
}

/* A failure in words, often libcurl's; may be empty.  Lives as long as the request. */
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

/* The response's body, NUL-terminated behind *len bytes; the request's own. */
const char *
smf_http_body(const HttpRequest *request, size_t *len)
{
	*len = request->body_len;
	return request->body ? request->body : "";
}

/* The value in a header's line; NULL when it is of another header than "name" (any case). */
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
 *		The value of the response's header "name" (any case), the first one
 *		if it occurs twice; NULL when there is none.
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
 * smf_http_sent_header
 *		The same of a header that the request was sent with; it may be secret.
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
 *		When the response was made, by its Date header: epoch seconds, or -1.
 *
 * A year of more than four digits is none: libcurl takes any, and no request could
 * be signed by such a clock.
 */
int64
smf_http_date(const HttpRequest *request)
{
	const char *date = smf_http_header(request, "Date");
	int64		date_s = date ? (int64) curl_getdate(date, NULL) : -1;

	return date_s >= 0 && date_s < DATE_END_S ? date_s : -1;
}

/* ----- timers ----- */

/*
 * smf_http_timer_set
 *		Let the timer fire once, at or after "at_us" (of smf_http_now).
 *
 * It fires inside smf_http_wait.  The timer's owner cancels it before the
 * memory it lives in goes away.
 */
void
smf_http_timer_set(HttpTimer *timer, int64 at_us)
{
	if (!http.started)
		start_session();
	timer->at_us = at_us;
	if (!timer->armed)
		dlist_push_tail(&http.timers, &timer->node);
	timer->armed = true;
}

/* Disarm a timer; one that is not armed is left alone. */
void
smf_http_timer_cancel(HttpTimer *timer)
{
	if (timer->armed)
		dlist_delete(&timer->node);
	timer->armed = false;
}

/* ----- descriptors of others ----- */

/*
 * smf_http_watch
 *		Call watch->ready whenever the descriptor can be read, until smf_http_unwatch,
 *		which comes before the descriptor is closed.  Raises 53000 when it cannot be
 *		watched.
 */
void
smf_http_watch(HttpWatch *watch, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (!http.started)
		start_session();
	if (epoll_ctl(http.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not watch a descriptor: %m")));
	watch->fd = fd;
	watch->active = true;
	dlist_push_tail(&http.watches, &watch->node);
}

/* Watch the descriptor no more; an idle watch is left alone.  Raises no error. */
void
smf_http_unwatch(HttpWatch *watch)
{
	if (!watch->active)
		return;
	(void) epoll_ctl(http.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	dlist_delete(&watch->node);
	watch->active = false;
}

/* ----- the loop ----- */

static void
socket_action(curl_socket_t fd, int events)
{
	sigset_t	before;
	int			running;

	block_signals(&before);
	curl_multi_socket_action(http.multi, fd, events, &running);
	restore_signals(&before);
}

/* A request that libcurl would never end: overdue, not taken by it, not watched; or NULL. */
static HttpRequest *
stuck_request(int64 now)
{
	dlist_iter	iter;

	dlist_foreach(iter, &http.in_flight)
	{
		HttpRequest *request = dlist_container(HttpRequest, node, iter.cur);

		if (request->failure == SMF_HTTP_NO_MEMORY || request->unwatched ||
			(request->sent_us != 0 && now >= request->sent_us + request->read_timeout_us))
			return request;
	}
	return NULL;
}

/* A timer that is due, or NULL. */
static HttpTimer *
due_timer(int64 now)
{
	dlist_iter	iter;

	dlist_foreach(iter, &http.timers)
	{
		HttpTimer  *timer = dlist_container(HttpTimer, node, iter.cur);

		if (now >= timer->at_us)
			return timer;
	}
	return NULL;
}

/* Tell those whose requests libcurl is done with. */
static void
end_done_requests(void)
{
	CURLMsg    *message;
	int			left;

	while (http.multi != NULL && (message = curl_multi_info_read(http.multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;
		long		status = 0;
		HttpRequest *request;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		request = request_of(message->easy_handle);
		request->status = (int) status;
		end_request(request, result_of(request, code));
	}
}

/* Tell who reads from the descriptor; false if nobody does. */
static bool
take_watched(int fd)
{
	HttpWatch  *watch = find_watch(fd);

	if (watch == NULL)
		return false;
	http.told++;
	watch->ready(watch);
	return true;
}

/* Let libcurl, or the timer, have what one descriptor has to say; false if none has. */
static bool
take_event(void)
{
	struct epoll_event event;
	int			mask = 0;

	/* one at a time: a descriptor that is ready again stands behind all others then */
	if (epoll_wait(http.epoll_fd, &event, 1, 0) != 1)
		return false;
	if (event.data.fd == http.timer_fd)
	{
		uint64		expirations;

		(void) !read(http.timer_fd, &expirations, sizeof(expirations));
		http.armed_us = 0;
		return true;
	}
	if (take_watched(event.data.fd))
		return true;
	if (event.events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (event.events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (event.events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	if (http.multi != NULL)
		socket_action(event.data.fd, mask);
	end_done_requests();
	return true;
}

/* Call libcurl if it wants to be called by now. */
static bool
take_curl_timeout(void)
{
	if (http.multi == NULL || http.curl_due_us == 0 || smf_http_now() < http.curl_due_us)
		return false;
	http.curl_due_us = 0;
	socket_action(CURL_SOCKET_TIMEOUT, 0);
	end_done_requests();
	return true;
}

/*
 * Do what can be done without waiting, until anybody was told; true when anybody was.
 *
 * Whoever is told can send the next request before the answers behind this one are
 * read: the service is never idle for as long as a batch of answers takes.
 */
static bool
pump(void)
{
	int64		now;
	HttpTimer  *timer;
	HttpRequest *request;
	uint64		told_before = http.told;

	http.news = false;
	for (int i = 0; i < EVENTS_BATCH && http.told == told_before && take_event(); i++)
		continue;

	(void) take_curl_timeout();

	/* what is overdue may have been answered, and not read since nobody was here */
	now = smf_http_now();
	for (int i = 0; i < EVENTS_BATCH * (http.nsockets + 1) && stuck_request(now) != NULL; i++)
	{
		if (!take_event() && !take_curl_timeout())
			break;
	}
	while ((request = stuck_request(now)) != NULL)
	{
		end_request(request, request->failure == SMF_HTTP_NO_MEMORY ? SMF_HTTP_NO_MEMORY :
					request->unwatched ? SMF_HTTP_NO_DESCRIPTOR : SMF_HTTP_READ_TIMEOUT);
	}

	while ((timer = due_timer(now)) != NULL)
	{
		smf_http_timer_cancel(timer);
		http.told++;
		timer->fire(timer);
	}
	return http.told != told_before;
}

static void
consider(int64 at_us, int64 *earliest_us)
{
	if (at_us != 0 && (*earliest_us == 0 || at_us < *earliest_us))
		*earliest_us = at_us;
}

/*
 * Let the timer descriptor fire at the earliest deadline there is, or at once; raises
 * what went wrong with the descriptors since.
 */
static void
arm_timer(void)
{
	dlist_iter	iter;
	int64		earliest_us = http.news ? 1 : 0;
	struct itimerspec when = {0};

	consider(http.curl_due_us, &earliest_us);
	dlist_foreach(iter, &http.in_flight)
	{
		HttpRequest *request = dlist_container(HttpRequest, node, iter.cur);

		if (request->sent_us != 0)
			consider(request->sent_us + request->read_timeout_us, &earliest_us);
	}
	dlist_foreach(iter, &http.timers)
		consider(dlist_container(HttpTimer, node, iter.cur)->at_us, &earliest_us);

	if (earliest_us != http.armed_us)
	{
		when.it_value.tv_sec = earliest_us / 1000000;
		when.it_value.tv_nsec = (earliest_us % 1000000) * 1000;
		if (timerfd_settime(http.timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
			http.io_errno = errno;
		else
			http.armed_us = earliest_us;
	}
	if (http.io_errno != 0)
	{
		errno = http.io_errno;
		http.io_errno = 0;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not watch a network connection: %m")));
	}
}

/*
 * Is there anything that will end a sleep?  What libcurl wants to be called for, and a
 * reminder, move nothing on.
 */
static bool
anything_to_wait_for(void)
{
	dlist_iter	iter;

	if (http.nin_flight > 0 || !dlist_is_empty(&http.watches))
		return true;
	dlist_foreach(iter, &http.timers)
	{
		if (!dlist_container(HttpTimer, node, iter.cur)->reminder)
			return true;
	}
	return false;
}

/*
 * Whoever sleeps for nothing would sleep for ever.  No query may get here; one that does
 * had better fail than hang.
 */
static void
check_reason_to_sleep(void)
{
	if (!anything_to_wait_for())
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("sagemaker_fdw would wait for nothing"),
				 errdetail("No request is under way, and no timer is set."),
				 errhint("This is an error in sagemaker_fdw. Please report it, with the statement.")));
}

/* ----- for those who wait ----- */

/*
 * smf_http_told
 *		How often anybody of the session was told anything: as long as it stays
 *		the same, nobody has news.
 */
uint64
smf_http_told(void)
{
	return http.told;
}

/*
 * smf_http_tell
 *		There is news that came from elsewhere than the network: whoever waits is to
 *		look again.  Raises no error.
 */
void
smf_http_tell(void)
{
	http.told++;
}

/*
 * smf_http_poll
 *		Move every request of the session on as far as it goes without waiting.
 *
 * Raises an error on a query cancel, as smf_http_wait does.
 */
void
smf_http_poll(void)
{
	CHECK_FOR_INTERRUPTS();
	if (http.started)
		pump();
}

/*
 * smf_http_wait
 *		Move every request of the session on; sleep only when none can move.
 *
 * "told" is what smf_http_told() was before the caller looked at what it waits for.
 * Where anybody was told anything since then, that may be the caller's news, and this
 * returns at once: nobody sleeps on news, however it came, also within another wait.
 * Otherwise it returns after somebody may have been told something; the caller looks
 * again, and calls again.
 *
 * Raises an error on a query cancel, a termination or a time-out of the statement,
 * which is why requests are owned by something that frees them then; and XX000 where
 * nothing would end the sleep.
 */
void
smf_http_wait(uint64 told)
{
	WaitEvent	occurred[3];
	int			noccurred;

	if (!http.started)
		start_session();
	CHECK_FOR_INTERRUPTS();
	if (http.told != told || pump())
		return;
	check_reason_to_sleep();
	arm_timer();
	noccurred = WaitEventSetWait(http.wait_set, -1, occurred, lengthof(occurred),
								 http.wait_event);
	for (int i = 0; i < noccurred; i++)
	{
		if (occurred[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
	pump();
}

/*
 * smf_http_descriptor
 *		The descriptor that is readable when a request of the session can move.
 *
 * For those who wait elsewhere, on several things.  It is the session's own: whoever
 * waits on it registers a dup() of it.  It is good for one sleep after smf_http_arm;
 * smf_http_poll then moves the requests.
 */
int
smf_http_descriptor(void)
{
	if (!http.started)
		start_session();
	return http.epoll_fd;
}

/*
 * smf_http_arm
 *		Before somebody sleeps on the descriptor: let it be readable at the next
 *		deadline of any request or timer.
 *
 * "told" is as for smf_http_wait: where there is news since then the descriptor is
 * readable at once, until smf_http_poll, whoever else arms it.  Raises XX000 where
 * nothing would end the sleep.
 */
void
smf_http_arm(uint64 told)
{
	if (!http.started)
		start_session();
	if (http.told != told)
		http.news = true;
	if (!http.news)
		check_reason_to_sleep();
	arm_timer();
}
