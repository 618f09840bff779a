/*-------------------------------------------------------------------------
 *
 * http.h
 *		Postgres version differences for http/: how a session sleeps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_HTTP_H
#define SMF_COMPAT_HTTP_H

#include "compat/base.h"
#include "storage/latch.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* A wait event set that lives as long as the session. */
static inline WaitEventSet *
smf_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/*
 * The wait event that pg_stat_activity shows; it has a name of its own where Postgres
 * allows one.
 */
static inline uint32
smf_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

#endif							/* SMF_COMPAT_HTTP_H */
