/*-------------------------------------------------------------------------
 *
 * shared_table.c
 *		A table of fixed size in shared memory: something for each kind of call.
 *
 * A hash table with chains.  When it is full, whoever holds most of it makes room, with
 * the key that was not used for the longest time: whatever kinds of calls a role makes,
 * others keep theirs up to an equal share, and servers that were dropped leave in the
 * end.  For that reason nobody keeps a pointer into it: who needs a payload looks it up,
 * and uses it under the table's lock.
 *
 * A key that is new, which a call over the network follows, costs a pass over the table,
 * and two when it is full.
 *
 * Whoever holds little keeps it for good.  So what was kept for a database that is
 * dropped, where nobody can have it forgotten any more, is forgotten by the next session
 * that begins to use the table.
 *
 * Not accounted for: who has many roles, or many databases, holds a share with each.
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

/* How many keys there is room for: a server has six operations for each region and role. */
#define CAPACITY_SHARED 1000
#define CAPACITY_ALONE 200

/* No entry. */
#define NONE (-1)

typedef struct TableEntry
{
	SharedKey	key;
	int			next;			/* in its chain, or among the free ones; NONE: the last */
	bool		used;			/* is it in a chain? */
	int			holder;			/* index of who holds it; valid if used */
	pg_atomic_uint64 used_us;	/* when it was last looked up, smf_http_now() */
} TableEntry;

/* The payload stands behind its entry. */
#define ENTRY_SIZE SMF_SHARED_ALIGN(sizeof(TableEntry))

/* A chain, and a holder: they have nothing to do with each other but their number. */
typedef struct TableSlot
{
	int			first;			/* the chain's first entry, or NONE */
	int			held;			/* how many entries the holder has; 0: it is nobody */
} TableSlot;

/*
 * In shared memory; the entries stand behind the slots.  There are as many slots as
 * entries, and one more: the holder of a new entry may be new before an old entry goes.
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

/* Ask for the memory of the table when the library is loaded. */
void
smf_shared_table_reserve(SharedTable *table)
{
	table->part.size = table_size;
	table->part.init = table_init;
	smf_shared_reserve(&table->part);
}

/* How many keys the table, which is attached, has room for. */
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

/* Take the entry out of its chain, and make it free. */
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
 * Do the same hold both?  A role in a database does, where calls for another account are
 * counted apart; and where keys are no role's, a server.
 */
static bool
same_holder(const SharedKey *one, const SharedKey *other)
{
	return one->userid == other->userid && one->databaseid == other->databaseid &&
		(OidIsValid(one->userid) || one->serverid == other->serverid) &&
		strcmp(one->account, other->account) == 0;
}

/* Who holds such keys: as before, or somebody new. */
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

/* Of those who hold most, drop the entry that was not used for the longest time. */
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

	/* where all hold as much, it is who comes that holds most, with the new one */
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
 *		The key's payload, made if need be, until smf_shared_table_unlock.
 *
 * Others may use it at the same time.  The table is attached.  Raises no error.
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
 *		The same, if there is one: else NULL, and nothing is to be unlocked.  It does not
 *		count as use.
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
 *		Entries may go, and their payloads with them, from here on.
 */
void
smf_shared_table_unlock(SharedTable *table)
{
	smf_shared_unlock(&table->part);
}

/*
 * smf_shared_table_visit
 *		Show all keys of this database and their payloads, under the table's lock.
 *		LW_EXCLUSIVE lets the visitor have them forgotten.  It raises no error.
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

/* The databases that something is kept for: palloc'ed, in order, and their number. */
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

/* Forget what is kept for the databases, which are in order. */
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
 *		Before the first use of the table, within a transaction; may raise an error.
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
