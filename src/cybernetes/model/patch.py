"""Patches of documents: JSON Patch, JSON Merge Patch and Kubernetes' strategic merge. Pure.

Documents are plain JSON values; results share no structure that a caller may not change.

source  RFC 6902, RFC 7396; Kubernetes documentation "Use a Strategic Merge Patch"
"""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import orjson

from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.wire.json import MAX_DEPTH, deeper

Object = dict[str, Any]

# What all copies of one JSON patch may add: each copy may double the document.
COPIED_BYTES_MAX = 3 << 20
_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


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


# ---- strategic merge -----------------------------------------------------------------------------------------------


def strategic_merge(node: Node, doc: Object, patch: Object) -> Object:
    """The document merged with a strategic merge patch, after the merge keys that `node` knows.

    raises  ApiError 400 for directives that make no sense; 500 for list items without their merge key
    """
    return _merge_map(node, doc, patch)


def _merge_map(node: Node | None, doc: Object, patch: Object) -> Object:
    if _DIRECTIVE in patch:
        return _directed_map(node, doc, patch)
    merged = dict(doc)
    retain = patch.get(_RETAIN)
    if retain is not None:
        _check_retained(retain, patch)
        merged = {key: value for key, value in merged.items() if key in retain}
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_FROM):
            _delete_from(merged, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            merged.pop(key, None)
        else:
            order = patch.get(_ORDER + key)
            merged[key] = _merge_field(_field(node, key), merged.get(key), value, order)
    _reorder(node, merged, patch)
    return merged


def _directed_map(node: Node | None, doc: Object, patch: Object) -> Object:
    rest = _undirected(patch)
    match patch[_DIRECTIVE]:
        case "replace":
            return _pruned(rest)
        case "delete":
            return {}
        case "merge":
            return _merge_map(node, doc, rest)
    raise bad_request(f"Unknown patch type found: {patch[_DIRECTIVE]}")


def _check_retained(retain: Any, patch: Object) -> None:
    if not isinstance(retain, list):
        raise bad_request("invalid patch format of retainKeys list, it should be a list")
    for key, value in patch.items():
        if not key.startswith("$") and value is not None and key not in retain:
            raise bad_request(f"{_RETAIN} list doesn't contain all fields present in the patch")


def _field(node: Node | None, key: str) -> tuple[Node | None, tuple[str, ...], str]:
    """Node, patch strategy and merge key of a field."""
    if isinstance(node, StructNode):
        field: Field | None = node.fields.get(key)
        return (field.node, field.patch_strategy, field.merge_key) if field else (None, (), "")
    if isinstance(node, MapNode):
        return node.value, (), ""
    return None, (), ""


def _merge_field(field: tuple[Node | None, tuple[str, ...], str], old: Any, value: Any, order: list[Any] | None) -> Any:
    node, strategy, merge_key = field
    if isinstance(node, UnionNode):
        node = next((each for each in node.members if isinstance(each, StructNode)), None)
    if isinstance(value, dict):
        if "replace" in strategy or not isinstance(old, dict):
            return _pruned(value)
        return _merge_map(node, old, value)
    if isinstance(value, list) and "merge" in strategy:
        item = node.item if isinstance(node, ListNode) else None
        return _merge_list(item, merge_key, old if isinstance(old, list) else [], value, order)
    return copy.deepcopy(value)


def _pruned(value: Any) -> Any:
    """A part of a patch as a value of its own: nulls and directives stand for nothing there."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return {}
        return {k: _pruned(v) for k, v in value.items() if v is not None and not k.startswith("$")}
    if isinstance(value, list):
        return [_pruned(each) for each in value if not (isinstance(each, dict) and each.get(_DIRECTIVE) == "delete")]
    return value


def _merge_list(item: Node | None, key: str, old: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    if not key:
        known = {_text(each) for each in old}
        merged = [*old, *(each for each in patch if _text(each) not in known)]
        return _ordered(merged, patch if order is None else order, old, "")
    if any(isinstance(each, dict) and each == {_DIRECTIVE: "replace"} for each in patch):
        return [_pruned(each) for each in patch if each != {_DIRECTIVE: "replace"}]
    merged = _merge_items(item, key, old, patch)
    wanted = order if order is not None else [each for each in patch if each.get(_DIRECTIVE) != "delete"]
    return _ordered(merged, wanted, old, key)


_GONE = object()


def _merge_items(item: Node | None, key: str, old: list[Any], patch: list[Any]) -> list[Any]:
    """The items of `old`, changed or deleted by those of `patch` with the same key, and the patch's new ones."""
    merged = list(old)
    places: dict[bytes, list[int]] = {}
    for i, each in enumerate(merged):
        if isinstance(each, dict) and key in each:
            places.setdefault(_text(each[key]), []).append(i)
    for each in patch:
        if not isinstance(each, dict) or key not in each:
            raise ApiError(500, "", f"map: {printed(each)} does not contain declared merge key: {key}")
        name = _text(each[key])
        found = places.get(name)
        if each.get(_DIRECTIVE) == "delete":
            for i in places.pop(name, ()):
                merged[i] = _GONE
        elif found is None:
            places[name] = [len(merged)]
            merged.append(_pruned(_undirected(each)))
        elif each.get(_DIRECTIVE) == "replace":
            merged[found[0]] = _pruned(_undirected(each))
        else:
            merged[found[0]] = _merge_map(item, merged[found[0]], each)
    return [each for each in merged if each is not _GONE]


def _undirected(patch: Object) -> Object:
    return {key: value for key, value in patch.items() if key != _DIRECTIVE}


def _delete_from(merged: Object, field: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request("invalid patch format of primitive list")
    if isinstance(merged.get(field), list):
        doomed = {_text(each) for each in values}
        merged[field] = [each for each in merged[field] if _text(each) not in doomed]
        if not merged[field]:
            del merged[field]


def _reorder(node: Node | None, merged: Object, patch: Object) -> None:
    """Orders of lists that the patch does not change otherwise."""
    for key, order in patch.items():
        if not key.startswith(_ORDER):
            continue
        field = key.removeprefix(_ORDER)
        if field in patch or not isinstance(merged.get(field), list):
            continue
        merge_key = _field(node, field)[2]
        merged[field] = _ordered(merged[field], order, merged[field], merge_key)


def _ordered(items: list[Any], wanted: Any, old: list[Any], key: str) -> list[Any]:
    """`items` with those that `wanted` names in its order, the others among them where they stood in `old`."""
    if not isinstance(wanted, list):
        raise bad_request(f"the order of a list must be a list, not {printed(wanted)}")
    names, server = _ranks(wanted, key), _ranks(old, key)
    with_rank = [(_identity(each, key), each) for each in items]
    named = sorted((each for each in with_rank if each[0] in names), key=lambda each: names[each[0]])
    others = deque(each for each in with_rank if each[0] not in names)
    result: list[Any] = []
    for identity, each in named:
        here = server.get(identity)
        while here is not None and others and server.get(others[0][0], here) < here:
            result.append(others.popleft()[1])
        result.append(each)
    return [*result, *(each for _, each in others)]


def _ranks(items: list[Any], key: str) -> dict[bytes, int]:
    """Where each item stands first."""
    ranks: dict[bytes, int] = {}
    for i, each in enumerate(items):
        ranks.setdefault(_identity(each, key), i)
    return ranks


def _identity(item: Any, key: str) -> bytes:
    """What tells items of a list apart: themselves, or their values of the merge key."""
    return _text(item.get(key) if key and isinstance(item, dict) else item)


def _text(value: Any) -> bytes:
    """Sets and dicts need something that can be hashed, and lists of a whole body are too long to be searched."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def printed(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{printed(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(printed, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
