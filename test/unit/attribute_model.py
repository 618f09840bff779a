#!/usr/bin/python3
"""Compares the catalogue of attributes with the API's model.

Usage: attribute_model.py DUMP, where DUMP is the program of attribute_dump.c.

Reads ../service/training_job.json (the model) and ../../sql/extension/types.sql
(the enum types).  Prints TAP and exits with 1 when anything differs.
"""
import datetime
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "service" / "training_job.json"
SCRIPT = HERE.parent.parent / "sql" / "extension" / "types.sql"

SQL_TYPES = {
    "string": "text",
    "integer": "integer",
    "long": "bigint",
    "float": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamptz",
    "structure": "jsonb",
    "list": "jsonb",
    "map": "jsonb",
}

ENUM_TYPES = {
    "TrainingJobStatus": "sagemaker_training_job_status",
    "SecondaryStatus": "sagemaker_secondary_status",
    "ProfilingStatus": "sagemaker_profiling_status",
}

# Labels in their order, which can never change.
ENUM_LABELS = {
    "sagemaker_training_job_status":
        "InProgress Stopping Stopped Completed Failed Deleting",
    "sagemaker_secondary_status":
        "Pending Starting LaunchingMLInstances PreparingTraining PreparingTrainingStack "
        "Downloading DownloadingTrainingImage Training Interrupted Restarting Updating "
        "Uploading Stopping Stopped MaxRuntimeExceeded MaxWaitTimeExceeded Completed Failed",
    "sagemaker_profiling_status": "Enabled Disabled",
}

# Days, in UTC, from which on Search has these attributes.  It has had all others from the beginning.
SEARCH_SINCE = {
    "WarmPoolStatus": datetime.date(2024, 1, 1),
    "ProfilerConfig": datetime.date(2023, 7, 27),
}

# A description stands in C, JSON, a comment of SQL and a table of Markdown, each time as it is.
DESCRIPTION = re.compile(r'[A-Z0-9][^"\\|<>`\x00-\x1f\x7f-\U0010ffff]*[^ .]\.')
DESCRIPTION_MAX = 200

# attribute, column, kind, type, source, in_list, in_search, in_tuning_list, selected, replaced
DERIVED = [
    ("ResourceConfig.InstanceType", "instance_type", "string", "text", "member", False, True, False,
     "ResourceConfig.SelectedInstanceType", "ResourceConfig.InstanceType"),
    ("ResourceConfig.InstanceCount", "instance_count", "integer", "integer", "member", False, True, False,
     "ResourceConfig.SelectedInstanceCount", "ResourceConfig.InstanceType"),
    ("Tags", "tags", "tags", "jsonb", "tags", False, True, False, None, None),
    ("region", "region", "region", "text", "settings", True, True, True, None, None),
    ("account_id", "account_id", "account_id", "text", "arn", True, True, True, None, None),
    ("raw_response", "raw_response", "raw_response", "jsonb", "document", False, True, False, None, None),
]
DERIVED_FIELDS = ("attribute", "column", "kind", "type", "source",
                  "in_list", "in_search", "in_tuning_list", "selected", "replaced")

count = 0
failures = 0


def is_equal(got, wanted, title):
    """Print one TAP line, and any difference."""
    global count, failures
    count += 1
    if got == wanted:
        print(f"ok {count} - {title}")
        return
    failures += 1
    print(f"not ok {count} - {title}")
    print(f"#   got: {got!r}")
    print(f"#   wanted: {wanted!r}")


def midnight(day):
    """The day's beginning in epoch seconds; 0 for None."""
    return (day - datetime.date(1970, 1, 1)).days * 86400 if day else 0


def timestamp_paths(shape, path=""):
    """Where a shape contains timestamps: names joined by dots, [] for a list's elements."""
    kind = shape["type"]
    if kind == "timestamp":
        return [path]
    if kind == "structure":
        return [found for name, member in shape["members"].items()
                for found in timestamp_paths(member, f"{path}.{name}")]
    if kind == "list":
        return timestamp_paths(shape["member"], path + "[]")
    if kind == "map":
        return timestamp_paths(shape["value"], path + "{}")
    return []


def shape_at(described, path):
    """The model's shape at a dotted path."""
    first, *others = path.split(".")
    shape = described[first]
    for name in others:
        shape = shape["members"][name]
    return shape


def main():
    model = json.loads(MODEL.read_text(encoding="utf-8"))
    described = {member["attribute"]: member for member in model["describe"]}
    tuning = model["list_for_tuning_job_summary"]
    dump = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout
    catalogue = json.loads(dump)
    api = catalogue[:len(described)]
    derived = catalogue[len(described):]

    is_equal([entry["attribute"] for entry in api], list(described),
             "the attributes of DescribeTrainingJob, in the API's order")
    is_equal([entry["column"] for entry in api],
             [member["column"] for member in model["describe"]],
             "columns in the same order")

    descriptions = {entry["column"]: entry.pop("description") or "" for entry in catalogue}
    is_equal([column for column, text in descriptions.items() if not DESCRIPTION.fullmatch(text)], [],
             "each column has a description, of plain text, which ends with a full stop")
    is_equal([column for column, text in descriptions.items() if len(text) > DESCRIPTION_MAX], [],
             f"none has more than {DESCRIPTION_MAX} characters")
    is_equal([column for column, text in descriptions.items() if len(re.findall(r"[.] ", text)) > 1], [],
             "nor more than two sentences")
    is_equal(len(set(descriptions.values())), len(catalogue), "and no two have the same")

    for entry in api:
        name = entry["attribute"]
        member = described.get(name)
        if member is None:
            continue
        labels = member.get("enum")
        below = [] if member["type"] == "timestamp" else timestamp_paths(member)
        wanted = {
            "attribute": name,
            "column": member["column"],
            "kind": "enum" if labels else member["type"],
            "type": ENUM_TYPES[name] if labels else SQL_TYPES[member["type"]],
            "source": "member",
            "in_list": member["in_list"],
            "in_search": member["in_search"],
            "in_tuning_list": name in tuning,
            "labels": labels,
            "timestamp_members": [path[len("[]."):] for path in below] or None,
            "selected": None,
            "replaced": None,
            "search_since": midnight(SEARCH_SINCE.get(name)),
        }
        is_equal(entry, wanted, f"{name} is as in the model")
        is_equal([path for path in below if not re.fullmatch(r"\[\]\.[A-Za-z]+", path)], [],
                 f"{name} has timestamps in its elements' members only")

    is_equal([entry["attribute"] for entry in api if entry["in_list"]],
             [name for name in described if name in model["list_summary"]],
             "in_list is what ListTrainingJobs returns")
    is_equal([name for name in tuning if name in described and
              tuning[name]["type"] != described[name]["type"]], [],
             "attributes in a tuning job's summaries have the same type there")
    is_equal([tuple(entry[field] for field in DERIVED_FIELDS) for entry in derived], DERIVED,
             "derived columns")
    is_equal([(entry["labels"], entry["timestamp_members"], entry["search_since"]) for entry in derived],
             [(None, None, 0)] * len(DERIVED), "derived columns have no labels, no timestamps and no beginning")
    for entry in derived:
        if entry["kind"] in SQL_TYPES:
            is_equal(entry["kind"], shape_at(described, entry["attribute"])["type"],
                     f"{entry['column']} has the type of its member")
        if entry["selected"]:
            is_equal(shape_at(described, entry["selected"])["type"], entry["kind"],
                     f"{entry['column']} has the type of what is selected")
            shape_at(described, entry["replaced"])
    is_equal([member["attribute"] for member in model["search_only"]],
             [entry["attribute"] for entry in derived if entry["source"] == "tags"],
             "tags are all that Search returns besides")

    types = {name: re.findall(r"'([^']*)'", body) for name, body in
             re.findall(r"CREATE TYPE @extschema@[.](\w+) AS ENUM \(([^)]*)\)", SCRIPT.read_text(encoding="utf-8"))}
    is_equal(types, {name: labels.split() for name, labels in ENUM_LABELS.items()},
             "enum types have their labels in their order")
    for entry in api:
        if entry["labels"]:
            is_equal(sorted(set(entry["labels"]) - set(types[entry["type"]])), [],
                     f"{entry['type']} has every label of {entry['attribute']}")

    print(f"1..{count}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
