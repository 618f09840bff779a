/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Memory that the sessions of the cluster share, if they can.
 *
 * If the library is in shared_preload_libraries, the memory is requested when the cluster
 * starts.  Otherwise it is found by name if Postgres supports that (from version 17), and
 * if not, each session has its own: everything that is built on it works the same, but
 * covers only one session.
 *
 * Locks are held for moments only: no code waits, allocates or raises an error under one.
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

/* What precedes a part's body in shared memory. */
typedef struct SharedHead
{
	int			tranche;		/* of the lock */
	LWLock		lock;
} SharedHead;

#define HEAD_SIZE SMF_SHARED_ALIGN(sizeof(SharedHead))

static SharedPart *parts = NULL;	/* all that were requested */
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

/* The callback for a named segment. */
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

/* Runs when the cluster starts, and again when it restarts after a backend has crashed. */
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
 *		Request the memory of the part when the library is loaded: in every version of
 *		Postgres, memory can be requested at cluster start.
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
 *		Make sure that the part can be used.  May raise an error, so call it before any
 *		code that must not.
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

/* Lock out other sessions until smf_shared_unlock; readers do not lock out other readers. */
void
smf_shared_lock(SharedPart *part, LWLockMode mode)
{
	if (part->lock != NULL)
		LWLockAcquire(part->lock, mode);
}

/*
 * smf_shared_unlock
 *		Release what smf_shared_lock() has locked.
 */
void
smf_shared_unlock(SharedPart *part)
{
	if (part->lock != NULL)
		LWLockRelease(part->lock);
}
