/*-------------------------------------------------------------------------
 *
 * xml.h
 *		Elements of an XML document that contain only text.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_XML_H
#define SMF_XML_H

#include <stddef.h>

extern char *smf_xml_element(const char *text, size_t len, const char *name, size_t *found_len);

#endif							/* SMF_XML_H */
