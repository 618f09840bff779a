/*-------------------------------------------------------------------------
 *
 * epoll.c
 *		The one descriptor that is readable when anything of the session can move.
 *
 * An epoll descriptor holds every socket that libcurl watches, the descriptors that
 * others read from (HttpWatch), and a timerfd for the earliest deadline.  The session
 * sleeps on it, on the latch and on the postmaster's death; asynchronous scans sleep in
 * the executor, on copies of it.  Once created, all of this lasts until the session ends.
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
 *		Microseconds of a clock that never goes back; the timer uses the same clock.
 */
int64
smf_http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Count a descriptor as one of the session's own; raises an error if there is none. */
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

/* Create the timer and add it to the epoll descriptor. */
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

/* Create the wait set that the session sleeps on. */
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
 *		Create whichever of the session's descriptors and its wait set do not exist
 *		yet.
 *
 * Raises 53000 when there is no descriptor.  What was created before that is kept: the
 * next call continues from there.
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
 *		The watch of a descriptor that is not libcurl's; NULL if there is none.
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
 *		Watch one of libcurl's sockets for these events; false when that fails.
 *
 * "known" says whether libcurl believes that the socket is already watched.  That may be
 * wrong: libcurl may have silently closed a socket and opened another with the same
 * number.  Raises no error.
 */
bool
smf_epoll_add(int fd, uint32 events, bool known)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	int			op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(smf_http.epoll_fd, op, fd, &event) == 0)
		return true;

	/* The kernel knows better: do what its answer suggests. */
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
 *		Stop watching one of libcurl's sockets.  Raises no error.
 */
void
smf_epoll_remove(int fd)
{
	/*
	 * The descriptor may already be closed, and is then no longer in the set; or its
	 * number may now belong to a descriptor that somebody watches.
	 */
	if (smf_epoll_watch_of(fd) == NULL)
		(void) epoll_ctl(smf_http.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
