from __future__ import annotations

from typing import Any

import orjson
import pytest
import recorded_bodies as recorded

from cybernetes.base.errors import ApiError
from cybernetes.model.fieldset import element
from cybernetes.model.schema.custom.scale import validate_scale
from cybernetes.model.schema.custom.structural import CustomNode, Structural, custom_node
from cybernetes.model.schema.custom.validate import blocked, validate
from cybernetes.model.schema.decode import decode, normalize
from cybernetes.model.schema.default import default
from cybernetes.model.schema.node import ListNode, MapNode, StructNode

BASE = "golden.example.test/v1/Gadget/g1"
VERSION = "golden.example.test/v1"


def gadget_node() -> CustomNode:
    definition = recorded.manifests()["apiextensions.k8s.io/v1/CustomResourceDefinition/gadgets.golden.example.test"]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return custom_node(schema, group="golden.example.test", version="v1", kind="Gadget")


def node_of(spec: dict[str, Any]) -> CustomNode:
    schema = {"type": "object", "properties": {"spec": spec}}
    return custom_node(schema, group="example.test", version="v1", kind="Thing")


def read(node: CustomNode, spec: Any, validation: str = "Warn") -> tuple[dict[str, Any], tuple[str, ...]]:
    body = orjson.dumps({"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
    found = decode(
        node, body, "application/json", kind="Thing", api_version="example.test/v1", field_validation=validation
    )
    default(node, found.object)
    return found.object["spec"], found.warnings


def test_recorded_custom_resources_are_answered_as_by_the_reference() -> None:
    node = gadget_node()
    plain: dict[str, Any] = {}
    cases = 0
    for case in recorded.recorded("custom"):
        change = case["request"].get("mutate")
        answer = case["answer"]
        if change is None or change["base"] != BASE or change["at"][:1] == ["metadata"]:
            continue
        body = orjson.dumps(recorded.changed(change))
        validation = case["request"]["query"].get("fieldValidation", "Warn")
        cases += 1
        try:
            obj = decode(
                node, body, "application/json", kind="Gadget", api_version=VERSION, field_validation=validation
            ).object
        except ApiError as error:
            assert (answer["code"], answer["body"]["message"]) == (400, error.message)
            continue
        default(node, obj)
        errors = [*validate(node.schema, obj), *validate_scale(obj, ".spec.replicas")]
        stopped = blocked(errors)
        errors += [stopped] if stopped else []
        if errors:
            causes = [(each["reason"], each["message"], each["field"]) for each in answer["body"]["details"]["causes"]]
            assert [(each.reason, each.body, each.field) for each in errors] == causes, change
        elif change["op"] == "none":
            plain = obj
        else:
            assert recorded.difference(plain, obj) == answer["diff"], change
    assert cases > 150


def test_unknown_fields_are_dropped_kept_or_refused() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    node = node_of({"type": "object", "properties": {"a": {"type": "integer"}, "free": free}})
    spec, warnings = read(node, {"b": 1, "a": 2, "free": {"z": {"y": 1}}})
    assert spec == {"a": 2, "free": {"z": {"y": 1}}}
    assert warnings == ('unknown field "spec.b"',)
    with pytest.raises(ApiError, match=r'strict decoding error: unknown field "spec.b"'):
        read(node, {"b": 1}, "Strict")


def test_nulls_that_are_not_allowed_give_way_to_defaults() -> None:
    properties = {
        "a": {"type": "string", "default": "x"},
        "b": {"type": "string"},
        "c": {"type": "string", "nullable": True, "default": "y"},
    }
    spec, _ = read(node_of({"type": "object", "properties": properties}), {"c": None, "b": None, "a": None})
    assert spec == {"a": "x", "c": None}


def test_defaults_are_applied_inside_of_defaults_and_lists() -> None:
    item = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    properties = {"outer": {**item, "default": {}}, "many": {"type": "array", "items": item}}
    spec, _ = read(node_of({"type": "object", "properties": properties}), {"many": [{}, {"n": 2}]})
    assert spec == {"many": [{"n": 1}, {"n": 2}], "outer": {"n": 1}}
    assert list(spec) == ["many", "outer"]


def test_metadata_is_typed_whatever_the_schema_says() -> None:
    node = node_of({"type": "object"})
    with pytest.raises(ApiError, match=r"cannot unmarshal number into Go struct field ObjectMeta.name of type string"):
        decode(
            node,
            b'{"kind":"Thing","metadata":{"name":1}}',
            "application/json",
            kind="Thing",
            api_version="example.test/v1",
        )


def test_what_is_nested_too_deeply_is_refused() -> None:
    node = node_of({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    body = b'{"kind":"Thing","spec":' + b'{"a":' * 300 + b"1" + b"}" * 301
    with pytest.raises(ApiError, match="exceeded max depth"):
        decode(node, body, "application/json", kind="Thing", api_version="example.test/v1")


def test_another_version_is_refused() -> None:
    body = b'{"kind":"Thing","apiVersion":"example.test/v2"}'
    with pytest.raises(ApiError, match="does not match the expected API version"):
        decode(node_of({}), body, "application/json", kind="Thing", api_version="example.test/v1")


def test_nodes_for_patches_and_apply() -> None:
    item = {"type": "object", "properties": {"id": {"type": "string"}}}
    many = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    atomic = {"type": "object", "properties": {"x": {"type": "string"}}, "x-kubernetes-map-type": "atomic"}
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    node = node_of({"type": "object", "properties": {"many": many, "atomic": atomic, "free": free}})
    spec = node.fields["spec"].node
    assert isinstance(spec, StructNode)
    listed, mapped, one = (spec.fields[name].node for name in ("many", "free", "atomic"))
    assert isinstance(listed, ListNode)
    assert (listed.list_type, listed.list_keys) == ("map", ("id",))
    assert isinstance(mapped, MapNode)
    assert mapped.value.type == "int64"
    assert isinstance(one, StructNode)
    assert one.map_type == "atomic"
    assert "labels" in getattr(node.fields["metadata"].node, "fields")  # noqa: B009


def test_embedded_objects_have_metadata_and_say_what_they_are() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    node = node_of(embedded)
    spec, warnings = read(node, {"kind": "Pod", "metadata": {"name": "x", "nope": 1}, "more": 1})
    assert spec == {"kind": "Pod", "metadata": {"name": "x"}, "more": 1}
    assert warnings == ('unknown field "spec.metadata.nope"',)
    errors = validate(node.schema, {"spec": spec})
    assert [(each.field, each.body) for each in errors] == [("spec.apiVersion", "Required value: must not be empty")]


@pytest.mark.parametrize(
    ("schema", "value", "messages"),
    [
        ({"minLength": 2}, "a", ['spec: Invalid value: "a": spec in body should be at least 2 chars long']),
        (
            {"type": "integer", "exclusiveMinimum": True, "minimum": 1},
            1,
            ["spec: Invalid value: 1: spec in body should be greater than 1"],
        ),
        (
            {"type": "number", "multipleOf": 0.5},
            1.25,
            ["spec: Invalid value: 1.25: spec in body should be a multiple of 0.5"],
        ),
        ({"type": "array", "minItems": 1}, [], ["spec: Invalid value: 0: spec in body should have at least 1 items"]),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, ["spec: Too many: 2: must have at most 1 item"]),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1, "b": 1},
            [
                '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'
            ],
        ),
        (
            {"not": {"required": ["a"]}},
            {"a": 1},
            ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
        ),
        (
            {"type": "string", "format": "ipv4"},
            "1.2.3",
            ['spec: Invalid value: "1.2.3": spec in body must be of type ipv4: "1.2.3"'],
        ),
        ({"type": "string", "format": "unheard-of"}, "1.2.3", []),
        ({"type": "string", "format": "k8s-short-name"}, "web-1", []),
        (
            {"type": "string", "format": "k8s-short-name"},
            "web.1",
            ['spec: Invalid value: "web.1": spec in body must be of type k8s-short-name: "web.1"'],
        ),
        ({"type": "string", "format": "k8s-long-name"}, "web.1", []),
        (
            {"type": "string", "format": "k8s-long-name"},
            "Web.1",
            ['spec: Invalid value: "Web.1": spec in body must be of type k8s-long-name: "Web.1"'],
        ),
        ({"type": "integer"}, 2.0, []),
    ],
)
def test_rules_of_schemas(schema: dict[str, Any], value: Any, messages: list[str]) -> None:
    errors = validate(Structural({"type": "object", "properties": {"spec": schema}}), {"spec": value})
    assert [f"{each.field}: {each.body}" for each in errors][: len(messages) or None] == messages


def test_trusted_values_are_normalized_too() -> None:
    node = node_of({"type": "object", "properties": {"a": {"type": "string"}}})
    assert normalize(node, {"kind": "Thing", "metadata": {}, "spec": {"z": 1, "a": "b"}}) == {
        "kind": "Thing",
        "metadata": {},
        "spec": {"a": "b"},
    }


def test_numbers_that_no_float_holds_are_refused_and_texts_of_them_are_not() -> None:
    node = node_of({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    body = b'{"apiVersion":"example.test/v1","kind":"Thing","spec":%s}'
    with pytest.raises(ApiError, match=r"cannot unmarshal number -1\.5e999 into Go value of type float64"):
        decode(node, body % b'{"n":[-1.5e999]}', "application/json", kind="Thing", api_version="example.test/v1")
    fits = body % b'{"n":1e30,"text":"1e999"}'
    kept = decode(node, fits, "application/json", kind="Thing", api_version="example.test/v1").object
    assert kept["spec"] == {"n": 1e30, "text": "1e999"}


def test_items_of_list_maps_may_leave_out_keys_with_a_default() -> None:
    ports = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": {
            "type": "object",
            "required": ["port"],
            "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "SCTP"}},
        },
    }
    spec = node_of({"type": "object", "properties": {"ports": ports}}).fields["spec"].node
    assert isinstance(spec, StructNode)
    listed = spec.fields["ports"].node
    assert isinstance(listed, ListNode)
    assert element(listed, {"port": 1}) == element(listed, {"port": 1, "protocol": "SCTP"})
    with pytest.raises(KeyError, match="port"):
        element(listed, {"protocol": "SCTP"})


def test_a_schema_may_ask_for_metadata_and_restrict_the_name() -> None:
    short = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}}
    root = {"type": "object", "required": ["apiVersion", "kind", "metadata"], "properties": {"metadata": short}}
    body = {"apiVersion": VERSION, "kind": "Gadget", "metadata": {"name": "abc", "uid": "1"}}
    assert validate(Structural(root), body) == []
    found = validate(Structural(root), {**body, "metadata": {"name": "abcd"}})
    assert [f"{each.field}: {each.body}" for each in found] == ["metadata.name: Too long: may not be more than 3 bytes"]
