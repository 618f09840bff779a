/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Memory that the sessions of the cluster share, where they can.
 *
 * With the library in shared_preload_libraries the memory is requested when the
 * cluster starts.  Otherwise it is found by name where Postgres can do that (from
 * version 17), and else each session has its own: what is built on it works the
 * same, and only sees less.
 *
 * Locks are held for moments: nobody waits, allocates or raises an error meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/shared.h"
#include "compat/aws.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* What stands before a part's body in shared memory. */
typedef struct SharedHead
{
	int			tranche;		/* the lock's */
	LWLock		lock;
} SharedHead;

#define HEAD_SIZE SMF_SHARED_ALIGN(sizeof(SharedHead))

static SharedPart *parts = NULL;	/* all that were asked for */
static shmem_request_hook_type next_request_hook = NULL;
static shmem_startup_hook_type next_startup_hook = NULL;

static size_t
segment_size(const SharedPart *part)
{
	return HEAD_SIZE + part->size(part, true);
}

static void
init_segment(const SharedPart *part, void *segment)
{
	SharedHead *head = segment;

	head->tranche = smf_new_tranche(part->name);
	LWLockInitialize(&head->lock, head->tranche);
	part->init(part, (char *) segment + HEAD_SIZE, true);
}

/* The callback of a named segment. */
static void
init_part(void *segment, void *part)
{
	init_segment(part, segment);
}

static void
use_segment(SharedPart *part, void *segment)
{
	SharedHead *head = segment;

	smf_name_tranche(head->tranche, part->name);
	part->shared = true;
	part->lock = &head->lock;
	part->body = (char *) segment + HEAD_SIZE;
}

static void
request_segments(void)
{
	if (next_request_hook != NULL)
		next_request_hook();
	for (SharedPart *part = parts; part != NULL; part = part->next)
		RequestAddinShmemSpace(segment_size(part));
}

/* Runs when the cluster starts, and again when it does after a backend has crashed. */
static void
make_segments(void)
{
	if (next_startup_hook != NULL)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (SharedPart *part = parts; part != NULL; part = part->next)
	{
		bool		found;
		void	   *segment = ShmemInitStruct(part->name, segment_size(part), &found);

		if (!found)
			init_segment(part, segment);
		use_segment(part, segment);
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * smf_shared_reserve
 *		Ask for the memory of the part, when the library is loaded: when the cluster starts is the
 *		only time at which memory can be had in every version of Postgres.
 */
void
smf_shared_reserve(SharedPart *part)
{
	bool		first = parts == NULL;

	part->next = parts;
	parts = part;
	if (!process_shared_preload_libraries_in_progress || !first)
		return;
	next_request_hook = shmem_request_hook;
	shmem_request_hook = request_segments;
	next_startup_hook = shmem_startup_hook;
	shmem_startup_hook = make_segments;
}

/*
 * smf_shared_attach
 *		See to it that the part can be used.  May raise an error, so that whoever
 *		must not does this beforehand.
 */
void
smf_shared_attach(SharedPart *part)
{
	void	   *segment;
	void	   *body;

	if (part->body != NULL)
		return;
	segment = smf_named_segment(part->name, segment_size(part), init_part, part);
	if (segment != NULL)
	{
		use_segment(part, segment);
		return;
	}
	body = MemoryContextAllocZero(TopMemoryContext, SMF_SHARED_ALIGN(1) + part->size(part, false));
	body = (void *) SMF_SHARED_ALIGN(body);
	part->init(part, body, false);
	part->body = body;
}

/* Others wait until smf_shared_unlock, but for those who only read when we only read. */
void
smf_shared_lock(SharedPart *part, LWLockMode mode)
{
	if (part->lock != NULL)
		LWLockAcquire(part->lock, mode);
}

/*
 * smf_shared_unlock
 *		Let go of what smf_shared_lock() has taken.
 */
void
smf_shared_unlock(SharedPart *part)
{
	if (part->lock != NULL)
		LWLockRelease(part->lock);
}
