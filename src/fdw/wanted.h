/*-------------------------------------------------------------------------
 *
 * wanted.h
 *		Sets of jobs to look up, by name or by ARN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_WANTED_H
#define SMF_WANTED_H

#include "jobs/attribute.h"
#include "jobs/job.h"

extern List *smf_wanted_add(List *wanted, const SmfAttribute *attribute, char *value,
							const char *region, const char *account_id);
extern List *smf_wanted_distinct(List *wanted);
extern List *smf_wanted_by_both(List *some, List *others);

#endif							/* SMF_WANTED_H */
