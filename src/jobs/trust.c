/*-------------------------------------------------------------------------
 *
 * trust.c
 *		Whether Search may be asked for documents, and which attributes may be taken
 *		from it.
 *
 * Attributes from Search are compared with Describe's answer from time to time (batch.c).
 * An attribute that differs is not taken from Search for a day.  This applies to all
 * sessions, if they share memory.  Each session finds out for itself whether Search is
 * denied, or does not accept such a request, and forgets that when the credentials
 * change.
 *
 * Trust is kept per server, role and region, because these determine where the answers
 * come from.
 *
 * Not accounted for: if a server's endpoint_url is changed, the findings about the old
 * one are kept, which at worst costs calls.
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

/* How long Search is not asked after it was refused. */
#define REFUSED_US INT64CONST(900000000)

/*
 * The first CHECKED_AT_FIRST Searches of a session are all checked; after that the
 * distance between checks grows up to CHECK_DISTANCE_MAX Searches.
 */
#define CHECKED_AT_FIRST 20
#define CHECK_DISTANCE_MAX 16

struct SearchTrust
{
	dlist_node	node;			/* in the list of all */
	SharedKey	key;			/* of the Searches */
	bool		attached;		/* unused */

	/* as long as the credentials stay the same */
	uint64		session_number; /* identifies them: smf_client_session_number */
	int64		refused_us;		/* smf_http_now() when Search was last refused; 0: never */
	bool		by_span;		/* search by time span, because names are not accepted? */

	/* as long as the session */
	bool		noticed;		/* the user was told that Search is refused */
	bool		warned;			/* the user was told of rows that may be wrong */
	int64		nsearches;		/* Searches for documents */
	int64		next_check;		/* number of the next Search to check */
	int64		check_distance; /* Searches between that one and the next */
	int64		nrows[64];		/* rows that have left, by attribute that was read from Search
								 * for them */
};

/* What sessions share, by the key for Search. */
typedef struct TrustPayload
{
	int64		until_us[64];	/* by attribute: smf_http_now() when it may be used again */
} TrustPayload;

/* One for each server, region and role that the session has used Search with; never freed. */
static dlist_head trusts = DLIST_STATIC_INIT(trusts);

/* How often this process has found, or heard, that Search differs. */
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

/* Request the shared memory when the library is loaded. */
void
smf_trust_reserve(void)
{
	smf_shared_table_reserve(&distrusted);
}

/*
 * smf_trust_find
 *		What the session knows about Search with the client's credentials; lives as
 *		long as the session.
 */
SearchTrust *
smf_trust_find(AwsClient *client)
{
	SearchTrust *trust = NULL;
	SharedKey	key;
	dlist_iter	iter;

	/* Find the entry for these Searches, or create it. */
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

	/* With other credentials Search may be allowed, or belong to another service. */
	if (trust->session_number != smf_client_session_number(client))
	{
		trust->session_number = smf_client_session_number(client);
		trust->refused_us = 0;
		trust->by_span = false;
	}
	return trust;
}

/* ----- may Search be asked? ----- */

/* May Search be asked now?  After it was refused, not for a while. */
bool
smf_trust_may_ask(const SearchTrust *trust)
{
	return trust->refused_us == 0 || smf_http_now() - trust->refused_us >= REFUSED_US;
}

/*
 * smf_trust_refused
 *		Search is denied, or does not accept the request: do not ask again for a while,
 *		and tell the user, once per session.
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

/* Should Search be asked by time span, rather than by names? */
bool
smf_trust_by_span(const SearchTrust *trust)
{
	return trust->by_span;
}

/* Search does not accept names: switch to time spans.  False if that was done before. */
bool
smf_trust_try_span(SearchTrust *trust)
{
	bool		tried = trust->by_span;

	trust->by_span = true;
	return !tried;
}

/* ----- can it be trusted? ----- */

/*
 * smf_trust_check_due
 *		Another Search for documents is being made: should one of its jobs be checked?
 *
 * The first Searches are all checked; then the distance doubles, up to a limit.
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

/* How many checks this many Searches lead to, counted from a session's first one. */
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

/* The attributes that must not be taken from Search now. */
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

/*
 * The names of attributes, for a message; *nrows is the number of rows that have left and
 * read one of them.
 */
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

/*
 * If rows that read one of the attributes have left, warn the user, once per session;
 * true if any have.
 */
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
 *		Search was found to differ from Describe in the attributes: do not take them
 *		from it for a day.
 *
 * If rows have left before that, the user is warned, once per session.
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
 *		Another scan found that Search differs in the attributes, which this one reads.
 *
 * If rows have left before that, it counts as if this session had found it.
 */
void
smf_trust_heard(SearchTrust *trust, const AwsClient *client, AttributeSet attributes)
{
	ndifferences += warn_of_rows(trust, client, attributes);
}

/* Count rows that have left with the attributes read from Search. */
void
smf_trust_count_rows(SearchTrust *trust, AttributeSet attributes, int64 nrows)
{
	for (int i = 0; nrows > 0 && i < smf_nattributes; i++)
	{
		if (attributes & smf_attribute_bit(&smf_attributes[i]))
			trust->nrows[i] += nrows;
	}
}

/* How often this process has found that Search differs, on any server. */
int64
smf_trust_differences(void)
{
	return ndifferences;
}
