/*-------------------------------------------------------------------------
 *
 * role.h
 *		The role that a query's calls are made for, and the client that makes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ROLE_H
#define SMF_ROLE_H

#include "aws/client.h"
#include "nodes/execnodes.h"
#include "option.h"

/* Setting sagemaker_fdw.max_calls. */
extern int	smf_max_calls;

extern AwsClient *smf_role_client(SmfSettings *settings, Oid userid);
extern AwsClient *smf_role_probe(SmfSettings *settings, Oid userid);
extern AwsClient *smf_role_price_client(const SmfSettings *settings, const char *region, Oid userid,
										bool may_be_unusable);
extern char *smf_role_endpoint(const SmfSettings *settings, Oid userid);
extern Oid	smf_role_of_scan(ForeignScanState *node);
extern bool smf_server_is_ours(Oid serverid);
extern ForeignServer *smf_role_server(const char *server_name, Oid userid);

#endif							/* SMF_ROLE_H */
