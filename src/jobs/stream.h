/*-------------------------------------------------------------------------
 *
 * stream.h
 *		Training jobs, one after another, with many calls in flight.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_STREAM_H
#define SMF_STREAM_H

#include "jobs/job.h"

/* The result of smf_stream_next. */
typedef enum JobStreamResult
{
	SMF_STREAM_END,				/* there are no more jobs */
	SMF_STREAM_JOB,				/* a job */
	SMF_STREAM_WAIT,			/* not known yet: only from smf_stream_try_next */
	SMF_STREAM_DENIED,			/* may_refuse: the operation is denied */
	SMF_STREAM_UNKNOWN			/* may_refuse: the thing whose jobs are listed does not
								 * exist */
} JobStreamResult;

typedef struct JobStream JobStream;

extern JobStream *smf_stream_begin(AwsClient *client, const JobStreamSpec *spec);
extern void smf_stream_start(JobStream *stream);
extern JobStreamResult smf_stream_next(JobStream *stream, Job *job);
extern JobStreamResult smf_stream_try_next(JobStream *stream, Job *job);
extern void smf_stream_end(JobStream *stream);

extern bool smf_stream_tags_denied(const JobStream *stream);

#endif							/* SMF_STREAM_H */
