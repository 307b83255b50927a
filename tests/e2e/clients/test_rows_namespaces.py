"""Namespaces: what goes with them and in which order, finalizers, status."""

from __future__ import annotations

from tests.e2e.clients.calling import Caller, config_map, pod


def test_pods_and_services_go_and_the_name_may_be_used_again(caller: Caller) -> None:
    name = f"{caller.namespace}-again"
    path = f"/api/v1/namespaces/{name}"
    for _ in range(2):
        caller.ok("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        caller.ok("POST", f"{path}/pods", pod("one"))
        caller.ok("POST", f"{path}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
        deleted = caller.ok("DELETE", path)
        assert deleted["status"]["phase"] == "Terminating"
        caller.gone(path)
        assert caller.names(f"{path}/pods") == caller.names(f"{path}/services") == []


def test_pods_go_before_everything_else(caller: Caller) -> None:
    name = f"{caller.namespace}-ordered"
    path = f"/api/v1/namespaces/{name}"
    caller.ok("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    held = pod("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    caller.ok("POST", f"{path}/pods", held)
    caller.ok("POST", f"{path}/configmaps", config_map("kept"))
    caller.ok("DELETE", path)
    waiting = caller.until(path, lambda obj: "NamespaceFinalizersRemaining" in _reasons(obj))
    remains = _conditions(waiting)
    assert remains["NamespaceContentRemaining"] == (
        "True", "SomeResourcesRemain", "Some resources are remaining: pods. has 1 resource instances",
    )  # fmt: skip
    assert remains["NamespaceFinalizersRemaining"] == (
        "True", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    )  # fmt: skip
    assert "kept" in caller.names(f"{path}/configmaps")
    status, refused = caller.call("POST", f"{path}/configmaps", config_map("late"))
    assert (status, refused["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating"), refused
    caller.ok("PATCH", f"{path}/pods/held", {"metadata": {"finalizers": None}})
    caller.gone(path)


def _conditions(obj: dict) -> dict[str, tuple[str, str, str]]:  # type: ignore[type-arg]
    found = obj.get("status", {}).get("conditions") or ()
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found}


def _reasons(obj: dict) -> set[str]:  # type: ignore[type-arg]
    return {kind for kind, (status, *_) in _conditions(obj).items() if status == "True"}


def test_labels_finalizers_and_status(caller: Caller) -> None:
    path = caller.space
    patched = caller.ok("PATCH", path, {"metadata": {"labels": {"testLabel": "testValue"}}})
    assert patched["metadata"]["labels"]["kubernetes.io/metadata.name"] == caller.namespace
    patched["metadata"]["labels"]["more"] = "1"
    assert caller.ok("PUT", path, patched)["metadata"]["labels"]["more"] == "1"

    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Set by a test"}
    status = caller.ok(
        "PATCH", f"{path}/status", {"metadata": {"annotations": {"p": "1"}}, "status": {"conditions": [condition]}}
    )
    assert status["metadata"]["annotations"] == {"p": "1"}
    assert status["status"]["conditions"][0]["reason"] == "E2E"
    status["status"]["conditions"].append({"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m"})
    assert len(caller.ok("PUT", f"{path}/status", status)["status"]["conditions"]) == 2

    finalized = caller.ok("GET", path)
    finalized["spec"]["finalizers"].append("example.com/test")
    assert "example.com/test" in caller.ok("PUT", f"{path}/finalize", finalized)["spec"]["finalizers"]
    finalized = caller.ok("GET", path)
    finalized["spec"]["finalizers"].remove("example.com/test")
    assert caller.ok("PUT", f"{path}/finalize", finalized)["spec"]["finalizers"] == ["kubernetes"]


def test_every_namespace_has_the_root_certificate(caller: Caller) -> None:
    path = f"{caller.space}/configmaps/kube-root-ca.crt"
    first = caller.until(path, lambda obj: "data" in obj)
    caller.ok("DELETE", path)
    caller.until(path, lambda obj: obj.get("metadata", {}).get("uid") not in (None, first["metadata"]["uid"]))
    caller.ok("PATCH", path, {"data": {"ca.crt": ""}})
    assert caller.until(path, lambda obj: obj["data"]["ca.crt"] != "")["data"] == first["data"]
