"""YAML bodies as the values that the same text gives kubectl: YAML 1.1 booleans, no dates, no base 60.

holds    work and memory are bounded by MAX_NODES, aliases counted as often as they are used
fails    SyntaxProblem with the parser's words
source   sigs.k8s.io/yaml, which reads YAML into JSON
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from cybernetes.wire import json as json_codec
from cybernetes.wire.json import MAX_DEPTH, SyntaxProblem

# A pod of 3 MiB, the largest body that is accepted, stays far below; a bomb of nested aliases does not.
MAX_NODES = 1_000_000
# As Go's library: a document of more nodes than this may not be almost all aliases.
ALIASING_FROM = 1_000
ALIASING_MAX = 0.99
# A number with a fraction or an exponent, or what looks like one: JSON and YAML write it differently.
_FRACTION = re.compile(rb"[0-9][.eE]")
_INDENT = re.compile(rb"^[ \t?-]+", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_BOOLS = dict.fromkeys(("y", "yes", "on", "true"), True) | dict.fromkeys(("n", "no", "off", "false"), False)


class _Loader(yaml.CSafeLoader):
    """The C parser with the scalars that Go's YAML 1.1 library knows."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


for _tag, _pattern, _first in (
    ("bool", r"(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)\Z", "yYnNtTfFoO"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)\Z", "-+0123456789"),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
        "-+0123456789.",
    ),
    ("merge", r"<<\Z", "<"),
):
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(_pattern), list(_first))


def decode(body: bytes) -> tuple[Any, list[str]]:
    """(the value of the first document, texts of repeated keys).

    raises  SyntaxProblem
    """
    value = _as_json(body)
    if value is not None:
        return value, []
    loader = None
    try:
        if _may_be_deep(body):
            _check_depth(body)
        loader = _Loader(body)
        node = loader.get_node() if loader.check_node() else None
        building = _Building()
        return (None if node is None else building.value(node, 0)), building.repeated
    except yaml.YAMLError as error:
        raise SyntaxProblem(f"error converting YAML to JSON: yaml: {_worded(error)}") from error
    except RecursionError as error:
        raise SyntaxProblem("error converting YAML to JSON: yaml: exceeded max depth") from error
    finally:
        if loader is not None:
            loader.dispose()


def _as_json(body: bytes) -> dict[str, Any] | None:
    """The value of a JSON object, which most clients send; None where only YAML tells what it means."""
    if body[:1] != b"{" or _FRACTION.search(body):
        return None
    try:
        value = json_codec.decode(body)
    except SyntaxProblem:
        return None
    return value if isinstance(value, dict) and not json_codec.repeated_fields(body, value) else None


def _may_be_deep(body: bytes) -> bool:
    """Whether the text could have more than MAX_DEPTH levels, told by a bound that costs little.

    A level of flow style needs a bracket; one of block style begins further to the right than the one around it, or,
    for a list in a mapping, as far.
    """
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAX_DEPTH:
        return True
    indent = max((len(each.group()) for each in _INDENT.finditer(body)), default=0)
    return brackets + 2 * (indent + 1) > MAX_DEPTH


def _check_depth(body: bytes) -> None:
    """Raises SyntaxProblem, YAMLError. The C library composes by recursion, and has no limit of its own."""
    loader = _Loader(body)
    depth = 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise SyntaxProblem("error converting YAML to JSON: yaml: exceeded max depth")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    finally:
        loader.dispose()


def _worded(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0]


class _Building:
    """One document on its way from nodes to values."""

    def __init__(self) -> None:
        self.nodes = 0
        # Of these, those that were built before: what aliases stand for.
        self.again = 0
        self._built: set[int] = set()
        self._inside = 0
        self.repeated: list[str] = []

    def value(self, node: yaml.Node, depth: int) -> Any:
        self.nodes += 1
        if self._inside:
            self.again += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH or self._is_bomb():
            raise SyntaxProblem("error converting YAML to JSON: yaml: document contains excessive aliasing")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        alias = id(node) in self._built
        self._built.add(id(node))
        self._inside += alias
        try:
            return self._collection(node, depth)
        finally:
            self._inside -= alias

    def _is_bomb(self) -> bool:
        return self.nodes > ALIASING_FROM and self.again > ALIASING_MAX * self.nodes

    def _collection(self, node: yaml.Node, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        assert isinstance(node, yaml.SequenceNode)
        return [self.value(each, depth + 1) for each in node.value]

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for source in self._sources(value_node, depth):
                    for key, value in source.items():
                        merged.setdefault(key, value)
                continue
            key = self._key(key_node)
            if key in out:
                self.repeated.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            out[key] = self.value(value_node, depth + 1)
        for key, value in merged.items():
            out.setdefault(key, value)
        return out

    def _sources(self, node: yaml.Node, depth: int) -> list[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [self.value(each, depth + 1) for each in nodes]
        if not all(isinstance(each, dict) for each in found):
            raise SyntaxProblem(
                "error converting YAML to JSON: yaml: map merge requires map or sequence of maps as the value"
            )
        return found

    def _key(self, node: yaml.Node) -> str:
        value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise SyntaxProblem("error converting YAML to JSON: unsupported map key")


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "bool":
        return _BOOLS.get(text.lower(), text)
    if kind == "null":
        return None
    if kind not in ("int", "float"):
        return text
    try:
        return _integer(text) if kind == "int" else _number(text)
    except ValueError as wrong:
        if isinstance(wrong, SyntaxProblem):
            raise
        # A tag that somebody wrote before what it does not fit.
        problem = f"error converting YAML to JSON: yaml: cannot decode !!str `{text}` as a !!{kind}"
        raise SyntaxProblem(problem) from wrong


# Longer ones need more than 64 bits.
_DIGITS_MAX = 20


def _integer(text: str) -> int | float | str:
    """What 64 bits don't hold is a float, or else the text as it stands."""
    plain = text.replace("_", "")
    sign, digits = (-1, plain[1:]) if plain[:1] == "-" else (1, plain.lstrip("+"))
    if digits[:2] in ("0b", "0x", "0o"):
        number = sign * int(digits, 0)
        return number if _fits(number) else text
    if len(digits) <= _DIGITS_MAX:
        number = sign * int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
        if _fits(number):
            return number
    near = float(plain)
    return text if math.isinf(near) else near


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**64


def _number(text: str) -> float | int | str:
    if "." in text and text.lstrip("+-")[1:2].isalpha():
        raise SyntaxProblem(f"error converting YAML to JSON: json: unsupported value: {text}")
    value = float(text)
    if text.lstrip("+-")[:1].isalpha():
        raise ValueError(f"{text} is a word")
    if math.isinf(value):
        return text
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
