from __future__ import annotations

from typing import Any

from cybernetes.model.expressions.escaping import escaped
from cybernetes.model.schema.custom.rules import check
from cybernetes.model.schema.custom.structural import Structural


def spec(properties: dict[str, Any], *rules: dict[str, Any]) -> Structural:
    inner = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return Structural({"type": "object", "properties": {"spec": inner}})


def told(schema: Structural, value: Any, old: Any = None) -> list[str]:
    found = check(schema, {"spec": value}, None if old is None else {"spec": old})
    return [f"{each.reason} {each.field}: {each.body}" for each in found]


def test_a_failed_rule_says_its_message() -> None:
    schema = spec(
        {"a": {"type": "integer"}}, {"rule": "self.a < 5", "message": "a is too much"}, {"rule": "self.a != 7"}
    )
    assert told(schema, {"a": 1}) == []
    assert told(schema, {"a": 7}) == [
        'FieldValueInvalid spec: Invalid value: "object": a is too much',
        'FieldValueInvalid spec: Invalid value: "object": failed rule: self.a != 7',
    ]


def test_messages_reasons_and_places_may_be_chosen() -> None:
    rule = {
        "rule": "self.a < 5",
        "messageExpression": "'a is ' + string(self.a)",
        "reason": "FieldValueForbidden",
        "fieldPath": ".a",
    }
    assert told(spec({"a": {"type": "integer"}}, rule), {"a": 9}) == ["FieldValueForbidden spec.a: Forbidden: a is 9"]


def test_rules_about_the_old_value_are_asked_on_updates_only() -> None:
    schema = spec({"a": {"type": "string"}}, {"rule": "self.a == oldSelf.a", "message": "a is fixed"})
    assert told(schema, {"a": "x"}) == []
    assert told(schema, {"a": "x"}, {"a": "x"}) == []
    assert told(schema, {"a": "x"}, {"a": "y"}) == ['FieldValueInvalid spec: Invalid value: "object": a is fixed']


def test_items_of_maps_are_found_again_by_their_keys() -> None:
    item = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "only up"}],
    }
    many = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    old = {"many": [{"id": "a", "n": 5}, {"id": "b", "n": 1}]}
    new = {"many": [{"id": "b", "n": 2}, {"id": "c", "n": 0}, {"id": "a", "n": 4}]}
    assert told(spec({"many": many}), new, old) == ['FieldValueInvalid spec.many[2]: Invalid value: "object": only up']


def test_names_that_cel_can_not_spell_are_escaped() -> None:
    assert [escaped(name) for name in ("a", "a-b", "a.b/c", "namespace", "a__b")] == [
        "a",
        "a__dash__b",
        "a__dot__b__slash__c",
        "__namespace__",
        "a__underscores__b",
    ]
    schema = spec({"a-b": {"type": "integer"}}, {"rule": "self.a__dash__b > 1"})
    assert told(schema, {"a-b": 2}) == []


def test_times_order_as_times() -> None:
    schema = spec(
        {"from": {"type": "string", "format": "date-time"}, "to": {"type": "string", "format": "date-time"}},
        {"rule": "self.from < self.to", "message": "order"},
    )
    assert told(schema, {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}) == []
    assert len(told(schema, {"from": "2026-01-03T00:00:00Z", "to": "2026-01-02T00:00:00Z"})) == 1


def test_a_rule_that_fails_to_run_is_an_error_of_the_object() -> None:
    assert told(spec({"a": {"type": "integer"}}, {"rule": "self.a < 5"}), {}) == [
        'FieldValueInvalid spec: Invalid value: "object": no such key: a evaluating rule: self.a < 5'
    ]
