/*-------------------------------------------------------------------------
 *
 * base.h
 *		Postgres version differences for every layer.
 *
 * Postgres 15 to 19 are supported.  Nothing outside this folder looks at PG_VERSION_NUM:
 * each layer has a header here that is named after it, and a file includes those of its
 * own layer and of the layers below.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_BASE_H
#define SMF_COMPAT_BASE_H

#if PG_VERSION_NUM < 150000
#error "sagemaker_fdw needs PostgreSQL 15 or later"
#endif

/* Goes before a declaration. */
#if PG_VERSION_NUM >= 180000
#define smf_noreturn pg_noreturn
#else
#define smf_noreturn pg_attribute_noreturn()
#endif

#endif							/* SMF_COMPAT_BASE_H */
