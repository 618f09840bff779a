/*-------------------------------------------------------------------------
 *
 * early.h
 *		Conditions that are decided before everything about a job is fetched.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_EARLY_H
#define SMF_EARLY_H

#include "fdw/row.h"
#include "nodes/execnodes.h"

typedef struct EarlyChecks EarlyChecks;

/* When a condition is decided. */
typedef enum EarlyTier
{
	EARLY_AT_START,				/* before any call */
	EARLY_LISTED,				/* as soon as a job is named */
	EARLY_TAGGED,				/* with its tags, before its document */
	EARLY_DESCRIBED,			/* on its document, before its tags */
	EARLY_COMPLETE				/* on the whole row */
} EarlyTier;

extern EarlyTier smf_early_tier(Node *clause, const TableRef *table, JobSource source);
extern bool smf_early_reads_columns(Node *clause, const TableRef *table);
extern bool smf_early_known(Node *clause, const TableRef *table, JobSource source);
extern bool smf_early_tagged(Node *clause, const TableRef *table, JobSource source);

extern List *smf_early_decided(List *clauses, const TableRef *table, JobSource source,
							   List *subplans, SmfNeeds needs);

extern EarlyChecks *smf_early_create(List *clauses, const TableRef *table, RowReader *reader,
									 ForeignScanState *node, JobStreamSpec *spec);
extern bool smf_early_possible(EarlyChecks *checks);
extern int64 smf_early_removed(const EarlyChecks *checks);
extern bool smf_early_complete(EarlyChecks *checks, const Job *job, TupleTableSlot *slot);

#endif							/* SMF_EARLY_H */
