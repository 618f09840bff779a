/*-------------------------------------------------------------------------
 *
 * config_file.c
 *		The AWS config and credentials files.
 *
 * Read as the AWS CLI and boto3 read them, which is as Python's configparser does:
 *
 *		[profile name]		a section; [default], [sso-session x], [services x]
 *		key = value			or "key: value"; the key in any case
 *			more			deeper than its key: the value goes on
 *		# comment			or ";", at the beginning of a line
 *
 * A section or a key that occurs twice, a setting before any section and a line that
 * is none of these make the file unreadable, as they do for these programs.
 *
 * Values are secrets, and overwritten when the file is freed.
 *
 * Not accounted for: [DEFAULT], whose settings configparser gives to all sections.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/config_file.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* One line, without what is around it. */
typedef struct Line
{
	const char *text;
	size_t		len;
	size_t		indent;			/* blanks before it */
} Line;

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Take the next line off *at, without blanks at either end. */
static Line
next_line(const char **at, const char *end)
{
	const char *begin = *at;
	const char *stop = memchr(begin, '\n', end - begin);
	Line		line;

	if (stop == NULL)
		stop = end;
	*at = stop < end ? stop + 1 : end;
	line.text = begin;
	while (line.text < stop && is_blank(*line.text))
		line.text++;
	while (stop > line.text && is_blank(stop[-1]))
		stop--;
	line.indent = line.text - begin;
	line.len = stop - line.text;
	return line;
}

static char *
copy(const char *text, size_t len)
{
	char	   *string = malloc(len + 1);

	if (string != NULL)
	{
		memcpy(string, text, len);
		string[len] = '\0';
	}
	return string;
}

static void
free_string(char *string)
{
	if (string != NULL)
		OPENSSL_cleanse(string, strlen(string));
	free(string);
}

/* Room for one more entry, zeroed; NULL without memory. */
static ConfigEntry *
add_entry(ConfigFile *file)
{
	if (file->nentries == file->size)
	{
		int			size = file->size ? 2 * file->size : 32;
		ConfigEntry *entries = realloc(file->entries, size * sizeof(ConfigEntry));

		if (entries == NULL)
			return NULL;
		file->entries = entries;
		file->size = size;
	}
	memset(&file->entries[file->nentries], 0, sizeof(ConfigEntry));
	return &file->entries[file->nentries++];
}

static bool
same(const char *string, const char *text, size_t len)
{
	return string != NULL && strlen(string) == len && memcmp(string, text, len) == 0;
}

/* Begin a section; false if there is one already, or no memory. */
static bool
begin_section(ConfigFile *file, const char *name, size_t len)
{
	ConfigEntry *entry;

	for (int i = 0; i < file->nentries; i++)
	{
		if (file->entries[i].key == NULL && same(file->entries[i].section, name, len))
			return false;
	}
	entry = add_entry(file);
	if (entry != NULL)
		entry->section = copy(name, len);
	return entry != NULL && entry->section != NULL;
}

/* Add a setting to the section; false if it has that already, or no memory. */
static bool
add_setting(ConfigFile *file, const char *section, Line line, size_t delimiter)
{
	size_t		key_len = delimiter;
	const char *value = line.text + delimiter + 1;
	const char *end = line.text + line.len;
	ConfigEntry *entry = add_entry(file);

	if (entry == NULL)
		return false;
	while (key_len > 0 && is_blank(line.text[key_len - 1]))
		key_len--;
	while (value < end && is_blank(*value))
		value++;
	entry->section = copy(section, strlen(section));
	entry->key = copy(line.text, key_len);
	entry->value = copy(value, end - value);
	if (entry->section == NULL || entry->key == NULL || entry->value == NULL)
		return false;
	for (char *c = entry->key; *c; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	for (int i = 0; i < file->nentries - 1; i++)
	{
		if (file->entries[i].key != NULL && strcmp(file->entries[i].section, section) == 0 &&
			strcmp(file->entries[i].key, entry->key) == 0)
			return false;
	}
	return true;
}

/* The value of the last setting goes on. */
static bool
continue_value(ConfigEntry *entry, Line line)
{
	size_t		len = strlen(entry->value);
	char	   *longer = malloc(len + 1 + line.len + 1);

	if (longer == NULL)
		return false;
	memcpy(longer, entry->value, len);
	longer[len] = '\n';
	memcpy(longer + len + 1, line.text, line.len);
	longer[len + 1 + line.len] = '\0';
	free_string(entry->value);
	entry->value = longer;
	return true;
}

/* The first "=" or ":" of a line, or its length. */
static size_t
find_delimiter(Line line)
{
	size_t		at = 0;

	while (at < line.len && line.text[at] != '=' && line.text[at] != ':')
		at++;
	return at;
}

/*
 * smf_config_parse
 *		Read a file's text into "file", which is zeroed.
 *
 * False when it is not such a file; *line is then where, from 1 on.  The caller frees
 * what was read, in either case.
 */
bool
smf_config_parse(const char *text, size_t len, ConfigFile *file, int *line)
{
	const char *at = text;
	const char *end = text + len;
	const char *section = NULL;
	bool		in_value = false;
	size_t		value_indent = 0;

	for (*line = 1; at < end; (*line)++)
	{
		Line		one = next_line(&at, end);
		const char *bracket;

		if (memchr(one.text, '\0', one.len) != NULL)
			return false;
		if (one.len == 0 || one.text[0] == '#' || one.text[0] == ';')
			continue;
		if (in_value && one.indent > value_indent)
		{
			if (!continue_value(&file->entries[file->nentries - 1], one))
				return false;
			continue;
		}
		value_indent = one.indent;
		in_value = false;
		bracket = one.text[0] == '[' ? one.text + one.len : NULL;
		while (bracket != NULL && bracket > one.text && *--bracket != ']')
			;
		if (bracket != NULL && bracket > one.text + 1)
		{
			if (!begin_section(file, one.text + 1, bracket - one.text - 1))
				return false;
			section = file->entries[file->nentries - 1].section;
			continue;
		}
		if (section == NULL || find_delimiter(one) == one.len || find_delimiter(one) == 0 ||
			!add_setting(file, section, one, find_delimiter(one)))
			return false;
		in_value = true;
	}
	return true;
}

/* Overwrite and free what was read. */
void
smf_config_free(ConfigFile *file)
{
	for (int i = 0; i < file->nentries; i++)
	{
		free_string(file->entries[i].section);
		free_string(file->entries[i].key);
		free_string(file->entries[i].value);
	}
	free(file->entries);
	memset(file, 0, sizeof(ConfigFile));
}

/*
 * Is the section of that kind and name?  A header is "kind name" with blanks, or
 * quotes, around the name; without a kind the name alone.  The profile "default"
 * needs no kind.
 */
static bool
is_section(const char *header, const char *kind, const char *name)
{
	size_t		kind_len = kind ? strlen(kind) : 0;
	size_t		len;
	char		quote = '\0';

	if (kind == NULL)
		return strcmp(header, name) == 0;
	if (strcmp(kind, "profile") == 0 && strcmp(name, "default") == 0 &&
		strcmp(header, "default") == 0)
		return true;
	if (strncmp(header, kind, kind_len) != 0 || !is_blank(header[kind_len]))
		return false;
	header += kind_len;
	while (is_blank(*header))
		header++;
	len = strlen(header);
	while (len > 0 && is_blank(header[len - 1]))
		len--;
	if (len >= 2 && (*header == '"' || *header == '\''))
		quote = *header;
	if (quote != '\0' && header[len - 1] == quote)
	{
		header++;
		len -= 2;
	}
	return same(name, header, len);
}

/*
 * smf_config_has
 *		Is there a section of that kind ("profile", "sso-session", "services", or
 *		NULL for a name alone) and name?
 */
bool
smf_config_has(const ConfigFile *file, const char *kind, const char *name)
{
	for (int i = 0; i < file->nentries; i++)
	{
		if (file->entries[i].key == NULL && is_section(file->entries[i].section, kind, name))
			return true;
	}
	return false;
}

/*
 * smf_config_get
 *		The value of a setting, the file's own; NULL when there is none.
 */
const char *
smf_config_get(const ConfigFile *file, const char *kind, const char *name, const char *key)
{
	for (int i = 0; i < file->nentries; i++)
	{
		if (file->entries[i].key != NULL && strcmp(file->entries[i].key, key) == 0 &&
			is_section(file->entries[i].section, kind, name))
			return file->entries[i].value;
	}
	return NULL;
}

/*
 * smf_config_nested
 *		A setting below a setting: of a value of several lines, the one that says
 *		"key = ...".  False when there is none, or it is longer than "size".
 */
bool
smf_config_nested(const char *value, const char *key, char *found, size_t size)
{
	const char *end = value + strlen(value);

	while (value < end)
	{
		Line		line = next_line(&value, end);
		size_t		key_len = find_delimiter(line);
		const char *begin = line.text + key_len + 1;
		const char *stop = line.text + line.len;

		if (key_len == line.len)
			continue;
		while (key_len > 0 && is_blank(line.text[key_len - 1]))
			key_len--;
		while (begin < stop && is_blank(*begin))
			begin++;
		if (!same(key, line.text, key_len) || (size_t) (stop - begin) >= size)
			continue;
		memcpy(found, begin, stop - begin);
		found[stop - begin] = '\0';
		return true;
	}
	return false;
}
