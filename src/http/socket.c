/*-------------------------------------------------------------------------
 *
 * socket.c
 *		libcurl's sockets: opened, counted, closed.
 *
 * They are counted with AcquireExternalFD, like any descriptor of the backend's own, and
 * a few descriptors are left to Postgres.  A request for which there is none fails with
 * SMF_HTTP_NO_DESCRIPTOR, and queue.c lets it wait for one.
 *
 * libcurl calls smf_socket_close when it closes a socket, but not always while that is
 * connecting (7.88): those that were closed silently are looked for.
 *
 * Not accounted for: the descriptors that libcurl opens for its own wake-ups (two for
 * the session, two while a name is being resolved) are not counted.
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

/* Descriptors that are left to Postgres: an asynchronous Append fails when it finds none. */
#define SPARE_DESCRIPTORS 2

/* The first allocation for the sockets that are counted. */
#define SOCKETS_INITIAL 64

/* A socket of libcurl's that is counted. */
typedef struct CountedSocket
{
	int			fd;
	ino_t		inode;			/* tells it from whatever has the number later */
} CountedSocket;

static CountedSocket *sockets = NULL;	/* malloc'ed */
static int	nsockets = 0;
static int	sockets_size = 0;	/* allocated */

/*
 * smf_socket_count
 *		How many sockets of libcurl's are counted as open.
 */
int
smf_socket_count(void)
{
	return nsockets;
}

/* Count one socket less. */
static void
discount_socket(CountedSocket *counted)
{
	*counted = sockets[--nsockets];
	ReleaseExternalFD();
}

/*
 * smf_socket_forget_closed
 *		Count no longer what libcurl has closed without calling smf_socket_close.
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

/* Remember a socket for which a descriptor was acquired; false without memory. */
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

/* Count one more descriptor, if "spare" others could still be had after that. */
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

/*
 * smf_socket_open
 *		libcurl's callback: open and count a socket for the request "arg".
 *
 * Without one the request's failure says why, and libcurl tries the next address.
 */
curl_socket_t
smf_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpRequest *request = arg;
	curl_socket_t fd;

	/* What was sent on a kept connection that was dead is sent again. */
	request->sent_us = 0;

	/* The last descriptors are left to Postgres, unless there would be no connection at all. */
	smf_socket_forget_closed();
	if (!acquire_descriptor(SPARE_DESCRIPTORS) && (nsockets > 0 || !AcquireExternalFD()))
	{
		request->failure = SMF_HTTP_NO_DESCRIPTOR;
		return CURL_SOCKET_BAD;
	}

	/* Open it; what fails gives the descriptor back. */
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

	/* There may have been no descriptor for the address before. */
	if (request->failure == SMF_HTTP_NO_DESCRIPTOR)
		request->failure = SMF_HTTP_PENDING;
	return fd;
}

/*
 * smf_socket_close
 *		libcurl's callback: close a socket, and count it no longer.
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
