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

/* A value in a file: what comes behind a line feed is deeper than its key. */
static void
print_value(const char *value, StringInfo text)
{
	for (; *value; value++)
	{
		appendStringInfoChar(text, *value);
		if (*value == '\n')
			appendStringInfoChar(text, '\t');
	}
	appendStringInfoChar(text, '\n');
}

/* A file that says what was read. */
static void
print(const ConfigFile *file, StringInfo text)
{
	int			printed = 0;
	bool		in_defaults = false;

	for (int i = 0; i < file->nsettings; i++)
	{
		const ConfigSetting *setting = &file->settings[i];

		if (setting->section == SMF_CONFIG_DEFAULTS && !in_defaults)
			appendStringInfoString(text, "[DEFAULT]\n");
		in_defaults = setting->section == SMF_CONFIG_DEFAULTS;
		for (; printed <= setting->section; printed++)
			appendStringInfo(text, "[%s]\n", file->sections[printed].header);
		appendStringInfo(text, "%s = ", setting->key);
		print_value(setting->value, text);
	}
	for (; printed < file->nsections; printed++)
		appendStringInfo(text, "[%s]\n", file->sections[printed].header);
}

static bool
same_string(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static void
check_same(const ConfigFile *file, const ConfigFile *again)
{
	FUZZ_CHECK(again->nsections == file->nsections && again->nsettings == file->nsettings);
	for (int i = 0; i < file->nsections; i++)
		FUZZ_CHECK(strcmp(file->sections[i].header, again->sections[i].header) == 0 &&
				   same_string(file->sections[i].kind, again->sections[i].kind) &&
				   same_string(file->sections[i].name, again->sections[i].name));
	for (int i = 0; i < file->nsettings; i++)
		FUZZ_CHECK(file->settings[i].section == again->settings[i].section &&
				   strcmp(file->settings[i].key, again->settings[i].key) == 0 &&
				   strcmp(file->settings[i].value, again->settings[i].value) == 0);
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

	if (smf_config_parse((const char *) data, size, &file, &line) == SMF_CONFIG_OK)
	{
		look_up(&file);

		/* printed and read again it is the same */
		initStringInfo(&text);
		print(&file, &text);
		FUZZ_CHECK(smf_config_parse(text.data, text.len, &again, &line) == SMF_CONFIG_OK);
		check_same(&file, &again);
	}
	else
		FUZZ_CHECK(line >= 1);
	smf_config_free(&file);
	smf_config_free(&again);
	fuzz_reset();
	return 0;
}
