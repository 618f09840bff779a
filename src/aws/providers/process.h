/*-------------------------------------------------------------------------
 *
 * process.h
 *		Programs that print credentials, for code that must know whether one is
 *		running.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_PROCESS_H
#define SMF_PROCESS_H

/* Setting sagemaker_fdw.allow_credential_process. */
extern bool smf_allow_credential_process;

extern bool smf_process_runs(void);

#endif							/* SMF_PROCESS_H */
