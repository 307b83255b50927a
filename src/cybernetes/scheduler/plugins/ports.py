"""NodePorts: no two pods on a node take the same host port."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from cybernetes.scheduler.columns import Columns, HostPort
from cybernetes.scheduler.reasons import PORTS

EVERY_ADDRESS = "0.0.0.0"


def filter_ports(columns: Columns, ports: Iterable[HostPort], code: array[int]) -> None:
    for row, taken in columns.ports.items():
        if row < len(code) and code[row] == 0 and conflicts(ports, taken):
            code[row] = PORTS


def conflicts(ports: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    return any(_conflict(mine, theirs) for mine in ports for theirs in taken)


def _conflict(mine: HostPort, theirs: HostPort) -> bool:
    return (
        mine[0] == theirs[0]
        and mine[2] == theirs[2]
        and (mine[1] == theirs[1] or EVERY_ADDRESS in (mine[1], theirs[1]))
    )
