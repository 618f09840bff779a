/*-------------------------------------------------------------------------
 *
 * analyze.h
 *		ANALYZE of a foreign table: its number of jobs, and a sample of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ANALYZE_H
#define SMF_ANALYZE_H

#include "foreign/fdwapi.h"

/* Most jobs of a sample: room for all of them is one allocation. */
#define SMF_ANALYZE_JOBS_MAX 10000000

/* Setting sagemaker_fdw.analyze_jobs. */
extern int	smf_analyze_jobs;

extern bool sagemakerAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *function,
										 BlockNumber *totalpages);

#endif							/* SMF_ANALYZE_H */
