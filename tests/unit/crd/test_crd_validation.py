"""Validation of definitions against what the reference answered to hundreds of changed ones."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from cybernetes.base.random import SystemRandom
from cybernetes.model.field import invalid_object
from cybernetes.model.resource import WriteContext
from cybernetes.model.resources.apiextensions.customresourcedefinitions import RESOURCE
from cybernetes.model.schema.compile import node
from cybernetes.model.schema.custom.definition import validate_definition, validate_definition_update
from cybernetes.model.schema.decode import decode
from cybernetes.model.schema.default import default

CONTEXT = WriteContext(now=0.0, random=SystemRandom())


def recorded() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    folder = Path(os.environ.get("CYBERNETES_GOLDEN", Path(__file__).parents[4] / "shared" / "golden"))
    if not (folder / "mutations.jsonl").exists():
        pytest.skip(f"no recorded answers in {folder}: set CYBERNETES_GOLDEN")
    manifests = [json.loads(line) for line in (folder / "bases.json").read_text().splitlines()]
    base = next(each for each in manifests if each["kind"] == "CustomResourceDefinition")
    cases = [json.loads(line) for line in (folder / "mutations.jsonl").read_text().splitlines()]
    return base, [each for each in cases if "CustomResourceDefinition/" in each["request"]["mutate"]["base"]]


def changed(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    doc = copy.deepcopy(base)
    if change["op"] == "none":
        return doc
    at: Any = doc
    for key in change["at"][:-1]:
        at = at[key]
    last = change["at"][-1]
    if change["op"] == "remove":
        del at[last]
    elif change["op"] == "append":
        at[last].append(change["value"])
    else:
        at[last] = change["value"]
    return doc


def read(doc: dict[str, Any]) -> dict[str, Any]:
    definition = node(RESOURCE.schema)
    body = orjson.dumps(doc)
    obj = decode(definition, body, "application/json", kind=RESOURCE.kind, api_version=RESOURCE.api_version).object
    default(definition, obj)
    return obj


def test_definitions_are_refused_as_by_the_reference() -> None:
    base, cases = recorded()
    unlike = []
    refused = 0
    for case in cases:
        if case["answer"]["code"] not in (201, 422):
            continue
        obj = read(changed(base, case["request"]["mutate"]))
        RESOURCE.strategy.prepare_create(obj, CONTEXT)
        errors = RESOURCE.strategy.validate_create(obj, CONTEXT)
        answer = case["answer"]
        if answer["code"] == 201:
            assert errors == [], case["request"]["mutate"]
            continue
        refused += 1
        have = invalid_object(RESOURCE.group, RESOURCE.kind, obj["metadata"].get("name", ""), errors).status()
        if have["message"] != answer["body"]["message"]:
            unlike.append(case["request"]["mutate"]["at"][-2:])
    assert unlike == []
    assert refused > 200


def definition(**spec: Any) -> dict[str, Any]:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    whole = {"group": "example.test", "scope": "Cluster", "names": names, "versions": versions, **spec}
    return {"metadata": {"name": "things.example.test"}, "spec": whole, "status": {"storedVersions": ["v1"]}}


def told(errors: list[Any]) -> list[str]:
    return [f"{each.field}: {each.body}" for each in errors]


def test_versions_that_differ_are_told_of_by_their_index() -> None:
    wrong = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "array"}}}
    good = definition()["spec"]["versions"][0]
    assert told(validate_definition(definition(versions=[good, wrong]))) == [
        "spec.versions[1].schema.openAPIV3Schema.items: Required value: must be specified",
        'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "array": must be object at the root',
    ]


def test_group_and_plural_never_change_and_scope_not_once_established() -> None:
    old = definition()
    new = definition(group="other.test", scope="Namespaced")
    assert told(validate_definition_update(new, old)) == ['spec.group: Invalid value: "other.test": field is immutable']
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    assert (
        told(validate_definition_update(new, old))[1] == 'spec.scope: Invalid value: "Namespaced": field is immutable'
    )


def test_a_version_that_was_stored_may_not_leave() -> None:
    made = definition()
    made["status"]["storedVersions"] = ["v1beta1", "v1"]
    assert [each.field for each in validate_definition(made)] == ["status.storedVersions[0]"]
