"""Every column of generated documents equals what botocore parses from the same bytes.

The endpoint serves documents made at random from the API's model, with every
member present.  Each is read through the foreign table, and its bytes are given
to botocore's own JSON parser with shapes made of the same model.  Run below
test/with-service, with psql's connection in the environment.  Prints TAP.
"""
import datetime
import json
import os
import re
import subprocess
import sys
import urllib.request

from botocore.model import ShapeResolver
from botocore.parsers import create_parser

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "AKIDGENERATED0000001"
SECRET = "secret/of+the/generated/account0000000001"
UTC = datetime.timezone.utc
PARTS = 2                       # queries that read all columns
SCALARS = ("string", "integer", "long", "float", "boolean", "timestamp")


def load_model():
    with open(os.path.join(HERE, "..", "service", "training_job.json"), encoding="utf-8") as file:
        return json.load(file)["describe"]


def output_shape(model):
    """DescribeTrainingJob's response as a botocore shape."""
    shapes = {}

    def add(name, spec):
        kind = spec["type"]
        shape = {"type": kind}
        if kind == "structure":
            shape["members"] = {key: {"shape": add(name + key, member)}
                                for key, member in spec["members"].items()}
        elif kind == "list":
            shape["member"] = {"shape": add(name + "Member", spec["member"])}
        elif kind == "map":
            shape["key"] = {"shape": add(name + "Key", spec["key"])}
            shape["value"] = {"shape": add(name + "Value", spec["value"])}
        shapes[name] = shape
        return name

    add("Output", {"type": "structure", "members": {a["attribute"]: a for a in model}})
    return ShapeResolver(shapes).get_shape_by_name("Output")


def clean(text):
    """A string as Postgres can hold it: NUL and lone surrogates become U+FFFD."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


def utc(moment):
    return moment.astimezone(UTC)


def comparable(value):
    """botocore's value, as this test reads jsonb."""
    if isinstance(value, dict):
        return {clean(key): comparable(below) for key, below in value.items()}
    if isinstance(value, list):
        return [comparable(below) for below in value]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, datetime.datetime):
        return utc(value)
    if isinstance(value, float):
        return float(value)
    return value


def with_timestamps(value, expected):
    """A jsonb value, its strings parsed where botocore has a timestamp."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return {key: with_timestamps(below, expected.get(key)) for key, below in value.items()}
    if isinstance(expected, list) and isinstance(value, list) and len(value) == len(expected):
        return [with_timestamps(below, other) for below, other in zip(value, expected)]
    if isinstance(expected, datetime.datetime) and isinstance(value, str):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}))?Z", value), value
        form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in value else "%Y-%m-%dT%H:%M:%SZ"
        return datetime.datetime.strptime(value, form).replace(tzinfo=UTC)
    if isinstance(expected, float) and isinstance(value, (int, float)):
        return float(value)
    return value


def column_value(row, spec, expected):
    """A column, from to_jsonb of its row, in the form of comparable()."""
    value = row[spec["column"]]
    if value is None:
        return None
    if spec["type"] == "timestamp":
        return utc(datetime.datetime.fromisoformat(value))
    if spec["type"] == "float":
        return float(value)
    return with_timestamps(value, expected)


def psql(sql):
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=sql,
                          check=True, capture_output=True, encoding="utf-8").stdout


def main():
    url = os.environ["SAGEMAKER_FDW_TEST_URL"]
    model = load_model()
    shape = output_shape(model)
    parser = create_parser("json")

    def control(path):
        with urllib.request.urlopen("%s/_control/%s&key=%s" % (url, path, KEY)) as answer:
            return answer.read()

    names = json.loads(control("names?region=us-east-1"))
    output = psql("""
        SET client_min_messages = warning; SET client_encoding = 'UTF8'; SET timezone = 'UTC';
        BEGIN;
        CREATE EXTENSION sagemaker_fdw;
        CREATE SERVER generated FOREIGN DATA WRAPPER sagemaker_fdw
          OPTIONS (region 'us-east-1', endpoint_url '%s');
        CREATE USER MAPPING FOR CURRENT_USER SERVER generated
          OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s');
        IMPORT FOREIGN SCHEMA sagemaker FROM SERVER generated INTO public;
        CREATE SERVER searched FOREIGN DATA WRAPPER sagemaker_fdw
          OPTIONS (region 'us-east-1', endpoint_url '%s', scan_api 'search');
        CREATE USER MAPPING FOR CURRENT_USER SERVER searched
          OPTIONS (aws_access_key_id '%s', aws_secret_access_key '%s');
        CREATE SCHEMA searched;
        IMPORT FOREIGN SCHEMA sagemaker FROM SERVER searched INTO searched OPTIONS (attributes 'search');
        SELECT jsonb_build_array('public', 'whole', to_jsonb(j)) FROM training_jobs AS j;
        SELECT jsonb_build_array('searched', 'whole', to_jsonb(j)) FROM searched.training_jobs AS j;
        SELECT format('SELECT jsonb_build_array(%%L, ''part'', to_jsonb(j)) FROM (SELECT training_job_name, %%s FROM %%s) AS j',
                      relnamespace::regnamespace, string_agg(attname, ', '), attrelid::regclass)
          FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
          WHERE relname = 'training_jobs' AND attnum > 0 AND attname NOT IN ('training_job_name', 'raw_response')
          GROUP BY relnamespace, attrelid, attnum %% %d
        \\gexec
        ROLLBACK;
        """ % (url, KEY, SECRET, url, KEY, SECRET, PARTS))
    whole = {"public": {}, "searched": {}}
    parts = {"public": [], "searched": []}
    for schema, what, row in map(json.loads, output.strip("\n").split("\n")):
        if what == "whole":
            whole[schema][row["training_job_name"]] = row
        else:
            parts[schema].append(row)
    rows = whole["public"]

    print("1..%d" % (len(model) + 5))
    bad = 0
    differences = {spec["attribute"]: [] for spec in model}
    raw_differences = []
    billed_differences = []
    selected = 0
    compared = 0
    for name in names:
        body = control("document?region=us-east-1&name=" + name)
        parsed = parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)
        row = rows.get(name)
        if row is None:
            continue
        compared += 1
        for spec in model:
            expected = comparable(parsed[spec["attribute"]])
            actual = column_value(row, spec, expected)
            if actual != expected or type(actual) is not type(expected):
                differences[spec["attribute"]].append((name, actual, expected))
        resources = parsed["ResourceConfig"]
        billed = {"instance_" + what.lower(): resources.get("SelectedInstance" + what, resources.get("Instance" + what))
                  for what in ("Type", "Count")}
        selected += "SelectedInstanceType" in resources
        if {column: row[column] for column in billed} != billed:
            billed_differences.append(name)
        if row["raw_response"] != comparable(json.loads(body)):
            raw_differences.append(name)

    def report(number, good, title, detail=""):
        nonlocal bad
        bad += not good
        print("%s %d - %s" % ("ok" if good else "not ok", number, title))
        if not good:
            print("# %s" % detail)

    for number, spec in enumerate(model, 1):
        found = differences[spec["attribute"]]
        report(number, compared > 0 and not found,
               "%s of %d documents is what botocore reads" % (spec["column"], compared),
               "%d differ, the first: %s" % (len(found), repr(found[0])[:2000] if found else ""))
    report(len(model) + 1, not raw_differences, "raw_response is the document",
           "differs for %s" % raw_differences[:5])
    report(len(model) + 2, 0 < selected < compared and not billed_differences,
           "instance_type and instance_count are what is billed", "differ for %s" % billed_differences[:5])
    report(len(model) + 3, compared == len(names) == len(rows) and compared > 0,
           "%d documents served are as many rows" % len(names),
           "%d rows, %d compared" % (len(rows), compared))
    # all others are passed over then, while raw_response is made of all
    for number, (schema, way) in enumerate((("public", "Describe"), ("searched", "Search")), len(model) + 4):
        differing = [(row["training_job_name"], column) for row in parts[schema] for column in row
                     if row[column] != whole[schema][row["training_job_name"]][column]]
        columns = set().union(*parts[schema]) if parts[schema] else set()
        report(number, not differing and len(parts[schema]) == PARTS * len(names) and len(columns) > len(model) / 2 and
               columns == set(next(iter(whole[schema].values()))) - {"raw_response"},
               "by %s, %d columns in %d queries are what they are in one" % (way, len(columns), PARTS),
               "%d rows, %d values differ: %s" % (len(parts[schema]), len(differing), differing[:5]))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
