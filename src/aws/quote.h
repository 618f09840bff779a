/*-------------------------------------------------------------------------
 *
 * quote.h
 *		Which parts of an answer's text a message may contain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_QUOTE_H
#define SMF_QUOTE_H

#include "http/http.h"

extern char *smf_quote(char *text, const HttpRequest *request, const char *form);
extern char *smf_blank_controls(char *text);

#endif							/* SMF_QUOTE_H */
