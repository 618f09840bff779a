"""Prints, as JSON, which credentials botocore finds in its environment.

	botocore_keys.py [PROFILE]

With BOTOCORE_ENDPOINT set, STS and the SSO portal are asked there: older versions
know no variable for that.
"""
import json
import os
import sys

import botocore.session

ENDPOINT = os.environ.get("BOTOCORE_ENDPOINT")
create_client = botocore.session.Session.create_client


def create_client_there(self, service_name, **arguments):
    if ENDPOINT and service_name in ("sts", "sso"):
        arguments["endpoint_url"] = ENDPOINT
    return create_client(self, service_name, **arguments)


def main():
    botocore.session.Session.create_client = create_client_there
    # nobody is there to type a code
    sys.stdin = open(os.devnull)
    session = botocore.session.Session(profile=sys.argv[1] if len(sys.argv) > 1 else None)
    session.set_config_variable("region", "us-east-1")
    try:
        credentials = session.get_credentials()
        keys = credentials.get_frozen_credentials() if credentials else None
    except (Exception, SystemExit) as problem:
        print(json.dumps({"error": "%s: %s" % (type(problem).__name__, problem)}))
        return
    if keys is None:
        print(json.dumps({"error": "none"}))
    else:
        print(json.dumps({"access_key_id": keys.access_key, "has_token": keys.token is not None}))


main()
