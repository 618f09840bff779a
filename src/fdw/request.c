/*-------------------------------------------------------------------------
 *
 * request.c
 *		What a scan requests from the service: its conditions with their current
 *		values.
 *
 * Values are computed when the scan starts, and again at every rescan: they may be
 * parameters, results of sub-selects, now().  Anything that the service cannot express is
 * left out, because Postgres checks every row.  If no job can meet all conditions, this
 * is detected here, and no call is made.
 *
 * Not accounted for: it is not documented whether the service's time bounds, in whole
 * seconds, are inclusive.  They are sent a second wider than needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "compat/fdw.h"
#include "executor/executor.h"
#include "fdw/fragment.h"
#include "fdw/request.h"
#include "fdw/wanted.h"
#include "jobs/job_name.h"
#include "jobs/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Clock changes later than this repeat earlier ones: 2100-01-01, epoch seconds. */
#define LAST_CLOCK_CHANGE_S INT64CONST(4102444800)

/* A condition whose value can be computed. */
typedef struct BoundCondition
{
	Condition	condition;		/* as it was recognized */
	ExprState  *value;			/* NULL for tests of NULL */
} BoundCondition;

struct ScanRequest
{
	JobSource	source;			/* which call lists the jobs */
	const char *region;			/* of the jobs */
	const char *account_id;		/* of the jobs; NULL: any */
	List	   *lookups;		/* List of List of BoundCondition *: in each list, one
								 * condition holds for every job */
	List	   *bounds;			/* List of List of BoundCondition *: bounds of one time in the
								 * arguments of an OR; in each list, one argument holds */
	List	   *conditions;		/* List of BoundCondition *: all of them hold */
};

/* The values of one attribute that the conditions allow. */
typedef struct Range
{
	const SmfAttribute *attribute;	/* of a time, or an integer */
	int64		low;			/* the smallest; for times, microseconds as in Postgres */
	int64		high;			/* the largest */
} Range;

/* State while a request is evaluated. */
typedef struct Evaluation
{
	ScanRequest *request;		/* the request being evaluated */
	JobStreamSpec *spec;		/* receives the result */
	List	   *ranges;			/* Range *, one per attribute */
	bool		impossible;		/* no job can meet the conditions */
	const Condition *contains;	/* the condition that "fragment" comes from */
	const char *fragment;		/* longest text that an attribute must contain; NULL: none */
} Evaluation;

/*
 * smf_request_create
 *		Prepare to request what meets the conditions, as far as the source supports
 *		them.
 *
 * "conditions" has a list of Condition * for each clause, from smf_clause_match.  Lives
 * in the current memory context; the conditions and the table's settings must outlive it.
 */
ScanRequest *
smf_request_create(List *conditions, JobSource source, const SmfSettings *settings,
				   PlanState *parent)
{
	ScanRequest *request = palloc0(sizeof(ScanRequest));
	ListCell   *lc;

	request->source = source;
	request->region = settings->region;
	request->account_id = settings->account_id;
	foreach(lc, conditions)
	{
		List	   *clause = lfirst(lc);
		ConditionUse use = smf_clause_use(clause, source);
		List	   *bound = NIL;
		ListCell   *lc2;

		if (use == USE_NONE)
			continue;
		/* their values are computed whenever the scan starts */
		foreach(lc2, clause)
		{
			BoundCondition *one = palloc0(sizeof(BoundCondition));

			one->condition = *(Condition *) lfirst(lc2);
			one->value = ExecInitExpr(one->condition.value, parent);
			bound = lappend(bound, one);
		}
		/* one look-up, or one argument's bounds, must hold; of the others, all must */
		if (use == USE_LOOKUP)
			request->lookups = lappend(request->lookups, bound);
		else if (list_length(bound) > 1)
			request->bounds = lappend(request->bounds, bound);
		else
			request->conditions = list_concat(request->conditions, bound);
	}
	return request;
}

/* ----- values ----- */

/* The elements of an array that are not NULL. */
static List *
elements_of(Datum value, Oid element_type)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *datums;
	bool	   *nulls;
	int			n;
	List	   *elements = NIL;

	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, element_type, typlen, typbyval, typalign, &datums, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			elements = lappend(elements, DatumGetPointer(datums[i]));
	}
	return elements;
}

/* A time as timestamptz; a time outside that type's range becomes infinite. */
static TimestampTz
as_timestamptz(Datum value, Oid type)
{
	switch (type)
	{
		case TIMESTAMPOID:
			return smf_timestamp_to_timestamptz(DatumGetTimestamp(value));
		case DATEOID:
			return smf_date_to_timestamptz(DatumGetDateADT(value));
		default:
			return DatumGetTimestampTz(value);
	}
}

static char *
as_string(Datum value, Oid type)
{
	return type == NAMEOID ? pstrdup(NameStr(*DatumGetName(value))) : TextDatumGetCString(value);
}

static int64
as_integer(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* ----- look-ups ----- */

/* The jobs that one clause allows. */
static List *
wanted_by(Evaluation *evaluation, List *bounds, ExprContext *econtext)
{
	const ScanRequest *request = evaluation->request;
	List	   *wanted = NIL;
	ListCell   *lc;

	foreach(lc, bounds)
	{
		BoundCondition *bound = lfirst(lc);
		const SmfAttribute *attribute = bound->condition.column->attribute;
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(bound->value, econtext, &isnull);
		List	   *values;
		ListCell   *lc2;

		if (isnull)
			continue;
		values = bound->condition.kind == CONDITION_COMPARE ? list_make1(DatumGetPointer(value)) :
			elements_of(value, bound->condition.value_type);
		foreach(lc2, values)
			wanted = smf_wanted_add(wanted, attribute,
									as_string(PointerGetDatum(lfirst(lc2)), bound->condition.value_type),
									request->region, request->account_id);
	}
	return smf_wanted_distinct(wanted);
}

/* Find the jobs to look up: those that all clauses allow, or the shortest of their lists. */
static void
evaluate_lookups(Evaluation *evaluation, ExprContext *econtext)
{
	List	   *fewest = NIL;
	ListCell   *lc;

	foreach(lc, evaluation->request->lookups)
	{
		List	   *wanted = wanted_by(evaluation, lfirst(lc), econtext);

		if (lc == list_head(evaluation->request->lookups))
			fewest = wanted;
		else
			fewest = smf_wanted_by_both(fewest, wanted);
	}
	evaluation->spec->wanted = fewest;
	if (fewest == NIL)
		evaluation->impossible = true;
}

/* ----- ranges ----- */

static Range *
range_of(Evaluation *evaluation, const SmfAttribute *attribute)
{
	Range	   *range;
	ListCell   *lc;

	foreach(lc, evaluation->ranges)
	{
		range = lfirst(lc);
		if (range->attribute == attribute)
			return range;
	}
	range = palloc(sizeof(Range));
	range->attribute = attribute;
	range->low = PG_INT64_MIN;
	range->high = PG_INT64_MAX;
	evaluation->ranges = lappend(evaluation->ranges, range);
	return range;
}

/* Move a time, unless it is infinite. */
static int64
moved_time(int64 time, int64 by_us)
{
	int64		result;

	if (by_us == 0 || TIMESTAMP_NOT_FINITE(time))
		return time;
	if (pg_add_s64_overflow(time, by_us, &result))
		return by_us > 0 ? DT_NOEND : DT_NOBEGIN;
	return result;
}

/*
 * The total range over which a time zone's clock has been changed, in microseconds.
 * Postgres's clocks are within a week of UTC; a name that is not a known zone may stand
 * for an offset, or for several.
 */
static int64
zone_range_us(const pg_tz *zone)
{
	pg_time_t	time = 0;		/* no job is older than 1970 */
	long		least = 0;
	long		most = 0;
	bool		first = true;
	int			found;

	if (zone == NULL)
		return 14 * USECS_PER_DAY;
	do
	{
		pg_time_t	boundary = time;
		long		before = 0;
		long		after = 0;
		int			before_dst;
		int			after_dst;

		found = pg_next_dst_boundary(&time, &before, &before_dst, &boundary, &after, &after_dst, zone);
		if (found < 0)
			return 14 * USECS_PER_DAY;
		if (found == 0)
			after = before;
		least = first ? Min(before, after) : Min(least, Min(before, after));
		most = first ? Max(before, after) : Max(most, Max(before, after));
		first = false;
		time = boundary;
	} while (found > 0 && time < LAST_CLOCK_CHANGE_S);
	return (most - least) * USECS_PER_SEC;
}

/*
 * By how much the attribute's time may be before and after the value that is compared
 * instead, because the column's type rounds it, or because it is truncated to a unit by a
 * clock.
 *
 * If the clock is put forward or back during a unit, that unit becomes shorter or longer
 * by as much.
 */
static void
moves_of(const Condition *condition, int64 *before_us, int64 *after_us)
{
	int64		clock_us;

	*before_us = *after_us = condition->rounded_us;
	if (condition->unit == 0)
		return;
	/* even a named zone may get its offset from the session's zone */
	clock_us = zone_range_us(session_timezone);
	if (condition->zone != NULL)
		clock_us = Max(clock_us, zone_range_us(pg_tzset(condition->zone)));
	*before_us += clock_us;
	*after_us += clock_us + smf_unit_us(condition->unit);
}

/*
 * Remove from the range what the comparison excludes.  Returns whether anything is left.
 *
 * If the value compared is not exactly the attribute's time, the bound is moved outward.
 */
static bool
narrow_range(Range *range, const Condition *condition, int64 value, int64 before_us, int64 after_us)
{
	int64		low = moved_time(value, -before_us);
	int64		high = moved_time(value, after_us);
	bool		exact = condition->unit == 0;

	/* Values are integers, so "less than" means "at most" the one before. */
	switch (condition->strategy)
	{
		case BTLessStrategyNumber:
			if (value == PG_INT64_MIN)
				return false;
			range->high = Min(range->high, high == PG_INT64_MAX || !exact ? high : high - 1);
			break;
		case BTLessEqualStrategyNumber:
			range->high = Min(range->high, high);
			break;
		case BTEqualStrategyNumber:
			range->high = Min(range->high, high);
			range->low = Max(range->low, low);
			break;
		case BTGreaterEqualStrategyNumber:
			range->low = Max(range->low, low);
			break;
		case BTGreaterStrategyNumber:
			if (value == PG_INT64_MAX)
				return false;
			range->low = Max(range->low, low == PG_INT64_MIN || !exact ? low : low + 1);
			break;
		default:
			break;
	}

	/* Is nothing left, or nothing that a job can have?  No job has an infinite time. */
	if (condition->column->attribute->kind == SMF_KIND_TIMESTAMP &&
		(range->low == DT_NOEND || range->high == DT_NOBEGIN))
		return false;
	return range->low <= range->high;
}

/* The value of a time or a number in the form that ranges use. */
static int64
as_range_value(const Condition *condition, Datum value)
{
	return condition->column->attribute->kind == SMF_KIND_TIMESTAMP ?
		as_timestamptz(value, condition->value_type) : as_integer(value, condition->value_type);
}

/* Extend a range, which may be empty, so that it includes another one. */
static void
extend_range(Range *range, const Range *other)
{
	range->low = Min(range->low, other->low);
	range->high = Max(range->high, other->high);
}

/* Remove from the range what the condition excludes.  Returns whether anything is left. */
static bool
narrow_by_condition(Range *range, const Condition *condition, Datum value)
{
	Range		widest = {range->attribute, PG_INT64_MAX, PG_INT64_MIN};
	int64		before_us;
	int64		after_us;
	ListCell   *lc;

	moves_of(condition, &before_us, &after_us);
	if (condition->kind == CONDITION_COMPARE)
		return narrow_range(range, condition, as_range_value(condition, value), before_us, after_us);
	/* for a list, everything between the smallest and the largest is left */
	foreach(lc, elements_of(value, condition->value_type))
	{
		Range		one = *range;

		if (narrow_range(&one, condition, as_range_value(condition, PointerGetDatum(lfirst(lc))),
						 before_us, after_us))
			extend_range(&widest, &one);
	}
	*range = widest;
	return range->low <= range->high;
}

/*
 * One argument of the bounds holds: everything between the earliest and the latest of all
 * is left.
 */
static void
evaluate_bounds(Evaluation *evaluation, List *bounds, ExprContext *econtext)
{
	const SmfAttribute *attribute = ((BoundCondition *) linitial(bounds))->condition.column->attribute;
	Range		widest = {attribute, PG_INT64_MAX, PG_INT64_MIN};
	Range		one = widest;
	Range	   *range = range_of(evaluation, attribute);
	bool		possible = false;
	int			arm = -1;
	ListCell   *lc;

	/* Within an argument, all conditions hold. */
	foreach(lc, bounds)
	{
		BoundCondition *bound = lfirst(lc);
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(bound->value, econtext, &isnull);

		if (bound->condition.arm != arm)
		{
			if (possible)
				extend_range(&widest, &one);
			arm = bound->condition.arm;
			one.low = PG_INT64_MIN;
			one.high = PG_INT64_MAX;
			possible = true;
		}
		possible = possible && !isnull && narrow_by_condition(&one, &bound->condition, value);
	}
	if (possible)
		extend_range(&widest, &one);

	/* Remove from the attribute's range what no argument allows. */
	range->low = Max(range->low, widest.low);
	range->high = Min(range->high, widest.high);
	if (range->low > range->high)
		evaluation->impossible = true;
}

/* The time in whole epoch seconds, a second earlier or later. */
static int64
widened_seconds(TimestampTz time, bool later)
{
	int64		seconds = time / USECS_PER_SEC;
	int64		rest = time % USECS_PER_SEC;

	if (rest < 0)
		seconds--;
	if (later)
		seconds += rest != 0;
	return seconds + SMF_POSTGRES_EPOCH_S + (later ? 1 : -1);
}

/* A range of times as bounds for the service; SMF_NO_BOUND if there is none. */
static void
time_bounds(const Range *range, int64 *after, int64 *before)
{
	*after = *before = SMF_NO_BOUND;
	if (range->low != DT_NOBEGIN)
		*after = widened_seconds(range->low, false);
	if (range->high != DT_NOEND)
		*before = widened_seconds(range->high, true);
	/* no job is from before 1970 or after 9999, and the service may reject such times */
	if (*after < 0)
		*after = SMF_NO_BOUND;
	if (*after > SMF_LAST_SECOND)
		*after = SMF_LAST_SECOND;
	if (*before != SMF_NO_BOUND)
	{
		if (*before < 0)
			*before = 0;
		if (*before > SMF_LAST_SECOND)
			*before = SMF_NO_BOUND;
	}
}

/* ----- filters for Search ----- */

/*
 * Add a filter, if Search accepts another one, and this one.  Some jobs lack the
 * attribute because they have another member instead: the filter includes them.
 */
static void
add_filter(Evaluation *evaluation, const SmfAttribute *attribute, const char *name,
		   const char *operator, const char *value)
{
	JobQuery   *query = &evaluation->spec->query;
	SearchFilter *filter;
	int			elements = 0;
	ListCell   *lc;

	/* Leave out what Search rejects: the rows are checked anyway. */
	foreach(lc, query->filters)
		elements += ((SearchFilter *) lfirst(lc))->or_absent ? 3 : 1;
	if (elements + (attribute->replaced ? 3 : 1) > SMF_SEARCH_FILTERS_MAX ||
		strlen(name) > SMF_SEARCH_NAME_MAX ||
		(value != NULL && (value[0] == '\0' || strlen(value) > SMF_SEARCH_VALUE_MAX)))
		return;
	filter = palloc(sizeof(SearchFilter));
	filter->name = name;
	filter->operator = operator;
	filter->value = value;
	/* jobs that lack both members lack the attribute */
	filter->or_absent = strcmp(operator, "NotExists") != 0 ? attribute->replaced : NULL;
	query->filters = lappend(query->filters, filter);
}

/* Does another filter already require a different value for the same name? */
static bool
equals_another(const JobQuery *query, const char *name, const char *value)
{
	ListCell   *lc;

	foreach(lc, query->filters)
	{
		const SearchFilter *filter = lfirst(lc);

		if (strcmp(filter->operator, "Equals") == 0 && strcmp(filter->name, name) == 0 &&
			strcmp(filter->value, value) != 0)
			return true;
	}
	return false;
}

/* Turn the ranges into time bounds and filters. */
static void
send_ranges(Evaluation *evaluation)
{
	JobQuery   *query = &evaluation->spec->query;
	ListCell   *lc;

	foreach(lc, evaluation->ranges)
	{
		Range	   *range = lfirst(lc);
		const char *name = range->attribute->api_name;
		int64		after;
		int64		before;

		/* Two of the times have their own bounds in all operations that list jobs. */
		if (strcmp(name, "CreationTime") == 0)
			time_bounds(range, &query->created_after, &query->created_before);
		else if (strcmp(name, "LastModifiedTime") == 0)
			time_bounds(range, &query->modified_after, &query->modified_before);
		/* Other times, and numbers, become filters for Search. */
		else if (range->attribute->kind == SMF_KIND_TIMESTAMP)
		{
			time_bounds(range, &after, &before);
			if (after != SMF_NO_BOUND)
				add_filter(evaluation, range->attribute, name, "GreaterThanOrEqualTo", smf_search_time(after));
			if (before != SMF_NO_BOUND)
				add_filter(evaluation, range->attribute, name, "LessThanOrEqualTo", smf_search_time(before));
		}
		else
		{
			if (range->low != PG_INT64_MIN)
				add_filter(evaluation, range->attribute, name, "GreaterThanOrEqualTo", psprintf(INT64_FORMAT, range->low));
			if (range->high != PG_INT64_MAX)
				add_filter(evaluation, range->attribute, name, "LessThanOrEqualTo", psprintf(INT64_FORMAT, range->high));
		}
	}
}

/* ----- single conditions ----- */

/* The text that the attribute must contain because of the condition; NULL: none known. */
static char *
fragment_of(const Condition *condition, char *string)
{
	switch (condition->kind)
	{
		case CONDITION_LIKE:
			return smf_fragment_of_like(string);
		case CONDITION_REGEX:
			return smf_fragment_of_regex(string);
		default:
			return smf_fragment_of_text(string);
	}
}

/* The attribute of a condition, or the key below it, by its name in Search. */
static char *
filter_name(const Condition *condition)
{
	if (condition->key == NULL)
		return pstrdup(condition->column->attribute->api_name);
	return psprintf("%s.%s", condition->column->attribute->api_name, condition->key);
}

/*
 * Is the text certainly identical to the service's?  Not if it contains the character
 * that replaces those that the database cannot store.
 */
static bool
is_verbatim(const char *string)
{
	return strstr(string, GetDatabaseEncoding() == PG_UTF8 ? "\xef\xbf\xbd" : "?") == NULL;
}

/* A value as the service writes it; NULL if that is impossible. */
static char *
filter_value(const Condition *condition, Datum value)
{
	const SmfAttribute *attribute = condition->column->attribute;
	char	   *string;

	if (condition->key != NULL || attribute->kind == SMF_KIND_STRING)
	{
		string = as_string(value, condition->value_type);
		return is_verbatim(string) && (condition->key == NULL || is_verbatim(condition->key)) ?
			string : NULL;
	}
	switch (attribute->kind)
	{
		case SMF_KIND_ENUM:
			string = !type_is_enum(condition->value_type) ? as_string(value, condition->value_type) :
				DatumGetCString(OidFunctionCall1(F_ENUM_OUT, value));
			return smf_attribute_has_label(attribute, string) ? string : NULL;
		case SMF_KIND_INTEGER:
		case SMF_KIND_LONG:
			return psprintf(INT64_FORMAT, as_integer(value, condition->value_type));
		case SMF_KIND_BOOLEAN:
			return pstrdup(DatumGetBool(value) ? "true" : "false");
		default:
			return NULL;
	}
}

/* Request the children of the tuning job with this ARN. */
static void
ask_for_tuning_job(Evaluation *evaluation, char *arn)
{
	JobQuery   *query = &evaluation->spec->query;

	if (smf_tuning_job_arn_name(arn, evaluation->request->region,
								evaluation->request->account_id) == NULL ||
		(query->tuning_job_arn != NULL && strcmp(query->tuning_job_arn, arn) != 0))
		evaluation->impossible = true;
	query->tuning_job_arn = arn;
}

/*
 * Request jobs with one value: with a filter for Search, or the list's only one, the
 * status.
 */
static void
ask_for_value(Evaluation *evaluation, const Condition *condition, const char *value)
{
	JobQuery   *query = &evaluation->spec->query;

	if (evaluation->request->source == SMF_FROM_SEARCH)
	{
		evaluation->impossible |= equals_another(query, filter_name(condition), value);
		add_filter(evaluation, condition->column->attribute, filter_name(condition), "Equals", value);
	}
	else if (query->status != NULL && strcmp(query->status, value) != 0)
		evaluation->impossible = true;
	else
		query->status = value;
}

static void
evaluate_comparison(Evaluation *evaluation, const Condition *condition, Datum value)
{
	const SmfAttribute *attribute = condition->column->attribute;
	const char *string;

	if (condition->key == NULL &&
		(attribute->kind == SMF_KIND_TIMESTAMP || attribute->kind == SMF_KIND_INTEGER ||
		 attribute->kind == SMF_KIND_LONG))
		evaluation->impossible |= !narrow_by_condition(range_of(evaluation, attribute), condition, value);
	else if (smf_condition_use(condition, evaluation->request->source) == USE_TUNING_JOB)
		ask_for_tuning_job(evaluation, as_string(value, condition->value_type));
	else
	{
		string = filter_value(condition, value);
		if (string != NULL)
			ask_for_value(evaluation, condition, string);
	}
}

/* The service accepts one fragment: keep the longest, which matches the fewest jobs. */
static void
evaluate_pattern(Evaluation *evaluation, const Condition *condition, Datum value)
{
	const char *fragment = fragment_of(condition, TextDatumGetCString(value));

	if (fragment == NULL ||
		(evaluation->fragment != NULL && strlen(fragment) <= strlen(evaluation->fragment)))
		return;
	evaluation->contains = condition;
	evaluation->fragment = fragment;
}

/* A list of values for Search is separated by commas, so no value may contain one. */
static void
evaluate_any(Evaluation *evaluation, const Condition *condition, Datum value)
{
	StringInfoData list;
	ListCell   *lc;
	List	   *elements = elements_of(value, condition->value_type);

	if (elements == NIL)
	{
		evaluation->impossible = true;
		return;
	}
	initStringInfo(&list);
	foreach(lc, elements)
	{
		char	   *string = filter_value(condition, PointerGetDatum(lfirst(lc)));

		if (string == NULL || string[0] == '\0' || strchr(string, ',') != NULL)
			return;
		if (list.len > 0)
			appendStringInfoChar(&list, ',');
		appendStringInfoString(&list, string);
	}
	add_filter(evaluation, condition->column->attribute, filter_name(condition), "In", list.data);
}

static void
evaluate_condition(Evaluation *evaluation, BoundCondition *bound, ExprContext *econtext)
{
	const Condition *condition = &bound->condition;
	Datum		value = (Datum) 0;
	bool		isnull = false;

	/* All operators are strict: with NULL no job meets the condition. */
	if (bound->value != NULL)
		value = ExecEvalExprSwitchContext(bound->value, econtext, &isnull);
	if (isnull)
	{
		evaluation->impossible = true;
		return;
	}

	/* Request the value in the way that the service supports for this kind of condition. */
	switch (condition->kind)
	{
		case CONDITION_COMPARE:
			evaluate_comparison(evaluation, condition, value);
			break;
		case CONDITION_ANY:
			if (condition->column->attribute->kind == SMF_KIND_TIMESTAMP)
				evaluate_comparison(evaluation, condition, value);
			else
				evaluate_any(evaluation, condition, value);
			break;
		case CONDITION_NULL:
			add_filter(evaluation, condition->column->attribute, filter_name(condition), "NotExists", NULL);
			break;
		case CONDITION_NOT_NULL:
			add_filter(evaluation, condition->column->attribute, filter_name(condition), "Exists", NULL);
			break;
		case CONDITION_LIKE:
		case CONDITION_REGEX:
		case CONDITION_PREFIX:
		case CONDITION_HOLDS:
			evaluate_pattern(evaluation, condition, value);
			break;
	}
}

/*
 * smf_request_evaluate
 *		Compute what to request, into spec->wanted or spec->query.
 *
 * False if no job can meet the conditions.  Results are allocated in the current memory
 * context.
 */
bool
smf_request_evaluate(ScanRequest *request, ExprContext *econtext, JobStreamSpec *spec)
{
	Evaluation	evaluation = {.request = request, .spec = spec};
	bool		oldest_first = spec->query.oldest_first;
	ListCell   *lc;

	smf_job_query_init(&spec->query);
	spec->query.oldest_first = oldest_first;
	if (request->lookups != NIL)
		evaluate_lookups(&evaluation, econtext);
	foreach(lc, request->bounds)
		evaluate_bounds(&evaluation, lfirst(lc), econtext);
	foreach(lc, request->conditions)
		evaluate_condition(&evaluation, lfirst(lc), econtext);
	send_ranges(&evaluation);
	if (evaluation.fragment != NULL && request->source == SMF_FROM_SEARCH)
		add_filter(&evaluation, evaluation.contains->column->attribute,
				   filter_name(evaluation.contains), "Contains", evaluation.fragment);
	else
		spec->query.name_contains = evaluation.fragment;
	return !evaluation.impossible;
}
