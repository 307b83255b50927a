"""In what two configurations of a cluster differ, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cybernetes.run.config import ClusterConfig


def differences(there: ClusterConfig, wanted: ClusterConfig) -> list[str]:
    """One text a field, such as `apiServer.port is 6443, not 7443`. Which components run is none of them."""
    same = msgspec.structs.replace(wanted, only=there.only)
    return list(_between("", msgspec.to_builtins(there), msgspec.to_builtins(same)))


def _between(path: str, there: Any, wanted: Any) -> Iterator[str]:
    if there == wanted:
        return
    if isinstance(there, dict) and isinstance(wanted, dict):
        for name in sorted({*there, *wanted}):
            yield from _between(f"{path}.{name}" if path else name, there.get(name), wanted.get(name))
    elif isinstance(there, (list, tuple)):
        yield f"{path} are others"
    else:
        yield f"{path} is {there}, not {wanted}"
