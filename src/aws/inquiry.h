/*-------------------------------------------------------------------------
 *
 * inquiry.h
 *		Questions to services and programs, asked one after another without blocking.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_INQUIRY_H
#define SMF_INQUIRY_H

#include "http/http.h"
#include "utils/palloc.h"

typedef struct Inquiry Inquiry;

/*
 * The procedure of an inquiry, written as if every answer were available at once.  It
 * asks with smf_fetch and similar functions, and returns false as soon as one of these
 * has no answer yet.  When the answer has arrived, it is run again from its beginning and
 * must then ask the same questions in the same order.  It may raise errors, which are
 * kept for smf_inquiry_raise.
 *
 * It runs in a memory context that is reset before each run.
 */
typedef bool (*InquiryRun) (Inquiry *inquiry, void *arg);

/* The inquiry has ended, with a result or with an error; under HttpDone's rules. */
typedef void (*InquiryEnded) (Inquiry *inquiry, void *arg);

/*
 * One question of an inquiry.  It is the first member of the struct that describes the
 * question, which lives as long as the inquiry.
 */
typedef struct InquiryStep
{
	Inquiry    *inquiry;
	bool		asked;			/* set by the code that defines the step */
	bool		answered;
} InquiryStep;

/* An answer over HTTP; it lives as long as the inquiry. */
typedef struct FetchAnswer
{
	HttpResult	result;
	int			status;			/* HTTP status; 0 unless result is SMF_HTTP_OK */
	char	   *body;			/* NUL-terminated; may contain secrets, and is overwritten
								 * when its memory context goes away */
	size_t		body_len;
	char	   *code;			/* AWS error code, from a header or from XML; or NULL */
	char	   *message;		/* the message that XML gives with it; or NULL */
	const char *url;			/* who was asked */
	const char *error;			/* libcurl's text for a failure */
	int64		took_s;			/* from sending until the answer was read, which may be long
								 * after it arrived */
	int64		date_s;			/* of the Date header, or -1 */
	int64		ahead_s;		/* with a Date: seconds that this was ahead of our clock */
} FetchAnswer;

/* Which temporary failures of a request are a reason to send it again. */
typedef struct FetchPolicy
{
	int			attempts;		/* at most */
	bool		answered_only;	/* not those without an answer, which may take long */
	bool		(*may_pass) (const FetchAnswer *answer);	/* other failures than the SDKs
															 * know; or NULL */
} FetchPolicy;

extern Inquiry *smf_inquiry_begin(MemoryContext parent, InquiryRun run, InquiryEnded ended,
								  size_t arg_size);
extern void *smf_inquiry_arg(const Inquiry *inquiry);
extern void smf_inquiry_start(Inquiry *inquiry);
extern bool smf_inquiry_ended(const Inquiry *inquiry);
extern int	smf_inquiry_sqlerrcode(const Inquiry *inquiry);
extern void smf_inquiry_raise(const Inquiry *inquiry);
extern const char *smf_inquiry_problem(const Inquiry *inquiry);
extern void smf_inquiry_wait(Inquiry *inquiry);
extern void smf_inquiry_free(Inquiry *inquiry);

extern MemoryContext smf_inquiry_context(const Inquiry *inquiry);
extern bool smf_inquiry_restart(Inquiry *inquiry);
extern bool smf_inquiry_comes_again(const Inquiry *inquiry);
extern void *smf_inquiry_step(Inquiry *inquiry, size_t size);
extern void smf_inquiry_answered(InquiryStep *step);

extern const FetchAnswer *smf_fetch(Inquiry *inquiry, const HttpTarget *target,
									const HttpMessage *message, const FetchPolicy *policy);

#endif							/* SMF_INQUIRY_H */
