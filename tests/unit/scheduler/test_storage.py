"""Pods with claims: where their volumes are, which they get, and what is written for that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from memory_api import MemoryApi, node, pod
from test_scheduler_loop import bound, condition, running, until

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import KINDS, Storage
from cybernetes.scheduler.storage.write import promise

PODS, NODES = "/api/v1/pods", "/api/v1/nodes"
CLAIMS, VOLUMES = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


def claim(name: str, *, size: str = "1Gi", volume: str = "", modes: tuple[str, ...] = ("ReadWriteOnce",)) -> Any:
    spec = {
        "accessModes": list(modes),
        "resources": {"requests": {"storage": size}},
        "storageClassName": "local",
        "volumeMode": "Filesystem",
    }
    annotations = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "annotations": annotations}
    return {"metadata": metadata, "spec": {**spec, "volumeName": volume}, "status": {"phase": "Pending"}}


def volume(name: str, on: str, *, size: str = "1Gi", **labels: str) -> Any:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [on]}]}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        "storageClassName": "local",
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"phase": "Available"}}


def storage_class(mode: str = "WaitForFirstConsumer", provisioner: str = "kubernetes.io/no-provisioner") -> Any:
    return {"metadata": {"name": "local"}, "provisioner": provisioner, "volumeBindingMode": mode}


def with_claim(name: str, claim_name: str, **spec: Any) -> Any:
    return pod(name, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}], **spec)


class Cluster:
    def __init__(self, *nodes: Any, **stored: list[Any]) -> None:
        self.columns, self.interner, self.storage = Columns(), Interner(), Storage()
        for each in nodes:
            self.columns.put_node(_decoded(each, NodeObject))
        for target, struct in KINDS:
            for each in stored.get(target.plural, []):
                space = each["metadata"].get("namespace")
                key = f"{space}/{each['metadata']['name']}" if space else each["metadata"]["name"]
                self.storage.change(target, key, _decoded(each, struct))
        self.cycle = Cycle(self.columns, Profile(), Nominations(), volumes=VolumeFilter(self.storage))

    def entry(self, manifest: Any) -> Any:
        return self.interner.entry(_decoded(manifest, PodObject))

    def decide(self, manifest: Any) -> str:
        decision = self.cycle.decide(self.entry(manifest), SeededRandom(1))
        return decision.node if isinstance(decision, Placement) else decision.message


def _decoded(manifest: Any, struct: Any) -> Any:
    import msgspec

    return msgspec.json.decode(json.dumps(manifest).encode(), type=struct)


def test_a_pod_follows_its_bound_volume() -> None:
    stored = {"persistentvolumeclaims": [claim("data", volume="disk")], "persistentvolumes": [volume("disk", "b")]}
    assert Cluster(node("a"), node("b"), **stored).decide(with_claim("db", "data")) == "b"
    wanted = "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity."
    assert Cluster(node("a"), **stored).decide(with_claim("db", "data")) == wanted


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({}, 'persistentvolumeclaim "data" not found'),
        (
            {"persistentvolumeclaims": [claim("data")], "storageclasses": [storage_class("Immediate")]},
            "pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            {"persistentvolumeclaims": [claim("data")], "storageclasses": [storage_class()]},
            "1 node(s) didn't find available persistent volumes to bind",
        ),
        (
            {"persistentvolumeclaims": [claim("data", volume="lost")]},
            "1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        ),
    ],
)
def test_what_is_missing_is_said(stored: dict[str, list[Any]], words: str) -> None:
    assert Cluster(node("a"), **stored).decide(with_claim("db", "data")) == f"0/1 nodes are available: {words}."


def test_a_pod_waits_for_the_claim_of_its_ephemeral_volume_and_follows_it() -> None:
    db = pod("db", volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}])
    words = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "db-scratch"'
    assert Cluster(node("a")).decide(db) == f"0/1 nodes are available: {words}."
    made = claim("db-scratch", volume="disk")
    stored = {"persistentvolumeclaims": [made], "persistentvolumes": [volume("disk", "b")]}
    assert "pod is not owner" in Cluster(node("a"), **stored).decide(db)
    made["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "db", "uid": "uid-db", "controller": True}]
    assert Cluster(node("a"), node("b"), **stored).decide(db) == "b"


def test_a_waiting_claim_gets_the_smallest_volume_that_fits_and_no_other_claim_gets_it() -> None:
    cluster = Cluster(
        node("a"),
        persistentvolumeclaims=[claim("one"), claim("two")],
        persistentvolumes=[volume("large", "a", size="9Gi"), volume("right", "a"), volume("small", "a", size="1Mi")],
        storageclasses=[storage_class()],
    )
    first = cluster.cycle.volume_choices(cluster.entry(with_claim("x", "one")), "a")
    assert [found.metadata.name for found, _ in first.bindings] == ["right"]
    promise(cluster.storage, first, "a")
    second = cluster.cycle.volume_choices(cluster.entry(with_claim("y", "two")), "a")
    assert [found.metadata.name for found, _ in second.bindings] == ["large"]


def test_a_provisioner_must_have_room_where_it_reports_capacity() -> None:
    stored = {
        "persistentvolumeclaims": [claim("data", size="5Gi")],
        "storageclasses": [storage_class(provisioner="disks.test")],
        "csidrivers": [{"metadata": {"name": "disks.test"}, "spec": {"storageCapacity": True}}],
        "csistoragecapacities": [
            {
                "metadata": {"name": f"c-{on}", "namespace": "kube-system"},
                "storageClassName": "local",
                "capacity": size,
                "nodeTopology": {"matchLabels": {"kubernetes.io/hostname": on}},
            }
            for on, size in (("a", "1Gi"), ("b", "9Gi"))
        ],
    }
    cluster = Cluster(node("a"), node("b"), **stored)
    assert cluster.decide(with_claim("db", "data")) == "b"
    found = cluster.cycle.volume_choices(cluster.entry(with_claim("db", "data")), "b")
    assert [each.metadata.name for each in found.provisions] == ["data"]


def test_a_node_holds_only_so_many_volumes_of_a_driver() -> None:
    def disk(name: str) -> Any:
        made = volume(name, "a")
        made["spec"]["csi"] = {"driver": "disks.test", "volumeHandle": name}
        return made

    limit = {"name": "disks.test", "nodeID": "a", "allocatable": {"count": 1}}
    cluster = Cluster(
        node("a"),
        persistentvolumeclaims=[claim("one", volume="d1"), claim("two", volume="d2")],
        persistentvolumes=[disk("d1"), disk("d2")],
        csinodes=[{"metadata": {"name": "a"}, "spec": {"drivers": [limit]}}],
    )
    assert cluster.decide(with_claim("x", "one")) == "a"
    cluster.columns.add_pod(cluster.entry(with_claim("x", "one")), "a")
    assert cluster.decide(with_claim("again", "one")) == "a"
    assert cluster.decide(with_claim("y", "two")) == "0/1 nodes are available: 1 node(s) exceed max volume count."


def test_a_claim_for_one_pod_is_not_shared() -> None:
    stored = {
        "persistentvolumeclaims": [claim("one", volume="d1", modes=("ReadWriteOncePod",))],
        "persistentvolumes": [volume("d1", "a")],
    }
    cluster = Cluster(node("a"), **stored)
    cluster.columns.add_pod(cluster.entry(with_claim("x", "one")), "a")
    assert "ReadWriteOncePod access mode already in-use by another pod" in cluster.decide(with_claim("y", "one"))


def test_a_volume_of_a_zone_stays_in_it() -> None:
    made = volume("d1", "a", **{"topology.kubernetes.io/zone": "east__west"})
    made["spec"].pop("nodeAffinity")
    stored = {"persistentvolumeclaims": [claim("one", volume="d1")], "persistentvolumes": [made]}
    north, west = node("n"), node("w")
    north["metadata"]["labels"]["topology.kubernetes.io/zone"] = "north"
    west["metadata"]["labels"]["topology.kubernetes.io/zone"] = "west"
    assert Cluster(north, west, **stored).decide(with_claim("x", "one")) == "w"
    assert "1 node(s) had no available volume zone" in Cluster(north, **stored).decide(with_claim("x", "one"))


async def test_the_volume_is_given_before_the_pod_is_bound() -> None:
    api = MemoryApi()
    api.put(NODES, node("a"))
    api.put(CLASSES, storage_class())
    api.put(VOLUMES, volume("disk", "a"))
    api.put(CLAIMS, claim("data"))
    api.put(PODS, with_claim("db", "data"))
    path = "/api/v1/persistentvolumes/disk"
    async with running(api):
        [given] = await until(lambda: [body for method, where, body in api.log if (method, where) == ("PATCH", path)])
        assert given["spec"]["claimRef"]["name"] == "data"
        assert not bound(api, "db")
        assert api.pod("shop/db")["status"]["nominatedNodeName"] == "a"
        api.put(CLAIMS, claim("data", volume="disk"))
        await until(lambda: bound(api, "db"))
    assert condition(api.pod("shop/db")) == {}
