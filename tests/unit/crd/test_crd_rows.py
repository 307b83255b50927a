from __future__ import annotations

from typing import Any

import pytest

from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.model.resource import WriteContext
from cybernetes.model.schema.custom import jsonpath
from cybernetes.model.schema.custom.rows import columns, storage_hash, versions

CONTEXT = WriteContext(now=0.0, random=SystemRandom())
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"replicas": {"type": "integer"}, "color": {"type": "string", "enum": ["red"]}},
            "x-kubernetes-validations": [{"rule": "self.replicas < 9", "message": "too many"}],
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    },
}


def definition(**metadata: Any) -> dict[str, Any]:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    first = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {"status": {}, "scale": scale},
        "selectableFields": [{"jsonPath": ".spec.color"}],
    }
    second = {"name": "v1beta1", "served": True, "storage": False}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"]}
    spec = {"group": "example.test", "scope": "Namespaced", "names": names, "versions": [first, second]}
    return {"metadata": {"name": "things.example.test", **metadata}, "spec": spec, "status": {"acceptedNames": names}}


def thing(replicas: int, **more: Any) -> dict[str, Any]:
    head = {"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "b"}}
    return {**head, "spec": {"replicas": replicas}, **more}


def test_rows_say_what_is_served() -> None:
    first, second = versions(definition())
    row = first.resource
    assert (row.plural, row.kind, row.namespaced, row.short_names) == ("things", "Thing", True, ("th",))
    assert [each.name for each in row.subresources] == ["status", "scale"]
    assert row.schema == "test.example.v1.Thing"
    assert (
        row.storage_version_hash == second.resource.storage_version_hash == storage_hash("example.test", "v1", "Thing")
    )
    assert (first.is_stored, second.is_stored) == (True, False)
    assert row.fields["spec.color"]({"spec": {"color": "red"}}) == "red"


def test_creation_drops_the_status_and_counts_from_one() -> None:
    strategy = versions(definition())[0].resource.strategy
    obj = thing(1, status={"replicas": 1})
    strategy.prepare_create(obj, CONTEXT)
    assert "status" not in obj
    assert obj["metadata"]["generation"] == 1


def test_updates_keep_the_status_and_count_changes_of_the_rest() -> None:
    strategy = versions(definition())[0].resource.strategy
    old = thing(1, status={"replicas": 1})
    old["metadata"]["generation"] = 4
    same, other = thing(1, status={"replicas": 7}), thing(2)
    strategy.prepare_update(same, old, CONTEXT)
    strategy.prepare_update(other, old, CONTEXT)
    assert (same["metadata"]["generation"], same["status"]) == (4, {"replicas": 1})
    assert other["metadata"]["generation"] == 5


def test_the_status_endpoint_writes_nothing_else() -> None:
    status = versions(definition())[0].resource.subresources[0].strategy
    assert status is not None
    new, old = thing(5, status={"replicas": 5}), thing(1)
    new["metadata"]["labels"] = {"x": "y"}
    status.prepare_update(new, old, CONTEXT)
    assert new == {**thing(1), "status": {"replicas": 5}}


def test_rules_are_asked_unless_the_object_is_too_wrong() -> None:
    strategy = versions(definition())[0].resource.strategy
    found = strategy.validate_create(thing(9), CONTEXT)
    assert [(each.field, each.body) for each in found] == [("spec", 'Invalid value: "object": too many')]
    wrong = thing(9)
    wrong["metadata"] = {"namespace": "b"}
    found = strategy.validate_create(wrong, CONTEXT)
    assert [each.field for each in found] == ["metadata.name", "<nil>"]


def test_errors_that_were_there_before_are_not_held_against_an_update() -> None:
    strategy = versions(definition())[0].resource.strategy
    old, new = thing(1), thing(2)
    old["spec"]["color"] = new["spec"]["color"] = "blue"
    for each in (old, new):
        each["metadata"] |= {"resourceVersion": "1", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert strategy.validate_update(new, old, CONTEXT) == []
    new["spec"]["color"] = "green"
    assert next(each.field for each in strategy.validate_update(new, old, CONTEXT)) == "spec.color"


def test_nothing_is_created_while_the_definition_goes() -> None:
    strategy = versions(definition(deletionTimestamp="2026-01-01T00:00:00Z"))[0].resource.strategy
    with pytest.raises(ApiError, match="create not allowed while custom resource definition is terminating"):
        strategy.prepare_create(thing(1), CONTEXT)


def test_columns_print_what_paths_lead_to() -> None:
    described = [
        {"name": "N", "type": "integer", "jsonPath": ".spec.n"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "All", "type": "string", "jsonPath": ".spec.list[*]"},
        {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".spec.text"},
    ]
    obj = {
        "metadata": {"name": "x"},
        "spec": {"n": 3, "list": ["a", 1], "since": "1970-01-01T00:00:00Z", "text": "t"},
        "status": {"conditions": [{"type": "Old", "status": "False"}, {"type": "Ready", "status": "True"}]},
    }
    cells = [each.cell(obj, 120.0) for each in columns(described)]
    assert cells == ["x", 3, "True", "a 1", "2m", None]
    assert [each.name for each in columns(None)] == ["Name", "Age"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        ("{.a.b}", [1]),
        ("$.a['c.d']", [2]),
        (r".a.c\.d", [2]),
        (".l[0].n", [1]),
        (".l[-1].n", [2]),
        (".l[*].n", [1, 2]),
        (".l[?(@.n==2)].n", [2]),
        (".l[?(@.n!=2)].n", [1]),
        (".missing.x", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.find(path, {"a": {"b": 1, "c.d": 2}, "l": [{"n": 1}, {"n": 2}]}) == found


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(jsonpath.JsonPathError):
        jsonpath.compiled(".a..b[")


@pytest.mark.parametrize(
    ("said", "warning"),
    [
        ({}, ""),
        ({"deprecationWarning": "no matter"}, ""),
        ({"deprecated": True, "deprecationWarning": "go on to v1"}, "go on to v1"),
        ({"deprecated": True}, "example.test/v1beta1 Thing is deprecated; use example.test/v1 Thing"),
    ],
)
def test_deprecated_versions_warn(said: dict[str, Any], warning: str) -> None:
    made = definition()
    made["spec"]["versions"][1] |= said
    assert [each.resource.deprecation for each in versions(made)] == ["", warning]


def test_a_deprecated_version_is_replaced_by_newer_ones_only() -> None:
    made = definition()
    made["spec"]["versions"][0]["deprecated"] = True
    assert versions(made)[0].resource.deprecation == "example.test/v1 Thing is deprecated"
