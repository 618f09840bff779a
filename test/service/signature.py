"""Signature Version 4 of a request, checked with botocore's own signer.

Independent of the code under test: the request is signed again from what
arrived, and the two Authorization values are compared.  Not accounted for:
presigned URLs and chunked payloads, which SageMaker calls do not use.
"""
import calendar
import hmac
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SERVICE = "sagemaker"
MAX_SKEW_S = 15 * 60
REQUIRED = ("content-type", "host", "x-amz-date", "x-amz-target")


class Refused(Exception):
    """The request is not signed as it must be."""

    def __init__(self, code, message, status=403):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def parse_authorization(value):
    """The parts of an Authorization header: (credential list, header names, signature)."""
    if not value or not value.startswith("AWS4-HMAC-SHA256 "):
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = {}
    for item in value[len("AWS4-HMAC-SHA256 "):].split(","):
        name, _, rest = item.strip().partition("=")
        parts[name] = rest
    credential = parts.get("Credential", "").split("/")
    if len(credential) != 5 or not parts.get("SignedHeaders") or not parts.get("Signature"):
        raise Refused("IncompleteSignatureException",
                      "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'.")
    return credential, parts["SignedHeaders"].split(";"), parts["Signature"]


def iso(epoch_s):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch_s))


def check(method, path, headers, body, accounts, now_s):
    """Return (account, region) of a well-signed request, or raise Refused.

    headers: lower-case name to value.  accounts: access key id to Account.
    """
    credential, names, signature = parse_authorization(headers.get("authorization"))
    key_id, day, region, service, terminator = credential
    account = accounts.get(key_id)
    if account is None:
        raise Refused("UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    required = REQUIRED
    if account.session_token is not None:
        required += ("x-amz-security-token",)
        if headers.get("x-amz-security-token") != account.session_token:
            raise Refused("UnrecognizedClientException",
                          "The security token included in the request is invalid.")
    missing = [name for name in required if name not in names]
    if missing:
        raise Refused("InvalidSignatureException",
                      "The request signature does not cover: %s" % ", ".join(missing))
    if names != sorted(names):
        raise Refused("InvalidSignatureException", "SignedHeaders is not sorted.")
    date = headers.get("x-amz-date", "")
    if service != SERVICE or terminator != "aws4_request" or day != date[:8]:
        raise Refused("InvalidSignatureException",
                      "Credential should be scoped to a valid region, service and date.")

    request = AWSRequest(method=method, url="http://%s%s" % (headers.get("host", ""), path),
                         data=body, headers={name: headers.get(name, "") for name in names})
    signer = SigV4Auth(Credentials(key_id, account.secret, account.session_token), service, region)
    request.context["timestamp"] = date
    expected = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, signature):
        raise Refused("InvalidSignatureException",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method. Consult "
                      "the service documentation for details.")

    try:
        signed_s = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Refused("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.")
    if signed_s < now_s - MAX_SKEW_S:
        raise Refused("InvalidSignatureException", "Signature expired: %s is now earlier than %s "
                      "(%s - 15 min.)" % (date, iso(now_s - MAX_SKEW_S), iso(now_s)))
    if signed_s > now_s + MAX_SKEW_S:
        raise Refused("InvalidSignatureException", "Signature not yet current: %s is still later "
                      "than %s (%s + 15 min.)" % (date, iso(now_s + MAX_SKEW_S), iso(now_s)))
    return account, region
