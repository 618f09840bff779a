/*-------------------------------------------------------------------------
 *
 * shared.h
 *		Memory that the sessions of the cluster share, if they can.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_SHARED_H
#define SMF_SHARED_H

#include "storage/lwlock.h"

/*
 * The size of a part of shared memory, or a place in it, so that 64-bit atomics can stand
 * behind it: they want 8 bytes, where MAXALIGN may be content with 4 (i386).
 */
#define SMF_SHARED_ALIGN(len) TYPEALIGN(8, (len))

/*
 * A piece of shared memory with a lock of its own.  Where none can be shared it is the
 * session's, and the lock is none.  The struct is static; the memory is never freed.
 */
typedef struct SharedPart
{
	/* set by its user */
	const char *name;			/* of the segment; ends in the version of its layout */
	size_t		(*size) (const struct SharedPart *part, bool shared);	/* bytes */
	void		(*init) (const struct SharedPart *part, void *body, bool shared);

	/* the next part that was requested; NULL: none */
	struct SharedPart *next;

	/* set by smf_shared_attach */
	bool		shared;			/* with other sessions? */
	void	   *body;			/* for its user; NULL: not attached yet */
	LWLock	   *lock;			/* NULL: not shared */
} SharedPart;

extern void smf_shared_reserve(SharedPart *part);
extern void smf_shared_attach(SharedPart *part);
extern void smf_shared_lock(SharedPart *part, LWLockMode mode);
extern void smf_shared_unlock(SharedPart *part);

#endif							/* SMF_SHARED_H */
