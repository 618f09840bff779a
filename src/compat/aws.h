/*-------------------------------------------------------------------------
 *
 * aws.h
 *		Postgres version differences for aws/: memory that sessions share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_AWS_H
#define SMF_COMPAT_AWS_H

#include "compat/base.h"
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif
#include "storage/lwlock.h"

#if PG_VERSION_NUM >= 170000 && PG_VERSION_NUM < 190000
/* How to fill in the segment that is being requested. */
typedef struct NewSegment
{
	void		(*init) (void *segment, void *arg);
	void	   *arg;			/* passed to init */
} NewSegment;

/* Before version 19 Postgres's callback has no argument: it finds here what it needs. */
static inline NewSegment *
smf_new_segment(void)
{
	static NewSegment segment;

	return &segment;
}

/* The callback itself. */
static inline void
smf_init_new_segment(void *segment)
{
	smf_new_segment()->init(segment, smf_new_segment()->arg);
}
#endif

/*
 * Named shared memory; "init", called with "arg", fills it in if it is new.  NULL where
 * Postgres has no such thing.
 */
static inline void *
smf_named_segment(const char *name, size_t size, void (*init) (void *segment, void *arg), void *arg)
{
#if PG_VERSION_NUM >= 190000
	bool		found;

	return GetNamedDSMSegment(name, size, init, &found, arg);
#elif PG_VERSION_NUM >= 170000
	bool		found;

	*smf_new_segment() = (NewSegment) {.init = init, .arg = arg};
	return GetNamedDSMSegment(name, size, smf_init_new_segment, &found);
#else
	return NULL;
#endif
}

/*
 * A tranche for locks in shared memory.  Each session that uses them also calls
 * smf_name_tranche.
 */
static inline int
smf_new_tranche(const char *name)
{
#if PG_VERSION_NUM >= 190000
	return LWLockNewTrancheId(name);
#else
	return LWLockNewTrancheId();
#endif
}

/* Tell this session the tranche's name; from version 19 on every session knows it. */
static inline void
smf_name_tranche(int tranche, const char *name)
{
#if PG_VERSION_NUM < 190000
	LWLockRegisterTranche(tranche, name);
#endif
}

#endif							/* SMF_COMPAT_AWS_H */
