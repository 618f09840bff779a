/*-------------------------------------------------------------------------
 *
 * retry_test.c
 *		What a failure means for the next attempt, and how long that waits.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "aws/error_code.h"
#include "aws/retry.h"
#include "tap.h"

/* An answer, and its class. */
typedef struct AnswerCase
{
	int			http_status;
	const char *code;
	const char *message;
	RetryClass	expected;
} AnswerCase;

static const AnswerCase answers[] = {
	{400, "Throttling", NULL, SMF_RETRY_THROTTLED},
	{400, "ThrottlingException", "Rate exceeded", SMF_RETRY_THROTTLED},
	{400, "ThrottledException", NULL, SMF_RETRY_THROTTLED},
	{400, "RequestThrottledException", NULL, SMF_RETRY_THROTTLED},
	{400, "RequestThrottled", NULL, SMF_RETRY_THROTTLED},
	{400, "TooManyRequestsException", NULL, SMF_RETRY_THROTTLED},
	{400, "ProvisionedThroughputExceededException", NULL, SMF_RETRY_THROTTLED},
	{400, "RequestLimitExceeded", NULL, SMF_RETRY_THROTTLED},
	{400, "BandwidthLimitExceeded", NULL, SMF_RETRY_THROTTLED},
	{400, "LimitExceededException", NULL, SMF_RETRY_THROTTLED},
	{503, "SlowDown", NULL, SMF_RETRY_THROTTLED},
	{400, "PriorRequestNotComplete", NULL, SMF_RETRY_THROTTLED},
	{400, "TransactionInProgressException", NULL, SMF_RETRY_THROTTLED},
	{400, "EC2ThrottledException", NULL, SMF_RETRY_THROTTLED},
	{429, NULL, NULL, SMF_RETRY_THROTTLED},
	{429, "Whatever", NULL, SMF_RETRY_THROTTLED},
	{400, "RequestTimeout", NULL, SMF_RETRY_TRANSIENT},
	{400, "RequestTimeoutException", NULL, SMF_RETRY_TRANSIENT},
	{400, "InternalFailure", NULL, SMF_RETRY_TRANSIENT},
	{400, "InternalServerError", NULL, SMF_RETRY_TRANSIENT},
	{400, "ServiceUnavailable", NULL, SMF_RETRY_TRANSIENT},
	{400, "IDPCommunicationError", NULL, SMF_RETRY_TRANSIENT},
	{500, NULL, NULL, SMF_RETRY_TRANSIENT},
	{502, NULL, "<html>", SMF_RETRY_TRANSIENT},
	{503, NULL, NULL, SMF_RETRY_TRANSIENT},
	{504, "Whatever", NULL, SMF_RETRY_TRANSIENT},
	{403, "RequestTimeTooSkewed", NULL, SMF_RETRY_CLOCK_SKEW},
	{403, "RequestExpired", NULL, SMF_RETRY_CLOCK_SKEW},
	{403, "RequestInTheFuture", NULL, SMF_RETRY_CLOCK_SKEW},
	{403, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2", SMF_RETRY_CLOCK_SKEW},
	{403, "InvalidSignatureException", "Signature not yet current: 2", SMF_RETRY_CLOCK_SKEW},
	{403, "SignatureDoesNotMatch", "Signature expired: x", SMF_RETRY_CLOCK_SKEW},
	{403, "InvalidSignatureException", "The request signature we calculated", SMF_RETRY_NO},
	{403, "SignatureDoesNotMatch", NULL, SMF_RETRY_NO},
	{400, "ExpiredToken", NULL, SMF_RETRY_EXPIRED},
	{400, "ExpiredTokenException", NULL, SMF_RETRY_EXPIRED},
	{400, "ValidationException", "Signature expired", SMF_RETRY_NO},
	{403, "AccessDeniedException", NULL, SMF_RETRY_NO},
	{403, "UnrecognizedClientException", NULL, SMF_RETRY_NO},
	{400, "throttlingexception", NULL, SMF_RETRY_NO},
	{400, "", NULL, SMF_RETRY_NO},
	{400, NULL, NULL, SMF_RETRY_NO},
	{404, NULL, NULL, SMF_RETRY_NO},
	{413, NULL, NULL, SMF_RETRY_NO},
	{501, NULL, NULL, SMF_RETRY_NO},
	{302, NULL, NULL, SMF_RETRY_NO}
};

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

static void
is_code(const char *raw, const char *expected)
{
	char		code[32];

	smf_error_code(raw, code, sizeof(code));
	tap_is(code, expected, expected[0] ? expected : "an empty code");
}

static void
test_retry_after(void)
{
	char		digits[1000];

	tap_ok(smf_retry_after(NULL, NULL) == 0, "without headers there is no delay");
	tap_ok(smf_retry_after(NULL, "3") == 3, "Retry-After is in seconds");
	tap_ok(smf_retry_after("1500", NULL) == 1.5, "x-amz-retry-after is in milliseconds");
	tap_ok(smf_retry_after("1500", "7") == 1.5, "which is used where both are given");
	tap_ok(smf_retry_after("soon", "7") == 7, "unless it is invalid");
	tap_ok(smf_retry_after("0", NULL) == 0 && smf_retry_after(NULL, "0") == 0, "it may be zero");
	tap_ok(smf_retry_after(NULL, "0.25 \t") == 0.25, "a fraction, and trailing blanks");
	tap_ok(smf_retry_after(NULL, "60") == 60 && smf_retry_after(NULL, "61") == 60 &&
		   smf_retry_after("3600000", NULL) == 60, "nobody waits longer than a minute");
	memset(digits, '9', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	tap_ok(smf_retry_after(digits, NULL) == 60 && smf_retry_after(NULL, digits) == 60,
		   "however large the number is");
	tap_ok(smf_retry_after(NULL, "Fri, 31 Dec 1999 23:59:59 GMT") == 0 &&
		   smf_retry_after(NULL, "Fri, 31 Dec 2199 23:59:59 GMT") == 0, "a date is overlooked");
	tap_ok(smf_retry_after(NULL, "-5") == 0 && smf_retry_after(NULL, "inf") == 0 &&
		   smf_retry_after(NULL, "nan") == 0 && smf_retry_after(NULL, "0x10") == 0 &&
		   smf_retry_after(NULL, "1e1") == 0 && smf_retry_after(NULL, "1.2.3") == 0 &&
		   smf_retry_after(NULL, ".") == 0 && smf_retry_after(NULL, "") == 0 &&
		   smf_retry_after(NULL, "5 s") == 0, "and so is what is no decimal number");
}

static void
test_code_valid(void)
{
	static const char *const good[] = {"ThrottlingException", "aws.error", "A", "a_b-c9"};
	static const char *const bad[] = {"", "two words", "<html>", "404", "a\nb", "a:b", "\xc3\xa9", ".a", "a\"b"};

	for (int i = 0; i < COUNT(good); i++)
		tap_ok(smf_error_code_valid(good[i]), "a valid error code");
	for (int i = 0; i < COUNT(bad); i++)
		tap_ok(!smf_error_code_valid(bad[i]), "an invalid error code");
}

static void
test_key_problem(void)
{
	static const struct
	{
		const char *code;
		const char *message;
		KeyProblem	expected;
	}			cases[] = {
		{"UnrecognizedClientException", NULL, SMF_KEY_UNKNOWN},
		{"InvalidClientTokenId", "The security token included in the request is invalid.", SMF_KEY_UNKNOWN},
		{"InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check", SMF_KEY_WRONG_SECRET},
		{"SignatureDoesNotMatch", "Credential should be scoped to a valid region.", SMF_KEY_ELSEWHERE},
		{"InvalidSignatureException", "Credential should be scoped to correct service: 'pricing'.", SMF_KEY_ELSEWHERE},
		{"InvalidSignatureException", "Signature expired: 1 is now earlier than 2", SMF_KEY_OTHER},
		{"InvalidSignatureException", NULL, SMF_KEY_OTHER},
		{"ExpiredTokenException", NULL, SMF_KEY_EXPIRED},
		{"AccessDeniedException", "Credential should be scoped to nothing", SMF_KEY_OTHER},
		{NULL, NULL, SMF_KEY_OTHER}
	};

	for (int i = 0; i < COUNT(cases); i++)
		tap_is_int(smf_error_key_problem(cases[i].code, cases[i].message), cases[i].expected,
				   cases[i].code ? cases[i].code : "no code");
}

static void
test_quota(void)
{
	RetryQuota	quota = {SMF_RETRY_QUOTA};
	int			retries = 0;

	tap_is_int(smf_quota_take(&quota, false), 5, "a retry costs 5");
	tap_is_int(smf_quota_take(&quota, true), 10, "and 10 after a time-out");
	smf_quota_give(&quota, 10);
	tap_is_int(quota.left, 495, "a success gives its last retry's cost back");
	smf_quota_give(&quota, 0);
	tap_is_int(quota.left, 496, "another success gives back 1");
	for (int i = 0; i < 100; i++)
		smf_quota_give(&quota, 0);
	tap_is_int(quota.left, SMF_RETRY_QUOTA, "and never more than the initial quota");
	while (smf_quota_take(&quota, false) > 0)
		retries++;
	tap_is_int(retries, 100, "100 retries use it up");
	quota.left = 7;
	tap_is_int(smf_quota_take(&quota, true), 0, "the rest must suffice for a retry");
	tap_is_int(quota.left, 7, "and remains otherwise");
}

static void
test_throttled_delay(void)
{
	tap_ok(smf_retry_throttled_delay(1, 0, 0.5) == 0.05, "a call that was throttled once waits up to 0.1 s");
	tap_ok(smf_retry_throttled_delay(2, 0, 0.5) == 0.1, "after two throttles in a row up to 0.2 s");
	tap_ok(smf_retry_throttled_delay(4, 0, 0.5) == 0.4, "after four up to 0.8 s");
	tap_ok(smf_retry_throttled_delay(5, 0, 0.5) == 0.5 && smf_retry_throttled_delay(1000000, 4.9, 0.5) == 0.5,
		   "and no longer than 1 s while others succeed");
	tap_ok(smf_retry_throttled_delay(5, 5, 0.5) == 0.8 && smf_retry_throttled_delay(8, HUGE_VAL, 0.5) == 6.4,
		   "while none has for 5 s, or ever, it goes on to double");
	tap_ok(smf_retry_throttled_delay(9, 5, 0.5) == 10 && smf_retry_throttled_delay(1000000, HUGE_VAL, 0.5) == 10,
		   "up to 20 s");
	tap_ok(smf_retry_throttled_delay(7, 0, 0) == 0, "it may be zero");
}

int
main(void)
{
	char		title[200];
	char		tiny[4];

	for (int i = 0; i < COUNT(answers); i++)
	{
		const AnswerCase *answer = &answers[i];

		snprintf(title, sizeof(title), "class of %d %s", answer->http_status,
				 answer->code ? answer->code : "without a code");
		tap_is_int(smf_error_class(answer->http_status, answer->code, answer->message),
				   answer->expected, title);
	}

	is_code("ThrottlingException", "ThrottlingException");
	is_code("com.amazonaws.sagemaker#ThrottlingException", "ThrottlingException");
	is_code("ThrottlingException:http://internal.amazon.com/coral#x/", "ThrottlingException");
	is_code("a#b#Code:rest", "Code");
	is_code("", "");
	is_code(":", "");
	is_code("name#", "");
	is_code("AnErrorCodeThatIsLongerThanTheBufferHere", "AnErrorCodeThatIsLongerThanTheB");
	smf_error_code("abcdef", tiny, sizeof(tiny));
	tap_is(tiny, "abc", "a code is truncated to the available space");

	tap_ok(smf_retry_delay(2, 0.5) == 0.5, "the first retry waits up to 1 s");
	tap_ok(smf_retry_delay(3, 0.5) == 1, "the second up to 2 s");
	tap_ok(smf_retry_delay(4, 0.5) == 2, "the third up to 4 s");
	tap_ok(smf_retry_delay(6, 0.5) == 8, "the fifth up to 16 s");
	tap_ok(smf_retry_delay(7, 0.5) == 10, "the sixth, and all after it, up to 20 s");
	tap_ok(smf_retry_delay(1000000, 0.5) == 10, "however many follow");
	tap_ok(smf_retry_delay(5, 0) == 0, "the random number may be zero");
	test_throttled_delay();
	test_retry_after();
	test_code_valid();
	test_key_problem();
	test_quota();
	return tap_end();
}
