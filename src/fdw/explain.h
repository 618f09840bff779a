/*-------------------------------------------------------------------------
 *
 * explain.h
 *		What EXPLAIN shows of a foreign scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_EXPLAIN_H
#define SMF_EXPLAIN_H

#include "commands/explain.h"
#include "nodes/execnodes.h"

extern void sagemakerExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

#endif							/* SMF_EXPLAIN_H */
