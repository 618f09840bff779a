/*-------------------------------------------------------------------------
 *
 * scan_plan.h
 *		What a plan tells the executor about a scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SCAN_PLAN_H
#define SMF_SCAN_PLAN_H

#include "fdw/column.h"
#include "nodes/plannodes.h"

/* A scan as it was planned.  Lists belong to the plan. */
typedef struct ScanPlan
{
	/* what is read */
	JobSource	source;			/* where jobs come from */
	List	   *attnums;		/* integer list: attribute numbers of the columns that
								 * are read */
	bool		prove;			/* may records of Search stand for documents? */
	AttributeSet read;			/* if so, the attributes that the columns stand for */
	List	   *api;			/* Expr: conditions that the source is asked for */
	List	   *api_conditions; /* what each of them says: lists of Condition *, as
								 * smf_clause_match makes them */
	List	   *early;			/* Expr: conditions that are decided on what is known so
								 * far */
	List	   *early_conditions;	/* what each of them says, NIL if nothing that can
									 * be asked */

	/* how much of it, and in which order */
	bool		ordered;		/* does the plan rely on the order of creation? */
	bool		oldest_first;	/* which order it is */
	bool		narrowed;		/* may pages hold fewer jobs than are asked for, or
								 * jobs that are refused? */
	double		bound;			/* jobs that the query reads at the most, 0 if it may
								 * be all */
	bool		ramp;			/* may the query end before it has read all jobs? */
	int			from_parent;	/* its range table index less the parent's, if its
								 * first call is to be made when that of another
								 * child is; else 0 */
	bool		in_turn;		/* from_parent: is that so only once others have no row? */
	bool		parameterized;	/* is it run for each row of other tables? */

	/* estimates, in whole calls and jobs */
	bool		has_statistics; /* do they rest on more than a guess? */
	double		estimated_jobs; /* that the source will name */
	double		estimated_calls;	/* of one scan */
	double		calls_by_search;	/* of one scan, if scan_api were 'auto'; 0: it makes no
									 * great difference */
	double		certain_calls;	/* of these, the calls that are made whatever
								 * conditions refuse, if the table has the jobs that
								 * ANALYZE found */
} ScanPlan;

extern void smf_scan_plan_pack(const ScanPlan *plan, List **exprs, List **private);
extern ScanPlan smf_scan_plan_unpack(const ForeignScan *scan, const SmfColumn *columns);

#endif							/* SMF_SCAN_PLAN_H */
