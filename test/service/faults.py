"""Faults on request: what goes wrong with which calls.

A fault is a JSON object: `kind`, and which calls it strikes: `operation` (or
"*"), `job` (a name), `skip` matching calls first, then `times` of them (default
1, 0 for ever), each with `probability`.  KINDS maps a kind to a function of
(connection, fault, answer), where answer() makes the normal response's bytes;
it sends what it likes, and calls connection.finished() when the next request
may be read.
"""
import base64
import json
import random
import time


class Fault:
    def __init__(self, spec):
        if spec.get("kind") not in KINDS:
            raise ValueError("unknown kind of fault: %r" % spec.get("kind"))
        self.spec = spec
        self.skip = spec.get("skip", 0)
        self.times = spec.get("times", 1)
        self.spent = False
        self.random = random.Random(spec.get("seed", 1))

    def strikes(self, operation, job):
        spec = self.spec
        if self.spent or spec.get("operation", "*") not in ("*", operation):
            return False
        if "job" in spec and spec["job"] != job:
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

    def act(self, connection, answer):
        KINDS[self.spec["kind"]](connection, self.spec, answer)


def http(status, headers, body):
    """A response as bytes.  headers: list of (name, value)."""
    lines = ["HTTP/1.1 %d Status" % status]
    lines += ["%s: %s" % pair for pair in headers]
    lines += ["Content-Length: %d" % len(body), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def http_date(offset_s=0):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + offset_s))


def error(connection, spec, answer):
    """An AWS error: status, code, message; type_in says where the code stands."""
    place = spec.get("type_in", "body")
    code = spec["code"]
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("Date", http_date()),
               ("x-amzn-RequestId", connection.new_request_id())]
    headers += [tuple(pair) for pair in spec.get("headers", [])]
    body = {"message": spec.get("message", "injected")}
    if place == "header":
        headers.append(("x-amzn-ErrorType", code + ":http://internal.amazon.com/coral/"))
    else:
        body["__type" if place == "body" else "code"] = spec.get("namespace", "") + code
    connection.service.counters["errors"] += 1
    connection.send(http(spec.get("status", 400), headers, json.dumps(body).encode()))
    connection.finished()


def body(connection, spec, answer):
    """Any status, content type, headers and text."""
    headers = [("Content-Type", spec.get("content_type", "application/x-amz-json-1.1")),
               ("Date", http_date()), ("x-amzn-RequestId", connection.new_request_id())]
    headers += [tuple(pair) for pair in spec.get("headers", [])]
    connection.send(http(spec.get("status", 200), headers, spec["body"].encode("utf-8")))
    connection.finished()


def raw(connection, spec, answer):
    """Bytes as they are; then "close" or "keep"."""
    connection.send(base64.b64decode(spec["bytes_b64"]))
    connection.close() if spec.get("then", "close") == "close" else connection.finished()


def reset_before(connection, spec, answer):
    connection.reset()


def reset_during(connection, spec, answer):
    text = answer()
    connection.send(text[:len(text) // 2])
    connection.loop.call_later(0.01, connection.reset)


def truncate(connection, spec, answer):
    connection.send(answer()[:-10])
    connection.close()


def hang(connection, spec, answer):
    """Never an answer."""


def drip(connection, spec, answer):
    """The headers, then a byte at a time."""
    head, blank, rest = answer().partition(b"\r\n\r\n")
    connection.send(head + blank)
    trickle(connection, rest, spec.get("interval_s", 1))


def slow_headers(connection, spec, answer):
    trickle(connection, answer(), spec.get("interval_s", 1))


def trickle(connection, rest, interval_s):
    if not rest:
        return connection.finished()
    if connection.open:
        connection.send(rest[:1])
        connection.loop.call_later(interval_s, trickle, connection, rest[1:], interval_s)


def endless_body(connection, spec, answer):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
    pour(connection, b"10000\r\n" + b" " * 65536 + b"\r\n")


def endless_headers(connection, spec, answer):
    connection.send(b"HTTP/1.1 200 OK\r\n")
    pour(connection, b"X-Filler: " + b"x" * 1000 + b"\r\n")


def pour(connection, piece):
    if connection.open:
        if connection.transport.get_write_buffer_size() < 1 << 20:
            connection.send(piece)
        connection.loop.call_later(0.001, pour, connection, piece)


def close_after(connection, spec, answer):
    """The right answer, but the kept connection goes."""
    connection.send(answer())
    connection.close()


def delay(connection, spec, answer):
    def later():
        if connection.open:
            connection.send(answer())
            connection.finished()
    connection.loop.call_later(spec["delay_ms"] / 1000, later)


KINDS = {function.__name__: function for function in (
    error, body, raw, reset_before, reset_during, truncate, hang, drip, slow_headers,
    endless_body, endless_headers, close_after, delay)}
