/*-------------------------------------------------------------------------
 *
 * import.h
 *		IMPORT FOREIGN SCHEMA.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_IMPORT_H
#define SMF_IMPORT_H

#include "nodes/parsenodes.h"

extern List *smf_import_foreign_schema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* SMF_IMPORT_H */
