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
	List	   *attnums;		/* integer list: numbers of the attributes to read */
	bool		prove;			/* may Search records replace documents? */
	AttributeSet read;			/* if so: the attributes that the columns stand for */
	List	   *api;			/* Expr: conditions that are sent to the source */
	List	   *api_conditions; /* for each of them: a list of Condition *, from
								 * smf_clause_match */
	List	   *early;			/* Expr: conditions that are decided early */
	List	   *early_conditions;	/* for each of them: a list of Condition *, or NIL */

	/* how much is read, and in which order */
	bool		ordered;		/* does the plan rely on the order of creation? */
	bool		oldest_first;	/* if so: in which direction? */
	bool		narrowed;		/* may pages contain fewer jobs than requested, or jobs that
								 * will be rejected? */
	double		bound;			/* most jobs that the query reads; 0: it may read all */
	bool		ramp;			/* may the query end before it has read all jobs? */
	int			from_parent;	/* its range table index less the parent's, if it must start
								 * together with another child; otherwise 0 */
	bool		in_turn;		/* with from_parent: only after others have no more rows? */
	bool		parameterized;	/* is it run for each row of other tables? */

	/* estimates, in whole calls and jobs */
	bool		has_statistics; /* are they based on more than a guess? */
	double		estimated_jobs; /* that the source will name */
	double		estimated_calls;	/* for one scan */
	double		calls_by_search;	/* for one scan, if scan_api were 'auto'; 0: not a great
									 * difference */
	double		certain_calls;	/* calls that are made regardless of conditions, if the table
								 * has the jobs that ANALYZE found */
} ScanPlan;

extern void smf_scan_plan_pack(const ScanPlan *plan, List **exprs, List **private);
extern ScanPlan smf_scan_plan_unpack(const ForeignScan *scan, const SmfColumn *columns);

#endif							/* SMF_SCAN_PLAN_H */
