/*-------------------------------------------------------------------------
 *
 * cache.c
 *		The results of look-ups, kept for when they are repeated.
 *
 * A nested loop asks for a job as often as another table names it, and a scan that is
 * restarted need not make the same calls again.  When the cache is full, the job that was
 * not asked for the longest time is dropped first.
 *
 * Code that fetches jobs ahead pins them: whatever is found or added while pinning stays
 * until it is unpinned, even if the cache exceeds its limit.
 *
 * Not accounted for: a job that changes while the scan runs is seen as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "jobs/cache.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* One job, in a single allocation: the struct, then key, name, documents. */
typedef struct CacheItem
{
	dlist_node	node;			/* in one of the cache's lists */
	const char *key;
	size_t		size;			/* of the allocation */
	CachedJob	job;
} CacheItem;

/* The hash table's entry. */
typedef struct CacheSlot
{
	const char *key;			/* belongs to the item */
	CacheItem  *item;
} CacheSlot;

struct JobCache
{
	MemoryContext context;		/* the cache and everything in it */
	HTAB	   *slots;			/* CacheSlot by key */
	dlist_head	items;			/* CacheItem, the last one asked for first */
	dlist_head	pinned;			/* CacheItem that must stay; not in "items" */
	bool		pinning;		/* put what is found or added there? */
	size_t		bytes;			/* of all items */
	size_t		max_bytes;
};

static uint32
key_hash(const void *key, Size keysize)
{
	const char *string = *(const char *const *) key;

	return hash_bytes((const unsigned char *) string, strlen(string));
}

static int
key_compare(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * smf_cache_create
 *		Create a cache in the current memory context, limited to about "max_bytes".
 */
JobCache *
smf_cache_create(size_t max_bytes)
{
	JobCache   *cache = palloc0(sizeof(JobCache));
	HASHCTL		control = {0};

	cache->context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw job cache",
										   ALLOCSET_DEFAULT_SIZES);
	cache->max_bytes = max_bytes;
	dlist_init(&cache->items);
	dlist_init(&cache->pinned);
	control.keysize = sizeof(const char *);
	control.entrysize = sizeof(CacheSlot);
	control.hash = key_hash;
	control.match = key_compare;
	control.hcxt = cache->context;
	cache->slots = hash_create("sagemaker_fdw job cache", 64, &control,
							   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	return cache;
}

/* Put the item in front: it was asked for last. */
static void
push_item(JobCache *cache, CacheItem *item)
{
	dlist_push_head(cache->pinning ? &cache->pinned : &cache->items, &item->node);
}

/*
 * smf_cache_find
 *		What is known for the key, or NULL.  It belongs to the cache, and is valid
 *		until something is added.
 */
const CachedJob *
smf_cache_find(JobCache *cache, const char *key)
{
	CacheSlot  *slot = hash_search(cache->slots, &key, HASH_FIND, NULL);

	if (slot == NULL)
		return NULL;
	dlist_delete(&slot->item->node);
	push_item(cache, slot->item);
	return &slot->item->job;
}

static void
drop_item(JobCache *cache, CacheItem *item)
{
	(void) hash_search(cache->slots, &item->key, HASH_REMOVE, NULL);
	dlist_delete(&item->node);
	cache->bytes -= item->size;
	pfree(item);
}

/* Drop what was not asked for the longest time, until "size" more bytes fit. */
static void
make_room(JobCache *cache, size_t size)
{
	while (cache->bytes + size > cache->max_bytes && !dlist_is_empty(&cache->items))
		drop_item(cache, dlist_tail_element(CacheItem, node, &cache->items));
}

/* Copy data to *at, and advance that, aligned; returns the address of the copy. */
static void *
put(char **at, const void *data, size_t size)
{
	void	   *copy = *at;

	if (data == NULL)
		return NULL;
	memcpy(copy, data, size);
	*at += MAXALIGN(size);
	return copy;
}

/*
 * smf_cache_add
 *		Store the result for the key; copied.
 */
void
smf_cache_add(JobCache *cache, const char *key, const CachedJob *job)
{
	size_t		key_size = strlen(key) + 1;
	size_t		name_size = job->name ? strlen(job->name) + 1 : 0;
	size_t		document_size = job->document ? VARSIZE(job->document) : 0;
	size_t		tags_size = job->tags ? VARSIZE(job->tags) : 0;
	size_t		size = MAXALIGN(sizeof(CacheItem)) + MAXALIGN(key_size) + MAXALIGN(name_size) +
		MAXALIGN(document_size) + MAXALIGN(tags_size);
	CacheSlot  *slot = hash_search(cache->slots, &key, HASH_FIND, NULL);
	CacheItem  *item;
	char	   *at;

	/*
	 * Make room: drop the old result for the key, and what was not asked for the longest
	 * time.
	 */
	if (slot != NULL)
		drop_item(cache, slot->item);
	if (size > cache->max_bytes && !cache->pinning)
		return;
	make_room(cache, size);

	/* One allocation holds all of it. */
	item = MemoryContextAllocZero(cache->context, size);
	at = (char *) item + MAXALIGN(sizeof(CacheItem));
	item->size = size;
	item->key = put(&at, key, key_size);
	item->job.name = put(&at, job->name, name_size);
	item->job.document = put(&at, job->document, document_size);
	item->job.tags = put(&at, job->tags, tags_size);

	/* Make it findable by its key, as the last one asked for. */
	slot = hash_search(cache->slots, &item->key, HASH_ENTER, NULL);
	slot->key = item->key;
	slot->item = item;
	push_item(cache, item);
	cache->bytes += size;
}

/*
 * smf_cache_pin
 *		From now on, whatever is found or added stays.
 */
void
smf_cache_pin(JobCache *cache)
{
	cache->pinning = true;
}

/*
 * smf_cache_unpin
 *		What stayed may be dropped again, as soon as the cache is too full.
 */
void
smf_cache_unpin(JobCache *cache)
{
	cache->pinning = false;
	/* keep the order: the last one asked for ends up in front */
	while (!dlist_is_empty(&cache->pinned))
	{
		dlist_node *node = dlist_tail_node(&cache->pinned);

		dlist_delete(node);
		dlist_push_head(&cache->items, node);
	}
	make_room(cache, 0);
}
