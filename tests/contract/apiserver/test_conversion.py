"""Custom resources in several versions: conversion by name and by webhook, and what is read of what was stored."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from calls import Client, Object, run
from test_custom_resources import DEFINITIONS, until

from apiserver_fixture import RunningApi
from hook_server import Hooks, hooks

_numbers = itertools.count()
ONE = {"type": "object", "properties": {"hostPort": {"type": "string"}, "color": {"type": "string", "default": "red"}}}
TWO = {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "string"}}}
SELECTABLE = {"v1": ".spec.hostPort", "v2": ".spec.host"}


def version(name: str, spec: Object, *, storage: bool) -> Object:
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": SELECTABLE[name]}],
        "additionalPrinterColumns": [{"name": name, "type": "string", "jsonPath": SELECTABLE[name]}],
    }


def definition(group: str, conversion: Object | None) -> Object:
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList"},
        "versions": [version("v1", ONE, storage=True), version("v2", TWO, storage=False)],
    }
    if conversion is not None:
        spec["conversion"] = conversion
    return {"metadata": {"name": f"tabs.{group}"}, "spec": spec}


def convert(review: Object) -> Object:
    request = review["request"]
    made = [converted(each, request["desiredAPIVersion"]) for each in request["objects"]]
    result = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": made}
    return {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": result}


def converted(obj: Object, api_version: str) -> Object:
    obj = {**copy.deepcopy(obj), "apiVersion": api_version}
    spec = obj.get("spec") or {}
    if api_version.endswith("/v2") and "hostPort" in spec:
        spec["host"], _, spec["port"] = spec.pop("hostPort").partition(":")
        spec["color"] = "dropped, for v2 has no colors"
    elif api_version.endswith("/v1") and "host" in spec:
        spec["hostPort"] = f"{spec.pop('host')}:{spec.pop('port')}"
    obj["metadata"]["annotations"] = {"converted": "yes"}
    return obj


class Served:
    """A definition whose two versions a webhook converts, and short ways to its objects."""

    def __init__(self, client: Client, hook: Hooks | None, group: str, space: str) -> None:
        self.client = client
        self.hook = hook
        self.group = group
        self.space = space

    def path(self, version: str) -> str:
        return f"/apis/{self.group}/{version}/namespaces/{self.space}/tabs"

    def tab(self, version: str, name: str, **metadata: Any) -> Object:
        spec = {"hostPort": "a:1"} if version == "v1" else {"host": "a", "port": "1"}
        shape = {"apiVersion": f"{self.group}/{version}", "kind": "Tab"}
        return {**shape, "metadata": {"name": name, **metadata}, "spec": spec}

    async def make(self, version: str, name: str, **metadata: Any) -> Object:
        return await self.client.ok("POST", self.path(version), self.tab(version, name, **metadata))

    async def store_in(self, name: str) -> None:
        """Make a version the storage version."""
        path = f"{DEFINITIONS}/tabs.{self.group}"
        now = await self.client.ok("GET", path)
        for each in now["spec"]["versions"]:
            each["storage"] = each["name"] == name
        await self.client.ok("PUT", path, now)

    def calls(self) -> int:
        return 0 if self.hook is None else len(self.hook.reviews)


def conversion_by(hook: Hooks, path: str = "/convert", **rest: Any) -> Object:
    webhook = {"clientConfig": hook.client_config(path), "conversionReviewVersions": ["v1"], **rest}
    return {"strategy": "Webhook", "webhook": webhook}


async def serve(client: Client, conversion: Object | None, hook: Hooks | None = None) -> Served:
    number = next(_numbers)
    group, space = f"tabs{number}.example.test", f"tabs-{number}"
    await client.ok("POST", DEFINITIONS, definition(group, conversion))

    async def both_are_served() -> bool:
        found = [await client.send("GET", f"/apis/{group}/{each}") for each in ("v1", "v2")]
        return all(each.status == 200 for each in found)

    await until(both_are_served)
    await client.namespace(space)
    return Served(client, hook, group, space)


def with_hook(api: RunningApi, test: Callable[[Served], Awaitable[None]], path: str = "/convert") -> None:
    async def scenario(client: Client) -> None:
        async with hooks() as hook:
            hook.answers["/convert"] = convert
            await test(await serve(client, conversion_by(hook, path), hook))

    run(api, scenario)


def test_an_object_is_seen_in_every_version_and_nobody_is_asked_where_versions_are_the_same(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        made = await tabs.make("v1", "a")
        assert made["spec"] == {"hostPort": "a:1", "color": "red"}
        assert tabs.calls() == 0
        seen = await tabs.client.ok("GET", f"{tabs.path('v2')}/a")
        assert seen["apiVersion"] == f"{tabs.group}/v2"
        assert seen["spec"] == {"host": "a", "port": "1"}
        assert seen["metadata"]["annotations"] == {"converted": "yes"}
        assert {**seen["metadata"], "annotations": None} == {**made["metadata"], "annotations": None}
        asked = tabs.hook.reviews[0][1]  # type: ignore[union-attr]
        assert asked["apiVersion"] == "apiextensions.k8s.io/v1"
        assert asked["request"]["desiredAPIVersion"] == f"{tabs.group}/v2"
        assert "resourceVersion" not in asked["request"]["objects"][0]["metadata"]
        await tabs.client.ok("GET", f"{tabs.path('v2')}/a")
        assert tabs.calls() == 1

    with_hook(api, scenario)


def test_every_verb_works_in_a_version_that_is_not_stored(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        client, path = tabs.client, tabs.path("v2")
        made = await tabs.make("v2", "a", finalizers=["example.test/hold"])
        assert made["spec"] == {"host": "a", "port": "1"}
        made["spec"]["port"] = "2"
        updated = await client.ok("PUT", f"{path}/a", made)
        assert (updated["spec"]["port"], updated["metadata"]["generation"]) == ("2", 2)
        patched = await client.ok("PATCH", f"{path}/a", {"spec": {"port": "3"}})
        assert patched["spec"] == {"host": "a", "port": "3"}
        applied = await client.ok(
            "PATCH",
            f"{path}/a",
            {**tabs.tab("v2", "a"), "spec": {"port": "4"}},
            content="application/apply-patch+yaml",
            fieldManager="me",
            force="true",
        )
        assert applied["spec"] == {"host": "a", "port": "4"}
        status = await client.ok("PUT", f"{path}/a/status", {**applied, "status": {}, "spec": {"host": "b"}})
        assert status["spec"] == {"host": "a", "port": "4"}
        other = await client.ok("GET", f"{tabs.path('v1')}/a")
        assert other["spec"]["hostPort"] == "a:4"
        deleted = await client.ok("DELETE", f"{path}/a")
        assert (deleted["apiVersion"], deleted["spec"]) == (f"{tabs.group}/v2", {"host": "a", "port": "4"})
        freed = await client.ok("PATCH", f"{path}/a", {"metadata": {"finalizers": None}})
        assert freed["spec"]["port"] == "4"
        status_code, _ = await client.call("GET", f"{path}/a")
        assert status_code == 404
        await tabs.make("v2", "b")
        gone = await client.ok("DELETE", path)
        assert [each["spec"] for each in gone["items"]] == [{"host": "a", "port": "1"}]

    with_hook(api, scenario)


def test_a_list_of_objects_stored_in_several_versions_is_one_call(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        for name in ("a", "b", "c"):
            await tabs.make("v1", name)
        await tabs.store_in("v2")
        await tabs.make("v2", "d")
        assert tabs.calls() == 0
        for version_name, alien, shape in (("v1", 1, {"hostPort": "a:1"}), ("v2", 3, {"host": "a", "port": "1"})):
            before = tabs.calls()
            listed = await tabs.client.ok("GET", tabs.path(version_name))
            assert [each["metadata"]["name"] for each in listed["items"]] == ["a", "b", "c", "d"]
            assert all(each["apiVersion"] == f"{tabs.group}/{version_name}" for each in listed["items"])
            assert all(shape.items() <= each["spec"].items() for each in listed["items"])
            assert tabs.calls() == before + 1
            assert len(tabs.hook.reviews[-1][1]["request"]["objects"]) == alien  # type: ignore[union-attr]
        again = await tabs.client.ok("GET", tabs.path("v2"), limit="2")
        assert (len(again["items"]), again["metadata"]["remainingItemCount"]) == (2, 2)
        assert tabs.calls() == 2

    with_hook(api, scenario)


def test_selectors_and_columns_are_those_of_the_version(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        await tabs.make("v1", "a")
        listed = await tabs.client.ok("GET", tabs.path("v2"), fieldSelector="spec.host=a")
        assert [each["metadata"]["name"] for each in listed["items"]] == ["a"]
        none = await tabs.client.ok("GET", tabs.path("v2"), fieldSelector="spec.host=b")
        assert none["items"] == []
        status, _ = await tabs.client.call("GET", tabs.path("v2"), fieldSelector="spec.hostPort=a:1")
        assert status == 400
        table = await tabs.client.ok("GET", tabs.path("v2"), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "v2"]
        assert table["rows"][0]["cells"] == ["a", "a"]
        partial = await tabs.client.ok(
            "GET", f"{tabs.path('v2')}/a", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
        )
        assert partial["metadata"]["annotations"] == {"converted": "yes"}

    with_hook(api, scenario)


def test_watchers_see_their_version_and_select_in_it(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        await tabs.make("v1", "a")
        async with (
            tabs.client.watch(tabs.path("v2"), fieldSelector="spec.host=a") as selected,
            tabs.client.watch(tabs.path("v2")) as everything,
        ):
            for next_event in (selected, everything):
                first = await next_event()
                assert first is not None
                assert (first["type"], first["object"]["spec"]) == ("ADDED", {"host": "a", "port": "1"})
            await tabs.client.ok("PATCH", f"{tabs.path('v1')}/a", {"spec": {"hostPort": "b:2"}})
            changed, left = await everything(), await selected()
            assert changed is not None
            assert left is not None
            assert (changed["type"], changed["object"]["spec"]["port"]) == ("MODIFIED", "2")
            assert (left["type"], left["object"]["spec"]["host"]) == ("DELETED", "a")
            await tabs.client.ok("DELETE", f"{tabs.path('v1')}/a")
            last = await everything()
            assert last is not None
            assert (last["type"], last["object"]["apiVersion"]) == ("DELETED", f"{tabs.group}/v2")

    with_hook(api, scenario)


def test_rewriting_brings_objects_into_the_storage_version(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        made = await tabs.make("v1", "a")
        await tabs.store_in("v2")
        crd = await tabs.client.ok("GET", f"{DEFINITIONS}/tabs.{tabs.group}")
        assert crd["status"]["storedVersions"] == ["v1", "v2"]
        seen = await tabs.client.ok("GET", f"{tabs.path('v2')}/a")
        written = await tabs.client.ok("PUT", f"{tabs.path('v2')}/a", seen)
        assert written["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        before = tabs.calls()
        again = await tabs.client.ok("PUT", f"{tabs.path('v2')}/a", written)
        assert again == written
        assert tabs.calls() == before

    with_hook(api, scenario)


def answering(change: Callable[[Object, Object], Any]) -> Callable[[Object], Any]:
    def answer(review: Object) -> Any:
        made = convert(review)
        said = change(made, made["response"])
        return made if said is None else said

    return answer


def first(response: Object) -> Object:
    found: Object = response["convertedObjects"][0]
    return found


WRONG: dict[str, tuple[Callable[[Object, Object], Any], str]] = {
    "text": (
        lambda review, response: b"<html>",
        "failed: couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value",
    ),
    "kind": (
        lambda review, response: {},
        "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /, Kind=",
    ),
    "empty": (lambda review, response: review.pop("response") and None, "failed: no response provided"),
    "uid": (lambda review, response: response.update(uid="x"), 'failed: expected response.uid="UID", got "x"'),
    "refused": (
        lambda review, response: response.update(result={"status": "Failure", "message": "I will not"}),
        "failed: I will not",
    ),
    "silent": (
        lambda review, response: response.update(result={}),
        "failed: response.result.status was '', not 'Success'",
    ),
    "few": (lambda review, response: response.update(convertedObjects=[]), "returned 0 objects, expected 1"),
    "version": (
        lambda review, response: first(response).update(apiVersion="other/v9"),
        "returned invalid converted object at index 0: invalid groupVersion (expected GROUP/v2, received other/v9)",
    ),
    "other-kind": (
        lambda review, response: first(response).update(kind="Pod"),
        "returned invalid converted object at index 0: invalid kind (expected Tab, received Pod)",
    ),
    "name": (
        lambda review, response: first(response)["metadata"].update(name="b"),
        "returned invalid converted object at index 0: must have the same name: a != b",
    ),
    "namespace": (
        lambda review, response: first(response)["metadata"].update(namespace="kube-system"),
        "returned invalid converted object at index 0: must have the same namespace: SPACE != kube-system",
    ),
    "no-metadata": (
        lambda review, response: first(response).pop("metadata") and None,
        "returned invalid metadata in object at index 0: missing metadata in converted object",
    ),
    "labels": (
        lambda review, response: first(response)["metadata"].update(labels={"a": 1}),
        "returned invalid metadata in object at index 0: metadata.labels[a] must be a string, but is int64 in converted object",
    ),
    "bad-label": (
        lambda review, response: first(response)["metadata"].update(labels={"-": "a"}),
        'returned invalid metadata in object at index 0: metadata.labels: Invalid value: "-": name part must consist of',
    ),
}


@pytest.fixture(scope="module")
def broken_cases(api: RunningApi) -> dict[str, str]:
    """What a get in v2 is answered for each wrong answer of the hook; one definition for all."""
    found: dict[str, str] = {}

    async def scenario(tabs: Served) -> None:
        assert tabs.hook is not None
        await tabs.make("v1", "a")
        for name, (change, _) in WRONG.items():
            tabs.hook.answers["/convert"] = answering(change)
            status, answer = await tabs.client.call("GET", f"{tabs.path('v2')}/a")
            assert status == 500
            asked = tabs.hook.reviews[-1][1]["request"]["uid"]
            message = answer["message"].replace(asked, "UID").replace(tabs.group, "GROUP")
            found[name] = message.replace(tabs.space, "SPACE")
        listed, _ = await tabs.client.call("GET", tabs.path("v2"))
        unharmed = await tabs.client.ok("GET", f"{tabs.path('v1')}/a")
        assert (listed, unharmed["spec"]["hostPort"]) == (500, "a:1")

    with_hook(api, scenario)
    return found


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_refused_in_words(broken_cases: dict[str, str], case: str) -> None:
    expected = f"conversion webhook for GROUP/v1, Kind=Tab {WRONG[case][1]}"
    assert broken_cases[case].startswith(expected), broken_cases[case]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/early", "EOF"),
        ("/half", "unexpected EOF"),
        ("/500", 'an error on the server ("boom") has prevented the request from succeeding'),
        ("/404", "the server could not find the requested resource"),
        ("/redirect", "the server responded with the status code 307 but did not return more details"),
        ("/3gb", "the answer is larger than 16777216 bytes"),
    ],
)
def test_a_hook_that_misbehaves_costs_the_request_that_needs_it(api: RunningApi, path: str, why: str) -> None:
    async def scenario(tabs: Served) -> None:
        assert tabs.hook is not None
        await tabs.make("v1", "a")
        status, answer = await tabs.client.call("GET", f"{tabs.path('v2')}/a")
        assert status == 500
        assert answer["message"].startswith(f"conversion webhook for {tabs.group}/v1, Kind=Tab failed: ")
        assert answer["message"].endswith(why)
        assert {where for where, _ in tabs.hook.reviews} == {path}
        assert tabs.hook.sent < 64 << 20
        refused, _ = await tabs.client.call("POST", tabs.path("v2"), tabs.tab("v2", "b"))
        assert refused == 500
        missing, _ = await tabs.client.call("GET", f"{tabs.path('v1')}/b")
        assert missing == 404

    with_hook(api, scenario, path)


def test_a_hook_that_hangs_holds_up_nobody_else(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        assert tabs.hook is not None
        await tabs.make("v1", "a")
        waiting = asyncio.create_task(tabs.client.call("GET", f"{tabs.path('v2')}/a", timeout="1s"))
        async with tabs.client.watch(tabs.path("v2")) as next_event, tabs.client.watch(tabs.path("v1")) as unharmed:
            event = asyncio.create_task(next_event())
            seen = await unharmed()
            assert seen is not None
            await tabs.make("v1", "b")
            other = await unharmed()
            assert other is not None
            assert other["object"]["metadata"]["name"] == "b"
            assert not event.done()
            event.cancel()
        status, answer = await waiting
        assert (status, answer["reason"]) == (504, "Timeout")

    with_hook(api, scenario, "/hang")


def test_a_watch_that_can_not_be_converted_ends_with_the_reason(api: RunningApi) -> None:
    async def scenario(tabs: Served) -> None:
        async with tabs.client.watch(tabs.path("v2")) as next_event:
            await tabs.make("v1", "a")
            event = await next_event()
            assert event is not None
            assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
            assert event["object"]["message"].startswith("conversion webhook for")
            assert await next_event() is None

    with_hook(api, scenario, "/500")


def test_a_hook_that_reads_no_known_review_is_not_asked(api: RunningApi) -> None:
    async def scenario(client: Client) -> None:
        async with hooks() as hook:
            hook.answers["/convert"] = convert
            tabs = await serve(client, conversion_by(hook, conversionReviewVersions=["v9"]), hook)
            await tabs.make("v1", "a")
            _, answer = await client.call("GET", f"{tabs.path('v2')}/a")
            assert answer["message"].endswith("failed: no supported conversion review versions")
            assert hook.reviews == []

    run(api, scenario)


def test_versions_that_differ_by_name_share_what_both_schemas_name(api: RunningApi) -> None:
    async def scenario(client: Client) -> None:
        tabs = await serve(client, None)
        await tabs.make("v1", "a")
        seen = await client.ok("GET", f"{tabs.path('v2')}/a")
        assert (seen["apiVersion"], seen["spec"]) == (f"{tabs.group}/v2", {})
        made = await tabs.make("v2", "b")
        # The stored version has none of these fields.
        assert made["spec"] == {}

    run(api, scenario)


def test_defaults_of_a_later_schema_are_read_with_what_is_stored(api: RunningApi) -> None:
    async def scenario(client: Client) -> None:
        tabs = await serve(client, None)
        made = await tabs.make("v1", "a")
        path = f"{DEFINITIONS}/tabs.{tabs.group}"
        crd = await client.ok("GET", path)
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        properties["size"] = {"type": "integer", "default": 3}
        del properties["hostPort"]
        crd["spec"]["versions"][0].pop("selectableFields")
        async with client.watch(tabs.path("v1"), resourceVersion=made["metadata"]["resourceVersion"]) as next_event:
            await client.ok("PUT", path, crd)
            # What is served changed: who watches must come back for it.
            assert await next_event() is None
        seen = await client.ok("GET", f"{tabs.path('v1')}/a")
        assert seen["spec"] == {"color": "red", "size": 3}
        assert seen["metadata"] == made["metadata"]
        listed = await client.ok("GET", tabs.path("v1"))
        assert [each["spec"] for each in listed["items"]] == [seen["spec"]]

    run(api, scenario)


def test_a_hook_behind_a_service_is_looked_for_there(api: RunningApi) -> None:
    async def scenario(client: Client) -> None:
        service = {"namespace": "none", "name": "hook", "path": "/convert"}
        webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
        tabs = await serve(client, {"strategy": "Webhook", "webhook": webhook})
        await tabs.make("v1", "a")
        for port, why in (
            (0, 'service "hook" not found'),
            (80, 'no service port 443 found for service "hook"'),
            (443, 'no endpoints available for service "hook"'),
        ):
            spec = {"ports": [{"port": port}]}
            if port == 80:
                path = await client.namespace("none")
                await client.ok("POST", f"{path}/services", {"metadata": {"name": "hook"}, "spec": spec})
            elif port == 443:
                await client.ok("PATCH", f"{path}/services/hook", {"spec": spec})
            _, answer = await client.call("GET", f"{tabs.path('v2')}/a")
            post = 'Post "https://hook.none.svc:443/convert?timeout=30s"'
            assert answer["message"] == f"conversion webhook for {tabs.group}/v1, Kind=Tab failed: {post}: {why}"

    run(api, scenario)
