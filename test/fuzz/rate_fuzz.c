/*-------------------------------------------------------------------------
 *
 * rate_fuzz.c
 *		The rate of calls, through any sequence of calls, answers and pauses.
 *
 * Input: a byte for the ceiling, one for how long the clock has run, then pairs of
 * what happens and how much later.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include <math.h>

#include "aws/retry.h"

static void
check(const CallRate *rate)
{
	FUZZ_CHECK(isfinite(rate->tokens) && isfinite(rate->measured_rate));
	FUZZ_CHECK(rate->measured_rate >= 0);
	FUZZ_CHECK(rate->tokens >= -1e-6);
	if (rate->throttled)
	{
		FUZZ_CHECK(isfinite(rate->rate) && rate->rate >= 0.5);
		FUZZ_CHECK(rate->plateau_s > 0 && isfinite(rate->plateau_s));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* steps of the clock, in seconds */
	static const double steps[] = {0, 1e-6, 1e-3, 0.01, 0.1, 0.49, 0.5, 1, 3, 20, 3600, 1e7};
	FuzzInput	input = {data, size};
	CallRate	rate;
	RetryQuota	quota = {SMF_RETRY_QUOTA};
	uint8_t		ceiling = fuzz_byte(&input);
	double		now_s = fuzz_byte(&input) * 1e5;
	double		sent_s = now_s;
	int			taken = 0;

	smf_rate_init(&rate, ceiling < 128 ? 0 : (ceiling - 127) / 4.0, now_s);
	while (input.left > 0)
	{
		uint8_t		what = fuzz_byte(&input);
		double		wait_s;

		now_s += steps[fuzz_byte(&input) % lengthof(steps)];
		switch (what % 6)
		{
			case 0:
				wait_s = smf_rate_take(&rate, now_s);
				FUZZ_CHECK(wait_s >= 0 && isfinite(wait_s));
				/* who waits as long as is asked gets leave then */
				if (wait_s > 0)
				{
					CallRate	later = rate;

					FUZZ_CHECK(smf_rate_take(&later, now_s + wait_s) < 1e-3);
				}
				else
					sent_s = now_s;
				break;
			case 1:
			case 2:
				smf_rate_answered(&rate, now_s, sent_s, what % 6 == 2);
				break;
			case 3:
				taken = smf_quota_take(&quota, (what & 128) != 0);
				break;
			case 4:
				smf_quota_give(&quota, taken);
				taken = 0;
				break;
			case 5:
				wait_s = smf_retry_delay(what, (what & 127) / 128.0);
				FUZZ_CHECK(wait_s >= 0 && wait_s < 20);
				break;
		}
		FUZZ_CHECK(quota.left >= 0 && quota.left <= SMF_RETRY_QUOTA);
		check(&rate);
	}
	return 0;
}
