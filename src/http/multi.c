/*-------------------------------------------------------------------------
 *
 * multi.c
 *		libcurl's handles: the session's multi handle, and easy handles to use again.
 *
 * libcurl may start resolver threads, which inherit the signal mask: every call that
 * can start one is in this file, with all signals blocked, so that no handler of
 * Postgres's runs there.  It is initialized in the backend, never in the postmaster.
 *
 * What is written down is not the environment's to say: SSLKEYLOGFILE is taken out of it.
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
/* Threads that may ask a resolver; more names wait for one.  libcurl's own limit is 20. */
#define MAX_RESOLVER_THREADS 1000L
#endif

HttpSession smf_http;

static CURL *idle[IDLE_HANDLES_MAX];	/* easy handles to use again */
static int	nidle = 0;

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

/*
 * smf_multi_request_of
 *		The request that a handle of libcurl's belongs to; NULL: libcurl's own.
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

/* A socket is to be watched, for other events than before, or no more. */
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

	/* A request whose socket cannot be watched fails; any other goes on. */
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

/* libcurl wants to be called after that time. */
static int
timer_callback(CURLM *multi, long timeout_ms, void *arg)
{
	smf_http.curl_due_us = timeout_ms < 0 ? 0 : smf_http_now() + timeout_ms * INT64CONST(1000);
	return 0;
}

/* ----- the session's beginning and end ----- */

/* Once in a process. */
static void
initialize_libcurl(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	/* keys of connections are not written to a file, by libcurl or by OpenSSL */
	unsetenv("SSLKEYLOGFILE");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	initialized = true;
}

/* Make the multi handle, and what is forgotten with it. */
static void
open_multi(void)
{
	smf_http.multi = curl_multi_init();
	if (smf_http.multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not create a libcurl multi handle")));

	/* Without the share handle connections are only made more slowly. */
	smf_http.share = curl_share_init();
	if (smf_http.share != NULL)
		curl_share_setopt(smf_http.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	smf_tls_find_certificates();

	curl_multi_setopt(smf_http.multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
	curl_multi_setopt(smf_http.multi, CURLMOPT_TIMERFUNCTION, timer_callback);
#if SMF_LIBCURL >= 0x081400
	/* as before 8.20: no wait for resolver threads, and no name waits for one */
	curl_multi_setopt(smf_http.multi, CURLMOPT_QUICK_EXIT, 1L);
	curl_multi_setopt(smf_http.multi, CURLMOPT_RESOLVE_THREADS_MAX, MAX_RESOLVER_THREADS);
#endif
}

/*
 * smf_multi_start
 *		Make what the session needs and has not yet: its descriptors, the multi handle.
 *
 * Raises an error without a descriptor or memory.  Each step is kept when a later one
 * fails: the next call goes on there.
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
 *		certificates.  Nothing is in flight.  Raises no error.
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
	/* last: no handle may use it any more */
	if (smf_http.share != NULL)
		curl_share_cleanup(smf_http.share);
	restore_signals(&before);

	smf_socket_forget_closed();
	smf_http.multi = NULL;
	smf_http.share = NULL;
	smf_http.curl_due_us = 0;
	smf_http.started = false;
}

/* ----- easy handles: without a multi handle they start no thread ----- */

/*
 * smf_multi_take_handle
 *		An easy handle with nothing set, for smf_multi_give_back_handle; NULL without
 *		memory.
 */
CURL *
smf_multi_take_handle(void)
{
	return nidle > 0 ? idle[--nidle] : curl_easy_init();
}

/*
 * smf_multi_give_back_handle
 *		Keep an easy handle for the next request, or free it if there are enough.
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

/* ----- requests: libcurl begins them later, when it acts ----- */

/*
 * smf_multi_add
 *		Give a request to libcurl, which begins it the next time that it acts; false
 *		without memory.
 */
bool
smf_multi_add(HttpRequest *request)
{
	return curl_multi_add_handle(smf_http.multi, request->easy) == CURLM_OK;
}

/*
 * smf_multi_remove
 *		Take a request off libcurl, ended or not.
 */
void
smf_multi_remove(HttpRequest *request)
{
	curl_multi_remove_handle(smf_http.multi, request->easy);
}

/* ----- the call that can start a thread ----- */

/*
 * smf_multi_act
 *		Let libcurl act on a socket's events (CURL_CSELECT_*); or, for
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
