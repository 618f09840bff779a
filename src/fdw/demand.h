/*-------------------------------------------------------------------------
 *
 * demand.h
 *		What a query needs from a scan: which columns, how many rows, and when.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_DEMAND_H
#define SMF_DEMAND_H

#include "fdw/column.h"
#include "nodes/pathnodes.h"

extern List *smf_demand_columns(PlannerInfo *root, RelOptInfo *rel, const TableRef *table,
								List *clauses);
extern AttributeSet smf_demand_raw_members(PlannerInfo *root, RelOptInfo *rel, const TableRef *table);
extern List *smf_demand_partition_keys(PlannerInfo *root, Index relid);
extern double smf_demand_rows(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path,
							  bool all_known);
extern bool smf_demand_query_may_end(const PlannerInfo *root);
extern bool smf_demand_may_end(PlannerInfo *root, RelOptInfo *rel, double bound);
extern int	smf_demand_from_parent(PlannerInfo *root, RelOptInfo *rel, const TableRef *table,
								   const ForeignPath *path, bool in_turn);
extern bool smf_demand_in_turn(PlannerInfo *root, RelOptInfo *rel, const ForeignPath *path,
							   bool looked_up, List *nested);

extern bool smf_demand_awaits_value(Node *node, void *context);

#endif							/* SMF_DEMAND_H */
