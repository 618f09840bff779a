/*-------------------------------------------------------------------------
 *
 * rate_fuzz.c
 *		The rate of calls, through any sequence of calls, answers and pauses.
 *
 * Input: a byte for the ceiling, one for how long the clock has run, then pairs of
 * what happens and how much later.  Answers come in runs, so that there are enough of
 * them to tell something.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include <math.h>

#include "aws/rate.h"
#include "aws/retry.h"

static void
check(const CallRate *rate, const TokenBucket *ceiling)
{
	FUZZ_CHECK(isfinite(rate->base) && isfinite(rate->latency_s) && !isnan(rate->before));
	FUZZ_CHECK(rate->base >= 0 && rate->latency_s >= 0 && rate->before >= 0);
	FUZZ_CHECK(rate->share >= 0 && rate->share < 0.5);
	FUZZ_CHECK(rate->delivered >= 0 && rate->round_calls >= rate->round_throttles);
	FUZZ_CHECK(rate->trouble_calls >= rate->trouble_throttles && rate->trouble_throttles >= 0);
	FUZZ_CHECK(ceiling->tokens >= -1e-6 && ceiling->tokens <= 2);
	if (rate->phase == SMF_RATE_OPEN)
	{
		FUZZ_CHECK(rate->rate == 0 && rate->base == 0);
		return;
	}
	FUZZ_CHECK(isfinite(rate->rate) && rate->rate >= 0.5);
	FUZZ_CHECK(rate->bucket.tokens >= -1e-6 && rate->bucket.tokens <= fmax(1, rate->rate));
	if (rate->phase != SMF_RATE_TRYING)
		FUZZ_CHECK(rate->step > 0 && rate->step <= 0.5);
	else
		FUZZ_CHECK(rate->before > 0 && rate->bearable > 0 && isfinite(rate->bearable) && rate->tried_share > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* steps of the clock, in seconds */
	static const double steps[] = {0, 1e-6, 1e-3, 0.01, 0.1, 0.49, 0.5, 1, 3, 20, 3600, 1e7};
	FuzzInput	input = {data, size};
	CallRate	rate;
	TokenBucket bucket;
	RetryQuota	quota = {SMF_RETRY_QUOTA};
	double		ceiling = (fuzz_byte(&input) + 1) / 4.0;
	double		now_s = fuzz_byte(&input) * 1e5;
	double		sent_s = now_s;
	int			taken = 0;

	smf_rate_init(&rate, now_s);
	smf_ceiling_init(&bucket, now_s);
	while (input.left > 0)
	{
		uint8_t		what = fuzz_byte(&input);
		double		wait_s;

		now_s += steps[fuzz_byte(&input) % lengthof(steps)];
		switch (what % 7)
		{
			case 0:
				wait_s = smf_ceiling_take(&bucket, ceiling, now_s);
				FUZZ_CHECK(wait_s >= 0 && wait_s <= 1 / ceiling + 1e-3);
				if (wait_s > 0)
					break;
				wait_s = smf_rate_take(&rate, now_s);
				FUZZ_CHECK(wait_s >= 0 && wait_s <= 2 + 1e-3);
				/* who waits as long as is asked gets leave then */
				if (wait_s > 0)
				{
					CallRate	later = rate;

					FUZZ_CHECK(smf_rate_take(&later, now_s + wait_s) < 1e-3);
					smf_ceiling_give(&bucket);
				}
				else
					sent_s = now_s;
				break;
			case 1:
			case 2:
				/* one, or a run, a little later each */
				for (int i = what / 7; i >= 0; i--)
				{
					smf_rate_answered(&rate, now_s, sent_s, what % 7 == 2);
					check(&rate, &bucket);
					now_s += 1e-3;
					if (what & 1)
						sent_s = now_s;
				}
				break;
			case 6:
				wait_s = smf_retry_throttled_delay(what, now_s - sent_s, (what & 127) / 128.0);
				FUZZ_CHECK(wait_s >= 0 && wait_s < (now_s - sent_s < 5 ? 1 : 20));
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
		check(&rate, &bucket);
	}
	return 0;
}
