"""Claims get a folder on the node that the scheduler chose; what can't be had says why."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World

from cybernetes.controllers.localvolume.loop import LocalVolumeController
from cybernetes.controllers.volumebinding.loop import VolumeController

Object = dict[str, Any]
SELECTED = "volume.kubernetes.io/selected-node"
PROVISIONER = "cybernetes.io/local"


def claim(name: str = "data", **spec: Any) -> Object:
    given = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "local",
        "volumeMode": "Filesystem",
        **spec,
    }
    metadata = {"name": name, "namespace": "default", "uid": f"{name}-uid", "annotations": {SELECTED: "n1"}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": given}


def storage_class(mode: str = "WaitForFirstConsumer", policy: str = "Delete") -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local"},
        "provisioner": PROVISIONER,
        "volumeBindingMode": mode,
        "reclaimPolicy": policy,
    }


def node(**annotations: str) -> Object:
    metadata = {"name": "n1", "labels": {"kubernetes.io/hostname": "host-1"}, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


FOLDER = {"cybernetes.io/local-volumes": "/data/volumes"}


def world(*objects: tuple[str, Object]) -> World:
    made = World(VolumeController, LocalVolumeController)
    for plural, obj in objects:
        made.api.put(plural, obj)
    return made


def test_a_claim_is_bound_to_a_folder_of_its_own() -> None:
    async def main() -> None:
        w = world(("storageclasses", storage_class()), ("nodes", node(**FOLDER)))
        async with w.running():
            w.api.put("persistentvolumeclaims", claim())
            await w.settle()
            (volume,) = w.api.all("persistentvolumes")
            assert volume["metadata"]["name"] == "pvc-data-uid"
            assert volume["metadata"]["labels"] == {"cybernetes.io/node": "n1"}
            assert volume["spec"]["local"] == {"path": "/data/volumes/pvc-data-uid"}
            assert volume["spec"]["capacity"] == {"storage": "1Gi"}
            assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
            term = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
            assert term == {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host-1"]}
            (bound,) = w.api.all("persistentvolumeclaims")
            assert (bound["spec"]["volumeName"], bound["status"]["phase"]) == ("pvc-data-uid", "Bound")
            begun = 'External provisioner is provisioning volume for claim "default/data"'
            assert ("Provisioning", begun) in w.events()
            assert ("ProvisioningSucceeded", "Successfully provisioned volume pvc-data-uid") in w.events()
            w.api.remove("persistentvolumeclaims", "data")
            await w.settle()
            assert w.api.all("persistentvolumes")[0]["status"]["phase"] == "Released"

    virtual.run(main())


def test_a_volume_that_was_made_before_a_crash_is_not_made_twice() -> None:
    async def main() -> None:
        w = world(("storageclasses", storage_class()), ("nodes", node(**FOLDER)))
        async with w.running():
            w.api.put("persistentvolumeclaims", claim())
            await w.settle()
        again = world(("storageclasses", storage_class()), ("nodes", node(**FOLDER)))
        again.api.put("persistentvolumes", w.api.all("persistentvolumes")[0] | {"status": {"phase": "Pending"}})
        async with again.running():
            again.api.put("persistentvolumeclaims", claim())
            await again.settle()
            assert len(again.api.all("persistentvolumes")) == 1
            assert again.api.all("persistentvolumeclaims")[0]["status"]["phase"] == "Bound"

    virtual.run(main())


@pytest.mark.parametrize(
    ("spec", "mode", "why"),
    [
        ({"accessModes": ["ReadWriteMany"]}, "WaitForFirstConsumer", "can't be shared by several"),
        ({"volumeMode": "Block"}, "WaitForFirstConsumer", "a folder is no block device"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "WaitForFirstConsumer", "claims with a selector"),
        ({}, "Immediate", "has to have volumeBindingMode WaitForFirstConsumer"),
    ],
)
def test_what_can_not_be_had_says_why(spec: Object, mode: str, why: str) -> None:
    async def main() -> None:
        w = world(("storageclasses", storage_class(mode)), ("nodes", node(**FOLDER)))
        async with w.running():
            w.api.put("persistentvolumeclaims", claim(**spec))
            await w.settle()
            assert not w.api.all("persistentvolumes")
            assert any(reason == "ProvisioningFailed" and why in message for reason, message in w.events())

    virtual.run(main())


def test_a_node_without_a_place_is_asked_again() -> None:
    async def main() -> None:
        w = world(("storageclasses", storage_class()), ("nodes", node()))
        async with w.running():
            w.api.put("persistentvolumeclaims", claim())
            await w.settle()
            why = 'failed to provision volume with StorageClass "local": node "n1" has no place for local volumes'
            assert any(message.startswith(why) for _, message in w.events())
            w.api.put("nodes", node(**FOLDER))
            await w.settle(20)
            assert len(w.api.all("persistentvolumes")) == 1

    virtual.run(main())


def test_a_claim_without_a_pod_waits() -> None:
    async def main() -> None:
        w = world(("storageclasses", storage_class()), ("nodes", node(**FOLDER)))
        waiting = claim()
        del waiting["metadata"]["annotations"]
        async with w.running():
            w.api.put("persistentvolumeclaims", waiting)
            await w.settle()
            assert not w.api.all("persistentvolumes")

    virtual.run(main())
