"""Creating and deleting pods for an owner, with expectations and Events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import is_reason
from cybernetes.client.expectations import Expectations
from cybernetes.client.target import PODS, Target
from cybernetes.controllers.loop import Edges, reference
from cybernetes.controllers.objects import Meta, Pod

# First batch of creations; it doubles with each that worked, so that a hopeless template costs one request.
FIRST_BATCH = 1
# Requests of one owner under way at once: each may need a connection of its own, and the server is no faster with more.
PARALLEL_MAX = 16


class Owner(msgspec.Struct, frozen=True):
    """The object that pods are made for: what Events name, and the key under which it expects them."""

    target: Target
    metadata: Meta

    @property
    def key(self) -> str:
        return self.metadata.key


class PodWriter:
    def __init__(self, edges: Edges, expected: Expectations) -> None:
        self._edges = edges
        self._expected = expected
        self._namespaces = edges.informers.namespaces

    async def create(self, owner: Owner, bodies: Sequence[dict[str, Any]]) -> ApiError | EdgeError | None:
        """Create in batches of 1, 2, 4, ... until one in a batch is refused; the first error.

        In a namespace that is being deleted nothing is tried: its pods go before their owners, each of them a reason to
        make another one, which would be refused.
        """
        namespace = self._namespaces.items.get(owner.metadata.namespace)
        if namespace is not None and namespace.metadata.deletion_timestamp:
            return None
        self._expected.expect(owner.key, creations=len(bodies))
        done, error = await in_batches([lambda body=body: self._create(owner, body) for body in bodies])  # type: ignore[misc]
        self._expected.created(owner.key, len(bodies) - done)
        return error

    async def delete(self, owner: Owner, doomed: Sequence[Pod]) -> ApiError | EdgeError | None:
        """Delete all; the first error."""
        self._expected.expect(owner.key, deletions={pod.metadata.uid for pod in doomed})
        errors = await _in_parallel([lambda pod=pod: self._delete(owner, pod) for pod in doomed])  # type: ignore[misc]
        return next((error for error in errors if error is not None), None)

    async def _create(self, owner: Owner, body: dict[str, Any]) -> ApiError | EdgeError | None:
        about = reference(owner.target, owner.metadata)
        try:
            made = await self._edges.client.create(PODS, body, namespace=owner.metadata.namespace)
        except (ApiError, EdgeError) as error:
            if isinstance(error, ApiError) or error.outcome is Outcome.NOT_DONE:
                self._expected.created(owner.key)
            else:
                self._expected.unsure(owner.key)
            if namespace_is_going(error):
                return None
            self._edges.recorder.warning(about, "FailedCreate", f"Error creating: {error}")
            return error
        self._edges.recorder.normal(about, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return None

    async def _delete(self, owner: Owner, pod: Pod) -> ApiError | EdgeError | None:
        about = reference(owner.target, owner.metadata)
        metadata = pod.metadata
        try:
            await self._edges.client.delete(PODS, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        except (ApiError, EdgeError) as error:
            self._expected.deleted(owner.key, metadata.uid)
            if is_reason(error, "NotFound"):
                return None
            self._edges.recorder.warning(about, "FailedDelete", f"Error deleting: {error}")
            return error
        self._edges.recorder.normal(about, "SuccessfulDelete", f"Deleted pod: {metadata.name}")
        return None


Call = Callable[[], Awaitable[ApiError | EdgeError | None]]


async def in_batches(calls: Sequence[Call]) -> tuple[int, ApiError | EdgeError | None]:
    """Run calls in batches of 1, 2, 4, ... until one in a batch fails: (calls made, first error)."""
    done, size = 0, FIRST_BATCH
    while done < len(calls):
        batch = calls[done : done + size]
        errors = await _in_parallel(batch)
        done += len(batch)
        error = next((each for each in errors if each is not None), None)
        if error is not None:
            return done, error
        size *= 2
    return done, None


async def _in_parallel(calls: Sequence[Call]) -> list[ApiError | EdgeError | None]:
    slots = asyncio.Semaphore(PARALLEL_MAX)

    async def one(call: Call) -> ApiError | EdgeError | None:
        async with slots:
            return await call()

    return await asyncio.gather(*(one(call) for call in calls))


def namespace_is_going(error: Exception) -> bool:
    """Whether a creation was refused because its namespace is being deleted: no reason to complain."""
    if not isinstance(error, ApiError) or error.code != 403:
        return False
    causes: list[dict[str, Any]] = (error.details or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
