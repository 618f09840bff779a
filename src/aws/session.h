/*-------------------------------------------------------------------------
 *
 * session.h
 *		What a database session keeps of an AWS account's way in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SESSION_H
#define SMF_SESSION_H

#include "aws/credential_inquiry.h"
#include "aws/sigv4.h"
#include "foreign/foreign.h"
#include "http/http.h"
#include "lib/ilist.h"

/*
 * A call that waits for credentials, embedded in it.  Zeroed is a valid, idle one.
 */
typedef struct CredentialWait
{
	dlist_node	node;			/* in the session's list while waiting */
	bool		waiting;
	void		(*go) (struct CredentialWait *wait);	/* there are some; under HttpDone's rules */
} CredentialWait;

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
	uint64		number;			/* of all sessions that the process has had, from 1 on */
	int			users;			/* who hold a reference */
	bool		stale;			/* server or mapping changed: no new users */

	/* credentials */
	CredentialConfig config;	/* where they come from */
	AwsCredentials credentials; /* what calls are signed with; none before the first */
	int			generation;		/* counts the credentials that there were */
	ExpiryPlan	plan;			/* when they are replaced */
	bool		refused;		/* the service takes them no more */
	bool		doubted;		/* it did not, and their source gives no others: who comes
								 * next asks again */
	CredentialInquiry *asking;	/* their source, or how that has failed; NULL: nobody asks */
	double		asking_since_s; /* smf_http_now() when that began, in seconds */
	bool		left_alone;		/* nobody moved that on for a while: it may fail for it */
	dlist_head	waiting;		/* CredentialWait: who waits for them */
	HttpTimer	patience;		/* armed while they wait though the service may take the old */

	/* what else is kept */
	char	   *region;			/* of the server's own configuration, malloc'ed; NULL:
								 * it says nothing, or may not be used */
	char	   *endpoint_url;	/* the same, of SageMaker */
	char		account[SMF_ACCOUNT_LEN + 1];	/* of what the service has answered with,
											 * where one was meant; empty: not known */
	SigV4KeyCache key_cache;	/* the derived signing key */
	dlist_head	pacers;			/* AwsPacer, one for each region and operation */
	int64		clock_offset_s; /* the service's clock less ours, seconds */
} AwsSession;

extern AwsSession *smf_session_acquire(const ForeignServer *server, Oid userid);
extern void smf_session_settings(const ForeignServer *server, Oid userid,
								 AmbientSettings *settings);
extern void smf_session_release(AwsSession *session);
extern void smf_session_forget(Oid serverid);
extern double smf_session_rate(Oid serverid, Oid userid, const char *region,
							   const char *operation);

extern bool smf_session_ready(const AwsSession *session);
extern void smf_session_ask(AwsSession *session, const CredentialNetwork *network);
extern void smf_session_check(AwsSession *session);
extern void smf_session_refuse(AwsSession *session);
extern void smf_session_enter(AwsSession *session, CredentialWait *wait);
extern void smf_session_leave(CredentialWait *wait);

#endif							/* SMF_SESSION_H */
