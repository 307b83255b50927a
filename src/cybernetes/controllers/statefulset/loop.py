"""Follows StatefulSets and their pods, and carries plans out."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import is_reason
from cybernetes.client.expectations import Expectations
from cybernetes.client.informer import key_of
from cybernetes.client.target import PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from cybernetes.controllers import adoption, pods, selecting
from cybernetes.controllers.history import POD_LABEL, History, claim_revisions
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work, write_status
from cybernetes.controllers.objects import ControllerRevision, Pod
from cybernetes.controllers.pod_owners import PodOwners
from cybernetes.controllers.pod_writes import namespace_is_going
from cybernetes.controllers.statefulset import identity
from cybernetes.controllers.statefulset import plan as planning
from cybernetes.controllers.statefulset.objects import Claim, StatefulSet, StatefulSetStatus


class StatefulSetController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        informers = edges.informers
        self._sets = informers.make(STATEFUL_SETS, decoder(StatefulSet))
        self._claims = informers.make(PERSISTENT_VOLUME_CLAIMS, decoder(Claim), metadata_only=True)
        self._pods = informers.pods_by_controller
        self._revisions = informers.revisions_by_controller
        self._queue = edges.queue()
        self._sets.on_change(lambda key, old, new: self._queue.add(key))
        # Its pods have names of their own, so that nothing is made twice and nothing need be expected.
        owners = PodOwners(STATEFUL_SETS, self._sets, self._queue, Expectations(edges.clock))
        informers.pods.on_change(owners.on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("statefulsets", self._queue, self.sync)

    async def sync(self, key: str) -> float | None:
        stateful_set = self._sets.items.get(key)
        if stateful_set is None or stateful_set.spec.selector.empty:
            return None
        client, metadata = self._edges.client, stateful_set.metadata
        found = await claim_revisions(client, STATEFUL_SETS, metadata, stateful_set.spec.selector, self._revisions)
        history = History(client, STATEFUL_SETS, metadata, found)
        known = {each.metadata.name: each for each in history.revisions}
        update = await self._update_revision(stateful_set, history)
        if update is None:
            return None
        known[update.metadata.name] = update
        current = stateful_set.status.current_revision
        revisions = planning.Revisions(current if current in known else update.metadata.name, update.metadata.name)
        owned = await self._claim_pods(stateful_set)
        now = self._edges.clock.now()
        await self._write_status(stateful_set, planning.status(stateful_set, owned, revisions, now))
        members = planning.members(stateful_set, owned)
        await self._own_claims(stateful_set, members)
        for action in planning.plan(stateful_set, members, revisions, now):
            await self._apply(stateful_set, action, known)
        live = {pod.metadata.labels.get(POD_LABEL, "") for pod in owned} | {revisions.current, revisions.update}
        await history.trim(live, stateful_set.spec.revision_history_limit)
        return pods.available_in(owned, stateful_set.spec.min_ready_seconds, now)

    async def _claim_pods(self, stateful_set: StatefulSet) -> list[Pod]:
        """Only pods whose name fits can be ours, whatever their labels."""
        metadata = stateful_set.metadata
        claims = adoption.plan(
            metadata,
            stateful_set.spec.selector,
            self._pods.get(metadata.uid),
            [
                pod
                for pod in selecting.orphans(self._edges.informers, metadata.namespace, stateful_set.spec.selector)
                if identity.ordinal_of(metadata.name, pod.metadata.name) is not None
            ],
        )
        return await adoption.claim(self._edges.client, STATEFUL_SETS, metadata, PODS, claims)

    async def _update_revision(self, stateful_set: StatefulSet, history: History) -> ControllerRevision | None:
        spec, collisions = stateful_set.spec, stateful_set.status.collision_count
        found = await history.current(spec.template, dict(spec.selector.match_labels), collisions or None)
        if found is None:
            status = msgspec.structs.replace(stateful_set.status, collision_count=(collisions or 0) + 1)
            await self._write_status(stateful_set, status)
        return found

    async def _apply(
        self, stateful_set: StatefulSet, action: planning.Action, known: dict[str, ControllerRevision]
    ) -> None:
        match action:
            case planning.Create(ordinal, revision):
                await self._create_claims(stateful_set, ordinal)
                await self._create_pod(stateful_set, identity.pod_body(stateful_set, ordinal, known[revision]))
            case planning.Delete(pod, condemned):
                if condemned:
                    await self._own_claims_of(stateful_set, pod, condemned=True)
                await self._delete_pod(stateful_set, pod)

    async def _create_claims(self, stateful_set: StatefulSet, ordinal: int) -> None:
        about = reference(STATEFUL_SETS, stateful_set.metadata)
        pod = f"{stateful_set.metadata.name}-{ordinal}"
        where = f"Pod {pod} in StatefulSet {stateful_set.metadata.name}"
        for body in identity.claim_bodies(stateful_set, ordinal):
            name = body["metadata"]["name"]
            if key_of(stateful_set.metadata.namespace, name) in self._claims.items:
                continue
            try:
                await self._edges.client.create(
                    PERSISTENT_VOLUME_CLAIMS, body, namespace=stateful_set.metadata.namespace
                )
            except (ApiError, EdgeError) as error:
                if is_reason(error, "AlreadyExists"):
                    continue
                message = f"create Claim {name} for {where} failed error: {error}"
                self._edges.recorder.warning(about, "FailedCreate", message)
                raise
            self._edges.recorder.normal(about, "SuccessfulCreate", f"create Claim {name} {where} success")

    async def _create_pod(self, stateful_set: StatefulSet, body: dict[str, Any]) -> None:
        about = reference(STATEFUL_SETS, stateful_set.metadata)
        where = f"create Pod {body['metadata']['name']} in StatefulSet {stateful_set.metadata.name}"
        try:
            await self._edges.client.create(PODS, body, namespace=stateful_set.metadata.namespace)
        except (ApiError, EdgeError) as error:
            if namespace_is_going(error) or (is_reason(error, "AlreadyExists") and self._is_ours(stateful_set, body)):
                return
            self._edges.recorder.warning(about, "FailedCreate", f"{where} failed error: {error}")
            raise
        self._edges.recorder.normal(about, "SuccessfulCreate", f"{where} successful")

    def _is_ours(self, stateful_set: StatefulSet, body: dict[str, Any]) -> bool:
        """Whether the pod in the way is not known here yet, and so probably the one made before."""
        key = key_of(stateful_set.metadata.namespace, body["metadata"]["name"])
        found = self._edges.informers.pods.items.get(key)
        owner = found.metadata.controller if found else None
        return found is None or (owner is not None and owner.uid == stateful_set.metadata.uid)

    async def _delete_pod(self, stateful_set: StatefulSet, pod: Pod) -> None:
        about = reference(STATEFUL_SETS, stateful_set.metadata)
        where = f"delete Pod {pod.metadata.name} in StatefulSet {stateful_set.metadata.name}"
        metadata = pod.metadata
        try:
            await self._edges.client.delete(PODS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        except (ApiError, EdgeError) as error:
            if is_reason(error, "NotFound"):
                return
            self._edges.recorder.warning(about, "FailedDelete", f"{where} failed error: {error}")
            raise
        self._edges.recorder.normal(about, "SuccessfulDelete", f"{where} successful")

    async def _own_claims(self, stateful_set: StatefulSet, members: planning.Members) -> None:
        for _, pod in members.wanted:
            if pod is not None:
                await self._own_claims_of(stateful_set, pod, condemned=False)

    async def _own_claims_of(self, stateful_set: StatefulSet, pod: Pod, *, condemned: bool) -> None:
        """Write the owners that the retention policy asks for, where a claim has others."""
        ordinal = identity.ordinal_of(stateful_set.metadata.name, pod.metadata.name)
        if ordinal is None:
            return
        for template in identity.claim_templates(stateful_set):
            name = identity.claim_name(stateful_set, template, ordinal)
            claim = self._claims.items.get(key_of(stateful_set.metadata.namespace, name))
            if claim is None:
                continue
            present = msgspec.to_builtins(claim.metadata.owner_references)
            wanted = identity.claim_owners(stateful_set, pod if condemned else None, list(present))
            if _owners(wanted) == _owners(present):
                continue
            client = self._edges.client
            live = await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace=stateful_set.metadata.namespace)
            live["metadata"]["ownerReferences"] = wanted
            await client.update(PERSISTENT_VOLUME_CLAIMS, live)

    async def _write_status(self, stateful_set: StatefulSet, status: StatefulSetStatus) -> None:
        if status == stateful_set.status:
            return
        found = msgspec.to_builtins(status)
        found.setdefault("replicas", 0)
        found.setdefault("availableReplicas", 0)
        await write_status(self._edges.client, STATEFUL_SETS, stateful_set.metadata, found)


def _owners(references: list[dict[str, Any]]) -> set[tuple[str, bool]]:
    """Whose uids they are, and whether as controllers."""
    return {(each["uid"], bool(each.get("controller"))) for each in references}
