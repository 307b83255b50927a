"""Slices by the service they belong to, and their writes, which must be seen before the next decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import is_reason
from cybernetes.client.expectations import Expectations
from cybernetes.client.informer import Informer, key_of
from cybernetes.client.target import ENDPOINT_SLICES
from cybernetes.controllers.endpointslice import plan as planning
from cybernetes.controllers.endpointslice.objects import Ports, Slice, endpoints_json, ports_json
from cybernetes.controllers.loop import Edges

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"


class SliceWriter:
    """on_change is called with the key of a service whose slices were changed."""

    def __init__(self, edges: Edges, slices: Informer[Slice], on_change: Callable[[str], None]) -> None:
        self._edges = edges
        self._by_service = slices.index(lambda each: (_service_of(each),))
        self._expected = Expectations(edges.clock)
        self._on_change = on_change
        slices.on_change(self._on_slice)

    def of(self, service: str) -> list[Slice]:
        return sorted(self._by_service.get(service), key=lambda each: each.metadata.name)

    def unsettled_s(self, service: str) -> float:
        """0 when all earlier writes have been seen, else seconds after which to look again at the latest."""
        return self._expected.wait_s(service)

    def forget(self, service: str) -> None:
        self._expected.forget(service)

    def _on_slice(self, key: str, old: Slice | None, new: Slice | None) -> None:
        if new is not None:
            if old is None:
                self._expected.created(_service_of(new))
            self._on_change(_service_of(new))
        if old is not None:
            if new is None or _service_of(old) != _service_of(new):
                self._expected.deleted(_service_of(old), old.metadata.uid)
            self._expected.deleted(_service_of(old), _version(old))
            self._on_change(_service_of(old))

    async def apply(self, service: str, metadata: dict[str, Any], actions: Sequence[planning.Action]) -> None:
        """Carry out actions; new slices get `metadata`, changed ones its labels and annotations."""
        for action in actions:
            match action:
                case planning.Create(address_type, ports, endpoints):
                    body = _slice(metadata, address_type, ports, endpoints)
                    await self._create(service, body)
                case planning.Update(old, ports, endpoints):
                    changed = {**metadata, "name": old.metadata.name}
                    changed["resourceVersion"] = old.metadata.resource_version
                    await self._update(service, old, _slice(changed, old.address_type, ports, endpoints))
                case planning.Delete(old):
                    await self._delete(service, old)

    async def _create(self, service: str, body: dict[str, Any]) -> None:
        self._expected.expect(service, creations=1)
        try:
            await self._edges.client.create(ENDPOINT_SLICES, body, namespace=body["metadata"]["namespace"])
        except (ApiError, EdgeError) as error:
            if isinstance(error, ApiError) or error.outcome is Outcome.NOT_DONE:
                self._expected.created(service)
            else:
                self._expected.unsure(service)
            raise

    async def _update(self, service: str, old: Slice, body: dict[str, Any]) -> None:
        """Whoever decides again before the replaced version is seen to go would replace it once more, and be refused."""
        self._expected.expect(service, deletions={_version(old)})
        try:
            written = await self._edges.client.update(ENDPOINT_SLICES, body)
        except (ApiError, EdgeError):
            self._expected.deleted(service, _version(old))
            raise
        if written["metadata"]["resourceVersion"] == old.metadata.resource_version:
            self._expected.deleted(service, _version(old))

    async def _delete(self, service: str, old: Slice) -> None:
        metadata = old.metadata
        self._expected.expect(service, deletions={metadata.uid})
        try:
            await self._edges.client.delete(
                ENDPOINT_SLICES, metadata.name, namespace=metadata.namespace, uid=metadata.uid
            )
        except (ApiError, EdgeError) as error:
            self._expected.deleted(service, metadata.uid)
            if not is_reason(error, "NotFound"):
                raise


def _slice(metadata: dict[str, Any], address_type: str, ports: Ports, endpoints: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "metadata": metadata,
        "addressType": address_type,
        "endpoints": endpoints_json(endpoints),
        "ports": ports_json(ports),
    }


def _version(each: Slice) -> str:
    return f"{each.metadata.uid} {each.metadata.resource_version}"


def _service_of(each: Slice) -> str:
    return key_of(each.metadata.namespace, each.metadata.labels.get(SERVICE_NAME, ""))
