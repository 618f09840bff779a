/*-------------------------------------------------------------------------
 *
 * cache.h
 *		The results of look-ups, kept for when they are repeated.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CACHE_H
#define SMF_CACHE_H

#include "utils/jsonb.h"

typedef struct JobCache JobCache;

/* What is known about one job.  NULL if it was not asked for. */
typedef struct CachedJob
{
	const char *name;			/* NULL: there is no such job */
	Jsonb	   *document;
	Jsonb	   *tags;
} CachedJob;

extern JobCache *smf_cache_create(size_t max_bytes);
extern const CachedJob *smf_cache_find(JobCache *cache, const char *key);
extern void smf_cache_add(JobCache *cache, const char *key, const CachedJob *job);
extern void smf_cache_pin(JobCache *cache);
extern void smf_cache_unpin(JobCache *cache);

#endif							/* SMF_CACHE_H */
