"""Command-line client of the endpoint's control path.

	ctl.py [--url URL] COMMAND ...

	calls                     the calls since it was last asked, as one line; counts from zero
	counters                  all counters, as JSON
	wait NAME=N               wait until that counter is at least N (NAME<=N: at most)
	reset                     everything as it was at the start
	config JSON               settings
	fault JSON                make calls fail
	clear                     no more faults
	document NAME             print the document that is served for the job
	document NAME BODY        serve exactly this: a text, @FILE, a file's path, or - for standard input
	delete NAME               the job is gone
	names                     the jobs' names, as JSON
	rates                     the rates of the price list of --region, as JSON
	requests                  the last API requests, as JSON
	keys JSON                 more keys: access_key_id, secret_access_key, session_token, account
	issued                    the credentials that were issued, as JSON
	expire                    all of them have expired

	--key ID, --account ID, --region R say whose jobs (default: history, us-east-1)

The URL is that of the environment's SAGEMAKER_FDW_TEST_URL by default.  Errors go
to standard error, with exit status 1.  It imports little, to start quickly.
"""
import os
import socket
import sys
import time

WAIT_S = 30
POLL_S = 0.005


def fail(text):
    sys.stderr.write("ctl.py: %s\n" % text)
    sys.exit(1)


def quote(text):
    """Percent-encode for a query string."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"-._" else "%%%02X" % byte
                   for byte in text.encode("utf-8", "surrogateescape"))


def request(url, method, path, body=b""):
    """The body of the response to a control request."""
    host, _, port = url.rpartition("//")[2].rstrip("/").partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(b"%s /_control/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n"
                               b"Connection: close\r\n\r\n" % (method.encode(), path.encode(),
                                                               host.encode(), len(body)) + body)
            answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    except (OSError, ValueError) as problem:
        fail("no answer from the endpoint at %s: %s" % (url, problem))
    head, _, text = answer.partition(b"\r\n\r\n")
    if head[9:12] != b"200":
        fail("%s: %s" % (path.partition("?")[0], text.decode("utf-8", "replace")))
    return text


def read_body(word):
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        word = word[1:]
    elif not os.path.isfile(word):
        return word.encode("utf-8", "surrogateescape")
    with open(word, "rb") as file:
        return file.read()


def wait(url, condition):
    """Return when a counter has reached a number."""
    import json
    name, most, number = condition.partition("<=")
    if not most:
        name, _, number = condition.partition("=")
    number = int(number)
    end = time.monotonic() + WAIT_S
    while True:
        value = json.loads(request(url, "GET", "counters"))[name]
        if value <= number if most else value >= number:
            return
        if time.monotonic() > end:
            fail("%s was still %d after %d seconds" % (name, value, WAIT_S))
        time.sleep(POLL_S)


def main(words):
    options = {"url": os.environ.get("SAGEMAKER_FDW_TEST_URL")}
    for option in ("--url", "--key", "--account", "--region"):
        while option in words[:-1]:
            position = words.index(option)
            options[option[2:]] = words[position + 1]
            del words[position:position + 2]
    url = options.pop("url")
    # command: (least and most words after it, method)
    commands = {"calls": (0, 0, "GET"), "counters": (0, 0, "GET"), "wait": (1, 1, None),
                "reset": (0, 0, "POST"), "config": (1, 1, "POST"), "fault": (1, 1, "POST"),
                "clear": (0, 0, "POST"), "document": (1, 2, None), "delete": (1, 1, "POST"),
                "names": (0, 0, "GET"), "rates": (0, 0, "GET"), "requests": (0, 0, "GET"), "keys": (1, 1, "POST"),
                "issued": (0, 0, "GET"), "expire": (0, 0, "POST")}
    command = words.pop(0) if words else ""
    least, most, method = commands.get(command, (0, -1, None))
    if not least <= len(words) <= most:
        fail("usage:\n" + __doc__)
    if not url:
        fail("no endpoint: set SAGEMAKER_FDW_TEST_URL or give --url")

    if command == "wait":
        return wait(url, words[0])
    body = b""
    if command in ("document", "delete"):
        options["name"] = words[0]
        if command == "document":
            method = "POST" if len(words) == 2 else "GET"
            body = read_body(words[1]) if len(words) == 2 else b""
    elif words:
        body = words[0].encode("utf-8", "surrogateescape")
    query = "&".join("%s=%s" % (name, quote(value)) for name, value in options.items())
    text = request(url, method, "%s?%s" % (command, query), body)
    if method == "GET":
        sys.stdout.buffer.write(text + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
