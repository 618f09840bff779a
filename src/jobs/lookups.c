/*-------------------------------------------------------------------------
 *
 * lookups.c
 *		The jobs that a stream is told to look up, by name or by ARN.
 *
 * Each is described by its name, or by the one in its ARN.  What was found is
 * remembered for a stream that looks up the same job, if there is a cache.
 *
 * The name in an ARN may be spelled in another case than the job's own.  entry.c then
 * has Search look for the ARN.  Where Search is denied the jobs are listed here, until
 * the end, and all that are wanted by their ARN are found on the way, so that there is
 * one walk, however many ARNs there are.
 *
 * Not accounted for: how many calls that walk may make, which is one after another.
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
	const JobStreamSpec *spec;	/* the stream's */
	MemoryContext context;		/* that it was begun in */
	ListCell   *next;			/* in spec->wanted: the next to look up, or NULL */
	bool		any_by_name;	/* is one wanted by its name alone? */
	bool		any_by_arn;		/* is one by its ARN? */

	/* names of jobs wanted by their ARN, where Search is denied */
	JobWalk    *walk;			/* looks for them; NULL: not begun, or done */
	bool		listed;			/* it is done */
	int64		njobs_listed;	/* then */
	List	   *names_by_arn;	/* WantedJob *: ARN and the job's own name */
};

/*
 * smf_lookups_begin
 *		The jobs in spec->wanted, in the current memory context.
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

/* Break off what is in flight.  The rest goes with the memory. */
void
smf_lookups_end(JobLookups *lookups)
{
	if (lookups->walk != NULL)
		smf_walk_end(lookups->walk);
	lookups->walk = NULL;
}

/* What a look-up is remembered by: a name has no colon, an ARN has. */
static const char *
wanted_key(const WantedJob *wanted)
{
	return wanted->arn ? wanted->arn : wanted->name;
}

/*
 * smf_lookups_next
 *		The next job to look up, with what is remembered of it, or NULL; that is the
 *		cache's own.  NULL when all were given.
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

/* ----- what was found ----- */

/*
 * smf_lookups_duplicate
 *		Is what the look-up found a job that another look-up stands for?
 *
 * Only the spelling that was asked for counts, and who is wanted by name and by ARN is
 * one job.
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

	/* Describe finds a name in any case: the look-up of the job's own spelling stands for it. */
	if (wanted->arn == NULL)
		return !smf_jsonb_is_text(&name, wanted->name);

	/* A job that is wanted by its name, too, leaves by that look-up. */
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
 *		Remember what the entry's look-up found: a job, or NULL when it leaves none, since
 *		there is none or it is not wanted.
 */
void
smf_lookups_remember(JobLookups *lookups, const JobEntry *entry, const Job *job)
{
	CachedJob	found = {0};

	if (lookups->spec->cache == NULL)
		return;
	/* the cache has it, but for its tags, which it may have been asked for now */
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
 *		Move the walk for ARNs on as far as it goes without waiting, if there is one.
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
 *		Look in the list for the entry's ARN: it goes on when all was listed.
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

/* Jobs that were listed so far, to look for ARNs among them. */
int64
smf_lookups_listed(const JobLookups *lookups)
{
	return lookups->walk ? smf_walk_listed(lookups->walk) : lookups->njobs_listed;
}
