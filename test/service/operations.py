"""SageMaker's operations on training jobs, with the service's own quirks.

Pages default to 10; creation time bounds cut the walk, while StatusEquals,
NameContains and the bounds on LastModifiedTime are applied to a page after it
has been cut, so that short and empty pages carry a token.  Not accounted for:
nested filters of Search, and throttling, which endpoint.py does.
"""
import base64
import bisect
import calendar
import json
import re
import time

from generate import load_model

MODEL = load_model()
LIST_MEMBERS = list(MODEL["list_summary"])
TUNING_MEMBERS = MODEL["list_for_tuning_job_summary"]
SEARCH_MEMBERS = [a["attribute"] for a in MODEL["describe"] if a["in_search"]]
STATUS_LABELS = MODEL["list_request"]["StatusEquals"]["enum"]
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
DEFAULT_PAGE = 10
LARGEST_PAGE = 100


class Failure(Exception):
    """An answer that is an error."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message):
    return Failure("ValidationException", message)


class Job:
    """A stored job: the bytes Describe serves, and what the lists know of it."""

    __slots__ = ("name", "body", "tags", "facts")

    def __init__(self, name, body, tags, facts=None):
        self.name, self.body, self.tags = name, body, tags
        # a body that is broken on purpose keeps the facts of the one before
        self.facts = parse(body) or facts or {"TrainingJobName": name}

    def number(self, attribute):
        value = self.facts.get(attribute)
        return value if isinstance(value, (int, float)) else 0


def parse(body):
    try:
        facts = json.loads(body)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and "TrainingJobName" in facts else None


class Region:
    """The jobs of an account in one region, in the order they were created."""

    def __init__(self, account_id, region, jobs):
        self.account_id, self.region = account_id, region
        self.jobs = {name: Job(name, body, tags) for name, body, tags in jobs}
        self.reorder()

    def reorder(self):
        self.ordered = sorted(self.jobs.values(),
                              key=lambda job: (job.number("CreationTime"), job.name))
        self.created = [job.number("CreationTime") for job in self.ordered]

    def arn(self, name):
        return "arn:aws:sagemaker:%s:%s:training-job/%s" % (self.region, self.account_id, name)

    def put(self, name, body):
        old = self.jobs.get(name)
        facts = old.facts if old else {"TrainingJobName": name, "TrainingJobArn": self.arn(name),
                                       "CreationTime": 0, "TrainingJobStatus": "Completed"}
        self.jobs[name] = Job(name, body, old.tags if old else {}, facts)
        self.reorder()

    def delete(self, name):
        self.jobs.pop(name, None)
        self.reorder()

    # -- what the operations need -------------------------------------------

    def describe(self, name):
        job = self.jobs.get(name)
        return job.body if job else None

    def tags(self, name):
        job = self.jobs.get(name)
        return job.tags if job else None

    def count(self, after, before):
        """Jobs created between the bounds, oldest first: a slice's ends."""
        low = bisect.bisect_left(self.created, after) if after is not None else 0
        high = bisect.bisect_right(self.created, before) if before is not None else len(self.created)
        return low, max(low, high)

    def facts(self, position):
        return self.ordered[position].facts


class BulkRegion:
    """Region's interface over jobs that are made when asked for."""

    def __init__(self, bulk):
        self.bulk = bulk

    def describe(self, name):
        index = self.index(name)
        return None if index is None else self.bulk.document(index)

    def tags(self, name):
        return None if self.index(name) is None else {"team": "bulk"}

    def index(self, name):
        if not name.startswith("bulk-") or not name[5:].isdigit():
            return None
        index = int(name[5:])
        return index if 0 <= index < self.bulk.count else None

    def count(self, after, before):
        return 0, self.bulk.count

    def facts(self, position):
        return self.bulk.summary(self.bulk.count - 1 - position)


# -- requests ---------------------------------------------------------------

def check_members(body, allowed):
    unknown = [key for key in body if key not in allowed]
    if unknown:
        raise Failure("SerializationException", "Unknown member: %s" % ", ".join(unknown))


def page_size(body):
    size = body.get("MaxResults", DEFAULT_PAGE)
    if not isinstance(size, int) or isinstance(size, bool):
        raise Failure("SerializationException", "MaxResults is not an integer")
    if size > LARGEST_PAGE:
        raise invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy "
                      "constraint: Member must have value less than or equal to 100" % size)
    if size < 1:
        raise invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy "
                      "constraint: Member must have value greater than or equal to 1" % size)
    return size


def name_of(body):
    name = body.get("TrainingJobName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise invalid("1 validation error detected: Value '%s' at 'trainingJobName' failed to "
                      "satisfy constraint: Member must satisfy regular expression pattern: "
                      "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}" % name)
    return name


def make_token(offset, body):
    text = json.dumps([offset, fingerprint(body)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def fingerprint(body):
    return json.dumps({key: body[key] for key in sorted(body) if key not in ("NextToken", "MaxResults")})


def read_token(body):
    token = body.get("NextToken")
    if token is None:
        return 0
    try:
        offset, made_for = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise invalid("The NextToken is not valid.")
    if made_for != fingerprint(body):
        raise invalid("The NextToken was made for a request with other parameters.")
    return offset


def cut_page(items, body):
    """A page of a sequence's positions, and the next token or None."""
    size = page_size(body)
    offset = read_token(body)
    page = items[offset:offset + size]
    following = offset + size < len(items)
    return page, make_token(offset + size, body) if following else None


def status_of(body):
    status = body.get("StatusEquals")
    if status is not None and status not in STATUS_LABELS:
        raise invalid("1 validation error detected: Value '%s' at 'statusEquals' failed to satisfy "
                      "constraint: Member must satisfy enum value set: %s" % (status, STATUS_LABELS))
    return status


def passes(facts, body, status):
    modified = facts.get("LastModifiedTime", 0)
    warm = (facts.get("WarmPoolStatus") or {}).get("Status")
    return ((status is None or facts.get("TrainingJobStatus") == status) and
            body.get("NameContains", "") in facts["TrainingJobName"] and
            ("LastModifiedTimeAfter" not in body or modified >= body["LastModifiedTimeAfter"]) and
            ("LastModifiedTimeBefore" not in body or modified <= body["LastModifiedTimeBefore"]) and
            ("WarmPoolStatusEquals" not in body or warm == body["WarmPoolStatusEquals"]) and
            ("TrainingPlanArnEquals" not in body or
             facts.get("TrainingPlanArn") == body["TrainingPlanArnEquals"]))


# -- operations: (region, body) -> response ----------------------------------

def describe_training_job(region, body):
    check_members(body, ["TrainingJobName"])
    document = region.describe(name_of(body))
    if document is None:
        raise invalid("Requested resource not found.")
    return document


def list_training_jobs(region, body):
    check_members(body, MODEL["list_request"])
    if not re.fullmatch(r"[a-zA-Z0-9\-]{0,63}", body.get("NameContains", "")):
        raise invalid("Value at 'nameContains' failed to satisfy constraint: [a-zA-Z0-9\\-]+")
    status = status_of(body)
    low, high = region.count(body.get("CreationTimeAfter"), body.get("CreationTimeBefore"))
    positions = range(low, high)
    sort_by = body.get("SortBy", "CreationTime")
    if sort_by != "CreationTime":
        key = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}[sort_by]
        positions = sorted(positions, key=lambda position: region.facts(position)[key])
    if body.get("SortOrder", "Descending") == "Descending":
        positions = positions[::-1]
    page, token = cut_page(positions, body)
    summaries = []
    for position in page:
        facts = region.facts(position)
        if passes(facts, body, status):
            summaries.append({key: facts[key] for key in LIST_MEMBERS if key in facts})
    answer = {"TrainingJobSummaries": summaries}
    if token is not None:
        answer["NextToken"] = token
    return answer


def list_training_jobs_for_tuning_job(region, body):
    check_members(body, MODEL["list_for_tuning_job_request"])
    status = status_of(body)
    ending = ":hyper-parameter-tuning-job/" + body["HyperParameterTuningJobName"]
    low, high = region.count(None, None)
    all_facts = [region.facts(position) for position in range(low, high)]
    children = [facts for facts in all_facts
                if (facts.get("TuningJobArn") or "").endswith(ending) and
                (status is None or facts.get("TrainingJobStatus") == status)]
    if body.get("SortOrder", "Ascending") == "Descending":
        children.reverse()
    page, token = cut_page(children, body)
    summaries = []
    for facts in page:
        summary = {key: facts[key] for key in TUNING_MEMBERS if key in facts}
        summary["TunedHyperParameters"] = facts.get("HyperParameters", {})
        summaries.append(summary)
    answer = {"TrainingJobSummaries": summaries}
    if token is not None:
        answer["NextToken"] = token
    return answer


def as_comparable(value, text):
    """A record's value and a filter's, made comparable."""
    if isinstance(value, bool):
        return str(value).lower(), text.lower()
    if isinstance(value, (int, float)):
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?", text):
            return value, calendar.timegm(time.strptime(text.rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))
        return value, float(text)
    return value, text


def lookup(record, path):
    """The value below a filter's name, or None."""
    if path in record:
        return record[path]
    first, _, rest = path.partition(".")
    if first == "Tags" and rest:
        return next((tag["Value"] for tag in record["Tags"] if tag["Key"] == rest), None)
    below = record.get(first)
    return lookup(below, rest) if isinstance(below, dict) and rest else None


def matches(record, condition):
    value = lookup(record, condition["Name"])
    operator = condition.get("Operator", "Equals")
    if operator == "Exists":
        return value is not None
    if operator == "NotExists":
        return value is None
    if value is None:
        return False
    text = condition.get("Value", "")
    if operator == "In":
        return str(value) in text.split(",")
    if operator == "Contains":
        return text in str(value)
    left, right = as_comparable(value, text)
    return {"Equals": left == right, "NotEquals": left != right,
            "GreaterThan": left > right, "GreaterThanOrEqualTo": left >= right,
            "LessThan": left < right, "LessThanOrEqualTo": left <= right}[operator]


def search(region, body):
    if body.get("Resource") != "TrainingJob":
        raise invalid("Only the resource TrainingJob is served here.")
    expression = body.get("SearchExpression", {})
    filters = expression.get("Filters", [])
    if len(filters) > 20:
        raise invalid("At most 20 filters are allowed in a list.")
    if sum(condition.get("Operator") == "Contains" for condition in filters) > 1:
        raise invalid("At most one Contains is allowed.")
    both = {"And": all, "Or": any}[expression.get("Operator", "And")]
    low, high = region.count(None, None)
    found = []
    for position in range(low, high):
        facts = region.facts(position)
        record = {key: facts[key] for key in SEARCH_MEMBERS if key in facts}
        tags = region.tags(facts["TrainingJobName"]) or {}
        record["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if not filters or both(matches(record, condition) for condition in filters):
            found.append(record)
    sort_by = body.get("SortBy", "LastModifiedTime")
    found.sort(key=lambda record: (lookup(record, sort_by) is not None, lookup(record, sort_by)),
               reverse=body.get("SortOrder", "Descending") == "Descending")
    page, token = cut_page(found, body)
    answer = {"Results": [{"TrainingJob": record} for record in page], "TotalHits": {
        "Value": len(found), "Relation": "EqualTo"}}
    if token is not None:
        answer["NextToken"] = token
    return answer


def list_tags(region, body):
    check_members(body, ["ResourceArn", "NextToken", "MaxResults"])
    tags = region.tags(body.get("ResourceArn", "").rpartition("/")[2])
    if tags is None:
        raise invalid("Requested resource not found.")
    items = [{"Key": key, "Value": value} for key, value in tags.items()]
    page, token = cut_page(items, {"MaxResults": 50, **body})
    answer = {"Tags": page}
    if token is not None:
        answer["NextToken"] = token
    return answer


OPERATIONS = {
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_for_tuning_job,
    "Search": search,
    "ListTags": list_tags,
}


def run(operation, region, body):
    """The response's bytes; raises Failure."""
    answer = OPERATIONS[operation](region, body)
    if isinstance(answer, bytes):
        return answer
    return json.dumps(answer).encode("utf-8")
