"""Takes back the rules that are not in use: of two sets of rules the older would win for some packets.

Rules of the other mode, and in iptables mode those of iptables' other variant: a machine's choice of it may change.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Sequence

from cybernetes.base import xtables
from cybernetes.base.errors import EdgeError
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.packets.iptables_plan import SERVICES
from cybernetes.proxy.packets.nft import NftPackets

# iptables' variants, and the one that the machine has chosen.
CHOSEN, VARIANTS = "", ("legacy", "nft")
_TIMEOUT_S = 60.0


async def leave_iptables(families: Sequence[int]) -> bool:
    """Remove our iptables chains where an earlier run has left any; whether there were. Raises EdgeError."""
    return await _leave_variants(families, (CHOSEN, *VARIANTS))


async def leave_other_variant(families: Sequence[int]) -> bool:
    """The same, of the variant that `iptables` does not mean on this machine."""
    if shutil.which("iptables") is None:
        return False
    chosen = "nft" if await asyncio.to_thread(xtables.is_nft, "iptables") else "legacy"
    return await _leave_variants(families, [each for each in VARIANTS if each != chosen])


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


async def _leave_variants(families: Sequence[int], variants: Sequence[str]) -> bool:
    found = False
    for family in families:
        for variant in variants:
            if await asyncio.to_thread(_has_chains, family, variant):
                await IptablesDataplane(family, variant).remove()
                found = True
    return found


def _has_chains(family: int, variant: str) -> bool:
    program = ("ip6tables" if family == 6 else "iptables") + (f"-{variant}" if variant else "")
    if not xtables.may_look(program, "nat"):
        return False
    if variant == "legacy":
        return _has_legacy_chain(family)
    command = [program, "-w", "5", "-t", "nat", "-S", SERVICES]
    return subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S).returncode == 0


def _has_legacy_chain(family: int) -> bool:
    # Takes a third of a second to import, and few machines have such tables.
    import iptc

    kind = iptc.Table6 if family == 6 else iptc.Table
    table = kind(kind.NAT)
    # One object for each table of a process, which knows what it saw first.
    table.refresh()
    found: bool = table.is_chain(SERVICES)
    return found
