"""A local SageMaker-compatible endpoint, for the demo, the tests and the benchmark.

One process on 127.0.0.1.  Requests below /_control/ steer it (README.md beside
this file); all others are API calls, whose signatures are checked with botocore.
Responses are written as bytes, so that faults can be anything.

Not accounted for: HTTP/2, requests in chunks, and a request that comes before the
last one's answer is handled only after it.
"""
import argparse
import asyncio
import collections
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import faults
import generate
import identity
import jobs
import operations
import prices
import records
import signature
import store

LOWEST_PORT, HIGHEST_PORT = 20000, 32000
REQUESTS_KEPT = 1000
LARGEST_HEAD = 1 << 20
LARGEST_BODY = 1 << 26
DEFAULT_KEY = "AKIDHISTORY000000001"
DEFAULT_REGION = "us-east-1"
SECOND_REGION = "us-west-2"

# Settings, and what they are at the start.  The first three may be an object of
# operation to number, "*" for all others.
CONFIG = {
    "latency_ms": 0,            # before an answer
    "rate_limit": 0,            # calls a second of an operation, region and account (0: no limit), or [these, at once]
    "session_seconds": 3600,    # how long credentials that it issues last
    "jitter_ms": 0,             # at most so much is added to the latency
    "jitter_seed": None,        # when it is set: what that is drawn from, again from the beginning
    "clock_offset_s": 0,        # the endpoint's clock is that far ahead
    "request_id": None,         # every answer's request id
    "bulk_running": None,       # percent of the bulk jobs that are in progress, while all others have ended for good
    **operations.QUIRKS,
    **prices.QUIRKS,
}


class Account:
    """Keys, who they belong to, and the jobs they lead to."""

    def __init__(self, account_id, secret, make_region, session_token=None, denied=False, expires_s=None):
        self.account_id, self.secret, self.session_token = account_id, secret, session_token
        self.make_region, self.denied, self.expires_s = make_region, denied, expires_s
        self.arn = "arn:aws:iam::%s:user/test" % account_id
        self.regions = {}

    def region(self, name):
        if name not in self.regions:
            self.regions[name] = self.make_region(name)
        return self.regions[name]


def make_accounts(arguments, settings, clock):
    """Access key id to Account, with the jobs as they are at the start."""
    def history(region):
        return store.Region("123456789012", region,
                            jobs.history("123456789012", region, arguments.anchor), clock)

    def generated(region):
        count = arguments.generated if region == DEFAULT_REGION else 0
        return store.Region("210987654321", region,
                            generate.generated(arguments.seed, count, "210987654321", region), clock)

    def bulk(region):
        count = arguments.bulk if region in (DEFAULT_REGION, SECOND_REGION) else 0
        return store.BulkRegion(jobs.Bulk("345678901234", region, count, arguments.anchor, settings), clock)

    def empty(region):
        return store.Region("456789012345", region, [], clock)

    main = Account("123456789012", "secret/of+the/history/account000000000001", history)
    return {
        DEFAULT_KEY: main,
        "ASIDTEMPORARY0000001": Account(
            "123456789012", "secret/of+the/temporary/keys/000000000001", main.region,
            session_token="session-token/of+the/temporary/keys=="),
        "AKIDGENERATED0000001": Account(
            "210987654321", "secret/of+the/generated/account0000000001", generated),
        "AKIDBULK000000000001": Account(
            "345678901234", "secret/of+the/bulk/account00000000000001", bulk),
        "AKIDDENIED0000000001": Account(
            "456789012345", "secret/of+the/denied/account0000000000001", empty, denied=True),
    }


class Service:
    """All that the endpoint knows: accounts, counters, faults, settings."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.connections = 0
        self.in_flight = 0
        self.request_number = 0
        self.date = (0, "")
        self.reset()

    def reset(self):
        self.config = dict(CONFIG)
        self.accounts = make_accounts(self.arguments, self.config, self.now)
        self.faults = []
        self.buckets = {}
        self.requests = collections.deque(maxlen=REQUESTS_KEPT)
        self.calls = collections.Counter()
        self.credential_calls = collections.Counter()
        self.identity = identity.Identity(self)
        self.prices = prices.Prices()
        self.jitter = random.Random()
        self.counters = collections.Counter()
        self.most_in_flight = self.in_flight

    def now(self):
        return time.time() + self.config["clock_offset_s"]

    def http_date(self):
        second = int(self.now())
        if self.date[0] != second:
            self.date = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second)))
        return self.date[1]

    def setting(self, name, operation):
        """A setting that may differ by operation."""
        value = self.config[name]
        return value.get(operation, value.get("*", CONFIG[name])) if isinstance(value, dict) else value

    def delay_s(self, operation):
        jitter_ms = self.config["jitter_ms"]
        return (self.setting("latency_ms", operation) +
                (self.jitter.random() * jitter_ms if jitter_ms else 0)) / 1000

    def allowed(self, account, region, operation):
        """Take a call off the operation's token bucket, which holds a second's calls if not told otherwise."""
        rate = self.setting("rate_limit", operation)
        if not rate:
            return True
        rate, most = rate if isinstance(rate, list) else (rate, max(1, rate))
        now = time.monotonic()
        key = (account.account_id, region, operation)
        tokens, then = self.buckets.get(key, (most, now))
        tokens = min(most, tokens + (now - then) * rate)
        self.buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    def fault_for(self, operation, body):
        """The first fault that strikes the call."""
        for fault in self.faults:
            if fault.strikes(operation, body):
                if fault.spent:
                    self.faults.remove(fault)
                return fault
        return None

    def add_account(self, key_id, secret, session_token, account_id, expires_s=None):
        """More keys of an account; one that there is not yet has no jobs."""
        same = next((account for account in self.accounts.values() if account.account_id == account_id), None)
        self.accounts[key_id] = Account(
            account_id, secret, same.region if same else lambda region: store.Region(account_id, region, [], self.now),
            session_token, bool(same and same.denied), expires_s)

    # -- an API call ---------------------------------------------------------

    def call(self, operation, method, path, headers, body):
        """(status, content type, response body) of a call."""
        try:
            if operation in self.identity.handlers:
                return self.identity.respond(operation, method, path, headers, body)
            return 200, faults.JSON_TYPE, self.respond(operation, method, path, headers, body)
        except (operations.Failure, signature.Refused) as failure:
            status, code, message = failure.status, failure.code, failure.message
        except Exception:
            # a defect of the endpoint: the client gets an answer, the log says why
            traceback.print_exc()
            status, code, message = 500, "InternalFailure", "the local endpoint has failed"
        self.counters["errors"] += 1
        return status, faults.JSON_TYPE, json.dumps({"__type": code, "message": message}).encode()

    def respond(self, operation, method, path, headers, body):
        """The response's body; raises Failure or Refused."""
        of_prices = headers.get("x-amz-target", "").startswith(prices.TARGET)
        name, operations_there, regions = ((prices.SERVICE, prices.OPERATIONS, prices.HOSTS) if of_prices else
                                           (signature.SERVICE, operations.OPERATIONS, None))
        account, region = signature.check(method, path, headers, body, self.accounts, self.now(), name, regions=regions)
        if not self.allowed(account, region, operation):
            self.counters["throttles"] += 1
            raise operations.Failure("ThrottlingException", "Rate exceeded")
        if method != "POST" or path != "/" or operation not in operations_there:
            raise operations.Failure("UnknownOperationException", "Unknown operation", 404)
        if headers["content-type"] != faults.JSON_TYPE:
            raise operations.Failure("SerializationException", "Wrong content type", 415)
        if account.denied:
            action = "%s:%s" % (name, operation)
            resource = ("" if of_prices else
                        " on resource: arn:aws:sagemaker:%s:%s:training-job/*" % (region, account.account_id))
            raise operations.Failure("AccessDeniedException", "User: %s is not authorized to perform: %s%s because "
                                     "no identity-based policy allows the %s action" % (account.arn, action, resource, action))
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise operations.Failure("SerializationException", "The request is not JSON") from None
        if of_prices:
            return self.prices.run(operation, region, parsed, self.config)
        return operations.run(operation, account.region(region), parsed, self.config)

    # -- the control path ----------------------------------------------------

    def control(self, method, path, body):
        """(status, response body) of a control request."""
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        what = "%s %s" % (method, url.path[len("/_control/"):])
        try:
            return 200, self.controls[what](self, query, body)
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            if what not in self.controls:
                return 404, ("no control request %s" % what).encode()
            return 400, repr(problem).encode()

    def chosen_region(self, query):
        """The jobs that a control request, or a fault, is about: by key, or account, and region."""
        key = query.get("key", DEFAULT_KEY)
        if "account" in query:
            key = next((key for key, account in self.accounts.items()
                        if account.account_id == query["account"]), None)
        if key not in self.accounts:
            raise ValueError("no such account")
        return self.accounts[key].region(query.get("region", DEFAULT_REGION))

    def control_counters(self, query, body):
        return json.dumps({"calls": dict(self.calls), "credentials": dict(self.credential_calls), "errors": self.counters["errors"],
                           "throttles": self.counters["throttles"],
                           "connections": self.counters["connections"],
                           "connections_open": self.connections, "in_flight": self.in_flight,
                           "most_in_flight": self.most_in_flight}, sort_keys=True).encode()

    def control_calls(self, query, body):
        report = " ".join("%s=%d" % pair for pair in sorted(self.calls.items()))
        self.calls.clear()
        return (report or "none").encode()

    def control_reset(self, query, body):
        self.reset()
        return b"ok"

    def control_config(self, query, body):
        settings = json.loads(body)
        unknown = sorted(settings.keys() - CONFIG.keys())
        if unknown:
            raise ValueError("no setting %s; there are %s" % (", ".join(unknown), ", ".join(sorted(CONFIG))))
        if "search_records" in settings:
            settings["search_records"] = [records.Rule(spec) for spec in settings["search_records"]]
        prices.check_cut(settings.get("price_cut"))
        self.config.update(settings)
        for account in self.accounts.values():
            for region in account.regions.values():
                region.found.clear()
        if settings.get("jitter_seed") is not None:
            self.jitter.seed(settings["jitter_seed"])
        return b"ok"

    def control_fault(self, query, body):
        self.faults.append(faults.Fault(json.loads(body)))
        return b"ok"

    def control_clear(self, query, body):
        self.faults.clear()
        return b"ok"

    def control_keys(self, query, body):
        wanted = json.loads(body)
        self.add_account(wanted["access_key_id"], wanted["secret_access_key"], wanted.get("session_token"),
                         wanted["account"])
        return b"ok"

    def control_issued(self, query, body):
        return json.dumps(self.identity.issued).encode()

    def control_expire(self, query, body):
        self.identity.expire()
        return b"ok"

    def control_requests(self, query, body):
        return json.dumps(list(self.requests)).encode()

    def control_names(self, query, body):
        return json.dumps(self.chosen_region(query).names()).encode()

    def control_rates(self, query, body):
        return json.dumps(prices.expected_rates(query.get("region", DEFAULT_REGION), self.config["price_cut"])).encode()

    def control_document(self, query, body):
        job = self.chosen_region(query).get(query["name"])
        if job is None:
            raise ValueError("no job %r" % query["name"])
        return job.body

    def control_put(self, query, body):
        tags = query.get("tags")
        self.chosen_region(query).put(query["name"], body, tags and json.loads(tags))
        return b"ok"

    def control_delete(self, query, body):
        self.chosen_region(query).delete(query["name"])
        return b"ok"

    controls = {
        "GET counters": control_counters, "GET calls": control_calls, "GET requests": control_requests,
        "GET names": control_names, "GET document": control_document, "GET rates": control_rates,
        "POST reset": control_reset, "POST config": control_config, "POST fault": control_fault,
        "POST clear": control_clear, "GET issued": control_issued, "POST keys": control_keys,
        "POST expire": control_expire, "POST document": control_put, "POST delete": control_delete,
    }


class BadRequest(Exception):
    """What came is not a request that is understood here."""


class Connection(asyncio.Protocol):
    """One client connection: requests one after another."""

    def __init__(self, service, loop, numbers):
        self.service, self.loop = service, loop
        self.number = next(numbers)
        self.buffer = b""
        self.need = 0
        self.busy = self.calling = self.counted = self.last = False
        self.open = True

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, problem):
        self.open = False
        if self.counted:
            self.service.connections -= 1
        self.call_over()

    def data_received(self, data):
        self.buffer += data
        if not self.busy and len(self.buffer) >= self.need:
            self.next_request()

    # -- what faults use -----------------------------------------------------

    def new_request_id(self):
        if self.service.config["request_id"]:
            return self.service.config["request_id"]
        self.service.request_number += 1
        return "00000000-0000-4000-8000-%012d" % self.service.request_number

    def send(self, data):
        if self.open:
            self.transport.write(data)

    def close(self):
        """Close in order, after what has been sent."""
        self.call_over()
        self.transport.close()

    def reset(self):
        """Close with a TCP reset."""
        if self.open:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.call_over()
            self.transport.abort()

    def finished(self):
        """The response is out: go on with the next request."""
        self.call_over()
        self.busy = False
        if self.last:
            self.transport.close()
        elif self.buffer and self.open:
            self.next_request()

    # -- requests ------------------------------------------------------------

    def call_over(self):
        if self.calling:
            self.calling = False
            self.service.in_flight -= 1

    def next_request(self):
        try:
            request = self.take_request()
        except (BadRequest, ValueError) as problem:
            self.busy = self.last = True
            self.send(faults.response(400, [("Connection", "close")], str(problem).encode()))
            self.transport.close()
            return
        if request is None:
            return
        method, path, headers, body = request
        self.busy = True
        self.last = headers.get("connection", "").lower() == "close"
        if path.startswith("/_control/"):
            status, text = self.service.control(method, path, body)
            self.send(faults.response(status, [("Content-Type", "text/plain")], text))
            self.finished()
        else:
            self.api_request(method, path, headers, body)

    def take_request(self):
        """(method, path, headers, body) off the buffer, or None while it is incomplete."""
        end = self.buffer.find(faults.HEAD_END)
        if end < 0:
            if len(self.buffer) > LARGEST_HEAD:
                raise BadRequest("the head is too large")
            return None
        lines = self.buffer[:end].decode("utf-8", "replace").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest("no HTTP/1 request")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or name.strip() != name or name in headers:
                raise BadRequest("a header that is malformed or repeated: %s" % name)
            headers[name] = value.strip()
        if "transfer-encoding" in headers:
            raise BadRequest("requests in chunks are not understood")
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= LARGEST_BODY:
            raise BadRequest("the body is too large")
        self.need = end + 4 + length
        if len(self.buffer) < self.need:
            if headers.get("expect", "").lower() == "100-continue" and len(self.buffer) == end + 4:
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = self.buffer[end + 4:self.need]
        self.buffer = self.buffer[self.need:]
        self.need = 0
        return words[0], words[1], headers, body

    def api_request(self, method, path, headers, body):
        service = self.service
        if not self.counted:
            self.counted = True
            service.connections += 1
            service.counters["connections"] += 1
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation:
            service.calls[operation] += 1
        else:
            operation = identity.operation_of(method, path, headers, body)
            (service.calls if operation is None else service.credential_calls)[operation or "none"] += 1
            operation = operation or "none"
        service.in_flight += 1
        service.most_in_flight = max(service.most_in_flight, service.in_flight)
        self.calling = True
        service.requests.append({"operation": operation, "method": method, "path": path,
                                 "headers": headers, "body": body.decode("utf-8", "replace"),
                                 "connection": self.number, "at_s": time.monotonic()})

        def answer():
            status, content_type, text = service.call(operation, method, path, headers, body)
            return faults.response(status, faults.standard_headers(self, {"content_type": content_type}), text)

        def respond():
            if self.open:
                self.send(answer())
                self.finished()

        fault = service.fault_for(operation, body) if service.faults else None
        delay_s = service.delay_s(operation)
        if fault is not None:
            fault.act(self, answer)
        elif delay_s > 0:
            self.loop.call_later(delay_s, respond)
        else:
            respond()


# -- starting ----------------------------------------------------------------

def listen(port):
    """A listening socket: on the port, or on a free one below the ephemeral range."""
    for candidate in [port] if port else random.sample(range(LOWEST_PORT, HIGHEST_PORT), 200):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # two that start at once can both bind; only one can listen
            sock.bind(("127.0.0.1", candidate))
            sock.listen(1024)
            return sock
        except OSError:
            sock.close()
            if port:
                raise
    raise OSError("no free port")


def make_certificates(directory):
    """A CA and a certificate for localhost: (context, path of the CA's PEM file)."""
    def openssl(*words):
        done = subprocess.run(["openssl", *words], cwd=directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit("openssl %s: %s" % (words[0], done.stderr.decode("utf-8", "replace")))

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    with open(os.path.join(directory, "extensions"), "w") as file:
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                   "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
                   "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=sagemaker_fdw test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "extensions")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
    return context, os.path.join(directory, "ca.pem")


def stop_at_end_of_input(loop, stop):
    """Stop when whoever holds the other end of standard input is gone."""
    def readable():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()
    try:
        loop.add_reader(0, readable)
    except PermissionError:
        sys.exit("--exit-with-parent needs a pipe or a terminal as standard input")


async def serve(arguments):
    loop = asyncio.get_running_loop()
    service = Service(arguments)
    numbers = iter(range(1, sys.maxsize))
    connection = lambda: Connection(service, loop, numbers)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.exit_with_parent:
        stop_at_end_of_input(loop, stop)
    directory = tempfile.mkdtemp(prefix="sagemaker-endpoint-")
    os.chmod(directory, 0o755)
    try:
        # a file of an earlier run must not look like this one's
        if os.path.exists(arguments.ready_file):
            os.unlink(arguments.ready_file)
        sock = listen(arguments.port)
        lines = ["http://127.0.0.1:%d" % sock.getsockname()[1]]
        await loop.create_server(connection, sock=sock, backlog=1024)
        if arguments.tls:
            context, ca_file = make_certificates(directory)
            sock = listen(0)
            lines += ["https://localhost:%d" % sock.getsockname()[1], ca_file]
            await loop.create_server(connection, sock=sock, backlog=1024, ssl=context)
        temporary = arguments.ready_file + ".new"
        with open(temporary, "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(temporary, arguments.ready_file)
        await stop.wait()
    finally:
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ready-file", required=True, help="written with the URLs once listening")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--tls", action="store_true", help="listen with TLS as well")
    parser.add_argument("--generated", type=int, default=50, help="jobs of the generated account")
    parser.add_argument("--seed", default="1", help="seed of the generated documents")
    parser.add_argument("--bulk", type=int, default=0, help="jobs of the bulk account")
    parser.add_argument("--anchor", type=int, default=jobs.DEFAULT_ANCHOR,
                        help="epoch seconds at which the history ends")
    parser.add_argument("--exit-with-parent", action="store_true",
                        help="stop at the end of standard input")
    arguments = parser.parse_args()
    if arguments.port >= 32768:
        parser.error("the port must be below 32768, where the kernel's own choices begin")
    asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
