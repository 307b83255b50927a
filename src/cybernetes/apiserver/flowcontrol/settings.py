"""What objects say about priority levels, and the seats that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Object = dict[str, Any]

DEFAULT_SHARES = 30


class LevelSettings(msgspec.Struct, frozen=True):
    """One PriorityLevelConfiguration.

    lendable, borrowing  percent of the nominal seats; borrowing is None where there is no limit
    queues               0 where requests are refused that find no seat
    """

    name: str
    uid: str = ""
    exempt: bool = False
    shares: int = DEFAULT_SHARES
    lendable: int = 0
    borrowing: int | None = None
    queues: int = 0
    hand_size: int = 0
    queue_length: int = 0


class Seats(msgspec.Struct, frozen=True):
    """nominal: the level's part. minimum: what it never lends. maximum: what it has at most with borrowed ones."""

    nominal: int
    minimum: int
    maximum: int


def read(level: Object) -> LevelSettings:
    metadata, spec = level["metadata"], level.get("spec") or {}
    name, uid = metadata["name"], metadata.get("uid", "")
    if spec.get("type") == "Exempt":
        exempt = spec.get("exempt") or {}
        shares, lendable = exempt.get("nominalConcurrencyShares") or 0, exempt.get("lendablePercent") or 0
        return LevelSettings(name, uid, True, shares, lendable)
    limited = spec.get("limited") or {}
    response = limited.get("limitResponse") or {}
    queuing = response.get("queuing") or {} if response.get("type") == "Queue" else {}
    shares = limited.get("nominalConcurrencyShares")
    return LevelSettings(
        name,
        uid,
        False,
        DEFAULT_SHARES if shares is None else shares,
        limited.get("lendablePercent") or 0,
        limited.get("borrowingLimitPercent"),
        queuing.get("queues") or 0,
        queuing.get("handSize") or 0,
        queuing.get("queueLengthLimit") or 0,
    )


def seats(levels: Iterable[LevelSettings], total: int) -> Mapping[str, Seats]:
    """Each level's seats. total: those of the server."""
    levels = list(levels)
    shares = sum(each.shares for each in levels) or 1
    return {each.name: _seats(each, math.ceil(total * each.shares / shares), total) for each in levels}


def _seats(level: LevelSettings, nominal: int, total: int) -> Seats:
    lendable = round(nominal * level.lendable / 100)
    borrowed = total if level.borrowing is None else round(nominal * level.borrowing / 100)
    return Seats(nominal, nominal - lendable, min(nominal + borrowed, max(total, nominal)))
