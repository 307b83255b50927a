"""Objects through their lives, over TLS."""

from __future__ import annotations

import asyncio

import pytest
from calls import Client, Object, config_map, pod, run

from apiserver_fixture import RunningApi
from cybernetes.model.schema import compile as schema_compile
from cybernetes.wire import protobuf
from cybernetes.wire.http.message import Request

MAPS = "/configmaps"
READY = {"type": "Ready", "status": "True"}


def test_an_object_is_made_read_changed_and_deleted(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        made = await client.ok("POST", path, config_map("a"))
        assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
        assert made["metadata"]["uid"]
        assert await client.ok("GET", f"{path}/a") == made
        changed = await client.ok("PUT", f"{path}/a", {**made, "data": {"key": "new"}})
        assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        status, gone = await client.call("DELETE", f"{path}/a")
        assert (status, gone["status"], gone["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])
        status, missing = await client.call("GET", f"{path}/a")
        assert (status, missing["message"]) == (404, 'configmaps "a" not found')

    run(api, test)


def test_a_write_that_changes_nothing_leaves_the_version(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        made = await client.ok("POST", path, config_map("a"))
        same = await client.ok("PATCH", f"{path}/a", {"data": {"key": "a"}})
        assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    run(api, test)


def test_conflicts_are_told_in_kubernetes_words(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        made = await client.ok("POST", path, config_map("a"))
        status, again = await client.call("POST", path, config_map("a"))
        assert (status, again["reason"], again["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')
        await client.ok("PATCH", f"{path}/a", {"data": {"key": "newer"}})
        status, stale = await client.call("PUT", f"{path}/a", made)
        assert (status, stale["reason"]) == (409, "Conflict")
        assert stale["message"].endswith(
            "the object has been modified; please apply your changes to the latest version and try again"
        )

    run(api, test)


def test_version_zero_is_any_version(api: RunningApi, space: str) -> None:
    """Clients write it to say that they do not care what is there."""

    async def test(client: Client) -> None:
        namespace = await client.namespace(space)
        path = namespace + MAPS
        any_version = config_map("a")
        any_version["metadata"]["resourceVersion"] = "0"
        made = await client.ok("POST", path, any_version)
        await client.ok("PATCH", f"{path}/a", {"data": {"key": "newer"}})
        forced = await client.ok("PUT", f"{path}/a", {**any_version, "data": {"key": "newest"}})
        assert forced["data"] == {"key": "newest"}
        assert int(forced["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"]) + 1
        patch = {"metadata": {"resourceVersion": "0"}, "data": {"key": "last"}}
        assert (await client.ok("PATCH", f"{path}/a", patch))["data"] == {"key": "last"}
        lease = {"metadata": {"name": "a", "resourceVersion": "0"}, "spec": {}}
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.rpartition('/')[2]}/leases"
        await client.ok("POST", leases, lease)
        status, refused = await client.call("PUT", f"{leases}/a", lease)
        assert (status, refused["details"]["causes"][0]["message"]) == (
            422,
            "Invalid value: 0: must be specified for an update",
        )

    run(api, test)


def test_racing_patches_all_take_effect(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        await client.ok("POST", path, config_map("a"))
        await asyncio.gather(*(client.ok("PATCH", f"{path}/a", {"data": {f"k{n}": "x"}}) for n in range(6)))
        found = await client.ok("GET", f"{path}/a")
        assert {f"k{n}" for n in range(6)} <= set(found["data"])

    run(api, test)


def test_generated_names_and_dry_runs(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        made = await client.ok("POST", path, {"metadata": {"generateName": "gen-"}})
        assert len(made["metadata"]["name"]) == len("gen-") + 5
        dry = await client.ok("POST", path, config_map("dry"), dryRun="All")
        assert dry["metadata"]["uid"]
        assert "resourceVersion" not in dry["metadata"]
        assert (await client.call("GET", f"{path}/dry"))[0] == 404

    run(api, test)


def test_finalizers_hold_a_deleted_object(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + MAPS
        await client.ok("POST", path, {"metadata": {"name": "a", "finalizers": ["example.test/wait"]}})
        marked = await client.ok("DELETE", f"{path}/a")
        assert marked["metadata"]["deletionTimestamp"]
        await client.ok("PATCH", f"{path}/a", {"metadata": {"finalizers": None}})
        assert (await client.call("GET", f"{path}/a"))[0] == 404

    run(api, test)


def test_options_of_a_deletion_come_in_every_form(api: RunningApi, space: str) -> None:
    """The precondition of another object is seen, and the dry run; a collection is deleted with the same options."""
    node = schema_compile.node("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
    yaml, binary = "application/yaml", "application/vnd.kubernetes.protobuf"

    def proto(options: Object) -> bytes:
        return protobuf.seal("v1", "DeleteOptions", protobuf.encode(node, options))

    async def test(client: Client) -> None:
        maps = f"{await client.namespace(space)}/configmaps"
        await client.ok("POST", maps, config_map("kept"))

        async def delete(path: str, content: str, data: bytes) -> int:
            headers = {"content-type": content}
            return (await client.transport.send(Request("DELETE", path, {}, headers, data))).status

        for content, other, dry in (
            (yaml, b"preconditions: {uid: other}", b"apiVersion: apps/v1\nkind: DeleteOptions\ndryRun: [All]"),
            (binary, proto({"preconditions": {"uid": "other"}}), proto({"dryRun": ["All"]})),
        ):
            assert await delete(f"{maps}/kept", content, other) == 409
            assert await delete(f"{maps}/kept", content, dry) == 200
            assert await delete(maps, content, other) == 409
            assert await delete(maps, content, dry) == 200
            assert await client.ok("GET", f"{maps}/kept")
        assert await delete(maps, yaml, b"propagationPolicy: Background") == 200
        assert (await client.ok("GET", maps))["items"] == []

    run(api, test)


def test_a_namespace_ends_after_its_finalizer(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space)
        ending = await client.ok("DELETE", path)
        assert ending["status"]["phase"] == "Terminating"
        status, refused = await client.call("POST", path + MAPS, config_map("late"))
        assert (status, refused["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
        ending["spec"]["finalizers"] = []
        await client.ok("PUT", f"{path}/finalize", ending)
        assert (await client.call("GET", path))[0] == 404

    run(api, test)


def test_a_pod_that_comes_with_its_namespace_waits_for_the_default_account(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        await client.ok("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        path = f"/api/v1/namespaces/{space}"
        creating = asyncio.ensure_future(client.call("POST", f"{path}/pods", pod("web")))
        # An answer to a request that came later: the pod's is being worked on.
        await client.ok("GET", path)
        await client.ok("POST", f"{path}/serviceaccounts", {"metadata": {"name": "default"}})
        status, made = await creating
        assert (status, made["spec"]["serviceAccountName"]) == (201, "default")

    run(api, test)


def test_only_one_of_two_bindings_wins(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/pods"
        await client.ok("POST", path, pod("a"))

        async def bind(node: str) -> tuple[int, Object]:
            body = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": node}}
            return await client.call("POST", f"{path}/a/binding", body)

        answers = await asyncio.gather(bind("one"), bind("two"))
        assert sorted(status for status, _ in answers) == [201, 409]
        bound = await client.ok("GET", f"{path}/a")
        assert bound["spec"]["nodeName"] in ("one", "two")
        assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
        refused = next(answer for status, answer in answers if status == 409)
        assert f'pod a is already assigned to node "{bound["spec"]["nodeName"]}"' in refused["message"]

    run(api, test)


def test_concurrent_services_get_different_addresses(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space) + "/services"
        spec = {"type": "NodePort", "ports": [{"port": 80}]}
        made = await asyncio.gather(
            *(client.ok("POST", path, {"metadata": {"name": f"s-{n}"}, "spec": spec}) for n in range(20))
        )
        assert len({each["spec"]["clusterIP"] for each in made}) == 20
        assert len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 20
        address = made[0]["spec"]["clusterIP"]
        record = await client.ok("GET", f"/apis/networking.k8s.io/v1/ipaddresses/{address}")
        assert record["spec"]["parentRef"]["name"] == "s-0"
        await client.ok("DELETE", f"{path}/s-0")
        assert (await client.call("GET", f"/apis/networking.k8s.io/v1/ipaddresses/{address}"))[0] == 404
        again = {"metadata": {"name": "again"}, "spec": {"clusterIP": address, "ports": [{"port": 80}]}}
        assert (await client.ok("POST", path, again))["spec"]["clusterIP"] == address

    run(api, test)


async def budgeted_pod(client: Client, path: str, budgets: str) -> Object:
    """A running pod, and the budget that wants it; nobody has counted yet."""
    await client.ok("POST", f"{path}/pods", {**pod("a"), "metadata": {"name": "a", "labels": {"app": "web"}}})
    await client.ok("PATCH", f"{path}/pods/a/status", {"status": {"phase": "Running", "conditions": [READY]}})
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    return await client.ok("POST", budgets, {"metadata": {"name": "web"}, "spec": spec})


def test_eviction_asks_the_disruption_budget(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path, budgets = await client.namespace(space), f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
        budget = await budgeted_pod(client, path, budgets)
        for named, message in (
            ({"name": "b"}, "name in URL does not match name in Eviction object"),
            (
                {"name": "a", "namespace": "default"},
                "the namespace of the provided object does not match the namespace sent on the request",
            ),
        ):
            status, other = await client.call("POST", f"{path}/pods/a/eviction", {"metadata": named})
            assert (status, other["message"]) == (400, message)
        eviction = {"metadata": {"name": "a"}}
        status, refused = await client.call("POST", f"{path}/pods/a/eviction", eviction)
        assert (status, refused["details"]["retryAfterSeconds"]) == (429, 10)
        generation = budget["metadata"]["generation"]
        counted = {"observedGeneration": generation, "disruptionsAllowed": 1, "desiredHealthy": 1, "currentHealthy": 2}
        await client.ok("PATCH", f"{budgets}/web/status", {"status": {**counted, "expectedPods": 2}})
        assert (await client.call("POST", f"{path}/pods/a/eviction", eviction))[0] == 201
        assert (await client.call("GET", f"{path}/pods/a"))[0] == 404
        after = await client.ok("GET", f"{budgets}/web")
        assert after["status"]["disruptionsAllowed"] == 0
        assert "a" in after["status"]["disruptedPods"]
        [condition] = after["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "InsufficientPods")

    run(api, test)


def test_an_eviction_that_does_not_happen_changes_nothing(api: RunningApi, space: str) -> None:
    """Dry runs, asked for in either place, go through the budget; options that do not hold are refused before it."""

    async def test(client: Client) -> None:
        path, budgets = await client.namespace(space), f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
        await budgeted_pod(client, path, budgets)

        async def evict(options: Object, **query: str) -> tuple[int, str]:
            before = [await client.ok("GET", f"{path}/pods/a"), await client.ok("GET", f"{budgets}/web")]
            body = {"metadata": {"name": "a"}, "deleteOptions": options}
            status, answer = await client.call("POST", f"{path}/pods/a/eviction", body, **query)
            assert before == [await client.ok("GET", f"{path}/pods/a"), await client.ok("GET", f"{budgets}/web")]
            causes = answer.get("details", {}).get("causes") or [{}]
            return status, causes[0].get("message", answer.get("message", ""))

        counted = {"observedGeneration": 1, "desiredHealthy": 1, "currentHealthy": 1, "expectedPods": 1}
        await client.ok("PATCH", f"{budgets}/web/status", {"status": counted})
        none = "The disruption budget web needs 1 healthy pods and has 1 currently"
        assert await evict({}, dryRun="All") == await evict({"dryRun": ["All"]}) == (429, none)
        failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "why"}
        failed["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        await client.ok("PATCH", f"{budgets}/web/status", {"status": {"conditions": [failed]}})
        none = "The disruption budget web does not allow evicting pods currently because it failed sync: why"
        assert await evict({}) == (429, none)
        await client.ok("PATCH", f"{budgets}/web/status", {"status": {"disruptionsAllowed": 1}})
        assert await evict({}, dryRun="All") == await evict({"dryRun": ["All"]}) == (201, "")
        mixed = "Non-matching dry-run options in request and content: [All] and [No]"
        assert await evict({"dryRun": ["No"]}, dryRun="All") == (500, mixed)
        assert (await evict({"dryRun": ["No"]}))[0] == (await evict({"propagationPolicy": "No"}))[0] == 422

    run(api, test)


def test_an_eviction_holds_to_the_version_it_was_asked_of(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space)
        made = await client.ok("POST", f"{path}/pods", pod("a"))
        for precondition in ({"uid": "other"}, {"resourceVersion": "1"}):
            body = {"metadata": {"name": "a"}, "deleteOptions": {"preconditions": precondition}}
            assert (await client.call("POST", f"{path}/pods/a/eviction", body))[0] == 409
            assert await client.ok("GET", f"{path}/pods/a") == made
        seen = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
        body = {"metadata": {"name": "a"}, "deleteOptions": seen}
        assert (await client.call("POST", f"{path}/pods/a/eviction", body))[0] == 201
        assert (await client.call("GET", f"{path}/pods/a"))[0] == 404

    run(api, test)


@pytest.mark.parametrize(("version", "code"), [("policy/v1beta1", 201), ("policy/v1", 201), ("v1", 400)])
def test_evictions_come_in_both_versions(api: RunningApi, space: str, version: str, code: int) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space)
        await client.ok("POST", f"{path}/pods", pod("a"))
        eviction = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "a"}}
        assert (await client.call("POST", f"{path}/pods/a/eviction", eviction))[0] == code
        assert (await client.call("GET", f"{path}/pods/a"))[0] == (404 if code == 201 else 200)

    run(api, test)


def test_an_unready_pod_may_go_where_the_budget_is_healthy(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space)
        await client.ok("POST", f"{path}/pods", {**pod("a"), "metadata": {"name": "a", "labels": {"app": "web"}}})
        await client.ok("PATCH", f"{path}/pods/a/status", {"status": {"phase": "Running"}})
        budgets = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        await client.ok("POST", budgets, {"metadata": {"name": "web"}, "spec": spec})
        counted = {"observedGeneration": 1, "desiredHealthy": 1, "currentHealthy": 1}
        before = await client.ok("PATCH", f"{budgets}/web/status", {"status": counted})
        assert (await client.call("POST", f"{path}/pods/a/eviction", {"metadata": {"name": "a"}}))[0] == 201
        assert (await client.call("GET", f"{path}/pods/a"))[0] == 404
        assert await client.ok("GET", f"{budgets}/web") == before

    run(api, test)


@pytest.mark.parametrize("content", ["application/merge-patch+json", "application/strategic-merge-patch+json"])
def test_scale_is_another_view_of_the_replicas(api: RunningApi, space: str, content: str) -> None:
    async def test(client: Client) -> None:
        await client.namespace(space)
        path = f"/apis/apps/v1/namespaces/{space}/deployments"
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x")["spec"]}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        await client.ok("POST", path, {"metadata": {"name": "web"}, "spec": spec})
        scale = await client.ok("GET", f"{path}/web/scale")
        assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 2, "app=web")
        table = await client.ok("GET", f"{path}/web/scale", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
        assert table["rows"][0]["cells"][:3] == ["web", 2, 0]
        await client.ok("PATCH", f"{path}/web/scale", {"spec": {"replicas": 5}}, content=content)
        assert (await client.ok("GET", f"{path}/web"))["spec"]["replicas"] == 5
        status, _ = await client.call("PATCH", f"{path}/web/scale", {"spec": {"replicas": -1}})
        assert status == 422

    run(api, test)


def test_a_strategic_patch_is_of_the_kind_it_is_sent_to(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        strategic, merge = "application/strategic-merge-patch+json", "application/merge-patch+json"
        await client.namespace(space)
        path = f"/apis/apps/v1/namespaces/{space}/deployments"
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x")["spec"]}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        await client.ok("POST", path, {"metadata": {"name": "web"}, "spec": spec})
        change = {"kind": "Deployment", "metadata": {"name": "web", "namespace": space}, "spec": {"replicas": 3}}
        assert (await client.ok("PATCH", f"{path}/web/scale", change, content=strategic))["kind"] == "Scale"
        other = {"kind": "Pod", "apiVersion": "v1", "spec": {"paused": True}}
        found = await client.ok("PATCH", f"{path}/web", other, content=strategic)
        assert (found["kind"], found["apiVersion"]) == ("Deployment", "apps/v1")
        assert (found["spec"]["replicas"], found["spec"]["paused"]) == (3, True)
        status, refused = await client.call("PATCH", f"{path}/web/scale", change, content=merge)
        assert (status, refused["reason"]) == (422, "Invalid")
        assert 'no kind "Deployment" is registered for version "autoscaling/v1"' in refused["message"]

    run(api, test)


def test_replicas_have_owners_that_apply_scales(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        await client.namespace(space)
        path = f"/apis/apps/v1/namespaces/{space}/deployments/web"
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x")["spec"]}
        head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
        whole = {**head, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}}
        content = "application/apply-patch+yaml"

        async def apply(to: str, body: Object, **query: str) -> tuple[int, Object]:
            return await client.call("PATCH", to, body, content=content, **query)

        def scale(replicas: int, version: str = "autoscaling/v1") -> Object:
            spec = {"replicas": replicas}
            return {"apiVersion": version, "kind": "Scale", "metadata": {"name": "web"}, "spec": spec}

        await apply(path, whole, fieldManager="owner")
        status, refused = await apply(f"{path}/scale", scale(5), fieldManager="scaler")
        assert (status, refused["message"]) == (
            409,
            'Apply failed with 1 conflict: conflict with "owner": .spec.replicas',
        )
        status, taken = await apply(f"{path}/scale", scale(5), fieldManager="scaler", force="true")
        assert (status, taken["kind"], taken["spec"]) == (200, "Scale", {"replicas": 5})
        found = await client.ok("GET", path)
        assert found["spec"]["replicas"] == 5
        [mine] = [each for each in found["metadata"]["managedFields"] if each["manager"] == "scaler"]
        assert (mine["operation"], mine["subresource"], mine["apiVersion"]) == ("Apply", "scale", "apps/v1")
        assert mine["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
        status, refused = await apply(path, whole, fieldManager="owner")
        assert (status, refused["message"]) == (
            409,
            'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale": .spec.replicas',
        )
        status, refused = await apply(f"{path}/scale", scale(1, "apps/v1"), fieldManager="scaler")
        assert (status, "expected: autoscaling/v1" in refused["message"]) == (400, True)

    run(api, test)


def test_users_without_rights_are_refused(api: RunningApi) -> None:
    async def main() -> None:
        transport = api.transport_as("eve")
        try:
            status, refused = await Client(transport).call("GET", "/api/v1/namespaces/default/secrets")
        finally:
            await transport.close()
        assert status == 403
        assert (
            'User "eve" cannot list resource "secrets" in API group "" in the namespace "default"' in refused["message"]
        )

    asyncio.run(main())


def test_both_versions_of_an_event_are_one_object(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace(space)
        involved = {"kind": "Pod", "namespace": space, "name": "a"}
        event = {"metadata": {"name": "e"}, "involvedObject": involved, "message": "hello", "reason": "Tested"}
        made = await client.ok("POST", f"{path}/events", event)
        other = await client.ok("GET", f"/apis/events.k8s.io/v1/namespaces/{space}/events/e")
        assert (other["note"], other["regarding"]["name"]) == ("hello", "a")
        assert other["metadata"]["uid"] == made["metadata"]["uid"]
        listed = await client.ok("GET", f"{path}/events", fieldSelector="involvedObject.name=a")
        assert len(listed["items"]) == 1

    run(api, test)


def test_what_is_only_created_or_updated_takes_no_other_method(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        path = await client.namespace("finalized")
        answers = [await client.send(method, f"{path}/finalize", {}) for method in ("PATCH", "DELETE", "POST")]
        assert [each.status for each in (*answers, await client.send("GET", f"{path}/finalize"))] == [405] * 4
        reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert (await client.send("POST", reviews, {})).status == 201
        assert (await client.send("POST", f"{reviews}/mine", {})).status == 404

    run(api, test)


def test_reading_and_watching_is_asked_for_by_get_alone(api: RunningApi) -> None:
    async def test(client: Client) -> None:
        maps = "/api/v1/namespaces/kube-system/configmaps"
        watched = maps.replace("/namespaces", "/watch/namespaces")
        for method, path in (("HEAD", maps), ("HEAD", f"{maps}/x"), ("POST", watched), ("DELETE", watched)):
            assert (await client.send(method, path, None if method == "HEAD" else {})).status == 405, (method, path)
        assert (await client.send("HEAD", "/version")).status == 200

    run(api, test)


def test_what_every_api_server_relies_on_to_be_fair_stays(api: RunningApi) -> None:
    root = "/apis/flowcontrol.apiserver.k8s.io/v1"

    async def test(client: Client) -> None:
        for kind, name in (("flowschemas", "exempt"), ("flowschemas", "catch-all")):
            found = await client.ok("GET", f"{root}/{kind}/{name}")
            await client.ok("PUT", f"{root}/{kind}/{name}", found, dryRun="All")
            found["spec"]["matchingPrecedence"] = 4711
            code, status = await client.call("PUT", f"{root}/{kind}/{name}", found)
            assert code == 422
            assert status["details"]["causes"][-1]["field"] == "spec"
            assert f"spec of '{name}' must equal the fixed value" in status["message"]
        level = await client.ok("GET", f"{root}/prioritylevelconfigurations/catch-all")
        level["spec"]["limited"]["nominalConcurrencyShares"] = 7
        code, status = await client.call("PUT", f"{root}/prioritylevelconfigurations/catch-all", level)
        assert code == 422
        assert "spec of 'catch-all' must equal the fixed value" in status["message"]
        exempt = await client.ok("GET", f"{root}/prioritylevelconfigurations/exempt")
        exempt["spec"]["exempt"]["nominalConcurrencyShares"] = 7
        await client.ok("PUT", f"{root}/prioritylevelconfigurations/exempt", exempt, dryRun="All")

    run(api, test)
