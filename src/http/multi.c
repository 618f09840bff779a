/*-------------------------------------------------------------------------
 *
 * multi.c
 *		libcurl's handles: the session's multi handle, and easy handles for reuse.
 *
 * libcurl may start resolver threads, which inherit the signal mask.  Every call that can
 * start one is in this file and runs with all signals blocked, so that no handler of
 * Postgres runs in such a thread.  libcurl is initialized in the backend, never in the
 * postmaster.
 *
 * The environment must not decide what is written to disk: SSLKEYLOGFILE is removed from
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "http/internal.h"

/* Idle easy handles kept for the next requests. */
#define IDLE_HANDLES_MAX 16

#if SMF_LIBCURL >= 0x081400
/* Threads that may resolve names; further names wait for one.  libcurl's own limit is 20. */
#define MAX_RESOLVER_THREADS 1000L
#endif

HttpSession smf_http;

static CURL *idle[IDLE_HANDLES_MAX];	/* easy handles for reuse */
static int	nidle = 0;

/* libcurl may start a thread, which must inherit a full signal mask. */
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

/*
 * smf_multi_request_of
 *		The request that one of libcurl's handles belongs to; NULL: libcurl's own
 *		handle.
 */
HttpRequest *
smf_multi_request_of(CURL *easy)
{
	char	   *request = NULL;

	if (easy == NULL || curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request) != CURLE_OK)
		return NULL;
	return (HttpRequest *) request;
}

/* ----- libcurl's callbacks: they raise no error ----- */

/* Watch a socket, watch it for other events, or stop watching it. */
static int
socket_callback(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	uint32		events = 0;

	if (what == CURL_POLL_REMOVE)
	{
		smf_epoll_remove(fd);
		return 0;
	}

	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;

	/* A request whose socket cannot be watched fails; all others go on. */
	if (smf_epoll_add(fd, events, known != NULL))
		curl_multi_assign(smf_http.multi, fd, &smf_http);
	else
	{
		HttpRequest *request = smf_multi_request_of(easy);

		if (request != NULL)
			request->unwatched = true;
	}
	return 0;
}

/* libcurl wants to be called after this time. */
static int
timer_callback(CURLM *multi, long timeout_ms, void *arg)
{
	smf_http.curl_due_us = timeout_ms < 0 ? 0 : smf_http_now() + timeout_ms * INT64CONST(1000);
	return 0;
}

/* ----- start and end of the session ----- */

/* Once per process. */
static void
initialize_libcurl(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	/* neither libcurl nor OpenSSL may write the keys of connections to a file */
	unsetenv("SSLKEYLOGFILE");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	initialized = true;
}

/* Create the multi handle and what goes away with it. */
static void
open_multi(void)
{
	smf_http.multi = curl_multi_init();
	if (smf_http.multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not create a libcurl multi handle")));

	/* Without the share handle connections only take longer to open. */
	smf_http.share = curl_share_init();
	if (smf_http.share != NULL)
		curl_share_setopt(smf_http.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	smf_tls_find_certificates();

	curl_multi_setopt(smf_http.multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
	curl_multi_setopt(smf_http.multi, CURLMOPT_TIMERFUNCTION, timer_callback);
#if SMF_LIBCURL >= 0x081400
	/* as before 8.20: do not wait for resolver threads, and let no name wait for one */
	curl_multi_setopt(smf_http.multi, CURLMOPT_QUICK_EXIT, 1L);
	curl_multi_setopt(smf_http.multi, CURLMOPT_RESOLVE_THREADS_MAX, MAX_RESOLVER_THREADS);
#endif
}

/*
 * smf_multi_start
 *		Create what the session needs and does not have yet: its descriptors and the
 *		multi handle.
 *
 * Raises an error without a descriptor or memory.  Each completed step is kept when a
 * later one fails: the next call continues from there.
 */
void
smf_multi_start(void)
{
	if (smf_http.started)
		return;
	initialize_libcurl();
	smf_epoll_open();
	if (smf_http.multi == NULL)
		open_multi();
	smf_http.started = true;
}

/*
 * smf_multi_close
 *		Close the kept connections, and forget TLS sessions and the system's
 *		certificates.  Nothing may be in flight.  Raises no error.
 */
void
smf_multi_close(void)
{
	sigset_t	before;

	block_signals(&before);
	while (nidle > 0)
		curl_easy_cleanup(idle[--nidle]);
	if (smf_http.multi != NULL)
		curl_multi_cleanup(smf_http.multi);
	/* last, when no handle uses it any more */
	if (smf_http.share != NULL)
		curl_share_cleanup(smf_http.share);
	restore_signals(&before);

	smf_socket_forget_closed();
	smf_http.multi = NULL;
	smf_http.share = NULL;
	smf_http.curl_due_us = 0;
	smf_http.started = false;
}

/* ----- easy handles: they start no thread without a multi handle ----- */

/*
 * smf_multi_take_handle
 *		An easy handle with no options set, for smf_multi_give_back_handle; NULL
 *		without memory.
 */
CURL *
smf_multi_take_handle(void)
{
	return nidle > 0 ? idle[--nidle] : curl_easy_init();
}

/*
 * smf_multi_give_back_handle
 *		Keep an easy handle for the next request, or free it if there are enough
 *		already.
 */
void
smf_multi_give_back_handle(CURL *easy)
{
	if (nidle < IDLE_HANDLES_MAX)
	{
		curl_easy_reset(easy);
		idle[nidle++] = easy;
	}
	else
		curl_easy_cleanup(easy);
}

/* ----- requests: libcurl starts them later, when it acts ----- */

/*
 * smf_multi_add
 *		Give a request to libcurl, which starts it the next time it acts; false without
 *		memory.
 */
bool
smf_multi_add(HttpRequest *request)
{
	return curl_multi_add_handle(smf_http.multi, request->easy) == CURLM_OK;
}

/*
 * smf_multi_remove
 *		Take a request away from libcurl, whether it has ended or not.
 */
void
smf_multi_remove(HttpRequest *request)
{
	curl_multi_remove_handle(smf_http.multi, request->easy);
}

/* ----- the call that can start a thread ----- */

/*
 * smf_multi_act
 *		Let libcurl act on a socket's events (CURL_CSELECT_*) or, for
 *		CURL_SOCKET_TIMEOUT, on its timers that are due.
 */
void
smf_multi_act(curl_socket_t fd, int events)
{
	sigset_t	before;
	int			running;

	block_signals(&before);
	curl_multi_socket_action(smf_http.multi, fd, events, &running);
	restore_signals(&before);
}
