/*-------------------------------------------------------------------------
 *
 * option.h
 *		What users can set on servers, tables, columns and user mappings, and the
 *		struct with the resolved settings for a scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_OPTION_H
#define SMF_OPTION_H

#include "aws/network.h"
#include "foreign/foreign.h"

/* How failed calls are retried (option retry_mode). */
typedef enum SmfRetryMode
{
	SMF_RETRY_STANDARD,
	SMF_RETRY_ADAPTIVE
} SmfRetryMode;

/* Which APIs a scan uses (option scan_api). */
typedef enum SmfScanApi
{
	SMF_SCAN_DESCRIBE,
	SMF_SCAN_SEARCH,
	SMF_SCAN_AUTO
} SmfScanApi;

/* How to read a label that the enum type lacks (option unknown_enum). */
typedef enum SmfUnknownEnum
{
	SMF_UNKNOWN_ENUM_NULL,
	SMF_UNKNOWN_ENUM_ERROR
} SmfUnknownEnum;

/*
 * Server and table options, with defaults filled in; the table's values replace the
 * server's.  Strings belong to the memory context that was current in
 * smf_settings_resolve.
 */
typedef struct SmfSettings
{
	Oid			serverid;		/* the foreign server */
	const char *server_name;	/* its name, for messages */
	const char *region;			/* AWS region; NULL if no option sets it */
	const char *account_id;		/* the expected AWS account, 12 digits; NULL: any */
	AwsNetwork	network;		/* how AWS is reached */
	int			max_attempts;	/* most attempts of one call */
	int			throttle_timeout_ms;	/* without a success */
	SmfRetryMode retry_mode;	/* is the rate of calls learnt? */
	double		max_calls_per_second;	/* 0: no ceiling */
	size_t		max_response_size;	/* bytes of one body */
	int			max_concurrency;	/* calls in flight for one scan */
	int			fetch_size;		/* MaxResults of a page */
	SmfScanApi	scan_api;		/* which API lists the jobs */
	bool		async_capable;	/* may scans run below an asynchronous Append? */
	SmfUnknownEnum unknown_enum;	/* how to read a label that its type lacks */
	double		estimated_jobs; /* rows of the table; negative: not given */
} SmfSettings;

/* Which columns IMPORT FOREIGN SCHEMA creates (its option attributes). */
typedef enum SmfImportAttributes
{
	SMF_IMPORT_ALL,
	SMF_IMPORT_SEARCH			/* only what Search returns */
} SmfImportAttributes;

/* Options of IMPORT FOREIGN SCHEMA, with defaults filled in. */
typedef struct SmfImportOptions
{
	bool		enums;			/* use enum types; text if false */
	SmfImportAttributes attributes; /* which columns */
} SmfImportOptions;

extern SmfSettings *smf_settings_resolve(const ForeignServer *server,
										 const ForeignTable *table);
extern SmfImportOptions smf_import_options_resolve(List *options);
extern const char *smf_closest_column(const char *given);

#endif							/* SMF_OPTION_H */
