/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		One HTTP request, and waiting for its answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_FETCH_H
#define SMF_FETCH_H

#include "http/http.h"

/* An answer, in the memory context that was current. */
typedef struct FetchAnswer
{
	HttpResult	result;
	int			status;			/* HTTP status; 0 unless result is SMF_HTTP_OK */
	char	   *body;			/* NUL-terminated; may hold secrets, and is overwritten
								 * when its memory context goes */
	size_t		body_len;
	char	   *code;			/* AWS error code, of a header or of XML; or NULL */
	char	   *message;		/* the XML's, with it; or NULL */
	char	   *error;			/* libcurl's words for a failure */
	int64		date_s;			/* of the Date header, or -1 */
} FetchAnswer;

extern void smf_fetch(const HttpTarget *target, const HttpMessage *message, int attempts,
					  FetchAnswer *answer);
extern void smf_fetch_forget(FetchAnswer *answer);

#endif							/* SMF_FETCH_H */
