/*-------------------------------------------------------------------------
 *
 * expiry_test.c
 *		When credentials are replaced, and when calls wait for that.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "aws/expiry.h"
#include "tap.h"

#define NOW INT64_C(1700000000)

/* Any moment of the clock that plans are made by. */
#define START 5000.0

/* Credentials that live "life_s": seconds after which they are renewed, and waited for. */
typedef struct PlanCase
{
	int64_t		life_s;
	double		renew_s;
	double		wait_s;
} PlanCase;

static const PlanCase plans[] = {
	/* an hour or more: 15 minutes, and a minute, before */
	{3600, 2700, 3540}, {43200, 42300, 43140},
	/* the least that STS gives: a quarter of their life, and a minute */
	{900, 675, 840},
	/* short-lived: a quarter, and a sixth */
	{12, 9, 10}, {2, 1.5, 2 - 2 / 6.0},
	/* never the moment that they came: as expired, 5 to 15 minutes later */
	{1, 600, SMF_NEVER_AT}, {0, 600, SMF_NEVER_AT}, {-36000, 600, SMF_NEVER_AT},
	/* for ever */
	{SMF_NEVER, SMF_NEVER_AT, SMF_NEVER_AT}
};

/* When something expires, by whose clock, and how long it lives. */
typedef struct LifeCase
{
	const char *title;
	int64_t		expires_at_s;
	int64_t		date_s;
	int64_t		clock_offset_s;
	int64_t		life_s;
} LifeCase;

static const LifeCase lives[] = {
	{"what never expires lives for ever", 0, NOW, 0, SMF_NEVER},
	{"without a Date our clock counts", NOW + 3600, -1, 0, 3600},
	{"... with what the service's is ahead", NOW + 3600, -1, 100, 3500},
	{"a Date counts, where our clock is an hour ahead", NOW, NOW - 3600, 0, 3600},
	{"a Date counts, where our clock is an hour behind", NOW + 7200, NOW + 3600, 7, 3600},
	{"a Date ten years off does not", NOW + 3600, NOW + 315360000, 0, 3600},
	{"... nor one ten years ago", NOW + 3600, NOW - 315360000, 0, 3600},
	{"what has expired lives no longer", NOW - 60, NOW, 0, -60}
};

static bool
is(double at_s, double after_s)
{
	if (after_s == SMF_NEVER_AT)
		return at_s == SMF_NEVER_AT;
	return at_s > START + after_s - 1e-6 && at_s < START + after_s + 1e-6;
}

int
main(void)
{
	char		title[100];
	ExpiryPlan	plan;
	ExpiryPlan	after;

	for (int i = 0; i < (int) (sizeof(plans) / sizeof(plans[0])); i++)
	{
		const PlanCase *c = &plans[i];

		plan = smf_expiry_plan(c->life_s, START, 0.5);
		if (c->life_s == SMF_NEVER)
			snprintf(title, sizeof(title), "credentials that do not expire are never renewed");
		else
			snprintf(title, sizeof(title), "credentials that live %lld s are renewed, and waited for, in time",
					 (long long) c->life_s);
		tap_ok(is(plan.renew_at_s, c->renew_s) && is(plan.wait_at_s, c->wait_s), title);
	}
	tap_ok(is(smf_expiry_plan(-1, START, 0).renew_at_s, 300) &&
		   smf_expiry_plan(-1, START, 0.999999).renew_at_s < START + 900, "the draw spreads 5 to 15 minutes");

	plan = smf_expiry_plan(3600, START, 0.5);
	after = smf_expiry_plan_after_failure(&plan, START + 2700, 0.5);
	tap_ok(is(after.renew_at_s, 2760) && is(after.wait_at_s, 3540),
		   "where the source fails in good time it is asked again in a minute");
	after = smf_expiry_plan_after_failure(&plan, START + 3540, 0.5);
	tap_ok(is(after.renew_at_s, 3540 + 600) && is(after.wait_at_s, SMF_NEVER_AT),
		   "where it fails at the end calls go on, and it is asked again in 5 to 15 minutes");

	for (int i = 0; i < (int) (sizeof(lives) / sizeof(lives[0])); i++)
	{
		const LifeCase *c = &lives[i];

		tap_ok(smf_expiry_life(c->expires_at_s, c->date_s, NOW, c->clock_offset_s) == c->life_s, c->title);
	}

	tap_ok(smf_clock_offset_credible(-86399) && smf_clock_offset_credible(86399) &&
		   !smf_clock_offset_credible(86400) && !smf_clock_offset_credible(-86400),
		   "clocks differ by less than a day");
	return tap_end();
}
