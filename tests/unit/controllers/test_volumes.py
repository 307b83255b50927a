"""Claims find their volumes, and volumes outlive their claims as their policy says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import virtual
from world import World, view_of

from cybernetes.base.errors import EdgeError
from cybernetes.controllers.ephemeralvolume.loop import EphemeralVolumeController
from cybernetes.controllers.volumebinding import folders, plan
from cybernetes.controllers.volumebinding.loop import VolumeController
from cybernetes.controllers.volumebinding.objects import Claim, Said, Volume

Object = dict[str, Any]


def volume(name: str, size: str = "1Gi", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "manual",
            "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem",
            **spec,
        },
        "status": {"phase": "Available"},
    }


def claim(name: str, size: str = "1Gi", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": "manual",
            "volumeMode": "Filesystem",
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (claim("c"), "small"),
        (claim("c", "3Gi"), "large"),
        (claim("c", "9Gi"), None),
        (claim("c", accessModes=["ReadWriteMany"]), None),
        (claim("c", volumeMode="Block"), None),
        (claim("c", storageClassName="other"), None),
        (claim("c", selector={"matchLabels": {"disk": "large"}}), "large"),
        (claim("mine"), "reserved"),
    ],
)
def test_the_smallest_that_fits_unless_one_is_reserved(wanted: Object, found: str | None) -> None:
    reserved = volume("reserved", "100Gi", claimRef={"namespace": "default", "name": "mine"})
    volumes = [view_of(each, Volume) for each in (volume("large", "5Gi"), volume("small", "2Gi"), reserved)]
    match = plan.match(view_of(wanted, Claim), volumes, only_reserved=False)
    assert (match.metadata.name if match else None) == found


def live(w: World, plural: str, name: str) -> Object:
    return next(each for each in w.api.all(plural) if each["metadata"]["name"] == name)


def test_a_claim_is_bound_and_the_volume_released_when_it_goes() -> None:
    async def main() -> None:
        w = World(VolumeController)
        w.api.put("persistentvolumeclaims", claim("data"))
        async with w.running():
            await w.settle()
            assert live(w, "persistentvolumeclaims", "data")["status"]["phase"] == "Pending"
            w.api.put("persistentvolumes", volume("pv", "2Gi"))
            await w.settle()
            bound, pv = live(w, "persistentvolumeclaims", "data"), live(w, "persistentvolumes", "pv")
            assert bound["spec"]["volumeName"] == "pv"
            assert bound["status"] == {
                "phase": "Bound",
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "2Gi"},
            }
            assert bound["metadata"]["annotations"] == {
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
            }
            assert pv["status"]["phase"] == "Bound" and pv["spec"]["claimRef"]["uid"] == "data-uid"
            w.api.edit("persistentvolumes", "pv", lambda v: v["status"].update(message="of another time"))
            w.api.remove("persistentvolumeclaims", "data")
            await w.settle()
            assert live(w, "persistentvolumes", "pv")["status"] == {"phase": "Released"}
            w.api.edit("persistentvolumes", "pv", lambda v: v["spec"].update(persistentVolumeReclaimPolicy="Delete"))
            await w.settle()
            why = 'error getting deleter volume plugin for volume "pv": no deletable volume plugin matched'
            assert live(w, "persistentvolumes", "pv")["status"] == {"phase": "Failed", "message": why}

    virtual.run(main())


@pytest.mark.parametrize(
    ("spec", "outcome"),
    [
        ({"hostPath": {"path": "/tmp/data/a"}}, plan.Delete("/tmp/data/a")),
        ({"hostPath": {"path": "/data/tmp/a"}}, "host_path deleter only supports /tmp/.+ but received provided /data/tmp/a"),
        ({"hostPath": {"path": "/tmp"}}, "host_path deleter only supports /tmp/.+ but received provided /tmp"),
        ({"hostPath": {"path": "/tmp/../etc"}}, "host_path deleter only supports /tmp/.+ but received provided /tmp/../etc"),
        ({"persistentVolumeReclaimPolicy": "Recycle"}, "No recycler plugin found for the volume!"),
        ({"persistentVolumeReclaimPolicy": "Retain"}, None),
    ],
)  # fmt: skip
def test_what_becomes_of_a_volume_without_its_claim(spec: Object, outcome: object) -> None:
    found = plan.reclaim(view_of(volume("pv", **{"persistentVolumeReclaimPolicy": "Delete", **spec}), Volume))
    assert (found.message if isinstance(found, Said) else found) == outcome


def test_a_folder_below_tmp_goes_with_its_volume_or_the_volume_says_why_not() -> None:
    removed = []

    async def remove(folder: str) -> None:
        if folder == "/tmp/stuck":
            raise EdgeError("remove", folder, "busy")
        removed.append(folder)

    async def main() -> None:
        w = World(lambda edges: VolumeController(edges, remove))
        for name in ("free", "stuck"):
            spec: Object = {"hostPath": {"path": f"/tmp/{name}"}, "persistentVolumeReclaimPolicy": "Delete"}
            w.api.put("persistentvolumes", volume(name, **{**spec, "storageClassName": name}))
            w.api.put("persistentvolumeclaims", claim(name, storageClassName=name))
        async with w.running():
            await w.settle()
            for name in ("free", "stuck"):
                w.api.remove("persistentvolumeclaims", name)
            await w.settle()
            (left,) = w.api.all("persistentvolumes")
            assert (left["metadata"]["name"], left["status"]["phase"]) == ("stuck", "Failed")
            assert ("VolumeFailedDelete", left["status"]["message"]) in w.events()

    virtual.run(main())
    assert removed == ["/tmp/free"]


def test_links_do_not_lead_out_of_what_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kept" / "a").mkdir(parents=True)
    (tmp_path / "top" / "x" / "a").mkdir(parents=True)
    (tmp_path / "top" / "x" / "a" / "out").symlink_to(tmp_path / "kept")
    (tmp_path / "top" / "link").symlink_to(tmp_path / "kept")
    with pytest.raises(EdgeError):
        folders.remove_below(f"{tmp_path}/top", f"{tmp_path}/top/link/a")
    for name in ("x/a", "x/a", "nowhere/a", "link"):
        folders.remove_below(f"{tmp_path}/top", f"{tmp_path}/top/{name}")
    assert [each.name for each in (tmp_path / "top").iterdir()] == ["x"]
    assert (tmp_path / "kept" / "a").is_dir() and not (tmp_path / "top" / "x" / "a").exists()


def test_two_claims_never_share_a_volume() -> None:
    async def main() -> None:
        w = World(VolumeController)
        w.api.put("persistentvolumes", volume("pv"))
        w.api.put("persistentvolumeclaims", claim("a"))
        w.api.put("persistentvolumeclaims", claim("b"))
        async with w.running():
            await w.settle(20)
            phases = sorted(each["status"]["phase"] for each in w.api.all("persistentvolumeclaims"))
            assert phases == ["Bound", "Pending"]

    virtual.run(main())


def test_a_volume_that_is_gone_is_a_loss() -> None:
    async def main() -> None:
        w = World(VolumeController)
        w.api.put("persistentvolumes", volume("pv"))
        w.api.put("persistentvolumeclaims", claim("data"))
        async with w.running():
            await w.settle()
            w.api.remove("persistentvolumes", "pv")
            await w.settle()
            assert live(w, "persistentvolumeclaims", "data")["status"]["phase"] == "Lost"
            message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            assert ("ClaimLost", message) in w.events()

    virtual.run(main())


def test_what_a_class_does_with_a_claim_without_a_volume() -> None:
    async def main() -> None:
        w = World(VolumeController)
        fast = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "example.com/fast",
        }
        late = {**fast, "metadata": {"name": "late"}, "volumeBindingMode": "WaitForFirstConsumer"}
        w.api.put("storageclasses", fast)
        w.api.put("storageclasses", late)
        unclassed = claim("unclassed")
        del unclassed["spec"]["storageClassName"]
        w.api.put("persistentvolumeclaims", unclassed)
        w.api.put("persistentvolumeclaims", claim("waits", storageClassName="late"))
        w.api.put("persistentvolumeclaims", claim("none", storageClassName="missing"))
        async with w.running():
            await w.settle()
            made = live(w, "persistentvolumeclaims", "unclassed")
            assert made["spec"]["storageClassName"] == "fast"
            assert made["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"] == "example.com/fast"
            reasons = {reason for reason, _ in w.events()}
            assert {"ExternalProvisioning", "WaitForFirstConsumer", "ProvisioningFailed"} <= reasons
            w.api.edit(
                "persistentvolumeclaims",
                "waits",
                lambda c: c["metadata"].update(annotations={"volume.kubernetes.io/selected-node": "n"}),
            )
            await w.settle()
            annotations = live(w, "persistentvolumeclaims", "waits")["metadata"]["annotations"]
            assert annotations["volume.kubernetes.io/storage-provisioner"] == "example.com/fast"

    virtual.run(main())


def test_ephemeral_volumes_get_claims_of_their_pod() -> None:
    async def main() -> None:
        w = World(EphemeralVolumeController)
        template = {"spec": claim("x")["spec"], "metadata": {"labels": {"a": "b"}}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]},
        }
        w.api.put("pods", pod)
        async with w.running():
            await w.settle()
            [made] = w.api.all("persistentvolumeclaims")
            assert made["metadata"]["name"] == "p-scratch" and made["metadata"]["labels"] == {"a": "b"}
            assert made["metadata"]["ownerReferences"][0]["kind"] == "Pod"

    virtual.run(main())
