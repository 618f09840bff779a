/*-------------------------------------------------------------------------
 *
 * stream.h
 *		Training jobs, one after another, with many calls in flight.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_STREAM_H
#define SMF_STREAM_H

#include "aws/client.h"
#include "jobs/operation.h"
#include "utils/jsonb.h"

/* Which jobs a stream yields, and what it fetches of each. */
typedef struct JobStreamSpec
{
	bool		by_name;		/* the jobs of "names", instead of all */
	List	   *names;			/* of char *: possible names, each once */
	bool		want_document;	/* Describe each job */
	bool		want_tags;		/* list each job's tags */
	const char *label;			/* what is read, for progress notices */
	int			fetch_size;		/* summaries in a page */
	int			max_concurrency;	/* calls in flight */
	int64		bound;			/* jobs that will be read, if none is gone; 0:
								 * not known.  Nothing beyond it is fetched
								 * before it is asked for */
	bool		ramp;			/* maybe few jobs are read: fetch few at first */
	int64		notice_us;		/* time between progress notices; 0: none */
	int64	   *attempts;		/* requests sent, by JobOperation; counted up */
} JobStreamSpec;

/* One job.  What was not asked for, or has no answer, is NULL. */
typedef struct Job
{
	const char *name;			/* as listed, or as asked for */
	Jsonb	   *summary;		/* its entry in a page of ListTrainingJobs */
	Jsonb	   *document;		/* what Describe returned */
	Jsonb	   *tags;			/* an object: key to value */
} Job;

typedef struct JobStream JobStream;

extern JobStream *smf_stream_begin(AwsClient *client, const JobStreamSpec *spec);
extern bool smf_stream_next(JobStream *stream, Job *job);
extern void smf_stream_end(JobStream *stream);

extern bool smf_job_not_found(const AwsError *error);

#endif							/* SMF_STREAM_H */
