"""Records in metadata.managedFields who wrote what, through `model.apply`."""

from __future__ import annotations

import importlib.util
from typing import Any

from cybernetes.apiserver.core import Call
from cybernetes.apiserver.options import WriteOptions
from cybernetes.base.clock import rfc3339

Object = dict[str, Any]

AVAILABLE = importlib.util.find_spec("cybernetes.model.apply") is not None


def track_create(call: Call, obj: Object, options: WriteOptions, now: float) -> None:
    _record(call, obj, None, options, now, "")


def track_update(call: Call, new: Object, old: Object, options: WriteOptions, now: float, subresource: str) -> None:
    _record(call, new, old, options, now, subresource)


def _record(call: Call, new: Object, old: Object | None, options: WriteOptions, now: float, subresource: str) -> None:
    if not AVAILABLE:
        return
    from cybernetes.model import apply

    apply.record_update(
        call.served.schema_node(),
        old,
        new,
        manager=options.manager,
        api_version=call.served.resource.api_version,
        now=rfc3339(now),
        subresource=subresource,
    )
