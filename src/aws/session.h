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
	AwsCredentials credentials;
	SigV4KeyCache key_cache;	/* the derived signing key */
	dlist_head	pacers;			/* AwsPacer, one for each region and operation */
	int64		clock_offset_s; /* the service's clock less ours, seconds */
} AwsSession;

extern AwsSession *smf_session_acquire(const ForeignServer *server, Oid userid);
extern void smf_session_release(AwsSession *session);
extern void smf_session_forget(Oid serverid);

#endif							/* SMF_SESSION_H */
