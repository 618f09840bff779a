/*-------------------------------------------------------------------------
 *
 * row.h
 *		Training job documents as rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ROW_H
#define SMF_ROW_H

#include "fdw/column.h"
#include "jobs/job.h"
#include "nodes/bitmapset.h"
#include "option.h"

typedef struct RowReader RowReader;

extern RowReader *smf_row_reader_create(Oid relid, TupleDesc tupdesc, List *attnums,
										const SmfSettings *settings);
extern void smf_row_read(RowReader *reader, const Job *job, const Bitmapset *only,
						 Datum *values, bool *isnull);
extern bool smf_row_same(RowReader *reader, const Job *job, const Job *other,
						 const Bitmapset *only);

#endif							/* SMF_ROW_H */
