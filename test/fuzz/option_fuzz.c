/*-------------------------------------------------------------------------
 *
 * option_fuzz.c
 *		Options: any name, and for each option any value.
 *
 * Input: a byte that chooses the option, one for where an unknown one stands; the
 * value and a name, each up to a NUL.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "option.c"

typedef struct Given
{
	const SmfOption *option;
	const char *value;
	const char *name;
	OptionContext context;
	SmfSettings settings;
	SmfImportOptions imported;
} Given;

static void
give_value(void *arg)
{
	Given	   *given = arg;
	const SmfOption *option = given->option;
	void	   *into = (option->contexts & ON_IMPORT) != 0 ? (void *) &given->imported :
		(void *) &given->settings;

	read_value(option, given->value, option->offset == NOWHERE ? NULL : into);
}

static void
give_name(void *arg)
{
	Given	   *given = arg;

	(void) known_option(given->name, given->context);
}

static bool
is_graphic(const char *value)
{
	for (; *value; value++)
	{
		if (*value <= ' ' || *value > '~')
			return false;
	}
	return true;
}

/* What must hold of a value that was taken. */
static void
check_taken(const Given *given)
{
	const SmfOption *option = given->option;
	const char *value = given->value;
	double		number;

	switch (option->type)
	{
		case OPTION_BOOLEAN:
		case OPTION_LABEL:
			break;
		case OPTION_INTEGER:
		case OPTION_NUMBER:
		case OPTION_SECONDS:
		case OPTION_SIZE:
			number = strtod(value, NULL);
			FUZZ_CHECK(number >= option->min && number <= option->max);
			if (option->type == OPTION_SECONDS)
				FUZZ_CHECK(*(const int *) ((const char *) &given->settings + option->offset) >= 1);
			break;
		case OPTION_PATH:
			FUZZ_CHECK(value[0] == '/' && strpbrk(value, "\r\n") == NULL);
			break;
		case OPTION_PROFILE:
			FUZZ_CHECK(strpbrk(value, "]\r\n") == NULL);
			break;
		case OPTION_ATTRIBUTE:
			break;
		case OPTION_ENDPOINT:
		case OPTION_PROXY:
			FUZZ_CHECK(is_graphic(value) && strpbrk(value, "@?#\\") == NULL);
			break;
		case OPTION_REGION:
		case OPTION_ACCOUNT:
		case OPTION_WORD:
		case OPTION_SECRET:
		case OPTION_ROLE_ARN:
			FUZZ_CHECK(*value != '\0' && is_graphic(value));
			break;
	}
}

/* A refusal says what is accepted, and no secret. */
static void
check_refused(const Given *given)
{
	FUZZ_CHECK(fuzz_error.sqlstate == ERRCODE_INVALID_PARAMETER_VALUE);
	FUZZ_CHECK(fuzz_error.hint != NULL);
	FUZZ_CHECK(!smf_has_control_characters(fuzz_error.message));
	/* the message names the option: only what is longer can be the value */
	if (given->option->secret && strlen(given->value) > 30)
		FUZZ_CHECK(strstr(fuzz_error.message, given->value) == NULL &&
				   strstr(fuzz_error.hint, given->value) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	input = {data, size};
	Given		given = {0};
	const char *rest;

	given.option = &option_table[fuzz_byte(&input) % lengthof(option_table)];
	given.context = places[fuzz_byte(&input) % lengthof(places)].context;
	given.value = fuzz_string(&input);
	given.name = fuzz_string(&input);

	if (fuzz_raises(give_value, &given))
		check_refused(&given);
	else
		check_taken(&given);

	if (fuzz_raises(give_name, &given))
	{
		FUZZ_CHECK(fuzz_error.sqlstate == ERRCODE_FDW_INVALID_OPTION_NAME);
		FUZZ_CHECK(fuzz_error.hint != NULL && find_option(given.name, given.context) == NULL);
	}
	else
		FUZZ_CHECK(find_option(given.name, given.context) != NULL);

	/* a path below an attribute, and columns that sound like the name */
	if (smf_is_attribute_path(given.name))
		(void) smf_attribute_by_path(given.name, &rest);
	(void) smf_closest_column(given.name);
	fuzz_reset();
	return 0;
}
