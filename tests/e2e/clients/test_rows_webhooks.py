"""Admission webhooks as the conformance tests use them: refusing, changing, timing out, listed, updated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.clients.calling import Caller, Object, config_map, pod
from tests.e2e.clients.hooks import CONFIGURATIONS, DELAY_S, TOO_LATE_S, Hooks, serving_hooks


@pytest.fixture(scope="session")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    with serving_hooks(tmp_path_factory.mktemp("hooks")) as serving:
        yield serving


@contextmanager
def configured(caller: Caller, kind: str, *hooks: Object, **labels: str) -> Iterator[str]:
    """The path of a configuration of these hooks, for the test's own namespace only."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": caller.namespace}}
    inside = [each if "/cluster" in each["name"] else {"namespaceSelector": selector, **each} for each in hooks]
    plural = f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
    name = f"{kind.lower()}-{caller.namespace}"
    caller.ok("POST", plural, {"metadata": {"name": name, "labels": labels}, "webhooks": inside})
    try:
        yield f"{plural}/{name}"
    finally:
        caller.call("DELETE", f"{plural}/{name}")


def refused(caller: Caller, path: str, body: Object, **query: str) -> str:
    status, answer = caller.call("POST", path, body, **query)
    assert status >= 400, answer
    return str(answer["message"])


def unwanted(name: str) -> Object:
    return {**config_map(name), "data": {"webhook-e2e-test": "unwanted"}}


def test_hooks_are_discovered(caller: Caller) -> None:
    groups = {each["name"]: each for each in caller.ok("GET", "/apis")["groups"]}
    assert groups["admissionregistration.k8s.io"]["preferredVersion"]["version"] == "v1"
    alone = caller.ok("GET", "/apis/admissionregistration.k8s.io")
    assert "admissionregistration.k8s.io/v1" in {each["groupVersion"] for each in alone["versions"]}
    resources = {each["name"] for each in caller.ok("GET", CONFIGURATIONS)["resources"]}
    assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= resources


def test_pods_and_config_maps_are_refused(caller: Caller, hooks: Hooks) -> None:
    deny = hooks.hook("deny", "/unwanted", ["pods", "configmaps"])
    with configured(caller, "Validating", deny):
        why = 'admission webhook "deny.hooks.example.com" denied the request: the object contains unwanted value'
        assert refused(caller, f"{caller.space}/pods", pod("unwanted")) == why
        assert refused(caller, f"{caller.space}/configmaps", unwanted("m")) == why
        path = f"{caller.space}/configmaps/good"
        caller.ok("POST", f"{caller.space}/configmaps", config_map("good"))
        for method, body in (("PATCH", {"data": {"x": "unwanted"}}), ("PUT", unwanted("good"))):
            assert caller.call(method, path, body)[1]["message"] == why
    caller.ok("POST", f"{caller.space}/configmaps", unwanted("later"))


def test_attaching_to_a_pod_is_refused(caller: Caller, hooks: Hooks) -> None:
    deny = hooks.hook("attach", "/attach", ["pods/attach"], operations=["CONNECT"])
    bound = pod("to-be-attached-pod", nodeName="nowhere")
    caller.ok("POST", f"{caller.space}/pods", bound)
    with configured(caller, "Validating", deny):
        why = refused(caller, f"{caller.space}/pods/to-be-attached-pod/attach", {}, stdout="1")
        assert why.endswith("attaching to pod 'to-be-attached-pod' is not allowed")


def test_a_hook_that_is_away_refuses_everything_where_it_must_answer(caller: Caller, hooks: Hooks) -> None:
    away = hooks.hook("away", "/configmaps", ["configmaps"], failurePolicy="Fail")
    away["clientConfig"] = {"url": "https://127.0.0.1:1/configmaps", "caBundle": hooks.ca}
    with configured(caller, "Validating", away):
        why = refused(caller, f"{caller.space}/configmaps", config_map("m"))
        assert why.startswith(
            'Internal error occurred: failed calling webhook "away.hooks.example.com": failed to call webhook: '
        )
    caller.ok("POST", f"{caller.space}/configmaps", config_map("m"))


@pytest.mark.parametrize(
    ("policy", "path", "allowed"),
    [("Fail", "too-late", False), ("Ignore", "too-late", True), ("Ignore", "delay", True)],
)
def test_time_limits_of_hooks_are_kept(caller: Caller, hooks: Hooks, policy: str, path: str, allowed: bool) -> None:
    seconds, answers_after_s = (1, TOO_LATE_S) if path == "too-late" else (10, DELAY_S)
    slow = hooks.hook("slow", f"/always-allow-{path}", ["configmaps"], failurePolicy=policy, timeoutSeconds=seconds)
    with configured(caller, "Validating", slow):
        began = time.monotonic()
        status, answer = caller.call("POST", f"{caller.space}/configmaps", config_map("m"))
        assert (status == 201) is allowed
        assert allowed or "context deadline exceeded" in answer["message"]
        assert (time.monotonic() - began < answers_after_s) is (path == "too-late")


def test_changes_are_made_in_order_and_defaults_come_after_them(caller: Caller, hooks: Hooks) -> None:
    first, second = hooks.hook("one", "/mutate", ["configmaps"]), hooks.hook("two", "/mutate", ["configmaps"])
    pods = hooks.hook("pods", "/mutate", ["pods"], operations=["CREATE"])
    start = {**config_map("m"), "data": {"mutation-start": "yes"}}
    with configured(caller, "Mutating", first, second, pods):
        made = caller.ok("POST", f"{caller.space}/configmaps", start)
        assert made["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}
        changed = caller.ok("POST", f"{caller.space}/pods", pod("p"))["spec"]["initContainers"]
        assert changed[0]["name"] == "webhook-added-init-container"
        assert changed[0]["terminationMessagePolicy"] == "File", "defaults of what a hook added"


def test_no_hook_moves_an_object_to_another_namespace(caller: Caller, hooks: Hooks) -> None:
    with configured(caller, "Mutating", hooks.hook("move", "/elsewhere", ["configmaps"])):
        why = "the namespace of the provided object does not match the namespace sent on the request"
        assert refused(caller, f"{caller.space}/configmaps", config_map("m")) == why


def test_binding_and_eviction_are_seen_as_such_and_not_once_more_as_changes_of_the_pod(
    caller: Caller, hooks: Hooks
) -> None:
    path = f"{caller.space}/pods/p"
    caller.ok("POST", f"{caller.space}/pods", pod("p", schedulerName="nobody"))
    deny = hooks.hook("deny", "/always-deny", ["pods", "pods/*"], operations=["UPDATE", "DELETE"])
    with configured(caller, "Validating", deny):
        caller.ok("POST", f"{path}/binding", {"metadata": {"name": "p"}, "target": {"name": "nowhere"}})
        caller.ok("POST", f"{path}/eviction", {"metadata": {"name": "p"}})
    kinds = ["pods/binding", "pods/eviction"]
    caller.ok("POST", f"{caller.space}/pods", pod("q", schedulerName="nobody"))
    with configured(caller, "Validating", hooks.hook("deny", "/always-deny", kinds, operations=["CREATE"])):
        for what in ("binding", "eviction"):
            body = {"metadata": {"name": "q"}, **({"target": {"name": "nowhere"}} if what == "binding" else {})}
            assert "denies all requests" in refused(caller, f"{caller.space}/pods/q/{what}", body)


def test_configurations_of_hooks_are_judged_by_no_hook(caller: Caller, hooks: Hooks) -> None:
    everything = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]
    group = "admissionregistration.k8s.io"
    deny = hooks.hook("deny", "/always-deny", everything, group, operations=["*"], namespaceSelector={})
    change = hooks.hook("change", "/mutate", everything, group, operations=["*"], namespaceSelector={})
    with configured(caller, "Validating", deny), configured(caller, "Mutating", change) as mutating:
        other = {"metadata": {"name": f"other-{caller.namespace}"}}
        made = caller.ok("POST", f"{CONFIGURATIONS}/validatingwebhookconfigurations", other)
        assert "webhooks" not in made
        caller.ok("DELETE", f"{CONFIGURATIONS}/validatingwebhookconfigurations/other-{caller.namespace}")
        caller.ok("DELETE", mutating)


def _rules(operations: list[str]) -> list[Object]:
    return [{"apiGroups": [""], "apiVersions": ["*"], "operations": operations, "resources": ["configmaps"]}]


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
def test_updated_and_patched_configurations_count(caller: Caller, hooks: Hooks, kind: str) -> None:
    path = f"{caller.space}/configmaps"
    start = unwanted("m") if kind == "Validating" else {**config_map("m"), "data": {"mutation-start": "yes"}}

    def works() -> bool:
        status, answer = caller.call("POST", path, start, dryRun="All")
        return status == 400 or status == 403 or "mutation-stage-1" in answer.get("data", {})

    own = hooks.hook("own", "/unwanted" if kind == "Validating" else "/mutate", ["configmaps"])
    with configured(caller, kind, own) as configuration:
        assert works()
        obj = caller.ok("GET", configuration)
        obj["webhooks"][0]["rules"] = _rules(["UPDATE"])
        caller.ok("PUT", configuration, obj)
        assert not works()
        patch = [{"op": "replace", "path": "/webhooks/0/rules/0/operations/0", "value": "CREATE"}]
        caller.ok("PATCH", configuration, patch, content="application/json-patch+json")
        assert works()


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
def test_configurations_are_listed_and_deleted_as_a_collection(caller: Caller, hooks: Hooks, kind: str) -> None:
    plural = f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
    path = "/unwanted" if kind == "Validating" else "/mutate"
    label = f"of={caller.namespace}"
    with configured(caller, kind, hooks.hook("own", path, ["configmaps"]), of=caller.namespace):
        assert len(caller.names(plural, labelSelector=label)) == 1
        caller.ok("DELETE", plural, labelSelector=label)
        assert caller.names(plural, labelSelector=label) == []
        assert caller.ok("POST", f"{caller.space}/configmaps", unwanted("m"))["data"]["webhook-e2e-test"] == "unwanted"


def test_conditions_choose_what_a_hook_sees(caller: Caller, hooks: Hooks) -> None:
    skip: Any = [{"name": "skip-me", "expression": 'object.metadata.name != "skip-me"'}]
    start = {"mutation-start": "yes"}
    with configured(caller, "Mutating", hooks.hook("most", "/mutate", ["configmaps"], matchConditions=skip)) as path:
        made = caller.ok("POST", f"{caller.space}/configmaps", {**config_map("other"), "data": start})
        assert "mutation-stage-1" in made["data"]
        assert (
            caller.ok("POST", f"{caller.space}/configmaps", {**config_map("skip-me"), "data": start})["data"] == start
        )
        got = caller.ok("GET", path)
        assert got["webhooks"][0]["matchConditions"] == skip
        got["webhooks"][0]["matchConditions"] = [{"name": "never", "expression": "false"}]
        assert caller.ok("PUT", path, got)["webhooks"][0]["matchConditions"][0]["name"] == "never"
        wrong = [
            {"op": "replace", "path": "/webhooks/0/matchConditions/0/expression", "value": "... [] bad expression"}
        ]
        status, why = caller.call("PATCH", path, wrong, content="application/json-patch+json")
        assert (status, "compilation failed" in why["message"]) == (422, True)


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
def test_conditions_that_are_none_are_refused(caller: Caller, hooks: Hooks, kind: str) -> None:
    hook = hooks.hook("bad", "/x", ["configmaps"], matchConditions=[{"name": "invalid", "expression": "... [] bad"}])
    plural = f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
    why = refused(caller, plural, {"metadata": {"name": "bad"}, "webhooks": [hook]})
    assert "webhooks[0].matchConditions[0].expression: Invalid value" in why and "compilation failed" in why


def test_definitions_and_their_objects_are_refused_and_changed(caller: Caller, hooks: Hooks, tmp_path: Path) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    data = {
        "type": "object",
        "properties": {"data": {"type": "object", "properties": {"mutation-start": {"type": "string"}}}},
    }
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": loose}},
        {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": loose}},
    ]

    def definition(plural: str, versions: list[Object], **labels: str) -> Object:
        names = {"plural": plural, "singular": plural[:-1], "kind": plural.title()[:-1]}
        spec = {"group": "hooks.example.com", "scope": "Namespaced", "names": names, "versions": versions}
        return {"metadata": {"name": f"{plural}.hooks.example.com", "labels": labels}, "spec": spec}

    forbid = hooks.hook("crd", "/always-deny", ["customresourcedefinitions"], "apiextensions.k8s.io", operations=["CREATE"],
                        namespaceSelector={}, objectSelector={"matchLabels": {"forbidden": "yes"}})  # fmt: skip
    with configured(caller, "Validating", forbid):
        assert "denies all requests" in refused(caller, definitions, definition("nevers", versions, forbidden="yes"))
    group = "hooks.example.com"
    caller.ok("POST", definitions, definition("hookeds", versions))
    caller.ok("POST", definitions, definition("pruneds", [{**versions[0], "schema": {"openAPIV3Schema": data}}]))
    try:
        path = caller.of(f"{group}/v1", "hookeds")
        pruned = caller.of(f"{group}/v1", "pruneds")
        for each in ("hookeds", "pruneds"):
            caller.until(f"/apis/{group}/v1", lambda obj, each=each: each in str(obj.get("resources")))
        start = {"metadata": {"name": "one"}, "data": {"mutation-start": "yes"}}

        def of(kind: str, version: str = "v1", name: str = "one", **data: str) -> Object:
            return {
                "apiVersion": f"{group}/{version}",
                "kind": kind,
                **start,
                "metadata": {"name": name},
                **({"data": data} if data else {}),
            }

        deny = hooks.hook("deny", "/always-deny", ["hookeds"], group, operations=["CREATE", "UPDATE", "DELETE"])
        caller.ok("POST", path, of("Hooked", name="before"))
        with configured(caller, "Validating", deny):
            assert "denies all requests" in refused(caller, path, of("Hooked"))
            for method, body in (("PATCH", {"data": {"x": "y"}}), ("DELETE", None)):
                assert "denies all requests" in caller.call(method, f"{path}/before", body)[1]["message"]
        change = [hooks.hook(name, "/mutate", ["hookeds", "pruneds"], group) for name in ("one", "two")]
        with configured(caller, "Mutating", *change):
            made = caller.ok("POST", path, of("Hooked"))
            assert made["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}
            assert caller.ok("POST", pruned, of("Pruned"))["data"] == {"mutation-start": "yes"}
            obj = caller.ok("GET", f"{definitions}/hookeds.{group}")
            for version in obj["spec"]["versions"]:
                version["storage"] = version["name"] == "v2"
            caller.ok("PUT", f"{definitions}/hookeds.{group}", obj)
            patched = caller.ok("PATCH", f"{path}/one", {"metadata": {"labels": {"dummy": "label"}}})
            assert patched["data"] == made["data"] and patched["metadata"]["labels"] == {"dummy": "label"}
            second = caller.ok("POST", path, of("Hooked", name="later"))
            assert second["data"]["mutation-stage-2"] == "yes"
    finally:
        for plural in ("hookeds", "pruneds"):
            caller.call("DELETE", f"{definitions}/{plural}.{group}")
