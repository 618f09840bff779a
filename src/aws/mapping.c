/*-------------------------------------------------------------------------
 *
 * mapping.c
 *		The options of a user mapping.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/mapping.h"
#include "commands/defrem.h"

/*
 * smf_option_value
 *		An option's value in a list of DefElem, or NULL; a part of the list.
 */
const char *
smf_option_value(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}
