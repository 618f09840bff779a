"""Command-line client of the endpoint's control path.

	ctl.py [--url URL] counters | calls | reset | requests
	ctl.py config JSON | fault JSON
	ctl.py document NAME [TEXT | @FILE | -]    (without a body: print it)
	ctl.py delete NAME | names
	   --key ID, --region R choose whose jobs

The URL is that of the environment's SAGEMAKER_FDW_TEST_URL by default.  `calls`
prints the calls since it was last asked, in one line, and counts from zero.
"""
import argparse
import http.client
import os
import sys
import urllib.parse


def request(url, method, path, body=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, "/_control/" + path, body)
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        sys.exit("%s: %d %s" % (path, response.status, text.decode("utf-8", "replace")))
    return text


def read_body(word):
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        with open(word[1:], "rb") as file:
            return file.read()
    return word.encode("utf-8", "surrogateescape")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--url", default=os.environ.get("SAGEMAKER_FDW_TEST_URL"))
    parser.add_argument("--key", default="AKIDHISTORY000000001")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("command")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    if not arguments.url:
        sys.exit("no endpoint: set SAGEMAKER_FDW_TEST_URL or give --url")
    words = arguments.words
    query = {"key": arguments.key, "region": arguments.region}
    if arguments.command in ("document", "delete"):
        query["name"] = words[0]
    target = arguments.command + "?" + urllib.parse.urlencode(query)

    if arguments.command in ("config", "fault"):
        request(arguments.url, "POST", target, words[0].encode())
    elif arguments.command == "document" and len(words) > 1:
        request(arguments.url, "POST", target, read_body(words[1]))
    elif arguments.command in ("reset", "delete"):
        request(arguments.url, "POST", target)
    else:
        sys.stdout.buffer.write(request(arguments.url, "GET", target))
        sys.stdout.buffer.write(b"\n")


if __name__ == "__main__":
    main()
