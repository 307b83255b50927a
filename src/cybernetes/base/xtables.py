"""The tables of iptables' legacy variant: the kernel makes one when somebody looks into it, and keeps it for good.

source  iptables(8) of both variants; net/ipv4/netfilter/ip_tables.c
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_TIMEOUT_S = 60.0


def may_look(program: str, table: str) -> bool:
    """Whether `iptables -t TABLE -S` makes no table: there is the program, and it has the table or is of the nft variant.

    program  iptables or ip6tables, also with its variant: iptables-legacy
    """
    if shutil.which(program) is None:
        return False
    return table in legacy_tables(6 if program.startswith("ip6") else 4) or is_nft(program)


def is_nft(program: str) -> bool:
    """Versions before the variants are legacy ones."""
    shown = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=_TIMEOUT_S).stdout
    return b"nf_tables" in shown


def legacy_tables(family: int, folder: Path = Path("/proc/thread-self/net")) -> frozenset[str]:
    """Names of those that the network namespace has."""
    names = folder / ("ip6_tables_names" if family == 6 else "ip_tables_names")
    return frozenset(names.read_text().split()) if names.exists() else frozenset()
