"""What is protected, and the finalizer that does it: on every object, off one that is going and that nobody uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.client.api import if_there
from cybernetes.client.target import Target
from cybernetes.controllers.loop import Edges, update
from cybernetes.controllers.objects import Meta, View


class _Status(View, frozen=True, gc=False):
    phase: str = ""


class Protected(View, frozen=True, gc=False):
    metadata: Meta
    status: _Status = _Status()


async def protect(edges: Edges, target: Target, found: Protected, name: str, is_used: Callable[[], bool]) -> None:
    """is_used is asked only of what is going, and still held."""
    held = name in found.metadata.finalizers
    if not found.metadata.deletion_timestamp:
        if not held:
            await _put(edges, target, found.metadata, name)
    elif held and not is_used():
        await _take(edges, target, found.metadata, name)


async def _put(edges: Edges, target: Target, metadata: Meta, name: str) -> None:
    def put(obj: dict[str, Any]) -> None:
        obj["metadata"]["finalizers"] = [*(obj["metadata"].get("finalizers") or []), name]

    await _update(edges, target, metadata, put)


async def _take(edges: Edges, target: Target, metadata: Meta, name: str) -> None:
    def take(obj: dict[str, Any]) -> None:
        obj["metadata"]["finalizers"] = [each for each in obj["metadata"].get("finalizers") or [] if each != name]

    await _update(edges, target, metadata, take)


async def _update(edges: Edges, target: Target, metadata: Meta, change: Callable[[dict[str, Any]], None]) -> None:
    with if_there():
        await update(edges.client, target, metadata, change)
