"""What is sent to a webhook, and what its answer means. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.matching import request_of
from cybernetes.base.errors import ApiError
from cybernetes.model.field import quoted
from cybernetes.model.validation.names import qualified_name

Object = dict[str, Any]

GROUP = "admission.k8s.io"
# Of AdmissionReview. In the older one an answer need not repeat what it answers to, and a patch is a JSON patch.
VERSIONS = ("v1", "v1beta1")
# A patch has as many operations as one of a client may have.
OPERATIONS_MAX = 10_000


class Unreadable(Exception):
    """The hook's answer is no answer to a review; the text says why, as if it had not been reached."""


class Unusable(Exception):
    """The hook's answer can be read, but is no answer to this review; the text says why."""


class Verdict(msgspec.Struct, frozen=True):
    """refusal  None where the hook allows; patch: JSON patch operations"""

    refusal: ApiError | None = None
    patch: list[Any] = []
    warnings: list[str] = []
    annotations: dict[str, str] = {}


class _Status(msgspec.Struct):
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: dict[str, Any] | None = None


class _Response(msgspec.Struct):
    uid: str | None = None
    allowed: bool | None = None
    status: _Status | None = None
    patch: str | None = None
    patchType: str | None = None
    warnings: list[str] | None = None
    auditAnnotations: dict[str, str] | None = None


class _Review(msgspec.Struct):
    kind: str | None = None
    apiVersion: str | None = None
    response: _Response | None = None


_DECODER = msgspec.json.Decoder(_Review)


def version_for(accepted: Sequence[str]) -> str:
    """The version of AdmissionReview that the hook reads best."""
    return next((each for each in accepted if each in VERSIONS), VERSIONS[0])


def review_of(attributes: AdmissionAttributes, uid: str, version: str) -> bytes:
    """The AdmissionReview as JSON."""
    request = request_of(attributes, uid)
    request["object"] = attributes.object
    request["oldObject"] = attributes.old
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": request})


def verdict_of(body: bytes, uid: str, hook: str, version: str, *, mutating: bool) -> Verdict:
    """Raises Unreadable or Unusable when the body is no answer to the review `uid`.

    raises  ApiError 500 for a patch that is no JSON patch: that is not forgiven by a failure policy
    """
    review = _review(body)
    if version == "v1":
        response = _response(review, uid)
        patch = _patch_of(response) if mutating else _no_patch(response)
    else:
        response = _older_response(review, version)
        patch = response.patch or "" if mutating else ""
    annotations = {
        f"{hook}/{key}": value
        for key, value in (response.auditAnnotations or {}).items()
        if not qualified_name(f"{hook}/{key}")
    }
    refusal = None if response.allowed else _refusal(hook, response.status or _Status())
    operations = _operations(_decoded(patch)) if patch and refusal is None else []
    return Verdict(refusal, operations, response.warnings or [], annotations)


def _review(body: bytes) -> _Review:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Unreadable(f"couldn't get version/kind; json parse error: {wrong}") from wrong


def _response(review: _Review, uid: str) -> _Response:
    _check_kind(review, "v1")
    if review.response is None:
        raise Unusable("webhook response was absent")
    if review.response.uid != uid:
        raise Unusable(f"expected response.uid={quoted(uid)}, got {quoted(review.response.uid or '')}")
    return review.response


def _older_response(review: _Review, version: str) -> _Response:
    if review.kind or review.apiVersion:
        _check_kind(review, version)
    if review.response is None:
        raise Unusable("webhook response was absent")
    return review.response


def _check_kind(review: _Review, version: str) -> None:
    if (review.kind, review.apiVersion) != ("AdmissionReview", f"{GROUP}/{version}"):
        raise Unusable(
            f"expected webhook response of {GROUP}/{version}, Kind=AdmissionReview, "
            f"got {review.apiVersion or '/'}, Kind={review.kind or ''}"
        )


def _no_patch(response: _Response) -> str:
    if response.patch:
        raise Unusable("validating webhook may not return response.patch")
    if response.patchType is not None:
        raise Unusable("validating webhook may not return response.patchType")
    return ""


def _patch_of(response: _Response) -> str:
    patch, kind = response.patch or "", response.patchType
    if patch and kind is None:
        raise Unusable("webhook returned response.patch but not response.patchType")
    if kind is not None and not patch:
        raise Unusable("webhook returned response.patchType but not response.patch")
    if patch and kind != "JSONPatch":
        raise Unusable(f"webhook returned invalid response.patchType of {quoted(kind or '')}")
    return patch


def _decoded(patch: str) -> bytes:
    try:
        return b64decode(patch, validate=True)
    except ValueError as wrong:
        raise Unreadable(f"illegal base64 data: {wrong}") from wrong


def _operations(patch: bytes) -> list[Any]:
    try:
        operations = orjson.loads(patch)
    except orjson.JSONDecodeError as wrong:
        raise internal(f"the patch is no JSON: {wrong}") from wrong
    if not isinstance(operations, list):
        raise internal("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > OPERATIONS_MAX:
        raise internal(f"the patch has {len(operations)} operations; {OPERATIONS_MAX} are allowed")
    return operations


def _refusal(hook: str, status: _Status) -> ApiError:
    denied = f"admission webhook {quoted(hook)} denied the request"
    said = status.message or status.reason
    code = status.code or 0
    message = f"{denied}: {said}" if said else f"{denied} without explanation"
    return ApiError(code if 400 <= code <= 599 else 400, status.reason or "", message, status.details)


def internal(text: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {text}", {"causes": [{"message": text}]})


def failure(hook: str, why: str) -> ApiError:
    """A hook that must be asked could not be asked."""
    return internal(f"failed calling webhook {quoted(hook)}: {why}")
