"""What is stored: jobs by region, in the order they were created.

A region answers in positions, oldest first, so that the operations walk jobs
that are kept (Region) and jobs that are made when asked for (BulkRegion) alike.
"""
import bisect
import json
import time

from generate import load_model
from jobs import read_spelled, render

MODEL = load_model()
LIST_MEMBERS = MODEL["list_summary"]
SEARCH_MEMBERS = {a["attribute"]: a for a in MODEL["describe"] if a["in_search"]}
BULK_TAGS = {"team": "bulk"}


def readable(name, body):
    """The document's members, or None when it is not a document about that job."""
    try:
        facts = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and facts.get("TrainingJobName") == name else None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def chosen(spelled, members):
    return {key: value for key, value in spelled.items() if key in members}


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def last_change(facts):
    """When a job was last changed, as it says itself; 0 where it does not."""
    return next((facts[name] for name in ("LastModifiedTime", "CreationTime") if is_number(facts.get(name))), 0)


def version_at(job, at_s):
    """The version of a job that was served at that time, or None."""
    while job is not None and job.changed_s > at_s:
        job = job.earlier
    return job


class Job:
    """A stored job: the bytes that Describe serves, and what lists know of it.

    A body that is broken on purpose keeps the facts of the one before.  changed_s: since when it is served; without,
    since its own time of the last change.  earlier: the version that was served before.
    """

    __slots__ = ("name", "body", "tags", "facts", "created", "source", "changed_s", "earlier", "_summary", "_record")

    def __init__(self, name, body, tags, before=None, changed_s=None, earlier=None):
        self.name, self.body, self.tags, self.earlier = name, body, tags, earlier
        self.source, self.facts = body, readable(name, body)
        if self.facts is None:
            self.source, self.facts = before.source, before.facts
        created = self.facts.get("CreationTime")
        self.created = created if is_number(created) else before.created if before else 0
        self.changed_s = last_change(self.facts) if changed_s is None else changed_s
        self._summary = self._record = None

    @property
    def summary(self):
        """The job in ListTrainingJobs, as bytes."""
        if self._summary is None:
            self._summary = render(chosen(read_spelled(self.source), LIST_MEMBERS), True)
        return self._summary

    @property
    def record(self):
        """The job in Search, as bytes."""
        if self._record is None:
            record = chosen(read_spelled(self.source), SEARCH_MEMBERS)
            record["Tags"] = tag_list(self.tags)
            self._record = render(record, True)
        return self._record


class Region:
    """The jobs of an account in one region.  clock: what time it is, in seconds."""

    def __init__(self, account_id, region, jobs, clock=time.time):
        self.account_id, self.region, self.clock = account_id, region, clock
        self.jobs = {name: Job(name, body, tags) for name, body, tags in jobs}
        # (job, until when it was there)
        self.deleted = []
        self.reorder()

    def reorder(self):
        self.found = {}
        self.ordered = sorted(self.jobs.values(), key=lambda job: (job.created, job.name))
        self.keys = [(job.created, job.name) for job in self.ordered]

    def arn(self, name):
        return "arn:aws:sagemaker:%s:%s:training-job/%s" % (self.region, self.account_id, name)

    def put(self, name, body, tags=None):
        """Serve exactly this body for the job from now on."""
        before = earlier = self.jobs.get(name)
        if before is None:
            bare = {"TrainingJobName": name, "TrainingJobArn": self.arn(name), "CreationTime": 0,
                    "TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}
            before = Job(name, json.dumps(bare).encode(), {})
        self.jobs[name] = Job(name, body, before.tags if tags is None else tags, before, self.clock(), earlier)
        self.reorder()

    def delete(self, name):
        job = self.jobs.pop(name, None)
        if job is None:
            raise ValueError("no job %r" % name)
        self.deleted.append((job, self.clock()))
        self.reorder()

    # -- what the operations need -------------------------------------------

    def names(self):
        return list(self.jobs)

    def get(self, name):
        return self.jobs.get(name)

    def by_arn(self, arn):
        """The job with the ARN, whose spelling of the name may be another one."""
        job = self.get(arn.rpartition("/")[2])
        if job is not None and job.facts.get("TrainingJobArn") == arn:
            return job
        return next((job for job in self.ordered if job.facts.get("TrainingJobArn") == arn), None)

    def job(self, position):
        return self.ordered[position]

    def position(self, name):
        """Where the job stands in the order, or None when there is no such job."""
        job = self.jobs.get(name)
        return None if job is None else bisect.bisect_left(self.keys, (job.created, name))

    def deleted_since(self, at_s):
        """The jobs that were there at that time, and are no more."""
        return [job for job, until_s in self.deleted if until_s > at_s]

    def created_between(self, after, before, exclusive):
        """The positions of jobs created between the bounds: (first, behind the last)."""
        left, right = bisect.bisect_left, bisect.bisect_right
        if exclusive:
            left, right = right, left
        created = lambda key: key[0]
        low = 0 if after is None else left(self.keys, after, key=created)
        high = len(self.keys) if before is None else right(self.keys, before, key=created)
        return low, max(low, high)

    def around(self, created, name):
        """How many jobs come before that place in the order, and how many up to it."""
        return (bisect.bisect_left(self.keys, (created, name)),
                bisect.bisect_right(self.keys, (created, name)))


class BulkJob:
    """Job's interface over one of many."""

    __slots__ = ("bulk", "index", "name")
    tags = BULK_TAGS
    earlier = None

    def __init__(self, bulk, index):
        self.bulk, self.index = bulk, index
        self.name = bulk.name(index)

    @property
    def body(self):
        return self.bulk.document(self.index)

    @property
    def created(self):
        return self.bulk.created(self.index)

    @property
    def facts(self):
        return json.loads(self.record)

    @property
    def changed_s(self):
        return last_change(self.facts)

    @property
    def summary(self):
        return self.bulk.fill(self.bulk.summaries[self.bulk.variant(self.index)], self.index)

    @property
    def record(self):
        return self.bulk.fill(self.bulk.records[self.bulk.variant(self.index)], self.index)


class BulkRegion:
    """Region's interface over jobs that are made when asked for.

    What put() gives takes the job's place in the lists, whatever creation time it has;
    delete() changes what Describe serves, not what lists show.
    """

    def __init__(self, bulk, clock=time.time):
        self.bulk, self.clock = bulk, clock
        self.found = {}
        self.changed = {}
        spelled = [read_spelled(template) for template in bulk.variants]
        bulk.summaries = [bulk.cut(render(chosen(one, LIST_MEMBERS))) for one in spelled]
        bulk.records = [bulk.cut(render({**chosen(one, SEARCH_MEMBERS), "Tags": tag_list(BULK_TAGS)}))
                        for one in spelled]

    def put(self, name, body, tags=None):
        before = self.get(name) or self.plain(name)
        self.changed[name] = Job(name, body, BULK_TAGS, before, self.clock(), before)

    def delete(self, name):
        self.changed[name] = None

    def names(self):
        return [self.bulk.name(index) for index in range(1, self.bulk.count + 1)]

    def by_arn(self, arn):
        job = self.get(arn.rpartition("/")[2])
        return job if job is not None and job.facts.get("TrainingJobArn") == arn else None

    def get(self, name):
        return self.changed[name] if name in self.changed else self.plain(name)

    def plain(self, name):
        index = self.bulk.index(name)
        return None if index is None else BulkJob(self.bulk, index)

    def job(self, position):
        index = self.bulk.count - position
        if self.changed:
            return self.get(self.bulk.name(index)) or BulkJob(self.bulk, index)
        return BulkJob(self.bulk, index)

    def position(self, name):
        index = self.bulk.index(name)
        return None if index is None else self.bulk.count - index

    def deleted_since(self, at_s):
        return []

    def created_between(self, after, before, exclusive):
        left, right = bisect.bisect_left, bisect.bisect_right
        if exclusive:
            left, right = right, left
        positions = range(self.bulk.count)
        created = lambda position: self.bulk.created(self.bulk.count - position)
        low = 0 if after is None else left(positions, after, key=created)
        high = len(positions) if before is None else right(positions, before, key=created)
        return low, max(low, high)

    def around(self, created, name):
        index = self.bulk.index(name)
        position = self.bulk.count - index
        return position, position + 1
