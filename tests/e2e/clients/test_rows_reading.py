"""Discovery, pages, forms of answers, watches."""

from __future__ import annotations

import threading

import pytest
from tests.e2e.clients.calling import Caller, config_map

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
DEFINITION = {
    "metadata": {"name": "crates.rows.example.com"},
    "spec": {
        "group": "rows.example.com",
        "scope": "Namespaced",
        "names": {"plural": "crates", "singular": "crate", "kind": "Crate"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_every_group_names_its_preferred_version_and_serves_it(caller: Caller) -> None:
    for group in caller.ok("GET", "/apis")["groups"]:
        preferred = group["preferredVersion"]
        assert preferred in group["versions"]
        alone = caller.ok("GET", f"/apis/{group['name']}")
        assert (alone["name"], alone["preferredVersion"]) == (group["name"], preferred)
        served = caller.ok("GET", f"/apis/{preferred['groupVersion']}")
        assert served["groupVersion"] == preferred["groupVersion"] and served["resources"]


def test_discovery_is_one_document_for_who_asks_for_it(caller: Caller) -> None:
    answer = caller.send("GET", "/apis", accept=AGGREGATED)
    assert answer.headers["content-type"] == AGGREGATED
    groups = {each["metadata"]["name"]: each for each in caller.ok("GET", "/apis", accept=AGGREGATED)["items"]}
    assert {"apps", "batch", "apiextensions.k8s.io"} <= set(groups)
    resources = {each["resource"]: each for each in groups["apps"]["versions"][0]["resources"]}
    assert {each["subresource"] for each in resources["deployments"]["subresources"]} == {"scale", "status"}
    core = caller.ok("GET", "/api", accept=AGGREGATED)
    assert core["kind"] == "APIGroupDiscoveryList" and core["items"][0]["versions"][0]["version"] == "v1"
    for accept, kind in (
        (f"application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,{AGGREGATED}", "APIGroupDiscoveryList"),
        (f"{AGGREGATED},application/json", "APIGroupDiscoveryList"),
        ("application/json", "APIGroupList"),
    ):
        assert caller.ok("GET", "/apis", accept=accept)["kind"] == kind, accept


def test_definitions_are_discovered_and_watched(caller: Caller) -> None:
    version = caller.ok("GET", DEFINITIONS)["metadata"]["resourceVersion"]
    caller.ok("POST", DEFINITIONS, DEFINITION)
    path = f"{DEFINITIONS}/crates.rows.example.com"
    try:
        caller.until("/apis/rows.example.com/v1", lambda obj: bool(obj.get("resources")))
        groups = caller.ok("GET", "/apis", accept=AGGREGATED)["items"]
        (mine,) = [each for each in groups if each["metadata"]["name"] == "rows.example.com"]
        assert mine["versions"][0]["resources"][0]["responseKind"]["kind"] == "Crate"
        events = caller.watch(DEFINITIONS, resourceVersion=version)
        assert next(events)[0] == "ADDED"
        assert any(kind == "MODIFIED" and _established(obj) for kind, obj in events)
    finally:
        caller.ok("DELETE", path)
    caller.gone("/apis/rows.example.com/v1")


def _established(obj: dict) -> bool:  # type: ignore[type-arg]
    conditions = obj.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def test_lists_come_in_pieces(caller: Caller) -> None:
    path = f"{caller.space}/podtemplates"
    template = {"spec": {"containers": [{"name": "c", "image": "x"}]}}
    for n in range(40):
        caller.ok("POST", path, {"metadata": {"name": f"t-{n:04}"}, "template": template})
    for limit in (7, 13, 40):
        seen, query, versions = [], {"limit": str(limit)}, set()
        while True:
            page = caller.ok("GET", path, **query)
            seen += [each["metadata"]["name"] for each in page["items"]]
            versions.add(page["metadata"]["resourceVersion"])
            assert page["metadata"].get("remainingItemCount", 0) == 40 - len(seen)
            if not page["metadata"].get("continue"):
                break
            query["continue"] = page["metadata"]["continue"]
        assert seen == [f"t-{n:04}" for n in range(40)]
        assert len(versions) == 1, "all pieces are of one moment"


def test_who_serves_no_metadata_says_so(caller: Caller) -> None:
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    for wanted in (accept, table):
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        status, refused = caller.call("POST", path, review, accept=wanted)
        assert (status, refused["reason"]) == (406, "NotAcceptable"), wanted
    shown = caller.ok("GET", f"{caller.space}/configmaps", accept=accept.replace("Metadata;", "MetadataList;"))
    assert shown["kind"] == "PartialObjectMetadataList"


def test_a_watch_goes_on_from_the_last_version_of_another(caller: Caller) -> None:
    path = f"{caller.space}/configmaps"
    first = caller.watch(path, labelSelector="w=1")
    caller.ok("POST", path, config_map("m", w="1"))
    kind, seen = next(first)
    assert kind == "ADDED"
    first.close()
    caller.ok("PATCH", f"{path}/m", {"data": {"mutation": "2"}})
    caller.ok("DELETE", f"{path}/m")
    second = caller.watch(path, labelSelector="w=1", resourceVersion=seen["metadata"]["resourceVersion"])
    assert [next(second)[0], next(second)[0]] == ["MODIFIED", "DELETED"]


def test_an_object_that_fits_no_more_is_deleted_for_its_watchers(caller: Caller) -> None:
    path = f"{caller.space}/configmaps"
    caller.ok("POST", path, config_map("m", w="on"))
    version = caller.ok("PATCH", f"{path}/m", {"data": {"mutation": "1"}})["metadata"]["resourceVersion"]
    caller.ok("PATCH", f"{path}/m", {"metadata": {"labels": {"w": "off"}}})
    caller.ok("PATCH", f"{path}/m", {"data": {"mutation": "2"}})
    caller.ok("PATCH", f"{path}/m", {"metadata": {"labels": {"w": "on"}}})
    caller.ok("DELETE", f"{path}/m")
    events = caller.watch(path, labelSelector="w=on", resourceVersion=version)
    seen = [next(events) for _ in range(3)]
    assert [(kind, obj["data"].get("mutation")) for kind, obj in seen] == [
        ("DELETED", "1"),
        ("ADDED", "2"),
        ("DELETED", "2"),
    ]


def test_watchers_that_begin_anywhere_see_the_same_order(caller: Caller) -> None:
    path = f"{caller.space}/configmaps"

    def produce() -> None:
        for n in range(20):
            caller.ok("POST", path, config_map(f"m-{n}", order="1"))
            caller.ok("PATCH", f"{path}/m-{n}", {"data": {"n": "1"}})
        caller.ok("POST", path, config_map("last", order="1"))

    producing = threading.Thread(target=produce)
    begin = caller.ok("GET", path)["metadata"]["resourceVersion"]
    producing.start()
    order: list[tuple[str, str]] = []
    for kind, obj in caller.watch(path, resourceVersion=begin, labelSelector="order=1"):
        order.append((kind, obj["metadata"]["resourceVersion"]))
        if obj["metadata"]["name"] == "last":
            break
    producing.join()
    for start in range(0, len(order) - 1, 8):
        events = caller.watch(path, resourceVersion=order[start][1], labelSelector="order=1")
        rest = [(kind, obj["metadata"]["resourceVersion"]) for kind, obj in (next(events) for _ in order[start + 1 :])]
        assert rest == order[start + 1 :]


def test_the_version_has_all_its_parts(caller: Caller) -> None:
    version = caller.ok("GET", "/version")
    assert (version["major"], version["minor"]) == ("1", "37")
    assert version["gitVersion"].startswith("v1.37.") and version["platform"].startswith("linux/")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health_is_told_check_by_check(caller: Caller, path: str) -> None:
    kind = path[1:]
    assert caller.send("GET", path).data == b"ok"
    told = caller.send("GET", path, verbose="").data.decode()
    assert told.startswith("[+]ping ok\n") and told.endswith(f"{kind} check passed\n")
    assert "[+]ping excluded: ok\n" in caller.send("GET", path, verbose="", exclude="ping").data.decode()
    assert caller.send("GET", f"{path}/ping").data == b"ok"
