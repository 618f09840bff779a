/*-------------------------------------------------------------------------
 *
 * session_name_test.c
 *		Names of assumed roles' sessions: which they are, that STS takes them, and
 *		that no two are the same.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>

#include "aws/session_name.h"
#include "tap.h"

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Longest name of a database or role, with its NUL. */
#define NAME_SIZE 64

#define RANDOM_PAIRS 200000

/* Names that are as alike as names can be. */
static const char *const likes[] = {
	"", "-", "--", "+", "=", "==", "=2D", "2D", "=3D", "a", "A", "a-", "-a", "a-a", "a_a", "a.a", "a,a", "a@a",
	"a=a", "a+a", "a a", "a:a", "a/a", "my", "my-app", "app-analyst", "analyst", "app", "data team", "data-team",
	"data=team", "data=20team", "data=2Dteam", "pg", "pg-", "pg-a", "\xc3\xa4", "\xe4", "\xc3\xa5", "=C3=A4", "C3A4",
	"\xe2\x82\xac", "\x01", "\x7f", "\xff", "=FF", "a\n", "a\t",
	/* sixty-three bytes, and alike to the last */
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-",
	"---------------------------------------------------------------",
	"--------------------------------------------------------------=",
	"----------------"
};

/* The prefix, the separator and 60 more are the longest that is not cut. */
static const struct
{
	const char *database;
	const char *role;
	const char *name;
}			cases[] = {
	{"postgres", "postgres", "pg-postgres-postgres"},
	{"sales", "data-team", "pg-sales-data=2Dteam"},
	{"sales", "data team", "pg-sales-data=20team"},
	{"my-app", "analyst", "pg-my=2Dapp-analyst"},
	{"my", "app-analyst", "pg-my-app=2Danalyst"},
	{"a", "_.,@=+/", "pg-a-_.,@=3D=2B=2F"},
	{"\xc3\xa4", "\xe2\x82\xac", "pg-=C3=A4-=E2=82=AC"},
	{"", "", "pg--"},
	{"db", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"pg-db-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	/* what is cut: printf %s "$whole" | sha256sum | cut -c 1-16 | tr a-f A-F */
	{"db", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"pg-db-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+2D7C09B274A81478"},
	{"db", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaa",
	"pg-db-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+0C51194A1D2B1CD5"},
	{"db", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaa",
	"pg-db-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+242BB95A9931DFC6"},
	{"db", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaa",
	"pg-db-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=20+D4A758F9CB48D79F"},
};

/* A pair's name, and the pair. */
typedef struct Named
{
	char		name[SMF_SESSION_NAME_SIZE];
	char		database[NAME_SIZE];
	char		role[NAME_SIZE];
} Named;

/* As STS has it: [\w+=,.@-]{2,64}. */
static bool
is_taken(const char *name)
{
	return strlen(name) >= 2 && strlen(name) <= 64 &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-")] == '\0';
}

static int
compare(const void *one, const void *other)
{
	return strcmp(((const Named *) one)->name, ((const Named *) other)->name);
}

/* Give a pair its name; false when it has none, or STS would not take it. */
static bool
give(Named *named, const char *database, const char *role)
{
	strcpy(named->database, database);
	strcpy(named->role, role);
	return smf_session_name(database, role, named->name) && is_taken(named->name);
}

/* Pairs that are not the same, and have the same name. */
static int
count_shared(Named *named, int count)
{
	int			shared = 0;

	qsort(named, count, sizeof(Named), compare);
	for (int i = 1; i < count; i++)
		shared += strcmp(named[i - 1].name, named[i].name) == 0 &&
			(strcmp(named[i - 1].database, named[i].database) != 0 ||
			 strcmp(named[i - 1].role, named[i].role) != 0);
	return shared;
}

/* A name of few kinds of characters. */
static void
make_name(uint32_t *seed, char *name)
{
	static const char letters[] = "aab-=+2D \xc3\xa4";
	int			len;

	*seed = *seed * 1664525u + 1013904223u;
	len = *seed >> 24 & 1 ? (*seed >> 16) % NAME_SIZE : (*seed >> 16) % 6;
	for (int i = 0; i < len; i++)
	{
		*seed = *seed * 1664525u + 1013904223u;
		name[i] = letters[(*seed >> 16) % (sizeof(letters) - 1)];
	}
	name[len] = '\0';
}

int
main(void)
{
	Named	   *named = malloc(RANDOM_PAIRS * sizeof(Named));
	char		name[SMF_SESSION_NAME_SIZE];
	char		title[200];
	int			count = 0;
	int			bad = 0;
	uint32_t	seed = 14;

	for (int i = 0; i < LENGTH(cases); i++)
	{
		snprintf(title, sizeof(title), "database %.20s, role %.63s", cases[i].database, cases[i].role);
		tap_is(smf_session_name(cases[i].database, cases[i].role, name) ? name : NULL, cases[i].name, title);
	}

	for (int i = 0; i < LENGTH(likes); i++)
	{
		for (int j = 0; j < LENGTH(likes); j++)
			bad += !give(&named[count++], likes[i], likes[j]);
	}
	tap_is_int(bad, 0, "STS accepts the names of all pairs that are alike");
	tap_is_int(count_shared(named, count), 0, "no two of them share a name");

	bad = 0;
	for (count = 0; count < RANDOM_PAIRS; count++)
	{
		char		database[NAME_SIZE];
		char		role[NAME_SIZE];

		make_name(&seed, database);
		make_name(&seed, role);
		bad += !give(&named[count], database, role);
	}
	tap_is_int(bad, 0, "STS accepts the names of random pairs");
	tap_is_int(count_shared(named, count), 0, "no two of them share a name");
	free(named);
	return tap_end();
}
