/*-------------------------------------------------------------------------
 *
 * shared_table.h
 *		A table of fixed size in shared memory: something for each kind of call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SHARED_TABLE_H
#define SMF_SHARED_TABLE_H

#include "aws/shared.h"

/* Longest strings that are told apart, with their NUL. */
#define SMF_KEY_ACCOUNT_SIZE 16
#define SMF_KEY_REGION_SIZE 64
#define SMF_KEY_OPERATION_SIZE 48

/*
 * A kind of call: what an oid or a string says nothing of is InvalidOid or "".  Without
 * gaps, and NULs behind the strings: it is compared as bytes.
 */
typedef struct SharedKey
{
	Oid			databaseid;
	Oid			serverid;
	Oid			userid;			/* the role that calls are made for */
	char		account[SMF_KEY_ACCOUNT_SIZE];	/* AWS's number of the account */
	char		region[SMF_KEY_REGION_SIZE];
	char		operation[SMF_KEY_OPERATION_SIZE];
} SharedKey;

/* What its user says of a table; static, and zero where nothing is said. */
typedef struct SharedTable
{
	SharedPart	part;			/* name only */
	size_t		payload_size;	/* bytes that are kept for each key */
	void		(*init_payload) (void *payload);

	/* the table's own */
	bool		tidied;			/* has the session forgotten what is of no use any more? */
} SharedTable;

/* Told of each key and its payload; true: forget it. */
typedef bool (*SharedTableVisit) (void *arg, const SharedKey *key, void *payload);

extern void smf_shared_key(SharedKey *key, Oid serverid, Oid userid, const char *region,
						   const char *operation);
extern void smf_shared_table_reserve(SharedTable *table);
extern void smf_shared_table_attach(SharedTable *table);
extern int	smf_shared_table_capacity(SharedTable *table);
extern void *smf_shared_table_lock(SharedTable *table, const SharedKey *key);
extern void *smf_shared_table_lock_existing(SharedTable *table, const SharedKey *key);
extern void smf_shared_table_unlock(SharedTable *table);
extern void smf_shared_table_visit(SharedTable *table, LWLockMode mode, SharedTableVisit visit, void *arg);

#endif							/* SMF_SHARED_TABLE_H */
