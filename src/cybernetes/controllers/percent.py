"""Numbers that may be a share of something: 2, "25%"."""

from __future__ import annotations


def share(value: int | str, total: int, *, round_up: bool) -> int:
    """The number that `value` stands for. Raises ValueError for text that is no percentage."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError(f"{value!r} is neither a number nor a percentage")
    product = int(value[:-1]) * total
    return -(-product // 100) if round_up else product // 100
