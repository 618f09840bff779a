/*-------------------------------------------------------------------------
 *
 * config_file.h
 *		The AWS config and credentials files.
 *
 * Free of Postgres headers, so that programs of their own can test it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_CONFIG_FILE_H
#define SMF_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* One setting, or a section's header.  The strings are malloc'ed, and the file's. */
typedef struct ConfigEntry
{
	char	   *section;		/* between the brackets, as written */
	char	   *key;			/* in lower case; NULL: the section's header */
	char	   *value;			/* lines joined by line feeds; NULL with key */

	/* while the file is read */
	size_t		value_len;
	size_t		value_size;		/* bytes allocated */
	int			next;			/* entry with the same hash; -1: none */
} ConfigEntry;

/* A file that was read.  Zeroed is one without settings. */
typedef struct ConfigFile
{
	ConfigEntry *entries;
	int			nentries;
	int			size;			/* entries allocated */
} ConfigFile;

extern bool smf_config_parse(const char *text, size_t len, ConfigFile *file, int *line);
extern void smf_config_free(ConfigFile *file);
extern bool smf_config_has(const ConfigFile *file, const char *kind, const char *name);
extern const char *smf_config_get(const ConfigFile *file, const char *kind, const char *name,
								  const char *key);
extern bool smf_config_nested(const char *value, const char *key, char *found, size_t size);

#endif							/* SMF_CONFIG_FILE_H */
