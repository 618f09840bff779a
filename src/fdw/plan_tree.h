/*-------------------------------------------------------------------------
 *
 * plan_tree.h
 *		Where a plan stands among a statement's plans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PLAN_TREE_H
#define SMF_PLAN_TREE_H

#include "nodes/plannodes.h"

extern List *smf_plans_above(const PlannedStmt *statement, const Plan *wanted);
extern bool smf_runs_again(const PlannedStmt *statement, const Plan *wanted);

#endif							/* SMF_PLAN_TREE_H */
