"""Gives each namespace its service account `default`.

source  Kubernetes documentation "Managing Service Accounts", ServiceAccount controller
"""

from __future__ import annotations

from cybernetes.base.errors import ApiError
from cybernetes.client.target import SERVICE_ACCOUNTS
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Metadata, Namespace

NAME = "default"


class ServiceAccountController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._queue = edges.queue()
        self._accounts = edges.informers.service_accounts
        edges.informers.namespaces.on_change(self._on_namespace)
        self._accounts.on_change(self._on_account)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("serviceaccounts", self._queue, self.sync)

    def _on_namespace(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self._queue.add(key)

    def _on_account(self, key: str, old: Metadata | None, new: Metadata | None) -> None:
        if new is None and old is not None and old.metadata.name == NAME:
            self._queue.add(old.metadata.namespace)

    async def sync(self, namespace: str) -> float | None:
        found = self._edges.informers.namespaces.items.get(namespace)
        if found is None or is_going(found) or f"{namespace}/{NAME}" in self._accounts.items:
            return None
        account = {"metadata": {"name": NAME, "namespace": namespace}}
        try:
            await self._edges.client.create(SERVICE_ACCOUNTS, account, namespace=namespace)
        except ApiError as error:
            if not is_moot(error):
                raise
        return None


def is_going(namespace: Namespace) -> bool:
    return bool(namespace.metadata.deletion_timestamp) or namespace.status.phase == "Terminating"


def is_moot(error: ApiError) -> bool:
    """Whether a creation failed because it is not needed: the object is there, or its namespace is going or gone."""
    causes = (error.details or {}).get("causes") or []
    going = any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
    return error.reason in ("AlreadyExists", "NotFound") or going
