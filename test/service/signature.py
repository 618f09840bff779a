"""Signature Version 4 of a request, checked with botocore's own signer.

Independent of the code under test: the request is signed again from what
arrived, and the two signatures are compared.  Not accounted for: presigned
URLs, chunked payloads, and a signed User-Agent (botocore never signs it), none
of which the clients of SageMaker and STS use.
"""
import calendar
import functools
import hmac
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "sagemaker"
TERMINATOR = "aws4_request"
MAX_SKEW_S = 15 * 60
REQUIRED = ("content-type", "host", "x-amz-date", "x-amz-target")
TOKEN_HEADER = "x-amz-security-token"
BAD_TOKEN = "The security token included in the request is invalid."
MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.\n\n"
            "The Canonical String for this request should have been\n'%s'\n\n"
            "The String-to-Sign should have been\n'%s'\n")


class Refused(Exception):
    """The request is not signed as it must be."""

    def __init__(self, code, message, status=403):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def parse_authorization(value):
    """The parts of an Authorization header: (credential list, header names, signature)."""
    if not value:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = value.partition(" ")
    parts = {}
    for item in rest.split(","):
        name, _, text = item.strip().partition("=")
        parts[name] = text
    credential = parts.get("Credential", "").split("/")
    if (algorithm != ALGORITHM or len(credential) != 5 or not parts.get("SignedHeaders")
            or not parts.get("Signature")):
        raise Refused("IncompleteSignatureException", "Authorization header requires 'Credential' "
                      "parameter. Authorization header requires 'Signature' parameter. "
                      "Authorization header requires 'SignedHeaders' parameter.", 400)
    return credential, parts["SignedHeaders"].split(";"), parts["Signature"]


def iso(epoch_s):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch_s))


def check(method, path, headers, body, accounts, now_s, service=SERVICE, required=REQUIRED, regions=None):
    """Return (account, region) of a well-signed request, or raise Refused.

    headers: lower-case name to value.  accounts: access key id to Account.
    now_s: the endpoint's clock, epoch seconds.  required: headers that must be signed.
    regions: those that have the service, None for any.
    """
    credential, names, signature = parse_authorization(headers.get("authorization"))
    key_id, day, region, scope_service, terminator = credential
    account = accounts.get(key_id)
    if account is None:
        raise Refused("UnrecognizedClientException", BAD_TOKEN)
    if headers.get(TOKEN_HEADER) != account.session_token:
        raise Refused("UnrecognizedClientException", BAD_TOKEN)
    if account.expires_s is not None and now_s >= account.expires_s:
        raise Refused("ExpiredTokenException", "The security token included in the request is expired", 400)

    missing = [name for name in headers if name not in names and
               (name in required or name.startswith("x-amz-"))]
    missing += [name for name in required if name not in headers]
    if missing:
        raise Refused("InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS "
                      "Authorization." % "', '".join(sorted(missing)))
    if names != sorted(names):
        raise Refused("InvalidSignatureException", "SignedHeaders is not sorted.")
    date = headers["x-amz-date"]
    if scope_service != service or terminator != TERMINATOR:
        raise Refused("InvalidSignatureException",
                      "Credential should be scoped to correct service: '%s'." % service)
    if regions is not None and region not in regions:
        raise Refused("InvalidSignatureException",
                      "Credential should be scoped to a valid region, not '%s'. " % region, 400)
    if day != date[:8]:
        raise Refused("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD "
                      "from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'."
                      % (day, date[:8], date))
    check_time(date, now_s)

    request = AWSRequest(method=method, url="http://%s%s" % (headers["host"], path),
                         data=body, headers={name: headers.get(name, "") for name in names})
    signer = SigV4Auth(Credentials(key_id, account.secret, account.session_token), service, region)
    request.context["timestamp"] = date
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    expected = signer.signature(to_sign, request)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Refused("InvalidSignatureException", MISMATCH % (canonical, to_sign))
    return account, region


@functools.lru_cache(maxsize=64)
def epoch(date):
    return calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))


def check_time(date, now_s):
    """Refuse a request that was signed too long ago, or too far ahead."""
    try:
        signed_s = epoch(date)
    except ValueError:
        raise Refused("IncompleteSignatureException",
                      "Date must be in ISO-8601 'basic format'. Got '%s'." % date, 400) from None
    if signed_s < now_s - MAX_SKEW_S:
        raise Refused("InvalidSignatureException", "Signature expired: %s is now earlier than %s "
                      "(%s - 15 min.)" % (date, iso(now_s - MAX_SKEW_S), iso(now_s)))
    if signed_s > now_s + MAX_SKEW_S:
        raise Refused("InvalidSignatureException", "Signature not yet current: %s is still later "
                      "than %s (%s + 15 min.)" % (date, iso(now_s + MAX_SKEW_S), iso(now_s)))
