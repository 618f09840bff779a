/*-------------------------------------------------------------------------
 *
 * lookups.h
 *		The jobs that a stream is told to look up, by name or by ARN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_LOOKUPS_H
#define SMF_LOOKUPS_H

#include "jobs/entry.h"

typedef struct JobLookups JobLookups;

extern JobLookups *smf_lookups_begin(AwsClient *client, const JobStreamSpec *spec);
extern void smf_lookups_end(JobLookups *lookups);

extern const WantedJob *smf_lookups_next(JobLookups *lookups, const CachedJob **cached);
extern bool smf_lookups_duplicate(const JobLookups *lookups, const WantedJob *wanted, const Job *job);
extern void smf_lookups_remember(JobLookups *lookups, const JobEntry *entry, const Job *job);

extern void smf_lookups_find_arn(JobLookups *lookups, JobEntry *entry);
extern void smf_lookups_advance(JobLookups *lookups);
extern int64 smf_lookups_listed(const JobLookups *lookups);

#endif							/* SMF_LOOKUPS_H */
