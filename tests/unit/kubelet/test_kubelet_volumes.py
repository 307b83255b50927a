"""Files of volumes, replaced at once; sub-paths that stay inside."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubelet.making import pod

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.kubelet.env import ConfigError, Sources
from cybernetes.kubelet.fake_host import FakeHost
from cybernetes.kubelet.puller import Puller
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.kubelet.volumes import atomic, hostpath, kernel, layout, payload
from cybernetes.kubelet.volumes.image import ImageVolumes
from cybernetes.kubelet.volumes.layout import MountedVolume
from cybernetes.kubelet.volumes.payload import File, ImageVolumeError, PayloadContext, TokenRequest, VolumeError
from cybernetes.kubelet.volumes.setup import Volumes

CONFIG = {("ConfigMap", "shop", "cfg"): {"data": {"k": "v", "l": "w"}}}


def files(volume: Any, obj: Any = None, **tokens: Any) -> Any:
    context = PayloadContext(Sources(CONFIG), tokens.get("tokens", {}), {})
    return payload.files(obj or pod(), volume, context)


def test_config_maps_give_all_keys_or_chosen_ones() -> None:
    assert files({"configMap": {"name": "cfg"}}) == {"k": File(b"v", 0o644), "l": File(b"w", 0o644)}
    items = [{"key": "k", "path": "a/b", "mode": 0o400}]
    assert files({"configMap": {"name": "cfg", "items": items}}) == {"a/b": File(b"v", 0o400)}
    with pytest.raises(VolumeError, match="references non-existent config key: x"):
        files({"configMap": {"name": "cfg", "items": [{"key": "x", "path": "x"}]}})
    with pytest.raises(VolumeError, match='configmap "none" not found'):
        files({"configMap": {"name": "none"}})
    assert files({"configMap": {"name": "none", "optional": True}}) == {}


def test_projected_volumes_join_their_sources() -> None:
    obj = pod(securityContext={"fsGroup": 5})
    obj["metadata"]["labels"] = {"a": "b"}
    sources = [
        {"configMap": {"name": "cfg", "items": [{"key": "k", "path": "k"}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "x"}},
    ]
    made = files({"projected": {"sources": sources}}, obj, tokens={TokenRequest("x", 600): "secret"})
    assert made == {"k": File(b"v", 0o644), "labels": File(b'a="b"', 0o644), "token": File(b"secret", 0o600)}


@pytest.mark.parametrize(
    ("context", "containers", "wanted"),
    [
        ({}, {}, File(b"secret", 0o644)),
        ({"runAsUser": 7}, {}, File(b"secret", 0o600, 7)),
        ({"fsGroup": 5}, {}, File(b"secret", 0o600)),
        ({"runAsUser": 7, "fsGroup": 5}, {}, File(b"secret", 0o600, 7)),
        ({"runAsUser": 7}, {"ephemeralContainers": [{"name": "e", "securityContext": {"runAsUser": 8}}]},
         File(b"secret", 0o600, 7)),
        ({"runAsUser": 7}, {"initContainers": [{"name": "i", "securityContext": {"runAsUser": 8}}]},
         File(b"secret", 0o644)),
    ],
)  # fmt: skip
def test_a_token_belongs_to_the_user_of_all_containers(context: Any, containers: Any, wanted: File) -> None:
    obj = pod(securityContext=context, **containers)
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "x"}}]
    made = files({"projected": {"sources": sources}}, obj, tokens={TokenRequest("x", 600): "secret"})
    assert made == {"token": wanted}


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o777), (0o700, 0o777), (0o777, 0o777), (0o1777, 0o1777)])
def test_a_folder_for_all_stays_one_where_nobody_removes_what_others_made(
    tmp_path: Path, before: int, after: int
) -> None:
    tmp_path.chmod(before)
    kernel.open_to_all(tmp_path)
    assert tmp_path.stat().st_mode & 0o7777 == after


def test_files_are_replaced_all_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    first = {"k": File(b"1", 0o640), "d/l": File(b"2", 0o644)}
    assert atomic.write(folder, first, now=0.0, suffix="a", group=None)
    assert os.readlink(folder / "..data") == "..1970_01_01_00_00_00.a"
    assert os.readlink(folder / "k") == "..data/k"
    assert (folder / "d" / "l").read_bytes() == b"2"
    assert (folder / "k").stat().st_mode & 0o777 == 0o640
    assert not atomic.write(folder, first, now=1.0, suffix="b", group=None)
    assert atomic.write(folder, {"k": File(b"3", 0o644)}, now=2.0, suffix="c", group=None)
    assert (folder / "k").read_bytes() == b"3"
    assert sorted(each.name for each in folder.iterdir()) == ["..1970_01_01_00_00_02.c", "..data", "k"]


def test_sub_paths_do_not_leave_their_volume(tmp_path: Path) -> None:
    volume, outside = tmp_path / "v", tmp_path / "outside"
    (volume / "sub").mkdir(parents=True)
    outside.mkdir()
    (volume / "out").symlink_to(outside)
    (volume / "up").symlink_to("../outside")
    os.close(kernel.open_inside(str(volume), "sub/new", create=True))
    assert (volume / "sub" / "new").is_dir()
    for path in ("out", "up", "../outside", "out/x", "missing"):
        with pytest.raises(EdgeError):
            kernel.open_inside(str(volume), path, create=False)


def test_links_of_sub_paths_are_followed_inside_of_their_volume(tmp_path: Path) -> None:
    (tmp_path / "v" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "v" / "current").symlink_to("a/b/c")
    (tmp_path / "v" / "a" / "beside").symlink_to("../current")
    (tmp_path / "v" / "round").symlink_to("round")
    (tmp_path / "v" / "file").touch()
    wanted = (tmp_path / "v" / "a" / "b" / "c").stat().st_ino
    for path in ("current", "a/beside"):
        descriptor = kernel.open_inside(str(tmp_path / "v"), path, create=True)
        assert os.fstat(descriptor).st_ino == wanted
        os.close(descriptor)
    for path in ("round", "file/x"):
        with pytest.raises(EdgeError):
            kernel.open_inside(str(tmp_path / "v"), path, create=True)


def test_folders_of_sub_paths_have_the_mode_of_their_volume(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    volume.mkdir()
    volume.chmod(0o2777)
    os.close(kernel.open_inside(str(volume), "a/b", create=True))
    assert [stat.S_IMODE((volume / each).stat().st_mode) for each in ("a", "a/b")] == [0o2777, 0o2777]


def test_a_group_is_given_the_folder_of_written_files_too(tmp_path: Path) -> None:
    folder, group = tmp_path / "v", os.getgid()
    folder.mkdir()
    folder.chmod(0o777)
    atomic.write(folder, {"d/k": File(b"1", 0o400)}, now=0.0, suffix="a", group=group)
    modes = {each: stat.S_IMODE((folder / each).stat().st_mode) for each in ("", "..data", "d", "d/k")}
    assert modes == {"": 0o2777, "..data": 0o2755, "d": 0o2755, "d/k": 0o440}


def test_sub_paths_reach_written_files_through_their_links(tmp_path: Path) -> None:
    atomic.write(tmp_path / "v", {"k": File(b"1", 0o644)}, now=0.0, suffix="a", group=None)
    descriptor = kernel.open_inside(str(tmp_path / "v"), "k", create=False)
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:
        assert file.read() == b"1"
    os.close(descriptor)


def test_a_sub_path_of_an_empty_variable_is_not_the_whole_volume() -> None:
    volumes = {"v": MountedVolume("/volume")}

    def mounted(expression: str, **variables: str) -> Any:
        container = {"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/m", "subPathExpr": expression}]}
        return layout.container_mounts(Path("/pod"), container, volumes, variables, Path("/log"))[1]

    assert [each.path for each in mounted("$(A)/$(B)", A="1", B="2")] == ["1/2"]
    with pytest.raises(ConfigError, match="missing value for A, B"):
        mounted("$(B)/$(A)", A="")
    with pytest.raises(ConfigError, match="error SubPath `/tmp` must not be an absolute path"):
        mounted("$(A)", A="/tmp")
    with pytest.raises(ConfigError, match=r"unable to provision SubPath `a/\.\.`: must not contain '\.\.'"):
        mounted("a/$(A)", A="..")


def test_what_a_runtime_does_not_mount_is_refused() -> None:
    mount = {"name": "v", "mountPath": "/m", "readOnly": True, "recursiveReadOnly": "Enabled"}
    container = {"name": "c", "volumeMounts": [mount]}
    with pytest.raises(ConfigError, match='volume "v" requested recursive read-only mode, but it is not supported'):
        layout.container_mounts(Path("/pod"), container, {"v": MountedVolume("/volume")}, {}, Path("/log"))


def test_host_paths_are_checked_and_made(tmp_path: Path) -> None:
    hostpath.check(tmp_path / "x", "")
    hostpath.check(tmp_path / "d", "DirectoryOrCreate")
    assert (tmp_path / "d").is_dir()
    hostpath.check(tmp_path / "f", "FileOrCreate")
    with pytest.raises(VolumeError, match=f"hostPath type check failed: {tmp_path}/f is not a directory"):
        hostpath.check(tmp_path / "f", "Directory")
    with pytest.raises(VolumeError):
        hostpath.check(tmp_path / "none", "Socket")


@pytest.mark.parametrize("kind", ["gitRepo", "nfs", "awsElasticBlockStore"])
def test_volumes_that_a_node_does_not_make_are_refused_by_name(kind: str) -> None:
    nobody: Any = None
    volumes = Volumes(nobody, nobody, nobody, nobody, nobody, nobody, nobody, nobody)
    obj = pod(volumes=[{"name": "v", kind: {"repository": "--upload-pack=id"}}])
    [failed] = asyncio.run(volumes.ensure(obj, {}, 0.0, (), print)).failed
    assert failed.message.endswith(f"volumes of kind {kind} are not supported by this node")


def test_a_volume_that_can_not_be_made_holds_up_no_other(tmp_path: Path) -> None:
    nobody: Any = None
    volumes = Volumes(FakeHost(), nobody, nobody, nobody, nobody, nobody, nobody, nobody)
    obj = pod(volumes=[{"name": "a", "nfs": {}}, {"name": "b", "emptyDir": {}}, {"name": "c", "iscsi": {}}])
    ensured = asyncio.run(volumes.ensure(obj, {}, 0.0, (), print))
    assert (list(ensured.made), [each.volume for each in ensured.failed]) == (["b"], ["a", "c"])


def test_the_pulling_of_a_volumes_image_is_told(tmp_path: Path) -> None:
    said: list[tuple[str, str, str]] = []
    runtime = FakeRuntime(SystemClock(), ["i"])
    volumes = ImageVolumes(runtime, Puller(runtime, SystemClock(), at_once=1), lambda uid: tmp_path)
    volume = {"name": "v", "image": {"reference": "absent", "pullPolicy": "Never"}}
    with pytest.raises(ImageVolumeError):
        asyncio.run(volumes.ensure(pod(), volume, (), lambda *event: said.append(event)))
    assert said == [
        ("Warning", "ErrImageNeverPull", 'Container image "absent" is not present with pull policy of Never')
    ]


def test_certificates_and_bundles_become_files_for_the_pods_user():
    from cybernetes.kubelet.credentials import BundleWanted, CertificateWanted, PodCertificate
    from cybernetes.kubelet.volumes import payload

    certificate = {"signerName": "a.b/c", "keyType": "ED25519", "credentialBundlePath": "all.pem", "keyPath": "key.pem"}
    bundle = {"name": "x", "path": "ca.pem"}
    missing = {"name": "y", "path": "none.pem", "optional": True}
    sources = [{"podCertificate": certificate}, {"clusterTrustBundle": bundle}, {"clusterTrustBundle": missing}]
    volume = {"name": "v", "projected": {"sources": sources}}
    containers = [{"name": "c", "securityContext": {"runAsUser": 7}}]
    pod = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": containers}}
    assert list(payload.certificates_wanted(volume)) == [CertificateWanted("a.b/c", "ED25519")]
    wanted = {BundleWanted("x"): b"CA", BundleWanted("y"): None}
    assert list(payload.bundles_wanted(volume)) == list(wanted)
    context = payload.PayloadContext(
        None, {}, {}, {CertificateWanted("a.b/c", "ED25519"): PodCertificate(b"KEY", b"CHAIN")}, wanted
    )
    found = payload.files(pod, volume, context)
    assert {path: each.data for path, each in found.items()} == {
        "all.pem": b"KEYCHAIN",
        "key.pem": b"KEY",
        "ca.pem": b"CA",
        "none.pem": b"",
    }
    assert {(each.mode, each.owner) for each in found.values()} == {(0o600, 7)}
    del missing["optional"]
    with pytest.raises(payload.VolumeError, match='clustertrustbundle "y" not found'):
        payload.files(pod, volume, context)
