/*-------------------------------------------------------------------------
 *
 * link_local.c
 *		For LD_PRELOAD: the addresses of instance metadata and container credentials
 *		lead to a port of this machine.
 *
 * The port is that of the variable LINK_LOCAL_PORT.  Other addresses are connected
 * to as usual.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *const addresses[] = {"169.254.169.254", "169.254.170.2", "169.254.170.23"};
static const char *const addresses6[] = {"fd00:ec2::254", "fd00:ec2::23"};

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int			(*next) (int, const struct sockaddr *, socklen_t);
	const char *port = getenv("LINK_LOCAL_PORT");
	struct sockaddr_in there;
	struct sockaddr_in6 there6;
	struct in_addr one;
	struct in6_addr one6;

	*(void **) &next = dlsym(RTLD_NEXT, "connect");
	for (int i = 0; port != NULL && address->sa_family == AF_INET && i < COUNT(addresses); i++)
	{
		memcpy(&there, address, sizeof(there));
		inet_pton(AF_INET, addresses[i], &one);
		if (memcmp(&there.sin_addr, &one, sizeof(one)) != 0)
			continue;
		there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		there.sin_port = htons(atoi(port));
		return next(fd, (struct sockaddr *) &there, sizeof(there));
	}
	for (int i = 0; port != NULL && address->sa_family == AF_INET6 && i < COUNT(addresses6); i++)
	{
		memcpy(&there6, address, sizeof(there6));
		inet_pton(AF_INET6, addresses6[i], &one6);
		if (memcmp(&there6.sin6_addr, &one6, sizeof(one6)) != 0)
			continue;
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &there6.sin6_addr);
		there6.sin6_port = htons(atoi(port));
		return next(fd, (struct sockaddr *) &there6, sizeof(there6));
	}
	return next(fd, address, len);
}
