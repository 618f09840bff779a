/*-------------------------------------------------------------------------
 *
 * attribute_dump.c
 *		Prints the catalogue of attributes as JSON, for attribute_model.py to
 *		compare with the API's model.
 *
 * Also looks every entry up by its column and by its path, and exits with 1
 * when a lookup does not find the entry itself.  All strings of the catalogue
 * are plain ASCII without quotes, so nothing is escaped.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/attribute.h"

static const char *
kind_name(SmfKind kind)
{
	switch (kind)
	{
		case SMF_KIND_STRING:
			return "string";
		case SMF_KIND_ENUM:
			return "enum";
		case SMF_KIND_INTEGER:
			return "integer";
		case SMF_KIND_LONG:
			return "long";
		case SMF_KIND_FLOAT:
			return "float";
		case SMF_KIND_BOOLEAN:
			return "boolean";
		case SMF_KIND_TIMESTAMP:
			return "timestamp";
		case SMF_KIND_STRUCTURE:
			return "structure";
		case SMF_KIND_LIST:
			return "list";
		case SMF_KIND_MAP:
			return "map";
		case SMF_KIND_TAGS:
			return "tags";
		case SMF_KIND_REGION:
			return "region";
		case SMF_KIND_ACCOUNT_ID:
			return "account_id";
		case SMF_KIND_RAW_RESPONSE:
			return "raw_response";
	}
	return "?";
}

static const char *
origin_name(SmfOrigin origin)
{
	switch (origin)
	{
		case SMF_ORIGIN_MEMBER:
			return "member";
		case SMF_ORIGIN_SETTINGS:
			return "settings";
		case SMF_ORIGIN_ARN:
			return "arn";
		case SMF_ORIGIN_TAGS:
			return "tags";
		case SMF_ORIGIN_DOCUMENT:
			return "document";
	}
	return "?";
}

static void
print_strings(const char *name, const char *const *strings)
{
	printf(", \"%s\": ", name);
	if (strings == NULL)
	{
		printf("null");
		return;
	}
	printf("[");
	for (int i = 0; strings[i] != NULL; i++)
		printf("%s\"%s\"", i > 0 ? ", " : "", strings[i]);
	printf("]");
}

static void
print_string(const char *name, const char *string)
{
	if (string == NULL)
		printf(", \"%s\": null", name);
	else
		printf(", \"%s\": \"%s\"", name, string);
}

/*
 * Exit with 1 unless the lookups find what they should.
 */
static void
expect(bool held, const char *what, const char *of)
{
	if (held)
		return;
	fprintf(stderr, "%s: %s\n", what, of);
	exit(1);
}

static void
check_entry(const SmfAttribute *entry)
{
	const char *dot = strchr(entry->api_name, '.');
	const char *rest;
	char		path[256];

	expect(smf_attribute_by_column(entry->column_name) == entry,
		   "not found by column", entry->column_name);
	expect(strcmp(smf_attribute_similar_column(entry->api_name), entry->column_name) == 0,
		   "no similar column", entry->api_name);

	if (dot == NULL)
	{
		expect(smf_attribute_by_path(entry->api_name, &rest) == entry && rest == NULL,
			   "not found by path", entry->api_name);
		snprintf(path, sizeof(path), "%s.Some.Member", entry->api_name);
		expect(smf_attribute_by_path(path, &rest) == entry && strcmp(rest, "Some.Member") == 0,
			   "not found by a path below it", entry->api_name);
	}
	else
	{
		const SmfAttribute *parent = smf_attribute_by_path(entry->api_name, &rest);

		expect(parent != NULL && parent != entry &&
			   strncmp(parent->api_name, entry->api_name, dot - entry->api_name) == 0 &&
			   parent->api_name[dot - entry->api_name] == '\0' &&
			   strcmp(rest, dot + 1) == 0,
			   "path does not lead below its attribute", entry->api_name);
	}

	/* the column's own name is a path for derived columns only */
	if (dot != NULL || entry->kind >= SMF_KIND_TAGS)
		expect(smf_attribute_by_path(entry->column_name, &rest) == entry && rest == NULL,
			   "not found by its column as a path", entry->column_name);
	else
		expect(smf_attribute_by_path(entry->column_name, &rest) == NULL,
			   "found by its column as a path", entry->column_name);

	if (entry->labels != NULL)
	{
		for (int i = 0; entry->labels[i] != NULL; i++)
			expect(smf_attribute_has_label(entry, entry->labels[i]),
				   "label not found", entry->labels[i]);
	}
	expect(!smf_attribute_has_label(entry, "Nothing"), "has a label", entry->api_name);
}

static void
expect_similar(const char *name, const char *column)
{
	const char *similar = smf_attribute_similar_column(name);

	expect((similar == NULL) == (column == NULL) &&
		   (column == NULL || strcmp(similar, column) == 0),
		   "another similar column", name);
}

int
main(void)
{
	const char *rest;

	printf("[\n");
	for (int i = 0; i < smf_nattributes; i++)
	{
		const SmfAttribute *entry = &smf_attributes[i];

		check_entry(entry);
		printf("{\"attribute\": \"%s\", \"column\": \"%s\", \"kind\": \"%s\", \"type\": \"%s\", \"source\": \"%s\"",
			   entry->api_name, entry->column_name, kind_name(entry->kind),
			   entry->type_name, origin_name(entry->origin));
		printf(", \"in_list\": %s, \"in_search\": %s, \"in_tuning_list\": %s",
			   entry->in_list ? "true" : "false",
			   entry->in_search ? "true" : "false",
			   entry->in_tuning_list ? "true" : "false");
		print_strings("labels", entry->labels);
		print_strings("timestamp_members", entry->timestamp_members);
		print_string("selected", entry->selected);
		print_string("replaced", entry->replaced);
		printf(", \"search_since\": %lld", (long long) entry->search_since);
		print_string("description", entry->description);
		printf("}%s\n", i < smf_nattributes - 1 ? "," : "");
	}
	printf("]\n");

	expect(smf_attribute_by_column("TrainingJobName") == NULL, "column found", "TrainingJobName");
	expect(smf_attribute_by_column("training_job_nam") == NULL, "column found", "training_job_nam");
	expect(smf_attribute_by_path("trainingJobName", &rest) == NULL, "path found", "trainingJobName");
	expect(smf_attribute_by_path("TrainingJob", &rest) == NULL, "path found", "TrainingJob");
	expect(smf_attribute_by_path("", &rest) == NULL, "path found", "(empty)");
	expect_similar("trainingjobname", "training_job_name");
	expect_similar("AUTO_ML_JOB_ARN", "auto_ml_job_arn");
	expect_similar("Instance_Type", "instance_type");
	expect_similar("job_name", "training_job_name");
	expect_similar("status", "training_job_status");
	expect_similar("tatus", NULL);
	expect_similar("regions", NULL);
	expect_similar("training_job_nam", NULL);
	expect_similar("", NULL);
	return 0;
}
