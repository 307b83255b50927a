"""Removes what pods left behind that no longer exist: containers, folders, cgroups."""

from __future__ import annotations

from collections.abc import Set

from cybernetes.base.log import Log
from cybernetes.kubelet.cri_config import NOTE_GRACE
from cybernetes.kubelet.observe import Rows
from cybernetes.kubelet.runtime.api import NotFound, State
from cybernetes.kubelet.tools import Tools

DEFAULT_GRACE_S = 30

_log = Log("kubelet")


async def remove(tools: Tools, uid: str, rows: Rows) -> None:
    """Stop and remove all that the runtime has of a pod. Raises EdgeError."""
    for row in rows.containers:
        if row.state is State.RUNNING:
            _log.info("orphan.stopped", uid=uid, container=row.name)
            await tools.runtime.stop_container(row.id, await _grace(tools, row.id))
    for box in rows.sandboxes:
        await tools.runtime.stop_sandbox(box.id)
        await tools.runtime.remove_sandbox(box.id)
    for row in rows.containers:
        await tools.runtime.remove_container(row.id)
    log_dirs = {tools.config.log_dir(box.namespace, box.name, uid) for box in rows.sandboxes}
    await tools.host.remove_pod(uid, next(iter(sorted(log_dirs)), None))
    for path in await tools.host.pod_cgroups():
        if path.endswith(f"/pod{uid}"):
            await tools.host.remove_cgroup(path)


async def _grace(tools: Tools, container_id: str) -> int:
    try:
        status = await tools.runtime.container_status(container_id)
    except NotFound:
        return 0
    noted = status.annotations.get(NOTE_GRACE, "")
    return max(1, int(noted)) if noted.isdigit() else DEFAULT_GRACE_S


async def sweep(tools: Tools, known: Set[str]) -> None:
    """Remove folders and cgroups of pods that are not in `known`. Raises EdgeError."""
    for uid in await tools.host.pods_on_disk():
        if uid not in known:
            await tools.host.remove_pod(uid, None)
    for path in await tools.host.pod_cgroups():
        if path.rpartition("/pod")[2] not in known:
            await tools.host.remove_cgroup(path)
