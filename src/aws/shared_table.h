/*-------------------------------------------------------------------------
 *
 * shared_table.h
 *		A table of fixed size in shared memory, with a payload for each kind of call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SHARED_TABLE_H
#define SMF_SHARED_TABLE_H

#include "aws/shared.h"

/* Longest strings in a key, with their NUL. */
#define SMF_KEY_ACCOUNT_SIZE 16
#define SMF_KEY_REGION_SIZE 64
#define SMF_KEY_OPERATION_SIZE 48

/*
 * A kind of call; an oid or a string that does not apply is InvalidOid or "".  It has no
 * gaps, and strings are padded with NULs, because keys are compared as bytes.
 */
typedef struct SharedKey
{
	Oid			databaseid;
	Oid			serverid;
	Oid			userid;			/* the role that calls are made for */
	char		account[SMF_KEY_ACCOUNT_SIZE];	/* the AWS account's number */
	char		region[SMF_KEY_REGION_SIZE];
	char		operation[SMF_KEY_OPERATION_SIZE];
} SharedKey;

/* A table as its user describes it; static, and zero where nothing is set. */
typedef struct SharedTable
{
	SharedPart	part;			/* name only */
	size_t		payload_size;	/* bytes kept for each key */
	void		(*init_payload) (void *payload);

	/* set by the table's own code */
	bool		tidied;			/* has this session dropped entries that are of no use any
								 * more? */
} SharedTable;

/* Called with each key and its payload; true: drop it. */
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
