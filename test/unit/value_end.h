/*-------------------------------------------------------------------------
 *
 * value_end.h
 *		Where a JSON value ends, byte by byte: what tests compare json_skip.c with.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VALUE_END_H
#define VALUE_END_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Where a value ends, byte by byte; NULL where it does not.  A backslash, wherever it stands, may take
 * a quote or a backslash with it.
 */
static const char *
end_of_value(const char *at, const char *end)
{
	const char *start = at;
	bool		in_string = false;
	int			depth = 0;

	if (at < end && *at != '"' && *at != '{' && *at != '[')
	{
		while (at < end && (*at == '\0' || strchr(",}] \n\t\r", *at) == NULL))
			at++;
		return at > start ? at : NULL;
	}
	for (; at < end; at++)
	{
		if (*at == '\\')
		{
			if (end - at > 1 && (at[1] == '"' || at[1] == '\\'))
				at++;
			continue;
		}
		if (*at == '"')
			in_string = !in_string;
		else if (!in_string && (*at == '{' || *at == '['))
			depth++;
		else if (!in_string && (*at == '}' || *at == ']'))
			depth--;
		if (!in_string && depth == 0)
			return at + 1;
	}
	return NULL;
}

#endif							/* VALUE_END_H */
