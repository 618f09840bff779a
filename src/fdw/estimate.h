/*-------------------------------------------------------------------------
 *
 * estimate.h
 *		What planning knows before any call: how many calls overlap, and which conditions
 *		the table's settings decide.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ESTIMATE_H
#define SMF_ESTIMATE_H

#include "fdw/column.h"
#include "jobs/operation.h"
#include "nodes/pathnodes.h"

/* How many calls of each operation overlap; less than 1 where calls are scarce. */
typedef struct Concurrency
{
	double		usable[SMF_JOB_OPERATIONS]; /* by JobOperation */
} Concurrency;

/* What the table's settings say of a condition. */
typedef enum SettledClause
{
	CLAUSE_OPEN,				/* nothing */
	CLAUSE_ALWAYS,				/* every job meets it */
	CLAUSE_NEVER				/* none does */
} SettledClause;

extern Concurrency smf_concurrency(const SmfSettings *settings, Oid userid);
extern SettledClause smf_settle_clause(PlannerInfo *root, Node *clause, const TableRef *table,
									   const SmfSettings *settings);

#endif							/* SMF_ESTIMATE_H */
