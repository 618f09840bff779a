/*-------------------------------------------------------------------------
 *
 * expiry_test.c
 *		When credentials are, and must be, replaced.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "aws/expiry.h"
#include "tap.h"

#define OBTAINED INT64_C(1700000000)

/* Credentials that last "life_s", with "left_s" of it left. */
typedef struct ExpiryCase
{
	int			life_s;
	int			left_s;
	bool		due;
	bool		must;
} ExpiryCase;

static const ExpiryCase cases[] = {
	/* an hour or more: 15 minutes before, 10 minutes before */
	{3600, 3600, false, false}, {3600, 901, false, false}, {3600, 900, true, false},
	{3600, 601, true, false}, {3600, 600, true, true}, {3600, 0, true, true}, {3600, -1, true, true},
	{43200, 901, false, false}, {43200, 900, true, false}, {43200, 601, true, false}, {43200, 600, true, true},
	/* the least that STS gives: a quarter of their life, a sixth */
	{900, 900, false, false}, {900, 226, false, false}, {900, 225, true, false},
	{900, 151, true, false}, {900, 150, true, true},
	/* never the moment that they were obtained, unless they had expired then */
	{4, 4, false, false}, {4, 2, false, false}, {4, 1, true, false}, {4, 0, true, true},
	{0, 0, true, true}, {-10, -10, true, true}
};

int
main(void)
{
	bool		must;
	char		title[100];

	for (int i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++)
	{
		const ExpiryCase *c = &cases[i];
		int64_t		expires_s = OBTAINED + c->life_s;
		bool		due = smf_expiry_due(OBTAINED, expires_s, expires_s - c->left_s, &must);

		snprintf(title, sizeof(title), "%d s of %d s left: %s", c->left_s, c->life_s,
				 c->must ? "they must be replaced" : c->due ? "they are replaced" : "they are good");
		tap_ok(due == c->due && must == c->must, title);
	}
	tap_ok(!smf_expiry_due(OBTAINED, 0, OBTAINED * 2, &must) && !must, "what never expires is good for ever");
	return tap_end();
}
