/*-------------------------------------------------------------------------
 *
 * xml_fuzz.c
 *		STS's answers.
 *
 * Input: a document.
 *
 *-------------------------------------------------------------------------
 */
#include "backend.h"

#include "aws/xml.h"
#include "lib/stringinfo.h"

/* The element with that text. */
static void
print(StringInfo document, const char *name, const char *text, size_t len)
{
	appendStringInfo(document, "<%s>", name);
	for (size_t i = 0; i < len; i++)
	{
		switch (text[i])
		{
			case '<':
				appendStringInfoString(document, "&lt;");
				break;
			case '&':
				appendStringInfoString(document, "&#38;");
				break;
			default:
				appendStringInfoChar(document, text[i]);
		}
	}
	appendStringInfo(document, "</%s>", name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
	"Code", "Message", "Account"};

	for (int i = 0; i < lengthof(names); i++)
	{
		size_t		len;
		size_t		len_again;
		char	   *text = smf_xml_element((const char *) data, size, names[i], &len);
		char	   *again;
		StringInfoData document;

		if (text == NULL)
			continue;
		FUZZ_CHECK(text[len] == '\0' && len < size);

		/* printed and read again it is the same */
		initStringInfo(&document);
		print(&document, names[i], text, len);
		again = smf_xml_element(document.data, document.len, names[i], &len_again);
		FUZZ_CHECK(again != NULL && len_again == len && memcmp(text, again, len) == 0);
		free(text);
		free(again);
	}
	fuzz_reset();
	return 0;
}
