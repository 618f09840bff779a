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

/* What was prepared for reading from a source. */
typedef struct SourceState
{
	JobStreamSpec spec;			/* except for what a loop sets in it */
	ScanRequest *request;		/* NULL: not prepared yet */
	EarlyChecks *checks;		/* the same */
} SourceState;

/* ForeignScanState.fdw_state; everything lives in the query's memory context. */
typedef struct JobScan
{
	ForeignScanState *node;		/* whose fdw_state this is */
	SmfSettings *settings;		/* the table's */
	TableRef	table;			/* its columns */
	ScanPlan	plan;			/* as planned, even if the scan now does something else */
	AwsClient  *client;			/* makes the calls, as the scan's role */
	RowReader  *reader;			/* turns a job into a row */
	JobCache   *cache;			/* for look-ups; NULL if they are made only once */
	Progress   *progress;		/* what others see; NULL before the scan starts */

	JobStreamSpec spec;			/* as planned, or as changed by a fallback */
	ScanRequest *request;		/* what to request from the source */
	EarlyChecks *checks;		/* conditions that are decided early */
	SourceState sources[SMF_SOURCES];	/* by JobSource: the planned one, and those used as a
										 * fallback */

	MemoryContext row_context;	/* holds the values in the slot; reset for each row */
	MemoryContext request_context;	/* holds what the stream requests; reset when it is
									 * restarted */
	JobStream  *stream;			/* NULL until the first row is requested, and after a
								 * rescan */
	bool		exhausted;		/* there is nothing (more) to read */
	bool		fall_back;		/* this loop asks Search about something that the plan's
								 * source does not know; if that is denied, the list */
	bool		with_siblings;	/* is it in the list of scans that start together? */
	dlist_node	sibling;		/* in that list */
	Index		parent;			/* siblings have the same parent: its range table index */
	bool		in_loop;		/* is it in the list of scans that look up in a loop? */
	dlist_node	loop;			/* in that list */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests sent, by operation, over all
												 * loops */
	ProgressNotices notices;	/* over all loops */
	JobDocuments documents;		/* their sources, over all loops */

	/* for an asynchronous Append, which waits for several scans at once */
	int			wait_fd;		/* copy of the session's descriptor, counted; -1: the scan
								 * waits by itself */
	bool		blocked;		/* there is no row until the next event */
	uint64		events;			/* smf_http_events() at that time */
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
