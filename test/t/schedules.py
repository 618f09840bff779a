"""Random schedules: latencies, expiring credentials, throttles, faults and limits under statements of all kinds.

	schedules.py [--schedules N | --seconds S] [--seed S] [--jobs N] [--verbose]

A schedule is fixed by its seed; N of them have the seeds S, S + 1 and so on.  Each draws servers whose credentials come
from different sources, what their services do, and a session's statements, some of them while cursors are open.
A local copy of the jobs gives every statement's rows, and the number of calls that it may make gives a time that it
cannot exceed: a statement that takes longer waits for something that never comes, and is cancelled.  Where that happens,
where rows differ, where there is an error or a warning, or where the session dies or keeps descriptors, threads or
connections, the schedule is printed, with the command that runs it again.

Each of the --jobs has an endpoint and clusters of its own.  Not accounted for: sessions that share their pace, and
what changes at the service while it is read (change.py).
"""
import argparse
import bisect
import collections
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time

from harness import BULK, CA, HISTORY, TLS_URL, URL, Cluster, Died, Session, Tap, control, counters, host_and_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SLOWNESS = float(os.environ.get("SAGEMAKER_FDW_TEST_SLOWNESS", "1"))

# How much longer than its calls a statement may take: the machine does other work, too.
SPARE_S = 5
# CPU time of a call, the endpoint's included.
CALL_S = 0.005
MAX_ATTEMPTS = 8

BULK_JOBS = 150
HOME, OTHER = "123456789012", "345678901234"
STATIC = {HOME: HISTORY, OTHER: BULK}
TEMPORARY = ("ASIDTEMPORARY0000001", "secret/of+the/temporary/keys/000000000001", "session-token/of+the/temporary/keys==")
PLACES = [(HOME, "us-east-1"), (HOME, "eu-west-1"), (HOME, "ap-south-1"), (OTHER, "us-east-1"), (OTHER, "us-west-2")]

COLUMNS = """training_job_name text, training_job_arn text, training_job_status sagemaker_training_job_status,
 creation_time timestamptz, last_modified_time timestamptz, role_arn text, instance_type text,
 billable_time_in_seconds integer, failure_reason text, hyper_parameters jsonb, tags jsonb, region text, account_id text"""
LISTED = ["%s.training_job_status", "%s.creation_time", "%s.last_modified_time", "%s.account_id", "%s.region"]
DESCRIBED = ["%s.role_arn", "%s.instance_type", "%s.billable_time_in_seconds", "length(%s.failure_reason)",
             "md5(%s.hyper_parameters::text)", "%s.training_job_arn"]

API = ["ListTrainingJobs", "DescribeTrainingJob", "ListTags", "Search"]
# Which requests a source makes, and which accounts its keys are of.
ANY = (HOME, OTHER)
SOURCES = {
    "static keys": ([], ANY),
    "temporary keys": ([], (HOME,)),
    "a role with keys": (["AssumeRole"], ANY),
    "a profile's role": (["AssumeRole"], ANY),
    "a web identity": (["AssumeRoleWithWebIdentity"], ANY),
    "the container": (["ContainerCredentials"], (HOME,)),
    "the instance": (["MetadataToken", "MetadataRole", "MetadataCredentials"], (HOME,)),
    "a role with the container": (["ContainerCredentials", "AssumeRole"], ANY),
    "a role with the instance": (["MetadataToken", "MetadataRole", "MetadataCredentials", "AssumeRole"], ANY),
    "a profile's role with the container": (["ContainerCredentials", "AssumeRole"], ANY),
    "a program": (["ContainerCredentials"], (HOME,)),
    "the portal": (["SsoCredentials"], (HOME, OTHER)),
}
# Records that are not proved.  What differs and is proved is found by chance: it is a matter of auto_answers.py.
LIES = [{"kind": "missing"}, {"kind": "older"}, {"kind": "twice"}, {"kind": "twice", "newer_first": True},
        {"kind": "whole_seconds", "attributes": ["LastModifiedTime"]}, {"kind": "made_again"}, {"kind": "made_again", "days": -1},
        {"kind": "without", "attributes": ["TrainingJobStatus"]}, {"kind": "other", "members": {"TrainingJobStatus": "Stopped"}},
        {"kind": "large", "bytes": 400000}]
# How long a Search is waited for; how few jobs it is asked for; how many may fail in a row; how many are not asked then, and
# twice as many after each that fails from then on.
PATIENCE_S, SEARCH_JOBS_MIN, POOR_SEARCHES, FIRST_REST = 5, 5, 3, 8
# What ALTER SERVER may make of fetch_size.
FETCH_SIZES = 100, 7
# How many jobs ANALYZE fetches.
ANALYZE_JOBS = 20
ISSUERS = ["AssumeRole", "AssumeRoleWithWebIdentity", "ContainerCredentials", "MetadataCredentials", "SsoCredentials"]
ROLE = "arn:aws:iam::%s:role/reader"
PROGRAM = r"""sleep "$1"
exec 3<>"/dev/tcp/127.0.0.1/$2"
printf 'GET /v2/credentials/program HTTP/1.1\r\nHost: program\r\nConnection: close\r\n\r\n' >&3
answer=$(cat <&3)
answer=${answer##*$'\n'}
answer=${answer/\{/\{\"Version\": 1, }
printf '%s\n' "${answer/\"Token\"/\"SessionToken\"}"
"""
CONFIG = """[profile base]
aws_access_key_id = %s
aws_secret_access_key = %s
[profile program]
credential_process = /bin/bash %s/program %s %d
"""
ROLE_PROFILES = """[profile role-%(account)s]
role_arn = %(role)s
source_profile = base
[profile container-%(account)s]
role_arn = %(role)s
credential_source = EcsContainer
[profile portal-%(account)s]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = %(account)s
sso_role_name = reader
"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


# -- what there is to ask ------------------------------------------------------------


class Place:
    """The jobs of an account in a region: the local copy, and what a schedule needs to know about them."""

    def __init__(self, account, region):
        self.account, self.region = account, region
        self.copy = "calm.jobs_%s_%s" % (account, region.replace("-", "_"))
        # newest first
        self.names, self.times = [], []


class World:
    """A worker's clusters, and the local copies."""

    def __init__(self):
        self.clusters = {}
        self.started = []
        self.places = {pair: Place(*pair) for pair in PLACES}

    def cluster(self, narrow):
        """The cluster whose processes may open few files, or the other one."""
        if narrow not in self.clusters:
            settings = ["sagemaker_fdw.allow_credential_process=on", "shared_buffers=16MB"]
            cluster = Cluster(settings + (["max_files_per_process=64"] if narrow else []))
            self.started.append(cluster)
            os.chmod(cluster.directory, 0o755)
            self.write(cluster, "token", "web-identity-token")
            self.write(cluster, "program", PROGRAM)
            os.makedirs(cluster.directory + "/.aws/sso/cache")
            name = hashlib.sha1(b"https://example.awsapps.com/start").hexdigest()
            self.write(cluster, ".aws/sso/cache/%s.json" % name, json.dumps(
                {"accessToken": "sso-access-token", "expiresAt": "2099-01-01T00:00:00Z", "region": "us-east-1"}))
            self.write(cluster, "config", "")
            subprocess.run(["chmod", "-R", "a+rX", cluster.directory + "/.aws"], check=True)
            variables = {"HOME": cluster.directory, "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                         "AWS_CONFIG_FILE": cluster.directory + "/config", "AWS_SHARED_CREDENTIALS_FILE": "/none",
                         "AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v2/credentials/task",
                         "AWS_EC2_METADATA_SERVICE_ENDPOINT": URL + "/", "AWS_ENDPOINT_URL_STS": URL,
                         "AWS_ENDPOINT_URL_SSO": URL}
            cluster.environment = ["env", "-i"] + ["%s=%s" % pair for pair in variables.items()]
            cluster.start()
            session = self.session(cluster)
            session.run("CREATE EXTENSION sagemaker_fdw; CREATE ROLE plain")
            # what a session keeps when it has done all kinds of things
            session.run("CREATE SERVER s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (endpoint_url '%s', max_concurrency '1'); "
                        "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (aws_access_key_id '%s', "
                        "aws_secret_access_key '%s'); CREATE FOREIGN TABLE t (%s) SERVER s OPTIONS (region 'eu-west-1'); "
                        "CREATE FOREIGN TABLE u (%s) SERVER s OPTIONS (region 'eu-west-1')"
                        % (URL, *HISTORY, COLUMNS, COLUMNS))
            session.run("SELECT count(role_arn) FROM (SELECT * FROM t UNION ALL SELECT * FROM u) AS v")
            cluster.keeps = session.descriptors(), session.threads()
            session.run("DROP SERVER s CASCADE")
            session.close()
            self.clusters[narrow] = cluster
        cluster = self.clusters[narrow]
        os.environ["PGHOST"] = cluster.directory
        return cluster

    @staticmethod
    def session(cluster):
        os.environ["PGHOST"] = cluster.directory
        return Session()

    @staticmethod
    def write(cluster, name, text):
        path = os.path.join(cluster.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)

    def copy_jobs(self):
        """Make the local copies, before any fault."""
        self.judge = self.session(self.cluster(False))
        self.judge.run("CREATE SCHEMA calm")
        for number, place in enumerate(self.places.values()):
            self.judge.run("CREATE SERVER calm%d FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (endpoint_url '%s', region '%s'); "
                           "CREATE USER MAPPING FOR CURRENT_USER SERVER calm%d OPTIONS (aws_access_key_id '%s', "
                           "aws_secret_access_key '%s')" % (number, URL, place.region, number, *STATIC[place.account]))
            self.judge.run("CREATE FOREIGN TABLE f (%s) SERVER calm%d; CREATE TABLE %s AS SELECT * FROM f; ANALYZE %s; "
                           "DROP SERVER calm%d CASCADE" % (COLUMNS, number, place.copy, place.copy, number))
            for line in self.judge.run("SELECT training_job_name, creation_time FROM %s ORDER BY 2 DESC, 1" % place.copy):
                name, _, created = line.partition("|")
                place.names.append(name)
                place.times.append(created)
        self.judge.run("SELECT sagemaker_fdw_disconnect()")

    def remove(self):
        for cluster in self.started:
            cluster.remove()


class Table:
    """A query's table: a foreign table, or the parent of several, and its local stand-in."""

    def __init__(self, token, foreign, servers):
        self.token, self.foreign = token, foreign
        self.places = places = [server["place"] for server in servers]
        self.fetch_size = min(server["options"]["fetch_size"] for server in servers)
        self.proves = any(server["options"]["scan_api"] == "auto" for server in servers)
        self.local = places[0].copy if len(places) == 1 else "(%s)" % " UNION ALL ".join(
            "SELECT * FROM %s" % place.copy for place in places)
        self.names = [name for place in places for name in place.names]
        self.times = sorted((created for place in places for created in place.times), reverse=True)


# -- what a schedule is ----------------------------------------------------------------


class Calls:
    """The most calls that a statement may make.

    Pages follow one another, and so do scans, whose first calls are few; jobs are described and tags listed as many at
    once as may be; so many Searches are made for documents, and so many of them can fail before it is left alone.
    """

    def __init__(self, **counts):
        self.counts = collections.Counter(counts)

    def __getitem__(self, kind):
        return self.counts[kind]

    def __add__(self, other):
        return Calls(**(self.counts + other.counts))

    def __mul__(self, times):
        return Calls(**{kind: count * times for kind, count in self.counts.items()})

    @staticmethod
    def searches(jobs):
        """For a scan of so many jobs."""
        searches = jobs // SEARCH_JOBS_MIN
        failing, left, rest = min(searches, POOR_SEARCHES), searches - POOR_SEARCHES - FIRST_REST, FIRST_REST
        while left > 0:
            rest *= 2
            failing, left = failing + 1, left - 1 - rest
        return Calls(searches=searches, failing=failing)


class Step:
    """A statement, and its expected outcome.

    expect: "rows" of the judge, "some" as many as the judge says, "nothing" but success, "cancelled" by its timeout
    or the rows; "fetch", rows of a cursor.
    """

    def __init__(self, sql, expect="nothing", judge=None, calls=Calls(), serial=False, **more):
        self.sql, self.expect, self.judge, self.calls, self.serial = sql, expect, judge, calls, serial
        self.timeout_ms, self.in_savepoint = None, False
        self.cursor, self.count = more.get("cursor"), more.get("count")


class Schedule:
    """Everything that is drawn from a seed."""

    def __init__(self, world, seed):
        self.world, self.seed = world, seed
        self.random = random.Random("schedule %d" % seed)
        # what a Search that fails costs, and one that is only slow; how many of them are so
        self.failing_s = self.slow_s = 0
        self.failing_share, self.failing_most = 1, 0
        self.altered = False
        self.draw_service()
        self.draw_servers()
        self.draw_faults()
        self.draw_search()
        self.draw_session()
        self.cursors = 0
        self.prepared = 0
        self.steps = []
        for _ in range(1 if self.short else self.random.randrange(2, 6)):
            self.steps += self.statement_cursors() if self.short else self.draw_statement()

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability):
        return self.random.random() < probability

    # -- the service

    def latency(self, most):
        """Milliseconds, mostly few."""
        if self.chance(0.3):
            return 0
        return self.random.randrange(1, 31) if self.chance(0.85) else self.random.randrange(31, most + 1)

    def draw_service(self):
        # an instance's metadata have a second to answer, and a container two
        latency = {operation: self.latency(400) for operation in API}
        latency.update({name: self.latency(400) for name in ("AssumeRole", "AssumeRoleWithWebIdentity",
                                                             "ContainerCredentials", "SsoCredentials", "GetCallerIdentity")})
        latency.update({name: self.latency(100) for name in ("MetadataToken", "MetadataRole", "MetadataCredentials")})
        # keys that expire while a cursor is open, and whose source takes longer than the service
        self.short = self.chance(0.15)
        if self.short:
            latency.update({name: self.random.randrange(1, 31) for name in API})
            latency.update({name: self.random.randrange(50, 200) for name in ("AssumeRole", "AssumeRoleWithWebIdentity",
                                                                              "ContainerCredentials", "SsoCredentials")})
        self.program_ms = self.latency(300)
        self.config = {"latency_ms": latency, "jitter_ms": self.pick(0, 0, 5, 20), "jitter_seed": self.seed, "rate_limit": 0,
                       "session_seconds": {
                           name: 2 if self.short else self.pick(2, 3, 4, 8, 20, 3600) if self.chance(0.5) else 3600 for name in ISSUERS}}
        if self.chance(0.12):
            self.config["rate_limit"] = self.pick(20, 50, 100, 200)

    def latency_s(self, operations):
        return sum(self.config["latency_ms"][name] + self.config["jitter_ms"] for name in operations) / 1000

    # -- servers, mappings, tables

    def draw_servers(self):
        self.narrow = self.chance(0.08)
        self.servers, self.tables = [], []
        taken = []
        for number in range(self.pick(1, 1, 2) if self.short else self.pick(1, 1, 2, 2, 3, 4)):
            source = self.random.choice([name for name in SOURCES if SOURCES[name][0] or not self.short])
            place = self.random.choice([self.world.places[pair] for pair in PLACES if pair[0] in SOURCES[source][1]])
            if not place.names and self.chance(0.7):
                place = self.world.places[HOME, "eu-west-1"]
            # libcurl's timer for a connect that is long over would wake whoever sleeps
            options = {"connect_timeout": 600, "max_attempts": MAX_ATTEMPTS, "region": place.region, "read_timeout": self.pick(1.5, 2, 60),
                       "max_concurrency": self.pick(1, 2, 4, 16, 16, 16, 32, 64), "retry_mode": self.pick("adaptive", "adaptive", "standard"),
                       "scan_api": self.pick("describe", "describe", "describe", "search", "auto", "auto"),
                       "fetch_size": self.pick(1, 4, 10, 50, 100, 100), "max_calls_per_second": 0}
            if self.chance(0.1):
                options["max_calls_per_second"] = self.pick(20, 60, 200)
            if self.config["rate_limit"]:
                options["retry_mode"] = "adaptive"
            if self.chance(0.1):
                options["async_capable"] = "false"
            options.update({"endpoint_url": TLS_URL, "ca_bundle": CA} if self.chance(0.1) else {"endpoint_url": URL})
            server = {"name": "s%d" % number, "source": source, "place": place, "options": options,
                      "plain": self.pick("static", "role")}
            self.servers.append(server)
            self.tables.append(Table("<t%d>" % number, "f.t%d" % number, [server]))
            if place not in [one["place"] for one in taken]:
                taken.append(server)
        self.partitions = taken if len(taken) > 1 or self.chance(0.3) else []
        self.parent = Table("<p>", "f.p", self.partitions) if self.partitions else None
        self.chain_s = sum(self.latency_s(SOURCES[one["source"]][0]) + 0.05 + (one["source"] == "a program") * (0.1 + self.program_ms / 1000)
                           for one in self.servers)
        # what else is asked for before the first call: the account, and the role of who is no superuser
        self.first_s = len(self.servers) * self.latency_s(["GetCallerIdentity"]) + sum(
            self.latency_s(["AssumeRole"]) for one in self.servers if one["plain"] == "role")
        lives = [self.config["session_seconds"][name] for one in self.servers
                 for name in SOURCES[one["source"]][0] if name in ISSUERS]
        self.life_s = min(lives, default=3600)
        # keys must outlive what it takes to get them
        if self.life_s < 4 * self.chain_s:
            self.life_s = 3600
            self.config["session_seconds"] = 3600
        # how many calls are to be made about as many in so many seconds
        self.width = min([one["options"]["max_concurrency"] for one in self.servers])
        self.rate = min([rate for one in self.servers for rate in (one["options"]["max_calls_per_second"], self.config["rate_limit"]) if rate],
                        default=0)

    def mapping(self, server, role, cluster):
        """A user mapping's options."""
        account = server["place"].account
        keys = "aws_access_key_id '%s', aws_secret_access_key '%s'" % STATIC[account]
        assume = "role_arn '%s'" % (ROLE % account)
        if role == "plain":
            return keys if server["plain"] == "static" else "%s, %s" % (keys, assume)
        ambient = "allow_ambient_credentials 'true', "
        return {
            "static keys": keys,
            "temporary keys": "aws_access_key_id '%s', aws_secret_access_key '%s', aws_session_token '%s'" % TEMPORARY,
            "a role with keys": "%s, %s" % (keys, assume),
            "a profile's role": ambient + "profile 'role-%s'" % account,
            "a web identity": ambient + "%s, web_identity_token_file '%s/token'" % (assume, cluster.directory),
            "the container": ambient + "credential_source 'EcsContainer'",
            "the instance": ambient + "credential_source 'Ec2InstanceMetadata'",
            "a role with the container": ambient + "%s, credential_source 'EcsContainer'" % assume,
            "a role with the instance": ambient + "%s, credential_source 'Ec2InstanceMetadata'" % assume,
            "a profile's role with the container": ambient + "profile 'container-%s'" % account,
            "a program": ambient + "profile 'program'",
            "the portal": ambient + "profile 'portal-%s'" % account,
        }[server["source"]]

    def definitions(self, cluster):
        """Statements that make servers, mappings and tables in schema f."""
        statements = ["CREATE SCHEMA f"]
        for number, server in enumerate(self.servers):
            statements.append("CREATE SERVER %s FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (%s)" % (
                server["name"], ", ".join("%s '%s'" % pair for pair in server["options"].items())))
            for role in ("postgres", "plain"):
                statements.append("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (%s)" % (
                    role, server["name"], self.mapping(server, role, cluster)))
            statements.append("CREATE FOREIGN TABLE f.t%d (%s) SERVER %s" % (number, COLUMNS, server["name"]))
        if self.partitions:
            statements.append("CREATE TABLE f.p (%s) PARTITION BY LIST (account_id)" % COLUMNS)
            for account in sorted({server["place"].account for server in self.partitions}):
                statements.append("CREATE TABLE f.p_%s PARTITION OF f.p FOR VALUES IN ('%s') PARTITION BY LIST (region)" % (account, account))
            for number, server in enumerate(self.partitions):
                statements.append("CREATE FOREIGN TABLE f.p%d PARTITION OF f.p_%s FOR VALUES IN ('%s') SERVER %s" % (
                    number, server["place"].account, server["place"].region, server["name"]))
        statements.append("GRANT USAGE ON SCHEMA f TO plain; GRANT SELECT ON ALL TABLES IN SCHEMA f TO plain")
        return statements

    # -- faults

    def draw_faults(self):
        """Faults that a statement survives, and the seconds that they may cost."""
        self.faults, self.fault_s, self.fault_share, self.throttle_share = [], 0, 0, 0
        if self.chance(0.3):
            self.expire()
        if self.chance(0.35):
            for _ in range(self.pick(1, 1, 2, 3)):
                self.draw_fault()

    def expire(self):
        """Keys expire at a call during a scan; the second time when the calls of the first have ended."""
        skip = self.random.randrange(60)
        for number in range(self.pick(1, 1, 2)):
            self.faults.append({"kind": "expire", "operation": self.pick("DescribeTrainingJob", "ListTrainingJobs", "*"),
                                "skip": skip + 300 * number})
            self.fault_s += 2 * self.chain_s + 1

    def draw_fault(self):
        kind = self.pick("500", "500", "503", "throttle", "throttles", "reset_before", "reset_during", "reset_after", "truncate",
                         "wrong_length", "close_before", "close_after", "closes", "chunked", "no_length", "continue_first",
                         "chunked_garbage", "hang", "delay", "flaky", "credentials", "kept")
        fault = {"kind": kind, "operation": self.pick("*", *API), "skip": self.random.randrange(40), "times": 1}
        if fault["operation"] == "*":
            # each source is asked again a few times, but not all as often as the service
            fault["operation"] = self.pick("DescribeTrainingJob", "ListTrainingJobs")
        if kind in ("500", "503"):
            fault.update(kind="error", status=int(kind), code="InternalFailure", times=self.pick(1, 1, 2))
        elif kind == "throttle":
            fault.update(kind="error", code="ThrottlingException", times=self.pick(1, 1, 2, 5), skip=self.pick(0, 1, fault["skip"]))
        elif kind == "throttles":
            self.throttle_share = self.pick(0.01, 0.02, 0.05, 0.15)
            fault.update(kind="error", code="ThrottlingException", times=0, probability=self.throttle_share, seed=self.seed, operation="DescribeTrainingJob")
        elif kind == "flaky":
            self.fault_share = 0.03
            fault.update(kind=self.pick("error", "reset_before", "truncate"), status=500, code="InternalFailure", times=0,
                         probability=self.fault_share, seed=self.seed)
        elif kind in ("closes", "kept", "chunked", "no_length", "continue_first"):
            # a program's client is a simple one
            simple = any(one["source"] == "a program" for one in self.servers)
            fault.update(kind={"closes": "close_after", "kept": "reset_after"}.get(kind, kind), times=0, skip=0,
                         operation=self.pick(*API) if simple else "*")
            if kind == "kept":
                fault.update(delay_ms=2, operation=self.pick(*API))
        elif kind == "delay":
            fault.update(delay_ms=self.random.randrange(50, 400), times=self.pick(1, 3))
        elif kind == "credentials":
            # a program does not ask again
            operation = self.pick("AssumeRole", "AssumeRole" if any(one["source"] == "a program" for one in self.servers)
                                  else "ContainerCredentials", "AssumeRoleWithWebIdentity")
            fault.update(kind=self.pick("error", "reset_before"), status=500, code="InternalFailure", operation=operation, skip=0)
        elif kind == "hang":
            reads = min(one["options"]["read_timeout"] for one in self.servers)
            if max(one["options"]["read_timeout"] for one in self.servers) > 2:
                for server in self.servers:
                    server["options"]["read_timeout"] = min(2, reads)
        self.faults.append(fault)
        if fault["times"]:
            self.fault_s += fault["times"] * 4
        if kind == "credentials":
            self.fault_s += 4

    def draw_search(self):
        """Faults of Search that 'auto' can do without: it lags, is wrong, is late, or fails permanently."""
        self.config.update({"search_records": [], "search_order": None, "search_unasked": 0, "search_page": 100, "search_in": True,
                            "search_late_s": 0})
        if any(one["options"]["scan_api"] == "search" for one in self.servers) or self.chance(0.3):
            return
        if not any(one["options"]["scan_api"] == "auto" for one in self.servers):
            return
        if self.chance(0.6):
            self.config["search_records"] = [
                {**rule, "every": self.pick(1, 2, 5, 20), "probability": self.pick(1, 0.5), "seed": self.seed + number}
                for number, rule in enumerate(self.random.sample(LIES, self.random.randrange(1, 4)))]
        self.config.update({"search_order": self.pick(None, None, "reversed", "shuffled"), "search_unasked": self.pick(0, 0, 3, 100),
                            "search_page": self.pick(100, 100, 40), "search_in": self.chance(0.9)})
        if self.chance(0.5):
            return
        fault = self.pick(
            {"kind": "error", "status": 500, "code": "InternalFailure"}, {"kind": "error", "code": "ThrottlingException"},
            {"kind": "error", "code": "AccessDeniedException"}, {"kind": "error", "code": "ValidationException"}, {"kind": "close_before"},
            {"kind": "reset_during"}, {"kind": "truncate"}, {"kind": "drip"}, {"kind": "delay", "delay_ms": self.pick(300, 4900, 5100, 8000)},
            {"kind": "hang"}, {"kind": "body", "body": self.pick("", "<html>", "{}", '{"Results": 7}', '{"Results": [7, {}]}')})
        fault = {**fault, "operation": "Search", "times": self.pick(0, 0, 1, 3), "skip": self.pick(0, 0, 1, 2), "seed": self.seed,
                 "probability": self.pick(1, 1, 0.3)}
        self.faults.append(fault)
        slow = fault.get("delay_ms", 0) / 1000
        if 0 < slow < PATIENCE_S:
            self.slow_s = slow
        else:
            # one that is throttled waits for its turn, later ones do so before they are sent
            waits = fault["kind"] in ("hang", "delay", "drip") or fault.get("code") == "ThrottlingException"
            self.failing_s = PATIENCE_S if waits else 1
        self.failing_share, self.failing_most = fault["probability"], fault["times"]

    # -- the session

    def draw_session(self):
        self.settings = {"sagemaker_fdw.progress_interval": "0", "sagemaker_fdw.analyze_jobs": str(ANALYZE_JOBS)}
        self.settings["sagemaker_fdw.max_session_connections"] = self.pick("64", "64", "64", "64", "16", "4", "2", "1")
        for name in ("enable_hashjoin", "enable_mergejoin", "enable_memoize", "enable_async_append", "enable_material", "enable_hashagg"):
            if self.chance(0.2):
                self.settings[name] = "off"
        if self.chance(0.2):
            self.settings["plan_cache_mode"] = self.pick("force_generic_plan", "force_custom_plan")
        if self.chance(0.1):
            self.settings["work_mem"] = "64kB"
        self.width = min(self.width, int(self.settings["sagemaker_fdw.max_session_connections"]))
        if self.narrow:
            self.width = min(self.width, 4)
        # about how many calls a statement is to make: what takes a tenth of a second, and now and then two
        seconds = 2 if self.chance(0.04) else self.pick(0.05, 0.1, 0.2)
        self.budget = int(max(2, min(300, seconds / (max(self.latency_s([name]) for name in API) / self.width + CALL_S / 2),
                                     seconds * self.rate if self.rate else 300)))

    def bound_s(self, step):
        """Seconds that a step cannot exceed, from the calls that it may make."""
        calls = step.calls
        width = 1 if step.serial else self.width
        page_s, job_s, tags_s, search_s = [self.latency_s([name]) for name in (
            "ListTrainingJobs", "DescribeTrainingJob", "ListTags", "Search")]
        if any(one["options"]["scan_api"] == "search" for one in self.servers):
            page_s = max(page_s, search_s)
        fetched, total = calls["jobs"] + calls["tags"], sum(calls[kind] for kind in ("pages", "jobs", "tags", "searches"))
        seconds = calls["pages"] * page_s + (calls["jobs"] * job_s + calls["tags"] * tags_s) / width
        # as few at once as there are in the beginning
        seconds += calls["scans"] * (job_s + tags_s) * min(width - 1, 3)
        seconds += total * CALL_S
        if self.rate:
            seconds += total / self.rate
        seconds += fetched * (self.throttle_share + self.fault_share) / width

        # Search
        searches = calls["searches"]
        seconds += searches * search_s
        if self.slow_s:
            slow = searches * self.failing_share
            seconds += self.slow_s * (min(slow, self.failing_most) if self.failing_most else slow)
        if self.failing_s:
            # where some succeed in between, it is not left alone
            failing = min(searches, calls["failing"] + (searches * self.failing_share if self.failing_share < 1 else 0))
            seconds += self.failing_s * (min(failing, self.failing_most) if self.failing_most else failing)

        # faults, and credentials, as often as they expire meanwhile
        seconds += self.fault_s + self.chain_s + self.first_s
        seconds *= 1 + self.chain_s / max(0.5, self.life_s - self.chain_s)
        return (seconds + SPARE_S) * SLOWNESS

    # -- statements

    def table(self, several=0.25):
        if self.parent and self.chance(several):
            return self.parent
        return self.random.choice(self.tables)

    def size(self, share=1):
        """How many jobs a scan reads."""
        return max(1, int(self.random.random() * self.budget * share) + 1)

    def newest(self, table, alias, count):
        """A condition for the newest jobs."""
        if not table.times:
            return "true"
        oldest = table.times[min(count, len(table.times)) - 1]
        return "%s.creation_time >= timestamptz '%s'" % (alias, oldest)

    def within(self, table, count):
        """How many jobs are at least as new as the condition says."""
        if not table.times:
            return 0
        oldest = table.times[min(count, len(table.times)) - 1]
        return len(table.times) - bisect.bisect_left(table.times[::-1], oldest)

    def pages(self, table, jobs):
        """The pages of a table, or of each of its parts, that hold so many jobs in all, and a few of the same second."""
        size = min(table.fetch_size, *FETCH_SIZES) if self.altered else table.fetch_size
        return jobs // size + len(table.places) * (3 + 5 // size)

    def scan_calls(self, table, count, tags=False):
        return self.whole_calls(table, self.within(table, count), tags)

    def whole_calls(self, table, jobs=None, tags=False):
        """For a scan of so many jobs, or of all."""
        jobs = len(table.names) if jobs is None else jobs
        calls = Calls(pages=self.pages(table, jobs), jobs=jobs, tags=jobs if tags else 0, scans=len(table.places))
        return calls + Calls.searches(jobs) if table.proves else calls

    @staticmethod
    def lookup_calls(table, names, tags=False):
        """For so many names that are looked up, each wherever it may be."""
        jobs = names * len(table.places)
        return Calls(jobs=jobs, tags=jobs if tags else 0, scans=len(table.places))

    def columns(self, alias, choices, least=0):
        return ", ".join(["%s.training_job_name" % alias] +
                         [name % alias for name in self.random.sample(choices, self.random.randrange(least, 3))])

    def some_names(self, table, most):
        names = [self.random.choice(table.names) if table.names and self.chance(0.9) else "no-such-job"
                 for _ in range(self.random.randrange(1, most + 1))]
        return sorted(set(names))

    def query(self, text, tables, calls, serial=False, expect="rows"):
        """A step for a query that names tables by their placeholders."""
        foreign = local = text
        for table in tables:
            foreign = foreign.replace(table.token, table.foreign)
            local = local.replace(table.token, table.local)
        return Step(foreign, expect, local, calls, serial)

    def draw_query(self):
        return getattr(self, "query_" + self.pick("listed", "described", "described", "described", "tags", "name", "name", "values", "joined",
                                                  "scalar", "compared", "compared", "early", "early", "exists", "not_exists", "limit", "lateral", "union",
                                                  "merged", "pruned", "counted"))()

    def query_listed(self):
        table, count = self.table(), 3 * self.size()
        return self.query("SELECT %s FROM %s AS o WHERE %s" % (self.columns("o", LISTED), table.token, self.newest(table, "o", count)),
                          [table], self.scan_calls(table, count))

    def query_described(self):
        table, count = self.table(), self.size()
        more = self.pick("", "", " AND o.role_arn LIKE '%a%'", " AND o.training_job_status <> 'Failed'", " AND o.instance_type = 'ml.m5.xlarge'")
        return self.query("SELECT %s FROM %s AS o WHERE %s%s" % (self.columns("o", DESCRIBED + LISTED, 1), table.token,
                                                                 self.newest(table, "o", count), more),
                          [table], self.scan_calls(table, count))

    def query_tags(self):
        table, count = self.table(), self.size(0.5)
        where = self.pick(self.newest(table, "o", count), "o.training_job_name = ANY (ARRAY[%s])" % ", ".join(
            quoted(name) for name in self.some_names(table, 4)))
        return self.query("SELECT %s, o.tags->>'team' FROM %s AS o WHERE %s" % (self.columns("o", DESCRIBED + LISTED), table.token, where),
                          [table], self.scan_calls(table, max(count, 4), True), True)

    def query_name(self):
        table = self.table()
        names = self.some_names(table, 6)
        lists = ", ".join(quoted(name) for name in names)
        where = self.pick("= %s" % quoted(names[0]), "IN (%s)" % lists, "= ANY (ARRAY[%s])" % lists)
        return self.query("SELECT %s FROM %s AS o WHERE o.training_job_name %s" % (
            self.columns("o", DESCRIBED + LISTED), table.token, where), [table], self.lookup_calls(table, 6) + Calls(pages=8), True)

    def query_values(self):
        table = self.table()
        names = self.some_names(table, 8)
        return self.query("SELECT v.n, %s FROM (VALUES %s) AS v(n) %s JOIN %s AS o ON o.training_job_name = v.n" % (
            self.columns("o", DESCRIBED + LISTED), ", ".join("(%s)" % quoted(name) for name in names), self.pick("", "LEFT"), table.token),
            [table], self.whole_calls(table) + self.lookup_calls(table, 8))

    def query_joined(self):
        one, two = self.table(), self.table()
        count, other = self.size(0.2), self.size(0.5)
        return self.query("SELECT o.training_job_name, %s FROM %s AS o JOIN %s AS i ON i.training_job_name = o.training_job_name "
                          "WHERE %s%s" % (self.columns("i", DESCRIBED + LISTED), one.token, two.token, self.newest(one, "o", count),
                                          " AND " + self.newest(two, "i", other)),
                          [one, two], self.scan_calls(one, count) + self.scan_calls(two, other) +
                          self.lookup_calls(two, self.within(one, count)) + self.lookup_calls(one, self.within(two, other)), True)

    def correlated(self, values):
        """(a scalar sub-select for a row of o, its table, calls for a row)."""
        inner = self.table()
        count = self.random.randrange(1, 5)
        value = self.pick(*values)
        by = self.pick("name", "newer", "status", "role")
        if by == "name":
            return ("(SELECT %s FROM %s AS i WHERE i.training_job_name = o.training_job_name)" % (value, inner.token),
                    inner, self.lookup_calls(inner, 1))
        condition = {"newer": "i.creation_time > o.creation_time", "status": "i.training_job_status = o.training_job_status",
                     "role": "i.role_arn = o.role_arn"}[by]
        return ("(SELECT %s FROM %s AS i WHERE %s AND %s)" % (value, inner.token, self.newest(inner, "i", count), condition),
                inner, self.scan_calls(inner, count))

    def query_scalar(self):
        table, count = self.table(0.1), self.random.randrange(1, 7)
        scalar, inner, calls = self.correlated(["count(*)", "max(i.training_job_name)", "min(i.role_arn)"])
        return self.query("SELECT %s, %s FROM %s AS o WHERE %s" % (self.columns("o", DESCRIBED + LISTED), scalar, table.token,
                                                                   self.newest(table, "o", count)),
                          [table, inner], self.scan_calls(table, count) + calls * self.within(table, count), True)

    def query_compared(self):
        """Some rows pass: values of the list are compared with a sub-select."""
        table, count = self.table(0.1), self.random.randrange(1, 16)
        values, conditions = self.pick(
            (["max(i.role_arn)"], ["%s LIKE '%%-search'", "%s LIKE '%%-ads'", "%s LIKE '%%-fraud'"]),
            (["min(i.training_job_name)", "max(i.training_job_name)"], ["o.training_job_name >= %s", "o.training_job_name < %s"]),
            (["min(i.creation_time)", "max(i.creation_time)"], ["o.creation_time > %s", "o.creation_time <= %s"]),
            (["count(*)", "max(i.billable_time_in_seconds)"], ["o.training_job_status = 'Completed' AND %s > 0", "%s > 5000"]),
            # what is known of the described job alone
            (["min(i.role_arn)", "max(i.role_arn)"], ["o.role_arn = %s", "o.role_arn > %s", "o.role_arn <> %s"]),
            (["min(i.instance_type)", "max(i.instance_type)"], ["o.instance_type >= %s", "o.instance_type < %s"]),
            (["avg(i.billable_time_in_seconds)"], ["o.billable_time_in_seconds > %s", "o.billable_time_in_seconds <= %s"]))
        scalar, inner, calls = self.correlated(values)
        condition = self.random.choice(conditions) % scalar
        # the tags come last, and only for those that pass
        tags = self.pick("", ", o.tags->>'team'")
        return self.query("SELECT %s%s FROM %s AS o WHERE %s AND %s" % (
            self.columns("o", DESCRIBED, self.pick(0, 1, 1)), tags, table.token, self.newest(table, "o", count), condition),
            [table, inner], self.scan_calls(table, count, bool(tags)) + calls * self.within(table, count), True)

    def query_early(self):
        """Few rows pass: values of the described job are compared with a sub-select, before its tags are requested."""
        table, inner, count = self.table(0.1), self.table(), self.random.randrange(4, 16)
        return self.query("SELECT %s, o.tags->>'team' FROM %s AS o WHERE %s AND o.role_arn || (SELECT coalesce(max(i.role_arn), '-none') "
                          "FROM %s AS i WHERE i.training_job_name = o.training_job_name) LIKE '%%-%s'" % (
                              self.columns("o", DESCRIBED), table.token, self.newest(table, "o", count), inner.token,
                              self.pick("search", "ads", "fraud", "vision", "none")),
                          [table, inner], self.scan_calls(table, count, True) + self.lookup_calls(inner, self.within(table, count)), True)

    def query_exists(self, negation=""):
        table, inner, count, other = self.table(0.1), self.table(), self.size(0.1), self.size(0.2)
        condition = self.pick("i.training_job_name = o.training_job_name", "i.role_arn = o.role_arn AND i.creation_time > o.creation_time")
        rows = self.within(table, count)
        return self.query("SELECT %s FROM %s AS o WHERE %s AND %sEXISTS (SELECT 1 FROM %s AS i WHERE %s AND %s)" % (
            self.columns("o", DESCRIBED + LISTED), table.token, self.newest(table, "o", count), negation, inner.token,
            self.newest(inner, "i", other), condition),
            [table, inner], self.scan_calls(table, count) + self.scan_calls(inner, other) * (rows + 1), True)

    def query_not_exists(self):
        return self.query_exists("NOT ")

    def query_limit(self):
        table, count = self.table(), self.size()
        return self.query("SELECT %s FROM %s AS o WHERE %s LIMIT %d" % (
            self.columns("o", DESCRIBED + LISTED, 1), table.token, self.newest(table, "o", count), self.random.randrange(0, 12)),
            [table], self.scan_calls(table, count), expect="some")

    def query_lateral(self):
        table, inner = self.table(0.1), self.table()
        count, other = self.random.randrange(1, 5), self.random.randrange(1, 5)
        return self.query("SELECT o.training_job_name, l.* FROM %s AS o CROSS JOIN LATERAL (SELECT %s FROM %s AS i WHERE %s AND "
                          "i.creation_time <= o.creation_time OFFSET 0) AS l WHERE %s" % (
                              table.token, self.columns("i", DESCRIBED + LISTED), inner.token, self.newest(inner, "i", other),
                              self.newest(table, "o", count)),
                          [table, inner], self.scan_calls(table, count) + self.scan_calls(inner, other) * self.within(table, count), True)

    def query_union(self):
        tables = [self.table(0.1) for _ in range(self.random.randrange(2, 5))]
        counts = [self.size(0.5) for _ in tables]
        return self.query(" UNION ALL ".join("SELECT o.training_job_name, o.role_arn FROM %s AS o WHERE %s" % (
            table.token, self.newest(table, "o", count)) for table, count in zip(tables, counts)),
            tables, sum((self.scan_calls(table, count) for table, count in zip(tables, counts)), Calls()))

    def query_merged(self):
        """The newest jobs of several tables: of two that are equally new, either may be returned."""
        table = self.parent or self.table()
        count = self.random.randrange(1, 9)
        more = self.pick("", "", " WHERE o.account_id = (SELECT '%s'::text)" % self.pick(HOME, OTHER, "210987654321"))
        return self.query("SELECT o.creation_time, %s FROM %s AS o%s ORDER BY o.creation_time DESC LIMIT %d" % (
            self.pick("o.role_arn IS NOT NULL", "true"), table.token, more, count), [table], self.whole_calls(table))

    def query_pruned(self):
        table, count = self.parent or self.table(), self.size()
        where = self.pick("o.account_id = '%s'" % self.pick(HOME, OTHER), "o.account_id = (SELECT '%s'::text)" % self.pick(HOME, OTHER),
                          "o.region = '%s'" % self.pick("eu-west-1", "us-east-1", "nowhere"), "o.region = (SELECT '%s'::text)" % self.pick("us-east-1", "nowhere"),
                          "false", "o.creation_time < '-infinity'")
        return self.query("SELECT %s FROM %s AS o WHERE %s AND %s" % (self.columns("o", DESCRIBED + LISTED), table.token, where,
                                                                      self.newest(table, "o", count)),
                          [table], self.scan_calls(table, count))

    def query_counted(self):
        table, count = self.table(0.6), self.size()
        return self.query("SELECT count(*), count(DISTINCT training_job_name), %s FROM %s AS o WHERE %s" % (
            self.pick("count(o.role_arn)", "max(o.training_job_status::text)", "count(o.instance_type)"), table.token,
            self.newest(table, "o", count)), [table], self.scan_calls(table, count))

    # -- other statements

    def draw_statement(self):
        kind = self.pick("query", "query", "block", "block", "block", "block", "block", "cursors", "cursors", "cursors", "cancelled",
                         "cancelled", "analyze", "explain", "function", "role", "prepared", "disconnect", "alter", "savepoint", "pause")
        return getattr(self, "statement_" + kind)()

    def statement_query(self):
        return [self.draw_query()]

    def statement_block(self):
        return [Step("BEGIN"), self.draw_query(), Step("COMMIT")]

    def cancelled(self):
        """A query that is cancelled, if it takes long enough."""
        step = self.draw_query()
        if step.expect == "rows":
            step.expect = "cancelled"
            step.timeout_ms = self.pick(1, 2, 5, 10, 20, 50, 100)
        return step

    def statement_cancelled(self):
        return [self.cancelled() for _ in range(self.pick(1, 1, 3))] + [self.draw_query()]

    def statement_analyze(self):
        table = self.random.choice(self.tables)
        calls = self.whole_calls(table, ANALYZE_JOBS, True) + Calls(pages=self.pages(table, len(table.names)))
        return [Step("ANALYZE %s" % table.foreign, calls=calls), self.draw_query()]

    def statement_explain(self):
        step = self.draw_query()
        return [Step("EXPLAIN (ANALYZE%s) %s" % (self.pick("", ", VERBOSE", ", FORMAT JSON"), step.sql), calls=step.calls, serial=step.serial)]

    def statement_function(self):
        server = self.random.choice(self.servers)
        names = server["place"].names
        return self.pick(
            lambda: [Step("SELECT sagemaker_describe_training_job('%s', %s)->>'TrainingJobName'" % (server["name"], quoted(name)),
                          "rows", "SELECT %s" % quoted(name), Calls(jobs=1)) for name in [self.random.choice(names)]] if names else [],
            # its one Search is tried four times, with longer and longer pauses
            lambda: [Step("SELECT count(*) > 3 FROM sagemaker_fdw_check_server('%s')" % server["name"], "rows", "SELECT true",
                          Calls(pages=5, jobs=5, tags=5, searches=4, failing=4), True)],
            lambda: [Step("SELECT sagemaker_fdw_account_id('%s')" % server["name"], "rows", "SELECT %s" % quoted(server["place"].account))])()

    def statement_role(self):
        return [Step("SET ROLE plain")] + [self.draw_query() for _ in range(self.pick(1, 2))] + [Step("RESET ROLE"), self.draw_query()]

    def statement_prepared(self):
        table, count = self.table(), self.size(0.4)
        self.prepared += 1
        text = "SELECT %s FROM %s AS o WHERE o.creation_time >= $1 AND o.account_id = $2" % (self.columns("o", DESCRIBED + LISTED, 1), table.token)
        step = self.query(text, [table], self.scan_calls(table, count))
        steps = [Step("PREPARE q%d(timestamptz, text) AS %s" % (self.prepared, step.sql))]
        for _ in range(self.pick(1, 2, 3)):
            since = table.times[min(count, len(table.times)) - 1] if table.times else "2020-01-01"
            account = self.pick(*[place.account for place in table.places])
            steps.append(Step("EXECUTE q%d('%s', '%s')" % (self.prepared, since, account), "rows",
                              step.judge.replace("$1", quoted(since)).replace("$2", quoted(account)), step.calls))
        return steps

    def statement_disconnect(self):
        return [Step("SELECT sagemaker_fdw_disconnect()"), self.draw_query()]

    def alter(self):
        self.altered = True
        return Step("ALTER SERVER %s OPTIONS (SET %s)" % (self.random.choice(self.servers)["name"], self.pick(
            *["fetch_size '%d'" % size for size in FETCH_SIZES], "max_attempts '9'", "max_concurrency '64'")))

    def statement_alter(self):
        return [self.alter(), self.draw_query()]

    def statement_pause(self):
        """Long enough for short-lived keys to expire, where there are any."""
        if self.life_s > 3 or not self.short and self.chance(0.5):
            return []
        return [Step("SELECT pg_sleep(%s)" % self.pick(0.3, 1.1, 2.1))]

    def statement_savepoint(self):
        return [Step("BEGIN")] + self.in_savepoint() + [self.draw_query(), Step("COMMIT")]

    def in_savepoint(self):
        step = self.cancelled()
        step.in_savepoint = True
        return [Step("SAVEPOINT one"), step]

    def statement_cursors(self):
        """Cursors that stay open while other statements run."""
        steps, opened = [Step("BEGIN")], []
        for _ in range(self.pick(1, 1, 2, 3)):
            self.cursors += 1
            name = "c%d" % self.cursors
            query = self.draw_query()
            while query.expect != "rows":
                query = self.draw_query()
            scroll = self.pick("", "", " NO SCROLL")
            steps.append(Step("DECLARE %s%s CURSOR FOR %s" % (name, scroll, query.sql), "declare", query.judge, query.calls, query.serial, cursor=name))
            opened.append((name, query))
        for _ in range(self.random.randrange(2, 7)):
            between = self.pick("fetch", "fetch", "fetch", "fetch", "query", "savepoint", "alter", "disconnect", "pause", "close")
            if between == "pause" or self.short and self.chance(0.3):
                steps += self.statement_pause()
            elif between == "fetch":
                name, query = self.random.choice(opened)
                count = self.pick(1, 2, 5, 20, 1000)
                steps.append(Step("FETCH %d FROM %s" % (count, name), "fetch", None, query.calls, query.serial, cursor=name, count=count))
            elif between == "query":
                steps.append(self.draw_query())
            elif between == "savepoint":
                steps += self.in_savepoint()
            elif between == "alter":
                steps.append(self.alter())
            elif between == "disconnect":
                steps.append(Step("SELECT sagemaker_fdw_disconnect()"))
            elif between == "close" and len(opened) > 1:
                name, _query = opened.pop(self.random.randrange(len(opened)))
                steps.append(Step("CLOSE %s" % name))
        return steps + [Step(self.pick("COMMIT", "COMMIT", "ROLLBACK"))]

    # -- for people

    def describe(self, steps):
        lines = ["endpoint: %s" % json.dumps(self.config)]
        lines += ["fault: %s" % json.dumps(fault) for fault in self.faults]
        lines.append("cluster: %s" % ("max_files_per_process 64" if self.narrow else "the usual one"))
        lines += ["server %s: account %s, credentials of %s%s (of role plain: %s), %s" % (
            one["name"], one["place"].account, one["source"], " after %d ms" % self.program_ms if one["source"] == "a program" else "",
            one["plain"], json.dumps(one["options"])) for one in self.servers]
        if self.partitions:
            lines.append("f.p: %s" % ", ".join("p%d of %s" % (number, one["name"]) for number, one in enumerate(self.partitions)))
        lines.append("settings: %s" % json.dumps(self.settings))
        return lines + ["  %s;   -- %s%.0f s" % (step.sql, "statement_timeout %d ms, " % step.timeout_ms if step.timeout_ms else "",
                                                 self.bound_s(step)) for step in steps]


# -- running one -------------------------------------------------------------------------


class Finding(Exception):
    """A violation."""


class Run:
    """A schedule that runs, in a session of its own."""

    def __init__(self, world, schedule):
        self.world, self.schedule = world, schedule
        self.cursors = {}
        self.done = 0
        # the greatest part of its bound that a statement took, and the statement
        self.nearest = 0, ""

    def run(self):
        """None, or the violation."""
        schedule = self.schedule
        control("clear", b"")
        control("config", {"latency_ms": 0, "jitter_ms": 0, "rate_limit": 0})
        cluster = self.world.cluster(schedule.narrow)
        self.world.write(cluster, "config", CONFIG % (*HISTORY, cluster.directory, schedule.program_ms / 1000, host_and_port(URL)[1]) +
                         "".join(ROLE_PROFILES % {"account": account, "role": ROLE % account} for account in (HOME, OTHER)))
        session = self.session = self.world.session(cluster)
        try:
            session.run("BEGIN; %s; COMMIT" % "; ".join(schedule.definitions(cluster)))
            session.run("; ".join("SET %s = '%s'" % pair for pair in schedule.settings.items()))
            control("config", schedule.config)
            for fault in schedule.faults:
                control("fault", fault)
            for step in schedule.steps:
                self.done += 1
                self.step(step)
            self.check_end(cluster)
        except (Died, Finding) as problem:
            return str(problem)
        finally:
            self.clean(cluster)
        return None

    def clean(self, cluster):
        """Leave nothing behind for the next schedule."""
        control("clear", b"")
        self.session.process.kill()
        self.session.process.wait()
        other = self.world.session(cluster)
        other.run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = %d; DROP SCHEMA f CASCADE; %s" % (
            self.session.pid, "; ".join("DROP SERVER %s CASCADE" % one["name"] for one in self.schedule.servers)))
        other.close()

    def step(self, step):
        session, bound_s = self.session, self.schedule.bound_s(step)
        if step.sql == "BEGIN":
            session.begin_quiet()
            return
        if step.timeout_ms:
            session.run("SET statement_timeout = %d" % step.timeout_ms)
        began = time.monotonic()
        lines, state = session.ask_within(step.sql, bound_s)
        took_s = time.monotonic() - began
        self.nearest = max(self.nearest, (took_s / bound_s, "%.1f s of %.1f s: %s" % (took_s, bound_s, step.sql)))
        if state == "57014" and (step.expect != "cancelled" or took_s > bound_s):
            raise Finding("no end after %.1f s: %s" % (took_s, self.quiet()))
        if step.timeout_ms:
            self.without_timeout(step)
        if state == "57014":
            return
        if state != "00000":
            raise Finding("SQLSTATE %s: %s" % (state, " ".join(lines)))
        if step.expect == "declare":
            self.cursors[step.cursor] = collections.Counter(self.judged(step))
        elif step.expect == "fetch":
            self.fetched(step, lines)
        elif step.expect == "some" and len(lines) != len(self.judged(step)):
            raise Finding("%d rows, not %d" % (len(lines), len(self.judged(step))))
        elif step.expect in ("rows", "cancelled") and sorted(lines) != sorted(self.judged(step)):
            self.differs(lines, self.judged(step))

    def without_timeout(self, step):
        """Reset a short timeout, which may be too short for the reset itself: in a transaction, by rolling back to the savepoint."""
        statement = "ROLLBACK TO one" if step.in_savepoint else "SET statement_timeout = 0"
        for _ in range(1000):
            lines, state = self.session.ask(statement)
            if state == "00000":
                return
        raise Finding("%s fails: %r" % (statement, lines))

    def judged(self, step):
        return self.world.judge.run(step.judge)

    @staticmethod
    def differs(lines, judged):
        more = list((collections.Counter(lines) - collections.Counter(judged)).elements())
        less = list((collections.Counter(judged) - collections.Counter(lines)).elements())
        raise Finding("%d rows, not %d; too many are %r, missing are %r" % (len(lines), len(judged), more[:5], less[:5]))

    def fetched(self, step, lines):
        left = self.cursors[step.cursor]
        wrong = collections.Counter(lines) - left
        if wrong:
            raise Finding("rows that are none: %r" % list(wrong.elements())[:5])
        left.subtract(lines)
        if len(lines) < step.count and sum(left.values()) or len(lines) > step.count:
            raise Finding("%d rows are fetched, and %d are missing: %r" % (len(lines), sum(left.values()), list((+left).elements())[:5]))

    @staticmethod
    def quiet():
        """The endpoint's last requests."""
        seen = json.loads(control("requests"))
        if not seen:
            return "no call was made"
        return "the last call was %s, %.1f s before that; %d in flight since" % (
            seen[-1]["operation"], time.monotonic() - seen[-1]["at_s"], counters()["in_flight"])

    def check_end(self, cluster):
        """Check that the session keeps nothing, and that its connections close when it ends."""
        session = self.session
        # a transaction that a cancel has ended, a role
        session.run("RESET ROLE")
        control("clear", b"")
        kept = session.descriptors(), session.threads()
        if kept[0] > cluster.keeps[0] or kept[1] > cluster.keeps[1]:
            raise Finding("descriptors and threads: %r; any session keeps %r" % (kept, cluster.keeps))
        session.close()
        wait_for(lambda: counters()["connections_open"] == 0, "all connections are closed")


# -- the program ---------------------------------------------------------------------------


def work():
    """A worker: reads seeds from standard input, and writes results as lines of JSON."""
    world = World()
    try:
        world.copy_jobs()
        for line in sys.stdin:
            seed = int(line)
            schedule = Schedule(world, seed)
            run = Run(world, schedule)
            began = time.monotonic()
            found = run.run()
            print(json.dumps({"seed": seed, "found": found, "statements": run.done, "seconds": time.monotonic() - began, "nearest": run.nearest,
                              "schedule": schedule.describe(schedule.steps[:run.done] if found else schedule.steps)}), flush=True)
    finally:
        world.remove()


class Group:
    """Schedules with consecutive seeds, which form one test."""

    def __init__(self, first):
        self.first, self.schedules, self.statements = first, 0, 0
        self.findings = []


class Boss:
    """Hands out seeds to workers, and collects their results."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.lock = threading.Lock()
        self.deadline = time.monotonic() + arguments.seconds if arguments.seconds else None
        self.next = arguments.seed
        self.end = None if self.deadline else arguments.seed + arguments.schedules
        self.size = max(50, (arguments.schedules or 0) // 40)
        self.groups = {}
        self.seconds = 0
        self.nearest = 0, "", 0

    def take(self):
        """A seed, or None when there are enough."""
        with self.lock:
            if self.deadline and time.monotonic() > self.deadline or self.end is not None and self.next >= self.end:
                return None
            self.next += 1
            return self.next - 1

    def employ(self):
        """Run a worker until there are enough."""
        command = [os.path.join(HERE, "..", "with-service"), "-o", "--bulk %d" % BULK_JOBS, "/usr/bin/python3", "-B",
                   os.path.abspath(__file__), "--worker"]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        try:
            while (seed := self.take()) is not None:
                worker.stdin.write("%d\n" % seed)
                worker.stdin.flush()
                line = worker.stdout.readline()
                self.note(json.loads(line) if line else {"seed": seed, "found": "the test's own worker has died", "statements": 0,
                                                         "seconds": 0, "nearest": (0, ""), "schedule": []})
                if not line:
                    break
        finally:
            worker.stdin.close()
            worker.wait()

    def note(self, result):
        with self.lock:
            first = self.arguments.seed + (result["seed"] - self.arguments.seed) // self.size * self.size
            group = self.groups.setdefault(first, Group(first))
            group.schedules += 1
            group.statements += result["statements"]
            self.seconds += result["seconds"]
            self.nearest = max(self.nearest, (*result["nearest"], result["seed"]))
            if result["found"] or self.arguments.verbose:
                text = ["schedule %d, %.1f s: %s" % (result["seed"], result["seconds"], result["found"] or "as it must be"),
                        "again: test/with-service /usr/bin/python3 -B test/t/schedules.py --seed %d --schedules 1" % result["seed"],
                        *result["schedule"]]
                print("# " + "\n# ".join(text), flush=True)
            if result["found"]:
                group.findings.append(result["seed"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=0, help="how many")
    parser.add_argument("--seconds", type=float, default=0, help="or for how long (60, unless --schedules says how many)")
    parser.add_argument("--seed", type=int, default=1, help="the first one's")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at once")
    parser.add_argument("--verbose", action="store_true", help="print each schedule")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work()
        return
    if not arguments.schedules and not arguments.seconds:
        arguments.seconds = 60
    boss, tap = Boss(arguments), Tap()
    began = time.monotonic()
    workers = [threading.Thread(target=boss.employ) for _ in range(min(arguments.jobs, arguments.schedules or arguments.jobs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for first, group in sorted(boss.groups.items()):
        tap.ok(not group.findings, "%d schedules from seed %d on, %d statements: rows, times and what is left behind are right" % (
            group.schedules, first, group.statements), "violations by the seeds %s" % ", ".join(map(str, sorted(group.findings))))
    groups = boss.groups.values()
    total = sum(group.schedules for group in groups)
    tap.ok(total == (arguments.schedules or total) and total > 0, "%d schedules have run" % total)
    tap.note("%d schedules, %d findings, %d statements; %.2f s a schedule, %.0f s in all" % (
        total, sum(len(group.findings) for group in groups), sum(group.statements for group in groups), boss.seconds / max(1, total),
        time.monotonic() - began))
    tap.note("nearest to its bound, at %.0f %%: %s (seed %d)" % (100 * boss.nearest[0], *boss.nearest[1:]))
    tap.end()


if __name__ == "__main__":
    main()
