/*-------------------------------------------------------------------------
 *
 * option_check.h
 *		The format of option values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_OPTION_CHECK_H
#define SMF_OPTION_CHECK_H

extern bool smf_has_control_characters(const char *value);
extern bool smf_parse_decimal(const char *value, bool whole, double *result);
extern bool smf_parse_size(const char *value, double *result);
extern bool smf_is_word(const char *value, double min, double max, const char *punctuation);
extern bool smf_is_secret(const char *value);
extern bool smf_has_outer_blank(const char *value);
extern bool smf_looks_like_access_key(const char *value);
extern bool smf_looks_like_secret_key(const char *value);
extern bool smf_is_account(const char *value);
extern bool smf_is_role_arn(const char *value);
extern bool smf_is_profile(const char *value);
extern bool smf_is_file_path(const char *value);
extern bool smf_is_endpoint_url(const char *value);
extern bool smf_is_proxy_url(const char *value);
extern bool smf_is_attribute_path(const char *value);

#endif							/* SMF_OPTION_CHECK_H */
