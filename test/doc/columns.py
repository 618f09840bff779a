#!/usr/bin/python3
"""Writes doc/columns.md from the catalogue of attributes.

Usage: columns.py DUMP > doc/columns.md, where DUMP is the program of
../unit/attribute_dump.c.

Reads ../../sql/extension/types.sql for the order of labels.
"""
import json
import pathlib
import re
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "sql" / "extension" / "types.sql"

HEAD = """\
# Columns

<!-- Written by test/doc/columns.py from src/jobs/attribute.c: change that. -->

The table that `IMPORT FOREIGN SCHEMA sagemaker` creates has a column for every attribute of DescribeTrainingJob, in the API's
order, and six more. No column is NOT NULL: an attribute that a job lacks is NULL.

[A call](operations.md#what-the-columns-mean) writes the meanings to a table as comments, for `\\d+` and data catalogs. Columns of
type `timestamptz` are moments, which a client shows in the time zone of its session.

| column | attribute of the API | type | meaning |
| --- | --- | --- | --- |
"""

CALLS = """
## Which calls return them

These are ListTrainingJobs (List), ListTrainingJobsForHyperParameterTuningJob (Tuning), Search, DescribeTrainingJob (Describe)
and ListTags; for `region`, no call is needed. A query makes the cheapest calls that return everything it reads: see
[Which calls a query makes](pushdown.md).

| column | List | Tuning | Search | Describe | ListTags |
| --- | --- | --- | --- | --- | --- |
"""

LABELS = """
## Labels

Values sort in this order. The API no longer sends the labels in italics, but old jobs have them. A label that the type lacks
reads as NULL with a WARNING, or is an error (option `unknown_enum`). Tables imported with `enums 'false'`, and kept tables,
have text columns instead.

| type | labels |
| --- | --- |
"""

TIMES = """
## Times inside

Times inside these `jsonb` columns are strings in UTC; a cast turns them into `timestamptz`:

| column | times |
| --- | --- |
"""

EXAMPLE = """
```sql
SELECT step->>'Status' AS status,
       (step->>'StartTime')::timestamptz AS started,
       (step->>'EndTime')::timestamptz - (step->>'StartTime')::timestamptz AS took
  FROM aws.training_jobs
 CROSS JOIN LATERAL jsonb_array_elements(secondary_status_transitions) AS step
 WHERE training_job_name = '%s'
 ORDER BY started;
```

```text
%s
```
"""

EXAMPLE_JOB = "pytorch-search-0272"
EXAMPLE_OUTPUT = """\
   status    |          started           |     took
-------------+----------------------------+--------------
 Starting    | 2025-06-23 04:55:09.156+00 | 00:02:34.631
 Training    | 2025-06-23 04:57:43.787+00 | 00:19:38.21
 Interrupted | 2025-06-23 05:17:21.997+00 | 00:00:30
 Restarting  | 2025-06-23 05:17:51.997+00 | 00:00:30
 Training    | 2025-06-23 05:18:21.997+00 | 00:18:38.21
 Stopped     | 2025-06-23 05:37:00.207+00 | 00:00:00
(6 rows)"""


def mark(value):
    return "yes" if value else ""


def attribute(entry):
    """The attribute that a column is read from; nothing of a column that the API has no name for."""
    if entry["selected"]:
        return "%s, else %s" % (entry["selected"], entry["attribute"])
    return "" if entry["attribute"] == entry["column"] else entry["attribute"]


def main():
    dump = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout
    catalogue = json.loads(dump)
    types = {name: re.findall(r"'([^']*)'", body) for name, body in
             re.findall(r"CREATE TYPE @extschema@[.](\w+) AS ENUM \(([^)]*)\)", SCRIPT.read_text(encoding="utf-8"))}

    page = [HEAD]
    for entry in catalogue:
        page.append("| `%s` | %s | `%s` | %s |\n" % (
            entry["column"], attribute(entry), entry["type"], entry["description"]))

    page.append(CALLS)
    for entry in catalogue:
        of_document = entry["source"] in ("member", "arn", "document")
        calls = [entry["in_list"], entry["in_tuning_list"], entry["in_search"], of_document, entry["source"] == "tags"]
        if entry["source"] == "settings":
            calls = [False] * len(calls)
        page.append("| `%s` | %s |\n" % (entry["column"], " | ".join(mark(call) for call in calls)))

    page.append(LABELS)
    for entry in catalogue:
        if entry["labels"]:
            page.append("| `%s` | %s |\n" % (entry["type"], ", ".join(
                "`%s`" % label if label in entry["labels"] else "*`%s`*" % label for label in types[entry["type"]])))

    page.append(TIMES)
    for entry in catalogue:
        if entry["timestamp_members"]:
            page.append("| `%s` | %s |\n" % (entry["column"], ", ".join(
                "`%s`" % name for name in entry["timestamp_members"])))
    page.append(EXAMPLE % (EXAMPLE_JOB, EXAMPLE_OUTPUT))
    sys.stdout.write("".join(page))


if __name__ == "__main__":
    main()
