/*-------------------------------------------------------------------------
 *
 * option.h
 *		What users may set on servers, tables, columns and user mappings, and
 *		the one struct in which a scan finds all of it resolved.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMF_OPTION_H
#define SMF_OPTION_H

#include "aws/network.h"
#include "foreign/foreign.h"

/* How failed calls are tried again (option retry_mode). */
typedef enum SmfRetryMode
{
	SMF_RETRY_STANDARD,
	SMF_RETRY_ADAPTIVE
} SmfRetryMode;

/* Which API a scan walks (option scan_api). */
typedef enum SmfScanApi
{
	SMF_SCAN_DESCRIBE,
	SMF_SCAN_SEARCH,
	SMF_SCAN_AUTO
} SmfScanApi;

/* What a label that the enum type lacks becomes (option unknown_enum). */
typedef enum SmfUnknownEnum
{
	SMF_UNKNOWN_ENUM_NULL,
	SMF_UNKNOWN_ENUM_ERROR
} SmfUnknownEnum;

/*
 * Server and table options, defaults filled in and the table's values laid
 * over the server's.  Strings belong to the memory context that was current
 * in smf_settings_resolve.
 */
typedef struct SmfSettings
{
	Oid			serverid;		/* the foreign server */
	const char *server_name;	/* its name, for messages */
	const char *region;			/* AWS region; NULL when no option gives one */
	const char *account_id;		/* the AWS account that is meant, 12 digits; NULL: any */
	AwsNetwork	network;		/* how AWS is reached */
	int			max_attempts;	/* total attempts of one call */
	int			throttle_timeout_ms;	/* without one success */
	SmfRetryMode retry_mode;	/* is the rate of calls learnt? */
	double		max_calls_per_second;	/* 0: no ceiling */
	size_t		max_response_size;	/* bytes of one body */
	int			max_concurrency;	/* calls in flight for one scan */
	int			fetch_size;		/* MaxResults of a page */
	SmfScanApi	scan_api;		/* which API lists the jobs */
	bool		async_capable;	/* may scans run below an asynchronous Append? */
	SmfUnknownEnum unknown_enum;	/* what a label that its type lacks becomes */
	double		estimated_jobs; /* rows of the table; negative: not given */
} SmfSettings;

/* Which columns IMPORT FOREIGN SCHEMA creates (its option attributes). */
typedef enum SmfImportAttributes
{
	SMF_IMPORT_ALL,
	SMF_IMPORT_SEARCH			/* only what Search returns */
} SmfImportAttributes;

/* Options of IMPORT FOREIGN SCHEMA, defaults filled in. */
typedef struct SmfImportOptions
{
	bool		enums;			/* columns of enum types; text when false */
	SmfImportAttributes attributes; /* which columns */
} SmfImportOptions;

extern SmfSettings *smf_settings_resolve(const ForeignServer *server,
										 const ForeignTable *table);
extern SmfImportOptions smf_import_options_resolve(List *options);
extern const char *smf_closest_column(const char *given);

#endif							/* SMF_OPTION_H */
