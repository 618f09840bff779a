"""Random queries give the same rows from the foreign table and from a local copy.

	queries.py [--queries N] [--seed S]

Run below test/with-service, with psql's connection in the environment.  Conditions
of every kind and type, combined by AND, OR and NOT, in joins, sub-selects, with LIMIT
and ORDER BY, over all three values of scan_api and two tables at once, and over tables whose columns have
other types, modifiers, domains and collations; as they are, or prepared with parameters,
which are executed twice with a plan for their values and twice with one for any.  UPDATE,
DELETE and MERGE that join the table are rolled back.  A
query is fixed by the seed and its number; what differs is printed with both.

While scan_api 'auto' reads, Search lies at random, and fails (lies.py); no check of a proved record may find a difference.

Joins that may look ahead give the same rows when they may not, and make no more calls.

Calls are compared with a model of the fewest: a row lock costs none; of jobs that are listed, page after page, those
are described that meet what the list can decide, if a column is read that it lacks, and the tags are asked for of those that
meet all else, or where conditions read them, of no more than are listed so.
"""
import argparse
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t"))
from harness import another_session, control, main, make_server  # noqa: E402
from lies import Lies  # noqa: E402

REGION = "eu-west-1"
ARN = "arn:aws:sagemaker:%s:123456789012:training-job/" % REGION
TUNE = "arn:aws:sagemaker:%s:123456789012:hyper-parameter-tuning-job/" % REGION
# the servers, and two parents of two children each
SCHEMAS = ["aws", "searched", "auto", "parent", "family"]
PARENTS = {"parent": ["aws", "searched"], "family": ["aws", "auto"]}
PAGE = 7
# those that read by scan_api 'auto'
LIED_TO = ["auto", "family", "odd2", "odd5"]
# conditions that may raise an error
MAY_RAISE = r"~|\)::int|::bigint \+"
# queries of a session, to all of which Search lies in the same ways
BLOCK = 50

# Tables whose columns have other types, drawn anew for each seed.
ODD_TABLES = 6
# More columns of these, each of an attribute that has one already.
MORE = {"created_0": "CreationTime", "created_3": "CreationTime", "name_2": "TrainingJobName", "status_2": "TrainingJobStatus"}
TYPES = {
    "name": ["text", "text", "varchar(64)", "char(70)", "name", "name_domain", 'text COLLATE "C"',
             'text COLLATE "und-x-icu"', "text COLLATE any_case"],
    "text": ["text", "text", "varchar", "varchar(500)", "text COLLATE any_case", "text_domain"],
    "status": ["sagemaker_training_job_status", "text", "varchar(12)", "own_status", "status_domain", "text COLLATE any_case"],
    "secondary": ["sagemaker_secondary_status", "text", "char(30)"],
    "time": ["timestamptz", "timestamptz", "timestamptz(0)", "timestamptz(1)", "timestamptz(3)", "timestamptz(6)", "timestamp",
             "timestamp(0)", "date", "time_domain", "second_domain", "numeric", "text"],
    "number": ["integer", "bigint", "numeric", "numeric(12,0)", "real", "number_domain", "text"],
    "boolean": ["boolean", "text", "boolean_domain"],
    "json": ["jsonb", "jsonb", "json", "text"],
}
KINDS = {"training_job_name": "name", "name_2": "name", "training_job_arn": "text", "role_arn": "text", "failure_reason": "text",
         "instance_type": "text", "tuning_job_arn": "text", "region": "text", "account_id": "text", "training_job_status": "status",
         "status_2": "status", "secondary_status": "secondary", "creation_time": "time", "created_0": "time", "created_3": "time",
         "training_end_time": "time", "last_modified_time": "time", "training_start_time": "time",
         "billable_time_in_seconds": "number", "training_time_in_seconds": "number", "instance_count": "number",
         "enable_managed_spot_training": "boolean", "enable_network_isolation": "boolean", "hyper_parameters": "json",
         "tags": "json", "warm_pool_status": "json", "resource_config": "json"}

# Jobs that the history lacks.
ODD = {
    "Odd-Label": '"TrainingJobStatus": "Hibernating", "SecondaryStatus": "Dreaming", "CreationTime": 1750000000',
    "odd-nothing": '"CreationTime": 1750000000.5',
    "odd-late": '"TrainingJobStatus": "Completed", "CreationTime": 1750000000.999999, "RoleArn": "100%_sure\\\\x"',
    "odd-nulls": '"TrainingJobStatus": "Failed", "FailureReason": null, "CreationTime": 1749999999.999, '
                 '"HyperParameters": {"max_depth": "5", "a,b": "c,d"}, "BillableTimeInSeconds": 0',
    "oddx-1": '"TrainingJobStatus": "Stopped", "CreationTime": 1750000001.25, "BillableTimeInSeconds": 2147483647, '
              '"RoleArn": "", "EnableManagedSpotTraining": false',
    "odd-text": '"TrainingJobStatus": "Failed", "CreationTime": 1750000002, "RoleArn": "a\\u0000b", '
                '"HyperParameters": {"k\\ud800": "v", "odd": "\\ud800"}',
}

COLUMNS = ["training_job_name", "training_job_arn", "training_job_status", "secondary_status", "creation_time",
           "training_end_time", "last_modified_time", "role_arn", "failure_reason", "billable_time_in_seconds",
           "instance_type", "instance_count", "hyper_parameters", "tags", "region", "account_id", "warm_pool_status",
           "profiling_status", "enable_managed_spot_training", "tuning_job_arn", "training_start_time"]
LISTED = ["training_job_name", "training_job_arn", "training_job_status", "secondary_status", "creation_time",
          "training_end_time", "last_modified_time", "region", "account_id", "warm_pool_status"]
TIMES = ["creation_time", "creation_time", "last_modified_time", "training_start_time", "training_end_time"]
NUMBERS = ["billable_time_in_seconds", "training_time_in_seconds", "instance_count"]
TEXTS = ["role_arn", "failure_reason", "instance_type", "tuning_job_arn"]
BOOLEANS = ["enable_managed_spot_training", "enable_network_isolation"]
STATUSES = ["InProgress", "Stopping", "Stopped", "Completed", "Failed", "Deleting"]
SECONDARY = ["Training", "Completed", "Failed", "Stopped", "Interrupted", "Pending"]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Generator:
    """Makes queries; every choice comes from one random source."""

    def __init__(self, seed, facts):
        self.random = random.Random(seed)
        self.schema = self.pick(*SCHEMAS, *["auto"] * 4, *["odd%d" % number for number in range(ODD_TABLES)])
        self.odd = self.schema.startswith("odd")
        self.conditions = []
        # what the same query would be without a row lock; DML
        self.unlocked = None
        self.changes = False
        self.simple = None
        # were its calls compared with the model?
        self.counted = False
        # may a nested loop look its jobs up ahead, and read all of them?
        self.looks_ahead = False
        self.names, self.times, self.numbers, self.texts = facts
        # prepared: (type, values of the first and the second execution)
        self.prepare = self.random.randrange(3) == 0
        self.parameters = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def value(self, type_name, make):
        """An expression of the type: what make() gives, or a parameter with two such values."""
        if not self.prepare or self.random.random() < 0.3:
            return make()
        self.parameters.append((type_name, [make() if self.random.random() < 0.9 else "NULL" for _ in range(2)]))
        return "$%d" % len(self.parameters)

    def text(self, make):
        return self.value("text", lambda: quoted(make()))

    def number(self, most, type_name="integer"):
        return self.value(type_name, lambda: "%d" % self.random.randrange(most))

    def name(self):
        kind = self.random.randrange(10)
        if kind < 7:
            return self.random.choice(self.names)
        if kind == 7:
            return self.random.choice(self.names).swapcase()
        return self.pick("no-such-job", "no_such_name", "", "x" * 64)

    def fragment(self):
        name = self.random.choice(self.names)
        begin = self.random.randrange(len(name))
        return name[begin:begin + self.random.randrange(1, 8)]

    def pattern(self):
        text = self.fragment()
        kind = self.random.randrange(8)
        if kind == 0:
            return "%" + text + "%"
        if kind == 1:
            return text + "%"
        if kind == 2:
            return "%" + text
        if kind == 3:
            return "%" + text[:2] + "_" + text[3:] + "%"
        if kind == 4:
            return self.random.choice(self.names)
        if kind == 5:
            return "%" + "".join("\\" + c if self.random.random() < 0.3 else c for c in text) + "%"
        if kind == 6:
            return "%" + text[:2] + "%" + text[2:] + "%"
        return self.pick("%", "", "_%", "%-%", "%\\_%", "%\\%%", "%.%", "Odd%")

    def time(self):
        """A time in some type, often exactly a job's or a little beside it."""
        kind = self.random.randrange(12)
        if kind == 8:
            return "(SELECT timestamptz '%s')" % self.random.choice(self.times)
        if kind in (6, 11):
            return self.value("date", lambda: "(date '%s' + %d)" % (self.random.choice(self.times)[:10], kind == 11))
        if kind == 7:
            return self.value("timestamp", lambda: "timestamp '%s'" % self.random.choice(self.times)[:19])
        if kind == 9:
            return self.pick(
                self.value("date", lambda: self.pick("date '5874897-12-31'", "date 'infinity'", "date '4713-01-02 BC'")),
                self.value("timestamp", lambda: self.pick("timestamp '-infinity'", "timestamp '294276-12-31 23:59:59'")),
                self.value("timestamptz", lambda: self.pick(
                    "timestamptz 'infinity'", "timestamptz '-infinity'", "timestamptz '294276-01-01'",
                    "timestamptz '4713-01-02 BC'", "NULL::timestamptz", "timestamptz '1969-12-31'", "timestamptz 'epoch'")))
        return self.value("timestamptz", lambda: self.exact_time(kind))

    def exact_time(self, kind):
        time = self.random.choice(self.times)
        if kind == 4:
            return "timestamptz '%s' + interval '%s'" % (time, self.pick("1 microsecond", "-1 microsecond",
                                                                          "1 millisecond", "-1 second", "1 second"))
        if kind == 5:
            return "date_trunc('second', timestamptz '%s')" % time
        if kind == 10:
            return "timestamptz '%s Asia/Kolkata'" % time[:19]
        return "timestamptz '%s'" % time

    def comparison(self):
        return self.pick("<", "<=", "=", ">=", ">", "<>")

    def names_list(self):
        return ", ".join(self.text(self.name) for _ in range(self.random.randrange(1, 5)))

    def names_array(self):
        """Some names and NULL, or none."""
        return self.value("text[]", lambda: self.pick("'{}'::text[]", *["ARRAY[%s, NULL]::text[]" % ", ".join(
            quoted(self.name()) for _ in range(self.random.randrange(1, 5)))] * 3))

    def name_condition(self):
        kind = self.random.randrange(20)
        column = self.pick("training_job_name", "name_2") if self.odd else "training_job_name"
        if kind < 3:
            return "%s = %s" % (column, self.text(self.name))
        if kind < 6:
            return "%s %sIN (%s)" % (column, self.pick("", "", "NOT "), self.names_list())
        if kind < 10:
            return "%s %sLIKE %s" % (column, self.pick("", "", "", "NOT "), self.text(self.pattern))
        if kind == 10:
            return "%s ILIKE %s" % (column, self.text(self.pattern))
        if kind == 11:
            return "%s ~ %s" % (column, self.text(self.regex))
        if kind == 12:
            return "%s ^@ %s" % (column, self.text(self.fragment))
        if kind == 13:
            return "starts_with(%s, %s)" % (column, self.text(lambda: self.random.choice(self.names)[:5]))
        if kind == 14:
            return "strpos(%s, %s) > 0" % (column, self.text(self.fragment))
        if kind == 15:
            return "position(%s IN %s) > 0" % (self.text(self.fragment), column)
        if kind == 16:
            return "%s = ANY (%s)" % (column, self.pick(self.names_array(), "ARRAY[%s, NULL]" % self.names_list()))
        if kind == 17:
            return "%s %s %s" % (column, self.comparison(), self.text(self.name))
        if kind == 18:
            return '%s COLLATE "%s" = %s' % (column, self.pick("C", "POSIX", "und-x-icu"), self.text(self.name))
        return "(%s = %s OR %s IN (%s))" % (column, self.text(self.name), column, self.names_list())

    def regex(self):
        if self.random.random() < 0.1:
            return "^odd-"
        return self.pick("^", "", "(?i)^") + self.fragment() + self.pick("", "*", "?", ".", "|odd", "{2}", "+", "(?#-)*")

    def arn(self):
        name = self.name()
        return ARN + self.pick(name, name, name.lower())

    def arn_condition(self):
        kind = self.random.randrange(8)
        if kind < 4:
            return "training_job_arn = %s" % self.text(self.arn)
        if kind == 4:
            # the same job by both, more often than not
            name = self.random.choice(self.names)
            return "(training_job_arn = %s OR training_job_name IN (%s, %s))" % (
                self.text(lambda: ARN + name.lower()), self.text(lambda: name), self.text(self.name))
        return "training_job_arn %sIN (%s, %s)" % (self.pick("", "NOT "), self.text(self.arn), self.text(self.arn))

    def status_condition(self):
        column, labels = self.pick(("training_job_status", STATUSES), ("secondary_status", SECONDARY))
        if self.odd:
            column, labels = self.pick((column, labels), ("status_2", STATUSES))

        def label(type_name="unknown" if self.odd else "sagemaker_" + column):
            # of which type it is, the column says
            if type_name == "unknown":
                return quoted(self.random.choice(labels))
            return self.value(type_name, lambda: quoted(self.random.choice(labels)))
        kind = self.random.randrange(7)
        if kind < 2:
            return "%s = %s" % (column, label())
        if kind == 2:
            return "%s %sIN (%s, %s)" % (column, self.pick("", "NOT "), label(), label())
        if kind == 3:
            return "%s IS %sNULL" % (column, self.pick("", "NOT "))
        if kind == 4:
            return "%s::text = %s" % (column, label("text"))
        return "%s %s %s" % (column, self.comparison(), label())

    def time_condition(self):
        column = self.random.choice(TIMES + (["created_0", "created_3", "creation_time"] if self.odd else []))
        kind = self.random.randrange(8)
        if kind == 0:
            return "%s IS %sNULL" % (column, self.pick("", "NOT "))
        if kind == 1:
            return "%s BETWEEN %s AND %s" % (column, self.time(), self.time())
        if kind == 2:
            return "%s %s %s" % (self.time(), self.comparison(), column)
        if kind == 3:
            return "%s IN (%s, %s)" % (column, *[self.value("timestamptz", lambda: self.exact_time(0)) for _ in range(2)])
        if kind == 4:
            return "date_trunc('day', %s) = date_trunc('day', %s)" % (
                column, self.value("timestamptz", lambda: self.exact_time(0)))
        return "%s %s %s" % (column, self.comparison(), self.time())

    def number_condition(self):
        column = self.random.choice(NUMBERS)

        def number(type_name="integer"):
            return self.value(type_name, lambda: "%s::%s" % (
                quoted(str(self.random.choice(self.numbers + [0, 1, 2, 3, 2147483647, -1]))), type_name))
        kind = self.random.randrange(7)
        if kind == 0:
            return "%s IS %sNULL" % (column, self.pick("", "NOT "))
        if kind == 1:
            return "%s IN (%s, %s)" % (column, number(), number())
        if kind == 2:
            return "%s %s %s" % (column, self.comparison(), self.pick(number("bigint"), "9223372036854775807"))
        if kind == 3:
            return "%s %s %s" % (column, self.comparison(), number("numeric"))
        if kind == 4:
            return "%s::bigint + 1 %s %s" % (column, self.comparison(), number("bigint"))
        return "%s %s %s" % (column, self.comparison(), number())

    def text_condition(self):
        column = self.random.choice(TEXTS)

        def text():
            return self.text(lambda: self.random.choice(self.texts))
        kind = self.random.randrange(7)
        if kind == 0:
            return "%s IS %sNULL" % (column, self.pick("", "NOT "))
        if kind == 1:
            return "%s LIKE %s" % (column, self.text(lambda: "%" + self.random.choice(self.texts)[
                :self.random.randrange(1, 12)].replace("\\", "") + "%"))
        if kind == 2:
            return "%s %sIN (%s, %s)" % (column, self.pick("", "NOT "), text(), text())
        return "%s %s %s" % (column, self.pick("=", "=", "<>", "<"), text())

    def json_condition(self):
        return self.pick("tags->>'team' = %s" % self.text(lambda: self.pick("ads", "search", "fraud", "nobody")),
                         "tags ? 'owner'", "tags->>'owner' IS NULL", "tags->>'cost-center' <> 'CC-100'",
                         "tags->>%s = 'ads'" % self.text(lambda: self.pick("team", "owner")),
                         "hyper_parameters->>'max_depth' = %s" % self.text(lambda: "%d" % self.random.randrange(3, 12)),
                         "hyper_parameters->>'a,b' = 'c,d'", "hyper_parameters->>'k\ufffd' = 'v'",
                         "hyper_parameters->>'odd' = %s" % self.text(lambda: "\ufffd"),
                         "(hyper_parameters->>'max_depth')::int > 6", "warm_pool_status IS NULL",
                         "warm_pool_status->>'Status' = 'Available'", "resource_config->>'InstanceType' = 'ml.m5.large'",
                         "raw_response IS NOT NULL", "jsonb_typeof(secondary_status_transitions) = 'array'")

    def boolean_condition(self):
        column = self.random.choice(BOOLEANS)
        return self.pick("%s", "NOT %s", "%s IS TRUE", "%s IS NOT TRUE", "%s = true", "%s IS NULL", "%s <> false",
                         "%s = " + self.value("boolean", lambda: self.pick("true", "false"))) % column

    def place_condition(self):
        return self.pick("region = %s" % self.text(lambda: self.pick(REGION, "us-east-1")), "region = '%s'" % REGION, "region = 'us-east-1'", "region <> '%s'" % REGION,
                         "account_id = '123456789012'", "account_id = '1'", "region IN ('%s', 'x')" % REGION,
                         "tuning_job_arn = %s" % self.text(lambda: TUNE + self.pick("tune-ads", "tune-search", "tune-none", "Tune-ads")),
                         "tuning_job_arn IS NOT NULL")

    def subselect_condition(self):
        return self.pick("EXISTS (SELECT FROM small WHERE small.name = training_job_name)",
                         "training_job_name IN (SELECT name FROM small WHERE n %s %s)" % (self.pick("<", ">"), self.number(9)),
                         "training_job_name NOT IN (SELECT name FROM small)",
                         "training_job_name = ANY (ARRAY(SELECT name FROM small WHERE n < %s))" % self.number(9),
                         "training_job_name = (SELECT name FROM small WHERE n = %s)" % self.number(12),
                         "creation_time > (SELECT min(at) FROM small WHERE n > %s)" % self.number(12),
                         "(SELECT count(*) FROM small WHERE small.at > creation_time) > %s" % self.number(9, "bigint"),
                         "(training_job_status = 'Failed' OR EXISTS (SELECT FROM small WHERE small.at = creation_time))",
                         "(SELECT n FROM small WHERE name = training_job_name AND training_job_status = 'Completed') > 2")

    def condition(self, depth=0):
        kind = self.random.randrange(30)
        if depth < 2 and kind < 5:
            parts = [self.condition(depth + 1) for _ in range(2)]
            return "(%s %s %s)" % (parts[0], self.pick("AND", "OR"), parts[1])
        if depth < 2 and kind == 5:
            return "NOT (%s)" % self.condition(depth + 1)
        if kind == 6:
            return self.subselect_condition()
        if kind < 9:
            return self.arn_condition()
        return self.pick(self.name_condition, self.name_condition, self.status_condition, self.status_condition,
                         self.time_condition, self.time_condition, self.time_condition, self.number_condition,
                         self.text_condition, self.json_condition, self.boolean_condition, self.place_condition)()

    def where(self):
        conditions = [self.condition() for _ in range(self.pick(0, 1, 1, 1, 2, 2, 3))]
        if self.odd and self.random.randrange(3) == 0:
            # bounds of one attribute on two columns
            time = quoted(self.random.choice(self.times))
            conditions += ["%s %s timestamptz %s" % (column, self.comparison(), time)
                           for column in self.random.sample(["creation_time", "created_0", "created_3"], 2)]
        self.conditions = conditions
        return " WHERE " + " AND ".join(conditions) if conditions else ""

    def targets(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return "count(*)"
        if kind == 1:
            return "j.*::text" if self.random.random() < 0.3 else "training_job_name"
        pool = LISTED if kind < 4 else COLUMNS
        return ", ".join(self.random.sample(pool, self.random.randrange(1, 5)))

    def change(self, kind):
        """What locks rows, or changes some of another table."""
        conditions = " AND ".join([self.pick("training_job_name = name", "training_job_arn = arn")]
                                  + [self.condition() for _ in range(self.pick(0, 0, 1, 1, 2))])
        columns = ", ".join(self.random.sample(COLUMNS, 2))
        if kind == 26:
            if self.random.randrange(2):
                select = "SELECT n, %s FROM changed JOIN {t} AS j ON %s" % (columns, conditions)
                lock = self.pick(" FOR UPDATE", " FOR UPDATE OF changed", " FOR SHARE OF j", " FOR NO KEY UPDATE OF j, changed")
            else:
                select = "SELECT %s FROM {t} AS j%s" % (self.pick("training_job_name", columns), self.where())
                lock = self.pick(" FOR UPDATE", " FOR KEY SHARE")
            if not self.prepare:
                self.unlocked = select
            return select + lock
        self.changes = True
        if kind == 27:
            return "UPDATE changed SET n = n + 1, note = j.%s::text FROM {t} AS j WHERE %s%s" % (
                self.random.choice(COLUMNS), conditions,
                self.pick("", " RETURNING changed.*", " RETURNING n, " + columns))
        if kind == 28:
            return "DELETE FROM changed USING {t} AS j WHERE %s%s" % (conditions, self.pick("", " RETURNING n", " RETURNING name, " + columns))
        return "MERGE INTO changed USING {t} AS j ON %s WHEN MATCHED AND %s THEN %s%s" % (
            conditions, self.condition(2), self.pick("DELETE", "UPDATE SET note = j.%s::text" % self.random.choice(COLUMNS)),
            self.pick("", " WHEN NOT MATCHED AND %s THEN INSERT VALUES (77, j.training_job_name, 'new', NULL)" % self.condition(2)))

    def join(self):
        """A join with rows that name jobs, some of them more than once."""
        self.looks_ahead = True
        rows = self.pick("small", "small", "(SELECT * FROM small UNION ALL SELECT * FROM small) AS small",
                         "(SELECT * FROM small ORDER BY n LIMIT 4) AS small",
                         "(SELECT small.* FROM small, generate_series(1, 3)) AS small")
        key = self.pick("training_job_name = name", "training_job_name = name", "training_job_arn = arn",
                        "training_job_name = ANY (ARRAY[name, 'odd-late'])")
        where = " AND ".join([key] + [self.condition() for _ in range(self.pick(0, 0, 1, 1, 2))])
        columns = ", ".join(self.random.sample(COLUMNS, self.random.randrange(1, 4)))
        kind = self.random.randrange(6)
        if kind < 2:
            return "SELECT n, %s FROM %s %sJOIN {t} AS j ON %s" % (columns, rows, self.pick("", "LEFT "), where)
        if kind == 2:
            return "SELECT n, x.* FROM %s, LATERAL (SELECT %s FROM {t} AS j WHERE %s) AS x" % (rows, columns, where)
        if kind == 3:
            return "SELECT n FROM %s WHERE name IN (SELECT training_job_name FROM {t} AS j%s)" % (rows, self.where())
        # with an array it does not, and breaks off what is in flight when a job is found
        self.looks_ahead = "ANY" not in key
        return "SELECT n FROM %s WHERE %sEXISTS (SELECT FROM {t} AS j WHERE %s)" % (rows, self.pick("", "NOT "), where)

    def query(self):
        """(query with {t} for the table, is its order fixed?)"""
        kind = self.random.randrange(34)
        if kind >= 30:
            return self.join(), False
        # times that are rounded are often the same
        tie = ", training_job_name" if self.odd else ""
        if kind >= 26:
            return self.change(kind), False
        where = self.where()
        if kind < 12:
            targets = self.targets()
            self.simple = targets
            return "SELECT %s FROM {t} AS j%s" % (targets, where), False
        if kind < 15:
            direction = self.pick("", " DESC", " DESC NULLS LAST", " NULLS FIRST")
            more = self.pick("", ", training_job_name", ", training_job_status") + tie
            limit = self.pick("", " LIMIT %s" % self.number(20, "bigint"),
                              " OFFSET %s LIMIT %s" % (self.number(5, "bigint"), self.number(9, "bigint")),
                              " FETCH FIRST 3 ROWS WITH TIES")
            return "SELECT training_job_name, %s FROM {t} AS j%s ORDER BY creation_time%s%s%s" % (
                self.random.choice(COLUMNS), where, direction, more, limit), True
        if kind == 15:
            return "SELECT count(*) FROM (SELECT %s FROM {t} AS j%s LIMIT %s) AS x" % (
                self.random.choice(COLUMNS), where, self.number(30, "bigint")), False
        if kind == 16:
            return "SELECT %s, count(*), max(creation_time) FROM {t} AS j%s GROUP BY 1" % (
                self.pick("training_job_status", "instance_type", "region"), where), False
        if kind < 20:
            return "SELECT n, training_job_name, %s FROM small %sJOIN {t} AS j ON %s%s" % (
                self.random.choice(COLUMNS), self.pick("", "LEFT "),
                self.pick("training_job_name = name", "training_job_arn = arn", "creation_time = at",
                          "training_job_name = name AND training_job_status = 'Completed'",
                          "training_job_name = ANY (ARRAY[name, 'odd-late'])"), where), False
        if kind == 20:
            return ("SELECT n, (SELECT %s FROM {t} AS j WHERE training_job_name = name%s) FROM small, "
                    "generate_series(1, 2)" % (self.random.choice(COLUMNS), " AND " + self.condition(2))), False
        if kind == 21:
            return "SELECT n, x.* FROM small, LATERAL (SELECT %s FROM {t} AS j WHERE creation_time <= at ORDER BY creation_time DESC%s LIMIT 2) AS x" % (
                self.random.choice(COLUMNS), tie), False
        if kind == 22:
            return "SELECT a.training_job_name, b.%s FROM {t} AS a JOIN {t} AS b USING (training_job_name)%s" % (
                self.random.choice(COLUMNS), " WHERE a.training_job_status = 'Failed'"), False
        if kind == 23:
            # the same job again, with other values
            return ("SELECT n, i, x.* FROM small, generate_series(1, 3) AS i, LATERAL (SELECT %s FROM {t} AS j "
                    "WHERE training_job_name = name AND billable_time_in_seconds %% 3 < i AND %s) AS x"
                    % (self.targets(), self.condition(1))), False
        if kind == 24:
            return ("SELECT training_job_name, (SELECT %s FROM {t} AS j WHERE j.creation_time < o.creation_time "
                    "AND j.training_job_name LIKE left(o.training_job_name, 3) || '%%' ORDER BY creation_time DESC%s LIMIT 1) "
                    "FROM {t} AS o WHERE training_job_status = 'Failed' ORDER BY creation_time%s LIMIT %s"
                    % (self.random.choice(COLUMNS), tie, tie, self.number(9, "bigint"))), True
        return "SELECT EXISTS (SELECT FROM {t} AS j%s)" % where, False


def facts_of(session):
    names = session.run("SELECT training_job_name FROM local.aws ORDER BY 1")
    times = session.run("SELECT DISTINCT t FROM local.aws, unnest(ARRAY[creation_time, training_end_time, "
                        "last_modified_time, training_start_time]) AS t WHERE t IS NOT NULL ORDER BY 1")
    numbers = session.run("SELECT DISTINCT n FROM local.aws, unnest(ARRAY[billable_time_in_seconds, "
                          "training_time_in_seconds, instance_count]) AS n WHERE n IS NOT NULL ORDER BY 1")
    texts = session.run("SELECT DISTINCT replace(t, E'\\n', ' ') FROM local.aws, unnest(ARRAY[role_arn, failure_reason, "
                        "instance_type, tuning_job_arn]) AS t WHERE t <> '' ORDER BY 1")
    return names, times, [int(number) for number in numbers], texts


def answers(session, query, ordered, generator):
    """[(lines, SQLSTATE)] of all executions."""
    def ask(sql):
        if generator.changes:
            session.run("BEGIN")
        lines, state = session.ask(sql)
        # the words of an error may show where in the query it is
        lines = [] if state != "00000" else lines if ordered else sorted(lines)
        if generator.changes:
            if state == "00000":
                lines.append(session.run("SELECT changed FROM changed ORDER BY 1"))
            session.run("ROLLBACK")
        return lines, state
    if not generator.prepare:
        return [ask(query)]
    found = []
    types = ", ".join(type_name for type_name, _ in generator.parameters)
    for mode in ("custom", "generic"):
        session.run("SET plan_cache_mode = force_%s_plan" % mode)
        state = session.ask("PREPARE q%s AS %s" % (types and "(%s)" % types, query))[1]
        if state != "00000":
            session.run("RESET plan_cache_mode")
            return [([], state)]
        for execution in range(2):
            values = ", ".join(values[execution] for _, values in generator.parameters)
            found.append(ask("EXECUTE q%s" % (values and "(%s)" % values)))
        session.run("DEALLOCATE q; RESET plan_cache_mode")
    return found


def make_odd_tables(session, seed):
    """Tables whose columns have types of all kinds, and local copies of what they give."""
    chance = random.Random("%d types" % seed)
    session.run("CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
                "CREATE DOMAIN name_domain AS text COLLATE \"C\" CHECK (value <> ''); CREATE DOMAIN text_domain AS varchar(500); "
                "CREATE TYPE own_status AS ENUM ('Failed', 'Completed', 'Stopped'); "
                "CREATE DOMAIN status_domain AS sagemaker_training_job_status; CREATE DOMAIN time_domain AS timestamptz; "
                "CREATE DOMAIN second_domain AS timestamptz(0); CREATE DOMAIN number_domain AS integer CHECK (value >= 0); "
                "CREATE DOMAIN boolean_domain AS boolean")
    for number in range(ODD_TABLES):
        columns = []
        for name, kind in KINDS.items():
            type_name, collate, collation = chance.choice(TYPES[kind]).partition(" COLLATE ")
            option = " OPTIONS (attribute '%s')" % MORE[name] if name in MORE else ""
            columns.append(name + " " + type_name + option + collate + collation)
        columns = ", ".join(columns)
        session.run("CREATE SCHEMA odd%d; CREATE FOREIGN TABLE odd%d.training_jobs (%s, profiling_status text, raw_response jsonb, "
                    "secondary_status_transitions jsonb) SERVER %s"
                    % (number, number, columns, SCHEMAS[number % 3]))
        session.run("CREATE TABLE local.odd%d (LIKE odd%d.training_jobs); INSERT INTO local.odd%d SELECT * FROM odd%d.training_jobs; "
                    "ANALYZE odd%d.training_jobs, local.odd%d" % ((number,) * 6))


def words(text):
    return set(re.findall(r"[a-z_0-9]+", text))


def calls_made():
    """DescribeTrainingJob and the rest."""
    return control("calls").strip()


def number_of(calls, operation):
    found = re.search(operation + r"=(\d+)", calls)
    return int(found.group(1)) if found else 0


def counted(session, conditions):
    """How many jobs meet them."""
    return int(session.run("SELECT count(*) FROM local.aws AS j%s" % (" WHERE " + " AND ".join(conditions) if conditions else ""))[0])


def most_calls(session, generator, query, overlap):
    """The fewest calls by operation for a plain query of the list, whose pages overlap by so many jobs; None: that is not known."""
    lines = session.ask("EXPLAIN " + query.replace("{t}", "aws.training_jobs"))[0]
    operations = [line for line in lines if "API Operations:" in line]
    if len(operations) != 1 or "ListTrainingJobs," not in operations[0] + ",":
        return None
    unlisted = set(KINDS) | set(COLUMNS) | {"raw_response", "secondary_status_transitions"}
    unlisted -= set(LISTED) | {"tags"}
    read = words(generator.simple + " " + " ".join(generator.conditions))
    whole = "*" in generator.simple and "count" not in generator.simple
    # what may raise an error waits for others: regular expressions, casts, sums
    certain = [condition for condition in generator.conditions if not words(condition) & {"small"} and not re.search(MAY_RAISE, condition)]
    listed = [condition for condition in certain if not words(condition) & (unlisted | {"tags"})]
    most = {"ListTrainingJobs": -(-counted(session, []) // (PAGE - overlap)), "DescribeTrainingJob": 0, "ListTags": 0, "Search": 0}
    if read & unlisted or whole:
        most["DescribeTrainingJob"] = counted(session, listed)
    # they decide before or behind what documents do, or are asked for when all else is decided
    if any("tags" in words(condition) for condition in generator.conditions):
        most["ListTags"] = counted(session, listed)
    elif "tags" in read or whole:
        most["ListTags"] = counted(session, certain)
    return most


def check_calls(session, tap, generator, query, overlap):
    """Are no more calls made than the model says?"""
    calls_made()
    # which of its jobs a scan checks, and describes twice where Search fails, is a matter of chance
    if generator.unlocked is not None and generator.schema not in LIED_TO:
        found = []
        for sql in (query, generator.unlocked):
            state = session.ask(sql.replace("{t}", generator.schema + ".training_jobs"))[1]
            found.append((state, calls_made()))
        return found[0] == found[1] or tap.ok(False, "a lock costs no call", "%s\n%r" % (query, found))
    if generator.odd or generator.simple is None or generator.prepare:
        return True
    most = most_calls(session, generator, query, overlap)
    calls_made()
    if most is None or session.ask(query.replace("{t}", "aws.training_jobs"))[1] != "00000":
        return True
    calls = calls_made()
    generator.counted = True
    return all(number_of(calls, operation) <= number for operation, number in most.items()) or tap.ok(
        False, "the fewest calls", "%s\n%s, at most %r" % (query, calls, most))


def check_look_ahead(session, tap, generator, query, got, made):
    """Does the join give the same rows when it may not look ahead, for no fewer calls than were made?"""
    # what Search answers, and which of its jobs are checked, is a matter of chance
    if not generator.looks_ahead or generator.schema in LIED_TO:
        return True
    session.run("SET sagemaker_fdw.enable_lookahead = off")
    calls_made()
    without = answers(session, query.replace("{t}", generator.schema + ".training_jobs"), False, generator)
    made_without = calls_made()
    session.run("RESET sagemaker_fdw.enable_lookahead")
    if without != got and not same_but_for_order(without, got):
        return tap.ok(False, "a join gives the same rows without look-ahead", "%s\nparameters %r\nwith    %r\nwithout %r"
                      % (query, generator.parameters, got, without))
    ahead, behind = (sum(map(int, re.findall(r"=(\d+)", calls))) for calls in (made, made_without))
    # one that fails may have fetched more by then
    return ahead <= behind or any(state != "00000" for _, state in got) or tap.ok(
        False, "a join that looks ahead makes no more calls", "%s\nparameters %r\n%s with, %s without"
        % (query, generator.parameters, made, made_without))


def same_but_for_order(got, expected):
    """May the one have met a value that cannot be read before the condition that refuses its row?"""
    return all(one == other or (one[1][:2] in ("22", "0A") or other[1][:2] in ("22", "0A")) for one, other in zip(got, expected)) \
        and len(got) == len(expected)


def differing_checks(session, tap, lies):
    """1 if a record that was proved has differed from what Describe says, in this session."""
    found = session.run("SELECT sagemaker_fdw_session_differences()")[0]
    return 0 if found == "0" else 1 - tap.ok(False, "no proved record differs", "%s times, %s" % (found, lies))


def begin_block(session, tap, lies, random):
    """(session, what Search answers its scans, 1 if a check differed in the former session).

    What a session has found out of Search, such as that it is denied, the next one does not know.
    """
    found = differing_checks(session, tap, lies)
    session.close()
    session, lies = another_session(), Lies(random)
    session.run("SET client_min_messages = error; SET sagemaker_fdw.check_each_scan = %s; ALTER SERVER auto OPTIONS (%s)"
                % (random.choice(["on", "off"]), lies.options()))
    return session, lies, found


def run(session, tap, options):
    make_server(session, "aws", fetch_size=PAGE)
    make_server(session, "searched", fetch_size=PAGE, scan_api="search")
    make_server(session, "auto", fetch_size=PAGE, scan_api="auto")
    for name, members in ODD.items():
        control("document?name=%s&region=%s" % (name, REGION),
                ('{"TrainingJobName": "%s", "TrainingJobArn": "%s", %s}' % (name, ARN + name.lower(), members)).encode())
    session.run("CREATE SCHEMA local")
    for server in SCHEMAS[:3]:
        session.run("ALTER SERVER %s OPTIONS (SET region '%s')" % (server, REGION))
    session.run("ALTER SERVER auto OPTIONS (ADD max_response_size '16MB', ADD max_concurrency '16')")
    for parent, servers in PARENTS.items():
        session.run("CREATE SCHEMA %s; CREATE TABLE %s.training_jobs (LIKE aws.training_jobs)" % (parent, parent))
        for server in servers:
            session.run("CREATE FOREIGN TABLE %s.%s () INHERITS (%s.training_jobs) SERVER %s" % (parent, server, parent, server))
    for schema in SCHEMAS:
        session.run("CREATE TABLE local.%s AS SELECT * FROM %s.training_jobs; "
                    "ANALYZE %s.training_jobs" % (schema, schema, schema))
    session.run("CREATE TABLE small AS SELECT n, training_job_name AS name, training_job_arn AS arn, creation_time AS at "
                "FROM (SELECT row_number() OVER (ORDER BY md5(training_job_name)) AS n, * FROM local.aws) AS t WHERE n < 9; "
                "INSERT INTO small VALUES (9, 'no-such-job', 'no arn', '2025-06-01'), (10, NULL, NULL, NULL); ANALYZE small")
    session.run("CREATE TABLE changed AS SELECT n, name, arn, NULL::text AS note FROM small; ANALYZE changed")
    make_odd_tables(session, options.seed)
    facts = facts_of(session)
    differences, asked, modelled, lies = 0, 0, 0, None
    for number in range(options.queries):
        if number % BLOCK == 0:
            # nobody knows which of these the service does: it must not matter
            quirks = random.Random("%d quirks %d" % (options.seed, number))
            bounds, names, overlap = quirks.random() < 0.5, quirks.random() < 0.5, quirks.choice([0, 0, 1, 3])
            control("config", {"exclusive_bounds": bounds, "name_contains_any_case": names, "page_overlap": overlap})
            session, lies, found = begin_block(session, tap, lies, quirks)
            differences += found
        generator = Generator("%d %d" % (options.seed, number), facts)
        query, ordered = generator.query()
        # a document is what Describe sent, or what Search did
        if "*::text" in query:
            generator.schema, generator.odd = "aws", False
        schema = generator.schema
        # a guess at the cost of calls now and then, for other plans
        cost = generator.pick(100, 100, 0.001)
        session.run("SET sagemaker_fdw.call_cost = %s" % cost)
        lied_to = schema in LIED_TO and Lies.concern(query)
        if lied_to:
            lies.tell()
        calls_made()
        got = answers(session, query.replace("{t}", schema + ".training_jobs"), ordered, generator)
        made = calls_made()
        if lied_to:
            Lies.stop()
            asked += number_of(made, "Search") > 0
        expected = answers(session, query.replace("{t}", "local." + schema), ordered, generator)
        if not check_calls(session, tap, generator, query, overlap):
            differences += 1
        modelled += generator.counted
        if not check_look_ahead(session, tap, generator, query, got, made):
            differences += 1
        if got != expected and not same_but_for_order(got, expected):
            differences += 1
            tap.ok(False, "query %d of seed %d" % (number, options.seed),
                   "%s\non %s, parameters %r, call_cost %s, %s\ngot      %r\nexpected %r"
                   % (query, schema, generator.parameters, cost, lies if lied_to else "no lies", got, expected))
            if differences >= 20:
                return
    differences += differing_checks(session, tap, lies)
    tap.ok(asked >= options.queries // 25, "Search is asked, and lies, again and again", asked)
    tap.ok(modelled >= options.queries // 25, "calls are compared with a model, again and again", modelled)
    tap.note("%d queries asked Search while it lied, the calls of %d have a model" % (asked, modelled))
    tap.equal(differences, 0, "%d random queries of seed %d give the same rows" % (options.queries, options.seed))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    OPTIONS = arguments()
    main(lambda session, tap: run(session, tap, OPTIONS))
