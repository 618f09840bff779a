/*-------------------------------------------------------------------------
 *
 * early.c
 *		Conditions that are decided before everything about a job is fetched.
 *
 * Each condition is decided in the first tier in which all of its columns are known:
 * before any call (the region), on the summary, with the tags, or on the document.  A job
 * that fails costs no further call.  But a condition that may raise an error, such as a
 * cast, waits for those that Postgres would decide before it.
 *
 * Postgres checks conditions again on the row, which may be newer than the summary.  This
 * does not apply to those with a sub-plan, which may be expensive: only this file decides
 * them, and decides them again only if the job has changed in between.  A condition that
 * needs the whole row is decided after those before it, as in Postgres.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "fdw/early.h"
#include "fdw/may_raise.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/rel.h"

/* Conditions of one tier. */
typedef struct TierChecks
{
	ExprState  *qual;			/* all of them; NULL: none */
	Bitmapset  *columns;		/* numbers of the attributes that they read */
	ExprState  *subplans;		/* those with a sub-plan; NULL: none */
	Bitmapset  *subplan_columns;	/* numbers of the attributes that these read */
} TierChecks;

/* A condition with a sub-plan that is decided on the whole row. */
typedef struct CompleteCheck
{
	ExprState  *before;			/* earlier conditions, which Postgres also decides; NULL:
								 * none */
	ExprState  *qual;			/* the condition itself */
} CompleteCheck;

struct EarlyChecks
{
	RowReader  *reader;			/* of the scan */
	TupleTableSlot *slot;		/* what is known about a job */
	ExprContext *econtext;		/* reset for each job */
	ExprState  *settings;		/* conditions on what is known before any call */
	Bitmapset  *settings_columns;	/* numbers of the attributes that they read */
	TierChecks	tiers[SMF_TIER_COMPLETE];	/* those that the stream calls for, by JobTier */
	List	   *complete;		/* CompleteCheck *, in the order of the conditions */
	int64		removed;		/* jobs that were rejected */
};

/*
 * The table's columns that the clause reads, as attribute numbers.  System columns and
 * the whole row are not included; *plain says whether there were none of these.
 */
static Bitmapset *
columns_of(Node *clause, const TableRef *table, bool *plain)
{
	Bitmapset  *used = NULL;
	Bitmapset  *columns = NULL;
	int			member = -1;

	*plain = true;
	pull_varattnos(clause, table->varno, &used);
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
 *		Does the clause read columns of the table, and nothing else of it?
 */
bool
smf_early_reads_columns(Node *clause, const TableRef *table)
{
	bool		plain;
	Bitmapset  *columns = columns_of(clause, table, &plain);

	return plain && !bms_is_empty(columns);
}

/* The columns of a clause that may be decided early, and those they are computed from. */
static Bitmapset *
early_columns(Node *clause, const TableRef *table)
{
	bool		plain;

	return smf_columns_needed(table->columns, columns_of(clause, table, &plain));
}

/*
 * Are all of the clause's columns known when the source names a job?  With "tags", tag
 * columns count as known.
 */
static bool
known_but_for(Node *clause, const TableRef *table, JobSource source, bool tags)
{
	Bitmapset  *used = early_columns(clause, table);
	int			attnum = -1;

	while ((attnum = bms_next_member(used, attnum)) >= 0)
	{
		const SmfColumn *column = &table->columns[attnum - 1];

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
smf_early_known(Node *clause, const TableRef *table, JobSource source)
{
	return source != SMF_FROM_NAMES && known_but_for(clause, table, source, false);
}

/*
 * smf_early_tagged
 *		Can it be decided as soon as the tags are known, too, but not before that?
 */
bool
smf_early_tagged(Node *clause, const TableRef *table, JobSource source)
{
	return source != SMF_FROM_NAMES && known_but_for(clause, table, source, true) &&
		!known_but_for(clause, table, source, false);
}

/* Is everything that the clause reads known before any call? */
static bool
known_from_settings(Node *clause, const TableRef *table)
{
	return known_but_for(clause, table, SMF_FROM_NAMES, false);
}

static bool
reads_tags(Node *clause, const TableRef *table)
{
	Bitmapset  *used = early_columns(clause, table);
	int			attnum = -1;

	while ((attnum = bms_next_member(used, attnum)) >= 0)
	{
		if (smf_column_is_tags(&table->columns[attnum - 1]))
			return true;
	}
	return false;
}

/* A JobStillWanted: does the job meet the tier's conditions? */
static bool
check_job(void *arg, const Job *job, JobTier tier)
{
	EarlyChecks *checks = arg;
	TupleTableSlot *slot = checks->slot;
	ExprContext *econtext = checks->econtext;
	MemoryContext old;
	bool		wanted;

	ResetExprContext(econtext);
	ExecClearTuple(slot);
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	smf_row_read(checks->reader, job, checks->tiers[tier].columns, slot->tts_values,
				 slot->tts_isnull);
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
	econtext->ecxt_scantuple = slot;
	wanted = ExecQual(checks->tiers[tier].qual, econtext);
	checks->removed += !wanted;
	return wanted;
}

/* ----- when conditions are decided ----- */

/*
 * smf_early_tier
 *		When the clause, which may be decided early, is decided if nothing holds it
 *		back and documents are requested last.
 */
EarlyTier
smf_early_tier(Node *clause, const TableRef *table, JobSource source)
{
	if (known_from_settings(clause, table))
		return EARLY_AT_START;
	if (smf_early_known(clause, table, source))
		return EARLY_LISTED;
	if (smf_early_tagged(clause, table, source))
		return EARLY_TAGGED;
	return reads_tags(clause, table) ? EARLY_COMPLETE : EARLY_DESCRIBED;
}

/* Conditions that may be decided early, by when they are decided. */
typedef struct SortedChecks
{
	bool		tags_first;		/* tags are requested before the document */
	List	   *at_start;		/* before any call */
	List	   *tiers[SMF_TIER_COMPLETE];	/* when more is known about a job, by JobTier */
	List	   *complete;		/* on the whole row */
} SortedChecks;

/*
 * The tier of a clause after others, of which "latest" is the last tier.  A clause that
 * may raise an error waits for those before it, and those after it then wait for it.
 */
static EarlyTier
tier_behind(Node *clause, const TableRef *table, JobSource source, List *subplans,
			EarlyTier *latest)
{
	EarlyTier	tier = smf_early_tier(clause, table, source);

	if (tier < *latest && smf_may_raise(clause, subplans))
		tier = EARLY_COMPLETE;
	*latest = Max(*latest, tier);
	return tier;
}

/*
 * Should tags be requested before the document, because conditions on them may make that
 * unnecessary?
 */
static bool
tags_come_first(List *clauses, const TableRef *table, JobSource source, List *subplans,
				SmfNeeds needs)
{
	EarlyTier	latest = EARLY_AT_START;
	ListCell   *lc;

	if (!needs.document || !needs.tags)
		return false;
	foreach(lc, clauses)
	{
		if (tier_behind(lfirst(lc), table, source, subplans, &latest) == EARLY_TAGGED)
			return true;
	}
	return false;
}

/* Sort conditions that may be decided early by when they are decided. */
static void
sort_checks(List *clauses, const TableRef *table, JobSource source, List *subplans,
			SmfNeeds needs, SortedChecks *sorted)
{
	EarlyTier	latest = EARLY_AT_START;
	ListCell   *lc;
	bool		tags_last;

	memset(sorted, 0, sizeof(SortedChecks));
	sorted->tags_first = tags_come_first(clauses, table, source, subplans, needs);
	tags_last = needs.document && needs.tags && !sorted->tags_first;
	foreach(lc, clauses)
	{
		EarlyTier	tier = tier_behind(lfirst(lc), table, source, subplans, &latest);
		List	  **list = &sorted->complete;

		if (tier == EARLY_AT_START)
			list = &sorted->at_start;
		else if (tier == EARLY_LISTED)
			list = &sorted->tiers[SMF_TIER_LISTED];
		else if (tier == EARLY_TAGGED && sorted->tags_first)
			list = &sorted->tiers[SMF_TIER_TAGGED];
		else if (tier == EARLY_DESCRIBED && tags_last)
			list = &sorted->tiers[SMF_TIER_DESCRIBED];
		*list = lappend(*list, lfirst(lc));
	}
}

/* The clauses that have a sub-plan. */
static List *
with_subplans(List *clauses)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		if (contain_subplans(lfirst(lc)))
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/*
 * smf_early_decided
 *		Those of the conditions that may be decided early that are decided before the
 *		last call for a job, or that Postgres leaves to us.
 *
 * "subplans" are the statement's plans of sub-selects.
 */
List *
smf_early_decided(List *clauses, const TableRef *table, JobSource source, List *subplans,
				  SmfNeeds needs)
{
	SortedChecks sorted;
	List	   *early;
	List	   *decided = NIL;
	ListCell   *lc;

	sort_checks(clauses, table, source, subplans, needs, &sorted);
	early = list_concat_copy(sorted.at_start, sorted.tiers[SMF_TIER_TAGGED]);
	early = list_concat(early, sorted.tiers[SMF_TIER_DESCRIBED]);
	if (needs.document || needs.tags)
		early = list_concat(early, sorted.tiers[SMF_TIER_LISTED]);
	foreach(lc, clauses)
	{
		/* only we decide conditions with a sub-plan */
		if (list_member_ptr(early, lfirst(lc)) || contain_subplans(lfirst(lc)))
			decided = lappend(decided, lfirst(lc));
	}
	return decided;
}

/* Prepare conditions with a sub-plan, each with the conditions before it. */
static List *
complete_checks(List *clauses, PlanState *parent)
{
	List	   *before = NIL;
	List	   *checks = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		CompleteCheck *check;

		if (!contain_subplans(lfirst(lc)))
		{
			before = lappend(before, lfirst(lc));
			continue;
		}
		check = palloc(sizeof(CompleteCheck));
		check->before = ExecInitQual(before, parent);
		check->qual = ExecInitQual(list_make1(lfirst(lc)), parent);
		checks = lappend(checks, check);
		before = NIL;
	}
	return checks;
}

/*
 * smf_early_create
 *		Prepare the conditions, and set in the spec where the stream must ask.
 *
 * The spec's source and what it fetches must be set.  Lives in the current memory
 * context.
 */
EarlyChecks *
smf_early_create(List *clauses, const TableRef *table, RowReader *reader,
				 ForeignScanState *node, JobStreamSpec *spec)
{
	EarlyChecks *checks = palloc0(sizeof(EarlyChecks));
	PlanState  *parent = &node->ss.ps;
	SmfNeeds	needs = {.document = spec->want_document, .tags = spec->want_tags};
	SortedChecks sorted;

	/* Find out when each condition is decided, and whether tags come first. */
	sort_checks(clauses, table, spec->source, parent->state->es_plannedstmt->subplans, needs, &sorted);
	spec->tags_first = sorted.tags_first;

	/* Prepare what the scan decides: before any call, and at the end on the whole row. */
	checks->reader = reader;
	checks->slot = ExecInitExtraTupleSlot(parent->state, RelationGetDescr(node->ss.ss_currentRelation),
										  &TTSOpsVirtual);
	checks->econtext = CreateExprContext(parent->state);
	checks->settings = ExecInitQual(sorted.at_start, parent);
	checks->settings_columns = early_columns((Node *) sorted.at_start, table);
	checks->complete = complete_checks(sorted.complete, parent);

	/* Prepare what the stream decides in between, when more is known about a job. */
	spec->still_wanted = check_job;
	spec->still_wanted_arg = checks;
	for (int tier = 0; tier < SMF_TIER_COMPLETE; tier++)
	{
		TierChecks *to = &checks->tiers[tier];
		List	   *subplans = with_subplans(sorted.tiers[tier]);

		spec->still_wanted_tier[tier] = sorted.tiers[tier] != NIL;
		to->qual = ExecInitQual(sorted.tiers[tier], parent);
		to->columns = early_columns((Node *) sorted.tiers[tier], table);
		to->subplans = ExecInitQual(subplans, parent);
		to->subplan_columns = early_columns((Node *) subplans, table);
	}
	return checks;
}

/*
 * smf_early_possible
 *		Can any job of the table meet the conditions, given what is known before any
 *		call?
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

/* Number of jobs that the conditions have rejected so far. */
int64
smf_early_removed(const EarlyChecks *checks)
{
	return checks->removed;
}

/* Does the job, whose row is in the slot, meet the conditions with a sub-plan? */
static bool
check_complete(EarlyChecks *checks, const Job *job, TupleTableSlot *slot)
{
	Job			listed = *job;
	ListCell   *lc;

	ResetExprContext(checks->econtext);
	checks->econtext->ecxt_scantuple = slot;
	foreach(lc, checks->complete)
	{
		CompleteCheck *check = lfirst(lc);

		/* Postgres rejects it, and counts it as rejected */
		if (!ExecQual(check->before, checks->econtext))
			return true;
		if (!ExecQual(check->qual, checks->econtext))
			return false;
	}

	/* Decide conditions on the summary again if the document has other values. */
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

/*
 * smf_early_complete
 *		Does a job, whose row is in the slot, meet the conditions that Postgres leaves
 *		to us?
 */
bool
smf_early_complete(EarlyChecks *checks, const Job *job, TupleTableSlot *slot)
{
	bool		wanted = check_complete(checks, job, slot);

	checks->removed += !wanted;
	return wanted;
}
