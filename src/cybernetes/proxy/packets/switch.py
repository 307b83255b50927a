"""Takes back the rules of the mode that is not in use: of two sets of rules the older would win for some packets."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Sequence

from cybernetes.base.errors import EdgeError
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.packets.nft import NftPackets

_TIMEOUT_S = 60.0


async def leave_iptables(families: Sequence[int]) -> bool:
    """Remove our iptables chains where an earlier run has left any; whether there were. Raises EdgeError."""
    found = False
    for family in families:
        if await asyncio.to_thread(_has_chains, family):
            await IptablesDataplane(family).remove()
            found = True
    return found


async def leave_nftables(families: Sequence[int]) -> bool:
    """Remove our tables where an earlier run has left any; whether there were. Raises EdgeError."""
    found = False
    for family in families:
        try:
            packets = NftPackets(family)
            there = await packets.chains()
        except EdgeError:
            # No nf_tables in this kernel, which is why iptables are used: it holds no rules of ours.
            continue
        try:
            if there:
                await packets.remove()
                found = True
        finally:
            await packets.close()
    return found


def _has_chains(family: int) -> bool:
    program = "ip6tables" if family == 6 else "iptables"
    if shutil.which(program) is None:
        return False
    command = [program, "-w", "5", "-t", "nat", "-S", "KUBE-SERVICES"]
    return subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S).returncode == 0
