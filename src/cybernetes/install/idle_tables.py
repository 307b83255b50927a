"""Takes base chains away that iptables' nft variant leaves empty, and tables in which nothing is then.

They come with a first rule and stay when the last one goes. Those for addresses have the kernel follow every connection.
iptables makes them again when it needs them. Tables of the legacy variant can't be taken back.

source  iptables(8) of the nft variant: "Empty builtin chains can only be deleted with iptables-nft."
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from cybernetes.base import xtables
from cybernetes.network.programs import run

_FAMILIES = {"iptables": "ip", "ip6tables": "ip6"}
# (program, table) -> its lines, as iptables-save prints them.
Saved = Mapping[tuple[str, str], list[str]]


def saved() -> Saved:
    """All tables that there are, of the variant that the machine has chosen."""
    return {
        (program, table): lines
        for program in _FAMILIES
        if shutil.which(f"{program}-save") is not None
        for table, lines in parse(run([f"{program}-save"], "", "tables")).items()
    }


def parse(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith((":", "-")):
            found.setdefault(table, []).append(line)
    return found


def remove(before: Saved) -> None:
    """Chains only of tables that are not as they were before; tables without chains mean nothing to anybody."""
    for (program, table), lines in saved().items():
        if xtables.is_nft(program):
            if lines != before.get((program, table)):
                _remove_idle(program, table, lines)
            _remove_empty(_FAMILIES[program], table)


def _remove_idle(program: str, table: str, lines: list[str]) -> None:
    for chain in idle(lines):
        # Refused where it is not there, and where somebody has put a rule into it meanwhile.
        subprocess.run([program, "-w", "5", "-t", table, "-X", chain], capture_output=True, check=False)


def idle(lines: list[str]) -> list[str]:
    """Base chains that have no rules and let everything pass."""
    used = {line.split()[1] for line in lines if line.startswith("-A ")}
    heads = [line[1:].split() for line in lines if line.startswith(":")]
    return [name for name, policy, *_ in heads if policy == "ACCEPT" and name not in used]


def _remove_empty(family: str, table: str) -> None:
    command = ["nft", "list", "table", family, table]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if shown.split() == ["table", family, table, "{", "}"]:
        run(["nft", "delete", "table", family, table], "", f"table {family} {table}")
