"""Finalizers of custom resources that others might take for theirs."""

from __future__ import annotations

from cybernetes.model.resource import Object, WriteContext

_KNOWN = ("orphan", "foregroundDeletion")


def of_finalizers(obj: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    """Of those that a write adds, in the order of their names."""
    former = (old or {}).get("metadata", {}).get("finalizers") or ()
    added = {*(obj["metadata"].get("finalizers") or ())}.difference(former, _KNOWN)
    better = (
        "prefer a domain-qualified finalizer name including a path (/) "
        "to avoid accidental conflicts with other finalizer writers"
    )
    return [f'metadata.finalizers: "{name}": {better}' for name in sorted(added) if "/" not in name]
