/*-------------------------------------------------------------------------
 *
 * batch.h
 *		Jobs whose documents Search is asked for, a batch at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_BATCH_H
#define SMF_BATCH_H

#include "jobs/entry.h"
#include "jobs/operation.h"
#include "jobs/trust.h"

/* Fewer jobs than these are described. */
#define SMF_BATCH_JOBS_MIN 5

/* Batches whose records are on their way or held. */
#define SMF_BATCHES 2

/* What becomes of a batch. */
typedef enum BatchState
{
	BATCH_FREE,					/* it is none */
	BATCH_ASKED,				/* Search is in flight, or answered */
	BATCH_CHECKED,				/* its records are there, and one of them is compared */
	BATCH_REPEATED,				/* it differs: that record is searched for again */
	BATCH_HELD					/* nothing is open, and records are held */
} BatchState;

/* Jobs that Search was asked for together. */
typedef struct JobBatch
{
	BatchState	state;
	AwsCall    *call;			/* in flight or answered; NULL: none yet, or no more */
	bool		by_span;		/* it asks for a span of time, rather than for names */
	int64		deadline_us;	/* smf_http_now() when the call is given up */
	int			n;				/* jobs that were asked for */
	JobEntry   *entries[SMF_SEARCH_JOBS_MAX];	/* NULL: it has left the ring */
	uint32		hashes[SMF_SEARCH_JOBS_MAX];	/* of their names */
	int			nheld;			/* entries that have a record */
	JobEntry   *checked;		/* described as well, to be compared; or NULL */
	AttributeSet differing;		/* in which it was found to differ */
	int			nempty;			/* checks in which there was nothing to compare */
} JobBatch;

/* The batches of a stream. */
typedef struct JobBatches
{
	JobFetcher *fetcher;		/* not ours */
	SearchTrust *trust;			/* the session's */
	bool		asking;			/* may Search be asked for any more documents? */
	AttributeSet read;			/* attributes that the query reads, tags among them */
	AttributeSet tags;			/* the bit of the tags */
	AttributeSet distrusted;	/* what was not taken from Search when that was looked for last */
	int64		nheeded;		/* smf_trust_differences() then */
	int			size;			/* jobs in a batch, at most */
	JobBatch	batches[SMF_BATCHES];

	/* when Search proves little */
	int			npoor;			/* batches in a row of which little was proved */
	int			resting;		/* batches that are still described instead */
	int			rest;			/* how many there will be the next time */

	int64		nrows;			/* jobs that have left with a record */
} JobBatches;

extern void smf_batches_init(JobBatches *batches, JobFetcher *fetcher);
extern void smf_batches_end(JobBatches *batches);

extern void smf_batches_take(const JobBatches *batches, JobEntry *entry);
extern bool smf_batches_room(const JobBatches *batches, int n);
extern void smf_batches_ask(JobBatches *batches, JobEntry **entries, int n);
extern bool smf_batches_advance(JobBatches *batches);
extern bool smf_batches_due(const JobBatches *batches);
extern void smf_batches_start_due(JobBatches *batches);
extern JobEntry *smf_batches_checked(const JobBatches *batches, int i);
extern void smf_batches_leave(JobBatches *batches, JobEntry *entry);

extern int	smf_batches_in_flight(const JobBatches *batches);
extern int64 smf_batches_deadline(const JobBatches *batches);

#endif							/* SMF_BATCH_H */
