from __future__ import annotations

from typing import Any

from cybernetes.model.expressions.escaping import escaped
from cybernetes.model.schema.custom.rules import check
from cybernetes.model.schema.custom.structural import Structural


def spec(properties: dict[str, Any], *rules: dict[str, Any]) -> Structural:
    inner = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return Structural({"type": "object", "properties": {"spec": inner}})


def told(schema: Structural, value: Any, old: Any = None) -> list[str]:
    found = check(schema, {"spec": value}, None if old is None else {"spec": old}, [])
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


def test_what_an_update_left_alone_is_not_held_against_it() -> None:
    schema = spec({"a": {"type": "integer"}, "b": {"type": "integer"}}, {"rule": "self.a < 5", "message": "a"})
    assert len(told(schema, {"a": 9})) == 1
    assert told(schema, {"a": 9, "b": 1}, {"a": 9, "b": 1}) == []
    assert len(told(schema, {"a": 9, "b": 2}, {"a": 9, "b": 1})) == 1
    warnings: list[str] = []
    assert check(schema, {"spec": {"a": 9}, "new": 1}, {"spec": {"a": 9}}, warnings) == []
    assert warnings == ['spec: Invalid value: "object": a']


def test_rules_may_be_asked_before_there_is_an_old_value() -> None:
    rule = {"rule": "oldSelf.optMap(o, o.a).orValue(0) <= self.a", "message": "only up", "optionalOldSelf": True}
    schema = spec({"a": {"type": "integer"}}, rule)
    assert told(schema, {"a": 1}) == []
    assert told(schema, {"a": -1}) == ['FieldValueInvalid spec: Invalid value: "object": only up']
    assert told(schema, {"a": 1}, {"a": 2}) == ['FieldValueInvalid spec: Invalid value: "object": only up']


def test_values_that_may_be_numbers_or_texts() -> None:
    mixed = {"x-kubernetes-int-or-string": True}
    schema = spec({"p": mixed}, {"rule": "type(self.p) == int ? self.p < 5 : self.p.endsWith('%')", "message": "no"})
    assert told(schema, {"p": 3}) == []
    assert told(schema, {"p": "50%"}) == []
    assert len(told(schema, {"p": 9})) == 1
    wrong = spec({"p": mixed}, {"rule": "self.p < 5"})
    assert told(wrong, {"p": "x"}) == [
        "FieldValueInvalid spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported "
        "operator, function or macro signature for rule: self.p < 5"
    ]


def test_numbers_bytes_and_maps_are_of_their_types() -> None:
    properties = {
        "n": {"type": "number"},
        "data": {"type": "string", "format": "byte"},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "format": "duration"}},
        "day": {"type": "string", "format": "date"},
    }
    rules = [
        {"rule": "self.n / 2.0 == 1.5"},
        {"rule": "self.data == b'hello' && self.data.size() == 5"},
        {
            "rule": "self.labels.all(k, self.labels[k] < duration('1h')) && self.labels.exists(k, v, v == duration('60s'))"
        },
        {"rule": "self.day.getFullYear() == 2026"},
    ]
    value = {"n": 3, "data": "aGVsbG8=", "labels": {"a-b": "1m"}, "day": "2026-02-03"}
    assert told(spec(properties, *rules), value) == []


def test_an_expression_that_costs_too_much_stops_all_others() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    costly = {"rule": "self.a.all(x, self.a.all(y, x + y >= 0))", "message": "sums"}
    schema = spec({"a": numbers}, costly, {"rule": "false"})
    assert told(schema, {"a": list(range(2000))}) == [
        "FieldValueInvalid spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': "
        "no further validation rules will be run due to call cost exceeds limit for rule: sums"
    ]


def test_all_rules_of_an_object_share_a_budget() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    rules = [{"rule": "self.a.all(x, x >= 0)"}] * 30
    assert told(spec({"a": numbers}, *rules), {"a": list(range(90_000))}) == [
        'FieldValueInvalid spec: Invalid value: "object": validation failed due to running out of cost budget, '
        "no further validation rules will be run"
    ]


def test_rules_of_resources_see_their_kind_and_name() -> None:
    rules = [{"rule": "self.kind == 'Thing' && self.metadata.name.startsWith('a')", "message": "name"}]
    schema = Structural({"type": "object", "x-kubernetes-validations": rules}, root=True)
    thing = {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "b"}}
    assert [each.body for each in check(schema, thing, None, [])] == ['Invalid value: "object": name']


def test_lists_of_lists_and_maps_below_rules() -> None:
    inner = {"type": "object", "properties": {"v": {"type": "array", "items": {"type": "integer"}}}}
    outer = {"type": "object", "additionalProperties": {"type": "array", "items": inner}}
    schema = spec({"m": outer}, {"rule": "self.m.all(k, self.m[k].all(i, i.v.all(x, x > 0)))", "message": "no"})
    assert told(schema, {"m": {"a": [{"v": [1, 2]}], "b": []}}) == []
    assert len(told(schema, {"m": {"a": [{"v": [1, 0]}]}})) == 1
