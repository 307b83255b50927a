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
_BAD_RETAIN = "invalid patch format of retainKeys"


def strategic_merge(node: Node, doc: Object, patch: Object) -> Object:
    """The document merged with a strategic merge patch, after the merge keys that `node` knows.

    raises  ApiError in the reference's codes for what it does not foresee: 400 for keys to retain and primitives that
            are no lists, 500 for everything else that makes no sense (directives, orders, items without merge key)
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
    _check_orders(node, doc, patch)
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_FROM):
            _delete_from(merged, key.removeprefix(_DELETE_FROM), value)
        elif value is None or (_is_directed(value) and not isinstance(merged.get(key), dict)):
            # There is nothing that a directive could be about.
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
    raise _unknown_directive(patch)


def _unknown_directive(patch: Object) -> ApiError:
    return _senseless(f"unknown patch type: {printed(patch[_DIRECTIVE])} in map: {printed(patch)}")


def _senseless(why: str) -> ApiError:
    return ApiError(500, "", why)


def _check_retained(retain: Any, patch: Object) -> None:
    if not isinstance(retain, list):
        raise bad_request(_BAD_RETAIN)
    for key, value in patch.items():
        if not key.startswith("$") and value is not None and key not in retain:
            raise bad_request(_BAD_RETAIN)


def _check_orders(node: Node | None, doc: Object, patch: Object) -> None:
    """An order must be of a list that exists, and name what the patch has of it, in the patch's own order."""
    for directive, order in patch.items():
        if not directive.startswith(_ORDER):
            continue
        name = directive.removeprefix(_ORDER)
        for each in (order, doc.get(name, ()), patch.get(name, ())):
            if each != () and not isinstance(each, list):
                raise _wrong_type("[]interface {}", each)
        if isinstance(node, StructNode) and name not in node.fields:
            struct = node.name.rpartition(".")[2]
            raise _senseless(f'unable to find api field in struct {struct} for the json field "{name}"')
        _check_order(patch.get(name, []), order, _field(node, name)[2])


def _check_order(items: list[Any], order: list[Any], key: str) -> None:
    if not items or not order:
        return
    plain = [each for each in items if not _is_directed(each)] if key else items
    places = iter(order)
    for each in plain:
        wanted = _merge_value(each, key)
        if not any(_merge_value(place, key) == wanted for place in places):
            listed = (
                f"The order in patch list:\n{printed(items)}\n doesn't match $setElementOrder list:\n{printed(order)}\n"
            )
            raise _senseless(listed)


def _merge_value(item: Any, key: str) -> bytes:
    """What tells an item from others. Raises ApiError 500 where it has no merge key but should."""
    if not key:
        return _text(item)
    if not isinstance(item, dict):
        raise _wrong_type("map[string]interface {}", item)
    if key not in item:
        raise _senseless(f"map: {printed(item)} does not contain declared merge key: {key}")
    return _text(item[key])


_GO_TYPES = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    type(None): "%!s(<nil>)",
}


def _wrong_type(expected: str, found: Any) -> ApiError:
    return _senseless(f"expected a {expected}, but received a {_GO_TYPES[type(found)]}")


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
    if not isinstance(value, list):
        return value
    if not isinstance(old, list):
        return _pruned(value)
    if "merge" not in strategy:
        return copy.deepcopy(value)
    return _merge_list(node.item if isinstance(node, ListNode) else None, merge_key, old, value, order)


def _pruned(value: Any) -> Any:
    """A part of a patch as a value of its own: nulls, and what has a directive, stand for nothing there."""
    if isinstance(value, dict):
        return {
            name: _pruned(each)
            for name, each in value.items()
            if each is not None and not name.startswith("$") and not _is_directed(each)
        }
    if isinstance(value, list):
        return [_pruned(each) for each in value if not _is_directed(each)]
    return value


def _is_directed(value: Any) -> bool:
    return isinstance(value, dict) and _DIRECTIVE in value


def _merge_list(item: Node | None, key: str, old: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    if not key:
        known = {_text(each) for each in old}
        merged = [*old, *(each for each in patch if _text(each) not in known)]
        return _ordered(merged, patch if order is None else order, old, "")
    _check_types(old, patch)
    plain = [each for each in patch if not _is_directed(each)]
    kept = _directed_items(old, [each for each in patch if _is_directed(each)], key)
    if kept is None:
        return [_pruned(each) for each in plain]
    return _ordered(_merge_items(item, key, kept, plain), plain if order is None else order, old, key)


def _check_types(*lists: list[Any]) -> None:
    types = {type(each) for items in lists for each in items}
    if len(types) > 1:
        raise _senseless(f"list element types are not identical: {printed(list(lists))}")
    for found in types - {dict}:
        raise _wrong_type("map[string]interface {}", found())


def _directed_items(old: list[Any], directed: list[Object], key: str) -> list[Any] | None:
    """The items of `old` that those with directives leave; None: the patch's other items take the place of all."""
    doomed, replaced = set(), False
    for each in directed:
        match each[_DIRECTIVE]:
            case "delete":
                doomed.add(_merge_value(each, key))
            case "replace":
                replaced = True
            case "merge":
                raise _senseless("merging lists cannot yet be specified in the patch")
            case _:
                raise _unknown_directive(each)
    return None if replaced else [each for each in old if key not in each or _text(each[key]) not in doomed]


def _merge_items(item: Node | None, key: str, old: list[Any], patch: list[Any]) -> list[Any]:
    """The items of `old`, changed by those of `patch` with the same key, and the patch's new ones."""
    merged = list(old)
    places: dict[bytes, int] = {}
    for i, each in enumerate(merged):
        if key in each:
            places.setdefault(_text(each[key]), i)
    for each in patch:
        place = places.setdefault(_merge_value(each, key), len(merged))
        if place == len(merged):
            merged.append(_pruned(each))
        else:
            merged[place] = _merge_map(item, merged[place], each)
    return merged


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


def _ordered(items: list[Any], wanted: list[Any], old: list[Any], key: str) -> list[Any]:
    """`items` with those that `wanted` names in its order, the others among them where they stood in `old`."""
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
