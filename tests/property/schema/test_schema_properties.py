"""Laws that hold for every value of every kind; values are made from the nodes themselves."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from cybernetes.model import quantity, resources
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode, normalize
from cybernetes.model.schema.default import default
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.model.schema.reader import converter
from cybernetes.model.schema.strict import Walk
from cybernetes.wire import protobuf

ROWS = sorted({(row.api_version, row.kind): row for row in resources.load()}.items())
SCALARS: dict[str, list[Any]] = {
    "string": ["", "a", "ä", 'q"uote', "x" * 50],
    "int32": [0, 1, -1, 2**31 - 1, -(2**31)],
    "int64": [0, 5, -5, 2**63 - 1, -(2**63)],
    "bool": [True, False],
    "double": [0, 1.5, -2],
    "bytes": ["", "AAEC"],
    "quantity": ["0", "100m", "1Gi", "1.5", 2, "3e6"],
    "int-or-string": [0, 80, "http", "50%", ""],
    "time": ["2026-01-02T03:04:05Z", "2020-02-29T23:59:59+02:00"],
    "micro-time": ["2026-01-02T03:04:05.000006Z"],
    "duration": ["1h"],
    "raw": [{"a": [1, {"b": None}]}, [], "x", 1],
}


def made(node: Node, chance: random.Random, depth: int = 0) -> Any:
    """A value that fits the node; deeper ones get sparser."""
    if isinstance(node, StructNode):
        likely = 0.6 if depth < 3 else 0.25 if depth < 8 else 0.0
        names = [name for name in node.fields if chance.random() < likely]
        chance.shuffle(names)
        return {name: made(node.fields[name].node, chance, depth + 1) for name in names}
    if isinstance(node, ListNode):
        return [made(node.item, chance, depth + 1) for _ in range(chance.randrange(3))]
    if isinstance(node, MapNode):
        return {f"k{i}": made(node.value, chance, depth + 1) for i in range(chance.randrange(3))}
    if isinstance(node, UnionNode):
        return made(chance.choice(node.members), chance, depth + 1)
    return chance.choice(SCALARS[node.type])


@pytest.mark.parametrize(("key", "row"), ROWS, ids=lambda each: "-".join(each) if isinstance(each, tuple) else "")
def test_laws_of_reading_filling_and_encoding(key: tuple[str, str], row: Any) -> None:
    api_version, kind = key
    node = schema.node(row.schema)
    for seed in range(12):
        value = made(node, random.Random(f"{kind}{seed}"))
        value.update(kind=kind, apiVersion=api_version)
        body = orjson.dumps(value)
        obj = decode(node, body, "application/json", kind=kind, api_version=api_version).object
        encoded = orjson.dumps(obj)

        # The fast and the exact road give the same bytes.
        walk = Walk()
        assert orjson.dumps(walk.read(node, orjson.loads(body))) == encoded
        assert (walk.error, walk.unknown) == (None, [])
        # What was read is read again unchanged.
        assert orjson.dumps(normalize(node, orjson.loads(encoded))) == encoded

        filled = orjson.loads(encoded)
        default(node, filled)
        once = orjson.dumps(filled)
        # Filled objects keep the order of the struct, and are filled already.
        assert orjson.dumps(normalize(node, orjson.loads(once))) == once
        default(node, filled)
        assert orjson.dumps(filled) == once


def _is_told(field: Field, value: Any) -> bool:
    """Whether the wire has the field. No list (or map) and an empty one are the same there."""
    return bool(field.wire) and (bool(value) or not isinstance(field.node, ListNode | MapNode))


def _without_new_fields(node: Node, value: Any) -> Any:
    """The value without fields that have no protobuf number, and without what no encoder can tell apart."""
    if isinstance(node, StructNode) and isinstance(value, dict):
        fields = {name: node.fields[name] for name in value if _is_told(node.fields[name], value[name])}
        return {name: _without_new_fields(field.node, value[name]) for name, field in fields.items()}
    if isinstance(node, ListNode) and isinstance(value, list):
        return [_without_new_fields(node.item, each) for each in value]
    if isinstance(node, MapNode) and isinstance(value, dict):
        return {name: _without_new_fields(node.value, each) for name, each in value.items()}
    return value


@pytest.mark.parametrize(("key", "row"), ROWS, ids=lambda each: "-".join(each) if isinstance(each, tuple) else "")
def test_protobuf_gives_back_what_it_was_given(key: tuple[str, str], row: Any) -> None:
    node = schema.node(row.schema)
    if row.group in ("apiextensions.k8s.io", "apiregistration.k8s.io"):
        pytest.skip("these keep empty lists, which protobuf can't tell from missing ones")
    for seed in range(8):
        value = normalize(node, _without_new_fields(node, made(node, random.Random(f"{key}{seed}"))))
        given = orjson.dumps(normalize(node, value))
        message = protobuf.encode(node, value)
        assert orjson.dumps(normalize(node, protobuf.decode(node, message))) == given


def test_broken_protobuf_never_breaks_more_than_the_request() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    message = protobuf.encode(node, normalize(node, made(node, random.Random(1))))
    chance = random.Random(2)
    for _ in range(300):
        broken = bytearray(message)
        for _ in range(3):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            protobuf.decode(node, bytes(broken[: chance.randrange(len(broken))]))
        except protobuf.ProtobufProblem:
            continue


def test_wrong_types_anywhere_are_errors_and_never_exceptions() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    chance = random.Random(3)
    for seed in range(300):
        value = made(node, random.Random(seed))
        at: Any = value
        while isinstance(at, dict) and at:
            name = chance.choice(list(at))
            if chance.random() < 0.4 or not isinstance(at[name], dict):
                at[name] = chance.choice([None, 1, 1.5, "x", [], {}, True, [None], {"a": None}])
                break
            at = at[name]
        walk = Walk()
        exact = walk.read(node, value)
        if walk.error is None and not walk.unknown:
            assert orjson.dumps(normalize(node, value)) == orjson.dumps(exact)


def test_quantities() -> None:
    chance = random.Random(4)
    suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "E-2"]
    for _ in range(3000):
        text = f"{chance.choice(['', '-'])}{chance.randrange(10**6)}.{chance.randrange(1000)}{chance.choice(suffixes)}"
        other = f"{chance.randrange(10**4)}{chance.choice(suffixes)}"
        canonical = quantity.canonical(text)
        assert quantity.canonical(canonical) == canonical
        assert quantity.compare(canonical, text) == 0
        assert quantity.subtract(quantity.add(text, other), other) in (canonical, quantity.subtract(text, "0")) or (
            quantity.compare(quantity.subtract(quantity.add(text, other), other), text) == 0
        )
        assert quantity.compare(quantity.add(text, other), text) >= 0


def test_readers_are_compiled_once() -> None:
    node = schema.node("io.k8s.api.core.v1.Pod")
    assert converter(node) is converter(schema.node("io.k8s.api.core.v1.Pod"))
