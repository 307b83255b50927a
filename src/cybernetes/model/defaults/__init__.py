"""Values that the server fills into fields which the client left out, by definition.

enters   an object (or a part of one) in canonical form
leaves   the same, filled in place; also older spellings of a field brought together with its newer one
holds    a function sees one struct, and runs wherever that struct is embedded, outer structs first; it may also add
         to structs below it, if these have a function of their own (their fields are brought into order after it)
source   Kubernetes API reference; Kubernetes, pkg/apis/*/defaults.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Default = Callable[[dict[str, Any]], None]


def nothing(obj: dict[str, Any]) -> None:
    """For structs whose fields others fill."""


@cache
def registry() -> Mapping[str, Default]:
    """Definition name -> what fills it."""
    from cybernetes.model.defaults import (
        admission,
        apps,
        autoscaling,
        batch,
        core,
        extension,
        flowcontrol,
        networking,
        pods,
        resource,
        storage,
        volumes,
    )

    modules = (
        admission,
        apps,
        autoscaling,
        batch,
        core,
        extension,
        flowcontrol,
        networking,
        pods,
        resource,
        storage,
        volumes,
    )
    found: dict[str, Default] = {}
    for module in modules:
        found.update(module.DEFAULTS)
    return found
