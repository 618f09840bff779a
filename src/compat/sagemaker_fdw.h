/*-------------------------------------------------------------------------
 *
 * sagemaker_fdw.h
 *		Postgres version differences for the entry point, sagemaker_fdw.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COMPAT_SAGEMAKER_FDW_H
#define SMF_COMPAT_SAGEMAKER_FDW_H

#include "compat/base.h"
#include "fmgr.h"

/* Goes into one file: the library's magic block, with its name and version from 18 on. */
#if PG_VERSION_NUM >= 180000
#define SMF_MODULE_MAGIC(module, its_version) PG_MODULE_MAGIC_EXT(.name = (module), .version = (its_version))
#else
#define SMF_MODULE_MAGIC(module, its_version) PG_MODULE_MAGIC
#endif

#endif							/* SMF_COMPAT_SAGEMAKER_FDW_H */
