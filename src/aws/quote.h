/*-------------------------------------------------------------------------
 *
 * quote.h
 *		What of an answer's words may stand in a message.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_QUOTE_H
#define SMF_QUOTE_H

#include "http/http.h"

extern char *smf_quote(char *text, const HttpRequest *request, const char *form);
extern char *smf_blank_controls(char *text);

#endif							/* SMF_QUOTE_H */
