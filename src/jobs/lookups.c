/*-------------------------------------------------------------------------
 *
 * lookups.c
 *		The jobs that a stream is told to look up, by name or by ARN.
 *
 * Each is described by its name, or by the name in its ARN.  If there is a cache, the
 * result is kept for streams that look up the same job.
 *
 * The name in an ARN may differ in case from the job's own name.  entry.c then asks
 * Search for the ARN.  If Search is denied, all jobs are listed here, and all wanted ARNs
 * are found in the same walk, so that there is one walk, however many ARNs there are.
 *
 * Not accounted for: the number of calls that this walk makes, one after another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "jobs/compare.h"
#include "jobs/document.h"
#include "jobs/lookups.h"
#include "utils/memutils.h"

struct JobLookups
{
	AwsClient  *client;			/* not ours */
	const JobStreamSpec *spec;	/* belongs to the stream */
	MemoryContext context;		/* the one in which it was created */
	ListCell   *next;			/* in spec->wanted: the next to look up, or NULL */
	bool		any_by_name;	/* is any wanted by its name alone? */
	bool		any_by_arn;		/* is any wanted by its ARN? */

	/* names of jobs wanted by their ARN, if Search is denied */
	JobWalk    *walk;			/* searches for them; NULL: not begun, or done */
	bool		listed;			/* the walk is done */
	int64		njobs_listed;	/* the number of jobs it listed */
	List	   *names_by_arn;	/* WantedJob *: ARN and the job's own name */
};

/*
 * smf_lookups_begin
 *		Look up the jobs in spec->wanted; allocated in the current memory context.
 */
JobLookups *
smf_lookups_begin(AwsClient *client, const JobStreamSpec *spec)
{
	JobLookups *lookups = palloc0(sizeof(JobLookups));
	ListCell   *lc;

	lookups->client = client;
	lookups->spec = spec;
	lookups->context = CurrentMemoryContext;
	lookups->next = list_head(spec->wanted);
	foreach(lc, spec->wanted)
	{
		if (((WantedJob *) lfirst(lc))->arn == NULL)
			lookups->any_by_name = true;
		else
			lookups->any_by_arn = true;
	}
	return lookups;
}

/* Abort calls in flight.  The rest is freed with the memory. */
void
smf_lookups_end(JobLookups *lookups)
{
	if (lookups->walk != NULL)
		smf_walk_end(lookups->walk);
	lookups->walk = NULL;
}

/* The cache key of a look-up: an ARN contains colons, a name does not. */
static const char *
wanted_key(const WantedJob *wanted)
{
	return wanted->arn ? wanted->arn : wanted->name;
}

/*
 * smf_lookups_next
 *		The next job to look up, with what the cache has about it (which belongs to the
 *		cache), or NULL.  Returns NULL after the last one.
 */
const WantedJob *
smf_lookups_next(JobLookups *lookups, const CachedJob **cached)
{
	const JobStreamSpec *spec = lookups->spec;
	const WantedJob *wanted;

	*cached = NULL;
	if (lookups->next == NULL)
		return NULL;
	wanted = lfirst(lookups->next);
	lookups->next = lnext(spec->wanted, lookups->next);
	if (spec->cache != NULL)
		*cached = smf_cache_find(spec->cache, wanted_key(wanted));
	return wanted;
}

/* ----- results ----- */

/*
 * smf_lookups_duplicate
 *		Is this job also the result of another look-up, which returns it?
 *
 * A name counts only in the job's own spelling, and a job that is wanted by name and by
 * ARN is returned once.
 */
bool
smf_lookups_duplicate(const JobLookups *lookups, const WantedJob *wanted, const Job *job)
{
	JsonbValue	name;
	ListCell   *lc;

	if (job->document == NULL ||
		!smf_document_member(&job->document->root, "TrainingJobName", &name) ||
		name.type != jbvString)
		return false;

	/*
	 * Describe finds a name in any case; the look-up with the job's own spelling returns
	 * it.
	 */
	if (wanted->arn == NULL)
		return !smf_jsonb_is_text(&name, wanted->name);

	/* A job that is also wanted by its name is returned by that look-up. */
	if (!lookups->any_by_name || !lookups->any_by_arn)
		return false;
	foreach(lc, lookups->spec->wanted)
	{
		const WantedJob *other = lfirst(lc);

		if (other->arn == NULL && smf_jsonb_is_text(&name, other->name))
			return true;
	}
	return false;
}

/*
 * smf_lookups_remember
 *		Store the result of the entry's look-up in the cache: a job, or NULL if there
 *		is none, because it does not exist or is not wanted.
 */
void
smf_lookups_remember(JobLookups *lookups, const JobEntry *entry, const Job *job)
{
	CachedJob	found = {0};

	if (lookups->spec->cache == NULL)
		return;
	/* it is in the cache already, except for tags that may have been listed now */
	if (entry->cached && (job == NULL || entry->tag_pages == NIL))
		return;
	if (job != NULL)
	{
		found.name = job->name;
		found.document = job->document;
		found.tags = job->tags;
	}
	else if (entry->unwanted)
	{
		found.name = entry->name;
		found.document = entry->document;
	}
	smf_cache_add(lookups->spec->cache, wanted_key(entry->wanted), &found);
}

/* ----- ARNs in the list ----- */

static void
begin_walk(JobLookups *lookups)
{
	MemoryContext old = MemoryContextSwitchTo(lookups->context);
	JobWalkSpec spec = {0};

	spec.operation = SMF_OP_LIST_TRAINING_JOBS;
	smf_job_query_init(&spec.query);
	spec.page_size = SMF_PAGE_SIZE_MAX;
	spec.attempts = lookups->spec->attempts;
	lookups->walk = smf_walk_begin(lookups->client, &spec);
	MemoryContextSwitchTo(old);
}

/* Keep the name of a listed job that is wanted by its ARN. */
static void
note_arn(JobLookups *lookups, const ListedJob *job)
{
	MemoryContext old = MemoryContextSwitchTo(lookups->context);
	ListCell   *lc;

	foreach(lc, lookups->spec->wanted)
	{
		const WantedJob *wanted = lfirst(lc);
		WantedJob  *found;

		if (wanted->arn == NULL || strcmp(wanted->arn, job->arn) != 0)
			continue;
		found = palloc(sizeof(WantedJob));
		found->name = pstrdup(job->name);
		found->arn = wanted->arn;
		lookups->names_by_arn = lappend(lookups->names_by_arn, found);
	}
	MemoryContextSwitchTo(old);
}

/*
 * smf_lookups_advance
 *		Move the walk for ARNs as far as it goes without waiting, if there is one.
 */
void
smf_lookups_advance(JobLookups *lookups)
{
	ListedJob	job;

	while (lookups->walk != NULL && smf_walk_state(lookups->walk) != SMF_WALK_CALLING)
	{
		smf_walk_shrink(lookups->walk);
		switch (smf_walk_state(lookups->walk))
		{
			case SMF_WALK_READY:
				smf_walk_ask(lookups->walk, smf_walk_page_size(lookups->walk));
				break;
			case SMF_WALK_ANSWERED:
			case SMF_WALK_FAILED:
				while (smf_walk_next(lookups->walk, &job))
					note_arn(lookups, &job);
				break;
			case SMF_WALK_DONE:
				lookups->njobs_listed = smf_walk_listed(lookups->walk);
				lookups->listed = true;
				smf_lookups_end(lookups);
				break;
			case SMF_WALK_CALLING:
				pg_unreachable();
		}
	}
}

/*
 * smf_lookups_find_arn
 *		Search the list for the entry's ARN: the entry continues when all jobs were
 *		listed.
 */
void
smf_lookups_find_arn(JobLookups *lookups, JobEntry *entry)
{
	const char *name = NULL;
	ListCell   *lc;

	if (!lookups->listed)
	{
		if (lookups->walk == NULL)
			begin_walk(lookups);
		return;
	}
	foreach(lc, lookups->names_by_arn)
	{
		WantedJob  *found = lfirst(lc);

		if (strcmp(found->arn, entry->wanted->arn) == 0 &&
			strcmp(found->name, entry->wanted->name) != 0)
			name = found->name;
	}
	smf_entry_rename(entry, name);
}

/* Number of jobs listed so far to search for ARNs. */
int64
smf_lookups_listed(const JobLookups *lookups)
{
	return lookups->walk ? smf_walk_listed(lookups->walk) : lookups->njobs_listed;
}
