/*-------------------------------------------------------------------------
 *
 * table.h
 *		A table of fixed size in shared memory: something for each kind of call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_TABLE_H
#define SMF_TABLE_H

#include "aws/shared.h"

/* Longest strings that are told apart, with their NUL. */
#define SMF_KEY_ACCOUNT_SIZE 16
#define SMF_KEY_REGION_SIZE 64
#define SMF_KEY_OPERATION_SIZE 48

/*
 * A kind of call: what an oid or a string says nothing of is InvalidOid or "".  Without
 * gaps, and NULs behind the strings: it is compared as bytes.
 */
typedef struct CallKey
{
	Oid			databaseid;
	Oid			serverid;
	Oid			userid;			/* the role that calls are made for */
	char		account[SMF_KEY_ACCOUNT_SIZE];	/* AWS's number of the account */
	char		region[SMF_KEY_REGION_SIZE];
	char		operation[SMF_KEY_OPERATION_SIZE];
} CallKey;

/* What its user says of a table; static, and zero where nothing is said. */
typedef struct CallTable
{
	SharedPart	part;			/* name only */
	size_t		payload_size;	/* bytes that are kept for each key */
	void		(*init_payload) (void *payload);

	/* the table's own */
	bool		tidied;			/* has the session forgotten what is of no use any more? */
} CallTable;

/* Told of each key and its payload; true: forget it. */
typedef bool (*CallTableVisit) (void *arg, const CallKey *key, void *payload);

extern void smf_call_key(CallKey *key, Oid serverid, Oid userid, const char *region,
						 const char *operation);
extern void smf_table_request(CallTable *table);
extern void smf_table_attach(CallTable *table);
extern int	smf_table_capacity(CallTable *table);
extern void *smf_table_lock(CallTable *table, const CallKey *key);
extern void *smf_table_lock_existing(CallTable *table, const CallKey *key);
extern void smf_table_unlock(CallTable *table);
extern void smf_table_visit(CallTable *table, LWLockMode mode, CallTableVisit visit, void *arg);

#endif							/* SMF_TABLE_H */
