/*-------------------------------------------------------------------------
 *
 * config_driver.c
 *		Reads config files from standard input, for config_differential.py.
 *
 * A file is a line of fields separated by tabs, each in hexadecimal: the file's text,
 * and then keys of settings below settings that are to be looked up.  The answer is a
 * line: "unreadable", the line and the problem's number; or what is there, fields
 * separated by tabs, parts of each by blanks, all but the kind in hexadecimal:
 *
 *		KIND NAME					a section
 *		KIND NAME KEY VALUE			a setting
 *		KIND NAME KEY NESTED VALUE	a setting below a setting
 *
 * with "section" as kind for names as they are written.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/config_file.h"

#define FIELDS_MAX 64
#define NESTED_SIZE 4096

/* Decode a field in place; returns its length. */
static size_t
decode(char *field)
{
	size_t		len = strlen(field) / 2;

	for (size_t i = 0; i < len; i++)
	{
		char		pair[3] = {field[2 * i], field[2 * i + 1], '\0'};

		field[i] = (char) strtol(pair, NULL, 16);
	}
	field[len] = '\0';
	return len;
}

/* A part in hexadecimal; "-" stands for an empty one. */
static void
print_part(const char *part)
{
	putchar(' ');
	if (*part == '\0')
		putchar('-');
	for (; *part; part++)
		printf("%02x", (unsigned char) *part);
}

/* Has an earlier setting, of whatever section, the same key? */
static bool
is_known(const ConfigFile *file, int setting)
{
	for (int i = 0; i < setting; i++)
	{
		if (strcmp(file->settings[i].key, file->settings[setting].key) == 0)
			return true;
	}
	return false;
}

/* What is found by a section's name. */
static void
print_section(const ConfigFile *file, const char *kind, const char *name, char **nested, int nnested)
{
	const char *shown = kind ? kind : "section";
	char		found[NESTED_SIZE];

	printf("\t%s", shown);
	print_part(name);
	for (int i = 0; i < file->nsettings; i++)
	{
		const char *key = file->settings[i].key;
		const char *value = smf_config_get(file, kind, name, key);

		if (value == NULL || is_known(file, i))
			continue;
		printf("\t%s", shown);
		print_part(name);
		print_part(key);
		print_part(value);
		for (int j = 0; j < nnested; j++)
		{
			if (!smf_config_nested(value, nested[j], found, sizeof(found)))
				continue;
			printf("\t%s", shown);
			print_part(name);
			print_part(key);
			print_part(nested[j]);
			print_part(found);
		}
	}
}

/* Has a later section the same kind and name? */
static bool
is_named_again(const ConfigFile *file, int section)
{
	const ConfigSection *one = &file->sections[section];

	for (int i = section + 1; i < file->nsections; i++)
	{
		const ConfigSection *other = &file->sections[i];

		if (other->name != NULL && strcmp(one->kind, other->kind) == 0 &&
			strcmp(one->name, other->name) == 0)
			return true;
	}
	return false;
}

int
main(void)
{
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;

	while ((len = getline(&line, &size, stdin)) > 0)
	{
		char	   *fields[FIELDS_MAX];
		size_t		text_len = 0;
		int			nfields = 0;
		char	   *at = line;
		ConfigFile	file = {0};
		int			where = 0;
		ConfigProblem problem;

		line[len - 1] = '\0';
		for (char *field = strsep(&at, "\t"); field != NULL; field = strsep(&at, "\t"))
		{
			if (nfields == FIELDS_MAX)
				return 2;
			if (nfields == 0)
				text_len = decode(field);
			else
				decode(field);
			fields[nfields++] = field;
		}
		problem = smf_config_parse(fields[0], text_len, &file, &where);
		if (problem != SMF_CONFIG_OK)
			printf("unreadable %d %d", where, problem);
		else
			printf("readable");
		for (int i = 0; problem == SMF_CONFIG_OK && i < file.nsections; i++)
		{
			const ConfigSection *section = &file.sections[i];

			if (!smf_config_has(&file, NULL, section->header))
				return 3;
			print_section(&file, NULL, section->header, fields + 1, nfields - 1);
			if (section->name == NULL || is_named_again(&file, i))
				continue;
			if (!smf_config_has(&file, section->kind, section->name))
				return 3;
			print_section(&file, section->kind, section->name, fields + 1, nfields - 1);
		}
		putchar('\n');
		smf_config_free(&file);
	}
	free(line);
	return 0;
}
