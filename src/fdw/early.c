/*-------------------------------------------------------------------------
 *
 * early.c
 *		Conditions that are decided before all of a job is fetched.
 *
 * Each condition is decided in the first tier in which all of its columns are
 * known: before any call (the region), on the summary, with the tags, on the
 * document.  A job that fails costs no further call.
 *
 * Postgres checks conditions again on the row, which may be newer than the summary;
 * but not those with a sub-plan, which may be dear: they are left to this file, and
 * decided again only when the job has changed in between.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "fdw/early.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/rel.h"

/* Conditions of one tier. */
typedef struct TierChecks
{
	ExprState  *qual;			/* all of them; NULL: none */
	Bitmapset  *columns;		/* attribute numbers that they read */
	ExprState  *subplans;		/* those with a sub-plan; NULL: none */
	Bitmapset  *subplan_columns;
} TierChecks;

struct EarlyChecks
{
	RowReader  *reader;			/* of the scan */
	TupleTableSlot *slot;		/* what is known of a job */
	ExprContext *econtext;		/* reset for each job */
	ExprState  *settings;		/* conditions on what is known before any call */
	Bitmapset  *settings_columns;
	TierChecks	tiers[SMF_TIER_COMPLETE];
	ExprState  *rest;			/* with a sub-plan, decided on the whole row */
};

/*
 * The table's columns that the clause reads, as attribute numbers; system columns
 * and the whole row are left out, and *plain is whether there were none of these.
 */
static Bitmapset *
columns_of(Node *clause, Index varno, bool *plain)
{
	Bitmapset  *used = NULL;
	Bitmapset  *columns = NULL;
	int			member = -1;

	*plain = true;
	pull_varattnos(clause, varno, &used);
	while ((member = bms_next_member(used, member)) >= 0)
	{
		int			attnum = member + FirstLowInvalidHeapAttributeNumber;

		if (attnum > 0)
			columns = bms_add_member(columns, attnum);
		else
			*plain = false;
	}
	return columns;
}

/*
 * smf_early_reads_columns
 *		Does the clause read columns of the table, and of it nothing else?
 */
bool
smf_early_reads_columns(Node *clause, Index varno)
{
	bool		plain;
	Bitmapset  *columns = columns_of(clause, varno, &plain);

	return plain && !bms_is_empty(columns);
}

/* Of a clause that may be decided early, the columns. */
static Bitmapset *
early_columns(Node *clause, Index varno)
{
	bool		plain;

	return columns_of(clause, varno, &plain);
}

/* Are the clause's columns known when the source names a job, its tags aside? */
static bool
known_but_for(Node *clause, const SmfColumn *columns, Index varno, JobSource source, bool tags)
{
	Bitmapset  *used = early_columns(clause, varno);
	int			attnum = -1;

	while ((attnum = bms_next_member(used, attnum)) >= 0)
	{
		const SmfColumn *column = &columns[attnum - 1];

		if (!smf_column_known(column, source) && !(tags && smf_column_is_tags(column)))
			return false;
	}
	return true;
}

/*
 * smf_early_known
 *		Can the clause be decided as soon as the source names a job?
 */
bool
smf_early_known(Node *clause, const SmfColumn *columns, Index varno, JobSource source)
{
	return source != SMF_FROM_NAMES && known_but_for(clause, columns, varno, source, false);
}

/*
 * smf_early_tagged
 *		Can it be decided then, once the tags are there, too, and not before?
 */
bool
smf_early_tagged(Node *clause, const SmfColumn *columns, Index varno, JobSource source)
{
	return source != SMF_FROM_NAMES && known_but_for(clause, columns, varno, source, true) &&
		!known_but_for(clause, columns, varno, source, false);
}

/* Is all that the clause reads known before any call? */
static bool
known_from_settings(Node *clause, const SmfColumn *columns, Index varno)
{
	return known_but_for(clause, columns, varno, SMF_FROM_NAMES, false);
}

static bool
reads_tags(Node *clause, const SmfColumn *columns, Index varno)
{
	Bitmapset  *used = early_columns(clause, varno);
	int			attnum = -1;

	while ((attnum = bms_next_member(used, attnum)) >= 0)
	{
		if (smf_column_is_tags(&columns[attnum - 1]))
			return true;
	}
	return false;
}

/* The stream asks whether a job is still wanted. */
static bool
check_job(void *arg, const Job *job, JobTier tier)
{
	EarlyChecks *checks = arg;
	TupleTableSlot *slot = checks->slot;
	ExprContext *econtext = checks->econtext;
	MemoryContext old;

	ResetExprContext(econtext);
	ExecClearTuple(slot);
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	smf_row_read(checks->reader, job, checks->tiers[tier].columns, slot->tts_values,
				 slot->tts_isnull);
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
	econtext->ecxt_scantuple = slot;
	return ExecQual(checks->tiers[tier].qual, econtext);
}

/* When the clause is decided. */
typedef enum DecidedAt
{
	DECIDED_AT_START,			/* before any call */
	DECIDED_LISTED,				/* as soon as a job is named */
	DECIDED_TAGGED,				/* with its tags, before its document */
	DECIDED_DESCRIBED,			/* on its document, before its tags */
	DECIDED_COMPLETE			/* on the whole row */
} DecidedAt;

static DecidedAt
decided_at(Node *clause, const SmfColumn *columns, Index varno, JobSource source,
		   bool tags_first, bool tags_last)
{
	if (known_from_settings(clause, columns, varno))
		return DECIDED_AT_START;
	if (smf_early_known(clause, columns, varno, source))
		return DECIDED_LISTED;
	if (tags_first && smf_early_tagged(clause, columns, varno, source))
		return DECIDED_TAGGED;
	if (tags_last && !reads_tags(clause, columns, varno))
		return DECIDED_DESCRIBED;
	return DECIDED_COMPLETE;
}

/* Are tags asked for before the document, since conditions on them may save it? */
static bool
tags_come_first(List *clauses, const SmfColumn *columns, Index varno, JobSource source,
				bool want_document, bool want_tags)
{
	ListCell   *lc;

	foreach(lc, clauses)
	{
		if (want_document && want_tags && smf_early_tagged(lfirst(lc), columns, varno, source))
			return true;
	}
	return false;
}

/*
 * smf_early_decided
 *		Of conditions that may be decided early, those that are, before the last
 *		call for a job.
 */
List *
smf_early_decided(List *clauses, const SmfColumn *columns, Index varno, JobSource source,
				  bool want_document, bool want_tags)
{
	bool		tags_first = tags_come_first(clauses, columns, varno, source,
											 want_document, want_tags);
	List	   *decided = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		DecidedAt	at = decided_at(lfirst(lc), columns, varno, source, tags_first,
									want_document && want_tags && !tags_first);
		bool		more = at == DECIDED_LISTED ? want_document || want_tags : at != DECIDED_COMPLETE;

		if (more)
			decided = lappend(decided, lfirst(lc));
	}
	return decided;
}

/*
 * smf_early_create
 *		Prepare the conditions, and say in the spec where the stream is to ask.
 *
 * The spec's source and what it wants are set.  Lives in the current memory context.
 */
EarlyChecks *
smf_early_create(List *clauses, const SmfColumn *columns, Index varno, RowReader *reader,
				 ForeignScanState *node, JobStreamSpec *spec)
{
	EarlyChecks *checks = palloc0(sizeof(EarlyChecks));
	List	   *settings = NIL;
	List	   *tiers[SMF_TIER_COMPLETE] = {NIL};
	List	   *rest = NIL;
	ListCell   *lc;

	spec->tags_first = tags_come_first(clauses, columns, varno, spec->source,
									   spec->want_document, spec->want_tags);
	foreach(lc, clauses)
	{
		Node	   *clause = lfirst(lc);

		switch (decided_at(clause, columns, varno, spec->source, spec->tags_first,
						   spec->want_document && spec->want_tags && !spec->tags_first))
		{
			case DECIDED_AT_START:
				settings = lappend(settings, clause);
				break;
			case DECIDED_LISTED:
				tiers[SMF_TIER_LISTED] = lappend(tiers[SMF_TIER_LISTED], clause);
				break;
			case DECIDED_TAGGED:
				tiers[SMF_TIER_TAGGED] = lappend(tiers[SMF_TIER_TAGGED], clause);
				break;
			case DECIDED_DESCRIBED:
				tiers[SMF_TIER_DESCRIBED] = lappend(tiers[SMF_TIER_DESCRIBED], clause);
				break;
			case DECIDED_COMPLETE:
				if (contain_subplans(clause))
					rest = lappend(rest, clause);
				break;
		}
	}

	checks->reader = reader;
	checks->slot = ExecInitExtraTupleSlot(node->ss.ps.state, RelationGetDescr(node->ss.ss_currentRelation),
										  &TTSOpsVirtual);
	checks->econtext = CreateExprContext(node->ss.ps.state);
	checks->settings = ExecInitQual(settings, &node->ss.ps);
	checks->settings_columns = early_columns((Node *) settings, varno);
	checks->rest = ExecInitQual(rest, &node->ss.ps);
	spec->check = check_job;
	spec->check_arg = checks;
	for (int tier = 0; tier < SMF_TIER_COMPLETE; tier++)
	{
		List	   *subplans = NIL;

		foreach(lc, tiers[tier])
		{
			if (contain_subplans(lfirst(lc)))
				subplans = lappend(subplans, lfirst(lc));
		}
		spec->check_tier[tier] = tiers[tier] != NIL;
		checks->tiers[tier].qual = ExecInitQual(tiers[tier], &node->ss.ps);
		checks->tiers[tier].columns = early_columns((Node *) tiers[tier], varno);
		checks->tiers[tier].subplans = ExecInitQual(subplans, &node->ss.ps);
		checks->tiers[tier].subplan_columns = early_columns((Node *) subplans, varno);
	}
	return checks;
}

/*
 * smf_early_possible
 *		Can any job of the table meet the conditions, by what is known before
 *		any call?
 */
bool
smf_early_possible(EarlyChecks *checks)
{
	Job			nothing = {0};
	TupleTableSlot *slot = checks->slot;

	if (checks->settings == NULL)
		return true;
	ResetExprContext(checks->econtext);
	ExecClearTuple(slot);
	smf_row_read(checks->reader, &nothing, checks->settings_columns, slot->tts_values,
				 slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
	checks->econtext->ecxt_scantuple = slot;
	return ExecQual(checks->settings, checks->econtext);
}

/*
 * smf_early_complete
 *		Does a job, of which the slot is the row, meet the conditions that
 *		Postgres leaves to us?
 */
bool
smf_early_complete(EarlyChecks *checks, const Job *job, TupleTableSlot *slot)
{
	Job			listed = *job;

	ResetExprContext(checks->econtext);
	checks->econtext->ecxt_scantuple = slot;
	if (!ExecQual(checks->rest, checks->econtext))
		return false;
	if (job->document == NULL || (job->summary == NULL && job->record == NULL))
		return true;
	listed.document = NULL;
	for (int tier = SMF_TIER_LISTED; tier <= SMF_TIER_TAGGED; tier++)
	{
		TierChecks *checked = &checks->tiers[tier];

		if (checked->subplans != NULL &&
			!smf_row_same(checks->reader, job, &listed, checked->subplan_columns) &&
			!ExecQual(checked->subplans, checks->econtext))
			return false;
	}
	return true;
}
