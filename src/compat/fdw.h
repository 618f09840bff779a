/*-------------------------------------------------------------------------
 *
 * fdw.h
 *		Postgres version differences for fdw/: planner, executor, catalogs, dates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_FDW_H
#define SMF_COMPAT_FDW_H

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "compat/base.h"
#include "nodes/execnodes.h"
#if PG_VERSION_NUM >= 190000
#include "nodes/miscnodes.h"
#endif
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Convert a local time to timestamptz; a time outside that type's range becomes infinite. */
static inline TimestampTz
smf_timestamp_to_timestamptz(Timestamp timestamp)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext ignored = {T_ErrorSaveContext};

	return timestamp2timestamptz_safe(timestamp, (Node *) &ignored);
#else
	int			ignored;

	return timestamp2timestamptz_opt_overflow(timestamp, &ignored);
#endif
}

/* The start of a day, converted in the same way. */
static inline TimestampTz
smf_date_to_timestamptz(DateADT date)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext ignored = {T_ErrorSaveContext};

	return date2timestamptz_safe(date, (Node *) &ignored);
#else
	int			ignored;

	return date2timestamptz_opt_overflow(date, &ignored);
#endif
}

/* May the role use the foreign server? */
static inline AclResult
smf_server_aclcheck(Oid serverid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid, ACL_USAGE);
#else
	return pg_foreign_server_aclcheck(serverid, userid, ACL_USAGE);
#endif
}

/* The role a foreign scan runs as; InvalidOid when it is the current user. */
static inline Oid
smf_scan_check_as_user(ForeignScanState *node)
{
#if PG_VERSION_NUM >= 160000
	return ((ForeignScan *) node->ss.ps.plan)->checkAsUser;
#else
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	int			rtindex = plan->scan.scanrelid;

	return exec_rt_fetch(rtindex, node->ss.ps.state)->checkAsUser;
#endif
}

static inline ForeignPath *
smf_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							Cost startup_cost, Cost total_cost,
							List *pathkeys, Relids required_outer,
							List *fdw_private)
{
#if PG_VERSION_NUM >= 180000
	return create_foreignscan_path(root, rel, NULL, rows, 0,
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL, NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
	return create_foreignscan_path(root, rel, NULL, rows,
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL, NIL, fdw_private);
#else
	return create_foreignscan_path(root, rel, NULL, rows,
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL, fdw_private);
#endif
}

/* The pathkey for an expression, sorted by "less_than"; NIL when nothing sorts by it. */
static inline List *
smf_expression_pathkey(PlannerInfo *root, Expr *expr, Oid less_than, Relids relids)
{
#if PG_VERSION_NUM >= 160000
	return build_expression_pathkey(root, expr, less_than, relids, false);
#else
	return build_expression_pathkey(root, expr, NULL, less_than, relids, false);
#endif
}

static inline bool
smf_pathkey_descending(const PathKey *pathkey)
{
#if PG_VERSION_NUM >= 180000
	return pathkey->pk_cmptype == COMPARE_GT;
#else
	return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/* A column's statistics target; negative: the default. */
static inline int
smf_statistics_target(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));
	int			target = -1;

	if (!HeapTupleIsValid(tuple))
		return target;
#if PG_VERSION_NUM >= 170000
	{
		bool		isnull;
		Datum		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);

		if (!isnull)
			target = DatumGetInt16(value);
	}
#else
	target = ((Form_pg_attribute) GETSTRUCT(tuple))->attstattarget;
#endif
	ReleaseSysCache(tuple);
	return target;
}

/* Keep functions that are called from using a search_path that others have set. */
static inline void
smf_restrict_search_path(void)
{
#if PG_VERSION_NUM >= 170000
	RestrictSearchPath();
#endif
}

/* The join condition of a MERGE that acts on rows its source lacks; otherwise NULL. */
static inline Node *
smf_merge_condition(Query *query)
{
#if PG_VERSION_NUM >= 170000
	return query->mergeJoinCondition;
#else
	return NULL;
#endif
}

static inline double
smf_estimate_array_length(PlannerInfo *root, Node *array)
{
#if PG_VERSION_NUM >= 170000
	return estimate_array_length(root, array);
#else
	return estimate_array_length(array);
#endif
}

/*
 * Would the join have to pass its inner side a value that it cannot pass, because an
 * outer join computes it?  From 18 on it can pass any.
 */
static inline bool
smf_dangerous_placeholder(PlannerInfo *root, Relids outer_relids, Relids inner_needs)
{
#if PG_VERSION_NUM >= 180000
	return false;
#else
	return have_dangerous_phv(root, outer_relids, inner_needs);
#endif
}

/* The outer side of a semijoin with each row once; NULL if that is impossible. */
static inline Path *
smf_unique_outer_path(PlannerInfo *root, RelOptInfo *rel, Path *path, SpecialJoinInfo *join)
{
#if PG_VERSION_NUM >= 190000
	/* the relation of this path is already unique */
	return path;
#else
	return (Path *) create_unique_path(root, rel, path, join);
#endif
}

/* Add a nested loop of two paths, neither of which needs anything from outside. */
static inline void
smf_add_nestloop_path(PlannerInfo *root, RelOptInfo *joinrel, JoinType jointype,
					  JoinPathExtraData *extra, Path *outer, Path *inner)
{
	JoinCostWorkspace workspace;

#if PG_VERSION_NUM >= 190000
	initial_cost_nestloop(root, &workspace, jointype, PGS_NESTLOOP_PLAIN | PGS_CONSIDER_NONPARTIAL,
						  outer, inner, extra);
#else
	initial_cost_nestloop(root, &workspace, jointype, outer, inner, extra);
#endif
	add_path(joinrel, (Path *)
			 create_nestloop_path(root, joinrel, jointype, &workspace, extra, outer, inner,
								  extra->restrictlist,
								  build_join_pathkeys(root, joinrel, jointype, outer->pathkeys), NULL));
}

#endif							/* SMF_COMPAT_FDW_H */
