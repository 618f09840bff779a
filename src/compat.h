/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Every difference between the Postgres versions that matters here.
 *
 * Postgres 15 to 19.  Nothing outside this file looks at PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_H
#define SMF_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "sagemaker_fdw needs PostgreSQL 15 or later"
#endif

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "nodes/execnodes.h"
#if PG_VERSION_NUM >= 190000
#include "nodes/miscnodes.h"
#endif
#include "nodes/pathnodes.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif
#include "storage/latch.h"
#include "storage/lwlock.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "utils/acl.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Stands in one file: the library's magic block, with its name and version from 18 on. */
#if PG_VERSION_NUM >= 180000
#define SMF_MODULE_MAGIC(module, its_version) PG_MODULE_MAGIC_EXT(.name = (module), .version = (its_version))
#else
#define SMF_MODULE_MAGIC(module, its_version) PG_MODULE_MAGIC
#endif

/* Stands before a declaration. */
#if PG_VERSION_NUM >= 180000
#define smf_noreturn pg_noreturn
#else
#define smf_noreturn pg_attribute_noreturn()
#endif

/* A wait event set that lives as long as the session. */
static inline WaitEventSet *
smf_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/* What the session waits for, as pg_stat_activity shows it, by its name where it can have one. */
static inline uint32
smf_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

#if PG_VERSION_NUM >= 170000 && PG_VERSION_NUM < 190000
/* How the segment that is being asked for is filled in. */
typedef struct NewSegment
{
	void		(*init) (void *segment, void *arg);
	void	   *arg;			/* init's */
} NewSegment;

/* Postgres's callback has no argument before version 19: it finds here what it needs. */
static inline NewSegment *
smf_new_segment(void)
{
	static NewSegment segment;

	return &segment;
}

/* That callback. */
static inline void
smf_init_new_segment(void *segment)
{
	smf_new_segment()->init(segment, smf_new_segment()->arg);
}
#endif

/*
 * Shared memory by its name, filled in by "init", which "arg" is handed to, if it is new;
 * NULL where Postgres has no such thing.
 */
static inline void *
smf_named_segment(const char *name, size_t size, void (*init) (void *segment, void *arg), void *arg)
{
#if PG_VERSION_NUM >= 190000
	bool		found;

	return GetNamedDSMSegment(name, size, init, &found, arg);
#elif PG_VERSION_NUM >= 170000
	bool		found;

	*smf_new_segment() = (NewSegment) {.init = init, .arg = arg};
	return GetNamedDSMSegment(name, size, smf_init_new_segment, &found);
#else
	return NULL;
#endif
}

/* A tranche for locks in shared memory.  Each session that uses them calls the next, too. */
static inline int
smf_new_tranche(const char *name)
{
#if PG_VERSION_NUM >= 190000
	return LWLockNewTrancheId(name);
#else
	return LWLockNewTrancheId();
#endif
}

/* Tell this session the tranche's name, which from version 19 on all know. */
static inline void
smf_name_tranche(int tranche, const char *name)
{
#if PG_VERSION_NUM < 190000
	LWLockRegisterTranche(tranche, name);
#endif
}

/* A jsonb that is being built; zero to begin with. */
#if PG_VERSION_NUM >= 190000
typedef JsonbInState JsonbBuilder;
#else
typedef struct JsonbBuilder
{
	JsonbParseState *parseState;	/* what is open */
	JsonbValue *result;			/* the whole, when nothing is */
} JsonbBuilder;
#endif

/* The next token of it, with its value if it has one. */
static inline void
smf_push_jsonb(JsonbBuilder *builder, JsonbIteratorToken token, JsonbValue *value)
{
#if PG_VERSION_NUM >= 190000
	pushJsonbValue(builder, token, value);
#else
	builder->result = pushJsonbValue(&builder->parseState, token, value);
#endif
}

/* A local time as timestamptz; what is beyond that type's range becomes infinite. */
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

/* When a day begins, in the same way. */
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

/* The pathkey for an expression, by its "less than"; NIL when nothing is ordered by it. */
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

/* Let what is called find nothing by a search_path that others have set. */
static inline void
smf_restrict_search_path(void)
{
#if PG_VERSION_NUM >= 170000
	RestrictSearchPath();
#endif
}

/* What a MERGE joins by, where it treats rows that its source lacks; else NULL. */
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

#endif							/* SMF_COMPAT_H */
