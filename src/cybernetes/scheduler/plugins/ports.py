"""NodePorts: no two pods on a node take the same host port."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from cybernetes.scheduler.columns import Columns, HostPort
from cybernetes.scheduler.reasons import PORTS

EVERY_ADDRESS = "0.0.0.0"


def filter_ports(columns: Columns, ports: Iterable[HostPort], code: array[int]) -> None:
    for protocol, address, number in ports:
        for row, taken in columns.ports.get((protocol, number), {}).items():
            if row < len(code) and code[row] == 0 and any(_same_address(address, other) for other in taken):
                code[row] = PORTS


def conflicts(ports: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    return any(
        (mine[0], mine[2]) == (theirs[0], theirs[2]) and _same_address(mine[1], theirs[1])
        for mine in ports
        for theirs in taken
    )


def _same_address(mine: str, theirs: str) -> bool:
    return mine == theirs or EVERY_ADDRESS in (mine, theirs)
