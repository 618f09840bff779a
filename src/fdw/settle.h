/*-------------------------------------------------------------------------
 *
 * settle.h
 *		Which conditions the table's settings decide, before any call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SETTLE_H
#define SMF_SETTLE_H

#include "fdw/column.h"
#include "nodes/pathnodes.h"

/* What the table's settings say of a condition. */
typedef enum SettledClause
{
	CLAUSE_OPEN,				/* nothing */
	CLAUSE_ALWAYS,				/* every job meets it */
	CLAUSE_NEVER				/* none does */
} SettledClause;

extern SettledClause smf_settle_clause(PlannerInfo *root, Node *clause, const TableRef *table,
									   const SmfSettings *settings);

#endif							/* SMF_SETTLE_H */
