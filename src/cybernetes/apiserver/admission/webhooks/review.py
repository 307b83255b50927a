"""What is sent to a webhook, and what its answer means. Pure."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.matching import request_of
from cybernetes.base.errors import ApiError

Object = dict[str, Any]

API_VERSION = "admission.k8s.io/v1"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class Unusable(Exception):
    """The hook's answer can't be understood; the text says why."""


class Verdict(msgspec.Struct, frozen=True):
    """refusal  None where the hook allows; patch: JSON patch operations"""

    refusal: ApiError | None = None
    patch: list[Any] = []
    warnings: list[str] = []
    annotations: dict[str, str] = {}


def review_of(attributes: AdmissionAttributes, uid: str) -> bytes:
    """The AdmissionReview as JSON."""
    request = request_of(attributes, uid)
    request["object"] = attributes.object
    request["oldObject"] = attributes.old
    options = _OPTIONS.get(attributes.operation)
    if options:
        request["options"] = {"kind": options, "apiVersion": "meta.k8s.io/v1", **attributes.options}
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": API_VERSION, "request": request})


def verdict_of(body: bytes, uid: str, hook: str) -> Verdict:
    """Raises Unusable when the body is no answer to the review `uid`."""
    response = _response(body, uid)
    if not response.get("allowed"):
        refusal = _refusal(hook, response.get("status") or {})
        return Verdict(refusal, warnings=response.get("warnings") or [])
    return Verdict(
        patch=_patch(response),
        warnings=response.get("warnings") or [],
        annotations={f"{hook}/{key}": value for key, value in (response.get("auditAnnotations") or {}).items()},
    )


def _response(body: bytes, uid: str) -> Object:
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Unusable(f"couldn't get version/kind; json parse error: {wrong}") from wrong
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise Unusable("expected an AdmissionReview")
    if review.get("apiVersion") != API_VERSION:
        raise Unusable(f"expected webhook response of {API_VERSION}, Kind=AdmissionReview")
    response = review.get("response")
    if not isinstance(response, dict):
        raise Unusable("webhook response is absent")
    if response.get("uid") != uid:
        raise Unusable(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    return response


def _patch(response: Object) -> list[Any]:
    patch = response.get("patch")
    if not patch:
        return []
    if response.get("patchType") != "JSONPatch":
        raise Unusable(f'invalid response.patchType "{response.get("patchType", "")}"')
    try:
        operations = orjson.loads(b64decode(patch))
    except ValueError as wrong:
        raise Unusable(f"the patch is not JSON: {wrong}") from wrong
    if not isinstance(operations, list):
        raise Unusable("the patch is not a list of operations")
    return operations


def _refusal(hook: str, status: Object) -> ApiError:
    denied = f'admission webhook "{hook}" denied the request'
    said = status.get("message") or status.get("reason")
    code = status.get("code") or 0
    message = f"{denied}: {said}" if said else f"{denied} without explanation"
    return ApiError(code if code >= 400 else 400, status.get("reason", ""), message, status.get("details"))


def failure(hook: str, why: str) -> ApiError:
    """A hook that must be asked could not be asked."""
    message = f'failed calling webhook "{hook}": {why}'
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})
