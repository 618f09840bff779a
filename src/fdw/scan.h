/*-------------------------------------------------------------------------
 *
 * scan.h
 *		A running foreign scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SCAN_H
#define SMF_SCAN_H

#include "fdw/early.h"
#include "fdw/request.h"
#include "fdw/row.h"
#include "fdw/scan_plan.h"
#include "jobs/stream.h"
#include "nodes/execnodes.h"

/* Setting sagemaker_fdw.progress_interval, in milliseconds. */
extern int	smf_progress_interval_ms;

/* Setting sagemaker_fdw.check_each_scan. */
extern bool smf_check_each_scan;

/* What is prepared to read from a source. */
typedef struct SourceState
{
	JobStreamSpec spec;			/* but for what a loop puts there */
	ScanRequest *request;		/* NULL: nothing is prepared yet */
	EarlyChecks *checks;		/* the same */
} SourceState;

/* ForeignScanState.fdw_state; everything lives in the query's memory context. */
typedef struct JobScan
{
	ForeignScanState *node;		/* whose fdw_state this is */
	SmfSettings *settings;		/* the table's */
	TableRef	table;			/* its columns */
	ScanPlan	plan;			/* as it was planned, whatever has become of that */
	AwsClient  *client;			/* makes the calls, as the scan's role */
	RowReader  *reader;			/* makes a job a row */
	JobCache   *cache;			/* of look-ups; NULL when they are made once */
	Progress   *progress;		/* what others see; NULL before the scan starts */

	JobStreamSpec spec;			/* as the plan has it, or as it is after a fall-back */
	ScanRequest *request;		/* what the source is asked for */
	EarlyChecks *checks;		/* conditions that are decided early */
	SourceState sources[SMF_SOURCES];	/* by JobSource: the plan's, and those fallen back to */

	MemoryContext row_context;	/* the values in the slot; reset for each row */
	MemoryContext request_context;	/* what the stream is asked for; reset when it
									 * is started again */
	JobStream  *stream;			/* NULL until the first row is asked for, and
								 * after a rescan */
	bool		exhausted;		/* there is nothing (more) to read */
	bool		fall_back;		/* this loop asks Search for what the plan's source does not
								 * know; to the list, where that is denied */
	bool		with_siblings;	/* is in the list of those that start together */
	dlist_node	sibling;		/* in it */
	Index		parent;			/* these are children of one table in one plan: its
								 * range table index */
	bool		in_loop;		/* is in the list of those that look up in a loop */
	dlist_node	loop;			/* in it */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests, by operation, all loops */
	ProgressNotices notices;	/* over all loops */
	JobDocuments documents;		/* where they came from, all loops */

	/* for an asynchronous Append, which waits for several scans at a time */
	int			wait_fd;		/* copy of the session's descriptor, counted; -1: the
								 * scan does its own waiting */
	bool		blocked;		/* there is no row before there is news */
	uint64		events;			/* smf_http_events() then */
	int64		waiting_since_us;	/* when the Append went to sleep */
} JobScan;

extern JobScan *smf_scan_of_look_ups(const EState *query, const Plan *plan);
extern void smf_scan_show_progress(JobScan *state);

extern void sagemakerBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *sagemakerIterateForeignScan(ForeignScanState *node);
extern bool sagemakerRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot);
extern void sagemakerReScanForeignScan(ForeignScanState *node);
extern void sagemakerEndForeignScan(ForeignScanState *node);
extern void sagemakerForeignAsyncRequest(AsyncRequest *areq);
extern void sagemakerForeignAsyncConfigureWait(AsyncRequest *areq);
extern void sagemakerForeignAsyncNotify(AsyncRequest *areq);

#endif							/* SMF_SCAN_H */
