"""Makes all volumes of a pod, and keeps those that follow objects of the API current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import Random, name_suffix
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from cybernetes.kubelet import pods, resources, security
from cybernetes.kubelet.credentials import PodCertificates, TrustBundles
from cybernetes.kubelet.host import Host
from cybernetes.kubelet.images import Credential
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.puller import Say
from cybernetes.kubelet.sources import ObjectReader, Tokens
from cybernetes.kubelet.volumes import layout, payload
from cybernetes.kubelet.volumes.image import ImageVolumes
from cybernetes.kubelet.volumes.layout import MountedVolume
from cybernetes.kubelet.volumes.payload import ImageVolumeError, PayloadContext, VolumeError
from cybernetes.model import quantity


class VolumeFailed(msgspec.Struct, frozen=True):
    """One volume of the pod could not be made.

    waiting   (reason, message) of the containers that mount it, when it is for want of an image; events told of that
    """

    volume: str
    message: str
    waiting: tuple[str, str] | None

    @classmethod
    def of(cls, volume: str, why: Exception) -> VolumeFailed:
        waiting = (why.reason, str(why)) if isinstance(why, ImageVolumeError) else None
        return cls(volume, f'MountVolume.SetUp failed for volume "{volume}" : {why}', waiting)


class Ensured(msgspec.Struct, frozen=True):
    """Volumes by name, made or brought up to date; and those that can't be: none holds up another."""

    made: dict[str, MountedVolume]
    failed: list[VolumeFailed]


class Volumes:
    def __init__(
        self,
        host: Host,
        reader: ObjectReader,
        tokens: Tokens,
        certificates: PodCertificates,
        bundles: TrustBundles,
        image_volumes: ImageVolumes,
        clock: Clock,
        random: Random,
    ) -> None:
        self._host = host
        self._images = image_volumes
        self._reader = reader
        self._tokens = tokens
        self._certificates = certificates
        self._bundles = bundles
        self._clock = clock
        self._random = random

    async def ensure(
        self, pod: Object, allocatable: Mapping[str, int], not_before: float, keys: Sequence[Credential], say: Say
    ) -> Ensured:
        """say: told of the pulling of images."""
        made: dict[str, MountedVolume] = {}
        failed: list[VolumeFailed] = []
        for volume in pod["spec"].get("volumes") or ():
            try:
                if "image" in volume:
                    made[volume["name"]] = await self._images.ensure(pod, volume, keys, say)
                else:
                    made[volume["name"]] = await self._ensure(pod, volume, allocatable, not_before)
            except (VolumeError, ApiError, EdgeError) as error:
                failed.append(VolumeFailed.of(volume["name"], error))
        return Ensured(made, failed)

    async def release(self, pod: Object) -> None:
        """Take back what outlives the unmounting of the pod's volumes. Raises EdgeError."""
        self._certificates.forget(pods.uid(pod))
        await self._images.release(pod)

    async def _ensure(
        self, pod: Object, volume: Object, allocatable: Mapping[str, int], not_before: float
    ) -> MountedVolume:
        uid, kind = pods.uid(pod), layout.kind_of(volume)
        group = security.context_of(pod["spec"]).get("fsGroup")
        if layout.is_payload(volume):
            context = await self._context(pod, volume, allocatable, not_before)
            files = payload.files(pod, volume, context)
            suffix = name_suffix(self._random, 10)
            return await self._host.write_payload(uid, volume, files, suffix, self._clock.now(), group)
        if kind == "emptyDir":
            return await self._host.empty_dir(uid, volume, _memory_size(pod, volume, allocatable), group)
        if kind == "hostPath":
            spec = volume["hostPath"]
            return await self._host.host_path(spec["path"], spec.get("type") or "")
        if kind == "persistentVolumeClaim":
            spec = volume["persistentVolumeClaim"]
            return await self._claim(pod, spec["claimName"], bool(spec.get("readOnly")), group)
        if kind == "ephemeral":
            return await self._claim(pod, f"{pod['metadata']['name']}-{volume['name']}", False, group)
        raise VolumeError(f"volumes of kind {kind} are not supported by this node")

    async def _context(
        self, pod: Object, volume: Object, allocatable: Mapping[str, int], not_before: float
    ) -> PayloadContext:
        sources = await self._reader.load(pod["metadata"]["namespace"], payload.references(volume), not_before)
        tokens = {each: await self._tokens.get(pod, each) for each in payload.token_requests(volume)}
        certificates = {each: await self._certificates.get(pod, each) for each in payload.certificates_wanted(volume)}
        bundles = {each: await self._bundles.get(each) for each in payload.bundles_wanted(volume)}
        return PayloadContext(sources, tokens, allocatable, certificates, bundles)

    async def _claim(self, pod: Object, name: str, read_only: bool, group: int | None) -> MountedVolume:
        claim = await self._reader.find(PERSISTENT_VOLUME_CLAIMS, pod["metadata"]["namespace"], name)
        if claim is None:
            raise VolumeError(f'persistentvolumeclaim "{name}" not found')
        if (claim.get("status") or {}).get("phase") != "Bound" or not claim["spec"].get("volumeName"):
            raise VolumeError(f"PVC {pod['metadata']['namespace']}/{name} is not bound")
        volume = await self._reader.find(PERSISTENT_VOLUMES, "", claim["spec"]["volumeName"])
        if volume is None:
            raise VolumeError(f'persistentvolume "{claim["spec"]["volumeName"]}" not found')
        mounted = await self._persistent(pod, volume, group)
        return MountedVolume(mounted.path, read_only or mounted.read_only)

    async def _persistent(self, pod: Object, volume: Object, group: int | None) -> MountedVolume:
        spec: dict[str, Any] = volume["spec"]
        if "hostPath" in spec:
            return await self._host.host_path(spec["hostPath"]["path"], spec["hostPath"].get("type") or "")
        if "local" in spec:
            return await self._host.local_volume(
                pods.uid(pod), volume["metadata"]["name"], spec["local"]["path"], group
            )
        known = ("capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName")
        kinds = sorted(name for name, value in spec.items() if isinstance(value, dict) and name not in known)
        raise VolumeError(f"persistent volumes of kind {'/'.join(kinds)} are not supported by this node")


def _memory_size(pod: Object, volume: Object, allocatable: Mapping[str, int]) -> int:
    """Of an emptyDir in memory: the least of its own limit, the pod's, and what the node has."""
    spec = volume.get("emptyDir") or {}
    if spec.get("medium") != "Memory":
        return 0
    limits = [allocatable.get("memory", 0), resources.pod_limits(pod).get("memory", 0)]
    if spec.get("sizeLimit"):
        limits.append(quantity.value(str(spec["sizeLimit"])))
    return min((each for each in limits if each), default=0)
