/*-------------------------------------------------------------------------
 *
 * trust.c
 *		Whether Search may be asked for documents, and which attributes it is
 *		believed.
 *
 * What Search returns of an attribute is compared with Describe's answer from time to
 * time (batch.c).  An attribute that differs is not taken from Search for a day, by no
 * session, where sessions share memory.  That Search is denied, or does not answer such
 * a question, each session finds out for itself, and forgets with the credentials.
 *
 * Whose trust it is follows from whose answers they are: a server's, with a role's
 * credentials, in a region.
 *
 * Not accounted for: a server's endpoint_url that is altered keeps what was found of the
 * former one, which costs calls at most.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "aws/shared_table.h"
#include "http/http.h"
#include "jobs/operation.h"
#include "jobs/trust.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

/* How long an attribute that differs is not taken from Search. */
#define DISTRUST_US INT64CONST(86400000000)

/* How long Search is not asked that was refused. */
#define REFUSED_US INT64CONST(900000000)

/* Searches of a session that are all checked, and how many there are between two checks in the end. */
#define CHECKED_AT_FIRST 20
#define CHECK_DISTANCE_MAX 16

struct SearchTrust
{
	dlist_node	node;			/* in the list of all */
	SharedKey	key;			/* of the Searches */
	bool		attached;		/* is the shared table? */

	/* as long as the credentials are the same */
	uint64		session_number; /* theirs: smf_client_session_number */
	int64		refused_us;		/* when Search was refused last, smf_http_now(); 0: never */
	bool		by_span;		/* is Search asked for a span of time, since it does not
								 * take names? */

	/* as long as the session */
	bool		noticed;		/* the user was told that it is refused */
	bool		warned;			/* the user was told of rows that may be wrong */
	int64		nsearches;		/* that were asked for documents */
	int64		next_check;		/* the number of the next one that is checked */
	int64		check_distance; /* Searches from that to the one after */
	int64		nrows[64];		/* rows that have left, by attribute that was read from
								 * Search for them */
};

/* What sessions share, by the key of the Searches. */
typedef struct TrustPayload
{
	int64		until_us[64];	/* by attribute: when it is trusted again, smf_http_now() */
} TrustPayload;

/* Of all servers, regions and roles that the session has asked Search for; never freed. */
static dlist_head trusts = DLIST_STATIC_INIT(trusts);

/* How often it was found, or heard, since the process began that Search differs. */
static int64 ndifferences = 0;

static void
init_trust(void *payload)
{
	memset(payload, 0, sizeof(TrustPayload));
}

static SharedTable distrusted = {
	.part.name = "sagemaker_fdw trust 1",
	.payload_size = sizeof(TrustPayload),
	.init_payload = init_trust
};

/* Ask for the memory when the library is loaded. */
void
smf_trust_reserve(void)
{
	smf_shared_table_reserve(&distrusted);
}

/*
 * smf_trust_find
 *		What the session knows of Search with the client's credentials; it lives as long
 *		as the session.
 */
SearchTrust *
smf_trust_find(AwsClient *client)
{
	SearchTrust *trust = NULL;
	SharedKey	key;
	dlist_iter	iter;

	/* Find what is known of these Searches, or begin to know. */
	smf_shared_table_attach(&distrusted);
	smf_client_key(client, smf_operation_name(SMF_OP_SEARCH), &key);
	dlist_foreach(iter, &trusts)
	{
		SearchTrust *other = dlist_container(SearchTrust, node, iter.cur);

		if (memcmp(&other->key, &key, sizeof(SharedKey)) == 0)
			trust = other;
	}
	if (trust == NULL)
	{
		trust = MemoryContextAllocZero(TopMemoryContext, sizeof(SearchTrust));
		trust->key = key;
		trust->next_check = 1;
		trust->check_distance = 1;
		dlist_push_tail(&trusts, &trust->node);
	}

	/* With other credentials it may be allowed, or be another service. */
	if (trust->session_number != smf_client_session_number(client))
	{
		trust->session_number = smf_client_session_number(client);
		trust->refused_us = 0;
		trust->by_span = false;
	}
	return trust;
}

/* ----- may it be asked? ----- */

/* May Search be asked now?  Not for a while after it was refused. */
bool
smf_trust_may_ask(const SearchTrust *trust)
{
	return trust->refused_us == 0 || smf_http_now() - trust->refused_us >= REFUSED_US;
}

/*
 * smf_trust_refused
 *		Search is denied, or does not take the question: do not ask again for a while, and
 *		tell the user, once a session.
 */
void
smf_trust_refused(SearchTrust *trust, AwsClient *client, const AwsCall *call)
{
	bool		denied = smf_call_denied(call);

	trust->refused_us = smf_http_now();
	if (denied)
		smf_client_limit_hint(client, "AWS denies Search, which needs a hundredth of the calls: allow sagemaker:Search in the IAM policy. Or bound creation_time, read fewer columns, keep the jobs in a table with sagemaker_fdw_refresh, or raise sagemaker_fdw.max_calls.");
	if (trust->noticed)
		return;
	trust->noticed = true;
	if (denied)
		ereport(NOTICE,
				(errmsg("AWS denies Search to the credentials for server \"%s\"; each job is described instead",
						smf_client_server_name(client)),
				 errhint("Allow sagemaker:Search in the IAM policy.")));
	else
		ereport(NOTICE,
				(errmsg("Search of server \"%s\" does not find jobs by name; each job is described instead",
						smf_client_server_name(client)),
				 smf_call_errdetail(call, NULL)));
}

/* Is Search to be asked for a span of time, rather than by names? */
bool
smf_trust_by_span(const SearchTrust *trust)
{
	return trust->by_span;
}

/* Search does not take names: is it to be asked for a span of time instead?  Once. */
bool
smf_trust_try_span(SearchTrust *trust)
{
	bool		tried = trust->by_span;

	trust->by_span = true;
	return !tried;
}

/* ----- is it to be believed? ----- */

/*
 * smf_trust_check_due
 *		Another Search is asked for documents: is one of them to be checked?
 *
 * One of each of the first; then the distance doubles, up to a bound.
 */
bool
smf_trust_check_due(SearchTrust *trust)
{
	trust->nsearches++;
	if (trust->nsearches < trust->next_check)
		return false;
	if (trust->nsearches >= CHECKED_AT_FIRST)
		trust->check_distance = Min(2 * trust->check_distance, CHECK_DISTANCE_MAX);
	trust->next_check = trust->nsearches + trust->check_distance;
	return true;
}

/* How many checks so many Searches have, from a session's first one on. */
double
smf_trust_checks(double nsearches)
{
	int64		next = CHECKED_AT_FIRST;
	int64		distance = 1;
	double		nchecks = CHECKED_AT_FIRST;

	if (nsearches <= CHECKED_AT_FIRST)
		return nsearches;
	while (distance < CHECK_DISTANCE_MAX)
	{
		distance *= 2;
		next += distance;
		if (nsearches < next)
			return nchecks;
		nchecks++;
	}
	return nchecks + (int64) ((nsearches - next) / CHECK_DISTANCE_MAX);
}

/* The attributes that are not taken from Search now. */
AttributeSet
smf_trust_distrusted(const SearchTrust *trust)
{
	AttributeSet attributes = 0;
	int64		now_us = smf_http_now();
	TrustPayload *payload = smf_shared_table_lock(&distrusted, &trust->key);

	for (int i = 0; i < smf_nattributes; i++)
	{
		if (payload->until_us[i] > now_us)
			attributes |= smf_attribute_bit(&smf_attributes[i]);
	}
	smf_shared_table_unlock(&distrusted);
	return attributes;
}

/* The names of attributes, for a message; *nrows is how many rows have left that read one of them. */
static char *
name_attributes(const SearchTrust *trust, AttributeSet attributes, int64 *nrows)
{
	StringInfoData names;

	initStringInfo(&names);
	*nrows = 0;
	for (int i = 0; i < smf_nattributes; i++)
	{
		if ((attributes & smf_attribute_bit(&smf_attributes[i])) == 0)
			continue;
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", smf_attributes[i].api_name);
		*nrows = Max(*nrows, trust->nrows[i]);
	}
	return names.data;
}

/* Warn the user, once a session, where rows have left that read one of the attributes; true if any have. */
static bool
warn_of_rows(SearchTrust *trust, const AwsClient *client, AttributeSet attributes)
{
	int64		nrows;
	char	   *names = name_attributes(trust, attributes, &nrows);

	if (nrows > 0 && !trust->warned)
	{
		trust->warned = true;
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("Search on server \"%s\" differs from DescribeTrainingJob in %s",
						smf_client_server_name(client), names),
				 errdetail(INT64_FORMAT " rows of this session were read from Search before that was found.", nrows),
				 errhint("From now on jobs are described where a query reads that. Repeat what has read it before; sagemaker_fdw_check_search compares all attributes.")));
	}
	pfree(names);
	return nrows > 0;
}

/*
 * smf_trust_distrust
 *		Search was found to differ from Describe in the attributes: they are not taken
 *		from it for a day.
 *
 * Where rows have left before that was known the user is warned, once a session.
 */
void
smf_trust_distrust(SearchTrust *trust, const AwsClient *client, AttributeSet attributes)
{
	int64		until_us = smf_http_now() + DISTRUST_US;
	TrustPayload *payload = smf_shared_table_lock(&distrusted, &trust->key);

	for (int i = 0; i < smf_nattributes; i++)
	{
		if (attributes & smf_attribute_bit(&smf_attributes[i]))
			payload->until_us[i] = until_us;
	}
	smf_shared_table_unlock(&distrusted);
	ndifferences++;
	(void) warn_of_rows(trust, client, attributes);
}

/*
 * smf_trust_heard
 *		Somebody else has found that Search differs in the attributes, while a scan reads them.
 *
 * Where rows have left before, that counts as if this session had found it.
 */
void
smf_trust_heard(SearchTrust *trust, const AwsClient *client, AttributeSet attributes)
{
	ndifferences += warn_of_rows(trust, client, attributes);
}

/* Rows have left for which the attributes were read from Search. */
void
smf_trust_count_rows(SearchTrust *trust, AttributeSet attributes, int64 nrows)
{
	for (int i = 0; nrows > 0 && i < smf_nattributes; i++)
	{
		if (attributes & smf_attribute_bit(&smf_attributes[i]))
			trust->nrows[i] += nrows;
	}
}

/* How often Search was found to differ since the process began, whatever the server. */
int64
smf_trust_differences(void)
{
	return ndifferences;
}
