"""What schemas under allOf, anyOf, oneOf and not may say."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.model.field import Path
from cybernetes.model.schema.custom.schema_rules import check_schema

INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def told(**spec: Any) -> list[str]:
    root = {"type": "object", "properties": {"spec": spec}}
    found = check_schema(root, Path("s"), has_status=False)
    return [f"{each.field.removeprefix('s.properties[spec].')}: {each.body}" for each in found]


def text(**more: Any) -> list[str]:
    return told(type="string", **more)


@pytest.mark.parametrize(
    ("inner", "told_as"),
    [
        ({"type": "string"}, "type: Forbidden: must be empty to be structural"),
        ({"title": "t"}, "title: Forbidden: must be empty to be structural"),
        ({"description": "d"}, "description: Forbidden: must be empty to be structural"),
        ({"default": ""}, "default: Forbidden: must be undefined to be structural"),
        ({"nullable": True}, "nullable: Forbidden: must be false to be structural"),
        (
            {"x-kubernetes-validations": [{"rule": "self == ''"}]},
            "x-kubernetes-validations: Forbidden: must be empty to be structural",
        ),
        ({"x-kubernetes-list-type": "set"}, "x-kubernetes-list-type: Forbidden: must be undefined to be structural"),
        (
            {"x-kubernetes-int-or-string": True},
            "x-kubernetes-int-or-string: Forbidden: must be false to be structural",
        ),
        (
            {"properties": {"metadata": {}}},
            "properties[metadata]: Forbidden: must not be specified in a nested context",
        ),
    ],
)
def test_structure_is_refused_wherever_values_are_narrowed(inner: dict[str, Any], told_as: str) -> None:
    assert text(allOf=[{}, inner]) == [f"allOf[1].{told_as}"]
    assert text(anyOf=[inner]) == [f"anyOf[0].{told_as}"]
    assert text(oneOf=[{"not": inner}]) == [f"oneOf[0].not.{told_as}"]
    assert text(**{"not": {"properties": {"a": {"items": inner}}}}) == [f"not.properties[a].items.{told_as}"]


def test_narrowing_itself_is_fine() -> None:
    assert text(allOf=[{"minLength": 1, "pattern": "^a"}], **{"not": {"enum": ["ab"]}}) == []
    properties = {"a": {"type": "string"}, "b": {"type": "string"}}
    assert told(type="object", properties=properties, oneOf=[{"required": ["a"]}, {"required": ["b"]}]) == []


def test_integers_or_strings_may_name_both_types() -> None:
    mixed = {"x-kubernetes-int-or-string": True}
    assert told(**mixed, anyOf=INT_OR_STRING) == []
    assert told(**mixed, allOf=[{"anyOf": INT_OR_STRING}, {"pattern": "^a"}]) == []
    assert len(told(**mixed, allOf=[{}, {"anyOf": INT_OR_STRING}])) == 2
    assert len(told(**mixed, anyOf=[{"type": "integer"}])) == 1
    assert told(type="string", **mixed) == []
