/*-------------------------------------------------------------------------
 *
 * epoll.c
 *		The one descriptor that is readable when anything of the session can move.
 *
 * An epoll descriptor holds every socket that libcurl watches, the descriptors that
 * others read from (HttpWatch), and a timerfd for the earliest deadline of anybody.  The
 * session sleeps on it, on the latch and on the postmaster's death; asynchronous scans
 * sleep in the executor, on copies of it.  Once made, all of this stays.
 *
 * Not accounted for: only Linux is supported (epoll, timerfd).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "http/internal.h"
#include "miscadmin.h"
#include "storage/fd.h"

/*
 * smf_http_now
 *		Microseconds of a clock that never goes back, which is the timer's too.
 */
int64
smf_http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
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

/* Make the timer, as one of those that the epoll descriptor holds. */
static void
open_timer(void)
{
	int			fd = own_descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
									"timer");
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(smf_http.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
	{
		int			save_errno = errno;

		close(fd);
		ReleaseExternalFD();
		errno = save_errno;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not watch a timer descriptor: %m")));
	}
	smf_http.timer_fd = fd;
}

/* Make what the session sleeps on. */
static void
open_wait_set(void)
{
	WaitEventSet *set = smf_create_wait_event_set(3);

	PG_TRY();
	{
		AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
		/* single-user mode has no postmaster */
		if (IsUnderPostmaster)
			AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
		AddWaitEventToSet(set, WL_SOCKET_READABLE, smf_http.epoll_fd, NULL, NULL);
	}
	PG_CATCH();
	{
		FreeWaitEventSet(set);
		PG_RE_THROW();
	}
	PG_END_TRY();
	smf_http.wait_set = set;
}

/*
 * smf_epoll_open
 *		Make what is not there yet of the session's descriptors and its wait set.
 *
 * Raises 53000 without a descriptor.  What was made before that is kept: the next call
 * goes on from there.
 */
void
smf_epoll_open(void)
{
	if (smf_http.epoll_fd == 0)
		smf_http.epoll_fd = own_descriptor(epoll_create1(EPOLL_CLOEXEC), "epoll");
	if (smf_http.timer_fd == 0)
		open_timer();
	if (smf_http.wait_event == 0)
		smf_http.wait_event = smf_wait_event("SagemakerFdwCall");
	if (smf_http.wait_set == NULL)
		open_wait_set();
}

/*
 * smf_epoll_watch_of
 *		Who reads from the descriptor, if it is none of libcurl's; NULL: nobody.
 */
HttpWatch *
smf_epoll_watch_of(int fd)
{
	dlist_iter	iter;

	dlist_foreach(iter, &smf_http.watches)
	{
		HttpWatch  *watch = dlist_container(HttpWatch, node, iter.cur);

		if (watch->fd == fd)
			return watch;
	}
	return NULL;
}

/*
 * smf_epoll_add
 *		Watch a socket of libcurl's for these events; false when that fails.
 *
 * "known" is whether libcurl believes that it is watched already.  That may be wrong: it
 * may have closed the socket of that number silently, and opened another.  Raises no
 * error.
 */
bool
smf_epoll_add(int fd, uint32 events, bool known)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	int			op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(smf_http.epoll_fd, op, fd, &event) == 0)
		return true;

	/* The kernel knows better: try what its answer says. */
	if (op == EPOLL_CTL_MOD && errno == ENOENT)
		op = EPOLL_CTL_ADD;
	else if (op == EPOLL_CTL_ADD && errno == EEXIST)
		op = EPOLL_CTL_MOD;
	else
		return false;
	return epoll_ctl(smf_http.epoll_fd, op, fd, &event) == 0;
}

/*
 * smf_epoll_remove
 *		Watch a socket of libcurl's no more.  Raises no error.
 */
void
smf_epoll_remove(int fd)
{
	/*
	 * The descriptor may be closed already, and is then out of the set; or its number
	 * may have gone to somebody who watches it.
	 */
	if (smf_epoll_watch_of(fd) == NULL)
		(void) epoll_ctl(smf_http.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
