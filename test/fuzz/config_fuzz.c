/*-------------------------------------------------------------------------
 *
 * config_fuzz.c
 *		The AWS config and credentials files.
 *
 * Input: a file.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/config_file.h"
#include "lib/stringinfo.h"

/* A file that says what was read. */
static void
print(const ConfigFile *file, StringInfo text)
{
	for (int i = 0; i < file->nentries; i++)
	{
		const ConfigEntry *entry = &file->entries[i];

		if (entry->key == NULL)
		{
			appendStringInfo(text, "[%s]\n", entry->section);
			continue;
		}
		appendStringInfo(text, "%s = ", entry->key);
		for (const char *c = entry->value; *c; c++)
		{
			appendStringInfoChar(text, *c);
			if (*c == '\n')
				appendStringInfoChar(text, '\t');
		}
		appendStringInfoChar(text, '\n');
	}
}

static bool
same_string(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* What is found in the file by its names. */
static void
look_up(const ConfigFile *file)
{
	static const char *const kinds[] = {NULL, "profile", "sso-session", "services"};
	static const char *const names[] = {"default", "a", "b c"};

	for (int i = 0; i < lengthof(kinds); i++)
	{
		for (int j = 0; j < lengthof(names); j++)
		{
			const char *value = smf_config_get(file, kinds[i], names[j], "region");
			char		nested[16];

			if (value != NULL)
				FUZZ_CHECK(smf_config_has(file, kinds[i], names[j]));
			value = smf_config_get(file, kinds[i], names[j], "s3");
			if (value != NULL && smf_config_nested(value, "endpoint_url", nested, sizeof(nested)))
				FUZZ_CHECK(strlen(nested) < sizeof(nested));
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ConfigFile	file = {0};
	ConfigFile	again = {0};
	StringInfoData text;
	int			line = 0;

	if (smf_config_parse((const char *) data, size, &file, &line))
	{
		look_up(&file);

		/* printed and read again it is the same */
		initStringInfo(&text);
		print(&file, &text);
		FUZZ_CHECK(smf_config_parse(text.data, text.len, &again, &line));
		FUZZ_CHECK(again.nentries == file.nentries);
		for (int i = 0; i < file.nentries; i++)
			FUZZ_CHECK(strcmp(file.entries[i].section, again.entries[i].section) == 0 &&
					   same_string(file.entries[i].key, again.entries[i].key) &&
					   same_string(file.entries[i].value, again.entries[i].value));
	}
	else
		FUZZ_CHECK(line >= 1);
	smf_config_free(&file);
	smf_config_free(&again);
	fuzz_reset();
	return 0;
}
