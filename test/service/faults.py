"""Faults on request: what goes wrong with which calls.

A fault is a JSON object: `kind`, and which calls it strikes: `operation` (or
"*"), `job` (a name), `contains` (text of the request's body), `skip` matching
calls first, then `times` of them (default 1, 0 for ever), each with
`probability`.  The first fault that strikes has the call; later ones do not
count it.

KINDS maps a kind to a function of (connection, spec, answer).  answer() makes the
normal response's bytes, head and body; the function sends what it likes, and
calls connection.finished() when the next request may be read, or closes.  A new
kind is a function with @kind, or @kind(names of members that it cannot do
without).
"""
import base64
import http.client
import json
import random
import re
import urllib.parse
from xml.sax.saxutils import escape

FILTERS = ("kind", "operation", "job", "contains", "skip", "times", "probability", "seed")
KINDS = {}
NEEDED = {}

HEAD_END = b"\r\n\r\n"
JSON_TYPE = "application/x-amz-json-1.1"


def kind(*needed):
    """Enter a function in the table of kinds."""
    def enter(function):
        KINDS[function.__name__] = function
        NEEDED[function.__name__] = needed
        return function
    return enter


class Fault:
    """A fault, and how often it has still to strike."""

    def __init__(self, spec):
        if not isinstance(spec, dict) or spec.get("kind") not in KINDS:
            raise ValueError("a fault's kind is one of %s" % ", ".join(sorted(KINDS)))
        missing = [name for name in NEEDED[spec["kind"]] if name not in spec]
        if missing:
            raise ValueError("a fault of kind %s needs %s" % (spec["kind"], ", ".join(missing)))
        if "bytes_b64" in spec:
            base64.b64decode(spec["bytes_b64"], validate=True)
        self.spec = spec
        self.skip = spec.get("skip", 0)
        self.times = spec.get("times", 1)
        self.spent = False
        self.random = random.Random(spec.get("seed", 1))

    def strikes(self, operation, body):
        spec = self.spec
        if self.spent or spec.get("operation", "*") not in ("*", operation):
            return False
        if "job" in spec and spec["job"] != job_of(body):
            return False
        if "contains" in spec and spec["contains"].encode() not in body:
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


def job_of(body):
    """The job that a request is about, by its name or ARN."""
    try:
        members = json.loads(body)
        return members.get("TrainingJobName") or members.get("ResourceArn", "").rpartition("/")[2]
    except (ValueError, AttributeError):
        return None


# -- responses as bytes --------------------------------------------------------

def response(status, headers, body, length=None):
    """A response.  headers: list of (name, value); length: what Content-Length says."""
    lines = ["HTTP/1.1 %d %s" % (status, http.client.responses.get(status, "Status"))]
    lines += ["%s: %s" % pair for pair in headers]
    lines += ["Content-Length: %d" % (len(body) if length is None else length), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def standard_headers(connection, spec):
    """What every response of the service has, and the fault's own `headers`."""
    headers = [("x-amzn-RequestId", connection.new_request_id()),
               ("Content-Type", spec.get("content_type", JSON_TYPE)),
               ("Date", connection.service.http_date())]
    return headers + [tuple(pair) for pair in spec.get("headers", [])]


def quoted(request, encoded):
    """A request in one line."""
    lines = ["%s: %s" % pair for pair in sorted(request["headers"].items())] + [request["body"]]
    return "; ".join(urllib.parse.quote(line, safe=": ") if encoded else line for line in lines)


def without_length(answer):
    """A response's head without Content-Length and the blank line, and its body."""
    head, _, rest = answer.partition(HEAD_END)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join(lines), rest


def trickle(connection, rest, interval_s):
    """Send the rest a byte at a time."""
    if not rest:
        connection.finished()
    elif connection.open:
        connection.send(rest[:1])
        connection.loop.call_later(interval_s, trickle, connection, rest[1:], interval_s)


def pour(connection, piece):
    """Send the piece again and again, as fast as it is read."""
    if connection.open:
        if connection.transport.get_write_buffer_size() < 1 << 20:
            connection.send(piece)
        connection.loop.call_later(0.001, pour, connection, piece)


def reset_once_sent(connection):
    """A TCP reset, once the kernel has all that was sent."""
    if connection.open and connection.transport.get_write_buffer_size() > 0:
        connection.loop.call_later(0.001, reset_once_sent, connection)
    else:
        connection.reset()


# -- answers of the service ------------------------------------------------------

@kind("code")
def error(connection, spec, answer):
    """An AWS error: status, code, message; type_in says where the code stands, and
    namespace and suffix what stands around it there."""
    code, place = spec["code"], spec.get("type_in", "body")
    headers = standard_headers(connection, spec)
    members = {"message": spec.get("message", "injected")}
    if place == "header":
        headers.append(("x-amzn-ErrorType", code + ":http://internal.amazon.com/coral/"))
    else:
        members["__type" if place == "body" else "code"] = spec.get("namespace", "") + code + spec.get("suffix", "")
    connection.service.counters["errors"] += 1
    connection.send(response(spec.get("status", 400), headers, json.dumps(members).encode()))
    connection.finished()


@kind("code")
def echo(connection, spec, answer):
    """An AWS error, in XML to a form, whose message quotes the request's headers and body, percent-encoded if `encoded`,
    or of that what the regular expression `only` finds."""
    request, code = connection.service.requests[-1], spec["code"]
    message = re.search(spec.get("only", ".*"), quoted(request, spec.get("encoded")), re.DOTALL).group()
    text = (json.dumps({"__type": code, "message": message}) if request["body"].startswith("{") else
            "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>" % (code, escape(message)))
    connection.service.counters["errors"] += 1
    connection.send(response(spec.get("status", 400), standard_headers(connection, spec), text.encode()))
    connection.finished()


@kind("body")
def body(connection, spec, answer):
    """Any status, content type, headers and text."""
    text = spec["body"]
    text = text if isinstance(text, str) else json.dumps(text)
    connection.send(response(spec.get("status", 200), standard_headers(connection, spec),
                             text.encode("utf-8", "surrogatepass")))
    connection.finished()


@kind("bytes_b64")
def raw(connection, spec, answer):
    """Bytes as they are, in place of the whole response; then "close" or "keep"."""
    connection.send(base64.b64decode(spec["bytes_b64"]))
    connection.close() if spec.get("then", "close") == "close" else connection.finished()


@kind("delay_ms")
def delay(connection, spec, answer):
    """The right answer, late."""
    def later():
        connection.send(answer())
        connection.finished()
    connection.loop.call_later(spec["delay_ms"] / 1000, later)


@kind()
def expire(connection, spec, answer):
    """All credentials that were issued have expired, then the answer to that."""
    connection.service.identity.expire()
    connection.send(answer())
    connection.finished()


@kind()
def expire_tokens(connection, spec, answer):
    """The tokens of all walks over the price list of the call's region have expired, this call's too, then the answer to that."""
    connection.service.prices.expire(connection.service.requests[-1]["body"])
    connection.send(answer())
    connection.finished()


@kind("documents")
def change(connection, spec, answer):
    """Jobs get other `documents` (name to document), or are deleted (null), then the right answer; whose jobs these are
    say `key` or `account`, and `region`."""
    region = connection.service.chosen_region(spec)
    for name, document in spec["documents"].items():
        if document is None:
            region.delete(name)
        else:
            region.put(name, json.dumps(document).encode())
    connection.send(answer())
    connection.finished()


# -- connections that break --------------------------------------------------------

@kind()
def reset_before(connection, spec, answer):
    """A TCP reset in place of an answer."""
    connection.reset()


@kind()
def reset_during(connection, spec, answer):
    """Half of the answer, then a TCP reset."""
    text = answer()
    connection.send(text[:len(text) // 2])
    connection.loop.call_later(0.01, connection.reset)


@kind()
def reset_after(connection, spec, answer):
    """All of the answer, then a TCP reset: at once, which may destroy what was not read yet, or `delay_ms` later."""
    connection.send(answer())
    connection.loop.call_later(spec.get("delay_ms", 0) / 1000, reset_once_sent, connection)


@kind()
def close_before(connection, spec, answer):
    """An orderly close in place of an answer."""
    connection.close()


@kind()
def close_after(connection, spec, answer):
    """The right answer, but the kept connection goes."""
    connection.send(answer())
    connection.close()


@kind()
def truncate(connection, spec, answer):
    """The answer but for its last bytes, then an orderly close."""
    connection.send(answer()[:-spec.get("bytes", 10)])
    connection.close()


@kind()
def hang(connection, spec, answer):
    """Never an answer."""


@kind()
def drip(connection, spec, answer):
    """The head, then the body a byte at a time."""
    head, blank, rest = answer().partition(HEAD_END)
    connection.send(head + blank)
    trickle(connection, rest, spec.get("interval_s", 1))


@kind()
def slow_headers(connection, spec, answer):
    """The answer a byte at a time from its first byte on."""
    trickle(connection, answer(), spec.get("interval_s", 1))


# -- HTTP that is not what it should be --------------------------------------------

@kind()
def endless_body(connection, spec, answer):
    """Chunks without end."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
    pour(connection, b"10000\r\n" + b" " * 65536 + b"\r\n")


@kind()
def endless_headers(connection, spec, answer):
    """Header lines without end."""
    connection.send(b"HTTP/1.1 200 OK\r\n")
    pour(connection, b"X-Filler: " + b"x" * 1000 + b"\r\n")


@kind()
def wrong_length(connection, spec, answer):
    """A Content-Length that is `by` bytes off (default 10 too large), then a close."""
    head, rest = without_length(answer())
    length = b"\r\nContent-Length: %d" % (len(rest) + spec.get("by", 10))
    connection.send(head + length + HEAD_END + rest)
    connection.close()


@kind()
def no_length(connection, spec, answer):
    """The right answer, whose end only the close tells."""
    head, rest = without_length(answer())
    connection.send(head + HEAD_END + rest)
    connection.close()


@kind()
def chunked(connection, spec, answer):
    """The right answer in chunks of `size` bytes (default 100)."""
    head, rest = without_length(answer())
    size = spec.get("size", 100)
    chunks = [rest[i:i + size] for i in range(0, len(rest), size)]
    connection.send(head + b"\r\nTransfer-Encoding: chunked" + HEAD_END +
                    b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
    connection.finished()


@kind()
def chunked_garbage(connection, spec, answer):
    """A chunk, then what is no length of a chunk."""
    head, _ = without_length(answer())
    connection.send(head + b"\r\nTransfer-Encoding: chunked" + HEAD_END + b"5\r\n{\"Tra\r\nzz\r\n")
    connection.close()


@kind()
def continue_first(connection, spec, answer):
    """Interim responses (100) before the right answer."""
    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" * spec.get("count", 1) + answer())
    connection.finished()
