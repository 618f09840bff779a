/*-------------------------------------------------------------------------
 *
 * access.h
 *		Which role a query's calls are made for, and the client that makes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ACCESS_H
#define SMF_ACCESS_H

#include "aws/client.h"
#include "nodes/execnodes.h"
#include "option.h"

/* Setting sagemaker_fdw.max_calls. */
extern int	smf_max_calls;

extern AwsClient *smf_access_client(SmfSettings *settings, Oid userid);
extern AwsClient *smf_access_probe(SmfSettings *settings, Oid userid);
extern char *smf_access_endpoint(const SmfSettings *settings, Oid userid);
extern Oid	smf_access_role(ForeignScanState *node);
extern ForeignServer *smf_access_server(const char *server_name, Oid userid);

#endif							/* SMF_ACCESS_H */
