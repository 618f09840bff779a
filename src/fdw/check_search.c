/*-------------------------------------------------------------------------
 *
 * check_search.c
 *		sagemaker_fdw_check_search: compares Search with DescribeTrainingJob.
 *
 *		list --jobs that have ended--> Search, by names --records of the version that
 *		is listed--> Describe and ListTags --> compared, attribute by attribute
 *
 * It uses Search and the proof like a scan with scan_api 'auto' (jobs/batch.c,
 * jobs/proof.c), so that it finds what such a scan would find, but it compares every job.
 * If nothing can be compared it says why, because a table of zeros would look like a
 * table without differences.
 *
 * Not accounted for: the result is shown only to the caller.  Scans find out for
 * themselves whether to trust Search (jobs/trust.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/call_error.h"
#include "fdw/role.h"
#include "fdw/scan.h"
#include "fmgr.h"
#include "funcapi.h"
#include "http/http.h"
#include "jobs/document.h"
#include "jobs/operation.h"
#include "jobs/proof.h"
#include "jobs/stream.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

extern PGDLLEXPORT Datum sagemaker_fdw_check_search(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_check_search);

/* A job that Search is asked for. */
typedef struct CheckedJob
{
	WantedJob	listed;			/* the job as listed */
	bool		found;			/* Search has a record of it */
	Jsonb	   *record;			/* its record of the listed version, valid as long as the
								 * batch; or NULL */
	AttributeSet obstacles;		/* if found without such a record: why not */
	bool		rounded;		/* if found without such a record: only its times differ,
								 * because they are less precise than the list's */
} CheckedJob;

/* Results for one attribute over the jobs that were compared. */
typedef struct Tally
{
	int			same;
	int			differs;
	int			only_describe;
	int			only_search;
	const char *example;		/* a job in which the attribute differs; NULL: none */
} Tally;

/* One call of the function. */
typedef struct SearchCheck
{
	SmfSettings *settings;		/* of the server */
	AwsClient  *client;
	MemoryContext batch_context;	/* reset for each batch */
	Progress   *progress;		/* what others see */
	ProgressNotices notices;	/* what the caller sees during the call */
	int64		attempts[SMF_JOB_OPERATIONS];	/* requests sent, by operation */

	/* parameters and state */
	int			njobs;			/* jobs that the caller wants compared */
	int			batch_size;		/* jobs per Search */
	bool		by_span;		/* Search does not accept names: use time spans */
	bool		tags_denied;	/* tags cannot be compared */

	/* number of jobs at each stage */
	int			nlisted;
	int			nasked;			/* that qualify for Search */
	int			nfound;
	int			nproved;		/* with a record of the listed version */
	int			nrounded;		/* found, but only with less precise times */
	int			nchanged;		/* that had another version when described than when listed */
	int			ngone;			/* deleted after they were listed */
	int			ncompared;
	int			nobstacles[64]; /* by attribute: found, but not of the listed version */
	Tally		tallies[64];	/* by attribute */
} SearchCheck;

/* Is the attribute compared? */
static bool
is_compared(const SmfAttribute *attribute)
{
	return attribute->in_search && attribute->kind <= SMF_KIND_TAGS;
}

/* ----- waiting ----- */

/*
 * Wait for any event after those counted in "events", and tell the caller about the
 * progress now and then.
 */
static void
wait_for_event(SearchCheck *check, uint64 events)
{
	int64		next_us = smf_progress_notify(&check->notices, check->ncompared, check->nlisted);

	if (next_us != 0)
		smf_client_wake_at(check->client, next_us);
	smf_client_wait(check->client, events);
}

/* Wait until Search has answered. */
static void
wait_for_search(SearchCheck *check, const AwsCall *call)
{
	for (;;)
	{
		uint64		events = smf_http_events();

		if (smf_call_done(call))
			break;
		smf_progress_show_wait(check->progress, call, SMF_OP_SEARCH);
		wait_for_event(check, events);
	}
	smf_progress_show_wait(check->progress, NULL, 0);
}

/* The stream's next job; false when there are no more. */
static bool
next_job(SearchCheck *check, JobStream *stream, Job *job)
{
	for (;;)
	{
		uint64		events = smf_http_events();
		JobStreamResult result = smf_stream_try_next(stream, job);

		if (result != SMF_STREAM_WAIT)
			return result == SMF_STREAM_JOB;
		wait_for_event(check, events);
	}
}

static void
init_spec(SearchCheck *check, JobStreamSpec *spec, JobSource source)
{
	memset(spec, 0, sizeof(JobStreamSpec));
	spec->source = source;
	smf_job_query_init(&spec->query);
	spec->label = check->settings->server_name;
	spec->fetch_size = check->settings->fetch_size;
	spec->max_concurrency = check->settings->max_concurrency;
	spec->attempts = check->attempts;
	spec->progress = check->progress;
	spec->estimated = -1;
}

/* ----- listing jobs ----- */

/* A JobStillWanted: is this one of the jobs to ask Search for? */
static bool
is_wanted(void *arg, const Job *job, JobTier tier)
{
	SearchCheck *check = arg;
	bool		wanted;

	/* there are enough: ignore the rest of the page */
	if (check->nasked == check->njobs)
		return false;
	wanted = smf_proof_may_ask(&job->summary->root, job->date_s);
	check->nlisted++;
	check->nasked += wanted;
	return wanted;
}

/* The newest jobs that qualify for Search: a list of CheckedJob *. */
static List *
list_jobs(SearchCheck *check)
{
	JobStreamSpec spec;
	JobStream  *stream;
	Job			job;
	List	   *jobs = NIL;

	init_spec(check, &spec, SMF_FROM_LIST);
	spec.narrowed = true;
	spec.still_wanted = is_wanted;
	spec.still_wanted_arg = check;
	spec.still_wanted_tier[SMF_TIER_LISTED] = true;
	spec.bound = check->njobs;
	stream = smf_stream_begin(check->client, &spec);
	while (list_length(jobs) < check->njobs && next_job(check, stream, &job))
	{
		CheckedJob *checked = palloc0(sizeof(CheckedJob));

		checked->listed.name = pstrdup(job.name);
		checked->listed.listed_arn = pstrdup(job.arn);
		checked->listed.summary = (Jsonb *) memcpy(palloc(VARSIZE(job.summary)), job.summary,
												   VARSIZE(job.summary));
		checked->listed.date_s = job.date_s;
		jobs = lappend(jobs, checked);
	}
	smf_stream_end(stream);
	return jobs;
}

/* ----- Search ----- */

/* Start the Search for a batch, in the form that the service accepts. */
static AwsCall *
start_search(SearchCheck *check, CheckedJob **batch, int n)
{
	const char *names[SMF_SEARCH_JOBS_MAX];
	int64		first_s = PG_INT64_MAX;
	int64		last_s = PG_INT64_MIN;

	for (int i = 0; i < n; i++)
	{
		int64		created_s = smf_document_created(&batch[i]->listed.summary->root);

		names[i] = batch[i]->listed.name;
		first_s = Min(first_s, created_s);
		last_s = Max(last_s, created_s + 1);
	}
	return check->by_span ? smf_start_span_search(check->client, first_s, last_s, check->attempts) :
		smf_start_names_search(check->client, names, n, check->attempts);
}

/* The batch's job with this name, or NULL. */
static CheckedJob *
find_job(CheckedJob **batch, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(batch[i]->listed.name, name) == 0)
			return batch[i];
	}
	return NULL;
}

/* Does the record differ from the summary only in times that are less precise? */
static bool
is_rounded(JsonbContainer *summary, JsonbContainer *record, AttributeSet obstacles)
{
	for (int i = 0; i < smf_nattributes; i++)
	{
		if ((obstacles & smf_attribute_bit(&smf_attributes[i])) != 0 &&
			smf_attributes[i].kind != SMF_KIND_TIMESTAMP)
			return false;
	}
	return smf_proof_same_version(summary, record);
}

/*
 * Give each of the batch's jobs its first record of the listed version; there may also be
 * records of older versions.
 */
static void
take_records(CheckedJob **batch, int n, AwsCall *call)
{
	Jsonb	   *response = smf_document_parse(call);
	JsonbContainer *results = smf_document_list(call, response, "Results");
	int			nresults = results ? JsonContainerSize(results) : 0;

	smf_call_count_rows(call, nresults);
	for (int i = 0; i < nresults; i++)
	{
		JsonbValue *result = getIthJsonbValueFromContainer(results, i);
		JsonbValue	record;
		JsonbContainer *summary;
		CheckedJob *job;
		AttributeSet obstacles;

		smf_document_object(call, result->val.binary.data, "TrainingJob", &record);
		job = find_job(batch, n, smf_document_required(call, record.val.binary.data, "TrainingJobName"));
		if (job == NULL || job->record != NULL)
			continue;
		summary = &job->listed.summary->root;
		obstacles = smf_proof_obstacles(summary, record.val.binary.data);
		if (obstacles == 0)
			job->record = JsonbValueToJsonb(&record);
		else if (!job->found)
		{
			job->obstacles = obstacles;
			job->rounded = is_rounded(summary, record.val.binary.data, obstacles);
		}
		job->found = true;
	}
}

/* Count the results for a batch. */
static void
count_records(SearchCheck *check, CheckedJob **batch, int n)
{
	for (int i = 0; i < n; i++)
	{
		const CheckedJob *job = batch[i];

		check->nfound += job->found;
		check->nproved += job->record != NULL;
		if (job->record != NULL)
			continue;
		check->nrounded += job->rounded;
		for (int j = 0; j < smf_nattributes; j++)
			check->nobstacles[j] += (job->obstacles & smf_attribute_bit(&smf_attributes[j])) != 0;
	}
}

/*
 * Ask Search for a batch.  False if it must be asked again, for fewer jobs or in the
 * other form.  It is an error if Search is denied, or accepts neither form.
 */
static bool
search_batch(SearchCheck *check, CheckedJob **batch, int n)
{
	AwsCall    *call = start_search(check, batch, n);
	bool		answered;

	wait_for_search(check, call);
	answered = !smf_call_failed(call);
	if (answered)
	{
		take_records(batch, n, call);
		count_records(check, batch, n);
	}
	else if (smf_call_too_large(call) && n > 1)
		check->batch_size = n / 2;
	else if (!check->by_span && !smf_call_denied(call) && smf_search_not_taken(smf_call_error(call)))
		check->by_span = true;
	else
		smf_call_raise(call);
	smf_call_free(call);
	return answered;
}

/* ----- Describe and ListTags ----- */

/* Count an attribute of one job; "described" and "searched" say where it is present. */
static void
count_attribute(Tally *tally, const char *name, bool described, bool searched, bool differs)
{
	if (described && searched)
	{
		tally->differs += differs;
		tally->same += !differs;
	}
	else
	{
		tally->only_describe += described;
		tally->only_search += searched;
	}
	if (tally->example == NULL && (described != searched || (described && differs)))
		tally->example = name;
}

/* Compare a job's record with its document and its tags. */
static void
compare_job(SearchCheck *check, const CheckedJob *checked, const Job *job)
{
	JsonbContainer *document = &job->document->root;
	JsonbContainer *record = &checked->record->root;
	AttributeSet described = smf_proof_present(document);
	AttributeSet searched = smf_proof_present(record);
	AttributeSet differing = smf_proof_differences(document, record, described & searched);

	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *attribute = &smf_attributes[i];
		AttributeSet bit = smf_attribute_bit(attribute);
		Tally	   *tally = &check->tallies[i];

		if (attribute->kind < SMF_KIND_TAGS)
			count_attribute(tally, checked->listed.name, (described & bit) != 0,
							(searched & bit) != 0, (differing & bit) != 0);
		else if (attribute->kind == SMF_KIND_TAGS && job->tags != NULL)
		{
			/* for a job without tags, this is an empty object */
			JsonbContainer *tags = &job->tags->root;
			JsonbContainer *record_tags = &smf_document_record_tags(checked->record)->root;

			count_attribute(tally, checked->listed.name, JsonContainerSize(tags) > 0,
							JsonContainerSize(record_tags) > 0,
							compareJsonbContainers(tags, record_tags) != 0);
		}
	}
	check->ncompared++;
}

/* Describe the jobs of a batch that have a record, and compare them. */
static void
describe_batch(SearchCheck *check, CheckedJob **batch, int n)
{
	JobStreamSpec spec;
	JobStream  *stream;
	Job			job;
	int			ndescribed = 0;

	init_spec(check, &spec, SMF_FROM_NAMES);
	for (int i = 0; i < n; i++)
	{
		if (batch[i]->record != NULL)
			spec.wanted = lappend(spec.wanted, &batch[i]->listed);
	}
	spec.want_document = true;
	spec.want_tags = !check->tags_denied;
	spec.tags_optional = true;
	stream = smf_stream_begin(check->client, &spec);
	while (next_job(check, stream, &job))
	{
		CheckedJob *checked = find_job(batch, n, job.name);

		/* a job that has changed since it was listed says nothing about Search */
		ndescribed++;
		if (smf_proof_same_version(&checked->listed.summary->root, &job.document->root))
			compare_job(check, checked, &job);
		else
			check->nchanged++;
	}
	check->tags_denied |= smf_stream_tags_denied(stream);
	check->ngone += list_length(spec.wanted) - ndescribed;
	smf_stream_end(stream);
}

/* Compare the jobs, batch by batch. */
static void
compare_jobs(SearchCheck *check, List *jobs)
{
	int			first = 0;

	while (first < list_length(jobs))
	{
		CheckedJob *batch[SMF_SEARCH_JOBS_MAX];
		int			n = Min(list_length(jobs) - first, check->batch_size);
		MemoryContext old = MemoryContextSwitchTo(check->batch_context);

		for (int i = 0; i < n; i++)
			batch[i] = list_nth(jobs, first + i);
		if (search_batch(check, batch, n))
		{
			describe_batch(check, batch, n);
			first += n;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(check->batch_context);
	}
}

/* ----- the report ----- */

/* Why records are not of the listed version. */
static void
append_obstacles(StringInfo detail, const SearchCheck *check)
{
	const char *before = "\nNot of that version because of ";

	for (int i = 0; i < smf_nattributes; i++)
	{
		if (check->nobstacles[i] == 0)
			continue;
		appendStringInfo(detail, "%s%s (%d)", before, smf_attributes[i].api_name, check->nobstacles[i]);
		before = ", ";
	}
	if (check->nrounded > 0)
		appendStringInfo(detail, "; by fractions of a second alone: %d", check->nrounded);
	if (check->nfound > check->nproved)
		appendStringInfoChar(detail, '.');
}

/* Which attributes differ, with an example of each. */
static void
append_examples(StringInfo detail, const SearchCheck *check)
{
	const char *before = "\nNot the same, and the newest job that shows it: ";
	bool		any = false;

	for (int i = 0; i < smf_nattributes; i++)
	{
		if (!is_compared(&smf_attributes[i]) || check->tallies[i].example == NULL)
			continue;
		appendStringInfo(detail, "%s%s (%s)", before, smf_attributes[i].api_name, check->tallies[i].example);
		before = ", ";
		any = true;
	}
	if (any)
		appendStringInfoChar(detail, '.');
}

/* How many jobs reached each stage, and why not all. */
static char *
describe_course(const SearchCheck *check)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "Jobs listed: %d; ended, and unchanged for an hour: %d; found by Search: %d; of the version that is listed: %d.",
					 check->nlisted, check->nasked, check->nfound, check->nproved);
	append_obstacles(&detail, check);
	append_examples(&detail, check);
	if (check->nchanged > 0)
		appendStringInfo(&detail, "\nDescribed as another version than the listed one: %d.", check->nchanged);
	if (check->ngone > 0)
		appendStringInfo(&detail, "\nDeleted since they were listed: %d.", check->ngone);
	if (check->by_span)
		appendStringInfoString(&detail, "\nSearch does not take names, and was asked for spans of time.");
	if (check->tags_denied)
		appendStringInfoString(&detail, "\nTags were not compared: AWS denies ListTags.");
	return detail.data;
}

/* Why nothing was compared.  A constant. */
static const char *
explain_nothing(const SearchCheck *check)
{
	if (check->nlisted == 0)
		return "There are no training jobs in the region.";
	if (check->nasked == 0)
		return "Search is asked for jobs that are Completed, Failed or Stopped, and have not changed for an hour. Repeat the check when there are some.";
	if (check->nfound == 0)
		return "Search does not know these jobs. Leave scan_api 'describe', and repeat the check later.";
	if (check->nproved == 0 && check->nrounded == check->nfound)
		return "ListTrainingJobs and Search tell times with different precision, so that no record can be proved to be up to date. Leave scan_api 'describe'.";
	if (check->nproved == 0)
		return "Search is behind, or tells other versions of these jobs. Leave scan_api 'describe', and repeat the check later.";
	return "The jobs have changed since they were listed. Repeat the check.";
}

/* Report what was compared, and what was not. */
static void
report(const SearchCheck *check)
{
	ereport(NOTICE,
			(errmsg("training jobs of server \"%s\" that were compared: %d of %d",
					check->settings->server_name, check->ncompared, check->nasked),
			 errdetail_internal("%s", describe_course(check)),
			 check->ncompared == 0 ? errhint("%s", explain_nothing(check)) : 0));
}

/* Return a row for each attribute. */
static void
put_rows(const SearchCheck *check, ReturnSetInfo *result)
{
	for (int i = 0; i < smf_nattributes; i++)
	{
		const Tally *tally = &check->tallies[i];
		Datum		values[6];
		bool		nulls[6] = {false, false, false, false, false, false};

		if (!is_compared(&smf_attributes[i]))
			continue;
		values[0] = CStringGetTextDatum(smf_attributes[i].api_name);
		values[1] = Int32GetDatum(tally->same + tally->differs + tally->only_describe + tally->only_search);
		values[2] = Int32GetDatum(tally->same);
		values[3] = Int32GetDatum(tally->differs);
		values[4] = Int32GetDatum(tally->only_describe);
		values[5] = Int32GetDatum(tally->only_search);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Read the number of jobs, and check that a server is given. */
static int
read_arguments(FunctionCallInfo fcinfo)
{
	int			njobs;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be NULL", PG_ARGISNULL(0) ? "server" : "jobs")));
	njobs = PG_GETARG_INT32(1);
	if (njobs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("jobs must be at least 1")));
	return njobs;
}

/*
 * sagemaker_fdw_check_search(server name, jobs integer DEFAULT 20)
 *		A row for each attribute that Search has: whether it agrees with
 *		DescribeTrainingJob for the newest jobs that have ended.  No rows if no job
 *		could be compared.
 */
Datum
sagemaker_fdw_check_search(PG_FUNCTION_ARGS)
{
	Oid			userid = GetUserId();
	SearchCheck *check;
	MemoryContext context;
	MemoryContext old;
	ForeignServer *server;
	int			njobs;

	/* Check what can be checked without a call. */
	njobs = read_arguments(fcinfo);
	server = smf_role_server(NameStr(*PG_GETARG_NAME(0)), userid);
	InitMaterializedSRF(fcinfo, 0);

	/*
	 * The client, and what others see of this, are freed with the context, also after an
	 * error.
	 */
	context = AllocSetContextCreate(CurrentMemoryContext, "sagemaker_fdw check", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	check = palloc0(sizeof(SearchCheck));
	check->batch_context = AllocSetContextCreate(context, "sagemaker_fdw batch", ALLOCSET_DEFAULT_SIZES);
	check->njobs = njobs;
	check->batch_size = SMF_SEARCH_JOBS_MAX;
	check->settings = smf_settings_resolve(server, NULL);
	check->progress = smf_progress_begin(server->serverid);
	check->notices.label = check->settings->server_name;
	check->notices.interval_us = smf_progress_interval_ms * INT64CONST(1000);
	check->notices.attempts = check->attempts;
	check->client = smf_role_client(check->settings, userid);
	smf_client_limit_hint(check->client, "Check fewer jobs, or raise sagemaker_fdw.max_calls.");

	/* Compare, and report. */
	compare_jobs(check, list_jobs(check));
	report(check);
	if (check->ncompared > 0)
		put_rows(check, (ReturnSetInfo *) fcinfo->resultinfo);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
