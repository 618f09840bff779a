"""Which records of Search may replace a training job's document: a table of cases, one condition at a time.

Tests src/jobs/proof.c and compare.c through SQL functions of a library that is built here (proof_functions.c).
"""
import copy
import json
import pathlib
import re
import tempfile

from harness import build_library, main

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = json.loads((TOP / "test/service/training_job.json").read_text(encoding="utf-8"))

# What a change makes of a value.
ABSENT = object()

# What a record is proved for, if it is proved for anything: all that Search has.
EVERYTHING = ([member["attribute"] for member in MODEL["describe"] if member["in_search"]] +
              ["ResourceConfig.InstanceType", "ResourceConfig.InstanceCount", "Tags", "region", "account_id"])
NOTHING = "nothing"

# A job that completed at 1710005000.456.
SUMMARY = {
    "TrainingJobName": "job",
    "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job",
    "CreationTime": 1710000000.123,
    "TrainingEndTime": 1710005000.456,
    "LastModifiedTime": 1710005001.789,
    "TrainingJobStatus": "Completed",
    "SecondaryStatus": "Completed",
    "WarmPoolStatus": {"Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 60, "ReusedByJob": "next"},
}
RECORD = {
    **SUMMARY,
    "TuningJobArn": "arn:tuning",
    "LabelingJobArn": "arn:labeling",
    "AutoMLJobArn": "arn:automl",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
    "FailureReason": "none, in truth",
    "HyperParameters": {"epochs": "3"},
    "AlgorithmSpecification": {"TrainingImage": "image", "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}]},
    "RoleArn": "arn:role",
    "InputDataConfig": [{"ChannelName": "train"}],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "VpcConfig": {"Subnets": ["subnet"]},
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    "TrainingStartTime": 1710001000.5,
    "SecondaryStatusTransitions": [
        {"Status": "Starting", "StartTime": 1710000000.123, "EndTime": 1710001000.5},
        {"Status": "Training", "StartTime": 1710001000.5, "EndTime": 1710005000.456},
        {"Status": "Completed", "StartTime": 1710005000.456, "EndTime": 1710005000.456},
    ],
    "FinalMetricDataList": [{"MetricName": "loss", "Value": 0.5, "Timestamp": 1710004000}],
    "EnableNetworkIsolation": False,
    "EnableInterContainerTrafficEncryption": False,
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
    "TrainingTimeInSeconds": 3999,
    "BillableTimeInSeconds": 1200,
    "DebugHookConfig": {"S3OutputPath": "s3://bucket"},
    "ExperimentConfig": {"TrialName": "trial"},
    "DebugRuleConfigurations": [{"RuleConfigurationName": "overfit"}, {"RuleConfigurationName": "loss"}],
    "TensorBoardOutputConfig": {"S3OutputPath": "s3://bucket"},
    "DebugRuleEvaluationStatuses": [
        {"RuleConfigurationName": "loss", "RuleEvaluationStatus": "IssuesFound", "LastModifiedTime": 1710005100},
        {"RuleConfigurationName": "overfit", "RuleEvaluationStatus": "NoIssuesFound", "LastModifiedTime": 1710005200},
    ],
    "ProfilerConfig": {"DisableProfiler": True},
    "Environment": {"KEY": "value"},
    "RetryStrategy": {"MaximumRetryAttempts": 1},
    "ModelPackageConfig": {"ModelPackageGroupArn": "arn:group"},
    "OutputModelPackageArn": "arn:package",
    "Tags": [{"Key": "team", "Value": "a"}],
}

# The page that has the summary is dated so: the job was changed 3,600 s before, and a millisecond.
DATE = 1710008602

# What is changed in the summary; asked at; may Search be asked?
MAY_ASK = [
    ("a completed job", {}, DATE, True),
    ("a failed one", {"TrainingJobStatus": "Failed"}, DATE, True),
    ("a stopped one", {"TrainingJobStatus": "Stopped"}, DATE, True),
    ("one in progress", {"TrainingJobStatus": "InProgress"}, DATE, False),
    ("one that is stopping", {"TrainingJobStatus": "Stopping"}, DATE, False),
    ("one that is being deleted", {"TrainingJobStatus": "Deleting"}, DATE, False),
    ("another status", {"TrainingJobStatus": "completed"}, DATE, False),
    ("half a status", {"TrainingJobStatus": "Complete"}, DATE, False),
    ("no status", {"TrainingJobStatus": ABSENT}, DATE, False),
    ("a warm pool that is kept", {"WarmPoolStatus": {"Status": "Available"}}, DATE, False),
    ("a warm pool in use", {"WarmPoolStatus": {"Status": "InUse"}}, DATE, False),
    ("a warm pool that is over", {"WarmPoolStatus": {"Status": "Terminated"}}, DATE, True),
    ("no warm pool", {"WarmPoolStatus": ABSENT}, DATE, True),
    ("a status that is a number", {"TrainingJobStatus": 1}, DATE, False),
    ("changed an hour ago to the second", {"LastModifiedTime": DATE - 3600}, DATE, True),
    ("changed a millisecond later", {"LastModifiedTime": "@1710005002.001@"}, DATE, False),
    ("changed a billionth of a second later", {"LastModifiedTime": "@1710005002.000000001@"}, DATE, False),
    ("changed in the future", {"LastModifiedTime": "@1e300@"}, DATE, False),
    ("no LastModifiedTime", {"LastModifiedTime": ABSENT}, DATE, False),
    ("a LastModifiedTime of null", {"LastModifiedTime": None}, DATE, False),
    ("a LastModifiedTime that is a string", {"LastModifiedTime": "1710005001"}, DATE, False),
    ("a LastModifiedTime that is an object", {"LastModifiedTime": {}}, DATE, False),
    ("ended an hour ago to the second", {"TrainingEndTime": DATE - 3600}, DATE, True),
    ("ended a millisecond later, changed before", {"TrainingEndTime": "@1710005002.001@"}, DATE, False),
    ("no TrainingEndTime", {"TrainingEndTime": ABSENT}, DATE, True),
    ("a TrainingEndTime that is a string", {"TrainingEndTime": "1710005001"}, DATE, False),
    ("a page that is not dated", {}, -1, False),
    ("a page that is not dated, before the epoch", {"LastModifiedTime": -5000, "TrainingEndTime": -5000}, -1, False),
    ("a page that is dated at the epoch", {"LastModifiedTime": -5000, "TrainingEndTime": -5000}, 0, True),
    ("a page that is dated long ago", {}, 0, False),
]

# What is changed in the summary, and in the document; is the document of the version?
SAME_VERSION = [
    ("the same", {}, {}, True),
    ("another name", {}, {"TrainingJobName": "Job"}, False),
    ("another ARN", {}, {"TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/jobs"}, False),
    ("made again", {}, {"CreationTime": 1710000001.123}, False),
    ("changed since", {}, {"LastModifiedTime": 1710005001.79}, False),
    ("another status", {}, {"TrainingJobStatus": "Failed"}, False),
    ("another end", {}, {"TrainingEndTime": 1710005000.457}, False),
    ("another secondary status", {}, {"SecondaryStatus": "MaxRuntimeExceeded"}, False),
    ("another warm pool", {}, {"WarmPoolStatus.Status": "Terminated"}, False),
    ("no secondary status in the list", {"SecondaryStatus": ABSENT}, {}, True),
    ("a warm pool that goes on, in both", {"WarmPoolStatus.Status": "Available"}, {"WarmPoolStatus.Status": "Available"}, True),
    ("a list in whole seconds", {"CreationTime": 1710000000, "LastModifiedTime": 1710005001, "TrainingEndTime": 1710005000}, {}, True),
    ("a document in whole seconds", {}, {"CreationTime": 1710000000, "LastModifiedTime": 1710005001}, True),
    ("another whole second", {"LastModifiedTime": 1710005002}, {}, False),
    ("another whole second, the other way", {"LastModifiedTime": 1710005000}, {}, False),
    ("two whole seconds", {"LastModifiedTime": 1710005001}, {"LastModifiedTime": 1710005002}, False),
    ("whole seconds beyond all time", {"LastModifiedTime": "@1e300@"}, {"LastModifiedTime": "@1e301@"}, False),
    ("what the list does not tell", {}, {"BillableTimeInSeconds": 0, "Tags": ABSENT, "SecondaryStatusTransitions": []}, True),
]

TERMINATED = {"WarmPoolStatus.Status": "Terminated"}
AVAILABLE = {"WarmPoolStatus.Status": "Available"}
IN_USE = {"WarmPoolStatus.Status": "InUse"}
NO_WARM_POOL = {"WarmPoolStatus": ABSENT}
FAILED = {"TrainingJobStatus": "Failed"}
STOPPED = {"TrainingJobStatus": "Stopped"}
RULE = "DebugRuleEvaluationStatuses.0.RuleEvaluationStatus"

# What is changed in the summary, and in the record; what the record is not proved for, or nothing else.
PROOF = [
    ("a record that agrees in everything", {}, {}, ""),

    # the version
    ("another name", {}, {"TrainingJobName": "Job"}, NOTHING),
    ("no name", {}, {"TrainingJobName": ABSENT}, NOTHING),
    ("no name in either", {"TrainingJobName": ABSENT}, {"TrainingJobName": ABSENT}, NOTHING),
    ("another ARN", {}, {"TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/Job"}, NOTHING),
    ("no ARN", {}, {"TrainingJobArn": ABSENT}, NOTHING),
    ("no ARN in either", {"TrainingJobArn": ABSENT}, {"TrainingJobArn": ABSENT}, NOTHING),
    ("another job of the same name", {}, {"CreationTime": 1600000000.123}, NOTHING),
    ("another CreationTime, by a microsecond", {}, {"CreationTime": 1710000000.123001}, NOTHING),
    ("another CreationTime, by less", {}, {"CreationTime": "@1710000000.1230000001@"}, NOTHING),
    ("CreationTime in whole seconds", {}, {"CreationTime": 1710000000}, NOTHING),
    ("CreationTime in whole seconds in the list", {"CreationTime": 1710000000}, {}, NOTHING),
    ("no CreationTime", {}, {"CreationTime": ABSENT}, NOTHING),
    ("no CreationTime in either", {"CreationTime": ABSENT}, {"CreationTime": ABSENT}, NOTHING),
    ("CreationTime a string in both", {"CreationTime": "1"}, {"CreationTime": "1"}, NOTHING),
    ("times that are written otherwise", {},
     {"CreationTime": "@1.710000000123E9@", "LastModifiedTime": "@1710005001.7890@"}, ""),
    ("an older version", {}, {"LastModifiedTime": 1710005001.788}, NOTHING),
    ("a newer version", {}, {"LastModifiedTime": 1710005001.79}, NOTHING),
    ("LastModifiedTime in whole seconds", {}, {"LastModifiedTime": 1710005001}, NOTHING),
    ("no LastModifiedTime", {}, {"LastModifiedTime": ABSENT}, NOTHING),
    ("no LastModifiedTime in the list", {"LastModifiedTime": ABSENT}, {}, NOTHING),
    ("no LastModifiedTime in either", {"LastModifiedTime": ABSENT}, {"LastModifiedTime": ABSENT}, NOTHING),
    ("another status", {}, FAILED, NOTHING),
    ("no status", {}, {"TrainingJobStatus": ABSENT}, NOTHING),
    ("no status in either", {"TrainingJobStatus": ABSENT}, {"TrainingJobStatus": ABSENT}, NOTHING),
    ("another TrainingEndTime", {}, {"TrainingEndTime": 1710005000.455}, NOTHING),
    ("no TrainingEndTime", {}, {"TrainingEndTime": ABSENT}, NOTHING),
    ("no TrainingEndTime in the list", {"TrainingEndTime": ABSENT}, {}, NOTHING),
    ("no TrainingEndTime in either", {"TrainingEndTime": ABSENT}, {"TrainingEndTime": ABSENT}, ""),
    ("null is absent", {"TrainingEndTime": None}, {"TrainingEndTime": ABSENT}, ""),
    ("another secondary status", {"SecondaryStatus": "Stopped"}, {}, NOTHING),
    ("no secondary status in the list", {"SecondaryStatus": ABSENT}, {}, ""),
    ("a member that the list alone has", {"TrainingPlanArn": "arn:plan"}, {}, ""),
    ("a member that nobody knows", {}, {"Novelty": 1}, ""),

    # the warm pool
    ("a warm pool that has ended", TERMINATED, TERMINATED, ""),
    ("no warm pool", NO_WARM_POOL, NO_WARM_POOL, ""),
    ("a warm pool in the record alone", NO_WARM_POOL, {}, NOTHING),
    ("a warm pool in the list alone", {}, NO_WARM_POOL, NOTHING),
    ("a warm pool that ended since", TERMINATED, AVAILABLE, NOTHING),
    ("a warm pool that is there", AVAILABLE, AVAILABLE, NOTHING),
    ("a warm pool that is used", IN_USE, IN_USE, NOTHING),
    ("another time in the warm pool", {}, {"WarmPoolStatus.ResourceRetainedBillableTimeInSeconds": 61}, NOTHING),
    ("a warm pool in no status", {"WarmPoolStatus": {}}, {"WarmPoolStatus": {}}, NOTHING),
    ("a warm pool that is a string", {"WarmPoolStatus": "Terminated"}, {"WarmPoolStatus": "Terminated"}, NOTHING),

    # the transitions
    ("a last transition to another status", {}, {"SecondaryStatusTransitions.2.Status": "Uploading"}, NOTHING),
    ("a last transition that is not there yet", {}, {"SecondaryStatusTransitions.2": ABSENT}, NOTHING),
    ("a first transition to another status", {}, {"SecondaryStatusTransitions.0.Status": "Pending"}, ""),
    ("one transition", {}, {"SecondaryStatusTransitions.0": ABSENT, "SecondaryStatusTransitions.1": ABSENT}, ""),
    ("no transitions", {}, {"SecondaryStatusTransitions": ABSENT}, NOTHING),
    ("an empty list of transitions", {}, {"SecondaryStatusTransitions": []}, NOTHING),
    ("transitions that are an object", {}, {"SecondaryStatusTransitions": {"Status": "Completed"}}, NOTHING),
    ("a last transition that is a string", {}, {"SecondaryStatusTransitions.2": "Completed"}, NOTHING),
    ("a last transition to no status", {}, {"SecondaryStatusTransitions.2.Status": ABSENT}, NOTHING),
    ("no secondary status in the record", {}, {"SecondaryStatus": ABSENT}, NOTHING),
    ("a secondary status that is a number", {"SecondaryStatus": ABSENT},
     {"SecondaryStatus": 1, "SecondaryStatusTransitions.2.Status": 1}, NOTHING),
    ("a secondary status that nobody knows", {"SecondaryStatus": ABSENT},
     {"SecondaryStatus": "COMPLETED", "SecondaryStatusTransitions.2.Status": "COMPLETED"}, "SecondaryStatus"),

    # the rules
    ("a rule that failed", {}, {RULE: "Error"}, ""),
    ("a rule that was stopped", {}, {RULE: "Stopped"}, ""),
    ("a rule in progress", {}, {RULE: "InProgress"}, NOTHING),
    ("a rule that is stopping", {}, {RULE: "Stopping"}, NOTHING),
    ("a rule's status that nobody knows", {}, {RULE: "Done"}, NOTHING),
    ("a rule in no status", {}, {RULE: ABSENT}, NOTHING),
    ("a rule without an evaluation", {}, {"DebugRuleEvaluationStatuses.0": ABSENT}, NOTHING),
    ("no evaluation at all", {}, {"DebugRuleEvaluationStatuses": []}, NOTHING),
    ("a rule whose second evaluation goes on", {},
     {"DebugRuleEvaluationStatuses.1.RuleConfigurationName": "loss", "DebugRuleConfigurations.0": ABSENT,
      "DebugRuleEvaluationStatuses.1.RuleEvaluationStatus": "InProgress"}, NOTHING),
    ("an evaluation of no rule that goes on", {}, {"DebugRuleConfigurations.1": ABSENT, RULE: "InProgress"}, ""),
    ("an evaluation of nothing", {}, {"DebugRuleEvaluationStatuses.0": "IssuesFound"}, NOTHING),
    ("evaluations that are an object", {}, {"DebugRuleEvaluationStatuses": {}}, NOTHING),
    ("a rule without a name", {}, {"DebugRuleConfigurations.0.RuleConfigurationName": ABSENT}, NOTHING),
    ("a rule that is a string", {}, {"DebugRuleConfigurations.0": "overfit"}, NOTHING),
    ("rules that are an object", {}, {"DebugRuleConfigurations": {}}, NOTHING),
    ("more rules than there can be", {}, {"DebugRuleConfigurations": [{"RuleConfigurationName": "loss"}] * 101}, NOTHING),
    ("no rules, and an evaluation that goes on", {}, {"DebugRuleConfigurations": ABSENT, RULE: "InProgress"}, ""),

    # what is missing where it must be there
    ("a failed job without its reason", FAILED, {**FAILED, "FailureReason": ABSENT}, "FailureReason"),
    ("a failed job whose reason is null", FAILED, {**FAILED, "FailureReason": None}, "FailureReason"),
    ("a completed job without a reason to fail", {}, {"FailureReason": ABSENT}, ""),
    ("a completed job without artifacts", {}, {"ModelArtifacts": ABSENT}, "ModelArtifacts"),
    ("a stopped job without artifacts", STOPPED, {**STOPPED, "ModelArtifacts": ABSENT}, ""),
    ("a job that has started, without its time", {}, {"TrainingTimeInSeconds": ABSENT}, "TrainingTimeInSeconds"),
    ("... without its billable time", {}, {"BillableTimeInSeconds": ABSENT}, "BillableTimeInSeconds"),
    ("a job that has not started", {}, dict.fromkeys(["TrainingStartTime", "TrainingTimeInSeconds", "BillableTimeInSeconds"], ABSENT), ""),
    ("a completed job with definitions of metrics, without metrics", {}, {"FinalMetricDataList": ABSENT}, "FinalMetricDataList"),
    ("... which failed", FAILED, {**FAILED, "FinalMetricDataList": ABSENT}, ""),
    ("... with none of them defined", {}, {"FinalMetricDataList": ABSENT, "AlgorithmSpecification.MetricDefinitions": []}, ""),
    ("... with no definitions", {}, {"FinalMetricDataList": ABSENT, "AlgorithmSpecification.MetricDefinitions": ABSENT}, ""),
    ("rules without evaluations", {}, {"DebugRuleEvaluationStatuses": ABSENT}, "DebugRuleEvaluationStatuses"),
    ("neither rules nor evaluations", {}, {"DebugRuleEvaluationStatuses": ABSENT, "DebugRuleConfigurations": []}, ""),
    ("a job with a group of packages, without its package", {}, {"OutputModelPackageArn": ABSENT}, "OutputModelPackageArn"),
    ("... which was stopped", STOPPED, {**STOPPED, "OutputModelPackageArn": ABSENT}, "OutputModelPackageArn"),
    ("... without a group", {}, {"OutputModelPackageArn": ABSENT, "ModelPackageConfig": ABSENT}, ""),
    ("two attributes are missing", {}, {"ModelArtifacts": ABSENT, "OutputModelPackageArn": ABSENT},
     "ModelArtifacts OutputModelPackageArn"),
    ("no profiler, in an old job", {"CreationTime": 1690415999.999}, {"CreationTime": 1690415999.999, "ProfilerConfig": ABSENT},
     "ProfilerConfig"),
    ("a profiler, in an old job", {"CreationTime": 1690415999.999}, {"CreationTime": 1690415999.999}, ""),
    ("no profiler, from 2023-07-27 on", {"CreationTime": 1690416000}, {"CreationTime": 1690416000, "ProfilerConfig": ABSENT}, ""),
    ("no warm pool, in an old job", {"CreationTime": 1704067199.999, **NO_WARM_POOL}, {"CreationTime": 1704067199.999, **NO_WARM_POOL},
     "WarmPoolStatus"),
    ("no warm pool, from 2024 on", {"CreationTime": 1704067200, **NO_WARM_POOL}, {"CreationTime": 1704067200, **NO_WARM_POOL}, ""),
    ("no tags", {}, {"Tags": ABSENT}, ""),
    ("what a job need not have", {}, dict.fromkeys(["HyperParameters", "VpcConfig", "Environment", "ExperimentConfig"], ABSENT), ""),

    # what cannot be read
    ("a time that is a number of the other kind", {}, {"TrainingTimeInSeconds": 3999.0}, ""),
    ("a time that is no whole number", {}, {"TrainingTimeInSeconds": 3999.5}, "TrainingTimeInSeconds"),
    ("a time of half a second less than nothing", {}, {"TrainingTimeInSeconds": -0.5}, "TrainingTimeInSeconds"),
    ("a time that is too long", {}, {"BillableTimeInSeconds": 2147483648}, "BillableTimeInSeconds"),
    ("a time that is just not", {}, {"BillableTimeInSeconds": 2147483647}, ""),
    ("a time that is far too long", {}, {"BillableTimeInSeconds": "@1e300@"}, "BillableTimeInSeconds"),
    ("a start beyond all time", {}, {"TrainingStartTime": "@1e300@"}, "TrainingStartTime"),
    ("a start before all time", {}, {"TrainingStartTime": "@-1e300@"}, "TrainingStartTime"),
    ("a start at the end of the year 9999", {}, {"TrainingStartTime": 253402300799.999}, ""),
    ("a start in the year 10000", {}, {"TrainingStartTime": 253402300800}, "TrainingStartTime"),
    ("a start in the year 1", {}, {"TrainingStartTime": -62135596800}, ""),
    ("a start before the year 1", {}, {"TrainingStartTime": -62135596801}, "TrainingStartTime"),
    ("a transition beyond all time", {}, {"SecondaryStatusTransitions.0.EndTime": "@1e300@"}, "SecondaryStatusTransitions"),
    ("a metric at a string", {}, {"FinalMetricDataList.0.Timestamp": "soon"}, "FinalMetricDataList"),
    ("an evaluation at a string", {}, {"DebugRuleEvaluationStatuses.0.LastModifiedTime": "soon"}, "DebugRuleEvaluationStatuses"),
    ("a metric at no time", {}, {"FinalMetricDataList.0.Timestamp": ABSENT}, ""),
    ("resources that are a list", {}, {"ResourceConfig": []},
     "ResourceConfig ResourceConfig.InstanceType ResourceConfig.InstanceCount"),
    ("instances that are half", {}, {"ResourceConfig.InstanceCount": 1.5}, "ResourceConfig.InstanceCount"),
    ("instances that are selected", {}, {"ResourceConfig.InstanceCount": 1.5, "ResourceConfig.SelectedInstanceCount": 3}, ""),
    ("a selected type that is a number", {}, {"ResourceConfig.SelectedInstanceType": 3}, "ResourceConfig.InstanceType"),
    ("tags that are an object", {}, {"Tags": {"team": "a"}}, "Tags"),
    ("a tag without a key", {}, {"Tags.0.Key": ABSENT}, "Tags"),
    ("a tag without a value", {}, {"Tags.0.Value": ABSENT}, "Tags"),
    ("a tag that is a string", {}, {"Tags.0": "team"}, "Tags"),
]

# A value that no attribute of the type can have.
UNREADABLE = {"string": 1, "integer": "1", "long": "1", "float": True, "boolean": "true", "timestamp": "2023-11-14T22:13:20Z",
              "structure": [], "list": {}, "map": "x"}

# What is changed in the document, and in the record; what differs.
DIFFERENCES = [
    ("the same", {}, {}, ""),
    ("a string", {}, {"RoleArn": "arn:Role"}, "RoleArn"),
    ("a string's last letter", {}, {"RoleArn": "arn:roles"}, "RoleArn"),
    ("a string for a number", {}, {"TrainingTimeInSeconds": "3999"}, "TrainingTimeInSeconds"),
    ("a boolean", {}, {"EnableManagedSpotTraining": False}, "EnableManagedSpotTraining"),
    ("an integer", {}, {"TrainingTimeInSeconds": 3998}, "TrainingTimeInSeconds"),
    ("an integer, written otherwise", {}, {"TrainingTimeInSeconds": "@3.9990E3@"}, ""),
    ("a status", {}, {"SecondaryStatus": "completed"}, "SecondaryStatus"),
    ("a time, by a microsecond", {}, {"TrainingStartTime": 1710001000.500001}, "TrainingStartTime"),
    ("a time, by less than a microsecond", {}, {"TrainingStartTime": "@1710001000.5000004@"}, ""),
    ("a time that is rounded up", {"TrainingStartTime": "@1710001000.500001@"}, {"TrainingStartTime": "@1710001000.5000005@"}, ""),
    ("a time in whole seconds", {}, {"TrainingStartTime": 1710001000}, "TrainingStartTime"),
    ("a time, written otherwise", {}, {"TrainingStartTime": "@1.7100010005E9@"}, ""),
    ("times beyond all time", {"TrainingStartTime": "@1e300@"}, {"TrainingStartTime": "@1e301@"}, "TrainingStartTime"),
    ("the same time beyond all time", {"TrainingStartTime": "@1e300@"}, {"TrainingStartTime": "@10e299@"}, ""),
    ("a time in a list", {}, {"SecondaryStatusTransitions.0.EndTime": 1710001000.4}, "SecondaryStatusTransitions"),
    ("a time in a list, written otherwise", {},
     {"SecondaryStatusTransitions.0.EndTime": "@1710001000.50000000@", "FinalMetricDataList.0.Timestamp": "@1.710004e9@"}, ""),
    ("a time in a list, by less than a microsecond", {}, {"SecondaryStatusTransitions.0.EndTime": "@1710001000.5000004@"}, ""),
    ("a time in a list that is no number", {}, {"SecondaryStatusTransitions.0.EndTime": "1710001000.5"}, "SecondaryStatusTransitions"),
    ("a number in a list that is no time", {}, {"FinalMetricDataList.0.Value": "@0.50@"}, "FinalMetricDataList"),
    ("a time's name further down", {"FinalMetricDataList.0.More": {"Timestamp": 1}}, {"FinalMetricDataList.0.More": {"Timestamp": "@1.0@"}},
     "FinalMetricDataList"),
    ("a time that is an object", {"FinalMetricDataList.0.Timestamp": {"s": 1}}, {"FinalMetricDataList.0.Timestamp": {"s": "@1.0@"}},
     "FinalMetricDataList"),
    ("a time's name in a list of something else", {"InputDataConfig.0.Timestamp": 1}, {"InputDataConfig.0.Timestamp": "@1.0@"},
     "InputDataConfig"),
    ("a number in a structure, written otherwise", {}, {"RetryStrategy.MaximumRetryAttempts": "@1.0@"}, "RetryStrategy"),
    ("a number in a structure, with an exponent", {"RetryStrategy.MaximumRetryAttempts": 100}, {"RetryStrategy.MaximumRetryAttempts": "@1e2@"}, ""),
    ("a member more", {}, {"Environment.MORE": "x"}, "Environment"),
    ("a member less", {}, {"Environment.KEY": ABSENT}, "Environment"),
    ("a key in other letters", {}, {"Environment": {"key": "value"}}, "Environment"),
    ("a value", {}, {"HyperParameters.epochs": "4"}, "HyperParameters"),
    ("null and absent", {"VpcConfig": None}, {"VpcConfig": ABSENT}, ""),
    ("null and absent further down", {"VpcConfig.More": None}, {}, "VpcConfig"),
    ("an attribute that Describe alone has", {}, {"VpcConfig": ABSENT}, "VpcConfig"),
    ("an attribute that Search alone has", {"VpcConfig": ABSENT}, {}, "VpcConfig"),
    ("an empty list and none", {"InputDataConfig": []}, {"InputDataConfig": ABSENT}, "InputDataConfig"),
    ("an empty list and an empty object", {"InputDataConfig": []}, {"InputDataConfig": {}}, "InputDataConfig"),
    ("another order in a list", {"VpcConfig.Subnets": ["a", "b"]}, {"VpcConfig.Subnets": ["b", "a"]}, "VpcConfig"),
    ("more in a list", {"VpcConfig.Subnets": ["a", "b"]}, {"VpcConfig.Subnets": ["a"]}, "VpcConfig"),
    ("the instance type", {}, {"ResourceConfig.InstanceType": "ml.m5.xlarge"}, "ResourceConfig ResourceConfig.InstanceType"),
    ("the instances, written otherwise", {}, {"ResourceConfig.InstanceCount": "@2.0@"}, "ResourceConfig"),
    ("what was selected", {"ResourceConfig.SelectedInstanceCount": 3}, {}, "ResourceConfig ResourceConfig.InstanceCount"),
    ("no resources", {}, {"ResourceConfig": ABSENT}, "ResourceConfig ResourceConfig.InstanceType ResourceConfig.InstanceCount"),
    ("tags, which a document has not", {"Tags": ABSENT}, {}, ""),
    ("an attribute that Search lacks", {"BillableTokenCount": 1}, {}, "BillableTokenCount"),
    ("two attributes", {}, {"RoleArn": "x", "Environment": {}}, "RoleArn Environment"),
]


def changed(job, changes):
    """A copy of the job with other values at these paths."""
    job = copy.deepcopy(job)
    # from the back, so that a list's elements keep their places
    for path, value in reversed(list(changes.items())):
        *above, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place = job
        for key in above:
            place = place[key]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return job


def jsonb(job):
    """The job as an SQL literal.  Text between two @ is JSON already."""
    text = re.sub(r'"@([^"@]*)@"', r"\1", json.dumps(job))
    return "'%s'::jsonb" % text.replace("'", "''")


def create_functions(session, library):
    for name, arguments, result in [("proof_may_ask", "jsonb, bigint", "boolean"),
                                    ("proof_same_version", "jsonb, jsonb", "boolean"),
                                    ("proof_attributes", "jsonb, jsonb", "text"),
                                    ("proof_differences", "jsonb, jsonb, bigint", "text")]:
        session.run("CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE C STRICT AS '%s'" % (name, arguments, result, library))


def lacks(session, summary, record):
    """Why the record is not proved."""
    proved = session.run("SELECT proof_attributes(%s, %s)" % (jsonb(summary), jsonb(record)))[0].split()
    if not proved:
        return NOTHING
    return " ".join([name for name in EVERYTHING if name not in proved] + ["+" + name for name in proved if name not in EVERYTHING])


def differences(session, document, record, compared=-1):
    return session.run("SELECT proof_differences(%s, %s, %d)" % (jsonb(document), jsonb(record), compared))[0]


def test_may_ask(session, tap):
    for title, changes, date, expected in MAY_ASK:
        answer = session.run("SELECT proof_may_ask(%s, %d)" % (jsonb(changed(SUMMARY, changes)), date))
        tap.equal(answer, ["t" if expected else "f"], "may Search be asked? " + title)


def test_same_version(session, tap):
    for title, in_summary, in_document, expected in SAME_VERSION:
        answer = session.run("SELECT proof_same_version(%s, %s)" % (jsonb(changed(SUMMARY, in_summary)),
                                                                    jsonb(changed(RECORD, in_document))))
        tap.equal(answer, ["t" if expected else "f"], "is a document of the version? " + title)


def test_proof(session, tap):
    for title, in_summary, in_record, expected in PROOF:
        tap.equal(lacks(session, changed(SUMMARY, in_summary), changed(RECORD, in_record)), expected, "proof: " + title)
    for member in MODEL["describe"]:
        name = member["attribute"]
        if member["in_search"] and not member["in_list"] and name not in ("SecondaryStatusTransitions", "DebugRuleConfigurations",
                                                                          "DebugRuleEvaluationStatuses", "ResourceConfig"):
            tap.equal(lacks(session, SUMMARY, changed(RECORD, {name: UNREADABLE[member["type"]]})), name,
                      "proof: %s that is not %s" % (name, member["type"]))
    for title, what in [("nothing", {}), ("a list", [SUMMARY]), ("a string", "TrainingJobName"), ("null", None)]:
        tap.equal(lacks(session, SUMMARY, what), NOTHING, "proof: a record that is " + title)
        tap.equal(lacks(session, what, RECORD), NOTHING, "proof: a summary that is " + title)
        tap.equal(lacks(session, what, what), NOTHING, "proof: both are " + title)


def test_differences(session, tap):
    for title, in_document, in_record, expected in DIFFERENCES:
        document, record = changed(RECORD, in_document), changed(RECORD, in_record)
        tap.equal(differences(session, document, record), expected, "differences: " + title)
        tap.equal(differences(session, record, document), expected, "... the other way round")
    tap.equal(differences(session, dict(reversed(RECORD.items())), RECORD), "", "differences: another order of members")
    role = changed(RECORD, {"RoleArn": "x", "Environment": {}})
    bit = [member["attribute"] for member in MODEL["describe"]].index("RoleArn")
    tap.equal(differences(session, RECORD, role, 1 << bit), "RoleArn", "only what is compared differs")
    tap.equal(differences(session, RECORD, role, 0), "", "... which may be nothing")
    tap.equal(differences(session, RECORD, []).split(), [name for name in EVERYTHING if name in RECORD and name != "Tags"] +
              ["ResourceConfig.InstanceType", "ResourceConfig.InstanceCount"], "a record that is a list differs in every attribute")


def test(session, tap):
    with tempfile.TemporaryDirectory(prefix="sagemaker_fdw.", dir="/tmp") as directory:
        create_functions(session, build_library(directory, "proof", [
            "test/t/proof_functions.c", "src/jobs/proof.c", "src/jobs/compare.c", "src/jobs/attribute.c", "src/jobs/timestamp.c"]))
        test_may_ask(session, tap)
        test_same_version(session, tap)
        test_proof(session, tap)
        test_differences(session, tap)


if __name__ == "__main__":
    main(test)
