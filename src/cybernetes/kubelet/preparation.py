"""What a pod needs before its containers: folders, a cgroup, volumes, credentials to pull images with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cybernetes.kubelet import launch, pods, resources
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.progress import Progress
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.volumes.setup import VolumeFailed

RETRY_FIRST_S = 0.5
RETRY_LIMIT_S = 10.0
# Every namespace has it, or is about to get it.
_AUTHORITIES = "kube-root-ca.crt"

# (container, type, reason, message)
Say = Callable[[str, str, str, str], None]


class Preparation:
    """Of one pod. publish: tell its status; not_before: objects must have been read since this (monotonic) time."""

    def __init__(
        self, tools: Tools, progress: Progress, say: Say, publish: Callable[[], None], not_before: Callable[[], float]
    ) -> None:
        self._tools = tools
        self._progress = progress
        self._say = say
        self._publish = publish
        self._not_before = not_before

    async def make_place(self, pod: Object) -> None:
        """Folders and cgroup. Raises EdgeError."""
        if self._progress.prepared:
            return
        tools, meta = self._tools, pod["metadata"]
        await tools.host.prepare_pod(meta["uid"], tools.config.log_dir(meta["namespace"], meta["name"], meta["uid"]))
        limits = resources.pod_cgroup_limits(pod, tools.config.pod_pids_max)
        await tools.host.ensure_cgroup(resources.pod_cgroup(tools.config.cgroup_root, pod), limits)
        self._progress.prepared = True

    async def make_volumes(self, pod: Object, *, runs: bool) -> bool:
        """Volumes and pull secrets; False when a volume can't be made yet. runs: whether containers do."""
        tools, start = self._tools, self._progress
        now = tools.clock.monotonic()
        if start.volumes_at is not None and now - start.volumes_at < tools.config.sync_frequency_s * 0.9:
            return True
        # Before they are made: what changes meanwhile makes them old again.
        start.volumes_at = now
        not_before = self._not_before()
        start.keys = await launch.pull_secrets(tools, pod, not_before)
        say = partial(self._say, "")
        ensured = await tools.volumes.ensure(pod, tools.allocatable, not_before, start.keys, say)
        for each in ensured.failed:
            if each.waiting is None:
                self._say("", "Warning", "FailedMount", each.message)
        if not ensured.failed or start.volumes or runs:
            # What was made before stays as it is: a pod goes on with the last of what it was made from.
            start.volumes = {**start.volumes, **ensured.made}
            start.retry_s = None if not ensured.failed else start.retry_s
            return True
        for each in ensured.failed:
            self._wait_for(pod, each)
        start.volumes_at = None
        start.fresh_from = tools.clock.monotonic()
        start.retry_s = min(RETRY_LIMIT_S, (start.retry_s or RETRY_FIRST_S) * 2)
        return False

    def _wait_for(self, pod: Object, failed: VolumeFailed) -> None:
        """Containers that wait for an image wait for it in those words, also where it is for a volume."""
        if failed.waiting is None:
            return
        for _, container in pods.all_containers(pod):
            if any(each["name"] == failed.volume for each in container.get("volumeMounts") or ()):
                self._progress.waiting[container["name"]] = failed.waiting
        self._publish()


def certain(pod: Object) -> bool:
    """Whether none of the pod's volumes can be wanting: a sandbox need not wait until they are made.

    Others may never come to be, and until then a pod has no sandbox, and says so.
    """
    return all(_is_certain(volume) for volume in pod["spec"].get("volumes") or ())


def _is_certain(volume: Object) -> bool:
    if "projected" in volume:
        sources = volume["projected"].get("sources") or ()
        return all(
            "serviceAccountToken" in each
            or "downwardAPI" in each
            or (each.get("configMap") or {}).get("name") == _AUTHORITIES
            for each in sources
        )
    return "emptyDir" in volume or "downwardAPI" in volume
