/*-------------------------------------------------------------------------
 *
 * process.h
 *		Programs that print credentials, for those who must know that they run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROCESS_H
#define SMF_PROCESS_H

/* Setting sagemaker_fdw.allow_credential_process. */
extern bool smf_allow_credential_process;

extern bool smf_process_runs(void);

#endif							/* SMF_PROCESS_H */
