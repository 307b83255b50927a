"""Follows pods that claim devices, and claims.

source  Kubernetes documentation "Dynamic Resource Allocation"
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, EdgeError, not_found
from cybernetes.client.api import is_reason
from cybernetes.client.informer import Informer
from cybernetes.client.target import PODS, RESOURCE_CLAIMS, Target
from cybernetes.controllers import pods
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, reference, work
from cybernetes.controllers.objects import Pod
from cybernetes.controllers.resourceclaim import plan
from cybernetes.controllers.resourceclaim.plan import FINALIZER, Claim, Step, Template

TEMPLATES = Target("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate")
FIELD_MANAGER = "ResourceClaimController"


class ResourceClaimController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._pods = edges.queue()
        self._queue = edges.queue()
        self._claims: Informer[Claim] = edges.informers.make(RESOURCE_CLAIMS, decoder(Claim))
        self._templates: Informer[Template] = edges.informers.make(TEMPLATES, decoder(Template))
        self._by_pod = self._claims.index(lambda each: dict.fromkeys(each.consumers))
        self._claims.on_change(self._on_claim)
        edges.informers.pods.on_change(self._on_pod)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(work("resource-claims-of-pods", self._pods, self.sync_pod), name="resourceclaims.pods")
            group.create_task(work("resource-claims", self._queue, self.sync_claim), name="resourceclaims.claims")

    def _on_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        if new is not None and new.spec.resource_claims:
            self._pods.add(key)
        changed = new is None or not pods.is_active(new) or (old is not None and old.metadata.uid != new.metadata.uid)
        if changed:
            for each in self._by_pod.keys(key):
                self._queue.add(each)

    def _on_claim(self, key: str, old: Claim | None, new: Claim | None) -> None:
        if new is not None:
            self._queue.add(key)
        for each in (old.consumers if old is not None else []) if new is None else new.consumers:
            pod = self._edges.informers.pods.items.get(each)
            if pod is not None and pod.spec.resource_claims:
                self._pods.add(each)

    # Pods.

    async def sync_pod(self, key: str) -> float | None:
        pod = self._edges.informers.pods.items.get(key)
        if pod is None or not pods.is_active(pod):
            return None
        made = {each.name: each.resource_claim_name for each in pod.status.resource_claim_statuses}
        missing = {
            each.name: each.resource_claim_template_name
            for each in pod.spec.resource_claims
            if each.resource_claim_template_name and each.name not in made
        }
        for name, template in missing.items():
            made[name] = await self._ensure(pod, name, template)
        if missing:
            await self._tell(pod, made)
        if pod.spec.node_name:
            await self._reserve(pod, made)
        return None

    async def _ensure(self, pod: Pod, name: str, template: str) -> str:
        """The name of the pod's claim, which is made where it is not there yet."""
        for key in self._by_pod.keys(pod.metadata.key):
            claim = self._claims.items[key]
            if plan.is_made_for(claim, pod, name):
                return claim.metadata.name
        namespace = pod.metadata.namespace
        try:
            found = self._templates.items.get(f"{namespace}/{template}")
            if found is None:
                raise not_found("resource.k8s.io", "resourceclaimtemplates", template)
            live = await self._edges.client.create(
                RESOURCE_CLAIMS, plan.made_for(pod, name, found), namespace=namespace
            )
        except ApiError as error:
            why = f'resource claim template "{template}": {error.message}'
            message = f"PodResourceClaim {name}: {why}"
            self._edges.recorder.warning(reference(PODS, pod.metadata), "FailedResourceClaimCreation", message)
            raise
        created: str = live["metadata"]["name"]
        return created

    async def _tell(self, pod: Pod, made: dict[str, str | None]) -> None:
        statuses = [
            {"name": name, "resourceClaimName": claim} if claim else {"name": name} for name, claim in made.items()
        ]
        meta = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid}
        body = {"metadata": meta, "status": {"resourceClaimStatuses": statuses}}
        await self._edges.client.apply(PODS, body, field_manager=FIELD_MANAGER, subresource="status")

    async def _reserve(self, pod: Pod, made: dict[str, str | None]) -> None:
        """A pod that got its node from somebody who does not know of claims uses those that have devices."""
        namespace = pod.metadata.namespace
        for each in pod.spec.resource_claims:
            claim = self._claims.items.get(f"{namespace}/{each.resource_claim_name or made.get(each.name)}")
            if claim is None or claim.status.allocation is None:
                continue
            if any(user.uid == pod.metadata.uid for user in claim.status.reserved_for):
                continue
            live = await self._live(claim)
            users = live.setdefault("status", {}).setdefault("reservedFor", [])
            users.append({"resource": "pods", "name": pod.metadata.name, "uid": pod.metadata.uid})
            await self._edges.client.update(RESOURCE_CLAIMS, live, subresource="status")

    # Claims.

    async def sync_claim(self, key: str) -> float | None:
        claim = self._claims.items.get(key)
        if claim is None:
            return None
        step = plan.step(claim, {each: await self._pod(each) for each in claim.consumers})
        if step.changes(claim):
            await self._change(claim, step)
        if step.delete:
            await self._delete(claim)
        return None

    async def _pod(self, key: str) -> Pod | None:
        """A pod that is not known here may only not have been heard of yet."""
        known = self._edges.informers.pods.items.get(key)
        if known is not None:
            return known
        namespace, _, name = key.partition("/")
        try:
            live = await self._edges.client.get(PODS, name, namespace=namespace)
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return None
            raise
        return msgspec.convert(live, Pod)

    async def _change(self, claim: Claim, step: Step) -> None:
        live = await self._live(claim)
        status: dict[str, Any] = live.setdefault("status", {})
        status["reservedFor"] = [msgspec.to_builtins(each) for each in step.reserved]
        if step.deallocate:
            for name in ("allocation", "devices"):
                status.pop(name, None)
        live = await self._edges.client.update(RESOURCE_CLAIMS, live, subresource="status")
        if step.deallocate:
            finalizers = live["metadata"].get("finalizers") or []
            live["metadata"]["finalizers"] = [each for each in finalizers if each != FINALIZER]
            await self._edges.client.update(RESOURCE_CLAIMS, live)

    async def _delete(self, claim: Claim) -> None:
        meta = claim.metadata
        try:
            await self._edges.client.delete(RESOURCE_CLAIMS, meta.name, namespace=meta.namespace, uid=meta.uid)
        except ApiError as error:
            if not is_reason(error, "NotFound") and not is_reason(error, "Conflict"):
                raise

    async def _live(self, claim: Claim) -> dict[str, Any]:
        """The claim as it was decided about. Raises ApiError Conflict, or EdgeError when it was replaced."""
        meta = claim.metadata
        live = await self._edges.client.get(RESOURCE_CLAIMS, meta.name, namespace=meta.namespace)
        if live["metadata"]["uid"] != meta.uid:
            raise EdgeError("change claim", meta.key, "it was replaced")
        # What is written is refused when the claim has changed since.
        live["metadata"]["resourceVersion"] = meta.resource_version
        return live
