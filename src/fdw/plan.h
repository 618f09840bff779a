/*-------------------------------------------------------------------------
 *
 * plan.h
 *		The planner's side of the wrapper.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PLAN_H
#define SMF_PLAN_H

#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

extern void sagemakerGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void sagemakerGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern bool sagemakerIsForeignPathAsyncCapable(ForeignPath *path);
extern ForeignScan *sagemakerGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
											ForeignPath *best_path, List *tlist,
											List *scan_clauses, Plan *outer_plan);

extern bool smf_is_our_table(const RelOptInfo *rel);
extern bool smf_path_looks_up(PlannerInfo *root, const ForeignPath *path);
extern double smf_path_calls(const ForeignPath *path);
extern double smf_usable_concurrency(const RelOptInfo *rel);

#endif							/* SMF_PLAN_H */
