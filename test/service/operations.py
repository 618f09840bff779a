"""SageMaker's operations on training jobs, with the service's own quirks.

Pages default to 10; creation time bounds cut the walk, while StatusEquals,
NameContains and the bounds on LastModifiedTime are applied to a page after it
has been cut, so that short and empty pages carry a token.  Where no evidence
says how the service behaves, a setting (QUIRKS) chooses, so that tests can try
both.  Not accounted for: nested filters of Search, and throttling, which
endpoint.py does.
"""
import base64
import calendar
import hashlib
import itertools
import json
import random
import re
import time

import records
from jobs import read_spelled
from store import MODEL, SEARCH_MEMBERS, is_number, tag_list, version_at

DEFAULT_PAGE = 10
LARGEST_PAGE = 100
MOST_FILTERS = 20
LONGEST_VALUE = 1024
SEARCHES_KEPT = 100

# What tests may set, beside the endpoint's own settings.
QUIRKS = {
    "exclusive_bounds": False,          # are bounds of time exclusive?
    "name_contains_any_case": False,    # does NameContains ignore case?
    "page_overlap": 0,                  # jobs of a page that the next one repeats (ListTrainingJobs)
    "list_tags_page": 50,               # tags in a page of ListTags
    "search_late_s": 0,                 # Search knows the jobs as they were so long ago
    "search_records": [],               # rules by which Search's records differ (records.py)
    "search_in": True,                  # does Search know the operator In?
    "search_order": None,               # of a page: "reversed", or "shuffled"
    "search_page": 100,                 # results in a page of Search, whatever was asked
    "search_unasked": 0,                # results of other jobs that a page of Search begins with
}

TUNING_MEMBERS = MODEL["list_for_tuning_job_summary"]
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
STRING = {"type": "string"}
LIST_TAGS_REQUEST = {"ResourceArn": {"type": "string", "max": 256, "pattern": "arn:.*"},
                     "NextToken": STRING, "MaxResults": {"type": "integer", "min": 50}}
SEARCH_REQUEST = {**MODEL["search_request"], "SearchExpression": {"type": "structure"}}


class Failure(Exception):
    """An answer that is an error."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message):
    return Failure("ValidationException", message)


def not_found():
    return invalid("Requested resource not found.")


# -- requests ---------------------------------------------------------------

PYTHON_TYPES = {"string": str, "integer": int, "timestamp": (int, float), "structure": dict, "list": list}


def constraints(spec, value):
    """What a value of the right type breaks, in the service's words."""
    if "enum" in spec and value not in spec["enum"]:
        yield "Member must satisfy enum value set: [%s]" % ", ".join(spec["enum"])
    if spec["type"] == "string":
        if len(value) < spec.get("min", 0):
            yield "Member must have length greater than or equal to %d" % spec["min"]
        if len(value) > spec.get("max", len(value)):
            yield "Member must have length less than or equal to %d" % spec["max"]
        if "pattern" in spec and not re.fullmatch(spec["pattern"], value, re.DOTALL):
            yield "Member must satisfy regular expression pattern: " + spec["pattern"]
    if spec["type"] == "integer":
        if value < spec.get("min", value):
            yield "Member must have value greater than or equal to %d" % spec["min"]
        if value > spec.get("max", value):
            yield "Member must have value less than or equal to %d" % spec["max"]


def check_request(body, members, required=()):
    """The request's members without the null ones, or a Failure as the service words it."""
    if not isinstance(body, dict):
        raise Failure("SerializationException", "Unexpected value: the request is not an object")
    body = {name: value for name, value in body.items() if value is not None}
    problems = []
    for name, value in body.items():
        if name not in members:
            raise Failure("SerializationException", "Unknown member: %s" % name)
        spec = members[name]
        if not isinstance(value, PYTHON_TYPES[spec["type"]]) or isinstance(value, bool):
            raise Failure("SerializationException", "%s can not be converted to a %s: %s" % (
                type(value).__name__, spec["type"], name))
        problems += [(name, "'%s'" % value, text) for text in constraints(spec, value)]
    problems += [(name, "null", "Member must not be null") for name in required if name not in body]
    if problems:
        raise invalid("%d validation error%s detected: %s" % (
            len(problems), "s" if len(problems) > 1 else "",
            "; ".join("Value %s at '%s' failed to satisfy constraint: %s" % (
                value, name[0].lower() + name[1:], text) for name, value, text in problems)))
    return body


def fingerprint(body):
    """What a token is bound to: the request but for the page."""
    same = {key: body[key] for key in body if key not in ("NextToken", "MaxResults")}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]


def make_token(place, body):
    return base64.urlsafe_b64encode(json.dumps([place, fingerprint(body)]).encode()).decode()


def read_token(body):
    """The place that the request's token stands for, None without one."""
    token = body.get("NextToken")
    if token is None:
        return None
    try:
        place, made_for = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        raise invalid("Invalid NextToken.") from None
    if made_for != fingerprint(body):
        raise invalid("Invalid NextToken: it was made for a request with other parameters.")
    return place


def cut_page(items, body, size):
    """A page of a list, and the next token or None."""
    begin = read_token(body) or 0
    end = begin + size
    return items[begin:end], make_token(end, body) if end < len(items) else None


def answer(start, items, token, rest=b""):
    """A response of rendered items: bytes."""
    token = b"" if token is None else b',"NextToken":"%s"' % token.encode()
    return start + b",".join(items) + b"]" + token + rest + b"}"


def in_order(body, default):
    """Whether the request wants ascending order."""
    return body.get("SortOrder", default) == "Ascending"


# -- ListTrainingJobs and its sister -----------------------------------------

def within(value, after, before, exclusive):
    """Whether a time lies between bounds, either of which may be None."""
    value = value if is_number(value) else 0
    return (after is None or value > after or (value == after and not exclusive)) and (
        before is None or value < before or (value == before and not exclusive))


def passes(job, body, config):
    """The conditions that the service applies to a page after it has been cut."""
    facts = job.facts
    wanted = body.get("NameContains", "")
    name = job.name
    if config["name_contains_any_case"]:
        wanted, name = wanted.lower(), name.lower()
    warm = facts.get("WarmPoolStatus")
    warm = warm.get("Status") if isinstance(warm, dict) else None
    return (wanted in name and
            body.get("StatusEquals") in (None, facts.get("TrainingJobStatus")) and
            within(facts.get("LastModifiedTime"), body.get("LastModifiedTimeAfter"),
                   body.get("LastModifiedTimeBefore"), config["exclusive_bounds"]) and
            body.get("WarmPoolStatusEquals") in (None, warm) and
            body.get("TrainingPlanArnEquals") in (None, facts.get("TrainingPlanArn")))


def describe_training_job(region, body, config):
    body = check_request(body, MODEL["describe_request"], ["TrainingJobName"])
    job = region.get(body["TrainingJobName"])
    if job is None:
        raise not_found()
    return job.body


def list_training_jobs(region, body, config):
    body = check_request(body, MODEL["list_request"])
    size = body.get("MaxResults", DEFAULT_PAGE)
    ascending = in_order(body, "Descending")
    low, high = region.created_between(body.get("CreationTimeAfter"), body.get("CreationTimeBefore"),
                                       config["exclusive_bounds"])
    sort_by = body.get("SortBy", "CreationTime")
    if sort_by == "CreationTime":
        page, token = page_by_creation(region, body, low, high, size, ascending, config)
    else:
        key = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}[sort_by]
        jobs = sorted((region.job(position) for position in range(low, high)),
                      key=lambda job: str(job.facts.get(key)), reverse=not ascending)
        page, token = cut_page(jobs, body, size)
    plain = not body.keys() - {"MaxResults", "NextToken", "SortBy", "SortOrder",
                               "CreationTimeAfter", "CreationTimeBefore"}
    return answer(b'{"TrainingJobSummaries":[',
                  [job.summary for job in page if plain or passes(job, body, config)], token)


def page_by_creation(region, body, low, high, size, ascending, config):
    """A page in the order of creation.

    The token holds the last job's place in the order, so that jobs which come
    and go between two pages neither hide nor repeat others.
    """
    place = read_token(body)
    if place is not None:
        before, behind = region.around(*place)
        # a page that only repeats would never end
        overlap = min(config["page_overlap"], size - 1)
        if ascending:
            low = max(low, behind - overlap)
        else:
            high = min(high, before + overlap)
    positions = range(low, high) if ascending else range(high - 1, low - 1, -1)
    page = [region.job(position) for position in positions[:size]]
    more = len(positions) > size
    return page, make_token([page[-1].created, page[-1].name], body) if more else None


def tuning_summary(facts):
    """A child of a tuning job, as its list shows it."""
    summary = {key: facts[key] for key in TUNING_MEMBERS if key in facts}
    summary["TunedHyperParameters"] = {key: value for key, value in facts.get(
        "HyperParameters", {}).items() if not key.startswith("sagemaker_")}
    metrics = facts.get("FinalMetricDataList")
    if metrics:
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "MetricName": metrics[0]["MetricName"], "Value": metrics[0]["Value"], "Type": "Maximize"}
    summary["ObjectiveStatus"] = ("Succeeded" if metrics else "Failed" if
                                  facts.get("TrainingJobStatus") == "Failed" else "Pending")
    return summary


def list_training_jobs_for_tuning_job(region, body, config):
    body = check_request(body, MODEL["list_for_tuning_job_request"], ["HyperParameterTuningJobName"])
    ending = ":hyper-parameter-tuning-job/" + body["HyperParameterTuningJobName"]
    low, high = region.created_between(None, None, False)
    children = [job for job in map(region.job, range(low, high))
                if str(job.facts.get("TuningJobArn")).endswith(ending)]
    if not children:
        raise Failure("ResourceNotFound", "Requested resource not found.")

    def objective(job):
        metric = tuning_summary(job.facts).get("FinalHyperParameterTuningJobObjectiveMetric", {})
        value = metric.get("Value")
        return (is_number(value), value if is_number(value) else 0)
    sort_by = body.get("SortBy", "CreationTime")
    if sort_by != "CreationTime":
        children.sort(key={"Name": lambda job: job.name,
                           "Status": lambda job: str(job.facts.get("TrainingJobStatus")),
                           "FinalObjectiveMetricValue": objective}[sort_by])
    if not in_order(body, "Ascending"):
        children.reverse()
    page, token = cut_page(children, body, body.get("MaxResults", DEFAULT_PAGE))
    return answer(b'{"TrainingJobSummaries":[',
                  [json.dumps(tuning_summary(job.facts)).encode() for job in page
                   if body.get("StatusEquals") in (None, job.facts.get("TrainingJobStatus"))], token)


# -- Search -------------------------------------------------------------------

def values(below, path):
    """The values that a filter's name leads to."""
    if isinstance(below, list):
        for member in below:
            yield from values(member, path)
    elif path == "":
        # a null member is an absent one
        if below is not None:
            yield below
    elif isinstance(below, dict):
        if path in below:
            yield from values(below[path], "")
        else:
            first, _, rest = path.partition(".")
            if first in below and rest:
                yield from values(below[first], rest)


def record_values(job, path):
    first, _, rest = path.partition(".")
    if path == "TrainingJobName":
        # not worth reading a document
        return [job.name]
    if first == "Tags":
        return [job.tags[rest]] if rest in job.tags else []
    return list(values(job.facts, path)) if first in SEARCH_MEMBERS else []


def comparable(name, value, text):
    """A job's value and a filter's, made comparable."""
    if SEARCH_MEMBERS.get(name, STRING)["type"] == "timestamp":
        if not ISO_TIME.fullmatch(text):
            raise invalid("Invalid timestamp '%s' for %s: YYYY-MM-DDTHH:MM:SS is needed." % (text, name))
        return value, calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
    if isinstance(value, bool):
        return str(value).lower(), text.lower()
    if is_number(value):
        try:
            return value, float(text)
        except ValueError:
            raise invalid("Invalid number '%s' for %s." % (text, name)) from None
    return str(value), text


COMPARISONS = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}


def matches(job, condition):
    name, text = condition["Name"], condition.get("Value", "")
    operator = condition.get("Operator", "Equals")
    found = record_values(job, name)
    if operator == "Exists":
        return bool(found)
    if operator == "NotExists":
        return not found
    if operator == "Contains":
        return any(text in str(value) for value in found)
    if operator == "In" and name == "TrainingJobName":
        # many names of many jobs
        return job.name in text.split(",")
    if operator == "In":
        return any(left == right for value in found for left, right in
                   (comparable(name, value, part) for part in text.split(",")))
    return any(COMPARISONS[operator](*comparable(name, value, text)) for value in found)


def matches_expression(job, expression):
    checks = [matches(job, condition) for condition in expression.get("Filters", [])]
    checks += [matches_expression(job, below) for below in expression.get("SubExpressions", [])]
    return (any if expression.get("Operator") == "Or" else all)(checks) if checks else True


def check_expression(expression, config):
    """The number of Contains; a Failure when the expression is not one."""
    unknown = expression.keys() - {"Filters", "SubExpressions", "Operator"}
    if unknown:
        raise Failure("SerializationException", "Not served here: %s" % ", ".join(sorted(unknown)))
    if expression.get("Operator", "And") not in ("And", "Or"):
        raise invalid("1 validation error detected: Value '%s' at 'searchExpression.operator' failed "
                      "to satisfy constraint: Member must satisfy enum value set: [And, Or]"
                      % expression["Operator"])
    filters = expression.get("Filters", [])
    if len(filters) > MOST_FILTERS:
        raise invalid("1 validation error detected: Value at 'searchExpression.filters' failed to "
                      "satisfy constraint: Member must have length less than or equal to 20")
    for members in ("Filters", "SubExpressions"):
        if expression.get(members) == []:
            raise invalid("1 validation error detected: Value '[]' at 'searchExpression.%s' failed to satisfy "
                          "constraint: Member must have length greater than or equal to 1"
                          % (members[0].lower() + members[1:]))
    for condition in filters:
        operator = condition.get("Operator", "Equals")
        first = str(condition.get("Name")).partition(".")[0]
        if operator not in MODEL["search_operators"] or (operator == "In" and not config["search_in"]):
            raise invalid("1 validation error detected: Value '%s' at 'searchExpression.filters.1."
                          "member.operator' failed to satisfy constraint: Member must satisfy enum "
                          "value set: [%s]" % (operator, ", ".join(MODEL["search_operators"])))
        if first not in SEARCH_MEMBERS and first != "Tags":
            raise invalid("Unknown property name: %s." % condition.get("Name"))
        if not isinstance(condition.get("Value", ""), str):
            raise Failure("SerializationException", "Value is not a string")
        if len(condition.get("Value", "")) > LONGEST_VALUE:
            raise invalid("1 validation error detected: Value '%s' at 'searchExpression.filters.1.member.value' failed to "
                          "satisfy constraint: Member must have length less than or equal to %d"
                          % (condition["Value"], LONGEST_VALUE))
        if ("Value" in condition) == (operator in ("Exists", "NotExists")):
            raise invalid("Operator %s %s a value." % (
                operator, "takes no" if "Value" in condition else "needs"))
    return (sum(condition.get("Operator") == "Contains" for condition in filters) +
            sum(check_expression(below, config) for below in expression.get("SubExpressions", [])))


def sort_key(job, path):
    """What Search sorts by: jobs without the value come first, as in ascending order."""
    found = record_values(job, path)
    value = found[0] if found else None
    return (value is not None, is_number(value), value if is_number(value) else str(value), job.name)


def search(region, body, config):
    body = check_request(body, SEARCH_REQUEST, ["Resource"])
    if body["Resource"] != "TrainingJob":
        raise invalid("Only the resource TrainingJob is served here.")
    expression = body.get("SearchExpression", {})
    if check_expression(expression, config) > 1:
        raise invalid("Only one Contains operator is allowed in a search expression.")
    if config["search_late_s"]:
        found = find_late(region, body, expression, region.clock() - config["search_late_s"])
    else:
        # found once for all the pages of a search
        search_key = fingerprint(body)
        found = region.found.get(search_key)
        if found is None:
            if len(region.found) >= SEARCHES_KEPT:
                region.found.clear()
            found = region.found[search_key] = find(region, body, expression)
    page, token = cut_page(found, body, min(body.get("MaxResults", DEFAULT_PAGE), config["search_page"]))
    jobs = [region.job(one) if isinstance(one, int) else one for one in page]
    jobs = others(region, jobs, config["search_unasked"]) + jobs
    if config["search_order"] == "shuffled":
        random.Random(1).shuffle(jobs)
    elif config["search_order"] == "reversed":
        jobs.reverse()
    return answer(b'{"Results":[', [b'{"TrainingJob":%s}' % record for job in jobs for record in records_of(job, config)], token,
                  b',"TotalHits":{"Value":%d,"Relation":"EqualTo"}' % len(found))


def records_of(job, config):
    """What Search gives of a job, each as bytes: its record, if no setting changes it."""
    rules = [rule for rule in config["search_records"] if rule.chooses(job.name)]
    if not rules:
        return [job.record]
    return [records.rendered(record) for record in records.changed(rules, read_spelled(job.record))]


def others(region, jobs, count):
    """So many of the newest jobs that are not among those."""
    first, behind = region.created_between(None, None, False)
    names = {job.name for job in jobs}
    candidates = map(region.job, range(behind - 1, first - 1, -1))
    return list(itertools.islice((job for job in candidates if job.name not in names), count))


def candidates(region, expression):
    """The positions of jobs among which all are that match: those that are named, or created in time."""
    filters = expression.get("Filters", [])
    either = expression.get("Operator") == "Or"
    named = [condition["Value"].split(",") if condition["Operator"] == "In" else [condition["Value"]] for condition in filters
             if condition["Name"] == "TrainingJobName" and condition.get("Operator") in ("In", "Equals")]
    if named and not (either and (len(named) < len(filters) or expression.get("SubExpressions"))):
        names = set().union(*named) if either else set(named[0])
        return sorted(position for position in map(region.position, names) if position is not None)
    after = before = None
    for condition in filters if not either else []:
        if condition["Name"] == "CreationTime" and condition.get("Operator") in ("GreaterThan", "GreaterThanOrEqualTo"):
            after = comparable("CreationTime", 0, condition["Value"])[1]
        elif condition["Name"] == "CreationTime" and condition.get("Operator") in ("LessThan", "LessThanOrEqualTo"):
            before = comparable("CreationTime", 0, condition["Value"])[1]
    return range(*region.created_between(after, before, False))


def search_order(body):
    """The attribute that a search sorts by."""
    sort_by = body.get("SortBy", "LastModifiedTime")
    first = sort_by.partition(".")[0]
    if first not in SEARCH_MEMBERS and first != "Tags":
        raise invalid("Unknown property name: %s." % sort_by)
    return sort_by


def find(region, body, expression):
    """The positions of the jobs that a search finds, in its order."""
    sort_by = search_order(body)
    found = candidates(region, expression)
    if expression:
        found = [position for position in found
                 if matches_expression(region.job(position), expression)]
    if sort_by != "CreationTime":
        found = sorted(found, key=lambda position: sort_key(region.job(position), sort_by))
    return found if in_order(body, "Descending") else found[::-1]


def find_late(region, body, expression, at_s):
    """The jobs that a search finds, in its order, each as it was at that time."""
    sort_by = search_order(body)
    jobs = [version_at(job, at_s) for job in [*map(region.job, candidates(region, expression)), *region.deleted_since(at_s)]]
    found = [job for job in jobs if job is not None and (not expression or matches_expression(job, expression))]
    found.sort(key=lambda job: (job.created, job.name) if sort_by == "CreationTime" else sort_key(job, sort_by))
    return found if in_order(body, "Descending") else found[::-1]


# -- ListTags -------------------------------------------------------------------

def list_tags(region, body, config):
    body = check_request(body, LIST_TAGS_REQUEST, ["ResourceArn"])
    arn = body["ResourceArn"]
    job = region.by_arn(arn)
    if job is None:
        raise not_found()
    page, token = cut_page(tag_list(job.tags), body, body.get("MaxResults", config["list_tags_page"]))
    return answer(b'{"Tags":[', [json.dumps(tag).encode() for tag in page], token)


OPERATIONS = {
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_for_tuning_job,
    "Search": search,
    "ListTags": list_tags,
}


def run(operation, region, body, config):
    """The response's bytes; raises Failure.  config: settings, QUIRKS among them."""
    return OPERATIONS[operation](region, body, config)
