/*-------------------------------------------------------------------------
 *
 * job_name.h
 *		The format of job names and ARNs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_JOB_NAME_H
#define SMF_JOB_NAME_H

extern bool smf_training_job_name_valid(const char *name);
extern char *smf_training_job_arn_name(const char *arn, const char *region, const char *account_id);
extern char *smf_tuning_job_arn_name(const char *arn, const char *region, const char *account_id);
extern bool smf_same_account_arn(const char *arn, const char *other);

#endif							/* SMF_JOB_NAME_H */
