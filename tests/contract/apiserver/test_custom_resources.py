"""Custom resources through their lives: named, served, checked, scaled, cleaned up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from calls import Client, Object, run

from apiserver_fixture import RunningApi

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string"},
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [{"rule": "self.replicas < 10", "message": "too many"}],
}
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}}}


def definition(group: str) -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": STATUS}},
        },
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    return {
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [version],
        },
    }


def widget(group: str, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"image": "app", **spec},
    }


async def served(client: Client, group: str, space: str) -> str:
    """Define the widgets and wait until they are served; the path of the collection."""
    await client.ok("POST", DEFINITIONS, definition(group))
    await until(lambda: established(client, group))
    await client.namespace(space)
    return f"/apis/{group}/v1/namespaces/{space}/widgets"


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass in a minute")


async def missing(client: Client, path: str) -> bool:
    return (await client.send("GET", path)).status == 404


async def established(client: Client, group: str) -> bool:
    found = await client.ok("GET", f"{DEFINITIONS}/widgets.{group}")
    conditions = found.get("status", {}).get("conditions") or []
    if not any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
        return False
    return not await missing(client, f"/apis/{group}/v1")


def test_fields_are_defaulted_pruned_and_checked(api: RunningApi, space: str) -> None:
    group = f"{space}.example.com"

    async def test(client: Client) -> None:
        path = await served(client, group, space)
        made = await client.ok("POST", path, widget(group, "a", extra=1, open={"any": [1]}))
        assert made["spec"] == {"image": "app", "open": {"any": [1]}, "replicas": 1}
        assert made["metadata"]["generation"] == 1
        status, answer = await client.call("POST", path, widget(group, "b", replicas=-1))
        assert (status, answer["reason"]) == (422, "Invalid")
        assert "spec.replicas in body should be greater than or equal to 0" in answer["message"]
        status, answer = await client.call("POST", path, widget(group, "b", replicas=12))
        assert (status, answer["details"]["causes"][0]["message"]) == (422, 'Invalid value: "object": too many')

    run(api, test)


def test_status_and_scale_are_written_apart(api: RunningApi, space: str) -> None:
    group = f"{space}.example.com"

    async def test(client: Client) -> None:
        path = await served(client, group, space)
        made = await client.ok("POST", path, {**widget(group, "a"), "status": {"replicas": 7}})
        assert "status" not in made
        told = await client.ok("PUT", f"{path}/a/status", {**made, "status": {"replicas": 1}})
        assert (told["status"], told["metadata"]["generation"]) == ({"replicas": 1}, 1)
        scale = await client.ok("PATCH", f"{path}/a/scale", {"spec": {"replicas": 3}})
        assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 3}, {"replicas": 1})
        found = await client.ok("GET", f"{path}/a")
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (3, 2)

    run(api, test)


def test_discovery_and_schemas_follow_the_definition(api: RunningApi, space: str) -> None:
    group = f"{space}.example.com"

    async def test(client: Client) -> None:
        await served(client, group, space)
        listing = await client.ok("GET", f"/apis/{group}/v1")
        assert [each["name"] for each in listing["resources"]] == ["widgets", "widgets/status", "widgets/scale"]
        document = await client.ok("GET", f"/openapi/v3/apis/{group}/v1")
        name = ".".join(reversed(group.split("."))) + ".v1.Widget"
        assert "spec" in document["components"]["schemas"][name]["properties"]

    run(api, test)


def test_instances_go_with_their_definition(api: RunningApi, space: str) -> None:
    group = f"{space}.example.com"

    async def test(client: Client) -> None:
        path = await served(client, group, space)
        await client.ok("POST", path, widget(group, "a"))
        async with client.watch(path, resourceVersion="0") as next_event:
            first = await next_event()
            assert first is not None
            assert first["type"] == "ADDED"
            await client.ok("DELETE", f"{DEFINITIONS}/widgets.{group}")
            last = await next_event()
            assert last is not None
            assert (last["type"], last["object"]["metadata"]["name"]) == ("DELETED", "a")
        await until(lambda: missing(client, f"{DEFINITIONS}/widgets.{group}"))
        await until(lambda: missing(client, path))

    run(api, test)
