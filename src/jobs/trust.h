/*-------------------------------------------------------------------------
 *
 * trust.h
 *		Whether Search may be asked for documents, and which attributes may be taken
 *		from it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_TRUST_H
#define SMF_TRUST_H

#include "aws/call.h"
#include "jobs/proof.h"

/* What a session knows about Search with one server's credentials in one region. */
typedef struct SearchTrust SearchTrust;

extern void smf_trust_reserve(void);
extern SearchTrust *smf_trust_find(AwsClient *client);

extern bool smf_trust_may_ask(const SearchTrust *trust);
extern void smf_trust_refused(SearchTrust *trust, AwsClient *client, const AwsCall *call);

extern bool smf_trust_by_span(const SearchTrust *trust);
extern bool smf_trust_try_span(SearchTrust *trust);

extern bool smf_trust_check_due(SearchTrust *trust);
extern double smf_trust_checks(double nsearches);
extern AttributeSet smf_trust_distrusted(const SearchTrust *trust);
extern void smf_trust_heard(SearchTrust *trust, const AwsClient *client, AttributeSet attributes);
extern void smf_trust_distrust(SearchTrust *trust, const AwsClient *client, AttributeSet attributes);
extern void smf_trust_count_rows(SearchTrust *trust, AttributeSet attributes, int64 nrows);

extern int64 smf_trust_differences(void);

#endif							/* SMF_TRUST_H */
