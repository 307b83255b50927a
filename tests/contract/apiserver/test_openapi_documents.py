"""The OpenAPI documents are what the OpenAPI specification says, by a validator of others."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from calls import Client, run
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator
from test_custom_resource_rows import definition, new_group, serve, version

from apiserver_fixture import RunningApi

# Every shape that documents have: paths without resources, kinds with scale and eviction, unions of JSON schemas.
DOCUMENTS = ("api", "apis", "apis/apps", "apis/apps/v1", "apis/apiextensions.k8s.io/v1", "apis/policy/v1", "version")


def without_empty_defaults(value: Any) -> Any:
    """Upstream writes `default: {}` for every struct, also where its fields are required; the validator minds."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if not (key == "default" and each == {})}
        return {key: without_empty_defaults(each) for key, each in kept.items()}
    return [without_empty_defaults(each) for each in value] if isinstance(value, list) else value


def complaints_of_v3(document: Any) -> list[str]:
    return [each.message for each in OpenAPIV30SpecValidator(without_empty_defaults(document)).iter_errors()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_version_3_are_valid(api: RunningApi, name: str) -> None:
    async def test(client: Client) -> None:
        index = await client.ok("GET", "/openapi/v3")
        answer = await client.send("GET", index["paths"][name]["serverRelativeURL"].partition("?")[0])
        assert complaints_of_v3(orjson.loads(answer.body)) == []

    run(api, test)


def test_the_document_of_a_custom_resource_is_valid_in_both_versions(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        await serve(client, definition(group, version("v1", storage=True, subresources={"status": {}})))
        assert complaints_of_v3(await client.ok("GET", f"/openapi/v3/apis/{group}/v1")) == []
        whole = await client.ok("GET", "/openapi/v2")
        ours = {key: each for key, each in whole["paths"].items() if group in key}
        assert ours
        # All paths take the validator twenty seconds.
        complaints = OpenAPIV2SpecValidator(without_empty_defaults({**whole, "paths": ours})).iter_errors()
        assert [each.message for each in complaints] == []

    run(api, test)
