/*-------------------------------------------------------------------------
 *
 * no_watch.c
 *		For LD_PRELOAD: the first attempt of a process to watch a timer fails.
 *
 * Stands for a user who watches too many descriptors for a moment.
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
	static int	failed = 0;
	int			(*next) (int, int, int, struct epoll_event *);
	char		path[64];
	char		what[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!failed && op == EPOLL_CTL_ADD && readlink(path, what, sizeof(what) - 1) > 0 &&
		strstr(what, "timerfd") != NULL)
	{
		failed = 1;
		errno = ENOSPC;
		return -1;
	}
	*(void **) &next = dlsym(RTLD_NEXT, "epoll_ctl");
	return next(epoll_fd, op, fd, event);
}
