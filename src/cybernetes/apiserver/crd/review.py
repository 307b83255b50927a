"""What is sent to a conversion webhook, and what its answer means. Pure.

source  Kubernetes documentation "Versions in CustomResourceDefinitions", Webhook request and response
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import orjson

from cybernetes.model.field import FieldError, Path
from cybernetes.model.validation.meta import validate_annotations, validate_labels
from cybernetes.wire import json as json_codec

Object = dict[str, Any]

GROUP = "apiextensions.k8s.io"
VERSIONS = ("v1", "v1beta1")
_MAP_RULES = {"labels": validate_labels, "annotations": validate_annotations}


class Unusable(Exception):
    """The answer can't be used. The text goes on after `conversion webhook for KIND `."""


def review_version(accepted: Sequence[str]) -> str:
    """The version of ConversionReview that the hook reads best. Raises Unusable."""
    for each in accepted:
        if each in VERSIONS:
            return each
    raise Unusable("failed: no supported conversion review versions")


def review_of(objects: Sequence[Object], api_version: str, uid: str, version: str) -> bytes:
    """The ConversionReview as JSON."""
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    return orjson.dumps({"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": request})


def converted(body: bytes, objects: Sequence[Object], api_version: str, uid: str, version: str) -> list[Object]:
    """The objects in `api_version`, in the order in which they were sent. Raises Unusable.

    A hook may change labels and annotations, and everything that is not metadata; name, namespace and UID must be the
    object's, and all the rest of its metadata is put back.
    """
    answers = _answers(body, uid, version)
    if len(answers) != len(objects):
        raise Unusable(f"returned {len(answers)} objects, expected {len(objects)}")
    return [_checked(each, answers[i], api_version, i) for i, each in enumerate(objects)]


def _answers(body: bytes, uid: str, version: str) -> list[Any]:
    try:
        review = json_codec.decode(body)
    except json_codec.SyntaxProblem as wrong:
        raise Unusable(f"failed: couldn't get version/kind; json parse error: {wrong}") from wrong
    shape = review if isinstance(review, dict) else {}
    kind, api_version = shape.get("kind"), shape.get("apiVersion")
    if (kind, api_version) != ("ConversionReview", f"{GROUP}/{version}"):
        wanted = f"{GROUP}/{version}, Kind=ConversionReview"
        raise Unusable(f"failed: expected webhook response of {wanted}, got {api_version or '/'}, Kind={kind or ''}")
    response = shape.get("response")
    if not isinstance(response, dict):
        raise Unusable("failed: no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise Unusable(f'failed: expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        said = result.get("message") or f"response.result.status was '{result.get('status') or ''}', not 'Success'"
        raise Unusable(f"failed: {said}")
    objects = response.get("convertedObjects")
    return objects if isinstance(objects, list) else []


def _checked(original: Object, answer: Any, api_version: str, index: int) -> Object:
    at = f"returned invalid converted object at index {index}"
    if not isinstance(answer, dict):
        raise Unusable(f"{at}: invalid type, expected=Unstructured")
    if answer.get("apiVersion") != api_version:
        raise Unusable(
            f"{at}: invalid groupVersion (expected {api_version}, received {answer.get('apiVersion') or ''})"
        )
    if answer.get("kind") != original["kind"]:
        raise Unusable(f"{at}: invalid kind (expected {original['kind']}, received {answer.get('kind') or ''})")
    metadata = answer.get("metadata")
    if metadata is None:
        raise Unusable(f"returned invalid metadata in object at index {index}: missing metadata in converted object")
    if not isinstance(metadata, dict):
        raise Unusable(
            f"returned invalid metadata in object at index {index}: "
            f"invalid metadata of type {_go_type(metadata)} in converted object"
        )
    for name, said in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        was, now = original["metadata"].get(name) or "", metadata.get(name) or ""
        if was != now:
            raise Unusable(f"{at}: must have the same {said}: {was} != {now}")
    return {**answer, "metadata": _metadata(original["metadata"], metadata, index)}


def _metadata(original: Object, answered: Object, index: int) -> Object:
    """The original's, with labels and annotations of the answer."""
    metadata: Object = copy.deepcopy(original)
    for name, rule in _MAP_RULES.items():
        found = answered.get(name)
        metadata.pop(name, None)
        if found is None:
            continue
        problem = _map_problem(name, found)
        if not problem and found != original.get(name):
            errors = rule(found, Path("metadata").child("annotation" if name == "annotations" else name))
            problem = _listed(errors)
        if problem:
            raise Unusable(f"returned invalid metadata in object at index {index}: {problem}")
        metadata[name] = found
    return metadata


def _listed(errors: list[FieldError]) -> str:
    texts = list(dict.fromkeys(f"{each.field}: {each.body}" for each in errors))
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]" if texts else ""


def _map_problem(name: str, found: Any) -> str:
    if not isinstance(found, dict):
        return f"invalid metadata.{name} of type {_go_type(found)} in converted object"
    for key, value in found.items():
        if not isinstance(value, str):
            return f"metadata.{name}[{key}] must be a string, but is {_go_type(value)} in converted object"
    return ""


def _go_type(value: Any) -> str:
    if value is None:
        return "<nil>"
    names = {bool: "bool", str: "string", int: "int64", float: "float64", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")
