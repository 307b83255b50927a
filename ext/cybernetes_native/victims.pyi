"""The kernels of `victims.pyx`: signatures of `cybernetes/native/victims.py`, over buffers (shapes, units, overflow: there)."""

from array import array
from typing import Any

Buffer = array[Any] | bytes | bytearray | memoryview

NEVER: int

def select(code: Buffer, table: Buffer, rows: Buffer) -> int: ...
def crowd(
    wanted: Buffer,
    wanted_amounts: Buffer,
    stride: int,
    allocatable: Buffer,
    used: Buffer,
    promised: Buffer,
    fit_code: int,
    bits: Buffer,
    code: Buffer,
) -> None: ...
def choose(
    rows: Buffer,
    count: int,
    first: int,
    enough: int,
    limit: int,
    head: Buffer,
    following: Buffer,
    priority: Buffer,
    started: Buffer,
    group: Buffer,
    amounts: Buffer,
    slots: int,
    wanted: Buffer,
    wanted_amounts: Buffer,
    stride: int,
    allocatable: Buffer,
    used: Buffer,
    promised: Buffer,
    group_start: Buffer,
    group_budget: Buffer,
    allowed: Buffer,
    counts: Buffer,
    scratch: Buffer,
    left: Buffer,
    victims: Buffer,
    cost: Buffer,
) -> int: ...
