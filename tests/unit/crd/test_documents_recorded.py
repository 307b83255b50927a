"""Discovery and OpenAPI documents against recorded ones of 1.36: what 1.37 adds is left out of the comparison."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cybernetes.apiserver import discovery
from cybernetes.apiserver.openapi import custom, gnostic, v2, v3
from cybernetes.apiserver.openapi.serve import V2_PROTOBUF, Schemas
from cybernetes.model import resources
from cybernetes.model.versions import version_rank
from cybernetes.wire.http.message import Request

LISTING = discovery.Listing(resources.load())
NEW = ("clustertrustbundles", "podcertificaterequests", "devicetaintrules", "storageversionmigrations")


def recorded(theme: str) -> list[dict[str, Any]]:
    default = Path(__file__).parents[4] / "shared" / "golden"
    path = Path(os.environ.get("CYBERNETES_GOLDEN", default)) / f"{theme}.jsonl"
    if not path.exists():
        pytest.skip(f"no recorded answers at {path}: set CYBERNETES_GOLDEN")
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_new(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_new(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    return [without_new(each) for each in value if not _is_new(each)]


def _is_new(each: Any) -> bool:
    if not isinstance(each, dict):
        return False
    name = str(each.get("name", each.get("resource", ""))).split("/")[0]
    return name in (*NEW, "storagemigration.k8s.io") or each.get("metadata") == {"name": "storagemigration.k8s.io"}


def test_discovery_documents_are_equal() -> None:
    for case in recorded("discovery"):
        path, accept = case["request"]["path"], case["request"].get("accept", "")
        if discovery.asked_version(accept):
            body = discovery.aggregated(LISTING, core=path == "/api")[0]
        elif path == "/api":
            body = discovery.api_versions("127.0.0.1:16443")
        elif path == "/apis":
            body = discovery.group_list(LISTING)
        else:
            parts = path.strip("/").split("/")
            found = discovery.resource_list(LISTING, "" if parts[0] == "api" else parts[1], parts[-1])
            assert found is not None
            body = found
        assert without_new(json.loads(body)) == case["answer"]["body"], path


def shape(document: dict[str, Any]) -> dict[str, Any]:
    operations = {}
    for path, item in document["paths"].items():
        for method, each in item.items():
            if method == "parameters" or any(f"/{name}" in path for name in NEW):
                continue
            operations[f"{method} {path}"] = {
                "action": each.get("x-kubernetes-action"),
                "gvk": each.get("x-kubernetes-group-version-kind"),
                "parameters": sorted(p["name"] for p in each.get("parameters", []) + item.get("parameters", [])),
                "consumes": sorted(each.get("requestBody", {}).get("content", {})),
                "codes": sorted(each.get("responses", {})),
            }
    return operations


def test_openapi_operations_are_equal() -> None:
    cases = recorded("openapi")
    for case in cases:
        name = case["request"]["path"].removeprefix("/openapi/v3").strip("/")
        if not name:
            listed = set(json.loads(v3.index(LISTING, {}, "v1.37.0"))["paths"])
            assert listed - set(case["answer"]["paths"]) == {
                "apis/storagemigration.k8s.io",
                "apis/storagemigration.k8s.io/v1",
            }
            assert set(case["answer"]["paths"]) <= listed
            continue
        document = v3.document(LISTING, name, {}, "v1.37.0")
        assert document is not None
        assert shape(json.loads(document)) == case["answer"]["operations"], name
    assert len(cases) > 40


def test_every_reference_of_a_document_is_in_it() -> None:
    for name in v3.paths(LISTING):
        document = v3.document(LISTING, name, {}, "v1.37.0")
        assert document is not None
        schemas = json.loads(document)["components"]["schemas"]
        used = {part.split('"')[0] for part in document.decode().split("#/components/schemas/")[1:]}
        assert used <= set(schemas), name


def test_hashes_name_documents() -> None:
    schemas = Schemas(LISTING, {}, "v1.37.0")
    index = schemas.answer(Request("GET", "/openapi/v3"), 0.0)
    assert index is not None
    assert isinstance(index.body, bytes)
    url = json.loads(index.body)["paths"]["apis/apps/v1"]["serverRelativeURL"]
    path, _, digest = url.partition("?hash=")
    fresh = schemas.answer(Request("GET", path, {"hash": [digest]}), 0.0)
    stale = schemas.answer(Request("GET", path, {"hash": ["0"]}), 0.0)
    assert fresh is not None
    assert stale is not None
    assert dict(fresh.headers)["Cache-Control"] == "public, immutable"
    assert (stale.status, dict(stale.headers)["Location"]) == (301, url)
    known = schemas.answer(Request("GET", path, headers={"if-none-match": dict(fresh.headers)["ETag"]}), 0.0)
    assert known is not None
    assert known.status == 304
    assert schemas.answer(Request("GET", "/openapi/v3/apis/nope/v1"), 0.0) is None


def test_v2_comes_as_json_and_as_protobuf() -> None:
    schemas = Schemas(LISTING, {}, "v1.37.0")
    plain = schemas.answer(Request("GET", "/openapi/v2"), 0.0)
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    message = schemas.answer(Request("GET", "/openapi/v2", headers={"accept": asked}), 0.0)
    assert plain is not None
    assert message is not None
    assert isinstance(plain.body, bytes)
    assert isinstance(message.body, bytes)
    document = json.loads(plain.body)
    assert document["swagger"] == "2.0"
    patch = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert {"fieldValidation", "dryRun"} <= {each["name"] for each in patch["parameters"]}
    assert document["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"
    assert dict(message.headers)["Content-Type"] == V2_PROTOBUF
    # Field 1 is the version of swagger, field 2 title and version.
    assert message.body.startswith(b"\x0a\x032.0\x12")
    assert gnostic.encode({"swagger": "2.0", "x-a": 1}) == b"\x0a\x032.0\x82\x01\x0b\x0a\x03x-a\x12\x04\x12\x021\n"


def test_custom_resources_are_documented() -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    found = custom.definitions("example.test", "v1", "Thing", "ThingList", "things", schema)
    assert sorted(found) == ["test.example.v1.Thing", "test.example.v1.ThingList"]
    thing = json.loads(found["test.example.v1.Thing"])
    assert thing["x-kubernetes-group-version-kind"] == [{"group": "example.test", "version": "v1", "kind": "Thing"}]
    assert sorted(thing["properties"]) == ["apiVersion", "kind", "metadata", "spec"]
    assert v2.converted(thing)["properties"]["metadata"]["$ref"].startswith("#/definitions/")
    selected = custom.definitions("example.test", "v1", "Thing", "ThingList", "things", schema, ("spec.a", "spec.b"))
    whole = json.loads(selected["test.example.v1.Thing"])
    assert whole["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.a"}, {"fieldPath": "spec.b"}]


NULLABLE: dict[str, Any] = {"type": "object", "nullable": True, "properties": {"a": {"type": "string"}}}
PRESERVED = {**NULLABLE, "nullable": False, "x-kubernetes-preserve-unknown-fields": True}


@pytest.mark.parametrize(
    ("schema", "lenient"),
    [
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"enum": ["a"]}),
        (NULLABLE, {}),
        ({"type": "array", "nullable": True, "items": {"type": "string"}}, {}),
        (PRESERVED, {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        (
            {"type": "array", "items": {}, "x-kubernetes-preserve-unknown-fields": True},
            {"x-kubernetes-preserve-unknown-fields": True},
        ),
        ({"type": "array", "items": NULLABLE}, {"type": "array", "items": {}}),
        (
            {"type": "object", "properties": {"a": NULLABLE, "b": {"type": "string"}}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": {}, "b": {"type": "string"}}, "required": ["b"]},
        ),
        (
            {"type": "object", "properties": {"a": NULLABLE}, "required": ["a"]},
            {"type": "object", "properties": {"a": {}}},
        ),
        (
            {"type": "object", "additionalProperties": NULLABLE, "required": ["a"]},
            {"type": "object", "additionalProperties": {}},
        ),
    ],
)
def test_version_2_holds_neither_nulls_nor_unknown_fields_against_an_object(schema: Any, lenient: Any) -> None:
    whole = {"type": "object", "properties": {"spec": schema}}
    assert v2.converted(v2.open_ended(whole)) == {"type": "object", "properties": {"spec": lenient}}


def test_objects_within_custom_ones_have_what_all_have() -> None:
    schema = {"type": "object", "properties": {"o": {"type": "object", "x-kubernetes-embedded-resource": True}}}
    found = custom.definitions("example.test", "v1", "Thing", "ThingList", "things", schema)
    within = json.loads(found["test.example.v1.Thing"])["properties"]["o"]
    assert (
        sorted(within["properties"]) == sorted(within["required"] + ["metadata"]) == ["apiVersion", "kind", "metadata"]
    )


def test_versions_are_ordered_as_kubernetes_orders_them() -> None:
    names = ["v1alpha1", "foo", "v2", "v1beta2", "v1", "v10", "v1beta1", "bar"]
    assert sorted(names, key=version_rank) == [
        "v10",
        "v2",
        "v1",
        "v1beta2",
        "v1beta1",
        "v1alpha1",
        "bar",
        "foo",
    ]
