"""Strict, warning and silent treatment of fields that nobody knows or that come twice; apply."""

from __future__ import annotations

import json

import pytest
from tests.e2e.clients.calling import Caller, deployment

KNOWN = json.dumps(deployment("web", 1)["spec"])[1:-1]
WRONG = '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"%s},"spec":{%s%s}}'
UNKNOWN = ',"unknownOne":true,"replicas":2,"replicas":3'
STRICT = 'strict decoding error: unknown field "spec.unknownOne", duplicate field "spec.replicas"'


def body(metadata: str = "", spec: str = "") -> bytes:
    return (WRONG % (metadata, KNOWN, spec)).encode()


def told(caller: Caller, method: str, path: str, text: bytes, **options: str) -> tuple[int, str, list[str]]:
    answer = caller.send(method, path, text, **options)
    warnings = [each.split(" ", 2)[2][1:-1].replace('\\"', '"') for each in answer.headers.getlist("warning")]
    return answer.status, json.loads(answer.data).get("message", ""), warnings


def test_unknown_and_repeated_fields_of_built_in_kinds(caller: Caller) -> None:
    path = caller.of("apps/v1", "deployments")
    status, message, _ = told(caller, "POST", path, body(spec=UNKNOWN), fieldValidation="Strict")
    assert status == 400
    assert 'unknown field "spec.unknownOne"' in message and 'duplicate field "spec.replicas"' in message
    status, _, warnings = told(caller, "POST", path, body(spec=UNKNOWN), dryRun="All")
    assert status == 201
    assert sorted(warnings) == ['duplicate field "spec.replicas"', 'unknown field "spec.unknownOne"']
    assert told(caller, "POST", path, body(spec=UNKNOWN), dryRun="All", fieldValidation="Ignore")[2] == []
    caller.ok("POST", path, deployment("web", 1))
    patch = b'{"spec":{"unknownOne":"x","replicas":2,"replicas":3}}'
    for content in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
        options = {"content": content, "fieldValidation": "Strict"}
        status, message, _ = told(caller, "PATCH", f"{path}/web", patch, **options)
        assert status in (400, 422) and 'unknown field "spec.unknownOne"' in message
        assert 'duplicate field "spec.replicas"' in message
    applied = b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  paused: true\n"
    applying = {"fieldManager": "m", "force": "true", "fieldValidation": "Strict"}
    status, message, _ = told(caller, "PATCH", f"{path}/web", applied + b"  paused: true\n", **applying)
    assert status == 400 and 'key "paused" already set in map' in message
    status, message, _ = told(caller, "PATCH", f"{path}/web", applied + b"  unknownOne: 1\n", **applying)
    assert status == 500 and ".spec.unknownOne: field not declared in schema" in message


def test_unknown_metadata(caller: Caller) -> None:
    path = caller.of("apps/v1", "deployments")
    status, message, _ = told(caller, "POST", path, body(metadata=',"unknownMeta":"x"'), fieldValidation="Strict")
    assert (status, 'unknown field "metadata.unknownMeta"' in message) == (400, True)
    nested = body().replace(b'"template": {"metadata": {', b'"template": {"metadata": {"unknownMeta": "x", ')
    status, message, _ = told(caller, "POST", path, nested, fieldValidation="Strict")
    assert (status, 'unknown field "spec.template.metadata.unknownMeta"' in message) == (400, True)


LOOSE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "cronSpec": {"type": "string", "pattern": "^.*$"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["containerPort"],
                    "items": {
                        "type": "object",
                        "required": ["containerPort"],
                        "properties": {"containerPort": {"type": "integer"}, "hostPort": {"type": "integer"}},
                    },
                },
                "embedded": {**LOOSE, "x-kubernetes-embedded-resource": True},
            },
        }
    },
}


def define(caller: Caller, plural: str, schema: dict) -> str:  # type: ignore[type-arg]
    """The path of a new kind's objects."""
    group = f"{plural}.example.com"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": plural[:-1], "kind": plural[:-1].title()}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": f"{plural}.{group}"}, "spec": spec}
    caller.ok("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    caller.until(f"/apis/{group}/v1", lambda obj: bool(obj.get("resources")))
    return caller.of(f"{group}/v1", plural)


def forget(caller: Caller, plural: str) -> None:
    caller.ok("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{plural}.example.com")


def custom(plural: str, spec: str, metadata: str = "") -> bytes:
    head = f'"apiVersion":"{plural}.example.com/v1","kind":"{plural[:-1].title()}"'
    return f'{{{head},"metadata":{{"name":"one"{metadata}}},"spec":{{{spec}}}}}'.encode()


def test_fields_of_custom_resources(caller: Caller) -> None:
    path = define(caller, "noxus", SCHEMA)
    try:
        good = custom("noxus", '"cronSpec":"a","ports":[{"containerPort":8080,"hostPort":8081}]')
        assert told(caller, "POST", path, good, fieldValidation="Strict", dryRun="All")[0] == 201
        status, message, _ = told(
            caller, "POST", path, custom("noxus", '"foo":"bar","cronSpec":"a","cronSpec":"b"'), fieldValidation="Strict"
        )
        assert status == 400
        assert 'unknown field "spec.foo"' in message and 'duplicate field "spec.cronSpec"' in message
        odd = custom(
            "noxus", '"embedded":{"kind":"K","apiVersion":"v1","metadata":{"unknownSub":"x"}}', ',"unknownMeta":1'
        )
        status, message, _ = told(caller, "POST", path, odd, fieldValidation="Strict")
        assert status == 400 and 'unknown field "metadata.unknownMeta"' in message
        assert 'unknown field "spec.embedded.metadata.unknownSub"' in message
        apply = b"apiVersion: noxus.example.com/v1\nkind: Noxu\nmetadata: {name: one}\nspec: {cronSpec: a, extra: 1}\n"
        status, message, _ = told(
            caller, "PATCH", f"{path}/one", apply, fieldManager="m", force="true", fieldValidation="Strict"
        )
        assert status in (400, 500) and ".spec.extra: field not declared in schema" in message
    finally:
        forget(caller, "noxus")


def test_a_schema_that_keeps_everything_still_refuses_repetitions(caller: Caller) -> None:
    path = define(caller, "looses", LOOSE)
    try:
        status, message, _ = told(
            caller, "POST", path, custom("looses", '"any":1,"foo":"a","foo":"b"'), fieldValidation="Strict"
        )
        assert (status, 'duplicate field "spec.foo"' in message) == (400, True)
        assert told(caller, "POST", path, custom("looses", '"any":{"x":1}'), fieldValidation="Strict")[0] == 201
        apply = b"apiVersion: looses.example.com/v1\nkind: Loose\nmetadata: {name: one}\nspec: {other: 2}\n"
        options = {"fieldManager": "m", "force": "true", "fieldValidation": "Strict"}
        assert told(caller, "PATCH", f"{path}/one", apply, **options)[0] == 200
        assert caller.ok("GET", f"{path}/one")["spec"] == {"any": {"x": 1}, "other": 2}
    finally:
        forget(caller, "looses")


@pytest.mark.parametrize("content", ["application/apply-patch+yaml", "application/apply-patch+cbor"])
def test_apply_needs_a_manager(caller: Caller, content: str) -> None:
    path = f"{caller.space}/configmaps/m"
    status, refused = caller.call("PATCH", path, {"apiVersion": "v1", "kind": "ConfigMap"}, content=content)
    assert status == (422 if content.endswith("yaml") else 415), refused
