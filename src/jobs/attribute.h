/*-------------------------------------------------------------------------
 *
 * attribute.h
 *		The catalogue of training job attributes: what each is called in the
 *		API and in SQL, its type, which call returns it, and what it means.
 *
 * Free of Postgres headers, so that a program of its own can check the catalogue against
 * the API's model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_ATTRIBUTE_H
#define SMF_ATTRIBUTE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The kind of a value in the API.  The kinds from SMF_KIND_TAGS on are derived by this
 * extension: the documents that Describe returns have no such members.
 */
typedef enum SmfKind
{
	SMF_KIND_STRING,			/* JSON string -> text */
	SMF_KIND_ENUM,				/* JSON string with labels -> an enum type of the extension */
	SMF_KIND_INTEGER,			/* JSON number -> integer */
	SMF_KIND_LONG,				/* JSON number -> bigint */
	SMF_KIND_FLOAT,				/* JSON number, or "NaN" and the like -> double precision */
	SMF_KIND_BOOLEAN,			/* JSON boolean -> boolean */
	SMF_KIND_TIMESTAMP,			/* epoch seconds as a JSON number -> timestamptz */
	SMF_KIND_STRUCTURE,			/* JSON object with documented members -> jsonb */
	SMF_KIND_LIST,				/* JSON array -> jsonb */
	SMF_KIND_MAP,				/* JSON object with the user's keys, string values -> jsonb */
	SMF_KIND_TAGS,				/* list of Key and Value -> jsonb object, key to value */
	SMF_KIND_REGION,			/* the region that the scan calls -> text */
	SMF_KIND_ACCOUNT_ID,		/* fifth field of TrainingJobArn -> text */
	SMF_KIND_RAW_RESPONSE		/* the whole document as sent -> jsonb */
} SmfKind;

/* Where a value comes from: which calls are needed before it is known. */
typedef enum SmfOrigin
{
	SMF_ORIGIN_MEMBER,			/* a member of the document, or of a summary if in_list is
								 * set */
	SMF_ORIGIN_SETTINGS,		/* nothing: known before any call */
	SMF_ORIGIN_ARN,				/* any summary or document: all have a TrainingJobArn */
	SMF_ORIGIN_TAGS,			/* ListTags, or the record that Search returns */
	SMF_ORIGIN_DOCUMENT			/* the whole response of Describe, or the whole record that
								 * Search returns */
} SmfOrigin;

/* One entry of the catalogue.  All strings are constants. */
typedef struct SmfAttribute
{
	/*
	 * Name in the API, with the API's capitalization; a dotted path for a column that
	 * IMPORT creates for a nested member.  Region, account_id and raw_response have no
	 * name in the API and use the column's.
	 */
	const char *api_name;
	const char *column_name;	/* name of the column that IMPORT creates */
	SmfKind		kind;			/* how the value is read */

	/*
	 * Unqualified type that IMPORT gives the column: for SMF_KIND_ENUM an enum type in
	 * the extension's schema, otherwise a type of pg_catalog.
	 */
	const char *type_name;
	SmfOrigin	origin;			/* which calls it needs */
	bool		in_list;		/* known from a summary of ListTrainingJobs */
	bool		in_search;		/* known from a record that Search returns */
	bool		in_tuning_list; /* known from a summary of ListTrainingJobsForHyperParameterTuningJob */

	/*
	 * Labels in the API's order, NULL at the end; NULL if there are none.  The enum type
	 * may have more: old jobs may have labels that the API no longer sends.
	 */
	const char *const *labels;

	/*
	 * Members of a list's elements that are timestamps, NULL at the end; NULL if there
	 * are none.  Timestamps occur nowhere else below an attribute.
	 */
	const char *const *timestamp_members;

	/*
	 * Path of a member that is read instead of this one if a job has it: what the service
	 * selected from the job's preferences.  NULL if there is none.
	 */
	const char *selected;

	/*
	 * Path of a member that jobs with "selected" lack, so that Search can find these jobs
	 * by its absence.  NULL if "selected" is.
	 */
	const char *replaced;

	/*
	 * Search has had the attribute only since this time: its records of older jobs may
	 * lack it although Describe returns it.  Epoch seconds; 0: from the beginning.
	 */
	int64_t		search_since;

	/*
	 * What it means to somebody who pays for jobs or debugs them, in a sentence or
	 * two of 200 characters at most: its unit, when it is NULL, what it is good for.
	 */
	const char *description;
} SmfAttribute;

/* A set of attributes: bit i is smf_attributes[i]. */
typedef uint64_t AttributeSet;

/* The set that contains one entry of the catalogue. */
#define smf_attribute_bit(attribute) (UINT64_C(1) << ((attribute) - smf_attributes))

/*
 * The catalogue in the order of IMPORT's columns: the API's attributes first, in
 * the API's order, then the derived ones.
 */
extern const SmfAttribute smf_attributes[];
extern const int smf_nattributes;

extern const SmfAttribute *smf_attribute_by_column(const char *column_name);
extern const SmfAttribute *smf_attribute_by_path(const char *path, const char **rest);
extern bool smf_attribute_has_label(const SmfAttribute *attribute, const char *label);
extern const char *smf_attribute_similar_column(const char *name);

#endif							/* SMF_ATTRIBUTE_H */
