/*-------------------------------------------------------------------------
 *
 * lookahead.h
 *		The node above the outer side of a join, which has jobs fetched ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_LOOKAHEAD_H
#define SMF_LOOKAHEAD_H

#include "nodes/extensible.h"

/* How the plan node becomes a state node.  Its private list has a Boolean: may the query end early? */
extern const CustomScanMethods smf_lookahead_scan_methods;

#endif							/* SMF_LOOKAHEAD_H */
