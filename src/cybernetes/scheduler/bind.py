"""Carries decisions out: bindings, statuses, preemptions. Every request is one call; who calls decides what failure means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import PODS
from cybernetes.scheduler.pods import PodEntry

UNSCHEDULABLE = "Unschedulable"
SCHEDULER_ERROR = "SchedulerError"
# Many bindings in one request; only Cybernetes' API servers have it.
BINDINGS = "/api/v1/bindings"
JSON_BODY = {"content-type": "application/json"}


async def bind(client: ApiClient, pod: PodEntry, node_name: str) -> None:
    """Raises ApiError (409: it is bound already, 404: it is gone), EdgeError."""
    # The answer is not decoded and no timer is set beside the transport's: at thousands of bindings a second both
    # show in the profile, 20 of 105 us a request.
    path = PODS.path(pod.namespace, pod.name, "binding")
    await client.raw("POST", path, body=orjson.dumps(binding(pod, node_name)), headers=JSON_BODY)


async def bind_many(client: ApiClient, wanted: Sequence[tuple[PodEntry, str]]) -> list[ApiError | None]:
    """(pod, node) pairs in one request; what went wrong with each. Raises ApiError 404, 405 where servers don't know it."""
    items = [
        {"metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}, "target": {"name": node_name}}
        for pod, node_name in wanted
    ]
    body = orjson.dumps({"kind": "BindingList", "apiVersion": "v1", "items": items})
    answer = await client.raw("POST", BINDINGS, body=body, headers=JSON_BODY)
    return [_error(each) for each in orjson.loads(await whole_body(answer))["items"]]


def _error(status: dict[str, Any] | None) -> ApiError | None:
    if status is None:
        return None
    return ApiError(status["code"], status.get("reason", ""), status.get("message", ""), status.get("details"))


def binding(pod: PodEntry, node_name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": {"kind": "Node", "name": node_name},
    }


def failure_status(
    pod: PodEntry, reason: str, message: str, nominated: str | None, now: float
) -> dict[str, Any] | None:
    """The status patch after a failed attempt; None when the pod says all of it already.

    nominated   the node that was freed for the pod; "" takes a nomination back, None leaves it
    """
    patch: dict[str, Any] = {}
    old = pod.condition
    if old is None or (old.status, old.reason, old.message) != ("False", reason, message):
        condition: dict[str, Any] = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastProbeTime": None,
        }
        if old is None or old.status != "False":
            condition["lastTransitionTime"] = rfc3339(now)
        if pod.generation:
            condition["observedGeneration"] = pod.generation
        patch["conditions"] = [condition]
    if nominated is not None and nominated != pod.nominated:
        patch["nominatedNodeName"] = nominated or None
    return {"status": patch} if patch else None


async def patch_status(client: ApiClient, pod: PodEntry, patch: dict[str, Any]) -> None:
    await client.patch(PODS, pod.name, patch, PatchType.STRATEGIC, namespace=pod.namespace, subresource="status")


async def evict(client: ApiClient, clock: Clock, victim: PodEntry, scheduler_name: str) -> bool:
    """Mark a victim as disrupted and delete it; False when it was gone already."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": f"{scheduler_name}: preempting to accommodate a higher priority pod",
        "lastTransitionTime": rfc3339(clock.now()),
    }
    try:
        if not victim.preempted:
            await patch_status(client, victim, {"status": {"conditions": [condition]}})
        if not victim.terminating:
            await client.delete(PODS, victim.name, namespace=victim.namespace, uid=victim.uid)
    except ApiError as error:
        if not is_reason(error, "NotFound") and not is_reason(error, "Conflict"):
            raise
        return False
    return True


def bind_failure(error: Exception) -> str:
    return f'binding rejected: running Bind plugin "DefaultBinder": {error}'
