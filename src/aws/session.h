/*-------------------------------------------------------------------------
 *
 * session.h
 *		What a database session keeps of an AWS account's way in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SESSION_H
#define SMF_SESSION_H

#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"

/*
 * Kept for one foreign server, user mapping and role; scans share it.  It lives
 * in malloc'ed memory until its last user lets go of it after it went stale.
 */
typedef struct AwsSession
{
	/* the key */
	Oid			serverid;
	Oid			mappingid;		/* the role's own mapping, or PUBLIC's */
	Oid			userid;			/* the role that calls are made for */

	/* bookkeeping */
	dlist_node	node;			/* in the list of all */
	int			users;			/* who hold a reference */
	bool		stale;			/* server or mapping changed: no new users */

	/* what is kept */
	CredentialConfig config;	/* where credentials come from */
	AwsCredentials credentials;
	int			generation;		/* counts the credentials that there were */
	bool		refused;		/* the service says that they have expired */
	int64		retry_at_s;		/* when they could not be replaced: not before */
	char	   *region;			/* of the server's own configuration, malloc'ed; NULL:
								 * it says nothing, or may not be used */
	char	   *endpoint_url;	/* the same, of SageMaker */
	SigV4KeyCache key_cache;	/* the derived signing key */
	dlist_head	pacers;			/* AwsPacer, one for each region and operation */
	int64		clock_offset_s; /* the service's clock less ours, seconds */
} AwsSession;

/* How a session's services are reached; strings are the caller's. */
typedef struct SessionNetwork
{
	const char *region;			/* of the calls; NULL: not given */
	bool		use_fips_endpoint;
	const char *ca_bundle;
	const char *proxy_url;
	int			connect_timeout_ms;
	int			read_timeout_ms;
} SessionNetwork;

extern AwsSession *smf_session_acquire(const ForeignServer *server, Oid userid,
									   const SessionNetwork *network);
extern void smf_session_settings(const ForeignServer *server, Oid userid,
								 AmbientSettings *settings);
extern void smf_session_refresh(AwsSession *session);
extern void smf_session_release(AwsSession *session);
extern void smf_session_forget(Oid serverid);

#endif							/* SMF_SESSION_H */
