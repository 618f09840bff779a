/*-------------------------------------------------------------------------
 *
 * early.c
 *		Conditions that are decided before all of a job is fetched.
 *
 * Each condition is decided in the first tier in which all of its columns are
 * known: before any call (the region), on the summary, with the tags, on the
 * document.  A job that fails costs no further call.  But a condition that may raise an
 * error, as a cast may, waits for those that Postgres would decide before it.
 *
 * Postgres checks conditions again on the row, which may be newer than the summary;
 * but not those with a sub-plan, which may be dear: they are left to this file, and
 * decided again only when the job has changed in between.  One that can be decided on the
 * whole row only comes behind those that stand before it, as Postgres would have it.
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
	Bitmapset  *columns;		/* attribute numbers that they read */
	ExprState  *subplans;		/* those with a sub-plan; NULL: none */
	Bitmapset  *subplan_columns;	/* attribute numbers that these read */
} TierChecks;

/* A condition with a sub-plan that is decided on the whole row. */
typedef struct CompleteCheck
{
	ExprState  *before;			/* conditions that stand before it, and that Postgres
								 * decides, too; NULL: none */
	ExprState  *qual;			/* the condition itself */
} CompleteCheck;

struct EarlyChecks
{
	RowReader  *reader;			/* of the scan */
	TupleTableSlot *slot;		/* what is known of a job */
	ExprContext *econtext;		/* reset for each job */
	ExprState  *settings;		/* conditions on what is known before any call */
	Bitmapset  *settings_columns;	/* attribute numbers that they read */
	TierChecks	tiers[SMF_TIER_COMPLETE];	/* those that the stream asks for, by JobTier */
	List	   *complete;		/* CompleteCheck *, in the order of the conditions */
	int64		removed;		/* jobs that were refused */
};

/*
 * The table's columns that the clause reads, as attribute numbers; system columns
 * and the whole row are left out, and *plain is whether there were none of these.
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
 *		Does the clause read columns of the table, and of it nothing else?
 */
bool
smf_early_reads_columns(Node *clause, const TableRef *table)
{
	bool		plain;
	Bitmapset  *columns = columns_of(clause, table, &plain);

	return plain && !bms_is_empty(columns);
}

/* Of a clause that may be decided early, the columns, and what they are computed from. */
static Bitmapset *
early_columns(Node *clause, const TableRef *table)
{
	bool		plain;

	return smf_columns_needed(table->columns, columns_of(clause, table, &plain));
}

/*
 * Are all of the clause's columns known when the source names a job?  With "tags", columns
 * of tags count as known.
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
 *		Can it be decided then, once the tags are there, too, and not before?
 */
bool
smf_early_tagged(Node *clause, const TableRef *table, JobSource source)
{
	return source != SMF_FROM_NAMES && known_but_for(clause, table, source, true) &&
		!known_but_for(clause, table, source, false);
}

/* Is all that the clause reads known before any call? */
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

/* The stream asks whether a job is still wanted. */
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
 *		back, and each document is asked for last.
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

/* Conditions that may be decided early, by when they are. */
typedef struct SortedChecks
{
	bool		tags_first;		/* tags are asked for before the document */
	List	   *at_start;		/* before any call */
	List	   *tiers[SMF_TIER_COMPLETE];	/* when more is known of a job, by JobTier */
	List	   *complete;		/* on the whole row */
} SortedChecks;

/*
 * The tier of a clause behind others, of which "latest" is the last tier.  One that may raise
 * an error waits for those before it, and then those behind it wait for it.
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

/* Are tags asked for before the document, since conditions on them may save it? */
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

/* Sort conditions that may be decided early by when they are. */
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

/* Of the clauses, those with a sub-plan. */
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
 *		Of conditions that may be decided early, those that are, before the last
 *		call for a job, and those that Postgres leaves to us.
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
		/* nobody else decides what has a sub-plan */
		if (list_member_ptr(early, lfirst(lc)) || contain_subplans(lfirst(lc)))
			decided = lappend(decided, lfirst(lc));
	}
	return decided;
}

/* Prepare conditions with a sub-plan, each behind those that stand before it. */
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
 *		Prepare the conditions, and say in the spec where the stream is to ask.
 *
 * The spec's source and what it wants are set.  Lives in the current memory context.
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

	/* Prepare what the scan asks: before any call, and at the end on the whole row. */
	checks->reader = reader;
	checks->slot = ExecInitExtraTupleSlot(parent->state, RelationGetDescr(node->ss.ss_currentRelation),
										  &TTSOpsVirtual);
	checks->econtext = CreateExprContext(parent->state);
	checks->settings = ExecInitQual(sorted.at_start, parent);
	checks->settings_columns = early_columns((Node *) sorted.at_start, table);
	checks->complete = complete_checks(sorted.complete, parent);

	/* Prepare what the stream asks in between, whenever more is known of a job. */
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

/* How many jobs the conditions have refused so far. */
int64
smf_early_removed(const EarlyChecks *checks)
{
	return checks->removed;
}

/* Does the job, of which the slot is the row, meet conditions with a sub-plan? */
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

		/* Postgres refuses it, and counts it as refused */
		if (!ExecQual(check->before, checks->econtext))
			return true;
		if (!ExecQual(check->qual, checks->econtext))
			return false;
	}

	/* Decide again what was decided on the summary, if the document says otherwise. */
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
 *		Does a job, of which the slot is the row, meet the conditions that
 *		Postgres leaves to us?
 */
bool
smf_early_complete(EarlyChecks *checks, const Job *job, TupleTableSlot *slot)
{
	bool		wanted = check_complete(checks, job, slot);

	checks->removed += !wanted;
	return wanted;
}
