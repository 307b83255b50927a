"""Follows Deployments and their ReplicaSets, and carries plans out."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import if_there, is_reason
from cybernetes.client.informer import key_of
from cybernetes.client.target import DEPLOYMENTS, REPLICA_SETS
from cybernetes.controllers import adoption, pods
from cybernetes.controllers.deployment import plan as planning
from cybernetes.controllers.deployment import revision
from cybernetes.controllers.deployment import status as statuses
from cybernetes.controllers.informers import orphans_of
from cybernetes.controllers.loop import Edges, reference, update, work
from cybernetes.controllers.objects import Deployment, DeploymentStatus, Pod, ReplicaSet, raw


class DeploymentController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        informers = edges.informers
        self._deployments = informers.deployments
        self._sets = informers.replica_sets_by_controller
        self._pods = informers.pods_by_controller
        self._by_namespace = informers.deployments.index(lambda each: (each.metadata.namespace,))
        self._queue = edges.queue()
        informers.deployments.on_change(lambda key, old, new: self._queue.add(key))
        informers.replica_sets.on_change(self._on_set)
        informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("deployments", self._queue, self.sync)

    def _on_set(self, key: str, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        for each in (old, new):
            owner = each.metadata.controller if each else None
            if each is not None and owner is not None and owner.kind == "Deployment":
                self._queue.add(key_of(each.metadata.namespace, owner.name))
        if new is not None and new.metadata.controller is None:
            for deployment in self._by_namespace.get(new.metadata.namespace):
                selector = deployment.spec.selector
                if not selector.empty and selector.matches(new.metadata.labels):
                    self._queue.add(deployment.metadata.key)

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """A pod that has gone may be the last one that a Deployment with strategy Recreate waits for."""
        if old is None or (new is not None and not pods.is_terminal(new)):
            return
        owner = old.metadata.controller
        if owner is None or owner.kind != "ReplicaSet":
            return
        replica_set = self._edges.informers.replica_sets.items.get(key_of(old.metadata.namespace, owner.name))
        grand = replica_set.metadata.controller if replica_set else None
        if grand is None:
            return
        deployment = self._deployments.items.get(key_of(old.metadata.namespace, grand.name))
        if deployment is not None and deployment.spec.strategy.type == "Recreate":
            self._queue.add(deployment.metadata.key)

    async def sync(self, key: str) -> float | None:
        deployment = self._deployments.items.get(key)
        if deployment is None:
            return None
        if deployment.spec.selector.empty:
            about = reference(DEPLOYMENTS, deployment.metadata)
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._edges.recorder.warning(about, "SelectingAll", message)
        sets = planning.sort_sets(deployment, await self._claim(deployment))
        now = self._edges.clock.now()
        wanted = statuses.compute(deployment, sets, now)
        complete = statuses.is_complete(deployment, wanted)
        actions = planning.plan(deployment, sets, old_pods=self._has_pods(sets.old), complete=complete)
        for action in actions:
            wanted = await self._apply(deployment, wanted, action)
        await self._write(deployment, sets, wanted)
        return statuses.check_again_in(deployment, wanted, now)

    async def _claim(self, deployment: Deployment) -> list[ReplicaSet]:
        metadata = deployment.metadata
        orphans = [] if deployment.spec.selector.empty else self._sets.get(orphans_of(metadata.namespace))
        claims = adoption.plan(metadata, deployment.spec.selector, self._sets.get(metadata.uid), orphans)
        return await adoption.claim(self._edges.client, DEPLOYMENTS, metadata, REPLICA_SETS, claims)

    def _has_pods(self, sets: list[ReplicaSet]) -> bool:
        """Also by what the sets say: a status that adds up old and new pods must not show both."""
        if any(each.status.replicas for each in sets):
            return True
        return any(not pods.is_terminal(pod) for each in sets for pod in self._pods.get(each.metadata.uid))

    async def _apply(
        self, deployment: Deployment, status: DeploymentStatus, action: planning.Action
    ) -> DeploymentStatus:
        """The status with what the action adds to it."""
        client = self._edges.client
        match action:
            case planning.Create():
                return await self._create(deployment, status, action)
            case planning.Scale():
                await self._scale(deployment, action)
            case planning.Annotate(replica_set, annotations, min_ready_seconds):

                def annotate(obj: dict[str, Any]) -> None:
                    obj["metadata"]["annotations"] = annotations
                    obj["spec"]["minReadySeconds"] = min_ready_seconds

                await update(client, REPLICA_SETS, replica_set.metadata, annotate)
            case planning.Delete(replica_set):
                metadata = replica_set.metadata
                with if_there():
                    await client.delete(REPLICA_SETS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        return status

    async def _create(
        self, deployment: Deployment, status: DeploymentStatus, action: planning.Create
    ) -> DeploymentStatus:
        value = revision.template_hash(deployment.spec.template, deployment.status.collision_count)
        wanted = _replica_set(deployment, value, action)
        name, namespace = wanted["metadata"]["name"], deployment.metadata.namespace
        try:
            await self._edges.client.create(REPLICA_SETS, wanted, namespace=namespace)
        except ApiError as error:
            if is_reason(error, "AlreadyExists"):
                return await self._collided(deployment, status, name)
            told = statuses.not_created(name, str(error))
            failed = self._told(deployment, status, told)
            await self._write(deployment, planning.Sets(None, []), failed)
            raise
        if action.replicas:
            self._say_scaled(deployment, name, 0, action.replicas)
        return self._told(deployment, status, statuses.created(name))

    async def _collided(self, deployment: Deployment, status: DeploymentStatus, name: str) -> DeploymentStatus:
        """The name is taken: by what the informer has not seen yet, or by another template with the same hash."""
        live = await self._edges.client.get(REPLICA_SETS, name, namespace=deployment.metadata.namespace)
        seen = msgspec.json.decode(msgspec.json.encode(live), type=ReplicaSet)
        owner = seen.metadata.controller
        ours = owner is not None and owner.uid == deployment.metadata.uid
        if ours and revision.same_template(seen.spec.template, deployment.spec.template):
            return status
        return msgspec.structs.replace(status, collision_count=(status.collision_count or 0) + 1)

    def _told(self, deployment: Deployment, status: DeploymentStatus, told: statuses.Told) -> DeploymentStatus:
        if not statuses.has_deadline(deployment):
            return status
        conditions = statuses.put(status.conditions, told, self._edges.clock.now())
        return msgspec.structs.replace(status, conditions=conditions)

    async def _scale(self, deployment: Deployment, action: planning.Scale) -> None:
        metadata = action.replica_set.metadata

        def resize(obj: dict[str, Any]) -> None:
            obj["spec"]["replicas"] = action.replicas
            sizes = {revision.DESIRED: str(action.desired), revision.MAX: str(action.maximum)}
            obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), **sizes}

        await update(self._edges.client, REPLICA_SETS, metadata, resize)
        before = action.replica_set.spec.replicas
        if before != action.replicas:
            self._say_scaled(deployment, metadata.name, before, action.replicas)

    def _say_scaled(self, deployment: Deployment, name: str, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._edges.recorder.normal(reference(DEPLOYMENTS, deployment.metadata), "ScalingReplicaSet", message)

    async def _write(self, deployment: Deployment, sets: planning.Sets, status: DeploymentStatus) -> None:
        """Status, and the revision annotation, which travels with it so that it is no change of the spec."""
        annotations = deployment.metadata.annotations
        new = sets.new.metadata.annotations.get(revision.REVISION) if sets.new else None
        if status == deployment.status and new in (None, annotations.get(revision.REVISION)):
            return

        def write(obj: dict[str, Any]) -> None:
            obj["status"] = statuses.as_json(status)
            if new is not None:
                obj["metadata"].setdefault("annotations", {})[revision.REVISION] = new

        await update(self._edges.client, DEPLOYMENTS, deployment.metadata, write, subresource="status")


def _replica_set(deployment: Deployment, value: str, action: planning.Create) -> dict[str, Any]:
    template = revision.with_hash(raw(deployment.spec.template), value)
    selector = msgspec.to_builtins(deployment.spec.selector)
    selector["matchLabels"] = {**selector.get("matchLabels", {}), revision.HASH_LABEL: value}
    metadata = deployment.metadata
    return {
        "metadata": {
            "name": f"{metadata.name}-{value}",
            "namespace": metadata.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": action.annotations,
            "ownerReferences": [pods.owner_reference(DEPLOYMENTS, metadata)],
        },
        "spec": {
            "replicas": action.replicas,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": selector,
            "template": template,
        },
    }
