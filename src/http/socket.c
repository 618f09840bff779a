/*-------------------------------------------------------------------------
 *
 * socket.c
 *		libcurl's sockets: opened, counted, closed.
 *
 * They are counted with AcquireExternalFD, like any other descriptor of the backend, and
 * a few descriptors are left for Postgres.  A request that gets no descriptor fails with
 * SMF_HTTP_NO_DESCRIPTOR, and queue.c lets it wait for one.
 *
 * libcurl calls smf_socket_close when it closes a socket, but not always while the socket
 * is connecting (7.88).  So this file also looks for sockets that were closed silently.
 *
 * Not accounted for: the descriptors that libcurl opens to wake itself up (two for the
 * session, two while it resolves a name) are not counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/internal.h"
#include "storage/fd.h"

/* Descriptors left for Postgres: an asynchronous Append fails when it finds none. */
#define SPARE_DESCRIPTORS 2

/* Counted sockets that the first allocation has room for. */
#define SOCKETS_INITIAL 64

/* A counted socket of libcurl's. */
typedef struct CountedSocket
{
	int			fd;
	ino_t		inode;			/* tells it from a later descriptor with the same number */
} CountedSocket;

static CountedSocket *sockets = NULL;	/* malloc'ed */
static int	nsockets = 0;
static int	sockets_size = 0;	/* allocated */

/*
 * smf_socket_count
 *		How many of libcurl's sockets are counted as open.
 */
int
smf_socket_count(void)
{
	return nsockets;
}

/* Stop counting one socket. */
static void
discount_socket(CountedSocket *counted)
{
	*counted = sockets[--nsockets];
	ReleaseExternalFD();
}

/*
 * smf_socket_forget_closed
 *		Stop counting sockets that libcurl has closed without calling smf_socket_close.
 *		Raises no error.
 */
void
smf_socket_forget_closed(void)
{
	int			i = 0;

	while (i < nsockets)
	{
		CountedSocket *counted = &sockets[i];
		struct stat status;

		if (fstat(counted->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
			status.st_ino == counted->inode)
			i++;
		else
			discount_socket(counted);
	}
}

/* Remember a socket whose descriptor was acquired; false without memory. */
static bool
count_socket(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	if (nsockets == sockets_size)
	{
		int			size = sockets_size ? 2 * sockets_size : SOCKETS_INITIAL;
		CountedSocket *grown = realloc(sockets, size * sizeof(CountedSocket));

		if (grown == NULL)
			return false;
		sockets = grown;
		sockets_size = size;
	}
	sockets[nsockets].fd = fd;
	sockets[nsockets].inode = status.st_ino;
	nsockets++;
	return true;
}

/* Count one more descriptor, if "spare" others would still be available after that. */
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
 *		Count a descriptor that is not libcurl's, as AcquireExternalFD does, if that
 *		leaves enough for a connection and for Postgres.
 */
bool
smf_http_acquire_descriptor(void)
{
	return acquire_descriptor(SPARE_DESCRIPTORS + 1);
}

/*
 * smf_socket_open
 *		libcurl's callback: open and count a socket for the request "arg".
 *
 * If there is none, the request's failure says why, and libcurl tries the next address.
 */
curl_socket_t
smf_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpRequest *request = arg;
	curl_socket_t fd;

	/* A request sent on a kept connection that was dead is sent again. */
	request->sent_us = 0;

	/* Leave the last descriptors for Postgres, unless there would be no connection at all. */
	smf_socket_forget_closed();
	if (!acquire_descriptor(SPARE_DESCRIPTORS) && (nsockets > 0 || !AcquireExternalFD()))
	{
		request->failure = SMF_HTTP_NO_DESCRIPTOR;
		return CURL_SOCKET_BAD;
	}

	/* Open it; give the descriptor back when that fails. */
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

	/* A previous address may have failed for want of a descriptor. */
	if (request->failure == SMF_HTTP_NO_DESCRIPTOR)
		request->failure = SMF_HTTP_PENDING;
	return fd;
}

/*
 * smf_socket_close
 *		libcurl's callback: close a socket, and stop counting it.
 */
int
smf_socket_close(void *arg, curl_socket_t fd)
{
	for (int i = 0; i < nsockets; i++)
	{
		if (sockets[i].fd != fd)
			continue;
		discount_socket(&sockets[i]);
		break;
	}
	return close(fd);
}
