/*-------------------------------------------------------------------------
 *
 * wanted.c
 *		Sets of jobs to look up, by name or by ARN.
 *
 * A name and an ARN are never compared, because the name in an ARN may differ in case
 * from the job's own name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/wanted.h"
#include "jobs/job_name.h"

/*
 * smf_wanted_add
 *		Add the job that a value, which is kept, identifies through an attribute: name
 *		or ARN.
 *
 * Does nothing if no job in the region and the account (NULL: any) can have it.  Returns
 * the list (of WantedJob *).
 */
List *
smf_wanted_add(List *wanted, const SmfAttribute *attribute, char *value, const char *region,
			   const char *account_id)
{
	WantedJob  *job = palloc0(sizeof(WantedJob));

	if (strcmp(attribute->api_name, "TrainingJobArn") == 0)
	{
		job->name = smf_training_job_arn_name(value, region, account_id);
		job->arn = value;
	}
	else if (smf_training_job_name_valid(value))
		job->name = value;
	return job->name != NULL ? lappend(wanted, job) : wanted;
}

static int
compare_wanted(const ListCell *a, const ListCell *b)
{
	const WantedJob *job = lfirst(a);
	const WantedJob *other = lfirst(b);

	/* an ARN contains colons and a name does not, so they are never equal */
	return strcmp(job->arn ? job->arn : job->name, other->arn ? other->arn : other->name);
}

/*
 * smf_wanted_distinct
 *		The list, sorted and without duplicates.
 */
List *
smf_wanted_distinct(List *wanted)
{
	List	   *distinct = NIL;
	ListCell   *lc;
	ListCell   *last = NULL;

	list_sort(wanted, compare_wanted);
	foreach(lc, wanted)
	{
		if (last == NULL || compare_wanted(last, lc) != 0)
			distinct = lappend(distinct, lfirst(lc));
		last = lc;
	}
	return distinct;
}

/* The jobs that are in both lists, which must be sorted. */
static List *
common_wanted(List *some, List *others)
{
	List	   *common = NIL;
	ListCell   *lc = list_head(some);
	ListCell   *other = list_head(others);

	while (lc != NULL && other != NULL)
	{
		int			order = compare_wanted(lc, other);

		if (order == 0)
			common = lappend(common, lfirst(lc));
		if (order <= 0)
			lc = lnext(some, lc);
		if (order >= 0)
			other = lnext(others, other);
	}
	return common;
}

/* Do both lists contain only names, or only ARNs? */
static bool
same_kind(List *some, List *others)
{
	bool		names = false;
	bool		arns = false;
	ListCell   *lc;

	foreach(lc, list_concat_copy(some, others))
	{
		if (((WantedJob *) lfirst(lc))->arn == NULL)
			names = true;
		else
			arns = true;
	}
	return !(names && arns);
}

/*
 * smf_wanted_by_both
 *		The jobs that are in both lists, which must not contain duplicates.
 *
 * If one list has names and the other ARNs, this cannot be decided before the jobs are
 * looked up: then the result is the shorter list.
 */
List *
smf_wanted_by_both(List *some, List *others)
{
	if (same_kind(some, others))
		return common_wanted(some, others);
	return list_length(others) < list_length(some) ? others : some;
}
