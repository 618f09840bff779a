/*-------------------------------------------------------------------------
 *
 * cost.h
 *		The number of rows of a scan, the calls that it makes, and their cost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COST_H
#define SMF_COST_H

#include "fdw/clauses.h"

/* Setting sagemaker_fdw.call_cost: planner cost of one call. */
extern double smf_call_cost;

/* The calls that a scan makes, as far as that can be estimated. */
typedef struct CallEstimate
{
	double		pages;			/* from the source */
	double		describes;		/* Describe, one per job */
	double		tag_lists;		/* ListTags, one per job */
	double		searches;		/* Search, each for the documents of many jobs */
	double		jobs;			/* not calls, but jobs: those that the source names */
	double		left;			/* those of them that are not rejected when named */
	double		certain;		/* calls that are made regardless of conditions */
} CallEstimate;

extern void smf_estimate_settled(PlannerInfo *root, RelOptInfo *rel);
extern double smf_names_looked_up(PlannerInfo *root, RelOptInfo *rel, List *clauses);
extern CallEstimate smf_estimate_calls(PlannerInfo *root, RelOptInfo *rel, JobSource source, double jobs,
									   bool prove, List *attnums, List *clauses, double bound);
extern double smf_total_calls(const CallEstimate *estimate);
extern Cost smf_calls_cost(const RelOptInfo *rel, JobSource source, const CallEstimate *estimate,
						   double overlap);
extern void smf_add_condition_costs(PlannerInfo *root, RelOptInfo *rel, JobSource source, List *clauses,
									const CallEstimate *estimate, Cost *startup_cost, Cost *total_cost);

#endif							/* SMF_COST_H */
