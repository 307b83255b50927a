"""Patches and server-side apply: any patch of any document gives a document, or an error of the client's."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from documents import KEYS, OBJECTS, PODS, VALUES
from hypothesis import given
from hypothesis import strategies as st

from cybernetes.base.errors import ApiError
from cybernetes.model import apply, patch, strategic
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import normalize
from cybernetes.wire import json as json_codec

POD = schema.node("io.k8s.api.core.v1.Pod")
POINTERS = st.lists(KEYS | st.sampled_from(["0", "1", "-", "-1", "01", "+1", "1_0"]), max_size=4).map(
    lambda parts: "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]), "path": POINTERS},
    optional={"value": VALUES, "from": POINTERS},
)


@given(OBJECTS, st.lists(OPERATIONS | VALUES, max_size=5))
def test_json_patches(doc: dict[str, Any], operations: list[Any]) -> None:
    before = copy.deepcopy(doc)
    try:
        patched = patch.json_patch(doc, operations)
    except ApiError as error:
        assert error.code == 422
        return
    finally:
        assert doc == before
    orjson.dumps(patched)
    naive: Any = before
    for operation in operations:
        naive = _operated(naive, operation)
    assert _text(naive) == _text(patched)


def _operated(doc: Any, operation: dict[str, Any]) -> Any:
    """RFC 6902 by building each changed part anew; only for operations that apply."""
    path = _parts(operation["path"])
    match operation["op"]:
        case "add":
            return _put(doc, path, operation["value"], insert=True)
        case "replace":
            return _put(doc, path, operation.get("value"), insert=False)
        case "remove":
            return _cut(doc, path)
        case "move":
            source = _parts(operation["from"])
            return _put(_cut(doc, source), path, _at(doc, source), insert=True)
        case "copy":
            return _put(doc, path, _at(doc, _parts(operation["from"])), insert=True)
    return doc


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(doc: Any, path: list[str]) -> Any:
    return doc if not path else _at(doc[int(path[0])] if isinstance(doc, list) else doc[path[0]], path[1:])


def _put(doc: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(doc, dict):
        return {**doc, first: _put(doc.get(first), rest, value, insert=insert)}
    at = len(doc) if first == "-" else int(first) % len(doc) if rest or not insert else int(first)
    if rest or not insert:
        return [*doc[:at], _put(doc[at], rest, value, insert=insert), *doc[at + 1 :]]
    return [*doc[:at], value, *doc[at:]]


def _cut(doc: Any, path: list[str]) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(doc, dict):
        kept = {key: value for key, value in doc.items() if key != first}
        return {**doc, first: _cut(doc[first], rest)} if rest else kept
    at = int(first) % len(doc)
    return [*doc[:at], *([_cut(doc[at], rest)] if rest else []), *doc[at + 1 :]]


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@given(VALUES, VALUES)
def test_merge_patches(doc: Any, change: Any) -> None:
    once = patch.merge_patch(doc, change)
    assert _text(patch.merge_patch(once, change)) == _text(once)
    assert _text(once) == _text(_merged(doc, change))


def _merged(doc: Any, change: Any) -> Any:
    """RFC 7396, section 2, as it is written there."""
    if not isinstance(change, dict):
        return change
    target = copy.deepcopy(doc) if isinstance(doc, dict) else {}
    for name, value in change.items():
        if value is None:
            if name in target:
                del target[name]
        else:
            target[name] = _merged(target.get(name), value)
    return target


DIRECTIVES = st.dictionaries(
    st.sampled_from(["$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers"]),
    st.sampled_from(["replace", "delete", "merge", "x"]) | VALUES,
    max_size=2,
)


@given(PODS, PODS)
def test_strategic_merges_of_plain_objects(doc: dict[str, Any], change: dict[str, Any]) -> None:
    once = strategic.strategic_merge(POD, doc, change)
    assert _text(strategic.strategic_merge(POD, once, change)) == _text(once)
    assert _by_keys(once) == _by_keys(_overlaid(doc, change))


KEYED = {"containers": "name", "env": "name", "ports": "containerPort"}


def _overlaid(doc: Any, change: Any, field: str = "") -> Any:
    """A naive strategic merge: keyed lists are maps, finalizers a set, other lists are replaced."""
    if isinstance(change, dict) and isinstance(doc, dict):
        return {**doc, **{key: _overlaid(doc.get(key), value, key) for key, value in change.items()}}
    if isinstance(change, list) and isinstance(doc, list) and field in KEYED:
        key = KEYED[field]
        items = [*doc]
        for each in change:
            at = next((i for i, item in enumerate(items) if item[key] == each[key]), None)
            if at is None:
                items.append(each)
            else:
                items[at] = _overlaid(items[at], each)
        return items
    if isinstance(change, list) and isinstance(doc, list) and field == "finalizers":
        return [*doc, *(each for each in change if each not in doc)]
    return change


def _by_keys(value: Any) -> Any:
    """Without the order of lists, which has rules of its own."""
    if isinstance(value, dict):
        return {key: _by_keys(each) for key, each in value.items()}
    return sorted(_text(_by_keys(each)).decode() for each in value) if isinstance(value, list) else value


@given(PODS, PODS, DIRECTIVES, DIRECTIVES, VALUES)
def test_strategic_merges_with_any_directives(
    doc: dict[str, Any], change: dict[str, Any], above: dict[str, Any], within: dict[str, Any], strange: Any
) -> None:
    metadata = {**change["metadata"], **within, "ownerReferences": strange}
    spec = change.get("spec")
    change = {**change, "metadata": metadata, **above}
    if isinstance(spec, dict):
        change["spec"] = {**spec, **within}
    try:
        merged = strategic.strategic_merge(POD, doc, change)
    except ApiError as error:
        assert error.code in (400, 422, 500)
        assert error.message
        return
    orjson.dumps(merged)


def _applied(live: dict[str, Any] | None, config: dict[str, Any], manager: str) -> dict[str, Any]:
    writing = apply.Writing(manager=manager, api_version="v1", now="2026-01-01T00:00:00Z")
    whole = {"kind": "Pod", "apiVersion": "v1", **normalize(POD, copy.deepcopy(config))}
    return apply.apply(POD, live, whole, writing, force=True).object


@given(PODS, PODS, PODS)
def test_applying_again_changes_nothing(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> None:
    live = _applied(None, first, "one")
    live = _applied(live, second, "two")
    once = _applied(live, third, "one")
    assert _text(_applied(once, third, "one")) == _text(once)
    # What both have given up is gone.
    owned = {key for each in (second, third) for key in each["metadata"].get("labels", {})}
    assert set(once["metadata"].get("labels") or {}) == owned


@given(st.binary(max_size=30))
def test_patches_that_are_no_json(body: bytes) -> None:
    try:
        json_codec.decode(body)
    except json_codec.SyntaxProblem as problem:
        assert str(problem)
