/*-------------------------------------------------------------------------
 *
 * session.h
 *		What a database session keeps for access to an AWS account.
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

/* A call that waits for credentials, embedded in it.  A zeroed one is valid and idle. */
typedef struct CredentialWait
{
	dlist_node	node;			/* in the session's list while waiting */
	bool		waiting;
	void		(*go) (struct CredentialWait *wait);	/* there are some; under HttpDone's rules */
} CredentialWait;

/*
 * Kept for one foreign server, user mapping and role; scans share it.  It is malloc'ed,
 * and lives until it is stale and its last user has released it.
 */
typedef struct AwsSession
{
	/* the key */
	Oid			serverid;
	Oid			mappingid;		/* the role's own mapping, or PUBLIC's */
	Oid			userid;			/* the role that calls are made for */

	/* bookkeeping */
	dlist_node	node;			/* in the list of all */
	uint64		number;			/* counts all sessions of this process, from 1 on */
	int			users;			/* number of references held */
	bool		stale;			/* server or mapping changed: no new users */

	/* credentials */
	CredentialConfig config;	/* where they come from */
	AwsCredentials credentials; /* what calls are signed with; none before the first */
	int			generation;		/* incremented with each new set of credentials */
	ExpiryPlan	plan;			/* when to replace them */
	bool		refused;		/* the service no longer accepts them */
	bool		doubted;		/* it refused them, but their source provides no others: the
								 * next user asks again */
	CredentialInquiry *asking;	/* the inquiry to their source, or its failure; NULL: none */
	double		asking_since_s; /* smf_http_now() when that began, in seconds */
	bool		left_alone;		/* nobody moved it on for a while, which may make it fail */
	dlist_head	waiting;		/* CredentialWait: the calls that wait for them */
	HttpTimer	patience;		/* armed while they wait although the service may accept the
								 * old ones */

	/* what else is kept */
	char	   *region;			/* from the server's own configuration, malloc'ed; NULL: not
								 * set, or not to be used */
	char	   *endpoint_url;	/* the same, for SageMaker */
	char		account[SMF_ACCOUNT_LEN + 1];	/* that the service's answers came from, if
												 * one was expected; empty: not known */
	SigV4KeyCache key_cache;	/* the derived signing key */
	dlist_head	pacers;			/* AwsPacer, one for each region and operation */
	int64		clock_offset_s; /* the service's clock minus ours, seconds */
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
