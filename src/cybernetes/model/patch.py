"""Patches of documents: JSON Patch and JSON Merge Patch; `strategic` has Kubernetes' own. Pure.

Documents are plain JSON values; results share no structure that a caller may not change.

source  RFC 6902, RFC 7396
"""

from __future__ import annotations

import copy
from typing import Any

import orjson

from cybernetes.base.errors import ApiError
from cybernetes.wire.json import MAX_DEPTH, deeper

Object = dict[str, Any]

# What all copies of one JSON patch may add: each copy may double the document.
COPIED_BYTES_MAX = 3 << 20


# ---- JSON Patch ----------------------------------------------------------------------------------------------------


def json_patch(doc: Object, operations: list[Any]) -> Object:
    """The document after all operations, or ApiError 422 when one can't be applied."""
    root: Any = copy.deepcopy(doc)
    copied = 0
    for operation in operations:
        try:
            copied += _copied_bytes(root, operation)
            if copied > COPIED_BYTES_MAX:
                raise _Unappliable("copies are too large")
            root = _operate(root, operation)
        except (_Unappliable, KeyError, IndexError, TypeError, ValueError, AttributeError) as wrong:
            raise _rejected() from wrong
    if not isinstance(root, dict) or deeper(root, MAX_DEPTH):
        raise _rejected()
    return root


def _copied_bytes(root: Any, operation: Object) -> int:
    """By how much an operation makes the document grow beyond what the patch itself holds."""
    if operation.get("op") != "copy":
        return 0
    return len(orjson.dumps(_resolve(root, _pointer(operation["from"]))))


class _Unappliable(Exception):
    """An operation of a JSON patch that does not fit the document."""


def _rejected() -> ApiError:
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def _operate(root: Any, operation: Object) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _add(root, path, copy.deepcopy(operation["value"]))
        case "replace":
            _resolve(root, path)
            return _replace(root, path, copy.deepcopy(operation.get("value")))
        case "remove":
            _remove(root, path)
            return root
        case "test":
            wanted = operation.get("value")
            if not (wanted is None and _absent(root, path)) and not _equal(_resolve(root, path), wanted):
                raise _Unappliable("test failed")
            return root
        case "move":
            source = _pointer(operation["from"])
            value = _resolve(root, source)
            _remove(root, source)
            return _add(root, path, value)
        case "copy":
            return _add(root, path, copy.deepcopy(_resolve(root, _pointer(operation["from"]))))
    raise _Unappliable(f"unexpected kind: {operation['op']}")


def _absent(root: Any, path: list[str]) -> bool:
    """Whether nothing but the last key is missing: the reference takes it to be null."""
    parent = _resolve(root, path[:-1]) if path else None
    return isinstance(parent, dict) and path[-1] not in parent


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _Unappliable(f"no pointer: {text}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _resolve(node: Any, path: list[str]) -> Any:
    for part in path:
        node = node[_index(node, part)] if isinstance(node, list) else node[part]
    return node


def _index(node: list[Any], part: str) -> int:
    at = int(part)
    if not -len(node) <= at < len(node):
        raise _Unappliable(f"index {part} out of bounds")
    return at


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _resolve(root, path[:-1])
    last = path[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if not 0 <= at <= len(parent):
            raise _Unappliable(f"index {last} out of bounds")
        parent.insert(at, value)
    else:
        parent[last] = value
    return root


def _replace(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _resolve(root, path[:-1])
    parent[_index(parent, path[-1]) if isinstance(parent, list) else path[-1]] = value
    return root


def _remove(root: Any, path: list[str]) -> None:
    parent = _resolve(root, path[:-1])
    del parent[_index(parent, path[-1]) if isinstance(parent, list) else path[-1]]


def _equal(a: Any, b: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


# ---- JSON Merge Patch ----------------------------------------------------------------------------------------------


def merge_patch(doc: Any, patch: Any) -> Any:
    """The document with the patch's fields set, and those that the patch has as null removed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
