"""Custom resource definitions: their lives, their schemas for kubectl, defaults, selectable fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from tests.e2e.clients.calling import Caller, Object
from tests.e2e.clients.shell import Shell

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LOOSE: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
FOO: Object = {
    "type": "object",
    "description": "Foo CRD for Testing",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "type": "array",
                    "description": "List of Bars and their specs.",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "description": "Name of Bar."},
                            "age": {"type": "string", "description": "Age of Bar."},
                            "bazs": {"type": "array", "items": {"type": "string"}, "description": "List of Bazs."},
                        },
                    },
                }
            },
        },
        "status": {"type": "object", "description": "Status of Foo"},
    },
}


class Defined:
    """Definitions of one test, in groups of its own; all are deleted at its end."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.made: list[str] = []

    def make(self, plural: str, group: str, *versions: str, schema: Object = FOO, **more: Any) -> str:
        """The definition's path, once it is served."""
        group = f"{group}.{self.caller.namespace}.example.com"
        rows = [
            {
                "name": each,
                "served": True,
                "storage": each == versions[0],
                "schema": {"openAPIV3Schema": schema},
                **more,
            }
            for each in versions
        ]
        names = {"plural": plural, "singular": plural[:-1], "kind": plural.title()[:-1]}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": rows}
        body = {"metadata": {"name": f"{plural}.{group}", "labels": {"of": self.caller.namespace}}, "spec": spec}
        self.caller.ok("POST", DEFINITIONS, body)
        self.made.append(f"{DEFINITIONS}/{plural}.{group}")
        self.caller.until(f"/apis/{group}/{versions[0]}", lambda obj: plural in str(obj.get("resources")))
        return self.made[-1]

    def group(self, group: str) -> str:
        return f"{group}.{self.caller.namespace}.example.com"

    def published(self, holds: Callable[[set[str]], bool]) -> set[str]:
        """Names of the test's schemas in the OpenAPI document, once `holds` is true of them."""
        mine = ".".join(reversed(f"{self.caller.namespace}.example.com".split(".")))

        def names(obj: Object) -> set[str]:
            return {each.removeprefix(f"{mine}.") for each in obj["definitions"] if each.startswith(mine)}

        return names(self.caller.until("/openapi/v2", lambda obj: holds(names(obj))))

    def __enter__(self) -> Defined:
        return self

    def __exit__(self, *_: Any) -> None:
        for each in self.made:
            self.caller.call("DELETE", each)


def custom(api_version: str, kind: str, spec: Object | None = None, **more: Any) -> str:
    head = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}}
    return orjson.dumps({**head, **({"spec": spec} if spec is not None else {}), **more}).decode()


def test_kubectl_knows_the_schema_of_a_definition(caller: Caller, kubectl: Shell) -> None:
    with Defined(caller) as defined:
        defined.make("foos", "schema", "v1")
        version = f"{defined.group('schema')}/v1"
        good = custom(version, "Foo", {"bars": [{"name": "a", "age": "10", "bazs": ["x"]}]})
        for verb in ("create", "apply"):
            assert "foo" in kubectl.out(verb, "-f", "-", stdin=good)
            kubectl.run("delete", "foo", "one")
            unknown = custom(version, "Foo", {"bars": [{"name": "a", "agee": "10"}]})
            assert 'unknown field "spec.bars[0].agee"' in kubectl.fails(verb, "-f", "-", stdin=unknown)
            missing = custom(version, "Foo", {"bars": [{"age": "10"}]})
            assert "spec.bars[0].name: Required value" in kubectl.fails(verb, "-f", "-", stdin=missing)
        whole = kubectl.out("explain", f"foos.{defined.group('schema')}")
        assert "Foo CRD for Testing" in whole and "Specification of Foo" in whole
        assert "APIVersion defines" in kubectl.out("explain", "foos.apiVersion") and "<ObjectMeta>" in whole
        assert "List of Bars and their specs." in kubectl.out("explain", "foos.spec.bars")
        below = kubectl.out("explain", "foos.spec.bars", "--recursive")
        assert "bazs\t<[]string>" in below and "name\t<string> -required-" in below
        assert 'field "bars2" does not exist' in kubectl.fails("explain", "foos.spec.bars2")


def test_kubectl_takes_everything_where_a_schema_does(caller: Caller, kubectl: Shell) -> None:
    root: Object = {**LOOSE, "properties": {"spec": {"type": "object", "description": "Described"}}}
    nested: Object = {"type": "object", "properties": {"spec": {**LOOSE, "description": "Described"}}}
    inner = {**LOOSE, "x-kubernetes-embedded-resource": True, "description": "Described"}
    embedded: Object = {"type": "object", "properties": {"spec": inner}}
    with Defined(caller) as defined:
        for plural, schema in (("roots", root), ("nesteds", nested), ("embeddeds", embedded), ("empties", LOOSE)):
            defined.make(plural, plural, "v1", schema=schema)
            kind, version = plural.title()[:-1], f"{defined.group(plural)}/v1"
            free: Object = {"unknown": {"deep": 1}}
            if plural == "embeddeds":
                free |= {"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}}
            more = {"other": "x"} if plural in ("roots", "empties") else {}
            spec = {} if plural == "roots" else free
            for verb in ("create", "apply"):
                kubectl.run(verb, "-f", "-", stdin=custom(version, kind, spec, **more))
                kept = caller.ok("GET", caller.of(version, plural) + "/one")
                assert spec.items() <= kept["spec"].items() and more.items() <= kept.items()
                kubectl.run("delete", f"{plural}.{defined.group(plural)}", "one")
            explained = kubectl.out("explain", f"{plural}.{defined.group(plural)}")
            assert kind in explained and (plural == "empties" or "Described" in explained)


def test_schemas_are_published_for_each_group_version_and_kind(caller: Caller) -> None:
    with Defined(caller) as defined:
        defined.make("foos", "one", "v1")
        defined.make("waldos", "two", "v1")
        defined.make("fields", "three", "v2", "v3")
        defined.make("bars", "four", "v4")
        defined.make("bazs", "four", "v4")
        wanted = {"one.v1.Foo", "two.v1.Waldo", "three.v2.Field", "three.v3.Field", "four.v4.Bar", "four.v4.Baz"}
        defined.published(lambda names: wanted <= names)


def test_schemas_follow_versions_that_are_renamed_or_served_no_more(caller: Caller) -> None:
    with Defined(caller) as defined:
        path = defined.make("foos", "moving", "v2", "v3")
        defined.published(lambda names: {"moving.v2.Foo", "moving.v3.Foo"} <= names)
        rename = [{"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}]
        caller.ok("PATCH", path, rename, content="application/json-patch+json")
        renamed = defined.published(lambda names: "moving.v4.Foo" in names)
        assert "moving.v3.Foo" not in renamed and "moving.v2.Foo" in renamed
        stop = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
        caller.ok("PATCH", path, stop, content="application/json-patch+json")
        left = defined.published(lambda names: "moving.v4.Foo" not in names)
        assert "moving.v2.Foo" in left
        v3 = caller.ok("GET", "/openapi/v3")["paths"]
        assert f"apis/{defined.group('moving')}/v2" in v3 and f"apis/{defined.group('moving')}/v4" not in v3


def test_definitions_are_made_listed_changed_and_deleted(caller: Caller) -> None:
    with Defined(caller) as defined:
        for plural in ("ones", "twos", "threes"):
            defined.make(plural, "life", "v1", schema=LOOSE)
        selector = f"of={caller.namespace}"
        assert len(caller.names(DEFINITIONS, labelSelector=selector)) == 3
        status = caller.ok("GET", f"{defined.made[0]}/status")
        assert {"type": "Established", "status": "True"}.items() <= status["status"]["conditions"][1].items()
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set by a test"}
        status["status"]["conditions"].append(condition)
        updated = caller.ok("PUT", f"{defined.made[0]}/status", status)["status"]
        assert updated["conditions"][-1]["reason"] == "E2E"
        patch = {"metadata": {"annotations": {"p": "1"}}, "status": {"storedVersions": ["v1"]}}
        caller.ok("PATCH", f"{defined.made[0]}/status", patch)
        caller.ok("DELETE", DEFINITIONS, labelSelector=selector)
        for each in defined.made:
            caller.gone(each)


def test_defaults_are_filled_in_for_requests_and_for_what_was_stored_before(caller: Caller) -> None:
    with Defined(caller) as defined:
        plain: Object = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
        path = defined.make("defs", "defaults", "v1", schema=plain)
        objects = caller.of(f"{defined.group('defaults')}/v1", "defs")
        caller.ok("POST", objects, orjson.loads(custom(f"{defined.group('defaults')}/v1", "Def")))
        default = [{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/a/default", "value": "A"}]
        caller.ok("PATCH", path, default, content="application/json-patch+json")
        caller.until(f"{objects}/one", lambda obj: obj.get("a") == "A")
        again = caller.ok("PATCH", f"{objects}/one", {"metadata": {"labels": {"x": "y"}}})
        assert again["a"] == "A" and "b" not in again
        body = {**orjson.loads(custom(f"{defined.group('defaults')}/v1", "Def")), "metadata": {"name": "two"}}
        assert caller.ok("POST", objects, body)["a"] == "A"
        removed = [{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/a/default"}]
        caller.ok("PATCH", path, removed, content="application/json-patch+json")
        assert caller.ok("GET", f"{objects}/two")["a"] == "A", "it was stored with the request"


def test_fields_of_custom_resources_select(caller: Caller) -> None:
    shirt: Object = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"color": {"type": "string"}, "size": {"type": "string"}}}
        },
    }
    fields = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]
    with Defined(caller) as defined:
        defined.make("shirts", "fields", "v1", schema=shirt, selectableFields=fields)
        version = f"{defined.group('fields')}/v1"
        path = caller.of(version, "shirts")
        events = caller.watch(path, fieldSelector="spec.color=blue,spec.size=M")
        for name, color, size in (("s1", "blue", "S"), ("s2", "blue", "M"), ("s3", "green", "M")):
            body = {
                "apiVersion": version,
                "kind": "Shirt",
                "metadata": {"name": name},
                "spec": {"color": color, "size": size},
            }
            caller.ok("POST", path, body)
        assert caller.names(path, fieldSelector="spec.color=blue") == ["s1", "s2"]
        assert caller.names(path, fieldSelector="spec.color=blue,spec.size=M") == ["s2"]
        assert caller.names(f"/apis/{version}/shirts", fieldSelector="spec.color!=blue") == ["s3"]
        caller.ok("PATCH", f"{path}/s2", {"spec": {"color": "green"}})
        seen = [next(events) for _ in range(2)]
        assert [(kind, obj["metadata"]["name"]) for kind, obj in seen] == [("ADDED", "s2"), ("DELETED", "s2")]
        status, refused = caller.call("GET", path, fieldSelector="spec.fit=x")
        assert (status, "field label not supported" in refused["message"]) == (400, True)
        caller.ok("DELETE", path, fieldSelector="spec.color=green")
        assert caller.names(path) == ["s1"]
