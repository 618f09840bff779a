/*-------------------------------------------------------------------------
 *
 * batch.h
 *		Fetches the documents of jobs through Search, in batches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_BATCH_H
#define SMF_BATCH_H

#include "jobs/entry.h"
#include "jobs/operation.h"
#include "jobs/trust.h"

/* If there are fewer jobs than this, they are described. */
#define SMF_BATCH_JOBS_MIN 5

/* Batches that are under way or have records. */
#define SMF_BATCHES 2

/* The state of a batch. */
typedef enum BatchState
{
	BATCH_FREE,					/* unused */
	BATCH_ASKED,				/* Search is in flight, or answered */
	BATCH_CHECKED,				/* its records have arrived, and one of them is being
								 * compared */
	BATCH_REPEATED,				/* that one differs: its record is searched for again */
	BATCH_HELD					/* everything is decided, and entries still have records */
} BatchState;

/* Jobs that Search was asked for together. */
typedef struct JobBatch
{
	BatchState	state;
	AwsCall    *call;			/* in flight or answered; NULL: none */
	bool		by_span;		/* it searches by time span rather than by names */
	int64		deadline_us;	/* smf_http_now() at which the call is abandoned */
	int			n;				/* jobs that it asks for */
	JobEntry   *entries[SMF_SEARCH_JOBS_MAX];	/* NULL: it has left the ring */
	uint32		hashes[SMF_SEARCH_JOBS_MAX];	/* of their names */
	int			nheld;			/* entries that have a record */
	JobEntry   *checked;		/* described as well, to be compared; or NULL */
	AttributeSet differing;		/* attributes that differed in the check */
	int			nempty;			/* checks that had nothing to compare */
} JobBatch;

/* The batches of a stream. */
typedef struct JobBatches
{
	JobFetcher *fetcher;		/* not ours */
	SearchTrust *trust;			/* the session's */
	bool		asking;			/* may Search be asked for more documents? */
	AttributeSet read;			/* attributes that the query reads, including tags */
	AttributeSet tags;			/* the bit for tags */
	AttributeSet distrusted;	/* attributes not to be taken from Search, when last looked
								 * up */
	int64		nheeded;		/* smf_trust_differences() at that time */
	int			size;			/* most jobs in a batch */
	JobBatch	batches[SMF_BATCHES];

	/* when few records are proved */
	int			npoor;			/* batches in a row with few proved records */
	int			resting;		/* batches still to be described instead */
	int			rest;			/* length of the next such pause */

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
