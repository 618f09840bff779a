/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *		Which conditions the service can be asked to decide.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PUSHDOWN_H
#define SMF_PUSHDOWN_H

#include "fdw/column.h"
#include "nodes/pathnodes.h"

extern bool smf_is_name_column(const SmfColumn *columns, RelOptInfo *rel, Node *node);
extern Expr *smf_name_lookup(PlannerInfo *root, RelOptInfo *rel,
							 const SmfColumn *columns, RestrictInfo *clause);

#endif							/* SMF_PUSHDOWN_H */
