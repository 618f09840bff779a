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

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* Chains of entries with the same hash, to find what occurs twice. */
#define CHAINS 4096

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

static uint32_t
hash_string(uint32_t hash, const char *string)
{
	/* FNV-1a; the NUL counts, and so no string runs into the next one */
	do
		hash = (hash ^ (unsigned char) *string) * 16777619u;
	while (*string++ != '\0');
	return hash;
}

/* Remember the last entry; false if its like is there already. */
static bool
remember_entry(ConfigFile *file, int *chains)
{
	int			last = file->nentries - 1;
	ConfigEntry *entry = &file->entries[last];
	uint32_t	hash = hash_string(2166136261u, entry->section);
	int		   *chain;

	if (entry->key != NULL)
		hash = hash_string(hash, entry->key);
	chain = &chains[hash % CHAINS];
	for (int i = *chain; i >= 0; i = file->entries[i].next)
	{
		const ConfigEntry *other = &file->entries[i];

		if ((other->key == NULL) == (entry->key == NULL) &&
			strcmp(other->section, entry->section) == 0 &&
			(entry->key == NULL || strcmp(other->key, entry->key) == 0))
			return false;
	}
	entry->next = *chain;
	*chain = last;
	return true;
}

/* Begin a section; false if there is one already, or no memory. */
static bool
begin_section(ConfigFile *file, int *chains, const char *name, size_t len)
{
	ConfigEntry *entry = add_entry(file);

	if (entry != NULL)
		entry->section = copy(name, len);
	return entry != NULL && entry->section != NULL && remember_entry(file, chains);
}

/* Add a setting to the section; false if it has that already, or no memory. */
static bool
add_setting(ConfigFile *file, int *chains, const char *section, Line line, size_t delimiter)
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
	entry->value_len = end - value;
	entry->value_size = entry->value_len + 1;
	for (char *c = entry->key; *c; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	return remember_entry(file, chains);
}

/* The value of the last setting goes on. */
static bool
continue_value(ConfigEntry *entry, Line line)
{
	size_t		want = entry->value_len + 1 + line.len + 1;

	if (want > entry->value_size)
	{
		/* not realloc: it may leave a copy of a secret behind */
		char	   *longer = malloc(2 * want);

		if (longer == NULL)
			return false;
		memcpy(longer, entry->value, entry->value_len + 1);
		free_string(entry->value);
		entry->value = longer;
		entry->value_size = 2 * want;
	}
	entry->value[entry->value_len] = '\n';
	memcpy(entry->value + entry->value_len + 1, line.text, line.len);
	entry->value_len = want - 1;
	entry->value[entry->value_len] = '\0';
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
	int			chains[CHAINS];

	for (int i = 0; i < CHAINS; i++)
		chains[i] = -1;
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
			if (!begin_section(file, chains, one.text + 1, bracket - one.text - 1))
				return false;
			section = file->entries[file->nentries - 1].section;
			continue;
		}
		if (section == NULL || find_delimiter(one) == one.len || find_delimiter(one) == 0 ||
			!add_setting(file, chains, section, one, find_delimiter(one)))
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
