"""What a pod leaves when nothing of it runs any more: on the node, in the API, in what the kubelet remembers."""

from __future__ import annotations

from collections.abc import Iterable

from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.target import PODS
from cybernetes.kubelet import pods, resources
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import SandboxStatus
from cybernetes.kubelet.tools import Tools


async def give_back(tools: Tools, pod: Object) -> None:
    """Volumes and the cgroup; the pod's folder and its logs stay until it is deleted."""
    await tools.host.unmount_pod(pods.uid(pod))
    await tools.volumes.release(pod)
    await tools.host.remove_cgroup(resources.pod_cgroup(tools.config.cgroup_root, pod))


async def delete(tools: Tools, pod: Object) -> None:
    """From the API, once it shows how the pod ended."""
    meta = pod["metadata"]
    await tools.statuses.settled(meta["uid"])
    try:
        await tools.client.delete(PODS, meta["name"], namespace=meta["namespace"], uid=meta["uid"], grace_s=0)
    except ApiError as error:
        if not is_reason(error, "NotFound") and not is_reason(error, "Conflict"):
            raise


async def remove(tools: Tools, pod: Object, sandboxes: Iterable[SandboxStatus]) -> None:
    meta = pod["metadata"]
    for box in sandboxes:
        await tools.runtime.remove_sandbox(box.id)
    log_dir = tools.config.log_dir(meta["namespace"], meta["name"], meta["uid"])
    await tools.host.remove_pod(meta["uid"], log_dir)
    tools.tokens.forget(meta["uid"])
    tools.puller.forget(meta["uid"])
    tools.statuses.forget(meta["uid"])
