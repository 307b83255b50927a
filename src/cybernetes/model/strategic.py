"""Kubernetes' strategic merge of documents: lists merge by the keys that the schema names. Pure.

Documents are plain JSON values; results share no structure that a caller may not change.

source  Kubernetes documentation "Use a Strategic Merge Patch"
"""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import orjson

from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode, UnionNode

Object = dict[str, Any]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


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
