"""What definitions may say in their rules."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.model.field import Path
from cybernetes.model.schema.custom.schema_rules import check_schema

TEXT = {"type": "string"}


def told(rule: dict[str, Any], **properties: Any) -> list[str]:
    """Errors of a rule on an object with these properties."""
    return schema({"type": "object", "properties": properties, "x-kubernetes-validations": [rule]})


def schema(spec: dict[str, Any]) -> list[str]:
    root = {"type": "object", "properties": {"spec": spec}}
    found = check_schema(root, Path("s"), has_status=False)
    return [f"{each.field.removeprefix('s.properties[spec].')}: {each.body}" for each in found]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"rule": " "}, "x-kubernetes-validations[0].rule: Required value: rule is not specified"),
        ({"rule": "self.a == ''", "message": " "}, "message must be non-empty if specified"),
        ({"rule": "self.a == ''", "message": "a\nb"}, "message must not contain line breaks"),
        ({"rule": "self.a ==\n''"}, "message must be specified if rule contains line breaks"),
        ({"rule": "self.a == ''", "messageExpression": " "}, "messageExpression must be non-empty if specified"),
        ({"rule": "self.a == ''", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "self.a == ''", "messageExpression": "self.b"}, "messageExpression compilation failed: ERROR"),
        ({"rule": "self.a == ''", "fieldPath": "\n"}, "fieldPath must be non-empty if specified"),
        (
            {"rule": "self.a == ''", "reason": "Other"},
            'Unsupported value: "Other": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
            '"FieldValueInvalid", "FieldValueRequired"',
        ),
        ({"rule": "self.a"}, "cel expression must evaluate to a bool"),
        ({"rule": "self.b == ''"}, "undefined field 'b'"),
        ({"rule": "self.a == 1"}, "found no matching overload for '_==_' applied to '(string, int)'"),
        ({"rule": "request.name == ''"}, "undeclared reference to 'request' (in container '')"),
    ],
)
def test_what_a_rule_may_not_say(rule: dict[str, Any], why: str) -> None:
    found = told(rule, a=TEXT)
    assert len(found) == 1
    assert why in found[0]


def test_what_stood_there_before_must_be_findable() -> None:
    item = {"type": "object", "properties": {"a": TEXT}, "x-kubernetes-validations": [{"rule": "self.a == oldSelf.a"}]}
    many = {"type": "array", "maxItems": 3, "items": {**item, "required": ["a"]}}
    keyed = {**many, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]}
    assert schema({"type": "object", "properties": {"many": keyed}}) == []
    assert schema({"type": "object", "properties": {"many": many}}) == [
        "properties[many].items.x-kubernetes-validations[0].rule: "
        'Invalid value: "self.a == oldSelf.a": oldSelf cannot be used on the uncorrelatable portion of the schema within '
        "s.properties[spec].properties[many]"
    ]


def test_a_rule_counts_as_often_as_its_place_can_be_there() -> None:
    rule = [{"rule": "self.matches('^[a-z]{1,100}$')"}]
    text = {"type": "string", "maxLength": 1000, "x-kubernetes-validations": rule}
    few, many = ({"type": "array", "maxItems": n, "items": text} for n in (100, 10_000))
    assert schema({"type": "object", "properties": {"few": few}}) == []
    factor = 401 * 4 * 10_000 / 10_000_000
    assert f"exceeds budget by factor of {factor:.1f}x" in schema({"type": "object", "properties": {"many": many}})[0]
    unbounded = {"type": "object", "additionalProperties": text}
    assert "exceeds budget by factor of more than 100x" in schema({"type": "object", "properties": {"m": unbounded}})[0]


@pytest.mark.parametrize(("bound", "factor"), [(4096, "5.4x"), (512, None)])
def test_a_factor_that_was_seen_at_the_reference(bound: int, factor: str | None) -> None:
    """Of kube-apiserver 1.36: 20 cases with texts of 4096 characters are refused, with 512 to look for they are taken."""
    expected = {"type": "object", "properties": {"contains": {"type": "string", "maxLength": bound}}}
    case = {
        "type": "object",
        "properties": {"message": {"type": "string", "maxLength": 4096}, "expect": expected},
        "x-kubernetes-validations": [{"rule": "!self.message.contains(self.expect.contains)"}],
    }
    found = schema({"type": "object", "properties": {"cases": {"type": "array", "maxItems": 20, "items": case}}})
    assert [each.partition("factor of ")[2].partition(" ")[0] for each in found] == ([factor] if factor else [])


def test_a_total_that_is_too_much_names_the_most_expensive() -> None:
    rule = [{"rule": "self.a.all(x, self.b.all(y, x + y > 0))"}]
    numbers = {"type": "array", "maxItems": 1000, "items": {"type": "integer"}}
    one = {"type": "object", "properties": {"a": numbers, "b": numbers}, "x-kubernetes-validations": rule}
    found = schema({"type": "object", "properties": {f"p{i}": one for i in range(15)}})
    contributed = [each for each in found if "contributed to estimated rule cost total" in each]
    assert len(contributed) == 4
    assert found[-1].startswith("s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3")


def test_rules_like_those_of_gateways_are_taken() -> None:
    text = {"type": "string", "maxLength": 253}
    tls = {"type": "object", "properties": {"mode": {"type": "string", "enum": ["Terminate", "Passthrough"]}}}
    properties = {"name": text, "hostname": text, "port": {"type": "integer"}, "protocol": text, "tls": tls}
    listeners = {
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": properties},
        "x-kubernetes-validations": [
            {"rule": "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)"},
            {"rule": "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? l.tls.mode == 'Terminate' : true)"},
            {"rule": "self.all(l1, self.exists_one(l2, l1.name == l2.name))"},
            {
                "rule": "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && "
                "(has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : "
                "!has(l1.hostname) && !has(l2.hostname))))"
            },
        ],
    }
    path = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["Exact", "Pattern"]},
            "value": {"type": "string", "maxLength": 1024},
        },
        "x-kubernetes-validations": [
            {"rule": "(self.type in ['Exact']) ? self.value.startsWith('/') : true"},
            {"rule": "!self.value.contains('//') && !self.value.endsWith('/..')"},
            {"rule": 'self.value.matches(r"""^(?:[-A-Za-z0-9/._~!$&\'()*+,;=:@]|[%][0-9a-fA-F]{2})+$""")'},
        ],
    }
    matches = {"type": "array", "maxItems": 8, "items": {"type": "object", "properties": {"path": path}}}
    assert schema({"type": "object", "properties": {"listeners": listeners, "matches": matches}}) == []
