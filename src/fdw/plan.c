/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Sizes, paths and plans of foreign scans, costed by the calls they make.
 *
 * Planning makes no call.  Jobs come from one of four sources: names that a
 * condition or another table gives, the children of a tuning job, Search, or the
 * list.  Conditions are sorted into what the source can be asked for, what is
 * decided early, on what is known of a job so far, and what Postgres checks; it
 * checks the others, too, on the row.  Where conditions name jobs or a tuning job, the walk
 * over all is offered, too: many names of few jobs are dearer to look up.
 *
 * What was recognised of each condition is kept while the query is planned, and goes
 * with the plan (scan_plan.c).
 *
 * Not accounted for: what calls are saved where an outer table repeats its values; and a
 * sub-select, among the outer tables, of a table that nobody has counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "compat/fdw.h"
#include "fdw/demand.h"
#include "fdw/early.h"
#include "fdw/estimate.h"
#include "fdw/may_raise.h"
#include "fdw/plan.h"
#include "fdw/pushdown.h"
#include "fdw/scan_plan.h"
#include "foreign/fdwapi.h"
#include "jobs/batch.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Rows of a table that nobody has estimated. */
#define DEFAULT_JOBS 1000

/*
 * Jobs of such a table that a walk is taken to go over.  Histories are long, and a walk over
 * one is dearer by far than look-ups that are bounded by what names the jobs: where nothing
 * is known, that is what to guard against.
 */
#define LONG_HISTORY 100000

/* Describes that scan_api 'auto' would save: fewer are not worth a hint. */
#define WORTH_A_HINT 1000

double		smf_call_cost = 100;

/* What was found out about a condition. */
typedef struct ClauseInfo
{
	RestrictInfo *clause;		/* the condition: found by its address */
	List	   *conditions;		/* Condition *: what the service might be asked, as
								 * smf_clause_match has it; NIL: nothing */
	bool		may_be_early;	/* may it be decided before Postgres decides any other? */
	bool		asked_settled;	/* is the next field valid? */
	SettledClause settled;		/* do the table's settings decide it? */
} ClauseInfo;

/* RelOptInfo.fdw_private: what planning one table needs more than once. */
typedef struct FdwRelationInfo
{
	SmfSettings *settings;		/* the table's */
	TableRef	table;			/* its columns */
	bool		has_statistics; /* tuples is an estimate, and no guess */
	bool		analyzed;		/* it is what ANALYZE found */
	bool		none_match;		/* the table's settings say that no job meets the conditions */
	Concurrency concurrency;	/* how many calls overlap */
	AttributeSet raw_members;	/* all that the query reads of whole responses; 0: more than
								 * is known */
	List	   *clauses;		/* ClauseInfo *, of those that were looked at */
} FdwRelationInfo;

/* ForeignPath.fdw_private, by position. */
typedef enum PathPrivateIndex
{
	PATH_PRIVATE_SOURCE,		/* Integer: JobSource */
	PATH_PRIVATE_OLDEST_FIRST,	/* Boolean */
	PATH_PRIVATE_CALLS,			/* Float, a whole number: the calls of one scan */
	PATH_PRIVATE_IN_TURN		/* Boolean: ScanPlan.in_turn */
} PathPrivateIndex;

/* Conditions, by who decides them. */
typedef struct SortedClauses
{
	List	   *api;			/* Expr: the source is asked for them */
	List	   *api_conditions; /* what each of these says: lists of Condition * */
	List	   *created;		/* RestrictInfo, of these: they cut the walk */
	List	   *filters;		/* RestrictInfo, of these: they thin it out */
	List	   *early;			/* Expr: decided on what is known so far */
	List	   *early_conditions;	/* what each of these says */
	List	   *known;			/* RestrictInfo, of these: as soon as a job is named */
	List	   *tagged;			/* RestrictInfo, of these: with its tags */
	List	   *recheck;		/* Expr, of these: not checked by Postgres again */
	List	   *local;			/* Expr: checked by Postgres */
	bool		all_known;		/* every condition is among known */
} SortedClauses;

/* The calls that a scan makes, as far as that can be estimated. */
typedef struct CallEstimate
{
	double		pages;			/* of the source */
	double		describes;		/* Describe, for a job each */
	double		tag_lists;		/* ListTags, for a job each */
	double		searches;		/* Search, for the documents of many jobs each */
	double		jobs;			/* no calls, but jobs: those that the source names */
	double		left;			/* and those of them that are not refused when they are named */
	double		certain;		/* calls that are made whatever conditions refuse */
} CallEstimate;

/*
 * What there is to know about a condition of the table, whatever the source: matched
 * once, though each path and the plan ask.
 *
 * A condition that may leak what row security hides is left to Postgres.  Others may be
 * decided early if they read plain columns of the table, at least one, and have no
 * volatile function.
 */
static ClauseInfo *
clause_info(RelOptInfo *rel, RestrictInfo *clause)
{
	FdwRelationInfo *info = rel->fdw_private;
	ClauseInfo *found;
	ListCell   *lc;

	foreach(lc, info->clauses)
	{
		found = lfirst(lc);
		if (found->clause == clause)
			return found;
	}
	found = palloc0(sizeof(ClauseInfo));
	found->clause = clause;
	if (!clause->pseudoconstant && restriction_is_securely_promotable(clause, rel))
	{
		found->conditions = smf_clause_match(clause->clause, &info->table);
		found->may_be_early = smf_early_reads_columns((Node *) clause->clause, &info->table) &&
			!contain_volatile_functions((Node *) clause->clause);
	}
	info->clauses = lappend(info->clauses, found);
	return found;
}

/* What the source can do with the clause. */
static ConditionUse
clause_use(RelOptInfo *rel, RestrictInfo *clause, JobSource source)
{
	return smf_clause_use(clause_info(rel, clause)->conditions, source);
}

static bool
any_clause_used(RelOptInfo *rel, JobSource source, ConditionUse use)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		if (clause_use(rel, lfirst_node(RestrictInfo, lc), source) == use)
			return true;
	}
	return false;
}

/*
 * Must the clause wait for those before it, since Postgres decides one of them?  It must if
 * it may raise an error, which that one may guard it from, and if it has a sub-plan, unless
 * that can be decided as soon as a job is named.  "latest" is the last tier of those before.
 */
static bool
stays_behind(PlannerInfo *root, RelOptInfo *rel, Node *clause, JobSource source, EarlyTier latest)
{
	FdwRelationInfo *info = rel->fdw_private;

	if (latest != EARLY_COMPLETE)
		return false;
	return smf_may_raise(clause, root->glob->subplans) ||
		(contain_subplans(clause) &&
		 smf_early_tier(clause, &info->table, source) > EARLY_LISTED);
}

/* Add a condition that the source is asked for, by what it does there. */
static void
add_api_clause(SortedClauses *sorted, const ClauseInfo *found, ConditionUse use)
{
	sorted->api = lappend(sorted->api, found->clause->clause);
	sorted->api_conditions = lappend(sorted->api_conditions, found->conditions);
	if (use == USE_CREATED)
		sorted->created = lappend(sorted->created, found->clause);
	else if (use == USE_FILTER || use == USE_TUNING_JOB)
		sorted->filters = lappend(sorted->filters, found->clause);
}

/*
 * Add a condition that may be decided early, in that tier.  Returns whether it is decided
 * as soon as a job is named, if one is.
 */
static bool
add_early_clause(SortedClauses *sorted, const ClauseInfo *found, EarlyTier tier, JobSource source)
{
	Node	   *node = (Node *) found->clause->clause;
	bool		known = tier == EARLY_LISTED || (tier == EARLY_AT_START && source != SMF_FROM_NAMES);

	sorted->early = lappend(sorted->early, node);
	sorted->early_conditions = lappend(sorted->early_conditions, found->conditions);
	if (known)
		sorted->known = lappend(sorted->known, found->clause);
	else if (tier == EARLY_TAGGED)
		sorted->tagged = lappend(sorted->tagged, found->clause);

	/* a sub-plan may be dear: it is not run again on the row */
	if (contain_subplans(node))
		sorted->recheck = lappend(sorted->recheck, node);
	else
		sorted->local = lappend(sorted->local, node);
	return known;
}

/* Sort conditions by who decides them when jobs come from the source. */
static void
sort_clauses(PlannerInfo *root, RelOptInfo *rel, List *clauses, JobSource source,
			 SortedClauses *sorted)
{
	FdwRelationInfo *info = rel->fdw_private;
	ListCell   *lc;
	EarlyTier	latest = EARLY_AT_START;	/* of the clauses so far */

	memset(sorted, 0, sizeof(SortedClauses));
	sorted->all_known = true;
	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Node	   *node = (Node *) clause->clause;
		ClauseInfo *found = clause_info(rel, clause);
		ConditionUse use = smf_clause_use(found->conditions, source);
		bool		known = false;

		/* a Result node above the scan decides it */
		if (clause->pseudoconstant)
			continue;

		/* asking narrows what comes; it is checked again all the same */
		if (use != USE_NONE)
			add_api_clause(sorted, found, use);

		/* that the job has the name that it was looked up by is nothing to decide early */
		if (use == USE_LOOKUP)
			sorted->local = lappend(sorted->local, node);
		else if (found->may_be_early && !stays_behind(root, rel, node, source, latest))
		{
			EarlyTier	tier = smf_early_tier(node, &info->table, source);

			/* the executor holds it back then, and what may raise an error behind it */
			if (tier < latest && smf_may_raise(node, root->glob->subplans))
				tier = EARLY_COMPLETE;
			latest = Max(latest, tier);
			known = add_early_clause(sorted, found, tier, source);
		}
		else
		{
			sorted->local = lappend(sorted->local, node);
			latest = EARLY_COMPLETE;
		}
		sorted->all_known &= known;
	}
}

/* ----- estimates ----- */

/* Do the table's settings decide the condition? */
static SettledClause
settled_clause(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *clause)
{
	FdwRelationInfo *info = rel->fdw_private;
	ClauseInfo *found = clause_info(rel, clause);

	if (!found->asked_settled)
	{
		found->asked_settled = true;
		if (found->may_be_early)
			found->settled = smf_settle_clause(root, (Node *) clause->clause, &info->table, info->settings);
	}
	return found->settled;
}

/* The share of jobs that meet the conditions: RestrictInfo. */
static double
selectivity(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	List	   *open = NIL;
	ListCell   *lc;

	/* what the settings say is known, and nothing to be guessed at */
	foreach(lc, clauses)
	{
		SettledClause settled = settled_clause(root, rel, lfirst_node(RestrictInfo, lc));

		if (settled == CLAUSE_NEVER)
			return 0;
		if (settled == CLAUSE_OPEN)
			open = lappend(open, lfirst(lc));
	}
	return clauselist_selectivity(root, open, rel->relid, JOIN_INNER, NULL);
}

/* Where the settings decide conditions, estimate the rows by that. */
static void
estimate_settled(PlannerInfo *root, RelOptInfo *rel)
{
	FdwRelationInfo *info = rel->fdw_private;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		SettledClause settled = settled_clause(root, rel, lfirst_node(RestrictInfo, lc));

		any |= settled != CLAUSE_OPEN;
		info->none_match |= settled == CLAUSE_NEVER;
	}
	if (any)
		rel->rows = clamp_row_est(rel->tuples * selectivity(root, rel, rel->baserestrictinfo));
}

/*
 * sagemakerGetForeignRelSize
 *		Estimate the rows; raises HV005 when a column is no attribute.
 */
void
sagemakerGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelationInfo *info = palloc0(sizeof(FdwRelationInfo));
	ForeignTable *table = GetForeignTable(relid);
	Relation	relation = table_open(relid, NoLock);

	info->settings = smf_settings_resolve(GetForeignServer(table->serverid), table);
	info->table = smf_table_ref(relation, rel->relid, info->settings);
	/* an empty table is one that was analyzed, too */
	info->has_statistics = relation->rd_rel->reltuples >= 0;
	if (info->has_statistics)
		rel->tuples = relation->rd_rel->reltuples;
	table_close(relation, NoLock);
	rel->fdw_private = info;
	info->raw_members = smf_demand_raw_members(root, rel, &info->table);

	info->analyzed = info->has_statistics && info->settings->estimated_jobs < 0;
	if (info->settings->estimated_jobs >= 0)
	{
		rel->tuples = info->settings->estimated_jobs;
		info->has_statistics = true;
	}
	else if (!info->has_statistics)
		rel->tuples = DEFAULT_JOBS;
	set_baserel_size_estimates(root, rel);
	estimate_settled(root, rel);

	info->concurrency = smf_concurrency(info->settings, OidIsValid(rel->userid) ? rel->userid : GetUserId());
}

/* How many elements the array has, as far as that can be estimated. */
static double
array_length(PlannerInfo *root, Node *array)
{
	Param	   *param = (Param *) array;
	ListCell   *lc;

	/* of ARRAY(SELECT ...), which is planned by now, as many as it gives rows */
	foreach(lc, IsA(param, Param) && param->paramkind == PARAM_EXEC ? root->init_plans : NIL)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, lc);

		if (subplan->subLinkType == ARRAY_SUBLINK && list_member_int(subplan->setParam, param->paramid))
			return ((Plan *) list_nth(root->glob->subplans, subplan->plan_id - 1))->plan_rows;
	}
	return smf_estimate_array_length(root, array);
}

/* How many jobs the lookup clauses name, the fewest of any. */
static double
names_looked_up(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	double		fewest = -1;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		ListCell   *lc2;
		double		names = 0;

		if (clause_use(rel, clause, SMF_FROM_NAMES) != USE_LOOKUP)
			continue;
		foreach(lc2, clause_info(rel, clause)->conditions)
		{
			Condition  *condition = lfirst(lc2);

			names += condition->kind == CONDITION_ANY ?
				array_length(root, (Node *) condition->value) : 1;
		}
		if (fewest < 0 || names < fewest)
			fewest = names;
	}
	return Max(fewest, 0);
}

/*
 * The calls that no condition can save.  How many jobs a condition refuses is a guess;
 * that there is none that could save a call is certain.
 */
static double
certain_calls(const CallEstimate *estimate, const SortedClauses *sorted, JobSource source)
{
	bool		conditions = sorted->local != NIL || sorted->recheck != NIL;
	double		calls = 0;

	if (sorted->created == NIL && (sorted->filters == NIL || source == SMF_FROM_LIST))
		calls += estimate->pages;
	else
		return 0;
	if (sorted->filters == NIL && sorted->known == NIL && sorted->tagged == NIL)
		calls += estimate->describes + estimate->searches;
	if (!conditions)
		calls += estimate->tag_lists;
	return calls;
}

static double
total_calls(const CallEstimate *estimate)
{
	return estimate->pages + estimate->describes + estimate->tag_lists + estimate->searches;
}

/* The share of the table's jobs that have a status, which ANALYZE has found. */
static double
status_share(PlannerInfo *root, RelOptInfo *rel, const SmfColumn *column, const char *label)
{
	TypeCacheEntry *type = lookup_type_cache(column->type_id, TYPECACHE_EQ_OPR);
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										ObjectIdGetDatum(column->type_id), CStringGetDatum(label));
	Var		   *var = makeVar(rel->relid, column->attnum, column->type_id, column->typmod, InvalidOid, 0);
	Const	   *constant;

	if (!OidIsValid(value) || !OidIsValid(type->eq_opr))
		return 0;
	constant = makeConst(column->type_id, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(value), false, true);
	return clause_selectivity(root, (Node *) make_opclause(type->eq_opr, BOOLOID, false, (Expr *) var,
														   (Expr *) constant, InvalidOid, InvalidOid),
							  rel->relid, JOIN_INNER, NULL);
}

/* The share of the table's jobs that have ended, as far as that is known. */
static double
ended_share(PlannerInfo *root, RelOptInfo *rel)
{
	FdwRelationInfo *info = rel->fdw_private;

	for (int i = 0; info->analyzed && i < info->table.natts; i++)
	{
		const SmfColumn *column = &info->table.columns[i];

		if (column->name != NULL && column->attribute != NULL &&
			strcmp(column->attribute->api_name, "TrainingJobStatus") == 0 && type_is_enum(column->type_id))
			return Min(status_share(root, rel, column, "Completed") + status_share(root, rel, column, "Failed") +
					   status_share(root, rel, column, "Stopped"), 1);
	}
	return 1;
}

/* May records of Search stand for documents, whatever scan_api says?  If so, for what is *read. */
static bool
may_prove(RelOptInfo *rel, JobSource source, List *attnums, AttributeSet *read)
{
	FdwRelationInfo *info = rel->fdw_private;
	SmfNeeds	needs = smf_needs(info->table.columns, attnums, source);

	return source == SMF_FROM_LIST && (needs.document || needs.tags) &&
		smf_columns_searchable(info->table.columns, attnums, info->raw_members, read);
}

/* Let Search have the documents of jobs that have ended, but for those that are checked. */
static void
count_searches(PlannerInfo *root, RelOptInfo *rel, CallEstimate *estimate)
{
	double		jobs = Max(estimate->describes, estimate->tag_lists);
	double		ended = rint(jobs * ended_share(root, rel));
	double		checks;

	if (ended < SMF_BATCH_JOBS_MIN)
		return;
	estimate->searches = ceil(ended / SMF_SEARCH_JOBS_MAX);
	checks = smf_trust_checks(estimate->searches);
	if (estimate->tag_lists > 0)
		estimate->tag_lists = Max(estimate->tag_lists - ended, 0) + checks;
	estimate->describes = Max(estimate->describes - ended, 0) + checks;
}

/*
 * The calls of one scan of a table of so many jobs.  "prove" is whether records of Search
 * may stand for documents, "bound" the number of jobs that are read at the most, 0 if it may
 * be all.
 */
static CallEstimate
estimate_calls(PlannerInfo *root, RelOptInfo *rel, JobSource source, double jobs, bool prove,
			   List *attnums, List *clauses, double bound)
{
	FdwRelationInfo *info = rel->fdw_private;
	CallEstimate estimate = {0};
	SmfNeeds	needs = smf_needs(info->table.columns, attnums, source);
	SortedClauses sorted;
	double		walked;			/* jobs that the pages go through */
	double		found;			/* jobs that they hold */
	double		wanted;			/* of these, not refused on what is known */

	/* What no job can meet is found before any call. */
	if (info->none_match)
		return estimate;

	/* Look-ups have no pages, and each name is a call. */
	if (source == SMF_FROM_NAMES)
	{
		wanted = names_looked_up(root, rel, clauses);
		estimate.jobs = wanted;
		estimate.left = wanted;
		estimate.describes = wanted;
		estimate.tag_lists = needs.tags ? wanted : 0;
		return estimate;
	}

	/* Estimate how many jobs there are at each step from the pages to the calls for a job. */
	sort_clauses(root, rel, clauses, source, &sorted);
	walked = jobs * selectivity(root, rel, sorted.created);
	found = walked * selectivity(root, rel, sorted.filters);
	wanted = jobs * selectivity(root, rel, list_union_ptr(list_concat_copy(sorted.created, sorted.filters),
														  sorted.known));
	/* filters leave the list as many pages; Search and a tuning job page what they find */
	if (source != SMF_FROM_LIST)
		walked = found;

	/* Where a LIMIT ends the walk, reduce all of them in proportion. */
	if (bound > 0 && wanted > bound)
	{
		walked = Max(walked * bound / wanted, bound);
		found = Max(found * bound / wanted, bound);
		wanted = bound;
	}

	/* Round up, but not where only rounding errors exceed a whole number. */
	estimate.jobs = ceil(found - 1e-6);
	estimate.pages = Max(ceil(walked / info->settings->fetch_size), 1);
	wanted = ceil(wanted - 1e-6);
	estimate.left = wanted;

	/* Count a call for each job that is left; of two, the first may save the second. */
	if (needs.tags)
		estimate.tag_lists = wanted;
	if (needs.document)
	{
		estimate.describes = wanted;
		/* the tags decide first, or are asked for last */
		if (needs.tags && sorted.tagged != NIL)
			estimate.describes = ceil(wanted * selectivity(root, rel, sorted.tagged));
		else if (needs.tags)
			estimate.tag_lists = Min(wanted, ceil(rel->rows));
	}
	if (prove)
		count_searches(root, rel, &estimate);
	if (info->analyzed)
		estimate.certain = certain_calls(&estimate, &sorted, source);
	return estimate;
}

/* ----- paths ----- */

/*
 * What conditions cost besides calls: those that are decided early for each job that the
 * source names and, like all others, by Postgres for each that is left.
 */
static void
add_condition_costs(PlannerInfo *root, RelOptInfo *rel, JobSource source, List *clauses,
					const CallEstimate *estimate, Cost *startup_cost, Cost *total_cost)
{
	SortedClauses sorted;
	QualCost	early;
	QualCost	local;

	sort_clauses(root, rel, clauses, source, &sorted);
	cost_qual_eval(&early, sorted.early, root);
	cost_qual_eval(&local, sorted.local, root);
	*startup_cost += early.startup + local.startup;
	*total_cost += early.startup + early.per_tuple * estimate->jobs +
		local.startup + local.per_tuple * estimate->left;
}

/* What the calls cost if at most so many of an operation overlap. */
static Cost
calls_cost(const RelOptInfo *rel, JobSource source, const CallEstimate *estimate, double overlap)
{
	const double *usable = ((FdwRelationInfo *) rel->fdw_private)->concurrency.usable;
	double		pages = 0;

	/* pages follow one another; the calls for their jobs overlap */
	if (source != SMF_FROM_NAMES)
		pages = estimate->pages / Min(usable[smf_source_operation(source)], 1);
	return smf_call_cost * (pages +
							estimate->describes / Min(usable[SMF_OP_DESCRIBE_TRAINING_JOB], overlap) +
							estimate->tag_lists / Min(usable[SMF_OP_LIST_TAGS], overlap) +
							estimate->searches / Min(usable[SMF_OP_SEARCH], overlap));
}

/*
 * Add a path.  At most "overlap" of its calls overlap, "nested" are the conditions that
 * tables of required_outer give besides the table's own, and "times" is how much more often
 * than is estimated the path may be run.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, JobSource source, const CallEstimate *estimate,
			  double rows, double overlap, List *nested, double times, List *pathkeys,
			  bool oldest_first, Relids required_outer)
{
	FdwRelationInfo *info = rel->fdw_private;
	CallEstimate first = {0};
	ForeignPath *path;
	Cost		startup_cost;
	Cost		total_cost;
	bool		in_turn;

	/* Cost the calls: those that the first row takes, and all. */
	first.pages = Min(estimate->pages, 1);
	first.describes = Min(estimate->describes, 1);
	first.tag_lists = Min(estimate->tag_lists, 1);
	startup_cost = calls_cost(rel, source, &first, 1) * times;
	total_cost = Max(calls_cost(rel, source, estimate, overlap) * times, startup_cost);

	/* Add what is computed. */
	total_cost += cpu_tuple_cost * Max(estimate->jobs, rows);
	add_condition_costs(root, rel, source, list_concat_copy(rel->baserestrictinfo, nested), estimate,
						&startup_cost, &total_cost);
	startup_cost += rel->reltarget->cost.startup;
	total_cost += rel->reltarget->cost.startup + rel->reltarget->cost.per_tuple * rows;

	path = smf_create_foreignscan_path(root, rel, rows, startup_cost, total_cost, pathkeys,
									   required_outer,
									   list_make3(makeInteger(source), makeBoolean(oldest_first),
												  makeFloat(psprintf("%.0f", total_calls(estimate)))));
	in_turn = info->settings->async_capable &&
		smf_demand_in_turn(root, rel, path, source == SMF_FROM_NAMES,
						   nested);
	path->fdw_private = lappend(path->fdw_private, makeBoolean(in_turn));
	add_path(rel, (Path *) path);
}

/*
 * The query's first sort key, if that is the table's column of creation times: the
 * source can give that order, either way.  NIL if it is not.
 */
static List *
order_offered(PlannerInfo *root, RelOptInfo *rel, bool *oldest_first)
{
	FdwRelationInfo *info = rel->fdw_private;
	PathKey    *wanted;
	TypeCacheEntry *type = lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_LT_OPR);

	/* Take the first key alone: an incremental sort does the rest. */
	if (root->query_pathkeys == NIL)
		return NIL;
	wanted = linitial_node(PathKey, root->query_pathkeys);
	for (int i = 0; i < info->table.natts; i++)
	{
		const SmfColumn *column = &info->table.columns[i];
		Var		   *var;
		List	   *pathkeys;

		if (column->name == NULL || column->attribute == NULL ||
			strcmp(column->attribute->api_name, "CreationTime") != 0)
			continue;
		/* rounding keeps the order */
		var = makeVar(rel->relid, column->attnum, column->type_id, column->typmod, InvalidOid, 0);
		if (!smf_is_column_of((Node *) var, &info->table, "CreationTime"))
			continue;
		pathkeys = smf_expression_pathkey(root, (Expr *) var, type->lt_opr, rel->relids);
		/* every job has a creation time: where NULLs go makes no difference */
		if (pathkeys != NIL && linitial_node(PathKey, pathkeys)->pk_eclass == wanted->pk_eclass &&
			linitial_node(PathKey, pathkeys)->pk_opfamily == wanted->pk_opfamily)
		{
			*oldest_first = !smf_pathkey_descending(wanted);
			return list_make1(wanted);
		}
	}
	return NIL;
}

/* generate_implied_equalities_for_column's callback: is it a column to look up by? */
static bool
ec_member_is_lookup(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
					EquivalenceMember *em, void *arg)
{
	FdwRelationInfo *info = rel->fdw_private;

	return smf_is_column_of((Node *) em->em_expr, &info->table, arg);
}

/*
 * Do rows come from one of the tables, or of their partitions, whose jobs are ours and that
 * nobody has counted?
 */
static bool
any_uncounted(PlannerInfo *root, Relids tables)
{
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RelOptInfo *other = root->simple_rel_array[i];

		if (other != NULL && other->fdw_private != NULL && smf_is_our_table(other) &&
			!((FdwRelationInfo *) other->fdw_private)->has_statistics &&
			!any_clause_used(other, SMF_FROM_NAMES, USE_LOOKUP) &&
			bms_overlap(other->top_parent_relids ? other->top_parent_relids : other->relids, tables))
			return true;
	}
	return false;
}

/* How columns of other tables may say which jobs a scan reads. */
typedef struct JoinWay
{
	JobSource	source;			/* where jobs come from then */
	ConditionUse use;			/* that it makes of such a condition */
	const char *attributes[2];	/* of the columns that are compared; NULL: no more */
} JoinWay;

static const JoinWay join_ways[] = {
	{SMF_FROM_NAMES, USE_LOOKUP, {"TrainingJobName", "TrainingJobArn"}},
	{SMF_FROM_TUNING_JOB, USE_TUNING_JOB, {"TuningJobArn"}}
};

/*
 * Conditions that columns of other tables may turn into one on the table alone: join clauses,
 * and equivalence classes of one of the way's attributes.
 */
static List *
movable_clauses(PlannerInfo *root, RelOptInfo *rel, const JoinWay *way)
{
	List	   *clauses = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(clause, rel))
			clauses = lappend(clauses, clause);
	}
	for (int i = 0; rel->has_eclass_joins && i < lengthof(way->attributes) && way->attributes[i] != NULL; i++)
		clauses = list_concat(clauses,
							  generate_implied_equalities_for_column(root, rel, ec_member_is_lookup,
																	 unconstify(char *, way->attributes[i]),
																	 rel->lateral_referencers));
	return clauses;
}

/*
 * Paths that are run for each row of other tables: they look up the jobs, or list the children
 * of the tuning job, that the row names, by join clauses or by equivalence classes.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, const JoinWay *way, List *attnums)
{
	FdwRelationInfo *relation_info = rel->fdw_private;
	bool		named = way->source == SMF_FROM_NAMES;
	List	   *done = NIL;
	ListCell   *lc;

	/* Add a path for each set of tables that such a condition needs. */
	foreach(lc, movable_clauses(root, rel, way))
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Relids		required_outer;
		ParamPathInfo *info;
		CallEstimate estimate;

		if (clause_use(rel, clause, way->source) != way->use)
			continue;
		required_outer = bms_union(clause->clause_relids, rel->lateral_relids);
		required_outer = bms_del_member(required_outer, rel->relid);
		if (bms_is_empty(required_outer))
			continue;
		/* clauses that need the same tables make the same path */
		info = get_baserel_parampathinfo(root, rel, required_outer);
		if (list_member_ptr(done, info))
			continue;
		done = lappend(done, info);

		/*
		 * In a nested loop one look-up follows the other; the calls for the children of one
		 * tuning job overlap.  Where a long history is walked to name the jobs, there are as
		 * many rows.
		 */
		estimate = estimate_calls(root, rel, way->source, rel->tuples, false, attnums,
								  named ? list_make1(clause) :
								  list_concat_copy(info->ppi_clauses, rel->baserestrictinfo), 0);
		add_scan_path(root, rel, way->source, &estimate, named ? Max(estimate.describes, 1) : info->ppi_rows,
					  named ? 1 : relation_info->settings->max_concurrency, info->ppi_clauses,
					  any_uncounted(root, required_outer) ? LONG_HISTORY / DEFAULT_JOBS : 1,
					  NIL, false, required_outer);
	}
}

/*
 * Add the path of a source that other tables do not parameterise.  Sources that walk over
 * all jobs are taken to walk far where nobody has counted them.
 */
static void
add_source_path(PlannerInfo *root, RelOptInfo *rel, JobSource source, List *attnums)
{
	FdwRelationInfo *info = rel->fdw_private;
	bool		far = !info->has_statistics && (source == SMF_FROM_LIST || source == SMF_FROM_SEARCH);
	AttributeSet read = 0;
	bool		prove = info->settings->scan_api == SMF_SCAN_AUTO &&
		may_prove(rel, source, attnums, &read);
	CallEstimate estimate = estimate_calls(root, rel, source, far ? LONG_HISTORY : rel->tuples, prove, attnums,
										   rel->baserestrictinfo, 0);
	double		overlap = info->settings->max_concurrency;
	List	   *pathkeys = NIL;
	bool		oldest_first = false;

	if (source == SMF_FROM_NAMES)
		overlap = Max(Min(overlap, estimate.describes), 1);
	else
		pathkeys = order_offered(root, rel, &oldest_first);
	add_scan_path(root, rel, source, &estimate, rel->rows, overlap, NIL, 1, pathkeys, oldest_first,
				  rel->lateral_relids);
}

/*
 * sagemakerGetForeignPaths
 *		Offer all ways to scan the table.
 */
void
sagemakerGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelationInfo *info = rel->fdw_private;
	List	   *attnums = smf_demand_columns(root, rel, &info->table, rel->baserestrictinfo);
	bool		named = any_clause_used(rel, SMF_FROM_NAMES, USE_LOOKUP);

	/* Look up what the conditions name.  First: of paths that cost the same, it is bounded. */
	if (named)
	{
		/* there are no more rows than names, whatever path gives them */
		rel->rows = Max(Min(rel->rows, names_looked_up(root, rel, rel->baserestrictinfo)), 1);
		add_source_path(root, rel, SMF_FROM_NAMES, attnums);
	}
	if (any_clause_used(rel, SMF_FROM_TUNING_JOB, USE_TUNING_JOB))
		add_source_path(root, rel, SMF_FROM_TUNING_JOB, attnums);

	/* Walk over all jobs, or look up those that other tables name. */
	add_source_path(root, rel, info->settings->scan_api == SMF_SCAN_SEARCH ? SMF_FROM_SEARCH : SMF_FROM_LIST,
					attnums);
	for (int i = 0; !named && i < lengthof(join_ways); i++)
		add_parameterized_paths(root, rel, &join_ways[i], attnums);
}

/*
 * smf_is_our_table
 *		Is the relation a foreign table of this wrapper?
 */
bool
smf_is_our_table(const RelOptInfo *rel)
{
	return rel->fdwroutine != NULL && rel->fdwroutine->GetForeignPaths == sagemakerGetForeignPaths;
}

/* A walker: is there a value that only running the query gives? */
static bool
takes_parameter(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return true;
	return expression_tree_walker(node, takes_parameter, context);
}

/*
 * May Postgres leave the partition out for one row and not for another, where the scan
 * itself, if it was started, would make calls?
 */
static bool
may_be_pruned(PlannerInfo *root, const ForeignPath *path)
{
	RelOptInfo *rel = path->path.parent;
	FdwRelationInfo *info = rel->fdw_private;
	Bitmapset  *keys = NULL;
	ListCell   *lc;

	pull_varattnos((Node *) smf_demand_partition_keys(root, rel->relid), rel->relid, &keys);
	if (keys == NULL || !enable_partition_pruning)
		return false;
	foreach(lc, path->path.param_info != NULL ?
			list_concat_copy(path->path.param_info->ppi_clauses, rel->baserestrictinfo) : rel->baserestrictinfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Bitmapset  *read = NULL;

		pull_varattnos((Node *) clause->clause, rel->relid, &read);
		/* the scan decides for itself what is known before any call */
		if (bms_overlap(read, keys) &&
			(!bms_is_subset(clause->clause_relids, rel->relids) || takes_parameter((Node *) clause->clause, NULL)) &&
			smf_early_tier((Node *) clause->clause, &info->table, SMF_FROM_NAMES) != EARLY_AT_START)
			return true;
	}
	return false;
}

/*
 * smf_path_looks_up
 *		Does the path look up the jobs that something names, and does it whenever a join runs
 *		it?
 */
bool
smf_path_looks_up(PlannerInfo *root, const ForeignPath *path)
{
	return smf_is_our_table(path->path.parent) &&
		intVal(list_nth(path->fdw_private, PATH_PRIVATE_SOURCE)) == SMF_FROM_NAMES &&
		!may_be_pruned(root, path);
}

/*
 * smf_path_calls
 *		The calls of one scan by the path, which is ours.
 */
double
smf_path_calls(const ForeignPath *path)
{
	return floatVal(list_nth(path->fdw_private, PATH_PRIVATE_CALLS));
}

/*
 * smf_usable_concurrency
 *		How many look-ups of the table, which is ours, may overlap; less than 1 where the
 *		rate of calls is that low.  Valid once its size is estimated.
 */
double
smf_usable_concurrency(const RelOptInfo *rel)
{
	return ((FdwRelationInfo *) rel->fdw_private)->concurrency.usable[SMF_OP_DESCRIBE_TRAINING_JOB];
}

/*
 * sagemakerIsForeignPathAsyncCapable
 *		May the path be run beside others of an Append?
 */
bool
sagemakerIsForeignPathAsyncCapable(ForeignPath *path)
{
	FdwRelationInfo *info = path->path.parent->fdw_private;

	return info->settings->async_capable &&
		!boolVal(list_nth(path->fdw_private, PATH_PRIVATE_IN_TURN));
}

/* ----- plans ----- */

/*
 * sagemakerGetForeignPlan
 *		The plan for the path that was chosen.
 */
ForeignScan *
sagemakerGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
						ForeignPath *best_path, List *tlist,
						List *scan_clauses, Plan *outer_plan)
{
	FdwRelationInfo *info = rel->fdw_private;
	JobSource	source = intVal(list_nth(best_path->fdw_private, PATH_PRIVATE_SOURCE));
	List	   *attnums = smf_demand_columns(root, rel, &info->table, scan_clauses);
	SortedClauses sorted;
	CallEstimate estimate;
	ScanPlan	plan;
	bool		searchable;
	List	   *exprs;
	List	   *private;

	/* Say who decides which condition. */
	sort_clauses(root, rel, scan_clauses, source, &sorted);
	plan.source = source;
	plan.read = 0;
	searchable = may_prove(rel, source, attnums, &plan.read);
	plan.prove = searchable && info->settings->scan_api == SMF_SCAN_AUTO;
	plan.attnums = attnums;
	plan.api = sorted.api;
	plan.api_conditions = sorted.api_conditions;
	plan.early = sorted.early;
	plan.early_conditions = sorted.early_conditions;

	/* Say how much the query reads, and in which order. */
	plan.ordered = best_path->path.pathkeys != NIL;
	plan.oldest_first = boolVal(list_nth(best_path->fdw_private, PATH_PRIVATE_OLDEST_FIRST));
	plan.narrowed = sorted.filters != NIL || sorted.known != NIL;
	plan.bound = smf_demand_rows(root, rel, best_path, sorted.all_known && source != SMF_FROM_NAMES);
	plan.ramp = smf_demand_may_end(root, rel, plan.bound);
	plan.in_turn = boolVal(list_nth(best_path->fdw_private, PATH_PRIVATE_IN_TURN));
	plan.from_parent = smf_demand_from_parent(root, rel, &info->table, best_path, plan.in_turn);
	plan.parameterized = best_path->path.param_info != NULL;

	/* Estimate it again: the path knew nothing of a LIMIT. */
	estimate = estimate_calls(root, rel, source, rel->tuples, plan.prove, attnums, scan_clauses, plan.bound);
	plan.has_statistics = info->has_statistics || source == SMF_FROM_NAMES;
	plan.estimated_jobs = estimate.jobs;
	plan.estimated_calls = total_calls(&estimate);
	plan.certain_calls = estimate.certain;
	plan.calls_by_search = 0;
	if (searchable && !plan.prove)
	{
		CallEstimate by_search = estimate_calls(root, rel, source, rel->tuples, true, attnums, scan_clauses,
												plan.bound);

		if (estimate.describes - by_search.describes > WORTH_A_HINT)
			plan.calls_by_search = total_calls(&by_search);
	}

	smf_scan_plan_pack(&plan, &exprs, &private);
	return make_foreignscan(tlist, sorted.local, rel->relid, exprs, private, NIL, sorted.recheck,
							outer_plan);
}
