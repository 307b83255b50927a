"""Records in metadata.managedFields who wrote what, through `model.apply`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cybernetes.apiserver.core import Call
from cybernetes.apiserver.options import WriteOptions
from cybernetes.base.clock import rfc3339
from cybernetes.model import apply, ownership

if TYPE_CHECKING:
    from cybernetes.apiserver.write import Change

Object = dict[str, Any]


def track_create(call: Call, obj: Object, options: WriteOptions, now: float) -> None:
    reset_fields = call.served.resource.strategy.reset_fields
    writing = _writing(call, options, now, "", reset_fields)
    # An item of a list that lacks its key has no path: validation, which comes later, refuses the object.
    with contextlib.suppress(KeyError):
        if obj["metadata"].get("managedFields"):
            apply.record_update(call.served.schema_node(), None, obj, writing)
        else:
            ownership.record_creation(call.served.schema_node(), obj, writing)


def track_update(call: Call, new: Object, old: Object, options: WriteOptions, now: float, change: Change) -> None:
    if not old["metadata"].get("managedFields") and not new["metadata"].get("managedFields"):
        # Of an object that nobody owns anything of, ownership begins with the first apply.
        new["metadata"].pop("managedFields", None)
        return
    writing = _writing(call, options, now, change.subresource, change.strategy.reset_fields)
    with contextlib.suppress(KeyError):
        apply.record_update(call.served.schema_node(), old, new, writing)


def _writing(
    call: Call, options: WriteOptions, now: float, subresource: str, reset_fields: tuple[tuple[str, ...], ...]
) -> apply.Writing:
    return apply.Writing(
        manager=options.manager,
        api_version=call.served.resource.api_version,
        now=rfc3339(now),
        subresource=subresource,
        reset_fields=reset_fields,
    )
