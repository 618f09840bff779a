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
 * decided again only when the job has changed in between.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fdw/early.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

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
	int64		removed;		/* jobs that were refused */
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

/* Of a clause that may be decided early, the columns, and what they are computed from. */
static Bitmapset *
early_columns(Node *clause, const SmfColumn *columns, Index varno)
{
	bool		plain;

	return smf_columns_needed(columns, columns_of(clause, varno, &plain));
}

/* Are the clause's columns known when the source names a job, its tags aside? */
static bool
known_but_for(Node *clause, const SmfColumn *columns, Index varno, JobSource source, bool tags)
{
	Bitmapset  *used = early_columns(clause, columns, varno);
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
	Bitmapset  *used = early_columns(clause, columns, varno);
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

/* ----- which conditions may change places ----- */

/* A pattern of LIKE that is not refused: the character behind a backslash is there. */
static bool
is_whole_pattern(Node *pattern)
{
	Const	   *constant = (Const *) pattern;
	const char *at;

	if (!IsA(pattern, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return false;
	for (at = TextDatumGetCString(constant->constvalue); *at; at++)
	{
		if (*at == '\\' && *++at == '\0')
			return false;
	}
	return true;
}

/* A regular expression of which every character is harmless. */
static bool
is_plain_regex(Node *pattern)
{
	Const	   *constant = (Const *) pattern;
	const char *at;

	if (!IsA(pattern, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return false;
	at = TextDatumGetCString(constant->constvalue);
	return at[strspn(at, "^$.-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
}

/* Functions that raise no error, whatever they are given, though not marked as such. */
static bool
is_harmless(Oid function)
{
	static const Oid harmless[] = {
		F_JSONB_OBJECT_FIELD, F_JSONB_OBJECT_FIELD_TEXT, F_JSONB_ARRAY_ELEMENT,
		F_JSONB_ARRAY_ELEMENT_TEXT, F_JSONB_EXISTS, F_JSONB_EXISTS_ANY, F_JSONB_EXISTS_ALL,
		F_JSONB_CONTAINS, F_JSONB_CONTAINED, F_JSONB_TYPEOF,
		F_STRPOS, F_POSITION_TEXT_TEXT, F_STARTS_WITH, F_LOWER_TEXT, F_UPPER_TEXT, F_LENGTH_TEXT,
		F_LEFT, F_RIGHT
	};

	for (int i = 0; i < lengthof(harmless); i++)
	{
		if (harmless[i] == function)
			return true;
	}
	return get_func_leakproof(function);
}

/* Does the expression compare values by an operator that sorts a built-in type? */
static bool
is_comparison(Node *node)
{
	OpExpr	   *op = (OpExpr *) node;
	Oid			operator = IsA(node, ScalarArrayOpExpr) ? ((ScalarArrayOpExpr *) node)->opno : op->opno;
	List	   *args = IsA(node, ScalarArrayOpExpr) ? ((ScalarArrayOpExpr *) node)->args : op->args;
	TypeCacheEntry *type = lookup_type_cache(exprType(linitial(args)), TYPECACHE_BTREE_OPFAMILY);

	return operator < FirstGenbkiObjectId && OidIsValid(type->btree_opf) &&
		(op_in_opfamily(operator, type->btree_opf) ||
		 op_in_opfamily(get_negator(operator), type->btree_opf));
}

/* check_functions_in_node's callback */
static bool
function_may_raise(Oid function, void *context)
{
	List	   *args = context;

	switch (function)
	{
		case F_TEXTLIKE:
		case F_TEXTNLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
			return list_length(args) != 2 || !is_whole_pattern(lsecond(args));
		case F_TEXTREGEXEQ:
		case F_TEXTREGEXNE:
		case F_TEXTICREGEXEQ:
		case F_TEXTICREGEXNE:
			return list_length(args) != 2 || !is_plain_regex(lsecond(args));
		default:
			return !is_harmless(function);
	}
}

/* The arguments of a function or an operator; NIL of others. */
static List *
arguments_of(Node *node)
{
	if (IsA(node, OpExpr))
		return ((OpExpr *) node)->args;
	if (IsA(node, FuncExpr))
		return ((FuncExpr *) node)->args;
	return NIL;
}

/* A walker: may the expression raise an error, by what it is given? */
static bool
may_raise(Node *node, void *context)
{
	/* what reads no column is the same for all jobs, whatever guards it */
	if (node == NULL || !contain_var_clause(node))
		return false;
	switch (nodeTag(node))
	{
		case T_SubPlan:
			{
				SubLinkType type = ((SubPlan *) node)->subLinkType;

				/* what it reads raises nothing that depends on the order of conditions here */
				if (type != EXISTS_SUBLINK && type != ANY_SUBLINK && type != ARRAY_SUBLINK)
					return true;
				break;
			}
		case T_CoerceViaIO:
			/* anything has a text */
			if (((CoerceViaIO *) node)->resulttype != TEXTOID)
				return true;
			return may_raise((Node *) ((CoerceViaIO *) node)->arg, context);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
			if (is_comparison(node))
				break;
			/* FALLTHROUGH */
		case T_Var:
		case T_Const:
		case T_Param:
		case T_List:
		case T_FuncExpr:
		case T_RowCompareExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CollateExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_ArrayExpr:
		case T_SQLValueFunction:
		case T_AlternativeSubPlan:
		case T_PlaceHolderVar:
			if (check_functions_in_node(node, function_may_raise, arguments_of(node)))
				return true;
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, may_raise, context);
}

/*
 * smf_early_may_raise
 *		May the clause raise an error, so that a clause that stands before it, and may
 *		guard it, must have been decided?
 *
 * Postgres does not promise to keep the order, but does; and who casts behind a
 * condition counts on that.
 */
bool
smf_early_may_raise(Node *clause)
{
	return may_raise(clause, NULL);
}

/* ----- when conditions are decided ----- */

/*
 * smf_early_tier
 *		When the clause, which may be decided early, is decided if nothing holds it
 *		back, and each document is asked for last.
 */
EarlyTier
smf_early_tier(Node *clause, const SmfColumn *columns, Index varno, JobSource source)
{
	if (known_from_settings(clause, columns, varno))
		return EARLY_AT_START;
	if (smf_early_known(clause, columns, varno, source))
		return EARLY_LISTED;
	if (smf_early_tagged(clause, columns, varno, source))
		return EARLY_TAGGED;
	return reads_tags(clause, columns, varno) ? EARLY_COMPLETE : EARLY_DESCRIBED;
}

static EarlyTier
decided_at(Node *clause, const SmfColumn *columns, Index varno, JobSource source,
		   bool tags_first, bool tags_last, EarlyTier *latest)
{
	EarlyTier	tier = smf_early_tier(clause, columns, varno, source);

	/* one that may raise an error waits for those before it */
	if (tier < *latest && smf_early_may_raise(clause))
		return EARLY_COMPLETE;
	*latest = Max(*latest, tier);
	if (tier <= EARLY_LISTED || (tier == EARLY_TAGGED && tags_first) ||
		(tier == EARLY_DESCRIBED && tags_last))
		return tier;
	return EARLY_COMPLETE;
}

/* Are tags asked for before the document, since conditions on them may save it? */
static bool
tags_come_first(List *clauses, const SmfColumn *columns, Index varno, JobSource source,
				bool want_document, bool want_tags)
{
	EarlyTier	latest = EARLY_AT_START;
	ListCell   *lc;

	if (!want_document || !want_tags)
		return false;
	foreach(lc, clauses)
	{
		EarlyTier	tier = smf_early_tier(lfirst(lc), columns, varno, source);

		/* one that waits for the document saves none */
		if (tier < latest && smf_early_may_raise(lfirst(lc)))
			continue;
		if (tier == EARLY_TAGGED)
			return true;
		latest = Max(latest, tier);
	}
	return false;
}

/*
 * smf_early_decided
 *		Of conditions that may be decided early, those that are, before the last
 *		call for a job, and those that Postgres leaves to us.
 */
List *
smf_early_decided(List *clauses, const SmfColumn *columns, Index varno, JobSource source,
				  bool want_document, bool want_tags)
{
	bool		tags_first = tags_come_first(clauses, columns, varno, source,
											 want_document, want_tags);
	EarlyTier	latest = EARLY_AT_START;
	List	   *decided = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		EarlyTier	at = decided_at(lfirst(lc), columns, varno, source, tags_first,
									want_document && want_tags && !tags_first, &latest);
		bool		more = at == EARLY_LISTED ? want_document || want_tags : at != EARLY_COMPLETE;

		/* nobody else decides what has a sub-plan */
		if (more || contain_subplans(lfirst(lc)))
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
	EarlyTier	latest = EARLY_AT_START;
	ListCell   *lc;

	spec->tags_first = tags_come_first(clauses, columns, varno, spec->source,
									   spec->want_document, spec->want_tags);
	foreach(lc, clauses)
	{
		Node	   *clause = lfirst(lc);

		switch (decided_at(clause, columns, varno, spec->source, spec->tags_first,
						   spec->want_document && spec->want_tags && !spec->tags_first, &latest))
		{
			case EARLY_AT_START:
				settings = lappend(settings, clause);
				break;
			case EARLY_LISTED:
				tiers[SMF_TIER_LISTED] = lappend(tiers[SMF_TIER_LISTED], clause);
				break;
			case EARLY_TAGGED:
				tiers[SMF_TIER_TAGGED] = lappend(tiers[SMF_TIER_TAGGED], clause);
				break;
			case EARLY_DESCRIBED:
				tiers[SMF_TIER_DESCRIBED] = lappend(tiers[SMF_TIER_DESCRIBED], clause);
				break;
			case EARLY_COMPLETE:
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
	checks->settings_columns = early_columns((Node *) settings, columns, varno);
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
		checks->tiers[tier].columns = early_columns((Node *) tiers[tier], columns, varno);
		checks->tiers[tier].subplans = ExecInitQual(subplans, &node->ss.ps);
		checks->tiers[tier].subplan_columns = early_columns((Node *) subplans, columns, varno);
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
