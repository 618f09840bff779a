"""The services that credentials come from, on the endpoint's own ports.

STS (form requests, XML answers), instance metadata version 2, the credentials of
containers, and the portal of IAM Identity Center.  What they issue is good for
SageMaker until it expires.  Signatures are checked with botocore.

Not accounted for: session policies, tags, MFA, SAML, and the paging, throttling
and regions of these services.
"""
import json
import time
import urllib.parse
from xml.sax.saxutils import escape

import signature

FORM_TYPE = "application/x-www-form-urlencoded"
VERSION = "2011-06-15"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
SIGNED = ("host", "x-amz-date")

EXTERNAL_ID = "the-external-id"
WEB_IDENTITY_TOKEN = "web-identity-token"
METADATA_TOKEN = "metadata-token=="
INSTANCE_ROLE = "instance-role"
CONTAINER_TOKEN = "container-authorization-token"
SSO_TOKEN = "sso-access-token"
# the account that a machine, a container and the portal belong to
HOME_ACCOUNT = "123456789012"
HOME_REGION = "us-east-1"

METADATA = "/latest/meta-data/"
ROLES = METADATA + "iam/security-credentials/"
CONTAINER = "/v2/credentials/"
PORTAL = "/federation/credentials"

# what SageMaker calls an error, and what STS calls it
STS_CODES = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
}


class Failure(Exception):
    """An error of one of these services."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def form_of(headers, body):
    """The fields of a form, or {}."""
    if headers.get("content-type", "").partition(";")[0] != FORM_TYPE:
        return {}
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def operation_of(method, path, headers, body):
    """What a request asks of these services, or None."""
    bare = path.partition("?")[0]
    if method == "POST":
        action = form_of(headers, body).get("Action") if bare == "/" else None
        return action if action is None or action in Identity.handlers else "UnknownAction"
    if method == "PUT":
        return "MetadataToken" if bare == "/latest/api/token" else None
    if bare == ROLES:
        return "MetadataRole"
    if bare.startswith(ROLES):
        return "MetadataCredentials"
    if bare.startswith(METADATA):
        return "Metadata"
    if bare.startswith(CONTAINER):
        return "ContainerCredentials"
    return "SsoCredentials" if bare == PORTAL else None


def iso(epoch_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))


def xml(members):
    """Members as elements; a dict is an element with elements."""
    return "".join("<%s>%s</%s>" % (name, xml(value) if isinstance(value, dict) else escape(value), name)
                   for name, value in members.items())


class Identity:
    """What has been issued, and who issues it."""

    def __init__(self, service):
        self.service = service
        self.issued = []

    def respond(self, operation, method, path, headers, body):
        """(status, content type, body) of a request."""
        handler = self.handlers.get(operation)
        if method == "POST":
            return self.respond_sts(handler, operation, path, headers, body)
        try:
            text = handler(self, path, headers)
        except Failure as failure:
            return failure.status, "application/json", json.dumps(
                {"code": failure.code, "message": failure.message}).encode()
        if isinstance(text, dict):
            return 200, "application/json", json.dumps(text).encode()
        return 200, "text/plain", text.encode()

    def respond_sts(self, handler, operation, path, headers, body):
        try:
            form = form_of(headers, body)
            if form.pop("Version", None) != VERSION:
                raise Failure(400, "InvalidAction", "Could not find that version")
            form.pop("Action")
            result = handler(self, form, lambda: self.caller(path, headers, body))
            if form:
                raise Failure(400, "ValidationError", "unknown parameters: %s" % ", ".join(sorted(form)))
        except signature.Refused as refused:
            failure = Failure(refused.status, STS_CODES[refused.code], refused.message)
        except Failure as raised:
            failure = raised
        else:
            return 200, "text/xml", ('<%sResponse xmlns="%s">%s</%sResponse>' % (operation, NAMESPACE, xml({
                operation + "Result": result, "ResponseMetadata": {"RequestId": "request-id"}}), operation)).encode()
        return failure.status, "text/xml", ('<ErrorResponse xmlns="%s">%s</ErrorResponse>' % (NAMESPACE, xml({
            "Error": {"Type": "Sender", "Code": failure.code, "Message": failure.message},
            "RequestId": "request-id"}))).encode()

    def caller(self, path, headers, body):
        """(access key id, account) of whoever has signed a request to STS."""
        account, _region = signature.check("POST", path, headers, body, self.service.accounts, self.service.now(),
                                           "sts", SIGNED)
        return headers["authorization"].partition("Credential=")[2].partition("/")[0], account

    # -- issuing -----------------------------------------------------------------

    def issue(self, by, account_id, **about):
        """New keys of an account: (access key id, secret, session token, expiration)."""
        number = len(self.issued) + 1
        key = ("ASIAISSUED%010d" % number, "secret/of+the/issued/keys/%015d" % number, "session-token/issued+%d==" % number)
        expires_s = self.service.now() + self.service.setting("session_seconds", by)
        self.service.add_account(key[0], key[1], key[2], account_id, expires_s)
        self.issued.append({"by": by, "access_key_id": key[0],
                            **{name: about.get(name) for name in ("role_arn", "session_name", "external_id",
                                                                  "duration_seconds", "requested_by")}})
        return (*key, expires_s)

    def expire(self):
        """All that has been issued has expired."""
        for issued in self.issued:
            self.service.accounts[issued["access_key_id"]].expires_s = 0

    # -- STS ---------------------------------------------------------------------

    def assume(self, by, form, **about):
        role_arn, session_name = form.pop("RoleArn", ""), form.pop("RoleSessionName", "")
        duration = form.pop("DurationSeconds", None)
        words = role_arn.split(":")
        if len(words) != 6 or words[2] != "iam" or not words[5].startswith("role/"):
            raise Failure(400, "ValidationError", "%s is invalid" % role_arn)
        if not 2 <= len(session_name) <= 64 or not all(c.isascii() and (c.isalnum() or c in "_+=,.@-") for c in session_name):
            raise Failure(400, "ValidationError", "Value '%s' at 'roleSessionName' failed to satisfy constraint"
                          % session_name)
        if duration is not None and not (duration.isdigit() and 900 <= int(duration) <= 43200):
            raise Failure(400, "ValidationError", "Value '%s' at 'durationSeconds' failed to satisfy constraint" % duration)
        name = words[5].rpartition("/")[2]
        if name == "denied" or name == "external" and about.get("external_id") != EXTERNAL_ID:
            raise Failure(403, "AccessDenied", "User is not authorized to perform: sts:%s on resource: %s" % (by, role_arn))
        key, secret, token, expires_s = self.issue(
            by, words[4], role_arn=role_arn, session_name=session_name,
            duration_seconds=None if duration is None else int(duration), **about)
        self.service.accounts[key].arn = "arn:aws:sts::%s:assumed-role/%s/%s" % (words[4], name, session_name)
        return {"AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:" + session_name,
                                    "Arn": self.service.accounts[key].arn},
                "Credentials": {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token,
                                "Expiration": iso(expires_s)}}

    def assume_role(self, form, caller):
        key, account = caller()
        if account.denied:
            raise Failure(403, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole" % account.arn)
        return self.assume("AssumeRole", form, requested_by=key, external_id=form.pop("ExternalId", None))

    def assume_role_with_web_identity(self, form, _caller):
        if form.pop("WebIdentityToken", None) != WEB_IDENTITY_TOKEN:
            raise Failure(400, "InvalidIdentityToken", "The provided token is not valid")
        return self.assume("AssumeRoleWithWebIdentity", form)

    def get_caller_identity(self, _form, caller):
        _key, account = caller()
        return {"Arn": account.arn, "UserId": "AIDAEXAMPLE", "Account": account.account_id}

    def unknown_action(self, _form, _caller):
        raise Failure(400, "InvalidAction", "Could not find that operation")

    # -- this machine, the portal ----------------------------------------------------

    def metadata_token(self, _path, headers):
        if not headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
            raise Failure(400, "BadRequest", "Bad Request")
        return METADATA_TOKEN

    def metadata(self, path, headers):
        if headers.get("x-aws-ec2-metadata-token") != METADATA_TOKEN:
            raise Failure(401, "Unauthorized", "Unauthorized")
        if path == ROLES:
            return INSTANCE_ROLE
        if path == ROLES + INSTANCE_ROLE:
            return {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": iso(self.service.now()),
                    **self.json_keys("MetadataCredentials")}
        if path == METADATA + "placement/region":
            return HOME_REGION
        raise Failure(404, "NotFound", "Not Found")

    def json_keys(self, by):
        key, secret, token, expires_s = self.issue(by, HOME_ACCOUNT)
        return {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token, "Expiration": iso(expires_s)}

    def container_credentials(self, path, headers):
        if path.endswith("/authorized") and headers.get("authorization") != CONTAINER_TOKEN:
            raise Failure(401, "Unauthorized", "Unauthorized")
        return self.json_keys("ContainerCredentials")

    def sso_credentials(self, path, headers):
        query = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
        if headers.get("x-amz-sso_bearer_token") != SSO_TOKEN:
            raise Failure(401, "UnauthorizedException", "Session token not found or invalid")
        if query.keys() != {"role_name", "account_id"}:
            raise Failure(400, "InvalidRequestException", "role_name and account_id are needed")
        key, secret, token, expires_s = self.issue("SsoCredentials", query["account_id"])
        return {"roleCredentials": {"accessKeyId": key, "secretAccessKey": secret, "sessionToken": token,
                                    "expiration": int(expires_s * 1000)}}

    handlers = {
        "AssumeRole": assume_role, "AssumeRoleWithWebIdentity": assume_role_with_web_identity,
        "GetCallerIdentity": get_caller_identity, "UnknownAction": unknown_action, "MetadataToken": metadata_token, "MetadataRole": metadata,
        "MetadataCredentials": metadata, "Metadata": metadata, "ContainerCredentials": container_credentials,
        "SsoCredentials": sso_credentials,
    }
