/*-------------------------------------------------------------------------
 *
 * silent_resolver.c
 *		For LD_PRELOAD: names below "silent.invalid" never resolve, those below
 *		"slow.invalid" are unknown after a second, and those with a "nowhere", or of the
 *		region "us-east-9", at once.
 *
 * Stands for a name server that gives no answer, for ever and until the resolver
 * gives up, and for one that knows that there is no such name.  Other names are
 * looked up as usual.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int			(*next) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

	while (node != NULL && strstr(node, "silent.invalid") != NULL)
		pause();
	if (node != NULL && strstr(node, "slow.invalid") != NULL)
	{
		sleep(1);
		return EAI_AGAIN;
	}
	if (node != NULL && (strstr(node, "nowhere") != NULL || strstr(node, "us-east-9") != NULL))
		return EAI_NONAME;
	*(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");
	return next(node, service, hints, result);
}
