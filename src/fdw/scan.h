/*-------------------------------------------------------------------------
 *
 * scan.h
 *		A running foreign scan, and what the plan tells it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SCAN_H
#define SMF_SCAN_H

#include "fdw/row.h"
#include "nodes/execnodes.h"

/*
 * What ForeignScan.fdw_private holds, by position.  All of it is copyable: plans
 * are cached, and prepared statements copy them.
 */
typedef enum ScanPrivateIndex
{
	/* integer list: attribute numbers of the columns that are read */
	SCAN_PRIVATE_ATTNUMS,
	/* Boolean: describe each job? */
	SCAN_PRIVATE_WANT_DOCUMENT,
	/* Boolean: list each job's tags? */
	SCAN_PRIVATE_WANT_TAGS,
	/* Boolean: is fdw_exprs the one name to look up, instead of all jobs? */
	SCAN_PRIVATE_BY_NAME,
	/* Float: jobs that the query reads at the most, 0 if it may be all */
	SCAN_PRIVATE_BOUND,
	/* Boolean: may the query end before it has read all jobs? */
	SCAN_PRIVATE_RAMP
} ScanPrivateIndex;

/* Setting sagemaker_fdw.progress_interval, in milliseconds. */
extern int	smf_progress_interval_ms;

/* ForeignScanState.fdw_state; everything lives in the query's memory context. */
typedef struct JobScan
{
	SmfSettings *settings;
	JobStreamSpec spec;
	AwsClient  *client;
	RowReader  *reader;
	ExprState  *name;			/* what to look up; NULL for all jobs */
	MemoryContext row_context;	/* the values in the slot; reset for each row */
	JobStream  *stream;			/* NULL until the first row is asked for, and
								 * after a rescan */
	bool		exhausted;		/* there is nothing (more) to read */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests, by operation, all loops */
} JobScan;

extern void sagemakerBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *sagemakerIterateForeignScan(ForeignScanState *node);
extern void sagemakerReScanForeignScan(ForeignScanState *node);
extern void sagemakerEndForeignScan(ForeignScanState *node);

#endif							/* SMF_SCAN_H */
