/*-------------------------------------------------------------------------
 *
 * lookahead_plan.h
 *		Paths and plans of joins that look up the jobs of many rows at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_LOOKAHEAD_PLAN_H
#define SMF_LOOKAHEAD_PLAN_H

/* Setting sagemaker_fdw.enable_lookahead. */
extern bool smf_enable_lookahead;

extern void smf_lookahead_install(void);

#endif							/* SMF_LOOKAHEAD_PLAN_H */
