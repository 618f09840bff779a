/*-------------------------------------------------------------------------
 *
 * inquiry.h
 *		Questions to others, asked one after the other, that nobody waits for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_INQUIRY_H
#define SMF_INQUIRY_H

#include "http/http.h"
#include "utils/palloc.h"

typedef struct Inquiry Inquiry;

/*
 * What an inquiry does, written as if every answer were there at once: it asks with
 * smf_fetch and its like, and returns false as soon as one of these has no answer yet.
 * It is run again from its beginning when the answer has come, and must ask the same
 * in the same order then.  It may raise errors, which are kept for smf_inquiry_raise.
 *
 * It runs in a memory context that is reset before it is run again.
 */
typedef bool (*InquiryRun) (Inquiry *inquiry, void *arg);

/* The inquiry has ended, with what was wanted or with an error; under HttpDone's rules. */
typedef void (*InquiryEnded) (Inquiry *inquiry, void *arg);

/*
 * One question of an inquiry: the first member of what is kept of it, which lives as
 * long as the inquiry.
 */
typedef struct InquiryStep
{
	Inquiry    *inquiry;
	bool		asked;			/* by whoever defines the step */
	bool		answered;
} InquiryStep;

/* An answer over HTTP; it lives as long as the inquiry. */
typedef struct FetchAnswer
{
	HttpResult	result;
	int			status;			/* HTTP status; 0 unless result is SMF_HTTP_OK */
	char	   *body;			/* NUL-terminated; may hold secrets, and is overwritten
								 * when its memory context goes */
	size_t		body_len;
	char	   *code;			/* AWS error code, of a header or of XML; or NULL */
	char	   *message;		/* the XML's, with it; or NULL */
	const char *url;			/* who was asked */
	const char *error;			/* libcurl's words for a failure */
	int64		took_s;			/* since it was asked for: it may be read long after it came */
	int64		date_s;			/* of the Date header, or -1 */
	int64		ahead_s;		/* with it: seconds that this was ahead of our clock */
} FetchAnswer;

/* Which failures of a request that may pass are reasons to send it again. */
typedef struct FetchPolicy
{
	int			attempts;		/* at most */
	bool		answered_only;	/* not those without an answer, for which one waits long */
	bool		(*may_pass) (const FetchAnswer *answer);	/* others than the SDKs know; or NULL */
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
