"""Which objects a controller's object owns: adopting those that match, releasing those that no longer do.

source  Kubernetes documentation "ReplicaSet": matching objects without a controller are adopted,
        unless something is being deleted
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import Target
from cybernetes.controllers.objects import Meta, Selector
from cybernetes.controllers.pods import owner_reference


class Owned(Protocol):
    @property
    def metadata(self) -> Meta: ...


T = TypeVar("T", bound=Owned)


class Claims(msgspec.Struct, frozen=True):
    """keep: owned and matching. adopt, release: to be changed first."""

    keep: list[Any]
    adopt: list[Any]
    release: list[Any]


def plan(owner: Meta, selector: Selector, owned: Sequence[T], orphans: Sequence[T]) -> Claims:
    """owned: controlled by `owner`; orphans: in its namespace, without a controller."""
    keep = [each for each in owned if selector.matches(each.metadata.labels)]
    if owner.deletion_timestamp:
        return Claims(keep, [], [])
    release = [each for each in owned if not selector.matches(each.metadata.labels)]
    adopt = [
        each for each in orphans if not each.metadata.deletion_timestamp and selector.matches(each.metadata.labels)
    ]
    return Claims(keep, adopt, [each for each in release if not each.metadata.deletion_timestamp])


async def claim(
    client: ApiClient,
    owner_target: Target,
    owner: Meta,
    target: Target,
    claims: Claims,
    *,
    finalizers: Sequence[str] = (),
) -> list[Any]:
    """Carry the claims out; the objects that are owned afterwards. finalizers: what adopted objects get besides."""
    adopted = []
    reference = owner_reference(owner_target, owner)
    if claims.adopt and await _may_adopt(client, owner_target, owner):
        for each in claims.adopt:
            metadata: dict[str, Any] = {"uid": each.metadata.uid, "ownerReferences": [reference]}
            if finalizers:
                metadata["finalizers"] = list(finalizers)
            patch = {"metadata": metadata}
            if await _patch(client, target, each.metadata, patch):
                adopted.append(each)
    for each in claims.release:
        gone = {"$patch": "delete", "uid": owner.uid}
        await _patch(client, target, each.metadata, {"metadata": {"uid": each.metadata.uid, "ownerReferences": [gone]}})
    return [*claims.keep, *adopted]


async def _may_adopt(client: ApiClient, target: Target, owner: Meta) -> bool:
    """Ask the server itself: an owner that is going, or was replaced, must not get new objects."""
    try:
        live = await client.get(target, owner.name, namespace=owner.namespace)
    except ApiError as error:
        if is_reason(error, "NotFound"):
            return False
        raise
    return live["metadata"]["uid"] == owner.uid and "deletionTimestamp" not in live["metadata"]


async def _patch(client: ApiClient, target: Target, metadata: Meta, patch: dict[str, Any]) -> bool:
    """False when the object is gone, or is another one by now."""
    try:
        await client.patch(target, metadata.name, patch, PatchType.STRATEGIC, namespace=metadata.namespace)
    except ApiError as error:
        if error.reason in ("NotFound", "Conflict", "Invalid"):
            return False
        raise
    return True
