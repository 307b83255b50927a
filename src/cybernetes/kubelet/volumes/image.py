"""Volumes whose files are those of an image.

source  kubernetes.io "Use an Image Volume With a Pod"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cybernetes.kubelet import pods
from cybernetes.kubelet.images import Credential
from cybernetes.kubelet.pods import Object, default_tag
from cybernetes.kubelet.puller import ImageError, Puller, PullRequest, Say
from cybernetes.kubelet.runtime.api import Runtime
from cybernetes.kubelet.volumes import layout
from cybernetes.kubelet.volumes.kernel import is_mount_point
from cybernetes.kubelet.volumes.layout import MountedVolume
from cybernetes.kubelet.volumes.payload import ImageVolumeError
from cybernetes.wire.grpc import cri_runtime_pb2 as cri


class ImageVolumes:
    """pod_dir: the folder of the pod with a uid."""

    def __init__(self, runtime: Runtime, puller: Puller, pod_dir: Callable[[str], Path]) -> None:
        self._runtime = runtime
        self._puller = puller
        self._pod_dir = pod_dir

    async def ensure(self, pod: Object, volume: Object, keys: Sequence[Credential], say: Say) -> MountedVolume:
        """Pull as the volume's policy says, then mount. Raises ImageVolumeError after events, EdgeError."""
        spec = volume["image"]
        target = layout.volume_dir(self._pod_dir(pods.uid(pod)), volume)
        if not is_mount_point(target):
            wanted = {
                "name": volume["name"],
                "image": spec.get("reference", ""),
                "imagePullPolicy": spec.get("pullPolicy"),
            }
            request = PullRequest(pod, wanted, tuple(keys), {}, cri.PodSandboxConfig())
            try:
                await self._puller.ensure(request, say)
            except ImageError as error:
                raise ImageVolumeError(error.reason, error.message) from error
            target.mkdir(parents=True, exist_ok=True)
            await self._runtime.mount_image(default_tag(spec["reference"]), target)
        return MountedVolume(str(target), read_only=True)

    async def release(self, pod: Object) -> None:
        """After the pod's volumes were unmounted. Raises EdgeError."""
        for volume in layout.image_volumes(pod):
            await self._runtime.forget_mounted_image(layout.volume_dir(self._pod_dir(pods.uid(pod)), volume))
