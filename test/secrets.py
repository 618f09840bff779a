"""No secret is in a server log, as TAP.

	secrets.py LOG

The log is of a cluster that ran the suites with log_min_messages = debug5, and
without the statements that users type.  At that level Postgres itself writes its
environment when it starts: that is left out.
"""
import re
import sys

# Every secret and token that the suites use begins with one of these.
SECRETS = ["secret/of+the/", "session-token/of+the/", "web-identity-token", "sso-access-token",
           "container-authorization-token", "a-session-token==", "session-token/issued", "metadata-token=="]
FORBIDDEN = [
    ("a secret or a token", re.compile("|".join(map(re.escape, SECRETS)))),
    ("an Authorization value", re.compile(r"AWS4-HMAC-SHA256|Credential=[A-Z0-9]{16}")),
    ("a signature", re.compile(r"Signature[=:]\s*[0-9a-f]{64}")),
    ("a security token header", re.compile(r"x-amz-security-token:(?! \[hidden\])", re.IGNORECASE)),
]


# A message for each variable, and from version 18 on one message for all.
VARIABLE = re.compile(r"DEBUG:  \t\w+=")
ENVIRONMENT = re.compile(r"DEBUG:  initial environment dump:$")


def main():
    number = 0
    debug = 0
    found = {title: [] for title, _ in FORBIDDEN}
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        environment = False
        for line in file:
            debug += "DEBUG:" in line
            environment = bool(ENVIRONMENT.search(line)) or environment and line.startswith("\t")
            if environment or VARIABLE.search(line):
                continue
            for title, pattern in FORBIDDEN:
                if pattern.search(line):
                    found[title].append(line.rstrip()[:300])
    for title, lines in found.items():
        number += 1
        print("%s %d - the server's log holds %s: never" % ("not ok" if lines else "ok", number, title))
        for line in lines[:5]:
            print("# " + line)
    number += 1
    print("%s %d - it was written in full: %d lines of debugging" % ("ok" if debug > 100 else "not ok", number, debug))
    print("1..%d" % number)
    return debug <= 100 or any(found.values())


sys.exit(main())
