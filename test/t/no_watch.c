/*-------------------------------------------------------------------------
 *
 * no_watch.c
 *		For LD_PRELOAD: epoll_ctl as it fails for a process that watches too much, or
 *		whose sockets were closed and opened behind its back.
 *
 * Each happens once in a process: a timer cannot be watched; the first socket is
 * watched already, and is not any more when what it is watched for changes; the eighth
 * cannot be watched.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int
epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	static int	session = -1;	/* the descriptor that watches a timer */
	static int	timers = 0;
	static int	sockets = 0;
	static int	changes = 0;
	int			(*next) (int, int, int, struct epoll_event *);
	char		path[64];
	char		what[64] = "";
	int			fails = 0;

	*(void **) &next = dlsym(RTLD_NEXT, "epoll_ctl");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, what, sizeof(what) - 1) > 0 && op != EPOLL_CTL_DEL)
	{
		int			is_timer = strstr(what, "timerfd") != NULL;
		int			is_socket = strstr(what, "socket:") != NULL && epoll_fd == session;

		if (is_timer && op == EPOLL_CTL_ADD)
		{
			session = epoll_fd;
			fails = ++timers == 1;
		}
		else if (is_socket && op == EPOLL_CTL_ADD)
		{
			if (++sockets == 1)
				next(epoll_fd, EPOLL_CTL_ADD, fd, event);
			fails = sockets == 8;
		}
		/* the first change is what comes of a socket that is watched already */
		else if (is_socket && ++changes == 2)
			next(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	}
	if (fails)
	{
		errno = ENOSPC;
		return -1;
	}
	return next(epoll_fd, op, fd, event);
}
