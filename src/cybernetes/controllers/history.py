"""ControllerRevisions: the templates that a DaemonSet or StatefulSet has had.

source  Kubernetes documentation of `kubectl rollout history`
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError
from cybernetes.client.api import ApiClient, PatchType, if_there, is_reason
from cybernetes.client.informer import Index
from cybernetes.client.target import CONTROLLER_REVISIONS, Target
from cybernetes.controllers import adoption, pods
from cybernetes.controllers.deployment.revision import fnv1a, safe_encode
from cybernetes.controllers.informers import orphans_of
from cybernetes.controllers.objects import ControllerRevision, Meta, Selector, raw

HASH_LABEL = "controller.kubernetes.io/hash"
POD_LABEL = "controller-revision-hash"

_decode = msgspec.json.Decoder(ControllerRevision).decode


def patch_of(template: msgspec.Raw) -> dict[str, Any]:
    """What `kubectl rollout undo` applies to come back to this template."""
    decoded = raw(template)
    (decoded.get("metadata") or {}).pop("creationTimestamp", None)
    return {"spec": {"template": {**decoded, "$patch": "replace"}}}


def same(revision: ControllerRevision, patch: dict[str, Any]) -> bool:
    return _canonical(raw(revision.data)) == _canonical(patch)


def _canonical(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def hash_of(patch: dict[str, Any], collisions: int | None) -> str:
    data = _canonical(patch)
    if collisions is not None:
        data += collisions.to_bytes(8, "little", signed=True)
    return safe_encode(str(fnv1a(data)))


def by_age(revisions: Sequence[ControllerRevision]) -> list[ControllerRevision]:
    """The oldest first."""
    return sorted(revisions, key=lambda each: (each.revision, each.metadata.creation_timestamp, each.metadata.name))


def surplus(revisions: Sequence[ControllerRevision], live: Collection[str], limit: int) -> list[ControllerRevision]:
    """Those that the history limit leaves no room for, the oldest first; `live` (names) are never among them."""
    idle = [each for each in by_age(revisions) if each.metadata.name not in live]
    return idle[: max(0, len(idle) - limit)]


async def claim_revisions(
    client: ApiClient, target: Target, owner: Meta, selector: Selector, by_controller: Index[ControllerRevision]
) -> list[ControllerRevision]:
    """The revisions of one owner, those that it adopts included."""
    orphans = by_controller.get(orphans_of(owner.namespace))
    claims = adoption.plan(owner, selector, by_controller.get(owner.uid), orphans)
    return await adoption.claim(client, target, owner, CONTROLLER_REVISIONS, claims)


class History:
    """The revisions of one owner, and how they are written. hash_label: the label that holds the hash."""

    def __init__(
        self,
        client: ApiClient,
        target: Target,
        owner: Meta,
        revisions: Sequence[ControllerRevision],
        hash_label: str = HASH_LABEL,
    ) -> None:
        self.revisions = by_age(revisions)
        self._hash_label = hash_label
        self._client = client
        self._target = target
        self._owner = owner

    async def current(
        self, template: msgspec.Raw, labels: dict[str, str], collisions: int | None
    ) -> ControllerRevision | None:
        """The revision of the template, made or renumbered so that it is the newest.

        None when its name is taken by another template: the owner must count a collision.
        """
        patch = patch_of(template)
        equal = [each for each in self.revisions if same(each, patch)]
        newest = self.revisions[-1].revision if self.revisions else 0
        if not equal:
            return await self._create(patch, labels, newest + 1, collisions)
        found = equal[-1]
        if found.revision == newest:
            return found
        return await self._renumber(found, newest + 1)

    async def _create(
        self, patch: dict[str, Any], labels: dict[str, str], number: int, collisions: int | None
    ) -> ControllerRevision | None:
        value = hash_of(patch, collisions)
        name = f"{self._owner.name}-{value}"
        body = {
            "metadata": {
                "name": name,
                "namespace": self._owner.namespace,
                "labels": {**labels, self._hash_label: value},
                "annotations": self._owner.annotations,
                "ownerReferences": [pods.owner_reference(self._target, self._owner)],
            },
            "data": patch,
            "revision": number,
        }
        try:
            made = await self._client.create(CONTROLLER_REVISIONS, body, namespace=self._owner.namespace)
        except ApiError as error:
            if not is_reason(error, "AlreadyExists"):
                raise
            made = await self._client.get(CONTROLLER_REVISIONS, name, namespace=self._owner.namespace)
            live = _decode(orjson.dumps(made))
            owner = live.metadata.controller
            return live if owner and owner.uid == self._owner.uid and same(live, patch) else None
        return _decode(orjson.dumps(made))

    async def _renumber(self, revision: ControllerRevision, number: int) -> ControllerRevision:
        answer = await self._client.patch(
            CONTROLLER_REVISIONS,
            revision.metadata.name,
            {"metadata": {"uid": revision.metadata.uid}, "revision": number},
            PatchType.MERGE,
            namespace=self._owner.namespace,
        )
        return _decode(orjson.dumps(answer))

    async def trim(self, live: Collection[str], limit: int) -> None:
        for each in surplus(self.revisions, live, limit):
            metadata = each.metadata
            with if_there():
                await self._client.delete(
                    CONTROLLER_REVISIONS, metadata.name, namespace=metadata.namespace, uid=metadata.uid
                )


def value_of(revision: ControllerRevision) -> str:
    """The hash in the revision's name."""
    labels = revision.metadata.labels
    return labels.get(HASH_LABEL) or labels.get(POD_LABEL) or revision.metadata.name.rpartition("-")[2]
