"""The three error families. Whose fault it was decides who catches it.

ApiError   the request's: an answer that the API defines; becomes a metav1.Status
EdgeError  the world's: disk, kernel, network, runtime; a loop requeues with backoff
Bug        ours: a promise inside the program broke; nobody catches it, the component restarts
"""

from __future__ import annotations

import enum
from typing import Any


class Cause(dict[str, str]):
    """One element of Status.details.causes: reason, message, field (each may be absent)."""

    @classmethod
    def of(cls, reason: str = "", message: str = "", field: str = "") -> Cause:
        pairs = (("reason", reason), ("message", message), ("field", field))
        return cls({name: value for name, value in pairs if value})


class ApiError(Exception):
    """An answer that the Kubernetes API defines for a request that can't be carried out.

    code     HTTP status code
    reason   metav1.StatusReason ("" for plain errors, which are 500 without details)
    details  metav1.StatusDetails as a dict, or None where the API answers without details
    headers  further response headers, Retry-After for one
    source   "Kubernetes API Conventions", Response Status Kind
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> dict[str, Any]:
        """The metav1.Status object of this error."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _named(group: str, resource: str, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = resource
    return details


def qualified(group: str, resource: str) -> str:
    """`deployments.apps`; the resource alone in the core group."""
    return f"{resource}.{group}" if group else resource


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, why: str) -> ApiError:
    subject = f'{qualified(group, resource)} "{name}"' if name else qualified(group, resource)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _named(group, resource, name))


def not_found(group: str, resource: str, name: str) -> ApiError:
    message = f'{qualified(group, resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _named(group, resource, name))


def already_exists(group: str, resource: str, name: str) -> ApiError:
    message = f'{qualified(group, resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _named(group, resource, name))


def conflict(group: str, resource: str, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _named(group, resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Outcome(enum.Enum):
    """What is known of an effect that failed."""

    NOT_DONE = "not done"
    UNKNOWN = "unknown"


class Retry(enum.Enum):
    NOW = "now"
    LATER = "later"
    NEVER = "never"


class EdgeError(Exception):
    """Something outside the program failed.

    operation  what was tried, a verb and an object: "pull image"
    target     on what: "registry.local/app:1"
    outcome    NOT_DONE, or UNKNOWN when it may have happened (a timed-out write)
    retry      whether trying again can help
    """

    def __init__(
        self,
        operation: str,
        target: str,
        message: str,
        *,
        outcome: Outcome = Outcome.UNKNOWN,
        retry: Retry = Retry.LATER,
    ) -> None:
        super().__init__(f"{operation} {target}: {message}")
        self.operation = operation
        self.target = target
        self.message = message
        self.outcome = outcome
        self.retry = retry


class Bug(Exception):
    """A promise inside the program broke; the text says which and with what values."""
