/*-------------------------------------------------------------------------
 *
 * config_file.c
 *		The AWS config and credentials files.
 *
 * They are parsed as the AWS CLI and boto3 do, that is, as by Python's configparser:
 *
 *		[profile name]		a section; [default], [sso-session x], [services x]
 *		key = value			or "key: value"; the key in any case
 *			more			deeper than its key: the value goes on
 *		# comment			or ";", at the beginning of a line
 *
 * A header that starts with "profile", "sso-session" or "services" is split as a shell
 * would: the name is the second of two words.  So several headers may mean the same, such
 * as [default], [profile default] and [profile "default"]: only the last of these
 * sections counts.  [DEFAULT] has settings for all sections that lack them.
 *
 * A section or a key that occurs twice, a setting before any section, a line that is none
 * of these and bytes that are not UTF-8 make the file unreadable, as they do for these
 * programs.  This parser differs from them on purpose:
 *
 *		a byte order mark at the beginning is skipped (they reject the file);
 *		a NUL byte makes the file unreadable (they take it for part of a value);
 *		keys are the same in any case of ASCII letters (theirs: of Unicode letters).
 *
 * Values may be secrets, and are overwritten when the file is freed.
 *
 * test/unit/config_differential.py compares it with botocore.
 *
 *-------------------------------------------------------------------------
 */
#include "aws/config_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* Hash chains of sections or settings, to find duplicates. */
#define CHAINS 4096

/* Used instead of a section's index: no section has begun. */
#define NO_SECTION (-2)

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

/* Kinds of sections that also have a name. */
static const char *const kinds[] = {"profile", "sso-session", "services"};

/* A part of a file's text. */
typedef struct Span
{
	const char *begin;
	const char *end;
} Span;

/* A file being read. */
typedef struct Parser
{
	ConfigFile *file;
	int			line;			/* from 1 on */
	int			section;		/* that settings belong to; or NO_SECTION */
	bool		in_value;		/* lines indented more deeply belong to the last setting */
	size_t		indent;			/* characters before that setting's key */
	size_t		blank_lines;	/* since its last line */
	int			section_chains[CHAINS]; /* index of the first section in each; -1: none */
	int			setting_chains[CHAINS]; /* index of the first setting in each; -1: none */
} Parser;

/*
 * Decode the UTF-8 character at "at", which is before "end"; returns its length in bytes,
 * 0 if it is not valid.
 */
static int
decode(const char *at, const char *end, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char) *at;
	int			len = 0;

	if (first < 0x80)
		len = 1;
	else if ((first & 0xE0) == 0xC0)
		len = 2;
	else if ((first & 0xF0) == 0xE0)
		len = 3;
	else if ((first & 0xF8) == 0xF0)
		len = 4;
	if (len == 0 || end - at < len)
		return 0;
	*code = len == 1 ? first : first & (0x7F >> len);
	for (int i = 1; i < len; i++)
	{
		if ((at[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3F);
	}
	if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
		return 0;
	return len;
}

/* Is it a blank, as for Python's str.strip? */
static bool
is_blank(uint32_t code)
{
	return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
		code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
		code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* Does it end a line, as for Python's str.splitlines, which accepts more than files use? */
static bool
is_line_end(uint32_t code)
{
	return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
		code == 0x2028 || code == 0x2029;
}

/* Is it UTF-8, without a NUL? */
static bool
is_text(Span span)
{
	uint32_t	code;
	int			len;

	for (; span.begin < span.end; span.begin += len)
	{
		len = decode(span.begin, span.end, &code);
		if (len == 0 || code == 0)
			return false;
	}
	return true;
}

/*
 * Strip blanks from both ends; *indent is the number of characters stripped from the
 * start.
 */
static Span
trim(Span span, size_t *indent)
{
	uint32_t	code;
	int			len;

	*indent = 0;
	while (span.begin < span.end && (len = decode(span.begin, span.end, &code)) > 0 &&
		   is_blank(code))
	{
		span.begin += len;
		(*indent)++;
	}
	while (span.end > span.begin)
	{
		const char *last = span.end - 1;

		while (last > span.begin && (*last & 0xC0) == 0x80)
			last--;
		if (decode(last, span.end, &code) == 0 || !is_blank(code))
			break;
		span.end = last;
	}
	return span;
}

/* The text before "delimiter", or after it, without blanks at its ends. */
static Span
before(Span span, const char *delimiter)
{
	size_t		indent;

	return trim((Span) {span.begin, delimiter}, &indent);
}

static Span
behind(Span span, const char *delimiter)
{
	size_t		indent;

	return trim((Span) {delimiter + 1, span.end}, &indent);
}

/* Take the next line, which ends in CR, LF, or both, from *at. */
static Span
next_line(const char **at, const char *end)
{
	Span		line = {*at, *at};

	while (line.end < end && *line.end != '\n' && *line.end != '\r')
		line.end++;
	*at = line.end;
	if (*at < end && *(*at)++ == '\r' && *at < end && **at == '\n')
		(*at)++;
	return line;
}

static char *
copy(Span span)
{
	size_t		len = span.end - span.begin;
	char	   *string = malloc(len + 1);

	if (string != NULL)
	{
		memcpy(string, span.begin, len);
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

/*
 * Make room for one more element in an array that nothing else points into; false without
 * memory.
 */
static bool
make_room(void **array, int used, int *size, size_t element)
{
	int			more = *size ? 2 * *size : 32;
	void	   *larger;

	if (used < *size)
		return true;
	larger = realloc(*array, more * element);
	if (larger == NULL)
		return false;
	*array = larger;
	*size = more;
	return true;
}

static uint32_t
hash_string(uint32_t hash, const char *string)
{
	/* FNV-1a */
	for (; *string; string++)
		hash = (hash ^ (unsigned char) *string) * 16777619u;
	return hash;
}

/* The chain of sections with this header's hash. */
static int *
section_chain(Parser *parser, const char *header)
{
	return &parser->section_chains[hash_string(2166136261u, header) % CHAINS];
}

/* The chain of settings with this key's hash. */
static int *
setting_chain(Parser *parser, int section, const char *key)
{
	return &parser->setting_chains[hash_string(2166136261u ^ (uint32_t) section, key) % CHAINS];
}

/* Does the section already have that setting? */
static bool
has_setting(Parser *parser, int section, const char *key)
{
	const ConfigSetting *settings = parser->file->settings;

	for (int i = *setting_chain(parser, section, key); i >= 0; i = settings[i].next)
	{
		if (settings[i].section == section && strcmp(settings[i].key, key) == 0)
			return true;
	}
	return false;
}

/* The result of splitting off a word from a header. */
typedef enum WordResult
{
	WORD,
	NO_WORD,					/* none is left */
	BAD_WORD					/* an unclosed quote, or a backslash at the end */
} WordResult;

/*
 * Take the next word from *at, as Python's shlex.split does: quotes keep words together,
 * and may occur anywhere in them.  "word" has room for everything that is left.
 */
static WordResult
next_word(const char **at, char *word)
{
	const char *c = *at + strspn(*at, " \t");
	char		quote = '\0';

	if (*c == '\0')
		return NO_WORD;
	for (; *c && (quote || (*c != ' ' && *c != '\t')); c++)
	{
		if (quote ? *c == quote : (*c == '"' || *c == '\''))
			quote = quote ? '\0' : *c;
		else if (*c != '\\' || quote == '\'')
			*word++ = *c;
		else if (c[1] == '\0')
			return BAD_WORD;
		else
		{
			/* in quotes it only escapes a quote or a backslash */
			if (quote && c[1] != '"' && c[1] != '\\')
				*word++ = *c;
			*word++ = *++c;
		}
	}
	*word = '\0';
	*at = c;
	return quote ? BAD_WORD : WORD;
}

/* Find out what the section's header means; false without memory. */
static bool
name_section(ConfigSection *section)
{
	const char *at = section->header;
	size_t		size = strlen(at) + 1;
	char	   *word;

	for (int i = 0; i < (int) (sizeof(kinds) / sizeof(kinds[0])); i++)
	{
		if (strncmp(at, kinds[i], strlen(kinds[i])) == 0)
			section->kind = kinds[i];
	}
	if (strcmp(at, "default") == 0)
		section->kind = "profile";
	else if (section->kind == NULL)
		return true;

	word = malloc(size);
	if (word == NULL)
		return false;
	if (strcmp(at, "default") == 0)
		section->name = strcpy(word, at);
	else if (next_word(&at, word) == WORD && next_word(&at, word) == WORD &&
			 at[strspn(at, " \t")] == '\0')
		section->name = word;
	else
		free(word);
	return true;
}

/* Begin a section; "header" is the text between its brackets. */
static ConfigProblem
begin_section(Parser *parser, Span header)
{
	ConfigFile *file = parser->file;
	ConfigSection *section;
	int		   *chain;

	/* it can be continued later, and may begin many times */
	if (header.end - header.begin == 7 && memcmp(header.begin, "DEFAULT", 7) == 0)
	{
		parser->section = SMF_CONFIG_DEFAULTS;
		return SMF_CONFIG_OK;
	}
	if (!make_room((void **) &file->sections, file->nsections, &file->sections_size,
				   sizeof(ConfigSection)))
		return SMF_CONFIG_NO_MEMORY;
	section = &file->sections[file->nsections];
	memset(section, 0, sizeof(ConfigSection));
	section->header = copy(header);
	if (section->header == NULL)
		return SMF_CONFIG_NO_MEMORY;
	parser->section = file->nsections++;

	/* no other section may have exactly the same header */
	chain = section_chain(parser, section->header);
	for (int i = *chain; i >= 0; i = file->sections[i].next)
	{
		if (strcmp(file->sections[i].header, section->header) == 0)
			return SMF_CONFIG_SECTION_TWICE;
	}
	section->next = *chain;
	*chain = parser->section;
	return name_section(section) ? SMF_CONFIG_OK : SMF_CONFIG_NO_MEMORY;
}

/* Add a setting to the section. */
static ConfigProblem
add_setting(Parser *parser, Span key, Span value)
{
	ConfigFile *file = parser->file;
	ConfigSetting *setting;
	int		   *chain;

	if (!make_room((void **) &file->settings, file->nsettings, &file->settings_size,
				   sizeof(ConfigSetting)))
		return SMF_CONFIG_NO_MEMORY;

	/* Copy it, the key in lower case. */
	setting = &file->settings[file->nsettings];
	memset(setting, 0, sizeof(ConfigSetting));
	file->nsettings++;
	setting->section = parser->section;
	setting->key = copy(key);
	setting->value = copy(value);
	if (setting->key == NULL || setting->value == NULL)
		return SMF_CONFIG_NO_MEMORY;
	setting->value_len = value.end - value.begin;
	setting->value_size = setting->value_len + 1;
	for (char *c = setting->key; *c; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}

	/* Add it to its hash chain. */
	if (has_setting(parser, setting->section, setting->key))
		return SMF_CONFIG_SETTING_TWICE;
	chain = setting_chain(parser, setting->section, setting->key);
	setting->next = *chain;
	*chain = file->nsettings - 1;

	/* The following lines may continue its value. */
	parser->in_value = true;
	parser->blank_lines = 0;
	return SMF_CONFIG_OK;
}

/* Take the next nested setting from *at, without blanks at its ends. */
static Span
next_nested(const char **at, const char *end)
{
	Span		line = {*at, end};
	size_t		indent;
	uint32_t	code;
	int			len = 0;

	for (line.end = line.begin; line.end < end; line.end += len)
	{
		len = decode(line.end, end, &code);
		if (len == 0 || is_line_end(code))
			break;
	}
	*at = line.end < end ? line.end + (len > 0 ? len : 1) : end;
	return trim(line, &indent);
}

/* Does every nested setting in this line have a "="? */
static bool
is_nested(Span line)
{
	while (line.begin < line.end)
	{
		Span		one = next_nested(&line.begin, line.end);

		if (one.begin < one.end && memchr(one.begin, '=', one.end - one.begin) == NULL)
			return false;
	}
	return true;
}

/* Continue the value of the last setting. */
static ConfigProblem
continue_value(Parser *parser, Span line)
{
	ConfigSetting *setting = &parser->file->settings[parser->file->nsettings - 1];
	size_t		line_feeds = parser->blank_lines + 1;
	size_t		len = setting->value_len + line_feeds + (line.end - line.begin);

	if (len >= setting->value_size)
	{
		/* not realloc: it may leave a copy of a secret behind */
		char	   *longer = malloc(2 * len + 1);

		if (longer == NULL)
			return SMF_CONFIG_NO_MEMORY;
		memcpy(longer, setting->value, setting->value_len + 1);
		free_string(setting->value);
		setting->value = longer;
		setting->value_size = 2 * len + 1;
	}
	memset(setting->value + setting->value_len, '\n', line_feeds);
	memcpy(setting->value + setting->value_len + line_feeds, line.begin, line.end - line.begin);
	setting->value_len = len;
	setting->value[len] = '\0';
	parser->blank_lines = 0;

	/* if nothing followed the key on its own line, these lines are nested settings */
	if (setting->value[0] == '\n' && setting->bad_line == 0 && !is_nested(line))
		setting->bad_line = parser->line;
	return SMF_CONFIG_OK;
}

/* Read one line. */
static ConfigProblem
read_line(Parser *parser, Span line)
{
	size_t		indent;
	Span		text;
	const char *at;

	/* Lines without content. */
	if (!is_text(line))
		return SMF_CONFIG_NOT_TEXT;
	text = trim(line, &indent);
	if (text.begin == text.end)
	{
		parser->blank_lines++;
		return SMF_CONFIG_OK;
	}
	if (*text.begin == '#' || *text.begin == ';')
		return SMF_CONFIG_OK;

	/* An indented line continues the value before it. */
	if (parser->in_value && indent > parser->indent)
		return continue_value(parser, text);
	parser->indent = indent;
	parser->in_value = false;

	/* A header ends at the last bracket, whatever follows, and is not empty. */
	at = *text.begin == '[' ? text.end - 1 : text.begin;
	while (at > text.begin && *at != ']')
		at--;
	if (at > text.begin + 1)
		return begin_section(parser, (Span) {text.begin + 1, at});

	/* Anything else is a setting. */
	if (parser->section == NO_SECTION)
		return SMF_CONFIG_NO_SECTION;
	at = text.begin;
	while (at < text.end && *at != '=' && *at != ':')
		at++;
	if (at == text.begin || at == text.end)
		return SMF_CONFIG_NO_SETTING;
	return add_setting(parser, before(text, at), behind(text, at));
}

/*
 * Is there a line among nested settings that is not one?  In a setting of [DEFAULT] it
 * does not matter if every section has its own setting of that name.
 */
static bool
has_bad_line(Parser *parser, int *line)
{
	ConfigFile *file = parser->file;

	for (int i = 0; i < file->nsettings; i++)
	{
		const ConfigSetting *setting = &file->settings[i];
		int			section = 0;

		if (setting->bad_line == 0)
			continue;
		while (setting->section == SMF_CONFIG_DEFAULTS && section < file->nsections &&
			   has_setting(parser, section, setting->key))
			section++;
		if (setting->section == SMF_CONFIG_DEFAULTS && section == file->nsections)
			continue;
		*line = setting->bad_line;
		return true;
	}
	return false;
}

/*
 * smf_config_parse
 *		Parse a file's text into "file", which must be zeroed.
 *
 * If it is not a valid file, returns why and sets *line to where, from 1 on.  The caller
 * frees what was read in either case.
 */
ConfigProblem
smf_config_parse(const char *text, size_t len, ConfigFile *file, int *line)
{
	const char *at = text;
	const char *end = text + len;
	Parser		parser;

	memset(&parser, 0, sizeof(parser));
	parser.file = file;
	parser.section = NO_SECTION;
	for (int i = 0; i < CHAINS; i++)
		parser.section_chains[i] = parser.setting_chains[i] = -1;
	if (len >= strlen(BYTE_ORDER_MARK) && memcmp(at, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		at += strlen(BYTE_ORDER_MARK);
	for (parser.line = 1; at < end; parser.line++)
	{
		ConfigProblem problem = read_line(&parser, next_line(&at, end));

		*line = parser.line;
		if (problem != SMF_CONFIG_OK)
			return problem;
	}
	return has_bad_line(&parser, line) ? SMF_CONFIG_NO_SETTING : SMF_CONFIG_OK;
}

/*
 * smf_config_problem
 *		What is wrong with the line, as the end of a sentence about it.
 */
const char *
smf_config_problem(ConfigProblem problem)
{
	switch (problem)
	{
		case SMF_CONFIG_OK:
			break;
		case SMF_CONFIG_NOT_TEXT:
			return "is not text in UTF-8";
		case SMF_CONFIG_NO_SECTION:
			return "comes before any section";
		case SMF_CONFIG_NO_SETTING:
			return "is not a setting";
		case SMF_CONFIG_SECTION_TWICE:
			return "repeats a section of the file";
		case SMF_CONFIG_SETTING_TWICE:
			return "repeats a setting of its section";
		case SMF_CONFIG_NO_MEMORY:
			return "does not fit into memory";
	}
	return "is well";
}

/*
 * smf_config_free
 *		Overwrite and free the contents of the file.
 */
void
smf_config_free(ConfigFile *file)
{
	for (int i = 0; i < file->nsections; i++)
	{
		free_string(file->sections[i].header);
		free_string(file->sections[i].name);
	}
	for (int i = 0; i < file->nsettings; i++)
	{
		free_string(file->settings[i].key);
		free_string(file->settings[i].value);
	}
	free(file->sections);
	free(file->settings);
	memset(file, 0, sizeof(ConfigFile));
}

/* The last section of that kind and name; -1: none. */
static int
find_section(const ConfigFile *file, const char *kind, const char *name)
{
	int			found = file->nsections - 1;

	for (; found >= 0; found--)
	{
		const ConfigSection *section = &file->sections[found];

		if (kind == NULL && strcmp(section->header, name) == 0)
			break;
		if (kind != NULL && section->name != NULL && strcmp(section->kind, kind) == 0 &&
			strcmp(section->name, name) == 0)
			break;
	}
	return found;
}

/*
 * smf_config_has
 *		Is there a section of that kind ("profile", "sso-session", "services", or NULL
 *		for a header as written) and name?
 */
bool
smf_config_has(const ConfigFile *file, const char *kind, const char *name)
{
	return find_section(file, kind, name) >= 0;
}

/*
 * smf_config_get
 *		The value of a setting; it belongs to the file.  NULL when there is none.
 */
const char *
smf_config_get(const ConfigFile *file, const char *kind, const char *name, const char *key)
{
	int			section = find_section(file, kind, name);
	const char *value = NULL;

	if (section < 0)
		return NULL;
	for (int i = 0; i < file->nsettings; i++)
	{
		const ConfigSetting *setting = &file->settings[i];

		if (setting->section != section && setting->section != SMF_CONFIG_DEFAULTS)
			continue;
		if (strcmp(setting->key, key) != 0)
			continue;
		value = setting->value;
		if (setting->section == section)
			break;
	}
	return value;
}

/*
 * smf_config_nested
 *		A nested setting: in a value that begins with a line feed, the last line of the
 *		form "key = ...".  False when there is none, or its value does not fit into
 *		"size".
 */
bool
smf_config_nested(const char *value, const char *key, char *found, size_t size)
{
	const char *end = value + strlen(value);
	Span		last = {NULL, NULL};

	if (*value != '\n')
		return false;
	while (value < end)
	{
		Span		line = next_nested(&value, end);
		const char *delimiter = memchr(line.begin, '=', line.end - line.begin);
		Span		name;

		if (delimiter == NULL)
			continue;
		name = before(line, delimiter);
		if (strlen(key) == (size_t) (name.end - name.begin) &&
			memcmp(key, name.begin, name.end - name.begin) == 0)
			last = behind(line, delimiter);
	}
	if (last.begin == NULL || (size_t) (last.end - last.begin) >= size)
		return false;
	memcpy(found, last.begin, last.end - last.begin);
	found[last.end - last.begin] = '\0';
	return true;
}
