/*-------------------------------------------------------------------------
 *
 * tap.h
 *		Tests of the parts that need no server, reported as TAP.
 *
 * Included by one file of each program.  main returns tap_end().
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_tests = 0;		/* run so far */
static int	tap_failed = 0;		/* of these */

static inline bool
tap_ok(bool good, const char *title)
{
	tap_tests++;
	if (!good)
		tap_failed++;
	printf("%s %d - %s\n", good ? "ok" : "not ok", tap_tests, title);
	return good;
}

static inline void
tap_is(const char *actual, const char *expected, const char *title)
{
	bool		good = actual == NULL || expected == NULL ?
		actual == expected : strcmp(actual, expected) == 0;

	if (!tap_ok(good, title))
		printf("# got      %s\n# expected %s\n", actual ? actual : "(null)",
			   expected ? expected : "(null)");
}

static inline void
tap_is_int(long long actual, long long expected, const char *title)
{
	if (!tap_ok(actual == expected, title))
		printf("# got      %lld\n# expected %lld\n", actual, expected);
}

static inline int
tap_end(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failed != 0;
}

#endif							/* TAP_H */
