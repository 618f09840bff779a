/*-------------------------------------------------------------------------
 *
 * may_raise.h
 *		Whether a condition may raise an error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_MAY_RAISE_H
#define SMF_MAY_RAISE_H

#include "nodes/pg_list.h"

extern bool smf_may_raise(Node *clause, List *subplans);

#endif							/* SMF_MAY_RAISE_H */
