/*-------------------------------------------------------------------------
 *
 * settle.h
 *		Conditions that the table's settings decide before any call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SETTLE_H
#define SMF_SETTLE_H

#include "fdw/column.h"
#include "nodes/pathnodes.h"

/* What the table's settings say about a condition. */
typedef enum SettledClause
{
	CLAUSE_OPEN,				/* nothing */
	CLAUSE_ALWAYS,				/* every job meets it */
	CLAUSE_NEVER				/* no job meets it */
} SettledClause;

extern SettledClause smf_settle_clause(PlannerInfo *root, Node *clause, const TableRef *table,
									   const SmfSettings *settings);

#endif							/* SMF_SETTLE_H */
