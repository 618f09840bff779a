"""What Search answers at random, and not as it should: all of it can be seen by comparing a record with the list.

Lies(random) draws what one session meets: rules for records, orders, sizes of pages, ages, denials and failures
(test/service/README.md).  tell() and stop() set and take back all of it.
"""
import time

from harness import control, fault
from named_faults import broken, denied, throttled

# the endpoint's history ends here
ANCHOR = 1751284800
DAY_S = 86400

# the time of the last change is the new one, the rest is old
CHANGED = ["LastModifiedTime"]
ENDED = ["LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "TrainingEndTime"]
RULES = [
    dict(kind="missing"), dict(kind="older"), dict(kind="older", keep=CHANGED), dict(kind="older", keep=ENDED),
    dict(kind="twice"), dict(kind="twice", newer_first=True), dict(kind="made_again"), dict(kind="made_again", days=-1),
    dict(kind="whole_seconds"), dict(kind="whole_seconds", attributes=["LastModifiedTime"]),
    dict(kind="whole_seconds", attributes=["CreationTime"]), dict(kind="lower_case", attributes=["TrainingJobStatus"]),
    dict(kind="other", members={"TrainingJobStatus": "Stopped"}), dict(kind="other", members={"TrainingJobName": None}),
    dict(kind="other", members={"TrainingJobArn": 7}), dict(kind="other", members={"LastModifiedTime": "yesterday"}),
    *[dict(kind="without", attributes=[name]) for name in (
        "TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus",
        "TrainingEndTime", "SecondaryStatusTransitions", "FailureReason", "TrainingTimeInSeconds", "BillableTimeInSeconds")],
    dict(kind="large", bytes=20000)]

BODIES = ["", "{", "[]", "null", "{}", '{"Results": 7}', '{"Results": [7, {}, {"TrainingJob": []}, null]}', "<html>no</html>"]

TRUE = {"search_records": [], "search_order": None, "search_page": 100, "search_unasked": 0, "search_in": True, "search_late_s": 0}


class Lies:
    """What Search answers while it lies."""

    def __init__(self, random):
        def sometimes(share, *choices):
            return random.choice(choices) if random.random() < share else None
        self.config = {
            "search_records": [{**rule, "probability": random.choice([0.1, 0.3, 1]), "seed": random.random()}
                               for rule in random.sample(RULES, random.choice([0, 0, 1, 1, 2, 4]))],
            "search_order": sometimes(0.5, "reversed", "shuffled"),
            "search_page": sometimes(0.2, 1, 5, 30) or 100,
            "search_unasked": sometimes(0.3, 1, 3, 100) or 0,
            "search_in": random.random() < 0.85,
            # some jobs, or all, are not there yet
            "search_late_s": sometimes(0.2, 3600, int(time.time()) - ANCHOR + random.randrange(90) * DAY_S) or 0}
        self.fault = sometimes(0.3, self.failure(random))
        self.max_response_size = random.choice(["16MB", "16MB", "256kB", "64kB"])
        self.max_concurrency = random.choice([1, 2, 16, 16])

    @staticmethod
    def failure(random):
        seed, probability = random.randrange(1 << 30), random.choice([0.02, 0.1, 0.5])
        return random.choice([
            denied(), denied(probability=probability, seed=seed), throttled(times=2), broken(times=2),
            dict(kind="close_before", times=2), dict(kind="truncate", times=2), dict(kind="reset_during", times=2),
            dict(kind="error", code="UnknownOperationException", times=0),
            dict(kind="error", code="ValidationException", times=1),
            dict(kind="body", body=random.choice(BODIES), times=0, probability=probability, seed=seed)])

    @staticmethod
    def concern(query):
        """May Search lie to the query?  A look-up by ARN asks it, whatever scan_api says, and has to believe it."""
        return "training_job_arn" not in query and "tuning_job_arn =" not in query

    def tell(self):
        control("config", self.config)
        if self.fault:
            fault(operation="Search", **self.fault)

    @staticmethod
    def stop():
        control("config", TRUE)
        control("clear", b"")

    def options(self):
        """Options of the server whose scans ask it."""
        return "SET max_response_size '%s', SET max_concurrency '%d'" % (self.max_response_size, self.max_concurrency)

    def __str__(self):
        return "%r, fault %r, %s" % (self.config, self.fault, self.options())
