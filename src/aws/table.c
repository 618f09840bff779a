/*-------------------------------------------------------------------------
 *
 * table.c
 *		A table of fixed size in shared memory: something for each kind of call.
 *
 * A hash table with chains.  When it is full, the key that was not used for the
 * longest time makes room, so that servers that were dropped leave in the end.  For
 * that reason nobody keeps a pointer into it: who needs a payload looks it up, and
 * uses it under the table's lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/table.h"
#include "common/hashfn.h"
#include "http/http.h"
#include "miscadmin.h"
#include "port/atomics.h"

/* How many keys there is room for: a server has five operations for each region and role. */
#define CAPACITY_SHARED 1000
#define CAPACITY_ALONE 200

/* No entry. */
#define NONE (-1)

typedef struct TableEntry
{
	CallKey		key;
	int			next;			/* in its chain, or among the free ones; NONE: the last */
	bool		used;			/* is it in a chain? */
	pg_atomic_uint64 used_us;	/* when it was last looked up, smf_http_now() */
} TableEntry;

/* The payload stands behind its entry. */
#define ENTRY_SIZE MAXALIGN(sizeof(TableEntry))

/* In shared memory; the entries stand behind the chains. */
typedef struct TableBody
{
	int			capacity;
	int			first_free;		/* or NONE */
	int			chains[FLEXIBLE_ARRAY_MEMBER];	/* capacity of them: first entry, or NONE */
} TableBody;

static size_t
chains_size(int capacity)
{
	return MAXALIGN(offsetof(TableBody, chains) + capacity * sizeof(int));
}

static size_t
entry_size(const CallTable *table)
{
	return ENTRY_SIZE + MAXALIGN(table->payload_size);
}

static TableEntry *
entry_at(const CallTable *table, TableBody *body, int i)
{
	return (TableEntry *) ((char *) body + chains_size(body->capacity) + i * entry_size(table));
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

	return chains_size(capacity) + capacity * entry_size((const CallTable *) part);
}

static void
table_init(const SharedPart *part, void *memory, bool shared)
{
	TableBody  *body = memory;

	body->capacity = shared ? CAPACITY_SHARED : CAPACITY_ALONE;
	body->first_free = 0;
	for (int i = 0; i < body->capacity; i++)
	{
		TableEntry *entry = entry_at((const CallTable *) part, body, i);

		memset(entry, 0, sizeof(TableEntry));
		pg_atomic_init_u64(&entry->used_us, 0);
		entry->next = i + 1 < body->capacity ? i + 1 : NONE;
		body->chains[i] = NONE;
	}
}

/*
 * smf_call_key
 *		The key of calls to the operation in this database.  Longer strings are cut.
 */
void
smf_call_key(CallKey *key, Oid serverid, Oid userid, const char *region, const char *operation)
{
	memset(key, 0, sizeof(CallKey));
	key->databaseid = MyDatabaseId;
	key->serverid = serverid;
	key->userid = userid;
	strlcpy(key->region, region, sizeof(key->region));
	strlcpy(key->operation, operation, sizeof(key->operation));
}

/* Ask for the table when the library is loaded. */
void
smf_table_request(CallTable *table)
{
	table->part.size = table_size;
	table->part.init = table_init;
	smf_shared_request(&table->part);
}

/* How many keys the table, which is attached, has room for. */
int
smf_table_capacity(CallTable *table)
{
	return ((TableBody *) table->part.body)->capacity;
}

static int *
chain_of(TableBody *body, const CallKey *key)
{
	return &body->chains[hash_bytes((const unsigned char *) key, sizeof(CallKey)) % body->capacity];
}

static TableEntry *
find(const CallTable *table, TableBody *body, const CallKey *key)
{
	for (int i = *chain_of(body, key); i != NONE; i = entry_at(table, body, i)->next)
	{
		TableEntry *entry = entry_at(table, body, i);

		if (memcmp(&entry->key, key, sizeof(CallKey)) == 0)
			return entry;
	}
	return NULL;
}

/* Take the entry out of its chain, and make it free. */
static void
drop_entry(const CallTable *table, TableBody *body, int i)
{
	TableEntry *entry = entry_at(table, body, i);
	int		   *link = chain_of(body, &entry->key);

	while (*link != i)
		link = &entry_at(table, body, *link)->next;
	*link = entry->next;
	entry->used = false;
	entry->next = body->first_free;
	body->first_free = i;
}

static void
drop_oldest_entry(const CallTable *table, TableBody *body)
{
	int			oldest = 0;

	for (int i = 1; i < body->capacity; i++)
	{
		if (pg_atomic_read_u64(&entry_at(table, body, i)->used_us) <
			pg_atomic_read_u64(&entry_at(table, body, oldest)->used_us))
			oldest = i;
	}
	drop_entry(table, body, oldest);
}

static TableEntry *
add_entry(const CallTable *table, TableBody *body, const CallKey *key)
{
	int		   *chain = chain_of(body, key);
	TableEntry *entry;
	int			i;

	if (body->first_free == NONE)
		drop_oldest_entry(table, body);
	i = body->first_free;
	entry = entry_at(table, body, i);
	body->first_free = entry->next;
	entry->key = *key;
	entry->used = true;
	entry->next = *chain;
	*chain = i;
	table->init_payload(payload_of(entry));
	return entry;
}

/*
 * smf_table_lock
 *		The key's payload, made if need be, until smf_table_unlock.
 *
 * Others may use it at the same time.  The table is attached.  Raises no error.
 */
void *
smf_table_lock(CallTable *table, const CallKey *key)
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
 * smf_table_unlock
 *		Entries may go, and their payloads with them, from here on.
 */
void
smf_table_unlock(CallTable *table)
{
	smf_shared_unlock(&table->part);
}

/*
 * smf_table_visit
 *		Show all keys of this database and their payloads, under the table's lock.
 *		LW_EXCLUSIVE lets the visitor have them forgotten.  It raises no error.
 */
void
smf_table_visit(CallTable *table, LWLockMode mode, CallTableVisit visit, void *arg)
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
