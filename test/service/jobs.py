"""A realistic history of training jobs, the same for the same anchor.

Completed, failed, stopped and running jobs, spot jobs that were interrupted,
children of tuning jobs, clusters of several instance types, distributed jobs,
warm pools, metrics, experiments and tags.  Dates go back from the anchor.
"""
import json
import random
import re

# 2025-06-30T12:00:00Z: tests state exact values.
DEFAULT_ANCHOR = 1751284800

HISTORY_JOBS = {"us-east-1": 300, "eu-west-1": 40}

IMAGES = {
    "xgboost": "683313688378.dkr.ecr.%s.amazonaws.com/sagemaker-xgboost:1.7-1",
    "pytorch": "763104351884.dkr.ecr.%s.amazonaws.com/pytorch-training:2.1.0-gpu-py310",
    "tabular": "683313688378.dkr.ecr.%s.amazonaws.com/sagemaker-scikit-learn:1.2-1",
}
TEAMS = ["search", "ads", "fraud", "vision"]
FAILURES = [
    "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage \"CUDA out of memory\"",
    "ClientError: Data download failed:NoSuchKey (404): The specified key does not exist.",
    "InternalServerError: We encountered an internal error. Please try again.",
    "CapacityError: Unable to provision requested ML compute capacity.",
]

NUMBER = re.compile(r'"@number:([^"@]*)@"')


def number(text):
    """A JSON number with exactly this spelling."""
    return "@number:%s@" % text


def render(document, ensure_ascii=False):
    """A document as bytes; numbers made by number() keep their spelling."""
    return NUMBER.sub(r"\1", json.dumps(document, ensure_ascii=ensure_ascii)).encode("utf-8")


def read_spelled(body):
    """A document's members whose numbers render() writes as they were written."""
    return json.loads(body, parse_float=number, parse_int=number)


def epoch(rng, ms):
    """A timestamp in milliseconds, in one of the forms that the service uses."""
    whole, fraction = divmod(ms, 1000)
    form = rng.randrange(3)
    if fraction == 0:
        return number(str(whole))
    if form == 0:
        digits = "%d%03d" % (whole, fraction)
        return number("%s.%sE%d" % (digits[0], digits[1:].rstrip("0") or "0", len(str(whole)) - 1))
    return number("%d.%03d" % (whole, fraction))


def make_job(rng, index, account_id, region, created_ms, at=None):
    """One job: (document with number() placeholders, tags).

    at: how a time in milliseconds is written, if not as a number.
    """
    at = at or (lambda ms: epoch(rng, ms))
    kind = rng.choice(list(IMAGES))
    team = rng.choice(TEAMS)
    name = "%s-%s-%04d" % (kind, team, index)
    arn = "arn:aws:sagemaker:%s:%s:training-job/%s" % (region, account_id, name)
    bucket = "s3://example-%s-%s" % (team, region)
    outcome = rng.choices(["Completed", "Failed", "Stopped", "InProgress", "Stopping"],
                          [70, 14, 8, 6, 2])[0]
    tuning = index % 9 == 4
    spot = index % 5 == 2
    heterogeneous = index % 23 == 7
    distributed = kind == "pytorch" and index % 3 == 0
    queue_ms = rng.randrange(20000, 240000)
    train_s = rng.randrange(60, 6 * 3600)
    start_ms = created_ms + queue_ms
    end_ms = start_ms + train_s * 1000 + rng.randrange(1000)
    done = outcome in ("Completed", "Failed", "Stopped")

    document = {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        "ModelArtifacts": {"S3ModelArtifacts": "%s/output/%s/output/model.tar.gz" % (bucket, name)},
        "TrainingJobStatus": outcome,
        "SecondaryStatus": {"InProgress": "Training"}.get(outcome, outcome),
        "HyperParameters": {"learning_rate": "%.4f" % (rng.random() / 10),
                            "max_depth": str(rng.randrange(3, 12)),
                            "sagemaker_program": "train.py", "note.with.dots": "1598463412"},
        "AlgorithmSpecification": {"TrainingImage": IMAGES[kind] % region,
                                   "TrainingInputMode": rng.choice(["File", "Pipe", "FastFile"]),
                                   "EnableSageMakerMetricsTimeSeries": kind == "pytorch"},
        "RoleArn": "arn:aws:iam::%s:role/service-role/SageMaker-%s" % (account_id, team),
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": bucket + "/train/",
            "S3DataDistributionType": "FullyReplicated"}}, "CompressionType": "None"}],
        "OutputDataConfig": {"KmsKeyId": "", "S3OutputPath": bucket + "/output"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "CreationTime": at(created_ms),
        "LastModifiedTime": at(end_ms if done else start_ms),
        "EnableNetworkIsolation": index % 4 == 0,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": spot,
        "ProfilingStatus": "Enabled" if kind == "pytorch" else "Disabled",
    }
    if heterogeneous:
        document["ResourceConfig"] = {"VolumeSizeInGB": 100, "InstanceGroups": [
            {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.2xlarge", "InstanceCount": 2},
            {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.4xlarge", "InstanceCount": 1}]}
        instances = 3
    else:
        instances = rng.randrange(2, 9) if distributed else 1
        instance_type = {"xgboost": "ml.m5.xlarge", "pytorch": rng.choice(
            ["ml.g5.2xlarge", "ml.p4d.24xlarge"]), "tabular": "ml.m5.large"}[kind]
        document["ResourceConfig"] = {"InstanceType": instance_type, "InstanceCount": instances,
                                      "VolumeSizeInGB": 30}
    if index % 17 == 3 and not heterogeneous:
        document["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 1800
        document["WarmPoolStatus"] = {"Status": rng.choice(["Available", "Terminated", "Reused"]),
                                      "ResourceRetainedBillableTimeInSeconds": rng.randrange(1800)}
    if tuning:
        document["TuningJobArn"] = ("arn:aws:sagemaker:%s:%s:hyper-parameter-tuning-job/tune-%s"
                                    % (region, account_id, team))
    else:
        document["ExperimentConfig"] = {"ExperimentName": "%s-ranking" % team,
                                        "TrialName": "trial-%d" % (index % 7)}
    if kind == "pytorch":
        document["VpcConfig"] = {"SecurityGroupIds": ["sg-0a1b2c3d"], "Subnets": ["subnet-1", "subnet-2"]}
        document["CheckpointConfig"] = {"S3Uri": bucket + "/checkpoints", "LocalPath": "/opt/ml/checkpoints"}
        document["Environment"] = {"NCCL_DEBUG": "INFO"}
        document["RetryStrategy"] = {"MaximumRetryAttempts": 2}

    transitions = [{"Status": "Starting", "StartTime": at(created_ms), "EndTime": at(start_ms),
                    "StatusMessage": "Preparing the instances for training"}]
    half_ms = (start_ms + end_ms) // 2
    if spot and index % 2 == 0:
        document["StoppingCondition"]["MaxWaitTimeInSeconds"] = 172800
        transitions += [
            {"Status": "Training", "StartTime": at(start_ms), "EndTime": at(half_ms),
             "StatusMessage": "Training in progress"},
            {"Status": "Interrupted", "StartTime": at(half_ms), "EndTime": at(half_ms + 30000),
             "StatusMessage": "Spot capacity was reclaimed"},
            {"Status": "Restarting", "StartTime": at(half_ms + 30000), "EndTime": at(half_ms + 60000),
             "StatusMessage": "Restarting from the last checkpoint"}]
        start_of_last = half_ms + 60000
    else:
        start_of_last = start_ms
    training = {"Status": "Training", "StartTime": at(start_of_last),
                "StatusMessage": "Training image download completed. Training in progress."}
    document["TrainingStartTime"] = at(start_ms)
    if done:
        training["EndTime"] = at(end_ms)
        document["TrainingEndTime"] = at(end_ms)
        document["TrainingTimeInSeconds"] = train_s
        document["BillableTimeInSeconds"] = max(1, train_s * 3 // 10) if spot else train_s
        transitions += [training, {"Status": outcome, "StartTime": at(end_ms), "EndTime": at(end_ms),
                                   "StatusMessage": "Training job %s" % outcome.lower()}]
    else:
        transitions.append(training)
    document["SecondaryStatusTransitions"] = transitions
    if outcome == "Failed":
        document["FailureReason"] = rng.choice(FAILURES)
    if outcome == "Completed":
        document["FinalMetricDataList"] = [
            {"MetricName": "validation:auc", "Value": number("%.6f" % (0.5 + rng.random() / 2)),
             "Timestamp": at(end_ms)},
            {"MetricName": "train:loss", "Value": number("%.3e" % rng.random()), "Timestamp": at(end_ms)}]
    tags = {"team": team, "cost-center": "CC-%d" % (100 + TEAMS.index(team))}
    if index % 11 == 0:
        tags["owner"] = "zoë <zoe@example.com>"
    return document, tags


def history(account_id, region, anchor=DEFAULT_ANCHOR):
    """The region's jobs: (name, document bytes, tags), newest first."""
    rng = random.Random("history %s" % region)
    jobs = []
    created_ms = anchor * 1000
    for index in range(HISTORY_JOBS.get(region, 0), 0, -1):
        created_ms -= rng.randrange(60_000, 12 * 3600_000)
        if index % 10 == 0:
            created_ms -= created_ms % 1000
        document, tags = make_job(rng, index, account_id, region, created_ms)
        jobs.append((document["TrainingJobName"], render(document), tags))
    return jobs


def is_over(document):
    """Has the job ended, and will nothing of it change any more?"""
    return (document["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") and
            document.get("WarmPoolStatus", {}).get("Status") != "Available")


def is_running(document):
    return document["TrainingJobStatus"] == "InProgress" and "WarmPoolStatus" not in document


class Bulk:
    """Many jobs of about 11 KB each, made when asked for: no memory a job.

    A few documents of the history's kind are cut to pieces at the name and at
    every timestamp; a job is the pieces of one of them, joined again.  Job 1 is
    the newest, and a minute lies between two jobs.

    settings: with a bulk_running, so many percent of the jobs are in progress, spread
    evenly, and all others have ended for good; without, they are as they come.
    """

    VARIANTS = 8                # of each kind: as they come, and ended for good
    PREFIX = "bulk-"
    HOLES = re.compile(rb'@index@|"@at:(\d+)@"')

    def __init__(self, account_id, region, count, anchor=DEFAULT_ANCHOR, settings=None):
        self.count, self.anchor, self.settings = count, anchor, settings or {}
        make = lambda variant, wanted: self.template_that(account_id, region, variant, wanted)
        self.ended = [make(variant, is_over) for variant in range(self.VARIANTS)]
        self.variants = ([self.template(account_id, region, variant) for variant in range(self.VARIANTS)] + self.ended +
                         [make(0, is_running)])
        self.cuts = [self.cut(template) for template in self.variants]

    def template_that(self, account_id, region, variant, wanted):
        """The variant's template, or the next one that is as wanted."""
        while True:
            text = self.template(account_id, region, variant)
            if wanted(read_spelled(text)):
                return text
            variant += self.VARIANTS

    def template(self, account_id, region, variant):
        rng = random.Random("bulk %d" % variant)
        document, _ = make_job(rng, variant, account_id, region, 0, at="@at:{}@".format)
        name = self.PREFIX + "@index@"
        document["TrainingJobArn"] = document["TrainingJobArn"].rpartition("/")[0] + "/" + name
        document["TrainingJobName"] = name
        document["HyperParameters"] = {"parameter-%03d" % i: "value-%d-%s" % (i, "x" * 70)
                                       for i in range(90)}
        return render(document)

    def variant(self, index):
        """Which of the variants the job is made of."""
        running = self.settings.get("bulk_running")
        if running is None:
            return index % self.VARIANTS
        return 2 * self.VARIANTS if index * running % 100 < running else self.VARIANTS + index % self.VARIANTS

    def name(self, index):
        return "%s%06d" % (self.PREFIX, index)

    def index(self, name):
        """The job's number, or None when there is no such job."""
        digits = name[len(self.PREFIX):]
        if not digits.isdigit():
            return None
        index = int(digits)
        return index if 1 <= index <= self.count and self.name(index) == name else None

    def created(self, index):
        """When the job was created, in seconds."""
        return self.anchor - index * 60 + 0.123

    def cut(self, template):
        """A template as [text, hole, text, hole, ... text]: a hole is None or an offset in ms."""
        pieces = self.HOLES.split(template)
        pieces[1::2] = [None if hole is None else int(hole) for hole in pieces[1::2]]
        return pieces

    def fill(self, pieces, index):
        """A template that was cut as the text about one job."""
        filled = pieces[:]
        base_ms = (self.anchor - index * 60) * 1000 + 123
        digits = b"%06d" % index
        filled[1::2] = [digits if hole is None else b"%d.%03d" % divmod(base_ms + hole, 1000)
                        for hole in pieces[1::2]]
        return b"".join(filled)

    def document(self, index):
        return self.fill(self.cuts[self.variant(index)], index)
