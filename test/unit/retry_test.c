/*-------------------------------------------------------------------------
 *
 * retry_test.c
 *		What a failure means for the next attempt, and how long that waits.
 *
 *-------------------------------------------------------------------------
 */
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

	smf_retry_error_code(raw, code, sizeof(code));
	tap_is(code, expected, expected[0] ? expected : "an empty code");
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
		tap_is_int(smf_retry_classify(answer->http_status, answer->code, answer->message),
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
	smf_retry_error_code("abcdef", tiny, sizeof(tiny));
	tap_is(tiny, "abc", "a code is cut to the space there is");

	tap_ok(smf_retry_delay(2, 0.5) == 0.5, "the first retry waits up to 1 s");
	tap_ok(smf_retry_delay(3, 0.5) == 1, "the second up to 2 s");
	tap_ok(smf_retry_delay(4, 0.5) == 2, "the third up to 4 s");
	tap_ok(smf_retry_delay(6, 0.5) == 8, "the fifth up to 16 s");
	tap_ok(smf_retry_delay(7, 0.5) == 10, "the sixth, and all after it, up to 20 s");
	tap_ok(smf_retry_delay(1000000, 0.5) == 10, "however many there are");
	tap_ok(smf_retry_delay(5, 0) == 0, "the draw may be nothing");
	return tap_end();
}
