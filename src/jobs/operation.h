/*-------------------------------------------------------------------------
 *
 * operation.h
 *		The service's operations: what is asked, and what an answer must hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_OPERATION_H
#define SMF_OPERATION_H

#include "utils/jsonb.h"

typedef enum JobOperation
{
	SMF_OP_LIST_TRAINING_JOBS,
	SMF_OP_DESCRIBE_TRAINING_JOB,
	SMF_OP_LIST_TAGS
} JobOperation;

#define SMF_JOB_OPERATIONS (SMF_OP_LIST_TAGS + 1)

/* Largest page that the service gives. */
#define SMF_PAGE_SIZE_MAX 100

extern const char *smf_operation_name(JobOperation operation);

extern char *smf_list_training_jobs_request(int max_results, const char *created_before,
											const char *next_token);
extern char *smf_describe_training_job_request(const char *training_job_name);
extern char *smf_list_tags_request(const char *resource_arn, const char *next_token);

extern bool smf_training_job_name_valid(const char *name);

#endif							/* SMF_OPERATION_H */
