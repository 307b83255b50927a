"""What a conformant cluster does with custom resources, beside conversion: documents, selectors, webhooks, status."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from typing import Any

from calls import Client, Object, run
from test_custom_resources import DEFINITIONS, until

from apiserver_fixture import RunningApi
from hook_server import hooks

_numbers = itertools.count()
TEXT = {"type": "string"}
SPEC = {"type": "object", "properties": {"color": TEXT, "size": TEXT}}
SCHEMA = {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"seen": TEXT}}}}


def version(name: str, *, storage: bool = False, served: bool = True, **rest: Any) -> Object:
    schema = {"openAPIV3Schema": rest.pop("schema", SCHEMA)}
    return {"name": name, "served": served, "storage": storage, "schema": schema, **rest}


def definition(group: str, *versions: Object, kind: str = "Thing", **metadata: Any) -> Object:
    plural = f"{kind.lower()}s"
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions)}
    return {"metadata": {"name": f"{plural}.{group}", **metadata}, "spec": spec}


def new_group() -> str:
    return f"rows{next(_numbers)}.example.test"


async def serve(client: Client, crd: Object) -> tuple[str, str]:
    """Define it; the paths of its first version's collection in a namespace of its own, and of the definition."""
    await client.ok("POST", DEFINITIONS, crd)
    group, names = crd["spec"]["group"], crd["spec"]["names"]
    space = f"rows-{next(_numbers)}"
    await client.namespace(space)
    path = f"/apis/{group}/{crd['spec']['versions'][0]['name']}/namespaces/{space}/{names['plural']}"

    async def is_served() -> bool:
        return (await client.send("GET", path)).status == 200

    await until(is_served)
    return path, f"{DEFINITIONS}/{crd['metadata']['name']}"


def thing(group: str, name: str = "a", version: str = "v1", **rest: Any) -> Object:
    return {"apiVersion": f"{group}/{version}", "kind": "Thing", "metadata": {"name": name}, **rest}


def test_definitions_are_listed_deleted_together_and_have_a_status(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        groups = [new_group() for _ in range(3)]
        for group in groups:
            _, path = await serve(client, definition(group, version("v1", storage=True), labels={"set": groups[0]}))
        selected = {"labelSelector": f"set={groups[0]}"}
        listed = await client.ok("GET", DEFINITIONS, **selected)
        assert [each["spec"]["group"] for each in listed["items"]] == groups
        live = await client.ok("GET", f"{path}/status")
        updated = {"type": "StatusUpdated", "status": "True", "reason": "r", "message": "m", "lastTransitionTime": None}
        live["status"]["conditions"].append({**updated, "lastTransitionTime": "2020-01-01T00:00:00Z"})
        written = await client.ok("PUT", f"{path}/status", live)
        assert "StatusUpdated" in [each["type"] for each in written["status"]["conditions"]]
        patch = {"status": {"conditions": [*written["status"]["conditions"], {**updated, "type": "StatusPatched"}]}}
        patched = await client.ok("PATCH", f"{path}/status", patch)
        assert patched["status"]["conditions"][-1]["type"] == "StatusPatched"
        await client.ok("DELETE", DEFINITIONS, **selected)

        async def gone() -> bool:
            return (await client.ok("GET", DEFINITIONS, **selected))["items"] == []

        await until(gone)

    run(api, test)


def test_watches_of_objects_tell_of_each_change_once(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        path, _ = await serve(client, definition(group, version("v1", storage=True)))
        async with client.watch(path) as next_event:
            await client.ok("POST", path, thing(group, "a"))
            await client.ok("POST", path, thing(group, "b"))
            await client.ok("PATCH", f"{path}/a", {"spec": {"color": "red"}})
            await client.ok("DELETE", f"{path}/b")
            await client.ok("DELETE", f"{path}/a")
            seen = [await next_event() for _ in range(5)]
        told = [(each["type"], each["object"]["metadata"]["name"]) for each in seen if each is not None]
        assert told == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("DELETED", "a")]

    run(api, test)


def test_discovery_names_group_version_and_resource(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        await serve(client, definition(group, version("v1", storage=True), version("v2")))
        groups = {each["name"]: each for each in (await client.ok("GET", "/apis"))["groups"]}
        assert [each["version"] for each in groups[group]["versions"]] == ["v2", "v1"]
        resources = (await client.ok("GET", f"/apis/{group}/v1"))["resources"]
        assert [(each["name"], each["kind"]) for each in resources] == [("things", "Thing")]
        form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        aggregated = await client.ok("GET", "/apis", accept=form)
        found = next(each for each in aggregated["items"] if each["metadata"]["name"] == group)
        assert [each["version"] for each in found["versions"]] == ["v2", "v1"]
        definitions = (await client.ok("GET", "/apis/apiextensions.k8s.io/v1"))["resources"]
        assert "customresourcedefinitions" in [each["name"] for each in definitions]

    run(api, test)


def test_selectable_fields_select_in_lists_watches_and_deletions(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        fields = {"selectableFields": [{"jsonPath": ".spec.color"}]}
        path, _ = await serve(client, definition(group, version("v1", storage=True, **fields)))
        for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
            await client.ok("POST", path, thing(group, name, spec={"color": color}))
        red = {"fieldSelector": "spec.color=red"}
        listed = await client.ok("GET", path, **red)
        assert [each["metadata"]["name"] for each in listed["items"]] == ["a", "c"]
        revision = listed["metadata"]["resourceVersion"]
        async with client.watch(path, resourceVersion=revision, **red) as next_event:
            await client.ok("PATCH", f"{path}/b", {"spec": {"color": "red"}})
            await client.ok("PATCH", f"{path}/a", {"spec": {"color": "blue"}})
            seen = [await next_event() for _ in range(2)]
        told = [(each["type"], each["object"]["metadata"]["name"]) for each in seen if each is not None]
        assert told == [("ADDED", "b"), ("DELETED", "a")]
        await client.ok("DELETE", path, **red)
        left = await client.ok("GET", path)
        assert [each["metadata"]["name"] for each in left["items"]] == ["a"]

    run(api, test)


def stem(group: str, version: str) -> str:
    return ".".join((*reversed(group.split(".")), version, ""))


async def schemas(client: Client, group: str, version: str) -> set[str]:
    """Kinds of a group and version that OpenAPI v3 describes."""
    answer = await client.send("GET", f"/openapi/v3/apis/{group}/{version}")
    if answer.status == 404:
        return set()
    assert isinstance(answer.body, bytes)
    found, start = json.loads(answer.body)["components"]["schemas"], stem(group, version)
    return {name.removeprefix(start) for name in found if name.startswith(start)}


def test_openapi_follows_what_is_served(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        open_ = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        _, path = await serve(client, definition(group, version("v1", storage=True), version("v2", schema=open_)))
        await serve(client, definition(group, version("v1", storage=True), kind="Other"))
        assert await schemas(client, group, "v1") == {"Thing", "ThingList", "Other", "OtherList"}
        assert await schemas(client, group, "v2") == {"Thing", "ThingList"}
        described = (await client.ok("GET", "/openapi/v2"))["definitions"][f"{stem(group, 'v2')}Thing"]
        # Clients of v2 would take properties for all that there may be.
        kinds_of = "x-kubernetes-group-version-kind"
        assert described == {"type": "object", kinds_of: [{"group": group, "version": "v2", "kind": "Thing"}]}
        live = await client.ok("GET", path)
        live["spec"]["versions"] = [version("v1", storage=True), version("v3"), version("v2", served=False)]
        await client.ok("PUT", path, live)

        async def renamed() -> bool:
            return await schemas(client, group, "v3") == {"Thing", "ThingList"}

        await until(renamed)
        assert await schemas(client, group, "v2") == set()
        assert await schemas(client, group, "v1") == {"Thing", "ThingList", "Other", "OtherList"}
        described = (await client.ok("GET", "/openapi/v2"))["definitions"]
        assert described[f"{stem(group, 'v1')}Thing"]["properties"]["spec"]["properties"]["color"] == TEXT
        kinds = {name.removeprefix(stem(group, "v3")) for name in described if name.startswith(stem(group, "v3"))}
        assert kinds == {"Thing", "ThingList"}
        assert not any(name.startswith(stem(group, "v2")) for name in described)

    run(api, test)


def configuration(name: str, kind: str, client_config: Object, rule: Object, space: str = "") -> Object:
    hook = {
        "name": f"{name}.example.test",
        "clientConfig": client_config,
        "rules": [{"operations": ["*"], "apiVersions": ["*"], **rule}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1", "v1beta1"],
    }
    if space:
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": space}}
    shape = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration"}
    return {**shape, "metadata": {"name": name}, "webhooks": [hook]}


def verdict(**response: Any) -> Any:
    def answer(review: Object) -> Object:
        shape = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        return {**shape, "response": {"uid": review["request"]["uid"], **response}}

    return answer


HOOKS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"


def test_hooks_deny_objects_and_definitions(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        async with hooks() as hook:
            hook.answers["/deny"] = verdict(allowed=False, status={"message": "never"})
            group, other = new_group(), new_group()
            path, _ = await serve(client, definition(group, version("v1", storage=True)))
            await client.ok("POST", path, thing(group, "old"))
            config = hook.client_config("/deny")
            rule = {"apiGroups": [group], "resources": ["things"]}
            made = configuration(group, "Validating", config, rule)
            await client.ok("POST", HOOKS.format("validating"), made)
            for method, where, body in (
                ("POST", path, thing(group, "a")),
                ("PATCH", f"{path}/old", {"spec": {"color": "red"}}),
                ("DELETE", f"{path}/old", None),
            ):
                status, answer = await client.call(method, where, body)
                assert (status, answer["message"].endswith("denied the request: never")) == (400, True)
            await client.ok("DELETE", f"{HOOKS.format('validating')}/{group}")
            rule = {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"]}
            made = configuration(other, "Validating", config, rule)
            made["webhooks"][0]["objectSelector"] = {"matchLabels": {"denied": other}}
            await client.ok("POST", HOOKS.format("validating"), made)
            crd = definition(other, version("v1", storage=True), labels={"denied": other})
            status, answer = await client.call("POST", DEFINITIONS, crd)
            assert (status, answer["message"].endswith("denied the request: never")) == (400, True)
            await client.ok("DELETE", f"{HOOKS.format('validating')}/{other}")
            await client.ok("DELETE", f"{path}/old")

    run(api, test)


def test_what_hooks_add_is_pruned_and_kept_over_a_change_of_the_stored_version(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        async with hooks() as hook:
            operations = [
                {"op": "add", "path": "/spec/color", "value": "blue"},
                {"op": "add", "path": "/spec/unknown", "value": "dropped"},
            ]
            patch = b64encode(json.dumps(operations).encode()).decode()
            hook.answers["/mutate"] = verdict(allowed=True, patchType="JSONPatch", patch=patch)
            group = new_group()
            path, crd = await serve(client, definition(group, version("v1", storage=True), version("v2")))
            rule = {"apiGroups": [group], "resources": ["things"]}
            made = configuration(group, "Mutating", hook.client_config("/mutate"), rule)
            await client.ok("POST", HOOKS.format("mutating"), made)
            created = await client.ok("POST", path, thing(group, "a", spec={"size": "s"}))
            assert created["spec"] == {"color": "blue", "size": "s"}
            live = await client.ok("GET", crd)
            live["spec"]["versions"] = [version("v1"), version("v2", storage=True)]
            await client.ok("PUT", crd, live)
            patched = await client.ok("PATCH", f"{path}/a", {"spec": {"size": "l"}})
            assert (patched["apiVersion"], patched["spec"]) == (f"{group}/v1", {"color": "blue", "size": "l"})
            await client.ok("DELETE", f"{HOOKS.format('mutating')}/{group}")

    run(api, test)


def test_every_use_of_a_deprecated_version_warns(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        group = new_group()
        old = version("v1beta1", deprecated=True, deprecationWarning="v1beta1 is old")
        path, _ = await serve(client, definition(group, old, version("v1", storage=True)))
        for used, warnings in ((path, ['299 - "v1beta1 is old"']), (path.replace("v1beta1", "v1"), [])):
            answer = await client.send("GET", used)
            assert [value for name, value in answer.headers if name.lower() == "warning"] == warnings

    run(api, test)
