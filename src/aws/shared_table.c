/*-------------------------------------------------------------------------
 *
 * shared_table.c
 *		A table of fixed size in shared memory, with a payload for each kind of call.
 *
 * It is a hash table with chains.  When it is full, the holder of most entries makes
 * room: the one of its keys that was not used for the longest time is dropped.  So
 * whatever kinds of calls a role makes, others keep their entries up to an equal share,
 * and servers that no longer exist disappear in the end.  This is also why nobody keeps a
 * pointer into the table: code that needs a payload looks it up, and uses it under the
 * table's lock.
 *
 * Adding a key costs a pass over the table, and two when it is full.  A call over the
 * network follows, so that does not matter.
 *
 * A holder of few entries keeps them for good.  So entries of a dropped database, which
 * nobody could remove any more, are removed by the next session that starts to use the
 * table.
 *
 * Not accounted for: somebody with many roles, or many databases, has a share for each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/shared_table.h"
#include "common/hashfn.h"
#include "http/http.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/syscache.h"

/* Number of keys there is room for: a server has six operations for each region and role. */
#define CAPACITY_SHARED 1000
#define CAPACITY_ALONE 200

/* No entry. */
#define NONE (-1)

typedef struct TableEntry
{
	SharedKey	key;
	int			next;			/* in its chain, or in the list of free entries; NONE: the
								 * last */
	bool		used;			/* is it in a chain? */
	int			holder;			/* index of its holder; valid if used */
	pg_atomic_uint64 used_us;	/* when it was last looked up, smf_http_now() */
} TableEntry;

/* The payload stands behind its entry. */
#define ENTRY_SIZE SMF_SHARED_ALIGN(sizeof(TableEntry))

/* A chain and a holder, which have nothing in common but their index. */
typedef struct TableSlot
{
	int			first;			/* the chain's first entry, or NONE */
	int			held;			/* number of entries the holder has; 0: unused */
} TableSlot;

/*
 * In shared memory; the entries follow the slots.  There is one slot more than entries:
 * the holder of a new entry may be new itself before an old entry is dropped.
 */
typedef struct TableBody
{
	int			capacity;
	int			first_free;		/* or NONE */
	TableSlot	slots[FLEXIBLE_ARRAY_MEMBER];
} TableBody;

static size_t
slots_size(int capacity)
{
	return SMF_SHARED_ALIGN(offsetof(TableBody, slots) + (capacity + 1) * sizeof(TableSlot));
}

static size_t
entry_size(const SharedTable *table)
{
	return ENTRY_SIZE + SMF_SHARED_ALIGN(table->payload_size);
}

static TableEntry *
entry_at(const SharedTable *table, TableBody *body, int i)
{
	return (TableEntry *) ((char *) body + slots_size(body->capacity) + i * entry_size(table));
}

static void *
payload_of(TableEntry *entry)
{
	return (char *) entry + ENTRY_SIZE;
}

static size_t
table_size(const SharedPart *part, bool shared)
{
	int			capacity = shared ? CAPACITY_SHARED : CAPACITY_ALONE;

	return slots_size(capacity) + capacity * entry_size((const SharedTable *) part);
}

static void
table_init(const SharedPart *part, void *memory, bool shared)
{
	TableBody  *body = memory;

	body->capacity = shared ? CAPACITY_SHARED : CAPACITY_ALONE;
	body->first_free = 0;
	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at((const SharedTable *) part, body, i);

		memset(entry, 0, sizeof(TableEntry));
		pg_atomic_init_u64(&entry->used_us, 0);
		entry->next = i + 1 < body->capacity ? i + 1 : NONE;
	}
	for (int i = 0; i <= body->capacity; i++)
	{
		body->slots[i].first = NONE;
		body->slots[i].held = 0;
	}
}

/*
 * smf_shared_key
 *		The key of calls to the operation in this database.  Longer strings are cut.
 */
void
smf_shared_key(SharedKey *key, Oid serverid, Oid userid, const char *region, const char *operation)
{
	memset(key, 0, sizeof(SharedKey));
	key->databaseid = MyDatabaseId;
	key->serverid = serverid;
	key->userid = userid;
	strlcpy(key->region, region, sizeof(key->region));
	strlcpy(key->operation, operation, sizeof(key->operation));
}

/* Request the memory of the table when the library is loaded. */
void
smf_shared_table_reserve(SharedTable *table)
{
	table->part.size = table_size;
	table->part.init = table_init;
	smf_shared_reserve(&table->part);
}

/* Number of keys that the table has room for; it must be attached. */
int
smf_shared_table_capacity(SharedTable *table)
{
	return ((TableBody *) table->part.body)->capacity;
}

static int *
chain_of(TableBody *body, const SharedKey *key)
{
	return &body->slots[hash_bytes((const unsigned char *) key, sizeof(SharedKey)) % body->capacity].first;
}

static TableEntry *
find(const SharedTable *table, TableBody *body, const SharedKey *key)
{
	for (int i = *chain_of(body, key); i != NONE; i = entry_at(table, body, i)->next)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (memcmp(&entry->key, key, sizeof(SharedKey)) == 0)
			return entry;
	}
	return NULL;
}

/* Take the entry out of its chain, and put it into the free list. */
static void
drop_entry(const SharedTable *table, TableBody *body, int i)
{
	TableEntry *entry = entry_at(table, body, i);
	int		   *link = chain_of(body, &entry->key);

	while (*link != i)
		link = &entry_at(table, body, *link)->next;
	*link = entry->next;
	body->slots[entry->holder].held--;
	entry->used = false;
	entry->next = body->first_free;
	body->first_free = i;
}

/*
 * Do both keys have the same holder?  The holder is a role in a database, with one holder
 * for each account if calls are counted by account; for keys without a role, it is a
 * server.
 */
static bool
same_holder(const SharedKey *one, const SharedKey *other)
{
	return one->userid == other->userid && one->databaseid == other->databaseid &&
		(OidIsValid(one->userid) || one->serverid == other->serverid) &&
		strcmp(one->account, other->account) == 0;
}

/* The holder of such keys: an existing one, or an unused slot. */
static int
find_holder(const SharedTable *table, TableBody *body, const SharedKey *key)
{
	int			nobody = body->capacity;

	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (entry->used && same_holder(&entry->key, key))
			return entry->holder;
		if (body->slots[i].held == 0)
			nobody = i;
	}
	return nobody;
}

/*
 * Drop the entry that was not used for the longest time among those of the biggest
 * holders.
 */
static void
drop_an_entry(const SharedTable *table, TableBody *body)
{
	int			chosen = NONE;
	int			held = 0;
	uint64		used_us = 0;

	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at(table, body, i);
		int			holds = body->slots[entry->holder].held;
		uint64		when_us = pg_atomic_read_u64(&entry->used_us);

		if (holds < held || (holds == held && when_us >= used_us))
			continue;
		chosen = i;
		held = holds;
		used_us = when_us;
	}
	drop_entry(table, body, chosen);
}

static TableEntry *
add_entry(const SharedTable *table, TableBody *body, const SharedKey *key)
{
	int		   *chain = chain_of(body, key);
	int			holder;
	TableEntry *entry;
	int			i;

	/* counted first: if all hold equally many, the newcomer holds most */
	holder = find_holder(table, body, key);
	body->slots[holder].held++;
	if (body->first_free == NONE)
		drop_an_entry(table, body);
	i = body->first_free;
	entry = entry_at(table, body, i);
	body->first_free = entry->next;
	entry->key = *key;
	entry->used = true;
	entry->holder = holder;
	entry->next = *chain;
	*chain = i;
	table->init_payload(payload_of(entry));
	return entry;
}

/*
 * smf_shared_table_lock
 *		The key's payload, created if necessary, until smf_shared_table_unlock.
 *
 * Others may use it at the same time.  The table must be attached.  Raises no error.
 */
void *
smf_shared_table_lock(SharedTable *table, const SharedKey *key)
{
	TableBody  *body = table->part.body;
	TableEntry *entry;

	smf_shared_lock(&table->part, LW_SHARED);
	entry = find(table, body, key);
	if (entry == NULL)
	{
		smf_shared_unlock(&table->part);
		smf_shared_lock(&table->part, LW_EXCLUSIVE);
		/* another session may have been faster */
		entry = find(table, body, key);
		if (entry == NULL)
			entry = add_entry(table, body, key);
	}
	pg_atomic_write_u64(&entry->used_us, (uint64) smf_http_now());
	return payload_of(entry);
}

/*
 * smf_shared_table_lock_existing
 *		The same, if the key exists; otherwise NULL, and there is nothing to unlock.
 *		It does not count as use.
 */
void *
smf_shared_table_lock_existing(SharedTable *table, const SharedKey *key)
{
	TableEntry *entry;

	smf_shared_lock(&table->part, LW_SHARED);
	entry = find(table, table->part.body, key);
	if (entry == NULL)
	{
		smf_shared_unlock(&table->part);
		return NULL;
	}
	return payload_of(entry);
}

/*
 * smf_shared_table_unlock
 *		Unlock the table: from here on entries may be dropped, with their payloads.
 */
void
smf_shared_table_unlock(SharedTable *table)
{
	smf_shared_unlock(&table->part);
}

/*
 * smf_shared_table_visit
 *		Show all keys of this database and their payloads to "visit", under the table's
 *		lock.  With LW_EXCLUSIVE the visitor can have them dropped.  It must not raise
 *		an error.
 */
void
smf_shared_table_visit(SharedTable *table, LWLockMode mode, SharedTableVisit visit, void *arg)
{
	TableBody  *body = table->part.body;

	smf_shared_lock(&table->part, mode);
	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (entry->used && entry->key.databaseid == MyDatabaseId &&
			visit(arg, &entry->key, payload_of(entry)) && mode == LW_EXCLUSIVE)
			drop_entry(table, body, i);
	}
	smf_shared_unlock(&table->part);
}

/* ----- dropped databases ----- */

static int
compare_oids(const void *one, const void *other)
{
	Oid			a = *(const Oid *) one;
	Oid			b = *(const Oid *) other;

	return a < b ? -1 : a > b;
}

/* The databases that have entries: palloc'ed and sorted, and their number. */
static Oid *
find_databases(SharedTable *table, int *n)
{
	TableBody  *body = table->part.body;
	Oid		   *found = palloc(body->capacity * sizeof(Oid));

	*n = 0;
	smf_shared_lock(&table->part, LW_SHARED);
	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (entry->used && OidIsValid(entry->key.databaseid))
			found[(*n)++] = entry->key.databaseid;
	}
	smf_shared_unlock(&table->part);
	qsort(found, *n, sizeof(Oid), compare_oids);
	*n = qunique(found, *n, sizeof(Oid), compare_oids);
	return found;
}

/* Drop all entries of the databases, which must be sorted. */
static void
forget_databases(SharedTable *table, const Oid *databases, int n)
{
	TableBody  *body = table->part.body;

	smf_shared_lock(&table->part, LW_EXCLUSIVE);
	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (entry->used && bsearch(&entry->key.databaseid, databases, n, sizeof(Oid), compare_oids) != NULL)
			drop_entry(table, body, i);
	}
	smf_shared_unlock(&table->part);
}

/*
 * smf_shared_table_attach
 *		Call this before the first use of the table, within a transaction; may raise an
 *		error.
 */
void
smf_shared_table_attach(SharedTable *table)
{
	Oid		   *databases;
	int			nfound;
	int			ndropped = 0;

	if (table->tidied)
		return;
	smf_shared_attach(&table->part);
	databases = find_databases(table, &nfound);
	for (int i = 0; i < nfound; i++)
	{
		if (!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(databases[i])))
			databases[ndropped++] = databases[i];
	}
	if (ndropped > 0)
		forget_databases(table, databases, ndropped);
	pfree(databases);
	table->tidied = true;
}
