/*-------------------------------------------------------------------------
 *
 * json_skip_test.c
 *		JSON values that nobody reads: where each ends, and that the blocks in which that is
 *		looked for are the same however they are read.
 *
 * Every text is in memory of its size, so that a sanitizer sees what is read behind it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "aws/json_block.h"
#include "aws/json_skip.h"
#include "tap.h"
#include "value_end.h"

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Random blocks, and random texts; fewer where an emulator runs this. */
#ifndef RANDOM_ROUNDS
#define RANDOM_ROUNDS 200000
#endif

/* Longest text: more than three blocks. */
#define TEXT_MAX 220

/* Space before a text: each place of a block is where it begins. */
#define SHIFT_MAX 64

/* What texts are made of: mostly what decides where they end. */
static const char pieces[] = "\"\"\"\"\\\\\\\\\\{[}]}]{[,: \n\t\ra1n\x7b\x5b\x0b\x1d\x3b\x80\xff\xfb\xdb\xfd";

static const struct
{
	const char *title;
	const char *value;			/* as it begins the text */
	bool		ends;
}			cases[] = {
	{"an empty string", "\"\"", true},
	{"a string with brackets", "\"}]{[\"", true},
	{"a string with an escaped quote", "\"\\\"\"", true},
	{"a string that ends with a backslash", "\"\\\\\"", true},
	{"a string that ends with an escaped quote", "\"\\\\\\\"", false},
	{"an open string", "\"a", false},
	{"an open escape", "\"\\", false},
	{"an empty object", "{}", true},
	{"an empty list", "[]", true},
	{"a list in lists", "[[],[[]]]", true},
	{"an object with brackets in strings", "{\"}\": \"]\", \"{\": \"\\\"}\"}", true},
	{"an open object", "{\"a\": {}", false},
	{"an object whose string is open", "{\"a}", false},
	{"brackets of the other kind", "{]", true},
	{"a number", "-1.5e+3", true},
	{"a word", "null", true},
	{"what is no value", "\x01\x80#", true}
};

/* A text that may be read up to its last byte, and "shift" bytes behind where memory begins. */
static char *
copy_of(const char *text, int len, int shift, char **memory)
{
	*memory = malloc(shift + len + (shift + len == 0));
	if (*memory == NULL)
		exit(2);
	memset(*memory, '"', shift);
	memcpy(*memory + shift, text, len);
	return *memory + shift;
}

/* Is the end found of a text, at whatever place of a block, with that behind it? */
static bool
ends_at(const char *value, const char *rest, bool ends)
{
	char		text[TEXT_MAX];
	int			len = snprintf(text, sizeof(text), "%s%s", value, rest);
	bool		good = true;

	for (int shift = 0; shift < SHIFT_MAX; shift++)
	{
		char	   *memory;
		const char *at = copy_of(text, len, shift, &memory);

		good &= smf_json_skip(at, at + len) == (ends ? at + strlen(value) : NULL);
		free(memory);
	}
	return good;
}

static void
test_cases(void)
{
	char		title[128];

	for (int i = 0; i < LENGTH(cases); i++)
	{
		bool		good = ends_at(cases[i].value, "", cases[i].ends);

		if (cases[i].ends)
			good &= ends_at(cases[i].value, ", \"b\": {\"c\": []}}", true) && ends_at(cases[i].value, " }", true);
		snprintf(title, sizeof(title), "%s %s", cases[i].title, cases[i].ends ? "ends" : "does not end");
		tap_ok(good, title);
	}
	tap_ok(smf_json_skip("", "") == NULL, "an empty text has no value");
	tap_ok(ends_at(",", "", false) && ends_at("}", "", false) && ends_at(" ", "1", false),
		   "where a value is missing none is passed over");
}

/* Does a string end with so many backslashes in it, and so many bytes on either side of them? */
static bool
backslashes_end(int before, int n, int after)
{
	char		text[TEXT_MAX];
	int			len = before + n + after + 2;
	char	   *memory;
	const char *at;
	bool		good;

	memset(text, 'a', len);
	text[0] = '"';
	memset(text + 1 + before, '\\', n);
	text[len - 1] = '"';
	at = copy_of(text, len, 0, &memory);
	good = smf_json_skip(at, at + len) == (n % 2 == 0 || after > 0 ? at + len : NULL);
	free(memory);
	return good;
}

static void
test_backslashes(void)
{
	bool		good = true;

	/* at each place of a block, and with the quote at each place of the next two */
	for (int before = 0; before < SMF_JSON_BLOCK_SIZE; before++)
	{
		for (int n = 0; n < 2 * SMF_JSON_BLOCK_SIZE; n++)
			good &= backslashes_end(before, n, 0);
		for (int after = 1; after < 2 * SMF_JSON_BLOCK_SIZE; after++)
			good &= backslashes_end(before, 1, after) && backslashes_end(before, 2, after);
	}
	tap_ok(good, "a quote ends a string unless an odd number of backslashes is before it, across blocks, too");
}

static int
draw_text(char *text)
{
	int			len = rand() % TEXT_MAX;

	for (int i = 0; i < len; i++)
		text[i] = rand() % 4 == 0 ? (char) (rand() % 255 + 1) : pieces[rand() % (sizeof(pieces) - 1)];
	if (len > 0)
		text[0] = "\"{[\"{[a"[rand() % 7];
	return len;
}

static void
test_random(void)
{
	bool		same_blocks = true;
	bool		same_ends = true;
	int			nended = 0;
	char		text[TEXT_MAX];

	srand(19);
	for (int i = 0; i < RANDOM_ROUNDS; i++)
	{
		JsonBlock	block;
		JsonBlock	plain;

		for (int j = 0; j < SMF_JSON_BLOCK_SIZE; j++)
			text[j] = i % 2 ? (char) rand() : pieces[rand() % (sizeof(pieces) - 1)];
		block = smf_json_block(text);
		plain = smf_json_block_plain(text);
		same_blocks &= block.quotes == plain.quotes && block.backslashes == plain.backslashes &&
			block.opening == plain.opening && block.closing == plain.closing;
	}
	tap_ok(same_blocks, "a block is the same as in plain C");

	for (int i = 0; i < RANDOM_ROUNDS; i++)
	{
		int			len = draw_text(text);
		char	   *memory;
		const char *at = copy_of(text, len, 0, &memory);
		const char *behind = end_of_value(at, at + len);

		same_ends &= smf_json_skip(at, at + len) == behind;
		nended += behind != NULL && behind - at > SMF_JSON_BLOCK_SIZE;
		free(memory);
	}
	tap_ok(same_ends, "values end where they do byte by byte");
	tap_ok(nended > RANDOM_ROUNDS / 1000, "... and many of them are longer than a block");
}

int
main(void)
{
	test_cases();
	test_backslashes();
	test_random();
	return tap_end();
}
