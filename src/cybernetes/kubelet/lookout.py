"""Looks at one pod in the runtime: rows first, and the whole status of what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from cybernetes.kubelet import pods
from cybernetes.kubelet.cri_config import NOTE_MESSAGE_POLICY
from cybernetes.kubelet.host import Host
from cybernetes.kubelet.observe import Observed, Rows, build, group
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Container, ContainerStatus, NotFound, Runtime, Sandbox, SandboxStatus, State

MESSAGE_BYTES_MAX = 4096
# Of all containers of a pod together.
MESSAGES_BYTES_MAX = 12 * 1024
LOG_TAIL_BYTES_MAX = 2048
LOG_TAIL_LINES_MAX = 80


class Lookout:
    """node_ips: the node's addresses; pods have the family of the first one first."""

    def __init__(self, runtime: Runtime, host: Host, node_ips: Sequence[str]) -> None:
        self._runtime = runtime
        self._host = host
        self._node_ips = node_ips
        self._rows = Rows()
        self.observed = Observed()

    async def look(self, pod: Object) -> Observed:
        """What the runtime has of the pod now. Raises EdgeError."""
        uid = pods.uid(pod)
        sandboxes, containers = await asyncio.gather(
            self._runtime.list_sandboxes(uid), self._runtime.list_containers(uid)
        )
        rows = group(sandboxes, containers).get(uid, Rows())
        if rows != self._rows:
            boxes = [await self._sandbox(row) for row in rows.sandboxes]
            found = [await self._container(pod, row) for row in rows.containers]
            self.observed = build([each for each in boxes if each], [each for each in found if each])
            self._rows = rows
        return self.observed

    async def see_sandbox(self, pod: Object, sandbox_id: str) -> Observed:
        """With a sandbox that was made just now; all else is as it was seen last. Raises EdgeError."""
        meta = pod["metadata"]
        status = await self._sandbox_status(sandbox_id)
        if status is None:
            return await self.look(pod)
        row = Sandbox(
            id=status.id,
            uid=meta["uid"],
            name=meta["name"],
            namespace=meta["namespace"],
            attempt=status.attempt,
            ready=status.ready,
            created_at=status.created_at,
        )
        self._rows = group((*self._rows.sandboxes, row), self._rows.containers)[row.uid]
        self.observed = build((*self.observed.sandboxes, status), self.observed.containers)
        return self.observed

    async def see_container(self, pod: Object, container_id: str) -> Observed:
        """With a container that was made in the newest sandbox and started just now, as above."""
        assert self.observed.sandbox is not None
        box = self.observed.sandbox.id
        status = await self._container_status(pod, container_id, box)
        if status is None:
            return await self.look(pod)
        row = Container(
            id=status.id,
            sandbox_id=box,
            uid=pods.uid(pod),
            name=status.name,
            attempt=status.attempt,
            state=status.state,
            created_at=status.created_at,
        )
        # A hook after the start may have had it looked at before.
        rows = [each for each in self._rows.containers if each.id != container_id]
        others = [each for each in self.observed.containers if each.id != container_id]
        self._rows = group(self._rows.sandboxes, (*rows, row))[row.uid]
        self.observed = build(self.observed.sandboxes, (*others, status))
        return self.observed

    async def _sandbox(self, row: Sandbox) -> SandboxStatus | None:
        known = next((each for each in self.observed.sandboxes if each.id == row.id), None)
        if known is not None and row in self._rows.sandboxes:
            return known
        status = await self._sandbox_status(row.id)
        if status is not None and known is not None and not status.ips:
            # A stopped sandbox has lost its address; the pod's status keeps it.
            return msgspec.structs.replace(status, ips=known.ips)
        return status

    async def _sandbox_status(self, sandbox_id: str) -> SandboxStatus | None:
        try:
            status = await self._runtime.sandbox_status(sandbox_id)
        except NotFound:
            return None
        return msgspec.structs.replace(status, ips=in_order(status.ips, self._node_ips))

    async def _container(self, pod: Object, row: Container) -> ContainerStatus | None:
        if row in self._rows.containers:
            known = next((each for each in self.observed.containers if each.id == row.id), None)
            if known is not None:
                return known
        return await self._container_status(pod, row.id, row.sandbox_id)

    async def _container_status(self, pod: Object, container_id: str, sandbox_id: str) -> ContainerStatus | None:
        try:
            status = await self._runtime.container_status(container_id)
        except NotFound:
            return None
        status = msgspec.structs.replace(status, sandbox_id=sandbox_id)
        if status.state is not State.EXITED:
            return status
        return msgspec.structs.replace(status, message=await self._message(pod, status))

    async def _message(self, pod: Object, status: ContainerStatus) -> str:
        """The container's last words: its own file, the end of its log when it asks for that, or the runtime's."""
        count = sum(1 for _ in pods.all_containers(pod)) or 1
        limit = min(MESSAGE_BYTES_MAX, MESSAGES_BYTES_MAX // count)
        own = await self._host.read_tail(status.message_file, limit) if status.message_file else ""
        if own:
            return own
        if status.annotations.get(NOTE_MESSAGE_POLICY) == "FallbackToLogsOnError" and status.exit_code != 0:
            tail = await self._host.read_tail(status.log_path, LOG_TAIL_BYTES_MAX * 2)
            return log_text(tail)
        return status.message


def in_order(ips: Sequence[str], node_ips: Sequence[str]) -> tuple[str, ...]:
    """A pod's addresses as its status has them: one a family, that of the node's first address first.

    source  Kubernetes documentation "IPv4/IPv6 dual-stack": the order of podIPs
    """
    first = {":" in ip: ip for ip in reversed(ips)}
    primary = bool(node_ips) and ":" in node_ips[0]
    return tuple(first[six] for six in (primary, not primary) if six in first)


def log_text(tail: str) -> str:
    """What CRI log lines say, without times and tags; the last lines that fit."""
    out = []
    for line in tail.splitlines()[-LOG_TAIL_LINES_MAX:]:
        parts = line.split(" ", 3)
        if len(parts) == 4:
            out.append(parts[3] + ("\n" if parts[2].startswith("F") else ""))
    return "".join(out)[-LOG_TAIL_BYTES_MAX:]
