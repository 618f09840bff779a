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

/* Used instead of a section's index: [DEFAULT], whose settings apply to every section. */
#define SMF_CONFIG_DEFAULTS (-1)

/* Why a file cannot be read. */
typedef enum ConfigProblem
{
	SMF_CONFIG_OK,
	SMF_CONFIG_NOT_TEXT,		/* not UTF-8, or a NUL byte */
	SMF_CONFIG_NO_SECTION,		/* a line before the first section */
	SMF_CONFIG_NO_SETTING,		/* neither a section nor a setting */
	SMF_CONFIG_SECTION_TWICE,
	SMF_CONFIG_SETTING_TWICE,
	SMF_CONFIG_NO_MEMORY
} ConfigProblem;

/* A section other than [DEFAULT].  The strings are malloc'ed and belong to the file. */
typedef struct ConfigSection
{
	char	   *header;			/* between the brackets, as written */
	const char *kind;			/* "profile", "sso-session", "services"; NULL: anything
								 * else */
	char	   *name;			/* of that kind; NULL: the header has none */

	int			next;			/* while the file is read: the next with the same hash; -1:
								 * none */
} ConfigSection;

/* One setting.  The strings are malloc'ed and belong to the file. */
typedef struct ConfigSetting
{
	int			section;		/* the section's index, or SMF_CONFIG_DEFAULTS */
	char	   *key;			/* ASCII letters in lower case */
	char	   *value;			/* lines joined by line feeds */

	/* while the file is read */
	size_t		value_len;
	size_t		value_size;		/* bytes allocated */
	int			bad_line;		/* number of a nested line that is not a setting; 0: none */
	int			next;			/* the next with the same hash; -1: none */
} ConfigSetting;

/* A file that was read.  A zeroed one has no sections. */
typedef struct ConfigFile
{
	ConfigSection *sections;	/* in the file's order */
	int			nsections;
	int			sections_size;	/* allocated */
	ConfigSetting *settings;	/* in the file's order */
	int			nsettings;
	int			settings_size;	/* allocated */
} ConfigFile;

extern ConfigProblem smf_config_parse(const char *text, size_t len, ConfigFile *file, int *line);
extern const char *smf_config_problem(ConfigProblem problem);
extern void smf_config_free(ConfigFile *file);
extern bool smf_config_has(const ConfigFile *file, const char *kind, const char *name);
extern const char *smf_config_get(const ConfigFile *file, const char *kind, const char *name,
								  const char *key);
extern bool smf_config_nested(const char *value, const char *key, char *found, size_t size);

#endif							/* SMF_CONFIG_FILE_H */
