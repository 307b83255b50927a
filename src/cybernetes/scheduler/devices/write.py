"""Writes what a placed pod was given into its claims, before it is bound; takes it back when it is not.

holds   an allocation is written on what the claim is now: a claim that somebody else allocated meanwhile is a failure
fails   ClaimsNotWritten with words; ApiError, EdgeError of the requests
"""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import RESOURCE_CLAIMS
from cybernetes.scheduler.devices.filters import CONSUMERS_MAX, Grant
from cybernetes.scheduler.devices.objects import Allocation, ClaimObject
from cybernetes.scheduler.devices.state import Devices, Promise
from cybernetes.scheduler.pods import PodEntry

FINALIZER = "resource.kubernetes.io/delete-protection"
# Tries of a write that lost against another one.
TRIES_MAX = 5

_log = Log("scheduler")


class ClaimsNotWritten(Exception):
    """A claim that became somebody else's, or that goes; the text has Kubernetes' words."""


def promise_devices(devices: Devices, pod: PodEntry, grant: Grant) -> None:
    """Count the devices as taken from now on."""
    for claim, allocation in grant.allocations:
        devices.promised[claim.metadata.uid] = Promise(pod.key, allocation)


def forget_devices(devices: Devices, grant: Grant) -> None:
    """As if they had not been promised: nothing of it was written."""
    for claim, _ in grant.allocations:
        devices.promised.pop(claim.metadata.uid, None)


def release_devices(devices: Devices, grant: Grant) -> None:
    """The allocations are written, or will not be. One that was written is counted by the claim once that is seen."""
    for claim, _ in grant.allocations:
        known = devices.claims.get(f"{claim.metadata.namespace}/{claim.metadata.name}")
        if known is None or known.metadata.uid != claim.metadata.uid or known.status.allocation is not None:
            devices.promised.pop(claim.metadata.uid, None)


async def write_claims(client: ApiClient, pod: PodEntry, grant: Grant) -> None:
    """Raises ClaimsNotWritten, ApiError, EdgeError."""
    for claim, allocation in grant.allocations:
        await _write(client, pod, claim, allocation)
    for claim in grant.shared:
        if all(each.uid != pod.uid for each in claim.status.reserved_for or ()):
            await _write(client, pod, claim, None)


async def take_back(client: ApiClient, devices: Devices, pod: PodEntry, grant: Grant) -> None:
    """The pod will not run: it uses the claims no longer. What was allocated stays, for the pod's next try."""
    claims = [claim for claim, _ in grant.allocations] + list(grant.shared)
    for claim in claims:
        meta = claim.metadata
        devices.promised.pop(meta.uid, None)
        patch = {"metadata": {"uid": meta.uid}, "status": {"reservedFor": [{"$patch": "delete", "uid": pod.uid}]}}
        try:
            await client.patch(
                RESOURCE_CLAIMS, meta.name, patch, PatchType.STRATEGIC, namespace=meta.namespace, subresource="status"
            )
        except (ApiError, EdgeError) as error:
            if not is_reason(error, "NotFound"):
                _log.warning("claim.not_taken_back", claim=meta.name, pod=pod.key, why=str(error))


async def _write(client: ApiClient, pod: PodEntry, claim: ClaimObject, allocation: Allocation | None) -> None:
    for attempt in range(TRIES_MAX):
        try:
            await _write_once(client, pod, claim, allocation)
            return
        except ApiError as error:
            if error.reason != "Conflict" or attempt == TRIES_MAX - 1:
                raise


async def _write_once(client: ApiClient, pod: PodEntry, claim: ClaimObject, allocation: Allocation | None) -> None:
    meta = claim.metadata
    live = await client.get(RESOURCE_CLAIMS, meta.name, namespace=meta.namespace)
    status: dict[str, Any] = live.setdefault("status", {})
    if live["metadata"]["uid"] != meta.uid or live["metadata"].get("deletionTimestamp"):
        raise ClaimsNotWritten(f'resourceclaim "{meta.name}" got deleted in the meantime')
    users = status.get("reservedFor") or []
    if allocation is not None:
        if status.get("allocation") is not None:
            raise ClaimsNotWritten(f'resourceclaim "{meta.name}" got allocated elsewhere in the meantime')
        if FINALIZER not in (live["metadata"].get("finalizers") or ()):
            live["metadata"].setdefault("finalizers", []).append(FINALIZER)
            live = await client.update(RESOURCE_CLAIMS, live)
            status = live.setdefault("status", {})
        status["allocation"] = msgspec.to_builtins(allocation)
    elif status.get("allocation") is None:
        raise ClaimsNotWritten(f'resourceclaim "{meta.name}" got deallocated elsewhere in the meantime')
    if len(users) >= CONSUMERS_MAX:
        raise ClaimsNotWritten(f'resourceclaim "{meta.name}" has too many consumers')
    if all(each["uid"] != pod.uid for each in users):
        status["reservedFor"] = [*users, {"resource": "pods", "name": pod.name, "uid": pod.uid}]
    await client.update(RESOURCE_CLAIMS, live, subresource="status")
