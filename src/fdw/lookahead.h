/*-------------------------------------------------------------------------
 *
 * lookahead.h
 *		The node above the outer side of a join, which fetches jobs ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_LOOKAHEAD_H
#define SMF_LOOKAHEAD_H

#include "nodes/extensible.h"

/*
 * Creates the state node from the plan node, whose private list has a Boolean: may the
 * query end early?
 */
extern const CustomScanMethods smf_lookahead_scan_methods;

#endif							/* SMF_LOOKAHEAD_H */
