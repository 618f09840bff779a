/*-------------------------------------------------------------------------
 *
 * plan_tree.h
 *		Where a plan is among a statement's plans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PLAN_TREE_H
#define SMF_PLAN_TREE_H

#include "nodes/plannodes.h"

extern List *smf_plans_above(const PlannedStmt *statement, const Plan *wanted);
extern bool smf_runs_again(const PlannedStmt *statement, const Plan *wanted);

extern bool smf_limit_takes_one(const Node *count, const Node *offset);

#endif							/* SMF_PLAN_TREE_H */
