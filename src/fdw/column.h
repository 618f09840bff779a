/*-------------------------------------------------------------------------
 *
 * column.h
 *		What each column of a foreign table means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_COLUMN_H
#define SMF_COLUMN_H

#include "access/attnum.h"
#include "access/tupdesc.h"
#include "jobs/attribute.h"
#include "jobs/job.h"
#include "nodes/bitmapset.h"
#include "nodes/nodes.h"
#include "option.h"
#include "utils/relcache.h"

/* One column of a foreign table.  Strings are palloc'ed or constants. */
typedef struct SmfColumn
{
	AttrNumber	attnum;			/* its number in the table */
	const char *name;			/* its name; NULL: not a column of ours, such as a dropped
								 * one */
	Oid			type_id;		/* its type */
	int32		typmod;			/* of the type, -1 if it has none */
	bool		settled;		/* its value is known from the settings, without any call */
	const char *path;			/* where its value is: an attribute, or a path below one */
	const SmfAttribute *attribute;	/* the catalogue entry for this very column; NULL for
									 * other paths and unknown attributes */
	const SmfAttribute *top;	/* the catalogue entry that the path goes through; NULL if the
								 * catalogue does not have it */
	Node	   *expression;		/* for a stored generated column, which is not an attribute;
								 * its variables refer to range table entry 1.  Or NULL */
} SmfColumn;

/* A foreign table as a query refers to it: what Vars for its columns stand for. */
typedef struct TableRef
{
	const SmfColumn *columns;	/* indexed by attribute number less one */
	AttrNumber	natts;			/* of the table */
	Index		varno;			/* its range table index, as in its Vars */
} TableRef;

/* Which calls a set of columns needs for each job that a source names. */
typedef struct SmfNeeds
{
	bool		document;		/* Describe */
	bool		tags;			/* ListTags */
	bool		read_tags;		/* tags are read, wherever they come from */
} SmfNeeds;

extern const SmfAttribute *smf_column_attribute(Oid relid, Form_pg_attribute column, const char **path,
												const char **rest);
extern SmfColumn *smf_table_columns(Oid relid, TupleDesc tupdesc,
									const SmfSettings *settings);
extern TableRef smf_table_ref(Relation relation, Index varno, const SmfSettings *settings);
extern Bitmapset *smf_columns_needed(const SmfColumn *columns, Bitmapset *attnums);
extern bool smf_column_known(const SmfColumn *column, JobSource source);
extern bool smf_column_is_tags(const SmfColumn *column);
extern SmfNeeds smf_needs(const SmfColumn *columns, List *attnums, JobSource source);
extern const JsonMembers *smf_columns_members(const SmfColumn *columns, List *attnums);
extern bool smf_columns_searchable(const SmfColumn *columns, List *attnums, AttributeSet raw_members,
								   AttributeSet *read);

#endif							/* SMF_COLUMN_H */
