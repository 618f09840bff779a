"""A local SageMaker-compatible endpoint, for the demo, the tests and the benchmark.

One process on 127.0.0.1.  Requests below /_control/ steer it (README.md beside
this file); all others are API calls, whose signatures are checked with botocore.
Responses are written as bytes, so that faults can be anything.

Not accounted for: HTTP pipelining, chunked requests, HTTP/2.
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
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import faults
import jobs
import operations
import signature

LOWEST_PORT, HIGHEST_PORT = 20000, 32000
REQUESTS_KEPT = 1000


class Account:
    """Keys, and the jobs they lead to."""

    def __init__(self, account_id, secret, make_region, session_token=None, denied=False):
        self.account_id, self.secret, self.session_token = account_id, secret, session_token
        self.make_region, self.denied = make_region, denied
        self.regions = {}

    def region(self, name):
        if name not in self.regions:
            self.regions[name] = self.make_region(name)
        return self.regions[name]


class Service:
    """All that the endpoint knows: accounts, counters, faults, settings."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.connections = 0
        self.in_flight = 0
        self.request_number = 0
        self.reset()

    def reset(self):
        arguments = self.arguments

        def history(region):
            return operations.Region("123456789012", region,
                                     jobs.history("123456789012", region, arguments.anchor))

        def generated(region):
            from generate import generated as generate
            count = arguments.generated if region == "us-east-1" else 0
            return operations.Region("210987654321", region,
                                     generate(arguments.seed, count, "210987654321", region))

        def bulk(region):
            count = arguments.bulk if region == "us-east-1" else 0
            return operations.BulkRegion(jobs.Bulk("345678901234", region, count, arguments.anchor))

        def empty(region):
            return operations.Region("456789012345", region, [])

        main = Account("123456789012", "secret/of+the/history/account000000000001", history)
        temporary = Account("123456789012", "secret/of+the/temporary/keys/000000000001", main.region,
                            session_token="session-token/of+the/temporary/keys==")
        self.accounts = {
            "AKIDHISTORY000000001": main,
            "ASIDTEMPORARY0000001": temporary,
            "AKIDGENERATED0000001": Account(
                "210987654321", "secret/of+the/generated/account0000000001", generated),
            "AKIDBULK000000000001": Account(
                "345678901234", "secret/of+the/bulk/account00000000000001", bulk),
            "AKIDDENIED0000000001": Account(
                "456789012345", "secret/of+the/denied/account0000000000001", empty, denied=True),
        }
        self.config = {"latency_ms": 0, "jitter_ms": 0, "rate_limit": 0, "clock_offset_s": 0,
                       "request_id": None}
        self.faults = []
        self.buckets = {}
        self.requests = collections.deque(maxlen=REQUESTS_KEPT)
        self.reset_counters()

    def reset_counters(self):
        self.calls = collections.Counter()
        self.counters = collections.Counter()
        self.most_in_flight = 0

    def now(self):
        return time.time() + self.config["clock_offset_s"]

    def allowed(self, account, region, operation):
        """Takes a call off the operation's token bucket."""
        rate = self.config["rate_limit"]
        if not rate:
            return True
        now = time.monotonic()
        key = (account.account_id, region, operation)
        tokens, then = self.buckets.get(key, (rate, now))
        tokens = min(rate, tokens + (now - then) * rate)
        self.buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    # -- an API call ---------------------------------------------------------

    def call(self, operation, method, path, headers, body):
        """(status, code or None, response body) of a call."""
        try:
            account, region = signature.check(method, path, headers, body, self.accounts, self.now())
            if not self.allowed(account, region, operation):
                self.counters["throttles"] += 1
                raise operations.Failure("ThrottlingException", "Rate exceeded")
            if operation not in operations.OPERATIONS:
                raise operations.Failure("UnknownOperationException", "Unknown operation", 404)
            if headers.get("content-type") != "application/x-amz-json-1.1":
                raise operations.Failure("SerializationException", "Wrong content type", 415)
            if account.denied:
                raise operations.Failure(
                    "AccessDeniedException", "User: arn:aws:iam::%s:user/test is not authorized to "
                    "perform: sagemaker:%s because no identity-based policy allows the "
                    "sagemaker:%s action" % (account.account_id, operation, operation))
            try:
                parsed = json.loads(body)
            except ValueError:
                raise operations.Failure("SerializationException", "The request is not JSON")
            return 200, None, operations.run(operation, account.region(region), parsed)
        except (operations.Failure, signature.Refused) as failure:
            self.counters["errors"] += 1
            text = json.dumps({"__type": failure.code, "message": failure.message})
            return failure.status, failure.code, text.encode()

    # -- the control path ----------------------------------------------------

    def control(self, method, path, body):
        """(status, response body) of a control request."""
        url = urllib.parse.urlsplit(path)
        query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        what = url.path[len("/_control/"):]
        key = query.get("key", "AKIDHISTORY000000001")
        region = query.get("region", "us-east-1")
        try:
            if what == "counters":
                return 200, self.report()
            if what == "calls":
                report = " ".join("%s=%d" % pair for pair in sorted(self.calls.items()))
                self.reset_counters()
                return 200, (report or "none").encode()
            if what == "reset":
                self.reset()
            elif what == "config":
                self.config.update(json.loads(body))
            elif what == "fault":
                self.faults.append(faults.Fault(json.loads(body)))
            elif what == "requests":
                return 200, json.dumps(list(self.requests)).encode()
            elif what == "names":
                names = list(self.accounts[key].region(region).jobs)
                return 200, json.dumps(names).encode()
            elif what == "document" and method == "POST":
                self.accounts[key].region(region).put(query["name"], body)
            elif what == "document":
                document = self.accounts[key].region(region).describe(query["name"])
                return (200, document) if document is not None else (404, b"no such job")
            elif what == "delete":
                self.accounts[key].region(region).delete(query["name"])
            else:
                return 404, b"no such control request"
        except (KeyError, ValueError) as problem:
            return 400, repr(problem).encode()
        return 200, b"ok"

    def report(self):
        return json.dumps({"calls": dict(self.calls), "errors": self.counters["errors"],
                           "throttles": self.counters["throttles"],
                           "connections": self.counters["connections"],
                           "connections_open": self.connections,
                           "in_flight": self.in_flight,
                           "most_in_flight": self.most_in_flight}, sort_keys=True).encode()


class Connection(asyncio.Protocol):
    """One client connection: requests one after another."""

    def __init__(self, service, loop):
        self.service, self.loop = service, loop
        self.buffer = b""
        self.busy = False
        self.calling = False
        self.open = True
        self.counted = False

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, problem):
        self.open = False
        if self.counted:
            self.service.connections -= 1
        self.call_over()

    def data_received(self, data):
        self.buffer += data
        if not self.busy:
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
        self.call_over()
        self.transport.close()

    def reset(self):
        """Close with a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.call_over()
        self.transport.abort()

    def finished(self):
        """The response is out: go on with the next request."""
        self.call_over()
        self.busy = False
        if self.buffer and self.open:
            self.next_request()

    # -- requests ------------------------------------------------------------

    def call_over(self):
        if self.calling:
            self.calling = False
            self.service.in_flight -= 1

    def next_request(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if len(self.buffer) < end + 4 + length:
            return
        body = self.buffer[end + 4:end + 4 + length]
        self.buffer = self.buffer[end + 4 + length:]
        self.busy = True
        if path.startswith("/_control/"):
            status, answer = self.service.control(method, path, body)
            self.send(faults.http(status, [("Content-Type", "text/plain")], answer))
            self.finished()
        else:
            self.api_request(method, path, headers, body)

    def api_request(self, method, path, headers, body):
        service = self.service
        if not self.counted:
            self.counted = True
            service.connections += 1
            service.counters["connections"] += 1
        operation = headers.get("x-amz-target", "").rpartition(".")[2] or "none"
        service.calls[operation] += 1
        service.in_flight += 1
        service.most_in_flight = max(service.most_in_flight, service.in_flight)
        self.calling = True
        service.requests.append({"operation": operation, "method": method, "path": path,
                                 "headers": headers, "body": body.decode("utf-8", "replace")})

        def answer():
            status, code, text = service.call(operation, method, path, headers, body)
            head = [("x-amzn-RequestId", self.new_request_id()),
                    ("Content-Type", "application/x-amz-json-1.1"),
                    ("Date", faults.http_date(service.config["clock_offset_s"]))]
            return faults.http(status, head, text)

        job = None
        if service.faults:
            try:
                job = json.loads(body).get("TrainingJobName")
            except (ValueError, AttributeError):
                pass
        struck = next((fault for fault in service.faults if fault.strikes(operation, job)), None)
        if struck is not None:
            struck.act(self, answer)
            return
        delay_s = (service.config["latency_ms"] + random.random() * service.config["jitter_ms"]) / 1000

        def respond():
            self.send(answer())
            self.finished()

        if delay_s > 0:
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
            sock.bind(("127.0.0.1", candidate))
            return sock
        except OSError:
            sock.close()
            if port:
                raise
    raise OSError("no free port")


def make_certificates(directory):
    """A CA and a certificate for localhost: (context, path of the CA's PEM file)."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    with open(os.path.join(directory, "san.txt"), "w") as file:
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "2", "-subj", "/CN=sagemaker_fdw test CA")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "san.txt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
    return context, os.path.join(directory, "ca.pem")


def stop_at_end_of_input(loop, stop):
    """Stop when whoever holds the other end of standard input is gone."""
    def readable():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()
    loop.add_reader(0, readable)


async def serve(arguments):
    loop = asyncio.get_running_loop()
    service = Service(arguments)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.exit_with_parent:
        stop_at_end_of_input(loop, stop)
    directory = tempfile.mkdtemp(prefix="sagemaker-endpoint-")
    os.chmod(directory, 0o755)
    try:
        sock = listen(arguments.port)
        lines = ["http://127.0.0.1:%d" % sock.getsockname()[1]]
        await loop.create_server(lambda: Connection(service, loop), sock=sock, backlog=1024)
        if arguments.tls:
            context, ca_file = make_certificates(directory)
            sock = listen(0)
            lines += ["https://localhost:%d" % sock.getsockname()[1], ca_file]
            await loop.create_server(lambda: Connection(service, loop), sock=sock, backlog=1024,
                                     ssl=context)
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
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
