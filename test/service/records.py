"""Records on request: how those that Search gives differ from the documents.

A rule is a JSON object: `kind`, and which records it changes: those of one `job` (a name), of one in `every` so many
jobs (always the same ones), after `skip` of them, `times` times (default 0, for ever), each with `probability`.  All
rules that choose a record change it, one after another.

KINDS maps a kind to a function of (record, spec) that gives the records in place of that one: none, one or more.  A
record is a document whose numbers are as jobs.number() spells them.  A new kind is a function with @kind, or @kind(names
of members that it cannot do without).
"""
import decimal
import random
import re
import zlib

from jobs import NUMBER, number, render

KINDS = {}
NEEDED = {}

DAY_S = 86400
# what a job has only once it has ended
AT_THE_END = {"TrainingEndTime", "TrainingTimeInSeconds", "BillableTimeInSeconds", "BillableTokenCount", "FailureReason",
              "FinalMetricDataList", "ModelArtifacts", "OutputModelPackageArn"}
TIME = re.compile("Time$|^Timestamp$")
LARGE = re.compile(rb"@large:(\d+)@")


def kind(*needed):
    """Enter a function in the table of kinds."""
    def enter(function):
        KINDS[function.__name__] = function
        NEEDED[function.__name__] = needed
        return function
    return enter


def one_in(every, name):
    """Is the job among one in so many?"""
    return zlib.crc32(name.encode()) % every == 0


class Rule:
    """A rule, and how often it has still to choose."""

    def __init__(self, spec):
        if not isinstance(spec, dict) or spec.get("kind") not in KINDS:
            raise ValueError("a record's kind is one of %s" % ", ".join(sorted(KINDS)))
        missing = [name for name in NEEDED[spec["kind"]] if name not in spec]
        if missing:
            raise ValueError("records of kind %s need %s" % (spec["kind"], ", ".join(missing)))
        self.spec = spec
        self.skip = spec.get("skip", 0)
        self.times = spec.get("times", 0)
        self.spent = False
        self.random = random.Random(spec.get("seed", 1))

    def chooses(self, name):
        spec = self.spec
        if self.spent or spec.get("job", name) != name or not one_in(spec.get("every", 1), name):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.random.random() >= spec.get("probability", 1):
            return False
        if self.times > 0:
            self.times -= 1
            self.spent = self.times == 0
        return True

    def change(self, record):
        return KINDS[self.spec["kind"]](record, self.spec)


def changed(rules, record):
    """The records in place of that one, by rules that choose its job."""
    found = [record]
    for rule in rules:
        found = [other for one in found for other in rule.change(one)]
    return found


def rendered(record):
    """A record as bytes; what is large gets its size here, where that takes no time."""
    return LARGE.sub(lambda found: b"x" * int(found[1]), render(record, True))


# -- values ----------------------------------------------------------------------

def spelled(value):
    """A number's value, None for what is no number."""
    found = NUMBER.fullmatch('"%s"' % value) if isinstance(value, str) else None
    return None if found is None else decimal.Decimal(found[1])


def plain(value):
    """A number without an exponent, as jobs.number() spells it."""
    return number(format(value, "f"))


def mapped(value, change, name=None):
    """The value with change(name, value) in place of each scalar below it; a list's members have its name."""
    if isinstance(value, dict):
        return {key: mapped(below, change, key) for key, below in value.items()}
    if isinstance(value, list):
        return [mapped(below, change, name) for below in value]
    return change(name, value)


def of_attributes(record, spec, change):
    """The record with change(attribute, value) in place of the values of the rule's attributes, or of all."""
    return {name: change(name, value) if name in spec.get("attributes", record) else value for name, value in record.items()}


# -- kinds -----------------------------------------------------------------------

@kind()
def missing(record, spec):
    """No record."""
    return []


@kind()
def older(record, spec):
    """The record of the job when it ran, or of a running one when it began to; the attributes of `keep` are the new ones."""
    before = {name: value for name, value in record.items() if name not in AT_THE_END}
    running = record.get("TrainingJobStatus") == "InProgress"
    before.update(TrainingJobStatus="InProgress", SecondaryStatus="Starting" if running else "Training")
    modified = record.get("CreationTime" if running else "TrainingStartTime")
    if modified is not None:
        before["LastModifiedTime"] = modified
    transitions = [dict(one) for one in record.get("SecondaryStatusTransitions", [])[:-1]]
    if transitions:
        transitions[-1].pop("EndTime", None)
        before["SecondaryStatusTransitions"] = transitions
    for name in spec.get("keep", []):
        before.pop(name, None)
        if name in record:
            before[name] = record[name]
    return [before]


@kind("attributes")
def without(record, spec):
    """The record without `attributes`."""
    return [{name: value for name, value in record.items() if name not in spec["attributes"]}]


@kind("members")
def other(record, spec):
    """The record with these `members`, in place of its own."""
    return [{**record, **spec["members"]}]


@kind()
def lower_case(record, spec):
    """Texts in `attributes` (all but names) in lower case."""
    def lower(_name, value):
        return value.lower() if isinstance(value, str) and spelled(value) is None else value
    if "attributes" not in spec:
        spec = {"attributes": record.keys() - {"TrainingJobName", "TrainingJobArn"}}
    return [of_attributes(record, spec, lambda name, value: mapped(value, lower, name))]


@kind()
def lower_case_keys(record, spec):
    """The keys of the map `attribute` (HyperParameters) in lower case."""
    name = spec.get("attribute", "HyperParameters")
    return [{**record, name: {key.lower(): value for key, value in record[name].items()}} if name in record else record]


@kind()
def whole_seconds(record, spec):
    """Times in `attributes` (all) without fractions."""
    def cut(name, value):
        seconds = spelled(value) if TIME.search(name or "") else None
        return value if seconds is None else plain(decimal.Decimal(int(seconds)))
    return [of_attributes(record, spec, lambda name, value: mapped(value, cut, name))]


@kind()
def made_again(record, spec):
    """The record of another job of that name, made `days` (1) before, or behind if that is negative."""
    created = spelled(record.get("CreationTime"))
    return [record if created is None else
            {**record, "CreationTime": plain(created - decimal.Decimal(spec.get("days", 1) * DAY_S))}]


@kind()
def twice(record, spec):
    """Two versions: the one that `older` gives, and the record, `newer_first` the other way round."""
    return (older(record, spec) + [record])[::-1 if spec.get("newer_first") else 1]


@kind("bytes")
def large(record, spec):
    """The record with a member more, which the API does not have, of so many `bytes`."""
    return [{**record, "Padding": "@large:%d@" % spec["bytes"]}]
