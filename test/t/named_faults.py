"""Faults of the service that many tests use, by name: arguments for harness.fault.

Each stays until it is cleared, unless times says how often it comes; more says of which calls, and when.  What only one
test does is written there.
"""


def throttled(times=0, **more):
    return dict(kind="error", code="ThrottlingException", times=times, **more)


def denied(times=0, **more):
    """The IAM policy does not allow the call."""
    return dict(kind="error", code="AccessDeniedException", times=times, **more)


def expired(times=0, **more):
    """The credentials have expired."""
    return dict(kind="error", code="ExpiredTokenException", times=times, **more)


def broken(times=0, **more):
    """The service fails with an error."""
    return dict(kind="error", status=500, code="InternalFailure", times=times, **more)


def role_denied(times=0, **more):
    """STS does not let the role be assumed."""
    return dict(kind="error", operation="AssumeRole", status=403, code="AccessDenied", times=times, **more)


def silent(times=0, **more):
    """There is no answer."""
    return dict(kind="hang", times=times, **more)


def late(delay_ms, times=0, **more):
    """The answer arrives late."""
    return dict(kind="delay", delay_ms=delay_ms, times=times, **more)
