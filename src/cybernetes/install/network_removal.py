"""Takes a node's packet rules and routes out of the kernel again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cybernetes.install import idle_tables
from cybernetes.install.removal import CNI_RESULTS
from cybernetes.network import apply, host_ports
from cybernetes.network.links.netlink import KernelLinks
from cybernetes.network.policy.kernel import KernelFilter
from cybernetes.network.policy.script import remove_script
from cybernetes.proxy.packets.switch import leave_iptables, leave_nftables
from cybernetes.run.config import NodeConfig
from cybernetes.run.layout import NodeLayout

_FAMILIES = (4, 6)


def remove_network(node: NodeConfig, places: NodeLayout) -> None:
    """Of a node that lives in the machine's own network; a namespace of its own goes as a whole."""
    if not node.network:
        asyncio.run(_remove(places))
    for result in CNI_RESULTS.glob("cybernetes-*"):
        if not _is_in_use(result):
            result.unlink()


async def _remove(places: NodeLayout) -> None:
    before = idle_tables.saved()
    await apply.remove(KernelLinks(), places.cni_conf)
    await KernelFilter().run(remove_script())
    await leave_nftables(_FAMILIES)
    await leave_iptables(_FAMILIES)
    host_ports.remove()
    idle_tables.remove(before)


def _is_in_use(result: Path) -> bool:
    """Whether the pod's network namespace that a result is about still exists."""
    text = result.read_text(errors="replace")
    return any(f"/netns/{name}" in text for name in os.listdir("/run/netns")) if Path("/run/netns").exists() else False
