/*-------------------------------------------------------------------------
 *
 * request.h
 *		What a scan requests from the service: its conditions with their current
 *		values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_REQUEST_H
#define SMF_REQUEST_H

#include "fdw/pushdown.h"
#include "nodes/execnodes.h"

typedef struct ScanRequest ScanRequest;

extern ScanRequest *smf_request_create(List *conditions, JobSource source,
									   const SmfSettings *settings, PlanState *parent);
extern bool smf_request_evaluate(ScanRequest *request, ExprContext *econtext,
								 JobStreamSpec *spec);

#endif							/* SMF_REQUEST_H */
