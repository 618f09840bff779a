/*-------------------------------------------------------------------------
 *
 * progress.c
 *		The progress of the scans that are running.
 *
 * Each scan has a slot in memory that sessions share, if they can: see shared.c.  A scan
 * takes and releases its slot under the lock; in between it writes its counts, and others
 * read them, without the lock.  Each session has a limited number of slots, so that there
 * is always one for it, whatever others do; scans beyond that run unseen.
 *
 * A slot is released with the memory that the scan lives in, or when the process ends if
 * that is earlier.  After a backend has crashed, all shared memory is initialized again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/shared.h"
#include "http/http.h"
#include "jobs/progress.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

/* Most slots per session. */
#define SLOTS_A_SESSION 16

/* The number of jobs is not known. */
#define NOT_KNOWN PG_UINT64_MAX

/* Values of waiting_on.  The operations follow after the last one. */
typedef enum WaitingOn
{
	WAITING_ON_NOTHING,
	WAITING_ON_TURN,
	WAITING_ON_BACKOFF,
	WAITING_ON_CREDENTIALS,
	WAITING_ON_CONNECTION,
	WAITING_ON_ANSWER			/* plus the JobOperation */
} WaitingOn;

/* In shared memory. */
typedef struct ProgressSlot
{
	/* written under the lock, by the session that takes it */
	int			pid;			/* 0: the slot is free */
	Oid			databaseid;
	Oid			userid;
	Oid			serverid;
	TimestampTz started_at;

	/* written by its owner at any time */
	pg_atomic_uint32 operation; /* JobOperation */
	pg_atomic_uint32 waiting_on;
	pg_atomic_uint64 counts[SMF_PROGRESS_COUNTS];
	pg_atomic_uint64 estimated; /* or NOT_KNOWN */
} ProgressSlot;

typedef struct ProgressBody
{
	int			nslots;
	ProgressSlot slots[FLEXIBLE_ARRAY_MEMBER];
} ProgressBody;

struct Progress
{
	MemoryContextCallback callback; /* releases the slot */
	ProgressSlot *slot;			/* NULL: none */
};

static int
number_of_slots(bool shared)
{
	return shared ? SLOTS_A_SESSION * MaxBackends : SLOTS_A_SESSION;
}

static size_t
progress_size(const SharedPart *part, bool shared)
{
	return offsetof(ProgressBody, slots) + number_of_slots(shared) * sizeof(ProgressSlot);
}

static void
progress_init(const SharedPart *part, void *memory, bool shared)
{
	ProgressBody *body = memory;

	body->nslots = number_of_slots(shared);
	for (int i = 0; i < body->nslots; i++)
	{
		ProgressSlot *slot = &body->slots[i];

		memset(slot, 0, sizeof(ProgressSlot));
		pg_atomic_init_u32(&slot->operation, 0);
		pg_atomic_init_u32(&slot->waiting_on, 0);
		pg_atomic_init_u64(&slot->estimated, 0);
		for (int j = 0; j < SMF_PROGRESS_COUNTS; j++)
			pg_atomic_init_u64(&slot->counts[j], 0);
	}
}

static SharedPart progress_part = {
	.name = "sagemaker_fdw progress 2",
	.size = progress_size,
	.init = progress_init
};

/* Number of slots that this session has. */
static int	nmine = 0;

/* Request the shared memory when the library is loaded. */
void
smf_progress_reserve(void)
{
	smf_shared_reserve(&progress_part);
}

/* The process ends: release all remaining slots. */
static void
give_all_back(int code, Datum arg)
{
	ProgressBody *body = progress_part.body;

	smf_shared_lock(&progress_part, LW_EXCLUSIVE);
	for (int i = 0; i < body->nslots; i++)
	{
		if (body->slots[i].pid == MyProcPid)
			body->slots[i].pid = 0;
	}
	smf_shared_unlock(&progress_part);
}

/* A memory context callback. */
static void
give_back(void *arg)
{
	smf_progress_end(arg);
}

/* Take a free slot; NULL if the session has its maximum. */
static ProgressSlot *
take_slot(Oid serverid, TimestampTz now)
{
	ProgressBody *body = progress_part.body;
	ProgressSlot *slot = NULL;

	if (nmine == SLOTS_A_SESSION)
		return NULL;
	smf_shared_lock(&progress_part, LW_EXCLUSIVE);
	for (int i = 0; i < body->nslots && slot == NULL; i++)
	{
		if (body->slots[i].pid == 0)
			slot = &body->slots[i];
	}
	if (slot != NULL)
	{
		nmine++;
		slot->pid = MyProcPid;
		slot->databaseid = MyDatabaseId;
		slot->userid = GetSessionUserId();
		slot->serverid = serverid;
		slot->started_at = now;
		pg_atomic_write_u32(&slot->operation, 0);
		pg_atomic_write_u32(&slot->waiting_on, WAITING_ON_NOTHING);
		pg_atomic_write_u64(&slot->estimated, 0);
		for (int i = 0; i < SMF_PROGRESS_COUNTS; i++)
			pg_atomic_write_u64(&slot->counts[i], 0);
	}
	smf_shared_unlock(&progress_part);
	return slot;
}

/*
 * smf_progress_begin
 *		Show a scan of the server to others, until smf_progress_end or the end of the
 *		current memory context.
 */
Progress *
smf_progress_begin(Oid serverid)
{
	static bool registered = false;
	Progress   *progress = palloc0(sizeof(Progress));

	smf_shared_attach(&progress_part);
	if (!registered)
		before_shmem_exit(give_all_back, (Datum) 0);
	registered = true;
	progress->callback.func = give_back;
	progress->callback.arg = progress;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &progress->callback);
	progress->slot = take_slot(serverid, GetCurrentTimestamp());
	return progress;
}

/* The scan has ended.  NULL is ignored, here and below. */
void
smf_progress_end(Progress *progress)
{
	if (progress == NULL || progress->slot == NULL)
		return;
	smf_shared_lock(&progress_part, LW_EXCLUSIVE);
	/* it may have been released already at process end, and belong to another session */
	if (progress->slot->pid == MyProcPid)
	{
		progress->slot->pid = 0;
		nmine--;
	}
	smf_shared_unlock(&progress_part);
	progress->slot = NULL;
}

/*
 * smf_progress_source
 *		The scan starts, or starts again, with jobs that the operation lists.
 *		"estimated" more of them are expected; negative: not known.
 */
void
smf_progress_source(Progress *progress, JobOperation operation, int64 estimated)
{
	uint64		before;

	if (progress == NULL || progress->slot == NULL)
		return;
	pg_atomic_write_u32(&progress->slot->operation, operation);
	before = pg_atomic_read_u64(&progress->slot->estimated);
	pg_atomic_write_u64(&progress->slot->estimated,
						estimated < 0 || before == NOT_KNOWN ? NOT_KNOWN : before + estimated);
}

/* Add to a count. */
void
smf_progress_count(Progress *progress, ProgressCount what, int64 n)
{
	if (progress != NULL && progress->slot != NULL)
		pg_atomic_fetch_add_u64(&progress->slot->counts[what], n);
}

/* Show that the scan waits for a call of the operation; NULL: for nothing any more. */
void
smf_progress_show_wait(Progress *progress, const AwsCall *call, JobOperation operation)
{
	uint32		what = WAITING_ON_NOTHING;

	if (progress == NULL || progress->slot == NULL)
		return;
	switch (call ? smf_call_state(call) : SMF_CALL_DONE)
	{
		case SMF_CALL_WAITS_FOR_TURN:
			what = WAITING_ON_TURN;
			break;
		case SMF_CALL_BACKS_OFF:
			what = WAITING_ON_BACKOFF;
			break;
		case SMF_CALL_WAITS_FOR_CONNECTION:
			what = WAITING_ON_CONNECTION;
			break;
		case SMF_CALL_WAITS_FOR_CREDENTIALS:
			what = WAITING_ON_CREDENTIALS;
			break;
		case SMF_CALL_IN_FLIGHT:
			what = WAITING_ON_ANSWER + operation;
			break;
		case SMF_CALL_DONE:
			break;
	}
	pg_atomic_write_u32(&progress->slot->waiting_on, what);
}

static const char *
waiting_on_text(uint32 what)
{
	switch (what)
	{
		case WAITING_ON_NOTHING:
			return NULL;
		case WAITING_ON_TURN:
			return "rate limit";
		case WAITING_ON_BACKOFF:
			return "retry delay";
		case WAITING_ON_CREDENTIALS:
			return "credentials";
		case WAITING_ON_CONNECTION:
			return "connection";
		default:
			return smf_operation_name(what - WAITING_ON_ANSWER);
	}
}

/*
 * The scans running in this database, as far as this session can see: palloc'ed, with
 * their number.
 */
ProgressRow *
smf_progress_read(int *n)
{
	ProgressBody *body;
	ProgressRow *rows;

	smf_shared_attach(&progress_part);
	body = progress_part.body;
	rows = palloc(body->nslots * sizeof(ProgressRow));
	*n = 0;
	smf_shared_lock(&progress_part, LW_SHARED);
	for (int i = 0; i < body->nslots; i++)
	{
		ProgressSlot *slot = &body->slots[i];
		ProgressRow *row = &rows[*n];
		uint64		estimated = pg_atomic_read_u64(&slot->estimated);

		if (slot->pid == 0 || slot->databaseid != MyDatabaseId)
			continue;
		row->pid = slot->pid;
		row->userid = slot->userid;
		row->serverid = slot->serverid;
		row->started_at = slot->started_at;
		row->operation = pg_atomic_read_u32(&slot->operation);
		row->waiting_on = waiting_on_text(pg_atomic_read_u32(&slot->waiting_on));
		row->estimated = estimated == NOT_KNOWN ? -1 : (int64) estimated;
		for (int j = 0; j < SMF_PROGRESS_COUNTS; j++)
			row->counts[j] = (int64) pg_atomic_read_u64(&slot->counts[j]);
		(*n)++;
	}
	smf_shared_unlock(&progress_part);
	return rows;
}

/*
 * smf_progress_notify
 *		Tell the user about the progress of a scan, if a notice is due.
 *
 * The notice has only numbers, because a user who reads through row security or a view
 * may not be allowed to see any of these jobs.  Returns when the next notice is due, in
 * terms of smf_http_now(), or 0 for never.
 */
int64
smf_progress_notify(ProgressNotices *notices, int64 njobs_read, int64 njobs_listed)
{
	int64		now_us = smf_http_now();
	int64		calls = 0;

	if (notices->interval_us == 0)
		return 0;
	if (notices->started_us == 0)
	{
		notices->started_us = now_us;
		notices->next_us = now_us + notices->interval_us;
	}
	if (now_us < notices->next_us)
		return notices->next_us;

	for (int i = 0; i < SMF_JOB_OPERATIONS; i++)
		calls += notices->attempts[i];
	ereport(NOTICE,
			(errmsg("reading %s: " INT64_FORMAT " jobs read of " INT64_FORMAT " listed so far, "
					INT64_FORMAT " calls, %.1f calls a second",
					notices->label, njobs_read, njobs_listed, calls,
					calls / ((now_us - notices->started_us) / 1e6)),
			 notices->estimated > 0 ?
			 errdetail("According to statistics there are about " INT64_FORMAT " jobs.", notices->estimated) : 0,
			 notices->calls_by_search > 0 ?
			 errhint("With scan_api 'auto' it would take about " INT64_FORMAT " calls.", notices->calls_by_search) : 0));
	notices->next_us = now_us + notices->interval_us;
	return notices->next_us;
}
