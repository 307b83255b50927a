"""What portmap leaves in iptables' table nat when pods with host ports are gone.

Three chains and what leads to them stay for good, and as long as they do, the machine follows every connection there is;
of a pod that went without a word its own chain stays too. Other programs' pods share the three chains.

source  CNI plugins, plugins/meta/portmap
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from cybernetes.base import xtables
from cybernetes.network.plan import NETWORK_NAME
from cybernetes.network.programs import run

DISPATCH = "CNI-HOSTPORT-DNAT"
SHARED = (DISPATCH, "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK")
# portmap may have meant another variant than the machine does now.
_PROGRAMS = tuple(f"{name}{variant}" for name in ("iptables", "ip6tables") for variant in ("", "-legacy", "-nft"))
_OURS = f'dnat name: "{NETWORK_NAME}" id: '


def remove() -> None:
    """Take back what pods of ours left, in the network namespace that the process is in. Blocks. Raises EdgeError."""
    for program in _PROGRAMS:
        if xtables.may_look(program, "nat"):
            lines = plan_removal(run([program, "-w", "5", "-t", "nat", "-S"], "", "table nat").splitlines())
            if lines:
                text = "\n".join(["*nat", *lines, "COMMIT", ""])
                run([f"{program}-restore", "--noflush", "-w", "5"], text, f"{DISPATCH} of {program}")


def plan_removal(rules: Sequence[str]) -> list[str]:
    """Lines for iptables-restore.

    rules  of table nat, as `iptables -S` prints them
    """
    chains = {line.split()[1] for line in rules if line.startswith("-N ")}
    ports = [line for line in rules if line.startswith(f"-A {DISPATCH} ")]
    ours = [line for line in ports if _OURS in _comment(line)]
    gone = {_target(line) for line in ours} & chains
    if len(ours) == len(ports):
        gone |= chains.intersection(SHARED)
    return list(_lines(rules, ours, gone))


def _lines(rules: Sequence[str], ours: Sequence[str], gone: set[str]) -> Iterator[str]:
    """Chains are declared, which empties them, and deleted when nothing leads to them any more."""
    yield from (f":{name} - [0:0]" for name in sorted(gone))
    for line in rules:
        if line.startswith("-A ") and line.split()[1] not in gone and (line in ours or _target(line) in gone):
            yield f"-D {line.removeprefix('-A ')}"
    yield from (f"-X {name}" for name in sorted(gone))


def _comment(rule: str) -> str:
    words = shlex.split(rule)
    return words[words.index("--comment") + 1] if "--comment" in words else ""


def _target(rule: str) -> str:
    words = shlex.split(rule)
    return words[words.index("-j") + 1] if "-j" in words else ""
