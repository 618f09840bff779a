/*-------------------------------------------------------------------------
 *
 * scan.h
 *		A running foreign scan, and what the plan tells it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SCAN_H
#define SMF_SCAN_H

#include "fdw/early.h"
#include "fdw/request.h"
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
	/* Integer: JobSource */
	SCAN_PRIVATE_SOURCE,
	/* Boolean: where Search is denied, may the list be walked instead? */
	SCAN_PRIVATE_FALL_BACK,
	/* Boolean: does the plan rely on the order of creation? */
	SCAN_PRIVATE_ORDERED,
	/* Boolean: which order it is */
	SCAN_PRIVATE_OLDEST_FIRST,
	/* Boolean: may pages hold fewer jobs than are asked for, or jobs that are refused? */
	SCAN_PRIVATE_NARROWED,
	/* Float: jobs that the query reads at the most, 0 if it may be all */
	SCAN_PRIVATE_BOUND,
	/* Boolean: may the query end before it has read all jobs? */
	SCAN_PRIVATE_RAMP,

	/*
	 * Integer: its range table index less the parent's, if its first page is
	 * to be asked for when that of another child is; else 0
	 */
	SCAN_PRIVATE_FROM_PARENT,
	/* Float: calls of one scan, as estimated */
	SCAN_PRIVATE_ESTIMATED_CALLS,

	/*
	 * Float: of these, the calls that are made whatever conditions refuse, if the
	 * table has the jobs that ANALYZE found
	 */
	SCAN_PRIVATE_CERTAIN_CALLS,
	/* Boolean: does the estimate rest on more than a guess? */
	SCAN_PRIVATE_HAS_STATISTICS,
	/* Float: jobs that the source will name, as estimated */
	SCAN_PRIVATE_ESTIMATED_JOBS,
	/* Boolean: is it run for each row of other tables? */
	SCAN_PRIVATE_PARAMETERIZED
} ScanPrivateIndex;

/* What ForeignScan.fdw_exprs holds, by position: lists of conditions. */
typedef enum ScanExprIndex
{
	SCAN_EXPR_API,				/* the source is asked for them */
	SCAN_EXPR_EARLY				/* decided on what is known so far */
} ScanExprIndex;

/* Setting sagemaker_fdw.progress_interval, in milliseconds. */
extern int	smf_progress_interval_ms;

/* ForeignScanState.fdw_state; everything lives in the query's memory context. */
typedef struct JobScan
{
	ForeignScanState *node;
	SmfSettings *settings;
	TableRef	table;			/* its columns */
	List	   *attnums;		/* of the columns that are read */
	AwsClient  *client;
	RowReader  *reader;
	JobCache   *cache;			/* of look-ups; NULL when they are made once */
	Progress   *progress;		/* what others see; NULL before the scan starts */

	/* as the plan has it, or as it is after a fall-back */
	JobStreamSpec spec;
	ScanRequest *request;
	EarlyChecks *checks;

	MemoryContext row_context;	/* the values in the slot; reset for each row */
	MemoryContext request_context;	/* what the stream is asked for; reset when it
									 * is started again */
	JobStream  *stream;			/* NULL until the first row is asked for, and
								 * after a rescan */
	bool		exhausted;		/* there is nothing (more) to read */
	bool		fall_back;		/* to the list, where Search is denied */
	bool		with_sisters;	/* is in the list of those that start together */
	dlist_node	sister;			/* in it */
	Index		parent;			/* these are children of one table in one plan: its
								 * range table index */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests, by operation, all loops */

	/* for an asynchronous Append, which waits for several scans at a time */
	int			wait_fd;		/* copy of the session's descriptor, counted; -1: the
								 * scan does its own waiting */
	bool		blocked;		/* nothing can be said before somebody is told something */
	uint64		told;			/* smf_http_told() then */
	int64		waiting_since_us;	/* when the Append went to sleep */
} JobScan;

extern void sagemakerBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *sagemakerIterateForeignScan(ForeignScanState *node);
extern bool sagemakerRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot);
extern void sagemakerReScanForeignScan(ForeignScanState *node);
extern void sagemakerEndForeignScan(ForeignScanState *node);
extern void sagemakerForeignAsyncRequest(AsyncRequest *areq);
extern void sagemakerForeignAsyncConfigureWait(AsyncRequest *areq);
extern void sagemakerForeignAsyncNotify(AsyncRequest *areq);

#endif							/* SMF_SCAN_H */
