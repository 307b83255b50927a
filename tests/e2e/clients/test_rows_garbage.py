"""Who goes with its owner, who stays, and when."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.clients.calling import Caller, Object, config_map, controller, deployment


def delete(caller: Caller, path: str, policy: str) -> Object:
    return caller.ok("DELETE", path, {"propagationPolicy": policy})


def made(caller: Caller, path: str, count: int) -> list[Object]:
    return caller.until(path, lambda found: len(found["items"]) == count)["items"]


def owned_by(owner: Object, kind: str, *, blocks: bool = False) -> Object:
    metadata = owner["metadata"]
    reference: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "name": metadata["name"], "uid": metadata["uid"]}
    return {**reference, "blockOwnerDeletion": True} if blocks else reference


def test_pods_go_with_their_controller_in_the_background(caller: Caller) -> None:
    path, pods = f"{caller.space}/replicationcontrollers", f"{caller.space}/pods"
    caller.ok("POST", path, controller("rc", 3))
    made(caller, pods, 3)
    delete(caller, f"{path}/rc", "Background")
    made(caller, pods, 0)


def test_pods_of_a_controller_are_left_when_asked_for(caller: Caller) -> None:
    path, pods = f"{caller.space}/replicationcontrollers", f"{caller.space}/pods"
    caller.ok("POST", path, controller("rc", 3))
    made(caller, pods, 3)
    assert delete(caller, f"{path}/rc", "Orphan")["metadata"]["finalizers"] == ["orphan"]
    caller.gone(f"{path}/rc")
    assert [each["metadata"].get("ownerReferences") for each in made(caller, pods, 3)] == [None] * 3


def test_a_controller_stays_until_its_pods_are_gone(caller: Caller) -> None:
    path, pods = f"{caller.space}/replicationcontrollers", f"{caller.space}/pods"
    caller.ok("POST", path, controller("rc", 2))
    held = made(caller, pods, 2)[0]["metadata"]["name"]
    caller.ok("PATCH", f"{pods}/{held}", {"metadata": {"finalizers": ["example.com/hold"]}})
    going = delete(caller, f"{path}/rc", "Foreground")
    assert going["metadata"]["finalizers"] == ["foregroundDeletion"]
    made(caller, pods, 1)
    assert caller.ok("GET", f"{path}/rc")["metadata"]["deletionTimestamp"]
    caller.ok("PATCH", f"{pods}/{held}", {"metadata": {"finalizers": None}})
    caller.gone(f"{path}/rc")
    assert caller.names(pods) == []


@pytest.mark.parametrize(("policy", "stay"), [("Background", False), ("Orphan", True)])
def test_replica_sets_of_a_deployment(caller: Caller, policy: str, stay: bool) -> None:
    path, sets = caller.of("apps/v1", "deployments"), caller.of("apps/v1", "replicasets")
    caller.ok("POST", path, deployment("web", 1))
    (found,) = made(caller, sets, 1)
    assert found["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    delete(caller, f"{path}/web", policy)
    caller.gone(f"{path}/web")
    if stay:
        (left,) = made(caller, sets, 1)
        assert "ownerReferences" not in left["metadata"]
    else:
        made(caller, sets, 0)


def test_an_object_stays_while_another_owner_is_there(caller: Caller) -> None:
    path = f"{caller.space}/configmaps"
    goes = caller.ok("POST", path, config_map("goes"))
    stays = caller.ok("POST", path, config_map("stays"))
    shared = config_map("shared")
    references = [owned_by(goes, "ConfigMap", blocks=True), owned_by(stays, "ConfigMap")]
    caller.ok("POST", path, {**shared, "metadata": {"name": "shared", "ownerReferences": references}})
    alone = {**config_map("alone"), "metadata": {"name": "alone", "ownerReferences": references[:1]}}
    caller.ok("POST", path, alone)
    delete(caller, f"{path}/goes", "Foreground")
    caller.gone(f"{path}/goes")
    caller.gone(f"{path}/alone")
    left = caller.ok("GET", f"{path}/shared")["metadata"]
    assert [each["name"] for each in left["ownerReferences"]] == ["stays"] and "deletionTimestamp" not in left


def test_a_circle_of_owners_goes_as_a_whole(caller: Caller) -> None:
    path = f"{caller.space}/configmaps"
    names = ("c1", "c2", "c3")
    uids = {name: caller.ok("POST", path, config_map(name)) for name in names}
    for name, owner in zip(names, ("c3", "c1", "c2"), strict=True):
        reference = owned_by(uids[owner], "ConfigMap", blocks=True)
        caller.ok("PATCH", f"{path}/{name}", {"metadata": {"ownerReferences": [reference]}})
    delete(caller, f"{path}/c1", "Foreground")
    for name in names:
        caller.gone(f"{path}/{name}")
